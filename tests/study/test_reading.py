"""Cohort files and configurations: what keys ask of each other, told before any work."""

from __future__ import annotations

import pytest

from adnorm.base.errors import AdnormError
from adnorm.study.cohort import PublishedCohort
from adnorm.study.reading import read_cohort, read_study
from builders.cohorts import TRIAL, trial_cohort, write_cohort

#: A table of counts with one column for each lane.
LANES = {
    "route": "geo_supplementary",
    "scale": "counts",
    "source": {"table": "x", "libraries": "(?P<library>.+)_"},
}


def samples(**changes):
    return {"samples": {**TRIAL["samples"], **changes}}


def test_undescribed_treatment_is_told_before_any_work(tmp_path):
    broken = {**TRIAL, "treatments": {"placebo": {"drug_class": "placebo"}}}
    with pytest.raises(AdnormError, match="'gusacitinib' is not described"):
        read_cohort(write_cohort(tmp_path, broken))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (samples(sex={"from": "sex", "pattern": "sex ([a-z]+)"}), "has no named group"),
        (samples(sex={"from": "sex", "pattern": "(?P<value>["}), "is not a regular expression"),
        ({"exclude": [{"from": "a", "pattern": "(", "reason": "r"}]}, "not a regular expression"),
        (samples(sex={"from": "sex", "scale": 2}), "holds no numbers"),
        (samples(sex={"from": "sex", "missing": "of_patient"}), "treatment and dose_mg only"),
        (samples(sex={"from": "sex", "constant": "male"}), "give one of `from:`"),
        (samples(sex={"from": "sex", "from_all": ["a", "b"]}), "give one of `from:`"),
        ({"source": {"layer": "counts"}}, "source: layer: only a cohort with `route: h5ad`"),
        (
            {"route": "h5ad", "source": {"table": "a.h5ad", "sheet": "b.csv"}},
            "source: sheet: `route: h5ad` reads the samples from obs",
        ),
        ({"route": "h5ad"}, "route: 'h5ad' needs `source: table`"),
        ({"route": "ncbi_counts"}, "write `scale: counts` and `assay: rna-seq`"),
        ({"route": "ncbi_counts", "accession": None}, "'ncbi_counts' needs `accession`"),
        (LANES | {"scale": "log2"}, "lanes are summed as counts"),
        (LANES | {"route": "geo_series_matrix"}, "not with `route: geo_series_matrix`"),
        (LANES | {"source": {"table": "x", "libraries": "(.+)_"}}, "called `library`"),
        (LANES | {"source": {"table": "x", "libraries": "("}}, "is not a regular expression"),
        ({"source": {"sha256": {"table": "abc"}}}, "delete it here and run `adnorm lock`"),
        ({"placebo_arm": None}, "write `placebo_arm: placebo`"),
        (
            {"treatments": TRIAL["treatments"] | {"healthy": {"drug_class": "x"}}},
            "'healthy' is a word of adnorm",
        ),
    ],
)
def test_cohort_files_that_cannot_mean_what_they_say(tmp_path, changes, message):
    with pytest.raises(AdnormError, match=message):
        read_cohort(write_cohort(tmp_path, {**TRIAL, **changes}))


def test_all_problems_of_a_cohort_file_are_told_at_once(tmp_path):
    broken = {**TRIAL, "tissu": "skin", "scale": "log", "route": "geo"}
    with pytest.raises(AdnormError) as failure:
        read_cohort(write_cohort(tmp_path, broken))
    message = str(failure.value)
    assert "did you mean 'tissue'" in message
    assert "scale: 'log' is not allowed; did you mean 'log2'" in message
    assert "route: 'geo' is not allowed" in message


@pytest.mark.parametrize("name", ["a/b", "..", "../x", "", "a b", ".hidden"])
def test_cohort_id_must_be_a_plain_name(tmp_path, name):
    with pytest.raises(AdnormError, match="id: "):
        read_cohort(write_cohort(tmp_path, {**TRIAL, "id": name}))


def test_id_must_be_the_file_name(tmp_path):
    with pytest.raises(AdnormError, match="must be the name of the file, 'other'"):
        read_cohort(write_cohort(tmp_path, TRIAL, "other"))


def test_route_needs_are_checked(tmp_path):
    with pytest.raises(AdnormError, match="needs `source: sheet`"):
        read_cohort(
            write_cohort(tmp_path, {**TRIAL, "route": "local", "source": {"table": "t.csv"}})
        )
    with pytest.raises(AdnormError, match="needs `simulation`"):
        read_cohort(write_cohort(tmp_path, {**TRIAL, "route": "simulated"}))


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_cohort(tmp_path, TRIAL)
    (tmp_path / "sets.gmt").write_text("itch\tmine\tIL31\tIL13\n")
    return {"cohorts": ["trial.yaml"], "gene_sets": ["sets.gmt"]}


def test_study_has_defaults(run):
    study = read_study(run)
    assert study.config.effects.minimum_pairs == 3
    assert study.config.figures.heatmap_sets.itch == ("itch_core_skin_up",)
    assert list(study.cohorts) == ["trial"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cohorts": ["trial.yaml", "trial.yaml"]}, "two cohorts have the id 'trial'"),
        ({"cohorts": ["trail"], "cohort_folder": "."}, "did you mean 'trial'"),
        ({"gene_sets": ["none.gmt"]}, "none.gmt: this gene-set file does not exist"),
        ({"gene_sets": ["trial.yaml"]}, "gene_sets: "),
        ({"identifiers": {"table": "none.tsv"}}, "none.tsv does not exist"),
        ({"scors": {}}, "did you mean 'scores'"),
        ({"scores": {"method": []}}, "did you mean 'methods'"),
        ({"effects": {"minimum_pairs": 1}}, "effects: minimum_pairs: 1 is less than"),
        ({"cohorts": []}, "cohorts"),
    ],
)
def test_configuration_problems_are_named(run, change, message):
    with pytest.raises(AdnormError, match=message):
        read_study({**run, **change})


def test_a_set_of_known_genes_does_not_change_what_a_platform_is_read_by(run, tmp_path):
    first = read_study(run).symbols
    (tmp_path / "more.gmt").write_text("th2\tmine\tIL13\tIL31\n")
    assert read_study({**run, "gene_sets": ["sets.gmt", "more.gmt"]}).symbols == first
    (tmp_path / "more.gmt").write_text("th2\tmine\tIL13\tIL4\n")
    assert read_study({**run, "gene_sets": ["sets.gmt", "more.gmt"]}).symbols != first


def test_mending_a_mapping_does_not_fetch_again(tmp_path):
    first = read_cohort(write_cohort(tmp_path, TRIAL)).view(PublishedCohort)
    mended = {**TRIAL, "samples": {**TRIAL["samples"], "sex": {"constant": "female"}}}
    assert first == read_cohort(write_cohort(tmp_path, mended)).view(PublishedCohort)
    read_otherwise = read_cohort(
        write_cohort(tmp_path, {**TRIAL, "source": {"symbol_column": "gene"}})
    )
    assert first == read_otherwise.view(PublishedCohort)
    other = {**TRIAL, "source": {"matrix": "https://example.org/m.txt.gz"}}
    assert first != read_cohort(write_cohort(tmp_path, other)).view(PublishedCohort)


def test_an_expression_with_several_named_groups_has_no_one_value(tmp_path):
    week = {"from": "visit", "pattern": "(?P<word>week) (?P<value>[0-9]+)"}
    with pytest.raises(AdnormError, match="has the named groups 'value', 'word'; one of them"):
        read_cohort(
            write_cohort(tmp_path, {**TRIAL, "samples": {**TRIAL["samples"], "week": week}})
        )


@pytest.mark.parametrize("name", ["gse80342", "gse193309", "gse199046"])
def test_shipped_cohort_files_are_valid(repository, name):
    assert read_cohort(repository / "config" / "cohorts" / f"{name}.yaml").status == "verified"


def test_what_the_schema_refuses_is_written_as_the_file_writes_it():
    with pytest.raises(AdnormError) as error:
        trial_cohort(titel="x", reference="nonlesionel")
    assert "'titel' is unknown; did you mean 'title'? Known:" in str(error.value)
    assert "allowed: 'nonlesional', 'healthy', 'null'" in str(error.value)
