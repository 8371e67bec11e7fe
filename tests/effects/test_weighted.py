"""Weights for each gene and sample: against statsmodels, limma and itself in chunks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from adnorm.effects.fit import fit_unweighted
from adnorm.effects.weighted import fit_weighted
from builders.paired_trials import noise, observe, trial


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
    monkeypatch.setattr("adnorm.effects.weighted.WORKING_SET", 300)
    parts = fit_weighted(y, weights, plan.model, plan.group_weights)
    for name, values in whole.items():
        np.testing.assert_allclose(parts[name], values, rtol=1e-12, atol=1e-14)
