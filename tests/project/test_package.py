"""The package without a clone around it: as pip installs it from a wheel."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile

import pytest

from adnorm.base.shipped import PACKAGE

ROOT = PACKAGE.parent.parent


def call(*words, cwd, **environment):
    return subprocess.run(
        [sys.executable, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": "", "PYTHONSAFEPATH": "1"} | environment,
    )


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the installed package, and nothing of the clone."""
    folder = tmp_path_factory.mktemp("installed")
    source = folder / "source"
    # A copy of what git would hand out, so that no build folder is left in the clone.
    for name in ("scripts", "config", "envs", "profiles", "workflow"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "Snakefile"):
        (source / name).write_bytes((ROOT / name).read_bytes())
    pip = ["-m", "pip", "--quiet", "--disable-pip-version-check"]
    options = ["--no-deps", "--no-build-isolation", "--no-index"]
    built = call(*pip, "wheel", *options, "-w", folder, source, cwd=folder)
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("adnorm-*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    return folder / "site"


def test_every_package_is_in_the_wheel():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    there = {
        ".".join(path.parent.relative_to(PACKAGE.parent).parts)
        for path in PACKAGE.rglob("__init__.py")
    }
    shipped = {name for name in listed["packages"] if name.startswith("adnorm.shipped")}
    assert set(listed["packages"]) - shipped == there
    files = [p for name in ("config", "profiles") for p in (ROOT / name).rglob("*") if p.is_file()]
    folders = {".".join(path.relative_to(ROOT).parent.parts) for path in files}
    folders |= {"envs", "scripts", "workflow.report", "workflow.rules"}
    assert shipped == {"adnorm.shipped", *(f"adnorm.shipped.{folder}" for folder in folders)}


def test_installed_files_are_those_of_the_clone(installed):
    def files(folder, pattern="**/*"):
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.glob(pattern)
            if path.is_file() and "__pycache__" not in path.parts
        }

    shipped, own = installed / "adnorm" / "shipped", files(installed / "adnorm")
    for part in ("config", "profiles", "workflow/report", "workflow/rules"):
        assert files(shipped / part) == files(ROOT / part)
    assert files(shipped / "scripts") == files(ROOT / "scripts", "*.py")
    assert set(files(shipped, "*")) == {"Snakefile"}
    assert {name: own.get(name) for name in files(PACKAGE)} == files(PACKAGE)


@pytest.mark.parametrize("words", [["--help"], ["check", "demo_jak1"], ["check", "--help"]])
def test_the_command_works_where_there_is_no_clone(installed, tmp_path, words):
    run = call("-m", "adnorm.cli", *words, cwd=tmp_path, PYTHONPATH=str(installed))
    assert run.returncode == 0, run.stdout + run.stderr
    assert str(ROOT) not in run.stdout + run.stderr


@pytest.mark.parametrize(("words", "only"), [(["demo_jak1"], "--until=fetch"), ([], "--dry-run")])
def test_the_call_that_the_command_prints_runs_where_there_is_no_clone(
    installed, tmp_path, words, only
):
    path = {"PYTHONPATH": str(installed)}
    told = call("-m", "adnorm.cli", "check", *words, cwd=tmp_path, **path)
    line = next(line for line in told.stdout.splitlines() if line.startswith("Run: "))
    name, *printed = shlex.split(line.removeprefix("Run: "))
    assert name == "snakemake" and str(installed) in printed[1]
    done = call("-m", "snakemake", *printed, only, cwd=tmp_path, **path)
    assert done.returncode == 0, done.stdout + done.stderr
    made = sorted(p.name for p in tmp_path.glob("results/demo_jak1/demo_jak1/fetch/manifest.json"))
    assert made == (["manifest.json"] if words else [])


def test_what_is_imported_there_is_the_installed_package(installed, tmp_path):
    code = "import adnorm; print(adnorm.__file__); import adnorm.base.shipped as s; print(s.HOME)"
    run = call("-c", code, cwd=tmp_path, PYTHONPATH=str(installed))
    assert [line.startswith(str(installed)) for line in run.stdout.split()] == [True, True]
