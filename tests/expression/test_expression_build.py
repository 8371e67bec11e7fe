"""The whole stage: small local cohorts, and the three real series."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scanpy as sc

from adnorm.base.tables import read_table
from adnorm.expression.build import build_expression
from adnorm.expression.size_factors import tmm_factors
from adnorm.study.cohort import read_cohort
from adnorm.study.schema import check, fill_defaults, load_schema

OUTPUTS = {
    name: f"{name}.tsv"
    for name in ("samples", "excluded", "losses", "identifiers", "design", "comparisons", "qc")
} | {"expression": "expression.h5ad"}
GENE_SETS = "config/gene_sets/adnorm.tsv"
SYMBOLS = ["FLG", "KRT16", "LOR", "C9ORF26", "SEPT2", "1-Mar", "STAT1", "IL4R", "CCL18", "S100A9"]


def default_settings(**changes):
    keys = load_schema("config")["properties"]
    pairs = keys["effects"]["properties"]["minimum_pairs"]["default"]
    return fill_defaults({"minimum_pairs": pairs}, keys["expression"]) | changes


def write_manifest(folder, cohort, route, files):
    entries = [
        {
            "role": role,
            "name": name,
            "source": name,
            "bytes": (folder / name).stat().st_size,
            "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest(),
        }
        for role, name in files.items()
    ]
    manifest = folder / "manifest.json"
    manifest.write_text(json.dumps({"cohort": cohort, "route": route, "files": entries}))
    return manifest


def local_cohort(folder, **changes):
    """Eight patients, lesional and non-lesional, counts of 60 genes; files in `folder`."""
    random = np.random.default_rng(11)
    genes = [*SYMBOLS, *(f"GENE{i}" for i in range(48)), "QUIET1", "QUIET2"]
    names = [f"{state}{patient}" for patient in range(8) for state in ("LS", "NL")]
    means = np.exp(random.normal(5, 1, size=(len(genes), 1)))
    counts = pd.DataFrame(
        random.negative_binomial(10, 10 / (10 + np.broadcast_to(means, (len(genes), 16)))),
        index=pd.Index(genes, name="gene"),
        columns=names,
    )
    counts.loc[["QUIET1", "QUIET2"]] = 0
    counts.to_csv(folder / "counts.csv")
    pd.DataFrame(
        {
            "library": names,
            "who": [f"P{n[2:]}" for n in names],
            "skin": [n[:2] for n in names],
            "score/area": ["3.5"] * 8 + [""] * 8,
            "EASI": [str(i) for i in range(16)],
        }
    ).to_csv(folder / "sheet.csv", index=False)
    cohort = {
        "id": "own",
        "title": "Own cohort",
        "disease": "atopic dermatitis",
        "tissue": "skin biopsy",
        "assay": "rna-seq",
        "route": "local",
        "scale": "counts",
        "reference": "nonlesional",
        "source": {"table": "counts.csv", "sheet": "sheet.csv"},
        "samples": {
            "patient": {"from": "who"},
            "state": {"from": "skin", "values": {"LS": "lesional", "NL": "nonlesional"}},
            "treatment": {"constant": "none"},
            "week": {"constant": 0},
            "easi": {"from": "EASI"},
        },
    } | changes
    return check(cohort, "cohort", "own.yaml"), counts


def run_local(folder, repository, cohort, outdir="out", **settings):
    files = {"table": "counts.csv", "sheet": "sheet.csv"}
    manifest = write_manifest(folder, "own", "local", files)
    outputs = {name: folder / outdir / file for name, file in OUTPUTS.items()}
    build_expression(
        manifest, cohort, default_settings(**settings), [repository / GENE_SETS], None, outputs
    )
    return outputs


@pytest.fixture
def built(tmp_path, repository):
    cohort, counts = local_cohort(tmp_path)
    return run_local(tmp_path, repository, cohort), counts


# ---------------------------------------------------------------- the contract


def test_expression_file_keeps_the_contract(built):
    outputs, counts = built
    data = sc.read_h5ad(outputs["expression"])
    samples = read_table(outputs["samples"])
    assert data.X.dtype == np.float32
    assert data.obs_names.tolist() == samples["sample"].tolist()
    assert data.layers["counts"].dtype == np.int32
    assert data.var_names.is_unique
    assert data.var_names.tolist() == sorted(data.var_names)
    assert {"mean_log2", "detected_fraction", "source_ids", "renamed_from"} <= set(data.var)
    assert data.obsm["X_pca"].shape == (16, 10)
    singular = np.linalg.svd(data.X - data.X.mean(axis=0), compute_uv=False)
    expected = (singular**2 / (singular**2).sum())[:10]
    np.testing.assert_allclose(data.uns["pca"]["variance_ratio"], expected, atol=1e-4)
    names = data.uns["adnorm"]
    assert names["cohort"] == "own"
    assert names["placebo_arm"] == ""
    assert names["simulated"] in (False, np.False_)
    assert list(names["undetected"]) == ["QUIET1", "QUIET2"]
    assert set(names["renamed"]) == {"LOR>LORICRIN", "C9ORF26>IL33", "SEPT2>SEPTIN2"}
    assert data.var.loc["LORICRIN", "renamed_from"] == "LOR"
    assert data.var.loc["FLG", "renamed_from"] == ""
    assert (names["genes"], names["samples"]) == data.shape[::-1]
    kept = counts.drop(["QUIET1", "QUIET2", "1-Mar"])
    size = kept["LS3"].sum() * tmm_factors(kept[data.obs_names])["LS3"]
    expected = np.log2(kept["LS3"] / size * 1e6 + 1)
    found = data["LS3"].to_df().iloc[0].drop(["LORICRIN", "IL33", "SEPTIN2"])
    np.testing.assert_allclose(found, expected[found.index], rtol=1e-6)
    np.testing.assert_array_equal(
        data[:, "LORICRIN"].layers["counts"].ravel(), counts.loc["LOR", data.obs_names]
    )


def test_expression_file_holds_no_nullable_types(built):
    """R readers know string-array, array and categorical; not nullable-string-array."""
    kinds = set()

    def note(_, node):
        kinds.add(node.attrs.get("encoding-type", ""))

    with h5py.File(built[0]["expression"]) as file:
        file.visititems(note)
        assert file["obs/state"].attrs["encoding-type"] == "categorical"
        assert file["obs/week"].dtype == np.float64
        assert "geo_score_area" in file["obs"]
    assert not [kind for kind in kinds if "nullable" in kind]
    obs = anndata.read_h5ad(built[0]["expression"]).obs
    for name in obs:
        assert isinstance(obs[name].dtype, pd.CategoricalDtype) or obs[name].dtype == float, name


def test_tables_keep_the_contract(built):
    outputs, _ = built
    assert list(read_table(outputs["excluded"]).columns) == ["sample", "reason"]
    design = read_table(outputs["design"])
    assert list(design.columns) == ["arm", "week", "state", "patients", "samples"]
    assert design["patients"].tolist() == [8, 8]
    comparisons = read_table(outputs["comparisons"]).set_index("contrast")
    assert comparisons.loc["lesional-nonlesional@0", ["supported", "pairs"]].tolist() == ["yes", 8]
    qc = read_table(outputs["qc"])
    assert (qc["excluded"] == "no").all()
    assert qc["library_size"].min() > 0
    steps = read_table(outputs["identifiers"]).set_index("step")["count"]
    assert steps["rows read"] == 60
    assert steps["spreadsheet date refused"] == 1
    assert steps["undetected genes removed"] == 2
    assert steps["genes in the expression"] == 57


def test_same_bytes_on_every_run(tmp_path, repository):
    cohort, _ = local_cohort(tmp_path)
    first = run_local(tmp_path, repository, cohort, "first")
    code = (
        "import sys; from pathlib import Path; import json;"
        "from adnorm.expression.build import build_expression;"
        "m, c, s, g, o = json.loads(sys.argv[1]);"
        "build_expression(Path(m), c, s, [Path(g)], None, {k: Path(v) for k, v in o.items()})"
    )
    second = {name: str(tmp_path / "second" / file) for name, file in OUTPUTS.items()}
    arguments = [
        str(tmp_path / "manifest.json"),
        cohort,
        default_settings(),
        str(repository / GENE_SETS),
        second,
    ]
    environment = dict(
        os.environ, OMP_NUM_THREADS="8", OPENBLAS_NUM_THREADS="8", PYTHONHASHSEED="7"
    )
    environment["PYTHONPATH"] = str(repository / "scripts")
    subprocess.run([sys.executable, "-c", code, json.dumps(arguments)], env=environment, check=True)
    for name, path in first.items():
        assert path.read_bytes() == Path(second[name]).read_bytes(), name


def test_order_of_rows_and_columns_does_not_matter(tmp_path, repository):
    cohort, counts = local_cohort(tmp_path)
    first = run_local(tmp_path, repository, cohort, "first")
    counts.iloc[::-1, ::-1].to_csv(tmp_path / "counts.csv")
    second = run_local(tmp_path, repository, cohort, "second")
    one, other = (sc.read_h5ad(o["expression"]) for o in (first, second))
    assert one.obs_names.tolist() == other.obs_names.tolist()
    np.testing.assert_allclose(one.X, other.X, rtol=1e-6)
    assert read_table(first["qc"]).equals(read_table(second["qc"]))


def test_quality_rules_exclude_and_are_recorded(tmp_path, repository):
    cohort, counts = local_cohort(tmp_path)
    counts["LS5"] = (counts["LS5"] / 50).astype(int)
    counts.to_csv(tmp_path / "counts.csv")
    outputs = run_local(
        tmp_path, repository, cohort, exclude_small_libraries=int(counts["LS5"].sum()) + 1
    )
    assert read_table(outputs["excluded"])["sample"].tolist() == ["LS5"]
    assert "below" in read_table(outputs["excluded"])["reason"].iloc[0]
    assert "LS5" not in read_table(outputs["samples"])["sample"].tolist()
    assert sc.read_h5ad(outputs["expression"]).n_obs == 15
    assert read_table(outputs["design"])["patients"].tolist() == [7, 8]
    assert len(read_table(outputs["qc"])) == 16


def test_samples_that_the_cohort_file_excludes_may_lack_values(tmp_path, repository):
    rule = [{"samples": ["NL7"], "reason": "withdrew consent"}]
    cohort, counts = local_cohort(tmp_path, exclude=rule)
    counts.drop(columns="NL7").to_csv(tmp_path / "counts.csv")
    outputs = run_local(tmp_path, repository, cohort)
    assert read_table(outputs["excluded"]).to_numpy().tolist() == [["NL7", "withdrew consent"]]
    assert sc.read_h5ad(outputs["expression"]).n_obs == 15


def test_constant_genes_are_kept_and_counted(tmp_path, repository):
    cohort, counts = local_cohort(tmp_path, scale="linear")
    values = counts / 3 + 1.25
    values.loc["GENE5"] = 12.5
    values.to_csv(tmp_path / "counts.csv")
    outputs = run_local(tmp_path, repository, cohort)
    steps = read_table(outputs["identifiers"]).set_index("step")
    assert steps.loc["genes without variation kept", "count"] == 3
    data = sc.read_h5ad(outputs["expression"])
    assert np.isfinite(data.X).all()
    assert "counts" not in data.layers
    assert np.ptp(data[:, "GENE5"].X) == 0


def test_expected_counts_are_rounded_and_it_is_said(tmp_path, repository):
    cohort, counts = local_cohort(tmp_path)
    whole = sc.read_h5ad(run_local(tmp_path, repository, cohort, "whole")["expression"])
    expected = counts.astype(float)
    expected.iloc[::2] += 0.25
    expected.iloc[1::2] -= np.where(counts.iloc[1::2] > 0, 0.25, 0)
    expected.to_csv(tmp_path / "counts.csv")
    cohort["source"]["round_counts"] = True
    outputs = run_local(tmp_path, repository, cohort, "rounded")
    rounded = sc.read_h5ad(outputs["expression"])
    np.testing.assert_array_equal(rounded.layers["counts"], whole.layers["counts"])
    steps = read_table(outputs["identifiers"]).set_index("step")
    found = steps.loc["expected counts rounded to whole numbers"]
    assert found["count"] == (expected != counts).to_numpy().sum()
    assert found["detail"] == "of 960 values; asked for by source: round_counts"
    assert steps.index[0] == found.name


def test_samples_may_be_numbers(tmp_path, repository):
    cohort, counts = local_cohort(tmp_path)
    numbers = {name: str(i) for i, name in enumerate(counts.columns, 1)}
    counts.rename(columns=numbers).to_csv(tmp_path / "counts.csv")
    sheet = pd.read_csv(tmp_path / "sheet.csv", dtype=str)
    sheet.assign(library=sheet["library"].map(numbers)).to_csv(tmp_path / "sheet.csv", index=False)
    data = sc.read_h5ad(run_local(tmp_path, repository, cohort)["expression"])
    assert sorted(data.obs_names) == sorted(numbers.values())


def test_ensembl_ids_may_carry_their_symbol(tmp_path, repository):
    cohort, counts = local_cohort(tmp_path)
    ids = [f"ENSG{i:011d}.{i}_{gene}" for i, gene in enumerate(counts.index)]
    counts.set_axis(ids, axis=0).rename_axis("gene_id").to_csv(tmp_path / "counts.csv")
    table = tmp_path / "genes.tsv"
    rows = [f"{name[:15]}.9\t{gene}" for name, gene in zip(ids, counts.index, strict=True)]
    table.write_text("gene_id\tgene_name\n" + "\n".join(rows) + "\n")
    files = {"table": "counts.csv", "sheet": "sheet.csv"}
    outputs = {name: tmp_path / "out" / file for name, file in OUTPUTS.items()}
    build_expression(
        write_manifest(tmp_path, "own", "local", files),
        cohort,
        default_settings(),
        [repository / GENE_SETS],
        table,
        outputs,
    )
    data = sc.read_h5ad(outputs["expression"])
    assert {"FLG", "KRT16", "GENE7"} <= set(data.var_names)
    assert data.var.loc["FLG", "source_ids"] == "ENSG00000000000.0_FLG"


def array_cohort(folder):
    """The same cohort as log2 values of an array with two probes a gene, on shifted scales."""
    changes = {"assay": "microarray", "scale": "log2"}
    cohort, counts = local_cohort(folder, **changes)
    random = np.random.default_rng(5)
    probes = [f"p{i}_at" for i in range(120)]
    level = random.normal(8, 2, size=(120, 1))
    log2 = (level + random.normal(0, 0.3, size=(120, 16))) * np.linspace(0.8, 1.2, 16)
    values = pd.DataFrame(log2, index=pd.Index(probes, name="probe"), columns=counts.columns)
    values.to_csv(folder / "counts.csv")
    genes = [f"GENE{i // 2}" for i in range(120)]
    rows = "\n".join(f"{probe}\t{gene}" for probe, gene in zip(probes, genes, strict=True))
    (folder / "annotation.tsv").write_text(f"ID\tGene symbol\n{rows}\n")
    return cohort, values


def run_arrays(folder, repository, cohort, outdir, **settings):
    files = {"table": "counts.csv", "sheet": "sheet.csv", "annotation": "annotation.tsv"}
    outputs = {name: folder / outdir / file for name, file in OUTPUTS.items()}
    build_expression(
        write_manifest(folder, "own", "local", files),
        cohort,
        default_settings(array_normalization="quantile", **settings),
        [repository / GENE_SETS],
        None,
        outputs,
    )
    return outputs


def test_quantile_normalization_is_done_on_probes(tmp_path, repository):
    cohort, values = array_cohort(tmp_path)
    outputs = run_arrays(tmp_path, repository, cohort, "out")
    data = sc.read_h5ad(outputs["expression"])
    reference = np.sort(values.to_numpy(), axis=0).mean(axis=1)
    ranks = values["LS3"].rank().astype(int) - 1
    expected = pd.Series(reference[ranks], index=values.index)
    used = data.var["source_ids"].str.split(";").str[0]
    np.testing.assert_allclose(data["LS3"].to_df().iloc[0][used.index], expected[used], rtol=1e-5)
    assert data.uns["adnorm"]["normalization"].startswith("quantile normalization of probes")


def test_samples_that_go_do_not_shape_the_distribution(tmp_path, repository):
    cohort, values = array_cohort(tmp_path)
    values["LS5"] = np.random.default_rng(6).permutation(values["LS5"].to_numpy()) + 3
    values.to_csv(tmp_path / "counts.csv")
    judged = run_arrays(tmp_path, repository, cohort, "judged", exclude_outliers=True)
    assert read_table(judged["excluded"])["sample"].tolist() == ["LS5"]
    cohort["exclude"] = [{"samples": ["LS5"], "reason": "an outlier"}]
    named = run_arrays(tmp_path, repository, cohort, "named")
    one, other = (sc.read_h5ad(o["expression"]) for o in (judged, named))
    np.testing.assert_array_equal(one.X, other.X)


# ---------------------------------------------------------------- the real series


def run_real(name, files, shared, repository, tmp_path, identifiers=None):
    """Run one series of the mirror with its cohort file."""
    cohort = read_cohort(repository / "config" / "cohorts" / f"{name}.yaml")
    for file in files.values():
        source = next((shared / "geo").rglob(file))
        shutil.copyfile(source, tmp_path / file)
    manifest = write_manifest(tmp_path, name, cohort["route"], files)
    outputs = {key: tmp_path / "out" / file for key, file in OUTPUTS.items()}
    build_expression(
        manifest, cohort, default_settings(), [repository / GENE_SETS], identifiers, outputs
    )
    return outputs, sc.read_h5ad(outputs["expression"])


def test_gse80342_before_and_after_ruxolitinib(shared, repository, tmp_path):
    files = {"series_matrix": "GSE80342_series_matrix.txt.gz", "annotation": "GPL570.annot.gz"}
    outputs, data = run_real("gse80342", files, shared, repository, tmp_path)
    assert data.n_obs == 21
    obs = data.obs[data.obs["arm"] == "ruxolitinib"]
    log2 = data.to_df().loc[obs.index]
    change = log2[obs["week"] == 12].mean() - log2[obs["week"] == 0].mean()
    expected = {"CXCL9": -2.66, "CD8A": -2.24, "STAT1": -0.60, "SOCS3": -0.71, "IL4R": -0.51}
    for gene, value in expected.items():
        assert change[gene] == pytest.approx(value, abs=0.01), gene
    for gene in ("FLG", "OSMR", "LORICRIN", "IL31RA"):
        assert abs(change[gene]) < 0.1, gene
    qc = read_table(outputs["qc"])
    assert (qc["flags"] == "").all()
    # Sex agrees with the sheet in every sample, so the pairing holds.
    told = data.obs["sex"].reindex(qc["sample"]).astype(str).to_numpy()
    assert (qc["sex_called"].to_numpy() == told).all()
    steps = read_table(outputs["identifiers"]).set_index("step")["count"]
    assert steps["rows read"] == 54675
    assert steps["probes of several genes dropped"] == 1219
    assert {"IL33", "CXCL8", "NGF", "CDK1", "LORICRIN"} <= set(data.var_names)


def test_gse193309_counts_with_ensembl_ids(shared, repository, tmp_path):
    files = {
        "series_matrix": "GSE193309_series_matrix.txt.gz",
        "table": "GSE193309_count_matrix.csv.gz",
    }
    table = shared / "reference" / "gencode_v26_annotation.tsv.gz"
    outputs, data = run_real("gse193309", files, shared, repository, tmp_path, table)
    assert data.n_obs == 49
    assert data.obs["patient"].nunique() == 28
    assert {"LORICRIN", "MARCHF1", "SEPTIN2", "FLG"} <= set(data.var_names)
    steps = read_table(outputs["identifiers"]).set_index("step")["count"]
    assert steps["Ensembl gene ids translated"] == 17795
    qc = read_table(outputs["qc"]).set_index("sample")
    # Two biopsies of one man in the sheet; one of them expresses XIST and no Y gene.
    swap = qc.index[qc["flags"].str.contains("sex_contradicts_sheet")].tolist()
    assert swap == ["01_AD_22_LS_01"]
    assert qc["library_size"].median() == pytest.approx(2.2e7, rel=0.05)


def test_gse199046_keeps_its_genes_with_tiny_libraries(shared, repository, tmp_path):
    files = {
        "series_matrix": "GSE199046_series_matrix.txt.gz",
        "table": "GSE199046_count_matrix.txt.gz",
    }
    outputs, data = run_real("gse199046", files, shared, repository, tmp_path)
    assert data.n_obs == 194
    facts = pd.read_csv(shared / "domain" / "gene_sets.tsv", sep="\t", dtype=str)

    def found(name):
        members = facts[(facts["set"] == name) & facts["direction"].isin(["up", "down"])]
        return int(members["symbol"].isin(data.var_names).sum()), len(members)

    assert found("itch_core_skin_up") == (7, 28)
    assert found("barrier_hyperproliferation_up") == (24, 34)
    # 25 under their approved symbol, and KPLCE under its retired one, C1orf68.
    assert found("barrier_terminal_differentiation_down") == (26, 31)
    assert data.var.loc["KPLCE", "renamed_from"] == "C1orf68"
    qc = read_table(outputs["qc"])
    assert qc["library_size"].median() == 8944
    assert qc["library_size"].min() == 40
    assert (qc["sex_called"] == "not called").all()
    assert qc["not_computed"].str.contains("XIST absent").all()
