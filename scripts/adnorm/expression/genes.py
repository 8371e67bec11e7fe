"""From the identifiers of a platform or table to approved gene symbols, one row a gene."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError, listing
from adnorm.base.losses import SMALL_SHARE, Loss
from adnorm.expression.collapse import HIGHEST_MEAN, SUM, collapse_rows
from adnorm.expression.kinds import (
    ENSEMBL,
    ENTREZ,
    JOINED,
    SYMBOLS,
    detect_kind,
    is_assembled,
    joined_symbol,
    plain,
    unversioned,
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

#: Share of the rows that an annotation or identifier table must know, else it is the wrong one.
KNOWN = 0.5
#: Names listed where none may be left out.
_ALL = 1000
#: Share of missing values from which a sample is broken, not the rows.
BROKEN_SAMPLE = 0.5
#: Share of the rows that may be dropped because a value is missing; beyond it nothing is estimated.
MOST_INCOMPLETE = 0.5
#: Probes without a gene are in the nature of a platform (15 % of HG-U133 Plus 2.0).
_PROBES_WITHOUT_GENE, _PROBES_OF_SEVERAL = 0.5, 0.2
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
    losses = _Losses(values, collapse == SUM)
    labels = pd.Series(values.index.astype(str).str.strip(), dtype=object)
    steps.add("rows read", len(labels))
    labels = _drop_summary_rows(labels, steps, losses)
    totals = values.iloc[labels.index].sum()
    if annotation is not None:
        labels = _through_annotation(labels, annotation, split_symbols, where, steps, losses)
    # A missing value elsewhere in the column makes programs write ids as 2312.0.
    labels = labels[labels != ""].str.replace(r"^(\d+)\.0+$", r"\1", regex=True)
    labels = _without_loci(labels.map(plain), steps, losses)
    vocabulary = vocabulary or Vocabulary()
    kind = detect_kind(labels, where)
    if kind == ENSEMBL and not ensembl and labels.map(joined_symbol).ne("").mean() > KNOWN:
        # Without a table the symbols that stand beside the ids are all there is.
        labels = _beside_ids(labels, steps, losses)
        kind = detect_kind(labels, where)
    steps.add("kind of identifier", labels.nunique(), note=kind)
    if kind == ENSEMBL:
        labels = _translate(labels, ensembl, kind, where, steps, vocabulary, losses)
    elif kind == ENTREZ:
        labels = _translate(labels, entrez, kind, where, steps, vocabulary, losses)
    elif kind == JOINED:
        labels = _split_joined(labels, entrez or {}, steps, losses)
    elif kind == SYMBOLS:
        labels = _without_suffixes(labels, vocabulary, steps)
    approved = _approve(labels, vocabulary, kind, steps, losses)
    genes, sources, renamed_from = _collapse(
        values, labels, approved, collapse, where, steps, losses
    )
    return GeneTable(genes, sources, renamed_from, totals, steps.table(), losses.found)


class _Losses:
    """Collects what happens to the rows of a table, weighed by what they hold.

    Rows with few reads are lost without harm: an identifier table does not know every transcript
    without a name. So, where values add up, a warning goes by the share of reads that is lost.
    """

    def __init__(self, values: pd.DataFrame, adds_up: bool) -> None:
        self.rows = len(values)
        self.found: list[Loss] = []
        self.amounts = values.sum(axis=1).to_numpy(dtype=float) if adds_up else None

    def add(
        self,
        what: str,
        rows: pd.Series,
        advice: str = "",
        above: float = SMALL_SHARE,
        detail: str = "",
    ) -> None:
        """Note rows (labels, indexed by their position in the table) that are lost."""
        if rows.empty:
            return
        total = 0.0 if self.amounts is None else float(np.nansum(self.amounts))
        weight = None
        if total > 0:
            weight = float(np.nansum(self.amounts[rows.index.to_numpy()])) / total
        detail = detail or listing(sorted(dict.fromkeys(rows)), 5)
        self.found.append(Loss(what, len(rows), self.rows, detail, advice, above, weight))


def _drop_summary_rows(labels: pd.Series, steps: Steps, losses: _Losses) -> pd.Series:
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


def _through_annotation(
    labels: pd.Series,
    annotation: pd.Series,
    split_symbols: Callable[[str], Iterable[str]] | None,
    where: str,
    steps: Steps,
    losses: _Losses,
) -> pd.Series:
    """Replace probes by their symbol; probes of no gene or of several are dropped."""
    unique = annotation[~annotation.index.duplicated()]
    known = labels.isin(unique.index.astype(str))
    if known.sum() < KNOWN * len(labels):
        raise AdnormError(
            f"{where}: the platform annotation knows only {known.sum()} of {len(labels)} probes "
            f"(unknown: {listing(sorted(labels[~known]), 3)}; the annotation has "
            f"{listing(sorted(unique.index.astype(str)), 3)}). It belongs to another platform; "
            "check `platform:` and `source: annotation:` of the cohort file"
        )
    if not known.all():
        steps.add("probes absent from the annotation dropped", (~known).sum(), labels[~known])
        advice = "check that the annotation is of this platform (source: annotation:)"
        losses.add("probes that the annotation does not know", labels[~known], advice)
    labels = labels[known]
    text = labels.map(dict(zip(unique.index.astype(str), unique, strict=True)))
    splits = {t: _split(t, split_symbols) for t in dict.fromkeys(text)}
    genes = text.map(splits)
    none, several = genes.map(len) == 0, genes.map(len) > 1
    steps.add("probes without a gene dropped", none.sum(), labels[none])
    steps.add("probes of several genes dropped", several.sum(), text[several])
    advice = "another column of the annotation may hold more symbols (source: symbol_column:)"
    losses.add("probes without a gene", labels[none], advice, _PROBES_WITHOUT_GENE)
    losses.add("probes of several genes", labels[several], "", _PROBES_OF_SEVERAL)
    kept = genes[~none & ~several].map(lambda found: found[0])
    if kept.empty:
        raise AdnormError(
            f"{where}: the platform annotation gives no probe a gene symbol "
            f"({none.sum()} probes without one, {several.sum()} with several); name the column "
            "that holds symbols in the cohort file (source: symbol_column:), or another annotation"
        )
    steps.add("probes of one gene", len(kept), note=f"{kept.nunique()} symbols")
    return kept


def _split(text: object, split_symbols: Callable[[str], Iterable[str]] | None) -> list[str]:
    if not isinstance(text, str):
        return []
    parts = split_symbols(text) if split_symbols else text.split("///")
    found = dict.fromkeys(part.strip() for part in parts)
    return [part for part in found if part and part != "---"]


def _without_loci(labels: pd.Series, steps: Steps, losses: _Losses) -> pd.Series:
    """Drop loci that an assembler found beside the genes of its reference, if it names those."""
    loci = labels.map(is_assembled)
    if 2 * loci.sum() > len(labels):
        return labels
    if loci.any():
        steps.add("assembled loci without a gene dropped", loci.sum(), labels[loci])
        advice = "count against a reference annotation if they matter"
        losses.add("loci of an assembler without a gene of the reference", labels[loci], advice)
    return labels[~loci]


def _beside_ids(labels: pd.Series, steps: Steps, losses: _Losses) -> pd.Series:
    """Take the symbols that stand beside Ensembl ids (``ENSG00000000003.14_TSPAN6``)."""
    symbols = labels.map(joined_symbol)
    nameless = symbols == ""
    steps.add("symbols beside Ensembl gene ids taken", (~nameless).sum())
    if nameless.any():
        steps.add("Ensembl gene ids without a symbol dropped", nameless.sum(), labels[nameless])
        advice = "an identifier table may know them (identifiers: table:)"
        losses.add("Ensembl gene ids without a symbol beside them", labels[nameless], advice)
    return symbols[~nameless]


def _without_suffixes(labels: pd.Series, vocabulary: Vocabulary, steps: Steps) -> pd.Series:
    """Undo what R and scanpy make of a symbol in several rows: FLG, FLG.1, FLG-2."""
    known, names = vocabulary.approved | vocabulary.asked, set(labels)
    found = {}
    for label in names:
        first = re.fullmatch(r"(.+)[.-]\d{1,2}", label)
        if first and first[1] in names and label not in known:
            found[label] = first[1]
    # HLA-A and HLA-DRB1 are no copies; a hyphen is one only where the table knows the symbol.
    found = {old: new for old, new in found.items() if old[len(new)] == "." or new in known}
    if found:
        told = [f"{old}>{new}" for old, new in found.items()]
        steps.add("numbered copies of a symbol (FLG.1) joined", len(found), told)
    return labels.map(lambda label: found.get(label, label))


def _split_joined(
    labels: pd.Series, entrez: dict[str, str], steps: Steps, losses: _Losses
) -> pd.Series:
    """Take ``SYMBOL|ENTREZ`` apart: the number says more, if a table knows it, than the symbol."""
    parts = labels.str.split("|", n=1, expand=True)
    symbols = parts[1].map(entrez).fillna(parts[0])
    nameless = symbols.isin(["?", ""])
    steps.add("rows without a symbol (?|…) dropped", nameless.sum(), labels[nameless])
    losses.add("rows without a symbol (?|…)", labels[nameless])
    return symbols[~nameless]


def _translate(
    labels: pd.Series,
    table: dict[str, str] | None,
    kind: str,
    where: str,
    steps: Steps,
    vocabulary: Vocabulary,
    losses: _Losses,
) -> pd.Series:
    """Translate Ensembl or Entrez ids with the identifier table."""
    if not table:
        state = "holds no such ids" if table is not None else "is not set"
        raise AdnormError(
            f"{where}: the rows are {kind} ({listing(sorted(labels)[:3])}), and the table that "
            f"translates them {state}. Set `identifiers: table:` in the configuration to the "
            "HGNC complete set, a GENCODE gene table or an NCBI annotation table (path or URL)"
        )
    beside = labels.map(joined_symbol) if kind == ENSEMBL else pd.Series("", index=labels.index)
    labels = labels.map(unversioned) if kind == ENSEMBL else labels
    symbols = labels.map(table)
    lost = symbols.isna() | (symbols == "")
    if lost.sum() > (1 - KNOWN) * len(labels):
        raise AdnormError(
            f"{where}: the identifier table knows only {len(labels) - lost.sum()} of {len(labels)} "
            f"{kind} (unknown: {listing(sorted(labels[lost])[:3])}); `identifiers: table:` of the "
            "configuration names the wrong table"
        )
    steps.add(f"{kind} translated", (~lost).sum(), note="by the identifier table")
    several = lost & labels.isin(set(vocabulary.ambiguous))
    if several.any():
        told = [_candidates(name, vocabulary.ambiguous[name]) for name in labels[several]]
        steps.add(f"{kind} of several genes dropped", several.sum(), told, limit=_ALL)
        losses.add(f"{kind} of several genes", labels[several])
    named = lost & ~several & (beside != "")
    if named.any():
        told = [f"{old}>{new}" for old, new in zip(labels[named], beside[named], strict=True)]
        steps.add("symbols beside ids that the table does not know", named.sum(), told)
        symbols[named] = beside[named]
    absent = lost & ~several & ~named
    steps.add(f"{kind} not in the identifier table dropped", absent.sum(), labels[absent])
    advice = "a table of the release that the reads were counted with knows more (identifiers:)"
    losses.add(f"{kind} that the identifier table does not know", labels[absent], advice)
    return symbols[~lost | named]


def _approve(
    labels: pd.Series, vocabulary: Vocabulary, kind: str, steps: Steps, losses: _Losses
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
            changes.setdefault(what, []).append(_candidates(old, genes))
    reported = [*_RENAMED, REFUSED_DATE, AMBIGUOUS]
    if kind != SYMBOLS:
        reported = [what for what in reported if what not in (DATE, REFUSED_DATE)]
    for what in reported:
        note = "may stand for two genes" if what == REFUSED_DATE and what in changes else ""
        # What is left undecided is for a person to decide, so all of it is listed.
        limit = _ALL if what == AMBIGUOUS else 10
        steps.add(what, len(changes.get(what, [])), changes.get(what, []), note, limit)
    approved = labels.map({old: new for old, (new, _) in verdicts.items()})
    advice = "export the table again without a spreadsheet, which turns symbols into dates"
    losses.add("symbols that a spreadsheet made dates of", labels[approved == ""], advice)
    return approved[approved != ""]


def _candidates(name: str, genes: Iterable[str]) -> str:
    """Name the genes that an identifier may stand for."""
    return f"{name} ({' or '.join(sorted(genes))})"


def _collapse(
    values: pd.DataFrame,
    labels: pd.Series,
    approved: pd.Series,
    collapse: str,
    where: str,
    steps: Steps,
    losses: _Losses,
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


def _complete_rows(rows: pd.DataFrame, where: str, steps: Steps, losses: _Losses) -> np.ndarray:
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
    counts = pd.Series(missing.sum(axis=0), index=rows.columns).sort_values(
        ascending=False, kind="stable"
    )
    most = [f"{sample} ({count})" for sample, count in counts[counts > 0].items()]
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
