"""The stage fetch for tests: of a checked cohort file, or of what fetch sees of one."""

from __future__ import annotations

from pathlib import Path

from adnorm.fetch.build import fetch_cohort as fetch
from adnorm.study.cohort import Cohort, FetchedSource, PublishedCohort
from adnorm.study.config import GeoSettings


def fetch_cohort(cohort: Cohort, folder: Path, **geo: str | int) -> Path:
    """Fetch the files of a cohort; `geo` changes defaults of the section of that name."""
    return fetch(cohort.view(PublishedCohort), GeoSettings.model_validate(geo), folder)


def published(
    route: str = "geo_series_matrix",
    accession: str | None = "GSE12",
    platform: str | None = "GPL5",
    name: str = "trial",
    **source: str | float | None,
) -> PublishedCohort:
    """Describe a cohort as the stage fetch sees it."""
    keys = ("matrix", "annotation", "table", "sheet", "unpacked_gigabytes")
    return PublishedCohort(
        id=name,
        route=route,
        accession=accession,
        platform=platform,
        source=FetchedSource(**dict.fromkeys(keys) | source),
        title="A trial",
    )


def once_asked(address: str, **geo: object) -> GeoSettings:
    """Ask a server once, and without a pause."""
    few = {"address": address, "connect_timeout": 5, "read_timeout": 5, "attempts": 1}
    return GeoSettings.model_validate(few | {"requests_per_second": 1000} | geo)
