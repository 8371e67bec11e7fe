"""The declared scale against the values: agreement, contradictions, ways out, doubts."""

from __future__ import annotations

import logging
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adnorm.base.errors import AdnormError
from adnorm.expression.scale import round_counts
from adnorm.expression.scale_check import verify_scale
from adnorm.figures.page.overview import declared_scale
from adnorm.study.vocabulary import Scale
from builders.scale_values import (
    ARRAY,
    ARRAYS,
    COUNTS,
    DEEP,
    KINDS,
    LOG2,
    PARTS,
    PER_MILLION,
    QUANTILE,
    RATIOS,
    SCALED,
    SEQUENCING,
    TPM,
    frame,
)

SMALL_RANDOM = np.random.default_rng(1)


SMALL_COUNTS = SMALL_RANDOM.negative_binomial(1, 0.002, size=(50, 4)).astype(float)


SMALL_LOG2 = SMALL_RANDOM.normal(7, 2.5, size=(50, 4)).clip(1.5, 15)


SMALL_RATIO = SMALL_RANDOM.normal(0, 1, size=(50, 4))


SMALL_LINEAR = SMALL_RANDOM.lognormal(3, 2, size=(50, 4))


@pytest.mark.parametrize(
    ("values", "scale", "assay"),
    [
        (SMALL_COUNTS, "counts", "rna-seq"),
        (SMALL_LOG2, "log2", "microarray"),
        (SMALL_RATIO, "log2", "microarray"),
        (SMALL_LINEAR, "linear", "rna-seq"),
        (np.round(SMALL_LINEAR), "linear", "microarray"),
    ],
)
def test_agreement_passes(values, scale, assay):
    verify_scale(frame(values), scale, "table.csv", assay)


@pytest.mark.parametrize(
    ("values", "declared", "looks"),
    [
        (SMALL_COUNTS, "log2", "counts"),
        (SMALL_LOG2, "counts", "log2"),
        (SMALL_LOG2, "linear", "log2"),
        (SMALL_LINEAR, "log2", "linear"),
        (SMALL_LINEAR, "counts", "linear"),
        (np.minimum(SMALL_COUNTS, 9), "log2", "counts"),
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
    values = np.round(SMALL_LINEAR)
    values[3, 2] = -4
    with pytest.raises(AdnormError, match="1 values in 1 samples are negative.*-4 in row 'G3'.*S2"):
        verify_scale(frame(values), scale, "table.csv", "microarray")


@pytest.mark.parametrize("scale", ["counts", "log2", "linear"])
@pytest.mark.parametrize("infinite", [np.inf, -np.inf])
def test_infinite_value_is_named(scale, infinite):
    values = {"counts": SMALL_COUNTS, "log2": SMALL_LOG2, "linear": SMALL_LINEAR}[scale].copy()
    values[7, 1] = infinite
    with pytest.raises(AdnormError, match="infinite.*row 'G7', sample 'S1'"):
        verify_scale(frame(values), scale, "table.csv")


def test_missing_values_are_not_judged():
    values = SMALL_LOG2.copy()
    values[0, 0] = np.nan
    verify_scale(frame(values), "log2", "table.csv")


@pytest.mark.parametrize(
    ("values", "scale", "words"),
    [
        (np.full((50, 4), 7.0), "log2", "all values are 7"),
        (np.full((50, 4), np.nan), "log2", "every value is missing"),
        (SMALL_RANDOM.random((50, 4)), "log2", "fractions or p-values"),
        (SMALL_COUNTS * 1e9, "counts", "so many reads"),
        (SMALL_LOG2, "log3", "unknown; did you mean 'log2'"),
    ],
)
def test_hopeless_tables_stop(values, scale, words):
    with pytest.raises(AdnormError, match=words):
        verify_scale(frame(values), scale, "table.csv")


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


def test_one_high_value_does_not_refuse_log2_values():
    values = frame(SMALL_LOG2)
    values.iloc[4, 2] = 25.3
    verify_scale(values, "log2", "t.csv", "microarray")


def test_one_impossible_value_is_named():
    values = frame(SMALL_LOG2)
    values.iloc[4, 2] = 4711.0
    with pytest.raises(AdnormError, match="1 values in 1 samples are above 50.*4711 in row 'G4'"):
        verify_scale(values, "log2", "t.csv", "microarray")


def test_one_high_value_does_not_make_log2_values_linear():
    values = frame(SMALL_LOG2)
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
    values = frame(SMALL_LOG2).astype(object)
    values.loc["G1", "S2"] = "n.d."
    with pytest.raises(AdnormError, match="text instead of numbers.*n.d."):
        verify_scale(values, "log2", "table.csv")


def test_empty_table_stops():
    with pytest.raises(AdnormError, match="0 rows"):
        verify_scale(frame(SMALL_LOG2).iloc[:0], "log2", "table.csv")


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


@pytest.mark.parametrize("name", SCALED)
@pytest.mark.parametrize("scale", ["log2", "log2_counts", "linear"])
def test_scaled_values_fit_no_scale_and_the_way_out_is_told(name, scale):
    values = frame(SCALED[name])
    for assay in ("microarray", "rna-seq"):
        with pytest.raises(AdnormError, match="before they were scaled|table that holds"):
            verify_scale(values, scale, "t.csv", assay)


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
    for scale in Scale:
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
    if not accepted and len(hopeless) == len(Scale):
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
    for scale in Scale:
        with pytest.raises(AdnormError, match="before the background was subtracted"):
            verify_scale(values, scale, "t.csv", "microarray")


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


@pytest.mark.parametrize("scale", Scale)
def test_a_reason_is_offered_only_where_it_helps(scale):
    for values in (COUNTS, LOG2, np.log2(COUNTS + 1), TPM, PER_MILLION / 1e4, SCALED["z-scores"]):
        try:
            verify_scale(frame(values), scale, "t.csv", "rna-seq")
        except AdnormError as error:
            if "scale_checked" in str(error):
                verify_scale(frame(values), scale, "t.csv", "rna-seq", checked="a reason")


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


def test_the_report_tells_the_declared_scale_and_the_reason():
    facts = {"scale": "counts", "declared_scale": "log2_counts"}
    assert declared_scale(facts) == "log2_counts"
    assert declared_scale({"scale": "log2"}) == "log2"
    told = declared_scale(facts | {"scale_checked": "the authors say so"})
    assert "kept although the check of the values finds otherwise" in told
    assert told.endswith("the authors say so")
