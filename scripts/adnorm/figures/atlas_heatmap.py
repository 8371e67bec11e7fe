"""The normalization heatmap over all cohorts: sets × cohort, arm, week; published rows hatched."""

from __future__ import annotations

from collections import Counter
from itertools import groupby

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from adnorm.figures.atlas_material import AtlasMaterial, without_doi
from adnorm.figures.index_cells import NOT_DEFINED, PRIMARY, SHORT, row_label, score_blocks
from adnorm.figures.names import TITLES
from adnorm.figures.normalization import (
    cell_colour,
    draw_index_bar,
    fill_boxes,
    fit_words,
    says_nothing,
)
from adnorm.figures.panels import digits
from adnorm.figures.sheet import Sheet, message_sheet, text_width
from adnorm.figures.theme import FAINT, MISSING, counted, readable_ink, shorten

NAME = "normalization_atlas"
KEYS = ["cohort", "arm", "week"]
COLUMNS = [
    "drawn",
    *KEYS,
    "reference",
    "name",
    "label",
    "value",
    "lower",
    "upper",
    "bold",
    "pairs",
    "status",
    "reason_code",
    "measure",
    "source",
    "reason",
]
COMPUTED, PUBLISHED = "computed", "published, not recomputed"
ROW, GAP = 0.185, 0.16
#: Least width of a column, and of all columns of an arm and of a cohort.
CELL, ARM, COHORT = 0.44, 0.8, 1.05
HATCH = "//////"


def draw_normalization_atlas(material: AtlasMaterial) -> tuple[Figure, pd.DataFrame]:
    """Draw the index of every score in every arm and week of every cohort.

    Parameters
    ----------
    material
        The run.

    Returns
    -------
    figure : Figure
    table : DataFrame
        One row for each cell, then the published results.
    """
    time = material.time.rename(columns={"name": "set"})
    published = _published_table(material.published)
    if time["ni"].notna().sum() == 0:
        reason = "no cohort of this run has an index over visits"
        table = pd.concat([pd.DataFrame([{"reason": reason}]), published], ignore_index=True)
        return message_sheet(TITLES[NAME], material.facts, reason), table.reindex(columns=COLUMNS)
    blocks, notes = score_blocks(material, time)
    labels = {n: row_label(material, n, head == PRIMARY) for head, names in blocks for n in names}
    table = _table(time[time["set"].isin(labels)], labels)
    columns = list(table[KEYS].drop_duplicates().itertuples(index=False, name=None))
    places = _places(columns)
    left = -text_width([*labels.values(), *published["label"].astype(str)], 7) - 0.14
    said = f"{counted(labels, 'score')}; {counted(columns, 'arm and week')}; n = patients"
    said = said.replace("arm and weeks", "arms and weeks")
    sheet = Sheet(TITLES[NAME], material.facts, said, left=left)
    y = _draw_header(sheet, material, table, columns, places)
    end = _draw_cells(sheet, table, blocks, labels, columns, places, y)
    below = _draw_published(sheet, published, end + 0.2, left)
    x = places[-1][1] + 0.3
    draw_index_bar(sheet, x, "reference", untreated=False)
    _draw_key(sheet, x, table, published)
    width = max(places[-1][1] + 1.6 - left, 6.5)
    sheet.notes(left, below + 0.1, width, [*_notes(), *notes, *material.absent_note])
    return sheet.figure, pd.concat([table, published], ignore_index=True)[COLUMNS]


def _table(time: pd.DataFrame, labels: dict[str, str]) -> pd.DataFrame:
    order = {name: i for i, name in enumerate(labels)}
    time = time.assign(rank=time["set"].map(order)).sort_values(["place", "week", "rank"])
    known = time["ni"].notna()
    controlled = time["dni_lower"].notna()
    lower = time["dni_lower"].where(controlled, time["lower"])
    upper = time["dni_upper"].where(controlled, time["upper"])
    table = time.assign(
        drawn=COMPUTED,
        name=time["set"],
        label=time["set"].map(labels),
        value=time["ni"],
        bold=np.where(known & ((lower > 0) | (upper < 0)), "yes", "no"),
        reason_code=time["reason_code"].where(~known, ""),
        measure="NI",
        source="",
    )
    table[["lower", "upper"]] = table[["lower", "upper"]].where(known)
    return table.reset_index(drop=True).reindex(columns=COLUMNS)


def _published_table(published: pd.DataFrame) -> pd.DataFrame:
    table = published.rename(columns={"share": "value"}).assign(drawn=PUBLISHED)
    return table.reindex(columns=COLUMNS)


def _places(columns: list[tuple]) -> list[tuple[float, float]]:
    """Left and right edge of each column; gaps between cohorts, small ones between arms.

    Columns are wider where a cohort or an arm has few, so that their names fit.
    """
    visits = Counter(column[:2] for column in columns)
    size = Counter(column[0] for column in columns)
    x, places = 0.0, []
    for before, column in zip([columns[0], *columns[:-1]], columns, strict=True):
        x += GAP if before[0] != column[0] else 0.04 if before[1] != column[1] else 0.0
        width = max(CELL, ARM / visits[column[:2]], COHORT / size[column[0]])
        places.append((x, x + width))
        x += width
    return places


def _spans(columns: list[tuple], places: list[tuple], depth: int) -> list[tuple]:
    """Blocks of columns with the same first parts: the parts, left and right edge."""
    runs = [list(run) for _, run in groupby(range(len(columns)), lambda i: columns[i][:depth])]
    return [(columns[run[0]], places[run[0]][0], places[run[-1]][1]) for run in runs]


def _draw_header(
    sheet: Sheet, material: AtlasMaterial, table: pd.DataFrame, columns: list, places: list
) -> float:
    """Write cohort, arm, week and patients above the columns; return the lower edge."""
    references = table.drop_duplicates("cohort").set_index("cohort")["reference"]
    cohorts = []
    for (cohort, *_), a, b in _spans(columns, places, 1):
        against = f"\nagainst {references[cohort]} skin" if references[cohort] == "healthy" else ""
        cohorts.append((fit_words(material.name(cohort), 7, (b - a) / 1.15) + against, a, b))
    y = 0.13 * max(text.count("\n") + 1 for text, _, _ in cohorts)
    for text, a, b in cohorts:
        style = {"weight": "bold", "ha": "center", "va": "baseline", "linespacing": 1.15}
        sheet.text((a + b) / 2, y - 0.03, text, size=7, **style)
    arms = [(c, fit_words(c[1], 6.5, b - a), a, b) for c, a, b in _spans(columns, places, 2)]
    y += 0.1 + 0.12 * max(text.count("\n") + 1 for _, text, _, _ in arms)
    for (cohort, arm, _), text, a, b in arms:
        style = {"size": 6.5, "ha": "center", "va": "baseline", "linespacing": 1.15}
        sheet.text((a + b) / 2, y - 0.05, text, **style)
        colour = material.colours[cohort, arm]
        sheet.box(a + 0.01, y, b - a - 0.02, 0.06, facecolor=colour)
    pairs = table.drop_duplicates(KEYS).set_index(KEYS)["pairs"]
    for column, (a, b) in zip(columns, places, strict=True):
        text = f"wk {column[2]:g}\nn={int(pairs[column])}"
        style = {"size": 5.8, "color": FAINT, "ha": "center", "va": "top", "linespacing": 1.15}
        sheet.text((a + b) / 2, y + 0.085, text, **style)
    return y + 0.33


def _draw_cells(
    sheet: Sheet,
    table: pd.DataFrame,
    blocks: list[tuple[str, list[str]]],
    labels: dict[str, str],
    columns: list[tuple],
    places: list[tuple],
    y: float,
) -> float:
    cells = {(*(row[k] for k in KEYS), row["name"]): row for row in table.to_dict("records")}
    height = ROW * sum(len(names) + 1 for _, names in blocks)
    width = places[-1][1]
    axes = sheet.axes(0, y, width, height)
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    below, boxes = 0.0, []
    for heading, names in blocks:
        sheet.text(0, y + below + ROW / 2, heading, size=7.5, weight="bold", va="center")
        below += ROW
        for name in names:
            middle = y + below + ROW / 2
            sheet.text(-0.07, middle, labels[name], size=7, ha="right", va="center")
            rows = [cells[(*column, name)] for column in columns]
            boxes += _draw_row(axes, rows, columns, places, below)
            below += ROW
    fill_boxes(axes, boxes, 0.8)
    return y + height


def _draw_row(axes: Axes, rows: list, columns: list, places: list, below: float) -> list[tuple]:
    """Write one score; neighbours of a cohort without an index share one box and one reason."""
    boxes = []

    def box(i: int) -> tuple:
        return (columns[i][0], rows[i]["reason_code"] if np.isnan(rows[i]["value"]) else i)

    for _, some in groupby(range(len(rows)), key=box):
        run = list(some)
        x, right, row = places[run[0]][0], places[run[-1]][1], rows[run[0]]
        style = {"ha": "center", "va": "center", "in_layout": False}
        place = ((x + right) / 2, below + ROW / 2)
        if np.isnan(row["value"]):
            colour: object = MISSING
            words = SHORT.get(row["reason_code"], NOT_DEFINED)
            text = shorten(words, max(int((right - x) / 0.052), 6))
            axes.text(*place, text, size=5.2, color=FAINT, **style)
        else:
            colour = cell_colour(row["value"], row["lower"], row["upper"])
            weight = "bold" if row["bold"] == "yes" else "normal"
            style |= {"weight": weight, "color": readable_ink(colour)}
            axes.text(*place, digits(row["value"]), size=6.3, **style)
        boxes.append(((x, below, right, below + ROW), colour))
    return boxes


def _draw_published(sheet: Sheet, published: pd.DataFrame, y: float, left: float) -> float:
    """Draw published results as hatched rows with what was measured; return the lower edge."""
    if published.empty:
        return y
    sheet.text(left, y, "Published (real trials)", size=7.5, weight="bold", va="center")
    words = "not recomputed, another measure than NI, of groups, not adjusted for placebo; "
    words += "sources in full are in the table"
    sheet.text(0.02, y, words, size=6.5, color=FAINT, va="center")
    y += ROW / 2 + 0.03
    height = ROW * len(published)
    axes = sheet.axes(0, y, CELL * 1.4, height)
    axes.set(xlim=(0, 1), ylim=(len(published), 0))
    axes.set_axis_off()
    for position, row in enumerate(published.itertuples(index=False)):
        known = np.isfinite(row.value)
        colour = cell_colour(row.value, row.value, row.value) if known else to_rgb(MISSING)
        style = {"edgecolor": "#FFFFFF", "hatch": HATCH, "lw": 0.8, "in_layout": False}
        with mpl.rc_context({"hatch.linewidth": 0.7}):
            axes.add_patch(Rectangle((0, position), 1, 1, facecolor=colour, **style))
        text = f"{100 * row.value:.4g} %".replace("-", "−") if known else "no number"
        plate = {"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.85}
        style = {"size": 6, "ha": "center", "va": "center", "in_layout": False, "bbox": plate}
        axes.text(0.5, position + 0.5, text, **style)
        middle = y + ROW * (position + 0.5)
        sheet.text(-0.07, middle, row.label, size=7, ha="right", va="center")
        said = shorten(f"{row.measure}; {without_doi(row.source)}", 118)
        sheet.text(CELL * 1.4 + 0.08, middle, said, size=6, color=FAINT, va="center")
    return y + height


def _draw_key(sheet: Sheet, x: float, table: pd.DataFrame, published: pd.DataFrame) -> None:
    y = 2.12
    sheet.text(x, y, "0.62", size=7, weight="bold", va="top")
    sheet.text(x + 0.33, y, "interval excludes 0, see notes", size=6.5, color=FAINT, va="top")
    known = table[table["value"].notna()]
    boxes = [
        (says_nothing(known["lower"], known["upper"]).any(), cell_colour(1.0, 0.0, 1.0), "",
         "pale: interval holds both 0 and 1"),
        (table["value"].isna().any(), MISSING, "", "no index"),
        (len(published) > 0, cell_colour(0.7, 0.7, 0.7), HATCH, "published, not recomputed"),
    ]  # fmt: skip
    for used, colour, hatch, meaning in boxes:
        if used:
            y += 0.17
            style = {"facecolor": colour, "edgecolor": "white", "hatch": hatch, "lw": 0}
            sheet.box(x, y + 0.005, 0.24, 0.1, **style)
            sheet.text(x + 0.33, y, meaning, size=6.5, color=FAINT, va="top")


def _notes() -> list[str]:
    return [
        "NI = share of the disease effect (lesional − reference skin at baseline) that is gone in "
        "the patients of an arm; reference: nonlesional skin where no other is named. Intervals "
        "are in the table and in the figure of each cohort.",
        "Bold: the interval of the difference to placebo (of NI itself, where there is no placebo "
        "or the arm is the placebo) excludes 0; not corrected for the number of cells. Weeks "
        "differ between cohorts: compare drugs in the forest, where windows are matched.",
    ]
