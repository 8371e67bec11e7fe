"""Which gene sets a figure draws when the user added hundreds of them."""

from __future__ import annotations

import pandas as pd

from adnorm.figures.material import Material
from adnorm.figures.shared import CATEGORIES, CohortMaterial
from adnorm.study.gene_sets import ADDED

#: More added sets than this make a figure that nobody can read.
MOST_ADDED = 40


def added_sets(material: CohortMaterial) -> list[str]:
    """List the sets that are neither of a category of adnorm nor chosen for the heatmaps."""
    chosen = {s.name for s in material.heatmap_sets("itch", "barrier")}
    ours = set(CATEGORIES) - {ADDED}
    own = material.sets["category"].isin(ours) | material.sets.index.isin(chosen)
    return list(material.sets.index[~own])


def shown_sets(material: CohortMaterial, rates: pd.DataFrame, column: str = "fdr") -> tuple:
    """Choose the sets that a figure draws: all of adnorm, and the most telling of the added ones.

    Parameters
    ----------
    material
        The cohort.
    rates
        Columns ``set`` and `column`: false discovery rates in the comparisons that are shown.
    column
        The rate that ranks the added sets; the smallest of a set counts.

    Returns
    -------
    names : list of str
        In display order. Added sets that have no score are left out.
    notes : list of str
        What is left out; empty if nothing is.
    """
    added = added_sets(material)
    scored = [n for n in added if material.sets.loc[n, "status"] != "not_scored"]
    best = rates.groupby("set")[column].min().reindex(scored)
    # A stable order: sets without any rate come last, equal ones stay as they stand.
    kept = set(best.sort_values(kind="stable", na_position="last").index[:MOST_ADDED])
    left = set(added) - kept
    names = [name for name in material.sets.index if name not in left]
    if not left:
        return names, []
    ranked = "those with the smallest FDR" if len(scored) > MOST_ADDED else "those with a score"
    count = f"{len(kept):,} of {len(added):,} added sets shown ({ranked})"
    return names, [f"{count}; all are in the TSV."]


def shown_effects(material: Material, contrasts: list[str]) -> pd.DataFrame:
    """Return the set effects of the drawn method in some comparisons."""
    effects = material.tables["set_effects"]
    return effects[(effects["method"] == material.method) & effects["contrast"].isin(contrasts)]
