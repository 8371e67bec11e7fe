"""Entry for the identifier table that the configuration names by URL."""

from typing import TYPE_CHECKING

from adnorm.base.entry import run
from adnorm.fetch.identifiers import TableSettings, build

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

run(snakemake, "fetch", build, TableSettings, packages=("requests",), cohort="identifiers")
