"""The first page of a report: the cohorts of the run, and why one of them did not finish."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from adnorm.base.stops import read_stop
from adnorm.base.tables import atomic, read_table, write_table

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

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Cohorts of this run</title>
<style>{{ style }} td.title { min-width: 15rem; }
td.reason { white-space: pre-wrap; min-width: 22rem; }</style>
</head>
<body>
<h1>Cohorts of this run</h1>
<p class="lead">{{ finished }} of {{ rows | length }} cohorts finished.
{% if finished < rows | length %}What joins cohorts was made without the others.{% endif %}
A cohort file is verified once a run against the published series has confirmed its mapping.</p>
<div class="scroll" tabindex="0" role="region" aria-label="Cohorts"><table>
<thead><tr>
{%- for title in columns.values() %}<th scope="col">{{ title }}</th>{% endfor -%}
</tr></thead>
<tbody>
{% for row in rows %}
<tr{% if row.reason %} class="flag"{% endif %}>
{%- for name in columns %}
{%- if loop.first %}<th scope="row">{{ row[name] }}</th>
{%- else %}<td class="{{ name }}">{{ row[name] }}</td>{% endif -%}
{%- endfor %}</tr>
{% endfor %}
</tbody></table></div>
</body>
</html>
"""


def build_cohorts(
    cohorts: dict[str, dict], results: dict[str, Iterable[Path]], outputs: dict[str, Path]
) -> None:
    """List the cohorts of a run with their outcome.

    Parameters
    ----------
    cohorts
        Cohort files by id: title, accession, status.
    results
        By id: samples.tsv first, then the last results of the cohort.
    outputs
        Where to write: ``table`` and ``page``.
    """
    from jinja2 import Environment
    from markupsafe import Markup

    from adnorm.figures.template import STYLE

    rows = [_row(name, cohorts[name], list(results[name])) for name in sorted(cohorts)]
    # A row of a table stays a line; the page keeps the lines of the reason.
    lines = [row | {"reason": " ".join(row["reason"].split())} for row in rows]
    write_table(pd.DataFrame(lines, columns=list(COLUMNS)), outputs["table"])
    finished = sum(not row["reason"] for row in rows)
    # Nobody stopped: a column without a word would only narrow the others.
    shown = {
        name: title for name, title in COLUMNS.items() if finished < len(rows) or name != "reason"
    }
    page = Environment(autoescape=True).from_string(PAGE)
    with atomic(outputs["page"]) as temporary:
        temporary.write_text(
            page.render(style=Markup(STYLE), columns=shown, rows=rows, finished=finished) + "\n",
            encoding="utf-8",
        )


def _row(name: str, cohort: dict, files: list[Path]) -> dict[str, object]:
    row = dict.fromkeys(COLUMNS, "") | {
        "cohort": name,
        "title": cohort["title"],
        "accession": cohort["accession"] or "",
        "file": cohort["status"],
        "outcome": "finished",
    }
    if read_stop(files[0]) is None:
        samples = read_table(files[0])
        row["patients"] = samples["patient"].nunique()
        row["samples"] = len(samples)
        row["arms"] = ", ".join(sorted(samples["arm"].unique()))
        row["weeks"] = ", ".join(f"{week:g}" for week in sorted(samples["week"].unique()))
    stops = dict.fromkeys(stop for stop in map(read_stop, files) if stop)
    if stops:
        row["outcome"] = f"stopped at the stage {next(iter(stops)).stage}"
        row["reason"] = "\n".join(stop.message for stop in stops)
    return row
