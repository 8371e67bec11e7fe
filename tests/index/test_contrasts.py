"""Arms compared given the baseline: the model's matrices, Welch, robust errors, and its level."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from adnorm.index.contrasts import (
    baseline_adjusted,
    compare_arms,
    compared_groups,
    residual_variances,
)
from adnorm.index.means import Group, PatientMean, PatientTable
from adnorm.index.mmrm import fit_repeated_measures
from adnorm.index.ratio import Divisor
from builders.score_trials import lesions, trial, without


def compare(start, end, disease=1.0, error=0.0, confidence=0.95):
    """Compare two arms; each argument is a pair of arrays (patients, names)."""
    arms = tuple(Group(np.arange(len(a)), a - b) for a, b in zip(start, end, strict=True))
    names = start[0].shape[1]
    divisor = PatientMean(np.full(names, disease), np.full((1, names), error), np.array([9]), 9)
    return baseline_adjusted(arms, start, np.array([1.0, -1.0]), divisor, confidence)


def draw(sizes, ratio, names, seed, effect=0.0, slopes=(0.6, 0.6)):
    """Arms whose residuals have the standard deviations `ratio` and 1, in units of 0.4."""
    rng = np.random.default_rng(seed)
    start = tuple(1 + rng.normal(0, 0.6, (n, names)) for n in sizes)
    end = tuple(
        slope * (x - 1) - gain + 0.4 * spread * rng.normal(size=x.shape)
        for x, slope, gain, spread in zip(start, slopes, (effect, 0), (ratio, 1), strict=True)
    )
    return start, end


def written_out(start, end, weights=(1.0, -1.0)):
    """Contrast, standard error and degrees of freedom from the matrices of the model."""
    arm = np.repeat(np.arange(len(start)), [len(v) for v in start])
    x, y = np.concatenate(start), np.concatenate(end)
    masks = [arm == code for code in range(len(start))]
    fitted = sm.OLS(y, np.column_stack([*masks, x]).astype(float)).fit()
    design = fitted.model.exog
    contrast = np.array([*weights, 0.0]) @ np.linalg.pinv(design)
    residual = np.eye(len(y)) - design @ np.linalg.pinv(design)
    # Expected sum of squares of arm a by the variance of arm b: tr(M_ab M_ba).
    moments = np.array([[(residual[np.ix_(a, b)] ** 2).sum() for b in masks] for a in masks])
    squares = np.array([(fitted.resid[m] ** 2).sum() for m in masks])
    variances = np.linalg.solve(moments, squares)
    parts = np.array([v * (contrast[m] ** 2).sum() for v, m in zip(variances, masks, strict=True)])
    freedom = [np.trace(residual[np.ix_(m, m)]) for m in masks]
    df = parts.sum() ** 2 / (parts**2 / freedom).sum()
    return -(np.array([*weights, 0.0]) @ fitted.params), np.sqrt(parts.sum()), df, variances


@pytest.mark.parametrize("sizes", [(8, 24), (24, 8), (15, 15), (4, 7)])
def test_estimate_error_and_interval_are_those_of_the_matrices(sizes):
    start, end = draw(sizes, 3.0, 5, seed=1, effect=0.3)
    found = compare(start, end, disease=0.8, error=0.1)
    for i in range(5):
        value, error, df, _ = written_out(*([v[:, i] for v in vs] for vs in (start, end)))
        assert found.value[i] == pytest.approx(value / 0.8)
        assert found.p_value[i] == pytest.approx(2 * stats.t.sf(abs(value) / error, df))
        t2 = stats.t.ppf(0.975, df) ** 2
        a, b = 0.8**2 - t2 * 0.1**2, value * 0.8
        root = np.sqrt(b**2 - a * (value**2 - t2 * error**2))
        assert found.lower[i] == pytest.approx((b - root) / a)
        assert found.upper[i] == pytest.approx((b + root) / a)


def test_without_differences_at_baseline_it_is_welchs_test():
    start, end = draw((7, 19), 2.5, 4, seed=2)
    start = tuple(np.ones_like(v) for v in start)
    expected = stats.ttest_ind(*(a - b for a, b in zip(start, end, strict=True)), equal_var=False)
    found = compare(start, end)
    assert found.p_value == pytest.approx(expected.pvalue)
    low, high = expected.confidence_interval(0.95)
    assert found.lower == pytest.approx(low) and found.upper == pytest.approx(high)


def test_variances_of_the_arms_are_unbiased():
    start, end = draw((6, 18), 4.0, 20_000, seed=3)
    centred = [v - v.mean(axis=0) for v in start]
    own = np.stack([(v**2).sum(axis=0) for v in centred])
    falls = [v - v.mean(axis=0) for v in end]
    slope = sum((u * v).sum(axis=0) for u, v in zip(centred, falls, strict=True)) / own.sum(axis=0)
    left = [((v - slope * u) ** 2).sum(axis=0) for u, v in zip(centred, falls, strict=True)]
    found = residual_variances(np.stack(left), np.array([[6.0], [18.0]]), own / own.sum(axis=0))
    assert found.mean(axis=1) == pytest.approx([1.6**2, 0.4**2], rel=0.02)


def test_with_many_patients_it_is_the_robust_error_of_statsmodels():
    start, end = draw((400, 1200), 4.0, 1, seed=4, effect=0.1)
    arm = np.repeat([1.0, 0.0], [400, 1200])
    x, y = (np.concatenate(v)[:, 0] for v in (start, end))
    robust = sm.OLS(y, np.column_stack([np.ones(len(y)), x, arm])).fit(cov_type="HC3", use_t=True)
    found = compare(start, end)
    assert found.value[0] == pytest.approx(-robust.params[2])
    assert (found.upper - found.lower)[0] == pytest.approx(
        float(np.diff(robust.conf_int()[2])[0]), rel=0.02
    )


@pytest.mark.parametrize("sizes", [(8, 24), (10, 30), (15, 15), (24, 8), (6, 18)])
@pytest.mark.parametrize("ratio", [0.25, 1.0, 4.0])
@pytest.mark.parametrize("slopes", [(0.6, 0.6), (0.9, 0.3)], ids=["one slope", "two slopes"])
def test_five_per_cent_whatever_the_size_and_spread_of_the_arms(sizes, ratio, slopes):
    start, end = draw(sizes, ratio, 20_000, seed=5, slopes=slopes)
    found = compare(start, end)
    assert 3.5 < 100 * (found.p_value < 0.05).mean() < 6.5
    assert 3.5 < 100 * ((found.lower > 0) | (found.upper < 0)).mean() < 6.5


@pytest.mark.parametrize("sizes", [(3, 3), (3, 9)])
def test_the_fewest_patients_have_a_finite_answer(sizes):
    found = compare(*draw(sizes, 1.0, 2000, seed=6))
    assert np.isfinite(found.p_value).all() and ((0 < found.p_value) & (found.p_value <= 1)).all()
    assert (found.p_value < 0.05).mean() < 0.09


def test_no_noise_at_all_is_certain():
    start = tuple(np.array([[1.0], [2.0], [4.0], [3.0]]) for _ in range(2))
    same = compare(start, tuple(0.5 * v for v in start))
    assert same.value == pytest.approx(0.0, abs=1e-12)
    moved = compare(start, (0.5 * start[0] - 1, 0.5 * start[1]))
    assert moved.value == pytest.approx(1.0)
    assert moved.lower == pytest.approx(1.0) and moved.upper == pytest.approx(1.0)
    # What is left is the error of the disease effect, with the freedom of 8 patients less 3.
    unsure = compare(start, (0.5 * start[0] - 1, 0.5 * start[1]), error=0.1)
    margin = 0.1 * stats.t.ppf(0.975, 5)
    assert unsure.lower == pytest.approx(1 / (1 + margin))
    assert unsure.upper == pytest.approx(1 / (1 - margin))


def test_a_contrast_of_four_arms_is_that_of_the_matrices():
    rng = np.random.default_rng(9)
    sizes, spreads, weights = (5, 9, 14, 7), (1.0, 3.0, 0.5, 2.0), np.array([-0.4, -0.1, 0.1, 0.4])
    start = [rng.normal(size=(n, 3)) for n in sizes]
    end = [0.6 * x + s * rng.normal(size=x.shape) for x, s in zip(start, spreads, strict=True)]
    arms = [Group(np.arange(len(a)), a - b) for a, b in zip(start, end, strict=True)]
    divisor = PatientMean(np.full(3, 0.8), np.full((1, 3), 0.1), np.array([9]), 9)
    found = baseline_adjusted(arms, start, weights, divisor, 0.95)
    for i in range(3):
        value, error, df, _ = written_out(*([v[:, i] for v in vs] for vs in (start, end)), weights)
        assert found.value[i] == pytest.approx(value / 0.8)
        assert found.p_value[i] == pytest.approx(2 * stats.t.sf(abs(value) / error, df))


# ---------------------------------------------------------------- which comparison it is


ARMS = {"low": 0.7, "high": 0.4, "placebo": 0.9}


def compared(values, observations, weights, **changes):
    """Contrast the arms of a trial, given its disease effect."""
    table = PatientTable.of(values.to_numpy(), observations)
    divisor = Divisor(table.mean(table.baseline_difference("nonlesional")), table.strata)
    return compare_arms(table, weights, 4.0, divisor, 0.95, **changes), table, divisor


def test_a_contrast_of_two_arms_does_not_know_of_a_third():
    values, observations = trial(ARMS, tuple(ARMS), 9, noise=0.4)
    found, table, divisor = compared(values, observations, {"high": 1.0, "placebo": -1.0})
    start = table.values["lesional", 0.0]
    arms = [table.decrease(arm, 4.0) for arm in ("high", "placebo")]
    rows = [start[arm.rows] for arm in arms]
    expected = baseline_adjusted(arms, rows, np.array([1.0, -1.0]), divisor.mean, 0.95)
    np.testing.assert_allclose(found.value, expected.value)
    np.testing.assert_allclose(found.p_value, expected.p_value)
    assert found.smallest == 9


def test_the_plain_contrast_is_that_of_the_means():
    values, observations = trial(ARMS, tuple(ARMS), 9, noise=0.4)
    weights = {"low": -0.5, "high": 1.0, "placebo": -0.5}
    found, table, divisor = compared(values, observations, weights, analysis="unadjusted")
    means = {arm: table.decrease(arm, 4.0).values.mean(axis=0) for arm in ARMS}
    expected = sum(weight * means[arm] for arm, weight in weights.items())
    np.testing.assert_allclose(found.value * divisor.mean.value, expected)


def test_the_model_is_taken_only_where_a_compared_arm_lacks_a_visit():
    made = trial(ARMS, tuple(ARMS), 9, noise=0.4)
    gone = (made[1]["patient"] == "low03") & (made[1]["week"] == 4)
    values, observations = without(*made, gone)
    table = PatientTable.of(values.to_numpy(), observations)
    model = fit_repeated_measures(table)
    complete = {"high": 1.0, "placebo": -1.0}
    for weights, by_model in ((complete, False), ({"low": 1.0, "placebo": -1.0}, True)):
        with_model, _, divisor = compared(values, observations, weights, repeated=model)
        alone, *_ = compared(values, observations, weights)
        assert np.allclose(with_model.value, alone.value) != by_model
        if by_model:
            expected = divisor.ratio(model.contrast(weights, 4.0), 0.95, independent=True)
            np.testing.assert_allclose(with_model.lower, expected.lower)


def test_the_smallest_group_of_lesions_is_of_patients_who_have_both():
    values, observations = lesions({"drug": 0.4, "vehicle": 0.8}, 9)
    lost = {"drug": ["P00", "P01"], "vehicle": ["P02", "P03"]}
    gone = [
        week == 4 and patient in lost[arm]
        for arm, patient, week in observations[["arm", "patient", "week"]].to_numpy()
    ]
    weights = {"drug": 1.0, "vehicle": -1.0}
    found, table, _ = compared(*without(values, observations, gone), weights)
    assert [len(table.decrease(arm, 4.0).rows) for arm in weights] == [7, 7]
    assert found.smallest == 5


def test_patients_with_a_lesion_in_every_arm_stand_in_one_order():
    values, observations = lesions({"drug": 0.4, "vehicle": 0.8}, 6)
    gone = observations["lesion"].isin(["P01, drug", "P04, vehicle"]) & (observations["week"] == 4)
    values, observations = without(values, observations, gone)
    table = PatientTable.of(values.to_numpy(), observations)
    groups = compared_groups(table, ["vehicle", "drug"], 4.0)
    for group, arm in zip(groups, ("vehicle", "drug"), strict=True):
        assert table.patients[group.rows].tolist() == ["P00", "P02", "P03", "P05"]
        assert set(table.arm[group.rows]) == {arm}
        own = table.decrease(arm, 4.0)
        expected = [own.values[own.rows == row][0] for row in group.rows]
        np.testing.assert_array_equal(group.values, expected)
