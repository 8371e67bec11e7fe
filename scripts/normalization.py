"""Entry for the figure of the normalization index."""

from pathlib import Path
from typing import TYPE_CHECKING

from adnorm.base.logs import start_log
from adnorm.figures.build import build_index_figures

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

start_log(
    snakemake.log[0],
    "normalization",
    snakemake.wildcards.cohort,
    packages=("matplotlib", "seaborn"),
)
inputs = {name: Path(path) for name, path in snakemake.input.items() if name != "gene_sets"}
inputs["gene_sets"] = [Path(p) for p in snakemake.input.gene_sets]
build_index_figures(
    inputs,
    snakemake.params.settings | {"cohort": snakemake.params.cohort},
    {"folder": Path(snakemake.output.normalization_svg).parent},
)
