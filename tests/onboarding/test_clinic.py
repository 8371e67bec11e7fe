"""Scores and other optional columns of a proposal."""

from __future__ import annotations

import pandas as pd
import pytest
import yaml

from adnorm.onboarding.cohort_text import write_cohort
from adnorm.onboarding.draft import (
    CohortDraft,
)
from adnorm.onboarding.proposals import propose
from adnorm.study.cohort import MeasuredCohort
from adnorm.study.reading import read_cohort
from adnorm.study.samples import build_sample_sheet
from builders.cohorts import measured_of
from builders.onboarding import COHORT_OF_A_LAB, SHEET, proposal, sheet_of


def test_decimal_commas_of_a_sheet_are_proposed_and_read(tmp_path):
    scores = [f"{i},{i}" for i in range(7)]
    sheet = SHEET.assign(EASI=["10,125", *scores], SCORAD=[*scores, "NA"]).set_index("library")
    text = write_cohort(propose(CohortDraft("lab", "lab", "local", sheet)))
    rules = yaml.safe_load(text)["samples"]
    assert rules["easi"]["from"] == "EASI"
    cohort = measured_of(
        COHORT_OF_A_LAB | {"samples": rules | {"treatment": {"constant": "none"}}}, "lab"
    )
    samples = build_sample_sheet(sheet, cohort)[0].set_index("sample")
    assert samples.loc["L0", ["easi", "scorad"]].tolist() == [10.125, 0.0]
    assert samples.loc["L6", "scorad"] == 6.6
    assert pd.isna(samples.loc["L7", "scorad"])


def test_parts_of_a_score_are_not_the_score_and_all_fields_are_listed(tmp_path):
    raw = sheet_of(["Baseline"], easi_trunk_area=["3"], age_at_onset=["5"])
    raw["itch_medication_number"], raw["oSCORAD"] = "2", "30"
    text, cohort = proposal(tmp_path, raw)
    assert set(cohort["samples"]) == {"patient", "state", "treatment", "week"}
    for line in (
        "# easi: not proposed; fields that mention it: 'easi_trunk_area'",
        "# itch_nrs: not proposed; fields that mention it: 'itch_medication_number'",
        "# age: not proposed; fields that mention it: 'age_at_onset'",
    ):
        assert line in text
    raw["EASI (%)"], raw["EASI"], raw["Age"] = "40", "21", "33"
    raw["Worst itch NRS (0-10)"], raw["SCORAD total"], raw["easi change"] = "7", "50", "-3"
    text, cohort = proposal(tmp_path, raw)
    taken = {column: rule.get("from") for column, rule in cohort["samples"].items()}
    assert taken["easi"] == "EASI" and taken["age"] == "Age"
    assert taken["itch_nrs"] == "Worst itch NRS (0-10)" and taken["scorad"] == "SCORAD total"
    line = next(line for line in text.splitlines() if "from: EASI" in line)
    assert "other fields: 'easi_trunk_area', 'EASI (%)', 'easi change'" in line


@pytest.mark.parametrize(
    "name",
    [
        "EASI",
        "easi score",
        "Total EASI",
        "EASI_total",
        "EASI score (0-72)",
        "TotalEASI",
        "EASI:ch1",
    ],
)
def test_names_of_the_whole_score_are_taken(tmp_path, name):
    _, cohort = proposal(tmp_path, sheet_of(["Baseline"], **{name: ["12", "30"]}))
    assert cohort["samples"]["easi"]["from"] == name


@pytest.mark.parametrize(
    "name",
    [
        *("EASI (%)", "EASI change", "easi_head_neck", "EASI-75", "baseline EASI", "EASI erythema"),
        *("easi improvement from baseline", "EASI percent change", "delta EASI", "EASI50"),
    ],
)
def test_other_measures_of_the_score_are_not(tmp_path, name):
    _, cohort = proposal(tmp_path, sheet_of(["Baseline"], **{name: ["12", "30"]}))
    assert "easi" not in cohort["samples"]


@pytest.mark.parametrize(
    "values",
    [
        ["21,5", "n.d.", "7,25", "3"],
        ["25.3 (severe)", "25,0", "n.d.", "12"],
        ["score 21.5", "ND", "3", "4"],
    ],
)
def test_scores_are_proposed_as_the_run_reads_them(tmp_path, values):
    raw = sheet_of(["Baseline"], EASI=values)
    text, cohort = proposal(tmp_path, raw)
    assert "missing: 'n" in text.casefold()
    samples, _ = build_sample_sheet(raw, read_cohort(tmp_path / "lab.yaml").view(MeasuredCohort))
    numbers = {v: v.replace(",", ".").split(" ")[v.startswith("score")] for v in values}
    for raw_value, easi in zip(samples["geo_EASI"], samples["easi"], strict=True):
        told = numbers[raw_value]
        assert pd.isna(easi) if told.casefold() in ("n.d.", "nd") else easi == float(told)


def test_scores_out_of_range_are_left_to_a_person(tmp_path):
    text, cohort = proposal(tmp_path, sheet_of(["Baseline"], **{"itch NRS": ["87", "30"]}))
    assert "itch_nrs" not in cohort["samples"]
    assert "# itch_nrs: not proposed; fields that mention it: 'itch NRS'" in text
