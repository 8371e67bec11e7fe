"""Arms, drugs and doses of a proposal."""

from __future__ import annotations

import pandas as pd
import pytest

from adnorm.base.errors import AdnormError
from adnorm.cli import main
from adnorm.onboarding.cohort_text import marked_lines
from adnorm.onboarding.treatments import DRUGS, read_arm
from builders.onboarding import canonical_sheet, proposal, proposed, samples_of, sheet_of


def test_doses_named_alone_take_the_drug_of_the_series(tmp_path):
    samples = samples_of(4, ["Day 1", "Day 15", "Day 29"], dose_arm=["20 mg", "40 mg", "80 mg"])
    for sample in samples:
        sample["treatment"] = sample.pop("dose_arm")
    _, cohort, fill, raw = proposed(tmp_path, samples, title="ASN002 in atopic dermatitis")
    assert not fill
    sheet = canonical_sheet(tmp_path, raw)
    assert set(sheet["arm"]) == {f"gusacitinib {d} mg" for d in (20, 40, 80)}
    assert set(sheet["week"]) == {0.0, 2.0, 4.0}
    assert cohort["treatments"]["gusacitinib"]["drug_class"] == "JAK/SYK inhibitor"


def test_arms_in_code_and_a_time_without_a_number_are_asked_for(tmp_path):
    samples = samples_of(4, ["Pre", "Post"], treatment=["B", "C", "D", "placebo"])
    _, cohort, fill, raw = proposed(tmp_path, samples, title="dupilumab in atopic dermatitis")
    assert [m.text for m in fill] == ["B: null", "C: null", "D: null", "Post: null"]
    assert cohort["samples"]["week"]["values"] == {"Pre": 0, "Post": None}
    # Nobody runs it by accident.
    with pytest.raises(AdnormError, match="treatment: .* samples have no value"):
        canonical_sheet(tmp_path, raw)


def test_untreated_before_treatment_is_the_arm_of_the_patient(tmp_path):
    samples = [
        {"subject": "1", "skin": "LS", "drug": drug, "week": week}
        for drug, week in (("none", "0"), ("baricitinib 4 mg", "12"))
    ]
    samples.append({"subject": "2", "skin": "HC", "drug": "none", "week": "0"})
    _, cohort, fill, raw = proposed(tmp_path, samples, title="atopic dermatitis")
    rule = cohort["samples"]["treatment"]
    # "none" of a healthy person and "none" before treatment differ by the state only.
    assert rule["from_all"] == ["drug", "skin"]
    assert rule["values"]["none LS"] == "of_patient"
    assert rule["values"]["none HC"] == "none"
    assert not fill
    sheet = canonical_sheet(tmp_path, raw).set_index("patient")
    assert set(sheet.loc["1", "arm"]) == {"baricitinib 4 mg"}
    assert sheet.loc["2", "arm"] == "healthy"


@pytest.mark.parametrize("name", [n for drug, (_, also) in DRUGS.items() for n in (drug, *also)])
def test_every_name_of_a_drug_is_recognised_in_an_arm(name):
    arm = read_arm(f"{name} 30 mg QD")
    assert name in (arm.treatment, *DRUGS[arm.treatment][1])
    assert arm.dose_mg == 30
    assert DRUGS[arm.treatment][0]


@pytest.mark.parametrize(
    "field",
    [
        {"drug dose": ["Placebo", "ASN 20 mg", "ASN 40 mg", "ASN 80 mg"]},
        {"study medication": ["XYZ-1 10 mg", "vehicle"]},
        {"group2": ["placebo", "code A"]},
        {"dosis": ["5 mg BID", "10 mg BID"]},
        {"comment": [f"visit done, 15 mg given to {i}" for i in range(4)]},
    ],
    ids=lambda field: next(iter(field)),
)
@pytest.mark.parametrize("untreated", [{}, {"therapy": ["none"]}], ids=["alone", "beside_none"])
def test_a_field_with_placebo_or_milligrams_is_never_untreated(tmp_path, field, untreated):
    text, cohort = proposal(tmp_path, sheet_of(["Baseline", "Week 4"], **field, **untreated))
    asked = [m.text for m in marked_lines(text) if m.mark == "fill in"]
    rule = cohort["samples"]["treatment"]
    assert rule.get("constant") != "none"
    assert asked
    assert set(rule.get("values", {}).values()) != {"none"}


def test_doses_are_kept_where_the_drug_is_asked_for(tmp_path):
    raw = sheet_of(["Baseline", "Week 4"], **{"drug dose": ["Placebo", "ASN 20 mg"]})
    _, cohort = proposal(tmp_path, raw)
    assert cohort["samples"]["treatment"]["values"] == {"Placebo": "placebo", "ASN 20 mg": None}
    assert cohort["samples"]["dose_mg"]["values"] == {"Placebo": None, "ASN 20 mg": 20}


def test_other_treatments_are_not_the_arm(tmp_path):
    raw = sheet_of(["Baseline", "Week 4"], arm=["A", "B"])
    raw["prior therapy"] = ["dupilumab", "none"] * 8
    raw["biopsy weight"] = "12 mg"
    text, cohort = proposal(tmp_path, raw)
    assert cohort["samples"]["treatment"]["from"] == "arm"
    assert set(cohort["samples"]["treatment"]["values"].values()) == {None}
    _, cohort = proposal(tmp_path, raw.drop(columns="arm"))
    assert cohort["samples"]["treatment"] == {"constant": "none"}


def test_a_run_without_treatment_beside_a_field_of_doses_is_warned_of(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    raw = sheet_of(["Baseline"], **{"drug dose": ["Placebo", "ASN 20 mg"]})
    raw.rename_axis("library").to_csv("sheet.csv")
    genes = pd.DataFrame(
        [[(7 * i + 13 * j) % 97 + 20 for j in range(8)] for i in range(60)],
        index=[f"GENE{i}" for i in range(60)],
        columns=raw.index,
    )
    genes.to_csv("counts.csv")
    proposal(tmp_path, raw)
    text = (tmp_path / "lab.yaml").read_text()
    start, end = text.index("  treatment:"), text.index("  week:")
    text = text[:start] + "  treatment: {constant: none}\n" + text[end:]
    text = text.replace("placebo_arm: placebo", "placebo_arm: null")
    text = text.replace("randomised: true", "randomised: false")
    text = text.replace("  placebo: {drug_class: placebo}", "  x: {drug_class: x}")
    (tmp_path / "lab.yaml").write_text(text)
    main(["check", "lab.yaml", "--json"])
    told = capsys.readouterr().out
    assert "treatment: none for all samples, but the field 'drug dose' holds" in told


def test_lesions_of_one_patient_with_different_treatments_are_proposed_as_such(tmp_path):
    rows = []
    for patient in ("P1", "P2", "P3", "P4"):
        rows.append((patient, "NL", "none", "Baseline"))
        for drug in ("crisaborole", "vehicle"):
            rows += [(patient, "LS", drug, visit) for visit in ("Baseline", "Day 8", "Day 15")]
    raw = pd.DataFrame(rows, columns=["subject", "skin", "treatment", "visit"])
    raw.index = [f"S{i:02d}" for i in range(len(raw))]
    text, cohort = proposal(tmp_path, raw)
    assert cohort["within_patient"] is True
    assert "within_patient: true" in text and "lesions of one patient" in text
    assert cohort["placebo_arm"] == "placebo"
    # A drug that no list knows, and weeks as plain numbers.
    plain = raw.assign(
        treatment=raw["treatment"].replace({"crisaborole": "xyz1", "none": ""}),
        visit=raw["visit"].replace({"Baseline": "0", "Day 8": "1", "Day 15": "2"}),
    )
    assert proposal(tmp_path, plain)[1]["within_patient"] is True
    other = raw[(raw["treatment"] != "vehicle") | (raw["subject"] > "P2")]
    other = other[(other["treatment"] != "crisaborole") | (other["subject"] <= "P2")]
    _, cohort = proposal(tmp_path, other)
    assert "within_patient" not in cohort
