"""The index over time and over dose, placebo beside the drugs.

Estimates and intervals are those of the tables. seaborn's line plots estimate their own, so the
panels are drawn by matplotlib.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adnorm.base.text import counted
from adnorm.figures.data import TOPICS, AtlasData, IndexData, known_reference, rows_of, sorted_by
from adnorm.figures.labels import (
    AS_REFERENCE,
    DERIVED,
    estimator_note,
    grouped_by,
    interval_text,
    plan_note,
    reason_of,
    same_note,
    score_label,
    why_no_index,
)
from adnorm.figures.names import TITLES
from adnorm.figures.sheet import (
    ZERO_ONE_NOTE,
    Sheet,
    ends_inside,
    nothing_to_draw,
    range_of,
    week_ticks,
    wrapped,
    zero_and_one,
)
from adnorm.figures.theme import FAINT, Style, week_colours, week_markers
from adnorm.study.vocabulary import Arm, Statistic

TIME_COLUMNS = [
    *("name", "label", "reference", "arm", "week", "ni", "lower", "upper", "beyond_placebo", "dni"),
    *("dni_lower", "dni_upper", "p_value", "tested", "family", "step", "adjusted_p_value", "fdr"),
    *("as_reference", "estimator", "pairs", "placebo_pairs", "status", "reason_code", "reason"),
]
DOSE_COLUMNS = [
    *("drawn", "cohort", "drug", "drug_class", "name", "label", "reference", "week", "arm"),
    *("dose_mg", "step", "measure", "value", "lower", "upper", "p_value", "pairs", "reason"),
]
#: Inches of a panel and of the gaps, and panels side by side.
PANEL, GAP, ACROSS = (1.72, 1.3), (0.22, 0.55), 4
DOSE_PANEL, DOSE_GAP = (1.5, 1.2), (0.2, 0.2)
#: Marker or colour of each visit.
Looks = Mapping[float, str]
TREND, DOUBLING = "trend", "gain_per_doubling"
#: Columns of the atlas with each measure.
MEASURES: dict[str, list[str]] = {
    Statistic.NI: ["ni", "lower", "upper"],
    Statistic.DNI: ["dni", "dni_lower", "dni_upper"],
}


# ---------------------------------------------------------------- time


def draw_time_courses(data: IndexData) -> tuple[Figure, pd.DataFrame]:
    """Draw a panel for the disease axis and every signed itch and barrier set.

    The table has one row for each score, arm and visit; scores without an index with the reason.
    """
    title = TITLES["time_courses"]
    index = data.tables["index"]
    names = _time_names(data, set(index["name"]))
    index = index[index["name"].isin(names)]
    index = index.assign(label=[score_label(data, name) for name in index["name"]])
    reference = known_reference(index, "ni")
    if not reference:
        reason, table = why_no_index(data, index), index.assign(beyond_placebo="")
        return nothing_to_draw(title, data.facts, reason, TIME_COLUMNS, table)
    table = _time_table(data, index[index["reference"] == reference], names)
    known = table[table["ni"].notna()]
    shown = [name for name in names if name in set(known["name"])]
    arms = [arm for arm in data.arms if arm in set(table["arm"])]
    limits = range_of([known["lower"], known["upper"]], -0.1, 1.05)
    subtitle = f"{counted(len(shown), 'score')}; bars are {data.confidence} intervals"
    sheet = Sheet(title, data.facts, subtitle, left=-0.5)
    across, down = min(len(shown), ACROSS), -(-len(shown) // ACROSS)
    grid = sheet.panels(down, across, PANEL, GAP).ravel()
    for position, (axes, name) in enumerate(zip(grid, shown, strict=False)):
        _draw_arms(axes, data, known[known["name"] == name], arms)
        zero_and_one(axes)
        axes.set_ylim(limits)
        week_ticks(axes, table["week"])
        label = wrapped(score_label(data, name), 58, 32)
        axes.set_title(label, loc="left", weight="bold", size=7, linespacing=1.1)
        if position % ACROSS:
            axes.tick_params(labelleft=False)
        else:
            axes.set_ylabel("index NI", size=7)
        if position + ACROSS >= len(shown):
            axes.set_xlabel("week", size=7)
    for axes in grid[len(shown) :]:
        axes.remove()
    width = across * (PANEL[0] + GAP[0])
    colours = {_arm_label(known, arm): data.arm_colours[arm] for arm in arms}
    sheet.legend(width + 0.1, 0.3, "Arm (n = patients at each visit)", colours)
    below = 0.4 + down * (PANEL[1] + GAP[1])
    sheet.notes(below, max(width + 1.0, 6.0), _time_notes(data, table, shown, reference))
    return sheet.figure, table


def _time_names(data: IndexData, present: set[str]) -> list[str]:
    """The primary family, then the other signed sets of itch and barrier."""
    sets = data.sets
    own = sets.index[sets["category"].isin(TOPICS) & sets["signed"]]
    return [name for name in dict.fromkeys([*data.primary, *DERIVED, *own]) if name in present]


def _time_table(data: IndexData, index: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    orders = {"name": names, "arm": data.arms}
    rows = sorted_by(index, ["name", "arm", "week"], orders).reset_index(drop=True)
    beyond = (rows["dni_lower"] > 0) | (rows["dni_upper"] < 0)
    rows["beyond_placebo"] = np.where(rows["dni"].isna(), "", np.where(beyond, "yes", "no"))
    rows.loc[rows["lower"].isna() | rows["upper"].isna(), "ni"] = np.nan
    return rows.reindex(columns=TIME_COLUMNS)


def _draw_arms(axes: Axes, data: IndexData, rows: pd.DataFrame, arms: list[str]) -> None:
    """Lines from 0 at baseline, which holds by definition, over the visits."""
    step = 0.022 * max(rows["week"].max(), 1.0)
    for position, arm in enumerate(arms):
        own = rows[rows["arm"] == arm]
        if own.empty:
            continue
        colour = data.arm_colours[arm]
        x = own["week"].to_numpy() + (position - (len(arms) - 1) / 2) * step
        y = own["ni"].to_numpy()
        axes.plot([0, *x], [0, *y], color=colour, lw=1.2, zorder=2)
        axes.vlines(x, own["lower"], own["upper"], color=colour, lw=1.0, zorder=3)
        hollow = (own["beyond_placebo"] == "no").to_numpy()
        for some, face in ((~hollow, colour), (hollow, "white")):
            axes.plot(x[some], y[some], "o", ms=3.6, mfc=face, mec=colour, mew=1.0, zorder=4)
        same = (own["as_reference"] == "yes").to_numpy()
        beside: Style = {"textcoords": "offset points", "color": colour, "size": 8}
        for place in zip(x[same], y[same], strict=True):
            axes.annotate(AS_REFERENCE, place, (2.2, 2.2), weight="bold", **beside)


def _arm_label(known: pd.DataFrame, arm: str) -> str:
    visits = known[known["arm"] == arm].drop_duplicates("week").sort_values("week")
    counts = ", ".join(f"{int(row.pairs)} at wk {row.week:g}" for row in rows_of(visits))
    return f"{arm}\n(n = {counts})" if counts else f"{arm} (no index)"


def _time_notes(
    data: IndexData, table: pd.DataFrame, shown: list[str], reference: str
) -> list[str]:
    notes = [
        f"NI: share of the disease effect that is gone. {ZERO_ONE_NOTE.format(skin=reference)}"
    ]
    if table["arm"].nunique() > 1:
        notes[0] += " Arms are set apart a little at each visit."
    if left := int((table["ni"].notna() & ~ends_inside(table)).sum()):
        notes.append(f"{counted(left, 'interval')} leave the panels; the table has the ends.")
    if (table["beyond_placebo"] != "").any():
        notes.append(
            "Filled: the interval of the difference from placebo given the baseline (dNI) excludes "
            "0; hollow: it does not. Placebo is filled. Not corrected for the number of panels."
        )
    elif set(table["arm"]) != {Arm.UNTREATED}:
        notes.append("No placebo to compare with: the index is uncontrolled.")
    else:
        notes.append("Nobody was treated: the index shows how skin varies by itself.")
    notes += plan_note(data, table)
    if (table["as_reference"] == "yes").any():
        meaning = same_note(data, [reference]).replace("\n", " ")
        notes.append(f"{AS_REFERENCE} beside a point: {meaning}.")
    notes += estimator_note(table)
    lacking = table[~table["name"].isin(shown)].drop_duplicates("name")
    if len(lacking):
        grouped = grouped_by(lacking["reason_code"].map(reason_of), lacking["label"])
        listed = "; ".join(f"{reason}: {', '.join(labels)}" for reason, labels in grouped.items())
        notes.append(
            f"Not drawn, because there is no index ({listed}); reasons in full: in the table."
        )
    return notes


# ---------------------------------------------------------------- dose


def draw_dose_response(data: AtlasData) -> tuple[Figure, pd.DataFrame]:
    """Draw index and difference to placebo by dose, one block per drug, one line per visit.

    The table has one row for each point, and for the trend and the gain per doubling at each
    visit; one row with the reason for a drug without a trend.
    """
    title = TITLES["dose_response"]
    dose = data.tables["dose"]
    chosen = data.time[["cohort", "reference"]].drop_duplicates()
    dose = dose[dose["name"].isin(data.primary)].merge(chosen, on=["cohort", "reference"])
    drugs = dose[["cohort", "drug"]].drop_duplicates().itertuples(index=False, name=None)
    tables = [
        _dose_table(data, dose[(dose["cohort"] == c) & (dose["drug"] == d)], c, d) for c, d in drugs
    ]
    several = [table for table in tables if (table["drawn"] == "arm").any()]
    single = [_refusal(table) for table in tables if not (table["drawn"] == "arm").any()]
    if not several:
        reason = "; ".join(single) or "no drug of this run has visits after baseline"
        refused = pd.concat(tables) if tables else None
        return nothing_to_draw(title, data.facts, reason, DOSE_COLUMNS, refused)
    subtitle = f"{counted(len(several), 'drug')}; bars are {data.confidence} intervals"
    sheet = Sheet(title, data.facts, subtitle, left=-0.5)
    weeks = sorted({week for table in several for week in table["week"]})
    markers, shades = week_markers(weeks), week_colours(weeks, 0.68, 0.1)
    y, width = 0.0, 0.0
    for table in several:
        y, right = _draw_drug(sheet, data, table, markers, shades, y)
        width = max(width, right)
    labels = {week: f"week {week:g}" for week in weeks}
    colours = {labels[week]: shades[week] for week in weeks}
    shapes = {labels[week]: markers[week] for week in weeks}
    sheet.legend(width + 0.1, 0.35, "Visit (lines)", colours, shapes)
    drawn = {cohort for table in several for cohort in table["cohort"]}
    model = estimator_note(data.time[data.time["cohort"].isin(drawn)], by="cohort")
    notes = [*DOSE_NOTES, *model, *(f"{text}." for text in single), *data.absent_note]
    sheet.notes(y + 0.05, max(width + 0.8, 6.0), notes)
    return sheet.figure, pd.concat(tables, ignore_index=True)[DOSE_COLUMNS]


def _dose_table(data: AtlasData, rows: pd.DataFrame, cohort: str, drug: str) -> pd.DataFrame:
    """Points and trends of one drug, as they are drawn."""
    tests = rows[rows["question"].isin([TREND, DOUBLING])]
    tests = tests.assign(drawn=tests["question"], value=tests["estimate"], measure="slope of NI")
    time = data.time
    time = time[(time["cohort"] == cohort) & time["name"].isin(data.primary)]
    arms = time[(time["treatment"] == drug) & time["dose_mg"].notna()]
    frames = [tests]
    if arms["dose_mg"].nunique() > 1:
        placebo = time[time["arm"] == data.placebo_of(cohort)].assign(dose_mg=0.0)
        lowest = arms["dose_mg"].min()
        known = {"cohort": cohort, "drug": drug, "drug_class": arms["drug_class"].iloc[0]}
        for measure, columns in MEASURES.items():
            both = pd.concat([placebo, arms])
            own = both if measure == Statistic.NI else arms[arms["dni"].notna()]
            # Doublings of the dose; placebo stands one below the lowest dose, as in the trend.
            ratio = np.where(own["dose_mg"] > 0, own["dose_mg"] / lowest, 0.5)
            values = dict(zip(["value", "lower", "upper"], (own[c] for c in columns), strict=True))
            frames.append(
                own.assign(
                    drawn="arm",
                    measure=str(measure),
                    step=np.log2(ratio) + 1,
                    p_value=np.nan,
                    **values,
                )
            )
        frames = [frame.assign(**known) for frame in frames]
    frames = [frame.reindex(columns=DOSE_COLUMNS) for frame in frames if len(frame)]
    table = pd.concat(frames, ignore_index=True) if frames else tests.reindex(columns=DOSE_COLUMNS)
    table["label"] = [score_label(data, name) for name in table["name"]]
    return table.assign(reason=table["reason"].fillna(""))


def _refusal(table: pd.DataFrame) -> str:
    """Why a drug has no trend, in the words of the table."""
    reason = next((r for r in table["reason"] if r), "no index")
    return f"{table['cohort'].iloc[0]}: {reason}"


def _draw_drug(
    sheet: Sheet,
    data: AtlasData,
    table: pd.DataFrame,
    markers: Mapping[float, str],
    shades: Mapping[float, str],
    y: float,
) -> tuple[float, float]:
    """Draw one drug: NI above, dNI below, a column per score; return lower and right edge."""
    cohort, drug = table["cohort"].iloc[0], table["drug"].iloc[0]
    points = table[(table["drawn"] == "arm") & table["value"].notna() & table["lower"].notna()]
    names = [name for name in data.primary if name in set(points["name"])]
    heading = f"{drug} ({table['drug_class'].iloc[0]}), {data.name(cohort)}"
    sheet.text(-0.5, y + 0.08, heading, size=8.5, weight="bold", va="center")
    if not names:
        sheet.text(-0.5, y + 0.3, textwrap.fill(_refusal(table), 100), size=7, va="top")
        return y + 0.6, 6.0
    measures = [measure for measure in MEASURES if measure in set(points["measure"])]
    shape = (len(measures), len(names))
    grid = sheet.panels(*shape, DOSE_PANEL, DOSE_GAP, y=y + 0.74, sharey="row")
    for measure, line in zip(measures, grid, strict=True):
        rows = points[points["measure"] == measure]
        for name, axes in zip(names, line, strict=True):
            _draw_points(axes, data, rows[rows["name"] == name], markers, shades)
            zero_and_one(axes)
        line[0].set_ylim(range_of([rows["lower"], rows["upper"]], -0.1, 1.05))
        ylabel = "NI" if measure == Statistic.NI else "dNI: more than placebo"
        line[0].set_ylabel(ylabel, size=7)
        for axes in line:
            _dose_ticks(axes, points, measure == measures[-1])
    style = {"size": 5.8, "color": FAINT, "va": "bottom", "linespacing": 1.2}
    for name, axes in zip(names, grid[0], strict=True):
        label = wrapped(score_label(data, name), 56, 28)
        axes.text(0, 1.26, label, transform=axes.transAxes, size=7, weight="bold", va="bottom")
        trend = _trend_text(table[table["name"] == name])
        axes.text(0, 1.03, trend, transform=axes.transAxes, **style)
    end = y + 0.74 + len(measures) * (DOSE_PANEL[1] + DOSE_GAP[1]) + 0.5
    return end, len(names) * (DOSE_PANEL[0] + DOSE_GAP[0])


def _draw_points(
    axes: Axes,
    data: AtlasData,
    rows: pd.DataFrame,
    markers: Mapping[float, str],
    shades: Mapping[float, str],
) -> None:
    weeks = sorted(set(rows["week"]))
    for position, week in enumerate(weeks):
        own = rows[rows["week"] == week].sort_values("step")
        x = own["step"].to_numpy() + (position - (len(weeks) - 1) / 2) * 0.1
        colours = [data.colours[key] for key in zip(own["cohort"], own["arm"], strict=True)]
        axes.plot(x, own["value"], color=shades[week], lw=1.0, zorder=1)
        axes.vlines(x, own["lower"], own["upper"], colors=colours, lw=1.0, zorder=2)
        style: Style = {"s": 16, "marker": markers[week], "zorder": 3, "linewidths": 0.7}
        axes.scatter(x, own["value"], c=colours, edgecolors=[shades[week]] * len(own), **style)


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
    text = f"week {row['week']:g}: trend {p}"
    gain = rows[(rows["drawn"] == DOUBLING) & (rows["week"] == row["week"])]
    gain = gain[gain["value"].notna()]
    if gain.empty:
        return text
    return f"{text}\nper doubling {interval_text(*gain[['value', 'lower', 'upper']].iloc[0])}"


DOSE_NOTES = (
    "NI: share of the disease effect that is gone; dNI: how much more of it is gone than under "
    "placebo in the same week, given the score at baseline. Solid line: 0; dashed: 1. Doses stand "
    "on a scale of doublings, placebo one doubling below the lowest dose; visits are set apart a "
    "little. n: patients at the last visit. Fill: arm, as in the figures of the cohort.",
    "Trend: slope over placebo and all doses, given the score at baseline (every arm has a "
    "variance of its own), not adjusted within the primary family. Per doubling: slope of NI over "
    "the doses alone, with its interval. All visits are in the table.",
)
