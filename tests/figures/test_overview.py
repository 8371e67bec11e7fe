"""The overview page: complete, escaped, and honest about what is missing."""

from __future__ import annotations

import re
import shutil

from adnorm.base.tables import read_table, write_table
from adnorm.figures.data import read_cohort
from adnorm.figures.page import fill
from adnorm.figures.page.overview import (
    methods_values,
    placebo_note,
    warnings,
    write_overview,
)
from adnorm.study.config import EffectsSettings
from builders.figure_cohorts import TRIAL, make_cohort


def written_methods(inputs, settings):
    return fill("methods.html", **methods_values(read_cohort(inputs, settings)))


def page_of(cohort, figures, folder):
    """The page of a cohort, with figures that were drawn before."""
    for figure in figures.glob("*.svg"):
        shutil.copy(figure, folder)
    write_overview(cohort, folder / "overview.html")
    return (folder / "overview.html").read_text(encoding="utf-8")


def test_page_is_self_contained_and_escaped(cohorts_drawn):
    html = (cohorts_drawn["trial"][2] / "overview.html").read_text(encoding="utf-8")
    assert "A &lt;Author&gt; 2020" in html
    assert not re.search(r"<(script|link|iframe)", html)
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
    inputs, settings, folder = cohorts_drawn["trial"]
    cohort = read_cohort(inputs, settings)
    cohort.tables["losses"] = cohort.tables["losses"].iloc[:0]
    html = page_of(cohort, folder, tmp_path)
    section = html.split('id="losses">')[1].split("</section>")[0]
    assert "Samples, pairs, rows and genes that did not come through: none." in section
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
    assert "in the report under Normalization" in " ".join(html.split())
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
    healthy.samples["qc_flags"] = "small_library"
    assert warnings(healthy)[0].startswith("19 of 19 samples are flagged")
    healthy.facts["caution"] = "The counts are sparse."
    assert warnings(healthy)[0] == "The counts are sparse."


def test_moved_controls_stand_first_on_the_page_and_above_every_figure(cohorts_drawn, tmp_path):
    inputs, settings = make_cohort(tmp_path / "trial", **TRIAL)
    table = read_table(inputs["controls"])
    table.loc[table["contrast"] == "lesional-nonlesional@0", ["change", "moves"]] = [0.3, "yes"]
    write_table(table, inputs["controls"])
    moved = read_cohort(inputs, settings)
    assert moved.facts["quality"].endswith("negative controls move")
    html = page_of(moved, cohorts_drawn["trial"][2], tmp_path)
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
