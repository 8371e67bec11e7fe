"""Entry of the explorer; it names the cohorts that stopped, and stops for none."""

from typing import TYPE_CHECKING

from adnorm.base.entry import run
from adnorm.figures.explorer.build import PageSettings, build

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

run(
    snakemake,
    "explorer",
    build,
    PageSettings,
    hands_on=lambda name: False,
    packages=("anndata", "pandas"),
)
