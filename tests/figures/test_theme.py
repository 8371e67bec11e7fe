"""Colours that hold for all figures, names that fit, files."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
from PIL import Image

from adnorm.figures import theme
from adnorm.figures.quality import draw_pca
from adnorm.figures.theme import savefig


def test_arm_colours_do_not_depend_on_the_order_of_the_arms():
    arms = ["placebo", "b 5 mg", "b 20 mg", "a", "healthy", "untreated"]
    colours = theme.arm_colours(arms, "placebo")
    assert colours == theme.arm_colours(reversed(arms), "placebo")
    assert list(colours) == ["healthy", "untreated", "placebo", "a", "b 5 mg", "b 20 mg"]
    assert colours["placebo"] == theme.PLACEBO
    assert len(set(colours.values())) == len(arms)


def test_jak_inhibitors_are_blue_in_every_cohort_and_other_classes_are_not():
    blue = theme.TREATMENTS[0]
    alone = theme.arm_colours(["placebo", "y"], classes={"y": "anti-IL-13"})
    both = theme.arm_colours(["a", "z"], classes={"a": "anti-IL-13", "z": "JAK inhibitor"})
    assert alone["y"] == both["a"] != blue
    assert both["z"] == theme.arm_colours(["z"])["z"] == blue
    many = [f"drug {letter}" for letter in "abcdefghi"]
    assert len(set(theme.arm_colours(many, classes=dict.fromkeys(many, "x")).values())) == 7


def test_a_higher_dose_is_darker():
    colours = theme.arm_colours(["b 5 mg", "b 20 mg", "b 100 mg"])
    light = [sum(int(c[i : i + 2], 16) for i in (1, 3, 5)) for c in colours.values()]
    assert light == sorted(light, reverse=True)


def test_the_placebo_arm_may_have_any_name():
    colours = theme.arm_colours(["vehicle cream", "a"], "vehicle cream")
    assert colours["vehicle cream"] == theme.PLACEBO
    assert list(colours) == ["vehicle cream", "a"]


def test_the_page_holds_every_text_at_the_resolution_it_is_drawn_in(healthy, tmp_path):
    healthy.facts["quality"] = (
        "a long remark that makes the line above the figure the widest of all"
    )
    with mpl.rc_context(theme.RC):
        figure, table = draw_pca(healthy)
        savefig(figure, tmp_path, "pca", table)
        ends = [t.get_window_extent(figure.canvas.get_renderer()).x1 for t in figure.texts]
        starts = [t.get_window_extent(figure.canvas.get_renderer()).x0 for t in figure.texts]
    with Image.open(tmp_path / "pca.png") as picture:
        assert figure.dpi == theme.DPI
        assert picture.width > max(ends) - min(starts)


def test_limit_is_symmetric_and_never_noise():
    assert theme.limit_of(np.array([np.nan, 0.01]), 1.0) == 1.0
    assert theme.limit_of(np.full(10, -2.3), 1.0) == 2.5
    assert theme.limit_of(np.array([]), 1.5) == 1.5


def test_names_that_begin_alike_still_differ():
    names = [f"demo_reference_rnaseq_{i:03d}" for i in range(3)]
    assert theme.short_names(names) == (["000", "001", "002"], "demo_reference_rnaseq_")
    long = [
        "a_same_and_much_too_long_1",
        "b_same_and_much_too_long_2",
        "b_same_and_much_too_long_3",
    ]
    assert len(set(theme.short_names(long, 12)[0])) == 3
