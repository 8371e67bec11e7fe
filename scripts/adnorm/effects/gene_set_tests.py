"""The two tests of gene sets that the libraries do: preranked GSEA and camera."""

from __future__ import annotations

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError, listing
from adnorm.effects.contrasts import FitPlan

#: (set, part) → symbols
Parts = dict[tuple[str, str], tuple[str, ...]]

#: Smallest p-value that multilevel sampling resolves; smaller ones are given as this one, never as
#: 0. Each further power of ten costs as much again, and gene permutation overstates them anyway.
SMALLEST_P_VALUE = 1e-6
#: Gene sets that multilevel sampling keeps at each level (fgsea: 101). Half of it halves the time;
#: NES does not change, and p near 1e-6 is known within a factor of two (one standard deviation).
SAMPLE_SIZE = 51


def preranked(ranking: pd.Series, tested: Parts, seed: int) -> pd.DataFrame:
    """Run preranked GSEA by multilevel sampling (gseapy's port of fgsea).

    Parameters
    ----------
    ranking
        Statistic by gene, ordered (`rank_genes`).
    tested
        Parts of sets with their measured genes.
    seed
        Of the sampling; same seed, same result.

    Returns
    -------
    DataFrame
        Indexed by (set, part): es, nes, p_value, size, leading_edge (";"-joined, in the order of
        the ranking from its end inwards).

    Raises
    ------
    AdnormError
        gseapy left out a set that it was asked for.

    References
    ----------
    Subramanian A et al. (2005). PNAS 102:15545. Korotkevich G et al. (2021). bioRxiv 060012.
    """
    import gseapy

    # gseapy guesses whether names are upper case and changes them; numbered tokens it leaves alone.
    asked = {gene for symbols in tested.values() for gene in symbols}
    names = [f"G{i:06d}" for i in range(len(ranking))]
    symbols = {t: g for t, g in zip(names, ranking.index, strict=True) if g in asked}
    tokens = {gene: token for token, gene in symbols.items()}
    keys = {f"S{i:06d}": key for i, key in enumerate(sorted(tested))}
    result = gseapy.prerank(
        pd.Series(ranking.to_numpy(), index=names),
        {name: [tokens[g] for g in tested[key]] for name, key in keys.items()},
        method="multilevel",
        eps=SMALLEST_P_VALUE,
        sample_size=SAMPLE_SIZE,
        min_size=1,
        max_size=len(ranking),
        ascending=None,
        threads=1,
        seed=seed,
        no_plot=True,
        outdir=None,
    ).res2d
    lost = [keys[name] for name in keys if name not in set(result["Term"])]
    if lost:
        raise AdnormError(f"gseapy returned no result for {listing(lost)}; the run is not complete")
    rows = pd.DataFrame(
        {
            "es": result["ES"].astype(float).to_numpy(),
            "nes": result["NES"].astype(float).to_numpy(),
            "p_value": result["NOM p-val"].astype(float).clip(lower=SMALLEST_P_VALUE).to_numpy(),
            "size": [len(tested[keys[term]]) for term in result["Term"]],
            "leading_edge": [
                ";".join(symbols[token] for token in str(lead).split(";") if token in symbols)
                for lead in result["Lead_genes"]
            ],
        },
        index=pd.MultiIndex.from_tuples([keys[t] for t in result["Term"]], names=["set", "part"]),
    )
    return rows.sort_index()


def competitive(
    values: np.ndarray,
    genes: np.ndarray,
    plan: FitPlan,
    position: int,
    tested: Parts,
    correlation: float | None,
) -> pd.DataFrame:
    """Test whether genes of a set move more than the others, given that they move together.

    Parameters
    ----------
    values
        Log2 expression of the model's samples, shape (genes, samples).
    genes
        Symbols of the rows.
    plan, position
        The model, and which of its comparisons is tested.
    tested
        Parts of sets with their measured genes.
    correlation
        Correlation between genes of a set; ``None`` estimates it for each set.

    Returns
    -------
    DataFrame
        Indexed by (set, part): camera_direction (up|down), camera_p_value, inter_gene_correlation.

    References
    ----------
    Wu D, Smyth G K (2012). Nucleic Acids Research 40:e133.
    """
    import pylimma

    row = {gene: i for i, gene in enumerate(genes)}
    keys = sorted(tested)
    result = pylimma.camera(
        values,
        {str(i): np.array([row[g] for g in tested[key]]) for i, key in enumerate(keys)},
        design=plan.model.design,
        contrast=plan.design_weights[:, position],
        inter_gene_cor=correlation,
        sort=False,
    )
    used = result["correlation"] if correlation is None else np.full(len(keys), correlation)
    return pd.DataFrame(
        {
            "camera_direction": result["direction"].str.lower().to_numpy(),
            "camera_p_value": result["p_value"].clip(lower=np.finfo(float).tiny).to_numpy(),
            "inter_gene_correlation": np.asarray(used, dtype=float),
        },
        index=pd.MultiIndex.from_tuples(keys, names=["set", "part"]),
    )
