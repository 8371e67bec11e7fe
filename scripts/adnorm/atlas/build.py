"""The stage atlas: dose, time and drug classes over all cohorts of a run."""

from __future__ import annotations

from pathlib import Path

from adnorm.atlas.classes import class_table
from adnorm.atlas.dose import dose_table
from adnorm.atlas.material import read_cohort
from adnorm.atlas.published import read_published
from adnorm.atlas.time import time_table
from adnorm.base.logs import progress
from adnorm.base.tables import stack, write_table


def build_atlas(
    folders: list[Path], published: Path, settings: dict, outputs: dict[str, Path], seed: int
) -> None:
    """Compare doses, visits, drugs and classes over the cohorts.

    Parameters
    ----------
    folders
        Result folders of the cohorts, with index/index.tsv, index/patients.tsv,
        expression/samples.tsv and expression/expression.h5ad.
    published
        Table of published group results.
    settings
        Section ``index`` of the configuration: bootstrap, confidence, primary.
    outputs
        Where to write: ``dose``, ``time``, ``classes``.
    seed
        Of the resamples and permutations.

    Raises
    ------
    AdnormError
        A file is missing, or the table of published results is not right.
    """
    known = read_published(published)
    cohorts = [read_cohort(folder) for folder in sorted(map(Path, folders), key=lambda f: f.name)]
    dose = stack([dose_table(cohort, settings, seed) for cohort in cohorts])
    time = stack([time_table(cohort, settings, seed) for cohort in cohorts])
    classes = class_table(cohorts, known, settings)
    for name, table in (("dose", dose), ("time", time), ("classes", classes)):
        write_table(table, outputs[name])
        progress(f"{name}: {len(table)} rows from {len(cohorts)} cohorts")
