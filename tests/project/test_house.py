"""The house holds together: imports point down the river in no circle, twins agree."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
import yaml

from adnorm.base.digest import imports_of
from adnorm.base.shipped import PACKAGE

ROOT = PACKAGE.parent.parent
#: What each folder may import of ours, besides itself.
RIVER = {
    "base": set(),
    "study": {"base"},
    "simulation": {"base", "study"},
    "fetch": {"base", "study", "simulation"},
    # Formats, and nothing else.
    "readers": {"base", "study"},
    "expression": {"base", "study", "readers"},
    "scores": {"base", "study"},
    "effects": {"base", "study"},
    # The index uses the model of the effects, scores the sets that it makes itself, and asks what
    # other sizes of libraries would make of it.
    "index": {"base", "study", "expression", "scores", "effects"},
    "atlas": {"base", "study", "effects", "index"},
    "figures": {"base", "study"},
    # A first cohort file is proposed from what the readers of the stages find.
    "onboarding": {"base", "study", "fetch", "readers", "expression"},
    # The words of the methods are those of the pages.
    "provenance": {"base", "study", "expression", "index", "figures"},
    "cli": {
        *("base", "study", "fetch", "readers", "expression", "scores", "effects", "onboarding"),
        "provenance",
    },
}
MODULES = sorted(PACKAGE.rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Names of our folders that a module imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        found |= {n.split(".")[1] for n in names if n.startswith("adnorm.") and n.count(".")}
    return found


@pytest.mark.parametrize(
    "path", [p for p in MODULES if p.parent != PACKAGE], ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_imports_point_down_the_river(path):
    folder = path.relative_to(PACKAGE).parts[0]
    assert imported(path) <= RIVER[folder] | {folder}


def test_no_module_imports_itself_through_others():
    """A circle would mean that two modules are one, or that a part is in the wrong one."""
    graph = {
        path: {p for p in imports_of(path) if p.name != "__init__.py"} - {path} for path in MODULES
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(str(path.relative_to(PACKAGE)) for path in error.args[1]))


def test_a_constant_of_a_module_is_set_once():
    """The second value would hold for all functions, silently, also for those above it."""
    twice = []
    for path in MODULES:
        body = ast.parse(path.read_text(encoding="utf-8")).body
        assigned = [node for node in body if isinstance(node, ast.Assign | ast.AnnAssign)]
        targets = [getattr(node, "targets", None) or [node.target] for node in assigned]
        names = Counter(t.id for several in targets for t in several if isinstance(t, ast.Name))
        twice += [f"{path.name}: {name}" for name, count in names.items() if count > 1]
    assert twice == []


def test_nothing_imports_the_command_line():
    assert not [p for p in MODULES if p.parent.name != "cli" and "cli" in imported(p)]


@pytest.mark.parametrize(
    ("pattern", "limit"),
    [
        ("Snakefile", 60),
        ("workflow/rules/*.smk", 150),
        ("scripts/*.py", 40),
    ],
)
def test_rules_and_entry_scripts_are_small(pattern, limit):
    lengths = {p: len(p.read_text().splitlines()) for p in ROOT.glob(pattern)}
    assert lengths
    assert not {str(p): n for p, n in lengths.items() if n > limit}


def loaded_by(code: str) -> set[str]:
    """Top names of the modules that a new Python has loaded after some code."""
    code += "\nprint('loaded:', *{name.split('.')[0] for name in sys.modules})"
    run = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}"],
        capture_output=True,
        text=True,
        cwd=PACKAGE.parent,
        check=True,
    )
    return set(run.stdout.partition("loaded:")[2].split())


def test_importing_the_package_is_light():
    heavy = {"scanpy", "anndata", "gseapy", "seaborn", "matplotlib", "polars", "pylimma"}
    assert not heavy & loaded_by("import adnorm, adnorm.cli")


def test_planning_loads_no_library_of_a_stage():
    """What the workflow imports, and all that it reads of the shipped configurations."""
    files = [ROOT / "Snakefile", *sorted((ROOT / "workflow" / "rules").glob("*.smk"))]
    lines = [
        found[0]
        for file in files
        for found in re.finditer(
            r"^from adnorm[\w.]* import (?:\([^)]*\)|.*)", file.read_text(), re.M
        )
    ]
    assert len(lines) > 8
    shipped = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "config").glob("*.yaml"))
    read = f"""
from pathlib import Path
from adnorm.base.yaml_text import read_yaml
for name in {shipped}:
    read_study(read_yaml(Path({str(ROOT)!r}, name)), Path({str(ROOT)!r}))
code_digest("index")
"""
    heavy = {"pandas", "numpy", "scipy", "matplotlib", "h5py", "requests"}
    assert not heavy & loaded_by("\n".join([*lines, read]))


# ---------------------------------------------------------------- twins


def load_conda_writer():
    spec = importlib.util.spec_from_file_location("conda", ROOT / "envs" / "conda_from_lock.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_conda_environment_agrees_with_the_lock():
    writer = load_conda_writer()
    lock = (ROOT / "envs" / "requirements.txt").read_text()
    written = (ROOT / "envs" / "adnorm.yaml").read_text()
    assert written == writer.conda_environment(lock), "run `make lock`"
    pins = yaml.safe_load(written)["dependencies"][-1]["pip"]
    names = {re.match(r"[\w.-]+", line)[0] for line in lock.splitlines() if "==" in line}
    assert {re.match(r"[\w.-]+", pin)[0] for pin in pins} == names


def normalized(name):
    """Return the name of a distribution as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("name", ["requirements", "requirements-dev", "requirements-slurm"])
def test_every_direct_dependency_is_locked_with_hashes(name):
    lock = (ROOT / "envs" / f"{name}.txt").read_text()
    assert "://" not in lock
    blocks = re.split(r"\n(?=[a-z0-9])", lock.strip())
    assert all("--hash=sha256:" in block for block in blocks)
    locked = {normalized(re.match(r"[\w.-]+", block)[0]) for block in blocks}
    direct = re.findall(r"^([A-Za-z][\w.-]*)", (ROOT / "envs" / f"{name}.in").read_text(), re.M)
    assert {normalized(name) for name in direct} <= locked


def test_the_other_locks_have_the_same_versions():
    def pins(name):
        text = (ROOT / "envs" / name).read_text()
        return dict(re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.M))

    usual = pins("requirements.txt")
    assert usual.items() <= pins("requirements-dev.txt").items()
    slurm = pins("requirements-slurm.txt")
    assert {name: slurm[name] for name in slurm if name in usual}.items() <= usual.items()
    assert "snakemake-executor-plugin-slurm" in slurm and "snakemake" in usual


def test_versions_agree():
    from adnorm import __version__

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == __version__
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_the_guide_tells_what_a_folder_may_import():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \|[^|]*\|([^|]*)\|$", text, flags=re.MULTILINE)
    assert {folder: set(re.findall(r"`(\w+)`", allowed)) for folder, allowed in rows} == RIVER


def test_the_journeys_of_the_guide_lead_through_modules_that_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    journeys = text[text.index("## Three journeys") : text.index("## How to add")]
    modules = re.findall(r"`([a-z_]+/[a-z_]+)`", journeys)
    assert len(modules) > 15
    assert [name for name in modules if not (PACKAGE / f"{name}.py").is_file()] == []
    files = set(re.findall(r"`((?:[a-z_]+/)+[a-z_]+\.(?:py|yaml|md|tsv))`", text))
    places = (ROOT, PACKAGE)
    assert [name for name in files if not any((p / name).is_file() for p in places)] == []


def test_corrections_name_tests_that_exist():
    text = (ROOT / "benchmarks" / "corrections.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z]+/(?:test_[a-z0-9_]+|[a-z0-9_]+_test))`", text))
    assert len(named) > 15
    assert [name for name in sorted(named) if not (ROOT / "tests" / f"{name}.py").is_file()] == []
