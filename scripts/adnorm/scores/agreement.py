"""Do the methods rank the samples alike?"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import rankdata


def agreement(scores: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Correlate the methods with each other across samples, set by set.

    Parameters
    ----------
    scores
        Scores by method, each of shape (samples, sets), same samples and sets.

    Returns
    -------
    DataFrame
        Columns set, method_a, method_b, spearman, samples, reason; one row a set and pair of
        methods. Spearman's correlation is missing, with a reason, when a set was not scored, when
        a score is the same in all samples, or when there are fewer than three samples.
    """
    rows = []
    ranks = {method: rankdata(frame.to_numpy(), axis=0) for method, frame in scores.items()}
    sets = next(iter(scores.values())).columns
    for j, name in enumerate(sets):
        for a, b in combinations(scores, 2):
            pair = [scores[m].iloc[:, j].to_numpy() for m in (a, b)]
            reason = _reason(pair)
            value = np.nan if reason else np.corrcoef(ranks[a][:, j], ranks[b][:, j])[0, 1]
            rows.append((name, a, b, value, len(pair[0]), reason))
    columns = ["set", "method_a", "method_b", "spearman", "samples", "reason"]
    return pd.DataFrame(rows, columns=columns)


def _reason(pair: list[np.ndarray]) -> str:
    if not all(np.isfinite(values).all() for values in pair):
        return "not scored"
    if len(pair[0]) < 3:
        return "fewer than three samples"
    if any(np.ptp(values) == 0 for values in pair):
        return "the score is the same in all samples"
    return ""
