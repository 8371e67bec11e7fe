"""Factors that make counts comparable between samples although a few genes take many reads.

Reads are shared: where a few genes take more of them, every other gene gets fewer per million, and
gets them back when those genes fall. All methods but the library size therefore find the scale of
the genes that stay: they assume that most genes do not change, or change up as often as down.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError, listing

TMM = "tmm"
MEDIAN_OF_RATIOS = "median_of_ratios"
LIBRARY_SIZE = "library_size"

#: TMM holds up to this share of genes without a read in the emptier samples; see `is_sparse`.
HIGHEST_ZEROS = 0.10
#: The emptier samples: one in ten is emptier still, and does not decide alone.
EMPTIER = 0.90
#: TMM leaves out this share of the log ratios, and of the mean abundances, at either end.
RATIO_TRIM = 0.30
ABUNDANCE_TRIM = 0.05


def composition_factors(counts: pd.DataFrame, method: str) -> pd.Series:
    """Compute what multiplies the library sizes, by the method of the configuration.

    Parameters
    ----------
    counts
        Genes × samples; the genes that passed the low-count filter, no sample empty.
    method
        ``tmm``, ``median_of_ratios`` or ``library_size``.

    Returns
    -------
    Series
        One factor per sample, in the order of the columns; their geometric mean is 1.

    Raises
    ------
    AdnormError
        The method is unknown, or cannot work on these counts.
    """
    methods = {
        TMM: tmm_factors,
        MEDIAN_OF_RATIOS: lambda table: _of_mean_one(size_factors(table) / table.sum()),
        LIBRARY_SIZE: lambda table: pd.Series(1.0, index=table.columns),
    }
    if method not in methods:
        raise AdnormError(
            f"config: expression: count_normalization: is '{method}'; allowed are "
            f"{listing(methods)}"
        )
    return methods[method](counts)


def is_sparse(counts: pd.DataFrame) -> bool:
    """Whether one sample in ten misses over 10 % of the genes, so that no factor is sharp.

    TMM and the median of ratios leave out a gene that has no read in one of two samples. A shallow
    sample then shows only the genes that got a read by luck, its ratios look too high, and the
    factors follow the depth, the more so the sparser the counts (`benchmarks/calibration.md`).

    Parameters
    ----------
    counts
        Genes × samples, after the low-count filter.
    """
    zeros = (counts.to_numpy() == 0).mean(axis=0)
    return bool(np.quantile(zeros, EMPTIER) > HIGHEST_ZEROS)


def tmm_factors(counts: pd.DataFrame) -> pd.Series:
    """Compute TMM factors as edgeR's calcNormFactors, on dense and on sparse counts.

    The reference sample is the one whose upper quartile is nearest to the mean of all; where most
    upper quartiles are 0 it is the one with the largest sum of square roots, as in edgeR. Samples
    are taken in the order of their names, so that their order in the table decides nothing.

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
        A sample shares no gene with the reference sample.

    References
    ----------
    Robinson MD, Oshlack A (2010) A scaling normalization method for differential expression
    analysis of RNA-seq data. Genome Biology 11:R25.
    """
    table = counts[sorted(counts.columns)]
    matrix = table.to_numpy(dtype=float)
    matrix = matrix[matrix.any(axis=1)]
    libraries = matrix.sum(axis=0)
    upper = np.quantile(matrix, 0.75, axis=0) / libraries
    if np.median(upper) < 1e-20:
        reference = int(np.argmax(np.sqrt(matrix).sum(axis=0)))
    else:
        reference = int(np.argmin(np.abs(upper - upper.mean())))
    shares = matrix / libraries
    log2_factors = [
        _trimmed_mean_ratio(matrix[:, i], shares[:, i], matrix[:, reference], shares[:, reference])
        for i in range(matrix.shape[1])
    ]
    factors = pd.Series(np.exp2(log2_factors), index=table.columns)
    _check_factors(factors, TMM)
    return _of_mean_one(factors).reindex(counts.columns)


def _trimmed_mean_ratio(
    reads: np.ndarray, share: np.ndarray, reference_reads: np.ndarray, reference_share: np.ndarray
) -> float:
    """Weighted mean of the log2 ratios to the reference that are neither extreme nor abundant."""
    from scipy.stats import rankdata

    both = (reads > 0) & (reference_reads > 0)
    if not both.any():
        return np.nan
    reads, share = reads[both], share[both]
    reference_reads, reference_share = reference_reads[both], reference_share[both]
    ratio = np.log2(share / reference_share)
    if np.abs(ratio).max() < 1e-6:
        return 0.0
    # The delta method's variance of a log ratio of two binomial shares.
    variance = (1 - share) / reads + (1 - reference_share) / reference_reads
    abundance = (np.log2(share) + np.log2(reference_share)) / 2
    kept = np.ones(len(ratio), dtype=bool)
    for values, trim in ((ratio, RATIO_TRIM), (abundance, ABUNDANCE_TRIM)):
        lowest = np.floor(len(values) * trim) + 1
        ranks = rankdata(values)
        kept &= (ranks >= lowest) & (ranks <= len(values) + 1 - lowest)
    if not kept.any():
        return 0.0
    return float(np.sum(ratio[kept] / variance[kept]) / np.sum(1 / variance[kept]))


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
        _check_factors(pd.Series(np.nan, index=counts.columns), MEDIAN_OF_RATIOS)
    _, factors = deseq2_norm(everywhere.T.to_numpy(dtype=float))
    factors = pd.Series(np.asarray(factors, dtype=float), index=counts.columns)
    _check_factors(factors, MEDIAN_OF_RATIOS)
    return factors


def _of_mean_one(factors: pd.Series) -> pd.Series:
    return factors / np.exp(np.log(factors).mean())


def _check_factors(factors: pd.Series, method: str) -> None:
    wrong = factors.index[~(np.isfinite(factors) & (factors > 0))]
    if len(wrong):
        raise AdnormError(
            f"count_normalization: {method} cannot be computed for {len(wrong)} samples "
            f"({listing(sorted(wrong), 6)}): too few genes have reads in them and in the others. "
            "Exclude such samples, or set `expression: count_normalization: library_size`"
        )
