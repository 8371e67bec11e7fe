"""Entry of the fetch stage: unpack what Snakemake hands over and call the package."""

from pathlib import Path
from typing import TYPE_CHECKING

from adnorm.base.stage import original
from adnorm.base.stops import run_stage
from adnorm.fetch.build import fetch_cohort

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def work():
    cohort = original(snakemake.params.cohort)
    if snakemake.input.gene_sets:
        simulation = cohort["simulation"] | {"gene_sets": str(snakemake.input.gene_sets[0])}
        cohort = cohort | {"simulation": simulation}
    fetch_cohort(
        cohort, original(snakemake.params.settings), Path(snakemake.output.manifest).parent
    )


run_stage(
    work,
    "fetch",
    snakemake.wildcards.cohort,
    snakemake.log[0],
    snakemake.input,
    snakemake.output,
    packages=("requests", "numpy"),
)
