"""Which genes make an axis, why the others do not, and how heavy one gene may weigh."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Rule:
    """One rule of the selection of genes.

    Attributes
    ----------
    refused
        Which genes it refuses, shape (genes,).
    reason
        Why, of a gene that it refuses; one text or one a gene.
    kept
        What is true of the genes that it keeps, as the end of a sentence about them.
    values, which
        What the rule looks at, shape (genes,), and whether its ``largest`` or ``lowest`` value came
        nearest to passing; none where no number decides.
    """

    refused: np.ndarray
    reason: str | Iterable[str]
    kept: str
    values: np.ndarray | None = None
    which: str = ""


def tell_rules(genes: int, rules: Iterable[Rule]) -> str:
    """Say how many genes each rule left, until none was left.

    Parameters
    ----------
    genes
        How many there were.
    rules
        In the order in which they are asked.

    Examples
    --------
    >>> seen, size = np.array([False, False, True]), np.array([0.4, 0.7, 3.0])
    >>> rules = [Rule(seen, "", "are measured"), Rule(size < 1, "", "reach 1", size, "largest")]
    >>> tell_rules(3, rules)
    'of 3 genes 2 are measured, and of these none reach 1 (largest: 0.7)'
    """
    kept = np.ones(genes, dtype=bool)
    said = []
    for rule in rules:
        before, kept = kept, kept & ~np.asarray(rule.refused, dtype=bool)
        if kept.any():
            if kept.sum() < before.sum():
                said.append(f"{kept.sum():,} {rule.kept}")
            continue
        nearest = ""
        if rule.values is not None and np.isfinite(rule.values[before]).any():
            best = np.nanmax if rule.which == "largest" else np.nanmin
            nearest = f" ({rule.which}: {best(rule.values[before]):.3g})"
        said.append(f"{'and of these ' if said else ''}none {rule.kept}{nearest}")
        break
    return f"of {genes:,} genes " + ", ".join(said)


def winsorised(weights: np.ndarray) -> np.ndarray:
    """Cut weights (genes,) at the 99th percentile of their absolute values."""
    if not len(weights):
        return weights
    limit = np.quantile(np.abs(weights), WINSOR)
    return np.clip(weights, -limit, limit)
