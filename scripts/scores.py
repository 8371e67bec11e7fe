"""Entry of the scores stage."""

from typing import TYPE_CHECKING

from adnorm.base.entry import run
from adnorm.scores.build import build
from adnorm.study.config import ScoresSettings

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

run(snakemake, "scores", build, ScoresSettings, packages=("gseapy", "anndata", "pylimma"))
