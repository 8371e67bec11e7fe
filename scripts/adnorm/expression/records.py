"""Joins the lines of a text table to records: a quoted cell may hold line breaks.

Spreadsheets write a cell with line breaks over several lines, between quotation marks. Read line by
line, such a table loses most of its rows. Quotation marks also stand for inches and primes (5'),
and quote nothing then: a mark that is not closed properly within a few lines is such a one.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator

#: A cell with more line breaks than this is a stray quotation mark.
_MOST_LINES = 50
_OPENS = re.compile(rb'(?:^|[\t,;])"')
_AFTER = re.compile(rb'[\t,;]"')
_CLOSES = re.compile(rb'(?:[^"]|"")*"(?=[\t,;\r\n]|$)')


def records(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Join lines to records.

    Parameters
    ----------
    lines
        Lines of a table separated by tabs, commas or semicolons, with their ends.

    Yields
    ------
    (int, bytes)
        Number of lines and the record, with the line ends within its cells.

    Examples
    --------
    >>> list(records([b'a,"x\\n', b'y"\\n', b'b,3"\\n']))
    [(2, b'a,"x\\ny"\\n'), (1, b'b,3"\\n')]
    """
    source, waiting = iter(lines), deque()

    def following() -> bytes | None:
        return waiting.popleft() if waiting else next(source, None)

    while (line := following()) is not None:
        tabs = b"\t" in line
        if line.count(b'"') % 2 == 0 or not _within(line, False, tabs):
            yield 1, line
            continue
        taken, within = [line], True
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
            rest = line[place:]
            end = _CLOSES.match(line, place)
            if end is None and b'"' in rest.replace(b'""', b""):
                return None
            if tabs and b"\t" in (rest if end is None else end[0]):
                return None
            if end is None:
                return True
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
    return re.sub(r"\s*[\r\n]+\s*", " ", cell.strip())
