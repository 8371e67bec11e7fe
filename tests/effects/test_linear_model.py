"""Blocks and cells: rank, aliasing, estimability, names of confounded columns."""

from __future__ import annotations

import numpy as np
import pytest

from adnorm.base.errors import AdnormError
from adnorm.effects.linear_model import BlockModel, check_rank


def random_model(seed: int) -> BlockModel:
    """Blocks that see a random choice of cells, often in several components."""
    rng = np.random.default_rng(seed)
    n_blocks, n_cells = rng.integers(2, 9), rng.integers(2, 7)
    seen = rng.random((n_blocks, n_cells)) < 0.35
    seen[np.arange(n_blocks), rng.integers(0, n_cells, n_blocks)] = True
    seen[rng.integers(0, n_blocks, n_cells), np.arange(n_cells)] = True
    blocks, cells = np.nonzero(seen)
    return BlockModel(
        rows=np.arange(len(blocks)),
        blocks=blocks,
        cells=cells,
        block_names=tuple(f"b{i}" for i in range(n_blocks)),
        cell_names=tuple(f"c{i}" for i in range(n_cells)),
    )


@pytest.mark.parametrize("seed", range(40))
def test_rank_by_components_is_the_numerical_rank(seed):
    model = random_model(seed)
    n = np.arange(len(model.rows))
    full = np.zeros((len(n), len(model.block_names) + len(model.cell_names)))
    full[n, model.blocks] = 1
    full[n, model.cells + len(model.block_names)] = 1
    assert model.rank == np.linalg.matrix_rank(full)
    assert model.design.shape == (len(n), model.rank)
    assert len(model.columns) == model.rank
    check_rank(model.design, model.columns)


@pytest.mark.parametrize("seed", range(40))
def test_obstacle_says_exactly_what_cannot_be_estimated(seed):
    model = random_model(seed)
    if model.df_residual < 1:
        assert "no residual degrees of freedom" in model.obstacle(np.zeros(len(model.cell_names)))
        return
    n = np.arange(len(model.rows))
    full = np.zeros((len(n), len(model.block_names) + len(model.cell_names)))
    full[n, model.blocks] = 1
    full[n, model.cells + len(model.block_names)] = 1
    for upper in range(len(model.cell_names)):
        for lower in range(upper):
            weights = np.zeros(len(model.cell_names))
            weights[[upper, lower]] = 1, -1
            contrast = np.concatenate([np.zeros(len(model.block_names)), weights])
            # Estimable if and only if it lies in the row space of the unreduced design.
            projected = full.T @ np.linalg.pinv(full.T) @ contrast
            estimable = np.allclose(projected, contrast)
            reason = model.obstacle(weights)
            assert (reason == "") is estimable
            if reason:
                assert model.cell_names[upper] in reason and model.cell_names[lower] in reason


def test_reference_is_the_first_cell_of_each_component():
    model = BlockModel(
        rows=np.arange(6),
        blocks=np.array([0, 0, 1, 1, 2, 2]),
        cells=np.array([0, 1, 2, 3, 2, 3]),
        block_names=("p1", "p2", "p3"),
        cell_names=("drug @0", "drug @4", "placebo @0", "placebo @4"),
    )
    assert model.references.tolist() == [0, 2]
    assert model.columns == ["p1", "p2", "p3", "drug @4", "placebo @4"]
    assert model.df_residual == 1


def test_confounded_columns_are_named():
    visit = np.array([0.0, 1, 0, 1, 0, 1])
    design = np.column_stack([np.ones(6), visit, visit, np.arange(6) ** 2])
    with pytest.raises(AdnormError) as caught:
        check_rank(design, ["intercept", "week 4", "batch 2", "age"])
    message = str(caught.value)
    assert "'week 4', 'batch 2'" in message and "age" not in message
    assert "4 columns but rank 3" in message
