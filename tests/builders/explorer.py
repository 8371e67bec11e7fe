"""Cohorts for the explorer: made-up tables with moderated t tests of known degrees of freedom."""

from __future__ import annotations

import base64
import json
import re
import zlib
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
from scipy import stats

from adnorm.base.tables import read_table, write_table
from adnorm.effects.fit import COLUMNS, benjamini_hochberg
from adnorm.figures.explorer.build import FILES, PageSettings, build
from adnorm.study.comparisons import derive_design, design_tables
from builders.figure_index import make_trial

#: Degrees of freedom of the t tests in effects.tsv.
FREEDOM = 17.3
#: A gene that the filter of low values left out.
UNDETECTED = "IL31"
FOLDERS = {
    "effects": "effects",
    "comparisons": "expression",
    "index": "index",
    "gene_index": "index",
    "axis": "index",
    "trajectories": "index",
}
#: What an outside table may call a gene, an arm or a patient.
HOSTILE = "</script><img src=x onerror=alert(1)>"


def make_cohort(
    root: Path, name: str, repository: Path, *, rename: dict | None = None, facts=None, **plan
) -> dict[str, Path]:
    """Write what the explorer reads of one cohort; `rename` changes names in all tables."""
    made = make_trial(root / f"{name}_made", repository, **plan)
    tables = {key: read_table(made[key]) for key in ("index", "gene_index", "trajectories")}
    sheet = read_table(made["samples"])
    placebo = "placebo" if "placebo" in set(sheet["arm"]) else None
    known = tables["gene_index"]["gene"]
    tables["gene_index"] = tables["gene_index"][known != UNDETECTED]
    genes = sorted({*known, "CXCL8", "IL13", "FLG", "STILL"} - {UNDETECTED})
    design = derive_design(sheet, placebo, 3)
    tables["comparisons"] = design_tables(design)[1].assign(batch="", batch_reason="")
    tables["effects"] = effects_of(design, [gene for gene in genes if gene != "STILL"])
    axis = {"gene": genes, "weight": [0.0] * len(genes), "effect": 0.0}
    tables["axis"] = pd.DataFrame(axis)
    tables["axis"].loc[[1, 2, 3], "weight"] = [2.0, -5.0, 1.0]
    values = np.random.default_rng(5).normal(7, 1.5, (len(sheet), len(genes))).astype("f4")
    values[:, genes.index("STILL")] = 4.0
    for old, new in (rename or {}).items():
        genes = [new if gene == old else gene for gene in genes]
        sheet = sheet.replace(old, new)
        for key, table in tables.items():
            changed = table.replace(old, new)
            for column in ("contrast", "reason"):
                if column in changed:
                    text = changed[column].astype(object).fillna("").astype(str)
                    changed[column] = text.str.replace(old, new, regex=False)
            tables[key] = changed
    paths = {key: root / name / folder / f"{key}.tsv" for key, folder in FOLDERS.items()}
    for key, path in paths.items():
        write_table(tables[key], path)
    paths["expression"] = root / name / "expression" / "expression.h5ad"
    write_container(paths["expression"], sheet, values, genes, placebo, facts or {})
    return paths


def effects_of(design, genes: list[str]) -> pd.DataFrame:
    """Estimates, errors, t and p of every comparison of a design, for every gene."""
    rng = np.random.default_rng(11)
    frames = []
    for comparison in sorted(design.supported, key=lambda c: c.name):
        error = rng.uniform(0.1, 0.6, len(genes))
        change = rng.normal(0, 1.2, len(genes))
        frame = pd.DataFrame({"contrast": comparison.name, "gene": genes})
        frame["log2_fold_change"], frame["standard_error"] = change, error
        frame["t"], frame["degrees_of_freedom"] = change / error, FREEDOM
        frame["p_value"] = 2 * stats.t.sf(np.abs(frame["t"]), FREEDOM)
        frame["fdr"] = benjamini_hochberg(frame["p_value"].to_numpy())
        frames.append(frame.assign(pairs=comparison.patients))
    if frames:
        return pd.concat(frames, ignore_index=True)
    return pd.DataFrame(columns=COLUMNS)


def write_container(path, sheet, values, genes, placebo, facts) -> None:
    """Write expression.h5ad as the stage expression does, as far as the explorer reads it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    obs = sheet.set_index("sample", drop=False).rename_axis(None)
    for column in obs.columns.difference(["week", "dose_mg", "easi"]):
        obs[column] = obs[column].astype(object).astype("category")
    data = anndata.AnnData(values, obs=obs, var=pd.DataFrame(index=pd.Index(genes, dtype=object)))
    data.uns["adnorm"] = {
        "disease": "atopic dermatitis",
        "assay": "rna-seq",
        "platform": "GPL1",
        "placebo_arm": placebo or "",
        "simulated": True,
        "normalization": "genes with at least 10 reads in at least 10 samples; TMM, log2",
        "undetected": np.array([UNDETECTED], dtype=object),
        "renamed": np.array(["IL8>CXCL8"], dtype=object),
    } | facts
    data.write_h5ad(path)


def make_page(
    folder: Path, repository: Path, cohorts: dict[str, dict[str, Path]], **settings
) -> Path:
    """Write the page of some cohorts (their files by name)."""
    titles = settings.pop("titles", {})
    inputs: dict = {key: [cohorts[name][key] for name in sorted(cohorts)] for key in FILES}
    inputs["gene_sets"] = [repository / "config" / "gene_sets" / "adnorm.tsv"]
    known = {name: titles.get(name, f"Trial {name}") for name in cohorts}
    page = folder / "explorer.html"
    build(inputs, {"page": page}, PageSettings.model_validate(settings | {"cohorts": known}))
    return page


def blocks_of(page: Path) -> dict[str, str]:
    """The packed parts of a page."""
    found = re.findall(r'<script type="text/plain" id="([^"]+)">([^<]*)</script>', page.read_text())
    return dict(found)


def inflate(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text))


def core_of(page: Path) -> dict:
    """What the page knows in plain values."""
    return json.loads(inflate(blocks_of(page)["core"]))


def arrays_of(page: Path, cohort: int) -> dict[str, np.ndarray]:
    """The unpacked arrays of one cohort."""
    layout = core_of(page)["cohorts"][cohort]["layout"]
    content, found, at = inflate(blocks_of(page)[f"effects-{cohort}"]), {}, 0
    for name, kind, length in layout:
        width = int(kind[1])
        planes = np.frombuffer(content, np.uint8, length * width, at).reshape(width, length)
        found[name] = np.ascontiguousarray(planes.T).view(f"<{kind}").ravel()
        at += length * width
    assert at == len(content)
    return found
