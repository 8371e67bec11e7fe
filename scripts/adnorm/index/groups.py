"""Means over patients, and differences of them: what an index is made of."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError, listing
from adnorm.study.comparisons import BASELINE, HEALTHY_ARM

LESIONAL, NONLESIONAL, HEALTHY = "lesional", "nonlesional", "healthy"
#: How a table row names the means that the numerator compares.
PRIMARY, COMPLETERS, TIME_MATCHED = "primary", "completers", "time_matched"


@dataclass(frozen=True)
class Group:
    """The mean of one quantity over some patients, added or subtracted.

    Attributes
    ----------
    rows
        Patients, as rows of the `PatientTable`.
    values
        The quantity, shape (len(rows), names).
    sign
        1 or −1.
    """

    rows: np.ndarray
    values: np.ndarray
    sign: int = 1

    def weighted(self, weights: np.ndarray) -> np.ndarray:
        """Signed mean under weights of all patients; shape (draws, names), NaN without patients."""
        mine = weights[:, self.rows]
        total = mine.sum(axis=1, keepdims=True)
        return self.sign * (mine @ self.values) / np.where(total > 0, total, np.nan)


#: state, week
Key = tuple[str, float]
#: A sum of signed means, such as mean(LS) − mean(healthy).
Mean = list[Group]


def estimate(mean: Mean) -> np.ndarray:
    """Value of a sum of signed means, shape (names,)."""
    return sum(group.sign * group.values.mean(axis=0) for group in mean)


def replicates(mean: Mean, weights: np.ndarray) -> np.ndarray:
    """Value under each row of patient weights, shape (draws, names)."""
    return sum(group.weighted(weights) for group in mean)


def contributions(mean: Mean, patients: int) -> np.ndarray:
    """Deviation of each patient, scaled so that the squares add up to the variance of the mean.

    Returns
    -------
    ndarray, shape (patients, names)
        Products of two means' contributions add up to their covariance.
    """
    deviations = np.zeros((patients, mean[0].values.shape[1]))
    for group in mean:
        size = len(group.rows)
        centred = group.values - group.values.mean(axis=0)
        deviations[group.rows] += group.sign * centred / np.sqrt(size * max(size - 1, 1))
    return deviations


def smallest(mean: Mean) -> int:
    """Patients in the smallest group."""
    return min(len(group.rows) for group in mean)


@dataclass(frozen=True)
class PatientTable:
    """Values of a cohort by patient and visit.

    Attributes
    ----------
    patients, arm
        Name and arm of each patient, sorted by name; healthy people have the arm ``healthy``.
    cells
        Values by (state, week), shape (patients, names); rows without that biopsy are NaN.
    present
        Which patients have it, by (state, week).
    """

    patients: np.ndarray
    arm: np.ndarray
    cells: dict[Key, np.ndarray] = field(repr=False)
    present: dict[Key, np.ndarray] = field(repr=False)

    @classmethod
    def of(cls, values: np.ndarray, observations: pd.DataFrame) -> PatientTable:
        """Arrange observations by patient.

        Parameters
        ----------
        values
            Shape (observations, names); finite.
        observations
            patient, state, week, arm; one row for each patient, state and visit
            (`combine_biopsies`).

        Raises
        ------
        AdnormError
            Two observations of one patient, state and week, or a patient in two arms.
        """
        frame = observations[["patient", "state", "arm"]].astype(str)
        frame["week"] = observations["week"].to_numpy(dtype=float)
        twice = frame.duplicated(["patient", "state", "week"])
        if twice.any():
            raise AdnormError(
                f"patients {listing(sorted(set(frame.loc[twice, 'patient'])))} have several "
                "observations of one state and week; combine their biopsies first"
            )
        arms = frame.groupby("patient")["arm"].agg(["min", "max"])
        moved = arms.index[arms["min"] != arms["max"]]
        if len(moved):
            raise AdnormError(
                f"patients {listing(moved)} stand in more than one arm; the index compares arms "
                "of different patients: give every patient one arm in the sample sheet"
            )
        patients = arms.index.to_numpy()
        row = np.searchsorted(patients, frame["patient"].to_numpy())
        cells, present = {}, {}
        for key, members in frame.groupby(["state", "week"], sort=True).indices.items():
            cells[key] = np.full((len(patients), values.shape[1]), np.nan)
            cells[key][row[members]] = values[members]
            present[key] = np.zeros(len(patients), dtype=bool)
            present[key][row[members]] = True
        return cls(patients, arms["min"].to_numpy(dtype=str), cells, present)

    def has(self, state: str, week: float) -> np.ndarray:
        """Which patients have a biopsy of a state at a week; shape (patients,)."""
        return self.present.get((state, week), np.zeros(len(self.patients), dtype=bool))

    def difference(self, first: Key, second: Key, rows: np.ndarray) -> np.ndarray:
        """Own differences of patients who have both biopsies, shape (len(rows), names)."""
        if not len(rows):
            return np.empty((0, next(iter(self.cells.values())).shape[1]))
        return self.cells[first][rows] - self.cells[second][rows]

    @property
    def visits(self) -> list[tuple[str, float]]:
        """Arm and week of all lesional visits after baseline, sorted."""
        found = []
        for (state, week), present in self.present.items():
            if state == LESIONAL and week > BASELINE:
                found += [(arm, week) for arm in set(self.arm[present]) - {HEALTHY_ARM}]
        return sorted(found)

    def baseline_difference(self, reference: str) -> Mean:
        """Lesional − reference before treatment over all arms; no groups where it lacks samples."""
        start = self.has(LESIONAL, BASELINE)
        if reference == HEALTHY:
            healthy = np.flatnonzero(self.has(HEALTHY, BASELINE))
            lesional = np.flatnonzero(start)
            if not (len(healthy) and len(lesional)):
                return []
            return [
                Group(lesional, self.cells[LESIONAL, BASELINE][lesional]),
                Group(healthy, self.cells[HEALTHY, BASELINE][healthy], -1),
            ]
        rows = np.flatnonzero(start & self.has(NONLESIONAL, BASELINE))
        if not len(rows):
            return []
        return [Group(rows, self.difference((LESIONAL, BASELINE), (NONLESIONAL, BASELINE), rows))]

    def decrease(self, arm: str, week: float, analysis: str = PRIMARY) -> Group:
        """Own decrease from baseline to a visit of the patients of an arm who have both.

        Parameters
        ----------
        arm, week
            The visit.
        analysis
            ``primary``; ``completers``: only patients with lesional samples at all visits of the
            arm; ``time_matched``: decrease of the patient's lesional − nonlesional difference, the
            non-lesional sample taken at the same visit.
        """
        mine = (self.arm == arm) & self.has(LESIONAL, BASELINE) & self.has(LESIONAL, week)
        if analysis == COMPLETERS:
            for _, other in (visit for visit in self.visits if visit[0] == arm):
                mine &= self.has(LESIONAL, other)
        if analysis == TIME_MATCHED:
            mine &= self.has(NONLESIONAL, BASELINE) & self.has(NONLESIONAL, week)
        rows = np.flatnonzero(mine)
        values = self.difference((LESIONAL, BASELINE), (LESIONAL, week), rows)
        if analysis == TIME_MATCHED:
            values = values - self.difference((NONLESIONAL, BASELINE), (NONLESIONAL, week), rows)
        return Group(rows, values)

    def lost(self, arm: str, week: float) -> int:
        """Patients of an arm with a lesional sample at baseline and none at the visit."""
        start = (self.arm == arm) & self.has(LESIONAL, BASELINE)
        return int((start & ~self.has(LESIONAL, week)).sum())
