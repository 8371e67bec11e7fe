"""Whose biopsy it is, and of what skin: patient and state."""

from __future__ import annotations

import re

import pandas as pd

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
)
from adnorm.onboarding.words import (
    AMBIGUOUS_MARK,
    HEALTHY,
    LESIONAL,
    NONLESIONAL,
    read_disease,
    read_state,
)

_PERSON = r"(?:patient|subject|participant|donor|individual|indivisual|person|volunteer|proband)"
_PATIENT_KEYS = [
    rf"{_PERSON}_?(?:id|identifier|no|number|code|nr)?",
    r"(?:pt|pat|subj)_?(?:id|no|number)?|ptid|usubjid|person_id|case_?id",
    rf"(?:study|trial|anonymi[sz]ed|unique)_(?:{_PERSON}|id).*",
    rf".*_{_PERSON}_?(?:id|no|number)?",
]
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


def propose_state(raw: pd.DataFrame) -> Column:
    """Propose the mapping of the state of skin.

    A field that tells lesional from non-lesional skin is best; a second field fills its empty
    cells. Without one, disease against healthy is taken, and said.
    """
    best = None
    for place, key in enumerate(raw.columns):
        if key_rank(key, [_TREATMENT_LIKE]) == 0:
            continue
        kinds = counts_of(filled(raw, [key]))
        read = {value: found[0] for value in kinds if (found := read_state(value))}
        # Only what tells skin from skin counts; "control" alone may mean anything.
        skin = {s for s in read.values() if s != HEALTHY}
        disease = any(read_disease(value) for value in kinds if value not in read)
        share = sum(kinds[v] for v in kinds if v in read) / max(1, sum(kinds.values()))
        if not enumerable(kinds) or not (skin and share >= 0.5 or read and disease):
            continue
        score = (bool(skin), share > 0.9, -key_rank(key, _STATE_KEYS), -place)
        if best is None or score > best[0]:
            best = (score, key)
    if best is None:
        return _state_of_titles(raw)
    keys = [best[1]]
    if (filled(raw, keys) == "").any():
        keys += _second_field(raw, keys[0])
    column = Column("state", keys, "which skin a sample is")
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


def _state_line(value: str, number: int, kinds: dict[str, int]) -> Line:
    found = read_state(value)
    if found:
        return Line(value, found[0], many(number))
    read = {state[0] for v in kinds if (state := read_state(v))}
    if value == AMBIGUOUS_MARK and LESIONAL in read:
        if NONLESIONAL in read:
            return Line(value, HEALTHY, f"{many(number)}; 'N' taken for normal")
        if HEALTHY in read:
            return Line(value, NONLESIONAL, f"{many(number)}; 'N' taken for non-lesional")
        return Line(value, None, f"{many(number)}: nonlesional or healthy ('N' may be both)", True)
    disease = read_disease(value)
    if disease and LESIONAL not in read:
        return Line(value, LESIONAL, f"{many(number)}; all of {disease} taken as lesional")
    return Line(value, None, f"{many(number)}: lesional, nonlesional or healthy", fill=True)


def _state_of_titles(raw: pd.DataFrame) -> Column:
    for key in (k for k in TITLES if k in raw):
        made = by_fragments(filled(raw, [key]), lambda t: (s := _state_in(t)) and s[1], 1.0)
        if made:
            lines = [Line(w, _state_in(w)[0], many(n)) for w, n in made[1].items()]
            return Column("state", [key], "read out of the text", lines, made[0])
    remark = "the field that says which skin a sample is, or `constant: lesional`"
    return Column("state", remark=remark, fill=True)


def _state_in(text: str) -> tuple[str, str] | None:
    """Read the state in a long text, where a single L beside NL means lesional."""
    found = read_state(text)
    if found is None and (mark := re.search(r"(?<![A-Za-z])L(?![A-Za-z])", text)):
        return LESIONAL, mark[0]
    return found


def propose_patient(raw: pd.DataFrame, state: Column, weeks: pd.Series) -> Column:
    """Propose the mapping of the patient: a field with such a name, or a part of the titles."""
    ranked = sorted(
        (key_rank(key, _PATIENT_KEYS), place, key)
        for place, key in enumerate(raw.columns)
        if key_rank(key, _PATIENT_KEYS) < len(_PATIENT_KEYS)
    )
    keys = [key for _, _, key in ranked if (filled(raw, [key]) != "").any()]
    if keys:
        used = keys[:1]
        for key in keys[1:]:
            if (filled(raw, used) == "").any() and (filled(raw, used) != "").sum():
                used.append(key)
        values = filled(raw, used)
        column = Column("patient", used, _told(values[values != ""]))
        empty = int((values == "").sum())
        if empty:
            remark = f"{many(empty)} without a patient; exclude them or name the field"
            column.missing = Line("", None, remark, fill=True)
        return column
    return _patient_of_titles(raw, state.canonical(raw), weeks)


def _told(values: pd.Series) -> str:
    return f"{values.nunique()} patients in {many(len(values))}"


def _patient_of_titles(raw: pd.DataFrame, state: pd.Series, weeks: pd.Series) -> Column:
    """Cut the patient out of the titles: the part that leaves one biopsy a state and visit."""
    best = None
    for key in (k for k in TITLES if k in raw):
        texts = filled(raw, [key])
        for rank, pattern in enumerate([*_NUMBERED, *_positions(texts)]):
            found = texts.map(lambda t, p=pattern: (m := re.search(p, t, re.IGNORECASE)) and m[1])
            if found.isna().any() or not 1 < found.nunique() < len(raw):
                continue
            cells = pd.DataFrame({"patient": found, "state": state, "week": weeks})
            repeated = int(cells.astype(str).duplicated().sum())
            score = (repeated, rank >= len(_NUMBERED), rank)
            # Many biopsies of one patient, state and visit: the part is not the patient.
            if repeated <= len(raw) // 2 and (best is None or score < best[0]):
                best = (score, key, pattern, found)
    if best is None:
        remark = "the field that names the patient; pairs of biopsies hang on it"
        return Column("patient", remark=remark, fill=True)
    remark = f"cut out of the text: {_told(best[3])}, such as '{best[3].iloc[0]}'"
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
