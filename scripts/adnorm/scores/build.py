"""The stage scores: expression and gene sets in, scores per sample and set out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError, listing
from adnorm.base.logs import get_logger, progress
from adnorm.base.stage import Files
from adnorm.base.tables import atomic, write_table
from adnorm.scores.agreement import agreement
from adnorm.scores.anchored import Anchor, find_anchor
from adnorm.scores.coverage import (
    LOW_COVERAGE,
    NOT_SCORED,
    Platform,
    assess_coverage,
    outdated_symbols,
)
from adnorm.scores.score import ZSCORE, check_expression, score_sets
from adnorm.study.gene_sets import GeneSet, read_gene_sets

if TYPE_CHECKING:
    import anndata


def build(inputs: Files, outputs: Files, settings: Mapping, seed: int) -> None:
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
    import anndata

    expression, gene_set_files = inputs["expression"], inputs["gene_sets"]
    sets = read_gene_sets(gene_set_files)
    data = anndata.read_h5ad(expression)
    values, genes = np.asarray(data.X), [str(gene) for gene in data.var_names]
    check_expression(values, genes, [str(s) for s in data.obs_names], str(expression))
    # Twice the digits of the file: sums over genes and samples must not lose any.
    values = values.astype(float)
    progress(f"{len(sets):,} sets, {len(genes):,} genes, {len(values):,} samples")
    coverage = cover_sets(sets, data, settings)
    scored = _scored_sets(sets, coverage)
    anchor = None
    if ZSCORE in settings["methods"]:
        anchor = find_anchor(values, data.obs, str(data.uns["adnorm"]["reference"]))
        _report_anchor(anchor, genes)
    scores: dict[str, pd.DataFrame] = {}
    for method in settings["methods"]:
        found = score_sets(
            method, values, genes, scored, anchor, settings["chunk_size"], settings["threads"]
        )
        scores[method] = found.reindex(columns=list(sets))
    write_table(coverage, outputs["coverage"])
    write_table(agreement(scores), outputs["agreement"])
    container = _container(data, sets, coverage, scores, anchor, gene_set_files)
    with (
        atomic(outputs["scores"]) as temporary,
        anndata.settings.override(allow_write_nullable_strings=False),
    ):
        container.write_h5ad(temporary, compression="gzip")


def _texts(value: object) -> list[str]:
    return [str(v) for v in np.atleast_1d(np.asarray(value, dtype=object)) if str(v)]


def cover_sets(sets: Mapping[str, GeneSet], data: anndata.AnnData, settings: dict) -> pd.DataFrame:
    """Count which genes of each set a cohort has, and log what falls short."""
    facts = data.uns["adnorm"]
    renamed_from = data.var["renamed_from"].astype(object).fillna("").astype(str)
    platform = Platform(
        genes=frozenset(map(str, data.var_names)),
        renamed_from={str(gene): old for gene, old in renamed_from.items() if old},
        undetected=frozenset(_texts(facts.get("undetected", []))),
    )
    renamed = dict(pair.split(">", 1) for pair in _texts(facts.get("renamed", [])))
    for old, new in outdated_symbols(sets, platform, renamed).items():
        get_logger().warning(
            "the gene sets ask for %s, which this cohort lists under its newer name %s; it counts "
            "as absent until the gene-set file says %s",
            old,
            new,
            new,
        )
    coverage = assess_coverage(
        sets, platform, settings["minimum_genes"], settings["minimum_fraction"]
    )
    for status, sentence in (
        (LOW_COVERAGE, "scored, but flagged for low coverage"),
        (NOT_SCORED, "not scored"),
    ):
        names = coverage.loc[coverage["status"] == status, "set"]
        if len(names):
            progress(f"{len(names)} of {len(coverage)} sets {sentence}: {listing(names, 6)}")
    return coverage


def _scored_sets(sets: Mapping[str, GeneSet], coverage: pd.DataFrame) -> dict[str, GeneSet]:
    names = coverage.loc[coverage["status"] != NOT_SCORED, "set"]
    if names.empty:
        raise AdnormError(
            f"none of the {len(sets)} gene sets can be scored: no set has two genes in this "
            f"cohort; the first says: {coverage['reason'].iloc[0]}. Compare the symbols of the "
            "gene sets with those of the platform (identifiers.tsv of the stage expression)"
        )
    return {name: sets[name] for name in names}


def _report_anchor(anchor: Anchor, genes: list[str]) -> None:
    constant = [g for g, d in zip(genes, anchor.deviation, strict=True) if not np.isfinite(d)]
    progress(f"zscore: zero is the mean of {anchor.samples} samples ({anchor.name})")
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
    anchor: Anchor | None,
    gene_set_files: list[Path],
) -> anndata.AnnData:
    import anndata

    kinds = ("label", "category", "role", "direction", "family")
    var = pd.DataFrame(
        {
            **{kind: np.array([getattr(s, kind) for s in sets.values()], object) for kind in kinds},
            "asked": coverage["asked"].to_numpy(),
            "found": coverage["found"].to_numpy(),
            "status": coverage["status"].to_numpy(dtype=object),
            "reason": coverage["reason"].to_numpy(dtype=object),
        },
        index=pd.Index(np.array(list(sets), dtype=object), dtype=object),
    )
    obs = data.obs.copy()
    obs.index = pd.Index(data.obs_names.to_numpy(dtype=object), dtype=object)
    main = scores.get(ZSCORE, next(iter(scores.values())))
    container = anndata.AnnData(main.to_numpy(copy=True), obs=obs, var=var)
    for method, frame in scores.items():
        container.layers[method] = frame.to_numpy(copy=True)
    facts = {k: v for k, v in data.uns["adnorm"].items() if k not in ("undetected", "renamed")}
    facts |= {
        "sets": len(sets),
        "methods": np.array(list(scores), dtype=object),
        "x": ZSCORE if ZSCORE in scores else next(iter(scores)),
        "gene_sets": np.array([Path(path).name for path in gene_set_files], dtype=object),
    }
    facts |= {
        "anchor": anchor.name if anchor else "",
        "anchor_samples": anchor.samples if anchor else 0,
        "anchor_spread": anchor.spread if anchor else "",
    }
    container.uns["adnorm"] = facts
    return container
