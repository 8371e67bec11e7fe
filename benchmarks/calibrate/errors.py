"""Type I errors: how often the dose trend and early-predicts-late find what is not there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from adnorm.atlas.cohort_results import CohortResults
from adnorm.atlas.dose import dose_table
from adnorm.index.clinic import Clinic, early_predicts_late
from adnorm.index.normalization import normalization_index
from adnorm.index.patients import patient_scores
from adnorm.study import vocabulary
from adnorm.study.diseases import ATOPIC_DERMATITIS
from adnorm.study.vocabulary import Question
from calibrate.scores import SCORES, SETTINGS, chunks
from calibrate.trials import WEEK, Arm, course_trial, score_trials
from calibrate.verdicts import ERROR, Row, share_row


def type_one(trials: int) -> Iterator[Row]:
    """How often tests find what is not there."""
    yield from dose_errors(SCORES * trials)
    yield from early_errors(SCORES * trials)


def dose_errors(trials: int) -> Iterator[Row]:
    """Dose trend when all arms drift alike."""
    for doses, patients, seed in (((20, 40, 80), 9, 71), ((100, 200), 14, 72)):
        arms = {f"drug {dose} mg": Arm(0.2, patients) for dose in doses}
        arms = {"placebo": Arm(0.2, patients)} | arms
        frames = [_dose_trend(arms, doses, *chunk) for chunk in chunks(trials, seed)]
        table = pd.concat(frames, ignore_index=True)
        where = f"placebo and {', '.join(map(str, doses))} mg, {patients} each, all with index 0.2"
        for name, column in (
            ("contrast", "p_value"),
            ("Jonckheere-Terpstra", "jonckheere_p_value"),
        ):
            yield _error_row(f"f dose trend, {name}", where, table[column].dropna() < 0.05)


def _dose_trend(
    arms: dict[str, Arm], doses: tuple[int, ...], size: int, rng: np.random.Generator, seed: int
) -> pd.DataFrame:
    # The tests permute patients and resample nothing.
    few = SETTINGS.model_copy(update={"bootstrap": 200})
    values, observations = score_trials(rng, size, arms)
    index = normalization_index(values, observations, "nonlesional", "placebo", few, seed)
    sheet = [("placebo", "placebo", "placebo", np.nan)]
    sheet += [(f"drug {dose} mg", "drug", "JAK inhibitor", float(dose)) for dose in doses]
    samples = pd.DataFrame(sheet, columns=["arm", "treatment", "drug_class", "dose_mg"])
    scores = patient_scores(values, observations)
    cohort = CohortResults("trial", ATOPIC_DERMATITIS, True, "placebo", index, scores, samples)
    table = dose_table(cohort, few, seed)
    return table[(table["question"] == Question.TREND) & (table["week"] == WEEK)]


def early_errors(trials: int) -> Iterator[Row]:
    """Early predicts late, when the two visits share nothing but the level before treatment."""
    arms = {"drug": Arm(0.6, 14), "placebo": Arm(0.1, 14)}
    holds = "the baseline biopsy shows the patient's level"
    for local, proportional, said, seed in (
        (0.0, False, f"{holds}; the drug takes the same from everybody", 81),
        (0.0, True, f"{holds}; the drug takes a share, so the slope differs by arm", 82),
        (0.5, False, "one biopsy does not show the level (two correlate by {:.1f})", 83),
    ):
        found = []
        for trial in range(trials):
            rng = np.random.default_rng([seed, trial])
            scores, reliability = course_trial(rng, arms, local, proportional)
            # The p-value is that of the t distribution; resamples are not read here.
            clinic = Clinic({vocabulary.Level.GLOBAL: scores}, [], pd.DataFrame(), 0.95, 2, trial)
            found += [
                r["p_value"] for r in early_predicts_late(clinic) if r["arm"] == vocabulary.Arm.ALL
            ]
        hits = np.array(found) < 0.05
        where = f"2 arms of 14; {said.format(reliability)}"
        if local:
            yield share_row(
                "f early predicts late, beyond its assumption",
                where,
                hits,
                expected="5 % is not kept: read it as agreement of visits, not as prediction",
            )
        else:
            yield _error_row("f early predicts late", where, hits)


def _error_row(question: str, setting: str, hits: np.ndarray) -> Row:
    return share_row(
        question, setting, np.asarray(hits), *ERROR, f"5 %, within {ERROR[0]:g}–{ERROR[1]:g}"
    )
