"""The main figures look as they did; what is moved or has another colour is noticed."""

from __future__ import annotations

from unittest import mock

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from PIL import Image

from adnorm.figures import build, heatmap, samples
from adnorm.figures.theme import RC
from builders.figure_cohorts import TRIAL, read
from builders.pictures import ATLAS, BASELINE, COHORT, SAMPLES, difference, picture


def kept(name):
    """The picture that the figure is compared with."""
    with Image.open(BASELINE / f"{name}.png") as found:
        return np.asarray(found.convert("RGB"))


def check(name, pages):
    """Compare the first page with the picture of its figure."""
    with mpl.rc_context(RC):
        found = difference(picture(pages), kept(name))
    advice = "if it was meant to change: python tests/figures/make_baseline.py"
    assert not found, f"{name}: {found}; {advice}"
    assert (BASELINE / f"{name}.png").stat().st_size < 30_000


@pytest.mark.parametrize("name", [*COHORT, *ATLAS])
def test_figures_look_as_they_did(index_drawn, atlas_drawn, name):
    check(name, (index_drawn if name in COHORT else atlas_drawn[1])[name][0])


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """The trial of which samples and comparisons are drawn."""
    return read(tmp_path_factory.mktemp("pictures"), **TRIAL)


@pytest.mark.parametrize("name", SAMPLES)
def test_figures_of_samples_look_as_they_did(cohort, name):
    with mpl.rc_context(RC):
        pages, _ = build.COHORT[name](cohort)
    check(name, pages)


def test_a_fading_that_is_gone_and_another_order_of_patients_are_differences(cohort):
    with mpl.rc_context(RC):
        with mock.patch.object(heatmap, "FADED", 1.0):
            assert difference(picture(build.COHORT["enrichment"](cohort)[0]), kept("enrichment"))
        # Without the change, patients stand in the order of their names.
        with mock.patch.object(samples, "_by_response", lambda data, level: (data.samples, False)):
            pages, _ = build.COHORT["sets_samples"](cohort)
        assert difference(picture(pages), kept("sets_samples"))


def test_other_letters_are_no_difference_and_a_moved_panel_or_another_colour_is(index_made):
    data = index_made[1]
    # As far apart as two rasterizers of one font can be.
    with mpl.rc_context(RC | {"text.antialiased": False}):
        assert not difference(picture(build.INDEX["time_courses"](data)[0]), kept("time_courses"))
    with mpl.rc_context(RC):
        page = build.INDEX["time_courses"](data)[0][0]
        panel = page.axes[1]
        box = panel.get_position()
        panel.set_position([box.x0 + 0.012, box.y0, box.width, box.height])
        assert difference(picture(page), kept("time_courses"))
        page = build.INDEX["normalization"](data)[0][0]
        tiles = next(c for a in page.axes for c in a.collections if isinstance(c, PolyCollection))
        colours = tiles.get_facecolors()
        colours[0] = (0.9, 0.6, 0.3, 1.0)
        tiles.set_facecolors(colours)
        assert difference(picture(page), kept("normalization"))
