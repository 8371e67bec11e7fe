"""Batches in the models of genes and set scores: refused, taken out, or left in."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest

from adnorm.effects.design import plan_fits
from adnorm.effects.fit import fit_effects, fit_trended, fit_unweighted, fit_voom, fit_weighted
from adnorm.effects.observations import Observations
from adnorm.effects.set_effects import fit_set_effects
from adnorm.study.batches import batch_shares
from adnorm.study.comparisons import average_rows, combine_biopsies, derive_design
from adnorm.study.config import EffectsSettings
from adnorm.study.validation import check
from adnorm.study.vocabulary import BatchRule
from builders.paired_trials import noise, trial

ARRAY = {"assay": "microarray"}


def numbers(samples: pd.DataFrame) -> pd.Series:
    return samples["patient"].str.extract(r"(\d+)$")[0].astype(int)


def crossing(samples: pd.DataFrame, share: float = 0.66) -> np.ndarray:
    """Week 4 of most patients of the drug was processed later, that of the others with the rest."""
    some = numbers(samples) < share * (numbers(samples).max() + 1)
    return np.where((samples["week"] == 4) & (samples["arm"] == "drug") & some, "B", "A")


def planned(samples, rule):
    combined, codes = combine_biopsies(samples)
    shares = batch_shares(samples, codes)
    supported = derive_design(samples, "placebo", 3).supported
    return combined, codes, shares, *plan_fits(combined, supported, shares, rule)


def effects(samples, log2, rule, counts=None, **settings):
    combined, codes, shares, plans, refused = planned(samples, rule)
    order = np.argsort(codes)
    data = Observations(
        samples,
        combined,
        np.array([f"G{i:04d}" for i in range(len(log2))]),
        log2[:, order],
        None if counts is None else counts[:, order],
        None if counts is None else counts[:, order].sum(axis=0),
        ARRAY if counts is None else {"assay": "rna-seq"},
        shares,
    )
    table = fit_effects(data, plans, EffectsSettings(batch=rule, **settings))
    return table.set_index(["contrast", "gene"]), refused


@pytest.fixture(scope="module")
def shifted():
    """A trial without any effect, and a shift of each gene in the second batch."""
    samples = trial(patients=9)
    samples = samples.assign(batch=crossing(samples))
    log2 = 0.5 * noise(samples, genes=200)
    shift = np.random.default_rng(4).normal(1.0, 0.5, 200)
    return samples, log2 + shift[:, None] * (samples["batch"] == "B").to_numpy(), shift


@pytest.mark.parametrize("rule", [BatchRule.COVARIATE, BatchRule.BLOCK])
def test_an_effect_that_is_a_batch_goes_with_the_batch(shifted, rule):
    samples, log2, shift = shifted
    left, _ = effects(samples, log2, BatchRule.IGNORE)
    taken, refused = effects(samples, log2, rule)
    assert refused == {}
    name = "change:drug@4"
    # Six of nine pairs cross, so two thirds of the shift stand in the change.
    assert left.loc[name, "log2_fold_change"].mean() == pytest.approx(2 / 3 * 1.0, abs=0.1)
    assert (left.loc[name, "fdr"] < 0.05).mean() > 0.3
    # Random batches are draws around 0: some of a shift that most genes share stays.
    most = {BatchRule.COVARIATE: 0.1, BatchRule.BLOCK: 0.3}[rule]
    assert abs(taken.loc[name, "log2_fold_change"].mean()) < most
    assert (taken.loc[name, "p_value"] < 0.05).mean() < most
    # What no batch enters stays as sure as it was, but for the degree of freedom.
    for column in ("log2_fold_change", "standard_error"):
        before, after = (t.loc["change:placebo@4", column] for t in (left, taken))
        np.testing.assert_allclose(after, before, rtol=0.25, atol=0.05)


@pytest.mark.parametrize("rule", [BatchRule.COVARIATE, BatchRule.BLOCK])
def test_what_cannot_be_told_from_a_batch_is_refused(rule):
    samples = trial(patients=5, healthy=5)
    samples = samples.assign(batch=np.where(samples["week"] == 4, "late", "early"))
    log2 = noise(samples, genes=50)
    found, refused = effects(samples, log2, rule)
    gone = {"change:drug@4", "change:placebo@4", "residual:drug@4", "residual:placebo@4"}
    assert {name for name in refused if "healthy" not in name} == gone
    assert "residual-healthy:drug@4" in refused and "lesional-healthy@0" not in refused
    text = refused["change:drug@4"]
    assert "batch and visit cannot be told apart" in text and "effects: batch: ignore" in text
    assert "lesional at week 4 in 'late (5)'" in text
    # Between the arms the batch cancels: the same numbers as without.
    left, none = effects(samples, log2, BatchRule.IGNORE)
    assert none == {} and gone <= set(left.index.get_level_values("contrast"))
    for name in ("change:drug-placebo@4", "change:drug@12"):
        np.testing.assert_allclose(
            found.loc[name, "log2_fold_change"], left.loc[name, "log2_fold_change"], atol=1e-9
        )


@pytest.mark.parametrize("rule", list(BatchRule))
def test_a_cohort_without_batches_is_not_touched(rule):
    samples = trial(patients=5)
    log2 = noise(samples)
    found, refused = effects(samples, log2, rule)
    plain, _ = effects(samples.assign(batch="one"), log2, BatchRule.IGNORE)
    assert refused == {}
    pd.testing.assert_frame_equal(found, plain)


@pytest.mark.parametrize("rule", [BatchRule.COVARIATE, BatchRule.BLOCK])
def test_counts_and_weighted_values_lose_the_batch_too(rule):
    samples = trial(patients=9)
    samples = samples.assign(batch=crossing(samples))
    rng = np.random.default_rng(2)
    second = (samples["batch"] == "B").to_numpy()
    # Half of the genes up, half down, so that library sizes stay.
    shift = np.where(np.arange(200) % 2, 1.0, -1.0)
    mean = rng.uniform(50, 500, 200)[:, None] * 2 ** (shift[:, None] * second)
    counts = rng.poisson(rng.gamma(20, mean / 20)).astype(float)
    log2 = np.log2(counts / counts.sum(axis=0) * 1e6 + 1)
    for table, settings in ((counts, {}), (counts, {"count_model": "log2"})):
        left, _ = effects(samples, log2, BatchRule.IGNORE, table, **settings)
        taken, _ = effects(samples, log2, rule, table, **settings)
        assert np.abs(left.loc["change:drug@4", "log2_fold_change"]).mean() > 0.5
        assert np.abs(taken.loc["change:drug@4", "log2_fold_change"]).mean() < 0.35
        assert (taken.loc["change:drug@4", "p_value"] < 0.05).mean() < 0.12


def test_the_weighted_fit_with_batches_equals_dense_least_squares():
    """Gene by gene: W^½ on both sides, all columns; random batches as added rows."""
    samples = trial(patients=5, dropouts=4)
    rng = np.random.default_rng(8)
    samples = samples.assign(batch=rng.choice(["a", "b", "c"], len(samples)))
    log2 = noise(samples, genes=4)
    for rule, correlation in ((BatchRule.COVARIATE, 0.0), (BatchRule.BLOCK, 0.3)):
        combined, codes, _, plans, _ = planned(samples, rule)
        plan = plans[0]
        y = average_rows(log2.T, codes).T[:, plan.model.rows]
        weights = rng.uniform(0.2, 3, y.shape)
        ours = fit_weighted(y, weights, plan.model, plan.group_weights, correlation)
        model = plan.model
        design = np.hstack([np.eye(len(model.block_names))[model.blocks], model.group_columns])
        columns = model.batches.to_numpy() if model.random else model.batch_columns
        dense = np.hstack([design, columns])
        added = np.zeros((columns.shape[1], dense.shape[1]))
        if model.random:
            added[:, design.shape[1] :] = np.sqrt((1 - correlation) / correlation) * np.eye(3)
        contrast = np.zeros((dense.shape[1], plan.group_weights.shape[1]))
        contrast[len(model.block_names) : design.shape[1]] = plan.group_weights[model.kept_groups]
        for g in range(len(y)):
            root = np.sqrt(weights[g])
            left = np.vstack([root[:, None] * dense, added])
            right = np.append(root * y[g], np.zeros(len(added)))
            solution = np.linalg.lstsq(left, right, rcond=None)[0]
            np.testing.assert_allclose(ours["coefficients"][g], contrast.T @ solution, atol=1e-8)
            scale = 1 - correlation
            unscaled = np.diag(contrast.T @ np.linalg.pinv(left.T @ left) @ contrast) * scale
            np.testing.assert_allclose(ours["stdev_unscaled"][g] ** 2, unscaled, rtol=1e-7)
            rest = ((right - left @ solution) ** 2).sum() / scale / model.df_residual
            assert ours["sigma"][g] ** 2 == pytest.approx(rest)


def test_voom_and_trend_see_the_batches(shifted):
    """A shift that is no noise is none in the mean-variance trend either."""
    samples, log2, _ = shifted
    combined, codes, _, plans, _ = planned(samples, BatchRule.COVARIATE)
    _, _, _, without, _ = planned(samples, BatchRule.IGNORE)
    y = average_rows(log2.T, codes).T
    for fit in (
        lambda plan: fit_trended(y[:, plan.model.rows], plan),
        lambda plan: fit_voom(
            np.round(2 ** y[:, plan.model.rows]), np.full(len(plan.model.rows), 1e4), plan
        ),
    ):
        assert fit(plans[0])["sigma"].mean() < 1.1 * fit(without[0])["sigma"].mean()
        assert fit(plans[0])["df_residual"][0] == fit(without[0])["df_residual"][0] - 1


@pytest.mark.parametrize("rule", [BatchRule.COVARIATE, BatchRule.BLOCK])
def test_models_of_many_samples_with_batches_have_the_numbers_of_limma(shifted, rule, monkeypatch):
    samples, log2, _ = shifted
    combined, codes, _, plans, _ = planned(samples, rule)
    y = average_rows(log2.T, codes).T
    for plan in plans:
        own = y[:, plan.model.rows]
        reads, sizes = np.round(2**own), np.full(len(plan.model.rows), 1e4)
        for fit in (
            lambda own=own, plan=plan: fit_unweighted(own, plan),
            lambda own=own, plan=plan: fit_trended(own, plan),
            lambda reads=reads, sizes=sizes, plan=plan: fit_voom(reads, sizes, plan),
        ):
            limma = fit()
            with monkeypatch.context() as patched:
                patched.setattr("adnorm.effects.fit.MOST_DENSE", 0)
                patched.setattr("adnorm.effects.fit.WORKING_SET", 700)
                ours = fit()
            for name in ("coefficients", "stdev_unscaled", "sigma", "df_residual", "Amean"):
                np.testing.assert_allclose(ours[name], limma[name], rtol=1e-8, atol=1e-10)


def test_deseq2_has_no_random_batches():
    with pytest.raises(Exception, match="batch: block.*DESeq2"):
        check(EffectsSettings, {"count_model": "deseq2", "batch": "block"}, "configuration")


# ---------------------------------------------------------------- set scores


def set_effects(samples, values, rule):
    combined, codes, shares, plans, refused = planned(samples, rule)
    by_name = {c.name: c for c in derive_design(samples, "placebo", 3).supported}
    scored = anndata.AnnData(
        X=values,
        obs=samples.set_index(pd.Index([f"s{i}" for i in range(len(samples))])),
        var=pd.DataFrame(
            {"family": "primary", "status": "ok", "reason": ""},
            index=[f"set{i}" for i in range(values.shape[1])],
        ),
        layers={"zscore": values},
    )
    left_out = {by_name[name]: reason for name, reason in refused.items()}
    table = fit_set_effects(scored, combined, codes, plans, left_out, 0.95, shares)
    return table.set_index(["contrast", "set"])


@pytest.mark.parametrize(
    ("rule", "typical", "days"), [(BatchRule.COVARIATE, 0.8, 1), (BatchRule.BLOCK, 0.0, 3)]
)
def test_tests_of_set_scores_keep_their_level_where_batches_are_taken_off(rule, typical, days):
    """Two thirds of the pairs cross: without any effect 5 % of the sets seem to change.

    Random batches are draws around 0, and two of them do not tell how far they lie apart.
    """
    samples = trial(patients=9, healthy=8)
    late = crossing(samples) == "B"
    late |= ((samples["arm"] == "healthy") & (numbers(samples) < 4)).to_numpy()
    batch = numbers(samples).to_numpy() % days + days * late
    samples = samples.assign(batch=batch)
    rng = np.random.default_rng(11)
    sets = 1500
    people = rng.normal(0, 1, (samples["patient"].nunique(), sets))
    values = people[np.unique(samples["patient"], return_inverse=True)[1]]
    values = values + rng.normal(0, 0.6, values.shape)
    values += rng.normal(0, 0.9, (2 * days, sets))[batch] + typical * late[:, None]
    left, taken = (set_effects(samples, values, r) for r in (BatchRule.IGNORE, rule))
    name = "change:drug@4"
    assert (left.loc[name, "p_value"] < 0.05).mean() > 0.1
    found = taken.loc[name]
    assert 0.03 < (found["p_value"] < 0.05).mean() < 0.075
    covered = ((found["lower"] < 0) & (found["upper"] > 0)).mean()
    assert covered == pytest.approx((found["p_value"] >= 0.05).mean(), abs=0.002)
    assert abs(found["change"].mean()) < 0.1
    assert 0.03 < (taken.loc["change:drug-placebo@4", "p_value"] < 0.05).mean() < 0.075
    # Not entered by a batch: the same numbers.
    columns = ["change", "lower", "upper", "p_value", "effect_size"]
    quiet = [t.loc["change:placebo@12", columns].astype(float) for t in (taken, left)]
    pd.testing.assert_frame_equal(*quiet, rtol=1e-6)


def test_refused_comparisons_of_set_scores_say_why():
    samples = trial(patients=5)
    samples = samples.assign(batch=np.where(samples["week"] == 4, "late", "early"))
    values = np.random.default_rng(1).normal(size=(len(samples), 3))
    row = set_effects(samples, values, BatchRule.COVARIATE).loc[("change:drug@4", "set0")]
    assert row["status"] == "not_estimable" and np.isnan(row["change"])
    assert "batch and visit cannot be told apart" in row["reason"]
    kept = set_effects(samples, values, BatchRule.COVARIATE).loc[("change:drug@12", "set0")]
    assert kept["status"] == "ok" and np.isfinite(kept["change"])
