"""Entry for the identifier table that the configuration names by URL."""

from typing import TYPE_CHECKING

from adnorm.base.stage import run
from adnorm.fetch.build import TableSettings, build_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

run(snakemake, "fetch", build_table, TableSettings, packages=("requests",), cohort="identifiers")
