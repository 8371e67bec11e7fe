"""The canonical sample sheet: vocabulary, arms, visits, and samples that are left out."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from adnorm.base.errors import AdnormError
from adnorm.study.decimals import NUMBER_PATTERN
from adnorm.study.samples import build_sample_sheet
from builders.cohorts import TRIAL, raw_trial, trial_cohort

JOINED = ["patient_id", "lesion"]
UNITS = {"samples": TRIAL["samples"] | {"patient": {"from_all": JOINED}}}


def expect(message, raw=None, **changes):
    with pytest.raises(AdnormError, match=message):
        build_sample_sheet(raw_trial() if raw is None else raw, trial_cohort(**changes))


def samples(**changes):
    return {"samples": {**TRIAL["samples"], **changes}}


def test_canonical_sheet():
    sheet, excluded = build_sample_sheet(raw_trial(), trial_cohort())
    assert excluded.empty
    assert list(sheet.columns[:8]) == [
        "sample",
        "patient",
        "state",
        "treatment",
        "drug_class",
        "dose_mg",
        "arm",
        "week",
    ]
    assert sorted(set(sheet["arm"])) == ["gusacitinib 20 mg", "gusacitinib 40 mg", "placebo"]
    assert set(sheet["patient"]) == {f"{p:02d}" for p in range(1, 13)}
    assert sheet.loc[sheet["arm"] == "placebo", "dose_mg"].isna().all()
    assert "geo_tissue" in sheet


def test_week_twelve_is_not_a_number():
    raw = raw_trial().replace({"time": {"Day 29": "twelve"}})
    expect(
        "'twelve' is not a number",
        raw,
        **samples(
            week={"from": "time", "values": {"Baseline": 0, "Day 15": 2, "twelve": "twelve"}}
        ),
    )


def test_unmapped_value_stops():
    raw = raw_trial().replace({"tissue": {"NL": "normal"}})
    expect(r"(?s)no mapping covers 'normal'.*'LS' \(36\), 'normal' \(12\)", raw)


def test_scale_turns_months_into_weeks():
    raw = raw_trial(("Baseline",)).replace({"time": {"Baseline": "0"}})
    raw.loc[raw.index[0], "time"] = "3"
    raw.loc[raw.index[0], "tissue"] = "LS"
    sheet, _ = build_sample_sheet(raw, trial_cohort(**samples(week={"from": "time", "scale": 4})))
    assert sorted(set(sheet["week"])) == [0, 12]


def test_patient_in_two_arms():
    raw = raw_trial()
    raw.loc[raw.index[0], "arm"] = "GUSA 40 mg"
    expect(r"patient '01' is in several arms: 'gusacitinib 40 mg', 'placebo'", raw)


def test_keys_can_be_joined():
    raw = raw_trial()
    raw["lesion"] = "left"
    sheet, _ = build_sample_sheet(raw, trial_cohort(**samples(patient={"from_all": JOINED})))
    assert set(sheet.loc[sheet["arm"] == "placebo", "patient"]) == {
        f"{patient:02d} left" for patient in range(1, 5)
    }
    raw.loc["GSM000", "lesion"] = ""
    expect(
        r"'\(empty\)' of the key 'Patient ID \+ lesion' \(1 samples, first GSM000\)", raw, **UNITS
    )
    expect("samples: patient: from_all: 'lesion' is not a key of this series", **UNITS)


def test_patient_with_two_baselines():
    raw = raw_trial().replace({"time": {"Day 15": "Screening"}})
    rule = {"from": "time", "values": {"Baseline": 0, "Screening": 0, "Day 29": 4}}
    # One sentence for all patients, with a rule that works.
    told = "have two baselines: 'Baseline', 'Screening' of the key 'time' are all week 0"
    expect(told, raw, **samples(week=rule))
    rule = "- {from: time, values: [Screening], reason: before baseline}"
    expect(
        re.escape(rule),
        raw,
        **samples(week={"from": "time", "values": {"Baseline": 0, "Screening": 0, "Day 29": 4}}),
    )


def test_the_visit_may_stand_in_a_title_beside_the_state():
    raw = raw_trial()
    raw["title"] = raw["tissue"] + " of visit " + raw["time"]
    rule = {
        "from": "title",
        "pattern": "visit (?P<value>.*)$",
        "values": {"Baseline": 0, "Day 15": 2, "Day 29": 4},
    }
    sheet, _ = build_sample_sheet(raw, trial_cohort(**samples(week=rule)))
    assert sorted(set(sheet["week"])) == [0, 2, 4]
    rule["values"] = {"Baseline": 0, "Day 15": 0, "Day 29": 4}
    expect("two baselines: 'Baseline', 'Day 15'", raw, **samples(week=rule))


def test_infinite_week():
    raw = raw_trial().replace({"time": {"Day 29": "inf"}})
    rule = {"from": "time", "values": {"Baseline": 0, "Day 15": 2, "inf": "inf"}}
    expect("infinite", raw, **samples(week=rule))


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        (
            "easi",
            -3,
            "easi: outside 0 to 72 in 1 of 48 samples (first: GSM001 with -3); mend",
        ),
        ("scorad", 104, "outside 0 to 103"),
        ("itch_nrs", 87, "with 87); mend the values"),
        ("age", 210, "outside 0 to 120"),
    ],
)
def test_values_that_the_clinic_cannot_measure(column, value, message):
    raw = raw_trial().assign(measure=[8, value, *[10] * (len(raw_trial()) - 2)])
    expect(re.escape(message), raw, **samples(**{column: {"from": "measure"}}))
    raw["measure"] = [0, 10] * (len(raw) // 2)
    build_sample_sheet(raw, trial_cohort(**samples(**{column: {"from": "measure"}})))


def test_a_dose_below_zero():
    raw = raw_trial().assign(dose=["-30", *["30"] * (len(raw_trial()) - 1)])
    expect("dose_mg: below 0 in 1 of 48 samples", raw, **samples(dose_mg={"from": "dose"}))


def test_reference_only_after_baseline_is_no_reference():
    raw = raw_trial()
    raw = raw[~((raw["tissue"] == "NL") & (raw["time"] == "Baseline"))]
    later = raw[raw["time"] == "Day 15"].assign(tissue="NL")
    later.index = [f"late{i}" for i in range(len(later))]
    expect("no sample is nonlesional at baseline", pd.concat([raw, later]))


def test_duplicate_samples():
    raw = raw_trial()
    expect("'GSM000'", pd.concat([raw, raw.iloc[:1]]))


def test_placebo_arm_that_no_sample_has():
    expect("did you mean 'placebo'", placebo_arm="Placebos")


def test_lots_between_arms_that_are_one():
    treatment = {"constant": "gusacitinib"}
    dose = {"constant": 20}
    one = samples(treatment=treatment, dose_mg=dose)
    expect(
        "randomised: true, but all patients are in one arm \\('gusacitinib 20 mg'\\)",
        **one,
        placebo_arm=None,
        treatments={"gusacitinib": {"drug_class": "JAK/SYK inhibitor"}},
        randomised=True,
    )


@pytest.mark.parametrize(
    ("placebo", "said", "found"),
    [("placebo", None, True), (None, None, False), ("placebo", False, False), (None, True, True)],
)
def test_arms_with_placebo_are_randomised_unless_the_file_says_otherwise(placebo, said, found):
    cohort = trial_cohort().model_copy(update={"placebo_arm": placebo, "randomised": said})
    assert cohort.at_random is found


def test_visits_without_a_baseline():
    raw = raw_trial()
    raw = raw[~((raw["arm"] == "PBO") & (raw["time"] == "Baseline"))]
    expect("arm 'placebo' has samples at weeks '2', '4' but none at baseline", raw)


def test_reference_that_no_sample_has():
    raw = raw_trial()
    expect("no sample is nonlesional", raw[raw["tissue"] == "LS"])


def test_all_samples_excluded():
    rule = {"from": "tissue", "pattern": ".", "reason": "everything"}
    expect("all 48 samples are excluded", exclude=[rule])


def test_exclude_rules_give_their_reason_and_must_match():
    rule = {"from": "tissue", "values": ["NL"], "reason": "not wanted"}
    sheet, excluded = build_sample_sheet(raw_trial(), trial_cohort(exclude=[rule], reference=None))
    assert set(excluded["reason"]) == {"not wanted"} and len(excluded) == 12
    assert set(sheet["state"]) == {"lesional"}
    expect("matches no sample", exclude=[rule | {"values": ["XX"]}])


def test_arm_of_the_patient_fills_the_baseline():
    raw = raw_trial()
    raw.loc[raw["time"] == "Baseline", "arm"] = "none yet"
    rule = {
        "from": "arm",
        "pattern": "^(?P<value>[A-Za-z]+)",
        "values": {"GUSA": "gusacitinib", "PBO": "placebo", "none": "of_patient"},
    }
    dose = {"from": "arm", "pattern": "(?P<value>[0-9]*)( mg| yet)?$", "missing": None}
    sheet, _ = build_sample_sheet(raw, trial_cohort(**samples(treatment=rule, dose_mg=dose)))
    baseline = sheet[(sheet["week"] == 0) & (sheet["patient"] == "05")]
    assert set(baseline["arm"]) == {"gusacitinib 20 mg"}


def test_a_comma_is_never_cut_off(tmp_path):
    raw = raw_trial().assign(EASI="1,250", weeks="1,5")
    rules = TRIAL["samples"]
    with pytest.raises(AdnormError, match="is not a number") as error:
        build_sample_sheet(raw, trial_cohort(samples=rules | {"easi": {"from": "EASI"}}))
    assert "decimal point" in str(error.value)
    assert "pattern" not in str(error.value)
    # A factor takes the number as it is meant.
    age = {"age": {"from": "weeks", "scale": 2}}
    assert set(build_sample_sheet(raw, trial_cohort(samples=rules | age))[0]["age"]) == {3.0}


def test_many_values_that_are_no_numbers_are_not_mapped_one_by_one():
    raw = raw_trial()
    raw["EASI"] = [f"about {i}" for i in range(len(raw))]
    with pytest.raises(AdnormError) as error:
        build_sample_sheet(raw, trial_cohort(samples=TRIAL["samples"] | {"easi": {"from": "EASI"}}))
    assert f"pattern: '{NUMBER_PATTERN}'" in str(error.value)
    assert "values:" not in str(error.value)


# ---------------------------------------------------------------- lesions of one patient


def split_trial(**changes):
    """Raw metadata of four patients with a lesion in each of two arms."""
    rows = []
    for patient in range(1, 5):
        rows.append((f"{patient:02d}", "NL", "none", "Baseline"))
        for arm in ("GUSA 20 mg", "PBO"):
            rows += [(f"{patient:02d}", "LS", arm, time) for time in ("Baseline", "Day 29")]
    raw = pd.DataFrame(rows, columns=["Patient ID", "tissue", "arm", "time"])
    raw.index = [f"GSM{i:03d}" for i in range(len(raw))]
    return raw.assign(**changes)


def of_lesions(raw, **changes):
    values = trial_cohort().samples.treatment.as_written()["values"] | {"none": "of_patient"}
    spec = trial_cohort().samples.treatment.as_written() | {"values": values}
    dose = trial_cohort().samples.dose_mg.as_written()
    dose["values"] = dose.get("values", {}) | {"none": None}
    changes = {"within_patient": True, **samples(treatment=spec, dose_mg=dose), **changes}
    cohort = trial_cohort(**changes)
    return build_sample_sheet(raw, cohort)[0]


def test_an_arm_belongs_to_a_lesion_where_the_file_says_so():
    sheet = of_lesions(split_trial())
    lesional = sheet[sheet["state"] == "lesional"]
    assert set(lesional["arm"]) == {"gusacitinib 20 mg", "placebo"}
    assert set(lesional["lesion"]) == {
        f"{patient:02d}, {arm}" for patient in range(1, 5) for arm in set(lesional["arm"])
    }
    skin = sheet[sheet["state"] == "nonlesional"]
    assert set(skin["arm"]) == {"all arms"} and set(skin["lesion"]) == {""}
    assert set(skin["treatment"]) == {"none"} and skin["dose_mg"].isna().all()


def test_one_lesion_before_both_treatments_serves_both_arms():
    raw = split_trial()
    start = (raw["tissue"] == "LS") & (raw["time"] == "Baseline")
    raw = raw[~(start & (raw["arm"] == "PBO"))]
    raw.loc[start & (raw["arm"] != "PBO"), "arm"] = "none"
    sheet = of_lesions(raw)
    before = sheet[(sheet["week"] == 0) & (sheet["state"] == "lesional")]
    assert set(before["arm"]) == {"all arms"} and set(before["lesion"]) == {""}


def test_what_is_wrong_with_lesions_is_said():
    raw = split_trial()
    late = (raw["tissue"] == "LS") & (raw["time"] == "Day 29") & (raw["Patient ID"] == "02")
    with pytest.raises(
        AdnormError, match=r"2 lesions after baseline have no treatment.*'GSM007', 'GSM009'"
    ):
        of_lesions(raw.assign(arm=raw["arm"].mask(late, "none")))
    one = split_trial()
    one = one[one["arm"] != "PBO"]
    with pytest.raises(AdnormError, match=r"no patient has lesions in several arms.*take the line"):
        of_lesions(one, placebo_arm=None)
    # And the message that a reader of such a series gets without the line names it.
    with pytest.raises(AdnormError, match=r"write `within_patient: true` into the cohort file"):
        of_lesions(split_trial(), within_patient=False)
