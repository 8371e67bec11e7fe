"""Columns of a table find their samples, or it is said what stands in the way."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from adnorm.base.errors import AdnormError
from adnorm.expression.columns import match_samples


def fields(**columns):
    return pd.DataFrame(columns, index=["G1", "G2", "G3"])


def test_match_by_name():
    raw = fields(title=["c", "b", "a"])
    assert match_samples(["G2", "G1", "G3"], raw.index, raw) == {"G2": "G2", "G1": "G1", "G3": "G3"}


def test_match_by_the_one_field_that_fits():
    raw = fields(title=["x", "y", "z"], description=["c", "b", "a"], sex=["F", "F", "M"])
    assert match_samples(["a", "b", "c"], raw.index, raw) == {"a": "G3", "b": "G2", "c": "G1"}


def test_two_fields_may_agree_but_not_contradict():
    raw = fields(title=["a", "b", "c"], description=["a", "b", "c"])
    assert match_samples(["c", "a", "b"], raw.index, raw)["c"] == "G3"
    raw = fields(title=["a", "b", "c"], description=["c", "b", "a"])
    with pytest.raises(AdnormError, match="in different ways"):
        match_samples(["c", "a", "b"], raw.index, raw)


def test_excluded_names_may_lack_a_counterpart():
    assert match_samples(["G1", "G2"], ["G1", "G2", "G3"], excluded=["G3"]) == {
        "G1": "G1",
        "G2": "G2",
    }
    assert match_samples(["G1", "pool"], ["G1"], excluded=["pool"]) == {"G1": "G1"}
    raw = fields(title=["a", "b", ""])
    assert match_samples(["a", "b"], raw.index, raw, excluded=["G3"]) == {"a": "G1", "b": "G2"}


def test_nothing_is_matched_in_part():
    raw = fields(title=["a", "b", ""])
    with pytest.raises(AdnormError, match="the 3 samples: 'G1', 'G2', 'G3'"):
        match_samples(["a", "b"], raw.index, raw)
    with pytest.raises(
        AdnormError, match=r"1 of 3 columns belongs.*'G4'.*1 sample has no column: 'G3'"
    ):
        match_samples(["G1", "G2", "G4"], raw.index, raw)
    raw = fields(title=["case_a", "case_b", "case_c"])
    with pytest.raises(
        AdnormError,
        match=r"sample field 'title'\): 'case_d' \('case_d': did you mean 'case_c'\?\);",
    ):
        match_samples(["case_a", "case_b", "case_d"], raw.index, raw)
    with pytest.raises(AdnormError, match="stand twice: 'G1'"):
        match_samples(["G1", "G1"], ["G1"])


NUMBERS = range(1, 41)


@pytest.mark.parametrize(
    ("columns", "samples", "note"),
    [
        ("run/S{}.bam", "S{}", "all columns begin with 'run/S' and end with '.bam'"),
        ("Y{}", "{}", "all columns begin with 'Y'; without that they are sample names"),
        ("{}", "P{}", "all sample names begin with 'P'; without that they are columns"),
        ("s_{}", "S-{}", "columns and sample names differ in case or punctuation only"),
        ("AD{}", "GSM{}", "all columns begin with 'AD', the others do not"),
    ],
)
def test_names_that_differ_throughout_are_explained_in_short(columns, samples, note):
    columns, samples = ([form.format(i) for i in NUMBERS] for form in (columns, samples))
    with pytest.raises(AdnormError) as error:
        match_samples(columns, samples)
    message = str(error.value)
    assert note.replace("run/S", "run/") in message
    assert f"'{columns[2]}' and 37 more" in message and f"'{samples[2]}' and 37 more" in message
    assert "did you mean" not in message and "?." not in message and len(message) < 450


def test_a_prefix_is_told_by_the_field_that_it_hides():
    raw = fields(title=["a", "b", "c"], sex=["F", "F", "M"])
    with pytest.raises(AdnormError, match=r"'X\.'; .* values of the sample field 'title'"):
        match_samples(["X.a", "X.b", "X.c"], raw.index, raw)
    with pytest.raises(AdnormError, match=r"'X\.'; .* values of the sample field 'title'"):
        match_samples(["X.a", "X.b", "pool"], raw.index, raw, excluded=["G3", "pool"])


def test_several_suggestions_are_separate_sentences():
    with pytest.raises(AdnormError) as error:
        match_samples(["case_one", "trial_twos", "other_3s"], ["case_one", "trial_two", "other_3"])
    assert (
        "('trial_twos': did you mean 'trial_two'? 'other_3s': did you mean 'other_3'?); 2 samples "
        "have no column: 'trial_two', 'other_3'" in str(error.value)
    )


def test_names_as_r_writes_them_are_found():
    samples = ["101-LS W2", "101-NL W2", "AD_1", "_x"]
    columns = ["X101.LS.W2", "X101.NL.W2", "AD_1", "X_x"]
    assert match_samples(columns, samples) == dict(zip(columns, samples, strict=True))
    # Two samples that R would call the same are no match.
    with pytest.raises(AdnormError, match="no column has the name"):
        match_samples(["X1.A", "X1.B"], ["1-A", "1 A", "1-B"])


def test_names_within_paths_come_with_the_line_to_write():
    columns = [f"/bam/{name}_L00{lane}.bam" for name in ("DEL-01", "DEL-02") for lane in (1, 2)]
    with pytest.raises(AdnormError) as error:
        match_samples(columns, ["DEL-01", "DEL-02"])
    assert "tried too" not in str(error.value)
    pattern = str(error.value).split("`libraries: '")[1].split("'`")[0]
    assert {re.search(pattern, column)["library"] for column in columns} == {"DEL-01", "DEL-02"}
