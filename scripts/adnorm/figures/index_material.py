"""What the figures of the index are drawn from: tables only, no container."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from adnorm.base.tables import read_table
from adnorm.figures.shared import CohortMaterial

if TYPE_CHECKING:
    from adnorm.study.gene_sets import GeneSet

TABLES = (
    "samples",
    "comparisons",
    "qc",
    "coverage",
    "index",
    "gene_index",
    "patients",
    "trajectories",
    "concordance",
    "calibration",
)


@dataclass
class IndexMaterial(CohortMaterial):
    """Tables of one cohort; see `CohortMaterial`.

    Attributes
    ----------
    facts, gene_sets, settings
        As there.
    tables
        `TABLES`.
    """

    facts: dict
    tables: dict[str, pd.DataFrame]
    gene_sets: dict[str, GeneSet]
    settings: dict

    @cached_property
    def observations(self) -> pd.DataFrame:
        """The canonical sheet with the flags of quality control."""
        samples = self.tables["samples"].set_index("sample").rename_axis(None)
        flags = self.tables["qc"].set_index("sample")["flags"]
        return samples.assign(qc_flags=flags.reindex(samples.index).fillna(""))

    @cached_property
    def described(self) -> pd.DataFrame:
        """The gene sets, with what became of their genes in the cohort."""
        found = self.tables["coverage"].set_index("set")
        return describe_sets(self.gene_sets).assign(
            status=found["status"].reindex(list(self.gene_sets)),
            reason=found["reason"].reindex(list(self.gene_sets)),
        )


def describe_sets(gene_sets: dict[str, GeneSet]) -> pd.DataFrame:
    """List label, category, role and direction of gene sets; index set."""
    kinds = ("label", "category", "role", "direction")
    rows = [[getattr(s, kind) for kind in kinds] for s in gene_sets.values()]
    return pd.DataFrame(rows, index=list(gene_sets), columns=list(kinds))


def read_index_material(inputs: dict[str, Path | list[Path]], settings: dict) -> IndexMaterial:
    """Read the tables that the figures of the index draw.

    Parameters
    ----------
    inputs
        Path by name of `TABLES`, and ``gene_sets`` (a list).
    settings
        Section ``figures`` of the configuration with ``index`` and ``cohort``.

    Raises
    ------
    AdnormError
        A file is missing.
    """
    from adnorm.study.gene_sets import read_gene_sets

    material = IndexMaterial(
        facts_of(settings["cohort"]),
        {name: read_table(inputs[name]) for name in TABLES},
        read_gene_sets(inputs["gene_sets"]),
        settings,
    )
    material.note_quality()
    return material


def facts_of(cohort: dict) -> dict:
    """Say of a cohort file what figures ask."""
    texts = {key: cohort.get(key) or "" for key in ("title", "placebo_arm", "reference")}
    simulated = cohort["route"] == "simulated"
    return {"cohort": cohort["id"], "simulated": simulated, **texts}
