"""The effects stage: how every gene and every set differs in each comparison of a study."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError, listing
from adnorm.base.logs import get_logger, progress
from adnorm.base.tables import read_table, write_table
from adnorm.effects import enrichment
from adnorm.effects.contrasts import FitPlan, plan_fits
from adnorm.effects.fit import fit_effects
from adnorm.effects.observations import Observations, read_h5ad, read_observations
from adnorm.effects.set_effects import fit_set_effects
from adnorm.study.biopsies import combine_biopsies
from adnorm.study.comparisons import Comparison
from adnorm.study.design import derive_design
from adnorm.study.gene_sets import read_gene_sets


def _plans(
    data: Observations, minimum_pairs: int, only: set[str] | None = None
) -> tuple[list[FitPlan], dict[Comparison, str]]:
    placebo = str(data.facts.get("placebo_arm", "")) or None
    design = derive_design(data.samples, placebo, minimum_pairs)
    asked = [c for c in design.supported if only is None or c.name in only]
    plans, refused = plan_fits(data.combined, asked)
    for name, reason in sorted(refused.items()):
        progress(f"contrast '{name}' is left out: {reason}")
    if only is not None:
        planned = {c.name for plan in plans for c in plan.comparisons}
        strange = sorted(only - planned)
        if strange:
            raise AdnormError(
                f"effects.tsv has contrasts that this expression file does not support: "
                f"{listing(strange)}; run the effects stage again"
            )
    by_name = {c.name: c for c in asked}
    return plans, {by_name[name]: reason for name, reason in refused.items()}


def _check_same_samples(expression: pd.Index, scores: pd.Index) -> None:
    if list(expression) == list(scores):
        return
    odd = sorted(set(expression) ^ set(scores))
    what = f"samples in only one of them: {listing(odd)}" if odd else "the order differs"
    raise AdnormError(
        f"scores.h5ad does not belong to expression.h5ad ({what}); run the scores stage again"
    )


def _write_effects(effects: pd.DataFrame, path: Path) -> None:
    # Six digits would make ties among thousands of t, and a ranking must not have them.
    exact = effects["t"].map("{:.12g}".format) if len(effects) else effects["t"]
    write_table(effects.assign(t=exact), path)


def build_effects(expression: Path, scores: Path, settings: dict, outputs: dict[str, Path]) -> None:
    """Estimate all supported comparisons of a cohort for genes and for set scores.

    Parameters
    ----------
    expression
        expression.h5ad.
    scores
        scores.h5ad of the same samples.
    settings
        Section ``effects`` of the configuration: count_model, minimum_pairs, robust, confidence.
    outputs
        Where to write: ``effects`` (effects.tsv) and ``set_effects`` (set_effects.tsv). If the
        cohort supports no comparison, both have a header row only.

    Raises
    ------
    AdnormError
        A file is missing or does not fit the other, or values are unusable.
    """
    data = read_observations(expression)
    plans, refused = _plans(data, int(settings["minimum_pairs"]))
    if not plans:
        progress("no comparison is supported: the tables have no rows")
    effects = fit_effects(data, plans, settings)
    for contrast, rows in effects.groupby("contrast", sort=True):
        found = int((rows["fdr"] < float(settings["fdr"])).sum())
        get_logger().debug("%s: %d of %d genes pass the FDR", contrast, found, len(rows))

    scored = read_h5ad(scores)
    _check_same_samples(data.samples.index, scored.obs_names)
    combined, codes = combine_biopsies(scored.obs)
    set_effects = fit_set_effects(
        scored, combined, codes, plans, refused, float(settings["confidence"])
    )
    _write_effects(effects, outputs["effects"])
    write_table(set_effects, outputs["set_effects"])


def build_enrichment(
    expression: Path,
    effects: Path,
    coverage: Path,
    gene_set_files: list[Path],
    settings: dict,
    outputs: dict[str, Path],
    seed: int,
) -> None:
    """Test gene sets in every comparison of effects.tsv.

    Parameters
    ----------
    expression
        expression.h5ad.
    effects
        effects.tsv of the same cohort.
    coverage
        coverage.tsv of the same cohort: a set with low coverage stays flagged here.
    gene_set_files
        Our TSV format or GMT.
    settings
        Section ``enrichment`` of the configuration: minimum_size, maximum_size,
        inter_gene_correlation.
    outputs
        Where to write: ``enrichment`` (enrichment.tsv).
    seed
        Of GSEA's sampling.

    Raises
    ------
    AdnormError
        A file is missing, the files do not fit one another, or a ranking is not usable.
    """
    table = read_table(effects)
    data = read_observations(expression)
    plans, _ = _plans(data, 2, only=set(table["contrast"]))
    sets = read_gene_sets(gene_set_files)
    parts = enrichment.split_sets(sets)
    families = {name: gene_set.family for name, gene_set in sets.items()}
    values = data.voom_log2()
    rows = dict(list(table.groupby("contrast")))
    frames = []
    for plan in plans:
        of_model = np.ascontiguousarray(values[:, plan.model.rows])
        for position, comparison in enumerate(plan.comparisons):
            mine = rows[comparison.name]
            ranking = enrichment.rank_genes(
                mine["gene"].to_numpy(dtype=str), mine["t"].to_numpy(dtype=float), comparison.name
            )
            frames.append(
                enrichment.enrich(
                    ranking, of_model, data.genes, plan, position, parts, families, settings, seed
                )
            )
            if len(frames) % 5 == 0 or len(frames) == len(rows):
                progress(f"{len(frames)} of {len(rows)} contrasts tested")
    result = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
    if not frames:
        result = pd.DataFrame(columns=enrichment.ROWS)
        progress("no contrast to test: the table has no rows")
    result = enrichment.flag_coverage(result, read_table(coverage))
    order = ["contrast", "set", "part"]
    write_table(result.sort_values(order, kind="stable"), outputs["enrichment"])
