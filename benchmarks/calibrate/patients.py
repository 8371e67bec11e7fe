"""Said against true for single patients: probabilities, the word reversed, intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd

from adnorm.index.patients import CALLED, HALF, OBSERVED, THREE_QUARTERS, trajectories
from adnorm.study.vocabulary import Status
from calibrate.trials import LESIONAL, LEVEL, NONLESIONAL, SEVERITY
from calibrate.verdicts import FAIL, PASS, SHOWN, Row

QUESTION, WORD, INTERVAL = "m probabilities", "m reversed", "m interval of a response"
NOISES, SIZES = (0.1, 0.2, 0.35, 0.5), (6, 15, 30)
#: Patients of each arm and design for each trial on genes; where there are hardly any
#: probabilities, a quarter of them.
PATIENTS = 4
#: Weeks after baseline, arms: designs that are asked together.
DESIGNS = tuple(product(((4.0, 12.0), (2.0, 4.0, 12.0)), (("drug",), ("drug", "placebo"))))
BINS = np.array([0.05, 0.2, 0.4, 0.6, 0.8, 0.95])
#: Points that what is true may be away from what is said.
AWAY = 5.0
#: Fewer probabilities in a bin are no share to judge.
FEWEST = 150
#: Per cent of true responses inside intervals; those of few patients with much noise are wide.
COVERED = (92.0, 99.0)
#: The true index of an arm lies anywhere between, and so does the spread of its patients.
INDEX = {"drug": (0.0, 1.0), "placebo": (-0.1, 0.4)}
SPREAD = (0.15, 0.4)
#: Beyond the criterion: one index of drug and placebo.
FIXED = (0.6, 0.1)
#: With more noise there is hardly a probability.
MEASURABLE = 0.2


class _World(NamedTuple):
    """How trials are drawn, beside noise and size."""

    heavy: bool
    #: Whether a response is a share of the patient's own disease effect.
    share: bool = False
    #: The index of drug and placebo, if it is the same in all trials (spread of patients: 0.25).
    fixed: tuple[float, float] | None = None

    def __str__(self) -> str:
        words = ["t4 noise and responses" if self.heavy else "Gaussian noise and responses"]
        words += ["responses in proportion to the own disease effect"] if self.share else []
        if self.fixed:
            words.append(f"every trial of index {self.fixed[0]:g} and {self.fixed[1]:g} on placebo")
        return ", ".join(words)


def single_patients(trials: int) -> Iterator[Row]:
    """Said against true, the worst setting first; then the word reversed, and intervals."""
    said: list[tuple[float, Row]] = []
    silent: list[tuple[float, Row]] = []
    words: list[tuple[float, Row]] = []
    covered: list[tuple[float, Row]] = []
    for i, heavy in enumerate((False, True)):
        world = _World(heavy)
        unsaid = []
        for j, noise in enumerate(NOISES):
            tables = []
            for size in SIZES:
                part = 1.0 if noise <= MEASURABLE and size > min(SIZES) else 0.25
                seed = 7000 + 100 * i + 10 * j
                table = _ask(world, noise, size, DESIGNS, part * trials, seed)
                where = f"{world}, noise {noise:g} D, {size} patients an arm"
                found = _said(QUESTION, where, table)
                if found[1].verdict == SHOWN:
                    unsaid.append(f"{where.removeprefix(f'{world}, ')}: {found[1].measured}")
                else:
                    said.append(found)
                covered.append(_covered(where, table))
                tables.append(table)
            words += _right(f"{world}, noise {noise:g} D", pd.concat(tables, ignore_index=True))
        where = f"{world}, too few probabilities to judge"
        silent.append((0.0, Row(QUESTION, where, "; ".join(unsaid), "", SHOWN)))
    for rows in (said, silent, words, covered):
        yield from (row for _, row in sorted(rows, key=lambda pair: -pair[0]))
    for noise in NOISES:
        design = (((4.0,), ("drug", "placebo")),)
        table = _ask(_World(False), noise, 15, design, trials, 7500)
        assert set(table["method"]) == {OBSERVED} and table["prob_above_half"].isna().all()
        where = f"one visit after baseline, noise {noise:g} D, 15 patients an arm"
        yield _covered(f"{where}; no probability", table, (92.0, 100.0))[1]
    for i, (heavy, share, fixed) in enumerate(product((False, True), (True, False), (None, FIXED))):
        for noise in (0.1, 0.2) if share != bool(fixed) else ():
            world = _World(heavy, share, fixed)
            table = _ask(world, noise, 30, DESIGNS, trials / 2, 7600 + 10 * i)
            where = f"{world}, noise {noise:g} D, 30 patients an arm"
            yield _said(f"{QUESTION}, beyond the criterion", where, table, judged=False)[1]


# ---------------------------------------------------------------- what is drawn


def _ask(
    world: _World,
    noise: float,
    size: int,
    designs: tuple[tuple[tuple[float, ...], tuple[str, ...]], ...],
    trials: float,
    seed: int,
) -> pd.DataFrame:
    """Draw trials of some designs; trajectories with the column ``true``."""
    count = max(round(trials * PATIENTS / size), 5)
    frames = []
    for i, (weeks, arms) in enumerate(designs):
        rng = np.random.default_rng([seed, size, i])
        scores, divisors, truth = _trials(rng, world, noise, size, weeks, arms, count)
        table = trajectories(scores, divisors, 0.95)
        table = table.merge(truth, on=["name", "patient", "arm", "week"], validate="one_to_one")
        frames.append(table.assign(trial=f"{i} " + table["name"]))
    return pd.concat(frames, ignore_index=True)


def _trials(
    rng: np.random.Generator,
    world: _World,
    noise: float,
    size: int,
    weeks: tuple[float, ...],
    arms: tuple[str, ...],
    count: int,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Scores, disease effects and true responses of trials, one name each.

    Patients differ in level and disease effect as in all trials on scores; a response is there at
    the first visit, comes with the logarithm of time, or between them.
    """

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape)

    def heavy(*shape: int) -> np.ndarray:
        return rng.standard_t(4, shape) / np.sqrt(2)

    draw: Callable[..., np.ndarray] = heavy if world.heavy else normal
    spread = np.full(count, 0.25) if world.fixed else rng.uniform(*SPREAD, count)
    shape = rng.choice([0.0, 0.5, 1.0], count)
    sheets, values, truths, differences = [], [], [], []
    for i, arm in enumerate(arms):
        index = np.full(count, world.fixed[i]) if world.fixed else rng.uniform(*INDEX[arm], count)
        level = LEVEL * normal(size, count)
        disease = 1 + SEVERITY * normal(size, count)
        response = index + spread * draw(size, count)
        response = response * disease if world.share else response
        patients = [f"{arm} {n:02d}" for n in range(size)]
        for week in (0.0, *weeks):
            true = response * (np.log1p(week) / np.log1p(weeks[-1])) ** shape if week else 0.0
            sheets.append(pd.DataFrame({"patient": patients, "arm": arm, "week": week}))
            values.append(level + disease - true + noise * draw(size, count))
            truths.append(np.broadcast_to(true, (size, count)))
            if not week:
                differences.append(values[-1] - level - noise * draw(size, count))
    sheet = pd.concat(sheets, ignore_index=True)
    names = [f"trial {i:04d}" for i in range(count)]
    keys = list(sheet)
    scores, truth = (
        sheet.join(pd.DataFrame(np.vstack(parts), columns=names)).melt(keys, var_name="name")
        for parts in (values, truths)
    )
    difference = np.vstack(differences)
    divisors = pd.DataFrame(
        {
            "reference": NONLESIONAL,
            "arm": "",
            "name": names,
            "denominator": difference.mean(axis=0),
            "standard_error": difference.std(axis=0, ddof=1) / np.sqrt(len(difference)),
            "status": Status.OK,
            "reason": "",
        }
    )
    truth = truth[truth["week"] > 0].rename(columns={"value": "true"})
    return scores.rename(columns={"value": "score"}).assign(state=LESIONAL), divisors, truth


# ---------------------------------------------------------------- what is judged


def _share(away: pd.Series, trial: pd.Series) -> tuple[float, float]:
    """Mean and its Monte-Carlo error, in per cent; patients of one trial share its estimates."""
    mean = away.mean()
    sums = (away - mean).groupby(trial).sum()
    return 100 * float(mean), 100 * float(np.sqrt((sums**2).sum())) / len(away)


def _said(question: str, where: str, table: pd.DataFrame, judged: bool = True) -> tuple[float, Row]:
    """Said against true in bins; the setting is as bad as its worst bin."""
    known = table[table["prob_above_half"].notna()]
    limits = {"prob_above_half": HALF, "prob_above_three_quarters": THREE_QUARTERS}
    both = pd.concat(
        [
            pd.DataFrame(
                {
                    "said": known[column],
                    "away": (known["true"] > limit) - known[column],
                    "trial": known["trial"],
                }
            )
            for column, limit in limits.items()
        ]
    )
    parts, worst = [], (0.0, 0.0)
    for _, some in both.groupby(np.searchsorted(BINS, both["said"]), sort=True):
        said = some["said"].mean()
        if not BINS[0] <= said < BINS[-1] or len(some) < FEWEST:
            continue
        away, error = _share(some["away"], some["trial"])
        parts.append(f"{said:.2f} → {said + away / 100:.2f} (± {error / 100:.2f})")
        if abs(away) - 2 * error > abs(worst[0]) - 2 * worst[1] or len(parts) == 1:
            worst = away, error
    unknown = 100 * table["prob_above_half"].isna().mean()
    shown = "; ".join([f"not known {unknown:.0f} %", *parts])
    # Twice the Monte-Carlo error is allowed: the worst of several bins is judged.
    held = abs(worst[0]) <= AWAY + 2 * worst[1]
    verdict = (PASS if held else FAIL) if judged and parts else SHOWN
    asked = f"within {AWAY:g} points (+ 2 errors)" if judged and parts else ""
    return abs(worst[0]) if parts else -1.0, Row(question, where, shown, asked, verdict)


def _right(where: str, table: pd.DataFrame) -> list[tuple[float, Row]]:
    """How often a response that is called reversed is above three quarters."""
    called = table[table["prob_above_three_quarters"] >= CALLED]
    if len(called) < FEWEST:
        return []
    right, error = _share((called["true"] > THREE_QUARTERS).astype(float), called["trial"])
    said = 100 * called["prob_above_three_quarters"].mean()
    low = 100 * CALLED
    verdict = PASS if right >= low - 2 * error else FAIL
    measured = f"right in {right:.1f} ± {error:.1f} % of {len(called)} (said {said:.1f} %)"
    return [(-right, Row(WORD, where, measured, f"at least {low:g} %", verdict))]


def _covered(
    where: str, table: pd.DataFrame, limits: tuple[float, float] = COVERED
) -> tuple[float, Row]:
    """How often the interval holds the true response."""
    open_ended = table[["lower", "upper"]].isna().any(axis=1)
    if open_ended.any():
        where += f"; {open_ended.mean():.1%} without one, the disease effect being vague"
    known = table[~open_ended]
    inside = (known["lower"] <= known["true"]) & (known["true"] <= known["upper"])
    share, error = _share(inside.astype(float), known["trial"])
    low, high = limits
    verdict = PASS if low <= share <= high else FAIL
    asked = f"95 %, within {low:g}–{high:g}"
    return abs(share - 95), Row(INTERVAL, where, f"{share:.1f} ± {error:.1f} %", asked, verdict)
