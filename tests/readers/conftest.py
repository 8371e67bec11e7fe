"""Fixtures of the readers' tests."""

from __future__ import annotations

import gzip

import pytest

from adnorm.base.errors import AdnormError


@pytest.fixture
def written(tmp_path):
    """Write a text (packed if its name says so) and give its path."""

    def write(text, name="t.csv"):
        content = text.encode() if isinstance(text, str) else text
        path = tmp_path / name
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    return write


@pytest.fixture
def fault(tmp_path):
    """Write a file, read it, and give the message of the error that must follow."""

    def read(reader, content, *arguments, name="file.txt"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        with pytest.raises(AdnormError) as caught:
            reader(path, *arguments)
        message = str(caught.value)
        assert message.startswith(str(path))
        return message.removeprefix(str(path))

    return read
