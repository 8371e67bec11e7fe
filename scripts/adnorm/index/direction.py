"""Do the labels of the biopsies look exchanged?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from adnorm.index.estimability import DIRECTION_CONTRADICTED, SET, judge_denominator
from adnorm.index.groups import PatientTable
from adnorm.study.diseases import ATOPIC_DERMATITIS, same_disease

#: One or two sets against their direction may be this cohort's biology.
FEWEST_SETS = 3


def exchanged_labels(
    values: pd.DataFrame,
    names: pd.DataFrame,
    observations: pd.DataFrame,
    reference: str,
    confidence: float,
    disease: str = ATOPIC_DERMATITIS,
) -> str:
    """Say that lesional skin and its reference look exchanged; empty where they do not.

    A set brings its direction from outside and is refused where the cohort runs against it. An axis
    that the cohort trained itself, and single genes, have no direction but the one that the labels
    give them, so they ask the sets: the labels look exchanged when more sets are significantly
    against the disease than with it, and at least three.

    Parameters
    ----------
    values, names
        As `read_set_scores` returns them.
    observations
        patient, state, week, arm of each row of `values`.
    reference
        ``nonlesional`` or ``healthy``.
    confidence
        Of the bounds that must be on one side of 0.
    disease
        Of the cohort: another one than that of the sets may move them otherwise.
    """
    asked = (names["reason_code"] == "").to_numpy()
    asked &= np.isfinite(values.to_numpy(dtype=float)).all(axis=0)
    matrix = values.loc[:, asked].to_numpy(dtype=float)
    table = PatientTable.of(matrix, observations)
    mean = table.baseline_difference(reference)
    if not mean or not asked.any():
        return ""
    strata = np.unique(table.arm, return_inverse=True)[1]
    scale = np.abs(matrix).max(axis=0)
    levels = [SET] * matrix.shape[1]
    codes = judge_denominator(mean, strata, levels, reference, scale, confidence).code
    against, sound = codes.count(DIRECTION_CONTRADICTED), codes.count("")
    if against < FEWEST_SETS or against <= sound:
        return ""
    said = (
        f"{against} of {len(codes)} gene sets with a direction run against it at baseline and "
        f"{sound} with it: lesional and {reference} labels look exchanged"
    )
    if same_disease(disease, ATOPIC_DERMATITIS):
        return said
    return f"{said}, or {disease} moves these sets otherwise than {ATOPIC_DERMATITIS} does"
