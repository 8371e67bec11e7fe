"""Dose against index: every drug that was given at two doses or more."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from adnorm.figures.atlas_material import AtlasMaterial
from adnorm.figures.names import TITLES
from adnorm.figures.panels import interval_text, range_of, score_label, zero_and_one
from adnorm.figures.sheet import Sheet, message_sheet
from adnorm.figures.theme import FAINT, MARKERS, counted, shorten

NAME = "dose_response"
COLUMNS = [
    "drawn",
    "cohort",
    "drug",
    "drug_class",
    "name",
    "label",
    "reference",
    "week",
    "arm",
    "dose_mg",
    "step",
    "measure",
    "value",
    "lower",
    "upper",
    "p_value",
    "pairs",
    "reason",
]
PANEL, GAP = (1.5, 1.2), (0.2, 0.2)
TREND, DOUBLING = "trend", "gain_per_doubling"
MEASURES = {"NI": ("ni", "lower", "upper"), "dNI": ("dni", "dni_lower", "dni_upper")}


def draw_dose_response(material: AtlasMaterial) -> tuple[Figure, pd.DataFrame]:
    """Draw index and difference to placebo by dose, one block a drug, one line a visit.

    Parameters
    ----------
    material
        The run.

    Returns
    -------
    figure : Figure
    table : DataFrame
        One row for each point, and for the trend and the gain per doubling at each visit; one row
        with the reason for a drug without a trend.
    """
    dose = material.tables["dose"]
    chosen = material.time[["cohort", "reference"]].drop_duplicates()
    dose = dose[dose["name"].isin(material.primary)].merge(chosen, on=["cohort", "reference"])
    drugs = list(dose[["cohort", "drug"]].drop_duplicates().itertuples(index=False, name=None))
    tables = [_table(material, dose, cohort, drug) for cohort, drug in drugs]
    several = [table for table in tables if (table["drawn"] == "arm").any()]
    single = [_refusal(table) for table in tables if not (table["drawn"] == "arm").any()]
    if not several:
        reason = "; ".join(single) or "no drug of this run has visits after baseline"
        table = (
            pd.concat(tables, ignore_index=True) if tables else pd.DataFrame([{"reason": reason}])
        )
        figure = message_sheet(TITLES[NAME], material.facts, reason)
        return figure, table.reindex(columns=COLUMNS)
    subtitle = f"{counted(several, 'drug')}; bars are {material.confidence} intervals"
    sheet = Sheet(TITLES[NAME], material.facts, subtitle, left=-0.5)
    weeks = sorted({w for table in several for w in table["week"]})
    markers = dict(zip(weeks, [MARKERS[i % len(MARKERS)] for i in range(len(weeks))], strict=True))
    y, width = 0.0, 0.0
    for table in several:
        y, across = _draw_drug(sheet, material, table, markers, y)
        width = max(width, across)
    labels = {f"week {week:g}": week for week in weeks}
    shades = _shades(weeks)
    colours = {label: shades[week] for label, week in labels.items()}
    shapes = {label: markers[week] for label, week in labels.items()}
    sheet.legend(width + 0.1, 0.35, "Visit (lines)", colours, shapes)
    sheet.notes(-0.5, y + 0.05, max(width + 0.8, 6.0), _notes(material, single))
    return sheet.figure, pd.concat(tables, ignore_index=True)[COLUMNS]


def _table(material: AtlasMaterial, dose: pd.DataFrame, cohort: str, drug: str) -> pd.DataFrame:
    """Points and trends of one drug, as they are drawn."""
    mine = dose[(dose["cohort"] == cohort) & (dose["drug"] == drug)]
    tests = mine[mine["question"].isin([TREND, DOUBLING])]
    tests = tests.assign(drawn=tests["question"], value=tests["estimate"], measure="slope of NI")
    time = material.time
    time = time[(time["cohort"] == cohort) & time["name"].isin(material.primary)]
    arms = time[(time["treatment"] == drug) & time["dose_mg"].notna()]
    if arms["dose_mg"].nunique() < 2:
        return _finish(material, tests)
    placebo = time[time["arm"] == material.placebo(cohort)].assign(dose_mg=0.0)
    lowest = arms["dose_mg"].min()
    frames = [tests]
    for measure, (value, lower, upper) in MEASURES.items():
        rows = pd.concat([placebo, arms]) if measure == "NI" else arms[arms["dni"].notna()]
        # Doublings of the dose; placebo stands one below the lowest dose, as in the trend.
        ratio = np.where(rows["dose_mg"] > 0, rows["dose_mg"] / lowest, 0.5)
        frames.append(
            pd.DataFrame(
                {
                    **{
                        c: rows[c] for c in ("name", "reference", "week", "arm", "dose_mg", "pairs")
                    },
                    "drawn": "arm",
                    "measure": measure,
                    "step": np.log2(ratio) + 1,
                    "value": rows[value],
                    "lower": rows[lower],
                    "upper": rows[upper],
                    "reason": rows["reason"],
                }
            )
        )
    both = pd.concat([f for f in frames if len(f)], ignore_index=True)
    known = {"cohort": cohort, "drug": drug, "drug_class": arms["drug_class"].iloc[0]}
    return _finish(material, both.assign(**known))


def _finish(material: AtlasMaterial, table: pd.DataFrame) -> pd.DataFrame:
    labels = [score_label(material, name) for name in table["name"]]
    reasons = table["reason"].fillna("")
    return table.assign(label=labels, reason=reasons).reindex(columns=COLUMNS)


def _refusal(table: pd.DataFrame) -> str:
    """Why a drug has no trend, in the words of the table."""
    reason = next((r for r in table["reason"] if r), "no index")
    return f"{table['cohort'].iloc[0]}: {reason}"


def _draw_drug(
    sheet: Sheet, material: AtlasMaterial, table: pd.DataFrame, markers: dict, y: float
) -> tuple[float, float]:
    """Draw one drug: NI above, dNI below, a column a score; return lower and right edge."""
    cohort, drug = table["cohort"].iloc[0], table["drug"].iloc[0]
    points = table[(table["drawn"] == "arm") & table["value"].notna() & table["lower"].notna()]
    names = [n for n in material.primary if n in set(points["name"])]
    heading = f"{drug} ({table['drug_class'].iloc[0]}), {material.name(cohort)}"
    sheet.text(-0.5, y + 0.08, heading, size=8.5, weight="bold", va="center")
    if not names:
        sheet.text(-0.5, y + 0.3, textwrap.fill(_refusal(table), 100), size=7, va="top")
        return y + 0.6, 6.0
    measures = [m for m in MEASURES if m in set(points["measure"])]
    top = y + 0.74
    for i, measure in enumerate(measures):
        rows = points[points["measure"] == measure]
        limits = range_of([rows["lower"], rows["upper"]], -0.1, 1.05)
        for j, name in enumerate(names):
            x = j * (PANEL[0] + GAP[0])
            axes = sheet.axes(x, top + i * (PANEL[1] + GAP[1]), *PANEL)
            mine = rows[rows["name"] == name]
            _draw_points(axes, material, mine, markers)
            zero_and_one(axes)
            axes.set_ylim(limits)
            _dose_ticks(axes, points, i == len(measures) - 1)
            if j:
                axes.tick_params(labelleft=False)
            else:
                said = "NI" if measure == "NI" else "dNI: beyond placebo"
                axes.set_ylabel(said, size=7)
            if not i:
                label = textwrap.fill(shorten(score_label(material, name), 56), 28)
                said = _trend_text(table[table["name"] == name])
                axes.text(
                    0, 1.26, label, transform=axes.transAxes, size=7, weight="bold", va="bottom"
                )
                style = {"size": 5.8, "color": FAINT, "va": "bottom", "linespacing": 1.2}
                axes.text(0, 1.03, said, transform=axes.transAxes, **style)
    end = top + len(measures) * (PANEL[1] + GAP[1]) + 0.5
    return end, len(names) * (PANEL[0] + GAP[0])


def _draw_points(axes: Axes, material: AtlasMaterial, rows: pd.DataFrame, markers: dict) -> None:
    shades = _shades(markers)
    weeks = sorted(set(rows["week"]))
    for position, week in enumerate(weeks):
        own = rows[rows["week"] == week].sort_values("step")
        x = own["step"].to_numpy() + (position - (len(weeks) - 1) / 2) * 0.1
        colours = [material.colours[key] for key in zip(own["cohort"], own["arm"], strict=True)]
        axes.plot(x, own["value"], color=shades[week], lw=1.0, zorder=1)
        axes.vlines(x, own["lower"], own["upper"], colors=colours, lw=1.0, zorder=2)
        style = {"s": 16, "marker": markers[week], "zorder": 3, "linewidths": 0.7}
        axes.scatter(x, own["value"], c=colours, edgecolors=[shades[week]] * len(own), **style)


def _shades(weeks: Iterable[float]) -> dict[float, str]:
    """Greys that are seen on white, later visits darker."""
    ordered = sorted(weeks)
    steps = np.linspace(0.68, 0.1, max(len(ordered), 2))
    return {week: to_hex((g, g, g)) for week, g in zip(ordered, steps, strict=False)}


def _dose_ticks(axes: Axes, points: pd.DataFrame, last: bool) -> None:
    steps = points.drop_duplicates("step").sort_values("step")
    people = points[points["week"] == points["week"].max()].groupby("step")["pairs"].max()
    labels = [
        f"{f'{dose:g}' if dose else 'placebo'}\nn = {people.get(step, 0):g}"
        for step, dose in zip(steps["step"], steps["dose_mg"], strict=True)
    ]
    axes.set_xlim(steps["step"].min() - 0.4, steps["step"].max() + 0.4)
    axes.set_xticks(steps["step"], labels if last else [])
    if last:
        axes.set_xlabel("dose, mg", size=7)


def _trend_text(rows: pd.DataFrame) -> str:
    """Trend and gain per doubling at the last visit that has them."""
    trend = rows[(rows["drawn"] == TREND) & rows["value"].notna()].sort_values("week")
    if trend.empty:
        return "no trend: see table"
    row = trend.iloc[-1]
    p = "p < 0.001" if row["p_value"] < 0.001 else f"p = {row['p_value']:.2g}"
    said = f"week {row['week']:g}: trend {p}"
    gain = rows[(rows["drawn"] == DOUBLING) & (rows["week"] == row["week"])]
    gain = gain[gain["value"].notna()]
    if gain.empty:
        return said
    found = interval_text(*gain[["value", "lower", "upper"]].iloc[0])
    return f"{said}\nper doubling {found}"


def _notes(material: AtlasMaterial, single: list[str]) -> list[str]:
    notes = [
        "NI: share of the disease effect that is gone; dNI: NI minus NI of placebo in the same "
        "week. Solid line: 0; dashed: 1. Doses stand on a scale of doublings, placebo one doubling "
        "below the lowest dose; visits are set apart a little. n: patients at the last visit. "
        "Fill: arm, in the colours of the figures of the cohort.",
        "Trend: slope over placebo and all doses, patients permuted, not adjusted within the "
        "primary family. Per doubling: slope of NI over the doses alone, with its interval. All "
        "visits are in the table.",
    ]
    return [*notes, *(f"{text}." for text in single), *material.absent_note]
