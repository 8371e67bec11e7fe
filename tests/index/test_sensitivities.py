"""What questions the index: composition taken out, and the literature's figure."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adnorm.index.sensitivities import adjust_for_composition, percent_improvement
from builders.score_trials import index, trial


def test_composition_is_taken_out_without_the_disease():
    """A score that follows T cells among like biopsies loses that part and keeps its own."""
    values, observations = trial(0.5, patients=30, names=["own", "cells"], noise=0.2)
    rng = np.random.default_rng(2)
    cells = pd.DataFrame({"comp_tcell": rng.normal(0, 1, len(values))})
    lesional = (observations["state"] == "lesional") & (observations["week"] == 0)
    cells.loc[lesional, "comp_tcell"] += 2.0
    values["cells"] = 1.5 * cells["comp_tcell"] + 0.1 * rng.normal(size=len(values))
    adjusted = adjust_for_composition(values, observations, cells)
    correlation = np.corrcoef(adjusted["cells"], cells["comp_tcell"])[0, 1]
    assert abs(correlation) < 0.3
    assert adjusted["cells"].std() < 0.3
    kept = index(adjusted[["own"]], observations)["ni"].iloc[0]
    assert kept == pytest.approx(0.5, abs=0.1)


def test_too_few_observations_are_not_adjusted():
    values, observations = trial(0.5, patients=3)
    assert adjust_for_composition(values, observations, values) is None


# ---------------------------------------------------------------- the literature's figure


def test_literal_improvement_by_hand():
    genes = np.array(["A", "B", "C"])
    start, end = np.array([4.0, 2.0, 5.0]), np.array([3.0, 2.5, 5.0])
    log2 = np.column_stack([start] * 3 + [end] * 3)
    observations = pd.DataFrame(
        {
            "patient": ["p", "q", "r"] * 2,
            "state": "lesional",
            "week": [0.0] * 3 + [4.0] * 3,
            "arm": "drug",
        }
    )
    lesional = pd.DataFrame(
        {
            "gene": ["C", "B", "A"],
            "log2_fold_change": [3.0, -2.0, 2.0],
            "p_value": [0.04, 0.001, 0.001],
            "fdr": [0.2, 0.01, 0.01],
        }
    )
    row = percent_improvement(log2, genes, observations, lesional).iloc[0]
    # A: 1 of 2 back, B: 0.5 of 2 back; C does not pass the false discovery rate.
    assert row["percent_improvement"] == pytest.approx(37.5)
    assert row["genes"] == 2 and row["pairs"] == 3 and "circular" in row["note"]
    row = percent_improvement(log2, genes, observations, lesional, "p_value").iloc[0]
    assert row["percent_improvement"] == pytest.approx(25.0) and row["genes"] == 3
    none = percent_improvement(log2, genes, observations, lesional.assign(fdr=1.0)).iloc[0]
    assert np.isnan(none["percent_improvement"]) and none["genes"] == 0
    # Which rule left no gene, and which one left no patient.
    assert none["lacking"] == "no disease gene: of 3 genes none have FDR < 0.05 (lowest: 1)"
    small = lesional.assign(log2_fold_change=[0.5, -0.4, 0.9], fdr=0.001)
    none = percent_improvement(log2, genes, observations, small).iloc[0]
    assert none["lacking"].endswith("none at least double or halve (largest: 0.9)")
    few = observations[observations["patient"] != "r"]
    none = percent_improvement(log2[:, few.index], genes, few, lesional).iloc[0]
    assert none["lacking"] == "2 patients with both samples, 3 are asked"
    assert row["lacking"] == ""
