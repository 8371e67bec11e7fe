"""Trials of real patients: PSORT, psoriasis under adalimumab or ustekinumab (scores only).

The folder is not part of the project: repository C4TB/PSORT at commit ce97b32 has its tables, of
which skin_eigengenes is read (CSV: Sample_id PATIENT_WWTT with the week WW and the skin TT, 05
lesional and 06 nonlesional; 34 modules).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from adnorm.expression.swaps import exchanged_states
from adnorm.index.normalization import normalization_index
from adnorm.study.config import IndexSettings
from adnorm.study.vocabulary import DerivedScore, State
from calibrate.verdicts import (
    COVERAGE,
    SHOWN,
    Row,
    inside,
    median_row,
    not_available,
    share_row,
)

#: Where the folder is given; ``--psort`` sets it.
VARIABLE = "ADNORM_PSORT"
TABLE = "skin_eigengenes.csv"
SETTINGS = IndexSettings(primary=(DerivedScore.GLOBAL,))
SIZES = (6, 9, 15, 30)
#: From this size on the intervals are held to the criterion, where the labels are right.
JUDGED_FROM = 9
#: Trials on scores for each one on genes; those that share a layout.
SCORES, CHUNK = 4, 250
WEEKS = (1.0, 12.0)
#: A visit that no patient had: lesions changed by what changed in nonlesional skin to week 12.
CONTROL = 24.0
_SKIN = {"05": State.LESIONAL, "06": State.NONLESIONAL}
_ROLES = (
    (State.LESIONAL, 0.0),
    (State.NONLESIONAL, 0.0),
    *((State.LESIONAL, week) for week in WEEKS),
    (State.NONLESIONAL, 12.0),
)
#: One swap a draw: how many draws of each size look for it.
SWAP_SIZES, SWAP_DRAWS = (9, 15, 30), 10


@dataclass(frozen=True)
class Population:
    """Real patients who have all samples; `scores` has the shape (patients, samples, modules)."""

    patients: np.ndarray
    scores: np.ndarray

    def without(self, patients: set[str]) -> Population:
        """Leave some patients out."""
        kept = ~np.isin(self.patients, sorted(patients))
        return Population(self.patients[kept], self.scores[kept])


def read_table(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read modules × samples, and their sheet (sample, patient, state, week)."""
    table = pd.read_csv(path, index_col=0).sort_index()
    parts = table.index.to_series().str.extract(r"^(?P<patient>.+)_(?P<week>\d\d)(?P<skin>\d\d)$")
    sheet = pd.DataFrame(
        {
            "sample": table.index.to_numpy(),
            "patient": parts["patient"].to_numpy(),
            "state": parts["skin"].map(_SKIN).to_numpy(),
            "week": parts["week"].astype(float).to_numpy(),
        }
    )
    return table.T, sheet


def population_of(modules: pd.DataFrame, sheet: pd.DataFrame) -> Population:
    """Keep the patients who have all five samples."""
    keys = sheet[["patient", "state", "week"]].itertuples(index=False, name=None)
    place = {key: i for i, key in enumerate(keys)}
    patients = [
        patient
        for patient in sorted(set(sheet["patient"]))
        if all((patient, *role) in place for role in _ROLES)
    ]
    rows = [[place[patient, *role] for role in _ROLES] for patient in patients]
    return Population(np.array(patients), modules.to_numpy(dtype=float).T[np.array(rows)])


def axis_of(scores: np.ndarray) -> np.ndarray:
    """Weights of the modules: lesional − nonlesional before treatment over its variance."""
    difference = scores[:, 0] - scores[:, 1]
    return difference.mean(axis=0) / difference.var(axis=0, ddof=1)


def rows_of(scores: np.ndarray) -> np.ndarray:
    """Lay out scores (patients, samples) as the rows of `observations_of`; the last are made up."""
    start, normal, first, last, normal_last = scores.T
    return np.concatenate([start, normal, first, last, start - (normal - normal_last)])


def observations_of(size: int) -> pd.DataFrame:
    """List patient, state, week and arm of the rows of a trial."""
    visits = [*_ROLES[:4], (State.LESIONAL, CONTROL)]
    return pd.DataFrame(
        [(f"P{i:03d}", state, week, "drug") for state, week in visits for i in range(size)],
        columns=["patient", "state", "week", "arm"],
    )


def draw_trials(
    population: Population, size: int, trials: int, rng: np.random.Generator
) -> tuple[pd.DataFrame, np.ndarray]:
    """Draw trials of `size` patients, and score them on an axis of the patients not drawn.

    Patients are drawn with replacement: so a trial is a sample of the distribution whose index is
    that of the full cohort, and no correction for a finite population is needed.

    Returns
    -------
    values : DataFrame
        Rows of `observations_of` × trials.
    truth : ndarray, shape (trials, 3)
        Index of the full cohort on the axis of each trial: week 1, week 12, control.
    """
    everybody = np.arange(len(population.patients))
    values, truth = [], []
    for chosen in rng.integers(0, len(everybody), size=(trials, size)):
        scores = population.scores @ axis_of(population.scores[np.setdiff1d(everybody, chosen)])
        values.append(rows_of(scores[chosen]))
        start, normal, *later = rows_of(scores).reshape(-1, len(everybody)).mean(axis=1)
        truth.append((start - np.array(later)) / (start - normal))
    names = [f"trial {i}" for i in range(trials)]
    return pd.DataFrame(np.array(values).T, columns=names), np.array(truth)


def index_of(values: pd.DataFrame, size: int) -> pd.DataFrame:
    """Compute the index of trials of `size` patients."""
    return normalization_index(values, observations_of(size), State.NONLESIONAL, "", SETTINGS)


def indices(population: Population, size: int, trials: int, seed: int) -> pd.DataFrame:
    """Compute the index in many trials: one row a trial and visit, with the column truth."""
    frames = []
    for number, first in enumerate(range(0, trials, CHUNK)):
        rng = np.random.default_rng([seed, number])
        values, truth = draw_trials(population, size, min(CHUNK, trials - first), rng)
        table = index_of(values, size)
        weeks = {week: column for column, week in enumerate((*WEEKS, CONTROL))}
        trial = table["name"].str.removeprefix("trial ").astype(int)
        frames.append(table.assign(truth=truth[trial, table["week"].map(weeks)]))
    return pd.concat(frames, ignore_index=True)


def coverage_rows(table: pd.DataFrame, where: str, size: int, judged: bool) -> Iterator[Row]:
    """Judge the intervals of one setting, show both tails, and say how far the numbers are off."""
    for week in WEEKS:
        rows = table[table["week"] == week]
        known = rows[rows["lower"].notna() & rows["upper"].notna()]
        setting = f"week {week:g}, {size} patients{where}"
        truth = f"full cohort {rows['truth'].mean():.2f}{not_available(rows)}"
        misses = {
            "below": (known["upper"] < known["truth"]).to_numpy(),
            "above": (known["lower"] > known["truth"]).to_numpy(),
        }
        yield share_row(
            "r NI, real patients",
            f"{setting}; {truth}",
            ~(misses["below"] | misses["above"]),
            *(COVERAGE if judged else (None, None)),
            f"95 %, within {COVERAGE[0]:g}–{COVERAGE[1]:g}" if judged else "",
        )
        tails = [f"{share_row('', '', hits).measured} {side}" for side, hits in misses.items()]
        off = 100 * (known["ni"] - known["truth"]).to_numpy()
        yield Row(
            "r NI, real patients, misses and error",
            setting,
            f"interval {' and '.join(tails)} the value; median error "
            f"{median_row('', '', np.abs(off)).measured}, median bias "
            f"{median_row('', '', off).measured}",
            "2.5 % on each side",
            SHOWN,
        )


def control_row(table: pd.DataFrame, where: str, size: int, judged: bool) -> Row:
    """Judge nonlesional skin, week 12 against 0, as if it were an arm."""
    rows = table[table["week"] == CONTROL]
    known = rows[rows["lower"].notna() & rows["upper"].notna()]
    held = ((known["lower"] <= known["truth"]) & (known["truth"] <= known["upper"])).to_numpy()
    zero = 100 * inside(rows, "lower", "upper", 0.0).mean()
    return share_row(
        "r control, nonlesional skin",
        f"week 12, {size} patients{where}; full cohort {rows['truth'].mean():.3f}; 0 is held by "
        f"{zero:.1f} %",
        held,
        *(COVERAGE if judged else (None, None)),
        f"95 %, within {COVERAGE[0]:g}–{COVERAGE[1]:g}" if judged else "",
    )


def everybody_rows(population: Population, where: str) -> Iterator[Row]:
    """Show the index of all patients together, on the axis of themselves."""
    values = rows_of(population.scores @ axis_of(population.scores))
    size = len(population.patients)
    table = index_of(pd.DataFrame({DerivedScore.GLOBAL: values}), size)
    for row in table.sort_values("week").itertuples():
        what = "week 12, nonlesional skin" if row.week == CONTROL else f"week {row.week:g}"
        measured = f"{row.ni:.2f} ({row.lower:.2f} to {row.upper:.2f})"
        yield Row("r index of all real patients", f"{what}{where}", measured, "", SHOWN)


# ---------------------------------------------------------------- swapped labels


def swapped_rows(
    modules: pd.DataFrame, sheet: pd.DataFrame, swapped: set[str], trials: int
) -> Iterator[Row]:
    """Show which pairs seem exchanged, false alarms without them, and which swaps are found."""
    pairs = exchanged_states(modules, sheet)
    for week, rows in pairs.groupby("week"):
        yield Row(
            "r labels that seem exchanged",
            f"week {week:g}, all patients",
            f"{rows['exchanged'].sum()} of {len(rows)} pairs",
            "",
            SHOWN,
        )
    rest = ~sheet["patient"].isin(swapped).to_numpy()
    modules, sheet = modules.loc[:, rest], sheet[rest].reset_index(drop=True)
    people = sheet["patient"].unique()
    for size in SWAP_SIZES:
        rng = np.random.default_rng(900 + size)
        alarms: dict[float, list[bool]] = {}
        found: dict[float, list[bool]] = {}
        for number in range(max(3, trials // SWAP_DRAWS)):
            chosen = rng.choice(people, size, replace=False)
            drawn = sheet["patient"].isin(chosen).to_numpy()
            trial, own = modules.loc[:, drawn], sheet[drawn].reset_index(drop=True)
            week = (0.0, 12.0)[number % 2]
            visit = (own["week"] == week).to_numpy()
            both = own[visit].groupby("patient").size()
            patient = both.index[both == 2][0]
            mine = np.flatnonzero(visit & (own["patient"] == patient).to_numpy())
            labels = own["state"].to_numpy(dtype=object)
            labels[mine] = labels[mine[::-1]]
            table = exchanged_states(trial, own.assign(state=labels))
            hit = (table["patient"] == patient) & (table["week"] == week)
            found.setdefault(week, []).extend(table.loc[hit, "exchanged"])
            for other, rows in table[~hit].groupby("week"):
                alarms.setdefault(float(other), []).extend(rows["exchanged"])
        for week in sorted(found):
            where = f"week {week:g}, {size} patients"
            limit = 0.5 if week == 0 else None
            yield share_row(
                "r labels, false alarms",
                f"{where}; {len(alarms[week]):,} pairs that seemed right",
                np.array(alarms[week]),
                None,
                limit,
                "" if limit is None else f"at most {limit:g} % of the pairs",
            )
            yield share_row("r labels, one pair exchanged is found", where, np.array(found[week]))


# ---------------------------------------------------------------- all questions


def real_patients(trials: int) -> Iterator[Row]:
    """Ask everything of the folder that was given; without one say so."""
    folder = os.environ.get(VARIABLE, "")
    if not folder:
        skipped = f"skipped: give the folder with {TABLE} (--psort, or {VARIABLE})"
        yield Row("r NI, real patients", "not asked", skipped, "", SHOWN)
        return
    modules, sheet = read_table(Path(folder) / TABLE)
    pairs = exchanged_states(modules, sheet)
    swapped = set(pairs.loc[pairs["exchanged"].astype(bool), "patient"])
    population = population_of(modules, sheet)
    for number, (words, people) in enumerate(
        (("", population.without(swapped)), ("; exchanged pairs kept", population))
    ):
        where = f" of {len(people.patients)}{words}"
        yield from everybody_rows(people, where)
        for size in SIZES:
            table = indices(people, size, SCORES * trials, seed=8000 + 100 * number + size)
            judged = people is not population and size >= JUDGED_FROM
            yield from coverage_rows(table, where, size, judged)
            yield control_row(table, where, size, judged)
    yield from swapped_rows(modules, sheet, swapped, trials)
