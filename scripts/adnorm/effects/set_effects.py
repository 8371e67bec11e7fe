"""The same comparisons on set scores, with confidence intervals and effect sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

from adnorm.effects.design import BlockModel, FitPlan, patient_differences
from adnorm.effects.fit import adjust_by_family, batch_correlation
from adnorm.study.batches import BatchEffects, estimate_batches, own_weights
from adnorm.study.comparisons import Comparison, average_rows
from adnorm.study.vocabulary import Method, SetStatus

if TYPE_CHECKING:
    from anndata import AnnData

#: Standard deviations below this share of the largest score are rounding, not variation.
NOISE = 1e-9
COLUMNS = ["contrast", "set", "method", "change", "lower", "upper", "p_value", "fdr", "pairs"]
COLUMNS += ["effect_size", "family", "status", "reason"]
_NUMBERS = ["change", "lower", "upper", "p_value", "fdr", "effect_size"]


def small_sample_correction(df: int) -> float:
    """Return the factor that takes the bias out of a standardized mean difference.

    `df` are the degrees of freedom of the standard deviation in its denominator.

    References
    ----------
    Hedges L V (1981). J Educ Stat 6:107–128 (the usual approximation 1 − 3 / (4 df − 1)).

    Examples
    --------
    >>> round(small_sample_correction(8), 4)
    0.9032
    """
    return 1.0 - 3.0 / (4.0 * df - 1.0)


@dataclass(frozen=True)
class BatchError:
    """What estimated batch effects add to the error of a comparison.

    Attributes
    ----------
    variance
        Of the batch effects that enter the comparison, by set.
    freedom
        Degrees of freedom behind it.
    shares
        What patients' differences keep of their variance after batch effects were fitted to them,
        one number or one for each of the two groups.
    """

    variance: np.ndarray
    freedom: int
    shares: np.ndarray


def compare_patients(
    first: np.ndarray,
    second: np.ndarray | None,
    confidence: float,
    batches: BatchError | None = None,
) -> dict[str, np.ndarray]:
    """Test the mean of patients' own differences, or the difference between two groups of them.

    One residual variance for all comparisons of a cohort, as genes have it, would be wrong here:
    patients respond differently, so late visits vary more than early ones, and the quiet ones would
    lend them their small variance. Each comparison therefore rests on its own patients alone.

    Where batch effects were taken off, their own error is added to that of the mean, the degrees of
    freedom by Satterthwaite (1946).

    `first` and `second` (``None`` for a paired comparison) are those of `patient_differences`. By
    set, missing where patients do not vary: change, lower, upper, p_value of the paired t-test, or
    of Welch's test of two groups, which allows each its own variance; effect_size, the mean
    difference divided by the standard deviation between patients (d_z), or by the pooled one of
    both groups (Hedges' g), with the small-sample correction.

    References
    ----------
    Welch B L (1947). Biometrika 34:28–35. Hedges L V (1981). J Educ Stat 6:107–128. Satterthwaite
    F E (1946). Biometrics Bull 2:110–114.
    """
    groups = [first] if second is None else [first, second]
    sizes = np.array([group.shape[1] for group in groups])
    change = first.mean(axis=1) - (0.0 if second is None else second.mean(axis=1))
    if sizes.min() < 2:
        nothing = np.full(len(first), np.nan)
        return dict.fromkeys(("change", "lower", "upper", "p_value", "effect_size"), nothing)
    squares = np.array([((g - g.mean(axis=1, keepdims=True)) ** 2).sum(axis=1) for g in groups])
    freedoms = (sizes - 1).astype(float)
    if batches is not None:
        squares, freedoms = squares / batches.shares[:, None], freedoms * batches.shares
    of_mean = squares / (sizes * (sizes - 1))[:, None]
    if batches is not None:
        of_mean = np.vstack([of_mean, batches.variance])
        freedoms = np.append(freedoms, batches.freedom)
    freedom = int(sizes.sum()) - len(groups)
    deviation = np.sqrt(squares.sum(axis=0) / freedom)
    # Below this the deviations are rounding errors, and 0 / 0 would look like a result.
    largest = np.max([np.abs(group).max(axis=1) for group in groups], axis=0)
    deviation[deviation <= NOISE * largest] = np.nan
    with np.errstate(invalid="ignore", divide="ignore"):
        welch = of_mean.sum(axis=0) ** 2 / (of_mean**2 / freedoms[:, None]).sum(axis=0)
        error = np.where(np.isnan(deviation), np.nan, np.sqrt(of_mean.sum(axis=0)))
        margin = stats.t.ppf(0.5 + confidence / 2, welch) * error
        p_value = 2 * stats.t.sf(np.abs(change / error), welch)
    return {
        "change": change,
        "lower": change - margin,
        "upper": change + margin,
        "p_value": np.maximum(p_value, np.finfo(float).tiny),
        "effect_size": change / deviation * small_sample_correction(freedom),
    }


def _empty_rows(sets: pd.DataFrame, comparison: Comparison, method: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "contrast": comparison.name,
            "set": sets.index.astype(str),
            "method": method,
            **dict.fromkeys(_NUMBERS, np.nan),
            "pairs": comparison.patients,
            "family": sets["family"].astype(str).to_numpy(),
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
    batches: pd.DataFrame | None,
) -> list[pd.DataFrame]:
    scored: np.ndarray = np.isfinite(scores).all(axis=1)
    found = _batch_effects(scores[scored], plan.model) if scored.any() else None
    frames = []
    for comparison in plan.comparisons:
        rows = _empty_rows(sets, comparison, method)
        if scored.any():
            own, error = scores[scored], None
            if found is not None and batches is not None:
                own = found.removed(own.T, batches.to_numpy()).T
                error = _batch_error(found, batches.to_numpy(), combined, comparison, plan.model)
            first, second = patient_differences(combined, comparison, own)
            for name, values in compare_patients(first, second, confidence, error).items():
                rows.loc[scored, name] = values
            rows["fdr"] = adjust_by_family(
                rows["p_value"].to_numpy(), rows["family"].to_numpy(dtype=str)
            )
        flat = scored & rows["p_value"].isna().to_numpy()
        rows.loc[flat, "reason"] = "the scores do not vary within patients or groups"
        silent = ~scored & (rows["reason"] == "").to_numpy()
        rows.loc[silent, "reason"] = f"not scored by {method}"
        frames.append(rows)
    return frames


def _batch_effects(scores: np.ndarray, model: BlockModel) -> BatchEffects | None:
    """Effects of batches on scores (sets × observations); ``None`` where the model has none."""
    if model.batches is None or model.df_residual < 1:
        return None
    own, penalty = np.ascontiguousarray(scores[:, model.rows]), 0.0
    if model.random:
        correlation = batch_correlation(own, model) if len(own) > 1 else 0.0
        if correlation <= 0:
            return None
        penalty = (1 - correlation) / correlation
    shares = model.batches.to_numpy()
    return estimate_batches(own.T, model.groups, model.blocks, shares, penalty)


def _batch_error(
    found: BatchEffects,
    shares: np.ndarray,
    combined: pd.DataFrame,
    comparison: Comparison,
    model: BlockModel,
) -> BatchError:
    entering = shares.T @ own_weights(combined, comparison)
    spread = entering @ found.covariance @ entering
    # Of equal and independent errors, what is left when the fitted effects are off.
    count = len(combined)
    fitted = np.zeros((len(shares.T), count))
    fitted[:, model.rows] = found.weights
    before = patient_differences(combined, comparison, np.eye(count))
    after = patient_differences(combined, comparison, np.eye(count) - fitted.T @ shares.T)
    kept = [
        _squares(last) / _squares(first)
        for first, last in zip(before, after, strict=True)
        if first is not None and last is not None
    ]
    return BatchError(spread * found.variance, found.freedom, np.array(kept))


def _squares(differences: np.ndarray) -> float:
    """Sum of squares about the mean over patients; 1 where a single one has none."""
    squares = ((differences - differences.mean(axis=1, keepdims=True)) ** 2).sum()
    return float(squares) if differences.shape[1] > 1 else 1.0


def fit_set_effects(
    scores: AnnData,
    combined: pd.DataFrame,
    codes: np.ndarray,
    plans: list[FitPlan],
    refused: dict[Comparison, str],
    confidence: float,
    batches: pd.DataFrame | None = None,
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
    batches
        Share of each batch in each observation; their effects are taken off as the models say.

    Returns
    -------
    DataFrame
        contrast, set, method, change (in units of the score), lower, upper, p_value (see
        `compare_patients`), fdr (over the sets of one family within a contrast and method), pairs,
        effect_size, family, status, reason; sorted by contrast, set, method. A set that was not
        scored has a row with ``NA`` and the reason.
    """
    sets = scores.var[["family", "status", "reason"]].astype(str).replace("nan", "")
    frames: list[pd.DataFrame] = []
    for method in [method.value for method in Method]:
        if method not in scores.layers:
            continue
        values = average_rows(np.asarray(scores.layers[method], dtype=float), codes).T
        values = np.ascontiguousarray(values)
        for plan in plans:
            frames += _method_rows(sets, values, combined, plan, method, confidence, batches)
        for comparison, reason in refused.items():
            rows = _empty_rows(sets, comparison, method)
            frames.append(rows.assign(status=SetStatus.NOT_ESTIMABLE.value, reason=reason))
    if not frames:
        return pd.DataFrame(columns=COLUMNS)
    table = pd.concat(frames, ignore_index=True)
    return table.sort_values(["contrast", "set", "method"], kind="stable", ignore_index=True)[
        COLUMNS
    ]
