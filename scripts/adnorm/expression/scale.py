"""The declared scale is checked against the values; it is never guessed."""

from __future__ import annotations

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError, nearest
from adnorm.base.logs import get_logger, progress
from adnorm.expression.doubts import NORMALIZED_SPREAD, doubt
from adnorm.expression.evidence import BASES, EQUAL_SUMS, NEARLY_ALL, power_of_ten, spread
from adnorm.expression.hints import Hints
from adnorm.expression.impossible import (
    as_numbers,
    describe_values,
    refuse_impossible,
    refuse_infinite,
    refuse_negative,
    refuse_nothing,
)
from adnorm.expression.readings import (
    COUNTS,
    HIGHEST_COUNT,
    HIGHEST_LOG2,
    LINEAR,
    LOG2,
    LOG_COUNTS,
    SCALES,
    WORDS,
    Reading,
    read_scale,
)
from adnorm.expression.turned import counts_behind, log2_per_unit

#: Sums of TPM are a million and those of FPKM are less; sums of counts are mostly more, and differ.
HIGHEST_NORMALIZED_SUM = 2e6
LIBRARY_SPREAD = 1.5


def verify_scale(
    values: pd.DataFrame,
    scale: str,
    where: str,
    assay: str = "",
    rounded: bool = False,
    hints: Hints | None = None,
    checked: str | None = None,
) -> str:
    """Stop when the values contradict the declared scale.

    What values look like is decided by one rule (`read_scale`); the scale that it names is accepted
    when it is declared. RNA-seq values on a linear scale are normalized for library size (TPM,
    FPKM): whole numbers whose sums vary as those of libraries are refused, a doubt is logged.
    Missing values are not judged here.

    Parameters
    ----------
    values
        Rows × samples as published.
    scale
        The declared scale, one of `SCALES`.
    where
        The file, for messages.
    assay
        ``microarray`` or ``rna-seq``.
    rounded
        Whether the cohort file asks to round expected counts (`round_counts`), so that counts need
        not be whole yet.
    hints
        What the deposit says of its values besides.
    checked
        Why the declared scale is right whatever the check finds (``scale_checked``); what no value
        of that scale can be is refused all the same.

    Returns
    -------
    str
        What the check found and `checked` overrules; empty when there is nothing to overrule.

    Raises
    ------
    AdnormError
        An infinite or a negative value (gene and sample are named), or values that look like
        another scale (both facts and the line to change are named).
    """
    if scale not in SCALES:
        raise AdnormError(
            f"{where}: scale '{scale}' is unknown{nearest(scale, SCALES)}; allowed: "
            f"{', '.join(SCALES)}"
        )
    hints = hints or Hints()
    matrix = as_numbers(values, where)
    refuse_nothing(values, matrix, where)
    if rounded and scale != COUNTS and scale not in LOG_COUNTS:
        raise AdnormError(
            f"{where}: `source: round_counts: true` is for `scale: counts` and logarithms of "
            f"counts, but the cohort file declares `scale: {scale}`; take one of the two lines out"
        )
    refuse_infinite(values, matrix, where)
    reading = read_scale(matrix, assay, hints)
    refuse_negative(values, matrix, scale, reading, where)
    found = _contradiction(matrix, scale, reading, assay, rounded)
    if not found:
        refuse_impossible(values, matrix, scale, where, rounded)
        if checked:
            progress(f"{where}: `scale: {scale}` agrees with the values; no scale_checked needed")
        doubt(matrix, scale, reading, assay, hints, where)
        return ""
    finding = f"declared is `scale: {scale}`, but {describe_values(values)}{found}"
    if not checked:
        wrong = "" if reading.scale is None else "; if not, this is the wrong table"
        ways = _ways_out(values, matrix, scale, rounded, hints)
        raise AdnormError(f"{where}: {finding}{wrong}{ways}")
    refuse_impossible(values, matrix, scale, where, rounded)
    get_logger().warning(
        "%s: `scale: %s` is kept because the cohort file says why (scale_checked: %s), although "
        "the check found: %s",
        where,
        scale,
        checked,
        finding,
    )
    return finding


def _ways_out(
    values: pd.DataFrame, matrix: np.ndarray, scale: str, rounded: bool, hints: Hints
) -> str:
    """Say what else may be done: counts of the same file, or the reason of one who knows."""
    also = ""
    if hints.counts and scale != COUNTS:
        also = f". Raw counts stand in the same file: better, take them: write {hints.counts}"
    try:
        refuse_impossible(values, matrix, scale, "", rounded)
    except AdnormError:
        # A reason would not help: the scale cannot hold such values.
        return also
    return (
        f'. If you know that `scale: {scale}` is right, write `scale_checked: "how you know"` '
        f"below `source:`: it is kept, and the report says so{also}"
    )


def _contradiction(
    matrix: np.ndarray, scale: str, reading: Reading, assay: str, rounded: bool
) -> str:
    """Say how the values contradict the declared scale; empty when they do not."""
    if reading.scale is None:
        return f"; {reading.why}. {reading.instead}"
    if scale == COUNTS and reading.scale == LINEAR:
        # Expected counts and linear values look alike, but for equal sums.
        sums = np.nansum(matrix, axis=0)
        if not rounded or matrix.shape[1] < 2 or spread(sums) > EQUAL_SUMS:
            return ""
        also = f", and all samples have the same sum ({np.median(sums):.6g}), as TPM have and reads"
        return _looks_like(LINEAR, scale, f"{also} have not", " and take `round_counts` out")
    if scale in LOG_COUNTS and reading == Reading(LOG2, certain=False):
        counts = counts_behind(matrix, scale)[0]
        high = not _within_log2(matrix, LOG_COUNTS[scale]) or np.nanmax(counts) > HIGHEST_COUNT
        # Those that are no counts are refused later, with the ways for expected counts.
        return _looks_like(LOG2, scale) if high or np.nanmin(counts) < -0.5 else ""
    if scale == LINEAR and reading.scale == COUNTS:
        return _whole_linear(matrix, assay)
    if scale in BASES and not reading.certain and _within_log2(matrix, scale):
        return ""
    if reading.scale == scale and (rounded or not reading.expected):
        return ""
    rounding = " and write `round_counts: true` below `source:`" if reading.expected else ""
    taking = rounded and reading.scale != COUNTS and reading.scale not in LOG_COUNTS
    why = f"; {reading.why}" if reading.why else ""
    return _looks_like(
        reading.scale, scale, why, " and take `round_counts` out" if taking else rounding
    )


def _within_log2(matrix: np.ndarray, name: str) -> bool:
    """Whether values of a logarithm stay within the range of log2 values once they are log2."""
    highest = np.quantile(matrix[np.isfinite(matrix)], NEARLY_ALL, method="lower")
    return bool(highest * log2_per_unit(name) <= HIGHEST_LOG2)


def _whole_linear(matrix: np.ndarray, assay: str) -> str:
    """Judge whole numbers that are declared linear: intensities and rounded TPM may be whole."""
    highest = np.quantile(matrix[np.isfinite(matrix)], NEARLY_ALL, method="lower")
    sums = np.nansum(matrix, axis=0)
    if highest <= HIGHEST_LOG2 and not power_of_ten(sums):
        return _looks_like(COUNTS, LINEAR)
    if assay != "rna-seq":
        return ""
    deep = np.median(sums) > HIGHEST_NORMALIZED_SUM and spread(sums) > LIBRARY_SPREAD
    if not deep and spread(sums) <= NORMALIZED_SPREAD:
        return ""
    found = f"; the sums of the samples run from {sums.min():.4g} to {sums.max():.4g}"
    return _looks_like(COUNTS, LINEAR, f"{found}, as those of libraries do")


def _looks_like(other: str, scale: str, why: str = "", also: str = "") -> str:
    if other == scale:
        return f"{why}. If they are expected counts, keep `scale: {scale}`{also}"
    return (
        f"{why}, which is what {WORDS[other]} look like. If that is what they are, change the line "
        f"`scale: {scale}` of the cohort file to `scale: {other}`{also}"
    )
