"""Whose biopsy it is, and of what skin: patient, state, disease and sex, as deposits write them."""

from __future__ import annotations

import re
from collections.abc import Iterable

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
    found_by,
    key_rank,
    many,
)
from adnorm.study.cohort import ColumnMapping
from adnorm.study.people import names_nobody, own_person, shared_words
from adnorm.study.vocabulary import State

_NOT_LETTER = r"(?<![A-Za-z])", r"(?![A-Za-z])"
#: State → how it is written; the first that is found decides, so "non-lesional" stands first.
_STATES = (
    (
        State.NONLESIONAL,
        r"non[\s_-]*lesion(?:al|s)?|non[\s_-]*ls|a?nls?|uninvolved|non[\s_-]*involved"
        r"|normal[\s_-]*(?:appearing|looking)|unaffected(?![\s_-]*(?:control|person|volunteer))",
    ),
    (
        State.HEALTHY,
        r"healthy(?:[\s_-]*(?:controls?|volunteers?|skin|donors?|subjects?))?|normal(?:s|[\s_-]*"
        r"(?:controls?|skin|volunteers?))?|(?:unaffected[\s_-]*)?controls?|ctrl|ctr|hc|hv|hd|nn"
        r"|volunteers?",
    ),
    (
        State.LESIONAL,
        r"(?:(?:acute|chronic)[\s_-]*)?lesion(?:al|s)?|a?ls|involved|affected|plaques?",
    ),
)
#: Short marks that mean a state only where nothing else is written beside them.
_MARKS = {
    "AL": State.LESIONAL,
    "AN": State.NONLESIONAL,
    "L": State.LESIONAL,
    "H": State.HEALTHY,
    "CO": State.HEALTHY,
}
#: May be normal (healthy) or non-lesional skin; the other values of the field decide.
AMBIGUOUS_MARK = "N"

DISEASES = {
    "atopic dermatitis": r"atopic[\s_-]*(?:dermatitis|eczema)|eczema|AD",
    "psoriasis": r"psoriasis|psoriatic|psoriasis[\s_-]*vulgaris|PSO|PsV|PP",
    "alopecia areata": r"alopecia[\s_-]*areata|AA",
    "prurigo nodularis": r"prurigo[\s_-]*nodularis|PN",
    "contact dermatitis": r"(?:allergic[\s_-]*|irritant[\s_-]*)?contact[\s_-]*dermatitis|ACD",
    "hidradenitis suppurativa": r"hidradenitis[\s_-]*suppurativa|HS",
    "lichen planus": r"lichen[\s_-]*planus|LP",
    "vitiligo": r"vitiligo",
}
_FEMALE, _MALE = ("f", "female", "woman", "w", "girl"), ("m", "male", "man", "boy")
#: Three codes that name skin where they stand together: psoriatic, uninvolved psoriatic, normal.
_CODES_OF_SKIN = {"PP": State.LESIONAL, "PN": State.NONLESIONAL, "NN": State.HEALTHY}
_PERSON = r"(?:patient|subject|participant|donor|individual|indivisual|person|volunteer|proband)"
_PATIENT_KEYS = [
    rf"{_PERSON}_?(?:id|identifier|no|number|code|nr)?",
    r"(?:pt|pat|subj)_?(?:id|no|number|nr|code)?|ptid|u?subjid|person_id|case_?id",
    rf"(?:study|trial|anonymi[sz]ed|unique)_(?:{_PERSON}|id).*",
    rf"(?:ad|ae|pso|study|trial|skin|anon\w*|pseudo\w*|de_?identified|biopsy|matched)_{_PERSON}"
    r"_?(?:id|no|number|code)?",
    r"initials|(?:patient_)?initials|id|code",
]
#: So many of these name a person; the rest must show it by values that repeat.
_SURE = 3
_STATE_KEYS = [
    r"(?:skin|tissue|lesion|sample|biopsy)_?(?:type|state|status)",
    r"lesions?|lesional.*|skin|state",
    r"tissue",
    r"condition|group|class|phenotype|source_name|disease.*|diagnosis",
]
_TREATMENT_LIKE = (
    r"treatment|drug|arm|therapy|medication|respon.*|time.*|week|visit|day|.*protocol.*"
)
_NUMBERED = (
    rf"{_PERSON}[\s_#.:-]*(?P<value>[A-Za-z]{{0,3}}[\s_-]?\d+[A-Za-z]?)",
    r"(?<![A-Za-z])(?:pt|pat|subj|p|s)[\s_#.-]?(?P<value>\d+)(?![\d.]*\d)",
    r"^(?P<value>[A-Za-z]+[\s_-]?\d+)(?=[\s_.,-])",
    r"^(?P<value>\d{2,})(?=[\s_.,-])",
)


def _bounded(pattern: str) -> str:
    return f"{_NOT_LETTER[0]}(?:{pattern}){_NOT_LETTER[1]}"


def read_state(text: str) -> tuple[str, str] | None:
    """Find the state of skin that a text names, and the words that say it.

    Examples
    --------
    >>> [f"{state}: {words}" for state, words in map(read_state, ["non-lesional skin", "AD_LS_04"])]
    ['nonlesional: non-lesional', 'lesional: LS']
    >>> read_state("m0_AN") == (State.NONLESIONAL, "AN")
    True
    >>> read_state("skin biopsy")
    """
    for state, pattern in _STATES:
        found = re.search(_bounded(pattern), text, re.IGNORECASE)
        if found:
            return state, found[0]
    parts = re.split(r"[\s_.-]+", text.strip())
    if len(parts) <= 3:
        for part in parts:
            if part in _MARKS:
                return _MARKS[part], part
    return None


def read_disease(text: str) -> str | None:
    """Name the disease that a text says.

    Examples
    --------
    >>> read_disease("AD patient"), read_disease("alopecia_areata"), read_disease("adult")
    ('atopic dermatitis', 'alopecia areata', None)
    """
    for disease, pattern in DISEASES.items():
        *full, short = pattern.split("|")
        # Abbreviations are words only as they are written.
        flags = 0 if short.isupper() else re.IGNORECASE
        if re.search(_bounded("|".join(full) or short), text, re.IGNORECASE):
            return disease
        if re.search(_bounded(short), text, flags):
            return disease
    return None


def read_sex(text: str) -> str | None:
    """Read female or male.

    Examples
    --------
    >>> read_sex("F"), read_sex("Male"), read_sex("unknown")
    ('female', 'male', None)
    """
    word = text.strip().casefold()
    return "female" if word in _FEMALE else "male" if word in _MALE else None


def codes_of_skin(texts: Iterable[str]) -> dict[str, str | None]:
    """Read PP, PN and NN, by code, where they stand together; alone, PN is prurigo nodularis.

    Without NN, PN beside PP may be either, so it is ``None``; beside other diseases it is one, and
    nothing is returned.

    Examples
    --------
    >>> str(codes_of_skin(["PP", "PN", "NN"])["PN"]), codes_of_skin(["PN", "HC"])
    ('nonlesional', {})
    >>> codes_of_skin(["PP", "PN"]), codes_of_skin(["PP", "PN", "AD"])
    ({'PN': None}, {})
    """
    parts = {text: set(re.split(r"[\W_]+", text.upper())) for text in texts}
    found = set().union(*parts.values())
    if set(_CODES_OF_SKIN) <= found:
        return dict(_CODES_OF_SKIN)
    others = [text for text, words in parts.items() if not words & set(_CODES_OF_SKIN)]
    either = {"PP", "PN"} <= found and not any(map(read_disease, others))
    return {"PN": None} if either else {}


def code_of_skin(text: str, codes: dict[str, str | None]) -> tuple[str | None, str] | None:
    """Find one of the codes in a text: the state and the code as written."""
    parts = [part for part in re.split(r"[\W_]+", text) if part.upper() in codes]
    return (codes[parts[0].upper()], parts[0]) if len(parts) == 1 else None


def propose_state(raw: pd.DataFrame) -> Column:
    """Propose the mapping of the state of skin.

    A field that tells lesional from non-lesional skin is best; a second field fills its empty
    values. Without one, disease against healthy is taken, and said.
    """
    best, others = None, []
    for place, key in enumerate(raw.columns):
        if key_rank(key, [_TREATMENT_LIKE]) == 0:
            continue
        kinds = counts_of(filled(raw, [key]))
        codes = codes_of_skin(kinds)
        read = {value: found[0] for value in kinds if (found := _state_among(value, codes))}
        # Only what tells skin from skin counts; "control" alone may mean anything.
        skin = {s for s in read.values() if s != State.HEALTHY}
        disease = any(read_disease(value) for value in kinds if value not in read)
        share = sum(kinds[v] for v in kinds if v in read) / max(1, sum(kinds.values()))
        if not enumerable(kinds) or not (skin and share >= 0.5 or read and disease):
            continue
        score = (bool(skin), share > 0.9, -key_rank(key, _STATE_KEYS), -place)
        others.append(key)
        if best is None or score > best[0]:
            best = (score, key)
    if best is None:
        return _state_of_titles(raw)
    keys = [best[1]]
    if (filled(raw, keys) == "").any():
        keys += _second_field(raw, keys[0])
    others = [key for key in others if key not in keys]
    beside = f"; other fields: {listing(others, 4)}" if others else ""
    column = Column("state", keys, f"which skin a sample is{beside}")
    kinds = counts_of(filled(raw, keys))
    column.lines = [_state_line(value, number, kinds) for value, number in kinds.items()]
    empty = int((filled(raw, keys) == "").sum())
    if empty:
        remark = f"{many(empty)} without a value: lesional, nonlesional or healthy"
        column.missing = Line("", None, remark, fill=True)
    return column


def _second_field(raw: pd.DataFrame, first: str) -> list[str]:
    """Find the field that says the state of all samples that the first is silent about."""
    silent = raw[filled(raw, [first]) == ""]
    for key in raw.columns:
        values = filled(silent, [key])
        if key != first and (values != "").all() and values.map(read_state).notna().all():
            return [key]
    return []


def _state_among(value: str, codes: dict[str, str | None]) -> tuple[str | None, str] | None:
    """Read a state, by codes that only stand for skin where they stand together."""
    return code_of_skin(value, codes) or read_state(value)


def _state_line(value: str, number: int, kinds: dict[str, int]) -> Line:
    codes = codes_of_skin(kinds)
    found = _state_among(value, codes)
    if found and found[0] is None:
        remark = f"{many(number)}: nonlesional, or prurigo nodularis to be left out"
        return Line(value, None, remark, fill=True)
    if found:
        beside = f"; beside {' and '.join(k for k in codes if k != found[1].upper())}"
        return Line(value, found[0], many(number) + (beside if found[1].upper() in codes else ""))
    read = {state[0] for v in kinds if (state := read_state(v))}
    if value == AMBIGUOUS_MARK and State.LESIONAL in read:
        if State.NONLESIONAL in read:
            return Line(value, State.HEALTHY, f"{many(number)}; 'N' taken for normal")
        if State.HEALTHY in read:
            return Line(value, State.NONLESIONAL, f"{many(number)}; 'N' taken for non-lesional")
        return Line(value, None, f"{many(number)}: nonlesional or healthy ('N' may be both)", True)
    disease = read_disease(value)
    if disease and State.LESIONAL not in read:
        return Line(value, State.LESIONAL, f"{many(number)}; all of {disease} taken as lesional")
    return Line(value, None, f"{many(number)}: lesional, nonlesional or healthy", fill=True)


def _state_of_titles(raw: pd.DataFrame) -> Column:
    for key in (k for k in TITLES if k in raw):
        texts = filled(raw, [key])
        codes = codes_of_skin(texts)
        found = {text: state for text in set(texts) if (state := _state_in(text, codes))}
        made = by_fragments(texts, {text: words for text, (_, words) in found.items()}.get, 1.0)
        if made:
            lines = [_state_line(w, n, made[1]) for w, n in made[1].items()]
            return Column("state", [key], "read out of the text", lines, made[0])
    remark = "the field that says which skin a sample is, or `constant: lesional`"
    return Column("state", remark=remark, fill=True)


def _state_in(text: str, codes: dict[str, str | None]) -> tuple[str | None, str] | None:
    """Read the state in a long text, where a single L beside NL means lesional."""
    found = _state_among(text, codes)
    if found is None and (mark := re.search(r"(?<![A-Za-z])L(?![A-Za-z])", text)):
        return State.LESIONAL, mark[0]
    return found


def propose_patient(raw: pd.DataFrame, state: Column, weeks: pd.Series) -> Column:
    """Propose the mapping of the patient: a field with such a name, or a part of the titles."""
    ranked = sorted(
        (rank, place, key)
        for place, key in enumerate(raw.columns)
        if (rank := key_rank(key, _PATIENT_KEYS)) < len(_PATIENT_KEYS)
        and _may_name_people(filled(raw, [key]), rank)
    )
    if not ranked:
        return _patient_of_titles(raw, state.canonical(raw), weeks)
    key, *others = [key for _, _, key in ranked]
    values = filled(raw, [key])
    beside = f"; other fields: {listing(others)}" if others else ""
    column = Column("patient", [key], _counts(values[values != ""]) + beside)
    empty = values == ""
    if empty.any():
        column.missing = Line("", None, _unnamed(raw, key, empty, state), fill=True)
    elif nobody := _nobody(raw, key, state, weeks):
        column.missing = Line("", None, nobody, fill=True)
    return column


def _nobody(raw: pd.DataFrame, key: str, state: Column, weeks: pd.Series) -> str:
    """Say which words of the field stand for several people; empty when none does."""
    sheet = pd.DataFrame({"patient": filled(raw, [key]), "state": state.canonical(raw)})
    sheet["week"] = weeks
    words = shared_words(sheet.map(lambda value: "" if pd.isna(value) else str(value)))
    if not words:
        return ""
    named = [word for word in words if not names_nobody(word)]
    line = own_person(raw, ColumnMapping.model_validate({"from": key}), named)
    advice = f"take this line out and write `{line}`" if line else "give each an id of its own"
    return (
        f"{listing(words)} names no person, but would be one with {max(words.values())} biopsies; "
        f"if each is a person of its own, {advice}"
    )


def _may_name_people(values: pd.Series, rank: int) -> bool:
    """Whether a field is filled and, where its name leaves a doubt, its values repeat."""
    filled_in = values[values != ""]
    return len(filled_in) > 0 and (rank < _SURE or 1 < filled_in.nunique() < len(filled_in))


def _unnamed(raw: pd.DataFrame, key: str, empty: pd.Series, state: Column) -> str:
    """Say what can be done about samples without a patient; two fields are never joined."""
    remark = f"{many(int(empty.sum()))} without a patient"
    unique = [
        c
        for c in raw.columns
        if (filled(raw, [c]) != "").all()
        and filled(raw, [c]).is_unique
        and not set(filled(raw, [c])) & set(filled(raw, [key]))
    ]
    if unique and (state.canonical(raw)[empty] == State.HEALTHY).all():
        return (
            f"{remark}, all healthy; if each is a person of its own, take this line out and write "
            f"`from: [{key}, {unique[0]}]`"
        )
    return f"{remark}; leave them out with `exclude:` or name the field that says whose they are"


def _counts(values: pd.Series) -> str:
    return f"{values.nunique()} patients in {many(len(values))}"


def _patient_of_titles(raw: pd.DataFrame, state: pd.Series, weeks: pd.Series) -> Column:
    """Cut the patient out of the titles: the part that leaves one biopsy per state and visit."""
    best = None
    for key in (k for k in TITLES if k in raw):
        texts = filled(raw, [key])
        for rank, pattern in enumerate([*_NUMBERED, *_positions(texts)]):
            found = found_by(pattern, texts)
            if found.isna().any() or not 1 < found.nunique() < len(raw):
                continue
            biopsies = pd.DataFrame({"patient": found, "state": state, "week": weeks})
            repeated = int(biopsies.astype(str).duplicated().sum())
            score = (repeated, rank >= len(_NUMBERED), rank)
            # Many biopsies of one patient, state and visit: the part is not the patient.
            if repeated <= len(raw) // 2 and (best is None or score < best[0]):
                best = (score, key, pattern, found)
    if best is None:
        remark = "the field that names the patient; pairs of biopsies hang on it"
        return Column("patient", remark=remark, fill=True)
    remark = f"cut out of the text: {_counts(best[3])}, such as '{best[3].iloc[0]}'"
    return Column("patient", [best[1]], remark, pattern=best[2])


def _positions(texts: pd.Series) -> list[str]:
    """List patterns for each part, and each two neighbouring parts, of texts cut at one mark."""
    patterns = []
    for mark in "_-., ":
        widths = {len(text.split(mark)) for text in texts}
        if min(widths) < 2:
            continue
        one = f"[^{re.escape(mark)}]+"
        for start in range(min(widths)):
            for width in (1, 2):
                if start + width < max(widths) + 1 and start + width <= min(widths):
                    skipped = f"(?:{one}{re.escape(mark)}){{{start}}}" if start else ""
                    value = re.escape(mark).join([one] * width)
                    patterns.append(f"^{skipped}(?P<value>{value})")
    kept = []
    for pattern in patterns:
        parts = [m["value"] for t in texts if (m := re.search(pattern, t))]
        # A person has a number.
        if parts and all(re.search(r"\d", part) for part in parts):
            kept.append(pattern)
    return kept
