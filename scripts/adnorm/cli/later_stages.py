"""What the stages after the expression would stop at: their own code, on what was made aside."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError, listing, nearest
from adnorm.base.tables import read_table
from adnorm.study.config import EffectsSettings, ScoresSettings

#: Models of counts that take minutes; what stops them stops voom too.
_QUICK = {"deseq2": "voom"}


def later_problems(expression: Path, config: dict, folder: Path) -> tuple[pd.DataFrame, list[str]]:
    """Run the stages scores and effects, without what takes long and cannot stop.

    Left out are ssGSEA and GSVA, enrichment and the bootstraps of the index: they work on what has
    been checked by then. What they ask of the configuration is checked instead.

    Parameters
    ----------
    expression
        expression.h5ad.
    config
        The checked configuration.
    folder
        Where to write.

    Returns
    -------
    coverage : DataFrame
        coverage.tsv; empty when the scores stopped.
    problems : list of str
    """
    problems = _asked_of_configuration(config)
    coverage = pd.DataFrame()
    names = ("scores.h5ad", "coverage.tsv", "agreement.tsv", "effects.tsv", "set_effects.tsv")
    outputs = {Path(name).stem: folder / name for name in names}
    try:
        _score(expression, config, outputs)
        coverage = read_table(outputs["coverage"])
        _compare(expression, config, outputs)
    except AdnormError as error:
        problems.append(str(error))
    return coverage, problems


def _asked_of_configuration(config: dict) -> list[str]:
    from adnorm.study.gene_sets import read_gene_sets

    problems = []
    if "zscore" not in config["scores"]["methods"]:
        problems.append(
            "configuration: scores: methods: 'zscore' is missing; the index rests on it, so every "
            "cohort would stop at the stage index. Add it"
        )
    sets = read_gene_sets(config["gene_sets"])
    asked = [name for names in config["figures"]["heatmap_sets"].values() for name in names]
    unknown = [name for name in asked if name not in sets]
    if unknown:
        problems.append(
            f"configuration: figures: heatmap_sets names {listing(unknown)}, which no gene-set "
            f"file has{nearest(unknown[0], sets)}; every cohort would stop at the stage figures"
        )
    return problems


def _score(expression: Path, config: dict, outputs: dict[str, Path]) -> None:
    import anndata

    from adnorm.scores import build as scores

    methods = config["scores"]["methods"]
    if "gsva" in methods and anndata.read_h5ad(expression, backed="r").n_obs < 2:
        raise AdnormError(
            "GSVA compares the samples of a cohort with each other and this cohort has only one; "
            "take gsva out of scores: methods"
        )
    sets = [Path(path) for path in config["gene_sets"]]
    inputs = {"expression": expression, "gene_sets": sets}
    settings = ScoresSettings.model_validate(config["scores"] | {"methods": ["zscore"]})
    scores.build(inputs, outputs, settings, 0)


def _compare(expression: Path, config: dict, outputs: dict[str, Path]) -> None:
    from adnorm.effects.build import compare
    from adnorm.effects.enrichment import rank_genes

    settings = EffectsSettings.model_validate(config["effects"])
    model = _QUICK.get(settings.count_model, settings.count_model)
    inputs = {"expression": expression, "scores": outputs["scores"]}
    _, _, effects = compare(inputs, outputs, settings.model_copy(update={"count_model": model}))
    for contrast, rows in effects.groupby("contrast", sort=True):
        genes, statistic = rows["gene"].to_numpy(dtype=str), rows["t"].to_numpy(dtype=float)
        rank_genes(np.asarray(genes), statistic, str(contrast))
