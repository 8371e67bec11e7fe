"""Resampling: closed forms, enumeration and SciPy as the reference."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats

from adnorm.index.ratio import (
    bca_interval,
    bootstrap_weights,
    fieller_interval,
    influence,
    jackknife_weights,
    sign_flip_p,
    small_sample_quantile,
)


def test_weights_keep_the_size_of_every_stratum():
    strata = np.array([0, 1, 0, 2, 1, 0])
    weights = bootstrap_weights(strata, 500, np.random.default_rng(1))
    for code, size in ((0, 3), (1, 2), (2, 1)):
        assert (weights[:, strata == code].sum(axis=1) == size).all()
    assert weights[:, strata == 0].std() > 0.5


def test_jackknife_leaves_out_one_patient_a_row():
    assert jackknife_weights(3).tolist() == [[0, 1, 1], [1, 0, 1], [1, 1, 0]]


def test_influence_of_a_mean_is_the_deviation():
    values = np.random.default_rng(2).normal(size=(10, 3))
    left_out = jackknife_weights(10) @ values / 9
    influences, acceleration = influence(left_out, np.zeros(10, dtype=int))
    assert influences == pytest.approx((values - values.mean(axis=0)) / 10)
    skewness = stats.skew(values, axis=0)
    assert acceleration == pytest.approx(skewness / 6 / np.sqrt(10))


@pytest.mark.parametrize("n", [12, 40])
def test_bca_agrees_with_scipy_on_a_paired_ratio(n):
    rng = np.random.default_rng(n)
    bottom = rng.gamma(4, 1, n)
    top = 0.5 * bottom + rng.normal(0, 1, n)
    theirs = stats.bootstrap(
        (top, bottom),
        lambda a, b, axis=-1: a.mean(axis=axis) / b.mean(axis=axis),
        paired=True,
        vectorized=True,
        method="BCa",
        n_resamples=40_000,
        rng=np.random.default_rng(5),
    )
    weights = bootstrap_weights(np.zeros(n, dtype=int), 40_000, np.random.default_rng(6))
    estimates = (weights @ top / (weights @ bottom))[:, None]
    leave = jackknife_weights(n)
    _, acceleration = influence((leave @ top / (leave @ bottom))[:, None], np.zeros(n, dtype=int))
    point = np.array([top.sum() / bottom.sum()])
    lower, upper = bca_interval(estimates, point, acceleration, stats.norm.ppf(0.975))
    width = theirs.confidence_interval.high - theirs.confidence_interval.low
    assert lower[0] == pytest.approx(theirs.confidence_interval.low, abs=0.03 * width)
    assert upper[0] == pytest.approx(theirs.confidence_interval.high, abs=0.03 * width)


def test_bca_of_a_constant_is_the_constant():
    lower, upper = bca_interval(np.full((50, 1), 0.4), np.array([0.4]), np.zeros(1), 1.96)
    assert (lower[0], upper[0]) == (0.4, 0.4)


def test_bca_leaves_out_resamples_without_pairs():
    estimates = np.random.default_rng(4).normal(size=(999, 1))
    holed = np.vstack([estimates, np.full((300, 1), np.nan)])
    ask = (np.zeros(1), np.zeros(1), 1.96)
    assert bca_interval(holed, *ask) == bca_interval(estimates, *ask)


def test_few_patients_widen_to_the_t_interval_of_a_mean():
    """For one stratum, quantile × bootstrap deviation is exactly the margin of Student's t."""
    n = 9
    values = np.random.default_rng(3).normal(size=n)
    influences = ((values - values.mean()) / n)[:, None]
    quantile, inflation = small_sample_quantile(
        influences, np.zeros(n, dtype=int), np.array([n]), 0.95
    )
    seen_by_bootstrap = np.sqrt((influences**2).sum())
    margin = stats.t.ppf(0.975, n - 1) * stats.sem(values)
    assert quantile[0] * seen_by_bootstrap == pytest.approx(margin)
    assert inflation[0] * seen_by_bootstrap == pytest.approx(stats.sem(values))


def test_two_strata_have_welch_degrees_of_freedom():
    rng = np.random.default_rng(8)
    a, b = rng.normal(0, 1, 6), rng.normal(0, 3, 15)
    influences = np.concatenate([(a - a.mean()) / 6, -(b - b.mean()) / 15])[:, None]
    strata = np.repeat([0, 1], [6, 15])
    quantile, _ = small_sample_quantile(influences, strata, np.array([6, 15]), 0.95)
    interval = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    margin = (interval.high - interval.low) / 2
    assert quantile[0] * np.sqrt((influences**2).sum()) == pytest.approx(margin)


def test_fieller_solves_its_quadratic():
    """At both limits, numerator − limit × denominator is exactly t standard errors from 0."""
    rng = np.random.default_rng(7)
    n = 11
    bottom = rng.normal(3, 1, n)
    top = 0.6 * bottom + rng.normal(0, 0.5, n)
    covariance = np.cov(top, bottom) / n
    lower, upper = fieller_interval(
        np.array([top.mean()]),
        np.array([bottom.mean()]),
        tuple(np.array([v]) for v in (covariance[0, 0], covariance[1, 1], covariance[0, 1])),
        n - 1,
        0.95,
    )
    for limit in (lower[0], upper[0]):
        assert stats.ttest_1samp(top - limit * bottom, 0).pvalue == pytest.approx(0.05)
    assert lower[0] < top.mean() / bottom.mean() < upper[0]


def test_fieller_is_missing_when_the_denominator_may_be_zero():
    one = np.ones(1)
    limits = fieller_interval(one, one, (0.1 * one, 1.0 * one, 0 * one), 10, 0.95)
    assert np.isnan(limits).all()


@pytest.mark.parametrize("n", [3, 5, 9])
def test_sign_flips_equal_enumeration(n):
    values = np.random.default_rng(n).normal(0.4, 1, (n, 2))
    p_values = sign_flip_p(values, np.random.default_rng(0))
    for column, found in zip(values.T, p_values, strict=True):
        sums = [abs(np.dot(s, column)) for s in product([1, -1], repeat=n)]
        expected = np.mean([s >= abs(column.sum()) - 1e-9 for s in sums])
        assert found == pytest.approx(expected, abs=1e-12)


def test_all_patients_alike_give_the_smallest_exact_p():
    rng = np.random.default_rng(0)
    assert sign_flip_p(np.ones((9, 1)), rng)[0] == 2 / 2**9
    assert sign_flip_p(np.zeros((9, 1)), rng)[0] == 1.0


def test_drawn_flips_agree_with_scipy():
    values = np.random.default_rng(11).normal(0.45, 1, (20, 1))
    found = sign_flip_p(values, np.random.default_rng(1))[0]
    theirs = stats.permutation_test(
        (values[:, 0],), np.sum, permutation_type="samples", n_resamples=20_000, rng=2
    ).pvalue
    assert found == pytest.approx(theirs, abs=0.012)
    assert sign_flip_p(np.ones((20, 1)), np.random.default_rng(1))[0] >= 1e-4
