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
#: Tenths: non-lesional skin of nine patients, and lesional skin beside 10. Without any one of them
#: the medians of both, and of their differences, stay what they are.
NORMAL = [-4, -2, -1, 0, 0, 0, 1, 3, 5]
LESION = {
    "that do not go together": [4, -2, 3, 6, 0, 0, -5, -7, 0],
    "that go together": [4, 0, -5, 0, -2, 0, 6, 3, -7],
    "that go together entirely": [-5, 0, -2, 0, 0, 6, 4, 3, -7],
}


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


@pytest.mark.parametrize("together", LESION)
def test_the_probability_of_an_exchange_is_that_of_a_t_distribution(together):
    """Of one score the places are its values; peers are eight others, so 7 degrees of freedom."""
    places = np.column_stack([1 + np.array(LESION[together]) / 10, np.array(NORMAL) / 10])
    sheet = pd.DataFrame(
        [(f"P{i}", state, 0.0) for i in range(9) for state in ("lesional", "nonlesional")],
        columns=["patient", "state", "week"],
    )
    sheet.insert(0, "sample", [f"S{i:02d}" for i in range(18)])
    score = pd.DataFrame([20 + 3 * places.ravel()], columns=sheet["sample"])
    table = exchanged_states(score, sheet)
    found = table[["lesional_place", "nonlesional_place"]].to_numpy(float)
    np.testing.assert_allclose(found, places, atol=1e-12)
    expected = []
    for i, place in enumerate(places):
        others = np.delete(places, i, axis=0)
        columns = np.column_stack([others, others[:, 0] - others[:, 1]])
        away = np.abs(columns - np.median(columns, axis=0))
        lesional, normal, apart = 1.4826 * np.median(away, axis=0)
        shared = (lesional**2 + normal**2 - apart**2) / 2
        shared = np.clip(shared, 0, 0.8 * lesional * normal)
        covariance = 9 / 8 * np.array([[lesional**2, shared], [shared, normal**2]])
        labelled, exchanged = (
            1 + (x - [1, 0]) @ np.linalg.inv(covariance) @ (x - [1, 0]) / 7
            for x in (place, place[::-1])
        )
        odds = 0.01 / 0.99 * (labelled / exchanged) ** ((7 + 2) / 2)
        expected.append(odds / (1 + odds))
    np.testing.assert_allclose(table["probability"].astype(float), expected, rtol=1e-9)


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


def test_a_patient_without_a_pair_before_treatment_is_placed_by_the_others():
    log2, sheet = cohort(12, seed=3)
    complete = exchanged_states(log2, sheet).set_index(["patient", "week"])
    kept = ~((sheet["patient"] == "P03") & (sheet["week"] == 0)).to_numpy()
    table = exchanged_states(log2.loc[:, kept], sheet[kept].reset_index(drop=True))
    table = table.set_index(["patient", "week"])
    assert ("P03", 0.0) not in table.index
    places = ["lesional_place", "nonlesional_place"]
    first, second = (t.loc[("P03", 12.0), places].astype(float) for t in (complete, table))
    np.testing.assert_allclose(first, second, atol=0.05)


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


def inherited(levels, samples=2, low=4.0, high=8.0):
    """Genes on two levels, patients × genes (True: high), the same in all samples of a patient."""
    levels = np.repeat(np.asarray(levels, dtype=bool), samples, axis=0)
    sheet = pd.DataFrame({"patient": [f"P{i // samples:02d}" for i in range(len(levels))]})
    sheet.insert(0, "sample", [f"S{i:03d}" for i in range(len(sheet))])
    values = np.where(levels.T, high, low)
    names = [f"G{i}" for i in range(len(values))]
    return pd.DataFrame(values, index=names, columns=sheet["sample"].to_numpy()), sheet


#: Of nine patients: every one has a pattern of three genes of its own, but the first and the last.
CODE = [[i >> bit & 1 for bit in range(3)] for i in (0, 1, 2, 3, 4, 5, 6, 7, 0)]


def test_the_probability_of_another_person_is_bayes_rule_over_all_persons():
    """A gene is wrong in 8 of 100 samples; nobody in particular has each level as often as all."""
    log2, sheet = inherited(CODE)
    log2.loc["G0", "S004"] = log2.loc["G1", "S007"] = 6.0  # between the levels: unknown
    log2 = exchange(log2, 8, 12)
    table = other_patients(log2, sheet).set_index("sample")
    assert len(table) == 18 and set(table["markers"]) == {3}
    levels = log2.replace({4.0: 0.0, 8.0: 1.0, 6.0: np.nan})
    share = levels.mean(axis=1)
    patient = sheet.set_index("sample")["patient"]

    def likelihood(sample, other=None):
        found = 1.0
        for gene, level in levels[sample].dropna().items():
            if other is None or np.isnan(levels.loc[gene, other]):
                found *= share[gene] if level else 1 - share[gene]
            else:
                found *= 0.92 if level == levels.loc[gene, other] else 0.08
        return found

    for sample, row in table.iterrows():
        weights = {"": 0.01 / 9 * likelihood(sample)}
        for person, samples in patient.groupby(patient).groups.items():
            own = person == row["patient"]
            mean = np.mean([likelihood(sample, other) for other in samples if other != sample])
            weights[person] = (0.99 if own else 0.01 / 9) * mean
        mine = weights.pop(row["patient"])
        expected = sum(weights.values()) / (mine + sum(weights.values()))
        assert row["probability"] == pytest.approx(expected, rel=1e-9)
        # The most likely one of them is named.
        assert weights[row["candidate"]] == pytest.approx(max(weights.values()))


@pytest.mark.parametrize(("step", "told"), [(1.45, False), (1.5, True), (1.6, True)])
def test_levels_of_a_gene_are_at_least_one_and_a_half_steps_apart(step, told):
    assert other_patients(*inherited(CODE, low=7.0, high=7.0 + step)).empty != told


@pytest.mark.parametrize(("wrong", "told"), [(2, True), (3, False)])
def test_a_gene_is_constant_in_patients_from_a_kappa_of_eight_tenths_on(wrong, told):
    """16 of 20 patients have a say; of the 3 pairs of samples of one with a wrong level 2 differ.

    Half the patients are high, so half the pairs would differ by chance: kappa is 1 − 2 × wrong /
    (16 × 3 / 2), 0.83 for two and 0.75 for three.
    """
    rng = np.random.default_rng(1)
    log2, sheet = inherited(
        np.array([rng.permutation(np.arange(20) < 10) for _ in range(4)]).T, samples=3
    )
    for gene in range(4):
        # The four in whom all genes are inconstant, and others for every gene.
        for patient in [*range(4), *range(4 + wrong * gene, 4 + wrong * (gene + 1))]:
            log2.iloc[gene, 3 * patient] = 12 - log2.iloc[gene, 3 * patient]
    table = other_patients(log2, sheet)
    assert set(table["markers"]) == ({4} if told else set())


@pytest.mark.parametrize(("rare", "common"), [(19.0, 3.0), (3.0, 19.0)])
def test_a_gene_that_only_swapped_patients_differ_in_hides_no_swap(rare, common):
    """The clearest gene of all has a rare level in just the two whose samples were swapped."""
    log2, sheet = cohort(15, seed=3)
    log2.loc["GSTT1"] = np.where(sheet["patient"].isin(["P05", "P09"]), rare, common)
    swapped = exchange(log2, rows_of(sheet, "P05", 12.0)[0], rows_of(sheet, "P09", 0.0)[0])
    table = other_patients(swapped, sheet)
    assert set(table.loc[table["swapped"], "patient"]) == {"P05", "P09"}
    pd.testing.assert_frame_equal(other_patients(swapped.drop(index="GSTT1"), sheet), table)


def test_genes_that_nobody_can_say_go_together_are_one_piece_of_evidence():
    """The rare level of one is in two patients in whom the other is on neither level."""
    code = np.array([[i >> bit & 1 for bit in range(4)] for i in range(16)])
    log2, sheet = inherited(code)
    log2.loc["rare"] = np.where(sheet["patient"].isin(["P08", "P09"]), 7.0, 4.0)
    assert set(other_patients(log2, sheet)["markers"]) == {5}
    log2.loc["G0", log2.loc["rare"] == 7] = 6.0
    assert set(other_patients(log2, sheet)["markers"]) == {4}


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


def test_some_genes_at_a_time_give_the_same_persons(monkeypatch):
    log2, sheet = cohort(20)
    whole = other_patients(log2, sheet)
    monkeypatch.setattr("adnorm.expression.swaps._VALUES_AT_ONCE", 5 * log2.shape[1])
    pd.testing.assert_frame_equal(other_patients(log2, sheet), whole)
