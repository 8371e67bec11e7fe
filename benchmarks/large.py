"""Seconds and memory of every stage for large cohorts, from published files to figures.

``python benchmarks/large.py`` draws cohorts of 39,376 genes with 300, 1,000 and 3,000 samples
(counts), and one of 54,675 probes and 200 samples (an array), runs the workflow on each, job by
job, and fits the exponent of time over samples for every stage. ``--samples 300 --genes 20000``
makes a small one, ``--array 0`` leaves the array out, ``--keep FOLDER`` keeps what was drawn and
made, and draws nothing that it holds. ``--profile`` adds a cProfile of each job to that folder.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import polars as pl

from workflow import drawn_trial, write_run

ROOT = Path(__file__).resolve().parents[1]
#: Of each patient: nonlesional and lesional skin before treatment, and at two visits.
VISITS = (("NL", 0), ("LS", 0), ("LS", 2), ("LS", 12), ("NL", 12))
ARMS = {"placebo": 0.1, "low": 0.5, "high": 0.9}
BACK = {0: 0.0, 2: 0.4, 12: 1.0}
#: Samples that are drawn at a time.
BLOCK = 250
Y_GENES = ("RPS4Y1", "DDX3Y", "KDM5D", "EIF1AY", "UTY", "USP9Y", "ZFY")
STAGES = (
    *("fetch", "expression", "scores", "effects", "lesional_effects", "index"),
    *("figures", "index_figures", "atlas", "atlas_figures", "explorer", "cohorts", "provenance"),
)
#: What is asked for: MiB in any process, and the exponent of the time of a stage over samples.
MOST_MEMORY, MOST_EXPONENT = 6 * 1024, 1.1
#: Beside the interpreter of every job: says what it took when it ends.
_METER = """
import atexit, os, re, resource, sys, time

began = time.time()
stage = os.path.basename(sys.orig_argv[-1]).split(".")[-2:][0]


def tell():
    own, other = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    cpu = sum(usage.ru_utime + usage.ru_stime for usage in (own, other))
    peak = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
    cells = (cpu, time.time() - began, peak / 1024, other.ru_maxrss / 1024)
    with open(os.environ["ADNORM_METER"], "a") as file:
        file.write("\\t".join([stage, *(f"{cell:.3f}" for cell in cells)]) + "\\n")


if any(".snakemake/scripts/" in word for word in sys.orig_argv):
    atexit.register(tell)
    if os.environ.get("ADNORM_PROFILES"):
        import cProfile

        profile = cProfile.Profile()
        path = os.path.join(os.environ["ADNORM_PROFILES"], stage + ".prof")
        atexit.register(lambda: (profile.disable(), profile.dump_stats(path)))
        profile.enable()
"""


def sheet_of(samples: int) -> pl.DataFrame:
    """Patients of all arms in turn, at all visits; ``lesion``: how much of the disease is left."""
    rows = []
    for number in range(samples):
        patient, (tissue, week) = number // len(VISITS), VISITS[number % len(VISITS)]
        arm = list(ARMS)[patient % len(ARMS)]
        left = (1 - ARMS[arm] * BACK[week]) if tissue == "LS" else 0.0
        sex = "FM"[patient // len(ARMS) % 2]
        rows.append((f"S{number:05d}", f"P{patient:04d}", tissue, week, arm, sex, left))
    columns = ["sample", "patient", "tissue", "week", "arm", "sex", "lesion"]
    return pl.DataFrame(rows, orient="row", schema=columns)


def symbols(genes: int) -> tuple[np.ndarray, np.ndarray]:
    """Genes of our sets with the way in which disease moves them, then invented ones."""
    way: dict[str, float] = dict.fromkeys(("XIST", *Y_GENES), 0.0)
    with open(ROOT / "config" / "gene_sets" / "adnorm.tsv", encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            sign = {"up": 1.0, "down": -1.0}.get(row["direction"], 0.0)
            way.setdefault(row["symbol"], 0.0 if row["role"] == "control" else sign)
    names = [*way, *(f"GENE{i:05d}" for i in range(genes))][:genes]
    return np.array(names), np.array([way.get(name, 0.0) for name in names])


def log2_levels(rng, base, effect, sheet: pl.DataFrame, names: np.ndarray):
    """Draw expected log2 levels, samples of a block at a time: lesions, patients, tissue, sex."""
    patients = np.unique(sheet["patient"].to_numpy(), return_inverse=True)[1]
    count = patients.max() + 1
    own = rng.normal(0, 0.3, (len(base), count)).astype(np.float32)
    # Genes that people have on one of two levels; then the sexes.
    two = rng.choice(np.flatnonzero(effect == 0), 40, replace=False)
    own[two] += np.where(rng.random((40, count)) < 0.4, -4, 0)
    male = np.array([sheet["sex"].to_numpy()[patients == p][0] == "M" for p in range(count)])
    own[names == "XIST"] += np.where(male, -6, 0)
    own[np.isin(names, Y_GENES)] += np.where(male, 0, -6)
    loadings = rng.normal(0, 0.2, (len(base), 5)).astype(np.float32)
    lesion = sheet["lesion"].to_numpy().astype(np.float32)
    for start in range(0, sheet.height, BLOCK):
        rows = slice(start, start + BLOCK)
        size = len(lesion[rows])
        level = base[:, None] + effect[:, None] * lesion[rows] + own[:, patients[rows]]
        level += loadings @ rng.normal(0, 1, (5, size)).astype(np.float32)
        yield rows, level + 0.35 * rng.standard_normal(level.shape, dtype=np.float32)


def draw(folder: Path, kind: str, genes: int, samples: int, methods: list[str]) -> None:
    """Write a cohort as a laboratory would hand it over, and the configuration of its run."""
    rng, sheet = np.random.default_rng(samples), sheet_of(samples)
    known, direction = symbols(genes if kind == "counts" else 22_000)
    rows = np.arange(genes)
    if kind == "array":
        rows = np.concatenate([np.arange(len(known)), rng.integers(0, len(known), genes)])[:genes]
    names = known[rows]
    middle = np.where(np.arange(len(known)) < 20_000, 6.5, 1.0)
    low = np.clip(rng.normal(6.5, 2.2, len(known)), 2.5, 14) + rng.normal(0, 0.6, len(known))
    base = low if kind == "array" else rng.normal(middle, 3)
    # Genes of the sets are seen.
    base = np.where(direction != 0, np.maximum(base, 5.0), base)
    base[np.isin(known, ["XIST", *Y_GENES])] = 7.0
    effect = direction * np.abs(rng.normal(1.0, 0.25, len(known)))
    levels = log2_levels(
        rng, base[rows].astype(np.float32), effect[rows].astype(np.float32), sheet, names
    )
    columns: dict[str, np.ndarray] = {}
    for block, level in levels:
        depth = rng.lognormal(0, 0.3, level.shape[1])
        values = rng.poisson(np.exp2(level) * depth).astype(np.int32) if kind == "counts" else level
        columns |= dict(zip(sheet["sample"][block], values.T, strict=True))
    ids = names if kind == "counts" else np.array([f"{200000 + i}_at" for i in range(genes)])
    data = folder / "data"
    data.mkdir(parents=True)
    with gzip.open(data / "values.tsv.gz", "wb", compresslevel=1) as file:
        frame = pl.DataFrame({"gene": ids} | columns)
        for start in range(0, genes, 1000):
            part = frame[start : start + 1000]
            file.write(
                part.write_csv(
                    separator="\t", include_header=start == 0, float_precision=6
                ).encode()
            )
    sheet.drop("lesion").write_csv(data / "sheet.tsv", separator="\t")
    source = {"table": str(data / "values.tsv.gz"), "sheet": str(data / "sheet.tsv")}
    if kind == "array":
        probes = pl.DataFrame({"ID": ids, "Gene symbol": names})
        probes.write_csv(data / "probes.tsv", separator="\t")
        source["annotation"] = str(data / "probes.tsv")
    cohort = drawn_trial("arm") | {
        **{"id": "large", "title": f"A drawn trial of {samples} biopsies", "citation": None},
        **{"route": "local", "source": source},
        "assay": "rna-seq" if kind == "counts" else "microarray",
        "scale": "counts" if kind == "counts" else "log2",
    }
    cohort["samples"]["sex"] = {"from": "sex", "values": {"F": "female", "M": "male"}}
    write_run(folder, cohort, scores={"methods": methods})


def measure(folder: Path, profile: bool, targets: list[str]) -> dict[str, tuple[float, ...]]:
    """Run the workflow on a cohort; CPU seconds, seconds and peak MiB of the job of each stage."""
    meter = folder / "meter"
    meter.mkdir(exist_ok=True)
    (meter / "sitecustomize.py").write_text(_METER, encoding="utf-8")
    found = folder / "jobs.tsv"
    found.unlink(missing_ok=True)
    paths = [str(meter), str(ROOT / "scripts"), os.environ.get("PYTHONPATH", "")]
    variables = os.environ | {"ADNORM_METER": str(found), "PYTHONPATH": os.pathsep.join(paths)}
    variables |= {"ADNORM_CACHE": str(folder / "cache"), "ADNORM_PROFILES": ""}
    if profile:
        (folder / "profiles").mkdir(exist_ok=True)
        variables["ADNORM_PROFILES"] = str(folder / "profiles")
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--configfile", "run.yaml", "--cores", "1", *targets]
    done = subprocess.run(
        command, cwd=folder, env=variables, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} in {folder}:\n{(done.stdout + done.stderr)[-6000:]}")
    costs = {}
    for line in found.read_text().splitlines():
        stage, cpu, wall, peak, child = line.split("\t")
        # A child inherits the peak of who starts it, so that only those that work count.
        peaks = (float(peak), float(child) if stage == "scores" else 0.0)
        costs[stage] = (float(cpu), float(wall), max(peaks))
    return costs


def exponent(samples: list[int], seconds: list[float]) -> float:
    """Fit log time over log samples, what one sample more or less costs; NaN for a single size.

    What a job takes for nothing (start-up, drawing) is in it, so that it is no more than that of
    the work alone.
    """
    if len(samples) < 2:
        return float("nan")
    return float(np.polyfit(np.log(samples), np.log(seconds), 1)[0])


def main() -> None:
    """Draw, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--genes", type=int, default=39_376)
    parser.add_argument("--samples", type=int, nargs="*", default=[300, 1000, 3000])
    parser.add_argument("--probes", type=int, default=54_675)
    parser.add_argument("--array", type=int, default=200, help="samples of the array; 0: none")
    parser.add_argument("--methods", nargs="+", default=["zscore"])
    parser.add_argument("--keep", type=Path, help="a folder for cohorts and results")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--table", type=Path, help="write the measures as JSON")
    parser.add_argument("--until", nargs="*", default=[], help="results to ask for, not all")
    options = parser.parse_args()
    shapes = [("counts", options.genes, n) for n in options.samples]
    shapes += [("array", options.probes, options.array)] if options.array else []
    found = {}
    with tempfile.TemporaryDirectory() as temporary:
        for kind, genes, samples in shapes:
            folder = (options.keep or Path(temporary)).resolve() / f"{kind}_{genes}_{samples}"
            if not (folder / "run.yaml").exists():
                draw(folder, kind, genes, samples, options.methods)
            found[kind, genes, samples] = measure(folder, options.profile, options.until)
            print(f"{kind}, {genes:,} × {samples:,}: measured", file=sys.stderr)
    print_tables(found)
    if options.table:
        listed = [
            {"kind": k, "genes": g, "samples": n, "stages": v} for (k, g, n), v in found.items()
        ]
        options.table.write_text(json.dumps(listed, indent=1))


def print_tables(found: dict[tuple[str, int, int], dict[str, tuple[float, ...]]]) -> None:
    """Print one row for each stage: CPU s, wall s, peak MiB of every cohort, and exponents."""
    heads = [f"{kind} {genes:,} × {samples:,}" for kind, genes, samples in found]
    counts = [key for key in found if key[0] == "counts"]
    print(f"| stage: CPU s / wall s / peak MiB | {' | '.join(heads)} | exponent, CPU s |")
    print("| --- |" + " --- |" * (len(heads) + 1))
    steep = []
    for stage in STAGES:
        if not any(stage in costs for costs in found.values()):
            continue
        cells = []
        for costs in found.values():
            cost = costs.get(stage)
            cells.append(f"{cost[0]:.1f} / {cost[1]:.1f} / {cost[2]:,.0f}" if cost else "")
        some = [key for key in counts if stage in found[key]]
        slope = exponent([key[2] for key in some], [found[key][stage][0] for key in some])
        steep += [f"{stage} ({slope:.2f})"] if slope > MOST_EXPONENT else []
        cells.append("" if np.isnan(slope) else f"{slope:.2f}")
        print(f"| {stage} | {' | '.join(cells)} |")
    sums = [
        f"{sum(c[0] for c in costs.values()):.1f} / {sum(c[1] for c in costs.values()):.1f} / "
        f"{max((c[2] for c in costs.values()), default=0):,.0f}"
        for costs in found.values()
    ]
    print(f"| all | {' | '.join(sums)} | |")
    peak = max(cost[2] for costs in found.values() for cost in costs.values())
    word = "holds" if peak < MOST_MEMORY else "missed"
    print(f"\nLargest process {peak:,.0f} MiB, below {MOST_MEMORY:,}: {word}")
    if len(counts) > 1:
        word = f"missed by {', '.join(steep)}" if steep else "holds"
        print(f"Exponents of at most {MOST_EXPONENT:g}: {word}")


if __name__ == "__main__":
    main()
