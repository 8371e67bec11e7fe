"""Scores with the cell composition of the biopsy taken out, as far as the cohort can tell."""

from __future__ import annotations

import numpy as np
import pandas as pd

#: Observations beyond the cell means that each component of composition must rest on.
OBSERVATIONS_PER_COMPONENT = 10
#: Components beyond this share of the variance of composition are noise.
EXPLAINED = 0.95


def adjust_for_composition(
    values: pd.DataFrame, observations: pd.DataFrame, composition: pd.DataFrame
) -> pd.DataFrame | None:
    """Take out of each score what composition explains among like biopsies.

    The slopes come from biopsies of the same arm, state and visit only, so that the disease and
    the treatment do not shape them. Composition is summarized by its first principal components,
    one for every ten observations at most.

    Parameters
    ----------
    values
        Scores, shape (observations, names).
    observations
        arm, state, week of each row.
    composition
        Scores of cell types, shape (observations, cell types); finite.

    Returns
    -------
    DataFrame or None
        Adjusted scores, same shape as `values`; ``None`` if there are too few observations or
        composition does not vary. Exploratory: composition is itself changed by treatment.
    """
    cells = observations.groupby(["arm", "state", "week"], observed=True).ngroup().to_numpy()
    cells = np.unique(cells, return_inverse=True)[1]
    freedom = len(cells) - (cells.max(initial=-1) + 1)
    inner = _centre(composition.to_numpy(dtype=float), cells)
    deviation = np.sqrt((inner**2).sum(axis=0) / max(freedom, 1))
    varies = deviation > 1e-9
    most = min(freedom // OBSERVATIONS_PER_COMPONENT, int(varies.sum()))
    if most < 1:
        return None
    scaled = composition.to_numpy(dtype=float)[:, varies] / deviation[varies]
    _, singular, axes = np.linalg.svd(_centre(scaled, cells), full_matrices=False)
    share = np.cumsum(singular**2) / (singular**2).sum()
    kept = min(most, int(np.searchsorted(share, EXPLAINED)) + 1)
    components = scaled @ axes[:kept].T
    within = _centre(values.to_numpy(dtype=float), cells)
    slopes = np.linalg.lstsq(_centre(components, cells), within, rcond=None)[0]
    return values - components @ slopes


def _centre(values: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Subtract the mean of its cell from every row."""
    totals = np.zeros((cells.max() + 1, values.shape[1]))
    np.add.at(totals, cells, values)
    return values - (totals / np.bincount(cells)[:, None])[cells]
