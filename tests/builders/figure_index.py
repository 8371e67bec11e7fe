"""Made-up trials whose index, responses and clinic were computed by the package itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.text import Text

from adnorm.atlas.classes import class_table, read_published
from adnorm.atlas.cohort_results import CohortResults
from adnorm.atlas.dose import dose_table
from adnorm.atlas.time import time_table
from adnorm.base.tables import read_table, write_table
from adnorm.effects.controls import COLUMNS as CONTROLS
from adnorm.figures.build import ATLAS
from adnorm.figures.data import (
    AtlasCohort,
    AtlasData,
    DrawingSettings,
    IndexData,
    read_atlas,
    read_index,
)
from adnorm.figures.theme import INCH, MARGIN, RC, split_arm
from adnorm.index.build import follow_patients
from adnorm.index.genes import gene_index
from adnorm.index.sensitivities import IndexInput, index_tables
from adnorm.study.cohort import DescribedCohort
from adnorm.study.config import FiguresSettings, HeatmapSets, IndexSettings
from adnorm.study.gene_sets import read_gene_sets

PRIMARY = ["global", "itch_core_skin_up", "barrier_hyperproliferation_up"]
INDEX = {"confidence": 0.95, "primary": PRIMARY, "fdr": 0.05}
TYPED = IndexSettings(**INDEX)
HEATMAPS = {"itch": ["itch_core_skin_up"], "barrier": ["barrier_hyperproliferation_up"]}
#: What the figures are drawn by.
DRAWING = {
    "figures": FiguresSettings(heatmap_sets=HeatmapSets(**HEATMAPS)),
    "index": IndexSettings(primary=PRIMARY, confidence=0.95),
}
OTHER = {"arms": {"placebo": 8, "other 5 mg": 8}, "weeks": (2.0,), "clinic": False}
#: Trials of a run: two of one class, one of another, one without placebo, one without visits.
RUN = {
    "alpha": {"clinic": False},
    "beta": {"arms": {"placebo": 8, "drug 40 mg": 8}, "weeks": (2.0,), "clinic": False},
    "gamma": OTHER,
    "open": {"arms": {"other 5 mg": 8}, "weeks": (4.0,), "clinic": False},
    "still": {"weeks": (), "clinic": False},
}
#: Level of every score in lesional skin; 0 has no index.
EFFECTS = {
    "global": 4.0,
    "itch_core_skin_up": 3.0,
    "barrier_hyperproliferation_up": 2.5,
    "barrier_lipid_ceramide_down": 0.0,
}
RESPONSE = {"placebo": 0.1, "drug 10 mg": 0.4, "drug 20 mg": 0.8, "other": 0.6, "untreated": 0.0}
TRIAL = {"placebo": 8, "drug 10 mg": 8, "drug 20 mg": 7}
SAMPLE_COLUMNS = ["sample", "patient", "state", "treatment", "drug_class", "dose_mg", "arm", "week"]


def _sheet(arms: dict, weeks: tuple, states: list[str]) -> pd.DataFrame:
    rows = []
    for arm, patients in arms.items():
        treatment, mg = split_arm(arm)
        dose = f"{mg:g}" if mg else ""
        for number in range(patients):
            known = [("healthy", 0.0)] if arm == "healthy" else [(s, 0.0) for s in states]
            known += [("lesional", week) for week in weeks if arm != "healthy"]
            drug_class = "JAK inhibitor" if treatment == "drug" else "anti-IL-13"
            for state, week in known:
                person = f"{arm[:1]}{dose[:2]}{number}"
                rows.append((person, state, treatment, drug_class, mg or np.nan, arm, week))
    sheet = pd.DataFrame(rows, columns=SAMPLE_COLUMNS[1:])
    sheet.insert(0, "sample", [f"S{i}" for i in range(len(sheet))])
    return sheet


def make_trial(
    folder: Path,
    repository: Path,
    arms: dict | None = None,
    weeks: tuple = (2.0, 12.0),
    states: tuple = ("lesional", "nonlesional"),
    clinic: bool = True,
    gone: tuple = (),
) -> dict:
    """Write every table that the figures of the index read; return their paths by name.

    Patients in `gone` miss the last visit.
    """
    arms = TRIAL if arms is None else arms
    sheet = _sheet(arms, weeks, list(states))
    missed = sheet["patient"].isin(gone) & (sheet["week"] == max(weeks, default=0.0))
    sheet = sheet[~missed].reset_index(drop=True)
    rng = np.random.default_rng(7)
    share = np.where(sheet["week"] > 0, 1 - sheet["arm"].map(RESPONSE).fillna(0), 1.0)
    share = np.where(sheet["state"] == "lesional", share, 0.0)
    values = pd.DataFrame(
        {name: e * share + rng.normal(0, 0.4, len(sheet)) for name, e in EFFECTS.items()}
    )
    if clinic:
        sick = 20 * np.where(sheet["week"] > 0, share, 1.0) + rng.normal(0, 1.0, len(sheet))
        sheet["easi"] = sick.clip(0.5).round(1)
        by_visit = sheet.groupby(["patient", "week"])["easi"].transform("first")
        sheet["easi"] = by_visit.where(sheet["state"] != "healthy")
    placebo = "placebo" if "placebo" in arms else ""
    names = pd.DataFrame({"level": "set", "reason_code": "", "reason": ""}, index=values.columns)
    names = names.assign(role="signature", basis="directions of the gene sets")
    names.loc["global", ["level", "basis"]] = ["global", "axis of atopic dermatitis"]
    data = IndexInput(values, names, sheet, placebo, TYPED, 1)
    tables = index_tables(data)
    patients = sheet[["patient", "arm", "week", "state"]].join(values)
    patients = patients.melt(
        ["patient", "arm", "week", "state"], var_name="name", value_name="score"
    )
    sets = [repository / "config" / "gene_sets" / "adnorm.tsv"]
    coverage = pd.DataFrame({"set": list(read_gene_sets(sets)), "status": "ok", "reason": ""})
    made = {
        "samples": sheet,
        "comparisons": pd.DataFrame(
            [("change", "change", "no", 0, "no lesional samples after baseline", "", "")],
            columns=[
                *("contrast", "kind", "supported", "pairs"),
                *("reason", "batch"),
                "batch_reason",
            ],
        ),
        "qc": sheet[["sample"]].assign(flags=""),
        "coverage": coverage.assign(asked=10, found=10),
        "controls": pd.DataFrame(columns=CONTROLS),
        "set_effects": pd.DataFrame(columns=["contrast", "set", "method", "change", "p_value"]),
        "index": tables.index.assign(null_percentile=99.0),
        "sensitivities": tables.sensitivities,
        "denominators": tables.denominators,
        "gene_index": _genes(sheet, share, rng, data.references[0], read_gene_sets(sets)),
        "patients": patients,
    }
    paths = {name: folder / f"{name}.tsv" for name in made}
    # The sample sheet stands where a run has it, in the folder of its cohort.
    paths["samples"] = folder / "expression" / "samples.tsv"
    for name, table in made.items():
        write_table(table, paths[name])
    outputs = {n: folder / f"{n}.tsv" for n in ("trajectories", "concordance", "calibration")}
    followed = [read_table(paths[name]) for name in ("patients", "denominators", "samples")]
    follow_patients(*followed, outputs, TYPED)
    return paths | outputs | {"gene_sets": sets}


def _genes(
    sheet: pd.DataFrame, share: np.ndarray, rng: np.random.Generator, reference: str, sets: dict
) -> pd.DataFrame:
    """Genes of the itch and barrier sets that change with treatment, and ones that do not."""
    genes = [
        g.symbol for name in ("itch_core_skin_up", *HEATMAPS["barrier"]) for g in sets[name].scored
    ]
    genes = [*dict.fromkeys(genes), *(f"NULL{i}" for i in range(60))]
    effect = np.where([g.startswith("NULL") for g in genes], 0.0, rng.uniform(2, 4, len(genes)))
    noise = rng.normal(0, 0.3, (len(genes), len(sheet)))
    log2 = 6 + effect[:, None] * share[None, :] + noise
    return gene_index(log2, np.array(genes, object), sheet, reference, TYPED.confidence)


def settings(**facts) -> DrawingSettings:
    """What figures are drawn by, with what cohort files say."""
    return DrawingSettings(**DRAWING, **facts)


def facts(cohort: str, placebo: str = "placebo") -> DescribedCohort:
    """What figures ask of the cohort file of a made-up trial."""
    return DescribedCohort(
        id=cohort,
        title="Made up",
        accession=None,
        citation=None,
        route="simulated",
        reference="nonlesional",
        placebo_arm=placebo or None,
        status="verified",
        note=None,
    )


def index_of(folder: Path, repository: Path, **plan) -> tuple[dict, IndexData]:
    """Paths and data of a trial whose index was computed."""
    paths = make_trial(folder, repository, **plan)
    placebo = "placebo" if "placebo" in plan.get("arms", TRIAL) else ""
    return paths, read_index(paths, settings(cohort=facts("trial", placebo)))


def make_atlas(folder: Path, repository: Path, trials: dict[str, dict]) -> tuple[dict, dict]:
    """Write the atlas of some trials (keyword arguments of `make_trial`); inputs and cohorts."""
    cohorts, known, sheets, comparisons = {}, {}, [], []
    for name, plan in trials.items():
        paths = make_trial(folder / name, repository, **plan)
        index = read_table(paths["index"])
        placebo = "placebo" if "placebo" in plan.get("arms", TRIAL) else ""
        cohorts[name] = AtlasCohort(route="simulated", placebo_arm=placebo or None)
        sheets.append(paths["samples"])
        comparisons.append(folder / name / "expression" / "comparisons.tsv")
        write_table(read_table(paths["comparisons"]), comparisons[-1])
        known[name] = CohortResults(
            name,
            "atopic dermatitis",
            True,
            placebo,
            index,
            read_table(paths["patients"]),
            read_table(paths["samples"]),
        )
    results = list(known.values())
    published = read_published(repository / "config" / "published.tsv")
    index_settings = IndexSettings(primary=tuple(PRIMARY))
    parts = {
        "dose": [dose_table(cohort, index_settings) for cohort in results],
        "time": [time_table(cohort, index_settings) for cohort in results],
    }
    for name, frames in parts.items():
        filled = [frame for frame in frames if len(frame)] or frames[:1]
        write_table(pd.concat(filled, ignore_index=True), folder / f"{name}.tsv")
    write_table(class_table(results, published, index_settings), folder / "classes.tsv")
    inputs = {name: folder / f"{name}.tsv" for name in ("dose", "time", "classes")}
    sets = [repository / "config" / "gene_sets" / "adnorm.tsv"]
    lists = {"samples": sheets, "comparisons": comparisons, "gene_sets": sets}
    return inputs | lists, cohorts


def draw_atlas(inputs: dict, cohorts: dict) -> tuple[AtlasData, dict]:
    """Draw the figures over all cohorts."""
    data = read_atlas(inputs, settings(cohorts=cohorts))
    with mpl.rc_context(RC):
        drawn = {name: draw(data) for name, draw in ATLAS.items()}
        return data, {name: (drawn_pages(pages), table) for name, (pages, table) in drawn.items()}


def drawn_pages(pages):
    """Draw the pages that are drawn as they are asked for; all others are there."""
    return list(pages) if isinstance(pages, Iterator) else pages


def pages_of(pages) -> list:
    """The pages of a figure, also where it has one."""
    return pages if isinstance(pages, list) else [pages]


def axes_of(pages) -> list:
    """The axes of all pages."""
    return [axes for page in pages_of(pages) for axes in page.axes]


def words(pages) -> str:
    """Everything that a figure says on its pages, in one line."""
    texts = [t.get_text() for page in pages_of(pages) for t in page.texts]
    for axes in axes_of(pages):
        texts += [t.get_text() for t in axes.texts]
        texts += [axes.get_title(loc="left"), axes.get_xlabel(), axes.get_ylabel()]
    legends = [legend for page in pages_of(pages) for legend in page.legends]
    texts += [t.get_text() for legend in legends for t in legend.get_texts()]
    return " ".join(" ".join(texts).split())


#: A page of a figure: inches, and the smallest size of a text.
Measures = tuple[float, float, float]


def measures(pages) -> list[Measures]:
    """Width and height in mm of every page as it is written, and its smallest text in points."""
    found = []
    with mpl.rc_context(RC):
        for page in pages_of(pages):
            box = page.get_tightbbox().padded(MARGIN)
            texts = [t for t in page.findobj(Text) if t.get_visible() and t.get_text().strip()]
            smallest = min(t.get_fontsize() for t in texts)
            found.append((box.width * INCH, box.height * INCH, smallest))
    return found


def fits(pages, width: float) -> None:
    """Assert that a figure can be printed: as wide and as high as a page, 6 points or more."""
    for across, down, smallest in measures(pages):
        assert across <= width + 0.05, f"{across:.1f} mm wide on a page of {width:g}"
        assert down <= 247.05, f"{down:.1f} mm high"
        assert smallest >= 6, f"{smallest:g} points"


def at_width(data, width: float):
    """The same data, drawn on another page."""
    figures = data.settings.figures.model_copy(update={"width": width})
    settings = data.settings.model_copy(update={"figures": figures})
    return dataclasses.replace(data, settings=settings, facts=dict(data.facts))
