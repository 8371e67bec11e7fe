"""Lesions of one patient in two arms: the difference within patients, and its model."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from adnorm.index.normalization import normalization_index
from calibrate.scores import SETTINGS, chunks
from calibrate.trials import BIOPSY, LEVEL, SEVERITY
from calibrate.verdicts import COVERAGE, ERROR, FAIL, PASS, POINTS, SHOWN, Row, inside

EARLY, LATE = 1.0, 2.0
#: Share of the disease effect that is gone of a lesion under vehicle.
VEHICLE = 0.1
#: Standard deviations of the response that lesions of a patient share, and of each lesion's own,
#: and by how much lesions of a patient differ before treatment.
SHARED, OWN, BETWEEN = 0.25, 0.1, 0.2
QUESTION = "s lesions of one patient"


def lesion_trials(
    rng: np.random.Generator, trials: int, patients: int, drug: float, lost: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw trials with a lesion under `drug` and one under vehicle on every patient.

    At the last visit `lost` lesions under the drug are missing, mostly those that had healed least
    at the visit before, and as many under vehicle, of patients whose other lesion had healed most.
    """
    shape = (patients, trials)
    normal, effect = rng.normal(0, LEVEL, shape), 1 + rng.normal(0, SEVERITY, shape)
    both = rng.normal(0, SHARED, shape)
    seen = {("all arms", "nonlesional", 0.0): normal}
    for arm, share in (("drug", drug), ("vehicle", VEHICLE)):
        start = normal + effect + rng.normal(0, BETWEEN, shape)
        response = share + both + rng.normal(0, OWN, shape)
        for week, part in ((0.0, 0.0), (EARLY, 0.7), (LATE, 1.0)):
            seen[arm, "lesional", week] = start - part * response
    seen = {key: values + rng.normal(0, BIOPSY, shape) for key, values in seen.items()}
    # Patients are interchangeable, so those who heal least may stand first in every trial.
    early = seen["drug", "lesional", 0.0] - seen["drug", "lesional", EARLY]
    order = np.argsort(early + rng.normal(0, 0.3, shape), axis=0)
    rows, scores = [], []
    for (arm, state, week), values in seen.items():
        kept = np.arange(patients)
        if week == LATE:
            kept = kept[lost:] if arm == "drug" else kept[: patients - lost]
        scores.append(np.take_along_axis(values, order, axis=0)[kept])
        own = arm != "all arms"
        rows += [(f"P{i:02d}", state, week, arm, f"P{i:02d}, {arm}" if own else "") for i in kept]
    observations = pd.DataFrame(rows, columns=["patient", "state", "week", "arm", "lesion"])
    names = [f"trial {i:04d}" for i in range(trials)]
    return pd.DataFrame(np.vstack(scores), columns=names), observations


def lesions_of_one_patient(trials: int) -> Iterator[Row]:
    """Errors and coverage of dNI within patients, complete and with missing visits."""
    for patients, drug, lost in (
        *((n, drug, 0) for n in (6, 9, 15, 30) for drug in (VEHICLE, 0.6)),
        *((n, 0.6, n // 4) for n in (12, 24)),
    ):
        yield _setting(patients, drug, lost, 2 * trials)


def _setting(patients: int, drug: float, lost: int, trials: int) -> Row:
    frames = []
    for size, rng in chunks(trials, 7300 + patients + int(100 * drug) + lost):
        values, observations = lesion_trials(rng, size, patients, drug, lost)
        table = normalization_index(values, observations, "nonlesional", "vehicle", SETTINGS)
        frames.append(table[(table["arm"] == "drug") & (table["week"] == LATE)])
    known = pd.concat(frames)
    known = known[known["dni"].notna()]
    true = drug - VEHICLE
    off = 100 * float(known["dni"].median() - true)
    noise = 125 * known["dni"].std() / np.sqrt(len(known))
    covered = 100 * inside(known, "dni_lower", "dni_upper", true).mean()
    held = abs(off) <= POINTS + 2 * noise and COVERAGE[0] <= covered <= COVERAGE[1]
    found = f"{off:+.1f} ± {noise:.1f} points, coverage {covered:.1f} %"
    asked = f"at most {POINTS:g} points off, 95 %"
    if not true:
        error = 100 * (known["p_value"] < 0.05).mean()
        found += f", error {error:.1f} %"
        asked += f", error {ERROR[0]:g}–{ERROR[1]:g} %"
        held &= ERROR[0] <= error <= ERROR[1]
    missing = (
        f", {lost} lesions of each arm miss the last visit, given the one before" if lost else ""
    )
    return Row(
        f"{QUESTION}, dNI",
        f"{patients} patients; true dNI {true:g}{missing}",
        found,
        asked if patients >= 9 else "",
        SHOWN if patients < 9 else PASS if held else FAIL,
    )
