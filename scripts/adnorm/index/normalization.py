"""The normalization index: how much of the disease effect is gone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from adnorm.effects.fit import adjust_by_family
from adnorm.index.ancova import baseline_adjusted
from adnorm.index.estimability import (
    DENOM_NOT_ESTIMABLE,
    FEWEST_PAIRS,
    NO_PLACEBO,
    NO_REFERENCE,
    NOT_SCORED,
    PUBLISHED_AXIS,
    SET,
    TOO_FEW_PAIRS,
    Denominator,
    judge_denominator,
)
from adnorm.index.groups import LESIONAL, PRIMARY, PatientTable
from adnorm.index.ratio import FIELLER, Ratio, Resamples
from adnorm.index.resample import sign_flip_p
from adnorm.study.comparisons import BASELINE, UNTREATED_ARM, number

OK, EXPLORATORY, NOT_AVAILABLE = "ok", "exploratory", "NA"
#: Family of the sets that a user adds, as `GeneSet.family` names it.
ADDED = "added"
KEYS = ["analysis", "reference", "arm", "week", "level", "name"]
NUMBERS = [
    "ni",
    "lower",
    "upper",
    "standard_error",
    "p_value",
    "fdr",
    "dni",
    "dni_lower",
    "dni_upper",
    "dni_standard_error",
    "ancova",
    "ancova_lower",
    "ancova_upper",
    "ancova_p_value",
    "closeness",
]
COLUMNS = [
    *KEYS,
    *NUMBERS,
    "family",
    "pairs",
    "placebo_pairs",
    "lost",
    "denominator",
    "denominator_se",
    "interval",
    "fieller_lower",
    "fieller_upper",
    "status",
    "reason_code",
    "reason",
    *("dni_reason_code", "dni_reason", "basis"),
]


@dataclass(frozen=True)
class _Question:
    """What stays the same for all visits of one call."""

    table: PatientTable
    resamples: Resamples
    denominator: Denominator
    placebo_arm: str
    analysis: str
    confidence: float
    seed: int


def normalization_index(
    values: pd.DataFrame,
    observations: pd.DataFrame,
    reference: str,
    placebo_arm: str | None,
    settings: dict,
    seed: int,
    names: pd.DataFrame | None = None,
    analysis: str = PRIMARY,
) -> pd.DataFrame:
    """Say for every arm, visit and name how much of the disease effect is gone.

    NI = mean(LS_0 − LS_t) / D: the numerator over the patients of the arm who have both samples, D
    the mean of lesional − reference before treatment over all arms. 0 is no change, 1 the level of
    the reference, below 0 worse, above 1 beyond the reference. Nothing is clipped. dNI is NI of the
    arm − NI of the placebo arm at the same week; ``ancova`` is the same difference given the score
    at baseline (`baseline_adjusted`).

    Parameters
    ----------
    values
        Scores, shape (observations, names), higher in disease. A name with a missing value has no
        index.
    observations
        patient, state, week, arm of each row of `values`; one row for each patient, state and
        visit.
    reference
        ``nonlesional`` or ``healthy``.
    placebo_arm
        Name of the placebo arm; empty or ``None`` without one.
    settings
        Section ``index`` of the configuration: bootstrap, confidence, primary.
    seed
        Of the resamples.
    names
        By name: level (``global``, ``published_axis`` or ``set``), reason_code and reason; a name
        with a reason code gets no number. A column family may say ``added`` of what a user brings.
        Without it all names are sets.
    analysis
        ``primary``, ``completers``, ``time_matched``; any other word labels the rows and is
        computed as ``primary``.

    Returns
    -------
    DataFrame
        One row for each arm, visit and name (columns `COLUMNS`), sorted. ``standard_error`` and
        ``dni_standard_error`` are on the scale of the index; ``p_value`` is of sign flips;
        ``fdr`` adjusts the names outside the primary family over all arms and visits, those of a
        user among themselves; ``lost`` are
        patients with a lesional sample before treatment and none at the visit. Rows without a
        number have the status ``NA``, a reason code and a sentence; ``dni_reason_code`` and
        ``dni_reason`` say it of dNI alone (no code where nothing is lacking: on placebo).

    Raises
    ------
    AdnormError
        Several observations of one patient, state and week, or a patient in several arms.
    """
    if names is None:
        names = pd.DataFrame({"level": SET, "reason_code": "", "reason": ""}, index=values.columns)
    names = names.loc[values.columns].assign(family=names.get("family", ""))
    matrix = values.to_numpy(dtype=float)
    unknown = ~np.isfinite(matrix).all(axis=0) & (names["reason_code"] == "").to_numpy()
    names.loc[unknown, ["reason_code", "reason"]] = NOT_SCORED, "no score in this cohort"
    table = PatientTable.of(matrix, observations)
    mean = table.baseline_difference(reference)
    if not mean:
        names = _refuse(names, NO_REFERENCE, f"no {reference} samples at baseline in this cohort")
        frames = [_empty_rows(names, table, *visit, analysis) for visit in table.visits]
        return _finish(frames, names, reference, analysis, settings)

    strata = np.unique(table.arm, return_inverse=True)[1]
    scored = (names["reason_code"] == "").to_numpy()
    table = PatientTable.of(matrix[:, scored], observations)
    mean, confidence = table.baseline_difference(reference), float(settings["confidence"])
    levels = names.loc[scored, "level"].tolist()
    scale = np.abs(matrix[:, scored]).max(axis=0, initial=0.0)
    judged = judge_denominator(mean, strata, levels, reference, scale, confidence)
    names.loc[scored, "reason_code"], names.loc[scored, "reason"] = judged.code, judged.reason
    # Nothing is resampled for names that get no number.
    usable = (names["reason_code"] == "").to_numpy()
    table = PatientTable.of(matrix[:, usable], observations)
    resamples = Resamples(
        strata, table.baseline_difference(reference), int(settings["bootstrap"]), seed
    )
    ask = _Question(table, resamples, judged, placebo_arm or "", analysis, confidence, seed)
    frames = []
    for visit in table.visits:
        rows = _empty_rows(names, table, *visit, analysis)
        rows.loc[scored, "denominator"] = judged.value
        rows.loc[scored, "denominator_se"] = judged.standard_error
        frames.append(_fill(rows, usable, ask, *visit) if usable.any() else rows)
    return _finish(frames, names, reference, analysis, settings)


def _refuse(names: pd.DataFrame, code: str, reason: str) -> pd.DataFrame:
    """Give a reason to the names that have none yet."""
    free = names["reason_code"] == ""
    return names.assign(
        reason_code=names["reason_code"].where(~free, code),
        reason=names["reason"].where(~free, reason),
    )


def _empty_rows(
    names: pd.DataFrame, table: PatientTable, arm: str, week: float, analysis: str
) -> pd.DataFrame:
    rows = pd.DataFrame(np.nan, index=range(len(names)), columns=COLUMNS, dtype=object)
    rows = rows.astype(dict.fromkeys([*NUMBERS, "denominator", "denominator_se"], float))
    rows = rows.astype({"fieller_lower": float, "fieller_upper": float})
    rows["arm"], rows["week"] = arm, week
    rows["level"], rows["name"] = names["level"].to_numpy(), names.index.to_numpy()
    rows["pairs"] = len(table.decrease(arm, week, analysis).rows)
    rows["placebo_pairs"], rows["lost"] = 0, table.lost(arm, week)
    rows[["interval", "dni_reason_code", "dni_reason"]] = ""
    rows["status"] = NOT_AVAILABLE
    rows["reason_code"], rows["reason"] = names["reason_code"].array, names["reason"].array
    return rows


def _fill(
    rows: pd.DataFrame, usable: np.ndarray, ask: _Question, arm: str, week: float
) -> pd.DataFrame:
    """Write the numbers of one arm and visit into the rows of the usable names."""
    group = ask.table.decrease(arm, week, ask.analysis)
    pairs = len(group.rows)
    if pairs < FEWEST_PAIRS:
        few = f"only {pairs} patients with the samples asked; at least {FEWEST_PAIRS} are needed"
        rows.loc[usable, ["reason_code", "reason"]] = TOO_FEW_PAIRS, few
        return rows
    ratio = ask.resamples.ratio([group], ask.confidence)
    rows.loc[usable, "ni"] = ratio.value
    rows.loc[usable, "p_value"] = sign_flip_p(group.values, np.random.default_rng(ask.seed))
    rows.loc[usable, "closeness"] = 1 - np.abs(1 - ratio.value)
    rows.loc[usable, "fieller_lower"] = ratio.fieller_lower
    rows.loc[usable, "fieller_upper"] = ratio.fieller_upper
    rows.loc[usable, "interval"] = ratio.interval
    _write_interval(rows, usable, "", ratio)
    rows.loc[usable, "status"] = OK
    if ratio.interval == FIELLER:
        smallest = min(len(g.rows) for g in [group, *ask.denominator.mean])
        rows.loc[usable, "status"] = EXPLORATORY
        rows.loc[usable, "reason"] = (
            f"exploratory: the smallest group has {smallest} people; the interval is Fieller's"
        )
    _adjust_for_placebo(rows, usable, ask, arm, week)
    return _drop_unbounded(rows, usable)


def _write_interval(rows: pd.DataFrame, usable: np.ndarray, prefix: str, ratio: Ratio) -> None:
    rows.loc[usable, f"{prefix}lower"] = ratio.lower
    rows.loc[usable, f"{prefix}upper"] = ratio.upper
    rows.loc[usable, f"{prefix}standard_error"] = ratio.standard_error


def _drop_unbounded(rows: pd.DataFrame, usable: np.ndarray) -> pd.DataFrame:
    """A number whose interval is unbounded is no number."""
    unbounded = usable & rows[["lower", "upper"]].isna().any(axis=1).to_numpy()
    rows.loc[unbounded, [*NUMBERS, "fieller_lower", "fieller_upper"]] = np.nan
    rows.loc[unbounded, "status"] = NOT_AVAILABLE
    rows.loc[unbounded, "interval"] = ""
    rows.loc[unbounded, ["reason_code", "reason"]] = (
        DENOM_NOT_ESTIMABLE,
        "the interval is unbounded: with so few patients the disease effect may be 0",
    )
    difference = ["dni", "dni_lower", "dni_upper"]
    # The difference needs more than the index: its interval is wider.
    alone = usable & rows["dni"].notna().to_numpy() & rows[difference].isna().any(axis=1).to_numpy()
    rows.loc[alone, [*difference, "dni_standard_error"]] = np.nan
    rows.loc[alone, ["dni_reason_code", "dni_reason"]] = (
        DENOM_NOT_ESTIMABLE,
        "the interval of the difference from placebo is unbounded: with so few patients the "
        "disease effect may be 0",
    )
    rows.loc[unbounded, ["dni_reason_code", "dni_reason"]] = ""
    return rows


def _adjust_for_placebo(
    rows: pd.DataFrame, usable: np.ndarray, ask: _Question, arm: str, week: float
) -> None:
    placebo = ask.placebo_arm
    if arm == placebo:
        rows["dni_reason"] = "this is the placebo arm"
        return
    if arm == UNTREATED_ARM:
        rows["dni_reason"] = "this arm got no treatment"
        return
    if not placebo:
        rows["dni_reason_code"] = NO_PLACEBO
        rows["dni_reason"] = "no placebo arm: the index is uncontrolled"
        return
    group = ask.table.decrease(arm, week, ask.analysis)
    control = ask.table.decrease(placebo, week, ask.analysis)
    rows["placebo_pairs"] = len(control.rows)
    if len(control.rows) < FEWEST_PAIRS:
        rows["dni_reason_code"] = TOO_FEW_PAIRS
        rows["dni_reason"] = (
            f"{placebo} has {len(control.rows)} patients with the samples asked at week "
            f"{number(week)}; at least {FEWEST_PAIRS} are needed"
        )
        return
    minus = type(control)(control.rows, control.values, -1)
    ratio = ask.resamples.ratio([group, minus], ask.confidence)
    rows.loc[usable, "dni"] = ratio.value
    _write_interval(rows, usable, "dni_", ratio)
    start = ask.table.cells[LESIONAL, BASELINE]
    given = baseline_adjusted(
        (group, control),
        (start[group.rows], start[control.rows]),
        ask.resamples.divisor,
        np.sqrt((ask.resamples.divisor_contributions**2).sum(axis=0)),
        ask.confidence,
    )
    columns = ["ancova", "ancova_lower", "ancova_upper", "ancova_p_value"]
    rows.loc[usable, columns] = np.column_stack(
        [given.value, given.lower, given.upper, given.p_value]
    )
    if ratio.interval == FIELLER:
        rows.loc[usable, "dni_reason"] = "exploratory: a group has fewer than 6 people"


def _finish(
    frames: list[pd.DataFrame], names: pd.DataFrame, reference: str, analysis: str, settings: dict
) -> pd.DataFrame:
    if not frames:
        return pd.DataFrame(columns=COLUMNS)
    table = pd.concat(frames, ignore_index=True)
    table["reference"], table["analysis"] = reference, analysis
    primary = table["name"].isin(settings["primary"])
    # What a user adds must not change the false discovery rate of the other names.
    listed = table["level"] == PUBLISHED_AXIS
    added = table["name"].isin(names.index[names["family"] == ADDED])
    table["family"] = np.select([primary, listed, added], ["primary", "none", ADDED], "secondary")
    asked = table["p_value"].where(table["family"].isin(["secondary", ADDED]))
    table["fdr"] = adjust_by_family(asked.to_numpy(), table["family"].to_numpy(dtype=str))
    return table.sort_values(KEYS, kind="stable", ignore_index=True)[COLUMNS]
