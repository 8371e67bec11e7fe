"""The dose trend: Jonckheere by hand, planted order found, one dose said."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

from adnorm.atlas.cohort_results import CohortResults
from adnorm.atlas.dose import (
    COLUMNS,
    arrangements,
    dose_table,
    holm,
    jonckheere_moments,
    trend_tests,
)
from adnorm.index.normalization import normalization_index
from adnorm.index.patients import patient_scores
from adnorm.study.config import IndexSettings

SETTINGS = IndexSettings(bootstrap=300, primary=("first",))
NAMES = ["first", "second"]


def cohort(doses, reversal, patients=10, noise=0.4, scale=1.0, placebo=True, seed=0):
    """A trial at week 4 in which each arm brings back a share `reversal` of an effect of 3."""
    rng = np.random.default_rng(seed)
    arms = {f"drug {dose:g} mg": dose for dose in doses}
    if placebo:
        arms = {"placebo": np.nan} | arms
    rows, values, sheet = [], [], []
    for (arm, dose), back in zip(arms.items(), reversal, strict=True):
        for i in range(patients):
            patient = f"{arm}-{i:02d}"
            normal, disease = rng.normal(0, 1, 2), 3 + rng.normal(0, noise, 2)
            after = normal + (1 - back) * disease + rng.normal(0, noise, 2)
            for state, week, value in (
                ("nonlesional", 0.0, normal),
                ("lesional", 0.0, normal + disease),
                ("lesional", 4.0, after),
            ):
                rows.append((patient, state, week, arm))
                values.append(scale * value)
        drug, kind = ("placebo", "placebo") if arm == "placebo" else ("drug", "JAK inhibitor")
        sheet.append((arm, drug, kind, dose))
    observations = pd.DataFrame(rows, columns=["patient", "state", "week", "arm"])
    scores = pd.DataFrame(np.array(values), columns=NAMES)
    name = "placebo" if placebo else ""
    index = normalization_index(scores, observations, "nonlesional", name, SETTINGS, 1)
    samples = pd.DataFrame(sheet, columns=["arm", "treatment", "drug_class", "dose_mg"])
    patients_table = patient_scores(scores, observations)
    return CohortResults("trial", "atopic dermatitis", True, name, index, patients_table, samples)


def by_hand(values, groups):
    """Pairs in the right order, ties half, by the definition."""
    total = 0.0
    for i in range(len(values)):
        for j in range(len(values)):
            if groups[i] < groups[j]:
                total += float(values[i] < values[j]) + 0.5 * float(values[i] == values[j])
    return total


# ---------------------------------------------------------------- Jonckheere and Terpstra


@pytest.mark.parametrize("groups", [[0, 0, 1, 1, 2, 2], [0, 1, 1, 2], [0, 0, 0, 1, 1, 3]])
def test_jonckheere_is_its_definition_and_all_arrangements_have_its_moments(groups):
    values = np.random.default_rng(3).normal(size=(len(groups), 1))
    scores = np.array(groups, dtype=float)
    found = trend_tests(values, scores, np.random.default_rng(1))
    distinct = sorted(set(permutations(groups)))
    every = np.array([by_hand(values[:, 0], g) for g in distinct])
    observed = by_hand(values[:, 0], groups)
    mean, variance = jonckheere_moments(np.unique(groups, return_counts=True)[1])
    assert found.jonckheere[0] == observed
    assert (every.mean(), every.var()) == pytest.approx((mean, variance))
    exact = (np.abs(every - mean) >= abs(observed - mean)).mean()
    assert found.jonckheere_p_value[0] == pytest.approx(exact)


def test_perfect_order_of_three_pairs_has_the_smallest_p_that_exists():
    found = trend_tests(np.arange(6.0)[:, None], np.repeat([0.0, 1, 2], 2), None)
    assert found.jonckheere[0] == 12
    assert found.jonckheere_p_value[0] == pytest.approx(2 / 90)
    assert found.p_value[0] == pytest.approx(2 / 90)


def test_ties_count_half():
    values = np.array([[1.0], [1.0], [2.0], [2.0]])
    found = trend_tests(values, np.array([0.0, 1, 1, 2]), None)
    assert found.jonckheere[0] == by_hand(values[:, 0], [0, 1, 1, 2])


def test_all_values_equal_is_no_trend():
    found = trend_tests(np.ones((6, 1)), np.repeat([0.0, 1, 2], 2), None)
    assert found.p_value[0] == 1 and found.jonckheere_p_value[0] == 1


def test_arrangements_are_distinct_and_complete_or_drawn_with_the_observed_first():
    codes = np.array([0, 1, 1, 2, 2])
    every = arrangements(codes, None)
    assert len(every) == 30 == len({tuple(row) for row in every})
    many = np.repeat([0, 1, 2], 8)
    drawn = arrangements(many, np.random.default_rng(0))
    assert drawn.shape == (10_000, 24) and (drawn[0] == many).all()
    assert (np.sort(drawn, axis=1) == many).all()


def test_type_one_error_is_what_it_says():
    # Skewed values without a trend: 800 names are 800 trials.
    values = np.random.default_rng(5).exponential(size=(12, 800))
    found = trend_tests(values, np.repeat([0.0, 1, 2], 4), np.random.default_rng(6))
    for p in (found.p_value, found.jonckheere_p_value):
        assert 0.03 < (p <= 0.05).mean() < 0.07


def test_holm_is_what_statsmodels_makes_of_each_family():
    p = np.random.default_rng(3).uniform(size=(4, 30)) ** 3
    p[1] = p[2]
    expected = [multipletests(family, method="holm")[1] for family in p.T]
    np.testing.assert_allclose(holm(p).T, expected, rtol=1e-12)


def test_holm_keeps_order_and_never_passes_one():
    p = np.array([[0.01, 0.9], [0.02, 0.8], [0.6, 0.7]])
    np.testing.assert_allclose(holm(p), [[0.03, 1.0], [0.04, 1.0], [0.6, 1.0]])


# ---------------------------------------------------------------- dose.tsv


@pytest.mark.parametrize("doses", [(100, 200), (15, 30), (20, 40, 80)])
def test_planted_order_is_found(doses):
    reversal = [0.05 + 0.25 * i for i in range(len(doses) + 1)]
    table = dose_table(cohort(doses, reversal, patients=14), SETTINGS, 1)
    assert list(table.columns) == COLUMNS
    trend = table[table["question"] == "trend"]
    assert (trend["p_value"] < 0.001).all() and (trend["jonckheere_p_value"] < 0.001).all()
    assert ((trend["lower"] < 0.25) & (trend["upper"] > 0.25)).all()
    gain = table[table["question"] == "gain_per_doubling"]
    assert gain["estimate"].to_numpy() == pytest.approx(0.25, abs=0.1)
    steps = table[(table["question"] == "adjacent") & (table["name"] == "first")]
    assert len(steps) == len(doses)
    assert (steps["holm_p_value"] >= steps["p_value"]).all()
    named = ["placebo", *(f"{d} mg" for d in doses)]
    assert set(zip(steps["low"], steps["high"], strict=True)) == set(
        zip(named[:-1], named[1:], strict=True)
    )


def test_the_step_from_placebo_is_the_placebo_adjusted_index():
    trial = cohort((100, 200), [0.1, 0.4, 0.7])
    table = dose_table(trial, SETTINGS, 1)
    step = table[table["low"].eq("placebo") & table["question"].eq("adjacent")]
    index = trial.index.set_index(["arm", "name"])
    for _, row in step.iterrows():
        expected = index.loc[("drug 100 mg", row["name"])]
        assert row["estimate"] == pytest.approx(expected["dni"])
        assert row["lower"] == pytest.approx(expected["dni_lower"], abs=0.05)


def test_same_effect_at_all_doses_has_no_gain():
    table = dose_table(cohort((20, 40, 80), [0.4] * 4, patients=12, seed=4), SETTINGS, 1)
    gain = table[table["question"] == "gain_per_doubling"]
    assert ((gain["lower"] < 0) & (gain["upper"] > 0)).all()


def test_one_dose_says_so_and_has_no_number():
    table = dose_table(cohort((300,), [0.1, 0.5]), SETTINGS, 1)
    assert set(table["reason_code"]) == {"ONE_DOSE"} and set(table["status"]) == {"NA"}
    assert table["reason"].str.contains(r"one dose \(300 mg\)").all()
    assert table[["estimate", "p_value", "jonckheere"]].isna().all(axis=None)


def test_without_placebo_the_trend_is_of_the_doses_and_says_so():
    table = dose_table(cohort((20, 40, 80), [0.2, 0.4, 0.6], placebo=False), SETTINGS, 1)
    trend = table[table["question"] == "trend"]
    assert set(trend["doses"]) == {"20 mg, 40 mg, 80 mg"}
    assert trend["reason"].str.contains("no placebo arm").all()


def test_a_dose_with_too_few_patients_is_left_out_by_name():
    trial = cohort((20, 40, 80), [0.0, 0.2, 0.4, 0.6])
    gone = (trial.patients["arm"] == "drug 40 mg") & (trial.patients["week"] == 4)
    gone &= ~trial.patients["patient"].str.endswith(("00", "01"))
    trial.patients.drop(index=trial.patients.index[gone], inplace=True)
    trend = dose_table(trial, SETTINGS, 1).query("question == 'trend'")
    assert set(trend["doses"]) == {"placebo, 20 mg, 80 mg"}
    assert trend["reason"].str.contains(r"drug 40 mg left out \(2 patients\)").all()


def test_unit_of_the_scores_and_order_of_rows_do_not_matter():
    one = cohort((100, 200), [0.1, 0.3, 0.5])
    ten = cohort((100, 200), [0.1, 0.3, 0.5], scale=10.0)
    mixed = ten.patients.sample(frac=1, random_state=2)
    ten = CohortResults(
        "trial", ten.disease, True, "placebo", ten.index, mixed, ten.samples.iloc[::-1]
    )
    pd.testing.assert_frame_equal(dose_table(one, SETTINGS, 1), dose_table(ten, SETTINGS, 1))


def test_refused_names_keep_the_reason_of_the_index():
    trial = cohort((100, 200), [0.1, 0.3, 0.5])
    second = trial.index["name"] == "second"
    trial.index.loc[second, "status"] = "NA"
    trial.index.loc[second, ["reason_code", "reason"]] = "UNSIGNED", "no direction"
    table = dose_table(trial, SETTINGS, 1)
    refused = table[table["name"] == "second"]
    assert refused["reason_code"].tolist() == ["UNSIGNED"] and refused["estimate"].isna().all()


def test_a_list_of_a_user_stays_out_of_the_family_that_is_adjusted():
    trial = cohort((100, 200), [0.1, 0.3, 0.5])
    trial.index["family"] = "secondary"
    plain = dose_table(trial, SETTINGS, 1)
    trial.index.loc[trial.index["name"] == "second", "family"] = "none"
    table = dose_table(trial, SETTINGS, 1)
    trend = table[table["question"] == "trend"].set_index("name")
    assert trend["family"].to_dict() == {"first": "secondary", "second": "none"}
    assert np.isnan(trend.loc["second", "fdr"])
    # Alone in its family, a p-value is its own false discovery rate.
    assert trend.loc["first", "fdr"] == trend.loc["first", "p_value"]
    assert plain.loc[plain["question"] == "trend", "fdr"].notna().all()
