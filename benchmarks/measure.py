"""Runs one command in a process of its own and says what it cost."""

from __future__ import annotations

import json
import math
import os
import signal
import statistics
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path

#: One thread each for linear algebra, so that CPU seconds compare work and not waiting threads.
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class CommandFailed(RuntimeError):
    """The command ended with an error; the message holds the end of what it printed."""


class TookTooLong(CommandFailed):
    """The command was ended."""


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
    peak_together
        Largest sum over all processes of the run that live at once, in MiB, looked at ten times a
        second; pages that processes share count once (proportional set size).
    """

    stage_seconds: float
    stage_cpu: float
    seconds: float
    cpu: float
    peak: float
    peak_together: float


def _family(process: int) -> list[int]:
    """List a process and all that descend from it."""
    found = [process]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            with suppress(OSError):
                found += map(int, task.read_text().split())
    return found


def _resident(process: int) -> float:
    """Give the proportional set size in MiB; 0 of a process that has ended."""
    with suppress(OSError, ValueError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def run(
    command: list[str],
    folder: Path | None = None,
    environment: dict | None = None,
    most: float = math.inf,
) -> Cost:
    """Run a command for so many seconds at most (`TookTooLong`).

    It may report its inside in the file that ``BENCH_INSIDE`` names.
    """
    inside = Path(tempfile.gettempdir()) / f"inside-{os.getpid()}.json"
    log = inside.with_suffix(".log")
    inside.unlink(missing_ok=True)
    variables = os.environ | _ENVIRONMENT | {"BENCH_INSIDE": str(inside)} | (environment or {})
    start = time.perf_counter()
    with open(log, "wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=variables, stdout=output, stderr=subprocess.STDOUT
        )
        together, ended = [0.0], threading.Event()

        def watch() -> None:
            while not ended.wait(0.1):
                family = _family(process.pid)
                together.append(sum(map(_resident, family)))
                if time.perf_counter() - start > most:
                    for member in reversed(family):
                        with suppress(ProcessLookupError):
                            os.kill(member, signal.SIGKILL)

        watcher = threading.Thread(target=watch)
        watcher.start()
        # wait4 gives what this one child used; getrusage would add up all children so far.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        ended.set()
        watcher.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    printed = log.read_text(errors="replace")
    log.unlink()
    if seconds > most:
        raise TookTooLong(f"{' '.join(command)}: ended after {most:g} s")
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
        # A process that ends at once was not looked at.
        peak_together=max(together) or usage.ru_maxrss / 1024,
    )


def together(costs: list[Cost]) -> Cost:
    """Add up commands that were run one after another."""
    total = {f.name: sum(getattr(c, f.name) for c in costs) for f in fields(Cost)}
    most = {name: max(getattr(c, name) for c in costs) for name in ("peak", "peak_together")}
    return Cost(**total | most)


def median(costs: list[Cost]) -> Cost:
    """Take the median of each measure over repeated runs."""
    return Cost(
        **{f.name: statistics.median(getattr(c, f.name) for c in costs) for f in fields(Cost)}
    )
