"""Page one in a browser: no request, no error, no sideways scrolling, words that can be read."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from adnorm.figures.answer import Told
from adnorm.figures.answer_figure import draw_answer
from adnorm.figures.page import cohorts, fill
from adnorm.figures.page.front import fronts, whole_page
from adnorm.figures.theme import RC, savefig
from builders.answers import HOSTILE, REFERENCE, TRIAL
from builders.figure_index import index_of

#: The contrast of every text with what it stands on, by the formula of WCAG 2.
CONTRASTS = """
() => {
  const parse = c => c.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  const found = {};
  for (const e of document.querySelectorAll('body *')) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) continue;
    if (['STYLE', 'SCRIPT'].includes(e.tagName)) continue;
    const [a, b] = [light(parse(getComputedStyle(e).color)), light(behind(e))];
    found[e.tagName + '.' + e.className] = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  }
  return found;
}
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory, repository):
    """Page one of a trial with its picture, a hostile one and a reference, as a file."""
    import matplotlib as mpl

    folder = tmp_path_factory.mktemp("front")
    with mpl.rc_context(RC):
        figure, table = draw_answer(index_of(folder, repository, clinic=False)[1])
        savefig(figure, folder, "answer", table)
    told = [Told("x", HOSTILE * 3, HOSTILE)]
    bad = replace(TRIAL, cohort="bad", title=HOSTILE + "x" * 200, told=told, banners=[HOSTILE])
    answers = [TRIAL, bad, replace(REFERENCE, simulated=True)]
    stopped = [{"cohort": "broken", "outcome": "stopped", "reason": HOSTILE}]
    pictures = {answer.cohort: folder / "answer.svg" for answer in answers}
    front, _ = fronts(answers, stopped, pictures, {})
    (folder / "index.html").write_text(whole_page(front), encoding="utf-8")
    return (folder / "index.html").as_uri()


@pytest.mark.parametrize("width", [390, 768, 1366, 1920])
def test_nothing_scrolls_sideways(browser_page, page, width):
    browser_page.set_viewport_size({"width": width, "height": 800})
    browser_page.goto(page)
    assert browser_page.evaluate("document.documentElement.scrollWidth") <= width
    sizes = browser_page.evaluate(
        "[...document.images].map(i => [i.complete, i.naturalWidth, i.clientWidth])"
    )
    assert len(sizes) == 2
    assert all(done and natural > 100 and shown > 250 for done, natural, shown in sizes)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_can_be_read(browser_page, page, scheme):
    browser_page.emulate_media(color_scheme=scheme)
    browser_page.goto(page)
    contrasts = browser_page.evaluate(CONTRASTS)
    assert len(contrasts) > 10
    assert not {name: value for name, value in contrasts.items() if value < 4.5}
    shade = browser_page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (shade == "rgb(255, 255, 255)") == (scheme == "light")


def test_the_answer_stands_on_the_first_screen(browser_page, page):
    browser_page.goto(page)
    (place,) = browser_page.evaluate(
        "[...document.querySelectorAll('.said')].slice(0, 1)"
        ".map(e => e.getBoundingClientRect().bottom)"
    )
    assert place < 768


def test_keys_open_what_is_folded(browser_page, page):
    browser_page.goto(page)
    folded = browser_page.locator("details", has_text="One number, worked")
    assert folded.get_attribute("open") is None
    folded.locator("summary").focus()
    browser_page.keyboard.press("Enter")
    assert folded.get_attribute("open") is not None
    assert folded.get_by_text("is exploratory").is_visible()


def test_paper_is_white_and_has_no_links_to_go_on(browser_page, page):
    browser_page.emulate_media(media="print")
    browser_page.goto(page)
    assert not browser_page.locator("nav").is_visible()


def test_numbers_beside_the_picture_are_reached_on_a_telephone(browser_page, page):
    browser_page.set_viewport_size({"width": 390, "height": 800})
    browser_page.goto(page)
    folded = browser_page.locator("details.numbers").first
    folded.locator("summary").click()
    cells = folded.locator("td")
    assert cells.first.inner_text() == "56 (35\u00a0to\u00a076)"
    boxes = cells.evaluate_all("all => all.map(cell => cell.getBoundingClientRect().right)")
    assert boxes and max(boxes) <= 390


@pytest.mark.parametrize("width", [560, 960])
def test_the_list_of_cohorts_inside_the_report_is_whole_and_leads_nowhere(
    browser_page, tmp_path, width
):
    columns = {name: title for name, title in cohorts.COLUMNS.items() if name != "reason"}
    row = dict.fromkeys(columns, "finished") | {"reason": ""} | {
        "cohort": "trial", "title": "A trial of a drug, 100 mg and 200 mg, against placebo",
        "arms": "JAK1 inhibitor 100 mg, JAK1 inhibitor 200 mg, placebo", "weeks": "0, 2, 4, 12",
    }  # fmt: skip
    listed = fill(
        "cohorts.html", title="Cohorts", banners=[], columns=columns, rows=[row],
        pages=cohorts.PAGES, finished=1, menu="1 Answer",
    )  # fmt: skip
    (tmp_path / "cohorts.html").write_text(listed, encoding="utf-8")
    data = base64.b64encode(listed.encode()).decode()
    address = f"data:text/html;charset=utf-8;base64,{data}"
    framed = f'<iframe width="{width}" height="500" src="{address}">'
    (tmp_path / "report.html").write_text(f"{framed}</iframe>", encoding="utf-8")
    browser_page.goto((tmp_path / "cohorts.html").as_uri())
    assert browser_page.locator("a").count() == 3
    browser_page.goto((tmp_path / "report.html").as_uri())
    inside = browser_page.frame_locator("iframe")
    inside.get_by_text("does it hold?").wait_for()
    assert inside.locator("a").count() == 0
    assert inside.get_by_text("entry of the menu, below 1 Answer").is_visible()
    box = inside.locator(".scroll")
    if width == 960:
        assert box.evaluate("box => box.scrollWidth - box.clientWidth") == 0
    # What does not fit is reached in its own box, not cut.
    right = "e => e.getBoundingClientRect().right"
    assert box.evaluate(right) <= width
    box.evaluate("box => box.scrollTo(box.scrollWidth, 0)")
    assert inside.locator("tbody td").last.evaluate(right) <= width
