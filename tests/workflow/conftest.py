"""Runs the workflow as a user does, in a folder outside the repository."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

Run = Callable[..., subprocess.CompletedProcess]


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
