"""What cohorts teach: the same numbers from the file, from memory, and whatever the blocks are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adnorm.base.errors import AdnormError
from adnorm.index import teaching, training_cohorts
from adnorm.index.axis import train_axis
from adnorm.index.meta import combine_studies
from adnorm.index.teaching import VALUES, Teaching, writing
from adnorm.index.training_cohorts import (
    find_training_cohorts,
    fingerprint,
    may_have_same_samples,
    read_shares,
    same_samples,
    shared_by,
)
from builders.axis_trials import SETTINGS, lesional_rows
from builders.people import GENES, People, named

NAMES = [f"c{i:02d}" for i in range(12)]


def taught(seed=1, genes=60):
    """Rows of lesional_effects.tsv: every cohort lacks other genes, one value is missing."""
    rng = np.random.default_rng(seed)
    true = rng.normal(0, 2, genes)
    parts = []
    for name in NAMES:
        there = np.flatnonzero(rng.random(genes) < 0.7)
        effects = {f"G{i:02d}": true[i] + rng.normal(0, 0.2) for i in there}
        rows = lesional_rows(name, effects, error=rng.uniform(0.1, 0.4, len(there)))
        parts.append(rows.assign(pairs=rng.integers(5, 30, len(there)), shares=""))
    parts[0]["shares"] = "c01: the series GSE1"
    parts[3].loc[0, "log2_fold_change"] = np.nan
    return parts


def written(folder, parts):
    path = folder / "teaching.h5"
    with writing(path) as add:
        for rows in parts:
            add(rows)
    return path


def axis_of(found, genes=60):
    known = np.array([f"G{i:02d}" for i in range(0, genes, 2)])
    return train_axis(found, NAMES[1:], known, {"G04": "composition"}, SETTINGS)


def test_the_file_holds_what_the_table_holds(tmp_path):
    parts = taught()
    read, held = Teaching.read(written(tmp_path, parts)), Teaching.of(pd.concat(parts))
    pd.testing.assert_frame_equal(read.facts, held.facts)
    assert read_shares(read.facts)["c00"] == {"c01": "the series GSE1"}
    assert find_training_cohorts(read.facts, "c01", True).left_out.keys() == {"c00"}
    for name in VALUES:
        for place, rows in enumerate(parts):
            wanted = rows.set_index("gene")[name].astype(float)
            values = {"log2_fold_change": "effects", "standard_error": "errors"}.get(name, name)
            (block,) = read.blocks(NAMES)
            found = pd.Series(getattr(block, values)[:, place], block.genes)
            pd.testing.assert_series_equal(
                found[wanted.index], wanted, check_names=False, check_index_type=False
            )
            assert found.drop(wanted.index).isna().all()


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_neither_file_nor_blocks_change_an_axis(tmp_path, monkeypatch, size):
    parts = taught()
    wanted = axis_of(Teaching.of(pd.concat(parts)))
    monkeypatch.setattr(teaching, "BLOCK", size)
    found = axis_of(Teaching.read(written(tmp_path, parts)))
    assert wanted.weights.any()
    np.testing.assert_array_equal(found.weights, wanted.weights)
    pd.testing.assert_frame_equal(found.table, wanted.table, check_exact=True)


def test_an_axis_is_that_of_the_whole_matrix():
    table = pd.concat(taught())
    wide = {
        name: table[table["cohort"] != "c00"].pivot(index="gene", columns="cohort", values=name)
        for name in VALUES
    }
    effects, errors, _ = (wide[name].to_numpy(dtype=float) for name in VALUES)
    wanted = combine_studies(effects, errors**2, SETTINGS.confidence)
    found = axis_of(Teaching.of(table)).table.set_index("gene").loc[wide["pairs"].index]
    for column in ("effect", "lower", "upper", "p_value", "tau2", "i2"):
        np.testing.assert_allclose(found[column], getattr(wanted, column), rtol=1e-12)
    assert found["cohorts"].tolist() == wanted.studies.tolist()


def test_the_same_cohorts_give_the_same_bytes(tmp_path):
    (tmp_path / "again").mkdir()
    first, second = written(tmp_path, taught()), written(tmp_path / "again", taught())
    assert first.read_bytes() == second.read_bytes()


def test_no_cohort_teaches_nothing(tmp_path):
    found = Teaching.read(written(tmp_path, []))
    assert found.facts.empty and read_shares(found.facts) == {}
    assert not list(found.blocks([]))
    assert find_training_cohorts(found.facts, "c01", True).cohorts == []


def test_a_gene_twice_is_refused(tmp_path):
    rows = taught()[0]
    with pytest.raises(AdnormError, match="stand twice in one cohort"):
        written(tmp_path, [pd.concat([rows, rows.iloc[:1]])])
    assert not list(tmp_path.iterdir())


def test_another_file_is_refused(tmp_path):
    with pytest.raises(AdnormError, match="missing"):
        Teaching.read(tmp_path / "teaching.h5")
    (tmp_path / "teaching.h5").write_text("cohort\tgene\n")
    with pytest.raises(AdnormError, match="cannot be read as lesional effects"):
        Teaching.read(tmp_path / "teaching.h5")


# ---------------------------------------------------------------- pairs of cohorts


def prints_of(folder, *samples):
    return [fingerprint(named(data, f"c{i}"), folder / "none") for i, data in enumerate(samples)]


def test_a_few_genes_tell_whether_samples_may_be_the_same(tmp_path):
    """Whatever `same_samples` would find passes; other people do not."""
    first, other = People(1).biopsies(), People(2).biopsies()
    again = first.copy()
    # Another scale, other rounding, and genes that another filter left out.
    again.X = np.round(3 + 0.5 * again.X, 3)
    again = again[:, np.random.default_rng(0).random(len(GENES)) < 0.9].copy()
    prints = prints_of(tmp_path, first, other, again)
    assert same_samples(prints[0], prints[2])
    assert may_have_same_samples(prints[0], prints[2])
    assert len(prints[0].genes) > 2 * training_cohorts._SKETCH
    assert not may_have_same_samples(prints[0], prints[1])
    assert not same_samples(prints[0], prints[1])


def test_looking_at_few_genes_first_changes_no_finding(tmp_path, monkeypatch):
    parts = [People(i).biopsies() for i in range(4)]
    part = parts[0][:7].copy()
    found = shared_by(prints_of(tmp_path, *parts, part))
    monkeypatch.setattr(training_cohorts, "may_have_same_samples", lambda *_: True)
    assert found == shared_by(prints_of(tmp_path, *parts, part))
    assert set(found) == {"c0", "c4"}
