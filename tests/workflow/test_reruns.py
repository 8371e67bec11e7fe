"""What runs again when something changes: no more than what uses it."""

from __future__ import annotations

import gzip
import re
import shutil
from pathlib import Path

import pytest
import yaml

from adnorm.base.files import read_json
from adnorm.study.cohort import PublishedCohort
from adnorm.study.reading import read_cohort
from builders.fetched import fetch_cohort

SMALL = "demo_reference_array"
#: What writes the pages of a cohort, and what lists all of them.
SHOWN = {"index_figures", "cohorts", "provenance", "finished"}
#: Folders of results that hold no table of a stage between the files and the index.
NO_STAGE = {"fetch", "figures", "atlas", "provenance", "logs"}


@pytest.fixture(scope="module")
def finished(repository, tmp_path_factory, snakemake, configure):
    """A folder with the results of one small cohort, whose files were published before."""
    folder = tmp_path_factory.mktemp("reruns")
    path = repository / f"config/cohorts/{SMALL}.yaml"
    published = fetch_cohort(read_cohort(path), folder / "published").parent
    files = {
        entry["role"]: entry["name"] for entry in read_json(published / "manifest.json")["files"]
    }
    source = {
        "matrix": str(published / files["series_matrix"]),
        "annotation": str(published / files["annotation"]),
    }
    matrix = gzip.decompress(Path(source["matrix"]).read_bytes())
    matrix = matrix.replace(f"SIMULATED_{SMALL}".encode(), b"GSE12")
    Path(source["matrix"]).write_bytes(gzip.compress(matrix, mtime=0))
    cohort = yaml.safe_load(path.read_text()) | {"route": "geo_series_matrix", "accession": "GSE12"}
    del cohort["simulation"]
    configure(folder, cohort | {"source": source}, f"{SMALL}.yaml")
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
        told = snakemake(finished, "--configfile", "changed.yaml", "-n", *typed)
        output = told.stdout + told.stderr
        assert ("Job stats:" in output) != ("Nothing to be done" in output)
        table = output.partition("Job stats:")[2].partition("\n\n")[0]
        return set(re.findall(r"^(\w+) +\d+$", table, re.MULTILINE)) - {"total", "all"}

    yield plan
    (finished / f"{SMALL}.yaml").write_text(kept)


def test_nothing_runs_again_when_nothing_changed(planned):
    assert planned() == set()


@pytest.mark.parametrize(
    ("cohort", "rules"),
    [
        ({"status": "unverified"}, SHOWN),
        ({"note": "Seen again"}, SHOWN),
        ({"citation": "Somebody 2026"}, SHOWN),
        ({"title": "Another name"}, SHOWN | {"figures", "explorer"}),
    ],
    ids=["status", "note", "citation", "title"],
)
def test_what_only_readers_see_reruns_only_what_shows_it(planned, cohort, rules):
    assert planned(cohort) == rules


def test_what_the_explorer_shows_of_patients_reruns_the_explorer(planned):
    rules = planned(figures={"explorer": {"patients": "none"}})
    assert rules == {"explorer", "provenance", "finished"}


def test_how_a_stage_works_reruns_nothing(planned):
    geo = {"attempts": 9, "connect_timeout": 1, "read_timeout": 60}
    assert planned(scores={"threads": 2, "chunk_size": 10}, geo=geo) == set()


def test_a_simulated_series_holds_its_title(repository):
    cohort = read_cohort(repository / f"config/cohorts/{SMALL}.yaml")
    renamed = cohort.model_copy(update={"title": "Another name"})
    assert cohort.view(PublishedCohort) != renamed.view(PublishedCohort)


def test_a_mended_mapping_fetches_nothing(planned):
    cohort = {"exclude": [{"samples": [f"{SMALL}_001"], "reason": "a test"}]}
    rules = planned(cohort)
    assert "expression" in rules and "fetch" not in rules


def test_a_setting_reruns_its_stage_and_what_follows(planned):
    rules = planned(index={"delta": 0.5})
    assert {"index", "index_figures", "atlas"} <= rules
    assert not {"fetch", "expression", "scores", "effects", "figures"} & rules


#: An added file by what it holds: its text, and whether expression runs again.
ADDED = {
    "genes that our sets name": ("mine\tx\tIL31\tIL13\tFLG\tFLG2\tKRT16\n", False),
    "names that our sets call retired": ("mine\tx\tLOR\tIL8\tIL13\tFLG\n", False),
    "another spelling": ("mine\tx\til13\tKrt16\tFLG\tIL31\n", True),
}


@pytest.mark.parametrize(("content", "expressed"), ADDED.values(), ids=list(ADDED))
def test_an_added_set_reruns_scores_and_what_follows(planned, finished, content, expressed):
    (finished / "more.gmt").write_text(content)
    rules = planned(gene_sets=["sets.tsv", "more.gmt"])
    assert {"scores", "effects", "figures", "index", "index_figures", "atlas"} <= rules
    assert "fetch" not in rules and ("expression" in rules) == expressed


@pytest.mark.parametrize("kind", ["names that our sets call retired", "another spelling"])
def test_a_set_added_later_gives_what_it_gives_from_the_start(
    finished, snakemake, configure, tmp_path, kind
):
    """Figures draw these tables and compute nothing."""
    first = yaml.safe_load((finished / "run.yaml").read_text())
    targets = [f"out/{SMALL}/{name}.tsv" for name in ("index/index", "effects/enrichment")]
    made = {}
    for order in ("later", "at once"):
        folder = tmp_path / order
        shutil.copytree(finished, folder, ignore=shutil.ignore_patterns("published"))
        if order == "at once":
            shutil.rmtree(folder / "out")
            shutil.rmtree(folder / ".snakemake")
        (folder / "more.gmt").write_text(ADDED[kind][0])
        configure(folder, first | {"gene_sets": ["sets.tsv", "more.gmt"]})
        snakemake(folder, *targets, "--configfile", "run.yaml")
        files = (path for path in (folder / "out").rglob("*") if path.is_file())
        # Pages of the whole run are of no stage either; the later run keeps those of the first.
        results = (
            path for path in files if not NO_STAGE & {*path.parts} and path.parent != folder / "out"
        )
        made[order] = {str(p.relative_to(folder)): p.read_bytes() for p in results}
    assert len(made["later"]) > 20 and made["later"].keys() == made["at once"].keys()
    assert [n for n, content in made["later"].items() if made["at once"][n] != content] == []


def test_an_added_cohort_leaves_alone_what_does_not_depend_on_it(
    repository, finished, snakemake, configure
):
    """Of the others only the index runs again, which the new one may teach, and what shows it."""
    added = "demo_reference_rnaseq"
    shutil.copy(repository / f"config/cohorts/{added}.yaml", finished)
    run = yaml.safe_load((finished / "run.yaml").read_text())
    configure(finished, run | {"cohorts": [f"{SMALL}.yaml", f"{added}.yaml"]}, "changed.yaml")
    plan = snakemake(finished, "--configfile", "changed.yaml", "-n").stdout
    jobs = {rule: int(n) for rule, n in re.findall(r"^(\w+) +(\d+)$", plan, re.MULTILINE)}
    assert {rule for rule, n in jobs.items() if n == 2} == {"index", "index_figures"}
    of_new = {"fetch", "expression", "scores", "effects", "figures"}
    joins = {"lesional_effects", "atlas", "atlas_figures", "explorer", "cohorts"}
    joins |= {"provenance", "finished", "all"}
    assert {rule for rule, n in jobs.items() if n == 1} == of_new | joins


def test_values_of_the_command_line_have_the_type_of_their_key(planned):
    typed = ["geo={attempts: 5}", "index={delta: 0.25}", "identifiers={table: null}"]
    assert planned(None, "--config", *typed) == set()
