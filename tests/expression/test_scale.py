"""What digits, spreads and words show of a scale, and how values become counts, linear or log2."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from scipy.special import polygamma

from adnorm.base.errors import AdnormError
from adnorm.expression.scale import (
    Hints,
    centred_genes,
    equal_sums_behind,
    half_steps,
    hints_of,
    logs_named,
    power_of_ten,
    read_scale,
    round_counts,
    scaled_genes,
    scaled_samples,
    spread,
    sums_behind,
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


# ---------------------------------------------------------------- limits


def test_significant_digits_say_how_far_rounding_went():
    """Three digits: 1.23e-7 may be off by 0.005e-7, and 456000 by 500."""
    rng = np.random.default_rng(4)
    exponents = rng.integers(-12, 5, 400)
    figures = np.where(rng.random(400) < 0.2, 100, rng.integers(101, 1000, 400))
    values = figures * 10.0**exponents
    np.testing.assert_allclose(half_steps(values), 0.5 * 10.0**exponents, rtol=1e-6)
    assert half_steps(np.append(values, 0.0))[-1] > 0


def test_numbers_of_32_bits_are_known_by_it():
    values = np.random.default_rng(5).uniform(1, 1000, 500).astype(np.float32).astype(float)
    np.testing.assert_array_equal(half_steps(values), 2 * np.spacing(values.astype(np.float32)))
    exact = values + 1e-7 * np.random.default_rng(6).random(500)
    np.testing.assert_allclose(half_steps(exact), 4 * np.finfo(float).eps * exact)


@pytest.mark.parametrize(("odd", "found"), [(1, 0.05), (2, None)])
def test_one_value_in_a_thousand_may_have_more_digits(odd, found):
    values = np.arange(1000) / 10
    values[:odd] = np.pi * 100 + np.arange(odd)
    assert (half_steps(values)[500] == pytest.approx(0.05)) == (found is not None)


@pytest.mark.parametrize(
    ("sums", "power"),
    [
        ([1e6, 1e6], 1e6),
        ([1.0, 1.0], 1.0),
        ([1e7, 1e7], None),
        ([0.1, 0.1], None),
        # Within a thousandth, and within a hundredth of each other.
        ([1000.9, 1000.9], 1000.0),
        ([999.1, 999.1], 1000.0),
        ([1001.1, 1001.1], None),
        ([99.0, 100.0, 101.5], None),
        ([99.9, 100.0, 100.8], 100.0),
        ([100.0, 0.0], None),
        ([100.0, np.inf], None),
    ],
)
def test_sums_of_one_power_of_ten(sums, power):
    assert power_of_ten(np.array(sums)) == power


def test_what_lies_at_the_limit_of_a_sum_is_within():
    assert power_of_ten(np.array([100.0, 100.0]), tolerance=0.0) == 100.0
    assert power_of_ten(np.array([99.1, 99.1]), tolerance=0.01) == 100.0
    assert power_of_ten(np.array([98.9, 98.9]), tolerance=0.01) is None
    assert power_of_ten(np.array([101.0, 100.0]), tolerance=0.01) == 100.0


def test_the_spread_of_sums_is_the_largest_over_the_smallest():
    assert spread(np.array([2.0, 3.0, 8.0])) == 4.0
    for sums in ([0.0, 1.0], [-1.0, 1.0], [np.nan, 1.0], [np.inf, 1.0]):
        assert spread(np.array(sums)) == np.inf


def test_sums_behind_logarithms_are_of_the_raised_values_less_one():
    matrix = np.array([[1.0, 2.0], [3.0, np.nan], [0.0, 1.0]])
    sums = sums_behind(matrix)
    np.testing.assert_allclose(sums["log2"], [1 + 7, 3 + 1], rtol=1e-6)
    np.testing.assert_allclose(sums["ln"], np.exp([1, 2]) + np.exp([3, 1]) - 2, rtol=1e-6)
    np.testing.assert_allclose(sums["log10"], [9 + 999, 99 + 9], rtol=1e-6)


def rows_of(deviation, mean=0.0, rows=200, samples=9, seed=0):
    """Rows of exactly the given means and standard deviations."""
    values = np.random.default_rng(seed).normal(size=(rows, samples))
    values -= values.mean(axis=1, keepdims=True)
    values /= values.std(axis=1, ddof=1, keepdims=True)
    ones = np.ones(rows)
    return values * (deviation * ones)[:, None] + (mean * ones)[:, None]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (rows_of(1.0), "mean 0 and standard deviation 1"),
        (rows_of(np.linspace(0.86, 1.19, 200)), "mean 0 and standard deviation 1"),
        (rows_of(np.linspace(0.3, 1.7, 200)), ""),
        (rows_of(1.0, mean=5.0), "the same standard deviation (1)"),
        (rows_of(1.19, mean=5.0), "the same standard deviation (1.19)"),
        (rows_of(0.81, mean=5.0), "the same standard deviation (0.81)"),
        (rows_of(1.21, mean=5.0), ""),
        (rows_of(0.79, mean=5.0), ""),
        (rows_of(np.linspace(1.0, 1.045, 200), mean=5.0), "the same standard deviation"),
        (rows_of(np.linspace(1.0, 1.065, 200), mean=5.0), ""),
        (rows_of(1.0, mean=5.0, rows=20), "the same standard deviation"),
        (rows_of(1.0, mean=5.0, rows=19), ""),
        (rows_of(1.0, mean=5.0, samples=3), "the same standard deviation"),
        (rows_of(1.0, mean=5.0, samples=2), ""),
    ],
)
def test_scaled_rows_are_known_by_their_means_and_deviations(values, words):
    found = scaled_genes(values)
    assert words in found and bool(found) == bool(words)


@pytest.mark.parametrize(
    ("shift", "stretch", "scaled"),
    [
        (0.0, 1.0, True),
        (0.004, 1.0, True),
        (0.008, 1.0, False),
        (0, 1.019, True),
        (0, 1.021, False),
    ],
)
def test_scaled_samples_have_mean_0_and_deviation_1(shift, stretch, scaled):
    """A mean may be off by a tenth of 1/√rows, and a deviation by a fiftieth."""
    values = np.random.default_rng(1).normal(size=(400, 5))
    values = (values - values.mean(axis=0)) / values.std(axis=0)
    values[:, 2] = values[:, 2] * stretch + shift
    assert bool(scaled_samples(values)) == scaled
    assert scaled_samples(values[:39]) == scaled_samples(values[:, :1]) == ""


@pytest.mark.parametrize(("mean", "centred"), [(0.018, True), (0.022, False)])
def test_centred_rows_have_a_mean_or_a_median_of_zero(mean, centred):
    """Up to a fiftieth of the standard deviation of the rows, over n here."""
    values = rows_of(np.sqrt(9 / 8), mean=mean)
    assert np.median(values.std(axis=1)) == pytest.approx(1.0)
    assert centred_genes(values) == centred
    by_median = values - np.median(values, axis=1, keepdims=True)
    assert centred_genes(by_median)
    assert not centred_genes(values[:19] - mean) and not centred_genes(values[:, :2])


@pytest.mark.parametrize("offset", [1.0, 0.5])
def test_the_offset_of_a_logarithm_is_found_without_a_zero_that_shows_it(offset):
    counts = COUNTS[(COUNTS > 0).all(axis=1)]
    found = whole_behind(np.log2(counts + offset), 2.0)
    assert (found.offset, found.share) == (offset, 1.0)


def of_sums(sums, rows=300, base=2.0, seed=2):
    """Values whose base^x − 1 add up to the given sums."""
    raised = np.random.default_rng(seed).lognormal(2, 1, (rows, len(sums)))
    return np.log1p(raised / raised.sum(axis=0) * sums) / np.log(base)


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        (of_sums([1e6, 1e6]), "log2"),
        (of_sums([1e6, 1.009e6]), "log2"),
        (of_sums([1e6, 1.03e6]), None),
        # A table of one decimal blurs sums; up to a twentieth is then believed.
        (of_sums([1e6, 1.03e6]).round(1), "log2"),
        (of_sums([1e6, 1.07e6]).round(1), None),
        (of_sums([1e6])[:, :1], None),
        # Of any other logarithm they must be many, or a power of ten.
        (of_sums([1e6] * 2, base=np.e), "ln"),
        (of_sums([3e6] * 6, base=np.e), "ln"),
        (of_sums([3e6] * 5, base=np.e), None),
        (of_sums([1e4] * 2, base=10), "log10"),
        # One distribution has equal sums behind every logarithm.
        (np.tile(np.linspace(0, 12, 300)[:, None], 6), "log2"),
        # More values than are looked at.
        (of_sums([1e6] * 8, rows=55_000), "log2"),
    ],
)
def test_equal_sums_tell_the_logarithm_that_they_lie_behind(values, scale):
    assert equal_sums_behind(values, sums_behind(values)) == scale


def spanning(span, samples=4, rows=200):
    values = np.random.default_rng(3).uniform(size=(rows, samples))
    low = values.min(axis=1, keepdims=True)
    return (values - low) / np.ptp(values, axis=1, keepdims=True) * span


@pytest.mark.parametrize(
    ("values", "found"),
    [
        *[(spanning(span), True) for span in (1, 2, 100, 99.5, 100.5)],
        *[(spanning(span), False) for span in (3, 98.9, 101.1, 0.985, 2.03)],
        (spanning(1, samples=3), False),
        (spanning(1 + np.linspace(0, 0.0045, 200)[:, None]), True),
        (spanning(1 + np.linspace(0, 0.0065, 200)[:, None]), False),
    ],
)
def test_rows_scaled_to_a_range_are_known_from_four_samples_on(values, found):
    assert ("spans the same range" in scaled_genes(values)) == found


def robust(median=0.0, deviation=1.0):
    values = np.random.default_rng(4).standard_t(3, size=(200, 9))
    values -= np.median(values, axis=1, keepdims=True)
    values /= np.median(np.abs(values), axis=1, keepdims=True)
    return values * deviation + median


@pytest.mark.parametrize(
    ("values", "found"),
    [
        *[(robust(median), True) for median in (0.0, 0.045, -0.045)],
        *[(robust(median), False) for median in (0.055, -0.055, -1.0)],
        *[(robust(0, deviation), True) for deviation in (0.61, 1.09)],
        *[(robust(0, deviation), False) for deviation in (0.59, 1.11)],
        (robust(0, np.linspace(1, 1.045, 200)[:, None]), True),
        (robust(0, np.linspace(1, 1.065, 200)[:, None]), False),
    ],
)
def test_robust_scores_have_median_0_and_one_median_deviation(values, found):
    assert ("robust z-scores" in scaled_genes(values)) == found


@pytest.mark.parametrize(("wider", "found"), [(0.0, True), (0.26, True), (0.33, False)])
def test_scores_of_which_samples_were_left_out_vary_by_chance_alone(wider, found):
    """Variances of n normal values differ by chance: 2 log s has the variance ψ′((n − 1) / 2).

    Nine of twelve samples are left: a quarter of it, and up to one and a half times it is believed.
    """
    rng = np.random.default_rng(5)
    values = scored(rng.normal(size=(2000, 12)))[:, :9] * np.exp(wider * rng.normal(size=(2000, 1)))
    excess = np.var(2 * np.log(values.std(axis=1, ddof=1))) / polygamma(1, 4)
    assert excess == pytest.approx({0.0: 0.25, 0.26: 1.2, 0.33: 1.8}[wider], abs=0.1)
    assert ("by chance" in scaled_genes(values)) == found


@pytest.mark.parametrize(("rows", "found"), [(40, True), (39, False)])
def test_forty_rows_are_enough_for_scaled_samples(rows, found):
    values = np.random.default_rng(1).normal(size=(rows, 2))
    values = (values - values.mean(axis=0)) / values.std(axis=0)
    assert bool(scaled_samples(values)) == found
