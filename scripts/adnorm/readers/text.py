"""Opens text files, compressed or not, refuses what is not text, and cuts it into records.

Spreadsheets write a cell with line breaks over several lines, between quotation marks. Read line by
line, such a table loses most of its rows. Quotation marks also stand for inches and primes (5'),
and quote nothing then: a mark that is not closed properly within a few lines is such a one.
"""

from __future__ import annotations

import csv
import io
import re
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from adnorm.base.errors import AdnormError
from adnorm.base.inflate import is_web_page, open_bytes

_GLANCE = 1 << 16
# The header of a table with thousands of samples is longer than the module's default allows.
csv.field_size_limit(1 << 30)
_NOT_TEXT = (
    (b"PK\x03\x04", "an Excel workbook (or another zip archive)"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"\x89HDF", "an HDF5 file"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    # polars would inflate these, however much they hold.
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    *((magic, "a zlib stream") for magic in (b"x\x01", b"x\x9c", b"x\xda")),
)
#: A cell with more line breaks than this is a stray quotation mark.
_MOST_LINES = 50
_OPENS = re.compile(rb'(?:^|[\t,;])"')
_AFTER = re.compile(rb'[\t,;]"')
_CLOSES = re.compile(rb'(?:[^"]|"")*"(?=[\t,;\r\n]|$)')


def opening(path: Path) -> bytes:
    """Read the first bytes of text; refuse a file that is empty or not text in UTF-8 or Latin-1."""
    with open_bytes(path) as file:
        text = file.read(_GLANCE)
    if not text.strip():
        raise AdnormError(f"{path}: the file is empty")
    for magic, what in _NOT_TEXT:
        if text.startswith(magic):
            raise AdnormError(
                f"{path}: this is {what}, not a text table; save the sheet as csv or tsv (text, "
                "columns separated by commas or tabs) and name that file"
            )
    if text.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise AdnormError(f"{path}: the text is UTF-16; save it again as UTF-8 (csv or tsv)")
    if b"\0" in text[:4096]:
        raise AdnormError(f"{path}: this is a binary file, not a text table")
    # The glance may end within \r\n.
    if text[:-1].count(b"\r") > 2 * text.count(b"\n"):
        raise AdnormError(
            f"{path}: the lines end as on an old Macintosh (carriage return only), so the file is "
            "one long line; save it again with the line ends of Unix or Windows (csv or tsv)"
        )
    if is_web_page(text):
        raise AdnormError(
            f"{path}: this is a web page (HTML) instead of a table, perhaps a captcha, a login or "
            "an error page that was saved under this name; download the file itself, or save the "
            "table as csv or tsv"
        )
    return text


def decode(text: bytes) -> str:
    """Decode UTF-8, or Latin-1 where old deposits use it."""
    text = text.removeprefix(b"\xef\xbb\xbf")
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")


def first_records(path: Path, limit: int = 30) -> list[tuple[int, str]]:
    """Read the first records of a table: how many lines each has, and its text on its own."""
    opening(path)
    with open_bytes(path) as file:
        found = islice(records(file), limit)
        return [(lines, decode(record).rstrip("\r\n")) for lines, record in found]


def split_line(line: str, separator: str) -> list[str]:
    """Split one line at a separator, minding quotation marks.

    Examples
    --------
    >>> split_line('"a, b",c', ",")
    ['a, b', 'c']
    """
    if '"' not in line:
        return line.split(separator)
    try:
        return next(csv.reader(io.StringIO(line, newline=""), delimiter=separator), [])
    except csv.Error:
        # A carriage return within a cell, read with another separator than the table has.
        return line.split(separator)


def records(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Join the lines of a table to records: how many lines each has, and its bytes.

    Examples
    --------
    >>> list(records([b'a,"x\\n', b'y"\\n', b'b,3"\\n']))
    [(2, b'a,"x\\ny"\\n'), (1, b'b,3"\\n')]
    """
    source = iter(lines)
    waiting: deque[bytes] = deque()

    def following() -> bytes | None:
        return waiting.popleft() if waiting else next(source, None)

    while (line := following()) is not None:
        tabs = b"\t" in line
        if line.count(b'"') % 2 == 0 or not _within(line, False, tabs):
            yield 1, line
            continue
        taken: list[bytes] = [line]
        within: bool | None = True
        while within and len(taken) <= _MOST_LINES and (more := following()) is not None:
            taken.append(more)
            within = _within(more, True, tabs)
        if within is False:
            yield len(taken), b"".join(taken)
        else:
            waiting.extendleft(reversed(taken[1:]))
            yield 1, line


def _within(line: bytes, within: bool, tabs: bool) -> bool | None:
    """Whether a line ends within a quoted cell; ``None`` when a mark there quotes nothing.

    Cells hold no tab, so in a table with tabs a line with one is a row of its own.
    """
    place = 0
    while True:
        if within:
            end = _CLOSES.match(line, place)
            if end is None:
                # Only here, once: a copy at each cell would make long lines take for ever.
                rest = line[place:]
                stray = b'"' in rest.replace(b'""', b"")
                return None if stray or (tabs and b"\t" in rest) else True
            if tabs and b"\t" in end[0]:
                return None
            place = end.end()
        # Only the first cell of a line has no separator before its mark.
        start = (_AFTER if place else _OPENS).search(line, place)
        if start is None:
            return False
        place, within = start.end(), True


def one_line(cell: str) -> str:
    """Write a cell on one line.

    Examples
    --------
    >>> one_line("Severity\\n(SCORAD)"), one_line(" a  b ")
    ('Severity (SCORAD)', 'a  b')
    """
    # Not by an expression with blanks before the break: a cell of blanks would take it hours.
    return " ".join(filter(None, map(str.strip, re.split(r"[\r\n]", cell))))
