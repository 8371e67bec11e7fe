"""From counts, linear or log2 values to log2 expression that can be compared between samples.

Reads are shared: where a few genes take more of them, every other gene gets fewer per million, and
gets them back when those genes fall. All methods but the library size alone therefore find the
scale of the genes that stay: they assume that most genes do not change, or change up as often as
down.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError, listing
from adnorm.study.config import ExpressionSettings
from adnorm.study.vocabulary import Assay, Scale, State

#: Reads per sample after scaling (counts per million).
MILLION = 1e6
#: The methods that make counts comparable, by their name in the configuration, in words.
TMM, MEDIAN_OF_RATIOS, LIBRARY_SIZE = "tmm", "median_of_ratios", "library_size"
METHOD_WORDS = {
    TMM: "TMM",
    MEDIAN_OF_RATIOS: "median of ratios",
    LIBRARY_SIZE: "library size alone",
}
#: Fewest and most samples that the rule "size of the smallest group" may ask for.
FEWEST_SAMPLES = 3
MOST_SAMPLES = 10
#: Patients and log2 units from which a shift of the typical gene is told; see `typical_shift`.
FEWEST_PAIRS = 3
LARGEST_SHIFT = 0.1
#: TMM holds up to this share of genes without a read in the emptier samples; see `is_sparse`.
HIGHEST_ZEROS = 0.10
#: The emptier samples: one in ten is emptier still, and does not decide alone.
EMPTIER = 0.90
#: TMM leaves out this share of the log ratios, and of the mean abundances, at either end.
RATIO_TRIM = 0.30
ABUNDANCE_TRIM = 0.05


@dataclass(frozen=True)
class Log2Expression:
    """Log2 expression and how it was made."""

    #: Genes × samples, float.
    log2: pd.DataFrame
    #: The counts of the same genes, or ``None`` when the scale is not counts.
    counts: pd.DataFrame | None
    #: Symbols that the low-count or low-expression filter removed, sorted.
    undetected: list[str]
    #: What was done, in words.
    method: str
    #: Why the values must be read with care; usually empty.
    caution: str = ""


def normalize(
    values: pd.DataFrame,
    samples: pd.DataFrame,
    scale: str,
    assay: str,
    settings: ExpressionSettings,
) -> Log2Expression:
    """Filter and normalize one cohort.

    Counts: low-count filter, composition factors (`composition_factors`), then log2(counts per
    million + 1) with scanpy, per million of the library size times the factor. Linear values: TPM
    and FPKM pass a low-expression filter, of array intensities the genes that are 0 in all samples
    count as undetected; then log2(x + 1). Log2 values stay. Arrays may be quantile normalized; that
    is done on their probes, before these become genes (`normalize_probes`).

    Parameters
    ----------
    values
        Genes × samples on the declared scale.
    samples
        Canonical sample sheet, in the order of the columns of `values`.
    scale
        counts, log2 or linear.
    assay
        microarray or rna-seq.
    settings
        The ``expression`` section of the configuration.
    """
    if scale == Scale.COUNTS:
        return _from_counts(values, samples, settings)
    quantile = "quantile normalization of probes, " if wants_quantile(assay, settings) else ""
    if scale == Scale.LINEAR:
        found = _from_linear(values, samples, assay, settings, quantile)
    else:
        found = Log2Expression(values.astype(float), None, [], quantile + "log2 as published")
    return _with_composition(found, samples) if assay == Assay.RNA_SEQ else found


def _with_composition(found: Log2Expression, samples: pd.DataFrame) -> Log2Expression:
    """Add a caution if values that others normalized look as if a few genes took the reads."""
    shift = typical_shift(found.log2, samples)
    if shift is None:
        return found
    way = "lower" if shift[0] < 0 else "higher"
    caution = (
        f"The typical gene is {abs(shift[0]):.2f} log2 {way} in lesional than in nonlesional skin "
        f"({shift[1]} patients), as library-size normalization leaves it where a few genes take "
        "the reads: every set seems to change with the disease and to come back with a drug by "
        "as much. If the counts of this cohort exist, use them (`scale: counts`)."
    )
    return replace(found, caution=caution)


def typical_shift(log2: pd.DataFrame, samples: pd.DataFrame) -> tuple[float, int] | None:
    """Measure how far the typical gene differs between lesional and nonlesional skin of a patient.

    It should be near 0: values that others normalized for library size alone show it where a few
    genes take the reads of lesional skin, and their counts are not there to mend it. It is the mean
    over patients of the median over the upper half of the genes, lesional − nonlesional at
    baseline, given with the number of patients; ``None`` when it is within 0.1 log2 or 3 standard
    errors, or of fewer than 3 patients.
    """
    upper = log2[log2.mean(axis=1) >= log2.mean(axis=1).median()]
    sheet = samples[samples["week"] == 0].set_index("sample")
    means = {}
    for state in (State.LESIONAL, State.NONLESIONAL):
        of_state = sheet.index[sheet["state"] == state]
        patients = sheet.loc[of_state, "patient"].to_numpy()
        means[state] = upper[of_state].T.groupby(patients).mean()
    pairs = means[State.LESIONAL].index.intersection(means[State.NONLESIONAL].index)
    if len(pairs) < FEWEST_PAIRS:
        return None
    shifts = (means[State.LESIONAL].loc[pairs] - means[State.NONLESIONAL].loc[pairs]).median(axis=1)
    mean, error = float(shifts.mean()), float(shifts.std()) / np.sqrt(len(pairs))
    small = abs(mean) < LARGEST_SHIFT or abs(mean) < 3 * error
    return None if small else (mean, len(pairs))


def _from_linear(
    values: pd.DataFrame,
    samples: pd.DataFrame,
    assay: str,
    settings: ExpressionSettings,
    before: str,
) -> Log2Expression:
    detected = (values > 0).any(axis=1).to_numpy()
    method = before + "log2(x + 1) of linear values"
    if assay == Assay.RNA_SEQ:
        minimum_samples = samples_required(samples, settings.minimum_samples)
        minimum_value = settings.minimum_value
        detected &= low_count_filter(values, minimum_value, minimum_samples)
        method = (
            f"genes with at least {minimum_value:g} in at least {minimum_samples} samples; {method}"
        )
        if not detected.any():
            raise AdnormError(
                f"no gene has a value of {minimum_value:g} in {minimum_samples} samples (the "
                f"highest value is {values.to_numpy().max():g}); lower `expression: "
                "minimum_value:` or `minimum_samples:` in the configuration"
            )
    log2 = (values.loc[detected].astype(float) + 1.0).transform(np.log2)
    return Log2Expression(log2, None, sorted(values.index[~detected]), method)


def _from_counts(
    values: pd.DataFrame, samples: pd.DataFrame, settings: ExpressionSettings
) -> Log2Expression:
    minimum_samples = samples_required(samples, settings.minimum_samples)
    minimum_count = settings.minimum_count
    kept = low_count_filter(values, minimum_count, minimum_samples)
    if not kept.any():
        raise AdnormError(
            f"no gene has {minimum_count} reads in {minimum_samples} samples (the deepest of "
            f"{values.shape[1]} samples has {values.sum().max():g} reads); lower "
            "`expression: minimum_count:` or `minimum_samples:` in the configuration"
        )
    counts = values.loc[kept]
    empty = counts.columns[counts.sum() == 0]
    if len(empty):
        raise AdnormError(
            f"{len(empty)} samples have no reads in the genes that pass the low-count filter: "
            f"{listing(sorted(empty), 6)}. Leave them out: `exclude:` in the cohort file, or "
            "`expression: exclude_small_libraries:` in the configuration"
        )
    method = settings.count_normalization
    factors = composition_factors(counts, method)
    words = METHOD_WORDS[method]
    if method != LIBRARY_SIZE:
        words += f" (factors {factors.min():.2f} to {factors.max():.2f})"
    caution = ""
    if is_sparse(counts):
        caution = (
            f"The counts are sparse (in one sample of ten more than {100 * HIGHEST_ZEROS:g} % of "
            "the genes that pass the low-count filter have no read): no size factor is sharp "
            "there, and the logarithm of few reads follows the depth of a sample; compare groups "
            "of unequal depth with care."
        )
    note = (
        f"genes with at least {minimum_count} reads in at least {minimum_samples} samples; "
        f"{words}, log2(counts per million + 1)"
    )
    log2 = _log2_per_million(counts, factors)
    undetected = sorted(values.index[~kept])
    return Log2Expression(log2, counts.astype(np.int32), undetected, note, caution)


def samples_required(samples: pd.DataFrame, minimum_samples: int | None) -> int:
    """Choose in how many samples a gene must be seen.

    Without a number in the configuration: the size of the smallest group of state, arm and visit,
    so that a gene that only one group expresses stays; at least 3, so that one odd sample is not
    enough, and at most 10. The cap keeps sparse assays whole: tape strips have groups of sixty
    samples of which a third carry most reads, and ten samples are enough to estimate a gene (edgeR
    relaxes its own rule beyond ten samples, too).

    References
    ----------
    Chen Y, Lun ATL, Smyth GK (2016) From reads to genes to pathways. F1000Research 5:1438.
    """
    if minimum_samples is not None:
        return int(minimum_samples)
    smallest = int(samples.groupby(["state", "arm", "week"], observed=True).size().min())
    return min(max(smallest, FEWEST_SAMPLES), MOST_SAMPLES, len(samples))


def low_count_filter(values: pd.DataFrame, minimum: float, minimum_samples: int) -> np.ndarray:
    """Find the genes with at least `minimum` (reads, TPM) in at least `minimum_samples` samples."""
    return (values.to_numpy() >= minimum).sum(axis=1) >= minimum_samples


def _log2_per_million(counts: pd.DataFrame, factors: pd.Series) -> pd.DataFrame:
    """Log2(counts per million of the effective library + 1), scaled and logged by scanpy."""
    import anndata
    import scanpy as sc

    data = anndata.AnnData(counts.T.astype(float))
    sc.pp.normalize_total(data, target_sum=MILLION)
    data.X /= factors.to_numpy()[:, None]
    sc.pp.log1p(data, base=2)
    return pd.DataFrame(data.X.T, index=counts.index, columns=counts.columns)


def wants_quantile(assay: str, settings: ExpressionSettings) -> bool:
    """Whether the configuration asks to quantile normalize a cohort of this assay."""
    return assay == Assay.MICROARRAY and settings.array_normalization == "quantile"


def normalize_probes(
    values: pd.DataFrame, assay: str, settings: ExpressionSettings
) -> pd.DataFrame:
    """Quantile normalize probes before they become genes, if the configuration asks for it.

    The distribution that arrays share is that of all their probes; which probe then stands for a
    gene depends on it.
    """
    return quantile_normalize(values) if wants_quantile(assay, settings) else values


def quantile_normalize(values: pd.DataFrame) -> pd.DataFrame:
    """Give all samples the same distribution (pylimma; ties as in limma's normalizeQuantiles).

    References
    ----------
    Bolstad BM et al. (2003) A comparison of normalization methods for high density oligonucleotide
    array data based on variance and bias. Bioinformatics 19:185.
    """
    from pylimma import normalize_quantiles

    matrix = values.to_numpy(dtype=float, copy=True)
    # A sample without values has no distribution; the next step names it.
    usable = (~np.isnan(matrix)).sum(axis=0) > 1
    if usable.any():
        matrix[:, usable] = normalize_quantiles(matrix[:, usable])
    return pd.DataFrame(matrix, index=values.index, columns=values.columns)


def composition_factors(counts: pd.DataFrame, method: str) -> pd.Series:
    """Compute what multiplies the library sizes, by the method of the configuration.

    Counts are of genes that passed the low-count filter; the geometric mean of the factors is 1.
    """
    if method == TMM:
        return tmm_factors(counts)
    if method == MEDIAN_OF_RATIOS:
        return _of_mean_one(size_factors(counts) / counts.sum())
    return pd.Series(1.0, index=counts.columns)


def is_sparse(counts: pd.DataFrame) -> bool:
    """Whether one sample in ten misses over 10 % of the genes, so that no factor is sharp.

    TMM and the median of ratios leave out a gene that has no read in one of two samples. A shallow
    sample then shows only the genes that got a read by luck, its ratios look too high, and the
    factors follow the depth, the more so the sparser the counts (`benchmarks/calibration.md`).
    """
    zeros = (counts.to_numpy() == 0).mean(axis=0)
    return bool(np.quantile(zeros, EMPTIER) > HIGHEST_ZEROS)


def tmm_factors(counts: pd.DataFrame) -> pd.Series:
    """Compute TMM factors (of geometric mean 1) as edgeR, on dense and on sparse counts.

    The reference sample is the one whose upper quartile is nearest to the mean of all; where most
    upper quartiles are 0 it is the one with the largest sum of square roots, as in edgeR. Samples
    are taken in the order of their names, so that their order in the table decides nothing.

    References
    ----------
    Robinson MD, Oshlack A (2010) A scaling normalization method for differential expression
    analysis of RNA-seq data. Genome Biology 11:R25.
    """
    names = sorted(counts.columns)
    matrix, place = counts.to_numpy(), counts.columns.get_indexer(pd.Index(names))
    seen = np.flatnonzero(matrix.any(axis=1))

    def reads(i: int) -> np.ndarray:
        # Sample by sample: a sorted copy of all counts would be as large as the table.
        return matrix[seen, place[i]].astype(float)

    libraries = np.array([reads(i).sum() for i in range(len(names))])
    upper = np.array([np.quantile(reads(i), 0.75) for i in range(len(names))]) / libraries
    if np.median(upper) < 1e-20:
        reference = int(np.argmax([np.sqrt(reads(i)).sum() for i in range(len(names))]))
    else:
        reference = int(np.argmin(np.abs(upper - upper.mean())))
    like = reads(reference)
    log2_factors = [
        _trimmed_mean_ratio(own := reads(i), own / libraries[i], like, like / libraries[reference])
        for i in range(len(names))
    ]
    factors = pd.Series(np.exp2(log2_factors), index=names)
    _check_factors(factors, TMM)
    return _of_mean_one(factors).reindex(counts.columns)


def _trimmed_mean_ratio(
    reads: np.ndarray, share: np.ndarray, reference_reads: np.ndarray, reference_share: np.ndarray
) -> float:
    """Weighted mean of the log2 ratios to the reference that are neither extreme nor abundant."""
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
        kept &= _untrimmed(values, trim)
    if not kept.any():
        return 0.0
    return float(np.sum(ratio[kept] / variance[kept]) / np.sum(1 / variance[kept]))


def _untrimmed(values: np.ndarray, trim: float) -> np.ndarray:
    """Find the values that a share at either end leaves, equal ones by their mean rank.

    No value needs its rank: equal values share one, so that a limit at either end decides.
    """
    cut = int(np.floor(len(values) * trim))
    low, high = np.partition(values, [cut, len(values) - 1 - cut])[[cut, len(values) - 1 - cut]]
    below, upto = (values < low).sum(), (values <= low).sum()
    kept = values >= low if below + 1 + upto >= 2 * (cut + 1) else values > low
    below, upto = (values < high).sum(), (values <= high).sum()
    most = 2 * (len(values) - cut)
    return kept & (values <= high if below + 1 + upto <= most else values < high)


def size_factors(counts: pd.DataFrame) -> pd.Series:
    """Compute median-of-ratios size factors (pydeseq2), as DESeq2's estimateSizeFactors.

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
