"""Entry for the figures over all cohorts."""

from pathlib import Path
from typing import TYPE_CHECKING

from adnorm.base.stage import original
from adnorm.base.stops import finished, run_stage
from adnorm.figures.atlas_build import build_atlas_figures

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

TABLES = ("dose", "time", "classes")


def work():
    inputs = {name: Path(snakemake.input[name]) for name in TABLES}
    inputs["samples"] = [Path(path) for path in finished(snakemake.input.samples)]
    inputs["gene_sets"] = [Path(path) for path in snakemake.input.gene_sets]
    build_atlas_figures(
        inputs,
        original(snakemake.params.cohorts),
        original(snakemake.params.settings),
        {"folder": Path(snakemake.output.forest_svg).parent},
    )


# A cohort that stopped is left out; without the tables of the atlas nothing can be drawn.
run_stage(
    work,
    "atlas_figures",
    "all cohorts",
    snakemake.log[0],
    [snakemake.input[name] for name in TABLES],
    snakemake.output,
    packages=("matplotlib", "pandas"),
)
