"""Gene-set enrichment of every comparison: preranked GSEA, and beside it a competitive test.

GSEA permutes genes. Genes of a set move together, so its p-values are too small; they rank sets,
and the competitive test (camera), which estimates that correlation from the residuals of the same
model, says which of them stand out. For counts, camera sees voom's log2 values without voom's
weights: the weighted form refits every gene for every contrast (minutes), and the weights hardly
matter for a mean over the genes of a set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csc_matrix

from adnorm.base.errors import AdnormError, listing
from adnorm.base.logs import how_far, progress
from adnorm.effects.design import FitPlan
from adnorm.effects.fit import Absorbed, adjust_by_family, parts_of
from adnorm.effects.observations import Observations
from adnorm.study.config import EnrichmentSettings
from adnorm.study.gene_sets import GeneSet

COLUMNS = ["contrast", "set", "part", "es", "nes", "p_value", "fdr", "size", "leading_edge"]
COLUMNS += ["camera_direction", "camera_p_value", "camera_fdr", "inter_gene_correlation"]
COLUMNS += ["family", "status", "reason"]
#: What one comparison gives; the coverage of the sets adds the rest.
ROWS = [name for name in COLUMNS if name != "status"]
_NUMBERS = ["es", "nes", "p_value", "fdr"]
_NUMBERS += ["camera_p_value", "camera_fdr", "inter_gene_correlation"]

#: (set, part) → symbols
Parts = dict[tuple[str, str], tuple[str, ...]]

#: Smallest p-value that multilevel sampling resolves; smaller ones are given as this one, never as
#: 0. Each further power of ten costs as much again, and gene permutation overstates them anyway.
SMALLEST_P_VALUE = 1e-6
#: Gene sets that multilevel sampling keeps at each level (fgsea: 101). Half of it halves the time;
#: NES does not change, and p near 1e-6 is known within a factor of two (one standard deviation).
SAMPLE_SIZE = 51
#: As in limma: a gene that does not vary around the model has no say in what its set does.
_SMALLEST_VARIANCE = 1e-8
#: Random sets of a size that NES is normalized by (the default of gseapy).
_PERMUTATIONS = 1000
#: More genes than this share with the same statistic make the order of a ranking arbitrary.
LARGEST_TIED_FRACTION = 0.01


def split_sets(sets: Mapping[str, GeneSet]) -> Parts:
    """Split sets into parts that move one way.

    A signed set gives its part ``up``, its part ``down`` or both; an unsigned set gives ``all``.
    """
    parts: Parts = {}
    for name, gene_set in sets.items():
        if not gene_set.signed:
            parts[name, "all"] = tuple(gene.symbol for gene in gene_set.scored)
            continue
        for part, genes in (("up", gene_set.up), ("down", gene_set.down)):
            if genes:
                parts[name, part] = tuple(gene.symbol for gene in genes)
    return parts


def rank_genes(genes: np.ndarray, statistic: np.ndarray, contrast: str) -> pd.Series:
    """Order genes by their moderated t, largest first; equal ones by name.

    Raises
    ------
    AdnormError
        The statistic is missing or infinite for a gene, or a gene occurs twice.
    """
    problem = ""
    unusable = ~np.isfinite(statistic)
    twice = pd.Series(genes).duplicated().to_numpy()
    if unusable.any():
        problem = f"t is missing or infinite for {listing(genes[unusable], 5)}"
    elif twice.any():
        problem = f"genes occur twice: {listing(genes[twice], 5)}"
    if problem:
        raise AdnormError(f"effects.tsv, contrast '{contrast}': {problem}")
    order = np.lexsort((genes, -statistic))
    return pd.Series(statistic[order], index=genes[order])


def arbitrary_order(ranking: pd.Series) -> str:
    """Explain why a ranking has too many ties for GSEA; empty when it has not.

    Values that were cut off at a floor or rounded give many genes the same statistic.

    Examples
    --------
    >>> arbitrary_order(pd.Series([2.0, 1.0, 0.0, 0.0]))
    '50.0% of 4 genes share their t with another gene (allowed: 1%): no order for GSEA; see camera'
    """
    tied = float(ranking.duplicated(keep=False).mean())
    if tied <= LARGEST_TIED_FRACTION:
        return ""
    return (
        f"{tied:.1%} of {len(ranking)} genes share their t with another gene (allowed: "
        f"{LARGEST_TIED_FRACTION:.0%}): no order for GSEA; see camera"
    )


def _why_not(size: int, detected: int, settings: EnrichmentSettings) -> str:
    """Explain why a part is not tested; empty when it is."""
    if detected > settings.maximum_size:
        return f"{detected} genes measured; at most {settings.maximum_size} are tested"
    if detected < settings.minimum_size:
        return f"{detected} of {size} genes measured; at least {settings.minimum_size} are needed"
    return ""


def preranked(ranking: pd.Series, tested: Parts, seed: int) -> pd.DataFrame:
    """Run preranked GSEA by multilevel sampling (gseapy's port of fgsea).

    `tested` holds the measured genes of each part. The result is indexed by (set, part): es, nes,
    p_value, size, leading_edge (";"-joined, in the order of the ranking from its end inwards).

    References
    ----------
    Subramanian A et al. (2005). PNAS 102:15545. Korotkevich G et al. (2021). bioRxiv 060012.
    """
    from gseapy.gse import fgsea_rs

    place = {gene: i for i, gene in enumerate(ranking.index)}
    keys = sorted(tested)
    # What gseapy.prerank calls in the end; around it are checks of 20,000 names for each
    # comparison, and copies of running sums, which take as long as the sampling.
    found = fgsea_rs(
        [f"G{i:06d}" for i in range(len(ranking))],
        ranking.to_list(),
        {f"S{i:06d}": [f"G{place[g]:06d}" for g in tested[key]] for i, key in enumerate(keys)},
        1.0,  # weight of the statistic
        1,  # smallest and
        len(ranking),  # largest set
        SAMPLE_SIZE,
        _PERMUTATIONS,
        SMALLEST_P_VALUE,
        1,  # thread
        seed,
    )
    results = {keys[int(result.term[1:])]: result for result in found.summaries}
    dropped = [f"{name} ({part})" for name, part in keys if (name, part) not in results]
    if dropped:
        raise AdnormError(
            f"gseapy returned no result for {listing(dropped)}; the run is not complete"
        )
    return pd.DataFrame(
        {
            "es": [float(results[key].es) for key in keys],
            "nes": [float(results[key].nes) for key in keys],
            "p_value": np.maximum([float(results[key].pval) for key in keys], SMALLEST_P_VALUE),
            "size": [len(tested[key]) for key in keys],
            "leading_edge": [";".join(ranking.index[_leading_edge(results[key])]) for key in keys],
        },
        index=pd.MultiIndex.from_tuples(keys, names=["set", "part"]),
    )


def _leading_edge(result: Any) -> list[int]:
    """Places of the genes up to the extreme of the running sum, from the end of the ranking."""
    running = np.array(result.run_es)
    if float(result.es) >= 0:
        last = running.argmax()
        return [hit for hit in result.hits if hit <= last]
    last = running.argmin()
    return [hit for hit in result.hits if hit >= last][::-1]


@dataclass(frozen=True)
class Variation:
    """What the competitive test takes from the fit of one model, for all of its comparisons.

    Attributes
    ----------
    effects
        Estimates in units of the residual standard deviation × their own error, shape (genes,
        comparisons).
    variance
        Of the residuals of each gene, shape (genes,).
    freedom
        Degrees of freedom of the residuals.
    members
        Rows of the genes of each tested set, by (set, part).
    inflation
        Of the variance of the mean of each set by the correlation of its genes.
    """

    effects: np.ndarray
    variance: np.ndarray
    freedom: int
    members: dict[tuple[str, str], np.ndarray]
    inflation: dict[tuple[str, str], float]


def variation_of(
    log2_of: Callable[[slice], np.ndarray], genes: np.ndarray, plan: FitPlan, tested: Parts
) -> Variation:
    """Fit a model by least squares, and see how the residuals of the genes of a set go together.

    limma's camera makes an orthogonal matrix as large as the samples squared for each comparison.
    The square of the mean standardized residual of a set is the same in any basis, and all
    comparisons of a model have the same residuals; so one fit of some genes at a time gives all.

    `log2_of` gives the log2 expression of some of the `genes` in the model's samples.
    """
    found, samples = Absorbed(plan.model, plan.group_weights), len(plan.model.rows)
    row = {gene: i for i, gene in enumerate(genes)}
    members = {key: np.array([row[g] for g in tested[key]]) for key in sorted(tested)}
    sizes = [len(rows) for rows in members.values()]
    place = (np.repeat(np.arange(len(sizes)), sizes), np.concatenate([*members.values()]))
    belongs = csc_matrix((np.ones(sum(sizes)), place), shape=(len(sizes), len(genes)))
    effects, variance = np.zeros((len(genes), len(found.error))), np.zeros(len(genes))
    sums = np.zeros((len(sizes), samples))
    for part in parts_of(len(genes), samples):
        effects[part], residual = found.fit(log2_of(part))
        variance[part] = np.einsum("gn,gn->g", residual, residual) / found.freedom
        residual /= np.sqrt(np.maximum(variance[part], _SMALLEST_VARIANCE))[:, None]
        sums += belongs[:, part] @ residual
    inflation = (sums**2).sum(axis=1) / sizes / found.freedom
    together = dict(zip(members, inflation.tolist(), strict=True))
    return Variation(effects / found.error, variance, found.freedom, members, together)


def competitive(variation: Variation, position: int, correlation: float | None) -> pd.DataFrame:
    """Test whether genes of a set move more than the others, given that they move together.

    `position` says which comparison of the model is tested; a `correlation` of ``None`` is
    estimated for each set. The result is indexed by (set, part): camera_direction (up|down),
    camera_p_value, inter_gene_correlation. The numbers are those of limma's camera.

    References
    ----------
    Wu D, Smyth G K (2012). Nucleic Acids Research 40:e133.
    """
    import pylimma
    from scipy import stats

    count, freedom = len(variation.variance), variation.freedom
    prior = pylimma.squeeze_var(variation.variance, df=freedom)
    t = variation.effects[:, position] / np.sqrt(prior["var_post"])
    total = min(freedom + prior["df_prior"], count * freedom)
    score = pylimma.zscore_t(t, df=total, approx=True, method="hill")
    sizes = np.array([len(rows) for rows in variation.members.values()])
    change = np.array([score[rows].mean() for rows in variation.members.values()]) - score.mean()
    inflation = np.array(list(variation.inflation.values()))
    used = np.where(sizes > 1, (inflation - 1) / np.maximum(sizes - 1, 1), np.nan)
    if correlation is not None:
        inflation, used = 1 + (sizes - 1) * correlation, np.full(len(sizes), correlation)
    inflation = np.where(sizes > 1, np.maximum(inflation, 1.0), 1.0)
    others = count - sizes
    difference = count / others * change
    within = (count - 1) * np.var(score, ddof=1) - difference**2 * sizes * others / count
    error = np.sqrt(within / (count - 2) * (inflation / sizes + 1 / others))
    df = count - 2 if correlation is not None else min(freedom, count - 2)
    down, up = (side(difference / error, df) for side in (stats.t.cdf, stats.t.sf))
    return pd.DataFrame(
        {
            "camera_direction": np.where(down < up, "down", "up"),
            "camera_p_value": np.maximum(2 * np.minimum(down, up), np.finfo(float).tiny),
            "inter_gene_correlation": used,
        },
        index=pd.MultiIndex.from_tuples(variation.members, names=["set", "part"]),
    )


@dataclass
class ModelOfSets:
    """One model, and what its enrichment rests on; fitted when the first comparison asks for it.

    Attributes
    ----------
    plan
        The model and its comparisons.
    genes
        Symbols of all genes.
    log2_of
        Log2 expression of some of them (rows) in the samples of the model.
    """

    plan: FitPlan
    genes: np.ndarray
    log2_of: Callable[[np.ndarray], np.ndarray]
    _known: tuple[frozenset[str], frozenset[tuple[str, str]]] | None = None
    _found: Variation | None = None

    def variation(self, ranked: pd.Index, tested: Parts) -> Variation:
        """Give the fit of the ranked genes; comparisons of a model have the same ones."""
        known = frozenset(map(str, ranked)), frozenset(tested)
        if self._found is None or known != self._known:
            rows = np.flatnonzero(np.isin(self.genes, ranked.to_numpy(dtype=str)))
            self._found = variation_of(
                lambda part: self.log2_of(rows[part]), self.genes[rows], self.plan, tested
            )
            self._known = known
        return self._found


def enrich(
    ranking: pd.Series,
    model: ModelOfSets,
    position: int,
    parts: Parts,
    families: Mapping[str, str],
    settings: EnrichmentSettings,
    seed: int,
) -> pd.DataFrame:
    """Test all parts of all sets in one comparison: `ROWS`, sorted by set and part.

    `ranking` holds the moderated t by gene (`rank_genes`), `model` has at least those genes,
    `position` says which of its comparisons this is.
    Both false discovery rates are over the tested parts of one family in this comparison.
    """
    known = set(ranking.index)
    detected = {key: tuple(g for g in members if g in known) for key, members in parts.items()}
    index = pd.MultiIndex.from_tuples(sorted(parts), names=["set", "part"])
    table = pd.DataFrame(index=index, columns=ROWS[3:], dtype=object)
    table["size"] = [len(detected[key]) for key in index]
    table["reason"] = [_why_not(len(parts[key]), len(detected[key]), settings) for key in index]
    table["family"] = [families[name] for name, _ in index]
    tested = {key: detected[key] for key in index[table["reason"] == ""]}
    if tested:
        chosen = settings.inter_gene_correlation
        correlation = None if chosen == "estimated" else float(chosen)
        results = competitive(model.variation(ranking.index, tested), position, correlation)
        refused = arbitrary_order(ranking)
        if refused:
            results["p_value"] = np.nan
        else:
            results = preranked(ranking, tested, seed).join(results)
        family = table.loc[results.index, "family"].to_numpy(dtype=str)
        for fdr, p_value in (("fdr", "p_value"), ("camera_fdr", "camera_p_value")):
            results[fdr] = adjust_by_family(results[p_value].to_numpy(dtype=float), family)
        table.loc[results.index, results.columns] = results
        failed = results.index[results["p_value"].isna()]
        unsampled = "GSEA's sampling found no score of this sign; see camera"
        table.loc[failed, "reason"] = refused or unsampled
    table.insert(0, "contrast", model.plan.comparisons[position].name)
    table[_NUMBERS] = table[_NUMBERS].astype(float)
    return table.reset_index()[ROWS]


def enrich_comparisons(
    data: Observations,
    plans: list[FitPlan],
    effects: pd.DataFrame,
    sets: Mapping[str, GeneSet],
    coverage: pd.DataFrame,
    settings: EnrichmentSettings,
    seed: int,
) -> pd.DataFrame:
    """Test all gene sets in every comparison.

    Parameters
    ----------
    data, plans
        Expression, and the models with their contrasts.
    effects
        contrast, gene, t: rows of every comparison of the plans.
    sets
        Gene sets by name.
    coverage
        set, status, reason: a set with low coverage stays flagged here.
    settings
        Section ``enrichment`` of the configuration.
    seed
        Of GSEA's sampling.

    Returns
    -------
    DataFrame
        `COLUMNS`, sorted by contrast, set and part.
    """
    parts = split_sets(sets)
    families = {name: gene_set.family for name, gene_set in sets.items()}
    by_contrast = dict(list(effects.groupby("contrast")))
    frames: list[pd.DataFrame] = []
    for plan in plans:
        model = ModelOfSets(plan, data.genes, partial(data.voom_log2, plan.model.rows))
        for position, comparison in enumerate(plan.comparisons):
            rows = by_contrast[comparison.name]
            ranking = rank_genes(
                rows["gene"].to_numpy(dtype=str), rows["t"].to_numpy(dtype=float), comparison.name
            )
            frames.append(enrich(ranking, model, position, parts, families, settings, seed))
            if len(frames) % 5 == 0 and len(frames) < len(by_contrast):
                how_far(f"{len(frames)} of {len(by_contrast)} contrasts tested")
    if not frames:
        progress("no contrast to test: the table has no rows")
    else:
        progress(f"{len(frames)} contrasts tested")
    table = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=ROWS)
    table = flag_coverage(table, coverage)
    return table.sort_values(["contrast", "set", "part"], kind="stable")


def flag_coverage(table: pd.DataFrame, coverage: pd.DataFrame) -> pd.DataFrame:
    """Carry the coverage of each set into its rows, so that a flagged set stays flagged.

    Where nothing else explains a row, ``reason`` says what the coverage is.
    """
    known = coverage.set_index("set")
    flagged = table.assign(status=table["set"].map(known["status"]))
    why = flagged["set"].map(known["reason"])
    silent = flagged["reason"].isna() | (flagged["reason"] == "")
    flagged.loc[silent, "reason"] = why[silent]
    return flagged[COLUMNS]
