"""Cohort files and the configuration of a run, read and checked before any work."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adnorm.base.errors import AdnormError, Problems, listing, nearest
from adnorm.base.yaml_text import read_yaml
from adnorm.study.axis_genes import read_axis_genes
from adnorm.study.checksums import Pins, read_checksums
from adnorm.study.cohort import (
    NO_TREATMENT,
    NUMBERS,
    OF_PATIENT,
    Cohort,
    CohortFile,
    ColumnMapping,
    ExclusionRule,
    SampleMappings,
)
from adnorm.study.config import CHECKSUMS, RunConfig
from adnorm.study.gene_sets import SetSymbols, read_gene_sets
from adnorm.study.patterns import fault_of, groups_of
from adnorm.study.validation import Faults, check, find_faults, with_types
from adnorm.study.vocabulary import Arm, Assay, Route, Scale

#: Characters of a wrong pattern that a message shows.
_SHOWN = 200
#: Folders of the results that belong to no cohort.
RESERVED = ("axis", "atlas", "references")
#: What each route needs to know, as keys of `source:` (or of the cohort file itself).
ROUTE_NEEDS = {
    Route.GEO_SERIES_MATRIX: ("accession",),
    Route.GEO_SUPPLEMENTARY: ("accession", "source.table"),
    Route.NCBI_COUNTS: ("accession",),
    Route.H5AD: ("source.table",),
    Route.LOCAL: ("source.table", "source.sheet"),
    Route.SIMULATED: ("simulation",),
}
#: Mappings that cannot be wrong, one for each column that must be there.
ANY_SHEET: dict[str, dict[str, Any]] = {
    "patient": {"constant": "anybody"},
    "state": {"constant": "lesional"},
    "treatment": {"constant": NO_TREATMENT},
    "week": {"constant": 0},
}
#: What cannot be wrong, for the other keys that must be there.
_ANY_COHORT: dict[str, Any] = {
    "title": "a cohort",
    "disease": "a disease",
    "tissue": "a tissue",
    "assay": "rna-seq",
    "route": "local",
    "scale": "log2",
    "reference": None,
}


@dataclass(frozen=True)
class Study:
    """One run: its configuration and its cohorts.

    Attributes
    ----------
    config
        The checked configuration, with the paths that were found.
    cohorts
        The checked cohort files by id, in the order of the configuration.
    files
        Where each cohort file lies.
    symbols
        Digest of what the stage expression takes from the gene sets (see `SetSymbols`).
    pins
        What the files of the cohorts were when they were pinned.
    """

    config: RunConfig
    cohorts: dict[str, Cohort]
    files: dict[str, Path]
    symbols: str
    pins: Pins


def read_cohort(path: Path | str, where: str | None = None) -> Cohort:
    """Read and check one cohort file.

    Parameters
    ----------
    path
        ``COHORT.yaml``; its name must be the cohort's id.
    where
        What to call the file in messages and results; the path unless told otherwise.

    Raises
    ------
    AdnormError
        One message with everything that is wrong with the file.
    """
    path = Path(path)
    where = where or str(path)
    value = read_yaml(path)
    faults = find_faults(CohortFile, value)
    problems = Problems(where)
    for sentence in faults.sentences:
        problems.add(sentence)
    # A wrong part does not hide what is wrong elsewhere.
    cohort = sound_part(value, faults, path.stem, where) if problems else _made(value, where)
    _check_parts(cohort, faults, path.stem, problems)
    problems.stop()
    return cohort


def _made(value: dict[str, Any], where: str) -> Cohort:
    return Cohort.model_validate(value | {"where": where})


def sound_part(value: dict[str, Any], faults: Faults, name: str, where: str) -> Cohort:
    """Take what is right of a wrong cohort file; what cannot be wrong stands in for the rest.

    Parameters
    ----------
    value
        What the file holds.
    faults
        What the model refuses of it.
    name
        Name of the file without its ending.
    where
        What to call it in messages.
    """
    wrong = {place[0] for place in faults.places if place} - {"samples"}
    kept = {
        key: part
        for key, part in value.items()
        if key in CohortFile.model_fields and key not in wrong
    }
    stand_ins = {key: part for key, part in _ANY_COHORT.items() if key not in kept}
    columns = kept.get("samples")
    columns = columns if isinstance(columns, dict) else {}
    refused = {place[1] for place in faults.places if place[:1] == ("samples",) and place[1:]}
    columns = {
        column: mapping
        for column, mapping in columns.items()
        if column in SampleMappings.model_fields and column not in refused
    }
    return _made({"id": name} | stand_ins | kept | {"samples": ANY_SHEET | columns}, where)


# ---------------------------------------------------------------- what one file must say as a whole


def _check_parts(cohort: Cohort, faults: Faults, name: str, problems: Problems) -> None:
    """Check keys that need or exclude each other, in every part that the model did not refuse."""
    wrong = {place[0] for place in faults.places if place} | faults.unsure
    if "id" not in wrong:
        _check_id(cohort.id, name, problems)
    if not {"route", "source"} & wrong:
        _check_route(cohort, wrong, problems)
    if not {"route", "source", "scale", "assay"} & wrong:
        _check_source(cohort, problems)
    mappings = {
        column: mapping
        for column, mapping in cohort.samples.by_column.items()
        if ("samples", column) not in faults.places
    }
    _check_mappings(mappings, problems)
    if "exclude" not in wrong:
        _check_excludes(cohort.exclude, problems)
    if "treatment" in mappings and not {"treatments", "placebo_arm"} & wrong:
        _check_treatments(cohort, problems)
    if cohort.simulation and not {"simulation", "scale"} & wrong:
        for sentence in cohort.simulation.contradictions(cohort.scale):
            problems.add(f"simulation: {sentence}")


def _check_id(name: str, stem: str, problems: Problems) -> None:
    if name in RESERVED:
        problems.add(f"id: '{name}' is a folder of adnorm's own results; name it otherwise")
    if name != stem:
        problems.add(f"id: '{name}' must be the name of the file, '{stem}'")


def _check_route(cohort: Cohort, wrong: set[str], problems: Problems) -> None:
    for need in ROUTE_NEEDS[cohort.route]:
        section, _, key = need.rpartition(".")
        if key not in wrong and not getattr(getattr(cohort, section) if section else cohort, key):
            problems.add(f"route: '{cohort.route}' needs `{need.replace('.', ': ')}`")
    if cohort.route != Route.SIMULATED and cohort.simulation:
        problems.add("simulation: only a cohort with `route: simulated` may have this block")


def _check_source(cohort: Cohort, problems: Problems) -> None:
    """Refuse keys of `source:` that the route would leave unread."""
    source, route = cohort.source, cohort.route
    if source.layer and route != Route.H5AD:
        problems.add("source: layer: only a cohort with `route: h5ad` has layers; remove the line")
    if route == Route.H5AD and source.sheet:
        problems.add(
            "source: sheet: `route: h5ad` reads the samples from obs of the .h5ad; remove the "
            "line, or join the sheet to obs before"
        )
    counted = (cohort.scale, cohort.assay) == (Scale.COUNTS, Assay.RNA_SEQ)
    if route == Route.NCBI_COUNTS and not counted:
        problems.add(
            "route: 'ncbi_counts' brings raw counts of RNA-seq; write `scale: counts` and "
            "`assay: rna-seq`"
        )
    if source.scale_checked is not None and not source.scale_checked.strip():
        problems.add(
            "source: scale_checked: say in words how you know that the declared scale is right, "
            "or remove the line"
        )
    if source.libraries is None:
        return
    if route not in (Route.LOCAL, Route.GEO_SUPPLEMENTARY):
        problems.add(
            f"source: libraries: lanes are summed in a table of counts (`route: local` or "
            f"`geo_supplementary`), not with `route: {route}`; remove the line"
        )
    if cohort.scale != Scale.COUNTS:
        problems.add(
            f"source: libraries: lanes are summed as counts, but the file declares `scale: "
            f"{cohort.scale}`; sums of other values mean nothing. Take the counts, or one "
            f"column a library"
        )
    _check_pattern(source.libraries, "source: libraries", problems, only_group="library")


def _check_mappings(mappings: Mapping[str, ColumnMapping], problems: Problems) -> None:
    """Check what the model cannot: one source a column, patterns, units, `of_patient`."""
    for column, mapping in mappings.items():
        where = f"samples: {column}"
        if not mapping.has_one_source:
            problems.add(
                f"{where}: give one of `from:` (a raw key or alternatives), `from_all:` (raw keys "
                f"that are joined) and `constant:`"
            )
        if mapping.pattern is not None:
            _check_pattern(mapping.pattern, f"{where}: pattern", problems, named_group=True)
        if mapping.scale is not None and column not in NUMBERS:
            problems.add(f"{where}: scale: this column holds no numbers; remove the line")
        if OF_PATIENT in mapping.results and column not in ("treatment", "dose_mg"):
            problems.add(
                f"{where}: `{OF_PATIENT}` works for treatment and dose_mg only, because an arm "
                f"belongs to a patient; use null for what is not available"
            )


def _check_excludes(rules: Sequence[ExclusionRule], problems: Problems) -> None:
    for number, rule in enumerate(rules, 1):
        if rule.pattern is not None:
            _check_pattern(rule.pattern, f"exclude: rule {number}: pattern", problems)


def _check_pattern(
    pattern: str, where: str, problems: Problems, named_group: bool = False, only_group: str = ""
) -> None:
    if fault := fault_of(pattern):
        problems.add(f"{where}: '{_short(pattern)}' {fault}")
        return
    groups = groups_of(pattern)
    if named_group and not groups:
        problems.add(
            f"{where}: '{pattern}' has no named group; put `(?P<value>…)` around the part that is "
            f"the value"
        )
    if named_group and len(groups) > 1:
        problems.add(
            f"{where}: '{pattern}' has the named groups {listing(sorted(groups))}; one of them is "
            "the value: make the others plain, `(?:…)`"
        )
    if only_group and groups != {only_group}:
        problems.add(
            f"{where}: '{pattern}' must have one named group, called `{only_group}`; put "
            f"`(?P<{only_group}>…)` around the part that names it"
        )


def _short(pattern: str) -> str:
    return pattern if len(pattern) <= _SHOWN else f"{pattern[:_SHOWN]}…"


def _check_treatments(cohort: Cohort, problems: Problems) -> None:
    mapping = cohort.samples.treatment
    named = {str(value) for value in mapping.translation.values() if value is not None}
    if mapping.constant is not None:
        named.add(str(mapping.constant))
    known = [*cohort.treatments, NO_TREATMENT, OF_PATIENT]
    for name in sorted(named - set(known)):
        problems.add(
            f"samples: treatment: '{name}' is not described under `treatments:`"
            f"{nearest(name, known)}; add it with its drug_class"
        )
    for name in sorted(
        {str(Arm.HEALTHY), str(Arm.UNTREATED), NO_TREATMENT} & set(cohort.treatments)
    ):
        problems.add(
            f"treatments: '{name}' is a word of adnorm for people without treatment; name the "
            f"treatment otherwise"
        )
    classes = {name: treatment.drug_class for name, treatment in cohort.treatments.items()}
    placebo = sorted(name for name, kind in classes.items() if kind.casefold() == "placebo")
    if placebo and cohort.placebo_arm is None:
        problems.add(
            f"placebo_arm: null, but {listing(placebo)} has the drug_class 'placebo'; write "
            f"`placebo_arm: {placebo[0]}`, so that drugs are compared with it"
        )


# ---------------------------------------------------------------- the run


def locate(path: str, home: Path) -> Path:
    """Find a file of the user (relative to the working directory) or one that adnorm ships."""
    found = Path(path)
    if found.is_absolute() or found.exists() or not (home / found).exists():
        return found
    return home / found


def read_study(
    config: Mapping[str, Any],
    home: Path = Path(),
    where: str = "configuration",
    typed: Mapping[str, Any] | None = None,
) -> Study:
    """Check a configuration and all cohort files that it names.

    Parameters
    ----------
    config
        The configuration as read from YAML.
    home
        The repository; files that adnorm ships are found there from any working directory.
    where
        What to call the configuration in messages.
    typed
        What of it was typed on the command line, where all values are texts.

    Raises
    ------
    AdnormError
        One message with everything that is wrong: unknown keys, cohort files or gene-set files that
        are missing, two cohorts with one id, and whatever is wrong inside the cohort files.
    """
    given = check(RunConfig, with_types(RunConfig, config, typed or {}), where)
    found = located(given, home)
    problems = Problems(where)
    _check_names(found, problems)
    cohorts: dict[str, Cohort] = {}
    files: dict[str, Path] = {}
    for name in given.cohorts:
        named, path = cohort_path(name, given.cohort_folder, home)
        if not path.is_file():
            problems.add(_absent_cohort(name, path, given.cohort_folder, home))
            continue
        try:
            # Shipped files are found from anywhere; results must not name the place.
            cohort = read_cohort(path, where=named)
        except AdnormError as error:
            problems.add(str(error))
            continue
        if cohort.id in cohorts:
            problems.add(
                f"cohorts: two cohorts have the id '{cohort.id}': {files[cohort.id]} and "
                f"{path}; results would overwrite each other"
            )
            continue
        for local in cohort.local_files:
            _check_name(f"{named}: source", local, problems)
        cohorts[cohort.id], files[cohort.id] = cohort, path
    symbols = _check_files(found, problems)
    pins = _read_pins(found, problems)
    problems.stop()
    return Study(found, cohorts, files, symbols, pins)


def merged(below: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Put values over others, key by key in sections, as Snakemake does."""
    result = dict(below)
    for key, value in over.items():
        known = result.get(key)
        if isinstance(value, Mapping) and isinstance(known, Mapping):
            value = merged(known, value)
        result[key] = value
    return result


def cohort_path(name: str, folder: str, home: Path) -> tuple[str, Path]:
    """Say how messages call a cohort file, and where the file is.

    Parameters
    ----------
    name
        As the configuration names it: an id or a path.
    folder
        ``cohort_folder`` of the configuration.
    home
        The repository.
    """
    named = name if name.endswith((".yaml", ".yml")) else f"{folder}/{name}.yaml"
    return named, locate(named, home)


def located(config: RunConfig, home: Path) -> RunConfig:
    """Name the files of a configuration by where they are."""
    found: dict[str, Any] = {
        "gene_sets": tuple(str(locate(path, home)) for path in config.gene_sets)
    }
    if config.checksums:
        found["checksums"] = str(locate(config.checksums, home))
    if config.index.axis_genes:
        axis_genes = str(locate(config.index.axis_genes, home))
        found["index"] = config.index.model_copy(update={"axis_genes": axis_genes})
    return config.model_copy(update=found)


def _check_files(config: RunConfig, problems: Problems) -> str:
    """Read the small files that a configuration names; the digest of the symbols of its sets."""
    symbols = ""
    try:
        symbols = SetSymbols.of(read_gene_sets(config.gene_sets)).digest
    except AdnormError as error:
        problems.add(f"gene_sets: {error}")
    if config.index.axis_genes:
        try:
            read_axis_genes(config.index.axis_genes)
        except AdnormError as error:
            problems.add(f"index: axis_genes: {error}")
    table = config.identifiers.table
    if table and "://" not in table and not Path(table).is_file():
        found = f"{table} is a folder, a device or a pipe, not a file"
        record = Path("inputs.tsv").is_file()
        told = "; inputs.tsv beside this configuration says which file it is" if record else ""
        absent = f"the file {table} does not exist{told}"
        problems.add(f"identifiers: table: {found if Path(table).exists() else absent}")
    return symbols


def _read_pins(config: RunConfig, problems: Problems) -> Pins:
    """Read what is pinned; only a table that somebody named must be there."""
    path = config.checksums
    if not path:
        return {}
    if path != CHECKSUMS and not Path(path).exists():
        problems.add(
            f"checksums: the file {path} does not exist; `adnorm lock` writes it, and null asks "
            "for none"
        )
        return {}
    try:
        return read_checksums(Path(path))
    except AdnormError as error:
        problems.add(f"checksums: {error}")
        return {}


#: What no name of a file or folder of a run may hold: the report shows these names as they are, in
#: its scripts too, and Snakemake reads brackets as wildcards.
_NO_NAME = re.compile(r"[<>{}\x00-\x1f\x7f]")


def _check_names(config: RunConfig, problems: Problems) -> None:
    """Refuse names of files and folders that would mean something in a report or to Snakemake."""
    named = [("results", config.results), ("index: axis_genes", config.index.axis_genes)]
    named += [("gene_sets", path) for path in config.gene_sets]
    named.append(("identifiers: table", config.identifiers.table))
    for key, path in named:
        _check_name(key, path or "", problems)


def _check_name(key: str, path: str, problems: Problems) -> None:
    marks = sorted(set(_NO_NAME.findall(path)))
    if marks:
        problems.add(
            f"{key}: the name {path!r} holds {', '.join(map(repr, marks))}; angle brackets, "
            "braces and control characters are not allowed in names of files and folders: "
            "rename it"
        )


def _absent_cohort(name: str, path: Path, folder: str, home: Path) -> str:
    shelf = locate(folder, home)
    known = sorted(p.stem for p in shelf.glob("*.yaml"))
    return (
        f"cohorts: '{name}': the file {path} does not exist{nearest(name, known)}; cohort files "
        f"in {shelf}: {listing(known, 40) or 'none'}"
    )
