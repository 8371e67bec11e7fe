"""The record of a run: which results, inputs and software it had, and how it is read again.

A record that is read may come from anywhere: names in it that lead out of a folder, tables that are
none, and archives that hold more than they should are refused in a sentence.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from adnorm.base.errors import AdnormError, Problems, listing
from adnorm.base.files import atomic
from adnorm.base.stops import Stop, read_stop
from adnorm.provenance.portable import DIGESTS, FOLDER, INPUTS, METADATA, SOFTWARE, TABLES

#: Columns of the tables of a record.
RESULT_COLUMNS = ("path", "bytes", "sha256")
INPUT_COLUMNS = ("cohort", "role", "name", "source", "bytes", "sha256", "fetched", "local")
SOFTWARE_COLUMNS = ("kind", "name", "version")
#: Bytes of one file of a crate, and of all: its largest part has a row for every result.
LARGEST_FILE, LARGEST_CRATE = 256 * 10**6, 10**9
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Known:
    """Size and digest of a file."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class Input:
    """One file that a run read.

    Attributes
    ----------
    cohort
        Whose it is; empty for what all cohorts share.
    role, name, source
        As the manifest of the stage fetch lists them.
    known
        Its size and digest.
    fetched
        Where it lies below the results; empty for one that is read where it is.
    local
        Where it lies on the disk of the one who ran, as the cohort file names it; empty where only
        a server has it.
    """

    cohort: str
    role: str
    name: str
    source: str
    known: Known
    fetched: str
    local: str

    @property
    def label(self) -> str:
        """What messages call it."""
        return f"{self.cohort}: {self.name}" if self.cohort else self.name


@dataclass(frozen=True)
class Record:
    """What a crate holds of a run.

    Attributes
    ----------
    where
        What to call it in messages.
    files
        Everything in the crate, by name.
    results
        Results by their path below the results folder.
    inputs, software
        What the run read and ran on; software as (kind, name, version).
    about
        What the crate says of the run as a whole.
    """

    where: str
    files: Mapping[str, bytes]
    results: Mapping[str, Known]
    inputs: Sequence[Input]
    software: Sequence[tuple[str, str, str]]
    about: str

    def table(self, path: str) -> bytes | None:
        """Give a result as it was recorded, if the crate holds a copy that is still right."""
        copy = self.files.get(f"{TABLES}/{path}")
        known = self.results.get(path)
        if copy is None or known is None or hashlib.sha256(copy).hexdigest() != known.sha256:
            return None
        return copy


def table_text(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Write a table of a record: tab-separated, no quotes; tabs and line ends become spaces."""
    lines = ["\t".join(columns)]
    lines += ["\t".join(" ".join(str(cell).split()) for cell in row) for row in rows]
    return "\n".join(lines) + "\n"


def write_text(path: Path, text: str) -> None:
    """Write a text whole, or not at all."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def stop_in(path: Path) -> Stop | None:
    """Say why a cohort has no result; of a picture the table beside it says so."""
    drawn = path.suffix in (".svg", ".png", ".pdf")
    return read_stop(path.with_suffix(".tsv") if drawn else path)


# ---------------------------------------------------------------- reading


def find_crate(path: Path) -> Path:
    """Find the crate that a path means: itself, or that of a results folder.

    Raises
    ------
    AdnormError
        There is none.
    """
    if path.is_dir():
        for folder in (path, path / FOLDER):
            if (folder / METADATA).is_file():
                return folder
        raise AdnormError(
            f"{path}: neither the crate of a run nor a results folder with one: there is no "
            f"{METADATA} in it or in {path / FOLDER}. The last job of a run writes it: call "
            "Snakemake again, or name the folder `provenance` of a run or a zip of it"
        )
    if not path.exists():
        raise AdnormError(
            f"{path}: this file or folder does not exist; name the folder `provenance` of a run, a "
            "zip of it, or the results folder that it lies in"
        )
    return path


def read_record(path: Path) -> Record:
    """Read the crate of a run.

    Parameters
    ----------
    path
        Its folder, a zip of it, or a results folder that holds it.

    Raises
    ------
    AdnormError
        It is no such crate, or it is damaged; everything that is wrong with it at once.
    """
    crate = find_crate(path)
    where = str(crate)
    files = _files_of_folder(crate) if crate.is_dir() else _files_of_zip(crate)
    problems = Problems(f"{where}: the crate is damaged")
    about, wanted = _metadata(files, where)
    for name, known in sorted(wanted.items()):
        if name not in files:
            problems.add(f"{name} is missing")
        elif hashlib.sha256(files[name]).hexdigest() != known:
            problems.add(
                f"{name} is not the file that {METADATA} records: somebody changed it. Take a "
                "fresh copy, and change a run by --config KEY=VALUE"
            )
    for name in (DIGESTS, INPUTS, SOFTWARE):
        if name not in wanted:
            problems.add(f"{METADATA} has no digest of {name}")
    problems.stop()
    results = {
        row["path"]: _known(row, DIGESTS, problems)
        for row in _rows(files, DIGESTS, RESULT_COLUMNS, problems)
        if _below(row["path"], DIGESTS, problems)
    }
    inputs = [
        Input(
            cohort=row["cohort"],
            role=row["role"],
            name=row["name"],
            source=row["source"],
            known=_known(row, INPUTS, problems),
            fetched=row["fetched"],
            local=row["local"],
        )
        for row in _rows(files, INPUTS, INPUT_COLUMNS, problems)
        if all(not row[k] or _below(row[k], INPUTS, problems) for k in ("fetched", "local"))
    ]
    software = [
        (row["kind"], row["name"], row["version"])
        for row in _rows(files, SOFTWARE, SOFTWARE_COLUMNS, problems)
    ]
    problems.stop()
    return Record(where, files, results, inputs, software, about)


def _files_of_folder(folder: Path) -> dict[str, bytes]:
    """Read the files of a crate; results of a run from the crate may lie beside them."""
    named, _ = _listed((folder / METADATA).read_bytes(), str(folder))
    files = {METADATA: (folder / METADATA).read_bytes()}
    for name in named:
        path = folder / name
        if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
            continue
        if path.stat().st_size > LARGEST_FILE:
            raise _too_large(folder / name)
        files[name] = path.read_bytes()
    return files


def _files_of_zip(path: Path) -> dict[str, bytes]:
    """Read the files of a zipped crate, whatever folder they were packed in."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            tops = [e.filename for e in entries if PurePosixPath(e.filename).name == METADATA]
            if not tops:
                raise AdnormError(
                    f"{path}: no crate of a run: there is no {METADATA} in it; zip the folder "
                    "`provenance` of a run"
                )
            top = min(tops, key=len).removesuffix(METADATA)
            files, read = dict[str, bytes](), 0
            for entry in entries:
                if not entry.filename.startswith(top):
                    continue
                # The size that an archive tells need not be true: no more than that is unpacked.
                with archive.open(entry) as packed:
                    content = packed.read(LARGEST_FILE + 1)
                read += len(content)
                if len(content) > LARGEST_FILE or read > LARGEST_CRATE:
                    raise _too_large(path)
                files[entry.filename.removeprefix(top)] = content
            return files
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        OSError,
    ) as error:
        raise AdnormError(
            f"{path}: not a zip that can be read ({error}); zip the folder `provenance` of a run, "
            "without a password, or take a fresh copy"
        ) from error


def _too_large(path: Path) -> AdnormError:
    return AdnormError(
        f"{path}: more than a crate of adnorm holds ({LARGEST_FILE // 10**6} MB in one file, "
        f"{LARGEST_CRATE // 10**6} MB in all): this is something else"
    )


def _metadata(files: Mapping[str, bytes], where: str) -> tuple[str, dict[str, str]]:
    wanted, about = _listed(files[METADATA], where)
    return about, wanted


def _listed(content: bytes, where: str) -> tuple[dict[str, str], str]:
    """List the files that the metadata record, with their digests, and what they say of the run."""
    refused = AdnormError(
        f"{where}: {METADATA} is no RO-Crate of adnorm: it must be JSON with a `@graph` of "
        "entities, as the last job of a run writes it; take a fresh copy"
    )
    try:
        graph = json.loads(content)["@graph"]
        entities: dict[str, Any] = {entity["@id"]: entity for entity in graph}
        about = str(entities["./"].get("description", ""))
        listed = [part["@id"] for part in _several(entities["./"].get("hasPart", []))]
        digests = {name: str(entities[name].get("sha256", "")) for name in listed}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise refused from error
    problems = Problems(f"{where}: the crate is damaged")
    for name in digests:
        _below(name, METADATA, problems)
    problems.stop()
    return digests, about


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _rows(
    files: Mapping[str, bytes], name: str, columns: Sequence[str], problems: Problems
) -> list[dict[str, str]]:
    """Read a table of a record."""
    try:
        text = files[name].decode("utf-8")
    except UnicodeDecodeError:
        problems.add(f"{name}: no text in UTF-8")
        return []
    lines = csv.reader(io.StringIO(text, newline=""), delimiter="\t", quoting=csv.QUOTE_NONE)
    try:
        header, *rows = list(lines)
    except (ValueError, csv.Error) as error:
        problems.add(f"{name}: no table ({error})")
        return []
    if tuple(header) != tuple(columns):
        problems.add(f"{name}: found the columns {listing(header)}, but {listing(columns)} is it")
        return []
    uneven = [str(n) for n, row in enumerate(rows, 2) if len(row) != len(columns)]
    if uneven:
        problems.add(f"{name}: line {uneven[0]} does not have {len(columns)} fields")
        return []
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _known(row: Mapping[str, str], table: str, problems: Problems) -> Known:
    if not row["bytes"].isascii() or not row["bytes"].isdigit() or len(row["bytes"]) > 18:
        problems.add(f"{table}: '{row['bytes']}' is no size in bytes")
        return Known(0, "")
    if not _SHA256.fullmatch(row["sha256"]):
        problems.add(f"{table}: '{row['sha256'][:80]}' is no SHA-256")
    return Known(int(row["bytes"]), row["sha256"])


def _below(name: str, table: str, problems: Problems) -> bool:
    """Whether a name leads to a file below a folder, and nowhere else."""
    path = PurePosixPath(name)
    inside = not (
        path.is_absolute() or ".." in path.parts or not path.parts or "\\" in name or "\0" in name
    )
    if not inside:
        problems.add(f"{table}: the name '{name[:200]}' leads out of the folder of the crate")
    return inside
