"""The index over time and over dose, placebo beside the drugs.

Estimates and intervals are those of the tables. seaborn's line plots estimate their own, so the
panels are drawn by matplotlib.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adnorm.base.errors import listing
from adnorm.base.text import counted
from adnorm.figures.data import TOPICS, AtlasData, IndexData, known_reference, rows_of, sorted_by
from adnorm.figures.labels import (
    AS_REFERENCE,
    DERIVED,
    EXPLORATORY,
    estimator_note,
    exploratory_note,
    exploratory_rows,
    grouped_by,
    interval_text,
    marked,
    plan_note,
    reason_of,
    same_note,
    score_label,
    slanted,
    why_no_index,
)
from adnorm.figures.names import TITLES
from adnorm.figures.sheet import (
    ZERO_ONE_NOTE,
    Part,
    Sheet,
    draw_pages,
    ends_inside,
    fit_words,
    lines_of,
    nothing_to_draw,
    range_of,
    week_ticks,
    zero_and_one,
)
from adnorm.figures.theme import FAINT, INK, Style, week_colours, week_markers
from adnorm.study.vocabulary import Arm, Statistic, Status

TIME_COLUMNS = [
    *("name", "label", "reference", "arm", "week", "ni", "lower", "upper", "beyond_placebo", "dni"),
    *("dni_lower", "dni_upper", "p_value", "tested", "family", "step", "adjusted_p_value", "fdr"),
    *("as_reference", "estimator", "pairs", "placebo_pairs", "status", "reason_code", "reason"),
]
DOSE_COLUMNS = [
    *("drawn", "cohort", "drug", "drug_class", "name", "label", "reference", "week", "arm"),
    *("dose_mg", "step", "measure", "value", "lower", "upper", "p_value", "pairs", "status"),
    "reason",
]
#: Inches of the axis left of panels, of the narrowest panel, of the gap beside and the height.
LEFT, NARROWEST, GAP, HIGH = 0.45, 1.2, 0.16, 1.15
#: Inches above and below a row of panels.
ABOVE, TICKS, LABEL = 0.06, 0.2, 0.17
#: Inches of a panel of doses, of its texts above and of the axis below.
DOSE_HIGH, TEXTS, DOSES = 1.05, 0.43, 0.42
#: Points of titles and names of axes, and of texts in panels.
NAME, SMALL = 6.5, 6.0
#: Marker and colour of each visit.
Looks = Mapping[float, tuple[str, str]]
TREND, DOUBLING = "trend", "gain_per_doubling"
#: Columns of the atlas with each measure.
MEASURES: dict[str, list[str]] = {
    Statistic.NI: ["ni", "lower", "upper"],
    Statistic.DNI: ["dni", "dni_lower", "dni_upper"],
}


# ---------------------------------------------------------------- time


def draw_time_courses(data: IndexData) -> tuple[Figure | list[Figure], pd.DataFrame]:
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
    subtitle = f"{counted(len(shown), 'score')}; bars: {data.confidence} intervals; n = patients"

    def make(part: str) -> Sheet:
        return Sheet(title, data.facts, subtitle, left=-LEFT, part=part)

    probe = make("")
    most, _ = columns_of(probe, len(shown), NARROWEST)
    # As many as fit, so that panels of few scores are not as wide as the page.
    across = min(len(shown), most)
    width = (probe.width - LEFT) / most - GAP
    labels = {name: fit_words(score_label(data, name), NAME, width, bold=True) for name in shown}

    def row(some: list[str], last: bool) -> Part:
        top = ABOVE + 0.115 * lines_of(labels[name] for name in some)
        below = TICKS + (LABEL if last else 0.0)

        def draw(sheet: Sheet, y: float) -> None:
            for position, name in enumerate(some):
                axes = sheet.axes(position * (width + GAP), y + top, width, HIGH)
                _draw_arms(axes, data, known[known["name"] == name], arms)
                zero_and_one(axes)
                axes.set_ylim(limits)
                week_ticks(axes, table["week"])
                axes.tick_params(labelsize=NAME, pad=2)
                axes.set_title(labels[name], loc="left", weight="bold", size=NAME,
                               linespacing=1.1, pad=4)  # fmt: skip
                if position:
                    axes.tick_params(labelleft=False)
                else:
                    axes.set_ylabel("NI (group)", size=NAME)
                if last:
                    axes.set_xlabel("week", size=NAME, labelpad=2)

        return Part(top + HIGH + below + 0.08, draw)

    rows = [shown[start : start + across] for start in range(0, len(shown), across)]
    parts = [row(some, some is rows[-1]) for some in rows]
    key = _time_key(probe, data, known, table, arms)
    notes = _time_notes(data, table, shown, reference)
    return list(draw_pages(make, parts, key, notes)), table


def columns_of(sheet: Sheet, count: int, narrowest: float) -> tuple[int, float]:
    """How many panels a page has side by side, and how wide they are."""
    most = int((sheet.width + sheet.left) // (narrowest + GAP))
    across = max(min(most, max(count, 3 if sheet.width > 4 else 2)), 1)
    return across, (sheet.width + sheet.left) / across - GAP


def _time_key(
    probe: Sheet, data: IndexData, known: pd.DataFrame, table: pd.DataFrame, arms: list[str]
) -> Part:
    """Arms with their patients at each visit, and what faces and marks of points mean."""
    samples: list[tuple[Style, str]] = [
        ({"color": data.arm_colours[arm], "marker": "o", "ms": 3.6, "lw": 1.2},
         _arm_label(known, arm)) for arm in arms
    ]  # fmt: skip
    faces = set(table["beyond_placebo"]) - {""}
    point: Style = {"color": INK, "lw": 0, "marker": "o", "ms": 3.6}
    more: list[tuple[Style, str]] = []
    if faces:
        more.append((point, "filled: dNI excludes 0 (and all placebo)"))
        more.append((point | {"mfc": "white"}, "hollow: dNI includes 0"))
    if (table["as_reference"] == "yes").any():
        same = same_note(data, [str(table["reference"].iloc[0])]).replace("\n", " ")
        more.append(({"text": AS_REFERENCE, "weight": "bold"}, same))
    if _doubtful(table).any():
        more.append(({"text": EXPLORATORY, **slanted(True)}, "exploratory, see notes"))

    def draw(sheet: Sheet, y: float) -> float:
        return sheet.keys(sheet.keys(y, samples), more) + 0.07

    return Part(draw(probe, 0.0), draw)


def _doubtful(table: pd.DataFrame) -> pd.Series:
    return table["ni"].notna() & exploratory_rows(table)


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
        doubtful = _doubtful(own).to_numpy()
        for place in zip(x[doubtful], y[doubtful], strict=True):
            axes.annotate(EXPLORATORY, place, (2.2, -6.0), **beside, **slanted(True))


def _arm_label(known: pd.DataFrame, arm: str) -> str:
    visits = known[known["arm"] == arm].drop_duplicates("week").sort_values("week")
    counts = ", ".join(f"{int(row.pairs)}" for row in rows_of(visits))
    weeks = ", ".join(f"{row.week:g}" for row in rows_of(visits))
    at = f"week{'s' if len(visits) > 1 else ''} {weeks}"
    return f"{arm} (n = {counts} at {at})" if counts else f"{arm} (no index)"


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
            "dNI: difference from placebo in the same week, given the score at baseline; its "
            "interval is not corrected for the number of panels."
        )
    elif set(table["arm"]) != {Arm.UNTREATED}:
        notes.append("No placebo to compare with: the index is uncontrolled.")
    else:
        notes.append("Nobody was treated: the index shows how skin varies by itself.")
    notes += plan_note(data, table)
    notes += exploratory_note(table.loc[_doubtful(table), "reason"])
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


#: Drugs without a trend that are told one by one.
MOST_REFUSALS = 8


def draw_dose_response(data: AtlasData) -> tuple[Figure | list[Figure], pd.DataFrame]:
    """Draw index and difference from placebo by dose, one block per drug, one line per visit.

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
    single = _refusals([table for table in tables if not (table["drawn"] == "arm").any()])
    if not several:
        reason = "; ".join(single) or "no drug of this run has visits after baseline"
        refused = pd.concat(tables) if tables else None
        return nothing_to_draw(title, data.facts, reason, DOSE_COLUMNS, refused)
    subtitle = f"{counted(len(several), 'drug')}; bars: {data.confidence} intervals"

    def make(part: str) -> Sheet:
        return Sheet(title, data.facts, subtitle, left=-LEFT, part=part)

    probe = make("")
    weeks = sorted({week for table in several for week in table["week"]})
    looks = {week: (marker, week_colours(weeks)[week])
             for week, marker in week_markers(weeks).items()}  # fmt: skip
    parts = [part for table in several for part in _drug_parts(data, probe, table, looks)]
    drawn = {cohort for table in several for cohort in table["cohort"]}
    model = estimator_note(data.time[data.time["cohort"].isin(drawn)], by="cohort")
    doubts = [reason for table in several for reason in table.loc[table["doubtful"], "reason"]]
    key = _dose_key(probe, looks, bool(doubts))
    notes = [*DOSE_NOTES, *exploratory_note(doubts), *model, *(f"{text}." for text in single)]
    pages = list(draw_pages(make, parts, key, [*notes, *data.absent_note]))
    return pages, pd.concat(tables, ignore_index=True)[DOSE_COLUMNS]


def _dose_key(probe: Sheet, looks: Looks, doubtful: bool) -> Part:
    samples: list[tuple[Style, str]] = [
        ({"color": colour, "marker": marker, "ms": 4, "lw": 1.0}, f"week {week:g}")
        for week, (marker, colour) in looks.items()
    ]
    if doubtful:
        samples.append(({"text": EXPLORATORY, **slanted(True)}, "exploratory, see notes"))

    def draw(sheet: Sheet, y: float) -> float:
        return sheet.keys(y, samples) + 0.07

    return Part(draw(probe, 0.0), draw)


def _dose_table(data: AtlasData, rows: pd.DataFrame, cohort: str, drug: str) -> pd.DataFrame:
    """Points and trends of one drug, as they are drawn."""
    tests = rows[rows["question"].isin([TREND, DOUBLING])]
    tests = tests.assign(
        drawn=tests["question"],
        value=tests["estimate"],
        measure="slope of NI",
        doubtful=tests["estimate"].notna() & (tests["status"] == Status.EXPLORATORY),
    )
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
                    doubtful=exploratory_rows(own, measure == Statistic.DNI),
                    **values,
                )
            )
        frames = [frame.assign(**known) for frame in frames]
    wanted = [*DOSE_COLUMNS, "doubtful"]
    frames = [frame.reindex(columns=wanted) for frame in frames if len(frame)]
    table = pd.concat(frames, ignore_index=True) if frames else tests.reindex(columns=wanted)
    table["doubtful"] = table["doubtful"].astype(bool)
    table["status"] = np.where(
        table["value"].isna(),
        Status.NOT_AVAILABLE.value,
        np.where(table["doubtful"], Status.EXPLORATORY.value, Status.OK.value),
    )
    table["label"] = [score_label(data, name) for name in table["name"]]
    return table.assign(reason=table["reason"].fillna(""))


def _refusal(table: pd.DataFrame) -> str:
    """Why a drug has no trend, in the words of the table."""
    reason = next((r for r in table["reason"] if r), "no index")
    return f"{table['cohort'].iloc[0]}: {reason}"


def _refusals(tables: Sequence[pd.DataFrame]) -> list[str]:
    """Why drugs have no trend: one by one, or where they are many, the reasons that they share."""
    if len(tables) <= MOST_REFUSALS:
        return [_refusal(table) for table in tables]
    found: dict[str, list[str]] = {}
    for table in tables:
        cohort, reason = _refusal(table).split(": ", 1)
        found.setdefault(reason.replace(str(table["drug"].iloc[0]), "the drug"), []).append(cohort)
    return [f"{reason} ({listing(cohorts, 5)})" for reason, cohorts in found.items()]


def _drug_parts(data: AtlasData, probe: Sheet, table: pd.DataFrame, looks: Looks) -> list[Part]:
    """Lay out one drug: NI above, dNI below, a column per score; what has no room goes on below."""
    cohort, drug = table["cohort"].iloc[0], table["drug"].iloc[0]
    points = table[(table["drawn"] == "arm") & table["value"].notna() & table["lower"].notna()]
    names = [name for name in data.primary if name in set(points["name"])]
    text = f"{drug} ({table['drug_class'].iloc[0]}), {data.name(cohort)}"
    heading = fit_words(text, 7.5, probe.width, bold=True)
    top = 0.13 * lines_of([heading]) + 0.1
    if not names:
        reason = fit_words(_refusal(table), NAME, probe.width)

        def refuse(sheet: Sheet, y: float) -> None:
            sheet.text(sheet.left, y + top - 0.08, heading, size=7.5, weight="bold", va="bottom")
            sheet.text(sheet.left, y + top, reason, size=NAME, va="top", linespacing=1.3)

        return [Part(top + 0.13 * lines_of([reason]) + 0.1, refuse)]
    across, width = columns_of(probe, len(names), NARROWEST)
    across = min(across, len(names))
    measures = [measure for measure in MEASURES if measure in set(points["measure"])]
    limits = {
        measure: range_of(
            [rows["lower"], rows["upper"]], -0.1, 1.05 if measure == Statistic.NI else 0.55
        )
        for measure, rows in points.groupby("measure")
    }

    def part(some: list[str], first: bool) -> Part:
        titles = [fit_words(score_label(data, name), NAME, width, bold=True) for name in some]
        above = (top if first else 0.06) + 0.115 * lines_of(titles) + 0.04

        def draw(sheet: Sheet, y: float) -> None:
            if first:
                at = y + top - 0.08
                sheet.text(sheet.left, at, heading, size=7.5, weight="bold", va="bottom")
            style: Style = {"va": "top", "linespacing": 1.2}
            for position, (name, title) in enumerate(zip(some, titles, strict=True)):
                x = position * (width + GAP)
                sheet.text(x, y + above - 0.04, title, size=NAME, weight="bold", va="bottom",
                           linespacing=1.1)  # fmt: skip
                tests, doubtful = _trend_text(table[table["name"] == name])
                sheet.text(x, y + above, tests, size=SMALL, color=FAINT, **style,
                           **slanted(doubtful))  # fmt: skip
                for line, measure in enumerate(measures):
                    start = y + above + TEXTS + line * (DOSE_HIGH + 0.14)
                    axes = sheet.axes(x, start, width, DOSE_HIGH)
                    own = points[(points["measure"] == measure) & (points["name"] == name)]
                    _draw_points(axes, own, looks)
                    zero_and_one(axes, one=measure == Statistic.NI)
                    axes.set_ylim(limits[measure])
                    axes.tick_params(labelsize=NAME, pad=2)
                    _dose_ticks(axes, points, measure == measures[-1])
                    if position:
                        axes.tick_params(labelleft=False)
                    else:
                        ylabel = "NI (group)" if measure == Statistic.NI else "dNI: minus placebo"
                        axes.set_ylabel(ylabel, size=NAME)

        height = above + TEXTS + len(measures) * (DOSE_HIGH + 0.14) - 0.14 + DOSES + 0.1
        return Part(height, draw)

    return [part(names[a : a + across], a == 0) for a in range(0, len(names), across)]


def _draw_points(axes: Axes, rows: pd.DataFrame, looks: Looks) -> None:
    weeks = sorted(set(rows["week"]))
    for position, week in enumerate(weeks):
        own = rows[rows["week"] == week].sort_values("step")
        x = own["step"].to_numpy() + (position - (len(weeks) - 1) / 2) * 0.1
        marker, colour = looks[week]
        axes.plot(x, own["value"], color=colour, lw=0.9, zorder=1)
        axes.vlines(x, own["lower"], own["upper"], colors=colour, lw=0.9, zorder=2)
        axes.plot(x, own["value"], marker, ms=3.8, mfc=colour, mec="white", mew=0.4, zorder=3)
        doubtful = own["doubtful"].to_numpy()
        beside: Style = {"textcoords": "offset points", "color": INK, "size": 8, **slanted(True)}
        for place in zip(x[doubtful], own["value"].to_numpy()[doubtful], strict=True):
            axes.annotate(EXPLORATORY, place, (2.0, 1.0), **beside)


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
        axes.tick_params(axis="x", labelsize=SMALL)
        axes.set_xlabel("dose, mg", size=NAME, labelpad=2)


def _trend_text(rows: pd.DataFrame) -> tuple[str, bool]:
    """Both tests of the last visit that has them, and whether one of them is exploratory.

    They ask different things: whether more is gone with more drug, placebo among the doses, and how
    much a doubling of the dose adds.
    """
    trend = rows[(rows["drawn"] == TREND) & rows["value"].notna()].sort_values("week")
    if trend.empty:
        return "no trend: see table", False
    row = trend.iloc[-1]
    p = "p < 0.001" if row["p_value"] < 0.001 else f"p = {row['p_value']:.2g}"
    doubtful = bool(row["doubtful"])
    text = f"week {row['week']:g}, placebo and doses:\ntrend {marked(p, doubtful)}"
    gain = rows[(rows["drawn"] == DOUBLING) & (rows["week"] == row["week"])]
    gain = gain[gain["value"].notna()]
    if gain.empty:
        return text, doubtful
    found = interval_text(*gain[["value", "lower", "upper"]].iloc[0])
    mark = bool(gain["doubtful"].iloc[0])
    return f"{text}\ndoses alone, per doubling:\n{marked(found, mark)}", doubtful or mark


DOSE_NOTES = (
    "NI: share of the disease effect that is gone; dNI: how much more of it is gone than on "
    "placebo in the same week, given the score at baseline. Line: 0; dashed (NI only): 1, the "
    "level of the reference. Doses stand on a scale of doublings, placebo one doubling below the "
    "lowest; visits are set apart a little. n: patients at the last visit.",
    "Two tests: the trend asks whether more is gone with more drug, placebo among the doses (given "
    "the score at baseline; every arm has a variance of its own); the gain per doubling asks what "
    "more dose adds among the doses alone. A drug may differ from placebo while its doses do not "
    "differ. Not adjusted within the primary family; all visits are in the table.",
)
