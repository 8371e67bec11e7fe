"""Entry of the trajectories stage: unpack what Snakemake hands over and call the package."""

from pathlib import Path
from typing import TYPE_CHECKING

from adnorm.base.logs import start_log
from adnorm.index.trajectories import build_trajectories

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

start_log(
    snakemake.log[0],
    "trajectories",
    snakemake.wildcards.cohort,
    packages=("numpy", "scipy", "statsmodels"),
)
build_trajectories(
    Path(snakemake.input.patients),
    Path(snakemake.input.samples),
    Path(snakemake.input.index),
    snakemake.params.settings,
    {name: Path(path) for name, path in snakemake.output.items()},
    snakemake.params.seed,
)
