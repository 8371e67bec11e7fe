"""Numbers written with a decimal comma, as spreadsheets of many countries write them."""

from __future__ import annotations

import re

import pandas as pd

_COMMA = r"[-+]?\d+,\d+"
#: Three digits behind a comma may be thousands; these cannot.
_DECIMAL = re.compile(r"[-+]?(?:\d+,(?:\d{1,2}|\d{4,})|0,\d+|\d+,\d+[eE][-+]?\d+)")


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
        Unchanged when no value can only be decimal, or when a number has a point too.

    Examples
    --------
    >>> with_points(pd.Series(["8,7", "10,125", "NA"])).tolist()
    ['8.7', '10.125', 'NA']
    >>> with_points(pd.Series(["1,250", "3,100"])).tolist()
    ['1,250', '3,100']
    """
    written = texts[texts.map(lambda value: isinstance(value, str))].str.strip()
    commas = written[written.str.fullmatch(_COMMA).astype(bool)]
    points = written.str.fullmatch(r"[-+]?[\d,]*\.\d+").astype(bool)
    if points.any() or not commas.map(surely_decimal).any():
        return texts
    changed = texts.copy()
    changed[commas.index] = commas.str.replace(",", ".")
    return changed
