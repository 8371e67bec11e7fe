"""Made-up trials with a drug and a placebo arm, as the models of effects see them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from adnorm.effects.design import FitPlan, plan_fits
from adnorm.effects.observations import Observations
from adnorm.study.comparisons import combine_biopsies, derive_design


def trial(patients: int = 6, dropouts: int = 0, healthy: int = 0) -> pd.DataFrame:
    rows = [
        (f"{arm}{i}", arm, state, week)
        for arm in ("drug", "placebo")
        for i in range(patients)
        for state, week in (
            ("lesional", 0.0),
            ("nonlesional", 0.0),
            ("lesional", 4.0),
            ("lesional", 12.0),
        )
    ]
    rows += [(f"h{i}", "healthy", "healthy", 0.0) for i in range(healthy)]
    frame = pd.DataFrame(rows, columns=["patient", "arm", "state", "week"])
    gone = np.random.default_rng(5).choice(len(frame) - healthy, dropouts, replace=False)
    frame = frame.drop(index=gone).reset_index(drop=True)
    return frame.assign(treatment=frame["arm"], dose_mg=np.nan)


def observe(
    samples: pd.DataFrame, log2: np.ndarray, counts: np.ndarray | None = None
) -> tuple[Observations, list[FitPlan]]:
    combined, codes = combine_biopsies(samples)
    order = np.argsort(codes)
    counts = None if counts is None else counts[:, order].astype(float)
    data = Observations(
        samples=samples,
        combined=combined,
        genes=np.array([f"G{i:04d}" for i in range(len(log2))]),
        log2=log2[:, order],
        counts=counts,
        library_sizes=None if counts is None else counts.sum(axis=0),
        facts={"assay": "rna-seq" if counts is not None else "microarray"},
    )
    plans, refused = plan_fits(combined, derive_design(samples, "placebo", 3).supported)
    assert refused == {}
    return data, plans


def noise(samples: pd.DataFrame, genes: int = 60, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(8, 1, (genes, len(samples)))
