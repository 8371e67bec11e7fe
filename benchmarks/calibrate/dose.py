"""The dose trend: its error and coverage when arms differ in size, in spread and in shape."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from adnorm.atlas.cohort_results import PatientScores
from adnorm.atlas.dose import DoseArm, slope
from adnorm.index.means import PatientTable
from calibrate.scores import chunks
from calibrate.trials import BIOPSY, SEVERITY, WEEK, Arm, visits_of
from calibrate.verdicts import ERROR, FAIL, PASS, SHOWN, Row

QUESTION = "l dose trend"
#: Patients of placebo and of rising doses, and the ratio of their spreads.
SIZES = ((9, 9, 9), (18, 6, 6), (6, 12, 18), (6, 6, 6, 6), (15, 15, 15, 15), (18, 12, 6, 6))
SIZES += ((6, 18, 6, 18),)
SPREADS = ("equal", "rising to 4", "falling from 4", "4 in the highest", "4 in placebo")
SHAPES = ("Gaussian", "t4", "skewed", "very skewed")
#: True slope for the coverage of the intervals; the error of the test is asked where it is 0.
TRUE = 0.2
#: Per cent from – to that an error of 5 % may be where responses are skewed (skewness 1).
SKEWED = (3.0, 7.5)
#: Standard deviation of the responses where the spread is 1.
RESPONSE = 0.4
#: Trials a cell for each one on genes: these ask for an error rate, which needs many.
TRIALS = 8


def dose_trend(trials: int) -> Iterator[Row]:
    """Error of the test and coverage of the interval at the worst spread, the worst row first."""
    worst = []
    for i, sizes in enumerate(SIZES):
        for k, shape in enumerate(SHAPES):
            cells = [
                _cell(sizes, spread, shape, TRIALS * trials, seed=7000 + 100 * i + 10 * j + k)
                for j, spread in enumerate(SPREADS)
            ]
            worst.append(max(cells, key=lambda cell: cell[0]))
    yield from (row for _, row in sorted(worst, key=lambda cell: (_is_shown(cell), -cell[0])))


def _is_shown(cell: tuple[float, Row]) -> bool:
    return cell[1].verdict == SHOWN


def spreads_of(said: str, arms: int) -> np.ndarray:
    """Spread of every arm, placebo first."""
    ones = np.ones(arms)
    if said == "rising to 4":
        return np.geomspace(1, 4, arms)
    if said == "falling from 4":
        return np.geomspace(4, 1, arms)
    if said == "4 in the highest":
        ones[-1] = 4
    if said == "4 in placebo":
        ones[0] = 4
    return ones


def noise_of(rng: np.random.Generator, shape: str, size: tuple[int, int]) -> np.ndarray:
    """Draw responses with mean 0 and standard deviation 1."""
    if shape == "t4":
        return rng.standard_t(4, size) / np.sqrt(2)
    if shape == "Gaussian":
        return rng.normal(size=size)
    # A gamma distribution of skewness 1, or 2.
    degree = 4 if shape == "skewed" else 1
    return (rng.gamma(degree, 1, size) - degree) / np.sqrt(degree)


def dose_trial(
    rng: np.random.Generator, trials: int, sizes: tuple[int, ...], spread: str, shape: str
) -> PatientTable:
    """Draw trials in which no dose does anything; the true index of every arm is 0.2."""
    parts = []
    for size, own in zip(sizes, spreads_of(spread, len(sizes)), strict=True):
        drawn = (size, trials)
        effect = 1 + rng.normal(0, SEVERITY, drawn)
        later = 0.8 * effect - RESPONSE * own * noise_of(rng, shape, drawn)
        for level in (np.zeros(drawn), effect, later):
            parts.append(level + rng.normal(0, BIOPSY, drawn))
    arms = {f"arm {i}": Arm(0.2, size) for i, size in enumerate(sizes)}
    return PatientTable.of(np.vstack(parts), visits_of(arms))


def _cell(
    sizes: tuple[int, ...], spread: str, shape: str, trials: int, seed: int
) -> tuple[float, Row]:
    """Return how far the worse of error and coverage is from what is due, and the row."""
    found, covered = [], []
    for size, rng in chunks(trials, seed):
        table = dose_trial(rng, size, sizes, spread, shape)
        names = pd.DataFrame(index=range(size))
        scored = PatientScores(table, "nonlesional", names, names.iloc[:0])
        arms = [
            DoseArm(f"arm {step}", float(step), float(step), patients)
            for step, patients in enumerate(sizes)
        ]
        found.append(slope(arms, scored, WEEK, 0.95).p_value < 0.05)
        for arm in arms:
            table.values["lesional", WEEK][table.arm == arm.name] -= TRUE * arm.step
        rising = slope(arms, scored, WEEK, 0.95)
        covered.append((rising.lower <= TRUE) & (rising.upper >= TRUE))
    error, inside = 100 * np.concatenate(found).mean(), 100 * np.concatenate(covered).mean()
    beyond = shape == "very skewed"
    low, high = SKEWED if shape == "skewed" else ERROR
    held = low <= error <= high and 100 - high <= inside <= 100 - low
    asked = f"5 % and 95 %, within {low:g}–{high:g} and {100 - high:g}–{100 - low:g}"
    noise = 100 * np.sqrt(0.05 * 0.95 / trials)
    return max(abs(error - 5), abs(95 - inside)), Row(
        f"{QUESTION}, beyond the criterion" if beyond else QUESTION,
        f"{', '.join(map(str, sizes))} patients, {shape} responses; worst at spread {spread}",
        f"error {error:.1f}, coverage {inside:.1f} % (± {noise:.1f})",
        "5 % and 95 %" if beyond else asked,
        SHOWN if beyond else PASS if held else FAIL,
    )
