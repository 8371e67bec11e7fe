"""The forest: every arm, class and published result stands where its table says."""

from __future__ import annotations

import dataclasses

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

import builders.figure_index as trials
from adnorm.base.tables import read_table, write_table
from adnorm.figures import build
from adnorm.figures.forest import DNI, NI, _people
from adnorm.figures.theme import RC
from builders.figure_index import at_width, axes_of, fits, words


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
    diamonds = [line for axes in axes_of(figure) for line in axes.lines if line.get_marker() == "D"]
    assert len(diamonds) == len(shown)
    written = words(figure)
    assert "anti-IL-13: one trial, drug class cannot be separated from trial" in written
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
    written = [text.get_text() for axes in axes_of(figure) for text in axes.texts]
    assert sorted(text for text in written if text.isdigit()) == numbers
    joint = table[table["drawn"] == "class"]
    assert joint["weights"].str.match(r"alpha \d+%; beta \d+%").all()


def test_wide_intervals_of_classes_leave_the_arms_readable(atlas_drawn):
    figure, table = atlas_drawn[1]["forest"]
    arms = table[(table["drawn"] == "arm") & table["value"].notna()]
    left, right = next(axes.get_xlim() for axes in axes_of(figure) if axes.get_xlabel())
    assert table.loc[table["drawn"] == "class", "upper"].max() > right
    assert left < arms["lower"].min() and right > arms["upper"].max() > 0.5 * right
    assert "A bar that reaches the edge of its panel goes on" in words(figure)


def test_jak_against_biologic_stands_first_and_other_weeks_are_refused(atlas_drawn):
    figure, table = atlas_drawn[1]["forest"]
    first = table[table["row"] == 0]
    assert set(first["drawn"]) == {"difference"}
    assert first["group"].iloc[0].startswith("JAK inhibitor − biologic")
    assert set(table.loc[table["drawn"] == "difference", "text"]) >= {"weeks 1–3"}
    refused = table[(table["drawn"] == "difference") & table["value"].isna()]
    assert set(refused["short"]) == {"no matched visit"}
    assert "a comparison would be one of times" in words(figure)


def test_an_estimate_without_an_interval_has_words_and_no_point(atlas_run, tmp_path):
    inputs, cohorts = atlas_run
    classes = read_table(inputs["classes"])
    alone = (classes["question"] == "difference") & classes["dni"].notna()
    assert alone.any()
    classes.loc[alone, ["lower", "upper"]] = np.nan
    write_table(classes, tmp_path / "classes.tsv")
    _, figures = trials.draw_atlas(inputs | {"classes": tmp_path / "classes.tsv"}, cohorts)
    pages, table = figures["forest"]
    rows = table[(table["drawn"] == "difference") & table["value"].notna()]
    assert len(rows) > 0 and set(rows["short"]) == {"one trial each: no interval"}
    markers = {line.get_marker() for axes in axes_of(pages) for line in axes.lines}
    assert "d" not in markers and "D" in markers
    written = words(pages)
    assert written.count("no interval") > len(rows)
    assert "is not drawn; its number is in the table" in written
    assert "difference of two classes" not in written


def test_no_line_at_one_where_differences_to_placebo_stand(atlas_drawn):
    for name, across in (("forest", "get_xlabel"), ("dose_response", "get_ylabel")):
        for axes in axes_of(atlas_drawn[1][name][0]):
            if "dNI" in getattr(axes, across)():
                data = [(tuple(line.get_xdata()), tuple(line.get_ydata())) for line in axes.lines]
                assert not any((1, 1) in ends for ends in data)
                assert any((0, 0) in ends for ends in data)


def test_published_results_have_a_page_of_their_own(atlas_drawn):
    pages, table = atlas_drawn[1]["forest"]
    published = table[table["drawn"] == "published"]
    assert len(published) > 5 and published["lower"].isna().all()
    assert published["text"].is_unique
    *others, page = pages
    written = words(page)
    assert "Published results of real trials: another measure" in written
    # No axis, no colour of the index, and not under the banner of simulated cohorts.
    assert not page.axes and "SIMULATED" not in written
    assert all("SIMULATED" in words(other) for other in others)
    for row in published.itertuples():
        assert row.text.split(",")[0].split(" (")[0] in written
        assert f"{100 * row.value:.4g} %".replace("-", "−") in written
    assert written.count("formula not checked against the paper") >= 4
    assert "doi:" not in written
    assert "dupilumab 150 or 300 mg weekly, week 4 (2 of 4)" in written
    assert "Published without a number: abrocitinib 100 mg, weeks 2, 4, 12" in written
    drawn = {line.get_label() for axes in axes_of(others) for line in axes.lines}
    assert not any("dupilumab" in text for text in [*drawn, words(others)])


def test_the_title_says_whether_there_is_a_placebo(atlas_drawn, repository, tmp_path):
    assert "Minus placebo: every cohort, arm and drug class, and uncontrolled arms" in words(
        atlas_drawn[1]["forest"][0]
    )
    open_alone = {"open": trials.RUN["open"]}
    _, figures = trials.draw_atlas(*trials.make_atlas(tmp_path, repository, open_alone))
    written = words(figures["forest"][0])
    assert "Uncontrolled: the index of every cohort and arm" in written
    assert "inus placebo" not in written and "beyond placebo" not in written.lower()


def test_n_is_of_drug_and_placebo_or_of_patients_with_both_lesions(atlas_run, atlas_drawn):
    data, figures = atlas_drawn
    rows = figures["forest"][1]
    texts = set(rows.loc[rows["cohort"] == "alpha", "text"])
    assert {"week 2, n = 8 and 8", "week 2, n = 7 and 8"} <= texts
    assert "week 4, n = 8" in set(rows.loc[rows["cohort"] == "open", "text"])
    time = data.time[data.time["cohort"] == "alpha"]
    placebo = pd.Series("placebo", index=time.index)
    sheet = data.sheets["alpha"].assign(lesion="left")
    # Six patients of placebo have a lesion under the drug, too.
    seen = (sheet["arm"] == "drug 10 mg") & (sheet["week"] == 2) & (sheet["state"] == "lesional")
    both = sheet[(sheet["arm"] == "placebo") & (sheet["week"] == 2)].head(6)["patient"]
    sheet.loc[sheet[seen].index[:6], "patient"] = list(both)
    lesions = dataclasses.replace(data, sheets=data.sheets | {"alpha": sheet})
    found = dict(zip(zip(time["arm"], time["week"], strict=True),
                     _people(lesions, time, placebo), strict=True))  # fmt: skip
    assert found["drug 10 mg", 2.0] == ", n = 6"


def test_exploratory_points_are_marked(repository, tmp_path):
    few = {"tiny": {"arms": {"placebo": 4, "drug 10 mg": 4}, "weeks": (2.0,), "clinic": False}}
    _, figures = trials.draw_atlas(*trials.make_atlas(tmp_path, repository, few))
    pages, table = figures["forest"]
    doubtful = table[(table["drawn"] == "arm") & (table["status"] == "exploratory")]
    marks = [t for axes in axes_of(pages) for t in axes.texts if t.get_text() == "°"]
    assert len(marks) == len(doubtful) == 3
    assert "° exploratory: a small group (as few as 4 people)" in words(pages)
    tiles = [
        t.get_text() for axes in axes_of(figures["normalization_atlas"][0]) for t in axes.texts
    ]
    numbers = [text for text in tiles if text[-1:].isdigit() or "°" in text]
    assert numbers and all(text.endswith("°") or "° =" in text for text in numbers)


@pytest.mark.parametrize("width", [183, 89])
def test_pages_of_the_atlas_can_be_printed(atlas_drawn, repository, tmp_path, width):
    names = (
        "tralokinumab and topical corticosteroid 300 mg",
        "a-very-long-code-name-AB12345 20 mg",
    )
    long = {"placebo": 6} | dict.fromkeys(names, 6)
    plan = {"a_cohort_with_quite_a_long_name": {"arms": long, "weeks": (1.0, 2.0, 4.0, 16.0),
                                                "clinic": False}, **trials.RUN}  # fmt: skip
    data, _ = trials.draw_atlas(*trials.make_atlas(tmp_path, repository, plan))
    for run in (atlas_drawn[0], data):
        narrow = at_width(run, width)
        with mpl.rc_context(RC):
            for draw in build.ATLAS.values():
                fits(trials.drawn_pages(draw(narrow)[0]), width)
