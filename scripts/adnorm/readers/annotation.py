"""Tables that say which gene a probe or an id is: annotations of platforms, identifier tables."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from adnorm.base.errors import AdnormError, AskedForError, listing, nearest
from adnorm.base.inflate import GET_AGAIN, open_bytes
from adnorm.base.text import counted
from adnorm.readers.text import decode, one_line, opening, records, split_line

#: What stands where there is no symbol.
NO_SYMBOL = frozenset({"", "---", "--", "-", "NA", "N/A", "null", "None", "nan"})
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
#: Names of the columns that each table may have: what we call it → what the tables call it.
_COLUMNS = {
    "symbol": ("symbol", "Approved symbol", "gene_name", "Gene name", "hgnc_symbol",
               "external_gene_name", "gene_symbol"),
    "hgnc": ("hgnc_id",),
    "status": ("status",),
    "entrez": ("entrez_id", "GeneID", "NCBI Gene ID", "entrezgene_id", "entrezgene"),
    "ensembl": ("ensembl_gene_id", "EnsemblGeneID", "Ensembl gene ID", "gene_id",
                "Gene stable ID", "Gene stable ID version", "ensembl_id"),
    "previous": ("prev_symbol", "Previous symbols", "Previous symbol"),
    "alias": ("alias_symbol", "Alias symbols", "Alias symbol", "Synonyms"),
}  # fmt: skip


def column_key(name: str) -> str:
    """Spell the name of a column without case, spaces and punctuation."""
    return re.sub(r"[^a-z0-9]", "", name.casefold())


def find_column(names: list[str], wanted: Iterable[str]) -> int | None:
    """Find the position of the first of some columns that a table has."""
    keys = [column_key(name) for name in names]
    return next((keys.index(column_key(w)) for w in wanted if column_key(w) in keys), None)


def read_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    """Read header and rows, past the lines that SOFT files and manufacturers put above them."""
    opening(path)
    names: list[str] = []
    rows: list[list[str]] = []
    separator, begun, ended = "", False, False
    with open_bytes(path) as file:
        for _, raw in records(file):
            line = decode(raw).rstrip("\r\n")
            if line.startswith(("!platform_table_begin", "!annotation_table_begin")):
                begun, names, rows = True, [], []
            elif line.startswith(("!platform_table_end", "!annotation_table_end")):
                ended = True
                break
            elif not line.strip() or (not names and line.startswith(("^", "!", "#"))):
                continue
            elif not names:
                separator = max("\t,;", key=lambda mark: len(_split(line, mark)))
                names = [one_line(name) for name in _split(line, separator)]
            else:
                rows.append(_split(line, separator))
    if begun and not ended:
        raise AdnormError(
            f"{path}: the table is truncated: the line '!platform_table_end' is missing after "
            f"{counted(len(rows), 'row')}; {GET_AGAIN}"
        )
    if len(names) < 2 or not rows:
        raise AdnormError(
            f"{path}: no table found (a header with at least two columns, then rows separated by "
            "tabs, commas or semicolons)"
        )
    return names, rows


def _split(line: str, separator: str) -> list[str]:
    # Tab-separated annotations hold stray quotation marks (5', 3") that quote nothing.
    if separator == "\t":
        return [cell.strip('"') for cell in line.split("\t")]
    return split_line(line, separator)


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
        # The same file would come again: the cohort file must name another column.
        raise AskedForError(
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
        raise AskedForError(
            f"{path}: annotation without symbols: no column has a usual name "
            f"({listing(SYMBOL_COLUMNS)}); columns: {listing(names, 40)}. Name the one that holds "
            "gene symbols in the cohort file (source: symbol_column:)"
        )
    return found


@dataclass(frozen=True)
class IdentifierTable:
    """What an identifier table knows."""

    #: Which table it is, in words.
    kind: str
    #: Ensembl gene id without version → symbol.
    ensembl: dict[str, str] = field(default_factory=dict)
    #: Entrez gene id → symbol.
    entrez: dict[str, str] = field(default_factory=dict)
    #: Retired symbol or alias → approved symbol, where there is exactly one. A retired symbol
    #: counts more than an alias of another gene; an approved symbol is never renamed.
    previous: dict[str, str] = field(default_factory=dict)
    #: Retired symbols, aliases and ids that stand for several genes → those, sorted.
    ambiguous: dict[str, list[str]] = field(default_factory=dict)
    #: The symbols of the table.
    approved: set[str] = field(default_factory=set)


def read_identifier_table(path: Path | str) -> IdentifierTable:
    """Read the table that turns Ensembl and Entrez ids and retired symbols into symbols.

    Parameters
    ----------
    path
        HGNC complete set, a GENCODE (or BioMart) gene table, or an NCBI annotation table; text,
        gzip or not.
    """
    path = Path(path)
    names, rows = read_rows(path)
    where = {what: find_column(names, known) for what, known in _COLUMNS.items()}
    if _holds_ensembl(rows, where["entrez"]):
        # GENCODE calls Ensembl ids gene_id, NCBI calls Entrez ids GeneID.
        where["entrez"] = None
    kind = _kind_of_table(where)
    if kind is None:
        raise AdnormError(
            f"{path}: not an identifier table that adnorm knows. Known are the HGNC complete set "
            "(hgnc_id, symbol, prev_symbol, alias_symbol, entrez_id, ensembl_gene_id), GENCODE "
            "gene tables (gene_id, gene_name) and NCBI annotation tables (GeneID, Symbol, "
            f"EnsemblGeneID); columns found: {listing(names, 40)}"
        )
    cells: dict[str, dict[str, set[str]]] = {
        what: {} for what in ("entrez", "ensembl", "previous", "alias")
    }
    approved = set()
    for row in rows:
        cell = {
            what: row[i].strip() if i is not None and i < len(row) else ""
            for what, i in where.items()
        }
        symbol = cell["symbol"]
        if symbol in NO_SYMBOL or (
            kind.startswith("HGNC") and "withdrawn" in cell["status"].lower()
        ):
            continue
        approved.add(symbol)
        for what, known in cells.items():
            for name in _names_in(cell[what], what):
                known.setdefault(name, set()).add(symbol)
    return _assemble(path, kind, approved, cells)


def _holds_ensembl(rows: list[list[str]], position: int | None) -> bool:
    return position is not None and any(
        row[position].startswith("ENSG") for row in rows[:100] if position < len(row)
    )


def _kind_of_table(where: dict[str, int | None]) -> str | None:
    has = {what for what, position in where.items() if position is not None}
    if {"hgnc", "symbol"} <= has:
        return "HGNC complete set"
    if {"entrez", "symbol"} <= has:
        return "NCBI annotation table"
    if {"ensembl", "symbol"} <= has:
        return "GENCODE gene table"
    return None


def _names_in(text: str, what: str) -> list[str]:
    """Split one cell: lists are separated by ``|`` (HGNC, NCBI), ``,`` or ``;``."""
    parts = [part.strip().strip('"') for part in re.split(r"[|,;]", text)]
    if what == "ensembl":
        return [p[:15] for p in parts if re.fullmatch(r"ENSG\d{11}(\.\d+)?(_PAR_Y)?", p)]
    if what == "entrez":
        return [p for p in parts if p.isdigit()]
    return [p for p in parts if p not in NO_SYMBOL]


def _assemble(
    path: Path, kind: str, approved: set[str], cells: dict[str, dict[str, set[str]]]
) -> IdentifierTable:
    ambiguous: dict[str, list[str]] = {}

    def only(names: dict[str, set[str]]) -> dict[str, str]:
        clear = {}
        for name, symbols in sorted(names.items()):
            if len(symbols) == 1:
                clear[name] = next(iter(symbols))
            else:
                ambiguous[name] = sorted(symbols)
        return clear

    retired = {n: s for n, s in cells["previous"].items() if n not in approved}
    aliases = {n: s for n, s in cells["alias"].items() if n not in approved and n not in retired}
    table = IdentifierTable(
        kind=kind,
        ensembl=only(cells["ensembl"]),
        entrez=only(cells["entrez"]),
        previous={**only(aliases), **only(retired)},
        ambiguous=ambiguous,
        approved=approved,
    )
    if not table.ensembl and not table.entrez:
        raise AdnormError(
            f"{path}: this looks like the {kind}, but no row holds a human Ensembl id (ENSG…) or "
            "an Entrez id"
        )
    return table
