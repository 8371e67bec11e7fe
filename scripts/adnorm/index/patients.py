"""The response of each patient at each visit, with its uncertainty and a description."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from adnorm.index.ratio import fieller_interval
from adnorm.study.comparisons import BASELINE
from adnorm.study.vocabulary import Analysis, DerivedScore, ReasonCode, State

COLUMNS = [
    *("patient", "arm", "week", "reference", "name", "response", "lower", "upper"),
    *("prob_above_half", "prob_above_three_quarters", "blup", "method", "pattern", "reason"),
    *("own_ratio", "own_lower", "own_upper", "own_reason"),
]
KEYS = ["patient", "arm", "week", "state"]


def patient_scores(values: pd.DataFrame, observations: pd.DataFrame) -> pd.DataFrame:
    """List the scores (observations, names) that trajectories of patients are drawn from.

    patient, arm, week, state, name, score; names without a score are left out.
    """
    wide = pd.concat(
        [observations[KEYS].reset_index(drop=True), values.reset_index(drop=True)], axis=1
    )
    table = wide.melt(KEYS, var_name="name", value_name="score").dropna(subset="score")
    return table.sort_values(["patient", "week", "state", "name"], ignore_index=True)


# ---------------------------------------------------------------- model of a score

MIXED = "mixed model"
LEAST_SQUARES = "patient-fixed least squares"
NO_MODEL = "none"
#: Random intercept and slope are told from noise only if patients have more visits than that.
RANDOM_EFFECTS = 2


@dataclass(frozen=True)
class PatientModel:
    """What the model of one score says about noise and about each patient."""

    #: Standard deviation of a biopsy around the patient's own course; NaN if not estimable.
    noise: float
    #: Its degrees of freedom: observations − arm-visits − patients, at least 1.
    df: int
    #: Best linear unbiased prediction of the decrease since baseline, shape (observations,); NaN
    #: without a mixed model.
    decrease: np.ndarray
    #: How it was fitted, and why not by the mixed model.
    method: str
    note: str


def _course_of_time(week: np.ndarray) -> np.ndarray:
    """Time as the random slope sees it: log(1 + week), 1 at the last visit.

    Responses to treatment are fast at first and level off; the logarithm is nearer to that than
    a straight line in weeks.
    """
    last = np.log1p(week).max()
    return np.log1p(week) / last if last > 0 else np.zeros(len(week))


def fit_patient_model(
    values: np.ndarray, patient: np.ndarray, arm: np.ndarray, week: np.ndarray
) -> PatientModel:
    """Fit the course of a score in lesional skin.

    The mean of every arm and visit is free; each patient deviates by a random intercept and a
    random slope on log(1 + week) (restricted maximum likelihood). Missing visits are taken as
    missing at random; nothing is carried forward. Where the mixed model has too few visits or does
    not converge, patients become fixed effects: their noise is reported, a prediction is not. All
    arrays have one observation per patient and visit; baseline is week 0.

    References
    ----------
    Laird N M, Ware J H (1982). Biometrics 38:963–974.
    """
    spread = float(np.std(values))
    patients, code = np.unique(patient.astype(str), return_inverse=True)
    keys = [f"{a}\t{w!r}" for a, w in zip(arm, week.astype(float).tolist(), strict=True)]
    groups, group = np.unique(keys, return_inverse=True)
    fixed = np.eye(len(groups))[group]
    df = max(len(values) - len(groups) - len(patients), 1)
    if spread == 0:
        return _without_model(len(values), "the score is the same in all samples")
    scaled = (values - values.mean()) / spread
    visits = np.bincount(code).max()
    if visits <= RANDOM_EFFECTS or len(values) <= RANDOM_EFFECTS * len(patients):
        note = f"too few visits for a random intercept and slope ({len(values)} samples of "
        return _least_squares(scaled, code, fixed, spread, f"{note}{len(patients)} patients)")
    fitted = _mixed(scaled, code, fixed, _course_of_time(week))
    if fitted is None:
        return _least_squares(scaled, code, fixed, spread, "the mixed model did not converge")
    noise, means, slopes = fitted
    at = dict(zip(groups, means, strict=True))
    # Decrease of the mean of the arm since its baseline; NaN without a baseline.
    mean_decrease = np.array(
        [at.get(f"{a}\t{0.0!r}", np.nan) - at[key] for a, key in zip(arm, keys, strict=True)]
    )
    decrease = mean_decrease - slopes[code] * _course_of_time(week)
    return PatientModel(noise * spread, df, decrease * spread, MIXED, "")


def _mixed(
    values: np.ndarray, code: np.ndarray, fixed: np.ndarray, time: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray] | None:
    """Noise, means of arm-visits and slope of each patient; None without convergence."""
    from statsmodels.regression.mixed_linear_model import MixedLM

    random = np.column_stack([np.ones(len(time)), time])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model = MixedLM(values, fixed, groups=code, exog_re=random)
            # Limited-memory steps come nearer to the maximum in half the evaluations.
            result = model.fit(reml=True, method=["lbfgs", "bfgs"])
            slopes = np.array(
                [effect.to_numpy()[1] for _, effect in sorted(result.random_effects.items())]
            )
        except (np.linalg.LinAlgError, ValueError):
            return None
    noise = float(np.sqrt(result.scale))
    # Noise of almost 0 means that the patients' lines ran through the samples.
    sound = np.isfinite(slopes).all() and np.isfinite(noise) and noise > 1e-4
    return (noise, np.asarray(result.fe_params), slopes) if result.converged and sound else None


def _least_squares(
    values: np.ndarray, code: np.ndarray, fixed: np.ndarray, spread: float, note: str
) -> PatientModel:
    """Noise around fixed effects of patients and arm-visits."""
    design = np.column_stack([np.eye(code.max() + 1)[code], fixed])
    coefficients, _, rank, _ = np.linalg.lstsq(design, values, rcond=None)
    df = len(values) - int(rank)
    if df < 1:
        return _without_model(len(values), f"{note}; nothing is left to estimate the noise from")
    noise = float(np.sqrt(((values - design @ coefficients) ** 2).sum() / df)) * spread
    return PatientModel(noise, df, np.full(len(values), np.nan), LEAST_SQUARES, note)


def _without_model(size: int, note: str) -> PatientModel:
    return PatientModel(np.nan, 1, np.full(size, np.nan), NO_MODEL, note)


# ---------------------------------------------------------------- responses


class _Divisor(NamedTuple):
    """The disease effect of a name against a reference: a row of `denominators`."""

    reference: str
    name: str
    denominator: float
    denominator_se: float
    reason: str


def denominators(index: pd.DataFrame) -> pd.DataFrame:
    """List the disease effect of every reference and name that responses are divided by.

    The denominator is NaN, with the reason, where the index of that name is not estimable.
    """
    rows = index[index["analysis"] == Analysis.PRIMARY].copy()
    # Too few pairs at a visit says nothing against the disease effect of all patients.
    sound = rows["reason_code"].isin(["", ReasonCode.TOO_FEW_PAIRS]) & rows["denominator"].notna()
    rows.loc[~sound, ["denominator", "denominator_se"]] = np.nan
    rows.loc[sound, "reason"] = ""
    rows = rows.assign(refused=~sound).sort_values(["reference", "name", "refused"], kind="stable")
    rows = rows.drop_duplicates(["reference", "name"])[list(_Divisor._fields)]
    return rows.reset_index(drop=True)


def trajectories(scores: pd.DataFrame, index: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Compute every patient's response at every visit after baseline.

    R = (lesional score at baseline − at the visit) / D, with the disease effect D of all patients
    at baseline. The interval takes the noise of two biopsies from `fit_patient_model` and the
    standard error of D (delta method); the probabilities are those of the same t distribution
    around R, which is a posterior under a flat prior. ``own_ratio`` divides by the patient's own
    disease effect instead (`within_patient_index`).

    It takes what patients.tsv and index.tsv hold, and returns the columns `COLUMNS`, sorted by
    reference, patient, week and name.
    """
    divisors = denominators(index)
    lesional = scores[scores["state"] == State.LESIONAL]
    visits = lesional.loc[lesional["week"] > BASELINE, ["patient", "arm", "week"]]
    visits = visits.drop_duplicates().sort_values(["patient", "week"], ignore_index=True)
    if visits.empty or divisors.empty:
        return pd.DataFrame(columns=COLUMNS)
    usable = set(divisors.loc[divisors["denominator"].notna(), "name"])
    models = {
        name: _course(rows) for name, rows in lesional.groupby("name", sort=True) if name in usable
    }
    start = scores[(scores["state"] == State.NONLESIONAL) & (scores["week"] == BASELINE)]
    nonlesional = start.set_index(["name", "patient"])["score"]
    frames = [
        _of_name(visits, models.get(divisor.name), nonlesional, divisor, confidence)
        for divisor in map(_Divisor, *(divisors[column] for column in _Divisor._fields))
    ]
    table = _with_patterns(pd.concat(frames, ignore_index=True))
    keys = ["reference", "patient", "week", "name"]
    return table.sort_values(keys, kind="stable", ignore_index=True)[COLUMNS]


def _course(rows: pd.DataFrame) -> tuple[pd.DataFrame, PatientModel]:
    """Decrease since baseline of each patient and visit, and the model of the score."""
    model = fit_patient_model(*(rows[c].to_numpy() for c in ("score", "patient", "arm", "week")))
    course = rows[["patient", "week", "score"]].assign(predicted=model.decrease)
    start = rows[rows["week"] == BASELINE].set_index("patient")["score"]
    course["start"] = course["patient"].map(start)
    course["decrease"] = course["start"] - course["score"]
    return course, model


def _of_name(
    visits: pd.DataFrame,
    course: tuple[pd.DataFrame, PatientModel] | None,
    nonlesional: pd.Series,
    divisor: _Divisor,
    confidence: float,
) -> pd.DataFrame:
    """Responses of one name against one reference."""
    rows = visits.assign(reference=divisor.reference, name=divisor.name, reason=divisor.reason)
    if course is None or not np.isfinite(divisor.denominator):
        unknown = ["response", "lower", "upper", "blup", "prob_above_half"]
        rows[[*unknown, "prob_above_three_quarters"]] = np.nan
        rows[["own_ratio", "own_lower", "own_upper"]] = np.nan
        rows["method"], rows["own_reason"] = "", rows["reason"]
        return rows
    values, model = course
    rows = rows.merge(values, on=["patient", "week"], how="left", validate="one_to_one")
    size = divisor.denominator
    response = rows["decrease"].to_numpy(dtype=float) / size
    variance = (2 * model.noise**2 + (response * divisor.denominator_se) ** 2) / size**2
    error = np.sqrt(variance)
    margin = stats.t.ppf(0.5 + confidence / 2, model.df) * error
    rows["response"], rows["lower"], rows["upper"] = response, response - margin, response + margin
    for column, limit in (("prob_above_half", 0.5), ("prob_above_three_quarters", 0.75)):
        away = np.divide(response - limit, error, out=np.full(len(rows), np.nan), where=error > 0)
        rows[column] = stats.t.cdf(away, model.df)
    rows["blup"] = np.where(np.isfinite(response), rows["predicted"] / size, np.nan)
    rows["method"] = f"{model.method}: {model.note}" if model.note else model.method
    no_baseline = rows["score"].notna() & np.isnan(response)
    rows.loc[no_baseline, "reason"] = "no lesional sample at baseline"
    rows.loc[rows["score"].isna(), "reason"] = "no score at this visit"
    if divisor.reference != State.NONLESIONAL:
        nonlesional = nonlesional.iloc[:0]
    reference = nonlesional.reindex([(divisor.name, patient) for patient in rows["patient"]])
    own = rows["start"] - reference.to_numpy()
    found = within_patient_index(
        rows["decrease"], own, rows["reason"], divisor.reference, model, confidence
    )
    return rows.assign(**found)


#: How many standard errors the own difference must be above 0 to be divided by.
LEAST_ERRORS = 2.0


def within_patient_index(
    decrease: pd.Series,
    own: pd.Series,
    reason: pd.Series,
    reference: str,
    model: PatientModel,
    confidence: float,
) -> dict[str, np.ndarray]:
    """Divide each patient's decrease by the patient's own lesional − non-lesional difference.

    The ratio rests on three biopsies of one person. It is given only if the own difference at
    baseline is more than two standard errors above 0; the error is that of the difference of two
    biopsies, with the noise of lesional biopsies. The interval is Fieller's: both differences share
    the lesional biopsy at baseline.
    """
    noise = model.noise**2
    error = np.sqrt(2 * noise)
    top, bottom = decrease.to_numpy(dtype=float), own.to_numpy(dtype=float)
    twice, once = np.full(len(top), 2 * noise), np.full(len(top), noise)
    lower, upper = fieller_interval(top, bottom, (twice, twice, once), model.df, confidence)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = top / bottom
    small = np.array(
        [
            f"own lesional − non-lesional difference at baseline is {v:.2g}, not more than "
            f"{LEAST_ERRORS:g} standard errors ({error:.2g} each) above 0"
            for v in bottom
        ],
        object,
    )
    healthy, noiseless = reference != State.NONLESIONAL, not np.isfinite(noise)
    reasons = np.select(
        [
            np.full(len(top), healthy),
            np.isnan(top),
            np.isnan(bottom),
            np.full(len(top), noiseless),
            ~(bottom > LEAST_ERRORS * error),
            np.isnan(lower),
        ],
        [
            "nobody is his own healthy control",
            reason.to_numpy(dtype=object),
            "no non-lesional sample at baseline",
            "the noise of a biopsy is not known",
            small,
            "the interval is unbounded: too few samples to know the noise",
        ],
        default="",
    )
    numbers = {"own_ratio": ratio, "own_lower": lower, "own_upper": upper}
    known = {name: np.where(reasons == "", v, np.nan) for name, v in numbers.items()}
    return known | {"own_reason": reasons}


# ---------------------------------------------------------------- patterns

#: How a pattern calls the names it is made of.
PARTS: dict[str, str] = {
    DerivedScore.GLOBAL: "axis",
    "barrier_terminal_differentiation_down": "barrier differentiation",
    "barrier_hyperproliferation_up": "barrier proliferation",
    "itch_core_skin_up": "itch",
}
#: A part may be called reversed from this probability of R > 0.75, residual up to 1 minus it.
CALLED = 0.8


def _with_patterns(table: pd.DataFrame) -> pd.DataFrame:
    """Add the description of each patient's visit to all of its rows."""
    parts = table[table["name"].isin(list(PARTS)) & table["response"].notna()]
    columns = ["prob_above_three_quarters", "lower", "upper"]
    words = parts.assign(word=[_word(*row) for row in parts[columns].to_numpy()])
    keys = ["reference", "patient", "week"]
    patterns = {
        key: describe(dict(zip(rows["name"], rows["word"], strict=True)))
        for key, rows in words.groupby(keys, sort=True)
    }
    visits = table[keys].itertuples(index=False, name=None)
    return table.assign(pattern=[patterns.get(visit, "") for visit in visits])


def _word(probability: float, lower: float, upper: float) -> str:
    """Describe one response; what an interval of no (0) or full (1) response covers is open."""
    if upper < 0:
        return "worsened"
    if probability >= CALLED and lower > 0:
        return "reversed"
    return "residual" if probability <= 1 - CALLED and upper < 1 else "undecided"


def describe(words: dict[str, str]) -> str:
    """Describe in one phrase the state of each part of the disease.

    >>> describe({"itch_core_skin_up": "residual", "barrier_hyperproliferation_up": "reversed"})
    'barrier proliferation reversed, itch residual'
    """
    parts = {part: words[name] for name, part in PARTS.items() if name in words}
    barrier = [part for part in parts if part.startswith("barrier ")]
    if len(barrier) == 2 and len({parts[part] for part in barrier}) == 1:
        together = parts[barrier[0]]
        parts = {
            ("barrier" if p in barrier else p): (together if p in barrier else w)
            for p, w in parts.items()
        }
    return ", ".join(f"{part} {word}" for part, word in parts.items())
