"""Answers on the terminal."""

from __future__ import annotations

import json
import os
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


def say(text: str) -> None:
    """Print an answer; a reader that has seen enough (`| head`) does not stop the work."""
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
