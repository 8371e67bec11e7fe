"""The download cache: files that some run fetched whole, for all cohorts, runs and users after it.

It lies outside of the results, in the folder that ``ADNORM_CACHE`` names (else ``adnorm`` in the
user's cache folder), and may be shared: between runs at the same time, computers and users.

``files/``
    The files, each under the SHA-256 of its bytes, so that one that was damaged is seen and one
    that two addresses give is kept once.
``addresses/``
    What came from an address: one JSON file each, under the SHA-256 of the address.
``parts/``
    Downloads that broke off, to be gone on with, and what their server called them.
``turns/``
    When each server was asked last.

Nothing gets into ``files/`` before its bytes were checked, and nothing is taken out of it before
its digest was.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path

from adnorm.base.errors import AdnormError, DiskError
from adnorm.base.files import atomic, digest_of, read_json, write_json
from adnorm.base.logs import how_far

#: The environment variable that names the folder.
VARIABLE = "ADNORM_CACHE"
#: Whoever may write into the folder may lock an address.
_LOCK_MODE = 0o666
_TELL_AFTER = 2.0
#: A turn that lies further ahead was written by a clock that was wrong.
_LONGEST_TURN = 60.0


@dataclass(frozen=True)
class Known:
    """A file that came from an address, and what its server called this version of it."""

    address: str
    sha256: str
    bytes: int
    #: Day on which it came.
    fetched: str
    etag: str | None = None
    last_modified: str | None = None


class Cache:
    """A download cache in a folder, which is made when it is first written to.

    Parameters
    ----------
    folder
        The folder; the one of this user unless another is named.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or _folder_of_user()

    def find(self, address: str) -> Known | None:
        """Say what came from an address, if it is still here."""
        try:
            known = Known(**read_json(self._note(address)))
        except (AdnormError, TypeError, ValueError, OSError):
            # Absent, or written by somebody else: it is fetched, and written again.
            return None
        right = known.address == address and self.file(known).is_file()
        return known if right else None

    def pinned(self, address: str, sha256: str) -> Known | None:
        """Find a file by its digest, wherever it came from."""
        known = Known(address, sha256, 0, "")
        try:
            size = self.file(known).stat().st_size
        except OSError:
            return None
        return replace(known, bytes=size)

    def file(self, known: Known) -> Path:
        """Say where a file lies; it is read and never written to."""
        return self.folder / "files" / known.sha256[:2] / known.sha256

    def take(self, known: Known, target: Path) -> bool:
        """Copy a file to its place in the results; ``False`` when it was damaged, and is gone."""
        with atomic(target) as temporary:
            try:
                shutil.copyfile(self.file(known), temporary)
            except FileNotFoundError:
                return False
            if digest_of(temporary) == (known.bytes, known.sha256):
                return True
        self.forget(known.sha256)
        return False

    def keep(
        self, address: str, path: Path, etag: str | None = None, last_modified: str | None = None
    ) -> Known:
        """Move a checked file in and note from where it came."""
        size, sha256 = digest_of(path)
        known = Known(address, sha256, size, date.today().isoformat(), etag, last_modified)
        place = self.file(known)
        with self._writing():
            self._made(place.parent)
            # Read by all who share the folder, changed by nobody.
            path.chmod(0o444)
            os.replace(path, place)
            self._note_down(known)
        return known

    def renew(self, known: Known) -> None:
        """Note that an address still gives the file that came from it."""
        with self._writing():
            self._note_down(replace(known, fetched=date.today().isoformat()))

    def forget(self, sha256: str) -> None:
        """Drop a file that turned out to be damaged, or to be another one than it should be."""
        with suppress(OSError):
            (self.folder / "files" / sha256[:2] / sha256).unlink()

    @contextmanager
    def alone(self, address: str, longest: float) -> Iterator[Path]:
        """Hold an address, so that one of several jobs downloads it and the others find it here.

        Parameters
        ----------
        address
            The address.
        longest
            Seconds to wait for who holds it now.

        Yields
        ------
        Path
            Where what has come so far stands. Where the file system has no locks, the name belongs
            to this job alone, so that nothing of another job is gone on with.
        """
        import filelock

        stem = self.folder / "parts" / _name(address)
        with self._writing():
            self._made(stem.parent)
        lock = filelock.FileLock(f"{stem}.lock", mode=_LOCK_MODE)
        part: Path | None = stem.with_suffix(".part")
        try:
            try:
                lock.acquire(timeout=_TELL_AFTER)
            except filelock.Timeout:
                how_far("waiting for another download of the same file", at_once=True)
                try:
                    lock.acquire(timeout=longest)
                except filelock.Timeout:
                    part = None
        except NotImplementedError:
            part = None
        except OSError as error:
            raise self.unwritable(error) from error
        own = part or stem.with_suffix(f".{secrets.token_hex(8)}.part")
        try:
            yield own
        finally:
            if part is None:
                own.unlink(missing_ok=True)
                note_of(own).unlink(missing_ok=True)
            lock.release()

    def wait_turn(self, server: str, per_second: float) -> None:
        """Wait until a server may be asked again; all jobs that share the cache stand in one line.

        Parameters
        ----------
        server
            Host and port.
        per_second
            Requests that it may get in a second.
        """
        import filelock

        path = self.folder / "turns" / _name(server)
        turn = now = time.time()
        with self._writing():
            self._made(path.parent)
            with suppress(NotImplementedError), filelock.FileLock(f"{path}.lock", mode=_LOCK_MODE):
                turn = now = time.time()
                try:
                    turn = float(path.read_text(encoding="ascii"))
                except (OSError, ValueError):
                    pass  # nobody has asked yet
                turn = max(now, turn) if turn - now < _LONGEST_TURN else now
                with atomic(path) as temporary:
                    temporary.write_text(repr(turn + 1 / per_second), encoding="ascii")
        time.sleep(max(0.0, turn - now))

    def _note(self, address: str) -> Path:
        return self.folder / "addresses" / f"{_name(address)}.json"

    def _note_down(self, known: Known) -> None:
        note = self._note(known.address)
        self._made(note.parent)
        write_json(asdict(known), note)

    def _made(self, folder: Path) -> None:
        if not folder.is_dir():
            self.folder.mkdir(parents=True, exist_ok=True)
            mode = stat.S_IMODE(self.folder.stat().st_mode)
            for path in (folder.parent, folder):
                if path.is_relative_to(self.folder) and not path.is_dir():
                    path.mkdir(exist_ok=True)
                    # Who may write into the cache may write into its folders, its group too.
                    path.chmod(mode)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self.unwritable(error) from error

    def unwritable(self, error: OSError) -> DiskError:
        """Say that the folder is full or closed."""
        return DiskError(
            f"{self.folder}: the download cache cannot be written ({error.strerror or error}). "
            f"Make room or mend its permissions, or name another folder: {VARIABLE}=FOLDER before "
            "the call"
        )


def note_of(part: Path) -> Path:
    """Say where it stands what the server called the version of a part."""
    return part.with_suffix(".json")


def _name(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _folder_of_user() -> Path:
    if named := os.environ.get(VARIABLE):
        return Path(named).expanduser()
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "adnorm"
