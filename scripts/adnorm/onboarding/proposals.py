"""Joins all guesses about a data set to one proposal of a cohort file."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pandas as pd

from adnorm.base.errors import AdnormError
from adnorm.onboarding.clinic import propose_clinic
from adnorm.onboarding.draft import HUMAN, CohortDraft, judge_assay, judge_scale, rows_are_probes
from adnorm.onboarding.fields import Column, Value, counts_of, filled, key_rank, many
from adnorm.onboarding.people import (
    code_of_skin,
    codes_of_skin,
    propose_patient,
    propose_state,
    read_disease,
)
from adnorm.onboarding.treatments import (
    PLACEBO,
    drug_class,
    drugs_in,
    holds_treatment,
    names_treatment,
    names_untreated,
    propose_treatment,
)
from adnorm.onboarding.visits import propose_week
from adnorm.study.cohort import NO_TREATMENT, OF_PATIENT
from adnorm.study.vocabulary import State

CONFIRM, FILL = "confirm", "fill in"
_ANNOTATION = "table that says the gene of each probe, in a column called 'Gene symbol'"
_SEVERAL = (
    "several columns per sample, which are summed only if they are counts; keep one column per "
    "sample in the table (signals, not detection p-values), called as the sample"
)
_SCALES = "counts, linear, log2 or another scale of the manual"
_DISEASE_KEYS = [r"disease.*|diagnosis|condition|group|patient.*condition|phenotype|.*disease.*"]
_TISSUES = ("scalp", "skin", "biops", "tape", "strip", "epiderm", "blood", "pbmc", "derm")


@dataclass(frozen=True)
class Fact:
    """One key of the proposal: its value, why, and whether a person must look at it."""

    key: str
    value: Value
    remark: str = ""
    mark: str = ""


@dataclass
class Proposal:
    """All parts of a cohort file, in the order in which they are written."""

    draft: CohortDraft
    facts: list[Fact]
    source: list[Fact]
    treatments: list[Fact]
    columns: list[Column]
    exclude: list[tuple[str, list[str], str, int]] = field(default_factory=list)
    doubtful: dict[str, list[str]] = field(default_factory=dict)

    @property
    def unused(self) -> list[str]:
        """Raw fields that no mapping reads, for a person to look at."""
        used = {key for column in self.columns for key in column.keys}
        return [str(key) for key in self.draft.raw if key not in used]


def propose(draft: CohortDraft, identity: str | None = None) -> Proposal:
    """Propose a cohort file out of what the header or the table says.

    Raises
    ------
    AdnormError
        No sample is human, or the values cannot be read.
    """
    disease, exclude = _diseases(draft)
    raw = draft.raw
    for key, values, _, _ in exclude:
        raw = raw[~filled(raw, [key]).isin(values)]
    if raw.empty:
        raise AdnormError(
            f"{draft.name}: the field 'organism' says {HUMAN} of no sample; adnorm takes human "
            "data only, because its gene sets are human"
        )
    state = propose_state(raw)
    untreated = not names_treatment(raw, draft.words)
    week, early = propose_week(raw, state, untreated)
    if early:
        key, values = early
        left_out = filled(raw, [key]).isin(values)
        exclude.append((key, values, "before baseline", int(left_out.sum())))
        raw = raw[~left_out]
        state = propose_state(raw)
    patient = propose_patient(raw, state, week.canonical(raw))
    treatment, dose = propose_treatment(raw, draft.words, state, patient.canonical(raw))
    if treatment.constant == NO_TREATMENT and any(line.fill for line in week.lines):
        remark = "no field names a treatment, but there are samples of before and after"
        treatment = Column("treatment", remark=remark, fill=True)
    held = names_untreated(treatment) and holds_treatment(raw, drugs=not treatment.keys)
    if held:
        remark = f"{held}, so the treatment is not none for all: say who got what"
        treatment, dose = Column("treatment", remark=remark, fill=True), None
    clinic, doubtful = propose_clinic(raw)
    columns = [patient, state, treatment, *([dose] if dose else []), week, *clinic]
    scale, source = _values(draft)
    title = draft.texts.get("title")
    facts = [
        Fact("id", identity or draft.identity),
        Fact("title", title) if title else Fact("title", draft.name, "what the cohort is", CONFIRM),
        Fact("accession", draft.accession),
        Fact("citation", draft.texts.get("citation") or None),
        disease,
        _tissue(draft),
        *scale[:1],
        Fact("platform", draft.platform),
        Fact("route", draft.route),
        *scale[1:],
        _reference(raw, state, week),
    ]
    treatments = _treatments(treatment, draft.words)
    if any(fact.key == PLACEBO for fact in treatments):
        facts.append(Fact("placebo_arm", PLACEBO, "drugs are compared with this arm", CONFIRM))
    facts.append(Fact("status", "unverified"))
    return Proposal(draft, facts, source, treatments, columns, exclude, doubtful)


def _diseases(draft: CohortDraft) -> tuple[Fact, list[tuple[str, list[str], str, int]]]:
    """Find the disease, and the samples of other diseases and species."""
    raw, exclude = draft.raw, []
    found: Counter[str] = Counter()
    fields: dict[str, dict[str, str]] = {}
    for key in raw.columns:
        if key_rank(key, _DISEASE_KEYS):
            continue
        kinds = counts_of(filled(raw, [key]))
        codes = codes_of_skin(kinds)
        fields[key] = {
            v: d
            for v in kinds
            if (d := read_disease(v.replace("_", " "))) and not _uninvolved(v, codes)
        }
        for value, disease in fields[key].items():
            found[disease] += kinds[value]
    if not found:
        texts = (draft.texts.get("title", ""), draft.words)
        named = next((d for text in texts if (d := read_disease(text))), None)
        fact = (
            Fact("disease", named, "named by the series", CONFIRM)
            if named
            else Fact("disease", None, "disease of the patients, such as atopic dermatitis", FILL)
        )
    else:
        main = max(found, key=lambda d: (d == "atopic dermatitis", found[d], d))
        fact = Fact("disease", main, many(found[main]), CONFIRM)
        for key, diseases in fields.items():
            others = sorted(v for v, disease in diseases.items() if disease != main)
            if others and main in diseases.values():
                number = int(filled(raw, [key]).isin(others).sum())
                exclude.append((key, others, "another disease", number))
                break
    if "organism" in raw:
        species = sorted(set(filled(raw, ["organism"])) - {HUMAN, ""})
        if species:
            number = int(filled(raw, ["organism"]).isin(species).sum())
            exclude.append(("organism", species, "not human", number))
    return fact, exclude


def _uninvolved(value: str, codes: dict[str, str | None]) -> bool:
    """Whether a value is PN where that is skin and no disease."""
    found = code_of_skin(value, codes)
    return found is not None and found[1].upper() == "PN"


def _tissue(draft: CohortDraft) -> Fact:
    raw = draft.raw
    for key in ("source_name", "tissue", "sample_type", "tissue type", "sample type"):
        if key in raw:
            for value, number in counts_of(filled(raw, [key])).items():
                if any(word in value.casefold() for word in _TISSUES):
                    return Fact("tissue", value, f"{many(number)}, field '{key}'", CONFIRM)
    words = draft.words.casefold()
    for word in ("tape strip", "skin biopsy", "blood", "skin"):
        if word in words or word.replace("y", "ies") in words:
            return Fact("tissue", word, "named by the series", CONFIRM)
    return Fact("tissue", None, "what was sampled, such as skin biopsy or tape strip", FILL)


def _values(draft: CohortDraft) -> tuple[list[Fact], list[Fact]]:
    """Judge assay and scale, from the values when they are at hand; write `source:`."""
    source = [_sourced(key, *entry) for key, entry in draft.source.items()]
    assay = Fact("assay", draft.assay)
    values = draft.values
    if values is not None:
        scale, rounded, why = judge_scale(values, draft.assay, draft.hints)
        if draft.assay is None:
            kind, remark = judge_assay(values, scale)
            assay = Fact("assay", kind, remark, CONFIRM)
        if scale != "counts" and "libraries" in draft.source:
            # Only counts are summed, and a proposal that the check refuses helps nobody.
            source = [fact for fact in source if fact.key != "libraries"]
            source.append(Fact("libraries", None, _SEVERAL, FILL))
        if draft.route == "local" and rows_are_probes(values):
            source.append(Fact("annotation", None, _ANNOTATION, FILL))
        if rounded:
            source.append(Fact("round_counts", True, "expected counts", CONFIRM))
        fact = (
            Fact("scale", scale, why, CONFIRM)
            if scale
            else Fact("scale", None, f"{_SCALES}; {why}", FILL)
        )
        return [assay, fact], source
    if draft.assay is None:
        assay = Fact("assay", None, "microarray or rna-seq", FILL)
    name = (draft.supplementary or [""])[0].casefold()
    if not name:
        return [assay, Fact("scale", None, _SCALES, FILL)], source
    linear = any(word in name for word in ("tpm", "fpkm", "rpkm"))
    log2 = any(word in name for word in ("log", "vst", "norm"))
    scale = "linear" if linear else "log2" if log2 else "counts"
    remark = "from the name of the table alone; the run compares it with the values"
    return [assay, Fact("scale", scale, remark, CONFIRM)], source


def _sourced(key: str, value: Value, remark: str) -> Fact:
    if value is None and key == "table":
        return Fact(key, None, f"{remark}: its name on the page of the series at GEO", FILL)
    return Fact(key, value, remark, CONFIRM if remark else "")


def _reference(raw: pd.DataFrame, state: Column, week: Column) -> Fact:
    states = state.canonical(raw)
    weeks = week.canonical(raw).map(lambda w: w is None or float(w) == 0)
    at_baseline = set(states[weeks].dropna())
    for reference in (State.NONLESIONAL, State.HEALTHY):
        if reference in at_baseline:
            number = int((states[weeks] == reference).sum())
            return Fact("reference", reference, f"{many(number)} at baseline", CONFIRM)
    remark = "no non-lesional or healthy samples at baseline were recognised"
    return Fact("reference", None, remark, CONFIRM)


def _treatments(treatment: Column, words: str) -> list[Fact]:
    named = [line.value for line in treatment.lines] + [treatment.constant]
    if treatment.fill or any(line.fill for line in treatment.lines):
        # What is filled in is most likely a drug that the series names.
        named += drugs_in(words)
    facts = []
    for name in dict.fromkeys(n for n in named if n not in (None, NO_TREATMENT, OF_PATIENT)):
        facts.append(Fact(str(name), drug_class(str(name)), "class of the drug", CONFIRM))
    return facts
