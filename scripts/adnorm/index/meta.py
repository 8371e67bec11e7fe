"""Random-effects meta-analysis of many rows at once, by gene or by name of an index.

statsmodels' `combine_effects` gives the same numbers (tested) for one gene at a time, in a
millisecond each; here are tens of thousands of genes, each measured by other studies. It has no
restricted likelihood and no groups of studies, which the drug classes need.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from adnorm.base.errors import AdnormError


@dataclass(frozen=True)
class Combined:
    """One combined effect for every row; NaN where fewer than two studies have it."""

    # DerSimonian and Laird's, by normal theory; the p-value is two-sided.
    effect: np.ndarray
    standard_error: np.ndarray
    p_value: np.ndarray
    # Hartung and Knapp's.
    lower: np.ndarray
    upper: np.ndarray
    hartung_knapp_p_value: np.ndarray
    # Variance between studies, its share of the variation (0 to 1), and how many studies there are.
    tau2: np.ndarray
    i2: np.ndarray
    studies: np.ndarray


def combine_studies(
    effects: np.ndarray, variances: np.ndarray, confidence: float = 0.95
) -> Combined:
    """Combine effects over studies: DerSimonian-Laird, with the interval of Hartung and Knapp.

    Parameters
    ----------
    effects
        Effect of each row in each study, shape (rows, studies); NaN where a study lacks it.
    variances
        Squared standard errors, same shape.
    confidence
        Coverage of the interval.

    Raises
    ------
    AdnormError
        A variance that is zero or negative.

    References
    ----------
    DerSimonian R, Laird N (1986). Control Clin Trials 7:177-188.
    Hartung J, Knapp G (2001). Stat Med 20:3875-3889.
    """
    effects = np.asarray(effects, dtype=float)
    have = _usable(effects, variances)
    studies = have.sum(axis=1)
    enough = studies >= 2
    y = np.where(have, effects, 0.0)
    weights = np.divide(1.0, variances, out=np.zeros_like(y), where=have)
    total = np.where(enough, weights.sum(axis=1), np.nan)
    freedom = np.where(enough, studies - 1.0, np.nan)

    fixed = (weights * y).sum(axis=1) / total
    heterogeneity = (weights * (y - fixed[:, None]) ** 2).sum(axis=1)
    spread = total - (weights**2).sum(axis=1) / total
    tau2 = np.maximum((heterogeneity - freedom) / spread, 0.0)
    i2 = np.maximum(1.0 - freedom / np.where(heterogeneity > 0, heterogeneity, np.nan), 0.0)
    i2 = np.where(enough & (heterogeneity == 0), 0.0, i2)

    between = np.where(enough, tau2, 0.0)[:, None]
    weights = np.divide(1.0, variances + between, out=np.zeros_like(y), where=have)
    total = np.where(enough, weights.sum(axis=1), np.nan)
    effect = (weights * y).sum(axis=1) / total
    error = 1.0 / np.sqrt(total)
    knapp = error * np.sqrt((weights * (y - effect[:, None]) ** 2).sum(axis=1) / freedom)
    margin = stats.t.ppf(0.5 + confidence / 2, freedom) * knapp
    ratio = np.divide(np.abs(effect), knapp, out=np.full_like(knapp, np.inf), where=knapp > 0)
    return Combined(
        effect=effect,
        standard_error=error,
        lower=effect - margin,
        upper=effect + margin,
        p_value=2 * stats.norm.sf(np.abs(effect) / error),
        hartung_knapp_p_value=np.where(enough, 2 * stats.t.sf(ratio, freedom), np.nan),
        tau2=tau2,
        i2=i2,
        studies=studies,
    )


@dataclass(frozen=True)
class GroupContrast:
    """Mean of a group of studies, or difference of two; shape (rows,) unless stated.

    Attributes
    ----------
    effect
        NaN where a group has no study.
    standard_error, lower, upper, p_value
        Hartung and Knapp's, two-sided; NaN without a degree of freedom.
    known_error
        Standard error that takes the variances as known; what Hartung and Knapp scale.
    tau2, i2
        Variance between the studies of a group, common to the groups, and its share of the
        variation (0 to 1).
    freedom
        Studies minus groups.
    weights
        Share of each study in the mean of its group, shape (rows, studies).
    """

    effect: np.ndarray
    standard_error: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    p_value: np.ndarray
    known_error: np.ndarray
    tau2: np.ndarray
    i2: np.ndarray
    freedom: np.ndarray
    weights: np.ndarray


def contrast_groups(
    effects: np.ndarray,
    variances: np.ndarray,
    signs: np.ndarray,
    confidence: float = 0.95,
    estimator: Literal["REML", "DL"] = "REML",
) -> GroupContrast:
    """Combine studies by a mixed model with the group as moderator and one variance between them.

    Study i of group g has the effect m(g) + u(i) + e(i), where u has the same variance in every
    group and e the variance given; the estimate is the sum of sign times m(g). Hartung and Knapp's
    standard errors have as many degrees of freedom as there are studies beyond the groups.

    Parameters
    ----------
    effects, variances
        As for `combine_studies`.
    signs
        Group of each study, shape (studies,): 1, or −1 for the group that is subtracted.
    confidence
        Coverage of the interval.
    estimator
        Of the variance between studies: restricted maximum likelihood or DerSimonian and Laird's.

    Raises
    ------
    AdnormError
        A variance that is zero or negative.

    References
    ----------
    Knapp G, Hartung J (2003). Stat Med 22:2693-2710.
    Viechtbauer W (2005). J Educ Behav Stat 30:261-293.
    """
    effects = np.asarray(effects, dtype=float)
    have = _usable(effects, variances)
    groups = np.unique(signs)
    # Rows in which a group lacks studies or none is left over have no variance to estimate.
    of_group = have[:, None, :] & (np.asarray(signs) == groups[:, None])
    sizes = of_group.sum(axis=2)
    complete = (sizes > 0).all(axis=1)
    freedom = np.where(complete, have.sum(axis=1) - len(groups), 0)
    df = np.where(freedom > 0, freedom, np.nan)
    model = _Groups(np.where(have, effects, 0.0), np.where(have, variances, 1.0), of_group)
    apart = model.at(np.zeros(len(effects)))
    typical = df / np.where(freedom > 0, apart.trace, np.nan)
    if estimator == "REML":
        tau2 = np.where(freedom > 0, model.restricted_likelihood(), np.nan)
    else:
        tau2 = np.maximum((apart.heterogeneity / df - 1) * typical, 0.0)
    fit = model.at(np.where(freedom > 0, tau2, 0.0))
    effect = np.where(complete, fit.means @ groups, np.nan)
    with np.errstate(divide="ignore"):
        known = np.sqrt((1.0 / fit.totals).sum(axis=1))
    error = known * np.sqrt(fit.heterogeneity / df)
    margin = stats.t.ppf(0.5 + confidence / 2, df) * error
    ratio = np.divide(np.abs(effect), error, out=np.full_like(error, np.inf), where=error > 0)
    return GroupContrast(
        effect=effect,
        standard_error=error,
        lower=effect - margin,
        upper=effect + margin,
        p_value=2 * stats.t.sf(ratio, df),
        known_error=np.where(freedom > 0, known, np.nan),
        tau2=tau2,
        i2=tau2 / (typical + tau2),
        freedom=freedom,
        weights=np.where(have, fit.shares, np.nan),
    )


@dataclass(frozen=True)
class _Fit:
    """The weighted means at one variance between studies, for every row."""

    means: np.ndarray
    totals: np.ndarray
    shares: np.ndarray
    #: Weighted squares of the residuals, and what they and their weights come to.
    heterogeneity: np.ndarray
    trace: np.ndarray
    score: np.ndarray
    likelihood: np.ndarray


@dataclass(frozen=True)
class _Groups:
    """Effects and variances (rows, studies), and who is in which group (rows, groups, studies)."""

    effects: np.ndarray
    variances: np.ndarray
    members: np.ndarray

    def at(self, tau2: np.ndarray) -> _Fit:
        inside = self.members.any(axis=1)
        weights = inside / (self.variances + tau2[:, None])
        by_group = self.members * weights[:, None, :]
        totals = by_group.sum(axis=2)
        own = np.where(totals > 0, totals, 1.0)
        means = (by_group @ self.effects[:, :, None])[:, :, 0] / own
        shares = (by_group / own[:, :, None]).sum(axis=1)
        residuals = self.effects - (self.members * means[:, :, None]).sum(axis=1)
        squares = weights * residuals**2
        trace = (weights * (1.0 - shares)).sum(axis=1)
        logs = np.log(np.where(inside, weights, 1.0)).sum(axis=1) - np.log(own).sum(axis=1)
        heterogeneity = squares.sum(axis=1)
        return _Fit(
            means=means,
            totals=totals,
            shares=shares,
            heterogeneity=heterogeneity,
            trace=trace,
            score=(weights * squares).sum(axis=1) - trace,
            likelihood=(logs - heterogeneity) / 2,
        )

    def restricted_likelihood(self) -> np.ndarray:
        """Variance between studies at the highest restricted likelihood, shape (rows,).

        With few studies there may be two maxima, so the highest is looked for on a grid first.
        """
        fixed = self.at(np.zeros(len(self.effects)))
        spread = self.effects - (self.members * fixed.means[:, :, None]).sum(axis=1)
        largest = (spread**2 * self.members.any(axis=1)).sum(axis=1) + self.variances.max(axis=1)
        steps = np.r_[0.0, np.geomspace(1e-6, 4.0, 80)]
        best = np.argmax([self.at(step * largest).likelihood for step in steps], axis=0)
        low = steps[np.maximum(best - 1, 0)] * largest
        high = steps[np.minimum(best + 1, len(steps) - 1)] * largest
        for _ in range(60):
            middle = (low + high) / 2
            rising = self.at(middle).score > 0
            low, high = np.where(rising, middle, low), np.where(rising, high, middle)
        return np.where((best == 0) & (fixed.score <= 0), 0.0, (low + high) / 2)


def _usable(effects: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """Which studies have a row; a variance that is not positive stops."""
    have = np.isfinite(effects) & np.isfinite(variances)
    wrong = int((variances[have] <= 0).sum())
    if wrong:
        raise AdnormError(
            f"meta-analysis: {wrong} standard errors are zero or negative; every effect needs a "
            "positive standard error: run the effects stage again"
        )
    return have
