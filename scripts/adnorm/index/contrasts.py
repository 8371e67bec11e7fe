"""Arms compared given the score at baseline.

Patients who start higher by chance fall further, so the comparison of their decreases is given the
score at baseline: by an analysis of covariance where all visits were seen, by the model of repeated
measures where some were not, and by the differences within patients where lesions of one patient
are in several arms. A comparison is a contrast of arms: drug − placebo, or a slope over doses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

from adnorm.index.means import Group, PatientMean, PatientTable
from adnorm.index.mmrm import RepeatedMeasures
from adnorm.index.ratio import Divisor, Ratio, fieller_interval
from adnorm.study.comparisons import BASELINE
from adnorm.study.vocabulary import Analysis, State


def compare_arms(
    table: PatientTable,
    weights: Mapping[str, float],
    week: float,
    divisor: Divisor,
    confidence: float,
    analysis: str = Analysis.PRIMARY,
    repeated: RepeatedMeasures | None = None,
) -> Ratio:
    """Contrast the decreases of some arms at a visit, given the baseline, as a part of D.

    Parameters
    ----------
    table
        Scores of the patients.
    weights
        Of the arms in the contrast; they add up to 0.
    week
        The visit.
    divisor
        The disease effect.
    confidence
        Of the interval.
    analysis
        ``unadjusted`` and ``time_matched`` give the plain contrast, not given the baseline;
        ``completers`` and ``time_matched`` also choose patients (`PatientTable.decrease`).
    repeated
        Model of all visits, taken where one of the arms lacks a visit; ``None``: observed pairs.

    Returns
    -------
    Ratio
        Over the names of the table.
    """
    share = np.array(list(weights.values()))
    groups = compared_groups(table, list(weights), week, analysis)
    model = repeated if table.incomplete(list(weights)) else None
    if model is None:
        means = [table.mean([group]) for group in groups]
    else:
        means = [model.decrease(arm, week) for arm in weights]
    plain = means[0] * share[0]
    for mean, weight in zip(means[1:], share[1:], strict=True):
        plain = plain + mean * weight
    if analysis in (Analysis.UNADJUSTED, Analysis.TIME_MATCHED):
        return divisor.ratio(plain, confidence)
    if model is not None:
        return divisor.ratio(model.contrast(weights, week), confidence, independent=True)
    smallest = min(plain.smallest, divisor.mean.smallest)
    start = table.values[State.LESIONAL, BASELINE]
    baselines = [start[group.rows] for group in groups]
    compare = baseline_adjusted if table.person is None else baseline_adjusted_within
    return compare(groups, baselines, share, divisor.mean, confidence, smallest)


def compared_groups(
    table: PatientTable, arms: Sequence[str], week: float, analysis: str = Analysis.PRIMARY
) -> list[Group]:
    """Decreases of the patients who are compared, by arm.

    Of lesions in several arms these are the patients who have one in every arm, in the same order.
    """
    groups = [table.decrease(arm, week, analysis) for arm in arms]
    return groups if table.person is None else _same_patients(groups, table.person)


def _same_patients(arms: Sequence[Group], person: np.ndarray) -> list[Group]:
    """Keep the patients who have a lesion in every arm, in the same order."""
    owners = [person[arm.rows] for arm in arms]
    common = set(owners[0]).intersection(*owners[1:])
    kept = []
    for arm, owner in zip(arms, owners, strict=True):
        order = np.argsort(owner)
        order = order[np.isin(owner[order], list(common))]
        kept.append(Group(arm.rows[order], arm.values[order]))
    return kept


def baseline_adjusted(
    arms: Sequence[Group],
    baselines: Sequence[np.ndarray],
    weights: np.ndarray,
    divisor: PatientMean,
    confidence: float,
    smallest: int = 0,
) -> Ratio:
    """Contrast arms by analysis of covariance and divide by the disease effect.

    The model is LS_t = mean of the arm + β LS_0 + residual, with a variance of the residual in each
    arm: patients who start higher by chance fall further, and the contrast of the arms is freed of
    it. A drug that helps some patients and not others spreads them more than placebo does, and one
    variance for all arms would be wrong by as much as the arms differ in size. The degrees of
    freedom are those of Welch and Satterthwaite. Given LS_0 the contrast is independent of the
    disease effect, so that Fieller's interval needs no covariance.

    Parameters
    ----------
    arms, baselines
        Decreases LS_0 − LS_t of every arm, and LS_0 of the same patients.
    weights
        Of the arms, adding up to 0: 1 and −1 for a drug and placebo.
    divisor
        The disease effect.
    confidence
        Of the interval.
    smallest
        Patients in the smallest group, to be written into the result.

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
    apart = np.where(varies, weights @ np.stack([v.mean(axis=0) for v in baselines]), 0.0)
    value = weights @ np.stack([v.mean(axis=0) for v in changes]) - slope * apart
    leverage = np.where(varies, own / safe, 0.0)
    left = np.stack([((v - slope * u) ** 2).sum(axis=0) for u, v in zip(x, y, strict=True)])
    sizes = np.array([[len(change)] for change in changes], dtype=float)
    noise = residual_variances(left, sizes, leverage)
    parts = noise * (weights[:, None] ** 2 / sizes + leverage * apart**2 / safe)
    variance = parts.sum(axis=0)
    squared = (parts**2 / (sizes - 1 - leverage)).sum(axis=0)
    freedom = np.full(len(value), sizes.sum() - len(arms) - 1)
    np.divide(variance**2, squared, out=freedom, where=squared > 0)
    return _over_disease_effect(value, variance, divisor, freedom, confidence, smallest)


def baseline_adjusted_within(
    arms: Sequence[Group],
    baselines: Sequence[np.ndarray],
    weights: np.ndarray,
    divisor: PatientMean,
    confidence: float,
    smallest: int = 0,
) -> Ratio:
    """Contrast the lesions of each patient and divide by the disease effect.

    The model is: contrast of the decreases = effect + β × contrast of the baselines + residual, one
    row per patient. What a patient does in all lesions cancels out, and a lesion that starts higher
    by chance falls further. Degrees of freedom are patients − 2 (− 1 where one sample is the
    baseline of all lesions, so that there is no slope). Parameters as for `baseline_adjusted`; the
    rows of the arms are the same patients, in the same order.

    References
    ----------
    Metcalfe C (2010). Stat Med 29:3211-3218 (baselines in trials that compare within patients).
    """
    y = np.tensordot(weights, np.stack([arm.values for arm in arms]), 1)
    x = np.tensordot(weights, np.stack(baselines), 1)
    count = len(y)
    centred = x - x.mean(axis=0)
    squares = (centred**2).sum(axis=0)
    level = (np.concatenate(baselines) ** 2).sum(axis=0)
    varies = (squares > 1e-20 * np.maximum(level, 1e-300)) & (count > 2)
    safe = np.where(varies, squares, 1.0)
    slope = np.where(varies, (centred * (y - y.mean(axis=0))).sum(axis=0) / safe, 0.0)
    apart = np.where(varies, x.mean(axis=0), 0.0)
    value = y.mean(axis=0) - slope * apart
    freedom = np.where(varies, count - 2, count - 1).astype(float)
    left = ((y - y.mean(axis=0) - slope * centred) ** 2).sum(axis=0)
    variance = left / freedom * (1 / count + apart**2 / safe)
    return _over_disease_effect(value, variance, divisor, freedom, confidence, smallest)


def _over_disease_effect(
    value: np.ndarray,
    variance: np.ndarray,
    divisor: PatientMean,
    freedom: np.ndarray,
    confidence: float,
    smallest: int,
) -> Ratio:
    """Divide a contrast, given the baseline and so independent of it, by the disease effect."""
    away = np.full(len(value), np.inf)
    np.divide(np.abs(value), np.sqrt(variance), out=away, where=variance > 0)
    away[value == 0] = 0.0
    covariance = variance, divisor.variance, np.zeros(len(value))
    lower, upper = fieller_interval(value, divisor.value, covariance, freedom, confidence)
    ratio = value / divisor.value
    error = np.sqrt(variance + ratio**2 * divisor.variance) / np.abs(divisor.value)
    return Ratio(ratio, lower, upper, error, 2 * stats.t.sf(away, freedom), freedom, smallest)


def residual_variances(left: np.ndarray, sizes: np.ndarray, leverage: np.ndarray) -> np.ndarray:
    """Estimate the residual variance of each arm around one slope, without bias.

    A slope that arms share moves the residuals of each by the noise of the others, so the expected
    sums of squares are as many equations as there are variances: σ_a² (n_a − 1 − 2 h_a + h_a²) +
    Σ σ_b² h_a h_b over the other arms, with h_a (`leverage`) the share of arm a in the sum of
    squares of LS_0 and `left` the sums of squares of the residuals, shape (arms, names).
    """
    moments = np.einsum("an,bn->nab", leverage, leverage)
    arms = np.arange(len(sizes))
    moments[:, arms, arms] += (sizes - 1 - 2 * leverage).T
    found = np.linalg.solve(moments, left.T[:, :, None])[:, :, 0].T
    return np.maximum(found, 0.0)
