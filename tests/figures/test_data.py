"""What figures are drawn from: order of samples, files that fit, cohorts by name and colour."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import pytest
from jinja2 import Template
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D

from adnorm.base.errors import AdnormError
from adnorm.figures import build
from adnorm.figures.data import read_cohort
from adnorm.figures.theme import INK, PLACEBO, arm_colours
from builders.figure_cohorts import TRIAL
from builders.figure_index import axes_of, draw_atlas, words


def test_samples_are_ordered_by_state_arm_week_patient(trial):
    cohort, _ = trial
    samples = cohort.samples
    groups = samples[["state", "arm", "week"]].drop_duplicates()
    assert list(dict.fromkeys(groups["state"])) == ["nonlesional", "lesional"]
    lesional = groups[groups["state"] == "lesional"]
    assert list(dict.fromkeys(lesional["arm"])) == list(TRIAL["arms"])
    assert list(lesional["week"][:4]) == [0, 2, 4, 12]
    for _, rows_of_group in samples.groupby(["state", "arm", "week"]):
        assert rows_of_group["patient"].is_monotonic_increasing


def test_scores_of_other_samples_stop(cohorts_drawn):
    inputs, settings, _ = cohorts_drawn["trial"]
    other = inputs | {"scores": cohorts_drawn["healthy"][0]["scores"]}
    with pytest.raises(AdnormError, match="does not belong"):
        read_cohort(other, settings)


def test_arms_have_the_colours_of_all_figures(index_made, index_drawn):
    colours = arm_colours(index_made[1].arms, "placebo")
    assert colours["placebo"] == PLACEBO
    for name in ("time_courses", "concordance"):
        (page,) = index_drawn[name][0]
        texts = [t.get_text().replace("\xa0", " ") for t in page.texts]
        written = {text.partition(" (n")[0] for text in texts}
        assert set(colours) <= written
        # One sample of each arm, and points of black ink that say what faces mean.
        lines = [artist for artist in page.artists if isinstance(artist, Line2D)]
        samples = {to_hex(line.get_color()).upper() for line in lines} - {INK.upper()}
        assert samples == {colour.upper() for colour in colours.values()}


def test_arms_keep_the_colours_of_their_cohort(atlas_drawn):
    cohort, figures = atlas_drawn
    alpha = arm_colours(["placebo", "drug 10 mg", "drug 20 mg"], "placebo")
    assert {arm: cohort.colours["alpha", arm] for arm in alpha} == alpha
    figure, table = figures["forest"]
    lines = {line.get_color() for axes in axes_of(figure) for line in axes.lines}
    assert {alpha["drug 10 mg"], alpha["drug 20 mg"]} <= lines


def test_stopped_cohorts_are_left_out(atlas_run):
    inputs, cohorts = atlas_run
    rest = [path for path in inputs["samples"] if path.parents[1].name != "gamma"]
    _, figures = draw_atlas(inputs | {"samples": rest}, cohorts)
    table = figures["normalization_atlas"][1]
    assert "gamma" not in set(table["cohort"].dropna())


def test_simulated_cohorts_are_marked_among_real_ones(atlas_run):
    inputs, cohorts = atlas_run
    real = cohorts["alpha"].model_copy(update={"route": "geo_series_matrix"})
    mixed = cohorts | {"alpha": real}
    cohort, figures = draw_atlas(inputs, mixed)
    assert cohort.name("beta") == "beta (simulated)"
    assert cohort.name("alpha") == "alpha"
    written = words(figures["normalization_atlas"][0])
    assert "beta (simulated)" in written
    assert "some cohorts are simulated" in written


@pytest.mark.parametrize(
    ("confidence", "written"), [(0.95, "95 %"), (0.975, "97.5 %"), (0.995, "99.5 %")]
)
def test_levels_are_written_as_they_are(index_made, confidence, written):
    settings = index_made[1].settings
    index = settings.index.model_copy(update={"confidence": confidence})
    data = dataclasses.replace(index_made[1], settings=settings.model_copy(update={"index": index}))
    for name in ("normalization", "time_courses", "concordance"):
        assert f"{written} " in words(build.INDEX[name](data)[0])


def test_captions_write_levels_as_they_are(repository):
    settings = {"index": {"confidence": 0.975}}
    job = SimpleNamespace(
        params=SimpleNamespace(settings=settings), wildcards=SimpleNamespace(cohort="a")
    )
    text = (repository / "workflow" / "report" / "time_courses.rst").read_text()
    assert "97.5 %" in Template(text).render(snakemake=job)
