"""Proposals of cohort files: what is guessed, what is marked, what is left to a person."""

from __future__ import annotations

import gzip
import random

import anndata
import numpy as np
import pandas as pd
import pytest
import yaml

from adnorm.base.errors import AdnormError
from adnorm.expression.columns import sum_lanes
from adnorm.onboarding.cohort_text import marked_lines, scalar, write_cohort
from adnorm.onboarding.drugs import DRUGS, read_arm
from adnorm.onboarding.material import Material, container_material, table_material
from adnorm.onboarding.proposals import propose
from adnorm.onboarding.series import series_material
from adnorm.onboarding.tables import judge_assay, judge_scale
from adnorm.onboarding.weeks import weeks_of
from adnorm.study.cohort import read_cohort
from adnorm.study.samples import build_sample_sheet
from adnorm.study.schema import check, read_yaml

SEQUENCING = "Expression profiling by high throughput sequencing"
ARRAY = "Expression profiling by array"


def write_series(
    folder,
    samples,
    accession="GSE1234",
    title="a series",
    kind=ARRAY,
    supplementary=(),
    species="Homo sapiens",
):
    """Lay a series out as GEO does; a sample is its characteristics, title and source_name."""
    names = [f"GSM{i:04d}" for i in range(len(samples))]

    def row(key, cells):
        return "\t".join([key, *(f'"{cell}"' for cell in cells)])

    keys = dict.fromkeys(k for s in samples for k in s if k not in ("title", "source_name"))
    lines = [
        row("!Series_title", [title]),
        row("!Series_type", [kind]),
        *(row("!Series_supplementary_file", [f"ftp://host/{n}"]) for n in supplementary),
        row("!Sample_title", [s.get("title", n) for s, n in zip(samples, names, strict=True)]),
        row("!Sample_geo_accession", names),
        row("!Sample_source_name_ch1", [s.get("source_name", "skin biopsy") for s in samples]),
        row("!Sample_organism_ch1", [species] * len(names)),
        row("!Sample_platform_id", ["GPL570"] * len(names)),
    ]
    for key in keys:
        cells = [f"{key}: {s[key]}" if key in s else "" for s in samples]
        lines.append(row("!Sample_characteristics_ch1", cells))
    lines += ["!series_matrix_table_begin", row('"ID_REF"', names)]
    if kind == ARRAY:
        for probe in range(3):
            values = "\t".join(f"{3 + (7 * i + probe) % 9 + 0.5}" for i in range(len(names)))
            lines.append(f'"{probe}_at"\t{values}')
    lines.append("!series_matrix_table_end")
    path = folder / "series" / f"{accession[:-3]}nnn" / accession / "matrix"
    path.mkdir(parents=True)
    text = "\n".join(lines) + "\n"
    (path / f"{accession}_series_matrix.txt.gz").write_bytes(gzip.compress(text.encode()))
    return {"address": f"file:{folder}"}


def proposed(tmp_path, samples, **facts):
    """Return the text of a proposal, what YAML makes of it, and the lines left to fill in."""
    settings = write_series(tmp_path, samples, **facts)
    with series_material("GSE1234", None, settings) as material:
        text = write_cohort(propose(material))
        raw = material.raw
    path = tmp_path / "gse1234.yaml"
    path.write_text(text)
    return text, read_yaml(path), [m for m in marked_lines(text) if m.mark == "fill in"], raw


def trial(patients, visits, **fields):
    """Lesional and non-lesional samples of each patient at each visit."""
    return [
        {"tissue": tissue, "time": visit, "subject_id": f"S{p:02d}"}
        | {key: values[p % len(values)] for key, values in fields.items()}
        for p in range(patients)
        for visit in visits
        for tissue in ("LS", "NL")
    ]


def canonical_sheet(tmp_path, raw):
    samples, _ = build_sample_sheet(raw, read_cohort(tmp_path / "gse1234.yaml"))
    return samples


def test_a_placebo_controlled_trial_is_proposed_whole(tmp_path):
    samples = trial(4, ["Week0", "Week4"], treatment=["Dupilumab", "Placebo"], SCORAD=["50", "NA"])
    text, cohort, fill, raw = proposed(tmp_path, samples, title="Atopic dermatitis trial")
    assert not fill
    assert cohort["disease"] == "atopic dermatitis"
    assert cohort["tissue"] == "skin biopsy"
    assert (cohort["assay"], cohort["scale"]) == ("microarray", "log2")
    assert (cohort["reference"], cohort["placebo_arm"]) == ("nonlesional", "placebo")
    assert cohort["treatments"]["dupilumab"] == {"drug_class": "anti-IL-4Ra"}
    sheet = canonical_sheet(tmp_path, raw)
    assert set(sheet["arm"]) == {"dupilumab", "placebo"}
    assert set(sheet["week"]) == {0.0, 4.0}
    assert sheet["scorad"].isna().sum() == 8
    assert "status: unverified" in text


def test_every_guess_is_marked_and_every_value_has_its_count(tmp_path):
    text, cohort, _, _ = proposed(tmp_path, trial(3, ["BL", "W16"]), title="atopic dermatitis")
    assert "LS: lesional  # confirm: 6 samples" in text
    read = {"id", "title", "accession", "citation", "assay", "platform", "route", "status"}
    heads = {line.split(":")[0] for line in text.splitlines() if "# confirm:" in line}
    assert set(cohort) - read - {"samples"} <= heads
    assert len(cohort["samples"]) == text.count("    from: ") + text.count("{constant: ")
    for line in text.splitlines():
        if line.startswith("      "):
            assert "# confirm: " in line or "# fill in: " in line


def test_doses_named_alone_take_the_drug_of_the_series(tmp_path):
    samples = trial(4, ["Day 1", "Day 15", "Day 29"], dose_arm=["20 mg", "40 mg", "80 mg"])
    for sample in samples:
        sample["treatment"] = sample.pop("dose_arm")
    _, cohort, fill, raw = proposed(tmp_path, samples, title="ASN002 in atopic dermatitis")
    assert not fill
    sheet = canonical_sheet(tmp_path, raw)
    assert set(sheet["arm"]) == {f"gusacitinib {d} mg" for d in (20, 40, 80)}
    assert set(sheet["week"]) == {0.0, 2.0, 4.0}
    assert cohort["treatments"]["gusacitinib"]["drug_class"] == "JAK/SYK inhibitor"


def test_arms_in_code_and_a_time_without_a_number_are_asked_for(tmp_path):
    samples = trial(4, ["Pre", "Post"], treatment=["B", "C", "D", "placebo"])
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


def test_composite_source_names_and_titles_are_taken_apart(tmp_path):
    samples = [
        {"title": f"AD{p:02d}_{name}", "source_name": name, "treatment": drug}
        for p, drug in enumerate(["dupilumab", "cyclosporine", "dupilumab"], 1)
        for name in ("m0_AL", "m0_AN", "m3_AL", "m3_AN")
    ]
    _, cohort, fill, raw = proposed(
        tmp_path,
        samples,
        title="atopic dermatitis, skin biopsies",
        kind=SEQUENCING,
        supplementary=["GSE1234_RAW.tar", "GSE1234_DEG.csv.gz", "GSE1234_Raw_counts.txt.gz"],
    )
    assert not fill
    assert cohort["route"] == "geo_supplementary"
    assert cohort["source"]["table"] == "GSE1234_Raw_counts.txt.gz"
    sheet = canonical_sheet(tmp_path, raw)
    assert set(sheet["patient"]) == {"AD01", "AD02", "AD03"}
    assert set(sheet["week"]) == {0.0, 13.0}
    assert set(sheet["state"]) == {"lesional", "nonlesional"}


def test_everything_in_the_title_becomes_patterns(tmp_path):
    samples = [
        {"title": f"Patient {p}, {tissue} {when} NB-UVB"}
        for p in range(1, 6)
        for when in ("pre", "week 12")
        for tissue in ("NL", "L")
    ]
    _, cohort, fill, raw = proposed(tmp_path, samples, title="atopic dermatitis")
    assert not fill
    assert {c: "pattern" in rule for c, rule in cohort["samples"].items()} == dict.fromkeys(
        ("patient", "state", "treatment", "week"), True
    )
    sheet = canonical_sheet(tmp_path, raw)
    assert sheet.groupby(["patient", "state"])["week"].nunique().eq(2).all()


def test_before_and_after_in_a_field_of_any_name_is_never_all_baseline(tmp_path):
    samples = [
        {"subject id": str(p), "class": f"{when}-{skin}"}
        for p in range(4)
        for when in ("Pre", "Post")
        for skin in ("L", "NL")
    ]
    _, cohort, fill, _ = proposed(tmp_path, samples, title="atopic dermatitis")
    week = cohort["samples"]["week"]
    assert (week["from"], week["values"]) == ("class", {"Pre": 0, "Post": None})
    # Before and after what, nobody can guess.
    assert [m.text for m in fill] == ["from: null", "Post: null"]


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


@pytest.mark.parametrize(
    ("others", "expected"),
    [(("LS", "NL"), "healthy"), (("LS", "HC"), "nonlesional"), (("LS",), None)],
    ids=["beside_nl", "beside_healthy", "alone"],
)
def test_n_means_what_the_other_values_leave(tmp_path, others, expected):
    samples = [{"lesion": mark, "indivisual": str(i)} for i, mark in enumerate((*others, "N"))]
    _, cohort, fill, _ = proposed(tmp_path, samples, title="atopic dermatitis")
    assert cohort["samples"]["state"]["values"]["N"] == expected
    assert cohort["samples"]["patient"]["from"] == "indivisual"
    assert bool(fill) == (expected is None)


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


def test_a_filled_in_line_counts_no_more():
    text = "disease: null  # fill in: which\nscale: log2  # confirm: right\n"
    assert [m.mark for m in marked_lines(text)] == ["fill in", "confirm"]
    done = text.replace("null", "atopic dermatitis")
    assert [m.mark for m in marked_lines(done)] == ["confirm"]


def test_mouse_is_refused(tmp_path):
    settings = write_series(tmp_path, [{"x": "1"}], species="Mus musculus")
    with pytest.raises(AdnormError, match="Mus musculus.*human data only"):
        with series_material("GSE1234", None, settings):
            pass


@pytest.mark.parametrize(
    ("values", "key", "untreated", "expected"),
    [
        (["Baseline", "Day 15", "Day 29"], "time", False, [0, 2, 4]),
        (["day 0", "day 14"], "time", False, [0, 2]),
        (["BL", "W2", "wk16"], "visit", False, [0, 2, 16]),
        (["0", "3"], "month", False, [0, 13]),
        (["1", "2", "5"], "visit", True, [0, 1, 2]),
        (["1", "2"], "visit", False, [0, None]),
        (["Visit 3/BL", "Visit 4", "Visit 5/W4"], "time", True, [0, None, 4]),
        (["pre-treatment", "after"], "time", True, [0, None]),
        (["0", "12 weeks", "sometime"], "time point", False, [0, 12, None]),
    ],
    ids=lambda v: "-".join(v).replace(" ", "_") if isinstance(v, list) and v[0] != 0 else "",
)
def test_weeks_are_read_or_asked_for(values, key, untreated, expected):
    found = weeks_of(values, key, untreated)
    assert [found[v][0] for v in values] == expected


@pytest.mark.parametrize("name", [n for drug, (_, also) in DRUGS.items() for n in (drug, *also)])
def test_every_name_of_a_drug_is_recognised_in_an_arm(name):
    arm = read_arm(f"{name} 30 mg QD")
    assert name in (arm.treatment, *DRUGS[arm.treatment][1])
    assert arm.dose_mg == 30
    assert DRUGS[arm.treatment][0]


@pytest.mark.parametrize(
    "value",
    ["skin type", "01", "1", "1.5", "no", "on", "null", "~", "a: b", "x #y", "yes", " a", "-", "",
     'he said "x"', "[a]", "{a}", "É 3/4", "1e5", "true", "'", "a,b", "NA", "*x", "&x", "@x", "%"],
)  # fmt: skip
def test_text_is_written_so_that_it_is_read_back(tmp_path, value):
    path = tmp_path / "a.yaml"
    path.write_text(f"{scalar(value)}: {scalar(value)}\nlist: [{scalar(value)}, x]\n")
    read = read_yaml(path)
    assert read.get(value) == value
    assert read["list"] == [value, "x"]


# ---------------------------------------------------------------- a lab's own files

RNG = np.random.default_rng(7)
COUNTS = pd.DataFrame(
    RNG.negative_binomial(3, 0.004, (200, 8)) * RNG.integers(10, 30, 8),
    index=[f"GENE{i}" for i in range(200)],
    columns=[f"L{i}" for i in range(8)],
)
TPM = COUNTS / COUNTS.sum() * 1e6
SHEET = pd.DataFrame(
    {
        "no": range(8),
        "library": COUNTS.columns,
        "donor": [f"D{i // 2}" for i in range(8)],
        "skin": ["LS", "NL"] * 4,
    }
)
COHORT_OF_A_LAB = {
    "id": "lab",
    "title": "A lab",
    "disease": "atopic dermatitis",
    "tissue": "skin biopsy",
    "assay": "rna-seq",
    "route": "local",
    "scale": "counts",
    "reference": "nonlesional",
    "source": {"table": "x.csv", "sheet": "y.csv"},
}


@pytest.mark.parametrize(
    ("values", "assay", "expected"),
    [
        (COUNTS, "rna-seq", ("counts", False)),
        (COUNTS * 1.37, "rna-seq", ("counts", True)),
        (TPM, "rna-seq", ("linear", False)),
        (np.log2(TPM + 1), "rna-seq", ("log2", False)),
        (np.log2(TPM + 1) - 5, "microarray", ("log2", False)),
        (TPM * 1.1 + 40, "microarray", ("linear", False)),
        (COUNTS * 0 + 1, "rna-seq", (None, False)),
        (np.log2(COUNTS + 1), "rna-seq", ("log2_counts", False)),
        (np.log1p(COUNTS), None, ("ln_counts", False)),
        (np.log1p(TPM / 100), None, ("ln", False)),
        (np.log10(TPM + 1), "rna-seq", ("log10", False)),
        (TPM / 100, "rna-seq", ("linear", False)),
        (
            np.log2(TPM + 1)
            .sub(np.log2(TPM + 1).mean(axis=1), axis=0)
            .div(np.log2(TPM + 1).std(axis=1), axis=0),
            "microarray",
            (None, False),
        ),
    ],
    ids=[
        "counts",
        "expected_counts",
        "tpm",
        "log2",
        "ratios",
        "intensities",
        "constant",
        "log2_counts",
        "ln_counts",
        "ln",
        "log10",
        "cp10k",
        "z_scores",
    ],
)
def test_the_scale_is_judged_as_the_run_judges_it(values, assay, expected):
    assert judge_scale(values, assay)[:2] == expected


def test_the_assay_is_judged_by_rows_then_by_a_floor():
    log2 = np.log2(TPM.where(TPM > TPM.quantile(0.2).max(), 0) + 1)
    assert judge_assay(log2, "log2")[0] == "rna-seq"
    assert judge_assay(np.log2(TPM + 1) + RNG.uniform(0, 1, TPM.shape), "log2")[0] == "microarray"
    assert judge_assay(log2.rename(index=lambda g: f"{g}_at"), "log2")[0] == "microarray"


def lab_source(tmp_path, table, name="table.csv", index=True):
    table.to_csv(tmp_path / name, index=index)
    SHEET.to_csv(tmp_path / "sheet.csv", index=False)
    material = table_material(tmp_path / name, tmp_path / "sheet.csv")
    return {key: value for key, (value, _) in material.source.items()}, material


def test_the_sheet_is_joined_by_the_column_that_fits(tmp_path):
    source, material = lab_source(tmp_path, COUNTS)
    assert source["sheet_key"] == "library"
    assert list(material.raw.index) == list(COUNTS.columns)


def test_row_numbers_before_the_genes_are_seen(tmp_path):
    source, material = lab_source(tmp_path, COUNTS.reset_index(names="symbol"))
    assert source["gene_column"] == "symbol"
    assert material.values.index[0] == "GENE0"


def test_lanes_of_one_library_are_seen(tmp_path):
    half = COUNTS // 2
    lanes = pd.concat([half.add_suffix("_L001"), (COUNTS - half).add_suffix("_L002")], axis=1)
    source, _ = lab_source(tmp_path, lanes)
    assert "(?P<library>" in source["libraries"]
    assert "libraries" not in lab_source(tmp_path, COUNTS)[0]


def test_several_columns_a_sample_are_summed_only_if_they_are_counts(tmp_path):
    values = COUNTS * 1.07 + 0.31
    pairs = [values.add_suffix(".AVG_Signal"), (values % 1).add_suffix(".Detection Pval")]
    _, material = lab_source(tmp_path, pd.concat(pairs, axis=1).rename(lambda g: f"{g}_at"))
    proposal = propose(material)
    (libraries,) = [fact for fact in proposal.source if fact.key == "libraries"]
    assert {f.key: f.value for f in proposal.facts}["scale"] == "linear"
    assert (libraries.value, libraries.mark) == (None, "fill in")
    assert "one column a sample" in libraries.remark


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("NA", "`patient: {from: [subject_id, title]}`"),
        ("healthy", "values: {healthy: null}}`"),
    ],
)
def test_a_word_for_several_people_is_left_to_fill_in(tmp_path, word, line):
    samples = trial(4, ["Week 0", "Week 2"])
    samples += [{"tissue": "healthy", "time": "Week 0", "subject_id": word}] * 3
    _, _, left, _ = proposed(tmp_path, samples)
    (told,) = [mark.remark for mark in left if "names no person" in mark.remark]
    assert line in told and "3 biopsies" in told
    named = [
        s | {"subject_id": s["subject_id"].replace(word, f"H{i}")} for i, s in enumerate(samples)
    ]
    (tmp_path / "named").mkdir()
    _, _, left, _ = proposed(tmp_path / "named", named)
    assert not [mark for mark in left if "names no person" in mark.remark]


@pytest.mark.parametrize("ending", ["_S1_L001.sorted.bam", ".bam", "_Aligned.out.bam"])
def test_libraries_within_paths_are_seen(tmp_path, ending):
    paths = COUNTS.rename(columns=lambda name: f"/scratch/run_7/{name}{ending}")
    source, _ = lab_source(tmp_path, paths)
    summed, lanes = sum_lanes(paths, source["libraries"], "t")
    assert list(summed) == list(COUNTS)
    assert [len(columns) for columns in lanes.values()] == [1] * len(COUNTS.columns)


def test_symbols_beside_ids_are_taken(tmp_path):
    ids = [f"ENSG{i:011d}.2" for i in range(len(COUNTS))]
    table = COUNTS.reset_index(names="gene_name").set_axis(pd.Index(ids, name="gene_id"))
    source, material = lab_source(tmp_path, table)
    assert source["gene_column"] == "gene_name"
    assert material.values.index[0] == "GENE0"
    assert "gene_column" not in lab_source(tmp_path, table.drop(columns="gene_name"))[0]


def test_probes_need_a_table_that_only_the_lab_has(tmp_path):
    log2 = np.log2(COUNTS + 16).rename(index=lambda gene: f"{gene}_at")
    text = write_cohort(propose(lab_source(tmp_path, log2)[1]))
    asked = [mark.text for mark in marked_lines(text) if mark.mark == "fill in"]
    assert "annotation: null" in asked


def test_decimal_commas_of_a_sheet_are_proposed_and_read(tmp_path):
    scores = [f"{i},{i}" for i in range(7)]
    sheet = SHEET.assign(EASI=["10,125", *scores], SCORAD=[*scores, "NA"]).set_index("library")
    text = write_cohort(propose(Material("lab", "lab", "local", sheet)))
    rules = yaml.safe_load(text)["samples"]
    assert rules["easi"]["from"] == "EASI"
    cohort = check(
        COHORT_OF_A_LAB | {"samples": rules | {"treatment": {"constant": "none"}}}, "cohort", "lab"
    )
    samples = build_sample_sheet(sheet, cohort)[0].set_index("sample")
    assert samples.loc["L0", ["easi", "scorad"]].tolist() == [10.125, 0.0]
    assert samples.loc["L6", "scorad"] == 6.6
    assert pd.isna(samples.loc["L7", "scorad"])


def test_counts_of_ncbi_serve_where_the_authors_gave_none(tmp_path):
    samples = trial(2, ["Baseline", "Week 4"], treatment=["dupilumab"])
    settings = write_series(tmp_path, samples, kind=SEQUENCING)
    matrix = next(tmp_path.rglob("GSE1234_series_matrix.txt.gz"))
    suppl = matrix.parents[1] / "suppl"
    suppl.mkdir()
    table = COUNTS.set_axis([f"GSM{i:04d}" for i in range(8)], axis=1)
    table = table.set_axis(pd.RangeIndex(100, 300, name="GeneID"))
    table.to_csv(suppl / "GSE1234_raw_counts_GRCh38.p13_NCBI.tsv.gz", sep="\t")
    (suppl / "Human.GRCh38.p13.annot.tsv.gz").touch()
    with series_material("GSE1234", None, settings) as material:
        cohort = yaml.safe_load(write_cohort(propose(material)))
    assert (cohort["route"], cohort["scale"]) == ("ncbi_counts", "counts")
    assert "source" not in cohort


def test_a_container_offers_its_layer_of_counts(tmp_path):
    data = anndata.AnnData(
        np.log2(TPM + 1).T.to_numpy(),
        obs=SHEET.set_index("library")[["donor", "skin"]],
        var=pd.DataFrame(index=COUNTS.index),
    )
    data.layers["counts"] = COUNTS.T.to_numpy()
    data.write_h5ad(tmp_path / "Our data.h5ad")
    material = container_material(tmp_path / "Our data.h5ad")
    cohort = yaml.safe_load(write_cohort(propose(material)))
    assert (cohort["id"], cohort["route"], cohort["scale"]) == ("our_data", "h5ad", "counts")
    assert cohort["source"]["layer"] == "counts"
    assert cohort["samples"]["patient"]["from"] == "donor"


def test_a_container_offers_the_counts_of_raw(tmp_path):
    data = anndata.AnnData(
        COUNTS.T.to_numpy(dtype=float),
        obs=SHEET.set_index("library")[["donor", "skin"]],
        var=pd.DataFrame(index=COUNTS.index),
    )
    data.raw = data.copy()
    data.X = np.log1p(data.X / data.X.sum(axis=1, keepdims=True) * 1e4)
    data.write_h5ad(tmp_path / "own.h5ad")
    cohort = yaml.safe_load(write_cohort(propose(container_material(tmp_path / "own.h5ad"))))
    assert (cohort["scale"], cohort["source"]["layer"]) == ("counts", ".raw")


def test_a_proposal_without_a_scale_says_why(tmp_path):
    values = np.log2(TPM + 1)
    scores = values.sub(values.mean(axis=1), axis=0).div(values.std(axis=1), axis=0)
    data = anndata.AnnData(
        scores.T.to_numpy(),
        obs=SHEET.set_index("library")[["donor", "skin"]],
        var=pd.DataFrame(index=COUNTS.index),
    )
    data.write_h5ad(tmp_path / "own.h5ad")
    text = write_cohort(propose(container_material(tmp_path / "own.h5ad")))
    line = next(line for line in text.splitlines() if line.startswith("scale:"))
    assert "scale: null  # fill in:" in line
    assert "every row has mean 0 and standard deviation 1" in line
    assert "take the values before they were scaled" in line


def test_a_proposal_never_depends_on_the_order_of_the_samples():
    raw = pd.DataFrame(trial(5, ["BL", "W4"], arm=["upadacitinib 15 mg", "placebo"]))
    raw.index = [f"s{i}" for i in raw.index]
    texts = [
        write_cohort(propose(Material("x", "x", "local", frame)))
        for frame in (raw, raw.iloc[::-1], raw.sample(frac=1, random_state=3))
    ]
    assert texts[0] == texts[1] == texts[2]


WORDS = [
    *("LS", "NL", "lesional", "non-lesional", "AD", "PSO", "healthy", "control", "N", "L", "BL"),
    *("Week 4", "W16", "pre", "post", "day 15", "month 3", "Visit 3/BL", "1", "02", "0", "12.5"),
    *("placebo", "UPA 15 mg", "dupilumab", "Drug", "none", "vehicle", "UVB", "5 mg/kg", "F", "M"),
    *("", "NA", "null", "no", "1e3", "-3", "infinity", "nan", "x: y", "#a", "'q'", '"d"', "[b]"),
    *("{c}", "a,b", "\\d", "(x", "*y", "é", "100%", "-", "?", "AD_01", "P1_LS_W0", "Patient 1"),
]
KEYS = [
    *("patient", "subject id", "tissue", "skin type", "week", "time", "visit", "treatment", "drug"),
    *("arm", "dose", "disease", "group", "condition", "title", "source_name", "sex", "age"),
    *("EASI", "SCORAD", "itch nrs", "response", "batch", "site", "x", "time point (weeks)"),
]


#: What a proposal must be able to read without asking.
READABLE = {
    "subject": ["P1", "P2", "01", "1", "no", "x: y", "AD_03", "null"],
    "skin": ["LS", "NL", "lesional", "Non-lesional", "healthy control", "uninvolved skin"],
    "visit": ["BL", "Week 4", "W16", "day 15", "month 3", "Visit 3/BL", "0", "12 weeks"],
    "drug": ["placebo", "vehicle", "UPA 15 mg", "UPA 30 mg", "dupilumab", "none", "5 mg/kg CsA"],
}


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
    material = Material("x", "x", "local", raw, source=source, assay="rna-seq", texts=words)
    path = tmp_path / "x.yaml"
    path.write_text(write_cohort(propose(material)))
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
        build_sample_sheet(raw, read_cohort(path))
    except AdnormError as error:
        # Contradictions of random sheets; but every value has its line.
        assert "no mapping covers" not in str(error)


# ---------------------------------------------------------------- real series


@pytest.mark.parametrize("name", ["gse80342", "gse193309", "gse199046"])
def test_real_series_are_proposed_as_the_shipped_files_have_them(
    shared, repository, tmp_path, name
):
    with series_material(name.upper(), None, {"address": f"file:{shared / 'geo'}"}) as material:
        text = write_cohort(propose(material))
    path = tmp_path / f"{name}.yaml"
    path.write_text(text)
    assert not [m for m in marked_lines(text) if m.mark == "fill in"]
    ours, shipped = read_cohort(path), read_cohort(repository / f"config/cohorts/{name}.yaml")
    for key in ("assay", "scale", "platform", "route", "reference", "placebo_arm", "disease"):
        assert ours[key] == shipped[key], key
    assert ours["treatments"] == shipped["treatments"]
    canonical = [build_sample_sheet(material.raw, c)[0] for c in (ours, shipped)]
    pd.testing.assert_frame_equal(
        *(frame.reindex(columns=sorted(frame.columns)) for frame in canonical)
    )
