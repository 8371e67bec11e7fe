"""What killed runs leave outside their results, and how the next run knows that nobody uses it.

Snakemake removes its temporary files when it ends. A run that is killed leaves

- in the working directory, the script of each job that ran (`.snakemake/scripts/tmp*.py`). Its
  preamble names the log of the job, and with it the results folder. It is removed if no run that
  may live holds that folder, and no job writes that log.
- in the folder for temporary files and in Snakemake's cache, one folder for each run. `mark` puts
  a file beside them that the run holds locked; the operating system frees the lock when the process
  ends, however it ends. A folder with a mark that nobody holds is removed, one without is not ours.
"""

from __future__ import annotations

import ast
import atexit
import os
import pickletools
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path, PurePath

from adnorm.base.logs import is_worked_on
from adnorm.base.run_lock import is_held

#: As Python's `tempfile` names them.
_SCRIPT = re.compile(r"tmp[a-z0-9_]{8}\.(\w+\.py)")
_PREAMBLE = re.compile(rb"pickle\.loads\((b(?P<quote>['\"]).*?(?<!\\)(?:\\\\)*(?P=quote))\);")
_PREAMBLE_END = b"snakemake preamble end"
#: A script is written in a moment; what is half of one after these seconds stays so.
_HALF_WRITTEN = 60


def mark_of(folder: Path) -> Path:
    """Name the file that marks a temporary folder as in use."""
    return folder.with_name(f".{folder.name}.adnorm")


def mark(folders: Iterable[Path | str]) -> None:
    """Mark temporary folders of this process as in use until it ends."""
    import fcntl

    for folder in map(Path, folders):
        # Where files cannot be locked or written nothing is marked, and so nothing removed.
        with suppress(OSError):
            marked = mark_of(folder)
            new = marked.with_name(f"{marked.name}-{os.getpid()}")
            file = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Under its name only when it is locked.
                new.rename(marked)
            except OSError:
                new.unlink()
                os.close(file)
                raise
            atexit.register(_unmark, marked, file, os.getpid())


def _unmark(marked: Path, file: int, owner: int) -> None:
    # A child that was forked ends earlier than the run.
    if os.getpid() == owner:
        with suppress(OSError):
            marked.unlink(missing_ok=True)
        os.close(file)


def remove_folders(beside: Iterable[Path | str]) -> list[Path]:
    """Remove temporary folders of runs that were killed.

    Parameters
    ----------
    beside
        Folders of a run that lives: those of other runs lie beside them and are called alike.

    Returns
    -------
    What was removed.
    """
    removed = []
    for known in map(Path, beside):
        # The end of the name is random.
        alike = known.with_name(f"{known.name[:-8]}????????")
        for marked in sorted(known.parent.glob(mark_of(alike).name)):
            folder = marked.with_name(marked.name[1 : -len(".adnorm")])
            if folder != known and _left_alone(marked):
                # Somebody else may have put it there: of links nothing is removed.
                shutil.rmtree(folder, ignore_errors=True)
                with suppress(OSError):
                    marked.unlink()
                removed.append(folder)
    return removed


def _left_alone(marked: Path) -> bool:
    """Whether a mark is of this user and nobody holds it."""
    import fcntl

    try:
        file = os.open(marked, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return os.fstat(file).st_uid == os.getuid()
    except OSError:
        return False
    finally:
        os.close(file)


def remove_scripts(scripts: Path | str, names: Iterable[str], results: Path | str) -> list[Path]:
    """Remove scripts of jobs whose run was killed.

    Parameters
    ----------
    scripts
        Where Snakemake writes them; paths in them are relative to the working directory.
    names
        Entry scripts of this workflow: those of others are left alone.
    results
        The folder that this run holds, none of whose own jobs runs at the moment.

    Returns
    -------
    What was removed.
    """
    removed, own, ours = [], Path(results).resolve(), set(names)
    for script in sorted(Path(scripts).glob("tmp*.py")):
        named = _SCRIPT.fullmatch(script.name)
        if not named or named[1] not in ours:
            continue
        with suppress(OSError):
            if _is_abandoned(script, own):
                script.unlink(missing_ok=True)
                removed.append(script)
    return removed


def _is_abandoned(script: Path, own: Path) -> bool:
    text = script.read_bytes()
    if _PREAMBLE_END not in text:
        return time.time() - script.stat().st_mtime > _HALF_WRITTEN
    logs = list(_logs(text))
    folders = {log.parents[2].resolve() for log in logs}
    return (
        bool(folders)
        and all(folder == own or not is_held(folder) for folder in folders)
        and not any(map(is_worked_on, logs))
    )


def _logs(script: bytes) -> Iterator[Path]:
    """List what may be the log of a job among the texts that its script was given.

    The object of the job is not brought to life, which would run what it says, but read.
    """
    try:
        found = _PREAMBLE.search(script)
        pickled = ast.literal_eval(found[1].decode()) if found else b""
        for _, text, _ in pickletools.genops(pickled) if pickled else ():
            # RESULTS/COHORT/logs/STAGE.log
            if isinstance(text, str) and text.endswith(".log"):
                path = PurePath(text)
                if len(path.parts) > 2 and path.parts[-2] == "logs" and "\0" not in text:
                    yield Path(path)
    # Of another Snakemake: nobody can say whose it is.
    except (ValueError, SyntaxError, IndexError):
        return
