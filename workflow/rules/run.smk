# One run: it holds its results folder, tries again what stopped, and ends as failed if something did.
import atexit
import functools
import itertools
import logging
import os

from snakemake.io import strip_wildcard_constraints

from adnorm.base.leftovers import remove_folders, remove_scripts
from adnorm.base.run_lines import RunLines
from adnorm.base.run_lock import hold
from adnorm.base.stops import last_note, stopped_stages

# Where `<results>` is: a module may name another folder (pathvars) or put one before it (prefix).
RESULTS = workflow.pathvars.apply(str(workflow.modifier.modify_path("<results>/")))
RESULTS = RESULTS.rstrip("/")


def tell_in_lines():
    """Tell of each finished job in one line, where the profile asks for few words.

    A plugin for Snakemake's log would have to be installed before Snakemake starts; this works
    wherever the workflow lies. `--quiet host` on the command line brings Snakemake's own words back,
    `--verbose` too; what another workflow tells that uses this one is its own affair.
    """
    settings = workflow.output_settings
    quiet = {choice.name for choice in settings.quiet or ()}
    ours = workflow.is_main_process and workflow.modifier.is_main_snakefile()
    if not ours or settings.verbose or settings.dryrun:
        return
    if "RULES" not in quiet or quiet & {"ALL", "PROGRESS"}:
        return
    # On a full disk every line for Snakemake's own log would fail with a trace; what fails of the run
    # is told in a sentence.
    logging.raiseExceptions = False
    for handler in logging.getLogger("snakemake.logging").handlers:
        if handler.name == "DefaultStreamHandler":
            lines = RunLines(handler.formatter, handler.filters)
            for known in list(handler.filters):
                handler.removeFilter(known)
            handler.addFilter(lines)
            handler.setFormatter(lines)


tell_in_lines()


def left_by(log):
    """The note that a stage left when it stopped, as its input: the next call runs it again.

    Snakemake asks for the inputs of every job before any of them runs: the time to take the folder.
    """

    def note(wildcards):
        take_results()
        found = last_note(f"{RESULTS}/{log.format(**wildcards)}.log")
        # Complete as it is: no prefix of a module comes before it.
        return [local(str(found))] if found else []

    return note


def missing_results(wildcards):
    """One missing result of every job that lacks some, so that what was deleted is made again.

    Snakemake looks only at files that another job of the plan asks for, and asking for all figures
    and tables of 500 cohorts would take it half a minute. A job makes all of its results anew.
    """
    # The last job of a run asks for every cohort, so that a first plan needs nothing from here.
    last = os.path.exists(f"{RESULTS}/atlas/finished.txt")
    cohorts = [c for c in STUDY.cohorts if last or os.path.isdir(f"{RESULTS}/{c}")]
    missing = []
    for made in workflow.rules:
        results = [strip_wildcard_constraints(file) for file in made.output]
        ours = all(file.startswith(f"{RESULTS}/") for file in results)
        if not ours or not made.wildcard_names <= {"cohort"}:
            continue
        for cohort in sorted(cohorts) if made.wildcard_names else [""]:
            files = (file.replace("{cohort}", cohort) for file in results)
            missing += itertools.islice((f for f in files if not os.path.exists(f)), 1)
    return [local(file) for file in missing]


@functools.cache
def take_results():
    """Hold the results folder until the run ends; dry runs and reports hold nothing."""
    runs = workflow.is_main_process and workflow.execution_settings is not None
    if not runs or workflow.dryrun:
        return
    try:
        killed = hold(RESULTS)
    except AdnormError as error:
        # Raised, it would come with the rule and the job that happened to be asked first.
        print(f"\n{error}", file=sys.stderr)
        sys.exit(1)
    if killed:
        print(
            f"{RESULTS}: going on after a run that was killed ({killed})",
            file=sys.stderr,
        )
        unlock(workflow.persistence.path / "locks")
    look_when_a_job_ends()
    clear_up()
    # Jobs that outlived their run have ended by then; before the folder is given back.
    atexit.register(clear_up)


def clear_up():
    """Remove what killed runs left outside their results, but nothing of a run that may live."""
    remove_folders(TEMPORARY)
    entries = [path.name for path in (HOME / "scripts").glob("*.py")]
    remove_scripts(workflow.persistence.path / "scripts", entries, RESULTS)


def unlock(locks):
    """Remove what a killed run left of Snakemake's locks on files of these results.

    Snakemake cannot see whether the run that locked them lives; who holds the folder can.
    """
    ours = os.path.abspath(RESULTS) + os.sep
    for lock in locks.glob("*.lock"):
        if any(
            os.path.abspath(line).startswith(ours)
            for line in lock.read_text(encoding="utf-8").splitlines()
        ):
            lock.unlink(missing_ok=True)


def tell_what_stopped():
    """End a run whose cohorts stopped: the list, and an exit code that is not 0."""
    folders = ["references", "axis", *sorted(STUDY.cohorts), "atlas"]
    stops = [stop for name in folders for stop in stopped_stages(Path(RESULTS) / name)]
    if stops:
        for stop in stops:
            words = f"{stop.cohort} stopped at the stage {stop.stage}: {stop.message}"
            print(f"\n{words}", file=sys.stderr)
        sys.exit(1)


def tell_what_is_missing():
    """Say in one message what a run without a connection lacks."""
    if SETTINGS["geo"]["offline"]:
        from adnorm.fetch.build import absent_from_run

        if missing := absent_from_run(STUDY, Path(RESULTS)):
            print(missing, file=sys.stderr)
