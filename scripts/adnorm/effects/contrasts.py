"""From the comparisons of a study to models and contrasts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError, listing
from adnorm.effects.linear_model import BlockModel
from adnorm.study.comparisons import Cell, Comparison, number


@dataclass(frozen=True)
class FitPlan:
    """One model and the comparisons that it answers.

    Attributes
    ----------
    model
        Blocks and cells.
    comparisons
        What is asked of it.
    cell_weights
        Contrast of each comparison, shape (cells, comparisons).
    """

    model: BlockModel
    comparisons: tuple[Comparison, ...]
    cell_weights: np.ndarray

    @property
    def design_weights(self) -> np.ndarray:
        """The contrasts in terms of the columns of the design, shape (columns, comparisons)."""
        return self.model.design_weights(self.cell_weights)


def cell_label(cell: Cell) -> str:
    """Name a cell for people.

    Examples
    --------
    >>> cell_label(("placebo", "lesional", 4.0))
    'placebo lesional @4'
    """
    arm, state, week = cell
    return f"{arm} {state} @{number(week)}"


def _cells(combined: pd.DataFrame) -> list[Cell]:
    weeks = combined["week"].to_numpy(dtype=float)
    return list(zip(combined["arm"].astype(str), combined["state"].astype(str), weeks, strict=True))


def _block_model(
    rows: np.ndarray, blocks: np.ndarray, cells: list[Cell]
) -> tuple[BlockModel, list[Cell]]:
    # Baseline comes first within an arm, so it is the reference.
    order = sorted(set(cells), key=lambda cell: (cell[0], cell[2], cell[1]))
    position = {cell: i for i, cell in enumerate(order)}
    names, codes = np.unique(blocks, return_inverse=True)
    model = BlockModel(
        rows=rows,
        blocks=codes,
        cells=np.array([position[cell] for cell in cells], dtype=int),
        block_names=tuple(str(name) for name in names),
        cell_names=tuple(cell_label(cell) for cell in order),
    )
    return model, order


def _weights(order: list[Cell], comparisons: list[Comparison]) -> np.ndarray:
    position = {cell: i for i, cell in enumerate(order)}
    weights = np.zeros((len(order), len(comparisons)))
    for j, comparison in enumerate(comparisons):
        for cell, weight in comparison.terms.items():
            if cell not in position:
                raise AdnormError(
                    f"contrast '{comparison.name}': no patient with at least two samples has "
                    f"'{cell_label(cell)}', so there is nothing to pair"
                )
            weights[position[cell], j] = weight
    return weights


def _paired_model(
    combined: pd.DataFrame, comparisons: list[Comparison]
) -> tuple[BlockModel, list[Cell]]:
    """Patients as blocks; only the parts of the study that the comparisons touch.

    A patient with one sample says nothing about differences within patients. Parts that no
    comparison touches (healthy people seen repeatedly) would still enter the residual variance
    although theirs may differ, so they stay out.
    """
    patients = combined["patient"].astype(str)
    cells = _cells(combined)
    rows = np.flatnonzero(patients.map(patients.value_counts()).to_numpy() > 1)
    model, order = _block_model(rows, patients.to_numpy()[rows], [cells[i] for i in rows])
    asked = {cell for comparison in comparisons for cell in comparison.terms}
    labels = model.components[1]
    touched = sorted({labels[i] for i, cell in enumerate(order) if cell in asked})
    rows = rows[np.isin(labels[model.cells], touched)]
    return _block_model(rows, patients.to_numpy()[rows], [cells[i] for i in rows])


def _paired_plan(
    combined: pd.DataFrame, comparisons: list[Comparison]
) -> tuple[FitPlan | None, dict[str, str]]:
    refused: dict[str, str] = {}
    while comparisons:
        model, order = _paired_model(combined, comparisons)
        weights = _weights(order, comparisons)
        reasons = [model.obstacle(column) for column in weights.T]
        if not any(reasons):
            return FitPlan(model, tuple(comparisons), weights), refused
        refused |= {c.name: r for c, r in zip(comparisons, reasons, strict=True) if r}
        comparisons = [c for c, r in zip(comparisons, reasons, strict=True) if not r]
    return None, refused


def _two_group_plan(combined: pd.DataFrame, comparison: Comparison) -> tuple[FitPlan | None, str]:
    """Two groups of people and no blocks; arms on one side are pooled (each person counts once)."""
    sides = {cell: int(weight > 0) for cell, weight in comparison.terms.items()}
    cells = _cells(combined)
    rows = np.array([i for i, cell in enumerate(cells) if cell in sides], dtype=int)
    people = combined["patient"].astype(str).iloc[rows]
    if people.duplicated().any():
        repeated = listing(sorted(set(people[people.duplicated()])))
        return None, f"not estimable: {repeated} would count more than once"
    names = tuple(
        " + ".join(cell_label(cell) for cell in sides if sides[cell] == side) for side in (0, 1)
    )
    codes = np.array([sides[cells[i]] for i in rows], dtype=int)
    model = BlockModel(rows, np.zeros(len(rows), dtype=int), codes, ("intercept",), names)
    weights = np.array([[-1.0], [1.0]])
    reason = model.obstacle(weights[:, 0])
    return (None, reason) if reason else (FitPlan(model, (comparison,), weights), "")


def plan_fits(
    combined: pd.DataFrame, comparisons: list[Comparison]
) -> tuple[list[FitPlan], dict[str, str]]:
    """Plan one model for all paired comparisons and one for each comparison between people.

    Parameters
    ----------
    combined
        One row for each patient, state and visit (columns patient, arm, state, week).
    comparisons
        Those of the design that are supported.

    Returns
    -------
    plans : list of FitPlan
        Models with their contrasts; the paired one first.
    refused : dict
        Comparisons that cannot be estimated after all, with the reason.

    Raises
    ------
    AdnormError
        A comparison names a cell that no sample belongs to.
    """
    plans: list[FitPlan] = []
    paired, refused = _paired_plan(combined, [c for c in comparisons if c.paired])
    if paired is not None:
        plans.append(paired)
    for comparison in comparisons:
        if comparison.paired:
            continue
        plan, reason = _two_group_plan(combined, comparison)
        if plan is None:
            refused[comparison.name] = reason
        else:
            plans.append(plan)
    return plans, refused


def own_differences(
    combined: pd.DataFrame, comparison: Comparison, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray | None]:
    """Give each patient's own difference, the raw material of an effect size.

    Parameters
    ----------
    combined
        One row for each patient, state and visit.
    comparison
        What is compared.
    values
        Scores, shape (sets, rows of `combined`).

    Returns
    -------
    first, second : ndarray
        Shape (sets, patients). For a paired comparison: the differences of the patients who have
        both samples, and ``None``. For a difference of changes: the changes in the first and in
        the second arm. Between people: the values of the two groups.
    """
    cells = _cells(combined)
    patients = combined["patient"].astype(str).to_numpy()
    sides = [np.sign(comparison.terms.get(cell, 0.0)) for cell in cells]
    plus, minus = (
        {patients[i]: i for i, side in enumerate(sides) if side == wanted} for wanted in (1, -1)
    )
    if not comparison.paired:
        return values[:, sorted(plus.values())], values[:, sorted(minus.values())]
    both = sorted(set(plus) & set(minus))
    upper, lower = [plus[p] for p in both], [minus[p] for p in both]
    difference = values[:, upper] - values[:, lower]
    if comparison.kind != "change-difference":
        return difference, None
    # In the second arm the later visit has the negative weight.
    later = np.array([cells[u][2] > cells[low][2] for u, low in zip(upper, lower, strict=True)])
    return difference[:, later], -difference[:, ~later]
