"""The stage fetch for tests that have a checked cohort file."""

from __future__ import annotations

from pathlib import Path

from adnorm.fetch.build import fetch_cohort as fetch
from adnorm.study.cohort import Cohort, PublishedCohort
from adnorm.study.config import GeoSettings


def fetch_cohort(cohort: Cohort, folder: Path, **geo: str | int) -> Path:
    """Fetch the files of a cohort; `geo` changes defaults of the section of that name."""
    return fetch(cohort.view(PublishedCohort), GeoSettings.model_validate(geo), folder)
