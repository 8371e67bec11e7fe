"""What digits, spreads and words show of a scale."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adnorm.base.errors import AdnormError
from adnorm.expression.scale import read_scale, turn
from adnorm.expression.scale_check import verify_scale
from adnorm.expression.scale_evidence import half_steps, hints_of, logs_named, whole_behind
from adnorm.readers.series_matrix import read_series_matrix
from builders.scale_values import ARRAY, COUNTS, LOG2, RATIOS, frame


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
