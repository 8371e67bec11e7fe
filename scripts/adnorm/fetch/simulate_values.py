"""From people and genes to measured values: expected log2, then counts or probe intensities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from adnorm.fetch.patients import Enrolled
from adnorm.fetch.simulate_genes import FEMALE_GENES, SimulatedGenes
from adnorm.fetch.trial import ArrayPlan, CountPlan, Trial, Variation

#: For each kind of gene: mean, standard deviation, lowest and highest nonlesional log2 level.
#: Set genes are kept below the background in counts: a few thousand genes carry the whole library
#: here, and strong disease effects in its largest genes would shift all others.
LEVELS = {
    "geo_supplementary": {
        "set": (4.8, 1.4, 2.5, 8.0),
        "background": (6.2, 2.4, -4.0, 14.0),
        "undetected": (-3.5, 0.7, -6.0, -2.0),
        "sex": (6.0, 0.7, 4.5, 8.0),
    },
    "geo_series_matrix": {
        "set": (7.8, 1.2, 6.2, 10.5),
        "background": (6.6, 2.0, 2.0, 12.5),
        "undetected": (2.0, 0.5, 1.0, 2.8),
        "sex": (8.5, 0.8, 7.0, 10.5),
    },
}
#: Level of a sex gene in the other sex.
ABSENT = {"geo_supplementary": -4.5, "geo_series_matrix": 1.5}


def nonlesional_levels(genes: SimulatedGenes, trial: Trial) -> np.ndarray:
    """Return the mean log2 level of each gene in nonlesional skin (counts per million or array).

    Genes that rise in lesions start lower: what is strongly induced is scarce in quiet skin.
    """
    table = LEVELS[trial.writes]
    mean, spread, low, high = (
        np.array([table[k][column] for k in genes.kind]) for column in range(4)
    )
    levels = np.clip(mean + spread * genes.level - 0.5 * genes.effect, low, high)
    if trial.writes == "geo_series_matrix":
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
    lesional = (people.biopsies["state"] == "lesional").to_numpy()
    severity = people.people["severity"].to_numpy()[rows] * lesional
    columns = np.array([people.programmes.index(p) for p in genes.programme])
    remaining = people.remaining[rows, visits]
    return severity[:, None] * remaining[:, columns]


def _random_effects(
    people: Enrolled, steady: np.ndarray, plan: Variation, rng: np.random.Generator
) -> np.ndarray:
    rows = people.biopsies["person"].to_numpy()
    lesional = (people.biopsies["state"] == "lesional").to_numpy()
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
    trial: Trial, people: Enrolled, genes: SimulatedGenes, rng: np.random.Generator
) -> np.ndarray:
    """Make the true log2 level of each gene in each biopsy, before it is measured.

    Returns
    -------
    ndarray of float, biopsies × genes
        Nonlesional level, disease, field defect, sex, patient, lesion, biopsy and hidden factors.
    """
    sex_gene = genes.kind == "sex"
    values = nonlesional_levels(genes, trial) + disease_amount(people, genes) * genes.effect
    healthy = (people.biopsies["state"] == "healthy").to_numpy()
    values -= healthy[:, None] * (trial.field_defect * genes.effect)
    # Steady genes are the yardsticks of quality control; they vary, but little.
    values += _random_effects(
        people, sex_gene | (genes.programme == "control"), trial.variation, rng
    )
    female = (people.people["sex"] == "female").to_numpy()[people.biopsies["person"]]
    for column in np.flatnonzero(sex_gene):
        absent = ~female if genes.symbols[column] in FEMALE_GENES else female
        values[absent, column] = ABSENT[trial.writes]
    return values


def draw_counts(log2_level: np.ndarray, plan: CountPlan, rng: np.random.Generator) -> np.ndarray:
    """Draw negative-binomial counts.

    Parameters
    ----------
    log2_level
        biopsies × genes, log2 of relative abundance.
    plan
        Library sizes and dispersion.
    rng
        Source of random draws.

    Returns
    -------
    ndarray of int64, biopsies × genes
        Variance ``m + d m²`` at mean m, where ``d = (dispersion + low_count_dispersion / m)``
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
    """Draw log2 probe intensities as robust multi-array averaging gives them.

    Returns
    -------
    ndarray of float, biopsies × probes
        Between 2.5 and 14; faint probes lose contrast to the optical background.
    """
    gene = probes.genes
    centre = np.where(gene >= 0, nonlesional[gene], 2.5)
    signal = np.where(gene >= 0, log2_level[:, gene], 2.5)
    signal = centre + probes.affinity + probes.slope * (signal - centre)
    background = rng.normal(2.8, 0.3, len(gene))
    values = np.log2(np.exp2(signal) + np.exp2(background))
    values += plan.noise * rng.standard_normal(values.shape)
    return np.clip(values, 2.5, 14.0)
