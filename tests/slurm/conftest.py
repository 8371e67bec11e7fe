"""A Slurm for the tests of this folder."""

from __future__ import annotations

import pytest

from builders.slurm import Slurm, why_not


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """A Slurm of one node; where none can be started, the tests say why and are skipped."""
    if reason := why_not():
        pytest.skip(reason)
    cluster = Slurm(tmp_path_factory.mktemp("slurm"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
