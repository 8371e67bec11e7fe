"""Fixtures that all tests share."""

from __future__ import annotations

import fcntl
import hashlib
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from builders.hostile import run_hostile

Run = Callable[..., subprocess.CompletedProcess]

REPOSITORY = Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(items):
    """Begin with what takes minutes: at the end, one worker would do it while the other waits."""
    slow = ("tests/slurm", "tests/workflow", "tests/faults", "tests/browser")
    items.sort(key=lambda item: not item.nodeid.startswith(slow))


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the repository."""
    return REPOSITORY


@pytest.fixture(scope="session", autouse=True)
def _no_cache_of_the_user(tmp_path_factory) -> None:
    """Keep downloads of fixtures out of the cache of who runs the tests."""
    os.environ["ADNORM_CACHE"] = str(tmp_path_factory.getbasetemp() / "downloads")


@pytest.fixture(autouse=True)
def _cache_of_its_own(monkeypatch, tmp_path_factory, request) -> None:
    """Give each test a download cache: servers of tests have the same addresses now and then."""
    name = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:16]
    monkeypatch.setenv("ADNORM_CACHE", str(tmp_path_factory.getbasetemp() / "downloads" / name))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real GEO data beside the repository; tests that need it skip without it."""
    folder = Path(os.environ.get("ADNORM_SHARED", REPOSITORY.parent / "shared"))
    if not (folder / "geo" / "series").is_dir():
        pytest.skip(f"real GEO data not found at {folder} (set ADNORM_SHARED to the folder)")
    return folder


def pytest_make_parametrize_id(val, argname):
    """Name bytes by their argument: packed ones carry their second, and workers would differ."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(scope="session")
def snakemake(repository) -> Run:
    """Call Snakemake in a working directory of its own."""

    def run(folder: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        finished = subprocess.run(
            [
                sys.executable,
                "-m",
                "snakemake",
                "--snakefile",
                str(repository / "Snakefile"),
                "--cores",
                "2",
                *arguments,
            ],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        if check and finished.returncode:
            pytest.fail(f"snakemake {arguments}:\n{finished.stdout}\n{finished.stderr}")
        return finished

    return run


@pytest.fixture(scope="session")
def configure() -> Callable[..., Path]:
    """Write a configuration into a working directory."""

    def write(folder: Path, config: dict, name: str = "run.yaml") -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / name
        path.write_text(yaml.safe_dump(config))
        return path

    return write


@pytest.fixture(scope="session")
def once(tmp_path_factory) -> Callable[[str, Callable[[Path], object]], Any]:
    """Make something in a folder of its own, once for all workers; the others wait and read it."""
    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root

    def make_once(name: str, make: Callable[[Path], object]) -> Any:
        kept = root / f"{name}.pickle"
        with (root / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not kept.exists():
                # What a worker left that failed stays beside it, to be looked at.
                made = make(Path(tempfile.mkdtemp(prefix=f"{name}-", dir=root)))
                kept.write_bytes(pickle.dumps(made))
        return pickle.loads(kept.read_bytes())

    return make_once


@pytest.fixture(scope="session")
def demo_run(repository, once, snakemake, configure) -> Path:
    """The folder of a run of the demo; its report is results/demo/report.html."""

    def make(folder: Path) -> Path:
        configure(folder, yaml.safe_load((repository / "config" / "config.yaml").read_text()))
        snakemake(folder, "--configfile", "run.yaml")
        report = ["--report", "results/demo/report.html"]
        snakemake(folder, "--configfile", "run.yaml", *report)
        return folder

    return once("demo", make)


@pytest.fixture(scope="session")
def hostile_run(repository, once, snakemake, configure) -> Path:
    """The folder of a run over a hostile cohort and one that stops; its report is report.html."""
    return once("hostile", lambda folder: run_hostile(folder, repository, snakemake, configure))
