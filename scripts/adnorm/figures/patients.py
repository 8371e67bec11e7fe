"""Every patient as a line: scores before and after, and how far back from disease."""

from __future__ import annotations

from math import ceil

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from adnorm.base.text import counted, points, typeset
from adnorm.figures.data import CohortData, IndexData, known_reference, rows_of, sorted_by
from adnorm.figures.heatmap import fit_label
from adnorm.figures.labels import (
    ESTIMATED,
    EXPLORATORY,
    OBSERVED,
    coverage_notes,
    exploratory_note,
    exploratory_rows,
    marked,
    score_label,
    signed_note,
    slanted,
    why_no_index,
)
from adnorm.figures.names import TITLES
from adnorm.figures.sheet import (
    LONGEST_PART,
    ZERO_ONE_NOTE,
    Part,
    Sheet,
    draw_bold,
    draw_pages,
    fit_words,
    lines_of,
    nothing_to_draw,
    page_room,
    part_of,
    range_of,
    week_ticks,
    zero_and_one,
)
from adnorm.figures.theme import FAINT, HIGHEST_PAGE, INK, MARGIN, STATES, Style, thinned
from adnorm.study.comparisons import lesion_names, spread_over_lesions
from adnorm.study.vocabulary import Arm, ComparisonKind, State

SCORE_COLUMNS = ["set", "arm", "patient", "state", "week", "score", "biopsies", "reason"]
RESPONSE_COLUMNS = [
    *("name", "label", "reference", "arm", "line", "patient", "week", "response"),
    *("lower", "upper", "n", "reason"),
]
#: Inches of a panel and of the gaps.
SCORE_PANEL, SCORE_GAP = (4.2, 1.4), (0.2, 0.2)
#: Inches of the narrowest panel of scores, and of what stands left of the first.
SCORE_LEAST, SCORE_LEFT = 1.2, 0.72
#: Of responses: the axis on the left, the narrowest and widest panel, the gap and the height.
AXIS, NARROWEST, WIDEST, RESPONSE_GAP, RESPONSE_HIGH = 0.62, 1.05, 2.0, 0.14, 1.12
PATIENT, MEDIAN = "patient", "median"
#: Where the bar of an interval stands, as a part of the width of a panel.
BAR = 0.98
#: A mean or median of fewer patients says no more than their lines.
FEWEST = 3


# ---------------------------------------------------------------- scores


def draw_patients(data: CohortData) -> tuple[list[Figure], pd.DataFrame]:
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
        figure, table = nothing_to_draw(title, data.facts, reason, SCORE_COLUMNS)
        return [figure], table
    wanted = [data.facts.get("reference", ""), State.NONLESIONAL, State.HEALTHY]
    reference = next((state for state in wanted if state in set(table["state"])), "")
    arms = [arm for arm in data.arms if arm in set(lesional["arm"])]
    what = "lines are lesional skin of one patient" if over_time else "lines join skin of a patient"
    subtitle = f"{data.n}; {what}; n = patients at each visit"
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
    trial = Sheet(title, data.facts, subtitle, -SCORE_LEFT, LONGEST_PART)
    width = trial.width
    across = max(int((width - SCORE_LEFT + SCORE_GAP[0]) / (SCORE_LEAST + SCORE_GAP[0])), 1)
    across = _evenly(len(arms), across)
    size = min((width - SCORE_LEFT + SCORE_GAP[0]) / across - SCORE_GAP[0], SCORE_PANEL[0])
    columns = [arms[i : i + across] for i in range(0, len(arms), across)]
    counts = {arm: _counts(lesional[lesional["arm"] == arm], over_time, size) for arm in arms}
    heads = {arm: (fit_words(arm, 8 * 1.15, size), counts[arm]) for arm in arms}
    above = max(0.14 * lines_of([a]) + 0.12 * lines_of([b]) for a, b in heads.values()) + 0.1
    noted = sum(map(trial.note_height, notes))
    free = HIGHEST_PAGE - 2 * MARGIN + trial.top - above - 0.6 - noted
    down = _evenly(len(sets), max(int(free / (SCORE_PANEL[1] + SCORE_GAP[1])), 1))
    rows = [sets[i : i + down] for i in range(0, len(sets), down)]
    plan = [(some, names) for some in columns for names in rows]
    pages = []
    for number, (some, names) in enumerate(plan, start=1):
        part = part_of(number, len(plan))
        sheet = Sheet(title, data.facts, subtitle, -SCORE_LEFT, part)
        panel = (size, SCORE_PANEL[1])
        shape: Style = {"y": above, "sharex": "col", "sharey": "row"}
        grid = sheet.panels(len(names), len(some), panel, SCORE_GAP, **shape)
        for name, line in zip(names, grid, strict=True):
            _draw_scores(data, table[table["set"] == name], name, some, line, reference, over_time)
        for position, arm in enumerate(some):
            head, count = heads[arm]
            x = position * (size + SCORE_GAP[0])
            style: Style = {"va": "top", "linespacing": 1.15}
            sheet.text(x, 0.0, head, size=8, weight="bold", color=INK, **style)
            below = 0.14 * lines_of([head])
            sheet.text(x, below, count, size=6, color=FAINT, **style)
        for axes in grid[-1]:
            axes.set_xlabel("week" if over_time else "", size=7)
        y = above + len(names) * (panel[1] + SCORE_GAP[1]) + 0.3
        if number == len(plan):
            sheet.notes(y, notes)
        pages.append(sheet.figure)
    return pages, table[SCORE_COLUMNS]


def _evenly(count: int, most: int) -> int:
    """Give as few pages as possible about the same number of panels."""
    return ceil(count / ceil(count / most))


def _draw_scores(
    data: CohortData,
    rows: pd.DataFrame,
    name: str,
    arms: list[str],
    line: np.ndarray,
    reference: str,
    over_time: bool,
) -> None:
    """Draw the panels of a set: one per arm."""
    for arm, axes in zip(arms, line, strict=True):
        own = rows[rows["arm"] == arm]
        if over_time:
            normal = rows[(rows["state"] == reference) & (rows["week"] == 0)]
            _draw_weeks(axes, own, data.arm_colours[arm], normal["score"].dropna())
        else:
            _draw_states(axes, own)
        axes.set(xlabel="", ylabel="")
        if own["score"].isna().all():
            axes.text(0.5, 0.5, "no score", size=7, ha="center", transform=axes.transAxes)
    line[0].set_ylim(_limits(rows["score"]))
    label = str(data.sets.loc[name, "label"])
    label += "" if data.sets.loc[name, "status"] == "ok" else " †"
    fitted = fit_label(label, 7, SCORE_PANEL[1] + SCORE_GAP[1] - 0.1)
    line[0].set_ylabel(f"{fitted}\n({data.unit})", fontsize=7)


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


def _counts(lesional: pd.DataFrame, over_time: bool, room: float) -> str:
    """Write the patients of an arm at each visit, and how many of them have a line."""
    if not over_time:
        return f"n = {lesional['patient'].nunique()}"
    visits = lesional.groupby("week")["patient"].nunique()
    weeks = (
        f"week{'s' if len(visits) > 1 else ''} {', '.join(f'{week:g}' for week in visits.index)}"
    )
    lines = [f"n = {', '.join(map(str, visits))} at {weeks}"]
    people = lesional["patient"].nunique()
    joined = int((lesional.groupby("patient")["week"].nunique() > 1).sum())
    if joined < people:
        lines.append(f"{joined} of {counted(people, 'patient')} with at least two visits")
    return "\n".join(fit_words(line, 6, room) for line in lines)


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
    weight = thinned(lesional["patient"].nunique())
    style: Style = {"color": colour, "lw": 0.7, "alpha": 0.75, "marker": "o", "ms": 1.8, "mew": 1}
    style |= {key: style[key] * weight for key in ("lw", "alpha", "mew")}
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
    alpha = 0.5 * thinned(len(wide))
    for _, own in wide.iterrows():
        axes.plot([0, 1], own, color=FAINT, lw=0.6, alpha=alpha, zorder=1)
    for x, state in enumerate(order):
        axes.plot([x] * len(wide), wide[state], "o", ms=3, color=STATES[state], zorder=2)
    if wide.count().min() >= FEWEST:
        axes.plot([0, 1], wide.mean(), color=INK, lw=2, marker="o", ms=4, zorder=3)
    axes.set_xlim(-0.4, 1.4)
    axes.set_xticks([0, 1], order)


# ---------------------------------------------------------------- responses


def draw_trajectories(data: IndexData) -> tuple[Figure | list[Figure], pd.DataFrame]:
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
    doubts = _doubts(data, reference)
    kind = ESTIMATED if _estimated(known) else OBSERVED
    subtitle = f"{counted(known['patient'].nunique(), 'patient')}; {kind} of each"

    def make(part: str) -> Sheet:
        return Sheet(title, data.facts, subtitle, left=-AXIS, part=part)

    probe = make("")
    gap = RESPONSE_GAP
    most = max(int((probe.width - AXIS) // (NARROWEST + gap)), 1)
    # Arms that a page has no room for go on below; panels of few arms are not as wide as the page.
    across = -(-len(arms) // -(-len(arms) // most))
    width = min((probe.width - AXIS) / across - gap, WIDEST)
    limits = {
        name: range_of([table.loc[table["name"] == name, "response"]], -0.2, 1.1) for name in shown
    }

    def band(some: list[str], scores: list[str]) -> Part:
        """Scores × some arms: names of the arms above, weeks below."""
        titles = [fit_words(arm, 6.5, width, bold=True) for arm in some]
        top = 0.24 + 0.115 * lines_of(titles)
        line = RESPONSE_HIGH + 0.2

        def draw(sheet: Sheet, y: float) -> None:
            for row, name in enumerate(scores):
                for position, arm in enumerate(some):
                    place = position * (width + gap), y + top + row * line
                    axes = sheet.axes(*place, width, RESPONSE_HIGH)
                    axes.set_ylim(limits[name])
                    own = table[(table["name"] == name) & (table["arm"] == arm)]
                    _draw_responses(axes, own, data.arm_colours[arm])
                    zero_and_one(axes)
                    week_ticks(axes, known["week"])
                    last = name == scores[-1]
                    axes.tick_params(labelsize=6.5, pad=2, labelbottom=last)
                    axes.tick_params(labelleft=position == 0)
                    _write_count(axes, own, (arm, name) in doubts)
                    if row == 0:
                        axes.text(0, 1.13, titles[position], transform=axes.transAxes, size=6.5,
                                  weight="bold", va="bottom", linespacing=1.1)  # fmt: skip
                    if position == 0:
                        label = fit_words(score_label(data, name), 6.5, RESPONSE_HIGH)
                        axes.set_ylabel(f"{label}\n{kind}", size=6.5)
                    if last:
                        axes.set_xlabel("week", size=6.5, labelpad=2)

        return Part(top + line * len(scores) + 0.25, draw)

    key = _response_key(probe, table, limits, bool(doubts))
    room = page_room(make) - key.height
    most = max(int((room - 0.9) // (RESPONSE_HIGH + 0.2)), 1)
    parts = [
        band(arms[a : a + across], shown[b : b + most])
        for a in range(0, len(arms), across)
        for b in range(0, len(shown), most)
    ]
    lacking = _unanswered(rows, [name for name in names if name not in shown])
    notes = [
        *_response_notes(table, known, lacking, reference),
        *exploratory_note(doubts[key] for key in doubts),
    ]
    pages = list(draw_pages(make, parts, key, notes))
    frames = [table, lacking] if len(lacking) else [table]
    return pages, pd.concat(frames, ignore_index=True)[RESPONSE_COLUMNS]


def _doubts(data: IndexData, reference: str) -> dict[tuple[str, str], str]:
    """Arms and scores whose index is exploratory at some visit, with the reason."""
    index = data.tables["index"]
    index = index[(index["reference"] == reference) & index["name"].isin(data.primary)]
    index = index[exploratory_rows(index) & index["ni"].notna()]
    return {(row.arm, row.name): str(row.reason) for row in rows_of(index)}


def _write_count(axes: Axes, rows: pd.DataFrame, doubtful: bool) -> None:
    """Write the patients at each visit, and how many values leave the panel, at its edges."""
    later = rows[(rows["line"] == PATIENT) & (rows["week"] > 0)]
    seen = later.groupby("week").size()
    count = marked(f"n = {', '.join(map(str, seen)) or 0}", doubtful)
    style: Style = {"transform": axes.transAxes, "size": 6}
    axes.text(1, 1.02, count, ha="right", **style, **slanted(doubtful))
    low, high = axes.get_ylim()
    if above := int((later["response"] > high).sum()):
        axes.text(0.03, 0.98, f"↑ {above}", va="top", **style)
    if below := int((later["response"] < low).sum()):
        axes.text(0.03, 0.02, f"↓ {below}", va="bottom", **style)


def _response_key(
    probe: Sheet, table: pd.DataFrame, limits: dict[str, tuple[float, float]], doubtful: bool
) -> Part:
    samples: list[tuple[Style, str]] = [
        ({"color": FAINT, "lw": 0.8, "marker": "o", "ms": 2}, "patients"),
        ({"color": INK, "lw": 1.9, "marker": "o", "ms": 3.4}, "median of the arm"),
        ({"text": "I"}, "interval of one patient, last visit (median width)"),
    ]
    ends = table["name"].map(limits)
    beyond = (table["response"] < ends.str[0]) | (table["response"] > ends.str[1])
    if beyond.any():
        samples.append(({"text": "↑ 2"}, "values that leave the panel; they are in the table"))
    if doubtful:
        samples.append(({"text": EXPLORATORY, **slanted(True)}, "exploratory, see notes"))

    def draw(sheet: Sheet, y: float) -> float:
        return sheet.keys(y, samples) + 0.07

    return Part(draw(probe, 0.0), draw)


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
    weight = thinned(len(lines))
    style: Style = {"linewidths": 0.8 * weight, "alpha": 0.6 * weight}
    axes.add_collection(LineCollection(lines, colors=colour, zorder=2, **style))
    later = patients[patients["week"] > 0]
    dots: Style = {"ms": 2 * weight**0.5, "mfc": colour, "mec": "none"}
    axes.plot(later["week"], later["response"], "o", zorder=2, **dots)
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


def _estimated(known: pd.DataFrame) -> bool:
    """Tell whether a model has drawn responses towards the mean of their arm."""
    return not (known["response"] == known["observed"]).all()


def _response_notes(
    table: pd.DataFrame, known: pd.DataFrame, lacking: pd.DataFrame, reference: str
) -> list[str]:
    kind = ESTIMATED if _estimated(known) else OBSERVED
    notes = [
        f"{kind.capitalize()}: decrease of the patient's lesional score since baseline over the "
        f"disease effect of all patients. {ZERO_ONE_NOTE.format(skin=reference)}",
        f"Median: where an arm has at least {FEWEST} patients. n: patients at each visit.",
    ]
    unknown = known["prob_above_half"].isna()
    if kind == OBSERVED:
        notes.append(
            "It is what two biopsies show, noise included: nothing tells response from noise here, "
            "so that no probability is given."
        )
    else:
        notes.append(
            "Estimated by a mixed model: what biopsies of one patient show is drawn towards "
            "the mean of the arm as far as it is noise. Whether a patient is above one half or "
            f"three quarters is not known in {points(unknown.mean())}\u00a0% of the responses; "
            "trajectories.tsv of the index has the probabilities."
        )
    if len(lacking):
        parts = [f"{row.label}: {row.reason}" for row in rows_of(lacking)]
        notes.append(typeset(f"No response: {'; '.join(parts)}."))
    return notes
