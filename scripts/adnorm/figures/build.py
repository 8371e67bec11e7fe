"""The stages that draw: one cohort, its index, and all cohorts of a run.

They draw tables and compute nothing. The index needs all cohorts of a run; its figures are a job
of their own, so that those of a cohort do not wait.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from adnorm.base.logs import progress
from adnorm.base.text import counted
from adnorm.figures.answer import answer_of, write_answer
from adnorm.figures.answer_figure import draw_answer
from adnorm.figures.changes import draw_enrichment, draw_gene_changes, draw_set_changes
from adnorm.figures.concordance import draw_concordance
from adnorm.figures.courses import draw_dose_response, draw_time_courses
from adnorm.figures.data import (
    AtlasData,
    CohortData,
    DrawingSettings,
    IndexData,
    read_atlas,
    read_cohort,
    read_index,
)
from adnorm.figures.forest import draw_forest
from adnorm.figures.index_heatmap import draw_normalization, draw_normalization_atlas
from adnorm.figures.page.answers import write_answers
from adnorm.figures.page.overview import write_overview
from adnorm.figures.page.tables import write_tables
from adnorm.figures.patients import draw_patients, draw_trajectories
from adnorm.figures.quality import draw_coverage, draw_pca, draw_quality
from adnorm.figures.reversal import draw_reversal
from adnorm.figures.samples import draw_genes, draw_sets_samples
from adnorm.figures.theme import RC, savefig

_Data = TypeVar("_Data")
#: Figure by name → its drawing, on one page or several, and the table behind it.
Drawers = Mapping[str, Callable[[_Data], tuple[Figure | Iterable[Figure], pd.DataFrame]]]

COHORT: Drawers[CohortData] = {
    "genes_itch": partial(draw_genes, topic="itch"),
    "genes_barrier": partial(draw_genes, topic="barrier"),
    "sets_samples": draw_sets_samples,
    "set_changes": draw_set_changes,
    "gene_changes": draw_gene_changes,
    "patients": draw_patients,
    "enrichment": draw_enrichment,
    "pca": draw_pca,
    "quality": draw_quality,
    "coverage": draw_coverage,
}
INDEX: Drawers[IndexData] = {
    "answer": draw_answer,
    "normalization": draw_normalization,
    "time_courses": draw_time_courses,
    "trajectories": draw_trajectories,
    "reversal": draw_reversal,
    "concordance": draw_concordance,
}
ATLAS: Drawers[AtlasData] = {
    "forest": draw_forest,
    "dose_response": draw_dose_response,
    "normalization_atlas": draw_normalization_atlas,
}


def draw(drawers: Drawers[_Data], data: _Data, folder: Path) -> None:
    """Draw figures and write each as SVG, PNG, PDF and table; one that cannot be drawn says why."""
    # What is here stays; only what is drawn is looked through below.
    gc.freeze()
    for name, drawer in drawers.items():
        with mpl.rc_context(RC):
            pages, table = drawer(data)
            savefig(pages, folder, name, table)
        # The parts of a figure refer to each other, so that it and its pictures would stay.
        del pages, table
        gc.collect()
    gc.unfreeze()


def _folder(outputs: Mapping[str, Path]) -> Path:
    return next(iter(outputs.values())).parent


def build(
    inputs: Mapping[str, Any], outputs: Mapping[str, Path], settings: DrawingSettings, seed: int = 0
) -> None:
    """Draw all figures of a cohort that need nothing but the cohort.

    Parameters
    ----------
    inputs
        As `read_cohort` asks.
    outputs
        NAME_svg, NAME_png, NAME_pdf and NAME_tsv of every figure, all in one folder.
    settings
        What to draw by; ``cohort`` is the cohort file.
    seed
        Nothing is random here.

    Raises
    ------
    AdnormError
        A file is missing, files do not fit one another, or a configured set does not exist.
    """
    data = read_cohort(inputs, settings)
    draw(COHORT, data, _folder(outputs))
    progress(f"{len(COHORT)} figures of {data.n}")


def build_index(
    inputs: Mapping[str, Any], outputs: Mapping[str, Path], settings: DrawingSettings, seed: int = 0
) -> None:
    """Draw the figures of the index of a cohort, and write what it answers and its pages.

    From what `read_index` and `read_cohort` ask; `outputs` has ``answer`` (JSON), ``answers``,
    ``overview`` and ``tables`` besides the figures.
    """
    data = read_index(inputs, settings)
    draw(INDEX, data, _folder(outputs))
    answer = answer_of(data)
    write_answer(answer, outputs["answer"])
    write_answers(data, answer, outputs["answers"])
    write_overview(read_cohort(inputs, settings), data, answer, outputs["overview"])
    write_tables(inputs, data, outputs["tables"])
    progress(f"{len(INDEX)} figures of {data.n}")


def build_atlas(
    inputs: Mapping[str, Any], outputs: Mapping[str, Path], settings: DrawingSettings, seed: int = 0
) -> None:
    """Draw the figures over all cohorts, from what `read_atlas` asks, and write ``tables``."""
    data = read_atlas(inputs, settings)
    draw(ATLAS, data, _folder(outputs))
    write_tables(inputs, data, outputs["tables"])
    progress(f"{len(ATLAS)} figures of {counted(len(data.sheets), 'cohort')}")
