"""Stage provenance: the crate of a run, `results/RUN/provenance`."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from adnorm import __version__
from adnorm.base.errors import AdnormError
from adnorm.base.files import atomic, digest_of, read_json, remove_leftovers
from adnorm.base.shipped import HOME
from adnorm.base.stage import Files
from adnorm.base.stops import Stop, read_stop
from adnorm.provenance import portable as names
from adnorm.provenance.crate import Run, write_metadata
from adnorm.provenance.methods import Found, methods_text
from adnorm.provenance.record import (
    INPUT_COLUMNS,
    RESULT_COLUMNS,
    SOFTWARE_COLUMNS,
    Input,
    Known,
    stop_in,
    table_text,
    write_text,
)
from adnorm.provenance.software import PYTHON, software
from adnorm.study.checksums import Pin, write_checksums
from adnorm.study.cohort import Cohort
from adnorm.study.config import RunConfig
from adnorm.study.reading import locate, read_cohort
from adnorm.study.validation import Listed, Section
from adnorm.study.vocabulary import Route

#: Source of what a crate holds a copy of.
IN_CRATE = "in the crate"
README = """# The record of a run of adnorm

{about}

This folder is a Workflow Run RO-Crate: pass it on as it is, or as a zip. It holds what is needed
to get the same numbers but data and code: data are fetched again and compared by their digests, the
code is adnorm {version}.

With adnorm {version} installed, in a copy of this folder:

    snakemake -s CLONE/Snakefile --cores all --configfile config.yaml
    adnorm verify . results

The first line is the run. The second says whether its numbers are those of this record, which
inputs are others, and which software here has another version.
{local}
| file | what |
| --- | --- |
| `methods.md` | what was done, in words for a paper, with references |
| `config.yaml`, the cohort files and gene sets | the run, every default written out |
| `tables/` | copies of the tables that hold the answers |
| `digests.tsv` | size and SHA-256 of every result |
| `checksums.tsv` | what was fetched, for runs from here: other bytes are refused |
| `inputs.tsv` | source, size and SHA-256 of every file that was read |
| `software.tsv`, `requirements.txt` | what the run ran on |
"""


class Names(Section):
    """What the crate calls the files of a run.

    Attributes
    ----------
    cohorts
        Cohort id → its file.
    renamed
        Paths inside cohort files → their names in the crate.
    results
        Results that the rules of the workflow make, below the results folder; ``{cohort}`` stands
        for each cohort.
    """

    cohorts: dict[str, str]
    renamed: dict[str, str]
    results: Listed[str]


class ProvenanceSettings(RunConfig):
    """The configuration of the run as it stands in the crate, and the names of its files there."""

    crate: Names


def build(inputs: Files, outputs: Files, settings: ProvenanceSettings, seed: int) -> None:
    """Write the crate of a run beside its results."""
    folder = outputs["metadata"].parent
    results = folder.parent
    config = _with_digest(
        RunConfig.model_validate(settings.model_dump(exclude={"crate"})),
        [path for path in inputs.get("identifiers", []) if read_stop(path) is None],
    )
    remove_leftovers(folder)
    private = names.private_paths(results, HOME)
    cohorts = _copy_cohorts(inputs, outputs, settings.crate, private)
    for source, target in zip(inputs["copied"], outputs["copied"], strict=True):
        _copy(source, target)
    for target in outputs["tables"]:
        _copy(results / target.relative_to(folder / names.TABLES), target)
    _copy(HOME / "Snakefile", outputs["snakefile"])

    made, stopped, times = _results(results, settings.crate)
    read = _inputs(inputs, outputs, cohorts, config, settings.crate)
    ran_on = software()
    titles = {name: cohort.title for name, cohort in cohorts.items()}
    run = Run(titles, stopped, read, made, min(times), max(times), ran_on)
    own = [file for file in read if file.local and file.source != IN_CRATE]
    write_text(outputs["config"], _config_text(config, own))
    write_checksums(_pins(read, cohorts), outputs["checksums"])
    write_text(
        outputs["digests"],
        table_text(RESULT_COLUMNS, [(path, k.bytes, k.sha256) for path, k in made.items()]),
    )
    write_text(outputs["inputs"], table_text(INPUT_COLUMNS, map(_input_row, read)))
    write_text(outputs["software"], table_text(SOFTWARE_COLUMNS, ran_on))
    packages = {name: version for kind, name, version in ran_on if kind == "package"}
    needed = "".join(f"{name}=={version}\n" for name, version in packages.items())
    write_text(outputs["requirements"], needed)
    python = {"python": next(version for kind, _, version in ran_on if kind == PYTHON)}
    finished = {name: cohort for name, cohort in cohorts.items() if name not in stopped}
    found = Found.of(results, finished)
    words = methods_text(config, cohorts, stopped, packages | python, found)
    write_text(outputs["methods"], words)
    listed = "".join(f"- `{file.local}` (SHA-256 `{file.known.sha256}`)\n" for file in own)
    local = (
        f"\nThese files are not in it; put them there before the run:\n\n{listed}" if own else ""
    )
    words = README.format(about=run.description, version=__version__, local=local)
    write_text(outputs["readme"], "\n".join(line.rstrip() for line in words.splitlines()) + "\n")
    files = [path.relative_to(folder).as_posix() for path in _flat(outputs.values())]
    write_metadata(folder, [name for name in files if name != names.METADATA], run)


def _flat(values: Iterable[Any]) -> Iterable[Path]:
    for value in values:
        yield from value if isinstance(value, list) else [value]


def _copy(source: Path, target: Path) -> None:
    with atomic(target) as temporary:
        shutil.copyfile(source, temporary)


def _with_digest(config: RunConfig, tables: Iterable[Path]) -> RunConfig:
    """Pin the identifier table that the run read."""
    for path in tables:
        pinned = config.identifiers.model_copy(update={"sha256": digest_of(path)[1]})
        return config.model_copy(update={"identifiers": pinned})
    return config


def _config_text(config: RunConfig, own: Iterable[Input]) -> str:
    head = (
        "# The configuration of the run that this crate records, with every default written out.\n"
        "# In a copy of the crate: snakemake -s CLONE/Snakefile --cores all --configfile "
        "config.yaml\n"
        "# It is part of the record: to change the run, add --config KEY=VALUE to the call.\n"
    )
    head += "".join(f"# Not in the crate, to be put there before: {file.local}\n" for file in own)
    plain = config.model_dump(mode="json")
    return head + yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=100)


def _copy_cohorts(
    inputs: Files, outputs: Files, crate: Names, private: list[str]
) -> dict[str, Cohort]:
    """Copy the cohort files, without what names this machine; the cohorts as copied, by id."""
    cohorts = {}
    files = zip(crate.cohorts, inputs["cohorts"], outputs["cohorts"], strict=True)
    for name, source, target in files:
        write_text(target, names.portable_cohort(source, crate.renamed, private))
        cohorts[name] = read_cohort(target, where=crate.cohorts[name])
    return cohorts


# ---------------------------------------------------------------- what was made


def _results(folder: Path, crate: Names) -> tuple[dict[str, Known], dict[str, Stop], list[float]]:
    """Digest every result; what cohorts left that stopped is told apart."""
    paths = sorted(
        pattern.replace("{cohort}", cohort)
        for pattern in crate.results
        for cohort in (crate.cohorts if "{cohort}" in pattern else [""])
    )
    made: dict[str, Known] = {}
    stopped: dict[str, Stop] = {}
    times = []
    for name in paths:
        path = folder / name
        stop = stop_in(path)
        if stop:
            stopped.setdefault(stop.cohort, stop)
        elif path.is_file():
            times.append(path.stat().st_mtime)
            made[name] = Known(*digest_of(path))
    if not made:
        raise AdnormError("no result of this run is there, so that there is nothing to record")
    ordered = {name: stopped.pop(name) for name in crate.cohorts if name in stopped}
    return made, ordered | dict(sorted(stopped.items())), times


# ---------------------------------------------------------------- what was read


def _inputs(
    inputs: Files,
    outputs: Files,
    cohorts: Mapping[str, Cohort],
    config: RunConfig,
    crate: Names,
) -> list[Input]:
    """List every file that the run read, with its digest."""
    results = outputs["metadata"].parents[1]
    read = []
    for manifest in (results / name / "fetch/manifest.json" for name in crate.cohorts):
        if read_stop(manifest) is None:
            read += _fetched(read_json(manifest), manifest, results, cohorts)
    for path in inputs.get("identifiers", []):
        table = config.identifiers.table or ""
        remote = "://" in table
        if read_stop(path) is None:
            read.append(
                Input(
                    cohort="",
                    role="identifier table",
                    name=path.name,
                    source=table if remote else "local",
                    known=Known(*digest_of(path)),
                    fetched=path.relative_to(results).as_posix() if remote else "",
                    local="" if remote else table,
                )
            )
    files = zip(crate.cohorts.items(), inputs["cohorts"], strict=True)
    read += [_copied(name, "cohort file", place, path) for (name, place), path in files]
    folder = outputs["metadata"].parent
    for source, target in zip(inputs["copied"], outputs["copied"], strict=True):
        name = target.relative_to(folder).as_posix()
        read.append(_copied("", _role(name, config), name, source))
    return read


def _role(name: str, config: RunConfig) -> str:
    if name == config.index.axis_genes:
        return "disease genes of an axis"
    return "published results" if name == names.PUBLISHED else "gene sets"


def _copied(cohort: str, role: str, name: str, source: Path) -> Input:
    """Describe a file that the crate holds a copy of."""
    here = locate(name, HOME)
    same = here.is_file() and here.resolve() == source.resolve()
    return Input(
        cohort=cohort,
        role=role,
        name=Path(name).name,
        source=IN_CRATE,
        known=Known(*digest_of(source)),
        fetched="",
        local=name if same else "",
    )


def _fetched(
    manifest: Mapping[str, Any], path: Path, results: Path, cohorts: Mapping[str, Cohort]
) -> list[Input]:
    cohort = cohorts[manifest["cohort"]]
    place = path.parent.relative_to(results).as_posix()
    local = set(cohort.local_files)
    return [
        Input(
            cohort=cohort.id,
            role=entry["role"],
            name=entry["name"],
            source=names.without_secrets(entry["source"]),
            known=Known(entry["bytes"], entry["sha256"]),
            fetched=f"{place}/{entry['name']}",
            local=named if (named := _named(cohort, entry["role"])) in local else "",
        )
        for entry in manifest["files"]
    ]


#: Role of a fetched file → the key of `source:` that may name it.
_KEYS = {"series_matrix": "matrix"} | {key: key for key in names.SOURCES}


def _named(cohort: Cohort, role: str) -> str | None:
    return getattr(cohort.source, _KEYS.get(role, ""), None)


def _pins(read: Iterable[Input], cohorts: Mapping[str, Cohort]) -> dict[str, dict[str, Pin]]:
    """Pin what was fetched; what is drawn is the same by its seed."""
    pins: dict[str, dict[str, Pin]] = {}
    for file in read:
        if file.cohort and file.fetched and cohorts[file.cohort].route != Route.SIMULATED:
            pin = Pin(bytes=file.known.bytes, sha256=file.known.sha256)
            pins.setdefault(file.cohort, {})[file.name] = pin
    return pins


def _input_row(file: Input) -> tuple[object, ...]:
    known = (file.known.bytes, file.known.sha256)
    return (
        *(file.cohort, file.role, file.name, file.source),
        *known,
        *(file.fetched, file.local),
    )
