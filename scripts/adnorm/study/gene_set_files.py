"""Tables of signed gene sets, the format of ours; see `adnorm.study.gmt` for the other one."""

from __future__ import annotations

import math
import re
from collections import Counter
from pathlib import Path

from adnorm.base.errors import AdnormError, Problems, listing, nearest
from adnorm.study.gene_sets import ADDED, Gene, GeneSet

REQUIRED = ("set", "symbol", "direction")
FACTS = ("madad_log2_fold_change", "gse193309_log2_fold_change")
#: One value for a whole set; a set without the column gets the default.
OF_SET = {"label": "", "category": ADDED, "role": "context"}
OPTIONAL = (
    *OF_SET,
    "previous_symbols",
    "source",
    "evidence",
    *FACTS,
    "low_in_bulk_skin",
    "note",
)
DIRECTIONS = ("up", "down", "")

_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec"
#: Dates that spreadsheets make of symbols.
DATE = re.compile(
    rf"(\d{{1,2}}[-/. ]({_MONTHS})|({_MONTHS})[-/. ]\d{{1,4}}|\d{{4}}-\d\d-\d\d|"
    r"\d{1,2}[/.]\d{1,2}([/.]\d{2,4})?)( .*)?",
    re.IGNORECASE,
)
ENSEMBL = re.compile(r"ENS[A-Z]*G\d+(\.\d+)?")
_SYMBOL = re.compile(r"[A-Za-z0-9][A-Za-z0-9@_.\-]*")


def symbol_problem(symbol: str) -> str:
    """Say what is wrong with a gene symbol; empty when it looks like one.

    Examples
    --------
    >>> symbol_problem("HLA-DRB1")
    ''
    >>> symbol_problem("1-Mar")
    "'1-Mar' is a date that a spreadsheet made of a symbol (MARCHF1, SEPTIN2, …); write the symbol"
    """
    if not symbol:
        return "the symbol is empty"
    if DATE.fullmatch(symbol):
        return (
            f"'{symbol}' is a date that a spreadsheet made of a symbol (MARCHF1, SEPTIN2, …); "
            "write the symbol"
        )
    if symbol.isdigit():
        return f"'{symbol}' is a number (an Entrez id?); gene sets hold approved symbols"
    if ENSEMBL.fullmatch(symbol):
        return f"'{symbol}' is an Ensembl id; gene sets hold approved symbols"
    if not _SYMBOL.fullmatch(symbol):
        return f"'{symbol}' is not one gene symbol"
    return ""


def table_lines(path: Path) -> list[tuple[int, list[str]]]:
    """Read a tab-separated file: the number and the fields of each line that says something.

    UTF-8 is read, or Latin-1 as old spreadsheets write it; lines that open with ``#`` are comments.

    Raises
    ------
    AdnormError
        The file is absent, empty or no text.
    """
    if not path.is_file():
        raise AdnormError(f"{path}: this gene-set file does not exist")
    content = path.read_bytes()
    if b"\0" in content or content.startswith(b"PK\x03\x04"):
        raise AdnormError(
            f"{path}: not a text file; save it as tab-separated text (UTF-8), not as a workbook"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    # str.splitlines would also break at characters that stand within a cell.
    rows = [
        (number, [field.strip().strip('"').strip() for field in line.split("\t")])
        for number, line in enumerate(re.split(r"\r\n|\n|\r", text), 1)
        if line.strip() and not line.startswith("#")
    ]
    if not rows:
        raise AdnormError(f"{path}: the file is empty")
    return rows


def read_set_table(path: Path | str) -> dict[str, GeneSet]:
    """Read a table of gene sets: one row a gene and set.

    Parameters
    ----------
    path
        Tab-separated, one header row. Required columns: set, symbol, direction (``up``, ``down`` or
        empty). Optional: label, category, role, previous_symbols (joined by ``|``), source,
        evidence, madad_log2_fold_change, gse193309_log2_fold_change, low_in_bulk_skin (``yes`` or
        empty), note. Lines that open with ``#`` are comments.

    Returns
    -------
    dict
        Sets by name, in the order of the file.

    Raises
    ------
    AdnormError
        Everything that is wrong with the file, with row numbers.
    """
    path = Path(path)
    (_, header), *rows = table_lines(path)
    problems = Problems(str(path))
    _check_header(header, problems)
    problems.stop()
    if not rows:
        raise AdnormError(f"{path}: the table has a header row but no genes")
    members: dict[str, dict[str, Gene]] = {}
    facts: dict[str, dict[str, str]] = {}
    first_row: dict[tuple[str, str], int] = {}
    for number, fields in rows:
        if len(fields) > len(header):
            problems.add(f"row {number}: {len(fields)} fields, but the header names {len(header)}")
            continue
        fields += [""] * (len(header) - len(fields))
        row = dict(zip(header, fields, strict=True))
        gene = _gene(row, number, problems)
        name = row["set"]
        if not name:
            problems.add(f"row {number}: the name of the set is empty")
            continue
        first = first_row.setdefault((name, gene.symbol), number)
        if gene.symbol and first != number:
            problems.add(
                f"row {number}: {gene.symbol} is already in the set '{name}' (row {first}); "
                "a gene counts once"
            )
            continue
        _check_set(row, number, facts, problems)
        members.setdefault(name, {})[gene.symbol] = gene
    _check_renames(members, problems)
    problems.stop()
    return {
        name: GeneSet(
            name=name,
            label=facts[name].get("label") or name,
            category=facts[name].get("category") or OF_SET["category"],
            role=facts[name].get("role") or OF_SET["role"],
            genes=tuple(genes.values()),
        )
        for name, genes in members.items()
    }


def _check_header(header: list[str], problems: Problems) -> None:
    known = (*REQUIRED, *OPTIONAL)
    for column in REQUIRED:
        if column not in header:
            others = [c for c in header if c not in known]
            problems.add(
                f"the column '{column}' is missing{nearest(column, others)}; "
                f"the header has {listing(header)}"
            )
    for column, count in Counter(header).items():
        if count > 1:
            problems.add(f"the column '{column}' occurs {count} times")
        if column not in known:
            problems.add(
                f"the column '{column}' is unknown{nearest(column, known)}; "
                f"allowed: {listing(known, 20)}"
            )


def _gene(row: dict[str, str], number: int, problems: Problems) -> Gene:
    for symbol in [row["symbol"], *filter(None, row.get("previous_symbols", "").split("|"))]:
        if wrong := symbol_problem(symbol.strip()):
            problems.add(f"row {number}: {wrong}")
    if row["direction"] not in DIRECTIONS:
        problems.add(
            f"row {number}: direction '{row['direction']}' is unknown"
            f"{nearest(row['direction'], DIRECTIONS[:2])}; allowed: 'up', 'down' or empty"
        )
    if row.get("low_in_bulk_skin", "") not in ("", "yes"):
        problems.add(
            f"row {number}: low_in_bulk_skin is '{row['low_in_bulk_skin']}'; "
            "allowed: 'yes' or empty"
        )
    previous = (old.strip() for old in row.get("previous_symbols", "").split("|"))
    return Gene(
        symbol=row["symbol"],
        previous_symbols=tuple(dict.fromkeys(old for old in previous if old)),
        direction=row["direction"],
        source=row.get("source", ""),
        evidence=row.get("evidence", ""),
        low_in_bulk_skin=row.get("low_in_bulk_skin") == "yes",
        **{column: _number(row, column, number, problems) for column in FACTS},
    )


def _number(row: dict[str, str], column: str, number: int, problems: Problems) -> float | None:
    text = row.get(column, "")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        problems.add(f"row {number}: {column} is '{text}', which is not a number")
        return None
    return value


def _check_set(
    row: dict[str, str], number: int, facts: dict[str, dict[str, str]], problems: Problems
) -> None:
    name = row["set"]
    given = {column: row[column] for column in OF_SET if column in row}
    first = facts.setdefault(name, given)
    for column, value in given.items():
        if value != first[column]:
            problems.add(
                f"row {number}: the set '{name}' has two values of {column}: "
                f"'{first[column]}' and '{value}'; give it one"
            )


def _check_renames(members: dict[str, dict[str, Gene]], problems: Problems) -> None:
    owners: dict[str, set[str]] = {}
    symbols = {gene.symbol for genes in members.values() for gene in genes.values()}
    for genes in members.values():
        for gene in genes.values():
            for old in gene.previous_symbols:
                owners.setdefault(old, set()).add(gene.symbol)
    for old, genes in sorted(owners.items()):
        if len(genes) > 1:
            problems.add(
                f"the previous symbol '{old}' belongs to two genes, {' and '.join(sorted(genes))}; "
                "it is ambiguous, remove it from one of them or from both"
            )
        if old in symbols:
            problems.add(
                f"'{old}' is a previous symbol of {sorted(genes)[0]} and also a gene of its own; "
                "which one is meant cannot be known, remove one of the two"
            )
