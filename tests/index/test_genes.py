"""The index of genes: exact where it must be, unmoved by chance, and read by other tools."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adnorm.index.genes import COLUMNS, gene_index, residual_profile, shrink_effects, write_gmt
from adnorm.scores.zscore import moderate_variances
from adnorm.study.gene_sets import read_gene_sets
from adnorm.study.vocabulary import GeneClass


def names(count):
    return np.array([f"G{i:05d}" for i in range(count)])


def trial(rng, disease, effect, patients=10, noise=0.5, copies=False, healthy=0):
    """One arm: LS and NL at baseline, LS at week 4; `effect` is the planted index of each gene.

    With `copies`, week 4 is exactly the patient's own baseline moved by `effect` of the own
    lesional − non-lesional difference.
    """
    own = rng.normal(8, 1, (patients, len(disease)))
    lesional = own + disease + rng.normal(0, noise, own.shape)
    reference = own + rng.normal(0, noise, own.shape)
    after = own + disease * (1 - effect) + rng.normal(0, noise, own.shape)
    if copies:
        after = lesional - effect * (lesional - reference)
    who = [f"p{i:02d}" for i in range(patients)]
    cells = [("lesional", 0.0), ("nonlesional", 0.0), ("lesional", 4.0)]
    observations = pd.DataFrame(
        [(p, state, week, "drug") for state, week in cells for p in who],
        columns=["patient", "state", "week", "arm"],
    )
    values = np.vstack([lesional, reference, after])
    if healthy:
        people = pd.DataFrame(
            {"patient": [f"h{i}" for i in range(healthy)], "state": "healthy", "week": 0.0}
        ).assign(arm="healthy")
        observations = pd.concat([observations, people], ignore_index=True)
        values = np.vstack([values, rng.normal(8, 1, (healthy, len(disease)))])
    return values.T, observations


def half_diseased(genes=400, size=2.0):
    disease = np.zeros(genes)
    disease[: genes // 4], disease[genes // 4 : genes // 2] = size, -size
    return disease


@pytest.mark.parametrize("effect", [0.0, 0.5, 1.0, 1.2, -0.3])
def test_a_planted_share_is_found_exactly(effect):
    log2, observations = trial(
        np.random.default_rng(1), half_diseased(), effect, noise=0.3, copies=True
    )
    table = gene_index(log2, names(400), observations, "nonlesional", 0.95)
    assert list(table) == COLUMNS
    found = table["ni"].dropna()
    assert len(found) >= 195
    np.testing.assert_allclose(found, effect, atol=1e-9)
    kind = {0.0: "residual", 0.5: "residual", 1.0: "reversed", 1.2: "reversed", -0.3: "worsened"}
    assert set(table.loc[table["ni"].notna(), "class"]) == {kind[effect]}


def test_constants_scale_and_order_do_not_matter():
    rng = np.random.default_rng(2)
    log2, observations = trial(rng, half_diseased(), 0.6)
    expected = gene_index(log2, names(400), observations, "nonlesional", 0.95)
    keys, numbers = ["gene", "class"], ["ni", "lower", "upper"]

    def same(table):
        pd.testing.assert_frame_equal(table[keys], expected[keys])
        np.testing.assert_allclose(table[numbers], expected[numbers], rtol=1e-6, atol=1e-9)

    shifted = log2 + rng.normal(0, 5, (400, 1))
    same(gene_index(shifted, names(400), observations, "nonlesional", 0.95))
    same(gene_index(2.5 * log2, names(400), observations, "nonlesional", 0.95))
    genes, samples = rng.permutation(400), rng.permutation(len(observations))
    moved = observations.iloc[samples].reset_index(drop=True)
    moved["patient"] = moved["patient"].str.replace("p", "zz")
    same(gene_index(log2[genes][:, samples], names(400)[genes], moved, "nonlesional", 0.95))


def test_planted_genes_get_their_class():
    disease = half_diseased()
    effect = np.tile([0.0, 1.1], 200)
    log2, observations = trial(np.random.default_rng(3), disease, effect, patients=25, noise=0.4)
    table = gene_index(log2, names(400), observations, "nonlesional", 0.95)
    table = table.set_index("gene")["class"]
    assert set(table) <= set(GeneClass)
    sick, idle = disease != 0, effect == 0
    assert (table[sick & idle].isin(["residual", "worsened"])).mean() > 0.97
    assert (table[sick & ~idle] == "reversed").mean() > 0.9
    assert (table[~sick] == "not estimable").mean() > 0.97


def test_intervals_cover_the_planted_index():
    for effect in (0.0, 0.5):
        covered = []
        for seed in range(10):
            rng = np.random.default_rng(seed)
            log2, observations = trial(rng, half_diseased(), effect, patients=12)
            table = gene_index(log2, names(400), observations, "nonlesional", 0.95)
            found = table[: len(table) // 2].dropna(subset="ni")
            covered.append(((found["lower"] <= effect) & (found["upper"] >= effect)).mean())
        assert 0.92 < np.mean(covered) < 0.98


def test_chance_at_baseline_does_not_improve_by_itself():
    """Few weakly diseased genes, a useless drug: the plain ratio is biased, the index is not."""
    plain, ours = [], []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        disease = np.zeros(1000)
        disease[:100] = rng.gamma(2, 0.5, 100)
        log2, observations = trial(rng, disease, 0.0, patients=9, noise=0.8)
        table = gene_index(log2, names(1000), observations, "nonlesional", 0.95)
        found = table["ni"].notna().to_numpy()
        size = 9
        start, reference, end = (log2[:, i * size : (i + 1) * size].mean(axis=1) for i in range(3))
        plain.append(np.median(((start - end) / (start - reference))[found]))
        ours.append(np.median(table["ni"][found]))
    assert np.mean(plain) > 0.02
    assert abs(np.mean(ours)) < 0.02


def test_no_signal_gives_no_number():
    log2, observations = trial(np.random.default_rng(4), np.zeros(500), 0.0)
    table = gene_index(log2, names(500), observations, "nonlesional", 0.95)
    assert (table["class"] == "not estimable").mean() > 0.98
    silent = table["ni"].isna()
    assert silent.mean() > 0.98 and (table.loc[silent, "reason"] != "").all()


def test_an_interval_with_no_change_and_most_of_the_way_is_no_class():
    log2, observations = trial(np.random.default_rng(5), half_diseased(size=1.2), 0.4, noise=1.0)
    table = gene_index(log2, names(400), observations, "nonlesional", 0.95)
    vague = table[(table["lower"] <= 0) & (table["upper"] >= 0.75)]
    assert len(vague) and set(vague["class"]) == {"not estimable"}
    assert set(vague["reason"]) == {"the interval holds both no change and 75 %"}
    partial = table[table["class"] == "partial"]
    assert (partial["lower"] > 0).all() and (partial["upper"] >= 0.75).all()


def test_healthy_reference_and_missing_reference():
    log2, observations = trial(np.random.default_rng(6), half_diseased(), 1.0, healthy=8)
    table = gene_index(log2, names(400), observations, "healthy", 0.95)
    assert set(table["reference"]) == {"healthy"} and set(table["pairs"]) == {10}
    assert table["ni"][:200].median() == pytest.approx(1.0, abs=0.1)
    alone = (observations["state"] != "healthy").to_numpy()
    table = gene_index(log2[:, alone], names(400), observations[alone], "healthy", 0.95)
    assert len(table) == 0 and list(table) == COLUMNS


def test_two_patients_at_a_visit_are_too_few():
    log2, observations = trial(np.random.default_rng(7), half_diseased(), 1.0)
    late = (observations["week"] == 4) & ~observations["patient"].isin(["p00", "p01"])
    keep = ~late.to_numpy()
    table = gene_index(log2[:, keep], names(400), observations[keep], "nonlesional", 0.95)
    assert set(table["class"]) == {"not estimable"} and table["ni"].isna().all()
    assert table["reason"].str.startswith("2 patients").all()


def test_without_a_visit_after_baseline_there_are_no_rows():
    log2, observations = trial(np.random.default_rng(8), half_diseased(), 1.0)
    keep = (observations["week"] == 0).to_numpy()
    table = gene_index(log2[:, keep], names(400), observations[keep], "nonlesional", 0.95)
    assert len(table) == 0 and list(table) == COLUMNS


def test_residual_profile_is_a_gmt_that_our_reader_takes(tmp_path):
    disease = half_diseased()
    effect = np.tile([0.0, 1.1], 200)
    log2, observations = trial(np.random.default_rng(3), disease, effect, patients=25, noise=0.4)
    observations["arm"] = "drug 100 mg"
    table = gene_index(log2, names(400), observations, "nonlesional", 0.95)
    sets = residual_profile(table, "trial", minimum_effect=1.0)
    stem = "residual_trial_drug_100_mg_week_4_vs_nonlesional"
    assert list(sets) == [f"{stem}_up", f"{stem}_down"]
    up = set(sets[f"{stem}_up"][1])
    assert len(up & set(names(400)[(disease > 0) & (effect == 0)])) >= 48
    write_gmt(sets, tmp_path / "residual.gmt")
    read = read_gene_sets([tmp_path / "residual.gmt"])
    assert {g.symbol for g in read[f"{stem}_up"].genes} == up
    assert residual_profile(table, "trial", minimum_effect=9.0) == {}


def test_no_residual_gene_leaves_an_empty_file(tmp_path):
    write_gmt({}, tmp_path / "residual.gmt")
    assert (tmp_path / "residual.gmt").read_bytes() == b""


def test_shrinkage_keeps_large_effects_and_takes_chance_to_zero():
    rng = np.random.default_rng(10)
    truth = np.where(np.arange(3000) < 150, 3.0, 0.0)
    error = rng.uniform(0.2, 0.5, 3000)
    measured = truth + error * rng.normal(size=3000)
    mean, deviation = shrink_effects(measured, error)
    assert np.abs(mean[150:]).mean() < 0.1 * np.abs(measured[150:]).mean()
    np.testing.assert_allclose(mean[:150], measured[:150], rtol=0.2)
    assert ((mean - truth) ** 2).mean() < 0.2 * ((measured - truth) ** 2).mean()
    assert np.median(deviation[:150] / error[:150]) == pytest.approx(1.0, abs=0.05)


def test_an_effect_without_error_stays():
    mean, deviation = shrink_effects(np.array([2.0, -1.0]), np.zeros(2))
    assert mean.tolist() == [2.0, -1.0] and deviation.tolist() == [0.0, 0.0]


def test_genes_that_do_not_vary_keep_a_variance_of_zero():
    variance = np.append(np.random.default_rng(11).chisquare(5, 50), 0.0)
    moderated, freedom, _ = moderate_variances(variance, 5)
    assert moderated[-1] == 0 and (moderated[:-1] > 0).all() and freedom > 5
    assert np.ptp(moderated[:-1]) < np.ptp(variance[:-1])
