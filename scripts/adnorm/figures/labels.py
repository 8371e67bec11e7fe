"""How gene sets, scores of the index, comparisons and numbers are written in every figure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import pandas as pd

from adnorm.base.text import typeset
from adnorm.figures.theme import shorten
from adnorm.study.vocabulary import (
    ComparisonKind,
    DerivedScore,
    Estimator,
    Multiplicity,
    ReasonCode,
)

if TYPE_CHECKING:
    from adnorm.figures.data import FigureData

DIRECTION_NOTE = "▲▼ direction expected in lesional skin of atopic dermatitis."
#: Stands at the colour bar, where a reader asks what red means.
SIGNED_BAR = "± signed set: red = further in\nthe direction of lesional skin"
MOST_LETTERS = 45
#: Scores of the index that are no gene sets: label and category.
DERIVED: dict[str, tuple[str, str]] = {
    DerivedScore.GLOBAL: ("Whole disease axis", "global"),
    DerivedScore.ITCH_MINUS_TH2: ("Itch: core without Th2 genes", "itch"),
}
#: What stands where there is no number, by reason code.
SHORT: dict[str, str] = {
    ReasonCode.NO_REFERENCE: "no reference",
    ReasonCode.DENOM_NOT_ESTIMABLE: "effect unclear",
    ReasonCode.DIRECTION_CONTRADICTED: "opposite direction",
    ReasonCode.LOW_COVERAGE: "low coverage",
    ReasonCode.NOT_SCORED: "not scored",
    ReasonCode.TOO_FEW_PAIRS: "too few patients",
    ReasonCode.NO_PLACEBO: "no placebo",
    ReasonCode.NOT_RANDOMISED: "not randomised",
    ReasonCode.UNBOUNDED: "interval unbounded",
    ReasonCode.OTHER_DISEASE: "another disease",
    ReasonCode.SAME_PATIENTS: "same patients",
}

#: How the plan of the primary family is written.
PLANS: dict[str, str] = {
    Multiplicity.HOLM: "Holm",
    Multiplicity.FIXED_SEQUENCE: "fixed sequence, higher doses first, then later visits",
}
#: Beside an index that two one-sided tests find at the level of the reference.
AS_REFERENCE = "="


# ---------------------------------------------------------------- numbers


def digits(value: float, sign: str = "") -> str:
    """Write a number with two digits and a true minus; ``sign="+"`` writes every sign.

    Examples
    --------
    >>> digits(-0.004), digits(-0.25), digits(0.3, "+"), digits(-0.001, "+")
    ('0.00', '−0.25', '+0.30', '0.00')
    """
    rounded = round(value, 2) + 0.0
    return f"{rounded:{sign if rounded else ''}.2f}".replace("-", "−")


def interval_text(value: float, lower: float, upper: float, sign: str = "") -> str:
    """Write an estimate with its interval.

    Examples
    --------
    >>> interval_text(0.5, -0.1, 1.1)
    '0.50 (−0.10 to 1.10)'
    """
    return f"{digits(value, sign)} ({digits(lower, sign)} to {digits(upper, sign)})"


def reason_of(code: str) -> str:
    """Write a reason code in the words that stand in place of a number."""
    return SHORT.get(code, "not available")


def without_doi(source: str) -> str:
    """Leave out of a source what a figure has no room for.

    Examples
    --------
    >>> without_doi("Author 2020 Journal 1:2, doi:10.1/x, NCT01")
    'Author 2020 Journal 1:2, NCT01'
    """
    return re.sub(r",? ?doi:[^\s,]+", "", source)


# ---------------------------------------------------------------- gene sets and scores


def set_label(data: FigureData, name: str, sign: bool = False) -> str:
    """Write the label of a set, with a dagger if its coverage is low or it has no score.

    ``sign=True`` marks signed sets with ±.
    """
    row = data.sets.loc[name]
    # The block's heading already says "Itch" or "Cells".
    label = str(row["label"]).partition(": ")[2] or str(row["label"])
    label = shorten(label[:1].upper() + label[1:], MOST_LETTERS)
    if sign and row["signed"]:
        label = f"{label} ±"
    return f"{label} †" if row["status"] != "ok" else label


def score_label(data: FigureData, name: str) -> str:
    """Write the name of a score for people; some scores of the index are no gene sets."""
    if name in DERIVED:
        return DERIVED[name][0]
    if name in data.sets.index:
        return str(data.sets.loc[name, "label"])
    # A published list of disease genes is known by the name of its file.
    return f"Disease axis of a list: {name.replace('_', ' ')}"


def signed_note(data: FigureData, names: list[str]) -> str:
    """Say what a high score means, for the kinds of sets that are among some sets."""
    signed = data.sets.loc[names, "signed"]
    notes = []
    if signed.any():
        notes.append(
            "Signed sets: higher = further in the direction of lesional skin of atopic dermatitis, "
            "also where the genes of the set go down there."
        )
    if not signed.all():
        notes.append("Unsigned sets: higher = more expression.")
    return " ".join(notes)


def coverage_notes(data: FigureData, names: list[str]) -> list[str]:
    """Write why sets carry a dagger."""
    sets = data.sets.loc[names]
    counts = data.tables["coverage"].set_index("set")
    low = sets.loc[sets["status"] != "ok", "label"].to_frame().join(counts[["found", "asked"]])
    parts = [
        f"{shorten(label, MOST_LETTERS)} {found}/{asked}"
        for label, found, asked in low.itertuples(index=False, name=None)
    ]
    if not parts:
        return []
    return ["† low coverage or not scored; genes found of genes asked: " + "; ".join(parts) + "."]


def why_no_index(data: FigureData, rows: pd.DataFrame) -> str:
    """Say in one sentence why scores (reference, name, reason) have no index.

    Without rows the cohort has no visit.
    """
    if rows.empty:
        why = data.why_no(ComparisonKind.CHANGE)
        return f"an index needs lesional skin before and after treatment; {why}"
    parts = ["no index could be estimated"]
    for reference in sorted(set(rows["reference"]), reverse=True):
        own = rows[rows["reference"] == reference].drop_duplicates("name")
        labels = [score_label(data, name) for name in own["name"]]
        reasons = [str(reason) or "no interval" for reason in own["reason"]]
        grouped = grouped_by(reasons, labels)
        written = [f"{reason} ({', '.join(names)})" for reason, names in grouped.items()]
        parts.append(f"against {reference} skin: {'; '.join(written)}")
    return typeset(". ".join(parts).rstrip("."))


def plan_note(data: FigureData, index: pd.DataFrame) -> list[str]:
    """Say by which plan p-values of the primary family are adjusted, and how many stand.

    `index` has the columns of index.tsv, against one reference or several.
    """
    planned = index[index["adjusted_p_value"].notna()]
    if planned.empty:
        return []
    settings, notes = data.settings.index, []
    level = 1 - settings.confidence
    for reference, rows in planned.groupby("reference", sort=False):
        known = int((rows["adjusted_p_value"] < level).sum())
        tested = " and ".join(dict.fromkeys(rows["tested"]))
        against = f" against {reference} skin" if planned["reference"].nunique() > 1 else ""
        notes.append(f"{len(rows)} tests of {tested}{against}, {known} below {level:.2g}")
    plan = PLANS[settings.multiplicity]
    return [
        f"Primary family: {plan}; {'; '.join(notes)} after adjustment (column adjusted_p_value)."
    ]


def estimator_note(index: pd.DataFrame, by: str = "arm") -> list[str]:
    """Name the arms, or cohorts, whose means are those of a model, because visits are missing."""
    named = dict.fromkeys(index.loc[index["estimator"] == Estimator.MMRM, by])
    if not named:
        return []
    return [
        f"MMRM ({', '.join(map(str, named))}): patients missed visits, so that means come from a "
        "mixed model for repeated measures of all visits, not from those who stayed."
    ]


def same_note(data: FigureData, references: Iterable[str]) -> str:
    """Say what the mark beside an index means."""
    skins = " or ".join(references)
    margin = data.settings.index.equivalence_margin
    return f"within {margin:g} of {skins} skin,\ntwo one-sided tests"


def grouped_by(keys: Iterable[str], values: Iterable[str]) -> dict[str, list[str]]:
    """Collect values under their keys, in the order in which they come.

    Examples
    --------
    >>> grouped_by(["a", "b", "a"], ["1", "2", "3"])
    {'a': ['1', '3'], 'b': ['2']}
    """
    found: dict[str, list[str]] = {}
    for key, value in zip(keys, values, strict=True):
        found.setdefault(key, []).append(value)
    return found
