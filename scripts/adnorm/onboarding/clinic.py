"""Clinical columns that a deposit may carry: scores, itch, sex, age, site, batch, response."""

from __future__ import annotations

import re

import pandas as pd

from adnorm.base.errors import Problems, listing
from adnorm.onboarding.fields import (
    MOST_VALUES,
    Column,
    Line,
    counts_of,
    filled,
    is_number,
    key_rank,
    many,
    says_missing,
    spelt,
)
from adnorm.onboarding.people import read_sex
from adnorm.study import decimals
from adnorm.study.cohort import ColumnMapping
from adnorm.study.mapping import Rule
from adnorm.study.raw_fields import reads_whole
from adnorm.study.samples import RANGES

#: Words of a name that do not change what a score is.
_PLAIN = "total score value points index current overall scale visit at of the 0 72 103 ch1".split()
#: Canonical column → the word that names it, how it may be spelt out, words that may stand beside
#: it. A name with any other word (area, trunk, change, percent, onset …) is another measure.
_NUMBERS = {
    "easi": (r"(?:total)?easi(?:score|total)?|eczema area and severity index", _PLAIN),
    "scorad": (r"(?:total)?scorad(?:score|total|index)?", _PLAIN),
    "itch_nrs": (
        r"(?:pp|wi|peak|worst|itch|pruritus|pruritis)(?:itch|pruritus)?(?:nrs|vas)"
        r"|(?:pp|wi) (?:nrs|vas)|itch|itching|pruritus|pruritis",
        [
            *_PLAIN,
            *"nrs vas numeric numerical rating peak worst intensity severity 10 cm pp wi".split(),
            *"average avg mean weekly daily last past 24 24h h hours".split(),
        ],
    ),
    "age": (
        r"age",
        "years year yrs yr y yo in at of the patient subject donor participant visit "
        "sampling sample biopsy baseline screening enrollment enrolment inclusion consent".split(),
    ),
}
_FIELDS = {
    "sex": [r"sex|gender", r"patient_(?:sex|gender)"],
    "site": [r"(?:biopsy|body|anatomic(?:al)?|skin)_?(?:site|area|location|region)|site|location"],
    "batch": [r"batch|batch_?(?:date|id|no|number)|run_batch|sequencing_batch"],
    "responder": [
        r"respon(?:der|se)s?",
        r"(?:.*_)?responder(?:_status|_group)?",
        r"(?:clinical|treatment|overall|final|easi|scorad|iga)(?:_?\d+)?_response"
        r"(?:_status|_group)?",
    ],
}


def propose_clinic(raw: pd.DataFrame) -> tuple[list[Column], dict[str, list[str]]]:
    """Propose the optional columns; what looks doubtful is left out rather than guessed.

    For each that is left out the fields that mention it are returned besides.
    """
    columns, doubtful = [], {}
    for name in _NUMBERS:
        column, others = _number(raw, name)
        if column is None and others:
            doubtful[name] = others
        columns.append(column)
    columns += [_named(raw, name) for name in _FIELDS]
    return [column for column in columns if column is not None], doubtful


def _emptiness(column: Column, values: pd.Series) -> Column:
    empty = int((values == "").sum())
    if empty:
        column.missing = Line("", None, f"{many(empty)} without a value")
    return column


def _candidates(raw: pd.DataFrame, name: str) -> tuple[list[str], list[str]]:
    """List the fields that are called after a number, the plainest first, and all that mention it.

    Examples
    --------
    >>> sheet = pd.DataFrame(columns=["EASI (%)", "EASI total", "easi_trunk_area", "EASI"])
    >>> _candidates(sheet, "easi")
    (['EASI', 'EASI total'], ['EASI (%)', 'EASI total', 'easi_trunk_area', 'EASI'])
    """
    word, beside = _NUMBERS[name]
    bounded = re.compile(rf"(?<![^\W_])(?:{word})(?![^\W_])")
    called, mentioned = [], []
    for key in raw.columns:
        words = spelt(key).replace("_", " ")
        if not bounded.search(words):
            continue
        mentioned.append(key)
        rest = bounded.sub(" ", words).split()
        if set(rest) <= set(beside):
            # VAS and NRS are two scales; the rating itself goes first.
            called.append(("vas" in words, "nrs" not in words, len(rest), len(key), key))
    return [key for *_, key in sorted(called)], mentioned


def _number(raw: pd.DataFrame, name: str) -> tuple[Column | None, list[str]]:
    """Propose the field of a number, as the run reads it; the other fields that mention it."""
    called, mentioned = _candidates(raw, name)
    for key in called:
        column = _read_by_the_run(raw, name, key)
        if column is not None:
            others = [k for k in mentioned if k != key]
            column.remark += f"; other fields: {listing(others, 6)}" if others else ""
            return column, others
    return None, mentioned


def _read_by_the_run(raw: pd.DataFrame, name: str, key: str) -> Column | None:
    """Propose a mapping of a field and try it; ``None`` when it does not give numbers in range."""
    values = filled(raw, [key])
    kinds = counts_of(values)
    words = [v for v in kinds if says_missing(v) and not decimals.says_missing(v)]
    if name == "itch_nrs" and words:
        # An itch of "none" is 0, or was not asked.
        return None
    others = [v for v in kinds if not says_missing(v)]
    column = Column(name, [key])
    if not all(map(decimals.is_number, others)):
        if not all(reads_whole(name, value) for value in others):
            return None
        column.pattern = decimals.NUMBER_PATTERN
    column.lines = [Line(value, None, many(kinds[value])) for value in words]
    spec = {"from": key, "missing": None, "values": dict.fromkeys(words)}
    spec |= {"pattern": column.pattern} if column.pattern else {}
    rule = Rule(name, ColumnMapping.model_validate(spec), "")
    problems = Problems("")
    numbers = pd.to_numeric(rule.apply(raw, problems), errors="coerce")
    least, most = RANGES[name]
    read = values.isin(others)
    if problems or not read.any() or not numbers[read].between(least, most).all():
        return None
    column.remark = f"{many(int(read.sum()))}, from {numbers.min():g} to {numbers.max():g}"
    missing = [f"'{v}' ({kinds[v]})" for v in kinds if decimals.says_missing(v)]
    column.remark += f"; missing: {', '.join(missing)}" if missing else ""
    return _emptiness(column, values)


def _named(raw: pd.DataFrame, name: str) -> Column | None:
    """Propose sex, site, batch or response: the field of such a name, if its values look so."""
    patterns = _FIELDS[name]
    ranked = [(key_rank(key, patterns), len(key), key) for key in raw.columns]
    rank, _, key = min(ranked, default=(len(patterns), 0, ""))
    if rank == len(patterns):
        return None
    values = filled(raw, [key])
    kinds = counts_of(values)
    if not 0 < len(kinds) <= (MOST_VALUES if name in ("site", "batch") else 6):
        return None
    column = Column(name, [key])
    if name == "sex":
        if not any(read_sex(value) for value in kinds):
            return None
        column.remark = "female or male"
        column.lines = [Line(v, read_sex(v), many(n)) for v, n in kinds.items()]
    elif name == "responder":
        if all(is_number(value) for value in kinds):
            return None
        column.remark = "as the trial judged it"
        column.lines = [Line(v, _responder(v), many(n)) for v, n in kinds.items()]
    else:
        column.remark = ", ".join(f"{value} ({n})" for value, n in list(kinds.items())[:4])
    return _emptiness(column, values)


def _responder(text: str) -> str | None:
    if says_missing(text):
        return None
    word = text.strip().casefold()
    if re.match(r"non|no\b|n$|nr$|false", word):
        return "non-responder"
    if re.match(r"respon|yes|y$|r$|true", word):
        return "responder"
    return text
