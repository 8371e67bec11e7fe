"""Classes against R metafor 3.8-1: class_meta.R wrote the values.

One to six trials a class, with and without variance between them. Tolerance 1e-9: R and numpy
differ in the order of floating-point sums, and metafor stops at 1e-14 of the variance.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from adnorm.atlas.classes import combine
from adnorm.index.meta import contrast_groups

HERE = Path(__file__).parent
CASES = [f"case{i:02d}" for i in range(1, 37)]
OURS = {"effect": "dni", **{c: c for c in ("standard_error", "lower", "upper", "p_value", "tau2")}}
OURS |= {"i2": "i2", "prediction_lower": "prediction_lower", "prediction_upper": "prediction_upper"}
OURS |= {"dl": "dl", "dl_lower": "dl_lower", "dl_upper": "dl_upper"}


@pytest.fixture(scope="module")
def trials():
    return dict(list(pd.read_csv(HERE / "class_meta_trials.tsv", sep="\t").groupby("case")))


@pytest.fixture(scope="module")
def golden():
    return pd.read_csv(HERE / "class_meta_combined.tsv", sep="\t").set_index("case")


@pytest.mark.parametrize("case", CASES)
def test_all_values_equal_metafor(trials, golden, case):
    mine, expected = trials[case], golden.loc[case]
    effects, errors = (
        pd.DataFrame(mine[column].to_numpy()[None, :]) for column in ("effect", "standard_error")
    )
    signs = mine["class"].to_numpy()
    table, shares = combine(effects, errors, signs, 0.95)
    for theirs, ours in OURS.items():
        value = expected[theirs]
        # Of two trials, a prediction interval is not given.
        if theirs.startswith("prediction") and expected["freedom"] < 2:
            value = np.nan
        np.testing.assert_allclose(
            table[ours].iloc[0], value, rtol=1e-9, atol=1e-12, equal_nan=True, err_msg=ours
        )
    if np.isfinite(expected["first_weight"]):
        assert shares.iloc[0, 0] == pytest.approx(expected["first_weight"], rel=1e-9)
    variances = errors.to_numpy() ** 2
    laird = contrast_groups(effects.to_numpy(), variances, signs, 0.95, "DL")
    np.testing.assert_allclose(laird.tau2[0], expected["dl_tau2"], rtol=1e-9, atol=1e-12)


def test_the_cases_have_and_lack_variance_between_trials(golden):
    assert 10 < (golden["tau2"] > 0).sum() < len(golden)
    assert ((golden["tau2"] > 0) != (golden["dl_tau2"] > 0)).any()
