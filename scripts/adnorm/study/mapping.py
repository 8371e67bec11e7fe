"""The mapping language: how raw metadata become canonical columns. Nothing is guessed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from adnorm.base.errors import Problems, listing, nearest
from adnorm.study.advice import (
    describe_keys,
    fitting_key,
    flow,
    line_with,
    missing_values,
    number_advice,
)
from adnorm.study.decimals import (
    MINUS,
    NUMBER_PATTERN,
    is_number,
    plain_minus,
    says_missing,
    whole_number,
    with_points,
)

#: Canonical columns that every sample has a value in.
REQUIRED = ("patient", "state", "treatment", "week")
#: Canonical columns of numbers.
NUMBERS = ("dose_mg", "week", "easi", "scorad", "itch_nrs", "age")
#: Says in a mapping: take this from the patient's other samples (an arm is a patient's property).
OF_PATIENT = "of_patient"


def normalised_key(key: str) -> str:
    """Spell a metadata key without case, spaces and punctuation; a percent sign is a word.

    Examples
    --------
    >>> normalised_key("Patient's condition:ch1") == normalised_key("patient_s_condition_ch1")
    True
    >>> normalised_key("EASI (%)"), normalised_key("EASI")
    ('easi_percent', 'easi')
    """
    return re.sub(r"\W+", "_", key.casefold().replace("%", " percent ")).strip("_")


def spelt_alike(key: str) -> str:
    """Spell a key without case and without the marks between its words.

    Examples
    --------
    >>> spelt_alike("Skin_Type") == spelt_alike("skin  type "), spelt_alike("EASI (%)")
    (True, 'easi (%)')
    """
    return re.sub(r"[\s_-]+", " ", key.casefold()).strip()


def matching_columns(raw: pd.DataFrame, key: str) -> list[str]:
    """Return the raw columns that a key may mean: the one of this name, else those spelt alike.

    Returns
    -------
    list of str
        Several only where none has exactly this name and no spelling is nearer than the others.

    Examples
    --------
    >>> sheet = pd.DataFrame(columns=["EASI", "EASI (total)", "easi total"])
    >>> matching_columns(sheet, "EASI"), matching_columns(sheet, "EASI total")
    (['EASI'], ['easi total'])
    >>> matching_columns(sheet, "EASI-(total"), matching_columns(sheet, "SCORAD")
    (['EASI (total)', 'easi total'], [])
    """
    for spelling in (str, spelt_alike, normalised_key):
        found = [c for c in raw.columns if spelling(str(c)) == spelling(key) and spelling(key)]
        if found:
            return found
    return []


def find_columns(raw: pd.DataFrame, keys: list[str]) -> list[str]:
    """Return the raw column of each key that has one, in the order of the keys."""
    found = (matching_columns(raw, key) for key in keys)
    return list(dict.fromkeys(columns[0] for columns in found if columns))


def ambiguity(raw: pd.DataFrame, keys: Iterable[str], word: str = "from") -> str:
    """Say which keys may mean several raw columns, and how to name one; empty if none does."""
    several = {key: found for key in keys if len(found := matching_columns(raw, key)) > 1}
    told = [f"'{key}' may be {listing(found)}" for key, found in several.items()]
    if not told:
        return ""
    first = next(iter(several.values()))
    return (
        f"{word}: {'; '.join(told)}. These are different fields and never fill each other's gaps: "
        f"write the name of one as it stands, such as `{flow({word: first[0]})}`"
    )


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

    Only keys that are named serve as alternatives; see `matching_columns`.

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
        word = "from_all" if "from_all" in self.spec else "from"
        unclear = ambiguity(raw, self.keys, word)
        if unclear:
            problems.add(f"samples: {self.column}: {unclear}, in {self.where}")
            return pd.Series([None] * len(raw), index=raw.index, dtype=object)
        found = self.read(raw)
        if found is None:
            problems.add(self._absent_message(raw, problems))
            return pd.Series([None] * len(raw), index=raw.index, dtype=object)
        values, key = found
        one = {value: self._one(value, key) for value in set(values)}
        mapped = values.map(lambda value: one[value]).astype(object)
        uncovered = mapped.map(lambda m: m is _UNCOVERED)
        if uncovered.any():
            problems.add(self._uncovered_message(raw, key, values, values[uncovered]))
        read = mapped.map(lambda m: isinstance(m, _Read))
        if self.column in NUMBERS and read.any():
            cut = self._cut_numbers(values[read], key)
            if cut:
                problems.add(cut)
        texts = mapped[read].map(lambda m: m.text)
        mapped = mapped.where(~uncovered, None)
        # One decimal mark serves the whole column, so the texts are read together.
        mapped[texts.index] = self._numbers(texts) if self.column in NUMBERS else texts
        return mapped.where(mapped.notna(), None)

    def _one(self, value: str, key: str = "") -> object:
        """Map one raw value: to a canonical value, to `_Read` (a text as it stands) or neither."""
        if value == "":
            return self.spec.get("missing", _UNCOVERED)
        values = self.spec.get("values", {})
        found = self.extract(value) if "pattern" in self.spec else value
        if found == "":
            return self.spec.get("missing", _UNCOVERED)
        # `values` may rename some of what the pattern found and leave the rest.
        name = find_value(value if found is None else found, values)
        if name is not None:
            return values[name]
        if self.column in NUMBERS and says_missing(value if found is None else found):
            return None
        if found is None:
            return _UNCOVERED
        if "pattern" in self.spec or not values or self._passes(found, key):
            return _Read(found)
        return _UNCOVERED

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
        translated = ((k, v) for k, v in self.spec["values"].items() if v is not None)
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
        match = re.search(self.spec["pattern"], value, flags=re.IGNORECASE)
        if match is None:
            return None
        return next((match.span(n) for n, g in match.groupdict().items() if g is not None), (0, 0))

    def _numbers(self, texts: pd.Series) -> pd.Series:
        """Read numbers and bring them to the canonical unit; canonical values have it already.

        What is no number stays as it is, and is refused later.
        """
        texts = with_points(texts.map(plain_minus))
        if "scale" not in self.spec:
            return texts
        factor = float(self.spec["scale"])
        numbers = pd.to_numeric(texts, errors="coerce")
        return texts.where(numbers.isna(), numbers * factor)

    def _cut_numbers(self, values: pd.Series, key: str) -> str:
        """Say of which numbers the pattern leaves a part unread; empty if of none."""
        if "pattern" not in self.spec:
            return ""
        rows = [(cell, *self._number_within(cell)) for cell in dict.fromkeys(values)]
        found = pd.DataFrame(rows, columns=["cell", "whole", "taken", "dash", "before"])
        # wk-1 beside wk16 is a minus; Week-0 and Week-4 have a mark.
        mixed = found.groupby("before")["dash"].transform("nunique") > 1
        minus = found["dash"] & mixed
        found.loc[minus, "whole"] = "-" + found.loc[minus, "whole"]
        cut = found[found["whole"] != found["taken"]]
        if cut.empty:
            return ""
        number = values.isin(set(cut["cell"]))
        taken = [f"{cell} → {part}" for cell, part in zip(cut["cell"], cut["taken"], strict=True)]
        anywhere = found["cell"].map(lambda cell: re.search(NUMBER_PATTERN, cell))
        right = [m is not None and plain_minus(m["value"]) for m in anywhere]
        advice = (
            f"write `pattern: '{NUMBER_PATTERN}'`"
            if right == found["whole"].map(plain_minus).tolist()
            else "let the group take a number whole, with its sign and all decimals"
        )
        return (
            f"samples: {self.column}: pattern: '{self.spec['pattern']}' leaves a part of the "
            f"number unread in {number.sum()} samples (cell of the key '{key}' → what it takes): "
            f"{listing(taken, 6)} (first: sample {values.index[number][0]}); {advice}, or say "
            f"below `values:` what {listing(cut['taken'].unique(), 3)} stands for"
        )

    def _number_within(self, cell: str) -> tuple[str, str, bool, str]:
        """Find a number in a cell: the whole of it, what the pattern takes, and what is before.

        Returns
        -------
        (whole, taken, dash, before)
            Whether a dash stands between a letter and the number, which may be a minus or not, and
            the word before it.
        """
        start, end = self._span(cell)
        part = cell[start:end]
        start += len(part) - len(part.lstrip())
        taken = part.strip()
        if not is_number(taken):
            return taken, taken, False, ""
        first, last = whole_number(cell, start, start + len(taken))
        dash = first == start > 1 and cell[start - 1] in MINUS and cell[start - 2].isalpha()
        before = re.search(r"[^\W\d_]*[\s_.:#]*$", cell[: start - dash])[0]
        return cell[first:last], taken, dash, before.strip().casefold()

    def _fit(self, value: str) -> float:
        """How well a raw value fits; what `values:` names fits better than what a pattern finds."""
        if value == "" or self._one(value) is _UNCOVERED:
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
        if "" in kinds:
            advice.append(f"say what an empty field means with samples: {self.column}: missing: …")
        message = (
            f"samples: {self.column}: no mapping covers {what} of the key '{key}' "
            f"({len(uncovered)} samples, first {uncovered.index[0]}). All raw values of "
            f"'{key}': {counted(values)}. In {self.where}, {' and '.join(advice)}; or leave the "
            f"samples out with `exclude:`"
        )
        return message + self._others_filled(raw, uncovered[uncovered == ""].index)

    def _others_filled(self, raw: pd.DataFrame, empty: pd.Index) -> str:
        """Name fields of nearly the same name that say something where the named one is empty."""
        used = find_columns(raw, self.keys)
        loose = {normalised_key(key) for key in self.keys}
        others = [
            str(c)
            for c in raw.columns
            if c not in used
            and normalised_key(str(c)) in loose
            and raw.loc[empty, c].fillna("").astype(str).str.strip().any()
        ]
        if not len(empty) or not others:
            return ""
        both = flow({"from": [*self.keys, *others]})
        return f". There {listing(others)} is filled; if it means the same, write `{both}`"


@dataclass(frozen=True)
class _Read:
    """A text that is taken as it stands, not yet a canonical value."""

    text: str


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
    keys = [rule["from"]] if isinstance(rule["from"], str) else rule["from"]
    unclear = ambiguity(raw, keys)
    if unclear:
        problems.add(f"{where}: {unclear}")
        return None
    found = raw_values(raw, keys)
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
