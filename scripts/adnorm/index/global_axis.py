"""The score of every observation on the disease axis, wherever the axis comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from adnorm.base.errors import listing
from adnorm.effects.observations import Observations
from adnorm.index.axis import axis_scores, train_axis
from adnorm.index.crossfit import fit_crossfit_axis
from adnorm.index.estimability import DIRECTION_CONTRADICTED, NOT_SCORED
from adnorm.index.teachers import Teachers, find_teachers

OTHER_COHORTS, CROSSFIT = "other cohorts", "cross-fit"


@dataclass(frozen=True)
class DiseaseAxis:
    """The axis of a cohort and the scores on it.

    Attributes
    ----------
    table
        axis.tsv: one row a gene, with the columns ``source`` (``other cohorts`` or ``cross-fit``)
        and ``disease``.
    scores
        Shape (observations,); NaN where there is no axis.
    reason_code, reason
        Why there is none; empty if there is one.
    basis
        Whose axis it is, in words: the disease, and who taught it.
    """

    table: pd.DataFrame
    scores: np.ndarray
    reason_code: str
    reason: str
    basis: str = ""


def disease_axis(
    data: Observations,
    lesional: pd.DataFrame,
    left_out: Mapping[str, str],
    settings: Mapping,
    seed: int,
    exchanged: str = "",
) -> DiseaseAxis:
    """Train the axis on the other cohorts of the disease, or inside this one if they are too few.

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
    disease = str(data.facts["disease"])
    teachers = find_teachers(lesional, cohort, simulated, disease)
    observations = data.combined
    if teachers.enough:
        table = train_axis(lesional, cohort, simulated, data.genes, left_out, settings, disease)
        weights = table.set_index("gene")["weight"].reindex(data.genes, fill_value=0.0)
        weights, fold, source = weights.to_numpy(), None, OTHER_COHORTS
        reason = ""
        if not weights.any():
            named = listing(teachers.cohorts, 4)
            reason = f"no gene is chosen from {named}: {table.attrs['selection']}"
            reason = "; ".join(filter(None, [reason, teachers.missed, teachers.mistaken]))
    else:
        fitted = fit_crossfit_axis(data.log2, data.genes, observations, left_out, settings, seed)
        table, weights, fold, source = fitted.table, fitted.weights, fitted.fold, CROSSFIT
        reason = f"{teachers.too_few}; here {fitted.reason}" if fitted.reason else ""
    table = table.assign(source=source, disease=disease)
    basis = _basis(teachers)
    unknown = np.full(len(observations), np.nan)
    if reason:
        reason = f"no disease axis: {reason}"
        return DiseaseAxis(table, unknown, NOT_SCORED, reason)
    if exchanged and source == CROSSFIT:
        return DiseaseAxis(table, unknown, DIRECTION_CONTRADICTED, exchanged)
    scores = axis_scores(data.log2, observations, weights, fold)
    return DiseaseAxis(table, scores, "", "", basis)


def _basis(teachers: Teachers) -> str:
    """Say whose axis it is: the disease, and who taught it."""
    axis = f"axis of {teachers.disease}"
    if teachers.enough:
        many = len(teachers.cohorts)
        said = f"{axis}, trained on {many} other cohorts ({', '.join(teachers.cohorts)})"
        return "; ".join(filter(None, [said, teachers.missed, teachers.mistaken]))
    return f"{axis}, cross-fitted over the patients of this cohort: {teachers.too_few}"
