"""Names beside points that do not cover one another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from adnorm.figures.sheet import text_width
from adnorm.figures.theme import ALERT, INK, shorten

#: With more names than this a panel would hold nothing else; they are listed below or in the table.
MOST_NAMES = 6
_SHIFTS = [
    (s * dx, dy) for r in (1, 2, 3, 4) for dy in (0, r, -r) for dx in (1, 0) for s in (1, -1)
]


def name_points(
    axes: Axes,
    points: Sequence[tuple[float, float, str]],
    inches: tuple[float, float],
    others: Sequence[tuple[float, float]] = (),
) -> list[str]:
    """Ring points and write their names; return the names that had no place.

    Parameters
    ----------
    axes
        With all that sets its limits.
    points
        x, y (data) and name.
    inches
        Width and height of the axes.
    others
        All points (data); names keep off them.
    """
    # Limits that wait for the drawing are not in the transforms yet.
    axes.autoscale_view()
    taken: list[tuple[float, float, float, float]] = []
    seats = []
    many = len(points) > MOST_NAMES
    ring = {"ms": 6.5, "mew": 0.5} if many else {"ms": 9, "mew": 1.1}
    for x, y, name in points:
        axes.plot(x, y, "o", mfc="none", mec=ALERT, zorder=5, clip_on=False, **ring)
        across, up = _place(axes, x, y, inches)
        taken.append((across - 0.07, up - 0.07, across + 0.07, up + 0.07))
        seats.append((across, up, shorten(name, 22)))
    if many:
        return [name for _, _, name in points]
    crowd = []
    for x, y in others:
        across, up = _place(axes, x, y, inches)
        crowd.append((across - 0.03, up - 0.03, across + 0.03, up + 0.03))
    homeless = []
    for across, up, name in seats:
        size = text_width([name], 6.5) * 1.05
        boxes = _boxes(across, up, size, inches)
        crowded = taken + crowd
        free = (b for b in boxes if not any(_overlap(b, other) for other in crowded))
        box = next(free, None)
        if box is None:
            homeless.append(name)
            continue
        taken.append(box)
        _lead(axes, (across, up), box, inches, ALERT)
        style = {"size": 6.5, "color": ALERT, "zorder": 6, "transform": axes.transAxes}
        axes.text(box[0] / inches[0], (box[1] + 0.02) / inches[1], name, **style)
    return homeless


def _place(axes: Axes, x: float, y: float, inches: tuple[float, float]) -> tuple[float, float]:
    """Turn data into inches from the lower left corner of the axes, on any scale."""
    across, up = axes.transAxes.inverted().transform(axes.transData.transform((x, y)))
    return across * inches[0], up * inches[1]


def _lead(
    axes: Axes, point: tuple[float, float], box: tuple, inches: tuple[float, float], colour: str
) -> None:
    """Join a name with its point if something may stand between."""
    x = min(max(point[0], box[0]), box[2])
    y = min(max(point[1], box[1]), box[3])
    distance = ((x - point[0]) ** 2 + (y - point[1]) ** 2) ** 0.5
    if distance < 0.15:
        return
    ring = 0.07 / distance
    start = [p + ring * (e - p) for p, e in zip(point, (x, y), strict=True)]
    across = [start[0] / inches[0], x / inches[0]]
    up = [start[1] / inches[1], y / inches[1]]
    axes.plot(across, up, color=colour, lw=0.6, transform=axes.transAxes, zorder=5)


def _boxes(
    across: float, up: float, width: float, inches: tuple[float, float]
) -> Iterator[tuple[float, float, float, float]]:
    """Places for a name beside a point that lie inside the axes, nearer ones first."""
    for dx, dy in _SHIFTS:
        if not dx and not dy:
            continue
        left = across + 0.09 if dx > 0 else across - 0.09 - width if dx < 0 else across - width / 2
        low = up + dy * 0.13 - 0.05
        box = (left, low, left + width, low + 0.11)
        if box[0] >= 0 and box[1] >= 0 and box[2] <= inches[0] and box[3] <= inches[1]:
            yield box


def _overlap(a: tuple, b: tuple) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def label_points(
    axes: Axes,
    points: Sequence[tuple[float, float, str]],
    inches: tuple[float, float],
    others: np.ndarray,
) -> None:
    """Write names beside points, where they cover no other name and as few points as possible.

    Parameters
    ----------
    axes
        With final limits.
    points
        x, y (data) and name.
    inches
        Width and height of the axes.
    others
        All points (data), shape (points, 2); names keep off them where there is room.
    """
    size = np.array(inches)
    crowd = axes.transAxes.inverted().transform(axes.transData.transform(others)) * size
    taken: list[tuple[float, float, float, float]] = []
    for x, y, name in points:
        across, up = _place(axes, x, y, inches)
        width = text_width([name], 6.5) * 1.05
        free = [
            b for b in _boxes(across, up, width, inches) if not any(_overlap(b, o) for o in taken)
        ]
        if not free:
            continue
        # Nearer boxes stand first, and of equally crowded ones the first is taken.
        box = min(free, key=lambda b: _covered(crowd, b))
        taken.append(box)
        _lead(axes, (across, up), box, inches, INK)
        axes.plot(x, y, "o", ms=4.4, mfc="none", mec=INK, mew=0.7, zorder=5)
        edge = [withStroke(linewidth=1.8, foreground="white")]
        style = {"size": 6.5, "color": INK, "zorder": 6, "transform": axes.transAxes}
        low = (box[1] + 0.02) / inches[1]
        axes.text(box[0] / inches[0], low, name, path_effects=edge, **style)


def _covered(crowd: np.ndarray, box: tuple[float, float, float, float]) -> int:
    inside = (crowd > np.array(box[:2]) - 0.02) & (crowd < np.array(box[2:]) + 0.02)
    return int(inside.all(axis=1).sum())
