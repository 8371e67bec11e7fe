"""Text tables of labs and GEO: of values (genes × samples), and of samples (one row per sample).

polars parses their columns. It takes short rows for missing values and stops at the first bad cell
without naming it; what is added here finds short rows and names all that is wrong.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError, AskedForError, Problems, listing, nearest, shortened
from adnorm.base.inflate import is_gzip, open_bytes
from adnorm.base.logs import get_logger, progress
from adnorm.base.text import counted
from adnorm.readers.identifiers import (
    count_rows,
    may_hold_genes,
    named_as_row_numbers,
    refuse_row_numbers,
    whole_number,
)
from adnorm.readers.text import decode, first_records, one_line, records, split_line
from adnorm.study.decimals import says_missing, surely_decimal

if TYPE_CHECKING:
    import polars


#: Separators that tables may have.
SEPARATORS = {"\t": "tab", ",": "comma", ";": "semicolon"}
#: In tables this wide a line with a single filled cell is no header.
_FEWEST_COLUMNS = 3
#: How missing values are written; an empty cell is missing too.
MISSING = ("NA", "N/A", "NaN", "nan", "null", "NULL")
TEXT, WHOLE, NUMBER = "text", "whole", "number"
_SHOWN = 8
#: Characters of what a library says.
_LONGEST_REASON = 300
#: A number with a sign, and its unit.
_SIGNED_NUMBER = re.compile(r"[+-]\s*(?:\d+(?:[.,]\d+)*|[.,]\d+)(?:[eE][+-]?\d+)?[\s\w%°µ/]*")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?")


@dataclass(frozen=True)
class Layout:
    """How a table is laid out."""

    path: Path
    separator: str
    #: Lines before the first row of values.
    skip_lines: int
    #: Name of each column; the first holds the row names.
    names: list[str]
    #: Row name of a line that closes the table and is no row of it; empty when there is none.
    last_row: str = ""
    decimal_comma: bool = False


def _titles(lines: list[str]) -> int:
    """Count the lines above the header that hold a title, or nothing, in a single cell."""

    def fit(mark: str) -> tuple[int, bool, int]:
        # The marks of a title in words are not those of the table.
        widths = [len(split_line(line, mark)) for line in lines[-20:] if line.strip()]
        return max(widths, default=0), len(set(widths)) == 1, len(split_line(lines[0], mark))

    mark = max(SEPARATORS, key=fit)
    filled = [sum(bool(cell.strip()) for cell in split_line(line, mark)) for line in lines]
    if max(filled) < _FEWEST_COLUMNS:
        return 0
    return next(i for i, count in enumerate(filled) if count > 1)


def find_layout(path: Path) -> tuple[Layout, list[list[str]]]:
    """Find the header, the separator and some rows of a table.

    Comment lines (``#``) and titles (one filled cell) above the header are passed over, and the
    header may be one name shorter than the rows, as R's ``write.table`` writes it: then the first
    column has no name.

    Returns
    -------
    Layout
    rows : list of list of str
        The first rows.
    """
    found = first_records(path)
    skip, separator = 0, None
    while found and (not found[0][1].strip() or found[0][1].startswith("#")):
        skip += found.pop(0)[0]
    if not found:
        raise AdnormError(f"{path}: the file holds comments only, no table")
    titles = _titles([line for _, line in found])
    if titles:
        progress(f"{path.name}: {counted(titles, 'line')} above the header passed over")
    skip += sum(lines for lines, _ in found[: titles + 1])
    found = found[titles:]
    lines = [line for _, line in found]
    best = 0
    for mark in SEPARATORS:
        header = len(split_line(lines[0], mark))
        counts = {len(split_line(line, mark)) for line in lines[1:50] if line.strip()}
        # A header may be one shorter than its rows (R) or one longer (a separator at its end).
        even = len(counts) <= 1 and all(abs(count - header) <= 1 for count in counts)
        width = max([header, *counts])
        if width > 1 and width + (1 << 20) * even > best:
            best, separator = width + (1 << 20) * even, mark
    if separator is None:
        raise AdnormError(
            f"{path}: no columns found: the lines hold neither tabs nor commas nor semicolons "
            f"(first line: '{lines[0][:60]}'); save the table as csv or tsv"
        )
    names = [one_line(name) for name in split_line(lines[0], separator)]
    rows = [split_line(line, separator) for line in lines[1:] if line.strip()]
    widths = {len(row) for row in rows[:50]}
    if widths == {len(names) + 1}:
        names = ["", *names]
    elif widths == {len(names) - 1} and not names[-1]:
        names.pop()
    return Layout(path, separator, skip, names), rows


def is_number(text: str) -> bool:
    """Whether a cell is a number as tables write them; ``1_000`` and ``1,5`` are not."""
    if "_" in text:
        return False
    try:
        float(text)
    except ValueError:
        return False
    return True


def is_missing(text: str) -> bool:
    """Whether a cell is empty or one of `MISSING`."""
    return text == "" or text in MISSING


def kind_of_column(cells: list[str]) -> str:
    """Tell from some cells whether a column holds text, whole numbers or numbers.

    A column is text when more than half of its filled cells are not numbers. Single cells that are
    not numbers do not make a column text: they are errors, and reported as such.
    """
    if cells and all(cell.isdecimal() and len(cell) < 10 for cell in cells):
        return WHOLE
    filled = [c for c in (cell.strip() for cell in cells) if not is_missing(c)]
    wrong = sum(not is_number(c) for c in filled)
    return TEXT if 2 * wrong > len(filled) else NUMBER


def has_decimal_comma(layout: Layout, cells: Iterable[str]) -> bool:
    """Tell from some cells of values whether their numbers surely have a decimal comma.

    Examples
    --------
    >>> table = Layout(None, ";", 1, ["gene", "a"])
    >>> has_decimal_comma(table, ["1,5", "3", "1,234"])
    True
    >>> has_decimal_comma(table, ["1,234", "2,500"]), has_decimal_comma(table, ["1,5", "2.5"])
    (False, False)
    """
    if layout.separator == ",":
        return False
    found = False
    for cell in map(str.strip, cells):
        if "." in cell and is_number(cell):
            return False
        found = found or surely_decimal(cell)
    return found


def refuse_decimal_comma(layout: Layout, name: str, cells: list[str]) -> None:
    """Stop when the cells of a column that look like text are numbers with a comma."""
    filled = [c for c in (cell.strip() for cell in cells) if not is_missing(c)]
    commas = [c for c in filled if _DECIMAL_COMMA.fullmatch(c)]
    if commas and 2 * len(commas) > len(filled):
        raise AdnormError(f"{layout.path}: column '{name}': {_comma_sentence(commas[0])}")


def _comma_sentence(cell: str) -> str:
    return (
        f"numbers with a comma, such as '{cell}'. A comma may mean a decimal mark or thousands, so "
        "it is refused; save the table again with a point as decimal mark (1.5) and no mark for "
        "thousands"
    )


def read_columns(layout: Layout, kinds: list[str]) -> polars.DataFrame:
    """Parse a table; one message names all rows of another length and cells that are no numbers.

    Parameters
    ----------
    layout
        Where the table is and how its columns are called.
    kinds
        Kind of each column: `TEXT`, `WHOLE` or `NUMBER`. `WHOLE` is a hope: a column with other
        numbers becomes `NUMBER`.

    Returns
    -------
    polars.DataFrame
        Columns named by their position, ``"0"``, ``"1"``, …; missing values are null. Columns of
        numbers that turn out to be text (see `kind_of_column`) are text.
    """
    import polars

    types: dict[str, type[polars.DataType]] = {
        TEXT: polars.String,
        WHOLE: polars.Int32,
        NUMBER: polars.Float64,
    }
    content = _inflated(layout.path)
    # polars would take a point for a decimal mark too, where it may stand for thousands.
    if layout.decimal_comma:
        return _read_slowly(layout, kinds, content)
    numbers = [NUMBER if kind == WHOLE else kind for kind in kinds]
    attempts: list[tuple[list[str], tuple[str, ...]]] = [(numbers, ()), (numbers, MISSING)]
    if WHOLE in kinds:
        attempts.insert(0, (kinds, ()))
    for tried, missing in attempts:
        schema = {str(i): types[kind] for i, kind in enumerate(tried)}
        try:
            frame = _read_csv(layout, schema, missing, content)
        except polars.exceptions.PolarsError:
            continue
        _check_short_rows(layout, frame, content)
        _check_stray_marks(layout, frame.height, content)
        return frame
    return _read_slowly(layout, kinds, content)


def _inflated(path: Path) -> bytes | None:
    """Inflate a packed file, which is then read from memory, however often: polars has no limit."""
    try:
        if not is_gzip(path):
            return None
        with open_bytes(path) as file:
            return file.read()
    except OSError as error:
        raise AdnormError(f"{path}: cannot be read: {error}") from error


def _text_of(path: Path, content: bytes | None) -> AbstractContextManager[BinaryIO]:
    """Open the text of a table, which is `content` if it was packed."""
    return open_bytes(path) if content is None else io.BytesIO(content)


def numbers_of(frame: polars.DataFrame, positions: Iterable[int]) -> np.ndarray:
    """Copy some columns of numbers into one array (rows × columns, float64, missing is NaN)."""
    columns = list(positions)
    # Column by column into one block: no second copy of the table is ever in memory.
    numbers = np.empty((frame.height, len(columns)), order="F")
    for target, position in enumerate(columns):
        numbers[:, target] = frame[:, position].to_numpy()
    return numbers


def _read_csv(
    layout: Layout,
    schema: dict[str, type[polars.DataType]],
    null_values: Iterable[str],
    content: bytes | None,
) -> polars.DataFrame:
    """Parse the file, or its text if that is at hand."""
    import polars

    try:
        return polars.read_csv(
            layout.path if content is None else content,
            separator=layout.separator,
            skip_lines=layout.skip_lines,
            has_header=False,
            schema=schema,
            null_values=list(null_values) or None,
        )
    except polars.exceptions.NoDataError:
        return polars.DataFrame(schema=schema)
    except OSError as error:
        raise AdnormError(f"{layout.path}: cannot be read: {error}") from error


def _check_short_rows(layout: Layout, frame: polars.DataFrame, content: bytes | None) -> None:
    """Find rows with too few fields, which polars fills with missing values."""
    suspects = frame[:, -1].is_null()
    if layout.last_row:
        suspects &= frame[:, 0] != layout.last_row
    if suspects.any():
        _check_field_counts(layout, content)


def _odd_lines(path: Path, content: bytes | None) -> list[int]:
    """Number the lines in which a quotation mark has no counterpart."""
    with _text_of(path, content) as file:
        return [number for number, line in enumerate(file, 1) if line.count(b'"') % 2]


def _check_stray_marks(layout: Layout, rows: int, content: bytes | None) -> None:
    """Stop if a quotation mark that quotes nothing made one row of several."""
    odd = _odd_lines(layout.path, content)
    if not odd:
        return
    with _text_of(layout.path, content) as file:
        stood, found = 0, 0
        for lines, record in records(file):
            stood += lines
            found += stood > layout.skip_lines and bool(record.strip())
    if found > rows:
        raise AdnormError(
            f"{layout.path}: a quotation mark without its counterpart would make one row of "
            f"several ({rows} instead of {found}); the first stands in line {odd[0]}. Remove it, "
            "or save the table again with quoted texts"
        )


def _check_field_counts(layout: Layout, content: bytes | None) -> None:
    """Count the fields of every row and stop if any row has too many or too few."""
    problems, wrong, count = Problems(str(layout.path)), 0, len(layout.names)
    mark = layout.separator.encode()
    with _text_of(layout.path, content) as file:
        number = 1
        for lines, line in records(file):
            first, number = number, number + lines
            line = line.rstrip(b"\r\n")
            if first <= layout.skip_lines or not line:
                continue
            if b'"' in line:
                fields = split_line(decode(line), layout.separator)
                found, name = len(fields), fields[0]
            else:
                found, name = line.count(mark) + 1, decode(line.split(mark, 1)[0])
            if found == count or (layout.last_row and name == layout.last_row):
                continue
            wrong += 1
            if wrong <= _SHOWN:
                fields_found = counted(found, "field")
                problems.add(
                    f"line {first}, row '{shortened(name)}': {fields_found} instead of {count}"
                )
    if wrong > _SHOWN:
        problems.add(
            counted(wrong - _SHOWN, "more row", "more rows") + " with too many or too few fields"
        )
    if wrong:
        problems.add("if the file was cut off while it was copied or fetched, get it again")
    problems.stop()


def _read_slowly(layout: Layout, kinds: list[str], content: bytes | None) -> polars.DataFrame:
    """Read everything as text, convert what can be converted, name what cannot."""
    import polars

    schema: dict[str, type[polars.DataType]]
    schema = {str(i): polars.String for i in range(len(kinds))}
    _check_field_counts(layout, content)
    try:
        with _text_of(layout.path, content) as file:
            frame = _read_csv(layout, schema, (), decode(file.read()).encode())
    except polars.exceptions.PolarsError as error:
        odd = _odd_lines(layout.path, content)
        if odd:
            raise AdnormError(
                f"{layout.path}: cannot be read as a table: a quotation mark without its "
                f"counterpart stands in line {odd[0]}; remove it, or write it twice within a "
                "quoted cell"
            ) from error
        reason = str(error).splitlines()[0][:_LONGEST_REASON]
        raise AdnormError(f"{layout.path}: cannot be read as a table: {reason}") from error
    problems, wrong, columns = Problems(str(layout.path)), 0, []
    for position, kind in enumerate(kinds):
        column = frame[:, position]
        if kind == TEXT:
            columns.append(column)
            continue
        text = column.str.strip_chars()
        missing = text.is_in(["", *MISSING])
        text = polars.select(polars.when(~missing).then(text)).to_series().rename(column.name)
        number = _with_points(text, layout).cast(polars.Float64, strict=False)
        bad = (text.is_not_null() & number.is_null()).arg_true().to_list()
        if 2 * len(bad) > text.len() - text.null_count():
            refuse_decimal_comma(layout, layout.names[position], text.drop_nulls().to_list())
            columns.append(column)
            continue
        for row in bad[: max(0, _SHOWN - wrong)]:
            where = f"row '{shortened(str(frame[row, 0]))}' (line {layout.skip_lines + row + 1})"
            cell = shortened(text[row])
            what = _comma_sentence(cell) if _DECIMAL_COMMA.fullmatch(cell) else "is not a number"
            if layout.decimal_comma and "." in cell:
                what = "the other numbers have a decimal comma, so this point may mean thousands"
            problems.add(f"{where}, column '{layout.names[position]}': '{cell}': {what}")
        wrong += len(bad)
        columns.append(number)
    if wrong > _SHOWN:
        problems.add(
            counted(
                wrong - _SHOWN, "more cell that is no number", "more cells that are not numbers"
            )
        )
    if wrong:
        problems.add(f"allowed are numbers, empty cells and {listing(MISSING)}")
    problems.stop()
    return polars.DataFrame(columns)


def _with_points(text: polars.Series, layout: Layout) -> polars.Series:
    """Write decimal commas as points; a cell with a point of its own becomes missing."""
    import polars

    if not layout.decimal_comma:
        return text
    plain = ~text.str.contains(".", literal=True)
    return polars.select(
        polars.when(plain).then(text.str.replace(",", ".", literal=True))
    ).to_series()


# ---------------------------------------------------------------- tables of values and of samples

#: Columns that describe genes with numbers, so that they cannot be told from samples by content.
_GENE_FACTS = frozenset(
    "chr chrom chromosome chromosome_name start end strand length gene_length bp_length "
    "effective_length start_position end_position gc_content entrezid entrez_id entrezgene "
    "entrezgene_id ncbi_gene_id".split()
)
#: No sample has another whole number in each of so many rows, filling up the way from 0.
_MANY_ROWS = 100
_GLANCE = 50
_LISTED = 6


def read_value_table(
    path: Path | str, gene_column: str | None = None, probes: bool = False
) -> pd.DataFrame:
    """Read a table of values: gene ids × samples, float64.

    Ids may stand twice; missing ids are ``""``, missing values NaN. Left out are columns of text,
    of facts about genes (Chr, Start, …, Length) and of numbers of rows.

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
    described = {gene} | {i for i, name in enumerate(names) if _describes_genes(name)}
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
    return pd.DataFrame(numbers, index=ids, columns=[names[i] for i in samples], copy=False)


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
    glance = column[:_GLANCE].to_list()
    # Values of arrays differ in all rows; that the first are not whole spares a look at the rest.
    if len(set(glance)) < len(glance) or None in map(whole_number, _as_text(glance)):
        return False
    return count_rows(_as_text(column.to_list()))


def _as_text(numbers: list[float]) -> list[str]:
    return [f"{number:g}" if number < 1e5 else str(number) for number in numbers]


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
    """Warn that the names of columns look like a row of values; ``""`` when they do not.

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


def like_a_formula(cell: str) -> bool:
    """Whether a spreadsheet that opens a table would compute a cell of text instead of showing it.

    Examples
    --------
    >>> [like_a_formula(cell) for cell in ("=cmd()", "@SUM(A1)", "-2+3", "+CD4", "-x")]
    [True, True, True, True, True]
    >>> [like_a_formula(cell) for cell in ("-5", "+3", "-0,5 mg", "-", "--", "+/-", "a=b")]
    [False, False, False, False, False, False, False]
    """
    cell = cell.strip()
    if cell[:1] not in ("=", "+", "-", "@") or not re.search(r"\w", cell) or says_missing(cell):
        return False
    return cell[0] in "=@" or not _SIGNED_NUMBER.fullmatch(cell)


def warn_of_formulas(sheet: pd.DataFrame, name: str) -> None:
    """Warn once of the cells of a sheet that would be formulas in a spreadsheet."""
    found = [
        f"'{cell}' (column '{column}')"
        for column in sheet.columns
        for cell in [str(column), *dict.fromkeys(sheet[column])]
        if like_a_formula(cell)
    ]
    if found:
        more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
        get_logger().warning(
            "%s: a spreadsheet would take %s for formulas: %s%s. They stand in tables of the "
            "results as they stand here, so write them without the first mark, or open those "
            "tables as text",
            name,
            counted(len(found), "text"),
            ", ".join(found[:_LISTED]),
            more,
        )


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
    """List samples that are in several rows, where, and what to do about it."""
    shown = [f"'{name}' ({_at_lines(twice[name])})" for name in sorted(twice)[:_LISTED]]
    more = f" and {len(twice) - _LISTED} more" if len(twice) > _LISTED else ""
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
    shown = [str(line) for line in lines[:_LISTED]]
    if len(lines) > _LISTED:
        return f"lines {', '.join(shown)} and {len(lines) - _LISTED} more"
    if len(lines) == 1:
        return f"line {shown[0]}"
    return f"lines {', '.join(shown[:-1])} and {shown[-1]}"
