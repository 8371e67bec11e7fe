"""The normalization index: how much of the disease effect is gone.

The estimand, in the words of ICH E9(R1): *population* patients with lesional skin who entered the
study; *variable* the decrease of the lesional score from baseline to a visit, in units of the
disease effect before treatment (lesional − reference); *intercurrent events* leaving the study or
missing a visit, by a hypothetical strategy (as if the patient had been seen, given the other
visits), rescue treatment that the sheet does not tell by the treatment policy; *summary* the mean
of an arm (NI), and its difference from placebo given the score at baseline (dNI), which is what is
confirmed. NI alone is descriptive: it holds what happens by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from adnorm.effects.fit import adjust_by_family, holm
from adnorm.index.contrasts import compare_arms, compared_groups
from adnorm.index.means import (
    FEWEST_PATIENTS,
    LEAST_SIGNAL,
    SOUND_SIGNAL,
    Denominator,
    Group,
    PatientTable,
    judge_denominator,
    signal,
)
from adnorm.index.mmrm import RepeatedMeasures, fit_repeated_measures
from adnorm.index.ratio import Divisor
from adnorm.study.comparisons import number
from adnorm.study.config import IndexSettings
from adnorm.study.diseases import ATOPIC_DERMATITIS, same_disease
from adnorm.study.vocabulary import (
    FEWEST_SOUND,
    Analysis,
    Arm,
    Estimator,
    Family,
    Level,
    Multiplicity,
    ReasonCode,
    Statistic,
    Status,
)

KEYS = ["reference", "arm", "week", "level", "name"]
NUMBERS = [
    *("ni", "lower", "upper", "standard_error"),
    *("dni", "dni_lower", "dni_upper", "dni_standard_error", "p_value"),
]
#: Columns of index.tsv.
COLUMNS = [
    *KEYS,
    *NUMBERS,
    *("tested", "family", "step", "adjusted_p_value", "fdr", "as_reference"),
    *("pairs", "placebo_pairs", "lost", "estimator"),
    *("status", "reason_code", "reason", "dni_reason_code", "dni_reason"),
]
#: Columns of sensitivities.tsv.
SENSITIVITY_COLUMNS = [
    "analysis",
    *KEYS,
    *("ni", "lower", "upper", "dni", "dni_lower", "dni_upper", "p_value"),
    *("pairs", "placebo_pairs", "status", "reason_code", "reason"),
]
#: Columns of denominators.tsv.
DENOMINATOR_COLUMNS = ["reference", "arm", "level", "name", "denominator", "standard_error"]
DENOMINATOR_COLUMNS += ["lower", "upper", "people", "status", "reason_code", "reason", "basis"]


@dataclass(frozen=True)
class _Scores:
    """What stays the same for all visits that share a disease effect."""

    table: PatientTable
    divisor: Divisor
    effect: Denominator
    reference: str
    placebo_arm: str
    randomised: bool
    analysis: str
    settings: IndexSettings
    #: Model of all visits; ``None`` where only observed pairs are taken.
    repeated: RepeatedMeasures | None
    #: How strong the signal of every name is, by week (`_strengths`).
    strength: Mapping[float, np.ndarray]


def normalization_index(
    values: pd.DataFrame,
    observations: pd.DataFrame,
    reference: str,
    placebo_arm: str | None,
    settings: IndexSettings,
    names: pd.DataFrame | None = None,
    analysis: str = Analysis.PRIMARY,
    randomised: bool = True,
) -> pd.DataFrame:
    """Compute for every arm, visit and name how much of the disease effect is gone.

    NI = mean(LS_0 − LS_t) / D: the numerator over the patients of the arm, D the mean of lesional −
    reference before treatment over all arms (of the arm itself, where arms were not randomised). 0
    is no change, 1 the level of the reference, below 0 worse, above 1 beyond the reference. Nothing
    is clipped. dNI is the difference from placebo at the same visit, given the score at baseline,
    on the same scale.

    Where all patients have all visits, means are plain means and dNI is an analysis of covariance
    (`baseline_adjusted`). Where visits are missing, both come from a mixed model for repeated
    measures (`fit_repeated_measures`). Intervals are Fieller's.

    Parameters
    ----------
    values
        Scores, shape (observations, names), higher in disease. A name with a missing value has no
        index.
    observations
        patient, state, week, arm of each row of `values`; one row for each patient, state and
        visit.
    reference
        ``nonlesional`` or ``healthy``.
    placebo_arm
        Name of the placebo arm; empty or ``None`` without one.
    settings
        Its confidence, primary, multiplicity and equivalence_margin are used.
    names
        By name: level (``global``, ``published_axis`` or ``set``), reason_code and reason; a name
        with a reason code gets no number. A column family may say ``added`` of what a user brings.
        Without it all names are sets.
    analysis
        ``primary``; ``observed_pairs``: patients who have both samples, without a model;
        ``completers`` and ``time_matched`` likewise (`PatientTable.decrease`); any other word is
        computed as ``primary``.
    randomised
        Whether patients were randomised to the arms.

    Returns
    -------
    DataFrame
        One row for each arm, visit and name (columns `COLUMNS`), sorted. ``p_value`` is that of dNI
        where ``tested`` says so, else of NI, by the method of the interval; ``step`` and
        ``adjusted_p_value`` are the place in the plan of the primary family and the p-value by
        that plan, ``fdr`` adjusts the names outside it over all arms and visits, those of a user
        among themselves. ``as_reference`` is ``yes`` where two one-sided tests find NI within
        the margin of 1. ``lost`` counts patients with a baseline and no later sample at this visit.
        A number whose smallest group has fewer than 6 people or whose signal is weak has the status
        ``exploratory``; no number without a bounded interval.

    Raises
    ------
    AdnormError
        Two observations of one patient, state and week, or a patient in two arms.
    """
    rows, _ = index_and_denominators(
        values, observations, reference, placebo_arm, settings, names, analysis, randomised
    )
    return rows


def index_and_denominators(
    values: pd.DataFrame,
    observations: pd.DataFrame,
    reference: str,
    placebo_arm: str | None,
    settings: IndexSettings,
    names: pd.DataFrame | None,
    analysis: str,
    randomised: bool,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compute `normalization_index` and the disease effects that it divides by.

    The second table has the columns `DENOMINATOR_COLUMNS` without the basis: one row for each name,
    and for each arm where every arm has its own.
    """
    if names is None:
        names = pd.DataFrame(
            {"level": Level.SET, "reason_code": "", "reason": ""}, index=values.columns
        )
    names = names.loc[values.columns].assign(family=names.get("family", ""))
    matrix = values.to_numpy(dtype=float)
    unknown = ~np.isfinite(matrix).all(axis=0) & _free(names)
    names.loc[unknown, "reason_code"] = ReasonCode.NOT_SCORED
    names.loc[unknown, "reason"] = "no score in this cohort"
    everything = PatientTable.of(matrix, observations)
    table = everything.select(_free(names))
    observed = {Analysis.OBSERVED_PAIRS, Analysis.COMPLETERS, Analysis.TIME_MATCHED}
    arms = sorted({arm for arm, _ in table.visits})
    repeated = None
    if analysis not in observed and _free(names).any() and table.incomplete(arms):
        repeated = fit_repeated_measures(table)
    # Arms that were not randomised may differ before treatment: each has its own disease effect.
    groups = [("", arms)] if randomised or len(arms) < 2 else [(arm, [arm]) for arm in arms]
    frames, effects = [], []
    for own, members in groups:
        visits = [visit for visit in table.visits if visit[0] in members]
        mean = table.baseline_difference(reference, own)
        if not mean or not _free(names).any():
            lacking = names.copy()
            free = _free(names)
            lacking.loc[free, "reason_code"] = ReasonCode.NO_REFERENCE
            lacking.loc[free, "reason"] = f"no {reference} samples at baseline in this cohort"
            frames += [_empty_rows(lacking, everything, *visit, analysis) for visit in visits]
            effects.append(_effects(lacking, _free(names), own, None))
            continue
        scored = _free(names)
        levels = names.loc[scored, "level"].tolist()
        scale = np.abs(matrix[:, scored]).max(axis=0, initial=0.0)
        judged = judge_denominator(mean, table, levels, reference, scale, settings.confidence)
        refused = names.copy()
        refused.loc[scored, "reason_code"] = judged.code
        refused.loc[scored, "reason"] = judged.reason
        divisor = Divisor(judged.mean, table.strata)
        scores = _Scores(
            table,
            divisor,
            judged,
            reference,
            placebo_arm or "",
            randomised,
            analysis,
            settings,
            repeated,
            _strengths(table, reference, own, visits, analysis),
        )
        for visit in visits:
            rows = _empty_rows(refused, everything, *visit, analysis)
            frames.append(_fill(rows, scored, scores, *visit))
        effects.append(_effects(refused, scored, own, judged))
    found = _finish(frames, names, reference, placebo_arm or "", settings)
    table_of_effects = pd.concat(effects, ignore_index=True).assign(reference=reference)
    return found, _estimable(table_of_effects, found)


def _strengths(
    table: PatientTable, reference: str, own: str, visits: list[tuple[str, float]], analysis: str
) -> dict[float, np.ndarray]:
    """Signal of every name by week, over the patients of all arms of some visits.

    All arms together, so that it does not change either when patients change arms: a drug that does
    what placebo does is selected neither for nor against.
    """
    found = {}
    matched = analysis == Analysis.TIME_MATCHED
    for week in {week for _, week in visits}:
        groups = [table.decrease(arm, week, analysis) for arm, other in visits if other == week]
        rows = np.concatenate([group.rows for group in groups])
        if not len(rows):
            continue
        change = table.group(rows, np.concatenate([group.values for group in groups]))
        level = table.baseline_difference(reference, own, (rows, week, matched))
        found[week] = signal(table.mean(level), table.mean([change]))
    return found


def _free(names: pd.DataFrame) -> np.ndarray:
    """Names that have no reason code so far."""
    return (names["reason_code"] == "").to_numpy()


def _effects(
    names: pd.DataFrame, scored: np.ndarray, arm: str, judged: Denominator | None
) -> pd.DataFrame:
    """Disease effect of every name, with what is known against it."""
    rows = names[["level", "reason_code", "reason"]].reset_index(names="name").assign(arm=arm)
    numbers = ["denominator", "standard_error", "lower", "upper"]
    rows[numbers], rows["people"] = np.nan, ""
    if judged is not None:
        found = judged.mean.value, np.sqrt(judged.mean.variance), judged.lower, judged.upper
        rows.loc[scored, numbers] = np.column_stack(found)
        rows.loc[scored, "people"] = judged.people
    return rows


def _estimable(effects: pd.DataFrame, index: pd.DataFrame) -> pd.DataFrame:
    """Say which disease effects carry a number at any visit, and why the others do not."""
    numbers = index[index["ni"].notna()]
    anywhere, known = set(numbers["name"]), set(zip(numbers["arm"], numbers["name"], strict=True))
    sound = [
        (own, name) in known if own else name in anywhere
        for own, name in zip(effects["arm"], effects["name"], strict=True)
    ]
    effects["status"] = np.where(sound, Status.OK, Status.NOT_AVAILABLE)
    lacking = index[index["ni"].isna()]
    # Too few patients at a visit say nothing against the effect, so they are named last.
    few = (lacking["reason_code"] == ReasonCode.TOO_FEW_PAIRS).astype(int)
    lacking = lacking.loc[few.sort_values(kind="stable").index]
    first: dict[tuple[str, str], list[str]] = {}
    columns = ["reason_code", "reason"]
    for arm, name, *why in lacking[["arm", "name", *columns]].itertuples(index=False):
        first.setdefault(("", name), why)
        first.setdefault((arm, name), why)
    none = [ReasonCode.TOO_FEW_PAIRS, "no lesional samples after baseline"]
    weak = (effects["status"] == Status.NOT_AVAILABLE) & (effects["reason_code"] == "")
    keys = zip(effects.loc[weak, "arm"], effects.loc[weak, "name"], strict=True)
    found = [first.get(key, none) for key in keys]
    effects.loc[weak, columns] = np.array(found, dtype=object).reshape(-1, 2)
    return effects


def _empty_rows(
    names: pd.DataFrame, table: PatientTable, arm: str, week: float, analysis: str
) -> pd.DataFrame:
    """Rows of one arm and visit that hold no number yet."""
    rows = pd.DataFrame(np.nan, index=range(len(names)), columns=COLUMNS, dtype=object)
    rows = rows.astype(dict.fromkeys([*NUMBERS, "adjusted_p_value", "fdr"], float))
    rows["arm"], rows["week"] = arm, week
    rows["level"], rows["name"] = names["level"].to_numpy(), names.index.to_numpy()
    rows["pairs"] = len(table.decrease(arm, week, analysis).rows)
    rows["placebo_pairs"], rows["lost"] = 0, table.missing_at_visit(arm, week)
    rows[["tested", "as_reference", "estimator", "dni_reason_code", "dni_reason"]] = ""
    rows["status"] = Status.NOT_AVAILABLE
    rows["reason_code"], rows["reason"] = names["reason_code"].array, names["reason"].array
    return rows


def _fill(
    rows: pd.DataFrame, scored: np.ndarray, scores: _Scores, arm: str, week: float
) -> pd.DataFrame:
    """Write the numbers of one arm and visit into the rows of the scored names."""
    free = scored & (rows["reason_code"] == "").to_numpy()
    within = free[scored]
    group = scores.table.decrease(arm, week, scores.analysis)
    _say_comparison(rows, scores, arm, week)
    if len(group.rows) < FEWEST_PATIENTS:
        rows.loc[free, "reason_code"] = ReasonCode.TOO_FEW_PAIRS
        rows.loc[free, "reason"] = (
            f"only {len(group.rows)} patients with the samples required; at least "
            f"{FEWEST_PATIENTS} are needed"
        )
        return rows
    confidence = scores.settings.confidence
    change = scores.table.mean([group])
    strength = scores.strength[week]
    modelled = scores.repeated is not None and scores.table.incomplete([arm])
    if modelled:
        assert scores.repeated is not None
        change = scores.repeated.decrease(arm, week)
    ratio = scores.divisor.ratio(change, confidence)
    weak = strength < LEAST_SIGNAL
    unbounded = ~np.isfinite(ratio.lower) | (scores.divisor.mean.value <= 0)
    given = within & ~weak & ~unbounded
    here = np.zeros(len(rows), dtype=bool)
    here[np.flatnonzero(scored)[given]] = True
    for column, found in (
        ("ni", ratio.value), ("lower", ratio.lower), ("upper", ratio.upper),
        ("standard_error", ratio.standard_error), ("p_value", ratio.p_value),
    ):  # fmt: skip
        rows.loc[here, column] = found[given]
    rows.loc[here, "tested"] = Statistic.NI
    # dNI comes from the model where only placebo lacks a visit, too; NI is the same by both then.
    compared = [arm] if (rows["dni_reason"] != "").any() else [arm, scores.placebo_arm]
    model = scores.repeated is not None and scores.table.incomplete(compared)
    rows.loc[here, "estimator"] = Estimator.MMRM if model else Estimator.OBSERVED_PAIRS
    margin = scores.settings.equivalence_margin
    same = scores.divisor.equivalence(change, margin, ratio.freedom)
    rows.loc[here, "as_reference"] = np.where(same[given] < 1 - confidence, "yes", "no")
    # A model of all visits rests on more patients, but what it says of a visit on those seen there.
    smallest = min(ratio.smallest, len(group.rows))
    doubt = [f"the smallest group has {smallest} people"] if smallest < FEWEST_SOUND else []
    rows.loc[here, "reason"] = [
        "exploratory: " + "; ".join(why) if why else ""
        for value in strength[given]
        for why in [[*doubt, *([_faint(value, SOUND_SIGNAL)] if value < SOUND_SIGNAL else [])]]
    ]
    rows.loc[here, "status"] = np.where(
        rows.loc[here, "reason"] == "", Status.OK, Status.EXPLORATORY
    )
    refused = [int(name) for name in np.flatnonzero(within & ~given)]
    unable = np.zeros(len(rows), dtype=bool)
    unable[np.flatnonzero(scored)[refused]] = True
    rows.loc[unable, "reason_code"] = ReasonCode.DENOM_NOT_ESTIMABLE
    open_end = "the interval is unbounded: the disease effect may be 0"
    rows.loc[unable, "reason"] = [
        f"too weak to divide by: {scores.effect.describe(name, scores.reference)}; "
        + (_faint(strength[name], LEAST_SIGNAL) if weak[name] else open_end)
        for name in refused
    ]
    _compare_with_placebo(rows, here, given, scores, group, arm, week)
    return rows


def _faint(strength: float, least: float) -> str:
    return (
        f"skin at both visits is {strength:.1f} standard errors away from the reference, "
        f"{least:g} are required"
    )


def _say_comparison(rows: pd.DataFrame, scores: _Scores, arm: str, week: float) -> None:
    """Say why an arm is not compared with placebo, where it is not."""
    placebo = scores.placebo_arm
    code, reason = "", ""
    if arm == placebo:
        reason = "this is the placebo arm"
    elif arm == Arm.UNTREATED:
        reason = "this arm got no treatment"
    elif not placebo:
        code, reason = ReasonCode.NO_PLACEBO, "no placebo arm: the index is uncontrolled"
    elif not scores.randomised:
        code = ReasonCode.NOT_RANDOMISED
        reason = "patients were not randomised to the arms: a difference is no effect of the drug"
    else:
        size = len(compared_groups(scores.table, [arm, placebo], week, scores.analysis)[1].rows)
        rows["placebo_pairs"] = size
        if size < FEWEST_PATIENTS:
            code = ReasonCode.TOO_FEW_PAIRS
            who = f"{placebo} has {size} patients with the samples required"
            if scores.table.person is not None:
                who = f"{size} patients have the samples required of a lesion in each arm"
            reason = f"{who} at week {number(week)}; at least {FEWEST_PATIENTS} are needed"
    rows["dni_reason_code"], rows["dni_reason"] = code, reason


def _compare_with_placebo(
    rows: pd.DataFrame,
    here: np.ndarray,
    given: np.ndarray,
    scores: _Scores,
    group: Group,
    arm: str,
    week: float,
) -> None:
    """Write the difference from placebo given the baseline, where the two can be compared."""
    if not here.any() or (rows["dni_reason"] != "").any():
        return
    found = compare_arms(
        scores.table,
        {arm: 1.0, scores.placebo_arm: -1.0},
        week,
        scores.divisor,
        scores.settings.confidence,
        scores.analysis,
        scores.repeated,
    )
    bounded = np.isfinite(found.lower[given])
    places = np.flatnonzero(here)
    for column, numbers in (
        ("dni", found.value), ("dni_lower", found.lower), ("dni_upper", found.upper),
        ("dni_standard_error", found.standard_error), ("p_value", found.p_value),
    ):  # fmt: skip
        rows.loc[places[bounded], column] = numbers[given][bounded]
    rows.loc[places[bounded], "tested"] = Statistic.DNI
    rows.loc[places[~bounded], ["dni_reason_code", "dni_reason"]] = (
        ReasonCode.DENOM_NOT_ESTIMABLE,
        "the interval of the difference from placebo is unbounded: the disease effect may be 0",
    )
    if min(found.smallest, len(group.rows), rows["placebo_pairs"].iloc[0]) < FEWEST_SOUND:
        rows.loc[places[bounded], "dni_reason"] = (
            f"exploratory: a group has fewer than {FEWEST_SOUND} people"
        )


# ---------------------------------------------------------------- multiplicity


def _finish(
    frames: list[pd.DataFrame],
    names: pd.DataFrame,
    reference: str,
    placebo: str,
    settings: IndexSettings,
) -> pd.DataFrame:
    """Join the visits, add the family of every row, and adjust p-values within families."""
    if not frames:
        return pd.DataFrame(columns=COLUMNS)
    table = pd.concat(frames, ignore_index=True).assign(reference=reference)
    primary = table["name"].isin(settings.primary)
    # What a user adds must not change the false discovery rate of the other names.
    added = table["name"].isin(names.index[names["family"] == Family.ADDED])
    # Nothing is claimed of placebo, of no treatment, or of a list that others made.
    idle = table["arm"].isin([placebo, Arm.UNTREATED]) | (table["level"] == Level.PUBLISHED_AXIS)
    families = [Family.NONE, Family.PRIMARY, Family.ADDED]
    table["family"] = np.select([idle, primary, added], families, Family.SECONDARY)
    adjustable = table["family"].isin([Family.SECONDARY, Family.ADDED])
    p_values = table["p_value"].where(adjustable).to_numpy()
    table["fdr"] = adjust_by_family(p_values, table["family"].to_numpy(dtype=str))
    plan = plan_of(table, settings)
    table.loc[plan.index, ["step", "adjusted_p_value"]] = plan
    table["step"] = table["step"].astype(float)
    return table.sort_values(KEYS, kind="stable", ignore_index=True)[COLUMNS]


def plan_of(table: pd.DataFrame, settings: IndexSettings) -> pd.DataFrame:
    """Place the hypotheses of the primary family in their plan, and adjust their p-values.

    Under `fixed_sequence` the order is fixed before looking: higher doses before lower ones, later
    visits before earlier ones, names in the order of the setting; each is tested at the full level,
    up to the first that fails, so that an adjusted p-value is the largest up to its step. Under
    `holm` the order is that of the p-values. A hypothesis without a p-value is not in the plan.

    The result has ``step`` (from 1) and ``adjusted_p_value``, by row of `table`.
    """
    rows = table[(table["family"] == Family.PRIMARY) & table["p_value"].notna()]
    order = {name: place for place, name in enumerate(settings.primary)}
    dose = rows["arm"].str.extract(r"([\d.]+) mg\b", expand=False).astype(float)
    keyed = rows.assign(dose=-dose.fillna(0.0), late=-rows["week"], place=rows["name"].map(order))
    if settings.multiplicity == Multiplicity.HOLM:
        keyed = keyed.sort_values(["p_value", "dose", "arm", "late", "place"], kind="stable")
        adjusted = holm(keyed[["p_value"]].to_numpy())[:, 0]
    else:
        keyed = keyed.sort_values(["dose", "arm", "late", "place"], kind="stable")
        adjusted = np.maximum.accumulate(keyed["p_value"].to_numpy())
    steps = np.arange(1.0, len(keyed) + 1)
    return pd.DataFrame({"step": steps, "adjusted_p_value": adjusted}, index=keyed.index)


# ---------------------------------------------------------------- label swap

#: One or two sets against their direction may be this cohort's biology.
FEWEST_SETS = 3


def label_swap(
    values: pd.DataFrame,
    names: pd.DataFrame,
    observations: pd.DataFrame,
    reference: str,
    confidence: float,
    disease: str = ATOPIC_DERMATITIS,
) -> str:
    """Warn that the labels of lesional and reference skin look exchanged; empty if they do not.

    A set brings its direction from outside and is refused where the cohort runs against it. An axis
    that the cohort trained itself, and single genes, have no direction but the one that the labels
    give them, so they ask the sets: the labels look exchanged when more sets are significantly
    against the disease than with it, and at least three.

    Parameters
    ----------
    values, names, observations, reference
        Scores of gene sets, as for `normalization_index`.
    confidence
        Of the bounds that must be on one side of 0.
    disease
        Of the cohort: another one than that of the sets may move them otherwise.
    """
    chosen = _free(names) & np.isfinite(values.to_numpy(dtype=float)).all(axis=0)
    matrix = values.loc[:, chosen].to_numpy(dtype=float)
    table = PatientTable.of(matrix, observations)
    mean = table.baseline_difference(reference)
    if not mean or not chosen.any():
        return ""
    scale, levels = np.abs(matrix).max(axis=0), [Level.SET] * matrix.shape[1]
    judged = judge_denominator(mean, table, levels, reference, scale, confidence)
    codes = judged.code
    against = codes.count(ReasonCode.DIRECTION_CONTRADICTED)
    sound = int((judged.lower > 1e-9 * scale).sum())
    if against < FEWEST_SETS or against <= sound:
        return ""
    warning = (
        f"{against} of {len(codes)} gene sets with a direction run against it at baseline and "
        f"{sound} with it: lesional and {reference} labels look exchanged"
    )
    if same_disease(disease, ATOPIC_DERMATITIS):
        return warning
    return f"{warning}, or {disease} moves these sets otherwise than {ATOPIC_DERMATITIS} does"
