"""Cohorts that share patients are found; those that only count alike are not."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pandas as pd
import pytest

from adnorm.index.shared_patients import (
    agreeing_facts,
    fingerprint,
    trivially_numbered,
    what_is_shared,
)
from builders.people import People, named


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
