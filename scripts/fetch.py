"""Entry of the fetch stage."""

from typing import TYPE_CHECKING

from adnorm.base.entry import run
from adnorm.fetch.build import FetchSettings, build

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

run(snakemake, "fetch", build, FetchSettings, packages=("requests", "numpy"))
