"""What a sample sheet needs so that visits can be compared: one baseline, and nothing before it."""

from __future__ import annotations

import re

import pandas as pd

from adnorm.base.errors import Problems, listing, nearest
from adnorm.study.advice import MOST_VALUES, flow
from adnorm.study.cohort import ColumnMapping, MeasuredCohort
from adnorm.study.comparisons import BASELINE, number
from adnorm.study.mapping import Rule
from adnorm.study.nobody import refuse_shared_words


def check_visits(
    sheet: pd.DataFrame, raw: pd.DataFrame, cohort: MeasuredCohort, problems: Problems
) -> None:
    """Check what paired statistics need: baselines, the reference, the placebo arm."""
    placebo, arms = cohort.placebo_arm, sorted(set(sheet["arm"]))
    if placebo is not None and placebo not in arms:
        problems.add(
            f"placebo_arm: no sample is in the arm '{placebo}'{nearest(placebo, arms)}; the arms "
            f"of this cohort: {listing(arms)}"
        )
    reference = cohort.reference
    baseline = sheet[sheet["week"] == BASELINE]
    if baseline.empty:
        weeks = listing([number(w) for w in sorted(set(sheet["week"]))])
        problems.add(
            f"samples: week: no sample is at baseline (week 0), to which every visit is compared; "
            f"the weeks of the samples: {weeks}. Map the visit before treatment to 0"
        )
        return
    if reference is not None and not (baseline["state"] == reference).any():
        counts = baseline["state"].value_counts()
        found = listing([f"{s}: {counts[s]}" for s in sorted(counts.index)])
        problems.add(
            f"reference: '{reference}', but no sample is {reference} at baseline (baseline samples "
            f"by state: {found}). Choose a state that exists, or `reference: null` for a cohort "
            f"without one"
        )
    for arm, rows in sheet.groupby("arm", sort=True):
        if not (rows["week"] == BASELINE).any():
            weeks = listing([number(w) for w in sorted(set(rows["week"]))])
            problems.add(
                f"arm '{arm}' has samples at weeks {weeks} but none at baseline (week 0); check "
                f"the mapping of samples: week"
            )
    _check_two_baselines(sheet, raw, cohort, problems)
    mapping = cohort.samples.patient
    if mapping.constant is None:
        refuse_shared_words(sheet, raw, mapping, problems)


def check_early_visits(
    sheet: pd.DataFrame, raw: pd.DataFrame, cohort: MeasuredCohort, problems: Problems
) -> None:
    """Refuse visits before baseline: no comparison asks for them, and they are no baseline."""
    early = sheet.index[sheet["week"] < BASELINE]
    if not len(early):
        return
    weeks = listing([number(week) for week in sorted(set(sheet.loc[early, "week"]))])
    told = (
        f"samples: week: {len(early)} samples have a week below 0 ({weeks}; first: {early[0]}). "
        f"Baseline is week 0, and everything is compared with it"
    )
    if (sheet["week"] == BASELINE).any():
        rule = _leaving_out(raw.loc[early], cohort.samples.week)
        problems.add(f"{told}; leave earlier visits out, below `exclude:`: `- {rule}`")
    else:
        problems.add(
            f"{told}. No sample is at week 0: write 0 for the last visit before treatment, and "
            f"leave earlier ones out with `exclude:`"
        )


def _leaving_out(raw: pd.DataFrame, spec: ColumnMapping) -> str:
    """Write the rule that leaves some samples out by what the field of the visit says."""
    single = spec.constant is None and not spec.from_all
    found = Rule("week", spec, "").read(raw) if single else None
    kinds = [] if found is None else sorted(set(found[0]))
    if found is None or "" in kinds or len(kinds) > MOST_VALUES:
        return (
            f"{{{flow({'samples': [str(name) for name in raw.index]})}, reason: before baseline}}"
        )
    rule = {"from": spec.as_written()["from"], "values": kinds, "reason": "before baseline"}
    return f"{{{flow(rule)}}}"


#: What visits before baseline are called.
_EARLY = r"screen|scr\b|run.?in|wash.?out|pre\b|pre.?treat|before"


def _check_two_baselines(
    sheet: pd.DataFrame, raw: pd.DataFrame, cohort: MeasuredCohort, problems: Problems
) -> None:
    """Two different raw visits of a patient that both became week 0 are not one baseline."""
    spec = cohort.samples.week
    rule = Rule("week", spec, "")
    found = None if spec.constant is not None else rule.read(raw)
    if found is None:
        return
    cells, key = found
    visits = cells
    if spec.pattern is not None:
        # The visit often stands in a title together with the state; only the visit counts.
        visits = cells.map(lambda text: rule.extract(text) or text)
    baseline = sheet[sheet["week"] == BASELINE].assign(visit=visits)
    twice: dict[tuple[str, ...], list[str]] = {}
    for patient, rows in baseline.groupby("patient", sort=True):
        kinds = tuple(sorted(set(rows["visit"])))
        if len(kinds) > 1:
            twice.setdefault(kinds, []).append(patient)
    for kinds, people in twice.items():
        rows = baseline[baseline["patient"].isin(people)]
        early = [kind for kind in kinds if re.search(_EARLY, kind, re.IGNORECASE)]
        advice = "one of them is the baseline; leave the other out with `exclude:`"
        if 0 < len(early) < len(kinds):
            left_out = raw.loc[rows.index[rows["visit"].isin(early)]]
            advice = (
                f"leave the earlier one out, below `exclude:`: `- {_leaving_out(left_out, spec)}`"
            )
        who = (
            f"patient '{people[0]}' has"
            if len(people) == 1
            else f"{len(people)} patients ({listing(people, 6)}) have"
        )
        problems.add(
            f"{who} two baselines: {listing(kinds)} of the key '{key}' are all week 0 (samples "
            f"{listing(rows.index, 6)}); {advice}, or map it to its week if it is a later visit"
        )
