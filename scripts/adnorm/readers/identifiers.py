"""What the labels of rows are: ids of genes of some type, dates of a spreadsheet, or row numbers.

A match with an identifier table proves nothing: 72 % of the integers below 12,000 are human Entrez
ids. What tells row numbers from Entrez ids is how dense they are. Row numbers of a table that was
filtered or shuffled still fill much of the way from 0 to the largest of them; the Entrez ids of a
transcriptome reach beyond 100,000,000, those of a small panel beyond 1,000 times its size.

References
----------
Ziemann M, Eren Y, El-Osta A (2016) Gene name errors are widespread in the scientific literature.
Genome Biology 17:177.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import pandas as pd

from adnorm.base.errors import AdnormError, AskedForError, listing

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
_MOUSE_SYMBOL = re.compile(r"[A-Z][0-9]*[a-z][a-z0-9-]*")
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
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAME = "|".join(_MONTHS)
_FORMS = (
    # 1-Mar, 01 Mar, 1.March: the day in front
    re.compile(rf"(?P<number>\d{{1,2}})[-/. ](?P<month>{_NAME})[a-z]*", re.IGNORECASE),
    # Mar-01, Sep/2: the day (or a year of two digits that stands for it) behind
    re.compile(rf"(?P<month>{_NAME})[a-z]*[-/. ](?P<number>\d{{1,2}})", re.IGNORECASE),
    # 1-Mar-21, 01-Mar-2021
    re.compile(
        rf"(?P<number>\d{{1,2}})[-/. ](?P<month>{_NAME})[a-z]*[-/. ]\d{{2}}(\d{{2}})?",
        re.IGNORECASE,
    ),
)
_ISO = re.compile(r"(?P<year>\d{4})[-/](?P<month>\d{1,2})[-/](?P<number>\d{1,2})([ T]00:00(:00)?)?")
_SLASHED = re.compile(r"\d{1,2}/\d{1,2}/\d{2}(\d{2})?")
#: What a date stands for: (month, number) → approved symbol. March 1 and 2 are missing on purpose:
#: each stands for two genes (MARCHF1 and MTARC1, MARCHF2 and MTARC2).
_DATES = {
    **{(3, n): f"MARCHF{n}" for n in range(3, 12)},
    **{(9, n): f"SEPTIN{n}" for n in (*range(1, 13), 14)},
    (9, 15): "SELENOF",
    (12, 1): "DELEC1",
}
#: Symbols that were retired because spreadsheets turn them into dates.
RETIRED = {
    **{f"MARCH{n}": f"MARCHF{n}" for n in range(1, 12)},
    **{f"SEPT{n}": f"SEPTIN{n}" for n in (*range(1, 13), 14)},
    "SEP15": "SELENOF",
    "DEC1": "DELEC1",
    "MARC1": "MTARC1",
    "MARC2": "MTARC2",
}
#: Share of the numbers from 0 to the largest that must be there for row numbers …
_FILLED = 0.1
#: … where a column of gene names stands beside them: reason enough to ask.
_FILLED_BESIDE_NAMES = 0.02
#: Share of the numbers from the smallest to the largest, for a part of a long numbered table: the
#: ids of one family of genes (keratins, S100) follow one another, too.
_FILLED_WITHIN, _FEWEST_WITHIN = 0.5, 300
#: Fewer rows than this are row numbers only when none is left out.
_FEWEST_ROWS = 30
#: What a numbered row may be called: row12, row_0003. Other words may be names of a kind.
_ROW_WORD = re.compile(r"row[ _.-]?(?=\d)", re.IGNORECASE)
#: What writes the numbers of rows names their column so.
_USUAL_NAMES = re.compile(
    r"|x|unnamed.*|index|level_0|rownames?|row[ ._]?(no|nr|num|number|id|index)?|#|no|nr|number|v1",
    re.IGNORECASE,
)


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


def type_of(label: str) -> str:
    """Name the kind of one identifier; ``""`` when it is none that can be used.

    Examples
    --------
    >>> type_of("ENSG00000143631.10"), type_of("2312"), type_of("FLG")
    ('Ensembl gene ids', 'Entrez gene ids', 'gene symbols')
    >>> type_of("ENSMUSG00000102439")
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


def identifier_type(labels: pd.Index | pd.Series, where: str) -> str:
    """Find the type of the identifiers of a table: `ENSEMBL`, `ENTREZ`, `SYMBOLS` or `JOINED`.

    Refused are identifiers of which fewer than 90 % are of one type, and those of no human genes.

    Parameters
    ----------
    labels
        The identifiers, text.
    where
        The file they come from, for messages.
    """
    distinct = [str(label) for label in dict.fromkeys(labels)]
    if not distinct:
        raise AdnormError(f"{where}: there is not one gene identifier in it")
    counts: dict[str, list[str]] = {}
    for label in distinct:
        counts.setdefault(type_of(label), []).append(label)
    best = max(sorted(counts), key=lambda kind: len(counts[kind]))
    if best and len(counts[best]) >= AGREEMENT * len(distinct):
        if best in (SYMBOLS, JOINED):
            _refuse_mouse([label.split("|")[0] for label in counts[best]], where)
        if best == SYMBOLS:
            _refuse_accessions(counts[best], where)
        return best
    raise AdnormError(f"{where}: {_explain(distinct, counts)}")


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


def read_date(label: str) -> tuple[int, int] | None:
    """Read a label as a spreadsheet date: month and number of the gene; ``None`` when it is none.

    A date whose number cannot be told is ``(0, 0)``.

    Examples
    --------
    >>> read_date("2-Sep"), read_date("Sep-02"), read_date("2021-03-04"), read_date("FLG2")
    ((9, 2), (9, 2), (3, 4), None)
    """
    if not any(character.isdigit() for character in label):
        return None
    for form in _FORMS:
        found = form.fullmatch(label)
        if found:
            month = _MONTHS.index(found["month"].lower()[:3]) + 1
            return month, int(found["number"])
    found = _ISO.fullmatch(label)
    if found:
        number = int(found["number"])
        # "Sep-02" opened as September 2002 is saved as 2002-09-01: the number may be the year.
        as_year = int(found["year"]) - 2000
        if number == 1 and 2 <= as_year <= 15:
            return 0, 0
        return int(found["month"]), number
    return (0, 0) if _SLASHED.fullmatch(label) else None


def repair_date(label: str) -> str | None:
    """Give the approved symbol that a spreadsheet date stands for; ``None`` when it is no date.

    It is ``""`` for a date that stands for several genes or for none (1-Mar is MARCHF1 or MTARC1).

    Examples
    --------
    >>> repair_date("Sep-02"), repair_date("1-Mar"), repair_date("KRT16")
    ('SEPTIN2', '', None)
    """
    date = read_date(label)
    return None if date is None else _DATES.get(date, "")


def whole_number(text: str) -> int | None:
    """Read a number of a row or gene: ``12``, also as ``12.0`` or ``1e+05``; ``None`` otherwise.

    Examples
    --------
    >>> whole_number("12"), whole_number("12.0"), whole_number("1e+05"), whole_number("1.5")
    (12, 12, 100000, None)
    """
    text = text.strip()
    if re.fullmatch(r"\d{1,15}", text):
        return int(text)
    if re.fullmatch(r"\d{1,15}\.0+|\d(\.\d+)?[eE]\+?\d{1,2}", text):
        value = float(text)
        return int(value) if value.is_integer() else None
    return None


def count_rows(labels: Iterable[str], beside_names: bool = False) -> bool:
    """Whether labels number the rows of a table: all of them, or those that a filter left.

    Parameters
    ----------
    labels
        The cells of a column, as text, in any order; they may share the word ``row``.
    beside_names
        Whether another column of the table holds names of genes.

    Examples
    --------
    >>> count_rows(["3", "1", "2"]), count_rows(["7157", "2312", "3569"])
    (True, False)
    """
    labels = [label.strip().strip('"') for label in labels]
    prefix = _ROW_WORD.match(labels[0]) if labels else None
    if prefix and all(label.startswith(prefix[0]) for label in labels):
        labels = [label[prefix.end() :] for label in labels]
    found = [n for label in labels if (n := whole_number(label)) is not None]
    numbers = sorted(set(found))
    if len(found) < len(labels) or len(numbers) < max(2, len(found)):
        return False
    least, most = numbers[0], numbers[-1]
    if least in (0, 1) and most - least + 1 == len(numbers):
        return True
    if len(numbers) < _FEWEST_ROWS:
        return False
    if len(numbers) >= (_FILLED_BESIDE_NAMES if beside_names else _FILLED) * (most + 1):
        return True
    within = _FILLED_WITHIN * (most - least + 1)
    return len(numbers) >= max(within, _FEWEST_WITHIN)


def named_as_row_numbers(name: str) -> bool:
    """Whether a column is called as programs call the numbers of rows (``X``, ``Unnamed: 0``)."""
    return _USUAL_NAMES.fullmatch(name.strip()) is not None


def refuse_row_numbers(
    labels: Iterable[str], where: str, column: str, beside: Iterable[str]
) -> None:
    """Stop when what should be genes are the numbers of rows.

    Parameters
    ----------
    labels
        What should be gene identifiers.
    where
        The table, for messages.
    column
        Name of the column that holds them, empty for one without a name.
    beside
        Columns of text that may hold the genes, the best first.
    """
    labels, beside = list(labels), list(beside)
    if not count_rows(labels, bool(beside)):
        return
    called = f"the column '{column}'" if column else "the column without a name (row names)"
    advice = (
        "no other column of the table holds names of genes: take a table with symbols, Ensembl or "
        "Entrez ids"
    )
    if beside:
        advice = (
            "name the column of genes in the cohort file, below source: "
            f"`gene_column: {beside[0]}`. Columns of text: {listing(beside)}"
        )
    raise AskedForError(
        f"{where}: {called} holds row numbers, not genes ({listing(labels[:4])}); that many "
        f"of them are also Entrez ids means nothing; {advice}"
    )


def may_hold_genes(cells: pd.Series) -> bool:
    """Whether the cells of a column of text may name genes: filled, short, mostly different."""
    filled = cells[cells.str.strip() != ""]
    return (
        2 * len(filled) > len(cells)
        and 2 * filled.nunique() > len(filled)
        and bool((filled.str.len() <= 40).mean() > 0.9)
    )
