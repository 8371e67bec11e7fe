"""What a run ran on, from what is installed."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import subprocess

import pytest

from adnorm import __version__
from adnorm.provenance import software as module


def test_versions_are_those_that_are_installed():
    found = module.packages()
    for name in ("numpy", "pandas", "snakemake", "scanpy"):
        assert found[name] == importlib.metadata.version(name)
    # Needed by nothing that adnorm needs.
    assert "pytest" not in found and "ruff" not in found
    assert list(found) == sorted(found)


def test_python_and_the_code_are_told():
    rows = {(kind, name): value for kind, name, value in module.software()}
    assert rows["code", "adnorm"] == __version__
    assert rows["python", platform.python_implementation()] == platform.python_version()
    assert not [value for value in rows.values() if platform.node() == value]


@pytest.fixture
def clone(repository, tmp_path, monkeypatch):
    """A clone of the code of adnorm, with its own history."""
    for part in ("scripts", "workflow"):
        shutil.copytree(
            repository / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(repository / "Snakefile", tmp_path)
    monkeypatch.setattr(module, "HOME", tmp_path)
    monkeypatch.setattr(module, "PACKAGE", tmp_path / "scripts" / "adnorm")
    return tmp_path


def git(folder, *words):
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run(["git", *who, "-C", str(folder), *words], check=True, capture_output=True)


@pytest.mark.parametrize(
    "file",
    ["Snakefile", "workflow/rules/index.smk", "scripts/index.py", "scripts/adnorm/base/text.py"],
)
def test_any_change_of_the_code_is_another_digest(clone, file):
    before = module.code_files()
    assert before == module.code_files()
    with (clone / file).open("a") as text:
        text.write("# changed\n")
    assert module.code_files() != before


def test_what_python_leaves_beside_the_code_is_none_of_it(clone):
    before = module.code_files()
    (clone / "scripts/adnorm/__pycache__").mkdir()
    (clone / "scripts/adnorm/__pycache__/x.pyc").write_bytes(b"x")
    assert module.code_files() == before


def test_the_commit_is_told_in_a_clone_and_whether_it_was_changed(clone):
    assert module.commit() == {}
    git(clone, "init", "-q")
    git(clone, "add", "-A")
    git(clone, "commit", "-qm", "first")
    clean = module.commit()
    assert clean["state"] == "as committed" and len(clean["commit"]) == 40
    (clone / "results").mkdir()
    (clone / "results" / "report.html").write_text("x")
    assert module.commit() == clean
    (clone / "Snakefile").write_text("x")
    assert module.commit() == {"commit": clean["commit"], "state": "changed since the commit"}


def test_the_repository_around_an_installed_adnorm_is_not_its_own(clone, monkeypatch):
    git(clone, "init", "-q")
    git(clone, "commit", "-qm", "theirs", "--allow-empty")
    inner = clone / "site-packages" / "adnorm" / "shipped"
    inner.mkdir(parents=True)
    monkeypatch.setattr(module, "HOME", inner)
    assert module.commit() == {}


def test_without_git_there_is_no_commit(clone, monkeypatch):
    git(clone, "init", "-q")
    monkeypatch.setenv("PATH", "")
    assert module.commit() == {}
