"""How early does a drug work: the index at each visit, and what is there at week 2."""

from __future__ import annotations

import numpy as np
import pandas as pd

from adnorm.atlas.cohort_results import (
    CohortResults,
    arrange,
    has_number,
    interval_columns,
)
from adnorm.index.means import FEWEST_PATIENTS, Group, PatientTable
from adnorm.index.ratio import Resamples
from adnorm.study.comparisons import BASELINE, number
from adnorm.study.config import IndexSettings
from adnorm.study.vocabulary import ReasonCode, State, Status

#: The visit that is asked first, and the latest one that may stand for it.
EARLY, LATEST_EARLY = 2.0, 4.0
FROM_INDEX = ["arm", "week", "reference", "level", "name", "ni", "lower", "upper"]
FROM_INDEX += ["p_value", "fdr", "dni", "dni_lower", "dni_upper", "pairs", "lost", "family"]
FROM_INDEX += ["status", "reason_code", "reason", "dni_reason_code", "dni_reason"]
SHARE = ["share", "share_lower", "share_upper", "share_interval", "share_pairs"]
SHARE += ["share_status", "share_reason_code", "share_reason"]
COLUMNS = ["cohort", "simulated", "disease", *FROM_INDEX, "early_week", "last_week", *SHARE]


def time_table(cohort: CohortResults, settings: IndexSettings, seed: int) -> pd.DataFrame:
    """List the index of every arm over its visits, and the share that is there early.

    The share is mean(LS_0 − LS_early) / mean(LS_0 − LS_last) over the patients of the arm who have
    all three samples; the disease effect cancels. Patients are resampled (below 6, Fieller). It is
    asked of week 2, or else of the first visit up to week 4. Of the settings, bootstrap and
    confidence are used.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`: rows of index.tsv; ``share`` and what belongs to it stand in the row of
        the early visit (of the first visit, where there is no early one). The share is ``NA`` with
        a reason where the index at the last visit is not estimable, its interval reaches 0, or
        Fieller's interval of the share is unbounded.
    """
    table = cohort.index[FROM_INDEX].assign(**cohort.keys()).reindex(columns=COLUMNS)
    words = ["share_interval", "share_status", "share_reason_code", "share_reason"]
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
                found = _shares(scored.table, names, str(arm), early, last, settings, seed)
                found = _judge_last(found.reindex(scores), at_last.loc[scores])
            table.loc[place.index, SHARE] = found[SHARE].to_numpy(dtype=object)
    numbers = SHARE[:3] + SHARE[4:5] + ["early_week", "last_week"]
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
    rows["share_interval"], rows["share_status"] = "", Status.NOT_AVAILABLE
    rows["share_reason_code"], rows["share_reason"] = code, reason
    return rows


def _shares(
    table: PatientTable,
    names: list[str],
    arm: str,
    early: float,
    last: float,
    settings: IndexSettings,
    seed: int,
) -> pd.DataFrame:
    """Share of every name that has scores, over the patients with all three samples."""
    weeks = (BASELINE, early, last)
    seen = np.all([table.has(State.LESIONAL, week) for week in weeks], axis=0)
    rows = np.flatnonzero(seen & (table.arm == arm))
    if len(rows) < FEWEST_PATIENTS:
        reason = (
            f"{len(rows)} patients have lesional samples at baseline, week {number(early)} and "
            f"week {number(last)}; at least {FEWEST_PATIENTS} are needed"
        )
        return _no_share(pd.Index(names), ReasonCode.TOO_FEW_PAIRS, reason)
    everyone = np.arange(len(rows))
    start, skin = (State.LESIONAL, BASELINE), State.LESIONAL
    first, then = (
        [Group(everyone, table.difference(start, (skin, week), rows))] for week in (early, last)
    )
    resamples = Resamples(np.zeros(len(rows), dtype=int), then, settings.bootstrap, seed)
    ratio = resamples.ratio(first, settings.confidence)
    found = pd.DataFrame(interval_columns(ratio), index=names).drop(columns="standard_error")
    found = found.add_prefix("share_").rename(columns={"share_estimate": "share"})
    found = found.assign(share_pairs=len(rows)).astype(object)
    unbounded = ~np.isfinite(ratio.fieller_lower)
    found.loc[unbounded] = _no_share(
        found.index[unbounded],
        ReasonCode.LAST_NOT_ESTIMABLE,
        "among the patients with both visits the change at the last one is not apart from 0",
    ).reindex(columns=found.columns)
    return found[SHARE]


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
