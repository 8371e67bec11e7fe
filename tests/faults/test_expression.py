"""Bad input of the expression stage: one paragraph that says what to do, and nothing written."""

from __future__ import annotations

import gzip
import hashlib
import json

import numpy as np
import pandas as pd
import pytest

from adnorm.base.errors import AdnormError
from adnorm.expression.build import build_expression
from adnorm.study.schema import check, fill_defaults, load_schema

OUTPUTS = {
    name: f"{name}.tsv"
    for name in ("samples", "excluded", "losses", "identifiers", "design", "comparisons", "qc")
} | {"expression": "expression.h5ad"}
NAMES = [f"{state}{patient}" for patient in range(5) for state in ("LS", "NL")]
GENES = ["FLG", "KRT16", "IL4R", *(f"GENE{i}" for i in range(37))]
SAMPLES = {
    "patient": {"from": "who"},
    "state": {"from": "skin", "values": {"LS": "lesional", "NL": "nonlesional"}},
    "treatment": {"constant": "none"},
    "week": {"constant": 0},
}


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
        self.cohort = {
            "id": "own",
            "title": "Own cohort",
            "disease": "atopic dermatitis",
            "tissue": "skin biopsy",
            "assay": "rna-seq",
            "route": "local",
            "scale": "counts",
            "reference": "nonlesional",
            "source": {"table": "counts.csv", "sheet": "sheet.csv"},
            "samples": SAMPLES,
        }
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
        keys = load_schema("config")["properties"]
        defaults = fill_defaults({"minimum_pairs": 3}, keys["expression"])
        outputs = {name: self.folder / "out" / file for name, file in OUTPUTS.items()}
        build_expression(
            self.folder / "manifest.json",
            check(self.cohort, "cohort", "own.yaml"),
            {**defaults, **self.settings},
            [self.repository / "config" / "gene_sets" / "adnorm.tsv"],
            self.identifiers,
            outputs,
        )
        return outputs

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


# ---------------------------------------------------------------- files


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


# ---------------------------------------------------------------- samples


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


# ---------------------------------------------------------------- values


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


# ---------------------------------------------------------------- identifiers


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


def test_ensembl_ids_that_the_table_does_not_know(bench):
    bench.counts.index = [f"ENSG{i:011d}.1" for i in range(40)]
    bench.identifiers = bench.folder / "genes.tsv"
    bench.identifiers.write_text("gene_id\tgene_name\nENSG00000143631.10\tFLG\n")
    bench.write()
    bench.stops("knows only 0 of 40", "wrong table")


# ---------------------------------------------------------------- route geo_series_matrix


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
