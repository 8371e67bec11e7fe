"""The normalization index: how much of the disease effect is gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from adnorm.effects.fit import adjust_by_family
from adnorm.index.means import (
    FEWEST_PATIENTS,
    Denominator,
    Group,
    PatientTable,
    judge_denominator,
)
from adnorm.index.ratio import Ratio, Resamples, fieller_interval, sign_flip_p
from adnorm.study.comparisons import BASELINE, number
from adnorm.study.config import IndexSettings
from adnorm.study.diseases import ATOPIC_DERMATITIS, same_disease
from adnorm.study.vocabulary import (
    Analysis,
    Arm,
    Family,
    Interval,
    Level,
    ReasonCode,
    State,
    Status,
)

KEYS = ["analysis", "reference", "arm", "week", "level", "name"]
_ANCOVA = ["ancova", "ancova_lower", "ancova_upper", "ancova_p_value"]
NUMBERS = [
    *("ni", "lower", "upper", "standard_error", "p_value", "fdr"),
    *("dni", "dni_lower", "dni_upper", "dni_standard_error", *_ANCOVA, "closeness"),
]
COLUMNS = [
    *KEYS,
    *NUMBERS,
    *("family", "pairs", "placebo_pairs", "lost", "denominator", "denominator_se"),
    *("interval", "fieller_lower", "fieller_upper", "status", "reason_code", "reason"),
    *("dni_reason_code", "dni_reason", "basis"),
]


@dataclass(frozen=True)
class _Scores:
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
    settings: IndexSettings,
    seed: int,
    names: pd.DataFrame | None = None,
    analysis: str = Analysis.PRIMARY,
) -> pd.DataFrame:
    """Compute for every arm, visit and name how much of the disease effect is gone.

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
        Its bootstrap, confidence and primary are used.
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
        ``dni_standard_error`` are on the scale of the index; ``p_value`` is of sign flips; ``fdr``
        adjusts the names outside the primary family over all arms and visits, those of a user among
        themselves; ``lost`` are patients with a lesional sample before treatment and none at the
        visit. Rows without a number have the status ``NA``, a reason code and a sentence;
        ``dni_reason_code`` and ``dni_reason`` say it of dNI alone (no code where nothing is
        lacking: on placebo).

    Raises
    ------
    AdnormError
        Several observations of one patient, state and week, or a patient in several arms.
    """
    if names is None:
        names = pd.DataFrame(
            {"level": Level.SET, "reason_code": "", "reason": ""}, index=values.columns
        )
    names = names.loc[values.columns].assign(family=names.get("family", ""))
    matrix = values.to_numpy(dtype=float)
    unknown = ~np.isfinite(matrix).all(axis=0) & _free(names)
    names.loc[unknown, "reason_code"] = ReasonCode.NOT_SCORED
    names.loc[unknown, "reason"] = "no score in this cohort"
    table = PatientTable.of(matrix, observations)
    mean = table.baseline_difference(reference)
    if not mean:
        free = _free(names)
        names.loc[free, "reason_code"] = ReasonCode.NO_REFERENCE
        names.loc[free, "reason"] = f"no {reference} samples at baseline in this cohort"
        frames = [_empty_rows(names, table, *visit, analysis) for visit in table.visits]
        return _finish(frames, names, reference, analysis, settings)

    scored = _free(names)
    mean = table.select(scored).baseline_difference(reference)
    levels = names.loc[scored, "level"].tolist()
    scale = np.abs(matrix[:, scored]).max(axis=0, initial=0.0)
    judged = judge_denominator(
        mean, len(table.patients), levels, reference, scale, settings.confidence
    )
    names.loc[scored, "reason_code"], names.loc[scored, "reason"] = judged.code, judged.reason
    # Nothing is resampled for names that get no number.
    usable = _free(names)
    table = table.select(usable)
    mean = table.baseline_difference(reference)
    resamples = Resamples(table.strata, mean, settings.bootstrap, seed)
    scores = _Scores(
        table, resamples, judged, placebo_arm or "", analysis, settings.confidence, seed
    )
    frames = []
    for visit in table.visits:
        rows = _empty_rows(names, table, *visit, analysis)
        rows.loc[scored, "denominator"] = judged.value
        rows.loc[scored, "denominator_se"] = judged.standard_error
        frames.append(_fill(rows, usable, scores, *visit) if usable.any() else rows)
    return _finish(frames, names, reference, analysis, settings)


def _free(names: pd.DataFrame) -> np.ndarray:
    """Names that have no reason code so far."""
    return (names["reason_code"] == "").to_numpy()


def _empty_rows(
    names: pd.DataFrame, table: PatientTable, arm: str, week: float, analysis: str
) -> pd.DataFrame:
    """Rows of one arm and visit that hold no number yet."""
    rows = pd.DataFrame(np.nan, index=range(len(names)), columns=COLUMNS, dtype=object)
    limits = ["denominator", "denominator_se", "fieller_lower", "fieller_upper"]
    rows = rows.astype(dict.fromkeys([*NUMBERS, *limits], float))
    rows["arm"], rows["week"] = arm, week
    rows["level"], rows["name"] = names["level"].to_numpy(), names.index.to_numpy()
    rows["pairs"] = len(table.decrease(arm, week, analysis).rows)
    rows["placebo_pairs"], rows["lost"] = 0, table.missing_at_visit(arm, week)
    rows[["interval", "dni_reason_code", "dni_reason"]] = ""
    rows["status"] = Status.NOT_AVAILABLE
    rows["reason_code"], rows["reason"] = names["reason_code"].array, names["reason"].array
    return rows


def _fill(
    rows: pd.DataFrame, usable: np.ndarray, scores: _Scores, arm: str, week: float
) -> pd.DataFrame:
    """Write the numbers of one arm and visit into the rows of the usable names."""
    group = scores.table.decrease(arm, week, scores.analysis)
    if len(group.rows) < FEWEST_PATIENTS:
        rows.loc[usable, "reason_code"] = ReasonCode.TOO_FEW_PAIRS
        rows.loc[usable, "reason"] = (
            f"only {len(group.rows)} patients with the samples asked; at least {FEWEST_PATIENTS} "
            "are needed"
        )
        return rows
    ratio = scores.resamples.ratio([group], scores.confidence)
    _write_ratio(rows, usable, "ni", "", ratio)
    rows.loc[usable, "p_value"] = sign_flip_p(group.values, np.random.default_rng(scores.seed))
    rows.loc[usable, "closeness"] = 1 - np.abs(1 - ratio.value)
    rows.loc[usable, "fieller_lower"] = ratio.fieller_lower
    rows.loc[usable, "fieller_upper"] = ratio.fieller_upper
    rows.loc[usable, ["interval", "status"]] = ratio.interval, Status.OK
    if ratio.interval == Interval.FIELLER:
        smallest = min(len(g.rows) for g in [group, *scores.denominator.mean])
        rows.loc[usable, "status"] = Status.EXPLORATORY
        rows.loc[usable, "reason"] = (
            f"exploratory: the smallest group has {smallest} people; the interval is Fieller's"
        )
    _adjust_for_placebo(rows, usable, scores, group, arm, week)
    return _drop_unbounded(rows, usable)


def _write_ratio(
    rows: pd.DataFrame, usable: np.ndarray, column: str, prefix: str, ratio: Ratio
) -> None:
    rows.loc[usable, column] = ratio.value
    rows.loc[usable, f"{prefix}lower"] = ratio.lower
    rows.loc[usable, f"{prefix}upper"] = ratio.upper
    rows.loc[usable, f"{prefix}standard_error"] = ratio.standard_error


def _drop_unbounded(rows: pd.DataFrame, usable: np.ndarray) -> pd.DataFrame:
    """A number whose interval is unbounded is no number."""
    unbounded = usable & rows[["lower", "upper"]].isna().any(axis=1).to_numpy()
    rows.loc[unbounded, [*NUMBERS, "fieller_lower", "fieller_upper"]] = np.nan
    rows.loc[unbounded, "status"] = Status.NOT_AVAILABLE
    rows.loc[unbounded, "interval"] = ""
    rows.loc[unbounded, ["reason_code", "reason"]] = (
        ReasonCode.DENOM_NOT_ESTIMABLE,
        "the interval is unbounded: with so few patients the disease effect may be 0",
    )
    difference = ["dni", "dni_lower", "dni_upper"]
    # The difference needs more than the index: its interval is wider.
    alone = usable & rows["dni"].notna().to_numpy() & rows[difference].isna().any(axis=1).to_numpy()
    rows.loc[alone, [*difference, "dni_standard_error"]] = np.nan
    rows.loc[alone, ["dni_reason_code", "dni_reason"]] = (
        ReasonCode.DENOM_NOT_ESTIMABLE,
        "the interval of the difference from placebo is unbounded: with so few patients the "
        "disease effect may be 0",
    )
    rows.loc[unbounded, ["dni_reason_code", "dni_reason"]] = ""
    return rows


def _adjust_for_placebo(
    rows: pd.DataFrame,
    usable: np.ndarray,
    scores: _Scores,
    group: Group,
    arm: str,
    week: float,
) -> None:
    """Write the difference from placebo, plain and given the baseline, or why there is none."""
    placebo = scores.placebo_arm
    if arm == placebo:
        rows["dni_reason"] = "this is the placebo arm"
        return
    if arm == Arm.UNTREATED:
        rows["dni_reason"] = "this arm got no treatment"
        return
    if not placebo:
        rows["dni_reason_code"] = ReasonCode.NO_PLACEBO
        rows["dni_reason"] = "no placebo arm: the index is uncontrolled"
        return
    control = scores.table.decrease(placebo, week, scores.analysis)
    rows["placebo_pairs"] = len(control.rows)
    if len(control.rows) < FEWEST_PATIENTS:
        rows["dni_reason_code"] = ReasonCode.TOO_FEW_PAIRS
        rows["dni_reason"] = (
            f"{placebo} has {len(control.rows)} patients with the samples asked at week "
            f"{number(week)}; at least {FEWEST_PATIENTS} are needed"
        )
        return
    minus = Group(control.rows, control.values, -1)
    ratio = scores.resamples.ratio([group, minus], scores.confidence)
    _write_ratio(rows, usable, "dni", "dni_", ratio)
    start = scores.table.values[State.LESIONAL, BASELINE]
    adjusted = baseline_adjusted(
        (group, control),
        (start[group.rows], start[control.rows]),
        scores.resamples.divisor,
        scores.resamples.divisor_error,
        scores.confidence,
    )
    rows.loc[usable, _ANCOVA] = np.column_stack(adjusted)
    if ratio.interval == Interval.FIELLER:
        rows.loc[usable, "dni_reason"] = "exploratory: a group has fewer than 6 people"


def _finish(
    frames: list[pd.DataFrame],
    names: pd.DataFrame,
    reference: str,
    analysis: str,
    settings: IndexSettings,
) -> pd.DataFrame:
    """Join the visits, add the family of every row, and adjust p-values within families."""
    if not frames:
        return pd.DataFrame(columns=COLUMNS)
    table = pd.concat(frames, ignore_index=True)
    table["reference"], table["analysis"] = reference, analysis
    primary = table["name"].isin(settings.primary)
    # What a user adds must not change the false discovery rate of the other names.
    listed = table["level"] == Level.PUBLISHED_AXIS
    added = table["name"].isin(names.index[names["family"] == Family.ADDED])
    families = [Family.PRIMARY, Family.NONE, Family.ADDED]
    table["family"] = np.select([primary, listed, added], families, Family.SECONDARY)
    adjustable = table["family"].isin([Family.SECONDARY, Family.ADDED])
    p_values = table["p_value"].where(adjustable).to_numpy()
    table["fdr"] = adjust_by_family(p_values, table["family"].to_numpy(dtype=str))
    return table.sort_values(KEYS, kind="stable", ignore_index=True)[COLUMNS]


# ---------------------------------------------------------------- analysis of covariance


class Adjusted(NamedTuple):
    """Arm − placebo on the scale of the index, shape (names,); NaN where the interval is unbounded.

    The p-value is two-sided, of no difference between the arms.
    """

    value: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    p_value: np.ndarray


def baseline_adjusted(
    arms: tuple[Group, Group],
    baselines: tuple[np.ndarray, np.ndarray],
    divisor: np.ndarray,
    divisor_error: np.ndarray,
    confidence: float,
) -> Adjusted:
    """Compare two arms by analysis of covariance and divide by the disease effect.

    The model is LS_t = mean of the arm + β LS_0 + residual, with a variance of the residual in each
    arm: patients who start higher by chance fall further, and the difference between the arms is
    freed of it. A drug that helps some patients and not others spreads them more than placebo does,
    and one variance for both arms would be wrong by as much as the arms differ in size. The degrees
    of freedom are those of Welch and Satterthwaite. Given LS_0 the difference is independent of the
    disease effect, so that Fieller's interval needs no covariance.

    `arms` are the decreases LS_0 − LS_t of the drug arm and of placebo, `baselines` LS_0 of the
    same patients, `divisor` is the disease effect.

    References
    ----------
    Vickers A J, Altman D G (2001). BMJ 323:1123-1124.
    Welch B L (1947). Biometrika 34:28-35. Satterthwaite F E (1946). Biometrics Bulletin 2:110-114.
    """
    changes = [group.values for group in arms]
    y, x = ([v - v.mean(axis=0) for v in values] for values in (changes, baselines))
    own = np.stack([(v**2).sum(axis=0) for v in x])
    squares = own.sum(axis=0)
    varies = squares > 1e-20 * np.maximum((np.concatenate(baselines) ** 2).sum(axis=0), 1e-300)
    safe = np.where(varies, squares, 1.0)
    products = sum((u * v).sum(axis=0) for u, v in zip(x, y, strict=True))
    slope = np.where(varies, products / safe, 0.0)
    apart = np.where(varies, baselines[0].mean(axis=0) - baselines[1].mean(axis=0), 0.0)
    value = changes[0].mean(axis=0) - changes[1].mean(axis=0) - slope * apart
    leverage = np.where(varies, own / safe, 0.0)
    left = np.stack([((v - slope * u) ** 2).sum(axis=0) for u, v in zip(x, y, strict=True)])
    sizes = np.array([[len(change)] for change in changes], dtype=float)
    noise = residual_variances(left, sizes, leverage)
    parts = noise * (1 / sizes + leverage * apart**2 / safe)
    variance = parts.sum(axis=0)
    squared = (parts**2 / (sizes - 1 - leverage)).sum(axis=0)
    freedom = np.full(len(value), sizes.sum() - 3)
    np.divide(variance**2, squared, out=freedom, where=squared > 0)
    away = np.full(len(value), np.inf)
    np.divide(np.abs(value), np.sqrt(variance), out=away, where=variance > 0)
    away[value == 0] = 0.0
    covariance = variance, divisor_error**2, np.zeros(len(value))
    lower, upper = fieller_interval(value, divisor, covariance, freedom, confidence)
    bounded = np.isfinite(lower)
    return Adjusted(
        np.where(bounded, value / divisor, np.nan), lower, upper, 2 * stats.t.sf(away, freedom)
    )


def residual_variances(left: np.ndarray, sizes: np.ndarray, leverage: np.ndarray) -> np.ndarray:
    """Estimate the residual variance of each arm around one slope, without bias.

    A slope that both arms share moves the residuals of either arm by the noise of the other one, so
    the expected sums of squares are two equations in the two variances: σ_a² (n_a − 1 − 2 h_a +
    h_a²) + σ_b² h_a h_b, with h_a (`leverage`) the share of arm a in the sum of squares of LS_0 and
    `left` the sums of squares of the residuals, shape (2, names).
    """
    own = sizes - 1 - 2 * leverage + leverage**2
    both = leverage.prod(axis=0)
    found = own[::-1] * left - both * left[::-1]
    return np.maximum(found / (own.prod(axis=0) - both**2), 0.0)


# ---------------------------------------------------------------- label swap

#: One or two sets against their direction may be this cohort's biology.
FEWEST_SETS = 3


def label_swap(
    values: pd.DataFrame,
    names: pd.DataFrame,
    observations: pd.DataFrame,
    reference: str,
    confidence: float,
    disease: str = ATOPIC_DERMATITIS,
) -> str:
    """Warn that the labels of lesional and reference skin look exchanged; empty if they do not.

    A set brings its direction from outside and is refused where the cohort runs against it. An axis
    that the cohort trained itself, and single genes, have no direction but the one that the labels
    give them, so they ask the sets: the labels look exchanged when more sets are significantly
    against the disease than with it, and at least three.

    Parameters
    ----------
    values, names, observations, reference
        Scores of gene sets, as for `normalization_index`.
    confidence
        Of the bounds that must be on one side of 0.
    disease
        Of the cohort: another one than that of the sets may move them otherwise.
    """
    chosen = _free(names) & np.isfinite(values.to_numpy(dtype=float)).all(axis=0)
    matrix = values.loc[:, chosen].to_numpy(dtype=float)
    table = PatientTable.of(matrix, observations)
    mean = table.baseline_difference(reference)
    if not mean or not chosen.any():
        return ""
    scale, levels = np.abs(matrix).max(axis=0), [Level.SET] * matrix.shape[1]
    codes = judge_denominator(mean, len(table.patients), levels, reference, scale, confidence).code
    against, sound = codes.count(ReasonCode.DIRECTION_CONTRADICTED), codes.count("")
    if against < FEWEST_SETS or against <= sound:
        return ""
    warning = (
        f"{against} of {len(codes)} gene sets with a direction run against it at baseline and "
        f"{sound} with it: lesional and {reference} labels look exchanged"
    )
    if same_disease(disease, ATOPIC_DERMATITIS):
        return warning
    return f"{warning}, or {disease} moves these sets otherwise than {ATOPIC_DERMATITIS} does"
