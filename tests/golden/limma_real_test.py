"""Published changes under an oral JAK inhibitor (GSE80342), where the real series is available.

Expected log2 changes by week 12 in the 9 pairs: those that the mirror of the series states.
"""

from __future__ import annotations

import gzip
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from adnorm.effects.design import plan_fits
from adnorm.effects.fit import fit_effects
from adnorm.effects.observations import Observations
from adnorm.study.comparisons import average_rows, combine_biopsies, derive_design
from adnorm.study.config import EffectsSettings


def read_series(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Just enough of a reader for this one file: probes × samples, and the sheet."""
    text = gzip.open(
        folder / "series/GSE80nnn/GSE80342/matrix/GSE80342_series_matrix.txt.gz", "rt"
    ).read()
    head, table = text.split("!series_matrix_table_begin\n")
    rows = [line.split("\t") for line in head.splitlines() if line.startswith("!Sample_")]
    keys = {
        row[1].strip('"').split(":")[0] if "characteristics" in row[0] else row[0]: [
            value.strip('"').split(": ")[-1] for value in row[1:]
        ]
        for row in rows
    }
    weeks = next(
        [v.strip('"') for v in r[1:]] for r in rows if any(v.startswith('"week') for v in r)
    )
    healthy = [d == "healthy_control" for d in keys["disease"]]
    samples = pd.DataFrame(
        {
            "sample": keys["!Sample_geo_accession"],
            "patient": keys["patient"],
            "state": np.where(healthy, "healthy", "lesional"),
            "arm": np.where(healthy, "healthy", "ruxolitinib"),
            "week": [float(w.split(": ")[1]) if w else 0.0 for w in weeks],
        }
    ).assign(treatment="ruxolitinib", dose_mg=np.nan)
    table = table.split("!series_matrix_table_end")[0]
    values = pd.read_csv(StringIO(table), sep="\t", index_col=0)
    return values[samples["sample"]], samples


@pytest.fixture(scope="module")
def effects(shared):
    values, samples = read_series(shared / "geo")
    text = gzip.open(shared / "geo/platforms/GPLnnn/GPL570/annot/GPL570.annot.gz", "rt").read()
    annotation = pd.read_csv(
        StringIO(text.split("!platform_table_begin\n")[1].split("!platform_table_end")[0]),
        sep="\t",
        index_col="ID",
    )["Gene symbol"].dropna()
    annotation = annotation[~annotation.str.contains("///")]
    probes = values.loc[values.index.isin(annotation.index)]
    symbol = annotation[probes.index]
    highest = probes.mean(axis=1).groupby(symbol).idxmax()
    genes = probes.loc[highest].set_axis(highest.index)
    combined, codes = combine_biopsies(samples)
    data = Observations(
        samples=samples,
        combined=combined,
        genes=genes.index.to_numpy(dtype=str),
        log2=average_rows(genes.to_numpy().T, codes).T,
        counts=None,
        library_sizes=None,
        facts={"assay": "microarray"},
    )
    plans, refused = plan_fits(combined, derive_design(samples, None, 3).supported)
    assert refused == {}
    table = fit_effects(data, plans, EffectsSettings())
    return table.set_index(["contrast", "gene"])


@pytest.mark.parametrize(
    ("gene", "change"),
    [("CXCL9", -2.66), ("CD8A", -2.24), ("STAT1", -0.60), ("SOCS3", -0.71), ("IL4R", -0.51)],
)
def test_genes_of_the_pathway_fall(effects, gene, change):
    found = effects.loc[("change:ruxolitinib@12", gene)]
    assert found["log2_fold_change"] == pytest.approx(change, abs=0.006)
    assert found["pairs"] == 9
    assert found["t"] < -2 and found["p_value"] < 0.05


@pytest.mark.parametrize("gene", ["FLG", "OSMR"])
def test_barrier_and_itch_receptor_stay_flat(effects, gene):
    found = effects.loc[("change:ruxolitinib@12", gene)]
    assert abs(found["log2_fold_change"]) < 0.3 and found["p_value"] > 0.05


def test_comparisons_are_those_that_the_series_supports(effects):
    assert set(effects.index.get_level_values(0)) == {
        "change:ruxolitinib@12",
        "lesional-healthy@0",
        "residual-healthy:ruxolitinib@12",
    }
