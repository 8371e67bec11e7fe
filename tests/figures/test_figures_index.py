"""Figures of the index of one cohort: they show what their tables say, or why there is nothing."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

import builders.figure_index as trials
from adnorm.base.digest import PACKAGE
from adnorm.base.tables import read_table
from adnorm.figures import index_build, reversal
from adnorm.figures.index_material import read_index_material
from adnorm.figures.names import INDEX_FIGURES
from adnorm.figures.theme import PLACEBO, RC, arm_colours

NAMES = [figure.name for figure in INDEX_FIGURES]
#: Cohorts that lack something, and what the figures then say.
ODD = {
    "untreated": {"arms": {"untreated": 8}},
    "no_placebo": {"arms": {"drug 10 mg": 8, "drug 20 mg": 7}},
    "no_clinic": {"clinic": False},
    "no_visits": {"weeks": ()},
    "no_reference": {"arms": {"drug 10 mg": 8}, "states": ("lesional",)},
    "few": {"arms": {"placebo": 2, "drug 10 mg": 2}},
    "healthy_only": {"arms": {"drug 10 mg": 8, "healthy": 8}, "states": ("lesional",)},
}


def material(folder, repository, **plan):
    paths = trials.make_trial(folder, repository, **plan)
    placebo = "placebo" if "placebo" in plan.get("arms", trials.TRIAL) else ""
    settings = trials.SETTINGS | {"cohort": trials.facts("trial", placebo)}
    return paths, read_index_material(paths, settings)


@pytest.fixture(scope="module")
def made(repository, tmp_path_factory):
    return material(tmp_path_factory.mktemp("trial"), repository)


@pytest.fixture(scope="module")
def drawn(made):
    with mpl.rc_context(RC):
        return {name: draw(made[1]) for name, draw in index_build.DRAWERS.items()}


def words(figure):
    texts = [t.get_text() for t in figure.texts]
    texts += [t.get_text() for axes in figure.axes for t in axes.texts]
    for axes in figure.axes:
        texts += [axes.get_title(loc="left"), axes.get_xlabel(), axes.get_ylabel()]
    legends = [t.get_text() for legend in figure.legends for t in legend.get_texts()]
    return " ".join(" ".join([*texts, *legends]).split())


# ---------------------------------------------------------------- what is drawn


def test_time_courses_are_the_index_table(made, drawn):
    figure, table = drawn["time_courses"]
    index = read_table(made[0]["index"])
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


def test_hollow_points_do_not_differ_from_placebo(made, drawn):
    figure, table = drawn["time_courses"]
    index = read_table(made[0]["index"]).set_index(["arm", "week", "name"])
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


def test_trajectories_are_the_responses_and_their_median(made, drawn):
    figure, table = drawn["trajectories"]
    rows = read_table(made[0]["trajectories"])
    later = table[(table["line"] == "patient") & (table["week"] > 0)]
    both = later.merge(rows, on=["name", "arm", "patient", "week"], suffixes=("", "_there"))
    assert len(both) == len(later) > 0
    np.testing.assert_array_equal(both["response"], both["response_there"])
    median = table[table["line"] == "median"]
    expected = later.groupby(["name", "arm", "week"])["response"].median()
    found = median.set_index(["name", "arm", "week"])["response"]
    pd.testing.assert_series_equal(found.sort_index(), expected.sort_index(), check_names=False)
    # Three scores, three arms.
    assert sum(len(axes.collections) == 1 for axes in figure.axes) == 9
    assert "n = 8, 8" in words(figure)


def test_reversal_shows_every_gene_and_counts_the_classes(made, drawn):
    figure, table = drawn["reversal"]
    genes = read_table(made[0]["gene_index"])
    assert list(table["arm"].unique()) == ["drug 20 mg", "placebo"]
    assert set(table["week"]) == {12.0}
    both = table.merge(genes, on=["arm", "week", "gene"], suffixes=("", "_there"))
    assert len(both) == len(table)
    np.testing.assert_array_equal(both["disease_effect"], both["denominator"])
    np.testing.assert_array_equal(both["change"], -both["decrease"])
    said = words(figure)
    drug = table[table["arm"] == "drug 20 mg"]
    for name, count in drug["class"].value_counts().items():
        assert f"{name}: {count:,}" in said
    drawn_points = sum(
        len(line.get_xdata()) for line in figure.axes[0].lines if line.get_rasterized()
    )
    assert drawn_points == len(drug)
    named = table[table["named"] == "yes"]
    assert set(named["topic"]) == {"itch", "barrier"}
    assert named.groupby(["arm", "topic"]).size().max() <= max(reversal.NAMED.values())
    inside = {t.get_text() for axes in figure.axes for t in axes.texts}
    assert set(named["gene"]) <= inside


def test_names_of_genes_do_not_cover_one_another(drawn):
    figure, _ = drawn["reversal"]
    renderer = figure.canvas.get_renderer()
    boxes = [t.get_window_extent(renderer) for t in figure.axes[0].texts]
    assert len(boxes) > 5
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[i + 1 :])


def test_concordance_shows_the_points_the_correlation_and_the_shares(made, drawn):
    figure, table = drawn["concordance"]
    concordance = read_table(made[0]["concordance"])
    estimate = table[table["drawn"] == "correlation"].iloc[0]
    row = concordance[
        (concordance["question"] == "change_with_clinic")
        & (concordance["arm"] == "all arms")
        & (concordance["score"] == "global")
        & (concordance["week"] == 12)
    ].iloc[0]
    assert estimate["estimate"] == row["estimate"]
    assert estimate["n"] == row["n"] == (table["drawn"] == "patient").sum()
    assert f"ρ = {row['estimate']:.2f}" in words(figure)
    shares = table[table["drawn"] == "share"].merge(
        read_table(made[0]["calibration"]).query("arm == 'all arms'"),
        on=["outcome", "score", "week", "bin"],
    )
    assert len(shares) == 5
    np.testing.assert_array_equal(shares["y"].astype(float), shares["share"])
    assert shares["n_x"].sum() == row["n"]
    # Decreases of single patients, from the two tables they come from.
    scores = read_table(made[0]["patients"]).query("state == 'lesional' and name == 'global'")
    wide = scores.pivot(index="patient", columns="week", values="score")
    points = table[table["drawn"] == "patient"].set_index("patient")
    expected = (wide[0.0] - wide[12.0]).loc[points.index]
    np.testing.assert_allclose(points["y"].astype(float), expected)


def test_shares_are_of_the_first_score_that_has_patients(made):
    table = made[1].tables["calibration"].copy()
    first, other = made[1].primary[:2]
    columns = ["responders", "n"]
    table[columns] = table[columns].where(table["score"] == other, 0)
    tables = made[1].tables | {"calibration": table}
    with mpl.rc_context(RC):
        _, drawn = index_build.draw_concordance(dataclasses.replace(made[1], tables=tables))
    assert first != other
    assert set(drawn.loc[drawn["drawn"] == "share", "score"]) == {other}


def test_arms_have_the_colours_of_all_figures(made, drawn):
    colours = arm_colours(made[1].arms, "placebo")
    assert colours["placebo"] == PLACEBO
    for name in ("time_courses", "concordance"):
        legend = drawn[name][0].legends[0]
        for text, handle in zip(legend.get_texts(), legend.legend_handles, strict=True):
            arm = text.get_text().partition("\n")[0]
            shown = (
                handle.get_facecolor() if hasattr(handle, "get_facecolor") else handle.get_color()
            )
            assert to_hex(shown).upper() == colours[arm].upper()


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_has_n_and_the_mark_of_simulated_data(drawn, name):
    said = words(drawn[name][0])
    assert "SIMULATED DATA" in said
    assert re.search(r"n = |\bn=\d|\d+ patients", said)


# ---------------------------------------------------------------- odd cohorts


@pytest.fixture(scope="module", params=list(ODD))
def odd(request, repository, tmp_path_factory):
    _, found = material(tmp_path_factory.mktemp(request.param), repository, **ODD[request.param])
    with mpl.rc_context(RC):
        return request.param, {name: draw(found) for name, draw in index_build.DRAWERS.items()}


def test_odd_cohorts_draw_or_say_why_not(odd):
    case, figures = odd
    said = {name: words(figure) for name, (figure, _) in figures.items()}
    for name, (_, table) in figures.items():
        assert len(table), name
        if "Not shown" in said[name]:
            assert table["reason"].astype(str).str.len().max() > 10
    expected = {
        "untreated": ("time_courses", "Nobody was treated"),
        "no_placebo": ("time_courses", "No placebo to compare with"),
        "no_clinic": ("concordance", "the sample sheet has no values of EASI; the sample sheet"),
        "no_visits": ("reversal", "no lesional samples after baseline"),
        "no_reference": ("trajectories", "no nonlesional samples at baseline"),
        "few": ("reversal", "none of them classed (2 patients with lesional skin"),
        "healthy_only": ("time_courses", "1, the level of healthy skin"),
    }
    name, words_said = expected[case]
    assert words_said in said[name]


def test_cohort_with_nothing_estimable_says_so_everywhere(repository, tmp_path):
    _, found = material(tmp_path, repository)
    numbers = {"index": ["ni", "dni", "lower", "upper"], "trajectories": ["response"]}
    for name, columns in numbers.items():
        found.tables[name][columns] = np.nan
        found.tables[name]["reason"] = "the disease effect is too small"
    for name in ("normalization", "time_courses", "trajectories"):
        figure, table = index_build.DRAWERS[name](found)
        assert "Not shown" in words(figure)
        assert table["reason"].notna().any()
    assert "the disease effect is too small" in words(figure)


# ---------------------------------------------------------------- the job


def test_job_writes_three_files_a_figure_and_the_same_bytes_again(repository, tmp_path):
    paths = trials.make_trial(tmp_path / "trial", repository)
    settings = trials.SETTINGS | {"cohort": trials.facts("trial")}
    for again in ("first", "second"):
        index_build.build_index_figures(paths, settings, {"folder": tmp_path / again})
    files = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert files == sorted(f"{name}.{kind}" for name in NAMES for kind in ("svg", "png", "tsv"))
    for file in files:
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()


@pytest.mark.parametrize("module", ["index_build", "atlas_build"])
def test_jobs_of_the_index_import_little(module):
    code = (
        f"import sys, adnorm.figures.{module};"
        "print(sorted({'seaborn', 'scanpy', 'anndata', 'scipy', 'polars'} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=PACKAGE.parent, check=True
    )
    assert run.stdout.strip() == "[]"


def test_every_figure_of_the_index_has_a_caption(repository):
    for name in NAMES:
        text = (repository / "workflow" / "report" / f"{name}.rst").read_text()
        assert "snakemake.wildcards.cohort" in text
