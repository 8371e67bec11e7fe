"""One run at a time in a results folder: a lock that says who holds it.

Snakemake locks its working directory; two runs from two directories on one results folder would
write over each other. The operating system frees this lock when the process that holds it ends,
however it ends; a run that was killed is followed by the next one without a word from the user.
"""

from __future__ import annotations

import atexit
import errno
import os
import shlex
import socket
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from adnorm.base.errors import AdnormError
from adnorm.base.storage import refusal

#: The file in the results folder; it is there while a run goes on.
NAME = ".running"
_FIELDS = ("process", "host", "folder", "since")
_HELD: dict[Path, _Lock] = {}


@dataclass(frozen=True)
class Holder:
    """Who runs in a results folder, or did when it was killed."""

    process: int
    host: str
    #: Its working directory.
    folder: str
    since: str

    @classmethod
    def here(cls) -> Holder:
        """Describe this process."""
        now = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        return cls(os.getpid(), socket.gethostname(), os.getcwd(), now)

    @classmethod
    def read(cls, text: str) -> Holder | None:
        """Read what `written` gives; ``None`` for anything else."""
        values = dict(line.partition(": ")[::2] for line in text.splitlines())
        if not all(values.get(name) for name in _FIELDS) or not values["process"].isdecimal():
            return None
        return cls(int(values["process"]), *(values[name] for name in _FIELDS[1:]))

    def written(self) -> str:
        """Give one line a field."""
        return "".join(f"{name}: {getattr(self, name)}\n" for name in _FIELDS)

    def __str__(self) -> str:
        return (
            f"process {self.process} on {self.host}, started in {self.folder} "
            f"on {self.since.replace(' ', ' at ', 1)}"
        )


@dataclass
class _Lock:
    """A lock file of this process, and whether the folder was made for it."""

    file: int
    owner: int
    made_folder: bool


def hold(results: Path | str) -> Holder | None:
    """Take a results folder (made if absent) for this process until it ends; again is harmless.

    The first call gives the run that held the folder before, if that was killed.

    Raises
    ------
    AdnormError
        Another run holds it (the message says which), or the folder cannot be written.
    """
    folder = Path(results).resolve()
    path = folder / NAME
    if path in _HELD:
        return None
    made_folder, file, killed = not folder.exists(), None, None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = _locked(path, results)
        killed = _holder(file)
        text = Holder.here().written().encode()
        # In this order a full disk does not lose who was killed here.
        os.pwrite(file, text, 0)
        os.ftruncate(file, len(text))
    except OSError as error:
        # While the folder is there that it names.
        words = refusal(error, folder) or (
            f"{results}: this folder cannot be written ({error.strerror}); choose another one "
            "(results: in the configuration) or mend its permissions"
        )
        if file is not None:
            if not killed:
                _remove(path, made_folder)
            os.close(file)
        raise AdnormError(words) from error
    _HELD[path] = _Lock(file, os.getpid(), made_folder)
    atexit.register(release, folder)
    return killed


def is_held(results: Path | str) -> bool:
    """Whether a run that may live holds a results folder; this one counts, too.

    Nothing is locked for the answer: that could turn away a run that begins just then.
    """
    try:
        holder = Holder.read((Path(results) / NAME).read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return False
    # Who cannot be looked at from here is believed.
    return holder is not None and (holder.host != socket.gethostname() or _lives(holder))


def release(results: Path | str) -> None:
    """Give a results folder back; a child of the process that took it cannot."""
    path = Path(results).resolve() / NAME
    lock = _HELD.get(path)
    if lock is None or os.getpid() != lock.owner:
        return
    del _HELD[path]
    _remove(path, lock.made_folder)
    os.close(lock.file)


def _remove(path: Path, made_folder: bool) -> None:
    """Remove the lock file, and the folder if it was made for it and nothing was written."""
    with suppress(OSError):
        path.unlink()
        if made_folder:
            path.parent.rmdir()


def _locked(path: Path, results: Path | str) -> int:
    """Open the lock file and lock it, or say who has it."""
    import fcntl

    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o664)
        try:
            free = True
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                    free = False
                elif error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS):
                    raise
                else:
                    # A file system without locks: what the file says must do.
                    free = not _lives(_holder(file))
            holder = _holder(file)
            if not free:
                raise AdnormError(_held(results, holder))
            if holder and holder.host != socket.gethostname():
                raise AdnormError(_elsewhere(results, holder, path))
            with suppress(FileNotFoundError):
                # The run that had it may have removed it between opening and locking.
                if os.path.samestat(os.fstat(file), os.stat(path)):
                    return file
        except BaseException:
            os.close(file)
            raise
        os.close(file)


def _holder(file: int) -> Holder | None:
    os.lseek(file, 0, os.SEEK_SET)
    text = os.read(file, 1 << 16).decode("utf-8", "replace")
    os.lseek(file, 0, os.SEEK_SET)
    return Holder.read(text)


def _lives(holder: Holder | None) -> bool:
    """Whether a process of this host still runs; those of other hosts are asked for elsewhere."""
    if holder is None or holder.host != socket.gethostname():
        return False
    try:
        os.kill(holder.process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _held(results: Path | str, holder: Holder | None) -> str:
    return (
        f"{results}: another run writes into this folder: {holder or 'it has just begun'}. Wait "
        "until it ends, or name another folder for this run (results: in the configuration)"
    )


def _elsewhere(results: Path | str, holder: Holder, path: Path) -> str:
    return (
        f"{results}: a run on another computer holds this folder: {holder}. From here nobody can "
        f"see whether it still runs. If it does not, remove its lock (rm {shlex.quote(str(path))}) "
        "and call again"
    )
