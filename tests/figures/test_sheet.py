"""Names beside points."""

from __future__ import annotations

import numpy as np

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
