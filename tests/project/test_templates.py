"""Templates of cohort files: copied to the name of their id, they run on the files they name."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from scipy import sparse

import builders.series as public
from adnorm.base.tables import read_table
from adnorm.base.yaml_text import read_yaml
from adnorm.study.comparisons import derive_design
from adnorm.study.reading import read_cohort
from builders.expression_stage import GENE_SETS, express
from builders.fetched import fetch_cohort

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "config" / "templates"
GENES = [*(f"GENE{number}" for number in range(80)), "FLG", "IL13"]


def people(arms, states, visits):
    rows = public.biopsies(arms, states, visits)
    return pd.DataFrame(rows, columns=["subject", "drug", "skin", "visit"])


def numbers(samples, genes=GENES):
    """Counts, genes × samples."""
    random = np.random.default_rng(9)
    means = np.exp(random.normal(6, 1, (len(genes), 1)))
    return pd.DataFrame(random.poisson(np.tile(means, (1, len(samples)))), genes, samples)


# ---------------------------------------------------------------- files as the templates name them


def counts(data):
    sheet = people({"UPA 15 mg": 3, "UPA 30 mg": 3, "placebo": 3}, ("LS", "NL"), ("BL", "W2"))
    sheet.insert(0, "library", [f"LIB{row:02d}" for row in range(len(sheet))])
    sheet = sheet.assign(EASI="21.5", itch="", sex="F")
    sheet.to_csv(data / "samples.csv", index=False)
    numbers(sheet["library"]).rename_axis("gene").to_csv(data / "counts.csv")


def tpm(data):
    sheet = people({"UPA": 4, "PBO": 4}, ("LS", "NL"), ("1", "15")).rename(columns={"visit": "day"})
    sheet = sheet.assign(SCORAD="50", library=[f"LIB{row:02d}" for row in range(len(sheet))])
    sheet.to_csv(data / "samples.tsv", sep="\t", index=False)
    values = numbers(sheet["library"])
    table = (values / values.sum() * 1e6).rename_axis("gene_name").reset_index()
    table.insert(0, "length", "1200")
    table.to_csv(data / "tpm.tsv.gz", sep="\t", index=False)


def array(data):
    sheet = people({"": 4}, ("LS", "NL"), ("week 0", "week 12"))
    sheet = sheet.assign(biopsy=sheet["skin"] + " " + sheet["visit"], scan_date="2020-01-01")
    sheet.index = [f"chip{row}" for row in range(len(sheet))]
    sheet[["subject", "biopsy", "scan_date"]].rename_axis("chip").to_csv(data / "arrays.csv")
    probes = [f"{number}_at" for number in range(len(GENES))]
    values = np.log2(numbers(sheet.index, probes) + 1.5).rename_axis("probe")
    values.to_csv(data / "array.tsv", sep="\t")
    symbols = pd.DataFrame({"ID": probes, "Gene symbol": GENES})
    symbols.to_csv(data / "probes.tsv", sep="\t", index=False)


def h5ad(data):
    obs = people({"100": 4, "200": 4}, ("lesional", "non-lesional"), ("baseline", "week 2"))
    obs = obs.rename(columns={"subject": "donor", "drug": "dose", "visit": "timepoint"})
    obs.index = [f"biopsy{row}" for row in range(len(obs))]
    values = numbers(obs.index).T
    log = np.log1p(values.to_numpy(dtype=np.float32))
    adata = ad.AnnData(log, obs=obs, var=pd.DataFrame(index=values.columns))
    adata.layers["counts"] = values.to_numpy()
    adata.write_h5ad(data / "pseudobulk.h5ad")


def series(accession, platform):
    rows = people({"Drug": 4, "Placebo": 4}, ("LS", "NL"), ("baseline", "week 4"))
    samples = tuple(
        {"patient id": r.subject, "tissue": r.skin, "treatment": r.drug, "time": r.visit}
        for r in rows.itertuples()
    )
    return public.Series(accession, platform, samples)


def geo_series(data):
    made = series("GSE000000", "GPL570")
    probes = [f"{number}_at" for number in range(len(GENES))]
    values = np.log2(numbers(made.names, probes) + 1.5).round(4)
    home = data.parent / "geo"
    path = home / "series/GSE000nnn/GSE000000/matrix/GSE000000_series_matrix.txt.gz"
    public.write_series_matrix(made, path, dict(zip(probes, values.to_numpy(), strict=True)))
    annotation = home / "platforms/GPLnnn/GPL570/annot/GPL570.annot.gz"
    annotation.parent.mkdir(parents=True)
    symbols = pd.DataFrame({"ID": probes, "Gene symbol": GENES}).to_csv(sep="\t", index=False)
    annotation.write_bytes(gzip.compress(symbols.encode(), mtime=0))


def ncbi_counts(data):
    made = series("GSE000001", "GPL24676")
    home = data.parent / "geo" / "series/GSE000nnn/GSE000001"
    public.write_series_matrix(made, home / "matrix/GSE000001_series_matrix.txt.gz")
    ids = [str(1000 + number) for number in range(len(GENES))]
    # One sample did not pass NCBI's pipeline.
    values = numbers(made.names, ids).rename_axis("GeneID").drop(columns=made.names[1])
    suppl = home / "suppl"
    suppl.mkdir()
    values.to_csv(suppl / "GSE000001_raw_counts_GRCh38.p13_NCBI.tsv.gz", sep="\t")
    known = pd.DataFrame({"GeneID": ids, "Symbol": GENES, "EnsemblGeneID": ""})
    known.to_csv(suppl / "Human.GRCh38.p13.annot.tsv.gz", sep="\t", index=False)


#: Template → what makes its files, its arms, samples, one comparison that it supports.
RUNS = {
    "counts": (counts, {"upadacitinib 15 mg", "upadacitinib 30 mg", "placebo"}, 36),
    "tpm": (tpm, {"upadacitinib 15 mg", "placebo"}, 32),
    "array": (array, {"ciclosporin"}, 16),
    "h5ad": (h5ad, {"abrocitinib 100 mg", "abrocitinib 200 mg"}, 32),
    "geo_series": (geo_series, {"a drug", "placebo"}, 32),
    "ncbi_counts": (ncbi_counts, {"a drug", "placebo"}, 31),
}


def copied(name, folder):
    """Copy a template to the name of its id, as its first lines say."""
    template = TEMPLATES / f"{name}.yaml"
    target = folder / f"{read_yaml(template)['id']}.yaml"
    shutil.copy(template, target)
    return target


def run(cohort, folder):
    """Fetch and expression, as the workflow calls them."""
    manifest = fetch_cohort(cohort, folder / "fetch", address="file:geo")
    return express(manifest, cohort, [ROOT / GENE_SETS], folder)


def test_every_template_is_run():
    assert {path.stem for path in TEMPLATES.iterdir()} == set(RUNS)


@pytest.mark.parametrize("name", sorted(RUNS))
def test_a_template_names_the_file_that_it_becomes(tmp_path, name):
    cohort = read_cohort(copied(name, tmp_path))
    text = (TEMPLATES / f"{name}.yaml").read_text(encoding="utf-8")
    assert f"config/cohorts/{cohort.id}.yaml" in text


@pytest.mark.parametrize("name", sorted(RUNS))
def test_a_template_runs_from_its_files_to_expression(tmp_path, monkeypatch, name):
    make, arms, samples = RUNS[name]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    make(tmp_path / "data")
    cohort = read_cohort(copied(name, tmp_path))
    outputs = run(cohort, tmp_path)
    data = sc.read_h5ad(outputs["expression"])
    assert data.n_obs == samples and {"FLG", "IL13", "GENE7"} <= set(data.var_names)
    assert set(data.obs["arm"]) == arms
    assert ("counts" in data.layers) == (cohort.scale == "counts")
    design = derive_design(data.obs, cohort.placebo_arm, 3)
    kinds = {comparison.kind for comparison in design.supported}
    assert {"lesional-nonlesional", "change", "residual"} <= kinds
    assert ("change-difference" in kinds) == (len(arms) > 1)
    excluded = read_table(outputs["excluded"])
    if name == "ncbi_counts":
        assert excluded["sample"].tolist() == ["GSM000001002"]
        assert excluded["reason"].str.startswith("no NCBI-generated counts").all()
    else:
        assert excluded.empty


def test_the_h5ad_template_takes_cells_of_10x_that_were_added_up(tmp_path, monkeypatch):
    """Sparse sums in X, symbols in the index of var, Ensembl ids beside them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    h5ad(tmp_path / "data")
    adata = ad.read_h5ad(tmp_path / "data" / "pseudobulk.h5ad")
    adata.X = sparse.csr_matrix(adata.layers.pop("counts")).astype(np.float32)
    adata.var["gene_ids"] = [f"ENSG{number:011d}" for number in range(adata.n_vars)]
    adata.var["genome"] = "GRCh38"
    adata.write_h5ad(tmp_path / "data" / "pseudobulk.h5ad")
    path = copied("h5ad", tmp_path)
    path.write_text(path.read_text().replace("  layer: counts", "  # layer: counts"))
    cohort = read_cohort(path)
    outputs = run(cohort, tmp_path)
    data = sc.read_h5ad(outputs["expression"])
    found = data[:, GENES].layers["counts"]
    np.testing.assert_array_equal(found, adata[data.obs_names, GENES].X.toarray())
