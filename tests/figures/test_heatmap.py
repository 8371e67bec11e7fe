"""Order and scale of the rows of a heatmap."""

from __future__ import annotations

import numpy as np
import pandas as pd

from adnorm.figures.heatmap import scale_rows, similar_order


def test_rows_without_variation_become_missing():
    frame = pd.DataFrame([[1.0, 2.0, 3.0], [4.1, 4.1, 4.1], [np.nan] * 3, [1.0, np.nan, 3.0]])
    scaled = scale_rows(frame).to_numpy()
    np.testing.assert_allclose(scaled[0], [-1, 0, 1])
    assert np.isnan(scaled[1:3]).all()
    np.testing.assert_allclose(scaled[3, [0, 2]], [-0.7071, 0.7071], atol=1e-4)
    one = scale_rows(pd.DataFrame([[5.0]]))
    assert np.isnan(one.to_numpy()).all()


def test_similar_rows_are_neighbours_and_incomplete_ones_last():
    rng = np.random.default_rng(0)
    up, down = rng.normal(0, 1, 20), rng.normal(0, 1, 20)
    frame = pd.DataFrame(
        [up, down, up + 0.01, down + 0.01, np.full(20, np.nan)], index=["a", "b", "c", "d", "e"]
    )
    order = similar_order(frame)
    assert order[-1] == "e"
    assert {frozenset(order[:2]), frozenset(order[2:4])} == {frozenset("ac"), frozenset("bd")}
    assert similar_order(frame.iloc[:1]) == ["a"]
