"""Stage fetch: the files of a cohort as published, and a manifest that proves them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from adnorm.base.errors import AdnormError, Problems, RefusedFileError, listing, nearest
from adnorm.base.files import not_pinned, remove_leftovers, write_json
from adnorm.base.inflate import allowing
from adnorm.base.logs import progress
from adnorm.base.stage import Files
from adnorm.fetch.content import H5AD, BrokenContentError, Expected, check_accession
from adnorm.fetch.download import (
    AbsentFileError,
    Obtain,
    RemoteFile,
    distinct,
    fetch_file,
    is_remote,
    name_of,
    named_files,
)
from adnorm.fetch.geo import ncbi_counts_route, series_matrix_route, supplementary_route
from adnorm.fetch.proof import (
    MANIFEST,
    Entry,
    fingerprint,
    proven_files,
    withdraw_proof,
    write_proof,
)
from adnorm.study.cohort import PublishedCohort
from adnorm.study.config import GeoSettings
from adnorm.study.validation import Section
from adnorm.study.vocabulary import Route


def local_route(cohort: PublishedCohort, address: str, obtain: Obtain) -> None:
    """Bring the table, the sample sheet and, if named, an annotation of a lab."""
    for file in distinct(named_files(cohort.source, "table", "sheet", "annotation")):
        obtain(file)


def h5ad_route(cohort: PublishedCohort, address: str, obtain: Obtain) -> None:
    """Bring the .h5ad of a lab, which must not be compressed once more."""
    table = cohort.source.table or ""
    if table.endswith(".gz"):
        raise AdnormError(
            f"cohort {cohort.id}: source: table: {table} is compressed; an .h5ad is compressed "
            "inside: unpack it (gunzip) and name the .h5ad"
        )
    obtain(RemoteFile.named("table", table, Expected(H5AD)))


#: What brings the files of a cohort, by its `route:`.
ROUTES = {
    Route.GEO_SERIES_MATRIX: series_matrix_route,
    Route.GEO_SUPPLEMENTARY: supplementary_route,
    Route.NCBI_COUNTS: ncbi_counts_route,
    Route.LOCAL: local_route,
    Route.H5AD: h5ad_route,
}


class FetchSettings(Section):
    """The part of the cohort file that decides which bytes are fetched, and where GEO is."""

    cohort: PublishedCohort
    geo: GeoSettings


def build(inputs: Files, outputs: Files, settings: FetchSettings, seed: int) -> None:
    """Bring the files of a cohort beside its manifest; a simulated one has its own seed."""
    cohort = settings.cohort
    if inputs.get("gene_sets"):
        # The workflow has found the file, which adnorm may ship.
        cohort = drawn_from(cohort, inputs["gene_sets"][0])
    fetch_cohort(cohort, settings.geo, outputs["manifest"].parent)


def drawn_from(cohort: PublishedCohort, gene_sets: Path) -> PublishedCohort:
    """Name the gene sets of a simulated cohort by where they are."""
    if cohort.simulation is None:
        return cohort
    simulation = cohort.simulation.model_copy(update={"gene_sets": str(gene_sets)})
    return cohort.model_copy(update={"simulation": simulation})


def fetch_cohort(cohort: PublishedCohort, settings: GeoSettings, folder: Path) -> Path:
    """Bring the files of a cohort into a folder and list them in ``manifest.json``.

    The manifest is written last; files that an earlier run fetched (same source, same SHA-256, not
    refused by a pinned one) are kept, also if that run stopped; only the others are fetched. Files
    on this machine are always copied again: that is cheap, and they may have changed under the
    same name.

    Parameters
    ----------
    cohort
        What the cohort file says of the files.
    settings
        Where GEO is, and how patiently to ask.
    folder
        Folder to write into; made if absent.

    Returns
    -------
    Path
        The manifest: cohort, route and for each file role, name, source, bytes, sha256.

    Raises
    ------
    AdnormError
        A file is not to be had, what came is not the file, or it is not the pinned one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)
    pinned = cohort.source.sha256
    proven = {
        role: entry
        for role, entry in proven_files(folder).items()
        if all(pinned.get(k, entry["sha256"]) == entry["sha256"] for k in (role, entry["name"]))
    }
    with allowing(cohort.source.model_dump()):
        entries = _fetch(cohort, settings, folder, proven)
    entries = sorted(entries, key=lambda entry: (entry["role"], entry["name"]))
    _check_pinned(entries, pinned, f"cohort {cohort.id}")
    manifest = folder / MANIFEST
    write_json({"cohort": cohort.id, "route": cohort.route, "files": entries}, manifest)
    return manifest


def _check_pinned(entries: Sequence[Entry], pinned: Mapping[str, str], where: str) -> None:
    """Compare files with the digests that the cohort file pins, by role or file name."""
    problems = Problems(where)
    for key, expected in sorted(pinned.items()):
        files = [entry for entry in entries if key in (entry["role"], entry["name"])]
        if not files:
            known = sorted({name for entry in entries for name in (entry["role"], entry["name"])})
            problems.add(
                f"source: sha256: no file of this cohort has the role or name '{key}'"
                f"{nearest(key, known)}; it has {listing(known)}"
            )
        for entry in files:
            if entry["sha256"] != expected:
                mend = "run `adnorm lock`, which shows what changed and pins it"
                other = not_pinned(entry["source"], entry["sha256"], expected, mend)
                problems.add(f"source: sha256: {key}: {other}")
    problems.stop()


def _fetch(
    cohort: PublishedCohort, settings: GeoSettings, folder: Path, proven: dict[str, Entry]
) -> list[Entry]:
    """Go the route of a cohort."""
    if cohort.route == Route.SIMULATED:
        from adnorm.simulation.cohort import simulate_cohort

        return [
            {"role": role, "name": name, "source": cohort.route, **fingerprint(folder / name)}
            for role, name in simulate_cohort(cohort, folder)
        ]
    entries: list[Entry] = []

    def obtain(file: RemoteFile) -> tuple[Path, str]:
        entry = _kept(file, folder, proven)
        if entry is None:
            entry = proven[file.role] = _fetched(file, settings, folder)
            write_proof(proven, folder)
        entries.append(entry)
        return folder / entry["name"], entry["source"]

    try:
        ROUTES[cohort.route](cohort, settings.address, obtain)
    except RefusedFileError as error:
        withdraw_proof(folder, error.files)
        raise
    return entries


def _places(file: RemoteFile) -> list[tuple[str, str, str]]:
    """List label, address and file name of each place where a file may be."""
    several = len(file.places) > 1
    return [(label, at, name_of(at) if several else file.name) for label, at in file.places]


def _kept(file: RemoteFile, folder: Path, proven: dict[str, Entry]) -> Entry | None:
    """Keep a file that an earlier run brought, if it still is the right one."""
    known = proven.get(file.role)
    for label, address, name in _places(file):
        if known and is_remote(address) and (known["name"], known["source"]) == (name, label):
            try:
                check_accession(folder / name, address, file.expected)
            except BrokenContentError as error:
                progress(f"{name}: not kept: {error}")
                return None
            progress(f"{name}: kept, {known['bytes'] / 1e6:.1f} MB")
            return known
    return None


def _fetched(file: RemoteFile, settings: GeoSettings, folder: Path) -> Entry:
    """Fetch a file from the first place that has it."""
    absent = []
    for label, address, name in _places(file):
        try:
            found = fetch_file(address, folder / name, settings, file.expected)
        except AbsentFileError as error:
            absent.append((address, error))
            continue
        except BrokenContentError as error:
            # NCBI answers with a page when it has no such file.
            if file.hint and label == address:
                raise AdnormError(f"{error}. {file.hint}") from error
            raise
        progress(f"{name}: {found['bytes'] / 1e6:.1f} MB")
        return {"role": file.role, "name": name, "source": label, **found}
    if len(absent) == 1 and not file.hint:
        raise absent[0][1]
    tried = listing([address for address, _ in absent])
    raise AdnormError(f"{file.role}: not found at {tried}; {file.hint}") from absent[-1][1]
