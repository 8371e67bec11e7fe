"""Whom a biopsy is of: samples whose sheet names no person, and one person in several spellings.

One word for all healthy volunteers (``NA``, ``control``, ``healthy``) would make one of many.
Ids that differ only in case, punctuation or zeros are perhaps one person.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from adnorm.base.errors import Problems, listing
from adnorm.study.cohort import ColumnMapping
from adnorm.study.comparisons import BASELINE
from adnorm.study.decimals import MISSING_WORDS
from adnorm.study.raw_fields import flow
from adnorm.study.vocabulary import State

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
    line: dict[str, Any] = {"from": [*spec.keys, best[0]]}
    if nobody or rest.get("values"):
        line |= {"pattern": "(?P<value>.+)"}
        line |= {"values": rest.pop("values", {}) | dict.fromkeys(nobody)}
    return flow({"patient": line | rest})


def shared_words(sheet: pd.DataFrame, missing: object = None) -> dict[str, int]:
    """Find words that stand for several people without an id.

    Parameters
    ----------
    sheet
        patient, state and week, one row per sample.
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
        word = _NO_PERSON.fullmatch(patient) and set(rows["state"]) == {State.HEALTHY}
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
        The canonical columns, one row per sample.
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


# ---------------------------------------------------------------- spellings


#: Takes a raw value whole, so that `values:` may rename some and leave the others.
_WHOLE = "(?P<value>.+)"


def spelling(name: str) -> tuple[str, ...]:
    """Spell an id without case, punctuation and leading zeros; numbers stay apart.

    Examples
    --------
    >>> spelling("P01") == spelling("p-1") == spelling("P 001") == spelling("P1.0")
    True
    >>> spelling("P1-2") == spelling("P12"), spelling("P10") == spelling("P1")
    (False, False)
    """
    text = re.sub(r"(?<=\d)\.0+$", "", str(name).strip())
    parts = re.findall(r"\d+|[^\W\d_]+", text.casefold())
    return tuple(part.lstrip("0") or "0" if part.isdigit() else part for part in parts)


@dataclass(frozen=True)
class Spellings:
    """One id in several spellings.

    Attributes
    ----------
    names
        The spellings, the one with most samples first.
    rows
        Number of samples of each.
    pairs
        Pairs (lesional and nonlesional skin at baseline, lesional skin at baseline and at a later
        visit) that exist only if the spellings are one patient.
    twice
        Whether two spellings have a biopsy of the same skin at the same visit.
    """

    names: tuple[str, ...]
    rows: tuple[int, ...]
    pairs: int
    twice: bool


def find_spellings(samples: pd.DataFrame) -> list[Spellings]:
    """Find patients whose ids differ only in case, punctuation or zeros.

    Parameters
    ----------
    samples
        Canonical sample sheet.

    Returns
    -------
    list of Spellings
        Sorted by the first name.
    """
    counts = samples["patient"].astype(str).value_counts()
    groups: dict[tuple[str, ...], list[str]] = {}
    for name in counts.index:
        groups.setdefault(spelling(name) or (name,), []).append(name)
    found = []
    for names in groups.values():
        if len(names) < 2:
            continue
        names = sorted(names, key=lambda name: (-counts[name], name))
        own = [_visits(samples, [name]) for name in names]
        joined = _pairs(_visits(samples, names)) - sum(map(_pairs, own))
        twice = sum(map(len, own)) > len(set().union(*own))
        rows = tuple(int(counts[name]) for name in names)
        found.append(Spellings(tuple(names), rows, joined, twice))
    return sorted(found, key=lambda group: group.names)


def _visits(samples: pd.DataFrame, names: list[str]) -> set[tuple[str, float]]:
    rows = samples[samples["patient"].astype(str).isin(names)]
    return set(zip(rows["state"].astype(str), rows["week"].astype(float), strict=True))


def _pairs(visits: set[tuple[str, float]]) -> int:
    if (State.LESIONAL, BASELINE) not in visits:
        return 0
    later = sum(state == State.LESIONAL and week > BASELINE for state, week in visits)
    return int((State.NONLESIONAL, BASELINE) in visits) + later


def joining_line(found: list[Spellings], mapping: ColumnMapping) -> str:
    """Write the mapping of patients that makes one name of each group; empty for a constant.

    Parameters
    ----------
    found
        What to join.
    mapping
        ``samples: patient:`` of the cohort file.
    """
    if mapping.constant is not None:
        return ""
    values = dict(mapping.translation)
    targets = {name: group.names[0] for group in found for name in group.names[1:]}
    values = {raw: targets.get(str(name), name) for raw, name in values.items()}
    values |= {name: target for name, target in targets.items() if name not in values}
    line = {key: value for key, value in mapping.as_written().items() if key != "values"}
    if mapping.pattern is None and not mapping.values:
        line["pattern"] = _WHOLE
    return flow({"patient": line | {"values": values}})


def describe(found: list[Spellings]) -> str:
    """Name the groups: ``'P01' (3 samples), 'p-1' (1)``, at most six of them."""
    groups = []
    for group in found[:6]:
        names = [f"'{n}' ({count})" for n, count in zip(group.names, group.rows, strict=True)]
        both = ", both with a biopsy of the same skin and visit" if group.twice else ""
        groups.append(" = ".join(names) + both)
    more = f" and {len(found) - 6} more" if len(found) > 6 else ""
    return "; ".join(groups) + more
