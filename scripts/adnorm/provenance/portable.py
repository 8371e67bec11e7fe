"""A run as it can be passed on: nothing in it names a machine, its people or their passwords.

The crate of a run holds its configuration, its cohort files and its gene sets under relative names,
so that `snakemake --configfile config.yaml` inside the crate is the same run. Names that were
relative stay as they are, because messages in results name cohort files by them; others are
replaced. Files of data are not copied: the record has their digests.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from adnorm.base.yaml_text import read_yaml
from adnorm.study.config import GeoSettings
from adnorm.study.reading import Study, locate

METADATA = "ro-crate-metadata.json"
CONFIG, DIGESTS, INPUTS, SOFTWARE = "config.yaml", "digests.tsv", "inputs.tsv", "software.tsv"
#: Pins the files that the run fetched, so that a run from the crate refuses others.
CHECKSUMS = "checksums.tsv"
REQUIREMENTS, METHODS, README = "requirements.txt", "methods.md", "README.md"
#: A copy of the file that Snakemake is called with; its folder is not one where Snakemake looks.
SNAKEFILE = "code/Snakefile"
#: Copies of the tables that hold the answers; the other results are known by their digests.
TABLES = "tables"
#: Folder of the crate below the results.
FOLDER = "provenance"
#: Written by the crate itself.
OWN = (
    *(METADATA, CONFIG, CHECKSUMS, DIGESTS, INPUTS, SOFTWARE, REQUIREMENTS, METHODS, README),
    SNAKEFILE,
)
#: What is copied into a crate of each cohort, and of what joins them.
COHORT_TABLES = (
    *("expression/comparisons.tsv", "expression/design.tsv", "effects/controls.tsv"),
    *("index/index.tsv", "index/denominators.tsv"),
)
JOINED_TABLES = ("atlas/cohorts.tsv", "atlas/dose.tsv", "atlas/classes.tsv")
#: Results of papers, which no cohort of a run has.
PUBLISHED = "config/published.tsv"
#: Where a run from the crate writes; relative to the crate.
RESULTS = "results"
#: Keys of `source:` that may name a file of the lab.
SOURCES = ("matrix", "annotation", "table", "sheet")

_SECRET = re.compile(r"token|key|sig|secret|passw|auth|credential", re.IGNORECASE)
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s\"'<>]+")


@dataclass(frozen=True)
class Portable:
    """A run under names that mean the same on another machine.

    Attributes
    ----------
    config
        The configuration as plain values, every default written out.
    cohorts
        Cohort id → name of its file in the crate, in the order of the configuration.
    files
        Name in the crate → file, of all that is copied besides.
    renamed
        Paths inside cohort files → their names in the crate.
    table
        Name of an identifier table that lies on this machine; it is not copied.
    """

    config: dict[str, Any]
    cohorts: dict[str, str]
    files: dict[str, str]
    renamed: dict[str, str]
    table: str | None


def portable(study: Study, home: Path) -> Portable:
    """Name everything of a run by where it stands in a crate.

    Parameters
    ----------
    study
        The run.
    home
        The repository; its files keep their names in it.
    """
    names = _Names(home)
    config = study.config.model_dump(mode="json")
    cohorts = {
        name: names.take(cohort.where, "cohorts", str(study.files[name]))
        for name, cohort in study.cohorts.items()
    }
    kept = dict(zip(study.config.cohorts, cohorts.items(), strict=True))
    config["cohorts"] = [
        named if study.cohorts[name].where == place else place
        for named, (name, place) in kept.items()
    ]
    config["cohort_folder"] = names.of(study.config.cohort_folder, "cohorts")
    files: dict[str, str] = {}

    def copied(path: str, folder: str) -> str:
        name = names.take(path, folder, path)
        files[name] = path
        return name

    config["gene_sets"] = [copied(path, "gene_sets") for path in study.config.gene_sets]
    if study.config.index.axis_genes:
        config["index"]["axis_genes"] = copied(study.config.index.axis_genes, "axis_genes")
    copied(str(locate(PUBLISHED, home)), "published")
    renamed = {}
    for name, cohort in study.cohorts.items():
        if cohort.simulation:
            path = str(locate(cohort.simulation.gene_sets, home))
            renamed[cohort.simulation.gene_sets] = copied(path, "gene_sets")
        for path in cohort.local_files:
            renamed[path] = names.of(path, f"inputs/{name}")
    table = config["identifiers"]["table"]
    local = table if table and "://" not in table else None
    if local:
        config["identifiers"]["table"] = names.of(local, "inputs")
    fields = GeoSettings.model_fields
    config["geo"] = {
        key: _public(value, fields[key].get_default(call_default_factory=True))
        for key, value in config["geo"].items()
    }
    # What was fetched is not in the crate, but what it must be is.
    config["geo"]["offline"] = False
    config["checksums"] = CHECKSUMS
    config["results"] = RESULTS
    renamed = {old: new for old, new in renamed.items() if old != new}
    return Portable(each_text(config, without_secrets), cohorts, files, renamed, local)


def copied_tables(cohorts: Iterable[str]) -> list[str]:
    """Name the results that a crate holds a copy of, below the results folder."""
    return [f"{name}/{table}" for name in cohorts for table in COHORT_TABLES] + [*JOINED_TABLES]


class _Names:
    """Gives names in the crate: no two files have one."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.taken = dict.fromkeys(OWN, "")

    def of(self, path: str, folder: str) -> str:
        """Say where a file of a path stands in a crate: where it stands, unless that is nowhere."""
        plain = PurePosixPath(path)
        if plain.is_absolute() and plain.is_relative_to(self.home.as_posix()):
            plain = plain.relative_to(self.home.as_posix())
        if plain.is_absolute() or {"..", "~"} & {*plain.parts} or plain.parts[:1] in _OURS:
            return f"{folder}/{plain.name}"
        return str(plain)

    def take(self, path: str, folder: str, file: str) -> str:
        """Give a file a name that no other file has."""
        first = name = self.of(path, folder)
        number = 1
        while self.taken.get(name, file) != file:
            number += 1
            name = f"{folder}/{number}/{PurePosixPath(first).name}"
        self.taken[name] = file
        return name


_OURS = {(TABLES,), (PurePosixPath(SNAKEFILE).parts[0],), (RESULTS,)}


def _public(value: Any, default: Any) -> Any:
    """Take what anybody has in place of folders of this machine; of mirrors those of the web."""
    if isinstance(value, str):
        return default if value.startswith(("file:", "/", "~")) else value
    if isinstance(value, list):
        return [part for part in value if _public(part, None) is not None]
    return value


# ---------------------------------------------------------------- what stays at home


def without_secrets(text: str) -> str:
    """Take user names, passwords and keys out of the addresses in a text.

    Examples
    --------
    >>> without_secrets("https://me:pw@example.org/x.tsv?acc=GSE1&token=abc")
    'https://example.org/x.tsv?acc=GSE1'
    """
    return _ADDRESS.sub(lambda found: _plain_address(found[0]), text)


def _plain_address(address: str) -> str:
    try:
        parts = urlsplit(address)
        query = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:
        return address
    kept = [(key, value) for key, value in query if not _SECRET.search(key)]
    words = parts.query if len(kept) == len(query) else urlencode(kept)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=words))


def private_paths(*more: Path) -> list[str]:
    """List the folders of this machine that nothing in a crate may name, the longest first."""
    folders = {str(path.absolute()) for path in (Path.home(), Path.cwd(), *more)}
    return sorted((folder for folder in folders if folder != os.sep), key=len, reverse=True)


def without_paths(text: str, private: Iterable[str]) -> str:
    """Shorten paths below folders of this machine to what is below them."""
    for folder in private:
        text = re.sub(rf"(?:file://)?{re.escape(folder)}(?=/|\b|$)/?", "", text)
    return text


def portable_cohort(path: Path, renamed: Mapping[str, str], private: Iterable[str]) -> str:
    """Give the text of a cohort file as it stands in a crate.

    The file as it is, with its comments, wherever it can be passed on as it is.
    """
    import yaml

    text = path.read_text(encoding="utf-8")
    private = list(private)

    def mended(value: str) -> str:
        return renamed.get(value) or without_paths(without_secrets(value), private)

    named = set(_texts(read_yaml(path)))
    if not named & set(renamed) and without_paths(without_secrets(text), private) == text:
        return text
    head = "# Written anew without comments: the file named places of one machine.\n"
    value = each_text(read_yaml(path), mended)
    return head + yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100)


def each_text(value: Any, change: Callable[[str], str]) -> Any:
    """Change every text of plain values; the keys of mappings stay."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: each_text(part, change) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [each_text(part, change) for part in value]
    return value


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)
