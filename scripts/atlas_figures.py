"""Entry of the figures over all cohorts; a cohort that stopped is left out."""

from typing import TYPE_CHECKING

from adnorm.base.entry import run
from adnorm.figures.build import build_atlas
from adnorm.figures.data import DrawingSettings

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

run(
    snakemake,
    "atlas_figures",
    build_atlas,
    DrawingSettings,
    packages=("matplotlib", "pandas"),
    joins=("samples", "comparisons"),
)
