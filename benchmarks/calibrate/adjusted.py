"""The difference from placebo given baseline, when arms differ in size and in spread."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from adnorm.index.normalization import normalization_index
from calibrate.scores import PLACEBO, SETTINGS, chunks
from calibrate.trials import Arm, spread_trials
from calibrate.verdicts import COVERAGE, ERROR, FAIL, PASS, SHOWN, Row, inside, not_available

QUESTION = "h dNI given baseline"
SIZES = ((24, 8), (30, 10), (18, 6), (12, 12), (15, 15), (6, 18), (10, 30), (8, 24))
SPREADS = (0.25, 0.5, 1.0, 2.0, 4.0)
#: True dNI for the coverage of the intervals; the error of the test is asked where it is 0.
TRUE = 0.4
#: Trials a cell for each one on genes: these ask for an error rate, which needs many.
TRIALS = 16


def unequal_arms(trials: int) -> Iterator[Row]:
    """Error of the test and coverage of the interval, the worst setting first."""
    cells = [
        _cell(sizes, spread, TRIALS * trials, seed=9000 + 10 * i + j)
        for i, sizes in enumerate(SIZES)
        for j, spread in enumerate(SPREADS)
    ]
    yield from (row for _, row in sorted(cells, key=lambda cell: -cell[0]))
    for slopes, skewed, seed in (((0.9, 0.3), False, 9500), ((0.6, 0.6), True, 9600)):
        for sizes, spread in (((18, 6), 0.25), ((6, 18), 4.0), ((15, 15), 4.0)):
            yield _cell(sizes, spread, TRIALS * trials, seed + sizes[0], slopes, skewed)[1]


def _cell(
    sizes: tuple[int, int],
    spread: float,
    trials: int,
    seed: int,
    slopes: tuple[float, float] = (0.6, 0.6),
    skewed: bool = False,
) -> tuple[float, Row]:
    """Return how far the worse of error and coverage is from what is due, and the row."""
    found = {}
    for effect in (0.0, TRUE):
        arms = {"drug": Arm(PLACEBO + effect, sizes[0]), "placebo": Arm(PLACEBO, sizes[1])}
        frames = []
        for size, rng in chunks(trials, seed + int(1e5 * effect)):
            values, seen = spread_trials(rng, size, arms, (spread, 1.0), slopes, skewed)
            table = normalization_index(values, seen, "nonlesional", "placebo", SETTINGS)
            frames.append(table[table["arm"] == "drug"])
        found[effect] = pd.concat(frames, ignore_index=True)
    error = 100 * float((found[0.0]["p_value"].dropna() < 0.05).mean())
    covered = 100 * inside(found[TRUE], "dni_lower", "dni_upper", TRUE).mean()
    ratio = f"{spread:g} : 1" if spread >= 1 else f"1 : {1 / spread:g}"
    where = f"{sizes[0]} against {sizes[1]} patients, spread {ratio}"
    where += not_available(found[TRUE])
    where += "; the drug also changes the slope on baseline" if slopes[0] != slopes[1] else ""
    where += "; skewed residuals" if skewed else ""
    beyond = skewed or slopes[0] != slopes[1]
    away = max(abs(error - 5), abs(95 - covered))
    held = ERROR[0] <= error <= ERROR[1] and COVERAGE[0] <= covered <= COVERAGE[1]
    limits = (*ERROR, *COVERAGE)
    asked = "5 % and 95 %, within {:g}–{:g} and {:g}–{:g}".format(*limits)
    noise = 100 * np.sqrt(0.05 * 0.95 / trials)
    return away, Row(
        f"{QUESTION}, beyond the criterion" if beyond else QUESTION,
        where,
        f"error {error:.1f}, coverage {covered:.1f} % (± {noise:.1f})",
        "5 % and 95 %" if beyond else asked,
        SHOWN if beyond else PASS if held else FAIL,
    )
