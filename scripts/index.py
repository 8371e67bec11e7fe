"""Entry of the index stage."""

from typing import TYPE_CHECKING

from adnorm.base.entry import run
from adnorm.index.build import StageSettings, build

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

PACKAGES = ("numpy", "scipy", "pylimma", "statsmodels")
run(snakemake, "index", build, StageSettings, packages=PACKAGES)
