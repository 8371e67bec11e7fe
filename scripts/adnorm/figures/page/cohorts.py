"""Page one of a run, and the list of its cohorts with why one of them did not finish."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from adnorm.base.files import write_json
from adnorm.base.stops import read_stop
from adnorm.base.tables import read_table, write_table
from adnorm.figures.answer import SIMULATED, across, of_doses, read_answer
from adnorm.figures.names import Category
from adnorm.figures.page import write_page, write_text
from adnorm.figures.page.front import fronts, whole_page
from adnorm.study.vocabulary import Arm, Route

#: Columns of cohorts.tsv and their titles on the page.
COLUMNS = {
    "cohort": "Cohort",
    "title": "What it is",
    "accession": "Accession",
    "file": "Cohort file",
    "outcome": "Outcome",
    "patients": "Patients",
    "healthy": "Healthy people",
    "samples": "Samples",
    "arms": "Arms",
    "weeks": "Weeks",
    "reason": "Why it stopped",
}


#: Links from the list to the pages of a cohort.
PAGES = {"overview.html": "overview", "answers.html": "does it hold?"}


def build(
    inputs: Mapping[str, Any],
    outputs: Mapping[str, Path],
    settings: Mapping[str, Mapping[str, Any]],
    seed: int = 0,
) -> None:
    """Write page one, and list the cohorts of a run with their outcome.

    Parameters
    ----------
    inputs
        ``samples``, ``answers`` (JSON), ``pictures`` and the last results of the cohorts; each a
        list in the order of their ids. ``dose``: doses of the atlas, one table.
    outputs
        Where to write: ``front`` (page one), ``fragment`` (the same for the report), ``answers``
        (what a run cannot tell because of the trials it has, and doses by cohort), ``table`` and
        ``page`` (the list).
    settings
        Cohort files by id: title, accession, status, route.
    seed
        Nothing is random here.
    """
    names = sorted(settings)
    # The sample sheets first; a sheet that holds a reason to stop has no samples.
    of_cohorts = [files for name, files in inputs.items() if name != "dose"]
    files = zip(inputs["samples"], *of_cohorts, strict=True)
    rows = [
        _row(name, settings[name], *results) for name, results in zip(names, files, strict=True)
    ]
    # A row of a table stays a line; the page keeps the lines of the reason.
    lines = [row | {"reason": " ".join(row["reason"].split())} for row in rows]
    write_table(pd.DataFrame(lines, columns=list(COLUMNS)), outputs["table"])
    finished = sum(not row["reason"] for row in rows)
    # Nobody stopped: a column without a word would only narrow the others.
    shown = {k: v for k, v in COLUMNS.items() if finished < len(rows) or k != "reason"}
    simulated = [name for name in names if settings[name]["route"] == Route.SIMULATED]
    banners = []
    if simulated:
        some = "" if len(simulated) == len(names) else f" ({', '.join(simulated)})"
        banners.append(SIMULATED.format(some))
    write_page(
        outputs["page"],
        "cohorts.html",
        title="Cohorts of this run",
        banners=banners,
        columns=shown,
        rows=rows,
        pages=PAGES,
        menu=Category.ANSWER,
        finished=finished,
    )
    answered = [
        (name, answer, picture)
        for name, answer, picture in zip(names, inputs["answers"], inputs["pictures"], strict=True)
        if read_stop(answer) is None
    ]
    answers = [read_answer(answer) for _, answer, _ in answered]
    table = read_table(inputs["dose"]) if read_stop(inputs["dose"]) is None else pd.DataFrame()
    doses = {answer.cohort: of_doses(table, answer) for answer in answers}
    doses = {cohort: sentences for cohort, sentences in doses.items() if sentences}
    write_json({"care": across(answers), "doses": doses}, outputs["answers"])
    front, fragment = fronts(
        answers,
        [row for row in rows if row["reason"]],
        {name: picture for name, _, picture in answered},
        doses,
    )
    write_text(outputs["front"], whole_page(front))
    write_text(outputs["fragment"], fragment)


def _row(name: str, cohort: Mapping[str, Any], sheet: Path, *results: Path) -> dict[str, Any]:
    # Nobody can compare a simulated cohort with its series.
    status = Route.SIMULATED if cohort["route"] == Route.SIMULATED else cohort["status"]
    row: dict[str, Any] = dict.fromkeys(COLUMNS, "") | {
        "cohort": name,
        "title": cohort["title"],
        "accession": cohort["accession"] or "",
        "file": str(status),
        "outcome": "finished",
    }
    if read_stop(sheet) is None:
        samples = read_table(sheet)
        healthy = samples["arm"] == Arm.HEALTHY
        row["patients"] = samples.loc[~healthy, "patient"].nunique()
        row["healthy"] = samples.loc[healthy, "patient"].nunique()
        row["samples"] = len(samples)
        row["arms"] = ", ".join(sorted(samples["arm"].unique()))
        row["weeks"] = ", ".join(f"{week:g}" for week in sorted(samples["week"].unique()))
    stops = dict.fromkeys(stop for stop in map(read_stop, results) if stop)
    if stops:
        row["outcome"] = f"stopped at the stage {next(iter(stops)).stage}"
        row["reason"] = "\n".join(stop.message for stop in stops)
    return row
