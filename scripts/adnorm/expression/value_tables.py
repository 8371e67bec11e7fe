"""Reads tables of counts or expression, as labs and GEO hold them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from adnorm.base.errors import AdnormError, AskedForError, Problems, listing, nearest
from adnorm.base.logs import progress
from adnorm.expression.delimited import (
    TEXT,
    has_decimal_comma,
    kind_of_column,
    numbers_of,
    read_columns,
    refuse_decimal_comma,
)
from adnorm.expression.row_numbers import (
    count_rows,
    may_hold_genes,
    named_as_row_numbers,
    refuse_row_numbers,
)
from adnorm.expression.sample_columns import match_samples, no_header
from adnorm.expression.sample_table import read_sheet
from adnorm.expression.table_layout import SEPARATORS, Layout, find_layout

if TYPE_CHECKING:
    import polars

__all__ = ["ValueTable", "match_samples", "read_annotated_table", "read_sheet", "read_value_table"]

#: Columns that describe genes with numbers, so that they cannot be told from samples by content.
_GENE_FACTS = frozenset(
    "chr chrom chromosome chromosome_name start end strand length gene_length bp_length "
    "effective_length start_position end_position gc_content entrezid entrez_id entrezgene "
    "entrezgene_id ncbi_gene_id".split()
)
#: No sample has another whole number in each of so many rows, filling up the way from 0.
_MANY_ROWS = 100
_GLANCE = 50


@dataclass(frozen=True)
class ValueTable:
    """A table taken apart.

    Attributes
    ----------
    values
        gene ids × samples, as written; ids may stand twice, missing ids are ``""``.
    annotation
        Columns of text that describe the genes, one row for each row of `values`.
    dropped
        Names of columns that were left out: about genes (Chr, Start, …, Length), numbers of rows.
    """

    values: pd.DataFrame
    annotation: pd.DataFrame
    dropped: list[str] = field(default_factory=list)


def read_value_table(
    path: Path | str, gene_column: str | None = None, probes: bool = False
) -> pd.DataFrame:
    """Read a table of values.

    Parameters
    ----------
    path
        csv, tsv or txt, gzip or not; separated by tabs, commas or semicolons, which is found out.
    gene_column
        Column that holds the gene identifiers; ``None`` takes the first.
    probes
        Whether an annotation names the genes of the rows (probes, GeneIDs of NCBI), so that these
        may be mere numbers.

    Returns
    -------
    DataFrame
        gene ids × samples, float64; missing cells are NaN. ``attrs["dropped"]`` lists the columns
        that were left out because they describe genes.

    Raises
    ------
    AdnormError
        See `read_annotated_table`.
    """
    table = read_annotated_table(path, gene_column, probes)
    values = table.values
    values.attrs["dropped"] = [*table.dropped, *table.annotation.columns]
    return values


def read_annotated_table(
    path: Path | str, gene_column: str | None = None, probes: bool = False
) -> ValueTable:
    """Read a table of values and keep what else it says about the genes.

    Recognised are comment lines before the header (``#``, as featureCounts writes them), a header
    that is one name shorter than the rows (R's ``write.table``), columns that describe genes, and
    numbers that surely have a decimal comma, in tables that tabs or semicolons separate.

    Parameters
    ----------
    path, gene_column, probes
        As for `read_value_table`.

    Returns
    -------
    ValueTable

    Raises
    ------
    AdnormError
        Not a text table; no such gene column; row numbers where the genes should be; columns that
        stand twice or have no name; rows of unequal length; cells that are not numbers, with row,
        column and value; commas in numbers that may mean a decimal mark or thousands.
    """
    path = Path(path)
    layout, rows = find_layout(path)
    gene = _gene_position(layout, gene_column)
    columns = [[row[i] if i < len(row) else "" for row in rows] for i in range(len(layout.names))]
    facts = [i for i, name in enumerate(layout.names) if i != gene and _describes_genes(name)]
    told = {gene, *facts}
    measured = [i for i in range(len(columns)) if i not in told]
    if has_decimal_comma(layout, (cell for i in measured for cell in columns[i])):
        progress(f"{path.name}: the numbers have a decimal comma")
        layout = replace(layout, decimal_comma=True)
        for i in measured:
            columns[i] = [cell.replace(",", ".") for cell in columns[i]]
    kinds = [TEXT if i in told else kind_of_column(cells) for i, cells in enumerate(columns)]
    for i in measured:
        if kinds[i] == TEXT:
            refuse_decimal_comma(layout, layout.names[i], columns[i])
    frame = read_columns(layout, kinds)
    numeric = [kind.is_numeric() for kind in frame.dtypes]
    others = [i for i in range(len(numeric)) if i != gene and i not in facts]
    fillers = [i for i in others if _is_filler(frame, i, layout.names[i])]
    samples = [i for i in others if numeric[i] and i not in fillers]
    texts = [i for i in others if not numeric[i] and i not in fillers]
    _check_names(layout, samples)
    frame = _without_blank_lines(frame, gene, samples)
    ids = pd.Index(
        [(name or "").strip() for name in frame[:, gene].to_list()], name="gene", dtype=object
    )
    if ids.empty:
        raise AdnormError(f"{path}: the table has a header but no row of values")
    if not probes:
        refuse_row_numbers(
            ids[ids != ""], str(path), layout.names[gene], _gene_candidates(frame, layout, texts)
        )
    numbers = numbers_of(frame, samples)
    values = pd.DataFrame(
        numbers, index=ids, columns=[layout.names[i] for i in samples], copy=False
    )
    annotation = pd.DataFrame(
        {layout.names[i]: frame[:, i].fill_null("").to_list() for i in texts}, index=ids
    )
    dropped = [layout.names[i] for i in sorted([*facts, *fillers]) if layout.names[i]]
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


def _gene_candidates(frame: polars.DataFrame, layout: Layout, texts: list[int]) -> list[str]:
    """List the columns of text, those first that may hold the genes."""
    cells = {i: pd.Series(frame[:, i].fill_null("").to_list(), dtype=object) for i in texts}
    order = sorted(texts, key=lambda i: (not may_hold_genes(cells[i]), i))
    return [layout.names[i] for i in order if layout.names[i]]


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


def _without_blank_lines(frame, gene: int, samples: list[int]):
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
