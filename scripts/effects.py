"""Entry of the effects stage: unpack what Snakemake hands over and call the package."""

from pathlib import Path
from typing import TYPE_CHECKING

from adnorm.base.stage import original
from adnorm.base.stops import run_stage
from adnorm.effects.build import build_effects, build_enrichment

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def work():
    expression = Path(snakemake.input.expression)
    outputs = {name: Path(path) for name, path in snakemake.output.items()}
    build_effects(
        expression, Path(snakemake.input.scores), original(snakemake.params.settings), outputs
    )
    build_enrichment(
        expression,
        outputs["effects"],
        Path(snakemake.input.coverage),
        [Path(p) for p in snakemake.input.gene_sets],
        original(snakemake.params.settings),
        outputs,
        snakemake.params.seed,
    )


run_stage(
    work,
    "effects",
    snakemake.wildcards.cohort,
    snakemake.log[0],
    snakemake.input,
    snakemake.output,
    packages=("pylimma", "gseapy", "numpy", "scipy"),
)
