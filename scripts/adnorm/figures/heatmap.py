"""The annotated heatmap: blocks of rows, headings above columns, marks and missing cells, in pages.

Marsilea was tried on sets × samples (48 × 201, version 0.8.1): the same bytes twice, but 1.4 s more
to import and an SVG of 2 MB where this one has 0.1, because every cell is a vector. It writes the
names of blocks beside them, not above, and its size is that of the page, not of a row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from math import ceil
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from adnorm.figures.sheet import (
    LONGEST_PART,
    NOTE,
    Sheet,
    cut,
    fit_words,
    letters_that_fit,
    lines_of,
    part_of,
    text_width,
    wrap_words,
)
from adnorm.figures.theme import (
    FAINT,
    HIGHEST_PAGE,
    INK,
    MARGIN,
    Style,
    diverging,
    readable_ink,
    shorten,
)
from adnorm.study.vocabulary import Direction

#: Inches of a row whose name takes one line, and two.
ROW, TWO_LINES = 0.158, 0.2
#: What is left of the colour of a cell that is not marked, where marked ones are to stand out.
FADED = 0.3
#: Sign of the direction in lesional skin, with a colour of the same diverging map.
DIRECTIONS: dict[str, tuple[str, str]] = {
    Direction.UP: ("▲", "#A9373B"),
    Direction.DOWN: ("▼", "#2369BD"),
}
#: Ends the heading of a block that began on an earlier page.
CONTINUED = " (continued)"
#: Headings with the names of the rows below them.
Blocks = Sequence[tuple[str, Sequence[str]]]


class Line(NamedTuple):
    """A line of a heatmap: a heading, or the row of a name."""

    text: str
    heading: bool


class Span(NamedTuple):
    """A text above columns, from `start` to before `end`, with the colour of the band below it."""

    text: str
    start: int
    end: int
    band: str = ""
    ink: str = INK
    italic: bool = False


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


# ---------------------------------------------------------------- what fits


def fit_label(text: str, size: float, room: float) -> str:
    """Fit the name of a row into one line or two; signs at its end stay.

    Examples
    --------
    >>> fit_label("Itch", 6, 1.0)
    'Itch'
    >>> fit_label("Proteases and protease-activated receptors ±", 6, 1.0).split()
    ['Proteases', 'and', 'protease-activated…', '±']
    """
    if text_width([text], size) <= room:
        return text
    signs = re.search(r"( [±†▲▼])*$", text)
    tail = signs.group() if signs else ""
    body = text[: len(text) - len(tail)]
    # No more letters than two lines hold, and one for the gap between them.
    most = letters_that_fit(body, size, 2 * room + size / 72)
    for letters in range(min(len(body), most + 1), 1, -1):
        lines = _two_lines(shorten(body, letters) + tail.replace(" ", "\u00a0"), size, room)
        if lines is not None:
            return lines
    return "…" + tail


def _two_lines(text: str, size: float, room: float) -> str | None:
    wrapped = wrap_words(text, size, room)
    if wrapped is None:
        # One word that is too wide, as names of public sets are.
        first = max(letters_that_fit(text, size, room), 1)
        wrapped = f"{text[:first]}\n{text[first:]}"
        if text_width(wrapped.split("\n"), size) > room:
            return None
    return wrapped if lines_of([wrapped]) <= 2 else None


def split_lines(lines: Sequence[Line], most: int) -> list[list[Line]]:
    """Split lines into pages of at most `most`.

    A heading stands above a row of its block, and again where the block goes on.

    Examples
    --------
    >>> lines = lines_of_blocks([("A", ["a", "b", "c"]), ("B", ["d"])])
    >>> [[line.text for line in page] for page in split_lines(lines, 4)]
    [['A', 'a', 'b', 'c'], ['B', 'd']]
    >>> [[line.text for line in page] for page in split_lines(lines, 3)]
    [['A', 'a', 'b'], ['A (continued)', 'c'], ['B', 'd']]
    """
    pages: list[list[Line]] = [[]]
    heading = ""
    for position, line in enumerate(lines):
        last = position + 1 == len(lines)
        if line.heading:
            heading = line.text
            if pages[-1] and len(pages[-1]) + (1 if last else 2) > most:
                pages.append([])
        elif len(pages[-1]) >= most:
            pages.append([Line(f"{heading}{CONTINUED}", True)] if heading and most > 1 else [])
        pages[-1].append(line)
    return pages


def balanced_pages(lines: Sequence[Line], most: int, last: int) -> list[list[Line]]:
    """Split lines into as few pages as possible, of about equal length.

    At most `most` stand on a page, and `last` on the last one, which has the notes too.
    """
    most, last = max(most, 3), max(last, 0)
    for count in range(1, len(lines) + 2):
        even = min(ceil(len(lines) / count) + (2 if count > 1 else 0), most)
        pages = split_lines(lines, max(even, 3))
        if len(pages) <= count and len(pages[-1]) <= last:
            return pages
    # The notes fill a page of their own.
    return [*split_lines(lines, most), []]


def two_lines(labels: Iterable[str]) -> bool:
    """Whether any name of a row takes two lines."""
    return any("\n" in label for label in labels)


def fit_rows(
    lines: Sequence[Line], room: float, last: float, two: bool
) -> tuple[list[list[Line]], float]:
    """Split lines into as few pages as possible, with rows as high as this number allows.

    `room` are the inches of a page for its rows, `last` those of the page with the notes; ``two``
    says whether names take two lines. Gives the lines of each page and the inches of a row.
    """
    heights = [TWO_LINES, 0.95 * TWO_LINES] if two else [f * ROW for f in (1, 0.92, 0.84, 0.77)]
    found = [(balanced_pages(lines, int(room / h), int(last / h)), h) for h in heights]
    return min(found, key=lambda pages: (len(pages[0]), -pages[1]))


def split_columns(
    parts: Sequence[tuple[int, int]], widths: np.ndarray, room: float
) -> list[tuple[int, int]]:
    """Split columns into few pages of so many inches, about equally wide.

    Parts (start, end) that fit stay whole.

    Examples
    --------
    >>> split_columns([(0, 2), (2, 4), (4, 9)], np.ones(9), 4.0)
    [(0, 4), (4, 8), (8, 9)]
    >>> split_columns([(0, 3), (3, 4), (4, 6)], np.ones(6), 5.0)
    [(0, 3), (3, 6)]
    """
    greedy = _greedy_columns(parts, widths, room)
    for part in np.linspace(1 / max(len(greedy), 1), 1, 12)[:-1]:
        found = _greedy_columns(parts, widths, part * room)
        if len(found) == len(greedy):
            return found
    return greedy


def _greedy_columns(
    parts: Sequence[tuple[int, int]], widths: np.ndarray, room: float
) -> list[tuple[int, int]]:
    pages: list[tuple[int, int]] = []
    for start, end in parts:
        first = pages[-1][0] if pages else -1
        if pages and widths[first:end].sum() <= room + 1e-6:
            pages[-1] = (first, end)
            continue
        while widths[start:end].sum() > room + 1e-6 and end - start > 1:
            some = int(np.searchsorted(widths[start:end].cumsum(), room + 1e-6, side="right"))
            pages.append((start, start + max(some, 1)))
            start += max(some, 1)
        pages.append((start, end))
    return pages


def draw_spans(
    sheet: Sheet,
    spans: Sequence[Span],
    places: np.ndarray,
    y: float,
    size: float = 7.0,
    name: str = "",
    **style: Any,
) -> float:
    """Write texts above columns, upright where there is no room; return the lower edge.

    `places` are the left and right edges of the columns. A `name` stands left of the texts, as that
    of a row, of which all texts are turned or none.
    """
    # Bold letters are wider than what is measured.
    wider = 1.15 if style.get("weight") else 1.0
    texts = []
    for span in spans:
        room = places[span.end - 1, 1] - places[span.start, 0]
        texts.append(_fit_above(span.text, size * wider, room))
    # Neighbours of one width are all turned or none.
    wide = [round(places[s.end - 1, 1] - places[s.start, 0], 2) for s in spans]
    turned = {room for room, (_, rotation) in zip(wide, texts, strict=True) if rotation}
    texts = [
        _upright(span.text, size * wider, room) if room in turned else text
        for span, text, room in zip(spans, texts, wide, strict=True)
    ]
    if name and any(rotation for _, rotation in texts):
        texts = [(span.text.replace("\n", " "), 90) for span in spans]
    elif texts[0][1] and not any(rotation for _, rotation in texts[1:]):
        # The first one has room left of the mesh, too.
        texts[0] = (wrap_words(spans[0].text, size, 0.8) or texts[0][0], 0)
    line, top = 1.2 * size / 72, y
    y += max(
        text_width(text.split("\n"), size * wider) + 0.02 if rotation else line * lines_of([text])
        for text, rotation in texts
    )
    if name:
        look = {"size": size, "color": FAINT, "ha": "right", "va": "top"}
        sheet.text(-0.07, top, name, **look)
    banded = any(span.band for span in spans)
    for span, (text, rotation) in zip(spans, texts, strict=True):
        left, right = places[span.start, 0], places[span.end - 1, 1]
        look = {"size": size, "rotation": rotation, "ha": "center", "va": "bottom"}
        look |= {"linespacing": 1.1, "color": span.ink, **style}
        look |= {"style": "italic"} if span.italic else {}
        place = (left + right) / 2
        if text_width(text.split("\n"), size) > right - left and not rotation:
            place, look["ha"] = right, "right"
        if name:
            look["va"] = "bottom" if rotation else "top"
        sheet.text(place, top if name and not rotation else y, text, **look)
        if span.band:
            sheet.box(left, y + 0.025, right - left, 0.055, facecolor=span.band)
    return y + (0.105 if banded else 0.03)


def _fit_above(text: str, size: float, room: float) -> tuple[str, int]:
    """Fit a text over its columns: the text in lines, and its rotation."""
    # Digits may touch the edges of a column.
    parts = [wrap_words(part, size, room - 0.005) for part in text.split("\n")]
    if None not in parts:
        wrapped = "\n".join(map(str, parts))
        if lines_of([wrapped]) <= 4:
            return wrapped, 0
    return _upright(text, size, room)


def _upright(text: str, size: float, room: float) -> tuple[str, int]:
    """Turn a text, in as many lines as its columns are wide; the ends of names, doses, stay."""
    most = max(int((room + 0.04) / (1.2 * size / 72)), 1)
    parts = [wrap_words(part, size, 1.4) or part for part in text.split("\n")]
    whole = "\n".join(parts)
    if lines_of([whole]) <= most and text_width(whole.split("\n"), size) <= 1.6:
        return whole, 90
    parts = text.split("\n")
    if len(parts) <= most:
        return "\n".join(shorten_inside(part, 28) for part in parts), 90
    return shorten_inside(" ".join(parts), 34), 90


def shorten_inside(text: str, limit: int) -> str:
    """Cut a text that is too long for its place before its last words, which tell doses apart.

    Examples
    --------
    >>> shorten_inside("recombinant antibody 300 mg", 20)
    'recombinan… 300\xa0mg'
    >>> shorten_inside("placebo", 20)
    'placebo'
    """
    if len(text) <= limit:
        return text
    words = re.sub(r"(?<=\d) (?=mg)", "\u00a0", text).rsplit(" ", 1)
    tail = words[1] if len(words) == 2 and len(words[1]) < limit // 2 else ""
    return f"{shorten(text, limit - len(tail) - 3)} {tail}".strip()


def colour_scale(
    sheet: Sheet, y: float, ends: tuple[str, str], title: str, sentences: Sequence[str]
) -> float:
    """Draw the bar of the diverging map with what it means beside it; return where it ends.

    `ends` are the texts at both ends of the bar, `title` is what the colours are.
    """
    wide = 1.3
    axes = sheet.axes(sheet.left, y + 0.02, wide, 0.1)
    mappable = ScalarMappable(Normalize(-1, 1), diverging())
    bar = sheet.figure.colorbar(mappable, cax=axes, orientation="horizontal")
    bar.set_ticks([-1, 0, 1], labels=[ends[0], "0", ends[1]])
    for side, tick in zip(("left", "center", "right"), axes.get_xticklabels(), strict=True):
        tick.set(ha=side)
    bar.outline.set_linewidth(0.4)
    axes.tick_params(labelsize=6.5, length=2, pad=1.5)
    beside, room = sheet.left + wide + 0.25, sheet.width - wide - 0.25
    lines = fit_words(title, 7, room)
    sheet.text(beside, y, lines, size=7, va="top", linespacing=1.2)
    below = y + 0.125 * lines_of([lines]) + 0.02
    for sentence in filter(None, sentences):
        lines = fit_words(sentence, NOTE, room)
        style: Style = {"size": NOTE, "color": FAINT, "va": "top", "linespacing": 1.3}
        sheet.text(beside, below, lines, **style)
        below += 0.12 * lines_of([lines]) + 0.01
    return max(below, y + 0.3) + 0.06


# ---------------------------------------------------------------- the heatmap


@dataclass
class Heatmap:
    """Rows in blocks × columns, on as many pages as it needs.

    Parameters
    ----------
    title, facts, subtitle
        As of `Sheet`.
    values, blocks
        Rows × columns, and which rows stand below which heading.
    labels
        Row name → text left of the row.
    limit
        Values beyond ± this are drawn in the last colour; of each row, or of all.
    notes
        Sentences below the last page.
    direction
        Row name → up, down or anything else (no sign).
    marks
        Texts in the cells, as `values`.
    faded
        Draw cells without a mark pale, and the marks dark with a white edge.
    aside
        Row name → text right of the row, and what stands above these texts.
    """

    title: str
    facts: Mapping[str, Any]
    subtitle: str
    values: pd.DataFrame
    blocks: Blocks
    labels: Mapping[str, str]
    limit: float | pd.Series
    notes: Sequence[str]
    direction: Callable[[str], str] | None = None
    marks: pd.DataFrame | None = None
    faded: bool = False
    aside: Mapping[str, str] = field(default_factory=dict)
    aside_title: str = ""
    #: Inches of a row.
    row: float = ROW

    @cached_property
    def width(self) -> float:
        """Inches between the margins."""
        return self._sheet("", 0.0).width

    @cached_property
    def size(self) -> float:
        """Points of the names of rows."""
        return 7.0 if self.width > 5 else 6.0

    @cached_property
    def written(self) -> dict[str, str]:
        """Names of rows as they are written."""
        room = 0.36 * self.width - self._gap
        return {name: fit_label(text, self.size, room) for name, text in self.labels.items()}

    @property
    def _gap(self) -> float:
        return 0.21 if self.direction else 0.07

    @cached_property
    def left(self) -> float:
        """Where the names of rows start; the mesh starts at 0."""
        lines = [line for text in self.written.values() for line in text.split("\n")]
        return -text_width(lines, self.size) - self._gap - 0.02

    @cached_property
    def room(self) -> float:
        """Inches for the columns."""
        texts = [*self.aside.values(), *self.aside_title.split("\n")]
        beside = text_width(texts, 6) + 0.08 if self.aside else 0.0
        return self.width + self.left - beside

    def pages(
        self,
        parts: Sequence[tuple[int, int]],
        widths: np.ndarray,
        gaps: np.ndarray,
        header: Callable[[Sheet, int, int, np.ndarray], float],
        footer: Callable[[Sheet, float], float],
        below: Callable[[Sheet, int, int, np.ndarray, float], float] | None = None,
    ) -> list[Figure]:
        """Draw all pages.

        Parameters
        ----------
        parts
            Columns (start, end) that stay on one page where they fit.
        widths, gaps
            Inches of each column, and left of it.
        header
            Draws what stands above columns (start, end, their left and right edges) of a sheet;
            gives the lower edge.
        footer
            Draws what stands below every page, from an edge; gives the lower one.
        below
            Draws what stands below the columns.
        """
        columns = split_columns(parts, widths + gaps, self.room)
        if len(columns) > 1:
            # The widest page is as wide as it may be, and columns are equal on all.
            wide, between = (
                [values[start:end].sum() for start, end in columns] for values in (widths, gaps)
            )
            stretch = min((self.room - b) / w for w, b in zip(wide, between, strict=True))
            widths = widths * max(stretch, 1.0)
        lines = lines_of_blocks(self.blocks)
        places = []
        for start, end in columns:
            inner = np.where(np.arange(end - start) > 0, gaps[start:end], 0.0)
            rights = (inner + widths[start:end]).cumsum()
            places.append(np.column_stack([rights - widths[start:end], rights]))

        def frame(sheet: Sheet, page: int, some: Sequence[Line]) -> float:
            (start, end), place = columns[page], places[page]
            y = header(sheet, start, end, place)
            y = self._mesh(sheet, some, start, end, place, y)
            y = below(sheet, start, end, place, y) if below else y
            return footer(sheet, y + 0.1)

        around = []
        for page in range(len(columns)):
            # Drawn once without rows, to be measured.
            trial = self._sheet(LONGEST_PART)
            around.append(frame(trial, page, []) - trial.top)
        room = HIGHEST_PAGE - 2 * MARGIN - 0.05 - max(around)
        rest = room - sum(map(trial.note_height, self.notes))
        rows, self.row = fit_rows(lines, room, rest, two_lines(self.written.values()))
        last = len(columns) - 1
        plan = [(i, some) for i in range(len(columns)) for some in rows if some or i == last]
        pages = []
        for number, (page, some) in enumerate(plan, start=1):
            sheet = self._sheet(part_of(number, len(plan)))
            y = frame(sheet, page, some) if some else 0.0
            if number == len(plan):
                sheet.notes(y + 0.03, self.notes)
            pages.append(sheet.figure)
        return pages

    def _heading(self, text: str) -> str:
        """Cut a heading to the room between the names of rows and the margin."""
        whole = text.removesuffix(CONTINUED)
        tail = text[len(whole) :]
        room = self.width + self.left - text_width([tail], 7.5, bold=True)
        return cut(whole, 7.5, room, bold=True) + tail

    def _sheet(self, part: str, left: float | None = None) -> Sheet:
        left = self.left if left is None else left
        return Sheet(self.title, self.facts, self.subtitle, left=left, part=part)

    def _mesh(
        self,
        sheet: Sheet,
        lines: Sequence[Line],
        start: int,
        end: int,
        places: np.ndarray,
        y: float,
    ) -> float:
        """Draw some lines of some columns, with their names; return the lower edge."""
        if not lines:
            return y
        # Names occur once, so that a heading finds no row and leaves an empty one.
        names = [None if line.heading else line.text for line in lines]
        matrix = self.values.reindex(names).to_numpy(dtype=float)[:, start:end]
        right = float(places[-1, 1])
        axes = sheet.axes(0, y, right, self.row * len(lines))
        axes.set(xticks=[], yticks=[], xlim=(0, right), ylim=(len(lines), 0))
        axes.spines[:].set_visible(False)
        limits: Any = self.limit
        if isinstance(limits, pd.Series):
            limits = limits.reindex(names).fillna(1.0).to_numpy(dtype=float)[:, None]
        scaled = Normalize(-1, 1)(np.ma.masked_invalid(matrix / limits))
        colours = diverging()(scaled)[:, :, :3]
        marks = None
        if self.marks is not None:
            marks = self.marks.reindex(names).fillna("").to_numpy()[:, start:end]
        if self.faded and marks is not None:
            pale = (marks == "") & np.isfinite(matrix)
            colours[pale] = 1 - FADED * (1 - colours[pale])
        colours[[line.heading for line in lines]] = 1.0
        # Every other cell is the gap right of a column; of those without width nothing is drawn.
        cells = np.ones((len(lines), 2 * len(places) - 1, 3))
        cells[:, ::2] = colours
        # Not by seaborn, whose heatmap knows neither columns of different width nor colours.
        # A mesh of thousands of vector cells makes an SVG that browsers open slowly.
        rows = np.arange(len(lines) + 1)
        axes.pcolormesh(places.ravel(), rows, cells, rasterized=True)
        if marks is not None:
            _write_marks(axes, marks, colours, places.mean(axis=1), self.faded)
        if self.aside and self.aside_title:
            look: Style = {"size": 6, "color": FAINT, "va": "bottom", "linespacing": 1.1}
            sheet.text(right + 0.06, y, self.aside_title, **look)
        for position, (text, heading) in enumerate(lines):
            middle = y + self.row * (position + 0.5)
            if heading:
                look = {"size": 7.5, "weight": "bold", "va": "center"}
                sheet.text(0.0, middle + 0.01, self._heading(text), **look)
                continue
            sign, colour = DIRECTIONS.get(self.direction(text) if self.direction else "", ("", INK))
            if sign:
                sheet.text(-0.11, middle, sign, size=6, color=colour, ha="center", va="center")
            style: Style = {"size": self.size, "ha": "right", "va": "center", "linespacing": 1.0}
            sheet.text(-self._gap, middle, self.written[text], **style)
            if text in self.aside:
                sheet.text(right + 0.06, middle, self.aside[text], size=6, color=FAINT, va="center")
        return float(y + self.row * len(lines))


def _write_marks(
    axes: Axes, marks: np.ndarray, colours: np.ndarray, middles: np.ndarray, outlined: bool
) -> None:
    """Write the marks that are there."""
    # What lies inside the mesh need not be measured to find the size of the page.
    look: Style = {"ha": "center", "va": "center_baseline", "in_layout": False}
    if outlined:
        look["path_effects"] = [withStroke(linewidth=1.4, foreground="white")]
    for row, column in np.argwhere(marks != ""):
        ink = INK if outlined else readable_ink(tuple(colours[row, column]))
        place = (middles[column], row + 0.5, marks[row, column])
        axes.text(*place, color=ink, size=6, **look)


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
