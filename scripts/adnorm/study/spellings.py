"""Ids of patients that differ only in case, punctuation or zeros: perhaps one person."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pandas as pd

from adnorm.study.advice import flow
from adnorm.study.cohort import ColumnMapping
from adnorm.study.comparisons import BASELINE

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
        Pairs (lesional and non-lesional skin at baseline, lesional skin at baseline and at a later
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
    if ("lesional", BASELINE) not in visits:
        return 0
    later = sum(state == "lesional" and week > BASELINE for state, week in visits)
    return int(("nonlesional", BASELINE) in visits) + later


def joining_line(found: list[Spellings], mapping: ColumnMapping) -> str:
    """Write the mapping of patients that makes one name of each group; empty for a constant.

    Parameters
    ----------
    found
        What to join.
    mapping
        ``samples: patient:`` of the cohort file.
    """
    if isinstance(mapping, dict):
        mapping = ColumnMapping.model_validate(mapping)
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
    told = []
    for group in found[:6]:
        names = [f"'{n}' ({count})" for n, count in zip(group.names, group.rows, strict=True)]
        both = ", both with a biopsy of the same skin and visit" if group.twice else ""
        told.append(" = ".join(names) + both)
    more = f" and {len(found) - 6} more" if len(found) > 6 else ""
    return "; ".join(told) + more
