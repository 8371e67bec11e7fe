"""Factors that make counts comparable between samples: TMM and median of ratios."""

from __future__ import annotations

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError, listing


def tmm_factors(counts: pd.DataFrame) -> pd.Series:
    """Compute TMM normalization factors (rnanorm), as edgeR's calcNormFactors.

    Parameters
    ----------
    counts
        Genes × samples.

    Returns
    -------
    Series
        One factor per sample; their geometric mean is 1.

    Raises
    ------
    AdnormError
        Samples share too few genes with the reference sample.

    References
    ----------
    Robinson MD, Oshlack A (2010) A scaling normalization method for differential expression
    analysis of RNA-seq data. Genome Biology 11:R25.
    """
    from rnanorm import TMM

    matrix = counts.T.to_numpy(dtype=float)
    with np.errstate(all="ignore"):
        factors = pd.Series(TMM().fit(matrix).get_norm_factors(matrix), index=counts.columns)
    _check_factors(factors, "tmm")
    return factors


def size_factors(counts: pd.DataFrame) -> pd.Series:
    """Compute median-of-ratios size factors (pydeseq2), as DESeq2's estimateSizeFactors.

    Parameters
    ----------
    counts
        Genes × samples.

    Returns
    -------
    Series
        One factor per sample.

    Raises
    ------
    AdnormError
        No gene has reads in all samples.

    References
    ----------
    Anders S, Huber W (2010) Differential expression analysis for sequence count data. Genome
    Biology 11:R106.
    """
    from pydeseq2.preprocessing import deseq2_norm

    everywhere = counts.loc[(counts > 0).all(axis=1)]
    if everywhere.empty:
        _check_factors(pd.Series(np.nan, index=counts.columns), "median_of_ratios")
    _, factors = deseq2_norm(everywhere.T.to_numpy(dtype=float))
    factors = pd.Series(np.asarray(factors, dtype=float), index=counts.columns)
    _check_factors(factors, "median_of_ratios")
    return factors


def _check_factors(factors: pd.Series, method: str) -> None:
    wrong = factors.index[~(np.isfinite(factors) & (factors > 0))]
    if len(wrong):
        raise AdnormError(
            f"count_normalization: {method} cannot be computed for {len(wrong)} samples "
            f"({listing(sorted(wrong), 6)}): too few genes have reads in them and in the others. "
            "Exclude such samples, or set `expression: count_normalization: library_size`"
        )
