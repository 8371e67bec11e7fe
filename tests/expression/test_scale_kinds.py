"""Every kind of table that people bring, and what is said of its scale."""

from __future__ import annotations

import logging
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adnorm.base.errors import AdnormError
from adnorm.expression.evidence import half_steps, whole_behind
from adnorm.expression.hints import Hints, hints_of, logs_named
from adnorm.expression.readings import SCALES, read_scale
from adnorm.expression.scale import verify_scale
from adnorm.expression.series_matrix import read_series_matrix
from adnorm.expression.turned import turn
from adnorm.figures.page.methods import declared_scale


def frame(values):
    values = np.asarray(values, dtype=float)
    genes = [f"G{i}" for i in range(len(values))]
    return pd.DataFrame(values, genes, [f"S{i}" for i in range(values.shape[1])])


def reads(depth=3e6, spread=0.5, genes=700, samples=8, seed=8):
    """Reads of libraries that differ in depth; a tenth of the genes differs between two groups."""
    random = np.random.default_rng(seed)
    share = random.lognormal(0, 2.2, size=(genes, 1))
    share = share * random.lognormal(0, 0.35, size=(genes, samples))
    share[random.random(genes) < 0.1, : samples // 2] *= 4
    libraries = depth * np.exp(np.linspace(-spread, spread, samples))
    return random.poisson(share / share.sum(axis=0) * libraries).astype(float)


def array(genes=700, samples=12, seed=1):
    """Log2 intensities as RMA gives them: genes differ in level and in spread."""
    random = np.random.default_rng(seed)
    level = random.gamma(4, 1.6, size=(genes, 1)).clip(2.2, 14.5)
    spread = 1 / np.sqrt(random.gamma(2, 10, size=(genes, 1)))
    return (level + random.normal(size=(genes, samples)) * spread).clip(1.5)


def scored(values, ddof=1):
    deviation = values.std(axis=1, keepdims=True, ddof=ddof)
    kept = deviation[:, 0] > 0
    return ((values - values.mean(axis=1, keepdims=True)) / np.where(kept[:, None], deviation, 1))[
        kept
    ]


def by_deviation(values):
    centred = values - np.median(values, axis=1, keepdims=True)
    deviation = np.median(np.abs(centred), axis=1, keepdims=True)
    return (centred / np.where(deviation > 0, deviation, 1))[deviation[:, 0] > 0]


COUNTS = reads()
SHALLOW = reads(depth=8e3)
PER_MILLION = COUNTS / COUNTS.sum(axis=0) * 1e6
LENGTHS = np.random.default_rng(2).lognormal(7.5, 0.7, size=(len(COUNTS), 1))
RATES = COUNTS / LENGTHS
TPM = RATES / RATES.sum(axis=0) * 1e6
FPKM = RATES / COUNTS.sum(axis=0) * 1e9
EXPRESSED = (COUNTS >= 5).sum(axis=1) >= 3
EXPECTED = COUNTS + (np.arange(len(COUNTS)) % 2)[:, None] * (COUNTS > 0) * 40 / LENGTHS
LOG2 = np.log2(PER_MILLION + 1)
# Counts of salmon for a library that is deeper in some samples: no part of them is whole.
PARTS = COUNTS * np.linspace(0.61, 6.17, COUNTS.shape[1]) * (1 + 0.1 / LENGTHS) + 0.137
DEEP = PER_MILLION * np.where(np.arange(COUNTS.shape[1]) == 3, 4.17, 1.03) + 0.137

ARRAY = array()
COMMON = np.random.default_rng(3).normal(0, 0.5, size=(len(ARRAY), 1))
RATIOS = ARRAY - ARRAY.mean(axis=1, keepdims=True) + COMMON
QUANTILE = np.sort(ARRAY, axis=0).mean(axis=1)[np.argsort(np.argsort(ARRAY, axis=0), axis=0)]

SEQUENCING = {
    "log2_counts": {
        "log2(count + 1)": np.log2(COUNTS + 1),
        "of small libraries": np.log2(SHALLOW + 1),
        "rounded to 3 decimals": np.log2(COUNTS + 1).round(3),
        "rounded to 2 decimals": np.log2(COUNTS + 1).round(2),
        "with 5 digits": np.vectorize(lambda x: float(f"{x:.5g}"))(np.log2(COUNTS + 1)),
        "in 32 bits": np.log2(COUNTS + 1).astype(np.float32),
        "of expressed genes": np.log2(COUNTS + 1)[EXPRESSED],
        "log2(count + 0.5)": np.log2(COUNTS + 0.5),
        "log2(count + 0.5) of expressed genes": np.log2(COUNTS + 0.5)[EXPRESSED],
        "log2(count + 0.1)": np.log2(COUNTS + 0.1),
        "of three samples": np.log2(COUNTS[:, :3] + 1),
    },
    "ln_counts": {
        "ln(count + 1)": np.log1p(COUNTS),
        "in 32 bits": np.log1p(COUNTS.astype(np.float32)),
        "rounded to 3 decimals": np.log1p(COUNTS).round(3),
    },
    "log10_counts": {
        "log10(count + 1)": np.log10(COUNTS + 1),
        "rounded to 3 decimals": np.log10(COUNTS + 1).round(3),
    },
    "ln": {
        "ln(CP10k + 1)": np.log1p(PER_MILLION / 100),
        "in 32 bits": np.log1p(PER_MILLION / 100).astype(np.float32),
        "rounded to 3 decimals": np.log1p(PER_MILLION / 100).round(3),
        "ln(CPM + 1)": np.log1p(PER_MILLION),
        "ln(TPM + 0.01)": np.log(TPM + 0.01),
        "of a common depth": np.log1p(PER_MILLION * 3.3),
    },
    "log10": {
        "log10(CPM + 1)": np.log10(PER_MILLION + 1),
        "rounded to 2 decimals": np.log10(PER_MILLION + 1).round(2),
    },
    "log2": {
        "log2(CPM + 1)": LOG2,
        "log2(TPM + 1)": np.log2(TPM + 1),
        "log2(TPM + 1) rounded to 2 decimals": np.log2(TPM + 1).round(2),
        "log2(TPM + 1) rounded to 1 decimal": np.log2(TPM + 1).round(1),
        "log2(rounded TPM + 1)": np.log2(TPM.round() + 1),
        "log2(TPM + 0.001)": np.log2(TPM + 0.001),
        "log2(TPM + 1) of expressed genes": np.log2(TPM + 1)[EXPRESSED],
        "log2(FPKM + 1)": np.log2(FPKM + 1),
        "log2 CPM with a prior": np.log2((COUNTS + 2) / (COUNTS.sum(axis=0) + 4) * 1e6),
        "variance stabilized": np.log2(PER_MILLION + np.sqrt(PER_MILLION**2 + PER_MILLION) + 2),
        "centred": LOG2 - LOG2.mean(axis=1, keepdims=True),
        "centred on the median": LOG2 - np.median(LOG2, axis=1, keepdims=True),
        "of small libraries, centred": (lambda m: m - np.median(m, axis=1, keepdims=True))(
            np.log2(SHALLOW / SHALLOW.sum(axis=0) * 1e6 + 1)
        ),
    },
    "linear": {
        "TPM": TPM,
        "FPKM": FPKM,
        "CP10k": PER_MILLION / 100,
        "CP10k rounded to 2 decimals": (PER_MILLION / 100).round(2),
        "CP10k of expressed genes": (PER_MILLION / 100)[EXPRESSED],
        "CP10k of many weak genes": np.repeat(PER_MILLION / 100, 20, axis=0) / 20,
        "percent": PER_MILLION / 1e4,
        "fractions": PER_MILLION / 1e6,
        "normalized to a common depth": PER_MILLION * 3.3,
    },
    "counts": {"reads": COUNTS, "few reads": np.minimum(COUNTS, 9)},
}
ARRAYS = {
    "log2": {
        "RMA": ARRAY,
        "rounded to 2 decimals": ARRAY.round(2),
        "of three samples": ARRAY[:, :3],
        "of two samples": ARRAY[:, :2],
        "quantile normalized": QUANTILE,
        "ratios": RATIOS,
        "centred": ARRAY - ARRAY.mean(axis=1, keepdims=True),
        "centred on the median": ARRAY - np.median(ARRAY, axis=1, keepdims=True),
        "of whole intensities": np.log2(np.round(2**ARRAY)),
    },
    "linear": {"intensities": 2**ARRAY},
}
KINDS = [
    (assay, scale, name)
    for assay, kinds in (("rna-seq", SEQUENCING), ("microarray", ARRAYS))
    for scale, tables in kinds.items()
    for name in tables
]


@pytest.mark.parametrize(("assay", "scale", "name"), KINDS)
def test_every_kind_is_accepted_on_its_scale_and_log2_or_linear_alone_says_so(assay, scale, name):
    values = frame((SEQUENCING if assay == "rna-seq" else ARRAYS)[scale][name])
    assert verify_scale(values, scale, "t.csv", assay) == ""
    for other in ("counts", "log2", "linear"):
        if other == scale or (scale, other) == ("counts", "linear"):
            continue
        with pytest.raises(AdnormError) as error:
            verify_scale(values, other, "t.csv", assay)
        assert f"`scale: {scale}`" in str(error.value)


SCALED = {
    "z-scores": scored(LOG2),
    "over n": scored(LOG2, ddof=0),
    "rounded": scored(LOG2).round(2),
    "clipped": scored(ARRAY).clip(-2, 2),
    "of arrays": scored(ARRAY),
    "with samples left out": scored(array(samples=40))[:, ::2],
    "one sample left out": scored(ARRAY)[:, 1:],
    "of three samples": scored(ARRAY[:, :3]),
    "robust": by_deviation(array(seed=4)),
    "unit variance around the level": scored(ARRAY) + 20 * ARRAY.mean(axis=1, keepdims=True) / 20,
    "of samples": (ARRAY - ARRAY.mean(axis=0)) / ARRAY.std(axis=0),
    "from 0 to 1": (ARRAY - ARRAY.min(axis=1, keepdims=True)) / np.ptp(ARRAY, axis=1)[:, None],
    "from -1 to 1": 2 * (ARRAY - ARRAY.min(axis=1, keepdims=True)) / np.ptp(ARRAY, axis=1)[:, None]
    - 1,
}


@pytest.mark.parametrize("name", SCALED)
@pytest.mark.parametrize("scale", ["log2", "log2_counts", "linear"])
def test_scaled_values_fit_no_scale_and_the_way_out_is_told(name, scale):
    values = frame(SCALED[name])
    for assay in ("microarray", "rna-seq"):
        with pytest.raises(AdnormError, match="before they were scaled|table that holds"):
            verify_scale(values, scale, "t.csv", assay)


@pytest.mark.parametrize("shape", [(2000, 20), (3000, 200), (50_000, 3), (60, 8), (40, 4)])
@pytest.mark.parametrize("seed", [1, 2])
def test_noise_of_standard_deviation_1_is_no_z_score(shape, seed):
    ratios = np.random.default_rng(seed).normal(0, 1, size=shape)
    verify_scale(frame(ratios), "log2", "t.csv", "microarray")


def test_rows_of_one_shape_are_no_scaled_genes():
    level, shape = np.arange(60.0)[:, None] / 6 + 2, np.array([0, 0.3, 0.7, 1.9, 0.2])
    verify_scale(frame(level + shape), "log2", "t.csv", "microarray")


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


# ---------------------------------------------------------------- one rule without a gap


def advice(message):
    """The lines that a message says to write: (scale or None for the same, round_counts)."""
    lines = [
        (found[1], bool(found[2]))
        for found in re.finditer(r"to `scale: (\w+)`( and write `round_counts)?", message)
    ]
    if re.search(r"they are, write `round_counts|keep `scale: \w+` and write", message):
        lines.append((None, True))
    return lines


def follow(values, scale, assay, rounded):
    """Do what a message says; single impossible cells may be left, which are named."""
    try:
        verify_scale(values, scale, "t.csv", assay, rounded)
    except AdnormError as error:
        assert "Mend the table" in str(error), str(error)


def check_every_scale(values, assay):
    """A scale is accepted, or its message leads to one in one step, or says why none can be."""
    accepted, hopeless = [], []
    for scale in SCALES:
        try:
            verify_scale(values, scale, "t.csv", assay)
        except AdnormError as error:
            lines = advice(str(error))
            for other, rounded in lines:
                follow(values, other or scale, assay, rounded)
            if not lines:
                hopeless.append(str(error))
        else:
            accepted.append(scale)
    if not accepted and len(hopeless) == len(SCALES):
        told = "No scale fits|table that holds|Mend the table|nothing to compare|no finite"
        assert all(re.search(told, message) for message in hopeless), hopeless
    return accepted


@pytest.mark.parametrize(("assay", "scale", "name"), KINDS)
def test_advice_leads_to_a_scale_in_one_step(assay, scale, name):
    values = frame((SEQUENCING if assay == "rna-seq" else ARRAYS)[scale][name])
    assert scale in check_every_scale(values, assay)


@pytest.mark.parametrize("assay", ["rna-seq", "microarray"])
@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    shape=st.tuples(st.integers(2, 60), st.integers(1, 6)),
    middle=st.floats(-3, 8),
    width=st.floats(0.05, 3),
    digits=st.sampled_from([None, 0, 1, 2, 4]),
    form=st.sampled_from(["normal", "lognormal", "sums", "zeros"]),
)
def test_no_table_falls_between_the_scales(assay, seed, shape, middle, width, digits, form):
    random = np.random.default_rng(seed)
    values = random.normal(middle, width, size=shape)
    if form != "normal":
        values = np.exp(values)
    if form == "sums":
        values = values / values.sum(axis=0) * 10.0 ** random.integers(0, 7)
    elif form == "zeros":
        values = np.where(random.random(shape) < 0.6, 0.0, values)
    values = values if digits is None else values.round(digits)
    check_every_scale(frame(values), assay)


@pytest.mark.parametrize("highest", [10, 24, 26, 30, 40, 49, 51, 80, 400])
def test_between_25_and_50_one_of_linear_and_log2_is_right(highest):
    weak = np.random.default_rng(5).lognormal(0, 1.5, size=(2000, 8))
    values = frame(weak / weak.max() * highest)
    accepted = check_every_scale(values, "rna-seq")
    if accepted:
        assert ("linear" in accepted) != ("log2" in accepted)
        return
    # A single cell is impossible for log2 values; whether it is wrong only a person knows.
    with pytest.raises(AdnormError, match="`scale: linear`, and `scale_checked:"):
        verify_scale(values, "log2", "t.csv", "rna-seq")
    verify_scale(values, "linear", "t.csv", "rna-seq", checked="a panel of weak genes")


def test_background_subtracted_intensities_do_not_go_round_in_circles():
    values = frame(2**ARRAY - 40)
    for scale in SCALES:
        with pytest.raises(AdnormError, match="before the background was subtracted"):
            verify_scale(values, scale, "t.csv", "microarray")


# ---------------------------------------------------------------- a declared override


def test_a_reason_keeps_the_declared_scale_and_is_told(caplog):
    weak = frame(np.random.default_rng(5).lognormal(-1, 1, size=(300, 6)))
    with pytest.raises(AdnormError, match='write `scale_checked: "how you know"` below `source:`'):
        verify_scale(weak, "linear", "t.csv", "rna-seq")
    with caplog.at_level(logging.WARNING):
        found = verify_scale(weak, "linear", "t.csv", "rna-seq", checked="a panel of weak genes")
    assert "which is what log2 values look like" in found
    assert "a panel of weak genes" in caplog.text
    assert "is kept" in caplog.text


def test_a_reason_is_not_needed_where_the_check_agrees():
    assert verify_scale(frame(TPM), "linear", "t.csv", "rna-seq", checked="TPM") == ""


@pytest.mark.parametrize(
    ("values", "scale", "words"),
    [
        (np.where(TPM > 1e4, np.inf, TPM), "log2", "infinite"),
        (-LOG2, "linear", "negative"),
        (-COUNTS, "counts", "negative"),
        (TPM, "counts", "no whole numbers|not whole|same sum"),
        (TPM, "log2", "above 50"),
        (RATIOS, "log2_counts", "below zero reads"),
        (LOG2, "log2_counts", "no whole numbers"),
    ],
)
def test_no_reason_makes_the_impossible_right(values, scale, words):
    with pytest.raises(AdnormError, match=words) as error:
        verify_scale(frame(values), scale, "t.csv", "rna-seq", checked="I say so")
    assert f"If you know that `scale: {scale}` is right" not in str(error.value)


@pytest.mark.parametrize("scale", SCALES)
def test_a_reason_is_offered_only_where_it_helps(scale):
    for values in (COUNTS, LOG2, np.log2(COUNTS + 1), TPM, PER_MILLION / 1e4, SCALED["z-scores"]):
        try:
            verify_scale(frame(values), scale, "t.csv", "rna-seq")
        except AdnormError as error:
            if "scale_checked" in str(error):
                verify_scale(frame(values), scale, "t.csv", "rna-seq", checked="a reason")


# ---------------------------------------------------------------- what the deposit says


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


# ---------------------------------------------------------------- turned back


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


# ---------------------------------------------------------------- digits and doubts


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


@pytest.mark.parametrize(
    ("values", "assay", "words"),
    [
        (ARRAYS["log2"]["centred"], "microarray", "centred on 0"),
        (ARRAYS["log2"]["centred on the median"], "microarray", "centred on 0"),
        (np.log2(np.round(2**ARRAY)), "microarray", "not normalized"),
        (RATIOS * 0.3, "microarray", "write `scale: log10`"),
        (np.log1p(TPM * np.linspace(0.8, 0.99, 8)), "rna-seq", "write `scale: ln`"),
        (np.log2(PER_MILLION / 100 + 1), "rna-seq", "stands for 100 per million"),
        (np.log2(DEEP + 1), "rna-seq", "`scale: log2_counts` with `source: round_counts: true`"),
    ],
)
def test_a_doubt_is_logged_and_nothing_refused(values, assay, words, caplog):
    with caplog.at_level(logging.WARNING):
        verify_scale(frame(values), "log2", "t.csv", assay)
    assert words in caplog.text


def test_the_logarithm_of_parts_of_reads_is_refused_and_taken_as_advised():
    with pytest.raises(AdnormError) as refused:
        verify_scale(frame(np.log2(PARTS + 1)), "log2", "t.csv", "rna-seq")
    assert "as those of libraries do" in str(refused.value)
    assert "`scale: log2_counts`" in str(refused.value)
    assert "round_counts: true" in str(refused.value)
    verify_scale(frame(np.log2(PARTS + 1)), "log2", "t.csv", "rna-seq", checked="known")
    verify_scale(frame(np.log2(PARTS + 1)), "log2_counts", "t.csv", "rna-seq", rounded=True)


def test_counts_of_equal_sums_are_doubted(caplog):
    with caplog.at_level(logging.WARNING):
        verify_scale(frame(np.round(TPM)), "counts", "t.csv", "rna-seq")
        assert "write `scale: linear`" in caplog.text
        caplog.clear()
        verify_scale(frame(np.round(TPM)), "linear", "t.csv", "rna-seq")
        assert "scale: counts" in caplog.text
        caplog.clear()
        # Drawn to one number of reads, and of libraries as they are.
        drawn = np.random.default_rng(4).multinomial(20_000, [1 / 700] * 700, 8).T
        for values in (drawn, COUNTS):
            verify_scale(frame(values), "counts", "t.csv", "rna-seq")
    assert not caplog.records


@pytest.mark.parametrize("values", [RATIOS, RATIOS - 0.3, np.log2(COUNTS * 0.02 + 0.5) - 3])
def test_sums_behind_small_values_raise_no_doubt(values, caplog):
    with caplog.at_level(logging.WARNING):
        verify_scale(frame(values), "log2", "t.csv", "rna-seq", checked="known")
    assert "behind the logarithm" not in caplog.text


@pytest.mark.parametrize("values", [ARRAY, RATIOS, QUANTILE, ARRAY.round(2)])
def test_good_arrays_raise_no_doubt(values, caplog):
    with caplog.at_level(logging.WARNING):
        verify_scale(frame(values), "log2", "t.csv", "microarray")
    assert not caplog.records


@pytest.mark.parametrize("name", ["log2(CPM + 1)", "log2(TPM + 1)", "log2(FPKM + 1)"])
def test_good_sequencing_raises_no_doubt(name, caplog):
    with caplog.at_level(logging.WARNING):
        verify_scale(frame(SEQUENCING["log2"][name]), "log2", "t.csv", "rna-seq")
    assert not caplog.records


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
    assert (found.said, found.channels) == ({"log10"}, 2)


def test_the_report_tells_the_declared_scale_and_the_reason():
    facts = {"scale": "counts", "declared_scale": "log2_counts"}
    assert declared_scale(facts) == "log2_counts"
    assert declared_scale({"scale": "log2"}) == "log2"
    told = declared_scale(facts | {"scale_checked": "the authors say so"})
    assert "kept although the check of the values finds otherwise" in told
    assert told.endswith("the authors say so")
