"""How gene sets, scores of the index, comparisons and numbers are written in every figure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pandas as pd

from adnorm.base.text import typeset
from adnorm.figures.theme import Style, shorten
from adnorm.study.diseases import other_than_atopic
from adnorm.study.vocabulary import (
    EXPLORATORY,
    ComparisonKind,
    DerivedScore,
    Estimator,
    Multiplicity,
    ReasonCode,
    Status,
)

if TYPE_CHECKING:
    from adnorm.figures.data import FigureData

DIRECTION_NOTE = "▲▼ direction expected in lesional skin of atopic dermatitis."
MOST_LETTERS = 45
#: More sets with low coverage than this are counted, not listed.
MOST_LOW = 12
#: Scores of the index that are no gene sets: label and category.
DERIVED: dict[str, tuple[str, str]] = {
    DerivedScore.GLOBAL: ("Whole disease axis", "global"),
    DerivedScore.ITCH_MINUS_TH2: ("Itch: core without Th2 genes", "itch"),
}
#: What stands where there is no number, by reason code.
SHORT: dict[str, str] = {
    ReasonCode.NO_REFERENCE: "no reference",
    ReasonCode.DENOM_NOT_ESTIMABLE: "baseline difference too small",
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
#: The response of one patient: as a mixed model estimates it, and as two biopsies show it.
ESTIMATED, OBSERVED = "estimated response", "observed response"
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


def bound(value: float, sign: str = "") -> str:
    """Write the end of an interval; one that is not 0 is never written as 0.

    Examples
    --------
    >>> bound(0.25), bound(0.004, "+"), bound(-0.0004), bound(0.0)
    ('0.25', '+0.004', '−0.0004', '0.00')
    """
    if not value or round(value, 2):
        return digits(value, sign)
    places = -math.floor(math.log10(abs(value)))
    return f"{value:{sign}.{places}f}".replace("-", "−")


def interval_text(value: float, lower: float, upper: float, sign: str = "") -> str:
    """Write an estimate with its interval; a reader sees on which side of 0 its ends are.

    Examples
    --------
    >>> interval_text(0.5, -0.1, 1.1)
    '0.50 (−0.10 to 1.10)'
    >>> interval_text(0.2, 0.003, 0.4)
    '0.20 (0.003 to 0.40)'
    """
    return f"{digits(value, sign)} ({bound(lower, sign)} to {bound(upper, sign)})"


def people(patients: float, placebo: float = 0.0, of_lesions: bool = False) -> str:
    """Write how many patients stand behind a number: of one group, or of drug and placebo.

    Where lesions of a patient are in several arms (`of_lesions`), both have the same patients.

    Examples
    --------
    >>> people(13), people(13.0, 11), people(6, 6, of_lesions=True)
    ('n = 13', 'n = 13 and 11', 'n = 6')
    """
    groups = [patients, placebo] if placebo > 0 else [patients]
    return f"n = {' and '.join(f'{count:g}' for count in groups[-1 if of_lesions else 0 :])}"


def p_text(value: float) -> str:
    """Write a p value.

    Examples
    --------
    >>> p_text(0.0004), p_text(0.0412)
    ('< 0.001', '0.041')
    """
    return "< 0.001" if value < 0.001 else f"{value:.2g}"


def side_of(lower: float, upper: float) -> int:
    """Say where an interval lies: 1 above 0, −1 below 0, 0 around it."""
    return int(lower > 0) - int(upper < 0)


# ---------------------------------------------------------------- what is exploratory


def exploratory_rows(rows: pd.DataFrame, difference: bool = False) -> pd.Series:
    """Tell which rows of an index (or, with `difference`, which of its dNI) are exploratory.

    Where the index is exploratory, so is its difference from placebo, which has a smaller placebo
    arm besides.
    """
    found = rows["status"].astype(object) == Status.EXPLORATORY
    if difference:
        why = rows["dni_reason"].astype(object).fillna("").astype(str)
        found |= why.str.startswith(Status.EXPLORATORY)
    return found.astype(bool)


def why_exploratory(reason: Any) -> str:
    """Give the words after the mark in the reason of an exploratory result."""
    return str(reason).removeprefix(f"{Status.EXPLORATORY}: ")


def marked(text: str, exploratory: bool) -> str:
    """Write a number with the mark of what is exploratory."""
    return f"{text}{EXPLORATORY}" if exploratory else text


def slanted(exploratory: bool) -> Style:
    """Style of a text that is exploratory."""
    return {"style": "italic"} if exploratory else {}


#: What combined trials say that agree too well; more than so many are told by their range.
_CLOSE = re.compile(r"by these alone the interval would be ± (\d\S*)")
MOST_CLOSE = 5


def exploratory_note(reasons: Iterable[str]) -> list[str]:
    """Say what the mark means and why results of a figure carry it, from their reasons.

    Examples
    --------
    >>> exploratory_note(["exploratory: the smallest group has 3 people"])
    ['° exploratory: a small group (as few as 3 people).']
    """
    texts = {part for text in reasons if text for part in _doubts(text)}
    if not texts:
        return []
    sizes = [int(n) for text in texts for n in re.findall(r"smallest group has (\d+) ", text)]
    small = [text for text in texts if re.search(r"fewer than \d+ (people|patients)", text)]
    faint = [text for text in texts if "standard errors away" in text]
    parts = []
    if sizes:
        parts.append(f"a small group (as few as {min(sizes)} people)")
    elif small:
        parts.append(re.search(r"fewer than \d+ (people|patients)", min(small)).group())  # type: ignore[union-attr]
    if faint:
        parts.append("a disease effect that is hardly large enough to divide by (wide interval)")
    others = texts - set(small) - set(faint) - {t for t in texts if "smallest group has" in t}
    close = sorted(float(found[1]) for t in others if (found := _CLOSE.fullmatch(t)))
    if len(close) > MOST_CLOSE:
        others = {text for text in others if not _CLOSE.fullmatch(text)}
        others.add(f"by these alone the interval would be ± {close[0]:.2g} to {close[-1]:.2g}")
    return [f"{EXPLORATORY} exploratory: {'; '.join([*parts, *sorted(others)])}."]


def _doubts(reason: str) -> list[str]:
    """Split the reason of an exploratory result into its parts; other reasons have none."""
    if not reason.startswith(Status.EXPLORATORY):
        return []
    text = reason.removeprefix(Status.EXPLORATORY).lstrip(": ")
    return [part.strip() for part in text.split(";") if part.strip()]


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
        if disease := other_disease(data):
            notes.append(f"In {disease} these directions are borrowed, not its own.")
    if not signed.all():
        notes.append("Unsigned sets: higher = more expression.")
    return " ".join(notes)


def other_disease(data: FigureData) -> str:
    """Name the disease of a cohort whose disease is not atopic dermatitis; else empty."""
    return other_than_atopic(str(data.facts.get("disease") or ""))


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
    if len(parts) > MOST_LOW:
        return [
            f"† low coverage or not scored: {len(parts)} of {len(names)} sets; the figure of their "
            "coverage has the genes measured of the genes in each set."
        ]
    return [
        "† low coverage or not scored; genes measured of genes in the set: "
        + "; ".join(parts)
        + "."
    ]


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
    level = data.level
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
