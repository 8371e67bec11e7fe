"""A trial in which a few genes take the reads: the others must not look repaired.

Twelve keratin and S100 genes rise in lesions and fall with the drug; nothing else changes. Per
million reads every other gene falls in lesions and comes back with the drug.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

RISING = (
    "KRT6A KRT6B KRT6C KRT16 KRT17 S100A7 S100A8 S100A9 S100A7A SERPINB4 SERPINB3 SPRR2A"
).split()
COHORT = """\
id: shift
title: Composition shift
disease: atopic dermatitis
tissue: skin biopsy
assay: rna-seq
route: local
scale: counts
reference: nonlesional
placebo_arm: placebo
source: {table: counts.csv, sheet: samples.csv}
treatments: {newdrug: {drug_class: JAK inhibitor}, placebo: {drug_class: placebo}}
samples:
  patient: {from: subject}
  state: {from: skin, values: {LS: lesional, NL: nonlesional}}
  treatment: {from: drug, values: {drug: newdrug, placebo: placebo}}
  week: {from: visit, values: {BL: 0, W4: 4}}
"""


def write_trial(folder, repository):
    """Write counts and sheet: 14 patients an arm, the drug takes 80 % of the disease away."""
    rng = np.random.default_rng(11)
    sets = pd.read_csv(repository / "config" / "gene_sets" / "adnorm.tsv", sep="\t")
    genes = list(dict.fromkeys(sets["symbol"])) + [f"FILLER{i}" for i in range(600)]
    effect = np.where(np.isin(genes, RISING), 1.2, 0.0)
    base = np.where(effect > 0, 10.5, rng.normal(5, 1.8, len(genes)))
    log2, rows = [], []
    for arm, reversal in (("drug", 0.8), ("placebo", 0.1)):
        for number in range(14):
            own = rng.normal(0, 0.25, len(genes))
            severity, response = rng.lognormal(-0.04, 0.28), rng.normal(reversal, 0.15)
            for skin, visit, disease in (
                ("NL", "BL", 0),
                ("LS", "BL", 1),
                ("LS", "W4", 1 - response),
            ):
                noise = rng.normal(0, 0.35, len(genes))
                log2.append(base + own + noise + severity * disease * effect)
                rows.append((f"{arm}{number}", skin, arm, visit))
    shares = 2 ** np.array(log2)
    shares /= shares.sum(axis=1, keepdims=True)
    means = shares * rng.lognormal(np.log(1.2e7), 0.3, (len(shares), 1))
    counts = rng.poisson(rng.gamma(20, means / 20))
    libraries = [f"L{i:03d}" for i in range(len(rows))]
    pd.DataFrame(counts.T, index=pd.Index(genes, name="gene"), columns=libraries).to_csv(
        folder / "counts.csv"
    )
    sheet = pd.DataFrame(rows, columns=["subject", "skin", "drug", "visit"])
    sheet.insert(0, "library", libraries)
    sheet.to_csv(folder / "samples.csv", index=False)
    (folder / "shift.yaml").write_text(COHORT)


def test_no_barrier_repair_is_invented(tmp_path, repository, snakemake, configure):
    write_trial(tmp_path, repository)
    sets = str(repository / "config" / "gene_sets" / "adnorm.tsv")
    run = configure(tmp_path, {"cohorts": ["shift.yaml"], "gene_sets": [sets], "seed": 1})
    folder = tmp_path / "results" / "shift" / "index"
    snakemake(tmp_path, "--configfile", run.name, "--", "results/shift/index/index.tsv")

    index = pd.read_csv(folder / "index.tsv", sep="\t")
    index = index[index["arm"] == "newdrug"].set_index("name")
    for unchanged in ("barrier_terminal_differentiation_down", "barrier_lipid_ceramide_down"):
        assert index.loc[unchanged, "reason_code"] == "DENOM_NOT_ESTIMABLE"
        assert np.isnan(index.loc[unchanged, "ni"])
    for rising in ("barrier_hyperproliferation_up", "global"):
        assert index.loc[rising, "lower"] < 0.8 < index.loc[rising, "upper"]
        assert index.loc[rising, "lower"] > 0.3

    genes = pd.read_csv(folder / "gene_index.tsv", sep="\t")
    unchanged = genes[(genes["arm"] == "newdrug") & ~genes["gene"].isin(RISING)]
    assert (unchanged["class"] != "not estimable").mean() < 0.01
    effects = pd.read_csv(tmp_path / "results" / "shift" / "effects" / "effects.tsv", sep="\t")
    lesional = effects[effects["contrast"] == "lesional-nonlesional@0"].set_index("gene")
    assert abs(lesional.drop(index=RISING)["log2_fold_change"].median()) < 0.03
