"""Nothing that comes from outside runs in a browser: neither in the report nor in what it shows."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml

from adnorm.base.tables import read_table

BROWSERS = ("chromium", "google-chrome", "chromium-browser")
CHROMIUM = next(filter(None, map(shutil.which, BROWSERS)), None)
needs_browser = pytest.mark.skipif(
    CHROMIUM is None, reason=f"no browser on this machine (one of {', '.join(BROWSERS)})"
)

#: Tells the page and what is around it that it ran; without a mark that anything escapes.
RAN = "document.documentElement.dataset.ran=1;parent.postMessage(/ran/.source,/[*]/.source[1])"


def hostile(name: str) -> str:
    """Make a name that ends a script, an attribute, a comment or a text, and then runs."""
    return (
        f"{name}</script><img src=x onerror={RAN}><script>{RAN}</script>--><!-- '\"><svg "
        f"onload={RAN}> {{x}} \x1b[31m $a$ `<javascript:{RAN}>`_"
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


def symbols(repository: Path) -> list[str]:
    table = read_table(repository / "config/gene_sets/adnorm.tsv")
    return sorted(table["symbol"].unique())


def write_csv(path: Path, rows: list[list[object]]) -> None:
    quoted = [",".join('"' + str(c).replace('"', '""') + '"' for c in row) for row in rows]
    path.write_text("\n".join(quoted) + "\n")


def lab(folder: Path, genes: list[str]) -> dict:
    """Write a lab's own trial: two arms, ten patients, every name hostile."""
    random = np.random.default_rng(1)
    rows = [["sample", hostile("key"), "tissue", "week", "arm", "easi", hostile("note")]]
    means, columns = random.lognormal(5, 1, len(genes) + 1), []
    for patient in range(10):
        for tissue, week in (("LS", 0), ("NL", 0), ("LS", 12)):
            name = hostile(f"sample{len(columns)}")
            arm = hostile("DRUG" if patient < 5 else "PLACEBO")
            rows.append([name, hostile(f"p{patient}"), tissue, week, arm, 20 - week, hostile("n")])
            raised = np.where(np.arange(len(means)) % 3 == 0, 4.0 if tissue == "LS" else 1.0, 1.0)
            columns.append(random.poisson(means * raised * random.lognormal(0, 0.2, len(means))))
    write_csv(folder / "sheet.csv", rows)
    names = [*genes, hostile("GENE")]
    header = ["gene", *(row[0] for row in rows[1:])]
    body = [[name, *counts] for name, counts in zip(names, np.array(columns).T, strict=True)]
    write_csv(folder / "counts.csv", [header, *body])
    drug, placebo = hostile("drug"), hostile("placebo")
    return {
        "id": "lab",
        "title": hostile("title"),
        "citation": hostile("citation"),
        "disease": hostile("disease"),
        "tissue": hostile("tissue"),
        "platform": hostile("platform"),
        "note": hostile("note"),
        "assay": "rna-seq",
        "route": "local",
        "scale": "counts",
        "reference": "nonlesional",
        "placebo_arm": placebo,
        "source": {"table": "counts.csv", "sheet": "sheet.csv"},
        "treatments": {
            drug: {"drug_class": hostile("class")},
            placebo: {"drug_class": "placebo"},
        },
        "samples": {
            "patient": {"from": hostile("key")},
            "state": {"from": "tissue", "values": {"LS": "lesional", "NL": "nonlesional"}},
            "treatment": {
                "from": "arm",
                "values": {hostile("DRUG"): drug, hostile("PLACEBO"): placebo},
            },
            "week": {"from": "week", "values": {"0": 0, "12": 12}},
            "easi": {"from": "easi"},
        },
        "exclude": [{"samples": [hostile("sample29")], "reason": hostile("reason")}],
    }


def series(folder: Path, genes: list[str]) -> dict:
    """Write a series as GEO would serve it, with hostile texts; a value that none maps stops it."""
    names = [f"GSM{i}" for i in range(12)]
    fields = {
        "!Sample_title": [hostile(f"title{i}") for i in range(12)],
        "!Sample_geo_accession": names,
        "!Sample_characteristics_ch1": [f"subject: p{i // 2}" for i in range(12)],
        "!Sample_characteristics_ch1 ": [
            f"tissue: {('LS', hostile('NL'))[i % 2]}" for i in range(12)
        ],
        "!Sample_description": [hostile("description")] * 12,
    }
    lines = [f'!Series_title\t"{hostile("series")}"']
    lines += ["\t".join([key, *(f'"{v}"' for v in values)]) for key, values in fields.items()]
    values = np.random.default_rng(2).normal(8, 1, (len(genes), 12))
    values[::3, ::2] += 2
    lines += ["!series_matrix_table_begin", "\t".join(["ID_REF", *names])]
    for i, row in enumerate(values):
        lines.append("\t".join([f"probe{i}", *(f"{v:.3f}" for v in row)]))
    (folder / "series_matrix.txt").write_text("\n".join([*lines, "!series_matrix_table_end"]))
    probes = [f"probe{i}\t{gene}\t{hostile('gene')}" for i, gene in enumerate(genes)]
    annotation = "\n".join(["ID\tGene symbol\tGene title", *probes])
    (folder / "annotation.tsv").write_text(annotation + "\n")
    return {
        "id": "series",
        "title": hostile("title"),
        "disease": "atopic dermatitis",
        "tissue": "skin biopsy",
        "assay": "microarray",
        "route": "geo_series_matrix",
        "accession": "GSE1",
        "scale": "log2",
        "reference": "nonlesional",
        "source": {"matrix": "./series_matrix.txt", "annotation": "./annotation.tsv"},
        "samples": {
            "patient": {"from": "subject"},
            "state": {"from": "tissue", "values": {"LS": "lesional", "NL": "nonlesional"}},
            "treatment": {"constant": "none"},
            "week": {"constant": 0},
            "site": {"from": "title"},
        },
    }


@pytest.fixture(scope="module")
def finished(repository, tmp_path_factory, snakemake, configure):
    """A run over a hostile cohort and one that stops, with its report."""
    folder = tmp_path_factory.mktemp("hostile")
    genes = symbols(repository)
    cohorts = {"lab": lab(folder, genes), "series": series(folder, genes)}
    for name, cohort in cohorts.items():
        configure(folder, cohort, f"{name}.yaml")
    sets = [f"{hostile(f'set{i}')}\t{hostile('text')}\t" + "\t".join(genes[i::4]) for i in range(4)]
    (folder / "sets.gmt").write_text("\n".join(sets) + "\n")
    config = {
        "cohorts": ["lab.yaml", "series.yaml"],
        "results": "out",
        "gene_sets": [str(repository / "config/gene_sets/adnorm.tsv"), "sets.gmt"],
        "index": {"primary": ["global", hostile("set1")]},
        "figures": {"heatmap_sets": {"itch": [hostile("set0")], "barrier": [hostile("set2")]}},
        "scores": {"methods": ["zscore"]},
    }
    configure(folder, config)
    run = snakemake(folder, "--configfile", "run.yaml", check=False)
    words = run.stdout + run.stderr
    assert "series stopped at the stage expression: " in words, words
    assert (folder / "out/lab/figures/overview.html").is_file()
    snakemake(folder, "--configfile", "run.yaml", "--report", "report.html")
    return folder


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
    assert found["results"] > 50
    for words in (
        "Overview",
        "Normalization",
        "Atlas",
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
