"""Reading and writing the tables of the data contracts, always whole and always the same bytes."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError
from adnorm.base.files import atomic

#: Columns that look like numbers in some cohorts ("01") but are names in all of them.
NAME_COLUMNS = ("sample", "patient", "gene", "set", "batch", "responder", "site")


_DIGITS = "%.6g"
#: Rows that are written at a time.
_ROWS_AT_ONCE = 50_000


def stack(frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Put tables one below the other; where none has rows, the first is left with its header."""
    frames = list(frames)
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else frames[0]


def as_written(frame: pd.DataFrame) -> pd.DataFrame:
    """Round all numbers to the digits of `write_table`, so that what follows agrees with the file.

    Examples
    --------
    >>> as_written(pd.DataFrame({"score": [1.23456789]}))["score"].tolist()
    [1.23457]
    """
    numbers = frame.select_dtypes("float")
    rounded = {str(name): [float(_DIGITS % v) for v in numbers[name]] for name in numbers}
    return frame.assign(**rounded)


def write_table(frame: pd.DataFrame, path: Path | str) -> None:
    """Write a tab-separated table: one header row, six significant digits, ``NA`` for missing.

    The rows stay in their order, the index is not written, parent folders are made. The bytes are
    those of `pandas.DataFrame.to_csv`, which asks of every number whether it is missing.
    """
    write_tables([frame], path)


def write_tables(frames: Iterable[pd.DataFrame], path: Path | str) -> None:
    """Write tables of the same columns below each other, holding one at a time (`write_table`)."""
    with atomic(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        for number, frame in enumerate(frames):
            if not number:
                writer.writerow(frame.columns)
            for start in range(0, len(frame), _ROWS_AT_ONCE):
                rows = frame.iloc[start : start + _ROWS_AT_ONCE]
                columns = [cells(rows.iloc[:, i]) for i in range(rows.shape[1])]
                writer.writerows(zip(*columns, strict=True))


def cells(column: pd.Series, digits: str = _DIGITS) -> list[Any]:
    """Write the cells of a column as `write_table` does.

    Examples
    --------
    >>> cells(pd.Series([0.5, None, 1234567.0])), cells(pd.Series(["a", None]))
    (['0.5', 'NA', '1.23457e+06'], ['a', 'NA'])
    """
    missing = column.isna().to_numpy()
    if pd.api.types.is_float_dtype(column.dtype):
        numbers = tuple(column.to_numpy(dtype=float, na_value=np.nan).tolist())
        # One call for all numbers, which is three times as fast as one for each.
        found: list[Any] = (f"{digits}\n" * len(numbers) % numbers).split("\n")[:-1]
    else:
        found = column.tolist()
    for row in np.flatnonzero(missing):
        found[row] = "NA"
    return found


def read_table(path: Path | str) -> pd.DataFrame:
    """Read a table that `write_table` wrote; only ``NA`` is missing, names stay text.

    Raises
    ------
    AdnormError
        The file is absent, has no header row, or is no tab-separated text in UTF-8.
    """
    path = Path(path)
    if not path.is_file():
        raise AdnormError(f"{path}: this table is missing; run the stage that writes it again")
    try:
        return pd.read_csv(
            path,
            sep="\t",
            na_values=["NA"],
            keep_default_na=False,
            dtype=dict.fromkeys(NAME_COLUMNS, str),
            # Read in pieces, a column of a large table would be numbers here and text there.
            low_memory=False,
        )
    except pd.errors.EmptyDataError as error:
        raise AdnormError(f"{path}: the table is empty, it has not even a header row") from error
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        reason = str(error).strip().removeprefix("Error tokenizing data. C error: ")
        raise AdnormError(
            f"{path}: this is no table of tab-separated text in UTF-8 ({reason}); save it again as "
            "such, with as many fields in every row as the header has"
        ) from error
