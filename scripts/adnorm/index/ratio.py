"""The ratio of two means of patients with its intervals: bootstrap (BCa), Fieller, sign flips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from adnorm.index.means import (
    FEWEST_FOR_BOOTSTRAP,
    Mean,
    contributions,
    estimate,
    replicates,
    smallest,
)
from adnorm.study.vocabulary import Interval

#: Up to this many pairs all sign flips are enumerated.
EXACT_PAIRS = 12
FLIPS = 10_000


@dataclass(frozen=True)
class Ratio:
    """An index with its uncertainty; all arrays have shape (names,).

    `lower` and `upper` are the interval that `interval` names; Fieller's stands beside it as the
    analytic check. The standard error is that of the bootstrap, corrected for few patients; for
    Fieller's interval it comes by linearization.
    """

    value: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    standard_error: np.ndarray
    fieller_lower: np.ndarray
    fieller_upper: np.ndarray
    interval: Interval


class Resamples:
    """Resampled patients of a cohort, and one denominator under all of them.

    Parameters
    ----------
    strata
        Code of each patient's arm, shape (patients,).
    denominator
        The mean that is divided by.
    draws
        Number of bootstrap resamples.
    seed
        Of the resamples.
    """

    def __init__(self, strata: np.ndarray, denominator: Mean, draws: int, seed: int) -> None:
        self.strata = strata
        self.denominator = denominator
        self.bootstrap = bootstrap_weights(strata, draws, np.random.default_rng(seed))
        self.jackknife = jackknife_weights(len(strata))
        self.divisor = estimate(denominator)
        self.divisor_bootstrap = replicates(denominator, self.bootstrap)
        self.divisor_jackknife = replicates(denominator, self.jackknife)
        self.divisor_contributions = contributions(denominator, len(strata))

    @property
    def divisor_error(self) -> np.ndarray:
        """Standard error of the denominator, shape (names,)."""
        return np.sqrt((self.divisor_contributions**2).sum(axis=0))

    def ratio(self, numerator: Mean, confidence: float) -> Ratio:
        """Divide a mean (decrease of an arm, or a difference of two) by the denominator."""
        value = estimate(numerator) / self.divisor
        sizes = self._sizes(numerator)
        fieller, linear_error = self._fieller(numerator, value, sizes, confidence)
        if smallest([*numerator, *self.denominator]) < FEWEST_FOR_BOOTSTRAP:
            return Ratio(value, *fieller, linear_error, *fieller, Interval.FIELLER)
        estimates = replicates(numerator, self.bootstrap) / self.divisor_bootstrap
        left_out = replicates(numerator, self.jackknife) / self.divisor_jackknife
        influences, acceleration = influence(left_out, self.strata)
        quantile, inflation = small_sample_quantile(influences, self.strata, sizes, confidence)
        lower, upper = bca_interval(estimates, value, acceleration, quantile)
        error = np.nanstd(estimates, axis=0) * inflation
        return Ratio(value, lower, upper, error, *fieller, Interval.BCA)

    def _sizes(self, numerator: Mean) -> np.ndarray:
        """Patients of each stratum that a ratio rests on, shape (strata,)."""
        sizes = np.zeros(self.strata.max() + 1)
        # The numerator varies most, so where it has patients they are the ones that count.
        for mean in (self.denominator, numerator):
            for group in mean:
                counts = np.bincount(self.strata[group.rows], minlength=len(sizes))
                sizes = np.where(counts > 0, counts, sizes)
        return sizes

    def _fieller(
        self, numerator: Mean, value: np.ndarray, sizes: np.ndarray, confidence: float
    ) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
        top, bottom = contributions(numerator, len(self.strata)), self.divisor_contributions
        covariance = (top**2).sum(axis=0), (bottom**2).sum(axis=0), (top * bottom).sum(axis=0)
        squares = (top - value * bottom) ** 2
        total = squares.sum(axis=0)
        weighted = sum(
            squares[self.strata == code].sum(axis=0) ** 2 / max(size - 1, 1)
            for code, size in enumerate(sizes)
        )
        df = np.divide(total**2, weighted, out=np.full(len(total), np.inf), where=weighted > 0)
        limits = fieller_interval(estimate(numerator), self.divisor, covariance, df, confidence)
        return limits, np.sqrt(total) / np.abs(self.divisor)


# ---------------------------------------------------------------- bootstrap


def bootstrap_weights(strata: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Draw how often each patient is in each resample, shape (draws, patients).

    Patients are resampled within their stratum (the code of their arm); all biopsies of a patient
    travel together, because the patient is what is drawn.
    """
    weights = np.empty((draws, len(strata)))
    for code in np.unique(strata):
        members = np.flatnonzero(strata == code)
        size = len(members)
        weights[:, members] = rng.multinomial(size, np.full(size, 1 / size), size=draws)
    return weights


def jackknife_weights(patients: int) -> np.ndarray:
    """Weights that leave out one patient per row, shape (patients, patients)."""
    return 1.0 - np.eye(patients)


def influence(jackknife: np.ndarray, strata: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turn leave-one-out estimates (patients, …) into empirical influence values.

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
    values, strata
        Influence of each patient, shape (patients, …), and the code of their stratum.
    sizes
        Patients of each stratum that the estimate rests on, shape (strata,).
    confidence
        Coverage of the interval.

    Returns
    -------
    quantile, inflation : ndarray, shape (…)
        To be used for the upper standard normal quantile, and the factor between the standard
        deviation of the bootstrap and the unbiased standard error.

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

    `scipy.stats.bootstrap` cannot resample patients with several biopsies within arms.

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


# ---------------------------------------------------------------- without resamples


def fieller_interval(
    numerator: np.ndarray,
    denominator: np.ndarray,
    covariance: tuple[np.ndarray, np.ndarray, np.ndarray],
    df: np.ndarray | float,
    confidence: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Confidence interval of a ratio of two means by Fieller's theorem.

    NaN where the denominator is not separated from 0, so that the interval is unbounded.

    Parameters
    ----------
    numerator, denominator
        The two means, shape (k,).
    covariance
        Variance of the numerator, variance of the denominator, and their covariance, each (k,).
    df, confidence
        Of the t quantile.

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

    The share of sign flips of the differences (patients, k) whose sum is at least as far from 0 as
    the observed one. Up to 12 patients all flips are enumerated; of drawn flips the observed one
    is one.
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
