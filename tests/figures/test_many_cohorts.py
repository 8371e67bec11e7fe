"""What is told once where hundreds of cohorts would say the same."""

from __future__ import annotations

import gc
import weakref

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from adnorm.figures import theme
from adnorm.figures.courses import _refusals
from adnorm.figures.labels import exploratory_note


def refused(number):
    reason = f"drug {number % 3} was given without a stated dose: no dose trend"
    return pd.DataFrame(
        {"cohort": [f"c{number}"], "drug": [f"drug {number % 3}"], "reason": reason}
    )


def test_drugs_without_a_trend_share_their_reason_where_they_are_many():
    assert _refusals([refused(1), refused(2)])[1].startswith("c2: drug 2 was given")
    (told,) = _refusals([refused(i) for i in range(200)])
    assert told.startswith("the drug was given without a stated dose: no dose trend ('c0', 'c1'")
    assert len(told) < 120


def test_intervals_that_are_too_narrow_are_told_by_their_range():
    def reason(half):
        return f"exploratory: agree; by these alone the interval would be ± {half}"

    few, many = ([reason(f"0.{i}") for i in range(1, n)] for n in (4, 9))
    assert exploratory_note(few)[0].count("would be") == 3
    (told,) = exploratory_note(many)
    assert told.count("would be") == 1 and "± 0.1 to 0.8" in told


def test_a_png_holds_some_pages_and_the_pdf_all(tmp_path, monkeypatch):
    def pages():
        return [Figure(figsize=(2, 1)) for _ in range(5)]

    theme.savefig(pages(), tmp_path, "all", pd.DataFrame())
    monkeypatch.setattr(theme, "MOST_IN_PNG", 2)
    theme.savefig(pages(), tmp_path, "some", pd.DataFrame())
    heights = [Image.open(tmp_path / f"{name}.png").height for name in ("some", "all")]
    assert 2 * heights[0] < heights[1]
    for kind in ("svg", "pdf"):
        one, two = (tmp_path / f"{name}.{kind}" for name in ("all", "some"))
        assert one.read_bytes() == two.read_bytes()


def test_pages_that_are_drawn_when_asked_for_are_never_in_memory_together(tmp_path):
    seen, alive = [], []

    def page():
        figure = Figure(figsize=(2, 1))
        figure.subplots().plot([1, 2])
        seen.append(weakref.ref(figure))
        return figure

    def pages():
        for _ in range(4):
            alive.append(sum(figure() is not None for figure in seen))
            yield page()

    gc.disable()
    try:
        with mpl.rc_context(theme.RC):
            theme.savefig(pages(), tmp_path, "one_by_one", pd.DataFrame())
            theme.savefig([page() for _ in range(4)], tmp_path, "together", pd.DataFrame())
    finally:
        gc.enable()
    assert alive == [0, 0, 0, 0]
    for kind in ("svg", "png", "pdf"):
        one, two = (tmp_path / f"{name}.{kind}" for name in ("one_by_one", "together"))
        assert one.read_bytes() == two.read_bytes()
