"""What a cohort answers, in words and numbers: decided here, told everywhere else.

Page one, the overview of a cohort, answers.html and `adnorm summary` say what stands here, and the
figure ``answer`` draws it. Arms and visits are chosen by the design (the highest dose of every drug
at its last visit, and at its first one for how early), never by the outcome. Numbers are those of
index.tsv; nothing is estimated here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError
from adnorm.base.files import read_json, write_json
from adnorm.base.text import counted, points, typeset
from adnorm.figures.data import IndexData, classes_of, known_reference, rows_of
from adnorm.figures.labels import DERIVED, EXPLORATORY, reason_of, score_label
from adnorm.study.diseases import ATOPIC_DERMATITIS, same_disease
from adnorm.study.vocabulary import (
    DISAGREES,
    DOUBTED_LABELS,
    Analysis,
    Arm,
    ComparisonKind,
    DerivedScore,
    DrugFamily,
    Estimator,
    Question,
    ReasonCode,
    State,
    Statistic,
    Status,
    drug_family,
)

#: The score that the question is about; else the first itch score of the primary family.
ITCH = "itch_core_skin_up"
#: Class of a placebo or vehicle arm in a cohort file.
PLACEBO_CLASS = "placebo"
#: What sentences say of a score whose label would not fit into one.
NOUNS = {
    ITCH: "the itch gene signature",
    DerivedScore.GLOBAL: "the whole disease axis",
}
NO_THERAPY = "This is gene expression, not itch."
#: Why something cannot be known; `{skin}` is what was compared with.
BECAUSE: dict[str, str] = {
    ReasonCode.NO_REFERENCE: "no {skin} skin was sampled before treatment",
    ReasonCode.DENOM_NOT_ESTIMABLE: "the difference between lesional and {skin} skin before "
    "treatment is too small, or known too poorly, to set a change against it",
    ReasonCode.DIRECTION_CONTRADICTED: "before treatment, lesional skin differs from {skin} skin "
    "in the opposite direction to the published one",
    ReasonCode.LOW_COVERAGE: "too few of its genes were measured",
    ReasonCode.UNSIGNED: "its genes have no disease direction",
    ReasonCode.NOT_SCORED: "it could not be scored in this cohort",
    ReasonCode.TOO_FEW_PAIRS: "too few patients have skin of both visits",
    ReasonCode.NO_PLACEBO: "the cohort has no placebo arm",
    ReasonCode.NOT_RANDOMISED: "patients did not come into the arms at random",
    ReasonCode.UNBOUNDED: "its interval has no end",
    ReasonCode.OTHER_DISEASE: "it is of another disease",
}

#: What is changed against the primary analysis, in the order of the table.
ANALYSES: dict[str, str] = {
    Analysis.UNADJUSTED: "Plain difference from placebo, not given the baseline",
    Analysis.SIGN_FLIPS: "NI: exact p, baseline and visit exchanged within patients",
    Analysis.OBSERVED_PAIRS: "Only patients with both samples, no model of all visits",
    Analysis.COMPLETERS: "Only patients with all visits",
    Analysis.DELTA_ADJUSTED: "Patients who missed the visit taken to be worse",
    Analysis.TIME_MATCHED: "Against nonlesional skin of the same visit",
    Analysis.TMM: "Counts made comparable by TMM",
    Analysis.MEDIAN_OF_RATIOS: "Counts made comparable by median of ratios",
    Analysis.LIBRARY_SIZE: "Counts made comparable by library size alone",
    Analysis.SSGSEA: "ssGSEA in place of the signed z score",
    Analysis.COMPOSITION_ADJUSTED: "Without what cell composition explains",
    Analysis.WITH_COMPOSITION_GENES: "Axis with the genes of cell composition",
    Analysis.WITHOUT_COMPOSITION_GENES: "Without the genes of cell composition",
}


def side_of(lower: float, upper: float) -> int:
    """Say where an interval lies: 1 above 0, −1 below 0, 0 around it."""
    return int(lower > 0) - int(upper < 0)


# ---------------------------------------------------------------- what is told


@dataclass(frozen=True)
class Estimate:
    """One score of one arm at its first or last visit.

    Attributes
    ----------
    visit
        ``first``, ``last``, or ``only``.
    highest
        Whether the arm is the highest dose of its drug.
    measure
        ``dNI``, or ``NI`` where the arm is not compared with placebo.
    value, lower, upper
        As in index.tsv; ``None`` where `reason` says why there is no number.
    ni
        The index of the arm alone with its interval; ``None`` without.
    pairs, placebo_pairs
        Patients behind it; the second is 0 without placebo.
    people
        The same in words: ``n = 13 and 11``.
    exploratory
        Why it is exploratory; empty where it is not.
    reason_code, reason, short
        Why there is no number, or no comparison with placebo; `short` is for a cell of a table.
    """

    arm: str
    week: float
    visit: str
    highest: bool
    name: str
    label: str
    reference: str
    measure: str
    value: float | None
    lower: float | None
    upper: float | None
    ni: tuple[float, float, float] | None
    pairs: int
    placebo_pairs: int
    people: str
    adjusted_p_value: float | None
    exploratory: str
    reason_code: str
    reason: str
    short: str

    @property
    def known(self) -> bool:
        """Whether there is a number."""
        return self.value is not None

    @property
    def apart(self) -> int:
        """The side of the interval; 0 also without a number."""
        if self.lower is None or self.upper is None:
            return 0
        return side_of(self.lower, self.upper)

    @property
    def numbers(self) -> tuple[float, float, float]:
        """Value and interval; only of what is known."""
        assert self.value is not None and self.lower is not None and self.upper is not None
        return self.value, self.lower, self.upper


@dataclass(frozen=True)
class Told:
    """What is said of one arm: the answer about itch, and one sentence about the other scores."""

    arm: str
    sentence: str
    others: str


@dataclass(frozen=True)
class Answer:
    """What one cohort answers.

    Attributes
    ----------
    treated
        Whether any arm got a drug; the others are references.
    controlled
        Whether drugs are compared with a randomised placebo arm.
    classes
        Drug class by arm, of arms that got a drug.
    banners
        What casts doubt on everything, most important first.
    told
        By arm, the highest dose of every drug.
    sentence
        What stands where `told` is empty.
    care
        What to keep in mind, one sentence each.
    estimates
        Numbers behind the words and the picture, itch first.
    primary
        Labels of the primary family in the order of the configuration.
    """

    cohort: str
    title: str
    disease: str
    simulated: bool
    treated: bool
    controlled: bool
    placebo: str
    confidence: str
    size: str
    classes: dict[str, str]
    banners: list[str]
    told: list[Told]
    sentence: str
    care: list[str]
    primary: list[str]
    estimates: list[Estimate] = field(repr=False)

    @property
    def sentences(self) -> list[str]:
        """All that is said, in order."""
        return [part for t in self.told for part in (t.sentence, t.others) if part] or [
            self.sentence
        ]

    @property
    def other_disease(self) -> str:
        """The disease, where it is another one than atopic dermatitis."""
        alike = not self.disease or same_disease(self.disease, ATOPIC_DERMATITIS)
        return "" if alike else self.disease

    @property
    def rank(self) -> tuple[bool, bool, bool, bool, bool, str]:
        """Place among the cohorts of a run, by the design: treated, real, of the disease first."""
        families = {drug_family(drug_class) for drug_class in self.classes.values()}
        jak = DrugFamily.JAK_INHIBITOR in families
        other = bool(self.other_disease)
        return (
            not self.treated, self.simulated, other, not self.controlled, not jak, self.cohort,
        )  # fmt: skip


def write_answer(answer: Answer, path: Path) -> None:
    """Write an answer as JSON, for what joins cohorts and for terminals."""
    # Terminals put cohorts in the same order as page one.
    write_json(asdict(answer) | {"rank": answer.rank}, path)


def read_answer(path: Path) -> Answer:
    """Read what `write_answer` wrote.

    Raises
    ------
    AdnormError
        The file is absent, no JSON, or of another version.
    """
    found = read_json(path)
    try:
        estimates = [
            Estimate(**row | {"ni": tuple(row["ni"]) if row["ni"] else None})
            for row in found.pop("estimates")
        ]
        told = [Told(**part) for part in found.pop("told")]
        found.pop("rank")
        return Answer(**found, told=told, estimates=estimates)
    except (KeyError, TypeError) as error:
        raise AdnormError(
            f"{path}: written by another version of adnorm; run the workflow again"
        ) from error


# ---------------------------------------------------------------- the choice


def drug_arms(data: IndexData) -> dict[str, bool]:
    """List the arms that got a drug, in display order, and whether each is its highest dose."""
    sheet = data.observations.drop_duplicates("arm").set_index("arm")
    idle = {data.placebo, Arm.UNTREATED, Arm.HEALTHY, Arm.ALL}
    classes = classes_of(data.observations)
    idle |= {arm for arm, drug_class in classes.items() if drug_class == PLACEBO_CLASS}
    arms = [arm for arm in data.arms if arm not in idle]
    # Arms stand in the order of their doses, so that the last one of a drug is its highest.
    best = {str(sheet.loc[arm, "treatment"]): arm for arm in arms}
    return {arm: arm in best.values() for arm in arms}


def highest_doses(data: IndexData) -> list[str]:
    """List the highest dose of every drug."""
    return [arm for arm, highest in drug_arms(data).items() if highest]


def primary_rows(data: IndexData) -> pd.DataFrame:
    """Rows of index.tsv of the primary family, against the reference that is told."""
    index = data.tables["index"]
    rows = index[index["name"].isin(data.primary)]
    reference = known_reference(rows, "ni") or str(data.facts.get("reference") or "")
    if reference not in set(rows["reference"]):
        reference = next(iter(sorted(set(rows["reference"]), reverse=True)), "")
    return rows[rows["reference"] == reference]


def itch_score(data: IndexData) -> str:
    """Name the score that the answer is about: core itch, or what the configuration has of it."""
    itch = [
        name
        for name in data.primary
        if DERIVED.get(name, ("", ""))[1] == "itch"
        or (name in data.sets.index and data.sets.loc[name, "category"] == "itch")
    ]
    return ITCH if ITCH in data.primary else next(iter([*itch, *data.primary]))


def estimates(data: IndexData) -> list[Estimate]:
    """List the primary scores of every arm at its first and last visit, itch first."""
    rows = primary_rows(data)
    first = itch_score(data)
    names = [first, *(name for name in data.primary if name != first)]
    found = []
    for arm, highest in drug_arms(data).items():
        own = rows[rows["arm"] == arm]
        if own.empty:
            continue
        ends = own["week"].min(), own["week"].max()
        visits = {"first": ends[0], "last": ends[1]} if ends[0] < ends[1] else {"only": ends[0]}
        for visit, week in visits.items():
            seen = own[own["week"] == week].drop_duplicates("name").set_index("name")
            found += [
                _estimate(data, seen.loc[name], name, visit, highest)
                for name in names
                if name in seen.index
            ]
    return found


def _estimate(data: IndexData, row: Any, name: str, visit: str, highest: bool) -> Estimate:
    whole = bool(np.isfinite(row[["ni", "lower", "upper"]].to_numpy(dtype=float)).all())
    compared = bool(np.isfinite(row[["dni", "dni_lower", "dni_upper"]].to_numpy(dtype=float)).all())
    columns = ["dni", "dni_lower", "dni_upper"] if compared else ["ni", "lower", "upper"]
    value, lower, upper = (float(row[c]) if compared or whole else None for c in columns)
    exploratory = [str(row["reason"])] if row["status"] == Status.EXPLORATORY else []
    # A difference may rest on few people where the arm alone does not.
    if compared and str(row["dni_reason"]).startswith(Status.EXPLORATORY):
        exploratory.append(str(row["dni_reason"]))
    why = "; ".join(dict.fromkeys(e.removeprefix(f"{Status.EXPLORATORY}: ") for e in exploratory))
    lacking = ("reason_code", "reason") if not whole else ("dni_reason_code", "dni_reason")
    code, reason = ("", "") if compared else (_text(row[column]) for column in lacking)
    measure = (Statistic.DNI if compared else Statistic.NI).value
    # A p-value belongs to what was tested, which may be another number than the one told.
    adjusted = float(row["adjusted_p_value"]) if row["tested"] == measure else np.nan
    pairs, others = int(row["pairs"]), int(row["placebo_pairs"]) if compared else 0
    people = f"n = {pairs} and {others}" if others else f"n = {pairs}"
    if others and data.of_lesions:
        people = f"n = {others}"
    return Estimate(
        arm=str(row["arm"]),
        week=float(row["week"]),
        visit=visit,
        highest=highest,
        name=name,
        label=score_label(data, name),
        reference=str(row["reference"]),
        measure=measure,
        value=value,
        lower=lower,
        upper=upper,
        ni=(float(row["ni"]), float(row["lower"]), float(row["upper"])) if whole else None,
        pairs=pairs,
        placebo_pairs=others,
        people=people,
        adjusted_p_value=adjusted if np.isfinite(adjusted) else None,
        exploratory=why,
        reason_code=code,
        reason=reason,
        short="" if whole or compared else reason_of(code),
    )


def _text(value: Any) -> str:
    return "" if pd.isna(value) else str(value)


# ---------------------------------------------------------------- numbers in sentences


def range_text(lower: float, upper: float) -> str:
    return f"{points(lower)}\u00a0to\u00a0{points(upper)}"


def _marked(share: float, row: Estimate) -> str:
    return f"{points(share)}{EXPLORATORY if row.exploratory else ''}"


def patients(row: Estimate, of_lesions: bool = False) -> str:
    """Say who stands behind a number, in the words of a sentence."""
    if row.measure != Statistic.DNI:
        return counted(row.pairs, "patient")
    if of_lesions:
        return f"{counted(row.placebo_pairs, 'patient')} with a lesion in each arm"
    return f"{row.pairs} and {counted(row.placebo_pairs, 'patient')}"


def _noun(row: Estimate) -> str:
    return _noun_of(row.name, row.label)


def _noun_of(name: str, label: str) -> str:
    return NOUNS.get(name, f"the score “{label}”")


# ---------------------------------------------------------------- sentences


def _because(row: Estimate) -> str:
    """Say why there is no number, and what the table says of it."""
    words = BECAUSE.get(row.reason_code, "").format(skin=skin_of(row.reference))
    detail = typeset(row.reason.removeprefix("too weak to divide by: "))
    if not words:
        return detail or "no interval could be computed"
    plain = {ReasonCode.NO_REFERENCE, ReasonCode.NO_PLACEBO, ReasonCode.NOT_RANDOMISED}
    return words if row.reason_code in plain or not detail else f"{words} ({detail})"


def skin_of(reference: str) -> str:
    return {State.NONLESIONAL.value: "nonlesional"}.get(reference, reference)


def _doubts(data: IndexData, row: Estimate) -> str:
    """Say what a number does not show, for behind its interval."""
    if not row.apart:
        return ", includes 0"
    return ", not significant after adjustment" if _adjusted_away(data, row) else ""


def _adjusted_away(data: IndexData, row: Estimate) -> bool:
    level = 1 - data.settings.index.confidence
    return bool(row.apart) and row.adjusted_p_value is not None and row.adjusted_p_value >= level


def _gone(value: float, lower: float, upper: float, mark: str = "", after: str = "") -> str:
    """Say of an arm alone what was gone, without its name."""
    if value < 0:
        return (
            f"{points(-value)}{mark}\u00a0% further from normal (change back "
            f"{points(value)}\u00a0%, {range_text(lower, upper)}{after})"
        )
    return f"{points(value)}{mark}\u00a0% ({range_text(lower, upper)}{after})"


def _early(data: IndexData, row: Estimate, first: Estimate | None) -> list[str]:
    """Say in a sentence what the first visit after baseline shows, in words of its own."""
    if first is None:
        return []
    when = f"At week {first.week:g}, the first visit after baseline,"
    if not first.known:
        return [f"{when} this cannot be known ({first.short})."]
    value, lower, upper = first.numbers
    after = _doubts(data, first)
    if first.measure != Statistic.DNI:
        mark = EXPLORATORY if first.exploratory else ""
        alone = " in this arm alone" if row.measure == Statistic.DNI else ""
        return [f"{when} {_gone(value, lower, upper, mark, after)}{alone}."]
    way = "less" if value < 0 else "more"
    than = "" if row.measure == Statistic.DNI else f" percentage points {way} than {data.placebo}"
    inner = f"{range_text(lower, upper)}{after}"
    inner = f"difference {points(value)}, {inner}" if value < 0 else inner
    return [f"{when} {_marked(abs(value), first)}{than or f' {way}'} ({inner})."]


def _of_placebo(data: IndexData, row: Estimate) -> str:
    """Say in a clause what was gone in both arms: a difference alone tells neither."""
    if row.ni is None:
        return ""
    rows = primary_rows(data)
    rows = rows[(rows["arm"] == data.placebo) & (rows["name"] == row.name)]
    own = next(iter(rows_of(rows[(rows["week"] == row.week) & rows["ni"].notna()])), None)
    value, lower, upper = row.ni
    mark = EXPLORATORY if row.exploratory else ""
    text = f"{points(value)}{mark}\u00a0% of it was gone ({range_text(lower, upper)})"
    if value < 0:
        text = f"it was {_gone(value, lower, upper, mark)}"
    if own is None:
        return f": {text}"
    few = EXPLORATORY if own.status == Status.EXPLORATORY else ""
    other = f"{points(abs(own.ni))}{few}\u00a0%"
    return f": {text}, on {data.placebo} {other}{' further from normal' if own.ni < 0 else ''}"


def _compared(data: IndexData, row: Estimate, first: Estimate | None, arm: str) -> list[str]:
    """Answer with the difference from placebo."""
    value, lower, upper = row.numbers
    ci = f"{data.confidence} CI".replace(" %", "\u00a0%")
    who = patients(row, data.of_lesions)
    placebo = data.placebo
    way = "less" if value < 0 else "more"
    inner = f"{ci} {range_text(lower, upper)}; {who}"
    inner = f"difference {points(value)}, {inner}" if value < 0 else inner
    told = [
        f"At week {row.week:g}, {arm} had removed {_marked(abs(value), row)} percentage points "
        f"{way} of {_noun(row)} than {placebo}, given the score at baseline ({inner})"
        f"{_of_placebo(data, row)}."
    ]
    if not row.apart:
        told.append(
            f"The interval includes 0: whether {row.arm} removed more of it than {placebo} cannot "
            "be told."
        )
    elif row.apart < 0:
        told.append(f"{row.arm} removed less of it than {placebo}.")
    if _adjusted_away(data, row):
        told.append(
            "This is not significant after adjustment for all tests of the primary family "
            f"(adjusted p = {row.adjusted_p_value:.2g})."
        )
    return [*told, *_early(data, row, first)]


def _alone(data: IndexData, row: Estimate, first: Estimate | None, arm: str) -> list[str]:
    """Answer with the arm alone, and say that it is uncontrolled."""
    value, lower, upper = row.numbers
    inner = f"{data.confidence} CI {range_text(lower, upper)}; {patients(row)}".replace(
        " %", "\u00a0%"
    )
    if value < 0:
        told = [
            f"At week {row.week:g}, {_noun(row)} was {_marked(-value, row)}\u00a0% further from "
            f"normal under {arm} than before treatment (change back {points(value)}\u00a0%, "
            f"{inner})."
        ]
    else:
        told = [
            f"At week {row.week:g}, {_marked(value, row)}\u00a0% of {_noun(row)} was gone under "
            f"{arm} ({inner})."
        ]
    if not row.apart:
        told.append("The interval includes 0: whether anything changed cannot be told.")
    if _adjusted_away(data, row):
        told.append(
            "This is not significant after adjustment for all tests of the primary family "
            f"(adjusted p = {row.adjusted_p_value:.2g})."
        )
    told += _early(data, row, first)
    if row.reason_code == ReasonCode.NO_PLACEBO or not data.placebo:
        told.append(
            "There is no placebo arm: how much of it is due to the drug cannot be told "
            "(uncontrolled)."
        )
    else:
        told.append(
            f"How this compares with {data.placebo} cannot be known, because {_because(row)} "
            "(uncontrolled)."
        )
    return told


def _answer_of_arm(data: IndexData, arm: str, rows: Sequence[Estimate]) -> Told:
    """Make the sentences of one arm from its estimates (of all its scores and visits)."""
    disease = other_disease(data)
    named = f"{arm} (in {disease})" if disease else arm
    own = [row for row in rows if row.arm == arm]
    if not own:
        why = (
            "no lesional skin was sampled after baseline"
            if data.tables["index"].empty or not data.tables["index"]["arm"].eq(arm).any()
            else "the primary family has no score in this cohort"
        )
        return Told(arm, f"What changed under {named} cannot be known, because {why}.", "")
    last = [row for row in own if row.visit != "first"]
    early = {row.name: row for row in own if row.visit == "first"}
    name = itch_score(data)
    main = next((row for row in last if row.name == name), None)
    first = early.get(name)
    rest = [row for row in last if row.name != name]
    noun = _noun_of(name, score_label(data, name))
    if main is None or not main.known:
        why = _because(main) if main else "index.tsv has no row of it at this visit"
        parts = [
            f"How much of {noun} was gone under {named} by week {last[0].week:g} cannot be known, "
            f"because {why}."
        ]
        # What the last visit cannot tell, the first one may.
        if first and first.known:
            tell = _compared if first.measure == Statistic.DNI else _alone
            parts += tell(data, first, None, named)
    else:
        tell = _compared if main.measure == Statistic.DNI else _alone
        parts = tell(data, main, first, named)
        if main.visit == "only":
            parts.append("There is one visit after baseline only.")
    few = [row for row in (main, first) if row and row.known and row.exploratory]
    told = _of_others(data, rest)
    if few:
        parts.append(_why_exploratory(few))
    elif any(row.known and row.exploratory for row in rest):
        told += " " + _why_exploratory([row for row in rest if row.known and row.exploratory])
    return Told(arm, " ".join(parts), told)


def _why_exploratory(rows: Sequence[Estimate]) -> str:
    reasons = dict.fromkeys(row.exploratory for row in rows)
    return f"{EXPLORATORY} exploratory: {typeset('; '.join(reasons))}."


def _of_others(data: IndexData, rows: Sequence[Estimate]) -> str:
    """Say in one sentence what became of the other scores of the primary family."""
    known = [row for row in rows if row.known]
    parts = [_in_short(data, row) for row in known]
    unknown = [f"{row.label} ({row.short})" for row in rows if not row.known]
    if not parts:
        return f"Of the other primary scores, not known: {'; '.join(unknown)}." if unknown else ""
    measure = f"percentage points more than {data.placebo}, below 0: less"
    if all(row.measure == Statistic.NI for row in known):
        measure = "per cent gone, below 0: further from normal"
    elif any(row.measure == Statistic.NI for row in known):
        measure = f"in percentage points, minus {data.placebo} where it says so"
        parts = [
            f"{part} minus {data.placebo}" if row.measure == Statistic.DNI else part
            for part, row in zip(parts, known, strict=True)
        ]
    # Words for what is below 0 only where something is.
    if all(row.numbers[0] >= 0 for row in known):
        measure = measure.partition(", below 0")[0]
    left = f"; not known: {'; '.join(unknown)}" if unknown else ""
    return f"The other primary scores then ({measure}): {'; '.join(parts)}{left}."


def _in_short(data: IndexData, row: Estimate) -> str:
    value, lower, upper = row.numbers
    inner = f"{range_text(lower, upper)}{_doubts(data, row)}"
    return f"{row.label} {_marked(value, row)}\u00a0({inner})"


def other_disease(data: IndexData) -> str:
    disease = str(data.facts.get("disease") or "")
    return "" if not disease or same_disease(disease, ATOPIC_DERMATITIS) else disease


def _of_reference(data: IndexData) -> str:
    """Say in one sentence what a cohort without drugs is used for."""
    table = data.tables["comparisons"]
    supported = table[table["supported"] == "yes"]
    kinds = supported.drop_duplicates("kind").set_index("kind")
    disease = other_disease(data) or ATOPIC_DERMATITIS
    uses = []
    if ComparisonKind.LESIONAL_NONLESIONAL in kinds.index:
        count = kinds.loc[ComparisonKind.LESIONAL_NONLESIONAL].get("pairs", np.nan)
        who = f" ({counted(int(count), 'patient')})" if np.isfinite(count) else ""
        uses.append(
            f"lesional against nonlesional skin{who}, from which the axis of {disease} of the "
            "other cohorts can be learnt"
        )
    if ComparisonKind.LESIONAL_HEALTHY in kinds.index:
        uses.append("lesional against healthy skin")
    if ComparisonKind.CHANGE in kinds.index:
        uses.append("the natural course over visits without a drug")
    if not uses:
        uses.append("genes and scores of single samples, and the clinic beside them")
    return f"Nobody got a drug here; the cohort shows {'; '.join(uses)}."


# ---------------------------------------------------------------- banners and cautions


def banners(data: IndexData, rows: Sequence[Estimate], treated: bool) -> list[str]:
    """Say what casts doubt on every number of a cohort, most important first."""
    found = []
    if data.facts.get("simulated"):
        found.append(
            "SIMULATED DATA: these numbers were generated by a program and say nothing about any "
            "real drug or patient."
        )
    disease = other_disease(data)
    if disease:
        found.append(f"Another disease than atopic dermatitis: {disease}.")
    if data.facts.get("batch"):
        found.append(f"{data.facts['batch']}.")
    if len(data.moved_controls):
        found.append(
            "Negative controls move: all genes may have moved together (effects/controls.tsv)."
        )
    flagged = _flagged(data)
    if data.many_flagged:
        found.append(f"{flagged}: differences may be technical.")
    if treated and not data.placebo:
        found.append(
            "No placebo arm: what also falls without the drug cannot be told from its effect."
        )
    known = [row for row in rows if row.known and row.visit != "first" and row.highest]
    if known and all(row.exploratory for row in known):
        found.append(f"Exploratory: {typeset(known[0].exploratory)}.")
    return found


def _flagged(data: IndexData) -> str:
    count, total = data.flagged, len(data.samples)
    if not count:
        return ""
    return (
        f"{count:,} of {counted(total, 'sample')} ({points(count / total)}\u00a0%) flagged by "
        "quality control"
    )


def cautions(data: IndexData, rows: Sequence[Estimate]) -> list[str]:
    """Say what a reader of the answer must keep in mind, one sentence each."""
    found = []
    flagged = _flagged(data)
    if flagged and not data.many_flagged:
        found.append(f"{flagged}.")
    doubted = sum(
        bool(set(DOUBTED_LABELS) & set(str(flags).split(";"))) for flags in data.samples["qc_flags"]
    )
    if doubted:
        found.append(
            f"{counted(doubted, 'sample')} may carry the label of another one: see the quality "
            "section of the overview."
        )
    highest = list(dict.fromkeys(row.arm for row in rows if row.highest))
    weeks = {row.arm: row.week for row in rows if row.visit != "first"}
    index = primary_rows(data)
    found += _missing(data, index, highest, weeks)
    found += _drift(data, index, rows, {weeks[arm] for arm in highest})
    found += _otherwise(data, index, weeks, highest)
    found += _contradicted(data, index, weeks, highest)
    if any(row.known and row.reference == State.HEALTHY for row in rows):
        found.append(
            "Measured against the skin of healthy people, not against nonlesional skin of the "
            "same patients."
        )
    return found


def _otherwise(
    data: IndexData, index: pd.DataFrame, weeks: Mapping[str, float], arms: Sequence[str]
) -> list[str]:
    """Say which primary scores another analysis sees otherwise: the ≠ of answers.html."""
    others = data.tables["sensitivities"]
    others = others[others["reference"].isin(set(index["reference"]))]
    found = []
    for arm in arms:
        of_arm = f" of {arm}" if len(arms) > 1 else ""
        rows = index[(index["arm"] == arm) & (index["week"] == weeks[arm])]
        compared = rows["dni"].notna().any()
        ends = ["dni", "dni_lower", "dni_upper"] if compared else ["ni", "lower", "upper"]
        against = data.placebo if compared else "no change"
        primary = rows.dropna(subset=ends).drop_duplicates("name").set_index("name")
        own = others[(others["arm"] == arm) & (others["week"] == weeks[arm])].dropna(subset=ends)
        for analysis, words in ANALYSES.items():
            seen = own[own["analysis"] == analysis].drop_duplicates("name").set_index("name")
            sides: dict[int, list[str]] = {}
            reasons: dict[int, list[str]] = {}
            for name in data.primary:
                if name not in seen.index or name not in primary.index:
                    continue
                row: Any = seen.loc[name]
                first: Any = primary.loc[name]
                value, lower, upper = (float(row[end]) for end in ends)
                if side_of(lower, upper) != side_of(first[ends[1]], first[ends[2]]):
                    few = EXPLORATORY if row["status"] == Status.EXPLORATORY else ""
                    why = _text(row["reason"]).removeprefix(f"{Status.EXPLORATORY}: ")
                    reasons.setdefault(side_of(lower, upper), []).extend([why] if few else [])
                    sides.setdefault(side_of(lower, upper), []).append(
                        f"{score_label(data, name)}{of_arm} ({points(value)}{few}, "
                        f"{range_text(lower, upper)})"
                    )
            for side, parts in sides.items():
                verb = "is" if len(parts) == 1 else "are"
                told = {0: "not distinguishable from", 1: "above", -1: "below"}[side]
                few = typeset("; ".join(dict.fromkeys(reasons[side])))
                after = f" {EXPLORATORY} exploratory: {few}." if few else ""
                found.append(f"{words}, {' and '.join(parts)} {verb} {told} {against}.{after}")
    return found


def of_doses(doses: pd.DataFrame, answer: Answer) -> list[str]:
    """Say in one sentence per drug whether its highest dose did more than the next lower one.

    `doses` is atlas/dose.tsv; a drug of one dose, or without a number, is not spoken of.
    """
    told: list[str] = []
    level = 1 - float(answer.confidence.split()[0]) / 100
    for arm in answer.told:
        last = [row for row in answer.estimates if row.arm == arm.arm and row.visit != "first"]
        if not last or doses.empty:
            continue
        row = last[0]
        here = doses[
            (doses["cohort"] == answer.cohort)
            & (doses["name"] == row.name)
            & (doses["reference"] == row.reference)
            & (doses["week"] == row.week)
            & np.array([row.arm.startswith(f"{drug} ") for drug in doses["drug"].astype(str)])
            & doses[["estimate", "lower", "upper"]].notna().all(axis=1)
            & (doses["question"] == Question.ADJACENT)
            & ~doses["low"].isin(["placebo", answer.placebo])
        ]
        # Among several pairs of doses, that with the dose that is told.
        here = here[np.array([row.arm.endswith(f" {d}") for d in here["high"].astype(str)], bool)]
        for pair in rows_of(here.head(1)):
            told.append(_of_pair(pair, row, level))
    return told


def _of_pair(pair: Any, row: Estimate, level: float) -> str:
    value, lower, upper = float(pair.estimate), float(pair.lower), float(pair.upper)
    mark = EXPLORATORY if pair.status == Status.EXPLORATORY else ""
    number = f"{points(abs(value))}{mark}"
    inner = range_text(lower, upper)
    drug, side = str(pair.drug), side_of(lower, upper)
    if not side:
        return (
            f"Whether {pair.high} of {drug} removed more of {_noun(row)} than {pair.low} by week "
            f"{row.week:g} cannot be told: {points(value)}{mark} percentage points ({inner})."
        )
    if pair.holm_p_value >= level:
        inner = f"{inner}, not significant after adjustment"
    inner = f"difference {points(value)}, {inner}" if side < 0 else inner
    way = "more" if side > 0 else "less"
    return (
        f"At week {row.week:g}, {pair.high} of {drug} had removed {number} percentage points {way} "
        f"of {_noun(row)} than {pair.low} ({inner})."
    )


def _contradicted(
    data: IndexData, index: pd.DataFrame, weeks: Mapping[str, float], arms: Sequence[str]
) -> list[str]:
    """Count the scores that ssGSEA contradicts, for readers who trust that score."""
    others = data.tables["sensitivities"]
    others = others[others["analysis"] == Analysis.SSGSEA]
    others = others[others["reference"].isin(set(index["reference"])) & others["arm"].isin(arms)]
    others = others[others["week"] == others["arm"].map(weeks)]
    if others.empty:
        return []
    apart = others["reason"].fillna("").astype(str).str.contains(DISAGREES, regex=False)
    if not apart.any():
        return []
    compared = int((apart | others["ni"].notna()).sum())
    return [
        f"ssGSEA contradicts the signed z score in {apart.sum()} of {compared} scores at the last "
        "visit."
    ]


def _missing(
    data: IndexData, index: pd.DataFrame, arms: Iterable[str], weeks: Mapping[str, float]
) -> list[str]:
    """Count the biopsies that are missing at the visits that are told."""
    parts = []
    told = [(arm, weeks[arm]) for arm in arms]
    told += [(data.placebo, week) for week in dict.fromkeys(weeks[a] for a in arms)]
    modelled = False
    for arm, week in told:
        here = index[(index["arm"] == arm) & (index["week"] == week)]
        lost = here["lost"].max()
        if arm and len(here) and lost > 0:
            total = int(lost + here["pairs"].max())
            parts.append(f"{int(lost)} of {total} of {arm} at week {week:g}")
            modelled |= bool((here["estimator"] == Estimator.MMRM).any())
    if not parts:
        return []
    model = "a model of all visits allows for it if they are missing at random"
    how = model if modelled else "they are left out"
    return [f"Missing biopsies: {'; '.join(parts)}; {how}."]


def _drift(
    data: IndexData, index: pd.DataFrame, rows: Sequence[Estimate], weeks: set[float]
) -> list[str]:
    """Say how far the itch score moved on placebo alone."""
    if not data.placebo or not rows:
        return []
    name = itch_score(data)
    own = index[(index["arm"] == data.placebo) & (index["name"] == name) & index["ni"].notna()]
    noun = _noun_of(name, score_label(data, name))
    parts, reasons = [], []
    for row in rows_of(own[own["week"].isin(weeks)].sort_values("week")):
        few = row.status == Status.EXPLORATORY
        reasons += [str(row.reason).removeprefix(f"{Status.EXPLORATORY}: ")] if few else []
        size = f"{points(abs(row.ni))}{EXPLORATORY if few else ''}\u00a0%"
        around = ", includes 0" if row.lower <= 0 <= row.upper else ""
        own_range = f"{range_text(row.lower, row.upper)}{around}"
        if row.ni < 0:
            size = f"was {size} further from normal"
            own_range = f"change back {points(row.ni)}\u00a0%, {own_range}"
        else:
            size = f"fell by {size}"
        parts.append(
            f"{size} at week {row.week:g} ({own_range}; {counted(int(row.pairs), 'patient')})"
        )
    why = f" {EXPLORATORY} exploratory: {typeset('; '.join(dict.fromkeys(reasons)))}."
    after = why if reasons else ""
    return [f"On {data.placebo} alone, {noun} {'; '.join(parts)}.{after}"] if parts else []


def across(answers: Iterable[Answer]) -> list[str]:
    """Say what a run cannot tell because of which trials it has, one sentence each."""
    trials: dict[str, list[Answer]] = {}
    treated = [answer for answer in answers if answer.treated]
    for answer in treated:
        for drug_class in dict.fromkeys(answer.classes.values()):
            trials.setdefault(drug_class or "drugs without a class", []).append(answer)
    found = []
    single = [name for name, own in trials.items() if len(own) == 1]
    if single and len(trials) > 1:
        found.append(
            f"One trial per drug class ({', '.join(sorted(single))}): what differs between classes "
            "cannot be told from what differs between trials."
        )
    alone = sorted(answer.cohort for answer in treated if not answer.controlled)
    if alone:
        found.append(f"Uncontrolled, no placebo to compare with: {', '.join(alone)}.")
    kinds = {answer.simulated for answer in treated}
    if len(kinds) > 1:
        found.append("Some cohorts are simulated: their numbers say nothing about real ones.")
    return found


# ---------------------------------------------------------------- the answer of a cohort


def answer_of(data: IndexData) -> Answer:
    """Make what a cohort answers from its tables."""
    arms = drug_arms(data)
    rows = estimates(data)
    told = [_answer_of_arm(data, arm, rows) for arm in highest_doses(data)]
    classes = classes_of(data.observations)
    return Answer(
        cohort=str(data.facts["cohort"]),
        title=str(data.facts.get("title") or data.facts["cohort"]),
        disease=str(data.facts.get("disease") or ""),
        simulated=bool(data.facts.get("simulated")),
        treated=bool(arms),
        controlled=bool(arms) and any(row.measure == Statistic.DNI for row in rows),
        placebo=data.placebo,
        confidence=data.confidence,
        size=data.n,
        classes={arm: classes.get(arm, "") for arm in arms},
        banners=banners(data, rows, bool(arms)),
        told=told,
        sentence="" if arms else _of_reference(data),
        care=cautions(data, rows),
        primary=[score_label(data, name) for name in data.primary],
        estimates=rows,
    )
