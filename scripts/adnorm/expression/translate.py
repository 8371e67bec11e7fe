"""From probes and ids to symbols, row by row; what becomes of every row is noted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError, listing
from adnorm.base.losses import SMALL_SHARE, Loss
from adnorm.expression.kinds import ENSEMBL, is_assembled, joined_symbol, kind_of, unversioned
from adnorm.expression.steps import Steps
from adnorm.expression.symbols import Vocabulary

#: Share of the rows that an annotation or identifier table must know, else it is the wrong one.
KNOWN = 0.5
#: Names listed where none may be left out.
ALL = 1000
#: Probes without a gene are in the nature of a platform (15 % of HG-U133 Plus 2.0).
_PROBES_WITHOUT_GENE, _PROBES_OF_SEVERAL = 0.5, 0.2


class RowLosses:
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


def through_annotation(
    labels: pd.Series,
    annotation: pd.Series,
    split_symbols: Callable[[str], Iterable[str]] | None,
    where: str,
    steps: Steps,
    losses: RowLosses,
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


def without_loci(labels: pd.Series, steps: Steps, losses: RowLosses) -> pd.Series:
    """Drop loci that an assembler found beside the genes of its reference, if it names those."""
    loci = labels.map(is_assembled)
    if 2 * loci.sum() > len(labels):
        return labels
    if loci.any():
        steps.add("assembled loci without a gene dropped", loci.sum(), labels[loci])
        advice = "count against a reference annotation if they matter"
        losses.add("loci of an assembler without a gene of the reference", labels[loci], advice)
    return labels[~loci]


def beside_ids(labels: pd.Series, steps: Steps, losses: RowLosses) -> pd.Series:
    """Take the symbols that stand beside Ensembl ids (``ENSG00000000003.14_TSPAN6``)."""
    symbols = labels.map(joined_symbol)
    nameless = symbols == ""
    steps.add("symbols beside Ensembl gene ids taken", (~nameless).sum())
    if nameless.any():
        steps.add("Ensembl gene ids without a symbol dropped", nameless.sum(), labels[nameless])
        advice = "an identifier table may know them (identifiers: table:)"
        losses.add("Ensembl gene ids without a symbol beside them", labels[nameless], advice)
    return symbols[~nameless]


def without_suffixes(labels: pd.Series, vocabulary: Vocabulary, steps: Steps) -> pd.Series:
    """Undo what R makes of a symbol in several rows: FLG, FLG.1, FLG.2.

    A hyphen is left alone: STS-1 is another gene than STS.
    """
    known, names = vocabulary.approved | vocabulary.asked, set(labels)
    found = {}
    for label in names - known:
        first = re.fullmatch(r"(.+)\.\d{1,2}", label)
        if first and first[1] in names:
            found[label] = first[1]
    if found:
        told = [f"{old}>{new}" for old, new in found.items()]
        steps.add("numbered copies of a symbol (FLG.1) joined", len(found), told)
    return labels.map(lambda label: found.get(label, label))


def split_joined(
    labels: pd.Series, entrez: dict[str, str], steps: Steps, losses: RowLosses
) -> pd.Series:
    """Take ``SYMBOL|ENTREZ`` apart: the number says more, if a table knows it, than the symbol."""
    parts = labels.str.split("|", n=1, expand=True)
    symbols = parts[1].map(entrez).fillna(parts[0])
    nameless = symbols.isin(["?", ""])
    steps.add("rows without a symbol (?|…) dropped", nameless.sum(), labels[nameless])
    losses.add("rows without a symbol (?|…)", labels[nameless])
    return symbols[~nameless]


def translate(
    labels: pd.Series,
    table: dict[str, str] | None,
    kind: str,
    where: str,
    steps: Steps,
    vocabulary: Vocabulary,
    losses: RowLosses,
) -> pd.Series:
    """Translate Ensembl or Entrez ids with the identifier table."""
    if not table:
        state = "holds no such ids" if table is not None else "is not set"
        # GENCODE gives no Entrez ids. Symbols stand among the ids of some tables.
        tables = "the HGNC complete set" + (", a GENCODE gene table" if kind == ENSEMBL else "")
        shown = sorted(label for label in labels if kind_of(label) == kind)[:3]
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
    steps.add(f"{kind} translated", (~lost).sum(), note="by the identifier table")
    several = lost & labels.isin(set(vocabulary.ambiguous))
    if several.any():
        told = [name_candidates(name, vocabulary.ambiguous[name]) for name in labels[several]]
        steps.add(f"{kind} of several genes dropped", several.sum(), told, limit=ALL)
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


def name_candidates(name: str, genes: Iterable[str]) -> str:
    """Name the genes that an identifier may stand for."""
    return f"{name} ({' or '.join(sorted(genes))})"
