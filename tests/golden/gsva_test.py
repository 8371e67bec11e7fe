"""GSVA against R GSVA, Gaussian kernel, maximal difference (gsva.R).

Tolerance: 1e-9 absolute (scores lie between −1 and 1). Where the kernel leaves ties between genes
the two break them differently.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from adnorm.scores import single_sample
from adnorm.scores.single_sample import enrichment_scores
from adnorm.study.gene_sets import read_gene_sets

HERE = Path(__file__).parent


@pytest.mark.parametrize("most_work", [single_sample.MOST_WORK, 0], ids=["gseapy", "large"])
def test_gsva_agrees_with_r_gsva(most_work, monkeypatch):
    monkeypatch.setattr(single_sample, "MOST_WORK", most_work)
    expression = pd.read_csv(HERE / "gsva_expression.tsv", sep="\t", index_col="gene")
    golden = pd.read_csv(HERE / "gsva_scores.tsv", sep="\t", index_col="set")
    sets = read_gene_sets([HERE / "gsva_sets.gmt"])
    members = {name: [gene.symbol for gene in s.genes] for name, s in sets.items()}

    scores = enrichment_scores("gsva", expression.T.to_numpy(), list(expression.index), members)

    assert golden.shape == (8, 12)
    assert list(scores.columns) == list(golden.index)
    np.testing.assert_allclose(scores.T.to_numpy(), golden.to_numpy(), rtol=0, atol=1e-9)
