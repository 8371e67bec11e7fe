"""Opens files, packed or not, bounds what comes out of them, and looks at their bytes.

A megabyte of gzip can hold a gigabyte, and so can a single line: a mistake or an attack that would
take the memory of the machine. Every packed file is therefore read through here.
"""

from __future__ import annotations

import io
import math
import re
import stat
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from adnorm.base.errors import AdnormError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

GZIP_MAGIC = b"\x1f\x8b"
#: What a person does with a file that is cut off or damaged, wherever it came from.
GET_AGAIN = (
    "get the whole file again: export or copy your own once more; one that was fetched is fetched "
    "again at the next call"
)
#: What may never end, or never begin.
_ENDLESS = {
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
    stat.S_ISFIFO: "a pipe",
    stat.S_ISSOCK: "a socket",
}
#: Gigabytes that a file may hold unless its cohort file allows more …
MOST_GIGABYTES = 8.0
#: … and how many times its own size. Tables of counts hold 3 to 20 times theirs, those with
#: 99 zeros in 100 cells 60 to 105 times; gzip itself reaches 1,030.
MOST_TIMES = 200
#: What does no harm, however well it is packed.
_HARMLESS = 64 * 10**6
#: Bytes of a line. The longest lines are headers: 100,000 samples with names of 100 letters.
LONGEST_LINE = 16 * 10**6
#: The key of `source:` in a cohort file that allows more.
KEY = "unpacked_gigabytes"

_WEB_PAGE = re.compile(
    rb"^(\xef\xbb\xbf)?\s*(<!--.*?-->\s*)?(<!doctype|<html|<head|<\?xml)", re.I | re.S
)
_BLOCK = 1 << 17
_BUFFER = 1 << 20
_allowed: ContextVar[float | None] = ContextVar("allowed", default=None)


@contextmanager
def allowing(source: Mapping[str, Any]) -> Iterator[None]:
    """Allow the files that are read in the block what ``source:`` of a cohort file allows them.

    Its ``unpacked_gigabytes`` stands for both limits.
    """
    token = _allowed.set(source.get(KEY))
    try:
        yield
    finally:
        _allowed.reset(token)


def check_size(held: int, size: int, name: str) -> None:
    """Stop when a file of `size` bytes, called `name`, gave more bytes than is allowed.

    Raises
    ------
    AdnormError
        With both sizes, their ratio, the limit and the key that raises it.
    """
    if held <= _HARMLESS:
        return
    allowed = _allowed.get()
    most = 1e9 * (MOST_GIGABYTES if allowed is None else allowed)
    if held > most:
        limit = f"allowed are {most / 1e9:g} GB"
    elif allowed is None and held > MOST_TIMES * size:
        limit = f"allowed are {MOST_TIMES} times its size"
    else:
        return
    raise AdnormError(
        f"{name}: this packed file of {_bytes(size)} holds {_bytes(held)} or more, over "
        f"{held // max(size, 1)} times its size; {limit}. Tables of expression hold 3 to 100 "
        "times their packed size, so it is damaged, or made to fill the memory. If it is right, "
        "say in the cohort file how many gigabytes it may hold (source: "
        f"{KEY}: {math.ceil(max(most, 2 * held) / 1e9)})"
    )


def _bytes(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


class _Counted(io.RawIOBase):
    """The bytes of a file, inflated if they are gzip, counted as they come."""

    def __init__(self, file: BinaryIO, size: int, name: str, lines: bool) -> None:
        self._file, self._size, self._name, self._lines = file, size, name, lines
        self._packed = file.read(2) == GZIP_MAGIC
        file.seek(0)
        self._inflater = zlib.decompressobj(wbits=31)
        self._block = b""
        self._held = self._line = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer)
        text = self._next(len(view))
        view[: len(text)] = text
        return len(text)

    def readall(self) -> bytes:
        # Grown in place: joined, the parts and the whole would be in memory together.
        whole = io.BytesIO()
        whole.writelines(iter(lambda: self._next(_BUFFER), b""))
        return whole.getvalue()

    def _next(self, most: int) -> bytes:
        text = self._inflate(most) if self._packed else self._file.read(most)
        if self._packed:
            self._held += len(text)
            check_size(self._held, self._size, self._name)
        if self._lines:
            end = text.rfind(b"\n")
            self._line = self._line + len(text) if end < 0 else len(text) - end - 1
            if self._line > LONGEST_LINE:
                raise AdnormError(
                    f"{self._name}: a line of more than {LONGEST_LINE / 1e6:.0f} MB: no table has "
                    "such lines (a header of 10,000 samples has 1 MB); the file is damaged, or it "
                    "is no text table"
                )
        return text

    def _inflate(self, most: int) -> bytes:
        """Inflate at most some bytes, never more: a block of a bomb holds gigabytes."""
        while True:
            if self._inflater.eof:
                # A gzip file may have several members, one behind another; zeros may pad it.
                self._block = self._inflater.unused_data.lstrip(b"\0")
                while not self._block:
                    more = self._file.read(_BLOCK)
                    if not more:
                        return b""
                    self._block = more.lstrip(b"\0")
                self._inflater = zlib.decompressobj(wbits=31)
            self._block = self._block or self._file.read(_BLOCK)
            ended = not self._block
            text = self._inflater.decompress(self._block, most)
            self._block = self._inflater.unconsumed_tail
            if text:
                return text
            if ended and not self._inflater.eof:
                raise EOFError("the gzip stream ends in the middle")


@contextmanager
def opened(path: Path | str, name: str = "", lines: bool = True) -> Iterator[BinaryIO]:
    """Open a file for reading, inflating it if it is gzip whatever its name says.

    `name` is what messages call it (else its path); with `lines` it is text, so that a line without
    end is refused.

    Raises
    ------
    AdnormError
        It is no file that ends (a device, a pipe). While it is read: more comes out than is
        allowed, or a line has no end.
    EOFError, zlib.error
        While it is read: the gzip stream is cut off or damaged.
    """
    refuse_endless(path, name)
    with open(path, "rb") as file:
        size = Path(path).stat().st_size
        with io.BufferedReader(_Counted(file, size, name or str(path), lines), _BUFFER) as text:
            yield text


def refuse_endless(path: Path | str, name: str = "") -> None:
    """Stop at devices, pipes and sockets, which may never end; `name` is what messages call it."""
    try:
        mode = Path(path).stat().st_mode
    except OSError:
        return  # What opens it says why it cannot.
    for is_kind, kind in _ENDLESS.items():
        if is_kind(mode):
            raise AdnormError(
                f"{name or path}: this is {kind}, not a file, and may never end; write what it "
                "gives into a file and name that"
            )


@contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading, inflating it if it is gzip whatever its name says.

    A file that is absent, cannot be read, is cut off, damaged, or too large is refused where that
    is noticed.
    """
    try:
        with opened(path) as file:
            yield file
    except FileNotFoundError as error:
        raise AdnormError(f"{path}: this file does not exist") from error
    except IsADirectoryError as error:
        raise AdnormError(f"{path}: this is a folder, not a file; name a file in it") from error
    except PermissionError as error:
        raise AdnormError(
            f"{path}: this file cannot be read: permission denied; let its owner allow it "
            f"(`chmod +r`), or copy it to a place of your own"
        ) from error
    except OSError as error:
        raise AdnormError(
            f"{path}: this file cannot be read: {error.strerror or error}; copy it to another "
            "place and name that"
        ) from error
    except EOFError as error:
        raise AdnormError(
            f"{path}: the gzip file is truncated (it ends in the middle); {GET_AGAIN}"
        ) from error
    except zlib.error as error:
        raise AdnormError(
            f"{path}: the gzip file is damaged ({damage(error)}); {GET_AGAIN}"
        ) from error


def damage(error: zlib.error) -> str:
    """Say what is wrong with a gzip stream, in words.

    Examples
    --------
    >>> damage(zlib.error("Error -3 while decompressing data: incorrect data check"))
    'its checksum is wrong'
    """
    reason = str(error).rpartition(": ")[2]
    return "its checksum is wrong" if reason == "incorrect data check" else reason


def is_gzip(path: Path | str) -> bool:
    """Whether the bytes of a file are gzip, whatever its name says."""
    with open(path, "rb") as file:
        return file.read(2) == GZIP_MAGIC


def is_web_page(opening: bytes) -> bool:
    """Whether some first bytes open an HTML page: servers answer with those, and status 200.

    Examples
    --------
    >>> is_web_page(b"<!DOCTYPE html><title>reCAPTCHA</title>"), is_web_page(b"ID_REF 1")
    (True, False)
    """
    return bool(_WEB_PAGE.match(opening[:4096]))
