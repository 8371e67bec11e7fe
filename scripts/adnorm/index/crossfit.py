"""The disease axis of a cohort that stands alone: trained and judged on different patients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from adnorm.base.logs import progress
from adnorm.effects.fit import benjamini_hochberg
from adnorm.index.groups import PatientTable
from adnorm.index.selection import AXIS_COLUMNS, Rule, first_reason, tell_rules, winsorised
from adnorm.scores.zscore import moderate_variances
from adnorm.study.comparisons import BASELINE, HEALTHY_ARM

#: A fold that is trained on fewer pairs has no variance worth the name.
FEWEST_TRAINING_PAIRS = 3


@dataclass(frozen=True)
class CrossfitAxis:
    """Weights of each fold, trained on the patients of the other folds.

    Attributes
    ----------
    weights
        Shape (genes, folds); all 0 when some fold finds no gene, see `reason`.
    fold
        Fold of each patient (index: patient); healthy people are in none.
    table
        As `train_axis` returns it; weight is the mean over folds.
    reason
        Why there is no axis; empty if there is one.
    """

    weights: np.ndarray
    fold: pd.Series
    table: pd.DataFrame
    reason: str


def fit_crossfit_axis(
    log2: np.ndarray,
    genes: np.ndarray,
    observations: pd.DataFrame,
    left_out: Mapping[str, str],
    settings: Mapping,
    seed: int,
) -> CrossfitAxis:
    """Train the axis inside a cohort, so that no patient is judged by weights that know him.

    Patients are dealt into folds, each arm evenly. For every fold, genes are chosen and weighted by
    the paired lesional − non-lesional differences of the patients outside it: moderated paired t,
    false discovery rate, minimum effect and weight as in `train_axis`.

    Parameters
    ----------
    log2
        Log2 expression, shape (genes, observations); finite.
    genes
        Symbol of each row.
    observations
        patient, state, week, arm of each column; one row for each patient, state and visit.
    left_out
        Symbol → reason, as in `train_axis`.
    settings
        ``folds``, ``minimum_effect``, ``fdr``, ``confidence``.
    seed
        Of the dealing.

    Returns
    -------
    CrossfitAxis
    """
    table = PatientTable.of(log2.T, observations)
    fold = deal_folds(table.patients, table.arm, int(settings["folds"]), seed)
    paired = table.has("lesional", BASELINE) & table.has("nonlesional", BASELINE)
    rows = np.flatnonzero(paired)
    pairs = table.difference(("lesional", BASELINE), ("nonlesional", BASELINE), rows)
    own = fold.reindex(table.patients[rows]).to_numpy()
    allowed = ~np.isin(genes, list(left_out))
    count = int(fold.max()) + 1 if len(fold) else 1
    weights = np.zeros((len(genes), count))
    reason = short = ""
    for code in range(count):
        training = pairs[own != code]
        if len(training) < FEWEST_TRAINING_PAIRS or count < 2:
            reason = (
                f"{len(rows)} patients have lesional and non-lesional skin at baseline: too few "
                "to train an axis on some of them and judge the others (at least "
                f"{FEWEST_TRAINING_PAIRS} are asked besides those who are judged)"
            )
            short = "no axis: too few patients"
            break
        weights[:, code], said = _fold_weights(training, allowed, settings)
        if said:
            reason = (
                f"no gene is chosen in fold {code + 1} of {count} of the cross-fit, which is "
                f"trained on {len(training)} patients: {said}"
            )
            short = "no axis: a fold of the cross-fit chooses no gene"
            break
    if reason:
        weights = np.zeros_like(weights)
    progress(
        f"no disease axis: {reason}"
        if reason
        else f"disease axis: {int(weights.any(axis=1).sum())} genes, cross-fitted in {count} folds"
    )
    return CrossfitAxis(
        weights, fold, _describe(pairs, genes, weights, left_out, settings, short), reason
    )


def deal_folds(patients: np.ndarray, arms: np.ndarray, folds: int, seed: int) -> pd.Series:
    """Deal patients into folds at random, each arm evenly; the order of samples plays no part.

    Parameters
    ----------
    patients, arms
        Name and arm of each patient; the arm ``healthy`` is left out.
    folds
        How many; at most one a patient.
    seed
        Of the dealing.

    Returns
    -------
    Series
        Fold by patient, sorted by patient.
    """
    sheet = pd.DataFrame({"patient": patients.astype(str), "arm": arms.astype(str)})
    sheet = sheet[sheet["arm"] != HEALTHY_ARM].sort_values(["arm", "patient"])
    rng = np.random.default_rng(seed)
    dealt = [
        name
        for _, group in sheet.groupby("arm", sort=True)
        for name in rng.permutation(group["patient"].to_numpy())
    ]
    count = max(min(folds, len(dealt)), 1)
    return pd.Series(np.arange(len(dealt)) % count, index=dealt, name="fold").sort_index()


def _paired_test(pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Mean difference, moderated variance of a difference, p-value and degrees of freedom."""
    effect = pairs.mean(axis=0)
    variance, freedom, _ = moderate_variances(pairs.var(axis=0, ddof=1), len(pairs) - 1)
    error = np.sqrt(variance / len(pairs))
    t = np.divide(effect, error, out=np.full_like(effect, np.inf), where=error > 0)
    t[(error == 0) & (effect == 0)] = 0.0
    return effect, variance, 2 * stats.t.sf(np.abs(t), freedom), freedom


def _fold_weights(
    training: np.ndarray, allowed: np.ndarray, settings: Mapping
) -> tuple[np.ndarray, str]:
    """Weights of the genes that pass the rules, or which rule refused the last of them."""
    effect, variance, p_value, _ = _paired_test(training)
    rate, least = benjamini_hochberg(p_value), settings["minimum_effect"]
    rules = [
        Rule(~allowed, "", "do not tell the composition of a biopsy"),
        Rule(~(variance > 0), "", "vary between patients"),
        Rule(
            ~(rate < settings["fdr"]),
            "",
            f"have a false discovery rate below {settings['fdr']:g} (`index: fdr`)",
            rate,
            "lowest",
        ),
        Rule(
            ~(np.abs(effect) > least),
            "",
            f"differ by more than {least:g} log2 steps between lesional and non-lesional skin "
            "(`index: minimum_effect`)",
            np.abs(effect),
            "largest",
        ),
    ]
    chosen = ~np.any([rule.refused for rule in rules], axis=0)
    weights = np.zeros(len(effect))
    weights[chosen] = winsorised(effect[chosen] / variance[chosen])
    return weights, "" if chosen.any() else tell_rules(len(effect), rules)


def _describe(
    pairs: np.ndarray,
    genes: np.ndarray,
    weights: np.ndarray,
    left_out: Mapping[str, str],
    settings: Mapping,
    reason: str,
) -> pd.DataFrame:
    """Lay out the axis as `train_axis` does; effects are those of all patients of the cohort."""
    table = pd.DataFrame({"gene": genes.astype(str), "weight": weights.mean(axis=1)})
    table = table.reindex(columns=AXIS_COLUMNS)
    table["cohorts"] = 1
    if len(pairs) >= 2:
        effect, variance, p_value, freedom = _paired_test(pairs)
        margin = stats.t.ppf(0.5 + settings["confidence"] / 2, freedom) * np.sqrt(
            variance / len(pairs)
        )
        table["effect"], table["lower"], table["upper"] = effect, effect - margin, effect + margin
        table["p_value"], table["fdr"] = p_value, benjamini_hochberg(p_value)
    table["reason"] = first_reason(
        len(table),
        [
            (table["gene"].isin(left_out), table["gene"].map(left_out)),
            (~weights.any(axis=1), reason or "not chosen in any fold of the cross-fit"),
        ],
    )
    return table.sort_values("gene", kind="stable", ignore_index=True)
