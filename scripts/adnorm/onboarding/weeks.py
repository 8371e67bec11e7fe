"""How deposits write visits, and the weeks since baseline that they mean."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_BASELINE = (
    r"base[\s_-]*line|(?<![a-z])(?:bl|screening|pre|before)(?![a-z])"
    r"|pre[\s_-]*(?:treatment|dose|therapy)"
)
_AFTER = r"(?<![a-z])(?:post|after|eot|eos|end[\s_-]*of|follow)"
_NUMBER = r"(\d+(?:\.\d+)?)"
#: Unit → words before or after its number.
_UNITS = {
    "week": r"weeks?|wks?|w",
    "day": r"days?|d",
    "month": r"months?|mon|mos?|m",
    "visit": r"visits?|v",
}
_WEEKS_A_MONTH = 365.25 / 12 / 7


@dataclass(frozen=True)
class Visit:
    """What a text says about time.

    Attributes
    ----------
    unit
        week, day, month, visit (numbered, without a time), baseline, after (a time that is not
        said) or number (no unit).
    number
        As written; 0 for baseline.
    words
        The part of the text that says it.
    """

    unit: str
    number: float
    words: str


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
    (Visit(unit='week', number=4.0, words='Week 4'), 15.0, 'month')
    >>> read_visit("Visit 3/BL").unit, read_visit("Post").unit, read_visit("lesional")
    ('baseline', 'after', None)
    """
    lower = text.casefold()
    for unit in ("week", "day", "month"):
        found = _with_unit(lower, _UNITS[unit])
        if found:
            start, end, number = found
            return Visit(unit, number, text[start:end])
    baseline = re.search(_BASELINE, lower)
    if baseline:
        return Visit("baseline", 0.0, text[baseline.start() : baseline.end()])
    after = re.search(_AFTER, lower)
    if after:
        return Visit("after", float("nan"), text[after.start() : after.end()])
    found = _with_unit(lower, _UNITS["visit"])
    if found:
        return Visit("visit", found[2], text[found[0] : found[1]])
    if re.fullmatch(_NUMBER, lower.strip()):
        return Visit("number", float(lower), text)
    return None


def _with_unit(text: str, unit: str) -> tuple[int, int, float] | None:
    before = re.search(rf"(?<![a-z])(?:{unit})[\s_.:#-]*{_NUMBER}(?![\d.]*\d)", text)
    after = re.search(rf"(?<![\d.a-z]){_NUMBER}[\s_-]*(?:{unit})(?![a-z])", text)
    found = before or after
    return (found.start(), found.end(), float(found[1])) if found else None


def weeks_of(
    values: Iterable[str], key: str, untreated: bool
) -> dict[str, tuple[float | None, str]]:
    """Say which week each raw value of a field means.

    Parameters
    ----------
    values
        The filled raw values.
    key
        Name of the field; a number without a unit has the unit of the name.
    untreated
        Nobody was treated, so that the order of numbered visits serves as their time.

    Returns
    -------
    dict
        Raw value → week and a remark; ``None`` for what cannot be known from the text.

    Examples
    --------
    >>> weeks_of(["Baseline", "Day 15", "Post"], "time", False)["Day 15"]
    (2.0, 'day 15, counted from day 1')
    """
    visits = {value: read_visit(value) for value in values}
    unit = unit_of_key(key)
    visits = {
        value: Visit(unit, v.number, v.words) if v and v.unit == "number" and unit else v
        for value, v in visits.items()
    }
    days = {v.number for v in visits.values() if v and v.unit == "day"}
    # Trials count the first day as day 1: day 15 is two weeks later.
    first = 1 if days and 0 not in days and all(d % 7 == 1 for d in days) else 0
    numbers = sorted({v.number for v in visits.values() if v and v.unit in ("visit", "number")})
    others = any(v and v.unit == "baseline" for v in visits.values())
    # Beside real times, an order would be a wrong time.
    timed = any(v and v.unit in ("week", "day", "month") for v in visits.values())
    ordered = untreated and not timed
    return {
        value: _week(visit, first, numbers, others or timed, ordered)
        for value, visit in visits.items()
    }


def _week(
    visit: Visit | None, first: int, numbers: list[float], others: bool, ordered: bool
) -> tuple[float | None, str]:
    if visit is None:
        return None, "weeks since baseline; no visit can be read out of this text"
    if visit.unit == "baseline" or visit.number == 0:
        return 0.0, ""
    if visit.unit == "week":
        return visit.number, ""
    if visit.unit == "day":
        remark = f"day {visit.number:g}" + (", counted from day 1" if first else "")
        return round((visit.number - first) / 7, 2), remark
    if visit.unit == "month":
        return float(round(visit.number * _WEEKS_A_MONTH)), f"month {visit.number:g}"
    if visit.unit == "after":
        return None, "weeks since baseline; the text says 'after' only"
    if visit.number == numbers[0] and not others:
        return 0.0, "the first visit taken as baseline"
    if ordered:
        place = float(numbers.index(visit.number) + others)
        return place, "the order of the visits; write weeks if they are known"
    return None, "weeks since baseline; the visits are numbered, their times are not said"
