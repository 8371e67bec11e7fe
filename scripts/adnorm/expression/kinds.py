"""What kind of identifier a table carries. Decided by nearly all of them, or refused."""

from __future__ import annotations

import re

import pandas as pd

from adnorm.base.errors import AdnormError, listing
from adnorm.expression.excel import read_date

#: Share of the identifiers that must be of one kind.
AGREEMENT = 0.9

ENSEMBL = "Ensembl gene ids"
ENTREZ = "Entrez gene ids"
SYMBOLS = "gene symbols"
JOINED = "gene symbols with Entrez gene ids (SYMBOL|ID)"

# RSEM and GENCODE's tables join more to the id: ENSG00000000003.14_TSPAN6, ENSG…|TSPAN6.
_JOINED = r"([_|].+)?"
_ENSEMBL = re.compile(r"ENSG\d{11}(\.\d+)?([_|](?!ENS[TP]\d).+)?")
_ENTREZ = re.compile(r"\d+")
# As TCGA writes them; ? stands for a gene without a symbol.
_JOINED_SYMBOL = re.compile(r"((?!ENS[A-Z]*\d)[A-Za-z0-9][A-Za-z0-9._@-]*|\?)\|\d+")
_SYMBOL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]*")
# Krt16, Il4ra: first letter upper case, the rest not. Human C9orf72 is the exception.
_MOUSE_SYMBOL = re.compile(r"[A-Z][a-z][a-z0-9-]*|[A-Z][a-z0-9]*[a-z][a-z0-9-]*")
_REFUSED = (
    (
        re.compile(r"ENS[A-Z]{3,}G\d{11}(\.\d+)?" + _JOINED),
        "Ensembl genes of another species (human ones begin with ENSG)",
    ),
    (
        re.compile(r"(ENSG\d{11}(\.\d+)?[_|])?ENS[A-Z]*[TP]\d{11}(\.\d+)?" + _JOINED),
        "Ensembl transcripts or proteins, not genes",
    ),
    (re.compile(r"[NX][MRP]_\d+(\.\d+)?"), "RefSeq transcripts or proteins, not genes"),
    (re.compile(r".+_at|ILMN_\d+|TC\d{8,}\.hg\.\d+|A_\d+_P\d+"), "probes of an array"),
)
_HINTS = {
    "probes": "name the platform's annotation in the cohort file (source: annotation:)",
}


def unversioned(label: str) -> str:
    """Strip the version and what is joined to it (symbol, pseudo-autosomal mark) from an id.

    Examples
    --------
    >>> unversioned("ENSG00000143631.10"), unversioned("ENSG00000182378.13_PAR_Y")
    ('ENSG00000143631', 'ENSG00000182378')
    >>> unversioned("ENSG00000000003.14_TSPAN6")
    'ENSG00000000003'
    """
    return label[:15]


def kind_of(label: str) -> str:
    """Name the kind of one identifier; ``""`` when it is none that can be used.

    Examples
    --------
    >>> kind_of("ENSG00000143631.10"), kind_of("2312"), kind_of("FLG")
    ('Ensembl gene ids', 'Entrez gene ids', 'gene symbols')
    >>> kind_of("ENSMUSG00000102439")
    ''
    """
    if _ENSEMBL.fullmatch(label):
        return ENSEMBL
    if _ENTREZ.fullmatch(label):
        return ENTREZ
    if _JOINED_SYMBOL.fullmatch(label):
        return JOINED
    if read_date(label) is not None:
        return SYMBOLS
    if any(pattern.fullmatch(label) for pattern, _ in _REFUSED):
        return ""
    return SYMBOLS if _SYMBOL.fullmatch(label) else ""


def detect_kind(labels: pd.Index | pd.Series, where: str) -> str:
    """Detect what the identifiers of a table are.

    Parameters
    ----------
    labels
        The identifiers, text.
    where
        The file they come from, for messages.

    Returns
    -------
    str
        `ENSEMBL`, `ENTREZ`, `SYMBOLS` or `JOINED`.

    Raises
    ------
    AdnormError
        Fewer than 90 % are of one kind, or they are not human genes.
    """
    labels = [str(label) for label in dict.fromkeys(labels)]
    if not labels:
        raise AdnormError(f"{where}: there is not one gene identifier in it")
    counts: dict[str, list[str]] = {}
    for label in labels:
        counts.setdefault(kind_of(label), []).append(label)
    best = max(sorted(counts), key=lambda kind: len(counts[kind]))
    if best and len(counts[best]) >= AGREEMENT * len(labels):
        if best in (SYMBOLS, JOINED):
            _refuse_mouse([label.split("|")[0] for label in counts[best]], where)
        return best
    raise AdnormError(f"{where}: {_explain(labels, counts)}")


def _refuse_mouse(symbols: list[str], where: str) -> None:
    mouse = [s for s in symbols if _MOUSE_SYMBOL.fullmatch(s) and read_date(s) is None]
    if len(mouse) > 0.5 * len(symbols):
        raise AdnormError(
            f"{where}: {len(mouse)} of {len(symbols)} gene symbols are written as mouse genes are "
            f"({listing(sorted(mouse), 5)}); adnorm takes human symbols (FLG, KRT16). Translate "
            "them to human orthologues before, with a table of your choice"
        )


def _explain(labels: list[str], counts: dict[str, list[str]]) -> str:
    refused = counts.get("", [])
    for pattern, what in _REFUSED:
        hits = [label for label in refused if pattern.fullmatch(label)]
        if len(hits) > 0.5 * len(labels):
            hint = _HINTS.get(
                what.split()[0], "give a table of human genes (symbols, Ensembl or Entrez ids)"
            )
            return (
                f"{len(hits)} of {len(labels)} identifiers are {what}, such as "
                f"{listing(sorted(hits), 3)}; {hint}"
            )
    parts = [
        f"{len(found)} {kind or 'of no known kind'} ({listing(sorted(found), 3)})"
        for kind, found in sorted(counts.items(), key=lambda item: (-len(item[1]), item[0]))
    ]
    return (
        f"the identifiers are of several kinds: {'; '.join(parts)}. At least 90 % must be of one: "
        "gene symbols, Ensembl genes (ENSG…) or Entrez numbers. If another column holds the "
        "genes, name it in the cohort file (source: gene_column:)"
    )
