"""A cohort that stops says why in each of its outputs, and lets the others go on."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pandas as pd
import pytest

from adnorm.base.errors import AdnormError
from adnorm.base.files import atomic, read_json
from adnorm.base.stops import (
    MARK,
    Stop,
    finished,
    last_note,
    read_stop,
    require_finished,
    run_again,
    run_stage,
    stopped_stages,
    write_stop,
)
from adnorm.base.tables import read_table
from adnorm.figures.answer import write_answer
from adnorm.figures.page import cohorts
from builders.answers import TRIAL

STOP = Stop("lab", "expression", "lab.yaml: 2 problems\n  1. '<b>--> a' & b\n  2. $x_1$ é")


def fail():
    raise AdnormError("sheet.csv: row 3: no patient")


@pytest.mark.parametrize("name", ["a.tsv", "a.h5ad", "a.json", "a.gmt", "a.html"])
def test_the_reason_stands_in_the_place_of_a_result(tmp_path, name):
    write_stop(tmp_path / "new" / name, STOP)
    assert read_stop(tmp_path / "new" / name) == STOP


@pytest.mark.parametrize("name", ["a.tsv", "a.html"])
def test_a_long_reason_is_read_whole(tmp_path, name):
    long = Stop("lab", "expression", "no mapping covers this value\n" * 9000)
    write_stop(tmp_path / name, long)
    assert read_stop(tmp_path / name) == long


def test_a_page_shows_the_reason_and_not_its_markup(tmp_path):
    write_stop(tmp_path / "a.html", STOP)
    text = (tmp_path / "a.html").read_text()
    assert "&lt;b&gt;--&gt; a&#x27; &amp; b" in text
    assert text.count("-->") == 1


@pytest.mark.parametrize("name", ["a.svg", "a.png", "a.pdf"])
def test_pictures_of_a_stopped_cohort_are_pictures_and_the_same_each_time(tmp_path, name):
    write_stop(tmp_path / name, STOP)
    first = (tmp_path / name).read_bytes()
    write_stop(tmp_path / name, STOP)
    assert (tmp_path / name).read_bytes() == first
    assert first.startswith((b"<?xml", b"\x89PNG", b"%PDF"))


@pytest.mark.parametrize(
    "content", ["", "cohort\tstage\n", "#adnorm", "# adnorm-stopped {}", "\ufeff" + MARK]
)
def test_results_are_not_taken_for_reasons(tmp_path, content):
    (tmp_path / "a.tsv").write_text(content)
    assert read_stop(tmp_path / "a.tsv") is None


def test_a_stage_that_stops_leaves_a_note_of_the_future_and_a_success_dates_it_back(
    tmp_path, capsys
):
    log, out = tmp_path / "lab" / "logs" / "expression.log", tmp_path / "lab" / "x.tsv"
    notes = []
    for _ in range(3):
        run_stage(fail, "expression", "lab", str(log), [], [str(out)])
        assert read_stop(out) == Stop("lab", "expression", "sheet.csv: row 3: no patient")
        notes.append(last_note(log))
        # Snakemake compares times, and takes the same name with the same content for unchanged.
        assert notes[-1].stat().st_mtime > time.time() + 1e6
        assert stopped_stages(tmp_path / "lab") == [read_stop(out)]
    assert len(set(notes)) == 3
    # The note that was an input of the job is there until the job ends, and no longer newer.
    assert notes[1].stat().st_mtime == 0
    assert not notes[0].exists()
    printed = capsys.readouterr().err
    assert "[lab · expression] STOPPED: sheet.csv: row 3: no patient" in printed
    assert "Traceback" not in printed
    assert "Traceback" in log.read_text()
    run_stage(lambda: out.write_text("done"), "expression", "lab", str(log), [], [str(out)])
    assert out.read_text() == "done"
    # The inputs of the stage must not change by a success.
    assert last_note(log) == notes[-1] and notes[-1].stat().st_mtime == 0
    assert stopped_stages(tmp_path / "lab") == []


def test_notes_of_stages_with_similar_names_are_kept_apart(tmp_path):
    for name in ("hgnc.txt", "hgnc", "index.stop-x"):
        run_again(tmp_path / "logs" / f"{name}.log", STOP)
    run_again(tmp_path / "logs" / "hgnc.log")
    assert last_note(tmp_path / "logs" / "hgnc.txt.log").name == "hgnc.txt.stop-1"
    assert last_note(tmp_path / "logs" / "hgnc.log").name == "hgnc.stop-2"
    # What a later stage asks for again has not stopped.
    assert len(stopped_stages(tmp_path)) == 2


def test_a_stage_that_never_stopped_leaves_no_note(tmp_path):
    log = tmp_path / "logs" / "fetch.log"
    run_stage(lambda: None, "fetch", "lab", str(log), [], [])
    assert last_note(log) is None
    assert [p.name for p in log.parent.iterdir()] == ["fetch.log"]


def test_what_a_killed_writer_left_is_removed_but_not_what_others_write(tmp_path):
    def leave(name):
        with pytest.raises(KeyboardInterrupt), atomic(tmp_path / name) as temporary:
            temporary.write_text("half")
            kept = temporary.with_name("kept")
            temporary.rename(kept)
            raise KeyboardInterrupt
        return kept.rename(temporary)

    left, of_another = leave("a.b.tsv"), leave("b.tsv")
    out = tmp_path / "a.b.tsv"
    run_stage(lambda: out.write_text("done"), "index", "lab", str(tmp_path / "x.log"), [], [out])
    assert not left.exists()
    assert of_another.exists()


def test_a_run_is_complete_when_nothing_stopped(tmp_path):
    write_stop(tmp_path / "a.html", STOP)
    write_stop(tmp_path / "a.tsv", STOP)
    (tmp_path / "b.tsv").write_text("x\n")
    assert require_finished([tmp_path / "b.tsv"], ["ours"]) == "1 of 1 cohorts finished: ours\n"
    with pytest.raises(SystemExit) as error:
        require_finished([tmp_path / "b.tsv", tmp_path / "a.tsv", tmp_path / "a.html"], ["ours"])
    assert str(error.value).count("lab: at the stage expression") == 1


def test_an_unforeseen_error_stops_one_cohort_and_keeps_its_traceback(tmp_path, capsys):
    log, out = tmp_path / "logs" / "scores.log", tmp_path / "x.tsv"
    run_stage(lambda: {}["gene"], "scores", "lab", str(log), [], [str(out)])
    assert "did not foresee: KeyError: 'gene'" in read_stop(out).message
    assert "Traceback" in capsys.readouterr().err


def test_later_stages_hand_the_reason_on_without_working(tmp_path):
    write_stop(tmp_path / "in.tsv", STOP)
    (tmp_path / "good.tsv").write_text("a\n")
    inputs = [str(tmp_path / "good.tsv"), str(tmp_path / "in.tsv")]
    outputs = [str(tmp_path / "out.tsv"), str(tmp_path / "out.svg")]
    log = tmp_path / "logs" / "scores.log"
    run_stage(lambda: pytest.fail("ran"), "scores", "lab", str(log), inputs, outputs)
    assert read_stop(outputs[0]) == STOP
    assert stopped_stages(tmp_path) == []


def test_what_joins_cohorts_leaves_the_stopped_ones_out(tmp_path):
    write_stop(tmp_path / "a.tsv", STOP)
    (tmp_path / "b.tsv").write_text("x\n")
    paths = [str(tmp_path / "a.tsv"), str(tmp_path / "b.tsv")]
    assert finished(paths) == paths[1:]
    with pytest.raises(AdnormError, match="no cohort of this run finished"):
        finished(paths[:1])


def test_the_list_of_cohorts_tells_outcome_and_reason(tmp_path):
    good, bad = tmp_path / "good.tsv", tmp_path / "bad.tsv"
    sheet = {"patient": ["1", "1", "2"], "arm": ["b", "b", "a"], "week": [0, 2, 0]}
    pd.DataFrame(sheet).to_csv(good, sep="\t", index=False)
    write_stop(bad, STOP)
    about = {"title": "T", "accession": None, "status": "unverified", "route": "local"}
    names = {"table": "cohorts.tsv", "page": "cohorts.html", "answers": "answers.json"}
    names |= {"front": "index.html", "fragment": "page_one.html"}
    outputs = {name: tmp_path / file for name, file in names.items()}
    answer = tmp_path / "answer.json"
    write_answer(TRIAL, answer)
    inputs = {"samples": [bad, good], "answers": [bad, answer], "pictures": [bad, good]}
    cohorts.build(inputs | {"dose": bad}, outputs, {"ours": about, "lab": about})
    table = read_table(outputs["table"]).set_index("cohort")
    assert list(table["outcome"]) == ["stopped at the stage expression", "finished"]
    assert table.loc["ours", ["patients", "samples", "arms", "weeks"]].tolist() == [
        "2",
        "3",
        "a, b",
        "0, 2",
    ]
    assert table.loc["lab", "reason"] == "lab.yaml: 2 problems 1. '<b>--> a' & b 2. $x_1$ é"
    page = outputs["page"].read_text()
    assert "1 of 2 cohorts finished" in page
    assert '"DejaVu Sans"' in page.partition("</style>")[0]
    inputs = {name: files[1:] for name, files in inputs.items()}
    cohorts.build(inputs | {"dose": bad}, outputs, {"ours": about})
    assert "Why it stopped" not in outputs["page"].read_text()
    assert "&lt;b&gt;" in page


def test_notes_and_manifests_are_the_same_in_any_locale(tmp_path):
    code = """
import sys
from pathlib import Path
from adnorm.base.errors import AdnormError
from adnorm.base.stops import run_stage, stopped_stages
from adnorm.base.files import read_json, write_json
def fail():
    raise AdnormError("α → ü \\x1b[31m")
folder = Path(sys.argv[1])
outputs = [str(folder / "a.tsv")]
run_stage(fail, "expression", "lab", str(folder / "logs/expression.log"), [], outputs)
write_json({"name": "α → ü"}, folder / "a.json")
assert read_json(folder / "a.json") == {"name": "α → ü"}
assert [s.message for s in stopped_stages(folder)] == ["α → ü \u241b[31m"]
"""
    old = os.environ | {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    script = tmp_path / "run.py"
    script.write_text(code, encoding="utf-8")
    run = subprocess.run(
        [sys.executable, str(script), str(tmp_path)], env=old, capture_output=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert b"\x1b" not in run.stderr
    assert read_json(tmp_path / "a.json") == {"name": "α → ü"}
    assert "STOPPED: α → ü ␛[31m" in (tmp_path / "logs/expression.log").read_text("utf-8")
    assert read_stop(tmp_path / "a.tsv").message == "α → ü ␛[31m"
