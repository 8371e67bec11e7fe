"""From the comparisons of a study to models of blocks and design groups, and their contrasts.

Expression of a sample = its block + its group + noise. In a paired comparison the blocks are the
patients and the groups are arm × state × week; in a comparison between patients there is one block
(the intercept) and two groups. The rank of such a design is known without numerics: blocks + groups
− connected components of the graph that joins each block with its groups (Searle 1987). One group
in each component is therefore aliased with the blocks and left out, and a contrast of groups can be
estimated if and only if its weights add up to 0 within every component.

Where the sheet tells batches, they are further columns: fixed effects, or random ones. A comparison
that cannot be told from them is refused, for no estimate of it means anything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.linalg import qr
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from adnorm.base.errors import AdnormError, listing
from adnorm.study.batches import (
    aliased_reason,
    design_groups,
    design_space,
    estimable,
    without_blocks,
)
from adnorm.study.comparisons import BASELINE, LESIONAL, Comparison, DesignGroup, number
from adnorm.study.vocabulary import Arm, BatchRule, ComparisonKind

#: Start of the reason why a comparison is refused for its batches.
ALIASED = "not estimable with batches in the model"
#: A comparison of lesions of one patient that nobody has.
_NO_PATIENT = "not estimable: no patient has lesions in both arms at both visits"
#: What to do about it.
_SHOWN_BY = (
    "no estimate can separate them. `effects: batch: ignore` shows the mixture of both; what is "
    "compared within a batch is not affected"
)


@dataclass(frozen=True)
class BlockModel:
    """An additive model of blocks and design groups.

    Attributes
    ----------
    rows
        Which rows of the combined sample sheet take part, shape (n,).
    blocks, groups
        Code of the block and of the group of each of these rows, shape (n,).
    block_names, group_names
        What the codes stand for. The first group of a component becomes its reference.
    batches
        Share of each batch in these rows, shape (n, batches); ``None`` without batches.
    random
        Whether the batches are random effects.
    visits
        Code of the patient and visit of each of these rows, shape (n,), where the blocks are
        lesions: what the lesions of a patient share at a visit. ``None``: no part of the model.

    References
    ----------
    Searle S R (1987). Linear Models for Unbalanced Data. Wiley.
    """

    rows: np.ndarray
    blocks: np.ndarray
    groups: np.ndarray
    block_names: tuple[str, ...]
    group_names: tuple[str, ...]
    batches: pd.DataFrame | None = None
    random: bool = False
    visits: np.ndarray | None = None

    @cached_property
    def components(self) -> tuple[np.ndarray, np.ndarray]:
        """Connected component of each block and of each group."""
        n_blocks, n_groups = len(self.block_names), len(self.group_names)
        size = n_blocks + n_groups
        edges = (np.ones(len(self.rows)), (self.blocks, self.groups + n_blocks))
        _, labels = connected_components(coo_matrix(edges, shape=(size, size)), directed=False)
        return labels[:n_blocks], labels[n_blocks:]

    @cached_property
    def references(self) -> np.ndarray:
        """Code of the first group of each component: the one left out of the design."""
        return np.unique(self.components[1], return_index=True)[1]

    @cached_property
    def rank(self) -> int:
        """Rank of the fixed effects: blocks + groups − components, and batches unless random."""
        rank = len(self.block_names) + len(self.group_names) - len(self.references)
        return rank + (0 if self.random else self.batch_columns.shape[1])

    @cached_property
    def _beside(self) -> pd.DataFrame | None:
        """Columns beside blocks and groups: visits of patients, and batches."""
        found = [] if self.batches is None else [self.batches.add_prefix("batch ")]
        if self.visits is not None:
            dummies = np.equal.outer(self.visits, np.unique(self.visits)).astype(float)
            names = [f"visit {code}" for code in range(dummies.shape[1])]
            found.insert(0, pd.DataFrame(dummies, columns=names).set_axis(self._index, axis=0))
        return pd.concat(found, axis=1) if found else None

    @property
    def _index(self) -> pd.Index:
        return pd.RangeIndex(len(self.rows)) if self.batches is None else self.batches.index

    @cached_property
    def _space(self) -> np.ndarray:
        assert self._beside is not None, "there are columns beside blocks and groups"
        shares = self._beside.to_numpy()
        return design_space(self.groups, self.blocks, shares, len(self.group_names))

    @property
    def df_residual(self) -> int:
        """Residual degrees of freedom: samples − rank."""
        return len(self.rows) - self.rank

    @cached_property
    def kept_groups(self) -> np.ndarray:
        """Codes of the groups that have a column of their own."""
        return np.setdiff1d(np.arange(len(self.group_names)), self.references)

    @cached_property
    def group_columns(self) -> np.ndarray:
        """The columns of the kept groups, shape (n, kept groups)."""
        return np.eye(len(self.group_names))[self.groups][:, self.kept_groups]

    @cached_property
    def kept_batches(self) -> np.ndarray:
        """Codes of the columns beside blocks and groups that are no combination of the others."""
        if self._beside is None:
            return np.zeros(0, dtype=int)
        within = without_blocks(np.hstack([self.group_columns, self._beside]), self.blocks)
        groups, batches = np.split(within, [self.group_columns.shape[1]], axis=1)
        basis = np.linalg.qr(groups)[0]
        left = batches - basis @ (basis.T @ batches)
        _, triangle, order = qr(left, mode="economic", pivoting=True)
        told = np.abs(np.diag(triangle)) > 1e-8
        return np.sort(order[: len(told)][told])

    @cached_property
    def batch_columns(self) -> np.ndarray:
        """The columns of the kept visits and batches, shape (n, kept)."""
        if self._beside is None:
            return np.zeros((len(self.rows), 0))
        return self._beside.to_numpy()[:, self.kept_batches]

    @property
    def columns(self) -> list[str]:
        """Names of the columns of the design."""
        known = [] if self._beside is None else list(self._beside.columns)
        beside = [known[c] for c in self.kept_batches]
        return [*self.block_names, *(self.group_names[c] for c in self.kept_groups), *beside]

    @cached_property
    def design(self) -> np.ndarray:
        """The full-rank design matrix (samples × columns): blocks, kept groups, kept batches."""
        blocks = np.eye(len(self.block_names))[self.blocks]
        return np.hstack([blocks, self.group_columns, self.batch_columns])

    def design_weights(self, group_weights: np.ndarray) -> np.ndarray:
        """Turn contrasts of groups (groups × contrasts) into contrasts of the design's columns."""
        contrasts = group_weights.shape[1]
        blocks = np.zeros((len(self.block_names), contrasts))
        batches = np.zeros((len(self.kept_batches), contrasts))
        return np.vstack([blocks, group_weights[self.kept_groups], batches])

    def obstacle(self, group_weights: np.ndarray) -> str:
        """Explain why a contrast (weight of each group) cannot be estimated; empty when it can."""
        labels = self.components[1]
        sums = np.bincount(labels, weights=group_weights)
        unbalanced = np.flatnonzero(np.abs(sums) > 1e-9)
        if unbalanced.size:
            inside = np.isin(labels, unbalanced) & (group_weights != 0)
            names = [self.group_names[c] for c in np.flatnonzero(inside)]
            return f"not estimable: {listing(names)} confounded with the patients who have them"
        if self._beside is not None and not estimable(self._space, group_weights[:, None])[0]:
            return ALIASED if self.batches is not None else _NO_PATIENT
        if self.df_residual < 1:
            return (
                f"not estimable: {len(self.rows)} samples for {self.rank} columns "
                f"leave no residual degrees of freedom"
            )
        return ""


def check_rank(design: np.ndarray, columns: list[str]) -> None:
    """Stop if columns of a design (samples × columns) depend on one another, and name them.

    Raises
    ------
    AdnormError
        Some columns are linear combinations of others; the message lists those whose removal alone
        leaves the rank as it is.
    """
    rank = np.linalg.matrix_rank(design)
    if rank == len(columns):
        return
    confounded = [
        name
        for j, name in enumerate(columns)
        if np.linalg.matrix_rank(np.delete(design, j, axis=1)) == rank
    ]
    raise AdnormError(
        f"the design has {len(columns)} columns but rank {rank}: {listing(confounded)} are "
        f"confounded with one another, so their effects cannot be told apart; leave out or merge "
        f"arms, visits or patients so that each is seen apart from the others"
    )


def check_model(model: BlockModel) -> None:
    """Stop if columns of the design of a model depend on one another, and name them.

    The blocks are independent of one another, so that only what is left of the other columns within
    them is looked at: the design itself, with a column for every patient, is made for the message.
    """
    beside = np.hstack([model.group_columns, model.batch_columns])
    if np.linalg.matrix_rank(without_blocks(beside, model.blocks)) < beside.shape[1]:
        check_rank(model.design, model.columns)


@dataclass(frozen=True)
class FitPlan:
    """One model and the comparisons that it answers.

    Attributes
    ----------
    model
        Blocks and groups.
    comparisons
        What is asked of it.
    group_weights
        Contrast of each comparison, shape (groups, comparisons).
    """

    model: BlockModel
    comparisons: tuple[Comparison, ...]
    group_weights: np.ndarray

    @property
    def design_weights(self) -> np.ndarray:
        """The contrasts in terms of the columns of the design, shape (columns, comparisons)."""
        return self.model.design_weights(self.group_weights)


def _group_label(group: DesignGroup) -> str:
    arm, state, week = group
    return f"{arm} {state} @{number(week)}"


def _block_model(
    rows: np.ndarray, blocks: np.ndarray, groups: list[DesignGroup]
) -> tuple[BlockModel, list[DesignGroup]]:
    # Baseline comes first within an arm, so it is the reference.
    order = sorted(set(groups), key=lambda group: (group[0], group[2], group[1]))
    position = {group: i for i, group in enumerate(order)}
    names, codes = np.unique(blocks, return_inverse=True)
    model = BlockModel(
        rows=rows,
        blocks=codes,
        groups=np.array([position[group] for group in groups], dtype=int),
        block_names=tuple(str(name) for name in names),
        group_names=tuple(_group_label(group) for group in order),
    )
    return model, order


def _weights(order: list[DesignGroup], comparisons: list[Comparison]) -> np.ndarray:
    position = {group: i for i, group in enumerate(order)}
    weights = np.zeros((len(order), len(comparisons)))
    for j, comparison in enumerate(comparisons):
        for group, weight in comparison.terms.items():
            if group not in position:
                raise AdnormError(
                    f"contrast '{comparison.name}': no patient with at least two samples has "
                    f"'{_group_label(group)}', so there is nothing to pair"
                )
            weights[position[group], j] = weight
    return weights


def _paired_model(
    combined: pd.DataFrame, comparisons: list[Comparison], lesions: bool
) -> tuple[BlockModel, list[DesignGroup]]:
    """Patients, or their lesions, as blocks; only the parts that the comparisons touch.

    A block with one sample says nothing about differences within blocks. Parts that no
    comparison touches (healthy people seen repeatedly) would still enter the residual variance
    although theirs may differ, so they stay out.
    """
    patients = combined["patient"].astype(str)
    if lesions:
        patients = combined["lesion"].where(combined["lesion"] != "", patients)
    groups = design_groups(combined)
    rows = np.flatnonzero(patients.map(patients.value_counts()).to_numpy() > 1)
    model, order = _block_model(rows, patients.to_numpy()[rows], [groups[i] for i in rows])
    compared = {group for comparison in comparisons for group in comparison.terms}
    labels = model.components[1]
    touched = sorted({labels[i] for i, group in enumerate(order) if group in compared})
    rows = rows[np.isin(labels[model.groups], touched)]
    return _block_model(rows, patients.to_numpy()[rows], [groups[i] for i in rows])


@dataclass(frozen=True)
class _Batches:
    """Batches of all observations, and what the model makes of them."""

    shares: pd.DataFrame | None
    random: bool

    def beside(self, model: BlockModel) -> BlockModel:
        """Add the batches of its rows to a model."""
        if self.shares is None:
            return model
        return replace(model, batches=self.shares.iloc[model.rows], random=self.random)

    def in_words(self, reason: str, combined: pd.DataFrame, comparison: Comparison) -> str:
        """Say which batches stand in the way of a comparison, and what to do."""
        if self.shares is None or reason != ALIASED:
            return reason
        return f"{reason}: {aliased_reason(combined, self.shares, comparison)}; {_SHOWN_BY}"


def _paired_plan(
    combined: pd.DataFrame,
    comparisons: list[Comparison],
    batches: _Batches,
    lesions: bool = False,
    same_visit: bool = False,
) -> tuple[FitPlan | None, dict[str, str]]:
    """Plan one model of blocks; what cannot be estimated is left out with its reason.

    `lesions` makes lesions the blocks, and `same_visit` adds what the lesions of a patient share at
    a visit.
    """
    refused: dict[str, str] = {}
    while comparisons:
        model, order = _paired_model(combined, comparisons, lesions)
        model = batches.beside(model)
        if same_visit:
            visits = combined.iloc[model.rows].groupby(["patient", "week"], sort=True).ngroup()
            model = replace(model, visits=visits.to_numpy(), random=False)
        weights = _weights(order, comparisons)
        reasons = [
            batches.in_words(model.obstacle(column), combined, comparison)
            for column, comparison in zip(weights.T, comparisons, strict=True)
        ]
        if not any(reasons):
            return FitPlan(model, tuple(comparisons), weights), refused
        refused |= {c.name: r for c, r in zip(comparisons, reasons, strict=True) if r}
        comparisons = [c for c, r in zip(comparisons, reasons, strict=True) if not r]
    return None, refused


def _paired_plans(
    combined: pd.DataFrame, comparisons: list[Comparison], batches: _Batches
) -> tuple[list[FitPlan], dict[str, str]]:
    """Plan all paired comparisons: one model, or three where lesions are in arms of their own.

    The change of a lesion is judged by the noise within lesions, and the difference between two
    lesions of a patient by that of such differences: a patient who responds does so in both.
    """
    changes = [c for c in comparisons if c.kind == ComparisonKind.CHANGE]
    differences = [c for c in comparisons if c.kind == ComparisonKind.CHANGE_DIFFERENCE]
    # A lesion that is sampled once, before both treatments, belongs to the patient.
    shared = (Arm.ALL.value, LESIONAL, BASELINE)
    own = "lesion" in combined and not any(shared in c.terms for c in comparisons)
    kinds: list[tuple[list[Comparison], dict[str, bool]]] = [(comparisons, {})]
    if own:
        others = [c for c in comparisons if c not in (*changes, *differences)]
        both = {"lesions": True, "same_visit": True}
        kinds = [(others, {}), (changes, {"lesions": True}), (differences, both)]
    plans: list[FitPlan] = []
    refused: dict[str, str] = {}
    for asked, blocks in kinds:
        plan, unable = _paired_plan(combined, asked, batches, **blocks)
        plans += [plan] if plan else []
        refused |= unable
    return plans, refused


def _two_group_plan(
    combined: pd.DataFrame, comparison: Comparison, batches: _Batches
) -> tuple[FitPlan | None, str]:
    """Two groups of people and no blocks; arms on one side are pooled (each person counts once)."""
    sides = {group: int(weight > 0) for group, weight in comparison.terms.items()}
    groups = design_groups(combined)
    rows = np.array([i for i, group in enumerate(groups) if group in sides], dtype=int)
    people = combined["patient"].astype(str).iloc[rows]
    if people.duplicated().any():
        repeated = listing(sorted(set(people[people.duplicated()])))
        return None, f"not estimable: {repeated} would count more than once"
    names = tuple(
        " + ".join(_group_label(group) for group in sides if sides[group] == side)
        for side in (0, 1)
    )
    codes = np.array([sides[groups[i]] for i in rows], dtype=int)
    model = BlockModel(rows, np.zeros(len(rows), dtype=int), codes, ("intercept",), names)
    model = batches.beside(model)
    weights = np.array([[-1.0], [1.0]])
    reason = batches.in_words(model.obstacle(weights[:, 0]), combined, comparison)
    return (None, reason) if reason else (FitPlan(model, (comparison,), weights), "")


def plan_fits(
    combined: pd.DataFrame,
    comparisons: list[Comparison],
    shares: pd.DataFrame | None = None,
    rule: str = BatchRule.IGNORE,
) -> tuple[list[FitPlan], dict[str, str]]:
    """Plan one model for all paired comparisons and one for each comparison between people.

    Where lesions of one patient are in several arms, paired comparisons have three models: blocks
    of patients, of lesions, and of lesions with what they share at a visit.

    Parameters
    ----------
    combined
        One row for each patient, state and visit (columns patient, arm, state, week).
    comparisons
        Those of the design that are supported.
    shares
        Of the batches in each row (`adnorm.study.batches.batch_shares`), if there are any.
    rule
        A `BatchRule`: batches play no part, are fixed effects, or random ones.

    Returns
    -------
    plans : list of FitPlan
        Models with their contrasts; the paired ones first.
    refused : dict
        Comparisons that cannot be estimated after all, with the reason.

    Raises
    ------
    AdnormError
        A comparison names a design group that no sample belongs to.
    """
    batches = _Batches(None if rule == BatchRule.IGNORE else shares, rule == BatchRule.BLOCK)
    plans, refused = _paired_plans(combined, [c for c in comparisons if c.paired], batches)
    for comparison in comparisons:
        if comparison.paired:
            continue
        plan, reason = _two_group_plan(combined, comparison, batches)
        if plan is None:
            refused[comparison.name] = reason
        else:
            plans.append(plan)
    return plans, refused


def patient_differences(
    combined: pd.DataFrame, comparison: Comparison, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray | None]:
    """Give each patient's own difference, what an effect size is made of.

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
        both samples, and ``None``; so also for the difference of changes of two lesions of a
        patient. For a difference of changes of patients: the changes in the first and in the second
        arm. Between people: the values of the two groups.
    """
    groups = design_groups(combined)
    patients = combined["patient"].astype(str).to_numpy()
    if comparison.paired and "lesion" in combined:
        return _within_patients(groups, patients, comparison, values), None
    signs = [np.sign(comparison.terms.get(group, 0.0)) for group in groups]
    plus, minus = (
        {patients[i]: i for i, sign in enumerate(signs) if sign == side} for side in (1, -1)
    )
    if not comparison.paired:
        return values[:, sorted(plus.values())], values[:, sorted(minus.values())]
    both = sorted(set(plus) & set(minus))
    upper, lower = [plus[p] for p in both], [minus[p] for p in both]
    difference = values[:, upper] - values[:, lower]
    if comparison.kind != ComparisonKind.CHANGE_DIFFERENCE:
        return difference, None
    # In the second arm the later visit has the negative weight.
    later = np.array([groups[u][2] > groups[low][2] for u, low in zip(upper, lower, strict=True)])
    return difference[:, later], -difference[:, ~later]


def _within_patients(
    groups: list[DesignGroup], patients: np.ndarray, comparison: Comparison, values: np.ndarray
) -> np.ndarray:
    """Differences of the patients who have all that is compared; (sets, patients).

    Lesions of a patient on one side of a comparison are averaged, but the difference of two changes
    has all four of its samples.
    """
    change = comparison.kind == ComparisonKind.CHANGE_DIFFERENCE
    found = []
    for patient in sorted(set(patients)):
        rows = [i for i in np.flatnonzero(patients == patient) if groups[i] in comparison.terms]
        weights = np.array([comparison.terms[groups[i]] for i in rows])
        plus, minus = weights > 0, weights < 0
        if not (plus.any() and minus.any()) or (change and len(rows) < len(comparison.terms)):
            continue
        if not change:
            weights = plus / plus.sum() - minus / minus.sum()
        found.append(values[:, rows] @ weights)
    return np.array(found).reshape(-1, len(values)).T
