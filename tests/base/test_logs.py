"""One paragraph on the terminal, everything in the file."""

from __future__ import annotations

import signal
import subprocess
import sys

from adnorm.base.logs import is_worked_on
from adnorm.base.shipped import PACKAGE


def test_user_errors_print_one_paragraph_and_log_the_traceback(tmp_path):
    code = f"""
from adnorm.base.errors import AdnormError
from adnorm.base.logs import start_log
start_log({str(tmp_path / "l" / "job.log")!r}, "scores", "demo", ("numpy",))
raise AdnormError("sheet.tsv: column 'week' holds 'twelve'")
"""
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=PACKAGE.parent,
        check=False,
    )
    assert run.returncode != 0
    assert run.stderr.strip() == "[demo · scores] STOPPED: sheet.tsv: column 'week' holds 'twelve'"
    log = (tmp_path / "l" / "job.log").read_text()
    assert "Traceback" in log
    assert "numpy" in log.splitlines()[0]


def test_the_terminal_is_told_how_far_a_long_step_is_and_the_file_everything(
    tmp_path, capsys, monkeypatch
):
    from adnorm.base import logs

    now = [0.0]
    monkeypatch.setattr(logs.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(logs.sys, "excepthook", logs.sys.excepthook)
    logger = logs.get_logger()
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setattr(logger, "propagate", True)
    monkeypatch.setattr(logger, "level", logger.level)
    logs.start_log(tmp_path / "job.log", "scores", "demo")
    logs.progress("47 sets")
    for second, sentence in ((1, "10 of 47"), (11, "20 of 47"), (12, "30 of 47"), (22, "40 of 47")):
        now[0] = second
        logs.how_far(sentence)
    logs.how_far("attempt 1 of 5 failed", at_once=True)
    logger.warning("values are odd")
    for handler in logger.handlers:
        handler.close()
    told = ["20 of 47", "40 of 47", "attempt 1 of 5 failed", "values are odd"]
    assert capsys.readouterr().err.splitlines() == [f"[demo · scores] {text}" for text in told]
    kept = (tmp_path / "job.log").read_text()
    for sentence in ("47 sets", "10 of 47", "30 of 47", *told):
        assert f" {sentence}\n" in kept


def test_who_interrupts_a_job_gets_no_trace(tmp_path):
    code = f"""
from adnorm.base.stops import run_stage
def work():
    raise KeyboardInterrupt
run_stage(work, "scores", "demo", {str(tmp_path / "logs" / "job.log")!r}, [], [])
"""
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=PACKAGE.parent,
        check=False,
    )
    # As a process that a signal ended: Snakemake and shells know it by that.
    assert run.returncode == -signal.SIGINT
    assert run.stderr == ""
    assert "INFO interrupted" in (tmp_path / "logs" / "job.log").read_text()


def test_a_log_is_emptied_only_when_nobody_else_writes_it(tmp_path):
    log = tmp_path / "job.log"
    log.write_text("of the call before\n")
    code = f"""
import sys
from adnorm.base.logs import end_log, start_log
start_log({str(log)!r}, "scores")
print("held", flush=True)
sys.stdin.readline()
end_log()
print("free", flush=True)
sys.stdin.readline()
"""
    assert not is_worked_on(log)
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=PACKAGE.parent,
    ) as job:
        assert job.stdout.readline() == "held\n"
        assert is_worked_on(log)
        assert "of the call before" not in log.read_text()
        job.stdin.write("\n")
        job.stdin.flush()
        assert job.stdout.readline() == "free\n"
        assert not is_worked_on(log)
        job.communicate("\n")
    assert not is_worked_on(tmp_path / "absent.log")
