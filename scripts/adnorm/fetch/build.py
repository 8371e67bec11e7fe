"""Stage fetch: the files of a cohort as published, and a manifest that proves them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from adnorm.base.errors import AdnormError, listing, nearest
from adnorm.base.inflate import allowing
from adnorm.base.logs import progress
from adnorm.base.tables import digest_of, remove_leftovers, write_json
from adnorm.fetch import geo
from adnorm.fetch.content import (
    H5AD,
    NCBI_TABLE,
    SERIES_MATRIX,
    BrokenContentError,
    Whose,
    check_whose,
)
from adnorm.fetch.download import (
    AbsentFileError,
    Patience,
    fetch_file,
    is_remote,
    name_of,
)
from adnorm.fetch.local import local_files
from adnorm.fetch.proof import MANIFEST, proven_files, withdraw_proof, write_proof
from adnorm.fetch.wanted import Wanted
from adnorm.study.pinned import check_pinned, check_pinned_table


def fetch_cohort(cohort: dict, settings: dict, outdir: Path | str) -> Path:
    """Bring the files of a cohort into a folder and list them in ``manifest.json``.

    The manifest is written last; files that an earlier run fetched (same source, same SHA-256, not
    refused by a pinned one) are kept, also if that run stopped; only the others are fetched. Files
    on this machine are always copied again: that is cheap, and they may have changed under the
    same name.

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
        A file is not to be had, what came is not the file, or it is not the pinned one.
    """
    outdir = Path(outdir)
    outdir.mkdir(parents=True, exist_ok=True)
    manifest = outdir / MANIFEST
    fetch = {
        "geo_series_matrix": _fetch_series_matrix,
        "geo_supplementary": _fetch_supplementary,
        "ncbi_counts": _fetch_ncbi_counts,
        "local": _fetch_local,
        "h5ad": _fetch_h5ad,
        "simulated": _simulate,
    }.get(cohort["route"])
    if fetch is None:
        raise AdnormError(f"cohort {cohort['id']}: route: '{cohort['route']}' is not known")
    pinned = cohort["source"].get("sha256", {})
    remove_leftovers(outdir)
    proven = proven_files(outdir)
    proven = {
        role: entry
        for role, entry in proven.items()
        if all(pinned.get(k, entry["sha256"]) == entry["sha256"] for k in (role, entry["name"]))
    }
    with allowing(cohort["source"]):
        entries = fetch(cohort, settings, outdir, proven)
    entries = sorted(entries, key=lambda entry: (entry["role"], entry["name"]))
    check_pinned(entries, pinned, f"cohort {cohort['id']}")
    write_json({"cohort": cohort["id"], "route": cohort["route"], "files": entries}, manifest)
    return manifest


def fetch_single(
    source: str, settings: dict, target: Path | str, sha256: str | None = None
) -> Path:
    """Bring the identifier table, which belongs to no cohort, under a name.

    Parameters
    ----------
    source, target
        Where it is and its final name.
    settings
        The ``geo:`` section of the configuration.
    sha256
        The digest that the configuration pins; ``None`` takes any bytes.
    """
    path = fetch_file(source, target, Patience.from_settings(settings)).path
    check_pinned_table(path, source, sha256)
    return path


def _fetch_series_matrix(
    cohort: dict, settings: dict, outdir: Path, proven: dict[str, dict]
) -> list[dict]:
    matrix = _obtain(_matrix(cohort, settings), settings, outdir, proven)
    # Before the annotation: without values, a search for that leads nowhere.
    try:
        geo.refuse_empty_table(
            outdir / matrix["name"], f"cohort {cohort['id']}: {matrix['source']}"
        )
    except AdnormError:
        withdraw_proof(outdir, [outdir / matrix["name"]])
        raise
    annotation = cohort["source"].get("annotation")
    if annotation is None:
        found = geo.platforms_in(outdir / matrix["name"])
        platform = geo.choose_platform(cohort["platform"], found, f"cohort {cohort['id']}")
        wanted = _annotation(platform, settings["address"])
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
    first, values, *rest = _distinct(wanted)
    matrix = _obtain(first, settings, outdir, proven)
    listed = geo.supplementary_files(outdir / matrix["name"])
    if values.hint and listed:
        values = replace(
            values,
            hint=f"{values.hint}. The series lists {listing(listed)}{nearest(table, listed)}",
        )
    return [matrix, *(_obtain(w, settings, outdir, proven) for w in (values, *rest))]


def _fetch_ncbi_counts(
    cohort: dict, settings: dict, outdir: Path, proven: dict[str, dict]
) -> list[dict]:
    source, accession, address = cohort["source"], cohort["accession"], settings["address"]
    hint = (
        f"NCBI counts the reads of many human series, not of all: see whether the page of "
        f"{accession} at GEO offers 'NCBI-generated data'. If it does, download the files there "
        "and name them in the cohort file (source: table: and annotation:); if not, take the "
        "table of the authors with `route: geo_supplementary`"
    )
    wanted = [_matrix(cohort, settings)]
    for role, places in (
        ("table", geo.generated_counts(accession, address)),
        ("annotation", geo.generated_annotation(accession, address)),
    ):
        if source.get(role):
            wanted.append(Wanted.named(role, source[role], NCBI_TABLE))
        else:
            name = name_of(places[-1][1])
            wanted.append(Wanted(role, name, tuple(places), NCBI_TABLE, hint))
    return [_obtain(w, settings, outdir, proven) for w in _distinct(wanted)]


def _fetch_h5ad(cohort: dict, settings: dict, outdir: Path, proven: dict[str, dict]) -> list[dict]:
    table = cohort["source"]["table"]
    if table.endswith(".gz"):
        raise AdnormError(
            f"cohort {cohort['id']}: source: table: {table} is compressed; an .h5ad is compressed "
            "inside: unpack it (gunzip) and name the .h5ad"
        )
    return [_obtain(Wanted.named("table", table, H5AD), settings, outdir, proven)]


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
    whose = Whose(cohort["accession"], geo.series_of)
    if cohort["source"].get("matrix"):
        return Wanted.named("series_matrix", cohort["source"]["matrix"], SERIES_MATRIX, whose)
    hint = "check the accession and the GEO address"
    if not cohort["platform"]:
        hint += ", and name the platform in the cohort file if the series has several"
    paths = geo.series_matrix_paths(cohort["accession"], cohort["platform"])
    wanted = _below_geo("series_matrix", paths, settings, SERIES_MATRIX, hint)
    return replace(wanted, whose=whose)


def _annotation(platform: str, address: str) -> Wanted:
    """Want the annotation that GEO keeps of a platform, or else the platform's full table."""
    path = geo.annotation_path(platform)
    places = [(f"geo:{path}", geo.below(address, path)), *geo.platform_table(platform, address)]
    hint = (
        f"GEO keeps an annotation of some platforms only; download the full table of {platform} "
        "from its page at GEO, or its family file (GPL…_family.soft.gz), and name that file in the "
        "cohort file (source: annotation:), with the column of the symbols if its name is unusual "
        "(source: symbol_column:)"
    )
    whose = Whose(platform, geo.platform_of)
    return Wanted("annotation", name_of(path), tuple(places), hint=hint, whose=whose)


def _below_geo(
    role: str, paths: list[str], settings: dict, opens_with: bytes = b"", hint: str = ""
) -> Wanted:
    choices = tuple((f"geo:{path}", geo.below(settings["address"], path)) for path in paths)
    return Wanted(role, name_of(paths[0]), choices, opens_with, hint)


def _distinct(wanted: list[Wanted]) -> list[Wanted]:
    """Put the role before names that two files share."""
    names = [w.name for w in wanted]
    return [
        w if names.count(w.name) == 1 else replace(w, name=f"{w.role}_{w.name}") for w in wanted
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
            try:
                check_whose(outdir / name, address, wanted.whose)
            except BrokenContentError as error:
                progress(f"{name}: not kept: {error}")
                break
            progress(f"{name}: kept, {known['bytes'] / 1e6:.1f} MB")
            return known
    absent = []
    for label, address, name in places:
        try:
            fetched = fetch_file(
                address,
                outdir / name,
                Patience.from_settings(settings),
                wanted.opens_with,
                wanted.whose,
            )
        except AbsentFileError as error:
            absent.append((address, error))
            continue
        except BrokenContentError as error:
            # NCBI answers with a page when it has no such file.
            if wanted.hint and label == address:
                raise AdnormError(f"{error}. {wanted.hint}") from error
            raise
        progress(f"{name}: {fetched.bytes / 1e6:.1f} MB")
        proven[wanted.role] = _entry(wanted.role, name, label, fetched.bytes, fetched.sha256)
        write_proof(proven, outdir)
        return proven[wanted.role]
    if len(absent) == 1 and not wanted.hint:
        raise absent[0][1]
    tried = listing([address for address, _ in absent])
    raise AdnormError(f"{wanted.role}: not found at {tried}; {wanted.hint}") from absent[-1][1]


def _entry(role: str, name: str, source: str, size: int, sha256: str) -> dict:
    return {"role": role, "name": name, "source": source, "bytes": size, "sha256": sha256}
