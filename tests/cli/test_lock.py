"""`adnorm lock`: digests are pinned, and all other lines of a cohort file stay."""

from __future__ import annotations

import json

import pytest

from adnorm.base.yaml_text import read_yaml
from adnorm.cli import main
from adnorm.cli.lock import pin


def test_lock_pins_and_compares_and_finds_what_changed(trial, here, capsys):
    path, _ = trial
    before = path.read_text()
    assert main(["lock", "--check", "--configfile", "run.yaml"]) == 1
    assert path.read_text() == before
    assert main(["lock", "--configfile", "run.yaml"]) == 0
    pinned = read_yaml(path)["source"]["sha256"]
    assert set(pinned) == {"table", "sheet"} and all(len(d) == 64 for d in pinned.values())
    kept = [line for line in path.read_text().splitlines() if line in before.splitlines()]
    assert kept == before.splitlines()
    assert main(["lock", "--check", "--configfile", "run.yaml"]) == 0
    assert main(["check", "--configfile", "run.yaml"]) == 0
    counts = (here / "counts.csv").read_bytes()
    try:
        (here / "counts.csv").write_bytes(counts + b"GENEX" + b",1" * 24 + b"\n")
        capsys.readouterr()
        assert main(["lock", "--check", "--configfile", "run.yaml"]) == 1
        assert f"counts.csv: pinned is {pinned['table'][:12]}" in capsys.readouterr().out
        assert main(["check", "--configfile", "run.yaml"]) == 1
        assert "adnorm lock" in capsys.readouterr().err
        assert main(["lock", "--configfile", "run.yaml", "--json"]) == 0
        files = json.loads(capsys.readouterr().out)["cohorts"][0]["files"]
        assert [f["role"] for f in files if f["found"] != f["pinned"]] == ["table"]
        assert main(["check", "--configfile", "run.yaml"]) == 0
    finally:
        (here / "counts.csv").write_bytes(counts)


DIGESTS = {"sheet": "b" * 64, "table": "a" * 64}


@pytest.mark.parametrize(
    "source",
    [
        "",
        "source: {}\n",
        "source: {table: x.csv, sheet: 'a, b.csv'}  # ours\n",
        "source: {table: x.csv,\n  sheet: y.csv}\n",
        "source:\n  # the counts\n  table: x.csv  # of 2020\n\n  # and more\n",
        "source:\n  table: x.csv\n  sha256:\n    table: 00  # old\n    gone: 11\n  sheet: y.csv\n",
        "source:\n    sha256: {table: 00}\n    table: x.csv\n",
        "source: null\n",
    ],
    ids=["absent", "empty", "flow", "two_lines", "block", "renewed", "flow_renewed", "null"],
)
def test_pinning_keeps_all_other_lines(tmp_path, source):
    path = tmp_path / "c.yaml"
    rest = "id: c  # ours\n{}# what samples are\nsamples:\n  week: {{from: day, scale: 0.10}}\n"
    path.write_text(rest.format(source))
    before = read_yaml(path)
    pin(path, DIGESTS)
    after = read_yaml(path)
    assert after["source"].pop("sha256") == DIGESTS
    old = before.get("source") or {}
    old.pop("sha256", None)
    assert after == before | {"source": old}
    for comment in ("# ours", "# what samples are\nsamples:", "scale: 0.10"):
        assert comment in path.read_text()
    assert ("# of 2020" in source) == ("# of 2020" in path.read_text())
    again = path.read_text()
    pin(path, DIGESTS)
    assert path.read_text() == again
