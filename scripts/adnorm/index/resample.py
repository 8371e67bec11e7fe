"""Resampling of patients: bootstrap, BCa and Fieller intervals, sign flips."""

from __future__ import annotations

import numpy as np
from scipy import stats

#: Up to this many pairs all sign flips are enumerated.
EXACT_PAIRS = 12
FLIPS = 10_000


def bootstrap_weights(strata: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Draw how often each patient is in each resample, patients resampled within their stratum.

    All biopsies of a patient travel together, because the patient is what is drawn.

    Parameters
    ----------
    strata
        Code of each patient's stratum (the arm), 0 … k − 1, shape (patients,).
    draws
        Number of resamples.
    rng
        Source of chance.

    Returns
    -------
    ndarray, shape (draws, patients)
        Counts; they add up to the size of each stratum in every resample.
    """
    weights = np.empty((draws, len(strata)))
    for code in np.unique(strata):
        members = np.flatnonzero(strata == code)
        size = len(members)
        weights[:, members] = rng.multinomial(size, np.full(size, 1 / size), size=draws)
    return weights


def jackknife_weights(patients: int) -> np.ndarray:
    """Weights that leave out one patient a row, shape (patients, patients)."""
    return 1.0 - np.eye(patients)


def influence(jackknife: np.ndarray, strata: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turn leave-one-out estimates into empirical influence values, stratum by stratum.

    Parameters
    ----------
    jackknife
        Estimate without each patient, shape (patients, …).
    strata
        Code of each patient's stratum, shape (patients,).

    Returns
    -------
    values : ndarray, shape of `jackknife`
        Influence of each patient, divided by the size of the stratum; the sum of squares is the
        variance of the estimate that the bootstrap sees.
    acceleration : ndarray, shape (…)
        Of the BCa interval; 0 where nothing varies.

    References
    ----------
    Efron B (1987). J Am Stat Assoc 82:171–185; for several samples, Davison A C, Hinkley D V
    (1997), Bootstrap Methods and their Application, section 5.3.
    """
    values = np.zeros_like(jackknife)
    for code in np.unique(strata):
        rows = strata == code
        size = rows.sum()
        # With one patient nothing can be left out; the stratum says nothing about variation.
        if size > 1:
            of_stratum = jackknife[rows]
            values[rows] = (size - 1) * (of_stratum.mean(axis=0) - of_stratum) / size
    squares, cubes = (values**2).sum(axis=0), (values**3).sum(axis=0)
    acceleration = np.divide(
        cubes, 6 * squares**1.5, out=np.zeros_like(squares), where=squares > 1e-300
    )
    return values, acceleration


def small_sample_quantile(
    values: np.ndarray, strata: np.ndarray, sizes: np.ndarray, confidence: float
) -> tuple[np.ndarray, np.ndarray]:
    """Widen the normal quantile of a bootstrap interval for few patients.

    The bootstrap takes the variance with divisor n instead of n − 1 and the normal instead of the
    t distribution, so its intervals are too short for few patients. The degrees of freedom are
    those of Welch and Satterthwaite over the strata.

    Parameters
    ----------
    values
        Influence values, shape (patients, …).
    strata
        Code of each patient's stratum, shape (patients,).
    sizes
        Patients of each stratum that the estimate rests on, shape (strata,).
    confidence
        Coverage of the interval.

    Returns
    -------
    quantile : ndarray, shape (…)
        To be used for the upper standard normal quantile.
    inflation : ndarray, shape (…)
        Factor between the standard deviation of the bootstrap and the unbiased standard error.

    References
    ----------
    Hesterberg T C (2015). Am Stat 69:371–386 (the expanded percentile interval).
    """
    plain = np.stack([(values[strata == code] ** 2).sum(axis=0) for code in range(len(sizes))])
    freedom = np.maximum(sizes - 1.0, 1.0).reshape(-1, *[1] * (plain.ndim - 1))
    unbiased = plain * (freedom + 1) / freedom
    total = unbiased.sum(axis=0)
    varies = total > 1e-300
    squared = (unbiased**2 / freedom).sum(axis=0)
    df = np.divide(total**2, squared, out=np.ones_like(total), where=varies & (squared > 0))
    inflation = np.sqrt(np.divide(total, plain.sum(axis=0), out=np.ones_like(total), where=varies))
    return inflation * stats.t.ppf(0.5 + confidence / 2, df), inflation


def bca_interval(
    estimates: np.ndarray,
    point: np.ndarray,
    acceleration: np.ndarray,
    quantile: np.ndarray | float,
) -> tuple[np.ndarray, np.ndarray]:
    """Bias-corrected and accelerated bootstrap interval.

    Parameters
    ----------
    estimates
        Bootstrap estimates, shape (draws, k). Resamples without any pair are NaN and left out.
    point
        Estimate from the data, shape (k,).
    acceleration
        Shape (k,).
    quantile
        Upper standard normal quantile of the interval, or `small_sample_quantile`, shape (k,).

    Returns
    -------
    lower, upper : ndarray, shape (k,)

    References
    ----------
    Efron B (1987). J Am Stat Assoc 82:171–185.
    """
    ordered = np.sort(estimates, axis=0)  # NaN last
    count = np.maximum(np.isfinite(ordered).sum(axis=0), 1)
    # Rounding must not decide on which side of the estimate a resample falls.
    noise = 1e-12 * np.maximum(np.abs(point), 1.0)
    below = (estimates < point - noise).sum(axis=0)
    level = (below + 0.5 * (np.abs(estimates - point) <= noise).sum(axis=0)) / count
    bias = stats.norm.ppf(np.clip(level, 0.5 / count, 1 - 0.5 / count))
    limits = []
    for z in (-np.asarray(quantile), np.asarray(quantile)):
        shifted = bias + z
        # Beyond the pole of the transformation lies the most extreme resample.
        scale = np.maximum(1 - acceleration * shifted, 1e-6)
        limits.append(_quantile(ordered, count, stats.norm.cdf(bias + shifted / scale)))
    return limits[0], limits[1]


def _quantile(ordered: np.ndarray, count: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Read one quantile per column (linear interpolation) of columns sorted with NaN last."""
    place = level * (count - 1)
    low = np.floor(place).astype(int)
    high = np.minimum(low + 1, count - 1)
    columns = np.arange(ordered.shape[1])
    first, second = ordered[low, columns], ordered[high, columns]
    return first + (place - low) * (second - first)


def fieller_interval(
    numerator: np.ndarray,
    denominator: np.ndarray,
    covariance: tuple[np.ndarray, np.ndarray, np.ndarray],
    df: np.ndarray | float,
    confidence: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Confidence interval of a ratio of two means by Fieller's theorem.

    Parameters
    ----------
    numerator, denominator
        The two means, shape (k,).
    covariance
        Variance of the numerator, variance of the denominator, and their covariance, each (k,).
    df
        Degrees of freedom of the t quantile.
    confidence
        Coverage of the interval.

    Returns
    -------
    lower, upper : ndarray, shape (k,)
        NaN where the denominator is not separated from 0, so that the interval is unbounded.

    References
    ----------
    Fieller E C (1954). J R Stat Soc B 16:175–185.
    """
    top, bottom, both = covariance
    t2 = stats.t.ppf(0.5 + confidence / 2, df) ** 2
    a = denominator**2 - t2 * bottom
    b = numerator * denominator - t2 * both
    c = numerator**2 - t2 * top
    bounded = a > 0
    safe = np.where(bounded, a, 1.0)
    root = np.sqrt(np.maximum(b**2 - a * c, 0.0))
    return (
        np.where(bounded, (b - root) / safe, np.nan),
        np.where(bounded, (b + root) / safe, np.nan),
    )


def sign_flip_p(differences: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Two-sided p-value that baseline and visit are exchangeable within patients.

    Parameters
    ----------
    differences
        Difference of each patient, shape (pairs, k).
    rng
        Source of chance; not used up to 12 pairs, where all flips are enumerated.

    Returns
    -------
    ndarray, shape (k,)
        Share of sign flips whose sum is at least as far from 0 as the observed one; with drawn
        flips the observed one counts as one of them.
    """
    pairs = len(differences)
    if pairs <= EXACT_PAIRS:
        # A flip of all signs has the same distance from 0, so the first patient stays.
        codes = np.arange(2 ** (pairs - 1))[:, None]
        signs = 1.0 - 2.0 * ((codes >> np.arange(pairs)) & 1)
    else:
        signs = 1.0 - 2.0 * rng.integers(0, 2, size=(FLIPS, pairs))
        signs[0] = 1.0
    observed = np.abs(differences.sum(axis=0))
    noise = 1e-9 * np.abs(differences).sum(axis=0)
    return (np.abs(signs @ differences) >= observed - noise).mean(axis=0)
