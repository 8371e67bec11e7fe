"""Entry for the identifier table that the configuration names by URL."""

from pathlib import Path
from typing import TYPE_CHECKING

from adnorm.base.stage import original
from adnorm.base.stops import run_stage
from adnorm.fetch.build import fetch_single

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def work():
    params = {name: original(value) for name, value in snakemake.params.items()}
    fetch_single(
        params["address"], params["settings"], Path(snakemake.output.table), params["sha256"]
    )


run_stage(
    work,
    "fetch",
    "identifiers",
    snakemake.log[0],
    snakemake.input,
    snakemake.output,
    packages=("requests",),
)
