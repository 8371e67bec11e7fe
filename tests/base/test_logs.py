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
