"""Several rows of one gene become one row, by a rule that does not look at the outcome."""

from __future__ import annotations

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError

HIGHEST_MEAN = "highest_mean"
MEAN = "mean"


def collapse_rows(
    values: pd.DataFrame, symbols: pd.Series, rule: str, scale: str
) -> tuple[pd.DataFrame, pd.Series]:
    """Give each gene one row.

    ``highest_mean`` takes the row with the highest mean over all samples, whatever their state, arm
    or visit (ties: the first id in alphabetical order). ``mean`` averages the rows; it is refused
    for counts, because an average of reads is not a number of reads. Counts of duplicate ids are
    not added up either: in the tables that carry them (pseudo-autosomal copies, loci with one
    symbol) the same reads may stand in both rows.

    Parameters
    ----------
    values
        Rows × samples, without missing values.
    symbols
        Approved symbol of each row, in the order of `values`.
    rule
        ``highest_mean`` or ``mean``.
    scale
        Declared scale of the cohort.

    Returns
    -------
    genes : DataFrame
        Genes × samples, sorted by symbol.
    sources : Series of str
        For each gene the ids of its rows, the used or highest one first, at most five, ";"-joined.

    Raises
    ------
    AdnormError
        The rule is unknown, or ``mean`` is asked of counts.
    """
    if rule not in (HIGHEST_MEAN, MEAN):
        raise AdnormError(
            f"config: expression: collapse: is '{rule}'; allowed are 'highest_mean' and 'mean'"
        )
    if rule == MEAN and scale == "counts":
        raise AdnormError(
            "config: expression: collapse: is 'mean', but this cohort has counts, and a mean of "
            "reads is not a number of reads. Set `collapse: highest_mean`"
        )
    order = pd.DataFrame(
        {
            "symbol": symbols.to_numpy(dtype=object),
            "mean": values.to_numpy(dtype=float).mean(axis=1),
            "id": values.index.astype(str).to_numpy(dtype=object),
            "row": np.arange(len(values)),
        }
    ).sort_values(["symbol", "mean", "id"], ascending=[True, False, True], kind="stable")
    sources = order.groupby("symbol", sort=True)["id"].agg(_first_ids)
    if rule == HIGHEST_MEAN:
        first = order.drop_duplicates("symbol")
        genes = values.iloc[first["row"].to_numpy()]
        genes.index = pd.Index(first["symbol"].to_numpy(dtype=object), dtype=object)
    else:
        ordered = values.iloc[order["row"].to_numpy()]
        genes = ordered.groupby(order["symbol"].to_numpy(dtype=object), sort=True).mean()
    genes.index.name = "gene"
    return genes, sources


def _first_ids(ids: pd.Series) -> str:
    return ";".join(list(dict.fromkeys(ids))[:5])
