"""The meta-analysis against R metafor 3.8-1 (meta.R wrote the values) and against statsmodels.

Tolerance 1e-9: R and numpy differ in the order of floating-point sums only.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from adnorm.index.meta import combine_studies

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def studies():
    long = pd.read_csv(HERE / "meta_studies.tsv", sep="\t")
    return tuple(
        long.pivot(index="gene", columns="study", values=column)
        for column in ("effect", "standard_error")
    )


def test_all_values_equal_metafor(studies):
    effects, errors = studies
    golden = pd.read_csv(HERE / "meta_combined.tsv", sep="\t").set_index("gene").loc[effects.index]
    ours = combine_studies(effects.to_numpy(), errors.to_numpy() ** 2)
    assert set(ours.studies) == {2, 3, 4, 5}
    for column in golden:
        np.testing.assert_allclose(
            getattr(ours, column), golden[column], rtol=1e-9, atol=1e-12, err_msg=column
        )


def test_values_equal_statsmodels_where_studies_differ(studies):
    """Statsmodels lets the variance between studies be negative, so only where it is not."""
    from statsmodels.stats.meta_analysis import combine_effects

    effects, errors = studies
    ours = combine_studies(effects.to_numpy(), errors.to_numpy() ** 2)
    heterogeneous = np.flatnonzero(ours.tau2 > 0)
    assert len(heterogeneous) > 20
    for i in heterogeneous:
        have = effects.iloc[i].notna().to_numpy()
        theirs = combine_effects(
            effects.iloc[i][have], errors.iloc[i][have] ** 2, method_re="chi2", use_t=True
        )
        assert ours.effect[i] == pytest.approx(theirs.mean_effect_re, rel=1e-9)
        assert ours.tau2[i] == pytest.approx(theirs.tau2, rel=1e-9)
        knapp = theirs.conf_int(use_t=True)[3]
        np.testing.assert_allclose((ours.lower[i], ours.upper[i]), knapp, rtol=1e-7)
