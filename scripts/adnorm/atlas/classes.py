"""Drug classes against placebo and against each other, over trials, at matched visits."""

from __future__ import annotations

import re
from itertools import combinations

import numpy as np
import pandas as pd

from adnorm.atlas.entries import TRIAL, WINDOWS, trial_entries, window_of
from adnorm.atlas.material import (
    DESCRIPTIVE,
    NOT_AVAILABLE,
    PUBLISHED_ONLY,
    CohortResults,
)
from adnorm.atlas.random_effects import NUMBERS, combine, difference
from adnorm.base.errors import listing
from adnorm.base.tables import stack
from adnorm.index.normalization import OK
from adnorm.index.published_axis import NOT_INDEPENDENT
from adnorm.study.comparisons import number

JAK, BIOLOGIC = "JAK inhibitor", "biologic"
DIFFERENCE, CLASS, LEAVE_ONE_OUT, PUBLISHED = "difference", "class", "leave_one_out", "published"
UNMATCHED_WINDOW, NO_TRIAL = "UNMATCHED_WINDOW", "NO_TRIAL"
COLUMNS = ["question", "simulated", "drug_class", "other_class", "window", "weeks", "reference"]
COLUMNS += ["level", "name", *NUMBERS, "trials", "cohorts", "left_out", "drug", "dose", "pairs"]
COLUMNS += ["measure", "value", "unit", "source", "status", "reason_code", "reason"]
WORDS = ["other_class", "window", "weeks", "reference", "level", "name", "cohorts", "left_out"]
WORDS += ["drug", "dose", "measure", "unit", "source", "reason_code", "reason"]


def family(drug_class: str) -> str:
    """Put a drug class into its family: JAK inhibitor, biologic, or itself.

    Examples
    --------
    >>> [family(c) for c in ("JAK/SYK inhibitor", "anti-IL-13", "PDE4 inhibitor")]
    ['JAK inhibitor', 'biologic', 'PDE4 inhibitor']
    """
    if re.search(r"(?<!non-)\bjak|\bjanus kinase", drug_class, re.IGNORECASE):
        return JAK
    # anti-IL-13 is one, an anti-inflammatory or anti-histamine is not.
    target = r"\banti-(?!inflam|hist|microb|bact|fung|prolif)"
    if re.search(rf"{target}|\bbiologic|antibod", drug_class, re.IGNORECASE):
        return BIOLOGIC
    return drug_class


def class_table(
    cohorts: list[CohortResults], published: pd.DataFrame, settings: dict
) -> pd.DataFrame:
    """Compare drug classes by the placebo-adjusted index.

    Of each trial and class the highest dose enters, at the visit nearest to the middle of a window
    (weeks 2, 4, 12, 16): both are fixed without looking at the result. Real and simulated cohorts
    are never joined, and only atopic dermatitis enters.

    Parameters
    ----------
    cohorts
        The cohorts of the run.
    published
        Of `read_published`; its rows are appended, their values in columns of their own.
    settings
        Section ``index`` of the configuration: confidence.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`, by question: ``difference`` of two families of classes (JAK inhibitor −
        biologic first), ``class`` (random effects over trials), ``leave_one_out`` (from three
        trials), ``trial`` (what entered, and what could not, with the reason), ``published``. A
        class with one trial has status ``descriptive`` and says that class and trial cannot be
        told apart.
    """
    confidence = float(settings["confidence"])
    entries = stack(trial_entries(cohort) for cohort in cohorts)
    # A list of genes is no independent measure of the trials that it was made from.
    circular = entries["reason"].str.contains(NOT_INDEPENDENT, regex=False, na=False)
    usable = entries[(entries["status"] != NOT_AVAILABLE) & ~circular.astype(bool)]
    groups = usable.assign(group=usable["drug_class"])
    families = usable.assign(group=usable["drug_class"].map(family))
    both = pd.concat([groups, families[families["group"] != families["drug_class"]]])
    frames = [_differences(families, confidence), _no_counterpart(families)]
    for (group, *_), rows in both.groupby(["group", "simulated", "reference", "window"]):
        frames += _combined(group, rows, confidence)
    frames += [entries.drop(columns=["week", "target"]), _published_rows(published)]
    table = stack(frames).reindex(columns=COLUMNS)
    table[WORDS] = table[WORDS].astype(object).fillna("")
    ranks = {DIFFERENCE: 0, CLASS: 1, LEAVE_ONE_OUT: 2, TRIAL: 3, PUBLISHED: 4}
    order = {
        "question": lambda c: c.map(ranks),
        "drug_class": lambda c: c.map(lambda v: (family(v) != JAK, v)),
        "other_class": lambda c: c.map(lambda v: (v != BIOLOGIC, v)),
        "window": lambda c: c.map(lambda v: [*[w[0] for w in WINDOWS], v].index(v)),
        "name": lambda c: c.map(lambda v: (v != "global", v)),
    }
    keys = ["question", "drug_class", "other_class", "simulated", "reference", "window"]
    keys += ["level", "name", "left_out", "cohorts", "drug", "dose"]
    fixed = table[table["question"] != PUBLISHED].sort_values(
        keys, key=lambda c: order.get(c.name, lambda x: x)(c), kind="stable"
    )
    return pd.concat([fixed, table[table["question"] == PUBLISHED]], ignore_index=True)


def _one_a_trial(rows: pd.DataFrame) -> pd.DataFrame:
    """Average the drugs of one class within a trial.

    They share the placebo arm, so their errors are averaged as if they were fully correlated.
    """
    values = rows[["dni", "lower", "upper", "standard_error"]].astype(float)
    keyed = values.assign(**rows[["level", "name", "cohorts"]])
    return keyed.groupby(["level", "name", "cohorts"]).mean().reset_index()


def _estimate(rows: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Estimate of a group of trials by (level, name); one trial brings its own interval."""
    single = _one_a_trial(rows).set_index(["level", "name", "cohorts"])
    effects, errors = single["dni"].unstack(), single["standard_error"].unstack()
    found = combine(effects, errors, confidence)
    alone = found["trials"] == 1
    own = single.groupby(level=["level", "name"]).first()
    for column in own.columns:
        found[column] = found[column].where(~alone, own[column])
    found["cohorts"] = [
        ";".join(sorted(effects.columns[have])) for have in effects.notna().to_numpy()
    ]
    found["weeks"] = ", ".join(number(w) for w in sorted(set(rows["week"])))
    found["pairs"] = rows.groupby(["level", "name"])["pairs"].sum()
    return found


def _confounded(group: str, cohort: str) -> str:
    return (
        f"descriptive: {cohort} is the only trial of {group} in this window, so that the class is "
        "confounded with the trial"
    )


def _combined(group: str, rows: pd.DataFrame, confidence: float) -> list[pd.DataFrame]:
    """Rows of one class, reference and window: all its trials, then without each."""
    shared = {c: rows[c].iloc[0] for c in ("simulated", "reference", "window")}
    shared |= {"drug_class": group, "status": OK, "reason_code": "", "reason": ""}
    found = _estimate(rows, confidence).reset_index().assign(question=CLASS, **shared)
    alone = found["trials"] == 1
    found.loc[alone, "status"] = DESCRIPTIVE
    found.loc[alone, "reason"] = [_confounded(group, c) for c in found.loc[alone, "cohorts"]]
    frames = [found]
    trials = sorted(set(rows["cohorts"]))
    for trial in trials if len(trials) > 2 else []:
        rest = _estimate(rows[rows["cohorts"] != trial], confidence).reset_index()
        # A name that the trial lacks has nothing to be left out.
        has = [trial in cohorts.split(";") for cohorts in found["cohorts"]]
        concerned = found.loc[has, "name"]
        rest = rest[(rest["trials"] > 1) & rest["name"].isin(concerned)]
        frames.append(rest.assign(question=LEAVE_ONE_OUT, left_out=trial, **shared))
    return frames


def _differences(rows: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Differences of all pairs of families, window by window; unmatched windows are refused."""
    frames = []
    for (simulated, reference), part in rows.groupby(["simulated", "reference"]):
        names = sorted(set(part["group"]), key=lambda g: (g != JAK, g != BIOLOGIC, g))
        for first, second in combinations(names, 2):
            sides = [part[part["group"] == g] for g in (first, second)]
            for window in [w[0] for w in WINDOWS]:
                here = [side[side["window"] == window] for side in sides]
                shared = {"question": DIFFERENCE, "simulated": simulated, "reference": reference}
                shared |= {"drug_class": first, "other_class": second, "window": window}
                if all(map(len, here)):
                    frames.append(_matched(here, (first, second), confidence).assign(**shared))
                elif any(map(len, here)):
                    frames.append(_unmatched(here, sides, (first, second), window).assign(**shared))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _matched(here: list[pd.DataFrame], names: tuple[str, str], confidence: float) -> pd.DataFrame:
    one, two = (_estimate(side, confidence) for side in here)
    both = one.index.intersection(two.index)
    one, two = one.loc[both], two.loc[both]
    rows = difference(one, two, confidence)
    rows["trials"], rows["pairs"] = one["trials"] + two["trials"], one["pairs"] + two["pairs"]
    rows["cohorts"] = one["cohorts"] + " against " + two["cohorts"]
    rows["weeks"] = one["weeks"] + " against " + two["weeks"]
    rows["reason_code"] = ""
    rows["reason"] = [_doubt(names, (one.loc[key], two.loc[key])) for key in both]
    rows["status"] = np.where(rows["reason"] == "", OK, DESCRIPTIVE)
    return rows.reset_index()


def _doubt(names: tuple[str, str], sides: tuple[pd.Series, pd.Series]) -> str:
    """Why a difference of two classes is only descriptive; empty where it is not."""
    shared = set.intersection(*(set(side["cohorts"].split(";")) for side in sides))
    if shared:
        return (
            f"descriptive: {listing(sorted(shared))} gave both against one placebo arm; they are "
            "taken as independent, so that the interval is wider than need be"
        )
    return "; ".join(
        _confounded(name, side["cohorts"])
        for name, side in zip(names, sides, strict=True)
        if side["trials"] == 1
    )


def _weeks(rows: pd.DataFrame) -> str:
    weeks = [number(week) for week in sorted(set(rows["week"]))]
    return f"week {weeks[0]}" if len(weeks) == 1 else f"weeks {', '.join(weeks)}"


def _no_counterpart(usable: pd.DataFrame) -> pd.DataFrame:
    """Say it where the run has a JAK inhibitor and no biologic, or the other way round."""
    rows = []
    for simulated, part in usable.groupby("simulated"):
        missing = {JAK, BIOLOGIC} - set(part["group"])
        if len(missing) == 1:
            lacking = missing.pop()
            kind = "simulated" if simulated == "yes" else "real"
            reason = f"no {kind} trial of {lacking} in this run has a placebo-adjusted index"
            said = {"status": NOT_AVAILABLE, "reason_code": NO_TRIAL, "reason": reason}
            shared = {"question": DIFFERENCE, "simulated": simulated, "drug_class": JAK}
            rows.append(shared | {"other_class": BIOLOGIC} | said)
    return pd.DataFrame(rows)


def _unmatched(
    here: list[pd.DataFrame], sides: list[pd.DataFrame], names: tuple[str, str], window: str
) -> pd.DataFrame:
    has, lacks = (0, 1) if len(here[0]) else (1, 0)
    elsewhere, there = _weeks(sides[lacks]), _weeks(here[has])
    reason = (
        f"{names[has]} was measured at {there}, {names[lacks]} only at {elsewhere} "
        f"({listing(sorted(set(sides[lacks]['cohorts'])))}): a comparison in {window} would be one "
        "of different times, not of drugs"
    )
    rows = here[has][["level", "name"]].drop_duplicates()
    said = {"status": NOT_AVAILABLE, "reason_code": UNMATCHED_WINDOW, "reason": reason}
    return rows.assign(weeks=there.split(" ", 1)[1], **said)


def _published_rows(published: pd.DataFrame) -> pd.DataFrame:
    """Published results in columns of their own, so that nobody reads them as an index."""
    rows = published.drop(columns=["week", "note"]).assign(
        question=PUBLISHED, status=PUBLISHED_ONLY, reason=published["note"], simulated="no"
    )
    rows["weeks"] = published["week"].map(number, na_action="ignore")
    rows["window"] = [window_of(week) for week in published["week"]]
    return rows
