"""The .h5ad files that stages hand on."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest

from adnorm.base.containers import read_container, write_container
from adnorm.base.errors import AdnormError


@pytest.fixture
def container():
    sheet = pd.DataFrame(
        {"patient": "P1", "state": ["lesional", "healthy"], "week": 0.0, "arm": "untreated"},
        index=["S1", "S2"],
    )
    sheet[["patient", "state", "arm"]] = sheet[["patient", "state", "arm"]].astype("category")
    data = anndata.AnnData(np.ones((2, 3), dtype=np.float32), obs=sheet)
    data.uns["adnorm"] = {"cohort": "own"}
    return data


def test_what_was_written_is_read(container, tmp_path):
    write_container(container, tmp_path / "made" / "x.h5ad")
    found = read_container(tmp_path / "made" / "x.h5ad")
    assert found.obs["state"].tolist() == ["lesional", "healthy"]
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["x.h5ad"]


def test_what_is_no_container_of_the_workflow_is_refused(container, tmp_path):
    path = tmp_path / "x.h5ad"
    with pytest.raises(AdnormError, match="is missing; run the stage that writes it again"):
        read_container(path)
    path.write_bytes(b"no HDF5")
    with pytest.raises(AdnormError, match="cannot be read as h5ad"):
        read_container(path)
    del container.obs["arm"]
    write_container(container, path)
    with pytest.raises(AdnormError, match=r"not an h5ad file of this workflow \(lacks 'arm'\)"):
        read_container(path)


def test_layers_that_nobody_needs_are_not_read(container, tmp_path):
    container.layers["counts"] = np.arange(6).reshape(2, 3)
    container.layers["other"] = np.ones((2, 3))
    container.obsm["X_pca"] = np.arange(4.0).reshape(2, 2)
    path = tmp_path / "x.h5ad"
    write_container(container, path)
    whole = read_container(path)
    for layers in ((), ("counts",), ("absent",)):
        found = read_container(path, layers)
        assert sorted(found.layers) == sorted({"counts"} & set(layers))
        np.testing.assert_array_equal(found.X, whole.X)
        pd.testing.assert_frame_equal(found.obs, whole.obs)
        assert list(found.var_names) == list(whole.var_names)
        assert found.uns["adnorm"]["cohort"] == "own"
        np.testing.assert_array_equal(found.obsm["X_pca"], whole.obsm["X_pca"])
    np.testing.assert_array_equal(read_container(path, ("counts",)).layers["counts"][1], [3, 4, 5])
    path.write_bytes(b"no HDF5")
    with pytest.raises(AdnormError, match="cannot be read as h5ad"):
        read_container(path, ())
