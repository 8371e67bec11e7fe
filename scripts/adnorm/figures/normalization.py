"""The normalization heatmap: how far every set is back from disease, in each arm and week."""

from __future__ import annotations

import textwrap
from functools import cache
from itertools import groupby

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from adnorm.figures.index_cells import COLUMNS, NOT_DEFINED, SHORT, Cells, list_cells
from adnorm.figures.index_notes import EXPLORATORY, reason_notes
from adnorm.figures.names import TITLES
from adnorm.figures.shared import CohortMaterial
from adnorm.figures.sheet import Sheet, message_sheet, text_width, wrap_words
from adnorm.figures.theme import FAINT, MISSING, counted, readable_ink
from adnorm.study.comparisons import UNTREATED_ARM

NAME = "normalization"
#: Where the colours end: 0 and 1 stand at a quarter and at three quarters of the scale.
LOWEST, HIGHEST = -0.5, 1.5
#: Worse is orange, normal is teal, beyond normal is dark violet: they differ in lightness too.
ANCHORS = ("#B35806", "#FFFFFF", "#7CC4BA", "#16837A", "#2D1152")
ROW, HEADING, FEWEST_INCHES, MOST_INCHES = 0.275, 0.2, 0.68, 1.05
#: How much of a colour is left where the interval leaves everything open.
PALE = 0.3
#: More columns than this put the second reference below the first one.
MOST_COLUMNS = 16


def draw_normalization(material: CohortMaterial) -> tuple[Figure, pd.DataFrame]:
    """Draw the index of the global axis and of every signed set, and what placebo leaves of it.

    Parameters
    ----------
    material
        The cohort; ``tables["index"]`` is index.tsv.

    Returns
    -------
    figure : Figure
    table : DataFrame
        One row per cell, in the order of the figure; `NI` first, then `dNI`.
    """
    cells = list_cells(material)
    if cells.why_not:
        table = cells.table if len(cells.table) else pd.DataFrame([{"reason": cells.why_not}])
        figure = message_sheet(TITLES[NAME], material.facts, cells.why_not)
        return figure, table.reindex(columns=COLUMNS)
    left = -text_width(cells.labels.values(), 7) - 0.14
    level = f"{_confidence(material):.0%}".replace("%", " %")
    subtitle = f"{counted(cells.labels, 'score')}; {level} confidence intervals; n = patients"
    sheet = Sheet(TITLES[NAME], material.facts, subtitle, left=left)
    together = len(cells.columns) <= MOST_COLUMNS
    panels = [cells.columns] if together else _by_reference(cells.columns)
    end, width = 0.0, 0.0
    for panel in panels:
        places = _places(panel)
        y = _draw_header(sheet, material, cells, panel, places, end)
        end = _draw_panel(sheet, cells, panel, places, y) + (0.0 if panel is panels[-1] else 0.3)
        width = max(width, places[-1][0] + places[-1][1])
    _draw_key(sheet, cells, width + 0.3)
    sheet.notes(left, end + 0.13, max(width + 1.6 - left, 6.0), _notes(cells, level))
    return sheet.figure, cells.table[COLUMNS]


@cache
def colours() -> Colormap:
    """Return the colour map of the index: white at 0, teal at 1, orange below, violet above."""
    stops = np.interp([LOWEST, 0.0, 0.5, 1.0, HIGHEST], [LOWEST, HIGHEST], [0, 1])
    return LinearSegmentedColormap.from_list(NAME, list(zip(stops, ANCHORS, strict=True)))


def says_nothing(lower: float | pd.Series, upper: float | pd.Series) -> bool | pd.Series:
    """Tell whether an interval holds both no change and normal skin."""
    return (lower <= 0) & (upper >= 1)


def cell_colour(value: float, lower: float, upper: float) -> tuple[float, float, float]:
    """Return the colour of an index; pale if its interval holds both 0 and 1.

    A strong colour would otherwise tell of a change that nobody has seen.
    """
    position = np.clip((value - LOWEST) / (HIGHEST - LOWEST), 0, 1)
    colour = np.array(colours()(position)[:3])
    return tuple(1 - (1 - colour) * (PALE if says_nothing(lower, upper) else 1.0))


def _confidence(material: CohortMaterial) -> float:
    return float(material.settings.get("index", {}).get("confidence", 0.95))


def _by_reference(columns: list[tuple]) -> list[list[tuple]]:
    return [list(some) for _, some in groupby(columns, key=lambda c: c[0])]


def _places(columns: list[tuple]) -> list[tuple[float, float]]:
    """Left edge and width of every column in inches; wider gaps between larger blocks."""
    cell = float(np.clip(4.0 / len(columns), FEWEST_INCHES, MOST_INCHES))
    x, places = 0.0, []
    for before, column in zip([columns[0], *columns[:-1]], columns, strict=True):
        same = [a == b for a, b in zip(before[:3], column[:3], strict=True)]
        x += 0.26 if not same[0] else 0.18 if not same[1] else 0.0 if same[2] else 0.05
        places.append((x, cell))
        x += cell
    return places


def _spans(columns: list[tuple], places: list, depth: int) -> list[tuple[tuple, float, float]]:
    """Blocks of columns that share their first parts: a column, left and right edge."""
    positions = groupby(range(len(columns)), key=lambda i: columns[i][:depth])
    spans = [(list(some)) for _, some in positions]
    return [(columns[s[0]], places[s[0]][0], sum(places[s[-1]])) for s in spans]


def _draw_header(
    sheet: Sheet, material: CohortMaterial, cells: Cells, columns: list, places: list, y: float
) -> float:
    """Write measure, arm, week and patients above the columns; return the lower edge."""
    said = {"NI": "Normalization index (NI)", "dNI": "NI − NI of placebo (dNI)"}
    blocks = []
    for (reference, measure, *_), a, b in _spans(columns, places, 2):
        text = said[measure]
        if len(cells.references) > 1:
            text = f"{measure} against {reference} skin"
        # Bold is wider than what is measured.
        blocks.append((fit_words(text, 7.5, (b - a + 0.12) / 1.15), a, b))
    y += 0.14 * max(text.count("\n") + 1 for text, _, _ in blocks)
    for text, a, b in blocks:
        style = {"weight": "bold", "ha": "center", "va": "baseline", "linespacing": 1.15}
        sheet.text((a + b) / 2, y - 0.03, text, size=7.5, **style)
    arms = [
        (c[2], fit_words(c[2], 7, b - a - 0.04), a, b) for c, a, b in _spans(columns, places, 3)
    ]
    y += 0.1 + 0.125 * max(text.count("\n") + 1 for _, text, _, _ in arms)
    for arm, text, a, b in arms:
        style = {"size": 7, "ha": "center", "va": "baseline", "linespacing": 1.15}
        sheet.text((a + b) / 2, y - 0.055, text, **style)
        sheet.box(a + 0.015, y, b - a - 0.03, 0.06, facecolor=material.arm_colours[arm])
    for column, (x, width) in zip(columns, places, strict=True):
        text = f"wk {column[3]:g}\n{cells.patients[column]}"
        style = {"size": 6, "color": FAINT, "ha": "center", "va": "top", "linespacing": 1.2}
        sheet.text(x + width / 2, y + 0.09, text, **style)
    return y + 0.35


def fit_words(text: str, size: float, room: float) -> str:
    """Break a text into lines for its room in inches, words too if they are too long."""
    letters = max(int(room * 72 / (size * 0.62)), 4)
    return wrap_words(text, size, room) or "\n".join(textwrap.wrap(text, letters))


def _draw_panel(sheet: Sheet, cells: Cells, columns: list, places: list, y: float) -> float:
    """Draw the cells of some columns with the labels of their rows; return the lower edge."""
    height = sum(HEADING + ROW * len(names) for _, names in cells.blocks)
    width = sum(places[-1])
    axes = sheet.axes(0, y, width, height)
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    values, below, boxes = cells.values, 0.0, []
    for heading, names in cells.blocks:
        sheet.text(0, y + below + HEADING / 2 + 0.01, heading, size=7.5, weight="bold", va="center")
        below += HEADING
        for name in names:
            middle = y + below + ROW / 2
            sheet.text(-0.07, middle, cells.labels[name], size=7, ha="right", va="center")
            boxes += _draw_row(axes, values, name, columns, places, below)
            below += ROW
    fill_boxes(axes, boxes, 0.9)
    return y + height


def _draw_row(
    axes: Axes, values: dict, name: str, columns: list, places: list, below: float
) -> list[tuple]:
    """Write one score; neighbours without an index share one box and one reason."""
    boxes = []
    rows = [values[(*column, name)] for column in columns]

    def box(i: int) -> tuple:
        row = rows[i]
        return columns[i][:3] + ((row["reason_code"],) if np.isnan(row["value"]) else (i,))

    for _, some in groupby(range(len(rows)), key=box):
        run = list(some)
        (x, _), right = places[run[0]], sum(places[run[-1]])
        if np.isnan(rows[run[0]]["value"]):
            patch, text = MISSING, SHORT.get(rows[run[0]]["reason_code"], NOT_DEFINED)
            middle = (x + right) / 2, below + ROW / 2
            text = text if len(run) > 1 else text.replace(" ", "\n", 1)
            style = {"color": FAINT, "ha": "center", "va": "center", "linespacing": 1.05}
            axes.text(*middle, text, size=5.5, in_layout=False, **style)
        else:
            patch = _draw_number(axes, rows[run[0]], (x + right) / 2, below)
        boxes.append(((x, below, right, below + ROW), patch))
    return boxes


def fill_boxes(axes: Axes, boxes: list[tuple], edge: float) -> None:
    """Fill the boxes of a heatmap with their colours, all at once.

    Parameters
    ----------
    axes
        With final limits.
    boxes
        (left, upper, right, lower) of each box, and its colour.
    edge
        Width of the white lines between boxes.
    """
    corners = [[(a, b), (c, b), (c, d), (a, d)] for (a, b, c, d), _ in boxes]
    style = {"edgecolors": "white", "linewidths": edge, "zorder": 1}
    filled = PolyCollection(corners, facecolors=[colour for _, colour in boxes], **style)
    # What lies inside the panel need not be measured to find the size of the page.
    filled.set_in_layout(False)
    axes.add_collection(filled, autolim=False)


def _draw_number(axes: Axes, row: dict, x: float, below: float) -> tuple:
    """Write an index and its interval; return the colour that belongs below them."""
    colour = cell_colour(row["value"], row["lower"], row["upper"])
    # What lies inside the panel need not be measured to find the size of the page.
    style = {"color": readable_ink(colour), "ha": "center", "va": "center", "in_layout": False}
    style["style"] = "italic" if row["status"] == EXPLORATORY else "normal"
    weight = "bold" if row["excludes_0"] == "yes" else "normal"
    axes.text(x, below + ROW * 0.34, _digits(row["value"]), size=7, weight=weight, **style)
    dash = "–" if row["lower"] > -0.005 else " to "
    interval = f"{_digits(row['lower'])}{dash}{_digits(row['upper'])}"
    axes.text(x, below + ROW * 0.76, interval, size=5.2, **style)
    return colour


def _digits(value: float) -> str:
    return f"{round(value, 2) + 0.0:.2f}".replace("-", "−")


def draw_index_bar(sheet: Sheet, x: float, normal: str, untreated: bool) -> None:
    """Draw the colour bar of the index and say what its colours mean.

    Parameters
    ----------
    sheet, x
        Where to: the upper edge of the sheet, at a place in inches.
    normal
        The skin whose level is 1.
    untreated
        Whether nobody was treated.
    """
    sheet.text(x, 0.0, "Normalization index", size=7.5, va="top")
    axes = sheet.axes(x, 0.22, 0.14, 1.7)
    mappable = ScalarMappable(Normalize(LOWEST, HIGHEST), colours())
    bar = sheet.figure.colorbar(mappable, cax=axes)
    ticks = {
        LOWEST: f"≤ −{-LOWEST:g}  worse",
        0.0: f"0  as {'at baseline' if untreated else 'before treatment'}",
        0.5: "0.5  half way",
        1.0: f"1  as {normal} skin",
        HIGHEST: f"≥ {HIGHEST:g}  beyond {normal} skin",
    }
    bar.set_ticks(list(ticks), labels=list(ticks.values()))
    bar.outline.set_linewidth(0.4)
    axes.tick_params(labelsize=6.5, length=2)


def _draw_key(sheet: Sheet, cells: Cells, x: float) -> None:
    """Draw the colour bar, what its ends mean, and what bold, italic and grey are."""
    normal = cells.references[0] if len(cells.references) == 1 else "reference"
    draw_index_bar(sheet, x, normal, {column[2] for column in cells.columns} <= {UNTREATED_ARM})
    y = 2.12
    shown = cells.table[cells.table["value"].notna()]
    if "dNI" in set(cells.table["measure"]):
        text = "dNI, in the same colours: what\nof the disease effect is gone\n"
        text += "beyond placebo; 0 = nothing"
        sheet.text(x, y, text, size=6.5, color=FAINT, va="top", linespacing=1.3)
        y += 0.5
    styles = [
        ((shown["excludes_0"] == "yes").any(), {"weight": "bold"}, "interval excludes 0"),
        ((shown["status"] == EXPLORATORY).any(), {"style": "italic"}, "exploratory, see notes"),
    ]
    for used, style, meaning in styles:
        if used:
            sheet.text(x, y, "0.62", size=7, va="top", **style)
            sheet.text(x + 0.33, y, meaning, size=6.5, color=FAINT, va="top")
            y += 0.17
    boxes = [
        (says_nothing(shown["lower"], shown["upper"]).any(), cell_colour(1.0, 0.0, 1.0),
         "pale: interval holds both 0 and 1"),
        (len(shown) < len(cells.table), MISSING, "no index, see notes"),
    ]  # fmt: skip
    for used, colour, meaning in boxes:
        if used:
            sheet.box(x, y + 0.005, 0.24, 0.1, facecolor=colour)
            sheet.text(x + 0.33, y, meaning, size=6.5, color=FAINT, va="top")
            y += 0.17


def _notes(cells: Cells, level: str) -> list[str]:
    skins = " or ".join(cells.references)
    notes = [
        f"NI = share of the disease effect (lesional − {skins} skin at baseline) that is gone in "
        f"the patients of an arm; nothing is clipped. Bold: the {level} interval excludes 0, not "
        "corrected for the number of cells.",
    ]
    if "dNI" in set(cells.table["measure"]):
        notes.append(
            "Scores come down under placebo too (regression to the mean): judge a drug by dNI; "
            "its n: patients of the arm v patients of the placebo arm."
        )
    return [*notes, *reason_notes(cells), *cells.notes]
