"""Cohort files, the mapping language, the sample sheet and the design that follows."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
import yaml

from adnorm.base.errors import AdnormError, Problems
from adnorm.base.yaml_text import read_yaml
from adnorm.study.biopsies import average_rows, combine_biopsies, sum_rows
from adnorm.study.cohort import PublishedCohort
from adnorm.study.decimals import NUMBER_PATTERN, with_points
from adnorm.study.design import derive_design, design_tables
from adnorm.study.mapping import Rule
from adnorm.study.raw_fields import fitting_key, normalised_key
from adnorm.study.reading import read_cohort, read_study
from adnorm.study.samples import build_sample_sheet
from builders.cohorts import mapping_of, measured_of

COHORT = {
    "id": "trial",
    "title": "A trial",
    "accession": "GSE1",
    "disease": "atopic dermatitis",
    "tissue": "skin",
    "assay": "microarray",
    "platform": "GPL570",
    "route": "geo_series_matrix",
    "scale": "log2",
    "reference": "nonlesional",
    "placebo_arm": "placebo",
    "treatments": {
        "gusacitinib": {"drug_class": "JAK inhibitor"},
        "placebo": {"drug_class": "placebo"},
    },
    "samples": {
        "patient": {"from": ["subject", "patient_id"]},
        "state": {"from": "tissue", "values": {"LS": "lesional", "NL": "nonlesional"}},
        "treatment": {
            "from": "arm",
            "pattern": "^(?P<value>[A-Za-z]+)",
            "values": {"GUSA": "gusacitinib", "PBO": "placebo"},
        },
        "dose_mg": {"from": "arm", "pattern": "(?P<value>[0-9]*)( mg)?$", "missing": None},
        "week": {"from": "time", "values": {"Baseline": 0, "Day 15": 2, "Day 29": 4}},
    },
}


def raw_trial(weeks=("Baseline", "Day 15", "Day 29")):
    rows = {}
    arms = {"PBO": range(1, 5), "GUSA 20 mg": range(5, 9), "GUSA 40 mg": range(9, 13)}
    for arm, patients in arms.items():
        for patient in patients:
            for time in weeks:
                for tissue in ("LS", "NL") if time == "Baseline" else ("LS",):
                    rows[f"GSM{len(rows):03d}"] = {
                        "Patient ID": f"{patient:02d}",
                        "tissue": tissue,
                        "arm": arm,
                        "time": time,
                    }
    return pd.DataFrame.from_dict(rows, orient="index")


def cohort(**changes):
    return measured_of({**COHORT, **changes}, "trial.yaml")


JOINED = ["patient_id", "lesion"]
UNITS = {"samples": COHORT["samples"] | {"patient": {"from_all": JOINED}}}
#: A table of counts with one column for each lane.
LANES = {
    "route": "geo_supplementary",
    "scale": "counts",
    "source": {"table": "x", "libraries": "(?P<library>.+)_"},
}


def write(folder, value, name="trial"):
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(value))
    return path


# ---------------------------------------------------------------- mapping


@pytest.mark.parametrize("key", ["skin type", "Skin_Type", "skin-type", "skin  type "])
def test_keys_match_without_case_and_punctuation(key):
    assert normalised_key(key) == normalised_key("skin type")


def apply(spec, values, column="week"):
    raw = pd.DataFrame({"key": values}, index=[f"s{i}" for i in range(len(values))])
    problems = Problems("c.yaml")
    return Rule(column, mapping_of(spec), "c.yaml").apply(raw, problems), problems


def test_values_match_as_text_and_as_numbers():
    mapped, problems = apply({"from": "KEY", "values": {"01": 0, 2: 4}}, ["1", "02"])
    assert mapped.tolist() == [0, 4]
    assert not problems


def test_uncovered_values_list_all_raw_values_with_counts():
    _, problems = apply({"from": "key", "values": {"a": 0}}, ["a", "a", "b", ""])
    message = problems.sentences[0]
    assert "'b'" in message
    assert "'a' (2), empty (1), 'b' (1)" in message
    assert "values" in message and "c.yaml" in message


def test_an_empty_raw_value_is_never_guessed():
    _, problems = apply({"from": "key"}, ["x", ""])
    assert "(empty)" in problems.sentences[0]
    mapped, problems = apply({"from": "key", "missing": "y"}, ["x", ""])
    assert mapped.tolist() == ["x", "y"]
    assert not problems


def test_unknown_key_names_the_nearest_and_shows_what_there_is():
    _, problems = apply({"from": "kei"}, ["x"])
    assert "did you mean 'key'" in problems.sentences[0]
    assert "e.g. 'x'" in problems.sentences[0]


def test_alternatives_are_taken_sample_by_sample():
    raw = pd.DataFrame({"a": ["1", ""], "b": ["9", "2"]}, index=["s0", "s1"])
    problems = Problems("c.yaml")
    mapped = Rule("week", mapping_of({"from": ["a", "b"]}), "c.yaml").apply(raw, problems)
    assert mapped.tolist() == ["1", "2"]


def test_an_exact_value_wins_over_the_same_number_and_underscores_are_no_digits():
    mapped, problems = apply({"from": "key", "values": {1: "drug", "01": "placebo"}}, ["01", "1"])
    assert mapped.tolist() == ["placebo", "drug"]
    _, problems = apply({"from": "key", "values": {12: "drug"}}, ["1_2"])
    assert "'1_2'" in problems.sentences[0]


def test_a_pattern_that_does_not_match_is_uncovered_even_with_missing():
    spec = {"from": "key", "pattern": "arm (?P<value>[a-z]+)", "missing": "none"}
    _, problems = apply(spec, ["arm drug", "something"])
    assert "'something'" in problems.sentences[0]
    mapped, problems = apply(
        {"from": "key", "pattern": "(?P<value>[0-9]*) ?mg", "missing": 0}, ["mg"]
    )
    assert mapped.tolist() == [0] and not problems


def test_scale_leaves_canonical_values_alone():
    spec = {"from": "key", "values": {"baseline": 0, "week 12": 12}, "scale": 4, "missing": 1}
    spec |= {"pattern": "^(?P<value>[0-9]+)$"}
    mapped, problems = apply(spec, ["week 12", "3", "", "baseline"])
    assert mapped.tolist() == [12, 12, 1, 0] and not problems


# ---------------------------------------------------------------- sample sheet


def test_canonical_sheet():
    sheet, excluded = build_sample_sheet(raw_trial(), cohort())
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


def expect(message, raw=None, **changes):
    with pytest.raises(AdnormError, match=message):
        build_sample_sheet(raw_trial() if raw is None else raw, cohort(**changes))


def samples(**changes):
    return {"samples": {**COHORT["samples"], **changes}}


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
    sheet, _ = build_sample_sheet(raw, cohort(**samples(week={"from": "time", "scale": 4})))
    assert sorted(set(sheet["week"])) == [0, 12]


def test_patient_in_two_arms():
    raw = raw_trial()
    raw.loc[raw.index[0], "arm"] = "GUSA 40 mg"
    expect(r"patient '01' is in several arms: 'gusacitinib 40 mg', 'placebo'", raw)


def test_keys_can_be_joined():
    raw = raw_trial()
    raw["lesion"] = "left"
    sheet, _ = build_sample_sheet(raw, cohort(**samples(patient={"from_all": JOINED})))
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
    sheet, _ = build_sample_sheet(raw, cohort(**samples(week=rule)))
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
    build_sample_sheet(raw, cohort(**samples(**{column: {"from": "measure"}})))


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
    sheet, excluded = build_sample_sheet(raw_trial(), cohort(exclude=[rule], reference=None))
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
    sheet, _ = build_sample_sheet(raw, cohort(**samples(treatment=rule, dose_mg=dose)))
    baseline = sheet[(sheet["week"] == 0) & (sheet["patient"] == "05")]
    assert set(baseline["arm"]) == {"gusacitinib 20 mg"}


def test_undescribed_treatment_is_told_before_any_work(tmp_path):
    broken = {**COHORT, "treatments": {"placebo": {"drug_class": "placebo"}}}
    with pytest.raises(AdnormError, match="'gusacitinib' is not described"):
        read_cohort(write(tmp_path, broken))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (samples(sex={"from": "sex", "pattern": "sex ([a-z]+)"}), "has no named group"),
        (samples(sex={"from": "sex", "pattern": "(?P<value>["}), "is not a regular expression"),
        ({"exclude": [{"from": "a", "pattern": "(", "reason": "r"}]}, "not a regular expression"),
        (samples(sex={"from": "sex", "scale": 2}), "holds no numbers"),
        (samples(sex={"from": "sex", "missing": "of_patient"}), "treatment and dose_mg only"),
        (samples(sex={"from": "sex", "constant": "male"}), "give one of `from:`"),
        (samples(sex={"from": "sex", "from_all": ["a", "b"]}), "give one of `from:`"),
        ({"source": {"layer": "counts"}}, "source: layer: only a cohort with `route: h5ad`"),
        (
            {"route": "h5ad", "source": {"table": "a.h5ad", "sheet": "b.csv"}},
            "source: sheet: `route: h5ad` reads the samples from obs",
        ),
        ({"route": "h5ad"}, "route: 'h5ad' needs `source: table`"),
        ({"route": "ncbi_counts"}, "write `scale: counts` and `assay: rna-seq`"),
        ({"route": "ncbi_counts", "accession": None}, "'ncbi_counts' needs `accession`"),
        (LANES | {"scale": "log2"}, "lanes are summed as counts"),
        (LANES | {"route": "geo_series_matrix"}, "not with `route: geo_series_matrix`"),
        (LANES | {"source": {"table": "x", "libraries": "(.+)_"}}, "called `library`"),
        (LANES | {"source": {"table": "x", "libraries": "("}}, "is not a regular expression"),
        ({"source": {"sha256": {"table": "abc"}}}, "64 hexadecimal digits"),
        ({"placebo_arm": None}, "write `placebo_arm: placebo`"),
        (
            {"treatments": COHORT["treatments"] | {"healthy": {"drug_class": "x"}}},
            "'healthy' is a word of adnorm",
        ),
    ],
)
def test_cohort_files_that_cannot_mean_what_they_say(tmp_path, changes, message):
    with pytest.raises(AdnormError, match=message):
        read_cohort(write(tmp_path, {**COHORT, **changes}))


# ---------------------------------------------------------------- design


@pytest.fixture
def sheet():
    return build_sample_sheet(raw_trial(), cohort())[0]


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
    assert comparison.pairs == 10
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


# ---------------------------------------------------------------- files


def test_yaml_keeps_what_people_mean(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("no: 1\nvisit: 010\non: yes\nflag: true\nnumber: -3\n")
    assert read_yaml(path) == {"no": 1, "visit": "010", "on": "yes", "flag": True, "number": -3}
    path.write_text("a: 1\na: 2\n")
    with pytest.raises(AdnormError, match="the key 'a' stands twice"):
        read_yaml(path)
    path.write_text("a: [1\n")
    with pytest.raises(AdnormError, match=r"line \d+, column \d+"):
        read_yaml(path)


def test_all_problems_of_a_cohort_file_are_told_at_once(tmp_path):
    broken = {**COHORT, "tissu": "skin", "scale": "log", "route": "geo"}
    with pytest.raises(AdnormError) as failure:
        read_cohort(write(tmp_path, broken))
    message = str(failure.value)
    assert "did you mean 'tissue'" in message
    assert "scale: 'log' is not allowed; did you mean 'log2'" in message
    assert "route: 'geo' is not allowed" in message


@pytest.mark.parametrize("name", ["a/b", "..", "../x", "", "a b", ".hidden"])
def test_cohort_id_must_be_a_plain_name(tmp_path, name):
    with pytest.raises(AdnormError, match="id: "):
        read_cohort(write(tmp_path, {**COHORT, "id": name}))


def test_id_must_be_the_file_name(tmp_path):
    with pytest.raises(AdnormError, match="must be the name of the file, 'other'"):
        read_cohort(write(tmp_path, COHORT, "other"))


def test_route_needs_are_checked(tmp_path):
    with pytest.raises(AdnormError, match="needs `source: sheet`"):
        read_cohort(write(tmp_path, {**COHORT, "route": "local", "source": {"table": "t.csv"}}))
    with pytest.raises(AdnormError, match="needs `simulation`"):
        read_cohort(write(tmp_path, {**COHORT, "route": "simulated"}))


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, COHORT)
    (tmp_path / "sets.gmt").write_text("itch\tmine\tIL31\tIL13\n")
    return {"cohorts": ["trial.yaml"], "gene_sets": ["sets.gmt"]}


def test_study_has_defaults(run):
    study = read_study(run)
    assert study.config.effects.minimum_pairs == 3
    assert study.config.figures.heatmap_sets.itch == ("itch_core_skin_up",)
    assert list(study.cohorts) == ["trial"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cohorts": ["trial.yaml", "trial.yaml"]}, "two cohorts have the id 'trial'"),
        ({"cohorts": ["trail"], "cohort_folder": "."}, "did you mean 'trial'"),
        ({"gene_sets": ["none.gmt"]}, "none.gmt: this gene-set file does not exist"),
        ({"gene_sets": ["trial.yaml"]}, "gene_sets: "),
        ({"identifiers": {"table": "none.tsv"}}, "none.tsv does not exist"),
        ({"scors": {}}, "did you mean 'scores'"),
        ({"scores": {"method": []}}, "did you mean 'methods'"),
        ({"effects": {"minimum_pairs": 1}}, "effects: minimum_pairs: 1 is less than"),
        ({"cohorts": []}, "cohorts"),
    ],
)
def test_configuration_problems_are_named(run, change, message):
    with pytest.raises(AdnormError, match=message):
        read_study({**run, **change})


def test_a_set_of_known_genes_does_not_change_what_a_platform_is_read_by(run, tmp_path):
    first = read_study(run).symbols
    (tmp_path / "more.gmt").write_text("th2\tmine\tIL13\tIL31\n")
    assert read_study({**run, "gene_sets": ["sets.gmt", "more.gmt"]}).symbols == first
    (tmp_path / "more.gmt").write_text("th2\tmine\tIL13\tIL4\n")
    assert read_study({**run, "gene_sets": ["sets.gmt", "more.gmt"]}).symbols != first


def test_mending_a_mapping_does_not_fetch_again(tmp_path):
    first = read_cohort(write(tmp_path, COHORT)).view(PublishedCohort)
    mended = {**COHORT, "samples": {**COHORT["samples"], "sex": {"constant": "female"}}}
    assert first == read_cohort(write(tmp_path, mended)).view(PublishedCohort)
    read_otherwise = read_cohort(write(tmp_path, {**COHORT, "source": {"symbol_column": "gene"}}))
    assert first == read_otherwise.view(PublishedCohort)
    pinned = {**COHORT, "source": {"sha256": {"series_matrix": "0" * 64}}}
    assert first != read_cohort(write(tmp_path, pinned)).view(PublishedCohort)


@pytest.mark.parametrize("name", ["gse80342", "gse193309", "gse199046"])
def test_shipped_cohort_files_are_valid(repository, name):
    assert read_cohort(repository / "config" / "cohorts" / f"{name}.yaml").status == "verified"


# ---------------------------------------------------------------- what messages propose


@pytest.mark.parametrize(
    ("wanted", "columns", "expected"),
    [
        ("Subjekt", {"EASI total": "a a b c d e", "Subject ID": "1 1 2 2 3 3"}, "Subject ID"),
        ("who", {"EASI total": "a a b c d e", "donor": "1 1 2 2 3 3"}, "donor"),
        ("code", {"Codes": "1 1 2 2 3 3", "patient": "1 1 2 3 4 5"}, "Codes"),
    ],
    ids=["alike", "people", "alike_before_people"],
)
def test_a_name_weighs_before_counts_of_values(wanted, columns, expected):
    raw = pd.DataFrame({name: text.split() for name, text in columns.items()})
    assert fitting_key(raw, None, [wanted]) == expected


def test_a_comma_is_never_cut_off(tmp_path):
    raw = raw_trial().assign(EASI="1,250", weeks="1,5")
    rules = COHORT["samples"]
    with pytest.raises(AdnormError, match="is not a number") as error:
        build_sample_sheet(raw, cohort(samples=rules | {"easi": {"from": "EASI"}}))
    assert "decimal point" in str(error.value)
    assert "pattern" not in str(error.value)
    # A factor takes the number as it is meant.
    age = {"age": {"from": "weeks", "scale": 2}}
    assert set(build_sample_sheet(raw, cohort(samples=rules | age))[0]["age"]) == {3.0}


def test_numbers_with_points_and_commas_stay_as_they_are():
    mixed = pd.Series(["1,5", "1,250.5", None])
    assert with_points(mixed).tolist() == mixed.tolist()


def test_many_values_that_are_no_numbers_are_not_mapped_one_by_one():
    raw = raw_trial()
    raw["EASI"] = [f"about {i}" for i in range(len(raw))]
    with pytest.raises(AdnormError) as error:
        build_sample_sheet(raw, cohort(samples=COHORT["samples"] | {"easi": {"from": "EASI"}}))
    assert f"pattern: '{NUMBER_PATTERN}'" in str(error.value)
    assert "values:" not in str(error.value)


def test_what_the_schema_refuses_is_written_as_the_file_writes_it():
    with pytest.raises(AdnormError) as error:
        cohort(titel="x", reference="nonlesionel")
    assert "'titel' is unknown; did you mean 'title'? Known:" in str(error.value)
    assert "allowed: 'nonlesional', 'healthy', 'null'" in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"title: a\x07b\n", "character 0x7 at position 8"),
        (b"title: " + b"[" * 3000 + b"]" * 3000, "hundreds deep"),
        (b"seed: " + b"9" * 5000 + b"\n", "a value cannot be read"),
        (b"? [a, b]\n: c\n", "line 1, column 3: a key is a list"),
        (b"date: 2020-13-45\n", "a value cannot be read"),
        (
            b"a: &a [x, x, x, x, x, x, x, x, x, x]\n"
            + b"".join(
                b"%c: &%c [%s]\n" % (i + 1, i + 1, b", ".join([b"*%c" % i] * 10))
                for i in range(97, 104)
            ),
            "aliases unfold to millions of values",
        ),
    ],
)
def test_yaml_that_is_damaged_or_made_to_harm_is_told_in_a_sentence(tmp_path, text, message):
    (tmp_path / "x.yaml").write_bytes(text)
    with pytest.raises(AdnormError, match=message) as told:
        read_yaml(tmp_path / "x.yaml")
    assert len(str(told.value)) < 600


def test_aliases_of_a_cohort_file_may_be_used(tmp_path):
    lines = ["a: &a {LS: lesional}", "b: *a", "c:", "  <<: *a", "  NL: nonlesional"]
    (tmp_path / "x.yaml").write_text("\n".join(lines))
    found = read_yaml(tmp_path / "x.yaml")
    assert found["b"] == {"LS": "lesional"}
    assert found["c"] == {"LS": "lesional", "NL": "nonlesional"}
