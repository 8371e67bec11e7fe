"""The metadata of a crate: a Workflow Run RO-Crate 0.5 (on RO-Crate 1.1).

The root of the crate is the folder `provenance`, not the results folder above it: it can be passed
on alone, it is small, and every file that it lists is in it. What is not in it (inputs, containers,
pictures, large tables) is an entity with its digest and an identifier that begins with ``#``, as
the profile allows for what a run used or made and does not hand over.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adnorm import __version__
from adnorm.base.stops import Stop
from adnorm.base.text import counted
from adnorm.provenance import portable as names
from adnorm.provenance.record import Input, Known, write_text

if TYPE_CHECKING:
    from rocrate.rocrate import ROCrate

#: RO-Crate 1.1 has no word for a checksum; this is the one of the profile.
TERMS = {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
BIOSCHEMAS = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
LICENSE = "https://spdx.org/licenses/GPL-3.0-or-later"
#: What the files that the crate always holds are.
DESCRIPTIONS = {
    names.README: "What this crate is, and how to get the same numbers",
    names.CONFIG: "The configuration with every default written out; runs inside the crate",
    names.CHECKSUMS: "What was fetched; a run from this crate refuses other bytes",
    names.DIGESTS: "Path, bytes and SHA-256 of every result of the run",
    names.INPUTS: "Source, bytes and SHA-256 of every file that the run read",
    names.SOFTWARE: "Version of the code, Python and packages that the run had",
    names.REQUIREMENTS: "The packages as a list for pip",
    names.METHODS: "What was done, in words for a paper, with references",
}
FORMATS = {
    ".tsv": "text/tab-separated-values",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".json": "application/json",
    ".md": "text/markdown",
    ".txt": "text/plain",
    ".gmt": "text/plain",
    ".h5ad": "application/x-hdf5",
    ".gz": "application/gzip",
    ".html": "text/html",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".pdf": "application/pdf",
}


@dataclass(frozen=True)
class Run:
    """What the metadata say of a run.

    Attributes
    ----------
    cohorts
        Title of each cohort, by id.
    stopped
        Why cohorts gave no result.
    inputs, results
        What it read and what it made, by path below the results folder.
    begin, end
        When its first and its last result were made, in seconds since 1970: the only dates of a
        crate.
    software
        Kind, name and version of what it ran on.
    """

    cohorts: Mapping[str, str]
    stopped: Mapping[str, Stop]
    inputs: Sequence[Input]
    results: Mapping[str, Known]
    begin: float
    end: float
    software: Sequence[tuple[str, str, str]]

    @property
    def description(self) -> str:
        """One paragraph about the run."""
        done = len([name for name in self.cohorts if name not in self.stopped])
        text = (
            f"A run of adnorm {__version__}: {done} of {counted(len(self.cohorts), 'cohort')} "
            f"finished ({', '.join(self.cohorts)})."
        )
        for stop in self.stopped.values():
            text += f" {stop.cohort} stopped at the stage {stop.stage}."
        return text


def write_metadata(folder: Path, files: Sequence[str], run: Run) -> None:
    """Write the metadata of a crate.

    Parameters
    ----------
    folder
        Root of the crate.
    files
        Names of the files in it; they are there.
    run
        What it is about.
    """
    from rocrate.rocrate import ROCrate

    crate = ROCrate(version="1.1")
    crate.metadata.extra_terms.update(TERMS)
    end = _date(run.end)
    crate.root_dataset["datePublished"] = end
    crate.name = "adnorm: normalization index of skin expression, " + ", ".join(run.cohorts)
    crate.description = run.description
    crate.root_dataset["license"] = _entity(
        crate,
        LICENSE,
        "CreativeWork",
        name="GPL-3.0-or-later",
        description="License of the workflow; data stay under the terms of their sources",
    )
    crate.root_dataset["conformsTo"] = [
        _entity(crate, address, "CreativeWork", name=name, version=version)
        for address, (name, version) in PROFILES.items()
    ]
    versions = {(kind, name): version for kind, name, version in run.software}
    workflow = crate.add_workflow(
        None,
        names.SNAKEFILE,
        main=True,
        lang="snakemake",
        lang_version=versions.get(("package", "snakemake"), ""),
        properties=_file(folder, names.SNAKEFILE) | _code(run.software),
    )
    workflow["conformsTo"] = _entity(
        crate, BIOSCHEMAS, "CreativeWork", name="ComputationalWorkflow", version="1.0-RELEASE"
    )
    parts = {
        name: crate.add_file(None, name, properties=_file(folder, name))
        for name in sorted(files)
        if name != names.SNAKEFILE
    }
    crate.root_dataset["mentions"] = _entity(
        crate,
        "#run",
        "CreateAction",
        name=f"Run of adnorm {__version__}",
        description=run.description,
        startTime=_date(run.begin),
        endTime=end,
        actionStatus="http://schema.org/CompletedActionStatus",
        instrument=workflow,
        object=_used(crate, parts, run),
        result=_made(crate, parts, run),
    )
    parts[names.README]["about"] = crate.root_dataset
    text = json.dumps(crate.metadata.generate(), indent=1, ensure_ascii=False)
    write_text(folder / names.METADATA, text + "\n")


def _entity(crate: ROCrate, identifier: str, kind: str, **properties: Any) -> Any:
    from rocrate.model import ContextEntity

    entity = crate.add(ContextEntity(crate, identifier, properties={"@type": kind}))
    for name, value in properties.items():
        # One value stands alone; a list of one would be another thing.
        one = isinstance(value, list) and len(value) == 1
        entity[name] = value[0] if one else value
    return entity


def _file(folder: Path, name: str) -> dict[str, Any]:
    content = (folder / name).read_bytes()
    place = names.TABLES + "/"
    words = DESCRIPTIONS.get(name)
    if name.startswith(place):
        words = f"A copy of the result {name.removeprefix(place)}"
    return {
        "name": name,
        "encodingFormat": _format(name),
        "contentSize": str(len(content)),
        "sha256": hashlib.sha256(content).hexdigest(),
    } | ({"description": words} if words else {})


def _format(name: str) -> str:
    return FORMATS.get(Path(name).suffix.lower(), "application/octet-stream")


def _code(software: Sequence[tuple[str, str, str]]) -> dict[str, Any]:
    """Say which code ran: the version, the digest of its files and, from a clone, the commit."""
    found = {name: version for kind, name, version in software if kind == "code"}
    told = ", ".join(f"{name} {value}" for name, value in found.items() if name != "adnorm")
    return {
        "name": "adnorm",
        "version": found["adnorm"],
        "description": f"The file that Snakemake is called with, of adnorm {found['adnorm']} "
        f"({told}). The rest of the workflow is in the repository of that version.",
        "encodingFormat": "text/plain",
    }


def _used(crate: ROCrate, parts: Mapping[str, Any], run: Run) -> list[Any]:
    """List what the run used: files of the crate, and inputs by their digest."""
    made = {*DESCRIPTIONS} - {names.CONFIG}
    own = [e for name, e in parts.items() if name not in made and not _is_copy(name)]
    copied = {(e["sha256"], Path(name).name) for name, e in parts.items()}
    return own + [
        _entity(
            crate,
            f"#input/{number}",
            "File",
            name=used.label,
            description=f"{used.role} of {used.cohort or 'all cohorts'}; source: {used.source}",
            encodingFormat=_format(used.name),
            contentSize=str(used.known.bytes),
            sha256=used.known.sha256,
        )
        for number, used in enumerate(run.inputs, 1)
        if (used.known.sha256, Path(used.name).name) not in copied
    ]


def _made(crate: ROCrate, parts: Mapping[str, Any], run: Run) -> list[Any]:
    """List what the run made: copies in the crate, and other tables and containers by their digest.

    Pictures and pages are in the table of digests alone.
    """
    listed = [parts[name] for name in (names.DIGESTS, names.METHODS)]
    listed += [entity for name, entity in parts.items() if _is_copy(name)]
    return listed + [
        _entity(
            crate,
            f"#result/{number}",
            "File",
            name=path,
            encodingFormat=_format(path),
            contentSize=str(known.bytes),
            sha256=known.sha256,
        )
        for number, (path, known) in enumerate(run.results.items(), 1)
        if f"{names.TABLES}/{path}" not in parts and _is_table(path)
    ]


def _is_copy(name: str) -> bool:
    return name.startswith(names.TABLES + "/")


def _is_table(path: str) -> bool:
    return Path(path).suffix in (".tsv", ".gmt", ".h5ad") and "figures" not in Path(path).parts


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).isoformat()
