"""The index of every arm over the visits, placebo beside the drugs."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adnorm.figures.index_cells import GLOBAL, ITCH_MINUS_TH2, NOT_DEFINED, SHORT
from adnorm.figures.index_material import IndexMaterial
from adnorm.figures.names import TITLES
from adnorm.figures.panels import (
    PRIMARY_ANALYSIS,
    ZERO_ONE_NOTE,
    ends_inside,
    known_reference,
    range_of,
    score_label,
    week_ticks,
    why_no_index,
    zero_and_one,
)
from adnorm.figures.sheet import Sheet, message_sheet
from adnorm.figures.theme import counted, shorten
from adnorm.study.comparisons import UNTREATED_ARM

NAME = "time_courses"
COLUMNS = [
    "name",
    "label",
    "reference",
    "arm",
    "week",
    "ni",
    "lower",
    "upper",
    "beyond_placebo",
    "dni",
    "dni_lower",
    "dni_upper",
    "pairs",
    "placebo_pairs",
    "status",
    "reason_code",
    "reason",
]
PANEL, GAP, ACROSS = (1.72, 1.3), (0.22, 0.55), 4
TOPICS = ("itch", "barrier")


def draw_time_courses(material: IndexMaterial) -> tuple[Figure, pd.DataFrame]:
    """Draw a panel for the disease axis and every signed itch and barrier set.

    Parameters
    ----------
    material
        The cohort.

    Returns
    -------
    figure : Figure
    table : DataFrame
        One row for each score, arm and visit; scores without an index with the reason.
    """
    index = material.tables["index"]
    names = _names(material, set(index["name"]))
    index = index[(index["analysis"] == PRIMARY_ANALYSIS) & index["name"].isin(names)]
    reference = known_reference(index, "ni")
    if not reference:
        reason = why_no_index(material, index)
        table = index.assign(beyond_placebo="", label="")
        table["label"] = [score_label(material, n) for n in table["name"]]
        table = table if len(table) else pd.DataFrame([{"reason": reason}])
        figure = message_sheet(TITLES[NAME], material.facts, reason)
        return figure, table.reindex(columns=COLUMNS).reset_index(drop=True)
    table = _table(material, index[index["reference"] == reference], names)
    shown = [n for n in names if table.loc[table["name"] == n, "ni"].notna().any()]
    arms = [arm for arm in material.arms if arm in set(table["arm"])]
    known = table[table["ni"].notna()]
    limits = range_of([known["lower"], known["upper"]], -0.1, 1.05)
    subtitle = f"{counted(shown, 'score')}; bars are {material.confidence} intervals"
    sheet = Sheet(TITLES[NAME], material.facts, subtitle, left=-0.5)
    for i, name in enumerate(shown):
        column, row = i % ACROSS, i // ACROSS
        x, y = column * (PANEL[0] + GAP[0]), 0.3 + row * (PANEL[1] + GAP[1])
        axes = sheet.axes(x, y, *PANEL)
        _draw_arms(axes, material, table[table["name"] == name], arms)
        zero_and_one(axes)
        axes.set_ylim(limits)
        week_ticks(axes, table["week"])
        label = textwrap.fill(shorten(score_label(material, name), 58), 32)
        axes.set_title(label, loc="left", weight="bold", size=7, linespacing=1.1)
        if column:
            axes.tick_params(labelleft=False)
        else:
            axes.set_ylabel("index NI", size=7)
        if i + ACROSS >= len(shown):
            axes.set_xlabel("week", size=7)
    rows = -(-len(shown) // ACROSS)
    width = min(len(shown), ACROSS) * (PANEL[0] + GAP[0])
    colours = {_counts(table, arm): material.arm_colours[arm] for arm in arms}
    sheet.legend(width + 0.1, 0.3, "Arm (n = patients at each visit)", colours)
    below = 0.3 + rows * (PANEL[1] + GAP[1]) + 0.1
    notes = _notes(material, table, names, shown, reference)
    sheet.notes(-0.5, below, max(width + 1.0, 6.0), notes)
    return sheet.figure, table


def _names(material: IndexMaterial, present: set[str]) -> list[str]:
    """The primary family, then the other signed sets of itch and barrier."""
    sets = material.sets
    own = sets["category"].isin(TOPICS) & ~sets["direction"].isin(["unsigned", ""])
    names = [*material.primary, GLOBAL, ITCH_MINUS_TH2, *sets.index[own]]
    return [name for name in dict.fromkeys(names) if name in present]


def _table(material: IndexMaterial, index: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    order = {name: i for i, name in enumerate(names)}
    arms = {arm: i for i, arm in enumerate(material.arms)}
    ranks = pd.DataFrame(
        {"name": index["name"].map(order), "arm": index["arm"].map(arms), "week": index["week"]}
    )
    rows = index.loc[ranks.sort_values(["name", "arm", "week"]).index].reset_index(drop=True)
    beyond = (rows["dni_lower"] > 0) | (rows["dni_upper"] < 0)
    rows["beyond_placebo"] = np.where(rows["dni"].isna(), "", np.where(beyond, "yes", "no"))
    unbounded = rows["lower"].isna() | rows["upper"].isna()
    rows.loc[unbounded, "ni"] = np.nan
    rows["label"] = [score_label(material, name) for name in rows["name"]]
    return rows.reindex(columns=COLUMNS)


def _draw_arms(axes: Axes, material: IndexMaterial, rows: pd.DataFrame, arms: list[str]) -> None:
    """Lines from 0 at baseline, which holds by definition, over the visits."""
    step = 0.022 * max(rows["week"].max(), 1.0)
    for position, arm in enumerate(arms):
        own = rows[(rows["arm"] == arm) & rows["ni"].notna()]
        if own.empty:
            continue
        colour = material.arm_colours[arm]
        x = own["week"].to_numpy() + (position - (len(arms) - 1) / 2) * step
        y = own["ni"].to_numpy()
        axes.plot([0, *x], [0, *y], color=colour, lw=1.2, zorder=2)
        axes.vlines(x, own["lower"], own["upper"], color=colour, lw=1.0, zorder=3)
        hollow = (own["beyond_placebo"] == "no").to_numpy()
        for some, face in ((~hollow, colour), (hollow, "white")):
            axes.plot(x[some], y[some], "o", ms=3.6, mfc=face, mec=colour, mew=1.0, zorder=4)


def _counts(table: pd.DataFrame, arm: str) -> str:
    own = table[(table["arm"] == arm) & table["ni"].notna()]
    visits = own.drop_duplicates("week").sort_values("week")
    said = ", ".join(f"{int(row.pairs)} at wk {row.week:g}" for row in visits.itertuples())
    return f"{arm}\n(n = {said})" if said else f"{arm} (no index)"


def _notes(
    material: IndexMaterial, table: pd.DataFrame, names: list[str], shown: list[str], reference: str
) -> list[str]:
    notes = [
        f"NI: share of the disease effect that is gone. {ZERO_ONE_NOTE.format(skin=reference)}"
    ]
    if table["arm"].nunique() > 1:
        notes[0] += " Arms are set apart a little at each visit."
    left = table[table["ni"].notna() & ~ends_inside(table)]
    if len(left):
        notes.append(f"{counted(left, 'interval')} leave the panels; the table has the ends.")
    if (table["beyond_placebo"] != "").any():
        notes.append(
            "Filled: the interval of the difference to placebo (dNI) excludes 0; hollow: it does "
            "not. Placebo is filled. Not corrected for the number of panels."
        )
    elif set(table["arm"]) != {UNTREATED_ARM}:
        notes.append("No placebo to compare with: the index is uncontrolled.")
    else:
        notes.append("Nobody was treated: the index shows how skin varies by itself.")
    lost = [n for n in names if n not in shown]
    if lost:
        codes = table.drop_duplicates("name").set_index("name")["reason_code"]
        rows = codes.map(lambda code: SHORT.get(code, NOT_DEFINED))
        said: dict[str, list[str]] = {}
        for name in lost:
            said.setdefault(rows[name], []).append(score_label(material, name))
        listed = "; ".join(f"{reason}: {', '.join(labels)}" for reason, labels in said.items())
        notes.append(
            f"Not drawn, because there is no index ({listed}); reasons in full: in the table."
        )
    return notes
