"""Whatever a user deletes from a finished run is made again by the next call."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

SMALL = "demo_reference_array"


@pytest.fixture(scope="module")
def finished(tmp_path_factory, repository, configure, snakemake):
    """A finished run of one small cohort, and the files that each of its rules makes."""
    folder = tmp_path_factory.mktemp("run")
    cohort = yaml.safe_load((repository / f"config/cohorts/{SMALL}.yaml").read_text("utf-8"))
    configure(folder, cohort, f"{SMALL}.yaml")
    configure(folder, {"cohorts": [f"{SMALL}.yaml"], "results": "out"})
    snakemake(folder, "--configfile", "run.yaml")
    summary = snakemake(folder, "--configfile", "run.yaml", "--summary").stdout
    made: dict[str, list[Path]] = {}
    for line in summary.splitlines()[1:]:
        file, _, rule, *_ = line.split("\t")
        made.setdefault(rule, []).append(folder / file)
    return folder, made


def planned(snakemake, folder):
    plan = snakemake(folder, "--configfile", "run.yaml", "-n").stdout
    return set(re.findall(r"^(\w+) +\d+$", plan, re.MULTILINE)) - {"all", "total"}


def test_every_file_of_a_run_is_the_output_of_a_rule(finished):
    folder, made = finished
    declared = {file for files in made.values() for file in files}
    assert all(file.exists() for file in declared)
    # What was fetched lies beside its manifest, which proves it.
    found = {
        file
        for file in (folder / "out").rglob("*")
        if file.is_file() and not {"logs", "fetch"} & set(file.parts)
    }
    assert len(found) > 60
    assert found <= declared


def test_one_deleted_result_of_any_rule_plans_that_rule(finished, snakemake):
    folder, made = finished
    assert planned(snakemake, folder) == set()
    aside = folder / "aside"
    for rule, files in made.items():
        # The last one is seldom what another rule asks for.
        files[-1].rename(aside)
        assert rule in planned(snakemake, folder), files[-1]
        aside.rename(files[-1])
    assert planned(snakemake, folder) == set()


def test_deleted_results_are_made_again_and_then_there_is_nothing_to_do(finished, snakemake):
    folder, made = finished
    gone = [made["figures"][1], made["index"][3], made["atlas_figures"][-1]]
    before = [file.read_bytes() for file in gone]
    for file in gone:
        file.unlink()
    snakemake(folder, "--configfile", "run.yaml")
    assert [file.read_bytes() for file in gone] == before
    assert planned(snakemake, folder) == set()


def test_a_deleted_cohort_is_made_again(finished, snakemake):
    folder, _ = finished
    cohort = folder / "out" / SMALL
    cohort.rename(folder / "aside")
    rules = planned(snakemake, folder)
    (folder / "aside").rename(cohort)
    assert {"fetch", "expression", "scores", "effects", "figures", "index"} <= rules
