"""The annotated heatmap: seaborn's heatmap with blocks of rows, tracks, marks and missing cells.

Marsilea was tried on sets × samples (48 × 201, version 0.8.1): the same bytes twice, but 1.4 s more
to import and an SVG of 2 MB where this one has 0.1, because every cell is a vector. It writes the
names of blocks beside them, not above, and its size is that of the page, not of a row.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.patheffects import withStroke

from adnorm.figures.sheet import Sheet
from adnorm.figures.theme import FAINT, INK, Style, diverging, readable_ink
from adnorm.study.vocabulary import Direction

#: Inches of a row, and of a track with the gap below it.
ROW, TRACK = 0.158, 0.15
#: Sign of the direction in lesional skin, with a colour of the same diverging map.
DIRECTIONS: dict[str, tuple[str, str]] = {
    Direction.UP: ("▲", "#A9373B"),
    Direction.DOWN: ("▼", "#2369BD"),
}
#: Headings with the names of the rows below them.
Blocks = Sequence[tuple[str, Sequence[str]]]


class Line(NamedTuple):
    """A line of a heatmap: a heading, or the row of a name."""

    text: str
    heading: bool


def lines_of_blocks(blocks: Blocks) -> list[Line]:
    """List headings and rows from above; blocks without rows are left out.

    Examples
    --------
    >>> [line.text for line in lines_of_blocks([("Itch", ["a", "b"]), ("Empty", [])])]
    ['Itch', 'a', 'b']
    """
    return [
        line
        for heading, names in blocks
        if names
        for line in [Line(heading, True), *(Line(name, False) for name in names)]
    ]


def runs(values: Iterable[Hashable]) -> list[tuple[Any, int, int]]:
    """List runs of equal values with their start and end.

    Examples
    --------
    >>> runs(["a", "a", "b"])
    [('a', 0, 2), ('b', 2, 3)]
    """
    found, start = [], 0
    for value, members in groupby(values):
        end = start + sum(1 for _ in members)
        found.append((value, start, end))
        start = end
    return found


def annotated_heatmap(
    sheet: Sheet,
    values: pd.DataFrame,
    blocks: Blocks,
    y: float,
    width: float,
    limit: float,
    *,
    label: Callable[[str], str] = str,
    direction: Callable[[str], str] | None = None,
    marks: pd.DataFrame | None = None,
    outlined: bool = False,
    cuts: Iterable[tuple[int, float]] = (),
) -> float:
    """Draw rows in blocks; the mesh starts at x = 0. Missing cells are grey.

    Parameters
    ----------
    sheet
        Where to.
    values, blocks
        Rows × columns, and which rows stand below which heading.
    y, width
        Upper edge and width in inches.
    limit
        Values beyond ± this are drawn in the last colour.
    label
        Row name → text left of the row.
    direction
        Row name → up, down or anything else (no sign).
    marks
        Texts in the cells, as `values`.
    outlined
        Draw the marks dark with a white edge in every cell; else they are dark or white.
    cuts
        Columns before which a white line stands, with its width in points.

    Returns
    -------
    float
        Lower edge in inches.
    """
    # Imported here: the heatmaps of the index do without.
    import seaborn as sns

    lines = lines_of_blocks(blocks)
    # Names occur once, so that a heading finds no row and leaves an empty one.
    names = [None if line.heading else line.text for line in lines]
    matrix = values.reindex(names).to_numpy(dtype=float)
    axes = sheet.axes(0, y, width, ROW * len(lines))
    colours = diverging()
    look: Style = {"cbar": False, "xticklabels": False, "yticklabels": False}
    # A mesh of thousands of vector cells makes an SVG that browsers open slowly.
    look |= {"cmap": colours, "vmin": -limit, "vmax": limit, "rasterized": True}
    sns.heatmap(matrix, ax=axes, **look)
    if marks is not None:
        inks = colours(Normalize(-limit, limit)(np.ma.masked_invalid(matrix)))
        _write_marks(axes, marks.reindex(names).fillna("").to_numpy(), inks, outlined)
    for position, thickness in cuts:
        axes.axvline(position, color="white", linewidth=thickness, zorder=2)
    for position, (text, heading) in enumerate(lines):
        middle = y + ROW * (position + 0.5)
        if heading:
            axes.axhspan(position, position + 1, color="white", lw=0, zorder=3)
            sheet.text(0.02, middle + 0.01, text, size=7.5, weight="bold", va="center")
            continue
        sign, colour = DIRECTIONS.get(direction(text) if direction else "", ("", INK))
        if sign:
            sheet.text(-0.11, middle, sign, size=6, color=colour, ha="center", va="center")
        gap = -0.21 if direction else -0.07
        sheet.text(gap, middle, label(text), size=7, ha="right", va="center")
    return y + ROW * len(lines)


def _write_marks(axes: Axes, marks: np.ndarray, colours: np.ndarray, outlined: bool) -> None:
    """Write the marks that are there; seaborn would make a text for every empty cell, too."""
    # What lies inside the mesh need not be measured to find the size of the page.
    look: Style = {"ha": "center", "va": "center_baseline", "in_layout": False}
    if outlined:
        look["path_effects"] = [withStroke(linewidth=1.6, foreground="white")]
    for row, column in np.argwhere(marks != ""):
        ink = INK if outlined else readable_ink(tuple(colours[row, column, :3]))
        place = (column + 0.5, row + 0.5, marks[row, column])
        axes.text(*place, color=ink, size=6.5 if outlined else 6, **look)


def draw_tracks(
    sheet: Sheet,
    tracks: Mapping[str, tuple[Sequence[Hashable], Mapping[Any, str]]],
    y: float,
    width: float,
) -> float:
    """Draw annotation tracks above the columns; return the lower edge.

    A track is by its name the value of each column, and the colour of each value.
    """
    if not tracks:
        return y
    codes: list[list[int]] = []
    palette: list[str] = []
    for values, colours in tracks.values():
        known = {key: len(palette) + i for i, key in enumerate(colours)}
        codes.append([known[value] for value in values])
        palette += colours.values()
    axes = sheet.axes(0, y, width, TRACK * len(tracks))
    axes.set(xticks=[], yticks=[], ylim=(len(tracks), 0))
    axes.spines[:].set_visible(False)
    # Not by seaborn, which draws the whole figure to see whether labels overlap.
    style: Style = {"cmap": ListedColormap(palette), "vmin": -0.5, "vmax": len(palette) - 0.5}
    axes.pcolormesh(np.array(codes), rasterized=True, **style)
    for position, name in enumerate(tracks):
        # The gap of the last track is the place of the mesh below.
        axes.axhline(position + 1, color="white", lw=2.6, clip_on=False)
        middle = y + TRACK * (position + 0.43)
        sheet.text(-0.07, middle, name, size=6.5, color=FAINT, ha="right", va="center")
    return y + TRACK * len(tracks)


# ---------------------------------------------------------------- order of rows


def scale_rows(values: pd.DataFrame) -> pd.DataFrame:
    """Give every row mean 0 and standard deviation 1; rows that do not vary become missing."""
    mean = values.mean(axis=1)
    spread = values.std(axis=1)
    # Rounding leaves a tiny spread in a constant row.
    varies = spread > 1e-9 * mean.abs().clip(lower=1.0)
    return values.sub(mean, axis=0).div(spread.where(varies), axis=0)


def similar_order(values: pd.DataFrame) -> list[str]:
    """Order rows so that similar ones are neighbours; rows with missing values come last."""
    from scipy.cluster.hierarchy import leaves_list, linkage

    complete = values.index[np.isfinite(values.to_numpy()).all(axis=1)]
    rest = sorted(set(values.index) - set(complete))
    if len(complete) < 3 or values.shape[1] < 2:
        return [*complete, *rest]
    tree = linkage(values.loc[complete].to_numpy(), "average", optimal_ordering=True)
    return [*complete[leaves_list(tree)], *rest]


def effect_order(
    genes: Iterable[str], effects: pd.Series, directions: Mapping[str, str]
) -> list[str]:
    """Order genes: those that should go up, those that should go down, strongest first.

    `effects` are lesional log2 fold changes; genes without one come last.

    Examples
    --------
    >>> effects = pd.Series({"A": -1.0, "B": -2.0, "C": 2.0})
    >>> effect_order(["A", "B", "C", "D"], effects, {"A": "down", "B": "down", "C": "up"})
    ['C', 'B', 'A', 'D']
    """

    def key(gene: str) -> tuple[bool, bool, float, str]:
        down = directions.get(gene) == Direction.DOWN
        effect = float(effects.get(gene, 0.0))
        return (gene not in effects.index, down, effect if down else -effect, gene)

    return sorted(genes, key=key)
