"""From probes, ids and retired symbols to approved ones, row by row; the fate of each is noted."""

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
    RETIRED,
    is_assembled,
    joined_symbol,
    repair_date,
    type_of,
    unversioned,
)

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
    """Say which genes each retired symbol or alias of the identifier table may mean.

    Returns
    -------
    dict of str to list of str
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
    """Give every symbol its approved form and say how that was found.

    In this order: a spreadsheet date is repaired or refused; a retired symbol that the gene sets
    name becomes their approved one; an approved symbol stays; another spelling (C9ORF72) becomes
    the approved one; MARCH, SEPT and DEC become MARCHF, SEPTIN and DELEC; a retired symbol of the
    identifier table becomes the approved one. Anything else stays as it is. Retired symbols are
    matched in any case.

    A retired symbol is *not* renamed when it could mean two genes: when the identifier table gives
    it to several (unless the gene sets name one of those), when it is itself the approved symbol of
    another gene of that table, or when the approved symbol is itself listed as a retired one.
    `candidates` names those genes.

    Returns
    -------
    dict
        Symbol → (approved symbol, what was done). The approved symbol is ``""`` for a refused date.

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
        # GENCODE gives no Entrez ids. Symbols stand among the ids of some tables.
        tables = "the HGNC complete set" + (", a GENCODE gene table" if kind == ENSEMBL else "")
        shown = sorted(label for label in labels if type_of(label) == kind)[:3]
        raise AdnormError(
            f"{where}: the rows are {kind} ({listing(shown)}), and the table that translates them "
            f"{state}. Set `identifiers: table:` in the configuration to {tables} or an NCBI "
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
