"""Entry of the index stage: unpack what Snakemake hands over and call the package."""

from pathlib import Path
from typing import TYPE_CHECKING

from adnorm.base.stage import original
from adnorm.base.stops import run_stage
from adnorm.index.build import build_index
from adnorm.index.trajectories import build_trajectories

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def work():
    outputs = {name: Path(path) for name, path in snakemake.output.items()}
    rest = original(snakemake.params.settings), outputs, snakemake.params.seed
    build_index(
        Path(snakemake.input.lesional_effects),
        Path(snakemake.input.expression),
        Path(snakemake.input.scores),
        Path(snakemake.input.effects),
        [Path(p) for p in snakemake.input.gene_sets],
        *rest,
    )
    samples = Path(snakemake.input.samples)
    build_trajectories(outputs["patients"], samples, outputs["index"], *rest)


run_stage(
    work,
    "index",
    snakemake.wildcards.cohort,
    snakemake.log[0],
    snakemake.input,
    snakemake.output,
    packages=("numpy", "scipy", "pylimma", "statsmodels"),
)
