"""The regular expressions of cohort files, searched within a time limit.

What may be written is the language of Python's `re`. Some expressions, such as ``(a+)+$``, take it
longer than the age of the universe for a cell of forty letters, so they are searched by the module
`regex`, which can be given a limit. The two find the same, but for a few characters that are
no letters and digits: ``\\w`` takes combining accents and leaves superscripts and fractions (``²``,
``½``), so that ``\\b`` may stand elsewhere beside these, and ``\\s`` leaves the four separators of
teletypes (``\\x1c`` to ``\\x1f``).
"""

from __future__ import annotations

import re
import time
import warnings
from functools import lru_cache

import regex

from adnorm.base.errors import AdnormError

#: Seconds of the processor for one cell, and for all cells that one expression is searched in.
MOST_SECONDS, MOST_SECONDS_OF_ALL = 2.0, 20.0
#: Characters of an expression, and its parts when all repeats (``{9}``) are written out, as `regex`
#: writes them: more takes seconds and gigabytes to prepare alone.
LONGEST, MOST_PARTS = 2_000, 20_000
_SHOWN = 60
#: An escaped character, a class of characters, a count of repeats, or any other character.
_PART = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{(?P<least>\d+)(?:,\d*)?\}|.", re.DOTALL)


class SlowPatternError(AdnormError):
    """An expression takes longer than anybody means it to."""


class Pattern:
    """A regular expression of a cohort file.

    Parameters
    ----------
    text
        The expression; `fault_of` says what is wrong with it.
    case
        Whether capital letters differ from small ones.
    """

    def __init__(self, text: str, case: bool = False) -> None:
        self.text = text
        flags = regex.VERSION0 if case else regex.VERSION0 | regex.IGNORECASE
        with warnings.catch_warnings():
            # What may mean something else in a later version of Python.
            warnings.simplefilter("ignore")
            self._compiled = regex.compile(text, flags)
        self._spent = 0.0
        self._slow = ""

    def search(self, cell: str) -> regex.Match[str] | None:
        """Find the expression in a cell.

        Raises
        ------
        SlowPatternError
            It takes too long, here or over all cells so far; the message quotes the expression
            and the cell. The next call raises at once.
        """
        if self._slow:
            raise SlowPatternError(self._slow)
        begin = time.process_time()
        try:
            found = self._compiled.search(cell, timeout=MOST_SECONDS)
        except TimeoutError:
            self._refuse(f"takes more than {MOST_SECONDS:g} seconds for", cell)
        self._spent += time.process_time() - begin
        if self._spent > MOST_SECONDS_OF_ALL:
            self._refuse(
                f"has taken {MOST_SECONDS_OF_ALL:g} seconds for the cells so far, the last of "
                "which is",
                cell,
            )
        return found

    def _refuse(self, what: str, cell: str) -> None:
        shown = cell if len(cell) <= _SHOWN else f"{cell[:_SHOWN]}…"
        self._slow = (
            f"'{self.text}' {what} the cell '{shown}' ({len(cell):,} characters). Repeats "
            "within repeats, such as `(a+)+`, and several `.*` try every way to divide a text: "
            "write each part of the cell once, such as `[0-9]+`, and leave out what the value "
            "does not need"
        )
        raise SlowPatternError(self._slow) from None


@lru_cache(maxsize=4096)
def compiled(text: str, case: bool = False) -> Pattern:
    """Prepare an expression in which `fault_of` finds nothing wrong; the same text once."""
    return Pattern(text, case)


def groups_of(text: str) -> frozenset[str]:
    """List the named groups of an expression in which `fault_of` finds nothing wrong.

    Examples
    --------
    >>> sorted(groups_of("week (?P<value>[0-9]+)"))
    ['value']
    """
    return frozenset(re.compile(text).groupindex)


def fault_of(text: str) -> str:
    """Say why an expression cannot be used; empty when it can.

    Examples
    --------
    >>> fault_of("week ("), fault_of("(?P<value>[0-9]+)")
    ('is not a regular expression: missing ), unterminated subpattern at position 5', '')
    """
    if len(text) > LONGEST:
        return f"has {len(text):,} characters; at most {LONGEST:,} are allowed"
    if _parts_of(text) > MOST_PARTS:
        return (
            f"has more than {MOST_PARTS:,} parts when what it repeats (`{{…}}`) is written out; "
            "write `+` or `*` for many times"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            re.compile(text)
        except RecursionError:
            return "is not a regular expression: its groups stand in one another hundreds deep"
        except (re.error, ValueError, OverflowError) as error:
            return f"is not a regular expression: {error}"
    try:
        compiled(text)
    except Exception as error:  # noqa: BLE001 -- a parser of another language, fed with anything
        return f"cannot be searched within a time limit: {error}; write it more simply"
    return ""


def _parts_of(text: str) -> float:
    """Count the parts of an expression as if its repeats were written out."""
    open_groups, parts, last = [], 0.0, 0.0
    for part in _PART.finditer(text):
        if part[0] == "(":
            open_groups.append(parts)
            parts, last = 0.0, 0.0
            continue
        if part["least"]:
            # The part before stands so often; no number of digits makes this slow.
            more = last * (float(part["least"][:9]) - 1)
            last += max(more, 0.0)
            parts += max(more, 0.0)
            continue
        if part[0] == ")" and open_groups:
            last, parts = parts + 1, parts + 1 + open_groups.pop()
            continue
        last, parts = 1.0, parts + 1
    return parts + sum(open_groups)
