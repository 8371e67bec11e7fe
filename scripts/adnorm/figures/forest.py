"""A forest over all cohorts and arms, by drug class; published results beside, set apart."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from adnorm.base.text import counted
from adnorm.figures.data import REFERENCES, AtlasData, rows_of
from adnorm.figures.labels import estimator_note, reason_of, score_label, without_doi
from adnorm.figures.names import TITLES
from adnorm.figures.sheet import (
    Sheet,
    fit_words,
    nothing_to_draw,
    range_of,
    text_width,
    zero_and_one,
)
from adnorm.figures.theme import FAINT, INK, Style, shorten
from adnorm.study.vocabulary import (
    Arm,
    DerivedScore,
    DrugFamily,
    Question,
    State,
    Statistic,
    drug_family,
)

#: What a row is.
DIFFERENCE, ARM, CLASS, PUBLISHED = "difference", "arm", "class", "published"
#: What is drawn: beyond placebo, or the index without a placebo arm.
DNI, NI = Statistic.DNI.value, "NI, no placebo arm"
COLUMNS = [
    *("row", "block", "drawn", "text", "cohort", "arm", "week", "reference", "name", "measure"),
    *("value", "lower", "upper", "pairs", "trials", "weight", "weights", "source", "short"),
    "reason",
]
UNMATCHED = "other weeks only"
#: Middle of every row in inches.
Places = dict[int, float]
#: Inches of a row, and of a panel and the gap beside it.
ROW, PANEL, GAP = 0.165, 1.5, 0.16
TOP = 0.32
#: Of the measure and source of a published result.
MOST_LETTERS = 116
#: Marker and meaning of each kind of row; arms are filled with their own colour.
KINDS = {
    ARM: ("o", "arm: difference to placebo (dNI)"),
    NI: ("s", "arm without placebo: the index itself, uncontrolled"),
    CLASS: ("D", "class: random effects over trials"),
    DIFFERENCE: ("d", "difference of two classes"),
    PUBLISHED: ("o", "published, not recomputed"),
}
SIZES = {ARM: 4.0, NI: 3.8, CLASS: 5.5, DIFFERENCE: 4.6, PUBLISHED: 4.6}


def draw_forest(data: AtlasData) -> tuple[Figure, pd.DataFrame]:
    """Draw, for each score of the primary family, what every arm does beyond placebo.

    The table has one row for each row of the figure and score.
    """
    title = TITLES["forest"]
    table = forest_rows(data)
    computed = table[table["drawn"] != PUBLISHED]
    if computed["value"].isna().all():
        reason = "no treated arm of this run has an index over visits"
        why = pd.DataFrame([{"reason": reason}])
        return nothing_to_draw(title, data.facts, reason, COLUMNS, pd.concat([why, table]))
    names = [name for name in data.primary if name in set(table["name"])]
    first = table.drop_duplicates("row")
    texts = dict(zip(first["row"], first["text"], strict=True))
    left = -text_width(texts.values(), 7) - 0.14
    cohorts = computed.loc[computed["drawn"] == ARM, "cohort"].nunique()
    subtitle = (
        f"{counted(cohorts, 'cohort')} with treated arms; bars are {data.confidence} intervals"
    )
    sheet = Sheet(title, data.facts, subtitle, left=left)
    places, headings, end = _places(table)
    # Two or three trials leave a class an interval that would press all arms into a corner.
    arms = table[table["drawn"] == ARM]
    limits = range_of([table["value"], arms["lower"], arms["upper"]], -0.3, 1.05)
    measures = set(computed.loc[computed["value"].notna(), "measure"])
    across = "dNI" if NI not in measures else "NI" if measures == {NI} else "dNI (squares: NI)"
    hatched = [places[row] for row in sorted(set(table.loc[table["drawn"] == PUBLISHED, "row"]))]
    grid = sheet.panels(1, len(names), (PANEL, end), (GAP, 0), y=TOP)
    for axes, name in zip(grid[0], names, strict=True):
        axes.set(xlim=limits, ylim=(end, 0), yticks=[])
        axes.spines["left"].set_visible(False)
        zero_and_one(axes, across=False)
        label = fit_words(score_label(data, name), 7, PANEL / 1.12)
        axes.set_title(label, loc="left", weight="bold", size=7, linespacing=1.1)
        axes.set_xlabel(across, size=7)
        _draw_rows(axes, data, table[table["name"] == name], places, limits)
        if hatched:
            _hatch(axes, hatched, limits)
    for row, text in texts.items():
        sheet.text(-0.07, TOP + places[row], text, size=7, ha="right", va="center")
    _write_measures(sheet, table, places)
    plate = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
    for heading, y in headings.items():
        sheet.text(left, TOP + y, heading, size=7.5, weight="bold", va="center", bbox=plate)
    width = len(names) * (PANEL + GAP)
    _draw_key(sheet, width + 0.1, TOP, table)
    notes = _notes(data, table)
    if (table["lower"] < limits[0]).any() or (table["upper"] > limits[1]).any():
        notes.insert(
            1, "A bar that reaches the edge of its panel goes on; its ends are in the table."
        )
    sheet.notes(TOP + end + 0.5, max(width - left, 6.5), notes)
    return sheet.figure, table


def _places(table: pd.DataFrame) -> tuple[Places, dict[str, float], float]:
    """Middle of every row and heading in inches, and where the last row ends."""
    places: Places = {}
    headings: dict[str, float] = {}
    y = 0.0
    first = table.drop_duplicates("row")
    for row, block in zip(first["row"], first["block"], strict=True):
        if block not in headings:
            headings[block] = y + 0.06 + ROW / 2
            y += 0.06 + ROW
        places[row] = y + ROW / 2
        y += ROW
    return places, headings, y + 0.04


def _draw_rows(
    axes: Axes, data: AtlasData, rows: pd.DataFrame, places: Places, limits: tuple[float, float]
) -> None:
    for row in rows_of(rows):
        y = places[row.row]
        if pd.isna(row.value):
            if row.drawn != PUBLISHED:
                words: Style = {"size": 5.5, "color": FAINT, "va": "center", "in_layout": False}
                axes.text(0.04, y, row.short, **words)
            continue
        kind = NI if row.measure == NI else row.drawn
        colour = data.colours.get((row.cohort, row.arm), INK)
        if pd.notna(row.lower):
            axes.plot([row.lower, row.upper], [y, y], color=colour, lw=1.2, zorder=2)
        style: Style = {
            "ms": SIZES[kind],
            "mfc": colour if kind in (ARM, CLASS) else "white",
            "mec": FAINT if kind == PUBLISHED else colour,
            "mew": 0.9,
            "zorder": 3,
        }
        axes.plot(np.clip(row.value, *limits), y, KINDS[kind][0], **style)
        if pd.notna(row.weight):
            beside: Style = {"size": 5.2, "color": FAINT, "va": "center", "in_layout": False}
            axes.annotate(
                f"{row.weight:.0f}", (1, y), (2, 0), ("axes fraction", "data"),
                textcoords="offset points", **beside,
            )  # fmt: skip


def _hatch(axes: Axes, places: list[float], limits: tuple[float, float]) -> None:
    """Hatch the rows of published results."""
    corner = (limits[0], places[0] - ROW / 2)
    size = (limits[1] - limits[0], places[-1] - places[0] + ROW)
    style: Style = {"facecolor": "white", "edgecolor": "#DDDDDD", "hatch": "////", "lw": 0}
    with mpl.rc_context({"hatch.linewidth": 0.5}):
        axes.add_patch(Rectangle(corner, *size, zorder=0.5, in_layout=False, **style))


def _write_measures(sheet: Sheet, table: pd.DataFrame, places: Places) -> None:
    """Say beside every published result what was measured, and where it stands."""
    plate = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
    style = {"size": 5.6, "color": FAINT, "va": "center", "bbox": plate}
    for row in rows_of(table[table["drawn"] == PUBLISHED].drop_duplicates("row")):
        text = shorten(f"{row.measure}; {without_doi(row.source)}", MOST_LETTERS)
        sheet.text(PANEL + GAP + 0.06, TOP + places[row.row], text, **style)


def _draw_key(sheet: Sheet, x: float, y: float, table: pd.DataFrame) -> None:
    shown = table[table["value"].notna()]
    kinds = set(shown["drawn"].mask(shown["measure"] == NI, NI))
    sheet.text(x, y, "Rows", size=7.5, va="top")
    for position, kind in enumerate(k for k in KINDS if k in kinds):
        marker, meaning = KINDS[kind]
        axes = sheet.axes(x, y + 0.2 + 0.18 * position, 0.14, 0.14)
        axes.set_axis_off()
        face = INK if kind in (ARM, CLASS) else "white"
        edge = FAINT if kind == PUBLISHED else INK
        axes.plot(0, 0, marker, ms=4.6, mfc=face, mec=edge, mew=0.9, clip_on=False)
        sheet.text(x + 0.22, y + 0.27 + 0.18 * position, meaning, size=6.5, va="center")


def _notes(data: AtlasData, table: pd.DataFrame) -> list[str]:
    notes = [
        "dNI: how much more of the disease effect is gone than under placebo in the same week, "
        "given the score at baseline. Solid line: 0, no more than placebo; dashed: 1, the whole "
        "disease effect. n: patients of the arm v patients of placebo. Colours of arms are those "
        "of the figures of each cohort.",
        "A class gets an estimate only where two trials have a visit in the same window of weeks; "
        "with one trial, class and trial cannot be told apart. A difference without a bar is one "
        "trial against one, which shows no variation between trials.",
    ]
    if table["weight"].notna().any():
        notes.append(
            "Beside a panel: weight of the trial in its class in per cent, by 1 / (variance "
            "between trials + squared standard error); visits and doses without one do not enter."
        )
    if not set(table["short"]) <= {"", UNMATCHED}:
        notes.append(
            "Words in place of a point say why there is no number; the reason in full is in the "
            "table."
        )
    if (table["short"] == UNMATCHED).any():
        notes.append(
            f"{UNMATCHED.capitalize()}: one of the classes was measured in other weeks; a "
            "comparison would be one of times, not of drugs."
        )
    refused = data.tables["classes"]
    refused = refused[(refused["question"] == DIFFERENCE) & refused["name"].isna()]
    notes += [f"{reason}." for reason in dict.fromkeys(refused["reason"])]
    if (table["drawn"] == PUBLISHED).any():
        notes.append(
            "Hatched: published results of groups in real trials, by the measure of the paper, "
            "which is another one than NI, and not adjusted for placebo; they enter no estimate. "
            "Sources in full are in the table."
        )
    silent = data.published.loc[data.published["share"].isna(), "label"]
    if len(silent):
        notes.append(f"Published without a number: {'; '.join(silent)}.")
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
    keys = table["block"] + "\n" + table["text"] + "\n" + table["measure"].astype(str)
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
    parts = zip(rows["drug_class"], rows["other_class"], rows["window"], remarks, strict=True)
    alone = rows.loc[rows["dni"].notna(), "lower"].isna().all()
    confounded = ": one trial each, class and trial confounded" if alone else ""
    return rows.assign(
        block=f"Difference of classes (dNI − dNI){confounded}",
        drawn=DIFFERENCE,
        text=[f"{a} − {b}, {window}{remark}" for a, b, window, remark in parts],
        cohort=rows["cohorts"],
        arm="",
        measure="difference of dNI",
        value=rows["dni"],
        source="",
        short=np.where(rows["dni"].isna(), UNMATCHED, ""),
    )


def _arms(data: AtlasData, classes: pd.DataFrame) -> list[pd.DataFrame]:
    """Arms of every class by cohort, dose and week; below them what their trials say jointly."""
    weights = _weights(data)
    time = data.time.assign(weight=np.nan)
    if len(weights):
        time = data.time.merge(weights, "left", list(weights.columns[:-1]))
    time = time[time["name"].isin(data.primary) & (time["arm"] != Arm.UNTREATED)]
    placebo = pd.Series([data.placebo_of(c) for c in time["cohort"]], index=time.index)
    time = time.assign(controlled=placebo != "", people=_people(time, placebo))
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


def _people(time: pd.DataFrame, placebo: pd.Series) -> list[str]:
    """How many patients each arm and visit has, and its placebo arm at that visit."""
    n = time.groupby(["cohort", "arm", "week"])["pairs"].max()
    texts = []
    for cohort, arm, week, control in zip(
        time["cohort"], time["arm"], time["week"], placebo, strict=True
    ):
        own, other = (n.get((cohort, a, week), np.nan) for a in (arm, control))
        both = f"{own:g} v {other:g}" if other > 0 else f"{own:g}"
        texts.append(f" (n={both})" if own > 0 else "")
    return texts


def _alone(rows: pd.DataFrame) -> str:
    """What is said of a class without a joint estimate."""
    trials = rows.loc[rows["controlled"], "cohort"].nunique()
    if not trials:
        return ": no trial with a placebo arm"
    if trials == 1:
        return ": one trial, class and trial confounded"
    return ": no window with two trials"


def _arm_rows(data: AtlasData, rows: pd.DataFrame, block: str) -> pd.DataFrame:
    beyond = rows[["dni", "dni_lower", "dni_upper"]].notna().all(axis=1)
    plain = ~rows["controlled"] & rows["ni"].notna()
    skin = np.where(rows["reference"] == State.HEALTHY, ", against healthy skin", "")
    parts = zip(rows["cohort"], rows["arm"], rows["week"], skin, rows["people"], strict=True)
    lacking = rows["reason_code"].map(reason_of)
    uncompared = rows["dni_reason_code"].map(reason_of)
    lacking = lacking.where(rows["ni"].isna(), uncompared)
    return rows.assign(
        block=block,
        drawn=ARM,
        text=[f"{data.name(c)}: {arm}, week {week:g}{s}{n}" for c, arm, week, s, n in parts],
        measure=np.where(rows["controlled"], DNI, NI),
        value=rows["dni"].where(beyond, rows["ni"].where(plain)),
        lower=rows["dni_lower"].where(beyond, rows["lower"].where(plain)),
        upper=rows["dni_upper"].where(beyond, rows["upper"].where(plain)),
        trials=1,
        source="",
        short=np.where(beyond | plain, "", lacking),
    )


def _class_rows(rows: pd.DataFrame, block: str) -> pd.DataFrame:
    trials = rows["trials"].astype(int).astype(str)
    return rows.assign(
        block=block,
        drawn=CLASS,
        text="All trials, " + rows["window"] + " (" + trials + " trials)",
        cohort=rows["cohorts"],
        arm="",
        measure=DNI,
        value=rows["dni"],
        source="",
        short="",
    )


def _published(data: AtlasData) -> pd.DataFrame:
    rows = data.published[data.published["share"].notna()]
    return rows.assign(
        block="Published results of real trials, not recomputed",
        drawn=PUBLISHED,
        text=rows["label"],
        name=DerivedScore.GLOBAL.value,
        value=rows["share"],
        short="",
    )
