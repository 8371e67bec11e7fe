"""Effects of set scores: intervals, effect sizes, rows for sets that were not scored."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from adnorm.effects.design import plan_fits
from adnorm.effects.set_effects import (
    COLUMNS,
    compare_patients,
    fit_set_effects,
    small_sample_correction,
)
from adnorm.study.comparisons import combine_biopsies, derive_design

SETS = ["barrier", "housekeeping", "itch", "lost"]


def trial(patients: int = 9) -> pd.DataFrame:
    rows = [
        (f"{arm}{i}", arm, "lesional", week)
        for arm in ("drug", "placebo")
        for i in range(patients)
        for week in (0.0, 4.0)
    ]
    rows += [(f"h{i}", "healthy", "healthy", 0.0) for i in range(6)]
    frame = pd.DataFrame(rows, columns=["patient", "arm", "state", "week"])
    return frame.assign(treatment=frame["arm"], dose_mg=np.nan)


def score(samples: pd.DataFrame, values: np.ndarray) -> anndata.AnnData:
    values = values.copy()
    values[:, SETS.index("lost")] = np.nan
    var = pd.DataFrame(
        {
            "family": ["primary", "curated", "primary", "curated"],
            "status": ["ok", "low_coverage", "ok", "not_scored"],
            "reason": ["", "3 of 9 genes", "", "no gene on the platform"],
        },
        index=SETS,
    )
    return anndata.AnnData(
        X=values,
        obs=samples.set_index(pd.Index([f"s{i}" for i in range(len(samples))])),
        var=var,
        layers={"zscore": values, "ssgsea": values * 100},
    )


def effects_of(samples: pd.DataFrame, values: np.ndarray, confidence: float = 0.95):
    combined, codes = combine_biopsies(samples)
    plans, _ = plan_fits(combined, derive_design(samples, "placebo", 3).supported)
    return fit_set_effects(score(samples, values), combined, codes, plans, {}, confidence)


@pytest.fixture(scope="module")
def noisy():
    samples = trial()
    values = np.random.default_rng(1).normal(size=(len(samples), len(SETS)))
    return samples, values


def row(table, contrast, name="itch", method="zscore"):
    found = table.query("contrast == @contrast and `set` == @name and method == @method")
    assert len(found) == 1
    return found.iloc[0]


def changes(samples, values, arm):
    frame = samples.assign(v=values).query("arm == @arm")
    wide = frame.pivot(index="patient", columns="week", values="v")
    return (wide[4.0] - wide[0.0]).to_numpy()


def test_every_contrast_set_and_method_has_a_row(noisy):
    table = effects_of(*noisy)
    assert list(table.columns) == COLUMNS
    contrasts = {
        "change:drug@4",
        "change:placebo@4",
        "change:drug-placebo@4",
        "lesional-healthy@0",
        "residual-healthy:drug@4",
        "residual-healthy:placebo@4",
    }
    assert set(table["contrast"]) == contrasts
    assert len(table) == len(contrasts) * len(SETS) * 2
    assert table.equals(table.sort_values(["contrast", "set", "method"], ignore_index=True))


def test_unscored_sets_carry_the_reason_and_scored_ones_a_number(noisy):
    table = effects_of(*noisy)
    lost = table[table["set"] == "lost"]
    assert lost[["change", "lower", "upper", "p_value", "fdr", "effect_size"]].isna().all().all()
    assert set(lost["reason"]) == {"no gene on the platform"}
    assert set(lost["status"]) == {"not_scored"}
    low = table[table["set"] == "housekeeping"]
    assert not low["p_value"].isna().any()
    assert set(low["reason"]) == {"3 of 9 genes"}


def expected_of(result, found):
    interval = result.confidence_interval(0.95)
    assert found["p_value"] == pytest.approx(result.pvalue)
    assert (found["lower"], found["upper"]) == pytest.approx((interval.low, interval.high))


def test_change_is_the_paired_t_test_and_arms_are_compared_by_welch(noisy):
    samples, values = noisy
    drug, placebo = (changes(samples, values[:, 2], arm) for arm in ("drug", "placebo"))
    found = row(effects_of(samples, values), "change:drug@4")
    assert found["change"] == pytest.approx(drug.mean())
    expected_of(stats.ttest_1samp(drug, 0), found)
    difference = row(effects_of(samples, values), "change:drug-placebo@4")
    expected_of(stats.ttest_ind(drug, placebo, equal_var=False), difference)


def test_against_healthy_is_welchs_test(noisy):
    samples, values = noisy
    found = row(effects_of(samples, values), "lesional-healthy@0")
    is_lesional = ((samples["state"] == "lesional") & (samples["week"] == 0)).to_numpy()
    lesional, healthy = (
        values[is_lesional, 2],
        values[(samples["state"] == "healthy").to_numpy(), 2],
    )
    expected_of(stats.ttest_ind(lesional, healthy, equal_var=False), found)


def test_patients_who_respond_differently_do_not_make_false_findings():
    """Null drug, 14 patients per arm, each drifting at a pace of their own: 5 % reach p < 0.05."""
    rng = np.random.default_rng(11)
    patients, repeats = 14, 1500
    drift = rng.normal(0, 1.0, (repeats, 2 * patients))
    late = drift + rng.normal(0, 0.5, drift.shape) - rng.normal(0, 0.5, drift.shape)
    change = compare_patients(late[:, :patients], None, 0.95)["p_value"]
    arms = compare_patients(late[:, :patients], late[:, patients:], 0.95)["p_value"]
    for p_values in (change, arms):
        assert (p_values < 0.05).mean() == pytest.approx(0.05, abs=0.02)


def test_effect_sizes_by_hand(noisy):
    samples, values = noisy
    table = effects_of(samples, values)
    drug, placebo = (changes(samples, values[:, 2], arm) for arm in ("drug", "placebo"))
    d_z = drug.mean() / drug.std(ddof=1) * (1 - 3 / (4 * 8 - 1))
    assert row(table, "change:drug@4")["effect_size"] == pytest.approx(d_z)
    pooled = np.sqrt((drug.var(ddof=1) + placebo.var(ddof=1)) / 2)
    g = (drug.mean() - placebo.mean()) / pooled * (1 - 3 / (4 * 16 - 1))
    assert row(table, "change:drug-placebo@4")["effect_size"] == pytest.approx(g)


def test_effect_size_and_p_value_do_not_depend_on_the_unit_of_the_score(noisy):
    table = effects_of(*noisy).set_index(["contrast", "set", "method"]).drop(index="lost", level=1)
    for column in ("effect_size", "p_value", "fdr"):
        pair = table[column].unstack("method")
        np.testing.assert_allclose(pair["ssgsea"], pair["zscore"], rtol=1e-9)
    change = table["change"].unstack("method")
    np.testing.assert_allclose(change["ssgsea"], 100 * change["zscore"])


def test_fdr_is_over_the_scored_sets_of_a_family(noisy):
    for _, rows in effects_of(*noisy).groupby(["contrast", "method", "family"]):
        scored = rows.dropna(subset="p_value")
        np.testing.assert_allclose(scored["fdr"], stats.false_discovery_control(scored["p_value"]))


def test_scores_without_variation_have_a_reason_and_no_number():
    samples = trial()
    values = np.full((len(samples), len(SETS)), 0.3)
    values[:, 0] = np.random.default_rng(2).normal(size=len(samples))
    found = row(effects_of(samples, values), "change:drug@4")
    assert np.isnan(found["p_value"]) and np.isnan(found["effect_size"])
    assert found["reason"] == "the scores do not vary within patients or groups"


def test_several_biopsies_count_as_one(noisy):
    samples, values = noisy
    table = effects_of(samples, values)
    doubled = pd.concat([samples, samples], ignore_index=True)
    spread = np.vstack([values + 0.7, values - 0.7])
    pd.testing.assert_frame_equal(effects_of(doubled, spread), table, rtol=1e-9)


def test_small_sample_correction_tends_to_one():
    assert small_sample_correction(2) == pytest.approx(1 - 3 / 7)
    assert small_sample_correction(10_000) == pytest.approx(1, abs=1e-4)


def test_a_comparison_that_the_fit_refuses_keeps_its_rows_and_its_reason(noisy):
    samples, values = noisy
    combined, codes = combine_biopsies(samples)
    first, *_ = derive_design(samples, "placebo", 3).supported
    table = fit_set_effects(
        score(samples, values), combined, codes, [], {first: "columns a and b are confounded"}, 0.95
    )
    assert set(table["contrast"]) == {first.name}
    assert set(table["status"]) == {"not_estimable"}
    assert set(table["reason"]) == {"columns a and b are confounded"}
    assert table[["change", "lower", "upper", "p_value", "fdr"]].isna().all(axis=None)


@pytest.mark.parametrize("confidence", [0.8, 0.99])
def test_intervals_have_the_confidence_that_is_asked(noisy, confidence):
    samples, values = noisy
    drug, placebo = (changes(samples, values[:, 2], arm) for arm in ("drug", "placebo"))
    table = effects_of(samples, values, confidence)
    for contrast, result in (
        ("change:drug@4", stats.ttest_1samp(drug, 0)),
        ("change:drug-placebo@4", stats.ttest_ind(drug, placebo, equal_var=False)),
    ):
        interval, found = result.confidence_interval(confidence), row(table, contrast)
        assert (found["lower"], found["upper"]) == pytest.approx((interval.low, interval.high))


def test_two_patients_are_enough_for_an_interval_and_one_is_not():
    """Differences 1 and 3: mean 2, standard error 1, t quantile of one degree of freedom."""
    found = compare_patients(np.array([[1.0, 3.0]]), None, 0.95)
    assert found["change"] == 2
    assert found["lower"] == pytest.approx(2 - 12.7062047362)
    assert found["upper"] == pytest.approx(2 + 12.7062047362)
    assert found["p_value"] == pytest.approx(2 * stats.t.sf(2, 1))
    # Of one degree of freedom, the correction is 1 − 3 / 3.
    assert found["effect_size"] == pytest.approx(0)
    first = np.array([[1.0, 3.0, 4.0]])
    for groups in ((first[:, :1], None), (first, first[:, :1]), (first[:, :1], first)):
        assert all(np.isnan(v).all() for v in compare_patients(*groups, 0.95).values())


def test_groups_of_unequal_size_and_spread_are_compared_by_welch_and_measured_by_the_pooled():
    first, second = np.array([[1.0, 2.0, 6.0]]), np.array([[0.0, 1.0, 0.0, 1.0, 0.5]])
    found = compare_patients(first, second, 0.9)
    result = stats.ttest_ind(first[0], second[0], equal_var=False)
    interval = result.confidence_interval(0.9)
    assert found["p_value"] == pytest.approx(result.pvalue)
    assert (found["lower"], found["upper"]) == pytest.approx((interval.low, interval.high))
    # Sums of squares 14 and 1 over 2 + 4 degrees of freedom.
    deviation = np.sqrt((14 + 1) / 6)
    assert found["effect_size"] == pytest.approx(2.5 / deviation * (1 - 3 / 23))


@pytest.mark.parametrize(("noise", "varies"), [(3e-8, True), (1e-9, False), (1e-11, False)])
def test_a_deviation_of_rounding_size_is_none(noise, varies):
    """A billionth of the largest value: 8, of either sign, and of either group."""
    base = np.array([[8.0, 8, 8, 8], [-8.0, -8, -8, -8]])
    wave = noise * np.array([1.0, -1, 1, -1])
    for second in (None, base - 8):
        found = compare_patients(base + wave, second, 0.95)
        for name in ("lower", "upper", "p_value", "effect_size"):
            assert (np.isfinite(found[name]) == varies).all()
        np.testing.assert_allclose(found["change"], base[:, 0] if second is None else 8)


def test_a_p_value_below_the_smallest_number_is_not_zero():
    first = 1e6 + 1e-2 * np.random.default_rng(0).normal(size=(1, 90))
    assert compare_patients(first, None, 0.95)["p_value"][0] == np.finfo(float).tiny


def test_sets_that_one_method_did_not_score_say_which(noisy):
    samples, values = noisy
    combined, codes = combine_biopsies(samples)
    plans, _ = plan_fits(combined, derive_design(samples, "placebo", 3).supported)
    scores = score(samples, values)
    scores.layers["ssgsea"][3, SETS.index("itch")] = np.nan
    table = fit_set_effects(scores, combined, codes, plans, {}, 0.95)
    found = row(table, "change:drug@4", method="ssgsea")
    assert np.isnan(found["p_value"]) and found["reason"] == "not scored by ssgsea"
    found = row(table, "change:drug@4", method="zscore")
    assert np.isfinite(found["p_value"]) and found["reason"] == ""
