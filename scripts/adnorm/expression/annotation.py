"""Reads what turns probes into symbols: the annotations of array platforms."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from adnorm.base.errors import AdnormError, AskedForError, listing, nearest
from adnorm.expression.annotation_rows import NO_SYMBOL, column_key, find_column, read_rows
from adnorm.expression.identifier_table import IdentifierTable, read_identifier_table
from adnorm.expression.wording import counted

__all__ = ["IdentifierTable", "read_annotation", "read_identifier_table", "split_symbols"]

#: Columns that hold gene symbols, best first; compared without case, spaces and punctuation.
SYMBOL_COLUMNS = (
    "Gene symbol",
    "GENE_SYMBOL",
    "Symbol",
    "ILMN_Gene",
    "Gene Symbols",
    "HGNC symbol",
    "Gene name",
    "gene",
    "gene_assignment",
)
_PROBE_COLUMNS = ("ID", "Probe Set ID", "ID_REF", "probe", "probe_id", "probeset_id")


def split_symbols(text: str) -> list[str]:
    """Split the symbol cell of a probe into symbols.

    Examples
    --------
    >>> split_symbols("HSPA6///LOC652878"), split_symbols("A /// B /// A"), split_symbols("---")
    (['HSPA6', 'LOC652878'], ['A', 'B'], [])
    """
    if not isinstance(text, str):
        return []
    parts = (part.strip() for part in re.split(r"///|[;|]", text))
    return list(dict.fromkeys(part for part in parts if part not in NO_SYMBOL))


def read_annotation(path: Path | str, symbol_column: str | None = None) -> pd.Series:
    """Read the annotation of a platform.

    Parameters
    ----------
    path
        GEO's ``GPL….annot.gz``, a platform table as downloaded from GEO (``#`` header lines), or a
        csv or tsv of the manufacturer.
    symbol_column
        Column that holds gene symbols; ``None`` looks for the usual names.

    Returns
    -------
    Series of str
        Probe → symbol cell as written (see `split_symbols`), ``""`` where there is none.

    Raises
    ------
    AdnormError
        Not a table, no column of symbols or none filled, a probe with two different symbols, or a
        table that is cut off.
    """
    path = Path(path)
    names, rows = read_rows(path)
    position = _symbol_position(path, names, symbol_column)
    probe = find_column(names, _PROBE_COLUMNS)
    probe = 0 if probe is None else probe
    symbols: dict[str, str] = {}
    conflicts = []
    for row in rows:
        name = row[probe].strip()
        symbol = row[position].strip() if position < len(row) else ""
        if not name:
            continue
        if symbols.setdefault(name, symbol) != symbol:
            conflicts.append(name)
    if conflicts:
        raise AdnormError(
            f"{path}: {counted(len(conflicts), 'probe stands', 'probes stand')} twice with "
            f"different symbols: {listing(conflicts)}; keep one row for each probe"
        )
    series = pd.Series(symbols, dtype=object, name=names[position]).rename_axis("probe")
    if column_key(names[position]) == "geneassignment":
        series = series.map(_assigned_symbols)
    if not series.map(split_symbols).map(bool).any():
        raise AdnormError(
            f"{path}: annotation without symbols: the column '{names[position]}' names no gene "
            f"for any of {counted(len(series), 'probe')}; columns: {listing(names, 40)}. "
            "Name another one in the cohort file (source: symbol_column:)"
        )
    return series


def _assigned_symbols(text: str) -> str:
    """Take the symbols out of Affymetrix' ``accession // symbol // title // … /// …``."""
    genes = [entry.split("//") for entry in text.split("///")]
    return " /// ".join(dict.fromkeys(g[1].strip() for g in genes if len(g) > 1))


def _symbol_position(path: Path, names: list[str], wanted: str | None) -> int:
    if wanted is not None:
        if wanted in names:
            return names.index(wanted)
        raise AskedForError(
            f"{path}: source: symbol_column: there is no column '{wanted}'"
            f"{nearest(wanted, names)}; columns: {listing(names, 40)}"
        )
    found = find_column(names, SYMBOL_COLUMNS)
    if found is None:
        raise AdnormError(
            f"{path}: annotation without symbols: no column has a usual name "
            f"({listing(SYMBOL_COLUMNS)}); columns: {listing(names, 40)}. Name the one that holds "
            "gene symbols in the cohort file (source: symbol_column:)"
        )
    return found
