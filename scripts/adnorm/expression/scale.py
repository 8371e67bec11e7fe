"""The declared scale is checked against the values; it is never guessed."""

from __future__ import annotations

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError, Problems
from adnorm.base.logs import get_logger

COUNTS = "counts"
LOG2 = "log2"
LINEAR = "linear"
SCALES = (COUNTS, LOG2, LINEAR)

#: Share of the values that the limits below look at: single odd cells do not decide.
NEARLY_ALL = 0.999
#: No assay spans 2^25 (33 million) units, so larger values are not log2 values.
HIGHEST_LOG2 = 25.0
#: A single log2 value above this is an error of the table.
IMPOSSIBLE_LOG2 = 50.0
#: Expression on a linear scale (TPM, FPKM, intensities) always has genes above this.
LOWEST_LINEAR_MAXIMUM = 50.0
#: Sums of samples that are normalized for library size differ less than this, as a ratio.
NORMALIZED_SPREAD = 3.0
#: Sums of TPM are a million and those of FPKM are less; sums of counts are mostly more, and differ.
HIGHEST_NORMALIZED_SUM = 2e6
LIBRARY_SPREAD = 1.5
#: Sums that differ less than this, as a ratio, are those of TPM.
TPM_SPREAD = 1.01
#: Counts are kept as 32-bit integers.
HIGHEST_COUNT = 2**31 - 1


def describe_values(values: pd.DataFrame) -> str:
    """Say what a matrix looks like: range, quantiles, share of whole numbers.

    Returns
    -------
    str
        One sentence for a message.
    """
    flat = values.to_numpy(dtype=float).ravel()
    flat = flat[np.isfinite(flat)]
    if not flat.size:
        return "the table holds no finite value"
    low, quarter, middle, upper, high = np.quantile(flat, [0, 0.25, 0.5, 0.75, 1])
    whole = np.mean(flat == np.floor(flat))
    return (
        f"the values run from {low:.4g} to {high:.4g} (quartiles {quarter:.4g}, {middle:.4g}, "
        f"{upper:.4g}), and {_percent(whole)} of them are whole numbers"
    )


def _percent(share: float) -> str:
    if share in (0.0, 1.0):
        return f"{share:.0%}"
    return f"{min(max(share, 0.001), 0.999):.1%}"


def round_counts(values: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Round expected counts to whole numbers, halves to the even one, as R does.

    Returns
    -------
    DataFrame
        Same shape.
    int
        Number of values that changed.
    """
    rounded = values.round()
    return rounded, int(((rounded != values) & values.notna()).to_numpy().sum())


def verify_scale(
    values: pd.DataFrame, scale: str, where: str, assay: str = "", rounded: bool = False
) -> None:
    """Stop when the values contradict the declared scale.

    Counts are whole numbers from 0; log2 values stay below 25 and may be negative (ratios); linear
    values are never negative and reach beyond 50. Limits look at the 99.9 % quantile. RNA-seq
    values on a linear scale are normalized for library size (TPM, FPKM): whole numbers whose sums
    vary as those of libraries are refused, a doubt is logged. Missing values are not judged here.

    Parameters
    ----------
    values
        Rows × samples as published.
    scale
        The declared scale: counts, log2 or linear.
    where
        The file, for messages.
    assay
        ``microarray`` or ``rna-seq``.
    rounded
        Whether the cohort file asks to round expected counts (`round_counts`), so that counts need
        not be whole yet.

    Raises
    ------
    AdnormError
        An infinite or a negative value (gene and sample are named), or values that look like
        another scale (both facts and the line to change are named).
    """
    if scale not in SCALES:
        raise AdnormError(f"{where}: scale '{scale}' is unknown; allowed: counts, log2, linear")
    matrix = _as_numbers(values, where)
    if matrix.size == 0:
        raise AdnormError(
            f"{where}: the table has {values.shape[0]} rows and {values.shape[1]} samples; there "
            "are no values to work on"
        )
    problems = Problems(where)
    _name_cells(values, np.isinf(matrix), "infinite", problems, "a log2 of zero, perhaps")
    if scale != LOG2:
        _name_cells(
            values,
            np.less(matrix, 0, where=~np.isnan(matrix), out=np.zeros(matrix.shape, dtype=bool)),
            "negative",
            problems,
            f"which the declared `scale: {scale}` cannot have; log2 values and ratios can",
        )
    problems.stop()
    _check_shape(values, matrix, scale, where, rounded)
    if scale == LOG2:
        _name_cells(values, matrix > IMPOSSIBLE_LOG2, "above 50", problems, "no log2 value is")
        problems.stop()
    if scale == LINEAR and assay == "rna-seq":
        _check_library_sizes(values, matrix, where)


def _as_numbers(values: pd.DataFrame, where: str) -> np.ndarray:
    try:
        return values.to_numpy(dtype=float)
    except (TypeError, ValueError) as error:
        text = [c for c in values.columns if not pd.api.types.is_numeric_dtype(values[c])]
        raise AdnormError(
            f"{where}: {len(text)} columns hold text instead of numbers, first '{text[0]}' "
            f"({error}); mend the table"
        ) from error


def _name_cells(
    values: pd.DataFrame, hit: np.ndarray, what: str, problems: Problems, note: str
) -> None:
    if not hit.any():
        return
    rows, columns = np.nonzero(hit)
    row, column = rows[0], columns[0]
    samples = len(set(columns.tolist()))
    problems.add(
        f"{len(rows)} values in {samples} samples are {what} ({note}); the first is "
        f"{values.iat[row, column]:g} in row '{values.index[row]}', sample "
        f"'{values.columns[column]}'. Mend the table, or exclude the samples"
    )


def _check_shape(
    values: pd.DataFrame, matrix: np.ndarray, scale: str, where: str, rounded: bool
) -> None:
    finite = matrix[np.isfinite(matrix)]
    if not finite.size:
        raise AdnormError(f"{where}: every value is missing")
    lowest = finite.min()
    if finite.max() == lowest:
        raise AdnormError(f"{where}: all values are {lowest:g}; there is nothing to compare")
    highest = np.quantile(finite, NEARLY_ALL, method="lower")
    whole = _all_whole(finite)
    if rounded and scale != COUNTS:
        raise AdnormError(
            f"{where}: `source: round_counts: true` is for `scale: counts`, but the cohort file "
            f"declares `scale: {scale}`; take one of the two lines out"
        )
    if scale == COUNTS and not whole:
        _check_expected_counts(values, highest, where, rounded)
    if scale == COUNTS and finite.max() > HIGHEST_COUNT:
        raise AdnormError(
            f"{where}: declared is `scale: counts`, but {describe_values(values)}; no gene has so "
            "many reads in one sample, this is the wrong table"
        )
    if scale == LOG2 and highest > HIGHEST_LOG2:
        _disagree(values, scale, COUNTS if whole and lowest >= 0 else LINEAR, where)
    if scale == LOG2 and whole and lowest >= 0:
        _disagree(values, scale, COUNTS, where)
    if scale == LOG2 and lowest >= 0 and highest <= 1:
        raise AdnormError(
            f"{where}: declared is `scale: log2`, but {describe_values(values)}: these look like "
            "fractions or p-values, not like expression. Choose the table that holds expression"
        )
    if scale == LINEAR and highest <= LOWEST_LINEAR_MAXIMUM:
        _disagree(values, scale, LOG2, where)


def _all_whole(finite: np.ndarray) -> bool:
    return bool(np.all(finite == np.floor(finite)))


def _check_expected_counts(values: pd.DataFrame, highest: float, where: str, rounded: bool) -> None:
    """Judge counts that are not whole numbers: those that are to be rounded, and all others."""
    if highest <= HIGHEST_LOG2:
        _disagree(values, COUNTS, LOG2, where)
    declared = f"{where}: declared is `scale: counts`, but {describe_values(values)}"
    if not rounded:
        raise AdnormError(
            f"{declared}. Expected counts (RSEM, salmon, tximport) are not whole: if that is what "
            "they are, write `round_counts: true` below `source:` in the cohort file. If they are "
            "TPM or FPKM, which is what linear values look like, change the line `scale: counts` "
            "to `scale: linear`; if neither, this is the wrong table"
        )
    sums = values.sum()
    if len(sums) > 1 and sums.max() <= TPM_SPREAD * sums.min():
        raise AdnormError(
            f"{declared}, and all samples have the same sum ({sums.median():.6g}), as TPM have and "
            "reads have not. If they are TPM, change the line `scale: counts` of the cohort file "
            "to `scale: linear` and take `round_counts` out; if not, this is the wrong table"
        )


def _check_library_sizes(values: pd.DataFrame, matrix: np.ndarray, where: str) -> None:
    """Judge whether linear values of RNA-seq are normalized for library size."""
    sums = np.nansum(matrix, axis=0)
    spread = sums.max() / sums.min() if sums.min() > 0 else np.inf
    deep = np.median(sums) > HIGHEST_NORMALIZED_SUM and spread > LIBRARY_SPREAD
    whole = _all_whole(matrix[np.isfinite(matrix)])
    found = f"the sums of the samples run from {sums.min():.4g} to {sums.max():.4g}"
    if whole and (deep or spread > NORMALIZED_SPREAD):
        _disagree(values, LINEAR, COUNTS, where, f"; {found}, as those of libraries do")
    if spread > NORMALIZED_SPREAD:
        get_logger().warning(
            "%s: declared is `scale: linear`, and %s; linear values are expected to be normalized "
            "for library size (TPM, FPKM). Expected counts belong under `scale: counts` with "
            "`source: round_counts: true`",
            where,
            found,
        )
    elif whole:
        get_logger().warning(
            "%s: declared is `scale: linear`, and all values are whole numbers; they are taken "
            "for rounded TPM or FPKM. If they are counts, declare `scale: counts`",
            where,
        )


def _disagree(values: pd.DataFrame, scale: str, other: str, where: str, also: str = "") -> None:
    raise AdnormError(
        f"{where}: declared is `scale: {scale}`, but {describe_values(values)}{also}, which is "
        f"what {other} values look like. If that is what they are, change the line "
        f"`scale: {scale}` of the cohort file to `scale: {other}`; if not, this is the wrong table"
    )
