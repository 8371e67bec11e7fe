"""The tables of labs and GEO: of values (genes × samples), and of samples (one row per sample)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from adnorm.base.errors import AdnormError, AskedForError, Problems, listing, nearest
from adnorm.base.logs import progress
from adnorm.base.text import counted
from adnorm.readers.delimited import (
    SEPARATORS,
    TEXT,
    Layout,
    find_layout,
    has_decimal_comma,
    is_missing,
    is_number,
    kind_of_column,
    numbers_of,
    read_columns,
    refuse_decimal_comma,
)
from adnorm.readers.identifiers import (
    count_rows,
    may_hold_genes,
    named_as_row_numbers,
    refuse_row_numbers,
)
from adnorm.readers.text import one_line

if TYPE_CHECKING:
    import polars

#: Columns that describe genes with numbers, so that they cannot be told from samples by content.
_GENE_FACTS = frozenset(
    "chr chrom chromosome chromosome_name start end strand length gene_length bp_length "
    "effective_length start_position end_position gc_content entrezid entrez_id entrezgene "
    "entrezgene_id ncbi_gene_id".split()
)
#: No sample has another whole number in each of so many rows, filling up the way from 0.
_MANY_ROWS = 100
_GLANCE = 50
_SHOWN = 6


@dataclass(frozen=True)
class ValueTable:
    """A table taken apart."""

    #: Gene ids × samples, float64; ids may stand twice, missing ids are ``""``, cells NaN.
    values: pd.DataFrame
    #: Columns of text that describe the genes, one row for each row of `values`.
    annotation: pd.DataFrame
    #: Columns that were left out: about genes (Chr, Start, …, Length), numbers of rows.
    dropped: list[str]


def read_value_table(
    path: Path | str, gene_column: str | None = None, probes: bool = False
) -> ValueTable:
    """Read a table of values and keep what else it says about the genes.

    Recognised are comment lines before the header (``#``, as featureCounts writes them), a header
    that is one name shorter than the rows (R's ``write.table``), columns that describe genes, and
    numbers that surely have a decimal comma, in tables that tabs or semicolons separate.

    Parameters
    ----------
    path
        csv, tsv or txt, gzip or not; separated by tabs, commas or semicolons, which is found out.
    gene_column
        Column that holds the gene identifiers; ``None`` takes the first.
    probes
        Whether an annotation names the genes of the rows (probes, GeneIDs of NCBI), so that these
        may be mere numbers.
    """
    path = Path(path)
    layout, rows = find_layout(path)
    names, gene = layout.names, _gene_position(layout, gene_column)
    columns = [[row[i] if i < len(row) else "" for row in rows] for i in range(len(names))]
    facts = [i for i, name in enumerate(names) if i != gene and _describes_genes(name)]
    described = {gene, *facts}
    measured = [i for i in range(len(names)) if i not in described]
    if has_decimal_comma(layout, (cell for i in measured for cell in columns[i])):
        progress(f"{path.name}: the numbers have a decimal comma")
        layout = replace(layout, decimal_comma=True)
        for i in measured:
            columns[i] = [cell.replace(",", ".") for cell in columns[i]]
    kinds = [TEXT if i in described else kind_of_column(cells) for i, cells in enumerate(columns)]
    for i in measured:
        if kinds[i] == TEXT:
            refuse_decimal_comma(layout, layout.names[i], columns[i])
    frame = read_columns(layout, kinds)
    numeric = [kind.is_numeric() for kind in frame.dtypes]
    fillers = [i for i in measured if _is_filler(frame, i, names[i])]
    samples = [i for i in measured if numeric[i] and i not in fillers]
    texts = [i for i in measured if not numeric[i] and i not in fillers]
    _check_names(layout, samples)
    frame = _without_blank_lines(frame, gene, samples)
    ids = pd.Index(
        [(name or "").strip() for name in frame[:, gene].to_list()], name="gene", dtype=object
    )
    if ids.empty:
        raise AdnormError(f"{path}: the table has a header but no row of values")
    if not probes:
        candidates = _gene_candidates(frame, names, texts)
        refuse_row_numbers(ids[ids != ""], str(path), names[gene], candidates)
    numbers = numbers_of(frame, samples)
    values = pd.DataFrame(numbers, index=ids, columns=[names[i] for i in samples], copy=False)
    annotation = pd.DataFrame(
        {names[i]: frame[:, i].fill_null("").to_list() for i in texts}, index=ids
    )
    dropped = [names[i] for i in sorted([*facts, *fillers]) if names[i]]
    return ValueTable(values, annotation, dropped)


def _gene_position(layout: Layout, gene_column: str | None) -> int:
    names = layout.names
    if gene_column is None:
        return 0
    if names.count(gene_column) == 1:
        return names.index(gene_column)
    how = "stands twice" if gene_column in names else "does not exist"
    raise AskedForError(
        f"{layout.path}: source: gene_column: the column '{gene_column}' {how}"
        f"{nearest(gene_column, names)}; the table begins with the columns {listing(names, 8)}"
    )


def _gene_candidates(frame: polars.DataFrame, names: list[str], texts: list[int]) -> list[str]:
    """List the columns of text, those first that may hold the genes."""
    cells = {i: pd.Series(frame[:, i].fill_null("").to_list(), dtype=object) for i in texts}
    order = sorted(texts, key=lambda i: (not may_hold_genes(cells[i]), i))
    return [names[i] for i in order if names[i]]


def _describes_genes(name: str) -> bool:
    return name.casefold().replace(" ", "_").replace(".", "_") in _GENE_FACTS


def _is_filler(frame: polars.DataFrame, position: int, name: str) -> bool:
    """Whether a column is empty and nameless, or numbers the rows, so that it can go."""
    column = frame[:, position]
    if not name and column.null_count() == column.len():
        return True
    if not column.dtype.is_numeric() or column.null_count():
        return False
    if position and not named_as_row_numbers(name) and column.len() < _MANY_ROWS:
        # The values of a sample in a table of a few rows may be 1, 2 and 3.
        return False
    numbers = column.to_list()
    if len(set(numbers[:_GLANCE])) < len(numbers[:_GLANCE]):
        return False
    return count_rows([f"{number:g}" if number < 1e5 else str(number) for number in numbers])


def _without_blank_lines(
    frame: polars.DataFrame, gene: int, samples: list[int]
) -> polars.DataFrame:
    """Drop rows with neither an id nor a value; a row with values but without an id stays."""
    import polars

    blank = frame[:, gene].is_null()
    if not blank.any():
        return frame
    filled = polars.any_horizontal(polars.col([str(i) for i in samples]).is_not_null())
    return frame.filter(~blank | frame.select(filled).to_series())


def _check_names(layout: Layout, samples: list[int]) -> None:
    problems = Problems(str(layout.path))
    names = [layout.names[i] for i in samples]
    if not names:
        problems.add(
            f"no column of numbers was found; separator: {SEPARATORS[layout.separator]}, columns: "
            f"{listing(layout.names)}"
        )
    for name, count in Counter(names).items():
        if count > 1 and name:
            problems.add(f"the column '{name}' stands {count} times; samples need distinct names")
    blank = [i + 1 for i, name in zip(samples, names, strict=True) if not name]
    if blank:
        problems.add(f"columns without a name: number {listing(blank)}")
    if problems and no_header(names):
        problems.add(no_header(names))
    problems.stop()


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


def read_sheet(path: Path | str, key: str | None = None) -> pd.DataFrame:
    """Read a sample sheet, one row per sample.

    Parameters
    ----------
    path
        csv, tsv or txt, gzip or not.
    key
        Column that holds the sample names; it becomes the index (and stays a column). With
        ``None`` the rows are numbered.

    Returns
    -------
    DataFrame
        All cells as text, stripped; ``""`` where a cell is empty.
    """
    path = Path(path)
    layout, _ = find_layout(path)
    frame = read_columns(layout, [TEXT] * len(layout.names))
    problems = Problems(str(path))
    for name, count in Counter(layout.names).items():
        if count > 1 and name:
            problems.add(f"the column '{name}' stands {count} times")
    problems.stop()
    columns = {
        name: [one_line(cell or "") for cell in frame[:, i].to_list()]
        for i, name in enumerate(layout.names)
        if name
    }
    sheet = pd.DataFrame(columns, dtype=object)
    # Spreadsheets append lines of empty cells.
    sheet = sheet[(sheet != "").any(axis=1)]
    if sheet.empty:
        raise AdnormError(f"{path}: the sheet has a header but no row")
    lines = [layout.skip_lines + 1 + int(row) for row in sheet.index]
    sheet = sheet.reset_index(drop=True)
    return sheet if key is None else _by_key(sheet, key, lines, problems)


def _by_key(sheet: pd.DataFrame, key: str, lines: list[int], problems: Problems) -> pd.DataFrame:
    """Name the rows by their sample; `lines` says where in the file each row stands."""
    if key not in sheet:
        raise AskedForError(
            f"{problems.where}: there is no column '{key}'{nearest(key, sheet.columns)}; columns: "
            f"{listing(sheet.columns, 40)}"
        )
    places: dict[str, list[int]] = {}
    for name, line in zip(sheet[key], lines, strict=True):
        places.setdefault(name, []).append(line)
    empty = places.pop("", [])
    if empty:
        rows = counted(len(empty), "row names", "rows name")
        problems.add(
            f"column '{key}': {rows} no sample ({_at_lines(empty)}); fill in the name of the "
            "column in the table of values, or delete the row"
        )
    twice = {name: where for name, where in places.items() if len(where) > 1}
    if twice:
        problems.add(f"column '{key}': {_repeated(sheet, key, twice)}")
    problems.stop()
    return sheet.set_index(pd.Index(sheet[key], name="sample", dtype=object))


def _repeated(sheet: pd.DataFrame, key: str, twice: dict[str, list[int]]) -> str:
    """Say which samples stand in several rows, where, and what to do about it."""
    shown = [f"'{name}' ({_at_lines(twice[name])})" for name in sorted(twice)[:_SHOWN]]
    more = f" and {len(twice) - _SHOWN} more" if len(twice) > _SHOWN else ""
    several = counted(len(twice), "sample stands", "samples stand")
    sentence = (
        f"{several} in more than one row: {', '.join(shown)}{more}. Each row must be a sample of "
        "its own: delete the surplus rows, or give each row the name of its column in the table "
        "of values"
    )
    others = [c for c in sheet if c != key and (sheet[c] != "").all() and sheet[c].is_unique]
    if others:
        sentence += (
            f". If '{key}' is not the column of sample names, name that in the cohort file "
            f"(source: sheet_key:); without repetition {'is' if len(others) == 1 else 'are'} "
            f"{listing(others, 4)}"
        )
    return sentence


def _at_lines(lines: list[int]) -> str:
    shown = [str(line) for line in lines[:_SHOWN]]
    if len(lines) > _SHOWN:
        return f"lines {', '.join(shown)} and {len(lines) - _SHOWN} more"
    if len(lines) == 1:
        return f"line {shown[0]}"
    return f"lines {', '.join(shown[:-1])} and {shown[-1]}"
