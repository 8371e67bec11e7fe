"""When a biopsy was taken: visits as deposits write them, and weeks since baseline."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

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
from adnorm.study.decimals import MINUS
from adnorm.study.decimals import is_number as is_decimal
from adnorm.study.vocabulary import State

_BASELINE = r"base[\s_-]*line|(?<![a-z])bl(?![a-z])"
#: Before treatment: baseline, unless another visit is called so.
_BEFORE = (
    r"(?<![a-z])(?:screening|screen|scr|run[\s_-]*in|wash[\s_-]*out|pre|before|prior)(?![a-z])"
    r"|pre[\s_-]*(?:treatment|dose|therapy|tx|rx)"
)
_AFTER = r"(?<![a-z])(?:post|after|eot|eos|end[\s_-]*of|follow|unscheduled|early[\s_-]*termination)"
#: A time from here on is no time since baseline.
_LATER_START = (
    r"(?<![a-z])(?:after|post|since|from)[\s_-]*(?:the[\s_-]*)?"
    r"(?:eot|eos|end|last|final|stop|discontinu|withdrawal|relapse|flare|rescue)"
    r"|(?<![a-z])(?:eot|eos|end[\s_-]*of[\s_-]*\w+)\s*\+|(?<![a-z])(?:follow[\s_-]*up|f/?u)(?![a-z])"
)
_CYCLE = (
    r"(?<![a-z])(?:c|cyc|cycle|course|period|block|round|epoch|infusion|injection)[\s_.:#-]*\d+"
)
_SIGN = rf"(?:[{MINUS}+]|minus\s+)"
_NUMBER = r"(\d+(?:[.,]\d+)?)"
#: Unit → words before or after its number.
_UNITS = {
    "week": r"weeks?|wks?|w",
    "day": r"days?|dys?|d",
    "month": r"months?|mths?|mon|mos?|m",
    "hour": r"hours?|hrs?",
    "year": r"years?|yrs?",
    "visit": r"visits?|v",
}
#: … and after it only: H1 is a healthy person.
_UNITS_BEHIND = {"hour": r"|h", "year": r"|y"}
#: Units of time, those first that may be written beside others ("week 2 day 15").
_TIMES = ("week", "day", "month", "hour", "year")
#: Weeks of each unit.
_WEEKS = {
    "week": 1.0,
    "day": 1 / 7,
    "month": 365.25 / 12 / 7,
    "hour": 1 / 168,
    "year": 365.25 / 7,
}
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
_SURE_UNITS = ("week", "day", "month", "baseline", "before", "after")


@dataclass(frozen=True)
class Visit:
    """What a text says about time."""

    #: week, day, month, hour, year, visit (numbered, without a time), baseline, before (before
    #: treatment, without a time), after (a time that is not said), cycle (a day of a cycle of
    #: treatment) or number (no unit).
    unit: str
    #: As written, below 0 before baseline; 0 for baseline.
    number: float
    #: The part of the text that says it.
    words: str
    #: Whether a dash stands between the unit and the number, which may be a minus or a mark.
    dash: bool = False


def unit_of_key(key: str) -> str | None:
    """Read the unit out of the name of a field.

    Examples
    --------
    >>> unit_of_key("week"), unit_of_key("time (days)"), unit_of_key("visit number")
    ('week', 'day', 'visit')
    """
    for unit in _UNITS:
        if re.search(rf"(?<![a-z]){unit}s?(?![a-z])", key.casefold().replace("_", " ")):
            return unit
    return None


def read_visit(text: str) -> Visit | None:
    """Find the visit that a text names.

    Examples
    --------
    >>> read_visit("Week 4"), read_visit("day_15").number, read_visit("m3_AL").unit
    (Visit(unit='week', number=4.0, words='Week 4', dash=False), 15.0, 'month')
    >>> read_visit("Visit 3/BL").unit, read_visit("Post").unit, read_visit("lesional")
    ('baseline', 'after', None)
    >>> read_visit("Week -2").number, read_visit("-7 days").number, read_visit("2 weeks prior")
    (-2.0, -7.0, Visit(unit='week', number=-2.0, words='2 weeks prior', dash=False))
    >>> read_visit("wk-1"), read_visit("C2D1").unit
    (Visit(unit='week', number=1.0, words='wk-1', dash=True), 'cycle')
    """
    lower = text.casefold()
    cycle = re.search(_CYCLE, lower)
    if cycle:
        words = f"{_UNITS['day']}|{_UNITS['week']}"
        day = re.match(rf"[\s_,.:/-]*(?:{words})[\s_.:#-]*\d+", lower[cycle.end() :])
        if day or cycle[0][1:2].isalpha():
            end = cycle.end() + (day.end() if day else 0)
            return Visit("cycle", float("nan"), text[cycle.start() : end])
    later = re.search(_LATER_START, lower)
    if later:
        return Visit("after", float("nan"), text[later.start() : later.end()])
    for unit in _TIMES:
        found = _with_unit(text, unit)
        if found and found.number <= 0 and (named := re.search(_BASELINE, lower)):
            # "Baseline (day -1)" is the baseline.
            return Visit("baseline", 0.0, text[named.start() : named.end()])
        if found:
            return found
    for unit, pattern in (("baseline", _BASELINE), ("before", _BEFORE)):
        before = re.search(pattern, lower)
        if before:
            return Visit(unit, 0.0, text[before.start() : before.end()])
    after = re.search(_AFTER, lower)
    if after:
        return Visit("after", float("nan"), text[after.start() : after.end()])
    found = _with_unit(text, "visit")
    if found:
        return found
    alone = re.fullmatch(rf"({_SIGN}?)[\s]*{_NUMBER}", lower.strip())
    if alone:
        return Visit("number", _signed(alone[1], alone[2]), text)
    return None


def _signed(sign: str, number: str) -> float:
    value = float(number.replace(",", "."))
    return -value if value and sign and (sign in MINUS or sign.startswith("minus")) else value


def _with_unit(text: str, unit: str) -> Visit | None:
    lower, words = text.casefold(), _UNITS[unit]
    before = re.search(
        rf"(?<![a-z])(?:{words})([\s_.:#(\[]*)({_SIGN}?)([\s_]*){_NUMBER}(?![\d.,]*\d)", lower
    )
    if before:
        gap, sign, space, number = before.groups()
        found = text[before.start() : before.end()]
        # "Week -2" has a minus, "Week - 2" a mark; "Week-2" may have either.
        minus = sign if gap and not space else ""
        unclear = bool(sign) and sign in MINUS and not gap and not space
        return Visit(unit, _signed(minus, number), found, unclear)
    after = re.search(
        rf"(?<![\d.,a-z])({_SIGN}?){_NUMBER}[\s_{MINUS}]*"
        rf"(?:{words}{_UNITS_BEHIND.get(unit, '')})(?![a-z])"
        rf"([\s_-]*(?:before|prior|pre)(?![a-z]))?",
        lower,
    )
    if after is None:
        return None
    sign, number, earlier = after.groups()
    # In "LS-2 weeks" the dash is a mark; "2 weeks prior to" counts backwards.
    minus = sign if not lower[: after.start()].rstrip(" ")[-1:].isalnum() else ""
    start = after.start() + (len(sign) if not minus else 0)
    end = after.end()
    if earlier and re.match(r"[\s_-]*(?:-?dose|pre[\s_-]*dose)", lower[after.end() :]):
        # A sample before the dose of a visit belongs to that visit.
        earlier, end = None, after.end() - len(after[3])
    return Visit(unit, _signed("-" if earlier else minus, number), text[start:end])


def weeks_of(
    values: Iterable[str], key: str, untreated: bool
) -> dict[str, tuple[float | None, str]]:
    """Say which week each raw value of a field means.

    A number without a unit has the unit of the field's name. Where nobody was treated, the order of
    numbered visits serves as their time.

    Returns
    -------
    dict
        Raw value → week, below 0 before baseline, and a remark; ``None`` for what cannot be known
        from the text.

    Examples
    --------
    >>> weeks_of(["Baseline", "Day 15", "Post"], "time", False)["Day 15"]
    (2.0, 'day 15, counted from day 1')
    >>> weeks_of(["Week -2", "Week 0"], "visit", False)["Week -2"][0]
    -2.0
    """
    visits = {value: read_visit(value) for value in values}
    unit = unit_of_key(key)
    visits = {
        value: replace(v, unit=unit) if v and v.unit == "number" and unit else v
        for value, v in visits.items()
    }
    visits = _with_signs(visits)
    days = {v.number for v in visits.values() if v and v.unit == "day" and v.number >= 0}
    named = any(v and v.unit == "baseline" for v in visits.values())
    # Trials count the first day as day 1: day 15 is two weeks later.
    first = int(
        bool(days) and 0 not in days and (all(d % 7 == 1 for d in days) or 1 in days and not named)
    )
    numbers = sorted({v.number for v in visits.values() if v and v.unit in ("visit", "number")})
    others = any(v and v.unit in ("baseline", "before") for v in visits.values())
    # Beside real times, an order would be a wrong time.
    timed = any(v and v.unit in _TIMES for v in visits.values())
    ordered = untreated and not timed
    weeks = {
        value: _week(visit, first, numbers, others or timed, ordered)
        for value, visit in visits.items()
    }
    return _one_baseline(visits, weeks)


def _with_signs(visits: dict[str, Visit | None]) -> dict[str, Visit | None]:
    """Decide what a dash before a number is: a minus beside numbers without one, else open.

    ``Week-0`` shows that the dash is a mark.
    """
    units: dict[str, list[Visit]] = {}
    for visit in visits.values():
        if visit and visit.unit in (*_TIMES, "visit"):
            units.setdefault(visit.unit, []).append(visit)
    signed = dict(visits)
    for value, visit in visits.items():
        if not visit or not visit.dash or visit.number == 0:
            continue
        same = units[visit.unit]
        if any(v.dash and v.number == 0 for v in same):
            continue
        if all(v.dash for v in same):
            signed[value] = replace(visit, unit="dash")
        else:
            signed[value] = replace(visit, number=-visit.number)
    return signed


def _week(
    visit: Visit | None, first: int, numbers: list[float], others: bool, ordered: bool
) -> tuple[float | None, str]:
    if visit is None:
        return None, "weeks since baseline; no visit can be read out of this text"
    if visit.unit == "cycle":
        return None, "weeks since baseline; cycles differ in length, day 1 of cycle 1 is baseline"
    if visit.unit == "after":
        return None, "weeks since baseline, which the text does not say"
    if visit.unit == "dash":
        return None, "weeks since baseline, below 0 before it; the dash may be a minus or a mark"
    if visit.unit in ("baseline", "before") or visit.number == 0:
        return 0.0, ""
    if visit.unit in _TIMES:
        # There is no day 0 where the first day is day 1, so day -7 is a week before it.
        counted = visit.number - first if visit.unit == "day" and visit.number > 0 else visit.number
        week = counted * _WEEKS[visit.unit]
        week = float(round(week)) if visit.unit in ("month", "year") else round(week, 2)
        remark = "" if visit.unit == "week" else f"{visit.unit} {visit.number:g}"
        remark += ", counted from day 1" if counted != visit.number else ""
        early = "before baseline" if week < 0 else ""
        return week, "; ".join(filter(None, (remark, early)))
    if visit.number == numbers[0] and not others:
        return 0.0, "the first visit taken as baseline"
    if ordered:
        place = float(numbers.index(visit.number) + others)
        return place, "the order of the visits; write weeks if they are known"
    return None, "weeks since baseline; the visits are numbered, their times are not said"


def _one_baseline(
    visits: dict[str, Visit | None], weeks: dict[str, tuple[float | None, str]]
) -> dict[str, tuple[float | None, str]]:
    """Leave visits before treatment open where another visit is the baseline."""
    before = {v: visit.words for v, visit in visits.items() if visit and visit.unit == "before"}
    baseline = [v for v, (week, _) in weeks.items() if week == 0 and v not in before]
    if baseline:
        remark = f"before baseline ('{baseline[0]}' is week 0): leave these samples out"
        return weeks | dict.fromkeys(before, (None, remark))
    if not before:
        hint = "write 0 if it is the last visit before treatment"
        return {
            v: (w, f"{remark}; {hint}") if w is not None and w < 0 else (w, remark)
            for v, (w, remark) in weeks.items()
        }
    if len({words.casefold() for words in before.values()}) > 1:
        remark = "0 for the visit that is the baseline; leave the samples of the others out"
        return weeks | dict.fromkeys(before, (None, remark))
    return weeks


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
    made = by_fragments(values[values != ""], _words_of_visit)
    unread = {v: n for v, n in kinds.items() if read_visit(v) is None}
    if made and len(made[1]) < len(kinds) - len(unread):
        # The field says more than the visit: m0_AL and m0_AN are one visit.
        column.pattern, kinds = made[0], made[1] | unread
    weeks = weeks_of(kinds, key, untreated)
    plain = unit_of_key(key) == "week" and all(is_decimal(value) for value in kinds)
    if plain:
        ordered = sorted(kinds.items(), key=lambda item: weeks[item[0]][0] or 0.0)
        counts = ", ".join(f"{value} ({number})" for value, number in ordered)
        column.remark = f"{column.remark}; samples: {counts}"
    early = _early(column, values, weeks)
    if not plain:
        column.lines = _week_lines(kinds, weeks, bool(early))
    empty = values == ""
    if empty.any():
        healthy = state.canonical(raw)[empty] == State.HEALTHY
        remark = f"{many(int(empty.sum()))} without a value"
        column.missing = (
            Line("", 0, f"{remark}, all healthy; taken as baseline")
            if healthy.all()
            else Line("", None, f"{remark}: weeks since baseline", fill=True)
        )
    return column, early


def _words_of_visit(text: str) -> str | None:
    visit = read_visit(text)
    return visit.words if visit else None


def _other_fields(raw: pd.DataFrame, used: str) -> str:
    """Name the other fields that are called after a visit or a time."""
    others = [k for k in raw.columns if k != used and key_rank(k, _WEEK_KEYS) < _EXACT]
    return f"; other fields: {listing(others, 4)}" if others else ""


def _early(
    column: Column, values: pd.Series, weeks: dict[str, tuple[float | None, str]]
) -> tuple[str, list[str]] | None:
    """List the raw values of visits before baseline, if the field has a baseline too."""
    visits = {value: _visit_of(column, value) for value in set(values) - {""}}
    before = {kind for kind, (week, _) in weeks.items() if _is_early(kind, week)}
    early = sorted(value for value, kind in visits.items() if kind in before)
    baseline = any(week == 0 for week, _ in weeks.values())
    return (column.keys[0], early) if baseline and 0 < len(early) <= MOST_VALUES else None


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
    sure = [v for v in visits if v and v.unit in _SURE_UNITS]
    return len(sure) == len(visits) and len({(v.unit, v.number) for v in sure}) > 1


def _is_visit(value: str, key: str) -> bool:
    visit = read_visit(value)
    return visit is not None and (visit.unit != "number" or key_rank(key, _WEEK_KEYS) < 5)


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
        why = f": {remark}" if week is None else f"; {remark}" if remark else ""
        lines.append(Line(value, week, many(number) + why, fill=week is None))
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
