"""Gene-set enrichment of every comparison: preranked GSEA, and beside it a competitive test.

GSEA permutes genes. Genes of a set move together, so its p-values are too small; they rank sets,
and the competitive test (camera), which estimates that correlation from the residuals of the same
model, says which of them stand out. For counts, camera sees voom's log2 values without voom's
weights: the weighted form refits every gene for every contrast (minutes), and the weights hardly
matter for a mean over the genes of a set.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError, listing
from adnorm.effects.contrasts import FitPlan
from adnorm.effects.fit import adjust_by_family
from adnorm.effects.gene_set_tests import Parts, competitive, preranked

if TYPE_CHECKING:
    from adnorm.study.gene_sets import GeneSet

COLUMNS = [
    "contrast",
    "set",
    "part",
    "es",
    "nes",
    "p_value",
    "fdr",
    "size",
    "leading_edge",
    "camera_direction",
    "camera_p_value",
    "camera_fdr",
    "inter_gene_correlation",
    "family",
    "status",
    "reason",
]

#: What one comparison gives; `flag_coverage` adds the rest.
ROWS = [name for name in COLUMNS if name != "status"]

_NUMBERS = (
    "es",
    "nes",
    "p_value",
    "fdr",
    "camera_p_value",
    "camera_fdr",
    "inter_gene_correlation",
)

#: More genes than this share with the same statistic make the order of a ranking arbitrary.
LARGEST_TIED_FRACTION = 0.01


def split_sets(sets: Mapping[str, GeneSet]) -> Parts:
    """Split sets into parts that move one way.

    Parameters
    ----------
    sets
        Gene sets by name.

    Returns
    -------
    dict
        (set, part) → symbols. A signed set gives its part ``up``, its part ``down`` or both; an
        unsigned set gives ``all``.
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
    """Order genes by a statistic, largest first; equal ones by name, so that the order is defined.

    Parameters
    ----------
    genes
        Symbols, shape (genes,).
    statistic
        Moderated t, shape (genes,).
    contrast
        Named in messages.

    Returns
    -------
    Series
        The statistic by gene, in order.

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
    """Say why a ranking has no order that GSEA can rest on; empty when it has one.

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


def _found(parts: Parts, genes: pd.Index) -> Parts:
    known = set(genes)
    return {key: tuple(g for g in symbols if g in known) for key, symbols in parts.items()}


def _tested(found: Parts, minimum: int, maximum: int) -> Parts:
    return {key: symbols for key, symbols in found.items() if minimum <= len(symbols) <= maximum}


def _why_not(asked: int, found: int, minimum: int, maximum: int) -> str:
    if found > maximum:
        return f"{found} genes measured; at most {maximum} are tested"
    return f"{found} of {asked} genes measured; at least {minimum} are needed"


def enrich(
    ranking: pd.Series,
    values: np.ndarray,
    genes: np.ndarray,
    plan: FitPlan,
    position: int,
    parts: Parts,
    families: Mapping[str, str],
    settings: dict,
    seed: int,
) -> pd.DataFrame:
    """Test all parts of all sets in one comparison.

    Parameters
    ----------
    ranking
        Moderated t by gene (`rank_genes`).
    values, genes
        Log2 expression of the model's samples, and the symbols of its rows; at least the genes of
        `ranking`.
    plan, position
        The model, and which of its comparisons this is.
    parts
        What `split_sets` returned.
    families
        Family of hypotheses of each set.
    settings
        ``minimum_size``, ``maximum_size``, ``inter_gene_correlation`` ("estimated" or a number).
    seed
        Of GSEA's sampling.

    Returns
    -------
    DataFrame
        `ROWS`, one row for each part, sorted by set and part. Both false discovery rates are over
        the tested parts of one family in this comparison.
    """
    minimum, maximum = int(settings["minimum_size"]), int(settings["maximum_size"])
    found = _found(parts, ranking.index)
    tested = _tested(found, minimum, maximum)
    index = pd.MultiIndex.from_tuples(sorted(parts), names=["set", "part"])
    table = pd.DataFrame(index=index, columns=ROWS[3:], dtype=object)
    table["size"] = [len(found[key]) for key in index]
    table["reason"] = [
        "" if key in tested else _why_not(len(parts[key]), len(found[key]), minimum, maximum)
        for key in index
    ]
    table["family"] = [families[name] for name, _ in index]
    if tested:
        asked = settings["inter_gene_correlation"]
        correlation = None if asked == "estimated" else float(asked)
        keep = np.isin(genes, ranking.index.to_numpy(dtype=str))
        results = competitive(values[keep], genes[keep], plan, position, tested, correlation)
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
    table.insert(0, "contrast", plan.comparisons[position].name)
    numbers = [name for name in COLUMNS if name in _NUMBERS]
    table[numbers] = table[numbers].astype(float)
    return table.reset_index()[ROWS]


def flag_coverage(table: pd.DataFrame, coverage: pd.DataFrame) -> pd.DataFrame:
    """Carry the coverage of each set into its rows, so that a flagged set stays flagged.

    Parameters
    ----------
    table
        Rows of enrichment.tsv without ``status``.
    coverage
        coverage.tsv: set, status, reason.

    Returns
    -------
    DataFrame
        With ``status``; where nothing else explains a row, ``reason`` says what the coverage is.
    """
    known = coverage.set_index("set")
    flagged = table.assign(status=table["set"].map(known["status"]))
    why = flagged["set"].map(known["reason"])
    silent = flagged["reason"].isna() | (flagged["reason"] == "")
    flagged.loc[silent, "reason"] = why[silent]
    return flagged[COLUMNS]
