"""Nothing that comes from outside runs in a browser: neither in the report nor in what it shows."""

from __future__ import annotations

import json
import re
import shutil
import struct
import subprocess
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
import yaml

from adnorm.figures.theme import DPI, INCH
from builders.hostile import hostile

BROWSERS = ("chromium", "google-chrome", "chromium-browser")
CHROMIUM = next(filter(None, map(shutil.which, BROWSERS)), None)
needs_browser = pytest.mark.skipif(
    CHROMIUM is None, reason=f"no browser on this machine (one of {', '.join(BROWSERS)})"
)

#: Collects what ran, and every error of a script, before anything else of a page does.
WATCH = """<script>
var seen = [];
window.addEventListener('message', m => seen.push(String(m.data)));
window.addEventListener('error', m => { if (m.message) seen.push(m.message); });
</script>"""

#: Opens every entry of a report as a reader would, and then writes down what it has seen.
READ = """<script>
(async () => {
  const pause = () => new Promise(done => setTimeout(done, 30));
  const menu = [];
  // React draws when it finds the time.
  for (let i = 0; i < 300 && !document.querySelector('nav'); i++) await pause();
  for (const category of Object.keys(categories)) {
    app.showCategory(category); await pause();
    menu.push(document.querySelector('#app').innerText);
  }
  for (const [path, result] of Object.entries(results)) {
    app.showResultInfo(path); await pause();
    menu.push(document.querySelector('#app').innerText);
    const kind = {'text/html': 'html', 'image/svg+xml': 'img'}[result.mime_type];
    if (kind) {
      app.setView({content: kind, contentPath: result.data_uri, resultPath: path});
      for (let i = 0; i < 5; i++) await pause();
    }
  }
  for (const rule of Object.keys(rules)) {
    app.setView({navbarMode: 'ruleinfo', ruleinfo: rule}); await pause();
  }
  const told = {seen: seen, results: Object.keys(results).length, menu: menu.join('\\n'),
    ran: document.documentElement.dataset.ran};
  const place = document.createElement('pre');
  place.id = 'told'; place.textContent = encodeURIComponent(JSON.stringify(told));
  document.body.replaceChildren(place);
})();
</script>"""


def browse(page: Path, folder: Path) -> str:
    """Open a page in a browser of its own and return what became of it."""
    finished = subprocess.run(
        [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            f"--user-data-dir={folder / 'profile'}",
            "--virtual-time-budget=60000",
            "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def framing(pages: list[Path], folder: Path) -> Path:
    """Write a page that shows others in frames and then writes down what it has seen."""
    frames = "".join(f'<iframe src="{page.as_uri()}"></iframe>' for page in pages)
    script = """
    window.addEventListener('load', () => setTimeout(() => {
      const place = document.createElement('pre');
      place.id = 'told'; place.textContent = encodeURIComponent(JSON.stringify({seen: seen}));
      document.body.replaceChildren(place);
    }, 3000));"""
    page = folder / "frames.html"
    page.write_text(f"<head>{WATCH}</head><body>{frames}<script>{script}</script></body>")
    return page


def told(document: str) -> dict:
    found = re.search(r'<pre id="told">([^<]*)</pre>', document)
    assert found, f"the scripts of the page did not run to their end: {document[:2000]}"
    return json.loads(unquote(found[1]))


@pytest.fixture(scope="module")
def finished(hostile_run):
    """A run over a hostile cohort and one that stops, with its report."""
    return hostile_run


@needs_browser
def test_no_text_of_the_outside_runs_in_the_report(finished, tmp_path):
    report = (finished / "report.html").read_text()
    head, rest = report.split("<head>", 1)
    body, end = rest.rsplit("</body>", 1)
    page = tmp_path / "watched.html"
    page.write_text(f"{head}<head>{WATCH}{body}{READ}</body>{end}")
    found = told(browse(page, tmp_path))
    assert found["seen"] == []
    assert found.get("ran") is None
    # The report is whole: its menu, its entries and their captions are there.
    assert found["results"] > 35
    for words in (
        "1 Answer",
        "2 Index",
        "9 Tables",
        "Not drawn, and why",
        "series",
        "Itch genes in every sample of lab",
    ):
        assert words in found["menu"]


@needs_browser
def test_no_text_of_the_outside_runs_in_a_page_or_a_picture(finished, tmp_path):
    pages = sorted([*finished.glob("out/**/*.html"), *finished.glob("out/**/*.svg")])
    assert len(pages) > 30
    for picture in (page for page in pages if page.suffix == ".svg"):
        ElementTree.parse(picture)
    texts = [page.read_text() for page in pages]
    assert sum("onerror" in text for text in texts) > 15
    assert told(browse(framing(pages, tmp_path), tmp_path))["seen"] == []
    # What would run is seen to run.
    armed = tmp_path / "armed.html"
    armed.write_text(hostile("armed"))
    assert "ran" in told(browse(framing([armed], tmp_path), tmp_path))["seen"]
    for place in finished.glob("out/**/overview.html"):
        assert "data-ran" not in browse(place, tmp_path).split(">", 2)[1]


def test_parameters_are_harmless_and_change_with_the_text(finished, snakemake, configure):
    kept = "".join(
        path.read_text(errors="replace")
        for path in (finished / ".snakemake").rglob("*")
        if path.is_file()
    )
    assert "title%3C/script%3E" in kept
    assert "title</script>" not in kept

    def planned() -> dict[str, int]:
        plan = snakemake(finished, "--configfile", "run.yaml", "-n", "--until", "expression")
        jobs = re.findall(r"^(\w+) +(\d+)$", plan.stdout + plan.stderr, re.MULTILINE)
        return {"expression": 0, "fetch": 0} | {name: int(count) for name, count in jobs}

    before = planned()
    cohort = yaml.safe_load((finished / "lab.yaml").read_text())
    configure(finished, cohort | {"disease": cohort["disease"] + "<"}, "lab.yaml")
    after = planned()
    assert after["expression"] == before["expression"] + 1
    assert after["fetch"] == before["fetch"]


@pytest.mark.parametrize(
    "config", [{"results": "a</script>"}, {"gene_sets": ["<img src=x>.gmt"]}, {"results": "{x}"}]
)
def test_names_of_files_hold_no_markup(tmp_path, snakemake, configure, config):
    configure(tmp_path, {"cohorts": ["demo_jak1"]} | config)
    run = snakemake(tmp_path, "--configfile", "run.yaml", "-n", check=False)
    assert run.returncode == 1
    assert "not allowed in names of files and folders: rename it" in run.stdout + run.stderr


def test_no_text_of_the_outside_makes_a_figure_wider_than_its_page(finished):
    pictures = sorted(finished.glob("out/lab/figures/*.png"))
    assert len(pictures) > 10
    for picture in pictures:
        wide, _ = struct.unpack(">II", picture.read_bytes()[16:24])
        assert wide / DPI * INCH <= 183.1, picture.name
