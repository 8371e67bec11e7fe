"""Page one: what stands where, links that lead somewhere, hostile words, many cohorts."""

from __future__ import annotations

import html
import re
import time
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from adnorm.base.files import read_json
from adnorm.base.stops import Stop, write_stop
from adnorm.figures.answer import SIMULATED, Told, write_answer
from adnorm.figures.page import cohorts
from adnorm.figures.page.front import MOST_PICTURES, fronts, whole_page
from builders.answers import ESTIMATE, HOSTILE, REFERENCE, TRIAL


class _Checker(HTMLParser):
    """Tags that are opened and closed in turn; links and headings."""

    EMPTY = ("meta", "img", "br", "link")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.levels: list[int] = []
        self.images: list[dict] = []

    def handle_starttag(self, tag, attrs):
        if tag not in self.EMPTY:
            self.open.append(tag)
        found = dict(attrs)
        if tag == "a":
            self.links.append(found["href"])
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))
        if tag == "img":
            self.images.append(found)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def checked(page):
    checker = _Checker()
    checker.feed(page)
    assert checker.open == []
    return checker


def text_of(page):
    page = re.sub(r"<(style|title)>.*?</\1>", "", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


@pytest.fixture
def picture(tmp_path):
    """Any picture."""
    path = tmp_path / "answer.svg"
    path.write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    return path


def written(answers, picture, stopped=(), doses=None):
    pictures = {answer.cohort: picture for answer in answers}
    front, fragment = fronts(answers, stopped, pictures, doses or {})
    return whole_page(front), fragment


def test_what_a_reader_needs_stands_in_its_order(picture):
    doubtful = replace(TRIAL, banners=["No placebo arm: odd."], simulated=False)
    stopped = [{"cohort": "broken", "outcome": "stopped at the stage fetch", "reason": "gone"}]
    page, _ = written([REFERENCE, doubtful], picture, stopped)
    text = text_of(page)
    parts = [
        *("Not finished: broken", "trial: No placebo arm: odd."),
        *("How far is the skin back to normal?", "At week 12, drug 20 mg had removed 56° more."),
        *("This is gene expression, not itch.", "In one picture", "Read with care"),
        *("On placebo alone", "Cohorts without a drug", "Nobody got a drug here."),
        *("broken stopped at the stage fetch: gone", "How to read these numbers", "Go on"),
        "not treatment advice",
    ]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    assert "77 of the 100 percentage points between lesional and nonlesional" in text
    assert "given the score at baseline, it was 56 percentage points (dNI = 0.56)" in text
    assert "0 is as on placebo, 100 the whole disease effect more than on placebo" in text
    assert "0 is as before treatment, 100 the level of nonlesional skin" in text
    assert "normal skin" not in text


def test_doses_and_the_numbers_of_the_picture_are_told(picture):
    few = replace(ESTIMATE, name="global", label="Axis", week=2.0, exploratory="few", lower=-0.1)
    gone = replace(few, value=None, lower=None, upper=None, short="too few patients")
    trial = replace(TRIAL, estimates=[ESTIMATE, few, gone])
    page, _ = written([trial], picture, doses={"trial": [f"Doses {HOSTILE}"]})
    checked(page)
    text = text_of(page).replace("\xa0", " ")
    assert text.index("had removed") < text.index("Doses </script>") < text.index("In one picture")
    assert "Itch: core (skin) drug 20 mg, week 12 56 (35 to 76) n = 13 and 11" in text
    assert "<i>56°</i> (−10" in page and "not known: too few patients" in text
    assert "minus placebo, percentage points (95 % CI)" in text
    assert "Doses </script>" not in text_of(written([trial], picture)[0])


def test_exploratory_numbers_are_in_italics(picture):
    assert "had removed <i>56°</i> more" in written([TRIAL], picture)[0]


def test_the_page_is_whole_and_asks_for_nothing(picture):
    for page in written([TRIAL, REFERENCE], picture):
        found = checked(page)
        assert found.levels[0] == 1 and 1 not in found.levels[1:]
        assert all(after - before <= 1 for before, after in pairwise(found.levels))
        assert all(image["src"].startswith("data:image/svg+xml") for image in found.images)
        assert all(len(image["alt"]) > 20 for image in found.images)
        assert not re.search(r"<(script|link|iframe)|https?:", page)


def test_alone_it_links_to_files_and_in_the_report_to_results(picture):
    page, fragment = written([TRIAL, REFERENCE], picture)
    files = {
        "trial/figures/overview.html", "trial/figures/answers.html",
        "trial/figures/normalization.svg", "trial/figures/time_courses.svg",
        "trial/figures/trajectories.svg", "trial/figures/concordance.svg",
        "trial/figures/tables.html", "reference/figures/overview.html", "explorer.html",
        "atlas/cohorts.html", "atlas/figures/forest.svg", "atlas/figures/dose_response.svg",
        "atlas/figures/normalization_atlas.svg", "report.html", "provenance/README.md",
    }  # fmt: skip
    assert set(checked(page).links) == files
    inside = checked(fragment).links
    # A report has no link to itself, nor to what lies beside it and is no page.
    assert len(inside) == len(checked(page).links) - 2
    assert "explorer.html" in inside and "beside this report" in fragment
    for link in inside:
        if link == "explorer.html":
            continue
        named = re.search(r"endsWith\('/([\w./-]+)'\)", link)
        assert link.startswith("javascript:void(") and named[1] in files
        assert ("content:'img'" in link) == named[1].endswith(".svg")
        assert "scrollTo(0,0)" in link


def test_simulated_is_said_once_for_all_and_of_each_among_others(picture):
    simulated = replace(TRIAL, simulated=True, banners=[SIMULATED.format("")])
    page, _ = written([simulated, replace(REFERENCE, simulated=True)], picture)
    assert page.count("SIMULATED") == 1
    page, _ = written([simulated, REFERENCE], picture)
    assert "SIMULATED DATA (trial): these numbers" in page
    assert '<span class="tag">SIMULATED</span>' in page


def test_another_disease_stands_beside_its_cohort(picture):
    page, _ = written([replace(TRIAL, disease="alopecia areata", placebo="")], picture)
    assert '<span class="tag">alopecia areata</span>' in page
    assert '<span class="tag">no placebo</span>' in page


def test_a_run_without_an_answer_says_so(picture):
    page, _ = written([REFERENCE], picture)
    assert "There is no answer: no cohort of this run that finished has an arm with a drug." in page
    page, _ = written([], picture, [{"cohort": "a", "outcome": "stopped", "reason": "x"}])
    assert "There is no answer" in page and "Not finished: a." in page


def test_a_cohort_without_a_number_has_no_empty_picture(picture):
    unknown = replace(ESTIMATE, value=None, lower=None, upper=None, ni=None)
    page, _ = written([replace(TRIAL, estimates=[unknown])], picture)
    assert "<img" not in page and "There is no number to draw" in page


def test_hostile_words_stay_words(picture):
    told = [Told(HOSTILE, f"At week 12, {HOSTILE}.", HOSTILE)]
    bad = replace(
        TRIAL, title=HOSTILE, disease=HOSTILE, banners=[HOSTILE], told=told, care=[HOSTILE],
        classes={HOSTILE: HOSTILE}, placebo=HOSTILE,
        estimates=[replace(ESTIMATE, label=HOSTILE, arm=HOSTILE)],
    )  # fmt: skip
    stopped = [{"cohort": "broken", "outcome": "stopped", "reason": HOSTILE}]
    reference = replace(REFERENCE, title=HOSTILE, sentence=HOSTILE)
    for page in written([bad, reference], picture, stopped):
        checked(page)
        assert "<img src=x" not in page and "</script" not in page
        assert "7*7" in page and "49" not in text_of(page)
        assert text_of(page).count("alert(1)") >= 8


def test_two_hundred_cohorts_are_quick_and_small(picture):
    answers = [
        replace(TRIAL, cohort=f"trial{n:03d}", banners=[f"{n} of 300 samples flagged."])
        for n in range(200)
    ]
    picture.write_text("<svg>" + "x" * 30_000 + "</svg>")
    start = time.perf_counter()
    page, _ = written(answers, picture)
    assert time.perf_counter() - start < 5
    assert len(page) < 2_500_000
    found = checked(page)
    assert len(found.images) == MOST_PICTURES
    assert page.count("<details open>") == 3
    assert all(f"(trial{n:03d})" in page for n in range(200))
    assert "194 more warnings" in page


def test_the_job_writes_page_one_with_the_cohorts_that_stopped(tmp_path, picture):
    sheet = {"patient": ["1", "2"], "arm": ["healthy", "drug"], "week": [0, 0]}
    pd.DataFrame(sheet).to_csv(tmp_path / "sheet.tsv", sep="\t", index=False)
    write_answer(TRIAL, tmp_path / "answer.json")
    stop = Stop("broken", "index", "no <b>axis</b>")
    write_stop(tmp_path / "stop.json", stop)
    inputs = {
        "samples": [tmp_path / "sheet.tsv", tmp_path / "sheet.tsv"],
        "drawn": [picture, picture],
        "answers": [tmp_path / "stop.json", tmp_path / "answer.json"],
        "pictures": [picture, picture],
        "dose": tmp_path / "dose.tsv",
    }
    pair = {
        "cohort": ["trial"], "drug": "drug", "week": 12, "reference": "nonlesional",
        "name": "itch_core_skin_up", "question": "adjacent", "low": "10 mg", "high": "20 mg",
        "estimate": 0.19, "lower": -0.02, "upper": 0.4, "holm_p_value": 0.07, "status": "ok",
    }  # fmt: skip
    pd.DataFrame(pair).to_csv(inputs["dose"], sep="\t", index=False)
    outputs = {
        name: tmp_path / "out" / file
        for name, file in {
            "front": "index.html", "fragment": "page_one.html", "answers": "answers.json",
            "table": "cohorts.tsv", "page": "cohorts.html",
        }.items()
    }  # fmt: skip
    about = {"title": "A trial", "accession": None, "status": "verified"}
    settings = {"trial": about | {"route": "local"}, "broken": about | {"route": "simulated"}}
    cohorts.build(inputs, outputs, settings)
    page = outputs["front"].read_text()
    assert "Not finished: broken." in page and "no &lt;b&gt;axis&lt;/b&gt;" in page
    assert "had removed" in page and "had removed" in outputs["fragment"].read_text()
    joined = read_json(outputs["answers"])
    assert joined["care"] == [] and list(joined["doses"]) == ["trial"]
    (sentence,) = joined["doses"]["trial"]
    assert sentence.startswith("Whether 20 mg of drug removed more") and sentence in page
    table = outputs["table"].read_text().splitlines()
    assert table[0].split("\t")[5:8] == ["patients", "healthy", "samples"]
    # What is simulated was compared with no series, and healthy people are no patients.
    broken = table[1].split("\t")
    assert broken[3:8] == ["simulated", "stopped at the stage index", "1", "1", "2"]
    assert table[2].split("\t")[3] == "verified"
    listed = outputs["page"].read_text()
    assert "SIMULATED DATA (broken)" in listed
    assert 'href="../trial/figures/overview.html"' in listed
    again = {name: path.read_bytes() for name, path in outputs.items()}
    cohorts.build(inputs, outputs, settings)
    assert again == {name: path.read_bytes() for name, path in outputs.items()}
    # Where no dose could be compared, there is nothing to say.
    write_stop(inputs["dose"], stop)
    cohorts.build(inputs, outputs, settings)
    assert read_json(outputs["answers"])["doses"] == {}


@pytest.mark.parametrize("where", ["results/demo", "sub/results with space", None])
def test_the_report_opens_with_page_one_wherever_results_are(
    where, picture, tmp_path, monkeypatch, repository
):
    """As Snakemake does it: jinja2 with the files of the report, then docutils."""
    from docutils.core import publish_parts
    from jinja2 import Environment, StrictUndefined

    monkeypatch.chdir(tmp_path)
    folder = Path(where or tmp_path / "absolute") / "atlas"
    folder.mkdir(parents=True)
    _, fragment = written([TRIAL], picture)
    (folder / "page_one.html").write_text(fragment, encoding="utf-8")
    text = (repository / "workflow" / "report" / "workflow.rst").read_text(encoding="utf-8")
    files = [SimpleNamespace(path=folder.parent / "trial" / "figures" / "overview.html")]
    files.append(SimpleNamespace(path=folder / "cohorts.html"))
    page = Environment(undefined=StrictUndefined).from_string(text)
    body = publish_parts(page.render(files=files), writer="html")["html_body"]
    assert "system-message" not in body
    assert body.index("How far is the skin back to normal?") < body.index("About this report")
    assert "At week 12, drug 20 mg had removed" in body
    # A report of some results alone has no page one, and says the rest.
    rest = publish_parts(page.render(files=[]), writer="html")["html_body"]
    assert "About this report" in rest and "system-message" not in rest
