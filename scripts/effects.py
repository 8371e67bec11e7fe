"""Entry of the effects stage."""

from typing import TYPE_CHECKING

from adnorm.base.entry import run
from adnorm.effects.build import StageSettings, build

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

run(snakemake, "effects", build, StageSettings, packages=("pylimma", "gseapy", "numpy", "scipy"))
