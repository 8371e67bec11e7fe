"""Which scale values look like, and how they are turned into counts, linear or log2 values."""

from __future__ import annotations

import re

import numpy as np
import pytest

from adnorm.base.errors import AdnormError
from adnorm.expression.scale import round_counts, turn
from adnorm.expression.scale_check import verify_scale
from adnorm.expression.scale_evidence import Hints
from builders.scale_values import (
    COUNTS,
    EXPECTED,
    EXPRESSED,
    FPKM,
    PER_MILLION,
    TPM,
    array,
    frame,
    scored,
)


@pytest.mark.parametrize("scale", ["log2_counts", "ln_counts", "log10_counts"])
@pytest.mark.parametrize("offset", [1, 0.5])
def test_counts_come_back_exactly(scale, offset):
    logarithm = {"log2": np.log2, "ln": np.log, "log10": np.log10}[scale.removesuffix("_counts")]
    counts = COUNTS.copy()
    counts[3, 4] = np.nan
    turned = turn(frame(logarithm(counts + offset)), scale, "rna-seq", rounded=False)
    np.testing.assert_array_equal(turned.values, counts)
    assert turned.scale == "counts"
    assert "turned back into counts" in turned.words
    assert f"+ {offset:g})" in turned.words


def test_rounding_of_the_table_is_said_and_leaves_low_counts_exact():
    turned = turn(frame(np.log2(COUNTS + 1).round(3)), "log2_counts", "rna-seq", rounded=False)
    low = COUNTS < 1000
    np.testing.assert_array_equal(turned.values.to_numpy()[low], COUNTS[low])
    np.testing.assert_allclose(turned.values, COUNTS, rtol=4e-4, atol=0.5)
    assert re.match(r"exactly below 1443, higher ones within 0.00035", turned.steps[0][2])


@pytest.mark.parametrize("factor", [1e-2, 1e-4, 1e-6, 25.0])
def test_values_of_one_sum_are_brought_to_per_million(factor):
    turned = turn(frame(PER_MILLION * factor), "linear", "rna-seq", rounded=False)
    np.testing.assert_allclose(turned.values, PER_MILLION)
    assert "10⁶" in turned.words
    array = turn(frame(PER_MILLION * factor), "linear", "microarray", rounded=False)
    np.testing.assert_array_equal(array.values, PER_MILLION * factor)


@pytest.mark.parametrize("values", [TPM, FPKM, TPM[EXPRESSED], EXPECTED])
def test_other_linear_values_stay_as_they_are(values):
    turned = turn(frame(values), "linear", "rna-seq", rounded=False)
    np.testing.assert_array_equal(turned.values, values)
    assert turned.words == ""


@pytest.mark.parametrize(
    ("scale", "logarithm"), [("ln", np.log1p), ("log10", lambda x: np.log10(x + 1))]
)
def test_logarithms_of_counts_per_ten_thousand_get_the_offset_of_a_million(scale, logarithm):
    turned = turn(frame(logarithm(PER_MILLION / 100)), scale, "rna-seq", rounded=False)
    np.testing.assert_allclose(turned.values, PER_MILLION, atol=1e-9)
    assert turned.scale == "linear"
    loose = logarithm(PER_MILLION / 100 * np.linspace(0.5, 1.5, 8))
    turned = turn(frame(loose), scale, "rna-seq", rounded=False)
    np.testing.assert_allclose(turned.values, loose * np.log2({"ln": np.e, "log10": 10}[scale]))
    assert turned.scale == "log2"


def test_scaling_of_all_samples_is_seen_in_a_few():
    few = frame(scored(array(samples=40))[:, :4])
    verify_scale(few, "log2", "t.csv", "microarray")
    with pytest.raises(AdnormError, match="every row has mean 0"):
        hints = Hints(scaled="every row has mean 0")
        verify_scale(few, "log2", "t.csv", "microarray", hints=hints)


def test_expected_counts_behind_a_logarithm_are_to_be_rounded():
    values = frame(np.log2(EXPECTED + 1))
    with pytest.raises(AdnormError, match="to `scale: log2_counts` and write `round_counts: true`"):
        verify_scale(values, "log2", "t.csv", "rna-seq")
    with pytest.raises(AdnormError, match="keep `scale: log2_counts` and write `round_counts"):
        verify_scale(values, "log2_counts", "t.csv", "rna-seq")
    verify_scale(values, "log2_counts", "t.csv", "rna-seq", rounded=True)
    turned = turn(values, "log2_counts", "rna-seq", rounded=True)
    np.testing.assert_array_equal(turned.values, np.round(EXPECTED))
    assert [step[0] for step in turned.steps][1] == "expected counts rounded to whole numbers"


def test_rounding_takes_halves_to_the_even_number_and_leaves_gaps():
    rounded, changed = round_counts(frame([[0.5, 1.5, 2.5, np.nan], [3.0, 4.49, 0.0, 7.0]]))
    expected = [[0, 2, 2, np.nan], [3, 4, 0, 7]]
    np.testing.assert_array_equal(rounded.to_numpy(), expected)
    assert changed == 4
