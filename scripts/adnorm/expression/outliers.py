"""Samples that do not look like the others of their kind."""

from __future__ import annotations

import numpy as np
import pandas as pd

#: Makes the median absolute deviation comparable with a standard deviation.
NORMAL = 1.4826
COMPONENTS = 10
#: Groups smaller than this borrow the samples of the same state.
SMALLEST_GROUP = 3
DUPLICATE = 0.999
#: Correlations vary by rounding alone; a spread below this is none.
SMALLEST_SPREAD = 1e-3
#: Same for distances, as a share of the median distance.
SMALLEST_SHARE = 0.05
#: With fewer samples nobody can say which one is odd.
FEWEST_JUDGED = 6


def robust_deviation(values: np.ndarray, smallest_spread: float = 0.0) -> np.ndarray:
    """Express values as deviations from their median, in robust standard deviations.

    Parameters
    ----------
    values
        One value per sample; missing values stay missing.
    smallest_spread
        Lower bound of the robust standard deviation, in units of `values`.

    Returns
    -------
    ndarray
        Zero everywhere when there is no spread.

    Examples
    --------
    >>> robust_deviation(np.array([1.0, 2.0, 3.0, 4.0, 50.0])).round(1).tolist()
    [-1.3, -0.7, 0.0, 0.7, 31.7]
    """
    values = np.asarray(values, dtype=float)
    centred = values - np.nanmedian(values) if np.isfinite(values).any() else values
    spread = np.nanmedian(np.abs(centred)) * NORMAL if np.isfinite(values).any() else 0.0
    spread = max(spread, smallest_spread)
    return centred / spread if spread > 0 else np.zeros_like(values)


def principal_components(log2: pd.DataFrame, components: int = COMPONENTS) -> np.ndarray:
    """Compute principal components with scanpy, the same on every machine and thread count.

    Genes are centred, not scaled. The sign of each component is chosen so that the sample with the
    largest absolute score has a positive one.

    Parameters
    ----------
    log2
        Genes × samples.
    components
        At most this many; fewer when there are fewer samples or genes.

    Returns
    -------
    ndarray of float32, shape (samples, components)
        One column of zeros when there are fewer than three samples or two genes.
    """
    import anndata
    import scanpy as sc
    from threadpoolctl import threadpool_limits

    count = min(components, log2.shape[1] - 1, log2.shape[0] - 1)
    if count < 1 or log2.shape[1] < 3:
        return np.zeros((log2.shape[1], 1), dtype=np.float32)
    data = anndata.AnnData(np.ascontiguousarray(log2.to_numpy(dtype=float).T))
    # Linear algebra on several threads adds in another order, and the last digits differ.
    with threadpool_limits(limits=1):
        sc.pp.pca(data, n_comps=count, svd_solver="full", random_state=0, dtype="float64")
    scores = data.obsm["X_pca"]
    largest = np.abs(scores).argmax(axis=0)
    signs = np.sign(scores[largest, np.arange(count)])
    return (scores * np.where(signs == 0, 1, signs)).astype(np.float32)


def pca_deviation(scores: np.ndarray, states: pd.Series) -> np.ndarray:
    """Say how far each sample lies from the middle of its state in the principal components.

    Lesional and healthy skin lie apart by nature, so distances are measured within a state; a state
    of fewer than three samples is measured from the middle of all.

    Parameters
    ----------
    scores
        Samples × components.
    states
        State of each sample.

    Returns
    -------
    ndarray
        Distance as a deviation from the median distance, in robust standard deviations; missing
        when there are fewer than six samples.
    """
    if len(scores) < FEWEST_JUDGED:
        return np.full(len(scores), np.nan)
    distance = np.zeros(len(scores))
    labels = states.astype(str).to_numpy()
    for state in sorted(set(labels)):
        rows = labels == state
        centre = np.median(scores[rows] if rows.sum() >= SMALLEST_GROUP else scores, axis=0)
        distance[rows] = np.linalg.norm(scores[rows] - centre, axis=1)
    return robust_deviation(distance, SMALLEST_SHARE * float(np.median(distance)))


def correlations(log2: pd.DataFrame) -> np.ndarray:
    """Pearson correlation between samples; missing where a sample does not vary.

    Parameters
    ----------
    log2
        Genes × samples.

    Returns
    -------
    ndarray, shape (samples, samples)
    """
    from threadpoolctl import threadpool_limits

    matrix = log2.to_numpy(dtype=float)
    centred = matrix - matrix.mean(axis=0)
    length = np.linalg.norm(centred, axis=0)
    flat = length <= 1e-9 * max(1.0, np.abs(matrix).max())
    unit = centred / np.where(flat, 1.0, length)
    with threadpool_limits(limits=1):
        result = unit.T @ unit
    result[flat, :] = np.nan
    result[:, flat] = np.nan
    return result


def peers_of(samples: pd.DataFrame) -> list[np.ndarray]:
    """List the samples that each sample is compared with, itself among them.

    Those of the same state, arm and week; when they are fewer than three, those of the same state;
    when these are fewer than three as well, all.
    """
    state = samples["state"].astype(str)
    cell = state + "\t" + samples["arm"].astype(str) + "\t" + samples["week"].astype(str)
    everyone = np.arange(len(samples))
    found = [everyone] * len(samples)
    for labels in (state.to_numpy(), cell.to_numpy()):
        for label in sorted(set(labels)):
            members = np.flatnonzero(labels == label)
            if len(members) >= SMALLEST_GROUP:
                for position in members:
                    found[position] = members
    return found


def correlation_within_group(matrix: np.ndarray, samples: pd.DataFrame) -> np.ndarray:
    """Median correlation of each sample with the others of its group; see `peers_of`.

    Returns
    -------
    ndarray
        One value per sample; missing when there is no other sample.
    """
    result = np.full(len(samples), np.nan)
    for position, peers in enumerate(peers_of(samples)):
        values = matrix[position, peers[peers != position]]
        values = values[np.isfinite(values)]
        if values.size:
            result[position] = np.median(values)
    return result


def correlation_deviation(within: np.ndarray, samples: pd.DataFrame) -> np.ndarray:
    """Deviation of `correlation_within_group` from its group's median, in robust deviations.

    The spread is that of all samples, since a group of three has none of its own. Missing when
    there are fewer than six samples.
    """
    if len(within) < FEWEST_JUDGED:
        return np.full(len(within), np.nan)
    centred = np.array(
        [
            value - np.nanmedian(within[peers]) if np.isfinite(value) else np.nan
            for value, peers in zip(within, peers_of(samples), strict=True)
        ]
    )
    return robust_deviation(centred, SMALLEST_SPREAD)


def duplicate_groups(matrix: np.ndarray, names: list[str]) -> list[list[str]]:
    """Find groups of samples that correlate above 0.999: the same library twice.

    Returns
    -------
    list of list of str
        Each group sorted by name; groups sorted.
    """
    pairs = np.argwhere(np.triu(np.nan_to_num(matrix) > DUPLICATE, k=1))
    leader = {name: name for name in names}

    def find(name: str) -> str:
        while leader[name] != name:
            name = leader[name]
        return name

    for first, second in pairs:
        low, high = sorted((find(names[first]), find(names[second])))
        leader[high] = low
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(find(name), []).append(name)
    return sorted(sorted(group) for group in groups.values() if len(group) > 1)
