"""The figures stage: every figure of one cohort, and its overview page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from adnorm.base.logs import progress
from adnorm.figures.changes import draw_gene_changes, draw_set_changes
from adnorm.figures.coverage import draw_coverage
from adnorm.figures.drawing import draw_figures
from adnorm.figures.enrichment import draw_enrichment
from adnorm.figures.heatmaps import draw_genes, draw_sets_samples
from adnorm.figures.material import Material, read_material
from adnorm.figures.names import FIGURES
from adnorm.figures.page import write_page
from adnorm.figures.patients import draw_patients
from adnorm.figures.quality import draw_quality
from adnorm.figures.samples import draw_pca

DRAWERS: dict[str, Callable[[Material], tuple[Figure, pd.DataFrame]]] = {
    "genes_itch": lambda material: draw_genes(material, "genes_itch", "itch"),
    "genes_barrier": lambda material: draw_genes(material, "genes_barrier", "barrier"),
    "sets_samples": draw_sets_samples,
    "set_changes": draw_set_changes,
    "gene_changes": draw_gene_changes,
    "patients": draw_patients,
    "enrichment": draw_enrichment,
    "pca": draw_pca,
    "quality": draw_quality,
    "coverage": draw_coverage,
}


def build_figures(
    inputs: dict[str, Path | list[Path]], settings: dict, outputs: dict[str, Path]
) -> None:
    """Draw all figures of a cohort and write its overview page.

    Parameters
    ----------
    inputs
        Path by name: expression, scores, manifest, samples, excluded, identifiers, design,
        comparisons, qc, coverage, agreement, effects, set_effects, enrichment; ``gene_sets`` is a
        list.
    settings
        Section ``figures`` of the configuration, with ``fdr`` and ``cohort`` (the cohort file);
        the sections ``expression``, ``scores``, ``effects`` and ``enrichment`` make the methods
        paragraph complete.
    outputs
        ``folder``: where NAME.svg, NAME.png, NAME.tsv and overview.html go. A figure that cannot
        be drawn says why.

    Raises
    ------
    AdnormError
        A file is missing, files do not fit one another, or a configured set does not exist.
    """
    folder = Path(outputs["folder"])
    material = read_material(inputs, settings)
    draw_figures(DRAWERS, material, FIGURES, folder)
    progress(f"{len(FIGURES)} figures of {material.n}")
    write_page(material, folder / "overview.html")
