"""Published results of real trials: a table of their own, because they have another measure.

They are group results by the formulas of their papers, which nobody has checked, so that they stand
neither on an axis of the index nor in its colours.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from adnorm.base.text import counted, typeset
from adnorm.figures.data import AtlasData, rows_of
from adnorm.figures.labels import without_doi
from adnorm.figures.sheet import Part, Sheet, draw_pages, fit_words, lines_of

TITLE = "Published results of real trials: another measure"
#: Headings, and the part of the page that each column has; a page of one column of a journal has
#: the first two, and the others below them.
COLUMNS = {
    "Drug or control, visit": 0.24,
    "Result": 0.08,
    "Measure of the paper": 0.22,
    "Source": 0.22,
    "Caveat": 0.24,
}
SIZE, LINE = 6.5, 0.118
ONE_COLUMN = 4.0


def told_apart(labels: list[str]) -> list[str]:
    """Number labels that stand for several results.

    Examples
    --------
    >>> told_apart(["a", "b", "a"])
    ['a (1 of 2)', 'b', 'a (2 of 2)']
    """
    total, seen = Counter(labels), Counter[str]()
    found = []
    for label in labels:
        seen[label] += 1
        found.append(f"{label} ({seen[label]} of {total[label]})" if total[label] > 1 else label)
    return found


def draw_published(data: AtlasData) -> list[Figure]:
    """Draw the published results that have a number, and name the others; nothing without any."""
    rows = data.published
    if rows.empty:
        return []
    known = rows[rows["share"].notna()]
    facts: dict[str, Any] = {"title": "Not part of this run", "width": data.width}
    facts["cohort"] = counted(len(known), "result")

    def make(part: str) -> Sheet:
        subtitle = "results of groups, as reported; not recomputed, not adjusted for placebo"
        return Sheet(TITLE, facts, subtitle, part=part)

    probe = make("")
    wide = probe.width > ONE_COLUMN
    named = zip(rows_of(known), told_apart(list(known["label"])), strict=True)
    lines = [_cells(row, label, probe.width, wide) for row, label in named]
    parts = [_heading(probe.width)] if wide else []
    parts += [_part(cells, probe.width, wide) for cells in lines]
    silent = "; ".join(rows.loc[rows["share"].isna(), "label"])
    notes = [
        "Not comparable with the index or with each other: each paper has its own formula. They "
        "enter no estimate. Identical names are numbered. Sources in full: in the table.",
        *([f"Published without a number: {silent}."] if silent else []),
    ]
    return list(draw_pages(make, parts, Part(0.08, lambda sheet, y: None), notes))


def _cells(row: pd.Series, label: str, width: float, wide: bool) -> list[str]:
    result = typeset(f"{100 * row.share:.4g} %")
    texts = [label, result, row.measure, without_doi(row.source), typeset(row.reason)]
    if not wide:
        below = "; ".join(filter(None, texts[2:]))
        return [fit_words(label, SIZE, 0.8 * width, bold=True), result,
                fit_words(below, SIZE, width)]  # fmt: skip
    rooms = [part * width - 0.08 for part in COLUMNS.values()]
    return [fit_words(text, SIZE, room) for text, room in zip(texts, rooms, strict=True)]


def _heading(width: float) -> Part:
    def draw(sheet: Sheet, y: float) -> None:
        x = sheet.left
        for text, part in COLUMNS.items():
            sheet.text(x, y + 0.1, text, size=SIZE, weight="bold", va="baseline")
            x += part * width

    return Part(0.18, draw)


def _part(cells: list[str], width: float, wide: bool) -> Part:
    """One result: a line of the table, or on a narrow page a paragraph."""
    style = {"size": SIZE, "va": "top", "linespacing": 1.25}

    def draw(sheet: Sheet, y: float) -> None:
        sheet.box(sheet.left, y, sheet.width, 0.004, facecolor="#CCCCCC")
        x, y = sheet.left, y + 0.045
        if wide:
            for text, part in zip(cells, COLUMNS.values(), strict=True):
                sheet.text(x, y, text, **style)
                x += part * width
            return
        sheet.text(x, y, cells[0], weight="bold", **style)
        sheet.text(x + width, y, cells[1], weight="bold", ha="right", **style)
        sheet.text(x, y + LINE * lines_of(cells[:1]), cells[2], **style)

    height = LINE * (lines_of(cells) if wide else lines_of(cells[:1]) + lines_of(cells[2:]))
    return Part(height + 0.07, draw)
