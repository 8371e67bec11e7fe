"""Normalization factors against R: edgeR's TMM and DESeq2's median of ratios (tmm.R, tmm_sparse.R).

Tolerance: 1e-10 relative, both are closed formulas.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from adnorm.expression.library_sizes import is_sparse, normalize, size_factors, tmm_factors
from adnorm.study.config import ExpressionSettings

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def counts():
    return pd.read_csv(HERE / "tmm_counts.tsv", sep="\t", index_col="gene")


@pytest.fixture(scope="module")
def golden():
    return pd.read_csv(HERE / "tmm_factors.tsv", sep="\t", index_col="sample")


def test_tmm_factors_agree_with_edger(counts, golden):
    pd.testing.assert_series_equal(
        tmm_factors(counts), golden["tmm"], rtol=1e-10, check_names=False
    )


def test_size_factors_agree_with_deseq2(counts, golden):
    pd.testing.assert_series_equal(
        size_factors(counts), golden["size_factor"], rtol=1e-10, check_names=False
    )


@pytest.mark.parametrize("kind", ["some", "most"])
@pytest.mark.parametrize("seed", [None, 0, 1, 2])
def test_tmm_factors_agree_with_edger_on_sparse_counts_in_any_order(kind, seed):
    counts = pd.read_csv(HERE / "tmm_sparse_counts.tsv", sep="\t", index_col="gene")
    golden = pd.read_csv(HERE / "tmm_sparse_factors.tsv", sep="\t", index_col="sample")
    counts = counts[[name for name in counts if name.startswith(kind)]]
    # The upper quartile of one sample, or of most, is 0; that decides the reference sample.
    upper = golden.loc[counts.columns, "upper_quartile"]
    assert upper.min() == 0 and (upper.median() < 1.5) == (kind == "most")
    assert is_sparse(counts)
    if seed is not None:
        counts = counts.sample(frac=1, axis=1, random_state=seed).sample(frac=1, random_state=seed)
    found = tmm_factors(counts)
    assert found.index.equals(counts.columns)
    np.testing.assert_allclose(found, golden["tmm"].reindex(counts.columns), rtol=1e-12)


def settings(method):
    return ExpressionSettings(minimum_count=1, minimum_samples=1, count_normalization=method)


SHEET = pd.DataFrame({"state": ["lesional"] * 8, "arm": "untreated", "week": 0.0})


def test_tmm_divides_by_the_effective_library_size(counts, golden):
    found = normalize(counts, SHEET, "counts", "rna-seq", settings("tmm")).log2
    effective = golden["library_size"] * golden["tmm"]
    expected = np.log2(counts.loc[found.index] / effective * 1e6 + 1)
    pd.testing.assert_frame_equal(found, expected, rtol=1e-9)


def test_median_of_ratios_keeps_the_overall_library_size(counts, golden):
    found = normalize(counts, SHEET, "counts", "rna-seq", settings("median_of_ratios")).log2
    scaled = counts.loc[found.index] / golden["size_factor"]
    unlogged = np.exp2(found) - 1
    ratio = (unlogged / scaled).stack().loc[lambda r: np.isfinite(r)]
    assert ratio.max() / ratio.min() == pytest.approx(1, rel=1e-8)
    implied = counts.loc[found.index].iloc[0] / unlogged.iloc[0] * 1e6
    assert np.exp(np.log(implied).mean()) == pytest.approx(
        np.exp(np.log(golden["library_size"]).mean()), rel=1e-8
    )
