"""The signed z score: zero and unit come from the reference samples of the cohort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError

ALL_SAMPLES = "all samples"
#: Below this many reference samples their own spread says too little.
FEWEST_REFERENCES = 6


@dataclass(frozen=True)
class Reference:
    """Where zero is and how wide one unit is.

    Attributes
    ----------
    name
        ``"nonlesional@0"``, ``"healthy@0"`` or ``"all samples"``.
    samples
        Number of samples that define zero.
    spread
        What the standard deviation was taken over.
    centre, deviation
        Mean and moderated standard deviation of each gene, shape (genes,). The deviation of a gene
        that is constant in all samples is NaN.
    """

    name: str
    samples: int
    spread: str
    centre: np.ndarray
    deviation: np.ndarray


def find_reference(expression: np.ndarray, samples: pd.DataFrame, state: str) -> Reference:
    """Take zero from the reference samples of the cohort before treatment.

    The standard deviation is that of the reference samples when there are at least six, otherwise
    the pooled one within (state, week, arm); it is moderated over genes by limma's empirical Bayes,
    so that a gene with a small deviation by chance does not dominate a set.

    Parameters
    ----------
    expression
        Log2 expression, shape (samples, genes); finite.
    samples
        Canonical sample sheet: state, week, arm.
    state
        Of the reference samples, ``"nonlesional"`` or ``"healthy"``.

    Raises
    ------
    AdnormError
        There are too few samples for any standard deviation.
    """
    states = samples["state"].astype(str).to_numpy()
    week = samples["week"].to_numpy(dtype=float)
    chosen, name = (states == state) & (week == 0), f"{state}@0"
    if not chosen.any():
        chosen, name = np.ones(len(samples), dtype=bool), ALL_SAMPLES
    if name != ALL_SAMPLES and chosen.sum() >= FEWEST_REFERENCES:
        groups, spread = np.where(chosen, 0, -1), f"{name} samples"
    else:
        keys = pd.DataFrame({"s": states, "w": week, "a": samples["arm"].astype(str).to_numpy()})
        groups = keys.groupby(["s", "w", "a"], dropna=False).ngroup().to_numpy()
        spread = "within state, week and arm"
    variance, freedom = _pooled_variance(expression, groups)
    if freedom == 0:
        groups, spread = np.zeros(len(samples), dtype=int), ALL_SAMPLES
        variance, freedom = _pooled_variance(expression, groups)
    if freedom == 0:
        raise AdnormError(
            "the z score needs the spread between samples and this cohort has only one sample; "
            "take zscore out of scores: methods"
        )
    constant = np.ptp(expression, axis=0) == 0
    moderated, _, unseen = moderate_variances(np.where(constant, 0.0, variance), freedom)
    deviation = np.sqrt(np.where(moderated > 0, moderated, unseen))
    deviation[constant | (deviation == 0)] = np.nan
    centre = expression[chosen].mean(axis=0)
    return Reference(name, int(chosen.sum()), spread, centre, deviation)


def _pooled_variance(expression: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, int]:
    """Variance within groups and its degrees of freedom; group −1 is left out."""
    squares = np.zeros(expression.shape[1])
    freedom = 0
    for group in np.unique(groups[groups >= 0]):
        rows = expression[groups == group]
        squares += ((rows - rows.mean(axis=0)) ** 2).sum(axis=0)
        freedom += len(rows) - 1
    return (squares / freedom if freedom else squares), freedom


def moderate_variances(variance: np.ndarray, freedom: int) -> tuple[np.ndarray, float, float]:
    """Squeeze the variances of genes towards their common prior (limma's empirical Bayes).

    Parameters
    ----------
    variance
        Sample variances, shape (genes,). Genes that do not vary keep 0: they would pull the prior
        to zero.
    freedom
        Their degrees of freedom.

    Returns
    -------
    variance : ndarray, shape (genes,)
    freedom : float
        Degrees of freedom of the moderated variances; infinite when all genes share one variance.
    unseen : float
        What the prior makes of a gene without any variance.

    References
    ----------
    Smyth G K (2004). Stat Appl Genet Mol Biol 3:3.
    """
    from pylimma import squeeze_var

    # Rounding leaves constant genes with a variance that is not exactly zero.
    varies = variance > 1e-12 * max(float(variance.max(initial=0.0)), 1e-300)
    moderated = np.where(varies, variance, 0.0)
    if varies.sum() < 3:
        return moderated, float(freedom), 0.0
    fit = squeeze_var(variance[varies], float(freedom))
    moderated[varies] = fit["var_post"]
    prior, prior_freedom = float(fit["var_prior"]), float(fit["df_prior"])
    total = freedom + prior_freedom
    return moderated, total, prior if np.isinf(total) else prior_freedom * prior / total


def z_scores(
    expression: np.ndarray,
    genes: Sequence[str],
    sets: Mapping[str, Mapping[str, int]],
    reference: Reference,
) -> pd.DataFrame:
    """Average sign × z over the genes of each set.

    Parameters
    ----------
    expression
        Log2 expression, shape (samples, genes); finite.
    genes
        Symbol of each column; unique.
    sets
        Sign (1 or −1) by symbol, for each set.
    reference
        Zero and unit of each gene.

    Returns
    -------
    DataFrame
        Scores, shape (samples, sets). Genes that are constant in all samples are left out of the
        average; a set of nothing else is NaN.
    """
    column = {gene: i for i, gene in enumerate(genes)}
    scores = np.full((expression.shape[0], len(sets)), np.nan)
    for j, signs in enumerate(sets.values()):
        # Sorted, so that the order of a set in its file does not reach the last digit.
        signed = [(column[gene], sign) for gene, sign in sorted(signs.items())]
        signed = [(i, sign) for i, sign in signed if np.isfinite(reference.deviation[i])]
        if signed:
            where = np.array([i for i, _ in signed])
            sign = np.array([s for _, s in signed], dtype=float)
            z = (expression[:, where] - reference.centre[where]) / reference.deviation[where]
            scores[:, j] = (z * sign).mean(axis=1)
    return pd.DataFrame(scores, columns=list(sets))
