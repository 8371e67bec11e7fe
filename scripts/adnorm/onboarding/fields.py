"""One canonical column of a proposal, and how raw fields are looked through for it."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import pandas as pd

from adnorm.study import decimals
from adnorm.study.raw_fields import normalised_key

#: A field with more kinds of values than this is read by a pattern, not value by value.
MOST_VALUES = 40
#: Free texts that may say anything of a sample.
TITLES = ("title", "source_name", "description", "sample")
#: What a mapping may give.
Value = str | float | None


@dataclass
class Line:
    """One line of the proposal: what the value is and why; `fill` when a person must say it."""

    raw: str
    value: Value
    remark: str
    fill: bool = False


@dataclass
class Column:
    """The proposed mapping of one canonical column, called as in the mapping language."""

    name: str
    #: Raw fields, best first; empty when there is none.
    keys: list[str] = field(default_factory=list)
    #: Stands behind the first line.
    remark: str = ""
    #: Entries of `values:`.
    lines: list[Line] = field(default_factory=list)
    pattern: str | None = None
    constant: Value = None
    #: Entry for empty values, or ``None`` when none is empty.
    missing: Line | None = None
    #: The column as a whole cannot be guessed.
    fill: bool = False
    #: The fields are read together (`from_all:`), not one for another.
    joined: bool = False

    def canonical(self, raw: pd.DataFrame) -> pd.Series:
        """Read the column as the proposal has it so far; ``None`` where it says nothing."""
        if not self.keys:
            return pd.Series([self.constant] * len(raw), index=raw.index, dtype=object)
        text = together(raw, self.keys) if self.joined else filled(raw, self.keys)
        known = {line.raw: line.value for line in self.lines}
        if self.pattern:
            text = found_by(self.pattern, text).fillna("")
            known = {key.casefold(): value for key, value in known.items()}
            return text.map(lambda t: known.get(t.casefold()) if known else t or None)
        if known:
            return text.map(lambda t: known.get(t))
        return text.map(lambda t: t or None)


def filled(raw: pd.DataFrame, keys: list[str]) -> pd.Series:
    """Take for each sample the first of some fields that is filled."""
    values = raw[keys[0]].fillna("").astype(str).str.strip()
    for key in keys[1:]:
        values = values.where(values != "", raw[key].fillna("").astype(str).str.strip())
    return values


def together(raw: pd.DataFrame, keys: list[str]) -> pd.Series:
    """Join some fields with a space, as `from_all:` does; empty where one of them is."""
    parts = [raw[key].fillna("").astype(str).str.strip() for key in keys]
    joined = parts[0]
    for part in parts[1:]:
        joined = joined + " " + part
    return joined.where(~pd.concat([part == "" for part in parts], axis=1).any(axis=1), "")


def found_by(pattern: str, texts: pd.Series) -> pd.Series:
    """Take what the group ``value`` of a pattern finds in texts; ``None`` where it finds none."""
    matches = [re.search(pattern, text, re.IGNORECASE) for text in texts]
    return pd.Series([m and m["value"] for m in matches], index=texts.index, dtype=object)


def counts_of(values: pd.Series) -> dict[str, int]:
    """Count the filled values, most frequent first."""
    found = Counter(value for value in values if value)
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def enumerable(kinds: dict[str, int]) -> bool:
    """Whether a field has so few kinds of values that each can have a line of its own.

    Examples
    --------
    >>> enumerable({"LS": 12, "NL": 10}), enumerable({f"title {i}": 1 for i in range(20)})
    (True, False)
    """
    return 0 < len(kinds) <= min(MOST_VALUES, max(8, sum(kinds.values()) // 2))


def many(number: int) -> str:
    """Say how many samples.

    Examples
    --------
    >>> many(1), many(12)
    ('1 sample', '12 samples')
    """
    return "1 sample" if number == 1 else f"{number} samples"


def key_rank(key: str, names: list[str]) -> int:
    """Rank a field by its name among patterns, best 0; their number when none fits.

    Examples
    --------
    >>> key_rank("Patient ID:ch1", ["patient_?id", "subject"]), key_rank("age", ["subject"])
    (0, 1)
    """
    for rank, name in enumerate(names):
        if re.fullmatch(name, spelt(key)):
            return rank
    return len(names)


def spelt(key: str) -> str:
    """Spell the name of a field without case, punctuation and the number of its channel."""
    return re.sub(r"_ch\d$", "", normalised_key(key))


def by_fragments(
    texts: pd.Series, find: Callable[[str], str | None], minimum: float = 0.9
) -> tuple[str, dict[str, int]] | None:
    """Make a pattern out of the words that a reader finds in long texts, such as titles.

    `find` returns the words that matter in a text, or ``None``; a share of the texts of at least
    `minimum` must have such words.

    Returns
    -------
    (pattern, counts) or None
        A pattern with the group ``value``, and how many texts have each of the words.
    """
    found = texts.map(find)
    if not len(found) or found.notna().mean() < minimum:
        return None
    kinds = counts_of(found.dropna())
    if len(kinds) > MOST_VALUES:
        return None
    words = sorted(kinds, key=lambda word: (-len(word), word))
    alternatives = "|".join(re.sub(r"\\ ", " ", re.escape(word)) for word in words)
    pattern = rf"(?<![A-Za-z])(?P<value>{alternatives})(?![A-Za-z0-9])"
    again = found_by(pattern, texts)
    return (pattern, kinds) if again[found.notna()].equals(found.dropna()) else None


def is_number(text: str) -> bool:
    """Whether a text is a number from 0."""
    try:
        return 0 <= float(text) < math.inf
    except ValueError:
        return False


def says_missing(text: str) -> bool:
    """Whether a text says that there is no value; "none" may."""
    return text.strip().casefold() == "none" or decimals.says_missing(text)
