"""The benchmark scripts run on tiny inputs; what they measure is not judged here."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys

import pytest
import yaml

from adnorm.study.reading import read_study

MEASURES = {"stage_seconds", "stage_cpu", "seconds", "cpu", "peak", "peak_together"}


@pytest.fixture(scope="module")
def bench(repository):
    """Call the script on tiny inputs."""

    def call(*arguments):
        script = repository / "benchmarks" / "bench.py"
        return subprocess.run(
            [sys.executable, str(script), *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
        )

    return call


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_readers_and_scores_agree_with_their_peers(bench, tmp_path):
    table = tmp_path / "table.tsv"
    stages = ["series_matrix", "counts", "ssgsea", "gsva", "effects_log2"]
    done = bench("--tiny", "--peers", "--table", table, *stages)
    assert done.returncode == 0, done.stderr
    found = rows(table)
    assert {row["stage"] for row in found} == set(stages)
    assert {row["measure"] for row in found} == MEASURES
    assert all(float(row["ratio"]) > 0 for row in found)
    lines = [line for line in done.stdout.splitlines() if line.startswith("| ")][2:]
    # As pyarrow, a peer that is not part of the environment.
    lines = [line for line in lines if " | pygsva | " not in line]
    *readers, ssgsea, gsva, effects = [line.split(" | ")[-2] for line in lines]
    # polars and pandas are always there, pyarrow only where somebody installed it.
    assert len(readers) >= 4 and set(readers) == {"same"}
    # gseapy breaks ties by row order, so scores are equal up to ties.
    assert all(float(text.split("r = ")[1]) > 0.99 for text in (ssgsea, gsva))
    change, p_value = (float(part.split()[-1]) for part in effects.split(","))
    assert change < 1e-10 and p_value < 1e-8


@pytest.mark.skipif(not shutil.which("Rscript"), reason="R is not installed")
def test_counts_agree_with_limma(bench):
    done = bench("--tiny", "--peers", "effects_voom")
    assert done.returncode == 0, done.stderr
    if "left out" in done.stderr:
        pytest.skip("R has no limma")
    line = next(line for line in done.stdout.splitlines() if "R limma-voom" in line)
    change, p_value = (float(part.split()[-1]) for part in line.split(" | ")[-2].split(","))
    assert change < 1e-6 and p_value < 1e-6


def test_planning_and_start_up_without_peers(bench, tmp_path):
    table = tmp_path / "table.tsv"
    done = bench("--tiny", "--table", table, "planning", "startup_scores")
    assert done.returncode == 0, done.stderr
    found = rows(table)
    assert {row["stage"] for row in found} == {"planning", "startup_scores"}
    assert all(row["peer"] == "" and row["ratio"] == "" for row in found)
    assert {row["measure"] for row in found} == {"seconds", "cpu", "peak", "peak_together"}


def test_an_array_cohort_is_set_up_from_published_files(repository, tmp_path):
    (tmp_path / "inputs").mkdir()
    for name in ("GSE900001_series_matrix.txt.gz", "GPL900570.annot.tsv.gz"):
        (tmp_path / "inputs" / name).write_text("x")
    code = (
        "import sys; from pathlib import Path; from workflow import array_cohort;"
        "print(array_cohort(Path(sys.argv[1]), 0, Path(sys.argv[2]))[0][-3:])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "run", tmp_path / "inputs"],
        cwd=repository / "benchmarks", capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "['2', '--configfile', 'run.yaml']"
    config = yaml.safe_load((tmp_path / "run" / "run.yaml").read_text())
    config["cohorts"] = [str(tmp_path / "run" / "array.yaml")]
    study = read_study(config, repository)
    assert study.cohorts["array"].accession == "GSE900001"
    matrix = tmp_path / "run/geo/series/GSE900nnn/GSE900001/matrix/GSE900001_series_matrix.txt.gz"
    assert matrix.read_text() == "x"


def test_processes_that_live_at_once_are_added_up(repository):
    """Two of 150 MiB each, one after the other or together."""
    code = (
        "import sys; from measure import run;"
        "one = [sys.executable, '-c', 'x = bytearray(150 << 20); x[::4096] = x[::4096];'"
        "'import time; time.sleep(0.5)'];"
        "both = ['sh', '-c', '\"$@\" & \"$@\"; wait', 'sh', *one];"
        "print([round(run(call).peak_together) for call in (one, both)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=repository / "benchmarks", capture_output=True, text=True, check=True,
    )  # fmt: skip
    alone, both = yaml.safe_load(done.stdout)
    assert 150 < alone < 200 and 1.7 * alone < both < 2.1 * alone


def test_unknown_stage_is_refused(bench):
    done = bench("--tiny", "gvsa")
    assert done.returncode == 2
    assert "unknown stages gvsa; known: series_matrix, counts" in done.stderr


def test_the_size_of_the_explorer_is_measured(repository):
    script = repository / "benchmarks" / "explorer.py"
    small = ["--cohorts", "2", "--genes", "1500", "--samples", "40", "--no-browser"]
    done = subprocess.run(
        [sys.executable, str(script), *small], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = dict(line.split()[:2] for line in done.stdout.splitlines() if line.startswith("MB"))
    assert 0.05 < float(found["MB"]) < 2


def test_the_trials_of_an_atlas_can_be_run(repository, tmp_path):
    script = repository / "benchmarks" / "atlas.py"
    subprocess.run([sys.executable, script, "--write", tmp_path, "--cohorts", "7"], check=True)
    config = yaml.safe_load((tmp_path / "run.yaml").read_text())
    study = read_study(config, repository)
    assert len(study.cohorts) == 7
    assert {cohort.route for cohort in study.cohorts.values()} == {"simulated"}
    drugs = {drug for cohort in study.cohorts.values() for drug in cohort.treatments}
    assert drugs == {"placebo", *(f"drug {letter}" for letter in "ABCDEF")}


def test_large_cohorts_are_drawn_and_measured(repository, tmp_path):
    script = repository / "benchmarks" / "large.py"
    small = ["--genes", "1500", "--samples", "40", "--array", "40", "--probes", "1500"]
    asked = ["--keep", str(tmp_path), "--until", "results/large/expression/expression.h5ad"]
    done = subprocess.run(
        [sys.executable, str(script), *small, *asked], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].count("1,500 × 40") == 2
    (row,) = [line for line in lines if line.startswith("| expression |")]
    cpu, _, peak = row.split(" | ")[1].split(" / ")
    assert float(cpu) > 0.3 and 50 < float(peak.replace(",", "")) < 2000
    assert "MiB, below 6,144: holds" in done.stdout


def test_a_command_that_takes_too_long_is_ended(repository, tmp_path):
    program = f"""
import sys
sys.path.insert(0, {str(repository / "benchmarks")!r})
import measure
try:
    measure.run(["sh", "-c", "sleep 60; true"], most=0.3)
except measure.TookTooLong as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30
    )
    assert done.stdout == "sh -c sleep 60; true: ended after 0.3 s\n", done.stderr
