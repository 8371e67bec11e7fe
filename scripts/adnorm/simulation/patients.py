"""The people of a simulated trial: severity, response, visits, and what the clinic would note."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from adnorm.study.simulation import Simulation
from adnorm.study.vocabulary import Arm as ArmName
from adnorm.study.vocabulary import State

#: Group index of people without atopic dermatitis.
HEALTHY = -1
#: Programme of the genes that no gene set names.
OTHER = "other"


@dataclass(frozen=True)
class Enrolled:
    """Everybody in a simulated cohort, and every biopsy that was taken.

    Attributes
    ----------
    people
        One row per person: patient, group (index of the arm, -1 healthy), arm, sex, age, severity
        (mean 1 over patients), response (multiplies the arm's reversal), responder.
    remaining
        people × weeks × programmes: lesional effect at a visit over that at baseline.
    biopsies
        One row per biopsy: person (row of `people`), visit (index of the week), week, state, easi,
        itch_nrs.
    programmes
        Names of the last axis of `remaining`.
    """

    people: pd.DataFrame
    remaining: np.ndarray
    biopsies: pd.DataFrame
    programmes: list[str]


def enrol(trial: Simulation, programmes: list[str], rng: np.random.Generator) -> Enrolled:
    """Draw patients, their course and their biopsies, in the order in which they are written.

    Of the gene programmes, ``itch`` drives the itch rating and `OTHER` the overall course.
    """
    people = _draw_people(trial, rng)
    remaining = _draw_course(trial, people, programmes, rng)
    clinic = _draw_clinic(people, remaining, programmes, rng)
    biopsies = _draw_biopsies(trial, people, rng)
    rows, visits = biopsies["person"].to_numpy(), biopsies["visit"].to_numpy()
    for name, values in clinic.items():
        biopsies[name] = values[rows, visits]
    return Enrolled(people, remaining, biopsies, programmes)


def in_second_batch(along: str, people: Enrolled) -> np.ndarray:
    """Tell which biopsies were processed in the second of two batches.

    `along` is that of the plan (`BatchPlan`); people stand in the order in which they enrolled.
    """
    person, visit = people.biopsies["person"].to_numpy(), people.biopsies["visit"].to_numpy()
    if along == "visits":
        return visit > 0
    if along == "patients":
        return person % 2 == 1
    third = 3 * person // len(people.people)
    return (third == 2) | ((third == 1) & (visit > 0))


def _draw_people(trial: Simulation, rng: np.random.Generator) -> pd.DataFrame:
    groups, responders = [], []
    for index, arm in enumerate(trial.arms):
        groups += [index] * arm.patients
        # The number of responders is planned, who they are is not: arms then differ as planned.
        respond = round(arm.responders * arm.patients)
        responders += [True] * respond + [False] * (arm.patients - respond)
    # Patients are numbered as they enrol, so that a number says nothing about the arm.
    order = rng.permutation(len(groups))
    group, responder = np.array(groups)[order], np.array(responders)[order]
    spread = trial.variation.severity
    severity = np.exp(rng.normal(-(spread**2) / 2, spread, len(group)))
    typical = np.where(responder, 1.0, trial.nonresponder_reversal)
    response = np.clip(typical + rng.normal(0, trial.variation.response, len(group)), 0, 1.3)
    healthy = trial.healthy
    count = len(group) + healthy
    numbers = [*range(1001, 1001 + len(group)), *range(2001, 2001 + healthy)]
    return pd.DataFrame(
        {
            "patient": [str(n) for n in numbers],
            "group": np.append(group, np.full(healthy, HEALTHY)),
            "arm": [trial.arms[g].name for g in group] + [ArmName.HEALTHY] * healthy,
            "sex": np.where(rng.random(count) < 0.5, "female", "male"),
            "age": rng.integers(18, 70, count),
            # Mean 1, so that the effect of a gene is its mean over these patients.
            "severity": np.append(severity / severity.mean(), np.zeros(healthy)),
            "response": np.append(response, np.zeros(healthy)),
            "responder": np.append(responder, np.zeros(healthy, dtype=bool)),
        }
    )


def _draw_course(
    trial: Simulation, people: pd.DataFrame, programmes: list[str], rng: np.random.Generator
) -> np.ndarray:
    remaining = np.ones((len(people), len(trial.weeks), len(programmes)))
    wobble = rng.normal(0, trial.variation.visit, (len(people), len(trial.weeks)))
    wobble = np.exp(wobble - trial.variation.visit**2 / 2)
    response = people["response"].to_numpy()
    for visit, week in enumerate(trial.weeks):
        if week == 0:
            continue
        untreated = (1 - trial.regression_to_mean.decrease(week)) * wobble[:, visit]
        for index, arm in enumerate(trial.arms):
            rows = np.flatnonzero(people["group"] == index)
            reversal = np.array([trial.reversal(arm, week, p) for p in programmes])
            left = 1 - np.outer(response[rows], reversal)
            remaining[rows, visit] = untreated[rows, None] * left
    return remaining


def _draw_clinic(
    people: pd.DataFrame,
    remaining: np.ndarray,
    programmes: list[str],
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    shape = remaining.shape[:2]
    severity = people["severity"].to_numpy()[:, None]
    overall = np.clip(remaining[:, :, programmes.index(OTHER)], 0, None)
    itching = np.clip(remaining[:, :, programmes.index("itch")], 0, None)
    start = np.clip(26 * severity * np.exp(rng.normal(0, 0.2, (len(people), 1))), 8, 66)
    easi = np.clip(start * overall * np.exp(rng.normal(0, 0.12, shape)), 0, 72)
    level = np.clip(7.2 * np.sqrt(severity) + rng.normal(0, 0.8, (len(people), 1)), 3, 10)
    itch = np.clip(level * itching + rng.normal(0, 0.5, shape), 0, 10)
    # What a clinic records: one decimal, and a whole number.
    easi, itch = np.round(easi, 1), np.round(itch)
    healthy = (people["group"] == HEALTHY).to_numpy()
    easi[healthy] = itch[healthy] = np.nan
    return {"easi": easi, "itch_nrs": itch}


def _last_visits(trial: Simulation, people: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    """Return the index of each person's last visit."""
    last = np.full(len(people), len(trial.weeks) - 1)
    for index, arm in enumerate(trial.arms):
        rows = np.flatnonzero(people["group"] == index)
        leaving = rng.choice(rows, round(arm.dropout * len(rows)), replace=False)
        if len(trial.weeks) > 1:
            last[leaving] = rng.integers(0, len(trial.weeks) - 1, len(leaving))
    return last


def _draw_biopsies(
    trial: Simulation, people: pd.DataFrame, rng: np.random.Generator
) -> pd.DataFrame:
    last = _last_visits(trial, people, rng)
    rows = []
    for person, group in enumerate(people["group"]):
        if group == HEALTHY:
            rows.append((person, 0, 0.0, State.HEALTHY))
            continue
        for visit, week in enumerate(trial.weeks[: last[person] + 1]):
            states = [State.LESIONAL] + [State.NONLESIONAL] * (week in trial.nonlesional_weeks)
            for state in states:
                failed = rng.random() < trial.failed_biopsies
                # A patient without a baseline biopsy would not have been in the study.
                if week == 0 or not failed:
                    rows.append((person, visit, float(week), state))
    return pd.DataFrame(rows, columns=["person", "visit", "week", "state"])
