"""One paragraph on the terminal, everything in the file."""

from __future__ import annotations

import subprocess
import sys

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
