"""The index of every gene: what a treatment reversed, and what disease it left behind."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from adnorm.base.files import atomic
from adnorm.index.means import (
    FEWEST_PATIENTS,
    Group,
    Mean,
    PatientTable,
)
from adnorm.index.ratio import fieller_interval
from adnorm.scores.zscore import moderate_variances
from adnorm.study.comparisons import number
from adnorm.study.vocabulary import Direction, GeneClass

#: The share that counts as reversed, as in the residual disease genomic profile (RDGP).
REVERSED = 0.75
#: How many standard deviations of the posterior a disease effect must be away from 0.
LEAST_RATIO = 2.5
COLUMNS = [
    *("reference", "arm", "week", "gene", "class", "ni", "lower", "upper"),
    *("denominator", "denominator_se", "decrease", "pairs", "reason"),
]


@dataclass(frozen=True)
class _Disease:
    """Lesional − reference of every gene, as measured and shrunken."""

    raw: np.ndarray
    variance: np.ndarray
    deviations: np.ndarray
    freedom: float
    shrunken: np.ndarray
    deviation: np.ndarray
    estimable: np.ndarray


def gene_index(
    log2: np.ndarray,
    genes: np.ndarray,
    observations: pd.DataFrame,
    reference: str,
    confidence: float,
) -> pd.DataFrame:
    """Index of every gene at every visit of every arm, with Fieller's interval and a class.

    The disease effect of a gene is shrunken by empirical Bayes, because a gene that was high in
    lesional skin by chance at baseline would fall by itself. The same chance sits in the decrease,
    so the part of the decrease that goes with what was shrunken away is taken off as well.

    Classes by interval: ``reversed`` above 75 %; ``worsened`` below 0; ``residual`` below 75 %;
    ``partial`` above 0 and includes 75 %; ``not estimable`` when the disease effect is below 2.5
    standard errors or the interval includes 0 and 75 %: inconclusive.

    Parameters
    ----------
    log2, genes, observations
        The cohort, as in `fit_crossfit_axis`.
    reference
        ``nonlesional`` or ``healthy``.
    confidence
        Coverage of the intervals.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`, sorted by arm, week, gene; ``denominator`` is the shrunken disease
        effect, ``decrease`` the mean decrease since baseline (both log2). No rows when the cohort
        has no lesional − reference difference of three people or no visit after baseline.

    References
    ----------
    Fieller E C (1954). J R Stat Soc B 16:175-185. Stephens M (2017). Biostatistics 18:275-294.
    """
    order = np.argsort(genes, kind="stable")
    genes = np.asarray(genes, dtype=object)[order]
    table = PatientTable.of(log2[order].T, observations)
    mean = table.baseline_difference(reference)
    if not mean or min(len(group.rows) for group in mean) < FEWEST_PATIENTS:
        return pd.DataFrame(columns=COLUMNS)
    disease = _disease(mean, table, float(np.abs(log2).max()))
    parts = [pd.DataFrame(columns=COLUMNS)]
    for arm, week in table.visits:
        change = table.decrease(arm, week)
        # From here on the rows are patients, as those of the disease effect are.
        change = replace(change, rows=table.owner(change.rows))
        visit = _visit(change, disease, confidence)
        parts.append(
            pd.DataFrame(
                {"reference": reference, "arm": arm, "week": week, "gene": genes, **visit},
                columns=COLUMNS,
            )
        )
    return pd.concat(parts[1:] or parts, ignore_index=True)


def _disease(mean: Mean, table: PatientTable, scale: float) -> _Disease:
    plain = table.mean(mean)
    raw = plain.value
    variance, freedom = np.zeros_like(raw), np.inf
    for group in mean:
        size = len(group.rows)
        moderated, own, _ = moderate_variances(group.values.var(axis=0, ddof=1), size - 1)
        variance += moderated / size
        freedom = min(freedom, own)
    shrunken, deviation = shrink_effects(raw, np.sqrt(variance))
    # A difference of rounding size is no disease effect, however small its error.
    estimable = np.abs(shrunken) > np.maximum(LEAST_RATIO * deviation, 1e-9 * scale)
    return _Disease(raw, variance, plain.parts, freedom, shrunken, deviation, estimable)


def _visit(change: Group, disease: _Disease, confidence: float) -> dict[str, Any]:
    """Index, interval and class of every gene at one visit."""
    pairs, genes = change.values.shape
    shown = {
        "denominator": disease.shrunken,
        "denominator_se": disease.deviation,
        "decrease": change.values.mean(axis=0) if pairs else np.full(genes, np.nan),
        "pairs": pairs,
    }
    if pairs < FEWEST_PATIENTS:
        reason = f"{pairs} patients with lesional skin at baseline and this visit; at least "
        unknown = {"class": GeneClass.NOT_ESTIMABLE, "ni": np.nan, "lower": np.nan, "upper": np.nan}
        return shown | unknown | {"reason": f"{reason}{FEWEST_PATIENTS} are required"}
    decrease, covariance, freedom = _without_chance(change, disease)
    safe = np.where(disease.estimable, disease.shrunken, 1.0)
    lower, upper = fieller_interval(
        decrease, safe, covariance, min(freedom, disease.freedom), confidence
    )
    known = disease.estimable & np.isfinite(lower)
    ni, lower, upper = (np.where(known, x, np.nan) for x in (decrease / safe, lower, upper))
    vague = (lower <= 0) & (upper >= REVERSED)
    classes = np.select(
        [~known | vague, lower > REVERSED, upper < 0, upper < REVERSED],
        [GeneClass.NOT_ESTIMABLE, GeneClass.REVERSED, GeneClass.WORSENED, GeneClass.RESIDUAL],
        default=GeneClass.PARTIAL,
    )
    small = "disease effect too small against its standard error"
    both = "interval includes 0 and 75 %: inconclusive"
    reasons = np.select([~known, vague], [small, both], default="")
    return shown | {"class": classes, "ni": ni, "lower": lower, "upper": upper, "reason": reasons}


def _without_chance(
    change: Group, disease: _Disease
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray, np.ndarray], float]:
    """Decrease given the shrunken disease effect, and the covariance matrix of the two.

    With a flat prior on the decrease and normal noise, the noise in the decrease is β times the
    noise in the disease effect plus independent noise, β = covariance / variance.
    """
    size = len(change.rows)
    decrease = change.values.mean(axis=0)
    centred = (change.values - decrease) / np.sqrt(size * (size - 1))
    raw = (centred**2).sum(axis=0)
    moderated, freedom, _ = moderate_variances(raw * size, size - 1)
    variance = moderated / size
    shared = (centred * disease.deviations[change.rows]).sum(axis=0)
    product = raw * (disease.deviations**2).sum(axis=0)
    # Scaled to the moderated variances, so that the correlation stays what was measured.
    correlation = np.divide(shared, np.sqrt(product), out=np.zeros_like(raw), where=product > 0)
    slope = correlation * np.sqrt(
        np.divide(variance, disease.variance, out=np.zeros_like(raw), where=disease.variance > 0)
    )
    alone = np.maximum(variance - slope**2 * disease.variance, 0.0)
    left = disease.deviation**2
    return (
        decrease - slope * (disease.raw - disease.shrunken),
        (alone + slope**2 * left, left, slope * left),
        freedom,
    )


def refuse_genes(table: pd.DataFrame, reason: str) -> pd.DataFrame:
    """Remove the index of all genes, for a reason; without a reason nothing changes."""
    if not reason:
        return table
    numbers = dict.fromkeys(["ni", "lower", "upper"], np.nan)
    return table.assign(**numbers, reason=reason, **{"class": GeneClass.NOT_ESTIMABLE})


# ---------------------------------------------------------------- shrinkage

#: Pseudo-counts on the null component, so that a weak signal is not taken for an effect.
NULL_BIAS = 10.0
ITERATIONS = 300


def shrink_effects(estimate: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shrink effects towards 0 by adaptive shrinkage, learnt from the effects of all genes.

    The prior is a mixture of a point at 0 and centred normal distributions, its weights fitted to
    all genes. Large effects stay where they are; what chance alone would give goes to 0. An effect
    without error stays. Mean and deviation are those of the posterior (Stephens 2017).
    """
    mean, deviation = estimate.astype(float).copy(), np.zeros(len(estimate))
    noisy = error > 0
    if not noisy.any():
        return mean, deviation
    effect, noise = estimate[noisy], error[noisy] ** 2
    prior = _prior_variances(effect, noise)
    total = noise[:, None] + prior
    density = -0.5 * (effect[:, None] ** 2 / total + np.log(total))
    density = np.exp(density - density.max(axis=1, keepdims=True))
    share = density * _mixture_weights(density)
    share /= share.sum(axis=1, keepdims=True)
    factor = prior / total
    means = factor * effect[:, None]
    mean[noisy] = (share * means).sum(axis=1)
    # In this form no difference of large numbers can turn negative.
    apart = (means - mean[noisy][:, None]) ** 2
    deviation[noisy] = np.sqrt((share * (factor * noise[:, None] + apart)).sum(axis=1))
    return mean, deviation


def _prior_variances(effect: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Variances of the mixture: 0, then a grid from a tenth of the least noise upwards."""
    smallest = np.sqrt(noise.min()) / 10
    largest = max(2 * np.sqrt(max(float((effect**2 - noise).max()), 0.0)), 8 * smallest)
    steps = int(np.ceil(np.log2(largest / smallest)))
    return np.concatenate([[0.0], (largest * 2.0 ** -np.arange(steps, -1.0, -1.0)) ** 2])


def _mixture_weights(density: np.ndarray) -> np.ndarray:
    """Weights of the components by expectation-maximization."""
    bias = np.zeros(density.shape[1])
    bias[0] = NULL_BIAS
    weights = np.full(density.shape[1], 1 / density.shape[1])
    for _ in range(ITERATIONS):
        inverse = 1.0 / (density @ weights)
        counts = weights * (inverse @ density) + bias
        new = counts / counts.sum()
        if np.abs(new - weights).max() < 1e-5:
            return new
        weights = new
    return weights


# ---------------------------------------------------------------- residual profile


def residual_profile(
    table: pd.DataFrame, cohort: str, minimum_effect: float
) -> dict[str, tuple[str, list[str]]]:
    """Collect the residual disease profile: disease genes that stay below 75 %.

    Name of the set (the cohort opens it) → its description and genes; one for genes that are up in
    disease by more than `minimum_effect`, one for those that are down, for every visit with any.
    """
    left = table[
        table["class"].isin([GeneClass.RESIDUAL, GeneClass.WORSENED])
        & (table["denominator"].abs() > minimum_effect)
    ]
    sets: dict[str, tuple[str, list[str]]] = {}
    visits: Any = left.groupby(["reference", "arm", "week"], sort=True)
    for (reference, arm, week), rows in visits:
        for direction, sign in ((Direction.UP, 1), (Direction.DOWN, -1)):
            genes = sorted(rows.loc[sign * rows["denominator"] > 0, "gene"])
            if genes:
                visit = re.sub(r"[^A-Za-z0-9.-]+", "_", f"{arm}_week_{number(week)}")
                sets[f"residual_{cohort}_{visit}_vs_{reference}_{direction}"] = (
                    f"{direction} in lesional skin, below 75 % of the way to {reference} skin: "
                    f"{cohort}, {arm}, week {number(week)}",
                    genes,
                )
    return sets


def write_gmt(sets: Mapping[str, tuple[str, list[str]]], path: Path | str) -> None:
    """Write gene sets as GMT: name, description, genes; a file without sets is empty."""
    with atomic(path) as temporary:
        lines = ["\t".join([name, text, *genes]) + "\n" for name, (text, genes) in sets.items()]
        temporary.write_text("".join(lines), encoding="utf-8")
