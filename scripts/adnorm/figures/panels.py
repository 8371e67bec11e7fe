"""What small panels share: lines at 0 and 1, limits, visits, and names beside points."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MultipleLocator

from adnorm.figures.sheet import text_width
from adnorm.figures.theme import DASHED, INK, NORMAL, shorten

#: Values beyond these leave the panel; the table has them.
FARTHEST = (-1.5, 2.5)
#: Distances in points at which a name is tried, and the least that needs a lead.
DISTANCES, NO_LEAD = (0.5, 4.0, 8.0, 13.0, 19.0, 26.0, 34.0), 3.0
#: A name rather covers one point than stands six points (1/72 inch) farther; radius of a point.
COST_OF_DISTANCE, MARKER = 0.16, 1.5
ZERO_ONE_NOTE = "Solid line: 0, no change since baseline; dashed: 1, the level of {skin} skin."


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


def zero_and_one(axes: Axes, across: bool = True) -> None:
    """Draw the lines of no change (0) and of reference skin (1); ticks at halves."""
    (axes.yaxis if across else axes.xaxis).set_major_locator(MultipleLocator(0.5))
    draw = axes.axhline if across else axes.axvline
    draw(0, color=INK, lw=0.6, zorder=0)
    draw(1, color=NORMAL, lw=0.9, ls=DASHED, zorder=0)


def week_ticks(axes: Axes, weeks: Iterable[float]) -> None:
    """Label the visits on the x axis; baseline is week 0."""
    ordered = sorted({0.0, *weeks})
    pad = 0.07 * max(ordered[-1], 1)
    axes.set_xlim(-pad, ordered[-1] + pad)
    axes.set_xticks(ordered, [f"{week:g}" for week in ordered])


def draw_bold(axes: Axes, x: Sequence[float], y: Sequence[float]) -> None:
    """Draw the mean or median over the thin lines of patients."""
    axes.plot(x, y, color="white", lw=3.6, zorder=4)
    axes.plot(x, y, color=INK, lw=1.9, marker="o", ms=3.4, zorder=5)


def wrapped(label: str, limit: int, line: int) -> str:
    """Shorten a label and break it into lines."""
    return textwrap.fill(shorten(label, limit), line)


def name_points(
    axes: Axes,
    points: Sequence[tuple[float, float, str]],
    others: np.ndarray,
    colour: str,
    ring: float = 3.0,
) -> list[str]:
    """Write names beside points: off one another, near, and over as few other points as possible.

    adjustText was tried: its springs push names far from their points, along leads that cross
    others, and take a second for two panels.

    Parameters
    ----------
    axes
        With final limits.
    points
        x, y (data) and name.
    others
        All points (data), one per row.
    colour
        Of names and leads.
    ring
        Radius in points that names keep off the points they belong to.

    Returns
    -------
    list of str
        Names that had no place.
    """
    look: dict[str, Any] = {"size": 6.5, "color": colour, "zorder": 6, "ha": "center"}
    look |= {"va": "center", "path_effects": [withStroke(linewidth=1.8, foreground="white")]}
    lead = {"arrowstyle": "-", "color": colour, "lw": 0.6, "shrinkA": 0, "shrinkB": ring}
    # Everything in points (1/72 inch) from the corner of the page.
    scale = 72 / axes.figure.dpi
    crowd = axes.transData.transform(others) * scale
    places = axes.transData.transform([point[:2] for point in points] or np.empty((0, 2))) * scale
    edges = axes.bbox.get_points() * scale
    turns = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    ways = np.tile(np.column_stack([np.cos(turns), np.sin(turns)]), (len(DISTANCES), 1))
    gaps = np.repeat(DISTANCES, len(turns))[:, None]
    along = np.linspace(0.1, 0.9, 9)[:, None]
    # Names keep off the rings of the others, and off the names that stand already.
    taken = [(place - ring, place + ring) for place in places]
    homeless = []
    for (x, y, name), place in zip(points, places, strict=True):
        half = np.array([72 * text_width([name], 6.5) / 2 + 1, 4.0])
        shifts = ways * (half + gaps + ring)
        low, high = place + shifts - half, place + shifts + half
        free = ((low >= edges[0]) & (high <= edges[1])).all(axis=1)
        crossed = np.zeros(len(shifts))
        leads = place + shifts[:, None] * along
        for below, above in taken:
            free &= ~((low < above) & (high > below)).all(axis=1)
            own = (below <= place).all() and (above >= place).all()
            inside = (leads > below) & (leads < above)
            crossed += 0 if own else inside.all(axis=2).any(axis=1)
        if not free.any():
            homeless.append(name)
            continue
        covered = (crowd > low[:, None] - MARKER) & (crowd < high[:, None] + MARKER)
        cost = covered.all(axis=2).sum(axis=1) + 8 * crossed + COST_OF_DISTANCE * gaps[:, 0]
        best = int(np.where(free, cost, np.inf).argmin())
        taken.append((low[best], high[best]))
        arrow = lead if gaps[best, 0] > NO_LEAD else None
        # Names that follow keep off this lead as off points.
        crowd = np.vstack([crowd, *([leads[best]] if arrow else [])])
        offset = {"xytext": tuple(shifts[best]), "textcoords": "offset points"}
        axes.annotate(name, (x, y), arrowprops=arrow, **offset, **look)
    return homeless
