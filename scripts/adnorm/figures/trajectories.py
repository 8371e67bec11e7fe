"""The response of every patient: how far back from disease, visit by visit."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from adnorm.figures.index_material import IndexMaterial
from adnorm.figures.names import TITLES
from adnorm.figures.panels import (
    FARTHEST,
    ZERO_ONE_NOTE,
    known_reference,
    range_of,
    score_label,
    true_minus,
    week_ticks,
    why_no_index,
    zero_and_one,
)
from adnorm.figures.sheet import Sheet, message_sheet
from adnorm.figures.theme import INK, counted, shorten

NAME = "trajectories"
COLUMNS = [
    "name",
    "label",
    "reference",
    "arm",
    "line",
    "patient",
    "week",
    "response",
    "n",
    "reason",
]
PANEL, GAP = (1.72, 1.3), (0.2, 0.28)
PATIENT, MEDIAN = "patient", "median"
#: A median of fewer patients says no more than their lines.
FEWEST = 3


def draw_trajectories(material: IndexMaterial) -> tuple[Figure, pd.DataFrame]:
    """Draw scores × arms: a line a patient, from 0 at baseline, and the median of the arm.

    Parameters
    ----------
    material
        The cohort.

    Returns
    -------
    figure : Figure
    table : DataFrame
        One row for each patient and visit, and for each median; scores without a response with
        the reason.
    """
    rows = material.tables["trajectories"]
    names = [name for name in material.primary if name in set(rows["name"])]
    rows = rows[rows["name"].isin(names)]
    reference = known_reference(rows, "response")
    if not reference:
        reason = why_no_index(material, rows)
        figure = message_sheet(TITLES[NAME], material.facts, reason)
        empty = _empty(material, rows, names) if len(rows) else pd.DataFrame([{"reason": reason}])
        return figure, empty.reindex(columns=COLUMNS)
    rows = rows[rows["reference"] == reference]
    known = rows[rows["response"].notna()]
    shown = [name for name in names if name in set(known["name"])]
    arms = [arm for arm in material.arms if arm in set(known["arm"])]
    table = _table(material, known, shown, arms, reference)
    people = counted(known["patient"].unique(), "patient")
    sheet = Sheet(TITLES[NAME], material.facts, f"{people}; response R of each", left=-0.72)
    for i, name in enumerate(shown):
        mine = table[table["name"] == name]
        limits = range_of([mine["response"]], -0.2, 1.1)
        for j, arm in enumerate(arms):
            x, y = j * (PANEL[0] + GAP[0]), 0.3 + i * (PANEL[1] + GAP[1])
            axes = sheet.axes(x, y, *PANEL)
            own = mine[mine["arm"] == arm]
            _draw_lines(axes, own, material.arm_colours[arm])
            zero_and_one(axes)
            axes.set_ylim(limits)
            week_ticks(axes, known["week"])
            if j:
                axes.tick_params(labelleft=False)
            else:
                label = textwrap.fill(shorten(score_label(material, name), 58), 24)
                axes.set_ylabel(f"{label}\nresponse R", size=7)
            if not i:
                axes.set_title(textwrap.fill(arm, 26), loc="left", weight="bold", pad=11)
            if i == len(shown) - 1:
                axes.set_xlabel("week", size=7)
            else:
                axes.tick_params(labelbottom=False)
            axes.text(1, 1.02, _count(own), transform=axes.transAxes, ha="right", size=6)
    below = 0.3 + len(shown) * (PANEL[1] + GAP[1]) + 0.28
    width = max(len(arms) * (PANEL[0] + GAP[0]) + 0.6, 6.0)
    notes = _notes(table, reference)
    lost = _empty(material, rows, [name for name in names if name not in shown])
    if len(lost):
        said = [f"{row.label}: {row.reason}" for row in lost.itertuples()]
        notes.append(true_minus(f"No response: {'; '.join(said)}."))
    sheet.notes(-0.72, below, width, notes)
    frames = [table, lost] if len(lost) else [table]
    return sheet.figure, pd.concat(frames, ignore_index=True)[COLUMNS]


def _table(
    material: IndexMaterial, known: pd.DataFrame, names: list[str], arms: list[str], reference: str
) -> pd.DataFrame:
    """Lines as they are drawn; every patient starts at 0 by definition."""
    keys = ["name", "arm", "patient"]
    own = known[[*keys, "week", "response"]]
    start = own.drop_duplicates(keys).assign(week=0.0, response=0.0)
    lines = pd.concat([start, own]).assign(line=PATIENT, n=1)
    visits = known.groupby(["name", "arm", "week"])["response"]
    median = visits.agg(response="median", n="size").reset_index()
    median = median[median["n"] >= FEWEST].assign(line=MEDIAN, patient="")
    table = pd.concat([lines, median], ignore_index=True)
    order = {"name": names, "arm": arms, "line": [PATIENT, MEDIAN]}
    table = table.sort_values(
        ["name", "arm", "line", "patient", "week"],
        key=lambda c: c.map(order[c.name].index) if c.name in order else c,
        ignore_index=True,
    )
    table["label"] = [score_label(material, name) for name in table["name"]]
    return table.assign(reference=reference, reason="").reindex(columns=COLUMNS)


def _empty(material: IndexMaterial, rows: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """One row, with the reason, for every score and reference without a response."""
    none = rows[rows["name"].isin(names)].drop_duplicates(["reference", "name"])
    labels = [score_label(material, name) for name in none["name"]]
    table = none[["name", "reference", "reason"]].assign(label=labels)
    return table.reindex(columns=COLUMNS)


def _draw_lines(axes: Axes, rows: pd.DataFrame, colour: str) -> None:
    patients = rows[rows["line"] == PATIENT]
    lines = [own[["week", "response"]].to_numpy() for _, own in patients.groupby("patient")]
    axes.add_collection(LineCollection(lines, colors=colour, linewidths=0.8, alpha=0.6, zorder=2))
    later = patients[patients["week"] > 0]
    axes.plot(later["week"], later["response"], "o", ms=2, mfc=colour, mec="none", zorder=2)
    median = rows[rows["line"] == MEDIAN]
    if len(median):
        x, y = [0, *median["week"]], [0, *median["response"]]
        axes.plot(x, y, color="white", lw=3.6, zorder=4)
        axes.plot(x, y, color=INK, lw=1.9, marker="o", ms=3.4, zorder=5)


def _count(rows: pd.DataFrame) -> str:
    """Patients at every visit."""
    later = rows[(rows["line"] == PATIENT) & (rows["week"] > 0)]
    counts = later.groupby("week").size()
    return f"n = {', '.join(map(str, counts))}" if len(counts) else "n = 0"


def _notes(table: pd.DataFrame, reference: str) -> list[str]:
    notes = [
        "R: decrease of the patient's lesional score since baseline over the disease effect of "
        f"all patients. {ZERO_ONE_NOTE.format(skin=reference)}",
        f"Thin lines: patients; bold line: median of the arm where it has at least {FEWEST} of "
        "them. n: patients at each visit. One biopsy is a noisy measure of a patient: intervals "
        "and probabilities are in trajectories.tsv of the index.",
    ]
    outside = ~table["response"].between(*FARTHEST)
    if outside.any():
        low, high = (f"{v:g}".replace("-", "−") for v in FARTHEST)
        count = counted(range(int(np.sum(outside))), "value")
        notes.append(f"{count} below {low} or above {high} leave the panels; the table has them.")
    return notes
