"""Statistics that relate a score of the skin to what the clinic measures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from adnorm.index.ratio import (
    bca_interval,
    bootstrap_weights,
    influence,
    jackknife_weights,
    small_sample_quantile,
)


@dataclass(frozen=True)
class Association:
    """An estimate with its interval.

    Attributes
    ----------
    estimate, lower, upper, p_value
        NaN where the values do not vary, so that nothing can be estimated.
    n
        Patients that it rests on.
    """

    estimate: float
    lower: float
    upper: float
    p_value: float
    n: int


def _nothing(n: int) -> Association:
    return Association(np.nan, np.nan, np.nan, np.nan, n)


def partial_spearman(
    first: np.ndarray,
    second: np.ndarray,
    covariates: np.ndarray,
    arm: np.ndarray,
    confidence: float,
    draws: int,
    seed: int,
) -> Association:
    """Rank correlation of two quantities given covariates and arm.

    All values are ranked; within each arm the ranks are centred and freed of the ranks of the
    covariates; what is left is correlated over all arms. One slope per arm, because a drug that
    takes a share of the disease moves those with more of it further: one slope for all arms would
    find an association where there is none (10 to 22 % of simulated trials at 5 %). The interval is
    a BCa bootstrap of patients within arms that ranks every resample anew; the p-value is that of
    the t distribution.

    Parameters
    ----------
    first, second, arm
        Shape (patients,).
    covariates
        Shape (patients, k); k may be 0.
    confidence, draws, seed
        Of the interval and its resamples.

    References
    ----------
    Kendall M G (1942). Biometrika 32:277–283; Efron B (1987). J Am Stat Assoc 82:171–185.
    """
    data = np.column_stack([first, second, covariates]).astype(float).T
    arms, strata = np.unique(arm.astype(str), return_inverse=True)
    n = data.shape[1]
    point = _partial(data, strata, np.ones((1, n)))
    df = n - 2 - covariates.shape[1] * len(arms) - (len(arms) - 1)
    if df < 1 or not np.isfinite(point[0]):
        return _nothing(n)
    weights = bootstrap_weights(strata, draws, np.random.default_rng(seed))
    estimates = _partial(data, strata, weights)[:, None]
    left_out = _partial(data, strata, jackknife_weights(n))[:, None]
    # Where leaving out a patient leaves nothing that varies, it says nothing about acceleration.
    left_out = np.where(np.isfinite(left_out), left_out, point[0])
    influences, acceleration = influence(left_out, strata)
    quantile, _ = small_sample_quantile(influences, strata, np.bincount(strata), confidence)
    lower, upper = bca_interval(estimates, point, acceleration, quantile)
    p_value = _correlation_p(point[0], df)
    return Association(float(point[0]), float(lower[0]), float(upper[0]), p_value, n)


def _weighted_ranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Midranks of patients drawn as often as the weights say, shape of `weights`."""
    distinct, place = np.unique(values, return_inverse=True)
    drawn = weights @ np.eye(len(distinct))[place]
    return (np.cumsum(drawn, axis=1) - (drawn - 1) / 2)[:, place]


def _partial(data: np.ndarray, strata: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Partial rank correlation of the first two rows of `data` under each row of weights."""
    membership = np.eye(strata.max() + 1)[strata]
    counts = np.maximum(weights @ membership, 1)

    def centred(values: np.ndarray) -> np.ndarray:
        ranks = _weighted_ranks(values, weights)
        return ranks - ((weights * ranks) @ membership / counts)[:, strata]

    def product(one: np.ndarray, two: np.ndarray) -> np.ndarray:
        return (weights * one * two) @ membership

    ranks = [centred(values) for values in data]
    covariates = ranks[2:]
    for i, direction in enumerate(covariates):
        length = product(direction, direction)
        # A covariate that does not vary, or repeats another, has nothing to take away.
        safe = np.where(length > counts**3 * 1e-12, length, np.inf)
        for other in (*ranks[:2], *covariates[i + 1 :]):
            other -= (product(other, direction) / safe)[:, strata] * direction
    first, second = ranks[0], ranks[1]
    scale = weights.sum(axis=1) ** 3 * 1e-12
    squares = product(first, first).sum(axis=1), product(second, second).sum(axis=1)
    varies = (squares[0] > scale) & (squares[1] > scale)
    length = np.sqrt(np.where(varies, squares[0] * squares[1], 1.0))
    correlation = np.clip(product(first, second).sum(axis=1) / length, -1, 1)
    return np.where(varies, correlation, np.nan)


def _correlation_p(value: float, df: int) -> float:
    """Two-sided p-value of a correlation by the t distribution."""
    if abs(value) >= 1:
        return 0.0
    return float(2 * stats.t.sf(abs(value) * np.sqrt(df / (1 - value**2)), df))


def repeated_measures_correlation(
    first: np.ndarray, second: np.ndarray, patient: np.ndarray, confidence: float
) -> Association:
    """Correlation within patients over visits: do the two rise and fall together?

    All arrays have shape (observations,); patients with one observation say nothing and are left
    out. The interval is that of Fisher's transformation.

    References
    ----------
    Bland J M, Altman D G (1995). BMJ 310:446; Bakdash J Z, Marusich L R (2017). Front Psychol
    8:456.
    """
    _, code, counts = np.unique(patient.astype(str), return_inverse=True, return_counts=True)
    kept = counts[code] > 1
    patients, code = np.unique(code[kept], return_inverse=True)
    n, df = len(patients), int(kept.sum()) - len(patients) - 1
    if df < 2:
        return _nothing(n)
    size = np.bincount(code)
    x, y = (v[kept] - (np.bincount(code, v[kept]) / size)[code] for v in (first, second))
    noise = [1e-20 * max((v**2).sum(), 1e-300) for v in (first, second)]
    if (x**2).sum() <= noise[0] or (y**2).sum() <= noise[1]:
        return _nothing(n)
    r = float(np.clip((x * y).sum() / np.sqrt((x**2).sum() * (y**2).sum()), -1, 1))
    margin = stats.norm.ppf(0.5 + confidence / 2) / np.sqrt(df - 1)
    centre = np.arctanh(np.clip(r, -1 + 1e-15, 1 - 1e-15))
    lower, upper = np.tanh(centre - margin), np.tanh(centre + margin)
    return Association(r, float(lower), float(upper), _correlation_p(r, df), n)


def standardized_slope(
    outcome: np.ndarray,
    predictor: np.ndarray,
    given: np.ndarray,
    arm: np.ndarray,
    confidence: float,
) -> Association:
    """Slope of an outcome on a predictor beyond other predictors and arm, by least squares.

    Outcome and predictor (patients,) are divided by their standard deviation; `given` has the shape
    (patients, k). The interval is that of the t distribution.
    """
    n, codes = len(outcome), np.unique(arm.astype(str), return_inverse=True)[1]
    spreads = np.std(outcome, ddof=1), np.std(predictor, ddof=1)
    if min(spreads) <= 0:
        return _nothing(n)
    others = np.column_stack([np.eye(codes.max() + 1)[codes], given])
    both = np.column_stack([outcome, predictor]) / spreads
    coefficients, _, rank, _ = np.linalg.lstsq(others, both, rcond=None)
    y, x = (both - others @ coefficients).T
    df = n - int(rank) - 1
    if df < 1 or (x**2).sum() < 1e-12:
        return _nothing(n)
    slope = float((x * y).sum() / (x**2).sum())
    error = np.sqrt(((y - slope * x) ** 2).sum() / df / (x**2).sum())
    margin = stats.t.ppf(0.5 + confidence / 2, df) * error
    p_value = float(2 * stats.t.sf(abs(slope) / error, df)) if error > 0 else 0.0
    return Association(slope, slope - margin, slope + margin, p_value, n)


def kappa(first: np.ndarray, second: np.ndarray, confidence: float) -> Association:
    """Cohen's kappa of two yes/no judgements of the same patients.

    The interval rests on the large-sample standard error (Fleiss, Cohen and Everitt 1969); the
    p-value is Fisher's exact one.
    """
    from statsmodels.stats.inter_rater import cohens_kappa

    n = len(first)
    table = np.array([[np.sum((first == a) & (second == b)) for b in (0, 1)] for a in (0, 1)])
    if min(table.sum(axis=0).min(), table.sum(axis=1).min()) == 0:
        return _nothing(n)
    found = cohens_kappa(table)
    margin = stats.norm.ppf(0.5 + confidence / 2) * np.sqrt(max(found.var_kappa, 0.0))
    limits = max(found.kappa - margin, -1.0), min(found.kappa + margin, 1.0)
    return Association(found.kappa, *limits, float(stats.fisher_exact(table).pvalue), n)


def proportion(yes: np.ndarray, confidence: float) -> Association:
    """Share of patients (booleans) with Wilson's interval."""
    n = len(yes)
    if n == 0:
        return _nothing(0)
    test = stats.binomtest(int(yes.sum()), n)
    limits = test.proportion_ci(confidence, method="wilson")
    return Association(float(yes.mean()), limits.low, limits.high, np.nan, n)
