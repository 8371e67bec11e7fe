"""Scores on the disease axis, trained here or published."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adnorm.base.errors import AdnormError
from adnorm.effects.observations import Observations
from adnorm.index.axis import axis_scores, dependence, published_axis
from adnorm.index.normalization import normalization_index
from adnorm.study.axis_genes import AxisGenes
from adnorm.study.config import IndexSettings
from builders.axis_trials import (
    clear_trial,
    crossfit,
    trial,
)


def test_scores_are_centred_at_nonlesional_skin_and_linear():
    rng = np.random.default_rng(3)
    log2, observations = trial(rng, np.full(50, 1.0))
    weights = rng.normal(size=50)
    scores = axis_scores(log2, observations, weights)
    baseline = (observations["state"] == "nonlesional").to_numpy()
    assert scores[baseline].mean() == pytest.approx(0.0, abs=1e-10)
    shifted = axis_scores(log2 + rng.normal(size=(50, 1)), observations, weights)
    np.testing.assert_allclose(shifted, scores, atol=1e-9)
    np.testing.assert_allclose(axis_scores(3 * log2, observations, weights), 3 * scores, atol=1e-9)
    order = rng.permutation(50)
    np.testing.assert_allclose(
        axis_scores(log2[order], observations, weights[order]), scores, atol=1e-9
    )


def test_healthy_skin_is_the_zero_where_there_is_no_nonlesional_skin():
    log2, observations = trial(np.random.default_rng(4), np.full(20, 1.0))
    observations["state"] = observations["state"].replace("nonlesional", "healthy")
    scores = axis_scores(log2, observations, np.ones(20))
    assert scores[observations["state"] == "healthy"].mean() == pytest.approx(0.0, abs=1e-10)
    with pytest.raises(AdnormError, match="neither"):
        axis_scores(log2, observations.assign(state="lesional"), np.ones(20))


@pytest.fixture
def strong_trial():
    return clear_trial()


def test_healthy_people_stand_on_the_scale_of_the_patients(strong_trial):
    genes, log2, observations = strong_trial
    healthy = (observations["state"] == "nonlesional").to_numpy()
    people = observations[healthy].assign(
        state="healthy", arm="healthy", patient=lambda o: "h" + o["patient"]
    )
    both = pd.concat([observations, people], ignore_index=True)
    values = np.hstack([log2, log2[:, healthy]])
    axis = crossfit((genes, values, both))
    scores = axis_scores(values, both, axis.weights, axis.fold)
    assert not set(axis.fold.index) & set(people["patient"])
    assert scores[(both["state"] == "healthy").to_numpy()].mean() == pytest.approx(0, abs=1e-9)


# ---------------------------------------------------------------- a published list


GENES = np.array([f"G{i}" for i in range(8)])
#: Genes, and share of a list, that a cohort must have.
COVERAGE = 5, 0.5


def cohort(remaining=0.4, patients=8, noise=0.1, undetected=()):
    """Even genes rise by 2 in disease, odd ones fall by 2; a share is left after treatment."""
    rng = np.random.default_rng(1)
    signs = np.where(np.arange(len(GENES)) % 2, -1.0, 1.0)
    rows, columns = [], []
    for i in range(patients):
        normal = rng.normal(5, 1, len(GENES))
        for state, week, level in (
            *(("nonlesional", 0.0, 0.0), ("lesional", 0.0, 1.0)),
            ("lesional", 4.0, remaining),
        ):
            rows.append((f"p{i}", state, week, "drug"))
            columns.append(normal + 2 * level * signs + noise * rng.normal(size=len(GENES)))
    combined = pd.DataFrame(rows, columns=["patient", "state", "week", "arm"])
    facts = {"cohort": "made_up", "undetected": np.array(undetected, dtype=object)}
    log2 = np.array(columns).T
    return Observations(combined, combined, GENES, log2, None, None, facts)


def listed(genes=GENES, trained_on=()):
    weights = {g: -1.0 if int(g[1:]) % 2 else 1.0 for g in genes if g[1:].isdigit()}
    weights |= {g: 1.0 for g in genes if not g[1:].isdigit()}
    return AxisGenes("core", weights, trained_on)


def test_score_is_the_signed_sum_centred_at_nonlesional_skin_and_the_index_is_planted():
    data = cohort()
    axis = published_axis(data, listed(), {}, {}, *COVERAGE)
    signs = np.array([-1.0 if i % 2 else 1.0 for i in range(len(GENES))])
    plain = signs @ data.log2
    centre = plain[(data.combined["state"] == "nonlesional").to_numpy()].mean()
    np.testing.assert_allclose(axis.scores, plain - centre)
    assert (axis.table["reason"] == "").all()
    names = pd.DataFrame(
        {"level": "published_axis", "reason_code": "", "reason": ""}, index=["core"]
    )
    settings = IndexSettings(bootstrap=200, primary=("global",))
    values = pd.DataFrame({"core": axis.scores})
    found = normalization_index(values, data.combined, "nonlesional", "", settings, 1, names)
    row = found.iloc[0]
    assert row["level"] == "published_axis"
    assert row["lower"] < 0.6 < row["upper"]
    # A list that a user adds does not enter the family whose false discovery rate is controlled.
    assert (row["family"], np.isnan(row["fdr"])) == ("none", True)


def test_absent_genes_are_listed_with_the_reason_and_weigh_nothing():
    genes = [*GENES, "UNSEEN", "FAINT", "OLD"]
    data = cohort(undetected=["FAINT"])
    excluded = {"G0": "composition: in comp_sebaceous"}
    table = published_axis(data, listed(genes), excluded, {"OLD": "G2"}, *COVERAGE).table
    table = table.set_index("gene")
    assert table.loc["G0", "reason"] == "composition: in comp_sebaceous"
    assert table.loc["UNSEEN", "reason"] == "not measured in this cohort"
    assert table.loc["FAINT", "reason"] == "not detected in this cohort"
    twice = table.loc["G2"].sort_values("weight")
    assert twice["weight"].tolist() == [0.0, 1.0]
    assert "older symbol" in twice["reason"].iloc[0]
    assert (table.loc[table["reason"] != "", "weight"] == 0).all()
    assert (table.loc[table["reason"] == "", "weight"].abs() == 1).all()
    assert set(table["source"]) == {"published list core"}


@pytest.mark.parametrize(
    "genes", [GENES[:4], [*GENES[:5], *(f"X{i}" for i in range(101, 107))]], ids=["few", "share"]
)
def test_too_little_of_the_list_gives_no_score(genes):
    axis = published_axis(cohort(), listed(genes), {}, {}, *COVERAGE)
    assert axis.reason_code == "LOW_COVERAGE"
    assert f"of {len(genes)} genes of the list core are measured here" in axis.reason
    assert np.isnan(axis.scores).all()


def test_a_list_is_not_independent_where_it_was_made():
    assert "made from GSE58558" in dependence(listed(trained_on=("GSE58558",)), "GSE58558")
    assert dependence(listed(trained_on=("GSE58558",)), "GSE130588") == ""
    assert dependence(listed(), "") == ""
