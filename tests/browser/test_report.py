"""The report in a browser: all of a figure is reached, and every link says what it does."""

from __future__ import annotations

import json
import re

import pytest

from adnorm.figures.names import FIGURES, Category
from adnorm.figures.theme import contrast

#: Opens every figure of a report as the menu does, and tells which parts of it cannot be reached.
WALK = """async () => {
  const pause = () => new Promise(done => setTimeout(done, 20));
  const box = () => document.querySelector('#app > div > .grow');
  const told = [];
  for (const [path, result] of Object.entries(results)) {
    if (result.mime_type !== 'image/svg+xml') continue;
    app.setView({content: 'img', contentPath: result.data_uri, resultPath: path});
    let image;
    for (let i = 0; i < 200; i++) {
      await pause();
      image = box().querySelector('img');
      if (image && image.src === result.data_uri && image.complete && image.naturalWidth) break;
    }
    const around = box().getBoundingClientRect();
    box().scrollTo(0, 0);
    const start = image.getBoundingClientRect();
    box().scrollTo(box().scrollWidth, box().scrollHeight);
    const end = image.getBoundingClientRect();
    told.push({path, height: start.height, room: around.height, width: start.width,
      top: start.top - around.top, left: start.left - around.left,
      bottom: around.top + box().clientHeight - end.bottom,
      right: around.left + box().clientWidth - end.right});
  }
  return told;
}"""

SCREENS = [(1366, 768), (1920, 1080), (390, 844)]


@pytest.fixture(scope="module")
def report(hostile_run):
    return (hostile_run / "report.html").as_uri()


@pytest.fixture
def opened(report, browser_page):
    browser_page.goto(report)
    browser_page.wait_for_selector("#app nav")
    return browser_page


@pytest.mark.parametrize(("width", "height"), SCREENS)
def test_every_figure_is_reached_from_its_top_to_its_end(opened, width, height):
    opened.set_viewport_size({"width": width, "height": height})
    figures = opened.evaluate(WALK)
    assert len(figures) > 2 * len(FIGURES)
    # Without tall figures nothing would be tested.
    assert sum(figure["height"] > figure["room"] for figure in figures) > 5
    for figure in figures:
        assert figure["width"] > 300, figure
        for side in ("top", "left", "bottom", "right"):
            assert figure[side] >= 0, figure


def test_the_menu_hidden_covers_nothing(opened):
    opened.evaluate(
        """() => { const [path, result] = Object.entries(results).find(
        ([p, r]) => r.mime_type === 'image/svg+xml');
        app.setView({content: 'img', contentPath: result.data_uri, resultPath: path}); }"""
    )
    opened.wait_for_selector("#app img[src^='data:image/svg']")
    opened.get_by_role("link", name="hide").click()
    opened.wait_for_timeout(400)
    image = opened.locator("#app .grow img").bounding_box()
    button = opened.get_by_role("link", name="menu").bounding_box()
    assert button["x"] >= 0
    assert image["y"] >= button["y"] + button["height"] - 1
    opened.get_by_role("link", name="menu").click()
    opened.get_by_role("link", name="hide").wait_for()


def test_the_report_opens_on_what_the_run_found(opened):
    shown = opened.locator("#app > div > .grow")
    assert "no treatment advice" in shown.inner_text()
    assert "first page" not in shown.inner_text()
    assert shown.locator("canvas, .vega-embed").count() == 0
    # The graph of the rules is one click away, and then stands alone.
    opened.get_by_text("Workflow", exact=True).click()
    shown.locator(".vega-embed").first.wait_for()
    assert not opened.get_by_text("no treatment advice").first.is_visible()


def test_categories_stand_in_the_order_of_the_message(opened):
    listed = opened.locator("#app nav li a").all_inner_texts()
    expected = [str(category) for category in Category]
    assert [text.strip() for text in listed if text.strip() in expected] == expected


def test_every_link_says_what_it_does(opened):
    opened.evaluate("app.showCategory('5 Genes')")
    opened.get_by_role("link", name="show").first.wait_for()
    rows = opened.locator("#app nav tbody tr").count()
    assert rows >= 3
    assert opened.get_by_role("link", name="show").count() == rows
    assert opened.get_by_role("link", name="about").count() == rows
    assert opened.get_by_role("link", name="start").count() == 1


def test_nothing_to_draw_is_a_line_with_its_reason(opened):
    told = opened.evaluate(
        "() => Object.entries(categories).map(([name, parts]) => [name, Object.values(parts).flat()"
        ".map(path => results[path].labels.figure)])"
    )
    lines = dict(told)
    for name, figures in lines.items():
        stopped = [figure for figure in figures if "stopped at the stage" in figure]
        assert bool(stopped) == (name == Category.NOT_DRAWN)
    assert all(": " in figure for figure in lines[Category.NOT_DRAWN])
    # Every figure of the cohort that stopped, and none in the places of figures.
    stopped = [figure for figure in lines[Category.NOT_DRAWN] if "series stopped" in figure]
    assert len(stopped) >= len(FIGURES)


def test_a_telephone_has_the_menu_above(opened):
    opened.set_viewport_size({"width": 390, "height": 844})
    menu = opened.locator("#app > div > nav").bounding_box()
    shown = opened.locator("#app > div > .grow").bounding_box()
    assert menu["width"] == shown["width"] == 390
    assert menu["y"] + menu["height"] <= shown["y"] + 1
    assert shown["height"] > 400
    assert opened.evaluate("document.documentElement.scrollWidth") <= 390


def test_darkness_is_kept(report, browser_page):
    browser_page.emulate_media(color_scheme="dark")
    browser_page.goto(report)
    browser_page.wait_for_selector("#app nav")
    colours = "e => [getComputedStyle(e).backgroundColor, getComputedStyle(e).color]"
    behind, text = browser_page.locator("#app > div > .grow").evaluate(colours)
    brightness = [sum(map(int, re.findall(r"\d+", c)[:3])) for c in (behind, text)]
    assert brightness[0] < 120
    assert brightness[1] > 500


def test_tables_work_inside_the_report(opened, tmp_path):
    path = opened.evaluate(
        "() => { const path = Object.keys(results).find(p => /lab.figures.tables.html/.test(p));"
        "app.setView({content: 'html', contentPath: results[path].data_uri, resultPath: path});"
        "return path; }"
    )
    assert path
    page = opened.frame_locator("#app iframe")
    page.locator("tbody tr").first.wait_for()
    with opened.expect_download() as saved:
        page.locator("#save").click()
    assert saved.value.suggested_filename == "lab_index.tsv"


def test_no_table_is_there_to_download_only(opened):
    kinds = opened.evaluate("() => Object.values(results).map(result => result.mime_type)")
    assert set(kinds) == {"image/svg+xml", "text/html"}
    assert json.dumps(kinds).count("html") >= 7


#: Colours of texts of page one and what lies behind them, where the report's own rules may reach.
COLOURS = """() => [...document.querySelectorAll('.adnorm-front :is(a, h1, h2, p, li)')].map(e => {
  let behind = e;
  const seen = () => getComputedStyle(behind).backgroundColor;
  while (behind.parentElement && seen().endsWith(', 0)')) behind = behind.parentElement;
  return [e.textContent.trim().slice(0, 40), getComputedStyle(e).color, seen()];
})"""


def test_page_one_can_be_read_in_the_report(opened):
    opened.locator(".adnorm-front").first.wait_for()

    def rgb(colour):
        return tuple(float(part) / 255 for part in re.findall(r"[\d.]+", colour)[:3])

    told = opened.evaluate(COLOURS)
    assert any(text == "Go on" for text, *_ in told)
    assert [row for row in told if contrast(rgb(row[1]), rgb(row[2])) < 4.5] == []
