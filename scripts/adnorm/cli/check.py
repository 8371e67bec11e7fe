"""Validate cohorts without running the workflow.

Reads each cohort by the code of a run: schema, files, sample sheet, design, pairs, comparisons,
scale, identifiers, what is lost on the way, scores of the gene sets, and the fit of every
comparison. Shown are a verdict, the design and what is flagged; `--full` shows all of it. All
problems of all cohorts are told at once. Files of the last run are used; what is missing is
downloaded aside, and nothing is written into the results."""

from __future__ import annotations

import argparse
import re
import textwrap
from functools import partial
from typing import TYPE_CHECKING, Any

from adnorm.base.logs import warnings_collected
from adnorm.base.text import counted
from adnorm.cli import configuration
from adnorm.cli.terminal import clear_step, say, say_json, step, warn
from adnorm.study.vocabulary import Arm, BatchVerdict, SetStatus, State

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from adnorm.cli.inspection import Inspection
    from adnorm.onboarding.cohort_text import Marked

EXAMPLES = """examples:
  adnorm check                                       all cohorts of config/config.yaml
  adnorm check --configfile my_run.yaml              all cohorts of a run of your own
  adnorm check my_cohorts/lab.yaml gse80342          these two
  adnorm check gse80342 --full                       every comparison, gene set and loss
  adnorm check --configfile my_run.yaml --json       the same for programs
  adnorm check --configfile config/real.yaml --config geo="{address: 'file:mirror/geo'}"
"""
WIDTH = 100
#: More sets than this, and only those that fall short are listed.
_MOST_SETS = 60
#: So many that fall short, and so many comparisons of one kind, are named without `--full`.
_MOST_NAMED = 6
#: With more batches than this their table is too wide.
_MOST_BATCHES = 8
#: So many unconfirmed lines are shown.
_MOST_MARKS = 6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    configuration.add_arguments(parser)
    parser.add_argument(
        "--full", action="store_true", help="every comparison, gene set, batch and loss"
    )


def run(chosen: argparse.Namespace) -> int:
    """Print what each cohort would give; 1 when any has a problem."""
    config, where = configuration.read_configuration(chosen)
    # The gene sets are read again with each cohort, which tells what was mended in them.
    repeated: list[str] = []
    with warnings_collected(repeated):
        studies, problems, unread = configuration.read_studies(config, where)
    problems = _with_unfilled(problems, config)
    # Each takes seconds to import; a wrong configuration is told before.
    step("loading")
    from adnorm.cli.gathering import Identifiers
    from adnorm.cli.inspection import inspect_cohort, problems_behind
    from adnorm.onboarding.cohort_text import CONFIRM

    found = []
    to_check = [(study, cohort) for study in studies for cohort in study.cohorts.values()]
    # All studies are of one configuration.
    tables = Identifiers(studies[0].config) if studies else None
    for number, (study, cohort) in enumerate(to_check, 1):
        tell = partial(_tell_stage, f"{cohort.id} ({number} of {len(to_check)})")
        inspection = inspect_cohort(
            cohort, study.config, tables, tell, study.pins.get(cohort.id, {})
        )
        inspection.unconfirmed = _marks(study.files[cohort.id], CONFIRM)
        found.append(inspection)
        if not chosen.json:
            say(as_text(inspection, chosen.full))
    problems += [text for inspection in found for text in inspection.problems]
    # What keeps a run from being read is told once.
    behind = problems_behind(unread, config, tables)
    clear_step()
    problems += [text for text in behind if not any(text in known for known in problems)]
    # Cohorts share the identifier table and the gene sets.
    problems = list(dict.fromkeys(problems))
    if chosen.json:
        cohorts = [as_json(inspection) for inspection in found]
        say_json({"fine": not problems, "problems": problems, "cohorts": cohorts})
    if len(problems) == 1:
        warn(f"STOPPED: {problems[0]}")
    elif problems:
        numbered = "\n".join(f"{i}. {text}" for i, text in enumerate(problems, 1))
        warn(f"STOPPED: {len(problems)} problems\n{numbered}")
    elif not chosen.json:
        warned = sum(len(_warnings(inspection)) for inspection in found)
        above = f", but {counted(warned, 'warning')}; see above" if warned else ""
        say(f"{counted(len(found), 'cohort')} checked, no problem found{above}")
        marks = sum(len(inspection.unconfirmed) for inspection in found)
        if marks:
            say(f"Not confirmed yet: {counted(marks, 'line')}, listed above")
        if found and not chosen.full:
            say("Every comparison, gene set and loss: the same call with --full")
        names = [inspection.cohort.id for inspection in found]
        call, report = configuration.snakemake_call(chosen, config, names)
        say(f"Run: {call}\nReport: the same call with --report {report}")
    return 1 if problems else 0


def _tell_stage(cohort: str, stage: str) -> None:
    step(f"checking {cohort}: {stage}")


def _with_unfilled(problems: list[str], config: dict[str, Any]) -> list[str]:
    """Tell of the lines that a proposal left to be filled in, in place of their null."""
    from adnorm.onboarding.cohort_text import FILL

    more = []
    for name in configuration.cohort_names(config):
        named, path = configuration.cohort_path(name, config)
        left = []
        for mark in _marks(path, FILL) if path.is_file() else []:
            filled = [_filled(text, named, mark) for text in problems]
            if filled == problems:
                left.append(f"line {mark.line} ({mark.text}): {mark.remark}")
            problems = filled
        if left:
            more.append(f"{named}: to fill in: {'; '.join(left)}")
    return [*problems, *more]


def _filled(problem: str, named: str, mark: Marked) -> str:
    """Say of a null that a problem tells of what belongs there, if it is the one of the mark."""
    key = re.escape(mark.text.partition(":")[0].strip())
    # Not beyond the problems of this file.
    start = rf"\b{re.escape(named)}: (?:.*\n(?!.*\.ya?ml: ))*?.*?\b{key}: "
    found = re.search(rf"({start})found null, [^\n]*", problem)
    if found is None:
        return problem
    words = f"to fill in, line {mark.line}: {mark.remark}"
    return problem[: found.start()] + found[1] + words + problem[found.end() :]


def _marks(path: Path, mark: str) -> list[Marked]:
    """List the lines of a cohort file that still carry a mark of `adnorm new-cohort`."""
    from adnorm.onboarding.cohort_text import marked_lines

    return [m for m in marked_lines(path.read_text("utf-8", "replace")) if m.mark == mark]


# ---------------------------------------------------------------- layout


def as_text(found: Inspection, full: bool = False) -> str:
    """Write the check of a cohort in lines of at most 100 characters.

    Parameters
    ----------
    found
        The check.
    full
        Whether every comparison, gene set, batch and loss is listed.
    """
    cohort = found.cohort
    lines = [f"{cohort.id} · {cohort.title}"[:WIDTH]]
    if found.problems:
        lines += _wrapped(f"stopped, {counted(len(found.problems), 'problem')}; see below")
        return "\n".join([*lines, ""])
    samples, excluded = found.tables["samples"], found.tables["excluded"]
    warnings = _warnings(found)
    verdict = f"can run, but {counted(len(warnings), 'warning')}" if warnings else "can run"
    lines += _wrapped(
        f"{verdict}: {counted(len(samples), 'sample')} of "
        f"{counted(samples['patient'].nunique(), 'patient')}, {len(excluded)} excluded, "
        f"{found.genes:,} genes"
    )
    lines += _wrapped(
        f"reference: {cohort.reference or 'none'}; placebo arm: {cohort.placebo_arm or 'none'}"
    )
    for reason, rows in excluded.groupby("reason"):
        lines += _wrapped(f"excluded, {reason}: {len(rows)}")
    if found.unconfirmed:
        lines += _wrapped(_unconfirmed(found))
    lines += ["", *_design(found.tables["design"]), ""]
    lines += _all_comparisons(found) if full else _comparisons_in_short(found)
    lines += [*_batches(found, full), *_coverage(found.coverage, full)]
    if full:
        lines += _losses(found.tables["losses"])
    for warning in warnings:
        lines += ["", *_wrapped(f"warning: {warning}")]
    return "\n".join([*lines, ""])


def _design(design: pd.DataFrame) -> list[str]:
    """Lay out patients by arm, visit and state; several tables where one would be too wide."""
    from adnorm.study.comparisons import number

    order = {State.LESIONAL: 0, State.NONLESIONAL: 1, State.HEALTHY: 2}
    cells = sorted(set(zip(design["week"], design["state"].map(order), strict=True)))
    states = {place: state.value for state, place in order.items()}
    several = bool((design["patients"] != design["samples"]).any())
    counts = {
        (row["arm"], row["week"], row["state"]): f"{row['patients']} ({row['samples']})"
        if several
        else str(row["patients"])
        for row in design.to_dict("records")
    }
    arms = sorted(set(design["arm"]), key=lambda arm: (arm in (Arm.HEALTHY, Arm.ALL), arm))
    columns: list[list[str]] = []
    last = None
    for week, place in cells:
        title = f"week {number(week)}" if week else "baseline"
        values = [counts.get((arm, week, states[place]), "–") for arm in arms]
        columns.append(["" if title == last else title, states[place], *values])
        last = title
    first = ["patients (biopsies)" if several else "patients", "", *arms]
    lines: list[str] = []
    while columns:
        taken: list[list[str]] = []
        while columns and (not taken or _width([first, *taken, columns[0]]) <= WIDTH):
            taken.append(columns.pop(0))
        lines += ["", *_columns([first, *taken])] if lines else _columns([first, *taken])
        if columns and not columns[0][0]:
            # The visit of a table that goes on below.
            columns[0][0] = next(head for head, *_ in reversed(taken) if head)
    return lines


def _width(columns: list[list[str]]) -> int:
    return 2 + sum(min(40, max(map(len, column))) + 2 for column in columns)


def _columns(columns: list[list[str]]) -> list[str]:
    """Set columns of words side by side, each as wide as it must be."""
    widths = [min(40, max(map(len, column))) for column in columns]
    return [
        ("  " + "  ".join(f"{t[:w]:<{w}}" for t, w in zip(row, widths, strict=True))).rstrip()
        for row in zip(*columns, strict=True)
    ]


# ---------------------------------------------------------------- comparisons, sets, warnings


def _in_words(found: Inspection, rows: pd.DataFrame) -> list[str]:
    from adnorm.study.comparisons import in_a_sentence

    arms = list(dict.fromkeys(found.tables["design"]["arm"]))
    pairs = zip(rows["contrast"], rows["kind"], strict=True)
    return [in_a_sentence(name, kind, arms) for name, kind in pairs]


def _comparisons_in_short(found: Inspection) -> list[str]:
    """Say how many comparisons the cohort answers, and which it does not, with the reason."""
    table = found.tables["comparisons"]
    refused = table[table["supported"] != "yes"]
    lines = _wrapped(f"{len(table) - len(refused)} of {len(table)} comparisons can be answered")
    for reason, rows in refused.groupby("reason", sort=False):
        words = "; ".join(_first(_in_words(found, rows)))
        lines += _hanging(f"not answered: {words} ({reason})")
    return lines


def _all_comparisons(found: Inspection) -> list[str]:
    table, lines = found.tables["comparisons"], []
    for word, title in (("yes", "comparisons that can be answered"), ("no", "not answered")):
        rows = table[table["supported"] == word]
        lines += [f"  {title}: {len(rows)}"]
        for words, reason in zip(_in_words(found, rows), rows["reason"], strict=True):
            lines += _hanging(f"{words}: {reason}", "    ")
        lines.append("")
    return lines[:-1]


def _first(words: list[str]) -> list[str]:
    more = len(words) - _MOST_NAMED
    return [*words[:_MOST_NAMED], f"and {more} more"] if more > 0 else words


def _aliased(found: Inspection) -> pd.DataFrame:
    table = found.tables["comparisons"]
    return table[table["batch"] == BatchVerdict.ALIASED]


def _warnings(found: Inspection) -> list[str]:
    """Return the warnings; those of comparisons that the batches hide are one, in words."""
    if found.problems or not found.tables:
        return found.warnings
    from adnorm.expression.build import BATCH_ADVICE

    rows = _aliased(found)
    names = tuple(f"'{name}': " for name in rows["contrast"])
    rest = [text for text in found.warnings if not (names and text.startswith(names))]
    parts = [
        f"{'; '.join(_first(_in_words(found, same)))} ({reason})"
        for reason, same in rows.groupby("batch_reason", sort=False)
    ]
    if parts:
        hidden = f"{counted(len(rows), 'comparison')} cannot be told from batches"
        rest.append(f"{hidden}: {'; '.join(parts)}. {BATCH_ADVICE}")
    return rest


def _unconfirmed(found: Inspection) -> str:
    """Say how many guesses of the cohort file nobody has confirmed, and which they are."""
    count = len(found.unconfirmed)
    shown = [f"{mark.line} ({mark.text})" for mark in found.unconfirmed[:_MOST_MARKS]]
    more = f" and {count - _MOST_MARKS} more" if count > _MOST_MARKS else ""
    return (
        f"{counted(count, 'line')} of the cohort file still {'carries' if count == 1 else 'carry'} "
        f"'# confirm:', so they are guesses: {'line' if count == 1 else 'lines'} "
        f"{', '.join(shown)}{more}. Compare them with the series, then take the marks out"
    )


def _coverage(coverage: pd.DataFrame, full: bool) -> list[str]:
    """Say how many gene sets have enough genes; all of them, or those that fall short."""
    short = coverage[coverage["status"] != SetStatus.OK]
    have = f"{len(coverage) - len(short)} of {len(coverage)}"
    if not full:
        if short.empty:
            return [f"  all {counted(len(coverage), 'gene set')} have enough genes"]
        columns = (short[column] for column in ("set", "found", "asked"))
        names = [f"{name} ({n} of {of})" for name, n, of in zip(*columns, strict=True)]
        return _hanging(f"{have} gene sets have enough genes; too few: {', '.join(_first(names))}")
    lines = ["", f"  gene sets with enough genes: {have} (genes measured of genes in the set)"]
    shown = coverage if len(coverage) <= _MOST_SETS else short
    columns = (shown[column].head(_MOST_SETS) for column in ("set", "found", "asked", "status"))
    for name, found, asked, status in zip(*columns, strict=True):
        flag = "" if status == SetStatus.OK else f"  {status.replace('_', ' ')}"
        lines.append(f"    {name[:60]:<60} {found:>5} / {asked:<5}{flag}".rstrip())
    if len(shown) > _MOST_SETS:
        lines.append(f"    and {len(shown) - _MOST_SETS} more that fall short")
    return lines


def _losses(losses: pd.DataFrame) -> list[str]:
    """List what is lost on the way; the large losses are told as warnings, with what to do."""
    from adnorm.base.losses import percent

    lines = ["", "  lost on the way:"] if len(losses) else ["", "  lost on the way: nothing"]
    for row in losses.to_dict("records"):
        text = f"{row['lost']:,} of {row['of']:,} {row['what']} ({percent(row['share'])})"
        text += " – see the warning" if row["warning"] == "yes" else ""
        lines += textwrap.wrap(text, WIDTH, initial_indent="    ", subsequent_indent=" " * 6)
    return lines


def _batches(found: Inspection, full: bool) -> list[str]:
    """Lay out biopsies by group and batch, and what the batches make of the comparisons."""
    from adnorm.study.comparisons import number

    batches, table = found.tables["batches"], found.tables["comparisons"]
    if batches.empty:
        return []
    judged = table[table["batch"] != ""].groupby("batch", sort=True)
    title = counted(batches["batch"].nunique(), "batch", "batches")
    if not full:
        verdicts = ", ".join(f"{len(rows)} {verdict}" for verdict, rows in judged)
        return _wrapped(f"{title}; comparisons: {verdicts or 'none judged'}")
    keys = ["arm", "week", "state"]
    wide = batches.pivot_table(index=keys, columns="batch", values="biopsies", fill_value=0)
    # A batch may be called "arm".
    wide = wide.astype(int).add_prefix("batch ")
    shown = wide.reset_index().assign(week=lambda d: d["week"].map(number))
    lines = ["", f"  biopsies by batch ({title}):"]
    if len(wide.columns) > _MOST_BATCHES:
        lines += _wrapped("too many for a table here; batches.tsv of a run has them", " " * 4)
    else:
        lines += _columns([[str(name), *map(str, shown[name])] for name in shown])
    for verdict, rows in judged:
        lines += ["", f"  batches and comparisons, {verdict}: {len(rows)}"]
        for words, reason in zip(_in_words(found, rows), rows["batch_reason"], strict=True):
            lines += _hanging(f"{words}: {reason}", "    ")
    return lines


def _wrapped(text: str, indent: str = "  ") -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent)


def _hanging(text: str, indent: str = "  ") -> list[str]:
    """Wrap an entry of a list: what does not fit stands further in."""
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=f"{indent}    ")


def as_json(found: Inspection) -> dict[str, Any]:
    """Give the check of a cohort as plain values; missing numbers are null."""
    answer: dict[str, Any] = {
        "id": found.cohort.id,
        "title": found.cohort.title,
        "fine": not found.problems,
        "problems": found.problems,
        "warnings": found.warnings,
        "to_confirm": [{"line": m.line, "remark": m.remark} for m in found.unconfirmed],
    }
    if found.problems:
        return answer
    samples = found.tables["samples"]
    answer |= {
        "samples": len(samples),
        "patients": int(samples["patient"].nunique()),
        "genes": found.genes,
    }
    for name in ("excluded", "design", "comparisons", "batches", "losses"):
        answer[name] = _records(found.tables[name])
    answer["gene_sets"] = _records(found.coverage[["set", "asked", "found", "status", "reason"]])
    return answer


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    import pandas as pd

    return [
        {str(key): None if pd.isna(value) else value for key, value in row.items()}
        for row in frame.to_dict("records")
    ]
