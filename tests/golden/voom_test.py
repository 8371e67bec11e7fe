"""Counts against R limma 3.54.1: voom, then a refit with each contrast as a coefficient (voom.R).

Tolerances: voom's weights 1e-7 (lowess of statsmodels against R's), effects 1e-8. R's voom of that
version has a fixed span of 0.5; newer limma, and this package, choose it by the number of genes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pylimma
import pytest

from adnorm.effects.design import plan_fits
from adnorm.effects.fit import fit_voom, moderate
from adnorm.study.comparisons import combine_biopsies, derive_design, sum_rows

HERE = Path(__file__).parent
CONTRASTS = ["lesional-nonlesional@0", "change:drug@4", "residual:drug@4", "change:drug-placebo@4"]


@pytest.fixture(scope="module")
def trial():
    samples = pd.read_csv(HERE / "limma_samples.tsv", sep="\t").assign(
        treatment=lambda s: s["arm"], dose_mg=np.nan
    )
    table = pd.read_csv(HERE / "voom_counts.tsv", sep="\t", index_col="gene")
    combined, codes = combine_biopsies(samples)
    counts = sum_rows(table[samples["sample"]].to_numpy(dtype=float).T, codes).T
    (plan,), _ = plan_fits(combined, derive_design(samples, "placebo", 3).supported)
    # The golden weights have their columns in the order of the sheet, ours in that of `combined`.
    names = np.empty(len(combined), dtype=object)
    names[codes] = samples["sample"].to_numpy()
    return table, counts[:, plan.model.rows], plan, names[plan.model.rows]


def test_weights_equal_limma(trial):
    table, counts, plan, names = trial
    used = [name for name in table.columns if name in set(names)]
    golden = pd.read_csv(HERE / "voom_weights.tsv", sep="\t", index_col="gene")
    golden.columns = used
    voomed = pylimma.voom(
        counts, plan.model.design, lib_size=counts.sum(axis=0), span=0.5, adaptive_span=False
    )
    np.testing.assert_allclose(voomed["weights"][:25], golden[list(names)], rtol=1e-7)


@pytest.mark.parametrize("contrast", CONTRASTS)
def test_effects_equal_a_refit_of_every_contrast(trial, contrast):
    table, counts, plan, _ = trial
    golden = pd.read_csv(HERE / "voom_effects.tsv", sep="\t")
    golden = golden[golden["contrast"] == contrast].set_index("gene").loc[table.index]
    fit = fit_voom(counts, counts.sum(axis=0), plan, span=0.5)
    np.testing.assert_allclose(fit["sigma"], golden["sigma"], rtol=1e-8)
    ours = moderate(fit, False)
    j = [c.name for c in plan.comparisons].index(contrast)
    for column in ("log2_fold_change", "standard_error", "t"):
        np.testing.assert_allclose(ours[column][:, j], golden[column], rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(ours["p_value"][:, j], golden["p_value"], rtol=1e-7)


def test_contrasts_fit_would_only_be_approximate(trial):
    """The reason for solving the weighted model ourselves: limma's shortcut differs visibly."""
    _, counts, plan, _ = trial
    voomed = pylimma.voom(
        counts, plan.model.design, lib_size=counts.sum(axis=0), span=0.5, adaptive_span=False
    )
    shortcut = pylimma.contrasts_fit(
        pylimma.lm_fit(voomed["E"], plan.model.design, weights=voomed["weights"]),
        plan.design_weights,
    )
    exact = fit_voom(counts, counts.sum(axis=0), plan, span=0.5)
    np.testing.assert_allclose(shortcut["coefficients"], exact["coefficients"], atol=1e-9)
    error = np.abs(shortcut["stdev_unscaled"] / exact["stdev_unscaled"] - 1)
    assert 1e-3 < error.max() < 0.5
