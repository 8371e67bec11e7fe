"""The stage index as a whole: on the simulated trials and on the real series."""

from __future__ import annotations

import shutil

import anndata
import numpy as np
import pandas as pd
import pytest
import yaml

from adnorm.base.containers import read_container
from adnorm.base.errors import AdnormError
from adnorm.base.tables import read_table, write_table
from adnorm.index.build import set_scores
from adnorm.index.patients import MIXED
from adnorm.study.gene_sets import DERIVED, read_gene_sets
from adnorm.study.reading import read_study
from adnorm.study.vocabulary import SetStatus
from builders.axis_trials import compile_lesional_effects
from builders.runs import SETTINGS, index_files, index_of, run, score

TRIALS = ["demo_jak1", "demo_biologic"]


@pytest.fixture(scope="module")
def sets(repository):
    return [repository / "config" / "gene_sets" / "adnorm.tsv"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory, repository):
    config = yaml.safe_load((repository / "config" / "config.yaml").read_text())
    return run(tmp_path_factory.mktemp("demo"), repository, config)


@pytest.fixture(scope="module")
def real(tmp_path_factory, repository, shared):
    config = yaml.safe_load((repository / "config" / "real.yaml").read_text())
    config["geo"] = {"address": f"file:{shared / 'geo'}"}
    config["identifiers"] = {"table": str(shared / "reference" / "gencode_v26_annotation.tsv.gz")}
    return run(tmp_path_factory.mktemp("real"), repository, config)


def index_table(folder, cohort, **wanted):
    """All analyses of the index, with what the disease effect of each row rests on."""
    place = folder / cohort / "index"
    index = read_table(place / "index.tsv").assign(analysis="primary")
    table = pd.concat([index, read_table(place / "sensitivities.tsv")], ignore_index=True)
    basis = read_table(place / "denominators.tsv")[["reference", "name", "basis"]]
    table = table.merge(basis, how="left", on=["reference", "name"], validate="many_to_one")
    table["status"] = table["status"].fillna("NA")
    texts = ["reason_code", "reason", "dni_reason_code", "dni_reason"]
    table[texts] = table[texts].fillna("")
    for column, value in wanted.items():
        table = table[table[column] == value]
    return table


def planted(folder, cohort):
    """Share of the planted effect that is gone, by arm, week and name."""
    truth = read_table(folder / cohort / "fetch" / "truth.tsv")
    effect = truth[truth["kind"] == "set_effect"].set_index("name")["value"]
    sets = truth[truth["kind"] == "signed_set_change"].copy()
    sets["planted"] = -sets["value"] / sets["name"].map(effect)
    axis = truth[(truth["kind"] == "reversal") & (truth["name"] == "other")]
    axis = axis.assign(name="global", planted=axis["value"])
    columns = ["arm", "week", "name", "planted"]
    return pd.concat([sets, axis], ignore_index=True)[columns]


@pytest.mark.parametrize("cohort", TRIALS)
@pytest.mark.parametrize("analysis", ["primary", "completers"])
def test_planted_reversal_is_inside_the_interval(demo, cohort, analysis):
    table = index_table(demo, cohort, analysis=analysis)
    found = table[table["status"] == "ok"].merge(planted(demo, cohort), on=["arm", "week", "name"])
    assert found["name"].nunique() >= 16
    inside = (found["lower"] <= found["planted"]) & (found["planted"] <= found["upper"])
    assert inside.mean() >= 0.9
    axis = found[found["name"] == "global"]
    assert len(axis) == len(found[["arm", "week"]].drop_duplicates())
    assert inside[axis.index].mean() >= 0.75
    assert np.median(np.abs(axis["ni"] - axis["planted"])) < 0.05


@pytest.mark.parametrize("name", ["global", "itch_core_skin_up", "th2"])
def test_the_higher_dose_normalizes_more(demo, name):
    table = index_table(demo, "demo_jak1", analysis="primary", name=name, week=12)
    ni = table.set_index("arm")["ni"]
    assert ni["placebo"] < ni["JAK1 inhibitor 100 mg"] < ni["JAK1 inhibitor 200 mg"]
    drugs = table[table["arm"] != "placebo"]
    assert (drugs["dni_lower"] > 0).all()
    assert (drugs["dni"] < drugs["ni"]).all()


def test_every_set_has_a_row_with_a_number_or_a_reason(demo):
    scores = anndata.read_h5ad(demo / "demo_jak1" / "scores" / "scores.h5ad")
    table = index_table(demo, "demo_jak1", analysis="primary")
    for _, rows in table.groupby(["arm", "week"]):
        assert set(rows["name"]) == {*scores.var_names, "global", "itch_minus_th2"}
    refused = table["status"] == "NA"
    assert table.loc[refused, "ni"].isna().all()
    assert (table.loc[refused, "reason_code"] != "").all()
    assert (table.loc[refused, "reason"].str.len() > 20).all()
    assert table.loc[~refused, ["ni", "lower", "upper", "p_value"]].notna().all(axis=None)
    unsigned = scores.var_names[scores.var["direction"] == "unsigned"]
    codes = table[table["name"].isin(unsigned)]["reason_code"]
    assert set(codes) <= {"UNSIGNED", "NOT_SCORED"}


@pytest.mark.parametrize("name", ["housekeeping", "housekeeping_classic", "sex_check"])
def test_control_sets_have_no_index(demo, name):
    assert set(index_table(demo, "demo_jak1", name=name)["status"]) == {"NA"}


def test_sensitivity_analyses_where_they_make_sense(demo):
    expected = {
        "primary",
        "unadjusted",
        "sign_flips",
        "observed_pairs",
        "completers",
        "delta_adjusted",
        "composition_adjusted",
        "with_composition_genes",
        "without_composition_genes",
        "literal",
    }
    sizes = {"tmm", "median_of_ratios", "library_size"}
    assert set(index_table(demo, "demo_jak1")["analysis"]) == expected | sizes
    table = index_table(demo, "demo_biologic")
    assert set(table["analysis"]) == expected | {"time_matched"}
    matched = table[table["analysis"] == "time_matched"]
    assert set(matched["week"]) == {16}
    for analysis in ("composition_adjusted", "with_composition_genes", "literal"):
        rows = table[(table["analysis"] == analysis) & (table["status"] != "NA")]
        assert set(rows["status"]) == {"exploratory"}
    literal = table[table["analysis"] == "literal"]
    assert literal["reason"].str.startswith("circular").all()
    assert literal[["lower", "upper", "p_value"]].isna().all(axis=None)
    assert not table.duplicated(["analysis", "reference", "arm", "week", "name"]).any()


def test_itch_minus_th2_is_the_score_without_the_shared_genes(demo, sets):
    """Against its definition, from the expression file."""
    place = demo / "demo_jak1"
    data = anndata.read_h5ad(place / "expression" / "expression.h5ad")
    gene_sets = read_gene_sets(sets)
    th2 = {gene.symbol for gene in gene_sets["th2"].genes}
    signs = {
        gene: sign
        for gene, sign in gene_sets["itch_core_skin_up"].signs.items()
        if gene not in th2 and gene in data.var_names
    }
    assert 5 <= len(signs) <= 18
    frame = data[:, list(signs)].to_df() * list(signs.values())
    patients = read_table(place / "index" / "patients.tsv")
    scores = patients[patients["name"] == "itch_minus_th2"].set_index(["patient", "state", "week"])
    keys = list(zip(data.obs["patient"], data.obs["state"], data.obs["week"], strict=True))
    correlation = np.corrcoef(frame.mean(axis=1), scores.loc[keys, "score"])[0, 1]
    assert correlation > 0.97


def test_a_derived_set_is_scored_as_a_set_of_a_file(copied, sets, repository):
    """Several biopsies of a visit: each is scored by itself, against single reference biopsies."""
    path = copied / "expression" / "expression.h5ad"
    data = anndata.read_h5ad(path)
    again = data[::3].copy()
    again.X = again.X + np.random.default_rng(1).normal(0, 0.5, again.shape).astype(np.float32)
    again.obs_names = [f"{name}_again" for name in again.obs_names]
    both = anndata.concat([data, again])
    both.var, both.uns = data.var, data.uns
    both.write_h5ad(path)
    gene_sets = read_gene_sets(sets)
    rest = DERIVED[0].genes_of(gene_sets)
    same = copied / "same.gmt"
    same.write_text("\t".join(["the_same", "", *(gene.symbol for gene in rest.genes)]) + "\n")
    config = yaml.safe_load((repository / "config" / "config.yaml").read_text())
    settings = read_study(config, repository).config.scores.model_dump()
    scores = score(copied, [*sets, same], settings)
    values, names = set_scores(scores, read_container(path), gene_sets, SETTINGS)
    np.testing.assert_allclose(values["itch_minus_th2"], values["the_same"], rtol=1e-12)
    assert names.loc["itch_minus_th2", "reason_code"] == ""


def test_the_limits_of_coverage_are_those_of_the_configuration(copied, sets, core):
    index_of(copied, sets, axis_genes=str(core), minimum_genes=1000)
    table = index_table(copied.parent, copied.name, analysis="primary")
    for name in ("itch_minus_th2", "core_list"):
        rows = table[table["name"] == name]
        assert set(rows["reason_code"]) == {"LOW_COVERAGE"}
        assert rows["reason"].str.contains("at least 1000").all()
    index_of(copied, sets, axis_genes=str(core), minimum_fraction=0.999)
    table = index_table(copied.parent, copied.name, analysis="primary", name="core_list")
    assert table["reason"].str.contains("at least 5 and 99.9% of them are required").all()


def test_patient_scores_give_the_index(demo):
    """The table that trajectories are drawn from holds the very scores of the index."""
    place = demo / "demo_biologic"
    scores = read_table(place / "index" / "patients.tsv")
    wide = scores[scores["name"] == "global"].pivot(
        index=["patient", "arm"], columns=["state", "week"], values="score"
    )
    disease = (wide["lesional", 0] - wide["nonlesional", 0]).mean()
    row = index_table(place.parent, place.name, analysis="observed_pairs", name="global", week=16)
    for arm, ni in row.set_index("arm")["ni"].items():
        change = (wide["lesional", 0] - wide["lesional", 16]).xs(arm, level="arm").dropna()
        assert change.mean() / disease == pytest.approx(ni, rel=1e-4)


def test_axis_of_a_trial_comes_from_the_others_without_composition_genes(demo, sets):
    axis = read_table(demo / "demo_jak1" / "index" / "axis.tsv")
    assert set(axis["source"]) == {"other cohorts"}
    used = set(axis.loc[axis["weight"] != 0, "gene"])
    assert len(used) > 30
    cells = {g.symbol for s in read_gene_sets(sets).values() if s.role == "composition"
             for g in s.genes}  # fmt: skip
    assert not used & cells


@pytest.fixture
def core(repository, tmp_path):
    """The shipped core of the MADAD signature, written out as a list of a user."""
    genes = read_table(repository / "config" / "gene_sets" / "adnorm.tsv")
    core = genes[genes["set"].isin(["madad_core_up", "madad_core_down"])]
    listed = core.rename(columns={"symbol": "gene"})[["gene", "direction"]]
    absent = pd.DataFrame({"gene": ["NOSUCHGENE"], "direction": ["up"]})
    table = pd.concat([listed, absent], ignore_index=True).assign(trained_on="GSE58558;GSE59294")
    write_table(table, tmp_path / "core_list.tsv")
    return tmp_path / "core_list.tsv"


def test_a_published_list_is_an_axis_of_its_own(copied, sets, core):
    before = index_table(copied.parent, copied.name)
    index_of(copied, sets, axis_genes=str(core))
    after = index_table(copied.parent, copied.name)
    listed = after[after["name"] == "core_list"]
    assert set(listed["level"]) == {"published_axis"}
    assert {"primary", "completers", "with_composition_genes"} <= set(listed["analysis"])
    assert (listed.loc[listed["analysis"] == "primary", "status"] == "ok").all()
    # The planted reversal of the axis is also that of the list.
    truth = planted(copied.parent, copied.name)
    truth = truth[truth["name"] == "global"].astype({"week": float})
    primary = listed[listed["analysis"] == "primary"].merge(truth, on=["arm", "week"])
    inside = (primary["lower"] <= primary["planted"]) & (primary["planted"] <= primary["upper"])
    assert len(primary) and inside.mean() >= 0.75
    # Nothing else has moved.
    rest = after[after["name"] != "core_list"].reset_index(drop=True)
    pd.testing.assert_frame_equal(rest, before.reset_index(drop=True))
    axis = read_table(copied / "index" / "axis.tsv")
    axis_genes = axis[axis["source"] == "published list core_list"].set_index("gene")
    assert axis_genes.loc["NOSUCHGENE", "reason"] == "not measured in this cohort"
    assert set(axis_genes["weight"]) == {-1.0, 0.0, 1.0}
    assert "core_list" in set(read_table(copied / "index" / "patients.tsv")["name"])


def test_a_list_made_from_this_cohort_is_said_to_be_not_independent(copied, sets, core):
    path = copied / "expression" / "expression.h5ad"
    data = anndata.read_h5ad(path)
    data.uns["adnorm"]["accession"] = "GSE59294"
    data.write_h5ad(path)
    index_of(copied, sets, axis_genes=str(core))
    table = index_table(copied.parent, copied.name, name="core_list")
    known = table[table["ni"].notna()]
    assert set(known["status"]) == {"exploratory"}
    assert known["reason"].str.startswith("exploratory: not independent").all()
    assert known["reason"].str.contains("GSE59294").all()
    others = index_table(copied.parent, copied.name, name="global", analysis="primary")
    assert set(others["status"]) == {"ok"}


def change_facts(place, **facts):
    path = place / "expression" / "expression.h5ad"
    data = anndata.read_h5ad(path)
    data.uns["adnorm"].update(facts)
    data.write_h5ad(path)


def test_a_trial_of_another_disease_stands_on_an_axis_of_its_own(copied, sets, core):
    """The others are of atopic dermatitis: they do not judge psoriasis, nor does the list."""
    before = index_table(copied.parent, copied.name)
    assert set(before.loc[before["name"] == "global", "basis"]) == {
        "axis of atopic dermatitis, trained on 3 other cohorts "
        "(demo_jak1, demo_reference_array, demo_reference_rnaseq)"
    }
    change_facts(copied, disease="Psoriasis vulgaris")
    index_of(copied, sets, axis_genes=str(core))
    table = index_table(copied.parent, copied.name)
    primary = table[table["analysis"] == "primary"]
    axis = primary[primary["name"] == "global"]
    assert axis["basis"].str.startswith("axis of Psoriasis vulgaris, cross-fitted").all()
    assert not axis["basis"].str.contains("atopic").any()
    genes = read_table(copied / "index" / "axis.tsv")
    assert set(genes.loc[genes["source"] == "cross-fit", "disease"]) == {"Psoriasis vulgaris"}
    assert "other cohorts" not in set(genes["source"])
    listed = table[table["name"] == "core_list"]
    assert set(listed["reason_code"]) == {"OTHER_DISEASE"} and listed["ni"].isna().all()
    assert (
        listed["reason"].str.contains("is of atopic dermatitis, and this cohort is of Psor").all()
    )
    # A set is set against the effect in this cohort, so its number stays, and says what it is.
    one = primary[primary["name"] == "th2"].reset_index(drop=True)
    old = before[(before["analysis"] == "primary") & (before["name"] == "th2")]
    assert one["ni"].tolist() == old["ni"].tolist()
    assert one["basis"].str.contains("of atopic dermatitis.*against the effect of Psoriasis").all()


@pytest.mark.parametrize("spelled", ["AD", "Atopic Eczema", "atopic  dermatitis (AD)"])
def test_another_spelling_is_no_other_disease(copied, sets, spelled):
    change_facts(copied, disease=spelled)
    before = index_table(copied.parent, copied.name).drop(columns="basis")
    index_of(copied, sets)
    after = index_table(copied.parent, copied.name)
    assert after.loc[after["name"] == "global", "basis"].str.startswith(f"axis of {spelled}").all()
    pd.testing.assert_frame_equal(after.drop(columns="basis"), before)


def test_a_teacher_with_the_same_samples_is_left_out_and_said(demo, sets, copied):
    """The whole way: the same trial under another name, and what the index says of its axis."""
    twin = copied.parent / "twin"
    shutil.copytree(copied, twin)
    change_facts(twin, cohort="twin")
    others = [demo / name for name in ("demo_reference_array", "demo_reference_rnaseq")]
    before = index_table(copied.parent, copied.name)
    compile_lesional_effects([copied, twin, *others], copied.parent / "lesional_effects.tsv")
    index_of(copied, sets)
    axis = index_table(copied.parent, copied.name, name="global", analysis="primary")
    assert axis["basis"].str.contains("trained on 2 other cohorts").all()
    assert (
        axis["basis"].str.contains("twin left out (in common with this cohort: ", regex=False).all()
    )
    compile_lesional_effects([copied, *others], copied.parent / "lesional_effects.tsv")
    index_of(copied, sets)
    without = index_table(copied.parent, copied.name, name="global", analysis="primary")
    assert without["ni"].tolist() == axis["ni"].tolist()
    assert len(before)


def test_cohort_without_visits_has_empty_tables_with_headers(demo):
    assert index_table(demo, "demo_reference_array").empty
    assert read_table(demo / "demo_reference_array" / "index" / "gene_index.tsv").empty
    assert (demo / "demo_reference_array" / "index" / "residual.gmt").read_text() == ""


def test_same_bytes_again(demo, sets, tmp_path):
    place = demo / "demo_biologic"
    again = {name: tmp_path / path.name for name, path in index_files(place).items()}
    index_of(place, sets, outputs=again)
    for name, path in index_files(place).items():
        assert again[name].read_bytes() == path.read_bytes(), name


@pytest.fixture
def copied(demo, tmp_path):
    place = tmp_path / "demo_biologic"
    shutil.copytree(demo / "demo_biologic", place)
    shutil.copy(demo / "teaching.h5", tmp_path)
    return place


def change_scores(place, change):
    path = place / "scores" / "scores.h5ad"
    data = anndata.read_h5ad(path)
    change(data).write_h5ad(path)


def test_scores_without_zscore_are_refused(copied, sets):
    def drop(data):
        data.layers["gsva"] = data.layers.pop("zscore")
        return data

    change_scores(copied, drop)
    with pytest.raises(AdnormError, match="add zscore to scores: methods"):
        index_of(copied, sets)


def test_scores_of_other_samples_are_refused(copied, sets):
    change_scores(copied, lambda data: data[::-1].copy())
    with pytest.raises(AdnormError, match="run the scores stage again"):
        index_of(copied, sets)


def test_a_set_without_any_gene_has_rows_that_say_so(copied, sets):
    why = "none of its 29 genes is measured"

    def empty(data):
        column = data.var_names.get_loc("th2")
        data.layers["zscore"][:, column] = np.nan
        data.var["status"] = (
            data.var["status"].astype(str).where(data.var_names != "th2", SetStatus.NOT_SCORED)
        )
        data.var["reason"] = data.var["reason"].astype(str).where(data.var_names != "th2", why)
        return data

    change_scores(copied, empty)
    index_of(copied, sets)
    table = index_table(copied.parent, copied.name, analysis="primary")
    rows = table[table["name"] == "th2"]
    assert len(rows) == (table["name"] == "global").sum() > 0
    assert (set(rows["status"]), set(rows["reason_code"])) == ({"NA"}, {"NOT_SCORED"})
    assert set(rows["reason"]) == {why}
    assert rows[["ni", "lower", "upper", "dni"]].isna().all(axis=None)


@pytest.mark.parametrize("alone", [False, True], ids=["axis of others", "own axis"])
def test_swapped_labels_give_no_number(copied, sets, alone):
    """Lesional and non-lesional exchanged at baseline: refused, set by set and for the axis.

    An axis that the cohort trains itself is exchanged with the labels, and so are its genes: they
    ask the sets.
    """
    other = {"lesional": "nonlesional", "nonlesional": "lesional"}
    for name in ("expression", "scores"):
        path = copied / name / f"{name}.h5ad"
        data = anndata.read_h5ad(path)
        state = data.obs["state"].astype(str)
        start = data.obs["week"] == 0
        data.obs["state"] = pd.Categorical(state.where(~start, state.map(other)))
        data.write_h5ad(path)
    if alone:
        compile_lesional_effects([copied], copied.parent / "lesional_effects.tsv")
    index_of(copied, sets)
    table = index_table(copied.parent, copied.name)
    exploratory = ["composition_adjusted", "with_composition_genes"]
    assert set(table.loc[~table["analysis"].isin(exploratory), "status"]) == {"NA"}
    by_name = table[table["analysis"] == "primary"].groupby("name")["reason_code"].first()
    for name in ("global", "th2", "itch_core_skin_up", "barrier_hyperproliferation_up"):
        assert by_name[name] == "DIRECTION_CONTRADICTED"
    axes = table[table["level"] == "global"]
    assert axes["ni"].isna().all() and axes["reason_code"].ne("").all()
    genes = read_table(copied / "index" / "gene_index.tsv")
    assert genes["ni"].isna().all() and set(genes["class"]) == {"not estimable"}
    assert genes["reason"].str.contains("labels look exchanged").all()
    assert (copied / "index" / "residual.gmt").read_text() == ""


def test_ruxolitinib_against_nonlesional_skin_has_no_index_and_a_reason(real):
    table = index_table(real, "gse80342", reference="nonlesional", analysis="primary")
    assert set(table["status"]) == {"NA"}
    signed = table[table["name"].isin(["th1_ifn", "itch_core_skin_up"])]
    assert set(signed["reason_code"]) == {"NO_REFERENCE"}
    assert signed["reason"].str.contains("no nonlesional samples at baseline").all()


@pytest.mark.parametrize("name", ["th1_ifn", "jak_stat_targets"])
def test_ruxolitinib_normalizes_its_targets_against_healthy_skin(real, name):
    row = index_table(
        real, "gse80342", reference="healthy", analysis="primary", name=name
    ).iloc[0]  # fmt: skip
    assert row["status"] == "exploratory"
    assert "3 people" in row["reason"]
    assert row["lower"] > 0.5
    assert 0.8 < row["ni"] < 1.25
    assert row["lower"] < 1 < row["upper"]
    assert row["p_value"] < 0.01
    flips = index_table(real, "gse80342", reference="healthy", analysis="sign_flips", name=name)
    assert flips["p_value"].item() == pytest.approx(2 / 2**9, rel=1e-3)
    assert (row["pairs"], row["lost"]) == (9, 0)
    assert "uncontrolled" in row["dni_reason"]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("barrier_terminal_differentiation_down", "DENOM_NOT_ESTIMABLE"),
        ("barrier_hyperproliferation_up", "DIRECTION_CONTRADICTED"),
        ("housekeeping", "UNSIGNED"),
        ("global", "NOT_SCORED"),
    ],
)
def test_ruxolitinib_has_no_index_where_the_cohort_cannot_say(real, name, code):
    row = index_table(
        real, "gse80342", reference="healthy", analysis="primary", name=name
    ).iloc[0]  # fmt: skip
    assert (row["status"], row["reason_code"]) == ("NA", code)
    assert np.isnan(row["ni"])
    assert len(row["reason"]) > 20


def test_itch_stands_beside_itch_minus_th2(real):
    table = read_table(real / "gse80342" / "index" / "denominators.tsv")
    table = table[table["reference"] == "healthy"].set_index("name")
    itch = table.loc[["itch_core_skin_up", "itch_minus_th2"]]
    assert np.isfinite(itch["denominator"].astype(float)).all()


def test_untreated_tape_strips_never_show_an_index(real):
    table = index_table(real, "gse199046")
    table = table[table["analysis"] != "literal"]
    assert {1, 2, 3, 4} == set(table["week"])
    assert not ((table["lower"] > 0) | (table["upper"] < 0)).any()
    assert not ((table["dni_lower"] > 0) | (table["dni_upper"] < 0)).any()
    assert table.loc[table["reference"] == "nonlesional", "ni"].isna().all()
    itch = table[(table["name"] == "itch_core_skin_up") & (table["analysis"] == "primary")]
    assert set(itch["reason_code"]) == {"LOW_COVERAGE"}
    assert itch["reason"].str.contains("7 of 28 genes").all()


def test_series_without_visits_has_no_index(real):
    assert index_table(real, "gse193309").empty
    assert not read_table(real / "gse193309" / "index" / "patients.tsv").empty


# ---------------------------------------------------------------- one trial alone


@pytest.fixture(scope="module")
def alone(tmp_path_factory, repository):
    """One simulated trial through the stages; with no other cohort its axis is cross-fitted."""
    config = yaml.safe_load((repository / "config" / "config.yaml").read_text())
    config["cohorts"] = ["demo_jak1"]
    place = run(tmp_path_factory.mktemp("alone"), repository, config) / "demo_jak1"
    tables = {n: read_table(place / "index" / f"{n}.tsv") for n in ("trajectories", "concordance")}
    return tables | {"truth": read_table(place / "fetch" / "truth.tsv")}


def of_name(table, name="global", week=12.0):
    return table[(table["name"] == name) & (table["week"] == week)].set_index("patient")


def test_planned_responders_respond_more(alone):
    truth = alone["truth"]
    planned = truth[(truth["kind"] == "patient_response") & (truth["week"].astype(float) == 12)]
    found = of_name(alone["trajectories"]).join(planned.set_index("name")["value"], how="inner")
    assert len(found) > 30
    assert found["response"].corr(found["value"]) > 0.8
    assert (found["method"] == MIXED).all()
    inside = (found["lower"] <= found["value"]) & (found["value"] <= found["upper"])
    assert inside.mean() >= 0.8
    # One small trial: what it says of its patients with a probability, it says rightly.
    chance = found["prob_above_half"]
    assert (chance.isna() == found["not_known"].ne("")).all()
    assert found.loc[chance > 0.8, "value"].mean() > 0.5


def test_simulated_clinic_follows_the_skin(alone):
    table = alone["concordance"].query("arm == 'all arms' and score == 'global'")
    fine = table[table["status"] == "exploratory"]
    change = fine.query("question == 'change_with_clinic' and clinical == 'easi' and week == 12")
    assert change["lower"].item() > 0.1
    together = fine.query("question == 'repeated_measures' and clinical == 'itch_nrs'")
    assert together["lower"].item() > 0.5
    assert (alone["concordance"].query("clinical == 'scorad'")["status"] == "not_available").all()
