"""Samples under another's label: states exchanged at a visit, genes of another person."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adnorm.expression.quality import assess_quality, library_table
from adnorm.expression.swaps import exchanged_states, other_patients
from adnorm.study.config import ExpressionSettings
from builders.swapped import cohort, exchange, rows_of

SIZES = (6, 9, 15, 30)


def assess(log2, sheet, **changes):
    settings = ExpressionSettings(**changes)
    libraries = library_table(log2, log2.sum(), "log2")
    table = assess_quality(sheet, log2, log2, libraries, "log2", settings)
    return table.set_index("sample", drop=False)


# ---------------------------------------------------------------- states exchanged


def test_places_are_those_of_the_states_before_treatment():
    table = exchanged_states(*cohort(20))
    start = table[table["week"] == 0]
    assert start["lesional_place"].median() == pytest.approx(1, abs=0.05)
    assert start["nonlesional_place"].median() == pytest.approx(0, abs=0.05)
    later = table[table["week"] == 12]
    assert later["lesional_place"].mean() == pytest.approx(0.3, abs=0.2)


@pytest.mark.parametrize("tails", [None, 4])
@pytest.mark.parametrize("patients", SIZES)
def test_nothing_is_exchanged_in_a_cohort_without_swaps(patients, tails):
    alarms, judged = {0.0: 0, 12.0: 0}, {0.0: 0, 12.0: 0}
    for seed in range(12):
        table = exchanged_states(*cohort(patients, seed, tails=tails))
        for week, rows in table.groupby("week"):
            alarms[week] += int(rows["exchanged"].sum())
            judged[week] += len(rows)
    assert judged == {0.0: 12 * patients, 12.0: 12 * patients}
    assert alarms[0.0] == 0
    assert alarms[12.0] <= max(1, 0.01 * judged[12.0])


@pytest.mark.parametrize(("patients", "least"), [(6, 0.3), (9, 0.65), (15, 0.8), (30, 0.9)])
def test_a_pair_exchanged_before_treatment_is_found(patients, least):
    found = []
    for seed in range(20):
        log2, sheet = cohort(patients, seed)
        swapped = exchange(log2, *rows_of(sheet, "P03", 0.0))
        table = exchanged_states(swapped, sheet).set_index(["patient", "week"])
        found.append(table.loc[("P03", 0.0), "exchanged"])
        assert not table.drop(index=("P03", 0.0)).loc[(slice(None), 0.0), "exchanged"].any()
    assert np.mean(found) >= least


def test_three_exchanged_pairs_of_fifteen_do_not_hide_each_other():
    log2, sheet = cohort(15, seed=4)
    for patient in ("P02", "P07", "P11"):
        log2 = exchange(log2, *rows_of(sheet, patient, 0.0))
    table = exchanged_states(log2, sheet)
    hit = table[table["exchanged"] & (table["week"] == 0)]
    assert hit["patient"].tolist() == ["P02", "P07", "P11"]


def test_a_lesion_that_treatment_leaves_is_found_and_a_cleared_one_is_no_evidence():
    log2, sheet = cohort(15, seed=2)
    lesional, other = rows_of(sheet, "P05", 12.0)
    start, normal = rows_of(sheet, "P05", 0.0)
    # As the lesion before treatment, and non-lesional skin as it was.
    log2.iloc[:, lesional], log2.iloc[:, other] = log2.iloc[:, start], log2.iloc[:, normal]
    table = exchanged_states(exchange(log2, lesional, other), sheet).set_index(["patient", "week"])
    assert table.loc[("P05", 12.0), "exchanged"]
    # Cleared: below its neighbour, as real lesions are.
    log2.iloc[:, lesional] = log2.iloc[:, normal] - 0.1
    table = exchanged_states(log2, sheet).set_index(["patient", "week"])
    assert not table.loc[("P05", 12.0), "exchanged"]


def test_a_flare_of_non_lesional_skin_alone_is_no_exchange():
    log2, sheet = cohort(15, seed=2)
    lesional, other = rows_of(sheet, "P05", 0.0)
    log2.iloc[:, other] = log2.iloc[:, lesional] + 0.05
    table = exchanged_states(log2, sheet).set_index(["patient", "week"])
    assert not table.loc[("P05", 0.0), "exchanged"]


def test_the_patient_has_no_part_in_the_direction():
    log2, sheet = cohort(8, seed=3)
    before = exchanged_states(log2, sheet).set_index(["patient", "week"])
    changed = log2.copy()
    lesional, _ = rows_of(sheet, "P01", 0.0)
    changed.iloc[:, lesional] += 50 * (np.arange(len(log2)) % 2)
    after = exchanged_states(changed, sheet).set_index(["patient", "week"])
    # The other patients, whose directions it had a part in, set the zero and the unit.
    places = ["lesional_place", "nonlesional_place"]
    first, second = (t.loc[("P01", 12.0), places].astype(float) for t in (before, after))
    np.testing.assert_allclose(first, second, atol=0.02)


def test_units_and_order_do_not_matter():
    log2, sheet = cohort(9, seed=5)
    log2 = exchange(log2, *rows_of(sheet, "P04", 0.0))
    first = exchanged_states(log2, sheet)
    moved = log2.mul(3).add(np.arange(len(log2)), axis=0)
    pd.testing.assert_frame_equal(exchanged_states(moved, sheet), first, rtol=1e-6)
    order = np.random.default_rng(0).permutation(len(sheet))
    shuffled = exchanged_states(log2.iloc[:, order], sheet.iloc[order].reset_index(drop=True))
    pd.testing.assert_frame_equal(shuffled, first, rtol=1e-6)


def test_two_lesions_of_a_visit_are_judged_one_by_one():
    log2, sheet = cohort(9, seed=6)
    lesional, other = rows_of(sheet, "P04", 0.0)
    extra = sheet.iloc[[lesional]].assign(sample="S999")
    noise = np.random.default_rng(1).normal(0, 0.3, len(log2))
    log2 = log2.assign(S999=log2.iloc[:, lesional] + noise)
    sheet = pd.concat([sheet, extra], ignore_index=True)
    table = exchanged_states(exchange(log2, lesional, other), sheet)
    mine = table[(table["patient"] == "P04") & (table["week"] == 0)].set_index("lesional")
    assert len(mine) == 2
    assert mine.loc["S999", "exchanged"] == np.False_
    assert mine.loc[sheet["sample"].iloc[lesional], "lesional_place"] < 0.5


@pytest.mark.parametrize("kept", [{"lesional"}, {"nonlesional"}])
def test_without_pairs_nothing_is_judged(kept):
    log2, sheet = cohort(8)
    rows = sheet["state"].isin(kept).to_numpy()
    assert exchanged_states(log2.loc[:, rows], sheet[rows].reset_index(drop=True)).empty
    assert exchanged_states(*cohort(5)).empty


def test_noise_has_no_direction():
    log2, sheet = cohort(9, seed=7)
    noise = log2 * 0 + np.random.default_rng(2).normal(size=log2.shape)
    assert not exchanged_states(noise, sheet)["exchanged"].any()


# ---------------------------------------------------------------- another patient


@pytest.mark.parametrize("patients", [8, 15, 30])
def test_samples_of_two_patients_that_are_swapped_are_found_and_named(patients):
    found, named, false = [], [], 0
    for seed in range(12):
        log2, sheet = cohort(patients, seed)
        # A visit's lesion with another patient's lesion of the same visit: the state is right.
        first, second = rows_of(sheet, "P01", 12.0)[0], rows_of(sheet, "P06", 12.0)[0]
        table = other_patients(exchange(log2, first, second), sheet).set_index("sample")
        for position, other in ((first, "P06"), (second, "P01")):
            row = table.loc[sheet["sample"].iloc[position]]
            found.append(row["swapped"])
            named.append(row["swapped"] and row["candidate"] == other)
        rest = table.drop(index=sheet["sample"].iloc[[first, second]])
        false += int(rest["swapped"].sum())
    assert np.mean(found) >= (0.8 if patients < 10 else 0.95)
    assert np.mean(named) >= (0.8 if patients < 10 else 0.95)
    assert false == 0


@pytest.mark.parametrize("patients", [6, 15, 30])
def test_nobody_is_suspected_in_a_cohort_without_swaps(patients):
    for seed in range(12):
        table = other_patients(*cohort(patients, 50 + seed))
        assert not table["swapped"].any()


def test_genes_of_the_disease_tell_nobody_apart():
    log2, sheet = cohort(15, seed=1)
    table = other_patients(log2.drop(index=[g for g in log2.index if g.startswith("I")]), sheet)
    assert table.empty


def test_a_sample_of_nobody_in_the_cohort_names_nobody():
    log2, sheet = cohort(15, seed=1)
    inherited = [g for g in log2.index if g.startswith("I")]
    stranger = rows_of(sheet, "P03", 0.0)[1]
    flipped = 10 - log2.loc[inherited].iloc[:, stranger]
    log2.loc[inherited, sheet["sample"].iloc[stranger]] = flipped
    row = other_patients(log2, sheet).set_index("sample").loc[sheet["sample"].iloc[stranger]]
    assert row["swapped"]
    assert row["unlike"] == row["markers"]
    assert len(row["genes"].split(", ")) == 5


def test_of_two_samples_of_a_patient_either_may_be_wrong():
    log2, sheet = cohort(15, seed=3, weeks=(0.0,))
    first, second = rows_of(sheet, "P01", 0.0)[0], rows_of(sheet, "P06", 0.0)[0]
    table = other_patients(exchange(log2, first, second), sheet)
    assert set(table.loc[table["swapped"], "patient"]) == {"P01", "P06"}
    assert set(table.loc[table["swapped"], "candidate"]) == {"P01", "P06"}


# ---------------------------------------------------------------- quality


def test_swaps_are_flagged_with_the_evidence_and_excluded_only_by_the_rule(caplog):
    log2, sheet = cohort(12, seed=8)
    pair = rows_of(sheet, "P02", 0.0)
    log2 = exchange(log2, *pair)
    first, second = rows_of(sheet, "P05", 12.0)[0], rows_of(sheet, "P09", 12.0)[0]
    log2 = exchange(log2, first, second)
    table = assess(log2, sheet)
    names = sheet["sample"]
    exchanged = table[table["flags"].str.contains("state_exchanged")]
    assert exchanged.index.tolist() == sorted(names.iloc[pair])
    assert f"perhaps exchanged with {names.iloc[pair[1]]}" in exchanged["reason"].iloc[0]
    assert (
        "untreated lesional skin (1) the sample labelled lesional is at"
        in exchanged["reason"].iloc[0]
    )
    other = table[table["flags"].str.contains("other_patient")]
    assert other.index.tolist() == sorted(names.iloc[[first, second]])
    assert (
        "differ from the other samples of patient P05; patient P09 fits better (0 differ)"
        in (other.loc[names.iloc[first], "reason"])
    )
    assert (table["excluded"] == "no").all()
    (told,) = caplog.messages
    assert told.startswith("4 samples may carry the label of another one: ")
    assert "exclude_swaps" in told
    # Only what doubts the label is told there.
    assert "robust deviations" not in told
    table = assess(log2, sheet, exclude_swaps=True)
    assert table.index[table["excluded"] == "yes"].tolist() == sorted(
        names.iloc[[*pair, first, second]]
    )


def test_places_are_given_or_explained(caplog):
    log2, sheet = cohort(8)
    table = assess(log2, sheet)
    assert table["lesional_place"].notna().all()
    assert not caplog.messages
    lesional = (sheet["state"] == "lesional").to_numpy()
    table = assess(log2.loc[:, lesional], sheet[lesional].reset_index(drop=True))
    assert table["lesional_place"].isna().all()
    assert table["not_computed"].str.contains("lesional_place: fewer than 6 patients").all()
