"""The literature's percentage of improvement, for comparison with published figures only."""

from __future__ import annotations

import numpy as np
import pandas as pd

from adnorm.index.estimability import FEWEST_PAIRS
from adnorm.index.groups import PatientTable
from adnorm.index.selection import Rule, tell_rules

#: Published lists of disease genes: at least doubled or halved, and below 5 % false discovery
#: rate or p-value.
MINIMUM_EFFECT, THRESHOLD = 1.0, 0.05
#: Column of effects.tsv → how the literature writes it; both are in use.
SELECTIONS = {"fdr": "FDR < 0.05", "p_value": "P < 0.05"}
CIRCULAR = (
    "circular: genes and denominator come from the same baseline samples as the numerator, so "
    "even a useless drug seems to help; only for comparison with published figures"
)
COLUMNS = ["arm", "week", "pct_improvement_literal", "genes", "pairs", "note", "lacking"]


def pct_improvement_literal(
    log2: np.ndarray,
    genes: np.ndarray,
    observations: pd.DataFrame,
    lesional: pd.DataFrame,
    select_by: str = "fdr",
) -> pd.DataFrame:
    """Mean over the trial's own disease genes of 100 × (LS_t − LS_0) / (NL_0 − LS_0).

    Parameters
    ----------
    log2, genes, observations
        The cohort, as in `fit_crossfit_axis`.
    lesional
        The trial's own lesional − non-lesional effects at baseline: gene, log2_fold_change,
        p_value, fdr.
    select_by
        ``fdr`` or ``p_value``: which of them is below 5 % in a disease gene. Unadjusted p-values
        are the more biased choice.

    Returns
    -------
    DataFrame
        arm, week, pct_improvement_literal (per cent; NaN with fewer than three pairs or no disease
        gene), genes, pairs, note (how genes were chosen; always says that the figure is circular),
        lacking (why there is no figure; empty where there is one).
    """
    row = pd.Series(np.arange(len(genes)), index=genes)
    effects = lesional[lesional["gene"].isin(row.index)].sort_values("gene")
    disease = effects["log2_fold_change"].to_numpy(dtype=float)
    table = PatientTable.of(log2[row[effects["gene"]].to_numpy(dtype=int)].T, observations)
    chosen = (effects[select_by] < THRESHOLD).to_numpy() & (np.abs(disease) > MINIMUM_EFFECT)
    rules = [
        Rule(
            ~(effects[select_by] < THRESHOLD).to_numpy(),
            "",
            f"have {SELECTIONS[select_by]}",
            effects[select_by].to_numpy(dtype=float),
            "lowest",
        ),
        Rule(
            ~(np.abs(disease) > MINIMUM_EFFECT),
            "",
            "at least double or halve",
            np.abs(disease),
            "largest",
        ),
    ]
    none_chosen = "no lesional − non-lesional effects in this cohort"
    if len(effects):
        none_chosen = f"no disease gene: {tell_rules(len(effects), rules)}"
    note = f"{CIRCULAR}; genes with fold change > 2 and {SELECTIONS[select_by]}"
    rows = []
    for arm, week in table.visits:
        change = table.decrease(arm, week)
        enough = len(change.rows) >= FEWEST_PAIRS and chosen.any()
        mean = change.values[:, chosen].mean(axis=0) if enough else np.nan
        value = 100 * (mean / disease[chosen]).mean() if enough else np.nan
        lacking = ""
        if len(change.rows) < FEWEST_PAIRS:
            lacking = f"{len(change.rows)} patients with both samples, {FEWEST_PAIRS} are asked"
        elif not chosen.any():
            lacking = none_chosen
        rows.append((arm, week, value, int(chosen.sum()), len(change.rows), note, lacking))
    return pd.DataFrame(rows, columns=COLUMNS)
