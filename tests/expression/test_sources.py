"""Every route from fetching to the expression: NCBI's counts, .h5ad, lanes, pinned files."""

from __future__ import annotations

import functools
import gzip
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import anndata
import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import sparse

from adnorm.base.errors import AdnormError, AskedForError, RefusedFileError
from adnorm.base.files import digest_of, read_json
from adnorm.base.tables import read_table
from adnorm.expression.sources import reading
from adnorm.fetch import geo
from adnorm.fetch.identifiers import fetch_table
from adnorm.readers.delimited import read_sheet
from adnorm.study.config import GeoSettings
from adnorm.study.reading import read_cohort
from builders.cohorts import cohort_of as checked
from builders.expression_stage import SAMPLES, express, small_cohort
from builders.fetched import fetch_cohort
from builders.servers import Quiet, serving

GENES = ["FLG", "LORICRIN", "KRT16", "IL4R", *(f"GENE{i}" for i in range(36))]
PEOPLE = [(patient, state) for patient in range(5) for state in ("LS", "NL")]
NAMES = [f"GSM{10 + i}" for i in range(len(PEOPLE))]


def counts_of(columns, seed=3):
    random = np.random.default_rng(seed)
    means = np.broadcast_to(np.exp(random.normal(5, 1, size=(40, 1))), (40, len(columns)))
    values = random.poisson(means * random.uniform(0.5, 2, size=len(columns)))
    return pd.DataFrame(values, index=pd.Index(GENES, name="gene"), columns=columns)


def cohort_of(route, source=None, **changes):
    mappings = {"samples": SAMPLES | {"week": {"from": "week"}}, "source": source or {}}
    return small_cohort(route=route, **(mappings | changes))


class Lab:
    """A folder in which a cohort goes from its files to its expression."""

    def __init__(self, folder, repository):
        self.folder, self.sets = folder, [repository / "config" / "gene_sets" / "adnorm.tsv"]
        self.address, self.identifiers, self.settings = f"file:{folder / 'geo'}", None, {}

    def place(self, path, content):
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        packed = gzip.compress(content.encode()) if path.endswith(".gz") else content.encode()
        target.write_bytes(packed)
        return str(target)

    def fetch(self, cohort):
        settings = {
            "address": self.address,
            "connect_timeout": 5,
            "read_timeout": 5,
            "attempts": 1,
        }
        return fetch_cohort(checked(cohort), self.folder / "fetch", **settings)

    def run(self, cohort):
        manifest, out = self.fetch(cohort), self.folder / "out"
        return express(manifest, cohort, self.sets, out, self.identifiers, **self.settings)

    def stops(self, cohort, *words):
        with pytest.raises(AdnormError) as error:
            self.run(cohort)
        for word in words:
            assert word in str(error.value), str(error.value)
        assert not list(self.folder.glob("out/*"))


@pytest.fixture
def lab(tmp_path, repository):
    return Lab(tmp_path, repository)


def step(outputs, name):
    steps = read_table(outputs["identifiers"]).set_index("step")
    return int(steps.loc[name, "count"]), steps.loc[name, "detail"]


# ---------------------------------------------------------------- counts that NCBI generates


def series_matrix(names=NAMES, extra="", organism="Homo sapiens", libraries=None):
    people = (PEOPLE * 2)[: len(names)]
    lines = {
        "title": [f"sample {i}" for i in range(len(names))],
        "geo_accession": names,
        "organism_ch1": [organism] * len(names),
        "characteristics_ch1": [f"who: P{p}" for p, _ in people],
        "characteristics_ch1.1": [f"skin: {s}" for _, s in people],
        "characteristics_ch1.2": ["week: 0"] * len(names),
    }
    if libraries:
        lines["description"] = [f"Library name: {library}" for library in libraries]
        lines["description.1"] = ["GSE12_counts.txt.gz"] * len(names)
    text = '!Series_title\t"x"\n!Series_geo_accession\t"GSE12"\n' + extra
    for key, cells in lines.items():
        key = key.split(".1")[0].split(".2")[0]
        text += f"!Sample_{key}\t" + "\t".join(f'"{c}"' for c in cells) + "\n"
    return text + (
        '!series_matrix_table_begin\n"ID_REF"\t'
        + "\t".join(f'"{n}"' for n in names)
        + "\n!series_matrix_table_end\n"
    )


def gene_ids():
    return [str(100 + i) for i in range(len(GENES))]


def annotation(symbols=GENES, ids=None):
    rows = "".join(
        f"{i}\t{s}\tx\tALIAS{i}\tprotein-coding\tENSG{int(i):011d}\n"
        for i, s in zip(ids or gene_ids(), symbols, strict=True)
    )
    return "GeneID\tSymbol\tDescription\tSynonyms\tGeneType\tEnsemblGeneID\n" + rows


def generated(columns=NAMES[:-1]):
    table = counts_of(columns).set_axis(pd.Index(gene_ids(), name="GeneID"))
    return table.to_csv(sep="\t")


COUNTS = "GSE12_raw_counts_GRCh38.p13_NCBI.tsv.gz"
ANNOTATION = "Human.GRCh38.p13.annot.tsv.gz"
SUPPLEMENT = "geo/series/GSEnnn/GSE12/suppl"


def place_series(lab, matrix=None, counts=None, genes=None, shelf=SUPPLEMENT):
    lab.place(
        "geo/series/GSEnnn/GSE12/matrix/GSE12_series_matrix.txt.gz", matrix or series_matrix()
    )
    lab.place(f"{SUPPLEMENT}/{COUNTS}", counts or generated())
    lab.place(f"{shelf}/{ANNOTATION}", genes or annotation())
    return cohort_of("ncbi_counts", accession="GSE12")


def test_ncbi_counts_from_a_mirror_to_the_expression(lab):
    outputs = lab.run(place_series(lab))
    data = anndata.read_h5ad(outputs["expression"])
    assert data.shape == (9, 40) and set(data.var_names) == set(GENES)
    published = counts_of(NAMES[:-1])
    measured = pd.DataFrame(data.layers["counts"].T, data.var_names, data.obs_names)
    pd.testing.assert_frame_equal(
        measured.loc[GENES, NAMES[:-1]], published, check_dtype=False, check_names=False
    )
    excluded = read_table(outputs["excluded"])
    assert excluded.values.tolist() == [
        [NAMES[-1], "no NCBI-generated counts (the sample did not pass NCBI's pipeline)"]
    ]
    assert step(outputs, "Entrez gene ids translated")[0] == 40
    roles = {e["role"]: e["source"] for e in read_json(lab.folder / "fetch/manifest.json")["files"]}
    assert roles["table"] == f"geo:series/GSEnnn/GSE12/suppl/{COUNTS}"


def test_a_mirror_may_keep_one_annotation_for_all_series(lab):
    cohort = place_series(lab, shelf="geo")
    lab.run(cohort)
    roles = {e["role"]: e["source"] for e in read_json(lab.folder / "fetch/manifest.json")["files"]}
    assert roles["annotation"] == f"geo:{ANNOTATION}"


def test_a_reason_of_the_cohort_file_stands_before_missing_counts(lab):
    place_series(lab)
    rules = [{"samples": [NAMES[-1]], "reason": "withdrawn consent"}]
    cohort = cohort_of("ncbi_counts", accession="GSE12", exclude=rules)
    outputs = lab.run(cohort)
    assert read_table(outputs["excluded"])["reason"].tolist() == ["withdrawn consent"]


def test_files_of_ncbi_may_be_named(lab):
    place_series(lab)
    source = {
        "matrix": lab.place("own/m.txt", series_matrix()),
        "table": lab.place("own/counts.tsv", generated()),
        "annotation": lab.place("own/genes.tsv", annotation()),
    }
    lab.address = "file:nowhere"
    cohort = cohort_of("ncbi_counts", source, accession="GSE12")
    assert checked(cohort).local_files == sorted(source.values())
    assert anndata.read_h5ad(lab.run(cohort)["expression"]).n_obs == 9


def test_the_identifier_table_of_the_run_has_the_last_word(lab):
    """NCBI's table may call a gene by a symbol that HGNC has replaced since."""
    old = ["OLDNAME" if gene == "GENE5" else gene for gene in GENES]
    cohort = place_series(lab, genes=annotation(old))
    lab.identifiers = Path(
        lab.place(
            "hgnc.txt",
            "hgnc_id\tsymbol\tstatus\talias_symbol\tprev_symbol\tentrez_id\tensembl_gene_id\n"
            "HGNC:1\tGENE5\tApproved\t\tOLDNAME\t\tENSG00000000001\n"
            "HGNC:2\tNEW6\tApproved\t\tGENE6\t110\tENSG00000000002\n",
        )
    )
    genes = anndata.read_h5ad(lab.run(cohort)["expression"]).var_names
    assert "GENE5" in genes and "OLDNAME" not in genes
    assert "NEW6" in genes and "GENE6" not in genes


@pytest.fixture
def endpoint(lab):
    """NCBI's page for downloads: the files it knows, a web page and status 200 for others."""
    pages, asked = {}, []

    class Handler(Quiet):
        def do_GET(self):
            asked.append(self.path)
            address = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(address.query).items()}
            here = lab.folder / address.path.lstrip("/")
            if address.path.endswith("/download/"):
                body = pages.get(query.get("file"), b"<!DOCTYPE html><title>GEO</title>")
            elif address.path.endswith("/acc.cgi") and query.get("acc") in pages:
                body = pages[query["acc"]]
            elif here.is_file() and "/suppl/" not in address.path:
                body = here.read_bytes()
            else:
                self.send_error(404)
                return
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

    with serving(Handler) as server:
        lab.address = f"{server.address}/geo"
        server.pages, server.asked = pages, asked
        yield server


def test_ncbi_counts_from_the_page_for_downloads(lab, endpoint):
    cohort = place_series(lab)
    for name in (COUNTS, ANNOTATION):
        endpoint.pages[name] = (lab.folder / SUPPLEMENT / name).read_bytes()
    assert anndata.read_h5ad(lab.run(cohort)["expression"]).n_obs == 9
    assert (
        f"/geo/download/?type=rnaseq_counts&acc=GSE12&format=file&file={COUNTS}" in endpoint.asked
    )
    names = {e["name"] for e in read_json(lab.folder / "fetch/manifest.json")["files"]}
    assert {COUNTS, ANNOTATION} < names


def test_a_web_page_instead_of_counts_names_the_other_route(lab, endpoint):
    lab.stops(place_series(lab), "a web page instead of a file", "`route: geo_supplementary`")


def test_the_address_of_ncbi_leads_to_its_page():
    address = "https://ftp.ncbi.nlm.nih.gov/geo"
    for places in (
        geo.ncbi_counts("GSE12", address),
        geo.ncbi_annotation("GSE12", address),
    ):
        ((label, page),) = places
        assert label == page
        assert page.startswith("https://www.ncbi.nlm.nih.gov/geo/download/?")
        assert "format=file&file=" in page


def test_columns_that_are_no_sample_of_the_series_stop(lab):
    cohort = place_series(lab, counts=generated([*NAMES[:-1], "GSM999"]))
    lab.stops(cohort, "1 of 10 columns", "'GSM999'", "no samples of the series")


def test_samples_of_another_platform_are_no_strangers(lab):
    matrix = series_matrix(extra='!Series_sample_id\t"GSM10 GSM11 GSM999 "\n')
    cohort = place_series(lab, matrix, generated([*NAMES[:-1], "GSM999"]))
    assert anndata.read_h5ad(lab.run(cohort)["expression"]).n_obs == 9


def test_no_sample_of_the_cohort_has_counts(lab):
    matrix = series_matrix(extra='!Series_sample_id\t"GSM998 GSM999 "\n')
    cohort = place_series(lab, matrix, generated(["GSM998", "GSM999"]))
    lab.stops(cohort, "none of 10 samples", "platform:", "geo_supplementary")


def test_another_table_in_the_place_of_the_counts(lab):
    cohort = place_series(lab, counts="gene\tGSM10\nFLG\t1\n")
    lab.stops(cohort, COUNTS, "no column 'GeneID'")


def test_an_annotation_of_other_genes(lab):
    cohort = place_series(lab, genes=annotation(ids=[str(9000 + i) for i in range(40)]))
    lab.stops(cohort, "knows only 0 of 40", "Entrez gene ids")


# ---------------------------------------------------------------- .h5ad


def h5ad(lab, layers=True, name="data.h5ad", **changes):
    counts = counts_of([f"S{i}" for i in range(10)])
    values = counts.to_numpy(dtype=float).T
    obs = pd.DataFrame(
        {
            "who": pd.Categorical([f"P{p}" for p, _ in PEOPLE]),
            "skin": [s for _, s in PEOPLE],
            "week": [0.0] * 10,
            "EASI": [np.nan, *np.arange(9) / 2],
        },
        index=counts.columns,
    )
    var = pd.DataFrame(
        {"gene_ids": [f"ENSG{i:011d}" for i in range(40)], "name": GENES}, index=GENES
    )
    data = anndata.AnnData(np.log2(values + 1), obs=obs, var=var)
    if layers:
        data.layers["counts"] = sparse.csr_matrix(values)
    for key, value in changes.items():
        setattr(data, key, value)
    with anndata.settings.override(allow_write_nullable_strings=True):
        data.write_h5ad(lab.folder / name)
    return cohort_of(
        "h5ad", {"table": str(lab.folder / name), "layer": "counts" if layers else None}
    ), counts


def test_h5ad_counts_of_a_sparse_layer(lab):
    cohort, counts = h5ad(lab)
    cohort["samples"]["easi"] = {"from": "EASI", "missing": None}
    outputs = lab.run(cohort)
    data = anndata.read_h5ad(outputs["expression"])
    measured = pd.DataFrame(data.layers["counts"].T, data.var_names, data.obs_names)
    pd.testing.assert_frame_equal(
        measured.loc[GENES, counts.columns], counts, check_dtype=False, check_names=False
    )
    samples = read_table(outputs["samples"]).set_index("sample")
    assert samples.loc["S3", "patient"] == "P1" and samples.loc["S3", "easi"] == 1.0
    assert set(samples["geo_week"]) == {0}
    assert checked(cohort).local_files == [str(lab.folder / "data.h5ad")]


def test_h5ad_log2_in_x(lab):
    cohort, counts = h5ad(lab, layers=False)
    per_million = counts / counts.sum() * 1e6
    held = anndata.read_h5ad(lab.folder / "data.h5ad")
    held.X = np.log2(per_million.to_numpy().T + 1).astype(np.float32)
    held.write_h5ad(lab.folder / "data.h5ad")
    data = anndata.read_h5ad(lab.run(cohort | {"scale": "log2"})["expression"])
    np.testing.assert_allclose(
        data[counts.columns, GENES].X, np.log2(per_million.to_numpy().T + 1), rtol=1e-6
    )
    assert "counts" not in data.layers


def after_scanpy(lab, **changes):
    """An .h5ad as scanpy leaves it: X = ln(1 + counts per 10,000), the counts in .raw."""
    cohort, counts = h5ad(lab, layers=False)
    data = anndata.read_h5ad(lab.folder / "data.h5ad")
    data.X = counts.to_numpy(dtype=np.float32).T
    data.raw = data.copy()
    data.X = np.log1p(data.X / data.X.sum(axis=1, keepdims=True) * 1e4)
    data.uns["log1p"] = {"base": None}
    for key, value in changes.items():
        setattr(data, key, value)
    data.write_h5ad(lab.folder / "data.h5ad")
    return cohort, counts


def test_h5ad_natural_logarithms_are_refused_with_the_way_to_the_counts(lab):
    cohort, counts = after_scanpy(lab)
    way = "write `scale: counts` and `layer: .raw` below `source:`"
    lab.stops(cohort | {"scale": "log2"}, "to `scale: ln`", way)
    wrong = cohort["source"] | {"layer": "raw"}
    lab.stops(cohort | {"source": wrong}, "did you mean '.raw'", "take X")
    cohort["source"]["layer"] = ".raw"
    data = anndata.read_h5ad(lab.run(cohort)["expression"])
    np.testing.assert_array_equal(data[counts.columns, GENES].layers["counts"], counts.to_numpy().T)


def test_h5ad_natural_logarithms_become_log2_changes(lab):
    cohort, counts = after_scanpy(lab)
    data = anndata.read_h5ad(lab.run(cohort | {"scale": "ln"})["expression"])
    np.testing.assert_allclose(
        data[counts.columns, GENES].X,
        np.log2(counts / counts.sum() * 1e6 + 1).T,
        rtol=1e-4,
    )
    told = data.uns["adnorm"]
    assert (told["declared_scale"], told["scale"]) == ("ln", "linear")
    assert told["normalization"].startswith("ln(x + 1) turned back into x; values per 10,000")


def test_h5ad_without_equal_sums_takes_the_note_of_scanpy(lab):
    cohort, counts = after_scanpy(lab)
    data = anndata.read_h5ad(lab.folder / "data.h5ad")
    uneven = data.X * np.linspace(0.9, 1.1, 10, dtype=np.float32)[:, None]
    data.X = uneven
    data.write_h5ad(lab.folder / "data.h5ad")
    lab.stops(cohort | {"scale": "log2"}, "uns['log1p'] of the file", "to `scale: ln`")
    found = anndata.read_h5ad(lab.run(cohort | {"scale": "ln"})["expression"])
    np.testing.assert_allclose(found[counts.columns, GENES].X, uneven * np.log2(np.e), rtol=1e-5)


def test_h5ad_columns_of_var_serve_raw_too(lab):
    cohort, counts = after_scanpy(lab)
    data = anndata.read_h5ad(lab.folder / "data.h5ad")
    data.var_names = data.var["gene_ids"].to_numpy()
    raw = anndata.AnnData(counts.to_numpy(dtype=float).T, obs=data.obs)
    raw.var_names = data.var_names
    data.raw = raw
    data.write_h5ad(lab.folder / "data.h5ad")
    cohort["source"] |= {"layer": ".raw", "gene_column": "name"}
    assert set(anndata.read_h5ad(lab.run(cohort)["expression"]).var_names) == set(GENES)


def test_an_index_of_obs_called_sample_is_no_trouble(lab):
    cohort, counts = h5ad(lab)
    data = anndata.read_h5ad(lab.folder / "data.h5ad")
    data.obs.index.name = "sample"
    data.write_h5ad(lab.folder / "data.h5ad")
    assert set(read_table(lab.run(cohort)["samples"])["sample"]) == set(counts.columns)


@pytest.mark.parametrize(("scale", "logarithm"), [("log2_counts", np.log2), ("ln_counts", np.log)])
def test_logarithms_of_counts_take_the_route_of_counts(lab, scale, logarithm):
    cohort, counts = h5ad(lab)
    data = anndata.read_h5ad(lab.folder / "data.h5ad")
    data.X = logarithm(counts.to_numpy(dtype=float).T + 1)
    data.write_h5ad(lab.folder / "data.h5ad")
    in_x = cohort | {"source": cohort["source"] | {"layer": None}}
    lab.stops(
        in_x | {"scale": "log2"},
        f"to `scale: {scale}`",
        "`layer: counts` below `source:`",
        "`scale_checked:",
    )
    plain = anndata.read_h5ad(lab.run(cohort)["expression"])
    outputs = lab.run(in_x | {"scale": scale})
    found = anndata.read_h5ad(outputs["expression"])
    np.testing.assert_array_equal(found.layers["counts"], plain.layers["counts"])
    np.testing.assert_array_equal(found.X, plain.X)
    number, detail = step(outputs, f"{scale.split('_')[0]}(count + 1) turned back into counts")
    assert number == counts.size and detail.startswith("exactly")
    assert found.uns["adnorm"]["declared_scale"] == scale
    assert found.uns["adnorm"]["scale"] == "counts"


def test_scaling_over_samples_that_are_left_out_is_seen(lab):
    cohort, counts = h5ad(lab, layers=False)
    data = anndata.read_h5ad(lab.folder / "data.h5ad")
    data.X = (data.X - data.X.mean(axis=0)) / data.X.std(axis=0)
    data.write_h5ad(lab.folder / "data.h5ad")
    left_out = [{"samples": [f"S{i}" for i in range(6, 10)], "reason": "another disease"}]
    lab.stops(cohort | {"scale": "log2", "assay": "microarray", "exclude": left_out}, "as z-scores")


def test_a_reason_for_the_scale_stands_in_the_container(lab, caplog):
    cohort, counts = h5ad(lab, layers=False)
    cohort["scale"] = "log2"
    lab.stops(cohort, "scale_checked")
    cohort["source"]["scale_checked"] = "the authors\n  say so"
    with caplog.at_level("WARNING", logger="adnorm"):
        data = anndata.read_h5ad(lab.run(cohort)["expression"])
    assert "scale_checked: the authors say so" in caplog.text
    told = data.uns["adnorm"]
    assert told["scale_checked"] == "the authors say so"
    assert "2^x − 1 is a whole number" in told["scale_found"]


@pytest.mark.parametrize("reason", ["", "  "])
def test_an_empty_reason_is_refused(reason, tmp_path):
    cohort = cohort_of("h5ad", {"table": "x.h5ad", "scale_checked": reason})
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump(cohort))
    with pytest.raises(AdnormError, match="scale_checked: say in words how you know"):
        read_cohort(path)


def test_h5ad_with_dense_columns_and_genes_in_a_column_of_var(lab):
    cohort, _ = h5ad(lab)
    data = anndata.read_h5ad(lab.folder / "data.h5ad")
    data.var_names = data.var["gene_ids"].to_numpy()
    data.layers["counts"] = sparse.csc_matrix(data.layers["counts"])
    data.write_h5ad(lab.folder / "data.h5ad")
    lab.stops(cohort, "Ensembl gene ids", "identifiers: table:")
    cohort["source"]["gene_column"] = "name"
    assert set(anndata.read_h5ad(lab.run(cohort)["expression"]).var_names) == set(GENES)


def test_the_names_of_obs_can_be_mapped(lab):
    cohort, _ = h5ad(lab)
    cohort["samples"]["patient"] = {"from": "sample", "pattern": "S(?P<value>[0-9])"}
    cohort["samples"]["state"] = {"constant": "lesional"}
    samples = read_table(lab.run(cohort | {"reference": None})["samples"])
    assert samples["patient"].nunique() == 10


@pytest.mark.parametrize(
    ("source", "scale", "words"),
    [
        ({"layer": None}, "counts", ["(X)", "`scale: counts`"]),
        ({"layer": "counts"}, "log2", ["(layer 'counts')", "`scale: log2`"]),
        ({"layer": "count"}, "counts", ["no layer 'count'; did you mean 'counts'?"]),
        ({"gene_column": "gene_id"}, "counts", ["no column 'gene_id'", "did you mean 'gene_ids'"]),
    ],
    ids=["log2 as counts", "counts as log2", "layer", "column"],
)
def test_h5ad_that_is_not_as_declared(lab, source, scale, words):
    cohort, _ = h5ad(lab)
    cohort["source"] |= source
    lab.stops(cohort | {"scale": scale}, "data.h5ad", *words)


def cells(lab, names, patients):
    obs = pd.DataFrame(
        {"who": [f"P{i % patients}" for i in range(len(names))], "skin": "LS", "week": 0},
        index=names,
    )
    values = np.random.default_rng(1).poisson(30, (len(names), 40)).astype(float)
    anndata.AnnData(values, obs=obs, var=pd.DataFrame(index=GENES)).write_h5ad(
        lab.folder / "cells.h5ad"
    )
    return cohort_of("h5ad", {"table": str(lab.folder / "cells.h5ad")}, reference=None)


def test_barcodes_are_cells(lab):
    random = np.random.default_rng(2)
    names = ["".join(random.choice(list("ACGT"), 16)) + "-1" for _ in range(60)]
    lab.stops(cells(lab, names, 4), "barcode of a cell", "pseudobulk")


def test_many_rows_of_a_biopsy_are_cells(lab):
    names = [f"row{i}" for i in range(120)]
    lab.stops(cells(lab, names, 4), "120 rows for 4 biopsies", "pseudobulk")


def test_twenty_rows_of_a_biopsy_are_not_called_cells(lab):
    outputs = lab.run(cells(lab, [f"row{i}" for i in range(80)], 4))
    assert len(read_table(outputs["samples"])) == 80


def test_genes_of_the_mouse_in_h5ad(lab):
    var = pd.DataFrame({"genome": "mm10"}, index=GENES)
    lab.stops(h5ad(lab, var=var)[0], "'mm10' is not human")


def test_files_that_are_no_h5ad(lab):
    import h5py

    cohort = cohort_of("h5ad", {"table": lab.place("x.h5ad", "gene,S1\nFLG,1\n")})
    lab.stops(cohort, "x.h5ad", "not an .h5ad")
    h5ad(lab)
    whole = (lab.folder / "data.h5ad").read_bytes()
    (lab.folder / "x.h5ad").write_bytes(whole[: len(whole) // 2])
    lab.stops(cohort, "x.h5ad", "cut off")
    with h5py.File(lab.folder / "x.h5ad", "w") as file:
        file["matrix"] = [1]
    lab.stops(cohort, "without 'obs'", "'matrix'")
    lab.stops(cohort_of("h5ad", {"table": "own/x.h5ad.gz"}), "unpack it")


def test_x_that_holds_nothing_names_the_layers(lab):
    cohort, _ = h5ad(lab, X=None)
    cohort["source"]["layer"] = None
    lab.stops(cohort, "X holds nothing", "'counts'")


# ---------------------------------------------------------------- lanes of one library


PATTERN = "(?P<library>[^/_]+)_L[0-9]+[.]bam$"


def lanes_table(libraries, lanes=2):
    """A table as featureCounts writes it, and the sums over lanes."""
    columns = [f"/run/bam/{name}_L{lane + 1}.bam" for name in libraries for lane in range(lanes)]
    columns.append(f"/run/bam/{libraries[0]}_L9.bam")
    counts = counts_of(columns)
    facts = pd.DataFrame(
        {"Chr": "chr1;chr1", "Start": "1;5", "End": "3;9", "Strand": "+;+", "Length": 8},
        index=counts.index,
    )
    text = pd.concat([facts, counts], axis=1).rename_axis("Geneid").to_csv(sep="\t")
    library = [column.split("/")[-1].split("_")[0] for column in columns]
    return f"# Program:featureCounts v2.0.1; Command:x\n{text}", counts.T.groupby(library).sum().T


def lanes_cohort(lab, libraries, source, route="local", **changes):
    text, sums = lanes_table(libraries)
    table = lab.place("own/lanes.txt.gz", text)
    cohort = cohort_of(route, {"table": table, "libraries": PATTERN} | source, **changes)
    return cohort, sums


def test_lanes_of_a_local_table_are_summed(lab, caplog):
    libraries = [f"AD{i}" for i in range(10)]
    sheet = "library,who,skin,week\n" + "".join(
        f"{name},P{p},{s},0\n" for name, (p, s) in zip(libraries, PEOPLE, strict=True)
    )
    cohort, sums = lanes_cohort(lab, libraries, {"sheet": lab.place("own/sheet.csv", sheet)})
    with caplog.at_level("INFO", logger="adnorm"):
        outputs = lab.run(cohort)
    data = anndata.read_h5ad(outputs["expression"])
    measured = pd.DataFrame(data.layers["counts"].T, data.var_names, data.obs_names)
    pd.testing.assert_frame_equal(
        measured.loc[GENES, libraries], sums[libraries], check_dtype=False, check_names=False
    )
    quality = read_table(outputs["qc"]).set_index("sample")
    assert quality.loc["AD3", "summed_columns"] == "/run/bam/AD3_L1.bam + /run/bam/AD3_L2.bam"
    assert step(outputs, "columns of lanes summed") == (21, "to 10 samples of 2 or 3 columns each")
    assert "most libraries have 2, these have another number: 'AD0 (3)'" in caplog.text


def test_libraries_find_their_sample_by_a_line_of_the_description(lab):
    libraries = [f"KX{i}" for i in range(10)]
    lab.place(
        "geo/series/GSEnnn/GSE12/matrix/GSE12_series_matrix.txt.gz",
        series_matrix(libraries=libraries),
    )
    cohort, sums = lanes_cohort(lab, libraries, {}, "geo_supplementary", accession="GSE12")
    data = anndata.read_h5ad(lab.run(cohort)["expression"])
    measured = pd.DataFrame(data.layers["counts"].T, data.var_names, data.obs_names)
    assert (measured.loc[GENES, NAMES].to_numpy() == sums[libraries].to_numpy()).all()


def test_columns_without_a_library_stop(lab):
    cohort, _ = lanes_cohort(lab, ["AD0", "AD1"], {"sheet": "x"})
    cohort["source"]["libraries"] = "(?P<library>AD1)_"
    cohort["source"]["sheet"] = lab.place("own/sheet.csv", "library,who,skin,week\nAD1,P,NL,0\n")
    lab.stops(cohort, "finds no library in 3 of 5 columns", "AD0_L1.bam")


def test_a_library_without_a_sample_stops(lab):
    cohort, _ = lanes_cohort(lab, ["AD0", "AD1"], {})
    cohort["source"]["sheet"] = lab.place("own/sheet.csv", "library,who,skin,week\nAD1,P,NL,0\n")
    lab.stops(cohort, "1 of 2 columns belongs to no sample", "'AD0'")


# ---------------------------------------------------------------- other species, pinned files


def test_a_series_of_another_species_stops_before_its_mapping(lab):
    place_series(lab, series_matrix(organism="Mus musculus"))
    cohort = cohort_of("ncbi_counts", accession="GSE12")
    cohort["samples"]["patient"] = {"from": "no such key"}
    lab.stops(cohort, "10 of 10 samples are not human", "'Mus musculus'", "GSM10")


def test_samples_of_another_species_may_be_excluded(lab):
    matrix = series_matrix().replace('"Homo sapiens"', '"Mus musculus"', 2)
    cohort = place_series(lab, matrix)
    rule = "{from: organism, values: [Mus musculus], reason: another species}"
    lab.stops(cohort, "2 of 9 samples are not human", rule)
    cohort["exclude"] = [{"from": "organism", "values": ["Mus musculus"], "reason": "species"}]
    assert anndata.read_h5ad(lab.run(cohort)["expression"]).n_obs == 7


def test_a_sheet_that_says_human_in_another_way_passes(lab):
    cohort, _ = h5ad(lab)
    data = anndata.read_h5ad(lab.folder / "data.h5ad")
    data.obs["Species"] = ["human"] * 9 + [None]
    data.write_h5ad(lab.folder / "data.h5ad")
    assert anndata.read_h5ad(lab.run(cohort)["expression"]).n_obs == 10


def test_the_pinned_identifier_table(lab):
    cohort, _ = h5ad(lab)
    lab.identifiers = Path(lab.place("genes.tsv", "gene_id\tgene_name\nENSG00000000001\tFLG\n"))
    _, found = digest_of(lab.identifiers)
    lab.settings = {"pinned": found}
    lab.run(cohort)
    for path in (lab.folder / "out").iterdir():
        path.unlink()
    lab.settings = {"pinned": "0" * 64}
    lab.stops(cohort, "identifiers: sha256", found, "0" * 64, "in the configuration")


def test_a_fetched_identifier_table_is_compared_before_it_is_used(lab):
    source = lab.place("genes.tsv", "gene_id\tgene_name\nENSG00000000001\tFLG\n")
    fetch = functools.partial(fetch_table, source, GeoSettings(), lab.folder / "copy.tsv")
    fetch(sha256=digest_of(source)[1])
    with pytest.raises(AdnormError, match="identifiers: sha256: .* pinned is 0000"):
        fetch(sha256="0" * 64)


# ---------------------------------------------------------------- platforms without annotation


SOFT = (
    "^DATABASE = GeoMiame\n^PLATFORM = GPL7\n!Platform_title = x\n#ID = \n"
    "!platform_table_begin\nID\tCHR\tGENE_SYMBOL\n"
    + "".join(f"p{i}\t1\t{gene}\n" for i, gene in enumerate(GENES))
    + "!platform_table_end\n^SAMPLE = GSM10\n!sample_table_begin\nID_REF\tVALUE\np0\t5\n"
    "!sample_table_end\n"
)


def array_series():
    values = np.random.default_rng(5).normal(8, 1, (40, 10))
    rows = "".join(
        f'"p{i}"\t' + "\t".join(f"{v:.4f}" for v in row) + "\n" for i, row in enumerate(values)
    )
    return series_matrix().replace("!series_matrix_table_end", f"{rows}!series_matrix_table_end")


ARRAY = {"accession": "GSE12", "assay": "microarray", "scale": "log2", "platform": "GPL7"}


def test_a_platform_without_annotation_is_asked_for_its_full_table(lab, endpoint, monkeypatch):
    monkeypatch.setattr(geo, "NCBI", lab.address)
    monkeypatch.setattr(geo, "_PAGES", lab.address)
    lab.place("geo/series/GSEnnn/GSE12/matrix/GSE12_series_matrix.txt.gz", array_series())
    endpoint.pages["GPL7"] = SOFT.encode()
    outputs = lab.run(cohort_of("geo_series_matrix", **ARRAY))
    assert set(anndata.read_h5ad(outputs["expression"]).var_names) == set(GENES)
    files = read_json(lab.folder / "fetch/manifest.json")["files"]
    page = f"{lab.address}/query/acc.cgi?targ=self&acc=GPL7&form=text&view=data"
    assert [(e["name"], e["source"]) for e in files][0] == ("GPL7.txt", page)


def test_the_family_file_of_a_platform_annotates(lab):
    source = {
        "matrix": lab.place("own/m.txt.gz", array_series()),
        "annotation": lab.place("own/GPL7_family.soft.gz", SOFT),
    }
    cohort = cohort_of("geo_series_matrix", source, **ARRAY)
    assert set(anndata.read_h5ad(lab.run(cohort)["expression"]).var_names) == set(GENES)


def test_ncbi_is_asked_for_the_table_of_a_platform_without_annotation():
    ((label, page),) = geo.platform_table("GPL7", "https://ftp.ncbi.nlm.nih.gov/geo/")
    assert label == page and page.endswith("acc.cgi?targ=self&acc=GPL7&form=text&view=data")
    assert geo.platform_table("GPL7", "file:mirror") == []


# ---------------------------------------------------------------- the file, or what is asked of it


def refused(lab, cohort):
    with pytest.raises(RefusedFileError) as error:
        lab.run(cohort)
    return [path.name for path in error.value.files]


def asked_in_vain(lab, cohort):
    with pytest.raises(AdnormError) as error:
        lab.run(cohort)
    return not isinstance(error.value, RefusedFileError)


def array(lab, matrix=None, soft=SOFT, **changes):
    source = {
        "matrix": lab.place("own/m.txt.gz", matrix or array_series()),
        "annotation": lab.place("own/GPL7_family.soft.gz", soft),
    }
    return cohort_of("geo_series_matrix", source, **ARRAY | changes)


def test_a_file_that_cannot_be_what_it_should_be_is_named(lab):
    end = "!series_matrix_table_end"
    assert refused(lab, array(lab, array_series().replace(end, ""))) == ["m.txt.gz"]
    assert refused(lab, array(lab, soft="^PLATFORM = GPL7\n")) == ["GPL7_family.soft.gz"]
    columns = [f"GSM9{i}" for i in range(10)]
    assert refused(lab, place_series(lab, counts=generated(columns))) == [COUNTS]
    lab.fetch(array(lab))
    lab.fetch = lambda cohort: lab.folder / "fetch" / "manifest.json"
    (lab.folder / "fetch" / "m.txt.gz").write_bytes(b"other bytes")
    assert "m.txt.gz" in refused(lab, array(lab))


def test_an_error_of_a_reader_that_nobody_foresaw_names_the_file_too(lab, monkeypatch):
    def fail(*_, **__):
        raise EOFError("Compressed file ended")

    monkeypatch.setattr("adnorm.expression.sources.read_annotation", fail)
    assert refused(lab, array(lab)) == ["GPL7_family.soft.gz"]


def test_what_the_cohort_file_asks_in_vain_is_not_the_fault_of_a_file(lab):
    platform = '!Series_platform_id\t"GPL7"\n!Sample_title'
    matrix = array_series().replace("!Sample_title", platform, 1)
    assert asked_in_vain(lab, array(lab, matrix, platform="GPL8"))
    cohort = array(lab)
    cohort["source"]["symbol_column"] = "CHROMOSOME"
    assert asked_in_vain(lab, cohort)
    cohort = array(lab)
    cohort["samples"]["state"]["values"] = {"LS": "lesional"}
    assert asked_in_vain(lab, cohort)
    assert asked_in_vain(lab, array(lab, scale="counts"))
    cohort, _ = h5ad(lab)
    cohort["source"]["gene_column"] = "no such column"
    assert asked_in_vain(lab, cohort)
    sheet = lab.place("own/sheet.csv", "library,patient\nL1,P1\n")
    with (
        pytest.raises(AskedForError, match="^https://lab/s"),
        reading(Path(sheet), "https://lab/s"),
    ):
        read_sheet(sheet, "no such column")
