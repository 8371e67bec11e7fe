"""Entry of the expression stage: unpack what Snakemake hands over and call the package."""

from pathlib import Path
from typing import TYPE_CHECKING

from adnorm.base.errors import RefusedFileError
from adnorm.base.stage import original
from adnorm.base.stops import run_stage
from adnorm.expression.build import build_expression
from adnorm.fetch.proof import fetch_again

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def work():
    table, manifest = snakemake.input.get("identifiers"), Path(snakemake.input.manifest)
    try:
        build_expression(
            manifest,
            original(snakemake.params.cohort),
            original(snakemake.params.settings),
            [Path(p) for p in snakemake.input.gene_sets],
            Path(str(table)) if table else None,
            {name: Path(path) for name, path in snakemake.output.items()},
        )
    except RefusedFileError as error:
        fetch_again(error.files, manifest.parent, Path(snakemake.log[0]).with_name("fetch.log"))
        raise


run_stage(
    work,
    "expression",
    snakemake.wildcards.cohort,
    snakemake.log[0],
    snakemake.input,
    snakemake.output,
    packages=("polars", "anndata", "scanpy"),
)
