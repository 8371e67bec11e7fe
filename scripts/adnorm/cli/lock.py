"""Pin the checksums of the fetched files in the cohort files.

Writes SHA-256 digests as `source: sha256:`, so that a run stops when a file has changed at its
source. Comments and all other lines stay. With --check nothing is written: differences are listed,
and the exit code is 1 if there are any."""

from __future__ import annotations

import argparse

from adnorm.cli import configuration
from adnorm.cli.terminal import in_words, say, say_json, warn

EXAMPLES = """examples:
  adnorm lock --configfile my_run.yaml             pin the files of all cohorts of the run
  adnorm lock gse80342 --configfile my_run.yaml    of one cohort
  adnorm lock --check --configfile my_run.yaml     compare only
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    configuration.add_arguments(parser)
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")


def run(chosen: argparse.Namespace) -> int:
    """Pin or compare; 1 when a comparison finds differences or a cohort cannot be read."""
    from adnorm.cli.pinning import pin

    config, where = configuration.read_configuration(chosen)
    studies, problems, _ = configuration.read_studies(config, where)
    answers = []
    for study in studies:
        for name, cohort in study.cohorts.items():
            if cohort["route"] == "simulated":
                continue
            try:
                found = _digests(cohort, study.config)
                files = _compared(found, cohort["source"]["sha256"])
                if not chosen.check and _differ(files):
                    pin(study.files[name], {role: digest for role, (_, digest) in found.items()})
            except Exception as error:  # noqa: BLE001 -- the other cohorts are pinned all the same
                problems.append(in_words(error))
                continue
            answers.append({"id": name, "cohort_file": str(study.files[name]), "files": files})
    differ = any(_differ(answer["files"]) for answer in answers)
    if chosen.json:
        fine = not problems and not (chosen.check and differ)
        say_json({"fine": fine, "problems": problems, "cohorts": answers})
    else:
        for answer in answers:
            say("\n".join(_told(answer, chosen.check)))
    if problems:
        warn("STOPPED: " + "\n".join(problems))
    return 1 if problems or (chosen.check and differ) else 0


def _digests(cohort: dict, config: dict) -> dict[str, tuple[str, str]]:
    """Return role → (file name, digest) of the files of a cohort, whatever is pinned so far."""
    from adnorm.base.tables import read_json
    from adnorm.cli.gathering import gathered

    free = cohort | {"source": cohort["source"] | {"sha256": {}}}
    with gathered(free, config, fresh=True) as manifest:
        files = read_json(manifest)["files"]
    return {entry["role"]: (entry["name"], entry["sha256"]) for entry in files}


def _compared(found: dict[str, tuple[str, str]], pinned: dict[str, str]) -> list[dict]:
    """Lay found and pinned digests side by side; a digest may be pinned by role or file name."""
    rows = []
    known = set()
    for role, (name, digest) in sorted(found.items()):
        key = role if role in pinned else name
        known.add(key)
        rows.append({"file": name, "role": role, "found": digest, "pinned": pinned.get(key)})
    for key in sorted(set(pinned) - known):
        rows.append({"file": key, "role": None, "found": None, "pinned": pinned[key]})
    return rows


def _differ(files: list[dict]) -> bool:
    return any(file["found"] != file["pinned"] for file in files)


def _told(answer: dict, compare: bool) -> list[str]:
    lines = []
    for file in answer["files"]:
        found, pinned = file["found"], file["pinned"]
        if found == pinned:
            what = "as pinned"
        elif found is None:
            what = f"pinned ({pinned[:12]}…), but no file of this cohort"
        elif pinned is None:
            what = f"{found[:12]}… is not pinned" if compare else f"pinned as {found[:12]}…"
        else:
            what = f"pinned is {pinned[:12]}…, found is {found[:12]}…"
        lines.append(f"  {file['file']}: {what}")
    written = not compare and _differ(answer["files"])
    head = f"{answer['id']}: " + (f"written to {answer['cohort_file']}" if written else "compared")
    return [head, *lines]
