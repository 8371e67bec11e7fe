"""The heatmap that all heatmap figures share: one mesh, row labels, headings, marks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from adnorm.figures.sheet import Sheet
from adnorm.figures.theme import INK, diverging, readable_ink

ROW = 0.158
#: Sign of the direction in lesional skin, with a colour of the same diverging map.
DIRECTIONS = {"up": ("▲", "#A9373B"), "down": ("▼", "#2369BD")}


def draw_grid(
    sheet: Sheet,
    y: float,
    width: float,
    matrix: np.ndarray,
    lines: list[tuple[str, str]],
    limit: float,
    label: Callable[[str], str] = str,
    direction: Callable[[str], str] | None = None,
    marks: np.ndarray | None = None,
    outlined: bool = False,
) -> tuple[Axes, float]:
    """Draw a matrix whose rows stand in blocks.

    Parameters
    ----------
    sheet
        Where to; the mesh starts at x = 0.
    y, width
        Upper edge and width in inches.
    matrix, lines
        From `rows.expand`.
    limit
        Values beyond ± this are drawn in the last colour.
    label
        Row name → text left of the row.
    direction
        Row name → up, down or anything else (no sign).
    marks
        Texts in the cells, the shape of `matrix`.
    outlined
        Draw the marks dark with a white edge in every cell; else they are dark or white.

    Returns
    -------
    axes : Axes
        Of the mesh; one unit a cell.
    end : float
        Lower edge in inches.
    """
    height = ROW * len(lines)
    axes = sheet.axes(0, y, width, height)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    values = np.ma.masked_invalid(matrix)
    style = {"cmap": diverging(), "vmin": -limit, "vmax": limit}
    # A mesh of thousands of vector cells makes an SVG that browsers open slowly.
    mesh = axes.pcolormesh(values, rasterized=True, **style)
    axes.set(xlim=(0, matrix.shape[1]), ylim=(len(lines), 0))
    if marks is not None:
        _write_marks(axes, marks, mesh.to_rgba(values), outlined)
    for position, (kind, text) in enumerate(lines):
        middle = y + ROW * (position + 0.5)
        if kind == "heading":
            axes.add_patch(Rectangle((0, position), matrix.shape[1], 1, color="white", zorder=3))
            sheet.text(0.02, middle + 0.01, text, size=7.5, weight="bold", va="center")
            continue
        sign, colour = DIRECTIONS.get(direction(text) if direction else "", ("", INK))
        if sign:
            sheet.text(-0.11, middle, sign, size=6, color=colour, ha="center", va="center")
        gap = -0.21 if direction else -0.07
        sheet.text(gap, middle, label(text), size=7, ha="right", va="center")
    return axes, y + height


def _write_marks(axes: Axes, marks: np.ndarray, colours: np.ndarray, outlined: bool) -> None:
    """Write the marks that are there; most cells have none."""
    style: dict[str, object] = {"size": 6, "ha": "center", "va": "center_baseline"}
    if outlined:
        edge = withStroke(linewidth=1.6, foreground="white")
        style |= {"size": 6.5, "path_effects": [edge]}
    for row, column in np.argwhere(marks != ""):
        ink = INK if outlined else readable_ink(colours[row, column, :3])
        # What lies inside the mesh need not be measured to find the size of the page.
        place = (column + 0.5, row + 0.5, marks[row, column])
        axes.text(*place, color=ink, in_layout=False, **style)


def empty_note(names: list[str], what: str) -> list[str]:
    """Write one note that lists names, or none."""
    return [f"{what} ({len(names)}): {', '.join(names)}"] if names else []
