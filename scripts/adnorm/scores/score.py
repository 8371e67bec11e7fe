"""Scores of signed and unsigned gene sets by each configured method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from adnorm.base.errors import Problems, listing
from adnorm.scores.anchored import Anchor, z_scores
from adnorm.scores.single_sample import enrichment_scores
from adnorm.study.gene_sets import GeneSet

SSGSEA, GSVA, ZSCORE = METHODS = ("ssgsea", "gsva", "zscore")


def check_expression(
    expression: np.ndarray, genes: Sequence[str], samples: Sequence[str], where: str
) -> None:
    """Refuse values that scoring libraries would quietly replace.

    Parameters
    ----------
    expression
        Log2 expression, shape (samples, genes).
    genes, samples
        Names of the columns and of the rows.
    where
        The file, for messages.

    Raises
    ------
    AdnormError
        Missing or infinite values; a gene or a sample that occurs twice; nothing to score.
    """
    problems = Problems(where)
    for kind, names in (("gene", genes), ("sample", samples)):
        twice = pd.Index(names)[pd.Index(names).duplicated()].unique()
        if len(twice):
            problems.add(f"{len(twice)} {kind}s occur more than once: {listing(twice, 5)}")
    if expression.size == 0:
        problems.add(f"nothing to score: {len(samples)} samples, {len(genes)} genes")
    for kind, wrong in (("missing", np.isnan(expression)), ("infinite", np.isinf(expression))):
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            problems.add(
                f"{int(wrong.sum()):,} {kind} values, the first in gene {genes[column]}, "
                f"sample {samples[row]}; scores need finite log2 expression, run the stage "
                "expression again"
            )
    problems.stop()


def score_sets(
    method: str,
    expression: np.ndarray,
    genes: Sequence[str],
    sets: Mapping[str, GeneSet],
    anchor: Anchor | None,
    chunk_size: int,
    threads: int,
) -> pd.DataFrame:
    """Score gene sets in every sample by one method.

    Parameters
    ----------
    method
        ``"ssgsea"`` and ``"gsva"``: score of the genes that go up − score of those that go down, or
        the part that exists; ``"zscore"``: mean of sign × z.
    expression
        Log2 expression, shape (samples, genes); finite.
    genes
        Symbol of each column; unique. Genes of a set that are not among them are left out.
    sets
        Sets by name, each with at least one gene in `genes`.
    anchor
        Zero and unit of each gene; only for ``"zscore"``.
    chunk_size, threads
        Passed to `enrichment_scores`.

    Returns
    -------
    DataFrame
        Scores, shape (samples, sets).
    """
    known = set(genes)
    signs = {
        name: {symbol: sign for symbol, sign in gene_set.signs.items() if symbol in known}
        for name, gene_set in sets.items()
    }
    if not sets:
        return pd.DataFrame(index=range(expression.shape[0]))
    if method == ZSCORE:
        return z_scores(expression, genes, signs, anchor)
    parts: dict[str, list[str]] = {}
    owners: list[tuple[str, int]] = []
    for name, of_gene in signs.items():
        for sign in (1, -1):
            members = [symbol for symbol, own in of_gene.items() if own == sign]
            if members:
                parts[f"{name}\t{sign}"] = members
                owners.append((name, sign))
    noun = "sets" if len(parts) == len(sets) else "sets (up and down apart)"
    pieces = enrichment_scores(method, expression, genes, parts, chunk_size, threads, noun)
    position = {name: j for j, name in enumerate(sets)}
    scores = np.zeros((expression.shape[0], len(sets)))
    for piece, (name, sign) in zip(pieces.columns, owners, strict=True):
        scores[:, position[name]] += sign * pieces[piece].to_numpy()
    return pd.DataFrame(scores, columns=list(sets))
