"""The fields of raw metadata: which one a key means, and what it says of each sample."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

import pandas as pd

from adnorm.base.errors import listing
from adnorm.study.advice import flow


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
