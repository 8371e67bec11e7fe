"""Fixtures that all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the repository."""
    return REPOSITORY


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
