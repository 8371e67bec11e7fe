"""Pin the checksums of the fetched files in the cohort files.

Writes SHA-256 digests as `source: sha256:`, so that a run stops when a file has changed at its
source. Comments and all other lines stay. With --check nothing is written: differences are listed,
and the exit code is 1 if there are any."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import yaml

from adnorm.base.errors import AdnormError
from adnorm.cli import configuration
from adnorm.cli.terminal import in_words, say, say_json, warn
from adnorm.study.vocabulary import Route

if TYPE_CHECKING:
    from adnorm.study.cohort import Cohort
    from adnorm.study.config import RunConfig

KEY = "sha256"
EXAMPLES = """examples:
  adnorm lock --configfile my_run.yaml             pin the files of all cohorts of the run
  adnorm lock gse80342 --configfile my_run.yaml    of one cohort
  adnorm lock --check --configfile my_run.yaml     compare only
"""


class _File(TypedDict):
    """A file of a cohort: its digest now and the one that is pinned, where there is one."""

    file: str
    role: str | None
    found: str | None
    pinned: str | None


class _Answer(TypedDict):
    """What there is to say about a cohort."""

    id: str
    cohort_file: str
    files: list[_File]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    configuration.add_arguments(parser)
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")


def run(chosen: argparse.Namespace) -> int:
    """Pin or compare; 1 when a comparison finds differences or a cohort cannot be read."""
    config, where = configuration.read_configuration(chosen)
    studies, problems, _ = configuration.read_studies(config, where)
    answers: list[_Answer] = []
    for study in studies:
        for name, cohort in study.cohorts.items():
            if cohort.route == Route.SIMULATED:
                continue
            try:
                found = _digests(cohort, study.config)
                files = _compared(found, cohort.source.sha256)
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
            say(_as_text(answer, chosen.check))
    if problems:
        warn("STOPPED: " + "\n".join(problems))
    return 1 if problems or (chosen.check and differ) else 0


def _digests(cohort: Cohort, config: RunConfig) -> dict[str, tuple[str, str]]:
    """Return role → (file name, digest) of the files of a cohort, whatever is pinned so far."""
    from adnorm.base.files import read_json
    from adnorm.cli.gathering import gathered

    source = cohort.source.model_copy(update={"sha256": {}})
    free = cohort.model_copy(update={"source": source})
    with gathered(free, config, fresh=True) as manifest:
        files = read_json(manifest)["files"]
    return {entry["role"]: (entry["name"], entry["sha256"]) for entry in files}


def _compared(found: dict[str, tuple[str, str]], pinned: dict[str, str]) -> list[_File]:
    """Lay found and pinned digests side by side; a digest may be pinned by role or file name."""
    left, rows = dict(pinned), list[_File]()
    for role, (name, digest) in sorted(found.items()):
        pin = left.pop(role if role in pinned else name, None)
        rows.append({"file": name, "role": role, "found": digest, "pinned": pin})
    rows += [{"file": k, "role": None, "found": None, "pinned": left[k]} for k in sorted(left)]
    return rows


def _differ(files: list[_File]) -> bool:
    return any(file["found"] != file["pinned"] for file in files)


def _as_text(answer: _Answer, compare: bool) -> str:
    lines = []
    for file in answer["files"]:
        found, pinned = file["found"], file["pinned"]
        if found == pinned:
            what = "as pinned"
        elif found and pinned:
            what = f"pinned is {pinned[:12]}…, found is {found[:12]}…"
        elif found:
            what = f"{found[:12]}… is not pinned" if compare else f"pinned as {found[:12]}…"
        elif pinned:
            what = f"pinned ({pinned[:12]}…), but no file of this cohort"
        lines.append(f"  {file['file']}: {what}")
    written = not compare and _differ(answer["files"])
    head = f"{answer['id']}: " + (f"written to {answer['cohort_file']}" if written else "compared")
    return "\n".join([head, *lines])


# ---------------------------------------------------------------- writing by lines
#
# A library that keeps comments (ruamel.yaml) writes flow mappings, nulls and long lines anew; here
# every line but those of the digests stays as it is.


def pin(path: Path, digests: dict[str, str]) -> None:
    """Write ``source: sha256:`` (role → digest) into a cohort file; all other lines stay.

    Raises
    ------
    AdnormError
        The file is written in a way that cannot be edited by lines; it is left as it was.
    """
    text = path.read_text(encoding="utf-8")
    # Read as text only: numbers must stay as they are written.
    wanted = yaml.load(text, Loader=yaml.CBaseLoader)
    source = wanted.get("source")
    source = source if isinstance(source, dict) else {}
    wanted["source"] = source | {KEY: digests}
    pinned = "\n".join(_edited(text, digests)) + "\n"
    try:
        same = yaml.load(pinned, Loader=yaml.CBaseLoader) == wanted
    except yaml.YAMLError:
        same = False
    if not same:
        lines = "\n".join(_block(digests, "  "))
        raise AdnormError(
            f"{path}: `source:` is written in a way that adnorm cannot edit by lines; write it by "
            f"hand:\nsource:\n{lines}"
        )
    path.write_text(pinned, encoding="utf-8")


def _edited(text: str, digests: dict[str, str]) -> list[str]:
    lines = text.splitlines()
    node = _value(yaml.compose(text, Loader=yaml.CSafeLoader), "source")
    if not isinstance(node, yaml.MappingNode):
        lines = [line for line in lines if not line.startswith("source:")]
        place = _before_samples(lines)
        lines[place:place] = ["source:", *_block(digests, "  ")]
    elif node.flow_style:
        # Digests are too long for one line.
        first, last = node.start_mark.line, node.end_mark.line
        comment = lines[last][node.end_mark.column :].strip()
        entries = [
            "  " + text[key.start_mark.index : value.end_mark.index]
            for key, value in node.value
            if key.value != KEY
        ]
        head = "source:" + (f"  {comment}" if comment else "")
        lines[first : last + 1] = [head, *entries, *_block(digests, "  ")]
    else:
        indent = " " * node.value[0][0].start_mark.column
        old = next((key for key, _ in node.value if key.value == KEY), None)
        # Below the last entry; a comment that follows belongs to what comes next.
        end = _last_line(_value(node, KEY) if old else node) + 1
        place = old.start_mark.line if old else end
        lines[place:end] = _block(digests, indent)
    return lines


def _before_samples(lines: list[str]) -> int:
    """Find the place above the treatments or samples, and above the comments that open them."""
    keys = ("treatments:", "samples:")
    place = next((i for i, line in enumerate(lines) if line.startswith(keys)), len(lines))
    while place and lines[place - 1].startswith("#"):
        place -= 1
    return place


def _value(node: yaml.Node | None, key: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for name, value in node.value if name.value == key), None)


def _last_line(node: yaml.Node) -> int:
    """Return the last line that belongs to a node; the end of a block lies behind comments."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        return _last_line(node.value[-1][1])
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        return _last_line(node.value[-1])
    return node.end_mark.line


def _block(digests: dict[str, str], indent: str) -> list[str]:
    entries = [f"{indent}  {role}: {digest}" for role, digest in sorted(digests.items())]
    return [f"{indent}{KEY}:", *entries]
