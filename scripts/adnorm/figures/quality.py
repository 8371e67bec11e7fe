"""Samples as points: what quality control found."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from adnorm.figures.material import Material
from adnorm.figures.names import TITLES
from adnorm.figures.places import name_points
from adnorm.figures.shared import STATE_ORDER
from adnorm.figures.sheet import Sheet, message_sheet
from adnorm.figures.theme import INK, STATES, counted, order_arms, short_names

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
WIDTH, HEIGHT = 4.0, 1.75
#: Column of qc.tsv, title of its panel, and the beginnings of the flags that are about it.
PANELS = (
    ("library_size", "Library size (million reads)", ("library",)),
    ("detected_genes", "Detected genes", ("few_genes",)),
    ("correlation_within_group", "Median correlation with group (r)", ("correl", "dupl")),
    ("sex_called", "Sex called from expression", ("sex",)),
)


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
    drawn = [(panel, _panel_values(table, panel[0])) for panel in PANELS]
    drawn = [(panel, values) for panel, values in drawn if values.notna().any()]
    if not drawn:
        reason = "; ".join(_left_out(table, [])) or "no value was computed for this cohort"
        return message_sheet(TITLES["quality"], material.facts, reason), table.reindex(
            columns=QUALITY_COLUMNS
        )
    for position, ((column, title, words), values) in enumerate(drawn):
        x, y = (position % 2) * (WIDTH + 0.9), 0.2 + (position // 2) * (HEIGHT + 0.62)
        axes = sheet.axes(x, y, WIDTH, HEIGHT)
        axes.set_title(title, loc="left", weight="bold")
        _draw_panel(axes, table, values, column, words)
    right = min(len(drawn), 2) * (WIDTH + 0.9) - 0.6
    states = {s: c for s, c in STATES.items() if s in set(table["state"])}
    below = sheet.legend(right, 0.2, "State", states)
    if (table["excluded"] == "yes").any():
        marks = {"kept": "o", "excluded": "X"}
        sheet.legend(right, below, "Sample", dict.fromkeys(marks, INK), marks)
    lower = (len(drawn) + 1) // 2 * (HEIGHT + 0.62) + 0.15
    shown = [column for (column, _, _), _ in drawn]
    sheet.notes(-0.75, lower, max(right, 6.0), _quality_notes(table, shown))
    return sheet.figure, table.reindex(columns=QUALITY_COLUMNS)


def _panel_values(table: pd.DataFrame, column: str) -> pd.Series:
    if column not in table:
        return pd.Series(np.nan, index=table.index)
    if column != "sex_called":
        return table[column].astype(float) / (1e6 if column == "library_size" else 1)
    called = table[column].astype(object)
    if not called.isin(["female", "male"]).any():
        return pd.Series(np.nan, index=table.index)
    return called.map(SEXES.index, na_action="ignore").astype(float)


def _limits(values: pd.Series, column: str) -> tuple[float, float]:
    """Choose an axis from 0 or above that does not blow small differences up."""
    if column == "library_size":
        return 0.0, 1.2 * max(values.max(), 1e-3)
    least = 0.2 * max(values.max(), 10) if column == "detected_genes" else 0.1
    span = max(values.max() - values.min(), least)
    middle = (values.max() + values.min()) / 2
    low = middle - 0.65 * span
    low = max(low, 0.0) if values.min() >= 0 else low
    high = middle + 0.7 * span
    return low, high if column == "detected_genes" else min(high, 1.005)


def _draw_panel(
    axes: Axes,
    table: pd.DataFrame,
    values: pd.Series,
    column: str,
    words: tuple[str, ...],
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
    elif column == "library_size" and values.max() > 30 * values[values > 0].min():
        axes.set_yscale("log")
        axes.set_ylim(values[values > 0].min() / 1.5, values.max() * 2)
    else:
        axes.set_ylim(_limits(values, column))
    if column != "sex_called":
        # Plain counts; a correlation keeps its digits.
        axes.yaxis.set_major_formatter(
            FuncFormatter(lambda v, _: f"{v:,.0f}" if column == "detected_genes" else f"{v:g}")
        )
    mine = table["flags"].map(lambda f: any(w in f for w in words)) & values.notna()
    rows = np.flatnonzero(mine)
    names, _ = short_names(list(table["sample"]), 22)
    points = [(float(x[i]), float(values[i]), names[i]) for i in rows]
    others = list(zip(x.astype(float), values.fillna(values.min()), strict=True))
    name_points(axes, points, (WIDTH, HEIGHT), others)


def _left_out(table: pd.DataFrame, shown: list[str]) -> list[str]:
    """Say why panels are left out."""
    notes = "; ".join(dict.fromkeys(table["not_computed"])).split("; ")
    found = []
    for column, title, _ in PANELS:
        if column not in shown:
            whys = [n.partition(": ")[2] for n in notes if n.startswith(column) and ": " in n]
            reason = whys[0] if whys else "not computed for this cohort"
            found.append(f"{title.lower()} ({reason})")
    return found


def flag_words(flags: str) -> str:
    """Write flags for people.

    Examples
    --------
    >>> flag_words("correlation_outlier;small_library")
    'correlation outlier, small library'
    """
    return flags.replace("_", " ").replace(";", ", ")


def _quality_notes(table: pd.DataFrame, shown: list[str]) -> list[str]:
    flagged = table[table["flags"] != ""]
    missing = _left_out(table, shown)
    notes = [f"Not shown: {'; '.join(missing)}."] if missing else []
    if flagged.empty:
        return [*notes, "No sample is flagged."]
    notes += [
        "Ringed: flagged for the value of the panel. "
        "Flags exclude only by a rule of the configuration."
    ]
    if len(flagged) > 8:
        flags = flagged["flags"].str.split(";").explode().value_counts().sort_index()
        counts = ", ".join(f"{flag_words(name)} {count}" for name, count in flags.items())
        return [*notes, f"{len(flagged)} samples are flagged ({counts}): see the table."]
    for row in flagged.itertuples(index=False):
        gone = " (excluded)" if row.excluded == "yes" else ""
        notes.append(f"{row.sample}{gone}: {row.reason or flag_words(row.flags)}")
    return notes
