"""Entry of the atlas stage: unpack what Snakemake hands over and call the package."""

from pathlib import Path
from typing import TYPE_CHECKING

from adnorm.atlas.build import build_atlas
from adnorm.base.logs import start_log

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

start_log(snakemake.log[0], "atlas", "all cohorts", packages=("numpy", "scipy", "pandas"))
build_atlas(
    [Path(p).parent.parent for p in snakemake.input.index],
    Path(snakemake.input.published),
    snakemake.params.settings,
    {name: Path(path) for name, path in snakemake.output.items()},
    snakemake.params.seed,
)
