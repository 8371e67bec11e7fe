"""The signed z score: its zero, its unit, and what must not change it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adnorm.base.errors import AdnormError
from adnorm.scores.zscore import find_reference, z_scores

RNG = np.random.default_rng(11)
GENES = [f"GENE{i:03d}" for i in range(120)]
SHEET = pd.DataFrame(
    [(s, w, "drug") for _ in range(6) for s, w in (("nonlesional", 0), ("lesional", 0))]
    + [("lesional", 4, "drug")] * 6
    + [("nonlesional", 4, "drug")] * 2,
    columns=["state", "week", "arm"],
)
X = RNG.normal(7, 1, (len(SHEET), 120)) * np.sqrt(1 / RNG.chisquare(8, 120) * 8) + 2.0
SETS = {
    "up": dict.fromkeys(GENES[:10], 1),
    "mixed": {g: 1 if i < 5 else -1 for i, g in enumerate(GENES[20:30])},
}
REFERENCE = ((SHEET["state"] == "nonlesional") & (SHEET["week"] == 0)).to_numpy()


def scores(x, sheet=SHEET, reference="nonlesional", genes=GENES, sets=SETS):
    return z_scores(x, genes, sets, find_reference(x, sheet, reference))


def test_zero_is_the_mean_of_the_reference_samples():
    z = scores(X)
    assert find_reference(X, SHEET, "nonlesional").name == "nonlesional@0"
    assert find_reference(X, SHEET, "nonlesional").samples == 6
    np.testing.assert_allclose(z[REFERENCE].mean(), 0, atol=1e-12)
    assert abs(z[~REFERENCE].mean()).max() > 0.01


def test_score_is_the_mean_of_sign_times_z():
    zero = find_reference(X, SHEET, "nonlesional")
    z = (X - X[REFERENCE].mean(axis=0)) / zero.deviation
    expected = (z[:, 20:25].sum(axis=1) - z[:, 25:30].sum(axis=1)) / 10
    np.testing.assert_allclose(scores(X)["mixed"], expected, rtol=1e-12)


def test_deviation_is_squeezed_between_the_own_and_the_common_one():
    own = X[REFERENCE].std(axis=0, ddof=1)
    moderated = find_reference(X, SHEET, "nonlesional").deviation
    assert moderated.std() < own.std()
    assert moderated[own.argmin()] > own.min()
    assert moderated[own.argmax()] < own.max()
    assert (np.argsort(own) == np.argsort(moderated)).all()


def test_a_constant_per_gene_changes_nothing():
    shifted = X + RNG.normal(0, 5, 120)
    np.testing.assert_allclose(scores(shifted), scores(X), atol=1e-9)


def test_stretching_all_log2_values_changes_nothing():
    np.testing.assert_allclose(scores(3 * X), scores(X), atol=1e-6)


def test_order_of_genes_and_samples_changes_nothing():
    g, s = RNG.permutation(120), RNG.permutation(len(SHEET))
    moved = scores(X[s][:, g], SHEET.iloc[s], genes=[GENES[i] for i in g])
    np.testing.assert_allclose(moved, scores(X).iloc[s], atol=1e-10)


def test_order_of_a_set_changes_no_digit():
    turned = {name: dict(reversed(signs.items())) for name, signs in SETS.items()}
    np.testing.assert_array_equal(scores(X, sets=turned), scores(X))


def test_visits_after_baseline_are_not_reference():
    moved = X.copy()
    moved[-2:] += 100  # non-lesional at week 4
    zero = find_reference(moved, SHEET, "nonlesional")
    np.testing.assert_array_equal(zero.centre, X[REFERENCE].mean(axis=0))


def test_few_reference_samples_keep_the_zero_and_borrow_the_spread():
    sheet = SHEET.copy()
    sheet.loc[sheet.index[REFERENCE][2:], "state"] = "lesional"
    zero = find_reference(X, sheet, "nonlesional")
    assert (zero.name, zero.samples) == ("nonlesional@0", 2)
    assert zero.spread == "within state, week and arm"
    few = np.flatnonzero(REFERENCE)[:2]
    np.testing.assert_allclose(zero.centre, X[few].mean(axis=0))


def test_without_reference_samples_zero_is_the_mean_of_all_and_that_is_said():
    zero = find_reference(X, SHEET, "healthy")
    assert (zero.name, zero.samples) == ("all samples", len(X))
    assert zero.spread == "within state, week and arm"
    np.testing.assert_allclose(scores(X, reference="healthy").mean(), 0, atol=1e-12)


def test_groups_of_one_fall_back_to_the_spread_of_all():
    sheet = SHEET.assign(arm=[f"arm {i}" for i in range(len(SHEET))])
    zero = find_reference(X, sheet, "healthy")
    assert zero.spread == "all samples"


def test_one_sample_is_refused():
    with pytest.raises(AdnormError, match="only one sample"):
        find_reference(X[:1], SHEET[:1], "nonlesional")


def test_a_constant_gene_is_left_out_of_the_average():
    x = X.copy()
    x[:, 0] = 0.1
    z = scores(
        x, sets={"with": dict.fromkeys(GENES[:5], 1), "without": dict.fromkeys(GENES[1:5], 1)}
    )
    assert np.isfinite(z.to_numpy()).all()
    np.testing.assert_array_equal(z["with"], z["without"])


def test_a_gene_that_only_disease_switches_on_counts_and_stays_finite():
    x = X.copy()
    x[:, 0] = np.where(SHEET["state"] == "lesional", 5.0, 0.1)
    zero = find_reference(x, SHEET, "nonlesional")
    assert np.isfinite(zero.deviation[0])
    assert zero.deviation[0] > 0
    z = scores(x, sets={"switched": {GENES[0]: 1}})["switched"]
    assert np.isfinite(z).all()
    np.testing.assert_allclose(z[REFERENCE], 0, atol=1e-9)
    assert z[(SHEET["state"] == "lesional").to_numpy()].min() > z[REFERENCE].max()


def test_constant_genes_do_not_change_the_unit_of_the_others():
    extra = np.hstack([X, np.full((len(X), 40), 3.3)])
    wide = find_reference(extra, SHEET, "nonlesional")
    np.testing.assert_allclose(
        wide.deviation[:120], find_reference(X, SHEET, "nonlesional").deviation, rtol=1e-9
    )
    assert np.isnan(wide.deviation[120:]).all()


def test_a_set_of_constant_genes_has_no_score():
    x = X.copy()
    x[:, :3] = 1.0
    assert scores(x, sets={"flat": dict.fromkeys(GENES[:3], 1)})["flat"].isna().all()
