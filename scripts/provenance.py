"""Entry of the record of a run; what stopped is told in it, and stops nothing."""

from typing import TYPE_CHECKING

from adnorm.base.entry import run
from adnorm.provenance.build import ProvenanceSettings, build

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

run(
    snakemake,
    "provenance",
    build,
    ProvenanceSettings,
    packages=("rocrate",),
    hands_on=lambda name: False,
)
