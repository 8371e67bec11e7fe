"""Whether the factors of counts find the size of a sample when a few genes take the reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError
from adnorm.expression.library_sizes import (
    LIBRARY_SIZE,
    MEDIAN_OF_RATIOS,
    TMM,
    composition_factors,
    is_sparse,
)
from calibrate.verdicts import FAIL, PASS, SHOWN, Row

QUESTION = "i sizes of samples"
#: Log2 units that the default may be off between groups, and vary within one.
OFFSET, SPREAD = 0.03, 0.05
RISING, SAMPLES = 12, 60
#: One trial for so many of the others: a trial has thousands of genes.
TRIALS = 50


@dataclass(frozen=True)
class Assay:
    """How many reads, how unequal, how variable, and what is different in lesions."""

    depth: float
    depth_spread: float
    dispersion: float
    top_share: float = 0.3
    lesions_deeper: float = 0.0
    genes: int = 2000

    @property
    def words(self) -> str:
        """The setting, for the table."""
        deeper = np.exp(self.lesions_deeper)
        times = f", {deeper:.1f} times in lesions" if self.lesions_deeper else ""
        reads = f"{self.depth:,.0f} reads (SD {self.depth_spread:g} ln{times})"
        return f"{reads}, dispersion {self.dispersion:g}"


SETTINGS = (
    Assay(1e7, 0.3, 0.05),
    Assay(3e5, 0.5, 0.2, lesions_deeper=0.6),
    Assay(9000, 1.8, 0.2, lesions_deeper=1.3),
    Assay(9000, 1.8, 0.5, lesions_deeper=1.3),
)


def counts_of(
    assay: Assay, seed: int, samples: int = SAMPLES
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Draw a cohort in which twelve genes rise 2.3-fold in lesions and nothing else changes.

    Returns
    -------
    counts : DataFrame
        Genes with 10 reads in 10 samples × samples that have any of them.
    lesional : ndarray of bool, shape (samples,)
    sizes : ndarray, shape (samples,)
        Log2 size that genes without a change have: reads for a unit of their expression.
    """
    rng = np.random.default_rng(seed)
    base = rng.lognormal(0, 1.8, assay.genes)
    top, rest = slice(RISING), slice(RISING, None)
    base[top] *= assay.top_share / (1 - assay.top_share) * base[rest].sum() / base[top].sum()
    lesional = np.arange(samples) % 2 == 1
    shares = base[:, None] * rng.lognormal(0, 0.3, (assay.genes, samples))
    shares[top] *= np.where(lesional, 2.3, 1.0)
    depth = rng.normal(np.log(assay.depth) + assay.lesions_deeper * lesional, assay.depth_spread)
    libraries = np.exp(depth)
    means = shares / shares.sum(axis=0) * libraries
    reads = rng.negative_binomial(1 / assay.dispersion, 1 / (1 + assay.dispersion * means))
    reads = reads[(reads >= 10).sum(axis=1) >= 10]
    seen = reads.any(axis=0)
    counts = pd.DataFrame(
        reads[:, seen],
        index=[f"G{i:04d}" for i in range(len(reads))],
        columns=[f"S{i:02d}" for i in np.flatnonzero(seen)],
    )
    return counts, lesional[seen], np.log2(libraries / shares.sum(axis=0))[seen]


def errors_of(
    factors: pd.Series, counts: pd.DataFrame, lesional: np.ndarray, sizes: np.ndarray
) -> tuple[float, float, float]:
    """Say how far the sizes of samples are off, in log2 units.

    Returns
    -------
    offset, spread, slope : float
        Lesional − nonlesional, standard deviation within the groups, and slope on log2 depth.
    """
    depth = np.log2(counts.sum().to_numpy())
    error = np.log2(factors.to_numpy()) + depth - sizes
    means = [error[~lesional].mean(), error[lesional].mean()]
    within = error - np.where(lesional, means[1], means[0])
    return means[1] - means[0], float(within.std()), float(np.polyfit(depth, within, 1)[0])


def sizes_of_samples(trials: int) -> Iterator[Row]:
    """Compare the methods; the default is held to the criterion where counts are not sparse."""
    for assay in SETTINGS:
        found: dict[str, list] = {TMM: [], MEDIAN_OF_RATIOS: [], LIBRARY_SIZE: []}
        sparse = []
        for seed in range(max(3, trials // TRIALS)):
            trial = counts_of(assay, 7000 + seed)
            sparse.append(is_sparse(trial[0]))
            for method, errors in found.items():
                with suppress(AdnormError):
                    errors.append(errors_of(composition_factors(trial[0], method), *trial))
        kind = "sparse: " if all(sparse) else ""
        for method, errors in found.items():
            judged = method == TMM and not any(sparse)
            yield _row(f"{method}; {kind}{assay.words}", errors, judged)


def _row(where: str, errors: list, judged: bool) -> Row:
    if not errors:
        return Row(QUESTION, where, "refused: no gene has reads in all samples", "", SHOWN)
    offset, spread, slope = np.mean(errors, axis=0)
    error = np.std(errors, axis=0)[0] / np.sqrt(len(errors))
    measured = (
        f"offset of lesions {offset:+.3f} ± {error:.3f} log2, spread {spread:.2f}, "
        f"slope on log2 depth {slope:+.3f}"
    )
    if not judged:
        return Row(QUESTION, where, measured, "", SHOWN)
    held = abs(offset) <= OFFSET and spread <= SPREAD
    expected = f"offset within ± {OFFSET:g}, spread at most {SPREAD:g}"
    return Row(QUESTION, where, measured, expected, PASS if held else FAIL)
