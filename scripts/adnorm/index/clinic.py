"""Skin and clinic: which scores follow EASI, SCORAD and itch, and predict their own later course.

A biopsy shows one spot and a clinical score the whole body, so correlations are weak as a rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
import pandas as pd
from scipy import stats

from adnorm.base.tables import NAME_COLUMNS
from adnorm.index.ratio import (
    bca_interval,
    bootstrap_weights,
    influence,
    jackknife_weights,
    small_sample_quantile,
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
    """The data that the questions are about."""

    #: By name of the score: patient, arm, week, score and the clinical columns, one row per
    #: lesional observation.
    scores: dict[str, pd.DataFrame]
    #: Clinical columns that hold values.
    available: list[str]
    #: trajectories.tsv.
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
            found = _nothing(len(known))
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
    """Answer all `QUESTIONS`; one that cannot be asked has a row that says why."""
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
    """Does the decrease at the first visit predict later ones, given baseline and arm?

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

    For EASI-75 and SCORAD-50, every score and visit, all arms and each: the five bins with the
    share of clinical responders and Wilson's interval. A bin without a patient has status
    ``too_few``; a cohort without the clinical column, or a score without an index, one row with
    status ``not_available`` and the reason.
    """
    rows = [row for outcome in OUTCOMES for row in _bins_of(clinic, outcome)]
    return pd.DataFrame(rows, columns=CALIBRATION_COLUMNS)


def _bins_of(clinic: Clinic, outcome: str) -> Iterator[Row]:
    column, _ = OUTCOMES[outcome]
    nothing: Row = {"outcome": outcome, "arm": Arm.ALL, "score": "", "bin": "", "responders": 0}
    nothing |= {"n": 0, "status": ClinicStatus.NOT_AVAILABLE}
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


# ---------------------------------------------------------------- statistics


@dataclass(frozen=True)
class Association:
    """An estimate with its interval, and the patients that it rests on.

    The numbers are NaN where the values do not vary, so that nothing can be estimated.
    """

    estimate: float
    lower: float
    upper: float
    p_value: float
    n: int


def _nothing(n: int) -> Association:
    return Association(np.nan, np.nan, np.nan, np.nan, n)


def partial_spearman(
    first: np.ndarray,
    second: np.ndarray,
    covariates: np.ndarray,
    arm: np.ndarray,
    confidence: float,
    draws: int,
    seed: int,
) -> Association:
    """Rank correlation of two quantities given covariates and arm.

    All values are ranked; within each arm the ranks are centred and freed of the ranks of the
    covariates; what is left is correlated over all arms. One slope per arm, because a drug that
    takes a share of the disease moves those with more of it further: one slope for all arms would
    find an association where there is none (10 to 22 % of simulated trials at 5 %). The interval is
    a BCa bootstrap of patients within arms that ranks every resample anew; the p-value is that of
    the t distribution. `covariates` have the shape (patients, k); k may be 0.

    References
    ----------
    Kendall M G (1942). Biometrika 32:277–283; Efron B (1987). J Am Stat Assoc 82:171–185.
    """
    data = np.column_stack([first, second, covariates]).astype(float).T
    arms, strata = np.unique(arm.astype(str), return_inverse=True)
    n = data.shape[1]
    point = _partial(data, strata, np.ones((1, n)))
    df = n - 2 - covariates.shape[1] * len(arms) - (len(arms) - 1)
    if df < 1 or not np.isfinite(point[0]):
        return _nothing(n)
    weights = bootstrap_weights(strata, draws, np.random.default_rng(seed))
    estimates = _partial(data, strata, weights)[:, None]
    left_out = _partial(data, strata, jackknife_weights(n))[:, None]
    # Where leaving out a patient leaves nothing that varies, it says nothing about acceleration.
    left_out = np.where(np.isfinite(left_out), left_out, point[0])
    influences, acceleration = influence(left_out, strata)
    quantile, _ = small_sample_quantile(influences, strata, np.bincount(strata), confidence)
    lower, upper = bca_interval(estimates, point, acceleration, quantile)
    p_value = _correlation_p(point[0], df)
    return Association(float(point[0]), float(lower[0]), float(upper[0]), p_value, n)


def _weighted_ranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Midranks of patients drawn as often as the weights say, shape of `weights`."""
    distinct, place = np.unique(values, return_inverse=True)
    drawn = weights @ np.eye(len(distinct))[place]
    return (np.cumsum(drawn, axis=1) - (drawn - 1) / 2)[:, place]


def _partial(data: np.ndarray, strata: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Partial rank correlation of the first two rows of `data` under each row of weights."""
    membership = np.eye(strata.max() + 1)[strata]
    counts = np.maximum(weights @ membership, 1)

    def centred(values: np.ndarray) -> np.ndarray:
        ranks = _weighted_ranks(values, weights)
        return ranks - ((weights * ranks) @ membership / counts)[:, strata]

    def product(one: np.ndarray, two: np.ndarray) -> np.ndarray:
        return (weights * one * two) @ membership

    ranks = [centred(values) for values in data]
    covariates = ranks[2:]
    for i, direction in enumerate(covariates):
        length = product(direction, direction)
        # A covariate that does not vary, or repeats another, has nothing to take away.
        safe = np.where(length > counts**3 * 1e-12, length, np.inf)
        for other in (*ranks[:2], *covariates[i + 1 :]):
            other -= (product(other, direction) / safe)[:, strata] * direction
    first, second = ranks[0], ranks[1]
    scale = weights.sum(axis=1) ** 3 * 1e-12
    squares = product(first, first).sum(axis=1), product(second, second).sum(axis=1)
    varies = (squares[0] > scale) & (squares[1] > scale)
    length = np.sqrt(np.where(varies, squares[0] * squares[1], 1.0))
    correlation = np.clip(product(first, second).sum(axis=1) / length, -1, 1)
    return np.where(varies, correlation, np.nan)


def _correlation_p(value: float, df: int) -> float:
    """Two-sided p-value of a correlation by the t distribution."""
    if abs(value) >= 1:
        return 0.0
    return float(2 * stats.t.sf(abs(value) * np.sqrt(df / (1 - value**2)), df))


def repeated_measures_correlation(
    first: np.ndarray, second: np.ndarray, patient: np.ndarray, confidence: float
) -> Association:
    """Correlation within patients over visits: do the two rise and fall together?

    All arrays have shape (observations,); patients with one observation say nothing and are left
    out. The interval is that of Fisher's transformation.

    References
    ----------
    Bland J M, Altman D G (1995). BMJ 310:446; Bakdash J Z, Marusich L R (2017). Front Psychol
    8:456.
    """
    _, code, counts = np.unique(patient.astype(str), return_inverse=True, return_counts=True)
    kept = counts[code] > 1
    patients, code = np.unique(code[kept], return_inverse=True)
    n, df = len(patients), int(kept.sum()) - len(patients) - 1
    if df < 2:
        return _nothing(n)
    size = np.bincount(code)
    x, y = (v[kept] - (np.bincount(code, v[kept]) / size)[code] for v in (first, second))
    noise = [1e-20 * max((v**2).sum(), 1e-300) for v in (first, second)]
    if (x**2).sum() <= noise[0] or (y**2).sum() <= noise[1]:
        return _nothing(n)
    r = float(np.clip((x * y).sum() / np.sqrt((x**2).sum() * (y**2).sum()), -1, 1))
    margin = stats.norm.ppf(0.5 + confidence / 2) / np.sqrt(df - 1)
    centre = np.arctanh(np.clip(r, -1 + 1e-15, 1 - 1e-15))
    lower, upper = np.tanh(centre - margin), np.tanh(centre + margin)
    return Association(r, float(lower), float(upper), _correlation_p(r, df), n)


def standardized_slope(
    outcome: np.ndarray,
    predictor: np.ndarray,
    given: np.ndarray,
    arm: np.ndarray,
    confidence: float,
) -> Association:
    """Slope of an outcome on a predictor beyond other predictors and arm, by least squares.

    Outcome and predictor (patients,) are divided by their standard deviation; `given` has the shape
    (patients, k). The interval is that of the t distribution.
    """
    n, codes = len(outcome), np.unique(arm.astype(str), return_inverse=True)[1]
    spreads = np.std(outcome, ddof=1), np.std(predictor, ddof=1)
    if min(spreads) <= 0:
        return _nothing(n)
    others = np.column_stack([np.eye(codes.max() + 1)[codes], given])
    both = np.column_stack([outcome, predictor]) / spreads
    coefficients, _, rank, _ = np.linalg.lstsq(others, both, rcond=None)
    y, x = (both - others @ coefficients).T
    df = n - int(rank) - 1
    if df < 1 or (x**2).sum() < 1e-12:
        return _nothing(n)
    slope = float((x * y).sum() / (x**2).sum())
    error = np.sqrt(((y - slope * x) ** 2).sum() / df / (x**2).sum())
    margin = stats.t.ppf(0.5 + confidence / 2, df) * error
    p_value = float(2 * stats.t.sf(abs(slope) / error, df)) if error > 0 else 0.0
    return Association(slope, slope - margin, slope + margin, p_value, n)


def kappa(first: np.ndarray, second: np.ndarray, confidence: float) -> Association:
    """Cohen's kappa of two yes/no judgements of the same patients.

    The interval rests on the large-sample standard error (Fleiss, Cohen and Everitt 1969); the
    p-value is Fisher's exact one.
    """
    from statsmodels.stats.inter_rater import cohens_kappa

    n = len(first)
    table = np.array([[np.sum((first == a) & (second == b)) for b in (0, 1)] for a in (0, 1)])
    if min(table.sum(axis=0).min(), table.sum(axis=1).min()) == 0:
        return _nothing(n)
    found = cohens_kappa(table)
    margin = stats.norm.ppf(0.5 + confidence / 2) * np.sqrt(max(found.var_kappa, 0.0))
    limits = max(found.kappa - margin, -1.0), min(found.kappa + margin, 1.0)
    return Association(found.kappa, *limits, float(stats.fisher_exact(table).pvalue), n)


def proportion(yes: np.ndarray, confidence: float) -> Association:
    """Share of patients (booleans) with Wilson's interval."""
    n = len(yes)
    if n == 0:
        return _nothing(0)
    test = stats.binomtest(int(yes.sum()), n)
    limits = test.proportion_ci(confidence, method="wilson")
    return Association(float(yes.mean()), limits.low, limits.high, np.nan, n)
