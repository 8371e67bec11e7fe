"""Blocks and cells: the one kind of linear model that all comparisons need.

Expression of a sample = its block + its cell + noise. In a paired comparison the blocks are the
patients and the cells are arm × state × week; in a comparison between patients there is one block
(the intercept) and the cells are the two groups. The rank of such a design is known without
numerics: blocks + cells − connected components of the graph that joins each block with its cells
(Searle 1987). One cell in each component is therefore aliased with the blocks and left out, and a
contrast of cells can be estimated if and only if its weights add up to 0 within every component.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from adnorm.base.errors import AdnormError, listing


@dataclass(frozen=True)
class BlockModel:
    """An additive model of blocks and cells.

    Attributes
    ----------
    rows
        Which rows of the combined sample sheet take part, shape (n,).
    blocks, cells
        Code of the block and of the cell of each of these rows, shape (n,).
    block_names, cell_names
        What the codes stand for. The first cell of a component becomes its reference.

    References
    ----------
    Searle S R (1987). Linear Models for Unbalanced Data. Wiley.
    """

    rows: np.ndarray
    blocks: np.ndarray
    cells: np.ndarray
    block_names: tuple[str, ...]
    cell_names: tuple[str, ...]

    @cached_property
    def components(self) -> tuple[np.ndarray, np.ndarray]:
        """Connected component of each block and of each cell."""
        n_blocks, n_cells = len(self.block_names), len(self.cell_names)
        size = n_blocks + n_cells
        edges = (np.ones(len(self.rows)), (self.blocks, self.cells + n_blocks))
        _, labels = connected_components(coo_matrix(edges, shape=(size, size)), directed=False)
        return labels[:n_blocks], labels[n_blocks:]

    @cached_property
    def references(self) -> np.ndarray:
        """Code of the first cell of each component: the one left out of the design."""
        return np.unique(self.components[1], return_index=True)[1]

    @cached_property
    def rank(self) -> int:
        """Rank of the design: blocks + cells − components."""
        return len(self.block_names) + len(self.cell_names) - len(self.references)

    @property
    def df_residual(self) -> int:
        """Residual degrees of freedom: samples − rank."""
        return len(self.rows) - self.rank

    @cached_property
    def kept_cells(self) -> np.ndarray:
        """Codes of the cells that have a column of their own."""
        return np.setdiff1d(np.arange(len(self.cell_names)), self.references)

    @property
    def columns(self) -> list[str]:
        """Names of the columns of the design."""
        return [*self.block_names, *(self.cell_names[c] for c in self.kept_cells)]

    @cached_property
    def design(self) -> np.ndarray:
        """The full-rank design matrix (samples × columns): blocks first, then the kept cells."""
        n = np.arange(len(self.rows))
        blocks = np.zeros((len(n), len(self.block_names)))
        blocks[n, self.blocks] = 1.0
        cells = np.zeros((len(n), len(self.cell_names)))
        cells[n, self.cells] = 1.0
        return np.hstack([blocks, cells[:, self.kept_cells]])

    def design_weights(self, cell_weights: np.ndarray) -> np.ndarray:
        """Turn contrasts of cells (cells × contrasts) into contrasts of the design's columns."""
        blocks = np.zeros((len(self.block_names), cell_weights.shape[1]))
        return np.vstack([blocks, cell_weights[self.kept_cells]])

    def obstacle(self, cell_weights: np.ndarray) -> str:
        """Say why a contrast of cells cannot be estimated.

        Parameters
        ----------
        cell_weights
            Weight of each cell, shape (cells,).

        Returns
        -------
        str
            A sentence that names the confounded columns, or an empty string if it can be.
        """
        labels = self.components[1]
        sums = np.bincount(labels, weights=cell_weights)
        lost = np.flatnonzero(np.abs(sums) > 1e-9)
        if lost.size:
            inside = np.isin(labels, lost) & (cell_weights != 0)
            names = [self.cell_names[c] for c in np.flatnonzero(inside)]
            return f"not estimable: {listing(names)} confounded with the patients who have them"
        if self.df_residual < 1:
            return (
                f"not estimable: {len(self.rows)} samples for {self.rank} columns "
                f"leave no residual degrees of freedom"
            )
        return ""


def check_rank(design: np.ndarray, columns: list[str]) -> None:
    """Stop if columns of a design depend on one another, and name them.

    Parameters
    ----------
    design
        Design matrix, shape (samples, columns).
    columns
        Their names.

    Raises
    ------
    AdnormError
        Some columns are linear combinations of others; the message lists the smallest such groups
        found by removing one column at a time.
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
