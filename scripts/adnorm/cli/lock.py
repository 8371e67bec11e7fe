"""Pin the files of a run in a table, so that a run stops when one has changed.

Asks the servers for the files of each cohort and writes their size, SHA-256, numbers of rows and
samples, and the day into the table of checksums (config: checksums:). Runs and checks refuse other
bytes from then on. Files that are pinned already are compared: one that differs is shown with both
versions, stays as it is pinned, and the exit code is 1."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from adnorm.base.errors import AdnormError
from adnorm.cli import configuration
from adnorm.cli.terminal import in_words, say, say_json, step, warn
from adnorm.study.vocabulary import Route

if TYPE_CHECKING:
    from adnorm.study.checksums import Pin
    from adnorm.study.cohort import Cohort
    from adnorm.study.config import RunConfig

EXAMPLES = """examples:
  adnorm lock --configfile my_run.yaml             pin the files of all cohorts of a run
  adnorm lock gse80342 --configfile my_run.yaml    of one cohort
  adnorm lock --check --configfile my_run.yaml     compare only
  adnorm lock --update --configfile my_run.yaml    pin what is there now instead
"""


class _File(TypedDict):
    """A file of a cohort as it is now and as it is pinned, where it is."""

    file: str
    found: dict[str, object] | None
    pinned: dict[str, object] | None


class _Answer(TypedDict):
    """What there is to say about a cohort."""

    id: str
    files: list[_File]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    configuration.add_arguments(parser)
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--check", action="store_true", help="compare, and write nothing")
    how.add_argument(
        "--update", action="store_true", help="pin what is there now where it differs, too"
    )


def run(chosen: argparse.Namespace) -> int:
    """Pin or compare; 1 when something differs from what is pinned or a cohort cannot be read."""
    from adnorm.study.checksums import write_checksums
    from adnorm.study.config import CHECKSUMS

    config, where = configuration.read_configuration(chosen)
    place = config.get("checksums", CHECKSUMS)
    if not isinstance(place, str):
        raise AdnormError(f"{where}: checksums: null names no table to write; name one or leave it")
    if not Path(place).exists():
        # It is about to be made.
        config = {key: value for key, value in config.items() if key != "checksums"}
    studies, problems, _ = configuration.read_studies(config, where)
    pins = {name: dict(files) for study in studies for name, files in study.pins.items()}
    before = {name: dict(files) for name, files in pins.items()}
    answers: list[_Answer] = []
    for study in studies:
        for name, cohort in study.cohorts.items():
            if cohort.route == Route.SIMULATED:
                continue
            step(f"{name}: files")
            known = before.get(name, {})
            try:
                found = _as_found(cohort, study.config)
            except Exception as error:  # noqa: BLE001 -- the other cohorts are pinned all the same
                problems.append(in_words(error))
                continue
            if chosen.update:
                pins[name] = {key: _kept(known.get(key), pin) for key, pin in found.items()}
            else:
                pins[name] = found | known
            answers.append({"id": name, "files": _compared(found, known)})
    written = not chosen.check and pins != before
    if written:
        write_checksums(pins, Path(place))
    differs = not chosen.update and any(_differs(file) for a in answers for file in a["files"])
    missing = chosen.check and any(file["pinned"] is None for a in answers for file in a["files"])
    if chosen.json:
        fine = not problems and not differs and not missing
        say_json({"fine": fine, "problems": problems, "table": place, "cohorts": answers})
    else:
        for answer in answers:
            say(_as_text(answer, chosen))
        say(f"written: {place}" if written else f"{place}: nothing to write")
    if differs and not chosen.json:
        warn(
            "Files differ from what is pinned. Put the pinned versions back, or, if what is there "
            "now is right, pin it: adnorm lock --update"
        )
    if problems:
        warn("STOPPED: " + "\n".join(problems))
    return 1 if problems or differs or missing else 0


def _as_found(cohort: Cohort, config: RunConfig) -> dict[str, Pin]:
    """Fetch the files of a cohort, whatever is pinned, and count what they hold."""
    from adnorm.base.files import read_json
    from adnorm.base.inflate import allowing
    from adnorm.cli.gathering import gathered
    from adnorm.expression.sources import open_sources
    from adnorm.study.checksums import Pin
    from adnorm.study.cohort import MeasuredCohort

    today = date.today().isoformat()
    with gathered(cohort, config, {}, fresh=True) as manifest, allowing(cohort.source.model_dump()):
        entries = read_json(manifest)["files"]
        sources = open_sources(manifest, cohort.view(MeasuredCohort))
        counts: dict[str, dict[str, int]] = {
            role: {"samples": len(sources.raw)} for role in ("series_matrix", "sheet")
        }
        rows, columns = sources.published_values().shape
        counts[sources.values_role] = {"rows": rows, "samples": columns}
    return {
        entry["name"]: Pin(
            bytes=entry["bytes"],
            sha256=entry["sha256"],
            date=today,
            **counts.get(entry["role"], {}),
        )
        for entry in entries
    }


def _kept(known: Pin | None, found: Pin) -> Pin:
    """Keep the day on which the same file was pinned."""
    return known if known and known.sha256 == found.sha256 else found


def _compared(found: Mapping[str, Pin], pinned: Mapping[str, Pin]) -> list[_File]:
    """Lay found and pinned files side by side."""
    return [
        {
            "file": name,
            "found": found[name].model_dump() if name in found else None,
            "pinned": pinned[name].model_dump() if name in pinned else None,
        }
        for name in sorted({*found, *pinned})
    ]


def _differs(file: _File) -> bool:
    """Whether a pinned file is another one now, or none."""
    found, pinned = file["found"], file["pinned"]
    return pinned is not None and (found is None or found["sha256"] != pinned["sha256"])


def _day(pin: Pin) -> str:
    return f" on {pin.date}" if pin.date else ""


def _as_text(answer: _Answer, chosen: argparse.Namespace) -> str:
    from adnorm.study.checksums import Pin

    lines = [f"{answer['id']}:"]
    for file in answer["files"]:
        found = Pin.model_validate(file["found"]) if file["found"] else None
        pinned = Pin.model_validate(file["pinned"]) if file["pinned"] else None
        if found and pinned is None:
            lines.append(f"  {file['file']}: {'not pinned' if chosen.check else 'pinned'}: {found}")
        elif pinned and not _differs(file):
            lines.append(f"  {file['file']}: as pinned{_day(pinned)}")
        elif pinned:
            lines.append(f"  {file['file']}: {'pinned anew' if chosen.update else 'DIFFERS'}")
            lines.append(f"    {'was' if chosen.update else 'pinned'}{_day(pinned)}: {pinned}")
            lines.append(f"    now: {found or 'no such file of this cohort'}")
    return "\n".join(lines)
