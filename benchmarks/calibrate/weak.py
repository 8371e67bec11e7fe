"""Weak disease effects: what the rule that gives numbers does to them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from adnorm.study.vocabulary import Status
from calibrate.scores import SCORES, indices
from calibrate.trials import Arm, draw_noise, visits_of
from calibrate.verdicts import FAIL, PASS, POINTS, SHOWN, Row

#: Disease effect in units of its standard error.
SIZES = (1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
PATIENTS = (6, 9, 15, 30)
#: Of settings in which fewer trials (per cent) get a number, nothing is asked.
LEAST = 5.0
#: Where few trials get a number, more are drawn: until so many have one, up to so many times.
ENOUGH, ROUNDS = 2, 8
SEVERITY, RESPONSE = 0.3, 0.2


def weak_trials(
    rng: np.random.Generator,
    trials: int,
    patients: int,
    ratio: float,
    share: float,
    noise: str,
    arms: tuple[str, ...] = ("drug",),
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw trials whose disease effect, over all arms, is `ratio` standard errors away from 0."""
    shape = (patients, trials)
    biopsy = np.sqrt(max((len(arms) * patients / ratio**2 - SEVERITY**2) / 2, 1e-4))
    parts = []
    for _ in arms:
        normal = draw_noise(rng, noise, shape)
        effect = 1 + SEVERITY * draw_noise(rng, noise, shape)
        own = share + RESPONSE * draw_noise(rng, noise, shape)
        levels = (normal, normal + effect, normal + effect - own)
        parts += [level + biopsy * draw_noise(rng, noise, shape) for level in levels]
    names = [f"trial {i:04d}" for i in range(trials)]
    visits = visits_of({arm: Arm(share, patients) for arm in arms})
    return pd.DataFrame(np.vstack(parts), columns=names), visits


def weak_differences(trials: int) -> Iterator[Row]:
    """Median of dNI of a drug that does what placebo does: nothing."""
    cells = []
    for noise in ("normal", "skewed"):
        for patients in PATIENTS[1:]:
            for ratio in SIZES[3:]:
                table = indices(
                    lambda rng, size, n=patients, r=ratio, kind=noise: weak_trials(
                        rng, size, n, r, 0.0, kind, ("drug", "placebo")
                    ),
                    2 * SCORES * trials,
                    seed=6500 + 10 * patients + int(2 * ratio),
                )
                cells.append(_difference(table, f"{patients} per arm, {noise}", ratio))
    yield from (row for _, row in sorted(cells, key=lambda cell: -cell[0]))


def _difference(table: pd.DataFrame, where: str, ratio: float) -> tuple[float, Row]:
    given = table[table["dni"].notna()]
    found, worst, held = [], 0.0, True
    for what, rows in (("all", given), ("ok", given[given["status"] == Status.OK])):
        rate = 100 * len(rows) / len(table)
        if rate < LEAST:
            continue
        off = 100 * rows["dni"].to_numpy()
        error = 1.2533 * np.subtract(*np.quantile(off, [0.75, 0.25])) / 1.349 / np.sqrt(len(off))
        median = float(np.median(off))
        found.append(f"{what}: {median:+.1f} ± {error:.1f} points in {rate:.0f} %")
        worst = max(worst, abs(median))
        held &= abs(median) <= POINTS + 2 * error
    return worst, Row(
        "o weak disease effects, a drug like placebo",
        f"disease effect {ratio:g} standard errors, {where}",
        "; ".join(found) or f"fewer than {LEAST:g} % get a number",
        f"at most {POINTS:g} points off where {LEAST:g} % get a number" if found else "",
        SHOWN if not found else PASS if held else FAIL,
    )


def weak_effects(trials: int) -> Iterator[Row]:
    """Median of the numbers that are given, worst first, for a useless drug and a perfect one."""
    for share in (0.0, 1.0):
        cells = []
        for noise in ("normal", "t4", "skewed"):
            for patients in PATIENTS:
                for ratio in SIZES:
                    table = _drawn(trials, patients, ratio, share, noise)
                    cells.append(_cell(table, share, f"{patients} patients, {noise}", ratio))
        yield from (row for _, row in sorted(cells, key=lambda cell: -cell[0]))


def _drawn(trials: int, patients: int, ratio: float, share: float, noise: str) -> pd.DataFrame:
    """Draw trials until enough of them have a number."""
    frames: list[pd.DataFrame] = []
    for turn in range(ROUNDS):
        table = indices(
            lambda rng, size: weak_trials(rng, size, patients, ratio, share, noise),
            2 * SCORES * trials,
            seed=6000 + 1000 * int(share) + 10 * patients + int(2 * ratio) + 100_000 * turn,
            placebo="",
        )
        frames.append(table)
        if sum(frame["ni"].notna().sum() for frame in frames) >= ENOUGH * trials:
            break
    return pd.concat(frames, ignore_index=True)


def _cell(table: pd.DataFrame, share: float, where: str, ratio: float) -> tuple[float, Row]:
    given = table[table["ni"].notna()]
    rate = 100 * len(given) / len(table)
    sound = 100 * (given["status"] == Status.OK).sum() / len(table)
    off = 100 * (given["ni"].to_numpy() - share)
    median = float(np.median(off)) if len(off) else np.nan
    spread = np.subtract(*np.quantile(off, [0.75, 0.25])) / 1.349 if len(off) else np.nan
    error = 1.2533 * spread / np.sqrt(max(len(off), 1))
    asked = share == 0.0 and rate >= LEAST
    verdict = SHOWN if not asked else PASS if abs(median) <= POINTS + 2 * error else FAIL
    what = "a useless drug" if share == 0.0 else "back to nonlesional skin"
    return (
        abs(median) if asked or (share and rate >= LEAST) else -1.0,
        Row(
            f"o weak disease effects, {what}",
            f"disease effect {ratio:g} standard errors, {where}",
            f"{median:+.1f} ± {error:.1f} points in {rate:.0f} % that get a number "
            f"({sound:.0f} % ok)",
            f"at most {POINTS:g} points off where {LEAST:g} % get a number" if asked else "",
            verdict,
        ),
    )
