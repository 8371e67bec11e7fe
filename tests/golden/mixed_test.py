"""The mixed model of patients' courses against R lme4 1.1-31 (mixed.R wrote the values).

Tolerance 1e-3 of a unit of the score: the two search the maximum of the likelihood differently.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from adnorm.index.patients import MIXED, fit_patient_model

HERE = Path(__file__).parent


@pytest.mark.parametrize("name", ["steep", "noisy"])
def test_predictions_and_noise_equal_lme4(name):
    tables = [
        pd.read_csv(HERE / f"mixed_{table}.tsv", sep="\t")
        for table in ("scores", "decreases", "noise")
    ]
    scores, decreases, noise = (table[table["name"] == name] for table in tables)
    ours = fit_patient_model(
        *(scores[column].to_numpy() for column in ("score", "patient", "arm", "week"))
    )
    assert ours.method == MIXED
    assert ours.noise == pytest.approx(noise["noise"].item(), abs=1e-3)
    np.testing.assert_allclose(ours.decrease, decreases["decrease"], atol=1e-3)
    # The values say something: patients differ, and not only by arm and visit.
    last = scores["week"].to_numpy() == 12
    within = pd.Series(ours.decrease[last]).groupby(scores["arm"].to_numpy()[last]).std()
    assert (within > 0.2).all()
