"""Names beside points that do not cover one another."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from adnorm.figures.sheet import text_width
from adnorm.figures.theme import ALERT, shorten

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
        With final limits.
    points
        x, y (data) and name.
    inches
        Width and height of the axes.
    others
        All points (data); names keep off them.
    """
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
        box = _free_box(across, up, size, taken + crowd, inches)
        if box is None:
            homeless.append(name)
            continue
        taken.append(box)
        _lead(axes, (across, up), box, inches)
        style = {"size": 6.5, "color": ALERT, "zorder": 6, "transform": axes.transAxes}
        axes.text(box[0] / inches[0], (box[1] + 0.02) / inches[1], name, **style)
    return homeless


def _place(axes: Axes, x: float, y: float, inches: tuple[float, float]) -> tuple[float, float]:
    """Turn data into inches from the lower left corner of the axes, on any scale."""
    across, up = axes.transAxes.inverted().transform(axes.transData.transform((x, y)))
    return across * inches[0], up * inches[1]


def _lead(axes: Axes, point: tuple[float, float], box: tuple, inches: tuple[float, float]) -> None:
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
    axes.plot(across, up, color=ALERT, lw=0.6, transform=axes.transAxes, zorder=5)


def _free_box(
    across: float, up: float, width: float, taken: list, inches: tuple[float, float]
) -> tuple[float, float, float, float] | None:
    for dx, dy in _SHIFTS:
        if not dx and not dy:
            continue
        left = across + 0.09 if dx > 0 else across - 0.09 - width if dx < 0 else across - width / 2
        low = up + dy * 0.13 - 0.05
        box = (left, low, left + width, low + 0.11)
        inside = box[0] >= 0 and box[1] >= 0 and box[2] <= inches[0] and box[3] <= inches[1]
        if inside and not any(_overlap(box, other) for other in taken):
            return box
    return None


def _overlap(a: tuple, b: tuple) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
