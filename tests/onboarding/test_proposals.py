"""Proposals of cohort files: what is guessed, what is marked, what is left to a person."""

from __future__ import annotations

import random

import anndata
import numpy as np
import pandas as pd
import pytest
import yaml

from adnorm.base.errors import AdnormError
from adnorm.base.yaml_text import read_yaml
from adnorm.onboarding.cohort_text import marked_lines, write_cohort
from adnorm.onboarding.draft import (
    CohortDraft,
    draft_of_h5ad,
    draft_of_series,
)
from adnorm.onboarding.proposals import propose
from adnorm.onboarding.treatments import read_arm
from adnorm.study.cohort import MeasuredCohort
from adnorm.study.config import GeoSettings
from adnorm.study.reading import read_cohort
from adnorm.study.samples import build_sample_sheet
from builders.cohorts import measured_of
from builders.onboarding import (
    COHORT_OF_A_LAB,
    COUNTS,
    SHEET,
    TPM,
    canonical_sheet,
    proposal,
    proposed,
    samples_of,
    sheet_of,
)

#: What a proposal must be able to read without asking.
READABLE = {
    "subject": ["P1", "P2", "01", "1", "no", "x: y", "AD_03", "null"],
    "skin": ["LS", "NL", "lesional", "Non-lesional", "healthy control", "uninvolved skin"],
    "visit": ["BL", "Week 4", "W16", "day 15", "month 3", "Visit 3/BL", "0", "12 weeks"],
    "drug": ["placebo", "vehicle", "UPA 15 mg", "UPA 30 mg", "dupilumab", "none", "5 mg/kg CsA"],
}


KEYS = [
    *("patient", "subject id", "tissue", "skin type", "week", "time", "visit", "treatment", "drug"),
    *("arm", "dose", "disease", "group", "condition", "title", "source_name", "sex", "age"),
    *("EASI", "SCORAD", "itch nrs", "response", "batch", "site", "x", "time point (weeks)"),
]


WORDS = [
    *("LS", "NL", "lesional", "non-lesional", "AD", "PSO", "healthy", "control", "N", "L", "BL"),
    *("Week 4", "W16", "pre", "post", "day 15", "month 3", "Visit 3/BL", "1", "02", "0", "12.5"),
    *("placebo", "UPA 15 mg", "dupilumab", "Drug", "none", "vehicle", "UVB", "5 mg/kg", "F", "M"),
    *("", "NA", "null", "no", "1e3", "-3", "infinity", "nan", "x: y", "#a", "'q'", '"d"', "[b]"),
    *("{c}", "a,b", "\\d", "(x", "*y", "é", "100%", "-", "?", "AD_01", "P1_LS_W0", "Patient 1"),
]


def test_a_placebo_controlled_trial_is_proposed_whole(tmp_path):
    samples = samples_of(
        4, ["Week0", "Week4"], treatment=["Dupilumab", "Placebo"], SCORAD=["50", "NA"]
    )
    text, cohort, fill, raw = proposed(tmp_path, samples, title="Atopic dermatitis trial")
    assert not fill
    assert cohort["disease"] == "atopic dermatitis"
    assert cohort["tissue"] == "skin biopsy"
    assert (cohort["assay"], cohort["scale"]) == ("microarray", "log2")
    assert (cohort["reference"], cohort["placebo_arm"]) == ("nonlesional", "placebo")
    assert cohort["randomised"] is True
    assert cohort["treatments"]["dupilumab"] == {"drug_class": "anti-IL-4Ra"}
    sheet = canonical_sheet(tmp_path, raw)
    assert set(sheet["arm"]) == {"dupilumab", "placebo"}
    assert set(sheet["week"]) == {0.0, 4.0}
    assert sheet["scorad"].isna().sum() == 8
    assert "status: unverified" in text


def test_every_guess_is_marked_and_every_value_has_its_count(tmp_path):
    text, cohort, _, _ = proposed(tmp_path, samples_of(3, ["BL", "W16"]), title="atopic dermatitis")
    assert "LS: lesional  # confirm: 6 samples" in text
    read = {"id", "title", "accession", "citation", "assay", "platform", "route", "status"}
    heads = {line.split(":")[0] for line in text.splitlines() if "# confirm:" in line}
    assert set(cohort) - read - {"samples"} <= heads
    assert len(cohort["samples"]) == text.count("    from: ") + text.count("{constant: ")
    for line in text.splitlines():
        if line.startswith("      "):
            assert "# confirm: " in line or "# fill in: " in line


def test_other_diseases_are_excluded_and_said(tmp_path):
    samples = [
        {"patient": f"{disease}{p}", "condition": disease, "skin type": skin}
        for disease, skins in (("AD", ("LS", "NL")), ("PSO", ("LS", "NL")), ("CTRL", ("normal",)))
        for p in range(3)
        for skin in skins
    ]
    _, cohort, fill, raw = proposed(tmp_path, samples)
    assert not fill
    assert cohort["exclude"] == [
        {"from": "condition", "values": ["PSO"], "reason": "another disease"}
    ]
    assert set(canonical_sheet(tmp_path, raw)["state"]) == {"lesional", "nonlesional", "healthy"}


def test_what_no_field_says_is_null_and_refused_by_the_schema(tmp_path):
    _, cohort, fill, _ = proposed(tmp_path, [{"x": "1"}, {"x": "2"}], kind="Other")
    assert {m.text.split(":")[0] for m in fill} == {
        "disease",
        "from",
        "assay",
        "scale",
        "table",
    }
    assert cohort["disease"] is None
    with pytest.raises(AdnormError) as error:
        read_cohort(tmp_path / "gse1234.yaml")
    assert all(f"{key}: " in str(error.value) for key in ("disease", "assay", "patient: from"))


def test_a_proposal_without_a_scale_says_why(tmp_path):
    values = np.log2(TPM + 1)
    scores = values.sub(values.mean(axis=1), axis=0).div(values.std(axis=1), axis=0)
    data = anndata.AnnData(
        scores.T.to_numpy(),
        obs=SHEET.set_index("library")[["donor", "skin"]],
        var=pd.DataFrame(index=COUNTS.index),
    )
    data.write_h5ad(tmp_path / "own.h5ad")
    text = write_cohort(propose(draft_of_h5ad(tmp_path / "own.h5ad")))
    line = next(line for line in text.splitlines() if line.startswith("scale:"))
    assert "scale: null  # fill in:" in line
    assert "every row has mean 0 and standard deviation 1" in line
    assert "take the values before they were scaled" in line


def test_a_proposal_never_depends_on_the_order_of_the_samples():
    raw = pd.DataFrame(samples_of(5, ["BL", "W4"], arm=["upadacitinib 15 mg", "placebo"]))
    raw.index = [f"s{i}" for i in raw.index]
    texts = [
        write_cohort(propose(CohortDraft("x", "x", "local", frame)))
        for frame in (raw, raw.iloc[::-1], raw.sample(frac=1, random_state=3))
    ]
    assert texts[0] == texts[1] == texts[2]


@pytest.mark.parametrize("readable", [True, False], ids=["readable", "random"])
@pytest.mark.parametrize("seed", range(40))
def test_any_sheet_gives_a_file_that_is_valid_or_asks(tmp_path, seed, readable):
    draw = random.Random(seed)
    rows = range(draw.randint(1, 30))
    pools = dict.fromkeys(draw.sample(KEYS, draw.randint(1, 10)), WORDS)
    if readable:
        # A field of any name that speaks of a treatment makes "none" doubtful.
        words = [w for w in WORDS if read_arm(w).treatment in ("", "none") and "mg" not in w]
        pools = READABLE | dict.fromkeys(draw.sample(["x", "EASI", "age", "site"], 2), words)
    raw = pd.DataFrame(
        {
            key: [draw.choice(words) for _ in rows]
            for key, pool in pools.items()
            for words in [draw.sample(pool, draw.randint(1, min(8, len(pool))))]
        },
        index=[f"s{i}" for i in rows],
        dtype=object,
    )
    source = {"table": ("table.csv", ""), "sheet": ("sheet.csv", "")}
    words = {"title": "skin biopsies in atopic dermatitis"}
    draft = CohortDraft("x", "x", "local", raw, source=source, assay="rna-seq", texts=words)
    path = tmp_path / "x.yaml"
    path.write_text(write_cohort(propose(draft)))
    # The values are not at hand here, so that the scale is always asked for.
    path.write_text(path.read_text().replace("scale: null", "scale: counts"))
    fill = [m for m in marked_lines(path.read_text()) if m.mark == "fill in"]
    # A word for nobody with many biopsies is asked about, and would stop the run.
    asked = [m for m in fill if "names no person" not in m.remark]
    assert not (asked and readable)
    if fill:
        read_yaml(path)
        return
    try:
        build_sample_sheet(raw, read_cohort(path).view(MeasuredCohort))
    except AdnormError as error:
        # Contradictions of random sheets; but every value has its line.
        assert "no mapping covers" not in str(error)


@pytest.mark.parametrize("name", ["gse80342", "gse193309", "gse199046"])
def test_real_series_are_proposed_as_the_shipped_files_have_them(
    shared, repository, tmp_path, name
):
    geo = GeoSettings(address=f"file:{shared / 'geo'}")
    with draft_of_series(name.upper(), None, geo) as draft:
        text = write_cohort(propose(draft))
    path = tmp_path / f"{name}.yaml"
    path.write_text(text)
    assert not [m for m in marked_lines(text) if m.mark == "fill in"]
    ours, shipped = read_cohort(path), read_cohort(repository / f"config/cohorts/{name}.yaml")
    for key in ("assay", "scale", "platform", "route", "reference", "placebo_arm", "disease"):
        assert getattr(ours, key) == getattr(shipped, key), key
    assert ours.treatments == shipped.treatments
    canonical = [
        build_sample_sheet(draft.raw, cohort.view(MeasuredCohort))[0] for cohort in (ours, shipped)
    ]
    pd.testing.assert_frame_equal(
        *(frame.reindex(columns=sorted(frame.columns)) for frame in canonical)
    )


# ---------------------------------------------------------------- what the clinic measured


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
