"""Figures of the index of one cohort; their job reads tables only, and imports little."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from adnorm.base.logs import progress
from adnorm.figures.concordance import draw_concordance
from adnorm.figures.drawing import draw_figures
from adnorm.figures.index_material import IndexMaterial, read_index_material
from adnorm.figures.names import INDEX_FIGURES
from adnorm.figures.normalization import draw_normalization
from adnorm.figures.reversal import draw_reversal
from adnorm.figures.time_courses import draw_time_courses
from adnorm.figures.trajectories import draw_trajectories

DRAWERS: dict[str, Callable[[IndexMaterial], tuple[Figure, pd.DataFrame]]] = {
    "normalization": draw_normalization,
    "time_courses": draw_time_courses,
    "trajectories": draw_trajectories,
    "reversal": draw_reversal,
    "concordance": draw_concordance,
}


def build_index_figures(
    inputs: dict[str, Path | list[Path]], settings: dict, outputs: dict[str, Path]
) -> None:
    """Draw the figures of the normalization index.

    Parameters
    ----------
    inputs
        Path by name: samples, comparisons, qc, coverage, index, gene_index, patients,
        trajectories, concordance, calibration; ``gene_sets`` is a list.
    settings
        Section ``figures`` of the configuration, with ``index`` (that section) and ``cohort`` (the
        cohort file).
    outputs
        ``folder``: where NAME.svg, NAME.png and NAME.tsv go. A figure that cannot be drawn says
        why.

    Raises
    ------
    AdnormError
        A file is missing.
    """
    material = read_index_material(inputs, settings)
    draw_figures(DRAWERS, material, INDEX_FIGURES, Path(outputs["folder"]))
    progress(f"{len(INDEX_FIGURES)} figures of {material.n}")
