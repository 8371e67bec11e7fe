"""Small cohorts and their files, and the stage expression run on them."""

from __future__ import annotations

import copy
import hashlib
import json
from pathlib import Path

from adnorm.expression.build import StageSettings, build
from adnorm.study.cohort import Cohort, CohortFile, MeasuredCohort
from adnorm.study.config import ExpressionSettings
from builders.cohorts import measured_of

TABLES = (
    *("samples", "excluded", "losses", "identifiers", "design", "comparisons", "batches", "qc"),
)
GENE_SETS = "config/gene_sets/adnorm.tsv"
#: What every small cohort maps alike.
SAMPLES = {
    "patient": {"from": "who"},
    "state": {"from": "skin", "values": {"LS": "lesional", "NL": "nonlesional"}},
    "treatment": {"constant": "none"},
    "week": {"constant": 0},
}


def small_cohort(**changes):
    """The file of a lab's own cohort, as plain values; `changes` replace whole keys."""
    written = {
        "id": "own",
        "title": "Own cohort",
        "disease": "atopic dermatitis",
        "tissue": "skin biopsy",
        "assay": "rna-seq",
        "route": "local",
        "scale": "counts",
        "reference": "nonlesional",
        "source": {},
        "samples": SAMPLES,
    }
    return copy.deepcopy(written | changes)


def write_manifest(folder, cohort, route, files):
    """The manifest of files (role → name) that lie in a folder already."""
    entries = [
        {
            "role": role,
            "name": name,
            "source": name,
            "bytes": (folder / name).stat().st_size,
            "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest(),
        }
        for role, name in files.items()
    ]
    manifest = folder / "manifest.json"
    manifest.write_text(json.dumps({"cohort": cohort, "route": route, "files": entries}))
    return manifest


def expression_outputs(folder):
    return {name: Path(folder) / f"{name}.tsv" for name in TABLES} | {
        "expression": Path(folder) / "expression.h5ad"
    }


def express(
    manifest,
    cohort,
    gene_sets,
    folder,
    identifiers=None,
    *,
    pinned=None,
    symbols=None,
    minimum_pairs=3,
    **rules,
):
    """Run the stage; `rules` change defaults of the section `expression`.

    The cohort is a checked one, or plain values as in its file. Returns the paths of the results.
    """
    if isinstance(cohort, Cohort):
        measured = cohort.view(MeasuredCohort)
    else:
        written = {key: part for key, part in cohort.items() if key in CohortFile.model_fields}
        measured = measured_of(written, cohort.get("where", ""))
    settings = StageSettings(
        cohort=measured,
        expression=ExpressionSettings(**rules),
        minimum_pairs=minimum_pairs,
        identifiers_sha256=pinned,
        symbols=symbols,
    )
    inputs = {
        "manifest": Path(manifest),
        "gene_sets": [Path(path) for path in gene_sets],
        "identifiers": [Path(identifiers)] if identifiers else [],
    }
    outputs = expression_outputs(folder)
    build(inputs, outputs, settings, 0)
    return outputs
