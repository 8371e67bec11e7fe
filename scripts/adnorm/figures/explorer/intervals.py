"""Confidence intervals of the effects of genes, from what effects.tsv says of them.

The table has estimate, standard error, t and p value of the moderated t test, and not its degrees
of freedom ν (those of the residuals and of the prior together). But p = 2 T(−|t|; ν) holds for each
row, and ν is the only unknown: it is solved for. The interval is then the one that belongs to the
p value, estimate ± T⁻¹(1 − α/2; ν) · standard error, and leaves 0 out exactly where p < α. Without
``effects: robust`` all genes of a comparison share ν; Wald tests of DESeq2 have ν = ∞.
"""

from __future__ import annotations

import numpy as np

#: p values from which ν can be read: neither near 1, where it plays no part, nor out of digits.
_READABLE = (1e-12, 0.5)
#: Genes that are asked first; where they agree, so do the others.
_ASKED = 400
#: How far critical values may differ between genes that share ν; p has six digits.
_AGREE = 1e-4
#: From here on Student's t is the normal distribution, to all digits of the table.
_NORMAL = 1e6


def degrees_of_freedom(t: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Solve p = 2 T(−|t|; ν) for ν, by bisection of its logarithm.

    Parameters
    ----------
    t, p
        Statistics other than 0, and two-sided p values.

    Returns
    -------
    ndarray of float
        ν, infinite from a million on.

    Examples
    --------
    >>> float(degrees_of_freedom(np.array([2.262157]), np.array([0.05]))[0].round(2))
    9.0
    """
    from scipy.special import stdtr

    low, high = np.full(t.shape, np.log(0.1)), np.full(t.shape, np.log(10 * _NORMAL))
    for _ in range(48):
        middle = (low + high) / 2
        # The fewer degrees of freedom, the heavier the tails.
        heavy = 2 * stdtr(np.exp(middle), -np.abs(t)) > p
        low, high = np.where(heavy, middle, low), np.where(heavy, high, middle)
    found = np.exp((low + high) / 2)
    return np.where(found < _NORMAL, found, np.inf)


def critical_values(t: np.ndarray, p: np.ndarray, confidence: float) -> np.ndarray:
    """Find the factor of the standard error in the interval of every gene of one comparison.

    Parameters
    ----------
    t, p
        Of all genes; missing where there is no effect.
    confidence
        Coverage of the intervals.

    Returns
    -------
    ndarray of float
        One factor per gene; missing for all where no gene tells ν.
    """
    t, p = np.asarray(t, dtype=float), np.asarray(p, dtype=float)
    readable = np.flatnonzero((p > _READABLE[0]) & (p < _READABLE[1]))
    if not readable.size:
        return np.full(t.shape, np.nan)
    some = readable[:: -(-readable.size // _ASKED)]
    factors = _quantile(degrees_of_freedom(t[some], p[some]), confidence)
    common = float(np.median(factors))
    if np.ptp(factors) <= _AGREE * common:
        return np.full(t.shape, common)
    # Robust moderation: genes that vary more than others have fewer degrees of freedom.
    own = np.full(t.shape, common)
    own[readable] = _quantile(degrees_of_freedom(t[readable], p[readable]), confidence)
    return own


def _quantile(freedom: np.ndarray, confidence: float) -> np.ndarray:
    from scipy.special import ndtri, stdtrit

    upper = (1 + confidence) / 2
    finite = np.where(np.isinf(freedom), 1.0, freedom)
    return np.where(np.isinf(freedom), ndtri(upper), stdtrit(finite, upper))
