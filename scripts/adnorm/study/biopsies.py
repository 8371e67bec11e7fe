"""Biopsies that count as one: same patient, same state, same visit."""

from __future__ import annotations

import numpy as np
import pandas as pd


def combine_biopsies(samples: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """Find the biopsies that paired statistics count as one: same patient, state and visit.

    Two biopsies of one patient are not two patients. Log2 values and scores of such biopsies are
    averaged (`average_rows`), counts are summed (`sum_rows`) before any comparison.

    Parameters
    ----------
    samples
        Canonical sample sheet, one row per biopsy.

    Returns
    -------
    combined : DataFrame
        Columns patient, state, week, arm, biopsies; one row per patient, state and visit, sorted.
    codes : ndarray of int, shape (samples,)
        The row of `combined` that each row of `samples` belongs to.
    """
    keys = pd.DataFrame(
        {
            "patient": samples["patient"].astype(str).to_numpy(),
            "state": samples["state"].astype(str).to_numpy(),
            "week": samples["week"].to_numpy(dtype=float),
        }
    )
    groups = keys.groupby(["patient", "state", "week"], sort=True)
    codes = groups.ngroup().to_numpy()
    combined = groups.size().rename("biopsies").reset_index()
    first = pd.Series(np.arange(len(codes))).groupby(codes).first().to_numpy()
    combined["arm"] = samples["arm"].astype(str).to_numpy()[first]
    return combined, codes


def average_rows(values: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Average rows of `values` (samples × features) that share a code; missing stays missing."""
    return sum_rows(values, codes) / np.bincount(codes)[:, None]


def sum_rows(values: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Add up rows of `values` (samples × features) that share a code."""
    total = np.zeros((codes.max() + 1, values.shape[1]))
    np.add.at(total, codes, values)
    return total
