"""Heatmaps of samples: what they show is what their tables say."""

from __future__ import annotations

import anndata
import numpy as np
import pytest

from adnorm.base.errors import AdnormError
from adnorm.base.tables import read_table
from adnorm.figures import build
from adnorm.figures.data import read_cohort
from adnorm.figures.samples import draw_genes
from adnorm.study.config import FiguresSettings, HeatmapSets
from builders.figure_cohorts import HEALTHY, TRIAL, make_cohort, outputs_of, texts


def test_genes_table_holds_the_z_values_that_are_drawn(trial):
    cohort, folder = trial
    table = read_table(folder / "genes_itch.tsv")
    shown = table[table["sample"].notna()]
    wide = shown.pivot(index="gene", columns="sample", values="z")
    raw = cohort.gene_values(list(wide.index))[wide.columns]
    expected = raw.sub(raw.mean(axis=1), axis=0).div(raw.std(axis=1), axis=0)
    drawn = wide.drop(index="GENE003")
    np.testing.assert_allclose(drawn, expected.loc[drawn.index], atol=1e-4)
    flat = shown[shown["gene"] == "GENE003"]
    assert flat["z"].isna().all()
    assert set(flat["reason"]) == {"no variation between samples"}
    lost = table[table["sample"].isna()]
    assert list(lost["gene"]) == ["ABSENT0"]
    assert list(lost["reason"]) == ["not detected"]


def test_few_samples_are_named(cohorts_drawn):
    assert ">GSM1000<" in (cohorts_drawn["healthy"][2] / "genes_itch.svg").read_text()


def test_two_hundred_samples_stay_readable(tmp_path):
    arms = {"placebo": 17, "abrocitinib 100 mg": 12, "abrocitinib 200 mg": 12}
    inputs, settings = make_cohort(tmp_path, **TRIAL | {"arms": arms})
    build.build(inputs, outputs_of(tmp_path / "figures"), settings)
    svg = (tmp_path / "figures" / "genes_itch.svg").read_text()
    # Names of 205 samples cannot be read; groups and their sizes can.
    assert ">GSM1000<" not in svg
    assert ">n=17<" in svg


def test_a_set_that_does_not_exist_stops(cohorts_drawn):
    inputs, settings, _ = cohorts_drawn["trial"]
    figures = FiguresSettings(heatmap_sets=HeatmapSets(itch=["itch_core"]))
    wrong = settings.model_copy(update={"figures": figures})
    with pytest.raises(AdnormError, match=r"'itch_core'.*did you mean 'itch_core_skin_up'"):
        draw_genes(read_cohort(inputs, wrong), "itch")


def test_scores_without_any_value(tmp_path):
    inputs, settings = make_cohort(tmp_path, **HEALTHY)
    data = anndata.read_h5ad(inputs["scores"])
    data.X[:] = np.nan
    data.layers["zscore"][:] = np.nan
    data.write_h5ad(inputs["scores"])
    build.build(inputs, outputs_of(tmp_path / "figures"), settings)
    svg = (tmp_path / "figures" / "patients.svg").read_text()
    assert "no itch or barrier set has a score" in svg
    assert read_table(tmp_path / "figures" / "sets_samples.tsv")["score"].isna().all()


def test_a_field_with_one_value_has_no_strip_and_no_legend(tmp_path):
    plan = {"arms": {"untreated": 5}, "visits": [0.0], "states": ["lesional"]}
    figure, _ = draw_genes(read_cohort(*make_cohort(tmp_path, **plan)), "itch")
    shown = texts(figure)
    assert not {"state", "arm", "week"} & set(shown)
    assert "▲" in shown and "▼" not in [t for t in shown if len(t) == 1]
