"""Scores without the effects of batches: the index is wrong with them and right without."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adnorm.index.batches import batch_adjusted_scores
from builders.score_trials import index, trial


def shared(second) -> pd.DataFrame:
    second = np.asarray(second, dtype=float)
    return pd.DataFrame({"A": 1 - second, "B": second})


def patient(observations: pd.DataFrame) -> pd.Series:
    return observations["patient"].str.extract(r"(\d+)$")[0].astype(int)


def ni(values, observations) -> float:
    return index(values, observations)["ni"].iloc[0]


def test_late_biopsies_of_a_part_of_the_patients_in_another_batch():
    values, observations = trial(0.5, patients=12, names=["first"], noise=0.1)
    cross = (patient(observations) < 8) & (observations["week"] > 0)
    shifted = values + 1.5 * cross.to_numpy()[:, None]
    adjusted, reason = batch_adjusted_scores(shifted, observations, shared(cross))
    assert reason == ""
    true, wrong = ni(values, observations), ni(shifted, observations)
    assert true == pytest.approx(0.5, abs=0.05) and wrong < 0.25
    assert ni(adjusted, observations) == pytest.approx(true, abs=0.05)


def test_without_an_effect_little_is_taken_off():
    values, observations = trial(0.5, patients=12, names=["first"], noise=0.1)
    cross = (patient(observations) < 6) & (observations["week"] > 0)
    adjusted, _ = batch_adjusted_scores(values, observations, shared(cross))
    assert ni(adjusted, observations) == pytest.approx(ni(values, observations), abs=0.05)
    assert adjusted.to_numpy().mean() == pytest.approx(values.to_numpy().mean())


def test_a_batch_that_is_the_visit_cannot_be_taken_off():
    values, observations = trial(0.5, weeks=(4.0, 12.0))
    adjusted, reason = batch_adjusted_scores(
        values, observations, shared(observations["week"] == 4)
    )
    assert adjusted is None
    assert reason == "batches cannot be told from 'the change in arm drug by week 4'"
    lesional = observations["state"] == "lesional"
    adjusted, reason = batch_adjusted_scores(values, observations, shared(lesional))
    assert adjusted is None and "lesional − nonlesional in arm drug at baseline" in reason


def test_whole_patients_in_a_batch_are_adjusted_between_patients():
    """Pairs do not change by it, levels do."""
    values, observations = trial(0.5, patients=40, names=["first"], noise=0.1)
    second = patient(observations) % 2 == 1
    shifted = values + 4.0 * second.to_numpy()[:, None]
    adjusted, reason = batch_adjusted_scores(shifted, observations, shared(second))
    assert reason == ""
    assert ni(adjusted, observations) == pytest.approx(ni(shifted, observations), rel=1e-9)
    means = adjusted["first"].groupby(second.to_numpy()).mean()
    assert abs(means[True] - means[False]) < 1e-6


def test_a_batch_along_visits_of_all_arms_of_whole_patients_and_healthy_people():
    """A batch of whole patients that no group shares cancels in every pair, so scores stay."""
    values, observations = trial(0.5, arms=("drug", "other"), healthy=5)
    other = observations["arm"] == "other"
    adjusted, reason = batch_adjusted_scores(values, observations, shared(other))
    assert reason == ""
    pd.testing.assert_frame_equal(adjusted, values)


def test_names_with_missing_values_stay_and_no_batches_are_a_reason():
    values, observations = trial(0.5, noise=0.3)
    values.loc[3, "second"] = np.nan
    cross = (patient(observations) < 5) & (observations["week"] > 0)
    adjusted, _ = batch_adjusted_scores(values, observations, shared(cross))
    pd.testing.assert_series_equal(adjusted["second"], values["second"])
    assert not np.allclose(adjusted["first"], values["first"])
    assert batch_adjusted_scores(values, observations, None) == (
        None,
        "the sample sheet tells no batches apart",
    )
