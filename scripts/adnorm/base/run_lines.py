"""What a person at a terminal sees of a run: one line for each finished job.

Snakemake tells of every job in five lines, none of which names the cohort. Its messages are
records of `logging` that carry an event and its facts (the interface of its logger plugins); here
they become lines of ours, or none. What is no progress – warnings, errors, and every message that
is not known here – stays as Snakemake says it, and its log file keeps everything.
"""

from __future__ import annotations

import logging
import re
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from textwrap import wrap
from typing import Any

from adnorm.base.stops import MORE_MEMORY, read_stop
from adnorm.base.storage import refusal
from adnorm.base.text import counted, printable

#: How long a job of a stage takes beside the others, in seconds on the demo: what the time that is
#: left is reckoned by until a job of that stage has finished.
USUAL_SECONDS = {
    "fetch": 3,
    "fetch_identifiers": 5,
    "expression": 12,
    "scores": 13,
    "effects": 20,
    "lesional_effects": 10,
    "index": 35,
    "figures": 30,
    "index_figures": 20,
    "atlas": 12,
    "atlas_figures": 15,
    "explorer": 10,
    "cohorts": 4,
    "provenance": 5,
    "finished": 1,
}
_RECORD = "provenance"
#: For a stage that is not listed.
_SOME_SECONDS = 15
#: How many jobs have to finish before anything is said of the time.
_ENOUGH_JOBS = 3
#: Records that say no more than the lines here do.
_SILENT = ("job_started", "progress", "resources_info")
#: How messages begin that are no event and say nothing of these results.
_CHATTER = (
    "Assuming unrestricted shared filesystem usage",
    "Select jobs to execute",
    "Using shell: ",
    "Conda environments: ignored",
    "Singularity containers: ignored",
)
#: How Snakemake says that the process of a job ended badly; a shell adds 128 to a signal.
_ENDED = re.compile(
    r"/tmp[a-z0-9_]{8}\.(?P<entry>\w+)\.py' "
    r"(?:died with <Signals\.(?P<signal>\w+): \d+>|returned non-zero exit status (?P<status>\d+))"
)
_AGAIN = "The next call goes on from here and repeats only what is lacking"
#: What it means that a signal ended a job.
_SIGNALS = {
    "SIGKILL": f"most likely because the memory did not suffice. {MORE_MEMORY}",
    "SIGBUS": (
        "in which a library crashed: a full disk does that, or one that failed. Look whether "
        f"there is room in the results folder and in the one for temporary files. {_AGAIN}"
    ),
    "SIGXCPU": f"because it took more time than its limit (ulimit -t). Raise it. {_AGAIN}",
} | dict.fromkeys(
    ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"),
    f"because somebody, a scheduler or the computer ended the run or this job. {_AGAIN}",
)
_CRASH = (
    "because a library crashed. The next call tries it again; if that ends in the same way, report "
    "it with the log"
)
_WIDTH = 100


class RunLines(logging.Formatter):
    """Formatter, and filter, of the handler that writes Snakemake's messages to the terminal.

    Parameters
    ----------
    formatter, filters
        Those that the handler had.
    target
        The rule that only asks for results: no job of it is told of.
    clock
        Seconds that pass.

    Notes
    -----
    Snakemake's filter drops the errors of jobs together with the descriptions of jobs; here they
    are told, in a line each.
    """

    def __init__(
        self,
        formatter: logging.Formatter,
        filters: Iterable[Any] = (),
        target: str = "all",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self.usual, self.filters = formatter, list(filters)
        self.target, self.clock = target, clock
        self.jobs: dict[int, _Job] = {}
        self.planned: Counter[str] = Counter()
        #: Jobs that finished, and what those took that did their work.
        self.done: Counter[str] = Counter()
        self.took: dict[str, list[float]] = {}
        self.begin: float | None = None
        #: How processes of jobs ended, by the entry script; Snakemake names the job only later.
        self.ended: dict[str, list[str]] = defaultdict(list)

    # ------------------------------------------------------------ which records are told

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is told at all; what jobs are is noted on the way."""
        event = str(getattr(record, "event", None) or "")
        if event == "job_info":
            self._note(record)
        if event == "error" and self._process_ended(record):
            return False  # Its job tells of it.
        if record.levelno >= logging.WARNING:
            return event != "group_error"  # Each of its jobs tells of itself.
        if not all(old.filter(record) for old in self.filters):
            return False
        if event == "job_finished":
            job = self.jobs.get(getattr(record, "job_id", -1))
            return job is None or job.rule != self.target
        return event not in _SILENT and not (
            not event and str(record.msg or "").startswith(_CHATTER)
        )

    def _process_ended(self, record: logging.LogRecord) -> bool:
        """Keep how the process of a job ended, if that is what an error says."""
        found = _ENDED.search(str(record.msg or ""))
        if not found or getattr(self.usual, "show_failed_logs", False):
            return False
        number = int(found["status"] or 0) - 128
        name = found["signal"] or ""
        with suppress(ValueError):
            name = name or signal.Signals(number).name
        self.ended[found["entry"]].append(name)
        return True

    def _note(self, record: logging.LogRecord) -> None:
        now = self.clock()
        self.begin = now if self.begin is None else self.begin
        values: dict[str, Any] = record.__dict__
        self.jobs[values["jobid"]] = _Job(
            str(values["rule_name"]), dict(values["wildcards"]), list(values["output"]), now
        )

    # ------------------------------------------------------------ their words

    def format(self, record: logging.LogRecord) -> str:
        """Write a record; one that is not known here as Snakemake does."""
        event = getattr(record, "event", None)
        try:
            if event == "run_info":
                return self._plan(record.__dict__["stats"])
            if event == "job_finished":
                return self._finished(record)
            if event == "job_error" and not getattr(self.usual, "show_failed_logs", False):
                return self._failed(record.__dict__)
            if event == "error" and (error := sys.exc_info()[1]):
                return refusal(error) or self.usual.format(record)
        except (KeyError, AttributeError, TypeError, ValueError):
            # A later Snakemake may tell other facts: its own words are better than none.
            pass
        return self.usual.format(record)

    def _plan(self, stats: dict[str, int]) -> str:
        self.planned = Counter(
            {rule: n for rule, n in stats.items() if rule not in ("total", self.target)}
        )
        # No line ends between a name and its number.
        jobs = ", ".join(f"{rule}\0{n}" for rule, n in self.planned.items())
        lines = wrap(f"{counted(self.planned.total(), 'job')}: {jobs}", _WIDTH)
        return "\n".join(lines).replace("\0", " ")

    def _finished(self, record: logging.LogRecord) -> str:
        job = self.jobs[record.__dict__["job_id"]]
        seconds = self.clock() - job.start
        # The record of a run copies what others said in the place of results.
        told = job.output[:1] if job.rule == _RECORD else job.output
        stop = next(filter(None, map(read_stop, told)), None)
        job.running = False
        self.done[job.rule] += 1
        if stop:
            # Snakemake colours by the level; these stand out on a terminal.
            record.levelname = "WARNING"
            end = f"stopped at the stage {stop.stage}"
        else:
            self.took.setdefault(job.rule, []).append(seconds)
            end = _time(seconds)
        done, total = self.done.total(), self.planned.total()
        # More than was planned: rules of somebody else, or a job that was tried again.
        place = f"{done:>{len(str(total))}} of {total}" if done <= total else f"{done}"
        left = self._left()
        return printable(f"{place}  {job.label}  {end}{f'; {left}' if left else ''}")

    def _left(self) -> str:
        """Say how long the rest takes, from what is known of each stage and of how many run."""
        now, rest = self.clock(), self.planned - self.done
        worked = sum(map(sum, self.took.values()))
        if self.begin is None or sum(map(len, self.took.values())) < _ENOUGH_JOBS or not worked:
            return ""
        usual = sum(_usual(rule) * len(times) for rule, times in self.took.items())
        pace = worked / usual

        def seconds(rule: str) -> float:
            times = self.took.get(rule)
            return sum(times) / len(times) if times else pace * _usual(rule)

        running = [job for job in self.jobs.values() if job.running]
        under_way = sum(min(now - job.start, seconds(job.rule)) for job in running)
        work = sum(seconds(rule) * n for rule, n in rest.items()) - under_way
        at_once = max(1.0, (worked + sum(now - job.start for job in running)) / (now - self.begin))
        left = work / at_once
        return f"about {_time(left, rough=True)} left" if left >= 5 else ""

    def _failed(self, facts: dict[str, Any]) -> str:
        job = self.jobs.get(facts["jobid"]) or _Job(facts["rule_name"], {}, [], 0.0)
        job.running = False
        known = {"log": ", ".join(facts["log"]), **facts["aux"]}
        details = "; ".join(f"{key}: {value}" for key, value in known.items() if value)
        ended = self.ended[job.rule]
        if name := ended.pop(0) if ended else "":
            why = _SIGNALS.get(name, _CRASH)
            verb = "crashed" if why is _CRASH else "was killed"
            log = f" What it did until then is in its log: {known['log']}." if known["log"] else ""
            return printable(f"{job.label} {verb} ({name}), {why}.{log}")
        message = f" {facts['rule_msg']}" if facts["rule_msg"] else ""
        return printable(f"Error in {job.label}:{message}{f' {details}' if details else ''}")


class _Job:
    """A job that began."""

    def __init__(
        self, rule: str, wildcards: dict[str, str], output: list[str], start: float
    ) -> None:
        self.rule, self.output, self.start = rule, output, start
        self.running = True
        whose = wildcards.get("cohort") or ", ".join(wildcards.values()) or "all cohorts"
        #: As every other line names a job.
        self.label = f"[{whose} · {rule}]"


def _usual(rule: str) -> float:
    return USUAL_SECONDS.get(rule, _SOME_SECONDS)


def _time(seconds: float, rough: bool = False) -> str:
    """Say how long something takes, to what matters to a person.

    Examples
    --------
    >>> _time(0.4), _time(7.6), _time(95), _time(7300), _time(38, rough=True), _time(57, rough=True)
    ('1 s', '8 s', '1 min 35 s', '2 h 2 min', '40 s', '1 min')
    """
    step = (10 if seconds < 60 else 60) if rough else (1 if seconds < 3600 else 60)
    whole = max(1 if step == 1 else 10, step * round(seconds / step))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "min"), (rest, "s")]
    return " ".join(f"{n} {unit}" for n, unit in parts if n)
