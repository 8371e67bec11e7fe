"""The confirmatory comparison with placebo: later scores given the score at baseline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from adnorm.index.groups import Group
from adnorm.index.resample import fieller_interval


@dataclass(frozen=True)
class Adjusted:
    """Arm − placebo on the scale of the index; all arrays have shape (names,).

    Attributes
    ----------
    value, lower, upper
        NaN where the interval is unbounded.
    p_value
        Two-sided, of no difference between the arms.
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

    The model is LS_t = mean of the arm + β LS_0: patients who start higher by chance fall further,
    and the difference between the arms is freed of it. Given LS_0 it is independent of the disease
    effect, so that Fieller's interval needs no covariance.

    Parameters
    ----------
    arms
        Decreases LS_0 − LS_t of the drug arm and of placebo.
    baselines
        LS_0 of the same patients, each of shape (patients, names).
    divisor, divisor_error
        The disease effect and its standard error, shape (names,).
    confidence
        Coverage of the interval.

    References
    ----------
    Vickers A J, Altman D G (2001). BMJ 323:1123-1124.
    """
    changes = [group.values for group in arms]
    y, x = (np.concatenate([v - v.mean(axis=0) for v in vs]) for vs in (changes, baselines))
    squares = (x**2).sum(axis=0)
    varies = squares > 1e-20 * np.maximum((np.concatenate(baselines) ** 2).sum(axis=0), 1e-300)
    safe = np.where(varies, squares, 1.0)
    slope = np.where(varies, (x * y).sum(axis=0) / safe, 0.0)
    apart = np.where(varies, baselines[0].mean(axis=0) - baselines[1].mean(axis=0), 0.0)
    value = changes[0].mean(axis=0) - changes[1].mean(axis=0) - slope * apart
    freedom = len(y) - 3
    noise = ((y - slope * x) ** 2).sum(axis=0) / freedom
    variance = noise * (sum(1 / len(change) for change in changes) + apart**2 / safe)
    away = np.full(len(value), np.inf)
    np.divide(np.abs(value), np.sqrt(variance), out=away, where=variance > 0)
    away[value == 0] = 0.0
    covariance = variance, divisor_error**2, np.zeros(len(value))
    lower, upper = fieller_interval(value, divisor, covariance, freedom, confidence)
    bounded = np.isfinite(lower)
    return Adjusted(
        np.where(bounded, value / divisor, np.nan), lower, upper, 2 * stats.t.sf(away, freedom)
    )
