"""Effects of genes: closed forms, invariances, count models; weights for each gene and sample."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pylimma
import pytest
import statsmodels.api as sm
from pydantic import ValidationError
from scipy import stats

from adnorm.base.errors import AdnormError
from adnorm.effects.fit import (
    benjamini_hochberg,
    fit_effects,
    fit_trended,
    fit_unweighted,
    fit_voom,
    fit_weighted,
    moderate,
)
from adnorm.study.config import EffectsSettings
from builders.paired_trials import noise, observe, trial

SETTINGS = EffectsSettings()


def mean_difference(samples, y, plus, minus):
    """The patients' own differences, by hand."""
    at = {
        (row.patient, row.state, row.week): i
        for i, row in enumerate(samples.itertuples(index=False))
    }
    arms = samples.groupby("patient")["arm"].first()
    found = [
        y[:, at[p, *plus]] - y[:, at[p, *minus]]
        for p in arms.index
        if (p, *plus) in at and (p, *minus) in at
    ]
    return np.array(found), np.array(
        [arms[p] for p in arms.index if (p, *plus) in at and (p, *minus) in at]
    )


def test_complete_data_give_the_mean_paired_difference():
    samples = trial()
    y = noise(samples)
    data, plans = observe(samples, y)
    effects = fit_effects(data, plans, SETTINGS).pivot(
        index="gene", columns="contrast", values="log2_fold_change"
    )
    disease, _ = mean_difference(samples, y, ("lesional", 0.0), ("nonlesional", 0.0))
    np.testing.assert_allclose(effects["lesional-nonlesional@0"], disease.mean(axis=0), atol=1e-12)
    change, arms = mean_difference(samples, y, ("lesional", 12.0), ("lesional", 0.0))
    drug, placebo = change[arms == "drug"].mean(axis=0), change[arms == "placebo"].mean(axis=0)
    np.testing.assert_allclose(effects["change:drug@12"], drug, atol=1e-12)
    np.testing.assert_allclose(effects["change:drug-placebo@12"], drug - placebo, atol=1e-12)


def test_two_visits_without_moderation_are_the_paired_t_test():
    samples = trial().query("arm == 'drug' and state == 'lesional' and week < 5")
    samples = samples.reset_index(drop=True)
    y = noise(samples)
    data, (plan,) = observe(samples, y)
    fit = fit_unweighted(data.log2[:, plan.model.rows], plan)
    t = fit["coefficients"] / fit["stdev_unscaled"] / fit["sigma"][:, None]
    before, after = (y[:, (samples["week"] == w).to_numpy()] for w in (0, 4))
    expected = stats.ttest_rel(after, before, axis=1)
    np.testing.assert_allclose(t[:, 0], expected.statistic, rtol=1e-10)
    assert set(fit["df_residual"]) == {5}


def test_between_people_without_moderation_is_the_two_sample_t_test():
    samples = trial(healthy=7)
    y = noise(samples)
    data, plans = observe(samples, y)
    plan = next(p for p in plans if p.comparisons[0].name == "lesional-healthy@0")
    fit = fit_unweighted(data.log2[:, plan.model.rows], plan)
    t = fit["coefficients"][:, 0] / fit["stdev_unscaled"][:, 0] / fit["sigma"]
    lesional = y[:, ((samples["state"] == "lesional") & (samples["week"] == 0)).to_numpy()]
    healthy = y[:, (samples["state"] == "healthy").to_numpy()]
    np.testing.assert_allclose(t, stats.ttest_ind(lesional, healthy, axis=1).statistic, rtol=1e-10)


@pytest.mark.parametrize("model", ["log2", "voom"])
def test_order_of_samples_and_genes_does_not_matter(model):
    samples = trial(dropouts=4, healthy=4)
    rng = np.random.default_rng(7)
    counts = rng.negative_binomial(5, 0.02, (60, len(samples)))
    log2 = np.log2(counts + 1.0)
    settings = EffectsSettings(count_model=model)
    data, plans = observe(samples, log2, counts)
    expected = fit_effects(data, plans, settings)
    order = rng.permutation(len(samples))
    shuffled = samples.iloc[order].reset_index(drop=True)
    data, plans = observe(shuffled, log2[:, order], counts[:, order])
    pd.testing.assert_frame_equal(fit_effects(data, plans, settings), expected, rtol=1e-9)
    genes = rng.permutation(60)
    data, plans = observe(samples, log2[genes], counts[genes])
    result = fit_effects(data, plans, settings)
    names = dict(zip(data.genes, [f"G{i:04d}" for i in genes], strict=True))
    result["gene"] = result["gene"].map(names)
    result = result.sort_values(["contrast", "gene"], ignore_index=True)
    pd.testing.assert_frame_equal(result, expected, rtol=1e-7)


def test_constants_of_patients_and_genes_cancel():
    samples = trial(dropouts=4)
    y = noise(samples)
    rng = np.random.default_rng(2)
    shift = dict(zip(samples["patient"].unique(), rng.normal(0, 5, 12), strict=True))
    moved = y + samples["patient"].map(shift).to_numpy() + rng.normal(0, 3, (len(y), 1))
    paired = [
        fit_effects(data, plans[:1], SETTINGS)
        for data, plans in (observe(samples, y), observe(samples, moved))
    ]
    pd.testing.assert_frame_equal(paired[0], paired[1], rtol=1e-6, atol=1e-10)


def test_table_is_sorted_complete_and_adjusted_within_contrasts():
    samples = trial(healthy=4)
    data, plans = observe(samples, noise(samples))
    effects = fit_effects(data, plans, SETTINGS)
    assert effects.equals(effects.sort_values(["contrast", "gene"], ignore_index=True))
    assert effects["contrast"].nunique() == sum(len(p.comparisons) for p in plans)
    assert not effects.isna().any().any()
    for _, rows in effects.groupby("contrast"):
        expected = stats.false_discovery_control(rows["p_value"])
        np.testing.assert_allclose(rows["fdr"], expected)
        np.testing.assert_allclose(rows["t"], rows["log2_fold_change"] / rows["standard_error"])
        p_values = 2 * stats.t.sf(rows["t"].abs(), rows["degrees_of_freedom"])
        np.testing.assert_allclose(rows["p_value"], p_values)
    assert effects.set_index("contrast")["pairs"]["change:drug@4"].iloc[0] == 6


def test_robust_moderation_is_limmas_and_differs_with_an_outlier():
    samples = trial()
    y = noise(samples, genes=200)
    y[0] = (y[0] - 8) * 30
    data, (plan, *_) = observe(samples, y)
    fit = fit_unweighted(data.log2[:, plan.model.rows], plan)
    plain, robust = moderate(fit, False), moderate(fit, True)
    bare = pylimma.e_bayes(fit, robust=True)
    np.testing.assert_allclose(robust["t"], bare["t"])
    np.testing.assert_allclose(robust["t"], robust["log2_fold_change"] / robust["standard_error"])
    assert not np.allclose(plain["standard_error"], robust["standard_error"])
    # Each gene has its own degrees of freedom, and they are those of its p-value.
    freedom = robust["degrees_of_freedom"]
    assert freedom[0, 0] < freedom[1, 0]
    np.testing.assert_allclose(robust["p_value"], 2 * stats.t.sf(abs(robust["t"]), freedom))


def test_constant_genes_have_no_effect_rows():
    samples = trial()
    y = noise(samples)
    y[5] = 3.0
    data, plans = observe(samples, y)
    assert "G0005" not in set(fit_effects(data, plans, SETTINGS)["gene"])


def test_extreme_effects_never_have_p_value_zero():
    samples = trial(patients=30)
    y = np.random.default_rng(1).normal(0, 1e-6, (20, len(samples)))
    y[:, (samples["state"] == "lesional").to_numpy()] += 1e6
    data, plans = observe(samples, y)
    effects = fit_effects(data, plans, SETTINGS)
    assert (effects["p_value"] > 0).all() and (effects["fdr"] > 0).all()


def test_voom_recovers_fold_changes_and_ignores_library_size():
    samples = trial(patients=8)
    rng = np.random.default_rng(11)
    up = np.zeros((400, len(samples)))
    up[:20, (samples["state"] == "lesional").to_numpy()] = 2.0
    mean = rng.gamma(2, 100, (400, 1)) * 2**up
    depth = rng.uniform(0.3, 3, len(samples))
    mu = mean / mean.sum(axis=0) * 1e5 * depth
    counts = rng.negative_binomial(20, 20 / (20 + mu))
    data, plans = observe(samples, np.log2(counts + 1.0), counts)
    effects = fit_effects(data, plans, SETTINGS)
    disease = effects[effects["contrast"] == "lesional-nonlesional@0"].set_index("gene")
    change = disease["log2_fold_change"]
    raised = change.index[:20]
    assert (change[raised] - change.drop(raised).median()).median() == pytest.approx(2, abs=0.1)
    assert (disease["fdr"][raised] < 0.001).all()


def test_voom_weights_matter():
    samples = trial()
    rng = np.random.default_rng(4)
    mu = np.exp(rng.normal(4, 1.5, (200, 1))) * np.ones(len(samples))
    counts = rng.negative_binomial(5, 5 / (5 + mu))
    data, (plan, *_) = observe(samples, np.log2(counts + 1.0), counts)
    counts = data.counts[:, plan.model.rows]
    weighted = fit_voom(counts, counts.sum(axis=0), plan)
    plain = fit_unweighted(data.voom_log2()[:, plan.model.rows], plan)
    assert np.abs(weighted["coefficients"] - plain["coefficients"]).max() > 1e-3


def test_deseq2_option_agrees_in_direction_with_voom():
    samples = trial(patients=5).query("arm == 'drug' and week == 0").reset_index(drop=True)
    rng = np.random.default_rng(8)
    effect = np.zeros((60, 1))
    effect[:6], effect[6:12] = 2.5, -2.5
    lesional = (samples["state"] == "lesional").to_numpy()
    mu = rng.uniform(50, 400, (60, 1)) * 2 ** (effect * lesional)
    counts = rng.negative_binomial(15, 15 / (15 + mu))
    data, plans = observe(samples, np.log2(counts + 1.0), counts)
    deseq2, voom = (
        fit_effects(data, plans, EffectsSettings(count_model=m)) for m in ("deseq2", "voom")
    )
    assert list(deseq2.columns) == list(voom.columns)
    assert not deseq2.isna().any().any()
    assert np.isinf(deseq2["degrees_of_freedom"]).all()
    np.testing.assert_allclose(deseq2["p_value"], 2 * stats.norm.sf(deseq2["t"].abs()))
    assert np.corrcoef(deseq2["log2_fold_change"], voom["log2_fold_change"])[0, 1] > 0.98
    assert (deseq2["log2_fold_change"][:6] > 1.5).all()
    assert (deseq2["log2_fold_change"][6:12] < -1.5).all()


def test_benjamini_hochberg_leaves_missing_values_out():
    p = np.array([0.04, np.nan, 0.01, 0.03])
    np.testing.assert_allclose(
        benjamini_hochberg(p)[[0, 2, 3]], stats.false_discovery_control(p[[0, 2, 3]])
    )
    assert np.isnan(benjamini_hochberg(p)[1])
    assert np.isnan(benjamini_hochberg(np.array([np.nan]))).all()


def test_unknown_count_model_names_the_allowed_ones():
    with pytest.raises(ValidationError, match="should be 'voom', 'log2' or 'deseq2'"):
        EffectsSettings(count_model="edger")


def test_log2_rnaseq_finds_as_much_among_low_genes_as_among_high_ones():
    """Null drug, 10 pairs: without weights the low genes give 4 % instead of 1 %, the high none."""
    rng = np.random.default_rng(5)
    genes, pairs = 6000, 10
    mean = rng.lognormal(3.0, 2.0, (genes, 1)) * np.exp(rng.normal(0, 0.3, (genes, pairs)))
    mean = np.hstack([mean, mean]) * rng.uniform(0.7, 1.4, 2 * pairs)
    dispersion = 0.05 + 0.3 / np.sqrt(mean)
    reads = rng.negative_binomial(1 / dispersion, 1 / (1 + dispersion * mean)).astype(float)
    log2 = np.log2(reads / reads.sum(axis=0) * 1e6 + 1)
    log2 = log2[(log2 > 1).sum(axis=1) >= 10]
    samples = pd.DataFrame(
        {
            "patient": [f"p{i}" for i in range(pairs)] * 2,
            "arm": "placebo",
            "state": "lesional",
            "week": [0.0] * pairs + [4.0] * pairs,
            "treatment": "placebo",
            "dose_mg": np.nan,
        }
    )
    data, plans = observe(samples, log2)
    low = np.argsort(log2.mean(axis=1))[: len(log2) // 3]
    high = np.argsort(log2.mean(axis=1))[-len(log2) // 3 :]

    def found(assay):
        facts = dataclasses.replace(data, facts={"assay": assay})
        p_values = fit_effects(facts, plans, SETTINGS).set_index("gene")["p_value"]
        p_values = p_values.reindex(data.genes).to_numpy()
        return [(p_values[part] < 0.01).mean() for part in (low, high)]

    assert found("microarray")[0] > 2 * found("microarray")[1]
    assert found("rna-seq") == pytest.approx([0.01, 0.01], abs=0.006)


@pytest.mark.filterwarnings("ignore:The design matrix is rank-deficient")
@pytest.mark.parametrize("dropouts", [0, 7])
@pytest.mark.parametrize("weighted", [False, True])
def test_dropouts_and_weights_equal_statsmodels(dropouts, weighted):
    samples = trial(dropouts=dropouts)
    y = noise(samples, genes=8)
    data, (plan, *_) = observe(samples, y)
    y = data.log2[:, plan.model.rows]
    rng = np.random.default_rng(3)
    weights = rng.uniform(0.05, 20, y.shape) if weighted else np.ones_like(y)
    ours = fit_weighted(y, weights, plan.model, plan.group_weights)
    combined = data.combined.iloc[plan.model.rows]
    cell = combined["arm"] + " " + combined["state"] + " " + combined["week"].astype(str)
    # statsmodels gets the unreduced, rank-deficient design and solves it by a pseudo-inverse.
    full = np.hstack([pd.get_dummies(v).to_numpy(float) for v in (combined["patient"], cell)])
    labels = pd.get_dummies(cell).columns
    for g in range(len(y)):
        fit = sm.WLS(y[g], full, weights=weights[g]).fit()
        for j, comparison in enumerate(plan.comparisons):
            contrast = np.zeros(full.shape[1])
            for (arm, state, week), weight in comparison.terms.items():
                contrast[-len(labels) + list(labels).index(f"{arm} {state} {week}")] = weight
            test = fit.t_test(contrast)
            assert ours["coefficients"][g, j] == pytest.approx(test.effect.item(), abs=1e-9)
            error = ours["stdev_unscaled"][g, j] * ours["sigma"][g]
            assert error == pytest.approx(test.sd.item(), rel=1e-8)
            assert ours["df_residual"][g] == fit.df_resid


def test_equal_weights_are_the_unweighted_fit():
    samples = trial(dropouts=5, healthy=4)
    data, plans = observe(samples, noise(samples))
    for plan in plans:
        y = data.log2[:, plan.model.rows]
        ours = fit_weighted(y, np.full(y.shape, 2.5), plan.model, plan.group_weights)
        limma = fit_unweighted(y, plan)
        np.testing.assert_allclose(ours["coefficients"], limma["coefficients"], atol=1e-10)
        np.testing.assert_allclose(ours["sigma"], limma["sigma"] * np.sqrt(2.5), rtol=1e-9)


def test_chunks_do_not_change_the_weighted_fit(monkeypatch):
    samples = trial(dropouts=3)
    data, (plan, *_) = observe(samples, noise(samples))
    y = data.log2[:, plan.model.rows]
    weights = np.random.default_rng(0).uniform(0.5, 2, y.shape)
    whole = fit_weighted(y, weights, plan.model, plan.group_weights)
    monkeypatch.setattr("adnorm.effects.fit.WORKING_SET", 300)
    parts = fit_weighted(y, weights, plan.model, plan.group_weights)
    for name, values in whole.items():
        np.testing.assert_allclose(parts[name], values, rtol=1e-12, atol=1e-14)


def test_constant_genes_are_told_and_one_gene_that_varies_is_too_little(monkeypatch):
    told = []
    monkeypatch.setattr("adnorm.effects.fit.progress", told.append)
    samples = trial()
    y = noise(samples)
    y[[5, 7]] = 3.0
    data, plans = observe(samples, y)
    fit_effects(data, plans[:1], SETTINGS)
    assert "2 genes are constant and have no effect: 'G0005', 'G0007'" in told
    told.clear()
    data, plans = observe(samples, noise(samples))
    fit_effects(data, plans[:1], SETTINGS)
    assert not [line for line in told if "constant" in line]
    for varying in (1, 2):
        y = np.full((30, len(samples)), 3.0)
        y[:varying] = noise(samples)[:varying]
        data, plans = observe(samples, y)
        if varying == 1:
            with pytest.raises(AdnormError, match="only 1 of 30 genes vary over 48 samples"):
                fit_effects(data, plans[:1], SETTINGS)
        else:
            found = fit_effects(data, plans[:1], SETTINGS)
            assert set(found["gene"]) == {"G0000", "G0001"}


def test_log2_values_of_sequencing_are_weighed_by_their_trend_and_those_of_arrays_are_not():
    samples = trial()
    data, plans = observe(samples, noise(samples, genes=300))
    y, plan = data.log2[:, plans[0].model.rows], plans[0]
    for assay, fit in (("microarray", fit_unweighted), ("rna-seq", fit_trended)):
        found = fit_effects(dataclasses.replace(data, facts={"assay": assay}), [plan], SETTINGS)
        expected = moderate(fit(y, plan), SETTINGS.robust)
        first = found[found["contrast"] == plan.comparisons[0].name]
        np.testing.assert_allclose(first["t"], expected["t"][:, 0], rtol=1e-9)


def test_the_unit_of_log2_values_changes_no_t():
    """Also genes that vary by a thousandth take part."""
    samples = trial(dropouts=3)
    y = noise(samples)
    small, whole = (fit_effects(*observe(samples, factor * y), SETTINGS) for factor in (1e-3, 1))
    np.testing.assert_allclose(small["t"], whole["t"], rtol=1e-6)
    np.testing.assert_allclose(small["standard_error"], 1e-3 * whole["standard_error"], rtol=1e-6)
    assert small["gene"].equals(whole["gene"])


def test_a_weighted_fit_has_what_limmas_functions_expect_of_a_fit():
    samples = trial(healthy=4)
    data, plans = observe(samples, noise(samples))
    for plan in plans:
        y = data.log2[:, plan.model.rows]
        ours = fit_weighted(y, np.ones(y.shape), plan.model, plan.group_weights)
        limma = fit_unweighted(y, plan)
        for name in ("coefficients", "stdev_unscaled", "sigma", "df_residual", "Amean"):
            assert np.shape(ours[name]) == np.shape(limma[name]), name
            np.testing.assert_allclose(ours[name], limma[name], atol=1e-9, err_msg=name)


# ---------------------------------------------------------------- models of many samples

NUMBERS = ("coefficients", "stdev_unscaled", "sigma", "df_residual", "Amean")


def of_many(monkeypatch):
    """Let every model be one of many samples, of which a few genes are fitted at a time."""
    monkeypatch.setattr("adnorm.effects.fit.MOST_DENSE", 0)
    monkeypatch.setattr("adnorm.effects.fit.WORKING_SET", 700)


@pytest.mark.parametrize("kind", ["unweighted", "trended", "voom"])
def test_models_of_many_samples_have_the_numbers_of_limma(kind, monkeypatch):
    samples = trial(dropouts=5, healthy=4)
    counts = np.random.default_rng(4).poisson(2 ** (noise(samples, genes=150) - 2))
    counts[7] = 0
    data, plans = observe(samples, np.log2(counts + 1.0), counts)
    for plan in plans:
        reads = data.counts[:, plan.model.rows]
        log2 = data.log2[:, plan.model.rows]
        fit = {
            "unweighted": lambda plan=plan, y=log2: fit_unweighted(y, plan),
            "trended": lambda plan=plan, y=log2: fit_trended(y, plan),
            "voom": lambda plan=plan, y=reads: fit_voom(y, y.sum(axis=0) * 1.1, plan),
        }[kind]
        limma = fit()
        with monkeypatch.context() as patched:
            of_many(patched)
            ours = fit()
        for name in NUMBERS:
            np.testing.assert_allclose(ours[name], limma[name], rtol=1e-9, atol=1e-11)


def test_effects_of_many_samples_are_the_same_table(monkeypatch):
    samples = trial(dropouts=3)
    counts = np.random.default_rng(4).poisson(2 ** (noise(samples, genes=150) - 2))
    data, plans = observe(samples, np.log2(counts + 1.0), counts)
    before = fit_effects(data, plans, SETTINGS)
    of_many(monkeypatch)
    pd.testing.assert_frame_equal(fit_effects(data, plans, SETTINGS), before, rtol=1e-8)
