"""Tables: the same bytes, read back as they were."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adnorm.base.errors import AdnormError
from adnorm.base.tables import read_table, stack, write_table


def test_table_round_trip_keeps_names_and_missing(tmp_path):
    frame = pd.DataFrame(
        {"patient": ["01", "02"], "value": [1 / 3, np.nan], "reason": ["", "None"]}
    )
    write_table(frame, tmp_path / "a" / "t.tsv")
    assert (tmp_path / "a" / "t.tsv").read_text() == (
        "patient\tvalue\treason\n01\t0.333333\t\n02\tNA\tNone\n"
    )
    back = read_table(tmp_path / "a" / "t.tsv")
    assert list(back["patient"]) == ["01", "02"]
    assert back["reason"].tolist() == ["", "None"]
    assert np.isnan(back["value"][1])


def test_a_column_has_one_type_in_tables_of_any_length(tmp_path):
    # Numbers alone for longer than what pandas reads at a time, then a text.
    frame = pd.DataFrame({"dose": ["5"] * 300_000 + ["low"], "more": "x" * 20})
    write_table(frame, tmp_path / "long.tsv")
    assert set(map(type, read_table(tmp_path / "long.tsv")["dose"])) == {str}


def test_missing_and_empty_tables_are_named(tmp_path):
    with pytest.raises(AdnormError, match=r"no.tsv: this table is missing"):
        read_table(tmp_path / "no.tsv")
    (tmp_path / "empty.tsv").write_text("")
    with pytest.raises(AdnormError, match="empty"):
        read_table(tmp_path / "empty.tsv")


def test_stacked_tables_keep_their_rows_or_at_least_a_header():
    empty, one = pd.DataFrame(columns=["a"]), pd.DataFrame({"a": [1]})
    assert stack(frame for frame in (empty, one, one))["a"].tolist() == [1, 1]
    assert (len(stack([empty, empty])), list(stack([empty]).columns)) == (0, ["a"])


def test_the_bytes_are_those_of_pandas(tmp_path, monkeypatch):
    monkeypatch.setattr("adnorm.base.tables._ROWS_AT_ONCE", 3)
    texts = ["plain", "tab\t", 'quote"', None, "line\nline", "", "carriage\r", "µ"]
    table = pd.DataFrame(
        {
            "number": [1.5, np.nan, np.inf, -0.0, 1e-300, 1234567.5, -np.inf, 1 / 3],
            "single": np.arange(8, dtype=np.float32) / 3,
            "whole": range(8),
            "text": texts,
            "truth": [True, False] * 4,
            "mixed": [1, 2.123456789, "a", None, np.nan, pd.NA, True, ""],
            "kind": pd.Categorical(["a", None, "b", "a"] * 2),
            "gaps": pd.array([1, None, 3, 4] * 2, dtype="Int64"),
            "parts": pd.array([1 / 3, None, 3, 4] * 2, dtype="Float64"),
            'na"me': "x",
        }
    )
    for name, part in [("all", table), ("text", table[["text"]]), ("none", table[:0])]:
        write_table(part, tmp_path / name)
        expected = tmp_path / f"{name}_of_pandas"
        part.to_csv(
            expected, sep="\t", index=False, na_rep="NA", float_format="%.6g", lineterminator="\n"
        )
        assert (tmp_path / name).read_bytes() == expected.read_bytes()
