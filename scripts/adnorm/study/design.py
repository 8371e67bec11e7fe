"""The design that follows from a sample sheet."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from adnorm.study.comparisons import Comparison, list_comparisons


@dataclass(frozen=True)
class Design:
    """Arms × visits × states of one cohort and the comparisons that follow.

    Attributes
    ----------
    cells
        Columns arm, week, state, patients, samples; one row for each combination that exists.
    comparisons
        All comparisons that one could ask of such a cohort, supported or not.
    """

    cells: pd.DataFrame
    comparisons: list[Comparison]

    @property
    def supported(self) -> list[Comparison]:
        """The comparisons that the cohort can answer."""
        return [c for c in self.comparisons if c.supported]


def derive_design(samples: pd.DataFrame, placebo_arm: str | None, minimum_pairs: int) -> Design:
    """Work out what a cohort can answer.

    Parameters
    ----------
    samples
        Canonical sample sheet (columns patient, arm, treatment, dose_mg, state, week).
    placebo_arm
        The arm that the drugs are compared with, or ``None``.
    minimum_pairs
        Fewest patients (on each side) that a comparison may rest on; 2 at the least.

    Returns
    -------
    Design
        Cells with patient counts, and every comparison with its reason.
    """
    names = samples[["arm", "state", "patient"]].astype(str)
    cells = (
        names.assign(week=samples["week"].to_numpy(dtype=float))
        .groupby(["arm", "week", "state"])["patient"]
        .agg(patients="nunique", samples="size")
        .reset_index()
    )
    minimum = max(2, int(minimum_pairs))
    return Design(cells, list_comparisons(samples, placebo_arm, minimum))


def design_tables(design: Design) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Lay a design out as the tables design.tsv and comparisons.tsv.

    Returns
    -------
    cells : DataFrame
        arm, week, state, patients, samples.
    comparisons : DataFrame
        contrast, kind, supported (yes|no), pairs, reason.
    """
    rows = [
        (c.name, c.kind, "yes" if c.supported else "no", c.patients, c.reason)
        for c in design.comparisons
    ]
    columns = ["contrast", "kind", "supported", "pairs", "reason"]
    return design.cells, pd.DataFrame(rows, columns=columns)
