"""GSVA by compiled kernels: against gseapy, scipy's normal distribution, and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from gseapy.gse import gsva_rs
from scipy.stats import norm

from adnorm.scores import gsva, single_sample
from adnorm.scores.gsva import gsva_scores
from adnorm.scores.single_sample import enrichment_scores

RNG = np.random.default_rng(12)
GENES = [f"GENE{i:04d}" for i in range(400)]
RATES = np.exp(RNG.normal(0, 2, 400))


def counts(samples, genes=400):
    rates = np.exp(np.random.default_rng(3).normal(0, 2, genes))
    return np.log2(RNG.poisson(rates, (samples, genes)) + 1.0)


def with_constant_genes():
    values = RNG.normal(7, 2, (25, 400))
    values[:, :90] = 3.3
    values[:, 90:150] = values[:, 150:210]
    return values


TABLES = {
    "random": RNG.normal(7, 2, (60, 400)),
    "odd number of samples": RNG.normal(7, 2, (31, 400)),
    "rounded": np.round(RNG.normal(7, 1, (30, 400))),
    "one decimal": np.round(RNG.normal(7, 2, (30, 400)), 1),
    "counts": counts(80),
    "on and off": (RNG.random((50, 400)) < 0.2) * 1.0,
    "outliers": RNG.standard_t(1.5, (61, 400)),
    "constant and twice": with_constant_genes(),
    "nothing varies": np.full((4, 400), 0.1),
    "two samples": RNG.normal(7, 2, (2, 400)),
    "three samples": RNG.normal(7, 2, (3, 400)),
}
SETS = {f"set{k}": list(RNG.choice(GENES, 2 + 5 * k, replace=False)) for k in range(12)}
SETS |= {"one gene": GENES[7:8], "all but one": GENES[:-1]}
MEMBERS = [np.array([GENES.index(gene) for gene in genes]) for genes in SETS.values()]


def positions(kernel, argument, values):
    found = np.empty(values.T.shape)
    kernel(np.ascontiguousarray(values.T), argument, found)
    return found


# ---------------------------------------------------------------- the exact kernel


@pytest.mark.parametrize("kind", TABLES)
def test_scores_and_order_of_genes_are_those_of_gseapy(kind):
    """Scores: 1e-12. The order of all genes, ties with it, is the same in every sample."""
    values = TABLES[kind]
    sets = {name: list(genes) for name, genes in SETS.items()}
    settings = (True, False, True, False, 1.0, 1, 400, 1)
    theirs = gsva_rs(GENES, values.T.tolist(), sets, *settings)
    found = positions(gsva._exact, gsva._table(), values)
    order = np.argsort(found.T, axis=1, kind="stable")[:, ::-1]
    np.testing.assert_array_equal(order, np.array(theirs.indices))
    scores = np.full((len(values), len(SETS)), np.nan)
    for one in theirs.summaries:
        scores[one.index, list(SETS).index(one.term)] = one.es
    ours = gsva_scores(values, range(len(values)), range(400), MEMBERS, linear=False)
    np.testing.assert_allclose(ours, scores, rtol=0, atol=1e-12)


def test_a_single_gene_in_the_middle_of_the_ranking_has_no_weight():
    """400 genes: rank 200 weighs |200 − 400/2| = 0; gseapy lets the sum fall and never rise."""
    values = RNG.normal(7, 2, (60, 400))
    found = positions(gsva._exact, gsva._table(), values)
    sample = 4
    middle = int(np.argsort(found[:, sample], kind="stable")[199])
    score = gsva_scores(values, range(60), range(400), [np.array([middle])], linear=False)
    assert score[sample, 0] == pytest.approx(-200 / 399)
    theirs = gsva_rs(
        GENES, values.T.tolist(), {"a": [GENES[middle]]}, True, False, True, False, 1.0, 1, 9, 1
    )
    expected = next(one.es for one in theirs.summaries if one.index == sample)
    assert score[sample, 0] == pytest.approx(expected, abs=1e-12)


def test_two_samples_by_hand():
    """sd = |d|/√2, so the kernel sees ±4√2 = 5.656 of its bandwidths: one is above, one below."""
    found = positions(gsva._exact, gsva._table(), np.array([[1.0], [3.0]]))
    low = (0.5 + norm.sf(5.656)) / 2
    np.testing.assert_allclose(found[0], [math.log(low / (1 - low)), -math.log(low / (1 - low))])


def test_the_table_is_the_normal_distribution():
    table, at = gsva._table(), np.linspace(-10, 10, 20_001)
    np.testing.assert_allclose(table, norm.cdf(at), rtol=0, atol=2.6e-11)
    np.testing.assert_array_equal(table[10_000:], 1.0 - table[10_000::-1])
    assert table[0] == 0 and table[10_000] == 0.5 and table[-1] == 1


def test_the_walk_by_hand():
    """Six genes, the set on places 1 and 4: |rank − 3| is 3 and 0, so the sum is up at once."""
    starts = np.array([0, 1, 1, 1, 2, 2, 2])
    found = np.empty((1, 1))
    gsva._walk(np.arange(6)[None], starts, np.array([0, 0]), np.array([2]), found)
    assert found[0, 0] == 1
    # On places 2 and 6: a fall of 1/4, up by 2/4, down to 2/4 − 1 − … = −1/4 before the last.
    starts = np.array([0, 0, 1, 1, 1, 1, 2])
    gsva._walk(np.arange(6)[None], starts, np.array([0, 0]), np.array([2]), found)
    assert found[0, 0] == pytest.approx((2 / 4 - 1 / 4) + (2 / 4 - 1))


# ---------------------------------------------------------------- the linear kernel


@pytest.mark.parametrize("kind", TABLES)
def test_positions_of_the_linear_kernel_are_mean_normal_distribution_functions(kind):
    """Tolerance: the resolution that positions are rounded to, 9.3e-10."""
    values = TABLES[kind]
    bandwidth = values.std(axis=0, ddof=1) / 4
    with np.errstate(divide="ignore", invalid="ignore"):
        away = (values[:, None] - values[None]) / bandwidth
    away[:, :, np.ptp(values, axis=0) == 0] = 0
    expected = norm.cdf(away).mean(axis=1)
    found = positions(gsva._linear, gsva._derivatives(), values).T * gsva.RESOLUTION
    np.testing.assert_allclose(found, expected, rtol=0, atol=gsva.RESOLUTION)


def large(kind, samples=gsva.FEWEST_LINEAR, genes=2000):
    if kind == "random":
        return RNG.normal(7, 2, (samples, genes))
    if kind == "one decimal":
        return np.round(RNG.normal(7, 2, (samples, genes)), 1)
    reads = np.exp2(counts(samples, genes)) - 1
    if kind == "counts per million":
        return np.log2(reads / reads.sum(axis=1, keepdims=True) * 1e6 + 1)
    return np.log2(reads + 1)


@pytest.mark.parametrize(
    ("kind", "largest", "typical"),
    [
        ("random", 2e-3, 2e-4),
        ("one decimal", 2e-3, 2e-4),
        ("counts", 5e-3, 5e-4),
        ("counts per million", 5e-3, 5e-4),
    ],
)
def test_scores_of_the_kernels_differ_by_as_much_as_the_documentation_says(kind, largest, typical):
    """At the smallest cohort that the linear kernel scores; larger ones differ less.

    Differences come from the steps of gseapy's table and, with counts, from ties that it orders by
    rounding errors. The scores have a standard deviation of 0.16.
    """
    values = large(kind)
    rows = single_sample._by_values(values, list(range(2000)))
    members = [RNG.choice(2000, size, replace=False) for size in RNG.integers(5, 100, 60)]
    exact, linear = (
        gsva_scores(values, rows, range(2000), members, threads=2, linear=which)
        for which in (False, True)
    )
    difference = np.abs(exact - linear)
    assert difference.max() < largest
    assert np.sqrt((difference**2).mean()) < typical
    assert exact.std() > 0.1


def test_equal_patterns_tie_in_the_linear_kernel():
    """Whatever the unit of a gene, and wherever its zero is: no rounding error orders two genes."""
    pattern = RNG.integers(0, 4, 700).astype(float)
    values = np.column_stack([pattern, 3.7 * pattern + 11, pattern / 7 - 2, pattern * 1e-6])
    found = positions(gsva._linear, gsva._derivatives(), values)
    np.testing.assert_array_equal(found, np.repeat(found[:1], 4, axis=0))


def test_the_number_of_samples_decides_which_kernel(monkeypatch):
    values, members = RNG.normal(7, 2, (20, 400)), MEMBERS
    monkeypatch.setattr(gsva, "FEWEST_LINEAR", 21)
    few = gsva_scores(values, range(20), range(400), members)
    np.testing.assert_array_equal(
        few, gsva_scores(values, range(20), range(400), members, linear=False)
    )
    monkeypatch.setattr(gsva, "FEWEST_LINEAR", 20)
    many = gsva_scores(values, range(20), range(400), members)
    np.testing.assert_array_equal(
        many, gsva_scores(values, range(20), range(400), members, linear=True)
    )
    assert (few != many).any()


# ---------------------------------------------------------------- both


@pytest.mark.parametrize("linear", [False, True])
def test_blocks_and_threads_change_no_digit(linear, monkeypatch):
    values = TABLES["counts"]
    settings = {"linear": linear}
    one = gsva_scores(values, range(80), range(400), MEMBERS, **settings)
    two = gsva_scores(values, range(80), range(400), MEMBERS, threads=3, **settings)
    np.testing.assert_array_equal(two, one)
    monkeypatch.setattr(gsva, "GENES", 37)
    monkeypatch.setattr(gsva, "SAMPLES", 7)
    small = gsva_scores(values, range(80), range(400), MEMBERS, threads=2, **settings)
    np.testing.assert_array_equal(small, one)


@pytest.mark.parametrize("fewest", [10, 1000])
def test_order_of_genes_and_samples_changes_no_digit_even_with_ties(fewest, monkeypatch):
    monkeypatch.setattr(single_sample, "MOST_WORK", 0)
    monkeypatch.setattr(gsva, "FEWEST_LINEAR", fewest)
    tied = TABLES["rounded"]
    genes, samples = RNG.permutation(400), RNG.permutation(30)
    one = enrichment_scores("gsva", tied, GENES, SETS).to_numpy()
    other = enrichment_scores("gsva", tied[samples][:, genes], [GENES[i] for i in genes], SETS)
    np.testing.assert_array_equal(other.to_numpy(), one[samples])


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("kind", ["rounded", "three samples", "outliers", "nothing varies"])
def test_compiling_changes_no_digit(kind, linear, monkeypatch):
    """The kernels as Python runs them; this is also how coverage sees their lines."""
    values = TABLES[kind][:, :40]
    members = [np.arange(12), np.array([20]), np.arange(39)]
    compiled = gsva_scores(values, range(len(values)), range(40), members, linear=linear)
    for name in vars(gsva).copy():
        if hasattr(getattr(gsva, name), "py_func"):
            monkeypatch.setattr(gsva, name, getattr(gsva, name).py_func)
    with np.errstate(divide="ignore", invalid="ignore"):
        plain = gsva_scores(values, range(len(values)), range(40), members, linear=linear)
    np.testing.assert_array_equal(plain, compiled)
