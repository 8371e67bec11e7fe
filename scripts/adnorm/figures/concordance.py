"""Do scores of the skin move with the clinic? One point per patient; shares of responders."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adnorm.base.text import counted
from adnorm.figures.data import IndexData
from adnorm.figures.labels import interval_text, score_label
from adnorm.figures.names import TITLES
from adnorm.figures.sheet import Sheet, nothing_to_draw, wrapped
from adnorm.figures.theme import INK, Style
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
SIDE, GAP = 2.2, 0.78


@dataclass
class _Panel:
    """One scatter: its question, its points and what concordance.tsv says of it."""

    question: str
    score: str
    clinical: str
    week: float
    points: pd.DataFrame
    found: pd.Series

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


def draw_concordance(data: IndexData) -> tuple[Figure, pd.DataFrame]:
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
    sheet = Sheet(title, data.facts, f"exploratory; {count}; one point per patient", left=-0.6)
    across = len(panels) + (len(shares) > 0)
    grid = sheet.panels(1, across, (SIDE, SIDE), (GAP, 0), y=0.45)[0]
    for axes, panel in zip(grid, panels, strict=False):
        _draw_panel(axes, data, panel, arms)
    if len(shares):
        _draw_shares(grid[-1], data, shares)
    x = across * (SIDE + GAP)
    colours = {arm: data.arm_colours[arm] for arm in arms}
    sheet.legend(x - 0.45, 0.45, "Arm", colours, dict.fromkeys(arms, "o"))
    sheet.notes(SIDE + 1.12, max(x, 6.0), _notes(data, panels, shares, why))
    tables = [panel.table() for panel in panels]
    both = pd.concat([*tables, shares] if len(shares) else tables, ignore_index=True)
    return sheet.figure, both.reindex(columns=COLUMNS)


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
    points = points[["patient", "arm", "x", "y"]].dropna().sort_values(["arm", "patient"])
    return _Panel(question, score, clinical, float(row["week"]), points, row)


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


def _draw_panel(axes: Axes, data: IndexData, panel: _Panel, arms: list[str]) -> None:
    for arm in arms:
        own = panel.points[panel.points["arm"] == arm]
        style: Style = {"ms": 4, "mec": "white", "mew": 0.4, "color": data.arm_colours[arm]}
        axes.plot(own["x"], own["y"], "o", **style)
    when = "at baseline"
    if panel.question == CHANGE:
        when = f"decrease since baseline, week {panel.week:g}"
        axes.axhline(0, color=INK, lw=0.5, zorder=0)
        axes.axvline(0, color=INK, lw=0.5, zorder=0)
    axes.set_xlabel(f"{CLINICAL[panel.clinical][0]}: {when}", size=7.5)
    axes.set_ylabel(f"{wrapped(score_label(data, panel.score), 60, 34)}:\n{when}", size=7.5)
    row = panel.found
    text = f"no correlation: {row['reason']}"
    if np.isfinite(row["estimate"]):
        text = f"ρ = {interval_text(row['estimate'], row['lower'], row['upper'])}"
    title = f"{wrapped(text, 999, 44)}\nn = {int(row['n'])} patients"
    axes.set_title(title, loc="left", size=7)


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
    return shares.assign(reason=shares["reason"].fillna("")), ""


def _draw_shares(axes: Axes, data: IndexData, shares: pd.DataFrame) -> None:
    places, first = np.arange(len(shares)), shares.iloc[0]
    axes.vlines(places, 100 * shares["lower"], 100 * shares["upper"], color=INK, lw=1.0)
    axes.plot(places, 100 * shares["y"], "D", color=INK, ms=4.5)
    axes.set(xlim=(-0.5, len(shares) - 0.5), ylim=(-4, 104))
    bins = [b.replace(" to ", "–").replace("below ", "< ") for b in shares["bin"]]
    bins = [re.sub(r"^([\d.]+) and above$", r"≥ \1", b) for b in bins]
    ticks = [f"{text}\nn = {n}" for text, n in zip(bins, shares["n"], strict=True)]
    axes.set_xticks(places, ticks, size=6)
    label = wrapped(score_label(data, first["score"]), 60, 34)
    axes.set_xlabel(f"response R of the patient\n({label})", size=7.5)
    axes.set_ylabel(f"patients with {first['outcome']}, %", size=7.5)
    title = f"{first['outcome']} by response, week {first['week']:g}"
    axes.set_title(f"{title}\nn = {shares['n'].sum()} patients, all arms", loc="left", size=7)


def _notes(data: IndexData, panels: list[_Panel], shares: pd.DataFrame, why: str) -> list[str]:
    given = "partial Spearman correlation given both baselines, within arms"
    if panels[0].question == BASELINE:
        given = "Spearman correlation at baseline (no later visit has both values)"
    notes = [
        f"ρ: {given}, all arms together, with its {data.confidence} interval (jackknife of "
        "patients on Fisher's z). Exploratory: not part of the tests of the trial. Scores have no "
        "unit. A biopsy shows one spot and a clinical score the whole body: in real cohorts "
        "correlations are mostly weak.",
    ]
    have = {panel.clinical for panel in panels}
    lacking = [name for key, (name, _) in CLINICAL.items() if key not in have]
    if lacking:
        notes.append(f"Not in this cohort, or without enough values: {', '.join(lacking)}.")
    if len(shares):
        notes.append(
            f"{OUTCOMES[shares['outcome'].iloc[0]]} Right: share of such patients by response, "
            f"with Wilson's {data.confidence} intervals."
        )
    else:
        notes.append(f"No calibration of responses against the clinic: {why}.")
    return notes
