"""Entry of the figures of a cohort."""

from typing import TYPE_CHECKING

from adnorm.base.entry import run
from adnorm.figures.build import build
from adnorm.figures.data import DrawingSettings

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

run(snakemake, "figures", build, DrawingSettings, packages=("matplotlib", "seaborn"))
