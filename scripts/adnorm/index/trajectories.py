"""Each patient's way back: response per visit, with its uncertainty and a description."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from adnorm.base.logs import progress
from adnorm.base.tables import read_table, write_table
from adnorm.index.calibration import calibration_table
from adnorm.index.estimability import TOO_FEW_PAIRS
from adnorm.index.groups import LESIONAL, NONLESIONAL, PRIMARY
from adnorm.index.mixed import PatientModel, fit_patient_model
from adnorm.index.own_ratio import own_ratios
from adnorm.index.questions import concordance_table, read_clinic
from adnorm.study.comparisons import BASELINE

COLUMNS = [
    *("patient", "arm", "week", "reference", "name", "response", "lower", "upper"),
    *("prob_above_half", "prob_above_three_quarters", "blup", "method", "pattern", "reason"),
    *("own_ratio", "own_lower", "own_upper", "own_reason"),
]
#: How a pattern calls the names it is made of.
PARTS = {
    "global": "axis",
    "barrier_terminal_differentiation_down": "barrier differentiation",
    "barrier_hyperproliferation_up": "barrier proliferation",
    "itch_core_skin_up": "itch",
}
#: A part may be called reversed from this probability of R > 0.75, residual up to 1 minus it.
CALLED = 0.8
NO_BASELINE = "no lesional sample at baseline"


def build_trajectories(
    patients: Path,
    samples: Path,
    index: Path,
    settings: dict,
    outputs: dict[str, Path],
    seed: int,
) -> None:
    """Write the trajectories of patients, and how they agree with the clinic.

    Parameters
    ----------
    patients, index
        patients.tsv and index.tsv of the index stage.
    samples
        samples.tsv of the expression stage; its clinical columns are used.
    settings
        Section ``index`` of the configuration: bootstrap, confidence, primary.
    outputs
        Where to write: ``trajectories``, ``concordance`` and ``calibration``.
    seed
        Of the resamples.

    Raises
    ------
    AdnormError
        A table is missing.
    """
    scores, indices = read_table(patients), read_table(index)
    table = trajectories(scores, indices, float(settings["confidence"]))
    sheet = read_table(samples)
    found = concordance_table(scores, sheet, table, settings, seed)
    bins = calibration_table(read_clinic(scores, sheet, table, settings, seed))
    known = int(table["response"].notna().sum())
    progress(f"{known} of {len(table)} responses of patients, {len(found)} rows with the clinic")
    write_table(table, outputs["trajectories"])
    write_table(found, outputs["concordance"])
    write_table(bins, outputs["calibration"])


def denominators(index: pd.DataFrame) -> pd.DataFrame:
    """List the disease effect of every name that responses are divided by.

    Parameters
    ----------
    index
        index.tsv.

    Returns
    -------
    DataFrame
        reference, name, denominator, denominator_se, reason; sorted by reference and name. The
        denominator is NaN, with the reason, where the index of that name is not estimable.
    """
    rows = index[index["analysis"] == PRIMARY].copy()
    # Too few pairs at a visit says nothing against the disease effect of all patients.
    sound = rows["reason_code"].isin(["", TOO_FEW_PAIRS]) & rows["denominator"].notna()
    rows.loc[~sound, ["denominator", "denominator_se"]] = np.nan
    rows.loc[sound, "reason"] = ""
    rows = rows.assign(refused=~sound).sort_values(["reference", "name", "refused"], kind="stable")
    columns = ["reference", "name", "denominator", "denominator_se", "reason"]
    return rows.drop_duplicates(["reference", "name"])[columns].reset_index(drop=True)


def trajectories(scores: pd.DataFrame, index: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Compute every patient's response at every visit after baseline.

    R = (lesional score at baseline − at the visit) / D, with the disease effect D of all patients
    at baseline. The interval takes the noise of two biopsies from `fit_patient_model` and the
    standard error of D (delta method); the probabilities are those of the same t distribution
    around R, which is a posterior under a flat prior. ``own_ratio`` divides by the patient's own
    disease effect instead (`own_ratios`).

    Parameters
    ----------
    scores
        patients.tsv: patient, arm, week, state, name, score.
    index
        index.tsv.
    confidence
        Coverage of the intervals.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`, sorted by reference, patient, week and name.
    """
    divisors = denominators(index)
    lesional = scores[scores["state"] == LESIONAL]
    visits = lesional.loc[lesional["week"] > BASELINE, ["patient", "arm", "week"]]
    visits = visits.drop_duplicates().sort_values(["patient", "week"], ignore_index=True)
    if visits.empty or divisors.empty:
        return pd.DataFrame(columns=COLUMNS)
    usable = set(divisors.loc[divisors["denominator"].notna(), "name"])
    models = {
        name: _course(rows) for name, rows in lesional.groupby("name", sort=True) if name in usable
    }
    start = scores[(scores["state"] == NONLESIONAL) & (scores["week"] == BASELINE)]
    start = start.set_index(["name", "patient"])["score"]
    frames = [
        _of_name(visits, models.get(row.name), start, row, confidence)
        for row in divisors.itertuples(index=False)
    ]
    table = pd.concat(frames, ignore_index=True)
    table = _with_patterns(table)
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
    divisor: tuple,
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
    rows.loc[rows["score"].notna() & np.isnan(response), "reason"] = NO_BASELINE
    rows.loc[rows["score"].isna(), "reason"] = "no score at this visit"
    if divisor.reference != NONLESIONAL:
        nonlesional = nonlesional.iloc[:0]
    own = rows["start"] - pd.Series(
        nonlesional.reindex([(divisor.name, patient) for patient in rows["patient"]]).to_numpy(),
        index=rows.index,
    )
    found = own_ratios(rows["decrease"], own, rows["reason"], divisor.reference, model, confidence)
    return rows.assign(**found)


def _with_patterns(table: pd.DataFrame) -> pd.DataFrame:
    """Add the description of each patient's visit to all of its rows."""
    parts = table[table["name"].isin(list(PARTS)) & table["response"].notna()]
    columns = ["prob_above_three_quarters", "lower", "upper"]
    words = parts.assign(word=[_word(*row) for row in parts[columns].to_numpy()])
    keys = ["reference", "patient", "week"]
    described = [
        (*key, describe(dict(zip(rows["name"], rows["word"], strict=True))))
        for key, rows in words.groupby(keys, sort=True)
    ]
    found = pd.DataFrame(described, columns=[*keys, "pattern"]).astype(
        {key: table[key].dtype for key in keys}
    )
    table = table.merge(found, on=keys, how="left", validate="many_to_one")
    table["pattern"] = table["pattern"].fillna("")
    return table


def _word(probability: float, lower: float, upper: float) -> str:
    """Describe one response; what an interval of no (0) or full (1) response covers is open."""
    if upper < 0:
        return "worsened"
    if probability >= CALLED and lower > 0:
        return "reversed"
    return "residual" if probability <= 1 - CALLED and upper < 1 else "undecided"


def describe(words: dict[str, str]) -> str:
    """Say in one phrase how the parts of the disease stand.

    Parameters
    ----------
    words
        ``reversed``, ``residual``, ``worsened`` or ``undecided`` by name (see `PARTS`).

    Examples
    --------
    >>> describe({"itch_core_skin_up": "residual", "barrier_hyperproliferation_up": "reversed"})
    'barrier proliferation reversed, itch residual'
    """
    said = {part: words[name] for name, part in PARTS.items() if name in words}
    barrier = [part for part in said if part.startswith("barrier ")]
    if len(barrier) == 2 and len({said[part] for part in barrier}) == 1:
        together = said[barrier[0]]
        said = {
            ("barrier" if p in barrier else p): (together if p in barrier else w)
            for p, w in said.items()
        }
    return ", ".join(f"{part} {word}" for part, word in said.items())
