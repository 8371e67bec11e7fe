"""A patient measured by his own disease effect, where one pair of biopsies can carry that."""

from __future__ import annotations

import numpy as np
import pandas as pd

from adnorm.index.groups import NONLESIONAL
from adnorm.index.mixed import PatientModel
from adnorm.index.resample import fieller_interval
from adnorm.index.selection import first_reason

#: How many standard errors the own difference must be above 0 to be divided by.
LEAST_ERRORS = 2.0


def own_ratios(
    decrease: pd.Series,
    own: pd.Series,
    reason: pd.Series,
    reference: str,
    model: PatientModel,
    confidence: float,
) -> dict[str, np.ndarray | list[str]]:
    """Divide each patient's decrease by the patient's own lesional − non-lesional difference.

    The ratio rests on three biopsies of one person. It is given only if the own difference at
    baseline is more than two standard errors above 0; the error is that of the difference of two
    biopsies, with the noise of lesional biopsies. The interval is Fieller's: both differences share
    the lesional biopsy at baseline.

    Parameters
    ----------
    decrease
        Lesional score at baseline − at the visit, one value a row; NaN where a sample is missing.
    own
        Lesional − non-lesional score of the same patient at baseline; NaN without the pair.
    reason
        Why there is no decrease; empty where there is one.
    reference
        ``nonlesional`` or ``healthy``; nobody has a healthy biopsy of his own.
    model
        Its noise and degrees of freedom.
    confidence
        Coverage of the interval.

    Returns
    -------
    dict
        own_ratio, own_lower, own_upper (NaN where it is not given) and own_reason.
    """
    noise = model.noise**2
    error = np.sqrt(2 * noise)
    top, bottom = decrease.to_numpy(dtype=float), own.to_numpy(dtype=float)
    covariance = tuple(np.full(len(top), v) for v in (2 * noise, 2 * noise, noise))
    lower, upper = fieller_interval(top, bottom, covariance, model.df, confidence)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = top / bottom
    small = [f"own lesional − non-lesional difference at baseline is {v:.2g}" for v in bottom]
    rule = f"not more than {LEAST_ERRORS:g} standard errors ({error:.2g} each) above 0"
    said = first_reason(
        len(top),
        [
            (np.full(len(top), reference != NONLESIONAL), "nobody is his own healthy control"),
            (np.isnan(top), reason.to_numpy(dtype=object)),
            (np.isnan(bottom), "no non-lesional sample at baseline"),
            (np.full(len(top), not np.isfinite(noise)), "the noise of a biopsy is not known"),
            (~(bottom > LEAST_ERRORS * error), np.array([f"{s}, {rule}" for s in small], object)),
            (np.isnan(lower), "the interval is unbounded: too few samples to know the noise"),
        ],
    )
    given = np.array([text == "" for text in said], dtype=bool)
    numbers = {"own_ratio": ratio, "own_lower": lower, "own_upper": upper}
    return {k: np.where(given, v, np.nan) for k, v in numbers.items()} | {"own_reason": said}
