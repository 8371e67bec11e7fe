"""Entry of the effects stage: unpack what Snakemake hands over and call the package."""

from pathlib import Path
from typing import TYPE_CHECKING

from adnorm.base.logs import start_log
from adnorm.effects.build import build_effects

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

start_log(
    snakemake.log[0],
    "effects",
    snakemake.wildcards.cohort,
    packages=("pylimma", "numpy", "scipy"),
)
build_effects(
    Path(snakemake.input.expression),
    Path(snakemake.input.scores),
    snakemake.params.settings,
    {name: Path(path) for name, path in snakemake.output.items()},
)
