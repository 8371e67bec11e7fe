"""The effects stage: how every gene and every set differs in each comparison of a study."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from adnorm.base.containers import read_container
from adnorm.base.errors import AdnormError, listing
from adnorm.base.logs import get_logger, progress
from adnorm.base.stage import Files
from adnorm.base.tables import cells, read_table, write_table
from adnorm.effects.controls import control_changes
from adnorm.effects.design import FitPlan, plan_fits
from adnorm.effects.enrichment import enrich_comparisons
from adnorm.effects.fit import fit_effects
from adnorm.effects.observations import Observations, observations_of
from adnorm.effects.set_effects import fit_set_effects
from adnorm.study.comparisons import Comparison, combine_biopsies, derive_design
from adnorm.study.config import EffectsSettings, EnrichmentSettings
from adnorm.study.gene_sets import read_gene_sets
from adnorm.study.vocabulary import Moves


class StageSettings(EffectsSettings, EnrichmentSettings):
    """Sections ``effects`` and ``enrichment`` of the configuration."""


def build(inputs: Files, outputs: Files, settings: StageSettings, seed: int) -> None:
    """Estimate all supported comparisons of a cohort for genes and set scores, and test gene sets.

    Negative controls are tested for having moved (`control_changes`); one that has is a warning.

    Parameters
    ----------
    inputs
        ``expression`` and ``scores`` (h5ad of the same samples), ``coverage`` (coverage.tsv: a set
        with low coverage stays flagged), ``gene_sets`` (files in our TSV format or GMT).
    outputs
        Where to write ``effects``, ``set_effects``, ``controls`` and ``enrichment`` (tables). If
        the cohort supports no comparison, all have a header row only.
    settings
        Of both sections.
    seed
        Of GSEA's sampling.

    Raises
    ------
    AdnormError
        A file is missing or does not fit the others, or values are unusable.
    """
    data, plans, effects = compare(inputs, outputs, settings)
    sets, coverage = read_gene_sets(inputs["gene_sets"]), read_table(inputs["coverage"])
    comparisons = [comparison for plan in plans for comparison in plan.comparisons]
    controls = control_changes(data, comparisons, sets, settings.confidence)
    write_table(controls, outputs["controls"])
    moved = controls[controls["moves"] == Moves.YES]
    for row in moved.sort_values("change", key=lambda c: -c.abs(), kind="stable").itertuples():
        get_logger().warning(
            "negative control %s moves by %+.2f log2 in '%s': all genes may have moved together, "
            "read the results with care",
            *(row.set, row.change, row.contrast),
        )
    enrichment = enrich_comparisons(data, plans, effects, sets, coverage, settings, seed)
    write_table(enrichment, outputs["enrichment"])


def compare(
    inputs: Files, outputs: Files, settings: EffectsSettings
) -> tuple[Observations, list[FitPlan], pd.DataFrame]:
    """Estimate all supported comparisons for genes and set scores: the stage without enrichment.

    Parameters
    ----------
    inputs, outputs, settings
        As for `build`; neither ``coverage`` nor ``gene_sets`` nor ``enrichment`` is needed, and
        a table that `outputs` does not name is not written.

    Returns
    -------
    What the enrichment rests on: expression, models with their contrasts, effects of genes.
    """
    expression = inputs["expression"]
    data = observations_of(read_container(expression), str(expression))
    plans, refused = _plans(data, settings)
    if not plans:
        progress("no comparison is supported: the tables have no rows")
    effects = fit_effects(data, plans, settings)
    for contrast, rows in effects.groupby("contrast", sort=True):
        found = int((rows["fdr"] < settings.fdr).sum())
        get_logger().debug("%s: %d of %d genes pass the FDR", contrast, found, len(rows))

    scored = read_container(inputs["scores"])
    _check_same_samples(data.samples.index, scored.obs_names)
    combined, codes = combine_biopsies(scored.obs)
    set_effects = fit_set_effects(
        scored, combined, codes, plans, refused, settings.confidence, data.batches
    )
    effects = _write_effects(effects, outputs.get("effects"))
    if "set_effects" in outputs:
        write_table(set_effects, outputs["set_effects"])
    return data, plans, effects


def _plans(
    data: Observations, settings: EffectsSettings
) -> tuple[list[FitPlan], dict[Comparison, str]]:
    placebo = str(data.facts.get("placebo_arm", "")) or None
    supported = derive_design(data.samples, placebo, settings.minimum_pairs).supported
    plans, refused = plan_fits(data.combined, supported, data.batches, settings.batch)
    for name, reason in sorted(refused.items()):
        progress(f"contrast '{name}' is left out: {reason}")
    by_name = {c.name: c for c in supported}
    return plans, {by_name[name]: reason for name, reason in refused.items()}


def _check_same_samples(expression: pd.Index, scores: pd.Index) -> None:
    if list(expression) == list(scores):
        return
    odd = sorted(set(expression) ^ set(scores))
    what = f"samples in only one of them: {listing(odd)}" if odd else "the order differs"
    raise AdnormError(
        f"scores.h5ad does not belong to expression.h5ad ({what}); run the scores stage again"
    )


def _write_effects(effects: pd.DataFrame, path: Path | None) -> pd.DataFrame:
    """Write effects.tsv, and give it back with t as the table has it: rankings rest on that."""
    # Six digits would make ties among thousands of t, and a ranking must not have them.
    digits = pd.Series(cells(effects["t"], "%.12g"), effects.index, dtype=object)
    if path:
        write_table(effects.assign(t=digits), path)
    return effects.assign(t=digits.astype(float))
