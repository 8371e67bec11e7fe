"""Under which treatment a biopsy was taken: the arm of a patient and its dose."""

from __future__ import annotations

import re

import pandas as pd

from adnorm.base.errors import listing
from adnorm.onboarding.drugs import DRUGS, NONE, PLACEBO, Arm, drugs_in, read_arm
from adnorm.onboarding.fields import (
    TITLES,
    Column,
    Line,
    by_fragments,
    counts_of,
    enumerable,
    filled,
    key_rank,
    many,
    spelt,
    together,
)
from adnorm.onboarding.visits import is_number
from adnorm.onboarding.weeks import read_visit
from adnorm.onboarding.words import read_disease, read_state, says_missing
from adnorm.study.cohort import OF_PATIENT

_TREATMENT_KEYS = [
    r"(?:treatment|drug|study|trial|randomi[sz]ed|randomi[sz]ation)_?(?:arm|group|name|assignment)",
    r"treatments?|drugs?|arm|therapy|medication|compound|agent|randomi[sz]ation|intervention"
    r"|(?:study_)?(?:drug|treatment|medication)_?(?:and_)?(?:dose|dosage|regimen)|regimen|study_drug",
    r"group|cohort|dose_group|condition",
]
#: So many of these name the arm itself.
_SURE = 2
#: Treatments that are not the one of the trial, and milligrams that are no dose.
_OTHER_TREATMENT = (
    r"prior|previous|past|history|concomitant|co_?med|rescue|background|last|wash|failed|next"
    r"|before|allerg|_number|number_|count|naive|protocol"
)
_OTHER_MASS = r"weight|amount|\brna|rna_|dna_|input|yield|mass|volume|conc|biopsy_size|protein"
_DOSE_KEYS = [r"dose(?:_?mg)?", r"dosage|treatment_dose|drug_dose", r"dose_(?:level|group)"]


def names_treatment(raw: pd.DataFrame, words: str) -> bool:
    """Whether the series or a field of its samples names a treatment at all."""
    return bool(drugs_in(words)) or _treatment_field(raw) is not None


def propose_treatment(
    raw: pd.DataFrame, words: str, state: Column, patient: pd.Series
) -> tuple[Column, Column | None]:
    """Propose the mappings of treatment and dose.

    Parameters
    ----------
    raw
        Raw metadata.
    words
        Title and summary of the series; a drug that they name explains what samples call "Drug".
    state
        The proposed mapping of the state of skin.
    patient
        The patient of each sample as far as it is known: an arm belongs to a patient.

    Returns
    -------
    treatment : Column
    dose : Column or None
    """
    named = drugs_in(words)
    key = _treatment_field(raw)
    kinds = counts_of(filled(raw, [key])) if key else {}
    if not kinds:
        return _treatment_of_titles(raw, named)
    others = [k for k in _treatment_fields(raw) if k != key]
    told = f"; other fields: {listing(others, 4)}" if others else ""
    column = Column("treatment", [key], f"the arm of a patient{told}")
    arms = {value: _explained(value, named) for value in kinds}
    told = filled(raw, [key]).map(lambda v: arms[v].treatment if v else NONE)
    treated = set(patient[told != NONE].dropna())
    untreated = ["", *(value for value, arm in arms.items() if arm.treatment == NONE)]
    mixed = any(_mixed(patient[filled(raw, [key]) == v], treated) for v in untreated)
    if mixed and len(state.keys) == 1 and not state.pattern:
        # "none" of a healthy person is not the "none" before treatment.
        both = together(raw, [key, *state.keys])
        if (both != "").all():
            column.keys, column.joined = [key, *state.keys], True
            arms = {b: arms[v] for b, v in zip(both, filled(raw, [key]), strict=True)}
            kinds = counts_of(both)
    values = together(raw, column.keys) if column.joined else filled(raw, [key])
    column.lines = [
        _treatment_line(value, number, arms[value], patient[values == value], treated)
        for value, number in kinds.items()
    ]
    empty = values == ""
    if empty.any():
        nothing = Arm(NONE, None, "")
        column.missing = _treatment_line("", int(empty.sum()), nothing, patient[empty], treated)
    return column, _dose(raw, column, arms)


def _mixed(patients: pd.Series, treated: set) -> bool:
    """Whether samples that say one thing belong to treated people and to others."""
    known = patients.dropna()
    return bool(len(known)) and 0 < known.isin(treated).mean() < 1


def names_untreated(treatment: Column) -> bool:
    """Whether a proposal says of every sample that nothing was given."""
    said = {line.value for line in treatment.lines} or {treatment.constant}
    return not treatment.fill and said == {NONE}


def holds_treatment(raw: pd.DataFrame, drugs: bool = False) -> str:
    """Find a field that mentions placebo or milligrams, for a message; else empty.

    Parameters
    ----------
    raw
        Raw metadata.
    drugs
        A drug counts too: no field says that nothing was given.
    """
    told = {PLACEBO, *DRUGS} if drugs else {PLACEBO}
    for key in raw.columns:
        name = spelt(key)
        if re.search(f"{_OTHER_TREATMENT}|{_OTHER_MASS}", name):
            continue
        for value, number in counts_of(filled(raw, [key])).items():
            arm = read_arm(value)
            if arm.treatment in told or arm.dose_mg is not None:
                return f"the field '{key}' holds '{value}' ({many(number)})"
    return ""


def _treatment_field(raw: pd.DataFrame) -> str | None:
    ranked = _treatment_fields(raw)
    return ranked[0] if ranked else None


def _treatment_fields(raw: pd.DataFrame) -> list[str]:
    """List the fields that may name the arm, best first."""
    found = []
    for place, key in enumerate(raw.columns):
        kinds = counts_of(filled(raw, [key]))
        rank = key_rank(key, _TREATMENT_KEYS)
        arms = {value: read_arm(value) for value in kinds}
        drugs = any(arm.treatment not in ("", NONE) for arm in arms.values())
        states = all(read_state(v) or read_disease(v) or says_missing(v) for v in kinds)
        if not enumerable(kinds) or states or "protocol" in key:
            continue
        if rank >= _SURE and re.search(f"{_OTHER_TREATMENT}|{_OTHER_MASS}", spelt(key)):
            continue
        # Without a drug among the values, only a field of such a name will do; and a field of
        # another name must speak of treatments throughout.
        told = sum(n for v, n in kinds.items() if arms[v].treatment or arms[v].dose_mg is not None)
        if (not drugs and rank >= _SURE) or (
            rank == len(_TREATMENT_KEYS) and 2 * told < sum(kinds.values())
        ):
            continue
        visits = all(read_visit(v) and not arms[v].treatment for v in kinds)
        if visits and not drugs:
            continue
        named = rank < _SURE and len(kinds) > 1
        found.append(((drugs and named, named, drugs, -rank, -place), key))
    return [key for _, key in sorted(found, reverse=True)]


def _explained(value: str, named: list[str]) -> Arm:
    """Read an arm; a dose or the word "drug" alone is the one drug that the series names."""
    arm = read_arm(value)
    word = value.strip().casefold() in ("drug", "active", "treated", "treatment", "verum")
    if not arm.treatment and len(named) == 1 and (arm.dose_mg is not None or word):
        return Arm(named[0], arm.dose_mg, value)
    return arm


def _treatment_line(value: str, number: int, arm: Arm, patients: pd.Series, treated: set) -> Line:
    told = many(number) if value else f"{many(number)} without a value"
    if arm.treatment == NONE:
        of_treated = patients.isin(treated)
        if of_treated.any():
            others = patients[~of_treated].nunique()
            also = f", but {others} of the patients have no other" if others else ""
            return Line(value, OF_PATIENT, f"{told}; other samples of the patient say it{also}")
        return Line(value, NONE, told)
    if arm.treatment == PLACEBO:
        return Line(value, PLACEBO, told)
    if not arm.treatment:
        return Line(value, None, f"{told}: the treatment that '{value}' stands for", fill=True)
    explained = "" if read_arm(value).treatment else "; the drug that the series names"
    return Line(value, arm.treatment, told + explained)


def _dose(raw: pd.DataFrame, treatment: Column, arms: dict[str, Arm]) -> Column | None:
    if any(arm.dose_mg is not None for arm in arms.values()):
        column = Column("dose_mg", treatment.keys, "milligrams a dose", joined=treatment.joined)
        for line in treatment.lines:
            # Without a dose of its own, a sample before treatment takes that of its patient.
            dose = OF_PATIENT if line.value == OF_PATIENT else arms[line.raw].dose_mg
            column.lines.append(Line(line.raw, dose, line.remark.split(";")[0].split(":")[0]))
        if treatment.missing:
            column.missing = Line("", None, treatment.missing.remark.split(";")[0])
        return column
    named = [(key_rank(k, _DOSE_KEYS), place, k) for place, k in enumerate(raw.columns)]
    for rank, _, other in sorted(named):
        kinds = counts_of(filled(raw, [other]))
        if rank == len(_DOSE_KEYS) or not enumerable(kinds):
            continue
        milligrams = {v: read_arm(v).dose_mg for v in kinds}
        milligrams = {v: float(v) if is_number(v) else d for v, d in milligrams.items()}
        if any(dose is not None for dose in milligrams.values()):
            lines = [Line(v, milligrams[v] or None, many(n)) for v, n in kinds.items()]
            column = Column("dose_mg", [other], "milligrams a dose", lines)
            if (filled(raw, [other]) == "").any():
                column.missing = Line("", None, "no value")
            return column
    return None


def _treatment_of_titles(raw: pd.DataFrame, named: list[str]) -> tuple[Column, Column | None]:
    for key in (k for k in TITLES if k in raw):

        def words(text: str) -> str | None:
            arm = read_arm(text)
            return arm.words if arm.treatment not in ("", NONE) else None

        made = by_fragments(filled(raw, [key]), words, 0.3)
        if made:
            lines = [Line(w, read_arm(w).treatment, many(n)) for w, n in made[1].items()]
            column = Column("treatment", [key], "read out of the text", lines, made[0])
            rest = filled(raw, [key]).map(words).isna()
            if rest.any():
                # What the pattern does not find is looked up whole, so each text would need a line.
                column.pattern = f"{made[0]}|(?P<none>$)"
                column.missing = Line("", NONE, f"{many(int(rest.sum()))} name no drug")
            return column, None
    if named:
        remark = f"the series names {', '.join(named)}, but no field says who got what"
        return Column("treatment", remark=remark, fill=True), None
    remark = "no field names a treatment; the treatment of all samples if there was one"
    return Column("treatment", constant=NONE, remark=remark), None
