"""Samples as points: principal components and quality."""

from __future__ import annotations

import numpy as np

from adnorm.figures.quality import draw_pca, draw_quality
from builders.figure_cohorts import texts


def test_few_of_many_flagged_samples_are_ringed(healthy):
    healthy.samples.loc[healthy.samples.index[:17], "qc_flags"] = "small_library"
    figure, table = draw_pca(healthy)
    panel = figure.axes[0]
    assert len([line for line in panel.lines if line.get_markerfacecolor() == "none"]) == 15
    assert not panel.texts
    assert any("of the 17 samples that quality control flagged" in t for t in texts(figure))
    assert (table["flags"] != "").sum() == 17


def test_one_arm_is_coloured_by_week(healthy):
    assert [axes.get_title("left") for axes in draw_pca(healthy)[0].axes] == [
        "Coloured by state",
        "Coloured by week",
    ]


def test_panels_without_values_are_left_out_with_the_reason(healthy):
    qc = healthy.tables["qc"]
    qc["library_size"] = qc["detected_genes"] = np.nan
    qc["lesional_place"] = np.nan
    qc["not_computed"] = "library_size: log2 values hold no reads; lesional_place: fewer than 6"
    figure, _ = draw_quality(healthy)
    assert len(figure.axes) == 2
    assert any(
        "library size (million reads) (log2 values hold no reads)" in t for t in texts(figure)
    )
    assert any("lesional (1) (fewer than 6)" in t for t in texts(figure))
    labels = [t.get_text() for legend in figure.legends for t in legend.get_texts()]
    assert "lesional" in labels and "excluded" not in labels


def test_exchanged_samples_are_ringed_where_they_lie_between_the_states(trial):
    data, _ = trial
    qc = data.tables["qc"] = data.tables["qc"].copy()
    at = qc.index[(qc["state"] == "lesional") & (qc["week"] == 0)][0]
    qc.loc[at, ["flags", "reason", "lesional_place"]] = ["state_exchanged", "perhaps", 0.0]
    figure, table = draw_quality(data)
    panel = next(a for a in figure.axes if "non-lesional (0)" in a.get_title("left"))
    rings = [line for line in panel.lines if line.get_markerfacecolor() == "none"]
    assert [line.get_ydata()[0] for line in rings] == [0.0]
    low, high = panel.get_ylim()
    assert low < table["lesional_place"].min() and high > table["lesional_place"].max()
