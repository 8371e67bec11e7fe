"""The ratio of two means: closed forms, enumeration and SciPy as the reference."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats

from adnorm.index.means import Group, PatientMean
from adnorm.index.ratio import Divisor, fieller_interval, sign_flip_p


def paired(top, bottom):
    """Decrease and disease effect of the same patients of one arm."""
    strata = np.zeros(len(top), dtype=int)
    means = [PatientMean.of([Group(np.arange(len(top)), v)], strata) for v in (top, bottom)]
    return means[0], Divisor(means[1], strata)


def constant(value, size):
    """A divisor without error."""
    mean = PatientMean(np.array([value]), np.zeros((size, 1)), np.zeros(2, dtype=int), size)
    return Divisor(mean, np.zeros(size, dtype=int))


def test_over_a_constant_it_is_the_t_interval_of_a_mean():
    values = np.random.default_rng(3).normal(1, 1, (9, 1))
    top, _ = paired(values, values)
    found = constant(2.0, 9).ratio(top, 0.95)
    test = stats.ttest_1samp(values[:, 0], 0)
    interval = test.confidence_interval(0.95)
    assert (found.value[0], found.freedom[0]) == pytest.approx((values.mean() / 2, 8))
    assert (found.lower[0], found.upper[0]) == pytest.approx((interval.low / 2, interval.high / 2))
    assert found.standard_error[0] == pytest.approx(stats.sem(values)[0] / 2)
    assert found.p_value[0] == pytest.approx(test.pvalue)
    assert found.smallest == 9


def test_two_arms_over_a_constant_are_welchs_test():
    rng = np.random.default_rng(8)
    a, b = rng.normal(1, 1, (6, 1)), rng.normal(0, 3, (15, 1))
    strata = np.repeat([0, 1], [6, 15])
    groups = [Group(np.arange(6), a), Group(np.arange(6, 21), b, -1)]
    divisor = Divisor(constant(2.0, 21).mean, strata)
    found = divisor.ratio(PatientMean.of(groups, strata), 0.95)
    test = stats.ttest_ind(a, b, equal_var=False)
    interval = test.confidence_interval(0.95)
    assert found.freedom[0] == pytest.approx(test.df[0])
    assert found.lower[0] == pytest.approx(interval.low[0] / 2)
    assert found.upper[0] == pytest.approx(interval.high[0] / 2)
    assert found.p_value[0] == pytest.approx(test.pvalue[0])
    assert found.smallest == 6


def test_means_known_to_be_independent_have_no_covariance():
    rng = np.random.default_rng(4)
    bottom = rng.normal(3, 1, (8, 1))
    top, divisor = paired(bottom - 1 + 0.1 * rng.normal(size=(8, 1)), bottom)
    found = divisor.ratio(top, 0.95, independent=True)
    variances = top.variance + found.value**2 * divisor.mean.variance
    assert found.standard_error == pytest.approx(np.sqrt(variances) / divisor.mean.value)
    assert found.standard_error > 1.2 * divisor.ratio(top, 0.95).standard_error


def test_the_standard_error_is_that_of_what_the_ratio_does_not_explain():
    rng = np.random.default_rng(6)
    bottom = rng.normal(3, 1, (9, 20))
    top_values = 0.6 * bottom + rng.normal(0, 0.5, bottom.shape)
    top, divisor = paired(top_values, bottom)
    rest = top_values - top_values.mean(axis=0) / bottom.mean(axis=0) * bottom
    expected = stats.sem(rest) / bottom.mean(axis=0)
    assert divisor.ratio(top, 0.95).standard_error == pytest.approx(expected)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0, 1.4])
def test_without_noise_the_interval_is_the_share(share):
    bottom = np.random.default_rng(5).normal(3, 1, (8, 30))
    top, divisor = paired(share * bottom, bottom)
    found = divisor.ratio(top, 0.95)
    assert found.lower == pytest.approx(share, abs=1e-6)
    assert found.upper == pytest.approx(share, abs=1e-6)
    p_value = stats.ttest_1samp(bottom, 0).pvalue if share else 1.0
    assert found.p_value == pytest.approx(p_value)


NOISE = {
    "normal": lambda rng, size: rng.normal(size=size),
    "t4": lambda rng, size: rng.standard_t(4, size) / np.sqrt(2),
    "skewed": lambda rng, size: (rng.gamma(2, 1, size) - 2) / np.sqrt(2),
}


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("patients", [9, 15, 30])
@pytest.mark.parametrize("true", [0.0, 0.5, 1.0])
def test_both_tails_hold_over_noise_of_all_kinds(noise, patients, true):
    """Nominal 2.5 % each; Monte-Carlo error 0.16 points. The disease effect is 6 to 11 SE."""
    rng, names = np.random.default_rng(patients), 10_000
    size = patients, names
    draw = NOISE[noise]
    start, normal, end = (draw(rng, size) for _ in range(3))
    sick = 3 + 0.5 * draw(rng, size)
    top, divisor = paired(true * sick + start - end, sick + start - normal)
    found = divisor.ratio(top, 0.95)
    bounded = np.isfinite(found.lower)
    assert bounded.mean() > 0.99
    below, above = (
        100 * np.mean(outside[bounded]) for outside in (found.upper < true, found.lower > true)
    )
    assert 1.0 < below < 4.0 and 1.0 < above < 4.0
    assert 3.5 < below + above < 7.0


@pytest.mark.parametrize("noise", NOISE)
def test_interval_and_p_value_never_contradict_each_other(noise):
    rng = np.random.default_rng(12)
    draw, size = NOISE[noise], (7, 20_000)
    bottom = 2.5 + draw(rng, size)
    top, divisor = paired(0.4 * bottom + draw(rng, size), bottom)
    found = divisor.ratio(top, 0.95)
    bounded = np.isfinite(found.lower)
    off_zero = (found.lower > 0) | (found.upper < 0)
    assert 0.1 < off_zero[bounded].mean() < 0.9
    assert (off_zero == (found.p_value < 0.05))[bounded].all()
    assert ((found.lower < found.value) & (found.value < found.upper))[bounded].all()


# ---------------------------------------------------------------- equivalence


@pytest.mark.parametrize("margin", [0.1, 0.25])
def test_equivalence_of_one_arm_is_two_one_sided_t_tests(margin):
    rng = np.random.default_rng(13)
    bottom = rng.normal(3, 1, (10, 40))
    top_values = bottom + rng.normal(0, 0.5, bottom.shape)
    top, divisor = paired(top_values, bottom)
    found = divisor.equivalence(top, margin, divisor.ratio(top, 0.95).freedom)
    above = stats.ttest_1samp(top_values - (1 - margin) * bottom, 0, alternative="greater").pvalue
    below = stats.ttest_1samp(top_values - (1 + margin) * bottom, 0, alternative="less").pvalue
    assert found == pytest.approx(np.maximum(above, below))
    assert (above > below).any() and (below > above).any()


def test_equivalence_against_healthy_people_is_two_one_sided_welch_tests():
    rng = np.random.default_rng(14)
    start, end, healthy = (rng.normal(m, 1, (n, 30)) for m, n in ((6, 9), (1, 9), (1, 12)))
    strata = np.repeat([0, 1], [9, 12])
    patients, people = np.arange(9), np.arange(9, 21)
    bottom = PatientMean.of([Group(patients, start), Group(people, healthy, -1)], strata)
    top = PatientMean.of([Group(patients, start - end)], strata)
    p_values = []
    for bound, alternative in ((0.75, "greater"), (1.25, "less")):
        own = start - end - bound * start
        test = stats.ttest_ind(own, -bound * healthy, equal_var=False, alternative=alternative)
        found = Divisor(bottom, strata).equivalence(top, abs(1 - bound), test.df)
        other = "less" if alternative == "greater" else "greater"
        mirror = 2 - bound
        own = start - end - mirror * start
        second = stats.ttest_ind(own, -mirror * healthy, equal_var=False, alternative=other)
        # Degrees of freedom are those of the estimate; here those of the first test.
        p_second = stats.t.sf(np.abs(second.statistic), test.df)
        p_second = np.where((second.statistic > 0) == (other == "greater"), p_second, 1 - p_second)
        assert found == pytest.approx(np.maximum(test.pvalue, p_second))
        p_values.append(found)
    assert (p_values[0] < 0.05).any() and (p_values[0] > 0.05).any()


@pytest.mark.parametrize("bound", [0.75, 1.25])
@pytest.mark.parametrize("patients", [8, 20])
def test_a_drug_at_the_margin_is_called_equivalent_in_5_per_cent_at_most(bound, patients):
    rng = np.random.default_rng(15)
    bottom = rng.normal(6, 1, (patients, 20_000))
    top, divisor = paired(bound * bottom + 0.8 * rng.normal(size=bottom.shape), bottom)
    found = divisor.equivalence(top, 0.25, divisor.ratio(top, 0.95).freedom)
    error = (found < 0.05).mean()
    assert error < 0.055
    # With so little noise the other margin is far, and the level is used in full.
    assert error > 0.03


def test_equivalence_without_noise_is_certain_on_both_sides():
    bottom = np.random.default_rng(16).normal(3, 1, (8, 1))
    for share, expected in ((1.0, True), (0.8, True), (0.7, False), (1.3, False)):
        top, divisor = paired(share * bottom, bottom)
        found = divisor.equivalence(top, 0.25, divisor.ratio(top, 0.95).freedom)
        assert (found[0] < 0.05) == expected


# ---------------------------------------------------------------- Fieller and sign flips


@pytest.mark.parametrize("unit", [1.0, 1e-3])
def test_fieller_solves_its_quadratic(unit):
    """At both limits, numerator − limit × denominator is exactly t standard errors from 0."""
    rng = np.random.default_rng(7)
    n = 11
    bottom = unit * rng.normal(3, 1, n)
    top = 0.6 * bottom + unit * rng.normal(0, 0.5, n)
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


@pytest.mark.parametrize("denominator", [1.0, stats.t.ppf(0.975, 10)], ids=["within", "just"])
def test_fieller_is_missing_when_the_denominator_may_be_zero(denominator):
    """Up to just as many standard errors from 0 as are asked."""
    one = np.ones(1)
    covariance = 0.1 * one, 1.0 * one, 0 * one
    assert np.isnan(fieller_interval(one, denominator * one, covariance, 10, 0.95)).all()


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
