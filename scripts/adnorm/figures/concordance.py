"""Do scores of the skin move with the clinic? One point per patient; shares of responders."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adnorm.base.text import counted
from adnorm.figures.data import IndexData, known_reference
from adnorm.figures.labels import (
    ESTIMATED,
    EXPLORATORY,
    OBSERVED,
    interval_text,
    marked,
    people,
    score_label,
    slanted,
)
from adnorm.figures.names import TITLES
from adnorm.figures.sheet import Part, Sheet, draw_pages, fit_words, nothing_to_draw
from adnorm.figures.theme import DASHED, FAINT, INK, NORMAL, Style
from adnorm.study.vocabulary import Arm, DerivedScore, State

COLUMNS = [
    *("panel", "drawn", "score", "clinical", "week", "arm", "patient", "x", "y", "outcome", "bin"),
    *("lower", "upper", "estimate", "p_value", "n", "reason"),
]
#: Clinical values in words, and the score that each is asked of first.
CLINICAL: dict[str, tuple[str, str]] = {
    "easi": ("EASI", DerivedScore.GLOBAL),
    "scorad": ("SCORAD", DerivedScore.GLOBAL),
    "itch_nrs": ("itch rating", "itch_core_skin_up"),
}
CHANGE, BASELINE = "change_with_clinic", "baseline_with_clinic"
OUTCOMES = {
    "EASI-75": "EASI-75: EASI fell by at least 75 %.",
    "SCORAD-50": "SCORAD-50: SCORAD fell by at least 50 %.",
}
#: Inches left of a panel, and of the narrowest and widest panel; points of names.
AXIS, NARROWEST, WIDEST, NAME = 0.6, 1.55, 2.3, 6.5
#: A rate of fewer patients says nothing.
FEWEST = 6


@dataclass
class _Panel:
    """One scatter: its question, its points and what concordance.tsv says of it."""

    question: str
    score: str
    clinical: str
    week: float
    points: pd.DataFrame
    found: pd.Series
    #: Whether y is the observed response of a patient.
    responses: bool

    def table(self) -> pd.DataFrame:
        """One row for the correlation, and one for each point."""
        keep = ["estimate", "lower", "upper", "p_value", "n", "reason"]
        estimate = self.found[keep].to_dict() | {"drawn": "correlation", "arm": Arm.ALL.value}
        points = self.points.assign(drawn="patient", n=1, reason="")
        return pd.concat([pd.DataFrame([estimate]), points]).assign(
            panel=f"{self.question}: {self.clinical}",
            score=self.score,
            clinical=self.clinical,
            week=self.week,
        )


def draw_concordance(data: IndexData) -> tuple[Figure | list[Figure], pd.DataFrame]:
    """Draw score against clinic for each clinical value, and the share of responders by response.

    Changes since baseline at the last visit; values at baseline where there is no later one. The
    table has one row for each point, estimate and share.
    """
    title = TITLES["concordance"]
    panels = _panels(data)
    if not panels:
        return nothing_to_draw(title, data.facts, _why_not(data), COLUMNS)
    shares, why = _shares(data)
    people = pd.concat([panel.points for panel in panels])
    arms = [arm for arm in data.arms if arm in set(people["arm"])]
    count = counted(people["patient"].nunique(), "patient")

    def make(part: str) -> Sheet:
        subtitle = f"exploratory; {count}; each point is one patient"
        return Sheet(title, data.facts, subtitle, left=-AXIS, part=part)

    probe = make("")
    draws: list[Callable[[Axes, float], None]] = [
        partial(_draw_panel, data=data, panel=panel, arms=arms) for panel in panels
    ]
    if len(shares):
        draws.append(partial(_draw_shares, data=data, shares=shares))
    most = max(int(probe.width // (AXIS + NARROWEST)), 1)
    across = -(-len(draws) // -(-len(draws) // most))
    side = min(probe.width / across - AXIS - 0.04, WIDEST)
    parts = [_row(draws[a : a + across], side) for a in range(0, len(draws), across)]
    samples: list[tuple[Style, str]] = [
        ({"color": data.arm_colours[arm], "lw": 0, "marker": "o", "ms": 4}, arm) for arm in arms
    ]

    def key(sheet: Sheet, y: float) -> float:
        return sheet.keys(y, samples) + 0.07

    notes = _notes(data, panels, shares, why)
    pages = list(draw_pages(make, parts, Part(key(probe, 0.0), key), notes))
    tables = [panel.table() for panel in panels]
    both = pd.concat([*tables, shares] if len(shares) else tables, ignore_index=True)
    return pages, both.reindex(columns=COLUMNS)


def _row(draws: list[Callable[[Axes, float], None]], side: float) -> Part:
    """Panels side by side, each with its own axis."""

    def draw(sheet: Sheet, y: float) -> None:
        for position, each in enumerate(draws):
            axes = sheet.axes(position * (side + AXIS + 0.04), y + 0.5, side, side)
            axes.tick_params(labelsize=NAME, pad=2)
            each(axes, side)

    return Part(side + 1.16, draw)


# ---------------------------------------------------------------- score against clinic


def _panels(data: IndexData) -> list[_Panel]:
    """Changes where the cohort has visits, else baseline; one panel for each clinical value."""
    found = data.tables["concordance"]
    found = found[(found["arm"] == Arm.ALL) & (found["score"] != "") & (found["n"] > 0)]
    for question in (CHANGE, BASELINE):
        rows = found[found["question"] == question]
        panels = [
            _panel(data, rows[rows["clinical"] == clinical], question, clinical)
            for clinical in CLINICAL
            if (rows["clinical"] == clinical).any()
        ]
        if panels:
            return panels
    return []


def _panel(data: IndexData, rows: pd.DataFrame, question: str, clinical: str) -> _Panel:
    """Points of one clinical value: its own score, or the first of the primary family."""
    scores = rows["score"].unique()
    wanted = [CLINICAL[clinical][1], *data.primary, *scores]
    score = next(name for name in wanted if name in scores)
    rows = rows[rows["score"] == score].sort_values("week")
    estimated = rows[rows["estimate"].notna()]
    row = (estimated if len(estimated) else rows).iloc[-1]
    values = _lesional(data, score)
    start = values[values["week"] == 0].set_index("patient")
    if question == BASELINE:
        points = start.reset_index().rename(columns={clinical: "x", "score": "y"})
    else:
        points = values[values["week"] == row["week"]]
        points = points.join(start[["score", clinical]], on="patient", rsuffix="_0", how="inner")
        points["x"] = points[f"{clinical}_0"] - points[clinical]
        points["y"] = points["score_0"] - points["score"]
    week = float(row["week"])
    observed = _responses(data, score, week) if question == CHANGE else pd.Series(dtype=float)
    # In units of the disease effect, which is one number for all patients: the ranks are the same.
    responses = bool(len(points)) and set(points["patient"]) <= set(observed.index)
    if responses:
        points["y"] = points["patient"].map(observed)
    points = points[["patient", "arm", "x", "y"]].dropna().sort_values(["arm", "patient"])
    return _Panel(question, score, clinical, week, points, row, responses)


def _responses(data: IndexData, score: str, week: float) -> pd.Series:
    """What two biopsies of each patient show of a score, in units of the disease effect."""
    rows = data.tables["trajectories"]
    rows = rows[(rows["name"] == score) & (rows["week"] == week)]
    rows = rows[(rows["reference"] == known_reference(rows, "observed")) & rows["observed"].notna()]
    # A patient with lesions in several arms has several responses, and no one.
    return rows.drop_duplicates("patient", keep=False).set_index("patient")["observed"]


def _lesional(data: IndexData, score: str) -> pd.DataFrame:
    """Lesional scores with the clinical values of the visit."""
    patients = data.tables["patients"]
    own = patients[(patients["name"] == score) & (patients["state"] == State.LESIONAL)]
    clinical = data.tables["samples"].reindex(columns=["patient", "week", *CLINICAL])
    clinical = clinical.astype(dict.fromkeys(CLINICAL, float))
    visits = clinical.groupby(["patient", "week"], as_index=False).mean()
    return own.merge(visits, on=["patient", "week"], how="left")


def _why_not(data: IndexData) -> str:
    found = data.tables["concordance"]
    rows = found[found["question"].isin([CHANGE, BASELINE])]
    reasons = [reason for reason in dict.fromkeys(rows["reason"].dropna()) if reason]
    text = "; ".join(reasons) or "there is no clinical value"
    for column, (name, _) in CLINICAL.items():
        text = re.sub(rf"\b{column}\b", name, text)
    return text


def _draw_panel(axes: Axes, side: float, data: IndexData, panel: _Panel, arms: list[str]) -> None:
    for arm in arms:
        own = panel.points[panel.points["arm"] == arm]
        style: Style = {"ms": 4, "mec": "white", "mew": 0.4, "color": data.arm_colours[arm]}
        axes.plot(own["x"], own["y"], "o", **style)
    label = fit_words(score_label(data, panel.score), NAME, side)
    when, what = "at baseline", "score at baseline (no unit)"
    if panel.question == CHANGE:
        when = f"decrease since baseline, week\u00a0{panel.week:g}"
        what = OBSERVED if panel.responses else "decrease of the score (no unit)"
        what += f", week {panel.week:g}"
        axes.axhline(0, color=INK, lw=0.5, zorder=0)
        axes.axvline(0, color=INK, lw=0.5, zorder=0)
        if panel.responses:
            axes.axhline(1, color=NORMAL, lw=0.9, ls=DASHED, zorder=0)
    clinic = fit_words(f"{CLINICAL[panel.clinical][0]}: {when}", NAME, side + 0.05)
    axes.set_xlabel(clinic, size=NAME, labelpad=2)
    axes.set_ylabel(f"{label}:\n{what}", size=NAME)
    row, doubtful = panel.found, False
    text = f"no correlation: {row['reason']}"
    if np.isfinite(row["estimate"]):
        kind = "partial ρ" if panel.question == CHANGE else "ρ"
        found = interval_text(row["estimate"], row["lower"], row["upper"])
        text, doubtful = f"{kind} = {marked(found, True)}", True
    given = "\ngiven both baselines, within arms" if panel.question == CHANGE and doubtful else ""
    title = f"{fit_words(text, NAME, side + 0.05)}{given}\n{people(int(row['n']))}"
    axes.set_title(title, loc="left", size=NAME, linespacing=1.15, **slanted(doubtful))


# ---------------------------------------------------------------- responders by response


def _shares(data: IndexData) -> tuple[pd.DataFrame, str]:
    """Share of clinical responders by response at the last visit, or why there is none."""
    table = data.tables["calibration"]
    table = table[table["arm"] == Arm.ALL]
    rows = table[table["n"] > 0]
    if rows.empty:
        table = data.tables["calibration"]
        reasons = table.loc[table["outcome"] == table["outcome"].min(), "reason"].dropna()
        return pd.DataFrame(), next((r for r in reasons if r), "no patient has both")
    # EASI-75 stands before SCORAD-50 in the alphabet, too.
    outcome = rows["outcome"].min()
    have = set(rows.loc[rows["outcome"] == outcome, "score"])
    wanted = [DerivedScore.GLOBAL, *data.primary, *sorted(have)]
    name = next(name for name in wanted if name in have)
    rows = table[(table["outcome"] == outcome) & (table["score"] == name)]
    rows = rows[rows["week"] == rows.loc[rows["n"] > 0, "week"].max()]
    keep = ["outcome", "score", "week", "arm", "bin", "lower", "upper", "n", "reason"]
    shares = rows[keep].assign(panel="responders", drawn="share", y=rows["share"])
    few = (shares["n"] > 0) & (shares["n"] < FEWEST)
    shares.loc[few, ["y", "lower", "upper"]] = np.nan
    shares.loc[few, "reason"] = f"fewer than {FEWEST} patients"
    return shares.assign(reason=shares["reason"].fillna("")), ""


def _kind(data: IndexData, share: pd.Series) -> str:
    """What the response in whose bins patients are counted is: that of the trajectories."""
    rows = data.tables["trajectories"]
    rows = rows[(rows["name"] == share["score"]) & rows["response"].notna()]
    return OBSERVED if (rows["response"] == rows["observed"]).all() else ESTIMATED


def _draw_shares(axes: Axes, side: float, data: IndexData, shares: pd.DataFrame) -> None:
    places, first = np.arange(len(shares)), shares.iloc[0]
    axes.vlines(places, 100 * shares["lower"], 100 * shares["upper"], color=INK, lw=1.0)
    axes.plot(places, 100 * shares["y"], "D", color=INK, ms=4.5)
    axes.set(xlim=(-0.5, len(shares) - 0.5), ylim=(-4, 104))
    bins = [b.replace(" to ", "–\n").replace("below ", "< ") for b in shares["bin"]]
    bins = [re.sub(r"^([\d.]+) and above$", r"≥ \1", b) for b in bins]
    ticks = [f"{text}\nn = {n}" for text, n in zip(bins, shares["n"], strict=True)]
    axes.set_xticks(places, ticks, size=6)
    for place, n in enumerate(shares["n"]):
        if 0 < n < FEWEST:
            axes.text(place, 2, "too few", size=6, ha="center", rotation=90, color=FAINT)
    label = fit_words(score_label(data, first["score"]), NAME, side)
    axes.set_xlabel(f"{_kind(data, first)}\n{label}", size=NAME, labelpad=2)
    axes.set_ylabel(f"patients with {first['outcome']}, %", size=NAME)
    title = f"{first['outcome']} by {_kind(data, first)}, week\u00a0{first['week']:g}"
    title = fit_words(marked(title, True), NAME, side + 0.05)
    axes.set_title(
        f"{title}\nall arms, {people(int(shares['n'].sum()))}",
        loc="left",
        size=NAME,
        linespacing=1.15,
        **slanted(True),
    )


def _notes(data: IndexData, panels: list[_Panel], shares: pd.DataFrame, why: str) -> list[str]:
    given = (
        "partial ρ: Spearman correlation given both baselines, within arms; the points are as "
        "observed, not adjusted, so that their cloud may look closer or looser"
    )
    if panels[0].question == BASELINE:
        given = "ρ: Spearman correlation at baseline (no later visit has both values)"
    notes = [
        f"{EXPLORATORY} exploratory: not part of the tests of the trial. {given}; interval "
        f"{data.confidence}, jackknife of patients on Fisher's z.",
        "A biopsy shows one spot and a clinical score the whole body: in real cohorts correlations "
        "are mostly weak.",
    ]
    if any(panel.responses for panel in panels):
        notes.append(
            "Observed response: decrease of the score of one patient over the disease effect of "
            "all patients; 0: no change, 1 (dashed): the level of the reference."
        )
    have = {panel.clinical for panel in panels}
    lacking = [name for key, (name, _) in CLINICAL.items() if key not in have]
    if lacking:
        notes.append(f"Not in this cohort, or without enough values: {', '.join(lacking)}.")
    if len(shares):
        estimated = _kind(data, shares.iloc[0]) == ESTIMATED
        shrunken = " (drawn towards the mean of the arm by a mixed model)" if estimated else ""
        notes.append(
            f"{OUTCOMES[shares['outcome'].iloc[0]]} Last panel: share of such patients, "
            f"all arms together, by {_kind(data, shares.iloc[0])}{shrunken}, with Wilson's "
            f"{data.confidence} intervals; no rate of fewer than {FEWEST} patients."
        )
    else:
        notes.append(f"No calibration of responses against the clinic: {why}.")
    return notes
