"""The index of genes: exact where it must be, unmoved by chance, and read by other tools."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from adnorm.index.genes import (
    COLUMNS,
    _prior_variances,
    gene_index,
    refuse_genes,
    residual_profile,
    shrink_effects,
    write_gmt,
)
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
    assert set(vague["reason"]) == {"interval includes 0 and 75 %: inconclusive"}
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


# ---------------------------------------------------------------- numbers in closed form


def exact_disease(rng, disease, decrease):
    """A trial whose lesions differ from the patient's other skin by exactly `disease`.

    `decrease` is what every patient loses until week 4, shape (patients, genes).
    """
    patients = len(decrease)
    # Of few binary digits, so that no difference is rounded.
    own = rng.integers(4096, 8192, decrease.shape) / 1024
    values = np.vstack([own + disease, own, own + disease - decrease])
    cells = [("lesional", 0.0), ("nonlesional", 0.0), ("lesional", 4.0)]
    observations = pd.DataFrame(
        [(f"p{i:02d}", state, week, "drug") for state, week in cells for i in range(patients)],
        columns=["patient", "state", "week", "arm"],
    )
    return values.T, observations


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_with_a_disease_effect_without_error_the_interval_is_that_of_a_mean(confidence):
    """Then the index is mean decrease / D, and its interval Student's, with limma's variances."""
    import pylimma

    rng, patients, disease = np.random.default_rng(21), 8, np.tile([2.0, -4.0], 100)
    noise = rng.normal(0, np.sqrt(6 / rng.chisquare(6, 200)), (patients, 200))
    decrease = disease * (0.5 + 0.2 * noise)
    log2, observations = exact_disease(rng, disease, decrease)
    table = gene_index(log2, names(200), observations, "nonlesional", confidence)
    mean = decrease.mean(axis=0)
    moderated = pylimma.squeeze_var(decrease.var(axis=0, ddof=1), patients - 1)["var_post"]
    # Differences that do not vary have no prior, so their own 7 degrees of freedom count.
    margin = stats.t.ppf(0.5 + confidence / 2, patients - 1) * np.sqrt(moderated / patients)
    np.testing.assert_allclose(table["ni"], mean / disease, rtol=1e-9)
    np.testing.assert_allclose(table["lower"], mean / disease - margin / np.abs(disease), rtol=1e-6)
    np.testing.assert_allclose(table["upper"], mean / disease + margin / np.abs(disease), rtol=1e-6)
    np.testing.assert_allclose(table["denominator"], disease, rtol=1e-9)
    np.testing.assert_allclose(table["denominator_se"], 0, atol=1e-9)
    np.testing.assert_allclose(table["decrease"], mean, rtol=1e-9)
    assert set(table["pairs"]) == {patients}


def test_a_decrease_that_follows_the_own_disease_has_an_interval_of_no_width():
    """Every patient loses 60 % of their own difference: the noise of both is the same noise."""
    log2, observations = trial(
        np.random.default_rng(1), half_diseased(), 0.6, noise=0.3, copies=True
    )
    table = gene_index(log2, names(400), observations, "nonlesional", 0.95).dropna(subset="ni")
    assert len(table) >= 195
    np.testing.assert_allclose(table["lower"], 0.6, atol=1e-6)
    np.testing.assert_allclose(table["upper"], 0.6, atol=1e-6)


def test_classes_go_by_the_interval():
    """One gene for each class, and its interval on the side that the class says."""
    disease = np.full(100, 2.0)
    share = np.repeat([1.2, 0.3, -0.3, 0.7, 0.4], 20)
    spread = np.repeat([0.1, 0.1, 0.1, 0.2, 1.0], 20)
    rng = np.random.default_rng(22)
    noise = rng.normal(size=(10, 100))
    noise = (noise - noise.mean(axis=0)) / noise.std(axis=0, ddof=1)
    log2, observations = exact_disease(rng, disease, disease * (share + spread * noise))
    table = gene_index(log2, names(100), observations, "nonlesional", 0.95)
    found = [sorted(set(rows)) for rows in np.split(table["class"].to_numpy(), 5)]
    assert found == [["reversed"], ["residual"], ["worsened"], ["partial"], ["not estimable"]]
    vague = table["reason"] != ""
    assert vague.tolist() == [False] * 80 + [True] * 20
    # Whoever is vague keeps the numbers.
    assert table["ni"].notna().all()


def test_three_patients_are_enough_for_a_visit_and_for_the_disease():
    rng = np.random.default_rng(23)
    noise = rng.normal(0, 0.05, (3, 60))
    log2, observations = exact_disease(rng, np.full(60, 3.0), 3.0 * (0.5 + noise))
    table = gene_index(log2, names(60), observations, "nonlesional", 0.95)
    assert set(table["pairs"]) == {3} and table["ni"].notna().all()
    fewer = (observations["patient"] != "p02").to_numpy()
    assert gene_index(log2[:, fewer], names(60), observations[fewer], "nonlesional", 0.95).empty


def test_a_difference_of_rounding_size_is_no_disease():
    """Rounding size is a billionth of the largest value, which is about 9 here."""
    disease = np.repeat([2.0, 5e-9], 50)
    rng = np.random.default_rng(24)
    decrease = rng.normal(1, 0.1, (8, 100))
    log2, observations = exact_disease(rng, disease, decrease)
    table = gene_index(log2, names(100), observations, "nonlesional", 0.95)
    assert 8 < np.abs(log2).max() < 11
    assert table["ni"].notna().tolist() == [True] * 50 + [False] * 50
    assert set(table.loc[50:, "reason"]) == {"disease effect too small against its standard error"}


def test_the_disease_effect_of_a_gene_must_be_two_and_a_half_standard_errors():
    log2, observations = trial(np.random.default_rng(25), np.linspace(0, 2, 400), 0.5, noise=0.7)
    table = gene_index(log2, names(400), observations, "nonlesional", 0.95)
    ratio = (table["denominator"] / table["denominator_se"]).abs()
    shown = table["ni"].notna()
    assert 50 < shown.sum() < 390
    assert ratio[shown].min() > 2.5
    # Of the others, Fieller's interval is bounded for none that has a larger ratio.
    assert (ratio[~shown] <= 2.5).mean() > 0.9
    assert 2.5 < ratio[shown].min() < 2.7


def test_against_healthy_skin_the_variances_of_both_groups_add_up():
    """Limma's moderated variances of lesional and of healthy skin, each by its number of people."""
    import pylimma

    rng = np.random.default_rng(26)
    log2, observations = trial(rng, np.full(200, 8.0), 1.0, patients=10, noise=0.5, healthy=5)
    table = gene_index(log2, names(200), observations, "healthy", 0.95)
    lesional, healthy = log2[:, :10], log2[:, 30:]
    raw = lesional.mean(axis=1) - healthy.mean(axis=1)
    error = np.sqrt(
        sum(
            pylimma.squeeze_var(group.var(axis=1, ddof=1), size - 1)["var_post"] / size
            for group, size in ((lesional, 10), (healthy, 5))
        )
    )
    mean, deviation = shrink_effects(raw, error)
    np.testing.assert_allclose(table["denominator"], mean, rtol=1e-9)
    np.testing.assert_allclose(table["denominator_se"], deviation, rtol=1e-9)
    np.testing.assert_allclose(deviation, error, rtol=0.02)


# ---------------------------------------------------------------- shrinkage


def test_shrinkage_finds_the_posterior_of_a_normal_prior():
    """Effects of N(0, 2²) measured with noise 1: mean 0.8 x, standard deviation √0.8."""
    rng = np.random.default_rng(31)
    measured = rng.normal(0, 2, 20_000) + rng.normal(size=20_000)
    mean, deviation = shrink_effects(measured, np.ones(20_000))
    middle = np.abs(measured) < 4
    np.testing.assert_allclose(mean[middle], 0.8 * measured[middle], atol=0.15)
    assert np.median(deviation[middle]) == pytest.approx(np.sqrt(0.8), abs=0.02)


def test_shrinkage_finds_the_posterior_of_two_groups():
    """Nine in ten genes without effect, the others of N(0, 3²): by Bayes' rule."""
    rng = np.random.default_rng(32)
    truth = np.where(rng.random(20_000) < 0.1, rng.normal(0, 3, 20_000), 0.0)
    measured = truth + rng.normal(0, 0.5, 20_000)
    mean, deviation = shrink_effects(measured, np.full(20_000, 0.5))
    null = 0.9 * stats.norm.pdf(measured, 0, 0.5)
    other = 0.1 * stats.norm.pdf(measured, 0, np.sqrt(9.25))
    share, factor = other / (null + other), 9 / 9.25
    expected = share * factor * measured
    squared = share * (factor * 0.25 + (factor * measured) ** 2) - expected**2
    assert np.abs(mean - expected).max() < 0.25
    assert np.abs(mean - expected).mean() < 0.02
    assert np.abs(deviation - np.sqrt(squared)).mean() < 0.03
    assert ((mean - truth) ** 2).mean() == pytest.approx((deviation**2).mean(), rel=0.2)


def test_shrinkage_knows_no_unit_and_no_sign():
    rng = np.random.default_rng(33)
    measured, error = rng.normal(0, 1.5, 500), rng.uniform(0.5, 1, 500)
    mean, deviation = shrink_effects(measured, error)
    for factor in (-1.0, 1000.0, 1e-3):
        other = shrink_effects(factor * measured, abs(factor) * error)
        np.testing.assert_allclose(other[0], factor * mean, rtol=1e-6, atol=1e-9 * abs(factor))
        np.testing.assert_allclose(other[1], abs(factor) * deviation, rtol=1e-6)
    assert (np.abs(mean) <= np.abs(measured)).all() and (mean * measured >= 0).all()


def test_a_profile_takes_what_lies_beyond_the_smallest_effect():
    table = pd.DataFrame(
        {
            **{"reference": "nonlesional", "arm": "drug", "week": 4.0},
            "gene": ["A", "B", "C", "D", "E"],
            "class": ["residual", "worsened", "residual", "partial", "residual"],
            "denominator": [1.0, 1.1, -1.1, 5.0, -0.9],
        }
    )
    stem = "residual_trial_drug_week_4_vs_nonlesional"
    sets = residual_profile(table, "trial", minimum_effect=1.0)
    assert {name: genes for name, (_, genes) in sets.items()} == {
        f"{stem}_up": ["B"],
        f"{stem}_down": ["C"],
    }


def test_the_grid_of_the_prior_doubles_from_a_tenth_of_the_noise_to_twice_the_largest_effect():
    """Effects of 5 and 0 measured with variances 4 and 1: the largest is √(25 − 4)."""
    variances = _prior_variances(np.array([5.0, 0.0]), np.array([4.0, 1.0]))
    deviations = np.sqrt(variances)
    assert deviations[0] == 0
    np.testing.assert_allclose(deviations[2:] / deviations[1:-1], 2)
    assert deviations[-1] == pytest.approx(2 * np.sqrt(21))
    assert 0.05 < deviations[1] <= 0.1
    # Without any effect beyond noise the grid still has four points, up to 0.8 of the noise.
    deviations = np.sqrt(_prior_variances(np.full(3, 0.1), np.ones(3)))
    np.testing.assert_allclose(deviations, [0, 0.1, 0.2, 0.4, 0.8])


def test_an_interval_that_ends_at_the_limit_is_around_it():
    """A decrease of exactly 75 % in all patients is neither below nor above 75 %, 0 not below 0."""
    for share in (0.75, 0.0):
        disease = np.full(40, 2.0)
        decrease = np.tile(share * disease, (6, 1))
        log2, observations = exact_disease(np.random.default_rng(27), disease, decrease)
        table = gene_index(log2, names(40), observations, "nonlesional", 0.95)
        assert (table["ni"] == share).all()
        assert (table["lower"] == share).all() and (table["upper"] == share).all()
        assert set(table["class"]) == {"partial" if share else "residual"}


def test_genes_are_refused_for_a_reason_only():
    log2, observations = trial(np.random.default_rng(3), half_diseased(), 1.0)
    table = gene_index(log2, names(400), observations, "nonlesional", 0.95)
    pd.testing.assert_frame_equal(refuse_genes(table, ""), table)
    refused = refuse_genes(table, "labels look exchanged")
    assert refused[["ni", "lower", "upper"]].isna().all(axis=None)
    assert set(refused["reason"]) == {"labels look exchanged"}
    assert set(refused["class"]) == {"not estimable"}
    kept = ["gene", "decrease", "denominator", "pairs"]
    pd.testing.assert_frame_equal(refused[kept], table[kept])


def test_effects_of_a_hundred_standard_errors_stay_where_they_are():
    measured = np.append([100.0, -100.0] * 5, np.random.default_rng(34).normal(size=500))
    mean, deviation = shrink_effects(measured, np.ones(510))
    np.testing.assert_allclose(mean[:10], measured[:10], rtol=0.01)
    np.testing.assert_allclose(deviation[:10], 1, rtol=0.01)
    assert np.abs(mean[10:]).max() < 1
