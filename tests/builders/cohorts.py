"""Cohort files as models, from the plain values of a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from adnorm.study.cohort import Cohort, CohortFile, ColumnMapping, MeasuredCohort
from adnorm.study.validation import check


def cohort_of(value: dict[str, Any], where: str = "") -> Cohort:
    """Check plain values as a cohort file is checked, key by key."""
    check(CohortFile, value, where or "cohort.yaml")
    return Cohort.model_validate(value | {"where": where})


def measured_of(value: dict[str, Any], where: str = "") -> MeasuredCohort:
    """Take of a cohort file what the stage expression takes."""
    return cohort_of(value, where).view(MeasuredCohort)


def mapping_of(value: dict[str, Any]) -> ColumnMapping:
    """Read the mapping of one column."""
    return check(ColumnMapping, value, "cohort.yaml")


#: The smallest simulated series that every stage runs on.
TINY: dict[str, Any] = {
    "id": "lab",
    "title": "Tiny array",
    "disease": "atopic dermatitis",
    "tissue": "skin biopsy",
    "assay": "microarray",
    "platform": "SIMULATED-ARRAY",
    "route": "simulated",
    "scale": "log2",
    "reference": "nonlesional",
    "placebo_arm": None,
    "treatments": {},
    "samples": {
        "patient": {"from": "subject id"},
        "state": {"from": "tissue", "values": {"LS": "lesional", "NL": "nonlesional"}},
        "treatment": {"constant": "none"},
        "week": {"from": "time point", "pattern": "^Week (?P<value>[0-9]+)$"},
    },
    "simulation": {
        "writes": "geo_series_matrix",
        "weeks": [0],
        "genes": {"total": 1700},
        "arms": [{"treatment": "none", "patients": 5}],
    },
}

#: Cohort file of a lab with a table and a sheet, but for its `samples:`.
LAB: dict[str, Any] = {
    "id": "lab",
    "title": "A lab",
    "disease": "atopic dermatitis",
    "tissue": "skin",
    "assay": "rna-seq",
    "route": "local",
    "scale": "counts",
    "reference": "nonlesional",
    "source": {"table": "x.csv", "sheet": "y.csv"},
}
#: Cohort file of `raw_trial`.
TRIAL: dict[str, Any] = {
    "id": "trial",
    "title": "A trial",
    "accession": "GSE1",
    "disease": "atopic dermatitis",
    "tissue": "skin",
    "assay": "microarray",
    "platform": "GPL570",
    "route": "geo_series_matrix",
    "scale": "log2",
    "reference": "nonlesional",
    "placebo_arm": "placebo",
    "treatments": {
        "gusacitinib": {"drug_class": "JAK inhibitor"},
        "placebo": {"drug_class": "placebo"},
    },
    "samples": {
        "patient": {"from": ["subject", "patient_id"]},
        "state": {"from": "tissue", "values": {"LS": "lesional", "NL": "nonlesional"}},
        "treatment": {
            "from": "arm",
            "pattern": "^(?P<value>[A-Za-z]+)",
            "values": {"GUSA": "gusacitinib", "PBO": "placebo"},
        },
        "dose_mg": {"from": "arm", "pattern": "(?P<value>[0-9]*)( mg)?$", "missing": None},
        "week": {"from": "time", "values": {"Baseline": 0, "Day 15": 2, "Day 29": 4}},
    },
}


def raw_trial(weeks: tuple[str, ...] = ("Baseline", "Day 15", "Day 29")) -> pd.DataFrame:
    """Raw metadata of a dose trial: four patients on placebo and on each of two doses."""
    rows = {}
    arms = {"PBO": range(1, 5), "GUSA 20 mg": range(5, 9), "GUSA 40 mg": range(9, 13)}
    for arm, patients in arms.items():
        for patient in patients:
            for time in weeks:
                for tissue in ("LS", "NL") if time == "Baseline" else ("LS",):
                    rows[f"GSM{len(rows):03d}"] = {
                        "Patient ID": f"{patient:02d}",
                        "tissue": tissue,
                        "arm": arm,
                        "time": time,
                    }
    return pd.DataFrame.from_dict(rows, orient="index")


def trial_cohort(**changes: Any) -> MeasuredCohort:
    """Take of the cohort file of `raw_trial`, with changes, what the stage expression takes."""
    return measured_of({**TRIAL, **changes}, "trial.yaml")


def write_cohort(folder: Path, value: dict[str, Any], name: str = "trial") -> Path:
    """Write a cohort file."""
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(value))
    return path
