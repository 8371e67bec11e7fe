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

    The model is LS_t = mean of the arm + β LS_0 + residual, with a variance of the residual in each
    arm: patients who start higher by chance fall further, and the difference between the arms is
    freed of it. A drug that helps some patients and not others spreads them more than placebo does,
    and one variance for both arms would be wrong by as much as the arms differ in size. The degrees
    of freedom are those of Welch and Satterthwaite. Given LS_0 the difference is independent of the
    disease effect, so that Fieller's interval needs no covariance.

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
    h_a²) + σ_b² h_a h_b, with h_a the share of arm a in the sum of squares of LS_0.

    Parameters
    ----------
    left
        Sums of squares of the residuals, shape (2, names).
    sizes
        Patients of each arm, shape (2, 1).
    leverage
        h, shape (2, names); 0 where LS_0 does not vary.

    Returns
    -------
    ndarray, shape (2, names)
        At least 0.
    """
    own = sizes - 1 - 2 * leverage + leverage**2
    both = leverage.prod(axis=0)
    found = own[::-1] * left - both * left[::-1]
    return np.maximum(found / (own.prod(axis=0) - both**2), 0.0)
