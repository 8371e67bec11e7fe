"""Numbers written with a decimal comma, as spreadsheets of many countries write them."""

from __future__ import annotations

import pandas as pd

_COMMA = r"[-+]?\d+,\d+"
#: Three digits behind a comma may be thousands; these cannot.
_DECIMAL = r"[-+]?(?:\d+,(?:\d{1,2}|\d{4,})|0,\d+)"


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
    if points.any() or not commas.str.fullmatch(_DECIMAL).any():
        return texts
    changed = texts.copy()
    changed[commas.index] = commas.str.replace(",", ".")
    return changed
