"""Draws the figures of a job and writes each with its table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from adnorm.figures.names import FigureName
from adnorm.figures.theme import RC, savefig

_Material = TypeVar("_Material")


def draw_figures(
    drawers: Mapping[str, Callable[[_Material], tuple[Figure, pd.DataFrame]]],
    material: _Material,
    figures: tuple[FigureName, ...],
    folder: Path,
) -> None:
    """Draw figures and write each as SVG, PNG and table.

    Parameters
    ----------
    drawers
        Function by name of the figure: figure and table from the material.
    material
        What the figures are drawn from.
    figures
        Which ones.
    folder
        Where NAME.svg, NAME.png and NAME.tsv go.
    """
    for figure in figures:
        with mpl.rc_context(RC):
            drawn, table = drawers[figure.name](material)
            savefig(drawn, folder, figure.name, table)
