"""Entry of the figures of the normalization index."""

from typing import TYPE_CHECKING

from adnorm.base.entry import run
from adnorm.figures.build import build_index
from adnorm.figures.data import DrawingSettings

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

run(snakemake, "index_figures", build_index, DrawingSettings, packages=("matplotlib", "pandas"))
