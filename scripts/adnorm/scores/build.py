"""The stage scores: expression and gene sets in, scores per sample and set out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from adnorm.base.containers import read_container, write_container
from adnorm.base.errors import AdnormError, listing
from adnorm.base.logs import get_logger, progress
from adnorm.base.losses import tell
from adnorm.base.stage import Files
from adnorm.base.tables import write_table
from adnorm.scores.coverage import Platform, assess_coverage, outdated_symbols
from adnorm.scores.single_sample import agreement, check_expression, score_sets
from adnorm.scores.zscore import Reference, find_reference
from adnorm.study.config import ScoresSettings
from adnorm.study.gene_sets import (
    GeneSet,
    read_gene_sets,
    scored_symbols,
    set_losses,
)
from adnorm.study.vocabulary import Method, SetStatus

if TYPE_CHECKING:
    import anndata


def build(inputs: Files, outputs: Files, settings: ScoresSettings, seed: int) -> None:
    """Score all gene sets in all samples of a cohort.

    Parameters
    ----------
    inputs
        ``expression`` (expression.h5ad of the cohort) and ``gene_sets`` (a list of ``.tsv`` and
        ``.gmt`` files).
    outputs
        Where to write ``scores`` (h5ad), ``coverage`` and ``agreement`` (tables).
    settings
        Section ``scores`` of the configuration.
    seed
        Not used: no score draws random numbers.

    Raises
    ------
    AdnormError
        Something is wrong with a gene-set file or with the expression values.
    """
    expression, gene_set_files = inputs["expression"], inputs["gene_sets"]
    sets = read_gene_sets(gene_set_files)
    data = read_container(expression)
    values, genes = np.asarray(data.X), [str(gene) for gene in data.var_names]
    check_expression(values, genes, [str(s) for s in data.obs_names], str(expression))
    # Twice the digits of the file: sums over genes and samples must not lose any.
    values = values.astype(float)
    progress(f"{len(sets):,} sets, {len(genes):,} genes, {len(values):,} samples")
    coverage = _cover_sets(sets, data, settings)
    scored = _scored_sets(sets, coverage)
    reference = None
    if Method.ZSCORE in settings.methods:
        reference = find_reference(values, data.obs, str(data.uns["adnorm"]["reference"]))
        _report_reference(reference, genes)
    scores: dict[str, pd.DataFrame] = {}
    for method in settings.methods:
        found = score_sets(
            method, values, genes, scored, reference, settings.chunk_size, settings.threads
        )
        scores[method] = found.reindex(columns=list(sets))
    write_table(coverage, outputs["coverage"])
    write_table(agreement(scores), outputs["agreement"])
    container = _container(data, sets, coverage, scores, reference, gene_set_files)
    container.strings_to_categoricals()
    write_container(container, outputs["scores"])


def _texts(value: object) -> list[str]:
    return [str(v) for v in np.atleast_1d(np.asarray(value, dtype=object)) if str(v)]


def _cover_sets(
    sets: Mapping[str, GeneSet], data: anndata.AnnData, settings: ScoresSettings
) -> pd.DataFrame:
    """Count which genes of each set a cohort has, and log what falls short."""
    facts = data.uns["adnorm"]
    renamed_from = data.var["renamed_from"].astype(object).fillna("").astype(str)
    platform = Platform(
        genes=frozenset(map(str, data.var_names)),
        renamed_from={str(gene): old for gene, old in renamed_from.items() if old},
        undetected=frozenset(_texts(facts.get("undetected", []))),
    )
    renamed = dict(change.split(">", 1) for change in _texts(facts.get("renamed", [])))
    for old, new in outdated_symbols(sets, platform, renamed).items():
        get_logger().warning(
            "the gene sets ask for %s, which this cohort lists under its newer name %s; it counts "
            "as absent until the gene-set file says %s",
            old,
            new,
            new,
        )
    # Of the other sets the stage expression has told what the platform lacks.
    added = scored_symbols({name: s for name, s in sets.items() if not s.judging})
    tell(set_losses(added, platform.genes | platform.undetected, "added gene sets"))
    coverage = assess_coverage(sets, platform, settings.minimum_genes, settings.minimum_fraction)
    for status, sentence in (
        (SetStatus.LOW_COVERAGE, "scored, but flagged for low coverage"),
        (SetStatus.NOT_SCORED, "not scored"),
    ):
        names = coverage.loc[coverage["status"] == status, "set"]
        if len(names):
            progress(f"{len(names)} of {len(coverage)} sets {sentence}: {listing(names, 6)}")
    return coverage


def _scored_sets(sets: Mapping[str, GeneSet], coverage: pd.DataFrame) -> dict[str, GeneSet]:
    names = coverage.loc[coverage["status"] != SetStatus.NOT_SCORED, "set"]
    if names.empty:
        raise AdnormError(
            f"none of the {len(sets)} gene sets can be scored: no set has two genes in this "
            f"cohort; the first says: {coverage['reason'].iloc[0]}. Compare the symbols of the "
            "gene sets with those of the platform (identifiers.tsv of the stage expression)"
        )
    return {name: sets[name] for name in names}


def _report_reference(reference: Reference, genes: list[str]) -> None:
    constant = [g for g, d in zip(genes, reference.deviation, strict=True) if not np.isfinite(d)]
    progress(f"zscore: zero is the mean of {reference.samples} samples ({reference.name})")
    if constant:
        progress(
            f"zscore: {len(constant):,} genes without any variation are left out of the averages: "
            f"{listing(constant, 6)}"
        )


def _container(
    data: anndata.AnnData,
    sets: Mapping[str, GeneSet],
    coverage: pd.DataFrame,
    scores: Mapping[str, pd.DataFrame],
    reference: Reference | None,
    gene_set_files: Sequence[Path],
) -> anndata.AnnData:
    """Lay out scores.h5ad: samples × sets, a layer for each method."""
    import anndata

    about = ("label", "category", "role", "direction", "family")
    var = pd.DataFrame(
        {
            **{key: np.array([getattr(s, key) for s in sets.values()], object) for key in about},
            "asked": coverage["asked"].to_numpy(),
            "found": coverage["found"].to_numpy(),
            "status": coverage["status"].to_numpy(dtype=object),
            "reason": coverage["reason"].to_numpy(dtype=object),
        },
        index=pd.Index(np.array(list(sets), dtype=object), dtype=object),
    )
    obs = data.obs.copy()
    obs.index = pd.Index(data.obs_names.to_numpy(dtype=object), dtype=object)
    main = Method.ZSCORE.value if Method.ZSCORE in scores else next(iter(scores))
    container = anndata.AnnData(scores[main].to_numpy(copy=True), obs=obs, var=var)
    for method, frame in scores.items():
        container.layers[method] = frame.to_numpy(copy=True)
    kept = {k: v for k, v in data.uns["adnorm"].items() if k not in ("undetected", "renamed")}
    container.uns["adnorm"] = kept | {
        "sets": len(sets),
        "methods": np.array(list(scores), dtype=object),
        "x": main,
        "gene_sets": np.array([Path(path).name for path in gene_set_files], dtype=object),
        # The reference of the z score; the names are part of the file's contract.
        "anchor": reference.name if reference else "",
        "anchor_samples": reference.samples if reference else 0,
        "anchor_spread": reference.spread if reference else "",
    }
    return container
