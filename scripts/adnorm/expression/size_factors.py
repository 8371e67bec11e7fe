"""Factors that make counts comparable between samples although a few genes take many reads.

Reads are shared: where a few genes take more of them, every other gene gets fewer per million, and
gets them back when those genes fall. All methods but the library size therefore find the scale of
the genes that stay: they assume that most genes do not change, or change up as often as down.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError, listing

AUTO = "auto"
TMM = "tmm"
PROBABILITY_SCALE = "probability_scale"
MEDIAN_OF_RATIOS = "median_of_ratios"
LIBRARY_SIZE = "library_size"

#: TMM holds up to this share of genes without a read in the emptier samples; see `is_sparse`.
HIGHEST_ZEROS = 0.10
#: The emptier samples: one in ten is emptier still, and does not decide alone.
EMPTIER = 0.90
#: TMM leaves out this share of the log ratios, and of the mean abundances, at either end.
RATIO_TRIM = 0.30
ABUNDANCE_TRIM = 0.05
#: Genes that the probability-scale factors look at; those with most reads tell most.
MOST_GENES = 5000
#: Rounds between the shares of the genes and the factors of the samples; the third changes < 1 %.
ROUNDS = 3
#: Smallest overdispersion, so that a gene with millions of reads does not speak for all.
LOWEST_DISPERSION = 0.01


def composition_factors(counts: pd.DataFrame, method: str) -> tuple[pd.Series, str]:
    """Compute what multiplies the library sizes, by the method of the configuration.

    Parameters
    ----------
    counts
        Genes × samples; the genes that passed the low-count filter, no sample empty.
    method
        ``auto`` takes TMM, and probability-scale factors where the counts are sparse
        (`is_sparse`); ``tmm``, ``median_of_ratios``, ``probability_scale``, ``library_size``.

    Returns
    -------
    factors : Series
        One factor per sample, in the order of the columns; their geometric mean is 1.
    method : str
        The method that was used, never ``auto``.

    Raises
    ------
    AdnormError
        The method is unknown, or cannot work on these counts.
    """
    methods = {
        TMM: tmm_factors,
        PROBABILITY_SCALE: probability_scale_factors,
        MEDIAN_OF_RATIOS: lambda table: _of_mean_one(size_factors(table) / table.sum()),
        LIBRARY_SIZE: lambda table: pd.Series(1.0, index=table.columns),
    }
    if method == AUTO:
        method = PROBABILITY_SCALE if is_sparse(counts) else TMM
    if method not in methods:
        allowed = ", ".join(f"'{name}'" for name in (AUTO, *methods))
        raise AdnormError(
            f"config: expression: count_normalization: is '{method}'; allowed are {allowed}"
        )
    return methods[method](counts), method


def is_sparse(counts: pd.DataFrame) -> bool:
    """Whether counts are too sparse for TMM: one sample in ten misses over 10 % of the genes.

    TMM and the median of ratios leave out a gene that has no read in one of two samples. A shallow
    sample then shows only the genes that got a read by luck, its ratios look too high, and the
    factors follow the depth: tenfold depth changes them by half a log2 unit and more.

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


def probability_scale_factors(counts: pd.DataFrame) -> pd.Series:
    """Compute factors that count zeros for what they are, for sparse counts.

    A sample's size is the one at which its genes lie as much above as below what is expected of
    them: the weighted sum of their probability-scale residuals, P(X < x) − P(X > x) of a negative
    binomial X with the mean of that size, is 0. A zero where one read was expected says little, a
    zero where fifty were says much, and neither is left out. A residual lies within ± 1, so no
    gene speaks louder than another, whatever its reads: it is a median of ratios for counts of any
    depth. On dense counts it agrees with TMM.

    Parameters
    ----------
    counts
        Genes × samples, no sample empty.

    Returns
    -------
    Series
        One factor per sample; their geometric mean is 1.

    References
    ----------
    Shepherd BE, Li C, Liu Q (2016) Probability-scale residuals for continuous, discrete, and
    censored data. Canadian Journal of Statistics 44:463.
    Anders S, Huber W (2010) Genome Biology 11:R106 (the median of ratios).
    """
    from scipy.optimize.elementwise import find_root

    table = counts.loc[sorted(counts.index), sorted(counts.columns)]
    matrix = table.to_numpy(dtype=float)
    libraries = matrix.sum(axis=0)
    richest = np.argsort(-matrix.sum(axis=1), kind="stable")[:MOST_GENES]
    matrix = matrix[np.sort(richest)]
    matrix = matrix[matrix.any(axis=1)]
    logs = np.log(libraries)
    for _ in range(ROUNDS):
        sizes = np.exp(logs)
        shares = matrix.sum(axis=1) / sizes.sum()
        dispersion = _common_dispersion(matrix, shares[:, None] * sizes)
        samples = np.arange(len(logs))

        def balance(log_size, sample, shares=shares, dispersion=dispersion):
            sample = np.asarray(sample, dtype=int)
            means = shares[:, None] * np.exp(log_size)
            residuals = _probability_scale(matrix[:, sample], means, dispersion)
            # The information of a gene on the log scale: none where no read is expected.
            weights = 1 / np.sqrt(dispersion + 1 / means)
            return (weights * residuals).sum(axis=0)

        # All residuals are near +1 for a size far too small and near -1 for one far too large.
        found = find_root(
            balance, (logs - 12, logs + 12), args=(samples,), tolerances={"xatol": 1e-7, "xrtol": 0}
        )
        logs = np.where(found.success, found.x, logs)
    factors = pd.Series(np.exp(logs) / libraries, index=table.columns)
    return _of_mean_one(factors).reindex(counts.columns)


def _common_dispersion(matrix: np.ndarray, means: np.ndarray) -> float:
    """Median over genes of the overdispersion beyond Poisson, by moments."""
    excess = ((matrix - means) ** 2 - means).sum(axis=1)
    return max(float(np.median(excess / (means**2).sum(axis=1))), LOWEST_DISPERSION)


def _probability_scale(reads: np.ndarray, means: np.ndarray, dispersion: float) -> np.ndarray:
    """P(X < x) − P(X > x) of negative binomials, same shape as `reads`."""
    from scipy.special import betainc

    size = 1 / dispersion
    means = np.broadcast_to(means, reads.shape)
    # P(X = 0); most of a sparse table needs nothing else.
    residuals = (1 + dispersion * means) ** -size - 1
    some = reads > 0
    x, success = reads[some], size / (size + means[some])
    residuals[some] = betainc(size, x, success) + betainc(size, x + 1, success) - 1
    return residuals


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
            "Exclude such samples, or set `expression: count_normalization: auto`, which counts "
            "zeros too"
        )
