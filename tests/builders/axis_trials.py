"""Made-up trials on genes, and what a cohort teaches the disease axis."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from adnorm.effects.fit import benjamini_hochberg
from adnorm.index import training_cohorts
from adnorm.index.axis import AxisWeights, fit_crossfit_axis, train_axis
from adnorm.index.teaching import Teaching
from adnorm.scores.zscore import moderate_variances
from adnorm.study.config import IndexSettings

SETTINGS = IndexSettings()


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


def compile_lesional_effects(folders, output):
    """The table of what cohorts teach, from their result folders."""
    places = {
        "effects": "effects/effects.tsv",
        "expression": "expression/expression.h5ad",
        "manifests": "fetch/manifest.json",
    }
    inputs = {key: [Path(f) / place for f in folders] for key, place in places.items()}
    training_cohorts.build(
        inputs, {"lesional_effects": output, "teaching": output.with_name("teaching.h5")}, {}, 0
    )


def train(lesional, genes, excluded=None, **changes) -> AxisWeights:
    """The axis that the other simulated cohorts teach the cohort `judged`."""
    lesional = Teaching.of(lesional)
    cohorts = training_cohorts.find_training_cohorts(lesional.facts, "judged", True).cohorts
    settings = SETTINGS.model_copy(update=changes)
    return train_axis(lesional, cohorts, genes, excluded or {}, settings)


def clear_trial():
    """Genes, values and sheet of a trial whose first 40 of 300 genes are diseased."""
    disease = np.zeros(300)
    disease[:40] = np.repeat([2.0, -2.0], 20)
    genes = np.array([f"G{i:03d}" for i in range(300)])
    return genes, *trial(np.random.default_rng(5), disease, patients=12, noise=0.5)


def crossfit(made_up, excluded=(), **changes) -> AxisWeights:
    genes, log2, observations = made_up
    settings = SETTINGS.model_copy(update=changes)
    why = dict.fromkeys(excluded, "composition")
    return fit_crossfit_axis(log2, genes, observations, why, settings, 1)
