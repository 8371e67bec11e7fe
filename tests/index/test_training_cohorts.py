"""Who teaches the disease axis, and the table of effects.

Cohorts that share patients are found; those that only count alike are not.
"""

from __future__ import annotations

import gzip
import json

import anndata
import numpy as np
import pandas as pd
import pytest

from adnorm.base.errors import AdnormError
from adnorm.base.tables import read_table, write_table
from adnorm.index.axis import axis_scores
from adnorm.index.training_cohorts import (
    COLUMNS,
    CONTRAST,
    agreeing_facts,
    find_training_cohorts,
    fingerprint,
    trivially_numbered,
    what_is_shared,
)
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


def shared(first, second, tmp_path, files=((), ())):
    prints = []
    for number, (data, digests) in enumerate(zip((first, second), files, strict=True)):
        manifest = tmp_path / f"{number}.json"
        entries = [{"role": r, "name": n, "sha256": d} for r, n, d in digests]
        manifest.write_text(json.dumps({"files": entries}))
        prints.append(fingerprint(data, manifest))
    assert what_is_shared(*prints[::-1]) != "" or what_is_shared(*prints) == ""
    return what_is_shared(*prints)


@pytest.mark.parametrize("patients", [6, 12, 30])
def test_labs_that_count_their_patients_alike_are_independent(tmp_path, patients):
    for seed in range(6):
        first = named(People(seed, patients, "P").biopsies(), "a", "GSE1")
        second = named(People(100 + seed, patients, "P").biopsies(), "b", "GSE2")
        # Dealt and listed alike: ten a batch, drug in every second one, the id in the title.
        for data in (first, second):
            number = data.obs["patient"].str[1:].astype(int)
            data.obs["geo_batch"] = "batch " + ((number - 1) // 5).astype(str)
            data.obs["geo_title"] = "patient " + number.astype(str)
            data.obs["geo_drug"] = np.where(number % 2, "drug X", "placebo")
            data.obs["arm"] = np.where(number % 2, "X", "placebo")
        sheet = (("sheet", "samples.csv", "same"), ("annotation", "GPL570.txt", "same"))
        assert shared(first, second, tmp_path, (sheet, sheet)) == ""


def test_site_and_number_alone_do_not_join_people_of_other_sex_and_age(tmp_path):
    ids = [f"1{i % 3}1-{i:03d}" for i in range(12)]
    first, second = People(1), People(2)
    first.ids = second.ids = ids
    assert shared(named(first.biopsies(), "a"), named(second.biopsies(), "b"), tmp_path) == ""


def test_one_series_in_two_files(tmp_path):
    first, second = (named(People(s).biopsies(), f"c{s}", "GSE58558") for s in (1, 2))
    assert shared(first, second, tmp_path) == "the series GSE58558"


def test_two_parts_of_one_series(tmp_path):
    first, second = (named(People(s).biopsies(), f"c{s}", f"GSE{s}") for s in (1, 2))
    files = []
    for name in ("one_series_matrix.txt.gz", "two_series_matrix.txt"):
        text = b'!Series_title\t"x"\n!Series_relation\t"SubSeries of: GSE70"\n!Sample_title\t"a"\n'
        (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith("gz") else text)
        files.append([("series_matrix", name, name)])
    assert shared(first, second, tmp_path, files) == "the series GSE70"


def test_a_sheet_that_names_the_series_of_its_samples(tmp_path):
    first, second = named(People(1).biopsies(), "a", "GSE1"), named(People(2).biopsies(), "lab")
    second.obs["geo_source"] = ["gse1", *["our own"] * (second.n_obs - 1)]
    assert shared(first, second, tmp_path) == "the series GSE1"
    second.obs["geo_source"] = "processed as in GSE1"
    assert shared(first, second, tmp_path) == ""


def test_one_table_in_two_files(tmp_path):
    people = People(1)
    first = named(people.biopsies(weeks=(0.0,)), "a")
    second = named(people.biopsies(weeks=(4.0,)), "b")
    files = ([("table", "counts.csv", "abc")], [("table", "copy.csv", "abc")])
    assert shared(first, second, tmp_path, files) == "the same file of values ('counts.csv')"


@pytest.mark.parametrize("place", ["index", "column"])
def test_accession_numbers_of_samples(tmp_path, place):
    first, second = (People(s).biopsies() for s in (1, 2))
    numbers = [f"GSM{140000 + i}" for i in range(first.n_obs)]
    first.obs_names = numbers
    moved = [f"GSM{140000 + i + first.n_obs - 2}" for i in range(second.n_obs)]
    if place == "index":
        second.obs_names = moved
    else:
        second.obs["geo_relation"] = [f"Reanalysis of: {m.lower()}" for m in moved]
    found = shared(named(first, "a"), named(second, "b"), tmp_path)
    assert found == "2 accession numbers of samples ('GSM140022', 'GSM140023')"


def test_a_reference_that_all_samples_name_is_no_common_sample(tmp_path):
    first, second = (People(s).biopsies() for s in (1, 2))
    for data in (first, second):
        data.obs["geo_protocol"] = "scaled to GSM99999"
    assert shared(named(first, "a"), named(second, "b"), tmp_path) == ""


@pytest.mark.parametrize("change", ["other names", "other scale", "other library size", "subset"])
def test_the_same_values_under_other_names(tmp_path, change):
    first = named(People(1).biopsies(), "a")
    second = named(first, "b")
    second.obs_names = [f"array {i}" for i in range(second.n_obs)]
    second.obs["patient"] = "X" + second.obs["patient"].astype(str)
    second.obs["sex"] = "female"
    matrix = second.X.astype(float)
    if change == "other scale":
        second.X = np.exp2(matrix / 4).astype(np.float32)
    if change == "other library size":
        second.X = np.log2(1.3 * (np.exp2(matrix)) + 1).astype(np.float32)
    if change == "subset":
        second = second[5:7, ::2].copy()
    found = shared(first, second, tmp_path)
    many = 2 if change == "subset" else first.n_obs
    assert found.startswith(f"{many} samples with the same values ('s0")


@pytest.mark.parametrize("by", ["facts", "expression"])
def test_other_biopsies_of_the_same_patients(tmp_path, by):
    """Neither file nor sample is the same: the ids and what else agrees."""
    people = People(1, 14, "P")
    first = named(people.biopsies(weeks=(0.0,)), "a")
    second = named(people.biopsies(states=("lesional",), weeks=(0.0, 4.0), prefix="t"), "b")
    if by == "facts":
        second.X = second.X[:, ::-1].copy()  # another platform: nothing to compare by
    else:
        first.obs = first.obs.drop(columns=["sex", "age"])
    found = shared(first, second, tmp_path)
    assert found.startswith("14 patient ids ('P01', 'P02', 'P03' and 11 more), and ")
    assert ("'sex', 'age'" if by == "facts" else "expression") in found


def test_ids_that_no_two_studies_give_are_enough(tmp_path):
    first, second = People(1), People(2)
    first.ids = second.ids = [f"ASN002-10{i % 4}-{i:03d}" for i in range(12)]
    first, second = (named(p.biopsies(), c) for p, c in ((first, "a"), (second, "b")))
    for data in (first, second):
        data.obs = data.obs.drop(columns=["sex", "age"])
    found = shared(first, second, tmp_path)
    assert "two studies hardly number alike" in found and "from_all: [study, subject]" in found


@pytest.mark.parametrize(
    ("name", "trivial"),
    [("P01", True), ("AD_12", True), ("Patient 3", True), ("1002", True), ("B", True),
     ("101-007", False), ("00012345", False), ("ASN002-17", False), ("muster", False)],
)  # fmt: skip
def test_what_any_lab_may_give_its_patients(name, trivial):
    assert trivially_numbered(name) is trivial


def test_facts_agree_by_chance_as_often_as_said():
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(300):
        a, b = (
            pd.DataFrame(
                {
                    "sex": rng.choice(["f", "m"], 20),
                    "age": rng.integers(20, 60, 20).astype(str),
                    **{f"x{i}": rng.choice(["yes", "no"], 20, p=[0.9, 0.1]) for i in range(6)},
                }
            )
            for _ in range(2)
        )
        hits += agreeing_facts(a, b)[0] <= 1e-4
    assert hits == 0
