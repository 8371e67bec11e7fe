"""The terminal: calls, exit codes, answers for people and for programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from adnorm.cli import COMMANDS, main


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_examples_and_exit_codes(command, capsys):
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    told = capsys.readouterr().out
    assert end.value.code == 0
    assert f"adnorm {command}" in told.split("examples:")[1]
    assert "exit codes" in told
    assert "--json" in told


@pytest.mark.parametrize(
    "call", [[], ["nonsense"], ["new-cohort"], ["lock", "--nonsense"]], ids=" ".join
)
def test_a_wrong_call_ends_with_2(call):
    with pytest.raises(SystemExit) as end:
        main(call)
    assert end.value.code == 2


def test_help_loads_no_library():
    code = (
        "import sys, adnorm.cli\n"
        "try: adnorm.cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "sys.exit(str(sorted({'pandas', 'numpy', 'jsonschema', 'requests'} & set(sys.modules))))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stderr.strip() == "[]"


@pytest.mark.parametrize(
    "call",
    [
        ["new-cohort", "absent.csv", "--sheet", "sheet.csv"],
        ["check", "--configfile", "absent.yaml"],
        ["check", "absent"],
        ["lock", "--configfile", "absent.yaml"],
        ["summary", "absent"],
        ["verify", "absent"],
    ],
    ids=" ".join,
)
def test_a_program_finds_the_reason_on_stdout(here, capsys, call):
    assert main([*call, "--json"]) == 1
    told = capsys.readouterr()
    answer = json.loads(told.out)
    assert answer["fine"] is False
    assert answer["problems"][0] in told.err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_tells_in_a_paragraph_what_nobody_foresaw(command, capsys, monkeypatch):
    import importlib

    def broken(chosen):
        raise ZeroDivisionError("nobody thought of this")

    module = importlib.import_module(f"adnorm.cli.{command.replace('-', '_')}")
    monkeypatch.setattr(module, "run", broken)
    needed = {"new-cohort": ["GSE1"], "summary": ["results"], "verify": ["results"]}.get(
        command, []
    )
    assert main([command, *needed]) == 3
    told = capsys.readouterr().err
    assert told.startswith("STOPPED: an error that adnorm did not foresee: ZeroDivisionError")
    Path(told.split("Its traceback is in ")[1].split(": please")[0]).unlink()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_of_any_encoding_shows_any_text(trial, encoding):
    path, _ = trial
    path.write_text(path.read_text().replace("title: ", "title: α → ü ", 1), encoding="utf-8")
    run = [sys.executable, "-m", "adnorm.cli", "check", "cohorts/trial.yaml"]
    old = os.environ | {
        "LC_ALL": "POSIX",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONIOENCODING": encoding,
    }
    plain = subprocess.run(run, env=old, capture_output=True, check=False)
    assert plain.returncode == 0, plain.stderr
    assert b"\\u03b1 \\u2192" in plain.stdout
    answer = subprocess.run([*run, "--json"], env=old, capture_output=True, check=False)
    told = json.loads(answer.stdout.decode(encoding))
    assert "α → ü" in told["cohorts"][0]["title"]


def test_the_text_of_a_cell_does_not_command_the_terminal(trial, here, capsys):
    sheet = (here / "sheet.csv").read_text()
    (here / "sheet.csv").write_text(sheet.replace(",LS,", ",LS\x1b]0;OWNED\x07,"))
    try:
        assert main(["check", "cohorts/trial.yaml"]) == 1
    finally:
        (here / "sheet.csv").write_text(sheet)
    out, told = capsys.readouterr()
    assert "LS␛]0;OWNED␇" in told
    assert "\x1b" not in out + told
