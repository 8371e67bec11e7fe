"""Refuses patterns that read 21 in 21,5 or 2 in week -2."""

from __future__ import annotations

import re
from collections.abc import Callable

import pandas as pd

from adnorm.base.errors import listing
from adnorm.study.decimals import MINUS, NUMBER_PATTERN, is_number, plain_minus, whole_number


def cut_numbers(
    values: pd.Series, key: str, pattern: str, span: Callable[[str], tuple[int, int]]
) -> str:
    """Say of which numbers a pattern leaves a part unread.

    Parameters
    ----------
    values
        Raw values of a field, in which the pattern finds something.
    key, pattern
        For the message.
    span
        Says where in a cell the pattern finds it.

    Returns
    -------
    str
        Empty if every number is read whole.
    """
    rows = [(cell, *_number_within(cell, *span(cell))) for cell in dict.fromkeys(values)]
    found = pd.DataFrame(rows, columns=["cell", "whole", "taken", "dash", "before"])
    # wk-1 beside wk16 is a minus; Week-0 and Week-4 have a mark.
    mixed = found.groupby("before")["dash"].transform("nunique") > 1
    minus = found["dash"] & mixed
    found.loc[minus, "whole"] = "-" + found.loc[minus, "whole"]
    cut = found[found["whole"] != found["taken"]]
    if cut.empty:
        return ""
    number = values.isin(set(cut["cell"]))
    taken = [f"{cell} → {part}" for cell, part in zip(cut["cell"], cut["taken"], strict=True)]
    anywhere = found["cell"].map(lambda cell: re.search(NUMBER_PATTERN, cell))
    right = [m is not None and plain_minus(m["value"]) for m in anywhere]
    advice = (
        f"write `pattern: '{NUMBER_PATTERN}'`"
        if right == found["whole"].map(plain_minus).tolist()
        else "let the group take a number whole, with its sign and all decimals"
    )
    return (
        f"pattern: '{pattern}' leaves a part of the "
        f"number unread in {number.sum()} samples (cell of the key '{key}' → what it takes): "
        f"{listing(taken, 6)} (first: sample {values.index[number][0]}); {advice}, or say "
        f"below `values:` what {listing(cut['taken'].unique(), 3)} stands for"
    )


def _number_within(cell: str, start: int, end: int) -> tuple[str, str, bool, str]:
    """Find a number in a cell: the whole of it, what the pattern takes, and what is before.

    Returns
    -------
    (whole, taken, dash, before)
        Whether a dash stands between a letter and the number, which may be a minus or not, and
        the word before it.
    """
    part = cell[start:end]
    start += len(part) - len(part.lstrip())
    taken = part.strip()
    if not is_number(taken):
        return taken, taken, False, ""
    first, last = whole_number(cell, start, start + len(taken))
    dash = first == start > 1 and cell[start - 1] in MINUS and cell[start - 2].isalpha()
    before = re.search(r"[^\W\d_]*[\s_.:#]*$", cell[: start - dash])[0]
    return cell[first:last], taken, dash, before.strip().casefold()
