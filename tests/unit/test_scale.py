"""The declared scale against the values."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adnorm.base.errors import AdnormError
from adnorm.expression.scale import verify_scale

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
        (COUNTS, "linear", "counts"),
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
        (LOG2, "log10", "unknown"),
    ],
)
def test_hopeless_tables_stop(values, scale, words):
    with pytest.raises(AdnormError, match=words):
        verify_scale(frame(values), scale, "table.csv")


def test_text_in_a_column_is_named():
    values = frame(LOG2).astype(object)
    values.loc["G1", "S2"] = "n.d."
    with pytest.raises(AdnormError, match="text instead of numbers.*n.d."):
        verify_scale(values, "log2", "table.csv")


def test_empty_table_stops():
    with pytest.raises(AdnormError, match="0 rows"):
        verify_scale(frame(LOG2).iloc[:0], "log2", "table.csv")
