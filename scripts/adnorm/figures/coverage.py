"""How much of each gene set the platform can see."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from adnorm.figures.grid import ROW
from adnorm.figures.labels import category_blocks, mark_label
from adnorm.figures.material import Material
from adnorm.figures.names import TITLES
from adnorm.figures.selection import MOST_ADDED, added_sets
from adnorm.figures.sheet import Sheet, text_width
from adnorm.figures.theme import ALERT, COVERAGE, FAINT, counted

COLUMNS = ["set", "label", "asked", "found", "renamed", "undetected", "absent", "status", "reason"]
LABELS = {
    "found": "found by its symbol",
    "renamed": "found by an older symbol",
    "undetected": "measured, not detected",
}


def draw_coverage(material: Material) -> tuple[Figure, pd.DataFrame]:
    """Draw one bar a set: found, found by an older symbol, not detected, absent.

    Hundreds of added sets are only counted.

    Returns
    -------
    figure : Figure
    table : DataFrame
        One row per set, in the order of the figure, those that are only counted too.
    """
    table = material.tables["coverage"].set_index("set")
    listed = [name for name in material.sets.index if name in table.index]
    added = set(added_sets(material)) & set(listed)
    counts = table.loc[sorted(added), "status"].value_counts()
    hidden = added if len(added) > MOST_ADDED else set()
    names = [name for name in listed if name not in hidden]
    blocks = category_blocks(material, names)
    lines = [
        line
        for heading, shown in blocks
        for line in [("heading", heading), *(("row", n) for n in shown)]
    ]
    labels = [mark_label(material, n) for n in names]
    left, width = -text_width(labels, 7) - 0.15, 4.2
    low = int((table.loc[names, "status"] != "ok").sum())
    shown_text = (
        f"{counted(names, 'gene set')}, {low} flagged; numbers are genes found of genes asked"
    )
    sheet = Sheet(TITLES["coverage"], material.facts, shown_text, left=left)
    height = ROW * max(len(lines), 1)
    axes = sheet.axes(0, 0, width, height)
    for position, (kind, text) in enumerate(lines):
        middle = ROW * (position + 0.5)
        if kind == "heading":
            sheet.text(0, middle, text, size=7.5, weight="bold", va="center")
            continue
        row = table.loc[text]
        flagged = row["status"] != "ok"
        colour = ALERT if flagged else "black"
        sheet.text(
            -0.07, middle, mark_label(material, text), size=7, ha="right", va="center", color=colour
        )
        found = f"{int(row['found'])}/{int(row['asked'])}"
        sheet.text(width + 0.08, middle, found, size=7, va="center", color=colour)
    _draw_bars(axes, table, lines)
    axes.set(ylim=(len(lines), 0), xlim=(0, 100), yticks=[], xlabel="% of the genes asked")
    axes.spines["left"].set_visible(False)
    least = 100 * float(material.settings.get("scores", {}).get("minimum_fraction", 0.5))
    axes.axvline(least, color=ALERT, linewidth=0.9, linestyle=(0, (4, 2)), zorder=4)
    x = width + 0.75
    y = sheet.legend(
        x, 0, "Genes", {LABELS.get(k, material.absent): c for k, c in COVERAGE.items()}
    )
    text = f"Dashed line: {least:g} % found,\nthe least that is not flagged"
    sheet.text(x, y, text, size=6.5, color=FAINT, va="top", linespacing=1.35)
    notes = _notes(low, least)
    if hidden:
        words = {"ok": "ok", "low_coverage": "low coverage", "not_scored": "not scored"}
        parts = ", ".join(f"{counts.get(key, 0):,} {word}" for key, word in words.items())
        notes.append(f"{len(added):,} added sets, not drawn: {parts}; all are in the TSV.")
    sheet.notes(left, height + 0.5, width - left + 1.5, notes)
    drawn = table.loc[listed].reset_index()
    drawn["label"] = drawn["set"].map(material.sets["label"])
    return sheet.figure, drawn.reindex(columns=COLUMNS)


def _notes(flagged: int, least: float) -> list[str]:
    if not flagged:
        return []
    text = (
        f"† fewer than {least:g} % or too few genes found; the reason of each set is in the table"
    )
    return [f"{text} of this figure."]


def _draw_bars(axes: object, table: pd.DataFrame, lines: list[tuple[str, str]]) -> None:
    """Stack the four parts; what is left over of the genes asked is found by its own symbol."""
    rows = [(i, table.loc[n]) for i, (kind, n) in enumerate(lines) if kind == "row"]
    places = [i + 0.5 for i, _ in rows]
    start = np.zeros(len(rows))
    for part, colour in COVERAGE.items():
        sizes = []
        for _, row in rows:
            lost = int(row["renamed"]) + int(row["undetected"]) + int(row["absent"])
            size = int(row["asked"]) - lost if part == "found" else int(row[part])
            sizes.append(100 * size / max(int(row["asked"]), 1))
        axes.barh(places, sizes, left=start, height=0.72, color=colour, linewidth=0)
        start = start + np.array(sizes)
