"""Every page of every figure of a cohort fits the page of a journal and can be read there."""

from __future__ import annotations

from unittest import mock

import matplotlib as mpl
import pytest
from matplotlib.text import Text

from adnorm.figures import build
from adnorm.figures.data import read_cohort
from adnorm.figures.theme import HIGHEST_PAGE, INCH, MARGIN, RC
from adnorm.study.config import FiguresSettings
from builders.figure_cohorts import HEALTHY, LESIONAL_ONLY, SETS, TRIAL, make_cohort

LONG = "recombinant monoclonal antibody against interleukin-13"
MANY = {
    f"signature_{i:02d}": (
        f"Itch: a signature with a name that takes far more room than there is, {i}",
        "itch",
        "context",
        ("up", "down", "")[i % 3],
        4,
    )
    for i in range(48)
}
# Headings of the gene heatmaps, without a place to break them.
MANY["itch_core_skin_up"] = ("Itch: " + "endless" * 60, *SETS["itch_core_skin_up"][1:])
VISITS = [0.0, 2.0, 4.0, 12.0, 24.0]
PLANS = {
    "trial": TRIAL,
    "one_visit": LESIONAL_ONLY,
    "healthy_people": HEALTHY,
    "one_sample": {"arms": {"untreated": 1}, "visits": [0.0], "states": ["lesional"]},
    # 300 samples, 60 sets, long names.
    "large": {
        "arms": {"placebo": 17, f"{LONG} 300 mg": 17, f"{LONG} 600 mg": 16},
        "visits": VISITS,
        "states": ["nonlesional", "lesional"],
        "placebo": "placebo",
        "gene_count": 340,
    },
    # 12 arms × 5 visits.
    "wide": {
        "arms": {"placebo": 4, **{f"drug {letter} 10 mg": 4 for letter in "abcdefghijk"}},
        "visits": VISITS,
        "states": ["nonlesional", "lesional"],
        "placebo": "placebo",
    },
}


@pytest.fixture(scope="module", params=list(PLANS))
def made(request, tmp_path_factory):
    """Files and settings of a cohort."""
    more = MANY if request.param == "large" else {}
    with mock.patch.dict(SETS, more):
        return make_cohort(tmp_path_factory.mktemp(request.param), **PLANS[request.param])


@pytest.fixture(scope="module", params=[183, 89])
def cohort(request, made):
    """The cohort with pages of a width."""
    inputs, settings = made
    figures = FiguresSettings(width=request.param)
    return read_cohort(inputs, settings.model_copy(update={"figures": figures}))


@pytest.mark.parametrize("name", build.COHORT)
def test_pages_fit_and_can_be_read(cohort, name):
    with mpl.rc_context(RC):
        pages, _ = build.COHORT[name](cohort)
        for number, page in enumerate(pages):
            box = page.get_tightbbox().padded(MARGIN)
            assert box.width <= cohort.width + 1e-3, f"page {number}: {box.width * INCH:.1f} mm"
            assert box.height <= HIGHEST_PAGE + 1e-3, f"page {number}: {box.height * INCH:.1f} mm"
            written = [t for t in page.findobj(Text) if t.get_text().strip() and t.get_visible()]
            assert min(text.get_fontsize() for text in written) >= 6
            assert not list(overlapping(page)), f"page {number}"


def overlapping(page):
    """Pairs of texts beside the panels that stand on one another."""
    renderer = page.canvas.get_renderer()
    texts = [text for text in page.texts if text.get_text().strip()]
    # Letters do not fill the box of a line.
    boxes = [text.get_window_extent(renderer).padded(-0.012 * page.dpi) for text in texts]
    for i, box in enumerate(boxes):
        for text, other in zip(texts[i + 1 :], boxes[i + 1 :], strict=True):
            if box.overlaps(other):
                yield texts[i].get_text(), text.get_text()
