"""How early: the planted share is found, and nothing is divided by an index that may be 0."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from adnorm.atlas.cohort_results import CohortResults
from adnorm.atlas.time import COLUMNS, early_week, time_table
from adnorm.index.normalization import normalization_index
from adnorm.index.patients import patient_scores
from adnorm.study.config import IndexSettings

SETTINGS = IndexSettings(primary=("first",))
NAMES = ["first", "second"]


def cohort(reversal, patients=12, noise=0.3, scale=1.0, seed=0, lost=0):
    """One arm that brings back the share `reversal[week]` of an effect of 3."""
    rng = np.random.default_rng(seed)
    rows, values = [], []
    for i in range(patients):
        normal, disease = rng.normal(0, 1, 2), 3 + rng.normal(0, noise, 2)
        visits = [("nonlesional", 0.0, normal), ("lesional", 0.0, normal + disease)]
        for week, back in reversal.items():
            if i >= lost or week != max(reversal):
                value = normal + (1 - back) * disease + rng.normal(0, noise, 2)
                visits.append(("lesional", float(week), value))
        for state, week, value in visits:
            rows.append((f"P{i:02d}", state, week, "drug 10 mg"))
            values.append(scale * value)
    observations = pd.DataFrame(rows, columns=["patient", "state", "week", "arm"])
    scores = pd.DataFrame(np.array(values), columns=NAMES)
    index = normalization_index(scores, observations, "nonlesional", "", SETTINGS)
    samples = pd.DataFrame(
        [("drug 10 mg", "drug", "JAK inhibitor", 10.0)],
        columns=["arm", "treatment", "drug_class", "dose_mg"],
    )
    scored = patient_scores(scores, observations)
    return CohortResults("trial", "atopic dermatitis", True, "", index, scored, samples)


def test_planted_share_is_inside_its_interval():
    table = time_table(cohort({2: 0.3, 4: 0.45, 12: 0.6}), SETTINGS)
    assert list(table.columns) == COLUMNS and len(table) == 6
    asked = table[table["share"].notna()]
    assert asked["week"].tolist() == [2.0, 2.0] and set(asked["last_week"]) == {12.0}
    assert ((asked["share_lower"] < 0.5) & (asked["share_upper"] > 0.5)).all()
    assert set(asked["share_status"]) == {"ok"}


def test_a_missing_placebo_adjusted_index_brings_its_reason():
    table = time_table(cohort({2: 0.3, 12: 0.6}), SETTINGS)
    assert table["dni"].isna().all() and set(table["dni_reason_code"]) == {"NO_PLACEBO"}
    assert table["dni_reason"].str.contains("uncontrolled").all()


def test_without_noise_the_share_is_exact_and_the_disease_effect_cancels():
    table = time_table(cohort({2: 0.3, 12: 0.6}, noise=0.0), SETTINGS)
    np.testing.assert_allclose(table["share"].dropna(), 0.5)


def test_patients_who_missed_the_last_visit_are_in_the_share_by_the_model():
    trial = cohort({2: 0.3, 12: 0.6}, lost=4)
    table = time_table(trial, SETTINGS)
    early = table[table["week"] == 2].set_index("name")
    assert set(early["pairs"]) == {12} and set(early["share_pairs"]) == {8.0}
    # One question, one number: it is the index at week 2 over that at week 12.
    index = trial.index.set_index(["week", "name"])["ni"]
    scores = trial.patients[trial.patients["state"] == "lesional"]
    wide = scores.pivot(index=["name", "patient"], columns="week", values="score").dropna()
    for name, row in early.iterrows():
        assert row["share"] == pytest.approx(index[2.0, name] / index[12.0, name])
        both = wide.loc[name]
        stayed = (both[0.0] - both[2.0]).mean() / (both[0.0] - both[12.0]).mean()
        assert abs(row["share"] - stayed) > 1e-4


def test_the_share_of_complete_patients_has_fiellers_interval():
    trial = cohort({2: 0.3, 12: 0.6}, noise=0.5)
    row = time_table(trial, SETTINGS).query("name == 'first' and week == 2").iloc[0]
    scores = trial.patients.query("name == 'first' and state == 'lesional'")
    wide = scores.pivot(index="patient", columns="week", values="score")
    top, bottom = wide[0.0] - wide[2.0], wide[0.0] - wide[12.0]
    for limit in (row["share_lower"], row["share_upper"]):
        apart = top - limit * bottom
        assert abs(apart.mean()) / (apart.std() / np.sqrt(12)) == pytest.approx(
            stats.t.ppf(0.975, 11)
        )


def test_index_at_the_last_visit_that_covers_zero_is_not_divided_by():
    table = time_table(cohort({2: 0.3, 12: 0.0}, noise=0.6, seed=0), SETTINGS)
    early, last = table[table["week"] == 2], table[table["week"] == 12]
    assert (last["lower"] < 0).all()
    assert set(early["share_reason_code"]) == {"LAST_NOT_ESTIMABLE"}
    assert early["share_reason"].str.contains("not above 0").all() and early["share"].isna().all()


def test_worsening_is_no_divisor_either():
    table = time_table(cohort({2: -0.3, 12: -0.6}), SETTINGS)
    assert table["share"].isna().all()
    assert set(table.loc[table["week"] == 2, "share_status"]) == {"NA"}


def test_refused_name_brings_the_reason_of_the_index():
    trial = cohort({2: 0.3, 12: 0.6})
    second = trial.index["name"] == "second"
    trial.index.loc[second, "status"] = "NA"
    trial.index.loc[second, ["reason_code", "reason"]] = "UNSIGNED", "its genes have no direction"
    row = time_table(trial, SETTINGS).query("name == 'second' and week == 2").iloc[0]
    assert np.isnan(row["share"]) and "its genes have no direction" in row["share_reason"]


@pytest.mark.parametrize(
    ("reversal", "code", "said"),
    [
        ({12: 0.5, 16: 0.6}, "NO_EARLY_VISIT", "the first visit is week 12"),
        ({2: 0.5}, "ONE_VISIT", "no visit after week 2"),
    ],
)
def test_visits_that_cannot_answer_say_so(reversal, code, said):
    table = time_table(cohort(reversal), SETTINGS)
    rows = table[table["week"] == min(reversal)]
    assert set(rows["share_reason_code"]) == {code} and table["share"].isna().all()
    assert rows["share_reason"].str.contains(said).all()


def test_week_two_comes_before_other_early_visits():
    assert early_week([1.0, 2.0, 4.0]) == 2.0
    assert early_week([3.0, 4.0]) == 3.0
    assert early_week([6.0]) is None


def test_few_patients_get_the_word_exploratory():
    table = time_table(cohort({2: 0.3, 12: 0.6}, patients=5, noise=0.1), SETTINGS)
    early = table[table["week"] == 2]
    assert set(early["share_status"]) == {"exploratory"}


def test_two_patients_with_both_visits_are_too_few():
    table = time_table(cohort({2: 0.3, 12: 0.6}, patients=6, lost=4), SETTINGS)
    early = table[table["week"] == 2]
    assert early["share"].isna().all()
    # The index at the last visit has no number itself, and its reason is repeated.
    assert early["share_reason"].str.contains("only 2 patients").all()


def test_unit_of_the_scores_does_not_matter():
    one, ten = cohort({2: 0.3, 12: 0.6}), cohort({2: 0.3, 12: 0.6}, scale=10.0)
    pd.testing.assert_frame_equal(time_table(one, SETTINGS), time_table(ten, SETTINGS))
