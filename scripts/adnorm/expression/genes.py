"""From the rows of a platform or table to one row per approved gene symbol."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError, listing
from adnorm.base.losses import Loss
from adnorm.expression.symbols import (
    ALL,
    AMBIGUOUS,
    DATE,
    FAMILY,
    GENE_SETS,
    KNOWN,
    REFUSED_DATE,
    SPELLING,
    TABLE,
    KnownSymbols,
    RowFates,
    approve_symbols,
    beside_ids,
    candidates,
    name_candidates,
    split_joined,
    through_annotation,
    translate,
    without_loci,
    without_suffixes,
)
from adnorm.readers.identifiers import (
    ENSEMBL,
    ENTREZ,
    JOINED,
    SYMBOLS,
    identifier_type,
    joined_symbol,
    plain,
)
from adnorm.study.vocabulary import Assay, Scale

#: Share of missing values from which a sample is broken, not the rows.
BROKEN_SAMPLE = 0.5
#: Share of the rows that may be dropped because a value is missing; then too little is left.
MOST_INCOMPLETE = 2 / 3
_SUMMARY_ROWS = (r"__\w+", r"N_(unmapped|multimapping|noFeature|ambiguous)")
_RENAMED = (GENE_SETS, TABLE, FAMILY, SPELLING, DATE)
HIGHEST_MEAN = "highest_mean"
MEAN = "mean"
#: What adds up (reads, TPM) is summed; the configuration chooses among the others only.
SUM = "sum"
#: How Ensembl marks the copy of a pseudo-autosomal gene on chromosome Y.
_ON_Y = r"_PAR_Y(?:[_|]|$)"


@dataclass(frozen=True)
class GeneTable:
    """Values by approved symbol."""

    #: Genes × samples, sorted by symbol.
    values: pd.DataFrame
    #: For each gene the ids it comes from, at most five, ";"-joined.
    source_ids: pd.Series
    #: For each gene the retired symbol(s) that it was found under; empty when the approved symbol
    #: itself stands in the table.
    renamed_from: pd.Series
    #: Sum over all rows of the published table per sample, mapped or not (reads, for counts).
    totals: pd.Series
    #: What became of the identifiers: step, count, detail.
    steps: list[tuple[str, int, str]]
    #: Rows that became no gene, with their share.
    losses: list[Loss]


def to_gene_symbols(
    values: pd.DataFrame,
    *,
    where: str,
    known: KnownSymbols | None = None,
    annotation: pd.Series | None = None,
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
    known
        Approved and retired symbols.
    annotation
        Probe → symbol text of the platform; ``None`` when the rows are genes already.
    ensembl, entrez
        Id → symbol of the identifier table; ``None`` without a table.
    collapse
        ``sum``, ``highest_mean`` or ``mean``; see `collapse_rows`.
    """
    fates = RowFates(values, collapse == SUM)
    labels = pd.Series(values.index.astype(str).str.strip(), dtype=object)
    fates.note("rows read", len(labels))
    labels = _drop_summary_rows(labels, fates)
    totals = values.iloc[labels.index].sum()
    if annotation is not None:
        labels = through_annotation(labels, annotation, where, fates)
    # A missing value elsewhere in the column makes programs write ids as 2312.0.
    labels = labels[labels != ""].str.replace(r"^(\d+)\.0+$", r"\1", regex=True)
    labels = without_loci(labels.map(plain), fates)
    known = known or KnownSymbols()
    kind = identifier_type(labels, where)
    if kind == ENSEMBL and not ensembl and labels.map(joined_symbol).ne("").mean() > KNOWN:
        # Without a table the symbols that stand beside the ids are all there is.
        labels = beside_ids(labels, fates)
        kind = identifier_type(labels, where)
    fates.note("kind of identifier", labels.nunique(), note=kind)
    if kind in (ENSEMBL, ENTREZ):
        table = ensembl if kind == ENSEMBL else entrez
        labels = translate(labels, table, kind, where, known, fates)
    elif kind == JOINED:
        labels = split_joined(labels, entrez or {}, fates)
    elif kind == SYMBOLS:
        labels = without_suffixes(labels, known, fates)
    approved = _approve(labels, known, kind, fates)
    genes, sources, renamed_from = _collapse(values, labels, approved, collapse, where, fates)
    return GeneTable(genes, sources, renamed_from, totals, fates.steps, fates.losses)


def _drop_summary_rows(labels: pd.Series, fates: RowFates) -> pd.Series:
    """Drop the lines that counting programs add below the genes, and rows without a name."""
    summary = labels.str.fullmatch("|".join(_SUMMARY_ROWS))
    if summary.any():
        fates.note("summary rows of a counting program dropped", summary.sum(), labels[summary])
    nameless = labels.str.lower().isin(["", "nan", "na", "---"])
    if nameless.any():
        fates.note("rows without an identifier dropped", nameless.sum())
        detail = "the rows have values but no name"
        advice = "fill in the identifiers, or name another column (source: gene_column:)"
        fates.lose("rows without an identifier", labels[nameless], advice, detail=detail)
    return labels[~summary & ~nameless]


def _approve(labels: pd.Series, known: KnownSymbols, kind: str, fates: RowFates) -> pd.Series:
    """Replace symbols by approved ones; note every kind of change."""
    verdicts = approve_symbols(dict.fromkeys(labels), known)
    may_be = candidates(known)
    curated = {name.casefold(): symbol for name, symbol in known.curated.items()}
    changes: dict[str, list[str]] = {}
    for old, (new, what) in verdicts.items():
        if what in _RENAMED:
            changes.setdefault(what, []).append(f"{old}>{new}")
        elif what == REFUSED_DATE:
            changes.setdefault(what, []).append(old)
        elif what == AMBIGUOUS:
            genes = {*may_be.get(old.casefold(), ()), *({old} & known.approved)}
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
        fates.note(what, len(changes.get(what, [])), changes.get(what, []), note, limit)
    approved = labels.map({old: new for old, (new, _) in verdicts.items()})
    advice = "export the table again without a spreadsheet, which turns symbols into dates"
    fates.lose("symbols that a spreadsheet made dates of", labels[approved == ""], advice)
    return approved[approved != ""]


def _collapse(
    values: pd.DataFrame,
    labels: pd.Series,
    approved: pd.Series,
    collapse: str,
    where: str,
    fates: RowFates,
) -> tuple[pd.DataFrame, pd.Series, pd.Series]:
    if approved.empty:
        raise AdnormError(f"{where}: no row of the table could be given a gene symbol")
    rows = values.iloc[approved.index]
    complete = _complete_rows(rows, where, fates)
    rows, approved = rows[complete], approved[complete]
    genes, sources, copies = collapse_rows(rows, approved, collapse)
    merged = approved.value_counts()
    merged = merged[merged > 1]
    fates.note("genes with several rows merged", len(merged), merged.index, collapse)
    if copies:
        note = "_PAR_Y, or equal to another row of the gene in every sample"
        fates.note("copies of rows left out of the sum", len(copies), copies, note)
    fates.note("rows merged away", len(rows) - len(genes))
    fates.note("genes", len(genes))
    names = pd.DataFrame({"old": labels.loc[approved.index], "new": approved}).drop_duplicates()
    own = set(names.loc[names["old"] == names["new"], "new"])
    renamed = names[~names["new"].isin(own)].groupby("new")["old"]
    renamed_from = renamed.agg(lambda old: ";".join(sorted(old))).reindex(
        genes.index, fill_value=""
    )
    return genes, sources.reindex(genes.index), renamed_from


def _complete_rows(rows: pd.DataFrame, where: str, fates: RowFates) -> np.ndarray:
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
    complete = np.asarray(~missing.any(axis=1))
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
    fates.note("rows with missing values dropped", len(incomplete), incomplete)
    if len(incomplete):
        advice = (
            "a gene needs a value in every sample: leave the samples that miss many out "
            "(exclude:), or fill the gaps before"
        )
        fates.losses.append(
            Loss(
                "rows have missing values and are dropped",
                len(incomplete),
                len(rows),
                detail,
                advice,
            )
        )
    return complete


def rule_for(scale: str, assay: str, chosen: str) -> str:
    """Say how rows of one gene become one.

    Reads of one gene that an annotation spreads over several ids (haplotypes, readthroughs, old and
    new loci) are one amount in several parts, and so are TPM and FPKM: they are summed. Probes of
    an array, and log2 values, each measure the gene by themselves; the configuration chooses.

    Examples
    --------
    >>> rule_for("counts", "rna-seq", "mean"), rule_for("log2", "microarray", "mean")
    ('sum', 'mean')
    """
    if scale == Scale.COUNTS or (scale == Scale.LINEAR and assay == Assay.RNA_SEQ):
        return SUM
    return chosen


def collapse_rows(
    values: pd.DataFrame, symbols: pd.Series, rule: str
) -> tuple[pd.DataFrame, pd.Series, list[str]]:
    """Give each gene one row.

    ``sum`` adds the rows up, but for those that hold the same reads once more: the copies on
    chromosome Y of pseudo-autosomal genes (``…_PAR_Y``) beside the gene itself, and rows that equal
    another row of the gene in every sample. ``highest_mean`` takes the row with the highest mean
    over all samples, whatever their state, arm or visit (ties: the first id in alphabetical
    order). ``mean`` averages the rows.

    Parameters
    ----------
    values
        Rows × samples, without missing values.
    symbols
        Approved symbol of each row, in the order of `values`.
    rule
        ``sum``, ``highest_mean`` or ``mean``; see `rule_for`.

    Returns
    -------
    genes : DataFrame
        Genes × samples, sorted by symbol.
    sources : Series of str
        For each gene the ids of its rows, the used or highest one first, at most five, ";"-joined;
        of a sum only the rows that were added.
    copies : list of str
        Ids of the rows that a sum leaves out, sorted.
    """
    order = pd.DataFrame(
        {
            "symbol": symbols.to_numpy(dtype=object),
            "mean": values.to_numpy(dtype=float).mean(axis=1),
            "id": values.index.astype(str).to_numpy(dtype=object),
            "row": np.arange(len(values)),
        }
    ).sort_values(["symbol", "mean", "id"], ascending=[True, False, True], kind="stable")
    copies: list[str] = []
    if rule == SUM:
        twice = _held_twice(order, values.to_numpy(dtype=float))
        copies, order = sorted(order.loc[twice, "id"]), order[~twice]
    sources = order.groupby("symbol", sort=True)["id"].agg(_first_ids)
    if rule == HIGHEST_MEAN:
        first = order.drop_duplicates("symbol")
        genes = values.iloc[first["row"].to_numpy()]
        genes.index = pd.Index(first["symbol"].to_numpy(dtype=object), dtype=object)
    else:
        ordered = values.iloc[order["row"].to_numpy()]
        groups = ordered.groupby(order["symbol"].to_numpy(dtype=object), sort=True)
        genes = groups.sum() if rule == SUM else groups.mean()
    genes.index.name = "gene"
    return genes, sources, copies


def _held_twice(order: pd.DataFrame, numbers: np.ndarray) -> pd.Series:
    """Find rows whose reads stand in another row of the gene too; the first in `order` stays."""
    shared = order["symbol"].duplicated(keep=False)
    on_y = order["id"].str.contains(_ON_Y)
    # A gene that stands in the table by its copy on Y alone has its reads there.
    elsewhere = order["symbol"].isin(order.loc[~on_y, "symbol"])
    twice = on_y & elsewhere
    # Rows without a read equal one another and add nothing.
    left = order[shared & ~twice & (order["mean"] > 0)]
    same = pd.DataFrame(numbers[left["row"].to_numpy()], index=left.index)
    twice[left.index] = same.assign(symbol=left["symbol"]).duplicated()
    return twice


def _first_ids(ids: pd.Series) -> str:
    return ";".join(list(dict.fromkeys(ids))[:5])
