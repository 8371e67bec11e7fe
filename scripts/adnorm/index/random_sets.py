"""Is a set special? Its change beside that of random sets of like genes.

An index says how far a set is back, and not whether any other genes would be back as far. Where the
quality of a sample or the library size moves everything, random sets move, too.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from adnorm.effects.observations import Observations
from adnorm.index.axis import DiseaseAxis
from adnorm.index.means import FEWEST_PATIENTS, PatientTable
from adnorm.scores.zscore import FEWEST_REFERENCES, Reference
from adnorm.study.comparisons import BASELINE, average_rows
from adnorm.study.vocabulary import State

DRAWS = 1000
#: Genes from which each gene of a random set is drawn: those nearest to it in mean and deviation.
LIKE = 100
COLUMNS = ["arm", "week", "name", "null_percentile"]


@dataclass(frozen=True)
class Score:
    """A score that is linear in log2 expression.

    `weights` has the shape (genes,), or (genes, folds) for patients of the folds that `fold` gives;
    0 for genes that do not count. They are of genes in log2 steps, or, where `scaled`, in standard
    deviations of the reference.
    """

    weights: np.ndarray
    scaled: bool = False
    fold: pd.Series | None = None


def linear_scores(
    genes: np.ndarray, signs: Mapping[str, Mapping[str, int]], axes: Sequence[DiseaseAxis]
) -> dict[str, Score]:
    """Write axes and signed z scores as scores that are linear in expression, by name.

    `signs` are those of the genes of each set, and `genes` those of the cohort. Axes that could not
    be trained are left out.
    """
    found = {
        axis.name: Score(axis.weights, fold=axis.fold) for axis in axes if axis.weights is not None
    }
    for name, of_gene in signs.items():
        weights = pd.Series(of_gene, dtype=float).reindex(genes, fill_value=0.0).to_numpy()
        found[name] = Score(weights, scaled=True)
    return found


def null_percentiles(
    data: Observations, reference: Reference, scores: Mapping[str, Score], seed: int
) -> pd.DataFrame:
    """Place the change of each score among those of 1,000 random sets, for each arm and visit.

    A random set has as many genes with the same weights and signs; each of them is drawn from the
    100 genes that are nearest to the one in its place in mean and standard deviation of normal skin
    (ranks of both), outside the set. A random set has no disease effect to divide by, so there is
    no index of it. What is placed is the mean decrease since baseline in standard deviations of the
    score between normal skins: genes of a real set go together, their mean varies more than that of
    random genes, and its decrease would look special by chance alone. Standard errors of the
    decrease would hide what is special: all that follows the disease falls as surely as patients
    respond alike.

    Parameters
    ----------
    data
        Expression of a cohort.
    reference
        Zero and unit of each gene, in the order of `data.genes`.
    scores
        By name (`linear_scores`).
    seed
        Of the draws.

    Returns
    -------
    DataFrame
        arm, week, name, null_percentile: share of the random sets, from 0 to 100, that fall less
        than this one; 50 is what a set that is not special has on average. It is the same for every
        reference of the index. No row with fewer than three patients; NaN where fewer than 100
        genes lie outside the set.
    """
    lesional = (data.combined["state"] == State.LESIONAL).to_numpy()
    table = PatientTable.of(data.log2[:, lesional].T, data.combined[lesional])
    visits = [(arm, week, table.decrease(arm, week)) for arm, week in table.visits]
    visits = [visit for visit in visits if len(visit[2].rows) >= FEWEST_PATIENTS]
    if not visits or not scores:
        return pd.DataFrame(columns=COLUMNS)
    normal, groups = _normal_skin(data.combined)
    values = [group.values.T for _, _, group in visits]
    ends = np.cumsum([part.shape[1] for part in values])
    values.append(data.log2[:, normal] - reference.centre[:, None])
    people = [table.patients[group.rows] for _, _, group in visits]
    people.append(data.combined["patient"].astype(str).to_numpy()[normal])
    in_steps, owner = np.concatenate(values, axis=1), np.concatenate(people)
    usable = np.isfinite(reference.deviation)
    in_units = in_steps / reference.deviation[:, None]
    like = np.column_stack([reference.centre, reference.deviation])
    rows = []
    for name, score in scores.items():
        weights = score.weights.reshape(len(data.genes), -1) * usable[:, None]
        members = np.flatnonzero(weights.any(axis=1))
        # By its name, so that no other score has a say in the draws.
        rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
        drawn = _draw(members, like, usable, rng)
        places = np.full(len(visits), np.nan)
        if drawn is not None:
            codes = np.zeros(len(owner), dtype=int)
            if score.fold is not None:
                # Healthy people are in no fold, and any will do for the spread between them.
                codes = score.fold.reindex(owner).fillna(0).to_numpy(dtype=int)
            matrix = in_units if score.scaled else in_steps
            found = _project(np.vstack([members, drawn]), weights[members], matrix, codes)
            *decreases, skin = np.split(found, ends, axis=1)
            spread = _spread(skin, groups)
            places = np.array([_place(part.mean(axis=1), spread) for part in decreases])
        rows += [(arm, week, name, p) for (arm, week, _), p in zip(visits, places, strict=True)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _normal_skin(observations: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Find the skins between which a score varies by nature, and the groups that they form.

    Nonlesional skin at baseline, else healthy skin; all skin at baseline, within its states, where
    there are fewer than six of either.
    """
    states = observations["state"].astype(str).to_numpy()
    start = observations["week"].to_numpy(dtype=float) == BASELINE
    for state in (State.NONLESIONAL, State.HEALTHY):
        chosen = start & (states == state)
        if chosen.sum() >= FEWEST_REFERENCES:
            return np.flatnonzero(chosen), np.zeros(chosen.sum(), dtype=int)
    return np.flatnonzero(start), np.unique(states[start], return_inverse=True)[1]


def _spread(scores: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """How far columns are from the mean of their group, shape (sets,): root of their squares."""
    means = average_rows(scores.T, groups)[groups].T
    return np.sqrt(((scores - means) ** 2).sum(axis=1))


def _draw(
    members: np.ndarray, like: np.ndarray, usable: np.ndarray, rng: np.random.Generator
) -> np.ndarray | None:
    """Draw genes in the place of the members, shape (draws, members)."""
    from scipy.spatial import cKDTree
    from scipy.stats import rankdata

    # A gene that is constant has no deviation.
    ranks = rankdata(like, axis=0, nan_policy="omit")
    pool = np.flatnonzero(usable & ~np.isin(np.arange(len(like)), members))
    if len(pool) < LIKE or not len(members):
        return None
    near = cKDTree(ranks[pool]).query(ranks[members], LIKE)[1]
    chosen = rng.integers(0, LIKE, size=(DRAWS, len(members)))
    return pool[near[np.arange(len(members)), chosen]]


def _project(
    sets: np.ndarray, weights: np.ndarray, values: np.ndarray, codes: np.ndarray
) -> np.ndarray:
    """Score columns of `values` (genes × columns) by sets (rows of genes) with equal weights."""
    from scipy.sparse import csr_array

    scores = np.empty((len(sets), values.shape[1]))
    starts = np.arange(len(sets) + 1) * sets.shape[1]
    for code in np.unique(codes):
        own = codes == code
        entries = np.tile(weights[:, code], len(sets))
        shape = (len(sets), len(values))
        scores[:, own] = csr_array((entries, sets.ravel(), starts), shape=shape) @ values[:, own]
    return scores


def _place(decrease: np.ndarray, spread: np.ndarray) -> float:
    """Place the first decrease among the others, all in units of their spread."""
    size = np.divide(decrease, spread, out=np.zeros_like(decrease), where=spread > 0)
    return float(100 * ((size[1:] < size[0]).mean() + 0.5 * (size[1:] == size[0]).mean()))
