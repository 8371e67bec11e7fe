"""Every question that one could ask of a trial, and whether this cohort can answer it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pandas as pd

#: A design group: arm, state, week.
DesignGroup = tuple[str, str, float]
HEALTHY_ARM, UNTREATED_ARM = "healthy", "untreated"
BASELINE = 0.0


@dataclass(frozen=True)
class Comparison:
    """One question that a design may answer.

    Attributes
    ----------
    name
        The sentence-like name of the contrast, for example ``change:ruxolitinib@12``.
    kind
        ``lesional-nonlesional``, ``change``, ``residual``, ``change-difference``,
        ``lesional-healthy``, ``nonlesional-healthy`` or ``residual-healthy``.
    terms
        Weight of the mean of each design group; the weights add up to 0.
    paired
        Whether the same patients stand on both sides.
    patients
        How many have both samples; for comparisons between patients, all on both sides.
    supported
        Whether the cohort can answer it.
    reason
        How many patients it rests on, or why it cannot be answered.
    """

    name: str
    kind: str
    terms: dict[DesignGroup, float] = field(hash=False)
    paired: bool
    patients: int
    supported: bool
    reason: str


def number(value: float) -> str:
    """Write a week or a dose without needless decimals.

    Examples
    --------
    >>> number(12.0), number(2.5)
    ('12', '2.5')
    """
    return f"{float(value):g}"


class _Sheet:
    """Answers who has what, for one sample sheet."""

    def __init__(self, samples: pd.DataFrame) -> None:
        columns = ["patient", "arm", "state"]
        frame = samples[columns].astype(str).assign(week=samples["week"].to_numpy(dtype=float))
        self.frame = frame
        self.who: dict[DesignGroup, set[str]] = {}
        for row in frame.to_dict("records"):
            self.who.setdefault((row["arm"], row["state"], row["week"]), set()).add(row["patient"])
        doses = samples.assign(dose=samples.get("dose_mg", np.nan), arm=frame["arm"])
        self.doses = {
            arm: (str(group["treatment"].iloc[0]), float(group["dose"].iloc[0]))
            for arm, group in doses.groupby("arm")
        }

    def patients(self, arm: str, state: str, week: float) -> set[str]:
        return self.who.get((arm, state, week), set())

    @property
    def arms(self) -> list[str]:
        """Arms of patients, by treatment and rising dose."""
        arms = {arm for arm, _, _ in self.who} - {HEALTHY_ARM}
        return sorted(
            arms, key=lambda arm: (self.doses[arm][0], np.nan_to_num(self.doses[arm][1]), arm)
        )

    def weeks(self, state: str, arm: str | None = None) -> list[float]:
        """Visits after baseline at which an arm (or any arm) has samples of a state."""
        return sorted(
            {w for a, s, w in self.who if s == state and w > BASELINE and arm in (None, a)}
        )


def _judge(
    name: str, kind: str, terms: dict[DesignGroup, float], pairs: int, minimum: int, what: str
) -> Comparison:
    supported = pairs >= minimum
    reason = (
        f"{pairs} {what}" if supported else f"only {pairs} {what}; at least {minimum} are asked"
    )
    paired = not kind.endswith("healthy")
    return Comparison(name, kind, terms if supported else {}, paired, pairs, supported, reason)


def _refuse(name: str, kind: str, reason: str) -> Comparison:
    return Comparison(name, kind, {}, not kind.endswith("healthy"), 0, False, reason)


def _disease(sheet: _Sheet, minimum: int) -> Iterator[Comparison]:
    """Lesional against non-lesional skin at baseline, and at later visits within an arm."""
    name, kind = f"lesional-nonlesional@{number(BASELINE)}", "lesional-nonlesional"
    pairs = {
        arm: len(
            sheet.patients(arm, "lesional", BASELINE) & sheet.patients(arm, "nonlesional", BASELINE)
        )
        for arm in sheet.arms
    }
    total = sum(pairs.values())
    states = {state for _, state, week in sheet.who if week == BASELINE}
    missing = [s for s in ("lesional", "nonlesional") if s not in states]
    if missing:
        yield _refuse(name, kind, f"no {' and no '.join(missing)} samples at baseline")
    else:
        # Weighted by pairs, so that with complete data it is the mean over all patients.
        terms: dict[DesignGroup, float] = {}
        for arm, count in pairs.items():
            if count:
                terms[arm, "lesional", BASELINE] = count / total
                terms[arm, "nonlesional", BASELINE] = -count / total
        yield _judge(name, kind, terms, total, minimum, "patients with both at baseline")
    for arm in sheet.arms:
        for week in sheet.weeks("nonlesional", arm):
            both = sheet.patients(arm, "lesional", week) & sheet.patients(arm, "nonlesional", week)
            yield _judge(
                f"{kind}:{arm}@{number(week)}",
                kind,
                {(arm, "lesional", week): 1.0, (arm, "nonlesional", week): -1.0},
                len(both),
                minimum,
                f"patients with both at week {number(week)}",
            )


def _change(sheet: _Sheet, arm: str, week: float) -> tuple[dict[DesignGroup, float], int]:
    both = sheet.patients(arm, "lesional", week) & sheet.patients(arm, "lesional", BASELINE)
    return {(arm, "lesional", week): 1.0, (arm, "lesional", BASELINE): -1.0}, len(both)


def _changes(sheet: _Sheet, minimum: int) -> Iterator[Comparison]:
    """Change of lesional skin from baseline, and what is left against non-lesional skin."""
    if not sheet.weeks("lesional"):
        reason = "no lesional samples after baseline"
        yield _refuse("change", "change", reason)
        yield _refuse("residual", "residual", reason)
    for arm in sheet.arms:
        for week in sheet.weeks("lesional", arm):
            when = number(week)
            terms, pairs = _change(sheet, arm, week)
            what = f"patients with lesional samples at baseline and week {when}"
            yield _judge(f"change:{arm}@{when}", "change", terms, pairs, minimum, what)
            name = f"residual:{arm}@{when}"
            if not any(s == "nonlesional" and w == BASELINE for _, s, w in sheet.who):
                yield _refuse(name, "residual", "no nonlesional samples at baseline")
                continue
            both = sheet.patients(arm, "lesional", week) & sheet.patients(
                arm, "nonlesional", BASELINE
            )
            terms = {(arm, "lesional", week): 1.0, (arm, "nonlesional", BASELINE): -1.0}
            what = f"patients with lesional at week {when} and nonlesional at baseline"
            yield _judge(name, "residual", terms, len(both), minimum, what)


def _difference(sheet: _Sheet, first: str, second: str, week: float, minimum: int) -> Comparison:
    name = f"change:{first}-{second}@{number(week)}"
    (plus, n_first), (minus, n_second) = _change(sheet, first, week), _change(sheet, second, week)
    terms = plus | {cell: -weight for cell, weight in minus.items()}
    if min(n_first, n_second) < minimum:
        reason = f"{n_first} pairs against {n_second}; at least {minimum} in each arm are asked"
        return Comparison(name, "change-difference", {}, True, n_first + n_second, False, reason)
    reason = f"{n_first} pairs of {first} against {n_second} of {second}"
    return Comparison(name, "change-difference", terms, True, n_first + n_second, True, reason)


def _between_arms(sheet: _Sheet, placebo_arm: str | None, minimum: int) -> Iterator[Comparison]:
    """Drug against placebo, and each dose against the next lower one of the same drug."""
    kind = "change-difference"
    drugs = [a for a in sheet.arms if a not in (placebo_arm, UNTREATED_ARM)]
    for arm in drugs:
        for week in sheet.weeks("lesional", arm):
            if placebo_arm is None:
                name = f"change:{arm}-placebo@{number(week)}"
                yield _refuse(name, kind, "the cohort has no placebo arm")
            elif week not in sheet.weeks("lesional", placebo_arm):
                name = f"change:{arm}-{placebo_arm}@{number(week)}"
                reason = f"{placebo_arm} has no lesional samples at week {number(week)}"
                yield _refuse(name, kind, reason)
            else:
                yield _difference(sheet, arm, placebo_arm, week, minimum)
    for low, high in _adjacent_doses(sheet, drugs):
        for week in sheet.weeks("lesional", high):
            if week in sheet.weeks("lesional", low):
                yield _difference(sheet, high, low, week, minimum)


def _adjacent_doses(sheet: _Sheet, arms: list[str]) -> list[tuple[str, str]]:
    """Pairs of arms of one treatment at neighbouring doses, lower dose first."""
    doses: dict[str, list[tuple[float, str]]] = {}
    for arm in arms:
        treatment, dose = sheet.doses[arm]
        if not np.isnan(dose):
            doses.setdefault(treatment, []).append((dose, arm))
    ordered = [sorted(found) for _, found in sorted(doses.items())]
    return [(low[1], high[1]) for found in ordered for low, high in pairwise(found)]


def _against_healthy(sheet: _Sheet, minimum: int) -> Iterator[Comparison]:
    """Patients against healthy people: between patients, so without blocks."""
    healthy = sheet.patients(HEALTHY_ARM, "healthy", BASELINE)
    for state in ("lesional", "nonlesional"):
        kind = f"{state}-healthy"
        name = f"{kind}@{number(BASELINE)}"
        counts = {a: len(sheet.patients(a, state, BASELINE)) for a in sheet.arms}
        total = sum(counts.values())
        if not healthy or not total:
            lacking = "healthy" if not healthy else state
            yield _refuse(name, kind, f"no {lacking} samples at baseline")
            continue
        terms = {(a, state, BASELINE): n / total for a, n in counts.items() if n}
        terms[HEALTHY_ARM, "healthy", BASELINE] = -1.0
        yield _two_groups(name, kind, terms, total, len(healthy), state, minimum)
    for arm in sheet.arms if healthy else []:
        for week in sheet.weeks("lesional", arm):
            terms = {(arm, "lesional", week): 1.0, (HEALTHY_ARM, "healthy", BASELINE): -1.0}
            found = len(sheet.patients(arm, "lesional", week))
            name = f"residual-healthy:{arm}@{number(week)}"
            yield _two_groups(
                name, "residual-healthy", terms, found, len(healthy), "lesional", minimum
            )


def _two_groups(
    name: str,
    kind: str,
    terms: dict[DesignGroup, float],
    ours: int,
    healthy: int,
    state: str,
    minimum: int,
) -> Comparison:
    what = f"{ours} patients with {state} samples against {healthy} healthy people"
    if min(ours, healthy) < minimum:
        reason = f"{what}; at least {minimum} on each side are asked"
        return Comparison(name, kind, {}, False, ours + healthy, False, reason)
    return Comparison(name, kind, terms, False, ours + healthy, True, what)


def list_comparisons(
    samples: pd.DataFrame, placebo_arm: str | None, minimum: int
) -> list[Comparison]:
    """List all comparisons of a sheet, supported or not, in a fixed order."""
    sheet = _Sheet(samples)
    return [
        *_disease(sheet, minimum),
        *_changes(sheet, minimum),
        *_between_arms(sheet, placebo_arm or None, minimum),
        *_against_healthy(sheet, minimum),
    ]


# ---------------------------------------------------------------- biopsies that count as one


def combine_biopsies(samples: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """Find the biopsies that paired statistics count as one: same patient, state and visit.

    Two biopsies of one patient are not two patients. Log2 values and scores of such biopsies are
    averaged (`average_rows`), counts are summed (`sum_rows`) before any comparison.

    Parameters
    ----------
    samples
        Canonical sample sheet, one row per biopsy.

    Returns
    -------
    combined : DataFrame
        Columns patient, state, week, arm, biopsies; one row per patient, state and visit, sorted.
    codes : ndarray of int, shape (samples,)
        The row of `combined` that each row of `samples` belongs to.
    """
    keys = pd.DataFrame(
        {
            "patient": samples["patient"].astype(str).to_numpy(),
            "state": samples["state"].astype(str).to_numpy(),
            "week": samples["week"].to_numpy(dtype=float),
        }
    )
    groups = keys.groupby(["patient", "state", "week"], sort=True)
    codes = groups.ngroup().to_numpy()
    combined = groups.size().rename("biopsies").reset_index()
    first = pd.Series(np.arange(len(codes))).groupby(codes).first().to_numpy()
    combined["arm"] = samples["arm"].astype(str).to_numpy()[first]
    return combined, codes


def average_rows(values: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Average rows of `values` (samples × features) that share a code; missing stays missing."""
    return sum_rows(values, codes) / np.bincount(codes)[:, None]


def sum_rows(values: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Add up rows of `values` (samples × features) that share a code."""
    total = np.zeros((codes.max() + 1, values.shape[1]))
    np.add.at(total, codes, values)
    return total


# ---------------------------------------------------------------- the design of a cohort


@dataclass(frozen=True)
class Design:
    """Arms × visits × states of one cohort and the comparisons that follow.

    Attributes
    ----------
    cells
        Columns arm, week, state, patients, samples; one row for each combination that exists.
    comparisons
        All comparisons that one could ask of such a cohort, supported or not.
    """

    cells: pd.DataFrame
    comparisons: list[Comparison]

    @property
    def supported(self) -> list[Comparison]:
        """The comparisons that the cohort can answer."""
        return [c for c in self.comparisons if c.supported]


def derive_design(samples: pd.DataFrame, placebo_arm: str | None, minimum_pairs: int) -> Design:
    """Work out what a cohort can answer.

    Parameters
    ----------
    samples
        Canonical sample sheet (columns patient, arm, treatment, dose_mg, state, week).
    placebo_arm
        The arm that the drugs are compared with, or ``None``.
    minimum_pairs
        Fewest patients (on each side) that a comparison may rest on; 2 at the least.

    Returns
    -------
    Design
        Cells with patient counts, and every comparison with its reason.
    """
    names = samples[["arm", "state", "patient"]].astype(str)
    cells = (
        names.assign(week=samples["week"].to_numpy(dtype=float))
        .groupby(["arm", "week", "state"])["patient"]
        .agg(patients="nunique", samples="size")
        .reset_index()
    )
    minimum = max(2, int(minimum_pairs))
    return Design(cells, list_comparisons(samples, placebo_arm, minimum))


def design_tables(design: Design) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Lay a design out as the tables design.tsv and comparisons.tsv.

    Returns
    -------
    cells : DataFrame
        arm, week, state, patients, samples.
    comparisons : DataFrame
        contrast, kind, supported (yes|no), pairs, reason.
    """
    rows = [
        (c.name, c.kind, "yes" if c.supported else "no", c.patients, c.reason)
        for c in design.comparisons
    ]
    columns = ["contrast", "kind", "supported", "pairs", "reason"]
    return design.cells, pd.DataFrame(rows, columns=columns)
