"""Stage fetch: the files of a cohort as published, and a manifest that proves them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

from adnorm.base.errors import AdnormError, Problems, RefusedFileError, listing, nearest
from adnorm.base.files import remove_leftovers, write_json
from adnorm.base.inflate import allowing
from adnorm.base.logs import how_far, progress
from adnorm.base.stage import Files
from adnorm.fetch.cache import Cache
from adnorm.fetch.content import H5AD, BrokenContentError, Expected, check_accession
from adnorm.fetch.download import (
    Obtain,
    OfflineError,
    RemoteFile,
    distinct,
    fetch_file,
    is_remote,
    local_path,
    name_of,
    named_files,
)
from adnorm.fetch.geo import ncbi_counts_route, series_matrix_route, supplementary_route
from adnorm.fetch.proof import (
    MANIFEST,
    REFERENCES,
    Entry,
    fingerprint,
    proven_files,
    withdraw_proof,
    write_proof,
)
from adnorm.fetch.web import AbsentFileError, UnansweredError
from adnorm.study.checksums import Pin
from adnorm.study.cohort import PublishedCohort
from adnorm.study.config import GeoSettings
from adnorm.study.reading import Study
from adnorm.study.validation import Section
from adnorm.study.vocabulary import Route


def local_route(cohort: PublishedCohort, addresses: Sequence[str], obtain: Obtain) -> None:
    """Bring the table, the sample sheet and, if named, an annotation of a lab."""
    for file in distinct(named_files(cohort.source, "table", "sheet", "annotation")):
        obtain(file)


def h5ad_route(cohort: PublishedCohort, addresses: Sequence[str], obtain: Obtain) -> None:
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
    """What of a cohort file decides which bytes are fetched; what they must be; how to ask."""

    cohort: PublishedCohort
    pinned: dict[str, Pin]
    geo: GeoSettings


def build(inputs: Files, outputs: Files, settings: FetchSettings, seed: int) -> None:
    """Bring the files of a cohort beside its manifest; a simulated one has its own seed."""
    cohort = settings.cohort
    if inputs.get("gene_sets"):
        # The workflow has found the file, which adnorm may ship.
        cohort = drawn_from(cohort, inputs["gene_sets"][0])
    fetch_cohort(cohort, settings.geo, outputs["manifest"].parent, settings.pinned)


def drawn_from(cohort: PublishedCohort, gene_sets: Path) -> PublishedCohort:
    """Name the gene sets of a simulated cohort by where they are."""
    if cohort.simulation is None:
        return cohort
    simulation = cohort.simulation.model_copy(update={"gene_sets": str(gene_sets)})
    return cohort.model_copy(update={"simulation": simulation})


def fetch_cohort(
    cohort: PublishedCohort,
    settings: GeoSettings,
    folder: Path,
    pinned: Mapping[str, Pin] = MappingProxyType({}),
    fresh: bool = False,
) -> Path:
    """Bring the files of a cohort into a folder and list them in ``manifest.json``.

    The manifest is written last; files that an earlier run fetched (same source, same SHA-256, not
    refused by a pinned one) are kept, also if that run stopped; others come from the download cache
    or, where they were never fetched, from their server. Files on this machine are always copied
    again: that is cheap, and they may have changed under the same name.

    Parameters
    ----------
    cohort
        What the cohort file says of the files.
    settings
        Where GEO is, and how patiently to ask.
    folder
        Folder to write into; made if absent.
    pinned
        What the files must be, by their names.
    fresh
        Ask the servers whether a file has changed since it was fetched.

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
    proven = {
        role: entry
        for role, entry in proven_files(folder).items()
        if not fresh and _as_pinned(entry, pinned.get(entry["name"]))
    }
    if settings.offline and (absent := absent_files(cohort, settings, folder, pinned)):
        raise OfflineError(absent)
    fetching = _Fetching(settings, folder, pinned, fresh, proven)
    with allowing(cohort.source.model_dump()):
        entries = fetching.files(cohort)
    entries = sorted(entries, key=lambda entry: (entry["role"], entry["name"]))
    _check_pinned(entries, pinned, cohort.id)
    manifest = folder / MANIFEST
    write_json({"cohort": cohort.id, "route": cohort.route, "files": entries}, manifest)
    return manifest


def absent_files(
    cohort: PublishedCohort,
    settings: GeoSettings,
    folder: Path,
    pinned: Mapping[str, Pin] = MappingProxyType({}),
) -> list[str]:
    """List the addresses of the files of a cohort that only a server can give.

    Without a series matrix nobody can say of which platform an annotation would be missing.
    """
    if cohort.route == Route.SIMULATED:
        return []
    known, cache = proven_files(folder), Cache()
    absent: list[str] = []
    with TemporaryDirectory(prefix="adnorm-") as aside:
        nothing = Path(aside) / "absent"
        nothing.touch()

        def obtain(file: RemoteFile) -> tuple[Path, str]:
            for label, address, name in _places(file):
                pin = pinned.get(name)
                entry = known.get(file.role)
                if entry and (entry["name"], entry["source"]) == (name, label):
                    return folder / name, label
                if not is_remote(address):
                    if local_path(address).is_file():
                        return local_path(address), label
                elif found := (pin and cache.pinned(address, pin.sha256)) or cache.find(address):
                    return cache.file(found), label
            remote = [address for _, address, _ in _places(file) if is_remote(address)]
            # A file of this machine that is not there is told by the stage itself.
            absent.extend(remote[:1])
            return nothing, ""

        # What a missing file would have said is known only when it is there.
        with suppress(AdnormError):
            ROUTES[cohort.route](cohort, (settings.address, *settings.mirrors), obtain)
    return absent


def absent_from_run(study: Study, results: Path) -> str:
    """Say in one message what a run without a connection lacks; empty when it lacks nothing.

    Parameters
    ----------
    study
        The run.
    results
        Its results folder, which may hold files of an earlier run.
    """
    lists = {
        name: absent_files(
            cohort.view(PublishedCohort),
            study.config.geo,
            results / name / "fetch",
            study.pins.get(name, {}),
        )
        for name, cohort in study.cohorts.items()
    }
    table = study.config.identifiers.table
    if table and is_remote(table) and not Cache().find(table):
        if not (results / REFERENCES / table.rsplit("/", 1)[-1]).exists():
            lists["all cohorts"] = [table]
    lines = [f"  {name}: {', '.join(files)}" for name, files in lists.items() if files]
    if not lines:
        return ""
    every = list(dict.fromkeys(file for files in lists.values() for file in files))
    return "\n".join([f"{OfflineError(every)}. Cohorts that lack nothing run:", *lines])


def _as_pinned(entry: Entry, pin: Pin | None) -> bool:
    return pin is None or entry["sha256"] == pin.sha256


def _check_pinned(entries: Sequence[Entry], pinned: Mapping[str, Pin], cohort: str) -> None:
    """Compare files with what they were when they were pinned."""
    problems = Problems(f"cohort {cohort}")
    names = [entry["name"] for entry in entries]
    mend = (
        f"`adnorm lock {cohort} --update` (with --configfile, if the run has one) shows what "
        "differs and pins what is there now"
    )
    for name in sorted(set(pinned) - set(names)):
        problems.add(
            f"checksums: pinned is a file '{name}', which this cohort does not have"
            f"{nearest(name, names)}; it has {listing(names)}. If that is right, {mend}"
        )
    for entry in entries:
        pin = pinned.get(entry["name"])
        if pin is None or _as_pinned(entry, pin):
            continue
        found = Pin(bytes=entry["bytes"], sha256=entry["sha256"])
        problems.add(
            f"checksums: {entry['name']} ({entry['source']}) is not the file that was pinned. "
            f"Pinned{f' on {pin.date}' if pin.date else ''}: {pin}. Found: {found}. Somebody "
            f"changed it since. Put the pinned version back, or, if the new one is right, {mend}"
        )
    problems.stop()


class _Fetching:
    """The files of one cohort on their way into a folder."""

    def __init__(
        self,
        settings: GeoSettings,
        folder: Path,
        pinned: Mapping[str, Pin],
        fresh: bool,
        proven: dict[str, Entry],
    ) -> None:
        self.settings, self.folder, self.pinned = settings, folder, pinned
        self.fresh, self.proven = fresh, proven
        self.entries: list[Entry] = []

    def files(self, cohort: PublishedCohort) -> list[Entry]:
        """Go the route of a cohort."""
        if cohort.route == Route.SIMULATED:
            from adnorm.simulation.cohort import simulate_cohort

            return [
                {
                    "role": role,
                    "name": name,
                    "source": cohort.route,
                    **fingerprint(self.folder / name),
                }
                for role, name in simulate_cohort(cohort, self.folder)
            ]
        addresses = (self.settings.address, *self.settings.mirrors)
        try:
            ROUTES[cohort.route](cohort, addresses, self._obtain)
        except RefusedFileError as error:
            withdraw_proof(self.folder, error.files)
            raise
        return self.entries

    def _obtain(self, file: RemoteFile) -> tuple[Path, str]:
        entry = self._kept(file)
        if entry is None:
            entry = self.proven[file.role] = self._fetched(file)
            write_proof(self.proven, self.folder)
        self.entries.append(entry)
        return self.folder / entry["name"], entry["source"]

    def _kept(self, file: RemoteFile) -> Entry | None:
        """Keep a file that an earlier run brought, if it still is the right one."""
        known = self.proven.get(file.role)
        for label, address, name in _places(file):
            if known and is_remote(address) and (known["name"], known["source"]) == (name, label):
                try:
                    check_accession(self.folder / name, address, file.expected)
                except BrokenContentError as error:
                    progress(f"{name}: not kept: {error}")
                    return None
                progress(f"{name}: kept, {known['bytes'] / 1e6:.1f} MB")
                return known
        return None

    def _fetched(self, file: RemoteFile) -> Entry:
        """Fetch a file from the first place that has it.

        Below one base address, a second place is for a file that is not at the first: it may be
        another file, so that it is no way round a server that does not answer. A mirror is.
        """
        absent: list[tuple[str, AdnormError]] = []
        failed: list[AdnormError] = []
        for places in file.places:
            for label, address, name in _places(file, places):
                pin = self.pinned.get(name)
                try:
                    found = fetch_file(
                        address,
                        self.folder / name,
                        self.settings,
                        file.expected,
                        pin.sha256 if pin else None,
                        self.fresh,
                    )
                except AbsentFileError as error:
                    absent.append((address, error))
                    continue
                except OfflineError:
                    continue
                except (UnansweredError, BrokenContentError) as error:
                    # NCBI answers with a page when it has no such file.
                    page = isinstance(error, BrokenContentError) and file.hint and label == address
                    failed.append(AdnormError(f"{error}. {file.hint}") if page else error)
                    if places is not file.places[-1]:
                        how_far(f"{name}: not from {address}; asking a mirror", at_once=True)
                        progress(f"{name}: {error}")
                    break
                progress(f"{name}: {found['bytes'] / 1e6:.1f} MB")
                return {"role": file.role, "name": name, "source": label, **found}
        if len(failed) == 1 and not absent:
            raise failed[0]
        if len(absent) == 1 and not failed and not file.hint:
            raise absent[0][1]
        if not absent and not failed:
            raise OfflineError([address for _, address, _ in _places(file)[:1]])
        reasons = [f"not found at {listing([address for address, _ in absent])}"] if absent else []
        advice = f"; {file.hint}" if absent and file.hint else ""
        raise AdnormError(f"{file.role}: {'; '.join([*reasons, *map(str, failed)])}{advice}") from (
            failed[-1] if failed else absent[-1][1]
        )


def _places(
    file: RemoteFile, some: Sequence[tuple[str, str]] | None = None
) -> list[tuple[str, str, str]]:
    """List label, address and file name of each place where a file may be, or of some of them."""
    every = [place for places in file.places for place in places]
    several = len({name_of(address) for _, address in every}) > 1
    chosen = every if some is None else some
    return [(label, at, name_of(at) if several else file.name) for label, at in chosen]
