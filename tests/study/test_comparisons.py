"""What a sheet of samples may answer, and which biopsies count as one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adnorm.study.comparisons import (
    average_rows,
    combine_biopsies,
    derive_design,
    design_tables,
    sum_rows,
)
from adnorm.study.samples import build_sample_sheet
from builders.cohorts import raw_trial, trial_cohort


@pytest.fixture
def sheet():
    return build_sample_sheet(raw_trial(), trial_cohort())[0]


def test_design_of_a_dose_trial(sheet):
    design = derive_design(sheet, "placebo", 3)
    names = [c.name for c in design.supported]
    assert "lesional-nonlesional@0" in names
    assert "change:gusacitinib 40 mg-placebo@4" in names
    assert "change:gusacitinib 40 mg-gusacitinib 20 mg@2" in names
    assert "residual:gusacitinib 20 mg@4" in names
    for comparison in design.supported:
        assert sum(comparison.terms.values()) == pytest.approx(0)
    cells, comparisons = design_tables(design)
    assert cells["samples"].sum() == len(sheet)
    refused = comparisons[comparisons["supported"] == "no"]
    assert (refused["reason"].str.len() > 10).all()
    assert "no healthy samples at baseline" in set(refused["reason"])


def test_pooled_disease_contrast_is_weighted_by_pairs(sheet):
    sheet = sheet[~((sheet["patient"].isin(["01", "02"])) & (sheet["state"] == "nonlesional"))]
    comparison = derive_design(sheet, "placebo", 2).comparisons[0]
    assert comparison.patients == 10
    assert comparison.terms["placebo", "lesional", 0.0] == pytest.approx(0.2)
    assert comparison.terms["gusacitinib 20 mg", "nonlesional", 0.0] == pytest.approx(-0.4)


def test_arm_with_one_patient_supports_nothing(sheet):
    kept = sheet[(sheet["arm"] != "placebo") | (sheet["patient"] == "01")]
    reasons = {c.name: c for c in derive_design(kept, "placebo", 3).comparisons}
    assert not reasons["change:placebo@4"].supported
    assert "only 1 patients" in reasons["change:placebo@4"].reason
    assert not reasons["change:gusacitinib 20 mg-placebo@4"].supported
    assert reasons["change:gusacitinib 20 mg@4"].supported


def test_design_does_not_depend_on_the_order_of_samples(sheet):
    shuffled = sheet.sample(frac=1, random_state=3)
    first, second = derive_design(sheet, "placebo", 3), derive_design(shuffled, "placebo", 3)
    assert [(c.name, c.terms) for c in first.comparisons] == [
        (c.name, c.terms) for c in second.comparisons
    ]


def test_arms_and_doses_are_ordered_by_dose(sheet):
    renamed = sheet.copy()
    low = renamed["dose_mg"] == 20
    renamed.loc[low, "dose_mg"] = 2.5
    renamed.loc[low, "arm"] = "gusacitinib 2.5 mg"
    names = [c.name for c in derive_design(renamed, "placebo", 3).comparisons]
    low, high = (names.index(f"change:gusacitinib {d} mg@2") for d in ("2.5", "40"))
    assert low < high
    assert "change:gusacitinib 40 mg-gusacitinib 2.5 mg@4" in names


def test_no_placebo_and_no_visits_are_reasons(sheet):
    baseline = sheet[sheet["week"] == 0]
    reasons = {c.name: c.reason for c in derive_design(baseline, None, 3).comparisons}
    assert reasons["change"] == "no lesional samples after baseline"
    reasons = {c.name: c.reason for c in derive_design(sheet, None, 3).comparisons}
    assert "no placebo arm" in reasons["change:gusacitinib 20 mg-placebo@2"]


def test_biopsies_of_one_visit_count_once():
    frame = pd.DataFrame(
        {
            "patient": ["p2", "p1", "p1", "p1"],
            "state": ["lesional"] * 4,
            "week": [0.0, 0.0, 0.0, 2.0],
            "arm": ["untreated"] * 4,
        }
    )
    combined, codes = combine_biopsies(frame)
    assert combined["biopsies"].tolist() == [2, 1, 1]
    values = np.array([[1.0], [2.0], [4.0], [8.0]])
    assert average_rows(values, codes).ravel().tolist() == [3.0, 8.0, 1.0]
    assert sum_rows(values, codes).ravel().tolist() == [6.0, 8.0, 1.0]
