"""With the clinic: which scores move with EASI, SCORAD and itch, and with their own later course.

A biopsy shows one spot and a clinical score the whole body, so correlations are weak as a rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
import pandas as pd

from adnorm.base.tables import NAME_COLUMNS
from adnorm.index.associations import (
    Association,
    kappa,
    partial_spearman,
    proportion,
    repeated_measures_correlation,
    standardized_slope,
)
from adnorm.study.comparisons import BASELINE, number
from adnorm.study.config import IndexSettings
from adnorm.study.vocabulary import Arm, ClinicStatus, DerivedScore, State

#: A row of a table: column → value.
Row: TypeAlias = dict[str, str | float]
COLUMNS = [
    *("question", "arm", "week", "score", "clinical", "statistic"),
    *("estimate", "lower", "upper", "p_value", "n", "status", "reason"),
]
CLINICAL = ("easi", "scorad", "itch_nrs")
#: Patients that an estimate needs besides one for each covariate of each arm; with fewer,
#: resamples hold so few different patients that their correlations are ±1.
FEWEST = 8
ITCH_SCORES = ("itch_core_skin_up", DerivedScore.ITCH_MINUS_TH2)
#: With fewer visits, a correlation of visits within patients is only one of changes.
FEWEST_VISITS = 3
#: Response of the skin that is compared with a clinical response.
RESPONDS = 0.75
#: Name of a clinical response → column and the share of it that must be gone.
OUTCOMES = {"EASI-75": ("easi", 0.75), "SCORAD-50": ("scorad", 0.5)}


@dataclass(frozen=True)
class Clinic:
    """What the questions are asked of.

    Attributes
    ----------
    scores
        patient, arm, week, score and the clinical columns, one row per lesional observation, by
        name of the score.
    available
        Clinical columns that hold values.
    responses
        trajectories.tsv.
    confidence, draws, seed
        Of intervals and resamples.
    """

    scores: dict[str, pd.DataFrame]
    available: list[str]
    responses: pd.DataFrame
    confidence: float
    draws: int
    seed: int

    @property
    def visits(self) -> list[float]:
        """Weeks after baseline with lesional observations."""
        weeks = {week for rows in self.scores.values() for week in rows["week"]}
        return sorted(week for week in weeks if week > BASELINE)


def read_clinic(
    scores: pd.DataFrame,
    samples: pd.DataFrame,
    trajectories: pd.DataFrame,
    settings: IndexSettings,
    seed: int,
) -> Clinic:
    """Put scores and clinical values of the same visits together.

    The tables are what patients.tsv, samples.tsv and trajectories.tsv hold; easi, scorad and
    itch_nrs where the cohort has them. Biopsies of one visit carry the same values.
    """
    sheet = samples.reindex(columns=["patient", "week", *CLINICAL])
    sheet = sheet.astype({column: float for column in sheet if column not in NAME_COLUMNS})
    clinical = sheet.groupby(["patient", "week"], as_index=False, sort=True).mean()
    lesional = scores[(scores["state"] == State.LESIONAL) & (scores["arm"] != Arm.HEALTHY)]
    tables = {
        name: lesional[lesional["name"] == name]
        .drop(columns=["name", "state"])
        .merge(clinical, on=["patient", "week"], how="left", validate="many_to_one")
        for name in dict.fromkeys([*settings.primary, *ITCH_SCORES])
        if (lesional["name"] == name).any()
    }
    return Clinic(
        tables,
        [column for column in CLINICAL if clinical[column].notna().any()],
        trajectories,
        settings.confidence,
        settings.bootstrap,
        seed,
    )


def decreases(rows: pd.DataFrame) -> pd.DataFrame:
    """Add baseline values (``_0``) and decreases since then (``_decrease``) to later visits."""
    columns = ["score", *CLINICAL]
    start = rows[rows["week"] == BASELINE].set_index("patient")[columns].add_suffix("_0")
    later = rows[rows["week"] > BASELINE].join(start, on="patient", how="inner")
    for column in columns:
        later[f"{column}_decrease"] = later[f"{column}_0"] - later[column]
    return later


def _by_arm(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """All patients, then each arm if there are several."""
    yield Arm.ALL, rows
    if rows["arm"].nunique() > 1:
        yield from ((str(arm), patients) for arm, patients in rows.groupby("arm", sort=True))


def _by_visit(rows: pd.DataFrame) -> Iterator[tuple[str, float, pd.DataFrame]]:
    """All patients and each arm, by week."""
    for week in sorted(rows["week"].unique()):
        visit = rows[rows["week"] == week]
        for arm, patients in _by_arm(visit):
            yield arm, week, patients


class Question:
    """Writes the rows of one question, answered by `statistic` unless a row says otherwise."""

    def __init__(self, clinic: Clinic, name: str, statistic: str) -> None:
        self.clinic, self.name, self.statistic = clinic, name, statistic

    def correlate(
        self,
        rows: pd.DataFrame,
        score: str,
        clinical: str,
        compared: tuple[str, str],
        given: tuple[str, ...],
    ) -> Iterator[Row]:
        """Correlate two columns given others, at every visit, overall and by arm."""
        clinic = self.clinic
        for arm, week, patients in _by_visit(rows):
            known = patients.dropna(subset=[*compared, *given])
            arms = max(known["arm"].nunique(), 1)
            least = FEWEST + len(given) * arms + arms - 1
            found = Association(np.nan, np.nan, np.nan, np.nan, len(known))
            if len(known) >= least:
                found = partial_spearman(
                    known[compared[0]].to_numpy(),
                    known[compared[1]].to_numpy(),
                    known[list(given)].to_numpy(),
                    known["arm"].to_numpy(),
                    clinic.confidence,
                    clinic.draws,
                    clinic.seed,
                )
            yield self.row(arm, week, score, clinical, found, least)

    def missing(self, columns: tuple[str, ...], visits: int = 0) -> Iterator[Row]:
        """One row for everything that the question asks and the cohort lacks."""
        found = len(self.clinic.visits)
        if found < visits:
            needed = "one is needed" if visits == 1 else f"{visits} are needed"
            reason = f"{found or 'no'} visits after baseline with lesional samples; {needed}"
            yield self.empty(ClinicStatus.NOT_AVAILABLE, reason)
        for column in columns:
            if column not in self.clinic.available:
                reason = f"the sample sheet has no values of {column}"
                yield self.empty(ClinicStatus.NOT_AVAILABLE, reason, clinical=column)

    def row(
        self,
        arm: str,
        week: float,
        score: str,
        clinical: str,
        found: Association,
        least: int,
        statistic: str = "",
    ) -> Row:
        """One answer, or why there is none."""
        facts: Row = {"arm": arm, "week": week, "score": score}
        facts |= {"clinical": clinical, "n": found.n, "statistic": statistic or self.statistic}
        if found.n < least:
            reason = f"{found.n} patients with all values; {least} are needed"
            return self.empty(ClinicStatus.TOO_FEW, reason, **facts)
        if not np.isfinite(found.estimate):
            return self.empty(ClinicStatus.NOT_AVAILABLE, "one of the values never varies", **facts)
        numbers = {key: getattr(found, key) for key in ("estimate", "lower", "upper", "p_value")}
        status = {"status": ClinicStatus.OK, "reason": ""}
        return {"question": self.name, **facts, **numbers, **status}

    def empty(self, status: ClinicStatus, reason: str, **facts: str | float) -> Row:
        """One row without numbers."""
        nothing = dict.fromkeys(("estimate", "lower", "upper", "p_value", "week"), np.nan)
        words: Row = {"arm": Arm.ALL, "score": "", "clinical": "", "n": 0}
        words["statistic"] = self.statistic
        row: Row = {"question": self.name, **nothing, **words, **facts}
        return row | {"status": status, "reason": reason}


# ---------------------------------------------------------------- questions


def concordance_table(clinic: Clinic) -> pd.DataFrame:
    """Answer the questions about scores and the clinic.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`. Questions: ``baseline_with_clinic``, ``change_with_clinic``,
        ``repeated_measures``, ``itch_beyond_easi``, ``easi75_agreement``,
        ``scorad50_agreement``, ``early_predicts_late``; a question that cannot be asked has one row
        that says why.
    """
    rows = [row for question in QUESTIONS for row in question(clinic)]
    return pd.DataFrame(rows, columns=COLUMNS)


def baseline_with_clinic(clinic: Clinic) -> Iterator[Row]:
    """Rank correlation of lesional scores and clinical values before treatment."""
    ask = Question(clinic, "baseline_with_clinic", "Spearman correlation")
    yield from ask.missing(CLINICAL)
    for name, rows in clinic.scores.items():
        start = rows[rows["week"] == BASELINE].assign(arm=Arm.ALL)
        for column in clinic.available:
            yield from ask.correlate(start, name, column, ("score", column), ())


def change_with_clinic(clinic: Clinic) -> Iterator[Row]:
    """Rank correlation of the decreases since baseline, given both baselines and arm."""
    ask = Question(clinic, "change_with_clinic", "partial Spearman correlation")
    yield from ask.missing(CLINICAL, visits=1)
    for name, rows in clinic.scores.items() if clinic.visits else ():
        for column in clinic.available:
            compared = ("score_decrease", f"{column}_decrease")
            given = ("score_0", f"{column}_0")
            yield from ask.correlate(decreases(rows), name, column, compared, given)


def repeated_measures(clinic: Clinic) -> Iterator[Row]:
    """Correlation of score and clinical value over the visits of each patient."""
    ask = Question(clinic, "repeated_measures", "repeated-measures correlation")
    yield from ask.missing(CLINICAL, visits=FEWEST_VISITS - 1)
    for name, rows in clinic.scores.items() if len(clinic.visits) >= FEWEST_VISITS - 1 else ():
        for column in clinic.available:
            for arm, patients in _by_arm(rows):
                known = patients.dropna(subset=["score", column])
                x, y = (known[c].to_numpy() for c in ("score", column))
                found = repeated_measures_correlation(
                    x, y, known["patient"].to_numpy(), clinic.confidence
                )
                yield ask.row(arm, np.nan, name, column, found, FEWEST)


def itch_beyond_easi(clinic: Clinic) -> Iterator[Row]:
    """Does the itch score explain the change of itch beyond the change of EASI?"""
    ask = Question(clinic, "itch_beyond_easi", "standardized slope")
    absent = list(ask.missing(("easi", "itch_nrs"), visits=1))
    yield from absent
    for name in ITCH_SCORES if not absent else ():
        if name not in clinic.scores:
            continue
        columns = ["itch_nrs_decrease", "score_decrease", "easi_decrease"]
        for arm, week, patients in _by_visit(decreases(clinic.scores[name])):
            known = patients.dropna(subset=columns)
            y, x, given = (known[c].to_numpy() for c in columns)
            found = standardized_slope(
                y, x, given[:, None], known["arm"].to_numpy(), clinic.confidence
            )
            yield ask.row(arm, week, name, "itch_nrs", found, FEWEST + known["arm"].nunique())


def agreement(clinic: Clinic, question: str, outcome: str) -> Iterator[Row]:
    """Do a clinical response and a response of the skin of at least 0.75 find the same patients?"""
    column, _ = OUTCOMES[outcome]
    ask = Question(clinic, question, "kappa")
    absent = list(ask.missing((column,), visits=1))
    yield from absent
    for name in clinic.scores if not absent else ():
        known, reason = _responders(clinic, name, outcome)
        if known.empty:
            yield ask.empty(ClinicStatus.NOT_AVAILABLE, reason, score=name, clinical=column)
            continue
        for arm, week, patients in _by_visit(known):
            clinical = patients["responder"].to_numpy()
            skin = (patients["response"] >= RESPONDS).to_numpy()
            for statistic, found in (
                ("kappa", kappa(clinical, skin, clinic.confidence)),
                (f"sensitivity for {outcome}", proportion(skin[clinical], clinic.confidence)),
                (f"specificity for {outcome}", proportion(~skin[~clinical], clinic.confidence)),
            ):
                least = FEWEST if statistic == "kappa" else 1
                row = ask.row(arm, week, name, column, found, least, statistic)
                yield row | {"reason": row["reason"] or reason}


def early_predicts_late(clinic: Clinic) -> Iterator[Row]:
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
        clinical = f"own score at week {number(first)}"
        yield from ask.correlate(late, name, clinical, compared, ("score_0",))


QUESTIONS: tuple[Callable[[Clinic], Iterator[Row]], ...] = (
    baseline_with_clinic,
    change_with_clinic,
    repeated_measures,
    itch_beyond_easi,
    partial(agreement, question="easi75_agreement", outcome="EASI-75"),
    partial(agreement, question="scorad50_agreement", outcome="SCORAD-50"),
    early_predicts_late,
)


def _responders(clinic: Clinic, name: str, outcome: str) -> tuple[pd.DataFrame, str]:
    """Responses of the skin beside a clinical response of the same patients and visits.

    patient, arm, week, response, responder (bool), and what to say of them; if the table is empty,
    why nothing can be compared.
    """
    column, share = OUTCOMES[outcome]
    responses, note = _responses_of(clinic.responses, name)
    if responses.empty:
        return responses.assign(arm="", responder=False), note
    known = decreases(clinic.scores[name]).merge(responses, on=["patient", "week"])
    # Of a score of 0 at baseline no share can be gone.
    known = known[known[f"{column}_decrease"].notna() & (known[f"{column}_0"] > 0)]
    if known.empty:
        return known, f"no visit has a response and {column} at baseline and then"
    gone = known[f"{column}_decrease"] / known[f"{column}_0"]
    known = known.assign(responder=(gone >= share).to_numpy(dtype=bool))
    return known[["patient", "arm", "week", "response", "responder"]], note


def _responses_of(responses: pd.DataFrame, name: str) -> tuple[pd.DataFrame, str]:
    """Responses of a name against non-lesional skin, else healthy skin, and what to say of them."""
    rows = responses[responses["name"] == name]
    known = rows[rows["response"].notna()]
    notes = {State.NONLESIONAL: "", State.HEALTHY: "response against healthy skin"}
    for reference, note in notes.items():
        chosen = known.loc[known["reference"] == reference, ["patient", "week", "response"]]
        if len(chosen):
            return chosen, note
    reasons = rows["reason"][rows["reason"] != ""]
    return known, next(iter(reasons), "there is no index of this name")


# ---------------------------------------------------------------- calibration

CALIBRATION_COLUMNS = [
    *("outcome", "arm", "week", "score", "bin", "response_from", "response_to", "mean_response"),
    *("responders", "n", "share", "lower", "upper", "status", "reason"),
]
#: Lower edges of the bins of the response R; a bin holds its lower edge.
EDGES = (-np.inf, 0.0, 0.25, 0.5, 0.75, np.inf)
BINS = ("below 0", "0 to 0.25", "0.25 to 0.5", "0.5 to 0.75", "0.75 and above")


def calibration_table(clinic: Clinic) -> pd.DataFrame:
    """Count clinical responders in bins of the response of the skin.

    Returns
    -------
    DataFrame
        Columns `CALIBRATION_COLUMNS`: for EASI-75 and SCORAD-50, every score and visit, all arms
        and each, the five bins with the share of clinical responders and Wilson's interval. A bin
        without a patient has status ``too_few``; a cohort without the clinical column, or a score
        without an index, one row with status ``not_available`` and the reason.
    """
    rows = [row for outcome in OUTCOMES for row in _bins_of(clinic, outcome)]
    return pd.DataFrame(rows, columns=CALIBRATION_COLUMNS)


def _bins_of(clinic: Clinic, outcome: str) -> Iterator[Row]:
    column, _ = OUTCOMES[outcome]
    nothing: Row = {
        "outcome": outcome,
        "arm": Arm.ALL,
        "score": "",
        "bin": "",
        "responders": 0,
        "n": 0,
    }
    nothing["status"] = ClinicStatus.NOT_AVAILABLE
    absent = [str(row["reason"]) for row in Question(clinic, "", "").missing((column,), visits=1)]
    if absent:
        yield nothing | {"reason": "; ".join(absent)}
        return
    for name in clinic.scores:
        known, note = _responders(clinic, name, outcome)
        if known.empty:
            yield nothing | {"score": name, "reason": note}
            continue
        for arm, week, patients in _by_visit(known):
            place = np.digitize(patients["response"], EDGES[1:-1])
            for code, label in enumerate(BINS):
                inside = patients[place == code]
                found = proportion(inside["responder"].to_numpy(dtype=bool), clinic.confidence)
                limits = [edge if np.isfinite(edge) else np.nan for edge in EDGES[code : code + 2]]
                yield {
                    "outcome": outcome,
                    "arm": arm,
                    "week": week,
                    "score": name,
                    "bin": label,
                    "response_from": limits[0],
                    "response_to": limits[1],
                    "mean_response": inside["response"].mean(),
                    "responders": int(inside["responder"].sum()),
                    "n": found.n,
                    "share": found.estimate,
                    "lower": found.lower,
                    "upper": found.upper,
                    "status": ClinicStatus.OK if found.n else ClinicStatus.TOO_FEW,
                    "reason": note if found.n else "no patient in this bin",
                }
