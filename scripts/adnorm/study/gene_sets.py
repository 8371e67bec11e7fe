"""Gene sets: what is asked of a cohort, with a direction and a source for every gene."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from adnorm.base.errors import AdnormError, Problems, listing, nearest
from adnorm.base.logs import get_logger
from adnorm.base.losses import Loss
from adnorm.study.gene_lists import GeneSetRow, read_gmt, table_lines
from adnorm.study.vocabulary import DerivedScore, Direction, Family, SetCategory

#: Sets that the definition of a derived one names.
ITCH, TH2 = "itch_core_skin_up", "th2"
#: A score of one gene is that gene, not a programme.
FEWEST_GENES = 2
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
        Lesional − non-lesional in the MADAD meta-analysis (Ewald 2015), where published.
    gse193309_log2_fold_change
        Lesional − non-lesional in GSE193309, where published.
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
        What it is about, and what it serves for (``primary``, ``secondary``, ``context``,
        ``composition``, ``control``).
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
    genes: tuple[Gene, ...]
    added: bool = False
    judging: bool = False

    @property
    def signed(self) -> bool:
        """Whether at least half of the genes carry a direction."""
        directed = sum(bool(gene.direction) for gene in self.genes)
        return directed > 0 and 2 * directed >= len(self.genes)

    @property
    def scored(self) -> tuple[Gene, ...]:
        """The genes that a score uses: the directed ones of a signed set, else all."""
        if not self.signed:
            return self.genes
        return tuple(gene for gene in self.genes if gene.direction)

    @property
    def up(self) -> tuple[Gene, ...]:
        """The scored genes of a signed set that rise in lesional skin."""
        return tuple(g for g in self.scored if self.signed and g.direction == Direction.UP)

    @property
    def down(self) -> tuple[Gene, ...]:
        """The scored genes of a signed set that fall in lesional skin."""
        return tuple(g for g in self.scored if self.signed and g.direction == Direction.DOWN)

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
        return Family.PRIMARY.value if self.role == "primary" else Family.CURATED.value

    @property
    def signs(self) -> dict[str, int]:
        """The sign of every scored gene by symbol; 1 for all genes of an unsigned set."""
        return {
            g.symbol: -1 if self.signed and g.direction == Direction.DOWN else 1
            for g in self.scored
        }


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


# ---------------------------------------------------------------- tables of ours

#: Columns with one value for a whole set, and what an empty cell means.
_OF_SET = {name: GeneSetRow.model_fields[name].default for name in ("label", "category", "role")}


def read_set_table(path: Path) -> dict[str, GeneSet]:
    """Read a table of gene sets: one row for each gene of a set.

    Parameters
    ----------
    path
        Tab-separated, one header row; the columns are those of `GeneSetRow`. Lines that open with
        ``#`` are comments.

    Returns
    -------
    dict
        Sets by name, in the order of the file.

    Raises
    ------
    AdnormError
        Everything that is wrong with the file, with row numbers.
    """
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
                problems.add(f"row {number}: {found['ctx']['error']}")
            row = None
        name, symbol = cells["set"], cells["symbol"]
        if not name:
            problems.add(f"row {number}: the name of the set is empty")
            continue
        first = first_row.setdefault((name, symbol), number)
        if symbol and first != number:
            problems.add(
                f"row {number}: {symbol} is already in the set '{name}' (row {first}); "
                "a gene counts once"
            )
            continue
        _check_set(cells, number, facts, problems)
        if row is not None:
            members.setdefault(name, {})[symbol] = _gene(row)
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


def _gene(row: GeneSetRow) -> Gene:
    return Gene(**row.model_dump(exclude={"set", *_OF_SET, "note"}))


def _check_header(header: list[str], problems: Problems) -> None:
    known = list(GeneSetRow.model_fields)
    for column, field in GeneSetRow.model_fields.items():
        if field.is_required() and column not in header:
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
                f"row {number}: the set '{name}' has two values of {column}: "
                f"'{first[column]}' and '{value}'; give it one"
            )


def _check_renames(members: dict[str, dict[str, Gene]], problems: Problems) -> None:
    owners: dict[str, set[str]] = {}
    symbols = {gene.symbol for genes in members.values() for gene in genes.values()}
    for genes in members.values():
        for gene in genes.values():
            for old in gene.previous_symbols:
                owners.setdefault(old, set()).add(gene.symbol)
    for old, approved in sorted(owners.items()):
        if len(approved) > 1:
            problems.add(
                f"the previous symbol '{old}' belongs to two genes, "
                f"{' and '.join(sorted(approved))}; "
                "it is ambiguous, remove it from one of them or from both"
            )
        if old in symbols:
            problems.add(
                f"'{old}' is a previous symbol of {min(approved)} and also a gene of its own; "
                "which one is meant cannot be known, remove one of the two"
            )


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
    sets = {}
    for name, line in read_gmt(path, known).items():
        genes = tuple(Gene(symbol=symbol, source=line.description) for symbol in line.symbols)
        sets[name] = GeneSet(name, name, _OF_SET["category"], _OF_SET["role"], genes)
    return sets


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
    claims: dict[str, dict[str, str]] = {}
    for gene_set in sets.values():
        for gene in gene_set.genes:
            for old in gene.previous_symbols:
                claims.setdefault(old, {}).setdefault(gene.symbol, gene_set.name)
    problems = Problems("gene sets: previous_symbols")
    for old, genes in sorted(claims.items()):
        if len(genes) > 1:
            owners = " and ".join(f"{gene} (set {name})" for gene, name in sorted(genes.items()))
            problems.add(
                f"'{old}' is given to {owners}; a retired symbol of two genes is ambiguous, "
                "remove it from one of them or from both"
            )
    problems.stop()
    return {old: next(iter(genes)) for old, genes in sorted(claims.items())}


def _bring_up_to_date(
    sets: dict[str, GeneSet], renames: dict[str, str], origin: dict[str, str]
) -> dict[str, GeneSet]:
    current: dict[str, GeneSet] = {}
    touched = 0
    for name, gene_set in sets.items():
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
        approved = frozenset(gene.symbol for s in sets.values() for gene in s.genes)
        judging = {name: s for name, s in sets.items() if s.judging}
        return cls(approved, previous_symbols(sets), scored_symbols(judging))

    @property
    def digest(self) -> str:
        """Another one wherever any part is another one."""
        judging = {name: sorted(genes) for name, genes in self.judging.items()}
        parts = [sorted(self.approved), sorted(self.previous.items()), list(judging.items())]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def scored_symbols(sets: Mapping[str, GeneSet]) -> dict[str, frozenset[str]]:
    """Return the symbols that the score of each set uses."""
    return {name: frozenset(gene.symbol for gene in s.scored) for name, s in sets.items()}


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
    asked = frozenset().union(*sets.values())
    absent = sorted(asked - genes)
    empty = [name for name, symbols in sets.items() if len(symbols & genes) < FEWEST_GENES]
    losses = [
        Loss(
            f"genes that the {whose} ask for are not in the table",
            len(absent),
            len(asked),
            listing(absent, _SHOWN),
            "the sets with the fewest genes are in the table of coverage",
            _MANY_GENES,
        ),
        Loss(
            f"{whose} have no two genes in the table", len(empty), len(sets), listing(empty, _SHOWN)
        ),
    ]
    return [loss for loss in losses if loss.lost]
