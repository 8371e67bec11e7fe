"""The response of each patient at each visit: one estimate, its interval, and a description."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import ndtr, ndtri

from adnorm.study.comparisons import BASELINE, spread_over_lesions
from adnorm.study.vocabulary import DerivedScore, State, Status

COLUMNS = [
    *("patient", "arm", "week", "name", "response", "lower", "upper", "prob_above_half", "pattern"),
    *("reference", "observed", "prob_above_three_quarters", "not_known", "method", "reason"),
]
KEYS = ["patient", "arm", "week", "state"]


def patient_scores(values: pd.DataFrame, observations: pd.DataFrame) -> pd.DataFrame:
    """List the scores (observations, names) that trajectories of patients are drawn from.

    patient, arm, week, state, name, score, and lesion where the observations have it; names without
    a score are left out.
    """
    keys = [*KEYS, *(["lesion"] if "lesion" in observations else [])]
    wide = pd.concat(
        [observations[keys].reset_index(drop=True), values.reset_index(drop=True)], axis=1
    )
    table = wide.melt(keys, var_name="name", value_name="score").dropna(subset="score")
    return table.sort_values(["patient", "week", "state", "name"], ignore_index=True)


# ---------------------------------------------------------------- courses of patients

#: Exponents of the course of time, log(1 + week) / log(1 + last week): a response that is there at
#: the first visit, one that comes with the logarithm of time, and one between them.
SHAPES = (0.0, 0.5, 1.0)
#: Degrees of freedom within patients that a model needs to tell noise from responses.
FEWEST_FREE = 3


def _ratios(count: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Ratios of the variance of responses at the last visit to that of a biopsy, with their prior.

    The reliability of one observed change, ratio / (ratio + 2), is as likely a priori to lie
    anywhere between 0 and 1 (uniform shrinkage prior). It is cut finer towards 0 and 1.
    """
    angle = (np.arange(count) + 0.5) * np.pi / count
    reliability = (1 - np.cos(angle)) / 2
    return 2 * reliability / (1 - reliability), np.sin(angle) / np.sin(angle).sum()


RATIOS, PRIOR = _ratios()


@dataclass(frozen=True)
class Courses:
    """The decreases of patients since baseline, as mixed models see them.

    A component is a ratio of variances with a course of time. Given the component, a decrease has
    a t distribution with `df` degrees of freedom around `decrease`; its scale is the root of
    `noise` × `error`.
    """

    #: How likely the components are, (components, names); they add up to 1.
    weight: np.ndarray
    #: Variance of a biopsy around the patient's course, (components, names).
    noise: np.ndarray
    #: (components, observations, names)
    decrease: np.ndarray
    #: In units of `noise`, (components, observations).
    error: np.ndarray
    #: The part of `error` that the patients of an arm share, because its mean is estimated.
    shared: np.ndarray
    #: Part of what is known of a patient that comes from the patient, (components, observations).
    reliability: np.ndarray
    df: int


def fit_courses(
    decrease: np.ndarray,
    patient: np.ndarray,
    arm: np.ndarray,
    week: np.ndarray,
    ratios: np.ndarray = RATIOS,
    prior: np.ndarray = PRIOR,
    shapes: tuple[float, ...] = SHAPES,
) -> Courses | None:
    """Tell the responses of patients from the noise of their biopsies, by mixed models.

    Decrease = mean of the arm at the visit + random slope of the patient × course of time + noise
    of the biopsy at baseline + noise of the biopsy at the visit. Nothing is assumed about the
    levels that patients start from. Slopes and noise are normal. The restricted likelihood,
    integrated over the variance of the noise (prior: 1 / variance), weighs the ratios of variances
    and the courses of time, so that their uncertainty is part of what is said about a patient.
    Missing visits are taken as missing at random; nothing is carried forward.

    Parameters
    ----------
    decrease
        Of the score since the same patient's baseline, shape (observations, names), without gaps.
    patient, arm, week
        Of the observations, at most one per patient and week; weeks are above 0.
    ratios, prior, shapes
        Variances of slopes in units of that of the noise, and how likely they are a priori;
        exponents of the course of time.

    Returns
    -------
    Courses or None
        ``None`` if nothing tells responses from noise: with one visit after baseline, every
        division of the differences between patients fits the data equally well.

    References
    ----------
    Laird N M, Ware J H (1982). Biometrics 38:963–974 (mixed models). Daniels M J (1999). Canadian
    Journal of Statistics 27:567–578 (uniform shrinkage prior).
    """
    patterns = list(_patterns(patient, arm, week))
    visits = {name: np.unique(week[arm == name]) for name in sorted(set(arm))}
    means = sum(len(weeks) for weeks in visits.values())
    free = sum(len(p.rows) * (len(p.week) - 1) for p in patterns) - (means - len(visits))
    if free < FEWEST_FREE:
        return None
    ratio, shape = np.repeat(ratios, len(shapes)), np.tile(shapes, len(ratios))
    parts, names = len(ratio), decrease.shape[1]
    time = np.log1p(week) / np.log1p(week.max())
    # Around plain means, which change nothing, squares are free of what cancels in them.
    _, cell = np.unique(
        [f"{a} {w!r}" for a, w in zip(arm, week.tolist(), strict=True)], return_inverse=True
    )
    centre = np.stack([decrease[cell == c].mean(axis=0) for c in range(cell.max() + 1)])[cell]
    decrease = decrease - centre
    fitted = np.empty((parts, *decrease.shape))
    error, shared, reliability = (np.empty((parts, len(decrease))) for _ in range(3))
    determinant, squares = np.zeros(parts), np.zeros((parts, names))
    for name, weeks in visits.items():
        size = len(weeks)
        information, total = np.zeros((parts, size, size)), np.zeros((parts, size, names))
        members = []
        for pattern in patterns:
            if pattern.arm != name:
                continue
            rows, number = pattern.rows, len(pattern.rows)
            course = time[rows[0]] ** shape[:, None]
            # Of noise: the biopsy at the visit, and the one at baseline that all visits share.
            noise = np.eye(rows.shape[1]) + 1
            variance = noise + ratio[:, None, None] * course[:, :, None] * course[:, None, :]
            inverse = np.linalg.inv(variance)
            at = np.searchsorted(weeks, pattern.week)
            own = decrease[rows]
            determinant += number * np.linalg.slogdet(variance)[1]
            information[:, at[:, None], at] += number * inverse
            total[:, at] += np.einsum("ckl,ln->ckn", inverse, own.sum(axis=0))
            squares += np.einsum("ckl,pkn,pln->cn", inverse, own, own, optimize=True)
            members.append((rows, at, course, inverse, own))
        spread = np.linalg.inv(information)
        mean = np.einsum("ctu,cun->ctn", spread, total)
        determinant += np.linalg.slogdet(information)[1]
        squares -= np.einsum("ctn,ctn->cn", mean, total)
        for rows, at, course, inverse, own in members:
            pull = ratio[:, None] * np.einsum("ck,ckl->cl", course, inverse)
            away = own[None] - mean[:, None, at]
            slope = np.einsum("cl,cpln->cpn", pull, away)
            left = ratio - ratio * np.einsum("cl,cl->c", pull, course)
            for k, visit in enumerate(at):
                step = course[:, k]
                fitted[:, rows[:, k]] = mean[:, visit, None] + slope * step[:, None, None]
                # What an error of the means of the arm does to the prediction.
                lever = np.zeros((parts, size))
                lever[:, at] -= step[:, None] * pull
                lever[:, visit] += 1
                of_means = np.einsum("ct,ctu,cu->c", lever, spread, lever)
                error[:, rows[:, k]] = (step**2 * left + of_means)[:, None]
                shared[:, rows[:, k]] = of_means[:, None]
                reliability[:, rows[:, k]] = (1 - left / ratio)[:, None]
    df = len(decrease) - means
    squares = np.maximum(squares, np.finfo(float).tiny)
    likely = -determinant[:, None] / 2 - df / 2 * np.log(squares)
    weight = np.repeat(prior, len(shapes))[:, None] * np.exp(likely - likely.max(axis=0))
    weight /= weight.sum(axis=0)
    return Courses(weight, squares / df, fitted + centre, error, shared, reliability, df)


class _Pattern(NamedTuple):
    """Patients of one arm who were seen at the same visits."""

    arm: str
    #: (visits,)
    week: np.ndarray
    #: Which observations they are, (patients, visits).
    rows: np.ndarray


def _patterns(patient: np.ndarray, arm: np.ndarray, week: np.ndarray) -> Iterator[_Pattern]:
    found: dict[tuple[str, tuple[float, ...]], list[np.ndarray]] = {}
    order = np.lexsort((week, patient))
    cuts = np.flatnonzero(patient[order][1:] != patient[order][:-1]) + 1
    for rows in np.split(order, cuts):
        found.setdefault((str(arm[rows[0]]), tuple(week[rows])), []).append(rows)
    for (name, weeks), people in sorted(found.items(), key=lambda item: item[0]):
        yield _Pattern(name, np.array(weeks), np.array(people))


# ---------------------------------------------------------------- responses

MIXED = "mixed model"
OBSERVED = "observed change"
#: Limits that probabilities are given for.
HALF, THREE_QUARTERS = 0.5, 0.75
#: A probability is given only if the error that patients share (mean of the arm and disease effect,
#: in units of the disease effect) and the standard deviation of the reliability are at most that:
#: beyond them, what is said and what is true part (benchmarks/calibration.md).
SHARED_ERROR, RELIABILITY_ERROR = 0.06, 0.16
#: The least likely components that together are no more than that are left out.
UNLIKELY = 1e-3
#: Secant steps to a quantile of a response, how near its probability must come, and how far from
#: the mean (in standard deviations) and in how many steps it is looked for otherwise.
STEPS, CLOSE, FARTHEST, HALVINGS = 3, 1e-4, 30.0, 40


class _Divisor(NamedTuple):
    """The disease effect of a name against a reference: a row of denominators.tsv."""

    reference: str
    #: Of one arm, where every arm has its own effect; else empty.
    arm: str
    name: str
    denominator: float
    denominator_se: float
    reason: str


def _divisors(denominators: pd.DataFrame) -> list[_Divisor]:
    """List what responses are divided by; NaN, with the reason, where the index has no number."""
    rows = denominators.fillna({"arm": "", "reason": ""})
    sound = rows["status"] == Status.OK
    effect = rows[["denominator", "standard_error"]].where(sound, np.nan)
    reason = rows["reason"].where(~sound, "")
    columns = (rows["reference"], rows["arm"], rows["name"], *(effect[c] for c in effect), reason)
    return [_Divisor(*row) for row in zip(*columns, strict=True)]


def trajectories(
    scores: pd.DataFrame, denominators: pd.DataFrame, confidence: float
) -> pd.DataFrame:
    """Estimate every patient's response at every visit after baseline.

    The response is the decrease of the lesional score since baseline that lasts, without the noise
    of the biopsies, over the disease effect D of all patients at baseline: 0 is no change, 1 the
    level of the reference. ``response`` is its posterior mean under the models of `fit_courses`,
    ``lower`` and ``upper`` are quantiles of that posterior (with the standard error of D), and the
    probabilities are its shares above a half and three quarters: one method gives all of them.
    A probability is given only where repeated trials bear it out; else ``not_known`` says why.
    Where nothing tells response from noise, ``response`` is the observed change and its interval
    takes all differences between the patients of an arm as noise, which is too wide at most.
    ``observed`` is the change of two biopsies over D, whatever the model.

    It takes what patients.tsv and denominators.tsv hold, and returns the columns `COLUMNS`, sorted
    by reference, patient, week and name.
    """
    divisors = _divisors(denominators)
    if "lesion" in scores:
        # Each lesion has a response of its own.
        _, scores = spread_over_lesions(scores.fillna({"lesion": ""}))
    lesional = scores[scores["state"] == State.LESIONAL]
    visits = lesional.loc[lesional["week"] > BASELINE, ["patient", "arm", "week"]]
    visits = visits.drop_duplicates().sort_values(["patient", "arm", "week"], ignore_index=True)
    if visits.empty or not divisors:
        return pd.DataFrame(columns=COLUMNS)
    keys = ["patient", "arm", "week"]
    wide = lesional.pivot(index=keys, columns="name", values="score")
    later = wide.reindex(pd.MultiIndex.from_frame(visits[keys]))
    start = wide.reindex(pd.MultiIndex.from_frame(visits[keys].assign(week=BASELINE)))
    decreases = pd.DataFrame(start.to_numpy() - later.to_numpy(), columns=wide.columns)
    usable = {divisor.name for divisor in divisors if np.isfinite(divisor.denominator)}
    courses = dict(_all_courses(visits, decreases[[n for n in decreases if n in usable]]))
    facts: dict[str, np.ndarray | str] = {key: visits[key].to_numpy() for key in keys}
    frames = []
    for divisor in divisors:
        rows = facts | {"reference": divisor.reference, "name": divisor.name}
        if divisor.name in courses and np.isfinite(divisor.denominator):
            rows |= _responses(visits, courses[divisor.name], divisor, confidence)
            unseen = later[divisor.name].isna().to_numpy()
            no_start = start[divisor.name].isna().to_numpy()
            rows["reason"] = np.select(
                [unseen, no_start],
                ["no score at this visit", "no lesional sample at baseline"],
                default="",
            )
        else:
            rows["reason"] = divisor.reason
        own = visits["arm"].isin([divisor.arm]).to_numpy() | (divisor.arm == "")
        frames.append(pd.DataFrame(rows).reindex(columns=COLUMNS)[own])
    table = _with_patterns(pd.concat(frames, ignore_index=True))
    text = ["pattern", "not_known", "method", "reason"]
    table[text] = table[text].fillna("")
    keys = ["reference", "patient", "week", "name"]
    return table.sort_values([*keys, "arm"], kind="stable", ignore_index=True)[COLUMNS]


class _Course(NamedTuple):
    """Decreases of one score, and what the models say of those that are known."""

    #: (visits,)
    decrease: np.ndarray
    known: np.ndarray
    courses: Courses | None
    #: Which column of the courses is that of the score.
    column: int


def _all_courses(visits: pd.DataFrame, decreases: pd.DataFrame) -> Iterator[tuple[str, _Course]]:
    """Fit all scores; those that are known of the same visits share the algebra."""
    values = decreases.to_numpy(dtype=float)
    known = np.isfinite(values)
    own = visits["patient"].astype(str) + "\t" + visits["arm"].astype(str)
    facts = [own.to_numpy(), visits["arm"].to_numpy(), visits["week"].to_numpy()]
    same: dict[bytes, list[int]] = {}
    for column in range(values.shape[1]):
        same.setdefault(known[:, column].tobytes(), []).append(column)
    for columns in same.values():
        rows = known[:, columns[0]]
        chosen = values[rows][:, columns]
        # A score that never changes has no noise to speak of.
        moving = np.ptp(chosen, axis=0) > 0 if rows.any() else np.zeros(len(columns), dtype=bool)
        found = None
        if moving.any():
            found = fit_courses(chosen[:, moving], *(fact[rows] for fact in facts))
        place = np.cumsum(moving) - 1
        for i, column in enumerate(columns):
            courses = found if moving[i] else None
            course = _Course(values[:, column], rows, courses, int(place[i]))
            yield str(decreases.columns[column]), course


def _responses(
    visits: pd.DataFrame, course: _Course, divisor: _Divisor, confidence: float
) -> dict[str, np.ndarray | str]:
    """Columns of one score against one reference."""
    size, error = divisor.denominator, divisor.denominator_se
    names = ("response", "lower", "upper", "prob_above_half", "prob_above_three_quarters")
    found: dict[str, np.ndarray | str] = {"observed": course.decrease / size}
    if course.courses is None:
        margin = _widest_margin(visits, course, divisor, confidence)
        response = course.decrease / size
        nothing = np.full(len(response), np.nan)
        numbers = (response, response - margin, response + margin, nothing, nothing)
        words = np.where(course.known, _why_no_model(visits[course.known], course.decrease), "")
        found |= dict(zip(names, numbers, strict=True))
        return found | {"not_known": words, "method": OBSERVED}
    posterior = _Posterior(course.courses, course.column, size, error)
    tail = (1 - confidence) / 2
    words = posterior.not_known()
    limits = [np.full(len(words), limit) for limit in (HALF, THREE_QUARTERS)]
    columns = [
        posterior.mean,
        *(posterior.quantile(share) for share in (tail, 1 - tail)),
        *(np.where(words == "", 1 - posterior.below(limit), np.nan) for limit in limits),
    ]
    placed = np.full((len(names), len(course.decrease)), np.nan)
    placed[:, course.known] = columns
    why = np.full(len(course.decrease), "", dtype=object)
    why[course.known] = words
    found |= dict(zip(names, placed, strict=True))
    return found | {"not_known": why, "method": MIXED}


def t_share(df: float, value: np.ndarray) -> np.ndarray:
    """Distribution function of Student's t, within 3e-4 at 3 degrees of freedom and 3e-5 from 6.

    Five times as fast as the exact one, which would take most of the time of a cohort.

    References
    ----------
    Bailey B J R (1980). Applied Statistics 29:304–309.
    """
    square = df * np.log1p(value * value / df)
    above = 4 * df**2 + 5 * (2 * square + 3) / 24
    below = 4 * df**2 + df + (4 * square + 9) / 12
    return ndtr(np.sign(value) * np.sqrt(square) * above / below)


class _Posterior:
    """What is known of the responses to one score: a mixture of t distributions each."""

    def __init__(self, courses: Courses, column: int, size: float, error: float) -> None:
        order = np.argsort(-courses.weight[:, column], kind="stable")
        total = courses.weight[order, column].cumsum()
        likely = order[: 1 + np.searchsorted(total, 1 - UNLIKELY)]
        self.weight = courses.weight[likely, column] / courses.weight[likely, column].sum()
        noise = courses.noise[likely, column, None]
        self.decrease = courses.decrease[likely, :, column]
        self.variance = noise * courses.error[likely]
        self.df, self.size, self.error = courses.df, size, error
        self.mean = self.weight @ self.decrease / size
        self.shared = self.weight @ (noise * courses.shared[likely])
        away = courses.reliability[likely] - self.weight @ courses.reliability[likely]
        self.unsure = np.sqrt(self.weight @ away**2)

    def below(self, limit: np.ndarray, cells: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Probability that the responses of the observations are at most their limits."""
        scale = np.sqrt(self.variance[:, cells] + (limit * self.error) ** 2)
        away = limit * self.size - self.decrease[:, cells]
        return self.weight @ t_share(self.df, away / scale)

    def quantile(self, share: float) -> np.ndarray:
        """Limit that the response is below with this probability; NaN if there is none."""
        away = self.decrease / self.size - self.mean
        variance = self.variance / self.size**2 + (self.mean * self.error / self.size) ** 2
        spread = np.sqrt(self.weight @ (variance + away**2))
        # On the scale of normal quantiles most mixtures are nearly straight lines: secants.
        aim = ndtri(share)
        old = self.mean + aim * spread
        before = self._height(old) - aim
        new = old - before * spread
        for _ in range(STEPS):
            now = self._height(new) - aim
            with np.errstate(invalid="ignore", divide="ignore"):
                step = now * (new - old) / (now - before)
            old, before = new, now
            new = new - np.where(np.isfinite(step), step, 0.0)
        left = np.flatnonzero(~(np.abs(self.below(new) - share) < CLOSE))
        low, high = (self.mean[left] + side * FARTHEST * spread[left] for side in (-1, 1))
        for _ in range(HALVINGS if len(left) else 0):
            new[left] = (low + high) / 2
            under = self.below(new[left], left) < share
            low, high = np.where(under, new[left], low), np.where(under, high, new[left])
        return np.where(np.abs(self.below(new) - share) < CLOSE, new, np.nan)

    def _height(self, limit: np.ndarray) -> np.ndarray:
        return ndtri(np.clip(self.below(limit), 1e-12, 1 - 1e-12))

    def not_known(self) -> np.ndarray:
        """Say why a probability would not hold; empty if it does."""
        shared = np.sqrt(self.shared + (THREE_QUARTERS * self.error) ** 2) / self.size
        vague = [
            f"not known: mean of the arm and disease effect are known to ±{v:.2g} of the disease "
            f"effect only; ±{SHARED_ERROR:g} are needed"
            for v in shared
        ]
        few = "not known: too few patients and visits to tell response from noise of a biopsy"
        unsure = np.where(self.unsure > RELIABILITY_ERROR, few, "")
        return np.where(shared > SHARED_ERROR, np.array(vague, dtype=object), unsure)


def _widest_margin(
    visits: pd.DataFrame, course: _Course, divisor: _Divisor, confidence: float
) -> np.ndarray:
    """Half the width of an interval that takes all differences within arms as noise."""
    rows = visits.assign(decrease=course.decrease)[course.known]
    cells = rows.groupby(["arm", "week"])["decrease"]
    rows["square"] = (rows["decrease"] - cells.transform("mean")) ** 2
    by_week = rows.groupby("week")
    df = by_week.size() - by_week["arm"].nunique()
    variance = visits["week"].map(by_week["square"].sum() / df.where(df > 0)).to_numpy()
    variance = np.where(variance > 0, variance, np.nan)
    of_size = (course.decrease / divisor.denominator * divisor.denominator_se) ** 2
    quantile = stats.t.ppf(0.5 + confidence / 2, visits["week"].map(df.clip(lower=1)).to_numpy())
    return quantile * np.sqrt(variance + of_size) / divisor.denominator


def _why_no_model(visits: pd.DataFrame, decrease: np.ndarray) -> str:
    """Why responses cannot be told from noise."""
    if visits.empty:
        return ""
    if np.nanmax(decrease) == np.nanmin(decrease):
        return "not known: the score is the same in all samples"
    if visits.groupby(["patient", "arm"]).size().max() < 2:
        return "not known: one visit after baseline cannot tell response from noise of a biopsy"
    return "not known: too few patients and visits to tell response from noise of a biopsy"


# ---------------------------------------------------------------- patterns

#: How a pattern calls the names it is made of.
PARTS: dict[str, str] = {
    DerivedScore.GLOBAL: "axis",
    "barrier_terminal_differentiation_down": "barrier differentiation",
    "barrier_hyperproliferation_up": "barrier proliferation",
    "itch_core_skin_up": "itch",
}
#: A part is called reversed from this probability of R > 0.75, residual up to 1 minus it.
CALLED = 0.8


def _with_patterns(table: pd.DataFrame) -> pd.DataFrame:
    """Add the description of each patient's visit to all of its rows."""
    parts = table[table["name"].isin(list(PARTS)) & table["response"].notna()]
    columns = ["prob_above_three_quarters", "upper"]
    words = parts.assign(word=[_word(*row) for row in parts[columns].to_numpy(dtype=float)])
    keys = ["reference", "patient", "arm", "week"]
    patterns = {
        key: describe(dict(zip(rows["name"], rows["word"], strict=True)))
        for key, rows in words.groupby(keys, sort=True)
    }
    visits = table[keys].itertuples(index=False, name=None)
    return table.assign(pattern=[patterns.get(visit, "") for visit in visits])


def _word(probability: float, upper: float) -> str:
    """Describe one response."""
    if upper < 0:
        return "worsened"
    if np.isnan(probability):
        return "not known"
    if probability >= CALLED:
        return "reversed"
    return "residual" if probability <= 1 - CALLED else "undecided"


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
