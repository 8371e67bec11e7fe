"""Every patient as a line: scores before and after, and how far back from disease."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from adnorm.base.text import counted, typeset
from adnorm.figures.data import CohortData, IndexData, known_reference, rows_of, sorted_by
from adnorm.figures.labels import coverage_notes, score_label, signed_note, why_no_index
from adnorm.figures.names import TITLES
from adnorm.figures.sheet import (
    FARTHEST,
    ZERO_ONE_NOTE,
    Sheet,
    draw_bold,
    nothing_to_draw,
    range_of,
    week_ticks,
    wrapped,
    zero_and_one,
)
from adnorm.figures.theme import FAINT, INK, STATES, Style
from adnorm.study.comparisons import lesion_names, spread_over_lesions
from adnorm.study.vocabulary import Arm, ComparisonKind, State

SCORE_COLUMNS = ["set", "arm", "patient", "state", "week", "score", "biopsies", "reason"]
RESPONSE_COLUMNS = [
    *("name", "label", "reference", "arm", "line", "patient", "week", "response"),
    *("lower", "upper", "n", "reason"),
]
#: Inches of a panel and of the gaps.
SCORE_PANEL, SCORE_GAP = (1.9, 1.55), (0.25, 0.3)
RESPONSE_PANEL, RESPONSE_GAP = (1.72, 1.3), (0.2, 0.28)
PATIENT, MEDIAN = "patient", "median"
#: Where the bar of an interval stands, as a part of the width of a panel.
BAR = 0.98
#: A mean or median of fewer patients says no more than their lines.
FEWEST = 3


def _title_row(line: np.ndarray, arms: list[str], letters: int, pad: float) -> None:
    for axes, arm in zip(line, arms, strict=True):
        axes.set_title(wrapped(arm, 999, letters), loc="left", weight="bold", pad=pad)


# ---------------------------------------------------------------- scores


def draw_patients(data: CohortData) -> tuple[Figure, pd.DataFrame]:
    """Draw small multiples, arms × sets: a line per patient, the mean bold, normal skin as a band.

    Without visits after baseline the lines join nonlesional and lesional skin of a patient.
    Biopsies of one visit are averaged.
    """
    title, sets = TITLES["patients"], data.topic_sets
    table = _score_table(data, sets)
    lesional = table[table["state"] == State.LESIONAL]
    over_time = bool((lesional["week"] > 0).any())
    usable = bool(np.isfinite(table["score"].astype(float)).any()) if len(table) else False
    if not usable or not (over_time or _both_states(table)):
        reason = "no itch or barrier set has a score"
        if usable:
            reason = data.why_no(ComparisonKind.CHANGE)
            reason += "; no patient has lesional and nonlesional skin"
        return nothing_to_draw(title, data.facts, reason, SCORE_COLUMNS)
    wanted = [data.facts.get("reference", ""), State.NONLESIONAL, State.HEALTHY]
    reference = next((state for state in wanted if state in set(table["state"])), "")
    arms = [arm for arm in data.arms if arm in set(lesional["arm"])]
    what = "lines are lesional skin of one patient" if over_time else "lines join skin of a patient"
    sheet = Sheet(title, data.facts, f"{data.n}; {what}", left=-0.75)
    grid = sheet.panels(len(sets), len(arms), SCORE_PANEL, SCORE_GAP, sharex="col", sharey="row")
    for name, line in zip(sets, grid, strict=True):
        rows = table[table["set"] == name]
        for arm, axes in zip(arms, line, strict=True):
            own = rows[rows["arm"] == arm]
            if over_time:
                normal = rows[(rows["state"] == reference) & (rows["week"] == 0)]
                _draw_weeks(axes, own, data.arm_colours[arm], normal["score"].dropna())
            else:
                _draw_states(axes, own)
            count = _count(own, over_time)
            axes.text(1, 1.01, count, transform=axes.transAxes, ha="right", size=6.5)
            axes.set(xlabel="", ylabel="")
        line[0].set_ylim(_limits(rows["score"]))
        label = wrapped(str(data.sets.loc[name, "label"]), 60, 26)
        label += "" if data.sets.loc[name, "status"] == "ok" else " †"
        line[0].set_ylabel(f"{label}\n({data.unit})", fontsize=7)
    _title_row(grid[0], arms, 24, 9)
    for axes in grid[-1]:
        axes.set_xlabel("week" if over_time else "")
    below = 0.6 + len(sets) * (SCORE_PANEL[1] + SCORE_GAP[1])
    width = max(len(arms) * (SCORE_PANEL[0] + SCORE_GAP[0]) + 0.5, 5.5)
    notes = [
        "Thin lines: patients; bold line: mean of those seen at a visit, where they are at least "
        f"{FEWEST}."
    ]
    if over_time and reference:
        notes[0] += f" Band: mean ± standard deviation of {reference} skin at baseline, all arms."
    if not over_time:
        notes.append("The cohort has no visit after baseline.")
    if data.zero:
        notes.append(f"{data.zero}.")
    notes += [signed_note(data, sets), *coverage_notes(data, sets)]
    sheet.notes(below, width, notes)
    return sheet.figure, table[SCORE_COLUMNS]


def _score_table(data: CohortData, sets: list[str]) -> pd.DataFrame:
    keys = ["arm", "patient", "state", "week"]
    scores = data.score_values().T
    frames = []
    for name in sets:
        grouped = data.samples[keys].assign(score=scores[name]).groupby(keys)["score"]
        means = grouped.agg(score="mean", biopsies="size").reset_index()
        frames.append(means.assign(set=name, reason=""))
    table = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=SCORE_COLUMNS)
    if data.of_lesions:
        # A lesion before all treatments starts the line of each.
        lesional = table["state"] == State.LESIONAL
        lesion = lesion_names(table).where(table["arm"] != Arm.ALL, "")
        _, spread = spread_over_lesions(table.assign(lesion=lesion)[lesional])
        table = pd.concat([table[~lesional], spread], ignore_index=True)
    lacking = table["score"].isna()
    table.loc[lacking, "reason"] = table.loc[lacking, "set"].map(data.sets["reason"])
    return table.reindex(columns=SCORE_COLUMNS)


def _both_states(table: pd.DataFrame) -> bool:
    states = table[table["week"] == 0].groupby("patient")["state"].agg(set)
    return any({State.LESIONAL, State.NONLESIONAL} <= found for found in states)


def _count(rows: pd.DataFrame, over_time: bool) -> str:
    """Count the patients that a panel shows, and the lines if some have one value only."""
    known = rows[rows["score"].notna()]
    if over_time:
        drawn = known[known["state"] == State.LESIONAL]
    else:
        skin = known["state"].isin([State.LESIONAL, State.NONLESIONAL])
        drawn = known[(known["week"] == 0) & skin]
    values = drawn.groupby("patient").size()
    people, lines = len(values), int((values > 1).sum())
    text = counted(people, "patient")
    return text if lines == people else f"{text}, {counted(lines, 'line')}"


def _limits(scores: pd.Series) -> tuple[float, float]:
    finite = scores[np.isfinite(scores.astype(float))]
    if finite.empty:
        return -1.0, 1.0
    margin = 0.08 * max(finite.max() - finite.min(), 0.5)
    return float(finite.min() - margin), float(finite.max() + margin)


def _draw_weeks(axes: Axes, rows: pd.DataFrame, colour: str, normal: pd.Series) -> None:
    if len(normal):
        middle, spread = normal.mean(), normal.std() if len(normal) > 1 else 0.0
        axes.axhspan(middle - spread, middle + spread, color="#DCEBF5", lw=0, zorder=0)
        axes.axhline(middle, color="#7FA8C4", lw=1, zorder=1)
    lesional = rows[rows["state"] == State.LESIONAL]
    # One line per patient. seaborn's lineplot would draw the same lines, but its estimates, which
    # these do without, make it ten times as slow.
    style: Style = {"color": colour, "lw": 0.7, "alpha": 0.55, "marker": "o", "ms": 1.8, "mew": 1}
    for _, own in lesional.dropna(subset="score").sort_values("week").groupby("patient"):
        axes.plot(own["week"], own["score"], **style)
    visits = lesional.groupby("week")["score"]
    mean = visits.mean()[visits.count() >= FEWEST]
    draw_bold(axes, mean.index, mean)
    weeks = sorted(lesional["week"].unique())
    last = weeks[-1] if weeks else 0
    pad = 0.06 * max(last, 1)
    axes.set_xlim(-pad, last + pad)
    axes.set_xticks(weeks, [f"{week:g}" for week in weeks])


def _draw_states(axes: Axes, rows: pd.DataFrame) -> None:
    """Join nonlesional and lesional skin of each patient at baseline."""
    order = [State.NONLESIONAL, State.LESIONAL]
    baseline = rows[(rows["week"] == 0) & rows["state"].isin(order)]
    wide = baseline.pivot_table(index="patient", columns="state", values="score")
    wide = wide.reindex(columns=order)
    for _, own in wide.iterrows():
        axes.plot([0, 1], own, color=FAINT, lw=0.6, alpha=0.5, zorder=1)
    for x, state in enumerate(order):
        axes.plot([x] * len(wide), wide[state], "o", ms=3, color=STATES[state], zorder=2)
    if wide.count().min() >= FEWEST:
        axes.plot([0, 1], wide.mean(), color=INK, lw=2, marker="o", ms=4, zorder=3)
    axes.set_xlim(-0.4, 1.4)
    axes.set_xticks([0, 1], order)


# ---------------------------------------------------------------- responses


def draw_trajectories(data: IndexData) -> tuple[Figure, pd.DataFrame]:
    """Draw scores × arms: a line per patient, from 0 at baseline, and the median of the arm.

    A bar says how wide the interval of one patient is. Scores without a response stand in the table
    with the reason.
    """
    title = TITLES["trajectories"]
    rows = data.tables["trajectories"]
    names = [name for name in data.primary if name in set(rows["name"])]
    rows = rows[rows["name"].isin(names)]
    rows = rows.assign(label=[score_label(data, name) for name in rows["name"]])
    reference = known_reference(rows, "response")
    if not reference:
        reason = why_no_index(data, rows)
        table = _unanswered(rows, names)
        return nothing_to_draw(title, data.facts, reason, RESPONSE_COLUMNS, table)
    rows = rows[rows["reference"] == reference]
    known = rows[rows["response"].notna()]
    shown = [name for name in names if name in set(known["name"])]
    arms = [arm for arm in data.arms if arm in set(known["arm"])]
    table = _response_table(known, shown, arms)
    people = counted(known["patient"].nunique(), "patient")
    sheet = Sheet(title, data.facts, f"{people}; response R of each", left=-0.72)
    shape = (len(shown), len(arms))
    grid = sheet.panels(*shape, RESPONSE_PANEL, RESPONSE_GAP, sharex=True, sharey="row")
    for name, line in zip(shown, grid, strict=True):
        own = table[table["name"] == name]
        for arm, axes in zip(arms, line, strict=True):
            some = own[own["arm"] == arm]
            _draw_responses(axes, some, data.arm_colours[arm])
            zero_and_one(axes)
            later = some[(some["line"] == PATIENT) & (some["week"] > 0)].groupby("week").size()
            count = f"n = {', '.join(map(str, later)) or 0}"
            axes.text(1, 1.02, count, transform=axes.transAxes, ha="right", size=6)
        line[0].set_ylim(range_of([own["response"]], -0.2, 1.1))
        label = wrapped(score_label(data, name), 58, 24)
        line[0].set_ylabel(f"{label}\nresponse R", size=7)
    _title_row(grid[0], arms, 26, 11)
    week_ticks(grid[0, 0], known["week"])
    for axes in grid[-1]:
        axes.set_xlabel("week", size=7)
    below = 0.58 + len(shown) * (RESPONSE_PANEL[1] + RESPONSE_GAP[1])
    width = max(len(arms) * (RESPONSE_PANEL[0] + RESPONSE_GAP[0]) + 0.6, 6.0)
    lacking = _unanswered(rows, [name for name in names if name not in shown])
    sheet.notes(below, width, _response_notes(table, known, lacking, reference))
    frames = [table, lacking] if len(lacking) else [table]
    return sheet.figure, pd.concat(frames, ignore_index=True)[RESPONSE_COLUMNS]


def _response_table(known: pd.DataFrame, names: list[str], arms: list[str]) -> pd.DataFrame:
    """Lines as they are drawn; every patient starts at 0 by definition."""
    keys = ["name", "label", "reference", "arm"]
    own = known[[*keys, "patient", "week", "response", "lower", "upper"]]
    start = own.drop_duplicates(["name", "arm", "patient"])
    start = start.assign(week=0.0, response=0.0, lower=np.nan, upper=np.nan)
    lines = pd.concat([start, own]).assign(line=PATIENT, n=1)
    visits = known.groupby([*keys, "week"])["response"]
    median = visits.agg(response="median", n="size").reset_index()
    median = median[median["n"] >= FEWEST].assign(line=MEDIAN, patient="")
    table = pd.concat([lines, median], ignore_index=True)
    orders = {"name": names, "arm": arms, "line": [PATIENT, MEDIAN]}
    table = sorted_by(table, ["name", "arm", "line", "patient", "week"], orders)
    return table.assign(reason="").reset_index(drop=True).reindex(columns=RESPONSE_COLUMNS)


def _unanswered(rows: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """One row, with the reason, for every score and reference without a response."""
    none = rows[rows["name"].isin(names)].drop_duplicates(["reference", "name"])
    return none[["name", "label", "reference", "reason"]].reindex(columns=RESPONSE_COLUMNS)


def _draw_responses(axes: Axes, rows: pd.DataFrame, colour: str) -> None:
    patients = rows[rows["line"] == PATIENT]
    lines = [own[["week", "response"]].to_numpy() for _, own in patients.groupby("patient")]
    axes.add_collection(LineCollection(lines, colors=colour, linewidths=0.8, alpha=0.6, zorder=2))
    later = patients[patients["week"] > 0]
    axes.plot(later["week"], later["response"], "o", ms=2, mfc=colour, mec="none", zorder=2)
    median = rows[rows["line"] == MEDIAN]
    if len(median):
        draw_bold(axes, [0, *median["week"]], [0, *median["response"]])
    last = later[later["week"] == later["week"].max()]
    half = (last["upper"] - last["lower"]).median() / 2
    if np.isfinite(half):
        # The first is the middle of the bar: where the patients of the last visit are.
        middle = last["response"].median()
        place = axes.get_yaxis_transform()
        bar: Style = {"color": INK, "lw": 1.1, "zorder": 4, "transform": place}
        axes.plot([BAR, BAR], [middle - half, middle + half], **bar)
        for end in (middle - half, middle + half):
            axes.plot([BAR - 0.02, BAR + 0.02], [end, end], **bar)


def _response_notes(
    table: pd.DataFrame, known: pd.DataFrame, lacking: pd.DataFrame, reference: str
) -> list[str]:
    notes = [
        "R: decrease of the patient's lesional score since baseline over the disease effect of "
        f"all patients. {ZERO_ONE_NOTE.format(skin=reference)}",
        f"Thin lines: patients; bold line: median of the arm where it has at least {FEWEST} of "
        "them; bar on the right: the interval of one patient at the last visit (median width). "
        "n: patients at each visit.",
    ]
    unknown = known["prob_above_half"].isna()
    if (known["response"] == known["observed"]).all():
        notes.append(
            "R is what two biopsies show, noise included: nothing tells response from noise here, "
            "so that no probability is given."
        )
    else:
        notes.append(
            "R is an estimate: what biopsies of one patient show is drawn towards the mean of the "
            "arm as far as it is noise. Whether a patient is above one half or three quarters is "
            f"not known in {unknown.mean():.0%} of the responses; trajectories.tsv of the index "
            "has the probabilities."
        )
    if outside := int((~table["response"].between(*FARTHEST)).sum()):
        low, high = (typeset(f"{value:g}") for value in FARTHEST)
        count = counted(outside, "value")
        notes.append(f"{count} below {low} or above {high} leave the panels; the table has them.")
    if len(lacking):
        parts = [f"{row.label}: {row.reason}" for row in rows_of(lacking)]
        notes.append(typeset(f"No response: {'; '.join(parts)}."))
    return notes
