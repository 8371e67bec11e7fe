"""The disease axis: its gene weights, and the score of every observation on it.

Weights come from other cohorts, from the cohort itself by cross-fitting, or from a published list.
Weights and the trial they judge must not share noise. A gene that was chosen because lesional skin
was high by chance at baseline "improves" by itself, so a useless drug would look useful. A cohort
that shares patients with the judged one is therefore no teacher. And an axis belongs to one
disease: how far psoriasis is from atopic dermatitis says nothing of how far it is from normal skin.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from adnorm.base.errors import AdnormError, listing
from adnorm.base.logs import progress
from adnorm.base.tables import stack
from adnorm.effects.fit import benjamini_hochberg
from adnorm.effects.observations import Observations
from adnorm.index.means import PatientTable
from adnorm.index.meta import combine_studies
from adnorm.index.teaching import Block, Teaching
from adnorm.index.training_cohorts import FEWEST_COHORTS, find_training_cohorts
from adnorm.scores.zscore import moderate_variances
from adnorm.study.axis_genes import AxisGenes
from adnorm.study.comparisons import BASELINE
from adnorm.study.config import IndexSettings
from adnorm.study.diseases import same_disease
from adnorm.study.gene_sets import GeneSet
from adnorm.study.vocabulary import Arm, AxisSource, DerivedScore, Level, ReasonCode, SetRole, State

COLUMNS = [
    *("gene", "weight", "effect", "lower", "upper", "p_value", "fdr", "tau2", "i2", "cohorts"),
    "reason",
]
WINSOR = 0.99
SAME_SIGN = 2 / 3
#: A fold that is trained on fewer pairs has no variance worth the name.
FEWEST_TRAINING_PAIRS = 3


@dataclass(frozen=True)
class AxisWeights:
    """The weights of an axis, for one cohort."""

    #: Shape (genes of the cohort,), or (genes, folds) if cross-fitted; all 0 without an axis.
    weights: np.ndarray
    #: Columns `COLUMNS`, sorted by gene: every gene that any of the cohorts has; weight is 0 with a
    #: reason where a gene is not used, and the mean over folds of a cross-fitted axis.
    table: pd.DataFrame
    #: Why there is no axis; empty if there is one.
    reason: str
    #: Cross-fitted axis: fold of each patient, trained without them; healthy people are in none.
    fold: pd.Series | None = None


# ---------------------------------------------------------------- selection of genes


def excluded_genes(sets: Mapping[str, GeneSet]) -> dict[str, str]:
    """Genes that follow depth, site or cell composition of a biopsy: symbol → the reason."""
    found: dict[str, list[str]] = {}
    for name, gene_set in sets.items():
        if gene_set.role == SetRole.COMPOSITION:
            for gene in gene_set.genes:
                found.setdefault(gene.symbol, []).append(name)
    return {gene: f"composition: in {', '.join(names)}" for gene, names in sorted(found.items())}


@dataclass(frozen=True)
class Rule:
    """One rule of the selection of genes.

    It says which genes it refuses and why (one text, or one per gene), and what is true of those
    that it `kept`, as the end of a sentence. Where a number decides, `values` are what it looks at,
    and `which` of them came nearest to passing, the ``largest`` or the ``lowest``.
    """

    refused: np.ndarray
    reason: str | ArrayLike
    kept: str
    values: np.ndarray | None = None
    which: str = ""


def tell_rules(genes: int, rules: Iterable[Rule]) -> str:
    """Describe how many genes pass each rule in turn, up to the rule that none passes.

    >>> seen, size = np.array([False, False, True]), np.array([0.4, 0.7, 3.0])
    >>> rules = [Rule(seen, "", "are measured"), Rule(size < 1, "", "reach 1", size, "largest")]
    >>> tell_rules(3, rules)
    'of 3 genes 2 are measured, and of these none reach 1 (largest: 0.7)'
    """
    kept = np.ones(genes, dtype=bool)
    steps: list[str] = []
    for rule in rules:
        before, kept = kept, kept & ~rule.refused
        if kept.any():
            if kept.sum() < before.sum():
                steps.append(f"{kept.sum():,} {rule.kept}")
            continue
        nearest = ""
        if rule.values is not None and np.isfinite(rule.values[before]).any():
            best = np.nanmax if rule.which == "largest" else np.nanmin
            nearest = f" ({rule.which}: {best(rule.values[before]):.3g})"
        steps.append(f"{'and of these ' if steps else ''}none {rule.kept}{nearest}")
        break
    return f"of {genes:,} genes " + ", ".join(steps)


def winsorised(weights: np.ndarray) -> np.ndarray:
    """Cut weights (genes,) at the 99th percentile of their absolute values."""
    if not len(weights):
        return weights
    limit = np.quantile(np.abs(weights), WINSOR)
    return np.clip(weights, -limit, limit)


def _effect_rules(
    rate: np.ndarray, size: np.ndarray, settings: IndexSettings, between: str = ""
) -> list[Rule]:
    """A disease gene differs with a low false discovery rate, and by enough."""
    fdr, least = settings.fdr, settings.minimum_effect
    return [
        Rule(
            ~(rate < fdr),
            f"FDR not below {fdr:g}",
            f"have a false discovery rate below {fdr:g} (`index: fdr`)",
            rate,
            "lowest",
        ),
        Rule(
            ~(size > least),
            f"|log2 fold change| not above {least:g}",
            f"differ by more than {least:g} log2 steps{between} (`index: minimum_effect`)",
            size,
            "largest",
        ),
    ]


# ---------------------------------------------------------------- other cohorts


#: What is combined of a gene, and all that is kept of it.
_OF_GENE = ("effect", "lower", "upper", "p_value", "tau2", "i2")
_COMBINED = ["gene", "cohorts", *_OF_GENE, "agree", "variance"]


def _combined(block: Block, confidence: float) -> pd.DataFrame:
    """Combine some genes over the cohorts that teach; those that none of them has are left out."""
    combined = combine_studies(block.effects, block.errors**2, confidence)
    same = np.sign(block.effects) == np.sign(combined.effect)[:, None]
    variances = block.errors**2 * block.pairs
    variance = np.full(len(variances), np.nan)
    some = np.isfinite(variances).any(axis=1)
    variance[some] = np.nanmean(variances[some], axis=1)
    table = pd.DataFrame({"gene": block.genes, "cohorts": combined.studies}, columns=_COMBINED)
    for column in _OF_GENE:
        table[column] = getattr(combined, column)
    table = table.assign(agree=same.sum(axis=1), variance=variance)
    return table.iloc[np.flatnonzero(block.there.any(axis=1))]


def _counts(column: pd.Series) -> np.ndarray:
    """Whole numbers; 0 for genes that no cohort has."""
    return np.nan_to_num(column.to_numpy(dtype=float)).astype(int)


def train_axis(
    lesional: Teaching,
    cohorts: Sequence[str],
    genes: np.ndarray,
    excluded: Mapping[str, str],
    settings: IndexSettings,
) -> AxisWeights:
    """Train the axis of a cohort on other cohorts of its disease.

    A random-effects meta-analysis of every gene gives its effect d. A gene is used if at least two
    cohorts measured it, its false discovery rate is below ``fdr``, |d| above ``minimum_effect``,
    two thirds of the cohorts agree on its sign, the judged cohort measured it and it is not among
    `excluded`. Its weight is d / σ², σ² the mean over cohorts of SE² × pairs, and the largest
    weights are cut at the 99th percentile.

    The false discovery rate is that of the normal-theory p-value: with three cohorts, Hartung and
    Knapp's test has two degrees of freedom and finds nothing among thousands of genes. A false gene
    costs precision but no bias, because the judged cohort had no say in the choice. The interval
    is Hartung and Knapp's.

    `lesional` is what all cohorts teach, `cohorts` those that teach this one
    (`find_training_cohorts`), and `genes` are those of the judged cohort.
    """
    platform = set(genes)
    parts = [_combined(block, settings.confidence) for block in lesional.blocks(cohorts)]
    taught = stack([pd.DataFrame(columns=_COMBINED), *parts])
    known = sorted(platform | set(taught["gene"]))
    found = taught.set_index("gene").reindex(known)
    studies = _counts(found["cohorts"])
    table = pd.DataFrame({"gene": known, "weight": 0.0, "cohorts": studies}, columns=COLUMNS)
    for column in _OF_GENE:
        table[column] = found[column].to_numpy(dtype=float)
    effect, p_value = (table[column].to_numpy(dtype=float) for column in ("effect", "p_value"))
    table["fdr"] = benjamini_hochberg(p_value)
    agree = _counts(found["agree"])
    agreement = [f"sign agrees in {a} of {n} cohorts" for a, n in zip(agree, studies, strict=True)]
    rules = [
        Rule(
            ~table["gene"].isin(platform).to_numpy(),
            "not measured in this cohort",
            "are measured here",
        ),
        Rule(
            table["gene"].isin(excluded).to_numpy(),
            table["gene"].map(excluded),
            "do not tell the composition of a biopsy",
        ),
        Rule(
            studies < FEWEST_COHORTS,
            f"measured in fewer than {FEWEST_COHORTS} other cohorts",
            f"are measured in at least {FEWEST_COHORTS} other cohorts",
        ),
        *_effect_rules(table["fdr"].to_numpy(dtype=float), np.abs(effect), settings),
        Rule(
            agree < SAME_SIGN * studies - 1e-9,
            agreement,
            "have the same sign in two thirds of the cohorts",
        ),
    ]
    refused, reasons = [rule.refused for rule in rules], [rule.reason for rule in rules]
    table["reason"] = np.select(refused, reasons, default="")
    used = (table["reason"] == "").to_numpy()
    variance = found["variance"].to_numpy(dtype=float)[used]
    table.loc[used, "weight"] = winsorised(effect[used] / variance)
    progress(f"disease axis: {int(used.sum())} genes from {len(cohorts)} other cohorts")
    weights = table.set_index("gene")["weight"].reindex(genes, fill_value=0.0).to_numpy()
    if weights.any():
        return AxisWeights(weights, table, "")
    return AxisWeights(
        weights,
        table,
        f"no gene is chosen from {listing(cohorts, 4)}: {tell_rules(len(table), rules)}",
    )


# ---------------------------------------------------------------- cross-fitting


def fit_crossfit_axis(
    log2: np.ndarray,
    genes: np.ndarray,
    observations: pd.DataFrame,
    excluded: Mapping[str, str],
    settings: IndexSettings,
    seed: int,
) -> AxisWeights:
    """Train the axis inside a cohort, so that no patient is judged by weights that know them.

    Patients are assigned to folds, each arm evenly. For every fold, genes are chosen and weighted
    by the paired lesional − nonlesional differences of the patients outside it: moderated paired
    t, false discovery rate, minimum effect and weight as in `train_axis`. `log2` is finite, shape
    (genes, observations); `observations` has one row per patient, state and visit.
    """
    table = PatientTable.of(log2.T, observations)
    fold = assign_folds(table.patients, table.arm, settings.folds, seed)
    both = table.baseline_difference(State.NONLESIONAL)
    rows, pairs = (both[0].rows, both[0].values) if both else (np.empty(0, int), log2[:, :0].T)
    own = fold.reindex(table.patients[rows]).to_numpy()
    allowed = ~np.isin(genes, list(excluded))
    count = int(fold.max()) + 1 if len(fold) else 1
    weights = np.zeros((len(genes), count))
    reason, short = "", "not chosen in any fold of the cross-fit"
    for code in range(count):
        training = pairs[own != code]
        if len(training) < FEWEST_TRAINING_PAIRS or count < 2:
            reason = (
                f"{len(rows)} patients have lesional and nonlesional skin at baseline: too few "
                "to train an axis on some of them and judge the others (at least "
                f"{FEWEST_TRAINING_PAIRS} are required besides those who are judged)"
            )
            short = "no axis: too few patients"
            break
        weights[:, code], rules = _fold_weights(training, allowed, settings)
        if not weights[:, code].any():
            reason = (
                f"no gene is chosen in fold {code + 1} of {count} of the cross-fit, which is "
                f"trained on {len(training)} patients: {tell_rules(len(genes), rules)}"
            )
            short = "no axis: a fold of the cross-fit chooses no gene"
            break
        # Folds choose other genes and so have other units: in all of them the disease effect of
        # those who trained it is 1.
        weights[:, code] /= training.mean(axis=0) @ weights[:, code]
    if reason:
        weights = np.zeros_like(weights)
    progress(
        f"no disease axis: {reason}"
        if reason
        else f"disease axis: {int(weights.any(axis=1).sum())} genes, cross-fitted in {count} folds"
    )
    described = _describe(pairs, genes, weights, settings.confidence)
    described["reason"] = np.select(
        [described["gene"].isin(excluded).to_numpy(), ~weights.any(axis=1)],
        [described["gene"].map(excluded).to_numpy(dtype=object), np.array(short)],
        default="",
    )
    described = described.sort_values("gene", kind="stable", ignore_index=True)
    return AxisWeights(weights, described, reason, fold)


def assign_folds(patients: np.ndarray, arms: np.ndarray, folds: int, seed: int) -> pd.Series:
    """Assign patients to folds at random, each arm evenly; the order of samples plays no part.

    Fold by patient, sorted; healthy people are left out.
    """
    sheet = pd.DataFrame({"patient": patients.astype(str), "arm": arms.astype(str)})
    sheet = sheet[sheet["arm"] != Arm.HEALTHY].sort_values(["arm", "patient"])
    # Lesions of one patient in several arms go together.
    sheet = sheet.drop_duplicates("patient")
    rng = np.random.default_rng(seed)
    shuffled = [
        name
        for _, group in sheet.groupby("arm", sort=True)
        for name in rng.permutation(group["patient"].to_numpy())
    ]
    count = max(min(folds, len(shuffled)), 1)
    return pd.Series(np.arange(len(shuffled)) % count, index=shuffled, name="fold").sort_index()


def _paired_test(pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Mean difference, moderated variance of a difference, p-value and degrees of freedom."""
    effect = pairs.mean(axis=0)
    variance, freedom, _ = moderate_variances(pairs.var(axis=0, ddof=1), len(pairs) - 1)
    error = np.sqrt(variance / len(pairs))
    t = np.divide(effect, error, out=np.full_like(effect, np.inf), where=error > 0)
    t[(error == 0) & (effect == 0)] = 0.0
    return effect, variance, 2 * stats.t.sf(np.abs(t), freedom), freedom


def _fold_weights(
    training: np.ndarray, allowed: np.ndarray, settings: IndexSettings
) -> tuple[np.ndarray, list[Rule]]:
    """Weights of the genes that pass the rules, and the rules."""
    effect, variance, p_value, _ = _paired_test(training)
    rate, between = benjamini_hochberg(p_value), " between lesional and nonlesional skin"
    rules = [
        Rule(~allowed, "", "do not tell the composition of a biopsy"),
        Rule(~(variance > 0), "", "vary between patients"),
        *_effect_rules(rate, np.abs(effect), settings, between),
    ]
    chosen = ~np.any([rule.refused for rule in rules], axis=0)
    weights = np.zeros(len(effect))
    weights[chosen] = winsorised(effect[chosen] / variance[chosen])
    return weights, rules


def _describe(
    pairs: np.ndarray, genes: np.ndarray, weights: np.ndarray, confidence: float
) -> pd.DataFrame:
    """Lay out the axis as `train_axis` does; effects are those of all patients of the cohort."""
    table = pd.DataFrame({"gene": genes.astype(str), "weight": weights.mean(axis=1)})
    table = table.reindex(columns=COLUMNS)
    table["cohorts"] = 1
    if len(pairs) >= 2:
        effect, variance, p_value, freedom = _paired_test(pairs)
        margin = stats.t.ppf(0.5 + confidence / 2, freedom) * np.sqrt(variance / len(pairs))
        table["effect"], table["lower"], table["upper"] = effect, effect - margin, effect + margin
        table["p_value"], table["fdr"] = p_value, benjamini_hochberg(p_value)
    return table


# ---------------------------------------------------------------- scores on the axis

#: Opens the reason of rows on a list that the cohort helped to make.
NOT_INDEPENDENT = "not independent"


@dataclass(frozen=True)
class DiseaseAxis:
    """An axis of a cohort and the scores on it.

    Attributes
    ----------
    table
        axis.tsv: one row per gene, with the columns ``source`` (``other cohorts``, ``cross-fit`` or
        the published list) and ``disease``.
    scores
        Shape (observations,); NaN where there is no axis.
    reason_code, reason
        Why there is none; empty if there is one.
    basis
        Whose axis it is, in words: the disease, and who taught it.
    name, level
        Of its rows in the index table.
    weights, fold
        As `axis_scores` takes them; no weights where there is no axis.
    """

    table: pd.DataFrame
    scores: np.ndarray
    reason_code: str = ""
    reason: str = ""
    basis: str = ""
    name: str = DerivedScore.GLOBAL
    level: Level = Level.GLOBAL
    weights: np.ndarray | None = None
    fold: pd.Series | None = None


def axis_scores(
    log2: np.ndarray,
    observations: pd.DataFrame,
    weights: np.ndarray,
    fold: pd.Series | None = None,
) -> np.ndarray:
    """Score observations on the axis: Σ w (y − mean of nonlesional skin at baseline).

    Where there is no nonlesional skin at baseline, 0 is the mean of healthy skin. `weights` has
    the shape (genes,), or (genes, folds) of a cross-fitted axis. Then patients are scored by the
    weights of the fold that was trained without them; a person in no fold (healthy) by their mean,
    each fold counting as many times as it has patients, so that both stand on one scale.
    """
    weights = np.asarray(weights, dtype=float).reshape(len(log2), -1)
    used = np.flatnonzero(np.any(weights != 0, axis=1))
    scores = log2[used].T @ weights[used]
    scores = scores - scores[_zero(observations)].mean(axis=0)
    if fold is None:
        return scores[:, 0]
    codes = observations["patient"].astype(str).map(fold).to_numpy(dtype=float)
    sizes = np.bincount(fold.to_numpy(), minlength=weights.shape[1])
    result = scores @ (sizes / sizes.sum())
    in_fold = np.isfinite(codes)
    result[in_fold] = scores[in_fold, codes[in_fold].astype(int)]
    return result


def _zero(observations: pd.DataFrame) -> np.ndarray:
    """The observations whose mean is 0 on the axis."""
    states = observations["state"].astype(str).to_numpy()
    start = observations["week"].to_numpy(dtype=float) == BASELINE
    for state in (State.NONLESIONAL, State.HEALTHY):
        if (start & (states == state)).any():
            return start & (states == state)
    raise AdnormError(
        "the disease axis needs nonlesional or healthy skin at baseline as its zero, and this "
        "cohort has neither"
    )


def disease_axis(
    data: Observations,
    lesional: Teaching,
    excluded: Mapping[str, str],
    settings: IndexSettings,
    seed: int,
    label_swap: str = "",
) -> DiseaseAxis:
    """Train the axis on the other cohorts of the disease, or inside this one if they are too few.

    An axis that a cohort trains itself takes its direction from its labels: it is refused where
    they look exchanged (`label_swap` says why). `lesional` is what all cohorts teach.
    """
    disease, observations = str(data.facts["disease"]), data.combined
    training = find_training_cohorts(
        lesional.facts, str(data.facts["cohort"]), bool(data.facts["simulated"]), disease
    )
    basis = f"axis of {disease}"
    if training.enough:
        source = AxisSource.OTHER_COHORTS
        axis = train_axis(lesional, training.cohorts, data.genes, excluded, settings)
        because = [axis.reason, training.missed, training.mistaken]
        many, names = len(training.cohorts), ", ".join(training.cohorts)
        taught = f"{basis}, trained on {many} other cohorts ({names})"
        basis = "; ".join(filter(None, [taught, training.missed, training.mistaken]))
    else:
        source = AxisSource.CROSS_FIT
        axis = fit_crossfit_axis(data.log2, data.genes, observations, excluded, settings, seed)
        because = [training.too_few, f"here {axis.reason}"]
        basis += f", cross-fitted over the patients of this cohort: {training.too_few}"
    table = axis.table.assign(source=source, disease=disease)
    unknown = np.full(len(observations), np.nan)
    if axis.reason:
        reason = f"no disease axis: {'; '.join(filter(None, because))}"
        return DiseaseAxis(table, unknown, ReasonCode.NOT_SCORED, reason)
    if label_swap and source == AxisSource.CROSS_FIT:
        return DiseaseAxis(table, unknown, ReasonCode.DIRECTION_CONTRADICTED, label_swap)
    scores = axis_scores(data.log2, observations, axis.weights, axis.fold)
    return DiseaseAxis(table, scores, basis=basis, weights=axis.weights, fold=axis.fold)


def published_axis(
    data: Observations,
    listed: AxisGenes,
    excluded: Mapping[str, str],
    renames: Mapping[str, str],
    minimum_genes: int,
    minimum_fraction: float,
) -> DiseaseAxis:
    """Score every observation on a published list, beside the axis that is trained here.

    Every gene of the list has a row in its table, with the weight 0 and the reason if it is not
    used. A cohort of another disease is not judged on the list, nor one that has too little of it.

    Parameters
    ----------
    excluded
        Symbol → reason (`excluded_genes`).
    renames
        Retired symbol → approved symbol, for lists that are older than the cohort.
    """
    disease = str(data.facts.get("disease", listed.disease))
    here = same_disease(disease, listed.disease)
    genes = [renames.get(gene, gene) for gene in listed.weights]
    table = pd.DataFrame({"gene": genes, "weight": list(listed.weights.values())})
    table = table.reindex(columns=COLUMNS).assign(
        source=f"{AxisSource.PUBLISHED_LIST} {listed.name}", disease=listed.disease
    )
    undetected = set(map(str, data.facts.get("undetected", ())))
    older = table["gene"].duplicated().to_numpy()
    other = table["gene"].isin(excluded).to_numpy()
    hidden = table["gene"].isin(undetected).to_numpy()
    unmeasured = ~table["gene"].isin(data.genes).to_numpy()
    reasons: list[ArrayLike] = [
        f"of {listed.disease}, this cohort is of {disease}",
        "stands in the list under an older symbol as well",
        table["gene"].map(excluded).to_numpy(dtype=object),
        "below the expression filter in this cohort",
        "not measured in this cohort",
    ]
    elsewhere = np.full(len(table), not here)
    table["reason"] = np.select([elsewhere, older, other, hidden, unmeasured], reasons, default="")
    used = table["reason"] == ""
    table.loc[~used, "weight"] = 0.0
    size, measured = int((~older & ~other).sum()), int(used.sum())
    table = table.sort_values("gene", kind="stable", ignore_index=True)
    code, reason, basis = "", "", f"axis of {listed.disease}, published list {listed.name}"
    if not here:
        code, reason = (
            ReasonCode.OTHER_DISEASE,
            f"the list {listed.name} is of {listed.disease}, and this cohort is of {disease}; a "
            "list of another disease says so in a column `disease`",
        )
    elif measured < minimum_genes or measured < minimum_fraction * size:
        code, reason = (
            ReasonCode.LOW_COVERAGE,
            f"{measured} of {size} genes of the list {listed.name} are measured here; at least "
            f"{minimum_genes} and {100 * minimum_fraction:g}% of them are required",
        )
    if code:
        unknown = np.full(len(data.combined), np.nan)
        return DiseaseAxis(
            table, unknown, code, reason, name=listed.name, level=Level.PUBLISHED_AXIS
        )
    weights = table[table["weight"] != 0].set_index("gene")["weight"]
    aligned = weights.reindex(data.genes, fill_value=0.0).to_numpy()
    return DiseaseAxis(
        table,
        axis_scores(data.log2, data.combined, aligned),
        basis=basis,
        name=listed.name,
        level=Level.PUBLISHED_AXIS,
        weights=aligned,
    )


def dependence(listed: AxisGenes, accession: str) -> str:
    """Describe that a list was made with the help of a cohort (by its accession); empty if not."""
    if accession not in listed.trained_on:
        return ""
    return f"{NOT_INDEPENDENT}: the list {listed.name} was made from {accession} among others"
