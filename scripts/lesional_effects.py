"""Entry for the lesional effects of all cohorts, from which disease axes are trained."""

from pathlib import Path
from typing import TYPE_CHECKING

from adnorm.base.logs import start_log
from adnorm.index.axis import compile_lesional_effects

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

start_log(snakemake.log[0], "axis", "all cohorts", packages=("pandas", "anndata"))
compile_lesional_effects(
    [Path(p).parent.parent for p in snakemake.input.effects],
    Path(snakemake.output.lesional_effects),
)
