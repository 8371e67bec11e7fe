"""When a biopsy was taken: weeks since baseline."""

from __future__ import annotations

import math
import re

import pandas as pd

from adnorm.base.errors import listing
from adnorm.onboarding.fields import (
    MOST_VALUES,
    TITLES,
    Column,
    Line,
    by_fragments,
    counts_of,
    enumerable,
    filled,
    key_rank,
    many,
    spelt,
)
from adnorm.onboarding.weeks import read_visit, unit_of_key, weeks_of
from adnorm.onboarding.words import HEALTHY
from adnorm.study import decimals

_WEEK_KEYS = [
    r"weeks?|study_week|treatment_week",
    r"time_?points?|time|times?_.*|treatment_time|collection_time",
    r"visits?|visit_?(?:id|name|number|num|week|no|nr|code)?|study_visit|a_?visit",
    r"days?|study_day|months?|treatment_(?:day|duration)",
    r".*(?:time_?point|visit|week).*",
    r"source_name|treatment.*|stage|group|phase|condition",
]
#: So many of these are names of visits; the others only mention a time …
_EXACT = 4
#: … unless they say another time than that of the biopsy.
_OTHER_TIMES = (
    r"duration|since|prior|previous|last|history|onset|diagnos|wash|age|birth|gestation|weekly"
    r"|alcohol|per_week|itch|prurit|dosing|dose|interval|date|sleep|symptom|smok|medication"
)
#: Units that say a time in a field of any name.
_SURE = ("week", "day", "month", "baseline", "before", "after")


def propose_week(
    raw: pd.DataFrame, state: Column, untreated: bool
) -> tuple[Column, tuple[str, list[str]] | None]:
    """Propose the mapping of the week since baseline.

    Returns
    -------
    column : Column
    early : (field, raw values) or None
        Samples of visits before baseline, when there is a baseline beside them.
    """
    best = None
    for place, key in enumerate(raw.columns):
        rank = key_rank(key, _WEEK_KEYS)
        kinds = counts_of(filled(raw, [key]))
        loose = rank >= _EXACT
        if not enumerable(kinds) or (loose and re.search(_OTHER_TIMES, spelt(key))):
            continue
        if rank == len(_WEEK_KEYS) and not _only_times(kinds):
            continue
        read = [v for v in kinds if _is_visit(v, key)]
        share = sum(kinds[v] for v in read) / sum(kinds.values())
        if share < 0.8:
            continue
        known = sum(w is not None for w, _ in weeks_of(read, key, untreated).values())
        # A field of such a name goes before one that only mentions a time.
        score = (not loose, known == len(kinds), share, -rank, -place)
        if best is None or score > best[0]:
            best = (score, key)
    if best is None:
        return _week_of_titles(raw, untreated)
    key = best[1]
    values = filled(raw, [key])
    kinds = counts_of(values)
    column = Column("week", [key], f"weeks since baseline, 0 is baseline{_other_fields(raw, key)}")
    made = by_fragments(values[values != ""], lambda text: (v := read_visit(text)) and v.words)
    unread = {v: n for v, n in kinds.items() if read_visit(v) is None}
    if made and len(made[1]) < len(kinds) - len(unread):
        # The field says more than the visit: m0_AL and m0_AN are one visit.
        column.pattern, kinds = made[0], made[1] | unread
    weeks = weeks_of(kinds, key, untreated)
    plain = unit_of_key(key) == "week" and all(decimals.is_number(value) for value in kinds)
    if plain:
        ordered = sorted(kinds.items(), key=lambda item: weeks[item[0]][0])
        told = ", ".join(f"{value} ({number})" for value, number in ordered)
        column.remark = f"{column.remark}; samples: {told}"
    early = _early(column, values, weeks)
    if not plain:
        column.lines = _week_lines(kinds, weeks, bool(early))
    empty = values == ""
    if empty.any():
        healthy = state.canonical(raw)[empty] == HEALTHY
        remark = f"{many(int(empty.sum()))} without a value"
        column.missing = (
            Line("", 0, f"{remark}, all healthy; taken as baseline")
            if healthy.all()
            else Line("", None, f"{remark}: weeks since baseline", fill=True)
        )
    return column, early


def _other_fields(raw: pd.DataFrame, used: str) -> str:
    """Name the other fields that are called after a visit or a time."""
    others = [k for k in raw if k != used and key_rank(k, _WEEK_KEYS) < _EXACT]
    return f"; other fields: {listing(others, 4)}" if others else ""


def _early(
    column: Column, values: pd.Series, weeks: dict[str, tuple[float | None, str]]
) -> tuple[str, list[str]] | None:
    """List the raw values of visits before baseline, if the field has a baseline too."""
    visits = {value: _visit_of(column, value) for value in set(values) - {""}}
    before = {kind for kind, (week, _) in weeks.items() if _is_early(kind, week)}
    cells = sorted(value for value, kind in visits.items() if kind in before)
    baseline = any(week == 0 for week, _ in weeks.values())
    return (column.keys[0], cells) if baseline and 0 < len(cells) <= MOST_VALUES else None


def _is_early(kind: str, week: float | None) -> bool:
    visit = read_visit(kind)
    return week < 0 if week is not None else visit is not None and visit.unit == "before"


def _visit_of(column: Column, value: str) -> str:
    """Say which kind of visit a raw value is: what the pattern finds, in the spelling of it."""
    found = column.pattern and re.search(column.pattern, value, re.IGNORECASE)
    return found["value"] if found else value


def _only_times(kinds: dict[str, int]) -> bool:
    """Whether all values of a field of any name say times, such as Pre-LS and Post-LS."""
    visits = [read_visit(value) for value in kinds]
    said = [v for v in visits if v and v.unit in _SURE]
    return len(said) == len(visits) and len({(v.unit, v.number) for v in said}) > 1


def _is_visit(value: str, key: str) -> bool:
    visit = read_visit(value)
    return visit is not None and (visit.unit != "number" or key_rank(key, _WEEK_KEYS) < 5)


def is_number(text: str) -> bool:
    """Whether a text is a number from 0."""
    try:
        return 0 <= float(text) < math.inf
    except ValueError:
        return False


def _week_lines(
    kinds: dict[str, int], weeks: dict[str, tuple[float | None, str]], left_out: bool
) -> list[Line]:
    """Write a line for each visit; those that are left out need none, but a week is told."""
    lines = []
    for value, number in kinds.items():
        week, remark = weeks[value]
        if left_out and week is None and _is_early(value, week):
            continue
        if left_out and _is_early(value, week):
            remark += ", left out below"
        told = many(number) + (f": {remark}" if week is None else f"; {remark}" if remark else "")
        lines.append(Line(value, week, told, fill=week is None))
    return sorted(lines, key=lambda line: (line.value is None, line.value or 0.0, line.raw))


def _week_of_titles(
    raw: pd.DataFrame, untreated: bool
) -> tuple[Column, tuple[str, list[str]] | None]:
    for key in (k for k in TITLES if k in raw):

        def words(text: str) -> str | None:
            visit = read_visit(text)
            return visit.words if visit and visit.unit not in ("number", "visit") else None

        texts = filled(raw, [key])
        made = by_fragments(texts, words, 1.0)
        if made:
            weeks = weeks_of(made[1], key, untreated)
            column = Column("week", [key], "read out of the text", pattern=made[0])
            early = _early(column, texts, weeks)
            column.lines = _week_lines(made[1], weeks, bool(early))
            return column, early
    named = [
        (rank, place, key)
        for place, key in enumerate(raw.columns)
        if (rank := key_rank(key, _WEEK_KEYS)) < _EXACT
        and 1 < len(counts_of(filled(raw, [key]))) <= MOST_VALUES
    ]
    if named:
        # A field of such a name with several values is never all baseline.
        key = min(named)[2]
        kinds = counts_of(filled(raw, [key]))
        remark = f"weeks since baseline, 0 is baseline{_other_fields(raw, key)}"
        column = Column("week", [key], remark)
        column.lines = _week_lines(kinds, weeks_of(kinds, key, untreated), left_out=False)
        empty = int((filled(raw, [key]) == "").sum())
        if empty:
            remark = f"{many(empty)} without a value: weeks since baseline"
            column.missing = Line("", None, remark, fill=True)
        return column, None
    remark = "no field tells a visit, so all samples are taken as baseline"
    return Column("week", constant=0, remark=remark), None
