"""The page of a figure, measured in inches: title, panels, legends, colour bars and notes; and what
small panels share: lines at 0 and 1, limits, visits, and names beside points.

The size of a heatmap follows from its rows and that of small multiples from their panels, and the
page is cut to what stands on it. matplotlib's constrained layout goes the other way, from a page
that is given to panels that fill what is left, and measures every text in two passes to get there.
"""

from __future__ import annotations

import re
import textwrap
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MultipleLocator
from numpy.typing import ArrayLike

from adnorm.figures.names import NOT_SHOWN, NOTHING
from adnorm.figures.theme import (
    ALERT,
    DASHED,
    DPI,
    FAINT,
    HIGHEST_PAGE,
    INCH,
    INK,
    MARGIN,
    NORMAL,
    Style,
    shorten,
)
from adnorm.study.diseases import other_than_atopic
from adnorm.study.vocabulary import SIMULATED_DATA

#: Points of notes, and inches from one line of them to the next.
NOTE, LINE = 6.0, 0.123
#: Points of a legend, inches from one line of it to the next, and of a sample.
KEY, KEY_LINE, SAMPLE = 6.5, 0.155, 0.24
#: As long as the name of a page may be.
LONGEST_PART = "page 10 of 10"
#: Style of texts above the columns of a heatmap.
HEADING: Style = {"ha": "center", "va": "baseline", "linespacing": 1.15}
#: Values beyond these leave the panel; the table has them.
FARTHEST = (-1.5, 2.5)
#: Distances in points at which a name is tried, and the least that needs a lead.
DISTANCES, NO_LEAD = (0.5, 4.0, 8.0, 13.0, 19.0, 26.0, 34.0), 3.0
#: A name rather covers one point than stands six points (1/72 inch) farther; radius of a point.
COST_OF_DISTANCE, MARKER = 0.16, 1.5
#: Inches of two columns of a journal.
WIDEST_PAGE = 183 / INCH
ZERO_ONE_NOTE = "Solid line: 0, no change since baseline; dashed: 1, the level of {skin} skin."


@lru_cache(maxsize=4096)
def _width(text: str, size: float, bold: bool) -> float:
    weight = "bold" if bold else "normal"
    font = get_font(findfont(FontProperties(family="DejaVu Sans", weight=weight)))
    # Measured large: at the size of a page, hinting rounds every letter to whole pixels.
    font.set_size(size, 720)
    font.set_text(text)
    return font.get_width_height()[0] / 64 / 720


def text_width(texts: Iterable[str], size: float, bold: bool = False) -> float:
    """Measure the widest of some texts, in inches."""
    return max((_width(text, size, bold) for text in texts if text.strip()), default=0.0)


def letters_that_fit(text: str, size: float, room: float, bold: bool = False) -> int:
    """Count the first letters of a text that have room in one line of some inches."""
    counts = range(1, len(text) + 1)
    return bisect_right(counts, room, key=lambda n: text_width([text[:n]], size, bold))


def cut(text: str, size: float, room: float, bold: bool = False) -> str:
    """Cut a text that is too wide for one line of some inches, visibly.

    Examples
    --------
    >>> cut("Proteases", 7, 0.4), cut("Itch", 7, 0.4)
    ('Prote…', 'Itch')
    """
    if text_width([text], size, bold) <= room:
        return text
    fitting = letters_that_fit(text, size, room - text_width(["…"], size, bold), bold)
    return text[:fitting].rstrip() + "…"


def lines_of(texts: Iterable[str]) -> int:
    """Count the lines of the highest of some texts."""
    return max((text.count("\n") + 1 for text in texts), default=0)


def wrap_words(text: str, size: float, width: float, bold: bool = False) -> str | None:
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
        if lines and text_width([longer], size, bold) <= width:
            lines[-1] = longer
        elif text_width([word], size, bold) <= width:
            lines.append(word)
        else:
            return None
    return "\n".join(lines)


def fit_words(text: str, size: float, room: float, bold: bool = False) -> str:
    """Break a text into lines for its room in inches, words too if they are too long."""
    whole = wrap_words(text, size, room, bold)
    if whole:
        return whole
    words = [part for word in text.split(" ") for part in _pieces(word, size, room, bold)]
    return wrap_words(" ".join(words), size, max(room, 3 * size / 72), bold) or "\n".join(words)


def _pieces(word: str, size: float, room: float, bold: bool) -> list[str]:
    """Break a word that is too long, with hyphens; at its own ones and underscores if it can."""
    pieces = []
    while text_width([word], size, bold) > room and len(word) > 3:
        counts = range(2, len(word) - 1)
        starts = [f"{word[:n]}-" for n in counts]
        fitting = bisect_right(starts, room, key=lambda part: text_width([part], size, bold))
        most = counts[fitting - 1] if fitting else 2
        own = [n for n in range(most // 2 + 1, most + 1) if word[n - 1] in "-_/"]
        end = own[-1] if own else most
        pieces.append(word[:end] + ("" if own else "-"))
        word = word[end:]
    return [*pieces, word]


class Sheet:
    """A figure on which things are placed in inches; y runs downwards.

    Parameters
    ----------
    title
        What the figure shows.
    facts
        Of the cohort: title, cohort, disease, simulated, quality, batch, flagged; and width, the
        inches of a page, to which lines above and below the figure are broken.
    subtitle
        What is counted (n) and in which units.
    left
        Where the title starts.
    part
        Which of several pages this is, as "page 2 of 3".
    """

    def __init__(
        self,
        title: str,
        facts: Mapping[str, Any],
        subtitle: str,
        left: float = 0.0,
        part: str = "",
    ) -> None:
        # At the resolution of the PNG, so that what is measured is what is drawn; no window or
        # global state knows of it.
        self.figure = Figure(figsize=(10, 10), dpi=DPI)
        FigureCanvasAgg(self.figure)
        self.left = left
        # A little less than the page has: letters begin a hair beside their place.
        self.width = float(facts.get("width") or WIDEST_PAGE) - 2 * MARGIN - 0.02
        cohort = f"{facts.get('title') or facts['cohort']} ({facts['cohort']})"
        subtitle = "; ".join(filter(None, [subtitle, str(facts.get("quality", ""))]))
        # From the figure upwards: what is counted, whose it is, what casts doubt, the title.
        y = self._head(-0.12, subtitle, size=6.5, color=FAINT)
        y = self._head(y, cohort, size=7.5)
        if disease := other_than_atopic(str(facts.get("disease") or "")):
            y = self._head(y, f"Disease: {disease}", size=7.5, weight="bold")
        alerts = [str(facts[doubt]) for doubt in ("flagged", "batch") if facts.get(doubt)]
        alerts += [SIMULATED_DATA] if facts.get("simulated") else []
        for alert in alerts:
            y = self._head(y, alert, size=7.5, weight="bold", color=ALERT)
        # Which page it is stays in one line.
        title = f"{title} ·\u00a0{part.replace(' ', chr(0xA0))}" if part else title
        #: Where the page begins, in inches; below 0.
        self.top = self._head(y - 0.03, title, size=9.5, weight="bold")

    def _head(self, y: float, text: str, size: float, **style: Any) -> float:
        """Write lines whose lower edge is at `y`; return where what stands above them ends."""
        lines = fit_words(text, size, self.width, bold="weight" in style)
        self.text(self.left, y, lines, size=size, va="bottom", linespacing=1.2, **style)
        return y - 1.2 * size / 72 * lines_of([lines]) - 0.035

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

    def keys(
        self,
        y: float,
        samples: Iterable[tuple[Style, str]],
        x: float | None = None,
        room: float = 0,
    ) -> float:
        """Write a legend in lines: samples with their meanings; return where it ends.

        A sample is the style of a line or marker (a colour and more), of a box (`facecolor`), or of
        a text (`text`). Lines start at `x` and are `room` inches wide; without them, those of the
        page.
        """
        left, room = (self.left if x is None else x), room or self.width
        x = left
        for sample, meaning in samples:
            style = dict(sample)
            written = style.pop("text", "")
            wide = text_width([written], KEY, bold=True) if written else SAMPLE
            lines = fit_words(meaning, KEY, room - wide - 0.06)
            whole = wide + 0.06 + text_width(lines.split("\n"), KEY)
            if x > left and x + whole > left + room:
                x, y = left, y + KEY_LINE
            if written:
                self.text(x, y + 0.1, written, size=KEY, va="baseline", **style)
            elif "facecolor" in style:
                self.box(x, y + 0.02, wide, 0.09, **style)
            else:
                ends = [self._at(x + wide * part, y + 0.065) for part in (0.2, 0.5, 0.8)]
                line = Line2D(*zip(*ends, strict=True), markevery=[1], **style)
                line.set_transform(self.figure.transFigure)
                self.figure.add_artist(line)
            style = {"size": KEY, "color": INK, "va": "baseline"}
            for number, text in enumerate(lines.split("\n")):
                self.text(x + wide + 0.06, y + 0.1 + KEY_LINE * number, text, **style)
            x += whole + 0.16
            if "\n" in lines:
                x, y = left, y + KEY_LINE * lines_of([lines])
        return y + KEY_LINE if x > left else y

    def notes(self, y: float, sentences: Sequence[str]) -> float:
        """Write notes below a figure, as wide as its page; return where they end."""
        for sentence in sentences:
            lines = fit_words(sentence, NOTE, self.width)
            style: Style = {"size": NOTE, "color": FAINT, "va": "top", "linespacing": 1.35}
            self.text(self.left, y, lines, **style)
            y += _note_height(lines)
        return y

    def note_height(self, sentence: str) -> float:
        """Inches that a note takes."""
        return _note_height(fit_words(sentence, NOTE, self.width))


def _note_height(lines: str) -> float:
    return LINE * lines_of([lines]) + 0.03


# ---------------------------------------------------------------- pages


class Part(NamedTuple):
    """What stands on a page as a whole: its inches, and how it is drawn below some place."""

    height: float
    draw: Callable[[Sheet, float], Any]
    #: What its key must explain, where parts of a figure differ in that.
    about: frozenset[str] = frozenset()


def part_of(number: int, pages: int) -> str:
    """Name a page among several; a single one has no name.

    Examples
    --------
    >>> part_of(2, 3), part_of(1, 1)
    ('page 2 of 3', '')
    """
    return f"page {number} of {pages}" if pages > 1 else ""


def page_room(make: Callable[[str], Sheet]) -> float:
    """Inches below the head of a page."""
    return HIGHEST_PAGE - 2 * MARGIN + make(LONGEST_PART).top


def draw_pages(
    make: Callable[[str], Sheet],
    parts: Iterable[Part],
    key: Part | Callable[[Sequence[Part]], Part],
    notes: Sequence[str],
) -> Iterator[Figure]:
    """Put parts one below the other, and on a new page where one has no room.

    Parameters
    ----------
    make
        Which of several pages this is ("page 2 of 3", or nothing) → an empty page.
    parts
        What stands on the pages, in order.
    key
        What stands below the parts of every page; or, for the parts of a page, what stands below
        them: lowest for all parts together.
    notes
        What stands at the end.

    Yields
    ------
    matplotlib.figure.Figure
        A page, drawn when it is asked for. None is higher than a page may be.
    """
    probe, room = make(LONGEST_PART), page_room(make)
    parts = list(parts)

    def below(some: Sequence[Part]) -> Part:
        return key if isinstance(key, Part) else key(some)

    pages: list[list[Part]] = [[]]
    for part in parts:
        used = sum(other.height for other in pages[-1])
        if pages[-1] and used + part.height + below([*pages[-1], part]).height > room:
            pages.append([])
        pages[-1].append(part)
    remarks: list[list[str]] = [[] for _ in pages]
    used = sum(part.height for part in pages[-1]) + below(pages[-1]).height
    if used + sum(map(probe.note_height, notes)) > room:
        # Notes stay together, on a page of their own.
        remarks.append([])
        used = 0.0
    for sentence in notes:
        height = probe.note_height(sentence)
        if used + height > room and remarks[-1]:
            remarks.append([])
            used = 0.0
        remarks[-1].append(sentence)
        used += height

    def drawn(number: int) -> Figure:
        sheet, y = make(part_of(number + 1, len(remarks))), 0.0
        if number < len(pages):
            for part in pages[number]:
                part.draw(sheet, y)
                y += part.height
            own = below(pages[number])
            own.draw(sheet, y)
            y += own.height
        sheet.notes(y, remarks[number])
        return sheet.figure

    for number in range(len(remarks)):
        yield drawn(number)


def nothing_to_draw(
    title: str,
    facts: Mapping[str, Any],
    reason: str,
    columns: Sequence[str],
    table: pd.DataFrame | None = None,
) -> tuple[Figure, pd.DataFrame]:
    """Make the figure that stands where nothing can be drawn, and a table that says why, too."""
    sheet = Sheet(title, facts, NOTHING)
    box = sheet.axes(0, 0, sheet.width, 1.2)
    box.set(xticks=[], yticks=[], facecolor="#F5F5F5")
    box.spines[:].set_visible(False)
    lines = fit_words(f"{NOT_SHOWN}{reason}.", 7.5, sheet.width - 0.6)
    sheet.text(sheet.width / 2, 0.6, lines, size=7.5, ha="center", va="center", linespacing=1.4)
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


def zero_and_one(axes: Axes, across: bool = True, one: bool = True) -> None:
    """Draw the lines of no change (0) and of reference skin (1); ticks at halves.

    A difference from placebo has no `one`: it is no level that skin could reach.
    """
    (axes.yaxis if across else axes.xaxis).set_major_locator(MultipleLocator(0.5))
    draw = axes.axhline if across else axes.axvline
    draw(0, color=INK, lw=0.6, zorder=0)
    if one:
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
