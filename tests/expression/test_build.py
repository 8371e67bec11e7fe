"""The whole stage: small local cohorts, the three real series; bad input stops in a paragraph."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scanpy as sc

from adnorm.base.errors import AdnormError
from adnorm.base.tables import read_table
from adnorm.expression.library_sizes import tmm_factors
from adnorm.study.gene_sets import SetSymbols, read_gene_sets
from adnorm.study.reading import read_cohort
from builders.expression_stage import GENE_SETS, SAMPLES, express, small_cohort, write_manifest

SYMBOLS = ["FLG", "KRT16", "LOR", "C9ORF26", "SEPT2", "1-Mar", "STAT1", "IL4R", "CCL18", "S100A9"]


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
    cohort = small_cohort(
        source={"table": "counts.csv", "sheet": "sheet.csv"},
        samples=SAMPLES | {"easi": {"from": "EASI"}},
        **changes,
    )
    return cohort, counts


def run_local(folder, repository, cohort, outdir="out", added=(), **rules):
    files = {"table": "counts.csv", "sheet": "sheet.csv"}
    manifest = write_manifest(folder, "own", "local", files)
    return express(manifest, cohort, [repository / GENE_SETS, *added], folder / outdir, **rules)


@pytest.fixture
def built(tmp_path, repository):
    cohort, counts = local_cohort(tmp_path)
    return run_local(tmp_path, repository, cohort), counts


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
    assert not names["randomised"]
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
        "import sys; import json; from builders.expression_stage import express;"
        "m, c, g, o = json.loads(sys.argv[1]); express(m, c, [g], o)"
    )
    arguments = [
        str(tmp_path / "manifest.json"),
        cohort,
        str(repository / GENE_SETS),
        str(tmp_path / "second"),
    ]
    environment = dict(
        os.environ, OMP_NUM_THREADS="8", OPENBLAS_NUM_THREADS="8", PYTHONHASHSEED="7"
    )
    environment["PYTHONPATH"] = f"{repository / 'scripts'}:{repository / 'tests'}"
    subprocess.run([sys.executable, "-c", code, json.dumps(arguments)], env=environment, check=True)
    for name, path in first.items():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes(), name


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


def test_an_exchanged_pair_is_told_and_left_out_by_the_rule(tmp_path, repository, caplog):
    cohort, counts = local_cohort(tmp_path)
    rising = counts.index[:20]
    lesional = [name for name in counts if name.startswith("LS")]
    counts.loc[rising, lesional] *= 6
    counts[["LS5", "NL5"]] = counts[["NL5", "LS5"]].to_numpy()
    counts.to_csv(tmp_path / "counts.csv")
    outputs = run_local(tmp_path, repository, cohort)
    assert len(read_table(outputs["samples"])) == 16
    assert "2 samples may carry the label of another one: LS5: perhaps exchanged" in caplog.text
    quality = read_table(outputs["qc"]).set_index("sample")
    flagged = quality.index[quality["flags"].str.contains("state_exchanged", na=False)]
    assert flagged.tolist() == ["LS5", "NL5"]
    assert quality.loc["LS5", "lesional_place"] < 0.5 < quality.loc["NL5", "lesional_place"]
    outputs = run_local(tmp_path, repository, cohort, "again", exclude_swaps=True)
    excluded = read_table(outputs["excluded"])
    assert excluded["sample"].tolist() == ["LS5", "NL5"]
    assert excluded["reason"].str.contains("excluded by exclude_swaps").all()


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
    manifest = write_manifest(tmp_path, "own", "local", files)
    outputs = express(manifest, cohort, [repository / GENE_SETS], tmp_path / "out", table)
    data = sc.read_h5ad(outputs["expression"])
    assert {"FLG", "KRT16", "GENE7"} <= set(data.var_names)
    assert data.var.loc["FLG", "source_ids"] == "ENSG00000000000.0_FLG"


def array_cohort(folder):
    """The same cohort as log2 values of an array with two probes per gene, on shifted scales."""
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
    manifest, sets = write_manifest(folder, "own", "local", files), [repository / GENE_SETS]
    return express(
        manifest, cohort, sets, folder / outdir, array_normalization="quantile", **settings
    )


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


def run_real(name, files, shared, repository, tmp_path, identifiers=None):
    """Run one series of the mirror with its cohort file."""
    cohort = read_cohort(repository / "config" / "cohorts" / f"{name}.yaml")
    for file in files.values():
        source = next((shared / "geo").rglob(file))
        shutil.copyfile(source, tmp_path / file)
    manifest = write_manifest(tmp_path, name, cohort.route, files)
    sets = [repository / GENE_SETS]
    outputs = express(manifest, cohort, sets, tmp_path / "out", identifiers)
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
    # Genes that tell people apart say so too, and find two more patients with unlike biopsies.
    other = qc[qc["flags"].str.contains("other_patient")]
    assert "01_AD_22_LS_01" in other.index
    assert set(other["patient"]) == {"AD_03", "AD_20", "AD_22"}
    assert "patient AD_19 fits better (0 differ)" in other.loc["01_AD_03_LS_01", "reason"]
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


NAMES = [f"{state}{patient}" for patient in range(5) for state in ("LS", "NL")]


GENES = ["FLG", "KRT16", "IL4R", *(f"GENE{i}" for i in range(37))]


class Bench:
    """A small cohort whose parts a test breaks one at a time."""

    def __init__(self, folder, repository):
        self.folder, self.repository = folder, repository
        random = np.random.default_rng(4)
        means = np.exp(random.normal(5, 1, size=(40, 1)))
        self.counts = pd.DataFrame(
            random.poisson(np.broadcast_to(means, (40, 10))).astype(float),
            index=pd.Index(GENES, name="gene"),
            columns=NAMES,
        )
        self.sheet = pd.DataFrame(
            {"library": NAMES, "who": [f"P{n[2:]}" for n in NAMES], "skin": [n[:2] for n in NAMES]}
        )
        self.files = {"table": "counts.csv", "sheet": "sheet.csv"}
        self.cohort = small_cohort(
            source={"table": "counts.csv", "sheet": "sheet.csv"}, samples=SAMPLES
        )
        self.settings = {}
        self.identifiers = None

    def write(self):
        self.counts.to_csv(self.folder / "counts.csv")
        self.sheet.to_csv(self.folder / "sheet.csv", index=False)
        self.write_manifest()

    def write_manifest(self):
        files = [
            {
                "role": role,
                "name": name,
                "source": name,
                "bytes": 1,
                "sha256": hashlib.sha256((self.folder / name).read_bytes()).hexdigest(),
            }
            for role, name in self.files.items()
        ]
        content = {"cohort": "own", "route": self.cohort["route"], "files": files}
        (self.folder / "manifest.json").write_text(json.dumps(content))

    def run(self):
        return express(
            self.folder / "manifest.json",
            self.cohort,
            [self.repository / GENE_SETS],
            self.folder / "out",
            self.identifiers,
            **self.settings,
        )

    def stops(self, *words):
        """Run; it must stop with all these words, and leave nothing behind."""
        with pytest.raises(AdnormError) as error:
            self.run()
        for word in words:
            assert word in str(error.value), str(error.value)
        out = self.folder / "out"
        assert not out.exists() or not list(out.iterdir())


@pytest.fixture
def bench(tmp_path, repository):
    return Bench(tmp_path, repository)


def test_the_unbroken_cohort_runs(bench):
    bench.write()
    outputs = bench.run()
    assert all(path.is_file() for path in outputs.values())


def test_changed_file(bench):
    bench.write()
    with (bench.folder / "counts.csv").open("a") as file:
        file.write("GENE99" + ",1" * 10 + "\n")
    bench.stops("counts.csv has changed since it was fetched", "fetch again")


def test_messages_name_the_file_of_the_cohort_and_not_its_copy(bench):
    # The manifest keeps the name alone of an absolute path.
    bench.cohort["source"] = {"table": "/lab/a/counts.csv", "sheet": "lab/sheet.csv"}
    bench.sheet.loc[1, "library"] = bench.sheet.loc[0, "library"]
    bench.write()
    with pytest.raises(AdnormError) as error:
        bench.run()
    assert str(error.value).startswith("lab/sheet.csv: column 'library': 1 sample stands in")
    assert str(bench.folder) not in str(error.value)
    assert str(bench.folder) in str(error.value.__cause__)
    bench.sheet["library"] = NAMES
    bench.counts = bench.counts.astype(object)
    bench.counts.iloc[3, 2] = "many"
    bench.write()
    with pytest.raises(
        AdnormError, match=r"^/lab/a/counts\.csv: 2 problems\n.*'many': is not a number"
    ):
        bench.run()
    bench.counts.iloc[3, 2] = 5
    bench.counts.columns = [f"X{name}" for name in NAMES]
    bench.write()
    bench.stops("cohort own: /lab/a/counts.csv: no column has the name of a sample", "'X'")


def test_missing_file(bench):
    bench.write()
    (bench.folder / "sheet.csv").unlink()
    bench.stops("sheet.csv is missing", "fetch again")


def test_manifest_of_another_cohort(bench):
    bench.write()
    path = bench.folder / "manifest.json"
    path.write_text(path.read_text().replace('"cohort": "own"', '"cohort": "other"'))
    bench.stops("belongs to cohort 'other', not 'own'")


def test_missing_role(bench):
    del bench.files["sheet"]
    bench.write()
    bench.stops("no file has the role 'sheet'")


def test_all_samples_excluded_by_the_cohort_file(bench):
    bench.cohort["exclude"] = [{"from": "skin", "values": ["LS", "NL"], "reason": "a test"}]
    bench.write()
    bench.stops("all 10 samples are excluded")


def test_all_samples_below_the_library_limit(bench):
    bench.settings["exclude_small_libraries"] = 10**9
    bench.write()
    bench.stops("all 10 samples have fewer reads", "exclude_small_libraries: 1000000000")


def test_sample_without_values(bench):
    bench.counts = bench.counts.drop(columns=["LS3", "NL4"])
    bench.write()
    bench.stops("2 samples have no column", "'LS3', 'NL4'")


def test_values_without_a_sample(bench):
    bench.sheet = bench.sheet.iloc[:-1]
    bench.write()
    bench.stops("1 of 10 columns belongs to no sample", "'NL4'")


def test_misspelt_sample(bench):
    bench.counts = bench.counts.rename(columns={"LS3": "LS03"})
    bench.write()
    bench.stops("'LS03'", "did you mean", "LS3")


def test_a_table_without_a_header(bench):
    bench.write()
    path = bench.folder / "counts.csv"
    path.write_text(path.read_text().split("\n", 1)[1])
    bench.write_manifest()
    bench.stops("the first row holds numbers", "no header")


def test_numbers_that_are_no_sample(bench):
    bench.counts.columns = [str(i) for i in range(1, 11)]
    bench.write()
    bench.stops("The 10 columns: '1', '2'", "the first row holds numbers ('1', '2',")


def test_the_sheet_is_checked_before_the_values(bench):
    bench.sheet.loc[0, "skin"] = "lesion"
    bench.counts.loc["FLG", "LS0"] = -5
    bench.write()
    bench.stops("no mapping covers 'lesion'")


def test_sample_without_reads(bench):
    bench.counts["LS2"] = 0.0
    bench.write()
    bench.stops("no reads", "'LS2'", "exclude")


def test_negative_counts(bench):
    bench.counts.loc["KRT16", "NL1"] = -3
    bench.write()
    bench.stops("negative", "'KRT16'", "'NL1'", "-3")


@pytest.mark.parametrize("text", ["inf", "-inf"])
def test_infinite_value(bench, text):
    bench.counts.loc["KRT16", "NL1"] = float(text)
    bench.write()
    bench.stops("KRT16", "NL1")


def test_counts_declared_log2(bench):
    bench.cohort["scale"] = "log2"
    bench.write()
    bench.stops("declared is `scale: log2`", "100% of them are whole numbers", "`scale: counts`")


def test_log2_declared_counts(bench):
    bench.counts = np.log2(bench.counts + 1)
    bench.write()
    bench.stops("declared is `scale: counts`", "`scale: log2_counts`")


def test_expected_counts_name_the_key_first(bench):
    bench.counts += 0.25
    bench.write()
    with pytest.raises(AdnormError) as error:
        bench.run()
    text = str(error.value)
    assert text.index("`round_counts: true`") < text.index("`scale: linear`")


def test_log2_values_are_not_rounded_to_counts(bench):
    bench.counts = np.log2(bench.counts / bench.counts.sum() * 1e6 + 1)
    bench.cohort["source"]["round_counts"] = True
    bench.write()
    bench.stops("declared is `scale: counts`", "`scale: log2`", "take `round_counts` out")


def test_rounding_is_for_counts(bench):
    bench.counts += 0.25
    bench.cohort["source"]["round_counts"] = True
    bench.cohort["scale"] = "linear"
    bench.write()
    bench.stops("`source: round_counts: true` is for `scale: counts`", "`scale: linear`")


def test_nothing_passes_the_filter_of_linear_values(bench):
    bench.counts += 0.25
    bench.cohort["scale"] = "linear"
    bench.settings["minimum_value"] = 1e6
    bench.write()
    bench.stops("no gene has a value of 1e+06 in 5 samples", "minimum_value")


def test_sample_of_missing_values(bench):
    bench.counts.loc[GENES[5:], "LS1"] = np.nan
    bench.write()
    bench.stops("'LS1 (88%)'", "exclude them")


def test_table_of_one_value(bench):
    bench.counts[:] = 7.0
    bench.write()
    bench.stops("all values are 7")


def test_nothing_passes_the_filter(bench):
    bench.settings["minimum_count"] = 10**7
    bench.write()
    bench.stops("no gene has 10000000 reads")


def test_mouse_symbols(bench):
    bench.counts.index = [gene.capitalize() for gene in GENES]
    bench.write()
    bench.stops("mouse", "Flg")


def test_mouse_ensembl_ids(bench):
    bench.counts.index = [f"ENSMUSG{i:011d}" for i in range(40)]
    bench.write()
    bench.stops("another species", "ENSMUSG00000000000")


def test_ensembl_ids_without_a_table(bench):
    bench.counts.index = [f"ENSG{i:011d}.1" for i in range(40)]
    bench.write()
    bench.stops("Ensembl gene ids", "`identifiers: table:`")


def test_symbols_among_ensembl_ids_are_not_shown_as_ids(bench):
    bench.counts.index = ["CCL17", "FLG", *(f"ENSG{i:011d}.1" for i in range(38))]
    bench.write()
    with pytest.raises(AdnormError, match=r"38 of 40 rows are Ensembl gene ids \('ENSG0") as error:
        bench.run()
    assert "CCL17" not in str(error.value)


def test_ensembl_ids_that_the_table_does_not_know(bench):
    bench.counts.index = [f"ENSG{i:011d}.1" for i in range(40)]
    bench.identifiers = bench.folder / "genes.tsv"
    bench.identifiers.write_text("gene_id\tgene_name\nENSG00000143631.10\tFLG\n")
    bench.write()
    bench.stops("knows only 0 of 40", "wrong table")


def write_matrix(bench, with_values, symbols=("FLG", "KRT16", "IL4R", "---")):
    """Turn the cohort into a GEO array cohort with an annotation of four probes."""
    lines = ['!Series_title\t"x"', '!Series_geo_accession\t"GSE1"']
    quoted = "\t".join(f'"{n}"' for n in NAMES)
    lines.append(f"!Sample_geo_accession\t{quoted}")
    for key, column in (("who", "who"), ("skin", "skin")):
        cells = "\t".join(f'"{key}: {v}"' for v in bench.sheet[column])
        lines.append(f"!Sample_characteristics_ch1\t{cells}")
    lines += ["!series_matrix_table_begin", f'"ID_REF"\t{quoted}']
    if with_values:
        log2 = np.log2(bench.counts.iloc[:4] + 1.5)
        for i, row in enumerate(log2.to_numpy()):
            lines.append("\t".join([f'"p{i}_at"', *(f"{v:.3f}" for v in row)]))
    lines.append("!series_matrix_table_end")
    with gzip.open(bench.folder / "GSE1_series_matrix.txt.gz", "wt") as file:
        file.write("\n".join(lines) + "\n")
    rows = "\n".join(f"p{i}_at\t{symbol}" for i, symbol in enumerate(symbols))
    with gzip.open(bench.folder / "GPL1.annot.gz", "wt") as file:
        file.write(f"^Annotation\n!platform_table_begin\nID\tGene symbol\n{rows}\n")
        file.write("!platform_table_end\n")
    bench.files = {"series_matrix": "GSE1_series_matrix.txt.gz", "annotation": "GPL1.annot.gz"}
    bench.cohort |= {
        "route": "geo_series_matrix",
        "accession": "GSE1",
        "assay": "microarray",
        "scale": "log2",
        "source": {},
    }
    bench.write()


def test_the_unbroken_array_cohort_runs(bench):
    write_matrix(bench, with_values=True)
    bench.run()


def test_series_matrix_without_values_names_the_other_route(bench):
    write_matrix(bench, with_values=False)
    bench.stops("the table of the series matrix is empty", "`route: geo_supplementary`")


def test_annotation_without_symbols(bench):
    write_matrix(bench, with_values=True, symbols=("---", "", "---", ""))
    bench.stops("annotation without symbols", "symbol_column")


def test_annotation_of_probes_of_several_genes_only(bench):
    write_matrix(bench, with_values=True, symbols=("A///B", "C///D", "E///F", "G///H"))
    bench.stops("gives no probe a gene symbol", "4 with several")


def test_annotation_of_another_platform(bench):
    write_matrix(bench, with_values=True)
    with gzip.open(bench.folder / "GPL1.annot.gz", "wt") as file:
        file.write("ID\tGene symbol\nILMN_1\tFLG\nILMN_2\tKRT16\n")
    bench.write()
    bench.stops("knows only 0 of 4 probes", "another platform")


# ---------------------------------------------------------------- gene sets beside ours

HEAD = "set\tsymbol\tdirection\tprevious_symbols\n"


def written_with(folder, repository, outdir, *added):
    """The bytes of all results with added files, and the digest of what they were read by."""
    cohort, _ = local_cohort(folder)
    outputs = run_local(folder, repository, cohort, outdir, added)
    symbols = SetSymbols.of(read_gene_sets([repository / GENE_SETS, *added])).digest
    return {name: path.read_bytes() for name, path in outputs.items()}, symbols


@pytest.mark.parametrize(
    ("content", "changes"),
    [
        ("mine\tx\tFLG\tKRT16\tIL4R\n", ()),
        ("mine\tx\tLOR\tIL8\tC9orf26\n", ()),
        # The platform has no such genes: nothing but the digest, which does not know the platform.
        ("mine\tx\tFLG\tNOWHERE1\n", ()),
        ("mine\tx\tflg\tkrt16\n", ()),
        ("mine\tx\tFLG\tGene3\n", ("identifiers", "expression")),
        ("mine\tx\tFLG\tSEPT2\n", ("identifiers", "expression")),
        (f"{HEAD}mine\tTRUE4\tup\tGENE4\n", ("identifiers", "expression")),
    ],
    ids=["known", "retired", "new", "lower case", "spelling", "family", "previous"],
)
def test_added_sets_change_nothing_unless_their_digest_does(tmp_path, repository, content, changes):
    added = tmp_path / ("mine.tsv" if content.startswith("set") else "mine.gmt")
    added.write_text(content)
    alone, of_alone = written_with(tmp_path, repository, "alone")
    both, of_both = written_with(tmp_path, repository, "both", added)
    assert tuple(name for name in both if both[name] != alone[name]) == changes
    assert of_both != of_alone if changes else True


def test_gene_sets_that_change_during_a_run_are_refused(tmp_path, repository):
    cohort, _ = local_cohort(tmp_path)
    added = tmp_path / "mine.gmt"
    added.write_text("mine\tx\tFLG\tNOWHERE1\n")
    planned = SetSymbols.of(read_gene_sets([repository / GENE_SETS, added])).digest
    run_local(tmp_path, repository, cohort, "first", [added], symbols=planned)
    added.write_text("mine\tx\tFLG\tNOWHERE2\n")
    with pytest.raises(AdnormError, match="gene-set files changed during the run"):
        run_local(tmp_path, repository, cohort, "second", [added], symbols=planned)
    assert not list((tmp_path / "second").glob("*"))
