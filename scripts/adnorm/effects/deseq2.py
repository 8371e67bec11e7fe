"""Negative binomial models of counts with PyDESeq2: an option, minutes instead of seconds."""

from __future__ import annotations

import numpy as np
import pandas as pd

from adnorm.effects.contrasts import FitPlan
from adnorm.effects.linear_model import check_rank


def fit_deseq2(counts: np.ndarray, plan: FitPlan) -> dict[str, np.ndarray]:
    """Fit the same design with DESeq2 and test the same numeric contrasts (Wald, no shrinkage).

    Shrunken fold changes are not used: shrinkage can turn the sign of a highly expressed gene.
    Genes are not filtered by their result, and outliers are not removed, so that every gene has a
    p-value; its false discovery rate is then computed as for the other models. Size factors are
    DESeq2's own, the medians of ratios.

    Parameters
    ----------
    counts
        Reads, shape (genes, samples of the model).
    plan
        The model and its contrasts.

    Returns
    -------
    dict
        log2_fold_change, standard_error, t (Wald statistic), p_value: genes × contrasts.

    References
    ----------
    Love M I et al. (2014). Genome Biology 15:550. Muzellec B et al. (2023). Bioinformatics
    39:btad547.
    """
    import pydeseq2.dds
    import pydeseq2.ds

    model = plan.model
    check_rank(model.design, model.columns)
    samples = [f"sample{i}" for i in range(counts.shape[1])]
    design = pd.DataFrame(model.design, index=samples, columns=[f"x{j}" for j in range(model.rank)])
    data = pydeseq2.dds.DeseqDataSet(
        counts=pd.DataFrame(counts.T.astype(int), index=samples),
        metadata=pd.DataFrame({"sample": samples}, index=samples),
        design=design,
        refit_cooks=False,
        quiet=True,
        n_cpus=1,
    )
    data.deseq2()
    names = {
        "log2_fold_change": "log2FoldChange",
        "standard_error": "lfcSE",
        "t": "stat",
        "p_value": "pvalue",
    }
    results = []
    for contrast in plan.design_weights.T:
        tested = pydeseq2.ds.DeseqStats(
            data,
            contrast=contrast,
            cooks_filter=False,
            independent_filter=False,
            quiet=True,
            n_cpus=1,
        )
        tested.summary()
        results.append(tested.results_df)
    return {
        ours: np.column_stack([result[theirs].to_numpy(dtype=float) for result in results])
        for ours, theirs in names.items()
    }
