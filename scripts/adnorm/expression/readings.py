"""Which scale values look like, and why: one rule for the check of a run and for proposals."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from adnorm.expression.evidence import (
    BASES,
    EQUAL_SUMS,
    NEARLY_ALL,
    equal_sums_behind,
    power_of_ten,
    scaled_genes,
    scaled_samples,
    spread,
    sums_behind,
    whole_behind,
)
from adnorm.expression.hints import Hints

COUNTS = "counts"
LINEAR = "linear"
LOG2, LN, LOG10 = "log2", "ln", "log10"
#: Scales of log(count + 1), and the logarithm of each.
LOG_COUNTS = {f"{name}_counts": name for name in BASES}
#: Scales that one may declare.
SCALES = (COUNTS, *LOG_COUNTS, LINEAR, *BASES)
#: How the values of each scale are called.
WORDS = {
    COUNTS: "counts",
    LINEAR: "linear values",
    LOG2: "log2 values",
    LN: "natural logarithms",
    LOG10: "log10 values",
} | {scale: f"{name}(count + 1)" for scale, name in LOG_COUNTS.items()}

#: No assay spans 2^25 (33 million) units, so larger values are not log2 values.
HIGHEST_LOG2 = 25.0
#: Counts are kept as 32-bit integers.
HIGHEST_COUNT = 2**31 - 1

# So many rows above the highest log2 value, in half of the samples, are no slips of single cells
# (and more than counting programs write below the genes).
_ROWS_BEYOND = 5
# From this share of negative values on, values are ratios or centred.
_RATIOS = 0.2
# Ratios of two channels that nearly all lie within ± 1 are log10 ratios: tenfold, not twofold.
_NEARLY_ALL_RATIOS = 0.995
# So many samples, such sums, and four in five of them so unequal: libraries, not normalized values.
_FEWEST_LIBRARIES, _SUM_OF_READS, _LIBRARIES_DIFFER = 6, 1e4, 3.0
# Highest log10 and natural logarithm of an intensity.
_HIGHEST_LOG10, _HIGHEST_LN = 6.5, 13.0


@dataclass(frozen=True)
class Reading:
    """What values look like.

    Attributes
    ----------
    scale
        One of `SCALES`; ``None`` when no scale fits.
    why
        The evidence, as a clause; empty when the range alone decides.
    certain
        Whether other logarithms are excluded; without evidence log2 is what range alone says.
    expected
        Whether counts are expected counts, to be rounded.
    instead
        What to do when no scale fits.
    sums
        Sums of the samples behind each logarithm, of log2 values of sequencing.
    """

    scale: str | None
    why: str = ""
    certain: bool = True
    expected: bool = False
    instead: str = ""
    sums: dict[str, np.ndarray] = field(default_factory=dict, compare=False)


def read_scale(matrix: np.ndarray, assay: str, hints: Hints) -> Reading:
    """Say which scale values look like.

    Whole numbers from 0 are counts. Values are linear when they reach beyond every log2 value, or
    when all samples have one sum that is a power of ten (fractions, counts per 10,000 …), and
    logarithms otherwise: there is no third kind and no gap between the two. Which logarithm, and
    whether counts stand behind it, is said by whole numbers and sums behind it, then by what the
    deposit says, else log2 is assumed.

    Parameters
    ----------
    matrix
        Rows × samples, with at least two different finite values.
    assay
        ``microarray`` or ``rna-seq``; sums and whole numbers are judged for sequencing only.
    hints
        What the deposit says.

    Returns
    -------
    Reading
    """
    finite = matrix[np.isfinite(matrix)]
    lowest = finite.min()
    # A few negative cells are slips of the table, and named later.
    negative = 2 * (matrix < 0).any(axis=0).sum() > matrix.shape[1]
    if not negative and np.all(finite == np.floor(finite)) and finite.max() <= HIGHEST_COUNT:
        return Reading(COUNTS)
    linear = _linear(matrix, finite)
    if linear is not None:
        return linear
    if lowest >= 0 and _nearly_highest(finite) <= 1:
        return Reading(
            None,
            "these look like fractions or p-values, not like expression",
            instead="Choose the table that holds expression",
        )
    scaled = hints.scaled or scaled_genes(matrix) or scaled_samples(matrix)
    if scaled:
        return Reading(
            None,
            f"{scaled}; their differences are no fold changes",
            instead="No scale fits: take the values before they were scaled (log2, linear or "
            "counts)",
        )
    sums: dict[str, np.ndarray] = {}
    if assay == "microarray":
        found = _said_of_array(finite, hints)
    else:
        sums = sums_behind(matrix)
        found = _sequencing(matrix, sums)
    if found is not None:
        return found
    if hints.container_log in BASES:
        told = f"uns['log1p'] of the file says that X holds {WORDS[hints.container_log]}"
        return Reading(hints.container_log, told)
    return _unequal_libraries(matrix, sums) or Reading(LOG2, certain=False, sums=sums)


def _unequal_libraries(matrix: np.ndarray, sums: dict[str, np.ndarray]) -> Reading | None:
    """Recognise logarithms of expected counts, behind which no number is whole, by their sums.

    A few high values make sums unequal as well; unequal libraries move the other genes, too.
    """
    if not sums or np.nanmin(matrix) < 0 or matrix.shape[1] < _FEWEST_LIBRARIES:
        return None
    low, middle, high = np.quantile(sums[LOG2], [0.1, 0.5, 0.9])
    moved = np.subtract(*np.quantile(np.nanquantile(matrix, 0.75, axis=0), [0.9, 0.1]))
    unequal = high > _LIBRARIES_DIFFER * low and moved > np.log2(_LIBRARIES_DIFFER) / 2
    if not unequal or not _SUM_OF_READS < middle < HIGHEST_COUNT:
        return None
    return Reading(
        f"{LOG2}_counts",
        f"behind the logarithm the sums of four in five samples run from {low:.4g} to {high:.4g}, "
        "as those of libraries do and those of normalized values do not; they may be expected "
        "counts (RSEM, salmon)",
        expected=True,
        sums=sums,
    )


def _nearly_highest(finite: np.ndarray) -> float:
    return float(np.quantile(finite, NEARLY_ALL, method="lower"))


def _linear(matrix: np.ndarray, finite: np.ndarray) -> Reading | None:
    """Recognise linear values by their height or their sums."""
    negative = matrix < 0
    beyond = (matrix > HIGHEST_LOG2).sum(axis=1) >= 0.5 * np.isfinite(matrix).sum(axis=1)
    beyond &= np.isfinite(matrix).any(axis=1)
    reaches = _nearly_highest(finite) > HIGHEST_LOG2 or beyond.sum() >= _ROWS_BEYOND
    if reaches and 2 * negative.any(axis=0).sum() > matrix.shape[1]:
        return Reading(
            None,
            f"{negative.sum()} values in {negative.any(axis=0).sum()} samples are negative and "
            "others reach beyond every log2 value, as intensities do from which the background "
            "was subtracted",
            instead="No scale fits: take the values before the background was subtracted, or "
            "values that were normalized to log2",
        )
    if reaches:
        mend = "; the negative ones among them must be mended first" if negative.any() else ""
        return Reading(LINEAR, f"they reach beyond every log2 value{mend}")
    if negative.any() or matrix.shape[1] < 2:
        return None
    total = power_of_ten(np.nansum(matrix, axis=0))
    return Reading(LINEAR, f"every sample has the sum {total:,.0f}") if total else None


def _sequencing(matrix: np.ndarray, sums: dict[str, np.ndarray]) -> Reading | None:
    """Look behind the logarithm of sequencing values."""
    equal = equal_sums_behind(matrix, sums)
    if equal == LOG2:
        return Reading(LOG2, sums=sums)
    for scale, name in LOG_COUNTS.items():
        whole = whole_behind(matrix, BASES[name])
        if whole is None or not (whole.counts or whole.expected_counts):
            continue
        low, high = sums[name].min(), sums[name].max()
        if spread(sums[name]) <= EQUAL_SUMS:
            return Reading(name)
        share = whole.share if whole.counts else whole.part
        raised = {"log2": "2^x", "ln": "e^x", "log10": "10^x"}[name]
        return Reading(
            scale,
            f"{raised} − {whole.offset:g} is a whole number for {percent(share)} of the values "
            f"that can tell, and the sums of the samples run from {low:.4g} to {high:.4g}, as "
            "those of libraries do",
            expected=not whole.counts,
        )
    if equal is None:
        return None
    return Reading(
        equal,
        f"all samples have one sum ({np.median(sums[equal]):,.0f}) if they are {WORDS[equal]}, as "
        "normalized values have, and different sums if they are log2 values",
    )


def _said_of_array(finite: np.ndarray, hints: Hints) -> Reading | None:
    """Take the word of the deposit for the logarithm of array values, where these can be it."""
    ratios = np.mean(finite < 0) >= _RATIOS
    size = np.abs(finite)
    within = float(np.quantile(size, _NEARLY_ALL_RATIOS))
    named = sorted(hints.said)
    if named == [LOG10] and (within <= 2 if ratios else _nearly_highest(finite) <= _HIGHEST_LOG10):
        return Reading(LOG10, "the data processing of the samples names log10 alone")
    if named == [LN] and _nearly_highest(size) <= _HIGHEST_LN:
        return Reading(LN, "the data processing of the samples names the natural logarithm alone")
    if not named and ratios and hints.channels == 2 and within <= 1:
        return Reading(
            LOG10,
            "the arrays have two channels and nearly all ratios lie within ± 1, as log10 ratios "
            "do, of which 1 is tenfold",
        )
    return None


def percent(share: float) -> str:
    """Write a share; only all and none are 100 % and 0 %."""
    if share in (0.0, 1.0):
        return f"{share:.0%}"
    return f"{min(max(share, 0.001), 0.999):.1%}"
