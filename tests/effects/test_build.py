"""Bad input of the effects stage: one paragraph, nothing written, nothing plausible."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from adnorm.base.errors import AdnormError
from adnorm.base.tables import read_table, write_table
from adnorm.effects.build import StageSettings, build, compare
from adnorm.effects.enrichment import enrich_comparisons
from adnorm.study.gene_sets import read_gene_sets

TABLES = ("effects", "set_effects", "controls", "enrichment")
FACTS = {
    "cohort": "trial",
    "assay": "microarray",
    "placebo_arm": "placebo",
    "normalization": "none",
}


def cohort(patients: int = 4, visits: tuple[float, ...] = (0.0, 4.0), genes: int = 120):
    obs = pd.DataFrame(
        [
            (f"{arm}{i}", arm, arm, "lesional", week, np.nan)
            for arm in ("drug", "placebo")
            for i in range(patients)
            for week in visits
        ],
        columns=["patient", "arm", "treatment", "state", "week", "dose_mg"],
    )
    obs.index = pd.Index([f"s{i}" for i in range(len(obs))])
    obs[["patient", "arm", "treatment", "state"]] = obs[
        ["patient", "arm", "treatment", "state"]
    ].astype("category")
    values = np.random.default_rng(1).normal(8, 1, (len(obs), genes)).astype("float32")
    data = anndata.AnnData(X=values, obs=obs)
    data.var_names = [f"GENE{i}" for i in range(genes)]
    data.uns["adnorm"] = dict(FACTS)
    return data


def scores_of(data: anndata.AnnData) -> anndata.AnnData:
    values = np.asarray(data.X[:, :2], dtype=float)
    var = pd.DataFrame(
        {"family": "primary", "status": "ok", "reason": ""}, index=["itch", "barrier"]
    )
    scores = anndata.AnnData(X=values, obs=data.obs, var=var, layers={"zscore": values})
    scores.uns["adnorm"] = dict(FACTS)
    return scores


@pytest.fixture
def run(tmp_path):
    outputs = {name: tmp_path / f"{name}.tsv" for name in TABLES}
    inputs = {name: tmp_path / f"{name}.h5ad" for name in ("expression", "scores")}
    inputs |= {"coverage": tmp_path / "coverage.tsv", "gene_sets": [tmp_path / "sets.gmt"]}
    names = "\t".join(f"GENE{i}" for i in range(10))
    inputs["gene_sets"][0].write_text(f"first\tnote\t{names}\nabsent\tnote\tA1\tB2\tC3\tD4\tE5\n")
    coverage = pd.DataFrame({"set": ["first", "absent"], "status": "ok", "reason": ""})
    write_table(coverage, inputs["coverage"])

    def stage(data, scores=None, **changed):
        data.write_h5ad(inputs["expression"])
        (scores_of(data) if scores is None else scores).write_h5ad(inputs["scores"])
        build(inputs, outputs, StageSettings(**changed), 1)
        return outputs

    stage.inputs, stage.outputs, stage.folder = inputs, outputs, tmp_path
    return stage


def refused(run, message, *arguments, **changed):
    with pytest.raises(AdnormError, match=message):
        run(*arguments, **changed)
    assert not any(path.exists() for path in run.outputs.values())


def test_good_input_gives_all_tables(run):
    outputs = run(cohort())
    effects = read_table(outputs["effects"])
    assert list(effects["contrast"].unique()) == [
        "change:drug-placebo@4",
        "change:drug@4",
        "change:placebo@4",
    ]
    assert len(read_table(outputs["set_effects"])) == 3 * 2
    table = read_table(outputs["enrichment"])
    assert len(table) == 3 * 2
    absent = table[table["set"] == "absent"]
    assert absent["p_value"].isna().all()
    assert set(absent["reason"]) == {"0 of 5 genes measured; at least 5 are needed"}


def test_same_input_same_bytes(run):
    outputs = run(cohort())
    first = {name: path.read_bytes() for name, path in outputs.items()}
    run(cohort())
    assert first == {name: path.read_bytes() for name, path in outputs.items()}


def test_written_t_has_no_ties_from_rounding(run):
    effects = read_table(run(cohort(genes=5000))["effects"])
    for _, rows in effects.groupby("contrast"):
        assert not rows["t"].duplicated().any()


def test_no_supported_comparison_gives_tables_with_headers_only(run):
    outputs = run(cohort(visits=(0.0,)))
    for frame in map(read_table, outputs.values()):
        assert len(frame) == 0 and frame.columns[0] == "contrast"


def test_too_few_pairs_are_not_a_number(run):
    outputs = run(cohort(patients=2))
    assert len(read_table(outputs["effects"])) == 0


def test_missing_and_infinite_values_name_the_gene(run):
    data = cohort()
    data.X[3, 7], data.X[2, 9] = np.nan, np.inf
    refused(run, "2 genes have missing or infinite log2 values \\('GENE7', 'GENE9'\\)", data)


def test_constant_matrix(run):
    data = cohort()
    data.X[:] = 5
    refused(run, "only 0 of 120 genes vary", data)


def test_constant_gene_is_left_out_and_enrichment_still_works(run):
    data = cohort()
    data.X[:, 3] = 5
    outputs = run(data)
    assert "GENE3" not in set(read_table(outputs["effects"])["gene"])
    found = read_table(outputs["enrichment"]).query("`set` == 'first'")
    assert set(found["size"]) == {9} and not found["camera_p_value"].isna().any()


def test_missing_file(run):
    with pytest.raises(AdnormError, match="this file is missing"):
        build(run.inputs, run.outputs, StageSettings(), 1)


def test_not_an_h5ad_file(run):
    run.inputs["expression"].write_text("<html>not a file</html>")
    with pytest.raises(AdnormError, match="cannot be read as h5ad"):
        build(run.inputs, run.outputs, StageSettings(), 1)


def test_h5ad_of_something_else(run):
    data = cohort()
    del data.obs["arm"]
    with pytest.raises(AdnormError, match="lacks 'arm'"):
        run(data)


def test_scores_of_other_samples(run):
    data = cohort()
    other = scores_of(data)
    other.obs_names = ["x0", *other.obs_names[1:]]
    refused(run, "samples in only one of them: 's0', 'x0'", data, other)


def test_scores_in_another_order(run):
    data = cohort()
    refused(run, "the order differs", data, scores_of(data)[::-1].copy())


def test_counts_without_reads(run):
    data = cohort()
    counts = np.random.default_rng(2).poisson(50, data.shape).astype("int32")
    counts[4] = 0
    data.layers["counts"] = counts
    refused(run, "samples 's4' have no reads", data)


def test_unknown_count_model(run):
    with pytest.raises(ValidationError, match="should be 'voom', 'log2' or 'deseq2'"):
        run(cohort(), count_model="edger")
    assert not any(path.exists() for path in run.outputs.values())


def test_the_ranking_rests_on_the_statistic_that_the_table_holds(run):
    run(cohort())
    _, _, effects = compare(run.inputs, run.outputs, StageSettings())
    assert effects["t"].tolist() == read_table(run.outputs["effects"])["t"].tolist()


def test_tied_statistics(run):
    run(cohort())
    data, plans, effects = compare(run.inputs, run.outputs, StageSettings())
    effects["t"] = effects["t"].round(0)
    sets, coverage = read_gene_sets(run.inputs["gene_sets"]), read_table(run.inputs["coverage"])
    table = enrich_comparisons(data, plans, effects, sets, coverage, StageSettings(), 1)
    table = table.query("set == 'first'")
    assert len(table) and table["reason"].str.contains("share their t with another gene").all()
    assert table[["es", "nes", "p_value", "fdr"]].isna().all().all()
    # The competitive test needs no order, so the contrast keeps its answer.
    assert table["camera_p_value"].between(0, 1).all()


def test_failure_keeps_what_was_there_before(run):
    before = run(cohort())["effects"].read_bytes()
    data = cohort()
    data.X[0, 0] = np.nan
    with pytest.raises(AdnormError):
        run(data)
    assert run.outputs["effects"].read_bytes() == before
