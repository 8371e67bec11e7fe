"""Means of patients by arm, state and visit, and whether their difference can be a denominator.

Which sets get a number must not depend on the chance that makes a drug look good. A rule that looks
at the disease effect itself does: lesional skin that is high by chance at baseline passes it, and
then falls by itself. A useless drug leaves lesional skin at baseline and at the visit exchangeable,
so the rule here looks only at what stays the same when the two are exchanged (`signal`). Then its
index is as often above 0 as below, whatever the number of patients and however biopsies vary. It
looks at the patients of all arms together, so that exchanging arms does not change it either: the
difference of a drug that does what placebo does is as often above 0 as below, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from adnorm.base.errors import AdnormError, listing
from adnorm.study.comparisons import BASELINE, average_rows, spread_over_lesions
from adnorm.study.vocabulary import Analysis, Arm, Level, ReasonCode, State

#: How strong the signal must be for a number, and for one that is not exploratory. At 5 a useless
#: drug is off by less than 3 points wherever 5 % of trials or more get a number; at 6 intervals
#: keep their level, too (benchmarks/calibration.md).
LEAST_SIGNAL, SOUND_SIGNAL = 5.0, 6.0
#: What an index is of, in the reasons.
KIND: dict[str, str] = {
    Level.GLOBAL: "disease axis",
    Level.PUBLISHED_AXIS: "list",
    Level.SET: "set",
}
#: Below this many patients a standard error means nothing, and there is no number at all.
FEWEST_PATIENTS = 3


@dataclass(frozen=True)
class Group:
    """The mean of one quantity over some patients, added or subtracted.

    Attributes
    ----------
    rows
        Patients, as rows of the `PatientTable`; no patient twice.
    values
        The quantity, shape (len(rows), names).
    sign
        1 or −1.
    """

    rows: np.ndarray
    values: np.ndarray
    sign: int = 1


#: state, week
Key = tuple[str, float]
#: A sum of signed means, such as mean(LS) − mean(healthy).
Mean = list[Group]


@dataclass(frozen=True)
class PatientMean:
    """A mean over patients with what every patient adds to its error.

    Attributes
    ----------
    value
        Shape (names,).
    parts
        Shape (patients, names), scaled so that the squares add up to the variance of the mean;
        products with the parts of another mean add up to their covariance.
    counts
        Patients of each stratum that it rests on, shape (strata,).
    smallest
        Patients in the smallest group that it rests on, of all strata together.
    """

    value: np.ndarray
    parts: np.ndarray
    counts: np.ndarray
    smallest: int

    @classmethod
    def of(cls, groups: Mean, strata: np.ndarray, person: np.ndarray | None = None) -> PatientMean:
        """Add up the signed means of some groups.

        Parameters
        ----------
        groups
            What is added.
        strata
            Code of each patient's arm.
        person
            Whose each row is, where patients have several (lesions); a group has one of each.
            ``None``: one row each.
        """
        value = np.sum([group.sign * group.values.mean(axis=0) for group in groups], axis=0)
        parts = np.zeros((len(strata), len(value)))
        counts = np.zeros(strata.max(initial=0) + 1, dtype=int)
        for group in groups:
            size = len(group.rows)
            owner = group.rows if person is None else person[group.rows]
            centred = group.values - group.values.mean(axis=0)
            parts[owner] += group.sign * centred / np.sqrt(size * max(size - 1, 1))
            counts = np.maximum(counts, np.bincount(strata[owner], minlength=len(counts)))
        return cls(value, parts, counts, min(len(group.rows) for group in groups))

    @property
    def variance(self) -> np.ndarray:
        """Shape (names,)."""
        return (self.parts**2).sum(axis=0)

    def __add__(self, other: PatientMean) -> PatientMean:
        counts = np.maximum(self.counts, other.counts)
        smallest = min(self.smallest, other.smallest)
        return PatientMean(self.value + other.value, self.parts + other.parts, counts, smallest)

    def __mul__(self, factor: float | np.ndarray) -> PatientMean:
        return PatientMean(factor * self.value, factor * self.parts, self.counts, self.smallest)

    def __sub__(self, other: PatientMean) -> PatientMean:
        return self + other * -1.0


@dataclass(frozen=True)
class PatientTable:
    """Values of a cohort by patient and visit; by lesion where those of a patient differ in arm.

    Attributes
    ----------
    patients, arm
        Name and arm of the patient of each row, sorted; healthy people have the arm ``healthy``.
    values
        By (state, week), shape (rows, names); rows without that biopsy are NaN.
    present
        Which rows have it, by (state, week).
    person
        Code of the patient of each row; ``None`` where every patient is one row.
    """

    patients: np.ndarray
    arm: np.ndarray
    values: dict[Key, np.ndarray] = field(repr=False)
    present: dict[Key, np.ndarray] = field(repr=False)
    person: np.ndarray | None = None

    @classmethod
    def of(cls, values: np.ndarray, observations: pd.DataFrame) -> PatientTable:
        """Arrange observations by patient, or by lesion.

        Parameters
        ----------
        values
            Shape (observations, names); finite.
        observations
            patient, state, week, arm; one row for each patient, state and visit
            (`combine_biopsies`). With a column lesion, a row that has none serves all lesions of
            its patient.

        Raises
        ------
        AdnormError
            Two observations of one patient, state and week, or a patient in two arms.
        """
        lesions = "lesion" in observations
        if lesions:
            rows, observations = spread_over_lesions(observations)
            values = values[rows]
        frame = observations[["patient", "state", "arm"]].astype(str)
        frame["week"] = observations["week"].to_numpy(dtype=float)
        key = frame["patient"] + "\t" + frame["arm"] if lesions else frame["patient"]
        _, first, place = np.unique(key.to_numpy(), return_index=True, return_inverse=True)
        names, arm = (frame[column].to_numpy()[first] for column in ("patient", "arm"))
        moved = np.unique(frame["patient"].to_numpy()[frame["arm"].to_numpy() != arm[place]])
        if len(moved):
            raise AdnormError(
                f"patients {listing(moved)} stand in more than one arm; the index compares arms "
                "of different patients: give every patient one arm in the sample sheet, or tell "
                "lesions of one patient apart in a column lesion"
            )
        twice = frame.assign(key=place).duplicated(["key", "state", "week"])
        if twice.any():
            raise AdnormError(
                f"patients {listing(sorted(set(frame.loc[twice, 'patient'])))} have several "
                "observations of one state and week; combine their biopsies first"
            )
        by_visit: dict[Key, np.ndarray] = {}
        present: dict[Key, np.ndarray] = {}
        visits: Mapping[Any, Any] = frame.groupby(["state", "week"], sort=True).indices
        for key, members in visits.items():
            by_visit[key] = np.full((len(names), values.shape[1]), np.nan)
            by_visit[key][place[members]] = values[members]
            present[key] = np.zeros(len(names), dtype=bool)
            present[key][place[members]] = True
        person = np.unique(names, return_inverse=True)[1] if lesions else None
        return cls(names, arm.astype(str), by_visit, present, person)

    def select(self, names: np.ndarray) -> PatientTable:
        """Keep some of the names (a mask)."""
        return replace(self, values={key: v[:, names] for key, v in self.values.items()})

    @property
    def strata(self) -> np.ndarray:
        """Code of each patient's arm; healthy people are a stratum of their own.

        Shape (patients,). Patients whose lesions are in several arms are one stratum.
        """
        if self.person is None:
            return np.unique(self.arm, return_inverse=True)[1]
        healthy = np.zeros(self.person.max(initial=-1) + 1, dtype=int)
        healthy[self.person[self.arm == Arm.HEALTHY]] = 1
        return healthy

    def mean(self, groups: Mean) -> PatientMean:
        """Add up the signed means of some groups of rows."""
        return PatientMean.of(groups, self.strata, self.person)

    def owner(self, rows: np.ndarray) -> np.ndarray:
        """Code of the patient of each of some rows."""
        return rows if self.person is None else self.person[rows]

    def group(self, rows: np.ndarray, values: np.ndarray, sign: int = 1) -> Group:
        """Make a group of some rows, lesions of one patient averaged."""
        if self.person is None:
            return Group(rows, values, sign)
        _, first, codes = np.unique(self.person[rows], return_index=True, return_inverse=True)
        return Group(rows[first], average_rows(values, codes), sign)

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
        return [
            (arm, week)
            for arm, weeks in self.lesional_visits.items()
            for week in weeks
            if week > BASELINE
        ]

    def baseline_difference(
        self, reference: str, arm: str = "", averaged: tuple[np.ndarray, float, bool] | None = None
    ) -> Mean:
        """Lesional − reference before treatment; no groups where it lacks samples.

        Parameters
        ----------
        reference
            ``nonlesional`` or ``healthy``.
        arm
            Only patients of this arm (and healthy people); all arms where it is empty.
        averaged
            Patients (rows), a week, and whether nonlesional skin is of the same visit: of these
            patients the mean of baseline and that week stands for baseline.
        """
        key, other = (State.LESIONAL, BASELINE), (reference, BASELINE)
        chosen = (self.arm == arm) | (self.arm == Arm.HEALTHY) | (arm == "")
        if not {key, other} <= set(self.values):
            return []
        lesional, compared = self.values[key], self.values[other]
        if averaged is not None:
            rows, week, matched = averaged
            lesional = lesional.copy()
            lesional[rows] = (lesional[rows] + self.values[State.LESIONAL, week][rows]) / 2
            if matched:
                compared = compared.copy()
                compared[rows] = (compared[rows] + self.values[State.NONLESIONAL, week][rows]) / 2
        if reference == State.HEALTHY:
            groups = [
                self.group(rows, values[rows], sign)
                for has, values, sign in ((key, lesional, 1), (other, compared, -1))
                if len(rows := np.flatnonzero(self.has(*has) & chosen))
            ]
            return groups if len(groups) == 2 else []
        rows = np.flatnonzero(self.has(*key) & self.has(*other) & chosen)
        return [self.group(rows, lesional[rows] - compared[rows])] if len(rows) else []

    def decrease(self, arm: str, week: float, analysis: str = Analysis.PRIMARY) -> Group:
        """Own decrease from baseline to a visit of the patients of an arm who have both.

        Parameters
        ----------
        arm, week
            The visit.
        analysis
            ``primary``; ``completers``: only patients with lesional samples at all visits of the
            arm; ``time_matched``: decrease of the patient's lesional − nonlesional difference, the
            nonlesional sample taken at the same visit.
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

    @property
    def lesional_visits(self) -> dict[str, list[float]]:
        """Weeks with lesional samples of every arm, baseline included."""
        found: dict[str, set[float]] = {}
        for (state, week), present in self.present.items():
            if state == State.LESIONAL and week >= BASELINE:
                for arm in set(self.arm[present]) - {Arm.HEALTHY, Arm.ALL}:
                    found.setdefault(str(arm), set()).add(week)
        return {arm: sorted(weeks) for arm, weeks in sorted(found.items())}

    def incomplete(self, arms: Sequence[str]) -> bool:
        """Whether a patient of these arms lacks a lesional sample at a visit that others have."""
        visits = self.lesional_visits
        for arm in arms:
            seen = np.array([self.has(State.LESIONAL, week) for week in visits.get(arm, [])])
            seen = seen.reshape(-1, len(self.arm))[:, self.arm == arm]
            if (seen.any(axis=0) & ~seen.all(axis=0)).any():
                return True
        return False


# ---------------------------------------------------------------- estimability


@dataclass(frozen=True)
class Denominator:
    """The disease effect before treatment: lesional − reference.

    Attributes
    ----------
    mean
        Its value and error.
    lower, upper
        Of its confidence interval, shape (names,).
    people
        How many of whom, in words.
    code, reason
        Why no index can rest on it, by name; empty where one may.
    """

    mean: PatientMean
    lower: np.ndarray
    upper: np.ndarray
    people: str
    code: list[str]
    reason: list[str]

    def describe(self, name: int, reference: str) -> str:
        """Write the effect of one name with its standard error, and the people it rests on."""
        value, error = self.mean.value[name], np.sqrt(self.mean.variance[name])
        return f"lesional − {reference} at baseline is {value:.2g} ± {error:.2g} ({self.people})"


def judge_denominator(
    groups: Mean,
    table: PatientTable,
    levels: Sequence[str],
    reference: str,
    scale: np.ndarray,
    confidence: float,
) -> Denominator:
    """Estimate the disease effect and refuse it where it runs against the direction of its name.

    Parameters
    ----------
    groups, table
        Lesional − `reference` at baseline, and the table that its rows are of.
    levels, scale
        Level of every name, and its largest absolute value; effects below the rounding error of
        that are 0.
    confidence
        Of the interval.
    """
    mean = table.mean(groups)
    variances = np.array([table.mean([group]).variance for group in groups])
    sizes = [len(group.rows) for group in groups]
    freedom = np.array([[max(size - 1, 1)] for size in sizes])
    squared = (variances**2 / freedom).sum(axis=0)
    df = np.divide(mean.variance**2, squared, out=np.full(len(scale), np.inf), where=squared > 0)
    margin = stats.t.ppf(0.5 + confidence / 2, df) * np.sqrt(mean.variance)
    real = np.abs(mean.value) > 1e-9 * scale
    people = f"{sizes[0]} patients with both"
    if reference == State.HEALTHY:
        people = f"{sizes[0]} patients, {sizes[1]} {Arm.HEALTHY} people"
    few = min(sizes) < FEWEST_PATIENTS
    judged = Denominator(mean, mean.value - margin, mean.value + margin, people, [], [])
    for i, level in enumerate(levels):
        code, reason = "", ""
        if few:
            code = ReasonCode.DENOM_NOT_ESTIMABLE
            reason = f"{judged.describe(i, reference)}; at least {FEWEST_PATIENTS} are required"
        elif real[i] and judged.upper[i] < 0:
            code = ReasonCode.DIRECTION_CONTRADICTED
            reason = (
                f"{judged.describe(i, reference)}, below 0: against the direction of the "
                f"{KIND[level]}; either this cohort contradicts it or lesional and {reference} "
                "labels are swapped"
            )
        elif not real[i]:
            code = ReasonCode.DENOM_NOT_ESTIMABLE
            reason = f"{judged.describe(i, reference)}: it is rounding error of the scores"
        judged.code.append(code)
        judged.reason.append(reason)
    return judged


def signal(level: PatientMean, change: PatientMean) -> np.ndarray:
    """Distance of lesional skin from the reference over both visits, in standard errors.

    √(z_level² + z_change²), with the difference between the reference and the mean of lesional
    skin at baseline and at the visit, and with the change between the two. Exchanging the visits
    leaves it as it is, and so, where all biopsies vary alike, does exchanging the visit with the
    reference: it selects neither for nor against a drug without effect or one that brings lesional
    skin all the way back. Shape (names,).
    """
    squares = np.zeros(len(level.value))
    for mean in (level, change):
        error = np.sqrt(mean.variance)
        z = np.where(mean.value == 0, 0.0, np.inf)
        np.divide(mean.value, error, out=z, where=error > 0)
        squares += z**2
    return np.sqrt(squares)
