"""Made-up cohorts and runs, drawn once for all tests of the figures."""

from __future__ import annotations

import matplotlib as mpl
import pytest

import builders.figure_index as trials
from adnorm.figures import build
from adnorm.figures.data import read_cohort
from adnorm.figures.theme import RC
from builders.figure_cohorts import COHORTS, HEALTHY, make_cohort, outputs_of, read, write_pages

#: Index cohorts that lack something.
ODD = {
    "untreated": {"arms": {"untreated": 8}},
    "no_placebo": {"arms": {"drug 10 mg": 8, "drug 20 mg": 7}},
    "no_clinic": {"clinic": False},
    "no_visits": {"weeks": ()},
    "no_reference": {"arms": {"drug 10 mg": 8}, "states": ("lesional",)},
    "few": {"arms": {"placebo": 2, "drug 10 mg": 2}},
    "healthy_only": {"arms": {"drug 10 mg": 8, "healthy": 8}, "states": ("lesional",)},
}


@pytest.fixture(scope="session")
def cohorts_drawn(once):
    """Inputs, settings and figures of the three cohorts."""

    def make(root):
        made = {}
        for name, plan in COHORTS.items():
            folder = root / name
            folder.mkdir()
            inputs, settings = make_cohort(folder, **plan)
            build.build(inputs, outputs_of(folder / "figures"), settings)
            write_pages(read_cohort(inputs, settings), folder / "figures")
            made[name] = (inputs, settings, folder / "figures")
        return made

    return once("cohorts_drawn", make)


@pytest.fixture
def trial(cohorts_drawn):
    """The trial with placebo, and its figures."""
    inputs, settings, folder = cohorts_drawn["trial"]
    return read_cohort(inputs, settings), folder


@pytest.fixture
def healthy(tmp_path):
    """A cohort with healthy people, without placebo."""
    return read(tmp_path, **HEALTHY)


@pytest.fixture(scope="session")
def index_made(repository, tmp_path_factory):
    """Paths and data of the trial."""
    return trials.index_of(tmp_path_factory.mktemp("index"), repository)


@pytest.fixture(scope="session")
def index_drawn(index_made):
    """Figures and tables of its index."""
    with mpl.rc_context(RC):
        return {name: draw(index_made[1]) for name, draw in build.INDEX.items()}


@pytest.fixture(scope="session", params=list(ODD))
def odd(request, repository, tmp_path_factory):
    """Figures of a cohort that lacks something, with its name."""
    _, found = trials.index_of(
        tmp_path_factory.mktemp(request.param), repository, **ODD[request.param]
    )
    with mpl.rc_context(RC):
        return request.param, {name: draw(found) for name, draw in build.INDEX.items()}


@pytest.fixture(scope="session")
def atlas_run(repository, tmp_path_factory):
    """Inputs and cohorts of a run."""
    return trials.make_atlas(tmp_path_factory.mktemp("atlas"), repository, trials.RUN)


@pytest.fixture(scope="session")
def atlas_drawn(atlas_run):
    """Data, figures and tables of the run."""
    return trials.draw_atlas(*atlas_run)
