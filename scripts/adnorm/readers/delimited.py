"""Text tables: how one is laid out, and its columns, parsed fast, with every wrong cell named.

polars does the parsing. It takes short rows for missing values and stops at the first bad cell
without naming it; what is added here finds short rows and names all that is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from adnorm.base.errors import AdnormError, Problems, listing
from adnorm.base.inflate import is_gzip
from adnorm.base.logs import progress
from adnorm.base.text import counted
from adnorm.readers.text import decode, first_records, one_line, open_bytes, records, split_line
from adnorm.study.decimals import surely_decimal

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
    # polars would take a point for a decimal mark too, where it may stand for thousands.
    if layout.decimal_comma:
        return _read_slowly(layout, kinds)
    numbers = [NUMBER if kind == WHOLE else kind for kind in kinds]
    attempts: list[tuple[list[str], tuple[str, ...]]] = [(numbers, ()), (numbers, MISSING)]
    if WHOLE in kinds:
        attempts.insert(0, (kinds, ()))
    for tried, missing in attempts:
        schema = {str(i): types[kind] for i, kind in enumerate(tried)}
        try:
            frame = _read_csv(layout, schema, missing)
        except polars.exceptions.PolarsError:
            continue
        _check_short_rows(layout, frame)
        _check_stray_marks(layout, frame.height)
        return frame
    return _read_slowly(layout, kinds)


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
    null_values: Iterable[str] = (),
    content: bytes | None = None,
) -> polars.DataFrame:
    """Parse the file, or its text if that is at hand."""
    import polars

    try:
        if content is None and is_gzip(layout.path):
            # polars would inflate without a limit.
            with open_bytes(layout.path) as file:
                content = file.read()
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


def _check_short_rows(layout: Layout, frame: polars.DataFrame) -> None:
    """Find rows with too few fields, which polars fills with missing values."""
    suspects = frame[:, -1].is_null()
    if layout.last_row:
        suspects &= frame[:, 0] != layout.last_row
    if suspects.any():
        _check_field_counts(layout)


def _check_stray_marks(layout: Layout, rows: int) -> None:
    """Stop if a quotation mark that quotes nothing made one row of several."""
    with open_bytes(layout.path) as file:
        odd = [number for number, line in enumerate(file, 1) if line.count(b'"') % 2]
    if not odd:
        return
    with open_bytes(layout.path) as file:
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


def _check_field_counts(layout: Layout) -> None:
    """Count the fields of every row and stop if any row has too many or too few."""
    problems, wrong, count = Problems(str(layout.path)), 0, len(layout.names)
    mark = layout.separator.encode()
    with open_bytes(layout.path) as file:
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
                problems.add(
                    f"line {first}, row '{name}': {counted(found, 'field')} instead of {count}"
                )
    if wrong > _SHOWN:
        problems.add(
            counted(wrong - _SHOWN, "more row", "more rows") + " with too many or too few fields"
        )
    if wrong:
        problems.add("if the file was cut off while it was copied or fetched, get it again")
    problems.stop()


def _read_slowly(layout: Layout, kinds: list[str]) -> polars.DataFrame:
    """Read everything as text, convert what can be converted, name what cannot."""
    import polars

    schema: dict[str, type[polars.DataType]]
    schema = {str(i): polars.String for i in range(len(kinds))}
    _check_field_counts(layout)
    try:
        with open_bytes(layout.path) as file:
            content = decode(file.read()).encode()
        frame = _read_csv(layout, schema, content=content)
    except polars.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
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
            where = f"row '{frame[row, 0]}' (line {layout.skip_lines + row + 1})"
            cell = text[row]
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
