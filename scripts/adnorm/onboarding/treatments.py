"""Under which treatment a biopsy was taken: drugs and their classes, arms and doses."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pandas as pd

from adnorm.base.errors import listing
from adnorm.onboarding.fields import (
    TITLES,
    Column,
    Line,
    by_fragments,
    counts_of,
    enumerable,
    filled,
    is_number,
    key_rank,
    many,
    says_missing,
    spelt,
    together,
)
from adnorm.onboarding.people import read_disease, read_state
from adnorm.onboarding.visits import read_visit
from adnorm.study.cohort import NO_TREATMENT, OF_PATIENT
from adnorm.study.vocabulary import DrugFamily

PLACEBO = "placebo"
JAK = DrugFamily.JAK_INHIBITOR.value
#: Drug → its class and other names: codes of trials, brands, abbreviations.
DRUGS: dict[str, tuple[str, tuple[str, ...]]] = {
    "abrocitinib": (JAK, ("PF-04965842", "Cibinqo", "abro")),
    "upadacitinib": (JAK, ("ABT-494", "Rinvoq", "UPA")),
    "baricitinib": (JAK, ("LY3009104", "INCB028050", "Olumiant", "bari")),
    "tofacitinib": (JAK, ("CP-690550", "tasocitinib", "Xeljanz", "tofa")),
    "ruxolitinib": (JAK, ("INCB018424", "Opzelura", "Jakafi", "Jakavi", "ruxo", "RUX")),
    "delgocitinib": (JAK, ("JTE-052", "LEO 124249", "Corectim", "delgo")),
    "gusacitinib": ("JAK/SYK inhibitor", ("ASN002", "ASN-002")),
    "ritlecitinib": (JAK, ("PF-06651600", "Litfulo", "ritle")),
    "ivarmacitinib": (JAK, ("SHR0302",)),
    "deuruxolitinib": (JAK, ("CTP-543", "Leqselvi")),
    "brepocitinib": (JAK, ("PF-06700841",)),
    "povorcitinib": (JAK, ("INCB054707",)),
    "jaktinib": (JAK, ()),
    "oclacitinib": (JAK, ("Apoquel",)),
    "cerdulatinib": ("JAK/SYK inhibitor", ("RVT-502",)),
    "ifidancitinib": (JAK, ("ATI-502", "ATI-50002")),
    "deucravacitinib": ("TYK2 inhibitor", ("BMS-986165", "Sotyktu")),
    "dupilumab": ("anti-IL-4Ra", ("REGN668", "SAR231893", "Dupixent", "dupi")),
    "tralokinumab": ("anti-IL-13", ("CAT-354", "Adtralza", "Adbry", "tralo")),
    "lebrikizumab": ("anti-IL-13", ("LY3650150", "Ebglyss", "lebri")),
    "nemolizumab": ("anti-IL-31RA", ("CIM331", "Nemluvio", "nemo")),
    "vixarelimab": ("anti-OSMRb", ("KPL-716",)),
    "fezakinumab": ("anti-IL-22", ("ILV-094",)),
    "secukinumab": ("anti-IL-17A", ("AIN457", "Cosentyx")),
    "ixekizumab": ("anti-IL-17A", ("LY2439821", "Taltz")),
    "brodalumab": ("anti-IL-17RA", ("AMG 827", "Siliq")),
    "ustekinumab": ("anti-IL-12/23", ("CNTO 1275", "Stelara")),
    "risankizumab": ("anti-IL-23", ("ABBV-066", "Skyrizi")),
    "guselkumab": ("anti-IL-23", ("CNTO 1959", "Tremfya")),
    "rocatinlimab": ("anti-OX40", ("KHK4083", "AMG 451")),
    "telazorlimab": ("anti-OX40", ("GBR 830", "ISB 830")),
    "amlitelimab": ("anti-OX40L", ("KY1005", "SAR445229")),
    "tezepelumab": ("anti-TSLP", ("AMG 157", "Tezspire")),
    "etokimab": ("anti-IL-33", ("ANB020",)),
    "itepekimab": ("anti-IL-33", ("REGN3500",)),
    "omalizumab": ("anti-IgE", ("Xolair",)),
    "adalimumab": ("anti-TNF", ("D2E7", "Humira")),
    "etanercept": ("anti-TNF", ("Enbrel",)),
    "infliximab": ("anti-TNF", ("Remicade",)),
    "crisaborole": ("PDE4 inhibitor", ("AN2728", "Eucrisa", "Staquis")),
    "roflumilast": ("PDE4 inhibitor", ("ARQ-151", "Zoryve")),
    "difamilast": ("PDE4 inhibitor", ("OPA-15406",)),
    "apremilast": ("PDE4 inhibitor", ("CC-10004", "Otezla")),
    "ciclosporin": (
        "calcineurin inhibitor",
        ("ciclosporine", "ciclosporin A", "cyclosporin", "cyclosporine", "cyclosporine A", "CsA"),
    ),
    "tacrolimus": ("calcineurin inhibitor", ("FK506", "Protopic")),
    "pimecrolimus": ("calcineurin inhibitor", ("Elidel",)),
    "tapinarof": ("AhR agonist", ("GSK2894512", "Vtama", "benvitimod")),
    "coal tar": ("AhR agonist", ()),
    "methotrexate": ("antimetabolite", ("MTX",)),
    "azathioprine": ("antimetabolite", ("AZA",)),
    "betamethasone": ("glucocorticoid", ("betamethasone valerate", "BMV")),
    "mometasone": ("glucocorticoid", ("mometasone furoate",)),
    "triamcinolone": ("glucocorticoid", ("triamcinolone acetonide", "TAC")),
    "clobetasol": ("glucocorticoid", ("clobetasol propionate",)),
    "hydrocortisone": ("glucocorticoid", ()),
    "prednisone": ("glucocorticoid", ("prednisolone",)),
    "narrow-band ultraviolet B": (
        "phototherapy",
        ("NB-UVB", "nbUVB", "NBUVB", "narrow-band UVB", "narrowband UVB", "UVB"),
    ),
}
_NAMES = {n.casefold(): drug for drug, (_, also) in DRUGS.items() for n in (drug, *also)}
_PLACEBO = r"placebo|vehicle|pbo|plb|plc|sham"
_NOTHING = (
    r"none|no|untreated|no (?:drug|treatment|therapy)|not treated|n/?a|naive|healthy.*|control"
    r"|normal|(?:at )?base ?line.*|pre\b.*|before\b.*|none\b.*"
)


def _loose(name: str) -> str:
    """Let a hyphen or space inside a name be written in any way."""
    return r"[\s_-]*".join(map(re.escape, re.split(r"[\s-]+", name)))


_DRUG = re.compile(
    r"(?<![a-z])(?:"
    + "|".join(_loose(name) for name in sorted(_NAMES, key=len, reverse=True))
    + r")(?![a-z])",
    re.IGNORECASE,
)
_WORDS = {re.sub(r"[\s_-]+", "", name): drug for name, drug in _NAMES.items()}
_DOSE = re.compile(r"(?<![\d.])(\d+(?:\.\d+)?)\s*mg\b(?!\s*/\s*(?:kg|ml|g))", re.IGNORECASE)
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


@dataclass(frozen=True)
class Arm:
    """What a text says about treatment."""

    #: A drug of `DRUGS`, `PLACEBO`, `NO_TREATMENT`, or empty when the text names none of them.
    treatment: str
    dose_mg: float | None
    #: The part of the text that names the treatment.
    words: str


def drugs_in(text: str) -> list[str]:
    """List the drugs that a text names, in the order of the text.

    Examples
    --------
    >>> drugs_in("ASN002 or dupilumab, then cyclosporine A")
    ['gusacitinib', 'dupilumab', 'ciclosporin']
    """
    found = (_WORDS[re.sub(r"[\s_-]+", "", m[0].casefold())] for m in _DRUG.finditer(text))
    return list(dict.fromkeys(found))


def read_arm(text: str) -> Arm:
    """Read a treatment and a dose out of a raw value.

    Examples
    --------
    >>> read_arm("UPA 15 mg QD")
    Arm(treatment='upadacitinib', dose_mg=15.0, words='UPA')
    >>> read_arm("vehicle").treatment, read_arm("none (pre-treatment)").treatment
    ('placebo', 'none')
    >>> read_arm("40 mg"), read_arm("5 mg/kg/d").dose_mg
    (Arm(treatment='', dose_mg=40.0, words=''), None)
    """
    dose = _DOSE.search(text)
    milligrams = float(dose[1]) if dose else None
    placebo = re.search(rf"(?<![a-z])(?:{_PLACEBO})(?![a-z])", text, re.IGNORECASE)
    if placebo:
        return Arm(PLACEBO, None, placebo[0])
    drug = _DRUG.search(text)
    if drug:
        return Arm(drugs_in(text)[0], milligrams, drug[0])
    if re.fullmatch(_NOTHING, text.strip().replace("_", " "), re.IGNORECASE):
        return Arm(NO_TREATMENT, None, text)
    return Arm("", milligrams, "")


def drug_class(treatment: str) -> str | None:
    """Return the class of a drug or of placebo; ``None`` when it is not known."""
    if treatment == PLACEBO:
        return PLACEBO
    return DRUGS[treatment][0] if treatment in DRUGS else None


def names_treatment(raw: pd.DataFrame, words: str) -> bool:
    """Whether the series or a field of its samples names a treatment at all."""
    return bool(drugs_in(words) or _treatment_fields(raw))


def propose_treatment(
    raw: pd.DataFrame, words: str, state: Column, patient: pd.Series
) -> tuple[Column, Column | None]:
    """Propose the mappings of treatment and, if there is one, of dose.

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
    """
    named = drugs_in(words)
    ranked = _treatment_fields(raw)
    if not ranked:
        return _treatment_of_titles(raw, named)
    key, *others = ranked
    kinds = counts_of(filled(raw, [key]))
    beside = f"; other fields: {listing(others, 4)}" if others else ""
    column = Column("treatment", [key], f"the arm of a patient{beside}")
    arms = {value: _explained(value, named) for value in kinds}
    given = filled(raw, [key]).map(lambda v: arms[v].treatment if v else NO_TREATMENT)
    treated = set(patient[given != NO_TREATMENT].dropna())
    untreated = ["", *(value for value, arm in arms.items() if arm.treatment == NO_TREATMENT)]
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
        nothing = Arm(NO_TREATMENT, None, "")
        column.missing = _treatment_line("", int(empty.sum()), nothing, patient[empty], treated)
    return column, _dose(raw, column, arms)


def _mixed(patients: pd.Series, treated: set[str]) -> bool:
    """Whether samples that say one thing belong to treated people and to others."""
    known = patients.dropna()
    return bool(len(known)) and 0 < known.isin(treated).mean() < 1


def names_untreated(treatment: Column) -> bool:
    """Whether a proposal says of every sample that nothing was given."""
    values = {line.value for line in treatment.lines} or {treatment.constant}
    return not treatment.fill and values == {NO_TREATMENT}


def holds_treatment(raw: pd.DataFrame, drugs: bool = False) -> str:
    """Find a field that mentions placebo or milligrams (or a drug), for a message; else empty."""
    mentioned = {PLACEBO, *DRUGS} if drugs else {PLACEBO}
    for key in raw.columns:
        name = spelt(key)
        if re.search(f"{_OTHER_TREATMENT}|{_OTHER_MASS}", name):
            continue
        for value, number in counts_of(filled(raw, [key])).items():
            arm = read_arm(value)
            if arm.treatment in mentioned or arm.dose_mg is not None:
                return f"the field '{key}' holds '{value}' ({many(number)})"
    return ""


def _treatment_fields(raw: pd.DataFrame) -> list[str]:
    """List the fields that may name the arm, best first."""
    found = []
    for place, key in enumerate(raw.columns):
        kinds = counts_of(filled(raw, [key]))
        rank = key_rank(key, _TREATMENT_KEYS)
        arms = {value: read_arm(value) for value in kinds}
        drugs = any(arm.treatment not in ("", NO_TREATMENT) for arm in arms.values())
        states = all(read_state(v) or read_disease(v) or says_missing(v) for v in kinds)
        if not enumerable(kinds) or states or "protocol" in key:
            continue
        if rank >= _SURE and re.search(f"{_OTHER_TREATMENT}|{_OTHER_MASS}", spelt(key)):
            continue
        # Without a drug among the values, only a field of such a name will do; and a field of
        # another name must speak of treatments throughout.
        read = sum(n for v, n in kinds.items() if arms[v].treatment or arms[v].dose_mg is not None)
        if (not drugs and rank >= _SURE) or (
            rank == len(_TREATMENT_KEYS) and 2 * read < sum(kinds.values())
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


def _treatment_line(
    value: str, number: int, arm: Arm, patients: pd.Series, treated: set[str]
) -> Line:
    count = many(number) if value else f"{many(number)} without a value"
    if arm.treatment == NO_TREATMENT:
        of_treated = patients.isin(treated)
        if of_treated.any():
            others = patients[~of_treated].nunique()
            also = f", but {others} of the patients have no other" if others else ""
            return Line(value, OF_PATIENT, f"{count}; other samples of the patient say it{also}")
        return Line(value, NO_TREATMENT, count)
    if arm.treatment == PLACEBO:
        return Line(value, PLACEBO, count)
    if not arm.treatment:
        return Line(value, None, f"{count}: the treatment that '{value}' stands for", fill=True)
    explained = "" if read_arm(value).treatment else "; the drug that the series names"
    return Line(value, arm.treatment, count + explained)


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
            return arm.words if arm.treatment not in ("", NO_TREATMENT) else None

        made = by_fragments(filled(raw, [key]), words, 0.3)
        if made:
            lines = [Line(w, read_arm(w).treatment, many(n)) for w, n in made[1].items()]
            column = Column("treatment", [key], "read out of the text", lines, made[0])
            rest = filled(raw, [key]).map(words).isna()
            if rest.any():
                # What the pattern does not find is looked up whole, so each text would need a line.
                column.pattern = f"{made[0]}|(?P<none>$)"
                column.missing = Line("", NO_TREATMENT, f"{many(int(rest.sum()))} name no drug")
            return column, None
    if named:
        remark = f"the series names {', '.join(named)}, but no field says who got what"
        return Column("treatment", remark=remark, fill=True), None
    remark = "no field names a treatment; the treatment of all samples if there was one"
    return Column("treatment", constant=NO_TREATMENT, remark=remark), None
