"""From the declared scale to one of the three that the stage works on: counts, linear, log2."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from adnorm.expression.evidence import (
    BASES,
    EQUAL_SUMS,
    equal_sums_behind,
    half_steps,
    spread,
    sums_behind,
    whole_behind,
)
from adnorm.expression.readings import COUNTS, LINEAR, LOG2, LOG_COUNTS

MILLION = 1e6
# Sums this close to a million, as a ratio, are left as they are.
_PER_MILLION = 2.0


@dataclass(frozen=True)
class Turned:
    """Values on a working scale, and how they got there.

    Attributes
    ----------
    values
        Rows × samples.
    scale
        counts, linear or log2.
    words
        What was done, to stand before the method of normalization; empty when nothing was.
    steps
        Rows of identifiers.tsv: step, count, detail.
    """

    values: pd.DataFrame
    scale: str
    words: str = ""
    steps: list[tuple[str, int, str]] = field(default_factory=list)


def log2_per_unit(name: str) -> float:
    """Return what one unit of a logarithm is in log2."""
    return float(np.log2(BASES[name]))


def counts_behind(matrix: np.ndarray, scale: str) -> tuple[np.ndarray, float]:
    """Take log(count + offset) back; the counts are not rounded.

    Returns
    -------
    counts : ndarray of float
        Same shape.
    offset
        1, unless the values show another.
    """
    base = BASES[LOG_COUNTS[scale]]
    found = whole_behind(matrix, base)
    offset = found.offset if found is not None and (found.counts or found.expected_counts) else 1.0
    with np.errstate(over="ignore"):
        return np.exp(matrix * np.log(base)) - offset, offset


def turn(values: pd.DataFrame, scale: str, assay: str, rounded: bool) -> Turned:
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
        Rows × samples; `adnorm.expression.scale.verify_scale` has passed them.
    scale
        The declared scale.
    assay
        ``microarray`` or ``rna-seq``.
    rounded
        Whether the cohort file asks to round expected counts.

    Returns
    -------
    Turned
    """
    if scale in LOG_COUNTS:
        return _from_log_counts(values, scale, rounded)
    if scale in BASES and scale != LOG2:
        if assay == "rna-seq" and _normalized_behind(values, scale):
            return _from_log_linear(values, scale)
        factor = log2_per_unit(scale)
        words = f"{scale} values times {factor:.4g}; "
        steps = [(f"{scale} values turned into log2", values.size, f"times {factor:.6g}")]
        return Turned(values * factor, LOG2, words, steps)
    if scale == LINEAR and assay == "rna-seq":
        return _to_million(values)
    if scale != COUNTS or not rounded:
        return Turned(values, scale)
    whole, changed = round_counts(values)
    detail = f"of {values.size} values; asked for by source: round_counts"
    steps = [("expected counts rounded to whole numbers", changed, detail)]
    return Turned(whole, COUNTS, "", steps)


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


def _normalized_behind(values: pd.DataFrame, scale: str) -> bool:
    """Whether x of log(x + 1) is normalized for library size, as equal sums show."""
    matrix = values.to_numpy(dtype=float)
    return bool(np.nanmin(matrix) >= 0) and equal_sums_behind(matrix, sums_behind(matrix)) == scale


def _from_log_linear(values: pd.DataFrame, scale: str) -> Turned:
    linear = np.expm1(values * np.log(BASES[scale]))
    steps = [(f"{scale}(x + 1) turned back into x", values.size, "all samples have one sum then")]
    turned = _to_million(linear)
    words = f"{scale}(x + 1) turned back into x; {turned.words}"
    return Turned(turned.values, LINEAR, words, steps + turned.steps)


def _from_log_counts(values: pd.DataFrame, scale: str, rounded: bool) -> Turned:
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
    return Turned(frame, COUNTS, f"{formula} turned back into counts; ", steps)


def _accuracy(matrix: np.ndarray, name: str) -> str:
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
        return Turned(values, LINEAR)
    told = f"{total:,.5g}" if total < 1000 else f"{total:,.0f}"
    steps = [
        (
            "values brought to per million",
            values.size,
            f"every sample had the sum {told}; times {MILLION / total:.6g}",
        )
    ]
    return Turned(values * (MILLION / total), LINEAR, f"values per {told} × 10⁶ / {told}; ", steps)
