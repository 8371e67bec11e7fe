"""Figures of made-up cohorts: they exist, show what their tables say, and repeat to the byte."""

from __future__ import annotations

import re
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

from adnorm.base.errors import AdnormError
from adnorm.base.tables import read_table, write_json, write_table
from adnorm.figures import build, changes, heatmaps, rows, theme
from adnorm.figures.contrasts import mark
from adnorm.figures.material import read_material
from adnorm.figures.methods import methods_sentences
from adnorm.figures.names import FIGURES
from adnorm.study.design import derive_design, design_tables
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
SETTINGS = {
    "heatmap_sets": {
        "itch": ["itch_core_skin_up"],
        "barrier": ["barrier_terminal_differentiation_down", "barrier_hyperproliferation_up"],
    },
    "fdr": 0.05,
}
COHORT = {"citation": "A <Author> 2020, Journal 1:2", "accession": "GSE1", "note": "made up"}


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
        frame["pairs"] = comparison.pairs
        frames.append(frame.sort_values(key))
    empty = pd.DataFrame(columns=["contrast", key, value, "fdr", "pairs"])
    return pd.concat(frames, ignore_index=True) if frames else empty


def make_cohort(
    folder: Path,
    arms: dict[str, int],
    visits: list[float],
    states: list[str],
    placebo: str = "",
    simulated: bool = False,
    gene_count: int = 300,
    seed: int = 1,
) -> tuple[dict, dict]:
    """Write everything that the figures stage reads; return its inputs and settings."""
    genes = [f"GENE{i:03d}" for i in range(gene_count)]
    folder.mkdir(parents=True, exist_ok=True)
    write_sets(folder / "sets.tsv", [f"GENE{i:03d}" for i in range(2000)])
    sets = read_gene_sets([folder / "sets.tsv"])
    sheet = sheet_of(arms, visits, states)
    values = simulate(sheet, genes, sets, seed)
    reference = next((s for s in ("nonlesional", "healthy") if s in set(sheet["state"])), "")
    scores = score(values, sheet, genes, sets)
    scores["comp_tcell"] = np.nan
    design = derive_design(sheet, placebo or None, 3)
    paths = {name: folder / f"{name}.tsv" for name in build_tables()}
    write_h5ad(folder, sheet, values, genes, scores, sets, reference, placebo, simulated)
    cells, comparisons = design_tables(design)
    tables = {
        "samples": sheet,
        "design": cells,
        "comparisons": comparisons,
        "excluded": pd.DataFrame({"sample": ["GSM1"], "reason": ["tape strip"]}),
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
    return inputs, SETTINGS | {"cohort": COHORT}


def build_tables() -> tuple[str, ...]:
    from adnorm.figures.material import TABLES

    return ("samples", *TABLES)


def quality(sheet: pd.DataFrame) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    table = sheet[["sample", "patient", "state", "arm", "week"]].copy()
    table["library_size"] = rng.uniform(1.3e7, 3e7, len(sheet))
    table["detected_genes"] = rng.integers(15000, 17000, len(sheet)).astype(float)
    table["correlation_within_group"] = rng.uniform(0.93, 0.98, len(sheet))
    table["pca_distance"] = 1.0
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
            status, reason = "low_coverage", "5 of 6 genes found; at least 6 are asked"
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


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Inputs and figures of the three cohorts."""
    made = {}
    for name, plan in COHORTS.items():
        folder = tmp_path_factory.mktemp(name)
        inputs, settings = make_cohort(folder, **plan)
        build.build_figures(inputs, settings, {"folder": folder / "figures"})
        made[name] = (inputs, settings, folder / "figures")
    return made


@pytest.fixture(scope="module")
def trial(drawn):
    inputs, settings, folder = drawn["trial"]
    return read_material(inputs, settings), folder


# ---------------------------------------------------------------- files


@pytest.mark.parametrize("cohort", COHORTS)
@pytest.mark.parametrize("figure", FIGURES, ids=lambda f: f.name)
def test_every_cohort_has_every_figure(drawn, cohort, figure):
    folder = drawn[cohort][2]
    svg = (folder / f"{figure.name}.svg").read_text(encoding="utf-8")
    assert f">{figure.title}</text>" in svg
    assert len(svg) < 400_000
    assert (folder / f"{figure.name}.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    table = read_table(folder / f"{figure.name}.tsv")
    assert len(table) and "reason" in table.columns
    assert not [p for p in folder.iterdir() if p.name.startswith(".")]


@pytest.mark.parametrize("figure", FIGURES, ids=lambda f: f.name)
def test_simulated_stands_in_every_title_and_only_there(drawn, figure):
    assert ">SIMULATED DATA</text>" in (drawn["trial"][2] / f"{figure.name}.svg").read_text()
    assert "SIMULATED" not in (drawn["healthy"][2] / f"{figure.name}.svg").read_text()


def test_the_same_input_gives_the_same_bytes(drawn, tmp_path):
    inputs, settings, folder = drawn["trial"]
    build.build_figures(inputs, settings, {"folder": tmp_path})
    first = {p.name: p.read_bytes() for p in sorted(folder.iterdir())}
    second = {p.name: p.read_bytes() for p in sorted(tmp_path.iterdir())}
    assert len(first) == 3 * len(FIGURES) + 1
    assert [n for n in first if first[n] != second.get(n)] == []


def test_files_hold_no_date_and_no_program(drawn):
    folder = drawn["trial"][2]
    assert "<dc:date>" not in (folder / "pca.svg").read_text()
    assert b"Software" not in (folder / "pca.png").read_bytes()
    assert str(folder.parent) not in (folder / "overview.html").read_text()


def test_two_hundred_samples_stay_readable(tmp_path):
    arms = {"placebo": 17, "abrocitinib 100 mg": 12, "abrocitinib 200 mg": 12}
    inputs, settings = make_cohort(tmp_path, **TRIAL | {"arms": arms})
    build.build_figures(inputs, settings, {"folder": tmp_path / "figures"})
    svg = (tmp_path / "figures" / "genes_itch.svg").read_text()
    # Names of 205 samples cannot be read; groups and their sizes can.
    assert ">GSM1000<" not in svg
    assert ">n=17<" in svg


def test_few_samples_are_named(drawn):
    assert ">GSM1000<" in (drawn["healthy"][2] / "genes_itch.svg").read_text()


# ---------------------------------------------------------------- tables behind the figures


def test_genes_table_holds_the_z_values_that_are_drawn(trial):
    material, folder = trial
    table = read_table(folder / "genes_itch.tsv")
    shown = table[table["sample"].notna()]
    wide = shown.pivot(index="gene", columns="sample", values="z")
    raw = material.gene_values(list(wide.index))[wide.columns]
    expected = raw.sub(raw.mean(axis=1), axis=0).div(raw.std(axis=1), axis=0)
    drawn = wide.drop(index="GENE003")
    np.testing.assert_allclose(drawn, expected.loc[drawn.index], atol=1e-4)
    flat = shown[shown["gene"] == "GENE003"]
    assert flat["z"].isna().all()
    assert set(flat["reason"]) == {"no variation between samples"}
    lost = table[table["sample"].isna()]
    assert list(lost["gene"]) == ["ABSENT0"]
    assert list(lost["reason"]) == ["not detected"]


def test_samples_are_ordered_by_state_arm_week_patient(trial):
    material, _ = trial
    samples = material.samples
    groups = samples[["state", "arm", "week"]].drop_duplicates()
    assert list(dict.fromkeys(groups["state"])) == ["nonlesional", "lesional"]
    lesional = groups[groups["state"] == "lesional"]
    assert list(dict.fromkeys(lesional["arm"])) == list(TRIAL["arms"])
    assert list(lesional["week"][:4]) == [0, 2, 4, 12]
    for _, rows_of_group in samples.groupby(["state", "arm", "week"]):
        assert rows_of_group["patient"].is_monotonic_increasing


def test_set_changes_table_repeats_set_effects(drawn):
    inputs, _, folder = drawn["trial"]
    table = read_table(folder / "set_changes.tsv")
    effects = read_table(inputs["set_effects"])
    both = table.merge(effects, on=["contrast", "set"], suffixes=("", "_source"))
    assert len(both) == len(table) == 19 * len(SETS)
    known = both[both["change"].notna()]
    pd.testing.assert_series_equal(known["change"], known["change_source"], check_names=False)
    assert set(both.loc[both["change"].isna(), "set"]) == {"comp_tcell"}
    assert (both.loc[both["change"].isna(), "reason"] != "").all()
    starred = table[table["mark"].fillna("") != ""]
    assert (starred["fdr"] < 0.05).all()
    assert (table.loc[table["fdr"] < 0.05, "mark"].str.len() > 0).all()


def test_columns_go_from_disease_to_placebo_to_doses(drawn):
    table = read_table(drawn["trial"][2] / "set_changes.tsv")
    assert list(dict.fromkeys(table["group"])) == [
        "lesional − nonlesional",
        "placebo",
        "abrocitinib 100 mg",
        "abrocitinib 200 mg",
        "abrocitinib 100 mg-placebo",
        "abrocitinib 200 mg-placebo",
        "abrocitinib 200 mg-abrocitinib 100 mg",
    ]


def test_gene_changes_puts_the_strongest_genes_first(drawn):
    table = read_table(drawn["trial"][2] / "gene_changes.tsv")
    disease = table[table["contrast"] == "lesional-nonlesional@0"]
    for _, rows_of_set in disease.groupby("set"):
        effects = rows_of_set["log2_fold_change"] * np.where(
            rows_of_set["direction"] == "up", 1, -1
        )
        assert effects.is_monotonic_decreasing
    assert set(table.loc[table["contrast"].isna(), "gene"]) == {"ABSENT0", "ABSENT22", "ABSENT38"}


def test_patients_table_averages_biopsies_of_one_visit(trial):
    material, folder = trial
    table = read_table(folder / "patients.tsv")
    assert set(table["biopsies"]) == {1}
    assert len(table) == 3 * len(material.samples)
    scores = material.score_values().loc["itch_core_skin_up"]
    one = table[(table["set"] == "itch_core_skin_up") & (table["state"] == "lesional")]
    assert one["score"].sum() == pytest.approx(
        scores[material.samples["state"] == "lesional"].sum(), abs=1e-3
    )


def test_enrichment_marks_say_which_test_agrees(drawn):
    table = read_table(drawn["trial"][2] / "enrichment.tsv")
    table["mark"] = table["mark"].fillna("")
    gsea, camera = table["fdr"] < 0.05, table["camera_fdr"] < 0.05
    assert (table.loc[gsea & camera, "mark"] == "■").all()
    assert (table.loc[gsea & ~camera, "mark"] == "○").all()
    assert (table.loc[~gsea & ~camera, "mark"] == "").all()
    assert {"■", "○", ""} == set(table["mark"])


# ---------------------------------------------------------------- what cannot be drawn


@pytest.mark.parametrize("name", ["set_changes", "gene_changes", "patients", "enrichment"])
def test_without_comparisons_the_figure_says_why(drawn, name):
    folder = drawn["lesional_only"][2]
    text = " ".join(re.findall(r">([^<]+)</text>", (folder / f"{name}.svg").read_text()))
    assert "Not shown: no " in text
    reason = read_table(folder / f"{name}.tsv")["reason"].iloc[0]
    assert "no lesional samples after baseline" in reason


def test_unsupported_columns_are_grey_with_the_reason(tmp_path):
    plan = TRIAL | {"arms": {"placebo": 8, "abrocitinib 100 mg": 2}}
    inputs, settings = make_cohort(tmp_path, **plan)
    figure, table = changes.draw_set_changes(read_material(inputs, settings))
    few = table[table["contrast"] == "change:abrocitinib 100 mg@2"]
    assert few["change"].isna().all()
    assert few["reason"].str.startswith("only 2 patients").all()
    assert any("only 2 patients" in text.get_text() for text in figure.texts)


@pytest.mark.parametrize(
    ("patients", "visits", "genes"), [(1, [0.0], 300), (1, [0.0, 4.0], 300), (3, [0.0, 4.0], 3)]
)
def test_one_sample_or_hardly_any_gene(tmp_path, patients, visits, genes):
    inputs, settings = make_cohort(
        tmp_path, {"ruxolitinib": patients}, visits, ["lesional"], gene_count=300
    )
    if genes < 300:
        data = anndata.read_h5ad(inputs["expression"])
        data = data[:, data.var_names[-genes:]].copy()
        data.write_h5ad(inputs["expression"])
        effects = read_table(inputs["effects"])
        write_table(effects[effects["gene"].isin(data.var_names)], inputs["effects"])
    build.build_figures(inputs, settings, {"folder": tmp_path / "figures"})
    assert len(list((tmp_path / "figures").glob("*.png"))) == len(FIGURES)


def test_scores_without_any_value(tmp_path):
    inputs, settings = make_cohort(tmp_path, **HEALTHY)
    data = anndata.read_h5ad(inputs["scores"])
    data.X[:] = np.nan
    data.layers["zscore"][:] = np.nan
    data.write_h5ad(inputs["scores"])
    build.build_figures(inputs, settings, {"folder": tmp_path / "figures"})
    svg = (tmp_path / "figures" / "patients.svg").read_text()
    assert "no itch or barrier set has a score" in svg
    assert read_table(tmp_path / "figures" / "sets_samples.tsv")["score"].isna().all()


def test_another_scoring_method_is_drawn_and_named(tmp_path):
    inputs, settings = make_cohort(tmp_path, **HEALTHY)
    data = anndata.read_h5ad(inputs["scores"])
    data.layers["ssgsea"] = data.layers.pop("zscore")
    data.write_h5ad(inputs["scores"])
    effects = read_table(inputs["set_effects"]).assign(method="ssgsea")
    write_table(effects, inputs["set_effects"])
    figure, table = changes.draw_set_changes(read_material(inputs, settings))
    assert any("ssGSEA score" in text.get_text() for text in figure.texts)
    assert table["change"].notna().any()


def test_a_set_that_does_not_exist_stops(drawn):
    inputs, settings, _ = drawn["trial"]
    wrong = settings | {"heatmap_sets": {"itch": ["itch_core"], "barrier": []}}
    with pytest.raises(AdnormError, match=r"'itch_core'.*did you mean 'itch_core_skin_up'"):
        heatmaps.draw_genes(read_material(inputs, wrong), "genes_itch", "itch")


def test_scores_of_other_samples_stop(drawn):
    inputs, settings, _ = drawn["trial"]
    other = inputs | {"scores": drawn["healthy"][0]["scores"]}
    with pytest.raises(AdnormError, match="does not belong"):
        read_material(other, settings)


# ---------------------------------------------------------------- colours, order, scaling


def test_arm_colours_do_not_depend_on_the_order_of_the_arms():
    arms = ["placebo", "b 5 mg", "b 20 mg", "a", "healthy", "untreated"]
    colours = theme.arm_colours(arms, "placebo")
    assert colours == theme.arm_colours(reversed(arms), "placebo")
    assert list(colours) == ["healthy", "untreated", "placebo", "a", "b 5 mg", "b 20 mg"]
    assert colours["placebo"] == theme.PLACEBO
    assert len(set(colours.values())) == len(arms)


def test_a_higher_dose_is_darker():
    colours = theme.arm_colours(["b 5 mg", "b 20 mg", "b 100 mg"])
    light = [sum(int(c[i : i + 2], 16) for i in (1, 3, 5)) for c in colours.values()]
    assert light == sorted(light, reverse=True)


def test_the_placebo_arm_may_have_any_name():
    colours = theme.arm_colours(["vehicle cream", "a"], "vehicle cream")
    assert colours["vehicle cream"] == theme.PLACEBO
    assert list(colours) == ["vehicle cream", "a"]


def test_rows_without_variation_become_missing():
    frame = pd.DataFrame([[1.0, 2.0, 3.0], [4.1, 4.1, 4.1], [np.nan] * 3, [1.0, np.nan, 3.0]])
    scaled = rows.scale_rows(frame).to_numpy()
    np.testing.assert_allclose(scaled[0], [-1, 0, 1])
    assert np.isnan(scaled[1:3]).all()
    np.testing.assert_allclose(scaled[3, [0, 2]], [-0.7071, 0.7071], atol=1e-4)
    one = rows.scale_rows(pd.DataFrame([[5.0]]))
    assert np.isnan(one.to_numpy()).all()


def test_similar_rows_are_neighbours_and_incomplete_ones_last():
    rng = np.random.default_rng(0)
    up, down = rng.normal(0, 1, 20), rng.normal(0, 1, 20)
    frame = pd.DataFrame(
        [up, down, up + 0.01, down + 0.01, np.full(20, np.nan)], index=["a", "b", "c", "d", "e"]
    )
    order = rows.similar_order(frame)
    assert order[-1] == "e"
    assert {frozenset(order[:2]), frozenset(order[2:4])} == {frozenset("ac"), frozenset("bd")}
    assert rows.similar_order(frame.iloc[:1]) == ["a"]


def test_stars_follow_the_configured_level():
    assert [mark(f, 0.01) for f in (0.02, 0.005, 0.0001)] == ["", "**", "***"]
    assert mark(0.08, 0.1) == "*"


def test_limit_is_symmetric_and_never_noise():
    assert theme.limit_of(np.array([np.nan, 0.01]), 1.0) == 1.0
    assert theme.limit_of(np.full(10, -2.3), 1.0) == 2.5
    assert theme.limit_of(np.array([]), 1.5) == 1.5


# ---------------------------------------------------------------- the page and the captions


def test_page_is_self_contained_and_escaped(drawn):
    html = (drawn["trial"][2] / "overview.html").read_text(encoding="utf-8")
    assert "A &lt;Author&gt; 2020" in html
    assert not re.search(r"<(script|link|iframe)", html)
    assert not re.search(r"(src|url)\s*[=(]\s*.https?:", html)
    assert "SIMULATED DATA" in html
    assert "research software" in html
    for table in re.findall(r"<table>.*?</table>", html, re.DOTALL):
        assert '<th scope="col"' in table
        assert "<caption>" in table


def test_page_shows_results_with_interval_patients_and_reasons(drawn):
    inputs, _, folder = drawn["trial"]
    html = (folder / "overview.html").read_text(encoding="utf-8")
    effects = read_table(inputs["set_effects"])
    row = effects[
        (effects["contrast"] == "change:abrocitinib 200 mg-placebo@12")
        & (effects["set"] == "itch_core_skin_up")
    ].iloc[0]
    numbers = [f"{row[k]:+.2f}".replace("-", "−") for k in ("change", "lower", "upper")]
    assert f"{numbers[0]} ({numbers[1]} to {numbers[2]})" in html
    assert "Difference: abrocitinib 200 mg − placebo" in html
    assert "1 of 6 genes (17 %) found" in html
    assert "small_library" in html
    alone = (drawn["lesional_only"][2] / "overview.html").read_text(encoding="utf-8")
    assert "No result: no nonlesional samples at baseline" in alone
    assert "SIMULATED" not in alone
    assert "limma" not in alone.partition("Software")[0].partition("References")[2]


def test_methods_follow_what_was_done(drawn):
    inputs, settings, _ = drawn["trial"]
    text = str(methods_sentences(read_material(inputs, settings)))
    assert "limma-voom" in text and "voom" in text
    other = settings | {"effects": {"count_model": "log2", "confidence": 0.9}}
    text = str(methods_sentences(read_material(inputs, other)))
    assert "voom" not in text
    assert "90 % confidence" in text


def test_every_figure_has_a_caption(repository):
    for figure in FIGURES:
        text = (repository / "workflow" / "report" / f"{figure.name}.rst").read_text()
        assert "snakemake.wildcards.cohort" in text
    front = (repository / "workflow" / "report" / "workflow.rst").read_text()
    assert "no treatment advice" in front
