"""Entry of the fetch stage: unpack what Snakemake hands over and call the package."""

from pathlib import Path
from typing import TYPE_CHECKING

from adnorm.base.logs import start_log
from adnorm.fetch.build import fetch_cohort

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

start_log(
    snakemake.log[0],
    "fetch",
    snakemake.wildcards.cohort,
    packages=("requests", "numpy"),
)
cohort = snakemake.params.cohort
if snakemake.input.gene_sets:
    simulation = cohort["simulation"] | {"gene_sets": str(snakemake.input.gene_sets[0])}
    cohort = cohort | {"simulation": simulation}
fetch_cohort(
    cohort,
    snakemake.params.settings,
    Path(snakemake.output.manifest).parent,
)
