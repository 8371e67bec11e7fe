"""The stage fetch for tests that have a cohort file and settings as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adnorm.fetch.build import fetch_cohort as fetch
from adnorm.study.cohort import FetchedSource, PublishedCohort
from adnorm.study.config import GeoSettings


def fetch_cohort(cohort: Mapping[str, Any], settings: Mapping[str, Any], folder: Path) -> Path:
    """Fetch the files of a cohort; keys that concern other stages are left out."""
    source = {key: cohort["source"].get(key) for key in FetchedSource.model_fields}
    part = {key: cohort.get(key) for key in PublishedCohort.model_fields}
    part |= {
        "title": cohort.get("title", ""),
        "source": source | {"sha256": source["sha256"] or {}},
    }
    geo = {key: value for key, value in settings.items() if key in GeoSettings.model_fields}
    return fetch(PublishedCohort.model_validate(part), GeoSettings.model_validate(geo), folder)
