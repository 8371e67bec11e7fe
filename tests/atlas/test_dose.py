"""The dose trend: Welch's test by scipy and statsmodels, planted order found, one dose said."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.stats import t as t_distribution
from scipy.stats import ttest_ind
from statsmodels.stats.multitest import multipletests

from adnorm.atlas.cohort_results import CohortResults
from adnorm.atlas.dose import COLUMNS, DoseArm, dose_table, slope
from adnorm.effects.fit import holm
from adnorm.index.means import Group
from adnorm.index.normalization import normalization_index
from adnorm.index.patients import patient_scores
from adnorm.study.config import IndexSettings

SETTINGS = IndexSettings(primary=("first",))
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
    index = normalization_index(scores, observations, "nonlesional", name, SETTINGS)
    samples = pd.DataFrame(sheet, columns=["arm", "treatment", "drug_class", "dose_mg"])
    patients_table = patient_scores(scores, observations)
    return CohortResults("trial", "atopic dermatitis", True, name, index, patients_table, samples)


def arms_of(sizes, spreads, names, seed=0, rise=0.0):
    """Arms of patients whose decreases differ by `rise` a step, and their denominator."""
    rng = np.random.default_rng(seed)
    ends = np.cumsum([0, *sizes])
    groups = [
        Group(np.arange(a, b), rise * i + spread * rng.normal(size=(b - a, names)))
        for i, (a, b, spread) in enumerate(zip(ends, ends[1:], spreads, strict=False))
    ]
    arms = [DoseArm(float(i), float(i), group) for i, group in enumerate(groups)]
    disease = [Group(np.arange(ends[-1]), 3 + rng.normal(size=(ends[-1], names)))]
    return arms, disease, np.repeat(np.arange(len(sizes)), sizes)


# ---------------------------------------------------------------- the slope


def test_the_step_between_two_arms_is_tested_as_welch_does():
    arms, disease, strata = arms_of((6, 11), (1.0, 3.0), 40, rise=0.7)
    found = slope(arms, disease, strata, 0.95)
    low, high = (arm.group.values for arm in arms)
    expected = ttest_ind(high, low, equal_var=False).pvalue
    np.testing.assert_allclose(found.p_value, expected, rtol=1e-10)
    difference = (high.mean(axis=0) - low.mean(axis=0)) / disease[0].values.mean(axis=0)
    np.testing.assert_allclose(found.value, difference, rtol=1e-12)


def test_the_trend_is_least_squares_with_a_variance_for_every_arm():
    arms, disease, strata = arms_of((6, 9, 14, 7), (1.0, 2.0, 0.5, 4.0), 5, seed=1, rise=0.5)
    found = slope(arms, disease, strata, 0.95)
    sizes = [len(arm.group.rows) for arm in arms]
    codes = np.repeat(np.arange(4), sizes)
    for name in range(5):
        y = np.concatenate([arm.group.values[:, name] for arm in arms])
        line = np.polyfit(codes, y, 1)[0]
        assert found.value[name] * disease[0].values[:, name].mean() == pytest.approx(line)
        # Of independent means, HC2 gives each arm the variance of its own patients.
        means = sm.OLS(y, np.eye(4)[codes]).fit(cov_type="HC2")
        weights = np.bincount(codes, weights=(codes - codes.mean()) / (codes.var() * len(codes)))
        error = float(means.t_test(weights).sd[0, 0])
        own = weights**2 * np.array([y[codes == c].var(ddof=1) / sizes[c] for c in range(4)])
        df = own.sum() ** 2 / (own**2 / (np.array(sizes) - 1)).sum()
        assert found.p_value[name] == pytest.approx(2 * t_distribution.sf(abs(line) / error, df))


def test_the_limits_are_slopes_that_are_just_not_rejected():
    """Fieller: at its ends, numerator minus slope times denominator is t standard errors from 0."""
    arms, disease, strata = arms_of((8, 8, 12), (1.0, 1.0, 2.0), 1, seed=2, rise=0.6)
    found = slope(arms, disease, strata, 0.9)
    codes = np.repeat(np.arange(3), (8, 8, 12))
    weights = (codes - codes.mean()) / (codes.var() * len(codes))
    y = np.concatenate([arm.group.values[:, 0] for arm in arms])
    sizes = np.array([8, 8, 12])
    own = [weights[codes == c][0] ** 2 * s * y[codes == c].var(ddof=1) for c, s in enumerate(sizes)]
    df = sum(own) ** 2 / sum(v**2 / (s - 1) for v, s in zip(own, sizes, strict=True))
    divisor = disease[0].values[:, 0]
    for limit in (found.lower[0], found.upper[0]):
        parts = []
        for code, size in enumerate(sizes):
            mine = codes == code
            top = weights[mine] * (y[mine] - y[mine].mean()) * np.sqrt(size / (size - 1))
            bottom = (divisor - divisor.mean())[mine] / np.sqrt(28 * 27)
            parts.append(((top - limit * bottom) ** 2).sum())
        away = abs(weights @ y - limit * divisor.mean()) / np.sqrt(sum(parts))
        assert away == pytest.approx(t_distribution.ppf(0.95, df))


@pytest.mark.parametrize(
    ("sizes", "spreads", "rise"), [((6, 6), (1, 4), 3.0), ((5, 9, 16), (3, 1, 1), 1.0)]
)
def test_interval_and_p_value_never_contradict(sizes, spreads, rise):
    arms, disease, strata = arms_of(sizes, spreads, 3000, seed=3, rise=rise)
    found = slope(arms, disease, strata, 0.95)
    apart = (found.lower > 0) | (found.upper < 0)
    assert 0.1 < apart.mean() < 0.9
    np.testing.assert_array_equal(apart, found.p_value < 0.05)


@pytest.mark.parametrize(
    ("sizes", "spreads"),
    [((18, 6, 6), (1, 1, 4)), ((6, 12, 18), (4, 1, 1)), ((9, 9, 9), (1, 1, 1))],
)
def test_five_per_cent_of_trials_without_a_trend_have_one_however_arms_spread(sizes, spreads):
    arms, disease, strata = arms_of(sizes, spreads, 6000, seed=4)
    assert 0.04 < (slope(arms, disease, strata, 0.95).p_value < 0.05).mean() < 0.065


def test_all_values_equal_is_no_trend():
    arms, disease, strata = arms_of((4, 4, 4), (0.0, 0.0, 0.0), 2)
    equal = [dataclasses.replace(arm, group=Group(arm.group.rows, 0 * arm.group.values + 0.1))
             for arm in arms]  # fmt: skip
    found = slope(equal, disease, strata, 0.95)
    assert found.p_value.tolist() == [1, 1]
    assert found.value == pytest.approx(0, abs=1e-12)


# ---------------------------------------------------------------- neighbouring doses


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
    table = dose_table(cohort(doses, reversal, patients=14), SETTINGS)
    assert list(table.columns) == COLUMNS
    trend = table[table["question"] == "trend"]
    assert (trend["p_value"] < 0.001).all()
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


def test_the_step_from_placebo_is_the_difference_of_the_two_indices():
    trial = cohort((100, 200), [0.1, 0.4, 0.7])
    table = dose_table(trial, SETTINGS)
    step = table[table["low"].eq("placebo") & table["question"].eq("adjacent")]
    index = trial.index.set_index(["arm", "name"])["ni"]
    for _, row in step.iterrows():
        expected = index["drug 100 mg", row["name"]] - index["placebo", row["name"]]
        assert row["estimate"] == pytest.approx(expected)


def test_an_arm_below_six_patients_makes_its_rows_exploratory():
    trial = cohort((20, 40, 80), [0.0, 0.2, 0.4, 0.6], patients=8)
    gone = (trial.patients["arm"] == "drug 20 mg") & (trial.patients["week"] == 4)
    gone &= trial.patients["patient"].str[-2:].isin(["00", "01", "02"])
    trial.patients.drop(index=trial.patients.index[gone], inplace=True)
    table = dose_table(trial, SETTINGS).query("name == 'first'")
    few = table["low"].eq("20 mg") | table["doses"].str.contains("20 mg,")
    few |= table["high"].eq("20 mg")
    assert few.sum() == 4 and (~few).sum() == 1
    assert set(table.loc[few, "status"]) == {"exploratory"}
    assert table.loc[few, "reason"].str.contains("fewer than 6 patients").all()
    assert table.loc[~few, ["status", "reason"]].to_numpy().tolist() == [["ok", ""]]


def test_rows_of_placebo_in_no_family_take_no_name_out_of_its_family():
    trial = cohort((100, 200), [0.1, 0.3, 0.5])
    trial.index["family"] = trial.index["family"].mask(trial.index["arm"] == "placebo", "none")
    trial.index.sort_values("arm", ascending=False, inplace=True)
    trend = dose_table(trial, SETTINGS).query("question == 'trend'").set_index("name")
    assert trend["family"].to_dict() == {"first": "primary", "second": "secondary"}
    assert np.isfinite(trend.loc["second", "fdr"])


def test_same_effect_at_all_doses_has_no_gain():
    table = dose_table(cohort((20, 40, 80), [0.4] * 4, patients=12, seed=4), SETTINGS)
    gain = table[table["question"] == "gain_per_doubling"]
    assert ((gain["lower"] < 0) & (gain["upper"] > 0)).all()


def test_one_dose_says_so_and_has_no_number():
    table = dose_table(cohort((300,), [0.1, 0.5]), SETTINGS)
    assert set(table["reason_code"]) == {"ONE_DOSE"} and set(table["status"]) == {"NA"}
    assert table["reason"].str.contains(r"one dose \(300 mg\)").all()
    assert table[["estimate", "p_value"]].isna().all(axis=None)


def test_without_placebo_the_trend_is_of_the_doses_and_says_so():
    table = dose_table(cohort((20, 40, 80), [0.2, 0.4, 0.6], placebo=False), SETTINGS)
    trend = table[table["question"] == "trend"]
    assert set(trend["doses"]) == {"20 mg, 40 mg, 80 mg"}
    assert trend["reason"].str.contains("no placebo arm").all()


def test_a_dose_with_too_few_patients_is_left_out_by_name():
    trial = cohort((20, 40, 80), [0.0, 0.2, 0.4, 0.6])
    gone = (trial.patients["arm"] == "drug 40 mg") & (trial.patients["week"] == 4)
    gone &= ~trial.patients["patient"].str.endswith(("00", "01"))
    trial.patients.drop(index=trial.patients.index[gone], inplace=True)
    trend = dose_table(trial, SETTINGS).query("question == 'trend'")
    assert set(trend["doses"]) == {"placebo, 20 mg, 80 mg"}
    assert trend["reason"].str.contains(r"drug 40 mg left out \(2 patients\)").all()


def test_unit_of_the_scores_and_order_of_rows_do_not_matter():
    one = cohort((100, 200), [0.1, 0.3, 0.5])
    ten = cohort((100, 200), [0.1, 0.3, 0.5], scale=10.0)
    mixed = ten.patients.sample(frac=1, random_state=2)
    ten = CohortResults(
        "trial", ten.disease, True, "placebo", ten.index, mixed, ten.samples.iloc[::-1]
    )
    pd.testing.assert_frame_equal(dose_table(one, SETTINGS), dose_table(ten, SETTINGS))


def test_refused_names_keep_the_reason_of_the_index():
    trial = cohort((100, 200), [0.1, 0.3, 0.5])
    second = trial.index["name"] == "second"
    trial.index.loc[second, "status"] = "NA"
    trial.index.loc[second, ["reason_code", "reason"]] = "UNSIGNED", "no direction"
    table = dose_table(trial, SETTINGS)
    refused = table[table["name"] == "second"]
    assert refused["reason_code"].tolist() == ["UNSIGNED"] and refused["estimate"].isna().all()


def test_a_list_of_a_user_stays_out_of_the_family_that_is_adjusted():
    trial = cohort((100, 200), [0.1, 0.3, 0.5])
    trial.index["family"] = "secondary"
    plain = dose_table(trial, SETTINGS)
    trial.index.loc[trial.index["name"] == "second", "family"] = "none"
    table = dose_table(trial, SETTINGS)
    trend = table[table["question"] == "trend"].set_index("name")
    assert trend["family"].to_dict() == {"first": "secondary", "second": "none"}
    assert np.isnan(trend.loc["second", "fdr"])
    # Alone in its family, a p-value is its own false discovery rate.
    assert trend.loc["first", "fdr"] == trend.loc["first", "p_value"]
    assert plain.loc[plain["question"] == "trend", "fdr"].notna().all()
