"""With the clinic: which scores move with EASI, SCORAD and itch, and with their own later course.

A biopsy shows one spot and a clinical score the whole body, so correlations are weak as a rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from adnorm.index.clinic import (
    ALL_ARMS,
    CLINICAL,
    COLUMNS,
    FEWEST,
    NOT_AVAILABLE,
    Clinic,
    Question,
    by_arm,
    by_visit,
    clinical_visits,
    decreases,
)
from adnorm.index.concordance import (
    kappa,
    proportion,
    repeated_measures_correlation,
    standardized_slope,
)
from adnorm.index.groups import HEALTHY, LESIONAL
from adnorm.study.comparisons import BASELINE, HEALTHY_ARM, number

ITCH_SCORES = ("itch_core_skin_up", "itch_minus_th2")
#: With fewer visits, a correlation of visits within patients is only one of changes.
FEWEST_VISITS = 3
EASI_75, SCORAD_50 = 0.75, 0.5
#: Response of the skin that is compared with a clinical response.
RESPONDS = 0.75
#: Name of a clinical response → column and the share of it that must be gone.
OUTCOMES = {"EASI-75": ("easi", EASI_75), "SCORAD-50": ("scorad", SCORAD_50)}


def concordance_table(
    scores: pd.DataFrame,
    samples: pd.DataFrame,
    trajectories: pd.DataFrame,
    settings: dict,
    seed: int,
) -> pd.DataFrame:
    """Answer the questions about scores and the clinic.

    Parameters
    ----------
    scores
        patients.tsv.
    samples
        samples.tsv; clinical columns easi, scorad and itch_nrs where the cohort has them.
    trajectories
        trajectories.tsv of the same patients.
    settings
        Section ``index`` of the configuration: bootstrap, confidence, primary.
    seed
        Of the resamples.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`. Questions: ``baseline_with_clinic``, ``change_with_clinic``,
        ``repeated_measures``, ``itch_beyond_easi``, ``easi75_agreement``,
        ``scorad50_agreement``, ``early_predicts_late``; a question that cannot be asked has one row
        that says why.
    """
    clinic = read_clinic(scores, samples, trajectories, settings, seed)
    rows = [row for question in QUESTIONS for row in question(clinic)]
    return pd.DataFrame(rows, columns=COLUMNS)


def read_clinic(
    scores: pd.DataFrame,
    samples: pd.DataFrame,
    trajectories: pd.DataFrame,
    settings: dict,
    seed: int,
) -> Clinic:
    """Put scores and clinical values of the same visits together (see `concordance_table`)."""
    clinical = clinical_visits(samples)
    lesional = scores[(scores["state"] == LESIONAL) & (scores["arm"] != HEALTHY_ARM)]
    tables = {
        name: lesional[lesional["name"] == name]
        .drop(columns=["name", "state"])
        .merge(clinical, on=["patient", "week"], how="left", validate="many_to_one")
        for name in dict.fromkeys([*settings["primary"], *ITCH_SCORES])
        if (lesional["name"] == name).any()
    }
    return Clinic(
        tables,
        [column for column in CLINICAL if clinical[column].notna().any()],
        trajectories,
        float(settings["confidence"]),
        int(settings["bootstrap"]),
        seed,
    )


def baseline_with_clinic(clinic: Clinic) -> Iterator[dict]:
    """Rank correlation of lesional scores and clinical values before treatment."""
    ask = Question(clinic, "baseline_with_clinic", "Spearman correlation")
    yield from ask.missing(CLINICAL)
    for name, rows in clinic.scores.items():
        start = rows[rows["week"] == BASELINE].assign(arm=ALL_ARMS)
        for column in clinic.available:
            yield from ask.correlate(start, name, column, ("score", column), ())


def change_with_clinic(clinic: Clinic) -> Iterator[dict]:
    """Rank correlation of the decreases since baseline, given both baselines and arm."""
    ask = Question(clinic, "change_with_clinic", "partial Spearman correlation")
    yield from ask.missing(CLINICAL, visits=1)
    for name, rows in clinic.scores.items() if clinic.visits else ():
        for column in clinic.available:
            compared = ("score_decrease", f"{column}_decrease")
            given = ("score_0", f"{column}_0")
            yield from ask.correlate(decreases(rows), name, column, compared, given)


def repeated_measures(clinic: Clinic) -> Iterator[dict]:
    """Correlation of score and clinical value over the visits of each patient."""
    ask = Question(clinic, "repeated_measures", "repeated-measures correlation")
    yield from ask.missing(CLINICAL, visits=FEWEST_VISITS - 1)
    for name, rows in clinic.scores.items() if len(clinic.visits) >= FEWEST_VISITS - 1 else ():
        for column in clinic.available:
            for arm, mine in by_arm(rows):
                known = mine.dropna(subset=["score", column])
                x, y = (known[c].to_numpy() for c in ("score", column))
                found = repeated_measures_correlation(
                    x, y, known["patient"].to_numpy(), clinic.confidence
                )
                yield ask.row(arm, np.nan, name, column, found, FEWEST)


def itch_beyond_easi(clinic: Clinic) -> Iterator[dict]:
    """Does the itch score explain the change of itch beyond the change of EASI?"""
    ask = Question(clinic, "itch_beyond_easi", "standardized slope")
    absent = list(ask.missing(("easi", "itch_nrs"), visits=1))
    yield from absent
    for name in ITCH_SCORES if not absent else ():
        if name not in clinic.scores:
            continue
        columns = ["itch_nrs_decrease", "score_decrease", "easi_decrease"]
        for arm, week, mine in by_visit(decreases(clinic.scores[name])):
            known = mine.dropna(subset=columns)
            y, x, given = (known[c].to_numpy() for c in columns)
            found = standardized_slope(
                y, x, given[:, None], known["arm"].to_numpy(), clinic.confidence
            )
            yield ask.row(arm, week, name, "itch_nrs", found, FEWEST + known["arm"].nunique())


def easi75_agreement(clinic: Clinic) -> Iterator[dict]:
    """Do EASI-75 and a response of at least 0.75 find the same patients?"""
    return _agreement(clinic, "easi75_agreement", "EASI-75")


def scorad50_agreement(clinic: Clinic) -> Iterator[dict]:
    """Do SCORAD-50 and a response of at least 0.75 find the same patients?"""
    return _agreement(clinic, "scorad50_agreement", "SCORAD-50")


def _agreement(clinic: Clinic, question: str, outcome: str) -> Iterator[dict]:
    column, _ = OUTCOMES[outcome]
    ask = Question(clinic, question, "kappa")
    absent = list(ask.missing((column,), visits=1))
    yield from absent
    for name in clinic.scores if not absent else ():
        known, reason = responders(clinic, name, outcome)
        if known.empty:
            yield ask.empty(NOT_AVAILABLE, reason, score=name, clinical=column)
            continue
        for arm, week, mine in by_visit(known):
            clinical = mine["responder"].to_numpy()
            skin = (mine["response"] >= RESPONDS).to_numpy()
            for statistic, found in (
                ("kappa", kappa(clinical, skin, clinic.confidence)),
                (f"sensitivity for {outcome}", proportion(skin[clinical], clinic.confidence)),
                (f"specificity for {outcome}", proportion(~skin[~clinical], clinic.confidence)),
            ):
                least = FEWEST if statistic == "kappa" else 1
                row = ask.row(arm, week, name, column, found, least, statistic)
                yield row | {"reason": row["reason"] or reason}


def responders(clinic: Clinic, name: str, outcome: str) -> tuple[pd.DataFrame, str]:
    """Responses of the skin beside a clinical response of the same patients and visits.

    Parameters
    ----------
    clinic
        What is asked.
    name
        Of a score.
    outcome
        Key of `OUTCOMES`.

    Returns
    -------
    known : DataFrame
        patient, arm, week, response, responder (bool); empty where nothing can be compared.
    said : str
        As `responses_of` says it; why there is nothing if `known` is empty.
    """
    column, share = OUTCOMES[outcome]
    responses, said = responses_of(clinic.responses, name)
    if responses.empty:
        return responses.assign(arm="", responder=False), said
    known = decreases(clinic.scores[name]).merge(responses, on=["patient", "week"])
    # Of a score of 0 at baseline no share can be gone.
    known = known[known[f"{column}_decrease"].notna() & (known[f"{column}_0"] > 0)]
    if known.empty:
        return known, f"no visit has a response and {column} at baseline and then"
    gone = known[f"{column}_decrease"] / known[f"{column}_0"]
    known = known.assign(responder=(gone >= share).to_numpy(dtype=bool))
    return known[["patient", "arm", "week", "response", "responder"]], said


def early_predicts_late(clinic: Clinic) -> Iterator[dict]:
    """Does the decrease at the first visit foretell later ones, given baseline and arm?

    The baseline biopsy is a noisy measure of the patient's level, so a level that lasts makes both
    visits agree even if the responses to treatment do not.
    """
    ask = Question(clinic, "early_predicts_late", "partial Spearman correlation")
    yield from ask.missing((), visits=2)
    for name, rows in clinic.scores.items() if len(clinic.visits) > 1 else ():
        first, wide = clinic.visits[0], decreases(rows)
        early = wide.loc[wide["week"] == first, ["patient", "score_decrease"]]
        late = wide[wide["week"] > first].merge(early, on="patient", suffixes=("", "_early"))
        compared = ("score_decrease_early", "score_decrease")
        said = f"own score at week {number(first)}"
        yield from ask.correlate(late, name, said, compared, ("score_0",))


QUESTIONS: tuple[Callable[[Clinic], Iterator[dict]], ...] = (
    baseline_with_clinic,
    change_with_clinic,
    repeated_measures,
    itch_beyond_easi,
    easi75_agreement,
    scorad50_agreement,
    early_predicts_late,
)


def responses_of(responses: pd.DataFrame, name: str) -> tuple[pd.DataFrame, str]:
    """Responses of a name against non-lesional skin, else healthy skin, and what to say of them.

    Parameters
    ----------
    responses
        trajectories.tsv.
    name
        Of a score.

    Returns
    -------
    known : DataFrame
        patient, week, response; empty if the index of the name is not estimable.
    said : str
        The reference if it is healthy skin; why there is none if `known` is empty.
    """
    mine = responses[responses["name"] == name]
    known = mine[mine["response"].notna()]
    # "nonlesional" is after "healthy" in the alphabet and goes first here.
    for reference in sorted(set(known["reference"]), reverse=True):
        chosen = known.loc[known["reference"] == reference, ["patient", "week", "response"]]
        return chosen, "response against healthy skin" if reference == HEALTHY else ""
    said = next(iter(mine["reason"][mine["reason"] != ""]), "there is no index of this name")
    return known, said
