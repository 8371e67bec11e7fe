"""What a disk refuses is told in one paragraph, whichever library heard of it."""

from __future__ import annotations

import errno
import os
import re
from types import SimpleNamespace

import pytest

from adnorm.base import storage
from adnorm.base.errors import AdnormError
from adnorm.base.storage import refusal
from adnorm.fetch.cache import Cache

FULL = "Unable to synchronously create dataset (file write failed: errno = 28, error message = 'x')"


def wrapped(inner, outer):
    """Raise an error for another one, as libraries do."""
    try:
        try:
            raise inner
        except type(inner) as error:
            raise outer from error
    except type(outer) as error:
        return error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOSPC, "x"), "the disk is full"),
        (OSError(errno.EDQUOT, "x"), "the disk quota is used up"),
        (OSError(errno.EROFS, "x", "a/b.tsv"), "the file system is read-only"),
        (OSError(errno.EFBIG, "x"), "larger than may be written there"),
        (OSError(errno.EIO, "x"), "the disk, or the connection to it, failed"),
        (OSError(errno.ESTALE, "x"), "the connection to the disk was lost"),
        (OSError(errno.ENAMETOOLONG, "x", "a" * 300), "longer than the file system allows"),
        (PermissionError(errno.EACCES, "x", "a/b.tsv"), "there is no permission"),
        (PermissionError(errno.EPERM, "x", "a/b.tsv"), "the system does not permit it"),
        # HDF5, also when it closes; polars; a library that keeps the words alone.
        (OSError(FULL), "the disk is full"),
        (RuntimeError(f"Can't decrement id ref count: {FULL}"), "the disk is full"),
        (RuntimeError("Quota (os error 122)"), "the disk quota is used up"),
        (OSError(f"write: {os.strerror(errno.ENOSPC)}"), "the disk is full"),
        (wrapped(OSError(errno.ENOSPC, "x"), ValueError("while writing 'X'")), "the disk is full"),
        (wrapped(OSError(errno.ENOSPC, "x"), AdnormError("cannot copy")), "the disk is full"),
    ],
)
def test_what_a_disk_refuses_is_told_by_its_kind(tmp_path, error, told):
    words = refusal(error, tmp_path)
    assert told in words
    assert words.endswith("Then call again: the run goes on and repeats only what is lacking")
    assert "\n" not in words


@pytest.mark.parametrize(
    "error",
    [
        ValueError("28"),
        FileNotFoundError(errno.ENOENT, "x", "a"),
        ConnectionRefusedError(errno.ECONNREFUSED, "x"),
        # A firewall refuses a connection with the number of a file without permission.
        PermissionError(errno.EACCES, "x"),
        # Its own sentence says more than the kind.
        wrapped(PermissionError(errno.EACCES, "x", "a"), AdnormError("a: not readable")),
        AdnormError(f"sheet.csv: the cell '[Errno 28] {os.strerror(errno.ENOSPC)}' is no number"),
    ],
)
def test_other_errors_are_left_as_they_are(error):
    assert refusal(error) is None


def test_the_result_is_named_and_not_its_temporary_file(tmp_path):
    part = tmp_path / ".index.0123456789abcdef.part.tsv"
    words = refusal(OSError(errno.ENOSPC, "x", str(part)))
    assert words.startswith(f"{tmp_path / 'index.tsv'}: the disk is full (")
    assert re.search(rf"[\d.]+ [KMGT]B of [\d.]+ [KMGT]B are free in {tmp_path}\)", words)


def test_a_rename_is_told_by_its_target(tmp_path):
    error = OSError(errno.EDQUOT, "x", str(tmp_path / "a.part"), None, str(tmp_path / "b.tsv"))
    assert refusal(error).startswith(f"{tmp_path / 'b.tsv'}: the disk quota")


def test_a_disk_that_holds_no_more_files_says_so(tmp_path, monkeypatch):
    inodes = SimpleNamespace(f_files=9, f_favail=0, f_bavail=50, f_blocks=99, f_frsize=1 << 20)
    monkeypatch.setattr(storage.os, "statvfs", lambda path: inodes)
    words = refusal(OSError(errno.ENOSPC, "x", str(tmp_path / "new" / "a.tsv")))
    assert f"50.0 MB of 99.0 MB are free in {tmp_path}, but it holds as many files as" in words


def test_a_full_folder_for_temporary_files_is_named(tmp_path, monkeypatch):
    rooms = {"out": 500, "tmp": 0}

    def room(path):
        return SimpleNamespace(
            f_files=9, f_favail=9, f_bavail=rooms[path.name], f_blocks=999, f_frsize=1024
        )

    for name in rooms:
        (tmp_path / name).mkdir()
    monkeypatch.setattr(storage.os, "statvfs", room)
    monkeypatch.setattr(storage.tempfile, "gettempdir", lambda: str(tmp_path / "tmp"))
    error = OSError(errno.ENOSPC, "x")
    assert refusal(error, tmp_path / "out").startswith(f"{tmp_path / 'tmp'}: the disk is full")
    rooms["tmp"] = 900
    assert refusal(error, tmp_path / "out").startswith(f"{tmp_path / 'out'}: the disk is full")


def test_who_knows_the_folder_of_a_full_disk_is_believed(tmp_path):
    """The download cache is another disk than the results, and is named otherwise."""
    full = OSError(errno.ENOSPC, "No space left on device")
    told = Cache(tmp_path / "cache").unwritable(full)
    told.__cause__ = full
    assert refusal(told, tmp_path / "results") is None
    assert str(tmp_path / "cache") in str(told) and "ADNORM_CACHE=FOLDER" in str(told)
    other = AdnormError("no file could be written")
    other.__cause__ = full
    assert "the disk is full" in refusal(other, tmp_path / "results")
