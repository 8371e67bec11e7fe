"""Lists of genes as people have them: lines of a text file, what is no symbol, and GMT files."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from adnorm.base.errors import AdnormError, Problems, listing, nearest
from adnorm.base.logs import get_logger
from adnorm.study.validation import Section
from adnorm.study.vocabulary import Direction, SetCategory

_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec"
#: Dates that spreadsheets make of symbols.
_DATE = re.compile(
    rf"(\d{{1,2}}[-/. ]({_MONTHS})|({_MONTHS})[-/. ]\d{{1,4}}|\d{{4}}-\d\d-\d\d|"
    r"\d{1,2}[/.]\d{1,2}([/.]\d{2,4})?)( .*)?",
    re.IGNORECASE,
)
_ENSEMBL = re.compile(r"ENS[A-Z]*G\d+(\.\d+)?")
_SYMBOL = re.compile(r"[A-Za-z0-9][A-Za-z0-9@_.\-]*")


def symbol_problem(symbol: str) -> str:
    """Say what is wrong with a gene symbol; empty when it looks like one.

    Examples
    --------
    >>> symbol_problem("HLA-DRB1")
    ''
    >>> symbol_problem("1-Mar")
    "'1-Mar' is a date that a spreadsheet made of a symbol (MARCHF1, SEPTIN2, …); write the symbol"
    """
    if not symbol:
        return "the symbol is empty"
    if _DATE.fullmatch(symbol):
        return (
            f"'{symbol}' is a date that a spreadsheet made of a symbol (MARCHF1, SEPTIN2, …); "
            "write the symbol"
        )
    if symbol.isdigit():
        return f"'{symbol}' is a number (an Entrez id?); gene sets hold approved symbols"
    if _ENSEMBL.fullmatch(symbol):
        return f"'{symbol}' is an Ensembl id; gene sets hold approved symbols"
    if not _SYMBOL.fullmatch(symbol):
        return f"'{symbol}' is not one gene symbol"
    return ""


def table_lines(path: Path) -> list[tuple[int, list[str]]]:
    """Read a tab-separated file: the number and the fields of each line that says something.

    UTF-8 is read, or Latin-1 as old spreadsheets write it; lines that open with ``#`` are comments.

    Raises
    ------
    AdnormError
        The file is absent, empty or no text.
    """
    if not path.is_file():
        raise AdnormError(f"{path}: this gene-set file does not exist")
    content = path.read_bytes()
    if b"\0" in content or content.startswith(b"PK\x03\x04"):
        raise AdnormError(
            f"{path}: not a text file; save it as tab-separated text (UTF-8), not as a workbook"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    # str.splitlines would also break at characters that stand within a cell.
    rows = [
        (number, [field.strip().strip('"').strip() for field in line.split("\t")])
        for number, line in enumerate(re.split(r"\r\n|\n|\r", text), 1)
        if line.strip() and not line.startswith("#")
    ]
    if not rows:
        raise AdnormError(f"{path}: the file is empty")
    return rows


# ---------------------------------------------------------------- rows of our tables


def _symbol(text: str) -> str:
    if wrong := symbol_problem(text):
        raise ValueError(wrong)
    return text


def _symbols(text: str) -> tuple[str, ...]:
    symbols = [part.strip() for part in text.split("|")]
    return tuple(dict.fromkeys(_symbol(symbol) for symbol in symbols if symbol))


def _direction(text: str) -> str:
    known = (Direction.UP, Direction.DOWN)
    if text and text not in known:
        raise ValueError(
            f"direction '{text}' is unknown{nearest(text, known)}; allowed: 'up', 'down' or empty"
        )
    return text


def _number(text: str, info: ValidationInfo) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{info.field_name} is '{text}', which is not a number")
    return value


def _flag(text: str) -> bool:
    if text not in ("", "yes"):
        raise ValueError(f"low_in_bulk_skin is '{text}'; allowed: 'yes' or empty")
    return text == "yes"


class GeneSetRow(Section):
    """One gene in one set: a row of a gene-set table."""

    set: str = Field(description="identifier in all tables", examples=["itch_core_skin_up"])
    symbol: Annotated[str, AfterValidator(_symbol)] = Field(
        description="approved symbol, matched exactly", examples=["IL31RA"]
    )
    direction: Annotated[str, AfterValidator(_direction)] = Field(
        description="`up` or `down`: how the gene moves in lesional skin (in `jak_stat_targets`: "
        "when the pathway signals); empty when no direction is claimed",
        examples=["up"],
    )
    label: str = Field(
        default="",
        description="name for people, in figures; one per set; at most 40 characters read well",
        examples=["Itch: core in skin"],
    )
    category: str = Field(
        default=SetCategory.OWN.value,
        description="what the set is about; one per set",
        examples=["itch"],
    )
    role: str = Field(
        default="context",
        description="`primary`, `secondary`, `context`, `composition` (cells, not regulation) or "
        "`control` (must not move); one per set",
        examples=["primary"],
    )
    previous_symbols: Annotated[tuple[str, ...], BeforeValidator(_symbols)] = Field(
        default=(),
        description="retired symbols of the gene, joined by `|`; older platforms still carry them",
        examples=["CRL|CRL3"],
    )
    source: str = Field(
        default="", description="where the membership comes from", examples=["Dillon 2004"]
    )
    evidence: str = Field(
        default="",
        description="how far the source was checked: `checked`, `partly checked` (some of the "
        "works cited), `to check`",
        examples=["checked"],
    )
    madad_log2_fold_change: Annotated[float | None, BeforeValidator(_number)] = Field(
        default=None,
        description="lesional − non-lesional, log2, in the meta-analysis of Ewald 2015 "
        "(doi:10.1186/s12920-015-0133-x)",
        examples=["1.21"],
    )
    gse193309_log2_fold_change: Annotated[float | None, BeforeValidator(_number)] = Field(
        default=None, description="lesional − non-lesional, log2, in GSE193309", examples=["-0.87"]
    )
    low_in_bulk_skin: Annotated[bool, BeforeValidator(_flag)] = Field(
        default=False,
        description="`yes`: below detection in bulk skin of GSE193309, or known as such",
        examples=["yes"],
    )
    note: str = Field(
        default="", description="free text, not read", examples=["also in the Th2 set"]
    )


# ---------------------------------------------------------------- GMT

# Enrichr writes a weight behind each gene: IL31RA,1.0.
_WEIGHT = re.compile(r"(?P<gene>[^,\s]+),\s*[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
# What may be a gene where a description belongs; WP123, M5890 and GO0008150 are accessions.
_LIKE_A_GENE = re.compile(
    r"(?!(?:NA|NONE|NULL|TBD|[A-Z]{1,5}\d{4,}|WP\d+|M\d+)$)"
    r"(?:[A-Z][A-Z0-9]+(?:-[A-Z0-9]+)?|C\d+orf\d+)"
)
_LIKE_MOUSE = re.compile(r"[A-Z][a-z0-9]*[a-z][a-z0-9-]*")
#: Share of the genes that must be written as mouse genes are, or share of the lines that must open
#: with a gene, before the whole file is taken so.
_MOST = 0.5
_SHOWN = 3


@dataclass
class _Kinds:
    """Collects what is odd, by kind, so that a file of thousands of genes names each kind once."""

    found: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, case: str) -> None:
        self.found.setdefault(kind, []).append(case)

    def sentences(self, kinds: dict[str, str]) -> Iterable[str]:
        for kind, sentence in kinds.items():
            if kind in self.found:
                cases = self.found[kind]
                more = f" and {len(cases) - _SHOWN:,} more" if len(cases) > _SHOWN else ""
                yield sentence.format(cases=", ".join(cases[:_SHOWN]) + more)


#: What stops: kind → sentence.
_WRONG = {
    "short": "lines without a gene: {cases}; a GMT line has a set, a description and "
    "genes, separated by tabs",
    "nameless": "lines without a name of the set: {cases}",
    "twice": "sets that are defined twice, with other genes: {cases}; rename one of the two",
    "number": "numbers instead of symbols (Entrez ids?): {cases}; gene sets hold approved "
    "symbols, with which MSigDB and Enrichr offer the same sets",
    "ensembl": "Ensembl ids instead of symbols: {cases}; gene sets hold approved symbols",
    "date": "dates that a spreadsheet made of symbols: {cases}; write the symbol",
    "mouse": "symbols written as mouse genes are: {cases}; adnorm takes human symbols "
    "(FLG, KRT16): translate them to human orthologues before",
}
#: What is mended and told: kind → sentence.
_MENDED = {
    "no description": "no descriptions; second fields that are genes, and are taken as such: "
    "{cases}",
    "weight": "weights behind a comma, which are not used: {cases}",
    "again": "genes that stand more than once in their set, and count once: {cases}",
    "same": "sets that are defined twice with the same genes, and count once: {cases}",
    "empty": "empty cells between genes, which are passed over: {cases}",
}


class GmtLine(NamedTuple):
    """One set of a GMT file."""

    description: str
    symbols: tuple[str, ...]


def read_gmt(path: Path, known: Collection[str] = ()) -> dict[str, GmtLine]:
    """Read a GMT file: set, description, genes, separated by tabs; its sets are unsigned.

    ``NAME_UP`` and ``NAME_DN`` stay two sets: a file that means them as one signed set can say so
    in a table of ours. Mended, and said in the log: lines without a description, weights
    behind a comma, genes and sets that stand twice, empty cells. Published collections also hold
    names of other molecules ("18S rRNA"): no platform has them, so they count as absent genes.

    Parameters
    ----------
    path
        One line for each set.
    known
        Symbols that are genes for sure, from the tables of the run.

    Returns
    -------
    dict
        Sets by name, in the order of the file.

    Raises
    ------
    AdnormError
        Everything that is wrong with the file, one sentence a kind, with the first lines.
    """
    wrong, mended = _Kinds(), _Kinds()
    rows = [(number, _without_end(fields)) for number, fields in table_lines(path)]
    described = not _lacks_description([fields for _, fields in rows], known)
    sets: dict[str, GmtLine] = {}
    lines: dict[str, int] = {}
    for number, (name, *rest) in rows:
        description, cells = (rest[0], rest[1:]) if rest else ("", rest)
        if not described and _like_a_gene(description):
            mended.add("no description", _case(description, number, name))
            description, cells = "", rest
        symbols = _members(cells, number, name, mended)
        if not symbols:
            wrong.add("short", f"line {number} ({listing([name, *rest], 3)})")
            continue
        if not name:
            wrong.add("nameless", f"line {number} ({listing(symbols, 3)})")
        _judge(symbols, number, name, wrong)
        if name in sets:
            same = set(sets[name].symbols) == set(symbols)
            case = f"'{name}' (lines {lines[name]} and {number})"
            (mended if same else wrong).add("same" if same else "twice", case)
            continue
        lines[name] = number
        sets[name] = GmtLine(description, tuple(symbols))
    genes = sum(len(line.symbols) for line in sets.values())
    if len(wrong.found.get("mouse", ())) <= _MOST * genes:
        wrong.found.pop("mouse", None)
    problems = Problems(str(path))
    for sentence in wrong.sentences(_WRONG):
        problems.add(sentence)
    problems.stop()
    for sentence in mended.sentences(_MENDED):
        get_logger().warning("%s: %s", path, sentence)
    return sets


def _without_end(fields: list[str]) -> list[str]:
    """Leave out the empty cells with which spreadsheets fill lines up."""
    filled = [i for i, cell in enumerate(fields) if cell]
    return fields[: filled[-1] + 1] if filled else fields[:1]


def _lacks_description(rows: list[list[str]], known: Collection[str]) -> bool:
    """Whether the second field of the lines is a gene, not a description.

    It is if most are genes for sure (members of a set of this file or of the tables of the run), or
    if all are written as genes are and none stands twice.
    """
    second = [fields[1] for fields in rows if len(fields) > 1 and fields[1]]
    if not second:
        return False
    like = [cell for cell in second if _like_a_gene(cell)]
    members = {cell for fields in rows for cell in fields[2:]}.union(known)
    sure = [cell for cell in like if cell in members]
    if len(sure) > _MOST * len(second):
        return True
    return len(like) == len(second) == len(set(like)) == len(rows) and len(rows) > 1


def _case(what: str, number: int, name: str) -> str:
    return f"'{what}' (line {number}, set '{name}')"


def _like_a_gene(cell: str) -> bool:
    return _LIKE_A_GENE.fullmatch(cell.split(",")[0]) is not None


def _members(cells: list[str], number: int, name: str, mended: _Kinds) -> list[str]:
    symbols: list[str] = []
    for cell in cells:
        weight = _WEIGHT.fullmatch(cell)
        symbol = weight["gene"] if weight else cell
        if weight:
            mended.add("weight", _case(cell, number, name))
        if not symbol:
            mended.add("empty", f"line {number}, set '{name}'")
        elif symbol in symbols:
            mended.add("again", _case(symbol, number, name))
        else:
            symbols.append(symbol)
    return symbols


def _judge(symbols: list[str], number: int, name: str, wrong: _Kinds) -> None:
    for symbol in symbols:
        if symbol.isdigit():
            wrong.add("number", _case(symbol, number, name))
        elif _ENSEMBL.fullmatch(symbol):
            wrong.add("ensembl", _case(symbol, number, name))
        elif _DATE.fullmatch(symbol):
            wrong.add("date", _case(symbol, number, name))
        elif _LIKE_MOUSE.fullmatch(symbol):
            wrong.add("mouse", _case(symbol, number, name))
