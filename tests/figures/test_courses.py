"""The index over time and over dose."""

from __future__ import annotations

import numpy as np

import builders.figure_index as trials
from adnorm.base.tables import read_table
from builders.figure_index import OTHER, draw_atlas, words


def test_time_courses_are_the_index_table(index_made, index_drawn):
    figure, table = index_drawn["time_courses"]
    index = read_table(index_made[0]["index"])
    both = table.merge(index, on=["reference", "arm", "week", "name"], suffixes=("", "_there"))
    assert len(both) == len(table) == 4 * 3 * 2
    for column in ("ni", "lower", "upper", "dni", "dni_lower"):
        np.testing.assert_array_equal(both[column], both[f"{column}_there"])
    panels = [axes for axes in figure.axes if axes.lines]
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
        for axes in figure.axes
        for line in axes.lines
        if line.get_marker() == "o"
        for _ in line.get_xdata()
    ]
    hollow = (table["beyond_placebo"] == "no").sum()
    assert faces.count("white") == hollow


def test_the_level_of_the_reference_is_marked_only_where_tests_say_so(index_made, index_drawn):
    figure, table = index_drawn["time_courses"]
    same = (table["as_reference"] == "yes").sum()
    marks = [t for axes in figure.axes for t in axes.texts if t.get_text() == "="]
    assert len(marks) == same > 0
    assert "= beside a point: within 0.25 of nonlesional skin, two one-sided tests." in words(
        figure
    )
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
    assert f"per doubling {gain['estimate']:.2f}" in written
    assert "trend p" in written and "given the score at baseline (every arm has a" in written
    assert "beta: drug was given at one dose (40 mg): no dose trend can be asked" in written
    single = table[(table["cohort"] == "beta") & (table["drawn"] == "trend")]
    assert single["reason"].str.contains("one dose").all()


def test_drug_with_one_dose_is_a_sentence(repository, tmp_path):
    _, figures = draw_atlas(*trials.make_atlas(tmp_path, repository, {"gamma": OTHER}))
    figure, table = figures["dose_response"]
    written = words(figure)
    assert (
        "Not shown: gamma: other was given at one dose (5 mg): no dose trend can be asked"
        in written
    )
    assert table["value"].isna().all()
    assert "no real trial" not in written
