"""Made-up cohorts whose index was computed by the package, for the normalization heatmap."""

from __future__ import annotations

import numpy as np
import pandas as pd

from adnorm.base.tables import read_table, write_table
from adnorm.figures.data import DrawingSettings, IndexData
from adnorm.index.normalization import DENOMINATOR_COLUMNS, normalization_index
from adnorm.study.config import IndexSettings
from adnorm.study.gene_sets import read_gene_sets

PRIMARY = ["global", "itch_core_skin_up", "barrier_hyperproliferation_up"]
SETTINGS = IndexSettings(primary=tuple(PRIMARY))
#: Level of every score in lesional skin; 0 has no index.
EFFECTS = {
    "global": 2.0,
    "itch_core_skin_up": 1.5,
    "itch_minus_th2": 1.4,
    "barrier_hyperproliferation_up": 1.0,
    "barrier_lipid_ceramide_down": 1.2,
    "th2": 0.0,
    "th1_ifn": 1.0,
    "jak_stat_targets": -1.0,
}
RESPONSE = {"placebo": 0.1, "drug 10 mg": 0.5, "drug 20 mg": 1.1, "drug": 0.8, "untreated": 0.0}
TRIAL = {"placebo": 8, "drug 10 mg": 8, "drug 20 mg": 7}


def sheet_of(arms, weeks, states):
    rows = [
        (f"{arm}{number}", state, week, arm)
        for arm, patients in arms.items()
        for number in range(patients)
        for state, week in [
            *(
                ("healthy" if arm == "healthy" else s, 0.0)
                for s in states[: 1 + (arm != "healthy")]
            ),
            *(("lesional", w) for w in weeks if arm != "healthy"),
        ]
    ]
    return pd.DataFrame(rows, columns=["patient", "state", "week", "arm"]).drop_duplicates()


def make(repository, tmp_path, arms=None, weeks=(2.0, 12.0), nonlesional=True, effects=None):
    """Tables of a made-up cohort whose index was computed by the package itself."""
    arms, effects = arms or TRIAL, effects or EFFECTS
    states = ["lesional", "nonlesional"] if nonlesional else ["lesional"]
    sheet = sheet_of(arms, weeks, states)
    placebo = "placebo" if "placebo" in arms else ""
    rng = np.random.default_rng(5)
    share = np.where(sheet["week"] > 0, 1 - sheet["arm"].map(RESPONSE).fillna(0), 1.0)
    share = np.where(sheet["state"] == "lesional", share, 0.0)
    values = pd.DataFrame(
        {n: e * share + rng.normal(0, 0.35, len(sheet)) for n, e in effects.items()}
    )
    sets = read_gene_sets([repository / "config" / "gene_sets" / "adnorm.tsv"])
    names = pd.DataFrame({"level": "set", "reason_code": "", "reason": ""}, index=values.columns)
    names.loc["global", "level"] = "global"
    for name, code, reason in [
        ("th17_th22", "LOW_COVERAGE", "9 of 27 genes (33 %) found; at least 50 % are required"),
        ("comp_tcell", "UNSIGNED", "its genes have no direction"),
    ]:
        values[name], names.loc[name] = np.nan, ["set", code, reason]
    tables = [
        normalization_index(values, sheet, reference, placebo, SETTINGS, names)
        for reference in ["nonlesional", *(["healthy"] if "healthy" in arms else [])]
    ]
    index = pd.concat(tables, ignore_index=True).assign(null_percentile=99.0)
    write_table(index, tmp_path / "index.tsv")
    return data_of(sheet, sets, placebo, read_table(tmp_path / "index.tsv"))


def data_of(sheet, sets, placebo, index):
    samples = sheet.assign(sample=[f"S{i}" for i in range(len(sheet))])
    comparisons = pd.DataFrame(
        {"contrast": ["change"], "kind": ["change"], "supported": ["no"], "reason": ["one visit"]}
    )
    return IndexData(
        facts={"cohort": "trial", "title": "Made up", "simulated": True, "placebo_arm": placebo},
        tables={
            "samples": samples,
            "qc": samples[["sample"]].assign(flags=""),
            "coverage": pd.DataFrame({"set": list(sets), "status": "ok", "reason": ""}),
            "index": index,
            "denominators": pd.DataFrame(columns=DENOMINATOR_COLUMNS),
            "comparisons": comparisons,
        },
        gene_sets=sets,
        settings=DrawingSettings(index=IndexSettings(primary=PRIMARY)),
    )
