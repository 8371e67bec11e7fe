"""Entry of the last job of a run: it fails if a cohort stopped, and with it the run."""

from pathlib import Path
from typing import TYPE_CHECKING

from adnorm.base.stops import require_finished

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

line = require_finished(snakemake.input, snakemake.params.cohorts)
Path(snakemake.output[0]).write_text(line, encoding="utf-8")
