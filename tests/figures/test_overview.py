"""The overview page: complete, escaped, and honest about what is missing."""

from __future__ import annotations

import re

import pytest

from adnorm.base.tables import read_table, write_table
from adnorm.figures.data import read_cohort
from adnorm.figures.page import fill
from adnorm.figures.page.overview import (
    methods_values,
    placebo_note,
    warnings,
)
from adnorm.study.config import EffectsSettings
from builders.figure_cohorts import TRIAL, made_up_index, make_cohort, write_pages


def written_methods(inputs, settings):
    return fill("methods.html", **methods_values(read_cohort(inputs, settings)))


def test_page_is_self_contained_and_escaped(cohorts_drawn):
    html = (cohorts_drawn["trial"][2] / "overview.html").read_text(encoding="utf-8")
    assert "A &lt;Author&gt; 2020" in html
    # One script of its own, which unmakes links inside the report; nothing is loaded.
    assert html.count("<script") == html.count("<script>") == 1
    assert not re.search(r"<(link|iframe)", html)
    assert not re.search(r"(src|url)\s*[=(]\s*.https?:", html)
    assert "SIMULATED DATA" in html
    assert "research software" in html
    for table in re.findall(r"<table>.*?</table>", html, re.DOTALL):
        assert '<th scope="col"' in table
        assert "<caption>" in table


def test_page_says_what_was_lost_and_warns_of_large_losses(cohorts_drawn):
    html = (cohorts_drawn["trial"][2] / "overview.html").read_text(encoding="utf-8")
    _, section = html.split('<h2 id="losses">Lost on the way</h2>')
    section = section.split("</section>")[0]
    assert '<tr class="flag"><th scope="row">60 of 100 (60 %)</th>' in section
    assert "fill the gaps" in section and "&lt;b&gt;X&lt;/b&gt;" in section
    caution = html.split('<div class="caution"')[1].split("</div>")[0]
    assert "Lost on the way: 60 of 100 (60 %) rows have missing values." in caution
    assert "rows are odd" not in caution


def test_page_says_none_without_a_legend_of_the_table_that_is_not_there(cohorts_drawn, tmp_path):
    inputs, settings, _ = cohorts_drawn["trial"]
    cohort = read_cohort(inputs, settings)
    cohort.tables["losses"] = cohort.tables["losses"].iloc[:0]
    cohort.facts["undetected"] = []
    html = write_pages(cohort, tmp_path)
    section = html.split('id="losses">')[1].split("</section>")[0]
    assert "Samples, visits, pairs, rows and genes that did not come through: none." in section
    assert "coloured" not in section


def test_page_shows_results_with_interval_patients_and_reasons(cohorts_drawn):
    inputs, _, folder = cohorts_drawn["trial"]
    html = (folder / "overview.html").read_text(encoding="utf-8").replace("\xa0", " ")
    effects = read_table(inputs["set_effects"])
    row = effects[
        (effects["contrast"] == "change:abrocitinib 200 mg-placebo@12")
        & (effects["set"] == "itch_core_skin_up")
    ].iloc[0]
    numbers = [f"{row[k]:+.2f}".replace("-", "−") for k in ("change", "lower", "upper")]
    assert f"{numbers[0]} ({numbers[1]} to {numbers[2]})" in html
    assert "Difference of changes: abrocitinib 200 mg − placebo" in html
    assert "1 of 6 genes (17 %) found" in html
    assert "correlation outlier, small library" in html
    assert "change:abrocitinib" not in html
    alone = (cohorts_drawn["lesional_only"][2] / "overview.html").read_text(encoding="utf-8")
    assert "The primary answer is the index above" in " ".join(html.split())
    assert "What the index estimates" in html and "this is what is confirmed" in html
    assert "What the index estimates" not in alone
    assert "No result: no nonlesional samples at baseline" in alone
    assert "no normalization index: no lesional samples after baseline" in alone
    assert "SIMULATED" not in alone
    assert "limma" not in alone.partition("Software")[0].partition("References")[2]


def test_methods_follow_what_was_done(cohorts_drawn):
    inputs, settings, _ = cohorts_drawn["trial"]
    text = written_methods(inputs, settings)
    assert "limma-voom" in text and "voom" in text
    effects = EffectsSettings(count_model="log2", confidence=0.9)
    other = settings.model_copy(update={"effects": effects})
    text = written_methods(inputs, other)
    assert "limma-voom" not in text
    assert "90 % confidence" in " ".join(text.split())
    effects = EffectsSettings(confidence=0.975)
    other = settings.model_copy(update={"effects": effects})
    assert "97.5 % confidence" in " ".join(written_methods(inputs, other).split())


def test_the_page_warns_when_controls_move_or_many_samples_are_flagged(healthy):
    assert warnings(healthy) == []
    controls = healthy.tables["controls"]
    healthy.tables["controls"] = controls.assign(moves="unclear")
    (warning,) = warnings(healthy)
    assert warning.startswith("Negative controls cannot tell whether all genes move together")
    one = controls["contrast"] == "lesional-healthy@0"
    controls.loc[one, ["change", "moves"]] = [-0.4, "yes"]
    healthy.tables["controls"] = controls
    (warning,) = warnings(healthy)
    assert warning.startswith(f"Negative controls move in 1 of {len(controls)} comparisons")
    assert "housekeeping −0.40 log2 (Disease: lesional − healthy, baseline)" in warning
    healthy.facts["caution"] = "The counts are sparse."
    assert warnings(healthy)[0] == "The counts are sparse."


def test_moved_controls_stand_first_on_the_page_and_above_every_figure(cohorts_drawn, tmp_path):
    inputs, settings = make_cohort(tmp_path / "trial", **TRIAL)
    table = read_table(inputs["controls"])
    table.loc[table["contrast"] == "lesional-nonlesional@0", ["change", "moves"]] = [0.3, "yes"]
    write_table(table, inputs["controls"])
    moved = read_cohort(inputs, settings)
    assert moved.facts["quality"].endswith("negative controls move")
    html = write_pages(moved, tmp_path)
    first = html.split("<main>")[1].split("<section")[0]
    assert "Negative controls move in 1 of" in first


def test_placebo_is_blamed_only_where_it_falls(tmp_path, healthy):
    assert "no placebo arm" in placebo_note(healthy)
    trial = read_cohort(*make_cohort(tmp_path / "trial", **TRIAL))
    assert "Scores also fall without any drug" in placebo_note(trial)
    trial.tables["set_effects"]["change"] = 0.3
    assert "fall" not in placebo_note(trial)


def test_labels_that_are_doubted_stand_at_the_top(trial):
    data, _ = trial
    assert not any("label of another" in text for text in warnings(data))
    data.samples.loc[data.samples.index[:5], "qc_flags"] = "duplicate;state_exchanged"
    (told,) = [text for text in warnings(data) if "label of another" in text]
    assert told.startswith("5 samples that the analysis uses may carry the label of another one (")
    assert "and others" in told


@pytest.fixture
def made(tmp_path):
    """The trial, and a way to write its page with an index."""
    data = read_cohort(*make_cohort(tmp_path / "trial", **TRIAL))
    return data, lambda index=None: " ".join(write_pages(data, tmp_path, index).split())


def section_of(page, name):
    return page.split(f'<h2 id="{name}">')[1].split("</section>")[0]


def test_the_answer_and_its_numbers_stand_first_with_one_picture(made):
    data, page_of = made
    page = page_of()
    answer = section_of(page, "answer")
    assert page.index('id="answer"') < page.index('id="about"') < page.index('id="results"')
    assert "At week 12, abrocitinib 200 mg had removed 33 percentage points more" in answer
    assert page.count("data:image/svg+xml") == 1 and '<img src="data:' in answer
    # Every arm, visit and score; bold is the difference from placebo, never the arm alone.
    arms, visits, scores = 3, 3, 3
    assert f"{arms * visits * scores} estimates against nonlesional skin" in answer
    assert answer.count("<b>0.33 (0.10 to 0.56)</b>") == 2 * visits * scores
    assert "<b>0.50" not in answer and "0.50 (0.30 to 0.70)" in answer
    assert "n = 8 and 8" in answer
    # Inside the report, where no file lies beside the page, the menu has what a link names.
    assert '<a href="normalization.svg" data-menu="2 Index">' in answer
    assert '<a href="answers.html" data-menu="1 Answer">' in answer
    assert "Genes in the set" in page and "Asked" not in page and "Genes asked" not in page


def test_numbers_of_the_index_table_are_marked_by_what_is_written(made):
    data, page_of = made
    index = made_up_index(data)
    first = index.index[index["arm"] == "abrocitinib 200 mg"][:2]
    index.loc[first[0], ["dni", "dni_lower", "status"]] = [0.33, 0.003, "exploratory"]
    index.loc[first[0], "reason"] = "exploratory: few <people>"
    index.loc[first[1], ["dni", "dni_lower"]] = [0.33, -0.003]
    answer = section_of(page_of(index), "answer")
    assert "<b><i>0.33° (0.003 to 0.56)</i></b>" in answer
    assert "exploratory: few &lt;people&gt;" in answer
    assert ">0.33 (−0.003 to 0.56)<" in answer and "0.00 to" not in answer


def test_visits_without_a_number_for_one_reason_are_one_row(made):
    data, page_of = made
    index = made_up_index(data)
    rows = (index["arm"] == "placebo") & (index["name"] == "itch_core_skin_up")
    index.loc[rows, ["ni", "lower", "upper"]] = float("nan")
    index.loc[rows, ["status", "reason"]] = ["NA", "too <few> genes"]
    answer = section_of(page_of(index), "answer")
    assert answer.count("too &lt;few&gt; genes") == 1
    assert '<td>placebo</td><td class="number">2, 4, 12</td>' in answer


def test_missing_visits_and_genes_that_are_not_detected_are_losses(made):
    data, page_of = made
    assert "are missing" not in section_of(page_of(), "losses")
    later = data.samples.index[(data.samples["arm"] == "placebo") & (data.samples["week"] == 12)]
    data.samples.drop(later[:2], inplace=True)
    losses = section_of(page_of(), "losses")
    assert "2 of 72 (3 %)</th><td>lesional biopsies of later visits are missing" in losses
    assert "placebo, week 12: 2 of 8" in losses
    assert "1 of 301 (below 1 %)</th><td>genes are below the expression filter" in losses


def test_the_page_says_where_a_plain_difference_and_the_index_disagree(made):
    data, page_of = made
    name, contrast = "itch_core_skin_up", "change:abrocitinib 200 mg-placebo@12"
    effects = data.tables["set_effects"]
    row = (effects["contrast"] == contrast) & (effects["set"] == name)
    effects.loc[effects["contrast"].str.contains("-placebo@"), ["change", "fdr"]] = [-1.0, 0.001]
    assert "the index counts" not in page_of()
    effects.loc[row, "fdr"] = 0.4
    text = section_of(page_of(), "results")
    named = "Itch: core (skin), abrocitinib 200 mg, week 12"
    assert f"It does so here, and the index counts: {named}" in text
    assert "(plain difference not marked, dNI 0.33 (0.10 to 0.56))" in text


def test_added_sets_without_their_genes_are_warned_of(made):
    data, _ = made
    assert not any("added" in text for text in warnings(data))
    data.scores.var["category"] = data.scores.var["category"].astype(object)
    data.scores.var.loc[["th2", "comp_tcell"], "category"] = "own"
    data.__dict__.pop("sets", None)
    (told,) = [text for text in warnings(data) if "added" in text]
    assert told == (
        "1 of 2 added gene sets have too few genes here to be trusted (Cells: T cells): see Gene "
        "sets."
    )
