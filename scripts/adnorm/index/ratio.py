"""The ratio of two means of patients, with its intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from adnorm.index.estimability import FEWEST_FOR_BOOTSTRAP
from adnorm.index.groups import Mean, contributions, estimate, replicates, smallest
from adnorm.index.resample import (
    bca_interval,
    bootstrap_weights,
    fieller_interval,
    influence,
    jackknife_weights,
    small_sample_quantile,
)

BCA, FIELLER = "bca", "fieller"


@dataclass(frozen=True)
class Ratio:
    """An index with its uncertainty; all arrays have shape (names,).

    Attributes
    ----------
    value
        Ratio of the two means.
    lower, upper
        The interval named by `interval`.
    standard_error
        Of the bootstrap, corrected for few patients; for Fieller's interval by linearization.
    fieller_lower, fieller_upper
        Fieller's interval, the analytic check.
    interval
        ``bca`` or ``fieller``.
    """

    value: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    standard_error: np.ndarray
    fieller_lower: np.ndarray
    fieller_upper: np.ndarray
    interval: str


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

    def sizes(self, numerator: Mean) -> np.ndarray:
        """Patients of each stratum that a ratio rests on, shape (strata,)."""
        sizes = np.zeros(self.strata.max() + 1)
        # The numerator varies most, so where it has patients they are the ones that count.
        for mean in (self.denominator, numerator):
            for group in mean:
                counts = np.bincount(self.strata[group.rows], minlength=len(sizes))
                sizes = np.where(counts > 0, counts, sizes)
        return sizes

    def ratio(self, numerator: Mean, confidence: float) -> Ratio:
        """Divide a mean by the denominator.

        Parameters
        ----------
        numerator
            Mean decrease of an arm, or the difference of two arms' decreases.
        confidence
            Coverage of the intervals.
        """
        value = estimate(numerator) / self.divisor
        sizes = self.sizes(numerator)
        fieller, linear_error = self._fieller(numerator, value, sizes, confidence)
        if smallest([*numerator, *self.denominator]) < FEWEST_FOR_BOOTSTRAP:
            return Ratio(value, *fieller, linear_error, *fieller, FIELLER)
        estimates = replicates(numerator, self.bootstrap) / self.divisor_bootstrap
        left_out = replicates(numerator, self.jackknife) / self.divisor_jackknife
        influences, acceleration = influence(left_out, self.strata)
        quantile, inflation = small_sample_quantile(influences, self.strata, sizes, confidence)
        lower, upper = bca_interval(estimates, value, acceleration, quantile)
        error = np.nanstd(estimates, axis=0) * inflation
        return Ratio(value, lower, upper, error, *fieller, BCA)

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
