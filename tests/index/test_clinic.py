"""Questions about scores and the clinic, and responders by bins of the response of the skin."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import proportion_confint

from adnorm.index.clinic import (
    BINS,
    CALIBRATION_COLUMNS,
    CLINICAL,
    COLUMNS,
    calibration_table,
    concordance_table,
    read_clinic,
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
