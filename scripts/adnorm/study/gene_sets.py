"""Gene sets: what is asked of a cohort, with a direction and a source for every gene."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from adnorm.base.errors import AdnormError, Problems
from adnorm.base.logs import get_logger


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


#: Category of sets that a file gives no category: those of a GMT, and a user's own.
ADDED = "own"


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
    """

    name: str
    label: str
    category: str
    role: str
    genes: tuple[Gene, ...]
    added: bool = False

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
        return tuple(g for g in self.scored if self.signed and g.direction == "up")

    @property
    def down(self) -> tuple[Gene, ...]:
        """The scored genes of a signed set that fall in lesional skin."""
        return tuple(g for g in self.scored if self.signed and g.direction == "down")

    @property
    def direction(self) -> str:
        """One word for the whole set: ``up``, ``down``, ``mixed`` or ``unsigned``."""
        if not self.signed:
            return "unsigned"
        if self.up and self.down:
            return "mixed"
        return "up" if self.up else "down"

    @property
    def family(self) -> str:
        """The family of hypotheses for false discovery rates: primary, curated or added.

        What a user adds must not change the false discovery rate of the sets that adnorm is about.
        """
        if self.added or self.category == ADDED:
            return "added"
        return "primary" if self.role == "primary" else "curated"

    @property
    def signs(self) -> dict[str, int]:
        """The sign of every scored gene by symbol; 1 for all genes of an unsigned set."""
        return {g.symbol: -1 if self.signed and g.direction == "down" else 1 for g in self.scored}


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
    # Imported here: the readers need the classes of this module.
    from adnorm.study.gene_set_files import read_set_table
    from adnorm.study.gmt import read_gmt

    sets: dict[str, GeneSet] = {}
    origin: dict[str, str] = {}
    problems = Problems("gene sets")
    paths = [Path(path) for path in paths]
    # The first table is the curated one; whatever a user puts beside it is added.
    curated = next((path for path in paths if path.suffix.lower() == ".tsv"), None)
    tables = {path: read_set_table(path) for path in paths if path.suffix.lower() == ".tsv"}
    # What a table calls a gene is one where a GMT file may lack its descriptions, too.
    genes = [gene for read in tables.values() for s in read.values() for gene in s.genes]
    known = {gene.symbol for gene in genes}.union(*(gene.previous_symbols for gene in genes))
    for path in paths:
        if path.suffix.lower() not in (".tsv", ".gmt"):
            raise AdnormError(
                f"{path}: a gene-set file must end in .tsv (table of adnorm) or .gmt; "
                f"this one ends in '{path.suffix}'"
            )
        found = tables[path] if path in tables else read_gmt(path, known)
        for name, gene_set in found.items():
            if name in sets:
                problems.add(
                    f"the set '{name}' is defined twice, in {origin[name]} and in {path}; "
                    "rename one of the two"
                )
                continue
            sets[name] = replace(gene_set, added=path != curated)
            origin[name] = str(path)
    problems.stop()
    return _bring_up_to_date(sets, previous_symbols(sets), origin)


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
