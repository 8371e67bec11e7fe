"""Gene symbols that a spreadsheet turned into dates, and the families they come from.

References
----------
Ziemann M, Eren Y, El-Osta A (2016) Gene name errors are widespread in the scientific literature.
Genome Biology 17:177.
"""

from __future__ import annotations

import re

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAME = "|".join(_MONTHS)
_FORMS = (
    # 1-Mar, 01 Mar, 1.March: the day in front
    re.compile(rf"(?P<number>\d{{1,2}})[-/. ](?P<month>{_NAME})[a-z]*", re.IGNORECASE),
    # Mar-01, Sep/2: the day (or a year of two digits that stands for it) behind
    re.compile(rf"(?P<month>{_NAME})[a-z]*[-/. ](?P<number>\d{{1,2}})", re.IGNORECASE),
    # 1-Mar-21, 01-Mar-2021
    re.compile(
        rf"(?P<number>\d{{1,2}})[-/. ](?P<month>{_NAME})[a-z]*[-/. ]\d{{2}}(\d{{2}})?",
        re.IGNORECASE,
    ),
)
_ISO = re.compile(r"(?P<year>\d{4})[-/](?P<month>\d{1,2})[-/](?P<number>\d{1,2})([ T]00:00(:00)?)?")
_SLASHED = re.compile(r"\d{1,2}/\d{1,2}/\d{2}(\d{2})?")

#: What a date stands for: (month, number) → approved symbol. March 1 and 2 are missing on purpose:
#: each stands for two genes (MARCHF1 and MTARC1, MARCHF2 and MTARC2).
_DATES = {
    **{(3, n): f"MARCHF{n}" for n in range(3, 12)},
    **{(9, n): f"SEPTIN{n}" for n in (*range(1, 13), 14)},
    (9, 15): "SELENOF",
    (12, 1): "DELEC1",
}

#: Symbols that were retired because spreadsheets turn them into dates.
RETIRED = {
    **{f"MARCH{n}": f"MARCHF{n}" for n in range(1, 12)},
    **{f"SEPT{n}": f"SEPTIN{n}" for n in (*range(1, 13), 14)},
    "SEP15": "SELENOF",
    "DEC1": "DELEC1",
    "MARC1": "MTARC1",
    "MARC2": "MTARC2",
}


def read_date(label: str) -> tuple[int, int] | None:
    """Read a label as a spreadsheet date.

    Returns
    -------
    (int, int) or None
        Month and number of the gene; ``(0, 0)`` for a date whose number cannot be told;
        ``None`` when the label is not a date.

    Examples
    --------
    >>> read_date("2-Sep"), read_date("Sep-02"), read_date("2021-03-04"), read_date("FLG2")
    ((9, 2), (9, 2), (3, 4), None)
    """
    if not any(character.isdigit() for character in label):
        return None
    for form in _FORMS:
        found = form.fullmatch(label)
        if found:
            month = _MONTHS.index(found["month"].lower()[:3]) + 1
            return month, int(found["number"])
    found = _ISO.fullmatch(label)
    if found:
        number = int(found["number"])
        # "Sep-02" opened as September 2002 is saved as 2002-09-01: the number may be the year.
        as_year = int(found["year"]) - 2000
        if number == 1 and 2 <= as_year <= 15:
            return 0, 0
        return int(found["month"]), number
    return (0, 0) if _SLASHED.fullmatch(label) else None


def repair_date(label: str) -> str | None:
    """Give the approved symbol that a spreadsheet date stands for.

    Returns
    -------
    str or None
        The symbol; ``""`` for a date that stands for several genes or for none (1-Mar is MARCHF1
        or MTARC1); ``None`` when the label is not a date.

    Examples
    --------
    >>> repair_date("Sep-02"), repair_date("1-Mar"), repair_date("KRT16")
    ('SEPTIN2', '', None)
    """
    date = read_date(label)
    return None if date is None else _DATES.get(date, "")
