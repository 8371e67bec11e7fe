"""What the normalization heatmap shows, and why something lacks."""

from __future__ import annotations

import numpy as np
import pytest

from adnorm.figures.index_table import _shared, list_index, reason_notes
from builders.index_tables import EFFECTS, make


def test_a_rule_that_refuses_several_scores_is_told_once(repository, tmp_path):
    unclear = {"itch_minus_th2": 0.0, "barrier_lipid_ceramide_down": 0.0, "th1_ifn": 0.0}
    shown = list_index(make(repository, tmp_path, effects=EFFECTS | unclear))
    reasons = shown.table.loc[shown.table["reason_code"] == "DENOM_NOT_ESTIMABLE", "reason"]
    assert reasons.nunique() == 4 and reasons.str.contains("asked, it is").all()
    notes = [note for note in reason_notes(shown) if note.startswith("Effect unclear")]
    rules = [note.split("): ")[0] for note in notes]
    assert len(set(rules)) == len(notes) < 4
    assert all(note.count("too close to 0 to divide by") == 1 for note in notes)
    assert not any("it is" in note for note in notes)
    assert sum(note.count(" ± ") for note in notes) == 4


@pytest.mark.parametrize(
    ("reasons", "shared"),
    [
        (["7 of 28 (25 %) found", "3 of 7 (42 %) found"], ("", " found")),
        (["D is 2 (n = 9)", "D is 3 (n = 9)"], ("D is ", " (n = 9)")),
        (["the same", "the same"], ("", "")),
        (["one thing", "another"], ("", "")),
        (["a b", "a b c"], ("a b ", "")),
    ],
)
def test_shared_words(reasons, shared):
    assert _shared(reasons) == shared


def test_whose_axis_it_is_stands_below(repository, tmp_path):
    data = make(repository, tmp_path)
    index = data.tables["index"]
    basis = "directions of the gene sets (the shipped ones: of atopic dermatitis), against the"
    basis = np.where(index["name"] == "global", "axis of psoriasis, cross-fitted", f"{basis} x")
    data.tables["index"] = index.assign(basis=basis)
    notes = list_index(data).notes
    assert "Whole disease axis: axis of psoriasis, cross-fitted." in notes
    assert sum(note.startswith("Gene sets: directions of the gene sets") for note in notes) == 1
    data.tables["index"] = index.assign(basis=np.nan)
    assert not any("axis of" in note for note in list_index(data).notes)
