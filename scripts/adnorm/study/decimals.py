"""Numbers as people write them: decimal commas, long minus signs, and words for no number.

And patterns that would read 21 in 21,5 or 2 in week -2.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pandas as pd

from adnorm.base.errors import listing

#: What spreadsheets and people write where nothing was measured. "none" is not among them: an
#: itch of none is 0.
MISSING_WORDS = (
    *("na", "n/a", "n.a.", "#n/a", "<na>", "nan", "null", "nd", "n.d.", "n/d", "n.a", "n.d"),
    *("not done", "not determined", "not available", "not applicable", "not assessed"),
    *("not measured", "not recorded", "not collected", "missing", "unknown", "unk"),
    *(".", "..", "...", "-", "--", "---", "–", "—", "?", "*", "k.a.", "k. a.", "keine angabe"),
)
_COMMA = r"[-+]?\d+,\d+"
#: Three digits behind a comma may be thousands; these cannot.
_DECIMAL = re.compile(r"[-+]?(?:\d+,(?:\d{1,2}|\d{4,})|0,\d+|\d+,\d+[eE][-+]?\d+)")
#: 1.250 may be thousands beside commas.
_DECIMAL_POINT = re.compile(r"[-+]?(?:\d*\.(?:\d{1,2}|\d{4,})|0?\.\d+)(?:[eE][-+]?\d+)?")
#: Hyphens and dashes that stand for a minus.
MINUS = "-\u2010\u2011\u2012\u2013\u2014\u2212\ufe63\uff0d"
_NUMBER = re.compile(rf"[{MINUS}+]?(?:\d+(?:[.,]\d+)?|[.,]\d+)(?:[eE][-+]?\d+)?")
#: Reads the whole of a number out of a text, whichever its decimal mark.
NUMBER_PATTERN = "(?P<value>[-+]?[0-9]+(?:[.,][0-9]+)?)"


def is_number(text: str) -> bool:
    """Whether a text is one number, with a decimal point or comma.

    Examples
    --------
    >>> [is_number(text) for text in ("8,7", "-2", "\\u22122", ".5", "8 7", "W2", "")]
    [True, True, True, True, False, False, False]
    """
    return _NUMBER.fullmatch(text.strip()) is not None


def says_missing(text: str) -> bool:
    """Whether a text says that there is no value.

    Examples
    --------
    >>> [says_missing(text) for text in ("n.d.", "NA", "not_done", "none", "0")]
    [True, True, True, False, False]
    """
    return re.sub(r"[\s_]+", " ", text.strip().casefold()) in MISSING_WORDS


def plain_minus(text: str) -> str:
    """Write a long minus or a dash before a number as ``-``.

    Examples
    --------
    >>> plain_minus("\\u22122"), plain_minus("a\\u20132")
    ('-2', 'a\\u20132')
    """
    text = text.strip()
    return f"-{text[1:]}" if text[:1] in tuple(MINUS) and is_number(text) else text


def whole_number(text: str, start: int, end: int) -> tuple[int, int]:
    """Find the number of a text that a part of it belongs to.

    Parameters
    ----------
    text
        A cell.
    start, end
        Where the part is: ``text[start:end]``.

    Returns
    -------
    (start, end)
        The same when the part is a number of its own. A dash counts as a minus when no letter or
        digit stands before it.

    Examples
    --------
    >>> [text[slice(*whole_number(text, 0, 2))] for text in ("21,5", "21 (2)", "21.5.24", "21e3")]
    ['21,5', '21', '21.5.24', '21e3']
    >>> whole_number("week -2", 6, 7), whole_number("week-2", 5, 6)
    ((5, 7), (5, 6))
    """
    while end < len(text):
        if text[end].isnumeric():
            end += 1
        elif text[end] in ".,'’" and text[end + 1 : end + 2].isdigit():
            end += 2
        elif exponent := re.match(r"[eE][-+]?\d+(?![^\W_])", text[end:]):
            end += exponent.end()
        else:
            break
    while start:
        before = text[start - 2 : start - 1] if start > 1 else ""
        if text[start - 1].isdigit():
            start -= 1
        elif text[start - 1] in ".,'’" and (before.isdigit() or not before.isalnum()):
            start -= 1
        else:
            break
    before = text[start - 2 : start - 1] if start > 1 else ""
    if start and text[start - 1] in MINUS and not before.isalnum():
        start -= 1
    return start, end


def surely_decimal(text: str) -> bool:
    """Whether a number has a comma that can only be a decimal mark.

    Examples
    --------
    >>> [surely_decimal(text) for text in ("8,7", "0,125", "1,250", "8.7")]
    [True, True, False, False]
    """
    return _DECIMAL.fullmatch(text) is not None


def with_points(texts: pd.Series) -> pd.Series:
    """Write decimal commas as points, where a column leaves no doubt that they are decimal.

    Parameters
    ----------
    texts
        One column; values that are no text stay.

    Returns
    -------
    Series
        Unchanged when no value can only be decimal. Beside numbers with a point, every one of
        either kind must be decimal for itself.

    Examples
    --------
    >>> with_points(pd.Series(["8,7", "10,125", "NA"])).tolist()
    ['8.7', '10.125', 'NA']
    >>> with_points(pd.Series(["1,250", "3,100"])).tolist()
    ['1,250', '3,100']
    >>> with_points(pd.Series(["8,7", "25.3"])).tolist()
    ['8.7', '25.3']
    """
    written = texts[texts.map(lambda value: isinstance(value, str))].str.strip()
    commas = written[written.str.fullmatch(_COMMA).astype(bool)]
    points = written[written.str.fullmatch(r"[-+]?[\d,]*\.\d+").astype(bool)]
    if len(points):
        alone = commas.map(surely_decimal).all()
        if not alone or not points.str.fullmatch(_DECIMAL_POINT.pattern).all():
            return texts
    elif not commas.map(surely_decimal).any():
        return texts
    changed = texts.copy()
    changed[commas.index] = commas.str.replace(",", ".")
    return changed


def cut_numbers(
    values: pd.Series, key: str, pattern: str, span: Callable[[str], tuple[int, int] | None]
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
    rows = [
        (cell, *_number_within(cell, *(span(cell) or (0, 0)))) for cell in dict.fromkeys(values)
    ]
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
    """Find a number in a cell: the whole, what the pattern takes, a doubtful dash, the word before.

    A dash between a letter and the number may be a minus or not.
    """
    part = cell[start:end]
    start += len(part) - len(part.lstrip())
    taken = part.strip()
    if not is_number(taken):
        return taken, taken, False, ""
    first, last = whole_number(cell, start, start + len(taken))
    dash = first == start > 1 and cell[start - 1] in MINUS and cell[start - 2].isalpha()
    before = re.search(r"[^\W\d_]*[\s_.:#]*$", cell[: start - dash])
    return cell[first:last], taken, dash, before[0].strip().casefold() if before else ""
