"""Reads the sample sheets of labs: one row a sample, all cells as text."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd

from adnorm.base.errors import AdnormError, AskedForError, Problems, listing, nearest
from adnorm.expression.delimited import TEXT, read_columns
from adnorm.expression.records import one_line
from adnorm.expression.table_layout import find_layout
from adnorm.expression.wording import counted

_SHOWN = 6


def read_sheet(path: Path | str, key: str | None = None) -> pd.DataFrame:
    """Read a sample sheet, one row a sample.

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

    Raises
    ------
    AdnormError
        Not a text table, no such key column, a key that is missing or stands twice, columns that
        stand twice, rows with too many or too few fields.
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
