"""Random sets of like genes: where a score stands among them, with an effect and without one."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from adnorm.effects.observations import Observations
from adnorm.index.axis import DiseaseAxis, axis_scores
from adnorm.index.random_sets import Score, linear_scores, null_percentiles
from adnorm.scores.zscore import Reference, find_reference, z_scores

SIZE = 30


def sheet(patients=10, weeks=(4.0,), arms=("drug",)):
    rows = [
        (f"{arm}{i:02d}", arm, state, week)
        for arm in arms
        for i in range(patients)
        for state, week in [
            ("nonlesional", 0.0),
            ("lesional", 0.0),
            *(("lesional", w) for w in weeks),
        ]
    ]
    return pd.DataFrame(rows, columns=["patient", "arm", "state", "week"])


def quiet(samples, genes=600, seed=0, together=0.0):
    """No disease and no drug; the first genes share a part of their noise."""
    rng = np.random.default_rng(seed)
    log2 = rng.normal(8, 2, (genes, 1)) + rng.normal(0, 0.5, (genes, len(samples)))
    log2[:SIZE] += together * rng.normal(size=len(samples))
    return log2


def placed(samples, log2, scores=None, seed=1):
    genes = np.array([f"G{i:05d}" for i in range(len(log2))])
    data = Observations(samples, samples, genes, log2, None, None, {})
    reference = find_reference(log2.T, samples, "nonlesional")
    weights = np.where(np.arange(len(genes)) < SIZE, 1.0, 0.0)
    return null_percentiles(data, reference, scores or {"set": Score(weights, True)}, seed)


def later(samples):
    return ((samples["state"] == "lesional") & (samples["week"] > 0)).to_numpy()


@pytest.mark.parametrize(("decrease", "percentile"), [(2.0, 100.0), (-2.0, 0.0)])
def test_a_set_that_changes_alone_stands_at_the_end(decrease, percentile):
    samples = sheet()
    log2 = quiet(samples)
    log2[:SIZE, later(samples)] -= decrease
    assert placed(samples, log2)["null_percentile"].tolist() == [percentile]


def test_a_set_that_changes_as_all_genes_do_is_not_special():
    """As where a few genes take the reads: every set has an index, and random sets change, too."""
    samples = sheet()
    places = []
    for seed in range(20):
        log2 = quiet(samples, seed=seed)
        log2[:, later(samples)] -= 0.5
        places.append(placed(samples, log2)["null_percentile"].iloc[0])
    assert 35 < np.mean(places) < 65 and min(places) < 40 and max(places) > 60


@pytest.mark.parametrize("together", [0.0, 0.6], ids=["apart", "together"])
def test_without_an_effect_every_percentile_is_as_likely(together):
    """Also where the genes of the set go together, and its mean varies more than a random one."""
    samples = sheet(patients=12)
    places = [
        placed(samples, quiet(samples, seed=seed, together=together))["null_percentile"].iloc[0]
        for seed in range(120)
    ]
    assert stats.kstest(np.array(places) / 100, "uniform").pvalue > 0.01


def test_genes_are_drawn_from_those_that_are_like_them():
    samples = sheet()
    log2 = quiet(samples, genes=2000)
    # Half of the genes are far higher, and fall; the set is among the lowest.
    level = np.where(np.arange(2000) < 1000, 5.0, 12.0) - np.where(np.arange(2000) < SIZE, 1, 0)
    log2 += level[:, None] - log2.mean(axis=1, keepdims=True)
    log2[np.ix_(np.arange(1000, 2000), later(samples))] -= 3
    assert 2 < placed(samples, log2)["null_percentile"].iloc[0] < 98


def placed_exactly(falls, noise=1, level=0, deviation=1, members=1, scaled=False):
    """Place the first genes; genes are in the order of their means, and fall alike in all patients.

    The noise of all genes is one integer of each patient, `noise` times.
    """
    samples, order = sheet(), np.arange(len(falls), dtype=float)
    patient = np.random.default_rng(3).permutation(10)[pd.factorize(samples["patient"])[0]]
    log2 = order[:, None] + np.outer(np.ones(len(order)) * noise, patient)
    log2 += np.reshape(level, (-1, 1)) - np.outer(falls, later(samples))
    data = Observations(samples, samples, order.astype(str), log2, None, None, {})
    reference = Reference("", 0, "", order, np.ones(len(order)) * deviation)
    score = Score((order < members).astype(float), scaled)
    return null_percentiles(data, reference, {"set": score}, 1)["null_percentile"].item()


@pytest.mark.parametrize(
    ("falls", "low", "high"),
    [
        # A tie counts half: as where no gene changes, or all change alike.
        ([0] * 103, 50.0, 50.0),
        ([1] * 103, 50.0, 50.0),
        # The gene of the set alone; of the genes in order, one that falls more.
        ([1] + [0] * 102, 100.0, 100.0),
        ([1, 2] + [0] * 101, 98.0, 99.9),
        ([1] + [0] * 99 + [2] + [0] * 2, 98.0, 99.9),
        ([1] + [0] * 100 + [2] + [0], 100.0, 100.0),
    ],
)
def test_one_gene_stands_among_the_hundred_that_are_nearest_to_it(falls, low, high):
    """Each of the 100 is drawn in about 1 % of the random sets."""
    assert low <= placed_exactly(falls) <= high


@pytest.mark.parametrize(("fall", "percentile"), [(1.0, 100.0), (2.0, 50.0), (3.0, 0.0)])
@pytest.mark.parametrize("level", [0.0, 50.0])
def test_decreases_are_in_standard_deviations_of_normal_skin(fall, percentile, level):
    """The other genes vary twice as much, around whatever level."""
    many = np.arange(101) > 0
    falls, noise, level = np.where(many, fall, 1), np.where(many, 2, 1), np.where(many, level, 0)
    assert placed_exactly(falls, noise, level) == percentile


def test_a_change_of_a_set_is_in_units_of_its_genes():
    """The first gene falls by three units, and the second rises by one."""
    falls, deviation = np.zeros(102), np.ones(102)
    falls[:2], deviation[1] = (3.0, -10.0), 10.0
    assert placed_exactly(falls, deviation=deviation, members=2, scaled=True) == 100.0
    assert placed_exactly(falls, deviation=deviation, members=2, scaled=False) == 0.0


def test_the_spread_is_that_of_normal_skin_before_treatment():
    """Of non-lesional skin, however much it varies later, else of that of healthy people."""
    samples = sheet(patients=8, weeks=(4.0,))
    after = samples[samples["state"] == "nonlesional"].assign(week=4.0)
    log2 = quiet(samples)
    log2[:SIZE, later(samples)] -= 0.5
    wild = quiet(after, seed=2)
    wild[:SIZE] += 9 * np.random.default_rng(5).normal(size=len(after))
    both = pd.concat([samples, after], ignore_index=True)
    table = placed(samples, log2)
    assert table["null_percentile"].item() == 100.0
    pd.testing.assert_frame_equal(table, placed(both, np.hstack([log2, wild])))
    healthy = samples.copy()
    normal = samples["state"] == "nonlesional"
    healthy.loc[normal, "state"] = "healthy"
    data = Observations(healthy, healthy, np.arange(600).astype(str), log2, None, None, {})
    score = Score(np.where(np.arange(600) < SIZE, 1.0, 0.0), True)
    reference = find_reference(log2.T, samples, "nonlesional")
    pd.testing.assert_frame_equal(table, null_percentiles(data, reference, {"set": score}, 1))


def test_a_gene_that_never_varies_neither_counts_nor_is_drawn():
    samples = sheet()
    log2 = quiet(samples)
    log2[:SIZE, later(samples)] -= 2.0
    log2[[0, 100]] = 3.0
    assert placed(samples, log2)["null_percentile"].tolist() == [100.0]
    weights = np.where(np.arange(600) < SIZE, 1.0, 0.0)
    without = np.where(np.arange(600) == 0, 0.0, weights)
    for scaled in (False, True):
        scores = [{"set": Score(w, scaled)} for w in (weights, without)]
        pd.testing.assert_frame_equal(*(placed(samples, log2, score) for score in scores))


def test_linear_scores_are_the_scores_up_to_a_constant():
    samples = sheet()
    log2 = quiet(samples)
    genes = np.array([f"G{i:05d}" for i in range(len(log2))])
    reference = find_reference(log2.T, samples, "nonlesional")
    signs = {"mixed": {"G00003": 1, "G00007": -1, "ABSENT": 1, "G00020": -1}}
    z = z_scores(
        log2.T, list(genes), {"mixed": {"G00003": 1, "G00007": -1, "G00020": -1}}, reference
    )
    axis = DiseaseAxis(pd.DataFrame(), np.empty(0), weights=np.linspace(-1, 1, len(genes)))
    no_axis = DiseaseAxis(pd.DataFrame(), np.empty(0), name="none")
    found = linear_scores(genes, signs, [axis, no_axis])
    assert list(found) == ["global", "mixed"]
    for score, expected in (
        (found["mixed"], 3 * z["mixed"]),
        (found["global"], axis_scores(log2, samples, axis.weights)),
    ):
        scale = reference.deviation if score.scaled else 1.0
        ours = (score.weights / scale) @ log2
        np.testing.assert_allclose(ours - ours[0], expected - expected[0], atol=1e-9)


def test_folds_with_the_same_weights_are_one_axis():
    samples = sheet()
    log2, weights = quiet(samples), np.zeros(600)
    weights[:SIZE] = np.linspace(-1, 2, SIZE)
    fold = pd.Series(np.arange(10) % 3, index=sorted(samples["patient"].unique()))
    folds = Score(np.column_stack([weights] * 3), fold=fold)
    other = Score(np.column_stack([weights, -weights, weights]), fold=fold)
    one, three, turned = (
        placed(samples, log2, {"axis": score})["null_percentile"].iloc[0]
        for score in (Score(weights), folds, other)
    )
    assert one == three != turned


def test_draws_follow_the_seed_and_the_name_alone():
    samples = sheet(weeks=(2.0, 4.0), arms=("drug", "placebo"))
    log2 = quiet(samples)
    weights = np.where(np.arange(600) < SIZE, 1.0, 0.0)
    one = placed(samples, log2, {"b": Score(weights, True)})
    both = placed(samples, log2, {"a": Score(-weights), "b": Score(weights, True)})
    pd.testing.assert_frame_equal(one, both[both["name"] == "b"].reset_index(drop=True))
    assert one[["arm", "week"]].to_numpy().tolist() == [
        [arm, week] for arm in ("drug", "placebo") for week in (2.0, 4.0)
    ]
    assert not one.equals(placed(samples, log2, {"b": Score(weights, True)}, seed=2))


def test_too_few_patients_or_genes_have_no_percentile():
    two = sheet(patients=2)
    assert placed(two, quiet(two)).empty
    few = sheet()
    assert placed(few, quiet(few, genes=SIZE + 99))["null_percentile"].isna().all()
    assert placed(few, quiet(few, genes=SIZE + 100))["null_percentile"].notna().all()


def test_no_normal_skin_leaves_the_spread_within_states():
    samples = sheet().query("state == 'lesional'").reset_index(drop=True)
    log2 = quiet(samples)
    log2[:SIZE, later(samples)] -= 2.0
    reference = Reference("", 0, "", log2.mean(axis=1), log2.std(axis=1))
    genes = np.array([f"G{i:05d}" for i in range(len(log2))])
    data = Observations(samples, samples, genes, log2, None, None, {})
    score = Score(np.where(np.arange(600) < SIZE, 1.0, 0.0), True)
    assert null_percentiles(data, reference, {"set": score}, 1)["null_percentile"].tolist() == [100]


def test_a_large_cohort_takes_a_second_or_two():
    samples = sheet(patients=140, weeks=(1.0, 12.0))
    log2 = quiet(samples, genes=15_000)
    weights = np.zeros(len(log2))
    weights[:800] = 1.0
    small = np.where(np.arange(len(log2)) < SIZE, 1.0, 0.0)
    scores = {"axis": Score(weights), **{name: Score(small, True) for name in "abc"}}
    start = time.process_time()
    placed(samples, log2, scores)
    assert time.process_time() - start < 6
