"""Each key of a cohort file mistyped in turn: the real fault is told, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from adnorm.cli import main


def keys_of(value, path=()):
    """Every key of a file, with the way to it."""
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in parts:
        if isinstance(value, dict):
            yield (*path, key)
        if isinstance(part, dict | list):
            yield from keys_of(part, (*path, key))


def renamed(value, path, new):
    """The same file with one key called otherwise, in its place."""
    key, rest = path[0], path[1:]
    if isinstance(value, list):
        return [renamed(part, rest, new) if i == key else part for i, part in enumerate(value)]
    changed = {
        k: renamed(part, rest, new) if k == key and rest else part for k, part in value.items()
    }
    return changed if rest else {new if k == key else k: part for k, part in changed.items()}


def mistyped(key):
    """Leave the last letter out; of a short key, put one more."""
    return key[:-1] if len(key) > 3 else f"{key}x"


def shipped(repository, name):
    """A simulated cohort as it is shipped, but smaller."""
    value = yaml.safe_load((repository / "config" / "cohorts" / f"{name}.yaml").read_text())
    value["simulation"]["genes"] = {"total": 1700}
    for arm in value["simulation"]["arms"]:
        arm["patients"] = 4
    if "healthy" in value["simulation"]:
        value["simulation"]["healthy"] = 4
    return value


def problems_of(value, capsys):
    """What the check tells of a cohort."""
    Path("typo.yaml").write_text(yaml.safe_dump(value, sort_keys=False, allow_unicode=True))
    main(["check", "typo.yaml", "--json"])
    return json.loads(capsys.readouterr().out)["problems"]


SHIPPED = ("demo_reference_array", "demo_jak1")


@pytest.fixture
def cohorts(trial, repository):
    """Name → cohort, all called typo; the working directory is the lab's."""
    path, _ = trial
    values = {"lab": yaml.safe_load(path.read_text())}
    values |= {name: shipped(repository, name) for name in SHIPPED}
    return {name: value | {"id": "typo"} for name, value in values.items()}


@pytest.mark.parametrize("name", ["lab", *SHIPPED])
def test_each_key_mistyped_is_the_one_fault(cohorts, capsys, name):
    cohort = cohorts[name]
    assert problems_of(cohort, capsys) == []
    # A key takes a second: those that the smaller of the two shipped cohorts has, too, stand there.
    earlier = set(keys_of(cohorts[SHIPPED[0]])) if name == SHIPPED[1] else set()
    wrong, tried = [], 0
    for path in keys_of(cohort):
        if path in earlier:
            continue
        new = mistyped(path[-1])
        problems = problems_of(renamed(cohort, path, new), capsys)
        told = len(problems) == 1 and " problems\n" not in problems[0]
        tried += 1
        # The word as it stands in the file, and the one that was meant.
        if not (told and f"'{new}'" in problems[0] and f"'{path[-1]}'" in problems[0]):
            wrong.append((path, problems))
    assert wrong == []
    assert tried > 35


def test_a_key_that_is_like_none_is_the_one_fault_too(cohorts, capsys):
    cohort, wrong = cohorts["lab"], []
    for path in keys_of(cohort):
        # Keys of the file; names of treatments and raw values are the lab's own words.
        if path[:-1] not in {(), ("source",), ("samples",), ("samples", "patient")}:
            continue
        problems = problems_of(renamed(cohort, path, "zzzz"), capsys)
        if len(problems) != 1 or " problems\n" in problems[0] or "'zzzz'" not in problems[0]:
            wrong.append((path, problems))
    assert wrong == []
