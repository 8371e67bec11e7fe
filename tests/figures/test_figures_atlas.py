"""Figures over all cohorts: every cohort, arm and published result stands where its table says."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest

import builders.figure_index as trials
from adnorm.base.tables import read_table, write_table
from adnorm.figures import atlas_build
from adnorm.figures.atlas_material import read_atlas_material
from adnorm.figures.forest_rows import DNI, NI
from adnorm.figures.names import ATLAS_FIGURES
from adnorm.figures.theme import RC, arm_colours

NAMES = [figure.name for figure in ATLAS_FIGURES]
OTHER = {"arms": {"placebo": 8, "other 5 mg": 8}, "weeks": (2.0,), "clinic": False}
RUN = {
    "alpha": {"clinic": False},
    "beta": {"arms": {"placebo": 8, "drug 40 mg": 8}, "weeks": (2.0,), "clinic": False},
    "gamma": OTHER,
    "open": {"arms": {"other 5 mg": 8}, "weeks": (4.0,), "clinic": False},
    "still": {"weeks": (), "clinic": False},
}


def draw_all(inputs, cohorts):
    material = read_atlas_material(inputs, cohorts, trials.SETTINGS)
    with mpl.rc_context(RC):
        return material, {name: draw(material) for name, draw in atlas_build.DRAWERS.items()}


@pytest.fixture(scope="module")
def run(repository, tmp_path_factory):
    return trials.make_atlas(tmp_path_factory.mktemp("atlas"), repository, RUN)


@pytest.fixture(scope="module")
def drawn(run):
    return draw_all(*run)


def words(figure):
    texts = [t.get_text() for t in figure.texts]
    texts += [t.get_text() for axes in figure.axes for t in axes.texts]
    return " ".join(" ".join(texts).split())


def test_forest_has_every_treated_arm_and_visit(run, drawn):
    _, table = drawn[1]["forest"]
    time = read_table(run[0]["time"])
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


def test_classes_have_a_diamond_only_where_two_trials_meet(run, drawn):
    figure, table = drawn[1]["forest"]
    classes = read_table(run[0]["classes"])
    joint = classes[(classes["question"] == "class") & (classes["trials"] > 1)]
    joint = joint[joint["name"].isin(trials.PRIMARY)]
    shown = table[table["drawn"] == "class"]
    assert len(shown) == len(joint) > 0
    assert set(shown["trials"].astype(int)) == {2}
    diamonds = [line for axes in figure.axes for line in axes.lines if line.get_marker() == "D"]
    # One in the key.
    assert len(diamonds) == len(shown) + 1
    said = words(figure)
    assert "anti-IL-13: one trial, class and trial confounded" in said
    assert "JAK inhibitor: one trial" not in said


def test_jak_against_biologic_stands_first_and_other_weeks_are_refused(drawn):
    figure, table = drawn[1]["forest"]
    first = table[table["row"] == 0]
    assert set(first["drawn"]) == {"difference"}
    assert first["text"].iloc[0].startswith("JAK inhibitor − biologic")
    refused = table[(table["drawn"] == "difference") & table["value"].isna()]
    assert set(refused["short"]) == {"other weeks only"}
    assert "a comparison would be one of times" in words(figure)


def test_published_results_are_hollow_hatched_and_named_as_such(drawn):
    figure, table = drawn[1]["forest"]
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
    said = words(figure)
    assert "Published results of real trials, not recomputed" in said
    assert "doi:" not in said
    assert "Published without a number: abrocitinib 100 mg, weeks 2, 4, 12" in said
    figure, table = drawn[1]["normalization_atlas"]
    rows = table[table["drawn"] == "published, not recomputed"]
    boxes = [p for axes in figure.axes for p in axes.patches if p.get_hatch()]
    assert len(boxes) == len(rows)
    assert "no number" in words(figure)


def test_dose_response_is_the_tables_and_says_the_trend(run, drawn):
    figure, table = drawn[1]["dose_response"]
    time = read_table(run[0]["time"])
    points = table[(table["drawn"] == "arm") & (table["measure"] == "NI")]
    both = points.merge(time, on=["cohort", "arm", "week", "name"])
    assert len(both) == len(points) == 3 * 2 * 3
    np.testing.assert_array_equal(both["value"].astype(float), both["ni"])
    assert list(points.drop_duplicates("arm")["step"]) == [0.0, 1.0, 2.0]
    dose = read_table(run[0]["dose"])
    gain = dose[(dose["question"] == "gain_per_doubling") & (dose["week"] == 12)]
    gain = gain[gain["name"] == "global"].iloc[0]
    said = words(figure)
    assert f"per doubling {gain['estimate']:.2f}" in said
    assert "trend p" in said
    assert "beta: drug was given at one dose (40 mg): no dose trend can be asked" in said
    single = table[(table["cohort"] == "beta") & (table["drawn"] == "trend")]
    assert single["reason"].str.contains("one dose").all()


def test_heatmap_has_a_cell_for_every_score_arm_and_visit(run, drawn):
    figure, table = drawn[1]["normalization_atlas"]
    cells = table[table["drawn"] == "computed"]
    time = read_table(run[0]["time"])
    both = cells.merge(time, on=["cohort", "arm", "week", "name", "reference"])
    # Three visits of arms in alpha would be six columns, beta and gamma have two, open one.
    assert len(cells) == len(both) == 4 * (6 + 2 + 2 + 1)
    np.testing.assert_array_equal(both["value"].astype(float), both["ni"])
    said = words(figure)
    assert "effect unclear" in said
    assert "Without a visit after baseline: still" in said


def test_arms_keep_the_colours_of_their_cohort(drawn):
    material, figures = drawn
    alpha = arm_colours(["placebo", "drug 10 mg", "drug 20 mg"], "placebo")
    assert {arm: material.colours["alpha", arm] for arm in alpha} == alpha
    figure, table = figures["forest"]
    lines = {line.get_color() for axes in figure.axes for line in axes.lines}
    assert {alpha["drug 10 mg"], alpha["drug 20 mg"]} <= lines


# ---------------------------------------------------------------- runs that lack something


def test_run_without_visits_says_so_in_every_figure(repository, tmp_path):
    plan = {"still": RUN["still"]}
    _, figures = draw_all(*trials.make_atlas(tmp_path, repository, plan))
    expected = {
        "forest": "no treated arm of this run has an index",
        "dose_response": "no drug of this run has visits after baseline",
        "normalization_atlas": "no cohort of this run has an index over visits",
    }
    for name, said in expected.items():
        figure, table = figures[name]
        assert said in words(figure)
        assert said in table["reason"].iloc[0]


def test_drug_with_one_dose_is_a_sentence(repository, tmp_path):
    _, figures = draw_all(*trials.make_atlas(tmp_path, repository, {"gamma": OTHER}))
    figure, table = figures["dose_response"]
    said = words(figure)
    assert (
        "Not shown: gamma: other was given at one dose (5 mg): no dose trend can be asked" in said
    )
    assert table["value"].isna().all()
    assert "no real trial" not in said


def test_nothing_estimable_still_draws(run, tmp_path):
    inputs, cohorts = run
    time = read_table(inputs["time"])
    time[["ni", "lower", "upper", "dni", "dni_lower", "dni_upper"]] = np.nan
    time["reason_code"] = "DENOM_NOT_ESTIMABLE"
    write_table(time, tmp_path / "time.tsv")
    _, figures = draw_all(inputs | {"time": tmp_path / "time.tsv"}, cohorts)
    for name in ("forest", "normalization_atlas"):
        assert len(figures[name][1]) > 1
    assert "no cohort of this run has an index" in words(figures["normalization_atlas"][0])


def test_stopped_cohorts_are_left_out(run):
    inputs, cohorts = run
    rest = [path for path in inputs["samples"] if path.parents[1].name != "gamma"]
    _, figures = draw_all(inputs | {"samples": rest}, cohorts)
    table = figures["normalization_atlas"][1]
    assert "gamma" not in set(table["cohort"].dropna())


def test_simulated_cohorts_are_marked_among_real_ones(run):
    inputs, cohorts = run
    mixed = cohorts | {"alpha": cohorts["alpha"] | {"route": "geo_series_matrix"}}
    material, figures = draw_all(inputs, mixed)
    assert material.name("beta") == "beta (simulated)"
    assert material.name("alpha") == "alpha"
    said = words(figures["normalization_atlas"][0])
    assert "beta (simulated)" in said
    assert "some cohorts are simulated" in said


def test_job_writes_three_files_a_figure(run, tmp_path):
    inputs, cohorts = run
    atlas_build.build_atlas_figures(inputs, cohorts, trials.SETTINGS, {"folder": tmp_path})
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == sorted(f"{name}.{kind}" for name in NAMES for kind in ("svg", "png", "tsv"))


def test_every_atlas_figure_has_a_caption(repository):
    for name in NAMES:
        assert len((repository / "workflow" / "report" / f"{name}.rst").read_text()) > 200
