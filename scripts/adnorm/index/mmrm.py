"""Means of visits when visits are missing: a mixed model for repeated measures (MMRM).

The lesional score of a patient at all visits is one vector with a mean for each arm and visit and
a covariance that patients share. Where lesions of a patient are in several arms, the vector holds
all of them: lesions of one patient may go together, and all vary alike. A visit that is missing is
filled in, as it were, from what the same patient's other visits say of it: that is right when
patients are missing for reasons that their earlier visits show (missing at random), where the mean
of those who stayed is not. Nothing is carried forward. Without missing visits the means are the
plain means.

statsmodels' MixedLM has no unstructured covariance of visits; here all scores of a cohort are
fitted at once, because they lack the same visits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np

from adnorm.index.means import FEWEST_PATIENTS, PatientMean, PatientTable
from adnorm.study.comparisons import BASELINE
from adnorm.study.vocabulary import State

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


#: Arm and week.
Visit = tuple[str, float]


@dataclass(frozen=True)
class _Vectors:
    """What the model is fitted to: one vector for each patient."""

    #: Shape (patients, cells, names); 0 where nothing was seen.
    values: np.ndarray
    #: Shape (patients, cells).
    seen: np.ndarray
    #: Code of the group of each patient whose means are apart from those of others; −1: none.
    group: np.ndarray
    #: Group and cell of each arm and visit.
    place: dict[Visit, tuple[int, int]]
    #: Orders of the cells in which the covariance is the same: lesions exchanged. Shape (k, cells).
    orders: np.ndarray


@dataclass(frozen=True)
class RepeatedMeasures:
    """Means of all arms and visits, with the covariance of the visits.

    Attributes
    ----------
    place
        Where each arm and week stands in the axes below: group and cell. Without lesions in several
        arms groups are arms and cells weeks, sorted; with them there is one group, and cells are
        arm × week.
    means
        Shape (groups, cells, names); NaN where an arm was not seen.
    covariance
        Shape (names, cells, cells), by restricted maximum likelihood.
    structure
        ``unstructured`` or ``compound symmetry``.
    """

    place: dict[Visit, tuple[int, int]]
    means: np.ndarray
    covariance: np.ndarray
    structure: str
    #: Fits without each patient, by code of the patient.
    _without: dict[int, _Fit]
    _strata: np.ndarray
    #: Stratum of an arm, and how many of its patients were seen at a visit.
    _codes: dict[str, int]
    _seen: dict[Visit, int]

    def decrease(self, arm: str, week: float) -> PatientMean:
        """Mean decrease from baseline to a visit of an arm, over all its patients."""
        start, then = self.place[arm, BASELINE], self.place[arm, week]
        return self._estimate(lambda fit: fit.means[start] - fit.means[then], [arm], week)

    def contrast(self, weights: Mapping[str, float], week: float) -> PatientMean:
        """Contrast of the decreases of some arms, given the score at baseline.

        Given LS_0, a patient who starts 1 higher falls by 1 − slope more; the slope is that of the
        covariance of the two visits. Of lesions of a patient it is that of their contrasts. The
        weights add up to 0.
        """
        start = {self.place[arm, BASELINE]: 0.0 for arm in weights}
        then = {self.place[arm, week]: 0.0 for arm in weights}
        for arm, weight in weights.items():
            start[self.place[arm, BASELINE]] += weight
            then[self.place[arm, week]] += weight

        def slope(covariance: np.ndarray) -> np.ndarray:
            if len({group for group, _ in then}) > 1:
                (_, first), (_, last) = next(iter(start)), next(iter(then))
                return covariance[:, last, first] / covariance[:, first, first]
            before, after = np.zeros(covariance.shape[1]), np.zeros(covariance.shape[1])
            for sums, found in ((before, start), (after, then)):
                for (_, cell), weight in found.items():
                    sums[cell] = weight
            # One sample before all treatments cancels out.
            if not before.any():
                return np.zeros(len(covariance))
            return (covariance @ before @ after) / (covariance @ before @ before)

        def adjusted(fit: _Fit) -> np.ndarray:
            before, after = (
                sum((weight * fit.means[cell] for cell, weight in found.items()), 0.0)
                for found in (start, then)
            )
            return slope(fit.covariance) * before - after

        return self._estimate(adjusted, list(weights), week)

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
        sizes = {arm: self._seen[arm, week] for arm in arms}
        for arm, size in sizes.items():
            code = self._codes[arm]
            counts[code] = min(size, counts[code] or size)
        return PatientMean(value, parts, counts, min(sizes.values()))


def fit_repeated_measures(table: PatientTable) -> RepeatedMeasures:
    """Fit the model to the lesional scores of all arms, every name by itself.

    References
    ----------
    Laird N, Lange N, Stram D (1987). J Am Stat Assoc 82:97-105 (restricted maximum likelihood by
    expectation-maximization). Mallinckrodt C H and others (2008). Drug Inf J 42:303-319.
    """
    vectors = _vectors(table)
    values, seen, groups = vectors.values, vectors.seen, int(vectors.group.max()) + 1
    # Large constants would cost digits.
    centre = values[seen].sum(axis=0) / max(seen.sum(), 1)
    values = np.where(seen[:, :, None], values - centre, 0.0)
    patterns = [
        _Pattern(code, rows[np.all(seen[rows] == which, axis=1)], which)
        for code in range(groups)
        if len(rows := np.flatnonzero((vectors.group == code) & seen.any(axis=1)))
        for which in np.unique(seen[rows], axis=0)
    ]
    together = seen.T.astype(int) @ seen.astype(int)
    # Sums and differences of exchangeable lesions have a covariance each, of a cell for each visit.
    sizes = len({week for _, week in vectors.place}) if len(vectors.orders) > 1 else seen.shape[1]
    spare = together.min() >= sizes + SPARE_PATIENTS
    structure = UNSTRUCTURED if spare else COMPOUND_SYMMETRY
    fit = _fit(values, patterns, groups, structure, vectors.orders)
    without = {
        int(row): _fit(
            values,
            [replace(p, rows=p.rows[p.rows != row]) if row in p.rows else p for p in patterns],
            groups,
            structure,
            vectors.orders,
            fit.covariance,
        )
        for row in np.flatnonzero(seen.any(axis=1))
    }
    return RepeatedMeasures(
        vectors.place,
        fit.means + centre,
        fit.covariance,
        structure,
        without,
        table.strata,
        {
            arm: int(table.strata[vectors.group == code][0])
            for (arm, _), (code, _) in vectors.place.items()
        },
        {
            visit: int(seen[vectors.group == code, cell].sum())
            for visit, (code, cell) in vectors.place.items()
        },
    )


def _vectors(table: PatientTable) -> _Vectors:
    """Arrange the lesional scores of a table by patient."""
    visits = table.lesional_visits
    arms, weeks = list(visits), sorted({week for found in visits.values() for week in found})
    cells: list[tuple[np.ndarray, float]] = [(np.arange(len(table.arm)), week) for week in weeks]
    group = np.full(len(table.arm), -1)
    for code, arm in enumerate(arms):
        group[table.arm == arm] = code
    place = {
        (arm, week): (code, c) for code, arm in enumerate(arms) for c, week in enumerate(weeks)
    }
    if table.person is not None:
        rows = {arm: np.full(len(table.strata), -1) for arm in arms}
        for arm in arms:
            own = np.flatnonzero(table.arm == arm)
            rows[arm][table.person[own]] = own
        group = np.where(np.max(list(rows.values()), axis=0) >= 0, 0, -1)
        cells, place = [], {}
        for arm, week in ((arm, week) for week in weeks for arm in arms if week in visits[arm]):
            same = [c for c, cell in enumerate(cells) if _is_shared(table, week, rows[arm], *cell)]
            place[arm, week] = 0, (same or [len(cells)])[0]
            if not same:
                cells.append((rows[arm], week))
    seen = np.array([(rows >= 0) & table.has(State.LESIONAL, week)[rows] for rows, week in cells]).T
    values = np.stack([table.values[State.LESIONAL, week][rows] for rows, week in cells], axis=1)
    for code in range(int(group.max()) + 1):
        # A mean of fewer patients is not shown, and would leave nothing when one is left out.
        own = group == code
        seen[np.ix_(own, seen[own].sum(axis=0) < FEWEST_PATIENTS)] = False
    seen[group < 0] = False
    return _Vectors(values, seen, group, place, _orders(place, arms, len(cells)))


def _orders(place: dict[Visit, tuple[int, int]], arms: list[str], cells: int) -> np.ndarray:
    """Orders of the cells by exchanging arms whose lesions are of the same patients and visits."""
    weeks = [{week for own, week in place if own == arm} for arm in arms]
    same = np.arange(cells)
    if len({code for code, _ in place.values()}) > 1 or any(found != weeks[0] for found in weeks):
        return same[None]
    found = []
    for exchanged in permutations(arms):
        order = same.copy()
        for arm, other in zip(arms, exchanged, strict=True):
            for week in weeks[0]:
                order[place[arm, week][1]] = place[other, week][1]
        found.append(order)
    return np.array(found)


def _is_shared(
    table: PatientTable, week: float, rows: np.ndarray, others: np.ndarray, their_week: float
) -> bool:
    """Whether one sample stands for two lesions of every patient: the same values."""
    both = (rows >= 0) & (others >= 0)
    has = table.has(State.LESIONAL, week)
    both &= has[rows] & has[others]
    values = table.values[State.LESIONAL, week]
    return (
        week == their_week
        and bool(both.any())
        and np.array_equal(values[rows[both]], values[others[both]])
    )


def _fit(
    values: np.ndarray,
    patterns: list[_Pattern],
    arms: int,
    structure: str,
    orders: np.ndarray,
    start: np.ndarray | None = None,
) -> _Fit:
    """Fit from nothing, or some steps from the covariance of nearly the same patients."""
    covariance = _covariance(values, patterns, arms, structure, orders, start)
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
    orders: np.ndarray,
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
            slopes = old @ precision
            # A visit that was seen is itself; rounding must not make the covariance indefinite.
            slopes[:, pattern.seen] = np.eye(weeks)[pattern.seen]
            apart = own[pattern.rows].transpose(0, 2, 1) - means[pattern.arm]
            apart = np.where(pattern.seen, apart, 0.0)
            squares = np.einsum("pni,pnj->nij", apart, apart)
            squares += size * inverse[pattern.arm] * np.outer(pattern.seen, pattern.seen)
            moments += slopes @ squares @ slopes.transpose(0, 2, 1)
            moments += size * (old - slopes @ old) * np.outer(~pattern.seen, ~pattern.seen)
        moments = (moments + moments.transpose(0, 2, 1)) / 2
        new = moments / max(patients, 1) + FLOOR * scale[left, None, None] * np.eye(weeks)
        if structure == COMPOUND_SYMMETRY:
            new = _compound_symmetry(new)
        elif len(orders) > 1:
            new = np.mean([new[:, order][:, :, order] for order in orders], axis=0)
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
    return np.maximum(squares / max(seen.sum(), 1), np.maximum(least, 1e-200))


def _compound_symmetry(covariance: np.ndarray) -> np.ndarray:
    """One variance and one covariance for all visits."""
    weeks = covariance.shape[1]
    variance = np.einsum("nii->n", covariance) / weeks
    total = covariance.sum(axis=(1, 2)) - weeks * variance
    both = total / max(weeks * (weeks - 1), 1)
    return both[:, None, None] + (variance - both)[:, None, None] * np.eye(weeks)
