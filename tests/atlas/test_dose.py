"""The dose trend: Welch's test by scipy and statsmodels, planted order found, one dose said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.stats import t as t_distribution
from scipy.stats import ttest_ind
from statsmodels.stats.multitest import multipletests

from adnorm.atlas.cohort_results import CohortResults, PatientScores, arrange
from adnorm.atlas.dose import COLUMNS, DoseArm, dose_table, slope
from adnorm.effects.fit import holm
from adnorm.index.contrasts import compare_arms
from adnorm.index.means import PatientTable
from adnorm.index.normalization import normalization_index
from adnorm.index.patients import patient_scores
from adnorm.study.config import IndexSettings
from builders.score_trials import lesions, without

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


def arms_of(sizes, spreads, names, seed=0, rise=0.0, start=0.0):
    """Arms of patients whose decreases differ by `rise` a step, and their scores.

    Lesional skin at baseline is at 0 and varies by `start`; a patient who starts 1 higher falls 0.4
    further.
    """
    rng = np.random.default_rng(seed)
    arm = np.repeat([f"arm {i}" for i in range(len(sizes))], sizes)
    step = np.repeat(np.arange(len(sizes)), sizes)[:, None]
    drawn = (len(arm), names)
    decrease = rise * step + np.repeat(spreads, sizes)[:, None] * rng.normal(size=drawn)
    disease, before = 3 + rng.normal(size=drawn), start * rng.normal(size=drawn)
    decrease = decrease + 0.4 * before
    values = {
        ("lesional", 0.0): before,
        ("nonlesional", 0.0): before - disease,
        ("lesional", 4.0): before - decrease,
    }
    present = dict.fromkeys(values, np.ones(len(arm), dtype=bool))
    table = PatientTable(np.arange(len(arm)).astype(str), arm, values, present)
    scores = pd.DataFrame(index=range(names))
    scored = PatientScores(table, "nonlesional", scores, scores.iloc[:0])
    arms = [DoseArm(f"arm {i}", float(i), float(i), size) for i, size in enumerate(sizes)]
    return arms, scored, [decrease[arm == one.name] for one in arms], disease


# ---------------------------------------------------------------- the slope


def test_the_step_between_two_arms_is_tested_as_welch_does():
    arms, scored, (low, high), disease = arms_of((6, 11), (1.0, 3.0), 40, rise=0.7)
    found = slope(arms, scored, 4.0, 0.95)
    expected = ttest_ind(high, low, equal_var=False).pvalue
    np.testing.assert_allclose(found.p_value, expected, rtol=1e-10)
    difference = (high.mean(axis=0) - low.mean(axis=0)) / disease.mean(axis=0)
    np.testing.assert_allclose(found.value, difference, rtol=1e-12)


def test_the_trend_is_least_squares_with_a_variance_for_every_arm():
    sizes = (6, 9, 14, 7)
    arms, scored, decreases, disease = arms_of(sizes, (1.0, 2.0, 0.5, 4.0), 5, seed=1, rise=0.5)
    found = slope(arms, scored, 4.0, 0.95)
    codes = np.repeat(np.arange(4), sizes)
    for name in range(5):
        y = np.concatenate([values[:, name] for values in decreases])
        line = np.polyfit(codes, y, 1)[0]
        assert found.value[name] * disease[:, name].mean() == pytest.approx(line)
        # Of independent means, HC2 gives each arm the variance of its own patients.
        means = sm.OLS(y, np.eye(4)[codes]).fit(cov_type="HC2")
        weights = np.bincount(codes, weights=(codes - codes.mean()) / (codes.var() * len(codes)))
        error = float(means.t_test(weights).sd[0, 0])
        own = weights**2 * np.array([y[codes == c].var(ddof=1) / sizes[c] for c in range(4)])
        df = own.sum() ** 2 / (own**2 / (np.array(sizes) - 1)).sum()
        assert found.p_value[name] == pytest.approx(2 * t_distribution.sf(abs(line) / error, df))


def test_the_trend_is_given_the_score_at_baseline():
    """Arms that start higher by chance fall further: least squares with LS_0 beside the arms."""
    sizes = (8, 12, 10)
    arms, scored, decreases, disease = arms_of(sizes, (1.0,) * 3, 1, seed=5, rise=0.5, start=2.0)
    found = slope(arms, scored, 4.0, 0.95)
    codes, y = np.repeat(np.arange(3), sizes), np.concatenate(decreases)[:, 0]
    start = scored.table.values["lesional", 0.0][:, 0]
    fitted = sm.OLS(y, np.column_stack([np.eye(3)[codes], start])).fit()
    weights = np.bincount(codes, weights=(codes - codes.mean()) / (codes.var() * len(codes)))
    expected = weights @ fitted.params[:3]
    assert found.value[0] * disease[:, 0].mean() == pytest.approx(expected)
    assert expected != pytest.approx(np.polyfit(codes, y, 1)[0], rel=0.02)
    # The arms vary alike, so that one variance for all of them gives nearly the same error.
    plain = float(fitted.t_test(np.append(weights, 0.0)).pvalue)
    assert found.p_value[0] == pytest.approx(plain, rel=0.5)


def test_patients_who_missed_visits_are_in_the_trend_by_the_model():
    scored = arrange(cohort((100.0, 200.0), (0.0, 0.4, 0.8), patients=12), "nonlesional")
    table = scored.table
    assert scored.repeated is None
    gone = np.flatnonzero(table.arm == "drug 200 mg")[:4]
    table.present["lesional", 4.0][gone] = False
    lacking = PatientScores(table, "nonlesional", scored.usable, scored.refused)
    assert lacking.repeated is not None
    arms = [DoseArm("drug 100 mg", 100.0, 1.0, 12), DoseArm("drug 200 mg", 200.0, 2.0, 8)]
    found = slope(arms, lacking, 4.0, 0.95)
    contrast = lacking.repeated.contrast({"drug 100 mg": -1.0, "drug 200 mg": 1.0}, 4.0)
    assert lacking.divisor is not None
    np.testing.assert_allclose(found.value * lacking.divisor.mean.value, contrast.value)
    plain = [table.decrease(arm.name, 4.0).values.mean(axis=0) for arm in arms]
    assert np.abs(contrast.value - (plain[1] - plain[0])).max() > 1e-3


def test_the_limits_are_slopes_that_are_just_not_rejected():
    """Fieller: at its ends, numerator minus slope times denominator is t standard errors from 0."""
    sizes = np.array([8, 8, 12])
    arms, scored, decreases, disease = arms_of(tuple(sizes), (1.0, 1.0, 2.0), 1, seed=2, rise=0.6)
    found = slope(arms, scored, 4.0, 0.9)
    codes = np.repeat(np.arange(3), sizes)
    weights = (codes - codes.mean()) / (codes.var() * len(codes))
    y, divisor = np.concatenate(decreases)[:, 0], disease[:, 0]
    own = [weights[codes == c][0] ** 2 * s * y[codes == c].var(ddof=1) for c, s in enumerate(sizes)]
    df = sum(own) ** 2 / sum(v**2 / (s - 1) for v, s in zip(own, sizes, strict=True))
    for limit in (found.lower[0], found.upper[0]):
        # Given the baseline, the slope and the disease effect are independent.
        variance = sum(own) + limit**2 * divisor.var(ddof=1) / 28
        away = abs(weights @ y - limit * divisor.mean()) / np.sqrt(variance)
        assert away == pytest.approx(t_distribution.ppf(0.95, df))


@pytest.mark.parametrize(
    ("sizes", "spreads", "rise"), [((6, 6), (1, 4), 3.0), ((5, 9, 16), (3, 1, 1), 1.0)]
)
def test_interval_and_p_value_never_contradict(sizes, spreads, rise):
    arms, scored, *_ = arms_of(sizes, spreads, 3000, seed=3, rise=rise, start=1.0)
    found = slope(arms, scored, 4.0, 0.95)
    apart = (found.lower > 0) | (found.upper < 0)
    assert 0.1 < apart.mean() < 0.9
    np.testing.assert_array_equal(apart, found.p_value < 0.05)


@pytest.mark.parametrize(
    ("sizes", "spreads"),
    [((18, 6, 6), (1, 1, 4)), ((6, 12, 18), (4, 1, 1)), ((9, 9, 9), (1, 1, 1))],
)
def test_five_per_cent_of_trials_without_a_trend_have_one_however_arms_spread(sizes, spreads):
    arms, scored, *_ = arms_of(sizes, spreads, 6000, seed=4, start=1.0)
    assert 0.04 < (slope(arms, scored, 4.0, 0.95).p_value < 0.05).mean() < 0.065


def test_all_values_equal_is_no_trend():
    arms, scored, *_ = arms_of((4, 4, 4), (0.0, 0.0, 0.0), 2)
    scored.table.values["lesional", 4.0][...] = scored.table.values["lesional", 0.0] - 0.1
    found = slope(arms, scored, 4.0, 0.95)
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


def test_the_step_from_placebo_is_the_difference_from_placebo_of_the_index():
    """One question, one number: dNI of the lowest dose."""
    trial = cohort((100, 200), [0.1, 0.4, 0.7])
    table = dose_table(trial, SETTINGS)
    step = table[table["low"].eq("placebo") & table["question"].eq("adjacent")]
    assert len(step) == 2
    index = trial.index.set_index(["arm", "name"])
    for _, row in step.iterrows():
        expected = index.loc[("drug 100 mg", row["name"])]
        for ours, theirs in (("estimate", "dni"), ("lower", "dni_lower"), ("upper", "dni_upper")):
            assert row[ours] == pytest.approx(expected[theirs])
        assert row["p_value"] == pytest.approx(expected["p_value"])


def test_a_step_is_the_contrast_of_two_arms_however_far_the_doses_are_apart():
    trial = cohort((10, 20, 160), [0.1, 0.3, 0.4, 0.8])
    steps = dose_table(trial, SETTINGS).query("question == 'adjacent'")
    scored = arrange(trial, "nonlesional")
    arms = {"placebo": "placebo"} | {f"{dose} mg": f"drug {dose} mg" for dose in (10, 20, 160)}
    for (low, high), rows in steps.groupby(["low", "high"]):
        weights = {arms[low]: -1.0, arms[high]: 1.0}
        found = compare_arms(scored.table, weights, 4.0, scored.divisor, 0.95)
        expected = dict(zip(scored.usable.index, found.value, strict=True))
        assert rows["estimate"].to_numpy() == pytest.approx(rows["name"].map(expected).to_numpy())
    assert len(steps) == 3 * 2


def test_rates_are_adjusted_over_all_visits_of_a_family():
    one, other = (cohort((100, 200), [0.1, 0.2, 0.3], seed=seed) for seed in (0, 1))
    for name in ("index", "patients"):
        later = getattr(other, name)
        later = later.assign(week=later["week"].replace(4.0, 12.0))
        table = pd.concat([getattr(one, name), later], ignore_index=True)
        object.__setattr__(one, name, table)
    trend = dose_table(one, SETTINGS).query("question == 'trend'")
    second = trend[trend["name"] == "second"]
    assert second["week"].tolist() == [4, 12]
    expected = multipletests(second["p_value"], method="fdr_bh")[1]
    np.testing.assert_allclose(second["fdr"], expected, rtol=1e-12)
    assert trend.loc[trend["name"] == "first", "fdr"].isna().all()


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


@pytest.mark.parametrize("unit", [10.0, 1e-7])
def test_unit_of_the_scores_and_order_of_rows_do_not_matter(unit):
    one = cohort((100, 200), [0.1, 0.3, 0.5])
    other = cohort((100, 200), [0.1, 0.3, 0.5], scale=unit)
    mixed = other.patients.sample(frac=1, random_state=2)
    other = CohortResults(
        "trial", other.disease, True, "placebo", other.index, mixed, other.samples.iloc[::-1]
    )
    pd.testing.assert_frame_equal(dose_table(one, SETTINGS), dose_table(other, SETTINGS))


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


# ---------------------------------------------------------------- what the index does not say


def test_doses_that_physicians_chose_have_no_trend():
    trial = replace(cohort((100, 200), [0.0, 0.4, 0.8]), randomised=False)
    table = dose_table(trial, SETTINGS)
    assert set(table["reason_code"]) == {"NOT_RANDOMISED"}
    assert table[["estimate", "p_value"]].isna().all(axis=None) and set(table["status"]) == {"NA"}


def test_what_has_no_index_at_a_visit_has_no_trend_and_what_is_doubtful_stays_so():
    trial = cohort((100, 200), [0.0, 0.4, 0.8])
    rows = trial.index["name"] == "first"
    reason = "too weak to divide by: skin at both visits is 4.2 standard errors away"
    trial.index.loc[rows, ["ni", "status", "reason_code", "reason"]] = (
        *(np.nan, "NA", "DENOM_NOT_ESTIMABLE", reason),
    )
    doubtful = (trial.index["name"] == "second") & (trial.index["arm"] == "drug 200 mg")
    trial.index.loc[doubtful, ["status", "reason"]] = "exploratory", "exploratory: 5.5 standard"
    # Of another visit the name has an index, so that its scores are there.
    later = trial.index[rows].assign(week=12.0, ni=0.5, status="ok", reason_code="", reason="")
    object.__setattr__(trial, "index", pd.concat([trial.index, later], ignore_index=True))
    table = dose_table(trial, SETTINGS)
    first = table[(table["name"] == "first") & (table["week"] == 4)]
    assert first["estimate"].isna().all() and set(first["reason"]) == {reason}
    second = table[(table["name"] == "second") & (table["week"] == 4)]
    of_high = second["high"] == "200 mg"
    assert set(second.loc[of_high, "status"]) == {"exploratory"}
    assert set(second.loc[of_high, "reason"]) == {"exploratory: 5.5 standard"}
    assert set(second.loc[~of_high, "status"]) == {"ok"}


def lesions_cohort(per_patient):
    """Three arms; every patient has lesions in `per_patient` of them, in turns."""
    left = {"vehicle": 0.9, "drug 10 mg": 0.6, "drug 20 mg": 0.3}
    values, observations = lesions(left, 12, noise=0.3, names=NAMES)
    turn = observations["patient"].str[1:].astype(int) % 3
    place = observations["arm"].map({arm: i for i, arm in enumerate(left)})
    gone = place.notna() & ((place - turn) % 3 >= per_patient)
    values, observations = without(values, observations, gone)
    index = normalization_index(values, observations, "nonlesional", "vehicle", SETTINGS)
    sheet = [
        ("drug 10 mg", "drug", "JAK inhibitor", 10.0),
        ("drug 20 mg", "drug", "JAK inhibitor", 20.0),
    ]
    sheet += [("vehicle", "vehicle", "placebo", np.nan), ("all arms", "none", "none", np.nan)]
    samples = pd.DataFrame(sheet, columns=["arm", "treatment", "drug_class", "dose_mg"])
    scores = patient_scores(values, observations)
    return CohortResults("trial", "atopic dermatitis", True, "vehicle", index, scores, samples)


def test_doses_on_lesions_of_one_patient_are_compared_within_the_patient():
    table = dose_table(lesions_cohort(3), SETTINGS)
    assert set(table["status"]) == {"ok"} and set(table["pairs"]) == {12}
    steps = table[(table["question"] == "adjacent") & (table["name"] == "first")]
    trial = lesions_cohort(3)
    dni = trial.index.set_index(["arm", "name"]).loc[("drug 10 mg", "first"), "dni"]
    assert steps.set_index("high").at["10 mg", "estimate"] == pytest.approx(dni)


def test_doses_that_no_patient_has_on_three_lesions_have_no_trend_but_their_steps():
    table = dose_table(lesions_cohort(2), SETTINGS)
    trend = table[table["question"] == "trend"]
    assert trend["estimate"].isna().all() and set(trend["reason_code"]) == {"TOO_FEW_PAIRS"}
    assert trend["reason"].str.contains("0 patients have lesions in all of these arms").all()
    steps = table[table["question"] == "adjacent"]
    assert steps["estimate"].notna().all() and set(steps["pairs"]) == {4}
    assert set(steps["status"]) == {"exploratory"}
