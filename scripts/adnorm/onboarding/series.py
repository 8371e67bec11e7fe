"""What the header of a GEO series says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from adnorm.base.errors import AdnormError, listing
from adnorm.fetch import geo
from adnorm.fetch.content import Whose
from adnorm.fetch.download import (
    AbsentFileError,
    Patience,
    fetch_file,
    is_remote,
    local_path,
    name_of,
)
from adnorm.onboarding.material import ARRAY, HUMAN, SEQUENCING, Material, lay_out
from adnorm.onboarding.tables import choose_supplementary


@contextmanager
def series_material(accession: str, platform: str | None, settings: dict) -> Iterator[Material]:
    """Read the header of a GEO series; its files stay as long as the context does.

    Parameters
    ----------
    accession
        GSE and a number.
    platform
        Chooses one when the series has several.
    settings
        The ``geo:`` section of the configuration.

    Yields
    ------
    Material

    Raises
    ------
    AdnormError
        The series is not to be had, is a SuperSeries, has several platforms and none was chosen,
        or holds no human sample.
    """
    with TemporaryDirectory(prefix="adnorm-") as folder:
        path = _series_matrix(accession, platform, settings, Path(folder))
        yield _from_matrix(path, accession, platform, settings)


def _series_matrix(accession: str, platform: str | None, settings: dict, folder: Path) -> Path:
    patience = Patience.from_settings(settings)
    absent = []
    for place in geo.series_matrix_paths(accession, platform):
        address = geo.below(settings["address"], place)
        try:
            target = folder / name_of(address)
            whose = Whose(accession, geo.series_of)
            return fetch_file(address, target, patience, whose=whose).path
        except AbsentFileError as error:
            absent.append((address, error))
    several = "" if platform else "; if the series has several platforms, add `--platform GPL…`"
    raise AdnormError(
        f"{accession}: no series matrix at {listing([a for a, _ in absent])}; check the accession "
        f"and the address (--geo){several}"
    ) from absent[-1][1]


def _from_matrix(path: Path, accession: str, platform: str | None, settings: dict) -> Material:
    from adnorm.readers.series_matrix import read_series_matrix

    header = read_series_matrix(path, platform, read_metadata_only=True)
    raw = header.samples.rename_axis(index=None)
    _refuse_other_species(accession, raw)
    material = Material(accession, accession.lower(), "geo_series_matrix", raw, accession)
    platforms = sorted(set(raw.get("platform_id", header.series.get("platform_id", []))))
    material.platform = platforms[0] if len(platforms) == 1 else None
    kind = " ".join(header.series.get("type", [])).casefold()
    material.assay = SEQUENCING if "sequencing" in kind else ARRAY if "by array" in kind else None
    pubmed = header.series.get("pubmed_id", [])
    material.texts = {
        "title": " ".join(header.series.get("title", [])),
        "summary": " ".join(
            text for key in ("summary", "overall_design") for text in header.series.get(key, [])
        ),
        "citation": f"PubMed {pubmed[0]}" if pubmed and pubmed[0] else "",
    }
    if _has_values(path):
        material.read_values = lambda: read_series_matrix(path, platform).values
        return material
    material.route = "geo_supplementary"
    listed = [
        text.rsplit("/", 1)[-1]
        for key, texts in header.series.items()
        if key.startswith("supplementary_file")
        for text in texts
    ]
    material.supplementary = choose_supplementary(
        listed or _in_folder(settings["address"], accession)
    )
    best = material.supplementary[0] if material.supplementary else None
    generated = None if best else _generated_counts(settings["address"], accession)
    if generated:
        from adnorm.readers.tables import read_value_table

        material.route = "ncbi_counts"
        material.read_values = lambda: read_value_table(generated, probes=True).values
        return material
    material.source["table"] = (best, "the supplementary table of counts or expression")
    if best:
        address = geo.below(settings["address"], geo.supplementary_path(accession, best))
        if not is_remote(address) and local_path(address).is_file():
            table = local_path(address)
            lay_out(material, table)
    return material


def _refuse_other_species(name: str, raw: pd.DataFrame) -> None:
    species = sorted(set(raw["organism"])) if "organism" in raw else []
    if species and HUMAN not in species:
        raise AdnormError(
            f"{name}: the samples are of {listing(species)}; adnorm takes human data only, because "
            "its gene sets are human"
        )


def _has_values(path: Path) -> bool:
    try:
        geo.refuse_empty_table(path, "")
    except AdnormError:
        return False
    return True


def _generated_counts(address: str, accession: str) -> Path | None:
    """Find the counts that NCBI generated, in a mirror folder; a server is not asked."""
    places = [place for _, place in geo.generated_counts(accession, address)]
    paths = [local_path(place) for place in places if not is_remote(place)]
    return next((path for path in paths if path.is_file()), None)


def _in_folder(address: str, accession: str) -> list[str]:
    """List the supplementary files of a mirror folder; a server is not asked."""
    place = geo.below(address, geo.supplementary_path(accession, "x"))
    folder = local_path(place).parent
    return sorted(p.name for p in folder.glob("*")) if not is_remote(place) else []
