"""Entry of the last job of a run: it fails if a cohort stopped, and with it the run."""

from typing import TYPE_CHECKING

from adnorm.base.stops import write_finished

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

write_finished(snakemake.input, snakemake.params.cohorts, snakemake.output[0])
