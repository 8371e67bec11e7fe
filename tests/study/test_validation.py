"""Models of what people write: what they refuse, in which words, and what stages take of them."""

from __future__ import annotations

import pytest

from adnorm.base.errors import AdnormError
from adnorm.study.cohort import ColumnMapping, DescribedCohort, MeasuredCohort, PublishedCohort
from adnorm.study.config import RunConfig
from adnorm.study.reading import read_cohort
from adnorm.study.validation import check, find_faults, with_types
from builders.cohorts import LAB, cohort_of

RUN = {"cohorts": ["a"]}
COHORT = LAB | {
    "samples": {
        "patient": {"from": "who"},
        "state": {"from": "skin", "values": {"LS": "lesional"}},
        "treatment": {"constant": "none"},
        "week": {"from": "visit", "missing": None},
    },
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"geo": {"attempts": "1"}}, "geo: attempts: found '1', which is not of type integer"),
        ({"geo": {"attempts": True}}, "geo: attempts: found True, which is not of type integer"),
        ({"geo": None}, "geo: found null, which is not of type object"),
        ({"seed": -1}, "seed: -1 is less than the minimum of 0"),
        ({"effects": {"fdr": 1}}, "effects: fdr: 1 is greater than or equal to the maximum of 1"),
        ({"index": {"minimum_effect": float("inf")}}, "minimum_effect: inf is not a finite number"),
        ({"index": {"axis_genes": 3}}, "axis_genes: found 3, which is not of type string or null"),
        ({"scores": {"methods": []}}, "scores: methods: [] has fewer than 1 entries"),
        (
            {"scores": {"methods": ["zscor"]}},
            "item 1: 'zscor' is not allowed; did you mean",
        ),
        ({"scores": {"methods": ["gsva", "gsva"]}}, "['gsva', 'gsva'] holds an entry twice"),
        ({"identifiers": {"sha256": "abc"}}, "'abc' is not a valid name here: Pinned SHA-256"),
        (
            {"enrichment": {"inter_gene_correlation": "high"}},
            "'high' fits none of the allowed forms. Correlation between genes",
        ),
    ],
)
def test_what_a_model_refuses_is_said_in_the_words_of_the_file(change, message):
    with pytest.raises(AdnormError) as error:
        check(RunConfig, RUN | change, "run.yaml")
    assert message in str(error.value) and str(error.value).startswith("run.yaml: ")


def test_all_faults_are_told_at_once_and_a_mistyped_key_once():
    wrong = {"cohort": ["a"], "seed": "x", "scores": {"method": [], "minimum_genes": 0}}
    faults = find_faults(RunConfig, wrong)
    assert len(faults.sentences) == 4
    assert not any("must be given" in sentence for sentence in faults.sentences)
    assert {("cohorts",), ("seed",), ("scores", "methods"), ("scores", "minimum_genes")} <= (
        faults.places
    )


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"from": None}, "from: null fits none of the allowed forms. Raw key"),
        ({"from": []}, "from: [] fits none of the allowed forms"),
        ({"from_all": ["a"]}, "from_all: ['a'] has fewer than 2 entries"),
        ({"pattern": None}, "pattern: found null, which is not of type string"),
        ({"values": {"a": True}}, "values: a: found True, which is not of type string or number"),
    ],
)
def test_a_key_that_may_be_left_out_is_not_null(mapping, message):
    with pytest.raises(AdnormError) as error:
        check(ColumnMapping, mapping, "c.yaml")
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({"reason": "r"}, "found none"),
        ({"from": "a", "reason": "r"}, "found `from:`"),
        ({"samples": ["a"], "pattern": "b", "reason": "r"}, "found `pattern:`, `samples:`"),
    ],
)
def test_a_rule_that_excludes_has_one_form(rule, told):
    with pytest.raises(AdnormError) as error:
        cohort_of(COHORT | {"exclude": [rule]})
    assert "exclude: item 1: give `samples:`, or `from:` with one of" in str(error.value)
    assert told in str(error.value)


def test_a_treatment_that_is_a_number_is_put_in_quotes():
    with pytest.raises(AdnormError, match="treatments: the key 5 is no text; put it in quotes"):
        cohort_of(COHORT | {"treatments": {5: {"drug_class": "x"}}})


# ---------------------------------------------------------------- what was typed on a command line


def test_typed_values_have_the_type_of_their_key():
    typed = {
        "geo": {"attempts": "1", "read_timeout": "2.5", "address": "12"},
        "expression": {"exclude_outliers": "true", "minimum_samples": "null"},
        "identifiers": {"table": "null"},
        "enrichment": {"inter_gene_correlation": "0.1"},
        "scores": {"methods": ["zscore"]},
        "cohorts": ["1"],
    }
    config = check(RunConfig, with_types(RunConfig, typed, typed), "run")
    assert (config.geo.attempts, config.geo.read_timeout, config.geo.address) == (1, 2.5, "12")
    assert config.expression.exclude_outliers and config.expression.minimum_samples is None
    assert config.identifiers.table is None
    assert config.enrichment.inter_gene_correlation == 0.1
    assert config.cohorts == ("1",)


def test_a_file_is_read_strictly_whatever_was_typed():
    value = RUN | {"geo": {"attempts": "1"}}
    for typed in ({}, {"geo": {"attempts": "2"}}, {"seed": "1"}, {"geo": "x"}):
        assert with_types(RunConfig, value, typed) == value


@pytest.mark.parametrize("text", ["x", "[1", "1.5"])
def test_what_cannot_be_read_is_refused_as_it_was_typed(text):
    typed = RUN | {"geo": {"attempts": text}}
    with pytest.raises(AdnormError, match="geo: attempts: found .*, which is not of type integer"):
        check(RunConfig, with_types(RunConfig, typed, typed), "run")


# ---------------------------------------------------------------- what a stage takes


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        (PublishedCohort, {"status": "verified", "note": "n", "citation": "c"}),
        (MeasuredCohort, {"status": "verified", "note": "n", "citation": "c"}),
        (DescribedCohort, {"tissue": "tape strip", "assay": "microarray"}),
    ],
)
def test_a_stage_sees_only_what_it_uses(kind, shown):
    assert cohort_of(COHORT).view(kind) == cohort_of(COHORT | shown).view(kind)


def test_a_view_survives_being_a_parameter():
    """What the file leaves out stays left out: `missing: null` is not the same as no `missing:`."""
    view = cohort_of(COHORT).view(MeasuredCohort)
    again = MeasuredCohort.model_validate(view.model_dump(by_alias=True))
    assert again == view
    assert again.samples.week.says_missing and not again.samples.state.says_missing
    assert "sex" not in view.model_dump(by_alias=True)["samples"]


def test_models_cannot_be_changed():
    cohort = cohort_of(COHORT)
    with pytest.raises(ValueError, match="frozen"):
        cohort.id = "other"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"weeks": [0, 4, 8]}, "simulation: arms: 'drug': reversal has 1 values, but 2"),
        ({"writes": "geo_series_matrix"}, "simulation: writes: 'geo_series_matrix' gives log2"),
        ({"counts": {"library_size": [30, 13]}}, "simulation: counts: library_size is [30, 13]"),
    ],
)
def test_a_plan_that_contradicts_itself_is_told_before_any_work(tmp_path, change, told):
    import yaml

    arms = [{"treatment": "drug", "patients": 4, "reversal": [0.5]}]
    plan = {"writes": "geo_supplementary", "weeks": [0, 4], "arms": arms} | change
    value = COHORT | {"route": "simulated", "source": {}, "simulation": plan}
    path = tmp_path / "lab.yaml"
    path.write_text(yaml.safe_dump(value))
    with pytest.raises(AdnormError) as error:
        read_cohort(path)
    assert told in str(error.value)
