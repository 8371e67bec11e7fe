"""Opens text files, compressed or not, and refuses what is not text."""

from __future__ import annotations

import csv
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from adnorm.base.errors import AdnormError
from adnorm.base.inflate import damage, opened
from adnorm.expression.records import records
from adnorm.expression.wording import GET_AGAIN

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
_WEB_PAGE = re.compile(rb"\s*(<!doctype|<html)", re.I)


@contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading, inflating it if it is gzip whatever its name says.

    Raises
    ------
    AdnormError
        The file is absent; its gzip stream is cut off or damaged where it is read, or holds more
        than `adnorm.base.inflate` allows; a line of it does not end.
    """
    try:
        with opened(path) as file:
            yield file
    except (FileNotFoundError, IsADirectoryError) as error:
        raise AdnormError(f"{path}: this file does not exist") from error
    except EOFError as error:
        raise truncated(path) from error
    except zlib.error as error:
        raise AdnormError(
            f"{path}: the gzip file is damaged ({damage(error)}); {GET_AGAIN}"
        ) from error


def truncated(path: Path) -> AdnormError:
    """Make the error for a gzip file that is cut off."""
    return AdnormError(f"{path}: the gzip file is truncated (it ends in the middle); {GET_AGAIN}")


def opening(path: Path) -> bytes:
    """Read the first bytes of text and refuse what is not text.

    Raises
    ------
    AdnormError
        The file is empty, a workbook, an archive, a web page, binary, UTF-16, or has old line ends.
    """
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
    if _WEB_PAGE.match(text.removeprefix(b"\xef\xbb\xbf")):
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
    """Read the first records of a table, without the line end behind them.

    Returns
    -------
    list of (int, str)
        Number of lines of each record, more than one if a cell holds line breaks, and its text.
    """
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
