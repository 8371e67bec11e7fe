"""Which figures there are, and what they read of configuration and cohort files.

Imported by the workflow, so it imports nothing heavy.
"""

from __future__ import annotations

from typing import NamedTuple


class FigureName(NamedTuple):
    """One figure: stem of its files, what stands above it, and where the report lists it."""

    name: str
    title: str
    category: str


FIGURES: tuple[FigureName, ...] = (
    FigureName("genes_itch", "Itch genes in every sample", "Heatmaps"),
    FigureName("genes_barrier", "Skin-barrier genes in every sample", "Heatmaps"),
    FigureName("sets_samples", "Gene-set scores in every sample", "Heatmaps"),
    FigureName("set_changes", "Gene sets: disease and treatment", "Changes"),
    FigureName("gene_changes", "Itch and barrier genes: disease and treatment", "Changes"),
    FigureName("patients", "Itch and barrier scores of every patient", "Changes"),
    FigureName("enrichment", "Gene-set enrichment of every comparison", "Changes"),
    FigureName("pca", "Principal components of the samples", "Quality"),
    FigureName("quality", "Quality of the samples", "Quality"),
    FigureName("coverage", "Coverage of the gene sets", "Quality"),
)

#: Drawn from the index, which needs all cohorts of a run, and therefore apart from the others.
INDEX_FIGURES: tuple[FigureName, ...] = (
    FigureName("normalization", "How far back to normal: the normalization index", "Normalization"),
    FigureName("time_courses", "The normalization index over time", "Normalization"),
    FigureName("trajectories", "Response of every patient over time", "Normalization"),
    FigureName("reversal", "Gene by gene: disease and its reversal", "Normalization"),
    FigureName("concordance", "Scores of the skin and the clinic", "Normalization"),
)

#: Drawn over all cohorts of a run.
ATLAS_FIGURES: tuple[FigureName, ...] = (
    FigureName("forest", "Beyond placebo: every cohort, arm and drug class", "Atlas"),
    FigureName("dose_response", "Dose and normalization index", "Atlas"),
    FigureName("normalization_atlas", "The normalization index over all cohorts", "Atlas"),
)

TITLES = {figure.name: figure.title for figure in FIGURES + INDEX_FIGURES + ATLAS_FIGURES}

#: Keys of the configuration by section: what a job does not use must not draw it again.
COHORT_SETTINGS = {
    "figures": ("heatmap_sets",),
    "scores": ("minimum_genes", "minimum_fraction"),
    "effects": ("count_model", "batch", "minimum_pairs", "robust", "confidence", "fdr"),
    "enrichment": ("minimum_size", "maximum_size"),
}
INDEX_SETTINGS = {
    "figures": ("heatmap_sets",),
    "index": ("primary", "confidence", "multiplicity", "equivalence_margin"),
}
