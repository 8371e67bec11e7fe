"""Entry of the list of the cohorts of a run; it shows what stopped, and stops for nothing."""

from typing import TYPE_CHECKING

from adnorm.base.entry import run
from adnorm.figures.page.cohorts import build

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

run(snakemake, "cohorts", build, hands_on=lambda name: False, packages=("jinja2",))
