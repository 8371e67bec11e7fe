"""The disease axis: gene weights from cohorts other than the one that is judged.

Weights and the trial they judge must not share noise. A gene that was chosen because lesional skin
was high by chance at baseline "improves" by itself, so a useless drug would look useful. A cohort
that shares patients with the judged one is therefore no teacher. And an axis belongs to one
disease: how far psoriasis is from atopic dermatitis says nothing of how far it is from normal skin.
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
from adnorm.index.selection import AXIS_COLUMNS, Rule, first_reason, tell_rules, winsorised
from adnorm.index.sharing import fingerprint, shared_by
from adnorm.index.teachers import DISEASE, FEWEST_COHORTS, tell_shares, training_cohorts
from adnorm.study.comparisons import BASELINE

CONTRAST = "lesional-nonlesional@0"
SAME_SIGN = 2 / 3
LESIONAL_COLUMNS = [
    "cohort",
    "disease",
    "simulated",
    "gene",
    "log2_fold_change",
    "standard_error",
    "pairs",
    "shares",
]


def compile_lesional_effects(folders: list[Path], output: Path) -> None:
    """Gather the paired lesional − non-lesional effects of all cohorts in one table.

    Parameters
    ----------
    folders
        Result folders of the cohorts, with ``effects/effects.tsv``, ``expression/expression.h5ad``
        and ``fetch/manifest.json``. A cohort without the comparison adds no rows.
    output
        lesional_effects.tsv; the column ``shares`` says with which cohorts a cohort has a series, a
        file, samples or patients in common.

    Raises
    ------
    AdnormError
        A file is missing.
    """
    from adnorm.effects.observations import read_h5ad

    parts, prints = [], []
    for folder in sorted(map(Path, folders), key=lambda f: f.name):
        effects = read_table(folder / "effects" / "effects.tsv")
        data = read_h5ad(folder / "expression" / "expression.h5ad")
        prints.append(fingerprint(data, folder / "fetch" / "manifest.json"))
        facts = data.uns["adnorm"]
        mine = effects[effects["contrast"] == CONTRAST].assign(
            cohort=str(facts["cohort"]),
            disease=str(facts["disease"]),
            simulated="yes" if facts["simulated"] else "no",
        )
        if len(mine):
            parts.append(mine)
        else:
            progress(f"{facts['cohort']} has no lesional − non-lesional comparison at baseline")
    shared = shared_by(prints)
    for first, others in shared.items():
        for second, said in others.items():
            if first < second:
                progress(f"{first} and {second} do not teach each other; in common: {said}")
    parts = [
        part.assign(shares=tell_shares(shared.get(part["cohort"].iloc[0], {})))[LESIONAL_COLUMNS]
        for part in parts
    ]
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=LESIONAL_COLUMNS)
    write_table(table.sort_values(["cohort", "gene"], kind="stable"), output)


def train_axis(
    lesional: pd.DataFrame,
    cohort: str,
    simulated: bool,
    genes_on_platform: Iterable[str],
    left_out: Mapping[str, str],
    settings: Mapping,
    disease: str = DISEASE,
) -> pd.DataFrame:
    """Train the axis of a cohort on the other cohorts of its disease.

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
        The cohort that is judged and whether it is simulated (see `find_teachers`).
    genes_on_platform
        Genes of its expression matrix.
    left_out
        Symbol → reason.
    settings
        ``minimum_effect``, ``fdr``, ``confidence``.
    disease
        Of its patients.

    Returns
    -------
    DataFrame
        gene, weight (0 if left out), effect, lower, upper, p_value, fdr, tau2, i2, cohorts, reason
        (empty if used); sorted by gene, every gene that any of the cohorts or the platform has.
        ``attrs["selection"]`` says how many genes each rule left.

    Raises
    ------
    AdnormError
        A gene twice in one cohort, or a standard error that is not positive.
    """
    cohorts = training_cohorts(lesional, cohort, simulated, disease)
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
    rules = _rules(table, agree, platform, left_out, settings)
    table["reason"] = first_reason(len(table), [(rule.refused, rule.reason) for rule in rules])
    used = (table["reason"] == "").to_numpy()
    variance = np.nanmean((errors**2 * pairs)[used], axis=1)
    table.loc[used, "weight"] = winsorised(combined.effect[used] / variance)
    table.attrs["selection"] = tell_rules(len(table), rules)
    progress(f"disease axis: {int(used.sum())} genes from {len(cohorts)} other cohorts")
    return table


def _rules(
    table: pd.DataFrame,
    agree: np.ndarray,
    platform: set[str],
    left_out: Mapping[str, str],
    settings: Mapping,
) -> list[Rule]:
    """Say which genes each rule of the selection refuses."""
    cohorts = table["cohorts"].to_numpy()
    agreed = [f"sign agrees in {a} of {n} cohorts" for a, n in zip(agree, cohorts, strict=True)]
    least, rate = settings["minimum_effect"], settings["fdr"]
    sizes = table["effect"].abs()
    few = cohorts < FEWEST_COHORTS
    return [
        Rule(~table["gene"].isin(platform), "not measured in this cohort", "are measured here"),
        Rule(
            table["gene"].isin(left_out),
            table["gene"].map(left_out),
            "do not tell the composition of a biopsy",
        ),
        Rule(
            few,
            f"measured in fewer than {FEWEST_COHORTS} other cohorts",
            f"are measured in at least {FEWEST_COHORTS} other cohorts",
        ),
        Rule(
            ~(table["fdr"] < rate),
            f"FDR not below {rate:g}",
            f"have a false discovery rate below {rate:g} (`index: fdr`)",
            table["fdr"].to_numpy(dtype=float),
            "lowest",
        ),
        Rule(
            ~(sizes > least),
            f"|log2 fold change| not above {least:g}",
            f"differ by more than {least:g} log2 steps (`index: minimum_effect`)",
            sizes.to_numpy(dtype=float),
            "largest",
        ),
        Rule(
            agree < SAME_SIGN * cohorts - 1e-9,
            agreed,
            "have the same sign in two thirds of the cohorts",
        ),
    ]


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
