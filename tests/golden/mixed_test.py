"""The mixed models of patients' courses against R nlme and dense matrices (mixed.R wrote them)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from adnorm.index import patients
from adnorm.index.patients import SHAPES, fit_courses, trajectories

HERE = Path(__file__).parent


def table(kind, name):
    rows = pd.read_csv(HERE / f"mixed_{kind}.tsv", sep="\t")
    return rows[rows["name"] == name].reset_index(drop=True)


def observations(name):
    """Decreases since baseline, and the patient, arm and week of each."""
    scores = table("scores", name)
    start = scores[scores["week"] == 0].set_index("patient")["score"]
    later = scores[scores["week"] > 0]
    decrease = (later["patient"].map(start) - later["score"]).to_numpy()[:, None]
    return decrease, *(later[c].to_numpy() for c in ("patient", "arm", "week"))


@pytest.mark.parametrize("name", ["steep", "noisy"])
@pytest.mark.parametrize("shape", SHAPES)
def test_predictions_and_variances_equal_nlme_and_dense_matrices(name, shape):
    fit = table("fits", name).query("shape == @shape").iloc[0]
    ours = fit_courses(*observations(name), np.array([fit["ratio"]]), np.ones(1), (shape,))
    theirs = table("decreases", name).query("shape == @shape")
    assert ours.df == fit["df"]
    np.testing.assert_allclose(ours.noise, fit["noise"], rtol=1e-5)
    np.testing.assert_allclose(ours.decrease[0, :, 0], theirs["decrease"], atol=1e-5)
    np.testing.assert_allclose(ours.error[0], theirs["error"], rtol=1e-6)
    # The values say something: patients differ, and not only by arm and visit.
    last = theirs[theirs["week"] == 12].merge(table("scores", name))
    assert (last.groupby("arm")["decrease"].std() > 0.2).all()


@pytest.mark.parametrize("name", ["steep", "noisy"])
def test_the_likelihood_is_highest_where_nlme_ends(name):
    for shape, best in table("fits", name).groupby("shape")["ratio"].first().items():
        ratios = best * np.array([0.98, 1.0, 1.02])
        ours = fit_courses(*observations(name), ratios, np.ones(3) / 3, (shape,))
        assert ours.weight[:, 0].argmax() == 1


@pytest.mark.parametrize("name", ["steep", "noisy"])
def test_responses_equal_those_integrated_on_a_fine_grid(name, monkeypatch):
    """Disease effect 3 ± 0.2; within 0.002 of the disease effect and of probability."""
    # Also the probabilities that a table would not give.
    monkeypatch.setattr(patients, "SHARED_ERROR", np.inf)
    monkeypatch.setattr(patients, "RELIABILITY_ERROR", np.inf)
    divisor = pd.DataFrame(
        {
            "reference": "nonlesional",
            "arm": "",
            "name": [name],
            "denominator": 3.0,
            "standard_error": 0.2,
            "status": "ok",
            "reason": "",
        }
    )
    scores = table("scores", name).assign(state="lesional")
    found = trajectories(scores, divisor, 0.95)
    theirs = table("posterior", name)
    both = theirs.merge(found, on=["patient", "week"], suffixes=("_there", ""))
    assert len(both) == len(theirs) > 10
    for column in ("response", "lower", "upper"):
        np.testing.assert_allclose(both[column], both[f"{column}_there"], atol=2e-3)
    for column in ("above_half", "above_three_quarters"):
        np.testing.assert_allclose(both[f"prob_{column}"], both[column], atol=2e-3)
    assert both["above_half"].between(0.01, 0.99).any()
