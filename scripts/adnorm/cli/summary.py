"""What a finished run answers, cohort by cohort, and where its pages are.

The words and numbers are those of page one: each cohort has them in figures/answer.json."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import textwrap
from pathlib import Path
from typing import Any, TypedDict

from adnorm.base.errors import AdnormError
from adnorm.base.text import points, printable
from adnorm.cli import configuration
from adnorm.cli.terminal import say, say_json
from adnorm.study.vocabulary import EXPLORATORY, SIMULATED_DATA, Statistic

EXAMPLES = """examples:
  adnorm summary results/demo
  adnorm summary --configfile my_run.yaml       the results of this run
  adnorm summary results/demo --json
"""
#: Where the answer of a cohort is, below its folder.
ANSWER = Path("figures") / "answer.json"
#: Lines are no longer than this, however wide the terminal.
LONGEST = 100
BOLD, RED, PLAIN = "\x1b[1m", "\x1b[31m", "\x1b[0m"

#: One answer as `adnorm.figures.answer` wrote it.
Answer = dict[str, Any]


class Unfinished(TypedDict):
    """A cohort without an answer, and why."""

    cohort: str
    reason: str


class Summary(TypedDict):
    """What a run says in short.

    ``heading`` and ``lines`` are of the cohort that is told first, ``others`` names the rest,
    ``answers`` has all of them in order, ``care`` what the run as a whole cannot tell.
    """

    results: str
    page: str | None
    report: str | None
    heading: str
    lines: list[str]
    others: list[str]
    cohorts: int
    unfinished: list[str]
    reasons: list[Unfinished]
    care: list[str]
    answers: list[Answer]


def gather(results: Path) -> Summary:
    """Gather where the pages are and what every cohort of a run answers.

    Raises
    ------
    AdnormError
        The folder holds no finished cohort.
    """
    from adnorm.base.files import read_json
    from adnorm.study.reading import RESERVED

    folders = sorted(p.parent for p in results.glob("*/logs") if p.parent.name not in RESERVED)
    reasons = {folder.name: _why_unfinished(folder / ANSWER) for folder in folders}
    answers = [read_json(folder / ANSWER) for folder in folders if not reasons[folder.name]]
    if not answers:
        why = "".join(f"; {name}: {reason}" for name, reason in sorted(reasons.items()))
        raise AdnormError(
            f"{results}: no finished cohort is here; run `snakemake --cores all` first{why}"
        )
    answers.sort(key=lambda answer: answer["rank"])
    whole = results / "atlas" / "answers.json"
    joined = read_json(whole) if _why_unfinished(whole) == "" else {}
    # Doses are compared where cohorts are joined, and told with their cohort.
    doses = joined.get("doses", {})
    answers = [answer | {"doses": doses.get(answer["cohort"], [])} for answer in answers]
    first, *others = answers
    left = [Unfinished(cohort=name, reason=why) for name, why in reasons.items() if why]
    return {
        "results": str(results),
        "page": _if_there(results / "index.html"),
        "report": _if_there(results / "report.html"),
        "heading": _heading(first),
        "lines": lines_of(first),
        "others": [answer["cohort"] for answer in others],
        "cohorts": len(folders),
        "unfinished": [part["cohort"] for part in left],
        "reasons": left,
        "care": joined.get("care", []),
        "answers": answers,
    }


def _if_there(path: Path) -> str | None:
    return str(path) if path.is_file() else None


def _why_unfinished(path: Path) -> str:
    """Say why a file holds no answer; empty where it does."""
    from adnorm.base.stops import read_stop

    if not path.is_file():
        return "its answer is not there: the run did not get so far, or was one of an older adnorm"
    stop = read_stop(path)
    return f"stopped at the stage {stop.stage}: {stop.message}" if stop else ""


# ---------------------------------------------------------------- one cohort in lines


def _heading(answer: Answer) -> str:
    marks = [SIMULATED_DATA] if answer["simulated"] else []
    return " · ".join([answer["cohort"], answer["title"], answer["disease"], *marks])


def lines_of(answer: Answer) -> list[str]:
    """Write what a cohort answers: doubts first, then sentences, numbers and cautions."""
    # That of simulated data stands once, above all cohorts, and in every heading.
    lines = [f"! {banner}" for banner in answer["banners"] if not banner.startswith(SIMULATED_DATA)]
    lines += [answer["sentence"]] if answer["sentence"] else []
    for arm in answer["told"]:
        lines += [arm["sentence"], *_table(answer, arm["arm"])]
    lines += answer.get("doses", [])
    lines += [f"- {sentence}" for sentence in answer["care"]]
    return [_plain(line) for line in lines]


def _plain(text: str) -> str:
    """Replace what keeps words together on a page; a terminal breaks lines otherwise."""
    return text.replace("\u00a0", " ")


def _table(answer: Answer, arm: str) -> list[str]:
    """Lay out the primary family of an arm in its order, first and last visit."""
    rows = [row for row in answer["estimates"] if row["arm"] == arm]
    weeks = sorted({row["week"] for row in rows})
    if not any(row["value"] is not None for row in rows):
        return []
    compared = any(row["measure"] == Statistic.DNI for row in rows)
    cells = {(row["label"], row["week"]): _cell(row, compared) for row in rows}
    labels = sorted({row["label"] for row in rows}, key=answer["primary"].index)
    people = {row["week"]: row["people"] for row in rows if row["value"] is not None}
    titles = [f"week {week:g}" for week in weeks]
    what = f"minus {answer['placebo']}" if compared else "arm alone"
    table = [[f"{arm}: points, {what} ({answer['confidence']} CI)", *titles]]
    table += [[label, *(cells.get((label, week), "") for week in weeks)] for label in labels]
    table += [["", *(people.get(week, "") for week in weeks)]]
    widths = [max(len(row[column]) for row in table) for column in range(len(weeks) + 1)]
    return [
        "    "
        + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]


def _cell(row: dict[str, Any], compared: bool) -> str:
    if row["value"] is None:
        return f"not known: {row['short']}"
    mark = EXPLORATORY if row["exploratory"] else ""
    value, lower, upper = (points(row[key]) for key in ("value", "lower", "upper"))
    # One visit may lack placebo where another has it.
    alone = " arm alone" if compared and row["measure"] != Statistic.DNI else ""
    return f"{value}{mark} ({lower} to {upper}){alone}"


# ---------------------------------------------------------------- the run in lines


def summarize(results: Path, width: int = LONGEST) -> str:
    """Say where the pages are and what every cohort of a run answers; see `gather`."""
    found = gather(results)
    lines = [f"Page one: {found['page']}"] if found["page"] else []
    lines += [
        f"Report: {found['report']}" if found["report"] else f"Results: {results} (no report yet)"
    ]
    banners = [banner for answer in found["answers"] for banner in answer["banners"]]
    simulated = [banner for banner in banners if banner.startswith(SIMULATED_DATA)]
    lines += ["", *_wrapped(f"! {simulated[0]}", width)] if simulated else []
    for answer in found["answers"]:
        lines += ["", _heading(answer)]
        for line in lines_of(answer):
            lines += [line] if line.startswith("    ") else _wrapped(line, width)
    if found["care"]:
        lines += ["", "All cohorts"]
        lines += [part for sentence in found["care"] for part in _wrapped(f"- {sentence}", width)]
    for left in found["reasons"]:
        words = f"{left['reason']} (logs: {results}/{left['cohort']}/logs)"
        lines += ["", f"{left['cohort']} did not finish", *_wrapped(f"! {words}", width)]
    numbers = [row["value"] for answer in found["answers"] for row in answer["estimates"]]
    if any(value is not None for value in numbers):
        lines += ["", *textwrap.wrap(_scale(found["answers"]), width)]
    lines += ["", "This is gene expression, not itch; these numbers are not treatment advice."]
    return "\n".join(lines)


def _scale(answers: list[Answer]) -> str:
    """Say what the numbers of the tables mean, which hold one measure or both."""
    rows = [row for answer in answers for row in answer["estimates"] if row["value"] is not None]
    measures = {row["measure"] for row in rows}
    words = "Points are percentage points of the disease effect."
    if Statistic.DNI in measures:
        words += (
            " Minus placebo (dNI), given the score at baseline: 0 is as on placebo, 100 the whole "
            "disease effect more than on placebo."
        )
    if Statistic.NI in measures:
        words += " Arm alone (NI): 0 is as before treatment, 100 the level of the reference skin."
    return words


def painted(text: str) -> str:
    """Make headings bold and doubts red; for a terminal alone.

    Examples
    --------
    >>> painted("a\\n\\nb\\n  ! c")
    'a\\n\\n\\x1b[1mb\\x1b[0m\\n\\x1b[31m  ! c\\x1b[0m'
    """
    lines, before = [], "-"
    for line in printable(text).splitlines():
        style = RED if line.startswith("  ! ") else BOLD if not before and line[:1] != " " else ""
        lines.append(f"{style}{line}{PLAIN}" if style and line else line)
        before = line
    return "\n".join(lines)


def _wrapped(line: str, width: int) -> list[str]:
    after = "    " if line[:2] in ("- ", "! ") else "  "
    return textwrap.wrap(line, width, initial_indent="  ", subsequent_indent=after)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument(
        "results", nargs="?", type=Path, help="results folder; else that of the configuration"
    )
    parser.set_defaults(cohorts=[])
    configuration.add_configuration(parser)


def run(chosen: argparse.Namespace) -> int:
    """Print the summary."""
    results = chosen.results or _results_of(chosen)
    if chosen.json:
        say_json(gather(results))
        return 0
    terminal = sys.stdout.isatty()
    width = min(LONGEST, max(shutil.get_terminal_size().columns, 40)) if terminal else LONGEST
    text = summarize(results, width)
    if terminal and "NO_COLOR" not in os.environ:
        print(painted(text))
    else:
        say(text)
    return 0


def _results_of(chosen: argparse.Namespace) -> Path:
    """Find the results folder of a configuration."""
    from adnorm.study.config import RunConfig
    from adnorm.study.validation import check

    config, where = configuration.read_configuration(chosen)
    return Path(check(RunConfig, config, where).results)
