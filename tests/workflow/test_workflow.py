"""How the workflow behaves: planning, reruns, failures of one cohort, the same bytes again."""

from __future__ import annotations

import base64
import copy
import hashlib
import re
import shutil
import subprocess
import sys

import pytest
import yaml

from adnorm.base.stops import read_stop
from adnorm.base.tables import read_table
from adnorm.cli import main
from builders.explorer import core_of

SMALL = "demo_reference_array"


@pytest.fixture
def small(repository, tmp_path, configure):
    """A configuration with one small simulated cohort whose file lies in the working directory."""
    cohort = yaml.safe_load((repository / f"config/cohorts/{SMALL}.yaml").read_text())
    configure(tmp_path, cohort, f"{SMALL}.yaml")
    configure(tmp_path, {"cohorts": [f"{SMALL}.yaml"], "results": "out"})
    return tmp_path


#: Of two runs: what holds the time of a run, and what holds how its stages work.
OF_A_RUN = {"ro-crate-metadata.json", "config.yaml"}


def digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "logs" not in path.parts and path.name not in OF_A_RUN
    }


def test_same_bytes_with_other_threads_and_a_mended_mapping_does_not_fetch_again(
    small, snakemake, configure
):
    snakemake(small, "--configfile", "run.yaml", "--cores", "1")
    first = digests(small / "out")
    assert len(first) > 40
    fetched = (small / "out" / SMALL / "fetch" / "manifest.json").stat().st_mtime_ns
    # From the record alone, in a folder that holds nothing else.
    crate = small / "crate"
    shutil.copytree(small / "out" / "provenance", crate)
    snakemake(crate, "--configfile", "config.yaml", "--config", "scores={threads: 2}")
    second = digests(crate / "results")
    assert [name for name in first if first[name] != second.get(name)] == []
    assert main(["verify", str(crate), str(crate / "results")]) == 0

    path = small / f"{SMALL}.yaml"
    cohort = yaml.safe_load(path.read_text())
    cohort["samples"]["site"] = {"constant": "arm"}
    path.write_text(yaml.safe_dump(cohort))
    snakemake(small, "--configfile", "run.yaml", "--until", "expression")
    header = (small / "out" / SMALL / "expression" / "samples.tsv").read_text().splitlines()[0]
    assert "site" in header.split("\t")
    assert (small / "out" / SMALL / "fetch" / "manifest.json").stat().st_mtime_ns == fetched


def test_one_broken_cohort_stops_alone_and_the_others_are_joined(small, snakemake, configure):
    mended = yaml.safe_load((small / f"{SMALL}.yaml").read_text()) | {"id": "broken"}
    cohort = copy.deepcopy(mended)
    del cohort["samples"]["state"]["values"][next(iter(cohort["samples"]["state"]["values"]))]
    configure(small, cohort, "broken.yaml")
    configure(small, {"cohorts": [f"{SMALL}.yaml", "broken.yaml"], "results": "out"})
    run = snakemake(small, "--configfile", "run.yaml", check=False)
    assert run.returncode == 1
    output = run.stdout + run.stderr
    assert "[broken · expression] STOPPED:" in output
    lines = dict(re.findall(r"^ *\d+ of \d+  \[(.+)\]  ([^;\n]+)", run.stderr, re.MULTILINE))
    assert lines.pop("broken · fetch")[-2:] == " s"
    stopped = {label for label, end in lines.items() if end == "stopped at the stage expression"}
    assert stopped == {label for label in lines if label.startswith("broken · ")}
    assert "all cohorts · atlas" in lines and len(stopped) == 6
    assert output.rstrip().splitlines()[-1].startswith("broken stopped at the stage expression:")
    assert "no mapping covers" in output
    assert "Traceback" not in output
    broken = small / "out" / "broken"
    assert "Traceback" in (broken / "logs" / "expression.log").read_text()
    assert "no mapping covers" in read_stop(broken / "expression" / "expression.h5ad").message
    for result in ("figures/overview.html", "index/trajectories.tsv", "expression/expression.h5ad"):
        assert (small / "out" / SMALL / result).stat().st_size > 0
        assert read_stop(small / "out" / SMALL / result) is None
    cohorts = read_table(small / "out" / "atlas" / "cohorts.tsv").set_index("cohort")
    assert cohorts.loc[SMALL, "outcome"] == "finished"
    assert cohorts.loc["broken", "outcome"] == "stopped at the stage expression"
    explorer = core_of(small / "out" / "explorer.html")
    assert [cohort["id"] for cohort in explorer["cohorts"]] == [SMALL]
    assert explorer["stopped"][0][:2] == ["broken", "expression"]

    # The next call tries again what stopped, and what follows from it.
    again = snakemake(small, "--configfile", "run.yaml", check=False)
    assert again.returncode == 1
    output = again.stdout + again.stderr
    assert "[broken · expression] STOPPED:" in output
    lines = dict(re.findall(r"^ *\d+ of \d+  \[(.+)\]  ([^;\n]+)", again.stderr, re.MULTILINE))
    stopped = {label for label, end in lines.items() if end == "stopped at the stage expression"}
    assert stopped == {label for label in lines if label.startswith("broken · ")}
    assert "all cohorts · atlas" in lines and len(stopped) == 6
    again_made = {label for label in lines if label.startswith(f"{SMALL} · ")}
    assert again_made <= {f"{SMALL} · index", f"{SMALL} · index_figures"}
    assert "· fetch]" not in output

    report = ["--configfile", "run.yaml", "--quiet", "all", "--report", "report.html"]
    snakemake(small, *report)
    embedded = re.findall(r"data:text/html;[^,]*,([\w+/=]+)", (small / "report.html").read_text())
    pages = [base64.b64decode(page).decode() for page in embedded]
    # Its overview, its answers and its tables.
    assert sum("broken did not finish" in page for page in pages) == 3
    assert sum("1 of 2 cohorts finished" in page for page in pages) == 1

    configure(small, mended, "broken.yaml")
    snakemake(small, "--configfile", "run.yaml", "--until", "expression")
    assert read_stop(broken / "expression" / "expression.h5ad") is None
    again = snakemake(small, "--configfile", "run.yaml", "--until", "expression", "-n")
    assert re.search(r"^total +0$", again.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"cohorts": ["../evil"]}, "does not exist"),
        ({"cohorts": ["demo_jak1"], "efects": {}}, "did you mean 'effects'"),
        ({"cohorts": ["demo_jak"]}, "did you mean 'demo_jak1'"),
        (
            {"cohorts": ["demo_jak1"], "gene_sets": ["mine.gmt"]},
            "mine.gmt: this gene-set file does not exist",
        ),
    ],
)
def test_a_wrong_configuration_stops_before_any_work(
    tmp_path, snakemake, configure, config, message
):
    configure(tmp_path, config)
    run = snakemake(tmp_path, "--configfile", "run.yaml", "-n", check=False)
    output = run.stdout + run.stderr
    assert run.returncode != 0
    assert message in output
    assert "Traceback" not in output
    assert not (tmp_path / "results").exists()


def test_plan_has_one_job_a_cohort_and_stage(tmp_path, snakemake, configure):
    config = configure(tmp_path / "configs", {"cohorts": ["demo_jak1", "demo_biologic"]})
    assert config.is_absolute()
    run = snakemake(tmp_path, "--configfile", str(config), "-n")
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", run.stdout + run.stderr, re.MULTILINE))
    of_cohorts = ["fetch", "expression", "scores", "effects", "figures"]
    of_cohorts += ["index", "index_figures"]
    expected = dict.fromkeys(of_cohorts, "2") | dict.fromkeys(
        [
            "lesional_effects",
            "atlas",
            "atlas_figures",
            "explorer",
            "cohorts",
            "provenance",
            "finished",
            "all",
        ],
        "1",
    )
    assert jobs == expected | {"total": "22"}


def test_the_workflow_can_be_a_module_of_another_one(tmp_path, repository):
    (tmp_path / "Snakefile").write_text(
        f"""
module adnorm:
    snakefile: "{repository / "Snakefile"}"
    config: {{"cohorts": ["{SMALL}"]}}
    pathvars:
        results="results/skin"

use rule * from adnorm as adnorm_*

rule all:
    default_target: True
    input: rules.adnorm_all.input
"""
    )
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "-n"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "adnorm_figures" in run.stdout + run.stderr
    assert f"results/skin/{SMALL}/figures/answer.json" in run.stdout + run.stderr
