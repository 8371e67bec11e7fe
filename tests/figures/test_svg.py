"""Slimming an SVG: fewer bytes, and nothing that is seen changes."""

from __future__ import annotations

import base64
import io
import re
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from adnorm.figures.svg import PIXELS_OF_CELL, _cells, slim_svg
from adnorm.figures.theme import BETWEEN, RC, _stacked, diverging

SVG = "{http://www.w3.org/2000/svg}"
LINK = "{http://www.w3.org/1999/xlink}href"


def plain(draw) -> str:
    """A figure as matplotlib writes it."""
    with mpl.rc_context(RC):
        figure = Figure(figsize=(4, 3))
        draw(figure.add_subplot())
        written = io.StringIO()
        figure.savefig(written, format="svg", metadata={"Date": None})
    return written.getvalue()


def marks(axes) -> None:
    """Marks, intervals with round and square ends, bars, texts that would run."""
    values = np.random.default_rng(3).normal(0, 1, (2, 80))
    axes.scatter(*values, c=["#d55e00", "#8c8c8c"] * 40, alpha=0.5, edgecolors="white")
    axes.errorbar(values[0], values[1], 0.3, fmt="none", color="#0072b2")
    axes.plot(values[0], values[1], color="#444444", lw=0.7, marker="s", ms=2)
    axes.bar(range(4), [1, 2, 3, 4], color="#16837a33", hatch="//")
    axes.set(title="<b>& two  blanks", ylabel="turned")


def cells(axes) -> None:
    """A heatmap."""
    axes.imshow(np.random.default_rng(4).normal(0, 1, (12, 30)), cmap=diverging(), aspect="auto")


@pytest.fixture(scope="module", params=[marks, cells])
def pair(request) -> tuple[str, str]:
    text = plain(request.param)
    return text, slim_svg(text)


def texts(svg: str) -> list[str]:
    return [element.text for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_it_is_small(pair):
    assert len(pair[1]) < 0.6 * len(pair[0])


def test_the_same_input_gives_the_same_bytes(pair):
    assert slim_svg(pair[0]) == pair[1]


def test_texts_stay_texts(pair):
    assert texts(pair[1]) == texts(pair[0])
    assert "<metadata" not in pair[1]


def test_what_is_referred_to_is_defined_once(pair):
    root = ElementTree.fromstring(pair[1])
    names = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(names) == len(set(names))
    used = set(re.findall(r"url\(#([^)]+)\)", pair[1]))
    used |= {element.get(LINK, "")[1:] for element in root.iter(f"{SVG}use")}
    assert used == set(names)


def test_no_style_of_every_element_stands_against_that_of_a_group(pair):
    assert "*{" not in pair[1].replace(" ", "")
    assert 'style="stroke-linejoin:round' in pair[1]


def test_cells_keep_their_place_and_colour_with_few_pixels():
    text = plain(cells)
    slim = slim_svg(text)
    for before, after in zip(pixels(text), pixels(slim), strict=True):
        assert after.shape[:2] == (12 * PIXELS_OF_CELL, 30 * PIXELS_OF_CELL)
        for row in range(12):
            for column in range(30):
                place = [(at + 0.5) / count for at, count in ((row, 12), (column, 30))]
                old, new = (
                    picture[int(place[0] * len(picture)), int(place[1] * picture.shape[1])]
                    for picture in (before, after)
                )
                assert np.array_equal(old, new)
    assert 'style="image-rendering:pixelated"' in slim


def told(lengths) -> list[int] | None:
    """The pixels that runs of lines are given, as cells."""
    lengths = np.array(lengths, dtype=int)
    found = _cells(np.cumsum(lengths) - lengths, lengths)
    return None if found is None else found[1].tolist()


@pytest.mark.parametrize("lengths", [[3, 3, 4], [40, 20, 71], [1, 300, 2], [100, 37, 100]], ids=str)
def test_what_is_no_row_of_like_cells_keeps_its_pixels(lengths):
    assert told(lengths) is None


def test_cells_of_one_colour_are_as_many_as_they_were():
    # Fifteen cells of 20.4 pixels, some of which have the colour of their neighbour.
    ends = np.rint(20.4 * np.array([0, 1, 3, 4, 8, 15]))
    assert told(np.diff(ends)) == [4, 8, 4, 16, 28]
    # A line between two cells belongs to one of them.
    assert told([20, 1, 40, 20, 82, 143]) == [4, 8, 4, 16, 28]


def pixels(svg: str) -> list[np.ndarray]:
    found = re.findall(r'href="data:image/png;base64,([^"]+)"', svg)
    assert found
    opened = (Image.open(io.BytesIO(base64.b64decode(packed))) for packed in found)
    return [np.asarray(image.convert("RGBA")) for image in opened]


def test_many_colours_and_transparency_are_kept():
    def many(axes) -> None:
        colours = np.random.default_rng(5).random((100, 100, 4))
        axes.imshow(colours)

    text = plain(many)
    for before, after in zip(pixels(text), pixels(slim_svg(text)), strict=True):
        assert np.array_equal(before, after)


def corners(text: str) -> list[tuple[float, float]]:
    """Walk along a path of either form, for the commands that both use."""
    points, (x, y), start = [], (0.0, 0.0), (0.0, 0.0)
    for command, rest in re.findall(r"([A-Za-z])([^A-Za-z]*)", text):
        numbers = [float(n) for n in re.findall(r"-?(?:\d+\.?\d*|\.\d+)", rest)]
        size = {"M": 2, "L": 2, "Q": 4, "C": 6, "H": 1, "V": 1, "Z": 0}[command.upper()]
        for i in range(0, max(len(numbers), 1), max(size, 1)):
            step = numbers[i : i + size]
            if command.upper() == "Z":
                x, y = start
                continue
            across = step[-2] if size > 1 else step[0] if command in "hH" else None
            down = step[-1] if size > 1 else step[0] if command in "vV" else None
            move = command.islower()
            x = x if across is None else x + across if move else across
            y = y if down is None else y + down if move else down
            if command.upper() == "M":
                start = (x, y)
            points.append((x, y))
    return points


def test_a_path_of_many_steps_ends_where_it_ended():
    places = np.random.default_rng(6).uniform(-300, 300, (500, 2))
    steps = "\n".join(f"{'L' if i else 'M'} {x:.6f} {y:.6f} " for i, (x, y) in enumerate(places))
    line = f'<svg xmlns="http://www.w3.org/2000/svg"><path d="{steps}"/></svg>'
    path = ElementTree.fromstring(slim_svg(line)).find(f"{SVG}path").get("d")
    assert np.abs(np.array(corners(path)) - places).max() < 0.006


def test_curves_closed_parts_and_shared_shapes():
    ring = "M {x} 2.004 Q 3.5 4 5.25 6.1 C 1 2 3 4 {x} 8 L {x} 2.004 z M 1 1 L 2 1 L 2 2 L 1 1 z"
    shapes = "".join(f'<path d="{ring.format(x=x)}" style="fill: red"/>' for x in (1.5, 1.5))
    slim = slim_svg(f'<svg xmlns="http://www.w3.org/2000/svg">{shapes}</svg>')
    paths = [e.get("d") for e in ElementTree.fromstring(slim).iter(f"{SVG}path")]
    assert paths[0] == "M1.5 2q2 2 3.75 4.1c-4.25-4.1-2.25-2.1-3.75 1.9zm-.5-1h1v1z"


def test_a_shape_that_returns_often_is_defined_once():
    letters = "".join(
        f'<path d="M {x} {x + 0.5} Q {x + 3.25} {x + 1.15} {x + 4.75} {x + 9.85} '
        f'Q {x + 1.25} {x + 2.15} {x + 3.75} {x + 4.85} L {x + 1.3} {x - 2.7} z"/>'
        for x in range(1, 60)
    )
    root = ElementTree.fromstring(
        slim_svg(f'<svg xmlns="http://www.w3.org/2000/svg">{letters}</svg>')
    )
    assert len(list(root.iter(f"{SVG}path"))) == 1
    uses = list(root.iter(f"{SVG}use"))
    assert [(e.get("x"), e.get("y")) for e in uses[:2]] == [("1", "1.5"), ("2", "2.5")]


def test_what_is_seen_through_stays_alone():
    # Two squares of half opacity one over the other are not one group of half opacity.
    square = '<path d="M 0 0 L 9 0 L 9 9 z" style="opacity: 0.5; fill: #d55e00"/>'
    root = ElementTree.fromstring(
        slim_svg(f'<svg xmlns="http://www.w3.org/2000/svg">{square * 4}</svg>')
    )
    assert [e.get("class") for e in root.iter(f"{SVG}path")] == ["a"] * 4


def test_pages_stand_one_below_the_other_and_share_no_name():
    first, second = plain(marks), plain(cells)
    whole = _stacked([slim_svg(text, page) for page, text in enumerate([first, second])])
    assert texts(whole) == [*texts(first), *texts(second)]
    assert len(whole) < 0.6 * (len(first) + len(second))
    pages = ElementTree.fromstring(whole).findall(f"{SVG}svg")
    assert [float(page.get("y")) for page in pages] == [0, 216 + 72 * BETWEEN]
    # A style sheet holds for all pages of the file: what one calls "a" the other may not.
    for page in pages:
        inside = ElementTree.tostring(page, encoding="unicode")
        classes = set(re.findall(r"\.(\w+){", inside))
        used = {name for e in page.iter() for name in e.get("class", "").split()}
        assert used == classes
    for names in (re.findall(r' id="(\w+)"', whole), re.findall(r"\.([a-z]\w*){", whole)):
        assert len(names) == len(set(names)) > 5
    assert pages[0].findall(f"{SVG}g")
