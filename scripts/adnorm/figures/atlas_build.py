"""Figures over all cohorts of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from adnorm.base.logs import progress
from adnorm.figures.atlas_heatmap import draw_normalization_atlas
from adnorm.figures.atlas_material import AtlasMaterial, read_atlas_material
from adnorm.figures.dose_response import draw_dose_response
from adnorm.figures.drawing import draw_figures
from adnorm.figures.forest import draw_forest
from adnorm.figures.names import ATLAS_FIGURES

DRAWERS: dict[str, Callable[[AtlasMaterial], tuple[Figure, pd.DataFrame]]] = {
    "forest": draw_forest,
    "dose_response": draw_dose_response,
    "normalization_atlas": draw_normalization_atlas,
}


def build_atlas_figures(
    inputs: dict[str, Path | list[Path]],
    cohorts: dict[str, dict],
    settings: dict,
    outputs: dict[str, Path],
) -> None:
    """Draw the figures over all cohorts.

    Parameters
    ----------
    inputs
        dose, time, classes (tables of the atlas); ``samples``, the sample sheet of each finished
        cohort, in its result folder; ``gene_sets``, a list.
    cohorts
        By id, of the cohort file: title, route, placebo_arm.
    settings
        Section ``figures`` of the configuration with ``index`` (that section).
    outputs
        ``folder``: where NAME.svg, NAME.png and NAME.tsv go. A figure that cannot be drawn says
        why.

    Raises
    ------
    AdnormError
        A file is missing.
    """
    material = read_atlas_material(inputs, cohorts, settings)
    draw_figures(DRAWERS, material, ATLAS_FIGURES, Path(outputs["folder"]))
    progress(f"{len(ATLAS_FIGURES)} figures of {len(material.sheets)} cohorts")
