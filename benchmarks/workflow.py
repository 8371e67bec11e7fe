"""The workflow as a whole: planning many cohorts, and the demo from nothing to its report."""

from __future__ import annotations

import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
SNAKEMAKE = [sys.executable, "-m", "snakemake"]
_COHORT = "demo_reference_rnaseq"

Commands = list[list[str]]


def planning(folder: Path, cohorts: int) -> Commands:
    """Write cohort files and a configuration that names them all; the command plans the run."""
    text = (REPOSITORY / "config" / "cohorts" / f"{_COHORT}.yaml").read_text(encoding="utf-8")
    names = [f"cohort_{i:04d}" for i in range(cohorts)]
    shelf = folder / "cohorts"
    shelf.mkdir(parents=True, exist_ok=True)
    for name in names:
        renamed = text.replace(f"\nid: {_COHORT}\n", f"\nid: {name}\n")
        (shelf / f"{name}.yaml").write_text(renamed, encoding="utf-8")
    listed = "".join(f"  - {name}\n" for name in names)
    sets = REPOSITORY / "config" / "gene_sets" / "adnorm.tsv"
    (folder / "run.yaml").write_text(
        f"results: results\ncohort_folder: {shelf}\ngene_sets: [{sets}]\ncohorts:\n{listed}"
    )
    snakefile = ["--snakefile", str(REPOSITORY / "Snakefile")]
    return [[*SNAKEMAKE, *snakefile, "-n", "--configfile", "run.yaml"]]


def planning_nothing(folder: Path, cohorts: int) -> Commands:
    """Plan an empty workflow: what Snakemake itself takes."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "empty.smk").write_text("\n")
    return [[*SNAKEMAKE, "--snakefile", "empty.smk", "-n"]]


def demo(folder: Path, cohorts: int) -> Commands:
    """Do what `make demo` does after set-up: run, report, summary."""
    folder.mkdir(parents=True, exist_ok=True)
    shipped = (REPOSITORY / "config" / "config.yaml").read_text(encoding="utf-8")
    (folder / "run.yaml").write_text(shipped, encoding="utf-8")
    start = [*SNAKEMAKE, "--snakefile", str(REPOSITORY / "Snakefile"), "--cores", "2"]
    start += ["--configfile", "run.yaml"]
    return [
        start,
        [*start, "--quiet", "all", "--report", "results/demo/report.html"],
        [sys.executable, "-m", "adnorm.cli", "summary", "results/demo"],
    ]


#: What `bench.py` calls by name.
PREPARE = {"planning": planning, "planning_nothing": planning_nothing, "demo": demo}
