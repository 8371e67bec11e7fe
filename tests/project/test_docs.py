"""The documentation without building it: links, figures, functions, words, examples.

`make docs` builds the site, with warnings as errors, in `.ci/run`.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from pathlib import Path

import pytest
import yaml

import adnorm
from adnorm.base.shipped import PACKAGE
from adnorm.figures.names import TITLES
from adnorm.study.config import RunConfig
from adnorm.study.manual import schema_of
from adnorm.study.validation import check
from adnorm.study.vocabulary import (
    Analysis,
    BatchVerdict,
    ClinicStatus,
    Estimator,
    GeneClass,
    Level,
    QualityFlag,
    ReasonCode,
    Route,
    SetStatus,
    Status,
)

ROOT = PACKAGE.parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(
    [
        *(path for path in DOCS.rglob("*.md") if not path.name.startswith(".")),
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "config/README.md")),
        ROOT / "config" / "gene_sets" / "README.md",
        ROOT / "benchmarks" / "README.md",
        ROOT / "benchmarks" / "calibration.md",
        ROOT / "benchmarks" / "corrections.md",
    ]
)
NOTEBOOK = DOCS / "notebook.ipynb"


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def prose(path: Path) -> str:
    """Text of a page without its code."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    text = re.sub(r"^(`{3,}).*?^\1$", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "", text)


def anchors(path: Path) -> set[str]:
    """Names of the headings of a page, as GitHub and the site make them, and its own anchors."""
    text = path.read_text(encoding="utf-8")
    included = re.findall(r"```\{include\} (\S+)", text)
    found = set().union(*(anchors((path.parent / other).resolve()) for other in included))
    found |= set(re.findall(r"^\((\S+)\)=$", text, re.MULTILINE))
    text = re.sub(r"^(`{3,}).*?^\1$", "", text, flags=re.DOTALL | re.MULTILINE)
    for heading in re.findall(r"^#{1,4} (.+)$", text, re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").strip().lower()
        found.add(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return found


def links(path: Path) -> list[str]:
    return re.findall(r"\]\(<?([^)\s>]+)>?\)", prose(path))


@pytest.mark.parametrize("path", [*PAGES, NOTEBOOK], ids=name_of)
def test_links_lead_to_files_and_headings_that_are_there(path):
    wrong = []
    for link in links(path):
        if re.match(r"[a-z]+:", link):
            continue
        place, _, anchor = link.partition("#")
        target = (path.parent / place).resolve() if place else path
        if not target.exists() or (anchor and anchor not in anchors(target)):
            wrong.append(link)
    assert wrong == []


def test_the_check_of_links_sees_what_is_wrong(tmp_path):
    (tmp_path / "b.md").write_text(
        "# A `title`, here\n\n(own)=\n## Two\n\n```\n# no heading\n```\n"
    )
    assert anchors(tmp_path / "b.md") == {"a-title-here", "own", "two"}
    page = tmp_path / "a.md"
    page.write_text("[x](b.md#two) ![y](c.png)\n```\n[code](no.md)\n```\n`[z](no.md)`\n")
    assert links(page) == ["b.md#two", "c.png"]


def test_every_page_of_the_site_is_in_a_list_of_pages():
    listed = {DOCS / "index.md"}
    for path in DOCS.rglob("*.md"):
        for block in re.findall(r"```\{toctree\}\n(.*?)```", path.read_text("utf-8"), re.DOTALL):
            for line in block.splitlines():
                if line and not line.startswith(":"):
                    word = re.sub(r".*<(.*)>", r"\1", line)
                    stem = (path.parent / word).resolve()
                    listed |= {stem.with_name(stem.name + end) for end in (".md", ".ipynb")}
    assert {*DOCS.rglob("*.md"), NOTEBOOK} - listed == set()


def sections(path: Path) -> dict[str, str]:
    """Text below each third heading."""
    parts = re.split(r"^### (.+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_figure_has_an_entry_in_the_gallery():
    found = sections(DOCS / "reading" / "gallery.md")
    assert set(found) == set(TITLES)
    for name, text in found.items():
        assert f":::{{picture}} {name}\n" in text
        for word in ("**Shows**", "**Read**", "**It cannot say**"):
            assert word in text, (name, word)


def test_every_public_name_is_on_the_page_of_functions():
    text = (DOCS / "reference" / "api.md").read_text(encoding="utf-8")
    documented = re.findall(r"\.\. auto(?:function|class):: (\w+)", text)
    assert sorted(documented) == sorted(adnorm.__all__)
    (block,) = re.findall(r"autosummary::\n\n(.*?)\n\n", text, re.DOTALL)
    assert sorted(block.split()) == sorted(adnorm.__all__)


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("faq", ReasonCode),
        ("faq", QualityFlag),
        ("glossary", Status),
        ("glossary", SetStatus),
        ("glossary", ClinicStatus),
        ("glossary", GeneClass),
        ("glossary", BatchVerdict),
        ("glossary", Level),
        ("glossary", Route),
        ("glossary", Estimator),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_every_word_that_a_reader_meets_is_explained(page, words):
    text = (DOCS / "reading" / f"{page}.md").read_text(encoding="utf-8").lower()
    missing = [
        str(word) for word in words if not re.search(rf"\b{re.escape(word.lower())}\b", text)
    ]
    assert missing == []


def test_every_analysis_is_explained():
    text = (DOCS / "reading" / "results.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"`(\w+)`", text.partition("## Analyses in sensitivities.tsv")[2]))
    assert set(map(str, Analysis)) - {str(Analysis.PRIMARY)} <= rows


def test_configurations_that_the_pages_show_are_configurations():
    shown = []
    for path in PAGES:
        for block in re.findall(r"```yaml\n(.*?)```", path.read_text("utf-8"), re.DOTALL):
            value = yaml.safe_load(block)
            if "cohorts" in value:
                shown.append(check(RunConfig, value, name_of(path)))
    # README, config/README.md, your own cohort, a run.
    assert len(shown) == 4


def test_keys_that_the_pages_name_are_keys():
    schemas = [schema_of(name)["properties"] for name in ("config", "cohort")]
    sections: dict[str, set[str]] = {}
    for properties in schemas:
        for key, part in properties.items():
            sections.setdefault(key, set()).update(part.get("properties", {}))
    named = {
        (path.name, match[1], match[2])
        for path in PAGES
        for match in re.finditer(r"`(\w+): (\w+)(?![…\w])", path.read_text(encoding="utf-8"))
        if sections.get(match[1])
    }
    assert len(named) > 20
    assert {n for n in named if n[2] not in sections[n[1]]} == set()


def run(cells: list[str], monkeypatch, folder: Path) -> dict:
    """Run code cells as a notebook would, in a folder without results of the demo."""
    import matplotlib

    monkeypatch.chdir(folder)
    matplotlib.use("Agg")
    space: dict = {"__name__": "__main__"}
    for cell in cells:
        exec(compile(cell, "<cell>", "exec"), space)
    return space


def test_the_number_computed_by_hand_is_that_of_adnorm(monkeypatch, tmp_path):
    page = (DOCS / "reading" / "how-to-read.md").read_text(encoding="utf-8")
    cells = re.findall(r"```\{code-cell\} python\n((?::tags:[^\n]*\n)?)(.*?)```", page, re.DOTALL)
    # The last cell compares every number that stands in the text.
    assert "remove-cell" in cells[-1][0] and cells[-1][1].count("assert ") >= 8
    space = run([code for _, code in cells], monkeypatch, tmp_path)
    dni = space["drug"]["dni"]
    assert f"= **{dni:.2f}**" in page and f"{round(100 * dni)} percentage points" in page


def test_the_notebook_runs_where_the_demo_has_not_run(monkeypatch, tmp_path, capsys):
    (tmp_path / "docs").mkdir()
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    space = run(code, monkeypatch, tmp_path / "docs")
    assert "example trial" in capsys.readouterr().out
    assert space["own"]["status"].tolist() == ["ok"]
    assert set(space["wide"].index) == {"change:drug@12", "lesional-nonlesional@0"}


def test_the_notebook_is_committed_without_results():
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert len(code) > 5
    assert [c["id"] for c in code if c["outputs"] or c["execution_count"] is not None] == []
    used = {
        node.attr
        for cell in code
        for node in ast.walk(ast.parse("".join(cell["source"])))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "adnorm"
    }
    # What the page promises: results, a set, an own list – with public names alone.
    assert {"read_cohort", "read_gene_sets", "score_sets", "normalization_index"} <= used
    assert used <= set(adnorm.__all__)


def test_the_repository_stays_small():
    """Pictures of figures are made by the build; what is kept is one picture of page one."""
    kept = [path for path in DOCS.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert [path.name for path in kept if path.suffix in (".png", ".svg")] == ["page_one.png"]
    assert {path.name for path in kept if path.stat().st_size > 150_000} == set()


@pytest.fixture
def offline(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    import offline

    yield offline
    sys.modules.pop("offline")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('<script src="https://cdn.example/x.js"></script>', ["https://cdn.example/x.js"]),
        ('<img src="//cdn.example/x.png">', ["//cdn.example/x.png"]),
        ('<link rel="stylesheet" href="http://f.example/c.css">', ["http://f.example/c.css"]),
        ("<style>@import 'https://f.example/a';</style>", ["https://f.example/a"]),
        ('<p style="background: url(https://f.example/b)">', ["https://f.example/b"]),
        ('<a href="https://doi.org/1">read</a><link rel="canonical" href="https://x/">', []),
        ('<script src="_static/x.js"></script><img src="data:image/png;base64,AA//">', []),
    ],
)
def test_what_a_page_fetches_from_outside_is_found(offline, text, found):
    assert offline.fetched_from_outside(text) == found


def test_what_a_style_fetches_from_outside_is_found(offline, tmp_path):
    (tmp_path / "a.css").write_text("@font-face{src:url('https://fonts.example/f.woff2')}")
    (tmp_path / "b.css").write_text("@font-face{src:url(../fonts/f.woff2)} /* https://x.example */")
    assert [(str(p), a) for p, a in offline.outside_of(tmp_path)] == [
        ("a.css", "https://fonts.example/f.woff2")
    ]
