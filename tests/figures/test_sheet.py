"""Names beside points."""

from __future__ import annotations

import numpy as np
from matplotlib.text import Text

from adnorm.figures.sheet import Sheet, name_points


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
