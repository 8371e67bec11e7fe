"""The first page of a report: the cohorts of the run, and why one of them did not finish."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from adnorm.base.stops import read_stop
from adnorm.base.tables import read_table, write_table
from adnorm.figures.page import write_page

#: Columns of cohorts.tsv and their titles on the page.
COLUMNS = {
    "cohort": "Cohort",
    "title": "What it is",
    "accession": "Accession",
    "file": "Cohort file",
    "outcome": "Outcome",
    "patients": "Patients",
    "samples": "Samples",
    "arms": "Arms",
    "weeks": "Weeks",
    "reason": "Why it stopped",
}


def build(
    inputs: Mapping[str, Sequence[Path]],
    outputs: Mapping[str, Path],
    settings: Mapping[str, Mapping[str, Any]],
    seed: int = 0,
) -> None:
    """List the cohorts of a run with their outcome.

    Parameters
    ----------
    inputs
        ``samples`` and the last results of the cohorts; each a list in the order of their ids.
    outputs
        Where to write: ``table`` and ``page``.
    settings
        Cohort files by id: title, accession, status.
    seed
        Nothing is random here.
    """
    # The sample sheets first; a sheet that holds a reason to stop has no samples.
    files = zip(inputs["samples"], *inputs.values(), strict=True)
    rows = [
        _row(name, settings[name], *results)
        for name, results in zip(sorted(settings), files, strict=True)
    ]
    # A row of a table stays a line; the page keeps the lines of the reason.
    lines = [row | {"reason": " ".join(row["reason"].split())} for row in rows]
    write_table(pd.DataFrame(lines, columns=list(COLUMNS)), outputs["table"])
    finished = sum(not row["reason"] for row in rows)
    # Nobody stopped: a column without a word would only narrow the others.
    shown = {k: v for k, v in COLUMNS.items() if finished < len(rows) or k != "reason"}
    write_page(outputs["page"], "cohorts.html", columns=shown, rows=rows, finished=finished)


def _row(name: str, cohort: Mapping[str, Any], sheet: Path, *results: Path) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(COLUMNS, "") | {
        "cohort": name,
        "title": cohort["title"],
        "accession": cohort["accession"] or "",
        "file": cohort["status"],
        "outcome": "finished",
    }
    if read_stop(sheet) is None:
        samples = read_table(sheet)
        row["patients"] = samples["patient"].nunique()
        row["samples"] = len(samples)
        row["arms"] = ", ".join(sorted(samples["arm"].unique()))
        row["weeks"] = ", ".join(f"{week:g}" for week in sorted(samples["week"].unique()))
    stops = dict.fromkeys(stop for stop in map(read_stop, results) if stop)
    if stops:
        row["outcome"] = f"stopped at the stage {next(iter(stops)).stage}"
        row["reason"] = "\n".join(stop.message for stop in stops)
    return row
