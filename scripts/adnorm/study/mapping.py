"""The mapping language: how raw metadata become canonical columns. Nothing is guessed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from adnorm.base.errors import Problems, listing, nearest
from adnorm.study.advice import describe_keys, fitting_key, flow, line_with, missing_values

#: Canonical columns that every sample has a value in.
REQUIRED = ("patient", "state", "treatment", "week")
#: Says in a mapping: take this from the patient's other samples (an arm is a patient's property).
OF_PATIENT = "of_patient"


def normalised_key(key: str) -> str:
    """Spell a metadata key without case, spaces and punctuation.

    Examples
    --------
    >>> normalised_key("Patient's condition:ch1") == normalised_key("patient_s_condition_ch1")
    True
    """
    return re.sub(r"\W+", "_", key.casefold()).strip("_")


def find_columns(raw: pd.DataFrame, keys: list[str]) -> list[str]:
    """Return the raw columns that match some keys, in the order of the keys."""
    wanted = list(dict.fromkeys(normalised_key(k) for k in keys))
    return [c for key in wanted for c in raw.columns if normalised_key(c) == key]


def counted(values: pd.Series) -> str:
    """List the raw values of a key with how many samples have each."""
    counts = sorted(Counter(values).items(), key=lambda item: (-item[1], item[0]))
    shown = [f"'{v}' ({n})" if v else f"empty ({n})" for v, n in counts[:40]]
    more = f" and {len(counts) - 40} more" if len(counts) > 40 else ""
    return ", ".join(shown) + more


_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?")


def find_value(value: str, known: Iterable[object]) -> object | None:
    """Find a raw value among the values that a cohort file names.

    Case does not matter. A value that stands there as it is wins over one that is only the same
    number ('01' over 1).

    Examples
    --------
    >>> find_value("01", [1, "01"]), find_value("2", ["02"]), find_value("1_2", [12])
    ('01', '02', None)
    """
    known = list(known)
    for name in known:
        if str(name).strip().casefold() == value.casefold():
            return name
    for name in known:
        if _NUMBER.fullmatch(value) and _NUMBER.fullmatch(str(name).strip()):
            if float(value) == float(str(name)):
                return name
    return None


def raw_values(raw: pd.DataFrame, keys: list[str] | str) -> tuple[pd.Series, str] | None:
    """Take a raw field: for each sample the first of the named keys that is filled.

    Returns
    -------
    (Series of str, str) or None
        The stripped values and the name of the key(s) used; ``None`` when no key exists.
    """
    keys = [keys] if isinstance(keys, str) else [str(k) for k in keys]
    columns = find_columns(raw, keys)
    if not columns:
        return None
    text = raw[columns].fillna("").astype(str).apply(lambda column: column.str.strip())
    values = text[columns[0]]
    for column in columns[1:]:
        values = values.where(values != "", text[column])
    return values, " / ".join(columns)


def joined_values(raw: pd.DataFrame, keys: list[str]) -> tuple[pd.Series, str] | None:
    """Join several raw fields with a space; empty for a sample that lacks one of them.

    Returns
    -------
    (Series of str, str) or None
        The joined values and the names of the keys used; ``None`` when a key does not exist.
    """
    found = [raw_values(raw, key) for key in keys]
    if any(part is None for part in found):
        return None
    parts = pd.concat([values for values, _ in found], axis=1)
    joined = parts.agg(" ".join, axis=1).where((parts != "").all(axis=1), "")
    return joined, " + ".join(key for _, key in found)


@dataclass(frozen=True)
class Rule:
    """How one canonical column is made, as written in the cohort file.

    Attributes
    ----------
    column
        The canonical column.
    spec
        Keys ``from``, ``from_all``, ``values``, ``pattern``, ``constant``, ``scale``, ``missing``.
    where
        Path of the cohort file, for messages.
    """

    column: str
    spec: dict
    where: str

    @property
    def keys(self) -> list[str]:
        """The raw keys to look at: alternatives, best first, or all that are joined."""
        keys = self.spec.get("from_all") or self.spec["from"]
        return [keys] if isinstance(keys, str) else [str(k) for k in keys]

    def read(self, raw: pd.DataFrame) -> tuple[pd.Series, str] | None:
        """Take the raw values that the rule maps; ``None`` when a key is missing."""
        take = joined_values if "from_all" in self.spec else raw_values
        return take(raw, self.keys)

    def apply(self, raw: pd.DataFrame, problems: Problems) -> pd.Series:
        """Make the column.

        Returns
        -------
        Series of object
            Canonical values as text or numbers, ``None`` where the file says "not available".
            What cannot be mapped is noted in `problems` and becomes ``None``.
        """
        if "constant" in self.spec:
            return pd.Series([self.spec["constant"]] * len(raw), index=raw.index, dtype=object)
        found = self.read(raw)
        if found is None:
            problems.add(self._absent_message(raw, problems))
            return pd.Series([None] * len(raw), index=raw.index, dtype=object)
        values, key = found
        mapped = [self._one(value) for value in values]
        uncovered = pd.Series([m is _UNCOVERED for m in mapped], index=raw.index)
        if uncovered.any():
            problems.add(self._uncovered_message(key, values, values[uncovered]))
        return pd.Series(
            [None if m is _UNCOVERED else m for m in mapped], index=raw.index, dtype=object
        )

    def _one(self, value: str) -> object:
        if value == "":
            return self.spec.get("missing", _UNCOVERED)
        values = self.spec.get("values", {})
        if "pattern" in self.spec:
            found = self.extract(value)
            if found is None:
                name = find_value(value, values)
                return _UNCOVERED if name is None else values[name]
            if found == "":
                return self.spec.get("missing", _UNCOVERED)
            # `values` may rename some of what the pattern found and leave the rest.
            name = find_value(found, values)
            return self._number(found) if name is None else values[name]
        if not values:
            return self._number(value)
        name = find_value(value, values)
        return _UNCOVERED if name is None else values[name]

    def extract(self, value: str) -> str | None:
        """Return what the pattern finds in a raw value: ``None`` if it does not match.

        A group that takes part in the match but is empty gives an empty text: the field is there
        and says nothing.
        """
        match = re.search(self.spec["pattern"], value, flags=re.IGNORECASE)
        if match is None:
            return None
        groups = [g for g in match.groupdict().values() if g is not None]
        return groups[0].strip() if groups else ""

    def _number(self, text: str) -> object:
        """Bring a number that was read to the canonical unit; canonical values have it already."""
        if "scale" not in self.spec:
            return text
        try:
            return float(text) * float(self.spec["scale"])
        except ValueError:
            return text

    def _fit(self, value: str) -> float:
        """How well a raw value fits; what `values:` names fits better than what a pattern finds."""
        if self._one(value) is _UNCOVERED:
            return 0.0
        values = self.spec.get("values", {})
        found = self.extract(value) if "pattern" in self.spec else None
        return 1.0 if find_value(found or value, values) is not None else 0.5

    def _absent_message(self, raw: pd.DataFrame, problems: Problems) -> str:
        """Say which key is not there, what is there, and the line that would do."""
        word = "from_all" if "from_all" in self.spec else "from"
        absent = [key for key in self.keys if not find_columns(raw, [key])]
        held = describe_keys(raw)
        told = any(held in sentence for sentence in problems.sentences)
        key = ""
        if {"values", "pattern"} & set(self.spec):
            key = fitting_key(raw, self._fit, absent)
        elif self.column == "patient":
            key = fitting_key(raw, None, absent)
        near = "" if key else next(filter(None, (nearest(k, raw.columns) for k in absent)), "")
        new = key or "KEY"
        source = [new if k in absent else k for k in self.keys] if word == "from_all" else new
        line = line_with(self.column, self.spec, {word: source})
        advice = f"Name the key that holds it in {self.where}, below samples: `{line}`"
        if key:
            advice += (
                f", if '{key}' is the one; it holds {counted(raw[key].fillna('').astype(str))}"
            )
        elif self.column not in REQUIRED:
            advice += ", or remove the line if the series has no such key"
        return (
            f"samples: {self.column}: {word}: {listing(absent)} is not a key of this series"
            f"{near or '.'} "
            + ("Its keys are listed above. " if told else f"It has: {held}. ")
            + advice
        )

    def _uncovered_message(self, key: str, values: pd.Series, uncovered: pd.Series) -> str:
        kinds = sorted(set(uncovered))
        what = listing([k or "(empty)" for k in kinds])
        filled = [k for k in kinds if k]
        advice = [f"add to samples: {self.column}: values: {missing_values(self.column, filled)}"]
        advice = advice if filled else []
        if "" in kinds:
            advice.append(f"say what an empty field means with samples: {self.column}: missing: …")
        return (
            f"samples: {self.column}: no mapping covers {what} of the key '{key}' "
            f"({len(uncovered)} samples, first {uncovered.index[0]}). All raw values of "
            f"'{key}': {counted(values)}. In {self.where}, {' and '.join(advice)}; or leave the "
            f"samples out with `exclude:`"
        )


class _Uncovered:
    """Marks a raw value that the cohort file says nothing about."""


_UNCOVERED = _Uncovered()


def excluded_samples(raw: pd.DataFrame, rules: list[dict], problems: Problems) -> pd.Series:
    """Apply the `exclude:` rules of a cohort file.

    Returns
    -------
    Series of str
        The reason for each excluded sample, indexed by sample.
    """
    reasons: dict[str, str] = {}
    for number, rule in enumerate(rules, 1):
        hit = _exclude_hits(raw, rule, f"exclude: rule {number}", problems)
        for sample in raw.index[hit] if hit is not None else []:
            reasons.setdefault(sample, rule["reason"])
    return pd.Series(reasons, dtype=object)


def _exclude_hits(
    raw: pd.DataFrame, rule: dict, where: str, problems: Problems
) -> pd.Series | None:
    if "samples" in rule:
        wanted = [str(s) for s in rule["samples"]]
        unknown = [s for s in wanted if s not in raw.index]
        if unknown:
            problems.add(
                f"{where}: no sample is called {listing(unknown)}{nearest(unknown[0], raw.index)}"
            )
        return pd.Series(raw.index.isin(wanted), index=raw.index)
    found = raw_values(raw, rule["from"])
    if found is None:
        key = fitting_key(raw, lambda value: float(_excludes(rule, value)))
        problems.add(
            f"{where}: from: '{rule['from']}' is not a key of this series. It has: "
            f"{describe_keys(raw)}. Name the key to look at: `{flow({'from': key or 'KEY'})}`, "
            f"or remove the rule"
        )
        return None
    values, key = found
    hit = values.map(lambda value: _excludes(rule, value))
    if not hit.any():
        problems.add(f"{where} matches no sample. All raw values of '{key}': {counted(values)}")
    return hit


def _excludes(rule: dict, value: str) -> bool:
    if "pattern" in rule:
        return re.search(rule["pattern"], value, flags=re.IGNORECASE) is not None
    return find_value(value, rule["values"]) is not None
