"""From the identifiers of a platform or table to approved gene symbols, one row a gene."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError, listing
from adnorm.base.losses import Loss
from adnorm.expression.collapse import HIGHEST_MEAN, SUM, collapse_rows
from adnorm.expression.kinds import (
    ENSEMBL,
    ENTREZ,
    JOINED,
    SYMBOLS,
    detect_kind,
    joined_symbol,
    plain,
)
from adnorm.expression.steps import Steps
from adnorm.expression.symbols import (
    AMBIGUOUS,
    DATE,
    FAMILY,
    GENE_SETS,
    REFUSED_DATE,
    SPELLING,
    TABLE,
    Vocabulary,
    approve_symbols,
    candidates,
)
from adnorm.expression.translate import (
    ALL,
    KNOWN,
    RowLosses,
    beside_ids,
    name_candidates,
    split_joined,
    through_annotation,
    translate,
    without_loci,
    without_suffixes,
)

#: Share of missing values from which a sample is broken, not the rows.
BROKEN_SAMPLE = 0.5
#: Share of the rows that may be dropped because a value is missing; then too little is left.
MOST_INCOMPLETE = 2 / 3
_SUMMARY_ROWS = (r"__\w+", r"N_(unmapped|multimapping|noFeature|ambiguous)")
_RENAMED = (GENE_SETS, TABLE, FAMILY, SPELLING, DATE)


@dataclass(frozen=True)
class GeneTable:
    """Values by approved symbol.

    Attributes
    ----------
    values
        Genes × samples, sorted by symbol.
    source_ids
        For each gene the ids it comes from, at most five, ";"-joined.
    renamed_from
        For each gene the retired symbol(s) that it was found under; empty when the approved symbol
        itself stands in the table.
    totals
        Sum over all rows of the published table per sample, mapped or not (reads, for counts).
    steps
        What became of the identifiers (step, count, detail).
    losses
        Rows that became no gene, with their share.
    """

    values: pd.DataFrame
    source_ids: pd.Series
    renamed_from: pd.Series
    totals: pd.Series
    steps: pd.DataFrame
    losses: list[Loss] = field(default_factory=list)


def to_gene_symbols(
    values: pd.DataFrame,
    *,
    where: str,
    vocabulary: Vocabulary | None = None,
    annotation: pd.Series | None = None,
    split_symbols: Callable[[str], Iterable[str]] | None = None,
    ensembl: dict[str, str] | None = None,
    entrez: dict[str, str] | None = None,
    collapse: str = HIGHEST_MEAN,
) -> GeneTable:
    """Map the rows of a value table to approved symbols and give each gene one row.

    Parameters
    ----------
    values
        Rows (probes or gene ids) × samples.
    where
        The file the values come from, for messages.
    vocabulary
        Approved and retired symbols.
    annotation
        Probe → symbol text of the platform; ``None`` when the rows are genes already.
    split_symbols
        Splits the symbol text of a probe (``A///B``) into symbols.
    ensembl, entrez
        Id → symbol of the identifier table; ``None`` without a table.
    collapse
        ``sum``, ``highest_mean`` or ``mean``; see `collapse_rows`.

    Returns
    -------
    GeneTable

    Raises
    ------
    AdnormError
        The identifiers are of no usable kind, the table that translates them is missing or the
        wrong one, a sample is broken, or nothing is left.
    """
    steps = Steps()
    losses = RowLosses(values, collapse == SUM)
    labels = pd.Series(values.index.astype(str).str.strip(), dtype=object)
    steps.add("rows read", len(labels))
    labels = _drop_summary_rows(labels, steps, losses)
    totals = values.iloc[labels.index].sum()
    if annotation is not None:
        labels = through_annotation(labels, annotation, split_symbols, where, steps, losses)
    # A missing value elsewhere in the column makes programs write ids as 2312.0.
    labels = labels[labels != ""].str.replace(r"^(\d+)\.0+$", r"\1", regex=True)
    labels = without_loci(labels.map(plain), steps, losses)
    vocabulary = vocabulary or Vocabulary()
    kind = detect_kind(labels, where)
    if kind == ENSEMBL and not ensembl and labels.map(joined_symbol).ne("").mean() > KNOWN:
        # Without a table the symbols that stand beside the ids are all there is.
        labels = beside_ids(labels, steps, losses)
        kind = detect_kind(labels, where)
    steps.add("kind of identifier", labels.nunique(), note=kind)
    if kind == ENSEMBL:
        labels = translate(labels, ensembl, kind, where, steps, vocabulary, losses)
    elif kind == ENTREZ:
        labels = translate(labels, entrez, kind, where, steps, vocabulary, losses)
    elif kind == JOINED:
        labels = split_joined(labels, entrez or {}, steps, losses)
    elif kind == SYMBOLS:
        labels = without_suffixes(labels, vocabulary, steps)
    approved = _approve(labels, vocabulary, kind, steps, losses)
    genes, sources, renamed_from = _collapse(
        values, labels, approved, collapse, where, steps, losses
    )
    return GeneTable(genes, sources, renamed_from, totals, steps.table(), losses.found)


def _drop_summary_rows(labels: pd.Series, steps: Steps, losses: RowLosses) -> pd.Series:
    """Drop the lines that counting programs add below the genes, and rows without a name."""
    summary = labels.str.fullmatch("|".join(_SUMMARY_ROWS))
    if summary.any():
        steps.add("summary rows of a counting program dropped", summary.sum(), labels[summary])
    nameless = labels.str.lower().isin(["", "nan", "na", "---"])
    if nameless.any():
        steps.add("rows without an identifier dropped", nameless.sum())
        told = "the rows have values but no name"
        advice = "fill in the identifiers, or name another column (source: gene_column:)"
        losses.add("rows without an identifier", labels[nameless], advice, detail=told)
    return labels[~summary & ~nameless]


def _approve(
    labels: pd.Series, vocabulary: Vocabulary, kind: str, steps: Steps, losses: RowLosses
) -> pd.Series:
    """Replace symbols by approved ones; note every kind of change."""
    verdicts = approve_symbols(dict.fromkeys(labels), vocabulary)
    may_be = candidates(vocabulary)
    curated = {name.casefold(): symbol for name, symbol in vocabulary.curated.items()}
    changes: dict[str, list[str]] = {}
    for old, (new, what) in verdicts.items():
        if what in _RENAMED:
            changes.setdefault(what, []).append(f"{old}>{new}")
        elif what == REFUSED_DATE:
            changes.setdefault(what, []).append(old)
        elif what == AMBIGUOUS:
            genes = {*may_be.get(old.casefold(), ()), *({old} & vocabulary.approved)}
            if old.casefold() in curated:
                genes.add(curated[old.casefold()])
            changes.setdefault(what, []).append(name_candidates(old, genes))
    reported = [*_RENAMED, REFUSED_DATE, AMBIGUOUS]
    if kind != SYMBOLS:
        reported = [what for what in reported if what not in (DATE, REFUSED_DATE)]
    for what in reported:
        note = "may stand for two genes" if what == REFUSED_DATE and what in changes else ""
        # What is left undecided is for a person to decide, so all of it is listed.
        limit = ALL if what == AMBIGUOUS else 10
        steps.add(what, len(changes.get(what, [])), changes.get(what, []), note, limit)
    approved = labels.map({old: new for old, (new, _) in verdicts.items()})
    advice = "export the table again without a spreadsheet, which turns symbols into dates"
    losses.add("symbols that a spreadsheet made dates of", labels[approved == ""], advice)
    return approved[approved != ""]


def _collapse(
    values: pd.DataFrame,
    labels: pd.Series,
    approved: pd.Series,
    collapse: str,
    where: str,
    steps: Steps,
    losses: RowLosses,
) -> tuple[pd.DataFrame, pd.Series, pd.Series]:
    if approved.empty:
        raise AdnormError(f"{where}: no row of the table could be given a gene symbol")
    rows = values.iloc[approved.index]
    complete = _complete_rows(rows, where, steps, losses)
    rows, approved = rows[complete], approved[complete]
    genes, sources, copies = collapse_rows(rows, approved, collapse)
    merged = approved.value_counts()
    merged = merged[merged > 1]
    steps.add("genes with several rows merged", len(merged), merged.index, collapse)
    if copies:
        note = "_PAR_Y, or equal to another row of the gene in every sample"
        steps.add("copies of rows left out of the sum", len(copies), copies, note)
    steps.add("rows merged away", len(rows) - len(genes))
    steps.add("genes", len(genes))
    names = pd.DataFrame({"old": labels.loc[approved.index], "new": approved}).drop_duplicates()
    own = set(names.loc[names["old"] == names["new"], "new"])
    renamed = names[~names["new"].isin(own)].groupby("new")["old"]
    renamed_from = renamed.agg(lambda old: ";".join(sorted(old))).reindex(
        genes.index, fill_value=""
    )
    return genes, sources.reindex(genes.index), renamed_from


def _complete_rows(rows: pd.DataFrame, where: str, steps: Steps, losses: RowLosses) -> np.ndarray:
    """Find rows without missing values; a sample that misses most values stops the run."""
    missing = rows.isna().to_numpy()
    share = missing.mean(axis=0)
    if (share > BROKEN_SAMPLE).any():
        broken = [
            f"{sample} ({fraction:.0%})"
            for sample, fraction in zip(rows.columns, share, strict=True)
            if fraction > BROKEN_SAMPLE
        ]
        raise AdnormError(
            f"{where}: {len(broken)} samples miss most of their values: {listing(broken, 6)}. "
            "Genes with missing values are dropped, so these samples would cost most genes; "
            "exclude them in the cohort file (exclude:) or mend the table"
        )
    complete = ~missing.any(axis=1)
    counts = dict(zip(map(str, rows.columns), missing.sum(axis=0).tolist(), strict=True))
    worst = sorted((name for name in counts if counts[name]), key=lambda n: (-counts[n], n))
    most = [f"{name} ({counts[name]})" for name in worst]
    detail = f"samples with the most: {listing(most, 4)}"
    if (~complete).sum() > MOST_INCOMPLETE * len(rows):
        raise AdnormError(
            f"{where}: {(~complete).sum()} of {len(rows)} rows have missing values in some sample "
            f"({detail}), and such rows are dropped: a gene needs a value in every sample. Leave "
            "the samples that miss many out (exclude:), or fill the gaps before"
        )
    incomplete = rows.index[~complete]
    steps.add("rows with missing values dropped", len(incomplete), incomplete)
    if len(incomplete):
        advice = (
            "a gene needs a value in every sample: leave the samples that miss many out "
            "(exclude:), or fill the gaps before"
        )
        losses.found.append(
            Loss(
                "rows have missing values and are dropped",
                len(incomplete),
                len(rows),
                detail,
                advice,
            )
        )
    return complete
