"""Batches in a paired design against R limma 3.54.1 (batches.R wrote the values), with dropouts.

As a covariate to 1e-10: R and numpy differ in the order of floating-point sums only. As a random
block the consensus correlation is found by iteration, here to 1e-5.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from adnorm.effects.design import plan_fits
from adnorm.effects.fit import batch_correlation, fit_unweighted, fit_weighted, moderate
from adnorm.study.batches import batch_shares
from adnorm.study.comparisons import average_rows, combine_biopsies, derive_design
from adnorm.study.vocabulary import BatchRule

HERE = Path(__file__).parent
CONTRASTS = ["lesional-nonlesional@0", "change:drug@4", "residual:drug@4", "change:drug-placebo@4"]


def read(name):
    return pd.read_csv(HERE / name, sep="\t")


@pytest.fixture(scope="module")
def trial():
    samples = read("limma_samples.tsv").merge(read("batches_samples.tsv"), on="sample")
    samples = samples.assign(treatment=samples["arm"], dose_mg=np.nan)
    expression = read("limma_expression.tsv").set_index("gene")
    shift = np.sin(np.outer(np.arange(1, len(expression) + 1), samples["batch"]))
    combined, codes = combine_biopsies(samples)
    y = average_rows((expression[samples["sample"]] + shift).to_numpy().T, codes).T
    supported = derive_design(samples, "placebo", 3).supported

    def planned(rule):
        plans, refused = plan_fits(combined, supported, batch_shares(samples, codes), rule)
        assert not refused and len(plans) == 1
        return plans[0], y[:, plans[0].model.rows]

    return expression.index, planned


def agree(genes, plan, ours, rule, rtol):
    golden = read("batches_effects.tsv")
    golden = golden[golden["rule"] == rule]
    for contrast in CONTRASTS:
        theirs = golden[golden["contrast"] == contrast].set_index("gene").loc[genes]
        j = [c.name for c in plan.comparisons].index(contrast)
        for column in ("log2_fold_change", "standard_error", "t"):
            np.testing.assert_allclose(ours[column][:, j], theirs[column], rtol=rtol, atol=rtol)
        np.testing.assert_allclose(ours["p_value"][:, j], theirs["p_value"], rtol=10 * rtol)


def test_batch_as_a_covariate_equals_limma(trial):
    genes, planned = trial
    plan, y = planned(BatchRule.COVARIATE)
    agree(genes, plan, moderate(fit_unweighted(y, plan), False), "covariate", 1e-10)
    # At equal weights the weighted fit is the same one.
    weighted = fit_weighted(y, np.ones(y.shape), plan.model, plan.group_weights)
    agree(genes, plan, moderate(weighted, False), "covariate", 1e-10)


def test_batch_as_a_random_block_equals_limma(trial):
    genes, planned = trial
    plan, y = planned(BatchRule.BLOCK)
    golden = read("batches_effects.tsv")
    consensus = golden.loc[golden["rule"] == "block", "correlation"].iloc[0]
    assert 0.1 < consensus < 0.9
    assert batch_correlation(y, plan.model) == pytest.approx(consensus, abs=1e-5)
    ones = np.ones(y.shape)
    exact = fit_weighted(y, ones, plan.model, plan.group_weights, consensus)
    agree(genes, plan, moderate(exact, False), "block", 1e-9)
    agree(genes, plan, moderate(fit_unweighted(y, plan), False), "block", 1e-3)


def test_leaving_a_known_batch_out_gives_other_values(trial):
    genes, planned = trial
    plan, y = planned(BatchRule.IGNORE)
    golden = read("batches_effects.tsv")
    theirs = golden[(golden["rule"] == "covariate") & (golden["contrast"] == "change:drug@4")]
    j = [c.name for c in plan.comparisons].index("change:drug@4")
    ours = moderate(fit_unweighted(y, plan), False)["log2_fold_change"][:, j]
    assert np.abs(ours - theirs["log2_fold_change"].to_numpy()).max() > 0.1
