"""Answers on the terminal."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import traceback

from adnorm.base.errors import AdnormError
from adnorm.base.logs import UNFORESEEN
from adnorm.base.text import printable


def prepare() -> None:
    """Let a terminal of any encoding show any text: what it lacks becomes its code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _overwrites() -> bool:
    """Whether messages go to a terminal that can clear a line."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def step(text: str) -> None:
    """Tell what is done now: on a terminal a line that the next one overwrites, else a line."""
    text = printable(text).replace("\n", " ")
    if not _overwrites():
        print(text, file=sys.stderr, flush=True)
        return
    width = shutil.get_terminal_size().columns - 1
    print(f"\r{text[:width]}\x1b[K", end="", file=sys.stderr, flush=True)


def clear_step() -> None:
    """Take the line of the last step away, if it is one that would be overwritten."""
    if _overwrites():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def say(text: str) -> None:
    """Print an answer; a reader that has seen enough (`| head`) does not stop the work."""
    clear_step()
    try:
        print(printable(text), flush=True)
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")


def say_json(value: object) -> None:
    """Print plain values as JSON that is whole in any encoding of the terminal."""
    plain = (sys.stdout.encoding or "ascii").lower().replace("-", "") != "utf8"
    say(json.dumps(value, indent=2, ensure_ascii=plain))


def warn(text: str) -> None:
    """Tell on the terminal what is no answer: how far the work is, or why it stopped."""
    clear_step()
    print(printable(text), file=sys.stderr)


def in_words(error: Exception) -> str:
    """Say an error in one paragraph; of one that nobody foresaw the traceback is kept in a file."""
    if isinstance(error, AdnormError):
        return str(error)
    with tempfile.NamedTemporaryFile(
        "w", prefix="adnorm-", suffix=".log", delete=False, encoding="utf-8", errors="replace"
    ) as file:
        traceback.print_exception(error, file=file)
    return (
        f"{UNFORESEEN} {type(error).__name__}: {error}. Its traceback is in {file.name}: please "
        "report it with the file that it was about"
    )
