"""Finds out how a text table is laid out: comments, separator, header."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from adnorm.base.errors import AdnormError
from adnorm.base.logs import progress
from adnorm.expression.records import one_line
from adnorm.expression.text_file import first_records, split_line
from adnorm.expression.wording import counted

#: Separators that tables may have.
SEPARATORS = {"\t": "tab", ",": "comma", ";": "semicolon"}

#: In tables this wide a line with a single filled cell is no header.
_FEWEST_COLUMNS = 3


@dataclass(frozen=True)
class Layout:
    """How a table is laid out.

    Attributes
    ----------
    path
        The file.
    separator
        One character.
    skip_lines
        Lines before the first row of values.
    names
        Name of each column; the first holds the row names.
    last_row
        Row name of a line that closes the table and is no row of it; empty when there is none.
    decimal_comma
        Whether its numbers have a decimal comma.
    """

    path: Path
    separator: str
    skip_lines: int
    names: list[str]
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

    Raises
    ------
    AdnormError
        Not a text table, or no columns.
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
        header, counts = len(split_line(lines[0], mark)), set()
        for line in lines[1:50]:
            if line.strip():
                counts.add(len(split_line(line, mark)))
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
