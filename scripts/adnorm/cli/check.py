"""Validate cohorts without running the workflow.

Reads each cohort by the code of a run: schema, files, sample sheet, design, pairs, comparisons,
scale, identifiers, what is lost on the way, scores of the gene sets, and the fit of every
comparison. All problems of all cohorts are told at once. Files of the last run are used; what is
missing is downloaded aside, and nothing is written into the results."""

from __future__ import annotations

import argparse
import textwrap
from typing import TYPE_CHECKING, Any

from adnorm.base.logs import warnings_collected
from adnorm.base.text import counted
from adnorm.cli import configuration
from adnorm.cli.terminal import say, say_json, warn
from adnorm.study.vocabulary import BatchVerdict, SetStatus

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from adnorm.cli.inspection import Inspection
    from adnorm.onboarding.cohort_text import Marked

EXAMPLES = """examples:
  adnorm check                                       all cohorts of config/config.yaml
  adnorm check --configfile my_run.yaml              all cohorts of a run of your own
  adnorm check my_cohorts/lab.yaml gse80342          these two
  adnorm check --configfile my_run.yaml --json
  adnorm check --configfile config/real.yaml --config geo="{address: 'file:mirror/geo'}"
"""
WIDTH = 100
#: More sets than this, and only those that fall short are listed.
_MOST_SETS = 60
#: With more batches than this their table is too wide.
_MOST_BATCHES = 8
#: So many unconfirmed lines are shown.
_MOST_MARKS = 6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    configuration.add_arguments(parser)


def run(chosen: argparse.Namespace) -> int:
    """Print what each cohort would give; 1 when any has a problem."""
    config, where = configuration.read_configuration(chosen)
    # The gene sets are read again with each cohort, which tells what was mended in them.
    repeated: list[str] = []
    with warnings_collected(repeated):
        studies, problems, unread = configuration.read_studies(config, where)
    problems += _unfilled(config)
    # Each takes seconds to import; a wrong configuration is told before.
    from adnorm.cli.inspection import inspect_cohort, problems_behind
    from adnorm.onboarding.cohort_text import CONFIRM

    found = []
    for study in studies:
        for cohort in study.cohorts.values():
            inspection = inspect_cohort(cohort, study.config)
            inspection.unconfirmed = _marks(study.files[cohort.id], CONFIRM)
            found.append(inspection)
            if not chosen.json:
                say(as_text(inspection))
    problems += [text for inspection in found for text in inspection.problems]
    # What keeps a run from being read is told once.
    behind = problems_behind(unread, config)
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
        warned = sum(len(inspection.warnings) for inspection in found)
        above = f", but {counted(warned, 'warning')}; see above" if warned else ""
        say(f"{counted(len(found), 'cohort')} checked, no problem found{above}")
        marks = sum(len(inspection.unconfirmed) for inspection in found)
        if marks:
            say(f"Not confirmed yet: {counted(marks, 'line')}, listed above")
        names = [inspection.cohort.id for inspection in found]
        call, report = configuration.snakemake_call(chosen, config, names)
        say(f"Run: {call}\nReport: the same call with --report {report}")
    return 1 if problems else 0


def _unfilled(config: dict[str, Any]) -> list[str]:
    """List the lines that a proposal left to be filled in."""
    from adnorm.onboarding.cohort_text import FILL

    problems = []
    for name in configuration.cohort_names(config):
        named, path = configuration.cohort_path(name, config)
        marks = _marks(path, FILL) if path.is_file() else []
        if marks:
            lines = "; ".join(f"line {m.line} ({m.text}): {m.remark}" for m in marks)
            problems.append(f"{named}: to fill in: {lines}")
    return problems


def _marks(path: Path, mark: str) -> list[Marked]:
    """List the lines of a cohort file that still carry a mark of `adnorm new-cohort`."""
    from adnorm.onboarding.cohort_text import marked_lines

    return [m for m in marked_lines(path.read_text("utf-8", "replace")) if m.mark == mark]


# ---------------------------------------------------------------- layout


def as_text(found: Inspection) -> str:
    """Write the check of a cohort in lines of at most 100 characters."""
    from adnorm.study.comparisons import number

    cohort = found.cohort
    lines = [f"{cohort.id} · {cohort.title}"[:WIDTH]]
    if found.problems:
        lines += _wrapped(f"stopped, {counted(len(found.problems), 'problem')}; see below")
        return "\n".join([*lines, ""])
    if found.unconfirmed:
        lines += _wrapped(_unconfirmed(found))
    samples, excluded = found.tables["samples"], found.tables["excluded"]
    lines += _wrapped(
        f"{counted(len(samples), 'sample')} of {counted(samples['patient'].nunique(), 'patient')}, "
        f"{len(excluded)} excluded, {found.genes:,} genes; reference: "
        f"{cohort.reference or 'none'}; placebo arm: {cohort.placebo_arm or 'none'}"
    )
    for reason, rows in excluded.groupby("reason"):
        lines += _wrapped(f"excluded, {reason}: {len(rows)}")
    aliased = found.tables["comparisons"]["batch"] == BatchVerdict.ALIASED
    if aliased.any():
        lines += _wrapped(
            f"batches cannot be told from {counted(int(aliased.sum()), 'comparison')}: see below"
        )
    design = found.tables["design"].assign(week=lambda d: d["week"].map(number))
    lines += ["", *_table(design[["arm", "week", "state", "patients", "samples"]])]
    comparisons = found.tables["comparisons"]
    for word, title in (("yes", "supported comparisons"), ("no", "not supported")):
        rows = comparisons[comparisons["supported"] == word]
        lines += ["", f"  {title}: {len(rows)}"]
        for name, reason in zip(rows["contrast"], rows["reason"], strict=True):
            lines += _comparison(name, reason)
    lines += _batches(found.tables["batches"], comparisons)
    lines += ["", *_coverage(found.coverage), *_losses(found.tables["losses"])]
    for warning in found.warnings:
        lines += ["", *_wrapped(f"warning: {warning}")]
    return "\n".join([*lines, ""])


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


def _coverage(coverage: pd.DataFrame) -> list[str]:
    fine = int((coverage["status"] == SetStatus.OK).sum())
    lines = [f"  gene sets: {fine} of {len(coverage)} ok (genes found / asked)"]
    shown = (
        coverage if len(coverage) <= _MOST_SETS else coverage[coverage["status"] != SetStatus.OK]
    )
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


def _batches(batches: pd.DataFrame, comparisons: pd.DataFrame) -> list[str]:
    """Lay out biopsies by group and batch, and what the batches make of the comparisons."""
    from adnorm.study.comparisons import number

    if batches.empty:
        return []
    keys = ["arm", "week", "state"]
    wide = batches.pivot_table(index=keys, columns="batch", values="biopsies", fill_value=0)
    # A batch may be called "arm".
    wide = wide.astype(int).add_prefix("batch ")
    shown = wide.reset_index().assign(week=lambda d: d["week"].map(number))
    title = f"biopsies by batch ({counted(batches['batch'].nunique(), 'batch', 'batches')})"
    lines = ["", f"  {title}:"]
    if len(wide.columns) > _MOST_BATCHES:
        lines += _wrapped("too many for a table here; batches.tsv of a run has them", " " * 4)
    else:
        lines += _table(shown)
    for verdict, rows in comparisons[comparisons["batch"] != ""].groupby("batch", sort=True):
        lines += ["", f"  batches and comparisons, {verdict}: {len(rows)}"]
        for name, reason in zip(rows["contrast"], rows["batch_reason"], strict=True):
            lines += _comparison(name, reason)
    return lines


def _wrapped(text: str, indent: str = "  ") -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent)


def _comparison(name: str, reason: str) -> list[str]:
    """Lay out a name, then the reason in its own column, or below a long name."""
    column = 42
    if len(name) < column - 5:
        start = f"    {name:<{column - 4}}"
        return textwrap.wrap(reason, WIDTH, initial_indent=start, subsequent_indent=" " * column)
    return [f"    {name}"[:WIDTH], *_wrapped(reason, " " * 8)]


def _table(frame: pd.DataFrame) -> list[str]:
    rows = [list(frame.columns), *([str(v) for v in row] for row in frame.to_numpy())]
    widths = [min(40, max(map(len, column))) for column in zip(*rows, strict=True)]
    padded = (
        "  ".join(f"{text[:w]:<{w}}" for text, w in zip(row, widths, strict=True)) for row in rows
    )
    return [f"  {line}".rstrip() for line in padded]


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
