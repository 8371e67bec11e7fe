"""Samples as points: principal components and quality."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from adnorm.figures.material import STATE_ORDER, Material
from adnorm.figures.names import TITLES
from adnorm.figures.places import name_points
from adnorm.figures.sheet import Sheet, message_sheet
from adnorm.figures.theme import FAINT, INK, MARKERS, STATES, counted, order_arms

PCA_COLUMNS = ["sample", "patient", "state", "arm", "week", "pc1", "pc2", "flags", "reason"]
QUALITY_COLUMNS = [
    "sample",
    "patient",
    "state",
    "arm",
    "week",
    "library_size",
    "detected_genes",
    "correlation_within_group",
    "sex_called",
    "sex_sheet",
    "flags",
    "excluded",
    "reason",
]
SEXES = ("female", "not called", "male")


def _markers(material: Material) -> dict[float, str]:
    weeks = list(material.week_colours)
    return {week: MARKERS[i % len(MARKERS)] for i, week in enumerate(weeks)}


def draw_pca(material: Material) -> tuple[Figure, pd.DataFrame]:
    """Draw the first two principal components, coloured by state and by arm.

    Returns
    -------
    figure : Figure
    table : DataFrame
        One row per sample.
    """
    samples = material.samples
    scores = np.asarray(material.expression.obsm.get("X_pca", np.zeros((len(samples), 0))))
    table = samples.reset_index(names="sample").rename(columns={"qc_flags": "flags"})
    if scores.shape[1] < 2:
        reason = f"principal components need at least 3 samples and 3 genes; there are {material.n}"
        table["reason"] = reason
        figure = message_sheet(TITLES["pca"], material.facts, reason)
        return figure, table.reindex(columns=PCA_COLUMNS)
    table[["pc1", "pc2"]] = scores[samples["row"].to_numpy(), :2]
    table["reason"] = ""
    sheet = Sheet(TITLES["pca"], material.facts, f"{material.n}; each point is one sample", -0.6)
    markers = _markers(material)
    side, homeless = 3.1, 0
    panels = (("state", STATES, "by state"), ("arm", material.arm_colours, "by arm"))
    flagged = table[table["flags"] != ""]
    for position, (column, colours, title) in enumerate(panels):
        axes = sheet.axes(position * (side + 0.75), 0.2, side, side)
        for week, rows in table.groupby("week", sort=True):
            face = rows[column].map(colours)
            style = {"s": 24, "linewidths": 0.4, "edgecolors": "white", "marker": markers[week]}
            axes.scatter(rows["pc1"], rows["pc2"], c=face, **style)
        axes.margins(0.1)
        axes.set_title(f"Coloured {title}", loc="left", weight="bold")
        axes.set_xlabel(f"PC1{_explained(material, 0)}")
        axes.set_ylabel(f"PC2{_explained(material, 1)}", labelpad=1)
        points = list(zip(flagged["pc1"], flagged["pc2"], flagged["sample"], strict=True))
        others = list(zip(table["pc1"], table["pc2"], strict=True))
        homeless = name_points(axes, points, (side, side), others)
    x = 2 * side + 0.75 + 0.45
    present = {s: c for s, c in STATES.items() if s in set(samples["state"])}
    y = sheet.legend(x, 0.2, "State", present)
    y = sheet.legend(x, y, "Arm", material.arm_colours)
    weeks = {f"{week:g}": INK for week in markers}
    sheet.legend(x, y, "Week", weeks, {f"{w:g}": m for w, m in markers.items()})
    notes = ["From log2 expression of all genes, centred."]
    if len(flagged):
        more = f"; names of {homeless} are only in the table" if homeless else ""
        notes.append(f"Ringed: {counted(flagged, 'sample')} flagged by quality control{more}.")
    else:
        notes.append("No sample is flagged by quality control.")
    sheet.notes(-0.6, side + 0.75, 2 * side + 1.2, notes)
    return sheet.figure, table[PCA_COLUMNS]


def _explained(material: Material, component: int) -> str:
    ratio = np.atleast_1d(material.expression.uns.get("pca", {}).get("variance_ratio", []))
    return f" ({100 * ratio[component]:.1f} % of variance)" if len(ratio) > component else ""


def _quality_table(material: Material) -> pd.DataFrame:
    table = material.tables["qc"].copy()
    for column in ("flags", "reason", "not_computed"):
        table[column] = table[column].fillna("").astype(str) if column in table else ""
    table["excluded"] = table["excluded"].fillna("no") if "excluded" in table else "no"
    table["sex_sheet"] = table["sample"].map(material.samples["sex"]).fillna("")
    arms = order_arms(table["arm"].astype(str), material.facts.get("placebo_arm", ""))
    ranks = pd.DataFrame(
        {
            "state": table["state"].map(STATE_ORDER.index),
            "arm": table["arm"].map({arm: i for i, arm in enumerate(arms)}),
            "week": table["week"],
            "patient": table["patient"],
            "sample": table["sample"],
        }
    )
    return table.loc[ranks.sort_values(list(ranks.columns)).index].reset_index(drop=True)


def draw_quality(material: Material) -> tuple[Figure, pd.DataFrame]:
    """Draw library size, detected genes, correlation within groups and called sex of each sample.

    Returns
    -------
    figure : Figure
    table : DataFrame
        One row per sample, excluded ones too.
    """
    table = _quality_table(material)
    sheet = Sheet(
        TITLES["quality"],
        material.facts,
        f"n = {counted(table, 'sample')}; ordered by state, arm, week and patient",
        left=-0.75,
    )
    panels = (
        ("library_size", "Library size (million reads)", 1e6, ("library",)),
        ("detected_genes", "Detected genes (thousand)", 1e3, ("few_genes",)),
        ("correlation_within_group", "Median correlation with group (r)", 1, ("correl", "dupl")),
        ("sex_called", "Sex called from expression", 1, ("sex",)),
    )
    width, height = 4.0, 1.75
    for position, (column, title, unit, words) in enumerate(panels):
        x, y = (position % 2) * (width + 0.9), 0.2 + (position // 2) * (height + 0.62)
        axes = sheet.axes(x, y, width, height)
        axes.set_title(title, loc="left", weight="bold")
        values = _panel_values(table, column) / unit
        if values.notna().any():
            _draw_panel(axes, table, values, column, words, (width, height))
        else:
            _say_why_empty(axes, table, column)
    states = {s: c for s, c in STATES.items() if s in set(table["state"])}
    below = sheet.legend(2 * width + 1.2, 0.2, "State", states)
    marks = {"kept": "o", "excluded": "X"}
    sheet.legend(2 * width + 1.2, below, "Sample", dict.fromkeys(marks, INK), marks)
    sheet.notes(-0.75, 2 * (height + 0.62) + 0.15, 2 * width + 1.6, _quality_notes(table))
    return sheet.figure, table.reindex(columns=QUALITY_COLUMNS)


def _panel_values(table: pd.DataFrame, column: str) -> pd.Series:
    if column not in table:
        return pd.Series(np.nan, index=table.index)
    if column != "sex_called":
        return table[column].astype(float)
    called = table[column].astype(object)
    if not called.isin(["female", "male"]).any():
        return pd.Series(np.nan, index=table.index)
    return called.map(SEXES.index, na_action="ignore").astype(float)


def _draw_panel(
    axes: Axes,
    table: pd.DataFrame,
    values: pd.Series,
    column: str,
    words: tuple[str, ...],
    inches: tuple[float, float],
) -> None:
    """Draw one point a sample; ring and name those flagged for the value of this panel."""
    x = np.arange(len(table))
    colours = table["state"].map(STATES)
    for gone, marker in ((False, "o"), (True, "X")):
        some = (table["excluded"] == "yes") == gone
        axes.scatter(x[some], values[some], c=colours[some], s=12, linewidths=0, marker=marker)
    axes.set_xlim(-1, len(table))
    axes.set_xticks([])
    axes.set_xlabel("samples", labelpad=4)
    if column == "sex_called":
        axes.set_yticks(range(len(SEXES)), SEXES)
        axes.set_ylim(-0.5, 2.6)
    else:
        span = max(values.max() - values.min(), 1e-3)
        if column == "library_size" and values.max() > 30 * values[values > 0].min():
            axes.set_yscale("log")
            axes.set_ylim(values[values > 0].min() / 1.5, values.max() * 2)
        else:
            low = 0 if column == "library_size" else values.min() - 0.15 * span
            axes.set_ylim(low, values.max() + 0.2 * span)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    mine = table["flags"].map(lambda f: any(w in f for w in words)) & values.notna()
    rows = np.flatnonzero(mine)
    points = [(float(x[i]), float(values[i]), str(table["sample"][i])) for i in rows]
    others = list(zip(x.astype(float), values.fillna(values.min()), strict=True))
    name_points(axes, points, inches, others)


def _say_why_empty(axes: Axes, table: pd.DataFrame, column: str) -> None:
    notes = "; ".join(dict.fromkeys(table["not_computed"])).split("; ")
    whys = [n.split(": ", 1)[1] for n in notes if n.startswith(column) and ": " in n]
    reason = whys[0] if whys else "not computed for this cohort"
    axes.text(
        0.5, 0.5, f"not shown: {reason}", color=FAINT, ha="center", va="center",
        transform=axes.transAxes,
    )  # fmt: skip
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.set_facecolor("#F5F5F5")


def _quality_notes(table: pd.DataFrame) -> list[str]:
    flagged = table[table["flags"] != ""]
    if flagged.empty:
        return ["No sample is flagged."]
    notes = [
        "Ringed: flagged for the value of the panel. "
        "Flags exclude only by a rule of the configuration."
    ]
    if len(flagged) > 8:
        flags = flagged["flags"].str.split(";").explode().value_counts().sort_index()
        counts = ", ".join(f"{name} {count}" for name, count in flags.items())
        return [*notes, f"{len(flagged)} samples are flagged ({counts}): see the table."]
    for row in flagged.itertuples(index=False):
        gone = " (excluded)" if row.excluded == "yes" else ""
        notes.append(f"{row.sample}{gone}: {row.reason or row.flags}")
    return notes
