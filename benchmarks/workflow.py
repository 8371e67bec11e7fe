"""The workflow as a whole: planning many cohorts, and the demo from nothing to its report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).resolve().parent.parent
SNAKEMAKE = [sys.executable, "-m", "snakemake"]
_COHORT = "demo_reference_rnaseq"

Commands = list[list[str]]


def drawn_trial(arm: str) -> dict[str, Any]:
    """Say what the columns of a drawn trial mean; `arm` names that of the treatment."""
    return {
        **{"disease": "atopic dermatitis", "tissue": "skin biopsy"},
        **{"reference": "nonlesional", "placebo_arm": "placebo", "randomised": True},
        "treatments": {
            "drug": {"drug_class": "JAK inhibitor"},
            "placebo": {"drug_class": "placebo"},
        },
        "samples": {
            "patient": {"from": "patient"},
            "state": {"from": "tissue", "values": {"LS": "lesional", "NL": "nonlesional"}},
            "treatment": {
                "from": arm,
                "values": {"low": "drug", "high": "drug", "placebo": "placebo"},
            },
            "dose_mg": {"from": arm, "values": {"low": 5, "high": 10, "placebo": None}},
            "week": {"from": "week"},
        },
    }


def write_run(folder: Path, cohort: dict[str, Any], **sections: Any) -> None:
    """Write ``run.yaml``, the run of one cohort with our gene sets, and the file of the cohort."""
    run = {
        "results": "results",
        "cohorts": [f"{cohort['id']}.yaml"],
        "gene_sets": [str(REPOSITORY / "config" / "gene_sets" / "adnorm.tsv")],
        **sections,
        "seed": 1,
    }
    for name, content in ((cohort["id"], cohort), ("run", run)):
        text = yaml.safe_dump(content, sort_keys=False)
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")


def planning(folder: Path, cohorts: int, inputs: Path) -> Commands:
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


def planning_nothing(folder: Path, cohorts: int, inputs: Path) -> Commands:
    """Plan an empty workflow: what Snakemake itself takes."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "empty.smk").write_text("\n")
    return [[*SNAKEMAKE, "--snakefile", "empty.smk", "-n"]]


def planning_shape(folder: Path, cohorts: int, inputs: Path) -> Commands:
    """Plan as many jobs with as many files, but nothing of adnorm: what Snakemake takes for them.

    A cohort has 7 jobs of 15 results; each but the first asks for 12 files. Nothing joins cohorts,
    and no input and no parameter is a function.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "empty.py").write_text("\n")
    lines = [
        f"C = [f'cohort_{{i:04d}}' for i in range({cohorts})]",
        "rule all:\n    input: expand('results/{cohort}/7/file_0', cohort=C)",
    ]
    for job in range(1, 8):
        made = ", ".join(f"'results/{{cohort}}/{job}/file_{i}'" for i in range(15))
        asked = ", ".join(f"'results/{{cohort}}/{job - 1}/file_{i}'" for i in range(12))
        given = f"    input: {asked}\n" if job > 1 else ""
        lines.append(
            f"rule stage_{job}:\n{given}    output: {made}\n"
            f"    log: 'results/{{cohort}}/logs/{job}.log'\n    params: code='digest'\n"
            "    message: '{wildcards.cohort}: a stage'\n    script: 'empty.py'"
        )
    (folder / "shape.smk").write_text("\n\n".join(lines) + "\n")
    return [[*SNAKEMAKE, "--snakefile", "shape.smk", "-n", "--quiet", "rules", "host"]]


def demo(folder: Path, cohorts: int, inputs: Path) -> Commands:
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


def array_cohort(folder: Path, cohorts: int, inputs: Path) -> Commands:
    """Do everything with one array series: from its series matrix to the report's pages."""
    series, platform = "GSE900001", "GPL900570"
    matrix = folder / "geo/series/GSE900nnn" / series / "matrix" / f"{series}_series_matrix.txt.gz"
    matrix.parent.mkdir(parents=True, exist_ok=True)
    matrix.symlink_to(inputs / matrix.name)
    cohort = drawn_trial("treatment") | {
        **{"id": "array", "title": "A drawn trial on an array", "accession": series},
        **{"assay": "microarray", "platform": platform, "route": "geo_series_matrix"},
        **{"scale": "log2", "source": {"annotation": str(inputs / f"{platform}.annot.tsv.gz")}},
    }
    write_run(folder, cohort, geo={"address": f"file:{folder / 'geo'}"})
    start = [*SNAKEMAKE, "--snakefile", str(REPOSITORY / "Snakefile"), "--cores", "2"]
    return [[*start, "--configfile", "run.yaml"]]


#: What `bench.py` calls by name.
PREPARE = {
    "planning": planning,
    "planning_nothing": planning_nothing,
    "planning_shape": planning_shape,
    "array_cohort": array_cohort,
    "demo": demo,
}
