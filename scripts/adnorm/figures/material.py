"""Everything that the figures of one cohort are drawn from, read once."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError, listing, nearest
from adnorm.base.tables import read_json, read_table
from adnorm.figures.theme import arm_colours, order_arms, week_colours
from adnorm.study.gene_sets import ADDED

if TYPE_CHECKING:
    from anndata import AnnData

    from adnorm.study.gene_sets import GeneSet

#: Normal first, so that a reader compares disease and treatment with what stands at the left.
STATE_ORDER = ("healthy", "nonlesional", "lesional")
#: Category → heading; neighbours with the same heading stand in one block.
CATEGORIES = {
    "itch": "Itch",
    "barrier": "Skin barrier",
    "madad_core": "Disease signature",
    "residual": "Disease signature",
    "th2": "Immune signalling",
    "th17_th22": "Immune signalling",
    "th1_ifn": "Immune signalling",
    "jak_stat": "Immune signalling",
    "composition": "Cell composition",
    "safety_context": "Context for safety",
    "control": "Controls",
    ADDED: "Added sets",
}
#: Scoring methods, the one that figures prefer first, with the unit of their scores.
METHODS = {"zscore": "signed z score", "ssgsea": "ssGSEA score", "gsva": "GSVA score"}


@dataclass
class Material:
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
    def fdr(self) -> float:
        """False discovery rate at which a change is marked."""
        return float(self.settings.get("fdr", 0.05))

    @cached_property
    def samples(self) -> pd.DataFrame:
        """Canonical sheet in display order: state, arm, week, patient; index sample."""
        obs = self.expression.obs
        sheet = pd.DataFrame(index=obs.index.astype(str))
        for column in ("state", "arm", "patient", "sex", "qc_flags"):
            values = obs[column] if column in obs else pd.Series("", index=obs.index)
            sheet[column] = values.astype(object).where(values.notna(), "").astype(str).to_numpy()
        sheet["week"] = obs["week"].to_numpy(dtype=float)
        sheet["row"] = np.arange(len(obs))
        ranks = pd.DataFrame(
            {
                "state": sheet["state"].map(STATE_ORDER.index),
                "arm": sheet["arm"].map({arm: i for i, arm in enumerate(self.arms)}),
                "week": sheet["week"],
                "patient": sheet["patient"],
                "sample": sheet.index,
            },
            index=sheet.index,
        )
        return sheet.loc[ranks.sort_values(list(ranks.columns), kind="stable").index]

    @property
    def absent(self) -> str:
        """What a gene is that no row of the data holds."""
        rna = self.facts.get("assay") == "rna-seq"
        return "not in the deposited table" if rna else "absent from the platform"

    @property
    def flagged(self) -> int:
        """How many of the samples that are drawn quality control flagged."""
        return int((self.samples["qc_flags"] != "").sum())

    @cached_property
    def arms(self) -> list[str]:
        """Arms in display order."""
        names = self.expression.obs["arm"].astype(str)
        return order_arms(names, self.facts.get("placebo_arm", ""))

    @cached_property
    def arm_colours(self) -> dict[str, str]:
        """Colour of each arm."""
        return arm_colours(self.arms, self.facts.get("placebo_arm", ""))

    @cached_property
    def week_colours(self) -> dict[float, str]:
        """Colour of each visit."""
        return week_colours(self.samples["week"])

    @property
    def n(self) -> str:
        """How many samples and patients the figures rest on."""
        people = self.samples["patient"].nunique()
        return f"{len(self.samples)} samples of {people} people"

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

    @cached_property
    def sets(self) -> pd.DataFrame:
        """Sets in display order: label, category, direction, status, reason; index set."""
        var = self.scores.var
        sets = pd.DataFrame(index=var.index.astype(str))
        for column in ("label", "category", "role", "direction", "status", "reason"):
            values = var[column].astype(object) if column in var else pd.Series("", index=var.index)
            sets[column] = values.where(values.notna(), "").astype(str).to_numpy()
        sets["label"] = sets["label"].where(sets["label"] != "", sets.index)
        known = list(CATEGORIES)
        order = sets["category"].map(lambda c: known.index(c) if c in known else len(known))
        primary = (sets["role"] != "primary").astype(int)
        ranks = pd.DataFrame({"order": order, "category": sets["category"], "primary": primary})
        return sets.loc[ranks.sort_values(list(ranks.columns), kind="stable").index]

    @property
    def controls(self) -> set[str]:
        """Sets that no disease or drug should move; they do not choose the limits of colours."""
        sets = self.sets
        return set(sets.index[(sets["category"] == "control") | (sets["role"] == "control")])

    def heading(self, category: str) -> str:
        """Write a category for people."""
        return CATEGORIES.get(category, category.replace("_", " ").capitalize() or "Other sets")

    def heatmap_sets(self, *topics: str) -> list[GeneSet]:
        """Return the configured sets of topics (itch, barrier); a set that does not exist stops."""
        asked = [n for topic in topics for n in self.settings["heatmap_sets"].get(topic, [])]
        unknown = [name for name in asked if name not in self.gene_sets]
        if unknown:
            raise AdnormError(
                f"configuration: figures: heatmap_sets names {listing(unknown)}, which no gene-set "
                f"file has{nearest(unknown[0], self.gene_sets)}"
            )
        return [self.gene_sets[name] for name in asked]

    def why_no(self, *kinds: str) -> str:
        """Say why the cohort has no comparison of some kinds."""
        table = self.tables["comparisons"]
        rows = table[table["kind"].isin(kinds)] if kinds else table
        refused = rows.loc[rows["supported"] != "yes", "reason"].dropna().astype(str)
        reasons = list(dict.fromkeys(refused))
        return "; ".join(reasons[:3]) or "the design of this cohort has no such comparison"


TABLES = (
    "excluded",
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
#: Only the figures of the index have it.
OPTIONAL = ("index",)


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
    material = Material(
        facts=dict(expression.uns["adnorm"]),
        expression=expression,
        scores=scores,
        tables={
            name: read_table(inputs[name])
            for name in (*TABLES, *OPTIONAL)
            if name in TABLES or name in inputs
        },
        manifest=read_json(inputs["manifest"]),
        gene_sets=read_gene_sets(inputs["gene_sets"]),
        settings=settings,
        score_facts=dict(scores.uns.get("adnorm", {})),
    )
    if material.flagged:
        # Stands above every figure.
        count = f"{material.flagged} of {len(material.samples)} samples"
        material.facts["quality"] = f"{count} flagged by quality control"
    return material


def _read_h5ad(path: Path) -> AnnData:
    import anndata

    if not Path(path).is_file():
        raise AdnormError(f"{path}: this file is missing; run the stage that writes it again")
    return anndata.read_h5ad(path)
