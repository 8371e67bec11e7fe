"""Does more of a drug bring the skin further back?"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy import stats

from adnorm.atlas.material import (
    NOT_AVAILABLE,
    CohortResults,
    Scored,
    arrange,
    interval_columns,
)
from adnorm.atlas.trend import holm, trend_tests
from adnorm.base.tables import stack
from adnorm.index.estimability import FEWEST_PAIRS, TOO_FEW_PAIRS
from adnorm.index.groups import Group
from adnorm.index.ratio import Resamples
from adnorm.study.comparisons import number

ONE_DOSE, NO_DOSE = "ONE_DOSE", "NO_DOSE"
TREND, DOUBLING, ADJACENT = "trend", "gain_per_doubling", "adjacent"
TESTS = ["p_value", "jonckheere", "jonckheere_z", "jonckheere_p_value"]
KEYS = ["cohort", "drug", "week", "reference", "level", "name", "question", "low", "high"]
COLUMNS = [
    "cohort",
    "simulated",
    "disease",
    "drug",
    "drug_class",
    "week",
    "reference",
    "level",
    "name",
    "question",
    "low",
    "high",
    "doses",
    "estimate",
    "lower",
    "upper",
    "standard_error",
    "interval",
    "p_value",
    "fdr",
    "holm_p_value",
    "jonckheere",
    "jonckheere_z",
    "jonckheere_p_value",
    "family",
    "pairs",
    "status",
    "reason_code",
    "reason",
]


@dataclass(frozen=True)
class _Arm:
    """An arm at one visit: its dose in mg (0 for placebo), its step, its patients."""

    dose: float
    step: float
    group: Group


def dose_table(cohort: CohortResults, settings: dict, seed: int) -> pd.DataFrame:
    """Ask of every drug, visit and name whether the index rises with the dose.

    Doses stand on a scale of doublings, placebo one doubling below the lowest dose: 100 and 200 mg
    are steps 1 and 2, 20, 40 and 80 mg steps 1, 2 and 3.

    Parameters
    ----------
    cohort
        The cohort.
    settings
        Section ``index`` of the configuration: bootstrap, confidence.
    seed
        Of the resamples and permutations.

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
        resamples = _resamples(scored, reference, settings, seed)
        for drug, arms in drugs:
            for week in cohort.weeks(list(arms["arm"])):
                frame = _visit(
                    cohort, scored, resamples, arms, week, float(settings["confidence"]), seed
                )
                keys = {"drug": drug, "drug_class": arms["drug_class"].iloc[0]}
                frames.append(frame.assign(week=week, reference=reference, **keys))
    if not frames:
        return pd.DataFrame(columns=COLUMNS)
    table = pd.concat(frames, ignore_index=True).assign(**cohort.keys()).reindex(columns=COLUMNS)
    families = cohort.index.drop_duplicates("name").set_index("name")["family"]
    table["family"] = table["name"].map(families)
    asked = (table["question"] == TREND) & ~table["family"].isin(["primary", "none"])
    for _, rows in table[asked & table["p_value"].notna()].groupby(["reference", "family"]):
        table.loc[rows.index, "fdr"] = stats.false_discovery_control(rows["p_value"].astype(float))
    order = {TREND: 0, DOUBLING: 1, ADJACENT: 2}
    return table.sort_values(
        KEYS, key=lambda c: c.map(order) if c.name == "question" else c, ignore_index=True
    )


def _resamples(scored: Scored, reference: str, settings: dict, seed: int) -> Resamples | None:
    """Resample the patients of the cohort; nothing where no name has an index."""
    if scored.usable.empty:
        return None
    strata = np.unique(scored.table.arm, return_inverse=True)[1]
    denominator = scored.table.baseline_difference(reference)
    return Resamples(strata, denominator, int(settings["bootstrap"]), seed)


def _visit(
    cohort: CohortResults,
    scored: Scored,
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
        return _none(names, ONE_DOSE if len(doses) else NO_DOSE, reason)
    refused = _none(scored.refused)
    if resamples is None:
        return refused
    found, left_out = _arms(cohort, scored, arms.dropna(subset="dose_mg"), week)
    if sum(arm.dose > 0 for arm in found) < 2:
        reason = (
            f"fewer than two doses have {FEWEST_PAIRS} patients with samples at baseline and week "
            f"{number(week)}"
        )
        return stack([_none(scored.usable, TOO_FEW_PAIRS, reason), refused])
    ask = _Ask(scored.usable, resamples, found, left_out, confidence, seed)
    return stack([ask.trend(), ask.doubling(), ask.adjacent(), refused])


def _none(names: pd.DataFrame, code: str | None = None, reason: str = "") -> pd.DataFrame:
    """Rows without a number; without a code the names bring their own reason."""
    rows = names.reset_index(names="name").assign(
        question=TREND, low="", high="", doses="", interval="", status=NOT_AVAILABLE
    )
    return rows if code is None else rows.assign(reason_code=code, reason=reason)


def _arms(
    cohort: CohortResults, scored: Scored, arms: pd.DataFrame, week: float
) -> tuple[list[_Arm], str]:
    """Arms with enough patients at the visit, placebo first, and what is missing."""
    asked = [(cohort.placebo_arm, 0.0)] if cohort.placebo_arm else []
    asked += list(zip(arms["arm"], arms["dose_mg"].astype(float), strict=True))
    lowest = min(dose for _, dose in asked if dose > 0)
    found, missing = [], [] if cohort.placebo_arm else ["no placebo arm"]
    for arm, dose in asked:
        group = scored.table.decrease(arm, week)
        if len(group.rows) < FEWEST_PAIRS:
            missing.append(f"{arm} left out ({len(group.rows)} patients)")
            continue
        step = float(np.log2(dose / lowest)) + 1 if dose else 0.0
        found.append(_Arm(dose, step, group))
    return found, "; ".join(missing)


def _named(arm: _Arm) -> str:
    return f"{number(arm.dose)} mg" if arm.dose else "placebo"


@dataclass(frozen=True)
class _Ask:
    """The questions of one drug at one visit that can be answered."""

    usable: pd.DataFrame
    resamples: Resamples
    arms: list[_Arm]
    left_out: str
    confidence: float
    seed: int

    def trend(self) -> pd.DataFrame:
        """Slope over all arms, and the tests of order."""
        return self._slope(TREND, self.arms, jonckheere=True)

    def doubling(self) -> pd.DataFrame:
        """Slope over the doses without placebo."""
        return self._slope(DOUBLING, [arm for arm in self.arms if arm.dose > 0])

    def adjacent(self) -> pd.DataFrame:
        """Each dose against the next lower one."""
        frames = [
            self._slope(ADJACENT, [low, high], unit=high.step - low.step)
            for low, high in pairwise(self.arms)
        ]
        adjusted = holm(np.stack([frame["p_value"] for frame in frames]))
        return pd.concat(
            [f.assign(holm_p_value=p) for f, p in zip(frames, adjusted, strict=True)],
            ignore_index=True,
        )

    def _slope(
        self, question: str, arms: list[_Arm], unit: float = 1.0, jonckheere: bool = False
    ) -> pd.DataFrame:
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
            question=question,
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
        unbounded = rows["status"] == NOT_AVAILABLE
        tested = rows.columns.intersection(TESTS)
        rows.loc[unbounded, tested] = np.nan
        if self.left_out:
            rows["reason"] = (rows["reason"] + "; " + self.left_out).str.removeprefix("; ")
        return rows
