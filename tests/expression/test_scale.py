"""The declared scale against the values."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest

from adnorm.base.errors import AdnormError
from adnorm.expression.scale import verify_scale
from adnorm.expression.turned import round_counts

RANDOM = np.random.default_rng(1)
COUNTS = RANDOM.negative_binomial(1, 0.002, size=(50, 4)).astype(float)
LOG2 = RANDOM.normal(7, 2.5, size=(50, 4)).clip(1.5, 15)
RATIO = RANDOM.normal(0, 1, size=(50, 4))
LINEAR = RANDOM.lognormal(3, 2, size=(50, 4))


def frame(values):
    genes = [f"G{i}" for i in range(len(values))]
    return pd.DataFrame(values, index=genes, columns=["S1", "S2", "S3", "S4"])


@pytest.mark.parametrize(
    ("values", "scale", "assay"),
    [
        (COUNTS, "counts", "rna-seq"),
        (LOG2, "log2", "microarray"),
        (RATIO, "log2", "microarray"),
        (LINEAR, "linear", "rna-seq"),
        (np.round(LINEAR), "linear", "microarray"),
    ],
)
def test_agreement_passes(values, scale, assay):
    verify_scale(frame(values), scale, "table.csv", assay)


@pytest.mark.parametrize(
    ("values", "declared", "looks"),
    [
        (COUNTS, "log2", "counts"),
        (LOG2, "counts", "log2"),
        (LOG2, "linear", "log2"),
        (LINEAR, "log2", "linear"),
        (LINEAR, "counts", "linear"),
        (np.minimum(COUNTS, 9), "log2", "counts"),
    ],
)
def test_disagreement_says_both_facts_and_the_line(values, declared, looks):
    with pytest.raises(AdnormError) as error:
        verify_scale(frame(values), declared, "table.csv", "rna-seq")
    text = str(error.value)
    assert f"declared is `scale: {declared}`" in text
    assert "quartiles" in text
    assert "whole numbers" in text
    assert f"to `scale: {looks}`" in text


@pytest.mark.parametrize("scale", ["counts", "linear"])
def test_negative_value_is_named(scale):
    values = np.round(LINEAR)
    values[3, 2] = -4
    with pytest.raises(AdnormError, match="1 values in 1 samples are negative.*-4 in row 'G3'.*S3"):
        verify_scale(frame(values), scale, "table.csv", "microarray")


@pytest.mark.parametrize("scale", ["counts", "log2", "linear"])
@pytest.mark.parametrize("infinite", [np.inf, -np.inf])
def test_infinite_value_is_named(scale, infinite):
    values = {"counts": COUNTS, "log2": LOG2, "linear": LINEAR}[scale].copy()
    values[7, 1] = infinite
    with pytest.raises(AdnormError, match="infinite.*row 'G7', sample 'S2'"):
        verify_scale(frame(values), scale, "table.csv")


def test_missing_values_are_not_judged():
    values = LOG2.copy()
    values[0, 0] = np.nan
    verify_scale(frame(values), "log2", "table.csv")


@pytest.mark.parametrize(
    ("values", "scale", "words"),
    [
        (np.full((50, 4), 7.0), "log2", "all values are 7"),
        (np.full((50, 4), np.nan), "log2", "every value is missing"),
        (RANDOM.random((50, 4)), "log2", "fractions or p-values"),
        (COUNTS * 1e9, "counts", "so many reads"),
        (LOG2, "log3", "unknown; did you mean 'log2'"),
    ],
)
def test_hopeless_tables_stop(values, scale, words):
    with pytest.raises(AdnormError, match=words):
        verify_scale(frame(values), scale, "table.csv")


# ---------------------------------------------------------------- a whole transcriptome


def transcriptome(depth=2e7, spread=0.3, samples=12):
    """Reads of 8000 genes, skewed as in skin, and their lengths."""
    random = np.random.default_rng(8)
    lengths = random.lognormal(np.log(2000), 0.7, size=(8000, 1)).clip(200)
    share = random.lognormal(0, 2.4, size=(8000, 1)) * lengths
    share = share * random.lognormal(0, 0.3, size=(8000, samples))
    libraries = depth * np.exp(np.linspace(-2 * spread, 2 * spread, samples))
    reads = random.poisson(share / share.sum(axis=0) * libraries).astype(float)
    names = [f"S{i}" for i in range(samples)]
    return pd.DataFrame(reads, [f"G{i}" for i in range(8000)], names), lengths


def tpm_of(reads, lengths):
    rates = reads / lengths
    return rates / rates.sum() * 1e6


def fpkm_of(reads, lengths):
    return reads / lengths / reads.sum() * 1e9


@pytest.mark.parametrize("unit", [tpm_of, fpkm_of])
@pytest.mark.parametrize(("depth", "spread"), [(2e7, 0.3), (2e7, 1.0), (1e4, 1.0)])
def test_tpm_and_fpkm_are_linear_even_when_rounded(unit, depth, spread, caplog):
    values = unit(*transcriptome(depth, spread))
    with caplog.at_level(logging.WARNING):
        verify_scale(values, "linear", "t.csv", "rna-seq")
        assert not caplog.records
        verify_scale(values.round(), "linear", "t.csv", "rna-seq")
    assert ["whole numbers" in r.getMessage() for r in caplog.records] == [True]


@pytest.mark.parametrize(("depth", "spread"), [(2e7, 0.3), (5e6, 0.15), (9e3, 1.2), (2e7, 1.0)])
def test_reads_declared_linear_are_refused(depth, spread):
    reads, _ = transcriptome(depth, spread)
    with pytest.raises(AdnormError, match=r"sums of the samples run from.*to `scale: counts`"):
        verify_scale(reads, "linear", "t.csv", "rna-seq")


def test_expected_counts_declared_linear_are_doubted(caplog):
    reads, lengths = transcriptome(spread=0.6)
    with caplog.at_level(logging.WARNING):
        verify_scale(reads + 0.01 * lengths, "linear", "t.csv", "rna-seq")
    assert "expected to be normalized for library size" in caplog.text
    assert "round_counts: true" in caplog.text
    caplog.clear()
    verify_scale(reads + 0.5, "linear", "t.csv", "microarray")
    assert not caplog.records


def test_expected_counts_name_the_key_before_the_other_scale():
    reads, lengths = transcriptome()
    expected = reads * (1 + 1 / lengths)
    with pytest.raises(AdnormError, match=r"`round_counts: true` below.*to `scale: linear`"):
        verify_scale(expected, "counts", "t.csv", "rna-seq")
    verify_scale(expected, "counts", "t.csv", "rna-seq", rounded=True)
    rounded, changed = round_counts(expected)
    verify_scale(rounded, "counts", "t.csv", "rna-seq")
    assert changed == ((reads > 0).to_numpy()).sum()


def test_tpm_are_not_rounded_to_counts():
    values = tpm_of(*transcriptome())
    with pytest.raises(AdnormError, match=r"the same sum \(1e\+06\), as TPM.*`scale: linear`"):
        verify_scale(values, "counts", "t.csv", "rna-seq", rounded=True)


def test_rounding_takes_halves_to_the_even_number_and_leaves_gaps():
    rounded, changed = round_counts(frame([[0.5, 1.5, 2.5, np.nan], [3.0, 4.49, 0.0, 7.0]]))
    expected = [[0, 2, 2, np.nan], [3, 4, 0, 7]]
    np.testing.assert_array_equal(rounded.to_numpy(), expected)
    assert changed == 4


# ---------------------------------------------------------------- single odd cells


def test_one_high_value_does_not_refuse_log2_values():
    values = frame(LOG2)
    values.iloc[4, 2] = 25.3
    verify_scale(values, "log2", "t.csv", "microarray")


def test_one_impossible_value_is_named():
    values = frame(LOG2)
    values.iloc[4, 2] = 4711.0
    with pytest.raises(AdnormError, match="1 values in 1 samples are above 50.*4711 in row 'G4'"):
        verify_scale(values, "log2", "t.csv", "microarray")


def test_one_high_value_does_not_make_log2_values_linear():
    values = frame(LOG2)
    values.iloc[4, 2] = 80.0
    with pytest.raises(AdnormError, match="to `scale: log2`"):
        verify_scale(values, "linear", "t.csv", "rna-seq")


@pytest.mark.parametrize("unit", [tpm_of, fpkm_of, lambda reads, _: reads])
def test_a_transcriptome_is_not_log2_and_log2_is_nothing_else(unit):
    values = unit(*transcriptome())
    with pytest.raises(AdnormError, match="declared is `scale: log2`"):
        verify_scale(values, "log2", "t.csv", "rna-seq")
    counts = unit not in (tpm_of, fpkm_of)
    for scale in ("counts", "linear"):
        with pytest.raises(
            AdnormError, match="to `scale: log2_counts`" if counts else "to `scale: log2`"
        ):
            verify_scale(np.log2(values + 1), scale, "t.csv", "rna-seq")


def test_text_in_a_column_is_named():
    values = frame(LOG2).astype(object)
    values.loc["G1", "S2"] = "n.d."
    with pytest.raises(AdnormError, match="text instead of numbers.*n.d."):
        verify_scale(values, "log2", "table.csv")


def test_empty_table_stops():
    with pytest.raises(AdnormError, match="0 rows"):
        verify_scale(frame(LOG2).iloc[:0], "log2", "table.csv")
