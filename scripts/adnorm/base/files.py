"""Files that are whole or not there: atomic writing, digests, and JSON."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from adnorm.base.errors import AdnormError


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
        # On a disk that fails, the error that was raised says more than this one would.
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def digest_of(path: Path | str) -> tuple[int, str]:
    """Return the size in bytes and the SHA-256 of a file."""
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return file.tell(), digest


def check_digest(path: Path, name: str, expected: str | None, where: str) -> None:
    """Refuse a file, called `name`, that is not the one whose SHA-256 is pinned in `where`."""
    if expected is not None and (found := digest_of(path)[1]) != expected:
        raise AdnormError(
            f"{where}: {name} has the SHA-256 {found}, but pinned is {expected}. Somebody changed "
            "the file since it was pinned. Put the pinned version back, or, if the new one is "
            "right, write its digest in the configuration"
        )


_LEFTOVER = re.compile(r"\.(.*)\.[0-9a-f]{16}\.part(\.[^.]*)?")


def written_as(path: Path) -> Path:
    """Give the path that a temporary file of `atomic` is written for; any other one is its own.

    Examples
    --------
    >>> str(written_as(Path("lab/.index.0123456789abcdef.part.tsv")))
    'lab/index.tsv'
    """
    left = _LEFTOVER.fullmatch(path.name)
    return path.with_name(left[1] + (left[2] or "")) if left else path


def remove_leftovers(folder: Path | str, names: Iterable[str] | None = None) -> None:
    """Remove the temporary files of writers that were killed; nobody may be writing there.

    `names` are the files that were written; ``None`` is for all in the folder, which may be absent.
    """
    folder, names = Path(folder), None if names is None else set(names)
    for path in folder.iterdir() if folder.is_dir() else ():
        result = written_as(path).name
        if result != path.name and (names is None or result in names):
            path.unlink(missing_ok=True)


def write_json(value: object, path: Path | str) -> None:
    """Write plain values as sorted, indented JSON."""
    with atomic(path) as temporary:
        temporary.write_text(
            json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8"
        )


def read_json(path: Path | str) -> dict[str, Any]:
    """Read a JSON file that holds an object; one that is absent, damaged or no JSON is named."""
    path = Path(path)
    again = "remove it, and the next call makes it again"
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise AdnormError(
            f"{path}: this file is missing; run the stage that writes it again"
        ) from error
    except json.JSONDecodeError as error:
        raise AdnormError(
            f"{path}: not valid JSON at line {error.lineno}: {error.msg}; {again}"
        ) from error
    except (ValueError, RecursionError, OSError) as error:
        # No UTF-8, a number of thousands of digits, lists in lists in lists, a disk that fails.
        reason = str(error).partition("; ")[0]
        raise AdnormError(f"{path}: this file cannot be read ({reason}); {again}") from error
    if not isinstance(value, dict):
        raise AdnormError(f"{path}: this JSON is no object of keys and values; {again}")
    return value


def is_entry(value: object) -> bool:
    """Whether a line of a manifest says what it must, and names a file of its own folder.

    Examples
    --------
    >>> entry = {"role": "table", "name": "counts.csv", "sha256": "9f86"}
    >>> is_entry(entry), is_entry(entry | {"name": "../counts.csv"}), is_entry(["counts.csv"])
    (True, False, False)
    """
    if not isinstance(value, dict):
        return False
    words = [value.get(key) for key in ("role", "name", "sha256")]
    if not all(isinstance(word, str) and word and "\0" not in word for word in words):
        return False
    return Path(value["name"]).name == value["name"]
