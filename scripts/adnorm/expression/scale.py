"""Which scale values look like, and how they become counts, linear or log2 values.

One rule reads the scale, for the check of a run and for proposals of cohort files.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from adnorm.expression.scale_evidence import (
    BASES,
    EQUAL_SUMS,
    NEARLY_ALL,
    Hints,
    equal_sums_behind,
    half_steps,
    power_of_ten,
    scaled_genes,
    scaled_samples,
    spread,
    sums_behind,
    whole_behind,
)
from adnorm.study.vocabulary import Assay, Scale

#: Scales of log(count + 1), and the logarithm of each.
LOG_COUNTS = {
    Scale.LOG2_COUNTS: Scale.LOG2,
    Scale.LN_COUNTS: Scale.LN,
    Scale.LOG10_COUNTS: Scale.LOG10,
}
#: How the values of each scale are called.
WORDS = {
    Scale.COUNTS: "counts",
    Scale.LINEAR: "linear values",
    Scale.LOG2: "log2 values",
    Scale.LN: "natural logarithms",
    Scale.LOG10: "log10 values",
} | {scale: f"{name}(count + 1)" for scale, name in LOG_COUNTS.items()}
#: No assay spans 2^25 (33 million) units, so larger values are not log2 values.
HIGHEST_LOG2 = 25.0
#: Counts are kept as 32-bit integers.
HIGHEST_COUNT = 2**31 - 1
# So many rows above the highest log2 value, in half of the samples, are no slips of single cells
# (and more than counting programs write below the genes).
_ROWS_BEYOND = 5
# From this share of negative values on, values are ratios or centred.
RATIOS = 0.2
# Ratios of two channels that nearly all lie within ± 1 are log10 ratios: tenfold, not twofold.
_NEARLY_ALL_RATIOS = 0.995
# So many samples, such sums, and four in five of them so unequal: libraries, not normalized values.
_FEWEST_LIBRARIES, _SUM_OF_READS, _LIBRARIES_DIFFER = 6, 1e4, 3.0
# Highest log10 and natural logarithm of an intensity.
_HIGHEST_LOG10, _HIGHEST_LN = 6.5, 13.0
MILLION = 1e6
# Sums this close to a million, as a ratio, are left as they are.
_PER_MILLION = 2.0


@dataclass(frozen=True)
class Reading:
    """What values look like."""

    #: ``None`` when no scale fits.
    scale: Scale | None
    #: The evidence, as a clause; empty when the range alone decides.
    why: str = ""
    #: Whether other logarithms are excluded; without evidence log2 is what range alone says.
    certain: bool = True
    #: Whether counts are expected counts, to be rounded.
    expected: bool = False
    #: What to do when no scale fits.
    instead: str = ""
    #: Sums of the samples behind each logarithm, of log2 values of sequencing.
    sums: dict[Scale, np.ndarray] = field(default_factory=dict, compare=False)


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
    """
    finite = matrix[np.isfinite(matrix)]
    lowest = finite.min()
    # A few negative cells are slips of the table, and named later.
    negative = 2 * (matrix < 0).any(axis=0).sum() > matrix.shape[1]
    if not negative and np.all(finite == np.floor(finite)) and finite.max() <= HIGHEST_COUNT:
        return Reading(Scale.COUNTS)
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
    sums: dict[Scale, np.ndarray] = {}
    if assay == Assay.MICROARRAY:
        found = _named_for_array(finite, hints)
    else:
        sums = sums_behind(matrix)
        found = _sequencing(matrix, sums)
    if found is not None:
        return found
    if hints.container_log is not None:
        why = f"uns['log1p'] of the file says that X holds {WORDS[hints.container_log]}"
        return Reading(hints.container_log, why)
    return _unequal_libraries(matrix, sums) or Reading(Scale.LOG2, certain=False, sums=sums)


def _unequal_libraries(matrix: np.ndarray, sums: dict[Scale, np.ndarray]) -> Reading | None:
    """Recognise logarithms of expected counts, behind which no number is whole, by their sums.

    A few high values make sums unequal as well; unequal libraries move the other genes, too.
    """
    if not sums or np.nanmin(matrix) < 0 or matrix.shape[1] < _FEWEST_LIBRARIES:
        return None
    low, middle, high = np.quantile(sums[Scale.LOG2], [0.1, 0.5, 0.9])
    moved = np.subtract(*np.quantile(np.nanquantile(matrix, 0.75, axis=0), [0.9, 0.1]))
    unequal = high > _LIBRARIES_DIFFER * low and moved > np.log2(_LIBRARIES_DIFFER) / 2
    if not unequal or not _SUM_OF_READS < middle < HIGHEST_COUNT:
        return None
    return Reading(
        Scale.LOG2_COUNTS,
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
        return Reading(Scale.LINEAR, f"they reach beyond every log2 value{mend}")
    if negative.any() or matrix.shape[1] < 2:
        return None
    total = power_of_ten(np.nansum(matrix, axis=0))
    return Reading(Scale.LINEAR, f"every sample has the sum {total:,.0f}") if total else None


def _sequencing(matrix: np.ndarray, sums: dict[Scale, np.ndarray]) -> Reading | None:
    """Look behind the logarithm of sequencing values."""
    equal = equal_sums_behind(matrix, sums)
    if equal == Scale.LOG2:
        return Reading(Scale.LOG2, sums=sums)
    for scale, name in LOG_COUNTS.items():
        whole = whole_behind(matrix, BASES[name])
        if whole is None or not (whole.counts or whole.expected_counts):
            continue
        low, high = sums[name].min(), sums[name].max()
        if spread(sums[name]) <= EQUAL_SUMS:
            return Reading(name)
        share = whole.share if whole.counts else whole.part
        raised = {Scale.LOG2: "2^x", Scale.LN: "e^x", Scale.LOG10: "10^x"}[name]
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


def _named_for_array(finite: np.ndarray, hints: Hints) -> Reading | None:
    """Take the word of the deposit for the logarithm of array values, where these can be it."""
    ratios = np.mean(finite < 0) >= RATIOS
    size = np.abs(finite)
    within = float(np.quantile(size, _NEARLY_ALL_RATIOS))
    named = sorted(hints.logarithms)
    if named == [Scale.LOG10] and (
        within <= 2 if ratios else _nearly_highest(finite) <= _HIGHEST_LOG10
    ):
        return Reading(Scale.LOG10, "the data processing of the samples names log10 alone")
    if named == [Scale.LN] and _nearly_highest(size) <= _HIGHEST_LN:
        return Reading(
            Scale.LN, "the data processing of the samples names the natural logarithm alone"
        )
    if not named and ratios and hints.channels == 2 and within <= 1:
        return Reading(
            Scale.LOG10,
            "the arrays have two channels and nearly all ratios lie within ± 1, as log10 ratios "
            "do, of which 1 is tenfold",
        )
    return None


def percent(share: float) -> str:
    """Write a share; only all and none are 100 % and 0 %."""
    if share in (0.0, 1.0):
        return f"{share:.0%}"
    return f"{min(max(share, 0.001), 0.999):.1%}"


@dataclass(frozen=True)
class Turned:
    """Values on a working scale, and how they got there."""

    #: Rows × samples.
    values: pd.DataFrame
    #: Counts, linear or log2.
    scale: Scale
    #: What was done, to stand before what is done next; empty when nothing was.
    words: str = ""
    #: Rows of identifiers.tsv: step, count, detail.
    steps: list[tuple[str, int, str]] = field(default_factory=list)


def log2_per_unit(name: Scale) -> float:
    """Return what one unit of a logarithm is in log2."""
    return float(np.log2(BASES[name]))


def counts_behind(matrix: np.ndarray, scale: Scale) -> tuple[np.ndarray, float]:
    """Take log(count + offset) back: the counts, not rounded, and the offset that values show."""
    base = BASES[LOG_COUNTS[scale]]
    found = whole_behind(matrix, base)
    offset = found.offset if found is not None and (found.counts or found.expected_counts) else 1.0
    with np.errstate(over="ignore"):
        return np.exp(matrix * np.log(base)) - offset, offset


def turn(values: pd.DataFrame, scale: Scale, assay: str, rounded: bool) -> Turned:
    """Turn verified values into counts, linear or log2 values.

    Counts behind a logarithm become whole numbers again. Natural and decimal logarithms become
    log2 by a factor; those of sequencing whose samples all have one sum behind them become linear
    values first. Linear values of sequencing whose samples all have one sum that is far from a
    million (counts per 10,000, fractions) are brought to a million, so that the low-expression
    filter and the 1 of log2(x + 1) mean the same as for TPM: a 1 among counts per 10,000 stands
    for a hundred per million and flattens the changes of most genes. Expected counts are rounded
    when the cohort file asks for it.

    Parameters
    ----------
    values
        Rows × samples; `adnorm.expression.scale_check.verify_scale` has passed them.
    scale
        The declared scale.
    assay
        ``microarray`` or ``rna-seq``.
    rounded
        Whether the cohort file asks to round expected counts.
    """
    if scale in LOG_COUNTS:
        return _from_log_counts(values, scale, rounded)
    if scale in BASES and scale != Scale.LOG2:
        if assay == Assay.RNA_SEQ and _normalized_behind(values, scale):
            return _from_log_linear(values, scale)
        factor = log2_per_unit(scale)
        words = f"{scale} values times {factor:.4g}; "
        steps = [(f"{scale} values turned into log2", values.size, f"times {factor:.6g}")]
        return Turned(values * factor, Scale.LOG2, words, steps)
    if scale == Scale.LINEAR and assay == Assay.RNA_SEQ:
        return _to_million(values)
    if scale != Scale.COUNTS or not rounded:
        return Turned(values, scale)
    whole, changed = round_counts(values)
    detail = f"of {values.size} values; asked for by source: round_counts"
    steps = [("expected counts rounded to whole numbers", changed, detail)]
    return Turned(whole, Scale.COUNTS, "", steps)


def round_counts(values: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Round expected counts, halves to the even number as R does; say how many values changed."""
    rounded = values.round()
    return rounded, int(((rounded != values) & values.notna()).to_numpy().sum())


def _normalized_behind(values: pd.DataFrame, scale: Scale) -> bool:
    """Whether x of log(x + 1) is normalized for library size, as equal sums show."""
    matrix = values.to_numpy(dtype=float)
    return bool(np.nanmin(matrix) >= 0) and equal_sums_behind(matrix, sums_behind(matrix)) == scale


def _from_log_linear(values: pd.DataFrame, scale: Scale) -> Turned:
    linear = np.expm1(values * np.log(BASES[scale]))
    steps = [(f"{scale}(x + 1) turned back into x", values.size, "all samples have one sum then")]
    turned = _to_million(linear)
    words = f"{scale}(x + 1) turned back into x; {turned.words}"
    return Turned(turned.values, Scale.LINEAR, words, steps + turned.steps)


def _from_log_counts(values: pd.DataFrame, scale: Scale, rounded: bool) -> Turned:
    name = LOG_COUNTS[scale]
    matrix = values.to_numpy(dtype=float)
    counts, offset = counts_behind(matrix, scale)
    whole = np.maximum(np.round(counts), 0.0) + 0.0
    formula = f"{name}(count + {offset:g})"
    steps = [(f"{formula} turned back into counts", values.size, _accuracy(matrix, name))]
    if rounded:
        changed = int((np.abs(whole - counts) > 1e-6 * (counts + 1)).sum())
        detail = f"of {values.size} values; asked for by source: round_counts"
        steps.append(("expected counts rounded to whole numbers", changed, detail))
    frame = pd.DataFrame(whole, index=values.index, columns=values.columns)
    return Turned(frame, Scale.COUNTS, f"{formula} turned back into counts; ", steps)


def _accuracy(matrix: np.ndarray, name: Scale) -> str:
    """Say how far the digits of the table leave the highest counts open."""
    finite = matrix[np.isfinite(matrix)]
    finite = finite[:: max(1, finite.size // 200_000)]
    error = float(np.log(BASES[name]) * half_steps(finite).max(initial=0.0))
    if error < 1e-7:
        return "exactly"
    return f"exactly below {0.5 / error:.0f}, higher ones within {error:.2g} of their value"


def _to_million(values: pd.DataFrame) -> Turned:
    sums = np.nansum(values.to_numpy(dtype=float), axis=0)
    total = float(np.median(sums))
    far = max(total / MILLION, MILLION / total) > _PER_MILLION if total > 0 else False
    if values.shape[1] < 2 or not far or spread(sums) > EQUAL_SUMS:
        return Turned(values, Scale.LINEAR)
    shown = f"{total:,.5g}" if total < 1000 else f"{total:,.0f}"
    steps = [
        (
            "values brought to per million",
            values.size,
            f"every sample had the sum {shown}; times {MILLION / total:.6g}",
        )
    ]
    return Turned(
        values * (MILLION / total), Scale.LINEAR, f"values per {shown} × 10⁶ / {shown}; ", steps
    )
