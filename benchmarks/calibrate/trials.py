"""Trials drawn from a known truth, and that truth in closed form, for the calibration.

Scores are drawn for many trials at once: one column a trial, the disease effect 1 on average, so
that the share taken away by a treatment is the true index.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

WEEK = 4.0
LESIONAL, NONLESIONAL = "lesional", "nonlesional"
#: Standard deviations, in units of the mean disease effect.
LEVEL, SEVERITY, RESPONSE, BIOPSY = 1.0, 0.3, 0.25, 0.3


@dataclass(frozen=True)
class Arm:
    """An arm of a simulated trial.

    Attributes
    ----------
    share
        Part of the disease effect that is gone at the visit, on average over its patients.
    patients, lost
        How many enter, and how many of them have no biopsy at the visit.
    """

    share: float
    patients: int
    lost: int = 0


def visits_of(arms: dict[str, Arm]) -> pd.DataFrame:
    """List the observations of a trial: patient, state, week, arm; arm by arm, biopsy by biopsy."""
    rows = [
        (f"{name} {i:02d}", state, week, name)
        for name, arm in arms.items()
        for state, week, first in (
            (NONLESIONAL, 0.0, 0),
            (LESIONAL, 0.0, 0),
            (LESIONAL, WEEK, arm.lost),
        )
        for i in range(first, arm.patients)
    ]
    return pd.DataFrame(rows, columns=["patient", "state", "week", "arm"])


def draw_noise(rng: np.random.Generator, kind: str, shape: tuple[int, ...]) -> np.ndarray:
    """Draw noise of variance 1: ``normal``, ``t4`` (heavy tails) or ``skewed`` (exponential)."""
    if kind == "t4":
        return rng.standard_t(4, shape) / np.sqrt(2)
    return rng.exponential(1, shape) - 1 if kind == "skewed" else rng.standard_normal(shape)


def score_trials(
    rng: np.random.Generator,
    trials: int,
    arms: dict[str, Arm],
    disease: float = 1.0,
    biopsy: float = BIOPSY,
    leave: str = "at random",
    split: bool = False,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw scores of many trials with one layout.

    Every patient has a level of normal skin, a disease effect and a response of their own; every
    biopsy adds noise of its own. The true index of an arm is its share.

    Parameters
    ----------
    rng
        Source of chance.
    trials
        Columns.
    arms
        By name.
    disease
        Mean disease effect; 0 for no disease signal.
    biopsy
        Standard deviation of one biopsy.
    leave
        Who is lost: ``at random``, or ``without response`` (the patients who respond least).
    split
        Whether patients respond fully or not at all, instead of more or less.

    Returns
    -------
    values, observations
        Scores, shape (observations, trials), and what `visits_of` lists.
    """
    parts = []
    for arm in arms.values():
        shape = (arm.patients, trials)
        normal = rng.normal(0, LEVEL, shape)
        effect = disease + rng.normal(0, SEVERITY, shape)
        own = rng.normal(arm.share, RESPONSE, shape)
        if split:
            own = (rng.random(shape) < arm.share).astype(float)
        if leave == "without response":
            # Patients are interchangeable, so those who respond least may stand first.
            own = np.sort(own, axis=0)
        kept = slice(arm.lost, None)
        for level in (normal, normal + effect, (normal + (1 - own) * effect)[kept]):
            parts.append(level + rng.normal(0, biopsy, level.shape))
    names = [f"trial {i:04d}" for i in range(trials)]
    return pd.DataFrame(np.vstack(parts), columns=names), visits_of(arms)


def spread_trials(
    rng: np.random.Generator,
    trials: int,
    arms: dict[str, Arm],
    spreads: tuple[float, ...],
    slopes: tuple[float, ...],
    skewed: bool = False,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw trials in which arms differ in how much their patients differ, given baseline.

    The score at the visit follows the score at baseline by a slope, with residuals of its own:
    their standard deviation is 0.4 times the spread of the arm. The difference of the shares is
    the difference between the arms given baseline (at the mean baseline where slopes differ).
    """
    parts = []
    for arm, spread, slope in zip(arms.values(), spreads, slopes, strict=True):
        shape = (arm.patients, trials)
        normal = rng.normal(0, LEVEL, shape)
        start = normal + 1 + rng.normal(0, np.hypot(SEVERITY, BIOPSY), shape)
        noise = (rng.gamma(2, 1, shape) - 2) / np.sqrt(2) if skewed else rng.normal(size=shape)
        later = 1 - arm.share + slope * (start - 1) + 0.4 * spread * noise
        parts += [normal + rng.normal(0, BIOPSY, shape), start, later]
    names = [f"trial {i:04d}" for i in range(trials)]
    return pd.DataFrame(np.vstack(parts), columns=names), visits_of(arms)


# ---------------------------------------------------------------- regression to the mean

#: A flare comes on top of the lasting disease effect and is over, on average, at the visit; who
#: may enter is decided by what the clinic sees of both.
FLARE, CLINIC, ADMITTED = 0.5, 0.3, 0.3


def flare_trials(
    rng: np.random.Generator, trials: int, arms: dict[str, Arm]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw trials whose patients entered because their skin was bad that day.

    The shares of the arms count the disease effect at entry, flare included, and come on top of
    the drift back that all arms have.
    """
    entry, _ = flare_truth()
    parts = []
    for arm in arms.values():
        candidates = (int(arm.patients / ADMITTED * 3) + 20, trials)
        lasting = 1 + rng.normal(0, SEVERITY, candidates)
        flare = rng.normal(0, FLARE, candidates)
        seen = lasting + flare + rng.normal(0, CLINIC, candidates)
        passed = seen > _threshold()
        # The first candidates who pass, in the order in which they came.
        enrolled = np.argsort(~passed, axis=0, kind="stable")[: arm.patients]
        if not np.take_along_axis(passed, enrolled, axis=0).all():
            raise ValueError("too few candidates were drawn")
        lasting, flare = (np.take_along_axis(x, enrolled, axis=0) for x in (lasting, flare))
        normal = rng.normal(0, LEVEL, lasting.shape)
        later = lasting + rng.normal(0, FLARE, lasting.shape) - arm.share * entry
        for level in (normal, normal + lasting + flare, normal + later):
            parts.append(level + rng.normal(0, BIOPSY, level.shape))
    names = [f"trial {i:04d}" for i in range(trials)]
    return pd.DataFrame(np.vstack(parts), columns=names), visits_of(arms)


def _threshold() -> float:
    spread = np.sqrt(SEVERITY**2 + FLARE**2 + CLINIC**2)
    return float(1 + spread * stats.norm.isf(ADMITTED))


def flare_truth() -> tuple[float, float]:
    """Disease effect at entry, and the share of it that goes without any drug, in closed form.

    Means of normal variables given that their sum exceeds a threshold.
    """
    spread = np.sqrt(SEVERITY**2 + FLARE**2 + CLINIC**2)
    excess = stats.norm.pdf(stats.norm.isf(ADMITTED)) / ADMITTED
    entry = 1 + (SEVERITY**2 + FLARE**2) / spread * excess
    return float(entry), float(FLARE**2 / spread * excess / entry)


# ---------------------------------------------------------------- genes


def draw_disease(rng: np.random.Generator, genes: int, share: float) -> np.ndarray:
    """Draw log2 effects of a disease that a share of the genes takes part in, mean size 1.5."""
    effects, many = np.zeros(genes), round(share * genes)
    effects[:many] = rng.choice([-1, 1], many) * rng.gamma(4, 1.5 / 4, many)
    return effects


def gene_trial(
    rng: np.random.Generator, disease: np.ndarray, patients: int, share: float = 0.0
) -> tuple[np.ndarray, pd.DataFrame]:
    """Draw log2 expression (genes, observations) of one arm, and who the observations are.

    Genes have their own level in each patient, patients differ in the severity of the disease, and
    every gene of every biopsy has noise of 0.8.
    """
    own = rng.normal(0, 0.5, (patients, len(disease)))
    active = disease * (1 + SEVERITY * rng.normal(size=(patients, 1)))
    levels = (own, own + active, own + (1 - share) * active)
    values = np.vstack([level + rng.normal(0, 0.8, own.shape) for level in levels])
    observations = visits_of({"drug": Arm(share, patients)}).assign(treatment="drug")
    return values.T, observations
