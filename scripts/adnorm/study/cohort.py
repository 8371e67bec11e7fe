"""Cohort files and the configuration of a run, read and checked before any work."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from adnorm.base.errors import AdnormError, Problems, listing, nearest
from adnorm.study.comparisons import HEALTHY_ARM, UNTREATED_ARM
from adnorm.study.gene_sets import read_gene_sets
from adnorm.study.mapping import OF_PATIENT
from adnorm.study.samples import NO_TREATMENT, NUMBERS
from adnorm.study.schema import check, read_yaml

#: Folders of the results that belong to no cohort.
RESERVED = ("axis", "atlas", "references")
#: What each route needs to know, as keys of `source:` (or of the cohort file itself).
ROUTE_NEEDS = {
    "geo_series_matrix": ("accession",),
    "geo_supplementary": ("accession", "source.table"),
    "local": ("source.table", "source.sheet"),
    "simulated": ("simulation",),
}


@dataclass(frozen=True)
class Study:
    """One run: its configuration and its cohorts.

    Attributes
    ----------
    config
        The checked configuration with all defaults.
    cohorts
        The checked cohort files by id, in the order of the configuration.
    files
        Where each cohort file lies.
    """

    config: dict
    cohorts: dict[str, dict]
    files: dict[str, Path]


def read_cohort(path: Path | str, where: str | None = None) -> dict:
    """Read and check one cohort file.

    Parameters
    ----------
    path
        ``COHORT.yaml``; its name must be the cohort's id.
    where
        What to call the file in messages and results; the path unless told otherwise.

    Returns
    -------
    dict
        The file's keys with all defaults, and ``where``.

    Raises
    ------
    AdnormError
        One message with everything that is wrong with the file.
    """
    path = Path(path)
    where = where or str(path)
    cohort = check(read_yaml(path), "cohort", where)
    problems = Problems(where)
    if cohort["id"] in RESERVED:
        problems.add(f"id: '{cohort['id']}' is a folder of adnorm's own results; name it otherwise")
    if cohort["id"] != path.stem:
        problems.add(f"id: '{cohort['id']}' must be the name of the file, '{path.stem}'")
    for need in ROUTE_NEEDS[cohort["route"]]:
        value: object = cohort
        for key in need.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if not value:
            problems.add(f"route: '{cohort['route']}' needs `{need.replace('.', ': ')}`")
    if cohort["route"] != "simulated" and cohort.get("simulation"):
        problems.add("simulation: only a cohort with `route: simulated` may have this block")
    _check_mappings(cohort, problems)
    _check_treatments(cohort, problems)
    problems.stop()
    cohort["where"] = where
    return cohort


def _check_mappings(cohort: dict, problems: Problems) -> None:
    """Check what the schema cannot: one source a column, patterns, units, `of_patient`."""
    for column, rule in cohort["samples"].items():
        where = f"samples: {column}"
        if ("from" in rule) == ("constant" in rule):
            problems.add(f"{where}: give either `from:` or `constant:`, one of the two")
        if "pattern" in rule:
            _check_pattern(rule["pattern"], f"{where}: pattern", problems, named_group=True)
        if "scale" in rule and column not in NUMBERS:
            problems.add(f"{where}: scale: this column holds no numbers; remove the line")
        given = [*rule.get("values", {}).values(), rule.get("constant"), rule.get("missing")]
        if OF_PATIENT in given and column not in ("treatment", "dose_mg"):
            problems.add(
                f"{where}: `{OF_PATIENT}` works for treatment and dose_mg only, because an arm "
                f"belongs to a patient; use null for what is not available"
            )
    for number, rule in enumerate(cohort["exclude"], 1):
        if "pattern" in rule:
            _check_pattern(rule["pattern"], f"exclude: rule {number}: pattern", problems)


def _check_pattern(pattern: str, where: str, problems: Problems, named_group: bool = False) -> None:
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


def _check_treatments(cohort: dict, problems: Problems) -> None:
    rule = cohort["samples"]["treatment"]
    named = {str(v) for v in rule.get("values", {}).values() if v is not None}
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


def locate(path: str, home: Path) -> Path:
    """Find a file of the user (relative to the working directory) or one that adnorm ships."""
    found = Path(path)
    if found.is_absolute() or found.exists() or not (home / found).exists():
        return found
    return home / found


def read_study(config: dict, home: Path = Path(), where: str = "configuration") -> Study:
    """Check a configuration and all cohort files that it names.

    Parameters
    ----------
    config
        The configuration as read from YAML.
    home
        The repository; files that adnorm ships are found there from any working directory.
    where
        What to call the configuration in messages.

    Returns
    -------
    Study
        ``config`` has all defaults and the paths that were found.

    Raises
    ------
    AdnormError
        One message with everything that is wrong: unknown keys, cohort files or gene-set files that
        are missing, two cohorts with one id, and whatever is wrong inside the cohort files.
    """
    config = check(config, "config", where)
    problems = Problems(where)
    cohorts: dict[str, dict] = {}
    files: dict[str, Path] = {}
    for name in config["cohorts"]:
        named = (
            name if name.endswith((".yaml", ".yml")) else f"{config['cohort_folder']}/{name}.yaml"
        )
        path = _cohort_path(name, named, config["cohort_folder"], home, problems)
        if path is None:
            continue
        try:
            # Shipped files are found from anywhere; results must not name the place.
            cohort = read_cohort(path, where=named)
        except AdnormError as error:
            problems.add(str(error))
            continue
        if cohort["id"] in cohorts:
            problems.add(
                f"cohorts: two cohorts have the id '{cohort['id']}': {files[cohort['id']]} and "
                f"{path}; results would overwrite each other"
            )
            continue
        cohorts[cohort["id"]], files[cohort["id"]] = cohort, path
    config["gene_sets"] = [str(locate(path, home)) for path in config["gene_sets"]]
    try:
        read_gene_sets(config["gene_sets"])
    except AdnormError as error:
        problems.add(f"gene_sets: {error}")
    table = config["identifiers"]["table"]
    if table and "://" not in table and not Path(table).is_file():
        problems.add(f"identifiers: table: the file {table} does not exist")
    problems.stop()
    return Study(config, cohorts, files)


def _cohort_path(name: str, named: str, folder: str, home: Path, problems: Problems) -> Path | None:
    path = locate(named, home)
    if path.is_file():
        return path
    shelf = locate(folder, home)
    known = sorted(p.stem for p in shelf.glob("*.yaml"))
    problems.add(
        f"cohorts: '{name}': the file {path} does not exist{nearest(name, known)}; cohort files "
        f"in {shelf}: {listing(known, 40) or 'none'}"
    )
    return None


#: The keys of a cohort file that decide which bytes are fetched.
_PUBLISHED = ("id", "accession", "platform", "route", "source")
#: What the simulator writes into its files besides.
_SIMULATED = ("assay", "scale", "title", "simulation")


def published_part(cohort: dict) -> dict:
    """Return only what decides which bytes are fetched.

    A mended mapping must not download anything again, so the fetch stage sees nothing else.
    """
    keys = _PUBLISHED + (_SIMULATED if "simulation" in cohort else ())
    return {key: cohort[key] for key in keys}


def local_sources(cohort: dict) -> list[str]:
    """Return the files on this disk that a cohort reads, sorted."""
    source = cohort["source"]
    named = [source[key] for key in ("matrix", "annotation", "sheet") if source[key]]
    # The table of a GEO series is a file name among its supplementary files, not a path.
    if source["table"] and (cohort["route"] == "local" or "/" in source["table"]):
        named.append(source["table"])
    return sorted(path for path in named if "://" not in path and not path.startswith("file:"))
