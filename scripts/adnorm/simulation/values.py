"""The genes of a simulated cohort and their values: levels, then counts or intensities."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from adnorm.base.errors import AdnormError
from adnorm.simulation.patients import OTHER, Enrolled
from adnorm.study.gene_sets import GeneSet
from adnorm.study.simulation import ArrayPlan, CountPlan, GenePlan, Simulation, Variation
from adnorm.study.vocabulary import Direction, Route, SetCategory, SetRole, State

#: Expressed in women only, and in men only.
FEMALE_GENES = ("XIST",)
MALE_GENES = ("DDX3Y", "EIF1AY", "KDM5D", "RPS4Y1", "USP9Y", "UTY", "ZFY")
#: Columns of the gene-set table with published lesional − nonlesional log2 fold changes.
PUBLISHED = ("madad_log2_fold_change", "gse193309_log2_fold_change")
#: Categories whose genes do not follow the disease.
STEADY = (SetCategory.CONTROL, SetCategory.COMPOSITION)

_SIGNS: dict[str, int] = {Direction.UP: 1, Direction.DOWN: -1}
_ROLES: list[str] = [SetRole.PRIMARY, SetRole.SECONDARY]


@dataclass(frozen=True)
class SimulatedGenes:
    """Genes in the order in which they are written; every array has one value per gene.

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


@dataclass(frozen=True)
class _Facts:
    """What the gene-set table says about one symbol, over all of its sets."""

    rank: tuple[bool, int, int]
    programme: str
    sign: int
    changes: list[float]
    previous: tuple[str, ...]
    detected: bool


def _collect_facts(gene_sets: dict[str, GeneSet]) -> dict[str, _Facts]:
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
            published = [getattr(gene, name) for name in PUBLISHED]
            new = _Facts(
                rank=(sign == 0, role, position),
                programme=gene_set.category,
                sign=sign,
                changes=[change for change in published if change is not None],
                previous=tuple(gene.previous_symbols),
                detected=not gene.low_in_bulk_skin,
            )
            old = facts.get(gene.symbol)
            if old is None:
                facts[gene.symbol] = new
                continue
            facts[gene.symbol] = replace(
                min(old, new, key=lambda f: f.rank),
                changes=old.changes or new.changes,
                previous=old.previous or new.previous,
                detected=old.detected and new.detected,
            )
    return facts


def _describe(
    symbol: str, fact: _Facts | None, default: float, spread: float
) -> tuple[str, str, float]:
    """Return kind, programme and disease effect of a gene that has a name."""
    if fact is None or symbol in FEMALE_GENES + MALE_GENES:
        return "sex", fact.programme if fact else OTHER, 0.0
    programme = fact.programme
    # A published fold change shows that the gene can be measured.
    kind = "set" if fact.detected or fact.changes else "undetected"
    if programme in STEADY:
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
    gene_sets: dict[str, GeneSet], rows: dict[str, int], kind: np.ndarray
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
            members[name] = np.array([row for row, _ in found]), np.array([s for _, s in found])
    return members


def draw_genes(
    gene_sets: dict[str, GeneSet], plan: GenePlan, cohort_rng: np.random.Generator
) -> SimulatedGenes:
    """Make the genes of a cohort: those of the sets in alphabetical order, then the background.

    Levels and effects come from the seed in `plan`, so that cohorts with the same seed have the
    same disease; `cohort_rng` adds the difference between cohorts.

    Raises
    ------
    AdnormError
        `plan.total` is smaller than the number of genes in the sets.
    """
    facts = _collect_facts(gene_sets)
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


#: For each kind of gene: mean, standard deviation, lowest and highest nonlesional log2 level.
#: Set genes are kept below the background in counts: a few thousand genes carry the whole library
#: here, and strong disease effects in its largest genes would shift all others.
LEVELS: dict[str, dict[str, tuple[float, float, float, float]]] = {
    Route.GEO_SUPPLEMENTARY: {
        "set": (4.8, 1.4, 2.5, 8.0),
        "background": (6.2, 2.4, -4.0, 14.0),
        "undetected": (-3.5, 0.7, -6.0, -2.0),
        "sex": (6.0, 0.7, 4.5, 8.0),
    },
    Route.GEO_SERIES_MATRIX: {
        "set": (7.8, 1.2, 6.2, 10.5),
        "background": (6.6, 2.0, 2.0, 12.5),
        "undetected": (2.0, 0.5, 1.0, 2.8),
        "sex": (8.5, 0.8, 7.0, 10.5),
    },
}
#: Level of a sex gene in the other sex.
ABSENT: dict[str, float] = {Route.GEO_SUPPLEMENTARY: -4.5, Route.GEO_SERIES_MATRIX: 1.5}


def nonlesional_levels(genes: SimulatedGenes, trial: Simulation) -> np.ndarray:
    """Return the mean log2 level of each gene in nonlesional skin (counts per million or array).

    Genes that rise in lesions start lower: what is strongly induced is scarce in quiet skin.
    """
    table = LEVELS[trial.writes]
    mean, spread, low, high = (
        np.array([table[k][column] for k in genes.kind]) for column in range(4)
    )
    levels = np.clip(mean + spread * genes.level - 0.5 * genes.effect, low, high)
    if trial.writes == Route.GEO_SERIES_MATRIX:
        return levels
    return _balanced(levels, genes.effect, trial.variation)


def _balanced(levels: np.ndarray, effect: np.ndarray, variation: Variation) -> np.ndarray:
    """Raise the genes that fall in lesions until lesions gain as many transcripts as they lose.

    Counts are shares of a library: without this, all steady genes of these few thousand would seem
    to fall in lesions. In skin, too, what falls (barrier and lipid genes) is abundant.
    """
    falls = effect < 0
    # Means over patients of what varies on the log scale: severity, and each lesion's own noise.
    severity = 1 + (np.log(2) * variation.severity * effect) ** 2 / 2
    lesion = np.exp((np.log(2) * variation.lesion) ** 2 / 2)
    moved = np.exp2(levels) * (np.exp2(effect) * severity * lesion - 1)
    gain, loss = moved[~falls].sum(), -moved[falls].sum()
    if gain <= 0 or loss <= 0:
        return levels
    return levels + np.where(falls, np.log2(gain / loss), 0.0)


def disease_amount(people: Enrolled, genes: SimulatedGenes) -> np.ndarray:
    """Return biopsies × genes: how much of a gene's disease effect is there (lesional only)."""
    rows = people.biopsies["person"].to_numpy()
    visits = people.biopsies["visit"].to_numpy()
    lesional = (people.biopsies["state"] == State.LESIONAL).to_numpy()
    severity = people.people["severity"].to_numpy()[rows] * lesional
    columns = np.array([people.programmes.index(p) for p in genes.programme])
    remaining = people.remaining[rows, visits]
    return severity[:, None] * remaining[:, columns]


def _random_effects(
    people: Enrolled, steady: np.ndarray, plan: Variation, rng: np.random.Generator
) -> np.ndarray:
    rows = people.biopsies["person"].to_numpy()
    lesional = (people.biopsies["state"] == State.LESIONAL).to_numpy()
    persons, biopsies, genes = len(people.people), len(rows), len(steady)
    noise = (plan.patient * rng.standard_normal((persons, genes)))[rows]
    # A lesion is biopsied again at each visit, so it keeps its own peculiarities.
    noise += (plan.lesion * rng.standard_normal((persons, genes)))[rows] * lesional[:, None]
    noise += plan.biopsy * rng.standard_normal((biopsies, genes))
    # Hidden factors (depth, cell mixture) move many genes together: half of each factor belongs to
    # the person, half to the biopsy. Summed one by one, since the rounding of a matrix product may
    # depend on the number of threads.
    for _ in range(plan.factors):
        loading = plan.factor * rng.standard_normal(genes)
        score = (rng.standard_normal(persons)[rows] + rng.standard_normal(biopsies)) / np.sqrt(2)
        noise += score[:, None] * loading
    return np.where(steady, 0.3 * noise, noise)


def expected_log2(
    trial: Simulation, people: Enrolled, genes: SimulatedGenes, rng: np.random.Generator
) -> np.ndarray:
    """Make the true log2 levels, biopsies × genes, before they are measured.

    Nonlesional level, disease, field defect, sex, patient, lesion, biopsy and hidden factors.
    """
    sex_gene = genes.kind == "sex"
    values = nonlesional_levels(genes, trial) + disease_amount(people, genes) * genes.effect
    healthy = (people.biopsies["state"] == State.HEALTHY).to_numpy()
    values -= healthy[:, None] * (trial.field_defect * genes.effect)
    # Steady genes are the yardsticks of quality control; they vary, but little.
    values += _random_effects(
        people, sex_gene | (genes.programme == SetCategory.CONTROL), trial.variation, rng
    )
    female = (people.people["sex"] == "female").to_numpy()[people.biopsies["person"]]
    for column in np.flatnonzero(sex_gene):
        absent = ~female if genes.symbols[column] in FEMALE_GENES else female
        values[absent, column] = ABSENT[trial.writes]
    return values


def draw_counts(log2_level: np.ndarray, plan: CountPlan, rng: np.random.Generator) -> np.ndarray:
    """Draw negative-binomial counts from log2 relative abundances, biopsies × genes.

    The variance is ``m + d m²`` at mean m, where ``d = (dispersion + low_count_dispersion / m)``
    times a factor of the gene.
    """
    low, high = plan.library_size
    # Drawn a little inside the range, so that sampling noise does not carry a library out of it.
    margin = 0.06 * (high - low)
    library = rng.uniform(low + margin, high - margin, len(log2_level))
    share = np.exp2(log2_level)
    mean = share * (library / share.sum(axis=1))[:, None]
    gene_factor = np.exp(rng.normal(0, 0.4, log2_level.shape[1]))
    dispersion = (plan.dispersion + plan.low_count_dispersion / mean) * gene_factor
    return rng.poisson(rng.gamma(1 / dispersion, mean * dispersion))


@dataclass(frozen=True)
class Probes:
    """Probes of a simulated array.

    Attributes
    ----------
    identifiers
        Probe names.
    symbols
        As an annotation writes them: one symbol, ``A///B`` or ``---``.
    genes
        Row of the gene that the probe measures, -1 for a control probe.
    affinity, slope
        Shift (log2) and sensitivity of the probe; the strongest probe of a gene has slope 1.
    """

    identifiers: list[str]
    symbols: list[str]
    genes: np.ndarray
    affinity: np.ndarray
    slope: np.ndarray


def draw_probes(genes: SimulatedGenes, plan: ArrayPlan, seed: int) -> Probes:
    """Lay out an array platform; the same for all cohorts with the same genes and seed."""
    rng = np.random.default_rng([seed, 570])
    few, many = plan.probes_per_gene
    weight = 0.5 ** np.arange(many - few + 1)
    number = rng.choice(np.arange(few, many + 1), len(genes.symbols), p=weight / weight.sum())
    owner = np.repeat(np.arange(len(number)), number)
    rank = np.concatenate([np.arange(n) for n in number])
    affinity = -0.9 * rank - 0.3 * rng.random(len(owner)) * (rank > 0)
    slope = np.where(rank == 0, 1.0, 0.95 - 0.15 * rank * rng.random(len(owner)))
    shared = (rank > 0) & (rng.random(len(owner)) < 0.03)
    orphan = (rank > 0) & (rng.random(len(owner)) < 0.03)
    partner = rng.integers(0, len(number), len(owner))
    symbols = [
        "---" if o else f"{genes.written[g]}///{genes.written[p]}" if s else genes.written[g]
        for g, s, o, p in zip(owner, shared & (partner != owner), orphan, partner, strict=True)
    ]
    controls = 40
    # Shuffled, as on a real array: the order of probes carries no meaning.
    order = rng.permutation(len(owner))
    return Probes(
        identifiers=[f"{i:06d}_at" for i in range(1, len(owner) + 1)]
        + [f"CONTROL_{i:02d}_at" for i in range(1, controls + 1)],
        symbols=[symbols[i] for i in order] + ["---"] * controls,
        genes=np.append(owner[order], [-1] * controls),
        affinity=np.append(affinity[order], np.zeros(controls)),
        slope=np.append(slope[order], np.ones(controls)),
    )


def draw_intensities(
    log2_level: np.ndarray,
    nonlesional: np.ndarray,
    probes: Probes,
    plan: ArrayPlan,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw log2 probe intensities, biopsies × probes, as robust multi-array averaging gives them.

    They lie between 2.5 and 14; faint probes lose contrast to the optical background.
    """
    gene = probes.genes
    centre = np.where(gene >= 0, nonlesional[gene], 2.5)
    signal = np.where(gene >= 0, log2_level[:, gene], 2.5)
    signal = centre + probes.affinity + probes.slope * (signal - centre)
    background = rng.normal(2.8, 0.3, len(gene))
    values = np.log2(np.exp2(signal) + np.exp2(background))
    values += plan.noise * rng.standard_normal(values.shape)
    return np.clip(values, 2.5, 14.0)
