"""The forest: every arm, class and published result stands where its table says."""

from __future__ import annotations

import numpy as np

import builders.figure_index as trials
from adnorm.base.tables import read_table
from adnorm.figures.forest import DNI, NI
from builders.figure_index import words


def test_forest_has_every_treated_arm_and_visit(atlas_run, atlas_drawn):
    _, table = atlas_drawn[1]["forest"]
    time = read_table(atlas_run[0]["time"])
    time = time[time["name"].isin(trials.PRIMARY) & (time["arm"] != "placebo")]
    time = time[time["reference"] == "nonlesional"]
    arms = table[table["drawn"] == "arm"]
    both = arms.merge(time, on=["cohort", "arm", "week", "name"], suffixes=("", "_there"))
    assert len(both) == len(arms) == len(time)
    controlled = both[both["measure"] == DNI]
    np.testing.assert_array_equal(controlled["value"].astype(float), controlled["dni"])
    np.testing.assert_array_equal(controlled["lower"].astype(float), controlled["dni_lower"])
    alone = both[both["measure"] == NI]
    assert set(alone["cohort"]) == {"open"}
    np.testing.assert_array_equal(alone["value"].astype(float), alone["ni"])


def test_classes_have_a_diamond_only_where_two_trials_meet(atlas_run, atlas_drawn):
    figure, table = atlas_drawn[1]["forest"]
    classes = read_table(atlas_run[0]["classes"])
    joint = classes[(classes["question"] == "class") & (classes["trials"] > 1)]
    joint = joint[joint["name"].isin(trials.PRIMARY)]
    shown = table[table["drawn"] == "class"]
    assert len(shown) == len(joint) > 0
    assert set(shown["trials"].astype(int)) == {2}
    diamonds = [line for axes in figure.axes for line in axes.lines if line.get_marker() == "D"]
    # One in the key.
    assert len(diamonds) == len(shown) + 1
    written = words(figure)
    assert "anti-IL-13: one trial, class and trial confounded" in written
    assert "JAK inhibitor: one trial" not in written


def test_arms_that_enter_a_class_say_their_weight_and_no_others(atlas_run, atlas_drawn):
    figure, table = atlas_drawn[1]["forest"]
    classes = read_table(atlas_run[0]["classes"])
    trial = classes[(classes["question"] == "trial") & (classes["weight"] < 100)]
    trial = trial[trial["name"].isin(trials.PRIMARY)]
    shown = table[table["weight"].notna()]
    # The highest dose of alpha and the only one of beta, both at week 2.
    assert {(row.cohort, row.arm, row.week) for row in shown.itertuples()} == {
        ("alpha", "drug 20 mg", 2.0),
        ("beta", "drug 40 mg", 2.0),
    }
    by = ["cohort", "name"]
    expected = trial.rename(columns={"cohorts": "cohort"}).set_index(by)["weight"].sort_index()
    found = shown.set_index(by)["weight"].astype(float).sort_index()
    np.testing.assert_array_equal(found, expected)
    numbers = sorted(f"{weight:.0f}" for weight in expected)
    written = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert sorted(text for text in written if text.isdigit()) == numbers
    joint = table[table["drawn"] == "class"]
    assert joint["weights"].str.match(r"alpha \d+%; beta \d+%").all()


def test_wide_intervals_of_classes_leave_the_arms_readable(atlas_drawn):
    figure, table = atlas_drawn[1]["forest"]
    arms = table[(table["drawn"] == "arm") & table["value"].notna()]
    left, right = next(axes.get_xlim() for axes in figure.axes if axes.get_xlabel())
    assert table.loc[table["drawn"] == "class", "upper"].max() > right
    assert left < arms["lower"].min() and right > arms["upper"].max() > 0.5 * right
    assert "A bar that reaches the edge of its panel goes on" in words(figure)


def test_jak_against_biologic_stands_first_and_other_weeks_are_refused(atlas_drawn):
    figure, table = atlas_drawn[1]["forest"]
    first = table[table["row"] == 0]
    assert set(first["drawn"]) == {"difference"}
    assert first["text"].iloc[0].startswith("JAK inhibitor − biologic")
    refused = table[(table["drawn"] == "difference") & table["value"].isna()]
    assert set(refused["short"]) == {"other weeks only"}
    assert "a comparison would be one of times" in words(figure)


def test_published_results_are_hollow_hatched_and_named_as_such(atlas_drawn):
    figure, table = atlas_drawn[1]["forest"]
    published = table[table["drawn"] == "published"]
    assert len(published) > 5
    assert published["lower"].isna().all()
    hollow = [
        line
        for axes in figure.axes
        for line in axes.lines
        if line.get_marker() == "o" and line.get_markerfacecolor() == "white"
    ]
    assert len(hollow) == len(published) + 1
    assert any(patch.get_hatch() for axes in figure.axes for patch in axes.patches)
    written = words(figure)
    assert "Published results of real trials, not recomputed" in written
    assert "doi:" not in written
    assert "Published without a number: abrocitinib 100 mg, weeks 2, 4, 12" in written
    figure, table = atlas_drawn[1]["normalization_atlas"]
    rows = table[table["drawn"] == "published, not recomputed"]
    boxes = [p for axes in figure.axes for p in axes.patches if p.get_hatch()]
    assert len(boxes) == len(rows)
    assert "no number" in words(figure)
