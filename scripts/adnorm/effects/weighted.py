"""Weighted least squares of a block model for all genes at once.

Every gene has weights of its own (voom), hence a design of its own. The block effects are absorbed
exactly (Frisch and Waugh 1933, Lovell 1963): what is left for a gene is a system as small as the
number of groups of one component,

    A = diag(Σ_b V_b) − Σ_b V_b V_bᵀ / s_b,

with V_b the weights of block b by group and s_b their sum, solved for thousands of genes at once.
The variance of a contrast c is exactly cᵀ A⁻¹ c; limma's ``contrasts.fit`` takes the correlation of
the coefficients from the unweighted design instead, which is only approximate under weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from adnorm.effects.design import BlockModel

#: A fit as limma has it: coefficients, stdev_unscaled, sigma, df_residual, Amean, …
Fit: TypeAlias = dict[str, np.ndarray]

#: Floating-point numbers that one working array may hold (16 MB); about eight live at a time.
WORKING_SET = 2_000_000


@dataclass(frozen=True)
class _Part:
    """One connected component, with everything that does not depend on the gene."""

    samples: np.ndarray
    blocks: np.ndarray
    groups: np.ndarray
    shape: tuple[int, int]
    order: np.ndarray
    starts: np.ndarray
    slots: np.ndarray
    block_order: np.ndarray
    block_starts: np.ndarray
    contrasts: np.ndarray

    def by_slot(self, values: np.ndarray) -> np.ndarray:
        """Add values (genes × samples) up within block and group: genes × blocks × groups."""
        table = np.zeros((len(values), self.shape[0] * self.shape[1]))
        table[:, self.slots] = np.add.reduceat(values[:, self.order], self.starts, axis=1)
        return table.reshape(len(values), *self.shape)

    def by_block(self, values: np.ndarray) -> np.ndarray:
        """Add values (genes × samples) up within blocks: genes × blocks."""
        return np.add.reduceat(values[:, self.block_order], self.block_starts, axis=1)


def _parts(model: BlockModel, group_weights: np.ndarray) -> list[_Part]:
    parts = []
    labels = model.components[1]
    for label in np.unique(labels):
        samples = np.flatnonzero(labels[model.groups] == label)
        _, blocks = np.unique(model.blocks[samples], return_inverse=True)
        present, groups = np.unique(model.groups[samples], return_inverse=True)
        shape = (int(blocks.max()) + 1, len(present))
        flat = blocks * shape[1] + groups
        order = np.argsort(flat, kind="stable")
        slots, starts = np.unique(flat[order], return_index=True)
        block_order = np.argsort(blocks, kind="stable")
        block_starts = np.unique(blocks[block_order], return_index=True)[1]
        parts.append(
            _Part(
                samples,
                blocks,
                groups,
                shape,
                order,
                starts,
                slots,
                block_order,
                block_starts,
                group_weights[present],
            )
        )
    return parts


def _solve_part(
    part: _Part, y: np.ndarray, w: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Estimates, unscaled variances and residual sum of squares of one component."""
    y, w = y[:, part.samples], w[:, part.samples]
    weight = part.by_slot(w)
    response = part.by_slot(w * y)
    block_weight = weight.sum(axis=2)
    share = weight / block_weight[:, :, None]
    matrix = -np.matmul(share.transpose(0, 2, 1), weight)
    diagonal = np.arange(part.shape[1])
    matrix[:, diagonal, diagonal] += weight.sum(axis=1)
    right = response.sum(axis=1) - np.einsum("gbc,gb->gc", share, response.sum(axis=2))

    # The first group of the component is the reference, its effect is 0.
    contrasts = part.contrasts[1:]
    sides = np.concatenate(
        [right[:, 1:, None], np.broadcast_to(contrasts, (len(y), *contrasts.shape))], axis=2
    )
    solution = np.linalg.solve(matrix[:, 1:, 1:], sides)
    effect = solution[:, :, 0]
    estimate = effect @ contrasts
    variance = np.einsum("gck,ck->gk", solution[:, :, 1:], contrasts)

    residual = y - np.hstack([np.zeros((len(y), 1)), effect])[:, part.groups]
    block_mean = part.by_block(w * residual) / block_weight
    residual -= block_mean[:, part.blocks]
    return estimate, variance, np.einsum("gn,gn,gn->g", w, residual, residual)


def fit_weighted(
    y: np.ndarray, weights: np.ndarray, model: BlockModel, group_weights: np.ndarray
) -> Fit:
    """Fit a block model with weights for each gene and sample, and estimate contrasts exactly.

    Parameters
    ----------
    y
        Log2 expression of the samples of the model, shape (genes, samples).
    weights
        Positive precision weights, same shape.
    model
        Blocks and groups; its contrasts must be estimable.
    group_weights
        Contrasts of the groups, shape (groups, contrasts).

    Returns
    -------
    dict
        A fit as limma's functions expect it: coefficients and stdev_unscaled (genes × contrasts),
        sigma, df_residual, Amean (genes).

    References
    ----------
    Frisch R, Waugh F V (1933). Econometrica 1:387–401. Lovell M C (1963). J Am Stat Assoc
    58:993–1010. Law C W et al. (2014). Genome Biology 15:R29 (voom).
    """
    genes, n = y.shape
    coefficients = np.zeros((genes, group_weights.shape[1]))
    variances = np.zeros_like(coefficients)
    squares = np.zeros(genes)
    for part in _parts(model, group_weights):
        widest = max(part.shape[0], group_weights.shape[1] + 1) * part.shape[1]
        step = max(1, WORKING_SET // max(widest, n))
        for start in range(0, genes, step):
            chunk = slice(start, start + step)
            estimate, variance, square = _solve_part(part, y[chunk], weights[chunk])
            coefficients[chunk] += estimate
            variances[chunk] += variance
            squares[chunk] += square
    df = model.df_residual
    return {
        "coefficients": coefficients,
        "stdev_unscaled": np.sqrt(variances),
        "sigma": np.sqrt(squares / df),
        "df_residual": np.full(genes, float(df)),
        "Amean": y.mean(axis=1),
    }
