"""The genes of a simulated cohort: names, levels, disease effects, programmes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from adnorm.base.errors import AdnormError
from adnorm.fetch.trial import GenePlan

#: Expressed in women only, and in men only.
FEMALE_GENES = ("XIST",)
MALE_GENES = ("DDX3Y", "EIF1AY", "KDM5D", "RPS4Y1", "USP9Y", "UTY", "ZFY")
#: Programme of the genes that no gene set names.
OTHER = "other"
#: Columns of the gene-set table with published lesional − nonlesional log2 fold changes.
FACTS = ("madad_log2_fold_change", "gse193309_log2_fold_change")
#: Categories whose genes do not follow the disease.
STEADY = ("control", "composition")

_SIGNS = {"up": 1, "down": -1}
_ROLES = ("primary", "secondary")


@dataclass(frozen=True)
class SimulatedGenes:
    """Genes in the order in which they are written; every array has one value a gene.

    Attributes
    ----------
    symbols
        Approved symbols, or SIM00001 … for background genes.
    written
        What the files call the gene: some carry a retired symbol.
    effect
        Lesional − nonlesional log2 fold change at baseline.
    programme
        Category of the gene's leading set, or ``other``.
    level
        Standard-normal rank of the expression level among genes of the same kind.
    kind
        ``set``, ``background``, ``undetected`` or ``sex``.
    sets
        For each gene set: the rows of its detectable scored genes and their signs (0 = unsigned).
    """

    symbols: np.ndarray
    written: np.ndarray
    effect: np.ndarray
    programme: np.ndarray
    level: np.ndarray
    kind: np.ndarray
    sets: dict[str, tuple[np.ndarray, np.ndarray]]


@dataclass
class _Facts:
    """What the gene-set table says about one symbol, over all of its sets."""

    rank: tuple
    programme: str
    sign: int
    changes: list[float]
    previous: tuple[str, ...]
    detected: bool


def _number(value: object) -> float | None:
    if value is None or value == "" or value != value:
        return None
    return float(value)


def collect_facts(gene_sets: dict) -> dict[str, _Facts]:
    """Join the rows of a symbol over all sets.

    The programme of a gene is the category of the set that says most about it: one that gives a
    direction before one that does not, primary before secondary before the others, then the order
    of the file.
    """
    facts: dict[str, _Facts] = {}
    for position, gene_set in enumerate(gene_sets.values()):
        for gene in gene_set.genes:
            sign = _SIGNS.get(gene.direction, 0)
            role = _ROLES.index(gene_set.role) if gene_set.role in _ROLES else len(_ROLES)
            changes = [_number(getattr(gene, name)) for name in FACTS]
            new = _Facts(
                rank=(sign == 0, role, position),
                programme=gene_set.category,
                sign=sign,
                changes=[c for c in changes if c is not None],
                previous=tuple(gene.previous_symbols),
                detected=not gene.low_in_bulk_skin,
            )
            old = facts.get(gene.symbol)
            if old is None:
                facts[gene.symbol] = new
                continue
            best = min(old, new, key=lambda f: f.rank)
            facts[gene.symbol] = _Facts(
                best.rank,
                best.programme,
                best.sign,
                old.changes or new.changes,
                old.previous or new.previous,
                old.detected and new.detected,
            )
    return facts


def _describe(
    symbol: str, fact: _Facts | None, default: float, spread: float
) -> tuple[str, str, float]:
    """Return kind, programme and disease effect of a gene that has a name."""
    programme = fact.programme if fact else OTHER
    if symbol in FEMALE_GENES + MALE_GENES:
        return "sex", programme, 0.0
    # A published fold change shows that the gene can be measured.
    kind = "set" if fact.detected or fact.changes else "undetected"
    if fact.programme in STEADY:
        return kind, programme, 0.0
    if fact.changes:
        return kind, programme, float(np.mean(fact.changes))
    return kind, programme, fact.sign * default * np.exp(0.3 * spread)


def _retired(
    symbols: list[str], facts: dict[str, _Facts], plan: GenePlan, draws: np.ndarray
) -> list[str]:
    """Choose retired symbols that lead back to one gene only."""
    claims = Counter(old for fact in facts.values() for old in fact.previous)
    written = []
    for symbol, draw in zip(symbols, draws, strict=True):
        previous = facts[symbol].previous if symbol in facts else ()
        safe = [old for old in previous if claims[old] == 1 and old not in facts]
        # LORICRIN is LOR on nearly every array in use, so it always is here too.
        use = symbol == "LORICRIN" or draw < plan.retired_symbols
        written.append(safe[0] if safe and use and plan.retired_symbols > 0 else symbol)
    return written


def _set_members(
    gene_sets: dict, rows: dict[str, int], kind: np.ndarray
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    members = {}
    for name, gene_set in gene_sets.items():
        signs = {g.symbol: _SIGNS.get(g.direction, 0) for g in gene_set.genes}
        if gene_set.signed:
            signs = {symbol: sign for symbol, sign in signs.items() if sign}
        else:
            signs = dict.fromkeys(signs, 0)
        found = [(rows[s], sign) for s, sign in signs.items() if kind[rows[s]] != "undetected"]
        if found:
            members[name] = tuple(np.array(column) for column in zip(*found, strict=True))
    return members


def draw_genes(gene_sets: dict, plan: GenePlan, cohort_rng: np.random.Generator) -> SimulatedGenes:
    """Make the genes of a cohort.

    Levels and effects come from the seed in `plan`, so that cohorts with the same seed have the
    same disease; `cohort_rng` adds the difference between cohorts.

    Parameters
    ----------
    gene_sets
        Sets by name, as `adnorm.study.gene_sets.read_gene_sets` gives them.
    plan
        Numbers of genes and sizes of effects.
    cohort_rng
        Draws that belong to this cohort alone.

    Returns
    -------
    SimulatedGenes
        Genes of the sets in alphabetical order, then the background.

    Raises
    ------
    AdnormError
        `plan.total` is smaller than the number of genes in the sets.
    """
    facts = collect_facts(gene_sets)
    named = sorted(facts.keys() | {*FEMALE_GENES, *MALE_GENES})
    background = plan.total - len(named)
    if background < 0:
        raise AdnormError(
            f"simulation: genes: total is {plan.total}, but the gene sets alone have {len(named)} "
            f"genes; set total to at least {len(named)}, better to 4000"
        )
    symbols = named + [f"SIM{i:05d}" for i in range(1, background + 1)]
    count = len(symbols)
    # One stream for each quantity: more background genes then leave the first ones as they were.
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(plan.seed).spawn(5)]
    level, spread, size = (stream.standard_normal(count) for stream in streams[:3])
    diseased = streams[3].random(count) < plan.diseased_fraction
    retired = streams[4].random(count)
    effect = np.where(diseased, np.sign(size) * plan.default_effect * (1 + np.abs(size)) / 1.5, 0)
    kind = np.full(count, "background", dtype=object)
    programme = np.full(count, OTHER, dtype=object)
    for row, symbol in enumerate(named):
        kind[row], programme[row], effect[row] = _describe(
            symbol, facts.get(symbol), plan.default_effect, spread[row]
        )
    effect = effect * (1 + plan.between_cohorts * cohort_rng.standard_normal(count))
    return SimulatedGenes(
        symbols=np.array(symbols, dtype=object),
        written=np.array(_retired(symbols, facts, plan, retired), dtype=object),
        effect=effect,
        programme=programme,
        level=level,
        kind=kind,
        sets=_set_members(gene_sets, {s: i for i, s in enumerate(symbols)}, kind),
    )
