"""Arms compared given baseline: closed forms, the matrices written out, and 5 % where it is due."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from adnorm.index.ancova import baseline_adjusted, residual_variances
from adnorm.index.groups import Group


def compare(start, end, disease=1.0, error=0.0, confidence=0.95):
    """Compare two arms; each argument is a pair of arrays (patients, names)."""
    arms = tuple(Group(np.arange(len(a)), a - b) for a, b in zip(start, end, strict=True))
    names = start[0].shape[1]
    divisor = np.full(names, disease), np.full(names, error)
    return baseline_adjusted(arms, start, *divisor, confidence)


def draw(sizes, ratio, names, seed, effect=0.0, slopes=(0.6, 0.6)):
    """Arms whose residuals have the standard deviations `ratio` and 1, in units of 0.4."""
    rng = np.random.default_rng(seed)
    start = tuple(1 + rng.normal(0, 0.6, (n, names)) for n in sizes)
    end = tuple(
        slope * (x - 1) - gain + 0.4 * spread * rng.normal(size=x.shape)
        for x, slope, gain, spread in zip(start, slopes, (effect, 0), (ratio, 1), strict=True)
    )
    return start, end


def written_out(start, end):
    """Coefficient, standard error and degrees of freedom from the matrices of the model."""
    arm = np.repeat([1.0, 0.0], [len(v) for v in start])
    x, y = np.concatenate(start), np.concatenate(end)
    fitted = sm.OLS(y, np.column_stack([arm, 1 - arm, x])).fit()
    design = fitted.model.exog
    contrast = np.array([1.0, -1.0, 0.0]) @ np.linalg.pinv(design)
    residual = np.eye(len(y)) - design @ np.linalg.pinv(design)
    masks = [arm == 1, arm == 0]
    # Expected sum of squares of arm a by the variance of arm b: tr(M_ab M_ba).
    moments = np.array([[(residual[np.ix_(a, b)] ** 2).sum() for b in masks] for a in masks])
    squares = np.array([(fitted.resid[m] ** 2).sum() for m in masks])
    variances = np.linalg.solve(moments, squares)
    parts = np.array([v * (contrast[m] ** 2).sum() for v, m in zip(variances, masks, strict=True)])
    freedom = [np.trace(residual[np.ix_(m, m)]) for m in masks]
    df = parts.sum() ** 2 / (parts**2 / freedom).sum()
    return -(fitted.params[0] - fitted.params[1]), np.sqrt(parts.sum()), df, variances


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
