"""A cohort that stops: its outputs say why, and the other cohorts go on.

A failed job would leave everything that joins cohorts undone. So a stage that stops writes its
reason into each of its outputs, the later stages of that cohort hand the reason on, and what joins
cohorts leaves it out. The run ends with the list of stopped cohorts and an exit code that is not 0.
"""

from __future__ import annotations

import html
import json
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from adnorm.base.errors import AdnormError
from adnorm.base.logs import UNFORESEEN, progress, report_error, start_log
from adnorm.base.tables import atomic, read_json, write_json

#: Opens every file that holds a reason instead of a result.
MARK = "#adnorm-stopped "
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
    """Why a cohort stopped.

    Attributes
    ----------
    cohort, stage
        Which one, and where.
    message
        One paragraph for people.
    """

    cohort: str
    stage: str
    message: str


def read_stop(path: Path | str) -> Stop | None:
    """Say why a file holds no result.

    Returns
    -------
    Stop or None
        ``None`` when the file is a result (or does not exist).

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
    return Stop(**json.loads(first.decode().removesuffix(" -->\n")))


def write_stop(path: Path | str, stop: Stop) -> None:
    """Write the reason in the place of a result; pictures show it in words.

    Parameters
    ----------
    path
        Table, container, page (.html) or picture (.svg, .png).
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in (".svg", ".png"):
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
    metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
    with matplotlib.rc_context({"svg.hashsalt": "adnorm"}):
        figure.savefig(path, metadata=metadata)


def finished(paths: Iterable[str]) -> list[str]:
    """Keep the results of the cohorts that did not stop.

    Raises
    ------
    AdnormError
        All cohorts stopped.
    """
    paths = list(paths)
    kept = [path for path in paths if read_stop(path) is None]
    if paths and not kept:
        raise AdnormError("no cohort of this run finished, so that nothing can be joined")
    return kept


def _note_of(log: Path | str) -> Path:
    """Where a stage keeps how often it stopped, and why; beside its log."""
    return Path(log).with_suffix(".stops")


def stops_so_far(log: Path | str) -> int:
    """How often a stage has stopped.

    Snakemake takes it as a parameter of the stage: a stage that stopped runs again at the next
    call, a finished one does not.
    """
    note = _note_of(log)
    return read_json(note)["times"] if note.is_file() else 0


def stopped_stages(folder: Path) -> list[Stop]:
    """Stages that stopped at their last run.

    Parameters
    ----------
    folder
        Results of one cohort.
    """
    notes = [read_json(path) for path in sorted((folder / "logs").glob("*.stops"))]
    return [Stop(**note["last"]) for note in notes if note["last"]]


def _note(log: Path | str, stop: Stop | None) -> None:
    """Remember the outcome of a stage that has stopped at least once."""
    times = stops_so_far(log)
    if stop or times:
        last = asdict(stop) if stop else None
        write_json({"times": times + bool(stop), "last": last}, _note_of(log))


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
    """
    start_log(log, stage, cohort, packages)
    stop = next(filter(None, map(read_stop, inputs)), None)
    if stop:
        progress(f"skipped: {stop.cohort} stopped at the stage {stop.stage}")
        _note(log, None)
    else:
        try:
            work()
        except Exception as error:  # noqa: BLE001 -- an unforeseen error stops one cohort alone, too
            report_error(type(error), error, error.__traceback__)
            words = (
                "" if isinstance(error, AdnormError) else f"{UNFORESEEN} {type(error).__name__}: "
            )
            stop = Stop(cohort, stage, f"{words}{error}")
        _note(log, stop)
    if stop:
        for path in outputs:
            write_stop(path, stop)
