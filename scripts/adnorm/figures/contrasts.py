"""Comparisons as columns: disease first, then arms with their visits, placebo beside the drugs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from adnorm.figures.material import Material
from adnorm.figures.sheet import Sheet, text_width, wrap_words
from adnorm.figures.theme import ALERT, FAINT, INK, STATES, shorten
from adnorm.figures.words import (
    DISEASE,
    KINDS,
    count_text,
    in_words,
    later_title,
    split_arms,
    split_contrast,
)

CHANGE_KINDS = (*DISEASE, "change", "change-difference")


@dataclass(frozen=True)
class Column:
    """One comparison as a column of a heatmap.

    Attributes
    ----------
    contrast, kind
        As in comparisons.tsv.
    group
        Heading of the block of columns it stands in: an arm, or what is compared.
    week
        The visit.
    supported, pairs, reason
        As in comparisons.tsv.
    count
        The patients in words, both sides of a comparison of two groups.
    """

    contrast: str
    kind: str
    group: str
    week: float
    supported: bool
    pairs: int
    reason: str
    count: str = ""

    @property
    def family(self) -> str:
        """What stands above its block: disease (at baseline), later (visits), or its kind."""
        if self.kind not in DISEASE:
            return self.kind
        return "later" if ":" in self.contrast else "disease"


def grid_width(columns: list[Column]) -> float:
    """Inches for the columns: wide for few, so that headings fit, narrow for many."""
    count = max(len(columns), 1)
    cell = float(np.clip(3.0 / count, 0.36, 0.75))
    later = sum(c.family == "later" for c in columns)
    if later:
        # The heading of these columns has the longest words.
        cell = max(cell, min(0.85 / later, 9.0 / count, 0.75))
    return len(columns) * cell


def list_columns(material: Material, kinds: tuple[str, ...]) -> list[Column]:
    """List the comparisons of some kinds as columns, unsupported ones too.

    Parameters
    ----------
    material
        The cohort.
    kinds
        Kinds in the order of the columns; disease contrasts only if they are supported.
    """
    found = []
    for row in material.tables["comparisons"].itertuples(index=False):
        if row.kind not in kinds or "@" not in row.contrast:
            continue
        what, week = split_contrast(row.contrast)
        supported = row.supported == "yes"
        if not supported and (row.kind in DISEASE or row.kind == "change-difference"):
            continue
        disease = row.kind in DISEASE and ":" not in row.contrast
        group = KINDS[row.kind].replace("− ", "−\n") if disease else what
        reason = "" if pd.isna(row.reason) else str(row.reason)
        pairs = int(row.pairs)
        count = count_text(material, row.contrast, row.kind, pairs) if supported else ""
        found.append(Column(row.contrast, row.kind, group, week, supported, pairs, reason, count))
    arms = material.arms

    def key(column: Column) -> tuple:
        first, second = split_arms(column.group, arms)
        rank = [arms.index(a) if a in arms else len(arms) for a in (second, first)]
        # Baseline before later visits of one arm; placebo before dose against dose.
        later = column.family == "later"
        family = kinds.index(column.kind) if column.kind not in DISEASE else -1
        return (
            family,
            later,
            kinds.index(column.kind),
            bool(second),
            *rank,
            column.group,
            column.week,
        )

    return sorted(found, key=key)


def count_notes(columns: list[Column]) -> list[str]:
    """Explain the counts of two groups, if there are any."""
    explained = {
        " v ": "a v b = patients against healthy people",
        "+": "a+b = patients of two arms",
    }
    return [text for sign, text in explained.items() if any(sign in c.count for c in columns)]


def any_supported(columns: list[Column]) -> bool:
    """Tell whether anything can be drawn."""
    return any(c.supported for c in columns)


def mark(fdr: float, level: float) -> str:
    """Write a false discovery rate as stars.

    Examples
    --------
    >>> mark(0.04, 0.05), mark(0.0004, 0.05), mark(0.2, 0.05), mark(float("nan"), 0.05)
    ('*', '***', '', '')
    """
    # nan compares false with everything.
    return (
        "***"
        if fdr < min(0.001, level)
        else "**"
        if fdr < min(0.01, level)
        else ("*" if fdr < level else "")
    )


def star_note(level: float, within: str = "a comparison") -> str:
    """Explain the stars."""
    return f"* FDR < {level:g}, ** < 0.01, *** < 0.001 (Benjamini–Hochberg within {within})."


def draw_contrast_header(
    sheet: Sheet, material: Material, columns: list[Column], width: float
) -> tuple[float, list[tuple[int, float]]]:
    """Draw headings, visits and pairs above the columns.

    Returns
    -------
    y : float
        Lower edge in inches.
    cuts : list of (int, float)
        Where blocks and kinds begin, with the width in points of the line that separates them.
    """
    cell = width / len(columns)
    blocks = _blocks(columns)
    headings = [_heading(c, material.arms, (b - a) * cell - 0.04) for c, a, b in blocks]
    y = _draw_kinds(sheet, columns, cell) + 0.05 + max(height for _, _, height in headings)
    cuts: list[tuple[int, float]] = []
    for (column, a, b), (text, rotation, _) in zip(blocks, headings, strict=True):
        style = {"size": 7, "ha": "center", "linespacing": 1.15, "rotation": rotation}
        align = "bottom" if rotation else "baseline"
        sheet.text(cell * (a + b) / 2, y - (0.03 if rotation else 0.055), text, va=align, **style)
        arm = split_arms(column.group, material.arms)[0]
        colour = material.arm_colours.get(arm) or _kind_colour(column)
        sheet.box(cell * a + 0.015, y, cell * (b - a) - 0.03, 0.06, facecolor=colour)
        if a:
            new_kind = columns[a - 1].family != column.family
            cuts.append((a, 5.0 if new_kind else 2.4))
    y += 0.09
    counts = [f"n={c.count}" if c.supported else "no" for c in columns]
    if text_width(counts, 6) > cell - 0.06:
        counts = [text.removeprefix("n=") for text in counts]
    for position, (column, count) in enumerate(zip(columns, counts, strict=True)):
        text = f"wk {column.week:g}\n{count}"
        colour = FAINT if column.supported else ALERT
        middle = cell * (position + 0.5)
        sheet.text(middle, y, text, size=6, color=colour, ha="center", va="top", linespacing=1.2)
    return y + 0.26, cuts


def _kind_colour(column: Column) -> str:
    return STATES["lesional"] if column.kind in DISEASE else INK


def _heading(column: Column, arms: list[str], room: float) -> tuple[str, int, float]:
    """Fit a heading over its columns: text, rotation and height in inches."""
    group = column.group
    first, second = split_arms(group, arms)
    name = f"{first} − {second}" if second else group.replace("\n", " ")
    wrapped = wrap_words(name, 7, room)
    if wrapped is not None:
        return wrapped, 0, 0.125 * (wrapped.count("\n") + 1)
    flat = f"{shorten(first, 30)} −\n{shorten(second, 30)}" if second else group
    if "\n" not in flat:
        flat = wrap_words(flat, 7, 1.3) or shorten(flat, 30)
    return flat, 90, text_width(flat.split("\n"), 7) + 0.02


def _blocks(columns: list[Column]) -> list[tuple[Column, int, int]]:
    starts = [
        i
        for i, c in enumerate(columns)
        if not i or (c.group, c.kind) != (columns[i - 1].group, columns[i - 1].kind)
    ]
    ends = [*starts[1:], len(columns)]
    return [(columns[a], a, b) for a, b in zip(starts, ends, strict=True)]


def _draw_kinds(sheet: Sheet, columns: list[Column], cell: float) -> float:
    """Write what is compared above the blocks of one kind; return the height used."""
    later = later_title([c.group for c in columns if c.family == "later"])
    titles = KINDS | {"disease": "Disease", "later": later}
    families = [c.family for c in columns]
    if set(families) <= {"disease"}:
        return 0.0
    starts = [i for i, f in enumerate(families) if not i or f != families[i - 1]]
    spans = list(zip(starts, [*starts[1:], len(columns)], strict=True))
    words = []
    for a, b in spans:
        # Bold is wider than what is measured.
        wrapped = wrap_words(titles[families[a]], 7.5, (b - a) * cell / 1.15)
        words.append(wrapped or titles[families[a]].replace(" ", "\n"))
    height = 0.14 * max(text.count("\n") + 1 for text in words)
    for (a, b), text in zip(spans, words, strict=True):
        style = {"weight": "bold", "ha": "center", "va": "baseline", "linespacing": 1.15}
        sheet.text(cell * (a + b) / 2, height - 0.03, text, size=7.5, **style)
    return height + 0.08


def unsupported_notes(columns: list[Column], arms: list[str]) -> list[str]:
    """Say why columns are grey."""
    whys = [f"{in_words(c.contrast, c.kind, arms)}: {c.reason}" for c in columns if not c.supported]
    return ["Grey columns (no): " + "; ".join(whys)] if whys else []
