"""Crates of two cohorts, made without a workflow; tests that change one take a copy."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from builders.crates import make_crate, write_study


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Callable[..., Path]:
    """Make the folder of a run with its crate, once for each set of cohorts that stopped."""
    kept: dict[tuple[str, ...], Path] = {}

    def make(*stopped: str) -> Path:
        if stopped not in kept:
            folder = tmp_path_factory.mktemp("run")
            before = os.getcwd()
            os.chdir(folder)
            try:
                make_crate(folder, write_study(folder), stopped)
            finally:
                os.chdir(before)
            kept[stopped] = folder
        return kept[stopped]

    return make


@pytest.fixture
def place(made, monkeypatch) -> Path:
    """The folder of a run of both cohorts, as the working directory; tests leave it as it is."""
    folder = made()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def crate(place) -> Path:
    """Its crate."""
    return place / "out" / "provenance"


@pytest.fixture
def stopped(made, monkeypatch) -> Path:
    """The crate of a run in which one of them stopped."""
    monkeypatch.chdir(made("far"))
    return made("far") / "out" / "provenance"


@pytest.fixture
def own(made, tmp_path, monkeypatch) -> Path:
    """A copy of the folder of the run, to be changed, as the working directory."""
    shutil.copytree(made(), tmp_path / "own")
    monkeypatch.chdir(tmp_path / "own")
    return tmp_path / "own"
