"""Every patient as a line: itch and barrier scores before and after."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adnorm.figures.labels import set_notes, signed_note
from adnorm.figures.material import Material
from adnorm.figures.names import TITLES
from adnorm.figures.sheet import Sheet, message_sheet
from adnorm.figures.theme import FAINT, INK, STATES, shorten

COLUMNS = ["set", "arm", "patient", "state", "week", "score", "biopsies", "reason"]
PANEL = (1.9, 1.55)
#: A mean of fewer patients says no more than their lines.
FEWEST_AVERAGED = 3


def draw_patients(material: Material) -> tuple[Figure, pd.DataFrame]:
    """Draw small multiples, arms × sets: a line a patient, the mean bold, normal skin as a band.

    Without visits after baseline the lines join nonlesional and lesional skin of a patient.

    Returns
    -------
    figure : Figure
    table : DataFrame
        One row per set, patient, state and visit; biopsies of one visit are averaged.
    """
    asked = [s.name for s in material.heatmap_sets("itch", "barrier")]
    sets = [name for name in asked if name in material.sets.index]
    table = _patient_table(material, sets)
    lesional = table[table["state"] == "lesional"]
    over_time = bool((lesional["week"] > 0).any())
    usable = np.isfinite(table["score"].astype(float)).any() if len(table) else False
    if not usable or not (over_time or _both_states(table)):
        reason = material.why_no("change") if usable else "no itch or barrier set has a score"
        if usable and not over_time:
            reason += "; no patient has lesional and nonlesional skin"
        empty = pd.DataFrame([{"reason": reason}]).reindex(columns=COLUMNS)
        return message_sheet(TITLES["patients"], material.facts, reason), empty
    reference = _reference(material, table)
    arms = [a for a in material.arms if a in set(lesional["arm"])]
    what = "lines are lesional skin of one patient" if over_time else "lines join skin of a patient"
    sheet = Sheet(TITLES["patients"], material.facts, f"{material.n}; {what}", left=-0.75)
    for i, name in enumerate(sets):
        rows = table[table["set"] == name]
        limits = _limits(rows["score"])
        for j, arm in enumerate(arms):
            x, y = j * (PANEL[0] + 0.25), 0.3 + i * (PANEL[1] + 0.3)
            axes = sheet.axes(x, y, *PANEL)
            mine = rows[(rows["arm"] == arm)]
            draw = _draw_weeks if over_time else _draw_states
            draw(axes, mine, material.arm_colours[arm], rows[rows["state"] == reference])
            axes.set_ylim(limits)
            if j:
                axes.tick_params(labelleft=False)
            else:
                label = textwrap.fill(shorten(str(material.sets.loc[name, "label"]), 60), 26)
                label += "" if material.sets.loc[name, "status"] == "ok" else " †"
                axes.set_ylabel(f"{label}\n({material.unit})", fontsize=7)
            if not i:
                title = textwrap.fill(arm, 24)
                axes.set_title(title, loc="left", weight="bold", pad=9)
            if i == len(sets) - 1:
                axes.set_xlabel("week" if over_time else "")
            else:
                axes.tick_params(labelbottom=False)
            count = _count(mine, over_time)
            axes.text(1, 1.01, count, transform=axes.transAxes, ha="right", size=6.5)
    below = 0.3 + len(sets) * (PANEL[1] + 0.3) + 0.3
    width = max(len(arms) * (PANEL[0] + 0.25) + 0.5, 5.5)
    sheet.notes(-0.75, below, width, _notes(material, reference, over_time, sets))
    return sheet.figure, table[COLUMNS]


def _count(rows: pd.DataFrame, over_time: bool) -> str:
    """Count the patients that a panel shows, and the lines if some have one value only."""
    if over_time:
        drawn = rows[(rows["state"] == "lesional") & rows["score"].notna()]
    else:
        skin = rows["state"].isin(["lesional", "nonlesional"])
        drawn = rows[(rows["week"] == 0) & skin & rows["score"].notna()]
    values = drawn.groupby("patient").size()
    people, lines = len(values), int((values > 1).sum())
    text = f"{people} patient{'' if people == 1 else 's'}"
    return text if lines == people else f"{text}, {lines} line{'' if lines == 1 else 's'}"


def _patient_table(material: Material, sets: list[str]) -> pd.DataFrame:
    scores = material.score_values().loc[sets]
    keys = material.samples[["arm", "patient", "state", "week"]]
    frames = []
    for name in sets:
        rows = keys.assign(score=scores.loc[name])
        grouped = rows.groupby(["arm", "patient", "state", "week"], sort=True)["score"]
        frames.append(
            grouped.agg(score="mean", biopsies="size").reset_index().assign(set=name, reason="")
        )
    table = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=COLUMNS)
    lacking = table["score"].isna()
    table.loc[lacking, "reason"] = table.loc[lacking, "set"].map(material.sets["reason"])
    return table.reindex(columns=COLUMNS)


def _both_states(table: pd.DataFrame) -> bool:
    states = table[table["week"] == 0].groupby("patient")["state"].agg(set)
    return any({"lesional", "nonlesional"} <= found for found in states)


def _reference(material: Material, table: pd.DataFrame) -> str:
    """Choose normal skin: the reference of the cohort, or the state that there is."""
    states = set(table["state"])
    wanted = [material.facts.get("reference", ""), "nonlesional", "healthy"]
    return next((state for state in wanted if state in states), "")


def _limits(scores: pd.Series) -> tuple[float, float]:
    finite = scores[np.isfinite(scores.astype(float))]
    if finite.empty:
        return -1.0, 1.0
    margin = 0.08 * max(finite.max() - finite.min(), 0.5)
    return float(finite.min() - margin), float(finite.max() + margin)


def _draw_weeks(axes: Axes, rows: pd.DataFrame, colour: str, normal: pd.DataFrame) -> None:
    lesional = rows[rows["state"] == "lesional"]
    weeks = sorted(lesional["week"].unique())
    scores = normal.loc[normal["week"] == 0, "score"].dropna()
    if len(scores):
        middle, spread = scores.mean(), scores.std() if len(scores) > 1 else 0.0
        axes.axhspan(middle - spread, middle + spread, color="#DCEBF5", lw=0, zorder=0)
        axes.axhline(middle, color="#7FA8C4", lw=1, zorder=1)
    for _, own in lesional.sort_values("week").groupby("patient"):
        style = {"color": colour, "lw": 0.7, "alpha": 0.55, "marker": "o", "ms": 1.8}
        axes.plot(own["week"], own["score"], **style)
    visits = lesional.groupby("week")["score"]
    mean = visits.mean()[visits.count() >= FEWEST_AVERAGED]
    axes.plot(mean.index, mean, color="white", lw=3.6, zorder=4)
    axes.plot(mean.index, mean, color=INK, lw=2, marker="o", ms=3.5, zorder=5)
    pad = 0.06 * max(weeks[-1], 1) if weeks else 1
    axes.set_xlim(-pad, (weeks[-1] if weeks else 0) + pad)
    axes.set_xticks(weeks, [f"{w:g}" for w in weeks])


def _draw_states(axes: Axes, rows: pd.DataFrame, colour: str, normal: pd.DataFrame) -> None:
    """Join nonlesional and lesional skin of each patient at baseline."""
    order = ["nonlesional", "lesional"]
    baseline = rows[(rows["week"] == 0) & rows["state"].isin(order)]
    wide = baseline.pivot_table(index="patient", columns="state", values="score")
    wide = wide.reindex(columns=order)
    for _, own in wide.iterrows():
        axes.plot([0, 1], own, color=FAINT, lw=0.6, alpha=0.5, zorder=1)
    for x, state in enumerate(order):
        axes.plot([x] * len(wide), wide[state], "o", ms=3, color=STATES[state], zorder=2)
    if wide.count().min() >= FEWEST_AVERAGED:
        axes.plot([0, 1], wide.mean(), color=INK, lw=2, marker="o", ms=4, zorder=3)
    axes.set_xlim(-0.4, 1.4)
    axes.set_xticks([0, 1], order)


def _notes(material: Material, reference: str, over_time: bool, sets: list[str]) -> list[str]:
    notes = [
        "Thin lines: patients; bold line: mean of those seen at a visit, where they are at least "
        f"{FEWEST_AVERAGED}."
    ]
    if over_time and reference:
        notes[0] += f" Band: mean ± standard deviation of {reference} skin at baseline, all arms."
    if not over_time:
        notes.append("The cohort has no visit after baseline.")
    if material.zero:
        notes.append(f"{material.zero}.")
    return [*notes, signed_note(material, sets), *set_notes(material, sets)]
