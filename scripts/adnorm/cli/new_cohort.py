"""Propose a cohort file for a GEO series, a lab's own table and sheet, or an .h5ad.

The header or the table is read, and every canonical column gets a mapping with all raw values and
their counts. Each guess ends in '# confirm: …'; what nobody can guess is null and ends in
'# fill in: …', and no run accepts it before it is filled in."""

from __future__ import annotations

import argparse
import re
import shlex
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from adnorm.base.errors import AdnormError
from adnorm.base.text import counted
from adnorm.cli.terminal import say, say_json, warn

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from adnorm.onboarding.cohort_text import Marked
    from adnorm.onboarding.draft import CohortDraft

EXAMPLES = """examples:
  adnorm new-cohort GSE133385                            from GEO, into config/cohorts
  adnorm new-cohort GSE80342 --geo file:mirror/geo       from a folder laid out like GEO
  adnorm new-cohort GSE36842 --platform GPL570           one platform of several
  adnorm new-cohort data/counts.csv --sheet data/samples.csv --output my_cohorts
  adnorm new-cohort data/pseudobulk.h5ad --json
"""
_SHELF = Path("config/cohorts")


class _Line(TypedDict):
    """A line that is left to confirm or to fill in."""

    line: int
    mark: str
    remark: str


class _Proposal(TypedDict):
    """What there is to say about a proposed cohort file."""

    file: str
    samples: int
    route: str
    confirm: int
    fill_in: int
    lines: list[_Line]
    stops: str
    needs_identifier_table: bool
    geo: str | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("source", metavar="GSE…|FILE", help="GEO series, table or .h5ad")
    parser.add_argument("--sheet", type=Path, help="sample sheet of a table, one row per sample")
    parser.add_argument("--id", help="id of the cohort; else from the accession or file name")
    parser.add_argument(
        "--output", type=Path, help="folder of the new file; else config/cohorts or this folder"
    )
    parser.add_argument("--geo", help="address of GEO, of a mirror, or file:FOLDER laid out so")
    parser.add_argument("--platform", help="GPL…, for a series on several platforms")
    parser.add_argument("--force", action="store_true", help="overwrite an existing file")


def run(chosen: argparse.Namespace) -> int:
    """Write the proposal and say what is left to do."""
    from adnorm.onboarding.cohort_text import marked_lines, write_cohort
    from adnorm.onboarding.proposals import propose

    identity = _identity(chosen.id)
    with _draft(chosen) as draft:
        path = _target(chosen, identity or draft.identity)
        text = write_cohort(propose(draft, identity))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        marks = marked_lines(text)
        answer: _Proposal = {
            "file": str(path),
            "samples": len(draft.raw),
            "route": draft.route,
            "confirm": sum(m.mark == "confirm" for m in marks),
            "fill_in": sum(m.mark == "fill in" for m in marks),
            "lines": [{"line": m.line, "mark": m.mark, "remark": m.remark} for m in marks],
            "stops": _stops(path, draft, marks),
            "needs_identifier_table": _needs_table(draft),
            "geo": chosen.geo if draft.accession else None,
        }
    if chosen.json:
        say_json(answer)
    else:
        say(_as_text(answer))
    return 0


def _identity(name: str | None) -> str | None:
    if name is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise AdnormError(
            f"--id: '{name}' cannot be a folder; use letters, digits, '_' and '-' only"
        )
    return name


def _draft(chosen: argparse.Namespace) -> AbstractContextManager[CohortDraft]:
    from adnorm.onboarding.draft import draft_of_h5ad, draft_of_series, draft_of_table
    from adnorm.study.config import GeoSettings

    source = chosen.source
    if re.fullmatch(r"GSE\d+", source, re.IGNORECASE):
        if chosen.sheet:
            raise AdnormError("--sheet: a GEO series brings its own sample facts; leave this out")
        # A person waits for the answer.
        settings = GeoSettings(attempts=2, address=chosen.geo or GeoSettings().address)
        warn(f"reading the header of {source.upper()} at {settings.address}")
        return draft_of_series(source.upper(), chosen.platform, settings)
    path = Path(source)
    if source.endswith(".h5ad"):
        return nullcontext(draft_of_h5ad(path))
    if chosen.sheet is None:
        raise AdnormError(
            f"{source}: a table needs its sample sheet, one row per sample: add `--sheet FILE` (a "
            "GEO series is named by its accession, such as GSE80342)"
        )
    return nullcontext(draft_of_table(path, chosen.sheet))


def _target(chosen: argparse.Namespace, identity: str) -> Path:
    folder = chosen.output or (_SHELF if _SHELF.is_dir() else Path())
    path = folder / f"{identity}.yaml"
    if path.exists() and not chosen.force:
        raise AdnormError(
            f"{path}: this file exists; add `--force` to overwrite it, `--id NAME` for another "
            "name or `--output FOLDER` for another place"
        )
    return path


def _stops(path: Path, draft: CohortDraft, marks: list[Marked]) -> str:
    """Say what the proposal as it stands would stop with; empty when it would not."""
    from adnorm.study.cohort import MeasuredCohort
    from adnorm.study.reading import read_cohort
    from adnorm.study.samples import build_sample_sheet

    if any(mark.mark == "fill in" for mark in marks):
        return ""
    try:
        build_sample_sheet(draft.raw, read_cohort(path).view(MeasuredCohort))
    except AdnormError as error:
        return str(error)
    return ""


def _needs_table(draft: CohortDraft) -> bool:
    from adnorm.readers.identifiers import ENSEMBL, ENTREZ, identifier_type

    named = draft.assay == "microarray" or draft.route == "ncbi_counts"
    if named or draft.values is None:
        return False
    try:
        return identifier_type(draft.values.index, "") in (ENSEMBL, ENTREZ)
    except AdnormError:
        return False


def _as_text(answer: _Proposal) -> str:
    from adnorm.onboarding.cohort_text import scalar

    lines = [f"{answer['file']}: {answer['samples']} samples, route {answer['route']}"]
    for entry in answer["lines"]:
        if entry["mark"] == "fill in":
            lines.append(f"  line {entry['line']}: fill in {entry['remark']}")
    lines.append(f"{counted(answer['confirm'], 'line')} to confirm, {answer['fill_in']} to fill in")
    if answer["stops"]:
        lines.append(f"As it stands it would stop: {answer['stops']}")
    check = f"adnorm check {shlex.quote(answer['file'])}"
    if answer["needs_identifier_table"] or answer["geo"]:
        lines += ["Next: edit the file, and name it in a configuration, such as my_run.yaml:"]
        lines += [f"  cohorts: [{scalar(answer['file'])}]"]
        if answer["geo"]:
            lines += [f"  geo: {{address: {scalar(answer['geo'])}}}"]
        if answer["needs_identifier_table"]:
            lines += [
                "  identifiers: {table: FILE OR URL}    # the rows are Ensembl or Entrez ids; "
                "HGNC complete set or GENCODE gene table"
            ]
        lines += ["then `adnorm check --configfile my_run.yaml`"]
    else:
        lines.append(f"Next: edit the file, then `{check}`")
    return "\n".join(lines)
