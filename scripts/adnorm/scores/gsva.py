"""GSVA for cohorts that take gseapy long, by compiled kernels.

Two kernels estimate where a value stands in the distribution of its gene over the samples. The
`exact` one gives gseapy's numbers: every pair of samples is looked up in the same table, and each
sum is made in the same order, so that genes tie where they tie there. Its time grows with the
square of the samples. The `linear` one, for `FEWEST_LINEAR` samples and more, adds up the same
Gaussian distribution functions without the table, by their Taylor series around the centres of
bins; its time grows with the samples.

The walk over a set visits the genes of sets alone, since between two of them a sum only falls.
Kernels are compiled at their first call in a process, in about a second. They are not kept on disk:
numba's cache wants a folder that it may write to, and shared ones have no owner.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numba import njit
from scipy.special import ndtr

from adnorm.scores.ssgsea import each_block, stable_order

#: Samples from which on the linear kernel takes less time than the exact one is worth.
FEWEST_LINEAR = 600
#: Steps of the table per standard deviation of the kernel, and where it ends (gseapy, R GSVA).
STEPS, END = 1000, 10.0
#: What gseapy 1.3.1 (statrs 0.17.1) adds to z exp(z²) erfc(z), from each z on.
ROUNDED = (
    (0.5, 3.17108e-11),
    (0.75, 1.90277e-11),
    (1.25, -2.12463e-11),
    (2.25, 4.28955e-11),
    (3.5, 1.34827e-11),
    (5.25, 2.92603e-11),
)
#: Bandwidths per bin; terms of the series; bins on either side that are not yet 0 or 1. The first
#: term left out is below 1e-10.
WIDTH, TERMS, REACH = 1.0, 20, 8
#: Digits that the linear kernel answers for: positions are rounded to multiples of this, so that
#: genes tie where the positions are equal and rounding errors order none.
RESOLUTION = 2.0**-30
#: Genes of one call of a kernel, and samples of one walk; bounds memory.
GENES, SAMPLES = 256, 16


def gsva_scores(
    values: np.ndarray,
    rows: Sequence[int],
    columns: Sequence[int],
    members: Sequence[np.ndarray],
    threads: int = 1,
    linear: bool | None = None,
) -> np.ndarray:
    """Score lists of genes in every sample by GSVA: Gaussian kernel, maximal difference, tau 1.

    Parameters
    ----------
    values
        Log2 expression, shape (samples, genes); finite, two samples or more.
    rows, columns
        The order in which samples are added up, and that in which genes with the same position
        stand.
    members
        For each set the numbers of its genes in `columns`: not all genes.
    threads
        Cores to use; the scores do not depend on it.
    linear
        Which kernel; by the number of samples if not given.

    Returns
    -------
    ndarray
        Scores, shape (samples, sets), samples in the order of `values`.

    References
    ----------
    Hänzelmann S, Castelo R, Guinney J (2013). BMC Bioinformatics 14:7. The series: Greengard L,
    Strain J (1991). SIAM J Sci Stat Comput 12:79.
    """
    samples, genes = values.shape
    if linear is None:
        linear = samples >= FEWEST_LINEAR
    kernel, table = (_linear, _derivatives()) if linear else (_exact, _table())
    order, sequence = np.asarray(rows), np.asarray(columns)
    sets_of, sizes = _sets_of(members, genes), np.array([len(of_set) for of_set in members])
    positions = np.empty((samples, genes))
    scores = np.empty((samples, len(members)))

    def place(block: slice) -> None:
        chosen = np.take(values, sequence[block], axis=1)
        found = np.empty(chosen.T.shape)
        kernel(np.ascontiguousarray(chosen[order].T), table, found)
        positions[:, block] = found.T

    def walk(block: slice) -> None:
        # The last of equal genes comes first, as in gseapy.
        sequences = np.array([stable_order(row)[::-1] for row in positions[block]])
        found = np.empty((len(sequences), len(members)))
        _walk(sequences, *sets_of, sizes, found)
        scores[order[block]] = found

    each_block(place, genes, GENES, threads)
    each_block(walk, samples, SAMPLES, threads)
    return scores


def _table() -> np.ndarray:
    """Standard normal distribution function at −10, −9.999 … 10, as gseapy looks it up.

    For a negative value gseapy takes one minus the entry of its opposite. Its entries are up to
    2.5e-11 off, because the library that makes them rounds one constant of each piece of the
    function; which genes tie hangs on that.
    """
    z = np.arange(int(END * STEPS) + 1) / STEPS / math.sqrt(2.0)
    beyond = np.array([math.erfc(value) for value in z])
    excess = np.array([0.0, *(by for _, by in ROUNDED)])
    off = excess[np.searchsorted([start for start, _ in ROUNDED], z, side="right")]
    beyond[1:] += np.exp(-z[1:] * z[1:]) / z[1:] * off[1:]
    upper = 0.5 * (2.0 - beyond)
    return np.concatenate([1.0 - upper[:0:-1], upper])


def _derivatives() -> np.ndarray:
    """Derivatives of the standard normal distribution function at the distances of bins.

    Shape (2 REACH + 1, TERMS): the m-th is (−1)^(m − 1) times Hermite's polynomial m − 1 times the
    density.
    """
    at = np.arange(-REACH, REACH + 1) * WIDTH
    found = np.empty((len(at), TERMS))
    found[:, 0] = ndtr(at)
    density = np.exp(-0.5 * at * at) / math.sqrt(2 * math.pi)
    before, hermite = np.zeros(len(at)), np.ones(len(at))
    for m in range(1, TERMS):
        found[:, m] = (-1.0) ** (m - 1) * hermite * density
        before, hermite = hermite, at * hermite - (m - 1) * before
    return found


def _sets_of(members: Sequence[np.ndarray], genes: int) -> tuple[np.ndarray, np.ndarray]:
    """Turn the genes of sets into the sets of genes: where those of each gene begin, and all."""
    gene = np.concatenate(members)
    owner = np.repeat(np.arange(len(members)), [len(of_set) for of_set in members])
    counts = np.bincount(gene, minlength=genes)
    starts = np.concatenate([[0], np.cumsum(counts)])
    return starts, owner[np.argsort(gene, kind="stable")]


# Python's error model would ask before every division whether it is by zero.
_compiled = njit(nogil=True, error_model="numpy")


@_compiled
def _bandwidth(x: np.ndarray) -> float:
    """A quarter of the standard deviation, added up from the first to the last."""
    total = 0.0
    for value in x:
        total += value
    mean = total / x.size
    total = 0.0
    for value in x:
        total += (mean - value) * (mean - value)
    return math.sqrt(total / (x.size - 1)) / 4.0


@_compiled
def _look_up(x: np.ndarray, centre: float, bandwidth: float, steps: np.ndarray) -> None:
    """Where x stands around a centre: rows of the table, counted from its middle."""
    for j in range(x.size):
        v = (x[j] - centre) / bandwidth
        v = 10.0 if v > 10.0 else v
        v = -10.0 if v < -10.0 else v
        steps[j] = np.int32(v / 10.0 * 10000.0)


@_compiled
def _add_two(
    sums: np.ndarray, steps: np.ndarray, table: np.ndarray, a: float, b: float
) -> tuple[float, float]:
    """Add what two samples give to all later ones, and what these give to the two."""
    for j in range(sums.size):
        p, q = table[steps[0, j] + 10000], table[steps[1, j] + 10000]
        sums[j] = (sums[j] + p) + q
        a += 1.0 - p
        b += 1.0 - q
    return a, b


@_compiled
def _exact(values: np.ndarray, table: np.ndarray, out: np.ndarray) -> None:
    """Logit of the mean of table entries over all samples: the kernel of gseapy, gene by gene.

    The entry of a pair is one minus that of the pair turned round, so half of them are looked up.
    Two samples are done at once because a sum waits for its last summand.
    """
    samples = values.shape[1]
    steps = np.empty((2, samples), np.int32)
    for gene in range(values.shape[0]):
        x, sums = values[gene], np.zeros(samples)
        # A gene that does not vary divides 0 by 0 there and stands in the middle of the table.
        bandwidth = max(_bandwidth(x), 5e-324)
        for i in range(0, samples - 1, 2):
            later = x[i + 2 :]
            _look_up(x[i + 1 : i + 2], x[i], bandwidth, steps[0])
            p = table[steps[0, 0] + 10000]
            _look_up(later, x[i], bandwidth, steps[0])
            _look_up(later, x[i + 1], bandwidth, steps[1])
            sums[i], sums[i + 1] = _add_two(
                sums[i + 2 :], steps, table, sums[i] + 0.5 + (1.0 - p), sums[i + 1] + p + 0.5
            )
        if samples % 2:
            sums[samples - 1] += 0.5
        for i in range(samples):
            position = sums[i] / samples
            out[gene, i] = -1.0 * math.log((1.0 - position) / position)


@_compiled
def _linear(values: np.ndarray, derivatives: np.ndarray, out: np.ndarray) -> None:
    """Mean of Gaussian distribution functions over all samples, by Taylor series around bins."""
    samples = values.shape[1]
    for gene in range(values.shape[0]):
        x = values[gene]
        bandwidth = _bandwidth(x)
        if bandwidth == 0.0:
            for i in range(samples):
                out[gene, i] = 0.5 / RESOLUTION
            continue
        lowest = highest = x[0]
        for value in x:
            lowest = value if value < lowest else lowest
            highest = value if value > highest else highest
        unit = bandwidth * WIDTH
        moments = np.zeros((int((highest - lowest) / unit) + 1, TERMS))
        _add_moments(x, lowest, unit, moments)
        series = _far_and_near(moments, derivatives)
        for i in range(samples):
            place = (x[i] - lowest) / unit
            bin_ = int(place)
            s = (place - bin_ - 0.5) * WIDTH
            total = 0.0
            for m in range(TERMS - 1, -1, -1):
                total = total * s + series[bin_, m]
            out[gene, i] = math.floor(total / samples / RESOLUTION + 0.5)


@_compiled
def _add_moments(x: np.ndarray, lowest: float, unit: float, moments: np.ndarray) -> None:
    """Sums of (−t)^m over the values of each bin, t from its centre in bandwidths."""
    for value in x:
        place = (value - lowest) / unit
        bin_ = int(place)
        t = (bin_ + 0.5 - place) * WIDTH
        term = 1.0
        for m in range(TERMS):
            moments[bin_, m] += term
            term *= t


@_compiled
def _far_and_near(moments: np.ndarray, derivatives: np.ndarray) -> np.ndarray:
    """Coefficients of the series around each bin, from all bins; divides both by factorials."""
    bins = moments.shape[0]
    series = np.zeros((bins, TERMS))
    for source in range(bins):
        factorial = 1.0
        for q in range(1, TERMS):
            factorial *= q
            moments[source, q] /= factorial
    below = 0.0
    for target in range(bins):
        if target > REACH:
            below += moments[target - REACH - 1, 0]
        if moments[target, 0] == 0.0:
            continue
        series[target, 0] = below
        for source in range(max(0, target - REACH), min(bins, target + REACH + 1)):
            if moments[source, 0] == 0.0:
                continue
            for p in range(TERMS):
                total = 0.0
                for q in range(TERMS - p):
                    total += derivatives[target - source + REACH, p + q] * moments[source, q]
                series[target, p] += total
        factorial = 1.0
        for p in range(1, TERMS):
            factorial *= p
            series[target, p] /= factorial
    return series


@_compiled
def _walk(
    sequences: np.ndarray,
    starts: np.ndarray,
    owners: np.ndarray,
    sizes: np.ndarray,
    out: np.ndarray,
) -> None:
    """Largest plus smallest deviation of each set's walk down the genes of each sample.

    A gene of the set lifts the sum by its share of |rank − n/2|, every other gene lowers it by one
    over their number; only before and after a gene of the set can it be at an end.
    """
    genes, sets = sequences.shape[1], sizes.size
    for sample in range(sequences.shape[0]):
        total, lifted, seen, highest, lowest = np.zeros((5, sets))
        for place in range(genes):
            gene = sequences[sample, place]
            for k in range(starts[gene], starts[gene + 1]):
                total[owners[k]] += abs(genes / 2 - place)
        for place in range(genes):
            gene = sequences[sample, place]
            for k in range(starts[gene], starts[gene + 1]):
                one = owners[k]
                # A set of nothing but the gene in the middle has no weight and stays where it is.
                unit = 1.0 / total[one] if total[one] > 0.0 else 0.0
                fallen = (place - seen[one]) / (genes - sizes[one])
                below = lifted[one] * unit - fallen
                lowest[one] = below if below < lowest[one] else lowest[one]
                lifted[one] += abs(genes / 2 - place)
                seen[one] += 1
                above = lifted[one] * unit - fallen
                highest[one] = above if above > highest[one] else highest[one]
        for one in range(sets):
            out[sample, one] = highest[one] + lowest[one]
