"""What a series, a table or an .h5ad says before anybody has described it."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
import yaml

from adnorm.base.errors import AdnormError
from adnorm.expression.columns import sum_lanes
from adnorm.onboarding.cohort_text import marked_lines, write_cohort
from adnorm.onboarding.draft import (
    draft_of_h5ad,
    draft_of_series,
    judge_assay,
    judge_scale,
)
from adnorm.onboarding.proposals import propose
from builders.onboarding import (
    COUNTS,
    RNG,
    SEQUENCING,
    SHEET,
    TPM,
    lab_source,
    samples_of,
    write_series,
)


def test_mouse_is_refused(tmp_path):
    settings = write_series(tmp_path, [{"x": "1"}], species="Mus musculus")
    with pytest.raises(AdnormError, match="Mus musculus.*human data only"):
        with draft_of_series("GSE1234", None, settings):
            pass


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


def test_the_sheet_is_joined_by_the_column_that_fits(tmp_path):
    source, draft = lab_source(tmp_path, COUNTS)
    assert source["sheet_key"] == "library"
    assert list(draft.raw.index) == list(COUNTS.columns)


def test_row_numbers_before_the_genes_are_seen(tmp_path):
    source, draft = lab_source(tmp_path, COUNTS.reset_index(names="symbol"))
    assert source["gene_column"] == "symbol"
    assert draft.values.index[0] == "GENE0"


def test_lanes_of_one_library_are_seen(tmp_path):
    half = COUNTS // 2
    lanes = pd.concat([half.add_suffix("_L001"), (COUNTS - half).add_suffix("_L002")], axis=1)
    source, _ = lab_source(tmp_path, lanes)
    assert "(?P<library>" in source["libraries"]
    assert "libraries" not in lab_source(tmp_path, COUNTS)[0]


def test_several_columns_a_sample_are_summed_only_if_they_are_counts(tmp_path):
    values = COUNTS * 1.07 + 0.31
    pairs = [values.add_suffix(".AVG_Signal"), (values % 1).add_suffix(".Detection Pval")]
    _, draft = lab_source(tmp_path, pd.concat(pairs, axis=1).rename(lambda g: f"{g}_at"))
    proposal = propose(draft)
    (libraries,) = [fact for fact in proposal.source if fact.key == "libraries"]
    assert {f.key: f.value for f in proposal.facts}["scale"] == "linear"
    assert (libraries.value, libraries.mark) == (None, "fill in")
    assert "one column per sample" in libraries.remark


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
    source, draft = lab_source(tmp_path, table)
    assert source["gene_column"] == "gene_name"
    assert draft.values.index[0] == "GENE0"
    assert "gene_column" not in lab_source(tmp_path, table.drop(columns="gene_name"))[0]


def test_probes_need_a_table_that_only_the_lab_has(tmp_path):
    log2 = np.log2(COUNTS + 16).rename(index=lambda gene: f"{gene}_at")
    text = write_cohort(propose(lab_source(tmp_path, log2)[1]))
    asked = [mark.text for mark in marked_lines(text) if mark.mark == "fill in"]
    assert "annotation: null" in asked


def test_counts_of_ncbi_serve_where_the_authors_gave_none(tmp_path):
    samples = samples_of(2, ["Baseline", "Week 4"], treatment=["dupilumab"])
    settings = write_series(tmp_path, samples, kind=SEQUENCING)
    matrix = next(tmp_path.rglob("GSE1234_series_matrix.txt.gz"))
    suppl = matrix.parents[1] / "suppl"
    suppl.mkdir()
    table = COUNTS.set_axis([f"GSM{i:04d}" for i in range(8)], axis=1)
    table = table.set_axis(pd.RangeIndex(100, 300, name="GeneID"))
    table.to_csv(suppl / "GSE1234_raw_counts_GRCh38.p13_NCBI.tsv.gz", sep="\t")
    (suppl / "Human.GRCh38.p13.annot.tsv.gz").touch()
    with draft_of_series("GSE1234", None, settings) as draft:
        cohort = yaml.safe_load(write_cohort(propose(draft)))
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
    draft = draft_of_h5ad(tmp_path / "Our data.h5ad")
    cohort = yaml.safe_load(write_cohort(propose(draft)))
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
    cohort = yaml.safe_load(write_cohort(propose(draft_of_h5ad(tmp_path / "own.h5ad"))))
    assert (cohort["scale"], cohort["source"]["layer"]) == ("counts", ".raw")
