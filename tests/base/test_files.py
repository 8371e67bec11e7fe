"""Files are whole or not there, and what cannot be read is named."""

from __future__ import annotations

import pytest

from adnorm.base.errors import AdnormError
from adnorm.base.files import atomic, read_json, write_json


def test_atomic_leaves_the_old_file_on_failure(tmp_path):
    target = tmp_path / "x.json"
    write_json({"b": 1, "a": 2}, target)
    with pytest.raises(RuntimeError), atomic(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert read_json(target) == {"a": 2, "b": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]


def test_json_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(AdnormError, match=r"no.json: this file is missing"):
        read_json(tmp_path / "no.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(AdnormError, match="line 1"):
        read_json(tmp_path / "bad.json")
