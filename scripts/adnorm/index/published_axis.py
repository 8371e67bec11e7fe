"""A second disease axis from a published list of genes, beside the one that is trained here."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from adnorm.effects.observations import Observations
from adnorm.index.axis import axis_scores
from adnorm.index.estimability import LOW_COVERAGE, OTHER_DISEASE
from adnorm.index.global_axis import DiseaseAxis
from adnorm.index.selection import AXIS_COLUMNS, first_reason
from adnorm.study.axis_genes import AxisGenes
from adnorm.study.diseases import same_disease

SOURCE, NOT_INDEPENDENT = "published list", "not independent"
#: What a cohort must have of the list, as of a gene set.
MINIMUM_GENES, MINIMUM_FRACTION = 5, 0.5


def published_axis(
    data: Observations,
    listed: AxisGenes,
    left_out: Mapping[str, str],
    renames: Mapping[str, str],
) -> DiseaseAxis:
    """Score every observation on a published list.

    Parameters
    ----------
    data
        Expression of the cohort.
    listed
        The list.
    left_out
        Symbol → reason, as for the trained axis.
    renames
        Retired symbol → approved symbol, for lists that are older than the cohort.

    Returns
    -------
    DiseaseAxis
        ``table`` has the columns of axis.tsv; every gene of the list has a row, with the weight 0
        and the reason if it is not used. A cohort of another disease is not judged on the list.
    """
    disease = str(data.facts.get("disease", listed.disease))
    here = same_disease(disease, listed.disease)
    genes = [renames.get(gene, gene) for gene in listed.weights]
    table = pd.DataFrame({"gene": genes, "weight": list(listed.weights.values())})
    table = table.reindex(columns=AXIS_COLUMNS).assign(
        source=f"{SOURCE} {listed.name}", disease=listed.disease
    )
    undetected = set(map(str, data.facts.get("undetected", ())))
    table["reason"] = first_reason(
        len(table),
        [
            (np.full(len(table), not here), f"of {listed.disease}, this cohort is of {disease}"),
            (table["gene"].duplicated(), "stands in the list under an older symbol as well"),
            (table["gene"].isin(left_out), table["gene"].map(left_out)),
            (table["gene"].isin(undetected), "not detected in this cohort"),
            (~table["gene"].isin(data.genes), "not measured in this cohort"),
        ],
    )
    used = table["reason"] == ""
    table.loc[~used, "weight"] = 0.0
    asked = int((~table["gene"].isin(left_out) & ~table["gene"].duplicated()).sum())
    table = table.sort_values("gene", kind="stable", ignore_index=True)
    unknown = np.full(len(data.combined), np.nan)
    if not here:
        reason = (
            f"the list {listed.name} is of {listed.disease}, and this cohort is of {disease}; a "
            "list of another disease says so in a column `disease`"
        )
        return DiseaseAxis(table, unknown, OTHER_DISEASE, reason)
    found = int(used.sum())
    if found < MINIMUM_GENES or found < MINIMUM_FRACTION * asked:
        reason = (
            f"{found} of {asked} genes of the list {listed.name} are measured here; at least "
            f"{MINIMUM_GENES} and {MINIMUM_FRACTION:.0%} of them are asked"
        )
        return DiseaseAxis(table, unknown, LOW_COVERAGE, reason)
    weights = table[table["weight"] != 0].set_index("gene")["weight"]
    aligned = weights.reindex(data.genes, fill_value=0.0).to_numpy()
    basis = f"axis of {listed.disease}, published list {listed.name}"
    return DiseaseAxis(table, axis_scores(data.log2, data.combined, aligned), "", "", basis)


def dependence(listed: AxisGenes, accession: str) -> str:
    """Say that a cohort helped to make the list; empty where it did not.

    Parameters
    ----------
    listed
        The list.
    accession
        Of the cohort; empty if it has none.
    """
    if accession not in listed.trained_on:
        return ""
    return f"{NOT_INDEPENDENT}: the list {listed.name} was made from {accession} among others"
