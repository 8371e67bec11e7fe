"""One log a job: what concerns people on the terminal, everything in the file."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType

from adnorm.base.errors import AdnormError
from adnorm.base.text import printable

#: What is said of an error that no check foresaw; the traceback is in the log.
UNFORESEEN = "an error that adnorm did not foresee:"
_LOGGER = logging.getLogger("adnorm")
#: Between what stands in the file and a warning: what somebody who waits is told.
WAITING = 25
#: A step tells how far it is at most so often, in seconds, and not before.
_TELL_EVERY = 10.0


def get_logger() -> logging.Logger:
    """Return the logger of the whole package."""
    return _LOGGER


def progress(sentence: str) -> None:
    """Note in the log file how a step went; the terminal has one line for each job already."""
    _LOGGER.info(sentence)


def how_far(sentence: str, at_once: bool = False) -> None:
    """Tell a person who waits how far a long step is; also kept in the log file.

    A job that is quickly done tells nothing on the terminal, unless `at_once`.
    """
    _LOGGER.log(WAITING, sentence, extra={"patient": not at_once})


class _Patience(logging.Filter):
    """Lets a job tell how far it is once it has taken long, and then not too often."""

    def __init__(self) -> None:
        super().__init__()
        self.told = time.monotonic()

    def filter(self, record: logging.LogRecord) -> bool:
        now = time.monotonic()
        if getattr(record, "patient", False) and now - self.told < _TELL_EVERY:
            return False
        self.told = now
        return True


logging.addLevelName(WAITING, "PROGRESS")


class Printable(logging.Formatter):
    """Lines of a log, in which the text of a cell cannot command a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def _versions(packages: tuple[str, ...]) -> str:
    known = []
    for name in packages:
        try:
            known.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(known)


class _LogFile(logging.FileHandler):
    """The log file of a job, which no second job of the same name writes at the same time.

    Who kills a run but not its jobs leaves them working; the next call starts the same jobs. Until
    such a job has ended, which the operating system notices, the new one waits.
    """

    def __init__(self, path: Path) -> None:
        # Not emptied before it is ours.
        super().__init__(path, mode="a", encoding="utf-8", errors="replace")
        self.file = -1 if self.stream is None else self.stream.fileno()
        self.broken = False
        if not self._locked():
            _LOGGER.warning(
                "the same job of a run that was killed still works (its log: %s); this one "
                "waits until it ends",
                path,
            )
            while not self._locked():
                time.sleep(1)
        with suppress(OSError):
            # Nothing to empty where the log is a device.
            os.ftruncate(self.file, 0)

    def _locked(self) -> bool:
        import fcntl

        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            # A file system without locks.
            pass
        return True

    def unlock(self) -> None:
        """Let another process have the file; this one may go on writing."""
        import fcntl

        with suppress(OSError, ValueError):
            fcntl.flock(self.file, fcntl.LOCK_UN)

    def close(self) -> None:
        self.file = -1
        # What could not be written once is tried again here.
        with suppress(OSError):
            super().close()

    def handleError(self, record: logging.LogRecord) -> None:
        """Say once that the file cannot be written; what a job makes is worth more than its log."""
        error = sys.exception()
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self.broken:
            self.broken = True
            _LOGGER.error("the log cannot be written any more: %s: %s", self.baseFilename, error)


def is_worked_on(log: Path) -> bool:
    """Whether a job runs that writes this log, as far as the file system tells."""
    import fcntl

    try:
        with log.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def start_log(
    path: Path | str | None, stage: str, cohort: str = "", packages: tuple[str, ...] = ()
) -> logging.Logger:
    """Send log records of this process to the terminal (short) and to a file (full).

    Also sets `sys.excepthook`: an `AdnormError` prints its paragraph alone and leaves its traceback
    in the file; any other exception prints both. Stage and cohort stand in front of every line on
    the terminal, the versions of `packages` open the file; without a path there is no file.
    """
    label = f"{cohort} · {stage}" if cohort else stage
    for old in _LOGGER.handlers:
        old.close()
    _LOGGER.handlers.clear()
    _LOGGER.setLevel(logging.DEBUG)
    _LOGGER.propagate = False
    terminal = logging.StreamHandler(sys.stderr)
    terminal.setLevel(WAITING)
    terminal.addFilter(_Patience())
    terminal.setFormatter(Printable(f"[{label}] %(message)s"))
    _LOGGER.addHandler(terminal)
    if path is not None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        file = _LogFile(Path(path))
        file.setFormatter(Printable("%(levelname)s %(message)s"))
        _LOGGER.addHandler(file)
        # Warnings of the libraries belong to the record of the job, not to the terminal.
        logging.captureWarnings(True)
        warnings_log = logging.getLogger("py.warnings")
        warnings_log.handlers = [file]
        warnings_log.propagate = False
    _LOGGER.debug("stage %s, cohort %s; %s", stage, cohort or "-", _versions(packages))
    sys.excepthook = report_error
    return _LOGGER


def end_log() -> None:
    """Let the next job have the log file of this one."""
    for handler in _LOGGER.handlers:
        if isinstance(handler, _LogFile):
            handler.unlock()


def report_error(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    """Tell of an error: a paragraph for one that people can mend, everything for any other."""
    _LOGGER.debug("traceback", exc_info=(kind, error, traceback))
    if issubclass(kind, KeyboardInterrupt):
        # Who interrupts a run knows, and is told by it.
        _LOGGER.info("interrupted")
    elif issubclass(kind, AdnormError):
        _LOGGER.error("STOPPED: %s", error)
    else:
        _LOGGER.error("%s %s: %s", UNFORESEEN, kind.__name__, error)
        sys.__excepthook__(kind, error, traceback)


@contextmanager
def warnings_collected(collected: list[str]) -> Iterator[None]:
    """Collect warnings, each once, in place of a log."""

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            message = record.getMessage()
            if message not in collected:
                collected.append(message)

    logger, handler = _LOGGER, Collector(logging.WARNING)
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate
