"""Which comparisons can be told from the batches of their biopsies."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adnorm.study.batches import (
    NOT_GIVEN,
    batch_shares,
    batch_table,
    estimate_batches,
    judge_batches,
    own_weights,
    without_blocks,
)
from adnorm.study.comparisons import combine_biopsies, derive_design
from builders.paired_trials import trial


def judged(samples: pd.DataFrame) -> pd.DataFrame:
    design = derive_design(samples, "placebo", 3)
    table = judge_batches(samples, design.comparisons)
    assert list(table["contrast"]) == [c.name for c in design.comparisons]
    return table.set_index("contrast")


def verdicts(samples: pd.DataFrame, batch) -> pd.Series:
    return judged(samples.assign(batch=batch))["batch"]


@pytest.fixture
def sheet():
    return trial(patients=6, healthy=5)


def numbers(sheet: pd.DataFrame) -> pd.Series:
    """Number of each patient within its arm."""
    return sheet["patient"].str.extract(r"(\d+)$")[0].astype(int)


def test_a_batch_that_is_the_visit_is_aliased_with_the_change_but_not_between_arms(sheet):
    found = judged(sheet.assign(batch=np.where(sheet["week"] == 4, "B", "A")))
    for name in ("change:drug@4", "change:placebo@4", "residual:drug@4"):
        assert found.loc[name, "batch"] == "aliased"
    for name in ("change:drug@12", "change:drug-placebo@4", "lesional-nonlesional@0"):
        assert found.loc[name, "batch"] == "balanced"
        assert "0% of a difference" in found.loc[name, "batch_reason"]
    reason = found.loc["change:drug@4", "batch_reason"]
    assert "batch and visit cannot be told apart" in reason
    assert "lesional at week 4 in 'B (6)'" in reason and "lesional at week 0 in 'A (6)'" in reason


def test_a_batch_that_is_the_state_is_aliased_with_the_disease(sheet):
    found = judged(sheet.assign(batch=np.where(sheet["state"] == "lesional", "L", "N")))
    assert found.loc["lesional-nonlesional@0", "batch"] == "aliased"
    assert "batch and state" in found.loc["lesional-nonlesional@0", "batch_reason"]
    assert found.loc["change:drug@4", "batch"] == "balanced"
    # Healthy people were processed with non-lesional skin.
    assert found.loc["lesional-healthy@0", "batch"] == "aliased"
    assert found.loc["nonlesional-healthy@0", "batch"] == "balanced"


def test_a_batch_of_whole_patients_cancels_in_their_pairs_but_not_against_other_people(sheet):
    whole = np.where(sheet["arm"] == "healthy", "H", np.where(numbers(sheet) % 2, "A", "B"))
    found = verdicts(sheet, whole)
    assert set(found.filter(regex="change|residual:|lesional-nonlesional")) == {"balanced"}
    assert set(found.filter(regex="healthy")) == {"aliased"}
    # Arms in batches of their own: changes are compared, and each change is within a batch.
    assert set(verdicts(sheet, sheet["arm"]).filter(regex="change:")) == {"balanced"}


@pytest.mark.parametrize("crossing", [1, 2, 3, 5])
def test_pairs_that_cross_batches_confound_in_their_proportion(sheet, crossing):
    cross = (numbers(sheet) < crossing) & (sheet["week"] == 4) & (sheet["arm"] == "drug")
    found = judged(sheet.assign(batch=np.where(cross, "B", "A")))
    assert found.loc["change:drug@4", "batch"] == "partly confounded"
    assert f"{crossing / 6:.0%} of a difference" in found.loc["change:drug@4", "batch_reason"]
    assert found.loc["change:drug-placebo@4", "batch"] == "partly confounded"
    assert found.loc["change:placebo@4", "batch"] == "balanced"


def test_pairs_that_cross_both_ways_are_balanced(sheet):
    forth = (sheet["week"] == 0) == (numbers(sheet) % 2 == 0)
    found = verdicts(sheet, np.where(forth, "A", "B"))
    assert found["change:drug@4"] == "balanced"


def test_another_arm_can_tell_what_one_arm_cannot(sheet):
    """Placebo patients within and across batches tell the difference between batches."""
    week4, drug = sheet["week"] == 4, sheet["arm"] == "drug"
    alone = verdicts(sheet, np.where(week4 & drug, "B", "A"))
    assert alone["change:drug@4"] == "aliased" and alone["change:drug-placebo@4"] == "aliased"
    helped = np.where(week4 & (drug | (numbers(sheet) < 3)), "B", "A")
    found = judged(sheet.assign(batch=helped))
    assert found.loc["change:drug@4", "batch"] == "partly confounded"
    assert found.loc["change:drug@4", "batch_reason"].startswith("100%")


@pytest.mark.parametrize("batch", [None, "one", ""])
def test_sheets_that_tell_no_batches_apart(sheet, batch):
    samples = sheet if batch is None else sheet.assign(batch=batch)
    assert set(judged(samples)["batch"]) == {""} and batch_table(samples).empty
    assert batch_shares(samples, np.arange(len(samples))) is None


def test_biopsies_without_a_batch_are_one_of_their_own(sheet):
    batch = pd.Series("A", index=sheet.index, dtype=object)
    batch[sheet["week"] == 4] = None
    samples = sheet.assign(batch=batch)
    assert judged(samples).loc["change:drug@4", "batch"] == "aliased"
    table = batch_table(samples)
    assert set(table["batch"]) == {"A", NOT_GIVEN}
    assert set(table.loc[table["batch"] == NOT_GIVEN, "week"]) == {4.0}


def test_a_batch_for_each_biopsy_says_how_to_mend_it(sheet):
    found = judged(sheet.assign(batch=[f"scan {i}" for i in range(len(sheet))]))
    assert found.loc["change:drug@4", "batch"] == "aliased"
    assert "shorten what the file maps" in found.loc["change:drug@4", "batch_reason"]


def test_the_table_counts_biopsies_and_patients():
    samples = pd.DataFrame(
        {
            "patient": ["p", "p", "q", "q"],
            "arm": "drug",
            "state": "lesional",
            "week": [0.0, 0.0, 0.0, 4.0],
            "batch": ["1", "1", "1", "2"],
        }
    )
    rows = batch_table(samples).values.tolist()
    assert rows == [["1", "lesional", 0.0, "drug", 3, 2], ["2", "lesional", 4.0, "drug", 1, 1]]


def test_biopsies_that_count_as_one_share_their_batches():
    samples = pd.DataFrame(
        {
            "patient": ["p", "p", "p", "q"],
            "arm": "drug",
            "state": "lesional",
            "week": [0.0, 0.0, 4.0, 0.0],
            "batch": ["1", "2", "2", "1"],
        }
    )
    _, codes = combine_biopsies(samples)
    shares = batch_shares(samples, codes)
    assert shares.columns.tolist() == ["1", "2"]
    assert shares.to_numpy().tolist() == [[0.5, 0.5], [0, 1], [1, 0]]


# ---------------------------------------------------------------- weights and effects


def test_own_weights_give_the_mean_of_patients_own_differences():
    samples = trial(patients=5, dropouts=6, healthy=4)
    combined, _ = combine_biopsies(samples)
    values = np.random.default_rng(1).normal(size=len(combined))
    wide = combined.assign(v=values).pivot(index=["arm", "patient"], columns=["state", "week"])["v"]
    change = (wide["lesional", 4.0] - wide["lesional", 0.0]).dropna()
    drug, placebo = (change.loc[arm].mean() for arm in ("drug", "placebo"))
    disease = (wide["lesional", 0.0] - wide["nonlesional", 0.0]).dropna().mean()
    people = wide["lesional", 0.0].mean() - wide["healthy", 0.0].mean()
    expected = {
        "change:drug@4": drug,
        "change:drug-placebo@4": drug - placebo,
        "lesional-nonlesional@0": disease,
        "lesional-healthy@0": people,
    }
    known = {c.name: c for c in derive_design(samples, "placebo", 2).supported}
    for name, value in expected.items():
        assert own_weights(combined, known[name]) @ values == pytest.approx(value), name


def test_batch_effects_are_those_of_the_whole_least_squares_fit():
    """Patients, groups and batches in one dense design give the same differences and errors."""
    samples = trial(patients=6, dropouts=5)
    combined, codes = combine_biopsies(samples)
    rng = np.random.default_rng(3)
    samples = samples.assign(batch=rng.choice(["a", "b", "c"], len(samples)))
    shares = batch_shares(samples, codes).to_numpy()
    values = rng.normal(size=(len(combined), 4)) + shares @ np.array([[0.0], [1.0], [3.0]])
    keys = combined[["arm", "state", "week"]].astype(str).agg(" ".join, axis=1)
    groups = np.unique(keys, return_inverse=True)[1]
    patients = np.unique(combined["patient"], return_inverse=True)[1]
    found = estimate_batches(values, groups, patients, shares)
    dense = np.hstack([np.eye(patients.max() + 1)[patients], np.eye(groups.max() + 1)[groups]])
    dense = np.hstack([dense, shares[:, 1:]])
    solution = np.linalg.lstsq(dense, values, rcond=None)[0]
    rank = np.linalg.matrix_rank(dense)
    rest = values - dense @ solution
    np.testing.assert_allclose(found.effects[1:] - found.effects[0], solution[-2:], atol=1e-9)
    assert found.freedom == len(values) - rank and found.identified == 2
    np.testing.assert_allclose(found.variance, (rest**2).sum(axis=0) / found.freedom)
    inverse = np.linalg.pinv(dense.T @ dense)[-2:, -2:]
    contrast = np.array([[-1, 1, 0], [-1, 0, 1]])
    np.testing.assert_allclose(contrast @ found.covariance @ contrast.T, inverse, atol=1e-9)
    # Random effects are shrunken towards none, and do not use up degrees of freedom.
    random = estimate_batches(values, groups, patients, shares, penalty=5.0)
    assert np.ptp(random.effects, axis=0).max() < np.ptp(found.effects, axis=0).max()
    assert random.freedom == found.freedom + 2
    ridge = np.hstack([dense[:, :-2], shares])
    weight = ridge.T @ ridge
    weight[-3:, -3:] += 5.0 * np.eye(3)
    mixed = np.linalg.lstsq(weight, ridge.T @ values, rcond=None)[0][-3:]
    np.testing.assert_allclose(
        random.effects - random.effects[0], mixed - mixed[0], rtol=1e-6, atol=1e-8
    )


def test_taking_block_means_off():
    columns, blocks = np.array([[1.0], [3.0], [5.0]]), np.array([0, 0, 1])
    assert without_blocks(columns, blocks).ravel().tolist() == [-1, 1, 0]
