"""Retired, misspelt and spreadsheet-broken gene symbols become approved ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from adnorm.expression.excel import RETIRED, repair_date


@dataclass(frozen=True)
class Vocabulary:
    """All that is known about symbols in one run.

    Attributes
    ----------
    asked
        Approved symbols that the gene sets ask for.
    curated
        Retired symbol → approved symbol, from the ``previous_symbols`` of the gene sets.
    approved
        Symbols that the identifier table calls approved; empty without a table.
    previous
        Retired symbol or alias → approved symbol, from the identifier table.
    ambiguous
        Retired symbol, alias or id → the several genes that the identifier table gives it to.
    """

    asked: frozenset[str] = frozenset()
    curated: Mapping[str, str] = field(default_factory=dict)
    approved: frozenset[str] = frozenset()
    previous: Mapping[str, str] = field(default_factory=dict)
    ambiguous: Mapping[str, Iterable[str]] = field(default_factory=dict)


#: What can become of a symbol.
KEPT = "kept"
GENE_SETS = "renamed by the gene sets"
TABLE = "renamed by the identifier table"
FAMILY = "renamed (families that spreadsheets break)"
SPELLING = "spelling (upper and lower case)"
DATE = "spreadsheet date repaired"
REFUSED_DATE = "spreadsheet date refused"
AMBIGUOUS = "ambiguous retired symbol left as it is"


def _folded(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Index by case-folded name; names that then stand for several symbols are left out."""
    result: dict[str, str | None] = {}
    for name, symbol in pairs:
        key = name.casefold()
        result[key] = symbol if result.get(key, symbol) == symbol else None
    return {key: symbol for key, symbol in result.items() if symbol is not None}


def candidates(vocabulary: Vocabulary) -> dict[str, list[str]]:
    """Say which genes each retired symbol or alias of the identifier table may mean.

    Returns
    -------
    dict of str to list of str
        Case-folded name → at least two approved symbols, sorted. Names that differ in case only
        (``ABC`` of one gene, ``abc`` of another) count as one, as they are matched in any case.
    """
    genes: dict[str, set[str]] = {}
    for name, symbol in vocabulary.previous.items():
        genes.setdefault(name.casefold(), set()).add(symbol)
    for name, symbols in vocabulary.ambiguous.items():
        genes.setdefault(name.casefold(), set()).update(symbols)
    return {name: sorted(found) for name, found in genes.items() if len(found) > 1}


def approve_symbols(symbols: Iterable[str], vocabulary: Vocabulary) -> dict[str, tuple[str, str]]:
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

    Parameters
    ----------
    symbols
        As the platform or table spells them.
    vocabulary
        What is known.

    Returns
    -------
    dict
        Symbol → (approved symbol, what was done). The approved symbol is ``""`` for a refused date.

    Examples
    --------
    >>> known = Vocabulary(asked=frozenset({"IL33"}), curated={"C9orf26": "IL33"})
    >>> approve_symbols(["C9ORF26"], known)
    {'C9ORF26': ('IL33', 'renamed by the gene sets')}
    """
    curated = _folded(vocabulary.curated.items())
    previous = _folded(vocabulary.previous.items())
    spelling = _folded((s, s) for s in sorted(vocabulary.approved | vocabulary.asked))
    family = _folded(RETIRED.items())
    ambiguous = candidates(vocabulary)

    def approve(symbol: str) -> tuple[str, str]:
        date = repair_date(symbol)
        if date is not None:
            return (date, DATE) if date else ("", REFUSED_DATE)
        key = symbol.casefold()
        target = curated.get(key)
        if target is not None and target != symbol:
            # Two genes of the table: the old name has been given to another gene since.
            both = symbol in vocabulary.approved and target in vocabulary.approved
            elsewhere = key in ambiguous and target not in ambiguous[key]
            if both or elsewhere or target.casefold() in curated:
                return symbol, AMBIGUOUS
            return target, GENE_SETS
        if symbol in vocabulary.asked:
            return symbol, KEPT
        if symbol in vocabulary.approved and key not in family:
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
