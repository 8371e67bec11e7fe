"""Where the report lists figures, and why a figure shows nothing."""

from __future__ import annotations

import matplotlib as mpl
import pandas as pd
import pytest

from adnorm.figures.names import (
    ATLAS_FIGURES,
    FIGURES,
    INDEX_FIGURES,
    Category,
    why_not_drawn,
)
from adnorm.figures.sheet import Sheet, nothing_to_draw
from adnorm.figures.theme import RC, savefig

FACTS = {"cohort": "trial", "title": "A trial"}


def written(folder, figure):
    with mpl.rc_context(RC):
        savefig(figure, folder, "made", pd.DataFrame({"reason": ["none"]}))
    return folder / "made.svg"


@pytest.mark.parametrize(
    "reason",
    [
        "no visit after baseline",
        "the set <b>x</b> & 'y' {z} has no score, and " + "nothing else of the cohort has any " * 6,
        "all is lost.  Nothing to draw: Not shown: twice",
    ],
    ids=["short", "long", "odd"],
)
def test_the_reason_is_read_back_from_the_picture(tmp_path, reason):
    with mpl.rc_context(RC):
        figure, _ = nothing_to_draw("A title", FACTS, reason.strip(), ["reason"])
    # Blanks are no words.
    assert why_not_drawn(written(tmp_path, figure)).split() == reason.split()


def test_a_figure_that_shows_something_has_no_reason(tmp_path):
    with mpl.rc_context(RC):
        sheet = Sheet("A title", FACTS, "Not shown: 3 sets without a direction")
        sheet.axes(0, 0, 3, 2).plot([1, 2], [3, 4])
    assert why_not_drawn(written(tmp_path, sheet.figure)) == ""


def test_every_category_but_that_of_reasons_is_sorted_as_it_stands():
    names = [str(category) for category in Category]
    # As the report sorts them: digits before letters, and no two digits.
    assert names == sorted(names)
    assert all(name[0].isdigit() and name[1] == " " for name in names[:-1])
    used = {figure.category for figure in FIGURES + INDEX_FIGURES + ATLAS_FIGURES}
    assert used >= set(Category) - {Category.ANSWER, Category.TABLES, Category.NOT_DRAWN}
