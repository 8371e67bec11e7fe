"""Stage expression: published files in, one matrix of log2 expression and its sheet out."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from adnorm.base.containers import write_container
from adnorm.base.errors import AdnormError
from adnorm.base.files import check_digest
from adnorm.base.inflate import allowing
from adnorm.base.logs import get_logger, progress
from adnorm.base.losses import losses_table, tell
from adnorm.base.stage import Files
from adnorm.base.tables import write_table
from adnorm.base.text import counted
from adnorm.expression.genes import GeneTable, KnownSymbols, rule_for, to_gene_symbols
from adnorm.expression.library_sizes import (
    Log2Expression,
    normalize,
    normalize_probes,
    wants_quantile,
)
from adnorm.expression.losses import (
    judged_losses,
    pair_losses,
    sample_losses,
    spelling_losses,
)
from adnorm.expression.quality import (
    SampleProducts,
    assess_quality,
    below_library_limit,
    library_table,
    principal_components,
    products_of,
)
from adnorm.expression.scale import Turned, turn
from adnorm.expression.scale_check import verify_scale
from adnorm.expression.sources import Measured, Sources, columns_of, open_sources, reading
from adnorm.readers.annotation import IdentifierTable, read_identifier_table
from adnorm.study.batches import batch_table, judge_batches
from adnorm.study.cohort import MeasuredCohort
from adnorm.study.comparisons import derive_design, design_tables
from adnorm.study.config import ExpressionSettings, Section
from adnorm.study.gene_sets import SetSymbols, read_gene_sets
from adnorm.study.vocabulary import BatchVerdict, Route, Scale

if TYPE_CHECKING:
    import anndata


#: What a person can do about batches that go together with what is compared.
BATCH_ADVICE = (
    "Rest nothing on these comparisons; where the biopsies can be processed again, mix visits, "
    "states and arms within each batch. If `samples: batch` does not say what was processed "
    "together, mend it"
)


class StageSettings(Section):
    """What decides the expression of a cohort."""

    cohort: MeasuredCohort
    expression: ExpressionSettings
    #: Of the section ``effects``: fewest patients that a comparison of the design may rest on.
    minimum_pairs: int
    #: The digest that is pinned for the identifier table, if one is.
    identifiers_sha256: str | None = None
    #: Digest of what is taken from the gene sets, as the run was planned with; see `SetSymbols`.
    symbols: str | None = None


def build(inputs: Files, outputs: Files, settings: StageSettings, seed: int) -> None:
    """Make the sample sheet, the design, the quality table and the expression of one cohort.

    The sheet comes first, before any value is touched, so that a wrong mapping stops in seconds.
    Nothing is written when anything stops.

    Parameters
    ----------
    inputs
        ``manifest`` (fetch/manifest.json; the files lie beside it), ``gene_sets`` (a list: their
        symbols and retired symbols help to read the platform's) and ``identifiers`` (a list: the
        table of Ensembl and Entrez ids and retired symbols, or nothing).
    outputs
        Paths by name: samples, excluded, losses, identifiers, design, comparisons, batches, qc,
        expression.
    settings
        The cohort and the rules.
    seed
        Not used: nothing here is random.
    """
    with allowing(settings.cohort.source.model_dump()):
        _build(inputs, outputs, settings)


def _build(inputs: Files, outputs: Files, settings: StageSettings) -> None:
    cohort, rules = settings.cohort, settings.expression
    assay, table_path = cohort.assay, next(iter(inputs.get("identifiers", ())), None)
    if table_path:
        pinned = settings.identifiers_sha256
        check_digest(table_path, str(table_path), pinned, "identifiers: sha256")
    sources = open_sources(inputs["manifest"], cohort)
    samples, excluded = sources.sample_sheet()
    progress(f"sample sheet: {counted(len(samples), 'sample')}, {len(excluded)} excluded")
    measured = sources.values(samples)
    rows, columns = measured.values.shape
    progress(f"values: {counted(rows, 'row')} × {counted(columns, 'sample')}")
    turned, overruled = _verified(measured, sources, samples)
    values, scale, lanes = turned.values, turned.scale, measured.lanes
    words, first_steps = turned.words, turned.steps
    # The table of a large cohort is as large as what is made of it, so it is let go of early.
    del measured, turned
    in_sets = SetSymbols.of(read_gene_sets(inputs["gene_sets"]))
    if settings.symbols not in (None, in_sets.digest):
        # The digest is all that a later call compares.
        raise AdnormError("the gene-set files changed during the run; call it once more")
    collapse = rule_for(scale, assay, rules.collapse)
    map_genes = _gene_mapping(sources, in_sets, table_path, collapse)
    genes = map_genes(normalize_probes(values, assay, rules))
    if not wants_quantile(assay, rules):
        values = values.iloc[:0]
    progress(f"identifiers: {counted(len(genes.values), 'gene')}")
    quality, normalized, products = _normalize_and_assess(genes, samples, cohort, scale, rules)
    kept = _kept_samples(samples, quality)
    if len(kept) < len(samples) and wants_quantile(assay, rules):
        # The distribution that the arrays share is that of the samples that stay.
        genes = map_genes(normalize_probes(values[list(kept["sample"])], assay, rules))
        normalized, products = normalize(genes.values, kept, scale, assay, rules), None
    normalized = replace(normalized, method=words + normalized.method)
    shape = f"{counted(len(normalized.log2), 'gene')} × {counted(len(kept), 'sample')}"
    progress(f"{normalized.method}: {shape}")
    if normalized.caution:
        get_logger().warning("%s", normalized.caution)
    excluded = _all_excluded(excluded, quality)
    losses = [
        *sample_losses(len(kept), excluded, sources.without_values),
        *spelling_losses(kept, cohort),
        *pair_losses(kept),
        *genes.losses,
        *judged_losses(in_sets.judging, genes.values.index, sources.values_name),
    ]
    tell(losses)
    derived = derive_design(kept, cohort.placebo_arm, settings.minimum_pairs)
    design, comparisons = design_tables(derived)
    judged = judge_batches(kept, derived.comparisons)
    _tell_batches(judged)
    flags = quality.set_index("sample")["flags"]
    data = _container(normalized, genes, kept, flags, scale, products)
    data.uns["adnorm"] = _facts(normalized, genes, cohort) | {
        "scale": str(scale),
        "collapse": collapse,
        "declared_scale": str(cohort.scale),
        "scale_checked": sources.scale_checked if overruled else "",
        "scale_found": overruled,
    }
    steps = _lane_steps(lanes) + first_steps + genes.steps + _last_steps(normalized)
    write_table(kept, outputs["samples"])
    write_table(excluded, outputs["excluded"])
    write_table(losses_table(losses), outputs["losses"])
    steps_table = pd.DataFrame(steps, columns=["step", "count", "detail"])
    write_table(steps_table, outputs["identifiers"])
    write_table(design, outputs["design"])
    comparisons = comparisons.join(judged[["batch", "batch_reason"]])
    write_table(comparisons, outputs["comparisons"])
    write_table(batch_table(kept), outputs["batches"])
    if lanes:
        summed = {sample: " + ".join(names) for sample, names in lanes.items()}
        quality = quality.assign(summed_columns=quality["sample"].map(summed))
    write_table(quality, outputs["qc"])
    write_container(data, outputs["expression"])


def _verified(measured: Measured, sources: Sources, samples: pd.DataFrame) -> tuple[Turned, str]:
    """Check the declared scale, then convert the values to counts, linear or log2 values.

    The text says what the check found and the cohort file overrules, if anything.
    """
    cohort = sources.cohort
    scale, assay, rounded = cohort.scale, cohort.assay, cohort.source.round_counts
    hints = replace(sources.hints(samples), scaled=measured.scaled)
    where, reason = sources.values_name, sources.scale_checked
    overruled = verify_scale(measured.values, scale, where, assay, rounded, hints, reason)
    turned = turn(measured.values, scale, assay, rounded)
    if turned.words:
        progress(f"{turned.steps[0][0]}: {turned.steps[0][2]}")
    return turned, overruled


def _tell_batches(judged: pd.DataFrame) -> None:
    """Warn of comparisons that cannot be told from the batches of the biopsies."""
    aliased = judged[judged["batch"] == BatchVerdict.ALIASED]
    for name, reason in zip(aliased["contrast"], aliased["batch_reason"], strict=True):
        get_logger().warning("'%s': %s. %s", name, reason, BATCH_ADVICE)
    for verdict in BatchVerdict:
        found = int((judged["batch"] == verdict).sum())
        if found:
            progress(f"batches: {counted(found, 'comparison')} {verdict}")


def _lane_steps(lanes: dict[str, list[str]]) -> list[tuple[str, int, str]]:
    """Note the columns of lanes that were summed; qc.tsv names them for each sample."""
    if not lanes:
        return []
    numbers = sorted({len(columns) for columns in lanes.values()})
    detail = f"to {counted(len(lanes), 'sample')} of {' or '.join(map(str, numbers))} columns each"
    return [("columns of lanes summed", sum(map(len, lanes.values())), detail)]


def _gene_mapping(
    sources: Sources, in_sets: SetSymbols, table_path: Path | None, collapse: str
) -> partial[GeneTable]:
    """Gather what maps rows to genes."""
    table = None
    if table_path:
        with reading(table_path, str(table_path)):
            table = read_identifier_table(table_path)
    ncbi = sources.identifiers()
    entrez = (ncbi.entrez if ncbi else {}) | (table.entrez if table else {})
    return partial(
        to_gene_symbols,
        where=sources.values_name,
        known=known_symbols(in_sets, table or ncbi),
        annotation=sources.annotation(),
        ensembl=dict(table.ensembl) if table else None,
        entrez=entrez if table or ncbi else None,
        collapse=collapse,
    )


def known_symbols(sets: SetSymbols, table: IdentifierTable | None) -> KnownSymbols:
    """Join what the gene sets and the identifier table know about symbols."""
    return KnownSymbols(
        in_sets=sets.approved,
        curated=sets.previous,
        approved=frozenset(table.approved) if table else frozenset(),
        previous=dict(table.previous) if table else {},
        ambiguous=dict(table.ambiguous) if table else {},
    )


def _normalize_and_assess(
    genes: GeneTable,
    samples: pd.DataFrame,
    cohort: MeasuredCohort,
    scale: Scale,
    rules: ExpressionSettings,
) -> tuple[pd.DataFrame, Log2Expression, SampleProducts | None]:
    """Normalize, judge the samples, and normalize again without those that a rule excludes.

    The products of the samples are those of the result; ``None`` where samples were excluded.
    """

    def normalized_with(sheet: pd.DataFrame) -> Log2Expression:
        values = columns_of(genes.values, list(sheet["sample"]))
        return normalize(values, sheet, scale, cohort.assay, rules)

    libraries = library_table(genes.values, genes.totals, scale)
    small = below_library_limit(libraries, rules)
    if len(small) == len(samples):
        raise AdnormError(
            f"cohort {cohort.id}: all {len(samples)} samples have fewer reads than "
            f"`expression: exclude_small_libraries: {rules.exclude_small_libraries}` (the "
            f"largest has {libraries['library_size'].max():.0f}); lower it in the configuration"
        )
    judged = _without(samples, small)
    normalized = normalized_with(judged)
    products = products_of(normalized.log2)
    quality = assess_quality(
        samples, genes.values, normalized.log2, libraries, scale, rules, products
    )
    kept = _kept_samples(samples, quality)
    if len(kept) < len(judged):
        return quality, normalized_with(kept), None
    return quality, normalized, products


def _without(samples: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    return samples[~samples["sample"].isin(names)].reset_index(drop=True)


def _kept_samples(samples: pd.DataFrame, quality: pd.DataFrame) -> pd.DataFrame:
    return _without(samples, list(quality.loc[quality["excluded"] == "yes", "sample"]))


def _all_excluded(excluded: pd.DataFrame, quality: pd.DataFrame) -> pd.DataFrame:
    """Join the samples that the cohort file and those that the quality rules leave out."""
    judged = quality.loc[quality["excluded"] == "yes", ["sample", "reason"]]
    joined = pd.concat([excluded, judged.assign(reason="quality: " + judged["reason"])])
    return joined.sort_values("sample", kind="stable").reset_index(drop=True)


def _last_steps(normalized: Log2Expression) -> list[tuple[str, int, str]]:
    """List the genes that were left out at the end, and what was done to the others."""
    names, log2 = normalized.undetected, normalized.log2
    shown = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
    constant = log2.index[(log2.max(axis=1) == log2.min(axis=1)).to_numpy()]
    return [
        ("undetected genes removed", len(names), shown),
        ("genes without variation kept", len(constant), ", ".join(sorted(constant)[:10])),
        ("genes in the expression", len(log2), normalized.method),
    ]


# ---------------------------------------------------------------- expression.h5ad


def _container(
    normalized: Log2Expression,
    genes: GeneTable,
    samples: pd.DataFrame,
    flags: pd.Series,
    scale: Scale,
    products: SampleProducts | None,
) -> anndata.AnnData:
    """Put expression, counts, sheet, genes and principal components into one AnnData."""
    import anndata

    log2 = normalized.log2
    data = anndata.AnnData(
        np.ascontiguousarray(log2.to_numpy(dtype=np.float32).T),
        obs=plain_sheet(samples.assign(qc_flags=samples["sample"].map(flags))),
        var=_describe_genes(log2, genes, scale),
    )
    if normalized.counts is not None:
        data.layers["counts"] = np.ascontiguousarray(normalized.counts.to_numpy(dtype=np.int32).T)
    components = principal_components(log2, products=products)
    data.obsm["X_pca"] = components
    data.uns["pca"] = {"variance_ratio": explained_variance(components, log2)}
    return data


def explained_variance(components: np.ndarray, log2: pd.DataFrame) -> np.ndarray:
    """Return the share of the variance of all genes that each principal component explains."""
    matrix = log2.to_numpy(dtype=float)
    total = sum(matrix[i : i + 1000].var(axis=1).sum() for i in range(0, len(matrix), 1000))
    explained = components.astype(float).var(axis=0)
    return explained / total if total > 0 else np.zeros(components.shape[1])


def plain_sheet(samples: pd.DataFrame) -> pd.DataFrame:
    """Give every column of the sheet a plain type: float, or categorical text; index: the samples.

    A slash is a folder in HDF5, so it becomes an underscore in the name of a raw field.
    """
    columns: dict[str, np.ndarray | pd.Categorical] = {}
    for name in samples.columns:
        column, key = samples[name], name.replace("/", "_")
        while key in columns:
            key += "_"
        if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
            columns[key] = column.to_numpy(dtype=float, na_value=np.nan)
        else:
            text = column.astype(object).map(lambda v: None if pd.isna(v) else str(v)).to_numpy()
            kinds = np.array(sorted({v for v in text if v is not None}), dtype=object)
            columns[key] = pd.Categorical(text, categories=pd.Index(kinds, dtype=object))
    index = pd.Index(samples["sample"].astype(str).to_numpy(dtype=object), dtype=object)
    return pd.DataFrame(columns, index=index)


def _describe_genes(log2: pd.DataFrame, genes: GeneTable, scale: Scale) -> pd.DataFrame:
    """Describe each gene: mean, share of samples in which it is seen, where it comes from."""
    # Arrays have no zero: every probe that is on the platform gives a signal.
    detected = np.ones(len(log2))
    if scale in (Scale.COUNTS, Scale.LINEAR):
        # Log2 of the published zero is zero, whatever the library size.
        raw = columns_of(genes.values, list(log2.columns)).to_numpy()
        seen = (raw > 0).sum(axis=1) / raw.shape[1]
        detected = seen[genes.values.index.get_indexer(log2.index)]
    return pd.DataFrame(
        {
            "mean_log2": log2.mean(axis=1).to_numpy(dtype=float),
            "detected_fraction": detected,
            "source_ids": genes.source_ids.reindex(log2.index).to_numpy(dtype=object),
            "renamed_from": genes.renamed_from.reindex(log2.index).to_numpy(dtype=object),
        },
        index=pd.Index(log2.index.to_numpy(dtype=object), dtype=object),
    )


def _facts(normalized: Log2Expression, genes: GeneTable, cohort: MeasuredCohort) -> dict[str, Any]:
    """Record in plain values what was done, and to what."""
    renamed = genes.renamed_from[genes.renamed_from != ""]
    pairs = sorted(f"{old}>{new}" for new, names in renamed.items() for old in names.split(";"))
    texts = ("disease", "tissue", "assay", "platform", "route", "accession")
    return {
        "cohort": cohort.id,
        **{key: str(getattr(cohort, key) or "") for key in texts},
        "reference": str(cohort.reference or ""),
        "placebo_arm": cohort.placebo_arm or "",
        "randomised": cohort.at_random,
        "normalization": normalized.method,
        "caution": normalized.caution,
        "genes": int(normalized.log2.shape[0]),
        "samples": int(normalized.log2.shape[1]),
        "simulated": cohort.route == Route.SIMULATED,
        "undetected": np.array(normalized.undetected, dtype=object),
        "renamed": np.array(pairs, dtype=object),
    }
