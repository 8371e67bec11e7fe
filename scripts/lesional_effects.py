"""Entry for the lesional effects of all cohorts, from which disease axes are trained."""

from typing import TYPE_CHECKING

from adnorm.base.entry import run
from adnorm.index.training_cohorts import build

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

OF_ALL_COHORTS = ("effects", "expression", "manifests")
run(snakemake, "axis", build, packages=("pandas", "anndata"), joins=OF_ALL_COHORTS)
