"""Which raw field a key means, and how numbers are read: whole, signed, or refused."""

from __future__ import annotations

import re

import anndata
import numpy as np
import pandas as pd
import pytest
import yaml

from adnorm.base.errors import AdnormError, Problems
from adnorm.readers.h5ad import read_obs
from adnorm.readers.series_matrix import read_series_matrix
from adnorm.study.decimals import NUMBER_PATTERN
from adnorm.study.mapping import Rule
from adnorm.study.raw_fields import normalised_key
from adnorm.study.samples import build_sample_sheet
from builders.cohorts import LAB, mapping_of, measured_of

SAMPLES = {
    "patient": {"from": "who"},
    "state": {"from": "skin", "values": {"LS": "lesional", "NL": "nonlesional"}},
    "treatment": {"constant": "none"},
    "week": {"from": "visit", "values": {"BL": 0, "W4": 4}},
}


def sheet(**fields):
    """Four samples of two patients at two visits, with fields of one's own."""
    rows = [("P1", "LS", "BL"), ("P1", "NL", "BL"), ("P2", "LS", "BL"), ("P2", "NL", "W4")]
    raw = pd.DataFrame(rows, columns=["who", "skin", "visit"], index=["s1", "s2", "s3", "s4"])
    raw.loc["s4", "visit"] = "BL"
    return raw.assign(**fields)


def canonical(raw, **rules):
    cohort = measured_of(LAB | {"samples": SAMPLES | rules})
    return build_sample_sheet(raw, cohort)[0].set_index("sample").loc[list(raw.index)]


def read(column, cells, **spec):
    """Read one column; what is wrong with it, too."""
    raw = pd.DataFrame({"key": cells}, index=[f"s{i}" for i in range(len(cells))])
    problems = Problems("c.yaml")
    found = Rule(column, mapping_of({"from": "key"} | spec), "c.yaml").apply(raw, problems)
    return pd.to_numeric(found, errors="coerce").tolist(), problems.sentences


def refused(raw, **rules):
    with pytest.raises(AdnormError) as error:
        canonical(raw, **rules)
    return str(error.value)


# ---------------------------------------------------------------- which field


@pytest.mark.parametrize("order", [1, -1])
def test_an_exact_name_is_that_field_alone(order):
    raw = sheet(**{"EASI": ["20", "", "18", ""], "EASI (%)": ["0", "50", "0", "40"]})
    raw = raw[list(raw)[::order]]
    easi = canonical(raw, easi={"from": "EASI", "missing": None})["easi"]
    assert easi.dropna().tolist() == [20, 18]
    assert canonical(raw, easi={"from": "EASI (%)"})["easi"].tolist() == [0, 50, 0, 40]
    message = refused(raw, easi={"from": "EASI"})
    assert "'(empty)' of the key 'EASI' (2 samples" in message


def test_one_spelling_is_enough_where_it_is_alone():
    for name in ("easi score", "EASI_Score", "EASI-score:"):
        raw = sheet(**{name: ["1", "2", "3", "4"]})
        assert canonical(raw, easi={"from": "EASI score"})["easi"].tolist() == [1, 2, 3, 4]


def test_a_share_is_never_taken_for_the_score():
    message = refused(sheet(**{"EASI (%)": list("1234")}), easi={"from": "EASI"})
    assert "from: 'EASI' is not a key" in message


def test_fields_that_differ_in_punctuation_alone_must_be_named():
    raw = sheet(**{"EASI [0]": list("1234"), "EASI (0)": list("5678")})
    message = refused(raw, easi={"from": "easi 0"})
    assert "'easi 0' may be 'EASI [0]', 'EASI (0)'" in message
    line = re.search(r"such as `(from: .*?)`", message)[1]
    assert canonical(raw, easi=yaml.safe_load(line))["easi"].tolist() == [1, 2, 3, 4]
    cohort = LAB | {"samples": SAMPLES, "exclude": [{"from": "easi_0", "values": ["1"]}]}
    cohort["exclude"][0]["reason"] = "x"
    with pytest.raises(AdnormError, match="exclude: rule 1: from: 'easi_0' may be"):
        build_sample_sheet(raw, measured_of(cohort))


def test_a_nearly_equal_field_is_named_where_the_named_one_is_empty():
    raw = sheet(**{"Site.": ["a", "", "b", ""], "site (": ["", "c", "", "d"]})
    message = refused(raw, site={"from": "Site."})
    line = re.search(r"write `(from: .*?)`", message)[1]
    assert canonical(raw, site=yaml.safe_load(line))["site"].tolist() == ["a", "c", "b", "d"]


def test_characteristics_of_geo_are_joined_by_case_and_spaces_only(tmp_path):
    def row(key, *cells):
        return "\t".join([f"!Sample_{key}", *(f'"{c}"' for c in cells)])

    lines = [
        row("geo_accession", "GSM1", "GSM2"),
        row("characteristics_ch1", "EASI: 20", "EASI (%): 50"),
        row("characteristics_ch1", "Skin Type: LS", "skin_type: NL"),
        row("characteristics_ch1", "Dose: 1", "dose: 2"),
        row("characteristics_ch1", "dose: 3", ""),
        "!series_matrix_table_begin",
        '"ID_REF"\t"GSM1"\t"GSM2"',
        "!series_matrix_table_end",
    ]
    path = tmp_path / "GSE1_series_matrix.txt"
    path.write_text("\n".join(lines) + "\n")
    raw = read_series_matrix(path, None, read_metadata_only=True).samples
    assert raw["EASI"].tolist() == ["20", ""]
    assert raw["EASI (%)"].tolist() == ["", "50"]
    assert raw["Skin Type"].tolist() == ["LS", "NL"]
    # One sample has both, so they are two fields.
    assert (raw["Dose"].tolist(), raw["dose"].tolist()) == (["1", ""], ["3", "2"])


# ---------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    ("column", "pattern", "cells", "cut"),
    [
        ("easi", "(?P<value>[0-9.]+)", ["21,5", "3"], "21,5 → 21"),
        ("easi", "^(?P<value>[0-9.]+).*$", ["21,5 (severe)", "3"], "21,5 (severe) → 21"),
        ("easi", "(?P<value>[0-9]+)$", ["21.5", "3"], "21.5 → 5"),
        ("easi", "(?P<value>[0-9.]+)", ["1'250", "3"], "1'250 → 1"),
        ("easi", "(?P<value>[0-9.]+)", ["7½", "3"], "7½ → 7"),
        ("easi", "(?P<value>[0-9.]+)", ["1.5e1", "3"], "1.5e1 → 1.5"),
        ("dose_mg", "(?P<value>[0-9]+) mg", ["UPA 7.5 mg", "UPA 15 mg"], "UPA 7.5 mg → 5"),
        ("week", "(?P<value>[0-9]+)", ["Week -2", "Week 4"], "Week -2 → 2"),
        ("week", "(?P<value>[0-9]+)", ["Week \u22122", "Week 4"], "Week \u22122 → 2"),
        ("week", "(?P<value>[0-9]+)", ["-2", "4"], "-2 → 2"),
        ("week", "wk-?(?P<value>[0-9]+)", ["wk-1", "wk16"], "wk-1 → 1"),
    ],
)
def test_a_pattern_that_leaves_a_part_of_a_number_is_refused(column, pattern, cells, cut):
    _, problems = read(column, cells, pattern=pattern)
    assert len(problems) == 1
    assert f"'{cut}'" in problems[0] and "unread in 1 samples" in problems[0]


@pytest.mark.parametrize(
    ("column", "pattern", "cells", "expected"),
    [
        ("week", "(?P<value>[0-9]+)", ["Week-0", "Week-4"], [0, 4]),
        ("week", "(?P<value>[-\u2212]?[0-9]+)", ["Week \u22122", "Week 4"], [-2, 4]),
        ("easi", NUMBER_PATTERN, ["21,5 (severe)", "EASI: 3", "0"], [21.5, 3, 0]),
        ("easi", "(?P<value>[0-9]+)", ["12 (of 72)", "AD-04 missing"], [12, 4]),
        ("week", "^m(?P<value>[0-9]+)_", ["m0_AL", "m3_AN"], [0, 3]),
    ],
)
def test_whole_numbers_are_taken(column, pattern, cells, expected):
    found, problems = read(column, cells, pattern=pattern)
    assert not problems
    assert found == expected


def test_what_values_names_may_be_a_part():
    rule = {"pattern": "(?P<value>[0-9]+)", "values": {"21": 21}}
    assert read("easi", ["21,5", "3"], **rule) == ([21, 3], [])


def test_the_printed_pattern_reads_every_number_as_it_is():
    cells = ["21,5", "7,2", "20", "n.d.", "25,0"] * 4
    _, problems = read("easi", cells, pattern="(?P<value>[0-9.]+)")
    pattern = re.search(r"write `pattern: '(.*?)'`", problems[0])[1]
    found, problems = read("easi", cells, pattern=pattern)
    assert not problems
    assert found[:3] == [21.5, 7.2, 20] and np.isnan(found[3]) and found[4] == 25


@pytest.mark.parametrize(
    "word",
    ["n.d.", "ND", "NA", "N/A", "#N/A", "not done", "Missing", "unknown", "-", ".", "\u2013", "?"],
)
def test_usual_words_for_no_value_are_known_in_columns_of_numbers(word):
    found, problems = read("easi", ["3,5", word, "4"])
    assert not problems
    assert found[0] == 3.5 and np.isnan(found[1]) and found[2] == 4
    # A column of words keeps them, and an itch of none is not a missing one.
    raw = sheet(site=["arm", word, "leg", "leg"], nrs=["none", "3", "4", "5"])
    assert canonical(raw, site={"from": "site"}).loc["s2", "site"] == word
    assert "'none' is not a number" in refused(raw, itch_nrs={"from": "nrs"})


def test_numbers_pass_through_values_unless_these_are_codes():
    assert read("easi", ["3,5", "4", "x"], values={"x": None})[0][:2] == [3.5, 4]
    assert read("easi", ["3", "999"], values={999: None})[1] == []
    for column, values in (("easi", {1: 10, 2: 20}), ("week", {"BL": 0})):
        problems = read(column, ["1", "2", "3", "BL"], values=values)[1]
        assert "no mapping covers" in problems[0]
        # The number may be a code of a visit, so that no pattern may take it.
        assert "pattern" not in problems[0]
    raw = pd.DataFrame({"study week": ["BL", "4"]})
    found = Rule("week", mapping_of({"from": "study week", "values": {"BL": 0}}), "").apply(
        raw, Problems("")
    )
    assert found.tolist() == [0, "4"]


def test_a_factor_reads_decimal_commas_and_long_minus_signs():
    assert read("week", ["-7", "\u22127", "14,0"], scale=1 / 7) == ([-1, -1, 2], [])


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        ("week", ["Month 3", "Month 6"]),
        ("week", ["Day 15", "Day 29"]),
        ("week", ["Week-2", "Week-4"]),
        ("age", ["34 years", "6 months"]),
        ("easi", ["<1", "5 mg"]),
        ("easi", ["5/72", "6/72"]),
        ("itch_nrs", ["87 mm", "3 mm"]),
        ("dose_mg", ["5 mg/kg", "3 mg/kg"]),
        ("dose_mg", ["0.5 g", "1 g"]),
        ("easi", ["10-15", "20-25"]),
        ("easi", ["50 %", "75 %"]),
    ],
)
def test_no_pattern_is_advised_that_changes_a_number(column, cells):
    message = refused(sheet(value=cells * 2), **{column: {"from": "value"}})
    assert "is not a number" in message
    assert "pattern" not in message


def test_one_typing_error_is_no_scale_in_millimetres():
    one = refused(sheet(nrs=["8", "87", "3", "4"]), itch_nrs={"from": "nrs"})
    assert "mend the values" in one and "scale" not in one
    all_mm = refused(sheet(nrs=["80", "87", "30", "40"]), itch_nrs={"from": "nrs"})
    assert "scale: 0.1" in all_mm


# ---------------------------------------------------------------- before baseline


def rule_of(message):
    return yaml.safe_load(re.search(r"`- (\{.*?\})`", message)[1])


@pytest.mark.parametrize("week", [-2, 0], ids=["below_0", "second_baseline"])
def test_a_screening_visit_has_one_way_out_that_works(week):
    raw = sheet()
    early = raw.iloc[[0, 2]].assign(visit="Screening").set_axis(["e1", "e2"])
    raw = pd.concat([raw, early])
    rules = {"week": {"from": "visit", "values": {"BL": 0, "Screening": week}}}
    message = refused(raw, **rules)
    assert "map" not in message or "later visit" in message
    rule = rule_of(message)
    assert rule == {"from": "visit", "values": ["Screening"], "reason": "before baseline"}
    cohort = LAB | {"samples": SAMPLES | rules, "exclude": [rule]}
    samples, excluded = build_sample_sheet(raw, measured_of(cohort))
    assert (len(samples), set(excluded["sample"])) == (4, {"e1", "e2"})


def test_the_only_visit_before_treatment_is_said_to_be_baseline():
    raw = sheet(visit=["Week -2", "Week -2", "Week -2", "Week -2"])
    message = refused(raw, week={"from": "visit", "values": {"Week -2": -2}})
    assert "write 0 for the last visit before treatment" in message
    assert "reference: '" not in message


# ---------------------------------------------------------------- names of an index


@pytest.mark.parametrize(
    "name", ["sample", "patient", "state", "week", "arm", "treatment", "dose_mg", "title", None]
)
def test_the_index_of_obs_may_have_any_name(tmp_path, name):
    raw = sheet()
    data = anndata.AnnData(np.ones((4, 2), dtype="float32"), obs=raw.rename_axis(index=name))
    data.write_h5ad(tmp_path / "x.h5ad")
    found = read_obs(tmp_path / "x.h5ad")
    assert found.index.name is None
    assert canonical(found)["patient"].tolist() == ["P1", "P1", "P2", "P2"]
    assert canonical(raw.rename_axis(index=name))["week"].tolist() == [0, 0, 0, 0]


# ---------------------------------------------------------------- values and patterns


def apply(spec, values, column="week"):
    raw = pd.DataFrame({"key": values}, index=[f"s{i}" for i in range(len(values))])
    problems = Problems("c.yaml")
    return Rule(column, mapping_of(spec), "c.yaml").apply(raw, problems), problems


@pytest.mark.parametrize("key", ["skin type", "Skin_Type", "skin-type", "skin  type "])
def test_keys_match_without_case_and_punctuation(key):
    assert normalised_key(key) == normalised_key("skin type")


def test_values_match_as_text_and_as_numbers():
    mapped, problems = apply({"from": "KEY", "values": {"01": 0, 2: 4}}, ["1", "02"])
    assert mapped.tolist() == [0, 4]
    assert not problems


def test_uncovered_values_list_all_raw_values_with_counts():
    _, problems = apply({"from": "key", "values": {"a": 0}}, ["a", "a", "b", ""])
    message = problems.sentences[0]
    assert "'b'" in message
    assert "'a' (2), empty (1), 'b' (1)" in message
    assert "values" in message and "c.yaml" in message


def test_an_empty_raw_value_is_never_guessed():
    _, problems = apply({"from": "key"}, ["x", ""])
    assert "(empty)" in problems.sentences[0]
    mapped, problems = apply({"from": "key", "missing": "y"}, ["x", ""])
    assert mapped.tolist() == ["x", "y"]
    assert not problems


def test_unknown_key_names_the_nearest_and_shows_what_there_is():
    _, problems = apply({"from": "kei"}, ["x"])
    assert "did you mean 'key'" in problems.sentences[0]
    assert "e.g. 'x'" in problems.sentences[0]


def test_alternatives_are_taken_sample_by_sample():
    raw = pd.DataFrame({"a": ["1", ""], "b": ["9", "2"]}, index=["s0", "s1"])
    problems = Problems("c.yaml")
    mapped = Rule("week", mapping_of({"from": ["a", "b"]}), "c.yaml").apply(raw, problems)
    assert mapped.tolist() == ["1", "2"]


def test_an_exact_value_wins_over_the_same_number_and_underscores_are_no_digits():
    mapped, problems = apply({"from": "key", "values": {1: "drug", "01": "placebo"}}, ["01", "1"])
    assert mapped.tolist() == ["placebo", "drug"]
    _, problems = apply({"from": "key", "values": {12: "drug"}}, ["1_2"])
    assert "'1_2'" in problems.sentences[0]


def test_a_pattern_that_does_not_match_is_uncovered_even_with_missing():
    spec = {"from": "key", "pattern": "arm (?P<value>[a-z]+)", "missing": "none"}
    _, problems = apply(spec, ["arm drug", "something"])
    assert "'something'" in problems.sentences[0]
    mapped, problems = apply(
        {"from": "key", "pattern": "(?P<value>[0-9]*) ?mg", "missing": 0}, ["mg"]
    )
    assert mapped.tolist() == [0] and not problems


def test_scale_leaves_canonical_values_alone():
    spec = {"from": "key", "values": {"baseline": 0, "week 12": 12}, "scale": 4, "missing": 1}
    spec |= {"pattern": "^(?P<value>[0-9]+)$"}
    mapped, problems = apply(spec, ["week 12", "3", "", "baseline"])
    assert mapped.tolist() == [12, 12, 1, 0] and not problems
