"""Made-up trials on genes, and what a cohort teaches the disease axis."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from adnorm.effects.fit import benjamini_hochberg
from adnorm.scores.zscore import moderate_variances

SETTINGS = {"minimum_effect": 1.0, "fdr": 0.05, "confidence": 0.95, "folds": 5}


def lesional_rows(cohort, effects, simulated="yes", disease="atopic dermatitis", error=0.1):
    return pd.DataFrame(
        {
            "cohort": cohort,
            "disease": disease,
            "simulated": simulated,
            "gene": list(effects),
            "log2_fold_change": list(effects.values()),
            "standard_error": error,
            "pairs": 20,
        }
    )


def trial(rng, disease, patients=9, effect=0.0, noise=0.8, arm="drug"):
    """Log2 genes × observations of one arm at baseline (LS, NL) and at week 4 (LS)."""
    own = rng.normal(0, 0.5, (patients, len(disease)))
    active = disease * (1 + 0.3 * rng.normal(size=(patients, 1)))

    def biopsies(level):
        return own + level + rng.normal(0, noise, own.shape)

    values = np.vstack([biopsies(active), biopsies(0.0), biopsies(active * (1 - effect))])
    states = ["lesional", "nonlesional", "lesional"]
    observations = pd.DataFrame(
        {
            "patient": [f"p{i:02d}" for i in range(patients)] * 3,
            "state": np.repeat(states, patients),
            "week": np.repeat([0.0, 0.0, 4.0], patients),
            "arm": arm,
        }
    )
    return values.T, observations


def paired_effects(log2, observations, genes, cohort):
    size = len(observations) // 3
    pairs = (log2[:, :size] - log2[:, size : 2 * size]).T
    variance, freedom, _ = moderate_variances(pairs.var(axis=0, ddof=1), size - 1)
    error = np.sqrt(variance / size)
    effect = pairs.mean(axis=0)
    p_value = 2 * stats.t.sf(np.abs(effect) / error, freedom)
    rows = lesional_rows(cohort, dict(zip(genes, effect, strict=True)), error=error)
    return rows.assign(pairs=size, p_value=p_value, fdr=benjamini_hochberg(p_value))


def index_of(scores, observations):
    size = len(observations) // 3
    start, reference, end = scores[:size], scores[size : 2 * size], scores[2 * size :]
    return (start - end).mean() / (start - reference).mean()
