"""Gene-set enrichment: ranking, parts of sets, completeness, determinism, families."""

from __future__ import annotations

import os
import subprocess
import sys

import gseapy
import numpy as np
import pandas as pd
import pylimma
import pytest
from scipy import stats

from adnorm.base.errors import AdnormError
from adnorm.effects.design import plan_fits
from adnorm.effects.enrichment import (
    ROWS,
    SAMPLE_SIZE,
    SMALLEST_P_VALUE,
    ModelOfSets,
    arbitrary_order,
    competitive,
    enrich,
    flag_coverage,
    preranked,
    rank_genes,
    split_sets,
    variation_of,
)
from adnorm.effects.fit import adjust_by_family, benjamini_hochberg, fit_unweighted, moderate
from adnorm.study.comparisons import combine_biopsies, derive_design
from adnorm.study.config import EnrichmentSettings
from adnorm.study.gene_sets import Gene, GeneSet

SETTINGS = EnrichmentSettings(minimum_size=5, maximum_size=100)
GENES = np.array([f"C{i}orf{i}" for i in range(600)])
PARTS = {
    ("up_set", "up"): tuple(GENES[:15]),
    ("mixed", "up"): tuple(GENES[15:25]),
    ("mixed", "down"): tuple(GENES[25:35]),
    ("null", "all"): tuple(GENES[100:130]),
    ("tiny", "all"): (*GENES[200:204], "ABSENT1", "ABSENT2"),
    ("absent", "up"): ("ABSENT1", "ABSENT2", "ABSENT3"),
    ("huge", "all"): tuple(GENES[300:500]),
}
FAMILIES = dict.fromkeys((name for name, _ in PARTS), "curated")


@pytest.fixture(scope="module")
def study():
    rows = [(f"p{i}", "untreated", s, 0.0) for i in range(10) for s in ("lesional", "nonlesional")]
    samples = pd.DataFrame(rows, columns=["patient", "arm", "state", "week"])
    samples = samples.assign(treatment="none", dose_mg=np.nan)
    combined, _ = combine_biopsies(samples)
    (plan,), _ = plan_fits(combined, derive_design(samples, None, 3).supported)
    rng = np.random.default_rng(3)
    y = rng.normal(8, 0.5, (len(GENES), len(combined)))
    lesional = (combined["state"] == "lesional").to_numpy()
    y[:25, lesional] += 1.2
    y[25:35, lesional] -= 1.2
    t = moderate(fit_unweighted(y[:, plan.model.rows], plan), False)["t"][:, 0]
    return y[:, plan.model.rows], plan, t


def enriched(study, seed=1, families=FAMILIES, **changed):
    y, plan, t = study
    model = ModelOfSets(plan, GENES, y.__getitem__)
    settings = SETTINGS.model_copy(update=changed)
    return enrich(rank_genes(GENES, t, "c"), model, 0, PARTS, families, settings, seed)


def run(study, seed=1, **changed):
    return enriched(study, seed, **changed).set_index(["set", "part"])


def test_columns_and_one_row_for_each_part(study):
    table = enriched(study)
    assert list(table.columns) == ROWS
    assert list(zip(table["set"], table["part"], strict=True)) == sorted(PARTS)
    assert set(table["contrast"]) == {"lesional-nonlesional@0"}


def test_signals_are_found_with_their_direction_by_both_tests(study):
    table = run(study)
    for key, sign in ((("up_set", "up"), 1), (("mixed", "up"), 1), (("mixed", "down"), -1)):
        found = table.loc[key]
        assert np.sign(found["nes"]) == np.sign(found["es"]) == sign
        assert found["fdr"] < 1e-3 and found["camera_fdr"] < 1e-3
        assert found["camera_direction"] == ("up" if sign > 0 else "down")
        lead = found["leading_edge"].split(";")
        assert 5 <= len(lead) <= found["size"] and set(lead) <= set(PARTS[key])
    assert table.loc[("null", "all"), "camera_p_value"] > 0.05


def test_leading_edge_starts_at_the_end_of_the_ranking(study):
    _, _, t = study
    value = dict(zip(GENES, t, strict=True))
    lead = run(study).loc[("up_set", "up"), "leading_edge"].split(";")
    assert [value[g] for g in lead] == sorted((value[g] for g in lead), reverse=True)


def test_enrichment_score_is_the_published_running_sum(study):
    _, _, t = study
    ranking = rank_genes(GENES, t, "c")
    inside = ranking.index.isin(PARTS["mixed", "down"])
    hit = np.where(inside, ranking.abs(), 0)
    steps = np.cumsum(hit / hit.sum() - ~inside / (~inside).sum())
    expected = steps[np.abs(steps).argmax()]
    assert run(study).loc[("mixed", "down"), "es"] == pytest.approx(expected, abs=1e-6)


def test_too_small_too_large_and_absent_sets_have_a_reason_and_no_number(study):
    table = run(study)
    assert table.loc[("tiny", "all"), "reason"] == "4 of 6 genes measured; at least 5 are needed"
    assert table.loc[("absent", "up"), "reason"] == "0 of 3 genes measured; at least 5 are needed"
    assert table.loc[("huge", "all"), "reason"] == "200 genes measured; at most 100 are tested"
    empty = table[table["reason"] != ""]
    assert len(empty) == 3
    numbers = ["es", "nes", "p_value", "fdr", "camera_p_value", "camera_fdr"]
    assert empty[numbers].isna().all().all()
    assert not table[table["reason"] == ""][numbers].isna().any().any()


def test_families_are_all_tested_parts_of_the_contrast(study):
    tested = run(study).query("reason == ''")
    for p, fdr in (("p_value", "fdr"), ("camera_p_value", "camera_fdr")):
        np.testing.assert_allclose(tested[fdr], stats.false_discovery_control(tested[p]))


def test_p_values_are_never_zero(study):
    y, plan, t = study
    extreme = t.copy()
    extreme[:15] = 40 + np.arange(15)
    ranking = rank_genes(GENES, extreme, "c")
    table = enrich(
        ranking, ModelOfSets(plan, GENES, y.__getitem__), 0, PARTS, FAMILIES, SETTINGS, 1
    )
    assert table["p_value"].min() == SMALLEST_P_VALUE
    assert (table["fdr"].dropna() > 0).all()


def test_order_of_genes_does_not_matter(study):
    y, plan, t = study
    order = np.random.default_rng(0).permutation(len(GENES))
    shuffled = enrich(
        rank_genes(GENES[order], t[order], "c"),
        ModelOfSets(plan, GENES[order], y[order].__getitem__),
        0,
        PARTS,
        FAMILIES,
        SETTINGS,
        1,
    )
    pd.testing.assert_frame_equal(shuffled.set_index(["set", "part"]), run(study), rtol=1e-9)


def test_same_seed_same_result_and_another_seed_another_sampling(study):
    first, again, other = run(study), run(study), run(study, seed=2)
    pd.testing.assert_frame_equal(first, again, check_exact=True)
    assert not first["nes"].equals(other["nes"])
    np.testing.assert_allclose(first["es"], other["es"])


def test_result_does_not_depend_on_the_hash_seed():
    script = (
        "import numpy as np; from adnorm.effects.enrichment import preranked, rank_genes\n"
        "g = np.array([f'g{i}' for i in range(300)])\n"
        "t = np.random.default_rng(1).normal(size=300)\n"
        "sets = {(f's{k}', 'all'): tuple(g[k * 9 : k * 9 + 9 + k]) for k in range(8)}\n"
        "print(preranked(rank_genes(g, t, 'c'), sets, 1).to_csv())"
    )
    path = os.pathsep.join(sys.path)
    texts = [
        subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "77")
    ]
    assert texts[0] == texts[1] and texts[0].count("\n") > 8


def test_given_correlation_is_used(study):
    table = run(study, inter_gene_correlation=0.05).query("reason == ''")
    assert set(table["inter_gene_correlation"]) == {0.05}


def test_ties_are_broken_by_name():
    genes = np.array(["B", "A", "D", "C", *[f"x{i:03d}" for i in range(400)]])
    t = np.concatenate([[1.5, 1.5, 2.0, 3.0], -np.arange(1.0, 401)])
    assert list(rank_genes(genes, t, "c").index[:4]) == ["C", "D", "A", "B"]


@pytest.mark.parametrize(
    ("t", "message"),
    [
        (np.append(np.arange(99.0), np.nan), "missing or infinite for 'g99'"),
        (np.append(np.arange(99.0), np.inf), "missing or infinite for 'g99'"),
    ],
)
def test_rankings_that_mean_nothing_are_refused(t, message):
    with pytest.raises(AdnormError, match=message) as caught:
        rank_genes(np.array([f"g{i}" for i in range(100)]), t, "change:drug@4")
    assert "change:drug@4" in str(caught.value)


@pytest.mark.parametrize(("tied", "words"), [(0, ""), (2, ""), (4, "2.0% of 200 genes share")])
def test_a_ranking_with_many_ties_has_no_order(tied, words):
    ranking = pd.Series(np.arange(200.0, 0, -1))
    ranking[:tied] = 500.0
    assert arbitrary_order(ranking).startswith(words)
    assert bool(arbitrary_order(ranking)) == bool(words)


def test_sets_are_split_by_direction():
    def gene_set(**directions):
        genes = tuple(Gene(symbol, direction=way) for symbol, way in directions.items())
        return GeneSet("name", "label", "category", "role", genes)

    sets = {
        "a": gene_set(A="up", B="down", C="down", CONTEXT=""),
        "b": gene_set(D="up"),
        "c": gene_set(E="", F="", G="up", H="", I=""),
    }
    assert split_sets(sets) == {
        ("a", "up"): ("A",),
        ("a", "down"): ("B", "C"),
        ("b", "up"): ("D",),
        ("c", "all"): ("E", "F", "G", "H", "I"),
    }


def test_a_set_with_low_coverage_stays_flagged():
    coverage = pd.DataFrame(
        {
            "set": ["itch", "barrier"],
            "status": ["low_coverage", "ok"],
            "reason": ["7 of 28 genes (25 %) found", ""],
        }
    )
    table = pd.DataFrame({"set": ["itch", "barrier", "itch"], "reason": ["", "", "see camera"]})
    flagged = flag_coverage(table.reindex(columns=ROWS), coverage)
    assert flagged["status"].tolist() == ["low_coverage", "ok", "low_coverage"]
    table = table.reindex(columns=ROWS).assign(reason=["", "", "see camera"])
    assert flag_coverage(table, coverage)["reason"].tolist() == [
        "7 of 28 genes (25 %) found",
        "",
        "see camera",
    ]


def test_added_sets_do_not_change_the_rate_of_the_primary_ones():
    p_values = np.array([0.001, 0.02, 0.9, 0.8])
    families = np.array(["primary", "primary", "added", "added"])
    adjusted = adjust_by_family(p_values, families)
    assert adjusted[:2].tolist() == benjamini_hochberg(p_values[:2]).tolist() == [0.002, 0.02]


@pytest.mark.parametrize(
    ("changed", "reasons"),
    [
        ({"minimum_size": 10, "maximum_size": 30}, []),
        ({"minimum_size": 11}, ["10 of 10 genes measured; at least 11 are needed"] * 2),
        ({"maximum_size": 29}, ["30 genes measured; at most 29 are tested"]),
    ],
)
def test_the_limits_of_the_size_of_a_set_are_within(study, changed, reasons):
    table = run(study, **changed).loc[["up_set", "mixed", "null"]]
    assert [reason for reason in table["reason"] if reason] == reasons


def test_families_are_adjusted_apart(study):
    families = FAMILIES | {"up_set": "primary", "null": "primary"}
    table = enriched(study, families=families)
    tested = table[table["reason"] == ""]
    assert tested["family"].value_counts().to_dict() == {"primary": 2, "curated": 2}
    for _, rows in tested.groupby("family"):
        for p_value, fdr in (("p_value", "fdr"), ("camera_p_value", "camera_fdr")):
            expected = stats.false_discovery_control(rows[p_value].astype(float))
            np.testing.assert_allclose(rows[fdr], expected)


def test_a_ranking_full_of_ties_leaves_camera(study):
    y, plan, t = study
    ranking = rank_genes(GENES, np.round(t), "c")
    table = enrich(
        ranking, ModelOfSets(plan, GENES, y.__getitem__), 0, PARTS, FAMILIES, SETTINGS, 1
    )
    tested = table[table["camera_p_value"].notna()]
    assert len(tested) == 4 and tested["p_value"].isna().all() and tested["nes"].isna().all()
    assert tested["reason"].str.contains("share their t with another gene").all()
    expected = run(study)["camera_p_value"].dropna()
    np.testing.assert_allclose(tested["camera_p_value"], expected)


def test_genes_that_have_no_effect_stay_out_of_camera(study):
    """What the ranking lacks is not tested; the rest is as if it had never been measured."""
    y, plan, t = study
    keep = np.arange(len(GENES)) >= 3
    ranking = rank_genes(GENES[keep], t[keep], "c")
    whole = enrich(
        ranking, ModelOfSets(plan, GENES, y.__getitem__), 0, PARTS, FAMILIES, SETTINGS, 1
    )
    alone = enrich(
        ranking,
        ModelOfSets(plan, GENES[keep], y[keep].__getitem__),
        0,
        PARTS,
        FAMILIES,
        SETTINGS,
        1,
    )
    pd.testing.assert_frame_equal(whole, alone)
    assert whole.set_index(["set", "part"]).loc[("up_set", "up"), "size"] == 12


def test_a_gene_twice_in_a_ranking_is_refused():
    with pytest.raises(AdnormError, match="contrast 'c': genes occur twice: 'b'"):
        rank_genes(np.array(["a", "b", "b"]), np.arange(3.0), "c")


@pytest.mark.parametrize(("tied", "allowed"), [(10, True), (11, False)])
def test_one_gene_in_a_hundred_may_be_tied(tied, allowed):
    ranking = pd.Series(np.arange(1000.0, 0, -1))
    ranking[:tied] = 5000.0
    assert (arbitrary_order(ranking) == "") == allowed


@pytest.mark.parametrize("correlation", [None, 0.05])
def test_the_competitive_test_of_some_genes_at_a_time_is_limmas(study, correlation, monkeypatch):
    y, plan, _ = study
    tested = {key: [g for g in PARTS[key] if g in GENES] for key in sorted(PARTS)}
    tested = {key: tuple(genes) for key, genes in tested.items() if genes}
    monkeypatch.setattr("adnorm.effects.fit.WORKING_SET", 300)
    ours = competitive(variation_of(y.__getitem__, GENES, plan, tested), 0, correlation)
    row = {gene: i for i, gene in enumerate(GENES)}
    limma = pylimma.camera(
        y,
        {str(i): np.array([row[g] for g in genes]) for i, genes in enumerate(tested.values())},
        design=plan.model.design,
        contrast=plan.design_weights[:, 0],
        inter_gene_cor=correlation,
        sort=False,
    )
    np.testing.assert_allclose(ours["camera_p_value"], limma["p_value"], rtol=1e-9)
    assert list(ours["camera_direction"]) == list(limma["direction"].str.lower())
    if correlation is None:
        found = ours["inter_gene_correlation"]
        np.testing.assert_allclose(found, limma["correlation"], rtol=1e-8, atol=1e-12)


def test_a_set_of_one_gene_has_no_correlation(study):
    y, plan, _ = study
    tested = {("one", "up"): (GENES[3],), ("two", "up"): (GENES[3], GENES[4])}
    found = competitive(variation_of(y.__getitem__, GENES, plan, tested), 0, None)
    assert found["inter_gene_correlation"].isna().tolist() == [True, False]
    assert found["camera_p_value"].notna().all()


def test_preranked_is_that_of_gseapy(study):
    _, _, t = study
    ranking = rank_genes(GENES, t, "c")
    tested = {key: tuple(g for g in genes if g in GENES) for key, genes in PARTS.items()}
    tested = {key: genes for key, genes in tested.items() if genes}
    ours = preranked(ranking, tested, 3)
    names = {f"S{i:06d}": key for i, key in enumerate(sorted(tested))}
    token = {gene: f"G{i:06d}" for i, gene in enumerate(ranking.index)}
    theirs = gseapy.prerank(
        pd.Series(ranking.to_numpy(), index=list(token.values())),
        {name: [token[g] for g in tested[key]] for name, key in names.items()},
        method="multilevel",
        eps=SMALLEST_P_VALUE,
        sample_size=SAMPLE_SIZE,
        min_size=1,
        max_size=len(ranking),
        ascending=None,
        threads=1,
        seed=3,
        no_plot=True,
        outdir=None,
    ).res2d.set_index("Term")
    theirs = theirs.loc[[name for name in names if names[name] in ours.index]]
    assert list(ours["es"]) == list(theirs["ES"].astype(float))
    assert list(ours["nes"]) == list(theirs["NES"].astype(float))
    p_values = theirs["NOM p-val"].astype(float).clip(lower=SMALLEST_P_VALUE)
    assert list(ours["p_value"]) == list(p_values)
    gene = {token: gene for gene, token in token.items()}
    leading = [";".join(gene[t] for t in text.split(";")) for text in theirs["Lead_genes"]]
    assert list(ours["leading_edge"]) == leading
