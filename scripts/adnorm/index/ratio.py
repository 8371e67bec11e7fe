"""The ratio of two means of patients: Fieller's interval, its p-value, equivalence, sign flips.

Of the intervals that were tried, Fieller's is the one whose worst case is best: over normal, heavy
and skewed noise, counts with latent factors, 6 to 30 patients and any size of the disease effect
(benchmarks/calibration.md). A bootstrap with bias correction and acceleration covers 86 to 92 % of
trials with few patients.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from adnorm.index.means import PatientMean

#: Up to this many pairs all sign flips are enumerated.
EXACT_PAIRS = 12
FLIPS = 10_000


@dataclass(frozen=True)
class Ratio:
    """A ratio of two means with its uncertainty; arrays have shape (names,).

    `lower` and `upper` are Fieller's, NaN where the interval is unbounded. The p-value is of the
    numerator being 0, with the same degrees of freedom, so that it agrees with the interval. The
    standard error comes by linearization.
    """

    value: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    standard_error: np.ndarray
    p_value: np.ndarray
    freedom: np.ndarray
    #: Patients in the smallest group that it rests on.
    smallest: int


@dataclass(frozen=True)
class Divisor:
    """A mean that others are divided by; `strata` is the code of each patient's arm."""

    mean: PatientMean
    strata: np.ndarray

    def ratio(
        self,
        top: PatientMean,
        confidence: float,
        independent: bool = False,
    ) -> Ratio:
        """Divide a mean of the same patients by the divisor.

        Parameters
        ----------
        top
            Such as the decrease of an arm, or the difference of two.
        confidence
            Of the interval.
        independent
            Whether the errors of the two means are known to be independent.
        """
        value = top.value / self.mean.value
        both = np.zeros(len(value)) if independent else (top.parts * self.mean.parts).sum(axis=0)
        own = top.variance
        variance = own + value**2 * self.mean.variance - 2 * value * both
        freedom = self._freedom(top)
        covariance = own, self.mean.variance, both
        lower, upper = fieller_interval(top.value, self.mean.value, covariance, freedom, confidence)
        away = np.where(top.value == 0, 0.0, np.inf)
        np.divide(np.abs(top.value), np.sqrt(own), out=away, where=own > 0)
        return Ratio(
            value,
            lower,
            upper,
            np.sqrt(np.maximum(variance, 0.0)) / np.abs(self.mean.value),
            2 * stats.t.sf(away, freedom),
            freedom,
            min(top.smallest, self.mean.smallest),
        )

    def _freedom(self, top: PatientMean) -> np.ndarray:
        """Degrees of freedom by Welch and Satterthwaite over the arms, of the numerator alone.

        So the p-value is that of Welch's test; interval and p-value cannot contradict.
        """
        counts = np.where(top.counts > 0, top.counts, self.mean.counts)
        own = np.array(
            [(top.parts[self.strata == code] ** 2).sum(axis=0) for code in range(len(counts))]
        )
        weighted = (own**2 / np.maximum(counts - 1, 1)[:, None]).sum(axis=0)
        free = np.full(len(top.value), np.inf)
        return np.divide(own.sum(axis=0) ** 2, weighted, out=free, where=weighted > 0)

    def equivalence(self, top: PatientMean, margin: float, freedom: np.ndarray) -> np.ndarray:
        """Larger p-value of two one-sided tests that the ratio is within `margin` of 1.

        References
        ----------
        Schuirmann D J (1987). J Pharmacokinet Biopharm 15:657-680.
        """
        both = (top.parts * self.mean.parts).sum(axis=0)
        worst = np.zeros(len(top.value))
        for bound, sign in ((1 - margin, 1), (1 + margin, -1)):
            apart = sign * (top.value - bound * self.mean.value)
            variance = top.variance + bound**2 * self.mean.variance - 2 * bound * both
            away = np.where(apart > 0, np.inf, -np.inf)
            np.divide(apart, np.sqrt(np.maximum(variance, 0)), out=away, where=variance > 0)
            worst = np.maximum(worst, stats.t.sf(away, freedom))
        return worst


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
    bounded = np.where(a > 0, a, np.nan)
    root = np.sqrt(np.maximum(b**2 - a * c, 0.0))
    return (b - root) / bounded, (b + root) / bounded


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
