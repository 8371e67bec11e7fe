"""What a cohort would give: the stages of a run themselves, run aside, and what they say."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pandas as pd

from adnorm.base.errors import AdnormError
from adnorm.base.logs import warnings_collected
from adnorm.base.tables import read_table
from adnorm.cli.gathering import gathered, identifier_table
from adnorm.cli.stand_ins import ANY_SHEET
from adnorm.cli.terminal import in_words

if TYPE_CHECKING:
    from adnorm.onboarding.cohort_text import Marked

#: Tables that the stage expression writes.
_TABLES = ("samples", "excluded", "losses", "identifiers", "design", "comparisons", "qc")


@dataclass
class Inspection:
    """All that the check of one cohort found.

    Attributes
    ----------
    cohort
        The checked cohort file.
    problems
        Paragraphs; the cohort cannot run while there is any.
    warnings
        What a run would warn of.
    tables
        samples, excluded, losses, design, comparisons … as the stage expression writes them; empty
        when it stopped.
    coverage
        Gene sets: set, asked, found, status, reason.
    genes
        Number of genes.
    unconfirmed
        Lines of the cohort file that are still guesses of `adnorm new-cohort`.
    """

    cohort: dict
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    coverage: pd.DataFrame = field(default_factory=pd.DataFrame)
    genes: int = 0
    unconfirmed: list[Marked] = field(default_factory=list)


def inspect_cohort(cohort: dict, config: dict) -> Inspection:
    """Check one cohort by the code that a run would use.

    Parameters
    ----------
    cohort
        The checked cohort file.
    config
        The checked configuration.

    Returns
    -------
    Inspection
    """
    found = Inspection(cohort)
    with warnings_collected(found.warnings), TemporaryDirectory(prefix="adnorm-") as folder:
        try:
            with gathered(cohort, config) as manifest:
                table = identifier_table(config)
                _express(found, manifest, config, table, Path(folder))
        except Exception as error:  # noqa: BLE001 -- one cohort must not end the check of the others
            told = in_words(error)
            foreseen = isinstance(error, AdnormError)
            found.problems.append(told if foreseen else f"{cohort['where']}: {told}")
    return found


def _express(
    found: Inspection, manifest: Path, config: dict, table: Path | None, folder: Path
) -> None:
    from anndata import read_h5ad

    from adnorm.cli.later_stages import later_problems

    outputs = {name: folder / f"{name}.tsv" for name in _TABLES}
    outputs["expression"] = folder / "expression.h5ad"
    try:
        _build(manifest, found.cohort, config, table, outputs)
    except AdnormError as error:
        found.problems.append(str(error))
        # What a sheet that cannot be wrong leads to is no warning about this cohort.
        told = list(found.warnings)
        if not _has_sheet(manifest, found.cohort):
            found.problems += _behind(manifest, found.cohort, config, table, outputs, str(error))
        found.warnings[:] = told
        return
    found.tables = {name: read_table(outputs[name]) for name in _TABLES}
    found.genes = read_h5ad(outputs["expression"], backed="r").n_vars
    found.coverage, problems = later_problems(outputs["expression"], config, folder)
    found.problems += problems


def _build(
    manifest: Path, cohort: dict, config: dict, table: Path | None, outputs: dict[str, Path]
) -> None:
    from adnorm.expression.build import StageSettings, build
    from adnorm.study.samples import measured

    settings = StageSettings(
        cohort=measured(cohort),
        expression=config["expression"],
        minimum_pairs=config["effects"]["minimum_pairs"],
        identifiers_sha256=config["identifiers"]["sha256"],
    )
    inputs = {
        "manifest": manifest,
        "gene_sets": [Path(path) for path in config["gene_sets"]],
        "identifiers": [table] if table else [],
    }
    build(inputs, outputs, settings, config["seed"])


def _has_sheet(manifest: Path, cohort: dict) -> bool:
    """Whether the sample sheet is right, so that what stopped the stage is told in full."""
    from adnorm.base.inflate import allowing
    from adnorm.expression.sources import open_sources
    from adnorm.study.samples import measured

    try:
        with allowing(cohort["source"]):
            open_sources(manifest, measured(cohort)).sample_sheet()
    except AdnormError:
        return False
    return True


def _behind(
    manifest: Path,
    cohort: dict,
    config: dict,
    table: Path | None,
    outputs: dict[str, Path],
    known: str,
) -> list[str]:
    """Look behind a wrong sample sheet: are the values right at least?

    A run stops at the sheet, before it touches a value. So that a person mends everything in one
    round, the values are read once more with a sheet that cannot be wrong.
    """
    sheet = ANY_SHEET
    if cohort["route"] == "h5ad":
        # Rows of one biopsy would be taken for cells.
        sheet = sheet | {"patient": {"from": "sample", "missing": "anybody"}}
    plain = {"samples": sheet, "treatments": {}, "placebo_arm": None, "reference": None}
    stand_in = cohort | plain
    messages = []
    for exclude in (cohort["exclude"], []):
        try:
            _build(manifest, stand_in | {"exclude": exclude}, config, table, outputs)
        except AdnormError as error:
            messages = [str(error)]
            if messages[0] in known:
                # The rules of `exclude:` themselves are wrong: go on without them.
                messages = []
                continue
        break
    return messages
