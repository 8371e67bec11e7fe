"""Colours that hold for all figures, names that fit, files."""

from __future__ import annotations

import re
import zlib
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from fontTools import subset
from fontTools.ttLib import TTFont
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from adnorm.figures import theme
from adnorm.figures.index_heatmap import tile_colour
from adnorm.figures.quality import draw_pca
from adnorm.figures.reversal import CLASSES
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


def test_lines_and_texts_stand_out_from_white_paper():
    doses = theme.arm_colours([f"b {mg} mg" for mg in (1, 2, 5, 10, 20, 50)])
    visits = theme.week_colours([0, 1, 2, 4, 16])
    classes = [colour for name, (colour, _) in CLASSES.items() if name != "not estimable"]
    lines = [*theme.STATES.values(), *theme.TREATMENTS, theme.PLACEBO, theme.UNTREATED]
    lines += [*doses.values(), *visits.values(), *classes]
    low = {colour: theme.contrast(colour, "white") for colour in lines}
    assert {colour: c for colour, c in low.items() if c < theme.LEAST_CONTRAST} == {}
    texts = [theme.INK, theme.FAINT, theme.ALERT, theme.NORMAL]
    assert min(theme.contrast(colour, "white") for colour in texts) >= 4.5
    assert theme.contrast(theme.INK, theme.MISSING) >= 4.5


def test_numbers_can_be_read_on_every_tile():
    tiles = [tile_colour(value, *ends) for value in np.linspace(-0.6, 1.6, 100)
             for ends in ((value, value), (-1.0, 2.0))]  # fmt: skip
    tiles += [tuple(theme.diverging()(part)[:3]) for part in np.linspace(0, 1, 100)]
    assert min(theme.contrast(theme.readable_ink(tile), tile) for tile in tiles) >= 4.5


def test_no_visit_looks_like_placebo():
    for colour in theme.week_colours([0, 2, 4, 12]).values():
        red, green, blue = to_rgb(colour)
        # Greys have three equal channels; visits are yellowish.
        assert min(red, green) - blue > 0.1


def test_the_placebo_arm_may_have_any_name():
    colours = theme.arm_colours(["vehicle cream", "a"], "vehicle cream")
    assert colours["vehicle cream"] == theme.PLACEBO
    assert list(colours) == ["vehicle cream", "a"]


def test_the_page_holds_every_text_at_the_resolution_it_is_drawn_in(healthy, tmp_path):
    healthy.facts["quality"] = (
        "a long remark that makes the line above the figure the widest of all"
    )
    with mpl.rc_context(theme.RC):
        (figure,), table = draw_pca(healthy)
        savefig(figure, tmp_path, "pca", table)
        renderer = FigureCanvasAgg(figure).get_renderer()
        ends = [t.get_window_extent(renderer).x1 for t in figure.texts]
        starts = [t.get_window_extent(renderer).x0 for t in figure.texts]
    with Image.open(tmp_path / "pca.png") as picture:
        assert figure.dpi == theme.DPI
        assert picture.width > max(ends) - min(starts)


def test_a_font_is_read_once_and_found_by_its_file():
    font = font_manager.get_font(font_manager.findfont("DejaVu Sans"))
    # Where matplotlib opens its fonts in another way, this says so.
    assert isinstance(font.fname, BytesIO)
    assert Path(str(font.fname)).read_bytes() == font.fname.getvalue()


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


def test_pages_stand_below_one_another_and_are_pages_of_the_pdf(healthy, tmp_path):
    with mpl.rc_context(theme.RC):
        (figure,), table = draw_pca(healthy)
        savefig(figure, tmp_path, "one", table)
        savefig([figure, figure], tmp_path, "two", table)
    with Image.open(tmp_path / "one.png") as one, Image.open(tmp_path / "two.png") as two:
        assert (two.width, two.height) == (one.width, 2 * one.height + theme.DPI * theme.BETWEEN)
        assert one.info["dpi"][0] == pytest.approx(theme.DPI, abs=0.1)
    sizes = [
        [float(v) for v in re.search(r'viewBox="0 0 (\S+) (\S+)"', text).groups()]
        for text in ((tmp_path / f"{name}.svg").read_text() for name in ("one", "two"))
    ]
    high = 2 * sizes[0][1] + 72 * theme.BETWEEN
    assert sizes[1] == pytest.approx([sizes[0][0], high], rel=1e-4)
    inner = ElementTree.parse(tmp_path / "two.svg").getroot().findall("{*}svg")
    for page in inner:
        width, height = page.get("viewBox").split()[2:]
        # With a unit a browser would draw it larger than the box around, and cut it.
        assert (page.get("width"), page.get("height")) == (width, height)
    assert len(inner) == 2
    pages = [
        re.findall(rb"/Type /Page\b", (tmp_path / f"{n}.pdf").read_bytes()) for n in ("one", "two")
    ]
    assert list(map(len, pages)) == [1, 2]


def test_a_pdf_does_not_hold_the_dots_of_all_its_pages(tmp_path, monkeypatch):
    def pages():
        for number in range(3):
            figure = Figure(figsize=(4, 3))
            cells = np.random.default_rng(number).random((6, 6))
            figure.add_subplot().pcolormesh(cells, rasterized=True)
            yield figure

    held, cut_out = [], theme._cut_out_pictures

    def counted(file) -> None:
        cut_out(file)
        pictures = [picture for picture, *_ in file._ensure_file()._images.values()]
        assert all(picture.base is None for picture in pictures)
        held.append(len(pictures))

    table = pd.DataFrame({"a": [1]})
    with mpl.rc_context(theme.RC):
        monkeypatch.setattr(theme, "_cut_out_pictures", counted)
        savefig(pages(), tmp_path, "cut", table)
        monkeypatch.setattr(theme, "_cut_out_pictures", lambda file: None)
        savefig(list(pages()), tmp_path, "held", table)
    assert held == [1, 2, 3]
    assert (tmp_path / "cut.pdf").read_bytes() == (tmp_path / "held.pdf").read_bytes()


def test_a_pdf_holds_its_fonts_as_truetype_and_no_date(healthy, tmp_path):
    with mpl.rc_context(theme.RC):
        (figure,), table = draw_pca(healthy)
        savefig(figure, tmp_path, "pca", table)
    pdf = (tmp_path / "pca.pdf").read_bytes()
    assert b"/FontFile2" in pdf and b"/Type3" not in pdf
    assert b"CreationDate" not in pdf and b"Matplotlib" not in pdf
    # Shapes and widths of the glyphs, but nothing that sets text: it is set already.
    fonts = [TTFont(BytesIO(data)) for data in _streams(pdf) if data[:4] == b"\0\1\0\0"]
    assert fonts and all({"glyf", "hmtx"} <= set(font.keys()) for font in fonts)
    assert not any({"GSUB", "GPOS", "GDEF", "kern", "MATH"} & set(font.keys()) for font in fonts)
    assert subset.load_font.__module__ == "fontTools.subset"


def _streams(pdf):
    """Unpack what a PDF holds."""
    for packed in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL):
        with suppress(zlib.error):
            yield zlib.decompress(packed)
