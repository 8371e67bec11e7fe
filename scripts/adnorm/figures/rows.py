"""Order of rows, and the blocks in which they stand; the only arithmetic that figures do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd


def scale_rows(values: pd.DataFrame) -> pd.DataFrame:
    """Give every row mean 0 and standard deviation 1; rows that do not vary become missing.

    Parameters
    ----------
    values
        Rows × samples; missing values stay missing.
    """
    raw = values.to_numpy(dtype=float)
    known = np.isfinite(raw)
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)
    mean = np.where(known, raw, 0.0).sum(axis=1, keepdims=True) / count
    centred = np.where(known, raw - mean, 0.0)
    spread = np.sqrt((centred**2).sum(axis=1, keepdims=True) / np.maximum(count - 1, 1))
    # Rounding leaves a tiny spread in a constant row.
    varies = spread > 1e-9 * np.maximum(np.abs(mean), 1.0)
    scaled = np.full(raw.shape, np.nan)
    np.divide(centred, spread, out=scaled, where=known & varies)
    return pd.DataFrame(scaled, index=values.index, columns=values.columns)


def similar_order(values: pd.DataFrame) -> list[str]:
    """Order rows so that similar ones are neighbours; rows with missing values come last.

    Parameters
    ----------
    values
        Rows × samples, scaled.

    Returns
    -------
    list of str
        Leaves of average linkage on complete rows, then the others by name.
    """
    from scipy.cluster.hierarchy import leaves_list, linkage

    complete = values.index[np.isfinite(values.to_numpy()).all(axis=1)]
    rest = sorted(set(values.index) - set(complete))
    if len(complete) < 3 or values.shape[1] < 2:
        return [*complete, *rest]
    tree = linkage(values.loc[complete].to_numpy(), "average", optimal_ordering=True)
    return [*complete[leaves_list(tree)], *rest]


def effect_order(
    genes: Iterable[str], effects: pd.Series, directions: Mapping[str, str]
) -> list[str]:
    """Order genes: those that should go up, those that should go down, strongest first.

    Parameters
    ----------
    genes
        Symbols.
    effects
        Lesional log2 fold change by gene; genes without one come last.
    directions
        up, down or empty by gene.

    Examples
    --------
    >>> effects = pd.Series({"A": -1.0, "B": -2.0, "C": 2.0})
    >>> effect_order(["A", "B", "C", "D"], effects, {"A": "down", "B": "down", "C": "up"})
    ['C', 'B', 'A', 'D']
    """

    def key(gene: str) -> tuple:
        down = directions.get(gene) == "down"
        effect = float(effects.get(gene, 0.0))
        return (gene not in effects.index, down, effect if down else -effect, gene)

    return sorted(genes, key=key)


def expand(values: pd.DataFrame, blocks: list[tuple[str, list[str]]]) -> tuple[np.ndarray, list]:
    """Lay rows out in blocks with one empty row above each for its heading.

    Parameters
    ----------
    values
        Rows × columns.
    blocks
        Heading and row names, in order; blocks without rows are left out.

    Returns
    -------
    matrix : ndarray
        Rows with the empty ones (missing) between them.
    lines : list of (str, str)
        For each row of the matrix, ("heading", text) or ("row", name).
    """
    parts, lines = [], []
    for heading, names in blocks:
        if not names:
            continue
        parts += [np.full((1, values.shape[1]), np.nan), values.loc[names].to_numpy(dtype=float)]
        lines += [("heading", heading), *(("row", name) for name in names)]
    matrix = np.vstack(parts) if parts else np.empty((0, values.shape[1]))
    return matrix, lines
