"""Reading and writing the tables of the data contracts, always whole and always the same bytes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from adnorm.base.errors import AdnormError
from adnorm.base.files import atomic

#: Columns that look like numbers in some cohorts ("01") but are names in all of them.
NAME_COLUMNS = ("sample", "patient", "gene", "set", "batch", "responder", "site")


_DIGITS = "%.6g"


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

    The rows stay in their order, the index is not written, parent folders are made.
    """
    write_tables([frame], path)


def write_tables(frames: Iterable[pd.DataFrame], path: Path | str) -> None:
    """Write tables of the same columns below each other, holding one at a time (`write_table`)."""
    with (
        atomic(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        for number, frame in enumerate(frames):
            frame.to_csv(
                file,
                sep="\t",
                index=False,
                header=not number,
                na_rep="NA",
                float_format=_DIGITS,
                lineterminator="\n",
            )


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
        )
    except pd.errors.EmptyDataError as error:
        raise AdnormError(f"{path}: the table is empty, it has not even a header row") from error
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        reason = str(error).strip().removeprefix("Error tokenizing data. C error: ")
        raise AdnormError(
            f"{path}: this is no table of tab-separated text in UTF-8 ({reason}); save it again as "
            "such, with as many fields in every row as the header has"
        ) from error
