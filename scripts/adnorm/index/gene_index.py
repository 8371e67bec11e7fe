"""The index of every gene: what a treatment reversed, and what disease it left behind."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from adnorm.base.tables import atomic
from adnorm.index.estimability import FEWEST_PAIRS, LEAST_RATIO, SET
from adnorm.index.groups import Mean, PatientTable, contributions, estimate, smallest
from adnorm.index.resample import fieller_interval
from adnorm.index.selection import first_reason
from adnorm.index.shrinkage import shrink_effects
from adnorm.scores.zscore import moderate_variances
from adnorm.study.comparisons import number

#: The share that counts as reversed, as in the residual disease genomic profile.
REVERSED = 0.75
CLASSES = ("reversed", "partial", "residual", "worsened", "not estimable")
COLUMNS = [
    "reference",
    "arm",
    "week",
    "gene",
    "class",
    "ni",
    "lower",
    "upper",
    "denominator",
    "denominator_se",
    "decrease",
    "pairs",
    "reason",
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
    settings: Mapping,
) -> pd.DataFrame:
    """Index of every gene at every visit of every arm, with Fieller's interval and a class.

    The disease effect of a gene is shrunken by empirical Bayes, because a gene that was high in
    lesional skin by chance at baseline would fall by itself. The same chance sits in the decrease,
    so the part of the decrease that goes with what was shrunken away is taken off as well.

    Classes by interval: ``reversed`` above 75 %; ``worsened`` below 0; ``residual`` below 75 %;
    ``partial`` above 0 and around 75 %; ``not estimable`` when the disease effect is below 2.5
    standard errors or the interval holds both no change and 75 %.

    Parameters
    ----------
    log2, genes, observations
        The cohort, as in `fit_crossfit_axis`.
    reference
        ``nonlesional`` or ``healthy``.
    settings
        ``confidence``.

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
    if not mean or smallest(mean) < FEWEST_PAIRS:
        return pd.DataFrame(columns=COLUMNS)
    disease = _disease(mean, len(table.patients), float(np.abs(log2).max()))
    parts = [pd.DataFrame(columns=COLUMNS)]
    for arm, week in table.visits:
        change = table.decrease(arm, week)
        visit = _visit(change.rows, change.values, disease, float(settings["confidence"]))
        parts.append(
            pd.DataFrame(
                {"reference": reference, "arm": arm, "week": week, "gene": genes, **visit},
                columns=COLUMNS,
            )
        )
    return pd.concat(parts[1:] or parts, ignore_index=True)


def _disease(mean: Mean, patients: int, scale: float) -> _Disease:
    raw = estimate(mean)
    variance, freedom = np.zeros_like(raw), np.inf
    for group in mean:
        size = len(group.rows)
        moderated, own, _ = moderate_variances(group.values.var(axis=0, ddof=1), size - 1)
        variance += moderated / size
        freedom = min(freedom, own)
    shrunken, deviation = shrink_effects(raw, np.sqrt(variance))
    # A difference of rounding size is no disease effect, however small its error.
    estimable = np.abs(shrunken) > np.maximum(LEAST_RATIO[SET] * deviation, 1e-9 * scale)
    return _Disease(
        raw, variance, contributions(mean, patients), freedom, shrunken, deviation, estimable
    )


def _visit(
    rows: np.ndarray, values: np.ndarray, disease: _Disease, confidence: float
) -> dict[str, object]:
    """Index, interval and class of every gene at one visit."""
    pairs, genes = values.shape
    blank = np.full(genes, np.nan)
    shown = {
        "denominator": disease.shrunken,
        "denominator_se": disease.deviation,
        "decrease": values.mean(axis=0) if pairs else blank,
        "pairs": pairs,
    }
    if pairs < FEWEST_PAIRS:
        reason = f"{pairs} patients with lesional skin at baseline and this visit; at least "
        unknown = {"class": CLASSES[4], "ni": np.nan, "lower": np.nan, "upper": np.nan}
        return shown | unknown | {"reason": f"{reason}{FEWEST_PAIRS} are asked"}
    decrease, covariance, freedom = _without_chance(rows, values, disease)
    safe = np.where(disease.estimable, disease.shrunken, 1.0)
    lower, upper = fieller_interval(
        decrease, safe, covariance, min(freedom, disease.freedom), confidence
    )
    known = disease.estimable & np.isfinite(lower)
    ni, lower, upper = (np.where(known, x, np.nan) for x in (decrease / safe, lower, upper))
    vague = (lower <= 0) & (upper >= REVERSED)
    classes = first_reason(
        genes,
        [
            (~known | vague, CLASSES[4]),
            (lower > REVERSED, "reversed"),
            (upper < 0, "worsened"),
            (upper < REVERSED, "residual"),
            (known, "partial"),
        ],
    )
    reason = first_reason(
        genes,
        [
            (~known, "disease effect too small against its standard error"),
            (vague, "the interval holds both no change and 75 %"),
        ],
    )
    return shown | {"class": classes, "ni": ni, "lower": lower, "upper": upper, "reason": reason}


def _without_chance(
    rows: np.ndarray, values: np.ndarray, disease: _Disease
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray, np.ndarray], float]:
    """Decrease given the shrunken disease effect, and the covariance matrix of the two.

    With a flat prior on the decrease and normal noise, the noise in the decrease is β times the
    noise in the disease effect plus independent noise, β = covariance / variance.
    """
    size = len(rows)
    decrease = values.mean(axis=0)
    centred = (values - decrease) / np.sqrt(size * (size - 1))
    raw = (centred**2).sum(axis=0)
    moderated, freedom, _ = moderate_variances(raw * size, size - 1)
    variance = moderated / size
    shared = (centred * disease.deviations[rows]).sum(axis=0)
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
    """Take the index of all genes back where `reason` says why; without one nothing changes."""
    if not reason:
        return table
    numbers = dict.fromkeys(["ni", "lower", "upper"], np.nan)
    return table.assign(**numbers, reason=reason, **{"class": CLASSES[4]})


def residual_profile(table: pd.DataFrame, cohort: str, minimum_effect: float) -> dict[str, dict]:
    """Collect the residual disease profile: disease genes that stay below 75 %.

    Parameters
    ----------
    table
        Result of `gene_index`.
    cohort
        Opens the names of the sets.
    minimum_effect
        Least absolute disease effect (log2) of a disease gene.

    Returns
    -------
    dict
        Name of the set → ``{"description": …, "genes": [...]}``; one for genes that are up in
        disease and one for genes that are down, for every visit that has any.

    References
    ----------
    The 75 % threshold is that of the residual disease genomic profile (RDGP).
    """
    left = table[
        table["class"].isin(["residual", "worsened"])
        & (table["denominator"].abs() > minimum_effect)
    ]
    sets: dict[str, dict] = {}
    for (reference, arm, week), rows in left.groupby(["reference", "arm", "week"], sort=True):
        for direction, sign in (("up", 1), ("down", -1)):
            genes = sorted(rows.loc[sign * rows["denominator"] > 0, "gene"])
            if genes:
                visit = re.sub(r"[^A-Za-z0-9.-]+", "_", f"{arm}_week_{number(week)}")
                sets[f"residual_{cohort}_{visit}_vs_{reference}_{direction}"] = {
                    "description": f"{direction} in lesional skin, below 75 % of the way to "
                    f"{reference} skin: {cohort}, {arm}, week {number(week)}",
                    "genes": genes,
                }
    return sets


def write_gmt(sets: Mapping[str, dict], path: Path | str) -> None:
    """Write gene sets as GMT: name, description, genes; a file without sets is empty."""
    with atomic(path) as temporary:
        lines = ["\t".join([n, s["description"], *s["genes"]]) + "\n" for n, s in sets.items()]
        temporary.write_text("".join(lines), encoding="utf-8")
