"""Borrowing strength over genes: moderated variances and shrunken effects."""

from __future__ import annotations

import numpy as np

#: Pseudo-counts on the null component, so that a weak signal is not taken for an effect.
NULL_BIAS = 10.0
ITERATIONS = 300


def moderate_variances(variance: np.ndarray, freedom: int) -> tuple[np.ndarray, float]:
    """Squeeze the variances of genes towards their common prior (limma's empirical Bayes).

    Parameters
    ----------
    variance
        Sample variances, shape (genes,). Genes that do not vary keep 0.
    freedom
        Their degrees of freedom.

    Returns
    -------
    variance : ndarray, shape (genes,)
    freedom : float
        Degrees of freedom of the moderated variances; infinite when all genes share one variance.

    References
    ----------
    Smyth G K (2004). Stat Appl Genet Mol Biol 3:3.
    """
    from pylimma import squeeze_var

    # Rounding leaves constant genes with a variance that is not exactly zero.
    varies = variance > 1e-12 * max(float(variance.max(initial=0.0)), 1e-300)
    moderated = np.zeros_like(variance)
    if varies.sum() < 3:
        moderated[varies] = variance[varies]
        return moderated, float(freedom)
    fit = squeeze_var(variance[varies], float(freedom))
    moderated[varies] = fit["var_post"]
    return moderated, freedom + float(fit["df_prior"])


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
