"""Stage fetch: the files of a cohort as published, and a manifest that proves them."""

from __future__ import annotations

from pathlib import Path

from adnorm.base.errors import AdnormError, listing
from adnorm.base.logs import progress
from adnorm.base.tables import read_json, write_json
from adnorm.fetch import geo
from adnorm.fetch.content import SERIES_MATRIX, digest_of
from adnorm.fetch.download import (
    AbsentFileError,
    Patience,
    fetch_file,
    is_remote,
    name_of,
)
from adnorm.fetch.local import local_files
from adnorm.fetch.wanted import Wanted

MANIFEST = "manifest.json"


def fetch_cohort(cohort: dict, settings: dict, outdir: Path | str) -> Path:
    """Bring the files of a cohort into a folder and list them in ``manifest.json``.

    The manifest is written last; files that it proves (same source, same SHA-256) are kept, only
    the others are fetched. Files on this machine are always copied again: that is cheap, and they
    may have changed under the same name.

    Parameters
    ----------
    cohort
        The checked cohort file.
    settings
        The ``geo:`` section of the configuration: address, connect_timeout, read_timeout, attempts.
    outdir
        Folder to write into; made if absent.

    Returns
    -------
    Path
        The manifest: cohort, route and for each file role, name, source, bytes, sha256.

    Raises
    ------
    AdnormError
        A file is not to be had, or what came is not the file.
    """
    outdir = Path(outdir)
    outdir.mkdir(parents=True, exist_ok=True)
    manifest = outdir / MANIFEST
    fetch = {
        "geo_series_matrix": _fetch_series_matrix,
        "geo_supplementary": _fetch_supplementary,
        "local": _fetch_local,
        "simulated": _simulate,
    }.get(cohort["route"])
    if fetch is None:
        raise AdnormError(f"cohort {cohort['id']}: route: '{cohort['route']}' is not known")
    entries = fetch(cohort, settings, outdir, _proven(manifest))
    entries = sorted(entries, key=lambda entry: (entry["role"], entry["name"]))
    write_json({"cohort": cohort["id"], "route": cohort["route"], "files": entries}, manifest)
    return manifest


def fetch_single(source: str, settings: dict, target: Path | str) -> Path:
    """Bring one file that belongs to no cohort, such as the identifier table, under a name."""
    return fetch_file(source, target, Patience.from_settings(settings)).path


def _fetch_series_matrix(
    cohort: dict, settings: dict, outdir: Path, proven: dict[str, dict]
) -> list[dict]:
    matrix = _obtain(_matrix(cohort, settings), settings, outdir, proven)
    # Before the annotation: without values, a search for that leads nowhere.
    geo.refuse_empty_table(outdir / matrix["name"], f"cohort {cohort['id']}: {matrix['source']}")
    annotation = cohort["source"].get("annotation")
    if annotation is None:
        found = geo.platforms_in(outdir / matrix["name"])
        platform = geo.choose_platform(cohort["platform"], found, f"cohort {cohort['id']}")
        wanted = _below_geo(
            "annotation",
            [geo.annotation_path(platform)],
            settings,
            hint=f"GEO does not keep one for every platform; download the table of {platform} from "
            "its page at GEO and name that file in the cohort file (source: annotation:)",
        )
    else:
        wanted = Wanted.named("annotation", annotation)
    return [matrix, _obtain(wanted, settings, outdir, proven)]


def _fetch_supplementary(
    cohort: dict, settings: dict, outdir: Path, proven: dict[str, dict]
) -> list[dict]:
    table = cohort["source"]["table"]
    if "/" in table or ":" in table:
        values = Wanted.named("table", table)
    else:
        values = _below_geo(
            "table",
            [geo.supplementary_path(cohort["accession"], table)],
            settings,
            hint="check the name among the supplementary files on the page of "
            f"{cohort['accession']} (a path of your own needs a folder, such as ./{table})",
        )
    wanted = [_matrix(cohort, settings), values]
    if cohort["source"].get("annotation"):
        wanted.append(Wanted.named("annotation", cohort["source"]["annotation"]))
    return [_obtain(w, settings, outdir, proven) for w in _distinct(wanted)]


def _fetch_local(cohort: dict, settings: dict, outdir: Path, proven: dict[str, dict]) -> list[dict]:
    return [_obtain(w, settings, outdir, proven) for w in _distinct(local_files(cohort))]


def _simulate(cohort: dict, settings: dict, outdir: Path, proven: dict[str, dict]) -> list[dict]:
    del settings, proven
    from adnorm.fetch.simulate import simulate_cohort

    entries = []
    for file in simulate_cohort(cohort, outdir):
        size, sha256 = digest_of(outdir / file["name"])
        entries.append(_entry(file["role"], file["name"], "simulated", size, sha256))
    return entries


def _matrix(cohort: dict, settings: dict) -> Wanted:
    if cohort["source"].get("matrix"):
        return Wanted.named("series_matrix", cohort["source"]["matrix"], SERIES_MATRIX)
    hint = "check the accession and the GEO address"
    if not cohort["platform"]:
        hint += ", and name the platform in the cohort file if the series has several"
    paths = geo.series_matrix_paths(cohort["accession"], cohort["platform"])
    return _below_geo("series_matrix", paths, settings, SERIES_MATRIX, hint)


def _below_geo(
    role: str, paths: list[str], settings: dict, opens_with: bytes = b"", hint: str = ""
) -> Wanted:
    choices = tuple((f"geo:{path}", geo.below(settings["address"], path)) for path in paths)
    return Wanted(role, name_of(paths[0]), choices, opens_with, hint)


def _distinct(wanted: list[Wanted]) -> list[Wanted]:
    """Put the role before names that two files share."""
    names = [w.name for w in wanted]
    return [
        w
        if names.count(w.name) == 1
        else Wanted(w.role, f"{w.role}_{w.name}", w.choices, w.opens_with, w.hint)
        for w in wanted
    ]


def _obtain(wanted: Wanted, settings: dict, outdir: Path, proven: dict[str, dict]) -> dict:
    """Keep a proven file or fetch it from the first place that has it."""
    places = [
        (label, address, wanted.name if len(wanted.choices) == 1 else name_of(address))
        for label, address in wanted.choices
    ]
    known = proven.get(wanted.role)
    for label, address, name in places:
        if known and is_remote(address) and (known["name"], known["source"]) == (name, label):
            progress(f"{name}: kept, {known['bytes'] / 1e6:.1f} MB")
            return known
    absent = []
    for label, address, name in places:
        try:
            fetched = fetch_file(
                address, outdir / name, Patience.from_settings(settings), wanted.opens_with
            )
        except AbsentFileError as error:
            absent.append((address, error))
            continue
        progress(f"{name}: {fetched.bytes / 1e6:.1f} MB")
        return _entry(wanted.role, name, label, fetched.bytes, fetched.sha256)
    if len(absent) == 1 and not wanted.hint:
        raise absent[0][1]
    tried = listing([address for address, _ in absent])
    raise AdnormError(f"{wanted.role}: not found at {tried}; {wanted.hint}") from absent[-1][1]


def _entry(role: str, name: str, source: str, size: int, sha256: str) -> dict:
    return {"role": role, "name": name, "source": source, "bytes": size, "sha256": sha256}


def _proven(manifest: Path) -> dict[str, dict]:
    """Read what an earlier run fetched and keep what still has the bytes it had."""
    if not manifest.is_file():
        return {}
    try:
        files = read_json(manifest)["files"]
        return {
            entry["role"]: entry
            for entry in files
            if (manifest.parent / entry["name"]).is_file()
            and digest_of(manifest.parent / entry["name"]) == (entry["bytes"], entry["sha256"])
        }
    except (AdnormError, KeyError, TypeError):
        # A manifest that cannot be read proves nothing: everything is fetched again.
        return {}
