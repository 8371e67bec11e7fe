"""Whether patients of the same id in two cohorts are the same people, by what the sheets say."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from scipy import stats

from adnorm.study.comparisons import BASELINE

#: What says how a sample was treated, not who the patient is.
_NOT_OF_PATIENT = (
    *("sample", "patient", "state", "treatment", "drug_class", "dose_mg", "arm", "week"),
    "qc_flags",
)
#: A fact agrees if it does in this share of the patients.
_AGREE = 0.9
#: A fact that changes along the ids less than half as often as by chance was dealt out in blocks
#: (batch 1 for the first ten), as it would be anywhere.
_CHANGES = 0.5
#: Facts of a person that no two sheets give differently.
_PERSONAL = ("sex", "age")


def facts_of_patients(obs: pd.DataFrame) -> pd.DataFrame:
    """Whatever the sheet says of a patient before treatment, where it says one thing.

    What repeats the id of the patient or tells the arm is left out: trials are numbered and dealt
    alike everywhere.
    """
    start = obs[obs["week"].to_numpy(dtype=float) == BASELINE]
    start = start if len(start) else obs
    people = start["patient"].astype(str).to_numpy()
    ids = pd.Index(sorted(set(obs["patient"].astype(str))), name="patient")
    arm = start["arm"].astype(str).groupby(people).first()
    facts = {}
    for column in start.columns:
        name = re.sub(r"[\W_]+", " ", str(column).removeprefix("geo_").casefold()).strip()
        if name in {c.replace("_", " ") for c in _NOT_OF_PATIENT} or name in facts:
            # Every canonical column stands once more among the raw ones; the first is enough.
            continue
        if pd.api.types.is_numeric_dtype(start[column]):
            text = start[column].map(lambda v: "" if pd.isna(v) else f"{v:g}")
        else:
            text = start[column].astype(object).map(lambda v: "" if pd.isna(v) else _read(str(v)))
        grouped = text.astype(str).groupby(people)
        fact = grouped.first().where(grouped.nunique() == 1, "").reindex(ids, fill_value="")
        repeats = [_repeats(value, patient) for patient, value in fact.items() if value]
        dealt = arm.nunique() > 1 and fact.groupby(arm).nunique().max() == 1
        if 2 * sum(repeats) < len(repeats) and not dealt:
            facts[name] = fact
    return pd.DataFrame(facts, index=ids)


def _repeats(text: str, patient: str) -> bool:
    """Whether a text says the id of the patient, or the number in it."""
    if patient.casefold() in text:
        return True
    numbers = re.findall(r"\d+", patient)
    return bool(numbers) and int(numbers[-1]) in {int(n) for n in re.findall(r"\d+", text)[:9]}


def _read(text: str) -> str:
    """Numbers are compared as numbers."""
    text = text.strip().casefold()
    try:
        return f"{float(text):g}"
    except ValueError:
        return text


def trivially_numbered(name: str) -> bool:
    """Say whether an id is one that any lab may give: one short number, or one or two letters.

    Examples
    --------
    >>> [trivially_numbered(name) for name in ("P01", "patient 12", "1002", "A", "101-007")]
    [True, True, True, True, False]
    """
    return bool(re.fullmatch(r"[^\d]*\d{1,4}[^\d]*|[^\W\d_]{1,2}", name.strip()))


def agreeing_facts(first: pd.DataFrame, second: pd.DataFrame) -> tuple[float, list[str]]:
    """Find what two sheets say alike of the same ids, and how likely that is by chance.

    Parameters
    ----------
    first, second
        Facts, one row an id, in the same order; empty where unknown.

    Returns
    -------
    chance : float
        Probability that as much agrees among different people; 1 if nothing does.
    facts : list of str
        What agrees in nine of ten patients.
    """
    compared = []
    kinds = set()
    for name in first.columns.intersection(second.columns, sort=False):
        a, b = first[name].to_numpy(), second[name].to_numpy()
        known = (a != "") & (b != "")
        a, b = a[known], b[known]
        # Two columns that tell people apart alike are one fact.
        kind = (*np.flatnonzero(known), *pd.factorize(a)[0])
        if kind in kinds or not (_scattered(a) and _scattered(b)):
            continue
        kinds.add(kind)
        same = a[:, None] == b[None, :]
        pairs, hits = same.size - len(same), int(np.trace(same))
        often = np.clip((same.sum() - hits) / pairs, 1 / (pairs + 1), 1 - 1e-9)
        compared.append((name, hits / len(same), stats.binom.sf(hits - 1, len(same), often)))
    agreed = [(name, chance) for name, share, chance in compared if share >= _AGREE]
    # Each fact pays for all that were looked at.
    chances = [min(chance * len(compared), 1.0) for _, chance in agreed]
    return float(np.prod(chances)), [str(name) for name, _ in agreed]


def _scattered(values: np.ndarray) -> bool:
    """Whether a fact varies, and not in blocks along the ids."""
    if len(set(values)) < 2:
        return False
    _, counts = np.unique(values, return_counts=True)
    expected = (len(values) - 1) * (1 - ((counts / len(values)) ** 2).sum())
    return (values[1:] != values[:-1]).sum() >= _CHANGES * expected


def personal_agreement(first: pd.DataFrame, second: pd.DataFrame) -> float:
    """Share of the ids whose sex and age agree, of those where both sheets know them; else 1."""
    hits = [
        first.loc[known, name] == second.loc[known, name]
        for name in _PERSONAL
        if name in first and name in second
        for known in [(first[name] != "") & (second[name] != "")]
    ]
    told = np.concatenate(hits) if hits else np.empty(0)
    return float(np.mean(told)) if len(told) else 1.0
