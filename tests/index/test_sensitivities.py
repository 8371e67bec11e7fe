"""What questions the index: composition taken out, and the literature's figure."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest

from adnorm.effects.observations import Observations
from adnorm.index.axis import DiseaseAxis
from adnorm.index.normalization import COLUMNS, DENOMINATOR_COLUMNS, KEYS, SENSITIVITY_COLUMNS
from adnorm.index.sensitivities import (
    IndexInput,
    adjust_for_composition,
    index_tables,
    percent_improvement,
    percent_improvement_rows,
    with_composition_genes,
)
from builders.score_trials import SETTINGS, cell, index, trial, without


def test_composition_is_taken_out_without_the_disease():
    """A score that follows T cells among like biopsies loses that part and keeps its own."""
    values, observations = trial(0.5, patients=30, names=["own", "cells"], noise=0.2)
    rng = np.random.default_rng(2)
    cells = pd.DataFrame({"comp_tcell": rng.normal(0, 1, len(values))})
    lesional = (observations["state"] == "lesional") & (observations["week"] == 0)
    cells.loc[lesional, "comp_tcell"] += 2.0
    values["cells"] = 1.5 * cells["comp_tcell"] + 0.1 * rng.normal(size=len(values))
    adjusted = adjust_for_composition(values, observations, cells)
    correlation = np.corrcoef(adjusted["cells"], cells["comp_tcell"])[0, 1]
    assert abs(correlation) < 0.3
    assert adjusted["cells"].std() < 0.3
    kept = index(adjusted[["own"]], observations)["ni"].iloc[0]
    assert kept == pytest.approx(0.5, abs=0.1)


def test_ten_observations_beyond_the_group_means_are_enough_and_nine_are_not():
    rng = np.random.default_rng(4)
    cells = pd.DataFrame({"comp_tcell": rng.normal(0, 1, 13)})
    values = 3 * cells.rename(columns={"comp_tcell": "score"}) + 1
    groups = pd.DataFrame({"arm": "drug", "state": ["lesional"] * 7 + ["nonlesional"] * 6})
    groups["week"] = [0.0] * 4 + [4.0] * 3 + [0.0] * 6
    adjusted = adjust_for_composition(values, groups, cells)
    np.testing.assert_allclose(adjusted["score"], 1)
    assert adjust_for_composition(values[1:], groups[1:], cells[1:]) is None


# ---------------------------------------------------------------- the literature's figure


def made_up_genes():
    """Expression of three patients who are alike, and the disease effects of three genes."""
    genes = np.array(["A", "B", "C"])
    start, end = np.array([4.0, 2.0, 5.0]), np.array([3.0, 2.5, 5.0])
    log2 = np.column_stack([start] * 3 + [end] * 3)
    observations = pd.DataFrame(
        {
            "patient": ["p", "q", "r"] * 2,
            "state": "lesional",
            "week": [0.0] * 3 + [4.0] * 3,
            "arm": "drug",
        }
    )
    lesional = pd.DataFrame(
        {
            "gene": ["C", "B", "A"],
            "log2_fold_change": [3.0, -2.0, 2.0],
            "p_value": [0.04, 0.001, 0.001],
            "fdr": [0.2, 0.01, 0.01],
        }
    )
    return Observations(observations, observations, genes, log2, None, None, {}), lesional


def test_literal_improvement_by_hand():
    data, lesional = made_up_genes()
    genes, observations, log2 = data.genes, data.combined, data.log2
    row = percent_improvement(log2, genes, observations, lesional).iloc[0]
    # A: 1 of 2 back, B: 0.5 of 2 back; C does not pass the false discovery rate.
    assert row["percent_improvement"] == pytest.approx(37.5)
    assert row["genes"] == 2 and row["pairs"] == 3 and "circular" in row["note"]
    row = percent_improvement(log2, genes, observations, lesional, "p_value").iloc[0]
    assert row["percent_improvement"] == pytest.approx(25.0) and row["genes"] == 3
    none = percent_improvement(log2, genes, observations, lesional.assign(fdr=1.0)).iloc[0]
    assert np.isnan(none["percent_improvement"]) and none["genes"] == 0
    # Which rule left no gene, and which one left no patient.
    assert none["lacking"] == "no disease gene: of 3 genes none have FDR < 0.05 (lowest: 1)"
    small = lesional.assign(log2_fold_change=[0.5, -0.4, 0.9], fdr=0.001)
    none = percent_improvement(log2, genes, observations, small).iloc[0]
    assert none["lacking"].endswith("none at least double or halve (largest: 0.9)")
    few = observations[observations["patient"] != "r"]
    none = percent_improvement(log2[:, few.index], genes, few, lesional).iloc[0]
    assert none["lacking"] == "2 patients with both samples, 3 are required"
    assert row["lacking"] == ""


def test_a_row_of_the_literature_tells_how_many_genes_it_rests_on():
    data, lesional = made_up_genes()
    row = percent_improvement_rows(data, lesional, "").iloc[0]
    assert row["ni"] == pytest.approx(0.375) and row["status"] == "exploratory"
    assert row["reason"].startswith("circular: ")
    assert row["reason"].endswith("; genes with fold change > 2 and FDR < 0.05 (2 genes)")
    swapped = percent_improvement_rows(data, lesional, "labels are exchanged").iloc[0]
    assert np.isnan(swapped["ni"]) and swapped["reason"] == "labels are exchanged"


# ---------------------------------------------------------------- the three tables


def input_of(values, observations, placebo="placebo", randomised=True, **changes):
    names = pd.DataFrame(
        {
            **{"level": "set", "role": "primary", "family": "", "basis": "made up"},
            **{"reason_code": "", "reason": ""},
        },
        index=values.columns,
    )
    settings = SETTINGS.model_copy(update=changes)
    return IndexInput(values, names, observations, placebo, settings, 1, randomised=randomised)


def tables_of(*places, **words):
    return index_tables(input_of(*places, **words))


@pytest.fixture(scope="module")
def lacking():
    """A trial of three arms that lacks visits, and its tables."""
    remaining = {"drug": 0.4, "placebo": 0.8, "untreated": 1.0}
    values, observations = trial(remaining, tuple(remaining), 12, (4.0, 12.0), noise=0.4)
    gone = (observations["week"] == 12) & observations["patient"].isin(
        ["drug01", "drug04", "drug07", "placebo03", "untreated05"]
    )
    made = without(values, observations, gone)
    return *made, tables_of(*made, delta=0.3)


def analysis_of(tables, analysis):
    rows = tables.sensitivities.query("analysis == @analysis")
    return rows.set_index(["arm", "week", "name"])


def test_delta_takes_its_share_of_the_lost_off_drug_arms(lacking):
    tables = lacking[2]
    primary = tables.index.set_index(["arm", "week", "name"])
    shifted = analysis_of(tables, "delta_adjusted")
    assert set(shifted.index.get_level_values("arm")) == {"drug"}
    for (arm, week, name), row in shifted.iterrows():
        # At week 4 nobody was missing, so nothing is asked.
        before, lost = primary.loc[(arm, week, name)], {12.0: 3}[week]
        for column in ("ni", "lower", "upper", "dni", "dni_lower", "dni_upper"):
            assert row[column] == pytest.approx(before[column] - 0.3 * lost / 12)
        assert np.isnan(row["p_value"]) and "0.3 of the disease effect" in row["reason"]
    assert len(shifted) == 3


def test_unadjusted_is_the_index_of_the_drug_less_that_of_placebo(lacking):
    tables = lacking[2]
    ni = tables.index.set_index(["arm", "week", "name"])["ni"]
    plain = analysis_of(tables, "unadjusted")
    assert set(plain.index.get_level_values("arm")) == {"drug"} and len(plain) == 6
    for (arm, week, name), row in plain.iterrows():
        expected = ni[(arm, week, name)] - ni[("placebo", week, name)]
        assert row["dni"] == pytest.approx(expected)
    dni = tables.index.set_index(["arm", "week", "name"]).loc[plain.index, "dni"]
    assert (dni - plain["dni"]).abs().min() > 1e-4


def test_sign_flips_are_those_of_the_pairs(lacking):
    values, observations, tables = lacking
    flips = analysis_of(tables, "sign_flips")
    assert len(flips) == tables.index["ni"].notna().sum()
    for (arm, week, name), row in flips.iloc[::5].iterrows():
        start, end = (cell(values, observations, name, "lesional", w, arm) for w in (0, week))
        change = (start - end).dropna().to_numpy()
        signs = np.array(list(product([1, -1], repeat=len(change))))
        sums = np.abs(signs @ change)
        expected = np.mean(sums >= abs(change.sum()) - 1e-9)
        assert row["p_value"] == pytest.approx(expected)
        assert row["pairs"] == len(change) and np.isnan(row["ni"])


def test_where_visits_are_missing_pairs_and_completers_stand_beside_the_model(lacking):
    values, observations, tables = lacking
    assert set(tables.index["estimator"]) == {"MMRM"}
    assert set(tables.sensitivities["analysis"]) == {
        *("unadjusted", "sign_flips", "observed_pairs", "completers", "delta_adjusted")
    }
    for analysis in ("observed_pairs", "completers"):
        found = analysis_of(tables, analysis)
        alone = index(values, observations, placebo="placebo", analysis=analysis)
        alone = alone.set_index(["arm", "week", "name"]).loc[found.index]
        columns = ["ni", "lower", "upper", "dni", "dni_lower", "dni_upper"]
        pd.testing.assert_frame_equal(found[columns], alone[columns].astype(float))
    whole = tables_of(*trial({"drug": 0.4, "placebo": 0.8}, ("drug", "placebo"), noise=0.4))
    assert set(whole.sensitivities["analysis"]) == {"unadjusted", "sign_flips"}


def test_the_tables_have_their_columns_and_no_row_twice(lacking):
    tables = lacking[2]
    for table, columns, keys in (
        (tables.index, COLUMNS, KEYS),
        (tables.sensitivities, SENSITIVITY_COLUMNS, ["analysis", *KEYS]),
        (tables.denominators, DENOMINATOR_COLUMNS, ["reference", "arm", "name"]),
    ):
        assert list(table.columns) == columns
        assert not table.duplicated(keys).any()
    assert set(tables.denominators["basis"]) == {"made up"}


def test_without_visits_only_the_disease_effects_are_left():
    tables = tables_of(*trial(weeks=()), placebo="")
    assert tables.index.empty and tables.sensitivities.empty
    assert list(tables.sensitivities.columns) == SENSITIVITY_COLUMNS
    assert set(tables.denominators["basis"]) == {"made up"}
    assert list(tables.denominators.columns) == DENOMINATOR_COLUMNS


def test_later_non_lesional_skin_gives_an_analysis_that_takes_its_change_off():
    values, observations = trial(0.4, patients=8, weeks=(4.0, 12.0), noise=0.5, healthy=6)
    assert "time_matched" not in set(tables_of(values, observations).sensitivities["analysis"])
    normal = (observations["state"] == "nonlesional").to_numpy()
    later = observations[normal].assign(week=12.0)
    drift = np.random.default_rng(8).normal(0.5, 0.3, (8, values.shape[1]))
    # One patient has it at week 4, too.
    values = pd.concat([values, values[normal] + drift, values[normal][:1]], ignore_index=True)
    observations = pd.concat([observations, later, later[:1].assign(week=4.0)], ignore_index=True)
    found = analysis_of(tables_of(values, observations), "time_matched")
    assert set(found["reference"]) == {"nonlesional"}
    one, all_of_them = (found.xs(week, level="week", drop_level=False) for week in (4.0, 12.0))
    assert len(one) == len(all_of_them) == 3
    assert (one["pairs"] == 1).all() and one["ni"].isna().all()
    for (arm, _, name), row in all_of_them.iterrows():
        start, end, normal, other = (
            cell(values, observations, name, state, at, arm)
            for state in ("lesional", "nonlesional")
            for at in (0.0, 12.0)
        )
        expected = ((start - end) - (normal - other)).mean() / (start - normal).mean()
        assert row["ni"] == pytest.approx(expected)


@pytest.mark.parametrize(("week", "references"), [(0.0, 2), (4.0, 1)])
def test_healthy_skin_is_a_reference_where_it_was_taken_at_baseline(week, references):
    values, observations = trial(0.4, noise=0.5, healthy=8)
    observations.loc[observations["state"] == "healthy", "week"] = week
    found = tables_of(values, observations)
    expected = ["healthy", "nonlesional"][-references:]
    assert sorted(set(found.index["reference"])) == expected
    assert sorted(set(found.denominators["reference"])) == expected


def test_an_axis_with_the_genes_of_composition_is_exploratory_and_stands_alone():
    values, observations = trial(0.4, noise=0.5, healthy=8)
    axis = DiseaseAxis(pd.DataFrame(), values["first"].to_numpy(), basis="made up")
    found = with_composition_genes(input_of(values, observations), [axis])
    assert found["reference"].tolist() == ["nonlesional", "healthy"]
    assert set(found["name"]) == {"global"} and set(found["status"]) == {"exploratory"}
    assert set(found["analysis"]) == {"with_composition_genes"}
    for _, row in found.iterrows():
        same = index(values[["first"]], observations, row["reference"])
        assert row["ni"] == pytest.approx(same["ni"].item())


def test_arms_that_were_not_randomised_have_no_difference_in_any_analysis(lacking):
    values, observations, _ = lacking
    tables = tables_of(values, observations, randomised=False)
    assert tables.index["dni"].isna().all() and tables.sensitivities["dni"].isna().all()
    assert "unadjusted" not in set(tables.sensitivities["analysis"])
    assert set(tables.denominators["arm"]) == {"drug", "placebo", "untreated"}
