"""The jobs that draw: every figure exists, says what it must, and repeats to the byte."""

from __future__ import annotations

import gc
import re
import subprocess
import sys
import weakref

import anndata
import numpy as np
import pytest

import builders.figure_index as trials
from adnorm.base.shipped import PACKAGE
from adnorm.base.tables import read_table, write_table
from adnorm.figures import build
from adnorm.figures.answer import read_answer
from adnorm.figures.data import read_cohort, read_index
from adnorm.figures.names import ATLAS_FIGURES, FIGURES, INDEX_FIGURES
from builders.figure_cohorts import COHORTS, make_cohort, outputs_of
from builders.figure_index import RUN, draw_atlas, words

KINDS = ("svg", "png", "pdf", "tsv")


@pytest.mark.parametrize("cohort", COHORTS)
@pytest.mark.parametrize("figure", FIGURES, ids=lambda f: f.name)
def test_every_cohort_has_every_figure(cohorts_drawn, cohort, figure):
    folder = cohorts_drawn[cohort][2]
    svg = (folder / f"{figure.name}.svg").read_text(encoding="utf-8")
    assert f">{figure.title}</text>" in svg
    assert len(svg) < 400_000
    assert (folder / f"{figure.name}.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    table = read_table(folder / f"{figure.name}.tsv")
    assert len(table) and "reason" in table.columns
    assert not [p for p in folder.iterdir() if p.name.startswith(".")]


@pytest.mark.parametrize("figure", FIGURES, ids=lambda f: f.name)
def test_simulated_stands_in_every_title_and_only_there(cohorts_drawn, figure):
    assert (
        ">SIMULATED DATA</text>" in (cohorts_drawn["trial"][2] / f"{figure.name}.svg").read_text()
    )
    assert "SIMULATED" not in (cohorts_drawn["healthy"][2] / f"{figure.name}.svg").read_text()


@pytest.mark.parametrize("figure", FIGURES, ids=lambda f: f.name)
def test_flagged_samples_are_counted_in_every_figure(cohorts_drawn, figure):
    svg = (cohorts_drawn["trial"][2] / f"{figure.name}.svg").read_text(encoding="utf-8")
    assert "1 of 120 samples flagged by quality control" in svg


def test_the_same_input_gives_the_same_bytes(cohorts_drawn, tmp_path):
    inputs, settings, folder = cohorts_drawn["trial"]
    build.build(inputs, outputs_of(tmp_path), settings)
    second = {p.name: p.read_bytes() for p in sorted(tmp_path.iterdir())}
    assert len(second) == 4 * len(FIGURES)
    assert [n for n in second if second[n] != (folder / n).read_bytes()] == []


def test_no_figure_stays_in_memory_once_it_is_written(cohorts_drawn, tmp_path):
    seen, alive = [], []

    def drawer(data):
        alive.append(sum(page() is not None for page in seen))
        pages, table = build.COHORT["genes_barrier"](data)
        seen.extend(map(weakref.ref, pages))
        return pages, table

    data = read_cohort(*cohorts_drawn["trial"][:2])
    # Only what is collected on purpose goes.
    gc.disable()
    try:
        build.draw({"one": drawer, "two": drawer}, data, tmp_path)
    finally:
        gc.enable()
    assert seen and alive == [0, 0]
    assert not any(page() for page in seen)


def test_files_hold_no_date_and_no_program(cohorts_drawn):
    folder = cohorts_drawn["trial"][2]
    assert "<dc:date>" not in (folder / "pca.svg").read_text()
    assert b"Software" not in (folder / "pca.png").read_bytes()
    assert str(folder.parent) not in (folder / "overview.html").read_text()


@pytest.mark.parametrize(
    ("patients", "visits", "genes"), [(1, [0.0], 300), (1, [0.0, 4.0], 300), (3, [0.0, 4.0], 3)]
)
def test_one_sample_or_hardly_any_gene(tmp_path, patients, visits, genes):
    inputs, settings = make_cohort(
        tmp_path, {"ruxolitinib": patients}, visits, ["lesional"], gene_count=300
    )
    if genes < 300:
        data = anndata.read_h5ad(inputs["expression"])
        data = data[:, data.var_names[-genes:]].copy()
        data.write_h5ad(inputs["expression"])
        effects = read_table(inputs["effects"])
        write_table(effects[effects["gene"].isin(data.var_names)], inputs["effects"])
    build.build(inputs, outputs_of(tmp_path / "figures"), settings)
    assert len(list((tmp_path / "figures").glob("*.png"))) == len(FIGURES)


@pytest.mark.parametrize("name", [figure.name for figure in INDEX_FIGURES])
def test_every_figure_has_n_and_the_mark_of_simulated_data(index_drawn, name):
    written = words(index_drawn[name][0])
    assert "SIMULATED DATA" in written
    assert re.search(r"n = |\bn=\d|\d+ patients", written)


def test_odd_cohorts_draw_or_say_why_not(odd):
    case, figures = odd
    written = {name: words(figure) for name, (figure, _) in figures.items()}
    for name, (_, table) in figures.items():
        assert len(table), name
        if "Not shown" in written[name]:
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
    name, expected_words = expected[case]
    assert expected_words in written[name]


def test_cohort_with_nothing_estimable_says_so_everywhere(repository, tmp_path):
    paths = trials.make_trial(tmp_path, repository)
    found = read_index(paths, trials.settings(cohort=trials.facts("trial")))
    numbers = {"index": ["ni", "dni", "lower", "upper"], "trajectories": ["response"]}
    for name, columns in numbers.items():
        found.tables[name][columns] = np.nan
        found.tables[name]["reason"] = "the disease effect is too small"
    for name in ("normalization", "time_courses", "trajectories"):
        figure, table = build.INDEX[name](found)
        assert "Not shown" in words(figure)
        assert table["reason"].notna().any()
    assert "the disease effect is too small" in words(figure)


def test_job_writes_three_files_a_figure_and_the_same_bytes_again(repository, tmp_path):
    paths = trials.make_trial(tmp_path / "trial", repository)
    # What both read is of the cohort, and so are its gene sets.
    shared = ("comparisons", "qc", "coverage", "controls", "gene_sets")
    own = {name: path for name, path in paths.items() if name not in shared}
    paths = make_cohort(tmp_path / "cohort", **COHORTS["trial"])[0] | own
    settings = trials.settings(cohort=trials.facts("trial"))
    for again in ("first", "second"):
        build.build_index(paths, outputs_of(tmp_path / again, INDEX_FIGURES), settings)
    files = sorted(path.name for path in (tmp_path / "first").iterdir())
    drawn = [f"{name}.{kind}" for name in build.INDEX for kind in ("svg", "png", "pdf", "tsv")]
    pages = ["answer.json", "answers.html", "overview.html", "tables.html"]
    assert files == sorted([*pages, *drawn])
    for file in files:
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()
    (told,) = read_answer(tmp_path / "first" / "answer.json").told
    for page in ("answers", "overview"):
        text = (tmp_path / "first" / f"{page}.html").read_text(encoding="utf-8")
        assert told.sentence in text and told.others in text
    picture = (tmp_path / "first" / "answer.svg").stat().st_size
    assert picture < 40_000


def test_what_draws_is_imported_without_what_only_some_figures_need():
    code = (
        "import sys, adnorm.figures.build;"
        "late = {'seaborn', 'scanpy', 'anndata', 'scipy', 'polars', 'jinja2'};"
        "print(sorted(late & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=PACKAGE.parent, check=True
    )
    assert run.stdout.strip() == "[]"


def test_run_without_visits_says_so_in_every_figure(repository, tmp_path):
    plan = {"still": RUN["still"]}
    _, figures = draw_atlas(*trials.make_atlas(tmp_path, repository, plan))
    expected = {
        "forest": "no treated arm of this run has an index",
        "dose_response": "no drug of this run has visits after baseline",
        "normalization_atlas": "no cohort of this run has an index over visits",
    }
    for name, written in expected.items():
        figure, table = figures[name]
        assert written in words(figure)
        assert written in table["reason"].iloc[0]


def test_nothing_estimable_still_draws(atlas_run, tmp_path):
    inputs, cohorts = atlas_run
    time = read_table(inputs["time"])
    time[["ni", "lower", "upper", "dni", "dni_lower", "dni_upper"]] = np.nan
    time["reason_code"] = "DENOM_NOT_ESTIMABLE"
    write_table(time, tmp_path / "time.tsv")
    _, figures = draw_atlas(inputs | {"time": tmp_path / "time.tsv"}, cohorts)
    for name in ("forest", "normalization_atlas"):
        assert len(figures[name][1]) > 1
    assert "no cohort of this run has an index" in words(figures["normalization_atlas"][0])


def test_job_writes_three_files_a_figure(atlas_run, tmp_path):
    inputs, cohorts = atlas_run
    outputs = outputs_of(tmp_path, ATLAS_FIGURES)
    build.build_atlas(inputs, outputs, trials.settings(cohorts=cohorts))
    files = sorted(path.name for path in tmp_path.iterdir())
    drawn = [f"{name}.{kind}" for name in build.ATLAS for kind in ("svg", "png", "pdf", "tsv")]
    assert files == sorted(["tables.html", *drawn])


def test_every_figure_has_a_caption(repository):
    for figure in FIGURES:
        text = (repository / "workflow" / "report" / f"{figure.name}.rst").read_text()
        assert "snakemake.wildcards.cohort" in text
    front = (repository / "workflow" / "report" / "workflow.rst").read_text()
    assert "no treatment advice" in front


def test_every_figure_of_the_index_has_a_caption(repository):
    for name in build.INDEX:
        text = (repository / "workflow" / "report" / f"{name}.rst").read_text()
        assert "snakemake.wildcards.cohort" in text


def test_every_atlas_figure_has_a_caption(repository):
    for name in build.ATLAS:
        assert len((repository / "workflow" / "report" / f"{name}.rst").read_text()) > 200
