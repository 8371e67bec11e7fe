"""Matches the columns of a value table to the samples of the metadata."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pandas as pd

from adnorm.base.errors import AdnormError, Problems, listing, nearest
from adnorm.expression.delimited import is_missing, is_number


def match_samples(
    table_columns: Iterable[str],
    sheet_samples: Iterable[str],
    alternatives: pd.DataFrame | None = None,
    excluded: Iterable[str] = (),
    where: str = "table of values",
) -> dict[str, str]:
    """Say which sample each column of a table is.

    The names themselves are tried first. If no column carries a sample's name, every raw field of
    the samples (title, description, …) is tried; it must have another value for each sample and
    match all of them. Nothing is matched in part.

    Parameters
    ----------
    table_columns
        Names of the columns.
    sheet_samples
        Names of the samples (GEO accessions, or the key of a local sheet).
    alternatives
        Raw fields, one row per sample (index: the names of the samples).
    excluded
        Columns or samples that may lack their counterpart.
    where
        The table, for messages.

    Returns
    -------
    dict of str to str
        Column → sample, in the order of the columns.

    Raises
    ------
    AdnormError
        Columns without a sample or samples without a column, all listed with the nearest name; or
        two raw fields that match in different ways.
    """
    columns, samples = [str(c) for c in table_columns], [str(s) for s in sheet_samples]
    excluded = {str(name) for name in excluded}
    _check_unique(columns, samples, where)
    # Field "" is the sample's own name; a dictionary leads from what a field says to the sample.
    fields = {"": dict(zip(samples, samples, strict=True))}
    if not set(columns) & set(samples):
        fields |= _fields(alternatives, samples, excluded)
    complete = {}
    for name, lookup in fields.items():
        if not any(_unmatched(columns, lookup, excluded)) and set(columns) & set(lookup):
            complete[name] = {c: lookup[c] for c in columns if c in lookup}
    matches = list(complete.values())
    if matches and all(match == matches[0] for match in matches):
        return matches[0]
    if matches:
        raise AdnormError(
            f"{where}: the columns match the sample fields {listing(complete)} in different ways; "
            "rename the columns to the sample names"
        )
    raise AdnormError(_explanation(columns, fields, excluded, where))


def no_header(columns: list[str]) -> str:
    """Say that names of columns look like a row of values; ``""`` when they do not.

    Numbers may be names (samples 1 to 30), so this explains a failure and is no reason for one.
    """
    if not columns or not all(is_number(name) or is_missing(name) for name in columns):
        return ""
    return (
        f"the first row holds numbers ({listing(columns, 4)}); if the table has no header, put the "
        "sample names above the columns"
    )


def _check_unique(columns: list[str], samples: list[str], where: str) -> None:
    problems = Problems(where)
    for what, names in (("columns", columns), ("samples of the sheet", samples)):
        twice = sorted(name for name, count in Counter(names).items() if count > 1)
        if twice:
            problems.add(f"these {what} stand twice: {listing(twice)}")
    problems.stop()


def _fields(
    alternatives: pd.DataFrame | None, samples: list[str], excluded: set[str]
) -> dict[str, dict[str, str]]:
    """List the raw fields that name every sample differently, as value → sample."""
    if alternatives is None:
        return {}
    names = alternatives.index.astype(str)
    rows = alternatives.set_axis(names)[names.isin(samples)]
    needed = set(samples) - excluded
    lookups = {}
    for field in rows.columns:
        values = rows[field].fillna("").astype(str).str.strip()
        filled = values[values != ""]
        if filled.is_unique and needed <= set(filled.index):
            lookups[str(field)] = dict(zip(filled, filled.index, strict=True))
    return lookups


def _unmatched(
    columns: list[str], lookup: dict[str, str], excluded: set[str]
) -> tuple[list[str], list[str]]:
    """List columns without a sample, and samples (as the field calls them) without a column."""
    present = set(columns)
    strange = [c for c in columns if c not in lookup and c not in excluded]
    absent = [
        label
        for label, sample in lookup.items()
        if label not in present and sample not in excluded and label not in excluded
    ]
    return strange, absent


def _explanation(
    columns: list[str], fields: dict[str, dict[str, str]], excluded: set[str], where: str
) -> str:
    """Say what does not match, by the field that matches best."""
    best = max(fields, key=lambda name: len(set(columns) & set(fields[name])))
    strange, absent = _unmatched(columns, fields[best], excluded)
    by = f" (compared with the sample field '{best}')" if best else ""
    parts = []
    if strange:
        close = [f"'{c}'{nearest(c, absent)}" for c in strange[:5] if nearest(c, absent)]
        parts.append(
            f"{len(strange)} of {len(columns)} columns belong to no sample{by}: "
            f"{listing(strange)}" + (f" ({'. '.join(close)})" if close else "")
        )
    if absent:
        parts.append(f"{len(absent)} samples have no column{by}: {listing(absent)}")
    tried = [name for name in fields if name and name != best]
    also = f". Sample fields that were tried too: {listing(tried, 20)}" if tried else ""
    header = no_header(columns) if not set(columns) & set(fields[best]) else ""
    return (
        f"{where}: {'; '.join(parts)}. Every column must be one sample: rename columns, mend the "
        f"sheet, or leave samples out with `exclude:`{also}" + (header and f". Note: {header}")
    )
