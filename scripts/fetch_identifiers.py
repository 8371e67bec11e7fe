"""Entry for the identifier table that the configuration names by URL."""

from pathlib import Path
from typing import TYPE_CHECKING

from adnorm.base.logs import start_log
from adnorm.fetch.build import fetch_single

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

start_log(snakemake.log[0], "fetch", "identifiers", packages=("requests",))
fetch_single(snakemake.params.address, snakemake.params.settings, Path(snakemake.output.table))
