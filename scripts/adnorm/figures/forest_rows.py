"""Rows of the forest: differences of classes, arms by class, classes, published results."""

from __future__ import annotations

import numpy as np
import pandas as pd

from adnorm.figures.atlas_material import AtlasMaterial
from adnorm.figures.index_cells import NOT_DEFINED, SHORT
from adnorm.figures.theme import is_jak_inhibitor
from adnorm.study.comparisons import UNTREATED_ARM

#: What a row is.
DIFFERENCE, ARM, CLASS, PUBLISHED = "difference", "arm", "class", "published"
#: What is drawn: beyond placebo, the index without a placebo arm, another measure.
DNI, NI = "dNI", "NI, no placebo arm"
DIFFERENCE_OF = "difference of dNI"
COLUMNS = [
    "row",
    "block",
    "drawn",
    "text",
    "cohort",
    "arm",
    "week",
    "reference",
    "name",
    "measure",
    "value",
    "lower",
    "upper",
    "pairs",
    "trials",
    "source",
    "short",
    "reason",
]
UNMATCHED = "other weeks only"


def forest_rows(material: AtlasMaterial) -> pd.DataFrame:
    """List what the forest shows, one row for each score of the primary family.

    Parameters
    ----------
    material
        The run.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`; ``row`` counts the rows of the figure, ``block`` heads them.
    """
    classes = material.tables["classes"]
    classes = classes[classes["name"].isin(material.primary)]
    frames = [_differences(material, classes[classes["question"] == DIFFERENCE])]
    frames += _arms(material, classes[classes["question"] == CLASS])
    frames.append(_published(material))
    table = pd.concat([f for f in frames if len(f)] or frames, ignore_index=True)
    keys = table["block"] + "\n" + table["text"] + "\n" + table["measure"].astype(str)
    table["row"] = pd.factorize(keys)[0]
    return table.reindex(columns=COLUMNS)


def class_rank(drug_class: str) -> tuple:
    """JAK inhibitors first, then by name."""
    return (not is_jak_inhibitor(drug_class), drug_class)


def _mark(material: AtlasMaterial, simulated: str) -> str:
    """Tell simulated trials from real ones where a run has both."""
    mixed = len({material.simulated(c) for c in material.sheets}) > 1
    return " (simulated)" if mixed and simulated == "yes" else ""


def _differences(material: AtlasMaterial, rows: pd.DataFrame) -> pd.DataFrame:
    rows = rows[rows["reference"] == _reference(rows)]
    marks = [_mark(material, s) for s in rows["simulated"]]
    pairs = zip(rows["drug_class"], rows["other_class"], rows["window"], marks, strict=True)
    descriptive = (rows.loc[rows["dni"].notna(), "status"] == "descriptive").all()
    alone = ": one trial each, class and trial confounded" if descriptive else ""
    frame = rows.assign(
        block=f"Difference of classes (dNI − dNI){alone}",
        drawn=DIFFERENCE,
        text=[f"{a} − {b}, {window}{mark}" for a, b, window, mark in pairs],
        cohort=rows["cohorts"],
        arm="",
        measure=DIFFERENCE_OF,
        value=rows["dni"],
        source="",
        short=np.where(rows["dni"].isna(), UNMATCHED, ""),
    )
    return frame.reindex(columns=COLUMNS)


def _reference(rows: pd.DataFrame) -> str:
    """Classes are compared against nonlesional skin; against healthy skin only without it."""
    found = set(rows["reference"].dropna())
    return "nonlesional" if "nonlesional" in found else next(iter(sorted(found)), "")


def _arms(material: AtlasMaterial, classes: pd.DataFrame) -> list[pd.DataFrame]:
    """Arms of every class by cohort, dose and week; below them what their trials say jointly."""
    time = material.time
    time = time[time["name"].isin(material.primary) & (time["arm"] != UNTREATED_ARM)]
    placebo = pd.Series([material.placebo(c) for c in time["cohort"]], index=time.index)
    time = time.assign(controlled=placebo != "", people=_people(time, placebo))
    time = time[time["arm"] != placebo]
    marks = [_mark(material, s) for s in time["simulated"]]
    time = time.assign(mark=marks, group=time["drug_class"] + marks)
    classes = classes[classes["reference"] == _reference(classes)]
    marks = [_mark(material, s) for s in classes["simulated"]]
    classes = classes.assign(group=classes["drug_class"] + marks)
    frames = []
    groups = sorted(set(time["group"]), key=class_rank)
    families = sorted(set(classes["group"]) - set(groups), key=class_rank)
    for group in [*groups, *families]:
        joint = classes[(classes["group"] == group)]
        several = joint[joint["trials"] > 1]
        if group in families and several.empty:
            continue
        block = f"{group}{'' if len(several) else _alone(time[time['group'] == group])}"
        frames.append(_arm_rows(material, time[time["group"] == group], block))
        frames.append(_class_rows(several, block))
    return frames


def _people(time: pd.DataFrame, placebo: pd.Series) -> list[str]:
    """How many patients each arm and visit has, and its placebo arm at that visit."""
    pairs = time.groupby(["cohort", "arm", "week"])["pairs"].max()
    said = []
    for cohort, arm, week, control in zip(
        time["cohort"], time["arm"], time["week"], placebo, strict=True
    ):
        own, other = (pairs.get((cohort, a, week), np.nan) for a in (arm, control))
        both = f"{own:g} v {other:g}" if other > 0 else f"{own:g}"
        said.append(f" (n={both})" if own > 0 else "")
    return said


def _alone(rows: pd.DataFrame) -> str:
    """What is said of a class without a joint estimate."""
    trials = rows.loc[rows["controlled"], "cohort"].nunique()
    if not trials:
        return ": no trial with a placebo arm"
    if trials == 1:
        return ": one trial, class and trial confounded"
    return ": no window with two trials"


def _arm_rows(material: AtlasMaterial, rows: pd.DataFrame, block: str) -> pd.DataFrame:
    beyond = rows["dni"].notna() & rows["dni_lower"].notna() & rows["dni_upper"].notna()
    plain = ~rows["controlled"] & rows["ni"].notna()
    cohorts = [material.name(cohort) for cohort in rows["cohort"]]
    against = np.where(rows["reference"] == "healthy", ", against healthy skin", "")
    parts = zip(cohorts, rows["arm"], rows["week"], against, rows["people"], strict=True)
    lacking = rows["reason_code"].map(lambda code: SHORT.get(code, NOT_DEFINED))
    lacking = lacking.where(rows["ni"].isna(), "no placebo at this visit")
    frame = rows.assign(
        block=block,
        drawn=ARM,
        text=[f"{cohort}: {arm}, week {week:g}{skin}{n}" for cohort, arm, week, skin, n in parts],
        measure=np.where(rows["controlled"], DNI, NI),
        value=rows["dni"].where(beyond, rows["ni"].where(plain)),
        lower=rows["dni_lower"].where(beyond, rows["lower"].where(plain)),
        upper=rows["dni_upper"].where(beyond, rows["upper"].where(plain)),
        trials=1,
        source="",
        short=np.where(beyond | plain, "", lacking),
    )
    return frame.reindex(columns=COLUMNS)


def _class_rows(rows: pd.DataFrame, block: str) -> pd.DataFrame:
    trials = rows["trials"].astype(int).astype(str)
    frame = rows.assign(
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
    return frame.reindex(columns=COLUMNS)


def _published(material: AtlasMaterial) -> pd.DataFrame:
    rows = material.published
    rows = rows[rows["share"].notna()]
    frame = rows.assign(
        block="Published results of real trials, not recomputed",
        drawn=PUBLISHED,
        text=rows["label"],
        name="global",
        value=rows["share"],
        short="",
    )
    return frame.reindex(columns=COLUMNS)
