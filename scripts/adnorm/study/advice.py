"""What to write instead: the line of a cohort file that a wrong guess leads to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from difflib import SequenceMatcher

import pandas as pd
import yaml

from adnorm.base.errors import listing
from adnorm.study.cohort import ColumnMapping
from adnorm.study.decimals import MINUS, NUMBER_PATTERN, is_number, whole_number

#: Longer texts of a field are cut in messages: protocols fill pages.
_LONGEST = 60
#: A mapping with longer `values:` is not repeated.
_LONGEST_LINE = 240
#: Keys of patients are called so.
_PEOPLE = (
    r"(?:patient|subject|donor|participant|individual|proband|person|volunteer)s?"
    r"[\s_.-]*(?:id|no|nr|number|code|name)?\.?"
)
#: Names this similar are probably one name, written in two ways.
_ALIKE = 0.7
#: More values that are no numbers than this are not mapped one by one.
MOST_VALUES = 12
#: Words that may stand beside a number of a column without changing what it says …
_UNITS = {
    "week": {"week", "weeks", "wk", "wks", "w"},
    "dose_mg": {"mg"},
    "age": {"year", "years", "yr", "yrs", "y", "yo", "old", "age", "aged"},
}
#: … and, for scores, those that may not: they name another unit or a bound.
_OTHER_UNITS = set(
    "mm cm percent less more than under over below above change delta "
    "decrease increase reduction improvement from to or and of".split()
)
#: What may stand on the right of `values:`, by canonical column.
_CHOICES = {
    "state": "lesional, nonlesional or healthy",
    "treatment": "a name under `treatments:`, none or of_patient",
    "week": "weeks since baseline, 0 for baseline",
    "sex": "female or male, null when it is not available",
    "dose_mg": "a number of mg, null for none",
}


def describe_keys(raw: pd.DataFrame) -> str:
    """Say which keys a sheet has and what they hold, for a message.

    Keys that tell samples apart come with examples; those that are the same for all are named.
    """
    telling, same = [], []
    for column in raw.columns:
        values = sorted({str(v).strip() for v in raw[column].dropna()} - {""})
        if len(values) == 1 and len(raw) > 1 and raw[column].astype(str).str.strip().all():
            same.append(column)
        elif values:
            telling.append(f"'{column}' (e.g. {listing(map(_short, values), 3)})")
    said = "; ".join(telling)
    if not same:
        return said
    return (f"{said}; the same" if said else "The same") + f" for all samples: {listing(same, 40)}"


def fitting_key(
    raw: pd.DataFrame, fit: Callable[[str], float] | None, wanted: Iterable[str] = ()
) -> str:
    """Find the key that a mapping was probably meant for.

    Parameters
    ----------
    raw
        Raw metadata.
    fit
        How well a raw value fits the mapping, 0 to 1; ``None`` for that of patients, which takes
        any value.
    wanted
        Names that the mapping asks for. Of the keys that fit at all, one with such a name comes
        first, and for patients then one that is named after people.

    Returns
    -------
    str
        The key whose values fit best over all samples; for patients the one whose values repeat
        and that tells most samples apart. Empty if nothing fits.
    """
    best, most = "", 0.0
    wanted = list(wanted)
    for column in raw.columns:
        values = raw[column].fillna("").astype(str).str.strip()
        filled = values[values != ""]
        kinds = filled.nunique()
        if fit is not None:
            score = sum(map(fit, filled)) / len(raw)
        else:
            score = kinds / len(raw) if kinds < len(filled) else 0.0
        if score and any(_alike(name, str(column)) for name in wanted):
            score += 2
        elif score and fit is None and re.fullmatch(_PEOPLE, str(column), re.IGNORECASE):
            score += 1
        if score > most:
            best, most = str(column), score
    return best


def _alike(name: str, other: str) -> bool:
    return SequenceMatcher(None, name.casefold(), other.casefold()).ratio() >= _ALIKE


def line_with(column: str, spec: ColumnMapping, source: dict) -> str:
    """Write the mapping of a column as it stands, but from another source."""
    rest = {k: v for k, v in spec.as_written().items() if k not in ("from", "from_all")}
    line = flow({column: source | rest})
    return line if len(line) <= _LONGEST_LINE else flow({column: source})[:-1] + ", … as it is}"


def missing_values(column: str, raw_values: Iterable[str]) -> str:
    """Write what has to be added under `values:`, and what may stand on the right."""
    entries = ", ".join(f"{flow(value)}: …" for value in raw_values)
    choice = _CHOICES.get(column, "the canonical value, null when it is not available")
    return f"`{{{entries}}}` (for each …: {choice})"


def number_advice(column: str, texts: Iterable[str], spec: ColumnMapping | None = None) -> str:
    """Say how numbers are got out of texts, by a way that changes none of them.

    Parameters
    ----------
    column
        The canonical column.
    texts
        What is no number.
    spec
        The mapping as it stands.
    """
    texts = sorted(set(texts))
    if any(is_number(text) and "," in text for text in texts):
        return "write the numbers with a decimal point and no mark for thousands"
    add = f"add to samples: {column}: values: {missing_values(column, texts)}"
    few = len(texts) <= MOST_VALUES
    # A number without a word may be a code that `values:` translates.
    words = all(reads_whole(column, text) and not is_number(text) for text in texts)
    if words and (spec is None or spec.pattern is None):
        pattern = f"take the number out with `pattern: '{NUMBER_PATTERN}'`"
        return f"{add}, or {pattern}" if few else pattern
    if few:
        return add
    return (
        "write the numbers alone into a column of their own, because no pattern reads these "
        f"{len(texts)} texts without changing some"
    )


def reads_whole(column: str, text: str) -> bool:
    """Whether a text is one number, in the unit of the column, beside words that add nothing.

    Examples
    --------
    >>> [reads_whole("easi", text) for text in ("25,3 (severe)", "<2", "5/72")]
    [True, False, False]
    >>> [reads_whole("week", text) for text in ("Week 3", "Month 3", "week-3")]
    [True, False, False]
    """
    found = re.search(NUMBER_PATTERN, text)
    if found is None or whole_number(text, *found.span()) != found.span():
        return False
    before, after = text[: found.start()], text[found.end() :]
    if found[0][0] in "+-" and before[-1:].isalnum():
        # The dash may be a minus or a mark.
        return False
    if re.search(r"[\d<>≤≥%½¼¾±]", before + after) or re.search(rf"[{MINUS}/]\s*$", before):
        return False
    if re.match(rf"\s*[{MINUS}/]", after):
        return False
    words = set(re.findall(r"[^\W\d_]+", (before + " " + after).casefold()))
    return words <= _UNITS[column] if column in _UNITS else not words & _OTHER_UNITS


def flow(value: object) -> str:
    """Write a value on one line of YAML."""
    text = yaml.safe_dump(
        value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**6
    )
    text = text.removesuffix("...\n").strip()
    return text[1:-1] if isinstance(value, dict) else text


def _short(value: str) -> str:
    return value if len(value) <= _LONGEST else value[:_LONGEST] + "…"
