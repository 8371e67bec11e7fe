"""How early does a drug work: the index at each visit, and what is there at week 2."""

from __future__ import annotations

import numpy as np
import pandas as pd

from adnorm.atlas.cohort_results import (
    CohortResults,
    PatientScores,
    arrange,
    has_number,
)
from adnorm.index.means import FEWEST_PATIENTS
from adnorm.index.ratio import Divisor
from adnorm.study.comparisons import BASELINE, number
from adnorm.study.config import IndexSettings
from adnorm.study.vocabulary import FEWEST_SOUND, ReasonCode, State, Status

#: The visit that is asked first, and the latest one that may stand for it.
EARLY, LATEST_EARLY = 2.0, 4.0
FROM_INDEX = ["arm", "week", "reference", "level", "name", "ni", "lower", "upper"]
FROM_INDEX += ["dni", "dni_lower", "dni_upper", "p_value", "tested", "family", "step"]
FROM_INDEX += ["adjusted_p_value", "fdr", "as_reference", "pairs", "lost", "estimator"]
FROM_INDEX += ["status", "reason_code", "reason", "dni_reason_code", "dni_reason"]
SHARE = ["share", "share_lower", "share_upper", "share_pairs"]
SHARE += ["share_status", "share_reason_code", "share_reason"]
COLUMNS = ["cohort", "simulated", "disease", *FROM_INDEX, "early_week", "last_week", *SHARE]


def time_table(cohort: CohortResults, settings: IndexSettings) -> pd.DataFrame:
    """List the index of every arm over its visits, and the share that is there early.

    The share is mean(LS_0 − LS_early) / mean(LS_0 − LS_last) with Fieller's interval; the disease
    effect cancels. Where patients of the arm missed a visit, both means are those of the model of
    all visits (`fit_repeated_measures`), as in the index. It is asked of week 2, or else of the
    first visit up to week 4. ``share_pairs`` are the patients who have all three samples. Of the
    settings, confidence is used.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`: rows of index.tsv; ``share`` and what belongs to it stand in the row of
        the early visit (of the first visit, where there is no early one). The share is ``NA`` with
        a reason where the index at the last visit is not estimable, its interval reaches 0, or
        Fieller's interval of the share is unbounded.
    """
    table = cohort.index[FROM_INDEX].assign(**cohort.keys()).reindex(columns=COLUMNS)
    words = ["share_status", "share_reason_code", "share_reason"]
    table[words] = table[words].astype(object)
    table[words] = ""
    for reference in cohort.references():
        scored = arrange(cohort, reference)
        names = list(scored.usable.index)
        of_reference = table[table["reference"] == reference]
        for arm, rows in of_reference.groupby("arm"):
            weeks = sorted(set(rows["week"]))
            early, last = early_week(weeks), weeks[-1]
            table.loc[rows.index, "last_week"] = last
            if early is not None:
                table.loc[rows.index, "early_week"] = early
            place = rows[rows["week"] == (weeks[0] if early is None else early)]
            scores = pd.Index(place["name"])
            if early is None:
                reason = (
                    f"the first visit is week {number(weeks[0])}, later than week {LATEST_EARLY:g}"
                )
                found = _no_share(scores, ReasonCode.NO_EARLY_VISIT, reason)
            elif early == last:
                reason = f"no visit after week {number(early)} to compare it with"
                found = _no_share(scores, ReasonCode.ONE_VISIT, reason)
            else:
                at_last = rows[rows["week"] == last].set_index("name")
                found = _shares(scored, names, str(arm), early, last, settings.confidence)
                found = _judge_last(found.reindex(scores), at_last.loc[scores])
            table.loc[place.index, SHARE] = found[SHARE].to_numpy(dtype=object)
    numbers = SHARE[:4] + ["early_week", "last_week"]
    table[numbers] = table[numbers].astype(float)
    keys = ["cohort", "reference", "arm", "level", "name", "week"]
    return table.sort_values(keys, ignore_index=True)


def early_week(weeks: list[float]) -> float | None:
    """Week 2, or else the first visit up to week 4.

    Examples
    --------
    >>> early_week([1.0, 2.0, 12.0]), early_week([4.0, 16.0]), early_week([12.0])
    (2.0, 4.0, None)
    """
    if EARLY in weeks:
        return EARLY
    return min((week for week in weeks if week <= LATEST_EARLY), default=None)


def _no_share(names: pd.Index, code: ReasonCode, reason: str) -> pd.DataFrame:
    rows = pd.DataFrame(np.nan, index=names, columns=SHARE, dtype=object)
    rows["share_status"] = Status.NOT_AVAILABLE
    rows["share_reason_code"], rows["share_reason"] = code, reason
    return rows


def _shares(
    scored: PatientScores,
    names: list[str],
    arm: str,
    early: float,
    last: float,
    confidence: float,
) -> pd.DataFrame:
    """Share of every name that has scores."""
    table = scored.table
    weeks = (BASELINE, early, last)
    seen = np.all([table.has(State.LESIONAL, week) for week in weeks], axis=0)
    rows = np.flatnonzero(seen & (table.arm == arm))
    if len(rows) < FEWEST_PATIENTS:
        reason = (
            f"{len(rows)} patients have lesional samples at baseline, week {number(early)} and "
            f"week {number(last)}; at least {FEWEST_PATIENTS} are needed"
        )
        return _no_share(pd.Index(names), ReasonCode.TOO_FEW_PAIRS, reason)
    if scored.repeated is not None and table.incomplete([arm]):
        first, then = (scored.repeated.decrease(arm, week) for week in (early, last))
    else:
        first, then = (table.mean([table.decrease(arm, week)]) for week in (early, last))
    ratio = Divisor(then, table.strata).ratio(first, confidence)
    bounded, few = np.isfinite(ratio.lower), len(rows) < FEWEST_SOUND
    unbounded = "the change at the last visit is not apart from 0"
    small = f"exploratory: fewer than {FEWEST_SOUND} patients" if few else ""
    found = pd.DataFrame(
        {
            "share": np.where(bounded, ratio.value, np.nan),
            "share_lower": ratio.lower,
            "share_upper": ratio.upper,
            "share_pairs": np.where(bounded, len(rows), np.nan),
            "share_status": np.where(
                bounded, Status.EXPLORATORY if few else Status.OK, Status.NOT_AVAILABLE
            ),
            "share_reason_code": np.where(bounded, "", ReasonCode.LAST_NOT_ESTIMABLE),
            "share_reason": np.where(bounded, small, unbounded),
        },
        index=names,
    )
    return found[SHARE].astype(object)


def _judge_last(found: pd.DataFrame, at_last: pd.DataFrame) -> pd.DataFrame:
    """Refuse the share where the index at the last visit cannot be divided by."""
    found = found.astype(object)
    lacking, low = ~has_number(at_last), ~(at_last["lower"] > 0)
    for name in found.index[lacking | low]:
        row = at_last.loc[name]
        if lacking[name]:
            reason = f"no index at week {number(row['week'])}: {row['reason']}"
        else:
            reason = (
                f"the index at week {number(row['week'])} is {row['ni']:.2f} with an interval "
                f"from {row['lower']:.2f} to {row['upper']:.2f}, not above 0: no divisor"
            )
        found.loc[name] = _no_share(pd.Index([name]), ReasonCode.LAST_NOT_ESTIMABLE, reason).iloc[0]
    return found
