"""What a log says of a scale that is accepted, but with a doubt that proves nothing."""

from __future__ import annotations

import numpy as np

from adnorm.base.logs import get_logger
from adnorm.expression.evidence import (
    BASES,
    EQUAL_SUMS,
    centred_genes,
    spread,
    whole_behind,
)
from adnorm.expression.hints import Hints
from adnorm.expression.readings import COUNTS, LINEAR, LN, LOG2, LOG10, WORDS, Reading

#: Sums of samples that are normalized for library size differ less than this, as a ratio.
NORMALIZED_SPREAD = 3.0
#: From this share of negative values on, values are ratios or centred.
_RATIOS = 0.2
# Log2 ratios of skin reach further than this; log10 ratios mostly do not.
_NARROW = 0.7
# Smaller sums than this are not those of values per million.
_FEW = 2e5
# Sums of expression reach beyond this.
_NO_RATIOS = 1e4
# Sums of so many libraries are not equal by chance.
_FEWEST_LIBRARIES = 6
# Sums of nearly all genes lie this far below the power of ten that all genes have.
_NEARLY = 0.75


def doubt(
    matrix: np.ndarray, scale: str, reading: Reading, assay: str, hints: Hints, where: str
) -> None:
    """Log what a person should look at.

    Parameters
    ----------
    matrix
        Rows × samples as published.
    scale
        The declared scale, which the check accepts.
    reading
        What the check found.
    assay
        ``microarray`` or ``rna-seq``.
    hints
        What the deposit says.
    where
        The file, for the log.
    """
    told = []
    if scale == COUNTS and assay == "rna-seq":
        told = _counts(matrix)
    elif scale == LINEAR and assay == "rna-seq":
        told = _linear(matrix)
    elif scale in BASES:
        told = _centred(matrix)
        told += _array(matrix, scale) if assay == "microarray" else _sums(reading.sums, scale)
        told += _two_logarithms(matrix, scale, hints)
        told += _narrow_ratios(matrix, scale, assay, hints)
    for sentence in told:
        get_logger().warning("%s: declared is `scale: %s`, and %s", where, scale, sentence)


def _counts(matrix: np.ndarray) -> list[str]:
    """Doubt counts whose sums are equal, but for those that were drawn to one exact number."""
    sums = np.nansum(matrix, axis=0)
    if len(sums) < _FEWEST_LIBRARIES or not 1 < spread(sums) <= EQUAL_SUMS:
        return []
    return [
        f"all samples have nearly the same sum ({np.median(sums):,.0f}), as rounded TPM or counts "
        "per million have and reads have not; if they are that, write `scale: linear`"
    ]


def _linear(matrix: np.ndarray) -> list[str]:
    sums = np.nansum(matrix, axis=0)
    finite = matrix[np.isfinite(matrix)]
    if spread(sums) > NORMALIZED_SPREAD:
        return [
            f"the sums of the samples run from {sums.min():.4g} to {sums.max():.4g}; linear values "
            "are expected to be normalized for library size (TPM, FPKM). Expected counts belong "
            "under `scale: counts` with `source: round_counts: true`"
        ]
    if np.all(finite == np.floor(finite)):
        return [
            "all values are whole numbers; they are taken for rounded TPM or FPKM. If they are "
            "counts, declare `scale: counts`"
        ]
    return []


def _centred(matrix: np.ndarray) -> list[str]:
    if np.nanmean(matrix < 0) < _RATIOS or not centred_genes(matrix):
        return []
    return [
        "every row is centred on 0: differences are kept, levels are lost. Which of several "
        "probes stands for a gene, the ranks behind ssGSEA and the sex of the samples depend on "
        "levels; take the values before they were centred if you can"
    ]


def _array(matrix: np.ndarray, scale: str) -> list[str]:
    whole = whole_behind(matrix, BASES[scale])
    if whole is None or not whole.counts:
        return []
    return [
        f"whole numbers stand behind the logarithm, so these intensities are not normalized. If "
        f"they are counts of sequencing, write `assay: rna-seq` and `scale: {scale}_counts`; the "
        "configuration can normalize arrays (`expression: array_normalization: quantile`)"
    ]


def _sums(sums: dict[str, np.ndarray], scale: str) -> list[str]:
    """Doubt log2 values of most genes, whose sums would nearly be a power of ten otherwise."""
    if scale != LOG2 or not sums:
        return []
    total = float(np.median(sums[LOG2]))
    # Sums behind ratios are small and of any sign.
    if total > _NO_RATIOS and NORMALIZED_SPREAD < spread(sums[LOG2]) < np.inf:
        low, high = sums[LOG2].min(), sums[LOG2].max()
        return [
            f"behind the logarithm the sums of the samples run from {low:.4g} to {high:.4g}: log2 "
            "values are expected to be normalized for library size. Of expected counts (RSEM, "
            f"salmon) the logarithm is `scale: {scale}_counts` with `source: round_counts: true`"
        ]
    if spread(sums[LOG2]) <= EQUAL_SUMS and total < _FEW:
        return [
            f"every sample has the sum {total:,.0f} behind the logarithm: the 1 of log2(x + 1) "
            f"stands for {1e6 / total:,.0f} per million then and flattens the changes of most "
            "genes; take the counts, or the values before the logarithm with `scale: linear`"
        ]
    if _nearly_power(sums[LOG2]):
        return []
    near = [name for name in (LN, LOG10) if _nearly_power(sums[name])]
    return [
        f"the sums of the samples are nearly a power of ten if the values are {WORDS[name]}; if "
        f"that is what they are, write `scale: {name}`"
        for name in near[:1]
    ]


def _nearly_power(sums: np.ndarray) -> bool:
    if sums.size < 2 or spread(sums) > 1 / _NEARLY:
        return False
    powers = np.array([1e4, 1e5, 1e6])
    return bool(any(((sums <= 1.01 * p) & (sums >= _NEARLY * p)).all() for p in powers))


def _narrow_ratios(matrix: np.ndarray, scale: str, assay: str, hints: Hints) -> list[str]:
    """Doubt ratios of arrays that are all small where nobody says of which logarithm they are."""
    if scale != LOG2 or assay != "microarray" or hints.said or np.nanmean(matrix < 0) < _RATIOS:
        return []
    if np.quantile(np.abs(matrix[np.isfinite(matrix)]), 0.995) > _NARROW:
        return []
    return [
        f"nearly all ratios lie within ± {_NARROW:g}; if they are log10 ratios, of which 1 is "
        "tenfold, write `scale: log10`"
    ]


def _two_logarithms(matrix: np.ndarray, scale: str, hints: Hints) -> list[str]:
    named = hints.said
    if scale == LOG10 or LOG10 not in named or len(named) < 2:
        return []
    finite = np.abs(matrix[np.isfinite(matrix)])
    if np.quantile(finite, 0.995) > (1 if np.nanmean(matrix < 0) >= _RATIOS else 5):
        return []
    return [
        "the data processing of the samples names log10 and another logarithm, and the range of "
        "the values would fit log10; if they are log10 values, write `scale: log10`"
    ]
