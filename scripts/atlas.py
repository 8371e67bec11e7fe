"""Entry of the atlas stage: unpack what Snakemake hands over and call the package."""

from pathlib import Path
from typing import TYPE_CHECKING

from adnorm.atlas.build import build_atlas
from adnorm.base.stage import original
from adnorm.base.stops import finished, run_stage

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def work():
    build_atlas(
        [Path(p).parent.parent for p in finished(snakemake.input.index)],
        Path(snakemake.input.published),
        original(snakemake.params.settings),
        {name: Path(path) for name, path in snakemake.output.items()},
        snakemake.params.seed,
    )


run_stage(
    work,
    "atlas",
    "all cohorts",
    snakemake.log[0],
    [],
    snakemake.output,
    packages=("numpy", "scipy", "pandas"),
)
