"""Which genes make an axis, why the others do not, and how heavy one gene may weigh."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from adnorm.study.gene_sets import GeneSet

AXIS_COLUMNS = [
    "gene",
    "weight",
    "effect",
    "lower",
    "upper",
    "p_value",
    "fdr",
    "tau2",
    "i2",
    "cohorts",
    "reason",
]
WINSOR = 0.99


def left_out_genes(sets: Mapping[str, GeneSet]) -> dict[str, str]:
    """Genes that follow depth, site or cell composition of a biopsy, with the reason.

    Returns
    -------
    dict
        Symbol → sentence that names the sets of role ``composition`` it stands in.
    """
    found: dict[str, list[str]] = {}
    for name, gene_set in sets.items():
        if gene_set.role == "composition":
            for gene in gene_set.genes:
                found.setdefault(gene.symbol, []).append(name)
    return {gene: f"composition: in {', '.join(names)}" for gene, names in sorted(found.items())}


def first_reason(rows: int, rules: Iterable[tuple]) -> list[str]:
    """For every row, the text of the first rule that applies; empty where none does.

    Parameters
    ----------
    rows
        How many.
    rules
        Pairs of a mask of rows and a text (or one text a row).
    """
    reason = np.full(rows, "", dtype=object)
    for mask, text in rules:
        chosen = np.asarray(mask, dtype=bool) & (reason == "")
        reason[chosen] = text if isinstance(text, str) else np.asarray(text)[chosen]
    return list(reason)


def winsorised(weights: np.ndarray) -> np.ndarray:
    """Cut weights (genes,) at the 99th percentile of their absolute values."""
    if not len(weights):
        return weights
    limit = np.quantile(np.abs(weights), WINSOR)
    return np.clip(weights, -limit, limit)
