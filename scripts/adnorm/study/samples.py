"""The canonical sample sheet: raw metadata in, one row per biopsy in the project's words out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from adnorm.base.errors import Problems, listing, nearest
from adnorm.study.cohort import (
    NO_TREATMENT,
    NUMBERS,
    OF_PATIENT,
    ColumnMapping,
    ExclusionRule,
    MeasuredCohort,
)
from adnorm.study.comparisons import BASELINE, lesion_names, number
from adnorm.study.mapping import REQUIRED, Rule
from adnorm.study.patterns import SlowPatternError, compiled
from adnorm.study.people import own_person, refuse_shared_words
from adnorm.study.raw_fields import (
    MOST_VALUES,
    ambiguity,
    counted,
    describe_keys,
    find_value,
    fitting_key,
    flow,
    number_advice,
    raw_values,
)
from adnorm.study.vocabulary import Arm, Sex, State

STATES, SEXES = tuple(State), (Sex.FEMALE, Sex.MALE)
#: Smallest and largest value of what the clinic measures.
RANGES = {"easi": (0, 72), "scorad": (0, 103), "itch_nrs": (0, 10), "age": (0, 120)}
OPTIONAL = ("easi", "scorad", "itch_nrs", "responder", "batch", "sex", "age", "site")


def build_sample_sheet(
    raw: pd.DataFrame, cohort: MeasuredCohort
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make the canonical sample sheet of a cohort.

    Parameters
    ----------
    raw
        Raw metadata, one row per sample; the index holds the sample ids, the columns the raw keys.
    cohort
        The cohort file. Where it has ``stand_ins``, each mapping is tried, but nothing is asked
        that rests on several.

    Returns
    -------
    samples : DataFrame
        Columns sample, patient, state, treatment, drug_class, dose_mg, arm, week, lesion (only
        where lesions of one patient are in several arms; empty for skin that serves all of them),
        the optional clinical columns that the cohort file maps, and every raw key prefixed
        ``geo_``; sorted by arm, patient, week, state and sample.
    excluded : DataFrame
        Columns sample, reason.

    Raises
    ------
    AdnormError
        One message with everything that is wrong: keys and values that no mapping covers (with all
        raw values and their counts), duplicate samples, patients in two arms or with two
        baselines, a placebo arm that no sample has, visits without a baseline, or a reference that
        no sample has.
    """
    where = cohort.where or f"cohort {cohort.id}"
    problems = Problems(where)
    # An index may have the name of a column, such as `sample` or `week`.
    raw = raw.rename_axis(index=None)
    _check_unique(raw, problems)
    problems.stop()
    reasons = _excluded_samples(raw, cohort.exclude, problems)
    kept = raw.loc[~raw.index.isin(reasons.index)]
    if kept.empty:
        problems.add(
            f"exclude: all {len(raw)} samples are excluded; loosen the rules, nothing is left"
        )
        problems.stop()
    # A rule that cannot be read does not hide what is wrong with the mappings, nor they each other.
    sheet, unmapped = _canonical_columns(kept, cohort, where, problems)
    _check_values(sheet, unmapped, kept, cohort, problems)
    if "week" not in unmapped:
        _check_early_visits(sheet, kept, cohort, problems)
    problems.stop()
    if "dose_mg" not in sheet:
        sheet["dose_mg"] = float("nan")
    if not {"patient", "state"} & set(cohort.stand_ins):
        _check_health(sheet, problems)
    if cohort.stand_ins:
        # Arms and visits of columns that are not the file's own would be false.
        sheet = _anybody(sheet)
    if cohort.within_patient and not cohort.stand_ins:
        _assign_arms_of_lesions(sheet, problems)
    else:
        _assign_arms_of_patients(sheet, problems)
    problems.stop()
    classes = {name: treatment.drug_class for name, treatment in cohort.treatments.items()}
    sheet["drug_class"] = sheet["treatment"].map(classes).fillna(NO_TREATMENT)
    if not cohort.stand_ins:
        _check_visits(sheet, kept, cohort, problems)
    problems.stop()
    return _ordered(sheet, kept), _excluded_table(reasons)


def _anybody(sheet: pd.DataFrame) -> pd.DataFrame:
    """Take all samples for lesional skin of one untreated person at baseline."""
    return sheet.assign(
        patient="anybody",
        state=State.LESIONAL.value,
        treatment=NO_TREATMENT,
        week=BASELINE,
        dose_mg=float("nan"),
    )


def _check_unique(raw: pd.DataFrame, problems: Problems) -> None:
    if raw.empty:
        problems.add("the metadata hold no sample")
    twice = sorted(set(raw.index[raw.index.duplicated()]))
    if twice:
        problems.add(f"these samples stand twice in the metadata: {listing(twice)}")


def _canonical_columns(
    raw: pd.DataFrame, cohort: MeasuredCohort, where: str, problems: Problems
) -> tuple[pd.DataFrame, set[str]]:
    """Apply every mapping; give the canonical columns, and those with a problem noted already."""
    rules = cohort.samples.by_column
    sheet, unmapped = pd.DataFrame(index=raw.index), set()
    for column in (*REQUIRED, "dose_mg", *OPTIONAL):
        if column not in rules:
            continue
        before = len(problems.sentences)
        values = Rule(column, rules[column], where).apply(raw, problems)
        if column in NUMBERS:
            sheet[column] = _numbers(values, column, rules[column], problems)
        else:
            sheet[column] = values.map(lambda v: None if v is None else str(v))
        if len(problems.sentences) > before:
            unmapped.add(column)
    return sheet, unmapped


def _numbers(values: pd.Series, column: str, spec: ColumnMapping, problems: Problems) -> pd.Series:
    text = values.copy()
    text[values == OF_PATIENT] = None
    parsed = pd.to_numeric(text, errors="coerce")
    wrong = parsed.isna() & text.notna()
    if wrong.any():
        found = sorted({str(v) for v in values[wrong]})
        problems.add(
            f"samples: {column}: {listing(found)} is not a number (first: sample "
            f"{values.index[wrong][0]}); {number_advice(column, found, spec)}"
        )
    endless = ~np.isfinite(parsed) & parsed.notna()
    if endless.any():
        problems.add(f"samples: {column}: sample {values.index[endless][0]} has an infinite value")
    return parsed.astype(float)


def _check_values(
    sheet: pd.DataFrame,
    unmapped: set[str],
    raw: pd.DataFrame,
    cohort: MeasuredCohort,
    problems: Problems,
) -> None:
    """Check vocabulary and ranges, and that nothing required is missing."""
    for column, allowed in (("state", STATES), ("sex", SEXES)):
        for value in sorted(set(sheet.get(column, pd.Series(dtype=object)).dropna())):
            if value not in allowed:
                problems.add(
                    f"samples: {column}: the mapping gives '{value}'{nearest(value, allowed)}; "
                    f"allowed: {listing(allowed)}"
                )
    for column in (c for c in REQUIRED if c not in unmapped):
        empty = sheet.index[sheet[column].isna()]
        if len(empty):
            advice = "Say what it is under `values:` or `missing:`"
            if column == "patient":
                # One word for all of them would make one person of many.
                advice = _advise_on_nobody(raw, cohort.samples.patient)
            problems.add(
                f"samples: {column}: {len(empty)} samples have no value (first: {empty[0]}); every "
                f"sample needs one. {advice}, or exclude them"
            )
    known = [*cohort.treatments, NO_TREATMENT, OF_PATIENT]
    for value in sorted(set(sheet["treatment"].dropna()) - set(known)):
        problems.add(
            f"samples: treatment: '{value}' is not described under `treatments:`"
            f"{nearest(value, known)}; described: {listing(known)}. Add it with its drug_class"
        )
    doses = sheet.get("dose_mg", pd.Series(dtype=float))
    if (below := doses[doses < 0]).any():
        problems.add(
            f"samples: dose_mg: below 0 in {len(below)} of {len(doses)} samples (first: "
            f"{below.index[0]} with {below.iloc[0]:g}); mend the values, or leave the column out"
        )
    for column, (least, most) in RANGES.items():
        values = sheet.get(column, pd.Series(dtype=float))
        outside = values[(values < least) | (values > most)]
        if len(outside):
            # A visual analogue scale in millimetres is the usual reason; one typing error is none.
            in_mm = column == "itch_nrs" and 0 <= outside.min() and outside.max() <= 100
            in_mm = in_mm and values[values > 0].median() > most
            advice = "bring it to 0 to 10 with `scale: 0.1`" if in_mm else "mend the values"
            problems.add(
                f"samples: {column}: outside {least} to {most} in {len(outside)} of {len(values)} "
                f"samples (first: {outside.index[0]} with {outside.iloc[0]:g}); {advice}, or leave "
                f"the column out"
            )


def _advise_on_nobody(raw: pd.DataFrame, mapping: ColumnMapping) -> str:
    line = own_person(raw, mapping) if mapping.from_ else ""
    return f"If each is a person of its own, write `{line}`" if line else "Give each an id"


def _check_health(sheet: pd.DataFrame, problems: Problems) -> None:
    """Nobody is healthy and a patient."""
    for patient, rows in sheet.groupby("patient", sort=True):
        if State.HEALTHY in set(rows["state"]) and rows["state"].nunique() > 1:
            problems.add(
                f"patient '{patient}' has healthy and diseased samples ({listing(rows.index, 6)}); "
                f"one of the two states is wrong, or two people share an id"
            )


def _assign_arms_of_patients(sheet: pd.DataFrame, problems: Problems) -> None:
    """Give every sample its patient's arm; the arm of a patient is one treatment at one dose."""
    healthy = sheet["state"] == State.HEALTHY
    several: dict[tuple[str, ...], list[str]] = {}
    for patient, rows in sheet.groupby("patient", sort=True):
        known_arms = rows[(rows["treatment"] != OF_PATIENT)]
        pairs = {
            (t, number(d))
            for t, d in zip(known_arms["treatment"], known_arms["dose_mg"], strict=True)
        }
        treated = sorted(p for p in pairs if p[0] != NO_TREATMENT)
        if len(treated) > 1 or (treated and len(pairs) > 1):
            shown = [t if d == "nan" else f"{t} {d} mg" for t, d in sorted(pairs)]
            several.setdefault(tuple(shown), []).append(str(patient))
        elif not pairs:
            problems.add(
                f"patient '{patient}' has only samples whose treatment is `{OF_PATIENT}` "
                f"({listing(rows.index, 6)}), so the arm is not known; exclude this patient or "
                f"give the treatment"
            )
        else:
            treatment, _ = next(iter(pairs))
            dose = known_arms["dose_mg"].dropna()
            sheet.loc[rows.index, "treatment"] = treatment
            sheet.loc[rows.index, "dose_mg"] = dose.iloc[0] if len(dose) else float("nan")
    for arms, people in several.items():
        names = sheet.index[sheet["patient"].isin(people)]
        problems.add(
            f"{_who(people, 'is', 'are')} in several arms: {listing(arms)} (samples "
            f"{listing(names, 6)}). An arm belongs to a patient: map what baseline "
            f"samples say (such as 'none') to `{OF_PATIENT}`, or split the patient id. Where "
            "lesions of one patient were treated differently, write `within_patient: true` into "
            "the cohort file"
        )
    sheet["arm"] = [
        _arm_name(treatment, dose, is_healthy)
        for treatment, dose, is_healthy in zip(
            sheet["treatment"], sheet["dose_mg"], healthy, strict=True
        )
    ]


def _assign_arms_of_lesions(sheet: pd.DataFrame, problems: Problems) -> None:
    """Give every lesion the arm of its treatment; other skin of the patient serves all arms.

    A lesion before treatment that no treatment is said of is compared with all of the patient's
    later ones. The column lesion holds patient and arm, and is empty for what serves all arms.
    """
    lesional, healthy = (sheet["state"] == state for state in (State.LESIONAL, State.HEALTHY))
    untold = sheet["treatment"].isin([OF_PATIENT, NO_TREATMENT])
    late = sheet.index[lesional & untold & (sheet["week"] > BASELINE)]
    if len(late):
        problems.add(
            f"samples: treatment: {len(late)} lesions after baseline have no treatment "
            f"({listing(late, 6)}); with `within_patient: true` the arm is that of the lesion: map "
            "what each of them was treated with, or exclude them"
        )
    told = lesional & ~untold
    shared = ~told & ~healthy
    sheet.loc[shared | healthy, "treatment"] = NO_TREATMENT
    sheet.loc[shared | healthy, "dose_mg"] = float("nan")
    rows = zip(sheet["treatment"], sheet["dose_mg"], healthy, shared, strict=True)
    sheet["arm"] = [
        Arm.ALL.value if all_arms else _arm_name(treatment, dose, is_healthy)
        for treatment, dose, is_healthy, all_arms in rows
    ]
    sheet["lesion"] = lesion_names(sheet).where(told, "")
    arms = sheet[told].groupby("patient")["arm"].nunique()
    if told.any() and not (arms > 1).any():
        problems.add(
            "within_patient: true, but no patient has lesions in several arms (arms: "
            f"{listing(sorted(set(sheet.loc[told, 'arm'])))}); take the line out, or mend the "
            "mappings of samples: patient and treatment"
        )
    elif not told.any():
        problems.add(
            "within_patient: true, but no lesion has a treatment; mend the mapping of samples: "
            "treatment, or take the line out"
        )


def _who(people: Sequence[str], one: str, many: str) -> str:
    if len(people) == 1:
        return f"patient '{people[0]}' {one}"
    return f"{len(people)} patients ({listing(people, 6)}) {many}"


def _weeks(weeks: Iterable[float]) -> str:
    return listing([number(week) for week in sorted(set(weeks))])


def _arm_name(treatment: str, dose: float, healthy: bool) -> str:
    if healthy:
        return Arm.HEALTHY.value
    if treatment == NO_TREATMENT:
        return Arm.UNTREATED.value
    return treatment if pd.isna(dose) else f"{treatment} {number(dose)} mg"


def _ordered(sheet: pd.DataFrame, raw: pd.DataFrame) -> pd.DataFrame:
    first = ["patient", "state", "treatment", "drug_class", "dose_mg", "arm", "week"]
    columns = [*first, *(c for c in ("lesion", *OPTIONAL) if c in sheet)]
    kept_raw = raw.rename(columns=lambda name: f"geo_{name}")
    result = pd.concat([sheet[columns], kept_raw], axis=1)
    result.insert(0, "sample", result.index.astype(str))
    order = ["arm", "patient", "week", "state", "sample"]
    return result.sort_values(order, kind="stable").reset_index(drop=True)


def _excluded_table(reasons: pd.Series) -> pd.DataFrame:
    frame = pd.DataFrame({"sample": reasons.index.astype(str), "reason": reasons.to_numpy()})
    return frame.sort_values("sample", kind="stable").reset_index(drop=True)


# ---------------------------------------------------------------- samples that are left out


def _excluded_samples(
    raw: pd.DataFrame, rules: Sequence[ExclusionRule], problems: Problems
) -> pd.Series:
    """Apply the `exclude:` rules of a cohort file: sample → the reason why it is left out."""
    reasons: dict[str, str] = {}
    for position, rule in enumerate(rules, 1):
        where = f"exclude: rule {position}"
        try:
            hit = _exclude_hits(raw, rule, where, problems)
        except SlowPatternError as error:
            problems.add(f"{where}: pattern (key '{rule.from_}'): {error}")
            continue
        for sample in raw.index[hit] if hit is not None else []:
            reasons.setdefault(sample, rule.reason)
    return pd.Series(reasons, dtype=object)


def _exclude_hits(
    raw: pd.DataFrame, rule: ExclusionRule, where: str, problems: Problems
) -> pd.Series | None:
    if rule.samples is not None:
        unknown = [s for s in rule.samples if s not in raw.index]
        if unknown:
            problems.add(
                f"{where}: no sample is called {listing(unknown)}{nearest(unknown[0], raw.index)}"
            )
        return pd.Series(raw.index.isin(rule.samples), index=raw.index)
    keys = [rule.from_ or ""]
    unclear = ambiguity(raw, keys)
    if unclear:
        problems.add(f"{where}: {unclear}")
        return None
    found = raw_values(raw, keys)
    if found is None:
        key = fitting_key(raw, lambda value: float(_excludes(rule, value)))
        problems.add(
            f"{where}: from: '{rule.from_}' is not a key of this series. It has: "
            f"{describe_keys(raw)}. Name the key to look at: `{flow({'from': key or 'KEY'})}`, "
            f"or remove the rule"
        )
        # What the rule was meant for is not missed in the mappings besides.
        meant = raw_values(raw, key) if key else None
        return None if meant is None else meant[0].map(lambda value: _excludes(rule, value))
    values, key = found
    hit = values.map(lambda value: _excludes(rule, value))
    if not hit.any():
        near = {w: nearest(w, set(values) - {""}) for w in map(str, rule.values or ())}
        problems.add(
            f"{where} matches no sample{next(filter(None, near.values()), '.')} All raw values of "
            f"'{key}': {counted(values)}"
        )
        return values.map(lambda value: any(f"'{value}'?" in text for text in near.values()))
    return hit


def _excludes(rule: ExclusionRule, value: str) -> bool:
    if rule.pattern is not None:
        return compiled(rule.pattern).search(value) is not None
    return find_value(value, rule.values or ()) is not None


# ---------------------------------------------------------------- visits


def _check_visits(
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
    treated = [arm for arm in arms if arm not in (Arm.HEALTHY, Arm.ALL)]
    if cohort.randomised and len(treated) < 2:
        problems.add(
            f"randomised: true, but all patients are in one arm ({listing(treated)}), so there is "
            f"nothing to draw lots between; take the line out, or map the arms in samples: "
            f"treatment and dose_mg"
        )
    baseline = sheet[sheet["week"] == BASELINE]
    if baseline.empty:
        problems.add(
            f"samples: week: no sample is at baseline (week 0), to which every visit is compared; "
            f"the weeks of the samples: {_weeks(sheet['week'])}. Map the visit before treatment to "
            f"0"
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
    shared = (baseline["arm"] == Arm.ALL) & (baseline["state"] == State.LESIONAL)
    for arm, rows in sheet.groupby("arm", sort=True):
        if not (rows["week"] == BASELINE).any() and not shared.any():
            problems.add(
                f"arm '{arm}' has samples at weeks {_weeks(rows['week'])} but none at baseline "
                f"(week 0); check the mapping of samples: week"
            )
    _check_two_baselines(sheet, raw, cohort, problems)
    mapping = cohort.samples.patient
    if mapping.constant is None:
        refuse_shared_words(sheet, raw, mapping, problems)


def _check_early_visits(
    sheet: pd.DataFrame, raw: pd.DataFrame, cohort: MeasuredCohort, problems: Problems
) -> None:
    """Refuse visits before baseline: no comparison asks for them, and they are no baseline."""
    early = sheet.index[sheet["week"] < BASELINE]
    if not len(early):
        return
    weeks = _weeks(sheet.loc[early, "week"])
    finding = (
        f"samples: week: {len(early)} samples have a week below 0 ({weeks}; first: {early[0]}). "
        f"Baseline is week 0, and everything is compared with it"
    )
    if (sheet["week"] == BASELINE).any():
        rule = _leaving_out(raw.loc[early], cohort.samples.week)
        problems.add(f"{finding}; leave earlier visits out, below `exclude:`: `- {rule}`")
    else:
        problems.add(
            f"{finding}. No sample is at week 0: write 0 for the last visit before treatment, and "
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
            twice.setdefault(kinds, []).append(str(patient))
    for kinds, people in twice.items():
        rows = baseline[baseline["patient"].isin(people)]
        early = [kind for kind in kinds if re.search(_EARLY, kind, re.IGNORECASE)]
        advice = "one of them is the baseline; leave the other out with `exclude:`"
        if 0 < len(early) < len(kinds):
            left_out = raw.loc[rows.index[rows["visit"].isin(early)]]
            advice = (
                f"leave the earlier one out, below `exclude:`: `- {_leaving_out(left_out, spec)}`"
            )
        problems.add(
            f"{_who(people, 'has', 'have')} two baselines: {listing(kinds)} of the key '{key}' "
            f"are all week 0 (samples {listing(rows.index, 6)}); {advice}, or map it to "
            f"its week if it is a later visit"
        )
