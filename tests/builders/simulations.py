"""The smallest simulated trial, as a cohort file and as what the simulator takes."""

from __future__ import annotations

from typing import Any

from adnorm.study.cohort import PublishedCohort
from builders.cohorts import cohort_of

PLAN: dict[str, Any] = {
    "writes": "geo_supplementary",
    "weeks": [0, 4],
    "arms": [
        {"treatment": "drug", "dose_mg": 10, "patients": 4, "reversal": [0.5]},
        {"treatment": "placebo", "patients": 4, "reversal": [0]},
    ],
}
COHORT: dict[str, Any] = {
    "id": "tiny",
    "title": "Tiny",
    "disease": "atopic dermatitis",
    "tissue": "skin biopsy",
    "assay": "rna-seq",
    "route": "simulated",
    "scale": "counts",
    "reference": "nonlesional",
    "samples": {
        "patient": {"from": "subject id"},
        "state": {"from": "tissue", "values": {"LS": "lesional", "NL": "nonlesional"}},
        "treatment": {"constant": "none"},
        "week": {"from": "time point", "pattern": "Week (?P<value>[0-9]+)"},
    },
}


def simulated(**change: Any) -> PublishedCohort:
    """Take the smallest trial with a changed plan."""
    return cohort_of(COHORT | {"simulation": PLAN | change}).view(PublishedCohort)
