"""Gene by gene."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.text import Text

from adnorm.base.tables import read_table
from adnorm.figures import reversal
from builders.figure_index import axes_of, words


def test_reversal_shows_every_gene_and_counts_the_classes(index_made, index_drawn):
    figure, table = index_drawn["reversal"]
    genes = read_table(index_made[0]["gene_index"])
    assert list(table["arm"].unique()) == ["drug 20 mg", "placebo"]
    assert set(table["week"]) == {12.0}
    both = table.merge(genes, on=["arm", "week", "gene"], suffixes=("", "_there"))
    assert len(both) == len(table)
    np.testing.assert_array_equal(both["disease_effect"], both["denominator"])
    np.testing.assert_array_equal(both["change"], -both["decrease"])
    written = words(figure)
    drug = table[table["arm"] == "drug 20 mg"]
    for name, count in drug["class"].value_counts().items():
        assert f"{name}: {count:,}" in written
    drawn_points = sum(
        len(line.get_xdata()) for line in axes_of(figure)[0].lines if line.get_rasterized()
    )
    assert drawn_points == len(drug)
    named = table[table["named"] == "yes"]
    assert set(named["topic"]) == {"itch", "barrier"}
    assert named.groupby(["arm", "topic"]).size().max() <= max(reversal.NAMED.values())
    inside = {t.get_text() for axes in axes_of(figure) for t in axes.texts}
    assert set(named["gene"]) <= inside
    assert "Black rings: the itch and barrier genes" in words(figure)


def test_names_of_genes_do_not_cover_one_another(index_drawn):
    (figure,), _ = index_drawn["reversal"]
    figure.canvas.draw()
    # Of the names alone, without the leads to their points.
    boxes = [Text.get_window_extent(t) for t in figure.axes[0].texts]
    assert len(boxes) > 5
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[i + 1 :])


def test_both_axes_have_the_same_units_and_name_them(index_drawn):
    (figure,), _ = index_drawn["reversal"]
    for axes in figure.axes:
        box = axes.get_window_extent()
        (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
        assert box.width / (right - left) == pytest.approx(box.height / (high - low))
        assert "(log2)" in axes.get_xlabel() and "(log2)" in axes.get_ylabel()
