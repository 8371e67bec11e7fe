"""A forest over all cohorts and arms, by drug class; published results beside, set apart."""

from __future__ import annotations

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from adnorm.figures.atlas_material import AtlasMaterial, without_doi
from adnorm.figures.forest_rows import (
    ARM,
    CLASS,
    COLUMNS,
    DIFFERENCE,
    NI,
    PUBLISHED,
    UNMATCHED,
    forest_rows,
)
from adnorm.figures.names import TITLES
from adnorm.figures.normalization import fit_words
from adnorm.figures.panels import range_of, score_label, zero_and_one
from adnorm.figures.sheet import Sheet, message_sheet, text_width
from adnorm.figures.theme import FAINT, INK, counted, shorten

NAME = "forest"
ROW, PANEL, GAP = 0.165, 1.5, 0.16
#: Of the measure and source of a published result.
MOST_LETTERS = 116
#: Marker and face of each kind of row; arms are filled with their own colour.
KINDS = {
    ARM: ("o", "arm: difference to placebo (dNI)"),
    NI: ("s", "arm without placebo: the index itself, uncontrolled"),
    CLASS: ("D", "class: random effects over trials"),
    DIFFERENCE: ("d", "difference of two classes"),
    PUBLISHED: ("o", "published, not recomputed"),
}


def draw_forest(material: AtlasMaterial) -> tuple[Figure, pd.DataFrame]:
    """Draw, for each score of the primary family, what every arm does beyond placebo.

    Parameters
    ----------
    material
        The run.

    Returns
    -------
    figure : Figure
    table : DataFrame
        One row for each row of the figure and score.
    """
    table = forest_rows(material)
    own = table[table["drawn"] != PUBLISHED]
    if own["value"].isna().all():
        reason = "no treated arm of this run has an index over visits"
        why = pd.DataFrame([{"reason": reason}])
        both = pd.concat([why, table], ignore_index=True).reindex(columns=COLUMNS)
        return message_sheet(TITLES[NAME], material.facts, reason), both
    names = [name for name in material.primary if name in set(table["name"])]
    texts = _first(table, "text")
    left = -text_width(texts.values(), 7) - 0.14
    cohorts = counted(sorted(set(own.loc[own["drawn"] == ARM, "cohort"])), "cohort")
    subtitle = f"{cohorts} with treated arms; bars are {material.confidence} intervals"
    sheet = Sheet(TITLES[NAME], material.facts, subtitle, left=left)
    places, headings, end = _places(table)
    top = 0.32
    limits = range_of([table["value"], table["lower"], table["upper"]], -0.3, 1.05)
    measures = set(own.loc[own["value"].notna(), "measure"])
    across = "dNI" if NI not in measures else "NI" if measures == {NI} else "dNI (squares: NI)"
    for position, name in enumerate(names):
        x = position * (PANEL + GAP)
        axes = sheet.axes(x, top, PANEL, end)
        axes.set(xlim=limits, ylim=(end, 0), yticks=[])
        axes.spines["left"].set_visible(False)
        zero_and_one(axes, across=False)
        title = fit_words(score_label(material, name), 7, PANEL / 1.12)
        axes.set_title(title, loc="left", weight="bold", size=7, linespacing=1.1)
        axes.set_xlabel(across, size=7)
        _draw_rows(axes, material, table[table["name"] == name], places, limits)
        _hatch(axes, table, places, limits)
    for row, text in texts.items():
        sheet.text(-0.07, top + places[row], text, size=7, ha="right", va="center")
    _write_measures(sheet, table, places, top)
    for heading, y in headings.items():
        plate = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
        style = {"size": 7.5, "weight": "bold", "va": "center", "bbox": plate}
        sheet.text(left, top + y, heading, **style)
    width = len(names) * (PANEL + GAP)
    _draw_key(sheet, width + 0.1, top, table)
    sheet.notes(left, top + end + 0.5, max(width - left, 6.5), _notes(material, table))
    return sheet.figure, table


def _first(table: pd.DataFrame, column: str) -> dict[int, str]:
    return table.drop_duplicates("row").set_index("row")[column].to_dict()


def _places(table: pd.DataFrame) -> tuple[dict[int, float], dict[str, float], float]:
    """Middle of every row and heading in inches, and where the last row ends."""
    places, headings, y, block = {}, {}, 0.0, None
    for row, own in _first(table, "block").items():
        if own != block:
            y += 0.06
            headings[own] = y + ROW / 2
            y += ROW
            block = own
        places[row] = y + ROW / 2
        y += ROW
    return places, headings, y + 0.04


def _draw_rows(
    axes: Axes, material: AtlasMaterial, rows: pd.DataFrame, places: dict, limits: tuple
) -> None:
    for row in rows.itertuples(index=False):
        y = places[row.row]
        if pd.isna(row.value):
            if row.drawn != PUBLISHED:
                style = {"size": 5.5, "color": FAINT, "va": "center", "in_layout": False}
                axes.text(0.04, y, row.short, **style)
            continue
        colour = material.colours.get((row.cohort, row.arm), INK)
        marker, face, size = _look(row)
        face = colour if face else "white"
        if pd.notna(row.lower):
            axes.plot([row.lower, row.upper], [y, y], color=colour, lw=1.2, zorder=2)
        edge = FAINT if row.drawn == PUBLISHED else colour
        style = {"ms": size, "mfc": face, "mec": edge, "mew": 0.9, "zorder": 3}
        axes.plot(min(max(row.value, limits[0]), limits[1]), y, marker, **style)


def _look(row: tuple) -> tuple[str, bool, float]:
    """Marker, whether it is filled, and its size."""
    if row.drawn == ARM:
        return ("s", False, 3.8) if row.measure == NI else ("o", True, 4.0)
    marker = KINDS[row.drawn][0]
    return marker, row.drawn == CLASS, 5.5 if row.drawn == CLASS else 4.6


def _hatch(axes: Axes, table: pd.DataFrame, places: dict, limits: tuple) -> None:
    """Hatch the rows of published results, in all panels."""
    rows = [places[row] for row in sorted(set(table.loc[table["drawn"] == PUBLISHED, "row"]))]
    if rows:
        corner, width = (limits[0], rows[0] - ROW / 2), limits[1] - limits[0]
        style = {"facecolor": "white", "edgecolor": "#DDDDDD", "hatch": "////", "lw": 0}
        with mpl.rc_context({"hatch.linewidth": 0.5}):
            height = rows[-1] - rows[0] + ROW
            axes.add_patch(Rectangle(corner, width, height, zorder=0.5, in_layout=False, **style))


def _write_measures(sheet: Sheet, table: pd.DataFrame, places: dict, top: float) -> None:
    """Say beside every published result what was measured, and where it stands."""
    x = PANEL + GAP + 0.06
    for row in table[table["drawn"] == PUBLISHED].drop_duplicates("row").itertuples(index=False):
        text = shorten(f"{row.measure}; {without_doi(row.source)}", MOST_LETTERS)
        plate = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
        style = {"size": 5.6, "color": FAINT, "va": "center", "bbox": plate}
        sheet.text(x, top + places[row.row], text, **style)


def _draw_key(sheet: Sheet, x: float, y: float, table: pd.DataFrame) -> None:
    shown = table[table["value"].notna()]
    kinds = set(shown["drawn"]) - {ARM}
    kinds |= {NI if m == NI else ARM for m in shown.loc[shown["drawn"] == ARM, "measure"]}
    sheet.text(x, y, "Rows", size=7.5, va="top")
    for position, kind in enumerate(k for k in KINDS if k in kinds):
        marker, meaning = KINDS[kind]
        axes = sheet.axes(x, y + 0.2 + 0.18 * position, 0.14, 0.14)
        axes.set_axis_off()
        face = INK if kind in (ARM, CLASS) else "white"
        edge = FAINT if kind == PUBLISHED else INK
        axes.plot(0, 0, marker, ms=4.6, mfc=face, mec=edge, mew=0.9, clip_on=False)
        sheet.text(x + 0.22, y + 0.27 + 0.18 * position, meaning, size=6.5, va="center")


def _notes(material: AtlasMaterial, table: pd.DataFrame) -> list[str]:
    notes = [
        "dNI: NI of the arm minus NI of placebo in the same week; NI is the share of the disease "
        "effect that is gone. Solid line: 0, nothing beyond placebo; dashed: 1, the whole disease "
        "effect. n: patients of the arm v patients of placebo. Colours of arms are those of the "
        "figures of each cohort.",
        "A class gets an estimate only where two trials have a visit in the same window of weeks; "
        "with one trial, class and trial cannot be told apart.",
    ]
    if not set(table["short"]) <= {"", UNMATCHED}:
        notes.append(
            "Words in place of a point say why there is no number; the reason in full is in the "
            "table."
        )
    if (table["short"] == UNMATCHED).any():
        notes.append(
            f"{UNMATCHED.capitalize()}: one of the classes was measured in other weeks; a "
            "comparison would be one of times, not of drugs."
        )
    refused = material.tables["classes"]
    refused = refused[(refused["question"] == DIFFERENCE) & refused["name"].isna()]
    notes += [f"{reason}." for reason in dict.fromkeys(refused["reason"])]
    published = material.published
    silent = published.loc[published["share"].isna(), "label"]
    if (table["drawn"] == PUBLISHED).any():
        notes.append(
            "Hatched: published results of groups in real trials, by the measure of the paper, "
            "which is another one than NI, and not adjusted for placebo; they enter no estimate. "
            "Sources in full are in the table."
        )
    if len(silent):
        notes.append(f"Published without a number: {'; '.join(silent)}.")
    return [*notes, *material.absent_note]
