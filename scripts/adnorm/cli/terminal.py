"""Answers on the terminal."""

from __future__ import annotations

import os
import sys


def say(text: str) -> None:
    """Print an answer; a reader that has seen enough (`| head`) does not stop the work."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")
