"""Everything that the figures of one cohort are drawn from, read once."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError, listing
from adnorm.base.tables import read_json, read_table
from adnorm.figures.shared import CohortMaterial

if TYPE_CHECKING:
    from anndata import AnnData

    from adnorm.study.gene_sets import GeneSet

#: Scoring methods, the one that figures prefer first, with the unit of their scores.
METHODS = {"zscore": "signed z score", "ssgsea": "ssGSEA score", "gsva": "GSVA score"}


@dataclass
class Material(CohortMaterial):
    """Tables and matrices of one cohort.

    Attributes
    ----------
    facts
        ``uns["adnorm"]`` of expression.h5ad.
    expression, scores
        The two h5ad files.
    tables
        The TSV tables by name (design, comparisons, qc, …).
    manifest
        Contents of manifest.json.
    gene_sets
        All gene sets by name.
    settings
        Section ``figures`` of the configuration, ``fdr``, and ``cohort`` (the cohort file).
    """

    facts: dict
    expression: AnnData
    scores: AnnData
    tables: dict[str, pd.DataFrame]
    manifest: dict
    gene_sets: dict[str, GeneSet]
    settings: dict
    score_facts: dict = field(default_factory=dict)

    @property
    def observations(self) -> pd.DataFrame:
        """The canonical sheet."""
        return self.expression.obs

    @property
    def described(self) -> pd.DataFrame:
        """What the scores stage says of every set."""
        return self.scores.var

    @property
    def absent(self) -> str:
        """What a gene is that no row of the data holds."""
        rna = self.facts.get("assay") == "rna-seq"
        return "not in the deposited table" if rna else "absent from the platform"

    def gene_values(self, genes: list[str]) -> pd.DataFrame:
        """Log2 expression, genes × samples in display order; only genes that are measured."""
        found = [g for g in genes if g in self.expression.var_names]
        columns = self.expression.var_names.get_indexer(found)
        values = np.asarray(self.expression.X[:, columns], dtype=float)
        return pd.DataFrame(
            values[self.samples["row"].to_numpy()].T, index=found, columns=self.samples.index
        )

    @property
    def method(self) -> str:
        """The scoring method that is drawn: signed z if the cohort has it."""
        return next(m for m in METHODS if m in self.scores.layers)

    @property
    def unit(self) -> str:
        """What a score is called on axes and colour bars."""
        return METHODS[self.method]

    @property
    def limits(self) -> tuple[float, float]:
        """Smallest and largest limit of colours; only z scores have a scale known beforehand."""
        return (1.5, 4.0) if self.method == "zscore" else (0.5, np.inf)

    def score_values(self) -> pd.DataFrame:
        """Scores, sets × samples in display order."""
        values = pd.DataFrame(
            np.asarray(self.scores.layers[self.method], dtype=float),
            index=self.scores.obs_names.astype(str),
            columns=self.scores.var_names.astype(str),
        )
        return values.loc[self.samples.index].T

    @property
    def zero(self) -> str:
        """What a score of 0 means; empty for methods without such a meaning."""
        return f"0 = mean of {self.anchor}" if self.method == "zscore" else ""

    @property
    def anchor(self) -> str:
        """The samples that signed z scores are anchored at, in words."""
        anchor = str(self.score_facts.get("anchor", "all samples"))
        return anchor.replace("@0", " skin at baseline")


TABLES = (
    "excluded",
    "losses",
    "identifiers",
    "design",
    "comparisons",
    "qc",
    "coverage",
    "agreement",
    "effects",
    "set_effects",
    "enrichment",
)


def read_material(inputs: dict[str, Path | list[Path]], settings: dict) -> Material:
    """Read the files that the earlier stages wrote.

    Parameters
    ----------
    inputs
        Path by name: expression, scores, manifest, the tables, and ``gene_sets`` (a list).
    settings
        Section ``figures`` of the configuration with ``fdr`` and ``cohort``.

    Raises
    ------
    AdnormError
        A file is missing, or scores and expression are of different samples.
    """
    from adnorm.study.gene_sets import read_gene_sets

    expression, scores = _read_h5ad(inputs["expression"]), _read_h5ad(inputs["scores"])
    if sorted(expression.obs_names) != sorted(scores.obs_names):
        odd = sorted(set(expression.obs_names) ^ set(scores.obs_names))
        raise AdnormError(
            f"scores.h5ad does not belong to expression.h5ad (samples in only one of them: "
            f"{listing(odd)}); run the scores stage again"
        )
    facts = dict(expression.uns["adnorm"])
    if settings.get("cohort"):
        # The title is of the cohort file alone: to change it must not run earlier stages again.
        facts["title"] = settings["cohort"]["title"]
    material = Material(
        facts=facts,
        expression=expression,
        scores=scores,
        tables={name: read_table(inputs[name]) for name in TABLES},
        manifest=read_json(inputs["manifest"]),
        gene_sets=read_gene_sets(inputs["gene_sets"]),
        settings=settings,
        score_facts=dict(scores.uns.get("adnorm", {})),
    )
    material.note_quality()
    return material


def _read_h5ad(path: Path) -> AnnData:
    import anndata

    if not Path(path).is_file():
        raise AdnormError(f"{path}: this file is missing; run the stage that writes it again")
    return anndata.read_h5ad(path)
