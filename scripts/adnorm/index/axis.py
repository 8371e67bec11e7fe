"""The score of every observation on the disease axis, wherever its weights come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError
from adnorm.effects.observations import Observations
from adnorm.index.axis_weights import COLUMNS, first_reason, fit_crossfit_axis, train_axis
from adnorm.index.training_cohorts import TrainingCohorts, find_training_cohorts
from adnorm.study.axis_genes import AxisGenes
from adnorm.study.comparisons import BASELINE
from adnorm.study.config import IndexSettings
from adnorm.study.diseases import same_disease
from adnorm.study.vocabulary import AxisSource, DerivedScore, Level, ReasonCode, State

#: Opens the reason of rows on a list that the cohort helped to make.
NOT_INDEPENDENT = "not independent"


@dataclass(frozen=True)
class DiseaseAxis:
    """An axis of a cohort and the scores on it.

    Attributes
    ----------
    table
        axis.tsv: one row per gene, with the columns ``source`` (``other cohorts``, ``cross-fit`` or
        the published list) and ``disease``.
    scores
        Shape (observations,); NaN where there is no axis.
    reason_code, reason
        Why there is none; empty if there is one.
    basis
        Whose axis it is, in words: the disease, and who taught it.
    name, level
        Of its rows in the index table.
    """

    table: pd.DataFrame
    scores: np.ndarray
    reason_code: str = ""
    reason: str = ""
    basis: str = ""
    name: str = DerivedScore.GLOBAL
    level: Level = Level.GLOBAL


def axis_scores(
    log2: np.ndarray,
    observations: pd.DataFrame,
    weights: np.ndarray,
    fold: pd.Series | None = None,
) -> np.ndarray:
    """Score observations on the axis: Σ w (y − mean of non-lesional skin at baseline).

    Parameters
    ----------
    log2, observations
        As for `fit_crossfit_axis`.
    weights
        Shape (genes,), or (genes, folds) of a cross-fitted axis.
    fold
        Cross-fitted axis: fold of each patient. Patients are scored by the weights of the fold that
        was trained without them; a person in no fold (healthy) by their mean, each fold counting as
        many times as it has patients, so that both stand on one scale.

    Returns
    -------
    ndarray, shape (observations,)
        0 is the mean of non-lesional skin at baseline; of healthy skin where there is none.

    Raises
    ------
    AdnormError
        There is neither non-lesional nor healthy skin at baseline.
    """
    weights = np.asarray(weights, dtype=float).reshape(len(log2), -1)
    used = np.flatnonzero(np.any(weights != 0, axis=1))
    scores = log2[used].T @ weights[used]
    scores = scores - scores[_zero(observations)].mean(axis=0)
    if fold is None:
        return scores[:, 0]
    codes = observations["patient"].astype(str).map(fold).to_numpy(dtype=float)
    sizes = np.bincount(fold.to_numpy(), minlength=weights.shape[1])
    result = scores @ (sizes / sizes.sum())
    in_fold = np.isfinite(codes)
    result[in_fold] = scores[in_fold, codes[in_fold].astype(int)]
    return result


def _zero(observations: pd.DataFrame) -> np.ndarray:
    """The observations whose mean is 0 on the axis."""
    states = observations["state"].astype(str).to_numpy()
    start = observations["week"].to_numpy(dtype=float) == BASELINE
    for state in (State.NONLESIONAL, State.HEALTHY):
        if (start & (states == state)).any():
            return start & (states == state)
    raise AdnormError(
        "the disease axis needs non-lesional or healthy skin at baseline as its zero, and this "
        "cohort has neither"
    )


def disease_axis(
    data: Observations,
    lesional: pd.DataFrame,
    excluded: Mapping[str, str],
    settings: IndexSettings,
    seed: int,
    label_swap: str = "",
) -> DiseaseAxis:
    """Train the axis on the other cohorts of the disease, or inside this one if they are too few.

    An axis that a cohort trains itself takes its direction from its labels: it is refused where
    they look exchanged (`label_swap` says why).

    Parameters
    ----------
    data, lesional
        Expression of the cohort, and lesional_effects.tsv of all.
    excluded
        Symbol → reason (`excluded_genes`).
    """
    disease, observations = str(data.facts["disease"]), data.combined
    training = find_training_cohorts(
        lesional, str(data.facts["cohort"]), bool(data.facts["simulated"]), disease
    )
    if training.enough:
        source = AxisSource.OTHER_COHORTS
        axis = train_axis(lesional, training.cohorts, data.genes, excluded, settings)
        because = [axis.reason, training.missed, training.mistaken]
    else:
        source = AxisSource.CROSS_FIT
        axis = fit_crossfit_axis(data.log2, data.genes, observations, excluded, settings, seed)
        because = [training.too_few, f"here {axis.reason}"]
    table = axis.table.assign(source=source, disease=disease)
    unknown = np.full(len(observations), np.nan)
    if axis.reason:
        reason = f"no disease axis: {'; '.join(filter(None, because))}"
        return DiseaseAxis(table, unknown, ReasonCode.NOT_SCORED, reason)
    if label_swap and source == AxisSource.CROSS_FIT:
        return DiseaseAxis(table, unknown, ReasonCode.DIRECTION_CONTRADICTED, label_swap)
    scores = axis_scores(data.log2, observations, axis.weights, axis.fold)
    return DiseaseAxis(table, scores, basis=_basis(training))


def _basis(training: TrainingCohorts) -> str:
    """Say whose axis it is: the disease, and who taught it."""
    axis = f"axis of {training.disease}"
    if training.enough:
        many, names = len(training.cohorts), ", ".join(training.cohorts)
        taught = f"{axis}, trained on {many} other cohorts ({names})"
        return "; ".join(filter(None, [taught, training.missed, training.mistaken]))
    return f"{axis}, cross-fitted over the patients of this cohort: {training.too_few}"


def published_axis(
    data: Observations,
    listed: AxisGenes,
    excluded: Mapping[str, str],
    renames: Mapping[str, str],
    minimum_genes: int,
    minimum_fraction: float,
) -> DiseaseAxis:
    """Score every observation on a published list, beside the axis that is trained here.

    Every gene of the list has a row in its table, with the weight 0 and the reason if it is not
    used. A cohort of another disease is not judged on the list, nor one that has too little of it.

    Parameters
    ----------
    excluded
        Symbol → reason (`excluded_genes`).
    renames
        Retired symbol → approved symbol, for lists that are older than the cohort.
    """
    disease = str(data.facts.get("disease", listed.disease))
    here = same_disease(disease, listed.disease)
    genes = [renames.get(gene, gene) for gene in listed.weights]
    table = pd.DataFrame({"gene": genes, "weight": list(listed.weights.values())})
    table = table.reindex(columns=COLUMNS).assign(
        source=f"{AxisSource.PUBLISHED_LIST} {listed.name}", disease=listed.disease
    )
    undetected = set(map(str, data.facts.get("undetected", ())))
    older, other = table["gene"].duplicated(), table["gene"].isin(excluded)
    table["reason"] = first_reason(
        len(table),
        [
            (np.full(len(table), not here), f"of {listed.disease}, this cohort is of {disease}"),
            (older, "stands in the list under an older symbol as well"),
            (other, table["gene"].map(excluded)),
            (table["gene"].isin(undetected), "not detected in this cohort"),
            (~table["gene"].isin(data.genes), "not measured in this cohort"),
        ],
    )
    used = table["reason"] == ""
    table.loc[~used, "weight"] = 0.0
    size, measured = int((~older & ~other).sum()), int(used.sum())
    table = table.sort_values("gene", kind="stable", ignore_index=True)
    code, reason, basis = "", "", f"axis of {listed.disease}, published list {listed.name}"
    if not here:
        code, reason = (
            ReasonCode.OTHER_DISEASE,
            f"the list {listed.name} is of {listed.disease}, and this cohort is of {disease}; a "
            "list of another disease says so in a column `disease`",
        )
    elif measured < minimum_genes or measured < minimum_fraction * size:
        code, reason = (
            ReasonCode.LOW_COVERAGE,
            f"{measured} of {size} genes of the list {listed.name} are measured here; at least "
            f"{minimum_genes} and {100 * minimum_fraction:g}% of them are asked",
        )
    scores = np.full(len(data.combined), np.nan)
    if not code:
        weights = table[table["weight"] != 0].set_index("gene")["weight"]
        aligned = weights.reindex(data.genes, fill_value=0.0).to_numpy()
        scores = axis_scores(data.log2, data.combined, aligned)
    return DiseaseAxis(
        table, scores, code, reason, "" if code else basis, listed.name, Level.PUBLISHED_AXIS
    )


def dependence(listed: AxisGenes, accession: str) -> str:
    """Say that a cohort (its accession, if it has one) helped to make a list; empty if not."""
    if accession not in listed.trained_on:
        return ""
    return f"{NOT_INDEPENDENT}: the list {listed.name} was made from {accession} among others"
