"""The normalization heatmap: it shows what its table says, and says why where it shows nothing."""

from __future__ import annotations

import re

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgb

import builders.figure_index as trials
from adnorm.base.tables import read_table
from adnorm.figures.index_heatmap import (
    COLUMNS,
    _shared,
    colours,
    draw_normalization,
    list_index,
    reason_notes,
    tile_colour,
)
from adnorm.figures.labels import DERIVED, SHORT
from adnorm.figures.theme import MISSING, RC, savefig
from builders.index_tables import EFFECTS, PRIMARY, TRIAL, make

KEYS = ["reference", "measure", "arm", "week"]


@pytest.fixture
def draw(repository, tmp_path):
    def drawn(**plan):
        with mpl.rc_context(RC):
            return draw_normalization(make(repository, tmp_path, **plan))

    return drawn


def panel(figure):
    """The axes with the cells."""
    return max(figure.axes, key=lambda axes: len(axes.texts))


def words(figure):
    return "\n".join(t.get_text() for t in figure.texts)


def number(value):
    return f"{round(value, 2) + 0.0:.2f}".replace("-", "−")


def test_every_cell_is_drawn_where_and_as_the_table_says(draw):
    figure, table = draw()
    axes = panel(figure)
    columns = list(table[KEYS].drop_duplicates().itertuples(index=False, name=None))
    # Three arms and two drugs at two visits.
    assert len(columns) == 10
    cells = table.set_index([*KEYS, "set"])
    texts = [t for t in axes.texts if re.fullmatch(r"−?\d+\.\d\d( =)?", t.get_text())]
    (boxes,) = (c for c in axes.collections if isinstance(c, PolyCollection))
    corners = [path.get_extents() for path in boxes.get_paths()]
    expected = [
        cells.loc[(*column, name)]
        for name in table["set"].unique()
        for column in columns
        if np.isfinite(cells.loc[(*column, name)]["value"])
    ]
    assert len(texts) == len(expected) == 60
    middles = sorted({round(t.get_position()[0], 6) for t in texts})
    assert len(middles) == 10
    for text, row in zip(texts, expected, strict=True):
        same = " =" if row["as_reference"] == "yes" else ""
        assert text.get_text() == number(row["value"]) + same
        assert middles.index(round(text.get_position()[0], 6)) == columns.index(row.name[:4])
        assert (text.get_weight() == "bold") == (row["lower"] > 0 or row["upper"] < 0)
        box = next(i for i, b in enumerate(corners) if b.contains(*text.get_position()))
        colour = tile_colour(row["value"], row["lower"], row["upper"])
        assert boxes.get_facecolors()[box][:3] == pytest.approx(colour)
    intervals = [t.get_text() for t in axes.texts if re.search(r"\d(–| to )", t.get_text())]
    assert intervals == [
        f"{number(r['lower'])}{'–' if r['lower'] > -0.005 else ' to '}{number(r['upper'])}"
        for r in expected
    ]


def test_values_are_those_of_the_primary_analysis(repository, tmp_path):
    data = make(repository, tmp_path)
    _, table = draw_normalization(data)
    index = data.tables["index"]
    index = index.rename(columns={"name": "set"})
    tests = ["p_value", "step", "adjusted_p_value", "fdr"]
    for measure, value in (("NI", "ni"), ("dNI", "dni")):
        own = table[table["measure"] == measure]
        merged = own.merge(index, on=["arm", "week", "set"], suffixes=("", "_there"))
        assert len(merged) == len(own) > 0
        np.testing.assert_array_equal(merged["value"], merged[value].astype(float))
        # A row of the index has one test: it stands beside the number that it is of.
        tested = merged["tested"] == measure
        assert tested.any()
        for test in tests:
            expected = merged[f"{test}_there"].astype(float).where(tested)
            np.testing.assert_array_equal(merged[test].astype(float), expected)
    assert set(table.loc[table["measure"] == "dNI", "arm"]) == {"drug 10 mg", "drug 20 mg"}
    assert list(table.columns) == COLUMNS


def test_rows_primary_family_first_and_no_set_without_direction(draw):
    figure, table = draw()
    names = list(table["set"].unique())
    assert names[:3] == PRIMARY
    # Itch stands before barrier, and the derived itch score with the itch sets.
    assert names.index("itch_minus_th2") < names.index("barrier_lipid_ceramide_down")
    assert "comp_tcell" not in names
    assert "1 set without a direction" in words(figure)
    assert set(DERIVED) <= set(names)
    assert "SIMULATED DATA" in words(figure)


def test_axis_of_a_published_list_stands_among_the_disease_signatures(repository, tmp_path):
    data = make(repository, tmp_path)
    index = data.tables["index"]
    own = index[index["name"] == "global"].assign(
        name="my_list", level="published_axis", family="none"
    )
    data.tables["index"] = pd.concat([index, own], ignore_index=True)
    figure, table = draw_normalization(data)
    assert "Disease axis of a list: my list" in words(figure)
    names = list(table["set"].unique())
    assert "my_list" not in names[:3]
    assert names[-1] != "global"
    cells = table[table["set"] == "my_list"]["value"].to_numpy()
    np.testing.assert_array_equal(cells, table[table["set"] == "global"]["value"].to_numpy())


def test_reasons_stand_in_the_cells_and_in_full_below(draw):
    figure, table = draw()
    inside = {t.get_text().replace("\n", " ") for t in panel(figure).texts}
    refused = table[table["value"].isna()]
    assert set(refused["reason_code"]) == {
        "LOW_COVERAGE", "DENOM_NOT_ESTIMABLE", "DIRECTION_CONTRADICTED"
    }  # fmt: skip
    assert {SHORT[code] for code in refused["reason_code"]} <= inside
    below = " ".join(words(figure).split())
    assert "9 of 27 genes (33 %) found; at least 50 % are asked): Th17 and Th22" in below
    assert "Effect unclear (too weak to divide by: lesional − nonlesional" in below
    assert refused["reason"].str.len().gt(10).all()


def test_few_patients_are_italic_and_explained(draw):
    figure, table = draw(arms={"drug": 5})
    known = table[table["value"].notna()]
    assert set(known["status"]) == {"exploratory"}
    numbers = [t for t in panel(figure).texts if re.fullmatch(r"−?\d+\.\d\d", t.get_text())]
    assert {t.get_style() for t in numbers} == {"italic"}
    assert "the smallest group has 5 people" in words(figure)


def test_cohort_without_placebo_has_no_difference_and_says_so(draw):
    figure, table = draw(arms={"drug 10 mg": 8, "drug 20 mg": 7})
    assert set(table["measure"]) == {"NI"}
    assert "No placebo arm: the index is uncontrolled." in words(figure)
    assert "NI of placebo" not in words(figure)


def test_visit_without_placebo_is_left_out_with_the_reason(repository, tmp_path):
    data = make(repository, tmp_path)
    index = data.tables["index"]
    lost = (index["week"] == 12) & (index["arm"] != "placebo")
    index.loc[lost, ["dni", "dni_lower", "dni_upper"]] = np.nan
    index.loc[lost, ["dni_reason_code", "dni_reason"]] = ["TOO_FEW_PAIRS", "placebo has 2 patients"]
    figure, table = draw_normalization(data)
    assert set(table.loc[table["measure"] == "dNI", "week"]) == {2.0}
    assert "No dNI: drug 10 mg week 12: placebo has 2 patients" in words(figure)


def test_number_without_an_interval_is_not_drawn(repository, tmp_path):
    data = make(repository, tmp_path)
    index = data.tables["index"]
    row = (index["name"] == "th1_ifn") & (index["arm"] == "drug 20 mg") & (index["week"] == 12)
    index.loc[row, "dni_lower"] = np.nan
    _, table = draw_normalization(data)
    cell = table[(table["set"] == "th1_ifn") & (table["reason_code"] == "UNBOUNDED")]
    assert len(cell) == 1
    assert cell["measure"].tolist() == ["dNI"]
    assert cell["value"].isna().all()


def test_both_references_side_by_side_or_below_each_other(draw):
    figure, table = draw(arms={"drug": 8, "healthy": 8})
    assert list(table["reference"].unique()) == ["nonlesional", "healthy"]
    assert "NI against healthy skin" in words(figure).replace("\nskin", " skin")
    assert sum(len(axes.texts) > 5 for axes in figure.axes) == 1
    figure, _ = draw(arms={**TRIAL, "healthy": 8})
    assert sum(len(axes.texts) > 5 for axes in figure.axes) == 2


def test_reference_that_a_cohort_does_not_have_is_one_sentence(draw):
    figure, table = draw(arms={"drug": 8, "healthy": 8}, nonlesional=False)
    assert set(table["reference"]) == {"healthy"}
    assert "Not shown against nonlesional skin: no nonlesional samples" in words(figure)


def test_nothing_estimable_is_one_sentence_and_a_table_of_reasons(draw):
    figure, table = draw(arms={"drug": 2})
    written = " ".join(words(figure).split())
    assert "no score of this cohort has an index" in written
    assert (
        "against nonlesional skin: disease effect unclear in 8, low coverage in 1 of 9" in written
    )
    assert table["value"].isna().all()
    assert (table["reason"].str.len() > 10).all()


def test_cohort_without_reference_says_which_samples_are_missing(draw):
    figure, table = draw(arms={"drug": 6}, nonlesional=False)
    assert "no nonlesional samples at baseline in this cohort" in " ".join(words(figure).split())
    assert set(table["reason_code"]) == {"NO_REFERENCE", "LOW_COVERAGE"}


def test_cohort_without_visits_says_so(repository, tmp_path):
    data = make(repository, tmp_path)
    data.tables["index"] = data.tables["index"].iloc[:0]
    figure, table = draw_normalization(data)
    assert "an index needs lesional skin before and after treatment; one visit" in " ".join(
        words(figure).split()
    )
    assert list(table.columns) == COLUMNS
    assert len(table) == 1


def test_an_index_is_at_the_level_of_the_reference_only_where_tests_say_so(repository, tmp_path):
    data = make(repository, tmp_path)
    index = data.tables["index"]
    figure, table = draw_normalization(data)
    same = table[table["as_reference"] == "yes"]
    assert set(same["measure"]) == {"NI"} and (same["value"] - 1).abs().lt(0.25).all()
    assert len(same) == (index["as_reference"] == "yes").sum() > 0
    assert "within 0.25 of nonlesional skin,\ntwo one-sided tests" in words(figure)
    data.tables["index"] = index.assign(as_reference="no")
    figure, _ = draw_normalization(data)
    assert "one-sided" not in words(figure)
    assert not any(text.get_text().endswith("=") for text in panel(figure).texts)


def test_plan_and_model_stand_below(repository, tmp_path):
    data = make(repository, tmp_path)
    index = data.tables["index"]
    planned = index[index["step"].notna()]
    known = (planned["adjusted_p_value"] < 0.05).sum()
    (note,) = (note for note in list_index(data).notes if note.startswith("Primary family"))
    assert note == (
        f"Primary family: Holm; {len(planned)} tests of dNI, {known} below 0.05 after adjustment "
        "(column adjusted_p_value)."
    )
    assert not any(note.startswith("MMRM") for note in list_index(data).notes)
    index.loc[index["arm"] == "drug 10 mg", "estimator"] = "MMRM"
    assert any(note.startswith("MMRM (drug 10 mg): ") for note in list_index(data).notes)


def lightness(colour):
    return float(np.dot(to_rgb(colour), [0.2126, 0.7152, 0.0722]))


def test_colours_tell_no_change_from_normal_and_from_beyond():
    at = {v: colours()((v + 0.5) / 2)[:3] for v in (-0.5, 0.0, 0.5, 1.0, 1.5)}
    assert at[0.0] == pytest.approx((1, 1, 1), abs=0.02)
    shades = [lightness(at[v]) for v in (0.0, 0.5, 1.0, 1.5)]
    # Without any hue the order is still seen.
    assert all(a - b > 0.2 for a, b in zip(shades, shades[1:], strict=False))
    assert at[-0.5][0] > at[-0.5][2] + 0.3
    assert at[1.0][2] > at[1.0][0] + 0.3
    assert tile_colour(7.0, 6.0, 8.0) == pytest.approx(at[1.5])
    assert lightness(tile_colour(0.9, -1.0, 2.0)) > lightness(tile_colour(0.9, 0.4, 2.0)) + 0.2
    assert MISSING not in {tuple(c) for c in at.values()}


def test_same_bytes_again(repository, tmp_path):
    for again in ("first", "second"):
        with mpl.rc_context(RC):
            figure, table = draw_normalization(make(repository, tmp_path))
            savefig(figure, tmp_path / again, "normalization", table)
    for kind in ("svg", "png", "tsv"):
        name = f"normalization.{kind}"
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_heatmap_has_a_cell_for_every_score_arm_and_visit(atlas_run, atlas_drawn):
    figure, table = atlas_drawn[1]["normalization_atlas"]
    cells = table[table["drawn"] == "computed"]
    time = read_table(atlas_run[0]["time"])
    both = cells.merge(time, on=["cohort", "arm", "week", "name", "reference"])
    # Three visits of arms in alpha would be six columns, beta and gamma have two, open one.
    assert len(cells) == len(both) == 4 * (6 + 2 + 2 + 1)
    np.testing.assert_array_equal(both["value"].astype(float), both["ni"])
    written = trials.words(figure)
    assert "effect unclear" in written
    assert "Without a visit after baseline: still" in written


def test_a_rule_that_refuses_several_scores_is_told_once(repository, tmp_path):
    unclear = {"itch_minus_th2": 0.0, "barrier_lipid_ceramide_down": 0.0, "th1_ifn": 0.0}
    shown = list_index(make(repository, tmp_path, effects=EFFECTS | unclear))
    reasons = shown.table.loc[shown.table["reason_code"] == "DENOM_NOT_ESTIMABLE", "reason"]
    assert reasons.nunique() > 4 and reasons.str.contains("5 are required").all()
    notes = [note for note in reason_notes(shown) if note.startswith("Effect unclear")]
    rules = [note.split("): ")[0] for note in notes]
    assert len(set(rules)) == len(notes) < 4
    assert all(note.count("too weak to divide by") == 1 for note in notes)
    assert all(note.count("less than 5 standard errors away") == 1 for note in notes)
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
    effects = data.tables["index"].drop_duplicates("name")[["reference", "level", "name"]]
    basis = "directions of the gene sets (the shipped ones: of atopic dermatitis), against the"
    basis = np.where(effects["name"] == "global", "axis of psoriasis, cross-fitted", f"{basis} x")
    data.tables["denominators"] = effects.assign(basis=basis)
    notes = list_index(data).notes
    assert "Whole disease axis: axis of psoriasis, cross-fitted." in notes
    assert sum(note.startswith("Gene sets: directions of the gene sets") for note in notes) == 1
    data.tables["denominators"] = effects.assign(basis=np.nan)
    assert not any("axis of" in note for note in list_index(data).notes)


def test_scores_that_are_back_no_more_than_random_sets_are_named(repository, tmp_path):
    data = make(repository, tmp_path)
    assert not any(note.startswith("Not special") for note in list_index(data).notes)
    index = data.tables["index"]
    itch = (index["name"] == "itch_core_skin_up") & (index["week"] == 12)
    index.loc[itch & (index["arm"] == "drug 20 mg"), "null_percentile"] = 81
    # Not back at all: nothing is claimed.
    worse = itch & (index["arm"] == "placebo")
    index.loc[worse, ["lower", "null_percentile"]] = [-0.1, 20]
    (note,) = (note for note in list_index(data).notes if note.startswith("Not special"))
    assert note.endswith("(percentile among them): Itch: core (skin), drug 20 mg week 12 (81).")
