"""What runs again when something changes: no more than what uses it."""

from __future__ import annotations

import re
import shutil

import pytest
import yaml

SMALL = "demo_reference_array"
#: What shows a cohort, and what lists all of them.
SHOWN = {"figures", "cohorts", "finished"}


@pytest.fixture(scope="module")
def finished(repository, tmp_path_factory, snakemake, configure):
    """A folder with the results of one small simulated cohort."""
    folder = tmp_path_factory.mktemp("reruns")
    cohort = yaml.safe_load((repository / f"config/cohorts/{SMALL}.yaml").read_text())
    configure(folder, cohort, f"{SMALL}.yaml")
    shutil.copy(repository / "config/gene_sets/adnorm.tsv", folder / "sets.tsv")
    configure(folder, {"cohorts": [f"{SMALL}.yaml"], "results": "out", "gene_sets": ["sets.tsv"]})
    snakemake(folder, "--configfile", "run.yaml")
    return folder


@pytest.fixture
def planned(finished, snakemake, configure):
    """Plan the run with something changed; the rules that would run."""
    run = yaml.safe_load((finished / "run.yaml").read_text())
    kept = (finished / f"{SMALL}.yaml").read_text()

    def plan(cohort=None, *typed, **sections):
        changed = yaml.safe_load(kept) | (cohort or {})
        configure(finished, changed, f"{SMALL}.yaml")
        configure(finished, run | sections, "changed.yaml")
        call = ["--configfile", "changed.yaml", "-n", "--quiet", "progress", *typed]
        table = snakemake(finished, *call).stdout.partition("Job stats:")[2]
        return set(re.findall(r"^(\w+) +\d+$", table, re.MULTILINE)) - {"total", "all"}

    yield plan
    (finished / f"{SMALL}.yaml").write_text(kept)


def test_nothing_runs_again_when_nothing_changed(planned):
    assert planned() == set()


@pytest.mark.parametrize(
    ("cohort", "rules"),
    [
        ({"status": "verified"}, SHOWN),
        ({"note": "Seen again"}, SHOWN),
        ({"citation": "Somebody 2026"}, SHOWN),
        ({"title": "Simulated skin, called otherwise"}, SHOWN | {"normalization"}),
    ],
    ids=["status", "note", "citation", "title"],
)
def test_what_only_readers_see_reruns_only_what_shows_it(planned, cohort, rules):
    assert planned(cohort) == rules


@pytest.mark.parametrize(
    "sections",
    [
        {"geo": {"attempts": 9, "read_timeout": 1}},
        {"scores": {"threads": 2, "chunk_size": 10}},
    ],
    ids=["geo", "scores"],
)
def test_how_a_stage_works_reruns_nothing(planned, sections):
    assert planned(**sections) == set()


def test_a_mended_mapping_fetches_nothing(planned):
    cohort = {"exclude": [{"samples": [f"{SMALL}_001"], "reason": "a test"}]}
    rules = planned(cohort)
    assert "expression" in rules and "fetch" not in rules


def test_a_setting_reruns_its_stage_and_what_follows(planned):
    rules = planned(index={"bootstrap": 300})
    assert {"index", "normalization", "atlas"} <= rules
    assert not {"fetch", "expression", "scores", "effects", "figures"} & rules


def test_a_set_of_known_genes_does_not_rerun_expression(planned, finished):
    (finished / "more.gmt").write_text("mine\tof a test\tIL13\tIL31RA\tFLG\tKRT16\tOSMR\n")
    rules = planned(gene_sets=["sets.tsv", "more.gmt"])
    assert {"scores", "index", "figures"} <= rules
    assert not {"fetch", "expression"} & rules
    (finished / "more.gmt").write_text("mine\tof a test\tIL13\tACTB\tFLG\tKRT16\tOSMR\n")
    assert "expression" in planned(gene_sets=["sets.tsv", "more.gmt"])


def test_values_of_the_command_line_have_the_type_of_their_key(planned):
    typed = ["geo={attempts: 1}", "index={bootstrap: 2000}", "identifiers={table: null}"]
    assert planned(None, "--config", *typed) == set()
