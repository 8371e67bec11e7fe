"""The index over time and over dose."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest

import builders.figure_index as trials
from adnorm.base.tables import read_table
from adnorm.figures import build
from adnorm.figures.theme import RC
from builders.figure_index import OTHER, at_width, axes_of, draw_atlas, fits, words


def test_time_courses_are_the_index_table(index_made, index_drawn):
    figure, table = index_drawn["time_courses"]
    index = read_table(index_made[0]["index"])
    both = table.merge(index, on=["reference", "arm", "week", "name"], suffixes=("", "_there"))
    assert len(both) == len(table) == 4 * 3 * 2
    for column in ("ni", "lower", "upper", "dni", "dni_lower"):
        np.testing.assert_array_equal(both[column], both[f"{column}_there"])
    panels = [axes for axes in axes_of(figure) if axes.lines]
    assert len(panels) == table.loc[table["ni"].notna(), "name"].nunique() == 3
    points = table[(table["name"] == "itch_core_skin_up") & (table["arm"] == "drug 20 mg")]
    itch = next(a for a in panels if "Itch" in a.get_title(loc="left"))
    lines = [line.get_ydata() for line in itch.lines]
    assert any(np.array_equal(y, [0, *points["ni"]]) for y in lines)


def test_hollow_points_do_not_differ_from_placebo(index_made, index_drawn):
    figure, table = index_drawn["time_courses"]
    index = read_table(index_made[0]["index"]).set_index(["arm", "week", "name"])
    for row in table[table["beyond_placebo"] != ""].itertuples():
        found = index.loc[(row.arm, row.week, row.name)]
        beyond = found["dni_lower"] > 0 or found["dni_upper"] < 0
        assert row.beyond_placebo == ("yes" if beyond else "no")
    faces = [
        line.get_markerfacecolor()
        for axes in axes_of(figure)
        for line in axes.lines
        if line.get_marker() == "o"
        for _ in line.get_xdata()
    ]
    hollow = (table["beyond_placebo"] == "no").sum()
    assert faces.count("white") == hollow


def test_the_level_of_the_reference_is_marked_only_where_tests_say_so(index_made, index_drawn):
    figure, table = index_drawn["time_courses"]
    same = (table["as_reference"] == "yes").sum()
    marks = [t for axes in axes_of(figure) for t in axes.texts if t.get_text() == "="]
    assert len(marks) == same > 0
    assert "= within 0.25 of nonlesional skin, two one-sided tests" in words(figure)
    tests = (table["family"] == "primary") & table["step"].notna()
    assert f"Primary family: Holm; {tests.sum()} tests of dNI" in words(figure)
    assert "MMRM" not in words(figure)


def test_means_of_a_model_are_named(repository, tmp_path):
    gone = ("d201", "d105")
    trial = {"alpha": {"clinic": False, "gone": gone}}
    _, figures = draw_atlas(*trials.make_atlas(tmp_path, repository, trial))
    for name in ("dose_response", "forest", "normalization_atlas"):
        assert "MMRM (alpha): patients missed visits" in words(figures[name][0])


def test_dose_response_is_the_tables_and_says_the_trend(atlas_run, atlas_drawn):
    figure, table = atlas_drawn[1]["dose_response"]
    time = read_table(atlas_run[0]["time"])
    points = table[(table["drawn"] == "arm") & (table["measure"] == "NI")]
    both = points.merge(time, on=["cohort", "arm", "week", "name"])
    assert len(both) == len(points) == 3 * 2 * 3
    np.testing.assert_array_equal(both["value"].astype(float), both["ni"])
    assert list(points.drop_duplicates("arm")["step"]) == [0.0, 1.0, 2.0]
    dose = read_table(atlas_run[0]["dose"])
    gain = dose[(dose["question"] == "gain_per_doubling") & (dose["week"] == 12)]
    gain = gain[gain["name"] == "global"].iloc[0]
    written = words(figure)
    # Both tests are named: one may be significant where the other is not.
    assert "week 12, placebo and doses: trend p" in written
    assert f"doses alone, per doubling: {gain['estimate']:.2f} (" in written
    assert "A drug may differ from placebo while its doses do not differ" in written
    assert "beta: drug was given at one dose (40 mg): no dose trend" in written
    single = table[(table["cohort"] == "beta") & (table["drawn"] == "trend")]
    assert single["reason"].str.contains("one dose").all()


def test_drug_with_one_dose_is_a_sentence(repository, tmp_path):
    _, figures = draw_atlas(*trials.make_atlas(tmp_path, repository, {"gamma": OTHER}))
    figure, table = figures["dose_response"]
    written = words(figure)
    assert "Not shown: gamma: other was given at one dose (5 mg): no dose trend" in written
    assert table["value"].isna().all()
    assert "no real trial" not in written


@pytest.fixture(scope="module")
def long_named(repository, tmp_path_factory):
    """A trial of many arms and visits with long names."""
    names = ["tralokinumab and topical corticosteroid", "a-very-long-code-name-AB12345678"]
    arms = {"placebo": 4} | {f"{name} {dose} mg": 4 for name in names for dose in (5, 10, 20)}
    plan = {"arms": arms, "weeks": (1.0, 2.0, 4.0, 8.0, 16.0)}
    return trials.index_of(tmp_path_factory.mktemp("long"), repository, **plan)[1]


@pytest.mark.parametrize("width", [183, 89])
@pytest.mark.parametrize("name", ["time_courses", "trajectories", "reversal", "concordance"])
def test_pages_of_a_cohort_can_be_printed(index_made, long_named, name, width):
    for data in (index_made[1], long_named):
        with mpl.rc_context(RC):
            fits(build.INDEX[name](at_width(data, width))[0], width)


def test_exploratory_points_are_marked(long_named):
    with mpl.rc_context(RC):
        pages, table = build.INDEX["time_courses"](long_named)
    doubtful = table["ni"].notna() & (table["status"] == "exploratory")
    marks = [t for axes in axes_of(pages) for t in axes.texts if t.get_text() == "°"]
    assert len(marks) == doubtful.sum() > 0
    assert {t.get_style() for t in marks} == {"italic"}
    assert "° exploratory: a small group (as few as 4 people)" in words(pages)
