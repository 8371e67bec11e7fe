"""The published axis: a table of the configuration."""

from __future__ import annotations

import pytest

from adnorm.base.errors import AdnormError
from adnorm.base.tables import read_table


@pytest.mark.parametrize(
    "text", [b"gene\tdirection\nA\tup\textra\n", b"gene\tdirec\xe9tion\nA\tup\n"]
)
def test_a_table_of_the_configuration_that_is_none_is_told(tmp_path, text):
    (tmp_path / "x.tsv").write_bytes(text + b"B\tup\tmore\tand more\n")
    with pytest.raises(AdnormError, match="x.tsv: this is no table of tab-separated text in UTF-8"):
        read_table(tmp_path / "x.tsv")
