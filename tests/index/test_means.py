"""Means of patients, the disease effect, and the rule that says which signal gives a number."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats

from adnorm.index.means import (
    LEAST_SIGNAL,
    SOUND_SIGNAL,
    Group,
    PatientMean,
    PatientTable,
    judge_denominator,
    signal,
)
from builders.score_trials import both_tables, index, trial, without


def test_parts_add_up_to_the_variance_and_the_covariance_of_means():
    rng = np.random.default_rng(1)
    values = rng.normal(size=(12, 3)) @ np.array([[1.0, 0.5, 0], [0, 1, 0], [0, 0, 2]])
    strata = np.repeat([0, 1], [7, 5])
    first = PatientMean.of([Group(np.arange(7), values[:7])], strata)
    second = PatientMean.of([Group(np.arange(7, 12), values[7:])], strata)
    assert first.variance == pytest.approx(stats.sem(values[:7]) ** 2)
    covariance = np.cov(values[:7, 0], values[:7, 1])[0, 1] / 7
    assert first.parts[:, 0] @ first.parts[:, 1] == pytest.approx(covariance)
    apart = first - second * 2.0
    assert apart.value == pytest.approx(values[:7].mean(axis=0) - 2 * values[7:].mean(axis=0))
    assert apart.variance == pytest.approx(first.variance + 4 * second.variance)
    assert apart.counts.tolist() == [7, 5]


def test_the_smallest_group_is_of_patients_of_all_arms_together():
    """A small third arm makes no index of the others exploratory."""
    strata = np.repeat([0, 1, 2], [9, 4, 8])
    values = np.random.default_rng(1).normal(size=(21, 1))
    pooled = PatientMean.of([Group(np.arange(13), values[:13])], strata)
    healthy = PatientMean.of([Group(np.arange(13, 21), values[13:])], strata)
    assert (pooled.smallest, healthy.smallest) == (13, 8)
    assert (pooled - healthy).smallest == 8
    arms = {"drug": 9, "placebo": 9, "small": 4}
    values, observations = trial(0.5, tuple(arms), 9, noise=0.2)
    number = observations["patient"].str[-2:].astype(int)
    gone = number >= observations["arm"].map(arms)
    status = index(*without(values, observations, gone)).groupby("arm")["status"].unique()
    assert {arm: list(found) for arm, found in status.items()} == {
        "drug": ["ok"],
        "placebo": ["ok"],
        "small": ["exploratory"],
    }


# ---------------------------------------------------------------- the disease effect


def people(patients, healthy=0):
    """A table of so many patients and healthy people, without any values."""
    arm = np.repeat(["drug", "healthy"], [patients, healthy])
    return PatientTable(np.arange(len(arm)).astype(str), arm, {}, {})


def judge(values, **changes):
    group = Group(np.arange(len(values)), np.asarray(values, dtype=float)[:, None])
    asked = {"levels": ["set"], "reference": "nonlesional", "scale": np.array([10.0])} | changes
    table = people(len(values))
    return judge_denominator([group], table, confidence=0.95, **asked)


@pytest.mark.parametrize(("patients", "code"), [(11, ""), (2, "DENOM_NOT_ESTIMABLE")])
def test_the_interval_of_the_disease_effect_is_that_of_a_paired_t_test(patients, code):
    values = np.random.default_rng(2).normal(1, 1, patients)
    judged = judge(values)
    interval = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (judged.lower[0], judged.upper[0]) == pytest.approx(tuple(interval))
    assert (judged.code, judged.people) == ([code], f"{patients} patients with both")


def test_the_interval_against_healthy_skin_is_that_of_welchs_test():
    rng = np.random.default_rng(3)
    sick, healthy = rng.normal(2, 1, (9, 1)), rng.normal(0, 3, (6, 1))
    table = people(9, 6)
    groups = [Group(np.arange(9), sick), Group(np.arange(9, 15), healthy, -1)]
    judged = judge_denominator(groups, table, ["set"], "healthy", np.array([9.0]), 0.95)
    interval = stats.ttest_ind(sick, healthy, equal_var=False).confidence_interval(0.95)
    assert (judged.lower[0], judged.upper[0]) == pytest.approx((interval.low[0], interval.high[0]))
    assert judged.people == "9 patients, 6 healthy people"


@pytest.mark.parametrize(
    ("values", "level", "code", "said"),
    [
        ([-1.0, -1.2, -0.9, -1.1], "set", "DIRECTION_CONTRADICTED", "direction of the set; either"),
        ([-1.0, -1.2, -0.9, -1.1], "global", "DIRECTION_CONTRADICTED", "of the disease axis; eit"),
        # Below 0, but not beyond chance: the signal decides.
        ([-1.0, 1.2, -0.9, 0.1], "set", "", ""),
        ([1e-10, 2e-10, 1e-10, 1e-10], "set", "DENOM_NOT_ESTIMABLE", "it is rounding error"),
        ([-1e-10, -2e-10, -1e-10, -1e-10], "set", "DENOM_NOT_ESTIMABLE", "it is rounding error"),
        ([3.0, 3.1], "set", "DENOM_NOT_ESTIMABLE", "at least 3 are required"),
    ],
)
def test_a_refused_disease_effect_says_by_which_rule(values, level, code, said):
    judged = judge(values, levels=[level])
    assert judged.code == [code]
    assert said in judged.reason[0] and bool(said) == bool(judged.reason[0])


# ---------------------------------------------------------------- the rule of the signal


def three_biopsies(start, normal, end, arm=None):
    """A table of patients with lesional and non-lesional skin at baseline and a visit."""
    count, names = start.shape
    arm = np.full(count, "drug") if arm is None else arm
    table = PatientTable(
        np.array([f"p{i:03d}" for i in range(count)]),
        arm,
        {("lesional", 0.0): start, ("nonlesional", 0.0): normal, ("lesional", 4.0): end},
        dict.fromkeys(
            [("lesional", 0.0), ("nonlesional", 0.0), ("lesional", 4.0)], np.ones(count, dtype=bool)
        ),
    )
    return table


def strength(table, reference="nonlesional"):
    group = table.decrease("drug", 4.0)
    level = table.baseline_difference(reference, "", (group.rows, 4.0, False))
    return signal(table.mean(level), table.mean([group]))


@pytest.mark.parametrize("draw", ["normal", "standard_cauchy", "standard_exponential"])
def test_exchanging_baseline_and_visit_leaves_the_signal_as_it_is(draw):
    """Of all patients of the arm, whatever the other arm does and whatever the distribution."""
    rng = np.random.default_rng(5)
    start, normal, end = (getattr(rng, draw)(size=(14, 50)) for _ in range(3))
    arm = np.repeat(["drug", "placebo"], 7)
    swapped = np.where((arm == "drug")[:, None], end, start), normal, end.copy()
    swapped[2][arm == "drug"] = start[arm == "drug"]
    plain = strength(three_biopsies(start, normal, end, arm))
    assert strength(three_biopsies(*swapped, arm)) == pytest.approx(plain, rel=1e-12)
    # It is no constant: chance at baseline alone changes it.
    moved = strength(three_biopsies(start + 1, normal, end, arm))
    assert np.median(np.abs(moved - plain)) > 0.01


def test_the_signal_is_the_distance_from_the_reference_over_both_visits():
    rng = np.random.default_rng(6)
    start, normal, end = (rng.normal(m, 1, (8, 1)) for m in (2, 0, 1))
    level = stats.ttest_1samp((start + end)[:, 0] / 2 - normal[:, 0], 0).statistic
    change = stats.ttest_1samp((start - end)[:, 0], 0).statistic
    found = strength(three_biopsies(start, normal, end))
    assert found == pytest.approx(np.hypot(level, change))


def test_the_level_of_both_visits_takes_non_lesional_skin_of_both_where_it_is_matched():
    rng = np.random.default_rng(6)
    start, normal, end, later = (rng.normal(m, 1, (8, 1)) for m in (2, 0, 1, 5))
    table = three_biopsies(start, normal, end)
    table.values["nonlesional", 4.0] = later
    seen = np.arange(6)
    found = table.mean(table.baseline_difference("nonlesional", "", (seen, 4.0, True)))
    expected = start - normal
    expected[seen] = (start + end - normal - later)[seen] / 2
    assert found.value == pytest.approx(expected.mean())
    assert found.variance == pytest.approx(stats.sem(expected) ** 2)


def test_without_noise_the_signal_is_endless_and_without_effect_it_is_none():
    one = np.ones((5, 1))
    assert np.isinf(strength(three_biopsies(3 * one, one, 2 * one))).all()
    assert np.isinf(strength(three_biopsies(3 * one, one, 3 * one))).all()
    assert (strength(three_biopsies(one, one, one)) == 0).all()


def test_of_all_exchanges_as_many_numbers_are_above_0_as_below():
    """All 2⁸ exchanges of baseline and visit of a useless drug that could have happened."""
    patients = 8
    values, observations = trial(
        1.0, patients=patients, names=["one"], noise=1.0, effect=1.9, seed=1
    )
    flips = list(product([False, True], repeat=patients))
    columns = np.repeat(values.to_numpy(), len(flips), axis=1)
    week = observations["week"].to_numpy()
    lesional = (observations["state"] == "lesional").to_numpy()
    for number, which in enumerate(flips):
        for patient in np.flatnonzero(which):
            own = (observations["patient"] == f"drug{patient:02d}").to_numpy() & lesional
            start, end = np.flatnonzero(own & (week == 0)), np.flatnonzero(own & (week == 4))
            columns[[start, end], number] = columns[[end, start], number]
    table, denominators = both_tables(
        type(values)(columns, columns=[f"flip{i:03d}" for i in range(len(flips))]), observations
    )
    given = table["ni"].dropna()
    # The rule does decide here, and it does not look at the disease effect.
    assert 0.1 * len(flips) < len(given) < 0.9 * len(flips)
    assert (given > 0).sum() == (given < 0).sum()
    effect = denominators.set_index("name")["denominator"]
    opposite = table["ni"].to_numpy()[::-1]
    assert np.isfinite(table["ni"]).tolist() == np.isfinite(opposite).tolist()
    assert np.ptp(effect[table["ni"].notna().to_numpy()]) > 0.3


def many_trials(patients, ratio, remaining, seed, names=20_000):
    """NI and signal of many trials whose disease effect is `ratio` standard errors."""
    rng = np.random.default_rng(seed)
    own, sick = rng.normal(size=(patients, names)), 0.8 * rng.normal(size=(patients, names))
    # Effects, and noise of 1 in each biopsy.
    sick += ratio * np.sqrt((0.64 + 2) / patients)
    start, normal, end = (
        own + share * sick + rng.normal(size=own.shape) for share in (1.0, 0.0, remaining)
    )
    disease = start - normal
    ni = (start - end).mean(axis=0) / disease.mean(axis=0)
    return (
        ni,
        strength(three_biopsies(start, normal, end)),
        disease.mean(axis=0) / stats.sem(disease),
    )


@pytest.mark.parametrize("patients", [9, 15])
@pytest.mark.parametrize("ratio", [2.5, 3.0, 4.0, 5.0])
def test_numbers_of_a_useless_drug_have_a_median_near_0(patients, ratio):
    ni, found, effect = many_trials(patients, ratio, 1.0, seed=7)
    given = ni[found >= LEAST_SIGNAL]
    assert len(given) > 0.05 * len(ni)
    # The Monte-Carlo error of the median is below one point.
    assert (
        1.2533 * np.subtract(*np.percentile(given, [75, 25])) / 1.349 / np.sqrt(len(given)) < 0.01
    )
    assert abs(np.median(given)) < 0.03
    sound = ni[found >= SOUND_SIGNAL]
    assert len(sound) < 0.05 * len(ni) or abs(np.median(sound)) < 0.03
    # A rule that looks at the disease effect itself takes lesions that are high by chance.
    if ratio <= 3:
        assert np.median(ni[effect > ratio + 0.5]) > 0.03


@pytest.mark.parametrize("patients", [9, 15])
@pytest.mark.parametrize("ratio", [3.0, 5.0])
def test_a_drug_that_brings_skin_all_the_way_back_keeps_its_index(patients, ratio):
    ni, found, _ = many_trials(patients, ratio, 0.0, seed=8)
    given = ni[found >= LEAST_SIGNAL]
    assert len(given) > 0.1 * len(ni)
    assert abs(np.median(given) - 1) < 0.05
