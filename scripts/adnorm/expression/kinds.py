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
# What names no gene by itself; assemblers join the gene of the reference with |.
_ASSEMBLED = re.compile(
    r"(?:M?STRG|CUFF)\.\d+(?:\.\d+)?|(?:XLOC|TCONS)_\d+|TRINITY_\w+|[A-Z]+_DN\d+_c\d+_g\d+\w*"
)
# Prefixes of GFF3 files and of NCBI: gene:ENSG00000143631, gene-FLG, GeneID:2312.
_PREFIX = re.compile(r"(?:gene|geneid|gene_id|entrez|entrezid|ensembl|symbol)\s*[:=]|gene-", re.I)
# Seurat and tximport users join the other way round: TSPAN6_ENSG00000000003.
_ENSEMBL_LAST = re.compile(r"(?P<symbol>[A-Za-z0-9][\w.@-]*?)[_|:.-](?P<id>ENSG\d{11}(?:\.\d+)?)")
# The accession of a sequence; names of clones (AC012345.1) are written alike and are genes.
_ACCESSION = re.compile(r"[A-Z]{1,2}_?\d{5,6}(?:\.\d+)?|[A-Z]{4,6}\d{8,}(?:\.\d+)?")
_OF_A_REFERENCE = (
    "count reads against a reference annotation (StringTie with -e -G, or featureCounts or "
    "htseq-count with the GTF of GENCODE), or join the gene of the reference to each id, as "
    "prepDE.py does (MSTRG.12|FLG); if a column of the table holds the genes, name it (source: "
    "gene_column:)"
)
_TO_GENES = (
    "sum them to genes with the annotation that made them (tximport), or, if a column of the table "
    "holds the genes, name it (source: gene_column:)"
)
_REFUSED = (
    (_ASSEMBLED, "loci of an assembler (StringTie, Cufflinks, Trinity), which name no gene"),
    (re.compile(r"uc\d{1,4}[a-z]{3}\.\d+"), "UCSC transcripts, not genes"),
    (re.compile(r"OTTHUM[GT]\d{11}(\.\d+)?"), "Vega ids, which are no longer kept"),
    (re.compile(r"HGNC:\d+"), "HGNC ids, not symbols"),
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
    "loci": _OF_A_REFERENCE,
    "UCSC": _TO_GENES,
    "RefSeq": _TO_GENES,
    "accessions": _TO_GENES,
    "HGNC": "replace each by its approved symbol, from the HGNC complete set",
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


def joined_symbol(label: str) -> str:
    """Return the symbol that is joined to an Ensembl gene id; empty when there is none.

    Examples
    --------
    >>> joined_symbol("ENSG00000000003.14_TSPAN6"), joined_symbol("ENSG00000182378.13_PAR_Y")
    ('TSPAN6', '')
    >>> joined_symbol("ENSG00000182378.13_PAR_Y|PLCXD1|protein_coding")
    'PLCXD1'
    """
    rest = re.sub(r"^ENSG\d{11}(\.\d+)?(_PAR_Y)?", "", label)
    name = rest[1:].split("|")[0]
    return name if _SYMBOL.fullmatch(name) and not _ENSEMBL.fullmatch(name) else ""


def is_assembled(label: str) -> bool:
    """Whether an identifier is a locus that an assembler numbered.

    Examples
    --------
    >>> is_assembled("MSTRG.12"), is_assembled("XLOC_000012"), is_assembled("MSTRG.12|FLG")
    (True, True, False)
    """
    return _ASSEMBLED.fullmatch(label) is not None


def plain(label: str) -> str:
    """Take the gene out of what programs put around it; other identifiers stay as they are.

    Examples
    --------
    >>> plain("gene:ENSG00000143631"), plain("gene-FLG"), plain("MSTRG.12|FLG"), plain("MSTRG.12")
    ('ENSG00000143631', 'FLG', 'FLG', 'MSTRG.12')
    >>> plain("TSPAN6_ENSG00000000003"), plain("ENSG00000000003_TSPAN6"), plain("FLG|2312")
    ('ENSG00000000003_TSPAN6', 'ENSG00000000003_TSPAN6', 'FLG|2312')
    """
    label = _PREFIX.sub("", label, count=1) if _PREFIX.match(label) else label
    locus, bar, gene = label.partition("|")
    if bar and is_assembled(locus):
        label = gene.split("|")[0] if gene.split("|")[0] not in ("", "-", ".") else locus
    turned = _ENSEMBL_LAST.fullmatch(label)
    return f"{turned['id']}_{turned['symbol']}" if turned else label


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
        if best == SYMBOLS:
            _refuse_accessions(counts[best], where)
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


def _refuse_accessions(symbols: list[str], where: str) -> None:
    found = [s for s in symbols if _ACCESSION.fullmatch(s)]
    if 2 * len(found) > len(symbols):
        raise AdnormError(
            f"{where}: {len(found)} of {len(symbols)} identifiers are accessions of sequences "
            f"(GenBank, UniProt), such as {listing(sorted(found), 3)}, not gene symbols; "
            f"{_HINTS['accessions']}"
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
