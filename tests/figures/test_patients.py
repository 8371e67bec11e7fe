"""Patients as lines: scores and responses."""

from __future__ import annotations

import dataclasses

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from adnorm.base.tables import read_table
from adnorm.figures import theme
from adnorm.figures.data import read_cohort, read_index
from adnorm.figures.patients import draw_patients, draw_trajectories
from builders.figure_cohorts import HEALTHY, TRIAL, make_cohort, texts
from builders.figure_index import axes_of, facts, make_trial, settings, words


def test_patients_table_averages_biopsies_of_one_visit(trial):
    cohort, folder = trial
    table = read_table(folder / "patients.tsv")
    assert set(table["biopsies"]) == {1}
    assert len(table) == 3 * len(cohort.samples)
    scores = cohort.score_values().loc["itch_core_skin_up"]
    one = table[(table["set"] == "itch_core_skin_up") & (table["state"] == "lesional")]
    assert one["score"].sum() == pytest.approx(
        scores[cohort.samples["state"] == "lesional"].sum(), abs=1e-3
    )


def test_two_patients_have_no_mean_line(tmp_path):
    arms = {"placebo": 4, "ruxolitinib": 2}
    plan = HEALTHY | {"arms": arms, "states": ["nonlesional", "lesional"]}
    (figure,), _ = draw_patients(read_cohort(*make_cohort(tmp_path, **plan)))
    bold = [
        sum(len(x.get_xdata()) for x in a.lines if x.get_color() == theme.INK) for a in figure.axes
    ]
    assert bold == [2, 0] * 3


def test_patients_are_counted_by_arm_and_visit(tmp_path):
    cohort = read_cohort(*make_cohort(tmp_path, **TRIAL))
    gone = cohort.samples.query("patient == 'plalac01' and week > 0").index
    cohort.samples.drop(index=gone, inplace=True)
    said = [" ".join(text.split()) for text in texts(draw_patients(cohort)[0])]
    assert "n = 8, 7, 7, 7 at weeks 0, 2, 4, 12 7 of 8 patients with at least two visits" in said
    assert said.count("n = 8, 8, 8, 8 at weeks 0, 2, 4, 12") == 2


def test_trajectories_are_the_responses_and_their_median(index_made, index_drawn):
    figure, table = index_drawn["trajectories"]
    rows = read_table(index_made[0]["trajectories"])
    later = table[(table["line"] == "patient") & (table["week"] > 0)]
    both = later.merge(rows, on=["name", "arm", "patient", "week"], suffixes=("", "_there"))
    assert len(both) == len(later) > 0
    np.testing.assert_array_equal(both["response"], both["response_there"])
    median = table[table["line"] == "median"]
    expected = later.groupby(["name", "arm", "week"])["response"].median()
    found = median.set_index(["name", "arm", "week"])["response"]
    pd.testing.assert_series_equal(found.sort_index(), expected.sort_index(), check_names=False)
    # Three scores, three arms.
    assert sum(len(axes.collections) == 1 for axes in axes_of(figure)) == 9
    assert "n = 8, 8" in words(figure)


def test_a_bar_says_how_wide_the_interval_of_a_patient_is(index_drawn):
    figure, table = index_drawn["trajectories"]
    for axes, (_, rows) in zip(
        axes_of(figure), table.groupby(["name", "arm"], sort=False), strict=True
    ):
        last = rows[(rows["line"] == "patient") & (rows["week"] == rows["week"].max())]
        bars = [line for line in axes.lines if line.get_transform() == axes.get_yaxis_transform()]
        low, high = bars[0].get_ydata()
        assert high - low == pytest.approx((last["upper"] - last["lower"]).median())
        assert low < last["response"].median() < high
    assert "not known in" in words(figure)


def test_with_one_visit_responses_are_what_is_observed(tmp_path, repository):
    paths = make_trial(tmp_path, repository, weeks=(12.0,))
    figure, _ = draw_trajectories(read_index(paths, settings(cohort=facts("trial"))))
    assert "nothing tells response from noise" in words(figure)


def test_values_that_leave_a_panel_are_counted_at_its_edge(index_made):
    tables = dict(index_made[1].tables)
    rows = tables["trajectories"].copy()
    some = (rows["name"] == "global") & (rows["arm"] == "drug 20 mg") & (rows["week"] == 12)
    places = rows.index[some & rows["response"].notna()]
    rows.loc[places[:2], "response"] = 7.0
    rows.loc[places[2], "response"] = -4.0
    changed = dataclasses.replace(index_made[1], tables=tables | {"trajectories": rows})
    with mpl.rc_context(theme.RC):
        pages, _ = draw_trajectories(changed)
    texts = [t.get_text() for axes in axes_of(pages) for t in axes.texts]
    assert texts.count("↑ 2") == 1 and texts.count("↓ 1") == 1
    assert "values that leave the panel; they are in the table" in words(pages)


def test_arms_with_few_patients_are_marked(repository, tmp_path):
    paths = make_trial(tmp_path, repository, arms={"placebo": 4, "drug 10 mg": 4})
    figure, _ = draw_trajectories(read_index(paths, settings(cohort=facts("trial"))))
    counts = [t for axes in axes_of(figure) for t in axes.texts if t.get_text().startswith("n = ")]
    assert {t.get_text() for t in counts} == {"n = 4, 4°"}
    assert {t.get_style() for t in counts} == {"italic"}
    assert "° exploratory: a small group (as few as 4 people)" in words(figure)
