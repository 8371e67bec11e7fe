"""Negative controls: what they say by hand, and that they fail where they must."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from adnorm.effects.controls import control_changes
from adnorm.effects.observations import Observations, log2_cpm
from adnorm.expression.library_sizes import composition_factors
from adnorm.study.comparisons import derive_design
from adnorm.study.gene_sets import Gene, GeneSet

GENES = np.array([f"G{i:03d}" for i in range(400)])


def control(name, genes, role="control"):
    return GeneSet(name, name, "control", role, tuple(Gene(g) for g in genes))


SETS = {
    "housekeeping": control("housekeeping", GENES[20:32]),
    "sex_check": control("sex_check", GENES[40:48]),
    "th2": control("th2", GENES[60:70], role="context"),
}


def sheet(patients=12, healthy=0):
    rows = [
        (f"{arm}{i}", arm, state, week)
        for arm in ("drug", "placebo")
        for i in range(patients)
        for state, week in (("nonlesional", 0.0), ("lesional", 0.0), ("lesional", 4.0))
    ]
    rows += [(f"healthy{i}", "healthy", "healthy", 0.0) for i in range(healthy)]
    found = pd.DataFrame(rows, columns=["patient", "arm", "state", "week"])
    return found.assign(treatment=found["arm"], dose_mg=np.nan, biopsies=1)


def observed(samples, log2):
    return Observations(samples, samples, GENES, log2, None, None, {})


def controls_of(samples, log2, sets=SETS):
    comparisons = derive_design(samples, "placebo", 3).supported
    return control_changes(observed(samples, log2), comparisons, sets, 0.95)


def quiet(samples, seed=1, noise=0.3):
    rng = np.random.default_rng(seed)
    return rng.normal(8, 2, (len(GENES), 1)) + rng.normal(0, noise, (len(GENES), len(samples)))


def test_a_control_is_a_paired_t_test_of_the_mean_of_its_genes():
    samples = sheet(healthy=9)
    log2 = quiet(samples)
    table = controls_of(samples, log2)
    assert list(table["contrast"]) == [
        "change:drug@4",
        "change:placebo@4",
        "lesional-healthy@0",
        "lesional-nonlesional@0",
        "nonlesional-healthy@0",
    ]
    assert set(table["set"]) == {"housekeeping"} and set(table["genes"]) == {12}
    mean = pd.Series(log2[20:32].mean(axis=0), index=pd.MultiIndex.from_frame(samples.iloc[:, :4]))
    start = mean.xs(("lesional", 0.0), level=("state", "week"))
    paired = table.set_index("contrast").loc["change:drug@4"]
    later = mean.xs(("drug", "lesional", 4.0), level=("arm", "state", "week"))
    by_scipy = stats.ttest_rel(later, start.xs("drug", level="arm"))
    interval = by_scipy.confidence_interval(0.95)
    assert paired["change"] == pytest.approx((later - start.xs("drug", level="arm")).mean())
    assert paired["p_value"] == pytest.approx(by_scipy.pvalue)
    assert (paired["lower"], paired["upper"]) == pytest.approx((interval.low, interval.high))
    healthy = mean.xs("healthy", level="state")
    welch = stats.ttest_ind(start, healthy, equal_var=False)
    found = table.set_index("contrast").loc["lesional-healthy@0"]
    assert found["p_value"] == pytest.approx(welch.pvalue)
    interval = welch.confidence_interval(0.95)
    assert (found["lower"], found["upper"]) == pytest.approx((interval.low, interval.high))


def test_holm_counts_all_rows_of_the_cohort():
    samples = sheet(healthy=9)
    table = controls_of(samples, quiet(samples))
    ordered = table.sort_values("p_value")
    steps = np.maximum.accumulate(ordered["p_value"].to_numpy() * np.arange(5, 0, -1))
    np.testing.assert_allclose(ordered["holm_p_value"], np.minimum(steps, 1))


@pytest.mark.parametrize(
    ("shift", "noise", "moves"), [(0.0, 0.3, "no"), (0.06, 0.05, "no"), (0.4, 0.3, "yes")]
)
def test_a_control_moves_if_the_shift_is_significant_and_no_trifle(shift, noise, moves):
    samples = sheet(patients=60)
    log2 = quiet(samples, noise=noise)
    log2[:, samples["state"] == "lesional"] += shift
    row = controls_of(samples, log2).set_index("contrast").loc["lesional-nonlesional@0"]
    assert (row["moves"], row["reason"]) == (moves, "")
    assert (row["holm_p_value"] < 1e-6) == (shift > 0)


def test_a_control_that_would_not_notice_says_so():
    samples = sheet(patients=4)
    log2 = quiet(samples) + np.random.default_rng(3).normal(0, 1.5, len(samples))
    table = controls_of(samples, log2)
    assert set(table["moves"]) == {"unclear"}
    assert table["reason"].str.contains("beyond ± 0.3 log2").all()


def test_a_control_moves_however_wide_its_interval_is():
    samples = sheet(patients=4)
    log2 = quiet(samples) + np.random.default_rng(3).normal(0, 0.5, len(samples))
    log2[:, samples["state"] == "lesional"] += 4
    row = controls_of(samples, log2).set_index("contrast").loc["lesional-nonlesional@0"]
    assert row["upper"] - row["lower"] > 0.6
    assert (row["moves"], row["reason"]) == ("yes", "")


def test_a_control_that_is_not_measured_or_does_not_vary_has_no_number():
    samples = sheet()
    sets = {"absent": control("absent", ["A", "B", GENES[0]]), **SETS}
    log2 = quiet(samples)
    log2[20:32] = 7.0
    table = controls_of(samples, log2, sets)
    assert table[["change", "p_value", "holm_p_value"]].isna().sum().tolist() == [3, 6, 6]
    reasons = table.groupby("set")["reason"].unique()
    assert list(reasons["absent"]) == ["1 of 3 genes measured; at least 2 are needed"]
    assert "does not vary" in reasons["housekeeping"][0]
    assert set(table["moves"]) == {""}


def test_nothing_to_compare_gives_no_rows():
    samples = sheet()
    assert controls_of(samples, quiet(samples), {}).empty
    start = samples[(samples["week"] == 0) & (samples["state"] == "lesional")]
    assert controls_of(start, quiet(start)).empty


def test_a_few_genes_that_take_the_reads_move_the_control_under_library_size_not_under_tmm():
    """Twelve genes rise in lesions and fall with the drug; nothing else changes."""
    samples, rng = sheet(patients=14), np.random.default_rng(4)
    base = rng.normal(5, 1.8, len(GENES))
    base[:12] = 10.5
    disease = np.where(samples["state"] == "lesional", 1.2, 0.0)
    disease[(samples["arm"] == "drug") & (samples["week"] == 4)] *= 0.2
    log2 = base[:, None] + rng.normal(0, 0.35, (len(GENES), len(samples)))
    log2[:12] += disease
    shares = np.exp2(log2) / np.exp2(log2).sum(axis=0)
    counts = pd.DataFrame(rng.poisson(rng.gamma(20, shares * 1.2e7 / 20)), index=GENES)
    moved = {}
    for method in ("library_size", "tmm"):
        sizes = counts.sum().to_numpy() * composition_factors(counts, method).to_numpy()
        table = controls_of(samples, log2_cpm(counts.to_numpy(), sizes))
        moved[method] = table.set_index("contrast")["moves"].to_dict()
    assert moved["library_size"] == {
        "change:drug@4": "yes",
        "change:placebo@4": "no",
        "lesional-nonlesional@0": "yes",
    }
    assert set(moved["tmm"].values()) == {"no"}
