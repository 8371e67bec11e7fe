"""Made-up cohorts that the tests of the figures are drawn from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import anndata
import matplotlib as mpl
import numpy as np
import pandas as pd

from adnorm.base.files import write_json
from adnorm.base.losses import Loss, losses_table
from adnorm.base.tables import write_table
from adnorm.effects.controls import COLUMNS as CONTROLS
from adnorm.figures import theme
from adnorm.figures.answer import answer_of
from adnorm.figures.answer_figure import draw_answer
from adnorm.figures.data import (
    COHORT_TABLES,
    CohortData,
    DrawingSettings,
    IndexData,
    read_cohort,
)
from adnorm.figures.names import ATLAS_FIGURES, FIGURES, INDEX_FIGURES
from adnorm.figures.page.overview import write_overview
from adnorm.index.normalization import COLUMNS as INDEX_COLUMNS
from adnorm.study.batches import batch_table, judge_batches
from adnorm.study.cohort import DescribedCohort
from adnorm.study.comparisons import derive_design, design_tables
from adnorm.study.config import IndexSettings
from adnorm.study.gene_sets import read_gene_sets

SETS = {
    "itch_core_skin_up": ("Itch: core (skin)", "itch", "primary", "up", 14),
    "itch_sensory_channels": ("Itch: sensory channels", "itch", "context", "", 8),
    "barrier_terminal_differentiation_down": (
        "Barrier: terminal",
        "barrier",
        "primary",
        "down",
        16,
    ),
    "barrier_hyperproliferation_up": ("Barrier: growth", "barrier", "primary", "up", 12),
    "barrier_lipid_ceramide_down": ("Barrier: lipids", "barrier", "secondary", "down", 10),
    "th2": ("Th2", "th2", "context", "up", 9),
    "th17_th22": ("Th17 and Th22", "th17_th22", "context", "up", 9),
    "th1_ifn": ("Th1 and interferon", "th1_ifn", "context", "up", 9),
    "jak_stat_targets": ("JAK-STAT targets", "jak_stat", "context", "up", 9),
    "madad_core": ("MADAD core", "madad_core", "context", "mixed", 20),
    "comp_tcell": ("Cells: T cells", "composition", "composition", "", 6),
    "housekeeping": ("Control: housekeeping", "control", "control", "", 6),
}
#: Share of the lesional change that an arm takes back at its last visit.
RESPONSE = {
    "placebo": 0.2,
    "abrocitinib 100 mg": 0.6,
    "abrocitinib 200 mg": 0.9,
    "ruxolitinib": 0.8,
}
COHORT = DescribedCohort(
    id="trial",
    title="A made-up trial",
    accession="GSE1",
    citation="A <Author> 2020, Journal 1:2",
    route="local",
    reference="nonlesional",
    placebo_arm=None,
    status="verified",
    note="made up",
)


# ---------------------------------------------------------------- made-up cohorts


def sheet_of(arms: dict[str, int], visits: list[float], states: list[str]) -> pd.DataFrame:
    """The canonical sheet: each patient with every state at baseline, lesional skin later."""
    lines = []
    for arm, patients in arms.items():
        for number in range(patients):
            patient = f"{arm[:3]}{arm[-6:-3].strip()}{number:02d}"
            own = [("healthy", 0.0)] if arm == "healthy" else [(s, 0.0) for s in states]
            if arm != "healthy":
                own += [("lesional", week) for week in visits if week > 0]
            lines += [(patient, state, arm, week) for state, week in own]
    sheet = pd.DataFrame(lines, columns=["patient", "state", "arm", "week"])
    sheet.insert(0, "sample", [f"GSM{1000 + i}" for i in range(len(sheet))])
    sheet["treatment"] = [theme.split_arm(a)[0] for a in sheet["arm"]]
    sheet["dose_mg"] = [theme.split_arm(a)[1] or np.nan for a in sheet["arm"]]
    sheet["sex"] = np.where(np.arange(len(sheet)) % 3, "female", "male")
    return sheet


def write_sets(path: Path, genes: list[str]) -> None:
    position, lines = 0, []
    for name, (label, category, role, direction, size) in SETS.items():
        for i in range(size):
            sign = ("up" if i % 2 else "down") if direction == "mixed" else direction
            # The first gene of a set is on no platform.
            symbol = genes[position] if i else f"ABSENT{position}"
            position += 1
            lines.append((name, label, category, role, symbol, sign))
    columns = ["set", "label", "category", "role", "symbol", "direction"]
    write_table(pd.DataFrame(lines, columns=columns), path)


def simulate(sheet: pd.DataFrame, genes: list[str], sets: dict, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    effect = np.zeros(len(genes))
    for gene_set in sets.values():
        for gene in gene_set.scored:
            if gene.symbol in genes and gene.direction:
                size = rng.uniform(0.5, 2.5)
                effect[genes.index(gene.symbol)] = size if gene.direction == "up" else -size
    last = max(sheet["week"].max(), 1.0)
    disease = (sheet["state"] == "lesional").astype(float)
    taken = sheet["arm"].map(RESPONSE).fillna(0.0) * (sheet["week"] / last) ** 0.5
    people = {p: rng.normal(0, 0.4, len(genes)) for p in sheet["patient"].unique()}
    values = rng.uniform(3, 12, len(genes)) + rng.normal(0, 0.5, (len(sheet), len(genes)))
    values += np.outer(disease * (1 - taken), effect)
    values += np.array([people[p] for p in sheet["patient"]])
    values[:, genes.index("GENE003")] = 5.0
    return values.astype(np.float32)


def score(values: np.ndarray, sheet: pd.DataFrame, genes: list[str], sets: dict) -> pd.DataFrame:
    normal = (sheet["state"] != "lesional").to_numpy()
    anchor = values[normal] if normal.any() else values
    z = (values - anchor.mean(axis=0)) / np.maximum(anchor.std(axis=0), 0.3)
    columns = {}
    for name, gene_set in sets.items():
        signs = {g: s for g, s in gene_set.signs.items() if g in genes}
        columns[name] = sum(s * z[:, genes.index(g)] for g, s in signs.items()) / len(signs)
    return pd.DataFrame(columns, index=sheet["sample"])


def contrast_rows(design, sheet: pd.DataFrame, values: pd.DataFrame, key: str, value: str):
    """Differences of cell means for every supported comparison."""
    means = values.groupby([sheet["arm"], sheet["state"], sheet["week"]]).mean()
    frames = []
    for comparison in sorted(design.supported, key=lambda c: c.name):
        change = sum(w * means.loc[cell] for cell, w in comparison.terms.items())
        frame = pd.DataFrame({"contrast": comparison.name, key: change.index, value: change.values})
        frame["fdr"] = np.exp(-6 * np.abs(frame[value].fillna(0)))
        frame["pairs"] = comparison.patients
        frames.append(frame.sort_values(key))
    empty = pd.DataFrame(columns=["contrast", key, value, "fdr", "pairs"])
    return pd.concat(frames, ignore_index=True) if frames else empty


def controls(by_set: pd.DataFrame) -> pd.DataFrame:
    """Housekeeping genes that stay, in every comparison."""
    rows = by_set.loc[by_set["set"] == "housekeeping", ["contrast", "set", "pairs"]]
    still = {"change": 0.02, "lower": -0.05, "upper": 0.09, "moves": "no"}
    return rows.assign(**still).reindex(columns=CONTROLS)


def make_cohort(
    folder: Path,
    arms: dict[str, int],
    visits: list[float],
    states: list[str],
    placebo: str = "",
    simulated: bool = False,
    gene_count: int = 300,
    seed: int = 1,
    batch_of: Callable[[pd.DataFrame], pd.Series] | None = None,
) -> tuple[dict, DrawingSettings]:
    """Write everything that the figures stage reads; return its inputs and settings."""
    genes = [f"GENE{i:03d}" for i in range(gene_count)]
    folder.mkdir(parents=True, exist_ok=True)
    write_sets(folder / "sets.tsv", [f"GENE{i:03d}" for i in range(2000)])
    sets = read_gene_sets([folder / "sets.tsv"])
    sheet = sheet_of(arms, visits, states)
    if batch_of is not None:
        sheet["batch"] = batch_of(sheet)
    values = simulate(sheet, genes, sets, seed)
    reference = next((s for s in ("nonlesional", "healthy") if s in set(sheet["state"])), "")
    scores = score(values, sheet, genes, sets)
    scores["comp_tcell"] = np.nan
    design = derive_design(sheet, placebo or None, 3)
    paths = {name: folder / f"{name}.tsv" for name in ("samples", *COHORT_TABLES)}
    write_h5ad(folder, sheet, values, genes, scores, sets, reference, placebo, simulated)
    cells, comparisons = design_tables(design)
    judged = judge_batches(sheet, design.comparisons)
    comparisons = comparisons.join(judged[["batch", "batch_reason"]])
    tables = {
        "samples": sheet,
        "design": cells,
        "comparisons": comparisons,
        "batches": batch_table(sheet),
        "excluded": pd.DataFrame({"sample": ["GSM1"], "reason": ["tape strip"]}),
        "losses": losses_table(
            [
                Loss("rows are odd", 1, 100, "'<b>X</b>'"),
                Loss("rows have missing values", 60, 100, "'S1 (60)'", "fill the gaps"),
            ]
        ),
        "identifiers": pd.DataFrame(
            {
                "step": ["rows", "genes"],
                "count": [54675, gene_count],
                "detail": ["probes of the platform", "approved symbols"],
            }
        ),
        "qc": quality(sheet),
        "coverage": coverage(sets, genes),
        "agreement": pd.DataFrame(
            {
                "set": ["th2"],
                "method_a": ["gsva"],
                "method_b": ["zscore"],
                "spearman": [0.91],
                "samples": [len(sheet)],
            }
        ),
    }
    by_gene = pd.DataFrame(values, index=sheet.index, columns=genes)
    effects = contrast_rows(design, sheet, by_gene, "gene", "log2_fold_change")
    tables["effects"] = effects.assign(standard_error=0.2, t=1.0, p_value=0.01)
    by_set = contrast_rows(design, sheet, scores.set_index(sheet.index), "set", "change")
    by_set = by_set.assign(method="zscore", p_value=0.01, effect_size=1.0, status="ok", reason="")
    by_set["lower"], by_set["upper"] = by_set["change"] - 0.3, by_set["change"] + 0.3
    by_set.loc[by_set["set"] == "comp_tcell", ["change", "lower", "upper", "fdr"]] = np.nan
    by_set.loc[by_set["set"] == "comp_tcell", "reason"] = "1 of 6 genes (17 %) found"
    tables["set_effects"] = by_set
    tables["controls"] = controls(by_set)
    tables["enrichment"] = enrichment(by_set, sets)
    for name, table in tables.items():
        write_table(table, paths[name])
    write_json({"cohort": "trial", "route": "local", "files": []}, folder / "manifest.json")
    inputs = paths | {
        "expression": folder / "expression.h5ad",
        "scores": folder / "scores.h5ad",
        "manifest": folder / "manifest.json",
        "gene_sets": [folder / "sets.tsv"],
    }
    return inputs, DrawingSettings(cohort=COHORT)


def read(folder: Path, **plan) -> CohortData:
    """Write a made-up cohort and read it as the stage does."""
    return read_cohort(*make_cohort(folder, **plan))


def outputs_of(folder: Path, figures=FIGURES) -> dict[str, Path]:
    """Where a job of the workflow writes its figures and its pages."""
    kinds = ("svg", "png", "pdf", "tsv")
    files = {f"{f.name}_{kind}": folder / f"{f.name}.{kind}" for f in figures for kind in kinds}
    pages = {INDEX_FIGURES: ("answers", "overview", "tables"), ATLAS_FIGURES: ("tables",)}
    files |= {page: folder / f"{page}.html" for page in pages.get(figures, ())}
    return files | ({"answer": folder / "answer.json"} if figures is INDEX_FIGURES else {})


#: Columns of numbers of index.tsv and sensitivities.tsv.
NUMBERS = ("ni", "lower", "upper", "dni", "dni_lower", "dni_upper")


def index_of_cohort(data: CohortData, index: pd.DataFrame | None = None) -> IndexData:
    """Put an index beside a cohort; its rows are made up, one for each arm, visit and score."""
    shared = ("comparisons", "qc", "coverage", "controls")
    samples = data.observations.reset_index(drop=True)
    tables = {name: data.tables[name] for name in shared} | {"samples": samples}
    tables["index"] = made_up_index(data) if index is None else index
    tables["sensitivities"] = pd.DataFrame(
        columns=["analysis", "reference", "arm", "week", "name", *NUMBERS, "reason"]
    )
    sets = IndexSettings(primary=[name for name in SETS if SETS[name][2] == "primary"])
    settings = data.settings.model_copy(update={"index": sets})
    found = IndexData(dict(data.facts), tables, data.gene_sets, settings)
    found.note_quality()
    return found


def made_up_index(data: CohortData) -> pd.DataFrame:
    """Rows as of index.tsv: half of the effect is gone, a third more than on placebo."""
    sheet = data.samples
    later = sheet[(sheet["state"] == "lesional") & (sheet["week"] > 0)]
    rows = []
    if data.facts["reference"] == "nonlesional":
        for arm, week in sorted(set(zip(later["arm"], later["week"], strict=True))):
            for name in (name for name in SETS if SETS[name][2] == "primary"):
                drug = arm != data.placebo and bool(data.placebo)
                rows.append(
                    {"reference": "nonlesional", "arm": arm, "week": week, "level": "set"}
                    | {"name": name, "ni": 0.5, "lower": 0.3, "upper": 0.7}
                    | dict(zip(("dni", "dni_lower", "dni_upper"), (0.33, 0.1, 0.56), strict=True))
                    | ({} if drug else dict.fromkeys(("dni", "dni_lower", "dni_upper"), np.nan))
                    | {"adjusted_p_value": 0.01 if drug else np.nan, "step": 1, "tested": "dNI"}
                    | {"p_value": 0.005, "as_reference": "no", "estimator": "observed pairs"}
                    | {"pairs": 8, "placebo_pairs": 8 if drug else 0, "lost": 0, "status": "ok"}
                    | {"reason_code": "", "reason": "", "dni_reason_code": "", "dni_reason": ""}
                )
    columns = list(rows[0]) if rows else INDEX_COLUMNS
    return pd.DataFrame(rows, columns=columns)


def write_pages(data: CohortData, folder: Path, index: pd.DataFrame | None = None) -> str:
    """Write the overview of a cohort as its job does, and give its text."""
    found = index_of_cohort(data, index)
    with mpl.rc_context(theme.RC):
        theme.savefig(draw_answer(found)[0], folder, "answer", pd.DataFrame())
    write_overview(data, found, answer_of(found), folder / "overview.html")
    return (folder / "overview.html").read_text(encoding="utf-8")


def texts(figure) -> list[str]:
    """Texts that stand on a figure or on its pages, outside their axes."""
    pages = figure if isinstance(figure, list) else [figure]
    return [text.get_text() for page in pages for text in page.texts]


def quality(sheet: pd.DataFrame) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    table = sheet[["sample", "patient", "state", "arm", "week"]].copy()
    table["library_size"] = rng.uniform(1.3e7, 3e7, len(sheet))
    table["detected_genes"] = rng.integers(15000, 17000, len(sheet)).astype(float)
    table["correlation_within_group"] = rng.uniform(0.93, 0.98, len(sheet))
    table["pca_distance"] = 1.0
    lesional = (sheet["state"] == "lesional").to_numpy()
    # Only pairs have a place, and non-lesional skin is taken before treatment alone.
    place = lesional * 1.0 + rng.normal(0, 0.2, len(sheet))
    table["lesional_place"] = np.where(sheet["week"] == 0, place, np.nan)
    table["sex_called"] = sheet["sex"]
    table["flags"], table["excluded"], table["reason"], table["not_computed"] = "", "no", "", ""
    low = min(4, len(sheet) - 1)
    table.loc[low, ["library_size", "correlation_within_group"]] = [2e6, 0.8]
    table.loc[low, "flags"] = "correlation_outlier;small_library"
    table.loc[low, "reason"] = "2000000 reads, 6.1 robust deviations low"
    return table


def coverage(sets: dict, genes: list[str]) -> pd.DataFrame:
    lines = []
    for name, gene_set in sets.items():
        asked = [g.symbol for g in gene_set.scored]
        found = [g for g in asked if g in genes]
        hidden = 1 if len(found) < len(asked) - 1 else 0
        status, reason = ("ok", "")
        if name == "comp_tcell":
            found, status = found[:1], "not_scored"
            reason = "1 of 6 genes (17 %) found; a score needs at least 2"
        elif name == "housekeeping":
            status, reason = "low_coverage", "5 of 6 genes found; at least 6 are required"
        lost = len(asked) - len(found) - hidden
        lines.append((name, len(asked), len(found), 1, lost, hidden, status, reason, "", "", ""))
    columns = "set asked found renamed absent undetected status reason".split()
    more = ["renamed_genes", "absent_genes", "undetected_genes"]
    return pd.DataFrame(lines, columns=[*columns, *more])


def enrichment(by_set: pd.DataFrame, sets: dict) -> pd.DataFrame:
    frames = []
    for part in ("up", "down", "all"):
        some = [
            n
            for n, s in sets.items()
            if (s.up, s.down, not s.signed)["up down all".split().index(part)]
        ]
        frame = by_set[by_set["set"].isin(some)][["contrast", "set", "fdr"]].copy()
        frame["part"] = part
        frame["nes"] = by_set["change"] * (-1 if part == "down" else 1) * 1.5
        frames.append(frame)
    table = pd.concat(frames, ignore_index=True).sort_values(["contrast", "set", "part"])
    rest = {"es": 0.5, "p_value": 0.01, "size": 9, "leading_edge": "", "camera_direction": "up"}
    more = {"camera_p_value": 0.01, "inter_gene_correlation": 0.1, "reason": ""}
    return table.assign(camera_fdr=table["fdr"] * 3, **rest, **more)


def write_h5ad(folder, sheet, values, genes, scores, sets, reference, placebo, simulated) -> None:
    obs = sheet.set_index("sample", drop=False).rename_axis(None)
    obs["qc_flags"] = ""
    obs.iloc[min(4, len(obs) - 1), obs.columns.get_loc("qc_flags")] = "correlation_outlier"
    for column in obs.columns.difference(["week", "dose_mg"]):
        obs[column] = obs[column].astype(object).astype("category")
    facts = {
        "cohort": "trial",
        "title": "A made-up trial",
        "disease": "atopic dermatitis",
        "tissue": "skin biopsy",
        "assay": "rna-seq",
        "platform": "GPL1",
        "scale": "counts",
        "route": "simulated" if simulated else "local",
        "reference": reference,
        "placebo_arm": placebo,
        "normalization": "library_size",
        "collapse": "highest_mean",
        "genes": len(genes),
        "samples": len(sheet),
        "simulated": simulated,
        "undetected": np.array(["ABSENT0"], dtype=object),
        "renamed": np.array([], dtype=object),
    }
    data = anndata.AnnData(values, obs=obs, var=pd.DataFrame(index=genes))
    centred = values - values.mean(axis=0)
    data.obsm["X_pca"] = (centred @ np.linalg.svd(centred, full_matrices=False)[2][:5].T).astype(
        "f4"
    )
    data.uns["adnorm"] = facts
    data.write_h5ad(folder / "expression.h5ad")
    var = pd.DataFrame(
        [(s.label, s.category, s.role, s.direction) for s in sets.values()],
        columns=["label", "category", "role", "direction"],
        index=list(sets),
        dtype=object,
    )
    table = coverage(sets, genes).set_index("set")
    for column in ("asked", "found", "status", "reason"):
        var[column] = table[column]
    scored = anndata.AnnData(scores.to_numpy(), obs=obs, var=var)
    scored.layers["zscore"] = scores.to_numpy()
    anchor = f"{reference}@0" if reference else "all samples"
    scored.uns["adnorm"] = facts | {"anchor": anchor, "main_layer": "zscore"}
    scored.write_h5ad(folder / "scores.h5ad")


TRIAL = {
    "arms": {"placebo": 8, "abrocitinib 100 mg": 8, "abrocitinib 200 mg": 8},
    "visits": [0.0, 2.0, 4.0, 12.0],
    "states": ["nonlesional", "lesional"],
    "placebo": "placebo",
    "simulated": True,
}
LESIONAL_ONLY = {"arms": {"untreated": 12}, "visits": [0.0], "states": ["lesional"]}
HEALTHY = {"arms": {"healthy": 5, "ruxolitinib": 7}, "visits": [0.0, 12.0], "states": ["lesional"]}
COHORTS = {"trial": TRIAL, "lesional_only": LESIONAL_ONLY, "healthy": HEALTHY}
