"""ssGSEA in closed form: by hand, and against gseapy."""

from __future__ import annotations

import numpy as np
import pytest

from adnorm.scores import single_sample, ssgsea
from adnorm.scores.single_sample import enrichment_scores
from adnorm.scores.ssgsea import each_block, ssgsea_scores, stable_order

RNG = np.random.default_rng(11)
GENES = [f"GENE{i:04d}" for i in range(400)]
TABLES = {
    "random": RNG.normal(7, 2, (9, 400)),
    "rounded": np.round(RNG.normal(7, 1, (9, 400))),
    "counts": np.log2(RNG.poisson(np.exp(RNG.normal(0, 2, 400)), (40, 400)) + 1.0),
    "constant genes": np.where(np.arange(400) < 90, 3.3, RNG.normal(7, 2, (5, 400))),
    "nothing varies": np.full((3, 400), 5.0),
    "two samples": RNG.normal(7, 2, (2, 400)),
    "one sample": RNG.normal(7, 2, (1, 400)),
}
SETS = {f"set{k}": list(RNG.choice(GENES, 2 + 5 * k, replace=False)) for k in range(12)}
SETS |= {"one gene": GENES[7:8], "all but one": GENES[:-1]}


@pytest.mark.parametrize("kind", TABLES)
def test_the_closed_form_gives_what_gseapy_gives(kind, monkeypatch):
    """Tolerance: 1e-9 of the largest score; measured 1e-13, which is gseapy's own rounding."""
    theirs = enrichment_scores("ssgsea", TABLES[kind], GENES, SETS).to_numpy()
    monkeypatch.setattr(single_sample, "MOST_WORK", 0)
    ours = enrichment_scores("ssgsea", TABLES[kind], GENES, SETS).to_numpy()
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9 * np.abs(theirs).max())


def test_a_set_on_top_at_the_bottom_and_tied_by_hand():
    """Five genes. The weight of a gene is the fourth root of its rank; ties share a mean rank."""
    values = np.array([[5.0, 4, 3, 2, 1], [7.0, 7, 7, 7, 7]])
    members = [np.array([0]), np.array([4]), np.array([1, 3])]
    found = ssgsea_scores(values, range(5), members)
    # Highest of five: counts on 5 places, the others on 4 + 3 + 2 + 1 of 4 genes.
    np.testing.assert_allclose(found[0, :2], [5 - 10 / 4, 1 - 14 / 4], rtol=1e-15)
    four, two = 4**0.25, 2**0.25
    by_hand = (4 * four + 2 * two) / (four + two) - (15 - 6) / 3
    np.testing.assert_allclose(found[0, 2], by_hand, rtol=1e-15)
    # All equal: the later column stands higher, all weights are the same.
    np.testing.assert_allclose(found[1], [1 - 14 / 4, 5 - 10 / 4, 3 - 9 / 3], atol=1e-14)


def test_columns_decide_ties_and_nothing_else():
    columns = RNG.permutation(400)
    members = [RNG.choice(400, 30, replace=False)]
    within = [columns[members[0]]]
    values = TABLES["random"]
    np.testing.assert_allclose(
        ssgsea_scores(values, columns, members), ssgsea_scores(values, range(400), within)
    )
    tied = TABLES["rounded"]
    assert not np.allclose(
        ssgsea_scores(tied, columns, members), ssgsea_scores(tied, range(400), within)
    )


def test_blocks_and_threads_change_no_digit(monkeypatch):
    values = TABLES["counts"]
    members = [np.arange(30), np.arange(200, 260)]
    one = ssgsea_scores(values, range(400), members)
    np.testing.assert_array_equal(ssgsea_scores(values, range(400), members, threads=3), one)
    monkeypatch.setattr(ssgsea, "SAMPLES", 7)
    np.testing.assert_array_equal(ssgsea_scores(values, range(400), members, threads=2), one)


def test_order_within_a_set_changes_no_digit():
    members = RNG.choice(400, 50, replace=False)
    found = ssgsea_scores(TABLES["random"], range(400), [members, members[::-1]])
    np.testing.assert_array_equal(found[:, 0], found[:, 1])


@pytest.mark.parametrize("threads", [1, 2])
def test_every_block_is_done_once_and_its_error_is_raised(threads):
    done = np.zeros(23)

    def work(block):
        done[block] += 1

    each_block(work, 23, 5, threads)
    assert (done == 1).all()
    with pytest.raises(ZeroDivisionError):
        each_block(lambda block: 1 / (block.start - 20), 23, 5, threads)


@pytest.mark.parametrize("levels", [1, 3, 40, 10**9])
def test_equal_values_keep_their_order(levels):
    values = RNG.integers(0, levels, 500).astype(float)
    np.testing.assert_array_equal(stable_order(values), np.argsort(values, kind="stable"))
