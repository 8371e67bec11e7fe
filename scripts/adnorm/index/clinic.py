"""Skin and clinic: which scores follow EASI, SCORAD and itch.

A biopsy shows one spot and a clinical score the whole body, so correlations are weak as a rule, and
all answers are exploratory. Two questions are not asked, because one noisy biopsy at baseline
cannot answer them (`benchmarks/calibration.md` has the figures). Whether the itch score explains
itch beyond EASI: where both measure one truth with error, the second still helps the first, and
only the reliability of the changes could tell that apart. Whether the first visit predicts later
ones, drug minus placebo: a drug that only makes patients or visits more alike changes how well two
visits agree, whether responses last or not.
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
from adnorm.effects.fit import adjust_by_family
from adnorm.study.comparisons import BASELINE
from adnorm.study.config import IndexSettings
from adnorm.study.vocabulary import Arm, ClinicStatus, DerivedScore, State

#: A row of a table: column → value.
Row: TypeAlias = dict[str, str | float]
COLUMNS = [
    *("question", "arm", "week", "score", "clinical", "statistic"),
    *("estimate", "lower", "upper", "p_value", "fdr", "n", "status", "reason"),
]
CLINICAL = ("easi", "scorad", "itch_nrs")
#: Patients that an estimate needs besides one for each covariate of each arm.
FEWEST = 8
ITCH_SCORES = ("itch_core_skin_up", DerivedScore.ITCH_MINUS_TH2)
#: With fewer visits, a correlation of visits within patients is only one of changes.
FEWEST_VISITS = 3
#: Why nothing is asked where lesions of one patient are in several arms.
OF_LESIONS = "lesions of one patient are in several arms, and the clinic measures the patient"
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
    #: Whether lesions of one patient are in several arms: what the clinic measures is of both.
    of_lesions: bool = False

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
) -> Clinic:
    """Put scores and clinical values of the same visits together.

    The tables are what patients.tsv, samples.tsv and trajectories.tsv hold; easi, scorad and
    itch_nrs where the cohort has them. Biopsies of one visit carry the same values.
    """
    sheet = samples.reindex(columns=["patient", "week", *CLINICAL])
    sheet = sheet.astype({column: float for column in sheet if column not in NAME_COLUMNS})
    clinical = sheet.groupby(["patient", "week"], as_index=False, sort=True).mean()
    of_lesions = "lesion" in scores
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
        [column for column in CLINICAL if clinical[column].notna().any() and not of_lesions],
        trajectories,
        settings.confidence,
        of_lesions,
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
                    self.clinic.confidence,
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
                if self.clinic.of_lesions:
                    reason = OF_LESIONS
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
        status = {"status": ClinicStatus.EXPLORATORY, "reason": ""}
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
    """Answer all `QUESTIONS`; one that cannot be asked has a row that says why.

    ``fdr`` adjusts the p-values of one question over its scores, clinical values, visits and arms.
    """
    rows = [row for question in QUESTIONS for row in question(clinic)]
    table = pd.DataFrame(rows, columns=COLUMNS)
    table["fdr"] = adjust_by_family(table["p_value"].to_numpy(), table["question"].to_numpy())
    return table


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
    """Correlation of score and clinical value over the visits of each patient.

    What the patients of an arm have in common at a visit is taken out: if all improve, everything
    falls together.
    """
    ask = Question(clinic, "repeated_measures", "repeated-measures correlation given visit")
    yield from ask.missing(CLINICAL, visits=FEWEST_VISITS - 1)
    for name, rows in clinic.scores.items() if len(clinic.visits) >= FEWEST_VISITS - 1 else ():
        for column in clinic.available:
            for arm, patients in _by_arm(rows):
                known = patients.dropna(subset=["score", column])
                found = repeated_measures_correlation(
                    known["score"].to_numpy(),
                    known[column].to_numpy(),
                    known[["patient", "week", "arm"]],
                    clinic.confidence,
                )
                least = FEWEST + max(known["arm"].nunique(), 1) - 1
                yield ask.row(arm, np.nan, name, column, found, least)


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


QUESTIONS: tuple[Callable[[Clinic], Iterator[Row]], ...] = (
    baseline_with_clinic,
    change_with_clinic,
    repeated_measures,
    partial(agreement, question="easi75_agreement", outcome="EASI-75"),
    partial(agreement, question="scorad50_agreement", outcome="SCORAD-50"),
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
    """Responses of a name against nonlesional skin, else healthy skin, and what to say of them."""
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
#: Lower edges of the bins of the estimated response; a bin holds its lower edge.
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
                    "status": ClinicStatus.EXPLORATORY if found.n else ClinicStatus.TOO_FEW,
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
) -> Association:
    """Rank correlation of two quantities given covariates and arm.

    Within each arm all values are ranked, and the ranks are freed of those of the covariates; what
    is left is correlated over all arms. One slope per arm, because a drug that takes a share of the
    disease moves those with more of it further; ranks within the arm, because patients of a drug
    differ more in both quantities than those of placebo, and would then count more often than they
    are there. Interval and p-value are those of `_from_patients`, with the residual degrees of
    freedom of each arm.

    Parameters
    ----------
    first, second, arm
        Shape (patients,).
    covariates
        Shape (patients, k); k may be 0.
    confidence
        Of the interval.

    References
    ----------
    Kendall M G (1942). Biometrika 32:277–283; Efron B, Stein C (1981). Ann Stat 9:586–596.
    """
    data = np.column_stack([first, second, covariates]).astype(float)
    arms = [_ranked(data[arm == name]) for name in np.unique(arm)]
    return _from_patients(arms, 1 + covariates.shape[1], False, confidence)


def _ranked(values: np.ndarray) -> np.ndarray:
    """Sums of products of the ranks of one arm: of all patients, then without each of them."""
    n, columns = values.shape
    if n < 2:
        return np.zeros((n + 1, columns, columns))
    others = np.arange(n - 1) + (np.arange(n - 1) >= np.arange(n)[:, None])

    def products(chosen: np.ndarray) -> np.ndarray:
        # Divided by their number, so that a patient counts the same in small and in large arms.
        ranks = stats.rankdata(chosen, axis=1) / (chosen.shape[1] + 1)
        ranks -= ranks.mean(axis=1, keepdims=True)
        return np.swapaxes(ranks, 1, 2) @ ranks

    return np.concatenate([products(values[None]), products(values[others])])


def repeated_measures_correlation(
    first: np.ndarray, second: np.ndarray, visits: pd.DataFrame, confidence: float
) -> Association:
    """Correlation within patients over visits: do the two rise and fall together?

    The mean of each patient, and that of each visit of an arm, are taken out. Patients with one
    observation say nothing and are left out. Interval and p-value (`_from_patients`) count patients
    and not observations: a patient whose skin improves more than that of others does so at all
    later visits.

    Parameters
    ----------
    first, second
        Shape (observations,).
    visits
        patient, week and arm of the observations, one arm for each patient.
    confidence
        Of the interval.

    References
    ----------
    Bland J M, Altman D G (1995). BMJ 310:446; Bakdash J Z, Marusich L R (2017). Front Psychol
    8:456.
    """
    raw = np.column_stack([first, second]).astype(float)
    who, week, arm = (visits[column].to_numpy() for column in ("patient", "week", "arm"))
    _, code, counts = np.unique(who, return_inverse=True, return_counts=True)
    kept = counts[code] > 1
    raw, week, arm = raw[kept], week[kept], arm[kept]
    patients, first_row, code = np.unique(code[kept], return_index=True, return_inverse=True)
    member = (code == np.arange(len(patients))[:, None]).astype(float)
    columns = np.column_stack([raw, week[:, None] == np.unique(week)])
    within = columns - (member @ columns / member.sum(axis=1, keepdims=True))[code]
    # A mean of equal values can differ from them by rounding.
    within[:, :2][np.abs(within[:, :2]) <= 1e-12 * np.abs(raw)] = 0.0
    own = np.einsum("po,oi,oj->pij", member, within, within, optimize=True)
    arm = arm[first_row]
    sums = [own[arm == name] for name in np.unique(arm)]
    arms = [np.concatenate([each.sum(axis=0)[None], each.sum(axis=0) - each]) for each in sums]
    return _from_patients(arms, 1, True, confidence)


def _given_others(products: np.ndarray) -> np.ndarray:
    """Least squares of the first two columns on the others, from sums of products (…, k, k).

    The sums of squares of what is left, and of their product: (…, 3).
    """
    pair, across, given = products[..., :2, :2], products[..., :2, 2:], products[..., 2:, 2:]
    # A covariate that does not vary, or repeats another, has nothing to take away.
    inverse = np.linalg.pinv(given, rcond=1e-10, hermitian=True)
    left = pair - across @ inverse @ np.swapaxes(across, -1, -2)
    squares = np.diagonal(left, axis1=-2, axis2=-1)
    varies = squares > 1e-10 * np.diagonal(pair, axis1=-2, axis2=-1)
    product = np.where(varies.all(axis=-1), left[..., 0, 1], 0.0)
    return np.concatenate([np.where(varies, squares, 0.0), product[..., None]], axis=-1)


def _correlation(sums: np.ndarray) -> np.ndarray:
    """Correlation of two squares and a product, (…, 3); NaN where one does not vary."""
    length = np.sqrt(sums[..., 0] * sums[..., 1])
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(length > 0, np.clip(sums[..., 2] / length, -1, 1), np.nan)


def _from_patients(
    arms: list[np.ndarray], taken: int, tails: bool, confidence: float
) -> Association:
    """Correlation over arms, with interval and p-value of one standard error of Fisher's z.

    The standard error is that of the jackknife: every patient is left out once, arm by arm. It
    follows what the values do, where formulas take them for normal ones (of skewed values with a
    correlation of 0.7, the interval of Bonett and Wright covers 90 %).

    An arm is the sums of products that `_given_others` takes: of all its patients, then without
    each of them. The `taken` coefficients that are fitted in it make a patient who is left out
    move the rest more, so that the jackknife's n − 1 is n − `taken`. Values that may have long
    tails (`tails`) take the t quantile of Welch and Satterthwaite.
    """
    sums = [_given_others(arm) for arm in arms]
    total, n = sum(part[0] for part in sums), sum(len(part) - 1 for part in sums)
    r = float(_correlation(np.asarray(total))) if sums else np.nan
    if not np.isfinite(r):
        return _nothing(n)
    # Half of the smallest step that a rank correlation can be away from 1.
    most = 1 - 6 / (n**3 - n)
    z = np.arctanh(np.clip(r, -most, most))
    variances, freedom = np.zeros(len(sums)), np.ones(len(sums))
    for i, part in enumerate(sums):
        patients = len(part) - 1
        found = _correlation(total - part[0] + part[1:])
        # Where leaving out a patient leaves nothing that varies, it says nothing.
        left_out = np.arctanh(np.clip(np.where(np.isfinite(found), found, r), -most, most))
        squares = ((left_out - left_out.mean()) ** 2).sum()
        variances[i] = max(patients - taken, 0) / patients * squares
        freedom[i] = max(patients - 1, 1)
    error = np.sqrt(variances.sum())
    df = np.inf
    if error < 1e-9:
        # All in one order, whoever is left out: the error by Bonett and Wright at 1.
        error = np.sqrt(1.5 / max(n - taken * len(sums) - 2, 1))
    elif tails:
        df = variances.sum() ** 2 / (variances**2 / freedom).sum()
    margin = stats.t.ppf(0.5 + confidence / 2, df) * error
    lower, upper = min(np.tanh(z - margin), r), max(np.tanh(z + margin), r)
    return Association(r, float(lower), float(upper), float(2 * stats.t.sf(abs(z) / error, df)), n)


def kappa(first: np.ndarray, second: np.ndarray, confidence: float) -> Association:
    """Cohen's kappa of two yes/no judgements of the same patients; there is no p-value.

    The interval is the one by Fleiss, Cohen and Everitt of the table with one patient more in each
    of its four cells. As it stands in textbooks, it covers as little as 22 % of the time with 8
    patients and 62 % with 30, and shrinks to a point where all agree; with the four patients it
    covers 92 % of the time at worst.

    References
    ----------
    Fleiss J L, Cohen J, Everitt B S (1969). Psychol Bull 72:323–327; Agresti A, Caffo B (2000). Am
    Stat 54:280–288 (the four patients).
    """
    from statsmodels.stats.inter_rater import cohens_kappa

    n = len(first)
    table = np.array([[np.sum((first == a) & (second == b)) for b in (0, 1)] for a in (0, 1)])
    if min(table.sum(axis=0).min(), table.sum(axis=1).min()) == 0:
        return _nothing(n)
    found, added = cohens_kappa(table).kappa, cohens_kappa(table + 1)
    margin = stats.norm.ppf(0.5 + confidence / 2) * np.sqrt(added.var_kappa)
    limits = max(added.kappa - margin, -1.0), min(added.kappa + margin, 1.0)
    return Association(found, *limits, np.nan, n)


def proportion(yes: np.ndarray, confidence: float) -> Association:
    """Share of patients (booleans) with Wilson's interval."""
    n = len(yes)
    if n == 0:
        return _nothing(0)
    test = stats.binomtest(int(yes.sum()), n)
    limits = test.proportion_ci(confidence, method="wilson")
    return Association(float(yes.mean()), limits.low, limits.high, np.nan, n)
