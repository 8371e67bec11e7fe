"""What cannot be told from a batch is said above every figure and on the page of a cohort."""

from __future__ import annotations

import numpy as np
import pytest

from adnorm.base.tables import read_table, write_table
from adnorm.figures import build
from adnorm.figures.changes import draw_set_changes
from adnorm.figures.data import read_cohort
from adnorm.figures.names import TITLES
from adnorm.figures.quality import draw_coverage, draw_pca
from adnorm.study.config import EffectsSettings
from builders.figure_cohorts import TRIAL, make_cohort, outputs_of, texts, write_pages
from builders.figure_index import draw_atlas, make_atlas

ALERT = "Batch and visit cannot be told apart: 6 comparisons, see comparisons.tsv"


def by_visit(sheet):
    return np.where(sheet["week"] > 0, "arm", "B")


@pytest.fixture(scope="module")
def batched(tmp_path_factory):
    """A trial whose later visits are one batch, which is called by an awkward name."""
    folder = tmp_path_factory.mktemp("batched")
    plan = TRIAL | {"visits": [0.0, 2.0], "batch_of": by_visit}
    inputs, settings = make_cohort(folder, **plan)
    build.build(inputs, outputs_of(folder / "figures"), settings)
    write_pages(read_cohort(inputs, settings), folder / "figures")
    return inputs, settings, folder / "figures"


def test_figures_say_it_in_their_first_line_and_the_coverage_does_not(batched):
    inputs, settings, _ = batched
    data = read_cohort(inputs, settings)
    for name, draw in (("set_changes", draw_set_changes), ("pca", draw_pca)):
        figure, _ = draw(data)
        assert ALERT in texts(figure)
        page = figure[0]
        heights = {text.get_text(): text.get_position()[1] for text in page.texts}
        above = [text for text, height in heights.items() if height > heights[ALERT]]
        assert [text.partition(" · ")[0] for text in above if text != "SIMULATED DATA"] == [
            TITLES[name]
        ]
    assert ALERT not in texts(draw_coverage(data)[0])


def test_cohorts_without_such_batches_say_nothing(cohorts_drawn, tmp_path):
    data = read_cohort(*cohorts_drawn["trial"][:2])
    assert data.facts["batch"] == "" and not any("atch" in t for t in texts(draw_pca(data)[0]))
    html = (cohorts_drawn["trial"][2] / "overview.html").read_text(encoding="utf-8")
    assert 'id="batches"' not in html and "Batches are fixed effects" not in html
    balanced = TRIAL | {"batch_of": lambda sheet: sheet["patient"].str[-1]}
    assert read_cohort(*make_cohort(tmp_path, **balanced)).facts["batch"] == ""


def test_the_page_has_the_table_the_verdicts_and_the_warning(batched, tmp_path):
    inputs, settings, folder = batched
    html = (folder / "overview.html").read_text(encoding="utf-8")
    caution = html.split('<div class="caution"')[1].split("</div>")[0]
    assert "Batch and visit cannot be told apart: " in caution
    assert "The linear model gives no number for them" in caution
    section = html.split('<h2 id="batches">Batches</h2>')[1].split("</section>")[0]
    assert "Batch arm</th>" in section and "Batch B</th>" in section
    # One row for all six, which cannot be told apart in the same way.
    assert section.count('<tr class="flag">') == 1
    assert '<th scope="row">aliased</th><td class="number">6</td>' in section
    assert "aliased" in section and "balanced" in section
    assert "Batches are fixed effects" in html
    ignoring = settings.model_copy(update={"effects": EffectsSettings(batch="ignore")})
    html = write_pages(read_cohort(inputs, ignoring), tmp_path)
    assert "The configuration ignores batches" in html and "Batches play no part" in html


def test_the_atlas_names_the_cohorts(tmp_path, repository):
    inputs, cohorts = make_atlas(tmp_path, repository, {"alpha": {}, "beta": {"weeks": (2.0,)}})
    assert draw_atlas(inputs, cohorts)[0].facts["batch"] == ""
    table = read_table(inputs["comparisons"][0]).assign(batch="aliased")
    write_table(table, inputs["comparisons"][0])
    data, drawn = draw_atlas(inputs, cohorts)
    text = "Batch and visit, state or arm cannot be told apart in 'alpha'"
    assert data.facts["batch"] == text
    assert all(text in texts(figure) for figure, _ in drawn.values())
