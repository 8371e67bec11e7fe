"""Scores and the clinic: how often what is not there is found, and how often intervals hold."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy import special, stats

from adnorm.index.clinic import (
    Association,
    kappa,
    partial_spearman,
    repeated_measures_correlation,
)
from calibrate.scores import SCORES
from calibrate.verdicts import COVERAGE, ERROR, Row, judge, share_row

CONFIDENCE = 0.95
#: Standard deviation of what one biopsy, or one look at the patient, shows beside the lasting
#: level (standard deviation 1): two of a kind correlate by 0.8.
NOISE = 0.5
#: Standard deviation around the level at a later visit.
VISIT = 0.55
LEFT_OUT = "j not asked: "
BECAUSE = "5 % is not kept, so the question is left out"


def skin_and_clinic(trials: int) -> Iterator[Row]:
    """Correlations, agreement, and the questions that are left out because of this."""
    yield from change_errors(SCORES * trials)
    yield from spearman_coverage(SCORES * trials)
    yield from visit_errors(SCORES * trials)
    yield from kappa_coverage()
    yield from left_out(trials)


# ---------------------------------------------------------------- correlations of patients


def _values(rng: np.random.Generator, shape: tuple[int, ...], kind: str) -> np.ndarray:
    """Draw values of variance 1 with long tails, with a long right tail, or normal ones."""
    if kind == "t4":
        return rng.standard_t(4, shape) / np.sqrt(2)
    return rng.exponential(1, shape) - 1 if kind == "skewed" else rng.normal(0, 1, shape)


def _arms(sizes: tuple[int, ...]) -> np.ndarray:
    return np.repeat([f"arm {i}" for i in range(len(sizes))], sizes)


def change_trial(
    rng: np.random.Generator, sizes: tuple[int, ...], kind: str, spread: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw decreases of a score and of EASI that share only their baselines and their arm.

    Both follow the two baselines with a slope of their own in each arm, all arms differ in the
    mean, and patients of the first one differ `spread` times as much.
    """
    n, code = sum(sizes), np.repeat(np.arange(len(sizes)), sizes)
    start, other = _values(rng, (2, n), kind)
    other = 0.5 * start + 0.87 * other
    slope, mean = np.array([0.8, 0.2, 0.5])[code], np.array([2.0, 0.0, 1.0])[code]
    own = np.where(code == 0, spread, 1.0) * _values(rng, (2, n), kind)
    decreases = mean + slope * np.array([start + other, other]) + own
    return decreases[0], decreases[1], np.column_stack([start, other])


def change_errors(trials: int) -> Iterator[Row]:
    """Partial rank correlation where nothing but baseline and arm joins the two changes."""
    for sizes, kind, spread, seed in (
        ((12,), "normal", 1.0, 101),
        ((8, 8, 8), "t4", 1.0, 102),
        ((10, 10), "skewed", 1.0, 103),
        ((26, 13), "skewed", 3.0, 104),
    ):
        rng, arm = np.random.default_rng(seed), _arms(sizes)
        found = []
        for _ in range(trials):
            x, y, given = change_trial(rng, sizes, kind, spread)
            found.append(partial_spearman(x, y, given, arm, CONFIDENCE).p_value)
        many = f"arms of {', '.join(map(str, sizes))}" if len(sizes) > 1 else f"{sizes[0]} patients"
        wider = f"; the first arm spreads {spread:g} times as much" if spread != 1 else ""
        yield _error_row("j change with clinic", f"{many}, {kind} values{wider}", found)


def spearman_truth(share: float, kind: str, rng: np.random.Generator) -> float:
    """Rank correlation of two values that share a part: a closed form, or a large sample."""
    if kind == "normal":
        return float(6 / np.pi * np.arcsin(share / 2))
    return float(stats.spearmanr(*_pair(rng, 400_000, share, kind)).statistic)


def _pair(rng: np.random.Generator, n: int, share: float, kind: str) -> np.ndarray:
    shared, *own = _values(rng, (3, n), kind)
    return np.sqrt(share) * shared + np.sqrt(1 - share) * np.array(own)


def spearman_coverage(trials: int) -> Iterator[Row]:
    """Intervals of rank correlations."""
    for n, share, kind, seed in ((12, 0.5, "normal", 111), (40, 0.8, "skewed", 112)):
        rng = np.random.default_rng(seed)
        truth = spearman_truth(share, kind, rng)
        found = [
            partial_spearman(*_pair(rng, n, share, kind), np.empty((n, 0)), _arms((n,)), CONFIDENCE)
            for _ in range(trials)
        ]
        hits = np.array([each.lower <= truth <= each.upper for each in found])
        where = f"{n} patients, {kind} values, true correlation {truth:.2f}"
        yield share_row(
            "j coverage, rank correlation",
            where,
            hits,
            *COVERAGE,
            f"95 %, within {COVERAGE[0]:g}–{COVERAGE[1]:g}",
        )


def visit_errors(trials: int) -> Iterator[Row]:
    """Repeated measures where all improve, and patients by their own in score and clinic."""
    for sizes, weeks, spread, seed in (
        ((14, 14), 3, 0.0, 121),
        ((26, 13), 3, 3.0, 122),
        ((8,), 4, 1.0, 123),
    ):
        rng, n = np.random.default_rng(seed), sum(sizes)
        visits = pd.DataFrame(
            {
                "patient": np.repeat(np.arange(n), weeks),
                "week": np.tile(np.arange(weeks, dtype=float), n),
                "arm": np.repeat(_arms(sizes), weeks),
            }
        )
        found = []
        for _ in range(trials):
            x, y = visit_trial(rng, sizes, weeks, spread)
            found.append(
                repeated_measures_correlation(x.ravel(), y.ravel(), visits, CONFIDENCE).p_value
            )
        many = f"arms of {', '.join(map(str, sizes))}" if len(sizes) > 1 else f"{n} patients"
        own = "all of an arm improve alike"
        if spread:
            more = f", {spread:g} times as differently in the first arm" if spread != 1 else ""
            own = f"patients improve differently{more}"
        yield _error_row("j repeated measures", f"{many}, {weeks} visits; {own}", found)


def visit_trial(
    rng: np.random.Generator, sizes: tuple[int, ...], weeks: int, spread: float
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a score and EASI (patients, visits) that have only the decline of the arm in common."""
    code = np.repeat(np.arange(len(sizes)), sizes)[:, None]
    decline = np.where(code == 0, 1.5, 0.3)
    own = 0.8 * np.where(code == 0, spread, min(spread, 1.0))
    time = np.arange(weeks) / (weeks - 1)
    shape = (len(code), 1)
    x, y = (
        rng.normal(0, 1, shape)
        - (decline + own * rng.normal(0, 1, shape)) * time
        + rng.normal(0, NOISE, (len(code), weeks))
        for _ in range(2)
    )
    return x, y


# ---------------------------------------------------------------- agreement


def kappa_coverage() -> Iterator[Row]:
    """Kappa's interval over all tables of some patients: exact, nothing is drawn."""
    for n in (8, 20):
        tables, found = kappa_intervals(n)
        ways = special.gammaln(n + 1) - special.gammaln(tables + 1).sum(axis=1)
        covered = []
        for truth, cells in kappa_truths():
            weight = np.exp(ways + tables @ np.log(cells))
            hit = [each.lower <= truth <= each.upper for each in found]
            covered.append(weight[np.array(hit)].sum() / weight.sum())
        yield judge(
            "j coverage, kappa",
            f"{n} patients; the worst of {len(covered)} pairs of judgements, kappa −0.2 to 0.9",
            100 * min(covered),
            0.0,
            "%",
            COVERAGE[0],
            None,
            f"95 %, at least {COVERAGE[0]:g}",
        )


def kappa_intervals(n: int) -> tuple[np.ndarray, list[Association]]:
    """All 2 × 2 tables of n patients in which both judgements vary, and their kappa."""
    tables = [
        (a, b, c, n - a - b - c)
        for a in range(n + 1)
        for b in range(n + 1 - a)
        for c in range(n + 1 - a - b)
        if 0 < a + b < n and 0 < a + c < n
    ]
    no, yes = np.array([False, False, True, True]), np.array([False, True, False, True])
    found = [kappa(np.repeat(no, table), np.repeat(yes, table), CONFIDENCE) for table in tables]
    return np.array(tables), found


def kappa_truths() -> list[tuple[float, np.ndarray]]:
    """Kappa and the chances of the four cells, for judgements that say yes more or less often."""
    truths = []
    for first in (0.2, 0.35, 0.5, 0.65, 0.8):
        for second in (0.2, 0.35, 0.5, 0.65, 0.8):
            chance = first * second + (1 - first) * (1 - second)
            for truth in (-0.2, 0.0, 0.2, 0.4, 0.6, 0.8, 0.9):
                both = (truth * (1 - chance) + chance - 1 + first + second) / 2
                cells = np.array([1 - first - second + both, second - both, first - both, both])
                if cells.min() > 0.001:
                    truths.append((truth, cells))
    return truths


# ---------------------------------------------------------------- what is left out


def left_out(trials: int) -> Iterator[Row]:
    """Questions that one noisy biopsy at baseline cannot answer."""
    for share, visit, said, seed in (
        (0.0, VISIT, "the drug takes the same from everybody", 131),
        (0.6, VISIT, "the drug takes 60 % of every patient's level", 132),
        (0.0, 0.35, "the drug makes visits of a patient more alike", 133),
    ):
        rng = np.random.default_rng(seed)
        found = [early_late_p_value(rng, 30, share, visit) for _ in range(trials)]
        yield share_row(
            f"{LEFT_OUT}early predicts late, drug minus placebo",
            f"2 arms of 30; no response lasts; {said}",
            np.array(found) < 0.05,
            expected=BECAUSE if share or visit != VISIT else "5 %",
        )
    rng = np.random.default_rng(134)
    found = []
    for _ in range(trials):
        truth, errors = rng.normal(0, 1, 30), rng.normal(0, NOISE, (3, 30))
        itch, score, easi = truth + errors
        given = partial_spearman(itch, score, easi[:, None], _arms((30,)), CONFIDENCE)
        found.append(given.p_value)
    yield share_row(
        f"{LEFT_OUT}itch beyond EASI",
        "30 patients; itch, score and EASI measure one truth with error",
        np.array(found) < 0.05,
        expected=BECAUSE,
    )
    rng = np.random.default_rng(135)
    found = []
    for _ in range(trials):
        level = rng.normal(0, 1, 30)
        start, later = level + rng.normal(0, NOISE, (2, 2, 30))
        given = partial_spearman(*(start - later), start.T, _arms((30,)), CONFIDENCE)
        found.append(given.p_value)
    yield share_row(
        "j change with clinic, beyond its assumption",
        "30 patients; score and EASI are equally noisy looks at one level that never changes",
        np.array(found) < 0.05,
        expected="5 % is not kept: a lasting level that neither baseline shows joins them",
    )


def early_late_p_value(
    rng: np.random.Generator, patients: int, share: float, visit: float
) -> float:
    """P-value of the difference of two arms in the correlation of two decreases given baseline."""
    z, variance = [], 0.0
    for taken, noise in ((share, visit), (0.0, VISIT)):
        level = rng.normal(0, 1, patients)
        start = level + rng.normal(0, NOISE, patients)
        early, late = start - ((1 - taken) * level + rng.normal(0, noise, (2, patients)))
        found = partial_spearman(early, late, start[:, None], _arms((patients,)), CONFIDENCE)
        z.append(np.arctanh(found.estimate))
        width = np.arctanh(found.upper) - np.arctanh(found.lower)
        variance += (width / 2 / stats.norm.ppf(0.5 + CONFIDENCE / 2)) ** 2
    return float(2 * stats.norm.sf(abs(z[0] - z[1]) / np.sqrt(variance)))


def _error_row(question: str, setting: str, p_values: list[float]) -> Row:
    hits = np.array(p_values) < 0.05
    return share_row(question, setting, hits, *ERROR, f"5 %, within {ERROR[0]:g}–{ERROR[1]:g}")
