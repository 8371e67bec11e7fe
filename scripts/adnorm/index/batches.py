"""Scores without the effects of batches, for a sensitivity analysis of the index."""

from __future__ import annotations

import numpy as np
import pandas as pd

from adnorm.base.errors import listing
from adnorm.study.batches import design_groups, design_space, estimable, estimate_batches
from adnorm.study.comparisons import BASELINE, number
from adnorm.study.vocabulary import Arm, State


def batch_adjusted_scores(
    values: pd.DataFrame, observations: pd.DataFrame, batches: pd.DataFrame | None
) -> tuple[pd.DataFrame | None, str]:
    """Take the effects of batches off scores.

    They are estimated within patients beside arm × state × visit, so that patients, disease and
    treatment do not shape them; where whole patients were processed together, between patients of
    the same arm, state and visit. What no estimate can tell from patients stays where it cancels
    in every pair. Their own error is not in the scores, so intervals of what rests on them are a
    little too narrow: exploratory.

    Parameters
    ----------
    values
        Scores, shape (observations, names); a name with a missing value stays as it is.
    observations
        patient, state, week, arm; one row for each patient, state and visit (`combine_biopsies`).
    batches
        Share of each batch in each observation (`adnorm.study.batches.batch_shares`).

    Returns
    -------
    adjusted : DataFrame or None
        As `values`; the mean of each name over all observations stays. ``None`` where the sheet
        tells no batches apart, or batches cannot be told from what the index compares.
    reason : str
        Why there are none; empty where there are.
    """
    if batches is None:
        return None, "the sample sheet tells no batches apart"
    labels = design_groups(observations)
    order = sorted(set(labels))
    groups = np.array([order.index(label) for label in labels])
    patients = np.unique(observations["patient"].astype(str), return_inverse=True)[1]
    shares = batches.to_numpy()
    finite = np.isfinite(values.to_numpy(dtype=float)).all(axis=0)
    matrix = values.loc[:, finite].to_numpy(dtype=float)
    within = estimate_batches(matrix, groups, patients, shares)
    found = within
    if within.identified < shares.shape[1] - 1:
        between = estimate_batches(matrix, groups, np.zeros_like(patients), shares)
        if between.identified == shares.shape[1] - 1:
            found = between
        else:
            aliased = _aliased(order, groups, patients, shares)
            if aliased:
                return None, f"batches cannot be told from {listing(aliased)}"
    if found.freedom < 1:
        return None, f"{len(values)} observations are too few for {shares.shape[1]} batches"
    adjusted = values.copy()
    adjusted.loc[:, finite] = found.removed(matrix, shares)
    return adjusted, ""


def _aliased(
    order: list[tuple[str, str, float]],
    groups: np.ndarray,
    patients: np.ndarray,
    shares: np.ndarray,
) -> list[str]:
    """Name what the index compares, change of lesional skin and disease, that batches may be."""
    asked: dict[str, dict[tuple[str, str, float], float]] = {}
    for arm, state, week in order:
        start = (arm, State.LESIONAL.value, BASELINE)
        if arm == Arm.HEALTHY or start not in order or (arm, state, week) == start:
            continue
        if state == State.LESIONAL:
            what = f"the change in arm {arm} by week {number(week)}"
        elif week == BASELINE:
            what = f"lesional − {state} in arm {arm} at baseline"
        else:
            continue
        asked[what] = {(arm, state, week): 1.0, start: -1.0}
    if not asked:
        return []
    contrasts = np.array([[terms.get(group, 0.0) for group in order] for terms in asked.values()])
    # A contrast without any pair is none of the index either.
    possible, separable = (
        estimable(design_space(groups, patients, given, len(order)), contrasts.T)
        for given in (np.zeros((len(groups), 0)), shares)
    )
    return [
        what for what, can, may in zip(asked, separable, possible, strict=True) if may and not can
    ]
