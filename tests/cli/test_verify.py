"""adnorm verify: exit codes, words and JSON."""

from __future__ import annotations

import json
import os
import re
import shutil
import zipfile
from pathlib import Path

import pytest

from adnorm.cli import main
from adnorm.provenance import comparison
from builders.crates import make_crate, write_study


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """The folder of a run with its record."""
    folder = tmp_path_factory.mktemp("verify")
    before = os.getcwd()
    os.chdir(folder)
    try:
        make_crate(folder, write_study(folder))
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def here(run, tmp_path, monkeypatch) -> Path:
    """A copy of it, to be changed, as the working directory."""
    shutil.copytree(run, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path / "copy"


def verified(capsys, *words) -> tuple[int, dict]:
    code = main(["verify", *words, "--json"])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("named", ["out", "out/provenance", "./out/"])
def test_a_folder_that_is_as_recorded_ends_with_0(here, capsys, named):
    assert main(["verify", named]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "2 of 2 cohorts finished" in told and "is as recorded: all " in told
    assert "Software: the same versions." in told
    code, answer = verified(capsys, named)
    assert (code, answer["fine"], answer["changed"]) == (0, True, [])
    assert answer["same"] == answer["recorded"] > 10


def test_a_folder_that_was_changed_ends_with_1_and_says_how(here, capsys):
    index = here / "out/near/index/index.tsv"
    index.write_text(index.read_text().replace("0.25", "0.250001"))
    (here / "out/near/effects/effects.tsv").unlink()
    (here / "out/extra.tsv").write_text("x\n")
    (here / "data/counts.csv").write_text("other\n")
    assert main(["verify", "out"]) == 1
    told = capsys.readouterr().out
    assert "1 changed, 1 missing, 1 additional" in " ".join(told.split())
    assert "near/index/index.tsv: 1 cell in ni (1); largest relative difference 4e-06" in told
    assert "Missing results:\n  near/effects/effects.tsv" in told
    assert "Additional results:\n  extra.tsv" in told
    assert "Changed inputs:\n  near: counts.csv" in told
    code, answer = verified(capsys, "out")
    assert (code, answer["fine"]) == (1, False)
    (changed,) = answer["changed"]
    assert changed["columns"][0]["column"] == "ni"
    assert changed["columns"][0]["largest"] == pytest.approx(4e-6, rel=0.01)
    assert answer["missing"] == ["near/effects/effects.tsv"]
    assert answer["inputs"]["changed"]


def test_another_folder_is_compared_with_the_record(here, capsys):
    shutil.copytree(here / "out", here / "again", ignore=shutil.ignore_patterns("provenance"))
    assert main(["verify", "out/provenance", "again"]) == 0
    assert "again is as recorded" in " ".join(capsys.readouterr().out.split())
    table = here / "again/near/effects/effects.tsv"
    table.write_text(table.read_text().replace("0.25", "0.5"))
    code, answer = verified(capsys, "out", "again")
    assert code == 1
    # The recorded table lies beside the crate, so that it can be said how far.
    assert answer["changed"][0]["columns"][0]["largest"] == pytest.approx(0.5)
    assert answer["results"] == "again"


def test_a_zip_is_compared_too_and_alone_says_what_to_install(here, capsys, monkeypatch):
    with zipfile.ZipFile(here / "paper.zip", "w") as archive:
        for path in (here / "out/provenance").rglob("*"):
            if path.is_file():
                archive.write(path, path.relative_to(here / "out").as_posix())
    assert main(["verify", "paper.zip", "out"]) == 0
    capsys.readouterr()
    assert main(["verify", "paper.zip"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "The crate is whole. No results were compared" in told
    rows = [row for row in comparison.software() if row[1] != "numpy"]
    monkeypatch.setattr(comparison, "software", lambda: rows)
    # Other versions are told, and are no difference by themselves.
    assert main(["verify", "paper.zip"]) == 0
    told = capsys.readouterr().out
    assert "To install what was recorded: python -m pip install numpy==" in told
    # Results that are the same on other software are the same.
    assert main(["verify", "paper.zip", "out"]) == 0
    assert "Software: 1 difference." in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["absent"], "does not exist"),
        (["data"], "neither the crate of a run nor a results folder"),
        (["out", "absent"], "absent: this results folder does not exist"),
        (["data/counts.csv"], "not a zip that can be read"),
    ],
)
def test_what_cannot_be_verified_is_a_sentence(here, capsys, words, reason):
    assert main(["verify", *words]) == 1
    told = capsys.readouterr().err
    assert told.startswith("STOPPED: ") and reason in told and "Traceback" not in told


def test_a_damaged_crate_is_a_sentence(here, capsys):
    (here / "out/provenance/inputs.tsv").write_text("nothing")
    assert main(["verify", "out"]) == 1
    assert (
        "inputs.tsv is not the file that ro-crate-metadata.json records" in capsys.readouterr().err
    )


def test_names_of_a_crate_do_not_command_the_terminal(here, capsys):
    (here / "out" / "near" / "\x1b]0;OWNED\x07.tsv").write_text("x\n")
    assert main(["verify", "out"]) == 1
    assert "\x1b" not in capsys.readouterr().out


def test_long_lists_are_cut_and_json_has_all(here, capsys):
    for number in range(30):
        (here / "out" / f"extra{number:02d}.tsv").write_text("x\n")
    assert main(["verify", "out"]) == 1
    told = capsys.readouterr().out
    assert "extra19.tsv" in told and "extra20.tsv" not in told and "and 10 more" in told
    assert len(verified(capsys, "out")[1]["additional"]) == 30


def test_cohorts_that_were_not_run_do_not_bury_those_that_were(here, capsys):
    shutil.copytree("out", "some")
    shutil.rmtree("some/far")
    lacking = []
    for _ in range(2):
        assert main(["verify", "out/provenance", "some"]) == 1
        told = " ".join(capsys.readouterr().out.split())
        assert "Not run here: far; what joins cohorts differs for that reason" in told
        same, of = map(int, re.search(r"that were run, (\d+) of (\d+) results", told).groups())
        assert "far/" not in told and of > 5
        lacking.append(of - same)
        Path("some/near/index/index.tsv").write_text("other\n")
    assert lacking == [0, 1]
    assert main(["verify", "out/provenance", "some", "--json"]) == 1
    assert set(json.loads(capsys.readouterr().out)["not_run"]) == {"far"}
