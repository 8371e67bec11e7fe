"""Lays the check of one cohort out for a terminal, and for programs."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

import pandas as pd

from adnorm.base.losses import percent
from adnorm.cli.inspection import Inspection
from adnorm.study.comparisons import number

WIDTH = 100
#: More sets than this, and only those that fall short are listed.
_MOST_SETS = 60
#: So many unconfirmed lines are shown.
_MOST_MARKS = 6
_OK = "ok"


def as_text(found: Inspection) -> str:
    """Write the check of a cohort in lines of at most 100 characters."""
    cohort = found.cohort
    lines = [f"{cohort['id']} · {cohort['title']}"[:WIDTH]]
    if found.problems:
        lines += _wrapped(f"stopped, {_many(len(found.problems), 'problem')}; see below")
        return "\n".join([*lines, ""])
    if found.unconfirmed:
        lines += _wrapped(unconfirmed(found))
    samples, excluded = found.tables["samples"], found.tables["excluded"]
    lines += _wrapped(
        f"{_many(len(samples), 'sample')} of {_many(samples['patient'].nunique(), 'patient')}, "
        f"{len(excluded)} excluded, {found.genes:,} genes; reference: "
        f"{cohort['reference'] or 'none'}; placebo arm: {cohort['placebo_arm'] or 'none'}"
    )
    for reason, rows in excluded.groupby("reason"):
        lines += _wrapped(f"excluded, {reason}: {len(rows)}")
    design = found.tables["design"].assign(week=lambda d: d["week"].map(number))
    lines += ["", *_table(design[["arm", "week", "state", "patients", "samples"]])]
    comparisons = found.tables["comparisons"]
    for word, title in (("yes", "supported comparisons"), ("no", "not supported")):
        rows = comparisons[comparisons["supported"] == word]
        lines += ["", f"  {title}: {len(rows)}"]
        for row in rows.itertuples():
            lines += _entry(row.contrast, row.reason)
    lines += ["", *_coverage(found.coverage), *_losses(found.tables["losses"])]
    for warning in found.warnings:
        lines += ["", *_wrapped(f"warning: {warning}")]
    return "\n".join([*lines, ""])


def unconfirmed(found: Inspection) -> str:
    """Say how many guesses of the cohort file nobody has confirmed, and which they are."""
    count = len(found.unconfirmed)
    shown = [f"{mark.line} ({mark.text})" for mark in found.unconfirmed[:_MOST_MARKS]]
    more = f" and {count - _MOST_MARKS} more" if count > _MOST_MARKS else ""
    return (
        f"{_many(count, 'line')} of the cohort file still {'carries' if count == 1 else 'carry'} "
        f"'# confirm:', so they are guesses: {'line' if count == 1 else 'lines'} "
        f"{', '.join(shown)}{more}. Compare them with the series, then take the marks out"
    )


def _coverage(coverage: pd.DataFrame) -> list[str]:
    fine = int((coverage["status"] == _OK).sum())
    lines = [f"  gene sets: {fine} of {len(coverage)} ok (genes found / asked)"]
    shown = coverage if len(coverage) <= _MOST_SETS else coverage[coverage["status"] != _OK]
    for row in shown.head(_MOST_SETS).itertuples():
        status = "" if row.status == _OK else f"  {row.status.replace('_', ' ')}"
        lines.append(f"    {row.set[:60]:<60} {row.found:>5} / {row.asked:<5}{status}".rstrip())
    if len(shown) > _MOST_SETS:
        lines.append(f"    and {len(shown) - _MOST_SETS} more that fall short")
    return lines


def _losses(losses: pd.DataFrame) -> list[str]:
    """List what is lost on the way; the large losses are told as warnings, with what to do."""
    lines = ["", "  lost on the way:"] if len(losses) else ["", "  lost on the way: nothing"]
    for row in losses.itertuples():
        told = f"{row.lost:,} of {row.of:,} {row.what} ({percent(row.share)})"
        mark = " – see the warning" if row.warning == "yes" else ""
        lines += textwrap.wrap(told + mark, WIDTH, initial_indent="    ", subsequent_indent=" " * 6)
    return lines


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _wrapped(text: str, indent: str = "  ") -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent)


def _entry(name: str, reason: str) -> list[str]:
    """One comparison: its name, then the reason in its own column, or below a long name."""
    column = 42
    if len(name) < column - 5:
        return textwrap.wrap(
            reason,
            WIDTH,
            initial_indent=f"    {name:<{column - 4}}",
            subsequent_indent=" " * column,
        )
    return [f"    {name}"[:WIDTH], *_wrapped(reason, " " * 8)]


def _table(frame: pd.DataFrame) -> list[str]:
    cells = [list(frame.columns), *([str(v) for v in row] for row in frame.to_numpy())]
    widths = [min(40, max(len(row[i]) for row in cells)) for i in range(len(cells[0]))]
    return ["  " + _row(row, widths) for row in cells]


def _row(row: Iterable[str], widths: list[int]) -> str:
    return "  ".join(f"{cell[:w]:<{w}}" for cell, w in zip(row, widths, strict=True)).rstrip()


def as_json(found: Inspection) -> dict:
    """Give the check of a cohort as plain values; missing numbers are null."""
    answer = {
        "id": found.cohort["id"],
        "title": found.cohort["title"],
        "fine": not found.problems,
        "problems": found.problems,
        "warnings": found.warnings,
        "to_confirm": [{"line": m.line, "remark": m.remark} for m in found.unconfirmed],
    }
    if found.problems:
        return answer
    samples = found.tables["samples"]
    return answer | {
        "samples": len(samples),
        "patients": int(samples["patient"].nunique()),
        "genes": found.genes,
        "excluded": _records(found.tables["excluded"]),
        "design": _records(found.tables["design"]),
        "comparisons": _records(found.tables["comparisons"]),
        "losses": _records(found.tables["losses"]),
        "gene_sets": _records(found.coverage[["set", "asked", "found", "status", "reason"]]),
    }


def _records(frame: pd.DataFrame) -> list[dict]:
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [{k: v.item() if hasattr(v, "item") else v for k, v in row.items()} for row in rows]
