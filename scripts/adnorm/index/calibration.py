"""How often patients respond in the clinic, by how far their skin is back."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from adnorm.index.clinic import ALL_ARMS, NOT_AVAILABLE, OK, TOO_FEW, Clinic, Question, by_visit
from adnorm.index.concordance import proportion
from adnorm.index.questions import OUTCOMES, responders

COLUMNS = [
    *("outcome", "arm", "week", "score", "bin", "response_from", "response_to", "mean_response"),
    *("responders", "n", "share", "lower", "upper", "status", "reason"),
]
#: Lower edges of the bins of the response R; a bin holds its lower edge.
EDGES = (-np.inf, 0.0, 0.25, 0.5, 0.75, np.inf)
BINS = ("below 0", "0 to 0.25", "0.25 to 0.5", "0.5 to 0.75", "0.75 and above")


def calibration_table(clinic: Clinic) -> pd.DataFrame:
    """Count clinical responders in bins of the response of the skin.

    Parameters
    ----------
    clinic
        Of `read_clinic`.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`: for EASI-75 and SCORAD-50, every score and visit, all arms and each,
        the five bins with the share of clinical responders and Wilson's interval. A bin without a
        patient has status ``too_few``; a cohort without the clinical column, or a score without an
        index, one row with status ``not_available`` and the reason.
    """
    rows = [row for outcome in OUTCOMES for row in _of_outcome(clinic, outcome)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _of_outcome(clinic: Clinic, outcome: str) -> Iterator[dict]:
    column, _ = OUTCOMES[outcome]
    absent = [row["reason"] for row in Question(clinic, "", "").missing((column,), visits=1)]
    if absent:
        yield _nothing(outcome, "", "; ".join(absent))
        return
    for name in clinic.scores:
        known, said = responders(clinic, name, outcome)
        if known.empty:
            yield _nothing(outcome, name, said)
            continue
        for arm, week, mine in by_visit(known):
            place = np.digitize(mine["response"], EDGES[1:-1])
            for code, label in enumerate(BINS):
                inside = mine[place == code]
                found = proportion(inside["responder"].to_numpy(dtype=bool), clinic.confidence)
                row = {"outcome": outcome, "arm": arm, "week": week, "score": name, "bin": label}
                limits = [edge if np.isfinite(edge) else np.nan for edge in EDGES[code : code + 2]]
                row |= {"response_from": limits[0], "response_to": limits[1]}
                row |= {"mean_response": inside["response"].mean(), "n": found.n}
                row |= {"responders": int(inside["responder"].sum()), "share": found.estimate}
                row |= {"lower": found.lower, "upper": found.upper}
                empty = "no patient in this bin"
                yield row | {
                    "status": OK if found.n else TOO_FEW,
                    "reason": said if found.n else empty,
                }


def _nothing(outcome: str, name: str, reason: str) -> dict:
    """One row without numbers."""
    numbers = ("week", "response_from", "response_to", "mean_response", "share", "lower", "upper")
    row = {"outcome": outcome, "arm": ALL_ARMS, "score": name, "bin": "", "responders": 0, "n": 0}
    return row | dict.fromkeys(numbers, np.nan) | {"status": NOT_AVAILABLE, "reason": reason}
