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
from adnorm.base.tables import read_table, write_table
from adnorm.figures.index_heatmap import (
    COLUMNS,
    _shared,
    colours,
    draw_normalization,
    list_index,
    reason_notes,
    tile_colour,
)
from adnorm.figures.labels import DERIVED, SHORT, signed_note
from adnorm.figures.theme import MISSING, RC, savefig
from builders.figure_index import at_width, axes_of, fits, words
from builders.index_tables import EFFECTS, PRIMARY, TRIAL, make

KEYS = ["reference", "measure", "arm", "week"]


@pytest.fixture
def draw(repository, tmp_path):
    def drawn(**plan):
        with mpl.rc_context(RC):
            return draw_normalization(make(repository, tmp_path, **plan))

    return drawn


def panels(pages):
    """The axes with the cells."""
    return [a for a in axes_of(pages) if any(isinstance(c, PolyCollection) for c in a.collections)]


def inside(pages):
    """The texts of all cells."""
    return [text for axes in panels(pages) for text in axes.texts]


def number(value):
    return f"{round(value, 2) + 0.0:.2f}".replace("-", "−")


def end(value):
    """The end of an interval, whose side of 0 is seen."""
    if round(value, 2):
        return number(value)
    digits = next(n for n in range(3, 9) if round(value, n))
    text = f"{value:.{digits}f}".replace("-", "−")
    return text if digits == 3 else "> 0" if value > 0 else "< 0"


def test_every_cell_is_drawn_where_and_as_the_table_says(draw):
    figure, whole = draw()
    # Two drugs minus placebo above, three arms below; both at two visits.
    bands = panels(figure)
    assert len(bands) == 2
    for axes, measure, count in zip(bands, ("dNI", "NI"), (4, 6), strict=True):
        check_cells(axes, whole[whole["measure"] == measure], count)


def check_cells(axes, table, count):
    columns = list(table[KEYS].drop_duplicates().itertuples(index=False, name=None))
    assert len(columns) == count
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
    assert len(texts) == len(expected) == 6 * count
    middles = sorted({round(t.get_position()[0], 6) for t in texts})
    assert len(middles) == count
    for text, row in zip(texts, expected, strict=True):
        same = " =" if row["as_reference"] == "yes" else ""
        assert text.get_text() == number(row["value"]) + same
        assert middles.index(round(text.get_position()[0], 6)) == columns.index(row.name[:4])
        # Beside a placebo arm an index says nothing of the drug: only a difference stands out.
        apart = row["lower"] > 0 or row["upper"] < 0
        assert (text.get_weight() == "bold") == (row.name[1] == "dNI" and apart)
        assert (row["bold"] == "yes") == (text.get_weight() == "bold")
        box = next(i for i, b in enumerate(corners) if b.contains(*text.get_position()))
        colour = tile_colour(row["value"], row["lower"], row["upper"])
        assert boxes.get_facecolors()[box][:3] == pytest.approx(colour)
    intervals = [t.get_text() for t in axes.texts if ", " in t.get_text()]
    assert intervals == [f"{end(r['lower'])}, {end(r['upper'])}" for r in expected]


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
    assert "no disease direction is defined: 1 set (such as" in words(figure)
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
    written = {t.get_text().replace("\n", " ") for t in inside(figure)}
    refused = table[table["value"].isna()]
    assert set(refused["reason_code"]) == {
        "LOW_COVERAGE", "DENOM_NOT_ESTIMABLE", "DIRECTION_CONTRADICTED"
    }  # fmt: skip
    assert {SHORT[code] for code in refused["reason_code"]} <= written
    below = " ".join(words(figure).split())
    assert "9 of 27 genes (33 %) found; at least 50 % are required): Th17 and Th22" in below
    assert "Baseline difference too small (too weak to divide by: lesional − nonlesional" in below
    assert refused["reason"].str.len().gt(10).all()


def test_few_patients_are_italic_and_explained(draw):
    figure, table = draw(arms={"drug": 5})
    known = table[table["value"].notna()]
    assert set(known["status"]) == {"exploratory"}
    numbers = [t for t in inside(figure) if re.match(r"−?\d+\.\d\d", t.get_text())]
    marked = [t for t in numbers if ", " not in t.get_text()]
    assert {t.get_style() for t in numbers} == {"italic"}
    assert all(re.fullmatch(r"−?\d+\.\d\d°( =)?", t.get_text()) for t in marked)
    assert len(marked) == len(known)
    assert "° exploratory: a small group (as few as 5 people)" in words(figure)


def test_cohort_without_placebo_has_no_difference_and_says_so(draw):
    figure, table = draw(arms={"drug 10 mg": 8, "drug 20 mg": 7})
    assert set(table["measure"]) == {"NI"}
    assert "No placebo arm: the index is uncontrolled." in words(figure)
    assert "minus placebo" not in words(figure).lower()
    bold = {t.get_text() for t in inside(figure) if t.get_weight() == "bold"}
    apart = table[(table["lower"] > 0) | (table["upper"] < 0)]
    assert bold == {
        number(v) + " =" * (s == "yes")
        for v, s in zip(apart["value"], apart["as_reference"], strict=True)
    }


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
    assert "Normalization index (NI), against healthy skin" in words(figure)
    assert len(panels(figure)) == 1
    figure, _ = draw(arms={**TRIAL, "healthy": 8})
    assert len(panels(figure)) == 4


def test_reference_that_a_cohort_does_not_have_is_one_sentence(draw):
    figure, table = draw(arms={"drug": 8, "healthy": 8}, nonlesional=False)
    assert set(table["reference"]) == {"healthy"}
    assert "Not shown against nonlesional skin: no nonlesional samples" in words(figure)


def test_nothing_estimable_is_one_sentence_and_a_table_of_reasons(draw):
    figure, table = draw(arms={"drug": 2})
    written = " ".join(words(figure).split())
    assert "no score of this cohort has an index" in written
    assert (
        "against nonlesional skin: baseline difference too small in 8, low coverage in 1 of 9"
        in written
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
    assert "within 0.25 of nonlesional skin, two one-sided tests" in words(figure)
    data.tables["index"] = index.assign(as_reference="no")
    figure, _ = draw_normalization(data)
    assert "one-sided" not in words(figure)
    assert not any(text.get_text().endswith("=") for text in inside(figure))


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
    for kind in ("svg", "png", "pdf", "tsv"):
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
    assert "baseline difference too small" in written
    assert "Without a visit after baseline: still" in written


def test_a_rule_that_refuses_several_scores_is_told_once(repository, tmp_path):
    unclear = {"itch_minus_th2": 0.0, "barrier_lipid_ceramide_down": 0.0, "th1_ifn": 0.0}
    shown = list_index(make(repository, tmp_path, effects=EFFECTS | unclear))
    reasons = shown.table.loc[shown.table["reason_code"] == "DENOM_NOT_ESTIMABLE", "reason"]
    assert reasons.nunique() > 4 and reasons.str.contains("5 are required").all()
    notes = [note for note in reason_notes(shown) if note.startswith("Baseline")]
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


@pytest.mark.parametrize("width", [183, 89])
def test_pages_of_many_arms_and_long_names_can_be_printed(repository, tmp_path, width):
    names = ["tralokinumab and topical corticosteroid", "a-very-long-code-name-AB12345678"]
    arms = {"placebo": 6} | {f"{name} {dose} mg": 6 for name in names for dose in (5, 10, 20)}
    data = at_width(make(repository, tmp_path, arms=arms, weeks=(1.0, 2.0, 4.0, 16.0)), width)
    with mpl.rc_context(RC):
        pages, table = draw_normalization(data)
        fits(pages, width)
    assert len(pages) > 1
    assert any("page 2 of" in words(page) for page in pages)
    # Every number is on some page, with the name of its row.
    numbers = [t for t in inside(pages) if re.match(r"−?\d+\.\d\d°?( =)?$", t.get_text())]
    known = table["value"].notna()
    short = known & (table["measure"] == "dNI") & table["set"].isin(PRIMARY)
    assert len(numbers) == known.sum() + (short.sum() if width == 89 else 0)
    assert all("Itch: core" in words(page) for page in pages if panels(page))


def test_one_column_begins_with_the_primary_family_minus_placebo(repository, tmp_path):
    data = at_width(make(repository, tmp_path), 89)
    with mpl.rc_context(RC):
        pages, table = draw_normalization(data)
    first = pages[0]
    assert "primary family, minus placebo" in words(first)
    (axes,) = panels(first)
    rows = table[(table["measure"] == "dNI") & table["set"].isin(PRIMARY)]
    numbers = [t.get_text() for t in axes.texts if ", " not in t.get_text()]
    order = rows.set_index(["arm", "week", "set"])["value"]
    expected = [
        number(order[arm, week, name])
        for arm in ("drug 10 mg", "drug 20 mg")
        for week in (2.0, 12.0)
        for name in PRIMARY
    ]
    assert numbers == expected
    assert "week 12 n = 7 and 8" in words(first)


def ticks(pages):
    """Words of the colour bars of each page."""
    return [
        [" ".join(t.get_text().split()) for axes in page.axes for t in axes.get_xticklabels()]
        for page in pages
    ]


def test_the_key_of_a_page_explains_the_measures_of_that_page(repository, tmp_path):
    wide = {"arms": {"placebo": 8} | {f"drug {dose} mg": 8 for dose in (5, 10, 20)}}
    wide |= {"weeks": (1.0, 2.0, 4.0, 16.0)}
    data = at_width(make(repository, tmp_path / "many", **wide), 89)
    with mpl.rc_context(RC):
        pages, _ = draw_normalization(data)
    seen = set()
    for page, said in zip(pages, ticks(pages), strict=True):
        written = words(page)
        if not panels(page):
            continue
        # Headings of narrow blocks are broken within words, but not here.
        differences = "(dNI)" in written or "primary family, minus placebo" in written
        index = "(NI)" in written
        seen.add((differences, index))
        # 1 is the level of normal skin for NI only; for dNI it is all of the effect, more.
        assert ("1 as nonlesional skin" in said) == index
        assert ("1 all of it more" in said) == ("0 as on placebo" in said) == differences
    assert {(True, False), (False, True)} <= seen
    with mpl.rc_context(RC):
        few = make(repository, tmp_path / "few", arms={"placebo": 8, "drug": 8})
        pages, _ = draw_normalization(few)
        fits(pages, 183)
    assert {"1 as nonlesional skin", "1 all of it more"} <= set(ticks(pages)[0])
    assert "NI is never bold; not adjusted for the number of cells" in words(pages)


def test_bounds_beside_zero_show_their_side(repository, tmp_path):
    data = make(repository, tmp_path)
    index = data.tables["index"]
    rows = (index["name"] == "global") & (index["week"] == 12)
    index.loc[rows & (index["arm"] == "drug 20 mg"), "dni_lower"] = 0.004
    index.loc[rows & (index["arm"] == "drug 10 mg"), "dni_lower"] = -0.00002
    with mpl.rc_context(RC):
        figure, table = draw_normalization(data)
    texts = [t.get_text() for t in inside(figure)]
    assert any(t.startswith("0.004, ") for t in texts) and any(t.startswith("< 0, ") for t in texts)
    bold = table[(table["set"] == "global") & (table["week"] == 12) & (table["measure"] == "dNI")]
    assert dict(zip(bold["arm"], bold["bold"], strict=True)) == {
        "drug 10 mg": "no",
        "drug 20 mg": "yes",
    }


def test_another_disease_is_named_and_whose_directions_the_sets_have(repository, tmp_path):
    data = make(repository, tmp_path)
    data.facts["disease"] = "psoriasis"
    with mpl.rc_context(RC):
        figure, _ = draw_normalization(data)
    written = words(figure)
    assert "Disease: psoriasis" in written
    assert "Directions of gene sets are those of atopic dermatitis, not of psoriasis." in written
    note = signed_note(data, ["itch_core_skin_up"])
    assert "In psoriasis these directions are borrowed, not its own." in note
    data.facts["disease"] = "Atopic Dermatitis"
    assert "borrowed" not in signed_note(data, ["itch_core_skin_up"])


def test_diseases_are_named_where_cohorts_of_several_stand_together(atlas_run, tmp_path):
    inputs, cohorts = atlas_run
    time = read_table(inputs["time"])
    time.loc[time["cohort"] == "gamma", "disease"] = "alopecia areata"
    write_table(time, tmp_path / "time.tsv")
    data, figures = trials.draw_atlas(inputs | {"time": tmp_path / "time.tsv"}, cohorts)
    assert data.name("gamma") == "gamma (alopecia areata)"
    assert data.name("alpha") == "alpha (atopic dermatitis)"
    for name in ("forest", "normalization_atlas"):
        written = words(figures[name][0])
        assert "(alopecia areata)" in written and "(atopic dermatitis)" in written
    assert "Directions of gene sets are those of atopic dermatitis, also in alopecia areata." in (
        words(figures["normalization_atlas"][0])
    )


def test_placebo_is_never_bold_over_all_cohorts(atlas_drawn):
    _, figures = atlas_drawn
    table = figures["normalization_atlas"][1]
    assert (table.loc[table["arm"] == "placebo", "bold"] == "no").all()
    alone = table[(table["cohort"] == "open") & table["value"].notna()]
    apart = (alone["lower"] > 0) | (alone["upper"] < 0)
    assert list(alone["bold"] == "yes") == list(apart)
    drugs = table[(table["cohort"] == "alpha") & (table["arm"] != "placebo")]
    # Nor are indices beside a placebo, however far from 0: those say nothing of the drug.
    assert (drugs["lower"] > 0).any() and (drugs["bold"] == "no").all()
    written = words(figures["normalization_atlas"][0])
    assert "cohort with placebo: NI is never bold" in written
    assert ("not adjusted for the number of cells" in written) == (table["bold"] == "yes").any()


def test_lesions_of_one_patient_are_counted_as_patients_with_both(repository, tmp_path):
    data = make(repository, tmp_path)
    data.tables["samples"]["lesion"] = "left arm"
    data.tables["index"]["placebo_pairs"] = 6
    with mpl.rc_context(RC):
        figure, _ = draw_normalization(data)
    written = words(figure)
    assert "week 2 n = 6" in written and "n = 8 and" not in written
    assert "n = patients with lesions in both arms" in written
