"""Which figures there are, and what they read of configuration and cohort files.

Imported by the workflow, so it imports nothing heavy.
"""

from __future__ import annotations

import html
import re
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple


class Category(StrEnum):
    """Where the report lists what it shows: Snakemake sorts by name, a reader by question."""

    ANSWER = "1 Answer"
    INDEX = "2 Index"
    TIME_DOSE = "3 Time and dose"
    PATIENTS = "4 Patients and clinic"
    GENES = "5 Genes"
    SETS = "6 Gene sets"
    COHORTS = "7 All cohorts"
    QUALITY = "8 Quality"
    TABLES = "9 Tables"
    NOT_DRAWN = "Not drawn, and why"


class FigureName(NamedTuple):
    """One figure: stem of its files, what stands above it, and where the report lists it."""

    name: str
    title: str
    category: Category


FIGURES: tuple[FigureName, ...] = (
    FigureName("genes_itch", "Itch genes in every sample", Category.GENES),
    FigureName("genes_barrier", "Skin-barrier genes in every sample", Category.GENES),
    FigureName("sets_samples", "Gene-set scores in every sample", Category.SETS),
    FigureName("set_changes", "Gene sets: disease and treatment", Category.SETS),
    FigureName("gene_changes", "Itch and barrier genes: disease and treatment", Category.GENES),
    FigureName("patients", "Itch and barrier scores of every patient", Category.PATIENTS),
    FigureName("enrichment", "Gene-set enrichment of every comparison", Category.SETS),
    FigureName("pca", "Principal components of the samples", Category.QUALITY),
    FigureName("quality", "Quality of the samples", Category.QUALITY),
    FigureName("coverage", "Coverage of the gene sets", Category.QUALITY),
)

#: Drawn from the index, which needs all cohorts of a run, and therefore apart from the others.
INDEX_FIGURES: tuple[FigureName, ...] = (
    FigureName("answer", "The answer: itch and barrier, first and last visit", Category.ANSWER),
    FigureName("normalization", "How far back to normal: the normalization index", Category.INDEX),
    FigureName("time_courses", "The normalization index over time", Category.TIME_DOSE),
    FigureName("trajectories", "Response of every patient over time", Category.PATIENTS),
    FigureName("reversal", "Gene by gene: disease and its reversal", Category.GENES),
    FigureName("concordance", "Scores of the skin and the clinic", Category.PATIENTS),
)

#: Drawn over all cohorts of a run.
ATLAS_FIGURES: tuple[FigureName, ...] = (
    FigureName("forest", "Effects of every cohort, arm and drug class", Category.COHORTS),
    FigureName("dose_response", "Dose and normalization index", Category.TIME_DOSE),
    FigureName("normalization_atlas", "The normalization index over all cohorts", Category.COHORTS),
)

TITLES = {figure.name: figure.title for figure in FIGURES + INDEX_FIGURES + ATLAS_FIGURES}

#: Keys of the configuration by section: what a job does not use must not draw it again.
COHORT_SETTINGS = {
    "figures": ("heatmap_sets", "width"),
    "scores": ("minimum_genes", "minimum_fraction"),
    "effects": ("count_model", "batch", "minimum_pairs", "robust", "confidence", "fdr"),
    "enrichment": ("minimum_size", "maximum_size"),
}
INDEX_SETTINGS = {
    "figures": ("heatmap_sets", "width"),
    "index": ("primary", "confidence", "multiplicity", "equivalence_margin"),
}
EXPLORER_SETTINGS = {
    "figures": ("explorer",),
    "effects": ("confidence", "fdr"),
    "index": ("primary", "confidence", "multiplicity"),
}

#: Stands on the page of a figure with nothing to draw, and before the reason in its middle.
NOTHING, NOT_SHOWN = "nothing to draw", "Not shown: "


def why_not_drawn(figure: Path | str) -> str:
    """Read from the SVG of a figure why nothing is drawn on it; empty where something is.

    Examples
    --------
    >>> why_not_drawn("no/such/figure.svg")
    ''
    """
    path = Path(figure)
    svg = path.read_text(encoding="utf-8") if path.is_file() else ""
    if NOTHING not in svg:
        return ""
    texts = [html.unescape(text) for text in re.findall(r"<text\b[^>]*>([^<]*)</text>", svg)]
    starts = [i for i, text in enumerate(texts) if text.startswith(NOT_SHOWN)]
    if NOTHING not in texts or not starts:
        return ""
    # A reason of several lines ends the page.
    return " ".join(texts[starts[-1] :]).removeprefix(NOT_SHOWN).rstrip(".")
