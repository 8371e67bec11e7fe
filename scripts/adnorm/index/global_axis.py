"""The score of every observation on the disease axis, wherever the axis comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from adnorm.effects.observations import Observations
from adnorm.index.axis import FEWEST_COHORTS, axis_scores, train_axis, training_cohorts
from adnorm.index.crossfit import fit_crossfit_axis
from adnorm.index.estimability import DIRECTION_CONTRADICTED, NOT_SCORED

OTHER_COHORTS, CROSSFIT = "other cohorts", "cross-fit"


@dataclass(frozen=True)
class DiseaseAxis:
    """The axis of a cohort and the scores on it.

    Attributes
    ----------
    table
        axis.tsv: one row a gene, with the column ``source`` (``other cohorts`` or ``cross-fit``).
    scores
        Shape (observations,); NaN where there is no axis.
    reason_code, reason
        Why there is none; empty if there is one.
    """

    table: pd.DataFrame
    scores: np.ndarray
    reason_code: str
    reason: str


def disease_axis(
    data: Observations,
    lesional: pd.DataFrame,
    left_out: Mapping[str, str],
    settings: Mapping,
    seed: int,
    exchanged: str = "",
) -> DiseaseAxis:
    """Train the axis on the other cohorts, or inside this one if there are too few of them.

    Parameters
    ----------
    data
        Expression of the cohort.
    lesional
        lesional_effects.tsv of all cohorts.
    left_out
        Symbol → reason.
    settings
        Section ``index`` of the configuration.
    seed
        Of the folds.
    exchanged
        Why the labels of the cohort look exchanged (`exchanged_labels`); an axis that it trains
        itself would take its direction from them, so it is refused.
    """
    cohort, simulated = str(data.facts["cohort"]), bool(data.facts["simulated"])
    observations = data.combined
    if len(training_cohorts(lesional, cohort, simulated)) >= FEWEST_COHORTS:
        table = train_axis(lesional, cohort, simulated, data.genes, left_out, settings)
        weights = table.set_index("gene")["weight"].reindex(data.genes, fill_value=0.0)
        weights, fold, source = weights.to_numpy(), None, OTHER_COHORTS
        reason = "" if weights.any() else "no gene of the other cohorts passes the selection"
    else:
        fitted = fit_crossfit_axis(data.log2, data.genes, observations, left_out, settings, seed)
        table, weights, fold, source = fitted.table, fitted.weights, fitted.fold, CROSSFIT
        reason = fitted.reason
    table = table.assign(source=source)
    unknown = np.full(len(observations), np.nan)
    if reason:
        return DiseaseAxis(table, unknown, NOT_SCORED, f"no disease axis: {reason}")
    if exchanged and source == CROSSFIT:
        return DiseaseAxis(table, unknown, DIRECTION_CONTRADICTED, exchanged)
    scores = axis_scores(data.log2, observations, weights, fold)
    return DiseaseAxis(table, scores, "", "")
