"""Reads what turns Ensembl and Entrez ids and retired symbols into approved symbols."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from adnorm.base.errors import AdnormError, listing
from adnorm.expression.annotation_rows import NO_SYMBOL, find_column, read_rows


@dataclass(frozen=True)
class IdentifierTable:
    """What an identifier table knows.

    Attributes
    ----------
    kind
        Which table it is, in words.
    ensembl
        Ensembl gene id without version → symbol.
    entrez
        Entrez gene id → symbol.
    previous
        Retired symbol or alias → approved symbol, where there is exactly one. A retired symbol
        counts more than an alias of another gene; an approved symbol is never renamed.
    ambiguous
        Retired symbols, aliases and ids that stand for several genes → those, sorted.
    approved
        The symbols of the table.
    """

    kind: str
    ensembl: dict[str, str] = field(default_factory=dict)
    entrez: dict[str, str] = field(default_factory=dict)
    previous: dict[str, str] = field(default_factory=dict)
    ambiguous: dict[str, list[str]] = field(default_factory=dict)
    approved: set[str] = field(default_factory=set)


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


def read_identifier_table(path: Path | str) -> IdentifierTable:
    """Read the table that turns Ensembl and Entrez ids and retired symbols into symbols.

    Parameters
    ----------
    path
        HGNC complete set, a GENCODE (or BioMart) gene table, or an NCBI annotation table; text,
        gzip or not.

    Returns
    -------
    IdentifierTable

    Raises
    ------
    AdnormError
        None of these tables; its columns are listed.
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
