"""Clinical responders by bins of the skin's response: counts by hand, Wilson's interval, gaps."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import proportion_confint

from adnorm.index.calibration import BINS, COLUMNS, calibration_table
from adnorm.index.questions import concordance_table, read_clinic

SETTINGS = {"bootstrap": 200, "confidence": 0.95, "primary": ["global"]}
#: Response of the skin and share of the clinical score that is gone, one patient each.
PATIENTS = [
    *((-0.2, 0.0), (0.0, 0.1), (0.1, 0.8), (0.2, 0.2), (0.25, 0.6), (0.6, 0.74)),
    *((0.7, 0.75), (0.75, 0.9), (0.9, 0.8), (1.1, 0.4), (0.8, 1.0), (1.3, 0.95)),
]


def trial(column="easi", reason=""):
    scores, sheet, responses = [], [], []
    for i, (response, gone) in enumerate(PATIENTS):
        for week in (0.0, 4.0):
            key = {"patient": f"{i:02d}", "week": week}
            arm = {"arm": ("drug", "placebo")[i % 2]}
            scores.append(
                key | arm | {"state": "lesional", "name": "global", "score": 10 - response * week}
            )
            sheet.append(key | {column: 20.0 * (1 - gone * (week > 0))})
        told = {"reference": "nonlesional", "name": "global", "reason": reason}
        value = np.nan if reason else response
        responses.append({"patient": f"{i:02d}", "week": 4.0} | told | {"response": value})
    return pd.DataFrame(scores), pd.DataFrame(sheet), pd.DataFrame(responses)


def bins(tables, outcome, arm="all arms"):
    table = calibration_table(read_clinic(*tables, SETTINGS, 1))
    assert list(table.columns) == COLUMNS
    return table[(table["outcome"] == outcome) & (table["arm"] == arm)]


def test_responders_are_counted_in_their_bins():
    found = bins(trial(), "EASI-75").set_index("bin")
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
    found = bins(trial("scorad"), "SCORAD-50").set_index("bin")
    assert found["responders"].tolist() == [0, 1, 1, 2, 4]
    agreement = concordance_table(*trial("scorad"), SETTINGS, 1)
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
    found = bins(trial(), "EASI-75", "placebo").set_index("bin")
    assert found["n"].sum() == 6
    assert found.loc["below 0", ["n", "status"]].tolist() == [0, "too_few"]
    assert np.isnan(found.loc["below 0", "share"])
    assert found.loc["below 0", "reason"] == "no patient in this bin"


def test_missing_columns_and_missing_indices_have_one_row_with_the_reason():
    row = bins(trial(), "SCORAD-50")
    assert row["status"].tolist() == ["not_available"]
    assert row["reason"].tolist() == ["the sample sheet has no values of scorad"]
    row = bins(trial(reason="too close to 0"), "EASI-75")
    assert (row["status"].tolist(), row["reason"].tolist()) == (
        ["not_available"],
        ["too close to 0"],
    )
    scores, sheet, responses = trial()
    sheet.loc[sheet["week"] > 0, "easi"] = np.nan
    row = bins((scores, sheet, responses), "EASI-75")
    assert row["reason"].tolist() == ["no visit has a response and easi at baseline and then"]
