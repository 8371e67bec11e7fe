"""What digits, spreads and words show of a scale, and how values become counts, linear or log2."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from adnorm.base.errors import AdnormError
from adnorm.expression.scale import (
    Hints,
    half_steps,
    hints_of,
    logs_named,
    read_scale,
    round_counts,
    turn,
    whole_behind,
)
from adnorm.expression.scale_check import verify_scale
from adnorm.readers.series_matrix import read_series_matrix
from builders.scale_values import (
    ARRAY,
    COUNTS,
    EXPECTED,
    EXPRESSED,
    FPKM,
    LOG2,
    PER_MILLION,
    RATIOS,
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


@pytest.mark.parametrize("shape", [(2000, 20), (3000, 200), (50_000, 3), (60, 8), (40, 4)])
@pytest.mark.parametrize("seed", [1, 2])
def test_noise_of_standard_deviation_1_is_no_z_score(shape, seed):
    ratios = np.random.default_rng(seed).normal(0, 1, size=shape)
    verify_scale(frame(ratios), "log2", "t.csv", "microarray")


def test_rows_of_one_shape_are_no_scaled_genes():
    level, shape = np.arange(60.0)[:, None] / 6 + 2, np.array([0, 0.3, 0.7, 1.9, 0.2])
    verify_scale(frame(level + shape), "log2", "t.csv", "microarray")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("VALUE is the normalized log10 ratio (test/reference)", {"log10"}),
        ("LOWESS, then Log (base 10) ratio", {"log10"}),
        ("logarithm to the base 10", {"log10"}),
        ("base-10 logarithms of ratios", {"log10"}),
        ("Log10(REDsignal/GREENsignal)", {"log10"}),
        ("log2-transformed RMA", {"log2"}),
        ("log base 2 of the ratio", {"log2"}),
        ("log10 intensities were converted to log2", {"log10", "log2"}),
        ("natural log of the intensities", {"ln"}),
        ("values below 10 were set to 10, Log 100 of them", set()),
        ("GCRMA", set()),
    ],
)
def test_logarithms_are_found_in_words(text, named):
    assert logs_named(text) == named


def series(text="", channels="1"):
    return pd.DataFrame({"data_processing": [text] * 3, "channel_count": [channels] * 3})


@pytest.mark.parametrize(
    ("values", "text", "channels", "scale"),
    [
        (RATIOS * np.log10(2), "normalized log10 ratio", "2", "log10"),
        (RATIOS * np.log10(2), "Log (base 10) of the ratio", "1", "log10"),
        (RATIOS * np.log10(2), "LOWESS normalization", "2", "log10"),
        (RATIOS, "LOWESS normalization", "2", "log2"),
        (RATIOS, "log2 ratio", "2", "log2"),
        (RATIOS * 0.3, "log2 ratio", "2", "log2"),
        (ARRAY, "log10 values were turned into log2", "1", "log2"),
        (ARRAY, "log10 of the scanner's values", "1", "log2"),
        (ARRAY * np.log10(2), "log10 transformed", "1", "log10"),
        (ARRAY * np.log(2), "natural log of RMA values", "1", "ln"),
        (ARRAY, "RMA", "1", "log2"),
    ],
)
def test_words_and_channels_decide_between_logarithms_of_arrays(values, text, channels, scale):
    hints = hints_of(series(text, channels))
    assert read_scale(values, "microarray", hints).scale == scale
    verify_scale(frame(values), scale, "t.csv", "microarray", hints=hints)
    if scale != "log2":
        with pytest.raises(AdnormError, match=f"to `scale: {scale}`"):
            verify_scale(frame(values), "log2", "t.csv", "microarray", hints=hints)
        turned = turn(frame(values), scale, "microarray", rounded=False)
        back = {"log10": np.log2(10), "ln": np.log2(np.e)}[scale]
        np.testing.assert_allclose(turned.values, values * back)
        assert turned.scale == "log2"


@pytest.mark.parametrize(
    ("values", "step"),
    [
        (LOG2.round(2), 0.005),
        (LOG2.round(6), 5e-7),
        (np.array([1.5, 2.25, 3.125, 7.0]), 0.0005),
    ],
)
def test_decimals_of_a_table_are_recognised(values, step):
    np.testing.assert_allclose(half_steps(values.ravel()), step, rtol=0.01)


def test_rounding_that_hides_whole_numbers_is_no_proof():
    assert whole_behind(np.log2(COUNTS + 1).round(0), 2.0) is None


def test_a_series_matrix_says_the_logarithm_and_the_channels(tmp_path):
    path = tmp_path / "GSE1_series_matrix.txt"
    rows = [
        "!Series_title\tTwo colours",
        '!Sample_title\t"a"\t"b"',
        '!Sample_geo_accession\t"GSM1"\t"GSM2"',
        '!Sample_channel_count\t"2"\t"2"',
        '!Sample_data_processing\t"Rosetta Resolver"\t"Rosetta Resolver"',
        '!Sample_data_processing\t"Log (base 10) ratio"\t"Log (base 10) ratio"',
        "!series_matrix_table_begin",
        '"ID_REF"\t"GSM1"\t"GSM2"',
        "1_at\t0.1\t-0.2",
        "!series_matrix_table_end",
    ]
    path.write_text("\n".join(rows) + "\n")
    found = hints_of(read_series_matrix(path).samples)
    assert (found.logarithms, found.channels) == ({"log10"}, 2)
