"""Entry of the atlas stage."""

from typing import TYPE_CHECKING

from adnorm.atlas.build import build
from adnorm.base.entry import run
from adnorm.study.config import IndexSettings

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

JOINS = ("index", "patients", "samples", "expression")
run(snakemake, "atlas", build, IndexSettings, packages=("numpy", "scipy", "pandas"), joins=JOINS)
