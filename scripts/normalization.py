"""Entry for the figures of the normalization index."""

from pathlib import Path
from typing import TYPE_CHECKING

from adnorm.base.stage import original
from adnorm.base.stops import run_stage
from adnorm.figures.index_build import build_index_figures

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def work():
    inputs = {name: Path(path) for name, path in snakemake.input.items() if name != "gene_sets"}
    inputs["gene_sets"] = [Path(p) for p in snakemake.input.gene_sets]
    build_index_figures(
        inputs,
        original(snakemake.params.settings) | {"cohort": original(snakemake.params.cohort)},
        {"folder": Path(snakemake.output.normalization_svg).parent},
    )


run_stage(
    work,
    "normalization",
    snakemake.wildcards.cohort,
    snakemake.log[0],
    snakemake.input,
    snakemake.output,
    packages=("matplotlib", "pandas"),
)
