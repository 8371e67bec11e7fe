"""What a person at a terminal sees of a run: one line for each finished job.

Snakemake tells of every job in five lines, none of which names the cohort. Its messages are
records of `logging` that carry an event and its facts (the interface of its logger plugins); here
they become lines of ours, or none. What is no progress – warnings, errors, and every message that
is not known here – stays as Snakemake says it, and its log file keeps everything.
"""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
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
#: What Slurm writes at the end of the log of a job that it ended, what that means, and the resource
#: that was too small.
_LOST = (
    (
        re.compile(r"exceeded (?:job )?memory limit|oom[ _-]?kill", re.IGNORECASE),
        "it took more memory than it had asked for",
        "mem_mb",
    ),
    (re.compile("DUE TO TIME LIMIT"), "it took more time than it had asked for", "runtime"),
    (re.compile("DUE TO NODE FAILURE|NODE_FAIL"), "its node failed", ""),
    (re.compile("DUE TO PREEMPTION"), "other jobs came first (preemption)", ""),
    (re.compile("CANCELLED AT"), "somebody, or the scheduler, cancelled it (scancel)", ""),
)
#: Resources that are told, how those of the jobs of a submission add up, and their unit.
_UNITS: dict[str, tuple[Callable[[Sequence[int]], int], str]] = {
    "mem_mb": (max, "MB"),
    "runtime": (sum, "minutes"),
}
#: How much of the log of a submission is looked at.
_TAIL = 1 << 16
_SUBMITTED = re.compile(r"Job (?P<job>\S+) has been submitted with SLURM jobid (?P<id>\d+)")
_RESTARTED = re.compile(r"Trying to restart job (?P<job>\S+)\.$")


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
        #: Jobs of each submission of several, by the name that Snakemake gives it.
        self.submissions: dict[str, list[int]] = {}
        #: Jobs of a submission that failed: it has told of them.
        self.reported: set[int] = set()

    # ------------------------------------------------------------ which records are told

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is told at all; what jobs are is noted on the way."""
        event = str(getattr(record, "event", None) or "")
        if event == "job_info":
            self._note(record)
        if event == "group_info":
            self._note_group(record)
        if event == "error" and self._process_ended(record):
            return False  # Its job tells of it.
        if event == "job_error" and record.__dict__.get("jobid") in self.reported:
            self.reported.discard(record.__dict__["jobid"])
            return False  # Its submission told of it.
        if record.levelno >= logging.WARNING:
            return True
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
            str(values["rule_name"]),
            dict(values["wildcards"]),
            list(values["output"]),
            now,
            list(values["log"] or []),
            dict(values["resources"] or {}),
        )

    def _note_group(self, record: logging.LogRecord) -> None:
        """Keep which jobs are one submission. Snakemake calls it by the last of them."""
        with suppress(AttributeError, KeyError, TypeError):
            jobs = list(record.__dict__["jobs"])
            numbers = [job.jobid for job in jobs]
            self.submissions |= {str(job.uuid()): numbers for job in jobs}

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
            if event == "group_error" and not getattr(self.usual, "show_failed_logs", False):
                return self._group_failed(record.__dict__)
            if not event and (words := self._of_submission(str(record.msg or ""))):
                return words
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
        job = self.jobs.get(facts["jobid"]) or _Job(facts["rule_name"], {}, [], 0.0, [], {})
        job.running = False
        submitted = facts["aux"].get("external_jobid")
        logs = [log for log in facts["log"] if log not in job.log]
        if submitted and (words := self._lost([facts["jobid"]], submitted, logs)):
            return words
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

    # ------------------------------------------------------------ submissions to a scheduler

    def _jobs_of(self, numbers: Sequence[int]) -> list[_Job]:
        """The jobs of a submission, in the order in which they run."""
        order = {rule: place for place, rule in enumerate(USUAL_SECONDS)}
        jobs = (self.jobs[number] for number in numbers)
        return sorted(jobs, key=lambda job: order.get(job.rule, len(order)))

    def _label(self, numbers: Sequence[int]) -> str:
        """Name the jobs of a submission: those of one cohort as one."""
        jobs = self._jobs_of(numbers)
        whose = ", ".join(dict.fromkeys(job.whose for job in jobs))
        return f"[{whose} · {', '.join(dict.fromkeys(job.rule for job in jobs))}]"

    def _of_submission(self, text: str) -> str:
        """Say which jobs were submitted or are tried again; empty for any other message."""
        found = _SUBMITTED.match(text) or _RESTARTED.match(text)
        if not found:
            return ""
        number = found["job"]
        numbers = [int(number)] if number.isdigit() else self.submissions[number]
        if found.re is _RESTARTED:
            return printable(f"{self._label(numbers)} is tried again")
        requested = filter(None, (self._requested(numbers, resource) for resource in _UNITS))
        words = f"{self._label(numbers)} submitted as {found['id']}"
        return printable(": ".join(filter(None, [words, ", ".join(requested)])))

    def _requested(self, numbers: Sequence[int], resource: str) -> str:
        """Say how much a submission asks for; its jobs share memory and follow each other."""
        jobs = (self.jobs[number] for number in numbers)
        amounts = [int(job.resources[resource]) for job in jobs if resource in job.resources]
        join, unit = _UNITS[resource]
        return f"{join(amounts):,} {unit}" if amounts else ""

    def _group_failed(self, facts: dict[str, Any]) -> str:
        numbers = [info["jobid"] for info in facts["job_error_info"]]
        words = self._lost(numbers, facts.get("external_jobid"), facts["aux_logs"])
        self.reported.update(numbers)
        for number in numbers:
            self.jobs[number].running = False
        return words or printable(f"{self._label(numbers)} failed: {_where(facts['aux_logs'])}")

    def _lost(self, numbers: Sequence[int], submitted: object, logs: Iterable[str]) -> str:
        """Say why a scheduler ended a submission; empty if the logs that it keeps do not say."""
        logs = list(logs)
        if logs and not any(map(os.path.exists, logs)):
            label = self._label(numbers)
            return printable(f"{label} (submission {submitted}) was ended before it began")
        end = "".join(map(_end_of, logs))
        found = [(why, resource) for words, why, resource in _LOST if words.search(end)]
        if not found:
            return ""
        why, resource = found[0]
        text = f"{self._label(numbers)} (submission {submitted}) was ended because {why}"
        if resource and (requested := self._requested(numbers, resource)):
            more = " ".join(
                f"{job.rule}:{resource}={2 * int(job.resources[resource])}"
                for job in self._jobs_of(numbers)
                if resource in job.resources
            )
            text += f", {requested}. To ask for more at once, add: --set-resources {more}"
        return printable(f"{text}. {_where(logs)}")


def _where(logs: Iterable[str]) -> str:
    return f"What it did until then: {', '.join(logs)}"


def _end_of(log: str) -> str:
    with suppress(OSError), open(log, "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL))
        return file.read().decode("utf-8", "replace")
    return ""


class _Job:
    """A job that began."""

    def __init__(
        self,
        rule: str,
        wildcards: dict[str, str],
        output: list[str],
        start: float,
        log: list[str],
        resources: dict[str, Any],
    ) -> None:
        self.rule, self.output, self.start = rule, output, start
        self.log, self.resources = log, resources
        self.running = True
        self.whose = wildcards.get("cohort") or ", ".join(wildcards.values()) or "all cohorts"
        #: As every other line names a job.
        self.label = f"[{self.whose} · {rule}]"


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
