"""Meta-analysis over genes and over classes: by hand, with gaps, and with bad input."""

from __future__ import annotations

import numpy as np
import pytest

from adnorm.base.errors import AdnormError
from adnorm.index.meta import combine_studies, contrast_groups


def test_two_equal_studies_by_hand():
    # Effects 1 and 3 with variance 0.5: Q = 4, C = 2, tau2 = (4 - 1) / 2 = 1.5, weights 1 / 2.
    found = combine_studies(np.array([[1.0, 3.0]]), np.full((1, 2), 0.5))
    assert found.effect[0] == pytest.approx(2.0)
    assert found.tau2[0] == pytest.approx(1.5)
    assert found.i2[0] == pytest.approx(0.75)
    assert found.standard_error[0] == pytest.approx(1.0)
    # Hartung-Knapp: q = (0.5 + 0.5) / 1 = 1, t quantile with 1 degree of freedom.
    assert found.upper[0] == pytest.approx(2.0 + 12.7062047362)


def test_gaps_are_left_out_of_their_row_only():
    rng = np.random.default_rng(1)
    effects, variances = rng.normal(size=(20, 4)), rng.uniform(0.1, 1, (20, 4))
    whole = combine_studies(effects[:, :3], variances[:, :3])
    effects[:, 3] = np.nan
    gappy = combine_studies(effects, variances)
    np.testing.assert_array_equal(gappy.effect, whole.effect)
    np.testing.assert_array_equal(gappy.lower, whole.lower)
    assert set(gappy.studies) == {3}


def test_one_study_gives_no_number():
    found = combine_studies(np.array([[1.0, np.nan], [1.0, 1.2]]), np.full((2, 2), 0.1))
    assert found.studies.tolist() == [1, 2]
    for values in (found.effect, found.lower, found.p_value, found.tau2, found.i2):
        assert np.isnan(values[0]) and np.isfinite(values[1])


def test_no_study_at_all_is_empty_not_a_crash():
    found = combine_studies(np.empty((3, 0)), np.empty((3, 0)))
    assert found.studies.tolist() == [0, 0, 0] and np.isnan(found.effect).all()


def test_the_scale_of_the_effects_carries_through():
    rng = np.random.default_rng(2)
    effects, variances = rng.normal(1, 1, (30, 3)), rng.uniform(0.1, 1, (30, 3))
    one, ten = combine_studies(effects, variances), combine_studies(10 * effects, 100 * variances)
    np.testing.assert_allclose(ten.effect, 10 * one.effect)
    np.testing.assert_allclose(ten.p_value, one.p_value)
    np.testing.assert_allclose(ten.i2, one.i2, atol=1e-12)


def test_a_standard_error_of_zero_stops():
    with pytest.raises(AdnormError, match="positive standard error"):
        combine_studies(np.ones((1, 2)), np.array([[0.1, 0.0]]))


# ---------------------------------------------------------------- groups of studies


def test_groups_of_equal_variances_by_hand():
    # Within the groups, squares around the mean are 0.5 and 2: their mean with two degrees of
    # freedom is 1.25, of which 0.25 is known.
    effects, signs = np.array([[2.0, 3.0, 0.0, 2.0]]), np.array([1, 1, -1, -1])
    found = contrast_groups(effects, np.full((1, 4), 0.25), signs)
    assert found.effect[0] == pytest.approx(1.5)
    assert found.tau2[0] == pytest.approx(1.0)
    assert found.i2[0] == pytest.approx(0.8)
    assert found.standard_error[0] == pytest.approx(np.sqrt(1.25))
    # The t quantile with two degrees of freedom.
    assert found.lower[0] == pytest.approx(1.5 - 4.3026527297 * np.sqrt(1.25))
    np.testing.assert_allclose(found.weights, 0.5)


def test_studies_that_agree_have_no_variance_between_them():
    effects, signs = np.array([[2.0, 2.1, 1.0, 1.1]]), np.array([1, 1, -1, -1])
    found = contrast_groups(effects, np.full((1, 4), 0.25), signs)
    assert (found.tau2[0], found.i2[0]) == (0, 0)
    # Hartung and Knapp take what the studies show, the rest what they say.
    assert found.standard_error[0] == pytest.approx(np.sqrt(0.005))
    assert found.known_error[0] == pytest.approx(0.5)


def test_one_study_against_one_has_a_difference_and_no_interval():
    found = contrast_groups(np.array([[0.5, 0.2]]), np.full((1, 2), 0.01), np.array([1, -1]))
    assert found.effect[0] == pytest.approx(0.3) and found.freedom.tolist() == [0]
    for name in ("standard_error", "lower", "upper", "p_value", "known_error", "tau2", "i2"):
        assert np.isnan(getattr(found, name)[0])


def test_a_single_study_has_no_part_in_the_variance_of_the_other_group():
    rng = np.random.default_rng(7)
    effects, variances = rng.normal(size=(20, 4)), rng.uniform(0.1, 0.3, (20, 4))
    both = contrast_groups(effects, variances, np.array([1, -1, -1, -1]))
    three = contrast_groups(effects[:, 1:], variances[:, 1:], np.ones(3))
    np.testing.assert_allclose(both.tau2, three.tau2)
    np.testing.assert_allclose(both.effect, effects[:, 0] - three.effect)


def test_gaps_are_left_out_of_their_row_and_a_group_without_studies_has_no_difference():
    rng = np.random.default_rng(8)
    effects, variances = rng.normal(size=(6, 5)), rng.uniform(0.1, 0.3, (6, 5))
    signs = np.array([1, 1, -1, -1, -1])
    whole = contrast_groups(effects[:, :4], variances[:, :4], signs[:4])
    effects[:, 4] = np.nan
    gappy = contrast_groups(effects, variances, signs)
    for name in ("effect", "lower", "p_value", "tau2"):
        np.testing.assert_allclose(getattr(gappy, name), getattr(whole, name))
    assert np.isnan(gappy.weights[:, 4]).all()
    effects[0, :2] = np.nan
    lacking = contrast_groups(effects, variances, signs)
    assert np.isnan([lacking.effect[0], lacking.lower[0], lacking.tau2[0]]).all()
    np.testing.assert_array_equal(lacking.effect[1:], gappy.effect[1:])


def test_by_dersimonian_and_laird_a_single_group_is_the_meta_analysis_of_genes():
    rng = np.random.default_rng(9)
    effects, variances = rng.normal(size=(30, 4)), rng.uniform(0.1, 1, (30, 4))
    found = contrast_groups(effects, variances, np.ones(4), 0.9, "DL")
    genes = combine_studies(effects, variances, 0.9)
    for name in ("effect", "lower", "upper", "tau2", "i2"):
        np.testing.assert_allclose(getattr(found, name), getattr(genes, name), atol=1e-12)
    np.testing.assert_allclose(found.p_value, genes.hartung_knapp_p_value)


def test_the_higher_of_two_maxima_is_taken():
    """A precise study beside two others: the likelihood falls from 0, then rises again."""
    rng = np.random.default_rng(10)
    effects, variances = rng.normal(0, 1, (300, 3)), 10 ** rng.uniform(-4, 0, (300, 3))
    found = contrast_groups(effects, variances, np.ones(3)).tau2
    grid = np.r_[0, np.geomspace(1e-6, 30, 4000)]
    for row in range(300):
        weights = 1 / (variances[row] + grid[:, None])
        total = weights.sum(axis=1)
        mean = (weights @ effects[row]) / total
        likelihood = np.log(weights).sum(axis=1) - np.log(total)
        likelihood -= (weights * (effects[row] - mean[:, None]) ** 2).sum(axis=1)
        best = grid[likelihood.argmax()]
        assert found[row] == pytest.approx(best, rel=0.01, abs=2e-6)


def test_a_standard_error_of_zero_stops_groups_too():
    with pytest.raises(AdnormError, match="positive standard error"):
        contrast_groups(np.ones((1, 2)), np.array([[0.1, 0.0]]), np.ones(2))


@pytest.mark.parametrize("sizes", [(1, 3), (2, 2), (3, 5)])
@pytest.mark.parametrize("between", [0.0, 0.3])
def test_groups_without_a_difference_have_one_in_five_per_cent(sizes, between):
    rng = np.random.default_rng(11)
    errors = rng.uniform(0.1, 0.3, (6000, sum(sizes)))
    effects = rng.normal(0, np.hypot(errors, between))
    found = contrast_groups(effects, errors**2, np.repeat([1, -1], sizes))
    assert 0.035 < (found.p_value < 0.05).mean() < 0.065
