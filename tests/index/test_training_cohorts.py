"""Who teaches the disease axis, and the table of effects."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest

from adnorm.base.errors import AdnormError
from adnorm.base.tables import read_table, write_table
from adnorm.index.axis import axis_scores
from adnorm.index.training_cohorts import COLUMNS, CONTRAST, find_training_cohorts
from builders.axis_trials import (
    compile_lesional_effects,
    index_of,
    lesional_rows,
    paired_effects,
    train,
    trial,
)
from builders.people import GENES, People, named


def write_cohort(folder, name, contrasts, simulated=False):

    rows = [
        {"contrast": c, "gene": g, "log2_fold_change": 1.5, "standard_error": 0.2, "pairs": 9}
        for c in contrasts
        for g in ("B", "A")
    ]
    columns = ["contrast", "gene", "log2_fold_change", "standard_error", "pairs"]
    write_table(pd.DataFrame(rows, columns=columns), folder / name / "effects" / "effects.tsv")
    obs = pd.DataFrame(
        {"patient": ["p"], "state": ["lesional"], "week": [0.0], "arm": ["untreated"]}, index=["s"]
    )
    data = anndata.AnnData(np.ones((1, 2), dtype=np.float32), obs=obs)
    data.uns["adnorm"] = {"cohort": name, "disease": "psoriasis", "simulated": simulated}
    (folder / name / "expression").mkdir()
    data.write_h5ad(folder / name / "expression" / "expression.h5ad")
    return folder / name


def test_lesional_effects_of_all_cohorts_in_one_sorted_table(tmp_path):
    folders = [
        write_cohort(tmp_path, "zeta", [CONTRAST, "change:drug@4"], simulated=True),
        write_cohort(tmp_path, "alpha", [CONTRAST]),
        write_cohort(tmp_path, "no_nonlesional", []),
    ]
    compile_lesional_effects(folders, tmp_path / "lesional_effects.tsv")
    table = read_table(tmp_path / "lesional_effects.tsv")
    assert list(table) == COLUMNS
    assert table["cohort"].tolist() == ["alpha", "alpha", "zeta", "zeta"]
    assert table["gene"].tolist() == ["A", "B", "A", "B"]
    assert table["simulated"].tolist() == ["no", "no", "yes", "yes"]
    assert set(table["disease"]) == {"psoriasis"}


def test_no_cohort_with_the_comparison_leaves_a_header(tmp_path):
    compile_lesional_effects([write_cohort(tmp_path, "one", [])], tmp_path / "effects.tsv")
    assert list(read_table(tmp_path / "effects.tsv")) == COLUMNS


def test_missing_effects_are_named(tmp_path):
    with pytest.raises(AdnormError, match="effects.tsv"):
        compile_lesional_effects([tmp_path / "absent"], tmp_path / "effects.tsv")


def test_no_cohort_teaches_itself_and_simulated_never_teaches_real():
    effects = {"A": 2.0}
    table = pd.concat(
        [
            lesional_rows("judged", effects, "no"),
            lesional_rows("real", effects, "no"),
            lesional_rows("fake", effects, "yes"),
            lesional_rows("alopecia", effects, "no", disease="alopecia areata"),
        ]
    )
    assert find_training_cohorts(table, "judged", False).cohorts == ["real"]
    assert find_training_cohorts(table, "judged", True).cohorts == ["fake"]


# ---------------------------------------------------------------- who shares patients


def written(folder, data, pairs=12):
    name = data.uns["adnorm"]["cohort"]
    rows = pd.DataFrame({"contrast": CONTRAST, "gene": GENES, "log2_fold_change": 1.5})
    rows = rows.assign(standard_error=0.2, pairs=pairs)
    write_table(rows, folder / name / "effects" / "effects.tsv")
    (folder / name / "expression").mkdir(parents=True)
    data.write_h5ad(folder / name / "expression" / "expression.h5ad")
    return folder / name


def test_a_cohort_that_shares_is_left_out_and_said(tmp_path):
    people = People(1)
    baseline = people.biopsies()
    folders = [
        written(tmp_path, named(baseline, "judged", "GSE9")),
        written(tmp_path, named(People(2).biopsies(), "same_series", "GSE9")),
        written(tmp_path, named(baseline, "same_values"), 10),
        written(tmp_path, named(People(3).biopsies(), "honest_1")),
        written(tmp_path, named(People(4).biopsies(), "honest_2")),
    ]
    compile_lesional_effects(folders, tmp_path / "effects.tsv")
    table = read_table(tmp_path / "effects.tsv")
    found = find_training_cohorts(table, "judged", False)
    assert found.cohorts == ["honest_1", "honest_2"]
    assert set(found.left_out) == {"same_series", "same_values"}
    assert found.left_out["same_series"] == "in common with this cohort: the series GSE9"
    assert "24 samples with the same values" in found.missed
    # The honest ones are judged by all whose patients are others, each patient counted once.
    found = find_training_cohorts(table, "honest_1", False)
    assert found.cohorts == ["honest_2", "judged"]
    assert found.left_out["same_values"].startswith("in common with judged: ")


def test_a_cohort_without_the_comparison_is_compared_too(tmp_path):
    """The judged cohort need not teach to have patients that a teacher has."""
    data = named(People(1).biopsies(), "judged", "GSE9")
    silent = written(tmp_path, data)
    write_table(read_table(silent / "effects" / "effects.tsv").iloc[:0],
                silent / "effects" / "effects.tsv")  # fmt: skip
    other = written(tmp_path, named(People(2).biopsies(), "twin", "GSE9"))
    compile_lesional_effects([silent, other], tmp_path / "effects.tsv")
    table = read_table(tmp_path / "effects.tsv")
    assert "GSE9" in find_training_cohorts(table, "judged", False).left_out["twin"]


@pytest.mark.parametrize("left_out", [False, True], ids=["taught by itself", "left out"])
def test_a_useless_drug_and_a_teacher_with_the_same_patients(left_out):
    """The leak is worth points; without the shared cohort the index is 0."""
    genes = np.array([f"G{i:04d}" for i in range(800)])
    rows = []
    for run in range(60):
        rng = np.random.default_rng(run)
        # Many genes are near the smallest effect that is chosen, where chance decides.
        disease = np.where(np.arange(len(genes)) < 240, rng.normal(0, 0.7, len(genes)), 0.0)
        log2, observations = trial(rng, disease, 8, noise=1.0)
        teachers = [
            paired_effects(*trial(rng, disease, 10, noise=1.0), genes, name) for name in "ab"
        ]
        teachers.append(paired_effects(log2, observations, genes, "twin"))
        shares = "judged: the series GSE1" if left_out else ""
        teachers = [t.assign(shares="") for t in teachers[:2]] + [teachers[2].assign(shares=shares)]
        weights = train(pd.concat(teachers), genes).weights
        assert weights.any()
        rows.append(100 * index_of(axis_scores(log2, observations, weights), observations))
    if left_out:
        assert abs(np.mean(rows)) < 3
    else:
        assert np.mean(rows) > 3


def test_tables_without_the_column_are_read():
    table = pd.concat([lesional_rows(name, {"A": 2.0}) for name in "abc"])
    assert find_training_cohorts(table, "a", True).cohorts == ["b", "c"]
