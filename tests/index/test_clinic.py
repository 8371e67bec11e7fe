"""Questions about scores and the clinic, and responders by bins of the response of the skin.

The statistics behind them: closed forms, invariances, calibration.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from adnorm.index.clinic import (
    BINS,
    CALIBRATION_COLUMNS,
    CLINICAL,
    COLUMNS,
    _weighted_ranks,
    calibration_table,
    concordance_table,
    kappa,
    partial_spearman,
    proportion,
    read_clinic,
    repeated_measures_correlation,
    standardized_slope,
)
from adnorm.index.patients import COLUMNS as TRAJECTORY_COLUMNS
from adnorm.study.config import IndexSettings
from adnorm.study.vocabulary import Arm

SETTINGS = IndexSettings(bootstrap=200, primary=("global", "itch_core_skin_up"))


NO_TRAJECTORIES = pd.DataFrame(columns=TRAJECTORY_COLUMNS)


def trial(weeks=(0, 2, 4), patients=24, clinical=("easi", "itch_nrs")):
    """Scores, samples and responses of patients whose EASI follows the score."""
    rng = np.random.default_rng(6)
    rows, sheet, responses = [], [], []
    for i in range(patients):
        arm, start, share = ("drug", "placebo")[i % 2], 10 + rng.normal(), rng.uniform(0, 1.1)
        for week in weeks:
            value = start * (1 - share * week / max(max(weeks), 1))
            key = {"patient": f"{i:02d}", "week": float(week)}
            for name in SETTINGS.primary:
                score = {"arm": arm, "state": "lesional", "name": name}
                rows.append(key | score | {"score": value + rng.normal() / 10})
                if week:
                    response = {"reference": "nonlesional", "name": name, "reason": ""}
                    responses.append(key | response | {"response": share * week / max(weeks)})
            values = {"easi": 2 * value, "itch_nrs": value / 2 + rng.normal(), "scorad": 5 * value}
            kept = {column: values[column] for column in clinical}
            sheet += [key | {"state": s} | kept for s in ("lesional", "nonlesional")]
    frames = pd.DataFrame(rows), pd.DataFrame(sheet), pd.DataFrame(responses)
    return frames if len(frames[2]) else (*frames[:2], NO_TRAJECTORIES)


def answers(**design):
    return concordance_table(read_clinic(*trial(**design), SETTINGS, 1))


def test_all_questions_are_answered():
    table = answers()
    assert list(table.columns) == COLUMNS
    fine = table[table["status"] == "ok"]
    assert set(fine["question"]) == {
        *("baseline_with_clinic", "change_with_clinic", "repeated_measures"),
        *("itch_beyond_easi", "easi75_agreement", "early_predicts_late"),
    }
    change = fine[(fine["question"] == "change_with_clinic") & (fine["clinical"] == "easi")]
    assert set(change["arm"]) == {Arm.ALL, "drug", "placebo"}
    assert (change["estimate"] > 0.8).all()
    agree = fine[(fine["question"] == "easi75_agreement") & (fine["week"] == 4)]
    overall = agree[agree["arm"] == Arm.ALL].set_index(["score", "statistic"])["estimate"]
    # EASI falls by the very share that the response says.
    assert overall["global", "kappa"] == pytest.approx(1)
    assert overall["global", "sensitivity for EASI-75"] == 1


def test_the_same_seed_gives_the_same_table():
    pd.testing.assert_frame_equal(answers(), answers())


def test_shared_baselines_are_taken_out_of_changes():
    """Scores without any memory: only the shared baseline makes their decreases agree."""
    scores, samples, responses = trial(patients=200)
    scores["score"] = np.random.default_rng(9).normal(size=len(scores))
    table = concordance_table(read_clinic(scores, samples, responses, SETTINGS, 1))
    found = table[(table["question"] == "early_predicts_late") & (table["arm"] == Arm.ALL)]
    assert len(found) == 2
    assert (found["estimate"].abs() < 0.2).all()
    assert set(found["clinical"]) == {"own score at week 2"}


def test_missing_clinical_columns_are_said_once():
    table = answers(clinical=("itch_nrs",))
    absent = table[table["status"] == "not_available"]
    assert (absent["reason"] == "the sample sheet has no values of easi").any()
    assert not absent.duplicated(["question", "clinical"]).any()
    for question, columns in (
        ("change_with_clinic", {"easi", "scorad"}),
        ("itch_beyond_easi", {"easi"}),
        ("easi75_agreement", {"easi"}),
        ("scorad50_agreement", {"scorad"}),
    ):
        assert set(absent.loc[absent["question"] == question, "clinical"]) == columns
    bare = answers(clinical=())
    assert set(bare.loc[bare["status"] == "ok", "question"]) == {"early_predicts_late"}


def test_a_series_without_visits_is_compared_at_baseline_only():
    table = answers(weeks=(0,), clinical=CLINICAL)
    assert set(table.loc[table["status"] == "ok", "question"]) == {"baseline_with_clinic"}
    others = table[table["status"] != "ok"]
    assert set(others["question"]) == set(table["question"]) - {"baseline_with_clinic"}
    assert others["reason"].str.contains("no visits after baseline").all()


def test_too_few_patients_give_no_number():
    table = answers(patients=6)
    change = table[table["question"] == "change_with_clinic"]
    few = change[change["status"] == "too_few"]
    assert few["estimate"].isna().all()
    assert "6 patients with all values; 13 are needed" in set(few["reason"])
    assert not (change["status"] == "ok").any()


def test_an_index_that_is_not_estimable_leaves_easi75_without_an_answer():
    scores, samples, responses = trial()
    responses.loc[responses["name"] == "global", "response"] = np.nan
    responses.loc[responses["name"] == "global", "reason"] = "too close to 0"
    table = concordance_table(read_clinic(scores, samples, responses, SETTINGS, 1))
    answer = table[(table["question"] == "easi75_agreement") & (table["score"] == "global")]
    assert answer["status"].tolist() == ["not_available"]
    assert answer["reason"].tolist() == ["too close to 0"]


# ---------------------------------------------------------------- calibration


ONE_SCORE = IndexSettings(bootstrap=200, primary=("global",))


#: Response of the skin and share of the clinical score that is gone, one patient each.
PATIENTS = [
    *((-0.2, 0.0), (0.0, 0.1), (0.1, 0.8), (0.2, 0.2), (0.25, 0.6), (0.6, 0.74)),
    *((0.7, 0.75), (0.75, 0.9), (0.9, 0.8), (1.1, 0.4), (0.8, 1.0), (1.3, 0.95)),
]


def responders(column="easi", reason=""):
    scores, sheet, responses = [], [], []
    for i, (response, gone) in enumerate(PATIENTS):
        for week in (0.0, 4.0):
            key = {"patient": f"{i:02d}", "week": week}
            arm = {"arm": ("drug", "placebo")[i % 2]}
            scores.append(
                key | arm | {"state": "lesional", "name": "global", "score": 10 - response * week}
            )
            sheet.append(key | {column: 20.0 * (1 - gone * (week > 0))})
        known = {"reference": "nonlesional", "name": "global", "reason": reason}
        value = np.nan if reason else response
        responses.append({"patient": f"{i:02d}", "week": 4.0} | known | {"response": value})
    return pd.DataFrame(scores), pd.DataFrame(sheet), pd.DataFrame(responses)


def bins(tables, outcome, arm="all arms"):
    table = calibration_table(read_clinic(*tables, ONE_SCORE, 1))
    assert list(table.columns) == CALIBRATION_COLUMNS
    return table[(table["outcome"] == outcome) & (table["arm"] == arm)]


def test_responders_are_counted_in_their_bins():
    found = bins(responders(), "EASI-75").set_index("bin")
    assert list(found.index) == list(BINS)
    assert found["n"].tolist() == [1, 3, 1, 2, 5]
    # 0.74 is no EASI-75, 0.75 is one; a response of 0, 0.25 or 0.75 opens its bin.
    assert found["responders"].tolist() == [0, 1, 0, 1, 4]
    assert found.loc["0.75 and above", "share"] == pytest.approx(0.8)
    assert found.loc["0 to 0.25", "mean_response"] == pytest.approx(0.1)
    assert np.isnan(found.loc["below 0", "response_from"])
    for row in found.itertuples():
        wilson = proportion_confint(row.responders, row.n, 0.05, method="wilson")
        assert (row.lower, row.upper) == pytest.approx(wilson)
    assert (found["status"] == "ok").all()


def test_half_of_scorad_is_the_other_outcome():
    found = bins(responders("scorad"), "SCORAD-50").set_index("bin")
    assert found["responders"].tolist() == [0, 1, 1, 2, 4]
    agreement = concordance_table(read_clinic(*responders("scorad"), ONE_SCORE, 1))
    rows = agreement[
        (agreement["question"] == "scorad50_agreement") & (agreement["arm"] == "all arms")
    ].set_index("statistic")
    # 8 of 12 have SCORAD-50, 4 of them and one other patient respond in the skin.
    assert rows.loc["sensitivity for SCORAD-50", "estimate"] == pytest.approx(4 / 8)
    assert rows.loc["specificity for SCORAD-50", "estimate"] == pytest.approx(3 / 4)
    expected = (4 + 3) / 12
    chance = (8 * 5 + 4 * 7) / 144
    assert rows.loc["kappa", "estimate"] == pytest.approx((expected - chance) / (1 - chance))


def test_empty_bins_of_an_arm_have_a_row_and_no_share():
    found = bins(responders(), "EASI-75", "placebo").set_index("bin")
    assert found["n"].sum() == 6
    assert found.loc["below 0", ["n", "status"]].tolist() == [0, "too_few"]
    assert np.isnan(found.loc["below 0", "share"])
    assert found.loc["below 0", "reason"] == "no patient in this bin"


def test_missing_columns_and_missing_indices_have_one_row_with_the_reason():
    row = bins(responders(), "SCORAD-50")
    assert row["status"].tolist() == ["not_available"]
    assert row["reason"].tolist() == ["the sample sheet has no values of scorad"]
    row = bins(responders(reason="too close to 0"), "EASI-75")
    assert (row["status"].tolist(), row["reason"].tolist()) == (
        ["not_available"],
        ["too close to 0"],
    )
    scores, sheet, responses = responders()
    sheet.loc[sheet["week"] > 0, "easi"] = np.nan
    row = bins((scores, sheet, responses), "EASI-75")
    assert row["reason"].tolist() == ["no visit has a response and easi at baseline and then"]


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
