"""The stage scores as a whole, on a small cohort."""

from __future__ import annotations

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scanpy

from adnorm.base.errors import AdnormError
from adnorm.base.tables import read_table
from adnorm.scores.build import build
from adnorm.study.config import ScoresSettings

SETTINGS = ScoresSettings(chunk_size=2)
GENES = [f"GENE{i:03d}" for i in range(80)]
DISEASE = range(10, 20)


def write_cohort(path, change=lambda x: x, **facts):
    rng = np.random.default_rng(5)
    sheet = pd.DataFrame(
        [
            (f"P{p}", s, w)
            for p in range(6)
            for s, w in (("nonlesional", 0), ("lesional", 0), ("lesional", 4))
        ],
        columns=["patient", "state", "week"],
    )
    x = rng.normal(7, 1, (18, 80)) + rng.normal(0, 2, 80)
    lesional = (sheet["state"] == "lesional").to_numpy()
    x[np.ix_(lesional, DISEASE)] += np.where(sheet["week"] == 4, 1.0, 2.5)[lesional, None]
    obs = pd.DataFrame(
        {
            "patient": pd.Categorical(sheet["patient"]),
            "state": pd.Categorical(sheet["state"]),
            "arm": pd.Categorical(["drug"] * 18),
            "week": sheet["week"].astype(float).to_numpy(),
        },
        index=[f"S{i:02d}" for i in range(18)],
    )
    renamed_from = np.array([""] * 80, dtype=object)
    renamed_from[11] = "OLD11"
    var = pd.DataFrame({"renamed_from": renamed_from}, index=pd.Index(GENES, dtype=object))
    data = anndata.AnnData(change(x).astype(np.float32), obs=obs, var=var)
    data.uns["adnorm"] = {
        "cohort": "trial",
        "reference": "nonlesional",
        "simulated": True,
        "undetected": np.array(["LOW1"], dtype=object),
        "renamed": np.array(["OLD11>GENE011"], dtype=object),
        **facts,
    }
    data.write_h5ad(path)
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scores")
    table = folder / "sets.tsv"
    rows = [("disease", f"GENE0{i}", "up") for i in DISEASE]
    rows += [("both", f"GENE0{i}", "up") for i in DISEASE]
    rows += [("both", f"GENE0{i}", "down") for i in range(30, 40)]
    rows += [("poor", g, "up") for g in ("GENE010", "GENE011", "LOW1", "ABSENT1", "ABSENT2")]
    rows += [("lacking", g, "up") for g in ("ABSENT1", "ABSENT2")]
    table.write_text("set\tsymbol\tdirection\n" + "".join("\t".join(r) + "\n" for r in rows))
    gmt = folder / "more.gmt"
    gmt.write_text("plain\t-\t" + "\t".join(GENES[40:60]) + "\n")
    return [table, gmt]


def run(folder, files, expression=None, **settings):
    expression = expression or write_cohort(folder / "expression.h5ad")
    names = {"scores": "scores.h5ad", "coverage": "coverage.tsv", "agreement": "agreement.tsv"}
    outputs = {key: folder / name for key, name in names.items()}
    inputs = {"expression": expression, "gene_sets": files}
    build(inputs, outputs, SETTINGS.model_copy(update=settings), 0)
    return outputs


@pytest.fixture(scope="module")
def outputs(tmp_path_factory, files):
    return run(tmp_path_factory.mktemp("run"), files)


def test_contract_of_the_container(outputs):
    data = scanpy.read_h5ad(outputs["scores"])
    assert list(data.var_names) == ["disease", "both", "poor", "lacking", "plain"]
    assert list(data.var.columns) == [
        "label",
        "category",
        "role",
        "direction",
        "family",
        "asked",
        "found",
        "status",
        "reason",
    ]
    assert list(data.var["direction"]) == ["up", "mixed", "up", "up", "unsigned"]
    assert list(data.var["status"]) == ["ok", "ok", "low_coverage", "not_scored", "ok"]
    assert list(data.obs["patient"].astype(str).unique()) == [f"P{p}" for p in range(6)]
    assert set(data.layers) == {"ssgsea", "gsva", "zscore"}
    np.testing.assert_array_equal(data.X, data.layers["zscore"])
    facts = data.uns["adnorm"]
    assert facts["anchor"] == "nonlesional@0"
    assert facts["anchor_samples"] == 6
    assert facts["simulated"]
    assert list(facts["gene_sets"]) == ["sets.tsv", "more.gmt"]
    assert "undetected" not in facts


def test_flagged_sets_are_scored_and_unscored_sets_are_empty(outputs):
    data = scanpy.read_h5ad(outputs["scores"])
    for layer in data.layers.values():
        missing = np.isnan(layer).all(axis=0)
        assert list(missing) == [False, False, False, True, False]
        assert np.isfinite(layer[:, ~missing]).all()


def test_what_the_platform_lacks_of_added_sets_is_a_warning(tmp_path, files, caplog):
    """The stage expression tells it of the first table alone, so that one more set reruns less."""
    caplog.set_level("INFO", logger="adnorm")
    more = tmp_path / "lacking.gmt"
    more.write_text("strange\tx\tMOUSE1\tMOUSE2\nfew\tx\tMOUSE1\tLOW1\tGENE041\n")
    run(tmp_path, [*files, more], methods=("zscore",))
    told = [(r.levelname, r.getMessage()) for r in caplog.records if "added gene" in r.message]
    assert [level for level, _ in told] == ["INFO", "WARNING"]
    # LOW1 is in the table, if without expression; ABSENT1 is of the first table.
    assert told[0][1].startswith("2 of 23 genes that the added gene sets ask for are not in")
    assert "'MOUSE1', 'MOUSE2';" in told[0][1]
    assert told[1][1].startswith("1 of 3 added gene sets have no two genes in the table (33 %)")


def test_no_nullable_strings_reach_the_file(outputs):
    encodings = []
    with h5py.File(outputs["scores"]) as file:
        file.visititems(lambda name, item: encodings.append(item.attrs.get("encoding-type", "")))
    assert "categorical" in encodings
    assert not [e for e in encodings if "nullable" in str(e)]


def test_disease_and_treatment_show_in_every_method(outputs):
    data = scanpy.read_h5ad(outputs["scores"])
    key = data.obs["state"].astype(str) + data.obs["week"].astype(int).astype(str)
    for method, layer in data.layers.items():
        means = pd.Series(layer[:, 0], index=key.to_numpy()).groupby(level=0).mean()
        assert means["lesional0"] > means["lesional4"] > means["nonlesional0"], method


def test_coverage_table(outputs):
    table = read_table(outputs["coverage"]).set_index("set")
    poor = table.loc["poor"]
    assert (poor.asked, poor.found, poor.renamed, poor.absent, poor.undetected) == (5, 2, 1, 2, 1)
    assert poor.reason == "2 of 5 genes (40 %) found; at least 5 genes and 50 % are required"
    assert poor.renamed_genes == "OLD11>GENE011"
    assert table.loc["lacking", "status"] == "not_scored"


def test_agreement_table(outputs):
    table = read_table(outputs["agreement"])
    assert len(table) == 5 * 3
    disease = table[table["set"] == "disease"]
    assert disease["spearman"].min() > 0.7
    assert set(disease["samples"]) == {18}
    assert set(table.loc[table["set"] == "lacking", "reason"]) == {"not scored"}


def test_same_bytes_with_other_chunks_and_threads(outputs, files, tmp_path):
    again = run(tmp_path, files, chunk_size=1000, threads=8)
    for key in ("scores", "coverage", "agreement"):
        assert again[key].read_bytes() == outputs[key].read_bytes()


def test_one_method_alone(files, tmp_path):
    data = scanpy.read_h5ad(run(tmp_path, files, methods=["ssgsea"])["scores"])
    assert list(data.layers) == ["ssgsea"]
    np.testing.assert_array_equal(data.X, data.layers["ssgsea"])
    assert data.uns["adnorm"]["anchor"] == ""
    assert read_table(tmp_path / "agreement.tsv").empty


def test_without_reference_samples_that_is_said(files, tmp_path):
    expression = write_cohort(tmp_path / "e.h5ad", reference="healthy")
    data = scanpy.read_h5ad(run(tmp_path, files, expression)["scores"])
    assert data.uns["adnorm"]["anchor"] == "all samples"


def test_without_undetected_and_renamed_genes(files, tmp_path):
    none = np.array([], dtype=object)
    expression = write_cohort(tmp_path / "e.h5ad", undetected=none, renamed=none)
    table = read_table(run(tmp_path, files, expression)["coverage"]).set_index("set")
    assert (table.loc["poor", "absent"], table.loc["poor", "undetected"]) == (3, 0)


@pytest.mark.parametrize(("value", "word"), [(np.nan, "missing"), (np.inf, "infinite")])
def test_values_that_are_no_numbers_stop_the_stage_and_write_nothing(files, tmp_path, value, word):
    def spoil(x):
        x[3, 4] = value
        return x

    expression = write_cohort(tmp_path / "e.h5ad", spoil)
    with pytest.raises(AdnormError, match=f"1 {word} values, the first in gene GENE004"):
        run(tmp_path, files, expression)
    assert [p.name for p in tmp_path.iterdir()] == ["e.h5ad"]


def test_sets_that_all_miss_stop_the_stage(tmp_path):
    gmt = tmp_path / "other.gmt"
    gmt.write_text("other\t-\tABC1\tXYZ2\n")
    with pytest.raises(AdnormError, match="none of the 1 gene sets can be scored"):
        run(tmp_path, [gmt])
    assert not (tmp_path / "coverage.tsv").exists()
