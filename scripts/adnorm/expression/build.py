"""Stage expression: published files in, one matrix of log2 expression and its sheet out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd

from adnorm.base.errors import AdnormError
from adnorm.base.inflate import allowing
from adnorm.base.logs import get_logger, progress
from adnorm.base.losses import losses_table, tell
from adnorm.base.tables import write_table
from adnorm.expression.annotation import IdentifierTable, read_identifier_table, split_symbols
from adnorm.expression.collapse import rule_for
from adnorm.expression.container import build_container, write_container
from adnorm.expression.genes import GeneTable, to_gene_symbols
from adnorm.expression.losses import (
    pair_losses,
    sample_losses,
    set_losses,
    spelling_losses,
)
from adnorm.expression.normalize import (
    Normalized,
    normalize,
    normalize_probes,
    quantile_asked,
)
from adnorm.expression.quality import assess_quality, below_library_limit, library_table
from adnorm.expression.scale import verify_scale
from adnorm.expression.sources import Sources, open_sources, reading
from adnorm.expression.symbols import Vocabulary
from adnorm.expression.turned import Turned, turn
from adnorm.expression.wording import counted
from adnorm.study.design import derive_design, design_tables
from adnorm.study.gene_sets import GeneSet, previous_symbols, read_gene_sets
from adnorm.study.pinned import check_pinned_table


def build_expression(
    manifest: Path,
    cohort: dict,
    settings: dict,
    gene_set_files: list[Path],
    identifier_table: Path | None,
    outputs: dict[str, Path],
) -> None:
    """Make the sample sheet, the design, the quality table and the expression of one cohort.

    The sheet comes first, before any value is touched, so that a wrong mapping stops in seconds.

    Parameters
    ----------
    manifest
        ``fetch/manifest.json``; the files lie beside it.
    cohort
        The checked cohort file with defaults.
    settings
        The ``expression`` section of the configuration, ``minimum_pairs`` of ``effects``, and as
        ``identifiers_sha256`` the digest that is pinned for the identifier table, if one is.
    gene_set_files
        Their symbols and retired symbols help to read the platform's.
    identifier_table
        Table of Ensembl and Entrez ids and retired symbols, or ``None``.
    outputs
        Paths by name: samples, excluded, losses, identifiers, design, comparisons, qc, expression.

    Raises
    ------
    AdnormError
        Anything about the files, the mapping, the identifiers, the scale or the samples that a
        person must mend. Nothing is written then.
    """
    with allowing(cohort["source"]):
        _build(manifest, cohort, settings, gene_set_files, identifier_table, outputs)


def _build(
    manifest: Path,
    cohort: dict,
    settings: dict,
    gene_set_files: list[Path],
    identifier_table: Path | None,
    outputs: dict[str, Path],
) -> None:
    if identifier_table:
        pinned = settings.get("identifiers_sha256")
        check_pinned_table(identifier_table, str(identifier_table), pinned)
    sources = open_sources(manifest, cohort)
    samples, excluded = sources.sample_sheet()
    progress(f"sample sheet: {counted(len(samples), 'sample')}, {len(excluded)} excluded")
    values = sources.values(samples)
    summed = values.attrs.pop("summed", {})
    progress(f"values: {counted(values.shape[0], 'row')} × {counted(values.shape[1], 'sample')}")
    turned, overruled = _verified(values, sources, samples, cohort)
    values, before = turned.values, _lane_steps(summed) + turned.steps
    declared, cohort = cohort, cohort | {"scale": turned.scale}
    table, gene_sets = _identifier_table(identifier_table), read_gene_sets(gene_set_files)
    genes = _map_genes(values, sources, cohort, settings, gene_sets, table)
    progress(f"identifiers: {counted(len(genes.values), 'gene')}")
    quality, normalized = _normalize_and_assess(genes, samples, cohort, settings)
    kept = _kept_samples(samples, quality)
    if len(kept) < len(samples) and quantile_asked(cohort["assay"], settings):
        # The distribution that the arrays share is that of the samples that stay.
        values = values[list(kept["sample"])]
        genes = _map_genes(values, sources, cohort, settings, gene_sets, table)
        normalized = _normalize(genes, kept, cohort["scale"], cohort["assay"], settings)
    shape = f"{counted(len(normalized.log2), 'gene')} × {counted(len(kept), 'sample')}"
    normalized = replace(normalized, method=turned.words + normalized.method)
    progress(f"{normalized.method}: {shape}")
    if normalized.caution:
        get_logger().warning("%s", normalized.caution)
    excluded = _all_excluded(excluded, quality)
    losses = [
        *sample_losses(len(kept), excluded, sources.without_values),
        *spelling_losses(kept, cohort),
        *pair_losses(kept),
        *genes.losses,
        *set_losses(gene_sets, genes.values.index, sources.values_name),
    ]
    tell(losses)
    design, comparisons = design_tables(
        derive_design(kept, cohort.get("placebo_arm"), settings["minimum_pairs"])
    )
    flags = quality.set_index("sample")["flags"]
    collapse = _collapse_rule(cohort, settings)
    data = build_container(normalized, genes, kept, flags, cohort, collapse)
    data.uns["adnorm"] |= {
        "declared_scale": declared["scale"],
        "scale_checked": _reason(cohort) if overruled else "",
        "scale_found": overruled,
    }
    write_table(kept, outputs["samples"])
    write_table(excluded, outputs["excluded"])
    write_table(losses_table(losses), outputs["losses"])
    write_table(_all_steps(before, genes.steps, normalized), outputs["identifiers"])
    write_table(design, outputs["design"])
    write_table(comparisons, outputs["comparisons"])
    if summed:
        lanes = {sample: " + ".join(columns) for sample, columns in summed.items()}
        quality = quality.assign(summed_columns=quality["sample"].map(lanes))
    write_table(quality, outputs["qc"])
    write_container(data, outputs["expression"])


def _verified(
    values: pd.DataFrame, sources: Sources, samples: pd.DataFrame, cohort: dict
) -> tuple[Turned, str]:
    """Check the declared scale and turn the values into one that the stage works on.

    Returns
    -------
    turned : Turned
    overruled : str
        What the check found and the cohort file overrules, if anything.
    """
    source = cohort["source"]
    wanted = bool(source.get("round_counts"))
    hints = replace(sources.hints(samples), scaled=values.attrs.pop("scaled", ""))
    scale, assay = cohort["scale"], cohort["assay"]
    where, reason = sources.values_name, _reason(cohort)
    overruled = verify_scale(values, scale, where, assay, wanted, hints, reason)
    turned = turn(values, scale, assay, wanted)
    if turned.words:
        progress(f"{turned.steps[0][0]}: {turned.steps[0][2]}")
    return turned, overruled


def _reason(cohort: dict) -> str:
    """Why the declared scale is right whatever the check finds, on one line; else empty."""
    return " ".join((cohort["source"].get("scale_checked") or "").split())


def _lane_steps(summed: dict[str, list[str]]) -> list[tuple[str, int, str]]:
    """Note the columns of lanes that were summed; qc.tsv names them for each sample."""
    if not summed:
        return []
    numbers = sorted({len(columns) for columns in summed.values()})
    detail = f"to {counted(len(summed), 'sample')} of {' or '.join(map(str, numbers))} columns each"
    return [("columns of lanes summed", sum(map(len, summed.values())), detail)]


def _identifier_table(path: Path | None) -> IdentifierTable | None:
    if path is None:
        return None
    with reading(path, str(path)):
        return read_identifier_table(path)


def _map_genes(
    values: pd.DataFrame,
    sources: Sources,
    cohort: dict,
    settings: dict,
    gene_sets: dict[str, GeneSet],
    table: IdentifierTable | None,
) -> GeneTable:
    own = sources.identifiers()
    entrez = (own.entrez if own else {}) | (table.entrez if table else {})
    return to_gene_symbols(
        normalize_probes(values, cohort["assay"], settings),
        where=sources.values_name,
        vocabulary=build_vocabulary(gene_sets, table or own),
        annotation=sources.annotation(),
        split_symbols=split_symbols,
        ensembl=dict(table.ensembl) if table else None,
        entrez=entrez if table or own else None,
        collapse=_collapse_rule(cohort, settings),
    )


def _collapse_rule(cohort: dict, settings: dict) -> str:
    return rule_for(cohort["scale"], cohort["assay"], settings["collapse"])


def build_vocabulary(sets: dict[str, GeneSet], table: IdentifierTable | None) -> Vocabulary:
    """Join what the gene sets and the identifier table know about symbols.

    Parameters
    ----------
    sets
        The gene sets of the configuration.
    table
        The identifier table, or ``None``.

    Returns
    -------
    Vocabulary
    """
    return Vocabulary(
        asked=frozenset(gene.symbol for s in sets.values() for gene in s.genes),
        curated=previous_symbols(sets),
        approved=frozenset(table.approved) if table else frozenset(),
        previous=dict(table.previous) if table else {},
        ambiguous=dict(table.ambiguous) if table else {},
    )


def _normalize_and_assess(
    genes: GeneTable, samples: pd.DataFrame, cohort: dict, settings: dict
) -> tuple[pd.DataFrame, Normalized]:
    """Normalize, judge the samples, and normalize again without those that a rule excludes."""
    scale, assay = cohort["scale"], cohort["assay"]
    libraries = library_table(genes.values, genes.totals, scale)
    small = below_library_limit(libraries, settings)
    if len(small) == len(samples):
        raise AdnormError(
            f"cohort {cohort['id']}: all {len(samples)} samples have fewer reads than "
            f"`expression: exclude_small_libraries: {settings['exclude_small_libraries']}` (the "
            f"largest has {libraries['library_size'].max():.0f}); lower it in the configuration"
        )
    judged = _without(samples, small)
    normalized = _normalize(genes, judged, scale, assay, settings)
    quality = assess_quality(samples, genes.values, normalized.log2, libraries, scale, settings)
    kept = _kept_samples(samples, quality)
    if len(kept) < len(judged):
        normalized = _normalize(genes, kept, scale, assay, settings)
    return quality, normalized


def _normalize(
    genes: GeneTable, samples: pd.DataFrame, scale: str, assay: str, settings: dict
) -> Normalized:
    return normalize(genes.values[list(samples["sample"])], samples, scale, assay, settings)


def _without(samples: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    return samples[~samples["sample"].isin(names)].reset_index(drop=True)


def _kept_samples(samples: pd.DataFrame, quality: pd.DataFrame) -> pd.DataFrame:
    return _without(samples, list(quality.loc[quality["excluded"] == "yes", "sample"]))


def _all_excluded(excluded: pd.DataFrame, quality: pd.DataFrame) -> pd.DataFrame:
    """Join the samples that the cohort file and those that the quality rules leave out."""
    judged = quality.loc[quality["excluded"] == "yes", ["sample", "reason"]]
    joined = pd.concat([excluded, judged.assign(reason="quality: " + judged["reason"])])
    return joined.sort_values("sample", kind="stable").reset_index(drop=True)


def _all_steps(
    first: list[tuple[str, int, str]], steps: pd.DataFrame, normalized: Normalized
) -> pd.DataFrame:
    """Put what was done to the values around the steps of the identifiers."""
    names = normalized.undetected
    shown = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
    constant = normalized.log2.index[
        (normalized.log2.max(axis=1) == normalized.log2.min(axis=1)).to_numpy()
    ]
    rows = [
        ("undetected genes removed", len(names), shown),
        ("genes without variation kept", len(constant), ", ".join(sorted(constant)[:10])),
        ("genes in the expression", len(normalized.log2), normalized.method),
    ]
    before, after = (pd.DataFrame(r, columns=steps.columns) for r in (first, rows))
    return pd.concat([before, steps, after] if first else [steps, after], ignore_index=True)
