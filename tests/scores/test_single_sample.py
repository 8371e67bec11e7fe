"""Scores of gene sets: closed forms, invariances, gseapy asked in chunks and large cohorts."""

from __future__ import annotations

import os
import subprocess
import sys

import gseapy
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from adnorm.base.errors import AdnormError
from adnorm.base.shipped import PACKAGE
from adnorm.scores import single_sample
from adnorm.scores.single_sample import (
    agreement,
    check_expression,
    enrichment_scores,
    score_sets,
)
from adnorm.study.gene_sets import Gene, GeneSet

RNG = np.random.default_rng(7)
GENES = [f"GENE{i:03d}" for i in range(200)]
X = RNG.normal(7, 2, (9, 200))
SETS = {f"set{k}": list(RNG.choice(GENES, 3 + 2 * k, replace=False)) for k in range(11)}
METHODS = ["ssgsea", "gsva"]


def signed(name, up=(), down=(), plain=()):
    genes = [Gene(g, direction="up") for g in up] + [Gene(g, direction="down") for g in down]
    return GeneSet(name, name, "own", "context", (*genes, *(Gene(g) for g in plain)))


@pytest.fixture(params=["gseapy", "large"])
def either(request, monkeypatch):
    """Small tables are scored by gseapy, unless any work is too much for it."""
    if request.param == "large":
        monkeypatch.setattr(single_sample, "MOST_WORK", 0)
    return request.param


# ---------------------------------------------------------------- ssGSEA and GSVA


def test_ssgsea_of_a_tiny_ranking_by_hand(either):
    """Five genes, set {A, C} on places 1 and 3: sum over places of P(set) − P(others)."""
    genes = list("ABCDE")
    expression = np.array([[5.0, 4.0, 3.0, 2.0, 1.0]])
    weight = np.array([10000.0, 6000.0]) ** 0.25  # ranks 5 and 3 of 5, scaled to 10,000
    inside = np.cumsum([weight[0], 0, weight[1], 0, 0]) / weight.sum()
    outside = np.cumsum([0, 1, 0, 1, 1]) / 3
    scores = enrichment_scores("ssgsea", expression, genes, {"s": ["A", "C"]})
    assert scores.loc[0, "s"] == pytest.approx((inside - outside).sum(), rel=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_scores_equal_those_of_gseapy_called_bare(method, either):
    table = pd.DataFrame(X.T, index=GENES, columns=[f"s{i}" for i in range(len(X))])
    common = {"outdir": None, "min_size": 1, "max_size": 1000, "threads": 1}
    if method == "ssgsea":
        bare = gseapy.ssgsea(
            table, SETS, sample_norm_method="rank", correl_norm_type="rank", weight=0.25, **common
        )
    else:
        bare = gseapy.gsva(table, SETS, kcdf="Gaussian", mx_diff=True, **common)
    wide = bare.res2d.astype({"ES": float}).pivot(index="Name", columns="Term", values="ES")
    ours = enrichment_scores(method, X, GENES, SETS)
    expected = wide.loc[table.columns, list(SETS)].to_numpy()
    np.testing.assert_allclose(ours.to_numpy(), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("chunk_size", "threads"), [(1, 1), (4, 2), (1000, 8)])
def test_chunks_and_threads_change_no_digit(method, chunk_size, threads, either):
    one = enrichment_scores(method, X, GENES, SETS)
    other = enrichment_scores(method, X, GENES, SETS, chunk_size, threads)
    pd.testing.assert_frame_equal(one, other, check_exact=True)


@pytest.mark.parametrize("method", METHODS)
def test_order_of_genes_and_samples_changes_no_digit_even_with_ties(method, either):
    tied = np.round(X)
    genes, samples = RNG.permutation(len(GENES)), RNG.permutation(len(X))
    one = enrichment_scores(method, tied, GENES, SETS).to_numpy()
    other = enrichment_scores(
        method, tied[samples][:, genes], [GENES[i] for i in genes], SETS
    ).to_numpy()
    np.testing.assert_array_equal(other, one[samples])


def test_ssgsea_does_not_depend_on_the_other_samples(either):
    whole = enrichment_scores("ssgsea", X, GENES, SETS).to_numpy()
    part = enrichment_scores("ssgsea", X[:4], GENES, SETS).to_numpy()
    np.testing.assert_array_equal(part, whole[:4])


def test_symbols_in_mixed_case_are_told_apart(either):
    genes = ["C1orf1", "C1ORF1", *GENES[2:]]
    names = {"a": ["C1orf1", GENES[5]], "b": ["C1ORF1", GENES[5]]}
    scores = enrichment_scores("ssgsea", X, genes, names)
    assert not np.allclose(scores["a"], scores["b"])


def test_hash_seed_of_python_changes_no_digit():
    code = (
        "import numpy as np; from adnorm.scores.single_sample import enrichment_scores as e;"
        "r = np.random.default_rng(3); x = r.normal(7, 2, (4, 300)); g = [f'G{i}X' for i in "
        "range(300)]; s = {'a': g[:90], 'b': g[40:170]};"
        "print([[v.hex() for v in e(m, x, g, s).to_numpy().ravel()] for m in ('ssgsea', 'gsva')])"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            cwd=PACKAGE.parent,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]
    assert "0x" in runs[0]


def test_gsva_of_one_sample_is_refused():
    with pytest.raises(AdnormError, match="only one"):
        enrichment_scores("gsva", X[:1], GENES, SETS)


@pytest.mark.parametrize("method", METHODS)
def test_a_set_of_all_genes_is_an_error(method, either):
    everything = {"small": GENES[:5], "everything": GENES}
    with pytest.raises(AdnormError, match="'everything' has every gene"):
        enrichment_scores(method, X, GENES, everything)


@pytest.mark.parametrize("method", METHODS)
def test_the_work_decides_who_scores(method, monkeypatch):
    """genes × samples × (sets + samples): gseapy up to the limit, our own above it."""
    asked = []
    by_gseapy = single_sample._by_gseapy
    monkeypatch.setattr(single_sample, "_by_gseapy", lambda *a: asked.append(1) or by_gseapy(*a))
    for least, calls in ((0, 1), (-1, 1)):
        monkeypatch.setattr(single_sample, "MOST_WORK", 200 * 9 * (11 + 9) + least)
        enrichment_scores(method, X, GENES, SETS)
        assert len(asked) == calls


def test_samples_are_ordered_by_all_their_values():
    order = list(RNG.permutation(200))
    values = np.repeat(RNG.normal(7, 2, (3, 200)), 4, axis=0)
    values[5, order[150]] += 1
    values[6, order[70]] -= 1
    expected = sorted(range(12), key=lambda i: values[i, order].tobytes())
    assert single_sample._by_values(values, order) == expected
    assert single_sample._by_values(values.astype(np.float32).astype(float), order) == sorted(
        range(12), key=lambda i: values[i, order].astype(np.float32).astype(float).tobytes()
    )


def test_progress_of_a_large_cohort_is_one_line(monkeypatch):
    lines = []
    monkeypatch.setattr(single_sample, "progress", lines.append)
    monkeypatch.setattr(single_sample, "MOST_WORK", 0)
    enrichment_scores("gsva", X, GENES, SETS, noun="things")
    assert lines == ["GSVA: 11 of 11 things"]


def test_progress_counts_sets(monkeypatch):
    lines = []
    told = {"how_far": lines.append, "progress": lines.append}
    for name, tell in told.items():
        monkeypatch.setattr(single_sample, name, tell)
    enrichment_scores("ssgsea", X, GENES, SETS, chunk_size=5)
    assert lines[:2] == [f"ssGSEA: {n} of 11 sets" for n in (5, 10)]
    assert lines[-1] == "ssGSEA: 11 of 11 sets"


# ---------------------------------------------------------------- signed sets


@pytest.mark.parametrize("method", METHODS)
def test_signed_score_is_up_minus_down(method, either):
    up, down = GENES[:8], GENES[8:20]
    parts = enrichment_scores(method, X, GENES, {"up": up, "down": down})
    sets = {
        "both": signed("both", up, down),
        "up": signed("up", up),
        "down": signed("down", down=down),
        "plain": signed("plain", plain=up),
    }
    scores = score_sets(method, X, GENES, sets, None, 2, 1)
    np.testing.assert_allclose(scores["both"], parts["up"] - parts["down"], rtol=1e-12)
    np.testing.assert_array_equal(scores["up"], parts["up"])
    np.testing.assert_array_equal(scores["down"], -parts["down"])
    np.testing.assert_array_equal(scores["plain"], parts["up"])


def test_genes_without_direction_do_not_count_in_a_signed_set():
    with_context = signed("a", up=GENES[:8], plain=GENES[50:54])
    scores = score_sets(
        "ssgsea", X, GENES, {"a": with_context, "b": signed("b", up=GENES[:8])}, None, 9, 1
    )
    np.testing.assert_array_equal(scores["a"], scores["b"])


def test_genes_that_the_cohort_lacks_are_left_out():
    sets = {"a": signed("a", up=[*GENES[:8], "LACKING"]), "b": signed("b", up=GENES[:8])}
    scores = score_sets("gsva", X, GENES, sets, None, 9, 1)
    np.testing.assert_array_equal(scores["a"], scores["b"])


# ---------------------------------------------------------------- values that must be refused


@pytest.mark.parametrize(
    ("value", "word"), [(np.nan, "1 missing"), (np.inf, "1 infinite"), (-np.inf, "1 infinite")]
)
def test_values_that_gseapy_would_replace_are_refused(value, word):
    wrong = X.copy()
    wrong[2, 5] = value
    with pytest.raises(AdnormError, match=rf"file: {word} values, .* GENE005, sample s2"):
        check_expression(wrong, GENES, [f"s{i}" for i in range(9)], "file")


def test_duplicate_genes_and_samples_are_refused():
    with pytest.raises(AdnormError) as caught:
        check_expression(X, ["GENE001", *GENES[1:]], ["s1", *"bcdefgh", "s1"], "file")
    assert "1 genes occur more than once: 'GENE001'" in str(caught.value)
    assert "1 samples occur more than once: 's1'" in str(caught.value)


# ---------------------------------------------------------------- agreement


def test_agreement_is_spearman_and_says_why_it_is_missing():
    one = pd.DataFrame({"a": [1.0, 2, 3, 4], "b": [1.0, 1, 1, 1], "c": [np.nan] * 4})
    two = pd.DataFrame({"a": [1.0, 4, 9, 5], "b": [1.0, 2, 3, 4], "c": [np.nan] * 4})
    table = agreement({"ssgsea": one, "gsva": two}).set_index("set")
    assert table.loc["a", "spearman"] == pytest.approx(0.8)
    assert table.loc["a", "samples"] == 4
    assert np.isnan(table.loc["b", "spearman"])
    assert table.loc["b", "reason"] == "the score is the same in all samples"
    assert table.loc["c", "reason"] == "not scored"


def test_three_samples_are_enough_for_an_agreement_and_a_gap_is_none():
    one = pd.DataFrame({"a": [1.0, 2, 3], "b": [1.0, np.nan, 3]})
    two = pd.DataFrame({"a": [1.0, 9, 8], "b": [1.0, 2, 4]})
    table = agreement({"ssgsea": one, "gsva": two}).set_index("set")
    assert table.loc["a", "spearman"] == pytest.approx(0.5)
    assert table.loc["b", "reason"] == "not scored"
    assert agreement({"x": one[:2], "y": two[:2]})["reason"].iloc[0] == "fewer than three samples"


def test_agreement_of_tied_scores_is_that_of_mean_ranks():
    one = pd.DataFrame({"a": [1.0, 1, 2, 3, 5]})
    two = pd.DataFrame({"a": [2.0, 1, 1, 4, 9]})
    found = agreement({"ssgsea": one, "gsva": two, "zscore": -one})
    expected = stats.spearmanr(one["a"], two["a"]).statistic
    np.testing.assert_allclose(found["spearman"], [expected, -1, -expected])
    assert list(zip(found["method_a"], found["method_b"], strict=True)) == [
        ("ssgsea", "gsva"),
        ("ssgsea", "zscore"),
        ("gsva", "zscore"),
    ]


@pytest.mark.parametrize(
    ("returned", "refused"),
    [
        ([("T0", 0, 1.0), ("T0", 1, 2.0)], ""),
        ([("T0", 0, 1.0)], "'one'"),
        ([("T0", 0, 1.0), ("T0", 1, 2.0), ("T0", 1, 2.0)], "'one'"),
        ([("T0", 0, 1.0), ("T0", 1, np.nan)], "'one'"),
        ([("T0", 0, 1.0), ("T0", 1, 2.0), ("T7", 0, 1.0)], "none of those asked; it returned sets"),
    ],
)
def test_every_set_must_come_back_with_one_finite_score_for_every_sample(returned, refused):
    scores = np.full((2, 1), np.nan)
    if refused:
        with pytest.raises(AdnormError, match=refused):
            single_sample._fill(scores, iter(returned), {"T0": ["G1"]}, ["one"])
    else:
        single_sample._fill(scores, iter(returned), {"T0": ["G1"]}, ["one"])
        assert scores[:, 0].tolist() == [1.0, 2.0]
