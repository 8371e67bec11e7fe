"""Joins all guesses about a data set to one proposal of a cohort file."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

import pandas as pd

from adnorm.base.errors import AdnormError, Problems, listing
from adnorm.onboarding.draft import HUMAN, CohortDraft, judge_assay, judge_scale, rows_are_probes
from adnorm.onboarding.fields import (
    MOST_VALUES,
    Column,
    Line,
    Value,
    counts_of,
    filled,
    is_number,
    key_rank,
    many,
    says_missing,
    spelt,
)
from adnorm.onboarding.people import (
    code_of_skin,
    codes_of_skin,
    propose_patient,
    propose_state,
    read_disease,
    read_sex,
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
from adnorm.study import decimals
from adnorm.study.cohort import NO_TREATMENT, OF_PATIENT, ColumnMapping
from adnorm.study.comparisons import BASELINE
from adnorm.study.mapping import Rule
from adnorm.study.raw_fields import reads_whole
from adnorm.study.samples import RANGES
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
    clinic, doubtful = _propose_clinic(raw)
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
        remark = "patients came into the arms at random; false where physicians chose"
        facts.append(Fact("randomised", True, remark, CONFIRM))
    elif len(treatments) > 1 or dose is not None:
        remark = "several arms without placebo; true where patients came into them at random"
        facts.append(Fact("randomised", False, remark, CONFIRM))
    if _lesions_differ(raw, patient, state, treatment, week):
        remark = "lesions of one patient have different treatments"
        facts.append(Fact("within_patient", True, remark, CONFIRM))
    facts.append(Fact("status", "unverified"))
    return Proposal(draft, facts, source, treatments, columns, exclude, doubtful)


def _lesions_differ(
    raw: pd.DataFrame, patient: Column, state: Column, treatment: Column, week: Column
) -> bool:
    """Whether lesions of most patients have several treatments at one later visit."""
    sheet = pd.DataFrame(index=raw.index)
    columns = {"patient": patient, "state": state, "treatment": treatment, "week": week}
    for name, column in columns.items():
        known = column.canonical(raw)
        # A drug that nobody has named yet, and a number that stays as it is, are in the raw value.
        sheet[name] = known.where(known.notna(), filled(raw, column.keys)) if column.keys else known
    weeks = pd.to_numeric(sheet["week"], errors="coerce")
    later = sheet[(sheet["state"] == State.LESIONAL) & (weeks > BASELINE)]
    arms = later.groupby(["patient", "week"])["treatment"].nunique()
    return len(arms) > 0 and bool((arms > 1).mean() > 0.5)


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
    remark = "no nonlesional or healthy samples at baseline were recognised"
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


# ---------------------------------------------------------------- what the clinic measured

#: Words of a name that do not change what a score is.
_PLAIN = "total score value points index current overall scale visit at of the 0 72 103 ch1".split()
#: Canonical column → the word that names it, how it may be spelt out, words that may stand beside
#: it. A name with any other word (area, trunk, change, percent, onset …) is another measure.
_NUMBERS = {
    "easi": (r"(?:total)?easi(?:score|total)?|eczema area and severity index", _PLAIN),
    "scorad": (r"(?:total)?scorad(?:score|total|index)?", _PLAIN),
    "itch_nrs": (
        r"(?:pp|wi|peak|worst|itch|pruritus|pruritis)(?:itch|pruritus)?(?:nrs|vas)"
        r"|(?:pp|wi) (?:nrs|vas)|itch|itching|pruritus|pruritis",
        [
            *_PLAIN,
            *"nrs vas numeric numerical rating peak worst intensity severity 10 cm pp wi".split(),
            *"average avg mean weekly daily last past 24 24h h hours".split(),
        ],
    ),
    "age": (
        r"age",
        "years year yrs yr y yo in at of the patient subject donor participant visit "
        "sampling sample biopsy baseline screening enrollment enrolment inclusion consent".split(),
    ),
}
_FIELDS = {
    "sex": [r"sex|gender", r"patient_(?:sex|gender)"],
    "site": [r"(?:biopsy|body|anatomic(?:al)?|skin)_?(?:site|area|location|region)|site|location"],
    "batch": [r"batch|batch_?(?:date|id|no|number)|run_batch|sequencing_batch"],
    "responder": [
        r"respon(?:der|se)s?",
        r"(?:.*_)?responder(?:_status|_group)?",
        r"(?:clinical|treatment|overall|final|easi|scorad|iga)(?:_?\d+)?_response"
        r"(?:_status|_group)?",
    ],
}


def _propose_clinic(raw: pd.DataFrame) -> tuple[list[Column], dict[str, list[str]]]:
    """Propose the optional columns; what looks doubtful is left out rather than guessed.

    For each that is left out the fields that mention it are returned besides.
    """
    columns, doubtful = [], {}
    for name in _NUMBERS:
        column, others = _number(raw, name)
        if column is None and others:
            doubtful[name] = others
        columns.append(column)
    columns += [_named(raw, name) for name in _FIELDS]
    return [column for column in columns if column is not None], doubtful


def _emptiness(column: Column, values: pd.Series) -> Column:
    empty = int((values == "").sum())
    if empty:
        column.missing = Line("", None, f"{many(empty)} without a value")
    return column


def _candidates(raw: pd.DataFrame, name: str) -> tuple[list[str], list[str]]:
    """List the fields that are called after a number, the plainest first, and all that mention it.

    Examples
    --------
    >>> sheet = pd.DataFrame(columns=["EASI (%)", "EASI total", "easi_trunk_area", "EASI"])
    >>> _candidates(sheet, "easi")
    (['EASI', 'EASI total'], ['EASI (%)', 'EASI total', 'easi_trunk_area', 'EASI'])
    """
    word, beside = _NUMBERS[name]
    bounded = re.compile(rf"(?<![^\W_])(?:{word})(?![^\W_])")
    called, mentioned = [], []
    for key in raw.columns:
        words = spelt(key).replace("_", " ")
        if not bounded.search(words):
            continue
        mentioned.append(key)
        rest = bounded.sub(" ", words).split()
        if set(rest) <= set(beside):
            # VAS and NRS are two scales; the rating itself goes first.
            called.append(("vas" in words, "nrs" not in words, len(rest), len(key), key))
    return [key for *_, key in sorted(called)], mentioned


def _number(raw: pd.DataFrame, name: str) -> tuple[Column | None, list[str]]:
    """Propose the field of a number, as the run reads it; the other fields that mention it."""
    called, mentioned = _candidates(raw, name)
    for key in called:
        column = _read_by_the_run(raw, name, key)
        if column is not None:
            others = [k for k in mentioned if k != key]
            column.remark += f"; other fields: {listing(others, 6)}" if others else ""
            return column, others
    return None, mentioned


def _read_by_the_run(raw: pd.DataFrame, name: str, key: str) -> Column | None:
    """Propose a mapping of a field and try it; ``None`` when it does not give numbers in range."""
    values = filled(raw, [key])
    kinds = counts_of(values)
    words = [v for v in kinds if says_missing(v) and not decimals.says_missing(v)]
    if name == "itch_nrs" and words:
        # An itch of "none" is 0, or was not asked.
        return None
    others = [v for v in kinds if not says_missing(v)]
    column = Column(name, [key])
    if not all(map(decimals.is_number, others)):
        if not all(reads_whole(name, value) for value in others):
            return None
        column.pattern = decimals.NUMBER_PATTERN
    column.lines = [Line(value, None, many(kinds[value])) for value in words]
    spec = {"from": key, "missing": None, "values": dict.fromkeys(words)}
    spec |= {"pattern": column.pattern} if column.pattern else {}
    rule = Rule(name, ColumnMapping.model_validate(spec), "")
    problems = Problems("")
    numbers = pd.to_numeric(rule.apply(raw, problems), errors="coerce")
    least, most = RANGES[name]
    read = values.isin(others)
    if problems or not read.any() or not numbers[read].between(least, most).all():
        return None
    column.remark = f"{many(int(read.sum()))}, from {numbers.min():g} to {numbers.max():g}"
    missing = [f"'{v}' ({kinds[v]})" for v in kinds if decimals.says_missing(v)]
    column.remark += f"; missing: {', '.join(missing)}" if missing else ""
    return _emptiness(column, values)


def _named(raw: pd.DataFrame, name: str) -> Column | None:
    """Propose sex, site, batch or response: the field of such a name, if its values look so."""
    patterns = _FIELDS[name]
    ranked = [(key_rank(key, patterns), len(key), key) for key in raw.columns]
    rank, _, key = min(ranked, default=(len(patterns), 0, ""))
    if rank == len(patterns):
        return None
    values = filled(raw, [key])
    kinds = counts_of(values)
    if not 0 < len(kinds) <= (MOST_VALUES if name in ("site", "batch") else 6):
        return None
    column = Column(name, [key])
    if name == "sex":
        if not any(read_sex(value) for value in kinds):
            return None
        column.remark = "female or male"
        column.lines = [Line(v, read_sex(v), many(n)) for v, n in kinds.items()]
    elif name == "responder":
        if all(is_number(value) for value in kinds):
            return None
        column.remark = "as the trial judged it"
        column.lines = [Line(v, _responder(v), many(n)) for v, n in kinds.items()]
    else:
        column.remark = ", ".join(f"{value} ({n})" for value, n in list(kinds.items())[:4])
    return _emptiness(column, values)


def _responder(text: str) -> str | None:
    if says_missing(text):
        return None
    word = text.strip().casefold()
    if re.match(r"non|no\b|n$|nr$|false", word):
        return "non-responder"
    if re.match(r"respon|yes|y$|r$|true", word):
        return "responder"
    return text
