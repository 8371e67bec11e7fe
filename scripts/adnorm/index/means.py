"""Means of patients by arm, state and visit, and whether their difference can be a denominator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from adnorm.base.errors import AdnormError, listing
from adnorm.study.comparisons import BASELINE
from adnorm.study.vocabulary import Analysis, Arm, Level, ReasonCode, State

#: How many standard errors the disease effect must be away from 0.
LEAST_RATIO: dict[str, float] = {Level.GLOBAL: 4.0, Level.PUBLISHED_AXIS: 4.0, Level.SET: 2.5}
_KIND: dict[str, str] = {
    Level.GLOBAL: "disease axis",
    Level.PUBLISHED_AXIS: "list",
    Level.SET: "set",
}
#: Below this many patients a standard error means nothing, and there is no number at all.
FEWEST_PATIENTS = 3
#: Below this many, intervals are Fieller's and the result is exploratory.
FEWEST_FOR_BOOTSTRAP = 6


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
        own = weights[:, self.rows]
        total = own.sum(axis=1, keepdims=True)
        return self.sign * (own @ self.values) / np.where(total > 0, total, np.nan)


#: state, week
Key = tuple[str, float]
#: A sum of signed means, such as mean(LS) − mean(healthy).
Mean = list[Group]


def estimate(mean: Mean) -> np.ndarray:
    """Value of a sum of signed means, shape (names,)."""
    return np.sum([group.sign * group.values.mean(axis=0) for group in mean], axis=0)


def replicates(mean: Mean, weights: np.ndarray) -> np.ndarray:
    """Value under each row of patient weights, shape (draws, names)."""
    return np.sum([group.weighted(weights) for group in mean], axis=0)


def contributions(mean: Mean, patients: int) -> np.ndarray:
    """Deviation of each patient, scaled so that the squares add up to the variance of the mean.

    Shape (patients, names); products of two means' contributions add up to their covariance.
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
    values
        By (state, week), shape (patients, names); rows without that biopsy are NaN.
    present
        Which patients have it, by (state, week).
    """

    patients: np.ndarray
    arm: np.ndarray
    values: dict[Key, np.ndarray] = field(repr=False)
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
        by_visit: dict[Key, np.ndarray] = {}
        present: dict[Key, np.ndarray] = {}
        visits: Mapping[Any, Any] = frame.groupby(["state", "week"], sort=True).indices
        for key, members in visits.items():
            by_visit[key] = np.full((len(patients), values.shape[1]), np.nan)
            by_visit[key][row[members]] = values[members]
            present[key] = np.zeros(len(patients), dtype=bool)
            present[key][row[members]] = True
        return cls(patients, arms["min"].to_numpy(dtype=str), by_visit, present)

    def select(self, names: np.ndarray) -> PatientTable:
        """Keep some of the names (a mask)."""
        return replace(self, values={key: v[:, names] for key, v in self.values.items()})

    @property
    def strata(self) -> np.ndarray:
        """Code of each patient's arm; healthy people are a stratum of their own."""
        return np.unique(self.arm, return_inverse=True)[1]

    def has(self, state: str, week: float) -> np.ndarray:
        """Which patients have a biopsy of a state at a week; shape (patients,)."""
        return self.present.get((state, week), np.zeros(len(self.patients), dtype=bool))

    def difference(self, first: Key, second: Key, rows: np.ndarray) -> np.ndarray:
        """Own differences of patients who have both biopsies, shape (len(rows), names)."""
        if not len(rows):
            return np.empty((0, next(iter(self.values.values())).shape[1]))
        return self.values[first][rows] - self.values[second][rows]

    @property
    def visits(self) -> list[tuple[str, float]]:
        """Arm and week of all lesional visits after baseline, sorted."""
        found = []
        for (state, week), present in self.present.items():
            if state == State.LESIONAL and week > BASELINE:
                found += [(arm, week) for arm in set(self.arm[present]) - {Arm.HEALTHY}]
        return sorted(found)

    def baseline_difference(self, reference: str) -> Mean:
        """Lesional − reference before treatment over all arms; no groups where it lacks samples."""
        lesional, other = (State.LESIONAL, BASELINE), (reference, BASELINE)
        if reference == State.HEALTHY:
            groups = [
                Group(rows, self.values[key][rows], sign)
                for key, sign in ((lesional, 1), (other, -1))
                if len(rows := np.flatnonzero(self.has(*key)))
            ]
            return groups if len(groups) == 2 else []
        rows = np.flatnonzero(self.has(*lesional) & self.has(*other))
        return [Group(rows, self.difference(lesional, other, rows))] if len(rows) else []

    def decrease(self, arm: str, week: float, analysis: str = Analysis.PRIMARY) -> Group:
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
        lesional, nonlesional = State.LESIONAL, State.NONLESIONAL
        chosen = (self.arm == arm) & self.has(lesional, BASELINE) & self.has(lesional, week)
        if analysis == Analysis.COMPLETERS:
            for _, other in (visit for visit in self.visits if visit[0] == arm):
                chosen &= self.has(lesional, other)
        if analysis == Analysis.TIME_MATCHED:
            chosen &= self.has(nonlesional, BASELINE) & self.has(nonlesional, week)
        rows = np.flatnonzero(chosen)
        values = self.difference((lesional, BASELINE), (lesional, week), rows)
        if analysis == Analysis.TIME_MATCHED:
            values = values - self.difference((nonlesional, BASELINE), (nonlesional, week), rows)
        return Group(rows, values)

    def missing_at_visit(self, arm: str, week: float) -> int:
        """Patients of an arm with a lesional sample at baseline and none at the visit."""
        start = (self.arm == arm) & self.has(State.LESIONAL, BASELINE)
        return int((start & ~self.has(State.LESIONAL, week)).sum())


# ---------------------------------------------------------------- estimability


@dataclass(frozen=True)
class Denominator:
    """The disease effect before treatment: lesional − reference over all arms.

    Attributes
    ----------
    mean
        The groups that it is made of.
    value, standard_error
        Shape (names,).
    code, reason
        Why no index can rest on it, by name; empty where one can.
    """

    mean: Mean
    value: np.ndarray
    standard_error: np.ndarray
    code: list[str]
    reason: list[str]


def judge_denominator(
    mean: Mean,
    patients: int,
    levels: Sequence[str],
    reference: str,
    scale: np.ndarray,
    confidence: float,
) -> Denominator:
    """Decide for every name whether the disease effect is large enough to divide by.

    Parameters
    ----------
    mean, patients
        Lesional − `reference` at baseline, and the rows of the table that it was taken from.
    levels, scale
        Level of every name, and its largest absolute value; effects below the rounding error of
        that are 0.
    confidence
        Of the lower bound that must be above 0.
    """
    value = estimate(mean)
    variances = [(contributions([group], patients) ** 2).sum(axis=0) for group in mean]
    error = np.sqrt(sum(variances))
    freedom = [max(len(group.rows) - 1, 1) for group in mean]
    squared = sum(v**2 / f for v, f in zip(variances, freedom, strict=True))
    df = np.divide(error**4, squared, out=np.full(len(value), np.inf), where=squared > 0)
    margin = stats.t.ppf(0.5 + confidence / 2, df) * error
    real = np.abs(value) > 1e-9 * scale
    sizes = f"{len(mean[0].rows)} patients with both"
    if reference == State.HEALTHY:
        sizes = f"{len(mean[0].rows)} patients, {len(mean[1].rows)} {Arm.HEALTHY} people"
    codes, reasons = [], []
    for i, level in enumerate(levels):
        least = LEAST_RATIO[level]
        apart = real[i] and abs(value[i]) >= least * error[i] and abs(value[i]) > margin[i]
        effect = f"lesional − {reference} at baseline is {value[i]:.2g} ± {error[i]:.2g} ({sizes})"
        code, reason = ReasonCode.DENOM_NOT_ESTIMABLE, ""
        if smallest(mean) < FEWEST_PATIENTS:
            reason = f"{effect}; at least {FEWEST_PATIENTS} people are asked"
        elif value[i] < 0 and real[i] and abs(value[i]) > margin[i]:
            code = ReasonCode.DIRECTION_CONTRADICTED
            reason = (
                f"{effect}, below 0: against the direction of the {_KIND[level]}; either this "
                f"cohort contradicts it or lesional and {reference} labels are swapped"
            )
        elif not apart or value[i] < 0:
            rule = _too_close(value[i], error[i], least, margin[i], confidence)
            reason = f"{effect}, too close to 0 to divide by: {rule}"
        codes.append(code if reason else "")
        reasons.append(reason)
    return Denominator(mean, value, error, codes, reasons)


def _too_close(value: float, error: float, least: float, margin: float, confidence: float) -> str:
    """Name the rules by which a disease effect is too small."""
    rules = []
    if 0 < error and value < least * error:
        rules.append(f"at least {least:g} standard errors are asked, it is {value / error:.1f}")
    if value <= margin:
        bound = value - margin
        rules.append(f"a lower {100 * confidence:g}% bound above 0 is asked, it is {bound:.2g}")
    return "; ".join(rules) or "it is rounding error of the scores"
