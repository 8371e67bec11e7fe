"""The mapping language: how raw metadata become canonical columns. Nothing is guessed."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pandas as pd

from adnorm.base.errors import Problems, listing, nearest
from adnorm.base.logs import get_logger
from adnorm.study.cohort import NUMBERS, ColumnMapping, SampleMappings
from adnorm.study.decimals import cut_numbers, is_number, plain_minus, says_missing, with_points
from adnorm.study.patterns import SlowPatternError, compiled
from adnorm.study.people import NOBODY, own_person, without_nobody
from adnorm.study.raw_fields import (
    ambiguity,
    counted,
    describe_keys,
    find_columns,
    find_value,
    fitting_key,
    flow,
    joined_values,
    line_with,
    missing_values,
    normalised_key,
    number_advice,
    raw_values,
)

#: Canonical columns that every sample has a value in.
REQUIRED = tuple(name for name, field in SampleMappings.model_fields.items() if field.is_required())


@dataclass(frozen=True)
class Rule:
    """How one canonical column is made, as written in the cohort file.

    Attributes
    ----------
    column
        The canonical column.
    spec
        Its mapping.
    where
        Path of the cohort file, for messages.
    """

    column: str
    spec: ColumnMapping
    where: str

    def read(self, raw: pd.DataFrame) -> tuple[pd.Series, str] | None:
        """Take the raw values that the rule maps; ``None`` when a key is missing."""
        take = joined_values if self.spec.from_all else raw_values
        if self.column == "patient" and len(self.spec.keys) > 1:
            raw = without_nobody(raw, find_columns(raw, self.spec.keys), self._is_nobody)
        return take(raw, self.spec.keys)

    @property
    def _word(self) -> str:
        """How the file names the raw keys."""
        return "from_all" if self.spec.from_all else "from"

    def _is_nobody(self, cell: str) -> bool:
        """Whether a raw value is no id of a person: ``NA``, or what `values:` maps to null."""
        name = find_value(cell, values := self.spec.translation)
        return cell.casefold() in NOBODY if name is None else values[name] is None

    def apply(self, raw: pd.DataFrame, problems: Problems) -> pd.Series:
        """Make the column.

        Returns
        -------
        Series of object
            Canonical values as text or numbers, ``None`` where the file says "not available".
            What cannot be mapped is noted in `problems` and becomes ``None``.
        """
        if self.spec.constant is not None:
            return pd.Series([self.spec.constant] * len(raw), index=raw.index, dtype=object)
        unclear = ambiguity(raw, self.spec.keys, self._word)
        if unclear:
            problems.add(f"samples: {self.column}: {unclear}, in {self.where}")
            return pd.Series([None] * len(raw), index=raw.index, dtype=object)
        found = self.read(raw)
        if found is None:
            problems.add(self._absent_message(raw, problems))
            return pd.Series([None] * len(raw), index=raw.index, dtype=object)
        values, key = found
        try:
            one = {value: self._one(value, key) for value in sorted(set(values))}
        except SlowPatternError as error:
            problems.add(f"samples: {self.column}: pattern (key '{key}'): {error}")
            return pd.Series([None] * len(raw), index=raw.index, dtype=object)
        mapped = values.map(lambda value: one[value]).astype(object)
        missing = values[mapped.isna() & values.map(self._says_missing)]
        if len(missing):
            get_logger().info(
                "samples: %s: %d of %d samples say %s, taken as not available",
                self.column, len(missing), len(values), listing(sorted(set(missing))),
            )  # fmt: skip
        uncovered = mapped.map(lambda m: m is _UNCOVERED)
        if uncovered.any():
            problems.add(self._uncovered_message(raw, key, values, values[uncovered]))
        read = mapped.map(lambda m: isinstance(m, _Read))
        if self.column in NUMBERS and read.any():
            pattern = self.spec.pattern
            cut = pattern and cut_numbers(values[read], key, pattern, self._span)
            if cut:
                problems.add(f"samples: {self.column}: {cut}")
        texts = mapped[read].map(lambda m: m.text)
        mapped[uncovered] = None
        # One decimal mark serves the whole column, so the texts are read together.
        mapped[texts.index] = self._numbers(texts) if self.column in NUMBERS else texts
        mapped[mapped.isna()] = None
        return mapped

    def _one(self, value: str, key: str = "") -> object:
        """Map one raw value: to a canonical value, to `_Read` (a text as it stands) or neither."""
        values = self.spec.translation
        found = self.extract(value) if self.spec.pattern is not None and value else value
        if found == "":
            return self.spec.missing if self.spec.says_missing else _UNCOVERED
        # `values` may rename some of what the pattern found and leave the rest.
        name = find_value(value if found is None else found, values)
        if name is not None:
            return values[name]
        if self.column in NUMBERS and says_missing(value if found is None else found):
            return None
        if found is None:
            return _UNCOVERED
        if self.spec.pattern is not None or not values or self._passes(found, key):
            return _Read(found)
        return _UNCOVERED

    def _says_missing(self, value: str) -> bool:
        """Whether a value is a usual word for none, that `values:` does not name."""
        named = find_value(value, self.spec.translation) is not None
        return self.column in NUMBERS and says_missing(value) and not named

    def _passes(self, text: str, key: str) -> bool:
        """Whether a number that `values:` does not name is meant as it stands.

        It is not where `values:` translates numbers, because then they are codes; nor in a field
        of visits, whose numbers are seldom weeks.
        """
        if self.column not in NUMBERS or not is_number(text):
            return False
        if self.column == "week" and not re.search(
            r"(?<![a-z])(?:weeks?|wks?)(?![a-z])", key, re.I
        ):
            return False
        translated = ((k, v) for k, v in self.spec.translation.items() if v is not None)
        return not any(is_number(str(k)) and str(k) != str(v) for k, v in translated)

    def extract(self, value: str) -> str | None:
        """Return what the pattern finds in a raw value: ``None`` if it does not match.

        A group that takes part in the match but is empty gives an empty text: the field is there
        and says nothing.
        """
        span = self._span(value)
        return None if span is None else value[slice(*span)].strip()

    def _span(self, value: str) -> tuple[int, int] | None:
        """Say where in a raw value the pattern finds something."""
        match = compiled(self.spec.pattern or "").search(value)
        if match is None:
            return None
        return next((match.span(n) for n, g in match.groupdict().items() if g is not None), (0, 0))

    def _numbers(self, texts: pd.Series) -> pd.Series:
        """Read numbers and bring them to the canonical unit; canonical values have it already.

        What is no number stays as it is, and is refused later.
        """
        texts = with_points(texts.map(plain_minus))
        if self.spec.scale is None:
            return texts
        numbers = pd.to_numeric(texts, errors="coerce")
        return texts.where(numbers.isna(), numbers * self.spec.scale)

    def _fit(self, value: str) -> float:
        """How well a raw value fits; what `values:` names fits better than what a pattern finds."""
        try:
            if value == "" or self._one(value) is _UNCOVERED:
                return 0.0
        except SlowPatternError:
            return 0.0
        values = self.spec.translation
        found = self.extract(value) if self.spec.pattern is not None else None
        return 1.0 if find_value(found or value, values) is not None else 0.5

    def _absent_message(self, raw: pd.DataFrame, problems: Problems) -> str:
        """Say which key is not there, what is there, and the line that would do."""
        absent = [key for key in self.spec.keys if not find_columns(raw, [key])]
        held = describe_keys(raw)
        listed = any(held in sentence for sentence in problems.sentences)
        key = ""
        if self.spec.values is not None or self.spec.pattern is not None:
            key = fitting_key(raw, self._fit, absent)
        elif self.column == "patient":
            key = fitting_key(raw, None, absent)
        near = "" if key else next(filter(None, (nearest(k, raw.columns) for k in absent)), "")
        new = key or "KEY"
        joined = [new if key in absent else key for key in self.spec.keys]
        line = line_with(
            self.column, self.spec, {self._word: joined if self.spec.from_all else new}
        )
        advice = f"Name the key that holds it in {self.where}, below samples: `{line}`"
        if key:
            advice += (
                f", if '{key}' is the one; it holds {counted(raw[key].fillna('').astype(str))}"
            )
        elif self.column not in REQUIRED:
            advice += ", or remove the line if the series has no such key"
        return (
            f"samples: {self.column}: {self._word}: {listing(absent)} is not a key of this series"
            f"{near or '.'} "
            + ("Its keys are listed above. " if listed else f"It has: {held}. ")
            + advice
        )

    def _uncovered_message(
        self, raw: pd.DataFrame, key: str, values: pd.Series, uncovered: pd.Series
    ) -> str:
        kinds = sorted(set(uncovered))
        what = listing([k or "(empty)" for k in kinds])
        filled = [k for k in kinds if k]
        advice = []
        if filled and self.column in NUMBERS:
            advice.append(number_advice(self.column, filled, self.spec))
        elif filled:
            advice.append(
                f"add to samples: {self.column}: values: {missing_values(self.column, filled)}"
            )
        if "" in kinds and self.column == "patient":
            # One word for all of them would make one person of many.
            if line := own_person(raw, self.spec):
                advice.append(f"make each sample without an id a person of its own: `{line}`")
        elif "" in kinds:
            advice.append(f"say what an empty field means with samples: {self.column}: missing: …")
        advice = advice or ["give these samples an id in the sheet"]
        names = [k for k in self.spec.translation if find_value(str(k), set(values)) is None]
        unused = f"; no sample has {listing(names, 4)} of `values:`" if names else ""
        if self.spec.pattern is not None and filled:
            unused += f"; `pattern: {self.spec.pattern}` finds nothing that is covered in them"
        message = (
            f"samples: {self.column}: no mapping covers {what} of the key '{key}' "
            f"({len(uncovered)} samples, first {uncovered.index[0]}){unused}. All raw values of "
            f"'{key}': {counted(values)}. In {self.where}, {' and '.join(advice)}; or leave the "
            f"samples out with `exclude:`"
        )
        return message + self._others_filled(raw, uncovered[uncovered == ""].index)

    def _others_filled(self, raw: pd.DataFrame, empty: pd.Index) -> str:
        """Name fields of nearly the same name that say something where the named one is empty."""
        used = find_columns(raw, self.spec.keys)
        loose = {normalised_key(key) for key in self.spec.keys}
        others = [
            str(c)
            for c in raw.columns
            if c not in used
            and normalised_key(str(c)) in loose
            and raw.loc[empty, c].fillna("").astype(str).str.strip().any()
        ]
        if not len(empty) or not others:
            return ""
        both = flow({"from": [*self.spec.keys, *others]})
        return f". There {listing(others)} is filled; if it means the same, write `{both}`"


@dataclass(frozen=True)
class _Read:
    """A text that is taken as it stands, not yet a canonical value."""

    text: str


class _Uncovered:
    """Marks a raw value that the cohort file says nothing about."""


_UNCOVERED = _Uncovered()
