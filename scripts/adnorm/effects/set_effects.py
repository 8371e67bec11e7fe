"""The same comparisons on set scores, with confidence intervals and effect sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

from adnorm.effects.contrasts import FitPlan, own_differences
from adnorm.effects.fit import benjamini_hochberg, fit_unweighted
from adnorm.study.biopsies import average_rows
from adnorm.study.comparisons import Comparison

if TYPE_CHECKING:
    from anndata import AnnData

METHODS = ("gsva", "ssgsea", "zscore")
#: The design of the cohort promised the comparison, but its samples do not identify it.
NOT_ESTIMABLE = "not_estimable"
COLUMNS = [
    "contrast",
    "set",
    "method",
    "change",
    "lower",
    "upper",
    "p_value",
    "fdr",
    "pairs",
    "effect_size",
    "status",
    "reason",
]


def small_sample_correction(df: int) -> float:
    """Return the factor that takes the bias out of a standardized mean difference.

    Parameters
    ----------
    df
        Degrees of freedom of the standard deviation in its denominator.

    References
    ----------
    Hedges L V (1981). J Educ Stat 6:107–128 (the usual approximation 1 − 3 / (4 df − 1)).

    Examples
    --------
    >>> round(small_sample_correction(8), 4)
    0.9032
    """
    return 1.0 - 3.0 / (4.0 * df - 1.0)


def effect_sizes(
    combined: pd.DataFrame, comparison: Comparison, scores: np.ndarray, noise: float = 1e-9
) -> np.ndarray:
    """Standardize a comparison by the variation between patients.

    Comparisons within patients (lesional − nonlesional, change, residual): d_z, the mean of the
    patients' own differences divided by their standard deviation. Differences of changes: Hedges' g
    of the changes in the two arms. Against healthy people: Hedges' g of the two groups. All with
    the small-sample correction. Only patients with both samples count; the model also uses what the
    others tell, so with missing visits the two may rest on different patients.

    Parameters
    ----------
    combined
        One row for each patient, state and visit.
    comparison
        What is compared.
    scores
        Shape (sets, rows of `combined`).
    noise
        Standard deviations below this share of the largest score are rounding, not variation.

    Returns
    -------
    ndarray, shape (sets,)
        NaN where patients do not vary or there are fewer than two.
    """
    first, second = own_differences(combined, comparison, scores)
    groups = [first] if second is None else [first, second]
    df = sum(group.shape[1] - 1 for group in groups)
    if df < 1 or min(group.shape[1] for group in groups) < 1:
        return np.full(len(scores), np.nan)
    difference = first.mean(axis=1) - (0.0 if second is None else second.mean(axis=1))
    squares = sum(
        ((group - group.mean(axis=1, keepdims=True)) ** 2).sum(axis=1) for group in groups
    )
    deviation = np.sqrt(squares / df)
    varies = deviation > noise * np.abs(scores).max(axis=1)
    ratio = np.full(len(scores), np.nan)
    ratio[varies] = difference[varies] / deviation[varies]
    return ratio * small_sample_correction(df)


def _estimate(scores: np.ndarray, plan: FitPlan, confidence: float) -> dict[str, np.ndarray]:
    """Least squares with ordinary t-tests: sets × contrasts."""
    fit = fit_unweighted(scores[:, plan.model.rows], plan)
    change = np.asarray(fit["coefficients"])
    sigma = np.asarray(fit["sigma"])
    # Below this the residuals are rounding errors, and t = 0 / 0 would look like a result.
    sigma = np.where(sigma > 1e-9 * np.abs(scores).max(axis=1), sigma, np.nan)
    error = np.asarray(fit["stdev_unscaled"]) * sigma[:, None]
    df = plan.model.df_residual
    margin = stats.t.ppf(0.5 + confidence / 2, df) * error
    p_value = 2 * stats.t.sf(np.abs(change / error), df)
    return {
        "change": change,
        "lower": change - margin,
        "upper": change + margin,
        "p_value": np.maximum(p_value, np.finfo(float).tiny),
    }


def _empty_rows(sets: pd.DataFrame, comparison: Comparison, method: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "contrast": comparison.name,
            "set": sets.index.astype(str),
            "method": method,
            "change": np.nan,
            "lower": np.nan,
            "upper": np.nan,
            "p_value": np.nan,
            "fdr": np.nan,
            "pairs": comparison.pairs,
            "effect_size": np.nan,
            "status": sets["status"].astype(str).to_numpy(),
            "reason": sets["reason"].astype(str).to_numpy(),
        }
    )


def _method_rows(
    sets: pd.DataFrame,
    scores: np.ndarray,
    combined: pd.DataFrame,
    plan: FitPlan,
    method: str,
    confidence: float,
) -> list[pd.DataFrame]:
    scored = np.isfinite(scores).all(axis=1)
    estimates = _estimate(scores[scored], plan, confidence) if scored.any() else {}
    frames = []
    for j, comparison in enumerate(plan.comparisons):
        rows = _empty_rows(sets, comparison, method)
        if scored.any():
            for name, values in estimates.items():
                rows.loc[scored, name] = values[:, j]
            rows["fdr"] = benjamini_hochberg(rows["p_value"].to_numpy())
            rows.loc[scored, "effect_size"] = effect_sizes(combined, comparison, scores[scored])
        flat = scored & rows["p_value"].isna().to_numpy()
        rows.loc[flat, "reason"] = "the scores do not vary within patients or groups"
        silent = ~scored & (rows["reason"] == "").to_numpy()
        rows.loc[silent, "reason"] = f"not scored by {method}"
        frames.append(rows)
    return frames


def fit_set_effects(
    scores: AnnData,
    combined: pd.DataFrame,
    codes: np.ndarray,
    plans: list[FitPlan],
    refused: dict[Comparison, str],
    confidence: float,
) -> pd.DataFrame:
    """Estimate every planned comparison for every set and scoring method.

    Parameters
    ----------
    scores
        Contents of scores.h5ad: samples × sets, a layer for each method, ``var`` with status and
        reason.
    combined, codes
        Observations and the observation of each sample (`combine_biopsies`); scores of biopsies of
        one patient, state and visit are averaged.
    plans
        Models and contrasts, the same as for genes.
    refused
        Comparisons that the fit turned out not to support, with the reason.
    confidence
        Coverage of the interval, for example 0.95.

    Returns
    -------
    DataFrame
        contrast, set, method, change (in units of the score), lower, upper, p_value (ordinary t,
        not moderated), fdr (over the sets within a contrast and method), pairs, effect_size,
        status, reason; sorted by contrast, set, method. A set that was not scored has a row with
        ``NA`` and the reason.
    """
    sets = scores.var[["status", "reason"]].astype(str).replace("nan", "")
    frames: list[pd.DataFrame] = []
    for method in METHODS:
        if method not in scores.layers:
            continue
        values = average_rows(np.asarray(scores.layers[method], dtype=float), codes).T
        values = np.ascontiguousarray(values)
        for plan in plans:
            frames += _method_rows(sets, values, combined, plan, method, confidence)
        for comparison, reason in refused.items():
            rows = _empty_rows(sets, comparison, method)
            frames.append(rows.assign(status=NOT_ESTIMABLE, reason=reason))
    if not frames:
        return pd.DataFrame(columns=COLUMNS)
    table = pd.concat(frames, ignore_index=True)
    return table.sort_values(["contrast", "set", "method"], kind="stable", ignore_index=True)[
        COLUMNS
    ]
