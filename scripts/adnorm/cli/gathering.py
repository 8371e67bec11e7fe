"""The files of a cohort for a command: those of the last run, or fetched aside."""

from __future__ import annotations

import hashlib
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

from adnorm.base.errors import AdnormError
from adnorm.base.files import read_json
from adnorm.base.logs import get_logger
from adnorm.base.shipped import HOME
from adnorm.base.stops import read_stop
from adnorm.cli.terminal import warn
from adnorm.fetch.build import drawn_from, fetch_cohort
from adnorm.fetch.download import is_remote, name_of
from adnorm.fetch.identifiers import fetch_table
from adnorm.fetch.proof import MANIFEST, REFERENCES
from adnorm.study.cohort import Cohort, PublishedCohort
from adnorm.study.config import GeoSettings, RunConfig
from adnorm.study.reading import locate
from adnorm.study.vocabulary import Route


@contextmanager
def gathered(cohort: Cohort, config: RunConfig, fresh: bool = False) -> Iterator[Path]:
    """Bring the files of a cohort together as the stage fetch does, outside of the results.

    Files that the last run fetched are taken from there. What has to be downloaded goes into a
    folder that stays, so that the next call is quick; the terminal says so.

    Parameters
    ----------
    cohort, config
        The checked cohort file and configuration.
    fresh
        Download again what no run has fetched, even if an earlier call did.

    Yields
    ------
    Path
        The manifest.
    """
    results, geo = Path(config.results) / cohort.id / "fetch", config.geo
    published = cohort.view(PublishedCohort)
    if published.simulation:
        published = drawn_from(published, locate(published.simulation.gene_sets, HOME))
    with TemporaryDirectory(prefix="adnorm-") as name:
        folder = Path(name)
        downloads = not _link_known(results, folder) and _downloads(published, geo)
        if downloads:
            folder = folder if fresh else _cache(published, geo)
            warn(f"{cohort.id}: fetching into {folder}")
        with _progress_told() if downloads else nullcontext():
            manifest = fetch_cohort(published, geo, folder)
        yield manifest


class Identifiers:
    """The identifier table of a run, which its cohorts share: asked for once, also where it fails.

    Parameters
    ----------
    config
        The checked configuration.
    """

    def __init__(self, config: RunConfig) -> None:
        self._config = config
        self._found: Path | AdnormError | None = None
        self._asked = False

    def path(self) -> Path | None:
        """Find the table, or download it beside the other files of the checks."""
        if not self._asked:
            self._asked = True
            try:
                self._found = _identifier_table(self._config)
            except AdnormError as error:
                self._found = error
        if isinstance(self._found, AdnormError):
            raise self._found
        return self._found


def _identifier_table(config: RunConfig) -> Path | None:
    table = config.identifiers.table
    if not table or not is_remote(table):
        return Path(table) if table else None
    known = Path(config.results) / REFERENCES / table.rsplit("/", 1)[-1]
    if known.is_file() and read_stop(known) is None:
        return known
    target = _cache_folder() / REFERENCES / name_of(table)
    if not target.is_file():
        warn(f"fetching the identifier table into {target.parent}")
        target.parent.mkdir(parents=True, exist_ok=True)
        with _progress_told():
            fetch_table(table, config.geo, target, config.identifiers.sha256)
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


def _downloads(cohort: PublishedCohort, settings: GeoSettings) -> bool:
    source = cohort.source
    named = (source.matrix, source.annotation, source.table, source.sheet)
    of_geo = cohort.route in (Route.GEO_SERIES_MATRIX, Route.GEO_SUPPLEMENTARY, Route.NCBI_COUNTS)
    return (of_geo and is_remote(settings.address)) or any(
        is_remote(place or "") for place in named
    )


def _cache_folder() -> Path:
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "adnorm"


def _cache(cohort: PublishedCohort, settings: GeoSettings) -> Path:
    """Name the folder of a cohort by what is fetched, so that another address is another folder."""
    digest = hashlib.sha256(f"{cohort.model_dump_json()} {settings.address}".encode())
    return _cache_folder() / f"{cohort.id}-{digest.hexdigest()[:12]}"
