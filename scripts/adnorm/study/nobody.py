"""Samples whose sheet names no person: healthy volunteers without an id, mostly.

One word for all of them (``NA``, ``control``, ``healthy``) would make one person of many.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import pandas as pd

from adnorm.base.errors import Problems, listing
from adnorm.study.advice import flow
from adnorm.study.cohort import ColumnMapping
from adnorm.study.decimals import MISSING_WORDS

#: What stands in a sheet where a person has no id.
NOBODY = frozenset((*MISSING_WORDS, "none"))
#: Words for people who are no patients; one of them for several people would make one of all.
_NO_PERSON = re.compile(
    r"(?:healthy|normal|controls?|ctrl|ctl|volunteers?|donors?|hc|hv|nc|nhs|non[ _-]?ad|reference)"
    r"(?:[ _-]*(?:controls?|volunteers?|donors?|subjects?|individuals?|persons?|people|skin))*",
    re.IGNORECASE,
)
#: Keys that name each sample, the best first.
_SAMPLE_KEYS = ("sample", "Sample", "sample_id", "geo_accession", "title")


def without_nobody(
    raw: pd.DataFrame, columns: list[str], is_nobody: Callable[[str], bool]
) -> pd.DataFrame:
    """Blank what names no person in some raw columns, so that the next key has its turn."""
    text = raw[columns].fillna("").astype(str).apply(lambda column: column.str.strip())
    return raw.assign(**{c: text[c].mask(text[c].map(is_nobody), "") for c in columns})


def own_person(raw: pd.DataFrame, spec: ColumnMapping, nobody: Iterable[str] = ()) -> str:
    """Write the mapping of patients that makes a person of each sample without an id.

    Parameters
    ----------
    raw
        Raw metadata.
    spec
        The mapping as it stands.
    nobody
        Raw values that name no person, such as ``healthy``.

    Returns
    -------
    str
        Empty when no key names each sample, or the mapping would not take its values.
    """
    text = raw.fillna("").astype(str).apply(lambda column: column.str.strip())
    unique = [str(c) for c in text if text[c].is_unique and (text[c] != "").all()]
    best = sorted(unique, key=lambda c: _SAMPLE_KEYS.index(c) if c in _SAMPLE_KEYS else 99)
    if not best or spec.from_all or spec.pattern is not None:
        return ""
    rest = {k: v for k, v in spec.as_written().items() if k not in ("from", "missing")}
    line: dict = {"from": [*spec.keys, best[0]]}
    if nobody or rest.get("values"):
        line |= {"pattern": "(?P<value>.+)"}
        line |= {"values": rest.pop("values", {}) | dict.fromkeys(nobody)}
    return flow({"patient": line | rest})


def shared_words(sheet: pd.DataFrame, missing: object = None) -> dict[str, int]:
    """Find words that stand for several people without an id.

    Parameters
    ----------
    sheet
        patient, state and week, one row a sample.
    missing
        What the mapping writes where there is no id.

    Returns
    -------
    dict of str to int
        Word → biopsies of the same skin at one visit, where one person has one.
    """
    found = {}
    for name, rows in sheet.groupby("patient", sort=True):
        patient = str(name)
        most = int(rows.groupby(["state", "week"]).size().max())
        word = _NO_PERSON.fullmatch(patient) and set(rows["state"]) == {"healthy"}
        if most > 1 and (names_nobody(patient, missing) or word):
            found[patient] = most
    return found


def names_nobody(patient: str, missing: object = None) -> bool:
    """Whether a patient is what stands in a sheet, or a mapping writes, where there is no id."""
    return patient.casefold() in NOBODY or patient == str(missing)


def refuse_shared_words(
    sheet: pd.DataFrame, raw: pd.DataFrame, spec: ColumnMapping, problems: Problems
) -> None:
    """Refuse one person of many biopsies where a word stands for several people without an id.

    Parameters
    ----------
    sheet
        The canonical columns, one row a sample.
    raw
        Raw metadata.
    spec
        The mapping of patients.
    problems
        Takes what is wrong.
    """
    for patient, most in shared_words(sheet, spec.missing).items():
        missing = names_nobody(patient, spec.missing)
        line = own_person(raw, spec, () if missing else (patient,))
        advice = (
            f"make each a person of its own: `{line}`" if line else "give each an id of its own"
        )
        rows = sheet.index[sheet["patient"] == patient]
        problems.add(
            f"samples: patient: '{patient}' names no person, but would be one with {most} biopsies "
            f"of the same skin at one visit (samples {listing(rows, 6)}); {advice}"
        )
