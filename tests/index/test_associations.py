"""Statistics that relate a score to the clinic: closed forms, invariances, calibration."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from adnorm.index.associations import (
    _weighted_ranks,
    kappa,
    partial_spearman,
    proportion,
    repeated_measures_correlation,
    standardized_slope,
)


def correlate(x, y, given=None, arm=None, draws=300, seed=1):
    given = np.empty((len(x), 0)) if given is None else given
    arm = np.full(len(x), "a") if arm is None else arm
    return partial_spearman(x, y, given, arm, 0.95, draws, seed)


@pytest.fixture
def pair():
    rng = np.random.default_rng(5)
    x = rng.normal(size=30)
    return x, x + rng.normal(size=30), rng.normal(size=(30, 2)) + x[:, None]


def test_without_covariates_it_is_spearman(pair):
    x, y, _ = pair
    found, expected = correlate(x, y), stats.spearmanr(x, y)
    assert found.estimate == pytest.approx(expected.statistic, abs=1e-12)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    assert found.lower < found.estimate < found.upper
    assert found.n == 30


def test_one_covariate_equals_the_closed_form(pair):
    x, y, given = pair
    r = stats.spearmanr(np.column_stack([x, y, given[:, 0]])).statistic
    expected = (r[0, 1] - r[0, 2] * r[1, 2]) / np.sqrt((1 - r[0, 2] ** 2) * (1 - r[1, 2] ** 2))
    assert correlate(x, y, given[:, :1]).estimate == pytest.approx(expected, abs=1e-12)


def test_arms_and_covariates_equal_least_squares_on_ranks(pair):
    x, y, given = pair
    arm = np.repeat(["a", "b", "c"], 10)
    ranks = stats.rankdata(np.column_stack([x, y, given]), axis=0)
    member = (arm[:, None] == np.unique(arm)).astype(float)
    slopes = [member * column[:, None] for column in ranks[:, 2:].T]
    design = np.column_stack([member, *slopes])
    left = ranks[:, :2] - design @ np.linalg.lstsq(design, ranks[:, :2], rcond=None)[0]
    expected = np.corrcoef(left.T)[0, 1]
    assert correlate(x, y, given, arm).estimate == pytest.approx(expected, abs=1e-10)


def test_monotone_transformations_and_order_of_patients_change_nothing(pair):
    x, y, given = pair
    first, second = correlate(x, y, given), correlate(np.exp(x), y**3, 2 * given - 1)
    assert first == second
    order = np.random.default_rng(0).permutation(30)
    assert correlate(x[order], y[order], given[order]).estimate == pytest.approx(first.estimate)


def test_differences_between_arms_alone_are_no_correlation():
    rng = np.random.default_rng(8)
    arm = np.repeat(["drug", "placebo"], 40)
    shift = 10 * (arm == "drug")
    x, y = rng.normal(size=80) + shift, rng.normal(size=80) + shift
    assert correlate(x, y).estimate > 0.6
    assert abs(correlate(x, y, arm=arm).estimate) < 0.25


def test_resampled_patients_are_ranked_as_often_as_they_are_drawn():
    """Ranks under weights are those of the patients written out, ties included."""
    rng = np.random.default_rng(12)
    values = rng.integers(0, 6, 15).astype(float)
    weights = rng.multinomial(15, np.full(15, 1 / 15), size=20).astype(float)
    ranks = _weighted_ranks(values, weights)
    for row, ours in zip(weights.astype(int), ranks, strict=True):
        drawn = np.repeat(np.arange(15), row)
        np.testing.assert_allclose(ours[drawn], stats.rankdata(values[drawn]))


def test_a_value_that_never_varies_gives_no_number():
    found = correlate(np.ones(30), np.arange(30.0))
    assert np.isnan(found.estimate)
    assert np.isnan(found.p_value)
    # A covariate that never varies takes nothing away.
    x, y = np.arange(30.0), np.r_[np.arange(1, 30.0), 0.0]
    assert correlate(x, y, np.ones((30, 1))).estimate == pytest.approx(correlate(x, y).estimate)


def test_bootstrap_interval_of_spearman_covers():
    rng, hits, trials = np.random.default_rng(11), 0, 200
    truth = 6 / np.pi * np.arcsin(0.6 / 2)  # Spearman of a binormal with correlation 0.6
    for _ in range(trials):
        x = rng.normal(size=40)
        y = 0.6 * x + 0.8 * rng.normal(size=40)
        found = correlate(x, y, draws=400)
        hits += found.lower <= truth <= found.upper
    assert 0.90 <= hits / trials <= 0.99


def test_early_predicts_late_is_calibrated_when_only_the_baseline_is_shared():
    """Both decreases share the baseline; without it as a covariate the test would be useless."""
    rng, trials = np.random.default_rng(3), 1500
    naive = adjusted = 0
    for _ in range(trials):
        start, early, late = rng.normal(size=(3, 36))
        arm = np.repeat(["a", "b", "c"], 12)
        x, y = start - early, start - late
        adjusted += correlate(x, y, start[:, None], arm, draws=2).p_value < 0.05
        naive += correlate(x, y, arm=arm, draws=2).p_value < 0.05
    assert naive / trials > 0.5
    assert adjusted / trials == pytest.approx(0.05, abs=0.015)


def test_repeated_measures_correlation_equals_analysis_of_covariance():
    rng = np.random.default_rng(2)
    patient = np.repeat([f"p{i}" for i in range(8)], 3)[:-1]
    x = rng.normal(size=23) + 5 * (np.arange(23) // 3)
    y = -0.7 * x + rng.normal(size=23) + 9 * (np.arange(23) // 3)
    dummies = (patient[:, None] == np.unique(patient)).astype(float)
    full = np.column_stack([dummies, x])
    sums = [((y - d @ np.linalg.lstsq(d, y, rcond=None)[0]) ** 2).sum() for d in (dummies, full)]
    found = repeated_measures_correlation(x, y, patient, 0.95)
    df = 23 - 8 - 1
    assert found.estimate == pytest.approx(-np.sqrt((sums[0] - sums[1]) / sums[0]), abs=1e-12)
    f = (sums[0] - sums[1]) / (sums[1] / df)
    assert found.p_value == pytest.approx(stats.f.sf(f, 1, df), rel=1e-9)
    assert np.arctanh(found.upper) - np.arctanh(found.lower) == pytest.approx(
        2 * stats.norm.ppf(0.975) / np.sqrt(df - 1)
    )
    # Levels of patients and patients with one visit say nothing.
    code = np.unique(patient, return_inverse=True)[1]
    more = np.r_[x + 100 * code, 3.0], np.r_[y - 50 * code, 4.0], np.append(patient, "alone")
    assert repeated_measures_correlation(*more, 0.95).estimate == pytest.approx(found.estimate)


def test_standardized_slope_equals_statsmodels():
    api = pytest.importorskip("statsmodels.api")
    rng = np.random.default_rng(4)
    arm = np.repeat(["a", "b"], 15)
    x, easi = rng.normal(size=(2, 30))
    y = 0.5 * x + easi + (arm == "b") + rng.normal(size=30)
    found = standardized_slope(y, x, easi[:, None], arm, 0.95)
    design = np.column_stack([x / x.std(ddof=1), easi, arm == "a", arm == "b"]).astype(float)
    fit = api.OLS(y / y.std(ddof=1), design).fit()
    assert found.estimate == pytest.approx(fit.params[0])
    assert (found.lower, found.upper) == pytest.approx(tuple(fit.conf_int()[0]))
    assert found.p_value == pytest.approx(fit.pvalues[0])


def test_kappa_equals_statsmodels_and_the_textbook():
    inter_rater = pytest.importorskip("statsmodels.stats.inter_rater")
    table = np.array([[20, 5], [10, 15]])
    first = np.repeat([False, False, True, True], table.ravel())
    second = np.repeat([False, True, False, True], table.ravel())
    found, expected = kappa(first, second, 0.95), inter_rater.cohens_kappa(table)
    assert found.estimate == pytest.approx(0.4)
    assert found.estimate == pytest.approx(expected.kappa)
    assert (found.lower, found.upper) == pytest.approx((expected.kappa_low, expected.kappa_upp))
    assert np.isnan(kappa(np.zeros(9, bool), np.ones(9, bool), 0.95).estimate)


def test_wilson_interval_of_no_patient_in_ten():
    z = stats.norm.ppf(0.975)
    found = proportion(np.zeros(10, dtype=bool), 0.95)
    assert (found.estimate, found.lower) == (0, 0)
    assert found.upper == pytest.approx(z**2 / (10 + z**2))
    assert np.isnan(proportion(np.zeros(0, dtype=bool), 0.95).estimate)
