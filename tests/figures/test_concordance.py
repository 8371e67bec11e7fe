"""Scores of the skin and the clinic."""

from __future__ import annotations

import dataclasses

import matplotlib as mpl
import numpy as np

from adnorm.base.tables import read_table
from adnorm.figures.concordance import draw_concordance
from adnorm.figures.theme import RC
from builders.figure_index import words


def test_concordance_shows_the_points_the_correlation_and_the_shares(index_made, index_drawn):
    figure, table = index_drawn["concordance"]
    concordance = read_table(index_made[0]["concordance"])
    estimate = table[table["drawn"] == "correlation"].iloc[0]
    row = concordance[
        (concordance["question"] == "change_with_clinic")
        & (concordance["arm"] == "all arms")
        & (concordance["score"] == "global")
        & (concordance["week"] == 12)
    ].iloc[0]
    assert estimate["estimate"] == row["estimate"]
    assert estimate["n"] == row["n"] == (table["drawn"] == "patient").sum()
    written = words(figure)
    assert f"partial ρ = {row['estimate']:.2f} (" in written
    assert "given both baselines, within arms" in written
    assert "the points are as observed, not adjusted" in written
    shares = table[table["drawn"] == "share"].merge(
        read_table(index_made[0]["calibration"]).query("arm == 'all arms'"),
        on=["outcome", "score", "week", "bin"],
    )
    assert len(shares) == 5
    # One patient more or less would be another rate.
    few = shares["n_x"] < 6
    assert few.any() and shares.loc[few, "y"].isna().all()
    assert set(shares.loc[few & (shares["n_x"] > 0), "reason_x"]) <= {"fewer than 6 patients"}
    np.testing.assert_array_equal(shares.loc[~few, "y"].astype(float), shares.loc[~few, "share"])
    assert shares["n_x"].sum() == row["n"]
    # Responses of single patients as observed: decreases in units of the disease effect.
    scores = read_table(index_made[0]["patients"]).query("state == 'lesional' and name == 'global'")
    wide = scores.pivot(index="patient", columns="week", values="score")
    points = table[table["drawn"] == "patient"].set_index("patient")
    effect = read_table(index_made[0]["denominators"]).query("name == 'global'")
    expected = (wide[0.0] - wide[12.0]).loc[points.index] / effect["denominator"].iloc[0]
    np.testing.assert_allclose(points["y"].astype(float), expected, rtol=1e-4)
    assert "observed response, week 12" in written
    # The bins are of the responses that a mixed model drew towards the mean of their arm.
    responses = read_table(index_made[0]["trajectories"]).query("name == 'global'").dropna()
    assert (responses["response"] != responses["observed"]).any()
    assert "EASI-75 by estimated response, week 12° all arms, n = " in written
    assert "response R" not in written


def test_the_figure_says_what_its_numbers_are(index_drawn):
    said = " ".join(words(index_drawn["concordance"][0]).split())
    assert "exploratory; " in said
    assert "jackknife of patients on Fisher's z" in said
    assert "bootstrap" not in said


def test_shares_are_of_the_first_score_that_has_patients(index_made):
    table = index_made[1].tables["calibration"].copy()
    first, other = index_made[1].primary[:2]
    columns = ["responders", "n"]
    table[columns] = table[columns].where(table["score"] == other, 0)
    tables = index_made[1].tables | {"calibration": table}
    with mpl.rc_context(RC):
        _, drawn = draw_concordance(dataclasses.replace(index_made[1], tables=tables))
    assert first != other
    assert set(drawn.loc[drawn["drawn"] == "share", "score"]) == {other}
