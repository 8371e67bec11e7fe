"""The fields of raw metadata: which one a key means, what it holds, and what to write instead.

A wrong key or value leads to the line of a cohort file that would be right.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from difflib import SequenceMatcher

import pandas as pd
import yaml

from adnorm.base.errors import listing, shortened
from adnorm.study.cohort import ColumnMapping
from adnorm.study.decimals import MINUS, NUMBER_PATTERN, is_number, whole_number

#: Longer texts of a field are cut in messages: protocols fill pages.
_LONGEST = 60
#: A mapping with longer `values:` is not repeated.
_LONGEST_LINE = 240
#: Keys of patients are called so.
_PEOPLE = (
    r"(?:patient|subject|donor|participant|individual|proband|person|volunteer)s?"
    r"[\s_.-]*(?:id|no|nr|number|code|name)?\.?"
)
#: Names this similar are probably one name, written in two ways.
_ALIKE = 0.7
#: More values that are no numbers than this are not mapped one by one.
MOST_VALUES = 12
#: Words that may stand beside a number of a column without changing what it says …
_UNITS = {
    "week": {"week", "weeks", "wk", "wks", "w"},
    "dose_mg": {"mg"},
    "age": {"year", "years", "yr", "yrs", "y", "yo", "old", "age", "aged"},
}
#: … and, for scores, those that may not: they name another unit or a bound.
_OTHER_UNITS = set(
    "mm cm percent less more than under over below above change delta "
    "decrease increase reduction improvement from to or and of".split()
)
#: What may stand on the right of `values:`, by canonical column.
_CHOICES = {
    "state": "lesional, nonlesional or healthy",
    "treatment": "a name under `treatments:`, none or of_patient",
    "week": "weeks since baseline, 0 for baseline",
    "sex": "female or male, null when it is not available",
    "dose_mg": "a number of mg, null for none",
}


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

    They are several only where no spelling is nearer than the others.

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
    unclear = [f"'{key}' may be {listing(found)}" for key, found in several.items()]
    if not unclear:
        return ""
    first = next(iter(several.values()))
    return (
        f"{word}: {'; '.join(unclear)}. These are different fields and never fill each other's "
        f"gaps: write the name of one as it stands, such as `{flow({word: first[0]})}`"
    )


def counted(values: pd.Series) -> str:
    """List the raw values of a key with how many samples have each."""
    counts = sorted(Counter(values).items(), key=lambda item: (-item[1], item[0]))
    shown = [f"'{shortened(v)}' ({n})" if v else f"empty ({n})" for v, n in counts[:40]]
    more = f" and {len(counts) - 40} more" if len(counts) > 40 else ""
    return ", ".join(shown) + more


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
    found = [part for part in (raw_values(raw, key) for key in keys) if part is not None]
    if len(found) < len(keys):
        return None
    parts = pd.concat([values for values, _ in found], axis=1)
    joined = parts.agg(" ".join, axis=1).where((parts != "").all(axis=1), "")
    return joined, " + ".join(key for _, key in found)


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


# ---------------------------------------------------------------- what to write instead


def describe_keys(raw: pd.DataFrame) -> str:
    """Say which keys a sheet has and what they hold, for a message.

    Keys that tell samples apart come with examples; those that are the same for all are named.
    """
    telling, same = [], []
    for column in raw.columns:
        values = sorted({str(v).strip() for v in raw[column].dropna()} - {""})
        if len(values) == 1 and len(raw) > 1 and raw[column].astype(str).str.strip().all():
            same.append(column)
        elif values:
            telling.append(f"'{column}' (e.g. {listing(map(_short, values), 3)})")
    examples = "; ".join(telling)
    if not same:
        return examples
    return (
        f"{examples}; the same" if examples else "The same"
    ) + f" for all samples: {listing(same, 40)}"


def fitting_key(
    raw: pd.DataFrame, fit: Callable[[str], float] | None, wanted: Iterable[str] = ()
) -> str:
    """Find the key that a mapping was probably meant for.

    Parameters
    ----------
    raw
        Raw metadata.
    fit
        How well a raw value fits the mapping, 0 to 1; ``None`` for that of patients, which takes
        any value.
    wanted
        Names that the mapping asks for. Of the keys that fit at all, one with such a name comes
        first, and for patients then one that is named after people.

    Returns
    -------
    str
        The key whose values fit best over all samples; for patients the one whose values repeat
        and that tells most samples apart. Empty if nothing fits.
    """
    best, most = "", 0.0
    wanted = list(wanted)
    for column in raw.columns:
        values = raw[column].fillna("").astype(str).str.strip()
        filled = values[values != ""]
        kinds = filled.nunique()
        if fit is not None:
            score = sum(map(fit, filled)) / len(raw)
        else:
            score = kinds / len(raw) if kinds < len(filled) else 0.0
        if score and any(_alike(name, str(column)) for name in wanted):
            score += 2
        elif score and fit is None and re.fullmatch(_PEOPLE, str(column), re.IGNORECASE):
            score += 1
        if score > most:
            best, most = str(column), score
    return best


def _alike(name: str, other: str) -> bool:
    return SequenceMatcher(None, name.casefold(), other.casefold()).ratio() >= _ALIKE


def line_with(column: str, spec: ColumnMapping, source: Mapping[str, object]) -> str:
    """Write the mapping of a column as it stands, but from another source."""
    rest = {k: v for k, v in spec.as_written().items() if k not in ("from", "from_all")}
    line = flow({column: {**source, **rest}})
    return line if len(line) <= _LONGEST_LINE else flow({column: source})[:-1] + ", … as it is}"


def missing_values(column: str, raw_values: Iterable[str]) -> str:
    """Write what has to be added under `values:`, and what may stand on the right."""
    entries = ", ".join(f"{flow(shortened(value))}: …" for value in raw_values)
    choice = _CHOICES.get(column, "the canonical value, null when it is not available")
    return f"`{{{entries}}}` (for each …: {choice})"


def number_advice(column: str, texts: Iterable[str], spec: ColumnMapping | None = None) -> str:
    """Say how numbers are got out of texts, by a way that changes none of them.

    Parameters
    ----------
    column
        The canonical column.
    texts
        What is no number.
    spec
        The mapping as it stands.
    """
    texts = sorted(set(texts))
    if any(is_number(text) and "," in text for text in texts):
        return "write the numbers with a decimal point and no mark for thousands"
    add = f"add to samples: {column}: values: {missing_values(column, texts)}"
    few = len(texts) <= MOST_VALUES
    # A number without a word may be a code that `values:` translates.
    words = all(reads_whole(column, text) and not is_number(text) for text in texts)
    if words and (spec is None or spec.pattern is None):
        pattern = f"take the number out with `pattern: '{NUMBER_PATTERN}'`"
        return f"{add}, or {pattern}" if few else pattern
    if few:
        return add
    return (
        "write the numbers alone into a column of their own, because no pattern reads these "
        f"{len(texts)} texts without changing some"
    )


def reads_whole(column: str, text: str) -> bool:
    """Whether a text is one number, in the unit of the column, beside words that add nothing.

    Examples
    --------
    >>> [reads_whole("easi", text) for text in ("25,3 (severe)", "<2", "5/72")]
    [True, False, False]
    >>> [reads_whole("week", text) for text in ("Week 3", "Month 3", "week-3")]
    [True, False, False]
    """
    found = re.search(NUMBER_PATTERN, text)
    if found is None or whole_number(text, *found.span()) != found.span():
        return False
    before, after = text[: found.start()], text[found.end() :]
    if found[0][0] in "+-" and before[-1:].isalnum():
        # The dash may be a minus or a mark.
        return False
    if re.search(r"[\d<>≤≥%½¼¾±]", before + after) or re.search(rf"[{MINUS}/]\s*$", before):
        return False
    if re.match(rf"\s*[{MINUS}/]", after):
        return False
    words = set(re.findall(r"[^\W\d_]+", (before + " " + after).casefold()))
    return words <= _UNITS[column] if column in _UNITS else not words & _OTHER_UNITS


def flow(value: object) -> str:
    """Write a value on one line of YAML."""
    text = yaml.safe_dump(
        value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**6
    )
    text = text.removesuffix("...\n").strip()
    return text[1:-1] if isinstance(value, dict) else text


def _short(value: str) -> str:
    return value if len(value) <= _LONGEST else value[:_LONGEST] + "…"
