"""What a disk refuses, said so that it can be mended: full, quota, read-only, broken.

Libraries pass such an error on in exceptions of their own, often with the number in the text alone
(HDF5: ``errno = 28``, Rust: ``os error 28``). Whatever the exception is, its kind is the number.
"""

from __future__ import annotations

import errno
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from adnorm.base.errors import AdnormError, DiskError
from adnorm.base.files import written_as

#: Kinds that concern all that is written there, whatever a stage says of the file it was at.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_GOES_ON = "Then call again: the run goes on and repeats only what is lacking"
_ELSEWHERE = "name another folder (results: in the configuration)"
#: What is wrong, and what to do.
_KINDS = {
    errno.ENOSPC: ("the disk is full", f"Make room there or {_ELSEWHERE}"),
    errno.EDQUOT: (
        "the disk quota is used up",
        f"Remove files of yours there, ask for a larger quota, or {_ELSEWHERE}",
    ),
    errno.EFBIG: (
        "the file is larger than may be written there",
        "Raise the limit (ulimit -f unlimited; on a cluster its administrators do), "
        f"or {_ELSEWHERE}",
    ),
    errno.EROFS: (
        "the file system is read-only",
        f"Mount it so that it can be written, or {_ELSEWHERE}",
    ),
    errno.EACCES: (
        "there is no permission to read or write it",
        "Mend its permissions and those of its folder (chmod u+rwX); results can be written "
        "elsewhere, too (results: in the configuration)",
    ),
    errno.EPERM: (
        "the system does not permit it",
        f"Mend the attributes and the owner of the file and its folder, or {_ELSEWHERE}",
    ),
    errno.EIO: (
        "the disk, or the connection to it, failed",
        f"Look whether the disk is sound (dmesg tells) or {_ELSEWHERE}",
    ),
    errno.ESTALE: (
        "the connection to the disk was lost",
        f"Look whether it is there again (ls), or {_ELSEWHERE}",
    ),
    errno.ENAMETOOLONG: (
        "its name or the path to it is longer than the file system allows",
        "Give the cohort or the file a shorter name, or name a results folder with a shorter path",
    ),
}
_NUMBER = re.compile(r"(?:\berrno = |\[Errno |\bos error )(\d+)\b")
_NAMED = re.compile(r"\bname = '([^']+)'")
_WORDS = {os.strerror(number): number for number in _KINDS}


def refusal(error: BaseException, folder: Path | str = ".") -> str | None:
    """Say in one paragraph what a disk refused; ``None`` for an error of another kind, or told.

    Parameters
    ----------
    error
        What was raised, or what another exception was raised for.
    folder
        Where the job writes, for an error that names no file.
    """
    if isinstance(error, DiskError):
        return None
    for link in _chain(error):
        number = _number(link)
        # A sentence that somebody wrote for this file says more, unless nothing can be written.
        if number is None or (isinstance(error, AdnormError) and number not in _NO_ROOM):
            continue
        file = _file(link)
        # Networks refuse connections by the same numbers.
        if file or number not in (errno.EACCES, errno.EPERM):
            return words(number, file, folder)
    return None


def words(number: int, file: Path | None, folder: Path | str = ".") -> str:
    """Say what one kind of refusal means, where, how much room there is, and what to do."""
    # What is written beside a result and renamed is the result to people.
    file = written_as(file) if file else None
    where = _existing(file.parent if file else Path(folder))
    full = number in (errno.ENOSPC, errno.EDQUOT)
    if full and not file:
        # Some library wrote; its temporary files may lie elsewhere.
        where = min(where, Path(tempfile.gettempdir()), key=_free)
    wrong, mend = _KINDS[number]
    room = f" ({_room(where)})" if full else ""
    return f"{file or _named(where)}: {wrong}{room}. {mend}. {_GOES_ON}"


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def _number(error: BaseException) -> int | None:
    if isinstance(error, AdnormError):
        return None
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno if error.errno in _KINDS else None
    text = str(error)
    found = [int(match) for match in _NUMBER.findall(text)]
    if not found and isinstance(error, OSError):
        found = [number for said, number in _WORDS.items() if said in text]
    return next((number for number in found if number in _KINDS), None)


def _file(error: BaseException) -> Path | None:
    if isinstance(error, OSError):
        name = error.filename2 or error.filename
        if isinstance(name, bytes | str):
            return Path(os.fsdecode(name))
    named = _NAMED.search(str(error))
    return Path(named[1]) if named else None


def _existing(folder: Path) -> Path:
    """Give the folder, or the nearest one above it that is there."""
    with suppress(OSError):
        return next((path for path in (folder, *folder.parents) if path.is_dir()), Path())
    return Path()


def _named(folder: Path) -> Path:
    return Path.cwd() if folder == Path() else folder


def _free(folder: Path) -> int:
    try:
        room = os.statvfs(folder)
    except OSError:
        return 1 << 62
    return 0 if room.f_files and not room.f_favail else room.f_bavail * room.f_frsize


def _room(folder: Path) -> str:
    """Say how much room a disk has, as far as it tells."""
    try:
        room = os.statvfs(folder)
    except OSError as error:
        return f"how much room it has cannot be seen: {error.strerror}"
    free, size = (_size(blocks * room.f_frsize) for blocks in (room.f_bavail, room.f_blocks))
    # What was half written is gone by now.
    said = f"now {free} of {size} are free in {_named(folder)}"
    if room.f_files and not room.f_favail:
        return f"{said}, but it holds as many files as it can"
    return said


def _size(count: int) -> str:
    """Write a number of bytes for people.

    Examples
    --------
    >>> _size(0), _size(900), _size(20 * 2**20), _size(3 * 2**40)
    ('0 KB', '1 KB', '20.0 MB', '3.0 TB')
    """
    size = count / 1024
    for unit in ("KB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "KB" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TB"
