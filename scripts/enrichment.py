"""Entry of the enrichment stage: unpack what Snakemake hands over and call the package."""

from pathlib import Path
from typing import TYPE_CHECKING

from adnorm.base.logs import start_log
from adnorm.effects.build import build_enrichment

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

start_log(
    snakemake.log[0],
    "enrichment",
    snakemake.wildcards.cohort,
    packages=("gseapy", "pylimma"),
)
build_enrichment(
    Path(snakemake.input.expression),
    Path(snakemake.input.effects),
    Path(snakemake.input.coverage),
    [Path(p) for p in snakemake.input.gene_sets],
    snakemake.params.settings,
    {name: Path(path) for name, path in snakemake.output.items()},
    snakemake.params.seed,
)
