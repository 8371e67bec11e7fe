"""Samples as points: principal components and quality."""

from __future__ import annotations

import numpy as np

from adnorm.figures.quality import draw_pca, draw_quality
from adnorm.figures.theme import ALERT
from builders.figure_cohorts import read, texts


def test_few_of_many_flagged_samples_are_ringed(healthy):
    healthy.samples.loc[healthy.samples.index[:17], "qc_flags"] = "small_library"
    (figure,), table = draw_pca(healthy)
    panel = figure.axes[0]
    assert len([line for line in panel.lines if line.get_markerfacecolor() == "none"]) == 15
    assert not panel.texts
    assert any("of the 17 samples that quality control flagged" in t for t in texts(figure))
    assert (table["flags"] != "").sum() == 17


def test_one_arm_is_coloured_by_week(healthy):
    assert [axes.get_title("left") for axes in draw_pca(healthy)[0][0].axes] == [
        "Coloured by state",
        "Coloured by week",
    ]


def test_panels_without_values_are_left_out_with_the_reason(healthy):
    qc = healthy.tables["qc"]
    qc["library_size"] = qc["detected_genes"] = np.nan
    qc["lesional_place"] = np.nan
    qc["not_computed"] = "library_size: not available for log2 data; lesional_place: fewer than 6"
    (figure,), _ = draw_quality(healthy)
    assert len(figure.axes) == 2
    said = " ".join(" ".join(texts(figure)).split())
    assert "library size (million reads) (not available for log2 data)" in said
    assert "lesional (1) (fewer than 6)" in said
    assert "lesional" in texts(figure) and "excluded" not in texts(figure)


def test_exchanged_samples_are_ringed_where_they_lie_between_the_states(trial):
    data, _ = trial
    qc = data.tables["qc"] = data.tables["qc"].copy()
    at = qc.index[(qc["state"] == "lesional") & (qc["week"] == 0)][0]
    qc.loc[at, ["flags", "reason", "lesional_place"]] = ["state_exchanged", "perhaps", 0.0]
    (figure,), table = draw_quality(data)
    panel = next(a for a in figure.axes if "nonlesional (0)" in a.get_title("left"))
    rings = [line for line in panel.lines if line.get_markerfacecolor() == "none"]
    assert [line.get_ydata()[0] for line in rings] == [0.0]
    said = " ".join(" ".join(texts(figure)).split())
    # Made-up trials have nonlesional skin before treatment alone.
    later = table["lesional_place"].notna() & (table["week"] > 0)
    assert (table["week"] > 0).any() and not later.any()
    assert "Place: of samples at baseline only" in said
    low, high = panel.get_ylim()
    assert low < table["lesional_place"].min() and high > table["lesional_place"].max()


def test_many_flagged_samples_are_an_alert_and_few_are_not(healthy):
    count = len(healthy.samples)
    for flagged, alert in ((3, False), (4, True)):
        healthy.samples["qc_flags"] = ""
        healthy.samples.loc[healthy.samples.index[:flagged], "qc_flags"] = "small_library"
        healthy.facts.pop("quality", None)
        healthy.note_quality()
        (figure,), _ = draw_pca(healthy)
        words = f"{flagged} of {count} samples flagged by quality control"
        red = [text.get_text() for text in figure.texts if text.get_color() == ALERT]
        assert (words in red) == alert
        assert sum(words in text for text in texts(figure)) == 1


def test_counts_of_one_are_written_as_such(tmp_path):
    plan = {"arms": {"untreated": 1}, "visits": [0.0], "states": ["lesional"]}
    assert read(tmp_path, **plan).n == "1 sample of 1 person"
