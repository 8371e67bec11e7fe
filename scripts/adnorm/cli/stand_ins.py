"""Reads on behind what is wrong with a cohort file, so that all problems are told in one round.

A run stops at the first layer that is wrong: keys, then mappings, then samples, then values. Here
the wrong parts are replaced by ones that cannot be wrong, and what would follow from them is not
asked; results of such a cohort are never shown.
"""

from __future__ import annotations

import re
from pathlib import Path

from adnorm.base.errors import AdnormError, Problems

#: What cannot be wrong, for keys that must be there.
_NEEDED = {
    "title": "a cohort",
    "disease": "a disease",
    "tissue": "a tissue",
    "assay": "rna-seq",
    "scale": "log2",
    "reference": None,
}
#: One mapping for each column that must be there.
ANY_SHEET = {
    "patient": {"constant": "anybody"},
    "state": {"constant": "lesional"},
    "treatment": {"constant": "none"},
    "week": {"constant": 0},
}


def readable_part(path: Path, where: str) -> tuple[dict, set[str]] | None:
    """Return what can be read of a wrong cohort file.

    Parameters
    ----------
    path
        The cohort file.
    where
        What to call it in messages.

    Returns
    -------
    (cohort, replaced) or None
        A cohort that passes the schema and the keys that are not the file's own; ``None`` when the
        way in (route, source) is wrong, so that there is nothing to read. Its ``stand_ins`` are the
        canonical columns that are not the file's own: see `build_sample_sheet`.
    """
    from adnorm.study.schema import check, load_schema, note_faults, read_yaml

    try:
        value = read_yaml(path)
    except AdnormError:
        return None
    faults = note_faults(value, "cohort", Problems(where))
    replaced = {place[0] for place in faults if place} - {"samples"}
    if replaced & {"route", "source", "simulation"}:
        return None
    known = load_schema("cohort")["properties"]
    samples = value.get("samples")
    samples = samples if isinstance(samples, dict) else {}
    value = {key: part for key, part in value.items() if key in known and key not in replaced}
    value |= {key: _NEEDED[key] for key in replaced & set(_NEEDED)} | {"id": path.stem}
    wrong = {place[1] for place in faults if place[:1] == ("samples",) and len(place) > 1}
    wrong |= {column for column, rule in samples.items() if not _sound(rule)}
    kept = {c: r for c, r in samples.items() if c in known["samples"]["properties"]}
    kept = {column: rule for column, rule in kept.items() if column not in wrong}
    if "exclude" in replaced:
        # Which samples the mappings must cover is not known.
        kept = {}
    stand_ins = (set(ANY_SHEET) - set(kept)) | (wrong & {"dose_mg"})
    named = _named(kept.get("treatment", {})) - set(value.get("treatments", {}))
    if named:
        value["treatments"] = value.get("treatments", {}) | {
            name: {"drug_class": "not known"} for name in named
        }
        stand_ins.add("treatment")
    if stand_ins or "treatments" in replaced:
        value |= {"placebo_arm": None, "reference": None}
    value["samples"] = ANY_SHEET | kept
    cohort = check(value, "cohort", where) | {"where": where, "stand_ins": sorted(stand_ins)}
    return cohort, replaced


def _named(rule: dict) -> set[str]:
    """List the treatments that a mapping names."""
    from adnorm.study.cohort import NO_TREATMENT, OF_PATIENT

    given = [*rule.get("values", {}).values(), rule.get("constant"), rule.get("missing")]
    return {str(name) for name in given if name is not None} - {NO_TREATMENT, OF_PATIENT}


def _sound(rule: object) -> bool:
    """Whether a mapping can be applied."""
    if not isinstance(rule, dict):
        return False
    try:
        groups = re.compile(str(rule.get("pattern", "(?P<value>)"))).groupindex
    except re.error:
        return False
    return len({"from", "from_all", "constant"} & set(rule)) == 1 and bool(groups)
