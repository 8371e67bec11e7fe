"""Do scores of the skin move with the clinic? One point a patient, and how responders share out."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from adnorm.figures.index_cells import GLOBAL
from adnorm.figures.index_material import IndexMaterial
from adnorm.figures.names import TITLES
from adnorm.figures.panels import interval_text, score_label
from adnorm.figures.sheet import Sheet, message_sheet
from adnorm.figures.theme import INK, counted, shorten

NAME = "concordance"
COLUMNS = [
    "panel",
    "drawn",
    "score",
    "clinical",
    "week",
    "arm",
    "patient",
    "x",
    "y",
    "outcome",
    "bin",
    "lower",
    "upper",
    "estimate",
    "p_value",
    "n",
    "reason",
]
#: Clinical values in words, and the score that each is asked of first.
CLINICAL = {
    "easi": ("EASI", GLOBAL),
    "scorad": ("SCORAD", GLOBAL),
    "itch_nrs": ("itch rating", "itch_core_skin_up"),
}
CHANGE, BASELINE = "change_with_clinic", "baseline_with_clinic"
ALL_ARMS = "all arms"
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


def draw_concordance(material: IndexMaterial) -> tuple[Figure, pd.DataFrame]:
    """Draw score against clinic for each clinical value, and the share of responders by response.

    Changes since baseline at the last visit; values at baseline where there is no later one.

    Parameters
    ----------
    material
        The cohort.

    Returns
    -------
    figure : Figure
    table : DataFrame
        One row for each point, estimate and share that is drawn.
    """
    panels = _panels(material)
    if not panels:
        reason = _why_not(material)
        empty = pd.DataFrame([{"reason": reason}]).reindex(columns=COLUMNS)
        return message_sheet(TITLES[NAME], material.facts, reason), empty
    shares, why = _shares(material)
    arms = [a for a in material.arms if any(a in set(p.points["arm"]) for p in panels)]
    people = {patient for panel in panels for patient in panel.points["patient"]}
    subtitle = f"{counted(people, 'patient')}; one point a patient"
    sheet = Sheet(TITLES[NAME], material.facts, subtitle, left=-0.6)
    for position, panel in enumerate(panels):
        _draw_panel(sheet, position * (SIDE + GAP), material, panel, arms)
    x = len(panels) * (SIDE + GAP)
    if len(shares):
        _draw_shares(sheet, x, material, shares)
        x += SIDE + GAP
    colours = {arm: material.arm_colours[arm] for arm in arms}
    sheet.legend(x - 0.45, 0.45, "Arm", colours, dict.fromkeys(arms, "o"))
    sheet.notes(-0.6, SIDE + 1.12, max(x, 6.0), _notes(material, panels, shares, why))
    tables = [_panel_table(panel) for panel in panels]
    both = pd.concat([*tables, shares] if len(shares) else tables, ignore_index=True)
    return sheet.figure, both.reindex(columns=COLUMNS)


def _panels(material: IndexMaterial) -> list[_Panel]:
    """Changes where the cohort has visits, else baseline; one panel for each clinical value."""
    found = material.tables["concordance"]
    for question in (CHANGE, BASELINE):
        rows = found[(found["question"] == question) & (found["arm"] == ALL_ARMS)]
        rows = rows[(rows["score"] != "") & (rows["n"] > 0)]
        panels = [
            _panel(material, rows[rows["clinical"] == clinical], question, clinical, score)
            for clinical, (_, score) in CLINICAL.items()
            if (rows["clinical"] == clinical).any()
        ]
        if panels:
            return panels
    return []


def _panel(
    material: IndexMaterial, rows: pd.DataFrame, question: str, clinical: str, score: str
) -> _Panel:
    """Points of one clinical value: its own score, or the first of the primary family."""
    have = set(rows["score"])
    score = next((n for n in [score, *material.primary] if n in have), rows["score"].iloc[0])
    rows = rows[rows["score"] == score].sort_values("week")
    estimated = rows[rows["estimate"].notna()]
    row = (estimated if len(estimated) else rows).iloc[-1]
    values = _lesional(material, score)
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


def _lesional(material: IndexMaterial, score: str) -> pd.DataFrame:
    """Lesional scores with the clinical values of the visit."""
    patients = material.tables["patients"]
    mine = patients[(patients["name"] == score) & (patients["state"] == "lesional")]
    clinical = material.tables["samples"].reindex(columns=["patient", "week", *CLINICAL])
    clinical = clinical.astype(dict.fromkeys(CLINICAL, float))
    visits = clinical.groupby(["patient", "week"], as_index=False).mean()
    return mine.merge(visits, on=["patient", "week"], how="left")


def _why_not(material: IndexMaterial) -> str:
    found = material.tables["concordance"]
    rows = found[found["question"].isin([CHANGE, BASELINE])]
    reasons = list(dict.fromkeys(rows["reason"].dropna()))
    said = "; ".join(r for r in reasons if r) or "there is no clinical value"
    for column, (name, _) in CLINICAL.items():
        said = re.sub(rf"\b{column}\b", name, said)
    return said


def _draw_panel(
    sheet: Sheet, x: float, material: IndexMaterial, panel: _Panel, arms: list[str]
) -> None:
    axes = sheet.axes(x, 0.45, SIDE, SIDE)
    for arm in arms:
        own = panel.points[panel.points["arm"] == arm]
        style = {"ms": 4, "mec": "white", "mew": 0.4, "color": material.arm_colours[arm]}
        axes.plot(own["x"], own["y"], "o", **style)
    clinical = CLINICAL[panel.clinical][0]
    label = textwrap.fill(shorten(score_label(material, panel.score), 60), 34)
    if panel.question == CHANGE:
        when = f"decrease since baseline, week {panel.week:g}"
        axes.axhline(0, color=INK, lw=0.5, zorder=0)
        axes.axvline(0, color=INK, lw=0.5, zorder=0)
    else:
        when = "at baseline"
    axes.set_xlabel(f"{clinical}: {when}", size=7.5)
    axes.set_ylabel(f"{label}:\n{when}", size=7.5)
    row = panel.found
    said = f"no correlation: {row['reason']}"
    if np.isfinite(row["estimate"]):
        said = f"ρ = {interval_text(row['estimate'], row['lower'], row['upper'])}"
    text = "\n".join(textwrap.wrap(said, 44))
    axes.set_title(f"{text}\nn = {int(row['n'])} patients", loc="left", size=7)


def _panel_table(panel: _Panel) -> pd.DataFrame:
    what = {
        "panel": f"{panel.question}: {panel.clinical}",
        "score": panel.score,
        "clinical": panel.clinical,
        "week": panel.week,
    }
    row = panel.found
    estimate = {key: row[key] for key in ("estimate", "lower", "upper", "p_value", "n", "reason")}
    rows = [pd.DataFrame([{"drawn": "correlation", "arm": ALL_ARMS, **estimate}])]
    rows.append(panel.points.assign(drawn="patient", n=1, reason=""))
    return pd.concat(rows).assign(**what)


def _shares(material: IndexMaterial) -> tuple[pd.DataFrame, str]:
    """Share of clinical responders by response at the last visit, or why there is none."""
    table = material.tables["calibration"]
    rows = table[(table["arm"] == ALL_ARMS) & (table["n"] > 0)]
    if rows.empty:
        reasons = table.loc[table["outcome"] == table["outcome"].min(), "reason"].dropna()
        return pd.DataFrame(), next((r for r in reasons if r), "no patient has both")
    # EASI-75 stands before SCORAD-50 in the alphabet, too.
    outcome = rows["outcome"].min()
    have = set(rows.loc[rows["outcome"] == outcome, "score"])
    name = next(n for n in [GLOBAL, *material.primary, *sorted(have)] if n in have)
    rows = table[(table["arm"] == ALL_ARMS) & (table["outcome"] == outcome)]
    rows = rows[rows["score"] == name]
    rows = rows[rows["week"] == rows.loc[rows["n"] > 0, "week"].max()]
    keep = ["outcome", "score", "week", "arm", "bin", "lower", "upper", "n", "reason"]
    shares = rows[keep].assign(panel="responders", drawn="share", y=rows["share"])
    return shares.assign(reason=shares["reason"].fillna("")), ""


def _draw_shares(sheet: Sheet, x: float, material: IndexMaterial, shares: pd.DataFrame) -> None:
    axes = sheet.axes(x, 0.45, SIDE, SIDE)
    places, outcome = np.arange(len(shares)), shares["outcome"].iloc[0]
    axes.vlines(places, 100 * shares["lower"], 100 * shares["upper"], color=INK, lw=1.0)
    axes.plot(places, 100 * shares["y"], "D", color=INK, ms=4.5)
    axes.set(xlim=(-0.5, len(shares) - 0.5), ylim=(-4, 104))
    bins = [b.replace(" to ", "–").replace("below ", "< ") for b in shares["bin"]]
    bins = [re.sub(r"^([\d.]+) and above$", r"≥ \1", b) for b in bins]
    ticks = [f"{text}\nn = {n}" for text, n in zip(bins, shares["n"], strict=True)]
    axes.set_xticks(places, ticks, size=6)
    label = textwrap.fill(shorten(score_label(material, shares["score"].iloc[0]), 60), 34)
    axes.set_xlabel(f"response R of the patient\n({label})", size=7.5)
    axes.set_ylabel(f"patients with {outcome}, %", size=7.5)
    said = f"{outcome} by response, week {shares['week'].iloc[0]:g}"
    axes.set_title(f"{said}\nn = {shares['n'].sum()} patients, all arms", loc="left", size=7)


def _notes(
    material: IndexMaterial, panels: list[_Panel], shares: pd.DataFrame, why: str
) -> list[str]:
    given = "partial Spearman correlation given both baselines and arm"
    if panels[0].question == BASELINE:
        given = "Spearman correlation at baseline (no later visit has both values)"
    notes = [
        f"ρ: {given}, all arms together, with its {material.confidence} interval (bootstrap of "
        "patients). Scores have no unit. A biopsy shows one spot and a clinical score the whole "
        "body: in real cohorts correlations are mostly weak.",
    ]
    have = {panel.clinical for panel in panels}
    lacking = [said for key, (said, _) in CLINICAL.items() if key not in have]
    if lacking:
        notes.append(f"Not in this cohort, or without enough values: {', '.join(lacking)}.")
    if len(shares):
        notes.append(
            f"{OUTCOMES[shares['outcome'].iloc[0]]} Right: share of such patients by response, "
            f"with Wilson's {material.confidence} intervals."
        )
    else:
        notes.append(f"No calibration of responses against the clinic: {why}.")
    return notes
