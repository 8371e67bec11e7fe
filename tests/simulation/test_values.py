"""What is drawn for genes and biopsies."""

from __future__ import annotations

import numpy as np
import pytest

from adnorm.simulation.values import draw_counts
from adnorm.study.simulation import CountPlan


def test_counts_have_the_stated_mean_and_variance():
    level = np.tile(np.log2([100.0, 1e6]), (4000, 1))
    plan = CountPlan(library_size=(1e6, 1e6 + 1), dispersion=0.1, low_count_dispersion=2.0)
    counts = draw_counts(level, plan, np.random.default_rng(3))[:, 0]
    assert counts.mean() == pytest.approx(100, rel=0.03)
    spread = (counts.var() - counts.mean()) / counts.mean() ** 2
    # 0.1 + 2 / 100, times the factor of the gene (log-normal, sd 0.4).
    assert 0.12 * np.exp(-1.2) < spread < 0.12 * np.exp(1.2)
