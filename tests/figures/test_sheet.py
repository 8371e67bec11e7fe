"""Names beside points."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.text import Text

from adnorm.figures.sheet import Part, Sheet, draw_pages, fit_words, name_points, text_width
from adnorm.figures.theme import HIGHEST_PAGE, MARGIN, RC


def test_names_have_places_inside_the_panel_and_off_the_points():
    sheet = Sheet("A", {"cohort": "a"}, "")
    axes = sheet.axes(0, 0, 3, 3)
    axes.scatter([0, 100], [-50, 50])
    axes.autoscale_view()
    points = [(0, -50, "first"), (100, 50, "second")]
    others = np.array([point[:2] for point in points])
    assert name_points(axes, points, others, "red") == []
    renderer = sheet.figure.canvas.get_renderer()
    boxes = [text.get_window_extent(renderer) for text in axes.texts]
    assert not boxes[0].overlaps(boxes[1])
    for box in boxes:
        assert axes.bbox.contains(box.x0, box.y0) and axes.bbox.contains(box.x1, box.y1)
        assert not any(box.contains(*axes.transData.transform(place)) for place in others)


def test_names_that_cannot_be_told_apart_are_returned():
    sheet = Sheet("A", {"cohort": "a"}, "")
    axes = sheet.axes(0, 0, 0.4, 0.2)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    points = [(0.5, 0.5, name) for name in ("one long name", "another", "a third one")]
    left = name_points(axes, points, np.empty((0, 2)), "red")
    assert left and len(axes.texts) == 3 - len(left)
    sheet.figure.canvas.draw()


def test_names_stand_beside_their_points_and_off_a_crowd_with_a_lead():
    sheet = Sheet("A", {"cohort": "a"}, "")
    axes = sheet.axes(0, 0, 3, 3)
    axes.set(xlim=(0, 100), ylim=(0, 100))
    steps = np.arange(44, 57, 2.0)
    crowd = np.array([(x, y) for x in steps for y in steps])
    points = [(20.0, 20.0, "alone"), (50.0, 50.0, "amid")]
    assert name_points(axes, points, crowd, "red") == []
    alone, amid = axes.texts
    assert alone.arrow_patch is None and amid.arrow_patch is not None
    sheet.figure.canvas.draw()
    box = Text.get_window_extent(amid)
    assert not any(box.contains(*axes.transData.transform(place)) for place in crowd)
    near = Text.get_window_extent(alone).padded(8 * sheet.figure.dpi / 72)
    assert near.contains(*axes.transData.transform((20.0, 20.0)))


@pytest.mark.parametrize("count", [1, 7])
def test_what_a_page_has_no_room_for_is_on_the_next(count):
    drawn = []

    def make(part):
        return Sheet("A title", {"cohort": "a", "width": 3.5}, "n", part=part)

    def part(number):
        def draw(sheet, y):
            drawn.append(sheet.figure)
            sheet.text(0, y + 1, f"part {number}")

        return Part(2.0, draw)

    with mpl.rc_context(RC):
        key = Part(0.3, lambda sheet, y: sheet.text(0, y + 0.1, "the key"))
        pages = list(draw_pages(make, [part(i) for i in range(count)], key, ["a note"] * 12))
        heights = [page.get_tightbbox().padded(MARGIN).height for page in pages]
    assert len(drawn) == count and max(heights) <= HIGHEST_PAGE
    texts = [[t.get_text().replace("\xa0", " ") for t in page.texts] for page in pages]
    assert sum("a note" in text for page in texts for text in page) == 12
    if count == 1:
        assert len(pages) == 1 and "A title" in texts[0]
    else:
        assert [f"A title · page {i + 1} of {len(pages)}" in t for i, t in enumerate(texts)] == [
            True
        ] * len(pages)
    # Notes stay together, on the last page.
    assert all("a note" not in page for page in texts[:-1])


def test_words_that_are_too_long_are_hyphenated():
    for room in (0.9, 0.5, 0.3):
        lines = fit_words("of a-long-code-name-AB12345678 hyperproliferation", 6.5, room).split(
            "\n"
        )
        assert text_width(lines, 6.5) <= room
        assert (
            "".join(line.removesuffix("-") for line in lines).replace(" ", "").replace("-", "")
            == "ofalongcodenameAB12345678hyperproliferation"
        )


def test_legends_break_into_lines_of_the_page():
    sheet = Sheet("A", {"cohort": "a", "width": 2.0}, "")
    samples = [({"color": "red", "marker": "o"}, f"an arm with a name {i}") for i in range(5)]
    samples.append(
        ({"text": "0.62", "weight": "bold"}, "a meaning that is longer than one line is")
    )
    end = sheet.keys(0.0, samples)
    assert end > 5 * 0.14
    with mpl.rc_context(RC):
        box = sheet.figure.get_tightbbox()
    assert box.width <= 2.0
