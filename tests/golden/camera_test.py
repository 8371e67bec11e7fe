"""The competitive test against R limma 3.54.1 (limma.R wrote the values); tolerance 1e-8."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from adnorm.effects.design import plan_fits
from adnorm.effects.enrichment import competitive, variation_of
from adnorm.study.comparisons import average_rows, combine_biopsies, derive_design

HERE = Path(__file__).parent


@pytest.mark.parametrize("position", range(4))
def test_camera_equals_limma(position):
    samples = pd.read_csv(HERE / "limma_samples.tsv", sep="\t").assign(
        treatment=lambda s: s["arm"], dose_mg=np.nan
    )
    expression = pd.read_csv(HERE / "limma_expression.tsv", sep="\t", index_col="gene")
    golden = pd.read_csv(HERE / "camera.tsv", sep="\t")
    contrast = golden["contrast"].unique()[position]
    golden = golden[golden["contrast"] == contrast].set_index("set").sort_index()
    combined, codes = combine_biopsies(samples)
    y = average_rows(expression[samples["sample"]].to_numpy().T, codes).T
    (plan,), _ = plan_fits(combined, derive_design(samples, "placebo", 3).supported)
    genes = expression.index.to_numpy(dtype=str)
    tested = {
        (name, "all"): tuple(genes[row["first"] - 1 : row["last"]])
        for name, row in golden.iterrows()
    }
    j = [c.name for c in plan.comparisons].index(contrast)
    values = y[:, plan.model.rows]
    variation = variation_of(values.__getitem__, genes, plan, tested)
    estimated = competitive(variation, j, None)
    assert list(estimated["camera_direction"]) == list(golden["direction"])
    np.testing.assert_allclose(estimated["camera_p_value"], golden["p_value"], rtol=1e-8)
    np.testing.assert_allclose(
        estimated["inter_gene_correlation"], golden["correlation"], rtol=1e-8, atol=1e-12
    )
    fixed = competitive(variation, j, 0.01)
    np.testing.assert_allclose(fixed["camera_p_value"], golden["fixed_p_value"], rtol=1e-8)
