"""Clinical columns that a deposit may carry: scores, itch, sex, age, site, batch, response."""

from __future__ import annotations

import re

import pandas as pd

from adnorm.onboarding.fields import MOST_VALUES, Column, Line, counts_of, filled, key_rank, many
from adnorm.onboarding.visits import is_number
from adnorm.onboarding.words import read_sex, says_missing
from adnorm.study.decimals import with_points

#: Canonical column → names of raw fields, best first. Changes and shares are other measures.
_NUMBERS = {
    "easi": [r"easi", r"easi_(?:total_)?score|(?:total_)?easi.*"],
    "scorad": [r"scorad", r"(?:total_|o_?)?scorad(?:_total|_score|_index)*"],
    "itch_nrs": [r".*(?:itch|pruritus|pp)_?nrs.*", r".*(?:itch|pruritus).*(?:0_10|vas|score)?.*"],
    "age": [r"age", r"age_(?:at.*|years?|y|yr)|patient_age"],
}
_NO_SCORE = re.compile(r"change|delta|percent|improvement|respon|(?:easi|scorad)_?(?:50|75|90)\b")
_NUMBER = r"(?P<value>[0-9]+(?:[.,][0-9]+)?)"
_SEX = [r"sex|gender", r"patient_(?:sex|gender)"]
_TEXTS = {
    "site": [r"(?:biopsy|body|anatomic(?:al)?|skin)_?(?:site|area|location|region)|site|location"],
    "batch": [r"batch|batch_?(?:date|id|no|number)|run_batch|sequencing_batch"],
}
_RESPONSE = [r"respon(?:der|se)s?", r".*respon(?:der|se)(?:_status|_group)?"]


def propose_clinic(raw: pd.DataFrame) -> list[Column]:
    """Propose the optional columns; what looks doubtful is left out rather than guessed."""
    columns = [_number(raw, name, keys) for name, keys in _NUMBERS.items()]
    columns += [_sex(raw), *(_text(raw, name, keys) for name, keys in _TEXTS.items())]
    columns.append(_response(raw))
    return [column for column in columns if column is not None]


def _best(raw: pd.DataFrame, names: list[str]) -> str | None:
    ranked = [(key_rank(key, names), len(key), key) for key in raw.columns]
    ranked = [entry for entry in ranked if entry[0] < len(names)]
    return min(ranked)[2] if ranked else None


def _emptiness(column: Column, values: pd.Series) -> Column:
    empty = int((values == "").sum())
    if empty:
        column.missing = Line("", None, f"{many(empty)} without a value")
    return column


def _number(raw: pd.DataFrame, name: str, names: list[str]) -> Column | None:
    key = _best(raw[[k for k in raw if not _NO_SCORE.search(k.casefold())]], names)
    if key is None:
        return None
    values = filled(raw, [key])
    kinds = counts_of(values)
    missing = [value for value in kinds if says_missing(value)]
    # The run reads decimal commas in the same way.
    others = with_points(pd.Series([v for v in kinds if v not in missing], dtype=object)).tolist()
    plain = all(is_number(value) for value in others)
    with_unit = all(re.fullmatch(rf"{_NUMBER}\s*(?:years?|yrs?|y)?", v, re.I) for v in others)
    by_pattern = bool(missing) or not plain
    if not others or (by_pattern and not with_unit):
        return None
    numbers = [float(re.search(_NUMBER, v)["value"] if by_pattern else v) for v in others]
    if name == "itch_nrs" and max(numbers) > 10:
        # A visual analogue scale in millimetres is another scale.
        return None
    told = f"{many(int((values != '').sum()))}, from {min(numbers):g} to {max(numbers):g}"
    column = Column(name, [key], told)
    if by_pattern:
        column.pattern = _NUMBER
        column.lines = [Line(value, None, many(kinds[value])) for value in missing]
    return _emptiness(column, values)


def _sex(raw: pd.DataFrame) -> Column | None:
    key = _best(raw, _SEX)
    if key is None:
        return None
    values = filled(raw, [key])
    kinds = counts_of(values)
    if len(kinds) > 6 or not any(read_sex(value) for value in kinds):
        return None
    lines = [Line(value, read_sex(value), many(number)) for value, number in kinds.items()]
    return _emptiness(Column("sex", [key], "female or male", lines), values)


def _text(raw: pd.DataFrame, name: str, names: list[str]) -> Column | None:
    key = _best(raw, names)
    if key is None:
        return None
    values = filled(raw, [key])
    kinds = counts_of(values)
    if not 0 < len(kinds) <= MOST_VALUES:
        return None
    told = ", ".join(f"{value} ({number})" for value, number in list(kinds.items())[:4])
    return _emptiness(Column(name, [key], told), values)


def _response(raw: pd.DataFrame) -> Column | None:
    key = _best(raw, _RESPONSE)
    if key is None:
        return None
    values = filled(raw, [key])
    kinds = counts_of(values)
    if not kinds or len(kinds) > 6 or all(is_number(value) for value in kinds):
        return None
    lines = [Line(v, None if says_missing(v) else _responder(v), many(n)) for v, n in kinds.items()]
    return _emptiness(Column("responder", [key], "as the trial judged it", lines), values)


def _responder(text: str) -> str:
    word = text.strip().casefold()
    if re.match(r"non|no\b|n$|nr$|false", word):
        return "non-responder"
    if re.match(r"respon|yes|y$|r$|true", word):
        return "responder"
    return text
