"""Cohort files and the configuration of a run, read and checked before any work."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from adnorm.base.errors import AdnormError, Problems, listing, nearest
from adnorm.study.axis_genes import read_axis_genes
from adnorm.study.cohort_checks import check_parts
from adnorm.study.gene_sets import read_gene_sets
from adnorm.study.schema import check, fill_defaults, load_schema, note_faults, read_yaml


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
    value = read_yaml(path)
    problems = Problems(where)
    faults = note_faults(value, "cohort", problems)
    cohort = fill_defaults(value, load_schema("cohort"))
    check_parts(cohort, faults, path.stem, problems)
    problems.stop()
    cohort["where"] = where
    return cohort


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
    _check_names(config, problems)
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
    if config["index"]["axis_genes"]:
        config["index"]["axis_genes"] = str(locate(config["index"]["axis_genes"], home))
        try:
            read_axis_genes(config["index"]["axis_genes"])
        except AdnormError as error:
            problems.add(f"index: axis_genes: {error}")
    table = config["identifiers"]["table"]
    if table and "://" not in table and not Path(table).is_file():
        problems.add(f"identifiers: table: the file {table} does not exist")
    problems.stop()
    return Study(config, cohorts, files)


#: What no name of a file or folder of a run may hold: the report shows these names as they are, in
#: its scripts too, and Snakemake reads brackets as wildcards.
_NO_NAME = re.compile(r"[<>{}\x00-\x1f\x7f]")


def _check_names(config: dict, problems: Problems) -> None:
    """Refuse names of files and folders that would mean something in a report or to Snakemake."""
    named = [("results", config["results"]), ("index: axis_genes", config["index"]["axis_genes"])]
    named += [("gene_sets", path) for path in config["gene_sets"]]
    named.append(("identifiers: table", config["identifiers"]["table"]))
    for key, path in named:
        marks = sorted(set(_NO_NAME.findall(path or "")))
        if marks:
            problems.add(
                f"{key}: the name {path!r} holds {', '.join(map(repr, marks))}; angle brackets, "
                "braces and control characters are not allowed in names of files and folders: "
                "rename it"
            )


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
_PUBLISHED = ("id", "accession", "platform", "route")
#: … and those of its `source:`; the others say how the bytes are read.
_FETCHED = ("matrix", "annotation", "table", "sheet", "unpacked_gigabytes", "sha256")
#: What the simulator writes into its files besides.
_SIMULATED = ("assay", "scale", "title", "simulation")


def published_part(cohort: dict) -> dict:
    """Return only what decides which bytes are fetched.

    A mended mapping must not download anything again, so the fetch stage sees nothing else.
    """
    keys = _PUBLISHED + (_SIMULATED if "simulation" in cohort else ())
    part = {key: cohort[key] for key in keys}
    return part | {"source": {key: cohort["source"][key] for key in _FETCHED}}


def local_sources(cohort: dict) -> list[str]:
    """Return the files on this disk that a cohort reads, sorted."""
    source = cohort["source"]
    named = [source[key] for key in ("matrix", "annotation", "sheet") if source[key]]
    # The table of a GEO series is a file name among its supplementary files, not a path.
    if source["table"] and (cohort["route"] != "geo_supplementary" or "/" in source["table"]):
        named.append(source["table"])
    return sorted(path for path in named if "://" not in path and not path.startswith("file:"))
