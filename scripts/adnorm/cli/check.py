"""Validate cohorts without running the workflow.

Reads each cohort by the code of a run: schema, files, sample sheet, design, pairs, comparisons,
scale, identifiers, what is lost on the way, scores of the gene sets, and the fit of every
comparison. All problems of all cohorts are told at once. Files of the last run are used; what is
missing is downloaded aside, and nothing is written into the results."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from adnorm.base.errors import AdnormError
from adnorm.base.logs import warnings_collected
from adnorm.base.shipped import HOME
from adnorm.cli import configuration
from adnorm.cli.terminal import in_words, say, say_json, warn

if TYPE_CHECKING:
    from adnorm.cli.inspection import Inspection
    from adnorm.onboarding.cohort_text import Marked

EXAMPLES = """examples:
  adnorm check                                       all cohorts of config/config.yaml
  adnorm check --configfile my_run.yaml              all cohorts of a run of your own
  adnorm check my_cohorts/lab.yaml gse80342          these two
  adnorm check --configfile my_run.yaml --json
  adnorm check --configfile config/real.yaml --config geo="{address: 'file:mirror/geo'}"
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    configuration.add_arguments(parser)


def run(chosen: argparse.Namespace) -> int:
    """Print what each cohort would give; 1 when any has a problem."""
    config, where = configuration.read_configuration(chosen)
    # The gene sets are read again with each cohort, which tells what was mended in them.
    known: list[str] = []
    with warnings_collected(known):
        studies, problems, unread = configuration.read_studies(config, where)
    problems += _unfilled(config)
    # Each takes seconds to import; a wrong configuration is told before.
    from adnorm.cli.check_table import as_json, as_text
    from adnorm.cli.inspection import inspect_cohort
    from adnorm.onboarding.cohort_text import CONFIRM

    found = []
    for study in studies:
        for cohort in study.cohorts.values():
            inspection = inspect_cohort(cohort, study.config)
            inspection.unconfirmed = _marks(study.files[cohort["id"]], CONFIRM)
            inspection.warnings += _untreated(inspection)
            found.append(inspection)
            if not chosen.json:
                say(as_text(inspection))
    problems += [text for inspection in found for text in inspection.problems]
    # What keeps a run from being read is told once.
    behind = _behind(unread, config)
    problems += [text for text in behind if not any(text in told for told in problems)]
    # Cohorts share the identifier table and the gene sets.
    problems = list(dict.fromkeys(problems))
    if chosen.json:
        cohorts = [as_json(inspection) for inspection in found]
        answer = {"fine": not problems, "problems": problems, "cohorts": cohorts}
        say_json(answer)
    if problems:
        warn(_all(problems))
    elif not chosen.json:
        warned = sum(len(inspection.warnings) for inspection in found)
        told = f", but {warned} warning{'' if warned == 1 else 's'}; see above" if warned else ""
        say(f"{len(found)} cohort{'' if len(found) == 1 else 's'} checked, no problem found{told}")
        marks = sum(len(inspection.unconfirmed) for inspection in found)
        if marks:
            say(f"Not confirmed yet: {marks} line{'' if marks == 1 else 's'}, listed above")
        names = [inspection.cohort["id"] for inspection in found]
        call, report = configuration.snakemake_call(chosen, config, names)
        say(f"Run: {call}\nReport: the same call with --report {report}")
    return 1 if problems else 0


def _all(problems: list[str]) -> str:
    if len(problems) == 1:
        return f"STOPPED: {problems[0]}"
    numbered = "\n".join(f"{i}. {text}" for i, text in enumerate(problems, 1))
    return f"STOPPED: {len(problems)} problems\n{numbered}"


def _unfilled(config: dict) -> list[str]:
    """List the lines that a proposal left to be filled in."""
    from adnorm.onboarding.cohort_text import FILL

    problems = []
    for name in configuration.cohort_names(config):
        named, path = configuration.cohort_path(name, config)
        if not path.is_file():
            continue
        marks = _marks(path, FILL)
        if marks:
            told = "; ".join(f"line {m.line} ({m.text}): {m.remark}" for m in marks)
            problems.append(f"{named}: to fill in: {told}")
    return problems


def _untreated(inspection: Inspection) -> list[str]:
    """Warn when a cohort without treatment has a field that speaks of placebo or a dose."""
    from adnorm.onboarding.arms import holds_treatment

    samples = inspection.tables.get("samples")
    if samples is None or (samples["treatment"] != "none").any():
        return []
    fields = samples.filter(regex="^geo_").rename(columns=lambda name: name.removeprefix("geo_"))
    held = holds_treatment(fields)
    return [f"samples: treatment: none for all samples, but {held}"] if held else []


def _marks(path: Path, mark: str) -> list[Marked]:
    """List the lines of a cohort file that still carry a mark of `adnorm new-cohort`."""
    from adnorm.onboarding.cohort_text import marked_lines

    return [m for m in marked_lines(path.read_text("utf-8", "replace")) if m.mark == mark]


def _behind(unread: list[str], config: dict) -> list[str]:
    """Find what else is wrong with cohorts whose files are refused."""
    from adnorm.cli.inspection import inspect_cohort
    from adnorm.cli.stand_ins import readable_part
    from adnorm.study.cohort import locate
    from adnorm.study.schema import check

    try:
        settings = check(config, "config", "")
    except AdnormError:
        return []
    settings["gene_sets"] = [str(locate(p, HOME)) for p in settings["gene_sets"]]
    problems = []
    for name in unread:
        named, path = configuration.cohort_path(name, config)
        try:
            part = readable_part(path, named) if path.is_file() else None
        except Exception as error:  # noqa: BLE001 -- the other cohorts are looked at all the same
            problems.append(f"{named}: {in_words(error)}")
            continue
        if part is not None:
            cohort, replaced = part
            told = inspect_cohort(cohort, settings).problems
            problems += [text for text in told if not _due_to(text, replaced)]
    return problems


def _due_to(text: str, replaced: set[str]) -> bool:
    """Whether a problem is one of the stand-in for a key, not of the file."""
    return any(f"`{key}: " in text or f" {key}: " in text for key in replaced)
