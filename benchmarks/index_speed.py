"""Seconds of the normalization index on one core; prints a table.

``python benchmarks/index_speed.py`` needs no input: it draws a trial of the stated size.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from adnorm.index.genes import gene_index
from adnorm.index.normalization import normalization_index
from adnorm.study.config import IndexSettings

SETTINGS = IndexSettings(primary=("set00",))


def draw(features: int, patients: int, weeks: tuple[float, ...], seed: int = 1):
    """Draw three arms: observations × features, and who and when each observation is."""
    rng = np.random.default_rng(seed)
    rows, values = [], []
    for arm in ("placebo", "drug 1", "drug 2"):
        for number in range(patients):
            own = rng.normal(8, 1, features)
            disease = rng.normal(2, 0.5, features)
            visits = [("nonlesional", 0.0, 0.0), ("lesional", 0.0, 1.0)]
            visits += [("lesional", week, 0.6) for week in weeks]
            for state, week, left in visits:
                rows.append((f"{arm}{number}", state, week, arm))
                values.append(own + left * disease + rng.normal(0, 0.4, features))
    observations = pd.DataFrame(rows, columns=["patient", "state", "week", "arm"])
    return np.array(values), observations


def measure(call: Callable[[], object], repeats: int = 3) -> tuple[float, float]:
    """Return the median wall and CPU seconds of some calls."""
    wall, cpu = [], []
    for _ in range(repeats):
        started, used = time.perf_counter(), time.process_time()
        call()
        wall.append(time.perf_counter() - started)
        cpu.append(time.process_time() - used)
    return float(np.median(wall)), float(np.median(cpu))


def main() -> None:
    """Measure and print."""
    sets, when = draw(60, 11, (2.0, 4.0, 8.0, 12.0))
    scores = pd.DataFrame(sets, columns=[f"set{i:02d}" for i in range(60)])
    genes, visits = draw(20_000, 7, (2.0, 4.0, 8.0, 12.0))
    names = np.array([f"G{i:05d}" for i in range(20_000)])
    rows = [
        (
            f"index: 60 sets × 12 arm-visits × {len(when)} observations",
            2.0,
            lambda: normalization_index(scores, when, "nonlesional", "placebo", SETTINGS),
        ),
        (
            f"gene index: 20,000 genes × 12 arm-visits × {len(visits)} observations",
            5.0,
            lambda: gene_index(genes.T, names, visits, "nonlesional", SETTINGS.confidence),
        ),
    ]
    print("| what | wall s | CPU s | bar s | |\n| --- | --- | --- | --- | --- |")
    for what, bar, call in rows:
        wall, cpu = measure(call)
        verdict = "holds" if wall <= bar else "missed"
        print(f"| {what} | {wall:.2f} | {cpu:.2f} | {bar:g} | {verdict} |")


if __name__ == "__main__":
    main()
