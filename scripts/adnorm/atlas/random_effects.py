"""One trial, several trials, or two groups of trials: what can be said about each name."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from adnorm.index.meta import combine_studies

NUMBERS = ["dni", "lower", "upper", "standard_error", "tau2", "i2"]
NUMBERS += ["prediction_lower", "prediction_upper"]


def combine(effects: pd.DataFrame, errors: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Combine the placebo-adjusted index of several trials by random effects.

    Parameters
    ----------
    effects, errors
        dNI and its standard error, names × trials; NaN where a trial lacks the name.
    confidence
        Coverage of the intervals.

    Returns
    -------
    DataFrame
        By name: `NUMBERS` and ``trials``. The interval is Hartung and Knapp's, but never shorter
        than that of DerSimonian and Laird, and ``standard_error`` the larger of the two: a few
        trials that agree by chance would claim more than all their patients can show. The
        prediction interval needs three trials. Names of one trial have NaN.

    References
    ----------
    Higgins J P T, Thompson S G, Spiegelhalter D J (2009). J R Stat Soc A 172:137-159.
    Jackson D, Law M, Rücker G, Schwarzer G (2017). Stat Med 36:3923-3934.
    """
    found = combine_studies(effects.to_numpy(float), errors.to_numpy(float) ** 2, confidence)
    studies, several = found.studies, found.studies >= 3
    tail = 0.5 + confidence / 2
    half = found.upper - found.effect
    knapp = half / stats.t.ppf(tail, np.maximum(studies - 1, 1))
    error = np.fmax(knapp, found.standard_error)
    half = np.fmax(half, stats.norm.ppf(tail) * found.standard_error)
    spread = np.sqrt(np.where(several, found.tau2, np.nan) + found.standard_error**2)
    margin = stats.t.ppf(tail, np.maximum(studies - 2, 1)) * spread
    values = [found.effect, found.effect - half, found.effect + half, error, found.tau2, found.i2]
    values += [found.effect - margin, found.effect + margin]
    table = pd.DataFrame(dict(zip(NUMBERS, values, strict=True)), index=effects.index)
    return table.assign(trials=studies)


def difference(first: pd.DataFrame, second: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Subtract two combined indices that share no trial.

    Parameters
    ----------
    first, second
        By the same names: dni, standard_error, trials.
    confidence
        Coverage of the interval.

    Returns
    -------
    DataFrame
        By name: dni, lower, upper, standard_error. Degrees of freedom by Welch and Satterthwaite
        over the sides that have several trials; a side of one trial brings its own standard error.
    """
    variances = [side["standard_error"].to_numpy(float) ** 2 for side in (first, second)]
    total = variances[0] + variances[1]
    squared = sum(
        np.where(side["trials"] > 1, variance**2 / np.maximum(side["trials"] - 1, 1), 0.0)
        for side, variance in zip((first, second), variances, strict=True)
    )
    df = np.divide(total**2, squared, out=np.full(len(total), np.inf), where=squared > 0)
    error = np.sqrt(total)
    margin = stats.t.ppf(0.5 + confidence / 2, df) * error
    value = first["dni"].to_numpy(float) - second["dni"].to_numpy(float)
    return pd.DataFrame(
        {"dni": value, "lower": value - margin, "upper": value + margin, "standard_error": error},
        index=first.index,
    )
