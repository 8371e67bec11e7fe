"""From counts, linear or log2 values to comparable log2 expression."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError, listing
from adnorm.expression.scale import COUNTS, LINEAR
from adnorm.expression.size_factors import (
    HIGHEST_ZEROS,
    LIBRARY_SIZE,
    MEDIAN_OF_RATIOS,
    TMM,
    composition_factors,
    is_sparse,
)

#: Reads per sample after scaling (counts per million).
MILLION = 1e6
#: The methods that make counts comparable, in words.
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


@dataclass(frozen=True)
class Normalized:
    """Log2 expression and how it was made.

    Attributes
    ----------
    log2
        Genes × samples, float.
    counts
        The counts of the same genes, or ``None`` when the scale is not counts.
    undetected
        Symbols that the low-count or low-expression filter removed, sorted.
    method
        What was done, in words.
    caution
        Why the values must be read with care; usually empty.
    """

    log2: pd.DataFrame
    counts: pd.DataFrame | None
    undetected: list[str]
    method: str
    caution: str = ""


def normalize(
    values: pd.DataFrame, samples: pd.DataFrame, scale: str, assay: str, settings: dict
) -> Normalized:
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

    Returns
    -------
    Normalized

    Raises
    ------
    AdnormError
        No gene passes the filter, a sample has no reads, or a method cannot work on these counts.
    """
    if scale == COUNTS:
        return _from_counts(values, samples, settings)
    quantile = "quantile normalization of probes, " if quantile_asked(assay, settings) else ""
    if scale == LINEAR:
        found = _from_linear(values, samples, assay, settings, quantile)
    else:
        found = Normalized(values.astype(float), None, [], quantile + "log2 as published")
    return _with_composition(found, samples) if assay == "rna-seq" else found


def _with_composition(found: Normalized, samples: pd.DataFrame) -> Normalized:
    """Say it when values that others normalized look as if a few genes took the reads."""
    shift = typical_shift(found.log2, samples)
    if shift is None:
        return found
    way = "lower" if shift[0] < 0 else "higher"
    caution = (
        f"The typical gene is {abs(shift[0]):.2f} log2 {way} in lesional than in non-lesional skin "
        f"({shift[1]} patients), as library-size normalization leaves it where a few genes take "
        "the reads: every set seems to change with the disease and to come back with a drug by "
        "as much. If the counts of this cohort exist, use them (`scale: counts`)."
    )
    return replace(found, caution=caution)


def typical_shift(log2: pd.DataFrame, samples: pd.DataFrame) -> tuple[float, int] | None:
    """Say how far the typical gene lies apart in lesional and non-lesional skin of one patient.

    It should be near 0: values that others normalized for library size alone show it where a few
    genes take the reads of lesional skin, and their counts are not there to mend it.

    Parameters
    ----------
    log2
        Genes × samples.
    samples
        Canonical sample sheet of the columns of `log2`.

    Returns
    -------
    (float, int) or None
        Mean over patients of the median over the upper half of the genes, lesional − non-lesional
        at baseline in log2 units, and the number of patients; ``None`` when it is within 0.1, less
        than 3 standard errors, or of fewer than 3 patients.
    """
    upper = log2[log2.mean(axis=1) >= log2.mean(axis=1).median()]
    sheet = samples[samples["week"] == 0].set_index("sample")
    means = {}
    for state in ("lesional", "nonlesional"):
        of_state = sheet.index[sheet["state"] == state]
        patients = sheet.loc[of_state, "patient"].to_numpy()
        means[state] = upper[of_state].T.groupby(patients).mean()
    pairs = means["lesional"].index.intersection(means["nonlesional"].index)
    if len(pairs) < FEWEST_PAIRS:
        return None
    shifts = (means["lesional"].loc[pairs] - means["nonlesional"].loc[pairs]).median(axis=1)
    mean, error = float(shifts.mean()), float(shifts.std()) / np.sqrt(len(pairs))
    small = abs(mean) < LARGEST_SHIFT or abs(mean) < 3 * error
    return None if small else (mean, len(pairs))


def _from_linear(
    values: pd.DataFrame, samples: pd.DataFrame, assay: str, settings: dict, before: str
) -> Normalized:
    detected = (values > 0).any(axis=1).to_numpy()
    method = before + "log2(x + 1) of linear values"
    if assay == "rna-seq":
        minimum_samples = samples_required(samples, settings["minimum_samples"])
        minimum_value = settings["minimum_value"]
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
    log2 = _log2_plus_one(values.loc[detected])
    return Normalized(log2, None, sorted(values.index[~detected]), method)


def _from_counts(values: pd.DataFrame, samples: pd.DataFrame, settings: dict) -> Normalized:
    minimum_samples = samples_required(samples, settings["minimum_samples"])
    minimum_count = settings["minimum_count"]
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
    method = settings["count_normalization"]
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
    return Normalized(log2, counts.astype(np.int32), undetected, note, caution)


def samples_required(samples: pd.DataFrame, minimum_samples: int | None) -> int:
    """Say in how many samples a gene must be seen.

    Without a number in the configuration: the size of the smallest group of state, arm and visit,
    so that a gene that only one group expresses stays; at least 3, so that one odd sample is not
    enough, and at most 10. The cap keeps sparse assays whole: tape strips have groups of sixty
    samples of which a third carry most reads, and ten samples are enough to estimate a gene (edgeR
    relaxes its own rule beyond ten samples, too).

    Parameters
    ----------
    samples
        Canonical sample sheet (state, arm, week).
    minimum_samples
        From the configuration; ``None`` applies the rule.

    Returns
    -------
    int
        Never more than there are samples.

    References
    ----------
    Chen Y, Lun ATL, Smyth GK (2016) From reads to genes to pathways. F1000Research 5:1438.
    """
    if minimum_samples is not None:
        return int(minimum_samples)
    smallest = int(samples.groupby(["state", "arm", "week"], observed=True).size().min())
    return min(max(smallest, FEWEST_SAMPLES), MOST_SAMPLES, len(samples))


def low_count_filter(values: pd.DataFrame, minimum: float, minimum_samples: int) -> np.ndarray:
    """Find the genes with at least `minimum` (reads, TPM) in at least `minimum_samples` samples.

    Returns
    -------
    ndarray of bool, shape (genes,)
    """
    return (values.to_numpy() >= minimum).sum(axis=1) >= minimum_samples


def _log2_plus_one(values: pd.DataFrame) -> pd.DataFrame:
    return np.log2(values.astype(float) + 1.0)


def _log2_per_million(counts: pd.DataFrame, factors: pd.Series) -> pd.DataFrame:
    """Log2(counts per million of the effective library + 1), scaled and logged by scanpy."""
    import anndata
    import scanpy as sc

    data = anndata.AnnData(counts.T.astype(float))
    sc.pp.normalize_total(data, target_sum=MILLION)
    data.X /= factors.to_numpy()[:, None]
    sc.pp.log1p(data, base=2)
    return pd.DataFrame(data.X.T, index=counts.index, columns=counts.columns)


def quantile_asked(assay: str, settings: dict) -> bool:
    """Whether the configuration asks to quantile normalize a cohort of this assay."""
    return assay == "microarray" and settings["array_normalization"] == "quantile"


def normalize_probes(values: pd.DataFrame, assay: str, settings: dict) -> pd.DataFrame:
    """Do what must precede the step from probes to genes: quantile normalization, if asked for.

    The distribution that arrays share is that of all their probes; which probe then stands for a
    gene depends on it.
    """
    return quantile_normalize(values) if quantile_asked(assay, settings) else values


def quantile_normalize(values: pd.DataFrame) -> pd.DataFrame:
    """Give all samples the same distribution (pylimma; ties as in limma's normalizeQuantiles).

    Parameters
    ----------
    values
        Probes × samples; missing values stay missing.

    Returns
    -------
    DataFrame
        Same shape.

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
