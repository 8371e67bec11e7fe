"""Runs one command in a process of its own and says what it cost."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass, fields
from pathlib import Path

#: One thread each for linear algebra, so that CPU seconds compare work and not waiting threads.
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class CommandFailed(RuntimeError):
    """The command ended with an error; the message holds the end of what it printed."""


@dataclass(frozen=True)
class Cost:
    """What a run cost.

    Attributes
    ----------
    stage_seconds, stage_cpu
        Inside the stage: the clock runs after imports and after loading binary inputs. NaN where a
        command has no inside that can be timed.
    seconds, cpu
        The whole process with its children: wall clock, and user + system.
    peak
        Largest resident set of a process in MiB.
    """

    stage_seconds: float
    stage_cpu: float
    seconds: float
    cpu: float
    peak: float


def run(command: list[str], folder: Path | None = None, environment: dict | None = None) -> Cost:
    """Run a command; it may report its inside in the file that ``BENCH_INSIDE`` names."""
    inside = Path(tempfile.gettempdir()) / f"inside-{os.getpid()}.json"
    log = inside.with_suffix(".log")
    inside.unlink(missing_ok=True)
    variables = os.environ | _ENVIRONMENT | {"BENCH_INSIDE": str(inside)} | (environment or {})
    start = time.perf_counter()
    with open(log, "wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=variables, stdout=output, stderr=subprocess.STDOUT
        )
        # wait4 gives what this one child used; getrusage would add up all children so far.
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    printed = log.read_text(errors="replace")
    log.unlink()
    if process.returncode:
        raise CommandFailed(
            f"{' '.join(command)}: exit code {process.returncode}\n{printed[-3000:]}"
        )
    reported = json.loads(inside.read_text()) if inside.exists() else {}
    inside.unlink(missing_ok=True)
    return Cost(
        stage_seconds=reported.get("seconds", float("nan")),
        stage_cpu=reported.get("cpu", float("nan")),
        seconds=seconds,
        cpu=usage.ru_utime + usage.ru_stime,
        peak=usage.ru_maxrss / 1024,
    )


def together(costs: list[Cost]) -> Cost:
    """Add up commands that were run one after another."""
    total = {f.name: sum(getattr(c, f.name) for c in costs) for f in fields(Cost)}
    return Cost(**total | {"peak": max(c.peak for c in costs)})


def median(costs: list[Cost]) -> Cost:
    """Take the median of each measure over repeated runs."""
    return Cost(
        **{f.name: statistics.median(getattr(c, f.name) for c in costs) for f in fields(Cost)}
    )
