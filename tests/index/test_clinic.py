"""Questions about scores and the clinic, and responders by bins of the response of the skin.

The statistics behind them: closed forms, invariances, calibration.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

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
    calibration_table,
    concordance_table,
    kappa,
    partial_spearman,
    proportion,
    read_clinic,
    repeated_measures_correlation,
)
from adnorm.index.patients import COLUMNS as TRAJECTORY_COLUMNS
from adnorm.study.config import IndexSettings
from adnorm.study.vocabulary import Arm

SETTINGS = IndexSettings(primary=("global", "itch_core_skin_up"))


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
    return concordance_table(read_clinic(*trial(**design), SETTINGS))


def test_all_questions_are_answered():
    table = answers()
    assert list(table.columns) == COLUMNS
    fine = table[table["estimate"].notna()]
    assert set(fine["status"]) == {"exploratory"}
    assert set(fine["question"]) == {
        *("baseline_with_clinic", "change_with_clinic", "repeated_measures", "easi75_agreement"),
    }
    # One noisy biopsy at baseline cannot answer these.
    assert not {"itch_beyond_easi", "early_predicts_late"} & set(table["question"])
    change = fine[(fine["question"] == "change_with_clinic") & (fine["clinical"] == "easi")]
    assert set(change["arm"]) == {Arm.ALL, "drug", "placebo"}
    assert (change["estimate"] > 0.8).all()
    agree = fine[(fine["question"] == "easi75_agreement") & (fine["week"] == 4)]
    overall = agree[agree["arm"] == Arm.ALL].set_index(["score", "statistic"])["estimate"]
    # EASI falls by the very share that the response says.
    assert overall["global", "kappa"] == pytest.approx(1)
    assert overall["global", "sensitivity for EASI-75"] == 1


def test_the_same_data_give_the_same_table():
    pd.testing.assert_frame_equal(answers(), answers())


def test_p_values_are_adjusted_over_one_question():
    table = answers()
    for question, rows in table.groupby("question"):
        known = rows[rows["p_value"].notna()]
        if question.endswith("agreement"):
            assert known.empty
            continue
        ranked = known["p_value"].rank(method="max")
        expected = [
            (known["p_value"] * len(known) / ranked)[known["p_value"] >= p].min()
            for p in known["p_value"]
        ]
        np.testing.assert_allclose(known["fdr"], expected)
        assert len(known) > 3
    assert table.loc[table["p_value"].isna(), "fdr"].isna().all()


def test_itch_is_still_compared_with_itch_scores():
    table = answers()
    rows = table[(table["question"] == "change_with_clinic") & (table["clinical"] == "itch_nrs")]
    known = rows[(rows["score"] == "itch_core_skin_up") & (rows["arm"] == Arm.ALL)]
    assert (known["estimate"] > 0.3).all()
    assert len(known) == 2


def test_missing_clinical_columns_are_said_once():
    table = answers(clinical=("itch_nrs",))
    absent = table[table["status"] == "not_available"]
    assert (absent["reason"] == "the sample sheet has no values of easi").any()
    assert not absent.duplicated(["question", "clinical"]).any()
    for question, columns in (
        ("change_with_clinic", {"easi", "scorad"}),
        ("easi75_agreement", {"easi"}),
        ("scorad50_agreement", {"scorad"}),
    ):
        assert set(absent.loc[absent["question"] == question, "clinical"]) == columns
    assert answers(clinical=())["estimate"].isna().all()


def test_a_series_without_visits_is_compared_at_baseline_only():
    table = answers(weeks=(0,), clinical=CLINICAL)
    answered = table["status"] == "exploratory"
    assert set(table.loc[answered, "question"]) == {"baseline_with_clinic"}
    others = table[~answered]
    assert set(others["question"]) == set(table["question"]) - {"baseline_with_clinic"}
    assert others["reason"].str.contains("no visits after baseline").all()


def test_too_few_patients_give_no_number():
    table = answers(patients=6)
    change = table[table["question"] == "change_with_clinic"]
    few = change[change["status"] == "too_few"]
    assert few["estimate"].isna().all()
    assert "6 patients with all values; 13 are needed" in set(few["reason"])
    assert change["estimate"].isna().all()


@pytest.mark.parametrize(("patients", "status"), [(8, "too_few"), (9, "exploratory")])
def test_a_correlation_over_visits_asks_for_eight_patients_and_one_for_a_second_arm(
    patients, status
):
    table = answers(patients=patients)
    rows = table[table["question"] == "repeated_measures"]
    rows = rows[rows["clinical"].isin(["easi", "itch_nrs"])]
    overall, by_arm = rows[rows["arm"] == Arm.ALL], rows[rows["arm"] != Arm.ALL]
    assert set(overall["status"]) == {status}
    few = {"8 patients with all values; 9 are needed"} if status == "too_few" else {""}
    assert set(overall["reason"]) == few
    assert by_arm["reason"].str.endswith("patients with all values; 8 are needed").all()


def test_an_index_that_is_not_estimable_leaves_easi75_without_an_answer():
    scores, samples, responses = trial()
    responses.loc[responses["name"] == "global", "response"] = np.nan
    responses.loc[responses["name"] == "global", "reason"] = "too close to 0"
    table = concordance_table(read_clinic(scores, samples, responses, SETTINGS))
    answer = table[(table["question"] == "easi75_agreement") & (table["score"] == "global")]
    assert answer["status"].tolist() == ["not_available"]
    assert answer["reason"].tolist() == ["too close to 0"]


# ---------------------------------------------------------------- calibration


ONE_SCORE = IndexSettings(primary=("global",))


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
    table = calibration_table(read_clinic(*tables, ONE_SCORE))
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
    assert (found["status"] == "exploratory").all()


def test_half_of_scorad_is_the_other_outcome():
    found = bins(responders("scorad"), "SCORAD-50").set_index("bin")
    assert found["responders"].tolist() == [0, 1, 1, 2, 4]
    agreement = concordance_table(read_clinic(*responders("scorad"), ONE_SCORE))
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


def correlate(x, y, given=None, arm=None, confidence=0.95):
    given = np.empty((len(x), 0)) if given is None else given
    arm = np.full(len(x), "a") if arm is None else arm
    return partial_spearman(x, y, given, arm, confidence)


@pytest.fixture
def pair():
    rng = np.random.default_rng(5)
    x = rng.normal(size=30)
    return x, x + rng.normal(size=30), rng.normal(size=(30, 2)) + x[:, None]


def test_without_covariates_it_is_spearman(pair):
    x, y, _ = pair
    found, expected = correlate(x, y), stats.spearmanr(x, y)
    assert found.estimate == pytest.approx(expected.statistic, abs=1e-12)
    assert found.lower < found.estimate < found.upper
    assert found.n == 30


def test_one_covariate_equals_the_closed_form(pair):
    x, y, given = pair
    r = stats.spearmanr(np.column_stack([x, y, given[:, 0]])).statistic
    expected = (r[0, 1] - r[0, 2] * r[1, 2]) / np.sqrt((1 - r[0, 2] ** 2) * (1 - r[1, 2] ** 2))
    assert correlate(x, y, given[:, :1]).estimate == pytest.approx(expected, abs=1e-12)


ARMS = np.repeat(["a", "b", "c"], [12, 10, 8])


def ranked_least_squares(x, y, given, arm):
    """Ranks within arms, one regression with all arms and slopes, a correlation."""
    data = np.column_stack([x, y, given])
    ranks = np.zeros_like(data)
    for name in np.unique(arm):
        ranks[arm == name] = stats.rankdata(data[arm == name], axis=0) / (1 + (arm == name).sum())
    member = (arm[:, None] == np.unique(arm)).astype(float)
    slopes = [member * column[:, None] for column in ranks[:, 2:].T]
    design = np.column_stack([member, *slopes])
    left = ranks[:, :2] - design @ np.linalg.lstsq(design, ranks[:, :2], rcond=None)[0]
    return np.corrcoef(left.T)[0, 1]


def test_arms_and_covariates_equal_least_squares_on_ranks_within_arms(pair):
    expected = ranked_least_squares(*pair, ARMS)
    assert correlate(*pair, ARMS).estimate == pytest.approx(expected, abs=1e-10)


def test_the_only_patient_of_an_arm_is_counted_and_says_nothing(pair):
    x, y, given = pair
    more = np.r_[x, 9.0], np.r_[y, -9.0], np.vstack([given, [7.0, 7.0]])
    found, expected = correlate(*more, np.r_[ARMS, ["d"]]), correlate(*pair, ARMS)
    assert found == replace(expected, n=31)


def test_interval_and_p_value_are_those_of_the_jackknife(pair):
    """Every patient is left out by hand; the variance has residual degrees of freedom."""
    x, y, given = pair
    variance = 0.0
    for name in "abc":
        left_out = []
        for i in np.flatnonzero(name == ARMS):
            others = np.arange(30) != i
            left = ranked_least_squares(x[others], y[others], given[others], ARMS[others])
            left_out.append(np.arctanh(left))
        m = len(left_out)
        variance += (m - 3) / m * ((left_out - np.mean(left_out)) ** 2).sum()
    z, error = np.arctanh(ranked_least_squares(*pair, ARMS)), np.sqrt(variance)
    for confidence in (0.8, 0.95):
        found = correlate(*pair, ARMS, confidence)
        margin = stats.norm.ppf(0.5 + confidence / 2) * error
        limits = np.tanh(z - margin), np.tanh(z + margin)
        assert (found.lower, found.upper) == pytest.approx(limits, abs=1e-9)
        assert found.p_value == pytest.approx(2 * stats.norm.sf(z / error), rel=1e-6)


@pytest.mark.parametrize("patients", [10, 14, 30])
def test_interval_and_p_value_never_contradict_each_other(patients):
    rng, significant = np.random.default_rng(patients), 0
    for _ in range(80):
        x = rng.normal(size=patients)
        y = 0.5 * x + rng.exponential(size=patients)
        for found in (
            correlate(x, y, rng.normal(size=(patients, 1))),
            repeated_measures_correlation(*visits_of(x, y, rng), 0.95),
        ):
            excluded = not found.lower <= 0 <= found.upper
            assert excluded == (found.p_value < 0.05)
            significant += excluded
    assert 10 < significant < 150


def visits_of(x, y, rng):
    """Three visits of each patient, whose course is theirs in both values."""
    n = len(x)
    table = pd.DataFrame(
        {"patient": np.repeat(np.arange(n), 3), "week": np.tile([0.0, 2, 4], n), "arm": "a"}
    )
    noise = rng.normal(0, 0.4, (2, n, 3))
    time = np.arange(3) / 2
    return (x[:, None] * time + noise[0]).ravel(), (y[:, None] * time + noise[1]).ravel(), table


def test_patients_in_one_order_have_an_interval():
    found = correlate(np.arange(10.0), np.exp(np.arange(10.0)))
    assert (found.estimate, found.upper) == (pytest.approx(1), pytest.approx(1))
    assert 0.8 < found.lower < 0.99
    assert 0 < found.p_value < 1e-4


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


def test_a_value_that_never_varies_gives_no_number():
    found = correlate(np.ones(30), np.arange(30.0))
    assert np.isnan(found.estimate)
    assert np.isnan(found.p_value)
    # A covariate that never varies takes nothing away.
    x, y = np.arange(30.0), np.r_[np.arange(1, 30.0), 0.0]
    assert correlate(x, y, np.ones((30, 1))).estimate == pytest.approx(correlate(x, y).estimate)


def test_the_interval_covers_where_values_are_skewed():
    """Formulas for normal values cover 90 % here."""
    rng, hits, trials = np.random.default_rng(11), 0, 400
    large = rng.exponential(size=(3, 400_000))
    truth = stats.spearmanr(*(2 * large[0] + large[1:])).statistic
    for _ in range(trials):
        shared, *own = rng.exponential(size=(3, 40))
        found = correlate(*(2 * shared + np.array(own)))
        hits += found.lower <= truth <= found.upper
    assert 0.925 <= hits / trials <= 0.98


def test_patients_who_differ_more_in_one_arm_make_no_association():
    """Ranks over all arms find one in 11 % of the trials."""
    rng, hits, trials = np.random.default_rng(12), 0, 500
    arm = np.repeat(["drug", "low", "placebo"], [10, 7, 7])
    spread = np.where(arm == "drug", 3.0, 1.0)
    for _ in range(trials):
        x, y = spread * rng.normal(size=(2, 24))
        given = rng.normal(size=(24, 2))
        slope = np.where(arm == "drug", 0.8, 0.2)
        found = correlate(x + slope * given.sum(axis=1), y + slope * given[:, 1], given, arm)
        hits += found.p_value < 0.05
    assert hits / trials == pytest.approx(0.05, abs=0.03)


def courses(rng, sizes, spread, weeks=3):
    """A score and EASI with the decline of the arm in common, and patients by their own in both."""
    code = np.repeat(np.arange(len(sizes)), sizes)[:, None]
    time, n = np.arange(weeks) / (weeks - 1), len(code)
    decline, own = np.where(code == 0, 1.5, 0.3), 0.8 * np.where(code == 0, spread, 1.0)
    x, y = (
        rng.normal(size=(n, 1))
        - (decline + own * rng.normal(size=(n, 1))) * time
        + 0.5 * rng.normal(size=(n, weeks))
        for _ in range(2)
    )
    table = pd.DataFrame(
        {
            "patient": np.repeat(np.arange(n), weeks),
            "week": np.tile(np.arange(weeks, dtype=float), n),
            "arm": np.repeat(code[:, 0], weeks).astype(str),
        }
    )
    return x.ravel(), y.ravel(), table


@pytest.mark.parametrize(("sizes", "spread"), [((10, 10), 3.0), ((14,), 1.0)])
def test_a_common_decline_is_no_correlation_within_patients(sizes, spread):
    """Without visits: most trials. With visits, counting observations: 21 % of the first ones."""
    rng, trials = np.random.default_rng(13), 300
    hits = 0
    for _ in range(trials):
        found = repeated_measures_correlation(*courses(rng, sizes, spread), 0.95)
        hits += found.p_value < 0.05
    assert hits / trials == pytest.approx(0.05, abs=0.035)


def test_repeated_measures_correlation_equals_analysis_of_covariance():
    """Patients and the visits of each arm as factors; one visit is missing."""
    rng = np.random.default_rng(2)
    patient, week = np.repeat(np.arange(8), 3)[:-1], np.tile([0.0, 2.0, 4.0], 8)[:-1]
    arm = np.where(patient < 4, "drug", "placebo")
    x = rng.normal(size=23) + 5 * patient + np.where(arm == "drug", 2 * week, week)
    y = -0.7 * x + rng.normal(size=23) + 9 * patient + np.where(arm == "drug", -week, 3.0)
    visits = pd.DataFrame({"patient": patient, "week": week, "arm": arm})

    def expected(rows):
        factors = [patient[:, None] == np.arange(8)]
        factors += [(arm[:, None] == name) & (week[:, None] == [2, 4]) for name in np.unique(arm)]
        design = np.column_stack(factors).astype(float)[rows]
        pair = np.column_stack([x, y])[rows]
        left = pair - design @ np.linalg.lstsq(design, pair, rcond=None)[0]
        return np.corrcoef(left.T)[0, 1]

    found = repeated_measures_correlation(x, y, visits, 0.95)
    r = expected(np.ones(23, bool))
    assert found.estimate == pytest.approx(r, abs=1e-10)
    # Patients are left out whole, and each arm has four of them.
    left_out = np.array([np.arctanh(expected(patient != i)) for i in range(8)]).reshape(2, 4)
    variances = 0.75 * ((left_out - left_out.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    df = variances.sum() ** 2 / (variances**2 / 3).sum()
    z, error = np.arctanh(r), np.sqrt(variances.sum())
    limits = np.tanh(z + np.array([-1, 1]) * stats.t.ppf(0.975, df) * error)
    assert (found.lower, found.upper) == pytest.approx(tuple(limits), abs=1e-9)
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(z) / error, df), rel=1e-6)
    assert found.n == 8
    # Levels of patients and patients with one visit say nothing.
    alone = pd.DataFrame({"patient": [99], "week": [2.0], "arm": ["drug"]})
    more = np.r_[x + 100 * patient, 3.0], np.r_[y - 50 * patient, 4.0]
    again = repeated_measures_correlation(*more, pd.concat([visits, alone]), 0.95)
    assert again.estimate == pytest.approx(found.estimate)
    assert again.n == 8


@pytest.mark.parametrize("constant", [0.1, 1e6 + 0.1])
def test_a_value_that_never_changes_has_no_correlation_within_patients(constant):
    x, _, visits = courses(np.random.default_rng(1), (12,), 1.0)
    level = constant * (1 + visits["patient"].to_numpy())
    assert np.isnan(repeated_measures_correlation(x, level, visits, 0.95).estimate)


def test_kappa_is_the_textbooks_and_its_interval_that_of_four_patients_more():
    inter_rater = pytest.importorskip("statsmodels.stats.inter_rater")
    table = np.array([[20, 5], [10, 15]])
    first = np.repeat([False, False, True, True], table.ravel())
    second = np.repeat([False, True, False, True], table.ravel())
    found, added = kappa(first, second, 0.95), inter_rater.cohens_kappa(table + 1)
    assert found.estimate == pytest.approx(0.4)
    assert (found.lower, found.upper) == pytest.approx((added.kappa_low, added.kappa_upp))
    assert np.isnan(found.p_value)


@pytest.mark.parametrize(
    ("first", "second"), [([0, 1], [1, 1]), ([1, 1], [0, 1]), ([0, 0], [1, 1])]
)
def test_a_judgement_that_is_the_same_of_all_has_no_kappa(first, second):
    found = kappa(*(np.repeat(judged, 5).astype(bool) for judged in (first, second)), 0.95)
    assert np.isnan([found.estimate, found.lower, found.upper]).all() and found.n == 10


@pytest.mark.parametrize("patients", [8, 10])
def test_the_interval_of_kappa_covers_with_few_patients(patients):
    """Over all tables there are: the textbook's covers less than a third of the time at worst."""
    cells = ((False, False), (False, True), (True, False), (True, True))
    tables, limits = [], []
    for a, b, c in itertools.product(range(patients + 1), repeat=3):
        table = (a, b, c, patients - a - b - c)
        if table[3] < 0:
            continue
        judged = np.repeat(np.array(cells), table, axis=0)
        found = kappa(*judged.T, 0.95)
        if np.isfinite(found.estimate):
            assert found.lower <= found.estimate <= found.upper
            tables.append(table)
            limits.append((found.lower, found.upper))
    low, high = np.array(limits).T
    for first, second, truth in itertools.product((0.2, 0.5, 0.7), (0.2, 0.5, 0.7), (0, 0.4, 0.8)):
        chance = first * second + (1 - first) * (1 - second)
        both = (truth * (1 - chance) + chance - 1 + first + second) / 2
        p = np.array([1 - first - second + both, second - both, first - both, both])
        if p.min() <= 0:
            continue
        weight = stats.multinomial.pmf(tables, patients, p)
        held = (low <= truth) & (truth <= high)
        assert weight[held].sum() / weight.sum() >= 0.92


def test_wilson_interval_of_no_patient_in_ten():
    z = stats.norm.ppf(0.975)
    found = proportion(np.zeros(10, dtype=bool), 0.95)
    assert (found.estimate, found.lower) == (0, 0)
    assert found.upper == pytest.approx(z**2 / (10 + z**2))
    assert np.isnan(proportion(np.zeros(0, dtype=bool), 0.95).estimate)
