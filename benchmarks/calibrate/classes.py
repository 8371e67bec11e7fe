"""Drug classes: error of their difference, coverage of their mean, and what weights do to it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from adnorm.atlas.classes import combine
from adnorm.index.normalization import normalization_index
from calibrate.scores import PLACEBO, SCORES, SETTINGS, chunks, two_arms
from calibrate.trials import score_trials
from calibrate.verdicts import ERROR, POINTS, Row, judge, share_row

#: Trials of either class, and the standard deviation between trials of a class.
COUNTS = ((1, 2), (1, 3), (2, 2), (2, 3), (3, 3), (3, 5))
BETWEEN = (0.0, 0.1, 0.3)
#: Standard errors of the trials, from – to.
ERRORS = (0.1, 0.3)
#: Draws a cell for each trial on genes: these ask for an error rate, which needs many.
DRAWS = 16
#: Patients per arm of the trials of a class, where the standard errors are estimated, and the per
#: cent from – to that an error of 5 % may be then.
PATIENTS, ESTIMATED = ((6, 9, 15), (9, 9, 9, 9), (6, 6, 6, 30, 30)), (3.5, 7.0)


def classes(trials: int) -> Iterator[Row]:
    """Trials whose standard errors are known, then trials that estimate them."""
    yield from differences(DRAWS * trials)
    yield from means(DRAWS * trials)
    yield from alone(trials)
    yield from estimated(SCORES * trials)


def _names(
    rng: np.random.Generator, errors: np.ndarray, between: float, signs: np.ndarray
) -> pd.DataFrame:
    """Combine what trials of two classes without a difference find; one row a draw."""
    effects = rng.normal(0, np.hypot(errors, between))
    return combine(pd.DataFrame(effects), pd.DataFrame(errors), signs, 0.95)[0]


def differences(draws: int) -> Iterator[Row]:
    """How often classes without a difference have one, the worst setting first."""
    rows = []
    for i, (first, second) in enumerate(COUNTS):
        signs = np.repeat([1, -1], [first, second])
        for j, between in enumerate(BETWEEN):
            rng = np.random.default_rng([6100, i, j])
            errors = rng.uniform(*ERRORS, (draws, first + second))
            hits = _names(rng, errors, between, signs)["p_value"] < 0.05
            where = f"{first} against {second} trials, between them {between:g}, standard errors "
            where += f"{ERRORS[0]:g}–{ERRORS[1]:g}"
            expected = f"5 %, within {ERROR[0]:g}–{ERROR[1]:g}"
            row = share_row("k difference of classes", where, hits.to_numpy(), *ERROR, expected)
            rows.append((abs(hits.mean() - 0.05), row))
    yield from (row for _, row in sorted(rows, key=lambda pair: -pair[0]))
    # One class precise and the other not: the variance between trials of the precise one is read
    # from trials that cannot show it.
    for first, second, low, high in ((1, 3, 0.1, 0.3), (1, 3, 0.3, 0.1), (2, 3, 0.1, 0.3)):
        rng = np.random.default_rng([6200, first, int(10 * low)])
        errors = np.repeat([[low, high]], draws, axis=0).repeat([first, second], axis=1)
        signs = np.repeat([1, -1], [first, second])
        hits = _names(rng, errors, 0.3, signs)["p_value"] < 0.05
        where = f"{first} against {second} trials, between them 0.3, standard errors {low:g} "
        where += f"against {high:g}"
        question = "k difference of classes, beyond the criterion"
        yield share_row(question, where, hits.to_numpy(), expected="5 %")


def means(draws: int) -> Iterator[Row]:
    """How often the interval of the mean of a class misses it."""
    for trials in (2, 3, 5):
        for between in BETWEEN:
            rng = np.random.default_rng([6300, trials, int(10 * between)])
            errors = rng.uniform(*ERRORS, (draws, trials))
            found = _names(rng, errors, between, np.ones(trials))
            missed = (found["lower"] > 0) | (found["upper"] < 0)
            where = f"{trials} trials, between them {between:g}, standard errors "
            where += f"{ERRORS[0]:g}–{ERRORS[1]:g}"
            expected = f"5 %, within {ERROR[0]:g}–{ERROR[1]:g}"
            yield share_row("k mean of a class missed", where, missed.to_numpy(), *ERROR, expected)


def alone(draws: int) -> Iterator[Row]:
    """One trial against one has no interval, whatever the two say."""
    rng = np.random.default_rng(6400)
    errors = rng.uniform(*ERRORS, (draws, 2))
    found = _names(rng, errors, 0.3, np.array([1, -1]))
    given = found[["lower", "upper", "p_value", "standard_error"]].notna().any(axis=1)
    yield share_row(
        "k difference of classes", "1 against 1 trial: intervals given", given.to_numpy(), 0, 0, "0"
    )


def estimated(draws: int) -> Iterator[Row]:
    """Bias and coverage of a class whose trials estimate their standard errors."""
    for share in (PLACEBO, 0.5, 0.9):
        for patients in PATIENTS:
            effects, errors = [], []
            for i, size in enumerate(patients):
                found = _trials(share, size, draws, seed=6500 + 10 * i + size)
                effects.append(found["dni"])
                errors.append(found["dni_standard_error"])
            both = pd.concat(effects, axis=1), pd.concat(errors, axis=1)
            table, _ = combine(*both, np.ones(len(patients)), 0.95)
            true = share - PLACEBO
            away = 100 * (table["dni"] - true)
            missed = (table["lower"] > true) | (table["upper"] < true)
            where = f"trials of {', '.join(map(str, patients))} patients per arm, true dNI {true:g}"
            question = "k weights by estimated standard errors"
            error = float(away.std() / np.sqrt(len(away)))
            yield judge(
                f"{question}, mean of a class − truth", where, float(away.mean()), error,
                "points", -POINTS, POINTS, f"0, within ±{POINTS:g}",
            )  # fmt: skip
            expected = f"5 %, within {ESTIMATED[0]:g}–{ESTIMATED[1]:g}"
            yield share_row(f"{question}, missed", where, missed.to_numpy(), *ESTIMATED, expected)


def _trials(share: float, patients: int, draws: int, seed: int) -> pd.DataFrame:
    frames = []
    for size, rng in chunks(draws, seed):
        values, seen = score_trials(rng, size, two_arms(share, patients))
        table = normalization_index(values, seen, "nonlesional", "placebo", SETTINGS)
        frames.append(table[table["arm"] == "drug"])
    return pd.concat(frames, ignore_index=True)
