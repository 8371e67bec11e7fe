"""What a packed file may hold: small bombs of every kind, and real tables that pass."""

from __future__ import annotations

import gzip
import resource

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from adnorm.base import inflate
from adnorm.base.errors import AdnormError
from adnorm.fetch.content import check_content
from adnorm.readers.annotation import read_annotation, read_identifier_table
from adnorm.readers.delimited import read_sheet, read_value_table
from adnorm.readers.h5ad import read_obs, read_values
from adnorm.readers.series_matrix import read_series_matrix

READERS = (
    read_series_matrix,
    read_value_table,
    read_sheet,
    read_annotation,
    read_identifier_table,
)


def check(path):
    check_content(path, path.name, "https://example.org/x.gz")


def memory() -> float:
    """Most megabytes that this process has taken so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


@pytest.fixture(scope="module")
def bombs(tmp_path_factory):
    """A line of half a gigabyte, and half a gigabyte of lines, each half a megabyte of gzip."""
    folder = tmp_path_factory.mktemp("bombs")
    openings = {"line.csv.gz": b"1" * 10**6, "lines.csv.gz": b"G,0,0\n" * 170_000}
    for name, block in openings.items():
        with gzip.open(folder / name, "wb") as file:
            file.write(b"gene,a,b\n")
            for _ in range(500):
                file.write(block)
    return folder


@pytest.mark.parametrize("name", ["line.csv.gz", "lines.csv.gz"])
def test_a_fetched_file_that_swells_is_refused_with_the_numbers(bombs, name):
    before = memory()
    with pytest.raises(AdnormError) as told:
        check(bombs / name)
    assert str(told.value).startswith("https://example.org/x.gz: this packed file of 0.")
    for words in ("MB or more, over 200 times its size; allowed are 200 times", "gigabytes: 8)"):
        assert words in str(told.value)
    assert memory() - before < 50


@pytest.mark.parametrize("reader", READERS)
def test_a_line_without_end_is_refused_early(bombs, reader):
    before = memory()
    with pytest.raises(AdnormError, match=r"line.csv.gz: a line of more than 16 MB"):
        reader(bombs / "line.csv.gz")
    plain = bombs / "line.csv"
    plain.write_bytes(b"gene,a,b\n" + b"1" * 20_000_000)
    with pytest.raises(AdnormError, match=r"line.csv: a line of more than 16 MB"):
        reader(plain)
    assert memory() - before < 200


@pytest.mark.parametrize("reader", [read_value_table, read_sheet])
def test_lines_that_swell_are_refused(bombs, reader):
    with pytest.raises(AdnormError, match="allowed are 200 times its size"):
        reader(bombs / "lines.csv.gz")


def test_the_cohort_file_may_allow_more_or_less(bombs):
    path = bombs / "lines.csv.gz"
    with inflate.allowing({"unpacked_gigabytes": 0.1}):
        with pytest.raises(AdnormError, match=r"allowed are 0.1 GB.*unpacked_gigabytes: 1\)"):
            check(path)
    with inflate.allowing({"unpacked_gigabytes": 1}):
        check(path)
    with pytest.raises(AdnormError):
        check(path)


def test_more_than_eight_gigabytes_are_refused_at_any_ratio():
    inflate.check_size(7_900_000_000, 2_000_000_000, "x.gz")
    with pytest.raises(AdnormError, match=r"2.0 GB holds 8.1 GB.*allowed are 8 GB.*bytes: 17\)"):
        inflate.check_size(8_100_000_000, 2_000_000_000, "x.gz")


def test_sparse_tables_pass(tmp_path):
    random = np.random.default_rng(1)
    counts = random.negative_binomial(1, 0.05, (400, 1000))
    counts[random.random(counts.shape) < 0.99] = 0
    rows = "\n".join(f"G{i}\t" + "\t".join(map(str, row)) for i, row in enumerate(counts))
    path = tmp_path / "counts.tsv.gz"
    text = (f"{rows}\n" * 100).encode()
    path.write_bytes(gzip.compress(text, 4))
    assert len(text) > 64e6
    assert len(text) > 40 * path.stat().st_size
    check(path)


def test_members_and_padding(tmp_path):
    path = tmp_path / "x.gz"
    parts = [b"one\n", b"", b"two\n" * 100_000]
    path.write_bytes(b"".join(map(gzip.compress, parts)) + b"\0" * 300_000)
    with inflate.opened(path) as file:
        assert file.read() == b"".join(parts)
    with inflate.opened(path) as file:
        assert len(list(file)) == 100_001


def swollen(path, **dataset):
    """Put a data set into an .h5ad that holds far more than the file."""
    name = dataset.pop("name")
    observations = pd.DataFrame({"k": ["a", "b", "c"]}, index=["x", "y", "z"])
    anndata.AnnData(np.zeros((3, 4), dtype="f4"), obs=observations).write_h5ad(path)
    with h5py.File(path, "a") as file:
        told = dict(file[name].attrs)
        del file[name]
        made = file.create_dataset(name, chunks=True, compression="gzip", **dataset)
        made.attrs.update(told)
    return path


def test_an_h5ad_that_swells_is_refused_before_it_is_read(tmp_path):
    path = swollen(tmp_path / "x.h5ad", name="X", shape=(60_000, 60_000), dtype="f4")
    with pytest.raises(AdnormError, match=r"x.h5ad: .*holds 14.4 GB.*allowed are 8 GB"):
        read_values(path)
    path = swollen(tmp_path / "o.h5ad", name="obs/_index", shape=(3000,), dtype="S1000000")
    with pytest.raises(AdnormError, match=r"o.h5ad: .*holds 3.0 GB.*allowed are 200 times"):
        read_obs(path)


def test_a_sparse_h5ad_is_measured_unfolded(tmp_path):
    path = tmp_path / "s.h5ad"
    anndata.AnnData(sparse.csr_matrix((3, 4), dtype="f4")).write_h5ad(path)
    with h5py.File(path, "a") as file:
        file["X"].attrs["shape"] = np.array([60_000, 60_000])
    with pytest.raises(AdnormError, match=r"s.h5ad: .*holds 28.8 GB"):
        read_values(path)
