"""One observation for each patient, state and visit; the library sizes behind the log2 values."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from adnorm.base.containers import read_container
from adnorm.base.errors import AdnormError
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


@pytest.mark.parametrize("factor", [0.51, 1.99, 0.49, 2.01])
def test_sizes_that_all_differ_from_the_reads_by_more_than_twofold_are_no_library_sizes(
    reads, factor
):
    sizes = reads.sum(axis=1) * factor * np.array([0.9, 1 / 0.9, 1, 1, 1, 1])
    log2 = np.log2(reads / sizes[:, None] * 1e6 + 1)
    expected = sizes if 0.5 < factor < 2 else reads.sum(axis=1)
    np.testing.assert_allclose(effective_library_sizes(reads, log2), expected, rtol=1e-9)


def test_log2_values_off_by_more_than_rounding_are_of_another_making(reads):
    sizes = reads.sum(axis=1) * np.array([0.7, 1.3, 1.0, 1.1, 0.9, 1.2])
    log2 = np.log2(reads / sizes[:, None] * 1e6 + 1)
    log2[0, 0] += 0.5
    np.testing.assert_array_equal(effective_library_sizes(reads, log2), reads.sum(axis=1))


def test_half_a_read_is_added_to_the_counts_and_a_read_to_the_library():
    found = log2_cpm(np.array([[0.0, 7.5]]), np.array([999.0, 3999.0]))
    np.testing.assert_allclose(2**found, [[500.0, 2000.0]])


def test_missing_values_and_samples_without_reads_are_refused(reads):
    log2 = np.log2(reads + 1)
    obs = pd.DataFrame({"patient": list("abcdef"), "state": "lesional", "week": 0.0, "arm": "x"})
    obs.index = [f"s{i}" for i in range(6)]
    for wrong in (np.nan, np.inf):
        values = log2.copy()
        values[2, 4] = values[3, 4] = values[0, 7] = wrong
        with pytest.raises(AdnormError, match="2 genes have missing or infinite.*'4', '7'"):
            observations_of(anndata.AnnData(values, obs), "x.h5ad")
    empty = reads.copy()
    empty[3] = 0
    with pytest.raises(AdnormError, match="samples 's3' have no reads"):
        observations_of(anndata.AnnData(log2, obs, layers={"counts": empty}), "x.h5ad")
    plain = observations_of(anndata.AnnData(log2, obs), "x.h5ad")
    assert plain.counts is None and plain.library_sizes is None
    np.testing.assert_array_equal(plain.voom_log2(), plain.log2)


def test_biopsies_that_count_as_one_are_told(reads, monkeypatch):
    told = []
    monkeypatch.setattr("adnorm.effects.observations.progress", told.append)
    obs = pd.DataFrame({"patient": list("aabccc"), "state": "lesional", "week": 0.0, "arm": "x"})
    obs.index = [f"s{i}" for i in range(6)]
    data = anndata.AnnData(np.log2(reads + 1), obs)
    observations_of(data, "x.h5ad")
    assert len(told) == 1 and told[0].startswith("6 biopsies are 3 observations: 2 times, several")
    observations_of(data[[0, 2, 3]].copy(), "x.h5ad")
    assert len(told) == 1


@pytest.mark.parametrize(("added", "known"), [(1.0, True), (0.0, False), (2.0, False)])
def test_one_is_what_was_added_before_the_logarithm(reads, added, known):
    """Genes without a read show it: one gene takes a million reads, so that others are few."""
    reads[:, 0] = 1e6
    reads[:3, 1:20] = 0
    reads[3:, 20:40] = 0
    sizes = reads.sum(axis=1) * np.array([0.7, 1.3, 1.0, 1.1, 0.9, 1.2])
    log2 = np.log2(np.maximum(reads / sizes[:, None] * 1e6 + added, 1e-3))
    found = effective_library_sizes(reads, log2)
    np.testing.assert_allclose(found, sizes if known else reads.sum(axis=1), rtol=1e-9)
