"""Size and speed of the explorer for six cohorts of 20,000 genes and 400 samples; prints a table.

``python benchmarks/explorer.py`` needs no input: it draws trials of the stated size, with a placebo
arm, three doses and three visits each. Times are of a headless Chromium of the machine, if it has
one (``playwright`` drives it). ``--genes 2000 --cohorts 2`` makes a small page.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from scipy import stats

from adnorm.effects.fit import benjamini_hochberg
from adnorm.figures.explorer.build import PageSettings, page_of
from adnorm.figures.explorer.cohort import CohortResults
from adnorm.study.comparisons import derive_design, design_tables
from adnorm.study.gene_sets import read_gene_sets

ROOT = Path(__file__).resolve().parents[1]
ARMS = ("placebo", "drug 5 mg", "drug 10 mg", "drug 20 mg")
WEEKS = (2.0, 4.0, 12.0)
#: What a page of six large cohorts may take.
BARS = {"MB": 25.0, "first paint, s": 2.0, "a gene, ms": 100.0}


def sheet_of(samples: int) -> pd.DataFrame:
    """Patients with nonlesional and lesional skin before, and lesional skin at each visit."""
    rows = []
    for patient in range(samples // (2 + len(WEEKS))):
        arm = ARMS[patient % len(ARMS)]
        visits = [("nonlesional", 0.0), ("lesional", 0.0)]
        visits += [("lesional", week) for week in WEEKS]
        rows += [(f"P{patient:03}", state, arm, week) for state, week in visits]
    sheet = pd.DataFrame(rows, columns=["patient", "state", "arm", "week"])
    sheet["treatment"] = sheet["arm"].str.partition(" ")[0]
    sheet["dose_mg"] = sheet["arm"].str.extract(r"(\d+) mg")[0].astype(float)
    return sheet.assign(drug_class="JAK inhibitor")


def draw(number: int, genes: np.ndarray, samples: int, scores: list[str]) -> CohortResults:
    """Draw one cohort: effects, index and expression with the spread of real ones."""
    rng = np.random.default_rng(number)
    sheet = sheet_of(samples)
    design = derive_design(sheet, "placebo", 3)
    spread = rng.gamma(3, 0.12, len(genes))
    disease = rng.normal(0, 1, len(genes)) * (rng.random(len(genes)) < 0.2)
    frames = []
    for comparison in design.supported:
        error = spread * rng.uniform(0.8, 1.2, len(genes)) / 2
        share = {"lesional-nonlesional": 1.0, "change": -0.5}.get(comparison.kind, -0.3)
        frame = pd.DataFrame({"contrast": comparison.name, "gene": genes})
        frame["log2_fold_change"] = share * disease + error * rng.normal(size=len(genes))
        frame["standard_error"] = error
        frame["t"] = frame["log2_fold_change"] / error
        frame["degrees_of_freedom"] = 84.5
        frame["p_value"] = 2 * stats.t.sf(np.abs(frame["t"]), 84.5)
        frame["fdr"] = benjamini_hochberg(frame["p_value"].to_numpy())
        frames.append(frame.assign(pairs=comparison.patients))
    visits = [(arm, week) for arm in ARMS for week in WEEKS]
    known = np.abs(disease) > 0.5
    index_of_genes = [
        pd.DataFrame(
            {
                **{"reference": "nonlesional", "arm": arm, "week": week, "gene": genes},
                "class": np.where(known, "partial", "not estimable"),
                "ni": np.where(known, rng.normal(0.5, 0.3, len(genes)), np.nan),
                "lower": np.where(known, rng.normal(0.1, 0.3, len(genes)), np.nan),
                "upper": np.where(known, rng.normal(0.9, 0.3, len(genes)), np.nan),
                "reason": np.where(known, "", "disease effect too small against its error"),
            }
        )
        for arm, week in visits
    ]
    values = rng.normal(7, 2, len(genes)) + rng.normal(0, 1, (len(sheet), len(genes))) * spread * 3
    values += np.outer(sheet["state"] == "lesional", disease)
    tables = {
        "effects": pd.concat(frames, ignore_index=True),
        "comparisons": design_tables(design)[1].assign(batch="", batch_reason=""),
        "gene_index": pd.concat(index_of_genes, ignore_index=True),
        "index": index_rows(rng, visits, scores),
        "trajectories": courses(rng, sheet, scores),
    }
    facts = {"disease": "atopic dermatitis", "simulated": True, "placebo_arm": "placebo"}
    facts |= {"assay": "rna-seq", "platform": "GPL24676", "normalization": "drawn"}
    name = f"trial_{number}"
    return CohortResults(name, "A drawn trial", tables, facts, sheet, genes, values)


def index_rows(rng, visits: list[tuple[str, float]], scores: list[str]) -> pd.DataFrame:
    rows = []
    for arm, week in visits:
        for score in scores:
            ni, dni = rng.normal(0.5, 0.2), rng.normal(0.3, 0.2)
            bounds = {"lower": ni - 0.2, "upper": ni + 0.2}
            bounds |= {"dni_lower": dni - 0.2, "dni_upper": dni + 0.2}
            words = {"status": "ok", "reason": "", "dni_reason": "", "family": "secondary"}
            keys = {"reference": "nonlesional", "arm": arm, "week": week, "name": score}
            tests = {"adjusted_p_value": np.nan, "fdr": rng.random()}
            counts = {"pairs": 20, "placebo_pairs": 20}
            rows.append(keys | {"ni": ni, "dni": dni} | bounds | words | tests | counts)
    return pd.DataFrame(rows)


def courses(rng, sheet: pd.DataFrame, scores: list[str]) -> pd.DataFrame:
    later = sheet[sheet["week"] > 0][["patient", "arm", "week"]]
    rows = later.merge(pd.DataFrame({"name": scores}), how="cross")
    return rows.assign(reference="nonlesional", response=rng.normal(0.5, 0.3, len(rows)))


def make(options: argparse.Namespace) -> tuple[str, float]:
    """Write the page; give it with the seconds that it took, drawing left out."""
    sets = read_gene_sets([ROOT / "config" / "gene_sets" / "adnorm.tsv"])
    members = sorted({gene.symbol for s in sets.values() for gene in s.genes})
    others = [f"GENE{i:05}" for i in range(max(0, options.genes - len(members)))]
    genes = np.array(sorted([*members, *others])[: options.genes], dtype=object)
    drawn, spent = [0.0], time.perf_counter()

    def cohorts() -> Iterator[CohortResults]:
        for number in range(options.cohorts):
            began = time.perf_counter()
            cohort = draw(number, genes, options.samples, ["global", *sets])
            drawn[0] += time.perf_counter() - began
            yield cohort

    explorer = {"sample_genes": options.sample_genes}
    settings = PageSettings.model_validate({"figures": {"explorer": explorer}})
    page = "".join(page_of(cohorts(), sets, dict.fromkeys(members[:60], 1), settings))
    return page, time.perf_counter() - spent - drawn[0]


#: Waits for a view to be drawn, frame included.
GO = """async (hash) => {
  const began = performance.now();
  location.hash = hash;
  await new Promise((done) => addEventListener("hashchange", done, { once: true }));
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - began;
}"""


def browse(page: Path, genes: list[str]) -> dict[str, float]:
    """Open the page in Chromium: how long to the first paint, to the first view, and other views.

    CPU times are of the thread that draws, and the same on a machine that has other work.
    """
    from playwright.sync_api import sync_playwright

    paints, ready, seen, sampled, busy, opened = [], [], [], [], [], []
    with sync_playwright() as driver:
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for _ in range(3):
            tab = browser.new_context(viewport={"width": 1366, "height": 768}).new_page()
            session = tab.context.new_cdp_session(tab)
            session.send("Performance.enable", {"timeDomain": "threadTicks"})

            def worked(session=session) -> float:
                found = session.send("Performance.getMetrics")["metrics"]
                return 1000 * next(m["value"] for m in found if m["name"] == "TaskDuration")

            tab.goto(f"{page.as_uri()}#gene={genes[0]}")
            tab.wait_for_selector("html[data-ready] main h1", timeout=60000)
            ready.append(tab.evaluate("performance.now()") / 1000)
            first = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
            paints.append(tab.evaluate(first) / 1000)
            opened.append(worked() / 1000)
            for gene in genes[1:]:
                before = worked()
                seen.append(tab.evaluate(GO, f"gene={gene}"))
                busy.append(worked() - before)
            sampled += [tab.evaluate(GO, f"gene={gene}&samples=1") for gene in genes[1:]]
            scores = [tab.evaluate(GO, f"score={name}") for name in ("global", "th2")]
            index = tab.evaluate(GO, "index&family=all")
            tab.context.close()
        browser.close()
    return {
        "first paint, s": median(paints),
        "first gene shown, s": median(ready),
        "first gene shown, CPU s": median(opened),
        "a gene, ms": median(seen),
        "a gene, slowest, ms": max(seen),
        "a gene, CPU ms": median(busy),
        "a gene with samples, ms": median(sampled),
        "a score, ms": median(scores),
        "the index table, ms": index,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cohorts", type=int, default=6)
    parser.add_argument("--genes", type=int, default=20000)
    parser.add_argument("--samples", type=int, default=400)
    parser.add_argument("--sample-genes", type=int, default=1000)
    parser.add_argument("--no-browser", action="store_true", help="only size and time of making")
    options = parser.parse_args()
    text, seconds = make(options)
    measured = {"MB": len(text.encode()) / 1e6, "made in, s": seconds}
    if not options.no_browser:
        measured |= look(text)
    for name, value in measured.items():
        bar = f"  (at most {BARS[name]:g})" if name in BARS else ""
        print(f"{name:26}{value:10.2f}{bar}")


def look(text: str) -> dict[str, float]:
    """Measure a page in the browser, if the machine has one."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "explorer.html"
        page.write_text(text, encoding="utf-8")
        try:
            genes = ["IL13", "FLG", "CCL17", "KRT16", "IL31", "S100A9", "GENE00100", "GENE01000"]
            return browse(page, genes)
        except ImportError:
            print("no playwright: the browser is left out", file=sys.stderr)
            return {}


if __name__ == "__main__":
    main()
