"""Lesions of one patient in several arms: compared within patients, who count once."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from adnorm.base.errors import AdnormError
from adnorm.index.axis import assign_folds
from adnorm.index.clinic import concordance_table, read_clinic
from adnorm.index.means import Group, PatientMean, PatientTable
from adnorm.index.mmrm import COMPOUND_SYMMETRY, UNSTRUCTURED, fit_repeated_measures
from adnorm.index.patients import patient_scores, trajectories
from adnorm.index.ratio import fieller_interval
from adnorm.study.comparisons import spread_over_lesions
from builders.score_trials import SETTINGS, both_tables, index, lesions, without

LEFT = {"drug": 0.4, "vehicle": 0.8}


def wide(values, observations, name="first"):
    """Scores by patient: a column for each arm, state and week."""
    frame = observations.assign(score=values[name].to_numpy())
    return frame.pivot_table("score", "patient", ["arm", "state", "week"])


def row_of(table, arm="drug", name="first"):
    rows = table[(table["arm"] == arm) & (table["name"] == name)]
    assert len(rows) == 1
    return rows.iloc[0]


def test_skin_that_serves_all_arms_is_repeated_for_every_lesion_without_its_own():
    observations = pd.DataFrame(
        [
            ("P1", "nonlesional", 0.0, "all arms", ""),
            ("P1", "lesional", 0.0, "all arms", ""),
            ("P1", "lesional", 0.0, "drug", "P1, drug"),
            ("P1", "lesional", 4.0, "drug", "P1, drug"),
            ("P1", "lesional", 4.0, "vehicle", "P1, vehicle"),
            ("H1", "healthy", 0.0, "healthy", ""),
            ("P2", "nonlesional", 0.0, "all arms", ""),
        ],
        columns=["patient", "state", "week", "arm", "lesion"],
    )
    rows, found = spread_over_lesions(observations)
    drug = [(row, state, week) for row, state, week, arm in zip(
        rows, found["state"], found["week"], found["arm"], strict=True
    ) if arm == "drug"]  # fmt: skip
    assert drug == [(0, "nonlesional", 0.0), (2, "lesional", 0.0), (3, "lesional", 4.0)]
    vehicle = found["arm"] == "vehicle"
    assert rows[vehicle].tolist() == [0, 1, 4]
    assert found.loc[found["patient"].isin(["H1", "P2"]), "arm"].tolist() == ["healthy", "all arms"]


def test_a_table_of_lesions_without_any_has_no_strata():
    values, observations = lesions(LEFT)
    table = PatientTable.of(values.to_numpy()[:0], observations[:0])
    assert table.strata.tolist() == table.visits == []


def test_a_patient_in_two_arms_is_refused_unless_lesions_are_told_apart():
    values, observations = lesions(LEFT)
    table = PatientTable.of(values.to_numpy(), observations)
    assert table.person is not None and len(set(table.person)) == 12 and len(table.arm) == 24
    with pytest.raises(AdnormError, match=r"more than one arm.*a column lesion"):
        PatientTable.of(values.to_numpy(), observations.drop(columns="lesion"))


def test_every_patient_counts_once_in_the_disease_effect():
    values, observations = lesions(LEFT, patients=9)
    # One patient has one lesion: that patient weighs like any other.
    lost = (observations["patient"] == "P03") & (observations["arm"] == "vehicle")
    values, observations = without(values, observations, lost)
    _, effects = both_tables(values, observations, placebo="vehicle")
    found = effects.set_index("name").loc["first"]
    scores = wide(values, observations)
    start = scores.xs(("lesional", 0.0), axis=1, level=("state", "week")).mean(axis=1)
    own = start - scores["all arms", "nonlesional", 0.0]
    assert found["denominator"] == pytest.approx(own.mean())
    assert found["standard_error"] == pytest.approx(stats.sem(own))
    assert found["people"] == "9 patients with both"


def test_dni_is_the_regression_of_differences_between_lesions_of_a_patient():
    values, observations = lesions(LEFT, patients=15, noise=0.6, shared=0.5, seed=3)
    found = row_of(index(values, observations, placebo="vehicle"))
    scores = wide(values, observations)
    difference = {week: scores["drug", "lesional", week] - scores["vehicle", "lesional", week]
                  for week in (0.0, 4.0)}  # fmt: skip
    fitted = sm.OLS(difference[0.0] - difference[4.0], sm.add_constant(difference[0.0])).fit()
    both = scores["drug", "lesional", 0.0] + scores["vehicle", "lesional", 0.0]
    own = both / 2 - scores["all arms", "nonlesional", 0.0]
    divisor, error = own.mean(), stats.sem(own)
    assert found["dni"] == pytest.approx(fitted.params["const"] / divisor)
    assert found["p_value"] == pytest.approx(fitted.pvalues["const"])
    assert found["tested"] == "dNI" and found["pairs"] == found["placebo_pairs"] == 15
    covariance = np.array([fitted.bse["const"] ** 2]), np.array([error**2]), np.zeros(1)
    values_of = np.array([fitted.params["const"]]), np.array([divisor])
    lower, upper = fieller_interval(*values_of, covariance, 13, 0.95)
    assert (found["dni_lower"], found["dni_upper"]) == pytest.approx((lower[0], upper[0]))


def test_what_both_lesions_of_a_patient_do_is_no_effect_of_the_drug():
    values, observations = lesions(LEFT, seed=4)
    shift = np.random.default_rng(5).normal(0, 3, (12, 3))
    later = observations["week"] > 0
    moved = values.copy()
    moved[later] += shift[observations.loc[later, "patient"].str[1:].astype(int)]
    before, after = (row_of(index(v, observations, placebo="vehicle")) for v in (values, moved))
    for column in ("dni", "dni_lower", "dni_upper", "p_value"):
        assert after[column] == pytest.approx(before[column])
    assert abs(after["ni"] - before["ni"]) > 0.1


def test_with_one_baseline_for_both_lesions_it_is_the_paired_t_test_of_the_visit():
    values, observations = lesions(LEFT, own_baseline=False, seed=6)
    found = row_of(index(values, observations, placebo="vehicle"))
    scores = wide(values, observations)
    test = stats.ttest_rel(scores["vehicle", "lesional", 4.0], scores["drug", "lesional", 4.0])
    own = scores["all arms", "lesional", 0.0] - scores["all arms", "nonlesional", 0.0]
    apart = scores["vehicle", "lesional", 4.0] - scores["drug", "lesional", 4.0]
    assert found["dni"] == pytest.approx(apart.mean() / own.mean())
    assert found["p_value"] == pytest.approx(test.pvalue)


@pytest.mark.parametrize("own_baseline", [True, False])
def test_a_useless_drug_is_found_useful_in_one_trial_of_twenty(own_baseline):
    names = [f"set{i}" for i in range(3000)]
    values, observations = lesions(
        {"drug": 0.7, "vehicle": 0.7}, 8, names=names, shared=1.0, own_baseline=own_baseline, seed=7
    )
    table = index(values, observations, placebo="vehicle")
    drug = table[(table["arm"] == "drug") & table["dni"].notna()]
    assert len(drug) > 2000
    assert 0.04 < (drug["p_value"] < 0.05).mean() < 0.06
    outside = (drug["dni_lower"] > 0) | (drug["dni_upper"] < 0)
    assert 0.04 < outside.mean() < 0.06
    assert abs(drug["dni"].median()) < 0.01


@pytest.mark.parametrize(
    ("last", "code", "said"),
    [
        ("P01", "TOO_FEW_PAIRS", "2 patients have the samples required of a lesion in each"),
        ("P02", "", "exploratory: a group has fewer than 6 people"),
    ],
)
def test_fewer_than_three_patients_with_both_lesions_are_not_compared(last, code, said):
    values, observations = lesions(LEFT, patients=8, effect=6.0, noise=0.2)
    late = (observations["arm"] == "vehicle") & (observations["patient"] > last)
    found = row_of(index(*without(values, observations, late), placebo="vehicle"))
    assert np.isfinite(found["ni"]) and np.isfinite(found["dni"]) == (last == "P02")
    assert found["dni_reason_code"] == code
    assert found["dni_reason"].startswith(said)


def test_parts_of_one_patient_add_up_over_lesions():
    rng = np.random.default_rng(8)
    first, second = rng.normal(size=(6, 1)), rng.normal(size=(6, 1))
    person, strata = np.repeat(np.arange(6), 2), np.zeros(6, dtype=int)
    means = [
        PatientMean.of([Group(np.arange(start, 12, 2), values)], strata, person)
        for start, values in ((0, first), (1, second))
    ]
    both = means[0] - means[1]
    assert both.variance[0] == pytest.approx((first - second).var(ddof=1) / 6)


# ---------------------------------------------------------------- missing visits


def test_the_model_of_lesions_is_the_plain_means_where_nothing_is_missing():
    values, observations = lesions(LEFT, patients=14, weeks=(1.0, 2.0), shared=0.4, seed=9)
    table = PatientTable.of(values.to_numpy(), observations)
    model = fit_repeated_measures(table)
    scores = wide(values, observations)
    assert model.structure == UNSTRUCTURED and model.covariance.shape == (3, 6, 6)
    for (arm, week), place in model.place.items():
        assert model.means[place][0] == pytest.approx(scores[arm, "lesional", week].mean())
    change = model.decrease("drug", 2.0)
    own = scores["drug", "lesional", 0.0] - scores["drug", "lesional", 2.0]
    assert change.variance[0] == pytest.approx(own.var() / 14)
    apart = [scores["drug", "lesional", w] - scores["vehicle", "lesional", w] for w in (0.0, 2.0)]
    fitted = sm.OLS(apart[0] - apart[1], sm.add_constant(apart[0].rename("start"))).fit()
    found = model.contrast({"drug": 1, "vehicle": -1}, 2.0)
    assert found.value[0] == pytest.approx(fitted.params["const"], rel=1e-6)
    robust = fitted.get_robustcov_results("HC3")
    assert found.variance[0] == pytest.approx(robust.bse[0] ** 2, rel=0.1)


def test_one_baseline_of_both_lesions_is_one_cell_of_the_model():
    values, observations = lesions(LEFT, patients=10, own_baseline=False, seed=10)
    gone = observations["lesion"] == "P04, drug"
    values, observations = without(values, observations, gone)
    model = fit_repeated_measures(PatientTable.of(values.to_numpy(), observations))
    assert model.place["drug", 0.0] == model.place["vehicle", 0.0] == (0, 0)
    assert model.covariance.shape == (3, 3, 3)
    found = row_of(index(values, observations, placebo="vehicle"))
    assert (found["estimator"], found["lost"], found["pairs"]) == ("MMRM", 1, 9)
    assert np.isfinite(found["dni"])


def test_lesions_missing_by_their_own_earlier_visit_do_not_move_the_model():
    """Lesions that had not healed by week 1 are not sampled at week 2."""
    names = [f"set{i}" for i in range(60)]
    full, seen = [], []
    for seed in range(12):
        made = lesions(LEFT, 24, (1.0, 2.0), names, shared=0.3, seed=seed)
        values, observations = made
        scores = values.mean(axis=1)
        early = observations["week"] == 1.0
        bad = observations.loc[early & (scores > scores[early].median()), "lesion"]
        gone = observations["lesion"].isin(bad) & (observations["week"] == 2.0)
        for store, data in ((full, made), (seen, without(*made, gone))):
            table = index(*data, placebo="vehicle")
            store.append(table[table["week"] == 2.0].groupby("arm")["ni"].mean())
    bias = (pd.concat(seen, axis=1) - pd.concat(full, axis=1)).mean(axis=1)
    assert bias.abs().max() < 0.02
    few, sheet = lesions(LEFT, 4, (1.0, 2.0))
    model = fit_repeated_measures(PatientTable.of(few.to_numpy(), sheet))
    assert model.structure == COMPOUND_SYMMETRY


# ---------------------------------------------------------------- patients


def test_each_lesion_has_a_response_of_its_own():
    values, observations = lesions(
        {"drug": 0.0, "vehicle": 1.0}, 16, (1.0, 2.0), noise=0.2, own_baseline=False, seed=11
    )
    _, effects = both_tables(values, observations, placebo="vehicle")
    table = trajectories(patient_scores(values, observations), effects, 0.95)
    first = table[table["name"] == "first"]
    assert len(first) == 16 * 2 * 2 and not first.duplicated(["patient", "arm", "week"]).any()
    middle = first.groupby("arm")["response"].median()
    assert middle["drug"] == pytest.approx(1, abs=0.15)
    assert middle["vehicle"] == pytest.approx(0, abs=0.15)
    scores = wide(values, observations)
    seen = first.set_index(["patient", "arm", "week"]).loc[("P02", "drug", 2.0), "observed"]
    start, end = scores["all arms", "lesional", 0.0], scores["drug", "lesional", 2.0]
    divisor = effects.set_index("name").at["first", "denominator"]
    assert seen == pytest.approx((start - end)["P02"] / divisor)


def test_what_the_clinic_measures_of_a_patient_is_not_set_beside_one_lesion():
    values, observations = lesions(LEFT)
    _, effects = both_tables(values, observations, placebo="vehicle")
    scores = patient_scores(values, observations)
    samples = observations.assign(easi=20.0, sample="x")
    table = trajectories(scores, effects, 0.95)
    answers = concordance_table(read_clinic(scores, samples, table, SETTINGS))
    assert answers["estimate"].isna().all()
    assert answers["reason"].str.contains("the clinic measures the patient").any()


def test_lesions_of_a_patient_are_in_one_fold_of_the_axis():
    patients = np.repeat([f"P{i}" for i in range(9)], 2)
    fold = assign_folds(patients, np.tile(["drug", "vehicle"], 9), 3, 1)
    assert sorted(fold.index) == sorted(set(patients))
    assert fold.value_counts().tolist() == [3, 3, 3]
