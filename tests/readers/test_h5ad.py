"""Damaged .h5ad files; whole ones run in tests/expression/test_sources.py."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest

from adnorm.base.errors import AdnormError
from adnorm.readers.h5ad import read_obs, read_values


@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_h5ad_is_told_in_a_paragraph(tmp_path, seed):
    path = tmp_path / "x.h5ad"
    obs = pd.DataFrame({"skin": ["LS", "NL", "LS"]}, index=["a", "b", "c"])
    anndata.AnnData(np.ones((3, 4), dtype="f4"), obs=obs).write_h5ad(path)
    whole = np.frombuffer(path.read_bytes(), dtype=np.uint8).copy()
    random = np.random.default_rng(seed)
    whole[random.integers(600, len(whole), 600)] = random.integers(0, 256, 600)
    path.write_bytes(whole.tobytes())
    for read in (read_obs, read_values):
        try:
            read(path)
        except AdnormError as error:
            assert str(error).startswith(str(path))
