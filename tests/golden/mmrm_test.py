"""The mixed model of repeated measures against R nlme 3.1-162 (mmrm.R wrote the values).

Tolerance 1e-5 of a unit of the score: the two search the maximum of the likelihood differently.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from adnorm.index.means import PatientTable
from adnorm.index.mmrm import fit_repeated_measures

HERE = Path(__file__).parent


def golden(table, name):
    found = pd.read_csv(HERE / f"mmrm_{table}.tsv", sep="\t")
    return found[found["name"] == name].reset_index(drop=True)


@pytest.mark.parametrize("name", ["unstructured", "compound symmetry"])
def test_means_and_covariance_equal_nlme(name):
    scores = golden("scores", name).assign(state="lesional")
    ours = fit_repeated_measures(PatientTable.of(scores[["score"]].to_numpy(), scores))
    assert ours.structure == name
    means = golden("means", name)
    place = [ours.place[a, w] for a, w in means[["arm", "week"]].to_numpy()]
    np.testing.assert_allclose([ours.means[p][0] for p in place], means["mean"], atol=1e-5)
    covariance = golden("covariance", name)["covariance"].to_numpy().reshape(3, 3)
    np.testing.assert_allclose(ours.covariance[0], covariance, atol=1e-5)
    # The values say something: the means are not those of the patients who came.
    plain = scores.groupby(["arm", "week"])["score"].mean()
    assert np.abs(plain.to_numpy() - means.sort_values(["arm", "week"])["mean"]).max() > 0.05


def test_leaving_patients_out_gives_about_the_standard_errors_of_the_model():
    """They need not agree where arms vary differently; here the arms vary alike."""
    scores = golden("scores", "unstructured").assign(state="lesional")
    ours = fit_repeated_measures(PatientTable.of(scores[["score"]].to_numpy(), scores))
    decreases = golden("decreases", "unstructured")
    for row in decreases.itertuples(index=False):
        found = ours.decrease(row.arm, row.week)
        assert found.value[0] == pytest.approx(row.decrease, abs=1e-5)
        assert np.sqrt(found.variance[0]) == pytest.approx(row.standard_error, rel=0.25)


def test_means_and_covariance_of_lesions_equal_lme4():
    scores, means, covariance = (
        pd.read_csv(HERE / f"mmrm_lesions_{table}.tsv", sep="\t")
        for table in ("scores", "means", "covariance")
    )
    scores["lesion"] = scores["patient"] + ", " + scores["arm"]
    scores["state"] = "lesional"
    ours = fit_repeated_measures(PatientTable.of(scores[["score"]].to_numpy(), scores))
    assert ours.structure == "unstructured"
    found = [
        ours.means[ours.place[arm, week]][0] for arm, week in means[["arm", "week"]].to_numpy()
    ]
    np.testing.assert_allclose(found, means["mean"], atol=2e-5)
    for what, other in (("one lesion", "drug"), ("two lesions", "vehicle")):
        theirs = covariance[covariance["what"] == what]
        cells = [
            (ours.place["drug", week][1], ours.place[other, then][1])
            for week, then in theirs[["week", "other"]].to_numpy()
        ]
        both = [ours.covariance[0][cell] for cell in cells]
        np.testing.assert_allclose(both, theirs["covariance"], atol=1e-4)
