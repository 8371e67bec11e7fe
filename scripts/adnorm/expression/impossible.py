"""What no value can be, whatever scale is declared: infinite, below zero reads, parts of reads."""

from __future__ import annotations

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError, Problems
from adnorm.expression.evidence import BASES, EQUAL_SUMS, spread, whole_behind
from adnorm.expression.readings import (
    COUNTS,
    HIGHEST_COUNT,
    LINEAR,
    LOG_COUNTS,
    WORDS,
    Reading,
    percent,
)
from adnorm.expression.turned import counts_behind, log2_per_unit

#: A single log2 value above this is an error of the table.
IMPOSSIBLE_LOG2 = 50.0


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
        f"{upper:.4g}), and {percent(whole)} of them are whole numbers"
    )


def as_numbers(values: pd.DataFrame, where: str) -> np.ndarray:
    """Return the values as numbers, or stop at the first column of text."""
    try:
        return values.to_numpy(dtype=float)
    except (TypeError, ValueError) as error:
        text = [c for c in values.columns if not pd.api.types.is_numeric_dtype(values[c])]
        raise AdnormError(
            f"{where}: {len(text)} columns hold text instead of numbers, first '{text[0]}' "
            f"({error}); mend the table"
        ) from error


def refuse_nothing(values: pd.DataFrame, matrix: np.ndarray, where: str) -> None:
    """Stop at a table without values, or with one value everywhere."""
    if matrix.size == 0:
        raise AdnormError(
            f"{where}: the table has {values.shape[0]} rows and {values.shape[1]} samples; there "
            "are no values to work on"
        )
    finite = matrix[np.isfinite(matrix)]
    if np.isnan(matrix).all():
        raise AdnormError(f"{where}: every value is missing")
    if finite.size and finite.max() == finite.min() and not np.isinf(matrix).any():
        raise AdnormError(f"{where}: all values are {finite[0]:g}; there is nothing to compare")


def refuse_infinite(values: pd.DataFrame, matrix: np.ndarray, where: str) -> None:
    """Stop at infinite values; the first is named."""
    problems = Problems(where)
    _name_cells(values, np.isinf(matrix), "infinite", problems, note="a log2 of zero, perhaps")
    problems.stop()


def refuse_negative(
    values: pd.DataFrame,
    matrix: np.ndarray,
    scale: str,
    reading: Reading,
    where: str,
) -> None:
    """Refuse negative counts and linear values; say what the table looks like."""
    if scale not in (COUNTS, LINEAR):
        return
    negative = np.less(matrix, 0, where=~np.isnan(matrix), out=np.zeros(matrix.shape, dtype=bool))
    problems = Problems(where)
    advice = "Mend the table, or exclude the samples"
    if reading.scale is None:
        advice = f"Besides, {reading.why}. {reading.instead}"
    elif reading.scale not in (COUNTS, LINEAR):
        because = f" ({reading.why})" if reading.why else ""
        advice = (
            f"They look like {WORDS[reading.scale]}{because}: if that is what they are, change the "
            f"line `scale: {scale}` of the cohort file to `scale: {reading.scale}`"
        )
    note = f"which the declared `scale: {scale}` cannot have"
    if reading.scale is not None:
        note += "; log2 values and ratios can"
    _name_cells(values, negative, "negative", problems, note, advice)
    problems.stop()


def refuse_impossible(
    values: pd.DataFrame, matrix: np.ndarray, scale: str, where: str, rounded: bool
) -> None:
    """Refuse what no reason can make right: parts of reads, reads below zero or beyond number."""
    problems = Problems(where)
    if scale in BASES:
        hit = matrix * log2_per_unit(scale) > IMPOSSIBLE_LOG2
        advice = (
            "Mend the table, or exclude the samples; if the values are linear after all, write "
            '`scale: linear`, and `scale_checked: "how you know"` below `source:`'
        )
        note = "on the log2 scale; no log2 value is"
        _name_cells(values, hit, "above 50", problems, note, advice)
        problems.stop()
    counts, whole = matrix, True
    if scale in LOG_COUNTS:
        counts = _counts_behind(matrix, scale)
        found = whole_behind(matrix, BASES[LOG_COUNTS[scale]])
        whole = found is None or found.counts
        note = f"once {WORDS[scale]} is turned back into counts"
        _name_cells(values, counts < -0.5, "below zero reads", problems, note)
        problems.stop()
    elif scale == COUNTS:
        finite = matrix[np.isfinite(matrix)]
        whole = bool(np.all(finite == np.floor(finite)))
    else:
        return
    if (whole or rounded) and np.nanmax(counts) <= HIGHEST_COUNT:
        return
    declared = f"{where}: declared is `scale: {scale}`, but {describe_values(values)}"
    other = LOG_COUNTS.get(scale, LINEAR)
    change = f"change the line `scale: {scale}` of the cohort file to `scale: {other}`"
    if np.nanmax(counts) > HIGHEST_COUNT:
        raise AdnormError(
            f"{declared}; no gene has so many reads in one sample. If they are {WORDS[other]}, "
            f"{change}; if not, this is the wrong table"
        )
    if scale in LOG_COUNTS:
        declared += ", and turned back they are no whole numbers"
    sums = np.nansum(counts, axis=0)
    if matrix.shape[1] > 1 and spread(sums) <= EQUAL_SUMS:
        raise AdnormError(
            f"{declared}; all samples have the same sum ({np.median(sums):.6g}), as TPM have and "
            f"reads have not, which is what {WORDS[other]} look like. If that is what they are, "
            f"{change}; if not, this is the wrong table"
        )
    raise AdnormError(
        f"{declared}. Expected counts (RSEM, salmon, tximport) are not whole: if that is what they "
        "are, write `round_counts: true` below `source:` in the cohort file. If they are TPM or "
        f"FPKM, which is what {WORDS[other]} look like, {change}; if neither, this is the wrong "
        "table"
    )


def _counts_behind(matrix: np.ndarray, scale: str) -> np.ndarray:
    with np.errstate(over="ignore"):
        return counts_behind(matrix, scale)[0]


def _name_cells(
    values: pd.DataFrame,
    hit: np.ndarray,
    what: str,
    problems: Problems,
    note: str,
    advice: str = "Mend the table, or exclude the samples",
) -> None:
    if not hit.any():
        return
    rows, columns = np.nonzero(hit)
    row, column = rows[0], columns[0]
    samples = len(set(columns.tolist()))
    problems.add(
        f"{len(rows)} values in {samples} samples are {what} ({note}); the first is "
        f"{values.iat[row, column]:g} in row '{values.index[row]}', sample "
        f"'{values.columns[column]}'. {advice}"
    )
