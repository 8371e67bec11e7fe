"""What each trial brings to the comparison of drug classes, and what it cannot bring."""

from __future__ import annotations

import numpy as np
import pandas as pd

from adnorm.atlas.material import NOT_AVAILABLE, CohortResults, has_number
from adnorm.base.tables import stack
from adnorm.index.axis import DISEASE
from adnorm.index.estimability import NO_PLACEBO, OTHER_DISEASE
from adnorm.index.normalization import EXPLORATORY
from adnorm.study.comparisons import number
from adnorm.study.diseases import lookalikes, same_disease

#: Name, first and last week, and the week whose nearest visit stands for the window.
WINDOWS = (
    ("weeks 1-3", 1.0, 3.0, 2.0),
    ("weeks 4-6", 4.0, 6.0, 4.0),
    ("weeks 8-14", 8.0, 14.0, 12.0),
    ("weeks 15-18", 15.0, 18.0, 16.0),
)
TRIAL = "trial"
NO_WINDOW = "NO_WINDOW"


def window_of(week: float) -> str:
    """Name of the window that a week belongs to; empty between the windows."""
    return next((name for name, first, last, _ in WINDOWS if first <= week <= last), "")


def trial_entries(cohort: CohortResults) -> pd.DataFrame:
    """List what a cohort brings: one row for each drug, window and name.

    Returns
    -------
    DataFrame
        The placebo-adjusted index of the highest dose of each drug at the visit nearest to the
        middle of each window; rows that cannot be used have the status ``NA`` and a reason
        (another disease, no placebo, no index, a visit outside the windows).
    """
    arms = cohort.drug_arms()
    if not same_disease(cohort.disease, DISEASE):
        reason = f"{cohort.cohort} is a cohort of {cohort.disease}: only {DISEASE} is compared"
        if lookalikes(cohort.disease, [DISEASE]):
            reason += "; if that is its disease, write it so under `disease:` in the cohort file"
        frame = arms.drop_duplicates("drug_class").assign(window="", week=np.nan, target=np.nan)
        return _refused_trial(cohort, frame, OTHER_DISEASE, reason)
    # The highest dose stands for the drug, whatever its index is.
    arms = arms.sort_values("dose_mg", na_position="first").drop_duplicates(
        "treatment", keep="last"
    )
    index = cohort.index.merge(arms, on="arm")
    index["window"] = index["week"].map(window_of)
    index["target"] = index["window"].map({name: target for name, _, _, target in WINDOWS})
    outside = index[index["window"] == ""].drop_duplicates(["treatment", "week"])
    weeks = ", ".join(number(w) for w in sorted(set(outside["week"])))
    windows = ", ".join(name for name, *_ in WINDOWS)
    frames = [_refused_trial(cohort, outside, NO_WINDOW, f"week {weeks} is outside {windows}")]
    index = index[index["window"] != ""]
    index = index.assign(away=(index["week"] - index["target"]).abs())
    nearest = index.groupby(["treatment", "window"])["away"].transform("min")
    index = index[index["away"] == nearest].sort_values("week")
    index = index.drop_duplicates(["treatment", "reference", "window", "level", "name"])
    frames.append(_trial_rows(cohort, index))
    return stack(frames)


def _refused_trial(
    cohort: CohortResults, frame: pd.DataFrame, code: str, reason: str
) -> pd.DataFrame:
    rows = frame[["drug_class", "window", "week", "target"]].assign(
        drug=frame["treatment"], reference="", level="", name="", cohorts=cohort.cohort, trials=1
    )
    rows["weeks"] = frame["week"].map(number, na_action="ignore")
    said = {"status": NOT_AVAILABLE, "reason_code": code, "reason": reason}
    return rows.assign(question=TRIAL, simulated=cohort.keys()["simulated"], **said)


def _trial_rows(cohort: CohortResults, index: pd.DataFrame) -> pd.DataFrame:
    lacks = ~has_number(index)
    adjusted = ~lacks & index["dni"].notna() & index["dni_lower"].notna()
    uncontrolled = index["dni_reason"].fillna("").replace("", "no placebo-adjusted index")
    keep = ["drug_class", "window", "week", "target", "reference", "level", "name", "pairs"]
    rows = index[keep].assign(
        question=TRIAL,
        simulated=cohort.keys()["simulated"],
        cohorts=cohort.cohort,
        trials=1,
        drug=index["treatment"],
        dose=index["dose_mg"].map(lambda d: "" if np.isnan(d) else f"{number(d)} mg"),
        weeks=index["week"].map(number),
        dni=index["dni"].where(adjusted),
        lower=index["dni_lower"].where(adjusted),
        upper=index["dni_upper"].where(adjusted),
        standard_error=index["dni_standard_error"].where(adjusted),
    )
    rows["status"] = index["status"].where(adjusted, NOT_AVAILABLE)
    unadjusted = index["dni_reason_code"].fillna("").replace("", NO_PLACEBO)
    rows["reason_code"] = index["reason_code"].where(lacks | adjusted, unadjusted)
    rows["reason"] = index["reason"].where(lacks | adjusted, uncontrolled)
    # A small placebo arm makes the difference exploratory, not the index of the drug.
    few = adjusted & uncontrolled.str.startswith(EXPLORATORY)
    rows["status"] = rows["status"].mask(few, EXPLORATORY)
    rows["reason"] = rows["reason"].mask(few & (rows["reason"] == ""), uncontrolled)
    return rows
