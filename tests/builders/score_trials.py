"""Made-up trials on scores, and their index."""

from __future__ import annotations

import numpy as np
import pandas as pd

from adnorm.index.normalization import index_and_denominators
from adnorm.study.config import IndexSettings

SETTINGS = IndexSettings(primary=("global", "first"))


NAMES = ["first", "second", "third"]


def trial(
    remaining=1.0,
    arms=("drug",),
    patients=10,
    weeks=(4.0,),
    names=NAMES,
    noise=0.0,
    healthy=0,
    effect=3.0,
    seed=0,
):
    """A trial in which a share `remaining` (by arm or one for all) of the effect is left."""
    rng = np.random.default_rng(seed)
    rows, values = [], []
    size = len(names)
    for arm in arms:
        left = remaining[arm] if isinstance(remaining, dict) else remaining
        for i in range(patients):
            patient = f"{arm}{i:02d}"
            normal = rng.normal(0, 1, size)
            disease = effect + rng.normal(0, 0.8, size)
            found = [("nonlesional", 0.0, normal), ("lesional", 0.0, normal + disease)]
            found += [("lesional", week, normal + left * disease) for week in weeks]
            for state, week, value in found:
                rows.append((patient, state, week, arm))
                values.append(value + noise * rng.normal(0, 1, size))
    for i in range(healthy):
        rows.append((f"healthy{i:02d}", "healthy", 0.0, "healthy"))
        values.append(rng.normal(-0.5, 0.5, size))
    observations = pd.DataFrame(rows, columns=["patient", "state", "week", "arm"])
    return pd.DataFrame(np.array(values), columns=names), observations


def index(values, observations, *places, **words):
    """The rows of the index; what it takes is what `both_tables` takes."""
    return both_tables(values, observations, *places, **words)[0]


def both_tables(
    values,
    observations,
    reference="nonlesional",
    placebo="",
    names=None,
    analysis="primary",
    randomised=True,
    **changes,
):
    """The index of a trial and the disease effects that it divides by."""
    settings = SETTINGS.model_copy(update=changes)
    return index_and_denominators(
        values, observations, reference, placebo, settings, names, analysis, randomised
    )


def without(values, observations, gone):
    """A trial without some biopsies (a mask)."""
    keep = ~np.asarray(gone)
    return values[keep].reset_index(drop=True), observations[keep].reset_index(drop=True)


def cell(values, observations, name, state, week, arm=""):
    """Scores of one name by patient, of a state and week; of one arm or of all."""
    chosen = (observations["state"] == state) & (observations["week"] == week)
    chosen &= (observations["arm"] == arm) | (arm == "")
    return pd.Series(
        values.loc[chosen.to_numpy(), name].to_numpy(), index=observations.loc[chosen, "patient"]
    )


def lesions(
    remaining,
    patients=12,
    weeks=(4.0,),
    names=NAMES,
    noise=0.5,
    own_baseline=True,
    shared=0.0,
    effect=3.0,
    seed=0,
):
    """A trial with a lesion in each arm of `remaining` (arm → share left) on every patient.

    `shared` is the standard deviation of what both lesions of a patient do at a visit.
    """
    rng = np.random.default_rng(seed)
    rows, values, size = [], [], len(names)
    for i in range(patients):
        patient, normal = f"P{i:02d}", rng.normal(0, 1, size)
        rows.append((patient, "nonlesional", 0.0, "all arms", ""))
        values.append(normal + noise * rng.normal(0, 1, size))
        disease = effect + rng.normal(0, 0.8, size)
        both = {week: shared * rng.normal(0, 1, size) for week in weeks}
        if not own_baseline:
            rows.append((patient, "lesional", 0.0, "all arms", ""))
            values.append(normal + disease + noise * rng.normal(0, 1, size))
        for arm, left in remaining.items():
            own = disease + noise * rng.normal(0, 1, size)
            for week in (0.0, *weeks) if own_baseline else weeks:
                rows.append((patient, "lesional", week, arm, f"{patient}, {arm}"))
                level = normal + own * (left if week else 1.0) + (both[week] if week else 0.0)
                values.append(level + noise * rng.normal(0, 1, size))
    observations = pd.DataFrame(rows, columns=["patient", "state", "week", "arm", "lesion"])
    return pd.DataFrame(np.array(values), columns=names), observations
