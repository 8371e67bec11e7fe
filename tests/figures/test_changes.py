"""Comparisons as columns: changes of sets and genes, enrichment, added sets."""

from __future__ import annotations

import re

import anndata
import numpy as np
import pandas as pd
import pytest

from adnorm.base.tables import read_table, write_table
from adnorm.figures import build, changes
from adnorm.figures.changes import mark
from adnorm.figures.data import read_cohort
from adnorm.study.vocabulary import SetCategory
from builders.figure_cohorts import (
    HEALTHY,
    SETS,
    TRIAL,
    make_cohort,
    outputs_of,
    texts,
    write_pages,
)


def test_set_changes_table_repeats_set_effects(cohorts_drawn):
    inputs, _, folder = cohorts_drawn["trial"]
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


def test_columns_go_from_disease_to_placebo_to_doses(cohorts_drawn):
    table = read_table(cohorts_drawn["trial"][2] / "set_changes.tsv")
    assert list(dict.fromkeys(table["group"])) == [
        "lesional − nonlesional",
        "placebo",
        "abrocitinib 100 mg",
        "abrocitinib 200 mg",
        "abrocitinib 100 mg-placebo",
        "abrocitinib 200 mg-placebo",
        "abrocitinib 200 mg-abrocitinib 100 mg",
    ]


def test_gene_changes_puts_the_strongest_genes_first(cohorts_drawn):
    table = read_table(cohorts_drawn["trial"][2] / "gene_changes.tsv")
    disease = table[table["contrast"] == "lesional-nonlesional@0"]
    for _, rows_of_set in disease.groupby("set"):
        effects = rows_of_set["log2_fold_change"] * np.where(
            rows_of_set["direction"] == "up", 1, -1
        )
        assert effects.is_monotonic_decreasing
    assert set(table.loc[table["contrast"].isna(), "gene"]) == {"ABSENT0", "ABSENT22", "ABSENT38"}


def test_enrichment_marks_say_which_test_agrees(cohorts_drawn):
    table = read_table(cohorts_drawn["trial"][2] / "enrichment.tsv")
    table["mark"] = table["mark"].fillna("")
    gsea, camera = table["fdr"] < 0.05, table["camera_fdr"] < 0.05
    assert (table.loc[gsea & camera, "mark"] == "■").all()
    assert (table.loc[gsea & ~camera, "mark"] == "○").all()
    assert (table.loc[~gsea & ~camera, "mark"] == "").all()
    assert {"■", "○", ""} == set(table["mark"])


@pytest.mark.parametrize("name", ["set_changes", "gene_changes", "patients", "enrichment"])
def test_without_comparisons_the_figure_says_why(cohorts_drawn, name):
    folder = cohorts_drawn["lesional_only"][2]
    text = " ".join(re.findall(r">([^<]+)</text>", (folder / f"{name}.svg").read_text()))
    assert "Not shown: no " in text
    reason = read_table(folder / f"{name}.tsv")["reason"].iloc[0]
    assert "no lesional samples after baseline" in reason


def test_unsupported_columns_are_grey_with_the_reason(tmp_path):
    plan = TRIAL | {"arms": {"placebo": 8, "abrocitinib 100 mg": 2}}
    inputs, settings = make_cohort(tmp_path, **plan)
    pages, table = changes.draw_set_changes(read_cohort(inputs, settings))
    few = table[table["contrast"] == "change:abrocitinib 100 mg@2"]
    assert few["change"].isna().all()
    assert few["reason"].str.startswith("only 2 patients").all()
    shown = [" ".join(text.split()) for text in texts(pages)]
    assert any("only 2 patients" in text for text in shown) and "see note" in shown


def test_another_scoring_method_is_drawn_and_named(tmp_path):
    inputs, settings = make_cohort(tmp_path, **HEALTHY)
    data = anndata.read_h5ad(inputs["scores"])
    data.layers["ssgsea"] = data.layers.pop("zscore")
    data.write_h5ad(inputs["scores"])
    effects = read_table(inputs["set_effects"]).assign(method="ssgsea")
    write_table(effects, inputs["set_effects"])
    pages, table = changes.draw_set_changes(read_cohort(inputs, settings))
    assert any("ssGSEA score" in text for text in texts(pages))
    assert any("Scale of this cohort" in text for text in texts(pages))
    assert table["change"].notna().any()


def test_stars_follow_the_configured_level():
    assert [mark(f, 0.01) for f in (0.02, 0.005, 0.0001)] == ["", "**", "***"]
    assert mark(0.08, 0.1) == "*"


def test_both_groups_are_counted(tmp_path, healthy):
    assert "7 and 5°" in texts(changes.draw_set_changes(healthy)[0])
    trial = read_cohort(*make_cohort(tmp_path / "trial", **TRIAL))
    shown = [" ".join(text.split()) for text in texts(changes.draw_set_changes(trial)[0])]
    assert {"8 and 8", "8", "n =", "week"} <= set(shown)
    assert any("a and b: patients of two arms" in text for text in shown)


def test_small_groups_are_exploratory_as_in_the_index(healthy):
    pages, _ = changes.draw_set_changes(healthy)
    small = [t for page in pages for t in page.texts if t.get_text() == "7 and 5°"]
    assert small and all(text.get_style() == "italic" for text in small)
    assert "° exploratory: fewer than 6 patients in a group." in texts(pages)
    large = [t for page in pages for t in page.texts if t.get_text() == "7"]
    assert large and all(text.get_style() == "normal" for text in large)


def test_the_tests_are_named(tmp_path, healthy):
    said = " ".join(" ".join(texts(changes.draw_set_changes(healthy)[0])).split())
    assert "paired t-test of the patients' own differences, Welch's t-test against healthy" in said
    trial = read_cohort(*make_cohort(tmp_path / "trial", **TRIAL))
    said = " ".join(" ".join(texts(changes.draw_set_changes(trial)[0])).split())
    assert "Welch's t-test between arms;" in said and "healthy" not in said
    said = " ".join(" ".join(texts(changes.draw_gene_changes(trial)[0])).split())
    assert "moderated t-test of a linear model (limma), patients as blocks" in said


def test_lesional_against_nonlesional_skin_under_treatment_is_not_called_disease(tmp_path):
    trial = read_cohort(*make_cohort(tmp_path, **TRIAL))
    table = trial.tables["comparisons"]
    row = table[table["contrast"] == "lesional-nonlesional@0"]
    later = row.assign(contrast="lesional-nonlesional:abrocitinib 200 mg@4")
    trial.tables["comparisons"] = pd.concat([table, later])
    shown = [" ".join(t.split()) for t in texts(changes.draw_set_changes(trial)[0])]
    assert {"Disease", "Under treatment: lesional − nonlesional"} <= set(shown)


def test_colours_are_the_same_in_every_cohort_and_what_lies_beyond_is_counted(healthy):
    effects = healthy.tables["set_effects"]
    effects["change"] = effects["change"].clip(-2, 2)

    def scale(cohort):
        pages, _ = changes.draw_set_changes(cohort)
        ends = [text.get_text() for text in pages[0].axes[-1].get_xticklabels()]
        said = " ".join(" ".join(texts(pages)).split())
        return ends, re.findall(r"(\d+) of [\d,]+ values lie beyond", said)

    assert scale(healthy) == (["≤ −3", "0", "≥ 3"], [])
    effects.loc[effects["set"] == "th2", "change"] = 50.0
    columns = len(changes.supported_columns(healthy))
    assert scale(healthy) == (["≤ −3", "0", "≥ 3"], [str(columns)])


def test_cells_that_no_test_marks_are_pale(trial):
    pages, table = changes.draw_enrichment(trial[0])
    mesh = pages[0].axes[0].collections[0].get_array().reshape(-1, 3)
    strongest = table.loc[table["mark"].fillna("") == "", "nes"].abs().max()
    assert strongest > 0.5
    depth = 1 - mesh.min(axis=1)
    names = {text.get_text() for text in pages[0].axes[0].texts}
    assert {"■", "○"} <= names and depth.max() > 0.6
    # A mark more, and one cell is less pale.
    cohort = trial[0]
    rates = cohort.tables["enrichment"]
    cohort.tables["enrichment"] = rates.assign(fdr=1.0, camera_fdr=1.0)
    pages, _ = changes.draw_enrichment(cohort)
    pale = pages[0].axes[0].collections[0].get_array().reshape(-1, 3)
    cohort.tables["enrichment"] = rates
    known = np.ptp(pale, axis=1) > 0.01
    assert (1 - pale[known].min(axis=1)).max() < 0.3


def test_signed_sets_are_marked(healthy):
    shown = texts(changes.draw_set_changes(healthy)[0])
    assert "Terminal ±" in shown and "Sensory channels" in shown


def add_sets(inputs: dict, count: int) -> None:
    """Add sets as a GMT file would: unsigned, category of added sets, every tenth not scored."""
    names = [f"GOBP_{i:03d}_OF_SOMETHING_WITH_A_VERY_VERY_LONG_NAME" for i in range(count)]
    status = ["not_scored" if i % 10 == 9 else "ok" for i in range(count)]
    data = anndata.read_h5ad(inputs["scores"])
    scores = np.hstack([data.X, np.random.default_rng(0).normal(size=(data.n_obs, count))])
    facts = {
        "label": names,
        "category": SetCategory.OWN,
        "role": "context",
        "direction": "unsigned",
    }
    facts |= {"asked": 9, "found": 9, "status": status, "reason": ""}
    var = pd.concat([data.var.astype(object), pd.DataFrame(facts, index=names, dtype=object)])
    for column in ("asked", "found"):
        var[column] = var[column].astype(int)
    more = anndata.AnnData(scores, obs=data.obs, var=var, uns=data.uns)
    more.layers["zscore"] = scores
    more.write_h5ad(inputs["scores"])
    coverage = read_table(inputs["coverage"])
    extra = {"set": names, "asked": 9, "found": 9, "renamed": 0, "absent": 0, "undetected": 0}
    extra = pd.DataFrame(extra | {"status": status, "reason": ""})
    write_table(pd.concat([coverage, extra]).fillna(""), inputs["coverage"])
    for table in ("set_effects", "enrichment"):
        own = read_table(inputs[table])
        frames = [own]
        for contrast in own["contrast"].unique():
            # The later a set stands in the file, the smaller its rate.
            rates = 0.5 - np.arange(count) / (3 * count)
            new = {"contrast": contrast, "set": names, "fdr": rates, "camera_fdr": rates}
            new |= {"change": 0.1, "nes": 1.0, "method": "zscore", "part": "all", "pairs": 7}
            frames.append(pd.DataFrame(new | {"reason": ""}))
        write_table(pd.concat(frames)[own.columns], inputs[table])


def test_of_many_added_sets_forty_are_drawn_and_all_are_in_the_table(tmp_path):
    inputs, settings = make_cohort(tmp_path, **HEALTHY)
    add_sets(inputs, 90)
    build.build(inputs, outputs_of(tmp_path / "figures"), settings)
    for name in ("set_changes", "sets_samples", "enrichment"):
        svg = (tmp_path / "figures" / f"{name}.svg").read_text(encoding="utf-8")
        drawn = [i for i in range(90) if f"GOBP_{i:03d}_OF_" in svg]
        assert len(drawn) == 40
        if name != "enrichment":
            assert drawn == [i for i in range(90) if i % 10 != 9][-40:]
        assert "VERY_LONG_NAME" not in svg
        assert "40 of 90 added sets shown (those with the smallest FDR)" in svg
        table = read_table(tmp_path / "figures" / f"{name}.tsv")
        assert table["set"].str.startswith("GOBP_").groupby(table["set"]).first().sum() == 90
    svg = (tmp_path / "figures" / "coverage.svg").read_text(encoding="utf-8")
    assert "90 added sets, not drawn: 81 ok, 0 low coverage, 9 not scored" in svg
    assert "GOBP_" not in svg
    assert len(read_table(tmp_path / "figures" / "coverage.tsv")) == 90 + 12
    page = write_pages(read_cohort(inputs, settings), tmp_path / "figures")
    assert "GOBP_" not in page
    assert "9 of 90 added gene sets have too few genes here to be trusted: see Gene sets." in page
