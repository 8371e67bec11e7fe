"""What the clinic measured beside the scores, and the rows that answer questions about both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from adnorm.base.tables import NAME_COLUMNS
from adnorm.index.concordance import Association, partial_spearman
from adnorm.study.comparisons import BASELINE

COLUMNS = [
    *("question", "arm", "week", "score", "clinical", "statistic"),
    *("estimate", "lower", "upper", "p_value", "n", "status", "reason"),
]
CLINICAL = ("easi", "scorad", "itch_nrs")
ALL_ARMS = "all arms"
OK, NOT_AVAILABLE, TOO_FEW = "ok", "not_available", "too_few"
#: Patients that an estimate needs besides one for each covariate of each arm; with fewer,
#: resamples hold so few different patients that their correlations are ±1.
FEWEST = 8


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


def clinical_visits(samples: pd.DataFrame) -> pd.DataFrame:
    """Clinical values of every patient and visit; columns that the cohort lacks are NaN.

    Parameters
    ----------
    samples
        samples.tsv; biopsies of one visit carry the same values.

    Returns
    -------
    DataFrame
        patient, week, easi, scorad, itch_nrs.
    """
    sheet = samples.reindex(columns=["patient", "week", *CLINICAL])
    sheet = sheet.astype({column: float for column in sheet if column not in NAME_COLUMNS})
    return sheet.groupby(["patient", "week"], as_index=False, sort=True).mean()


def decreases(rows: pd.DataFrame) -> pd.DataFrame:
    """Add baseline values (``_0``) and decreases since then (``_decrease``) to later visits."""
    columns = ["score", *CLINICAL]
    start = rows[rows["week"] == BASELINE].set_index("patient")[columns].add_suffix("_0")
    later = rows[rows["week"] > BASELINE].join(start, on="patient", how="inner")
    for column in columns:
        later[f"{column}_decrease"] = later[f"{column}_0"] - later[column]
    return later


def by_arm(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """All patients, then each arm if there are several."""
    yield ALL_ARMS, rows
    if rows["arm"].nunique() > 1:
        yield from rows.groupby("arm", sort=True)


def by_visit(rows: pd.DataFrame) -> Iterator[tuple[str, float, pd.DataFrame]]:
    """All patients and each arm, by week."""
    for week, visit in rows.groupby("week", sort=True):
        for arm, mine in by_arm(visit):
            yield arm, week, mine


class Question:
    """Writes the rows of one question.

    Parameters
    ----------
    clinic
        What is asked.
    name
        Of the question.
    statistic
        That answers it, unless a row says otherwise.
    """

    def __init__(self, clinic: Clinic, name: str, statistic: str) -> None:
        self.clinic, self.name, self.statistic = clinic, name, statistic

    def correlate(
        self,
        rows: pd.DataFrame,
        score: str,
        clinical: str,
        compared: tuple[str, str],
        given: tuple[str, ...],
    ) -> Iterator[dict]:
        """Correlate two columns given others, at every visit, overall and by arm."""
        clinic = self.clinic
        for arm, week, mine in by_visit(rows):
            known = mine.dropna(subset=[*compared, *given])
            arms = max(known["arm"].nunique(), 1)
            least = FEWEST + len(given) * arms + arms - 1
            found = Association(np.nan, np.nan, np.nan, np.nan, len(known))
            if len(known) >= least:
                found = partial_spearman(
                    *(known[c].to_numpy() for c in compared),
                    known[list(given)].to_numpy(),
                    known["arm"].to_numpy(),
                    clinic.confidence,
                    clinic.draws,
                    clinic.seed,
                )
            yield self.row(arm, week, score, clinical, found, least)

    def missing(self, columns: tuple[str, ...], visits: int = 0) -> Iterator[dict]:
        """One row for everything that the question asks and the cohort lacks."""
        found = len(self.clinic.visits)
        if found < visits:
            needed = "one is needed" if visits == 1 else f"{visits} are needed"
            reason = f"{found or 'no'} visits after baseline with lesional samples; {needed}"
            yield self.empty(NOT_AVAILABLE, reason)
        for column in columns:
            if column not in self.clinic.available:
                reason = f"the sample sheet has no values of {column}"
                yield self.empty(NOT_AVAILABLE, reason, clinical=column)

    def row(
        self,
        arm: str,
        week: float,
        score: str,
        clinical: str,
        found: Association,
        least: int,
        statistic: str = "",
    ) -> dict:
        """One answer, or why there is none."""
        said = {"arm": arm, "week": week, "score": score, "clinical": clinical, "n": found.n}
        said["statistic"] = statistic or self.statistic
        if found.n < least:
            reason = f"{found.n} patients with all values; {least} are needed"
            return self.empty(TOO_FEW, reason, **said)
        if not np.isfinite(found.estimate):
            return self.empty(NOT_AVAILABLE, "one of the values never varies", **said)
        numbers = {key: getattr(found, key) for key in ("estimate", "lower", "upper", "p_value")}
        return {"question": self.name, **said, **numbers, "status": OK, "reason": ""}

    def empty(self, status: str, reason: str, **said: object) -> dict:
        """One row without numbers."""
        nothing = dict.fromkeys(("estimate", "lower", "upper", "p_value", "week"), np.nan)
        words = {"arm": ALL_ARMS, "score": "", "clinical": "", "n": 0, "statistic": self.statistic}
        return {
            "question": self.name,
            **nothing,
            **words,
            **said,
            "status": status,
            "reason": reason,
        }
