"""The record of a run by the workflow: hostile texts, one cohort that stopped."""

from __future__ import annotations

import getpass
import json
from pathlib import Path

import pytest
import yaml

from adnorm.cli import main
from adnorm.provenance.record import read_record
from adnorm.study.checksums import read_checksums
from builders.hostile import RAN
from builders.validator import issues


@pytest.fixture
def run(hostile_run, monkeypatch) -> Path:
    monkeypatch.chdir(hostile_run)
    return hostile_run


def test_a_run_in_which_a_cohort_stopped_has_a_valid_record_that_says_so(run):
    crate = run / "out" / "provenance"
    assert not (run / "out/atlas/finished.txt").exists()
    assert issues(crate, "workflow-run-crate") == []
    record = read_record(crate)
    assert "1 of 2 cohorts finished" in record.about
    assert "series stopped at the stage expression." in record.about
    assert [name for name in record.results if name.startswith("series/")] == [
        "series/fetch/manifest.json"
    ]
    assert len([name for name in record.results if name.startswith("lab/")]) > 60


def test_the_configuration_of_the_record_is_the_one_that_runs_in_it(run):
    written = yaml.safe_load((run / "out/provenance/config.yaml").read_text("utf-8"))
    assert written["checksums"] == "checksums.tsv" and written["results"] == "results"
    assert written["geo"]["offline"] is False
    pins = read_checksums(run / "out/provenance/checksums.tsv")
    assert pins["lab"]


def test_the_folder_is_what_was_recorded_but_for_what_stopped(run, capsys):
    main(["verify", "out", "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert (answer["changed"], answer["missing"]) == ([], [])
    assert answer["additional"] == []


def test_no_file_of_the_record_names_the_machine(run):
    private = [str(run), str(Path.home()), str(Path(__file__).parents[2])]
    files = [path for path in (run / "out/provenance").rglob("*") if path.is_file()]
    assert len(files) > 15
    for path in files:
        text = path.read_text("utf-8")
        assert [word for word in private if word in text] == [], path
        assert f"/{getpass.getuser()}/" not in text, path


def test_texts_of_the_outside_do_not_run_where_the_record_is_read(run):
    for name in ("methods.md", "README.md"):
        text = (run / "out/provenance" / name).read_text("utf-8")
        assert "<script" not in text and "<img" not in text and "\x1b" not in text
    methods = (run / "out/provenance/methods.md").read_text("utf-8")
    assert RAN.split(";")[0] in methods
