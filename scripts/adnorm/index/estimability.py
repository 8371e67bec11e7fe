"""When an index may be given, and the sentence that says why not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from adnorm.index.groups import HEALTHY, Mean, contributions, estimate, smallest
from adnorm.study.comparisons import HEALTHY_ARM

NO_REFERENCE = "NO_REFERENCE"
NO_PLACEBO = "NO_PLACEBO"
DENOM_NOT_ESTIMABLE = "DENOM_NOT_ESTIMABLE"
DIRECTION_CONTRADICTED = "DIRECTION_CONTRADICTED"
LOW_COVERAGE = "LOW_COVERAGE"
UNSIGNED = "UNSIGNED"
NOT_SCORED = "NOT_SCORED"
TOO_FEW_PAIRS = "TOO_FEW_PAIRS"
OTHER_DISEASE = "OTHER_DISEASE"

GLOBAL, SET, PUBLISHED_AXIS = "global", "set", "published_axis"
#: How many standard errors the disease effect must be away from 0.
LEAST_RATIO = {GLOBAL: 4.0, PUBLISHED_AXIS: 4.0, SET: 2.5}
_KIND = {GLOBAL: "disease axis", PUBLISHED_AXIS: "list", SET: "set"}
#: Below this many patients a standard error means nothing, and there is no number at all.
FEWEST_PAIRS = 3
#: Below this many, intervals are Fieller's and the result is exploratory.
FEWEST_FOR_BOOTSTRAP = 6


@dataclass(frozen=True)
class Denominator:
    """The disease effect before treatment: lesional − reference over all arms.

    Attributes
    ----------
    mean
        The groups that it is made of.
    value, standard_error
        Shape (names,).
    code, reason
        Why no index can rest on it, by name; empty where one can.
    """

    mean: Mean
    value: np.ndarray
    standard_error: np.ndarray
    code: list[str]
    reason: list[str]


def judge_denominator(
    mean: Mean,
    strata: np.ndarray,
    levels: list[str],
    reference: str,
    scale: np.ndarray,
    confidence: float,
) -> Denominator:
    """Decide for every name whether the disease effect is large enough to divide by.

    Parameters
    ----------
    mean
        Lesional − reference at baseline.
    strata
        Code of each patient's arm; healthy people are a stratum of their own.
    levels
        ``global``, ``published_axis`` or ``set`` for every name.
    reference
        ``nonlesional`` or ``healthy``.
    scale
        Largest absolute value of every name; effects below its rounding error are 0.
    confidence
        Of the lower bound that must be above 0.
    """
    value = estimate(mean)
    variances = [(contributions([group], len(strata)) ** 2).sum(axis=0) for group in mean]
    error = np.sqrt(sum(variances))
    freedom = [max(len(group.rows) - 1, 1) for group in mean]
    squared = sum(v**2 / f for v, f in zip(variances, freedom, strict=True))
    df = np.divide(error**4, squared, out=np.full(len(value), np.inf), where=squared > 0)
    margin = stats.t.ppf(0.5 + confidence / 2, df) * error
    real = np.abs(value) > 1e-9 * scale
    counts = _counted(mean, reference)
    codes, reasons = [], []
    for i, level in enumerate(levels):
        least = LEAST_RATIO[level]
        apart = real[i] and abs(value[i]) >= least * error[i] and abs(value[i]) > margin[i]
        said = f"lesional − {reference} at baseline is {value[i]:.2g} ± {error[i]:.2g} ({counts})"
        if smallest(mean) < FEWEST_PAIRS:
            codes.append(DENOM_NOT_ESTIMABLE)
            reasons.append(f"{said}; at least {FEWEST_PAIRS} people are asked")
        elif value[i] < 0 and real[i] and abs(value[i]) > margin[i]:
            codes.append(DIRECTION_CONTRADICTED)
            reasons.append(
                f"{said}, below 0: against the direction of the {_KIND[level]}; either this cohort "
                f"contradicts it or lesional and {reference} labels are swapped"
            )
        elif not apart or value[i] < 0:
            codes.append(DENOM_NOT_ESTIMABLE)
            reasons.append(
                f"{said}, too close to 0 to divide by: "
                + _too_close(value[i], error[i], least, margin[i], confidence)
            )
        else:
            codes.append("")
            reasons.append("")
    return Denominator(mean, value, error, codes, reasons)


def _too_close(value: float, error: float, least: float, margin: float, confidence: float) -> str:
    """Say which rule refuses a disease effect."""
    said = []
    if 0 < error and value < least * error:
        said.append(f"at least {least:g} standard errors are asked, it is {value / error:.1f}")
    if value <= margin:
        bound = value - margin
        said.append(f"a lower {confidence:.0%} bound above 0 is asked, it is {bound:.2g}")
    return "; ".join(said) or "it is rounding error of the scores"


def _counted(mean: Mean, reference: str) -> str:
    if reference == HEALTHY:
        return f"{len(mean[0].rows)} patients, {len(mean[1].rows)} {HEALTHY_ARM} people"
    return f"{len(mean[0].rows)} patients with both"
