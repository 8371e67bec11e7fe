"""Entry of the scores stage: unpack what Snakemake hands over and call the package."""

from pathlib import Path
from typing import TYPE_CHECKING

from adnorm.base.logs import start_log
from adnorm.scores.build import build_scores

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

start_log(
    snakemake.log[0],
    "scores",
    snakemake.wildcards.cohort,
    packages=("gseapy", "anndata", "pylimma"),
)
build_scores(
    Path(snakemake.input.expression),
    [Path(p) for p in snakemake.input.gene_sets],
    snakemake.params.settings,
    {name: Path(path) for name, path in snakemake.output.items()},
)
