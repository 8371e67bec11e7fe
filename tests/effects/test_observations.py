"""One observation for each patient, state and visit; the library sizes behind the log2 values."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from adnorm.base.containers import read_container
from adnorm.effects.observations import effective_library_sizes, log2_cpm, observations_of


@pytest.fixture
def reads():
    return np.random.default_rng(1).poisson(40, (6, 50)).astype(float)


def write(path, counts, sizes, patients, sparse=False):
    log2 = np.log2(counts / sizes[:, None] * 1e6 + 1).astype("float32")
    obs = pd.DataFrame(
        {"patient": patients, "state": "lesional", "week": 0.0, "arm": "untreated"},
        index=[f"s{i}" for i in range(len(counts))],
    )
    data = anndata.AnnData(X=log2, obs=obs, layers={"counts": counts.astype("int32")})
    if sparse:
        data.layers["counts"] = csr_matrix(data.layers["counts"])
    data.uns["adnorm"] = {"placebo_arm": ""}
    data.write_h5ad(path)


def test_library_sizes_are_those_of_the_normalization(reads):
    plain = reads.sum(axis=1)
    factors = np.array([0.7, 1.3, 1.0, 1.1, 0.9, 1.2])
    for sizes in (plain, plain * factors):
        log2 = np.log2(reads / sizes[:, None] * 1e6 + 1).astype("float32").astype(float)
        np.testing.assert_allclose(effective_library_sizes(reads, log2), sizes, rtol=1e-5)


def test_values_made_in_another_way_fall_back_to_plain_library_sizes(reads):
    for log2 in (np.log2(reads + 1), np.log2(reads / reads.mean(axis=1, keepdims=True) + 0.5)):
        found = effective_library_sizes(reads, log2)
        np.testing.assert_array_equal(found, reads.sum(axis=1))


@pytest.mark.parametrize("sparse", [False, True])
def test_biopsies_log2_averaged_counts_and_libraries_summed(reads, tmp_path, sparse):
    path = tmp_path / "expression.h5ad"
    sizes = reads.sum(axis=1)
    write(path, reads, sizes, ["a", "a", "b", "c", "c", "c"], sparse)
    data = observations_of(read_container(path), str(path))
    assert list(data.combined["patient"]) == ["a", "b", "c"]
    assert list(data.combined["biopsies"]) == [2, 1, 3]
    np.testing.assert_array_equal(data.counts[:, 2], reads[3:].sum(axis=0))
    np.testing.assert_array_equal(data.library_sizes, [sizes[:2].sum(), sizes[2], sizes[3:].sum()])
    log2 = np.log2(reads / sizes[:, None] * 1e6 + 1)
    np.testing.assert_allclose(data.log2[:, 0], log2[:2].mean(axis=0), atol=1e-5)
    np.testing.assert_array_equal(data.voom_log2(), log2_cpm(data.counts, data.library_sizes))
