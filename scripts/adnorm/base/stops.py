"""A cohort that stops: its outputs say why, and the other cohorts go on.

A failed job would leave everything that joins cohorts undone. So a stage that stops writes its
reason into each of its outputs, the later stages of that cohort hand the reason on, and what joins
cohorts leaves it out. The run ends with the list of stopped cohorts and an exit code that is not 0.
"""

from __future__ import annotations

import html
import json
import os
import textwrap
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from adnorm.base.errors import AdnormError
from adnorm.base.files import atomic, read_json, remove_leftovers, write_json, written_as
from adnorm.base.logs import UNFORESEEN, end_log, progress, report_error, start_log
from adnorm.base.storage import refusal
from adnorm.base.text import printable

#: Opens every file that holds a reason instead of a result.
MARK = "#adnorm-stopped "
#: What helps against too little memory.
MORE_MEMORY = (
    "Run one job at a time (--cores 1), close other programs or take a computer with more memory; "
    "on a cluster ask for more (--default-resources mem_mb=8000). Then call again: the run goes on "
    "and repeats only what is lacking"
)
#: What stands before it in a page.
COMMENT = b"<!-- "
PAGE = """<!-- {line} -->
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{cohort}</title></head>
<body style="font: 16px/1.5 sans-serif; max-width: 60rem; margin: 2rem auto">
<h1>{cohort} did not finish</h1>
<p>It stopped at the stage {stage}. The other cohorts of the run went on without it.</p>
<pre style="white-space: pre-wrap">{message}</pre>
</body></html>
"""


@dataclass(frozen=True)
class Stop:
    """Why a cohort stopped, and where."""

    cohort: str
    stage: str
    #: One paragraph for people.
    message: str


def read_stop(path: Path | str) -> Stop | None:
    """Say why a file holds no result; ``None`` when it is one, or does not exist.

    Examples
    --------
    >>> read_stop("no/such/file.tsv") is None
    True
    """
    path = Path(path)
    if not path.is_file():
        return None
    mark = MARK.encode()
    with path.open("rb") as file:
        # A container without line ends must not be read whole to learn that it is a result.
        if not file.read(len(COMMENT) + len(mark)).removeprefix(COMMENT).startswith(mark):
            return None
        file.seek(0)
        first = file.readline().removeprefix(COMMENT)[len(mark) :]
    try:
        return _stop_of(json.loads(first.decode().removesuffix(" -->\n")))
    except (ValueError, RecursionError):
        return _DAMAGED


#: Stands for a reason that cannot be read any more.
_DAMAGED = Stop(
    "a cohort",
    "unknown",
    "why it stopped cannot be read, because the file that says so is damaged; the next call tries "
    "again",
)


def _stop_of(value: object) -> Stop:
    known = {field.name for field in fields(Stop)}
    if not isinstance(value, dict) or value.keys() != known:
        return _DAMAGED
    return Stop(**{key: printable(str(text)) for key, text in value.items()})


def write_stop(path: Path | str, stop: Stop) -> None:
    """Write the reason in the place of a result; pages and pictures show it in words."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in (".svg", ".png", ".pdf"):
        _draw(path, stop)
        return
    # "--" would end a comment of HTML early.
    line = MARK + json.dumps(asdict(stop)).replace("--", "-\\u002d")
    text = f"{line}\n"
    if path.suffix == ".html":
        text = PAGE.format(
            line=line,
            cohort=html.escape(stop.cohort),
            stage=stop.stage,
            message=html.escape(stop.message),
        )
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _draw(path: Path, stop: Stop) -> None:
    import matplotlib
    from matplotlib.figure import Figure

    words = f"{stop.cohort} did not finish: it stopped at the stage {stop.stage}.\n\n{stop.message}"
    lines = [part for line in words.splitlines() for part in textwrap.wrap(line, 110) or [""]]
    figure = Figure(figsize=(9, 0.6 + 0.2 * len(lines)))
    figure.text(0.03, 0.97, "\n".join(lines), va="top", fontsize=9, parse_math=False)
    # Neither the date nor random identifiers: the same reason gives the same bytes.
    nothing = {"svg": ["Date"], "png": ["Software"], "pdf": ["Creator", "Producer", "CreationDate"]}
    metadata = dict.fromkeys(nothing[path.suffix[1:]])
    with atomic(path) as temporary, matplotlib.rc_context({"svg.hashsalt": "adnorm"}):
        figure.savefig(temporary, metadata=metadata)


def finished(paths: Iterable[str]) -> list[str]:
    """Keep the results of the cohorts that did not stop; at least one must be left."""
    paths = list(paths)
    kept = [path for path in paths if read_stop(path) is None]
    if paths and not kept:
        raise AdnormError("no cohort of this run finished, so that nothing can be joined")
    return kept


def require_finished(paths: Iterable[str], cohorts: Iterable[str]) -> str:
    """Say in one line that a run is complete, or end it with the list of what stopped.

    Parameters
    ----------
    paths
        Last results of the cohorts and of what joins them.
    cohorts
        All cohorts of the run.

    Raises
    ------
    SystemExit
        Something stopped. This alone fails a job of Snakemake: all results are there by then.
    """
    stops = sorted(
        {stop for stop in map(read_stop, paths) if stop}, key=lambda s: (s.cohort, s.stage)
    )
    if stops:
        listed = "".join(f"\n  {stop.cohort}: at the stage {stop.stage}" for stop in stops)
        raise SystemExit(
            "not everything finished; what did is complete. The next call tries these again:"
            f"{listed}"
        )
    names = sorted(cohorts)
    return f"{len(names)} of {len(names)} cohorts finished: {', '.join(names)}\n"


def write_finished(paths: Iterable[str], cohorts: Iterable[str], output: Path | str) -> None:
    """Write the line of `require_finished`, or end as it does."""
    line = require_finished(paths, cohorts)
    try:
        with atomic(output) as temporary:
            temporary.write_text(line, encoding="utf-8")
    except OSError as error:
        raise SystemExit(refusal(error, Path(output).parent) or str(error)) from error


#: Between the name of a stage and the number of its note.
_NOTE = ".stop-"
#: How far ahead of its time a note is dated, in seconds: a year.
_FUTURE = 365 * 86400


def _notes_in(logs: Path) -> dict[str, dict[int, Path]]:
    """Notes in a folder of logs, by stage and number."""
    found: dict[str, dict[int, Path]] = {}
    # No hidden ones: what a writer left that was killed is no note.
    for path in logs.glob(f"[!.]*{_NOTE}*"):
        name, _, number = path.name.rpartition(_NOTE)
        if number.isdecimal():
            found.setdefault(name, {})[int(number)] = path
    return found


def _notes(log: Path) -> dict[int, Path]:
    """Notes of a stage by number, beside its log."""
    return _notes_in(log.parent).get(log.stem, {})


def last_note(log: Path | str) -> Path | None:
    """Find the note that a stage left when it last stopped, or that asks for it again.

    Snakemake takes it as an input of the stage. It is dated ahead until the stage has run again, so
    that the next call runs it, whatever Snakemake remembers of the last one. Its name holds a
    number, because the same file with the same content would pass for unchanged. A stage that
    never stopped has none.
    """
    notes = _notes(Path(log))
    return notes[max(notes)] if notes else None


def run_again(log: Path | str, stop: Stop | None = None) -> None:
    """Leave a note beside the log of a stage, by which the next call runs it again.

    `stop` says why it stopped; ``None`` is for a later stage that asks for it.
    """
    log = Path(log)
    notes = _notes(log)
    _settle(log)
    number = max(notes, default=0) + 1
    note = log.with_name(f"{log.stem}{_NOTE}{number}")
    write_json(asdict(stop) if stop else {}, note)
    # Snakemake gives the outputs the time at which the job ended, and takes an input of the future
    # for newer than they are.
    future = time.time() + _FUTURE
    os.utime(note, (future, future))
    # The note before may be an input of the job that runs now.
    for old in sorted(notes)[:-1]:
        notes[old].unlink(missing_ok=True)


def stopped_stages(folder: Path) -> list[Stop]:
    """List the stages that stopped at their last run, in the results of one cohort."""
    stages = sorted(_notes_in(folder / "logs").items())
    stops = []
    for stage, numbered in stages:
        try:
            note = read_json(numbered[max(numbered)])
        except AdnormError:
            stops.append(replace(_DAMAGED, cohort=folder.name, stage=stage))
            continue
        if note:
            stops.append(_stop_of(note))
    return stops


def _remove_half_notes(log: Path) -> None:
    """Remove the temporary files of notes of a stage whose writer was killed."""
    written = {written_as(path).name for path in log.parent.iterdir()}
    remove_leftovers(log.parent, {n for n in written if n.startswith(f"{log.stem}{_NOTE}")})


def _settle(log: Path | str) -> None:
    """Empty and date back the note of a stage that has run again and did not stop."""
    note = last_note(log)
    if note:
        write_json({}, note)
        os.utime(note, (0, 0))


def run_stage(
    work: Callable[[], object],
    stage: str,
    cohort: str,
    log: str,
    inputs: Iterable[str],
    outputs: Iterable[str],
    packages: tuple[str, ...] = (),
) -> None:
    """Run one stage of one cohort, or hand on why the cohort stopped before.

    Parameters
    ----------
    work
        The stage.
    stage, cohort
        Their names, for messages.
    log
        Log file of the job.
    inputs, outputs
        Files of the job. If an input holds a reason instead of a result, all outputs get it.
    packages
        Distribution names whose versions open the log file.

    Raises
    ------
    SystemExit
        Nothing can be written, not even why: the job fails with the reason on the terminal.
    """
    results = [Path(path) for path in outputs]
    try:
        start_log(log, stage, cohort, packages)
        _run_stage(work, stage, cohort, log, inputs, results)
    except OSError as error:
        refused = refusal(error, results[0].parent if results else Path(log).parent)
        if refused is None:
            raise
        # The log may be what cannot be written; whatever it lacks is said here.
        raise SystemExit(printable(f"[{cohort} · {stage}] STOPPED: {refused}")) from None
    finally:
        end_log()


def _run_stage(
    work: Callable[[], object],
    stage: str,
    cohort: str,
    log: str,
    inputs: Iterable[str],
    results: list[Path],
) -> None:
    for folder in {path.parent for path in results}:
        remove_leftovers(folder, [path.name for path in results])
    _remove_half_notes(Path(log))
    stop, own = next(filter(None, map(read_stop, inputs)), None), None
    if stop:
        progress(f"skipped: {stop.cohort} stopped at the stage {stop.stage}")
    else:
        try:
            work()
        except Exception as error:  # noqa: BLE001 -- an unforeseen error stops one cohort alone, too
            told = _told(error, results[0].parent if results else Path(log).parent)
            report_error(type(told), told, told.__traceback__)
            words = "" if isinstance(told, AdnormError) else f"{UNFORESEEN} {type(told).__name__}: "
            stop = own = Stop(cohort, stage, printable(f"{words}{told}"))
    try:
        if own:
            # First: whoever finds only some of the reasons, from wherever, runs the stage again.
            run_again(log, own)
        if stop:
            for path in results:
                write_stop(path, stop)
        if not own:
            _settle(log)
    except OSError as error:
        if own and refusal(error):
            # It was told already why; a job that fails leaves no results, and is run again.
            raise SystemExit(1) from None
        raise


def _told(error: Exception, folder: Path) -> Exception:
    """Give the error as it is told: in a paragraph, where its cause is the computer."""
    words = refusal(error, folder)
    if isinstance(error, MemoryError):
        said = f" ({error})" if str(error) else ""
        words = f"the memory did not suffice{said}. {MORE_MEMORY}"
    if words is None:
        return error
    told = AdnormError(words).with_traceback(error.__traceback__)
    told.__cause__ = error
    return told
