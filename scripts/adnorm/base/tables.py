"""Reading and writing the tables of the data contracts, always whole and always the same bytes."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from adnorm.base.errors import AdnormError

#: Columns that look like numbers in some cohorts ("01") but are names in all of them.
NAME_COLUMNS = ("sample", "patient", "gene", "set", "batch", "responder", "site")


_DIGITS = "%.6g"


@contextmanager
def atomic(path: Path | str) -> Iterator[Path]:
    """Give a temporary name beside `path`; rename it to `path` only if the block succeeds.

    A reader therefore never sees half a file, and a failed run leaves what was there before. No two
    writers share a temporary name.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(8)}.part{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def digest_of(path: Path | str) -> tuple[int, str]:
    """Return the size in bytes and the SHA-256 of a file."""
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return file.tell(), digest


_LEFTOVER = re.compile(r"\.(.*)\.[0-9a-f]{16}\.part(\.[^.]*)?")


def remove_leftovers(folder: Path | str, names: Iterable[str] | None = None) -> None:
    """Remove the temporary files of writers that were killed; nobody may be writing there.

    `names` are the files that were written; ``None`` is for all in the folder, which may be absent.
    """
    folder, names = Path(folder), None if names is None else set(names)
    for path in folder.iterdir() if folder.is_dir() else ():
        left = _LEFTOVER.fullmatch(path.name)
        if left and (names is None or left[1] + (left[2] or "") in names):
            path.unlink(missing_ok=True)


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
    with atomic(path) as temporary:
        frame.to_csv(
            temporary,
            sep="\t",
            index=False,
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


def write_json(value: object, path: Path | str) -> None:
    """Write plain values as sorted, indented JSON."""
    with atomic(path) as temporary:
        temporary.write_text(
            json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8"
        )


def read_json(path: Path | str) -> dict[str, Any]:
    """Read a JSON file; one that is absent or no JSON is named."""
    path = Path(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise AdnormError(
            f"{path}: this file is missing; run the stage that writes it again"
        ) from error
    except json.JSONDecodeError as error:
        raise AdnormError(f"{path}: not valid JSON at line {error.lineno}: {error.msg}") from error
