"""Paired effects against R limma 3.54.1 (limma.R wrote the values), with dropouts.

Tolerance 1e-10: R and numpy differ in the order of floating-point sums only.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from adnorm.effects.design import plan_fits
from adnorm.effects.fit import fit_unweighted, moderate
from adnorm.study.comparisons import average_rows, combine_biopsies, derive_design

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def fitted():
    samples = pd.read_csv(HERE / "limma_samples.tsv", sep="\t").assign(
        treatment=lambda s: s["arm"], dose_mg=np.nan
    )
    expression = pd.read_csv(HERE / "limma_expression.tsv", sep="\t", index_col="gene")
    combined, codes = combine_biopsies(samples)
    y = average_rows(expression[samples["sample"]].to_numpy().T, codes).T
    plans, refused = plan_fits(combined, derive_design(samples, "placebo", 3).supported)
    assert not refused and len(plans) == 1
    plan = plans[0]
    return expression.index, plan, moderate(fit_unweighted(y[:, plan.model.rows], plan), False)


@pytest.mark.parametrize(
    "contrast",
    ["lesional-nonlesional@0", "change:drug@4", "residual:drug@4", "change:drug-placebo@4"],
)
def test_effects_equal_limma(fitted, contrast):
    genes, plan, ours = fitted
    golden = pd.read_csv(HERE / "limma_effects.tsv", sep="\t")
    golden = golden[golden["contrast"] == contrast].set_index("gene").loc[genes]
    j = [c.name for c in plan.comparisons].index(contrast)
    for column in ("log2_fold_change", "standard_error", "t"):
        np.testing.assert_allclose(ours[column][:, j], golden[column], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(ours["p_value"][:, j], golden["p_value"], rtol=1e-9)
