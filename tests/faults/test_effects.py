"""Bad input of the effects stage: one paragraph, nothing written, nothing plausible."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest

from adnorm.base.errors import AdnormError
from adnorm.base.tables import read_table, write_table
from adnorm.effects.build import build_effects, build_enrichment

SETTINGS = {
    "count_model": "voom",
    "minimum_pairs": 3,
    "robust": False,
    "fdr": 0.05,
    "confidence": 0.95,
}
ENRICHMENT = {"minimum_size": 5, "maximum_size": 500, "inter_gene_correlation": "estimated"}
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
    outputs = {name: tmp_path / f"{name}.tsv" for name in ("effects", "set_effects", "enrichment")}

    def stage(data, scores=None, **changed):
        data.write_h5ad(tmp_path / "expression.h5ad")
        (scores_of(data) if scores is None else scores).write_h5ad(tmp_path / "scores.h5ad")
        build_effects(
            tmp_path / "expression.h5ad", tmp_path / "scores.h5ad", SETTINGS | changed, outputs
        )
        return outputs

    stage.outputs, stage.folder = outputs, tmp_path
    return stage


def enrich(run, **changed):
    sets = run.folder / "sets.gmt"
    if not sets.exists():
        names = "\t".join(f"GENE{i}" for i in range(10))
        sets.write_text(f"first\tnote\t{names}\nabsent\tnote\tA1\tB2\tC3\tD4\tE5\n")
    coverage = pd.DataFrame({"set": ["first", "absent"], "status": "ok", "reason": ""})
    write_table(coverage, run.folder / "coverage.tsv")
    build_enrichment(
        run.folder / "expression.h5ad",
        run.outputs["effects"],
        run.folder / "coverage.tsv",
        [sets],
        ENRICHMENT | changed,
        run.outputs,
        1,
    )
    return read_table(run.outputs["enrichment"])


def refused(run, message, *arguments, **changed):
    with pytest.raises(AdnormError, match=message):
        run(*arguments, **changed)
    assert not any(path.exists() for path in run.outputs.values())


def test_good_input_gives_all_three_tables(run):
    outputs = run(cohort())
    effects = read_table(outputs["effects"])
    assert list(effects["contrast"].unique()) == [
        "change:drug-placebo@4",
        "change:drug@4",
        "change:placebo@4",
    ]
    assert len(read_table(outputs["set_effects"])) == 3 * 2
    table = enrich(run)
    assert len(table) == 3 * 2
    absent = table[table["set"] == "absent"]
    assert absent["p_value"].isna().all()
    assert set(absent["reason"]) == {"0 of 5 genes measured; at least 5 are needed"}


def test_same_input_same_bytes(run):
    outputs = run(cohort())
    enrich(run)
    first = {name: path.read_bytes() for name, path in outputs.items()}
    run(cohort())
    enrich(run)
    assert first == {name: path.read_bytes() for name, path in outputs.items()}


def test_written_t_has_no_ties_from_rounding(run):
    effects = read_table(run(cohort(genes=5000))["effects"])
    for _, rows in effects.groupby("contrast"):
        assert not rows["t"].duplicated().any()


def test_no_supported_comparison_gives_tables_with_headers_only(run):
    outputs = run(cohort(visits=(0.0,)))
    table = enrich(run)
    for frame in (read_table(outputs["effects"]), read_table(outputs["set_effects"]), table):
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
    effects = read_table(run(data)["effects"])
    assert "GENE3" not in set(effects["gene"])
    found = enrich(run).query("`set` == 'first'")
    assert set(found["size"]) == {9} and not found["camera_p_value"].isna().any()


def test_missing_file(run):
    with pytest.raises(AdnormError, match="this file is missing"):
        build_effects(run.folder / "none.h5ad", run.folder / "none.h5ad", SETTINGS, run.outputs)


def test_not_an_h5ad_file(run):
    (run.folder / "expression.h5ad").write_text("<html>not a file</html>")
    with pytest.raises(AdnormError, match="cannot be read as h5ad"):
        build_effects(
            run.folder / "expression.h5ad", run.folder / "scores.h5ad", SETTINGS, run.outputs
        )


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
    refused(run, "'edger' is not one of", cohort(), count_model="edger")


def test_effects_of_another_cohort(run):
    run(cohort())
    effects = read_table(run.outputs["effects"])
    effects["contrast"] = effects["contrast"].str.replace("@4", "@16")
    effects.to_csv(run.outputs["effects"], sep="\t", index=False)
    with pytest.raises(AdnormError, match="does not support: 'change:drug-placebo@16'"):
        enrich(run)
    assert not run.outputs["enrichment"].exists()


def test_tied_statistics(run):
    run(cohort())
    effects = read_table(run.outputs["effects"])
    effects["t"] = effects["t"].round(0)
    effects.to_csv(run.outputs["effects"], sep="\t", index=False)
    table = enrich(run).query("set == 'first'")
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
