"""What a cohort is and can answer: its design, and every question that one could ask of a trial."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pandas as pd

from adnorm.study.vocabulary import Arm, ComparisonKind, State

#: A design group: arm, state, week.
DesignGroup = tuple[str, str, float]
BASELINE = 0.0
LESIONAL, NONLESIONAL = State.LESIONAL.value, State.NONLESIONAL.value
HEALTHY = State.HEALTHY.value


@dataclass(frozen=True)
class Comparison:
    """One question that a design may answer.

    Attributes
    ----------
    name
        The sentence-like name of the contrast, for example ``change:ruxolitinib@12``.
    kind
        A `ComparisonKind`.
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


@dataclass(frozen=True)
class Design:
    """Arms × visits × states of one cohort and the comparisons that follow.

    Attributes
    ----------
    groups
        Columns arm, week, state, patients, samples; one row for each combination that exists.
    comparisons
        All comparisons that one could ask of such a cohort, supported or not, in a fixed order.
    """

    groups: pd.DataFrame
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
        Groups with patient counts, and every comparison with its reason.
    """
    sheet = _Sheet(samples, minimum_pairs)
    groups = sheet.frame.groupby(["arm", "week", "state"])["patient"]
    comparisons = [
        *_disease(sheet),
        *_changes(sheet),
        *_between_arms(sheet, placebo_arm or None),
        *_against_healthy(sheet),
    ]
    return Design(groups.agg(patients="nunique", samples="size").reset_index(), comparisons)


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
    return design.groups, pd.DataFrame(rows, columns=columns)


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

    def __init__(self, samples: pd.DataFrame, minimum: int) -> None:
        columns = ["patient", "arm", "state"]
        frame = samples[columns].astype(str).assign(week=samples["week"].to_numpy(dtype=float))
        self.frame, self.minimum = frame, minimum
        #: Whether lesions of one patient are in several arms.
        self.within = "lesion" in samples
        self.who: dict[DesignGroup, set[str]] = {}
        for row in frame.to_dict("records"):
            self.who.setdefault((row["arm"], row["state"], row["week"]), set()).add(row["patient"])
        doses = samples.assign(dose=samples.get("dose_mg", np.nan), arm=frame["arm"])
        self.doses = {
            arm: (str(group["treatment"].iloc[0]), float(group["dose"].iloc[0]))
            for arm, group in doses.groupby("arm")
        }

    def group(self, arm: str, state: str, week: float) -> DesignGroup:
        """Name the group of an arm: its own, or that of skin that serves all arms."""
        shared = (Arm.ALL.value, state, week)
        return (
            shared
            if (arm, state, week) not in self.who and shared in self.who
            else (arm, state, week)
        )

    def having(self, *groups: DesignGroup) -> set[str]:
        """Patients who have samples in every group."""
        return set.intersection(*(self.who.get(group, set()) for group in groups))

    def patients(self, *groups: DesignGroup) -> int:
        """Count those who have samples in every group."""
        return len(self.having(*groups))

    def states(self) -> set[str]:
        """States of skin that were sampled at baseline."""
        return {state for _, state, week in self.who if week == BASELINE}

    @property
    def arms(self) -> list[str]:
        """Arms of patients, or of their lesions, by treatment and rising dose."""
        arms = {arm for arm, _, _ in self.who} - {Arm.HEALTHY, Arm.ALL}
        return sorted(
            arms, key=lambda arm: (self.doses[arm][0], np.nan_to_num(self.doses[arm][1]), arm)
        )

    def weeks(self, state: str, arm: str | None = None) -> list[float]:
        """Visits after baseline at which an arm (or any arm) has samples of a state."""
        return sorted(
            {
                w
                for a, s, w in self.who
                if s == state and w > BASELINE and (arm in (None, a) or a == Arm.ALL)
            }
        )


def _comparison(
    name: str,
    kind: ComparisonKind,
    reason: str,
    patients: int = 0,
    terms: dict[DesignGroup, float] | None = None,
) -> Comparison:
    """Write a comparison, with terms if the cohort can answer it."""
    paired, supported = not kind.endswith("healthy"), terms is not None
    return Comparison(name, kind.value, terms or {}, paired, patients, supported, reason)


def _paired(
    sheet: _Sheet,
    name: str,
    kind: ComparisonKind,
    terms: dict[DesignGroup, float],
    what: str,
    pairs: int | None = None,
) -> Comparison:
    """Compare groups within patients: those who are in all of them count, if no number is given."""
    pairs = sheet.patients(*terms) if pairs is None else pairs
    if pairs < sheet.minimum:
        reason = f"only {pairs} {what}; at least {sheet.minimum} are required"
        return _comparison(name, kind, reason, pairs)
    return _comparison(name, kind, f"{pairs} {what}", pairs, terms)


def _disease(sheet: _Sheet) -> Iterator[Comparison]:
    """Lesional against nonlesional skin at baseline, and at later visits within an arm."""
    kind = ComparisonKind.LESIONAL_NONLESIONAL
    name = f"{kind}@{number(BASELINE)}"
    missing = [s for s in (LESIONAL, NONLESIONAL) if s not in sheet.states()]
    if missing:
        yield _comparison(name, kind, f"no {' and no '.join(missing)} samples at baseline")
    else:
        sides = [
            (sheet.group(arm, LESIONAL, BASELINE), sheet.group(arm, NONLESIONAL, BASELINE))
            for arm in sheet.arms
        ]
        both = {pair: sheet.having(*pair) for pair in sides}
        total = sum(map(len, both.values()))
        # Weighted by pairs, so that with complete data it is the mean over all patients.
        terms = _sum(
            {group: sign * len(people) / total}
            for pair, people in both.items()
            for group, sign in zip(pair, (1, -1), strict=True)
            if people
        )
        people = len(set().union(*both.values()))
        yield _paired(sheet, name, kind, terms, "patients with both at baseline", people)
    for arm in sheet.arms:
        for week in sheet.weeks(NONLESIONAL, arm):
            terms = {(arm, LESIONAL, week): 1.0, sheet.group(arm, NONLESIONAL, week): -1.0}
            what = f"patients with both at week {number(week)}"
            yield _paired(sheet, f"{kind}:{arm}@{number(week)}", kind, terms, what)


def _sum(parts: Iterable[dict[DesignGroup, float]]) -> dict[DesignGroup, float]:
    """Add up weights of groups; a group that cancels out is gone."""
    total: dict[DesignGroup, float] = {}
    for part in parts:
        for group, weight in part.items():
            total[group] = total.get(group, 0.0) + weight
    return {group: weight for group, weight in total.items() if weight}


def _change(sheet: _Sheet, arm: str, week: float) -> dict[DesignGroup, float]:
    return {(arm, LESIONAL, week): 1.0, sheet.group(arm, LESIONAL, BASELINE): -1.0}


def _changes(sheet: _Sheet) -> Iterator[Comparison]:
    """Change of lesional skin from baseline, and what is left against nonlesional skin."""
    change, residual = ComparisonKind.CHANGE, ComparisonKind.RESIDUAL
    if not sheet.weeks(LESIONAL):
        for kind in (change, residual):
            yield _comparison(kind.value, kind, "no lesional samples after baseline")
    for arm in sheet.arms:
        for week in sheet.weeks(LESIONAL, arm):
            when = number(week)
            what = f"patients with lesional samples at baseline and week {when}"
            yield _paired(sheet, f"{change}:{arm}@{when}", change, _change(sheet, arm, week), what)
            name = f"{residual}:{arm}@{when}"
            if NONLESIONAL not in sheet.states():
                yield _comparison(name, residual, "no nonlesional samples at baseline")
                continue
            start = sheet.group(arm, NONLESIONAL, BASELINE)
            terms = {(arm, LESIONAL, week): 1.0, start: -1.0}
            what = f"patients with lesional at week {when} and nonlesional at baseline"
            yield _paired(sheet, name, residual, terms, what)


def _difference(sheet: _Sheet, first: str, second: str, week: float) -> Comparison:
    name, kind = f"change:{first}-{second}@{number(week)}", ComparisonKind.CHANGE_DIFFERENCE
    plus, minus = _change(sheet, first, week), _change(sheet, second, week)
    terms = _sum([plus, {group: -weight for group, weight in minus.items()}])
    if sheet.within:
        what = f"patients with lesions in both arms at baseline and week {number(week)}"
        return _paired(sheet, name, kind, terms, what, sheet.patients(*plus, *minus))
    ours, others = sheet.patients(*plus), sheet.patients(*minus)
    if min(ours, others) < sheet.minimum:
        reason = f"{ours} pairs against {others}; at least {sheet.minimum} in each arm are required"
        return _comparison(name, kind, reason, ours + others)
    reason = f"{ours} pairs of {first} against {others} of {second}"
    return _comparison(name, kind, reason, ours + others, terms)


def _between_arms(sheet: _Sheet, placebo_arm: str | None) -> Iterator[Comparison]:
    """Drug against placebo, and each dose against the next lower one of the same drug."""
    kind = ComparisonKind.CHANGE_DIFFERENCE
    drugs = [a for a in sheet.arms if a not in (placebo_arm, Arm.UNTREATED)]
    for arm in drugs:
        for week in sheet.weeks(LESIONAL, arm):
            name = f"change:{arm}-{placebo_arm or 'placebo'}@{number(week)}"
            if placebo_arm is None:
                yield _comparison(name, kind, "the cohort has no placebo arm")
            elif week not in sheet.weeks(LESIONAL, placebo_arm):
                reason = f"{placebo_arm} has no lesional samples at week {number(week)}"
                yield _comparison(name, kind, reason)
            else:
                yield _difference(sheet, arm, placebo_arm, week)
    doses: dict[str, list[tuple[float, str]]] = {}
    for arm in drugs:
        treatment, dose = sheet.doses[arm]
        if not np.isnan(dose):
            doses.setdefault(treatment, []).append((dose, arm))
    for _, found in sorted(doses.items()):
        for (_, low), (_, high) in pairwise(sorted(found)):
            for week in sheet.weeks(LESIONAL, high):
                if week in sheet.weeks(LESIONAL, low):
                    yield _difference(sheet, high, low, week)


def _against_healthy(sheet: _Sheet) -> Iterator[Comparison]:
    """Patients against healthy people: between patients, so without blocks."""
    group = (Arm.HEALTHY.value, HEALTHY, BASELINE)
    healthy = sheet.patients(group)

    def compared(
        name: str, kind: ComparisonKind, terms: dict[DesignGroup, float], ours: int, state: str
    ) -> Comparison:
        what = f"{ours} patients with {state} samples against {healthy} healthy people"
        if min(ours, healthy) < sheet.minimum:
            what += f"; at least {sheet.minimum} on each side are required"
            return _comparison(name, kind, what, ours + healthy)
        return _comparison(name, kind, what, ours + healthy, terms | {group: -1.0})

    for state, kind in (
        (LESIONAL, ComparisonKind.LESIONAL_HEALTHY),
        (NONLESIONAL, ComparisonKind.NONLESIONAL_HEALTHY),
    ):
        name = f"{kind}@{number(BASELINE)}"
        groups = [sheet.group(arm, state, BASELINE) for arm in sheet.arms]
        counts = {own: sheet.patients(own) for own in groups}
        total = sum(counts.values())
        if not healthy or not total:
            lacking = state if healthy else HEALTHY
            yield _comparison(name, kind, f"no {lacking} samples at baseline")
            continue
        terms = {own: n / total for own, n in counts.items() if n}
        yield compared(name, kind, terms, total, state)
    kind = ComparisonKind.RESIDUAL_HEALTHY
    for arm in sheet.arms if healthy else []:
        for week in sheet.weeks(LESIONAL, arm):
            ours = sheet.patients((arm, LESIONAL, week))
            name = f"{kind}:{arm}@{number(week)}"
            yield compared(name, kind, {(arm, LESIONAL, week): 1.0}, ours, LESIONAL)


# ---------------------------------------------------------------- comparisons in words


def split_contrast(name: str) -> tuple[str, float]:
    """Split the name of a contrast into what changes and when.

    Examples
    --------
    >>> split_contrast("change:gusacitinib 40 mg-placebo@4")
    ('gusacitinib 40 mg-placebo', 4.0)
    >>> split_contrast("lesional-nonlesional@0")
    ('lesional-nonlesional', 0.0)
    """
    head, _, week = name.rpartition("@")
    return head.partition(":")[2] or head, float(week)


def split_arms(group: str, arms: list[str]) -> tuple[str, str]:
    """Split the heading of a difference into its two arms, whose names may hold hyphens.

    Examples
    --------
    >>> split_arms("anti-IL13-placebo", ["placebo", "anti-IL13"])
    ('anti-IL13', 'placebo')
    >>> split_arms("placebo", ["placebo"])
    ('placebo', '')
    """
    for first in arms:
        second = group.removeprefix(f"{first}-")
        if second != group and second in arms:
            return first, second
    return group, ""


#: What is compared, in a sentence; a difference of changes is the change of its first arm.
_SENTENCES: dict[str, str] = {
    ComparisonKind.LESIONAL_NONLESIONAL: "lesional minus nonlesional skin",
    ComparisonKind.LESIONAL_HEALTHY: "lesional minus healthy skin",
    ComparisonKind.NONLESIONAL_HEALTHY: "nonlesional minus healthy skin",
    ComparisonKind.CHANGE: "change",
    ComparisonKind.CHANGE_DIFFERENCE: "change",
    ComparisonKind.RESIDUAL: "difference that is left from nonlesional skin",
    ComparisonKind.RESIDUAL_HEALTHY: "difference that is left from healthy skin",
}


def in_a_sentence(contrast: str, kind: str, arms: Iterable[str]) -> str:
    """Write a comparison as it stands in a sentence; headings of figures are shorter.

    Examples
    --------
    >>> in_a_sentence("change:a 5 mg-placebo@4", "change-difference", ["placebo", "a 5 mg"])
    'change under a 5 mg at week 4, minus placebo'
    >>> in_a_sentence("lesional-nonlesional@0", "lesional-nonlesional", ["a"])
    'lesional minus nonlesional skin at baseline'
    >>> in_a_sentence("residual:untreated@2.5", "residual", ["untreated"])
    'difference that is left from nonlesional skin without treatment at week 2.5'
    >>> in_a_sentence("change", "change", [])
    'change'
    """
    text = _SENTENCES.get(kind, kind)
    if "@" not in contrast:
        return text
    group, week = split_contrast(contrast)
    first, second = "", ""
    if ":" in contrast.rpartition("@")[0]:
        first, second = split_arms(group, [*arms, "placebo"])
    if first == Arm.UNTREATED:
        text += " without treatment"
    elif first:
        text += f" under {first}"
    text += f" at week {number(week)}" if week else " at baseline"
    return f"{text}, minus {second}" if second else text


# ---------------------------------------------------------------- biopsies that count as one


def combine_biopsies(samples: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """Find the biopsies that paired statistics count as one: same patient, state and visit.

    Lesions of one patient that are in different arms stay apart. Two biopsies of one patient are
    not two patients. Log2 values and scores of such biopsies are averaged (`average_rows`), counts
    are summed (`sum_rows`) before any comparison.

    Parameters
    ----------
    samples
        Canonical sample sheet, one row per biopsy.

    Returns
    -------
    combined : DataFrame
        Columns patient, state, week, biopsies, arm, and lesion where the sheet has it; one row per
        patient, state and visit (and lesion), sorted.
    codes : ndarray of int, shape (samples,)
        The row of `combined` that each row of `samples` belongs to.
    """
    keys = pd.DataFrame(
        {
            "patient": samples["patient"].astype(str).to_numpy(),
            "state": samples["state"].astype(str).to_numpy(),
            "week": samples["week"].to_numpy(dtype=float),
            "arm": samples["arm"].astype(str).to_numpy(),
        }
    )
    groups = keys.groupby(list(keys), sort=True)
    codes = groups.ngroup().to_numpy()
    combined = groups.size().rename("biopsies").reset_index()
    combined = combined[["patient", "state", "week", "biopsies", "arm"]]
    if "lesion" in samples:
        first = np.unique(codes, return_index=True)[1]
        combined["lesion"] = samples["lesion"].fillna("").astype(str).to_numpy()[first]
    return combined, codes


def lesion_names(sheet: pd.DataFrame) -> pd.Series:
    """Name the lesion of each row that has an arm of its own: patient and arm."""
    return sheet["patient"].astype(str) + ", " + sheet["arm"].astype(str)


def spread_over_lesions(observations: pd.DataFrame) -> tuple[np.ndarray, pd.DataFrame]:
    """Repeat what serves all arms of a patient for each of the patient's lesions.

    Parameters
    ----------
    observations
        patient, state, week, arm and lesion, which is empty for skin that serves all arms.

    Returns
    -------
    rows : ndarray of int
        Where each row of the table comes from.
    observations : DataFrame
        Every row of a patient with lesions has the arm of one; where a lesion has a sample of its
        own of a state and visit, the shared one is left out.
    """
    sheet = observations.reset_index(drop=True).assign(row=np.arange(len(observations)))
    own = sheet[sheet["lesion"] != ""]
    lesions = own[["patient", "arm", "lesion"]].drop_duplicates()
    shared = sheet[sheet["lesion"] == ""].drop(columns="lesion")
    arms = own["arm"].unique()
    start = shared[(shared["state"] == State.LESIONAL) & (shared["week"] == BASELINE)]
    if len(arms) == 2:
        # A patient whose lesion at baseline stands for both arms has one in each, though its later
        # samples may be missing.
        both = start.loc[start["patient"].isin(own["patient"]), ["patient"]].drop_duplicates()
        both = both.merge(pd.DataFrame({"arm": arms}), how="cross")
        both["lesion"] = lesion_names(both)
        lesions = pd.concat([lesions, both]).drop_duplicates(["patient", "arm"])
    treated = shared["patient"].isin(lesions["patient"])
    spread = shared[treated].drop(columns="arm").merge(lesions, on="patient")
    keys = ["patient", "arm", "state", "week"]
    spread = spread[
        ~pd.MultiIndex.from_frame(spread[keys]).isin(pd.MultiIndex.from_frame(own[keys]))
    ]
    found = pd.concat([own, spread, shared[~treated].assign(lesion="")], ignore_index=True)
    found = found.sort_values(["row", "arm"], kind="stable", ignore_index=True)
    return found["row"].to_numpy(), found[list(observations.columns)]


def average_rows(values: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Average rows of `values` (samples × features) that share a code; missing stays missing."""
    total = sum_rows(values, codes)
    total /= np.bincount(codes)[:, None]
    return total


def sum_rows(values: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Add up rows of `values` (samples × features) that share a code."""
    order = np.argsort(codes, kind="stable")
    known, starts = np.unique(codes[order], return_index=True)
    if len(known) == len(codes) == known[-1] + 1:
        # Nothing to add up, as in most cohorts; 0 makes no zero a negative one.
        total = values[order].astype(float, copy=False)
        total += 0.0
        return total
    total = np.zeros((codes.max() + 1, values.shape[1]))
    alone = np.diff(np.append(starts, len(codes))) == 1
    total[known[alone]] += values[order[starts[alone]]]
    several = np.isin(codes, known[~alone])
    if several.any():
        np.add.at(total, codes[several], values[several])
    return total
