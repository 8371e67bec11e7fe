"""A small trial of a lab, for the commands."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from adnorm.cli import main
from adnorm.study.gene_sets import read_gene_sets

GENE_SETS = "config/gene_sets/adnorm.tsv"


@pytest.fixture(scope="module")
def lab(tmp_path_factory, repository):
    """A lab's counts of a small trial, its sheet, and a configuration."""
    folder = tmp_path_factory.mktemp("lab")
    genes = [g.symbol for s in read_gene_sets([repository / GENE_SETS]).values() for g in s.genes]
    genes = sorted({*genes[:80], *(f"GENE{i}" for i in range(120))})
    rows = [
        {"library": f"{arm}{p}{visit}{skin}", "donor": f"{arm}{p}", "skin": skin, "drug": drug}
        | {"visit": visit}
        for arm, drug in (("U", "upadacitinib 15 mg"), ("P", "placebo"))
        for p in range(4)
        for visit, skins in (("BL", ("LS", "NL")), ("W4", ("LS",)))
        for skin in skins
    ]
    sheet = pd.DataFrame(rows)
    sheet.to_csv(folder / "sheet.csv", index=False)
    counts = np.random.default_rng(5).negative_binomial(4, 0.01, (len(genes), len(sheet)))
    pd.DataFrame(counts, index=genes, columns=sheet["library"]).to_csv(folder / "counts.csv")
    (folder / "run.yaml").write_text("cohort_folder: cohorts\ncohorts: [trial]\n")
    return folder


@pytest.fixture
def here(lab, monkeypatch):
    """The lab's folder as working directory; caches stay inside."""
    monkeypatch.chdir(lab)
    monkeypatch.setenv("XDG_CACHE_HOME", str(lab / "cache"))
    return lab


@pytest.fixture
def trial(here, capsys):
    """A cohort file that was proposed and filled in."""
    call = ["new-cohort", "counts.csv", "--sheet", "sheet.csv", "--id", "trial"]
    assert main([*call, "--output", "cohorts", "--force", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    path = here / "cohorts" / "trial.yaml"
    text = path.read_text()
    for key, value in (("disease", "atopic dermatitis"), ("tissue", "skin biopsy")):
        text = text.replace(f"{key}: null", f"{key}: {value}")
    path.write_text(text)
    return path, answer
