"""When a biopsy was taken: weeks since baseline."""

from __future__ import annotations

import math

import pandas as pd

from adnorm.onboarding.fields import (
    TITLES,
    Column,
    Line,
    by_fragments,
    counts_of,
    enumerable,
    filled,
    key_rank,
    many,
)
from adnorm.onboarding.weeks import read_visit, unit_of_key, weeks_of
from adnorm.onboarding.words import HEALTHY

_WEEK_KEYS = [
    r"weeks?|study_week|treatment_week",
    r"time_?points?|time|times?_.*|treatment_time|collection_time",
    r"visits?|visit_?(?:id|name|number|week|no)?|study_visit",
    r"days?|study_day|months?|treatment_(?:day|duration)",
    r".*(?:time_?point|visit|week).*",
    r"source_name|treatment.*|stage|group|phase|condition",
]


def propose_week(raw: pd.DataFrame, state: Column, untreated: bool) -> Column:
    """Propose the mapping of the week since baseline."""
    best = None
    for place, key in enumerate(raw.columns):
        rank = key_rank(key, _WEEK_KEYS)
        kinds = counts_of(filled(raw, [key]))
        if not enumerable(kinds) or (rank == len(_WEEK_KEYS) and not _only_times(kinds)):
            continue
        read = [v for v in kinds if _is_visit(v, key)]
        share = sum(kinds[v] for v in read) / sum(kinds.values())
        if share < 0.8:
            continue
        known = sum(w is not None for w, _ in weeks_of(read, key, untreated).values())
        score = (known == len(kinds), share, -rank, -place)
        if best is None or score > best[0]:
            best = (score, key)
    if best is None:
        return _week_of_titles(raw, untreated)
    key = best[1]
    values = filled(raw, [key])
    kinds = counts_of(values)
    column = Column("week", [key], "weeks since baseline, 0 is baseline")
    made = by_fragments(values[values != ""], lambda text: (v := read_visit(text)) and v.words)
    if made and len(made[1]) < len(kinds):
        # The field says more than the visit: m0_AL and m0_AN are one visit.
        column.pattern, kinds = made
    weeks = weeks_of(kinds, key, untreated)
    plain = unit_of_key(key) == "week" and all(is_number(value) for value in kinds)
    if plain:
        told = ", ".join(f"{v} ({n})" for v, n in sorted(kinds.items(), key=lambda i: float(i[0])))
        column.remark = f"{column.remark}; samples: {told}"
    else:
        column.lines = _week_lines(kinds, weeks)
    empty = values == ""
    if empty.any():
        healthy = state.canonical(raw)[empty] == HEALTHY
        remark = f"{many(int(empty.sum()))} without a value"
        column.missing = (
            Line("", 0, f"{remark}, all healthy; taken as baseline")
            if healthy.all()
            else Line("", None, f"{remark}: weeks since baseline", fill=True)
        )
    return column


def _only_times(kinds: dict[str, int]) -> bool:
    """Whether all values of a field of any name say times, such as Pre-LS and Post-LS."""
    visits = [read_visit(value) for value in kinds]
    said = [v for v in visits if v and v.unit in ("week", "day", "month", "baseline", "after")]
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


def _week_lines(kinds: dict[str, int], weeks: dict[str, tuple[float | None, str]]) -> list[Line]:
    lines = []
    for value, number in kinds.items():
        week, remark = weeks[value]
        told = many(number) + (f": {remark}" if week is None else f"; {remark}" if remark else "")
        lines.append(Line(value, week, told, fill=week is None))
    return sorted(lines, key=lambda line: (line.value is None, line.value or 0.0, line.raw))


def _week_of_titles(raw: pd.DataFrame, untreated: bool) -> Column:
    for key in (k for k in TITLES if k in raw):

        def words(text: str) -> str | None:
            visit = read_visit(text)
            return visit.words if visit and visit.unit not in ("number", "visit") else None

        made = by_fragments(filled(raw, [key]), words, 1.0)
        if made:
            lines = _week_lines(made[1], weeks_of(made[1], key, untreated))
            return Column("week", [key], "read out of the text", lines, made[0])
    remark = "no field tells a visit, so all samples are taken as baseline"
    return Column("week", constant=0, remark=remark)
