"""How gene sets, scores of the index, comparisons and numbers are written in every figure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import pandas as pd

from adnorm.base.text import typeset
from adnorm.figures.theme import shorten
from adnorm.study.vocabulary import Arm, ComparisonKind, DerivedScore, ReasonCode, State

if TYPE_CHECKING:
    from adnorm.figures.data import CohortData, FigureData

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
    ReasonCode.UNBOUNDED: "interval unbounded",
    ReasonCode.OTHER_DISEASE: "another disease",
}
KINDS: dict[str, str] = {
    ComparisonKind.LESIONAL_NONLESIONAL: "lesional − nonlesional",
    ComparisonKind.LESIONAL_HEALTHY: "lesional − healthy",
    ComparisonKind.NONLESIONAL_HEALTHY: "nonlesional − healthy",
    ComparisonKind.CHANGE: "Change from baseline",
    ComparisonKind.CHANGE_DIFFERENCE: "Difference of changes",
    ComparisonKind.RESIDUAL: "Remaining difference from nonlesional",
    ComparisonKind.RESIDUAL_HEALTHY: "Remaining difference from healthy",
}
DISEASE_KINDS = tuple(KINDS)[:3]


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


def empty_note(names: list[str], what: str) -> list[str]:
    """Write one note that lists names, or none."""
    return [f"{what} ({len(names)}): {', '.join(names)}"] if names else []


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
    parts = [
        f"{shorten(row['label'], MOST_LETTERS)} "
        f"{counts.loc[name, 'found']}/{counts.loc[name, 'asked']}"
        for name, row in sets[sets["status"] != "ok"].iterrows()
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


# ---------------------------------------------------------------- comparisons


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


def in_words(contrast: str, kind: str, arms: list[str], week: bool = True) -> str:
    """Write a comparison for people.

    Examples
    --------
    >>> in_words("change:a-placebo@4", "change-difference", ["placebo", "a"])
    'Difference of changes: a − placebo, week 4'
    >>> in_words("lesional-nonlesional@0", "lesional-nonlesional", ["a"])
    'Disease: lesional − nonlesional, baseline'
    >>> in_words("lesional-nonlesional:a@4", "lesional-nonlesional", ["a"], week=False)
    'Under treatment: lesional − nonlesional, a'
    >>> in_words("residual", "residual", ["a"])
    'Remaining difference from nonlesional'
    """
    title = KINDS.get(kind, kind)
    if "@" not in contrast:
        return title
    group, when = split_contrast(contrast)
    first, second = split_arms(group, [*arms, "placebo"])
    arm = f"{first} − {second}" if second else first
    if kind not in DISEASE_KINDS:
        text = f"{title}: {arm}"
    elif ":" in contrast:
        text = f"{later_title([arm])}, {arm}"
    else:
        text = f"Disease: {title}"
    return f"{text}, {f'week {when:g}' if when else 'baseline'}" if week else text


def later_title(arms: list[str]) -> str:
    """Name the comparisons of lesional and nonlesional skin after baseline."""
    treated = any(arm != Arm.UNTREATED for arm in arms)
    return f"{'Under treatment' if treated else 'Later visits'}: lesional − nonlesional"


def n_text(data: CohortData, contrast: str, kind: str, n: int) -> str:
    """Write how many patients a comparison rests on, both numbers where two groups are compared.

    ``9`` patients who have both, ``9 v 3`` patients against healthy people, ``13+11`` patients of
    two arms.
    """
    group, week = split_contrast(contrast)
    sampled = data.sampled

    def people(state: str, when: float, arm: str = "") -> set[str]:
        return sampled.get((state, when, arm), set())

    if kind.endswith(State.HEALTHY):
        state = State.NONLESIONAL if kind.startswith(State.NONLESIONAL) else State.LESIONAL
        patients = people(state, week, group if ":" in contrast else "")
        sides, join = (len(patients), len(people(State.HEALTHY, 0, Arm.HEALTHY))), " v "
    elif kind == ComparisonKind.CHANGE_DIFFERENCE:
        both = split_arms(group, data.arms)
        sides = tuple(
            len(people(State.LESIONAL, week, arm) & people(State.LESIONAL, 0, arm)) for arm in both
        )
        join = "+"
    else:
        return str(n)
    return join.join(map(str, sides)) if sum(sides) == n else str(n)
