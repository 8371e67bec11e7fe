"""Drug classes against placebo and against each other, over trials, at matched visits.

A trial brings the placebo-adjusted index of the highest dose of each drug at the visit nearest to
the middle of a window. A class is the mean of its trials by random effects, two classes are
compared by one mixed model in which trials of either class vary alike. What was published for
groups only is shown beside the computed rows, never mixed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import combinations
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from adnorm.atlas.cohort_results import CohortResults, has_number
from adnorm.base.errors import Problems, listing, shortened
from adnorm.base.tables import read_table, stack
from adnorm.effects.fit import benjamini_hochberg
from adnorm.index.axis import NOT_INDEPENDENT
from adnorm.index.meta import contrast_groups
from adnorm.study.comparisons import number
from adnorm.study.config import IndexSettings
from adnorm.study.diseases import ATOPIC_DERMATITIS, lookalikes, same_disease
from adnorm.study.gene_sets import check_columns
from adnorm.study.vocabulary import (
    DrugFamily,
    Family,
    Question,
    ReasonCode,
    Status,
    drug_family,
)

JAK, BIOLOGIC = DrugFamily.JAK_INHIBITOR.value, DrugFamily.BIOLOGIC.value
#: Name, first and last week, and the week whose nearest visit stands for the window.
WINDOWS = (
    ("weeks 1-3", 1.0, 3.0, 2.0),
    ("weeks 4-6", 4.0, 6.0, 4.0),
    ("weeks 8-14", 8.0, 14.0, 12.0),
    ("weeks 15-18", 15.0, 18.0, 16.0),
)
ESTIMATE = ["dni", "lower", "upper", "standard_error", "p_value"]
BETWEEN = ["tau2", "i2", "prediction_lower", "prediction_upper", "dl", "dl_lower", "dl_upper"]
COLUMNS = ["question", "simulated", "drug_class", "other_class", "window", "weeks", "reference"]
COLUMNS += ["level", "name", *ESTIMATE, "fdr", "family", *BETWEEN, "trials", "cohorts", "weights"]
COLUMNS += ["weight", "left_out", "drug", "dose", "pairs", "measure", "value", "unit", "source"]
COLUMNS += ["status", "reason_code", "reason"]
WORDS = ["other_class", "window", "weeks", "reference", "level", "name", "family", "cohorts"]
WORDS += ["weights", "left_out", "drug", "dose", "measure", "unit", "source", "reason_code"]
WORDS += ["reason"]
#: Stands between the trials of two classes.
AGAINST = " against "
#: Columns of the table of published results.
PUBLISHED = ["drug", "drug_class", "dose", "week", "measure", "value", "unit", "source", "note"]


def window_of(week: float) -> str:
    """Name of the window that a week belongs to; empty between the windows."""
    return next((name for name, first, last, _ in WINDOWS if first <= week <= last), "")


def trial_entries(cohort: CohortResults) -> pd.DataFrame:
    """List what a cohort brings, and what it cannot bring: one row per drug, window and name.

    The placebo-adjusted index of the highest dose of each drug at the visit nearest to the middle
    of each window; rows that cannot be used have the status ``NA`` and a reason (another disease,
    no placebo, no index, a visit outside the windows).
    """
    arms = cohort.drug_arms()
    if not same_disease(cohort.disease, ATOPIC_DERMATITIS):
        reason = (
            f"{cohort.cohort} is a cohort of {cohort.disease}: only {ATOPIC_DERMATITIS} is compared"
        )
        if lookalikes(cohort.disease, [ATOPIC_DERMATITIS]):
            reason += "; if that is its disease, write it so under `disease:` in the cohort file"
        frame = arms.drop_duplicates("drug_class").assign(window="", week=np.nan, target=np.nan)
        return _refused_trial(cohort, frame, ReasonCode.OTHER_DISEASE, reason)
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
    reason = f"week {weeks} is outside {windows}"
    frames = [_refused_trial(cohort, outside, ReasonCode.NO_WINDOW, reason)]
    index = index[index["window"] != ""]
    index = index.assign(away=(index["week"] - index["target"]).abs())
    nearest = index.groupby(["treatment", "window"])["away"].transform("min")
    index = index[index["away"] == nearest].sort_values("week")
    index = index.drop_duplicates(["treatment", "reference", "window", "level", "name"])
    frames.append(_trial_rows(cohort, index))
    return stack(frames)


def _each_patient_once(
    entries: pd.DataFrame, shares: Mapping[str, Mapping[str, str]]
) -> pd.DataFrame:
    """Refuse the trials of a cohort that has patients in common with a larger one of its family."""
    entries = entries.reset_index(drop=True)
    usable = entries["status"] != Status.NOT_AVAILABLE
    family = entries["drug_class"].map(drug_family)
    for _, rows in entries[usable].groupby([family[usable], "simulated"]):
        sizes = rows.groupby("cohorts")["pairs"].max().sort_index()
        kept: list[str] = []
        for cohort in sizes.sort_values(ascending=False, kind="stable").index:
            common = shares.get(str(cohort), {})
            twin = next((other for other in kept if other in common), "")
            if not twin:
                kept.append(str(cohort))
                continue
            reason = f"the patients of {twin}, which enters: in common is {common[twin]}"
            why = _unavailable(ReasonCode.SAME_PATIENTS, reason)
            numbers = dict.fromkeys(("dni", "lower", "upper", "standard_error"), np.nan)
            own = rows.index[rows["cohorts"] == cohort]
            for column, value in (why | numbers).items():
                entries.loc[own, column] = value
    return entries


def _refused_trial(
    cohort: CohortResults, frame: pd.DataFrame, code: ReasonCode, reason: str
) -> pd.DataFrame:
    rows = frame[["drug_class", "window", "week", "target"]].assign(
        drug=frame["treatment"], reference="", level="", name="", cohorts=cohort.cohort, trials=1
    )
    rows["weeks"] = frame["week"].map(number, na_action="ignore")
    why = _unavailable(code, reason)
    simulated = cohort.keys()["simulated"]
    return rows.assign(question=Question.TRIAL, simulated=simulated, **why)


def _trial_rows(cohort: CohortResults, index: pd.DataFrame) -> pd.DataFrame:
    lacks = ~has_number(index)
    adjusted = ~lacks & index["dni"].notna() & index["dni_lower"].notna()
    uncontrolled = index["dni_reason"].fillna("").replace("", "no placebo-adjusted index")
    keep = ["drug_class", "window", "week", "target", "reference", "level", "name", "family"]
    keep += ["pairs"]
    rows = index[keep].assign(
        question=Question.TRIAL,
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
    rows["status"] = index["status"].where(adjusted, Status.NOT_AVAILABLE)
    unadjusted = index["dni_reason_code"].fillna("").replace("", ReasonCode.NO_PLACEBO)
    rows["reason_code"] = index["reason_code"].where(lacks | adjusted, unadjusted)
    rows["reason"] = index["reason"].where(lacks | adjusted, uncontrolled)
    # A small placebo arm makes the difference exploratory, not the index of the drug.
    few = adjusted & uncontrolled.str.startswith(Status.EXPLORATORY)
    rows["status"] = rows["status"].mask(few, Status.EXPLORATORY)
    rows["reason"] = rows["reason"].mask(few & (rows["reason"] == ""), uncontrolled)
    return rows


def read_published(path: Path) -> pd.DataFrame:
    """Read the table of published results (columns `PUBLISHED`; ``NA`` for what is not stated).

    Week and value become floats, missing words are empty.

    Raises
    ------
    AdnormError
        A column is absent or unknown, a week or value is no number, a row lacks its drug, class,
        measure or source, or a value has no unit.
    """
    table = read_table(path).reset_index(drop=True)
    problems = Problems(str(path))
    check_columns(list(table.columns), PUBLISHED, PUBLISHED, problems)
    problems.stop()
    numbers = ["week", "value"]
    words = [column for column in PUBLISHED if column not in numbers]
    table = table[PUBLISHED].astype(dict.fromkeys(words, object))
    table[words] = table[words].fillna("").astype(str)
    for column in numbers:
        values = pd.to_numeric(table[column], errors="coerce").astype(float)
        wrong = table[column].notna() & ~np.isfinite(values)
        for line in table.index[wrong]:
            value = shortened(str(table.loc[line, column]))
            problems.add(f"line {line + 2}: {column} '{value}' is no number; write a number or NA")
        table[column] = values
    for column in ("drug", "drug_class", "measure", "source"):
        for line in table.index[table[column].str.strip() == ""]:
            problems.add(f"line {line + 2}: {column} is empty; every published result states it")
    for line in table.index[table["value"].notna() & (table["unit"] == "")]:
        problems.add(f"line {line + 2}: the value has no unit; write percent or what it is")
    problems.stop()
    return table


def class_table(
    cohorts: Iterable[CohortResults],
    published: pd.DataFrame,
    settings: IndexSettings,
    shares: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> pd.DataFrame:
    """Compare drug classes by the placebo-adjusted index.

    Of each trial and class the highest dose enters, at the visit nearest to the middle of a window
    (weeks 2, 4, 12, 16): both are fixed without looking at the result. Real and simulated cohorts
    are never joined, and only atopic dermatitis enters. Of cohorts of one family of classes that
    have patients in common the one with the most pairs enters: the same patients are one trial.

    Parameters
    ----------
    cohorts
        The cohorts of the run.
    published
        Of `read_published`; its rows are appended, their values in columns of their own.
    settings
        Section ``index`` of the configuration: confidence.
    shares
        By cohort and other cohort, what both have in common (`read_shares`).

    Returns
    -------
    DataFrame
        Columns `COLUMNS`, by question: ``difference`` of two families of classes (JAK inhibitor −
        biologic first), ``class`` (mean over trials), ``leave_one_out`` (from three trials),
        ``trial`` (what entered, and what could not, with the reason), ``published``. Interval and
        p-value are those of `combine`. A class with one trial has status ``descriptive`` and says
        that class and trial cannot be told apart; one trial against one has no interval.
        ``weights`` names the share of each trial in the mean of its class, ``weight`` of the
        trials is that share in per cent in their own class. ``fdr`` adjusts the p-values of a
        question and its classes within each family of the index table but the primary one, over
        all windows.
    """
    confidence = settings.confidence
    entries = stack(trial_entries(cohort) for cohort in cohorts).assign(weight=np.nan)
    entries = _each_patient_once(entries, shares)
    # A list of genes is no independent measure of the trials that it was made from.
    circular = entries["reason"].str.contains(NOT_INDEPENDENT, regex=False, na=False)
    usable = entries[(entries["status"] != Status.NOT_AVAILABLE) & ~circular.astype(bool)]
    groups = usable.assign(group=usable["drug_class"])
    families = usable.assign(group=usable["drug_class"].map(drug_family))
    both = pd.concat([groups, families[families["group"] != families["drug_class"]]])
    frames = [_differences(families, confidence), _no_counterpart(families)]
    for (group, *_), rows in both.groupby(["group", "simulated", "reference", "window"]):
        combined, weights = _combined(str(group), rows, confidence)
        frames += combined
        own = rows.index[rows["drug_class"] == group]
        entries.loc[own, "weight"] = weights[own]
    frames += [entries.drop(columns=["week", "target"]), _published_rows(published)]
    table = _adjusted(stack(frames).reindex(columns=COLUMNS))
    table[WORDS] = table[WORDS].astype(object).fillna("")
    ranks = {question: i for i, question in enumerate(Question)}
    order = {
        "question": lambda c: c.map(ranks),
        "drug_class": lambda c: c.map(lambda v: (drug_family(v) != JAK, v)),
        "other_class": lambda c: c.map(lambda v: (v != BIOLOGIC, v)),
        "window": lambda c: c.map(lambda v: [*[w[0] for w in WINDOWS], v].index(v)),
    }
    keys = ["question", "drug_class", "other_class", "simulated", "reference", "window"]
    keys += ["level", "name", "left_out", "cohorts", "drug", "dose"]
    literature = table["question"] == Question.PUBLISHED

    def rank(column: pd.Series) -> pd.Series:
        return order.get(str(column.name), lambda values: values)(column)

    computed = table[~literature].sort_values(keys, key=rank, kind="stable")
    return pd.concat([computed, table[literature]], ignore_index=True)


def _adjusted(table: pd.DataFrame) -> pd.DataFrame:
    """Adjust the p-values of every question and pair of classes within each family of names."""
    tested = table["p_value"].notna() & (table["question"] != Question.LEAVE_ONE_OUT)
    tested &= ~table["family"].isin([Family.PRIMARY, Family.NONE])
    keys = ["question", "drug_class", "other_class", "simulated", "reference", "family"]
    for _, rows in table[tested].groupby(keys, dropna=False):
        table.loc[rows.index, "fdr"] = benjamini_hochberg(rows["p_value"].to_numpy(float))
    return table


def combine(
    effects: pd.DataFrame, errors: pd.DataFrame, signs: np.ndarray, confidence: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Average the trials of one class, or subtract from them the average of another class.

    Trials weigh 1 / (τ² + standard error²), where τ² is the variance between trials of a class
    (restricted maximum likelihood), common to both classes. Interval and p-value are Hartung and
    Knapp's, with as many degrees of freedom as there are trials beyond the classes: one trial
    against one has neither.

    Parameters
    ----------
    effects, errors
        dNI and its standard error, names × trials; NaN where a trial lacks the name.
    signs
        1 for each trial of the class, −1 for those of the class that is subtracted.
    confidence
        Coverage of the interval.

    Returns
    -------
    estimates : DataFrame
        By name: `ESTIMATE`, `BETWEEN` (``dl`` is the same with DerSimonian and Laird's τ²; a
        prediction interval has one class of three trials or more), and ``known``, half the width
        of an interval that takes the standard errors of the trials as they are.
    shares : DataFrame
        Share of each trial in the mean of its class, as `effects`.

    References
    ----------
    Knapp G, Hartung J (2003). Stat Med 22:2693-2710.
    Higgins J P T, Thompson S G, Spiegelhalter D J (2009). J R Stat Soc A 172:137-159.
    """
    values, variances = effects.to_numpy(float), errors.to_numpy(float) ** 2
    found = contrast_groups(values, variances, signs, confidence)
    laird = contrast_groups(values, variances, signs, confidence, "DL")
    tail = 0.5 + confidence / 2
    predicted = (found.freedom >= 2) & (len(set(signs)) == 1)
    spread = np.sqrt(np.where(predicted, found.tau2 + found.standard_error**2, np.nan))
    margin = stats.t.ppf(tail, np.maximum(found.freedom, 1)) * spread
    columns = {
        "dni": found.effect,
        "lower": found.lower,
        "upper": found.upper,
        "standard_error": found.standard_error,
        "p_value": found.p_value,
        "tau2": found.tau2,
        "i2": found.i2,
        "prediction_lower": found.effect - margin,
        "prediction_upper": found.effect + margin,
        "dl": np.where(found.freedom > 0, laird.effect, np.nan),
        "dl_lower": laird.lower,
        "dl_upper": laird.upper,
        "known": stats.norm.ppf(tail) * found.known_error,
    }
    estimates = pd.DataFrame(columns, index=effects.index)
    return estimates, pd.DataFrame(found.weights, effects.index, effects.columns)


def _estimate(rows: pd.DataFrame, confidence: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Estimates and shares by (level, name) of the entries of one class, or of two (column sign).

    One trial alone brings its own interval.
    """
    keys = ["level", "name", "sign", "cohorts"]
    values = rows[["dni", "lower", "upper", "standard_error"]].astype(float)
    # Drugs of one class share the placebo arm of their trial, so their errors are averaged as if
    # they were fully correlated.
    single = values.assign(**rows[keys]).groupby(keys).mean()
    effects, errors = (
        single[column].unstack(["sign", "cohorts"]).sort_index(axis=1, ascending=[False, True])
        for column in ("dni", "standard_error")
    )
    sides = effects.columns.get_level_values("sign").to_numpy()
    found, shares = combine(effects, errors, sides, confidence)
    found["trials"] = shares.notna().sum(axis=1)
    by_name = single.groupby(level=["level", "name"]).first()
    alone = found["trials"] == 1
    for column in ("lower", "upper", "standard_error"):
        found[column] = found[column].where(~alone, by_name[column])
    order = sorted(set(sides), reverse=True)
    found["cohorts"] = _said(shares, order, ";", lambda trial, share: trial)
    found["weights"] = _said(shares, order, "; ", lambda trial, share: f"{trial} {share:.0%}")
    weeks = [rows.loc[rows["sign"] == sign, "week"] for sign in order]
    found["weeks"] = AGAINST.join(", ".join(number(w) for w in sorted(set(w))) for w in weeks)
    of_name = rows.groupby(["level", "name"])
    found["pairs"], found["family"] = of_name["pairs"].sum(), of_name["family"].first()
    narrow = (found["upper"] - found["lower"]) / 2 < found["known"]
    found["status"] = np.where(narrow, Status.EXPLORATORY, Status.OK)
    found["reason_code"] = ""
    found["reason"] = [
        "exploratory: the trials agree more closely than their standard errors suggest; by these "
        f"alone the interval would be ± {known:.2g}"
        if close
        else ""
        for close, known in zip(narrow, found["known"], strict=True)
    ]
    return found[found["dni"].notna()].drop(columns="known"), shares


def _said(
    shares: pd.DataFrame, order: list[int], separator: str, say: Callable[[str, float], str]
) -> list[str]:
    """Say something of the trials of every name, one class against the other."""
    return [
        AGAINST.join(
            separator.join(say(trial, share) for trial, share in row[sign].dropna().items())
            for sign in order
        )
        for _, row in shares.iterrows()
    ]


def _combined(
    group: str, rows: pd.DataFrame, confidence: float
) -> tuple[list[pd.DataFrame], pd.Series]:
    """Rows of one class, reference and window (all its trials, then without each), and weights.

    The weights are those of the entries in per cent; drugs of one trial share what it weighs.
    """
    shared: dict[str, Any] = {c: rows[c].iloc[0] for c in ("simulated", "reference", "window")}
    shared |= {"drug_class": group}
    rows = rows.assign(sign=1)
    found, shares = _estimate(rows, confidence)
    found = found.reset_index().assign(question=Question.CLASS, **shared)
    alone = found["trials"] == 1
    found.loc[alone, "status"] = Status.DESCRIPTIVE
    found.loc[alone, "reason"] = [
        f"descriptive: {trial} is the only trial of {group} in this window: drug class "
        "cannot be separated from trial"
        for trial in found.loc[alone, "cohorts"]
    ]
    frames = [found]
    trials = sorted(set(rows["cohorts"]))
    for trial in trials if len(trials) > 2 else []:
        rest = _estimate(rows[rows["cohorts"] != trial], confidence)[0].reset_index()
        # A name that the trial lacks has nothing to be left out.
        has = [trial in cohorts.split(";") for cohorts in found["cohorts"]]
        concerned = found.loc[has, "name"]
        rest = rest[(rest["trials"] > 1) & rest["name"].isin(concerned)]
        frames.append(rest.assign(question=Question.LEAVE_ONE_OUT, left_out=trial, **shared))
    keys = ["level", "name", "cohorts"]
    weights = shares[1].stack().reindex(pd.MultiIndex.from_frame(rows[keys])).to_numpy()
    return frames, 100 * weights / rows.groupby(keys)["dni"].transform("size")


def _differences(rows: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Differences of all pairs of families, window by window; unmatched windows are refused."""
    frames = []
    for (simulated, reference), part in rows.groupby(["simulated", "reference"]):
        names = sorted(set(part["group"]), key=lambda g: (g != JAK, g != BIOLOGIC, g))
        for first, second in combinations(names, 2):
            sides = [part[part["group"] == g] for g in (first, second)]
            for window in [w[0] for w in WINDOWS]:
                here = [side[side["window"] == window] for side in sides]
                shared: dict[str, Any] = {"simulated": simulated, "reference": reference}
                shared |= {"question": Question.DIFFERENCE, "window": window}
                shared |= {"drug_class": first, "other_class": second}
                if all(map(len, here)):
                    frames.append(_matched(here, (first, second), confidence).assign(**shared))
                elif any(map(len, here)):
                    frames.append(_unmatched(here, sides, (first, second), window).assign(**shared))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _matched(here: list[pd.DataFrame], names: tuple[str, str], confidence: float) -> pd.DataFrame:
    both = pd.concat([side.assign(sign=sign) for side, sign in zip(here, (1, -1), strict=True)])
    rows = _estimate(both, confidence)[0].reset_index()
    doubts = [_doubt(names, cohorts) for cohorts in rows["cohorts"]]
    rows.loc[[doubt != "" for doubt in doubts], "status"] = Status.DESCRIPTIVE
    reasons = zip(doubts, rows["reason"], strict=True)
    rows["reason"] = ["; ".join(filter(None, parts)) for parts in reasons]
    return rows


def _doubt(names: tuple[str, str], cohorts: str) -> str:
    """Why a difference of two classes is only descriptive; empty where it is not."""
    sides = [side.split(";") for side in cohorts.split(AGAINST)]
    both = zip(names, sides, strict=True)
    alone = [f"{side[0]} is the only trial of {name}" for name, side in both if len(side) == 1]
    shared = set.intersection(*map(set, sides))
    doubt = ""
    if shared:
        doubt = f"{listing(sorted(shared))} gave both against one placebo arm"
        if len(alone) < 2:
            doubt += ", and they are taken as independent: the interval is wider than need be"
    elif alone:
        trials = " and ".join(alone)
        doubt = f"{trials} in this window: drug class cannot be separated from trial"
    if len(alone) == 2:
        doubt += (
            ". One trial against one shows no variation between trials: no interval, no p-value"
        )
    return doubt and f"descriptive: {doubt}"


def _weeks(rows: pd.DataFrame) -> str:
    weeks = [number(week) for week in sorted(set(rows["week"]))]
    return f"week {weeks[0]}" if len(weeks) == 1 else f"weeks {', '.join(weeks)}"


def _no_counterpart(usable: pd.DataFrame) -> pd.DataFrame:
    """Report a run that has a JAK inhibitor and no biologic, or the other way round."""
    rows = []
    for simulated, part in usable.groupby("simulated"):
        missing = {JAK, BIOLOGIC} - set(part["group"])
        if len(missing) == 1:
            lacking = missing.pop()
            kind = "simulated" if simulated == "yes" else "real"
            reason = f"no {kind} trial of {lacking} in this run has a placebo-adjusted index"
            why = _unavailable(ReasonCode.NO_TRIAL, reason)
            sides = {"drug_class": JAK, "other_class": BIOLOGIC}
            rows.append({"question": Question.DIFFERENCE, "simulated": simulated} | sides | why)
    return pd.DataFrame(rows)


def _unmatched(
    here: list[pd.DataFrame], sides: list[pd.DataFrame], names: tuple[str, str], window: str
) -> pd.DataFrame:
    has, lacks = (0, 1) if len(here[0]) else (1, 0)
    elsewhere, there = _weeks(sides[lacks]), _weeks(here[has])
    reason = (
        f"{names[has]} was measured at {there}, {names[lacks]} only at {elsewhere} "
        f"({listing(sorted(set(sides[lacks]['cohorts'])))}): a comparison in {window} would be one "
        "of different times, not of drugs"
    )
    rows = here[has][["level", "name"]].drop_duplicates()
    why = _unavailable(ReasonCode.UNMATCHED_WINDOW, reason)
    return rows.assign(weeks=there.split(" ", 1)[1], **why)


def _unavailable(code: ReasonCode, reason: str) -> dict[str, str]:
    return {"status": Status.NOT_AVAILABLE, "reason_code": code, "reason": reason}


def _published_rows(published: pd.DataFrame) -> pd.DataFrame:
    """Published results in columns of their own, so that nobody reads them as an index."""
    rows = published.drop(columns=["week", "note"]).assign(
        question=Question.PUBLISHED,
        status=Status.PUBLISHED_ONLY,
        reason=published["note"],
        simulated="no",
    )
    rows["weeks"] = published["week"].map(number, na_action="ignore")
    rows["window"] = [window_of(week) for week in published["week"]]
    return rows
