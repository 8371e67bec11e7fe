"""The signed z score: its zero, its unit, and what must not change it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adnorm.base.errors import AdnormError
from adnorm.scores.zscore import find_reference, moderate_variances, z_scores

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


def test_too_few_genes_have_no_prior():
    moderated, freedom, unseen = moderate_variances(np.array([1.0, 0.0, 4.0]), 5)
    assert (moderated.tolist(), freedom, unseen) == ([1.0, 0.0, 4.0], 5.0, 0.0)


def test_three_genes_have_one():
    moderated, freedom, unseen = moderate_variances(np.array([0.1, 2.0, 40.0, 0.0]), 20)
    assert 20 < freedom < np.inf and unseen > 0 and moderated[3] == 0
    assert 0.1 < moderated[0] < moderated[1] < moderated[2] < 40


def test_the_squeeze_is_the_average_of_own_and_prior_weighted_by_their_degrees_of_freedom():
    """(d s² + d₀ s₀²) / (d + d₀), so all genes lie on one line and a gene without variance too."""
    rng = np.random.default_rng(5)
    own = rng.chisquare(6, 400) / 6 / rng.chisquare(8, 400) * 8
    moderated, freedom, unseen = moderate_variances(own, 6)
    prior = freedom - 6
    assert prior == pytest.approx(8, rel=0.5)
    np.testing.assert_allclose(moderated, (6 * own) / freedom + unseen, rtol=1e-9)
    assert unseen / prior * freedom == pytest.approx(1.0, rel=0.3)


def test_genes_of_one_variance_get_it_and_know_it_for_certain():
    own = np.random.default_rng(6).chisquare(6, 4000) / 6
    own = np.full(50, 2.0) + 1e-3 * own[:50]
    moderated, freedom, unseen = moderate_variances(own, 6)
    assert np.isinf(freedom) and unseen == pytest.approx(moderated[0])
    assert np.ptp(moderated) == pytest.approx(0)


def test_the_pooled_spread_is_that_within_the_groups():
    """Without six reference samples: squares within (state, week, arm) over samples − groups."""
    sheet = SHEET.iloc[:12].assign(arm=["a", "b"] * 6, state=["nonlesional"] * 5 + ["lesional"] * 7)
    x = X[:12] + 50 * (sheet["state"] == "lesional").to_numpy()[:, None]
    squares = sum(
        ((x[rows] - x[rows].mean(axis=0)) ** 2).sum(axis=0)
        for rows in sheet.reset_index(drop=True).groupby(["state", "arm"]).indices.values()
    )
    expected = moderate_variances(squares / (12 - 4), 8)[0]
    zero = find_reference(x, sheet, "nonlesional")
    assert (zero.samples, zero.spread) == (5, "within state, week and arm")
    np.testing.assert_allclose(zero.deviation, np.sqrt(expected), rtol=1e-9)


def test_the_squeeze_knows_no_unit():
    own = np.append(np.random.default_rng(7).chisquare(4, 60), 0.0)
    moderated, freedom, unseen = moderate_variances(own, 4)
    for factor in (1e-20, 1e12):
        found = moderate_variances(factor * own, 4)
        np.testing.assert_allclose(found[0], factor * moderated, rtol=1e-6)
        assert found[1:] == pytest.approx((freedom, factor * unseen), rel=1e-6)


def test_a_variance_of_rounding_size_is_none():
    own = np.random.default_rng(8).chisquare(4, 60)
    exact, rounded = (moderate_variances(np.append(own, tiny), 4) for tiny in (0.0, 1e-14))
    assert rounded[0][-1] == 0
    np.testing.assert_array_equal(rounded[0], exact[0])
    assert rounded[1:] == exact[1:]
