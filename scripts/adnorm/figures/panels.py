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

from adnorm.figures.theme import DASHED, INK, NORMAL, shorten

#: Values beyond these leave the panel; the table has them.
FARTHEST = (-1.5, 2.5)
#: Steps of the placing of names: a limit in seconds would give other bytes on a busy machine.
STEPS = 200
#: Pixels of a square that points share as an obstacle.
SQUARE = 8
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
    beside: bool = False,
) -> list[str]:
    """Write names beside points, off one another and off the other points where there is room.

    Parameters
    ----------
    axes
        With final limits.
    points
        x, y (data) and name.
    others
        All points (data), one a row.
    colour
        Of names and leads.
    ring
        Radius in points that names keep off the points they belong to.
    beside
        Start right of the points: good for many names, whose right side is free; else on them.

    Returns
    -------
    list of str
        Names that had no place.
    """
    if not points:
        return []
    # Imported here: most figures have no names beside points.
    from adjustText import adjust_text

    edge = [withStroke(linewidth=1.8, foreground="white")]
    style: dict[str, Any] = {"size": 6.5, "color": colour, "zorder": 6, "path_effects": edge}
    texts = [axes.text(x, y, name, ha="center", va="center", **style) for x, y, name in points]
    places = np.array([point[:2] for point in points], dtype=float)
    renderer = axes.figure.canvas.get_renderer()
    pixels = ring * axes.figure.dpi / 72
    if beside:
        # Many names find their places from there in fewer steps than from on their points.
        for text, (x, y) in zip(texts, axes.transData.transform(places), strict=True):
            start = x + text.get_window_extent(renderer).width / 2 + 1.5 * pixels, y + 4
            text.set_position(axes.transData.inverted().transform(start))
    turn = np.linspace(0, 2 * np.pi, 6, endpoint=False)
    circle = np.column_stack([np.cos(turn), np.sin(turn)]) * pixels
    around = axes.transData.transform(places)[:, None, :] + circle
    crowd = np.vstack([axes.transData.transform(others), around.reshape(-1, 2)])
    # One point of each small square is as good an obstacle as all that lie in it.
    crowd = np.unique((crowd / SQUARE).round(), axis=0) * SQUARE
    crowd = axes.transData.inverted().transform(crowd)
    _, leads = adjust_text(
        texts,
        *crowd.T,
        target_x=places[:, 0],
        target_y=places[:, 1],
        ax=axes,
        # A name may stay where it starts beside its point.
        avoid_self=not beside,
        iter_lim=STEPS,
        expand=(1.2, 1.5),
        force_text=(0.5, 0.8),
        force_static=(1.0, 1.5),
        force_pull=(0.01, 0.01) if beside else (0.03, 0.03),
        max_move=40,
        force_explode=(0, 0) if beside else (0.5, 1.5),
        explode_radius=60,
        min_arrow_len=9,
        arrowprops={"arrowstyle": "-", "color": colour, "lw": 0.6, "shrinkB": ring, "zorder": 5},
    )
    taken, homeless = [], []
    for text in texts:
        box = text.get_window_extent(renderer)
        if any(box.overlaps(other) for other in taken):
            homeless.append(text)
        else:
            taken.append(box)
    for artist in [*(lead for lead in leads if lead.patchA in homeless), *homeless]:
        artist.remove()
    return [text.get_text() for text in homeless]
