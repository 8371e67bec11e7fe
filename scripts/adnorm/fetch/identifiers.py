"""The identifier table that the configuration names by URL; it belongs to no cohort."""

from __future__ import annotations

from pathlib import Path

from adnorm.base.files import check_digest
from adnorm.base.stage import Files
from adnorm.fetch.download import fetch_file
from adnorm.study.config import GeoSettings
from adnorm.study.validation import Section


class TableSettings(Section):
    """Where the identifier table is, what it must be, and how patiently to ask."""

    address: str
    sha256: str | None
    geo: GeoSettings


def build(inputs: Files, outputs: Files, settings: TableSettings, seed: int) -> None:
    """Bring the identifier table under its name."""
    fetch_table(settings.address, settings.geo, outputs["table"], settings.sha256)


def fetch_table(source: str, settings: GeoSettings, target: Path, sha256: str | None) -> None:
    """Bring a table under a name; `None` as its digest takes any bytes."""
    fetch_file(source, target, settings)
    check_digest(target, source, sha256, "identifiers: sha256")
