"""The files of a cohort for a command: those of the last run, or fetched aside."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from adnorm.base.errors import AdnormError
from adnorm.base.files import read_json
from adnorm.base.logs import WAITING, Printable, get_logger
from adnorm.base.shipped import HOME
from adnorm.base.stops import read_stop
from adnorm.fetch.build import drawn_from, fetch_cohort
from adnorm.fetch.download import is_remote, name_of
from adnorm.fetch.identifiers import fetch_table
from adnorm.fetch.proof import MANIFEST, REFERENCES
from adnorm.study.checksums import Pin
from adnorm.study.cohort import Cohort, PublishedCohort
from adnorm.study.config import RunConfig
from adnorm.study.reading import locate


@contextmanager
def gathered(
    cohort: Cohort, config: RunConfig, pinned: Mapping[str, Pin], fresh: bool = False
) -> Iterator[Path]:
    """Bring the files of a cohort together as the stage fetch does, outside of the results.

    Files that the last run fetched are taken from there, others come through the download cache, so
    that the next call is quick.

    Parameters
    ----------
    cohort, config
        The checked cohort file and configuration.
    pinned
        What the files must be, by their names.
    fresh
        Ask the servers whether a file has changed since it was fetched.

    Yields
    ------
    Path
        The manifest.
    """
    results = Path(config.results) / cohort.id / "fetch"
    published = cohort.view(PublishedCohort)
    if published.simulation:
        published = drawn_from(published, locate(published.simulation.gene_sets, HOME))
    with TemporaryDirectory(prefix="adnorm-") as name:
        folder = Path(name)
        if not fresh:
            _link_known(results, folder)
        with _progress_told():
            manifest = fetch_cohort(published, config.geo, folder, pinned, fresh)
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
        self._aside = TemporaryDirectory(prefix="adnorm-")

    def path(self) -> Path | None:
        """Find the table, or bring it aside; it stays as long as this object does."""
        if not self._asked:
            self._asked = True
            try:
                self._found = _identifier_table(self._config, Path(self._aside.name))
            except AdnormError as error:
                self._found = error
        if isinstance(self._found, AdnormError):
            raise self._found
        return self._found


def _identifier_table(config: RunConfig, aside: Path) -> Path | None:
    table = config.identifiers.table
    if not table or not is_remote(table):
        return Path(table) if table else None
    known = Path(config.results) / REFERENCES / table.rsplit("/", 1)[-1]
    if known.is_file() and read_stop(known) is None:
        return known
    with _progress_told():
        fetch_table(table, config.geo, aside / name_of(table), config.identifiers.sha256)
    return aside / name_of(table)


@contextmanager
def _progress_told() -> Iterator[None]:
    """Tell on the terminal how far a download is."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Printable())
    logger = get_logger()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(WAITING)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def _link_known(results: Path, folder: Path) -> None:
    """Link the files of a finished fetch stage; its folder itself is never written to."""
    manifest = results / MANIFEST
    if not manifest.is_file() or read_stop(manifest):
        return
    try:
        names = [entry["name"] for entry in read_json(manifest)["files"]]
    except (AdnormError, KeyError, TypeError):
        return
    for name in [*names, MANIFEST]:
        if (results / name).is_file():
            (folder / name).symlink_to((results / name).resolve())
