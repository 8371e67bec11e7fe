"""The stage atlas: dose, time and drug classes over all cohorts of a run."""

from __future__ import annotations

from collections.abc import Iterator

from adnorm.atlas.classes import class_table, read_published
from adnorm.atlas.cohort_results import CohortResults, read_cohort
from adnorm.atlas.dose import dose_table
from adnorm.atlas.time import time_table
from adnorm.base.logs import progress
from adnorm.base.stage import Files
from adnorm.base.tables import stack, write_table
from adnorm.index.teaching import Teaching
from adnorm.index.training_cohorts import read_shares
from adnorm.study.config import IndexSettings


def build(inputs: Files, outputs: Files, settings: IndexSettings, seed: int) -> None:
    """Compare doses, visits, drugs and classes over the cohorts.

    Parameters
    ----------
    inputs
        ``index`` (index.tsv of each cohort, in its results, where index/patients.tsv,
        expression/samples.tsv and expression/expression.h5ad are too), ``teaching`` (which
        says which cohorts have patients in common) and ``published`` (table of
        published group results).
    outputs
        Where to write ``dose``, ``time`` and ``classes`` (tables).
    settings
        Section ``index`` of the configuration.
    seed
        Not used.

    Raises
    ------
    AdnormError
        A file is missing, or the table of published results is not right.
    """
    published = read_published(inputs["published"])
    shares = read_shares(Teaching.read(inputs["teaching"]).facts)
    folders = sorted({path.parent.parent for path in inputs["index"]}, key=lambda f: f.name)
    doses, times = [], []

    def cohorts() -> Iterator[CohortResults]:
        """One at a time: what single patients have is not kept."""
        for folder in folders:
            cohort = read_cohort(folder)
            doses.append(dose_table(cohort, settings))
            times.append(time_table(cohort, settings))
            yield cohort

    classes = class_table(cohorts(), published, settings, shares)
    tables = {"dose": stack(doses), "time": stack(times), "classes": classes}
    for name, table in tables.items():
        write_table(table, outputs[name])
        progress(f"{name}: {len(table)} rows from {len(folders)} cohorts")
