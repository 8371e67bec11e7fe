"""Sums the columns of a table of counts that are lanes of one library."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

import pandas as pd

from adnorm.base.errors import AdnormError, listing
from adnorm.base.logs import progress
from adnorm.expression.wording import counted

#: Names of lanes: LIBRARY_L001, LIBRARY.lane2, LIBRARY_whatever, LIBRARY.bam, each behind a folder.
_PATTERNS = (
    r"(?P<library>[^/]+)[_.](?:L00\d|lane[_-]?\d)[^/]*$",
    r"(?P<library>[^_/]+)_[^/]*$",
    r"(?P<library>[^/]+)_[^_/]+$",
    r"(?P<library>[^./]+)\.[^/]*$",
    r"(?P<library>[^/]+)\.bam$",
)


def fitting_pattern(columns: Iterable[str], fields: Iterable[Iterable[str]]) -> str:
    """Find an expression that takes the name of a library out of every column of a table.

    Parameters
    ----------
    columns
        Names of the columns; those in which it finds nothing are taken for others than values.
    fields
        Names that the libraries may have: one collection for each field of the samples.

    Returns
    -------
    str
        Empty when no expression finds all names of a field.

    Examples
    --------
    >>> fitting_pattern(["/bam/A1_S1_L001.bam", "/bam/A1_S1_L002.bam"], [["A1"]])
    '(?P<library>[^_/]+)_[^/]*$'
    """
    columns, fields = list(columns), [set(field) for field in fields]
    for pattern in _PATTERNS:
        found = {m["library"] for name in columns if (m := re.search(pattern, name))}
        if any(field and field <= found for field in fields):
            return pattern
    return ""


def sum_lanes(
    counts: pd.DataFrame, pattern: str, where: str
) -> tuple[pd.DataFrame, dict[str, list[str]]]:
    """Sum the lanes of each library.

    Parameters
    ----------
    counts
        Rows × columns of the table. A missing count stays missing in the sum.
    pattern
        Regular expression with the named group ``library``, searched in the name of each column.
    where
        The table, for messages.

    Returns
    -------
    libraries : DataFrame
        Rows × libraries, in the order in which they first appear.
    lanes : dict of str to list of str
        Library → its columns.

    Raises
    ------
    AdnormError
        Columns in which the pattern finds no library.

    Examples
    --------
    >>> table = pd.DataFrame({"A_1": [1], "A_2": [2], "B_1": [5]})
    >>> sum_lanes(table, "(?P<library>.+)_", "t")[0].to_dict("list")
    {'A': [3.0], 'B': [5.0]}
    """
    found = {column: re.search(pattern, column) for column in counts.columns}
    strange = [column for column, match in found.items() if not (match and match["library"])]
    if strange:
        raise AdnormError(
            f"{where}: source: libraries: '{pattern}' finds no library in {len(strange)} of "
            f"{counted(len(found), 'column')}: {listing(strange)}. Every column of numbers must "
            "be a lane; mend the expression, or take other columns out of the table"
        )
    lanes: dict[str, list[str]] = {}
    for column, match in found.items():
        lanes.setdefault(match["library"], []).append(column)
    summed = {name: counts[columns].sum(axis=1, skipna=False) for name, columns in lanes.items()}
    _tell(lanes)
    return pd.DataFrame(summed, index=counts.index, dtype=float), lanes


def _tell(lanes: dict[str, list[str]]) -> None:
    """Say how many lanes were summed; libraries with another number than most are named."""
    numbers = Counter(len(columns) for columns in lanes.values())
    usual = max(sorted(numbers), key=lambda number: numbers[number])
    columns = sum(number * libraries for number, libraries in numbers.items())
    progress(
        f"lanes: {counted(columns, 'column')} summed to "
        f"{counted(len(lanes), 'library', 'libraries')}"
    )
    odd = [f"{name} ({len(found)})" for name, found in lanes.items() if len(found) != usual]
    if odd:
        progress(f"lanes: most libraries have {usual}, these have another number: {listing(odd)}")
