"""Entry of the index stage: unpack what Snakemake hands over and call the package."""

from pathlib import Path
from typing import TYPE_CHECKING

from adnorm.base.logs import start_log
from adnorm.index.build import build_index

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

start_log(
    snakemake.log[0],
    "index",
    snakemake.wildcards.cohort,
    packages=("numpy", "scipy", "pylimma"),
)
build_index(
    Path(snakemake.input.lesional_effects),
    Path(snakemake.input.expression),
    Path(snakemake.input.scores),
    Path(snakemake.input.effects),
    [Path(p) for p in snakemake.input.gene_sets],
    snakemake.params.settings,
    {name: Path(path) for name, path in snakemake.output.items()},
    snakemake.params.seed,
)
