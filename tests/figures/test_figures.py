"""Figures of made-up cohorts: they exist, show what their tables say, and repeat to the byte."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pandas as pd
import pytest

from adnorm.base.errors import AdnormError
from adnorm.base.tables import read_table
from adnorm.figures import build, heatmaps
from adnorm.figures.material import read_material
from adnorm.figures.methods import methods_sentences
from adnorm.figures.names import FIGURES
from adnorm.figures.page import write_page
from builders.figure_cohorts import COHORTS, SETS, TRIAL, make_cohort


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Inputs and figures of the three cohorts."""
    made = {}
    for name, plan in COHORTS.items():
        folder = tmp_path_factory.mktemp(name)
        inputs, settings = make_cohort(folder, **plan)
        build.build_figures(inputs, settings, {"folder": folder / "figures"})
        made[name] = (inputs, settings, folder / "figures")
    return made


@pytest.fixture(scope="module")
def trial(drawn):
    inputs, settings, folder = drawn["trial"]
    return read_material(inputs, settings), folder


# ---------------------------------------------------------------- files


@pytest.mark.parametrize("cohort", COHORTS)
@pytest.mark.parametrize("figure", FIGURES, ids=lambda f: f.name)
def test_every_cohort_has_every_figure(drawn, cohort, figure):
    folder = drawn[cohort][2]
    svg = (folder / f"{figure.name}.svg").read_text(encoding="utf-8")
    assert f">{figure.title}</text>" in svg
    assert len(svg) < 400_000
    assert (folder / f"{figure.name}.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    table = read_table(folder / f"{figure.name}.tsv")
    assert len(table) and "reason" in table.columns
    assert not [p for p in folder.iterdir() if p.name.startswith(".")]


@pytest.mark.parametrize("figure", FIGURES, ids=lambda f: f.name)
def test_simulated_stands_in_every_title_and_only_there(drawn, figure):
    assert ">SIMULATED DATA</text>" in (drawn["trial"][2] / f"{figure.name}.svg").read_text()
    assert "SIMULATED" not in (drawn["healthy"][2] / f"{figure.name}.svg").read_text()


@pytest.mark.parametrize("figure", FIGURES, ids=lambda f: f.name)
def test_flagged_samples_are_counted_in_every_figure(drawn, figure):
    svg = (drawn["trial"][2] / f"{figure.name}.svg").read_text(encoding="utf-8")
    assert "1 of 120 samples flagged by quality control" in svg


def test_the_same_input_gives_the_same_bytes(drawn, tmp_path):
    inputs, settings, folder = drawn["trial"]
    build.build_figures(inputs, settings, {"folder": tmp_path})
    first = {p.name: p.read_bytes() for p in sorted(folder.iterdir())}
    second = {p.name: p.read_bytes() for p in sorted(tmp_path.iterdir())}
    assert len(first) == 3 * len(FIGURES) + 1
    assert [n for n in first if first[n] != second.get(n)] == []


def test_files_hold_no_date_and_no_program(drawn):
    folder = drawn["trial"][2]
    assert "<dc:date>" not in (folder / "pca.svg").read_text()
    assert b"Software" not in (folder / "pca.png").read_bytes()
    assert str(folder.parent) not in (folder / "overview.html").read_text()


def test_two_hundred_samples_stay_readable(tmp_path):
    arms = {"placebo": 17, "abrocitinib 100 mg": 12, "abrocitinib 200 mg": 12}
    inputs, settings = make_cohort(tmp_path, **TRIAL | {"arms": arms})
    build.build_figures(inputs, settings, {"folder": tmp_path / "figures"})
    svg = (tmp_path / "figures" / "genes_itch.svg").read_text()
    # Names of 205 samples cannot be read; groups and their sizes can.
    assert ">GSM1000<" not in svg
    assert ">n=17<" in svg


def test_few_samples_are_named(drawn):
    assert ">GSM1000<" in (drawn["healthy"][2] / "genes_itch.svg").read_text()


# ---------------------------------------------------------------- tables behind the figures


def test_genes_table_holds_the_z_values_that_are_drawn(trial):
    material, folder = trial
    table = read_table(folder / "genes_itch.tsv")
    shown = table[table["sample"].notna()]
    wide = shown.pivot(index="gene", columns="sample", values="z")
    raw = material.gene_values(list(wide.index))[wide.columns]
    expected = raw.sub(raw.mean(axis=1), axis=0).div(raw.std(axis=1), axis=0)
    drawn = wide.drop(index="GENE003")
    np.testing.assert_allclose(drawn, expected.loc[drawn.index], atol=1e-4)
    flat = shown[shown["gene"] == "GENE003"]
    assert flat["z"].isna().all()
    assert set(flat["reason"]) == {"no variation between samples"}
    lost = table[table["sample"].isna()]
    assert list(lost["gene"]) == ["ABSENT0"]
    assert list(lost["reason"]) == ["not detected"]


def test_samples_are_ordered_by_state_arm_week_patient(trial):
    material, _ = trial
    samples = material.samples
    groups = samples[["state", "arm", "week"]].drop_duplicates()
    assert list(dict.fromkeys(groups["state"])) == ["nonlesional", "lesional"]
    lesional = groups[groups["state"] == "lesional"]
    assert list(dict.fromkeys(lesional["arm"])) == list(TRIAL["arms"])
    assert list(lesional["week"][:4]) == [0, 2, 4, 12]
    for _, rows_of_group in samples.groupby(["state", "arm", "week"]):
        assert rows_of_group["patient"].is_monotonic_increasing


def test_set_changes_table_repeats_set_effects(drawn):
    inputs, _, folder = drawn["trial"]
    table = read_table(folder / "set_changes.tsv")
    effects = read_table(inputs["set_effects"])
    both = table.merge(effects, on=["contrast", "set"], suffixes=("", "_source"))
    assert len(both) == len(table) == 19 * len(SETS)
    known = both[both["change"].notna()]
    pd.testing.assert_series_equal(known["change"], known["change_source"], check_names=False)
    assert set(both.loc[both["change"].isna(), "set"]) == {"comp_tcell"}
    assert (both.loc[both["change"].isna(), "reason"] != "").all()
    starred = table[table["mark"].fillna("") != ""]
    assert (starred["fdr"] < 0.05).all()
    assert (table.loc[table["fdr"] < 0.05, "mark"].str.len() > 0).all()


def test_columns_go_from_disease_to_placebo_to_doses(drawn):
    table = read_table(drawn["trial"][2] / "set_changes.tsv")
    assert list(dict.fromkeys(table["group"])) == [
        "lesional − nonlesional",
        "placebo",
        "abrocitinib 100 mg",
        "abrocitinib 200 mg",
        "abrocitinib 100 mg-placebo",
        "abrocitinib 200 mg-placebo",
        "abrocitinib 200 mg-abrocitinib 100 mg",
    ]


def test_gene_changes_puts_the_strongest_genes_first(drawn):
    table = read_table(drawn["trial"][2] / "gene_changes.tsv")
    disease = table[table["contrast"] == "lesional-nonlesional@0"]
    for _, rows_of_set in disease.groupby("set"):
        effects = rows_of_set["log2_fold_change"] * np.where(
            rows_of_set["direction"] == "up", 1, -1
        )
        assert effects.is_monotonic_decreasing
    assert set(table.loc[table["contrast"].isna(), "gene"]) == {"ABSENT0", "ABSENT22", "ABSENT38"}


def test_patients_table_averages_biopsies_of_one_visit(trial):
    material, folder = trial
    table = read_table(folder / "patients.tsv")
    assert set(table["biopsies"]) == {1}
    assert len(table) == 3 * len(material.samples)
    scores = material.score_values().loc["itch_core_skin_up"]
    one = table[(table["set"] == "itch_core_skin_up") & (table["state"] == "lesional")]
    assert one["score"].sum() == pytest.approx(
        scores[material.samples["state"] == "lesional"].sum(), abs=1e-3
    )


def test_enrichment_marks_say_which_test_agrees(drawn):
    table = read_table(drawn["trial"][2] / "enrichment.tsv")
    table["mark"] = table["mark"].fillna("")
    gsea, camera = table["fdr"] < 0.05, table["camera_fdr"] < 0.05
    assert (table.loc[gsea & camera, "mark"] == "■").all()
    assert (table.loc[gsea & ~camera, "mark"] == "○").all()
    assert (table.loc[~gsea & ~camera, "mark"] == "").all()
    assert {"■", "○", ""} == set(table["mark"])


# ---------------------------------------------------------------- what stops


@pytest.mark.parametrize("name", ["set_changes", "gene_changes", "patients", "enrichment"])
def test_without_comparisons_the_figure_says_why(drawn, name):
    folder = drawn["lesional_only"][2]
    text = " ".join(re.findall(r">([^<]+)</text>", (folder / f"{name}.svg").read_text()))
    assert "Not shown: no " in text
    reason = read_table(folder / f"{name}.tsv")["reason"].iloc[0]
    assert "no lesional samples after baseline" in reason


def test_a_set_that_does_not_exist_stops(drawn):
    inputs, settings, _ = drawn["trial"]
    wrong = settings | {"heatmap_sets": {"itch": ["itch_core"], "barrier": []}}
    with pytest.raises(AdnormError, match=r"'itch_core'.*did you mean 'itch_core_skin_up'"):
        heatmaps.draw_genes(read_material(inputs, wrong), "genes_itch", "itch")


def test_scores_of_other_samples_stop(drawn):
    inputs, settings, _ = drawn["trial"]
    other = inputs | {"scores": drawn["healthy"][0]["scores"]}
    with pytest.raises(AdnormError, match="does not belong"):
        read_material(other, settings)


# ---------------------------------------------------------------- the page and the captions


def test_page_is_self_contained_and_escaped(drawn):
    html = (drawn["trial"][2] / "overview.html").read_text(encoding="utf-8")
    assert "A &lt;Author&gt; 2020" in html
    assert not re.search(r"<(script|link|iframe)", html)
    assert not re.search(r"(src|url)\s*[=(]\s*.https?:", html)
    assert "SIMULATED DATA" in html
    assert "research software" in html
    for table in re.findall(r"<table>.*?</table>", html, re.DOTALL):
        assert '<th scope="col"' in table
        assert "<caption>" in table


def test_page_says_what_was_lost_and_warns_of_large_losses(drawn):
    html = (drawn["trial"][2] / "overview.html").read_text(encoding="utf-8")
    _, section = html.split('<h2 id="losses">Lost on the way</h2>')
    section = section.split("</section>")[0]
    assert '<tr class="flag"><th scope="row">60 of 100 (60 %)</th>' in section
    assert "fill the gaps" in section and "&lt;b&gt;X&lt;/b&gt;" in section
    caution = html.split('<div class="caution"')[1].split("</div>")[0]
    assert "Lost on the way: 60 of 100 (60 %) rows have missing values." in caution
    assert "rows are odd" not in caution


def test_page_says_none_without_a_legend_of_the_table_that_is_not_there(drawn, tmp_path):
    inputs, settings, folder = drawn["trial"]
    material = read_material(inputs, settings)
    material.tables["losses"] = material.tables["losses"].iloc[:0]
    for figure in folder.glob("*.svg"):
        shutil.copy(figure, tmp_path)
    write_page(material, tmp_path / "overview.html")
    html = (tmp_path / "overview.html").read_text(encoding="utf-8")
    section = html.split('id="losses">')[1].split("</section>")[0]
    assert "Samples, pairs, rows and genes that did not come through: none." in section
    assert "coloured" not in section


def test_page_shows_results_with_interval_patients_and_reasons(drawn):
    inputs, _, folder = drawn["trial"]
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
    alone = (drawn["lesional_only"][2] / "overview.html").read_text(encoding="utf-8")
    assert "in the report under Normalization" in " ".join(html.split())
    assert "No result: no nonlesional samples at baseline" in alone
    assert "no normalization index: no lesional samples after baseline" in alone
    assert "SIMULATED" not in alone
    assert "limma" not in alone.partition("Software")[0].partition("References")[2]


def test_methods_follow_what_was_done(drawn):
    inputs, settings, _ = drawn["trial"]
    text = str(methods_sentences(read_material(inputs, settings)))
    assert "limma-voom" in text and "voom" in text
    other = settings | {"effects": {"count_model": "log2", "confidence": 0.9}}
    text = str(methods_sentences(read_material(inputs, other)))
    assert "limma-voom" not in text
    assert "90 % confidence" in text


def test_every_figure_has_a_caption(repository):
    for figure in FIGURES:
        text = (repository / "workflow" / "report" / f"{figure.name}.rst").read_text()
        assert "snakemake.wildcards.cohort" in text
    front = (repository / "workflow" / "report" / "workflow.rst").read_text()
    assert "no treatment advice" in front
