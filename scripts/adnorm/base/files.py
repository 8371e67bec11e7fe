"""Files that are whole or not there: atomic writing, digests, and JSON."""

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


def remove_leftovers(folder: Path | str, names: Iterable[str] | None = None) -> None:
    """Remove the temporary files of writers that were killed; nobody may be writing there.

    `names` are the files that were written; ``None`` is for all in the folder, which may be absent.
    """
    folder, names = Path(folder), None if names is None else set(names)
    for path in folder.iterdir() if folder.is_dir() else ():
        left = _LEFTOVER.fullmatch(path.name)
        if left and (names is None or left[1] + (left[2] or "") in names):
            path.unlink(missing_ok=True)


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
