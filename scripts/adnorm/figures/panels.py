"""What the small panels of the index share: lines at 0 and 1, intervals, reasons for emptiness."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MultipleLocator

from adnorm.figures.index_cells import DERIVED, REFERENCES, published_axis_label
from adnorm.figures.shared import CohortMaterial
from adnorm.figures.theme import INK

#: Values beyond these leave the panel; the table has them.
FARTHEST = (-1.5, 2.5)
PRIMARY_ANALYSIS = "primary"


def score_label(material: CohortMaterial, name: str) -> str:
    """Write the name of a score for people; scores of the index are no gene sets."""
    if name in DERIVED:
        return DERIVED[name][0]
    # A published list of disease genes is known by the name of its file.
    known = name in material.sets.index
    return str(material.sets.loc[name, "label"]) if known else published_axis_label(name)


def digits(value: float) -> str:
    """Write a number with two digits and a true minus.

    Examples
    --------
    >>> digits(-0.004), digits(-0.25)
    ('0.00', '−0.25')
    """
    return f"{round(value, 2) + 0.0:.2f}".replace("-", "−")


def interval_text(value: float, lower: float, upper: float) -> str:
    """Write an estimate with its interval.

    Examples
    --------
    >>> interval_text(0.5, -0.1, 1.1)
    '0.50 (−0.10 to 1.10)'
    """
    return f"{digits(value)} ({digits(lower)} to {digits(upper)})"


def known_reference(rows: pd.DataFrame, column: str) -> str:
    """Choose the reference to draw: nonlesional skin where there is any number, else healthy."""
    known = set(rows.loc[rows[column].notna(), "reference"])
    return next((reference for reference in REFERENCES if reference in known), "")


def why_no_index(material: CohortMaterial, rows: pd.DataFrame) -> str:
    """Say in one sentence why some scores have no index.

    Parameters
    ----------
    material
        The cohort.
    rows
        reference, name, reason of these scores; empty if the cohort has no visit.
    """
    if rows.empty:
        why = material.why_no("change")
        return f"an index needs lesional skin before and after treatment; {why}"
    parts = []
    for reference in sorted(set(rows["reference"]), reverse=True):
        mine = rows[rows["reference"] == reference]
        said = [
            f"{reason} ({', '.join(score_label(material, n) for n in names)})"
            for reason, names in _by_reason(mine).items()
        ]
        parts.append(f"against {reference} skin: {'; '.join(said)}")
    return true_minus(". ".join(["no index could be estimated", *parts]).rstrip("."))


def _by_reason(rows: pd.DataFrame) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in rows.drop_duplicates("name").itertuples(index=False):
        found.setdefault(str(row.reason) or "no interval", []).append(row.name)
    return found


def range_of(columns: Iterable[pd.Series], low: float, high: float) -> tuple[float, float]:
    """Limits that hold 0, 1 and all values, up to `FARTHEST`, with a margin."""
    values = np.concatenate([np.asarray(c, dtype=float) for c in columns])
    values = np.clip(values[np.isfinite(values)], *FARTHEST)
    low, high = min([low, *values]), max([high, *values])
    margin = 0.05 * (high - low)
    return low - margin, high + margin


def ends_inside(rows: pd.DataFrame) -> pd.Series:
    """Tell which intervals (lower, upper) end within the farthest limits of a panel."""
    return rows["lower"].ge(FARTHEST[0]) & rows["upper"].le(FARTHEST[1])


def true_minus(text: str) -> str:
    """Write the minus signs of numbers as such.

    Examples
    --------
    >>> true_minus("non-lesional is -0.2")
    'non-lesional is −0.2'
    """
    return re.sub(r"(?<!\w)-(?=\d)", "−", text)


def zero_and_one(axes: Axes, across: bool = True) -> None:
    """Draw the lines of no change (0) and of reference skin (1); ticks at halves."""
    (axes.yaxis if across else axes.xaxis).set_major_locator(MultipleLocator(0.5))
    draw = axes.axhline if across else axes.axvline
    draw(0, color=INK, lw=0.6, zorder=0)
    draw(1, color="#16837A", lw=0.9, ls=(0, (4, 2)), zorder=0)


def week_ticks(axes: Axes, weeks: Iterable[float]) -> None:
    """Label the visits on the x axis; baseline is week 0."""
    ordered = sorted({0.0, *weeks})
    pad = 0.07 * max(ordered[-1], 1)
    axes.set_xlim(-pad, ordered[-1] + pad)
    axes.set_xticks(ordered, [f"{week:g}" for week in ordered])


ZERO_ONE_NOTE = "Solid line: 0, no change since baseline; dashed: 1, the level of {skin} skin."
