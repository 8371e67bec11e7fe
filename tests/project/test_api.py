"""The public face: the same numbers as the stages, and sentences for wrong input."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import adnorm
from adnorm.base.shipped import PACKAGE
from adnorm.study.gene_sets import Gene
from builders.score_trials import index as index_of
from builders.score_trials import lesions


@pytest.fixture(scope="module")
def trial():
    return adnorm.example_trial()


def test_every_public_name_is_there_and_importing_costs_nothing():
    assert all(getattr(adnorm, name) is not None for name in adnorm.__all__)
    assert set(adnorm.__all__) <= set(dir(adnorm))
    code = "import sys, adnorm; print('pandas' in sys.modules, hasattr(adnorm, 'nothing'))"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    assert run.stdout.split() == ["False", "False"]


def test_the_z_score_is_the_mean_of_signed_standard_deviations(trial):
    data, sets = trial
    scores = adnorm.score_sets(data, sets)
    reference = (data.obs["state"] == "nonlesional").to_numpy()
    assert scores.loc[reference, "itch"].mean() == pytest.approx(0, abs=1e-12)
    falling = {
        "itch": adnorm.GeneSet(
            "itch",
            "Itch",
            "itch",
            "primary",
            tuple(Gene(f"ITCH{i}", direction="down") for i in range(10)),
        )
    }
    turned = adnorm.score_sets(data, falling)
    np.testing.assert_allclose(turned["itch"], -scores["itch"], rtol=1e-12)


def test_sets_with_too_few_genes_have_no_score(trial, caplog):
    data, sets = trial
    poor = adnorm.GeneSet(
        "poor", "Poor", "itch", "primary", tuple(Gene(f"X{i}", direction="up") for i in range(9))
    )
    scores = adnorm.score_sets(data, sets | {"poor": poor})
    assert scores["poor"].isna().all() and scores["itch"].notna().all()
    index = adnorm.normalization_index(scores, data.obs, sets | {"poor": poor})
    row = index[index["name"] == "poor"].iloc[0]
    assert (row["status"], row["reason_code"]) == ("NA", "NOT_SCORED")


def test_the_index_is_the_ratio_of_mean_changes(trial):
    data, sets = trial
    scores = adnorm.score_sets(data, sets)
    index = adnorm.normalization_index(scores, data.obs, sets)
    means = scores["itch"].groupby([data.obs["state"], data.obs["week"]]).mean()
    before, after = means["lesional", 0], means["lesional", 12]
    expected = (before - after) / (before - means["nonlesional", 0])
    assert index["ni"].item() == pytest.approx(expected, rel=1e-9)
    assert index["lower"].item() < 0.7 < index["upper"].item()
    assert type(index["status"].item()) is str


def test_sets_without_directions_get_no_index(trial):
    data, sets = trial
    plain = adnorm.GeneSet(
        "itch", "Itch", "itch", "context", tuple(Gene(f"ITCH{i}") for i in range(10))
    )
    scores = adnorm.score_sets(data, {"itch": plain})
    index = adnorm.normalization_index(scores, data.obs, {"itch": plain})
    assert (index["reason_code"].item(), np.isnan(index["ni"].item())) == ("UNSIGNED", True)


def test_paired_effects_are_the_mean_differences_of_patients(trial):
    data, _ = trial
    effects = adnorm.fit_paired_effects(data, assay="microarray")
    frame = pd.DataFrame(data.X, columns=data.var_names).groupby(
        [data.obs["state"].to_numpy(), data.obs["week"].to_numpy()]
    )
    means = frame.mean()
    expected = means.loc[("lesional", 0)] - means.loc[("nonlesional", 0)]
    found = effects[effects["contrast"] == "lesional-nonlesional@0"].set_index("gene")
    np.testing.assert_allclose(
        found.loc[expected.index, "log2_fold_change"], expected, rtol=1e-9, atol=1e-12
    )
    assert (found["pairs"] == 6).all()


def test_samples_in_another_order_are_refused(trial):
    data, sets = trial
    scores = adnorm.score_sets(data, sets)
    with pytest.raises(adnorm.AdnormError, match="the order differs"):
        adnorm.normalization_index(scores[::-1], data.obs)
    with pytest.raises(adnorm.AdnormError, match="only one of them has 'S0'"):
        adnorm.normalization_index(scores.iloc[1:], data.obs)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"state": "LS"}, r"column 'state': found 'LS'; allowed: 'lesional'"),
        ({"week": "baseline"}, "column 'week': found 'baseline'; allowed: numbers"),
        ({"patient": None}, "column 'patient': 18 samples have no value"),
    ],
)
def test_wrong_sheets_are_told(trial, change, message):
    data, sets = trial
    wrong = data.copy()
    wrong.obs = wrong.obs.assign(**change)
    with pytest.raises(adnorm.AdnormError, match=message):
        adnorm.score_sets(wrong, sets)


def test_a_missing_column_names_the_nearest(trial):
    data, sets = trial
    wrong = data.copy()
    wrong.obs = wrong.obs.rename(columns={"state": "State"})
    with pytest.raises(adnorm.AdnormError, match=r"'state' is missing.*did you mean 'State'"):
        adnorm.score_sets(wrong, sets)


def test_an_arm_that_nobody_has_is_refused(trial):
    data, _ = trial
    with pytest.raises(adnorm.AdnormError, match="no sample is of the arm 'placebo'; arms: 'drug'"):
        adnorm.fit_paired_effects(data, placebo_arm="placebo", assay="microarray")


def test_what_measured_the_values_must_be_known(trial):
    data, _ = trial
    with pytest.raises(adnorm.AdnormError, match="assay: found None"):
        adnorm.fit_paired_effects(data)


def test_a_cohort_of_a_run_is_read(tmp_path):
    with pytest.raises(adnorm.AdnormError, match="no results of a cohort are there"):
        adnorm.read_cohort(tmp_path)


WRONG = {
    "confidence": (
        lambda d, s: adnorm.normalization_index(adnorm.score_sets(d, s), d.obs, s, confidence=95),
        r"confidence.*95",
    ),
    "model": (
        lambda d, s: adnorm.fit_paired_effects(d, count_model="foo"),
        "count_model.*foo.*voom",
    ),
    "pairs": (lambda d, s: adnorm.fit_paired_effects(d, minimum_pairs=1), "minimum_pairs.*1"),
    "method": (lambda d, s: adnorm.score_sets(d, s, method="ssGSEA"), "ssGSEA.*ssgsea"),
    "limits": (lambda d, s: adnorm.score_sets(d, s, minimum_fraction=2.0), "minimum_fraction"),
    "no sets": (lambda d, s: adnorm.score_sets(d, {}), "there is none"),
    "reference": (
        lambda d, s: adnorm.score_sets(d, s, reference="healthy"),
        "no sample at week 0 is healthy.*'lesional', 'nonlesional'",
    ),
    "folder": (lambda d, s: adnorm.read_cohort("no/such/cohort"), "no/such/cohort: no results"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arguments_are_named_with_what_is_allowed(trial, name):
    call, message = WRONG[name]
    with pytest.raises(adnorm.AdnormError, match=f"(?s){message}"):
        call(*trial)


def test_what_a_cohort_says_of_its_assay_is_not_contradicted(trial):
    data = trial[0].copy()
    data.uns["adnorm"] = {"assay": "microarray"}
    with pytest.raises(adnorm.AdnormError, match="rna-seq.*microarray.*leave it out"):
        adnorm.fit_paired_effects(data, assay="rna-seq")
    assert len(adnorm.fit_paired_effects(data))


def test_lesions_of_one_patient_are_compared_within_the_patient():
    values, observations = lesions({"drug": 0.4, "vehicle": 0.8}, 9)
    index = adnorm.normalization_index(values, observations, placebo_arm="vehicle")
    expected = index_of(values, observations, placebo="vehicle")
    pd.testing.assert_series_equal(index["dni"], expected["dni"])
    with pytest.raises(adnorm.AdnormError, match="more than one arm"):
        adnorm.normalization_index(values, observations.drop(columns="lesion"))
