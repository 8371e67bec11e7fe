"""Borrowing strength over genes: shrunken effects."""

from __future__ import annotations

import numpy as np

#: Pseudo-counts on the null component, so that a weak signal is not taken for an effect.
NULL_BIAS = 10.0
ITERATIONS = 300


def shrink_effects(estimate: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shrink effects towards 0 as far as the effects of all genes say: adaptive shrinkage.

    The prior is a mixture of a point at 0 and centred normal distributions, its weights fitted to
    all genes. Large effects stay where they are; what chance alone would give goes to 0.

    Parameters
    ----------
    estimate, error
        Effects and their standard errors, shape (genes,). An effect without error stays.

    Returns
    -------
    mean, deviation : ndarray, shape (genes,)
        Of the posterior distribution.

    References
    ----------
    Stephens M (2017). Biostatistics 18:275-294.
    """
    mean, deviation = estimate.astype(float).copy(), np.zeros(len(estimate))
    noisy = error > 0
    if not noisy.any():
        return mean, deviation
    effect, noise = estimate[noisy], error[noisy] ** 2
    prior = _prior_variances(effect, noise)
    total = noise[:, None] + prior
    density = -0.5 * (effect[:, None] ** 2 / total + np.log(total))
    density = np.exp(density - density.max(axis=1, keepdims=True))
    share = density * _mixture_weights(density)
    share /= share.sum(axis=1, keepdims=True)
    factor = prior / total
    means = factor * effect[:, None]
    mean[noisy] = (share * means).sum(axis=1)
    # In this form no difference of large numbers can turn negative.
    apart = (means - mean[noisy][:, None]) ** 2
    deviation[noisy] = np.sqrt((share * (factor * noise[:, None] + apart)).sum(axis=1))
    return mean, deviation


def _prior_variances(effect: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Variances of the mixture: 0, then a grid from a tenth of the least noise upwards."""
    smallest = np.sqrt(noise.min()) / 10
    largest = max(2 * np.sqrt(max(float((effect**2 - noise).max()), 0.0)), 8 * smallest)
    steps = int(np.ceil(np.log2(largest / smallest)))
    return np.concatenate([[0.0], (largest * 2.0 ** -np.arange(steps, -1.0, -1.0)) ** 2])


def _mixture_weights(density: np.ndarray) -> np.ndarray:
    """Weights of the components by expectation-maximization."""
    bias = np.zeros(density.shape[1])
    bias[0] = NULL_BIAS
    weights = np.full(density.shape[1], 1 / density.shape[1])
    for _ in range(ITERATIONS):
        inverse = 1.0 / (density @ weights)
        counts = weights * (inverse @ density) + bias
        new = counts / counts.sum()
        if np.abs(new - weights).max() < 1e-5:
            return new
        weights = new
    return weights
