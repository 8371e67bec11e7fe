"""Header and rows of the tables that describe probes and genes, whatever stands above them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from adnorm.base.errors import AdnormError
from adnorm.expression.records import one_line, records
from adnorm.expression.text_file import decode, open_bytes, opening, split_line
from adnorm.expression.wording import GET_AGAIN, counted

#: What stands where there is no symbol.
NO_SYMBOL = frozenset({"", "---", "--", "-", "NA", "N/A", "null", "None", "nan"})


def column_key(name: str) -> str:
    """Spell the name of a column without case, spaces and punctuation."""
    return re.sub(r"[^a-z0-9]", "", name.casefold())


def find_column(names: list[str], wanted: Iterable[str]) -> int | None:
    """Find the position of the first of some columns that a table has."""
    keys = [column_key(name) for name in names]
    return next((keys.index(column_key(w)) for w in wanted if column_key(w) in keys), None)


def read_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    """Read header and rows, past the lines that SOFT files and manufacturers put above them.

    Parameters
    ----------
    path
        Text separated by tabs, commas or semicolons, gzip or not.

    Returns
    -------
    names : list of str
        The columns.
    rows : list of list of str
        The cells; rows may be shorter than the header.

    Raises
    ------
    AdnormError
        No table, or one that is cut off.
    """
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
