"""How a score of lesional skin moves in each patient: a mixed model, with a plain fallback."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

MIXED = "mixed model"
LEAST_SQUARES = "patient-fixed least squares"
NO_MODEL = "none"
#: Random intercept and slope are told from noise only if patients have more visits than that.
RANDOM_EFFECTS = 2


@dataclass(frozen=True)
class PatientModel:
    """What the model of one score says about noise and about each patient.

    Attributes
    ----------
    noise
        Standard deviation of a biopsy around the patient's own course; NaN if not estimable.
    df
        Degrees of freedom of `noise`: observations − arm-visits − patients, at least 1.
    decrease
        Best linear unbiased prediction of the decrease since baseline, shape (observations,);
        NaN without a mixed model.
    method
        ``mixed model``, ``patient-fixed least squares`` or ``none``.
    note
        Why it is not the mixed model; empty if it is.
    """

    noise: float
    df: int
    decrease: np.ndarray
    method: str
    note: str


def course_of_time(week: np.ndarray) -> np.ndarray:
    """Time as the random slope sees it: log(1 + week), 1 at the last visit.

    Responses to treatment are fast at first and level off; the logarithm is nearer to that than
    a straight line in weeks.
    """
    last = np.log1p(week).max()
    return np.log1p(week) / last if last > 0 else np.zeros(len(week))


def fit_patient_model(
    values: np.ndarray, patient: np.ndarray, arm: np.ndarray, week: np.ndarray
) -> PatientModel:
    """Fit the course of a score in lesional skin.

    The mean of every arm and visit is free; each patient deviates by a random intercept and a
    random slope on `course_of_time` (restricted maximum likelihood). Missing visits are taken as
    missing at random; nothing is carried forward. Where the mixed model has too few visits or does
    not converge, patients become fixed effects: their noise is reported, a prediction is not.

    Parameters
    ----------
    values, patient, arm, week
        Shape (observations,); one observation per patient and visit, baseline is week 0.

    Returns
    -------
    PatientModel

    References
    ----------
    Laird N M, Ware J H (1982). Biometrics 38:963–974.
    """
    spread = float(np.std(values))
    patients, code = np.unique(patient.astype(str), return_inverse=True)
    keys = [f"{a}\t{w!r}" for a, w in zip(arm, week.astype(float).tolist(), strict=True)]
    cells, cell = np.unique(keys, return_inverse=True)
    fixed = np.eye(len(cells))[cell]
    df = max(len(values) - len(cells) - len(patients), 1)
    if spread == 0:
        return _without_model(len(values), "the score is the same in all samples")
    scaled = (values - values.mean()) / spread
    visits = np.bincount(code).max()
    if visits <= RANDOM_EFFECTS or len(values) <= RANDOM_EFFECTS * len(patients):
        note = f"too few visits for a random intercept and slope ({len(values)} samples of "
        return _least_squares(scaled, code, fixed, spread, f"{note}{len(patients)} patients)")
    fitted = _mixed(scaled, code, fixed, course_of_time(week))
    if fitted is None:
        return _least_squares(scaled, code, fixed, spread, "the mixed model did not converge")
    noise, cell_means, slopes = fitted
    decrease = np.array(
        [
            _mean_decrease(cell_means, cells, a, w) - slope
            for a, w, slope in zip(arm, week, slopes[code] * course_of_time(week), strict=True)
        ]
    )
    return PatientModel(noise * spread, df, decrease * spread, MIXED, "")


def _mean_decrease(means: np.ndarray, cells: np.ndarray, arm: str, week: float) -> float:
    """Decrease of the mean of an arm since its baseline; NaN without a baseline."""
    at = dict(zip(cells, means, strict=True))
    return at.get(f"{arm}\t{0.0!r}", np.nan) - at[f"{arm}\t{float(week)!r}"]


def _mixed(
    values: np.ndarray, code: np.ndarray, fixed: np.ndarray, time: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray] | None:
    """Noise, means of arm-visits and slope of each patient; None without convergence."""
    from statsmodels.regression.mixed_linear_model import MixedLM

    random = np.column_stack([np.ones(len(time)), time])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model = MixedLM(values, fixed, groups=code, exog_re=random)
            # Limited-memory steps come nearer to the maximum in half the evaluations.
            result = model.fit(reml=True, method=["lbfgs", "bfgs"])
            slopes = [effect.to_numpy()[1] for _, effect in sorted(result.random_effects.items())]
        except (np.linalg.LinAlgError, ValueError):
            return None
    noise, slopes = float(np.sqrt(result.scale)), np.array(slopes)
    # Noise of almost 0 means that the patients' lines ran through the samples.
    sound = np.isfinite(slopes).all() and np.isfinite(noise) and noise > 1e-4
    return (noise, np.asarray(result.fe_params), slopes) if result.converged and sound else None


def _least_squares(
    values: np.ndarray, code: np.ndarray, fixed: np.ndarray, spread: float, note: str
) -> PatientModel:
    """Noise around fixed effects of patients and arm-visits."""
    design = np.column_stack([np.eye(code.max() + 1)[code], fixed])
    coefficients, _, rank, _ = np.linalg.lstsq(design, values, rcond=None)
    df = len(values) - int(rank)
    if df < 1:
        return _without_model(len(values), f"{note}; nothing is left to estimate the noise from")
    noise = float(np.sqrt(((values - design @ coefficients) ** 2).sum() / df)) * spread
    return PatientModel(noise, df, np.full(len(values), np.nan), LEAST_SQUARES, note)


def _without_model(size: int, note: str) -> PatientModel:
    return PatientModel(np.nan, 1, np.full(size, np.nan), NO_MODEL, note)
