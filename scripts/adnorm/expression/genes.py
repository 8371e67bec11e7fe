"""From the rows of a platform or table to one row per approved gene symbol.

The fate of every row is noted: probes and ids become symbols, retired symbols approved ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError, listing
from adnorm.base.losses import SMALL_SHARE, Loss
from adnorm.readers.annotation import split_symbols
from adnorm.readers.identifiers import (
    ENSEMBL,
    ENTREZ,
    JOINED,
    RETIRED,
    SYMBOLS,
    identifier_type,
    is_assembled,
    joined_symbol,
    plain,
    repair_date,
    type_of,
    unversioned,
)
from adnorm.study.vocabulary import Assay, Scale

#: What can become of a symbol.
KEPT = "kept"
GENE_SETS = "renamed by the gene sets"
TABLE = "renamed by the identifier table"
FAMILY = "renamed (families that spreadsheets break)"
SPELLING = "spelling (upper and lower case)"
DATE = "spreadsheet date repaired"
REFUSED_DATE = "spreadsheet date refused"
AMBIGUOUS = "ambiguous retired symbol left as it is"
#: Share of the rows that an annotation or identifier table must know, else it is the wrong one.
KNOWN = 0.5
#: Names listed where none may be left out.
ALL = 1000
#: Probes without a gene are in the nature of a platform (15 % of HG-U133 Plus 2.0).
_PROBES_WITHOUT_GENE, _PROBES_OF_SEVERAL = 0.5, 0.2


class RowFates:
    """What becomes of the rows of a table: step by step for identifiers.tsv, and what is lost.

    Rows with few reads are lost without harm: an identifier table does not know every transcript
    without a name. So, where values add up, a warning goes by the share of reads that is lost.
    """

    def __init__(self, values: pd.DataFrame, adds_up: bool) -> None:
        self.rows = len(values)
        self.amounts = values.sum(axis=1).to_numpy(dtype=float) if adds_up else None
        self.steps: list[tuple[str, int, str]] = []
        self.losses: list[Loss] = []

    def note(
        self, step: str, count: int, examples: Iterable[str] = (), note: str = "", limit: int = 10
    ) -> None:
        """Note a step: how many, a note, and the first examples in alphabetical order."""
        shown = sorted(dict.fromkeys(str(e) for e in examples))
        more = len(shown) - limit
        text = ", ".join(shown[:limit]) + (f" and {more} more" if more > 0 else "")
        self.steps.append((step, int(count), ": ".join(filter(None, (note, text)))))

    def lose(
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
        weight = None
        if self.amounts is not None and (total := float(np.nansum(self.amounts))) > 0:
            weight = float(np.nansum(self.amounts[rows.index.to_numpy()])) / total
        detail = detail or listing(sorted(dict.fromkeys(rows)), 5)
        self.losses.append(Loss(what, len(rows), self.rows, detail, advice, above, weight))


@dataclass(frozen=True)
class KnownSymbols:
    """All that is known about symbols in one run."""

    #: Approved symbols that the gene sets name.
    in_sets: frozenset[str] = frozenset()
    #: Retired symbol → approved symbol, from the ``previous_symbols`` of the gene sets.
    curated: Mapping[str, str] = field(default_factory=dict)
    #: Symbols that the identifier table calls approved; empty without a table.
    approved: frozenset[str] = frozenset()
    #: Retired symbol or alias → approved symbol, from the identifier table.
    previous: Mapping[str, str] = field(default_factory=dict)
    #: Retired symbol, alias or id → the several genes that the identifier table gives it to.
    ambiguous: Mapping[str, Iterable[str]] = field(default_factory=dict)


def _folded(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Index by case-folded name; names that then stand for several symbols are left out."""
    result: dict[str, str | None] = {}
    for name, symbol in pairs:
        key = name.casefold()
        result[key] = symbol if result.get(key, symbol) == symbol else None
    return {key: symbol for key, symbol in result.items() if symbol is not None}


def candidates(known: KnownSymbols) -> dict[str, list[str]]:
    """List the genes that each retired symbol or alias of the identifier table may mean.

    Case-folded name → at least two approved symbols, sorted. Names that differ in case only
    (``ABC`` of one gene, ``abc`` of another) count as one, as they are matched in any case.
    """
    genes: dict[str, set[str]] = {}
    for name, symbol in known.previous.items():
        genes.setdefault(name.casefold(), set()).add(symbol)
    for name, symbols in known.ambiguous.items():
        genes.setdefault(name.casefold(), set()).update(symbols)
    return {name: sorted(found) for name, found in genes.items() if len(found) > 1}


def approve_symbols(symbols: Iterable[str], known: KnownSymbols) -> dict[str, tuple[str, str]]:
    """Give every symbol its approved form, and how that was found.

    In this order: a spreadsheet date is repaired or refused; a retired symbol that the gene sets
    name becomes their approved one; an approved symbol stays; another spelling (C9ORF72) becomes
    the approved one; MARCH, SEPT and DEC become MARCHF, SEPTIN and DELEC; a retired symbol of the
    identifier table becomes the approved one. Anything else stays as it is. Retired symbols are
    matched in any case.

    A retired symbol is *not* renamed when it could mean two genes: when the identifier table gives
    it to several (unless the gene sets name one of those), when it is itself the approved symbol of
    another gene of that table, or when the approved symbol is itself listed as a retired one.
    `candidates` names those genes. Given are symbol → (approved symbol, what was done); the
    approved symbol is ``""`` for a refused date.

    Examples
    --------
    >>> known = KnownSymbols(in_sets=frozenset({"IL33"}), curated={"C9orf26": "IL33"})
    >>> approve_symbols(["C9ORF26"], known)
    {'C9ORF26': ('IL33', 'renamed by the gene sets')}
    """
    curated = _folded(known.curated.items())
    previous = _folded(known.previous.items())
    spelling = _folded((s, s) for s in sorted(known.approved | known.in_sets))
    family = _folded(RETIRED.items())
    ambiguous = candidates(known)

    def approve(symbol: str) -> tuple[str, str]:
        date = repair_date(symbol)
        if date is not None:
            return (date, DATE) if date else ("", REFUSED_DATE)
        key = symbol.casefold()
        target = curated.get(key)
        if target is not None and target != symbol:
            # Two genes of the table: the old name has been given to another gene since.
            both = symbol in known.approved and target in known.approved
            elsewhere = key in ambiguous and target not in ambiguous[key]
            if both or elsewhere or target.casefold() in curated:
                return symbol, AMBIGUOUS
            return target, GENE_SETS
        if symbol in known.in_sets:
            return symbol, KEPT
        if symbol in known.approved and key not in family:
            return symbol, KEPT
        if key in spelling and key not in family:
            return spelling[key], SPELLING
        if key in family:
            return family[key], FAMILY
        if key in ambiguous:
            return symbol, AMBIGUOUS
        if key in previous:
            return previous[key], TABLE
        return symbol, KEPT

    return {symbol: approve(symbol) for symbol in symbols}


def through_annotation(
    labels: pd.Series,
    annotation: pd.Series,
    where: str,
    fates: RowFates,
) -> pd.Series:
    """Replace probes by their symbol; probes of no gene or of several are dropped."""
    unique = annotation[~annotation.index.duplicated()]
    probes = unique.index.astype(str)
    known = labels.isin(probes)
    if known.sum() < KNOWN * len(labels):
        raise AdnormError(
            f"{where}: the platform annotation knows only {known.sum()} of {len(labels)} probes "
            f"(unknown: {listing(sorted(labels[~known]), 3)}; the annotation has "
            f"{listing(sorted(probes), 3)}). It belongs to another platform; "
            "check `platform:` and `source: annotation:` of the cohort file"
        )
    if not known.all():
        fates.note("probes absent from the annotation dropped", (~known).sum(), labels[~known])
        advice = "check that the annotation is of this platform (source: annotation:)"
        fates.lose("probes that the annotation does not know", labels[~known], advice)
    labels = labels[known]
    text = labels.map(dict(zip(probes, unique, strict=True)))
    genes = text.map({cell: split_symbols(cell) for cell in dict.fromkeys(text)})
    none, several = genes.map(len) == 0, genes.map(len) > 1
    fates.note("probes without a gene dropped", none.sum(), labels[none])
    fates.note("probes of several genes dropped", several.sum(), text[several])
    advice = "another column of the annotation may hold more symbols (source: symbol_column:)"
    fates.lose("probes without a gene", labels[none], advice, _PROBES_WITHOUT_GENE)
    fates.lose("probes of several genes", labels[several], "", _PROBES_OF_SEVERAL)
    kept = genes[~none & ~several].map(lambda found: found[0])
    if kept.empty:
        raise AdnormError(
            f"{where}: the platform annotation gives no probe a gene symbol "
            f"({none.sum()} probes without one, {several.sum()} with several); name the column "
            "that holds symbols in the cohort file (source: symbol_column:), or another annotation"
        )
    fates.note("probes of one gene", len(kept), note=f"{kept.nunique()} symbols")
    return kept


def without_loci(labels: pd.Series, fates: RowFates) -> pd.Series:
    """Drop loci that an assembler found beside the genes of its reference, if it names those."""
    loci = labels.map(is_assembled)
    if 2 * loci.sum() > len(labels):
        return labels
    if loci.any():
        fates.note("assembled loci without a gene dropped", loci.sum(), labels[loci])
        advice = "count against a reference annotation if they matter"
        fates.lose("loci of an assembler without a gene of the reference", labels[loci], advice)
    return labels[~loci]


def beside_ids(labels: pd.Series, fates: RowFates) -> pd.Series:
    """Take the symbols that stand beside Ensembl ids (``ENSG00000000003.14_TSPAN6``)."""
    symbols = labels.map(joined_symbol)
    nameless = symbols == ""
    fates.note("symbols beside Ensembl gene ids taken", (~nameless).sum())
    if nameless.any():
        fates.note("Ensembl gene ids without a symbol dropped", nameless.sum(), labels[nameless])
        advice = "an identifier table may know them (identifiers: table:)"
        fates.lose("Ensembl gene ids without a symbol beside them", labels[nameless], advice)
    return symbols[~nameless]


def without_suffixes(labels: pd.Series, known: KnownSymbols, fates: RowFates) -> pd.Series:
    """Undo what R makes of a symbol in several rows: FLG, FLG.1, FLG.2.

    A hyphen is left alone: STS-1 is another gene than STS.
    """
    names, found = set(labels), {}
    for label in names - known.approved - known.in_sets:
        first = re.fullmatch(r"(.+)\.\d{1,2}", label)
        if first and first[1] in names:
            found[label] = first[1]
    if found:
        joined = [f"{old}>{new}" for old, new in found.items()]
        fates.note("numbered copies of a symbol (FLG.1) joined", len(found), joined)
    return labels.map(lambda label: found.get(label, label))


def split_joined(labels: pd.Series, entrez: dict[str, str], fates: RowFates) -> pd.Series:
    """Take ``SYMBOL|ENTREZ`` apart: the number says more, if a table knows it, than the symbol."""
    parts = labels.str.split("|", n=1, expand=True)
    symbols = parts[1].map(entrez).fillna(parts[0])
    nameless = symbols.isin(["?", ""])
    fates.note("rows without a symbol (?|…) dropped", nameless.sum(), labels[nameless])
    fates.lose("rows without a symbol (?|…)", labels[nameless])
    return symbols[~nameless]


def translate(
    labels: pd.Series,
    table: dict[str, str] | None,
    kind: str,
    where: str,
    known: KnownSymbols,
    fates: RowFates,
) -> pd.Series:
    """Translate Ensembl or Entrez ids with the identifier table."""
    if not table:
        state = "holds no such ids" if table is not None else "is not set"
        # GENCODE gives no Entrez ids.
        tables = "the HGNC complete set" + (", a GENCODE gene table" if kind == ENSEMBL else "")
        ids = sorted(label for label in labels if type_of(label) == kind)
        # Symbols stand among the ids of some tables: they are neither counted nor shown as ids.
        rows = "the" if len(ids) == len(labels) else f"{len(ids):,} of {len(labels):,}"
        raise AdnormError(
            f"{where}: {rows} rows are {kind} ({listing(ids[:3])}), and the table that translates "
            f"them {state}. Set `identifiers: table:` in the configuration to {tables} or an NCBI "
            "annotation table (path or URL)"
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
    fates.note(f"{kind} translated", (~lost).sum(), note="by the identifier table")
    several = lost & labels.isin(set(known.ambiguous))
    if several.any():
        named = [name_candidates(name, known.ambiguous[name]) for name in labels[several]]
        fates.note(f"{kind} of several genes dropped", several.sum(), named, limit=ALL)
        fates.lose(f"{kind} of several genes", labels[several])
    joined = lost & ~several & (beside != "")
    if joined.any():
        pairs = [f"{old}>{new}" for old, new in zip(labels[joined], beside[joined], strict=True)]
        fates.note("symbols beside ids that the table does not know", joined.sum(), pairs)
        symbols[joined] = beside[joined]
    absent = lost & ~several & ~joined
    fates.note(f"{kind} not in the identifier table dropped", absent.sum(), labels[absent])
    advice = "a table of the release that the reads were counted with knows more (identifiers:)"
    fates.lose(f"{kind} that the identifier table does not know", labels[absent], advice)
    return symbols[~lost | joined]


def name_candidates(name: str, genes: Iterable[str]) -> str:
    """Name the genes that an identifier may stand for."""
    return f"{name} ({' or '.join(sorted(genes))})"


# ---------------------------------------------------------------- rows to genes

#: Share of missing values from which a sample is broken, not the rows.
BROKEN_SAMPLE = 0.5
#: Share of the rows that may be dropped because a value is missing; then too little is left.
MOST_INCOMPLETE = 2 / 3
_SUMMARY_ROWS = (r"__\w+", r"N_(unmapped|multimapping|noFeature|ambiguous)")
_RENAMED = (GENE_SETS, TABLE, FAMILY, SPELLING, DATE)
HIGHEST_MEAN = "highest_mean"
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
    totals = _rows(values, labels.index.to_numpy()).sum()
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


def _rows(values: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
    """Take some rows of a table; the table itself, not a copy, if that is all of them."""
    return values if np.array_equal(rows, np.arange(len(values))) else values.iloc[rows]


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
    rows = _rows(values, approved.index.to_numpy())
    complete = _complete_rows(rows, where, fates)
    rows, approved = _rows(rows, np.flatnonzero(complete)), approved[complete]
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
    joined = renamed.agg(lambda old: ";".join(sorted(old)))
    return genes, sources.reindex(genes.index), joined.reindex(genes.index, fill_value="")


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
        what = "rows have missing values and are dropped"
        fates.losses.append(Loss(what, len(incomplete), len(rows), detail, advice))
    return complete


def rule_for(scale: str, assay: str, chosen: str) -> str:
    """Choose how the rows of one gene become one.

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

    `symbols` are the approved ones of the rows of `values`, which have no missing value. Given are
    genes × samples, sorted by symbol; for each gene the ids of its rows, the used or highest one
    first, at most five, ";"-joined (of a sum only those that were added); and the ids of the rows
    that a sum leaves out, sorted.
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
        genes = _together(values, order, rule)
    genes.index.name = "gene"
    return genes, sources, copies


def _together(values: pd.DataFrame, order: pd.DataFrame, rule: str) -> pd.DataFrame:
    """Sum or average the rows of each gene; most have a single row, which is only put in place."""
    symbols = pd.Index(sorted(set(order["symbol"])), dtype=object)
    shared = order[order["symbol"].duplicated(keep=False)]
    alone = order.drop(shared.index)
    numbers = np.empty((len(symbols), values.shape[1]), order="F")
    places, rows = symbols.get_indexer(pd.Index(alone["symbol"])), alone["row"].to_numpy()
    known = values.to_numpy(dtype=float)
    for column in range(values.shape[1]):
        numbers[places, column] = known[rows, column]
    if len(shared):
        groups = values.iloc[shared["row"].to_numpy()].groupby(
            shared["symbol"].to_numpy(dtype=object), sort=True
        )
        together = groups.sum() if rule == SUM else groups.mean()
        numbers[symbols.get_indexer(together.index)] = together.to_numpy()
    return pd.DataFrame(numbers, index=symbols, columns=values.columns, copy=False)


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
