"""Batches of biopsies that were processed together, and what cannot be told from them.

Expression of a biopsy = its patient + its arm, state and visit + its batch + noise. A batch that
holds whole pairs of patients cancels in every difference within them; one that holds all biopsies
of a visit is that visit, and no statistics tells the two apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from adnorm.base.errors import listing
from adnorm.study.comparisons import (
    Comparison,
    DesignGroup,
    average_rows,
    combine_biopsies,
    number,
)
from adnorm.study.vocabulary import Arm, BatchVerdict, ComparisonKind

#: Stands for the batch of biopsies whose batch is not known, beside others whose batch is.
NOT_GIVEN = "not given"
#: A smaller share of a difference between batches than this hardly enters a comparison.
SMALL_SHARE = 0.1
#: Below this, what should be 0 is rounding.
_ROUNDING = 1e-8
#: Kind of a comparison → what cannot be told from the batch where both go together.
_COMPARED = {
    ComparisonKind.LESIONAL_NONLESIONAL: "state",
    ComparisonKind.LESIONAL_HEALTHY: "state",
    ComparisonKind.NONLESIONAL_HEALTHY: "state",
    ComparisonKind.RESIDUAL_HEALTHY: "state",
    ComparisonKind.CHANGE: "visit",
    ComparisonKind.CHANGE_DIFFERENCE: "arm",
    ComparisonKind.RESIDUAL: "visit",
}
TABLE_COLUMNS = ["batch", "state", "week", "arm", "biopsies", "patients"]
JUDGEMENT_COLUMNS = ["contrast", "batch", "batch_reason"]


def batch_names(samples: pd.DataFrame) -> pd.Series | None:
    """Batch of each biopsy as text; ``None`` unless the sheet tells at least two apart.

    Where only some biopsies have no batch, they are one of their own, `NOT_GIVEN`.
    """
    if "batch" not in samples:
        return None
    given = samples["batch"].astype(object)
    known = given.notna() & (given != "")
    if not known.any():
        return None
    names = given.where(known, NOT_GIVEN).astype(str)
    return names if names.nunique() > 1 else None


def batch_table(samples: pd.DataFrame) -> pd.DataFrame:
    """Count biopsies and patients by batch, state, week and arm: the table batches.tsv.

    Parameters
    ----------
    samples
        Canonical sample sheet.

    Returns
    -------
    DataFrame
        `TABLE_COLUMNS`, one row for each combination that exists, sorted; no rows where the sheet
        tells no batches apart.
    """
    names = batch_names(samples)
    if names is None:
        return pd.DataFrame(columns=TABLE_COLUMNS)
    keys = ["batch", "state", "week", "arm"]
    sheet = samples.assign(batch=names, state=samples["state"].astype(str))
    sheet = sheet.assign(arm=samples["arm"].astype(str), patient=samples["patient"].astype(str))
    counts = sheet.groupby(keys)["patient"].agg(biopsies="size", patients="nunique")
    return counts.reset_index()[TABLE_COLUMNS]


def batch_shares(samples: pd.DataFrame, codes: np.ndarray) -> pd.DataFrame | None:
    """Share that each batch has in each observation.

    Log2 values and scores of several biopsies of one patient, state and visit are averaged. Where
    these come from several batches, so are their batches: half of each of two.

    Parameters
    ----------
    samples
        Canonical sample sheet, one row per biopsy.
    codes
        The observation that each biopsy belongs to (`combine_biopsies`).

    Returns
    -------
    DataFrame or None
        Observations × batches, rows add up to 1; ``None`` where the sheet tells no batches apart.
    """
    names = batch_names(samples)
    if names is None:
        return None
    kinds = sorted(set(names))
    own = (names.to_numpy()[:, None] == np.array(kinds, dtype=object)).astype(float)
    return pd.DataFrame(average_rows(own, codes), columns=kinds)


# ---------------------------------------------------------------- what a design can tell apart


def without_blocks(columns: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """Take the mean of its block off every value of some columns, shape (observations, columns)."""
    return columns - average_rows(columns, blocks)[blocks]


def design_space(
    groups: np.ndarray, blocks: np.ndarray, shares: np.ndarray, count: int
) -> np.ndarray:
    """Orthonormal basis of what a model of blocks, groups and batches can estimate.

    A contrast can be estimated if and only if it lies in the row space of the design (Searle 1987).

    Parameters
    ----------
    groups, blocks
        Code of the group and of the block (the patient) of each observation.
    shares
        Of the batches, shape (observations, batches).
    count
        How many groups there are.

    Returns
    -------
    ndarray
        Shape (rank, groups + batches).
    """
    design = without_blocks(np.hstack([np.eye(count)[groups], shares]), blocks)
    _, singular, rows = np.linalg.svd(design, full_matrices=False)
    return rows[singular > _ROUNDING * max(singular.max(initial=0.0), 1.0)]


def estimable(space: np.ndarray, contrasts: np.ndarray) -> np.ndarray:
    """Tell which contrasts of groups, shape (groups, contrasts), lie in a `design_space`."""
    full = np.zeros((space.shape[1], contrasts.shape[1]))
    full[: len(contrasts)] = contrasts
    return np.abs(full - space.T @ (space @ full)).max(axis=0) < 1e-6


def own_weights(combined: pd.DataFrame, comparison: Comparison) -> np.ndarray:
    """Weight of each observation in a comparison of patients' own values.

    The mean difference of the patients who have both biopsies, the difference of two such means, or
    that of two groups of people.

    Parameters
    ----------
    combined
        One row for each patient, state and visit (`combine_biopsies`).
    comparison
        What is compared.

    Returns
    -------
    ndarray
        Shape (observations,); 0 for those that do not take part.
    """
    groups = design_groups(combined)
    signs = np.array([np.sign(comparison.terms.get(group, 0.0)) for group in groups])
    side = np.where(signs > 0, "plus", "minus")
    if comparison.paired:
        people = combined["patient"].astype(str)
        both = pd.Series(signs).abs().groupby(people.to_numpy()).sum() > 1
        signs = signs * people.map(both).to_numpy(dtype=float)
        one = comparison.kind != ComparisonKind.CHANGE_DIFFERENCE
        side = np.full(len(signs), "all") if one else combined["arm"].to_numpy(dtype=str)
    weights = np.zeros(len(signs))
    for name in set(side):
        members = (side == name) & (signs != 0)
        people_of_side = members.sum() / (2 if comparison.paired else 1)
        weights[members] = signs[members] / max(people_of_side, 1)
    return weights


def design_groups(combined: pd.DataFrame) -> list[DesignGroup]:
    """Arm, state and week of each observation."""
    weeks = combined["week"].to_numpy(dtype=float)
    return list(zip(combined["arm"].astype(str), combined["state"].astype(str), weeks, strict=True))


def judge_batches(samples: pd.DataFrame, comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """Judge for every comparison that a cohort supports whether batches can be told from it.

    The share of a difference between batches that enters a comparison of patients' own values is
    half the sum of |Σ weights of the batch|: 0 where every pair lies within one batch, or where
    batches fall alike on what is compared; 1 where one side is one batch and the other another.

    Parameters
    ----------
    samples
        Canonical sample sheet.
    comparisons
        Of the design (`derive_design`).

    Returns
    -------
    DataFrame
        `JUDGEMENT_COLUMNS`, one row for each comparison in its order. ``batch`` is a
        `BatchVerdict`: ``aliased`` when the comparison cannot be estimated once batches are in the
        model of patients, groups and batches; else ``partly confounded`` when a share above
        `SMALL_SHARE` enters it; else ``balanced``. Empty for comparisons that are not supported,
        and where the sheet tells no batches apart.
    """
    combined, codes = combine_biopsies(samples)
    shares = batch_shares(samples, codes)
    supported = [c for c in comparisons if c.supported] if shares is not None else []
    separable = {} if shares is None else _separable(combined, shares.to_numpy(), supported)
    rows = []
    for comparison in comparisons:
        verdict, reason = "", ""
        if shares is not None and comparison.supported:
            verdict, reason = _judge(combined, shares, comparison, separable[comparison.name])
        rows.append((comparison.name, verdict, reason))
    return pd.DataFrame(rows, columns=JUDGEMENT_COLUMNS)


def _judge(
    combined: pd.DataFrame, shares: pd.DataFrame, comparison: Comparison, separable: bool
) -> tuple[str, str]:
    entering = shares.to_numpy().T @ own_weights(combined, comparison)
    share = float(np.abs(entering).sum() / 2)
    # A comparison that no batch enters is estimated by its own weights, whatever the model.
    if share > _ROUNDING and not separable:
        return BatchVerdict.ALIASED.value, aliased_reason(combined, shares, comparison)
    reason = f"{share:.0%} of a difference between batches enters it"
    partly = share > SMALL_SHARE
    return (BatchVerdict.PARTLY_CONFOUNDED if partly else BatchVerdict.BALANCED).value, reason


def _separable(
    combined: pd.DataFrame, shares: np.ndarray, comparisons: Sequence[Comparison]
) -> dict[str, bool]:
    """Whether each comparison can be estimated with batches in its model."""
    groups = design_groups(combined)
    found: dict[str, bool] = {}
    # Healthy people who are seen repeatedly take no part in the model of the patients.
    rows = np.flatnonzero(combined["arm"].to_numpy(dtype=str) != Arm.HEALTHY)
    paired = [c for c in comparisons if c.paired]
    if paired:
        blocks = np.unique(combined["patient"].astype(str).to_numpy()[rows], return_inverse=True)[1]
        order = sorted({groups[i] for i in rows})
        codes = np.array([order.index(groups[i]) for i in rows])
        weights = np.array([[c.terms.get(group, 0.0) for c in paired] for group in order])
        space = design_space(codes, blocks, shares[rows], len(order))
        found |= dict(zip((c.name for c in paired), estimable(space, weights), strict=True))
    for comparison in comparisons:
        if not comparison.paired:
            signs = np.array([np.sign(comparison.terms.get(group, 0.0)) for group in groups])
            rows = np.flatnonzero(signs)
            codes = (signs[rows] > 0).astype(int)
            space = design_space(codes, np.zeros(len(rows), dtype=int), shares[rows], 2)
            found[comparison.name] = bool(estimable(space, np.array([[-1.0], [1.0]]))[0])
    return found


def aliased_reason(combined: pd.DataFrame, shares: pd.DataFrame, comparison: Comparison) -> str:
    """Say with what the batches go together, and which biopsies are in which."""
    groups, weights = design_groups(combined), own_weights(combined, comparison)
    arms = {arm for arm, _, _ in comparison.terms}
    sides = []
    for group in sorted(comparison.terms, key=lambda g: (g[0], -g[2], g[1])):
        arm, state, week = group
        rows = [i for i, own in enumerate(groups) if own == group and weights[i]]
        held = shares.iloc[rows].sum()
        held = held[held > 0].sort_values(ascending=False, kind="stable")
        named = f"{arm} {state}" if len(arms) > 1 else state
        kinds = listing([f"{name} ({number(round(n, 1))})" for name, n in held.items()], 4)
        sides.append(f"{named} at week {number(week)} in {kinds}")
    shown = sides[:4] + ([f"{len(sides) - 4} more groups"] if len(sides) > 4 else [])
    fine = ""
    if len(shares.columns) > len(shares) / 2:
        fine = (
            f"; there are {len(shares.columns)} batches for {len(shares)} observations: a batch "
            "holds many biopsies, so shorten what the file maps (`pattern:`, `values:`)"
        )
    return (
        f"batch and {confused_with(comparison.kind)} cannot be told apart: batches (biopsies) are "
        f"{'; '.join(shown)}{fine}"
    )


def confused_with(kind: str) -> str:
    """Name what a kind of comparison compares, which the batch may be.

    Examples
    --------
    >>> confused_with("change")
    'visit'
    """
    return _COMPARED[ComparisonKind(kind)]


# ---------------------------------------------------------------- effects of batches


@dataclass(frozen=True)
class BatchEffects:
    """Effects of batches, estimated beside patients and groups.

    Attributes
    ----------
    effects
        Shape (batches, names). Only their differences mean anything, and of those only what the
        model can tell; the rest is 0.
    covariance
        Of the effects in units of the residual variance, shape (batches, batches).
    variance
        Residual variance of each name, shape (names,).
    freedom
        Its degrees of freedom.
    identified
        How many differences between batches the model can tell (batches − 1: all of them).
    weights
        Of the observations in each effect, shape (batches, observations).
    """

    effects: np.ndarray
    covariance: np.ndarray
    variance: np.ndarray
    freedom: int
    identified: int
    weights: np.ndarray

    def removed(self, values: np.ndarray, shares: np.ndarray) -> np.ndarray:
        """Take the effects off values (observations × names); the mean over all stays."""
        return values - (shares - shares.mean(axis=0)) @ self.effects


def estimate_batches(
    values: np.ndarray,
    groups: np.ndarray,
    blocks: np.ndarray,
    shares: np.ndarray,
    penalty: float = 0.0,
) -> BatchEffects:
    """Estimate the effects of batches beside blocks and groups by least squares.

    Parameters
    ----------
    values
        Shape (observations, names); finite.
    groups, blocks
        Code of the group and of the block of each observation.
    shares
        Of the batches (`batch_shares`), shape (observations, batches).
    penalty
        0 for fixed effects; the ratio of the residual variance to that of the batches for random
        ones, which are shrunken.

    References
    ----------
    Frisch R, Waugh F V (1933). Econometrica 1:387–401. Henderson C R (1975). Biometrics 31:423–447.
    """
    columns = without_blocks(np.eye(groups.max() + 1)[groups], blocks)
    inner, singular, _ = np.linalg.svd(columns, full_matrices=False)
    basis = inner[:, singular > _ROUNDING * max(singular.max(initial=0.0), 1.0)]

    def residual(table: np.ndarray) -> np.ndarray:
        within = without_blocks(table, blocks)
        return within - basis @ (basis.T @ within)

    own, left = residual(shares), residual(values)
    squares = own.T @ own
    values_of, vectors = np.linalg.eigh(squares)
    known = values_of > _ROUNDING * len(groups)
    # Directions that the model cannot tell stay 0, also where a penalty would allow any.
    inverse = vectors[:, known] / (values_of[known] + penalty) @ vectors[:, known].T
    weights = inverse @ own.T
    effects = weights @ left
    rest = left - own @ effects
    identified = int(known.sum())
    freedom = len(groups) - (int(blocks.max()) + 1) - basis.shape[1]
    freedom -= 0 if penalty else identified
    squared = (rest**2).sum(axis=0) + penalty * (effects**2).sum(axis=0)
    variance = squared / max(freedom, 1)
    return BatchEffects(effects, inverse, variance, freedom, identified, weights)
