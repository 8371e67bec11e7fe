"""Any bytes, in the place of any file from outside, give a result or a sentence: nothing else."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from builders.hostile_files import FINE, PARSERS, REFUSED, RESULT, Reader, damaged

#: Files for each parser, fewer where one takes long.
MANY, SOME, FEW = 120, 60, 25
EXAMPLES = {"sample sheet": FEW, "table of values": FEW, "series matrix": FEW, "h5ad": SOME}


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    reader = Reader(tmp_path_factory.mktemp("files"))
    yield reader
    reader.close()


@pytest.mark.parametrize("name", PARSERS)
def test_the_whole_file_is_read(read, name):
    """Else everything below would be refused at once, and prove nothing."""
    outcome = read(name, PARSERS[name].valid())
    assert outcome.kind == RESULT, outcome.what


@pytest.mark.parametrize("name", PARSERS)
def test_a_damaged_file_gives_a_result_or_a_sentence(read, name):
    kinds = set()

    @settings(
        max_examples=EXAMPLES.get(name, MANY),
        derandomize=True,
        database=None,
        # Each file has a limit of its own.
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(damaged(PARSERS[name].valid()))
    def check(content):
        outcome = read(name, content)
        kinds.add(outcome.kind)
        assert outcome.kind in FINE, f"{outcome.kind}: {outcome.what}\n{content[:2000]!r}"

    check()
    assert REFUSED in kinds or name in ("stopped result", "note of a stop")


@pytest.mark.parametrize("name", PARSERS)
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_a_file_that_is_cut_off(read, name, share):
    valid = PARSERS[name].valid()
    outcome = read(name, valid[: int(share * len(valid))])
    assert outcome.kind in FINE, outcome.what


def test_the_reader_tells_what_nobody_foresaw(read, monkeypatch):
    """The proof that the tests above could fail: a process that ends, and one that hangs."""
    monkeypatch.setattr("builders.hostile_files.LIMIT", 0.0)
    assert read("h5ad", PARSERS["h5ad"].valid()).kind == "hang"
    monkeypatch.undo()
    process = read._started()
    process.kill()
    process.wait()
    assert read("GMT", PARSERS["GMT"].valid()).kind == "crash"
    assert read("GMT", PARSERS["GMT"].valid()).kind == RESULT
