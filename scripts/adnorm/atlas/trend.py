"""Tests for an ordered trend: linear contrast and Jonckheere-Terpstra, patients permuted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import factorial, prod

import numpy as np

#: Up to this many arrangements are enumerated; beyond, this many are drawn.
PERMUTATIONS = 10_000
_CHUNK = 500


@dataclass(frozen=True)
class Trend:
    """Tests of a trend for many names; arrays have shape (names,).

    Attributes
    ----------
    p_value
        Two-sided, of the linear contrast.
    jonckheere, jonckheere_z
        Statistic J (pairs in order, ties half) and (J − mean) / standard deviation without ties.
    jonckheere_p_value
        Two-sided.
    """

    p_value: np.ndarray
    jonckheere: np.ndarray
    jonckheere_z: np.ndarray
    jonckheere_p_value: np.ndarray


def jonckheere_moments(sizes: np.ndarray) -> tuple[float, float]:
    """Mean and variance of J under no trend and without ties, in closed form.

    Parameters
    ----------
    sizes
        People in each ordered group.

    References
    ----------
    Jonckheere A R (1954). Biometrika 41:133-145.

    Examples
    --------
    >>> jonckheere_moments(np.array([1, 1, 1]))
    (1.5, 0.9166666666666666)
    """
    sizes = np.asarray(sizes, dtype=float)
    total = sizes.sum()
    mean = (total**2 - (sizes**2).sum()) / 4
    variance = (total**2 * (2 * total + 3) - (sizes**2 * (2 * sizes + 3)).sum()) / 72
    return float(mean), float(variance)


def trend_tests(values: np.ndarray, scores: np.ndarray, rng: np.random.Generator) -> Trend:
    """Test whether values rise or fall with an ordered score.

    Under no effect the scores are exchangeable between patients, so the p-values are exact (all
    arrangements, where they are few) or Monte Carlo with the observed one counted.

    Parameters
    ----------
    values
        One row a patient, shape (patients, names).
    scores
        Step of each patient's arm, shape (patients,); at least two different.
    rng
        Source of chance; not used where all arrangements are enumerated.
    """
    levels, codes, sizes = np.unique(scores, return_inverse=True, return_counts=True)
    arranged = arrangements(codes, rng)
    centred = values - values.mean(axis=0)
    centred_levels = levels - scores.mean()
    first, second = np.triu_indices(len(codes), 1)
    order = np.sign(values[second] - values[first])
    observed_line = np.abs(centred_levels[codes] @ centred)
    observed_order = np.sign(codes[second] - codes[first]) @ order
    # Rounding must not decide whether an arrangement is as far out as the observed one.
    noise = 1e-9 * (np.abs(centred_levels).max() * np.abs(centred).sum(axis=0))
    line, ordered = np.zeros(values.shape[1]), np.zeros(values.shape[1])
    for start in range(0, len(arranged), _CHUNK):
        part = arranged[start : start + _CHUNK]
        line += (np.abs(centred_levels[part] @ centred) >= observed_line - noise).sum(axis=0)
        signs = np.sign(part[:, second] - part[:, first]).astype(float)
        ordered += (np.abs(signs @ order) >= np.abs(observed_order) - 0.5).sum(axis=0)
    mean, variance = jonckheere_moments(sizes)
    statistic = observed_order / 2 + mean
    return Trend(
        line / len(arranged),
        statistic,
        (statistic - mean) / np.sqrt(variance),
        ordered / len(arranged),
    )


def arrangements(codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Ways to hand out the groups to the patients, shape (arrangements, patients).

    All of them where there are at most 10,000; otherwise the observed one and random ones.
    """
    sizes = np.bincount(codes)
    if factorial(len(codes)) // prod(factorial(int(s)) for s in sizes) <= PERMUTATIONS:
        return np.array(list(_every(np.arange(len(codes)), list(sizes), len(codes))))
    drawn = rng.permuted(np.tile(codes, (PERMUTATIONS, 1)), axis=1)
    drawn[0] = codes
    return drawn


def _every(free: np.ndarray, sizes: list[int], patients: int) -> Iterator[np.ndarray]:
    """Fill the last group in every way, and the groups below it in every way left."""
    group = len(sizes) - 1
    if group == 0:
        yield np.zeros(patients, dtype=int)
        return
    for chosen in combinations(free, sizes[-1]):
        for below in _every(np.setdiff1d(free, chosen), sizes[:-1], patients):
            below[list(chosen)] = group
            yield below


def holm(p_values: np.ndarray) -> np.ndarray:
    """Adjust p-values down the first axis by Holm's step-down procedure.

    Examples
    --------
    >>> holm(np.array([[0.01], [0.04], [0.03]])).ravel().tolist()
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, axis=0, kind="stable")
    factor = np.arange(len(p_values), 0, -1).reshape(-1, *[1] * (p_values.ndim - 1))
    ordered = np.take_along_axis(p_values, order, axis=0)
    stepped = np.minimum(np.maximum.accumulate(ordered * factor, axis=0), 1.0)
    adjusted = np.empty_like(stepped)
    np.put_along_axis(adjusted, order, stepped, axis=0)
    return adjusted
