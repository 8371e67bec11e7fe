"""The page of a figure, measured in inches: title, panels, legends, colour bars and notes; and what
small panels share: lines at 0 and 1, limits, visits, and names beside points.

The size of a heatmap follows from its rows and that of small multiples from their panels, and the
page is cut to what stands on it. matplotlib's constrained layout goes the other way, from a page
that is given to panels that fill what is left, and measures every text in two passes to get there.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MultipleLocator
from numpy.typing import ArrayLike

from adnorm.figures.theme import ALERT, DASHED, DPI, FAINT, INK, NORMAL, Style, diverging, shorten

#: Inches from one line of notes to the next.
LINE = 0.1333
#: Style of texts above the columns of a heatmap.
HEADING: Style = {"ha": "center", "va": "baseline", "linespacing": 1.15}
#: Values beyond these leave the panel; the table has them.
FARTHEST = (-1.5, 2.5)
#: Distances in points at which a name is tried, and the least that needs a lead.
DISTANCES, NO_LEAD = (0.5, 4.0, 8.0, 13.0, 19.0, 26.0, 34.0), 3.0
#: A name rather covers one point than stands six points (1/72 inch) farther; radius of a point.
COST_OF_DISTANCE, MARKER = 0.16, 1.5
ZERO_ONE_NOTE = "Solid line: 0, no change since baseline; dashed: 1, the level of {skin} skin."


@lru_cache(maxsize=4096)
def _width(text: str, size: float) -> float:
    font = get_font(findfont(FontProperties(family="DejaVu Sans")))
    # Measured large: at the size of a page, hinting rounds every letter to whole pixels.
    font.set_size(size, 720)
    font.set_text(text)
    return font.get_width_height()[0] / 64 / 720


def text_width(texts: Iterable[str], size: float) -> float:
    """Measure the widest of some texts, in inches."""
    return max((_width(text, size) for text in texts if text.strip()), default=0.0)


def lines_of(texts: Iterable[str]) -> int:
    """Count the lines of the highest of some texts."""
    return max((text.count("\n") + 1 for text in texts), default=0)


def wrap_words(text: str, size: float, width: float) -> str | None:
    """Break a text into lines no wider than some inches; None if a word is too wide.

    A number stays with its unit.

    Examples
    --------
    >>> wrap_words("abrocitinib 100 mg", 7, 0.7)
    'abrocitinib\\n100\\xa0mg'
    >>> wrap_words("abrocitinib", 7, 0.2) is None
    True
    """
    lines: list[str] = []
    for word in re.sub(r"(?<=\d) (?=mg)", "\u00a0", text).split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width([longer], size) <= width:
            lines[-1] = longer
        elif text_width([word], size) <= width:
            lines.append(word)
        else:
            return None
    return "\n".join(lines)


def fit_words(text: str, size: float, room: float) -> str:
    """Break a text into lines for its room in inches, words too if they are too long."""
    letters = max(int(room * 72 / (size * 0.62)), 4)
    return wrap_words(text, size, room) or "\n".join(textwrap.wrap(text, letters))


class Sheet:
    """A figure on which things are placed in inches; y runs downwards.

    Parameters
    ----------
    title
        What the figure shows.
    facts
        Of the cohort: title, cohort, simulated, quality, batch.
    subtitle
        What is counted (n) and in which units.
    left
        Where the title starts.
    """

    def __init__(
        self, title: str, facts: Mapping[str, Any], subtitle: str, left: float = 0.0
    ) -> None:
        # At the resolution of the PNG, so that what is measured is what is drawn; no window or
        # global state knows of it.
        self.figure = Figure(figsize=(10, 10), dpi=DPI)
        FigureCanvasAgg(self.figure)
        self.left = left
        cohort = f"{facts.get('title') or facts['cohort']} ({facts['cohort']})"
        self.text(left, -0.52, title, size=11, weight="bold", va="bottom")
        if facts.get("batch"):
            # Longer than the rest, so it has a line of its own.
            word = str(facts["batch"])
            self.text(left, -0.78, word, size=8.5, weight="bold", color=ALERT, va="bottom")
        shift = 0.0
        if facts.get("simulated"):
            word = "SIMULATED DATA"
            self.text(left, -0.33, word, size=8.5, weight="bold", color=ALERT, va="bottom")
            shift = text_width([word], 8.5) * 1.18 + 0.12
        self.text(left + shift, -0.33, cohort, size=8.5, va="bottom")
        subtitle = "; ".join(filter(None, [subtitle, str(facts.get("quality", ""))]))
        self.text(left, -0.15, subtitle, size=7.5, color=FAINT, va="bottom")

    def _at(self, x: float, y: float) -> tuple[float, float]:
        width, height = self.figure.get_size_inches()
        return x / width, 1 - y / height

    def text(self, x: float, y: float, text: str, **style: Any) -> None:
        """Write a text at a place in inches."""
        self.figure.text(*self._at(x, y), text, **style)

    def axes(self, x: float, y: float, width: float, height: float) -> Axes:
        """Make axes whose upper left corner is at a place in inches."""
        across, down = self.figure.get_size_inches()
        left, bottom = self._at(x, y + height)
        return self.figure.add_axes((left, bottom, width / across, height / down))

    def panels(
        self,
        rows: int,
        columns: int,
        size: tuple[float, float],
        gap: tuple[float, float],
        x: float = 0.0,
        y: float = 0.3,
        **sharing: Any,
    ) -> np.ndarray:
        """Make rows × columns of axes of one size; see `matplotlib.gridspec.GridSpec.subplots`."""
        (width, height), (across, down) = size, gap
        left, top = self._at(x, y)
        ends = x + columns * (width + across) - across, y + rows * (height + down) - down
        right, bottom = self._at(*ends)
        edges = {"left": left, "right": right, "top": top, "bottom": bottom}
        space = {"wspace": across / width, "hspace": down / height}
        grid = self.figure.add_gridspec(rows, columns, **edges, **space)
        return grid.subplots(squeeze=False, **sharing)

    def box(self, x: float, y: float, width: float, height: float, **style: Any) -> None:
        """Fill a rectangle whose upper left corner is at a place in inches."""
        across, down = self.figure.get_size_inches()
        corner = self._at(x, y + height)
        self.figure.add_artist(Rectangle(corner, width / across, height / down, **style))

    def legend(
        self,
        x: float,
        y: float,
        title: str,
        colours: Mapping[str, str],
        markers: Mapping[str, str] | None = None,
    ) -> float:
        """Draw a legend of colour patches or markers; return where it ends."""
        handles: list[Patch | Line2D] = []
        for label, colour in colours.items():
            if markers is None:
                handles.append(Patch(facecolor=colour, edgecolor="#00000055", lw=0.4, label=label))
            else:
                style: Style = {"color": colour, "linestyle": "", "label": label, "markersize": 5}
                handles.append(Line2D([], [], marker=markers[label], **style))
        drawn = self.figure.legend(
            handles=handles,
            title=title,
            loc="upper left",
            bbox_to_anchor=self._at(x, y),
            borderpad=0,
            borderaxespad=0,
            handlelength=1.2,
            handleheight=0.9,
            labelspacing=0.35,
            alignment="left",
        )
        self.figure.add_artist(drawn)
        return y + 0.34 + 0.136 * len(handles)

    def colour_bar(self, x: float, y: float, limit: float, label: str, note: str = "") -> float:
        """Draw the colour bar of the diverging map; return where it ends."""
        self.text(x, y, label, size=7.5, va="top")
        top = y + 0.2 + 0.145 * label.count("\n")
        axes = self.axes(x, top, 1.35, 0.12)
        mappable = ScalarMappable(Normalize(-limit, limit), diverging())
        bar = self.figure.colorbar(mappable, cax=axes, orientation="horizontal")
        bar.set_ticks([-limit, 0, limit], labels=[f"≤ −{limit:g}", "0", f"≥ {limit:g}"])
        for side, tick in zip(("left", "center", "right"), axes.get_xticklabels(), strict=True):
            tick.set(ha=side)
        bar.outline.set_linewidth(0.4)
        axes.tick_params(labelsize=6.5, length=2)
        end = top + 0.38
        if note:
            self.text(x, end, note, size=6.5, color=FAINT, va="top", linespacing=1.3)
            end += 0.14 * lines_of([note]) + 0.08
        return end

    def notes(self, y: float, width: float, sentences: Sequence[str]) -> None:
        """Write notes below a figure, wrapped to a width."""
        columns = max(40, int(width * 72 / (6.5 * 0.53)))
        for sentence in sentences:
            lines = textwrap.wrap(sentence, columns, subsequent_indent="   ") or [""]
            style = {"size": 6.5, "color": FAINT, "va": "top", "linespacing": 1.35}
            self.text(self.left, y, "\n".join(lines), **style)
            y += LINE * len(lines) + 0.03


def nothing_to_draw(
    title: str,
    facts: Mapping[str, Any],
    reason: str,
    columns: Sequence[str],
    table: pd.DataFrame | None = None,
) -> tuple[Figure, pd.DataFrame]:
    """Make the figure that stands where nothing can be drawn, and a table that says why, too."""
    sheet = Sheet(title, facts, "nothing to draw")
    box = sheet.axes(0, 0, 6.5, 1.5)
    box.set(xticks=[], yticks=[], facecolor="#F5F5F5")
    box.spines[:].set_visible(False)
    lines = textwrap.fill(f"Not shown: {reason}.", 74)
    sheet.text(3.25, 0.75, lines, size=9, ha="center", va="center", linespacing=1.5)
    if table is None or table.empty:
        table = pd.DataFrame([{"reason": reason}])
    return sheet.figure, table.reindex(columns=list(columns)).reset_index(drop=True)


# ---------------------------------------------------------------- small panels


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


def draw_bold(axes: Axes, x: ArrayLike, y: ArrayLike) -> None:
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

    adjustText 1.4 was tried. Strong forces send names far away, along leads that cross others; weak
    ones leave names on one another, so that 1 of 13 has to go; both take a second per job.

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
    look: Style = {"size": 6.5, "color": colour, "zorder": 6, "ha": "center"}
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
        cost = covered.all(axis=2).sum(axis=1) + 30 * crossed + COST_OF_DISTANCE * gaps[:, 0]
        best = int(np.where(free, cost, np.inf).argmin())
        taken.append((low[best], high[best]))
        arrow = lead if gaps[best, 0] > NO_LEAD else None
        # Names that follow rather cover points than this lead.
        crowd = np.vstack([crowd, *([np.tile(leads[best], (4, 1))] if arrow else [])])
        look |= {"xytext": tuple(shifts[best]), "textcoords": "offset points"}
        axes.annotate(name, (x, y), arrowprops=arrow, **look)
    return homeless
