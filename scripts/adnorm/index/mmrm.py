"""Means of visits when visits are missing: a mixed model for repeated measures (MMRM).

The lesional score of a patient at all visits is one vector with a mean for each arm and visit and
a covariance that patients share. A visit that is missing is filled in, as it were, from what the
same patient's other visits say of it: that is right when patients are missing for reasons that
their earlier visits show (missing at random), where the mean of those who stayed is not. Nothing is
carried forward. Without missing visits the means are the plain means.

statsmodels' MixedLM has no unstructured covariance of visits; here all scores of a cohort are
fitted at once, because they lack the same visits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from adnorm.index.means import FEWEST_PATIENTS, PatientMean, PatientTable
from adnorm.study.comparisons import BASELINE
from adnorm.study.vocabulary import Arm, State

ITERATIONS, TOLERANCE = 2000, 1e-8
#: Noise of a visit, as a share of the variance, below which visits would tell each other exactly.
FLOOR = 1e-8
#: Steps from the fit of all patients to that of all but one.
STEPS = 6
#: Two visits must be seen together in so many patients more than there are visits, else one
#: variance and one correlation stand for all.
SPARE_PATIENTS = 2
UNSTRUCTURED, COMPOUND_SYMMETRY = "unstructured", "compound symmetry"


@dataclass(frozen=True)
class _Pattern:
    """Patients of one arm who were seen at the same visits."""

    arm: int
    rows: np.ndarray
    seen: np.ndarray


@dataclass(frozen=True)
class _Fit:
    """Means (arms, weeks, names) and the covariance of the visits (names, weeks, weeks)."""

    means: np.ndarray
    covariance: np.ndarray


@dataclass(frozen=True)
class RepeatedMeasures:
    """Means of all arms and visits, with the covariance of the visits.

    Attributes
    ----------
    arms, weeks
        What the axes below stand for.
    means
        Shape (arms, weeks, names); NaN where an arm was not seen.
    covariance
        Shape (names, weeks, weeks), by restricted maximum likelihood.
    structure
        ``unstructured`` or ``compound symmetry``.
    """

    arms: list[str]
    weeks: list[float]
    means: np.ndarray
    covariance: np.ndarray
    structure: str
    #: Fits without each patient, by row of the table.
    _without: dict[int, _Fit]
    _strata: np.ndarray
    _codes: dict[str, int]
    #: How many patients of an arm were seen at a visit, shape (arms, weeks).
    _seen: np.ndarray

    def decrease(self, arm: str, week: float) -> PatientMean:
        """Mean decrease from baseline to a visit of an arm, over all its patients."""
        own, start, then = self.arms.index(arm), *map(self.weeks.index, (BASELINE, week))
        return self._estimate(lambda fit: fit.means[own, start] - fit.means[own, then], [arm], week)

    def difference(self, arm: str, control: str, week: float) -> PatientMean:
        """Decrease of an arm − that of another one, given the score at baseline.

        Given LS_0, a patient who starts 1 higher falls by 1 − slope more; the slope is that of the
        covariance of the two visits.
        """
        one, other = self.arms.index(arm), self.arms.index(control)
        start, then = self.weeks.index(BASELINE), self.weeks.index(week)

        def adjusted(fit: _Fit) -> np.ndarray:
            slope = fit.covariance[:, then, start] / fit.covariance[:, start, start]
            apart = fit.means[one] - fit.means[other]
            return slope * apart[start] - apart[then]

        return self._estimate(adjusted, [arm, control], week)

    def _estimate(
        self, function: Callable[[_Fit], np.ndarray], arms: list[str], week: float
    ) -> PatientMean:
        """Estimate with the parts of the patients: what leaving out each of them changes.

        The error does not ask whether arms vary alike, and holds that of the covariance.
        """
        value = function(_Fit(self.means, self.covariance))
        rows = np.array(list(self._without))
        left_out = np.array([function(fit) for fit in self._without.values()])
        parts = np.zeros((len(self._strata), len(value)))
        counts = np.zeros(self._strata.max() + 1, dtype=int)
        for code in np.unique(self._strata[rows]):
            own = self._strata[rows] == code
            size = int(own.sum())
            spread = left_out[own].mean(axis=0) - left_out[own]
            parts[rows[own]] = np.sqrt((size - 1) / size) * spread
        for arm in arms:
            counts[self._codes[arm]] = self._seen[self.arms.index(arm), self.weeks.index(week)]
        return PatientMean(value, parts, counts, int(counts[counts > 0].min()))


def fit_repeated_measures(table: PatientTable) -> RepeatedMeasures:
    """Fit the model to the lesional scores of all arms, every name by itself.

    References
    ----------
    Laird N, Lange N, Stram D (1987). J Am Stat Assoc 82:97-105 (restricted maximum likelihood by
    expectation-maximization). Mallinckrodt C H and others (2008). Drug Inf J 42:303-319.
    """
    visits = table.lesional_visits
    arms, weeks = list(visits), sorted({week for found in visits.values() for week in found})
    seen = np.array([table.has(State.LESIONAL, week) for week in weeks]).T
    for arm in arms:
        # A mean of fewer patients is not shown, and would leave nothing when one is left out.
        own = table.arm == arm
        seen[np.ix_(own, seen[own].sum(axis=0) < FEWEST_PATIENTS)] = False
    seen[table.arm == Arm.HEALTHY] = False
    values = np.stack([table.values[State.LESIONAL, week] for week in weeks], axis=1)
    # Large constants would cost digits.
    centre = np.mean(values[seen], axis=0)
    values = np.where(seen[:, :, None], values - centre, 0.0)
    patterns = [
        _Pattern(code, rows[np.all(seen[rows] == which, axis=1)], which)
        for code, arm in enumerate(arms)
        if len(rows := np.flatnonzero((table.arm == arm) & seen.any(axis=1)))
        for which in np.unique(seen[rows], axis=0)
    ]
    together = seen.T.astype(int) @ seen.astype(int)
    spare = together.min() >= len(weeks) + SPARE_PATIENTS
    structure = UNSTRUCTURED if spare else COMPOUND_SYMMETRY
    fit = _fit(values, patterns, len(arms), structure)
    without = {
        int(row): _fit(
            values,
            [replace(p, rows=p.rows[p.rows != row]) if row in p.rows else p for p in patterns],
            len(arms),
            structure,
            fit.covariance,
        )
        for row in np.flatnonzero(seen.any(axis=1))
    }
    counts = np.array([seen[table.arm == arm].sum(axis=0) for arm in arms])
    codes = {arm: int(table.strata[table.arm == arm][0]) for arm in arms}
    return RepeatedMeasures(
        arms,
        weeks,
        fit.means + centre,
        fit.covariance,
        structure,
        without,
        table.strata,
        codes,
        counts,
    )


def _fit(
    values: np.ndarray,
    patterns: list[_Pattern],
    arms: int,
    structure: str,
    start: np.ndarray | None = None,
) -> _Fit:
    """Fit from nothing, or some steps from the covariance of nearly the same patients."""
    covariance = _covariance(values, patterns, arms, structure, start)
    information, right, _ = _normal_equations(values, patterns, arms, covariance)
    inverse = np.linalg.pinv(information, hermitian=True)
    means = np.einsum("anij,anj->ain", inverse, right)
    known = np.einsum("anii->ain", information) > 0
    return _Fit(np.where(known, means, np.nan), covariance)


def _precision(covariance: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Inverse covariance of the visits that were seen, 0 elsewhere; (names, weeks, weeks)."""
    found = np.zeros_like(covariance)
    inside = np.ix_(np.arange(len(covariance)), seen, seen)
    found[inside] = np.linalg.pinv(covariance[inside], hermitian=True)
    return found


def _normal_equations(
    values: np.ndarray, patterns: list[_Pattern], arms: int, covariance: np.ndarray
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Information and right-hand side of the means of every arm, and precision by pattern."""
    names, weeks = len(covariance), covariance.shape[1]
    information = np.zeros((arms, names, weeks, weeks))
    right = np.zeros((arms, names, weeks))
    precisions = [_precision(covariance, pattern.seen) for pattern in patterns]
    for pattern, precision in zip(patterns, precisions, strict=True):
        information[pattern.arm] += len(pattern.rows) * precision
        total = values[pattern.rows].sum(axis=0).T
        right[pattern.arm] += np.einsum("nij,nj->ni", precision, total)
    return information, right, precisions


def _covariance(
    values: np.ndarray,
    patterns: list[_Pattern],
    arms: int,
    structure: str,
    start: np.ndarray | None,
) -> np.ndarray:
    """Covariance of the visits by expectation-maximization; shape (names, weeks, weeks)."""
    weeks = values.shape[1]
    patients = sum(len(pattern.rows) for pattern in patterns)
    scale = _scale(values, patterns, arms)
    covariance = scale[:, None, None] * (0.5 * np.eye(weeks) + 0.5)
    if start is not None:
        covariance = start.copy()
    # Names that have converged are left alone, so that no name depends on the others.
    left = np.arange(len(scale))
    for _ in range(ITERATIONS if start is None else STEPS):
        if not len(left):
            break
        own, old = values[:, :, left], covariance[left]
        information, right, precisions = _normal_equations(own, patterns, arms, old)
        inverse = np.linalg.pinv(information, hermitian=True)
        means = np.einsum("anij,anj->ani", inverse, right)
        moments = np.zeros_like(old)
        for pattern, precision in zip(patterns, precisions, strict=True):
            size = len(pattern.rows)
            # What the visits seen say of all visits, and what they leave open.
            told = old @ precision
            # What was seen tells itself; rounding must not make the covariance indefinite.
            told[:, pattern.seen] = np.eye(weeks)[pattern.seen]
            apart = own[pattern.rows].transpose(0, 2, 1) - means[pattern.arm]
            apart = np.where(pattern.seen, apart, 0.0)
            squares = np.einsum("pni,pnj->nij", apart, apart)
            squares += size * inverse[pattern.arm] * np.outer(pattern.seen, pattern.seen)
            moments += told @ squares @ told.transpose(0, 2, 1)
            moments += size * (old - told @ old) * np.outer(~pattern.seen, ~pattern.seen)
        moments = (moments + moments.transpose(0, 2, 1)) / 2
        new = moments / patients + FLOOR * scale[left, None, None] * np.eye(weeks)
        if structure == COMPOUND_SYMMETRY:
            new = _compound_symmetry(new)
        covariance[left] = new
        left = left[np.abs(new - old).max(axis=(1, 2)) >= TOLERANCE * scale[left]]
    return covariance


def _scale(values: np.ndarray, patterns: list[_Pattern], arms: int) -> np.ndarray:
    """Variance of a name within arms and visits; of its level where nothing varies."""
    seen = np.zeros((len(values), values.shape[1], 1))
    arm = np.full(len(values), -1)
    for pattern in patterns:
        seen[pattern.rows] = pattern.seen[:, None]
        arm[pattern.rows] = pattern.arm
    squares = np.zeros(values.shape[2])
    for code in range(arms):
        own, there = values[arm == code], seen[arm == code]
        means = own.sum(axis=0) / np.maximum(there.sum(axis=0), 1)
        squares += (there * (own - means) ** 2).sum(axis=(0, 1))
    least = 1e-12 * (values**2).max(axis=(0, 1), initial=0.0)
    return np.maximum(squares / max(seen.sum(), 1), np.maximum(least, 1e-300))


def _compound_symmetry(covariance: np.ndarray) -> np.ndarray:
    """One variance and one covariance for all visits."""
    weeks = covariance.shape[1]
    variance = np.einsum("nii->n", covariance) / weeks
    total = covariance.sum(axis=(1, 2)) - weeks * variance
    both = total / max(weeks * (weeks - 1), 1)
    return both[:, None, None] + (variance - both)[:, None, None] * np.eye(weeks)
