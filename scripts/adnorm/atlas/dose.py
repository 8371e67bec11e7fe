"""Does more of a drug bring the skin further back?

The index at rising doses: its slope, steps between neighbouring doses, and tests for an ordered
trend (linear contrast, and the statistic of Jonckheere and Terpstra) that permute patients.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, pairwise
from math import factorial, prod

import numpy as np
import pandas as pd

from adnorm.atlas.cohort_results import CohortResults, PatientScores, arrange, interval_columns
from adnorm.base.tables import stack
from adnorm.effects.fit import benjamini_hochberg
from adnorm.index.means import FEWEST_PATIENTS, Group
from adnorm.index.ratio import Resamples
from adnorm.study.comparisons import number
from adnorm.study.config import IndexSettings
from adnorm.study.vocabulary import Family, Question, ReasonCode, Status

TESTS = ["p_value", "jonckheere", "jonckheere_z", "jonckheere_p_value"]
KEYS = ["cohort", "drug", "week", "reference", "level", "name", "question", "low", "high"]
COLUMNS = ["cohort", "simulated", "disease", "drug", "drug_class", "week", "reference", "level"]
COLUMNS += ["name", "question", "low", "high", "doses", "estimate", "lower", "upper"]
COLUMNS += ["standard_error", "interval", "p_value", "fdr", "holm_p_value", *TESTS[1:]]
COLUMNS += ["family", "pairs", "status", "reason_code", "reason"]
#: Up to this many arrangements are enumerated; beyond, this many are drawn.
PERMUTATIONS = 10_000
_CHUNK = 500


@dataclass(frozen=True)
class _Arm:
    """An arm at one visit: its dose in mg (0 for placebo), its step, its patients."""

    dose: float
    step: float
    group: Group


def dose_table(cohort: CohortResults, settings: IndexSettings, seed: int) -> pd.DataFrame:
    """Ask of every drug, visit and name whether the index rises with the dose.

    Doses stand on a scale of doublings, placebo one doubling below the lowest dose: 100 and 200 mg
    are steps 1 and 2, 20, 40 and 80 mg steps 1, 2 and 3. Of the settings, bootstrap and confidence
    are used; resamples and permutations have one seed.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`. Question ``trend``: slope of the index per step, placebo included;
        p-values by permutation of patients, of the slope and of Jonckheere and Terpstra's
        statistic; ``fdr`` adjusts each family of the index table but the primary one over
        all visits. ``gain_per_doubling``: slope over the doses alone. ``adjacent``: each dose
        against the next lower one, Holm's adjustment over the doses of a drug. The intervals are
        those of the index (patients resampled, the denominator with them). A drug with one dose has
        status ``NA`` and says so.
    """
    frames = []
    drugs = cohort.drug_arms().groupby("treatment", sort=True)
    for reference in cohort.references() if len(drugs) else []:
        scored = arrange(cohort, reference)
        resamples = None
        if len(scored.usable):
            denominator = scored.table.baseline_difference(reference)
            resamples = Resamples(scored.table.strata, denominator, settings.bootstrap, seed)
        for drug, arms in drugs:
            for week in cohort.weeks(list(arms["arm"])):
                frame = _visit(cohort, scored, resamples, arms, week, settings.confidence, seed)
                keys = {"drug": drug, "drug_class": arms["drug_class"].iloc[0]}
                frames.append(frame.assign(week=week, reference=reference, **keys))
    if not frames:
        return pd.DataFrame(columns=COLUMNS)
    table = pd.concat(frames, ignore_index=True).assign(**cohort.keys()).reindex(columns=COLUMNS)
    families = cohort.index.drop_duplicates("name").set_index("name")["family"]
    table["family"] = table["name"].map(families)
    adjusted = table["question"] == Question.TREND
    adjusted &= ~table["family"].isin([Family.PRIMARY, Family.NONE])
    for _, rows in table[adjusted].groupby(["reference", "family"]):
        table.loc[list(rows.index), "fdr"] = benjamini_hochberg(rows["p_value"].to_numpy(float))
    order = {question: i for i, question in enumerate(Question)}
    return table.sort_values(
        KEYS, key=lambda c: c.map(order) if c.name == "question" else c, ignore_index=True
    )


def _visit(
    cohort: CohortResults,
    scored: PatientScores,
    resamples: Resamples | None,
    arms: pd.DataFrame,
    week: float,
    confidence: float,
    seed: int,
) -> pd.DataFrame:
    """All questions of one drug at one visit."""
    names = pd.concat([scored.usable, scored.refused])
    drug, doses = arms["treatment"].iloc[0], arms["dose_mg"].dropna().unique()
    if len(doses) < 2:
        given = f"at one dose ({number(doses[0])} mg)" if len(doses) else "without a stated dose"
        reason = f"{drug} was given {given}: no dose trend can be asked"
        return _none(names, ReasonCode.ONE_DOSE if len(doses) else ReasonCode.NO_DOSE, reason)
    refused = _none(scored.refused)
    if resamples is None:
        return refused
    found, left_out = _arms(cohort, scored, arms.dropna(subset="dose_mg"), week)
    if sum(arm.dose > 0 for arm in found) < 2:
        reason = (
            f"fewer than two doses have {FEWEST_PATIENTS} patients with samples at baseline and "
            f"week {number(week)}"
        )
        return stack([_none(scored.usable, ReasonCode.TOO_FEW_PAIRS, reason), refused])
    drug_at = _DrugAtVisit(scored.usable, resamples, found, left_out, confidence, seed)
    trend = drug_at.slope(Question.TREND, found, jonckheere=True)
    doubling = drug_at.slope(Question.GAIN_PER_DOUBLING, [arm for arm in found if arm.dose > 0])
    return stack([trend, doubling, drug_at.adjacent(), refused])


def _none(names: pd.DataFrame, code: ReasonCode | None = None, reason: str = "") -> pd.DataFrame:
    """Rows without a number; without a code the names bring their own reason."""
    rows = names.reset_index(names="name").assign(
        question=Question.TREND,
        low="",
        high="",
        doses="",
        interval="",
        status=Status.NOT_AVAILABLE,
    )
    return rows if code is None else rows.assign(reason_code=code, reason=reason)


def _arms(
    cohort: CohortResults, scored: PatientScores, arms: pd.DataFrame, week: float
) -> tuple[list[_Arm], str]:
    """Arms with enough patients at the visit, placebo first, and what is missing."""
    given = [(cohort.placebo_arm, 0.0)] if cohort.placebo_arm else []
    given += list(zip(arms["arm"], arms["dose_mg"].astype(float), strict=True))
    lowest = min(dose for _, dose in given if dose > 0)
    found, missing = [], [] if cohort.placebo_arm else ["no placebo arm"]
    for arm, dose in given:
        group = scored.table.decrease(arm, week)
        if len(group.rows) < FEWEST_PATIENTS:
            missing.append(f"{arm} left out ({len(group.rows)} patients)")
            continue
        step = float(np.log2(dose / lowest)) + 1 if dose else 0.0
        found.append(_Arm(dose, step, group))
    return found, "; ".join(missing)


def _named(arm: _Arm) -> str:
    return f"{number(arm.dose)} mg" if arm.dose else "placebo"


@dataclass(frozen=True)
class _DrugAtVisit:
    """What can be answered of one drug at one visit."""

    usable: pd.DataFrame
    resamples: Resamples
    arms: list[_Arm]
    left_out: str
    confidence: float
    seed: int

    def adjacent(self) -> pd.DataFrame:
        """Each dose against the next lower one."""
        frames = [
            self.slope(Question.ADJACENT, [low, high], unit=high.step - low.step)
            for low, high in pairwise(self.arms)
        ]
        adjusted = holm(np.stack([frame["p_value"] for frame in frames]))
        return pd.concat(
            [f.assign(holm_p_value=p) for f, p in zip(frames, adjusted, strict=True)],
            ignore_index=True,
        )

    def slope(
        self, question: Question, arms: list[_Arm], unit: float = 1.0, jonckheere: bool = False
    ) -> pd.DataFrame:
        """Slope of the index over some arms, and the tests of order."""
        sizes = np.array([len(arm.group.rows) for arm in arms])
        steps = np.array([arm.step for arm in arms])
        centred = steps - np.average(steps, weights=sizes)
        weights = unit * sizes * centred / (sizes * centred**2).sum()
        # Every mean is scaled by its weight, so that their sum is the slope.
        mean = [
            Group(arm.group.rows, weight * arm.group.values)
            for arm, weight in zip(arms, weights, strict=True)
        ]
        ratio = self.resamples.ratio(mean, self.confidence)
        responses = np.concatenate([arm.group.values for arm in arms]) / self.resamples.divisor
        tests = trend_tests(responses, np.repeat(steps, sizes), np.random.default_rng(self.seed))
        rows = self.usable[["level"]].reset_index(names="name")
        rows = rows.assign(
            question=question.value,
            low=_named(arms[0]),
            high=_named(arms[-1]),
            doses=", ".join(map(_named, arms)),
            pairs=int(sizes.sum()),
            p_value=tests.p_value,
            **interval_columns(ratio),
        )
        if jonckheere:
            rows = rows.assign(
                jonckheere=tests.jonckheere,
                jonckheere_z=tests.jonckheere_z,
                jonckheere_p_value=tests.jonckheere_p_value,
            )
        unbounded = rows["status"] == Status.NOT_AVAILABLE
        tested = rows.columns.intersection(TESTS)
        rows.loc[unbounded, tested] = np.nan
        if self.left_out:
            rows["reason"] = (rows["reason"] + "; " + self.left_out).str.removeprefix("; ")
        return rows


@dataclass(frozen=True)
class Trend:
    """Tests of a trend for many names; arrays have shape (names,).

    Attributes
    ----------
    p_value
        Two-sided, of the linear contrast.
    jonckheere, jonckheere_z
        Statistic J (pairs in order, ties half) and (J − mean) / standard deviation without ties.
    jonckheere_p_value
        Two-sided.
    """

    p_value: np.ndarray
    jonckheere: np.ndarray
    jonckheere_z: np.ndarray
    jonckheere_p_value: np.ndarray


def jonckheere_moments(sizes: np.ndarray) -> tuple[float, float]:
    """Mean and variance of J under no trend and without ties, by the sizes of the ordered groups.

    References
    ----------
    Jonckheere A R (1954). Biometrika 41:133-145.

    Examples
    --------
    >>> jonckheere_moments(np.array([1, 1, 1]))
    (1.5, 0.9166666666666666)
    """
    sizes = np.asarray(sizes, dtype=float)
    total = sizes.sum()
    mean = (total**2 - (sizes**2).sum()) / 4
    variance = (total**2 * (2 * total + 3) - (sizes**2 * (2 * sizes + 3)).sum()) / 72
    return float(mean), float(variance)


def trend_tests(values: np.ndarray, scores: np.ndarray, rng: np.random.Generator) -> Trend:
    """Test whether values (patients × names) rise or fall with the step of each patient's arm.

    Under no effect the steps are exchangeable between patients, so the p-values are exact (all
    arrangements, where they are few) or Monte Carlo with the observed one counted.
    """
    levels, codes, sizes = np.unique(scores, return_inverse=True, return_counts=True)
    arranged = arrangements(codes, rng)
    centred = values - values.mean(axis=0)
    centred_levels = levels - scores.mean()
    first, second = np.triu_indices(len(codes), 1)
    order = np.sign(values[second] - values[first])
    observed_line = np.abs(centred_levels[codes] @ centred)
    observed_order = np.sign(codes[second] - codes[first]) @ order
    # Rounding must not decide whether an arrangement is as far out as the observed one.
    noise = 1e-9 * (np.abs(centred_levels).max() * np.abs(centred).sum(axis=0))
    line, ordered = np.zeros(values.shape[1]), np.zeros(values.shape[1])
    for start in range(0, len(arranged), _CHUNK):
        part = arranged[start : start + _CHUNK]
        line += (np.abs(centred_levels[part] @ centred) >= observed_line - noise).sum(axis=0)
        signs = np.sign(part[:, second] - part[:, first]).astype(float)
        ordered += (np.abs(signs @ order) >= np.abs(observed_order) - 0.5).sum(axis=0)
    mean, variance = jonckheere_moments(sizes)
    statistic = observed_order / 2 + mean
    return Trend(
        line / len(arranged),
        statistic,
        (statistic - mean) / np.sqrt(variance),
        ordered / len(arranged),
    )


def arrangements(codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Ways to assign the groups to the patients, shape (arrangements, patients).

    All of them where there are at most 10,000; otherwise the observed one and random ones.
    """
    sizes = np.bincount(codes)
    if factorial(len(codes)) // prod(factorial(int(s)) for s in sizes) <= PERMUTATIONS:
        return np.array(list(_every(np.arange(len(codes)), list(sizes), len(codes))))
    drawn = rng.permuted(np.tile(codes, (PERMUTATIONS, 1)), axis=1)
    drawn[0] = codes
    return drawn


def _every(free: np.ndarray, sizes: list[int], patients: int) -> Iterator[np.ndarray]:
    """Fill the last group in every way, and the groups below it in every way left."""
    group = len(sizes) - 1
    if group == 0:
        yield np.zeros(patients, dtype=int)
        return
    for chosen in combinations(free, sizes[-1]):
        for below in _every(np.setdiff1d(free, chosen), sizes[:-1], patients):
            below[list(chosen)] = group
            yield below


def holm(p_values: np.ndarray) -> np.ndarray:
    """Adjust p-values down the first axis by Holm's step-down procedure.

    `statsmodels.stats.multitest.multipletests` takes one family at a time and collects garbage in
    each call, which is longer than all else that the stage does.

    Examples
    --------
    >>> holm(np.array([[0.01], [0.04], [0.03]])).ravel().tolist()
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, axis=0)
    left = np.arange(len(p_values), 0, -1)[:, None]
    steps = np.maximum.accumulate(np.take_along_axis(p_values, order, axis=0) * left, axis=0)
    return np.take_along_axis(np.minimum(steps, 1), np.argsort(order, axis=0), axis=0)
