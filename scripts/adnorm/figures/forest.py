"""A forest over all cohorts and arms, by drug class; published results have a page of their own."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adnorm.base.text import counted
from adnorm.figures.data import REFERENCES, AtlasData, rows_of
from adnorm.figures.labels import (
    EXPLORATORY,
    estimator_note,
    exploratory_note,
    exploratory_rows,
    people,
    reason_of,
    score_label,
    slanted,
)
from adnorm.figures.names import TITLES
from adnorm.figures.published import draw_published, told_apart
from adnorm.figures.sheet import (
    Part,
    Sheet,
    draw_pages,
    fit_words,
    lines_of,
    nothing_to_draw,
    page_room,
    range_of,
    text_width,
    zero_and_one,
)
from adnorm.figures.theme import FAINT, INK, Style
from adnorm.study.vocabulary import (
    Arm,
    DerivedScore,
    DrugFamily,
    Question,
    ReasonCode,
    State,
    Statistic,
    Status,
    drug_family,
)

#: What a row is.
DIFFERENCE, ARM, CLASS, PUBLISHED = "difference", "arm", "class", "published"
#: What is drawn: minus placebo, or the index without a placebo arm.
DNI, NI = Statistic.DNI.value, "NI, no placebo arm"
COLUMNS = [
    *("row", "block", "group", "drawn", "text", "cohort", "arm", "week", "reference", "name"),
    *("measure", "value", "lower", "upper", "pairs", "trials", "weight", "weights", "status"),
    *("source", "short", "reason"),
]
UNMATCHED = "no matched visit"
CONFOUNDED = "drug class cannot be separated from trial"
#: Stands in place of a point that would claim more than two single trials can show.
ALONE = "one trial each: no interval"
#: Inches of a line, of the narrowest panel and the gap beside it, and of the axis below.
ROW, NARROWEST, GAP, BOTTOM = 0.148, 0.85, 0.22, 0.4
#: Covers the lines of panels behind names.
PLATE: Style = {"facecolor": "white", "lw": 0}
#: Points of names of rows and of headings.
NAME, HEADING = 6.5, 7.0
#: Marker and meaning of each kind of row; arms are filled with their own colour.
KINDS = {
    ARM: ("o", "arm: minus placebo (dNI)"),
    NI: ("s", "arm of a trial without placebo: the index itself (NI), uncontrolled"),
    CLASS: ("D", "class: random effects over trials"),
    DIFFERENCE: ("d", "difference of two classes"),
}
SIZES = {ARM: 3.8, NI: 3.6, CLASS: 5.0, DIFFERENCE: 4.4}


def draw_forest(data: AtlasData) -> tuple[Figure | list[Figure], pd.DataFrame]:
    """Draw, for each score of the primary family, what every arm does more than placebo.

    The table has one row for each row of the figure and score, then the published results, which
    have a page of their own.
    """
    table = forest_rows(data)
    computed = table[table["drawn"] != PUBLISHED]
    if computed["value"].isna().all():
        reason = "no treated arm of this run has an index over visits"
        both = pd.concat([pd.DataFrame([{"reason": reason}]), table])
        page, both = nothing_to_draw(TITLES["forest"], data.facts, reason, COLUMNS, both)
        return [page, *draw_published(data)], both
    names = [name for name in data.primary if name in set(computed["name"])]
    cohorts = computed.loc[computed["drawn"] == ARM, "cohort"].nunique()
    subtitle = f"{counted(cohorts, 'cohort')} with treated arms; bars: {data.confidence} intervals"
    left = -text_width(computed["text"], NAME) - 0.1

    def make(part: str) -> Sheet:
        return Sheet(_title(computed), data.facts, subtitle, left=left, part=part)

    probe = make("")
    # Scores that a page has no room for go on below.
    most = int(np.clip((probe.width + left) // (NARROWEST + GAP), 1, len(names)))
    across = -(-len(names) // -(-len(names) // most))
    width = (probe.width + left) / across - GAP
    limits, key = _limits(computed), _key(probe, computed)
    parts = []
    for start in range(0, len(names), across):
        panels = _Panels(data, computed, names[start : start + across], width, limits)
        room = page_room(make) - key.height - panels.top - BOTTOM
        parts += [panels.part(lines, left) for lines in _lines(computed, probe.width, room)]
    return [*draw_pages(make, parts, key, _notes(data, computed, limits)), *draw_published(data)], (
        table
    )


def _title(computed: pd.DataFrame) -> str:
    """Name the figure by what it has: differences from placebo, uncontrolled arms, or both."""
    measures = set(computed.loc[computed["value"].notna(), "measure"])
    if measures == {NI}:
        return "Uncontrolled: the index of every cohort and arm"
    also = ", and uncontrolled arms" if NI in measures else ""
    return f"Minus placebo: every cohort, arm and drug class{also}"


def _limits(computed: pd.DataFrame) -> tuple[float, float]:
    # Two or three trials leave a class an interval that would press all arms into a corner.
    shown = _with_points(computed)
    arms = shown[shown["drawn"] == ARM]
    least = 1.05 if (shown["measure"] == NI).any() else 0.55
    return range_of([shown["value"], arms["lower"], arms["upper"]], -0.3, least)


def _with_points(table: pd.DataFrame) -> pd.DataFrame:
    """Keep the rows that have a point: an estimate without an interval is not drawn."""
    return table[table[["value", "lower", "upper"]].notna().all(axis=1)]


# ---------------------------------------------------------------- lines and panels


class _Line(NamedTuple):
    """A line: a heading, the name of an arm, or a row with its points (`row`, else -1)."""

    height: float
    text: str
    row: int = -1
    heading: bool = False


def _lines(computed: pd.DataFrame, width: float, room: float) -> list[list[_Line]]:
    """List headings, arms and rows from above, on pages; their headings are repeated."""
    pages: list[list[_Line]] = [[]]
    used, block, group = 0.0, "", ""
    for row in rows_of(computed.drop_duplicates("row")):
        own = _heads(row, block, group, width)
        height = sum(line.height for line in own)
        if pages[-1] and used + height > room:
            own = _heads(row, "", "", width, ", continued" if row.block == block else "")
            pages.append([])
            used, height = 0.0, sum(line.height for line in own)
        pages[-1] += own
        used, block, group = used + height, row.block, row.group
    return pages


def _heads(row: Any, block: str, group: str, width: float, more: str = "") -> list[_Line]:
    """A row, with the heading and the name of its arm where they are others than above it."""
    lines = [_Line(ROW, row.text, row.row)]
    if (row.block, row.group) != (block, group):
        text = fit_words(row.group, NAME, width)
        lines.insert(0, _Line(0.11 * lines_of([text]) + 0.05, text))
    if row.block != block:
        text = fit_words(f"{row.block}{more}", HEADING, width, bold=True)
        lines.insert(0, _Line(0.12 * lines_of([text]) + 0.1, text, heading=True))
    return lines


class _Panels(NamedTuple):
    """The scores that stand side by side, with their panels."""

    data: AtlasData
    table: pd.DataFrame
    names: list[str]
    width: float
    limits: tuple[float, float]

    @property
    def titles(self) -> list[str]:
        """Names of the scores."""
        return [
            fit_words(score_label(self.data, name), NAME, self.width, bold=True)
            for name in self.names
        ]

    @property
    def top(self) -> float:
        """Inches of the names of the scores."""
        return 0.115 * lines_of(self.titles) + 0.08

    def part(self, lines: list[_Line], left: float) -> Part:
        """Some lines with all panels."""
        end = sum(line.height for line in lines)

        def draw(sheet: Sheet, y: float) -> None:
            start = y + self.top
            places: dict[int, float] = {}
            below = 0.0
            for line in lines:
                middle = below + line.height / 2
                below += line.height
                if line.row >= 0:
                    places[line.row] = middle
                    style: Style = {"size": NAME, "ha": "right", "va": "center"}
                    sheet.text(-0.07, start + middle, line.text, **style)
                    continue
                # Above the panels, whose lines do not run through names.
                sheet.box(left, start + below - line.height, sheet.width, line.height, **PLATE)
                style = {"weight": "bold", "size": HEADING} if line.heading else {"size": NAME}
                at = start + below - 0.03
                sheet.text(left, at, line.text, va="bottom", linespacing=1.15, **style)
            for position, (name, title) in enumerate(zip(self.names, self.titles, strict=True)):
                axes = sheet.axes(position * (self.width + GAP), start, self.width, end)
                self._draw(axes, name, places, end)
                axes.set_title(title, loc="left", weight="bold", size=NAME, linespacing=1.1, pad=4)

        return Part(self.top + end + BOTTOM, draw)

    def _draw(self, axes: Axes, name: str, places: dict[int, float], end: float) -> None:
        axes.set(xlim=self.limits, ylim=(end, 0), yticks=[])
        axes.spines["left"].set_visible(False)
        measures = set(_with_points(self.table)["measure"])
        # A difference of 1 is no target; the level of the reference is one of the index itself.
        zero_and_one(axes, across=False, one=measures == {NI})
        across = "NI, uncontrolled" if measures == {NI} else "dNI: minus placebo"
        if NI in measures and len(measures) > 1:
            across = "dNI (squares: NI)"
        axes.set_xlabel(across, size=NAME, labelpad=2)
        axes.tick_params(labelsize=6.5)
        rows = self.table[(self.table["name"] == name) & self.table["row"].isin(list(places))]
        for row in rows_of(rows):
            self._draw_row(axes, row, places[row.row])

    def _place_of(self, text: str) -> tuple[float, str]:
        """Where words in place of a point begin, and as many of them as a panel has room for."""
        low, high = self.limits
        for some in (text, text.rpartition(": ")[2]):
            for start in (0.04, low):
                if text_width([some], 6) < self.width * (high - start) / (high - low):
                    return start, some
        return 0.04, "–"

    def _draw_row(self, axes: Axes, row: Any, y: float) -> None:
        inside: Style = {"size": 6, "color": FAINT, "va": "center", "in_layout": False}
        if pd.isna([row.value, row.lower, row.upper]).any():
            start, text = self._place_of(row.short)
            axes.text(start, y, text, bbox=PLATE | {"pad": 0.4}, **inside)
            return
        kind = NI if row.measure == NI else row.drawn
        colour = self.data.colours.get((row.cohort, row.arm), INK)
        axes.plot([row.lower, row.upper], [y, y], color=colour, lw=1.2, zorder=2)
        style: Style = {"ms": SIZES[kind], "mec": colour, "mew": 0.9, "zorder": 3}
        style["mfc"] = colour if kind in (ARM, CLASS) else "white"
        axes.plot(np.clip(row.value, *self.limits), y, KINDS[kind][0], **style)
        beside: Style = {"textcoords": "offset points", **inside}
        if row.status == Status.EXPLORATORY:
            place = (np.clip(row.value, *self.limits), y)
            axes.annotate(EXPLORATORY, place, (2.4, 0.6), **beside | {"size": 8, "color": INK},
                          **slanted(True))  # fmt: skip
        if pd.notna(row.weight):
            place = (1, y)
            axes.annotate(f"{row.weight:.0f}", place, (2, 0), ("axes fraction", "data"), **beside)


# ---------------------------------------------------------------- key and notes


def _key(probe: Sheet, table: pd.DataFrame) -> Part:
    shown = _with_points(table)
    kinds = set(shown["drawn"].mask(shown["measure"] == NI, NI))
    samples: list[tuple[Style, str]] = []
    for kind, (marker, meaning) in KINDS.items():
        if kind in kinds:
            face = INK if kind in (ARM, CLASS) else "white"
            line: Style = {"marker": marker, "ms": 4.4, "mfc": face, "mec": INK, "mew": 0.9}
            samples.append((line | {"color": INK, "lw": 1.1}, meaning))
    if (shown["status"] == Status.EXPLORATORY).any():
        samples.append(({"text": EXPLORATORY, **slanted(True)}, "exploratory, see notes"))

    def draw(sheet: Sheet, y: float) -> float:
        return sheet.keys(y + 0.02, samples) + 0.07

    return Part(draw(probe, 0.0), draw)


def _notes(data: AtlasData, table: pd.DataFrame, limits: tuple[float, float]) -> list[str]:
    measures = set(_with_points(table)["measure"])
    notes = []
    if measures != {NI}:
        notes.append(
            "dNI: how much more of the disease effect is gone than on placebo in the same week, "
            "given the score at baseline; 1 would be all of it more. Line: 0, no more than "
            "placebo. n: patients of drug and placebo (with lesions in both arms, where lesions "
            "of a patient are compared)."
        )
    if NI in measures:
        notes.append(
            "NI: share of the disease effect that is gone; scores fall on placebo, too, so that NI "
            "alone does not tell what the drug does."
            + (" Dashed: 1, the level of the reference." if measures == {NI} else "")
        )
    if (table["lower"] < limits[0]).any() or (table["upper"] > limits[1]).any():
        notes.append("A bar that reaches the edge of its panel goes on; its ends are in the table.")
    if table["drawn"].isin([CLASS, DIFFERENCE]).any():
        notes.append(
            "A class gets an estimate only where two trials have a visit in the same window of "
            f"weeks; with one, {CONFOUNDED}."
        )
    if (table["short"] == ALONE).any():
        notes.append(
            "One trial against one shows no variation between trials, so that their difference has "
            "no interval and is not drawn; its number is in the table."
        )
    if table["weight"].notna().any():
        notes.append(
            "Number beside a panel: weight of the trial in its class in per cent, by 1 / (variance "
            "between trials + squared standard error); visits and doses without one do not enter."
        )
    if (table["short"] == UNMATCHED).any():
        notes.append(
            f"{UNMATCHED.capitalize()}: one of the classes was measured in other weeks; a "
            "comparison would be one of times, not of drugs."
        )
    if not set(table["short"]) <= {"", UNMATCHED, ALONE}:
        notes.append("Words (or –) in place of a point: no number; reasons in full in the table.")
    notes += exploratory_note(table.loc[table["status"] == Status.EXPLORATORY, "reason"])
    refused = data.tables["classes"]
    refused = refused[(refused["question"] == DIFFERENCE) & refused["name"].isna()]
    notes += [f"{reason}." for reason in dict.fromkeys(refused["reason"])]
    return [*notes, *estimator_note(data.time, by="cohort"), *data.absent_note]


# ---------------------------------------------------------------- rows


def forest_rows(data: AtlasData) -> pd.DataFrame:
    """List what the forest shows, one row for each score of the primary family.

    ``row`` counts the rows of the figure, ``block`` heads them.
    """
    classes = data.tables["classes"]
    classes = classes[classes["name"].isin(data.primary)]
    frames = [
        _differences(data, classes[classes["question"] == DIFFERENCE]),
        *_arms(data, classes[classes["question"] == CLASS]),
        _published(data),
    ]
    frames = [frame.reindex(columns=COLUMNS) for frame in frames]
    table = pd.concat([f for f in frames if len(f)] or frames, ignore_index=True)
    texts = ["block", "group", "text", "status", "reason"]
    table[texts] = table[texts].astype(object).fillna("")
    keys = table["block"] + "\n" + table["group"] + "\n" + table["text"]
    table["row"] = pd.factorize(keys)[0]
    return table


def _class_rank(drug_class: str) -> tuple[bool, str]:
    """JAK inhibitors first, then by name."""
    return (drug_family(drug_class) != DrugFamily.JAK_INHIBITOR, drug_class)


def _remarks(data: AtlasData, simulated: pd.Series) -> list[str]:
    """Tell simulated trials from real ones where a run has both."""
    return [" (simulated)" if data.mixed and value == "yes" else "" for value in simulated]


def _one_reference(rows: pd.DataFrame) -> pd.DataFrame:
    """Classes are compared against nonlesional skin; against healthy skin only without it."""
    found = set(rows["reference"])
    return rows[rows["reference"] == next((r for r in REFERENCES if r in found), "")]


def _differences(data: AtlasData, rows: pd.DataFrame) -> pd.DataFrame:
    rows = _one_reference(rows)
    remarks = _remarks(data, rows["simulated"])
    parts = zip(rows["drug_class"], rows["other_class"], remarks, strict=True)
    alone = rows.loc[rows["dni"].notna(), "lower"].isna().all()
    return rows.assign(
        block="Difference of classes (dNI − dNI)"
        + (f": one trial each, {CONFOUNDED}" if alone else ""),
        group=[f"{a} − {b}{remark}" for a, b, remark in parts],
        drawn=DIFFERENCE,
        text=_dashes(rows["window"]),
        cohort=rows["cohorts"],
        arm="",
        measure="difference of dNI",
        value=rows["dni"],
        source="",
        short=np.where(rows["dni"].isna(), UNMATCHED, np.where(rows["lower"].isna(), ALONE, "")),
    )


def _dashes(windows: pd.Series) -> pd.Series:
    """Write windows of weeks as ranges."""
    return windows.astype(str).str.replace(r"(?<=\d)-(?=\d)", "–", regex=True)


def _arms(data: AtlasData, classes: pd.DataFrame) -> list[pd.DataFrame]:
    """Arms of every class by cohort, dose and week; below them what their trials say jointly."""
    weights = _weights(data)
    time = data.time.assign(weight=np.nan)
    if len(weights):
        time = data.time.merge(weights, "left", list(weights.columns[:-1]))
    time = time[time["name"].isin(data.primary) & (time["arm"] != Arm.UNTREATED)]
    placebo = pd.Series([data.placebo_of(c) for c in time["cohort"]], index=time.index)
    time = time.assign(controlled=placebo != "", people=_people(data, time, placebo))
    time = time[time["arm"] != placebo]
    time = time.assign(group=time["drug_class"] + _remarks(data, time["simulated"]))
    classes = _one_reference(classes)
    classes = classes.assign(group=classes["drug_class"] + _remarks(data, classes["simulated"]))
    joint = classes[classes["trials"] > 1]
    groups = sorted(set(time["group"]), key=_class_rank)
    groups += sorted(set(joint["group"]) - set(groups), key=_class_rank)
    frames = []
    for group in groups:
        arms, several = time[time["group"] == group], joint[joint["group"] == group]
        block = f"{group}{'' if len(several) else _alone(arms)}"
        frames += [_arm_rows(data, arms, block), _class_rows(several, block)]
    return frames


def _weights(data: AtlasData) -> pd.DataFrame:
    """What each drug and visit weighs in the estimate of its class, where others enter too."""
    rows = data.tables["classes"]
    rows = _one_reference(rows[(rows["question"] == Question.TRIAL) & (rows["weight"] < 100)])
    dose = rows["dose"].astype(str).str.extract(r"^(.+) mg$")[0].astype(float)
    weeks = rows["weeks"].astype(float)
    columns = {"drug": "treatment", "cohorts": "cohort"}
    kept = rows.rename(columns=columns).assign(dose_mg=dose, week=weeks)
    return kept[["cohort", "treatment", "dose_mg", "week", "reference", "name", "weight"]]


def _people(data: AtlasData, time: pd.DataFrame, placebo: pd.Series) -> list[str]:
    """How many patients each arm and visit has, and its placebo arm at that visit.

    Where lesions of one patient are in both arms, patients who have both.
    """
    n = time.groupby(["cohort", "arm", "week"])["pairs"].max()
    texts = []
    for cohort, arm, week, control in zip(
        time["cohort"], time["arm"], time["week"], placebo, strict=True
    ):
        own, other = (n.get((cohort, a, week), np.nan) for a in (arm, control))
        sheet = data.sheets[cohort]
        if control and "lesion" in sheet:
            seen = sheet[(sheet["state"] == State.LESIONAL) & (sheet["week"] == week)]
            both = seen[seen["arm"].isin([arm, control])].groupby("patient")["arm"].nunique()
            own, other = int((both == 2).sum()), np.nan
        texts.append(f", {people(own, 0 if pd.isna(other) else other)}" if own > 0 else "")
    return texts


def _alone(rows: pd.DataFrame) -> str:
    """What is said of a class without a joint estimate."""
    trials = rows.loc[rows["controlled"], "cohort"].nunique()
    if not trials:
        return ": no trial with a placebo arm"
    if trials == 1:
        return f": one trial, {CONFOUNDED}"
    return ": no window with two trials"


def _arm_rows(data: AtlasData, rows: pd.DataFrame, block: str) -> pd.DataFrame:
    beyond = rows[["dni", "dni_lower", "dni_upper"]].notna().all(axis=1)
    plain = ~rows["controlled"] & rows["ni"].notna()
    skin = np.where(rows["reference"] == State.HEALTHY, ", against healthy skin", "")
    groups = zip(rows["cohort"], rows["arm"], skin, strict=True)
    doubtful = exploratory_rows(rows)
    doubtful |= exploratory_rows(rows, difference=True) & rows["controlled"]
    usage = np.where(doubtful, Status.EXPLORATORY.value, Status.OK.value)
    given = beyond | plain
    why = rows["reason"].where(~doubtful | (rows["status"] == Status.EXPLORATORY), "")
    why = why.where(why != "", rows["dni_reason"].astype(object).fillna(""))
    lacking = rows["reason_code"].map(reason_of)
    uncompared = rows["dni_reason_code"].map(reason_of)
    lacking = lacking.where(rows["ni"].isna(), uncompared)
    return rows.assign(
        block=block,
        drawn=ARM,
        group=[f"{data.name(cohort)}: {arm}{s}" for cohort, arm, s in groups],
        text=[f"week {w:g}{n}" for w, n in zip(rows["week"], rows["people"], strict=True)],
        status=np.where(given, usage, Status.NOT_AVAILABLE.value),
        reason=why,
        measure=np.where(rows["controlled"], DNI, NI),
        value=rows["dni"].where(beyond, rows["ni"].where(plain)),
        lower=rows["dni_lower"].where(beyond, rows["lower"].where(plain)),
        upper=rows["dni_upper"].where(beyond, rows["upper"].where(plain)),
        trials=1,
        source="",
        short=np.where(
            beyond | (plain & rows[["lower", "upper"]].notna().all(axis=1)),
            "",
            np.where(plain, reason_of(ReasonCode.UNBOUNDED), lacking),
        ),
    )


def _class_rows(rows: pd.DataFrame, block: str) -> pd.DataFrame:
    trials = rows["trials"].astype(int).astype(str)
    return rows.assign(
        block=block,
        group="All trials",
        drawn=CLASS,
        text=_dashes(rows["window"]) + ", " + trials + " trials",
        cohort=rows["cohorts"],
        arm="",
        measure=DNI,
        value=rows["dni"],
        source="",
        short=np.where(rows["lower"].isna(), "no interval", ""),
    )


def _published(data: AtlasData) -> pd.DataFrame:
    rows = data.published[data.published["share"].notna()]
    return rows.assign(
        block="Published results of real trials, not recomputed",
        drawn=PUBLISHED,
        text=told_apart(list(rows["label"])),
        name=DerivedScore.GLOBAL.value,
        value=rows["share"],
        short="",
    )
