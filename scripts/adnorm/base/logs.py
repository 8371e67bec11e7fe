"""One log a job: progress for people on the terminal, everything in the file."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType

from adnorm.base.errors import AdnormError
from adnorm.base.text import printable

#: What is said of an error that no check foresaw; the traceback is in the log.
UNFORESEEN = "an error that adnorm did not foresee:"
_LOGGER = logging.getLogger("adnorm")


def get_logger() -> logging.Logger:
    """Return the logger of the whole package."""
    return _LOGGER


def progress(sentence: str) -> None:
    """Tell a person how far a long step is; also kept in the log file."""
    _LOGGER.info(sentence)


class _Printable(logging.Formatter):
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


def start_log(
    path: Path | str | None, stage: str, cohort: str = "", packages: tuple[str, ...] = ()
) -> logging.Logger:
    """Send log records of this process to the terminal (short) and to a file (full).

    Also sets `sys.excepthook`: an `AdnormError` prints its paragraph alone and leaves its traceback
    in the file; any other exception prints both.

    Parameters
    ----------
    path
        The log file; ``None`` logs to the terminal only.
    stage, cohort
        Put in front of every line on the terminal, so that parallel jobs can be told apart.
    packages
        Distribution names whose versions open the log file.
    """
    label = f"{cohort} · {stage}" if cohort else stage
    _LOGGER.handlers.clear()
    _LOGGER.setLevel(logging.DEBUG)
    _LOGGER.propagate = False
    terminal = logging.StreamHandler(sys.stderr)
    terminal.setLevel(logging.INFO)
    terminal.setFormatter(_Printable(f"[{label}] %(message)s"))
    _LOGGER.addHandler(terminal)
    if path is not None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        file = logging.FileHandler(path, mode="w", encoding="utf-8", errors="replace")
        file.setFormatter(_Printable("%(levelname)s %(message)s"))
        _LOGGER.addHandler(file)
        # Warnings of the libraries belong to the record of the job, not to the terminal.
        logging.captureWarnings(True)
        warnings_log = logging.getLogger("py.warnings")
        warnings_log.handlers = [file]
        warnings_log.propagate = False
    _LOGGER.debug("stage %s, cohort %s; %s", stage, cohort or "-", _versions(packages))
    sys.excepthook = report_error
    return _LOGGER


def report_error(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    """Tell of an error: a paragraph for one that people can mend, everything for any other."""
    _LOGGER.debug("traceback", exc_info=(kind, error, traceback))
    if issubclass(kind, AdnormError):
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
