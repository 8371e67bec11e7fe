"""Heatmaps of samples: what they show is what their tables say."""

from __future__ import annotations

import anndata
import numpy as np
import pytest

from adnorm.base.errors import AdnormError
from adnorm.base.tables import read_table
from adnorm.figures import build
from adnorm.figures.data import read_cohort
from adnorm.figures.samples import _by_response, draw_genes, draw_sets_samples
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
    assert list(lost["reason"]) == ["below the expression filter"]


def test_few_samples_are_named(cohorts_drawn):
    assert ">GSM1000<" in (cohorts_drawn["healthy"][2] / "genes_itch.svg").read_text()


def test_two_hundred_samples_stay_readable(tmp_path):
    arms = {"placebo": 17, "abrocitinib 100 mg": 12, "abrocitinib 200 mg": 12}
    inputs, settings = make_cohort(tmp_path, **TRIAL | {"arms": arms})
    build.build(inputs, outputs_of(tmp_path / "figures"), settings)
    svg = (tmp_path / "figures" / "genes_itch.svg").read_text()
    # Names of 205 samples cannot be read; groups and their sizes can.
    assert ">GSM1000<" not in svg
    assert ">n =<" in svg and ">17<" in svg


def test_patients_stand_in_one_order_at_every_visit_largest_decrease_first(tmp_path):
    cohort = read_cohort(*make_cohort(tmp_path, **TRIAL))
    level = cohort.score_values().loc["th2"]
    # One patient misses the last visit, and one all of them but the first.
    gone = cohort.samples.query(
        "patient == 'plalac00' and week == 12 and state == 'lesional'"
    ).index
    gone = gone.union(cohort.samples.query("patient == 'plalac01' and week > 0").index)
    cohort.samples.drop(index=gone, inplace=True)
    samples, responded = _by_response(cohort, level)
    assert responded
    placebo = samples[(samples["arm"] == "placebo") & (samples["state"] == "lesional")]
    first = placebo[placebo["week"] == 0]["patient"].tolist()
    assert first[-1] == "plalac01"
    for (_, _), some in samples[samples["arm"] == "placebo"].groupby(["state", "week"]):
        shown = some["patient"].tolist()
        assert shown == [patient for patient in first if patient in set(shown)]
    by = placebo.set_index(["patient", "week"])["level"]
    last = {patient: 4.0 if patient == "plalac00" else 12.0 for patient in first[:-1]}
    changes = [by[patient, week] - by[patient, 0.0] for patient, week in last.items()]
    assert changes == sorted(changes)


def test_columns_too_fine_for_an_eye_are_means_of_groups(tmp_path):
    arms = {"placebo": 30, "abrocitinib 100 mg": 30, "abrocitinib 200 mg": 30}
    inputs, settings = make_cohort(tmp_path, **TRIAL | {"arms": arms})
    narrow = settings.model_copy(update={"figures": FiguresSettings(width=89)})
    pages, table = draw_sets_samples(read_cohort(inputs, narrow))
    said = " ".join(" ".join(texts(pages)).split())
    assert "one column per group, the mean of its n samples" in said
    groups = table[["state", "arm", "week"]].drop_duplicates()
    mesh = pages[0].axes[0].collections[0].get_array()
    # Every other column is a gap.
    assert (mesh.shape[1] + 1) // 2 == len(groups) == 15
    assert len(table["sample"].unique()) == 450


def test_a_row_that_would_be_saturated_has_a_wider_scale(trial):
    pages, table = draw_sets_samples(trial[0])
    scales = [
        text
        for page in pages
        for text in texts(page)
        if text.startswith("±") and text[1:2].isdigit()
    ]
    scores = table[table["set"] == "itch_core_skin_up"]["score"].abs()
    limit = float(scales[0][1:])
    assert limit > 1.5 and (scores > limit).mean() <= 0.025
    assert len(scales) == table.dropna(subset="score")["set"].nunique()


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


def test_only_directions_that_occur_have_a_sign(tmp_path):
    plan = {"arms": {"untreated": 5}, "visits": [0.0], "states": ["lesional"]}
    pages, _ = draw_genes(read_cohort(*make_cohort(tmp_path, **plan)), "itch")
    shown = texts(pages)
    assert "▲" in shown and "▼" not in [t for t in shown if len(t) == 1]
