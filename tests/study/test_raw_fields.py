"""Which key a mapping was meant for, and numbers as people write them."""

from __future__ import annotations

import pandas as pd
import pytest

from adnorm.study.decimals import with_points
from adnorm.study.raw_fields import fitting_key


@pytest.mark.parametrize(
    ("wanted", "columns", "expected"),
    [
        ("Subjekt", {"EASI total": "a a b c d e", "Subject ID": "1 1 2 2 3 3"}, "Subject ID"),
        ("who", {"EASI total": "a a b c d e", "donor": "1 1 2 2 3 3"}, "donor"),
        ("code", {"Codes": "1 1 2 2 3 3", "patient": "1 1 2 3 4 5"}, "Codes"),
    ],
    ids=["alike", "people", "alike_before_people"],
)
def test_a_name_weighs_before_counts_of_values(wanted, columns, expected):
    raw = pd.DataFrame({name: text.split() for name, text in columns.items()})
    assert fitting_key(raw, None, [wanted]) == expected


def test_numbers_with_points_and_commas_stay_as_they_are():
    mixed = pd.Series(["1,5", "1,250.5", None])
    assert with_points(mixed).tolist() == mixed.tolist()
