"""Entry for the list of the cohorts of a run, with their outcome."""

from pathlib import Path
from typing import TYPE_CHECKING

from adnorm.base.stage import original
from adnorm.base.stops import run_stage
from adnorm.figures.cohorts import build_cohorts

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def work():
    cohorts = original(snakemake.params.cohorts)
    lists = [snakemake.input[kind] for kind in ("samples", "overview", "index", "patients")]
    results = {name: map(Path, files) for name, *files in zip(sorted(cohorts), *lists, strict=True)}
    build_cohorts(cohorts, results, {name: Path(path) for name, path in snakemake.output.items()})


run_stage(
    work, "cohorts", "all cohorts", snakemake.log[0], [], snakemake.output, packages=("jinja2",)
)
