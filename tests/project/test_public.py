"""The public atlas: every cohort file against a header of its series, and wrong guesses."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scanpy as sc
import yaml

import builders.series as public
from adnorm.atlas.classes import trial_entries
from adnorm.atlas.cohort_results import CohortResults
from adnorm.base.errors import AdnormError
from adnorm.base.tables import read_table
from adnorm.base.yaml_text import read_yaml
from adnorm.index.training_cohorts import COLUMNS, find_training_cohorts
from adnorm.readers.series_matrix import read_series_matrix
from adnorm.study.cohort import MeasuredCohort
from adnorm.study.comparisons import derive_design
from adnorm.study.diseases import ATOPIC_DERMATITIS
from adnorm.study.reading import read_cohort, read_study
from adnorm.study.samples import build_sample_sheet
from builders.cohorts import cohort_of
from builders.expression_stage import GENE_SETS, express
from builders.fetched import fetch_cohort

ROOT = Path(__file__).resolve().parents[2]
COHORTS = ROOT / "config" / "cohorts"
SHIPPED = sorted(p.stem for p in COHORTS.glob("gse*.yaml"))
PUBLIC = (ROOT / "config" / "public.yaml").read_text(encoding="utf-8")
LEFT_OUT = re.findall(r"^  # - (\w+)", PUBLIC, flags=re.MULTILINE)
SERIES = public.SERIES


def shipped(name, changes=None, **samples):
    """A cohort file as shipped; `samples` are mappings, `changes` other keys that were mended."""
    path, where = COHORTS / f"{name}.yaml", f"config/cohorts/{name}.yaml"
    cohort = read_cohort(path, where=where)
    if not changes and not samples:
        return cohort
    written = read_yaml(path)
    written["samples"] |= samples
    return cohort_of(written | (changes or {}), where)


def sheet_of(folder, series, cohort):
    path = public.write_series_matrix(series, folder / "matrix.txt.gz")
    matrix = read_series_matrix(path, cohort.platform, read_metadata_only=True)
    return build_sample_sheet(matrix.samples.rename_axis(index=None), cohort.view(MeasuredCohort))


def message_of(folder, series, cohort):
    with pytest.raises(AdnormError) as failure:
        sheet_of(folder, series, cohort)
    return str(failure.value)


def supported(sheet, cohort):
    return [c.name for c in derive_design(sheet, cohort.placebo_arm, 3).supported]


# ---------------------------------------------------------------- what each series becomes

#: arm → weeks; patients with both at baseline; samples left out; one comparison that must be there.
EXPECTED = {
    "gse133385": (
        {
            "gusacitinib 20 mg": [0, 2, 4],
            "gusacitinib 40 mg": [0, 2, 4],
            "gusacitinib 80 mg": [0, 2, 4],
            "placebo": [0, 2, 4],
        },
        {"lesional": 36, "nonlesional": 36},
        0,
        "change:gusacitinib 80 mg-placebo@2",
    ),
    "gse130588": (
        {"dupilumab 200 mg": [0, 4, 16], "placebo": [0, 4, 16]},
        {"lesional": 23, "nonlesional": 20},
        0,
        "change:dupilumab 200 mg-placebo@16",
    ),
    "gse59294": (
        {"dupilumab": [0, 4], "placebo": [0, 4]},
        {"lesional": 24, "nonlesional": 24},
        0,
        "change:dupilumab-placebo@4",
    ),
    "gse157194": (
        {"ciclosporin": [0, 12], "dupilumab": [0, 12], "untreated": [0]},
        {"lesional": 16, "nonlesional": 9},
        0,
        "residual:dupilumab@12",
    ),
    "gse58558": (
        {"ciclosporin": [0, 2, 12]},
        {"lesional": 12, "nonlesional": 12},
        0,
        "change:ciclosporin@2",
    ),
    "gse133477": (
        {"all arms": [0], "crisaborole": [0, 1, 2], "vehicle": [0, 1, 2]},
        {"lesional": 24, "nonlesional": 4},
        0,
        "residual:crisaborole@2",
    ),
    "gse99802": (
        {"fezakinumab": [0, 4, 12], "placebo": [0, 4, 12]},
        {"lesional": 27, "nonlesional": 27},
        0,
        "change:fezakinumab-placebo@12",
    ),
    "gse137430": (
        {"placebo": [0, 4, 16], "secukinumab": [0, 4, 16]},
        {"lesional": 21, "nonlesional": 21},
        0,
        "change:secukinumab-placebo@16",
    ),
    "gse140684": (
        {"GBR 830": [0, 4], "placebo": [0, 4]},
        {"lesional": 14, "nonlesional": 14},
        0,
        "change:GBR 830-placebo@4",
    ),
    "gse27887": (
        {"narrow-band ultraviolet B": [0, 12]},
        {"lesional": 8, "nonlesional": 8},
        0,
        "change:narrow-band ultraviolet B@12",
    ),
    "gse69967": (
        {"placebo": [0, 4], "tofacitinib 10 mg": [0, 4]},
        {"lesional": 14, "nonlesional": 7},
        0,
        "change:tofacitinib 10 mg-placebo@4",
    ),
    "gse121212": (
        {"healthy": [0], "untreated": [0]},
        {"healthy": 4, "lesional": 4, "nonlesional": 4},
        9,
        "lesional-healthy@0",
    ),
    "gse193309_visits": (
        {"healthy": [0, 1, 2, 3, 4], "untreated": [0, 1, 2, 3, 4]},
        {"healthy": 15, "lesional": 16, "nonlesional": 15},
        0,
        "residual:untreated@4",
    ),
    "gse32924": (
        {"healthy": [0], "untreated": [0]},
        {"healthy": 4, "lesional": 4, "nonlesional": 4},
        0,
        "lesional-nonlesional@0",
    ),
    "gse36842": (
        {"healthy": [0], "untreated": [0]},
        {"healthy": 4, "lesional": 8, "nonlesional": 4},
        0,
        "lesional-nonlesional@0",
    ),
    "gse16161": (
        {"healthy": [0], "untreated": [0]},
        {"healthy": 4, "lesional": 4},
        4,
        "lesional-healthy@0",
    ),
    "gse107361": (
        {"healthy": [0], "untreated": [0]},
        {"healthy": 4, "lesional": 4, "nonlesional": 4},
        0,
        "nonlesional-healthy@0",
    ),
    "gse330551": (
        {"healthy": [0], "treatment not known": [0, 12]},
        {"healthy": 4, "lesional": 8, "nonlesional": 8},
        0,
        "change:treatment not known@12",
    ),
}


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_series_becomes_its_canonical_sheet(tmp_path, name):
    arms, states, left_out, comparison = EXPECTED[name]
    cohort = shipped(name)
    sheet, excluded = sheet_of(tmp_path, SERIES[name], cohort)
    assert {a: sorted(set(rows["week"])) for a, rows in sheet.groupby("arm")} == arms
    assert sheet["state"].value_counts().to_dict() == states
    assert len(excluded) == left_out
    assert comparison in supported(sheet, cohort)
    classes = {t: block.drug_class for t, block in cohort.treatments.items()}
    given = sheet[sheet["treatment"] != "none"]
    assert (given["drug_class"] == given["treatment"].map(classes)).all()


def test_doses_and_days_of_gse133385_in_every_spelling(tmp_path):
    series, cohort = SERIES["gse133385"], shipped("gse133385")
    sheet, _ = sheet_of(tmp_path, series, cohort)
    assert set(zip(sheet["geo_week"], sheet["week"], strict=True)) == {
        ("Baseline", 0.0),
        ("Day 15", 2.0),
        ("Day 29", 4.0),
    }
    doses = sheet.groupby("arm")["dose_mg"].first()
    assert doses.dropna().tolist() == [20, 40, 80] and np.isnan(doses["placebo"])
    assert "change:gusacitinib 40 mg-gusacitinib 20 mg@4" in supported(sheet, cohort)
    days = ["Baseline", "Day 15", "Day 29"]
    arms = ["ASN002 20 mg", "ASN002 40 mg", "ASN002 80 mg", "placebo"]
    for told in (["0", "2", "4"], ["0", "15", "29"], ["BL", "D15", "D29"]):
        for named in (["20mg", "40mg", "80mg", "PBO"], ["20", "40", "80", "Placebo"]):
            other = series.revalued("week", dict(zip(days, told, strict=True)))
            other = other.revalued("treatment", dict(zip(arms, named, strict=True)))
            again, _ = sheet_of(tmp_path, other, cohort)
            columns = ["sample", "patient", "state", "arm", "dose_mg", "week"]
            pd.testing.assert_frame_equal(again[columns], sheet[columns])


def test_dose_and_drug_of_gse133385_may_stand_in_two_keys(tmp_path):
    series = SERIES["gse133385"].renamed("treatment", "dose")
    samples = tuple(
        s | {"treatment": "Placebo" if s["dose"] == "placebo" else "ASN002"} for s in series.samples
    )
    other = public.Series(series.accession, series.platform, samples)
    sheet, _ = sheet_of(tmp_path, other, shipped("gse133385"))
    assert sorted(set(sheet["arm"])) == sorted(EXPECTED["gse133385"][0])


def test_arms_of_gse59294_stay_one_until_they_are_decoded(tmp_path):
    series = SERIES["gse59294"]
    sheet, _ = sheet_of(tmp_path, series, shipped("gse59294"))
    codes = sheet.groupby("arm")["geo_treatment"].unique().map(sorted).to_dict()
    assert codes == {"dupilumab": ["B", "C", "D"], "placebo": ["placebo"]}
    dose = {"from": "treatment", "values": {"B": 150, "C": 300, "D": 300, "placebo": None}}
    sheet, _ = sheet_of(tmp_path, series, shipped("gse59294", dose_mg=dose))
    assert set(sheet["arm"]) == {"dupilumab 150 mg", "dupilumab 300 mg", "placebo"}
    message = message_of(tmp_path, series.revalued("treatment", {"D": "E"}), shipped("gse59294"))
    assert "no mapping covers 'E'" in message
    assert "'B' (12), 'C' (12), 'E' (12), 'placebo' (12)" in message


def test_drug_of_gse99802_is_fezakinumab(tmp_path):
    sheet, _ = sheet_of(tmp_path, SERIES["gse99802"], shipped("gse99802"))
    told = set(zip(sheet["geo_treatment"], sheet["treatment"], strict=True))
    assert told == {("Drug", "fezakinumab"), ("Placebo", "placebo")}
    assert set(sheet["drug_class"]) == {"anti-IL-22", "placebo"}


def test_state_and_visit_of_gse157194_stand_in_the_source_name(tmp_path):
    cohort = shipped("gse157194")
    sheet, _ = sheet_of(tmp_path, SERIES["gse157194"], cohort)
    rows = sheet[["geo_source_name", "state", "week"]].drop_duplicates()
    assert sorted(map(tuple, rows.to_numpy())) == [
        ("m0_AL", "lesional", 0.0),
        ("m0_AN", "nonlesional", 0.0),
        ("m3_AL", "lesional", 12.0),
    ]
    # Two drugs that were not given at random are not compared, and nobody is the placebo.
    assert not [name for name in supported(sheet, cohort) if "dupilumab-ciclosporin" in name]


@pytest.mark.parametrize("name", ["gse16161", "gse107361"])
def test_a_misspelt_key_is_found_as_it_stands_and_as_it_should(tmp_path, name):
    assert "indivisual" in SERIES[name].samples[0]
    first, _ = sheet_of(tmp_path, SERIES[name], shipped(name))
    mended = SERIES[name].renamed("indivisual", "Individual")
    second, _ = sheet_of(tmp_path, mended, shipped(name))
    assert first["patient"].tolist() == second["patient"].tolist()
    assert not first["patient"].duplicated().all()


@pytest.mark.parametrize("name", ["gse121212", "gse16161"])
def test_psoriasis_is_left_out_with_its_reason(tmp_path, name):
    sheet, excluded = sheet_of(tmp_path, SERIES[name], shipped(name))
    key = {"gse121212": "geo_patient's condition", "gse16161": "geo_condition"}[name]
    assert not sheet[key].str.contains("PSO|psoriasis", case=False).any()
    assert (excluded["reason"] == "psoriasis").sum() == {"gse121212": 8, "gse16161": 4}[name]


def test_chronic_lesions_of_gse121212_are_left_out(tmp_path):
    _, excluded = sheet_of(tmp_path, SERIES["gse121212"], shipped("gse121212"))
    assert (excluded["reason"] == "chronic lesion").sum() == 1


def test_acute_and_chronic_lesions_of_gse36842_count_once_a_patient(tmp_path):
    cohort = shipped("gse36842")
    sheet, _ = sheet_of(tmp_path, SERIES["gse36842"], cohort)
    lesional = sheet[sheet["state"] == "lesional"]
    assert set(lesional["geo_group"]) == {"Acute LS", "Chronic LS"}
    assert lesional["patient"].value_counts().tolist() == [2, 2, 2, 2]
    pairs = derive_design(sheet, None, 3).comparisons[0].patients
    assert pairs == 4
    rule = {"from": "group", "pattern": "acute", "reason": "acute lesion"}
    sheet, _ = sheet_of(tmp_path, SERIES["gse36842"], shipped("gse36842", {"exclude": [rule]}))
    assert set(sheet.loc[sheet["state"] == "lesional", "geo_group"]) == {"Chronic LS"}


def test_lesions_of_gse133477_are_compared_with_vehicle_within_the_patient(tmp_path):
    sheet, excluded = sheet_of(tmp_path, SERIES["gse133477"], shipped("gse133477"))
    assert excluded.empty
    arms = sheet.groupby("state")["arm"].agg(set)
    assert arms["lesional"] == {"crisaborole", "vehicle"} and arms["nonlesional"] == {"all arms"}
    pairs = {c.name: c.patients for c in derive_design(sheet, "vehicle", 3).supported}
    assert pairs["lesional-nonlesional@0"] == pairs["change:crisaborole@2"] == 4
    assert pairs["change:crisaborole-vehicle@1"] == pairs["change:crisaborole-vehicle@2"] == 4


def test_technical_replicates_of_gse193309_are_one_biopsy(tmp_path):
    sheet, _ = sheet_of(tmp_path, SERIES["gse193309_visits"], shipped("gse193309_visits"))
    twice = sheet[(sheet["patient"] == "P01") & (sheet["state"] == "lesional")]
    assert (twice["week"] == 0).sum() == 2
    design = derive_design(sheet, None, 3).comparisons
    assert {c.patients for c in design if c.name == "lesional-nonlesional@0"} == {3}


def test_gse283265_stops_until_the_week_of_the_follow_up_is_filled_in(tmp_path):
    series = SERIES["gse283265"]
    message = message_of(tmp_path, series, shipped("gse283265"))
    assert "samples: week: 'follow-up' is not a number" in message
    week = shipped("gse283265").samples.week.as_written()
    mended = shipped("gse283265", week=week | {"values": {"baseline": 0, "follow-up": 12}})
    sheet, _ = sheet_of(tmp_path, series, mended)
    assert "change:treatment not known@12" in supported(sheet, mended)


# ---------------------------------------------------------------- values


def mirror(folder, series, table, text):
    """A mirror of GEO that holds one series with one supplementary table."""
    home = folder / "geo" / "series" / f"{series.accession[:-3]}nnn" / series.accession
    public.write_series_matrix(series, home / "matrix" / f"{series.accession}_series_matrix.txt.gz")
    (home / "suppl").mkdir()
    (home / "suppl" / table).write_bytes(gzip.compress(text.encode(), mtime=0))
    return f"file:{folder / 'geo'}"


def expression_of(folder, address, cohort):
    manifest = fetch_cohort(cohort, folder / "fetch", address=address)
    return express(manifest, cohort, [ROOT / GENE_SETS], folder)


GENES = [f"GENE{number}" for number in range(60)]


def test_lanes_of_gse330551_are_summed_and_matched_by_the_library_name(tmp_path):
    series, random = SERIES["gse330551"], np.random.default_rng(3)
    libraries = [s["description"].removeprefix("Library name: ") for s in series.samples]
    lanes = [f"{library}_S1_L00{lane}.bam" for library in libraries for lane in (1, 2, 3)]
    counts = pd.DataFrame(random.poisson(200, (len(GENES), len(lanes))), GENES, lanes)
    facts = {"Chr": "chr1", "Start": 1, "End": 900, "Strand": "+", "Length": 900}
    table = counts.assign(**facts)[[*facts, *lanes]].rename_axis("Geneid")
    text = "# Program:featureCounts v2\n" + table.to_csv(sep="\t")
    address = mirror(tmp_path, series, "GSE330551_counts.txt.gz", text)
    outputs = expression_of(tmp_path, address, shipped("gse330551"))
    data = sc.read_h5ad(outputs["expression"])
    assert data.n_obs == len(libraries)
    for sample, library in zip(series.names, libraries, strict=True):
        summed = counts[[lane for lane in lanes if lane.startswith(library)]].sum(axis=1)
        found = data[sample, GENES].layers["counts"].ravel()
        np.testing.assert_array_equal(found, summed)


def test_spreadsheet_dates_of_gse121212_are_repaired_or_refused_and_counted(tmp_path):
    series, random = SERIES["gse121212"], np.random.default_rng(4)
    rows = [*GENES, "FLG", "2-Sep", "1-Dec", "1-Mar"]
    counts = random.poisson(300, (len(rows), len(series.samples)))
    table = pd.DataFrame(counts, rows, series.names).rename_axis("gene")
    text = table.to_csv(sep="\t")
    address = mirror(tmp_path, series, "GSE121212_readcount.txt.gz", text)
    outputs = expression_of(tmp_path, address, shipped("gse121212"))
    genes = set(sc.read_h5ad(outputs["expression"]).var_names)
    assert {"FLG", "SEPTIN2"} <= genes and not genes & {"2-Sep", "1-Dec", "1-Mar"}
    steps = read_table(outputs["identifiers"]).set_index("step")
    assert steps.loc["spreadsheet date refused", "count"] == 1
    excluded = read_table(outputs["excluded"])["reason"].value_counts().to_dict()
    assert excluded == {"psoriasis": 8, "chronic lesion": 1}


# ---------------------------------------------------------------- a wrong guess costs a minute

GUESSES = [(name, key) for name, series in SERIES.items() for key in series.assumed]
#: Where the name of the key is all that a person must find out.
CURED = [(n, k) for n, k in GUESSES if n != "gse283265" and k not in ("EASI", "SCORAD")]
STRANGE = "sponsor code"


@pytest.mark.parametrize(("name", "key"), GUESSES)
def test_a_key_that_is_called_otherwise(tmp_path, name, key):
    """The message names the guess, shows the key that is there, and the line that would do."""
    cohort = shipped(name)
    series = SERIES[name].renamed(key, STRANGE)
    message = message_of(tmp_path, series, cohort)
    columns = [
        column
        for column, rule in cohort.samples.by_column.items()
        if key.lower() in [k.lower() for k in np.atleast_1d(rule.from_ or [])]
    ]
    assert columns
    assert f"'{STRANGE}'" in message
    if "exclude: rule" in message:
        # The rule that looks at the key is told first, the mapping beside it.
        assert f"from: {STRANGE}" in message
    for column in columns:
        assert f"samples: {column}: from: " in message
        values = sorted({s[STRANGE] for s in series.samples if STRANGE in s})
        if column in ("easi", "scorad"):
            line = f"{column}: {{from: KEY, missing: null}}"
            assert "or remove the line if the series has no such key" in message
        else:
            line = f"{column}: {{from: {STRANGE}"
            assert f"if '{STRANGE}' is the one; it holds '" in message
            assert f"'{values[0]}' (" in message
        assert f"in config/cohorts/{name}.yaml, below samples: `{line}" in message


@pytest.mark.parametrize(("name", "key"), CURED)
def test_the_proposed_line_is_the_cure(tmp_path, name, key):
    """Copying the proposed lines into the cohort file makes the series map as before."""
    cohort, series = shipped(name), SERIES[name].renamed(key, STRANGE)
    message = message_of(tmp_path, series, cohort)
    lines = [
        yaml.safe_load(line)
        for line in re.findall(r"`(\w+: \{from: [^`]*)`", message)
        if "as it is" not in line
    ]
    short = re.findall(r"`(\w+): \{from: ([^,`]+), … as it is\}`", message)
    lines += [
        {column: getattr(cohort.samples, column).as_written() | {"from": new}}
        for column, new in short
    ]
    samples = {column: rule for line in lines for column, rule in line.items()}
    exclude = [
        rule.as_written() | ({"from": STRANGE} if rule.from_ == key else {})
        for rule in cohort.exclude
    ]
    mended, _ = sheet_of(tmp_path, series, shipped(name, {"exclude": exclude}, **samples))
    first, _ = sheet_of(tmp_path, SERIES[name], cohort)
    columns = ["sample", "patient", "state", "arm", "week"]
    pd.testing.assert_frame_equal(mended[columns], first[columns])


@pytest.mark.parametrize(
    ("name", "key", "values", "parts"),
    [
        (
            "gse130588",
            "tissue",
            {"LS": "lesional skin"},
            ["samples: state: no mapping covers 'lesional skin' of the key 'tissue' (23 samples"]
            + ["'lesional skin' (23), 'NL' (20)", "{lesional skin: …}", "lesional, nonlesional or"],
        ),
        (
            "gse130588",
            "treatment",
            {"Placebo": "Placebo QW"},
            ["samples: treatment: no mapping covers 'Placebo QW'", "{Placebo QW: …}"]
            + ["samples: dose_mg: no mapping covers 'Placebo QW'", "a number of mg, null for none"],
        ),
        (
            "gse58558",
            "time",
            {"week 12": "end of treatment"},
            ["samples: week: no mapping covers 'end of treatment' of the key 'time'"]
            + ["'baseline' (8), 'end of treatment' (8), 'week 2' (8)", "0 for baseline"],
        ),
        (
            "gse121212",
            "skin type",
            {"healthy": "NN"},
            ["no mapping covers 'NN' of the key 'skin type'", "add to samples: state: values:"],
        ),
        (
            "gse121212",
            "patient's condition",
            {"PSO": "vulgaris"},
            ["exclude: rule 1 matches no sample. All raw values of 'patient's condition'"]
            + ["'AD' (9), 'vulgaris' (8), 'CTRL' (4)"],
        ),
    ],
)
def test_values_that_are_written_otherwise(tmp_path, name, key, values, parts):
    message = message_of(tmp_path, SERIES[name].revalued(key, values), shipped(name))
    assert f"config/cohorts/{name}.yaml" in message
    assert [part for part in parts if part not in message] == []


def test_a_table_that_is_called_otherwise(tmp_path):
    """The series matrix tells the names of its files, so nobody has to look them up."""
    series, cohort = SERIES["gse157194"], shipped("gse157194")
    path = "series/GSE157nnn/GSE157194/matrix/GSE157194_series_matrix.txt.gz"
    real = "GSE157194_Raw_gene_counts_matrix_2.txt.gz"
    public.write_series_matrix(series, tmp_path / "geo" / path, tables=(real, "GSE157194_RAW.tar"))
    with pytest.raises(AdnormError) as failure:
        fetch_cohort(cohort, tmp_path / "fetch", address=f"file:{tmp_path / 'geo'}")
    message = str(failure.value)
    assert f"The series lists '{real}', 'GSE157194_RAW.tar'; did you mean '{real}'?" in message


def test_keys_of_a_series_are_told_once_and_without_their_protocols(tmp_path):
    series = SERIES["gse69967"].renamed("treatment", "a").renamed("week", "b")
    message = message_of(tmp_path, series.renamed("patient", "c"), shipped("gse69967"))
    assert message.count("It has: ") == 1 and message.count("listed above") == 3
    assert "the same for all samples: 'source_name', 'organism', 'extract_protocol'" in message
    assert "stabilizing" not in message


# ---------------------------------------------------------------- everything wrong at once


def everything_wrong():
    cohort = read_yaml(COHORTS / "gse133385.yaml")
    samples = cohort["samples"] | {
        "patient": {"from": "patient_id", "constant": "P1"},
        "state": {"from": "tissue", "values": {"LS": ["lesional"]}},
        "week": {"from": "week", "pattern": "week ([0-9]+"},
        "sex": {"from": "sex", "scale": 2},
        "treatmnt": {"from": "treatment"},
    }
    del cohort["title"]
    return cohort | {
        "id": "another",
        "route": "local",
        "scale": "log",
        "placebo_arm": None,
        "tissu": "skin",
        "treatments": {"placebo": {"drug_class": "placebo"}},
        "samples": samples,
        "exclude": [{"from": "tissue", "pattern": "(", "reason": "r"}],
    }


def test_a_file_with_everything_wrong_is_told_in_one_message(tmp_path):
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump(everything_wrong()))
    with pytest.raises(AdnormError) as failure:
        read_cohort(path)
    message = str(failure.value)
    parts = [
        "'title' must be given",
        "unknown key: 'tissu' is unknown; did you mean 'tissue'?",
        "unknown key: 'treatmnt' is unknown; did you mean 'treatment'?",
        "scale: 'log' is not allowed; did you mean 'log2'?",
        "id: 'another' must be the name of the file, 'wrong'",
        "route: 'local' needs `source: table`",
        "route: 'local' needs `source: sheet`",
        "samples: state: values: LS: found ['lesional']",
        "samples: patient: give one of",
        "samples: week: pattern: 'week ([0-9]+' is not a regular expression",
        "samples: sex: scale: this column holds no numbers",
        "exclude: rule 1: pattern: '(' is not a regular expression",
        "samples: treatment: 'gusacitinib' is not described under `treatments:`",
        "write `placebo_arm: placebo`",
    ]
    assert [part for part in parts if part not in message] == []
    assert f"{len(parts)} problems" in message


def test_a_mapping_with_everything_wrong_is_told_in_one_message(tmp_path):
    """What only the series can tell: keys, values, numbers and vocabulary, beside each other."""
    cohort = shipped(
        "gse130588",
        {"exclude": [{"from": "disease", "values": ["psoriasis"], "reason": "another disease"}]},
        patient={"from": "subjects"},
        state={"from": "tissue", "values": {"LS": "lesion", "NL": "nonlesional"}},
        treatment={"from": "treatment", "values": {"Dupilumab": "dupilumab"}},
        week={"from": "time"},
        sex={"from": "gender"},
    )
    message = message_of(tmp_path, SERIES["gse130588"], cohort)
    parts = [
        "exclude: rule 1: from: 'disease' is not a key of this series",
        "samples: patient: from: 'subjects' is not a key of this series",
        "samples: state: the mapping gives 'lesion'; did you mean 'lesional'?",
        "samples: treatment: no mapping covers 'Placebo'",
        "samples: week: 'Week0', 'Week16', 'Week4' is not a number",
        "samples: sex: from: 'gender' is not a key of this series",
    ]
    assert [part for part in parts if part not in message] == []
    assert f"{len(parts)} problems" in message


# ---------------------------------------------------------------- the configuration


def test_the_public_atlas_is_one_configuration_of_all_cohorts():
    study = read_study(read_yaml(ROOT / "config" / "public.yaml"), ROOT, "config/public.yaml")
    named = set(study.cohorts) | set(LEFT_OUT)
    # The first visit of GSE193309 and the tape strips are real.yaml's own.
    assert named == set(SHIPPED) - {"gse193309", "gse199046"}
    assert set(SERIES) == named - {"gse80342"}
    accessions = [cohort.accession for cohort in study.cohorts.values()]
    assert len(set(accessions)) == len(accessions)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_cohort_file_says_what_is_known(name):
    cohort = read_cohort(COHORTS / f"{name}.yaml")
    verified = name in ("gse80342", "gse193309", "gse199046")
    assert cohort.status == ("verified" if verified else "unverified")
    assert cohort.accession == name.split("_")[0].upper()
    assert len(cohort.note) > 60
    if not verified:
        text = (COHORTS / f"{name}.yaml").read_text(encoding="utf-8")
        assert re.search("not (yet )?(checked|known)", text)


def lesional_of(cohorts):
    rows = [(c.id, c.disease, "no", "FLG", -1.0, 0.1, 9, "") for c in cohorts]
    return pd.DataFrame(rows, columns=COLUMNS)


def test_other_diseases_never_teach_the_axis_nor_enter_the_comparison_of_drugs():
    study = read_study(read_yaml(ROOT / "config" / "public.yaml"), ROOT)
    others = {name for name, c in study.cohorts.items() if c.disease != ATOPIC_DERMATITIS}
    assert others == {"gse80342", "gse69967"}
    teachers = find_training_cohorts(lesional_of(study.cohorts.values()), "gse133385", False)
    assert set(teachers.cohorts) == set(study.cohorts) - others - {"gse133385"}
    for name in sorted(others):
        cohort = study.cohorts[name]
        arms = [(drug, drug, block.drug_class, np.nan) for drug, block in cohort.treatments.items()]
        samples = pd.DataFrame(arms, columns=["arm", "treatment", "drug_class", "dose_mg"])
        nothing = pd.DataFrame()
        entries = trial_entries(
            CohortResults(
                name,
                cohort.disease,
                False,
                cohort.placebo_arm or "",
                nothing,
                nothing,
                samples,
            )
        )
        assert set(entries["reason_code"]) == {"OTHER_DISEASE"}
        assert set(entries["drug_class"]) == {"JAK inhibitor"}


def test_the_catalog_entry_of_the_workflow():
    entry = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text(encoding="utf-8"))
    usage = entry["usage"]
    assert set(usage) == {"mandatory-flags", "software-stack-deployment"}
    assert set(usage["mandatory-flags"]) == {"desc", "flags"}
    deployment = usage["software-stack-deployment"]
    assert deployment["conda"] is True and deployment["report"] is True
    rules = [p.read_text(encoding="utf-8") for p in (ROOT / "workflow" / "rules").glob("*.smk")]
    assert any("conda:" in rule for rule in rules)
    assert deployment["apptainer"] is any("container:" in rule for rule in rules)
