"""Does more of a drug bring the skin further back?

The index at rising doses: its slope over the doses, and the steps between neighbouring doses. A
slope is a linear contrast of the arms, given the score at baseline as the difference from placebo
is, each arm with a variance of its own (Welch); its interval and p-value are two sides of one test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import pandas as pd

from adnorm.atlas.cohort_results import CohortResults, PatientScores, arrange
from adnorm.base.tables import stack
from adnorm.effects.fit import benjamini_hochberg, holm
from adnorm.index.contrasts import compare_arms, compared_groups
from adnorm.index.means import FEWEST_PATIENTS
from adnorm.index.ratio import Ratio
from adnorm.study.comparisons import number
from adnorm.study.config import IndexSettings
from adnorm.study.vocabulary import FEWEST_SOUND, Family, Question, ReasonCode, Status

KEYS = ["cohort", "drug", "week", "reference", "level", "name", "question", "low", "high"]
COLUMNS = ["cohort", "simulated", "disease", "drug", "drug_class", "week", "reference", "level"]
COLUMNS += ["name", "question", "low", "high", "doses", "estimate", "lower", "upper"]
COLUMNS += ["standard_error", "p_value", "fdr", "holm_p_value", "family", "pairs", "status"]
COLUMNS += ["reason_code", "reason"]


@dataclass(frozen=True)
class DoseArm:
    """An arm at one visit.

    Attributes
    ----------
    name
        Of the arm.
    dose
        In mg, 0 for placebo.
    step
        Doublings above placebo, which is one below the lowest dose.
    patients
        How many have samples at baseline and at the visit.
    doubts
        Why a number of its index is exploratory, by name.
    """

    name: str
    dose: float
    step: float
    patients: int
    doubts: Mapping[str, str] = field(default_factory=dict)


def dose_table(cohort: CohortResults, settings: IndexSettings) -> pd.DataFrame:
    """Ask of every drug, visit and name whether the index rises with the dose.

    Doses stand on a scale of doublings, placebo one doubling below the lowest dose: 100 and 200 mg
    are steps 1 and 2, 20, 40 and 80 mg steps 1, 2 and 3. Of the settings, confidence is used.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`. Question ``trend``: `slope` of the index per step, placebo included;
        ``fdr`` adjusts each family of the index table but the primary one over all visits.
        ``gain_per_doubling``: slope over the doses alone. ``adjacent``: each dose against the next
        lower one, Holm's adjustment over the doses of a drug. A drug with one dose has status
        ``NA`` and says so.
    """
    frames = []
    drugs = cohort.drug_arms().groupby("treatment", sort=True)
    for reference in cohort.references() if len(drugs) else []:
        scored = arrange(cohort, reference)
        for drug, arms in drugs:
            for week in cohort.weeks(list(arms["arm"])):
                frame = _visit(cohort, scored, arms, week, settings.confidence)
                keys = {"drug": drug, "drug_class": arms["drug_class"].iloc[0]}
                frames.append(frame.assign(week=week, reference=reference, **keys))
    if not frames:
        return pd.DataFrame(columns=COLUMNS)
    table = pd.concat(frames, ignore_index=True).assign(**cohort.keys()).reindex(columns=COLUMNS)
    # Rows of placebo belong to no family, whatever their name does.
    treated = cohort.index[cohort.index["arm"] != cohort.placebo_arm]
    table["family"] = table["name"].map(treated.groupby("name")["family"].first())
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
    arms: pd.DataFrame,
    week: float,
    confidence: float,
) -> pd.DataFrame:
    """All questions of one drug at one visit."""
    names = pd.concat([scored.usable, scored.refused])
    drug, doses = arms["treatment"].iloc[0], arms["dose_mg"].dropna().unique()
    if len(doses) < 2:
        given = f"at one dose ({number(doses[0])} mg)" if len(doses) else "without a stated dose"
        reason = f"{drug} was given {given}: no dose trend"
        return _none(names, ReasonCode.ONE_DOSE if len(doses) else ReasonCode.NO_DOSE, reason)
    refused = _none(scored.refused)
    if scored.divisor is None:
        return refused
    if not cohort.randomised:
        reason = "patients were not randomised to the doses: a difference is no effect of the dose"
        return stack([_none(scored.usable, ReasonCode.NOT_RANDOMISED, reason), refused])
    found, left_out = _arms(cohort, scored, arms.dropna(subset="dose_mg"), week)
    if sum(arm.dose > 0 for arm in found) < 2:
        reason = (
            f"fewer than two doses have {FEWEST_PATIENTS} patients with samples at baseline and "
            f"week {number(week)}"
        )
        return stack([_none(scored.usable, ReasonCode.TOO_FEW_PAIRS, reason), refused])

    # What has no index at this visit has no trend either.
    lacking = _lacking(cohort, scored, [arm.name for arm in found if arm.dose], week)
    refused = stack([_none(lacking), refused])
    kept = ~scored.usable.index.isin(lacking.index)

    def ask(question: Question, over: list[DoseArm], unit: float = 1.0) -> pd.DataFrame:
        groups = compared_groups(scored.table, [arm.name for arm in over], week)
        if (size := min(len(group.rows) for group in groups)) < FEWEST_PATIENTS:
            # Lesions of one patient: nobody, or hardly anybody, has one in each of these arms.
            reason = f"{size} patients have lesions in all of these arms at week {number(week)}"
            rows = _none(scored.usable, ReasonCode.TOO_FEW_PAIRS, reason)
            ends = {"low": _named(over[0]), "high": _named(over[-1])}
            rows = rows.assign(question=question, p_value=np.nan, **ends)
            return rows[kept].reset_index(drop=True)
        pairs = sum(len(group.rows) for group in groups)
        if scored.table.person is not None:
            pairs = len(groups[0].rows)
        found = slope(over, scored, week, confidence, unit)
        rows = _rows(question, over, found, left_out, list(scored.usable.index))
        rows = rows.assign(pairs=pairs, level=scored.usable["level"].to_numpy())
        return rows[kept].reset_index(drop=True)

    trend = ask(Question.TREND, found)
    doubling = ask(Question.GAIN_PER_DOUBLING, [arm for arm in found if arm.dose > 0])
    steps = [
        ask(Question.ADJACENT, [low, high], high.step - low.step) for low, high in pairwise(found)
    ]
    adjusted = holm(np.stack([rows["p_value"] for rows in steps]))
    steps = [rows.assign(holm_p_value=p) for rows, p in zip(steps, adjusted, strict=True)]
    return stack([trend, doubling, *steps, refused])


def _lacking(
    cohort: CohortResults, scored: PatientScores, arms: list[str], week: float
) -> pd.DataFrame:
    """Reasons of the names that have no index in one of the arms at a visit, by name."""
    index = cohort.index[(cohort.index["reference"] == scored.reference)]
    index = index[index["arm"].isin(arms) & (index["week"] == week) & index["ni"].isna()]
    first = index.drop_duplicates("name").set_index("name")[["level", "reason_code", "reason"]]
    return first[first.index.isin(scored.usable.index)]


def _rows(
    question: Question, arms: list[DoseArm], found: Ratio, left_out: str, names: list[str]
) -> pd.DataFrame:
    """One row per name; a number with an unbounded interval is none."""
    bounded = np.isfinite(found.lower)
    few = f"exploratory: an arm has fewer than {FEWEST_SOUND} patients"
    reasons, doubted = [], []
    for name in names:
        doubts = list(dict.fromkeys(arm.doubts[name] for arm in arms if arm.doubts.get(name)))
        if found.smallest < FEWEST_SOUND and not doubts:
            doubts = [few]
        doubted.append(bool(doubts))
        reasons.append("; ".join(filter(None, [*doubts, left_out])))
    unbounded = "the interval is unbounded: with so few patients the denominator may be 0"
    sound = np.where(doubted, Status.EXPLORATORY, Status.OK)
    return pd.DataFrame(
        {
            "question": question.value,
            "name": names,
            "low": _named(arms[0]),
            "high": _named(arms[-1]),
            "doses": ", ".join(map(_named, arms)),
            "estimate": np.where(bounded, found.value, np.nan),
            "lower": np.where(bounded, found.lower, np.nan),
            "upper": np.where(bounded, found.upper, np.nan),
            "standard_error": np.where(bounded, found.standard_error, np.nan),
            "p_value": np.where(bounded, found.p_value, np.nan),
            "status": np.where(bounded, sound, Status.NOT_AVAILABLE),
            "reason_code": np.where(bounded, "", ReasonCode.DENOM_NOT_ESTIMABLE),
            "reason": np.where(
                bounded, reasons, f"{unbounded}; {left_out}" if left_out else unbounded
            ),
        }
    )


def _none(names: pd.DataFrame, code: ReasonCode | None = None, reason: str = "") -> pd.DataFrame:
    """Rows without a number; without a code the names bring their own reason."""
    rows = names.reset_index(names="name").assign(
        question=Question.TREND,
        low="",
        high="",
        doses="",
        status=Status.NOT_AVAILABLE,
    )
    return rows if code is None else rows.assign(reason_code=code, reason=reason)


def _arms(
    cohort: CohortResults, scored: PatientScores, arms: pd.DataFrame, week: float
) -> tuple[list[DoseArm], str]:
    """Arms with enough patients at the visit, placebo first, and what is missing."""
    given = [(cohort.placebo_arm, 0.0)] if cohort.placebo_arm else []
    given += list(zip(arms["arm"], arms["dose_mg"].astype(float), strict=True))
    lowest = min(dose for _, dose in given if dose > 0)
    found, missing = [], [] if cohort.placebo_arm else ["no placebo arm"]
    for arm, dose in given:
        patients = len(scored.table.decrease(arm, week).rows)
        if patients < FEWEST_PATIENTS:
            missing.append(f"{arm} left out ({patients} patients)")
            continue
        step = float(np.log2(dose / lowest)) + 1 if dose else 0.0
        own = (cohort.index["arm"] == arm) & (cohort.index["week"] == week)
        own &= cohort.index["reference"] == scored.reference
        own &= cohort.index["status"] == Status.EXPLORATORY
        doubts = dict(zip(*(cohort.index.loc[own, c] for c in ("name", "reason")), strict=True))
        found.append(DoseArm(arm, dose, step, patients, doubts))
    return found, "; ".join(missing)


def _named(arm: DoseArm) -> str:
    return f"{number(arm.dose)} mg" if arm.dose else "placebo"


def slope(
    arms: list[DoseArm],
    scored: PatientScores,
    week: float,
    confidence: float,
    unit: float = 1.0,
) -> Ratio:
    """Regress the index on the step of the dose, given the baseline (`compare_arms`).

    The arms weigh by their patients. Degrees of freedom are those of Welch and Satterthwaite over
    the arms. Permuting patients would assume that arms without an effect vary alike, and find a
    trend in up to 20 % of trials without one where they do not (studentised: up to 10 %).

    Parameters
    ----------
    arms
        Two or more.
    scored
        Scores of the patients, with a disease effect.
    week
        The visit.
    confidence
        Of the interval.
    unit
        Steps that the slope is given for.

    References
    ----------
    Welch B L (1951). Biometrika 38:330-336. Fieller E C (1954). J R Stat Soc B 16:175-185.
    """
    sizes = np.array([arm.patients for arm in arms])
    steps = np.array([arm.step for arm in arms])
    centred = steps - np.average(steps, weights=sizes)
    share = unit * sizes * centred / (sizes * centred**2).sum()
    weights = {arm.name: float(weight) for arm, weight in zip(arms, share, strict=True)}
    divisor, table = scored.divisor, scored.table
    assert divisor is not None, "there is a disease effect"
    found = compare_arms(table, weights, week, divisor, confidence, repeated=scored.repeated)
    # Rounding is no rise.
    sizes_of = [np.abs(table.decrease(arm.name, week).values).mean(axis=0) for arm in arms]
    flat = np.abs(found.value * divisor.mean.value) <= 1e-12 * (np.abs(share) @ np.stack(sizes_of))
    return replace(found, p_value=np.where(flat, 1.0, found.p_value))
