"""What joins cohorts, for 10, 50 and 200 of them: CPU and memory of every job; prints a table.

``python benchmarks/atlas.py --keep FOLDER`` takes one simulated trial (100 samples, 2,000 genes)
through the workflow, and makes the others of its results: other values, other patients behind the
same ids, other drugs. Their lesional effects have 20,000 genes. A whole run of 200 trials takes
hours; ``--write FOLDER`` only writes its cohort files and its configuration.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from measure import run

ROOT = Path(__file__).resolve().parents[1]
FIRST = "trial_0000"
#: Drugs of the trials in turn, and their classes.
DRUGS = (
    ("drug A", "JAK inhibitor"),
    ("drug B", "IL-13 inhibitor"),
    ("drug C", "IL-4R inhibitor"),
    ("drug D", "IL-31R inhibitor"),
    ("drug E", "PDE4 inhibitor"),
    ("drug F", "JAK inhibitor"),
)
COHORT = """id: {id}
title: Simulated trial {number} of {drug}
accession: null
citation: Simulated data; no publication
disease: atopic dermatitis
tissue: skin biopsy
assay: rna-seq
platform: SIMULATED-SEQ
route: simulated
scale: counts
reference: nonlesional
placebo_arm: placebo
randomised: true
status: verified
note: Simulated. No patient stands behind these values.
source: {{}}
treatments:
  {drug}: {{drug_class: {drug_class}}}
  placebo: {{drug_class: placebo}}
samples:
  patient: {{from: subject id}}
  state:
    from: tissue
    values: {{LS: lesional, NL: nonlesional, HC: healthy}}
  treatment:
    from: treatment
    values: {{ACTIVE: {drug}, PLACEBO: placebo}}
    missing: none
  week:
    from: time point
    pattern: "^Week (?P<value>[0-9]+)$"
  sex:
    from: Sex
    values: {{F: female, M: male}}
  age: {{from: age}}
  easi: {{from: easi score, missing: null}}
  itch_nrs: {{from: itch nrs, missing: null}}
exclude: []
simulation:
  writes: geo_supplementary
  seed: {seed}
  weeks: [0, 4, 12]
  nonlesional_weeks: [0]
  healthy: 20
  genes: {{total: {genes}}}
  arms:
    - {{treatment: {drug}, label: ACTIVE, patients: 10, reversal: [0.4, 0.7], responders: 0.8}}
    - {{treatment: placebo, label: PLACEBO, patients: 10, reversal: [0.0, 0.1], responders: 0.3}}
"""


def name_of(number: int) -> str:
    """Name a trial."""
    return f"trial_{number:04d}"


def write_study(folder: Path, cohorts: int, genes: int) -> None:
    """Write cohort files, and the configuration of a run of all of them."""
    shelf = folder / "cohorts"
    shelf.mkdir(parents=True, exist_ok=True)
    for number in range(cohorts):
        drug, drug_class = DRUGS[number % len(DRUGS)]
        name = name_of(number)
        text = COHORT.format(
            id=name, number=number, seed=number + 1, genes=genes, drug=drug, drug_class=drug_class
        )
        (shelf / f"{name}.yaml").write_text(text, encoding="utf-8")
    listed = "".join(f"  - {name_of(number)}\n" for number in range(cohorts))
    sets = ROOT / "config" / "gene_sets" / "adnorm.tsv"
    (folder / "run.yaml").write_text(
        f"results: results\ncohort_folder: {shelf.resolve()}\ngene_sets: [{sets}]\n"
        f"cohorts:\n{listed}",
        encoding="utf-8",
    )


# ---------------------------------------------------------------- results of many trials

#: What joins cohorts reads of each, besides what is drawn anew.
COPIED = (
    *("expression/samples.tsv", "expression/comparisons.tsv", "effects/effects.tsv"),
    *("index/index.tsv", "index/patients.tsv", "index/gene_index.tsv", "index/axis.tsv"),
    *("index/trajectories.tsv", "index/denominators.tsv", "scores/coverage.tsv"),
    *("figures/quality.tsv", "figures/answer.json", "figures/answer.svg"),
)


def grow(results: Path, cohorts: int, genes: int) -> None:
    """Make the results of the other trials from those of the first, where they are not there."""
    from adnorm.base.containers import read_container, write_container

    data = read_container(results / FIRST / "expression" / "expression.h5ad")
    texts = {path: (results / FIRST / path).read_text("utf-8") for path in COPIED}
    manifest = json.loads((results / FIRST / "fetch" / "manifest.json").read_text("utf-8"))
    for number in range(cohorts):
        name, folder = name_of(number), results / name_of(number)
        if (folder / "effects" / "large.tsv").exists():
            continue
        rng = np.random.default_rng(number)
        for part in ("fetch", "expression", "effects", "index", "scores", "figures", "logs"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        if number:
            drug, drug_class = DRUGS[number % len(DRUGS)]

            def renamed(text: str, new: tuple[str, ...] = (name, drug, drug_class)) -> str:
                for old, other in zip((FIRST, *DRUGS[0]), new, strict=True):
                    text = text.replace(old, other)
                return text

            for path, text in texts.items():
                (folder / path).write_text(renamed(text), encoding="utf-8")
            for entry in manifest["files"]:
                source = results / FIRST / "fetch" / entry["name"]
                (folder / "fetch" / entry["name"]).unlink(missing_ok=True)
                os.link(source, folder / "fetch" / entry["name"])
            files = [entry | {"sha256": f"{number}-{entry['name']}"} for entry in manifest["files"]]
            told = json.dumps(manifest | {"cohort": name, "files": files})
            (folder / "fetch" / "manifest.json").write_text(told, encoding="utf-8")
            other = data.copy()
            other.X = data.X + rng.normal(0, 0.6, data.X.shape)
            other.layers.clear()
            other.uns["adnorm"] = dict(data.uns["adnorm"]) | {"cohort": name}
            for column in other.obs.select_dtypes(["object", "string", "category"]):
                other.obs[column] = other.obs[column].astype(str).map(renamed)
            other.obs_names = [renamed(sample) for sample in other.obs_names]
            # The same ids for other patients, as in trials that count from 1.
            people = other.obs["patient"].unique()
            ids = dict(zip(people, rng.permutation(people), strict=True))
            for column in ("patient", "geo_subject id"):
                other.obs[column] = other.obs[column].map(lambda old, ids=ids: ids.get(old, old))
            write_container(other, folder / "expression" / "expression.h5ad")
        _large_effects(rng, list(data.var_names), genes, folder / "effects" / "large.tsv")


def _large_effects(rng: np.random.Generator, own: list[str], genes: int, path: Path) -> None:
    """Lesional effects of as many genes; a tenth of them is not measured in every trial."""
    from adnorm.base.tables import write_table

    known = np.array(sorted({*own, *(f"GENE{i:05d}" for i in range(genes - len(own)))}))
    true = np.random.default_rng(0).normal(0, 1, len(known))
    there = rng.random(len(known)) < 0.9
    size = int(there.sum())
    error = rng.gamma(4, 0.08, size)
    frame = pd.DataFrame({"contrast": "lesional-nonlesional@0", "gene": known[there]})
    frame["log2_fold_change"] = true[there] + rng.normal(0, 0.3, size) + rng.normal(0, error)
    frame["standard_error"], frame["t"] = error, 1.0
    frame["degrees_of_freedom"], frame["p_value"], frame["fdr"] = 18.0, 0.01, 0.02
    write_table(frame.assign(pairs=20), path)


# ---------------------------------------------------------------- the jobs


def _all(results: Path, cohorts: int, path: str) -> list[Path]:
    return [results / name_of(number) / path for number in range(cohorts)]


def _axis(results: Path, cohorts: int) -> dict[str, Path]:
    folder = results / f"axis-{cohorts}"
    return {
        "lesional_effects": folder / "lesional_effects.tsv",
        "teaching": folder / "teaching.h5",
    }


def lesional_effects(results: Path, cohorts: int, out: Path) -> None:
    from adnorm.index.training_cohorts import build

    inputs = {
        "effects": _all(results, cohorts, "effects/large.tsv"),
        "expression": _all(results, cohorts, "expression/expression.h5ad"),
        "manifests": _all(results, cohorts, "fetch/manifest.json"),
    }
    build(inputs, _axis(results, cohorts), {}, 0)


def index(results: Path, cohorts: int, out: Path) -> None:
    from adnorm.index.build import StageSettings, build

    names = ("axis", "index", "sensitivities", "denominators", "gene_index", "patients")
    names += ("trajectories", "concordance", "calibration")
    own = results / FIRST
    inputs = _axis(results, cohorts) | {
        "samples": own / "expression/samples.tsv",
        "expression": own / "expression/expression.h5ad",
        "scores": own / "scores/scores.h5ad",
        "effects": own / "effects/effects.tsv",
        "gene_sets": [ROOT / "config/gene_sets/adnorm.tsv"],
    }
    outputs = {name: out / f"{name}.tsv" for name in names} | {"residual": out / "residual.gmt"}
    build(inputs, outputs, StageSettings(minimum_genes=5, minimum_fraction=0.5), 1)


def atlas(results: Path, cohorts: int, out: Path) -> None:
    from adnorm.atlas.build import build
    from adnorm.study.config import IndexSettings

    inputs: dict[str, Any] = _axis(results, cohorts) | {
        "index": _all(results, cohorts, "index/index.tsv"),
        "published": ROOT / "config/published.tsv",
    }
    place = _joined(results, cohorts)
    outputs = {name: place / f"{name}.tsv" for name in ("dose", "time", "classes")}
    build(inputs, outputs, IndexSettings(), 1)


def atlas_figures(results: Path, cohorts: int, out: Path) -> None:
    from adnorm.figures.build import build_atlas
    from adnorm.figures.data import DrawingSettings
    from adnorm.figures.names import ATLAS_FIGURES

    place = _joined(results, cohorts)
    inputs: dict[str, Any] = {name: place / f"{name}.tsv" for name in ("dose", "time", "classes")}
    inputs |= {
        "samples": _all(results, cohorts, "expression/samples.tsv"),
        "comparisons": _all(results, cohorts, "expression/comparisons.tsv"),
        "gene_sets": [ROOT / "config/gene_sets/adnorm.tsv"],
    }
    kinds = ("svg", "png", "pdf", "tsv")
    outputs = {
        f"{figure.name}_{kind}": place / "figures" / f"{figure.name}.{kind}"
        for figure in ATLAS_FIGURES
        for kind in kinds
    } | {"tables": place / "tables.html"}
    told = {"route": "simulated", "placebo_arm": "placebo"}
    settings = DrawingSettings.model_validate(
        {"cohorts": {name_of(number): told for number in range(cohorts)}}
    )
    build_atlas(inputs, outputs, settings)


def explorer(results: Path, cohorts: int, out: Path) -> None:
    from adnorm.figures.explorer.build import FILES, PageSettings, build

    places = {name: f"index/{name}.tsv" for name in FILES} | {
        "effects": "effects/effects.tsv",
        "comparisons": "expression/comparisons.tsv",
        "expression": "expression/expression.h5ad",
    }
    inputs: dict[str, Any] = {name: _all(results, cohorts, places[name]) for name in FILES}
    inputs["gene_sets"] = [ROOT / "config/gene_sets/adnorm.tsv"]
    titles = {name_of(number): f"Trial {number}" for number in range(cohorts)}
    page = _joined(results, cohorts) / "explorer.html"
    build(inputs, {"page": page}, PageSettings(cohorts=titles))


def cohorts_page(results: Path, cohorts: int, out: Path) -> None:
    from adnorm.figures.page.cohorts import build

    place = _joined(results, cohorts)
    inputs: dict[str, Any] = {
        "samples": _all(results, cohorts, "expression/samples.tsv"),
        "drawn": _all(results, cohorts, "figures/quality.tsv"),
        "patients": _all(results, cohorts, "index/trajectories.tsv"),
        "answers": _all(results, cohorts, "figures/answer.json"),
        "pictures": _all(results, cohorts, "figures/answer.svg"),
        "dose": place / "dose.tsv",
    }
    names = {"front": "index.html", "fragment": "page_one.html", "answers": "answers.json"}
    names |= {"table": "cohorts.tsv", "page": "cohorts.html"}
    facts = {"title": "A trial", "accession": None, "status": "verified", "route": "simulated"}
    settings = {name_of(number): facts for number in range(cohorts)}
    build(inputs, {key: place / name for key, name in names.items()}, settings)


def shared(results: Path, cohorts: int, out: Path) -> None:
    """Look through what the methods of the record tell of."""
    from adnorm.provenance.methods import Found
    from adnorm.study.reading import read_cohort

    folder = out / "results"
    folder.mkdir()
    (folder / "axis").symlink_to(results / f"axis-{cohorts}")
    for number in range(cohorts):
        (folder / name_of(number)).symlink_to(results / name_of(number))
    one = read_cohort(results.parent / "cohorts" / f"{FIRST}.yaml")
    Found.of(folder, {name_of(number): one for number in range(cohorts)})


def finished(results: Path, cohorts: int, out: Path) -> None:
    from adnorm.base.stops import write_finished

    paths = ("figures/quality.tsv", "figures/answer.json", "index/trajectories.tsv")
    files = [str(path) for name in paths for path in _all(results, cohorts, name)]
    write_finished(files, [name_of(number) for number in range(cohorts)], out / "finished.txt")


def _joined(results: Path, cohorts: int) -> Path:
    folder = results / f"atlas-{cohorts}"
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    return folder


#: In the order in which one takes what another has made.
JOBS: dict[str, Callable[[Path, int, Path], None]] = {
    "lesional_effects": lesional_effects,
    "index": index,
    "atlas": atlas,
    "atlas_figures": atlas_figures,
    "explorer": explorer,
    "cohorts": cohorts_page,
    "provenance: what was found": shared,
    "finished": finished,
}


def template(folder: Path, genes: int) -> None:
    """Take the first trial through the workflow, for the results that the others are made of."""
    write_study(folder, 1, genes)
    wanted = [f"results/{FIRST}/{path}" for path in COPIED]
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    run([*command, *wanted, "--cores", "1", "--configfile", "run.yaml"], folder)


def measured(folder: Path, sizes: list[int], jobs: list[str]) -> Iterator[dict[str, Any]]:
    """Measure the jobs in processes of their own."""
    for size in sizes:
        for job in jobs:
            with tempfile.TemporaryDirectory() as out:
                command = [sys.executable, __file__, "--job", job, "--cohorts", str(size)]
                cost = run([*command, "--keep", str(folder), "--out", out])
            yield {"job": job, "cohorts": size, "cpu": cost.cpu, "peak": cost.peak}


def table_of(rows: list[dict[str, Any]]) -> str:
    """Write a line for each job: CPU seconds and peak MiB by the number of cohorts."""
    sizes = sorted({row["cohorts"] for row in rows})
    heads = [f"{size} cohorts: CPU s, peak MiB" for size in sizes]
    lines = [f"| job | {' | '.join(heads)} |", "| --- " * (len(heads) + 1) + "|"]
    for job in dict.fromkeys(row["job"] for row in rows):
        of_job = {row["cohorts"]: row for row in rows if row["job"] == job}
        cells = [
            f"{of_job[size]['cpu']:.1f}, {of_job[size]['peak']:,.0f}" if size in of_job else ""
            for size in sizes
        ]
        lines.append(f"| {job} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Write a study, run one job, or measure all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cohorts", type=int, nargs="+", default=[10, 50, 200])
    parser.add_argument("--genes", type=int, default=20_000, help="of the lesional effects")
    parser.add_argument("--own-genes", type=int, default=2000, help="of the first trial")
    parser.add_argument("--only", nargs="+", choices=JOBS, default=list(JOBS))
    parser.add_argument("--keep", type=Path, help="folder of the results that are measured")
    parser.add_argument("--write", type=Path, help="only write a study into this folder")
    parser.add_argument("--job", choices=JOBS, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.write:
        write_study(chosen.write, max(chosen.cohorts), chosen.own_genes)
        return
    if chosen.job:
        JOBS[chosen.job](chosen.keep / "results", chosen.cohorts[0], chosen.out)
        return
    folder = chosen.keep or Path(tempfile.mkdtemp())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder = folder.resolve()
        template(folder, chosen.own_genes)
        grow(folder / "results", max(chosen.cohorts), chosen.genes)
        rows = []
        for row in measured(folder, sorted(chosen.cohorts), chosen.only):
            print(row, file=sys.stderr, flush=True)
            rows.append(row)
        print(table_of(rows))
        for size in sorted(chosen.cohorts):
            page = folder / "results" / f"atlas-{size}" / "explorer.html"
            if page.exists():
                print(f"explorer.html of {size} cohorts: {page.stat().st_size / 1e6:.1f} MB")
    finally:
        if not chosen.keep:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
