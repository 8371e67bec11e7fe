"""Gene sets: what is asked of a cohort, with a direction and a source for every gene."""

from __future__ import annotations

import codecs
import hashlib
import io
import json
import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, overload

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, ValidationInfo

from adnorm.base.errors import AdnormError, Problems, listing, nearest, shortened
from adnorm.base.inflate import open_bytes
from adnorm.base.logs import get_logger
from adnorm.base.losses import Loss
from adnorm.study.validation import Section
from adnorm.study.vocabulary import DerivedScore, Direction, Family, SetCategory, SetRole

#: Sets that the definition of a derived one names.
ITCH, TH2 = "itch_core_skin_up", "th2"
#: A score of one gene is that gene, not a programme.
FEWEST_GENES = 2
_BLOCK = 1 << 20
#: Platforms lack some genes of any set; beyond this share a person must know.
_MANY_GENES = 0.2
_SHOWN = 6


@dataclass(frozen=True)
class Gene:
    """One member of a gene set.

    Attributes
    ----------
    symbol
        Approved symbol.
    previous_symbols
        Retired symbols of the same gene, which older platforms still carry.
    direction
        ``"up"`` or ``"down"``: how it moves in lesional skin; empty when no direction is claimed.
    source, evidence
        Where the membership comes from, and how far that was checked.
    madad_log2_fold_change
        Lesional − nonlesional in the MADAD meta-analysis (Ewald 2015), where published.
    gse193309_log2_fold_change
        Lesional − nonlesional in GSE193309, where published.
    low_in_bulk_skin
        Known to be at or below the detection limit of bulk skin RNA.
    """

    symbol: str
    previous_symbols: tuple[str, ...] = ()
    direction: str = ""
    source: str = ""
    evidence: str = ""
    madad_log2_fold_change: float | None = None
    gse193309_log2_fold_change: float | None = None
    low_in_bulk_skin: bool = False


class PlainGenes(Sequence[Gene]):
    """Genes of which only symbols and one source are known, made when they are asked for.

    A published collection holds millions of members; as objects they would take thirty times the
    memory of their file.

    Parameters
    ----------
    symbols
        The symbols, each once.
    source
        Where the membership comes from.
    """

    __slots__ = ("_joined", "source")

    def __init__(self, symbols: Iterable[str], source: str) -> None:
        self._joined = "\t".join(symbols)
        self.source = source

    @property
    def symbols(self) -> list[str]:
        """The symbols in their order."""
        return self._joined.split("\t") if self._joined else []

    def __len__(self) -> int:
        return self._joined.count("\t") + 1 if self._joined else 0

    def __iter__(self) -> Iterator[Gene]:
        return (Gene(symbol=symbol, source=self.source) for symbol in self.symbols)

    @overload
    def __getitem__(self, index: int) -> Gene: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Gene, ...]: ...
    def __getitem__(self, index: int | slice) -> Gene | tuple[Gene, ...]:
        return tuple(self)[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))


@dataclass(frozen=True)
class GeneSet:
    """A named set of genes.

    Attributes
    ----------
    name
        Identifier in all tables.
    label
        Name for people, used in figures.
    category, role
        What it is about, and what it serves for (`SetRole`).
    genes
        Members in the order of the file.
    added
        Whether it comes from a GMT file or from a table after the first one.
    judging
        Whether platforms are judged by it: it comes from the first table or, where no file is a
        table, from the first file.
    """

    name: str
    label: str
    category: str
    role: str
    genes: Sequence[Gene]
    added: bool = False
    judging: bool = False

    @property
    def symbols(self) -> list[str]:
        """The symbols of the genes."""
        if isinstance(self.genes, PlainGenes):
            return self.genes.symbols
        return [gene.symbol for gene in self.genes]

    @property
    def signed(self) -> bool:
        """Whether at least half of the genes carry a direction."""
        if isinstance(self.genes, PlainGenes):
            return False
        directed = sum(bool(gene.direction) for gene in self.genes)
        return directed > 0 and 2 * directed >= len(self.genes)

    @property
    def scored(self) -> Sequence[Gene]:
        """The genes that a score uses: the directed ones of a signed set, else all."""
        if not self.signed:
            return self.genes
        return tuple(gene for gene in self.genes if gene.direction)

    @property
    def up(self) -> tuple[Gene, ...]:
        """The scored genes of a signed set that rise in lesional skin."""
        return self._moving(Direction.UP)

    @property
    def down(self) -> tuple[Gene, ...]:
        """The scored genes of a signed set that fall in lesional skin."""
        return self._moving(Direction.DOWN)

    def _moving(self, direction: Direction) -> tuple[Gene, ...]:
        if not self.signed:
            return ()
        return tuple(gene for gene in self.genes if gene.direction == direction)

    @property
    def direction(self) -> str:
        """One word for the whole set."""
        if not self.signed:
            return Direction.UNSIGNED.value
        if self.up and self.down:
            return Direction.MIXED.value
        return Direction.UP.value if self.up else Direction.DOWN.value

    @property
    def family(self) -> str:
        """The family of hypotheses for false discovery rates: primary, curated or added.

        What a user adds must not change the false discovery rate of the sets that adnorm is about.
        """
        if self.added or self.category == SetCategory.OWN:
            return Family.ADDED.value
        return Family.PRIMARY.value if self.role == SetRole.PRIMARY else Family.CURATED.value

    @property
    def signs(self) -> dict[str, int]:
        """The sign of every scored gene by symbol; 1 for all genes of an unsigned set."""
        if not self.signed:
            return dict.fromkeys(self.symbols, 1)
        return {g.symbol: -1 if g.direction == Direction.DOWN else 1 for g in self.scored}


@dataclass(frozen=True)
class DerivedSet:
    """A set that follows from two others: one of them without the genes of the other."""

    name: str
    base: str
    without: str

    def genes_of(self, sets: Mapping[str, GeneSet]) -> GeneSet | None:
        """Make the set; ``None`` where one of the two is absent, or a file has one of this name."""
        if self.base not in sets or self.without not in sets or self.name in sets:
            return None
        left_out = {gene.symbol for gene in sets[self.without].genes}
        base = sets[self.base]
        kept = tuple(gene for gene in base.genes if gene.symbol not in left_out)
        return replace(base, name=self.name, genes=kept)


#: The itch set without its Th2 genes: is it itch that falls, or Th2 inflammation?
DERIVED = (DerivedSet(DerivedScore.ITCH_MINUS_TH2.value, ITCH, TH2),)


# ---------------------------------------------------------------- lines and symbols

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
    return [(number, _cells(line)) for number, line in _Lines(path)]


class _Lines:
    """The lines of a file that say something, with their numbers; read anew each time."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise AdnormError(f"{path}: this gene-set file does not exist")
        self._path = path
        self._encoding = self._encoded()
        if next(iter(self), None) is None:
            raise AdnormError(f"{path}: the file is empty")

    def _encoded(self) -> str:
        """Look through the whole file: it is UTF-8, or else taken for Latin-1."""
        decoder: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder("utf-8")()
        with open_bytes(self._path) as file:
            block = file.read(_BLOCK)
            workbook = block.startswith(b"PK\x03\x04")
            while block:
                if workbook or b"\0" in block:
                    raise AdnormError(
                        f"{self._path}: not a text file; save it as tab-separated text (UTF-8), "
                        "not as a workbook"
                    )
                following = file.read(_BLOCK)
                try:
                    if decoder:
                        decoder.decode(block, not following)
                except UnicodeDecodeError:
                    decoder = None
                block = following
        return "utf-8-sig" if decoder else "latin-1"

    def __iter__(self) -> Iterator[tuple[int, str]]:
        with open_bytes(self._path) as file:
            # The line ends of all systems, and no other: str.splitlines would also break at
            # characters that stand within a cell.
            for number, line in enumerate(io.TextIOWrapper(file, self._encoding), 1):
                if not line.startswith("#") and line.strip():
                    yield number, line.removesuffix("\n")


def check_columns(
    header: Sequence[str], required: Iterable[str], known: Sequence[str], problems: Problems
) -> None:
    """Note columns of a table of ours that are missing, unknown, or there several times."""
    for column in required:
        if column not in header:
            problems.add(
                f"column '{column}' is missing{nearest(column, header)}; found {listing(header)}"
            )
    for column in sorted(set(header) - set(known)):
        problems.add(
            f"column '{column}' is unknown{nearest(column, known)}; columns are {listing(known)}"
        )
    for column in sorted({column for column in header if header.count(column) > 1}):
        problems.add(f"column '{column}' stands {header.count(column)} times; keep one")


def _cells(line: str) -> list[str]:
    """Split a line at its tabs; spaces and quotation marks around a cell are no part of it."""
    return [cell.strip().strip('"').strip() for cell in line.split("\t")]


# ---------------------------------------------------------------- tables of ours


def _symbol(text: str) -> str:
    if wrong := symbol_problem(text):
        raise ValueError(wrong)
    return text


def _symbols(text: str) -> tuple[str, ...]:
    symbols = [part.strip() for part in text.split("|")]
    return tuple(dict.fromkeys(_symbol(symbol) for symbol in symbols if symbol))


def _one_of(words: Iterable[str]) -> AfterValidator:
    known = [str(word) for word in words]

    def checked(text: str, info: ValidationInfo) -> str:
        if text and text not in known:
            raise ValueError(
                f"{info.field_name} '{text}' is unknown{nearest(text, known)}; "
                f"allowed: {listing(known)} or empty"
            )
        return text

    return AfterValidator(checked)


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
    direction: Annotated[str, _one_of((Direction.UP, Direction.DOWN))] = Field(
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
    role: Annotated[str, _one_of(SetRole)] = Field(
        default=SetRole.CONTEXT.value,
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
        description="lesional − nonlesional, log2, in the meta-analysis of Ewald 2015 "
        "(doi:10.1186/s12920-015-0133-x)",
        examples=["1.21"],
    )
    gse193309_log2_fold_change: Annotated[float | None, BeforeValidator(_number)] = Field(
        default=None, description="lesional − nonlesional, log2, in GSE193309", examples=["-0.87"]
    )
    low_in_bulk_skin: Annotated[bool, BeforeValidator(_flag)] = Field(
        default=False,
        description="`yes`: below detection in bulk skin of GSE193309, or known as such",
        examples=["yes"],
    )
    note: str = Field(
        default="", description="free text, not read", examples=["also in the Th2 set"]
    )


#: Columns with one value for a whole set, and what an empty cell means.
_OF_SET = {name: GeneSetRow.model_fields[name].default for name in ("label", "category", "role")}


def read_set_table(path: Path) -> dict[str, GeneSet]:
    """Read a table of gene sets: one row for each gene of a set, columns as in `GeneSetRow`."""
    (_, header), *lines = table_lines(path)
    problems = Problems(str(path))
    _check_header(header, problems)
    problems.stop()
    if not lines:
        raise AdnormError(f"{path}: the table has a header row but no genes")
    members: dict[str, dict[str, Gene]] = {}
    facts: dict[str, dict[str, str]] = {}
    first_row: dict[tuple[str, str], int] = {}
    for number, fields in lines:
        if len(fields) > len(header):
            problems.add(f"row {number}: {len(fields)} fields, but the header names {len(header)}")
            continue
        fields += [""] * (len(header) - len(fields))
        cells = dict(zip(header, fields, strict=True))
        try:
            row = GeneSetRow.model_validate(cells)
        except ValidationError as error:
            for found in error.errors(include_url=False):
                problems.add(f"row {number}: {shortened(str(found['ctx']['error']), 1_000)}")
            row = None
        name, symbol = cells["set"], cells["symbol"]
        if not name:
            problems.add(f"row {number}: the name of the set is empty")
            continue
        first = first_row.setdefault((name, symbol), number)
        if symbol and first != number:
            problems.add(
                f"row {number}: {shortened(symbol)} is already in the set "
                f"'{shortened(name)}' (row {first}); "
                "a gene counts once"
            )
            continue
        _check_set(cells, number, facts, problems)
        if row is not None:
            gene = Gene(**row.model_dump(exclude={"set", *_OF_SET, "note"}))
            members.setdefault(name, {})[symbol] = gene
    _check_renames(members, problems)
    problems.stop()
    return {
        name: GeneSet(
            name=name,
            label=facts[name].get("label") or name,
            category=facts[name].get("category") or _OF_SET["category"],
            role=facts[name].get("role") or _OF_SET["role"],
            genes=tuple(genes.values()),
        )
        for name, genes in members.items()
    }


def _check_header(header: list[str], problems: Problems) -> None:
    known = list(GeneSetRow.model_fields)
    for column, part in GeneSetRow.model_fields.items():
        if part.is_required() and column not in header:
            others = [c for c in header if c not in known]
            problems.add(
                f"the column '{column}' is missing{nearest(column, others)}; "
                f"the header has {listing(header)}"
            )
    for column, count in Counter(header).items():
        if count > 1:
            problems.add(f"the column '{column}' occurs {count} times")
        if column not in known:
            problems.add(
                f"the column '{column}' is unknown{nearest(column, known)}; "
                f"allowed: {listing(known, 20)}"
            )


def _check_set(
    row: dict[str, str], number: int, facts: dict[str, dict[str, str]], problems: Problems
) -> None:
    name = row["set"]
    given = {column: row[column] for column in _OF_SET if column in row}
    first = facts.setdefault(name, given)
    for column, value in given.items():
        if value != first[column]:
            problems.add(
                f"row {number}: the set '{shortened(name)}' has two values of {column}: "
                f"'{shortened(first[column])}' and '{shortened(value)}'; give it one"
            )


def _owners(sets: Iterable[tuple[str, Iterable[Gene]]]) -> list[tuple[str, dict[str, str]]]:
    """List retired symbols, sorted, with the genes that had each, and a set that says so."""
    owners: dict[str, dict[str, str]] = {}
    for name, genes in sets:
        for gene in () if isinstance(genes, PlainGenes) else genes:
            for old in gene.previous_symbols:
                owners.setdefault(old, {}).setdefault(gene.symbol, name)
    return sorted(owners.items())


def _check_renames(members: dict[str, dict[str, Gene]], problems: Problems) -> None:
    symbols = {symbol for genes in members.values() for symbol in genes}
    for old, owners in _owners((name, genes.values()) for name, genes in members.items()):
        if len(owners) > 1:
            problems.add(
                f"the previous symbol '{old}' belongs to two genes, "
                f"{' and '.join(sorted(owners))}; "
                "it is ambiguous, remove it from one of them or from both"
            )
        if old in symbols:
            problems.add(
                f"'{old}' is a previous symbol of {min(owners)} and also a gene of its own; "
                "which one is meant cannot be known, remove one of the two"
            )


# ---------------------------------------------------------------- GMT

# Enrichr writes a weight behind each gene: IL31RA,1.0.
_WEIGHT = re.compile(r"(?P<gene>[^,\s]+),\s*[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
# What may be a gene where a description belongs; WP123, M5890 and GO0008150 are accessions.
_LIKE_A_GENE = re.compile(
    r"(?!(?:NA|NONE|NULL|TBD|[A-Z]{1,5}\d{4,}|WP\d+|M\d+)$)"
    r"(?:[A-Z][A-Z0-9]+(?:-[A-Z0-9]+)?|C\d+orf\d+)"
)
_LIKE_MOUSE = re.compile(r"[A-Z][0-9]*[a-z][a-z0-9-]*")
#: Symbols that are remembered as such, so that none is looked at twice in a collection.
_MOST_REMEMBERED = 500_000
#: Share of the genes that must be written as mouse genes are, or share of the lines that must open
#: with a gene, before the whole file is taken so.
_MOST = 0.5
_CASES_SHOWN = 3


@dataclass
class _Kinds:
    """Collects what is odd, by kind, so that a file of thousands of genes names each kind once."""

    found: dict[str, list[str]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, kind: str, case: str, *details: object) -> None:
        """Count a case; the first ones are kept, with their details put into the braces."""
        self.counts[kind] += 1
        if self.counts[kind] <= _CASES_SHOWN:
            self.found.setdefault(kind, []).append(
                case.format(*(shortened(str(detail), 1_000) for detail in details))
            )

    def sentences(self, kinds: dict[str, str]) -> Iterable[str]:
        for kind, sentence in kinds.items():
            if kind in self.found:
                others = self.counts[kind] - _CASES_SHOWN
                more = f" and {others:,} more" if others > 0 else ""
                yield sentence.format(cases=", ".join(self.found[kind]) + more)


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


def read_gmt(path: Path, known: Collection[str] = ()) -> dict[str, PlainGenes]:
    """Read a GMT file: set, description, genes, separated by tabs; its sets are unsigned.

    ``NAME_UP`` and ``NAME_DN`` stay two sets: a file that means them as one signed set can say so
    in a table of ours. Mended, and said in the log: lines without a description, weights
    behind a comma, genes and sets that stand twice, empty cells. Published collections also hold
    names of other molecules ("18S rRNA"): no platform has them, so they count as absent genes.
    `known` are symbols that are genes for sure, from the tables of the run.

    Returns
    -------
    dict
        Set → its genes, whose source is its description. The file is read line by line, so that
        the whole takes about as much memory as the file.
    """
    wrong, mended = _Kinds(), _Kinds()
    file = _Lines(path)
    described = not _lacks_description(file, known)
    sets: dict[str, PlainGenes] = {}
    lines: dict[str, int] = {}
    plain: set[str] = set()
    for number, line in file:
        name, *rest = _without_end(_cells_of_set(line))
        description, cells = (rest[0], rest[1:]) if rest else ("", rest)
        if not described and _like_a_gene(description):
            mended.add("no description", _CASE, description, number, name)
            description, cells = "", rest
        symbols = _members(cells, number, name, mended)
        if not symbols:
            wrong.add("short", "line {} ({})", number, listing([name, *rest], 3))
            continue
        if not name:
            wrong.add("nameless", "line {} ({})", number, listing(symbols, 3))
        _judge(symbols, plain, number, name, wrong)
        if name in sets:
            same = set(sets[name].symbols) == set(symbols)
            kinds = mended if same else wrong
            place = (name, lines[name], number)
            kinds.add("same" if same else "twice", "'{}' (lines {} and {})", *place)
            continue
        lines[name] = number
        sets[name] = PlainGenes(symbols, description)
    genes = sum(map(len, sets.values()))
    if wrong.counts["mouse"] <= _MOST * genes:
        wrong.found.pop("mouse", None)
    problems = Problems(str(path))
    for sentence in wrong.sentences(_WRONG):
        problems.add(sentence)
    problems.stop()
    for sentence in mended.sentences(_MENDED):
        get_logger().warning("%s: %s", path, sentence)
    return sets


def _cells_of_set(line: str) -> list[str]:
    """Split a line as `_cells` does; thousands of plain genes in a hundredth of its time."""
    *opening, genes = line.split("\t", 2)
    if len(opening) < 2 or '"' in genes or not genes.replace("\t", "").isprintable():
        return _cells(line)
    if " " in genes or not genes.isascii():
        return _cells(line)
    return [*_cells("\t".join(opening)), *genes.split("\t")]


def _without_end(fields: list[str]) -> list[str]:
    """Leave out the empty cells with which spreadsheets fill lines up."""
    last = len(fields)
    while last > 1 and not fields[last - 1]:
        last -= 1
    return fields[:last]


def _lacks_description(file: _Lines, known: Collection[str]) -> bool:
    """Whether the second field of the lines is a gene, not a description.

    It is if most are genes for sure (members of a set of this file or of the tables of the run), or
    if all are written as genes are and none stands twice.
    """
    openings = [_cells("\t".join(line.split("\t", 2)[:2]))[1:] for _, line in file]
    second = [cells[0] for cells in openings if cells and cells[0]]
    like = [cell for cell in second if _like_a_gene(cell)]
    if not like:
        return False
    kinds = set(like)
    members = kinds.intersection(known)
    for _, line in file:
        members.update(kinds.intersection(_cells_of_set(line)[2:]))
    sure = [cell for cell in like if cell in members]
    if len(sure) > _MOST * len(second):
        return True
    return len(like) == len(second) == len(kinds) == len(openings) and len(openings) > 1


#: What stands in a cell, its line and its set.
_CASE = "'{}' (line {}, set '{}')"


def _like_a_gene(cell: str) -> bool:
    return _LIKE_A_GENE.fullmatch(cell.split(",")[0]) is not None


def _members(cells: list[str], number: int, name: str, mended: _Kinds) -> list[str]:
    symbols = dict.fromkeys(cells)
    if len(symbols) == len(cells) and "" not in symbols and "," not in "".join(cells):
        return cells
    symbols = {}
    for cell in cells:
        weight = _WEIGHT.fullmatch(cell) if "," in cell else None
        symbol = weight["gene"] if weight else cell
        if weight:
            mended.add("weight", _CASE, cell, number, name)
        if not symbol:
            mended.add("empty", "line {}, set '{}'", number, name)
        elif symbol in symbols:
            mended.add("again", _CASE, symbol, number, name)
        else:
            symbols[symbol] = None
    return list(symbols)


def _judge(symbols: list[str], plain: set[str], number: int, name: str, wrong: _Kinds) -> None:
    """Find what is no symbol; `plain` are those that were looked at before and are symbols."""
    if plain.issuperset(symbols):
        return
    for symbol in symbols:
        if symbol in plain:
            continue
        if symbol.isdigit():
            wrong.add("number", _CASE, symbol, number, name)
        elif _ENSEMBL.fullmatch(symbol):
            wrong.add("ensembl", _CASE, symbol, number, name)
        elif _DATE.fullmatch(symbol):
            wrong.add("date", _CASE, symbol, number, name)
        elif _LIKE_MOUSE.fullmatch(symbol):
            wrong.add("mouse", _CASE, symbol, number, name)
        elif len(plain) < _MOST_REMEMBERED:
            plain.add(symbol)


# ---------------------------------------------------------------- all files of a run


def read_gene_sets(paths: Iterable[Path | str]) -> dict[str, GeneSet]:
    """Read gene-set files: tables of ours (``.tsv``) and GMT (``.gmt``, unsigned), mixed freely.

    A symbol that one file uses and another file lists as retired is brought up to date, and the log
    says so; within one table that is a contradiction and stops.

    Parameters
    ----------
    paths
        The files, in the order in which their sets shall appear.

    Returns
    -------
    dict
        Sets by name, in the order of the files.

    Raises
    ------
    AdnormError
        Everything that is wrong with a file, with row numbers; two files that define one set; a
        retired symbol that files give to two genes.
    """
    sets: dict[str, GeneSet] = {}
    origin: dict[str, str] = {}
    problems = Problems("gene sets")
    files = [Path(path) for path in paths]
    # The first table is the curated one; whatever a user puts beside it is added.
    curated = next((path for path in files if path.suffix.lower() == ".tsv"), None)
    judging = curated or next(iter(files), None)
    tables = {path: read_set_table(path) for path in files if path.suffix.lower() == ".tsv"}
    # What a table calls a gene is one where a GMT file may lack its descriptions, too.
    genes = [gene for read in tables.values() for s in read.values() for gene in s.genes]
    known = {gene.symbol for gene in genes}.union(*(gene.previous_symbols for gene in genes))
    for path in files:
        if path.suffix.lower() not in (".tsv", ".gmt"):
            raise AdnormError(
                f"{path}: a gene-set file must end in .tsv (table of adnorm) or .gmt; "
                f"this one ends in '{path.suffix}'"
            )
        found = tables[path] if path in tables else _gmt_sets(path, known)
        for name, gene_set in found.items():
            if name in sets:
                problems.add(
                    f"the set '{name}' is defined twice, in {origin[name]} and in {path}; "
                    "rename one of the two"
                )
                continue
            sets[name] = replace(gene_set, added=path != curated, judging=path == judging)
            origin[name] = str(path)
    problems.stop()
    return _bring_up_to_date(sets, previous_symbols(sets), origin)


def _gmt_sets(path: Path, known: set[str]) -> dict[str, GeneSet]:
    """Read the unsigned sets of a GMT file; the description becomes the source of its genes."""
    return {
        name: GeneSet(name, name, _OF_SET["category"], _OF_SET["role"], genes)
        for name, genes in read_gmt(path, known).items()
    }


def previous_symbols(sets: Mapping[str, GeneSet]) -> dict[str, str]:
    """Collect the retired symbols that the sets list.

    Parameters
    ----------
    sets
        Sets by name.

    Returns
    -------
    dict
        Retired symbol → approved symbol, sorted by retired symbol.

    Raises
    ------
    AdnormError
        A retired symbol belongs to two genes: which one is meant cannot be known.
    """
    owned = _owners((gene_set.name, gene_set.genes) for gene_set in sets.values())
    problems = Problems("gene sets: previous_symbols")
    for old, genes in owned:
        if len(genes) > 1:
            owners = " and ".join(f"{gene} (set {name})" for gene, name in sorted(genes.items()))
            problems.add(
                f"'{old}' is given to {owners}; a retired symbol of two genes is ambiguous, "
                "remove it from one of them or from both"
            )
    problems.stop()
    return {old: next(iter(genes)) for old, genes in owned}


def _bring_up_to_date(
    sets: dict[str, GeneSet], renames: dict[str, str], origin: dict[str, str]
) -> dict[str, GeneSet]:
    current: dict[str, GeneSet] = {}
    touched = 0
    for name, gene_set in sets.items():
        if renames.keys().isdisjoint(gene_set.symbols):
            current[name] = gene_set
            continue
        genes: dict[str, Gene] = {}
        renamed = []
        for gene in gene_set.genes:
            symbol = renames.get(gene.symbol, gene.symbol)
            if symbol != gene.symbol:
                renamed.append(f"{gene.symbol} > {symbol}")
                previous = (gene.symbol, *gene.previous_symbols)
                gene = replace(gene, symbol=symbol, previous_symbols=previous)
            # An old list may hold a gene under both of its names; it is one gene.
            genes.setdefault(symbol, gene)
        if renamed:
            touched += 1
            get_logger().debug(
                "%s: set %s: retired symbols brought up to date: %s",
                origin[name],
                name,
                ", ".join(renamed),
            )
        current[name] = replace(gene_set, genes=tuple(genes.values()))
    if touched:
        get_logger().info("retired symbols of %d gene sets brought up to date", touched)
    return current


# ---------------------------------------------------------------- sets and platforms


@dataclass(frozen=True)
class SetSymbols:
    """All that reading a platform takes from gene sets.

    Its digest stands for the files in the parameters of the stage expression: as long as it stays,
    a set more or less cannot change what that stage makes.

    Attributes
    ----------
    approved
        Symbols that a set names.
    previous
        Retired symbol → approved symbol.
    judging
        Scored symbols of the sets that platforms are judged by, set by set.
    """

    approved: frozenset[str]
    previous: Mapping[str, str]
    judging: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, sets: Mapping[str, GeneSet]) -> SetSymbols:
        """Take them from the sets of a run."""
        # One text for each symbol, however many sets name it.
        known: dict[str, str] = {}
        for gene_set in sets.values():
            for symbol in gene_set.symbols:
                known.setdefault(symbol, symbol)
        judging = {
            name: frozenset(known[symbol] for symbol in _scored(s))
            for name, s in sets.items()
            if s.judging
        }
        return cls(frozenset(known), previous_symbols(sets), judging)

    @property
    def digest(self) -> str:
        """Another one wherever any part is another one."""
        # The text of [approved, previous, [[set, genes], …]] as JSON, which is never held whole.
        digest = hashlib.sha256()
        opening = [sorted(self.approved), sorted(self.previous.items())]
        digest.update(json.dumps(opening).encode()[:-1] + b", [")
        comma = b""
        for name, genes in self.judging.items():
            digest.update(comma + json.dumps([name, sorted(genes)]).encode())
            comma = b", "
        digest.update(b"]]")
        return digest.hexdigest()


def scored_symbols(sets: Mapping[str, GeneSet]) -> dict[str, frozenset[str]]:
    """Return the symbols that the score of each set uses."""
    return {name: frozenset(_scored(s)) for name, s in sets.items()}


def _scored(gene_set: GeneSet) -> Iterable[str]:
    return gene_set.signs if gene_set.signed else gene_set.symbols


def set_losses(
    sets: Mapping[str, frozenset[str]], genes: frozenset[str], whose: str = "gene sets"
) -> list[Loss]:
    """Say how many genes of gene sets a table lacks.

    Parameters
    ----------
    sets
        Symbols that are scored, by set.
    genes
        Approved symbols of the table, before genes without expression are removed.
    whose
        What to call the sets.
    """
    wanted = frozenset().union(*sets.values())
    absent = sorted(wanted - genes)
    empty = [name for name, symbols in sets.items() if len(symbols & genes) < FEWEST_GENES]
    what = f"genes that the {whose} ask for are not in the table"
    advice = "the sets with the fewest genes are in the table of coverage"
    lacking = f"{whose} have no two genes in the table"
    genes_lost = Loss(what, len(absent), len(wanted), listing(absent, _SHOWN), advice, _MANY_GENES)
    sets_lost = Loss(lacking, len(empty), len(sets), listing(empty, _SHOWN))
    if genes_lost.warns and empty:
        # One cause, one warning: sets without genes follow from genes that are not there.
        advice = f"so {len(empty)} of {len(sets)} {lacking}; {advice}"
        genes_lost, sets_lost = replace(genes_lost, advice=advice), replace(sets_lost, above=1.0)
    losses = [genes_lost, sets_lost]
    return [loss for loss in losses if loss.lost]
