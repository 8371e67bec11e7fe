"""The files of a cohort for a command: those of the last run, or fetched aside."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

from adnorm.base.errors import AdnormError
from adnorm.base.logs import get_logger
from adnorm.base.shipped import HOME
from adnorm.base.stops import read_stop
from adnorm.base.tables import read_json
from adnorm.cli.terminal import warn
from adnorm.fetch.build import MANIFEST, fetch_cohort, fetch_single
from adnorm.fetch.download import is_remote, name_of
from adnorm.study.cohort import locate, published_part


@contextmanager
def gathered(cohort: dict, config: dict, fresh: bool = False) -> Iterator[Path]:
    """Bring the files of a cohort together as the stage fetch does, outside of the results.

    Files that the last run fetched are taken from there. What has to be downloaded goes into a
    folder that stays, so that the next call is quick; the terminal says so.

    Parameters
    ----------
    cohort
        The checked cohort file.
    config
        The checked configuration.
    fresh
        Download again what no run has fetched, even if an earlier call did.

    Yields
    ------
    Path
        The manifest.

    Raises
    ------
    AdnormError
        As `fetch_cohort`.
    """
    results = Path(config["results"]) / cohort["id"] / "fetch"
    with TemporaryDirectory(prefix="adnorm-") as name:
        folder = Path(name)
        downloads = not _link_known(results, folder) and _downloads(cohort, config["geo"])
        if downloads:
            folder = folder if fresh else _cache(cohort, config["geo"])
            warn(f"{cohort['id']}: fetching into {folder}")
        with _progress_told() if downloads else nullcontext():
            manifest = fetch_cohort(_with_gene_sets(cohort), config["geo"], folder)
        yield manifest


def identifier_table(config: dict) -> Path | None:
    """Find the identifier table, or download it once beside the other files of the checks."""
    table = config["identifiers"]["table"]
    if not table or not is_remote(table):
        return Path(table) if table else None
    known = Path(config["results"]) / "references" / table.rsplit("/", 1)[-1]
    if known.is_file() and read_stop(known) is None:
        return known
    target = _cache_folder() / "references" / name_of(table)
    if not target.is_file():
        warn(f"fetching the identifier table into {target.parent}")
        target.parent.mkdir(parents=True, exist_ok=True)
        with _progress_told():
            fetch_single(table, config["geo"], target, config["identifiers"]["sha256"])
    return target


@contextmanager
def _progress_told() -> Iterator[None]:
    """Tell on the terminal how far a download is."""
    handler = logging.StreamHandler(sys.stderr)
    logger = get_logger()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def _link_known(results: Path, folder: Path) -> bool:
    """Link the files of a finished fetch stage; its folder itself is never written to."""
    manifest = results / MANIFEST
    if not manifest.is_file() or read_stop(manifest):
        return False
    try:
        names = [entry["name"] for entry in read_json(manifest)["files"]]
    except (AdnormError, KeyError, TypeError):
        return False
    for name in [*names, MANIFEST]:
        if (results / name).is_file():
            (folder / name).symlink_to((results / name).resolve())
    return True


def _downloads(cohort: dict, settings: dict) -> bool:
    source = cohort["source"]
    named = [source[key] for key in ("matrix", "annotation", "table", "sheet") if source.get(key)]
    geo = cohort["route"] in ("geo_series_matrix", "geo_supplementary", "ncbi_counts")
    return (geo and is_remote(settings["address"])) or any(map(is_remote, named))


def _cache_folder() -> Path:
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "adnorm"


def _cache(cohort: dict, settings: dict) -> Path:
    """Name the folder of a cohort by what is fetched, so that another address is another folder."""
    part = published_part(cohort) | {"address": settings["address"]}
    digest = hashlib.sha256(json.dumps(part, sort_keys=True).encode()).hexdigest()[:12]
    return _cache_folder() / f"{cohort['id']}-{digest}"


def _with_gene_sets(cohort: dict) -> dict:
    """Name the gene sets of a simulated cohort by where they are."""
    if not cohort.get("simulation"):
        return cohort
    found = str(locate(cohort["simulation"]["gene_sets"], HOME))
    return cohort | {"simulation": cohort["simulation"] | {"gene_sets": found}}
