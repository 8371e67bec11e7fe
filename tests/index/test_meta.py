"""Meta-analysis over genes: by hand, with gaps, and with bad input."""

from __future__ import annotations

import numpy as np
import pytest

from adnorm.base.errors import AdnormError
from adnorm.index.meta import combine_studies


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
