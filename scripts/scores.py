"""Entry of the scores stage: unpack what Snakemake hands over and call the package."""

from pathlib import Path
from typing import TYPE_CHECKING

from adnorm.base.parameters import original
from adnorm.base.stops import run_stage
from adnorm.scores.build import build_scores

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def work():
    build_scores(
        Path(snakemake.input.expression),
        [Path(p) for p in snakemake.input.gene_sets],
        original(snakemake.params.settings),
        {name: Path(path) for name, path in snakemake.output.items()},
    )


run_stage(
    work,
    "scores",
    snakemake.wildcards.cohort,
    snakemake.log[0],
    snakemake.input,
    snakemake.output,
    packages=("gseapy", "anndata", "pylimma"),
)
