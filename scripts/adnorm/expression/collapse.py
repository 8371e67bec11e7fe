"""Several rows of one gene become one row, by a rule that does not look at the outcome."""

from __future__ import annotations

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError
from adnorm.expression.scale import COUNTS, LINEAR

HIGHEST_MEAN = "highest_mean"
MEAN = "mean"
#: What adds up (reads, TPM) is summed; the configuration chooses among the others only.
SUM = "sum"
#: How Ensembl marks the copy of a pseudo-autosomal gene on chromosome Y.
_ON_Y = r"_PAR_Y(?:[_|]|$)"


def rule_for(scale: str, assay: str, chosen: str) -> str:
    """Say how rows of one gene become one.

    Reads of one gene that an annotation spreads over several ids (haplotypes, readthroughs, old and
    new loci) are one amount in several parts, and so are TPM and FPKM: they are summed. Probes of
    an array, and log2 values, each measure the gene by themselves; the configuration chooses.

    Parameters
    ----------
    scale
        counts, log2 or linear.
    assay
        microarray or rna-seq.
    chosen
        ``collapse`` of the configuration: ``highest_mean`` or ``mean``.

    Returns
    -------
    str
        ``sum``, ``highest_mean`` or ``mean``.

    Examples
    --------
    >>> rule_for("counts", "rna-seq", "mean"), rule_for("log2", "microarray", "mean")
    ('sum', 'mean')
    """
    if scale == COUNTS or (scale == LINEAR and assay == "rna-seq"):
        return SUM
    return chosen


def collapse_rows(
    values: pd.DataFrame, symbols: pd.Series, rule: str
) -> tuple[pd.DataFrame, pd.Series, list[str]]:
    """Give each gene one row.

    ``sum`` adds the rows up, but for those that hold the same reads once more: the copies on
    chromosome Y of pseudo-autosomal genes (``…_PAR_Y``) beside the gene itself, and rows that equal
    another row of the gene in every sample. ``highest_mean`` takes the row with the highest mean
    over all samples, whatever their state, arm or visit (ties: the first id in alphabetical
    order). ``mean`` averages the rows.

    Parameters
    ----------
    values
        Rows × samples, without missing values.
    symbols
        Approved symbol of each row, in the order of `values`.
    rule
        ``sum``, ``highest_mean`` or ``mean``; see `rule_for`.

    Returns
    -------
    genes : DataFrame
        Genes × samples, sorted by symbol.
    sources : Series of str
        For each gene the ids of its rows, the used or highest one first, at most five, ";"-joined;
        of a sum only the rows that were added.
    copies : list of str
        Ids of the rows that a sum leaves out, sorted.

    Raises
    ------
    AdnormError
        The rule is unknown.
    """
    if rule not in (SUM, HIGHEST_MEAN, MEAN):
        raise AdnormError(
            f"config: expression: collapse: is '{rule}'; allowed are 'highest_mean' and 'mean'"
        )
    order = pd.DataFrame(
        {
            "symbol": symbols.to_numpy(dtype=object),
            "mean": values.to_numpy(dtype=float).mean(axis=1),
            "id": values.index.astype(str).to_numpy(dtype=object),
            "row": np.arange(len(values)),
        }
    ).sort_values(["symbol", "mean", "id"], ascending=[True, False, True], kind="stable")
    copies: list[str] = []
    if rule == SUM:
        twice = _held_twice(order, values.to_numpy(dtype=float))
        copies, order = sorted(order.loc[twice, "id"]), order[~twice]
    sources = order.groupby("symbol", sort=True)["id"].agg(_first_ids)
    if rule == HIGHEST_MEAN:
        first = order.drop_duplicates("symbol")
        genes = values.iloc[first["row"].to_numpy()]
        genes.index = pd.Index(first["symbol"].to_numpy(dtype=object), dtype=object)
    else:
        ordered = values.iloc[order["row"].to_numpy()]
        groups = ordered.groupby(order["symbol"].to_numpy(dtype=object), sort=True)
        genes = groups.sum() if rule == SUM else groups.mean()
    genes.index.name = "gene"
    return genes, sources, copies


def _held_twice(order: pd.DataFrame, numbers: np.ndarray) -> pd.Series:
    """Find rows whose reads stand in another row of the gene too; the first in `order` stays."""
    shared = order["symbol"].duplicated(keep=False)
    on_y = order["id"].str.contains(_ON_Y)
    # A gene that stands in the table by its copy on Y alone has its reads there.
    elsewhere = order["symbol"].isin(order.loc[~on_y, "symbol"])
    twice = on_y & elsewhere
    # Rows without a read equal one another and add nothing.
    left = order[shared & ~twice & (order["mean"] > 0)]
    same = pd.DataFrame(numbers[left["row"].to_numpy()], index=left.index)
    twice[left.index] = same.assign(symbol=left["symbol"]).duplicated()
    return twice


def _first_ids(ids: pd.Series) -> str:
    return ";".join(list(dict.fromkeys(ids))[:5])
