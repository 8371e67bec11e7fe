"""Entry for the lesional effects of all cohorts, from which disease axes are trained."""

from pathlib import Path
from typing import TYPE_CHECKING

from adnorm.base.stops import finished, run_stage
from adnorm.index.axis import compile_lesional_effects

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def work():
    compile_lesional_effects(
        [Path(p).parent.parent for p in finished(snakemake.input.effects)],
        Path(snakemake.output.lesional_effects),
    )


run_stage(
    work,
    "axis",
    "all cohorts",
    snakemake.log[0],
    [],
    snakemake.output,
    packages=("pandas", "anndata"),
)
