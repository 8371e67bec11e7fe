"""Stage fetch: the files of a cohort as published, and a manifest that proves them."""

from __future__ import annotations

from pathlib import Path

from adnorm.base.errors import AdnormError, RefusedFileError, listing
from adnorm.base.files import remove_leftovers, write_json
from adnorm.base.inflate import allowing
from adnorm.base.logs import progress
from adnorm.base.stage import Files
from adnorm.fetch.content import BrokenContentError, check_accession
from adnorm.fetch.download import (
    AbsentFileError,
    RemoteFile,
    fetch_file,
    is_remote,
    name_of,
)
from adnorm.fetch.geo import ncbi_counts_route, series_matrix_route, supplementary_route
from adnorm.fetch.local import h5ad_route, local_route
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
from adnorm.study.pinned import check_pinned
from adnorm.study.validation import Section
from adnorm.study.vocabulary import Route

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
    check_pinned([dict(entry) for entry in entries], pinned, f"cohort {cohort.id}")
    manifest = folder / MANIFEST
    write_json({"cohort": cohort.id, "route": cohort.route, "files": entries}, manifest)
    return manifest


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
