"""The lines of a run, from the records of the Snakemake that is installed."""

from __future__ import annotations

import errno
import io
import logging
import re
from types import SimpleNamespace

import pytest
from snakemake.logging import ColorizingTextHandler, DefaultFilter, DefaultFormatter
from snakemake.settings.enums import Quietness
from snakemake_interface_logger_plugins.common import LogEvent

from adnorm.base.run_lines import USUAL_SECONDS, RunLines
from adnorm.base.stops import Stop, write_stop


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self):
        return True


class Run:
    """Tells records as Snakemake does, to its own handler with the lines in it."""

    def __init__(self, stream=None):
        self.now, quiet = 0.0, {Quietness.HOST, Quietness.RULES}
        self.handler = ColorizingTextHandler(stream=stream or io.StringIO())
        usual = DefaultFilter(quiet, False, False, False, False)
        lines = RunLines(DefaultFormatter(quiet), [usual], clock=lambda: self.now)
        self.handler.addFilter(lines)
        self.handler.setFormatter(lines)

    def tell(self, text, event=None, level=logging.INFO, **facts):
        record = logging.LogRecord("snakemake.logging", level, "", 0, text, None, None)
        record.__dict__.update({"event": event, **facts} if event else facts)
        self.handler.handle(record)

    def plan(self, **stats):
        stats |= {"total": sum(stats.values())}
        self.tell("Job stats:\n…", LogEvent.RUN_INFO, stats=stats)

    def start(self, number, rule, output=(), **wildcards):
        self.tell("Execute 1 jobs...", LogEvent.JOB_STARTED, jobs=[number])
        self.tell(
            None, LogEvent.JOB_INFO, jobid=number, rule_name=rule, wildcards=wildcards,
            output=list(output), input=[], log=["logs/x.log"], benchmark=None, reason="",
            resources={}, priority=0, threads=1, indent=False, is_checkpoint=False,
            shellcmd=None, local=True,
            rule_msg="demo: scoring", printshellcmd=True, is_handover=False,
        )  # fmt: skip

    def end(self, number, seconds=0.0):
        self.now += seconds
        self.tell(f"Finished jobid: {number} (Rule: x)", LogEvent.JOB_FINISHED, job_id=number)
        self.tell(None, LogEvent.PROGRESS, done=1, total=9)

    def fail(self, number, rule, log="logs/x.log", **aux):
        self.tell(
            "Error in rule", LogEvent.JOB_ERROR, logging.ERROR, jobid=number, rule_name=rule,
            rule_msg=None, input=["a"] * 500, output=["b"], log=[log], conda_env=None,
            container_img=None, aux=aux, indent=False, shellcmd=None,
        )  # fmt: skip

    @property
    def lines(self):
        return self.handler.stream.getvalue().splitlines()


def test_a_finished_job_is_one_line_with_its_cohort_and_the_rest_is_silent():
    run = Run()
    for chatter in ("Select jobs to execute...", "Using shell: /bin/bash"):
        run.tell(chatter)
    run.tell("Provided cores: 2", LogEvent.RESOURCES_INFO, cores=2)
    run.plan(fetch=1, cohorts=1, all=1)
    run.start(1, "fetch", cohort="lab")
    run.end(1, 3)
    run.start(2, "cohorts")
    run.end(2, 95)
    run.start(0, "all")
    run.end(0)
    assert run.lines == [
        "2 jobs: fetch 1, cohorts 1",
        "1 of 2  [lab · fetch]  3 s",
        "2 of 2  [all cohorts · cohorts]  1 min 35 s",
    ]


def test_what_is_left_is_reckoned_by_stage_and_by_how_many_run_at_once():
    run = Run()
    run.plan(fetch=4, scores=4)
    for number in range(4):
        run.start(number, "fetch", cohort=f"c{number}")
    # All four at once: 6 s each, twice the usual, so that four scores take about 26 s at once.
    for number in range(4):
        run.end(number, 6 if number == 0 else 0)
    assert "left" not in " ".join(run.lines[1:3])
    assert run.lines[-1].endswith("; about 30 s left")
    for number in range(4, 8):
        run.start(number, "scores", cohort=f"c{number}")
    run.end(4, 60)
    # Three run since a minute, and another one took so long.
    assert run.lines[-1] == "5 of 8  [c4 · scores]  1 min"


def test_a_stopped_cohort_is_no_finished_one(tmp_path):
    write_stop(tmp_path / "late.tsv", Stop("lab", "expression", "wrong"))
    run = Run()
    run.plan(fetch=3, scores=2)
    for number in range(3):
        run.start(number, "fetch", cohort="lab")
        run.end(number, 3)
    run.start(
        4, "scores", [str(tmp_path / "picture.svg"), str(tmp_path / "late.tsv")], cohort="lab"
    )
    run.end(4, 0)
    # What was handed on in no time does not make the rest look short.
    assert run.lines[-1].startswith("4 of 5  [lab · scores]  stopped at the stage expression; ")
    assert run.lines[-1].endswith("about 10 s left")


@pytest.mark.parametrize("event", [None, LogEvent.ERROR])
def test_no_error_and_no_warning_is_lost(event):
    run = Run()
    run.plan(scores=1)
    run.start(1, "scores", cohort="lab")
    run.tell("RuleException: killed", event, logging.ERROR, exception="RuleException")
    # Snakemake's own filter drops it with `quiet: rules`, and with it the log of a cluster.
    run.fail(1, "scores", external_jobid="77")
    run.tell("Select jobs to execute, but disk full", level=logging.WARNING)
    run.tell("Exiting because a job execution failed.")
    assert run.lines[1:] == [
        "RuleException: killed",
        "Error in [lab · scores]: log: logs/x.log; external_jobid: 77",
        "Select jobs to execute, but disk full",
        "Exiting because a job execution failed.",
    ]


def test_records_that_are_not_known_are_told_in_snakemakes_words():
    run = Run()
    run.tell("Finished jobid: 5 (Rule: other)", LogEvent.JOB_FINISHED, job_id=5)
    run.tell("Job stats:\nnew", LogEvent.RUN_INFO, statistics={})
    assert run.lines[1:] == ["Finished jobid: 5 (Rule: other)", "Job stats:", "new"]


@pytest.mark.parametrize(("stream", "coloured"), [(io.StringIO(), False), (Terminal(), True)])
def test_colour_stands_on_a_terminal_only(stream, coloured, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    run = Run(stream)
    run.plan(fetch=1)
    run.start(1, "fetch", cohort="lab\x1b[31m")
    run.end(1)
    assert ("\x1b[32m1 of 1" in run.lines[-1]) is coloured
    assert "lab␛[31m" in run.lines[-1]


def test_every_rule_has_its_usual_time(repository):
    text = "".join(path.read_text() for path in (repository / "workflow/rules").glob("*.smk"))
    assert set(re.findall(r"^rule (\w+):", text, re.MULTILINE)) == set(USUAL_SECONDS)


# ---------------------------------------------------------------- jobs whose process ended badly


def ended(run, how, entry="scores", stage="scores"):
    """Tell as Snakemake does that the process of a job ended."""
    command = f"set -euo pipefail;  /bin/python /x/.snakemake/scripts/tmp0a1b2c3d.{entry}.py"
    text = (
        f"RuleException:\nCalledProcessError in file \"x.smk\", line 2:\nCommand '{command}' {how}."
    )
    run.tell(text, LogEvent.ERROR, logging.ERROR, exception="RuleException")
    run.fail(1, stage)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("died with <Signals.SIGKILL: 9>", "was killed (SIGKILL), most likely because the memory"),
        # As a shell tells it that waited for the job.
        ("returned non-zero exit status 137", "was killed (SIGKILL), most likely because the mem"),
        ("died with <Signals.SIGTERM: 15>", "was killed (SIGTERM), because somebody, a scheduler"),
        (
            "died with <Signals.SIGBUS: 7>",
            "was killed (SIGBUS), in which a library crashed: a full",
        ),
        ("died with <Signals.SIGSEGV: 11>", "crashed (SIGSEGV), because a library crashed. The n"),
    ],
)
def test_a_signal_is_told_in_one_paragraph(how, words):
    run = Run()
    run.plan(scores=1)
    run.start(1, "scores", cohort="lab")
    ended(run, how)
    [_, line] = run.lines
    assert line.startswith(f"[lab · scores] {words}")
    assert line.endswith("log: logs/x.log.") and "next call" in line.replace(
        "Then call", "next call"
    )


def test_a_job_that_told_itself_why_it_failed_is_only_named():
    run = Run()
    run.plan(scores=1)
    run.start(1, "scores", cohort="lab")
    ended(run, "returned non-zero exit status 1")
    assert run.lines[1:] == ["Error in [lab · scores]: log: logs/x.log"]


def test_two_jobs_that_end_at_once_are_told_apart():
    run = Run()
    run.plan(scores=1, index=1)
    run.start(1, "scores", cohort="lab")
    run.start(2, "index", cohort="lab")
    for entry, number in (("scores", 9), ("index", 11)):
        name = {9: "SIGKILL", 11: "SIGSEGV"}[number]
        run.tell(
            f"Command 'x /tmp0a1b2c3d.{entry}.py' died with <Signals.{name}: {number}>.",
            LogEvent.ERROR, logging.ERROR, exception="RuleException",
        )  # fmt: skip
    run.fail(2, "index")
    run.fail(1, "scores")
    assert [line.split(",")[0] for line in run.lines[1:]] == [
        "[lab · index] crashed (SIGSEGV)",
        "[lab · scores] was killed (SIGKILL)",
    ]


def test_what_the_disk_refuses_to_snakemake_itself_is_told_in_a_sentence():
    run = Run()
    try:
        raise OSError(errno.ENOSPC, "No space left on device", "/x/.snakemake/metadata/y")
    except OSError as error:
        run.tell(f"OSError: {error}", LogEvent.ERROR, logging.ERROR, exception="OSError")
    [line] = run.lines
    assert line.startswith("/x/.snakemake/metadata/y: the disk is full (now ")
    # Any other error stays in Snakemake's words.
    run.tell("WorkflowError:\nx", LogEvent.ERROR, logging.ERROR, exception="WorkflowError")
    assert run.lines[1:] == ["WorkflowError:", "x"]


# ---------------------------------------------------------------- submissions to a scheduler


class Submitted(Run):
    """A run of a scheduler: jobs 1 and 2 are one submission, called by the second."""

    def __init__(self, folder):
        super().__init__()
        self.folder = folder
        self.plan(expression=1, scores=1, figures=1)
        jobs = [SimpleNamespace(jobid=n, uuid=lambda n=n: f"id-{n}") for n in (1, 2)]
        self.tell("Group job values", LogEvent.GROUP_INFO, group_id="values", jobs=jobs)
        for number, rule in ((2, "scores"), (1, "expression"), (3, "figures")):
            self.start(number, rule, cohort="lab")
            asked = {"mem_mb": 100 * number, "runtime": 10, "tmpdir": "/tmp"}
            self.tell(
                None, LogEvent.JOB_INFO, jobid=number, rule_name=rule, output=[],
                wildcards={"cohort": "lab"}, log=["logs/x.log"], resources=asked,
            )  # fmt: skip

    def log(self, text):
        path = self.folder / "41.log"
        path.write_text("x" * 100_000 + text)
        return str(path)

    def lose(self, log):
        """Tell as Snakemake does that the first submission failed."""
        infos = [{"jobid": number} for number in (2, 1)]
        self.tell(
            "Error in group", LogEvent.GROUP_ERROR, logging.ERROR, groupid="values",
            aux_logs=[log], job_error_info=infos, external_jobid="41",
        )  # fmt: skip
        self.fail(1, "expression")
        self.fail(2, "scores")


def test_a_submission_is_named_by_its_jobs_with_what_it_asks_for(tmp_path):
    run = Submitted(tmp_path)
    for job, number in (("id-2", 41), ("3", 42)):
        run.tell(f"Job {job} has been submitted with SLURM jobid {number} (log: /x/{number}.log).")
    run.tell("Trying to restart job id-2.")
    run.tell("Trying to restart job id-9.")
    assert run.lines[1:] == [
        "[lab · expression, scores] submitted as 41: 200 MB, 20 minutes",
        "[lab · figures] submitted as 42: 300 MB, 10 minutes",
        "[lab · expression, scores] is tried again",
        # A submission that nobody told of.
        "Trying to restart job id-9.",
    ]


MORE = "To ask for more at once, add: --set-resources"


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (
            "slurmstepd: error: StepId=41.batch exceeded memory limit (9 > 8), being killed\n"
            "slurmstepd: error: *** JOB 41 ON n1 CANCELLED AT 2026-11-27T23:21:38 ***",
            "it took more memory than it had asked for, 200 MB. "
            f"{MORE} expression:mem_mb=200 scores:mem_mb=400",
        ),
        (
            "slurmstepd: error: Detected 1 oom_kill event in StepId=41.batch. Some of the step",
            "it took more memory than it had asked for, 200 MB. "
            f"{MORE} expression:mem_mb=200 scores:mem_mb=400",
        ),
        (
            "slurmstepd: error: *** JOB 41 ON n1 CANCELLED AT 2026-11-27T2 DUE TO TIME LIMIT ***",
            "it took more time than it had asked for, 20 minutes. "
            f"{MORE} expression:runtime=20 scores:runtime=20",
        ),
        (
            "slurmstepd: error: *** JOB 41 ON n1 CANCELLED AT 2026-1 DUE TO NODE FAILURE, SEE ***",
            "its node failed",
        ),
        (
            "slurmstepd: error: *** JOB 41 ON n1 CANCELLED AT 2026-11-2 DUE TO PREEMPTION ***",
            "other jobs came first (preemption)",
        ),
        (
            "slurmstepd: error: *** JOB 41 ON n1 CANCELLED AT 2026-11-27T23:21:38 ***",
            "somebody, or the scheduler, cancelled it (scancel)",
        ),
    ],
)
def test_what_a_scheduler_ended_is_one_paragraph_for_all_jobs_of_a_submission(tmp_path, end, words):
    run = Submitted(tmp_path)
    log = run.log(end)
    run.lose(log)
    assert run.lines[1:] == [
        f"[lab · expression, scores] (submission 41) was ended because {words}. "
        f"What it did until then: {log}"
    ]
    # The same of a job that is a submission of its own.
    run.fail(3, "figures", external_jobid="41", log=log)
    assert run.lines[-1].startswith("[lab · figures] (submission 41) was ended because ")


def test_what_never_began_and_what_failed_by_itself_are_told_apart(tmp_path):
    run = Submitted(tmp_path)
    run.lose(str(tmp_path / "absent.log"))
    log = run.log("RuleException: something else")
    run.lose(log)
    assert run.lines[1:] == [
        "[lab · expression, scores] (submission 41) was ended before it began",
        f"[lab · expression, scores] failed: What it did until then: {log}",
    ]
