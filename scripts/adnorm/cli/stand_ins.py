"""Reads on behind what is wrong with a cohort file, so that all problems are told in one round.

A run stops at the first layer that is wrong: keys, then mappings, then samples, then values. Here
the wrong parts are replaced by ones that cannot be wrong; results of such a cohort are never shown.
"""

from __future__ import annotations

import re
from pathlib import Path

from adnorm.base.errors import AdnormError

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
        way in (route, source) is wrong, so that there is nothing to read.
    """
    from adnorm.study.schema import check, read_yaml

    try:
        value = read_yaml(path)
    except AdnormError:
        return None
    replaced: set[str] = set()
    for _ in range(len(value) + 2):
        wrong = _wrong_keys(value)
        if not wrong:
            break
        if wrong & {"route", "source", "simulation"}:
            return None
        for key in wrong:
            value.pop(key, None)
            if key in _NEEDED:
                value[key] = _NEEDED[key]
            elif key == "id":
                value[key] = path.stem
        if "samples" in wrong:
            value["samples"] = dict(ANY_SHEET)
        replaced |= wrong
    value["samples"] = _sound(value["samples"], replaced)
    return check(value, "cohort", where) | {"where": where}, replaced


def _wrong_keys(value: dict) -> set[str]:
    """Name the keys of the top that the schema refuses or misses."""
    from jsonschema import Draft202012Validator

    from adnorm.study.schema import load_schema

    wrong: set[str] = set()
    for error in Draft202012Validator(load_schema("cohort")).iter_errors(value):
        if error.path:
            wrong.add(str(error.path[0]))
        elif error.validator == "required":
            wrong |= {key for key in error.validator_value if key not in value}
        elif error.validator == "additionalProperties":
            wrong |= set(value) - set(error.schema["properties"])
    return wrong


def _sound(samples: dict, replaced: set[str]) -> dict:
    """Leave out mappings that cannot be applied."""
    kept = {}
    for column, rule in samples.items():
        try:
            groups = re.compile(rule.get("pattern", "(?P<value>)")).groupindex
        except re.error:
            groups = {}
        if len({"from", "from_all", "constant"} & set(rule)) == 1 and groups:
            kept[column] = rule
        else:
            replaced.add("samples")
    return ANY_SHEET | kept
