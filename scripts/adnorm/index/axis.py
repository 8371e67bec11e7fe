"""The disease axis: gene weights from cohorts other than the one that is judged.

Weights and the trial they judge must not share noise. A gene that was chosen because lesional skin
was high by chance at baseline "improves" by itself, so a useless drug would look useful.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError, listing
from adnorm.base.logs import progress
from adnorm.base.tables import read_table, write_table
from adnorm.effects.fit import benjamini_hochberg
from adnorm.index.meta import combine_studies
from adnorm.index.selection import AXIS_COLUMNS, first_reason, winsorised
from adnorm.study.comparisons import BASELINE

CONTRAST = "lesional-nonlesional@0"
DISEASE = "atopic dermatitis"
#: Below this many other cohorts the axis comes from the cohort itself, cross-fitted.
FEWEST_COHORTS = 2
SAME_SIGN = 2 / 3
LESIONAL_COLUMNS = [
    "cohort",
    "disease",
    "simulated",
    "gene",
    "log2_fold_change",
    "standard_error",
    "pairs",
]


def compile_lesional_effects(folders: list[Path], output: Path) -> None:
    """Gather the paired lesional − non-lesional effects of all cohorts in one table.

    Parameters
    ----------
    folders
        Result folders of the cohorts, with ``effects/effects.tsv`` and
        ``expression/expression.h5ad``. A cohort without the comparison adds no rows.
    output
        lesional_effects.tsv.

    Raises
    ------
    AdnormError
        A file is missing.
    """
    from adnorm.effects.observations import read_h5ad

    parts = []
    for folder in sorted(map(Path, folders), key=lambda f: f.name):
        effects = read_table(folder / "effects" / "effects.tsv")
        facts = read_h5ad(folder / "expression" / "expression.h5ad").uns["adnorm"]
        mine = effects[effects["contrast"] == CONTRAST].assign(
            cohort=str(facts["cohort"]),
            disease=str(facts["disease"]),
            simulated="yes" if facts["simulated"] else "no",
        )
        if len(mine):
            parts.append(mine[LESIONAL_COLUMNS])
        else:
            progress(f"{facts['cohort']} has no lesional − non-lesional comparison at baseline")
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=LESIONAL_COLUMNS)
    write_table(table.sort_values(["cohort", "gene"], kind="stable"), output)


def training_cohorts(lesional: pd.DataFrame, cohort: str, simulated: bool) -> list[str]:
    """Which cohorts may teach the axis that judges `cohort`.

    Parameters
    ----------
    lesional
        lesional_effects.tsv.
    cohort
        The cohort that is judged; it never teaches its own axis.
    simulated
        Whether it is simulated; simulated and real cohorts never mix.
    """
    usable = (
        (lesional["cohort"] != cohort)
        & (lesional["disease"] == DISEASE)
        & ((lesional["simulated"] == "yes") == simulated)
    )
    return sorted(set(lesional.loc[usable, "cohort"]))


def train_axis(
    lesional: pd.DataFrame,
    cohort: str,
    simulated: bool,
    genes_on_platform: Iterable[str],
    left_out: Mapping[str, str],
    settings: Mapping,
) -> pd.DataFrame:
    """Train the axis of a cohort on the other cohorts.

    A random-effects meta-analysis of every gene gives its effect d. A gene is used if at least two
    cohorts measured it, its false discovery rate is below ``fdr``, |d| above ``minimum_effect``,
    two thirds of the cohorts agree on its sign, the judged cohort measured it and it is not among
    `left_out`. Its weight is d / σ², σ² the mean over cohorts of SE² × pairs, and the largest
    weights are cut at the 99th percentile.

    The false discovery rate is that of the normal-theory p-value: with three cohorts, Hartung and
    Knapp's test has two degrees of freedom and finds nothing among thousands of genes. A false gene
    costs precision but no bias, because the judged cohort had no say in the choice. The interval
    is Hartung and Knapp's.

    Parameters
    ----------
    lesional
        lesional_effects.tsv.
    cohort, simulated
        The cohort that is judged and whether it is simulated (see `training_cohorts`).
    genes_on_platform
        Genes of its expression matrix.
    left_out
        Symbol → reason.
    settings
        ``minimum_effect``, ``fdr``, ``confidence``.

    Returns
    -------
    DataFrame
        gene, weight (0 if left out), effect, lower, upper, p_value, fdr, tau2, i2, cohorts, reason
        (empty if used); sorted by gene, every gene that any of the cohorts or the platform has.

    Raises
    ------
    AdnormError
        A gene twice in one cohort, or a standard error that is not positive.
    """
    cohorts = training_cohorts(lesional, cohort, simulated)
    mine = lesional[lesional["cohort"].isin(cohorts)]
    twice = mine.duplicated(["cohort", "gene"])
    if twice.any():
        raise AdnormError(
            f"lesional effects: genes {listing(sorted(set(mine.loc[twice, 'gene'])))} stand twice "
            "in one cohort; every gene must have one row a cohort: run the effects stage again"
        )
    platform = set(genes_on_platform)
    genes = sorted(platform | set(mine["gene"]))
    effects, errors, pairs = (
        mine.pivot(index="gene", columns="cohort", values=column)
        .reindex(index=genes, columns=cohorts)
        .to_numpy(dtype=float)
        for column in ("log2_fold_change", "standard_error", "pairs")
    )
    combined = combine_studies(effects, errors**2, float(settings["confidence"]))
    table = pd.DataFrame(
        {
            "gene": genes,
            "weight": 0.0,
            "effect": combined.effect,
            "lower": combined.lower,
            "upper": combined.upper,
            "p_value": combined.p_value,
            "fdr": benjamini_hochberg(combined.p_value),
            "tau2": combined.tau2,
            "i2": combined.i2,
            "cohorts": combined.studies,
        },
        columns=AXIS_COLUMNS,
    )
    agree = (np.sign(effects) == np.sign(combined.effect)[:, None]).sum(axis=1)
    table["reason"] = _why_left_out(table, agree, platform, left_out, settings)
    used = (table["reason"] == "").to_numpy()
    variance = np.nanmean((errors**2 * pairs)[used], axis=1)
    table.loc[used, "weight"] = winsorised(combined.effect[used] / variance)
    progress(f"disease axis: {int(used.sum())} genes from {len(cohorts)} other cohorts")
    return table


def _why_left_out(
    table: pd.DataFrame,
    agree: np.ndarray,
    platform: set[str],
    left_out: Mapping[str, str],
    settings: Mapping,
) -> list[str]:
    """Say for every gene why it is not used; empty where it is."""
    cohorts = table["cohorts"].to_numpy()
    agreed = [f"sign agrees in {a} of {n} cohorts" for a, n in zip(agree, cohorts, strict=True)]
    least = settings["minimum_effect"]
    return first_reason(
        len(table),
        [
            (~table["gene"].isin(platform), "not measured in this cohort"),
            (table["gene"].isin(left_out), table["gene"].map(left_out)),
            (cohorts < FEWEST_COHORTS, f"measured in fewer than {FEWEST_COHORTS} other cohorts"),
            (~(table["fdr"] < settings["fdr"]), f"FDR not below {settings['fdr']:g}"),
            (~(table["effect"].abs() > least), f"|log2 fold change| not above {least:g}"),
            (agree < SAME_SIGN * cohorts - 1e-9, agreed),
        ],
    )


def axis_scores(
    log2: np.ndarray,
    observations: pd.DataFrame,
    weights: np.ndarray,
    fold: pd.Series | None = None,
) -> np.ndarray:
    """Score observations on the axis: Σ w (y − mean of non-lesional skin at baseline).

    Parameters
    ----------
    log2
        Log2 expression, shape (genes, observations); finite.
    observations
        patient, state, week of each column.
    weights
        Shape (genes,), or (genes, folds) of a cross-fitted axis.
    fold
        Cross-fitted axis: fold of each patient. A patient is scored by the weights of the fold that
        was trained without him; a person in no fold (healthy) by their mean, each fold counting as
        many times as it has patients, so that both stand on one scale.

    Returns
    -------
    ndarray, shape (observations,)
        0 is the mean of non-lesional skin at baseline; of healthy skin where there is none.

    Raises
    ------
    AdnormError
        There is neither non-lesional nor healthy skin at baseline.
    """
    weights = np.asarray(weights, dtype=float).reshape(len(log2), -1)
    used = np.flatnonzero(np.any(weights != 0, axis=1))
    scores = log2[used].T @ weights[used]
    scores = scores - scores[_centre(observations)].mean(axis=0)
    if fold is None:
        return scores[:, 0]
    codes = observations["patient"].astype(str).map(fold).to_numpy(dtype=float)
    sizes = np.bincount(fold.to_numpy(), minlength=weights.shape[1])
    result = scores @ (sizes / sizes.sum())
    mine = np.isfinite(codes)
    result[mine] = scores[mine, codes[mine].astype(int)]
    return result


def _centre(observations: pd.DataFrame) -> np.ndarray:
    states = observations["state"].astype(str).to_numpy()
    start = observations["week"].to_numpy(dtype=float) == BASELINE
    for state in ("nonlesional", "healthy"):
        if (start & (states == state)).any():
            return start & (states == state)
    raise AdnormError(
        "the disease axis needs non-lesional or healthy skin at baseline as its zero, and this "
        "cohort has neither"
    )
