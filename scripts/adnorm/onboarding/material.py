"""What is known of a data set before anybody has described it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from adnorm.base.errors import AdnormError
from adnorm.onboarding.tables import genes_of

if TYPE_CHECKING:
    from adnorm.expression.scale_evidence import Hints

HUMAN = "Homo sapiens"
SEQUENCING, ARRAY = "rna-seq", "microarray"


@dataclass
class Material:
    """What a header or a table says.

    Attributes
    ----------
    name
        What the data are called in messages: accession or file.
    identity
        Proposed id of the cohort.
    route
        How the values come in.
    raw
        Raw metadata, one row per sample; the index holds the sample ids.
    texts
        title, summary, citation: what the series says in words.
    source
        Keys of `source:` with a remark each; a value of ``None`` must be filled in.
    supplementary
        Supplementary files of the series, best first.
    read_values
        Reads rows × samples, or ``None`` when the values are not at hand.
    read_hints
        Reads what the data say of their scale besides the values.
    """

    name: str
    identity: str
    route: str
    raw: pd.DataFrame
    accession: str | None = None
    platform: str | None = None
    assay: str | None = None
    texts: dict[str, str] = field(default_factory=dict)
    source: dict[str, tuple[object, str]] = field(default_factory=dict)
    supplementary: list[str] = field(default_factory=list)
    read_values: Callable[[], pd.DataFrame] | None = None
    read_hints: Callable[[], Hints] | None = None

    @cached_property
    def values(self) -> pd.DataFrame | None:
        """Rows × samples, read once; ``None`` when they are not at hand."""
        return None if self.read_values is None else self.read_values()

    @cached_property
    def hints(self) -> Hints:
        """What the data say of their scale, besides the values."""
        from adnorm.expression.scale_evidence import hints_of

        return hints_of(self.raw) if self.read_hints is None else self.read_hints()

    @property
    def words(self) -> str:
        """All that the series says in words, for drugs and diseases that it names."""
        return " ".join(self.texts.values())


def lay_out(material: Material, path: Path) -> None:
    """Take what the table itself says about its columns into the proposal."""
    gene_column, libraries = genes_of(path, material.raw)
    if gene_column:
        material.source["gene_column"] = (gene_column, "the column that looks like genes")
    if libraries:
        material.source["libraries"] = (
            libraries,
            "the library in the name of a column; lanes are summed",
        )

    def read() -> pd.DataFrame:
        from adnorm.readers.tables import read_value_table

        return read_value_table(path, gene_column).values

    material.read_values = read


def table_material(path: Path, sheet: Path) -> Material:
    """Read a lab's own table and sample sheet.

    Raises
    ------
    AdnormError
        A file is missing or is no table.
    """
    from adnorm.onboarding.tables import sheet_key
    from adnorm.readers.tables import read_sheet

    _must_exist(path, sheet)
    columns = read_sheet(sheet)
    key = sheet_key(columns, path)
    raw = read_sheet(sheet, key).rename_axis(index=None)
    material = Material(str(path), identity_of(path), "local", raw)
    material.source = {"table": (str(path), ""), "sheet": (str(sheet), "")}
    if key != columns.columns[0]:
        material.source["sheet_key"] = (key, "this column holds the column names of the table")
    lay_out(material, path)
    return material


def container_material(path: Path) -> Material:
    """Read the observations of an .h5ad.

    Raises
    ------
    AdnormError
        The file is missing, is no .h5ad, or its rows are cells.
    """
    import h5py

    from adnorm.expression.scale_evidence import hints_of_container
    from adnorm.readers.h5ad import RAW, read_counts_layer, read_notes, read_obs, read_values

    _must_exist(path)
    raw = read_obs(path)
    material = Material(str(path), identity_of(path), "h5ad", raw)
    material.source = {"table": (str(path), "")}
    with h5py.File(path, "r") as file:
        layers = sorted(file.get("layers", ())) + ([RAW] if "raw" in file else [])
    counts = [name for name in layers if "count" in name.casefold() or name.casefold() == "raw"]
    # Counts may stand under any name; X is taken when it holds them itself.
    layer = counts[0] if counts else read_counts_layer(path)
    if layers:
        material.source["layer"] = (layer, f"layers: {', '.join(layers)}; null takes X")
    material.read_values = lambda: read_values(path, layer)
    material.read_hints = lambda: hints_of_container(read_notes(path, layer))
    return material


def _must_exist(*paths: Path) -> None:
    for path in paths:
        if not path.is_file():
            raise AdnormError(
                f"{path}: this file does not exist; give a GEO series (GSE and a number), a table "
                "or an .h5ad"
            )


def identity_of(path: Path) -> str:
    """Make an id out of a file name.

    Examples
    --------
    >>> identity_of(Path("data/Our counts v2.csv.gz"))
    'our_counts_v2'
    """
    stem = path.name.split(".")[0]
    return re.sub(r"[^a-z0-9_-]+", "_", stem.casefold()).strip("_-") or "cohort"
