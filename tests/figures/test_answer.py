"""What a cohort answers: the choice by the design, every kind of sentence, its numbers."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from adnorm.base.errors import AdnormError
from adnorm.base.text import points
from adnorm.figures.answer import (
    BECAUSE,
    NOUNS,
    across,
    answer_of,
    drug_arms,
    highest_doses,
    itch_score,
    of_doses,
    read_answer,
    write_answer,
)
from adnorm.figures.answer_figure import MOST_ROWS, NARROW, WIDE, draw_answer
from adnorm.figures.labels import EXPLORATORY
from adnorm.study.vocabulary import ReasonCode
from builders.figure_index import index_of, words

ITCH, ARM = "itch_core_skin_up", "drug 20 mg"
NBSP = "\u00a0"


@pytest.fixture
def data(index_made):
    """The trial with placebo and two doses, weeks 2 and 12; its tables may be replaced."""
    found = index_made[1]
    return replace(found, tables=dict(found.tables), facts=dict(found.facts))


def row_of(data, arm=ARM, week=12.0, name=ITCH):
    index = data.tables["index"]
    rows = index[(index["arm"] == arm) & (index["week"] == week) & (index["name"] == name)]
    assert len(rows) == 1
    return rows.iloc[0]


def change(data, arm=ARM, week=12.0, name=ITCH, **values):
    """Put other values into some rows of index.tsv; None takes all names, arms or weeks."""
    index = data.tables["index"].copy()
    rows = pd.Series(True, index=index.index)
    for column, value in (("arm", arm), ("week", week), ("name", name)):
        rows &= True if value is None else index[column] == value
    assert rows.any()
    for column, value in values.items():
        index[column] = index[column].astype(object).where(~rows, value)
        if isinstance(value, float):
            index[column] = index[column].astype(float)
    data.tables["index"] = index
    return data


def said(data, arm=ARM):
    """The sentence of an arm, with plain spaces."""
    (told,) = [told for told in answer_of(data).told if told.arm == arm]
    return told.sentence.replace(NBSP, " ")


def whole(share):
    return f"{round(100 * share)}".replace("-", "−")


def interval(row, kind="dni"):
    names = ("dni_lower", "dni_upper") if kind == "dni" else ("lower", "upper")
    return " to ".join(whole(row[name]) for name in names)


NO_DNI = {"dni": np.nan, "dni_lower": np.nan, "dni_upper": np.nan}
NOTHING = NO_DNI | {"ni": np.nan, "lower": np.nan, "upper": np.nan, "status": "NA"}


# ---------------------------------------------------------------- the choice


def test_the_highest_dose_of_every_drug_is_told_whatever_came_out(data):
    assert highest_doses(data) == [ARM]
    assert drug_arms(data) == {"drug 10 mg": False, ARM: True}
    # The lower dose does better by far, and another visit, too: nothing changes.
    better = {"dni": 1.5, "dni_lower": 1.4, "dni_upper": 1.6}
    change(data, arm="drug 10 mg", name=None, week=None, **better)
    assert [told.arm for told in answer_of(data).told] == [ARM]
    change(data, week=2.0, name=None, **better)
    assert said(data).startswith("At week 12, ")


def test_every_drug_of_a_cohort_is_told(tmp_path, repository):
    arms = {"placebo": 4, "drug 10 mg": 4, "other 5 mg": 4, "other 50 mg": 4}
    data = index_of(tmp_path, repository, arms=arms, weeks=(4.0,), clinic=False)[1]
    assert highest_doses(data) == ["drug 10 mg", "other 50 mg"]
    assert [told.arm for told in answer_of(data).told] == ["drug 10 mg", "other 50 mg"]


def test_a_vehicle_arm_is_no_drug(data):
    samples = data.tables["samples"].copy()
    samples.loc[samples["arm"] == "drug 10 mg", "drug_class"] = "placebo"
    data.tables["samples"] = samples
    assert list(drug_arms(data)) == [ARM]


def test_itch_is_what_the_configuration_has_of_it(data):
    def chosen(*primary):
        index = data.settings.index.model_copy(update={"primary": primary})
        settings = data.settings.model_copy(update={"index": index})
        return itch_score(replace(data, settings=settings))

    assert chosen("global", "itch_minus_th2", ITCH) == ITCH
    assert chosen("global", "itch_minus_th2") == "itch_minus_th2"
    assert chosen("global", "itch_sensory_channels") == "itch_sensory_channels"
    assert chosen("th2", "global") == "th2"


# ---------------------------------------------------------------- sentences


def test_a_drug_is_told_by_its_difference_from_placebo(data):
    last, first = row_of(data), row_of(data, week=2.0)
    placebo = row_of(data, arm="placebo")
    assert said(data) == (
        f"At week 12, {ARM} had removed {whole(last['dni'])} percentage points more of the itch "
        f"gene signature than placebo, given the score at baseline (95 % CI {interval(last)}; "
        f"{last['pairs']} and {last['placebo_pairs']} patients): {whole(last['ni'])} % of it was "
        f"gone ({interval(last, 'ni')}), on placebo {whole(placebo['ni'])} %. At week 2, the first "
        f"visit after baseline, {whole(first['dni'])} more ({interval(first)})."
    )
    (told,) = answer_of(data).told
    for name in ("global", "barrier_hyperproliferation_up"):
        row = row_of(data, name=name)
        assert f"{whole(row['dni'])} ({interval(row)})" in told.others.replace(NBSP, " ")
    assert "Whole disease axis" in told.others and "more than placebo" in told.others


def test_an_interval_around_0_says_that_it_cannot_be_told(data):
    change(data, dni=0.12, dni_lower=-0.05, dni_upper=0.29)
    text = said(data)
    assert "12 percentage points more" in text and "(95 % CI −5 to 29;" in text
    assert (
        "The interval includes 0: whether drug 20 mg removed more of it than placebo cannot be told"
        in text
    )
    assert "worse" not in text


def test_worse_than_placebo_is_said_so(data):
    change(data, dni=-0.2, dni_lower=-0.35, dni_upper=-0.05)
    text = said(data)
    assert "had removed 20 percentage points less of the itch gene signature than placebo" in text
    assert "(difference −20, 95 % CI −35 to −5;" in text
    assert "drug 20 mg removed less of it than placebo." in text
    # The first visit went the other way, and does not read as if it had not.
    change(data, week=2.0, dni=0.12, dni_lower=0.02, dni_upper=0.22)
    end = "At week 2, the first visit after baseline, 12 more (2 to 22)."
    assert said(data).endswith(end)
    change(data, week=2.0, dni=-0.12, dni_lower=-0.22, dni_upper=0.02)
    assert said(data).endswith("12 less (difference −12, −22 to 2, includes 0).")
    change(data, dni=-0.2, dni_lower=-0.5, dni_upper=0.05)
    assert "cannot be told" in said(data) and "removed less" not in said(data)
    change(data, ni=-0.06, lower=-0.2, upper=0.1)
    change(data, arm="placebo", ni=-0.03)
    text = said(data)
    assert ": it was 6 % further from normal (change back −6 %, −20 to 10), on placebo 3 %" in text
    assert "on placebo 3 % further from normal." in text


def test_what_is_not_significant_after_adjustment_is_said_so(data):
    change(data, dni=0.3, dni_lower=0.02, dni_upper=0.5, adjusted_p_value=0.08)
    assert "not significant after adjustment for all tests" in said(data)
    assert "(adjusted p = 0.08)" in said(data)
    change(data, adjusted_p_value=0.04)
    assert "not significant" not in said(data)
    change(data, adjusted_p_value=0.5, dni_lower=-0.02)
    assert "not significant" not in said(data)
    # The p-value of another number than the one told says nothing about it.
    change(data, adjusted_p_value=0.5, dni_lower=0.02, tested="NI")
    assert "not significant" not in said(data)
    # Every number that is told is asked.
    few = {"dni": 0.3, "dni_lower": 0.02, "dni_upper": 0.5, "adjusted_p_value": 0.08}
    change(data, week=2.0, **few)
    assert "30 more (2 to 50, not significant after adjustment)." in said(data)
    change(data, name="global", **few)
    change(data, name="barrier_hyperproliferation_up", **few | {"dni_lower": -0.1})
    (told,) = answer_of(data).told
    others = told.others.replace(NBSP, " ")
    assert "Whole disease axis 30 (2 to 50, not significant after adjustment)" in others
    assert "30 (−10 to 50, includes 0)" in others


def test_ends_that_are_not_0_are_not_written_as_0(data):
    change(data, dni=0.3, dni_lower=0.004, dni_upper=0.6)
    assert "(95 % CI 0.4 to 60;" in said(data)
    assert [points(x) for x in (0.0049, -0.0004, 0.0, 0.00001)] == ["0.5", "−0.04", "0", "0.001"]


@pytest.fixture(scope="module")
def alone(repository, tmp_path_factory):
    """A trial without placebo."""
    folder = tmp_path_factory.mktemp("alone")
    return index_of(folder, repository, arms={ARM: 8}, weeks=(2.0, 12.0), clinic=False)[1]


def test_without_placebo_the_arm_alone_is_told_as_uncontrolled(alone):
    last, first = row_of(alone), row_of(alone, week=2.0)
    text = said(alone)
    assert text.startswith(
        f"At week 12, {whole(last['ni'])} % of the itch gene signature was gone under {ARM} (95 % "
        f"CI {interval(last, 'ni')}; {last['pairs']} patients). At week 2, the first visit after "
        f"baseline, {whole(first['ni'])} % ({interval(first, 'ni')})."
    )
    assert "There is no placebo arm" in text and "(uncontrolled)" in text
    answer = answer_of(alone)
    assert not answer.controlled
    assert any(banner.startswith("No placebo arm") for banner in answer.banners)
    assert across([answer]) == ["Uncontrolled, no placebo to compare with: trial."]
    assert not any("On placebo" in sentence for sentence in answer.care)


def test_further_from_normal_than_before_is_said_in_words(alone):
    data = replace(alone, tables=dict(alone.tables))
    change(data, ni=-0.15, lower=-0.3, upper=0.02)
    text = said(data)
    assert "the itch gene signature was 15 % further from normal under drug 20 mg" in text
    assert "(change back −15 %, 95 % CI −30 to 2; 8 patients)" in text
    assert "The interval includes 0: whether anything changed cannot be told." in text


@pytest.mark.parametrize(
    ("code", "words_"),
    [
        ("NOT_RANDOMISED", "patients did not come into the arms at random"),
        ("TOO_FEW_PAIRS", "too few patients have skin of both visits"),
        ("DENOM_NOT_ESTIMABLE", "the difference between lesional and nonlesional skin"),
    ],
)
def test_arms_that_cannot_be_compared_say_why(data, code, words_):
    values = NO_DNI | {"dni_reason_code": code, "dni_reason": "detail <b>"}
    change(data, arm=None, week=None, name=None, **values)
    text = said(data)
    assert f"{whole(row_of(data)['ni'])} % of the itch gene signature was gone under" in text
    assert f"How this compares with placebo cannot be known, because {words_}" in text
    assert text.endswith("(uncontrolled).")
    assert not answer_of(data).controlled


@pytest.mark.parametrize("code", BECAUSE)
def test_what_cannot_be_known_has_its_reason_in_words(data, code):
    change(data, **NOTHING, reason_code=code, reason="detail 0.5 ± 0.1")
    text = said(data)
    because = BECAUSE[code].format(skin="nonlesional")
    assert text.startswith(
        "How much of the itch gene signature was gone under drug 20 mg by week 12 cannot be known, "
        f"because {because}"
    )
    # Others may be known, and are told.
    (told,) = answer_of(data).told
    assert "Whole disease axis" in told.others


def test_unknown_reasons_are_told_as_they_stand(data):
    change(data, **NOTHING, reason_code="", reason="something new")
    assert "cannot be known, because something new." in said(data)
    assert set(BECAUSE) <= set(ReasonCode)


def test_a_first_visit_without_a_number_says_so(data):
    change(data, week=2.0, **NOTHING, reason_code="TOO_FEW_PAIRS", reason="only 2")
    end = "At week 2, the first visit after baseline, this cannot be known (too few patients)."
    assert said(data).endswith(end)


def test_a_last_visit_without_a_number_leaves_the_first_to_be_told(data):
    change(data, **NOTHING, reason_code="TOO_FEW_PAIRS", reason="exploratory: odd")
    first = row_of(data, week=2.0)
    text = said(data)
    assert f"At week 2, {ARM} had removed {whole(first['dni'])} percentage points more" in text
    assert EXPLORATORY not in text
    change(data, week=2.0, status="exploratory", reason="exploratory: few")
    assert f"{whole(first['dni'])}{EXPLORATORY} percentage" in said(data)
    assert said(data).endswith(f"{EXPLORATORY} exploratory: few.")
    change(data, week=2.0, **NOTHING, reason_code="NOT_SCORED", reason="x")
    assert EXPLORATORY not in said(data) and "week 2" not in said(data)


def test_itch_without_a_row_is_not_replaced_by_another_score(data):
    index = data.tables["index"]
    gone = (index["arm"] == ARM) & (index["week"] == 12) & (index["name"] == ITCH)
    data.tables["index"] = index[~gone]
    text = said(data)
    assert "itch gene signature was gone under drug 20 mg by week 12 cannot be known, because" in (
        text
    )
    assert "no row" in text and "whole disease axis" not in text
    (told,) = answer_of(data).told
    assert "Whole disease axis" in told.others


def test_one_visit_only_leaves_open_how_early(repository, tmp_path):
    data = index_of(tmp_path, repository, weeks=(4.0,), clinic=False)[1]
    text = said(data)
    assert text.startswith("At week 4, ") and "; at week" not in text
    assert "There is one visit after baseline only." in text and "first visit" not in text


def test_exploratory_numbers_carry_their_mark_and_reason(data):
    change(data, status="exploratory", reason="exploratory: the smallest group has 4 people")
    text = said(data)
    row = row_of(data)
    assert f"had removed {whole(row['dni'])}{EXPLORATORY} percentage points" in text
    assert text.endswith(f"{EXPLORATORY} exploratory: the smallest group has 4 people.")
    assert not any("Exploratory" in banner for banner in answer_of(data).banners)
    change(data, name=None, status="exploratory", reason="exploratory: few")
    assert "Exploratory: few." in answer_of(data).banners


def test_a_difference_of_few_people_is_exploratory_by_itself(data):
    change(data, dni_reason="exploratory: a group has fewer than 6 people")
    assert said(data).endswith(f"{EXPLORATORY} exploratory: a group has fewer than 6 people.")


def test_lesions_of_a_patient_are_counted_as_patients(data):
    samples = data.tables["samples"]
    data.tables["samples"] = samples.assign(lesion=samples["patient"] + ", " + samples["arm"])
    change(data, placebo_pairs=6.0)
    assert "; 6 patients with a lesion in each arm)" in said(data)
    assert (
        next(row.people for row in answer_of(data).estimates if row.visit == "last" and row.highest)
        == "n = 6"
    )


def test_healthy_reference_is_named(repository, tmp_path):
    plan = {"arms": {"drug 10 mg": 8, "healthy": 8}, "states": ("lesional",), "clinic": False}
    data = index_of(tmp_path, repository, **plan)[1]
    answer = answer_of(data)
    assert any("against the skin of healthy people" in sentence for sentence in answer.care)


def test_another_disease_is_named_in_sentence_and_banner(data):
    data.facts["disease"] = "psoriasis"
    answer = answer_of(data)
    assert f"{ARM} (in psoriasis) had removed" in said(data)
    assert "Another disease than atopic dermatitis: psoriasis." in answer.banners
    assert answer.other_disease == "psoriasis"
    data.facts["disease"] = "Atopic eczema"
    assert answer_of(data).other_disease == "" and "(in" not in said(data)


def test_drugs_without_a_visit_say_so(repository, tmp_path):
    data = index_of(tmp_path, repository, weeks=(), clinic=False)[1]
    assert said(data) == (
        "What changed under drug 20 mg cannot be known, because no lesional skin was sampled after "
        "baseline."
    )


def test_untreated_cohorts_say_what_they_are_for(repository, tmp_path):
    data = index_of(tmp_path, repository, arms={"untreated": 8}, clinic=False)[1]
    kinds = ("lesional-nonlesional", "lesional-healthy", "change")
    data.tables["comparisons"] = pd.DataFrame(
        {"contrast": kinds, "kind": kinds, "supported": "yes", "pairs": [8, 9, 8], "batch": ""}
    )
    answer = answer_of(data)
    assert not answer.treated and answer.told == []
    (sentence,) = answer.sentences
    parts = ["Nobody got a drug here", "lesional against nonlesional skin (8 patients)"]
    parts += ["axis of atopic dermatitis", "against healthy skin", "natural course"]
    for part in parts:
        assert part in sentence
    data.tables["comparisons"]["supported"] = "no"
    assert "genes and scores of single samples" in answer_of(data).sentence


# ---------------------------------------------------------------- banners and cautions


def test_many_flagged_samples_are_a_banner_and_few_a_caution(data):
    total = len(data.samples)
    for count, banner in ((total // 5 + 1, True), (2, False)):
        data.samples["qc_flags"] = ["pca_outlier"] * count + [""] * (total - count)
        answer = answer_of(data)
        text = f"{count} of {total} samples"
        assert any(text in part for part in answer.banners) == banner
        assert any(text in part for part in answer.care) != banner
    data.samples["qc_flags"] = ["state_exchanged", *[""] * (total - 1)]
    assert any("1 sample may carry the label of another" in part for part in answer_of(data).care)


def test_what_casts_doubt_is_a_banner(data):
    assert [b.partition(":")[0] for b in answer_of(data).banners] == ["SIMULATED DATA"]
    data.facts["batch"] = "Batch and visit cannot be told apart: 3 comparisons"
    data.tables["controls"] = pd.DataFrame({"moves": ["yes"], "change": [0.4]})
    heads = [b.partition(":")[0] for b in answer_of(data).banners]
    assert heads == [
        "SIMULATED DATA",
        "Batch and visit cannot be told apart",
        "Negative controls move",
    ]


def test_drift_on_placebo_and_missing_biopsies_are_told(repository, tmp_path):
    data = index_of(tmp_path, repository, clinic=False, gone=("d201", "p2", "p3"))[1]
    care = [part.replace(NBSP, " ") for part in answer_of(data).care]
    row = row_of(data, arm="placebo")
    assert (
        f"On placebo alone, the itch gene signature fell by {whole(row['ni'])} % at week 12 "
        f"({interval(row, 'ni')}, includes 0; {row['pairs']} patients)." in care
    )
    assert (
        "Missing biopsies: 1 of 7 of drug 20 mg at week 12; 2 of 8 of placebo at week 12; a model "
        "of all visits allows for it if they are missing at random." in care
    )
    worse = {"ni": -0.06, "lower": -0.2, "upper": -0.01}
    change(data, arm="placebo", **worse, status="exploratory", reason="exploratory: few")
    (line,) = [part.replace(NBSP, " ") for part in answer_of(data).care if "alone" in part]
    assert line == (
        "On placebo alone, the itch gene signature was 6° % further from normal at week 12 (change "
        f"back −6 %, −20 to −1; {row['pairs']} patients). ° exploratory: few."
    )


def test_what_another_analysis_sees_otherwise_is_told(data):
    assert row_of(data)["dni_lower"] > 0
    names = [ITCH, "global"]
    rows = data.tables["index"]
    rows = rows[(rows["arm"] == ARM) & (rows["week"] == 12) & rows["name"].isin(names)]
    rows = rows.assign(analysis="composition_adjusted", dni=0.14, dni_lower=-0.42, dni_upper=0.71)
    others = data.tables["sensitivities"]
    others = others[others["analysis"] != "composition_adjusted"]
    data.tables["sensitivities"] = pd.concat([others, rows], ignore_index=True)
    lines = [part.replace(NBSP, " ") for part in answer_of(data).care]
    (line,) = [part for part in lines if "cell composition explains" in part]
    assert line == (
        "Without what cell composition explains, Whole disease axis (14, −42 to 71) and Itch: core "
        "(skin) (14, −42 to 71) are not distinguishable from placebo."
    )
    few = rows.assign(status="exploratory", reason="exploratory: few")
    data.tables["sensitivities"] = pd.concat([others, few], ignore_index=True)
    (line,) = [part for part in answer_of(data).care if "cell composition explains" in part]
    assert "(14°, " in line and line.endswith("from placebo. ° exploratory: few.")
    rows = rows.assign(dni_lower=0.1)
    data.tables["sensitivities"] = pd.concat([others, rows], ignore_index=True)
    assert not any("cell composition" in part for part in answer_of(data).care)
    # On the same side, but so wide that it bears nothing out.
    rows = rows.assign(dni=1.4, dni_upper=3.6)
    data.tables["sensitivities"] = pd.concat([others, rows], ignore_index=True)
    (line,) = [part for part in answer_of(data).care if "cell composition explains" in part]
    assert "(140, 10 to 360)" in line.replace(NBSP, " ") and line.endswith(" hardly determined.")


DOSES = {
    "cohort": "trial", "drug": "drug", "week": 12.0, "reference": "nonlesional", "name": ITCH,
    "question": ["trend", "adjacent", "adjacent"], "low": ["placebo", "10 mg", "placebo"],
    "high": ["20 mg", "20 mg", "10 mg"], "estimate": [0.3, 0.19, 0.4],
    "lower": [0.2, -0.02, 0.2], "upper": [0.4, 0.4, 0.6], "holm_p_value": [np.nan, 0.07, 0.001],
    "status": "ok",
}  # fmt: skip


def test_the_highest_dose_is_set_against_the_next_lower_one(data):
    answer, table = answer_of(data), pd.DataFrame(DOSES)

    def told(**values):
        return [part.replace(NBSP, " ") for part in of_doses(table.assign(**values), answer)]

    assert told() == [
        "Whether 20 mg of drug removed more of the itch gene signature than 10 mg by week 12 "
        "cannot be told: 19 percentage points (−2 to 40)."
    ]
    assert told(lower=0.05, holm_p_value=0.01, status="exploratory") == [
        "At week 12, 20 mg of drug had removed 19° percentage points more of the itch gene "
        "signature than 10 mg (5 to 40)."
    ]
    (line,) = told(lower=0.05, holm_p_value=0.07)
    assert line.endswith("(5 to 40, not significant after adjustment).")
    (line,) = told(estimate=-0.2, lower=-0.3, upper=-0.1, holm_p_value=0.01)
    assert "20 percentage points less" in line and "(difference −20, −30 to −10)" in line
    for other in ({"week": 2.0}, {"name": "global"}, {"cohort": "b"}, {"estimate": np.nan}):
        assert told(**other) == []
    assert of_doses(table.head(0), answer) == []
    # One dose has no lower one but placebo.
    assert told(low="placebo") == []


def test_scores_that_ssgsea_contradicts_are_counted(data):
    others = data.tables["sensitivities"]
    rows = data.tables["index"]
    rows = rows[(rows["arm"] == ARM) & (rows["week"] == 12)].assign(analysis="ssgsea")
    rows["reason"] = ["disagrees with the signed z score: 0.1", *[""] * (len(rows) - 1)]
    data.tables["sensitivities"] = pd.concat([others, rows], ignore_index=True)
    compared = int(rows["ni"].notna().sum())
    (line,) = [part for part in answer_of(data).care if "ssGSEA" in part]
    assert line.startswith(f"ssGSEA contradicts the signed z score in 1 of {compared} scores")


def test_one_trial_per_class_is_told_of_a_run(data):
    first = answer_of(data)
    other = replace(first, cohort="other", classes={"mab": "anti-IL-13"})
    assert across([first]) == []
    (line,) = across([first, other])
    assert line.startswith("One trial per drug class (JAK inhibitor, anti-IL-13): what differs")
    assert across([first, other, replace(other, cohort="third"), replace(first, cohort="d")]) == []
    real = replace(other, simulated=False)
    assert any("simulated" in line for line in across([first, real]))


# ---------------------------------------------------------------- files and order


def test_an_answer_is_the_same_after_its_file(data, tmp_path):
    answer = answer_of(data)
    write_answer(answer, tmp_path / "answer.json")
    assert read_answer(tmp_path / "answer.json") == answer
    change(data, **NOTHING, reason_code="NO_REFERENCE", reason="none")
    write_answer(answer_of(data), tmp_path / "answer.json")
    text = (tmp_path / "answer.json").read_text(encoding="utf-8")
    # Strict JSON: numbers that are missing are null.
    json.loads(text, parse_constant=lambda name: pytest.fail(name))
    (tmp_path / "answer.json").write_text('{"estimates": [], "told": []}')
    with pytest.raises(AdnormError, match="another version of adnorm"):
        read_answer(tmp_path / "answer.json")


def test_cohorts_stand_in_the_order_of_their_design(data):
    answer = answer_of(data)
    real = replace(answer, cohort="z", simulated=False)
    others = {
        "biologic": replace(real, cohort="a", classes={"mab": "anti-IL-13"}),
        "open": replace(real, cohort="b", controlled=False),
        "psoriasis": replace(real, cohort="c", disease="psoriasis"),
        "simulated": replace(answer, cohort="d"),
        "reference": replace(real, cohort="e", treated=False),
    }
    ranked = sorted([*others.values(), real], key=lambda answer: answer.rank)
    assert ranked == [real, *others.values()]


# ---------------------------------------------------------------- the picture


def test_the_picture_has_the_numbers_of_the_table(data):
    figure, table = draw_answer(data)
    text = words(figure).replace(NBSP, " ")
    assert len(table) == 2 * 2 * 3
    assert list(dict.fromkeys(table["name"]))[0] == ITCH
    for arm in ("drug 10 mg", ARM):
        for week in (2.0, 12.0):
            row = row_of(data, arm, week)
            assert f"{arm}, week {week:g}" in text
            assert f"{whole(row['dni'])} ({interval(row)})" in text
            assert f"n = {row['pairs']} and {row['placebo_pairs']}" in text
    assert "This is gene expression, not itch." in text
    assert "SIMULATED DATA" in text and "minus placebo" in text
    flat = " ".join(text.split())
    assert "not adjusted for the number of tests" in flat and "(drug and placebo)" in flat
    # Minus placebo, 100 is not the level of any skin.
    assert "more than on placebo" in flat and "dashed" not in flat
    assert not [line for line in figure.axes[0].lines if list(line.get_xdata()) == [100, 100]]
    dots = [line for line in figure.axes[0].lines if line.get_marker() in ("o", "^")]
    assert [dot.get_marker() for dot in dots] == ["^", "o"] * 6
    hollow = [dot.get_markerfacecolor() == "white" for dot in dots]
    drawn = table.assign(rank=pd.Categorical(table["name"], table["name"].unique()))
    drawn = drawn.sort_values("rank", kind="stable")
    assert hollow == (drawn["lower"] * drawn["upper"] <= 0).tolist()


def test_the_note_names_the_shapes_that_are_drawn(data):
    none = {"dni": np.nan, "dni_lower": np.nan, "dni_upper": np.nan}
    change(data, arm=None, week=None, name=ITCH, **none, dni_reason_code="TOO_FEW_PAIRS")
    flat = " ".join(words(draw_answer(data)[0]).replace(NBSP, " ").split())
    assert "Circle or square: last visit; triangle or diamond: first visit." in flat
    change(data, arm=None, week=None, name=None, **none, dni_reason_code="TOO_FEW_PAIRS")
    figure, _ = draw_answer(data)
    shapes = {line.get_marker() for line in figure.axes[0].lines} & {"o", "s", "^", "D"}
    assert shapes == {"s", "D"}
    flat = " ".join(words(figure).replace(NBSP, " ").split())
    assert "Square: last visit; diamond: first visit." in flat


def bold(figure):
    return {t.get_text() for t in figure.texts if t.get_weight() == "bold"}


def test_bold_and_italics_mean_one_thing(data):
    change(data, dni=0.12, dni_lower=-0.05, dni_upper=0.29)
    change(data, week=2.0, dni=0.31, dni_lower=0.11, dni_upper=0.5)
    change(data, arm="drug 10 mg", status="exploratory", reason="exploratory: few")
    figure, _ = draw_answer(data)
    assert f"31 (11{NBSP}to{NBSP}50)" in bold(figure)
    assert f"12 (−5{NBSP}to{NBSP}29)" not in bold(figure)
    italics = [t.get_text() for t in figure.texts if t.get_style() == "italic"]
    assert len(italics) == 1 and EXPLORATORY in italics[0]
    assert f"{EXPLORATORY} exploratory: few." in words(figure)


def test_a_picture_without_placebo_says_that_it_is_uncontrolled(alone):
    figure, _ = draw_answer(alone)
    text = words(figure)
    assert [line for line in figure.axes[0].lines if list(line.get_xdata()) == [100, 100]]
    assert "dashed: 100, the level of nonlesional skin" in " ".join(text.split())
    assert "uncontrolled, no placebo" in text and "arm alone" in text and "minus" not in text


def test_nothing_to_draw_is_said_with_its_reason(data, repository, tmp_path):
    change(data, arm=None, week=None, name=None, **NOTHING, reason_code="NOT_SCORED", reason="x")
    figure, table = draw_answer(data)
    assert "Not shown" in words(figure) and "not scored" in words(figure)
    assert len(table) and set(table["reason"]) == {"x"}
    none = index_of(tmp_path, repository, arms={"untreated": 8}, clinic=False)[1]
    assert "no arm got a drug" in words(draw_answer(none)[0])


@pytest.mark.parametrize("width", [89, 183])
def test_many_arms_fit_a_page_and_what_is_left_out_is_said(data, width):
    data = replace(data, settings=data.settings.model_copy(
        update={"figures": data.settings.figures.model_copy(update={"width": width})}
    ))  # fmt: skip
    samples, index = data.tables["samples"], data.tables["index"]
    more = [f"drug{n} {dose} mg" for n in range(8) for dose in (1, 2, 3)]
    own = index[index["arm"] == ARM]
    data.tables["index"] = pd.concat([index, *(own.assign(arm=arm) for arm in more)])
    one = samples[samples["arm"] == ARM].head(1)
    named = [one.assign(arm=arm, treatment=arm.split(" ")[0], sample=arm) for arm in more]
    data.tables["samples"] = pd.concat([samples, *named], ignore_index=True)
    fresh = replace(data)
    figure, table = draw_answer(fresh)
    assert len(table) == 26 * 2 * 3
    dots = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert 0 < len(dots) <= MOST_ROWS[WIDE if width == 183 else NARROW]
    assert "all are in the table" in words(figure)
    box = figure.get_tightbbox()
    assert box.height <= 247 / 25.4
    assert min(text.get_size() for text in figure.texts) >= 6


def test_hostile_names_are_drawn_as_they_are(data):
    data.facts["title"] = "<script>alert(1)</script> & $x_1$"
    assert "<script>alert(1)</script> & $x_1$" in words(draw_answer(data)[0])
    assert NOUNS[ITCH] in said(data)
