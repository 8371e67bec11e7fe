"""What a cohort file must say beyond its schema: keys that need or exclude each other."""

from __future__ import annotations

import re

from adnorm.base.errors import Problems, listing, nearest
from adnorm.study.comparisons import HEALTHY_ARM, UNTREATED_ARM
from adnorm.study.mapping import OF_PATIENT
from adnorm.study.samples import NO_TREATMENT, NUMBERS

#: Folders of the results that belong to no cohort.
RESERVED = ("axis", "atlas", "references")
#: What each route needs to know, as keys of `source:` (or of the cohort file itself).
ROUTE_NEEDS = {
    "geo_series_matrix": ("accession",),
    "geo_supplementary": ("accession", "source.table"),
    "ncbi_counts": ("accession",),
    "h5ad": ("source.table",),
    "local": ("source.table", "source.sheet"),
    "simulated": ("simulation",),
}


def check_parts(cohort: dict, faults: set[tuple[str, ...]], name: str, problems: Problems) -> None:
    """Check every part of a cohort file that the schema did not refuse.

    Parameters
    ----------
    cohort
        What the file holds, with defaults.
    faults
        Where the schema found faults (see `note_faults`): they do not hide what is wrong elsewhere.
    name
        Name of the file without its ending.
    problems
        Takes what is wrong.
    """
    faulty = {fault[0] for fault in faults if fault}
    sound = {key for key in cohort if key not in faulty}
    if "id" in sound:
        _check_id(cohort["id"], name, problems)
    if {"route", "source"} <= sound:
        _check_route(cohort, problems)
    if {"route", "source", "scale", "assay"} <= sound:
        _check_source(cohort, problems)
    samples = cohort.get("samples")
    mappings = {
        column: rule
        for column, rule in (samples.items() if isinstance(samples, dict) else ())
        if ("samples", column) not in faults and isinstance(rule, dict)
    }
    _check_mappings(mappings, problems)
    if "exclude" in sound:
        _check_excludes(cohort["exclude"], problems)
    if "treatment" in mappings and {"treatments", "placebo_arm"} <= sound:
        _check_treatments(cohort, problems)


def _check_id(name: str, stem: str, problems: Problems) -> None:
    if name in RESERVED:
        problems.add(f"id: '{name}' is a folder of adnorm's own results; name it otherwise")
    if name != stem:
        problems.add(f"id: '{name}' must be the name of the file, '{stem}'")


def _check_route(cohort: dict, problems: Problems) -> None:
    for need in ROUTE_NEEDS[cohort["route"]]:
        value: object = cohort
        for key in need.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if not value:
            problems.add(f"route: '{cohort['route']}' needs `{need.replace('.', ': ')}`")
    if cohort["route"] != "simulated" and cohort.get("simulation"):
        problems.add("simulation: only a cohort with `route: simulated` may have this block")


def _check_source(cohort: dict, problems: Problems) -> None:
    """Refuse keys of `source:` that the route would leave unread."""
    source, route = cohort["source"], cohort["route"]
    if source["layer"] and route != "h5ad":
        problems.add("source: layer: only a cohort with `route: h5ad` has layers; remove the line")
    if route == "h5ad" and source["sheet"]:
        problems.add(
            "source: sheet: `route: h5ad` reads the samples from obs of the .h5ad; remove the "
            "line, or join the sheet to obs before"
        )
    if route == "ncbi_counts" and (cohort["scale"], cohort["assay"]) != ("counts", "rna-seq"):
        problems.add(
            "route: 'ncbi_counts' brings raw counts of RNA-seq; write `scale: counts` and "
            "`assay: rna-seq`"
        )
    if source["scale_checked"] is not None and not source["scale_checked"].strip():
        problems.add(
            "source: scale_checked: say in words how you know that the declared scale is right, "
            "or remove the line"
        )
    if source["libraries"] is None:
        return
    if route not in ("local", "geo_supplementary"):
        problems.add(
            f"source: libraries: lanes are summed in a table of counts (`route: local` or "
            f"`geo_supplementary`), not with `route: {route}`; remove the line"
        )
    if cohort["scale"] != "counts":
        problems.add(
            f"source: libraries: lanes are summed as counts, but the file declares `scale: "
            f"{cohort['scale']}`; sums of other values mean nothing. Take the counts, or one "
            f"column a library"
        )
    _check_pattern(source["libraries"], "source: libraries", problems, only_group="library")


def _check_mappings(mappings: dict, problems: Problems) -> None:
    """Check what the schema cannot: one source a column, patterns, units, `of_patient`."""
    for column, rule in mappings.items():
        where = f"samples: {column}"
        if len({"from", "from_all", "constant"} & set(rule)) != 1:
            problems.add(
                f"{where}: give one of `from:` (a raw key or alternatives), `from_all:` (raw keys "
                f"that are joined) and `constant:`"
            )
        if "pattern" in rule:
            _check_pattern(rule["pattern"], f"{where}: pattern", problems, named_group=True)
        if "scale" in rule and column not in NUMBERS:
            problems.add(f"{where}: scale: this column holds no numbers; remove the line")
        given = [*(rule.get("values") or {}).values(), rule.get("constant"), rule.get("missing")]
        if OF_PATIENT in given and column not in ("treatment", "dose_mg"):
            problems.add(
                f"{where}: `{OF_PATIENT}` works for treatment and dose_mg only, because an arm "
                f"belongs to a patient; use null for what is not available"
            )


def _check_excludes(rules: list[dict], problems: Problems) -> None:
    for number, rule in enumerate(rules, 1):
        if "pattern" in rule:
            _check_pattern(rule["pattern"], f"exclude: rule {number}: pattern", problems)


def _check_pattern(
    pattern: str, where: str, problems: Problems, named_group: bool = False, only_group: str = ""
) -> None:
    try:
        groups = re.compile(pattern).groupindex
    except re.error as error:
        problems.add(f"{where}: '{pattern}' is not a regular expression: {error}")
        return
    if named_group and not groups:
        problems.add(
            f"{where}: '{pattern}' has no named group; put `(?P<value>…)` around the part that is "
            f"the value"
        )
    if only_group and set(groups) != {only_group}:
        problems.add(
            f"{where}: '{pattern}' must have one named group, called `{only_group}`; put "
            f"`(?P<{only_group}>…)` around the part that names it"
        )


def _check_treatments(cohort: dict, problems: Problems) -> None:
    rule = cohort["samples"]["treatment"]
    named = {str(v) for v in (rule.get("values") or {}).values() if v is not None}
    if "constant" in rule:
        named.add(str(rule["constant"]))
    known = [*cohort["treatments"], NO_TREATMENT, OF_PATIENT]
    for name in sorted(named - set(known)):
        problems.add(
            f"samples: treatment: '{name}' is not described under `treatments:`"
            f"{nearest(name, known)}; add it with its drug_class"
        )
    for name in sorted({HEALTHY_ARM, UNTREATED_ARM, NO_TREATMENT} & set(cohort["treatments"])):
        problems.add(
            f"treatments: '{name}' is a word of adnorm for people without treatment; name the "
            f"treatment otherwise"
        )
    classes = {name: block["drug_class"] for name, block in cohort["treatments"].items()}
    placebo = sorted(name for name, kind in classes.items() if kind.casefold() == "placebo")
    if placebo and cohort["placebo_arm"] is None:
        problems.add(
            f"placebo_arm: null, but {listing(placebo)} has the drug_class 'placebo'; write "
            f"`placebo_arm: {placebo[0]}`, so that drugs are compared with it"
        )
