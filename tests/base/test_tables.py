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
