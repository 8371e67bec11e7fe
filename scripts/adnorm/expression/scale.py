"""The declared scale is checked against the values; it is never guessed."""

from __future__ import annotations

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError, Problems

COUNTS = "counts"
LOG2 = "log2"
LINEAR = "linear"
SCALES = (COUNTS, LOG2, LINEAR)

#: No assay spans 2^25 (33 million) units, so a larger value is not a log2 value.
HIGHEST_LOG2 = 25.0
#: Expression on a linear scale (TPM, FPKM, intensities) always has genes above this.
LOWEST_LINEAR_MAXIMUM = 50.0
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


def verify_scale(values: pd.DataFrame, scale: str, where: str, assay: str = "") -> None:
    """Stop when the values contradict the declared scale.

    Counts are whole numbers from 0; log2 values stay below 25 and may be negative (ratios); linear
    values are never negative and reach beyond 50. Missing values are not judged here.

    Parameters
    ----------
    values
        Rows × samples as published.
    scale
        The declared scale: counts, log2 or linear.
    where
        The file, for messages.
    assay
        ``microarray`` or ``rna-seq``; whole numbers on a linear scale are counts only in RNA-seq.

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
    _check_shape(values, matrix, scale, where, assay)


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
    values: pd.DataFrame, matrix: np.ndarray, scale: str, where: str, assay: str
) -> None:
    finite = matrix[np.isfinite(matrix)]
    if not finite.size:
        raise AdnormError(f"{where}: every value is missing")
    highest, lowest = finite.max(), finite.min()
    if highest == lowest:
        raise AdnormError(f"{where}: all values are {highest:g}; there is nothing to compare")
    whole = bool(np.all(finite == np.floor(finite)))
    if scale == COUNTS and not whole:
        _disagree(values, scale, _other_than_counts(highest), where)
    if scale == COUNTS and highest > HIGHEST_COUNT:
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
    if scale == LINEAR and whole and assay == "rna-seq":
        _disagree(values, scale, COUNTS, where)


def _other_than_counts(highest: float) -> str:
    return LINEAR if highest > LOWEST_LINEAR_MAXIMUM else LOG2


def _disagree(values: pd.DataFrame, scale: str, other: str, where: str) -> None:
    extra = ""
    if scale == COUNTS and other == LINEAR:
        extra = " (expected counts of RSEM or salmon: round them before, and keep `scale: counts`)"
    raise AdnormError(
        f"{where}: declared is `scale: {scale}`, but {describe_values(values)}, which is what "
        f"{other} values look like. If that is what they are, change the line `scale: {scale}` of "
        f"the cohort file to `scale: {other}`{extra}; if not, this is the wrong table"
    )
