"""The page of the primary answers: what is estimated, and whether other analyses agree."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from adnorm.figures.answer import ANALYSES, answer_of
from adnorm.figures.page.answers import DIFFERS, estimand, write_answers
from adnorm.study.vocabulary import Analysis
from builders.figure_index import PRIMARY, index_of


@pytest.fixture
def written(tmp_path):
    """Write the page of some data and give its words in one line."""

    def write(data):
        path = tmp_path / "answers.html"
        write_answers(data, answer_of(data), path)
        text = path.read_text(encoding="utf-8").replace("\xa0", " ")
        text = re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL)
        return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())

    return write


@pytest.fixture(scope="module")
def lost(repository, tmp_path_factory):
    """A trial some of whose patients miss the last visit."""
    folder = tmp_path_factory.mktemp("lost")
    gone = ("d201", "p2", "d105")
    return index_of(folder, repository, clinic=False, gone=gone)[1]


def primary(data, arm="drug 20 mg", week=12):
    index = data.tables["index"]
    rows = index[(index["arm"] == arm) & (index["week"] == week)]
    return rows.set_index("name").loc[PRIMARY]


def shown(value, lower, upper):
    return f"{value:.2f} ({lower:.2f} to {upper:.2f})".replace("-", "−")


def test_answers_are_of_the_highest_dose_at_its_last_visit(index_made, written):
    data = index_made[1]
    page = written(data)
    assert "drug 20 mg, week 12, against nonlesional skin" in page
    assert "drug 10 mg" not in page
    # The answer in words stands above what questions it.
    assert page.index("At week 12, drug 20 mg had removed") < page.index("What is estimated")
    for row in primary(data).itertuples():
        assert page.count(shown(row.dni, row.dni_lower, row.dni_upper)) >= 2
        assert shown(row.ni, row.lower, row.upper) in page
        assert f"(step {row.step:.0f})" in page
    assert "p adjusted: Holm" in page
    # What two tests do not find is not found to be otherwise.
    not_found = int((primary(data)["as_reference"] == "no").sum())
    assert not_found and page.count("not shown") == not_found + 1


def test_every_other_analysis_is_set_beside_the_primary_one():
    """All but the percentage of the literature, which is of no primary score."""
    assert set(Analysis) - set(ANALYSES) == {Analysis.PRIMARY, Analysis.PERCENT_IMPROVEMENT}


def test_an_analysis_that_says_otherwise_is_marked(index_made, written):
    data = index_made[1]
    assert written(data).count(DIFFERS) == 1  # in the words that explain it
    others = data.tables["sensitivities"].copy()
    row = (others["analysis"] == "unadjusted") & (others["arm"] == "drug 20 mg")
    row &= (others["week"] == 12) & (others["name"] == PRIMARY[1])
    assert row.sum() == 1
    others.loc[row, ["dni", "dni_lower", "dni_upper"]] = [0.2, -0.1, 0.5]
    page = written(replace(data, tables=data.tables | {"sensitivities": others}))
    assert f"0.20 (−0.10 to 0.50) {DIFFERS}" in page
    others["p_value"] = others["p_value"].mask(others["analysis"] == "sign_flips", 0.3)
    page = written(replace(data, tables=data.tables | {"sensitivities": others}))
    assert page.count(f"p = 0.3 {DIFFERS}") == len(PRIMARY)


def test_exact_p_of_few_patients_contradicts_nothing(index_made, written):
    data = index_made[1]
    others = data.tables["sensitivities"].copy()
    flips = others["analysis"] == "sign_flips"
    others.loc[flips, ["p_value", "pairs"]] = [0.0625, 5]
    page = written(replace(data, tables=data.tables | {"sensitivities": others}))
    assert page.count("p = 0.062 (least possible: 0.062)") == len(PRIMARY)
    assert page.count(DIFFERS) == 1


def test_model_of_missing_visits_is_named_with_what_questions_it(lost, index_made, written):
    page = written(lost)
    assert "MMRM (placebo, drug 10 mg, drug 20 mg)" in page or "MMRM (drug 10 mg" in page
    for words in ("Only patients with both samples", "Only patients with all visits", "be worse"):
        assert words in page
    assert "MMRM" not in written(index_made[1])


def test_what_is_confirmed_depends_on_placebo(index_made, repository, tmp_path, written):
    assert list(estimand(True)) == ["Population", "Variable", "Intercurrent events", "Summary"]
    assert "this is what is confirmed" in written(index_made[1])
    alone = index_of(tmp_path, repository, arms={"drug 10 mg": 8}, weeks=(2.0,), clinic=False)[1]
    page = written(alone)
    assert "no randomised placebo arm" in page and "this is what is confirmed" not in page
    row = primary(alone, "drug 10 mg", 2).iloc[0]
    assert page.count(shown(row["ni"], row["lower"], row["upper"])) >= 2


def test_reference_is_reached_only_where_two_tests_say_so(index_made, written):
    data = index_made[1]
    index = data.tables["index"].copy()
    index["as_reference"] = "no"
    # The words below the table say once what it means.
    assert written(replace(data, tables=data.tables | {"index": index})).count(" yes ") == 1
    rows = (index["arm"] == "drug 20 mg") & (index["week"] == 12)
    index.loc[rows & (index["name"] == PRIMARY[0]), "as_reference"] = "yes"
    page = written(replace(data, tables=data.tables | {"index": index}))
    assert page.count(" yes ") == 2


def test_no_answer_is_a_sentence(index_made, written):
    data = index_made[1]
    nothing = dict.fromkeys(("ni", "lower", "upper", "dni", "dni_lower", "dni_upper"), np.nan)
    index = data.tables["index"].assign(**nothing, reason="too weak", reason_code="")
    page = written(replace(data, tables=data.tables | {"index": index}))
    assert "cannot be known, because too weak." in page and "Primary estimate" not in page
    page = written(replace(data, tables=data.tables | {"index": index.iloc[:0]}))
    assert "cannot be known, because no lesional skin was sampled after baseline." in page


def test_what_casts_doubt_on_all_numbers_stands_above_them(index_made, written, monkeypatch):
    data = index_made[1]
    assert "Negative controls move" not in written(data) and "cannot be told" not in written(data)
    monkeypatch.setitem(data.facts, "batch", "Batches cannot be told from visits: 3 comparisons")
    controls = pd.DataFrame({"moves": ["yes"], "change": [0.4]})
    monkeypatch.setitem(data.tables, "controls", controls)
    page = written(data)
    start = page.index("Does the answer hold? Cohort")
    for alert in ("Batches cannot be told from visits: 3 comparisons", "Negative controls move"):
        assert page.index(alert) < start
