"""Entry of the expression stage; a file that a reader refused is fetched again by the next call."""

from pathlib import Path
from typing import TYPE_CHECKING

from adnorm.base.entry import run
from adnorm.base.errors import RefusedFileError
from adnorm.base.stage import Files
from adnorm.expression.build import StageSettings, build
from adnorm.fetch.proof import fetch_again

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def build_or_fetch_again(inputs: Files, outputs: Files, settings: StageSettings, seed: int) -> None:
    try:
        build(inputs, outputs, settings, seed)
    except RefusedFileError as error:
        log = Path(snakemake.log[0]).with_name("fetch.log")
        fetch_again(error.files, inputs["manifest"].parent, log)
        raise


packages = ("polars", "anndata", "scanpy")
run(snakemake, "expression", build_or_fetch_again, StageSettings, packages=packages)
