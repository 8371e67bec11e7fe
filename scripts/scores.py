"""Entry of the scores stage."""

from typing import TYPE_CHECKING

from adnorm.base.stage import run
from adnorm.scores.build import build

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

run(snakemake, "scores", build, packages=("gseapy", "anndata", "pylimma"))
