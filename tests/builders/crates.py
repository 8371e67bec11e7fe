"""Crates of runs that never ran: a study and results as a workflow would leave them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import yaml

from adnorm.base.files import write_json
from adnorm.base.shipped import HOME
from adnorm.base.stops import Stop, write_stop
from adnorm.index.teaching import writing
from adnorm.provenance import portable as names
from adnorm.provenance.build import ProvenanceSettings, build
from adnorm.study.reading import read_study
from builders.axis_trials import lesional_rows

#: What the rules of a workflow write, a little of everything.
PATTERNS = [
    *("index.html", "explorer.html", "atlas/cohorts.tsv", "atlas/dose.tsv", "atlas/classes.tsv"),
    *("axis/teaching.h5", "atlas/figures/forest.svg"),
    *(f"{{cohort}}/{table}" for table in names.COHORT_TABLES),
    *("{cohort}/fetch/manifest.json", "{cohort}/expression/expression.h5ad"),
    *("{cohort}/scores/coverage.tsv", "{cohort}/effects/effects.tsv"),
    *("{cohort}/figures/forest.tsv", "{cohort}/figures/forest.svg"),
]
#: Those that methods.md counts in, with their first rows.
TABLES = {
    "index/index.tsv": (
        "name\treason_code\testimator\tni\tp_value\tadjusted_p_value\tlost\n"
        "{name}\t\tMMRM\t0.5\t0.01\t0.02\t1\nother\t\t\t0.25\tNA\tNA\t0\n"
    ),
    "index/denominators.tsv": (
        "name\treference\tpeople\tdenominator\n"
        "{name}\tnonlesional\t9 patients with both\t0.5\nother\thealthy\t\tNA\n"
    ),
    "scores/coverage.tsv": "set\tstatus\n{name}\tok\nother\tnot_scored\n",
}
#: 2026-01-02 03:04:05 UTC.
BEGIN = 1767323045
SECRET = "pa55word"


def cohort(name: str, source: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Write a cohort file of a lab's own trial."""
    return {
        "id": name,
        "title": f"The trial {name}",
        "citation": "Somebody 2026",
        **{"disease": "atopic dermatitis", "tissue": "skin biopsy", "assay": "rna-seq"},
        **{"route": "local", "scale": "counts", "reference": "nonlesional"},
        **{"placebo_arm": "placebo", "source": source},
        "treatments": {"drug": {"drug_class": "JAK"}, "placebo": {"drug_class": "placebo"}},
        "samples": {
            "patient": {"from": "patient"},
            "state": {"from": "state"},
            "treatment": {"from": "arm", "values": {"D": "drug", "P": "placebo"}},
            "week": {"from": "week"},
        },
    } | more


def write_study(folder: Path) -> dict[str, Any]:
    """Write two cohorts: one whose files lie beside it, one that names places of this machine."""
    data = folder / "data"
    data.mkdir(parents=True)
    for name in ("counts.csv", "sheet.csv", "genes.tsv"):
        (data / name).write_text(f"{name}\n")
    near = cohort("near", {"table": "data/counts.csv", "sheet": "data/sheet.csv"})
    far = cohort(
        "far",
        {
            "table": str(data / "counts.csv"),
            "sheet": f"https://me:{SECRET}@example.org/sheet.csv?acc=1&token={SECRET}",
        },
        note=f"Copied from {data} by hand",
    )
    text = "# A comment that stays\n" + yaml.safe_dump(near, sort_keys=False)
    (folder / "near.yaml").write_text(text)
    (folder / "elsewhere").mkdir()
    text = f"# See {folder}/notes.txt\n" + yaml.safe_dump(far, sort_keys=False)
    (folder / "elsewhere" / "far.yaml").write_text(text)
    (folder / "mine.gmt").write_text("mine\tx\tIL31\tIL13\tFLG\tFLG2\tKRT16\n")
    return {
        "results": str(folder / "out"),
        "cohorts": ["near.yaml", str(folder / "elsewhere" / "far.yaml")],
        "gene_sets": ["config/gene_sets/adnorm.tsv", str(folder / "mine.gmt")],
        "identifiers": {"table": str(data / "genes.tsv")},
        "geo": {
            "address": f"file:{folder}/mirror",
            "mirrors": [f"file:{folder}/other", "https://mirror.example.org/geo"],
            "offline": True,
        },
        "seed": 7,
    }


def write_results(
    results: Path, cohorts: list[str], stopped: tuple[str, ...] = (), begin: int = BEGIN
) -> None:
    """Write results, one minute apart; those of cohorts that stopped hold their reason."""
    expanded = [p.replace("{cohort}", c) for p in PATTERNS for c in (cohorts if "{" in p else [""])]
    for number, name in enumerate(dict.fromkeys(expanded)):
        path = results / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.split("/")[0] in stopped:
            write_stop(path, Stop(name.split("/")[0], "expression", "no mapping covers 'x'"))
        elif name.endswith("manifest.json"):
            write_json(manifest(path.parent), path)
        elif name.endswith("teaching.h5"):
            with writing(path) as add:
                for taught in ("far", "near"):
                    add(lesional_rows(taught, {"IL13": 1.0}).assign(shares=""))
        elif table := next((text for end, text in TABLES.items() if name.endswith(end)), ""):
            path.write_text(table.format(name=name))
        elif name.endswith(".tsv"):
            path.write_text(f"name\tni\tp_value\n{name}\t0.5\t0.01\nother\t0.25\tNA\n")
        else:
            path.write_text(f"{name}\n")
        os.utime(path, (begin + 60 * number,) * 2)
    (results / "atlas" / "finished.txt").write_text("finished\n")
    logs = results / cohorts[0] / "logs"
    logs.mkdir(exist_ok=True)
    (logs / "fetch.log").write_text(f"in {results}\n")


def manifest(fetch: Path) -> dict[str, Any]:
    """Write the files of a cohort as the stage fetch leaves them, and their list."""
    from adnorm.fetch.proof import fingerprint

    fetch.mkdir(parents=True, exist_ok=True)
    files = []
    for role, name in (("sheet", "sheet.csv"), ("table", "counts.csv")):
        (fetch / name).write_text(f"{name}\n")
        source = f"https://me:{SECRET}@example.org/{name}" if role == "sheet" else name
        files.append({"role": role, "name": name, "source": source, **fingerprint(fetch / name)})
    return {"cohort": fetch.parent.name, "route": "local", "files": files}


def make_crate(
    folder: Path, config: dict[str, Any], stopped: tuple[str, ...] = (), begin: int = BEGIN
) -> Path:
    """Write results and their crate, as the last rule of the workflow does; the working directory
    must be the folder."""
    study = read_study(config, HOME)
    results = folder / "out"
    write_results(results, list(study.cohorts), stopped, begin)
    return record_run(study, results)


def record_run(study: Any, results: Path) -> Path:
    """Write the crate of results that are there."""
    run = names.portable(study, HOME)
    crate = results / names.FOLDER
    inputs: dict[str, Any] = {
        "identifiers": [Path(run.table)] if run.table else [],
        "cohorts": [study.files[name] for name in run.cohorts],
        "copied": [Path(path) for path in run.files.values()],
    }
    keys = {
        "metadata": names.METADATA,
        "config": names.CONFIG,
        "checksums": names.CHECKSUMS,
        "digests": names.DIGESTS,
        "inputs": names.INPUTS,
        "software": names.SOFTWARE,
        "requirements": names.REQUIREMENTS,
        "methods": names.METHODS,
        "readme": names.README,
        "snakefile": names.SNAKEFILE,
    }
    outputs: dict[str, Any] = {key: crate / name for key, name in keys.items()}
    outputs["cohorts"] = [crate / name for name in run.cohorts.values()]
    outputs["copied"] = [crate / name for name in run.files]
    outputs["tables"] = [crate / names.TABLES / name for name in names.copied_tables(study.cohorts)]
    crate_names = {"cohorts": run.cohorts, "renamed": run.renamed, "results": sorted(PATTERNS)}
    settings = json.loads(json.dumps(run.config | {"crate": crate_names}))
    build(inputs, outputs, ProvenanceSettings.model_validate(settings), 0)
    return crate
